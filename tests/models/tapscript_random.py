#!/usr/bin/env python3
"""Random tapscript spends with the model's verdict, in the format of script assets.

usage: tapscript_random.py COUNT SEED > FILE          then: vector_run assets FILE
       tapscript_random.py COUNT SEED VECTOR_RUN      runs it, and gives its exit status

All rules not active on the network are on. Scripts grow instruction by instruction on the model, so that most of
them get somewhere; signatures are made for the finished script, and some are then spoiled.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bip341_verify as curve
import tapscript as model

FLAGS = ("P2SH,DERSIG,NULLDUMMY,CHECKLOCKTIMEVERIFY,CHECKSEQUENCEVERIFY,WITNESS,TAPROOT,DEFAULT_CHECK_TEMPLATE_VERIFY_HASH,"
         "OP_CAT,CHECKSIGFROMSTACK,INTERNALKEY,TEMPLATEHASH,ANYPREVOUT,PAIRCOMMIT")
OPS = [op for name, op in model.NAMES.items() if op not in (0x50, 0x65, 0x66, 0x6A, 0xAE, 0xAF)]
TYPES = [0, 1, 2, 3, 0x81, 0x82, 0x83]
APO_TYPES = TYPES + [0x41, 0x42, 0x43, 0xC1, 0xC2, 0xC3] * 2


class Key:
    def __init__(self, secret):
        point = curve.point_mul(secret, curve.G)
        self.secret = secret if point[1] % 2 == 0 else curve.N - secret
        self.x = point[0].to_bytes(32, "big")

    def sign(self, msg, nonce):
        k = nonce % (curve.N - 1) + 1
        r = curve.point_mul(k, curve.G)
        k = k if r[1] % 2 == 0 else curve.N - k
        rx = r[0].to_bytes(32, "big")
        e = int.from_bytes(curve.tagged("BIP0340/challenge", rx + self.x + msg), "big") % curve.N
        return rx + ((k + e * self.secret) % curve.N).to_bytes(32, "big")


def push(b):
    if len(b) < 0x4C:
        return bytes([len(b)]) + b
    return bytes([0x4C, len(b)]) + b if len(b) < 256 else b"\x4d" + len(b).to_bytes(2, "little") + b


class Case:
    ops, kinds, flags = OPS, ["plain", "plain", "apo", "apo1", "csfs", "none"], FLAGS

    def __init__(self, r, keys):
        self.r, self.keys, self.internal = r, keys, r.choice(keys)
        self.signatures, self.items, self.script = [], [], b""
        self.annex = b"\x50" + r.randbytes(r.randrange(4)) if r.random() < 0.3 else None
        self.make_tx()

    def make_tx(self):
        r = self.r
        inputs = r.randrange(1, 4)
        self.index = r.randrange(inputs)
        value = lambda: r.randrange(1, 10**9)
        self.tx = {
            "version": r.choice([1, 2, 2, 2, -1]), "locktime": r.choice([0, 100, 499999999, 500000000, 1700000000]),
            "in": [{"txid": r.randbytes(32), "vout": r.randrange(5), "witness": [],
                    "script_sig": r.randbytes(3) if i != self.index and r.random() < 0.3 else b"",
                    "sequence": r.choice([0, 5, 0xFFFFFFFD, 0xFFFFFFFF, (1 << 22) + 7])} for i in range(inputs)],
            "out": [{"value": value(), "script": r.randbytes(r.randrange(5))} for _ in range(r.randrange(1, 4))],
        }
        self.spent = [{"value": value(), "script": b"\x51\x20" + r.choice(self.keys).x} for _ in range(inputs)]

    def spend(self):
        return model.Spend(self.tx, self.spent, self.index, self.script, self.internal.x, self.annex)

    # ---- growing ----

    def data(self):
        r = self.r
        return r.choice([lambda: b"", lambda: b"\x01", lambda: model.encode(r.randrange(-20, 1000)), lambda: r.choice(self.keys).x,
                         lambda: b"\x01" + r.choice(self.keys).x, lambda: r.randbytes(r.choice([1, 2, 4, 5, 20, 32, 33, 75, 76, 255, 300])),
                         lambda: b"\x80", lambda: self.spend().template_ctv()])()

    def signed_check(self):
        """A check of a signature on the first stack. Until it is made, it stands there as 64 zeros."""
        r, key = self.r, self.r.choice(self.keys)
        kind = r.choice(self.kinds)
        if kind == "csfs":
            msg = r.randbytes(r.choice([0, 1, 32, 100]))
            self.items.insert(0, key.sign(msg, r.getrandbits(255)))
            return push(msg) + push(key.x) + bytes([0xCC])
        if kind == "none":
            self.items.insert(0, b"")
            return push(key.x) + bytes([0xAC])
        if kind == "apo1":
            key = self.internal
        public = {"plain": key.x, "apo": b"\x01" + key.x, "apo1": b"\x01"}[kind]
        hash_type = r.choice(TYPES if kind == "plain" else APO_TYPES)
        if r.random() < 0.03:
            hash_type = r.randrange(256)
        self.signatures.append((key, hash_type, 0 if kind == "plain" else 1))
        self.items.insert(0, ("sig", len(self.signatures) - 1))
        return r.choice([push(public) + b"\xac", push(public) + b"\xad\x51", b"\x52" + push(public) + b"\xba"])

    def grow(self):
        """Instructions that the model accepts one by one; the checks come first, when only they are on the stack."""
        r = self.r
        for _ in range(r.choice([0, 1, 1, 2])):
            self.script += (b"\xab" if r.random() < 0.3 else b"") + self.signed_check() + r.choice([b"\x6b", b"\x75", b""])
        self.items = [r.choice([b"", b"\x01", b"\x02\x01", r.randbytes(8)]) for _ in range(r.randrange(3))] + self.items
        for _ in range(r.randrange(2, 14)):
            for _ in range(8):
                more = push(self.data()) if r.random() < 0.4 else bytes([r.choice(self.ops)])
                if self.accepts(more) or r.random() < 0.004:
                    self.script += more
                    break
        self.finish()

    def machine(self):
        """The model's state behind the script so far, with every signature taken for good."""
        items = [bytes(64) if isinstance(i, tuple) else i for i in self.items]
        m = model.Machine(self.spend(), items, 10**6)
        m.one_schnorr = lambda sig, *_: model.need(sig == bytes(64), "not one of ours")
        for op, data in model.decode(self.script):
            m.instruction(op, data)
        return m

    def accepts(self, more):
        before, self.script = self.script, self.script + more
        try:
            self.machine()
            return True
        except (model.Fails, curve.Wrong):
            return False
        finally:
            self.script = before

    def finish(self):
        """Close what is open, hold what is left against the model's values, and end on true; mostly."""
        try:
            m = self.machine()
            self.script += b"\x68" * len(m.ifs)
            left = self.machine().stack
        except (model.Fails, curve.Wrong):
            return
        if self.r.random() < 0.05:
            return
        for value in reversed(left):
            known = value != bytes(64) and self.r.random() < 0.9
            self.script += push(value) + b"\x88" if known else b"\x75"
        self.script += b"\x51"

    # ---- signing ----

    def resolve(self):
        """Sign for the finished script. Each signature's code separator is found by running the model."""
        separators = iter(self.separators())
        spend, made = self.spend(), []
        for key, hash_type, version in self.signatures:
            try:
                digest = spend.sighash(hash_type, next(separators, 0xFFFFFFFF), version)
            except model.Fails:
                digest = bytes(32)
            sig = key.sign(digest, self.r.getrandbits(255)) + (bytes([hash_type]) if hash_type else b"")
            made.append(sig)
        if made and self.r.random() < 0.15:
            at = self.r.randrange(len(made))
            spoiled = bytearray(made[at])
            spoiled[self.r.randrange(len(spoiled))] ^= 1 << self.r.randrange(8)
            made[at] = bytes(spoiled)
        self.items = [made[i[1]] if isinstance(i, tuple) else i for i in self.items]

    def separators(self):
        seen = []
        m = model.Machine(self.spend(), [bytes(64) if isinstance(i, tuple) else i for i in self.items], 10**6)
        m.one_schnorr = lambda sig, key, version: seen.append(m.codesep)
        try:
            for op, data in model.decode(self.script):
                m.instruction(op, data)
        except (model.Fails, curve.Wrong):
            pass
        return seen

    def commit(self):
        """The output, whose script the signatures are over: before they are made."""
        root = curve.leaf_hash(self.script)
        point = curve.lift_x(int.from_bytes(self.internal.x, "big"))
        t = int.from_bytes(curve.tagged("TapTweak", self.internal.x + root), "big")
        q = curve.point_add(point, curve.point_mul(t, curve.G))
        self.spent[self.index]["script"] = b"\x51\x20" + q[0].to_bytes(32, "big")
        self.control = bytes([0xC0 + q[1] % 2]) + self.internal.x

    def entry(self, n):
        self.grow()
        self.commit()
        self.resolve()
        witness = self.items + [self.script, self.control] + ([self.annex] if self.annex is not None else [])
        size = len(curve.compact(len(witness))) + sum(len(curve.with_size(w)) for w in witness)
        why = model.run(self.spend(), self.items, size)
        side = {"scriptSig": "", "witness": [w.hex() for w in witness]}
        return why, {
            "tx": curve.tx_bytes(self.tx, False).hex(), "index": self.index, "flags": self.flags,
            "prevouts": [curve.out_bytes(o).hex() for o in self.spent], "comment": "random/%d: %s" % (n, why or "allowed"),
            "failure" if why else "success": side}


def main(argv):
    if len(argv) not in (3, 4):
        sys.stderr.write(__doc__)
        return 2
    count, r = int(argv[1]), random.Random(int(argv[2]))
    keys = [Key(r.getrandbits(255) + 1) for _ in range(4)]
    entries, reasons = [], {}
    for n in range(count):
        why, entry = Case(r, keys).entry(n)
        entries.append(entry)
        reasons[why] = reasons.get(why, 0) + 1
    if len(argv) == 3:
        json.dump(entries, sys.stdout, indent=0)
        return 0
    for why, times in sorted(reasons.items(), key=lambda x: -x[1]):
        print("%6d %s" % (times, why or "allowed"))
    if count >= 100 and not 0.2 < reasons.get(None, 0) / count < 0.95:
        print("the generator has lost its balance: the test says little")
        return 1
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(entries, f)
        f.flush()
        return subprocess.run([argv[3], "assets", f.name]).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv))
