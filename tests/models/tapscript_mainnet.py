#!/usr/bin/env python3
"""Random tapscript spends of what is active on mainnet, for interpreters that know no more than that.

usage: tapscript_mainnet.py SIGNED PLAIN WILD SEED > FILE     (script assets; all under "success", whatever comes of them)

Three kinds. Signed: grown on the model, with signatures, as tapscript_random.py does. Plain: grown on the model without
signatures, each value left on the stack compared with the model's. Wild: bytes that look like instructions, and any
others among them. The last two share outputs, a tree of them under each, since an output costs a point multiplication.
"""
import json
import os
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bip341_verify as curve
import tapscript as model
import tapscript_random as grown

FLAGS = "P2SH,DERSIG,NULLDUMMY,CHECKLOCKTIMEVERIFY,CHECKSEQUENCEVERIFY,WITNESS,TAPROOT"
TREE = 64
LIKELY = [op for op in grown.OPS if op not in model.DEFINED]


class Signed(grown.Case):
    ops, kinds, flags = LIKELY, ["plain", "plain", "plain", "none"], FLAGS

    def make_tx(self):
        super().make_tx()
        if self.r.random() < 0.35:                        # what others spend is hashed as well, and may be of any length
            other = self.r.randrange(len(self.spent))
            if other != self.index:
                self.spent[other]["script"] = self.r.randbytes(self.r.choice([0, 1, 75, 252, 253, 300, 600]))
        if self.r.random() < 0.1:                         # and need not decode
            self.r.choice(self.tx["out"])["script"] = self.r.choice([b"\x05\x01", b"\x51\x4c", b"\x4d\x01"])


class Plain(Signed):
    kinds = ["none"]

    def signed_check(self):
        return b""


class Wild(Signed):
    def grow(self):
        r = self.r
        self.items = [r.choice([b"", b"\x01", b"\x02", b"\x80", b"\x00", b"\xff\xff\xff\x7f", r.randbytes(r.randrange(70))]) for _ in range(r.randrange(6))]
        for _ in range(r.randrange(1, 12)):
            kind = r.random()
            self.script += bytes([r.choice(LIKELY)]) if kind < 0.6 else grown.push(self.data()) if kind < 0.94 else self.odd()
        self.script += r.choice([b"\x51", b"\x51", b"\x51", b"", b"", b"\x02\x07"])

    def odd(self):
        """Any byte; pushes in longer forms than needed; a cut or an over-long push."""
        r = self.r
        return r.choice([lambda: bytes([r.randrange(256)]), lambda: b"\x4c\x01\x07", lambda: b"\x4d\x02\x00ab", lambda: b"\x4e\x01\x00\x00\x00\x05",
                         lambda: b"\x4d\x09\x02" + bytes(521), lambda: b"\x4d\x08\x02" + bytes(520), lambda: b"\x05ab", lambda: b"\x6a",
                         lambda: bytes([r.choice([0x50, 0x65, 0x66, 0x7E, 0xAE, 0xAF, 0xBA, 0xBB, 0xFE, 0xFF])])])()


def path_to(hashes, index):
    """The siblings of a leaf of a whole tree, from below."""
    path = b""
    while len(hashes) > 1:
        path += hashes[index ^ 1]
        hashes = [curve.branch_hash(*hashes[i:i + 2]) for i in range(0, len(hashes), 2)]
        index //= 2
    return path


def forest(cases):
    """Give each run of TREE cases one output over all of their scripts."""
    for at in range(0, len(cases), TREE):
        some = cases[at:at + TREE]
        internal = some[0].internal
        leaves = [curve.leaf_hash(c.script) for c in some] + [bytes(32)] * (TREE - len(some))
        t = int.from_bytes(curve.tagged("TapTweak", internal.x + curve.tree_root(leaves)), "big")
        q = curve.point_add(curve.lift_x(int.from_bytes(internal.x, "big")), curve.point_mul(t, curve.G))
        for i, c in enumerate(some):
            c.spent[c.index]["script"] = b"\x51\x20" + q[0].to_bytes(32, "big")
            c.control = bytes([0xC0 + q[1] % 2]) + internal.x + path_to(leaves, i)


def entry(c, name):
    witness = c.items + [c.script, c.control] + ([c.annex] if c.annex is not None else [])
    return {"tx": curve.tx_bytes(c.tx, False).hex(), "index": c.index, "flags": FLAGS, "prevouts": [curve.out_bytes(o).hex() for o in c.spent],
            "comment": name, "success": {"scriptSig": "", "witness": [w.hex() for w in witness]}}


def cases(signed, plain, wild, seed):
    """Spends and their names."""
    r = random.Random(seed)
    keys = [grown.Key(r.getrandbits(255) + 1) for _ in range(4)]
    made = []
    for n in range(signed):
        c = Signed(r, keys)
        c.grow()
        c.commit()
        c.resolve()
        made.append((c, "signed/%d" % n))
    for kind, name, count in ((Plain, "plain", plain), (Wild, "wild", wild)):
        some = [kind(r, keys) for _ in range(count)]
        for c in some:
            c.grow()
        forest(some)
        made += [(c, "%s/%d" % (name, n)) for n, c in enumerate(some)]
    return made


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    json.dump([entry(*c) for c in cases(*map(int, sys.argv[1:]))], sys.stdout, indent=0)
