// One question on standard input, one answer on standard output, as JSON: PSBTs made and taken apart by other libraries.
import * as bitcoinjs from "bitcoinjs-lib";
import * as scure from "@scure/btc-signer";
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js";
import { readFileSync } from "node:fs";

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (b) => Buffer.from(b).toString("hex");
const stack = (items) => {
  const size = (n) => (n < 253 ? [n] : [253, n & 255, n >> 8]);
  return Uint8Array.from([...size(items.length), ...items.flatMap((i) => [...size(i.length / 2), ...bytes(i)])]);
};
// bitcoinjs-lib brings no curve of its own.
const lift = (x) => schnorr.utils.lift_x(BigInt("0x" + hex(x)));
bitcoinjs.initEccLib({
  isXOnlyPoint(x) {
    try {
      return Boolean(lift(x));
    } catch {
      return false;
    }
  },
  xOnlyPointAddTweak(x, tweak) {
    const t = BigInt("0x" + hex(tweak));
    if (t >= secp256k1.Point.Fn.ORDER) return null;
    const q = t ? lift(x).add(secp256k1.Point.BASE.multiply(t)) : lift(x);
    if (q.is0()) return null;
    return { parity: q.y & 1n ? 1 : 0, xOnlyPubkey: q.toBytes(true).slice(1) };
  },
});
const loose = { allowUnknown: true, allowUnknownInputs: true, allowUnknownOutputs: true };

const ways = {
  bitcoinjs: {
    make({ tx }) {
      const p = new bitcoinjs.Psbt();
      p.setVersion(tx.version);
      p.setLocktime(tx.locktime);
      tx.inputs.forEach((i) =>
        p.addInput({ hash: i.txid, index: i.vout, sequence: i.sequence, witnessUtxo: { script: bytes(i.script), value: BigInt(i.value) },
          ...(i.root ? { tapMerkleRoot: bytes(i.root) } : {}) }));
      tx.outputs.forEach((o) => p.addOutput({ script: bytes(o.script), value: BigInt(o.value) }));
      tx.inputs.forEach((i, n) => p.updateInput(n, { finalScriptWitness: stack(i.witness) }));
      return p.toBase64();
    },
    extract({ psbt, final }) {
      const p = bitcoinjs.Psbt.fromBase64(psbt);
      if (!final) p.finalizeAllInputs();
      return p.extractTransaction(true).toHex();
    },
  },
  scure: {
    make({ tx, version }) {
      const t = new scure.Transaction({ version: tx.version, lockTime: tx.locktime, ...loose });
      tx.outputs.forEach((o) => t.addOutput({ script: bytes(o.script), amount: BigInt(o.value) }));
      tx.inputs.forEach((i) =>
        t.addInput({ txid: i.txid, index: i.vout, sequence: i.sequence, witnessUtxo: { script: bytes(i.script), amount: BigInt(i.value) },
          ...(i.root ? { tapMerkleRoot: bytes(i.root) } : {}) }));
      tx.inputs.forEach((i, n) => t.updateInput(n, { finalScriptWitness: i.witness.map(bytes) }, true));
      return Buffer.from(t.toPSBT(version)).toString("base64");
    },
    extract({ psbt, final }) {
      const t = scure.Transaction.fromPSBT(Uint8Array.from(Buffer.from(psbt, "base64")), loose);
      if (!final) t.finalize();
      return hex(t.extract());
    },
  },
};

const asked = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify({ answer: ways[asked.library][asked.what](asked) }));
