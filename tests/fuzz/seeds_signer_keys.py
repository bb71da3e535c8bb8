"""Seeds for the emulation request: the published cases, and shapes near them."""
import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models"))
import bip341_cases as cases
import bip341_verify as model
import rules


def request(req, backups=(), asked=""):
    tx = model.tx_bytes(model.tx_from_json(req["emulated_tx_to"]))
    out = struct.pack("<I", len(tx)) + tx + struct.pack("<I", len(req["actual_spent_outputs"]))
    for o in req["actual_spent_outputs"]:
        script = bytes.fromhex(o["script_pubkey"])
        out += struct.pack("<QI", o["value"], len(script)) + script
    out += struct.pack("<I", len(backups))
    for index, root in backups:
        out += struct.pack("<I", index) + root
    return out + struct.pack("<I", len(asked)) + asked.encode()


def leaf_request(leaf, items=(), annex=None):
    """A leaf whose output on chain is the signer's."""
    root = model.leaf_hash(leaf)
    spk = "5120" + model.emulated_key(cases.MASTER, root).hex()
    internal = cases.MASTER[1:]
    t = int.from_bytes(model.tagged("TapTweak", internal + root), "big")
    q = model.point_add(model.lift_x(int.from_bytes(internal, "big")), model.point_mul(t, model.G))
    control = bytes([0xC0 + q[1] % 2]) + internal
    witness = [i.hex() for i in items] + [leaf.hex(), control.hex()] + ([annex.hex()] if annex else [])
    return request(cases.sample(witness, spk))


def bound_request(leaf, asked, items=()):
    """The same for a service whose children are of outputs: version 3 of a transaction asks for one (fuzz_emulate.c)."""
    internal, root = cases.MASTER[1:], model.leaf_hash(leaf)
    t = int.from_bytes(model.tagged("TapTweak", internal + root), "big")
    q = model.point_add(model.lift_x(int.from_bytes(internal, "big")), model.point_mul(t, model.G))
    sets = {"": "tapscript", "all": "all=" + "+".join(rules.BIPS)}
    rules_id = rules.rules_id(rules.of_text(sets.get(asked, asked)))
    key = model.output_key(model.child_key_bound(cases.MASTER, rules_id, q[0].to_bytes(32, "big"))[1:])
    witness = [i.hex() for i in items] + [leaf.hex(), (bytes([0xC0 + q[1] % 2]) + internal).hex()]
    req = cases.sample(witness, "5120" + key.hex())
    req["emulated_tx_to"]["version"] = 3
    return request(req, asked=asked)


def emulate():
    root = model.leaf_hash(b"\x51")
    yield request(cases.sample(["51", cases.A_CONTROL]))
    yield request(cases.sample(["51", cases.A_CONTROL + cases.B_SISTER],
                               "51202601acfcf199e578b964f86e703d07f875f03db8bc0604b8052b175db7272794"))
    yield request(cases.sample(["51", cases.A_CONTROL], "5120fa7f66478e75f66dbd8d7a74aea635c6a3ebf3f312391cbc13fa274429c8b51b"),
                  [(0, root)])
    yield request(cases.sample(["51", cases.A_CONTROL, "5000010203"]))
    yield request(cases.sample(["51", cases.A_CONTROL, "50"]))
    yield request(cases.sample(["51", cases.A_CONTROL], more=cases.two_inputs))
    yield request(cases.sample([]))
    yield request(cases.sample([cases.A_SIG]))
    for leaf, items in ((b"\x00", ()), (b"\x52\x93\x87", (b"\x05", b"\x03")), (b"\x51\x7e", ()),
                        (b"\x76\xa9\x75\x51", (b"abc",)), (bytes([32]) + cases.MASTER[1:] + b"\xac", (bytes(64),))):
        yield leaf_request(leaf, items)
    yield bound_request(b"\x51", "")
    yield bound_request(b"\x7e\x03abc\x87", "covenants", (b"a", b"bc"))
    yield bound_request(b"\xcb\x75\x51", "all")
    yield request(cases.sample(["51", cases.A_CONTROL]), asked="covenants")
    yield request(cases.sample(["51", cases.A_CONTROL]), asked="lnhance")


SEEDS = {"emulate": emulate}
