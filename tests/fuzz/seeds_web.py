"""Seeds for the JSON that clients send."""
import base64
import json
import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models"))
import psbt as partial

NULL = "00" * 32 + ":4294967295"
TAPROOT = "5120" + "fa" * 32


def _input(*witness, outpoint=NULL):
    return {"previous_output": outpoint, "script_sig": "", "sequence": 4294967293, "witness": list(witness)}


def _request(inputs, outputs, spent, roots):
    return json.dumps({
        "emulated_tx_to": {"version": 2, "lock_time": 0, "input": inputs, "output": outputs},
        "actual_spent_outputs": spent, "backup_merkle_roots": roots,
    }, separators=(",", ":")).encode()


def seeds():
    out = {"value": 100000, "script_pubkey": "6a00"}
    spent = {"value": 100000, "script_pubkey": TAPROOT}
    yield _request([_input("51", "c0" + "4d" * 32)], [out], [spent], {})
    yield _request([_input("51", "c0" + "4d" * 32, "5000010203"), _input(outpoint="ab" * 32 + ":0"), _input("", "")],
                   [out, {"value": 9223372036854775807, "script_pubkey": ""}], [spent, spent, out], {"2": "ab" * 32, "0": "CD" * 32, "77": "00" * 32})
    yield _request([_input()], [], [], {})
    yield json.dumps({"max_weight": None, "key_id": "arn:aws:kms:eu-west-1:111122223333:key/mrk-1", "blockhash": "0f" * 32}).encode()
    yield json.dumps({"max_weight": 4000000, "key_id": "k", "blockhash": "0F" * 32, "accept": ["policy-unreadable", "grants-exist"], "more": [{"a": [1.5e3, True, "\u00e9\n\\\""]}]}).encode()
    anchor = {"height": 7, "hash": "0f" * 32}
    for coded in ({"hex": "00" * 80, "anchor": anchor}, {"base64": "AAAA" * 20, "anchor": None}):
        yield json.dumps({"key_id": "k", "blockhash": "0F" * 32, "headers": {"network": "regtest", **coded}}).encode()
    yield json.dumps({"network": "regtest", "tree": "{51,{52ac,53}}", "backup_root": "ab" * 32}).encode()
    yield json.dumps({"network": "regtest", "tree": "51", "rules": "lnhance", "internal_key": "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"}).encode()
    yield json.dumps({"network": "signet", "root": "ab" * 32, "backup_csv": 144, "backup_key": "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"}).encode()
    tx = bytes.fromhex("0200000001" + "00" * 32 + "ffffffff00fdffffff01a0860100000000000" + "26a0000000000")
    output = "a086010000000000" + "22" + TAPROOT
    yield json.dumps({"emulated_tx_to": tx.hex(), "actual_spent_outputs": [output, spent], "backup_merkle_root": {"0": "ab" * 32}}).encode()
    yield json.dumps({"input_index": 0, "emulated_tx_to": tx.hex(), "actual_spent_outputs": [spent], "backup_merkle_root": "ab" * 32}).encode()
    utxo = [(partial.WITNESS_UTXO, bytes.fromhex(output)), (partial.TAP_MERKLE_ROOT, b"\xab" * 32), (partial.FINAL_WITNESS, b"\x01\x01\x51")]
    raw = base64.b64encode(partial.version_0(tx, [utxo], [[]])).decode()
    yield json.dumps({"psbt": raw, "finalize": True, "rules": "lnhance", "backup_merkle_roots": {"0": "ab" * 32, "1": "cd" * 32}}).encode()
    yield b"[" * 32 + b"]" * 32
    yield b'{"a":"\\u0000"}'
    yield b'{"a":1,"a":99999999999999999999}'


def traces():
    """As daemon/trace.h lays them out."""
    def stack(*items, below=0):
        return struct.pack("<IB", len(items) + below, len(items)) + b"".join(struct.pack("<HB", n, len(b)) + b for n, b in items)

    def step(number, index, op, error, *stacks):
        return struct.pack("<IIIBBH", number, index, index, op, 1, error) + b"".join(stacks)
    empty, full = stack(), stack(*[(520, bytes(80))] * 16, below=5)
    yield struct.pack("<BI", 0, 0)
    yield struct.pack("<BI", 0, 3) + step(0, 0, 0x76, 0, stack((2, b"ab")), empty) + step(0, 1, 0x69, 10, empty, stack((0, b""))) + step(3, 0, 2, 0, full, full)
    yield struct.pack("<BI", 1, 1) + step(7, 9, 0xff, 5, full, empty)


SEEDS = {"json": seeds, "trace": traces}
