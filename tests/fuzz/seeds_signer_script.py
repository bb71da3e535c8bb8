"""Seeds for transactions, control blocks and scripts: by hand, and from the published vectors where they are."""
import hashlib
import json
import os
import struct
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "models"))
import bip341_verify as model
import psbt as partial

KEY = bytes.fromhex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")


def vectors(name):
    folder = os.environ.get("HOLDFAST_VECTORS") or os.environ.get("HOLDFAST_VECTORS_DIR") \
        or os.path.join(HERE, "..", "..", "..", "shared", "vectors")
    try:
        with open(os.path.join(folder, "bitcoin", name)) as f:
            return json.load(f)
    except OSError:
        return []


def compact(n):
    return bytes([n]) if n < 253 else b"\xfd" + struct.pack("<H", n)


def tx():
    one = b"\x02\0\0\0" + b"\x01" + bytes(32) + b"\1\0\0\0" + b"\x02\x51\x52" + b"\xff" * 4
    out = b"\x01" + struct.pack("<q", 1000) + b"\x01\x6a"
    yield one + out + bytes(4)
    yield b"\x02\0\0\0" + b"\0\1" + one[4:] + out + b"\x03\x00\x01\x51\x02\x50\x00" + bytes(4)
    for row in vectors("core/tx_valid.json")[:200:7]:
        if len(row) > 2:
            yield bytes.fromhex(row[1])


def control_block():
    for depth in (0, 1, 2, 128):
        script = b"\x51\x87"
        node = model.tagged("TapLeaf", b"\xc0" + compact(len(script)) + script)
        path = [hashlib.sha256(bytes([i])).digest() for i in range(depth)]
        for step in path:
            node = model.tagged("TapBranch", min(node, step) + max(node, step))
        t = int.from_bytes(model.tagged("TapTweak", KEY + node), "big")
        q = model.point_add(model.lift_x(int.from_bytes(KEY, "big")), model.point_mul(t, model.G))
        block = bytes([0xC0 + q[1] % 2]) + KEY + b"".join(path)
        yield q[0].to_bytes(32, "big") + struct.pack("<H", len(block)) + block + script
        yield bytes(32) + struct.pack("<H", len(block)) + block + script


def case(kind, items, script, flags=0x1FFFFF):
    return struct.pack("<Q", flags) + bytes([kind, len(items)]) + b"".join(bytes([len(i)]) + i for i in items) + script


def script():
    sig, one = bytes(64), b"\x01"
    for kind in range(4):
        yield case(kind, [], b"\x51")
        yield case(kind, [one, b"\x02"], bytes.fromhex("6e937b7b8b9c6b6c"))
        yield case(kind, [one], bytes.fromhex("63516752688263758251675168"))
        yield case(kind, [b"abc"], bytes.fromhex("76a676a776a876a976aa757575757551"))
        yield case(kind, [sig, KEY], b"\xab\xac")
        yield case(kind, [b"", sig, sig], b"\x52" + b"\x21\x02" + KEY + b"\x21\x03" + KEY + b"\x52\xae")
        yield case(kind, [b"\x64"], b"\xb1\xb2\x75\x51")
    rules = 0xFFFFFFFF001FFFFF
    yield case(3, [one, b"\x02"], bytes.fromhex("7e02010287"), rules)                   # CAT, 0102, EQUAL
    yield case(3, [], bytes.fromhex("5152cd7551"), rules)                               # 1 2 PAIRCOMMIT DROP 1
    yield case(3, [], bytes.fromhex("cb75ce7551"), rules)                               # INTERNALKEY DROP TEMPLATEHASH DROP 1
    yield case(3, [b""], b"\x51\x20" + KEY + b"\xcc\x91", rules)                        # 1 key CHECKSIGFROMSTACK NOT
    yield case(3, [b"", b""], b"\x20" + KEY + b"\xba\x91", rules)                       # key CHECKSIGADD NOT
    yield case(3, [b""], b"\x51\xac\x91", rules)                                        # 1 CHECKSIG NOT
    yield case(3, [sig], b"\x51\xb3", rules)                                            # 1 CHECKTEMPLATEVERIFY


def psbt():
    control, script = b"\xc0" + KEY, b"\x51\x20" + KEY
    tx = {"version": 2, "locktime": 9, "in": [{"txid": bytes(32), "vout": n, "sequence": 0xFFFFFFFD, "script_sig": b"", "witness": []} for n in range(2)],
          "out": [{"value": 1000, "script": b"\x6a"}]}
    spent = (partial.WITNESS_UTXO, partial.output(1000, script))
    for stack in ([b"\x51", control], [b"\x51", control, b"\x50\0"]):
        for key in (partial.FINAL_WITNESS, partial.OURS):
            inputs = [[spent, (key, partial.stack(stack)), (partial.TAP_MERKLE_ROOT, KEY)], [spent, (b"\xf0\x01", b"unknown")]]
            yield partial.version_0(model.tx_bytes(tx, False), inputs, [[]])
            yield partial.version_2(tx, inputs, [[(b"\x06", b"\x01\xc0\x01\x51\x01\xc0\x01\x52")]], [(b"\x06", b"\x03")])
    locked = [[spent, (b"\x11", struct.pack("<I", 500000000)), (b"\x12", b"\x0a\0\0\0")], [spent, (b"\x12", b"\x0b\0\0\0")]]
    yield partial.version_2(tx, locked, [[]])
    previous = model.tx_bytes({**tx, "in": tx["in"][:1]}, False)
    one = {**tx, "in": [{**tx["in"][0], "txid": hashlib.sha256(hashlib.sha256(previous).digest()).digest()}]}
    yield partial.version_2(one, [[(b"\0", previous), (b"\x03", bytes(4)), (b"\x16" + KEY, b"\x01" + bytes(36)), (b"\x15" + control, b"\x51\xc0")]], [[]])


SEEDS = {"tx": tx, "psbt": psbt, "control_block": control_block, "script": script}
