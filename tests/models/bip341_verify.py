#!/usr/bin/env python3
"""Check what the signer answered, with none of its code.

Python's standard library only: curve arithmetic, transaction encoding, BIP341 sighash, BIP340
verification, child keys and addresses are all written out here from the BIPs. Slow and
variable-time on purpose: nothing secret is ever given to it.

  bip341_verify.py --request FILE --response FILE [--public-key HEX]
      every input that the signer changed carries a valid key-path signature for the output it
      spends, and nothing else in the transaction moved. With --public-key the output keys
      are derived too. Exit 0: so it is. Exit 1: no, and the reason on standard error.
  bip341_verify.py --address --public-key HEX --script HEX [--script HEX ...] [--backup-root HEX] [--network N]
      where to pay so that one of the scripts (a balanced tree over them) can spend.
  bip341_verify.py --selftest       the cases of bip341_cases.py, beside this file
  bip341_verify.py --vectors [DIR]  BIP340's and BIP341's published vectors; exit 77 if they are absent
"""
import argparse
import hashlib
import hmac
import json
import os
import sys

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


class Wrong(Exception):
    """The thing under test is not as it should be."""


# ---- the curve ----

def point_add(a, b):
    if a is None:
        return b
    if b is None:
        return a
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def point_mul(k, a):
    total = None
    while k:
        if k & 1:
            total = point_add(total, a)
        a = point_add(a, a)
        k >>= 1
    return total


def lift_x(x):
    if x >= P:
        raise Wrong("an x that is not in the field")
    square = (pow(x, 3, P) + 7) % P
    y = pow(square, (P + 1) // 4, P)
    if y * y % P != square:
        raise Wrong("an x that is on no point")
    return x, y if y % 2 == 0 else P - y


def point_of(key):
    if len(key) != 33 or key[0] not in (2, 3):
        raise Wrong("not a compressed public key")
    x, y = lift_x(int.from_bytes(key[1:], "big"))
    return x, y if y % 2 == key[0] - 2 else P - y


def compressed(a):
    return bytes([2 + a[1] % 2]) + a[0].to_bytes(32, "big")


# ---- hashes ----

def sha256(b):
    return hashlib.sha256(b).digest()


def tagged(tag, b):
    t = sha256(tag.encode())
    return sha256(t + t + b)


def schnorr_verify(key, msg, sig):
    """BIP340, for a message of any length."""
    if len(key) != 32 or len(sig) != 64:
        return False
    try:
        a = lift_x(int.from_bytes(key, "big"))
    except Wrong:
        return False
    r, s = int.from_bytes(sig[:32], "big"), int.from_bytes(sig[32:], "big")
    if r >= P or s >= N:
        return False
    e = int.from_bytes(tagged("BIP0340/challenge", sig[:32] + key + msg), "big") % N
    got = point_add(point_mul(s, G), point_mul(N - e if e else 0, a))
    return got is not None and got[1] % 2 == 0 and got[0] == r


# ---- bytes of transactions ----

def compact(n):
    if n < 0xFD:
        return bytes([n])
    for mark, size in ((0xFD, 2), (0xFE, 4), (0xFF, 8)):
        if n < 1 << 8 * size:
            return bytes([mark]) + n.to_bytes(size, "little")
    raise Wrong("a number too large for CompactSize")


def with_size(b):
    return compact(len(b)) + b


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if self.at + n > len(self.data):
            raise Wrong("a transaction that is cut short")
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, n):
        return int.from_bytes(self.take(n), "little")

    def compact(self):
        first = self.number(1)
        return first if first < 0xFD else self.number({0xFD: 2, 0xFE: 4, 0xFF: 8}[first])

    def string(self):
        return self.take(self.compact())


def tx_from_hex(text):
    r = Reader(bytes.fromhex(text))
    tx = {"version": int.from_bytes(r.take(4), "little", signed=True), "in": [], "out": []}
    segwit = r.data[4:6] == b"\x00\x01"
    if segwit:
        r.take(2)
    for _ in range(r.compact()):
        tx["in"].append({"txid": r.take(32), "vout": r.number(4), "script_sig": r.string(),
                         "sequence": r.number(4), "witness": []})
    for _ in range(r.compact()):
        tx["out"].append({"value": r.number(8), "script": r.string()})
    if segwit:
        for i in tx["in"]:
            i["witness"] = [r.string() for _ in range(r.compact())]
    tx["locktime"] = r.number(4)
    if r.at != len(r.data):
        raise Wrong("bytes after the transaction")
    return tx


def tx_from_json(obj):
    """The API's object, or a transaction in hex."""
    if isinstance(obj, str):
        return tx_from_hex(obj)
    ins = []
    for i in obj["input"]:
        txid, vout = i["previous_output"].split(":")
        ins.append({"txid": bytes.fromhex(txid)[::-1], "vout": int(vout), "sequence": i["sequence"],
                    "script_sig": bytes.fromhex(i["script_sig"]),
                    "witness": [bytes.fromhex(w) for w in i["witness"]]})
    return {"version": obj["version"], "locktime": obj["lock_time"], "in": ins, "out": outs_from_json(obj["output"])}


def outs_from_json(outs):
    return [{"value": o["value"], "script": bytes.fromhex(o["script_pubkey"])} for o in outs]


def out_bytes(o):
    return o["value"].to_bytes(8, "little") + with_size(o["script"])


def tx_bytes(tx, witness=True):
    witness = witness and any(i["witness"] for i in tx["in"])
    b = tx["version"].to_bytes(4, "little", signed=True) + (b"\x00\x01" if witness else b"")
    b += compact(len(tx["in"]))
    for i in tx["in"]:
        b += i["txid"] + i["vout"].to_bytes(4, "little") + with_size(i["script_sig"]) + i["sequence"].to_bytes(4, "little")
    b += compact(len(tx["out"])) + b"".join(out_bytes(o) for o in tx["out"])
    if witness:
        for i in tx["in"]:
            b += compact(len(i["witness"])) + b"".join(with_size(w) for w in i["witness"])
    return b + tx["locktime"].to_bytes(4, "little")


def tx_weight(tx):
    return 3 * len(tx_bytes(tx, False)) + len(tx_bytes(tx))


# ---- BIP341 ----

def sigmsg(tx, spent, index, hash_type=0, annex=None):
    """The key path's message, with its epoch."""
    if hash_type not in (0, 1, 2, 3, 0x81, 0x82, 0x83):
        raise Wrong("an unknown hash type")
    if len(spent) != len(tx["in"]):
        raise Wrong("not as many spent outputs as inputs")
    anyone, kind = hash_type & 0x80, hash_type & 3
    this = tx["in"][index]
    outpoint = lambda i: i["txid"] + i["vout"].to_bytes(4, "little")
    b = bytes([0, hash_type]) + tx["version"].to_bytes(4, "little", signed=True) + tx["locktime"].to_bytes(4, "little")
    if not anyone:
        b += sha256(b"".join(outpoint(i) for i in tx["in"]))
        b += sha256(b"".join(o["value"].to_bytes(8, "little") for o in spent))
        b += sha256(b"".join(with_size(o["script"]) for o in spent))
        b += sha256(b"".join(i["sequence"].to_bytes(4, "little") for i in tx["in"]))
    if kind < 2:
        b += sha256(b"".join(out_bytes(o) for o in tx["out"]))
    b += bytes([0 if annex is None else 1])
    if anyone:
        b += outpoint(this) + out_bytes(spent[index]) + this["sequence"].to_bytes(4, "little")
    else:
        b += index.to_bytes(4, "little")
    if annex is not None:
        b += sha256(with_size(annex))
    if kind == 3:
        if index >= len(tx["out"]):
            raise Wrong("SINGLE without an output")
        b += sha256(out_bytes(tx["out"][index]))
    return b


def sighash(tx, spent, index, hash_type=0, annex=None):
    return tagged("TapSighash", sigmsg(tx, spent, index, hash_type, annex))


def leaf_hash(script, version=0xC0):
    return tagged("TapLeaf", bytes([version]) + with_size(script))


def branch_hash(a, b):
    return tagged("TapBranch", min(a, b) + max(a, b))


def tree_root(hashes):
    while len(hashes) > 1:
        pairs = [hashes[i:i + 2] for i in range(0, len(hashes), 2)]
        hashes = [branch_hash(*p) if len(p) == 2 else p[0] for p in pairs]
    return hashes[0]


def output_key(internal_x, root=None):
    t = int.from_bytes(tagged("TapTweak", internal_x + (root or b"")), "big")
    if t >= N:
        raise Wrong("a tweak above the order")
    q = point_add(lift_x(int.from_bytes(internal_x, "big")), point_mul(t, G))
    if q is None:
        raise Wrong("an output key at infinity")
    return q[0].to_bytes(32, "big")


def taproot_key(script):
    return script[2:] if len(script) == 34 and script[:2] == b"\x51\x20" else None


# ---- the rule: child keys and addresses ----

def child_key(master, root):
    t = int.from_bytes(hmac.new(master, root, hashlib.sha512).digest()[:32], "big") % N
    q = point_add(point_of(master), point_mul(t, G))
    if q is None:
        raise Wrong("a child key at infinity")
    return compressed(q)


def emulated_key(master, root, backup=None):
    return output_key(child_key(master, root)[1:], backup)


def child_key_bound(master, rules_id, emulated):
    """holdfast-1: of the rule set's id and the emulated output key."""
    t = int.from_bytes(tagged("holdfast/child", master + rules_id + emulated), "big") % N
    q = point_add(point_of(master), point_mul(t, G))
    if q is None:
        raise Wrong("a child key at infinity")
    return compressed(q)


CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
HRP = {"mainnet": "bc", "testnet": "tb", "signet": "tb", "regtest": "bcrt"}


def p2tr_address(key, network="mainnet"):
    """BIP350: the checksum is the remainder of a polynomial over GF(32)."""
    number, hrp = int.from_bytes(key, "big") << 4, HRP[network]      # 256 bits and 4 of padding: 52 groups
    groups = [1] + [number >> 5 * (51 - i) & 31 for i in range(52)]
    state = 1
    for g in [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp] + groups + [0] * 6:
        top, state = state >> 25, (state & 0x1FFFFFF) << 5 ^ g
        for i, gen in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            state ^= gen if top >> i & 1 else 0
    state ^= 0x2BC830A3
    return hrp + "1" + "".join(CHARSET[g] for g in groups + [state >> 5 * (5 - i) & 31 for i in range(6)])


def emulated_root(witness):
    """The root that a script-path witness commits to, and its internal key; None when it is none."""
    if len(witness) >= 2 and witness[-1][:1] == b"\x50":
        witness = witness[:-1]
    if len(witness) < 2:
        return None
    script, control = witness[-2], witness[-1]
    if len(control) < 33 or (len(control) - 33) % 32 or len(control) > 33 + 32 * 128:
        return None
    node = leaf_hash(script, control[0] & 0xFE)
    for at in range(33, len(control), 32):
        node = branch_hash(node, control[at:at + 32])
    return node, control[1:33]


# ---- an answer against its request ----

def check_same(before, after):
    if (before["version"], before["locktime"], before["out"]) != (after["version"], after["locktime"], after["out"]):
        raise Wrong("version, lock time or outputs were changed")
    if len(before["in"]) != len(after["in"]):
        raise Wrong("the number of inputs was changed")
    for n, (a, b) in enumerate(zip(before["in"], after["in"])):
        if any(a[k] != b[k] for k in ("txid", "vout", "sequence", "script_sig")):
            raise Wrong(f"input {n} was changed beyond its witness")


def check_input(tx, spent, n):
    witness = tx["in"][n]["witness"]
    key = taproot_key(spent[n]["script"])
    if key is None:
        raise Wrong(f"input {n} was signed, but spends no taproot output")
    annex = witness[1] if len(witness) == 2 and witness[1][:2] == b"\x50\x00" else None
    if len(witness) != (1 if annex is None else 2) or len(witness[0]) != 64:
        raise Wrong(f"input {n}: not a 64-byte key-path signature, with at most a data annex")
    if not schnorr_verify(key, sighash(tx, spent, n, 0, annex), witness[0]):
        raise Wrong(f"input {n}: the signature does not verify")


def check_derived(master, before, spent, backups, n, rules_id):
    found = emulated_root(before["in"][n]["witness"])
    if found is None:
        raise Wrong(f"input {n} was signed, but its emulated witness is no script path")
    root, internal = found
    if rules_id is None:
        key = emulated_key(master, root, backups.get(n))
    else:
        key = output_key(child_key_bound(master, rules_id, output_key(internal, root))[1:], backups.get(n))
    if key != taproot_key(spent[n]["script"]):
        raise Wrong(f"input {n}: the spent output is not derived from this master key")


def verify_answer(request, response, master=None, rules_id=None):
    """Returns the indexes that carry a signature. With rules_id, children are holdfast-1's. Raises Wrong."""
    before = tx_from_json(request["emulated_tx_to"])
    after = tx_from_json(response["signed_tx"] if "signed_tx" in response else response["signed_transaction"])
    spent = outs_from_json(request["actual_spent_outputs"])
    backups = {int(k): bytes.fromhex(v) for k, v in (request.get("backup_merkle_roots") or {}).items()}
    check_same(before, after)
    signed = [n for n, (a, b) in enumerate(zip(before["in"], after["in"])) if a["witness"] != b["witness"]]
    for n in signed:
        check_input(after, spent, n)
        if master:
            check_derived(master, before, spent, backups, n, rules_id)
    return signed


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--request", "--response", "--public-key", "--backup-root"):
        a.add_argument(name)
    a.add_argument("--vectors", metavar="DIR", nargs="?", help="default: $HOLDFAST_VECTORS, $HOLDFAST_VECTORS_DIR",
                   const=os.environ.get("HOLDFAST_VECTORS") or os.environ.get("HOLDFAST_VECTORS_DIR") or "")
    a.add_argument("--script", action="append", default=[])
    a.add_argument("--network", choices=sorted(HRP), default="mainnet")
    for name in ("--address", "--selftest"):
        a.add_argument(name, action="store_true")
    args = a.parse_args()
    master = bytes.fromhex(args.public_key) if args.public_key else None
    if args.selftest or args.vectors is not None:
        sys.dont_write_bytecode = True
        import bip341_cases
        bip341_cases.main(args.vectors)
    elif args.address:
        if not master or not args.script:
            a.error("--address needs --public-key and --script")
        root = tree_root([leaf_hash(bytes.fromhex(s)) for s in args.script])
        key = emulated_key(master, root, bytes.fromhex(args.backup_root) if args.backup_root else None)
        print(json.dumps({"merkle_root": root.hex(), "script_pubkey": "5120" + key.hex(),
                          "address": p2tr_address(key, args.network)}))
    elif args.request and args.response:
        signed = verify_answer(load(args.request), load(args.response), master)
        if not signed:
            raise Wrong("no input was signed")
        print("valid: inputs " + ", ".join(map(str, signed)))
    else:
        a.error("nothing to do")


if __name__ == "__main__":
    try:
        main()
    except (Wrong, KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as why:
        print(f"wrong: {type(why).__name__}: {why}", file=sys.stderr)
        sys.exit(1)
