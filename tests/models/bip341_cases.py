"""What bip341_verify.py must get right: the published cases, and answers that are wrong.

Run it through bip341_verify.py --selftest or --vectors.
"""
import csv
import json
import os
import sys

from bip341_verify import (Wrong, child_key, emulated_key, leaf_hash, output_key, outs_from_json, p2tr_address,
                           schnorr_verify, sighash, sigmsg, taproot_key, tx_bytes, tx_from_hex, tx_from_json,
                           tx_weight, verify_answer)

MASTER = bytes.fromhex("031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f")
A_SPK = "5120fa33dccbd0877cc7e33d4655b5dbe28cf4ad81d1f110e4492c7634ff430ce21f"
A_SIG = ("c454b67127d37dc6acd4ddb88fdd2d2ad9a66e3a1f404d081bd159e5c2e0086b"
         "86ac7d86bfc1fb1091a68e9a701d4677dd4bae152fd4cac979c2c3b8a1bc92aa")
A_CONTROL = "c1" + MASTER.hex()[2:]
B_SISTER = "e7e4d593fcb72926eedbe0d1e311f41acd6f6ef161dcba081a75168ec4dcd379"
NULL = "00" * 32 + ":4294967295"


def sample(witness, spk=A_SPK, backups=None, more=None):
    tx = {"version": 2, "lock_time": 0, "output": [{"value": 100000, "script_pubkey": "6a00"}],
          "input": [{"previous_output": NULL, "script_sig": "", "sequence": 4294967293, "witness": witness}]}
    req = {"emulated_tx_to": tx, "backup_merkle_roots": backups or {},
           "actual_spent_outputs": [{"value": 100000, "script_pubkey": spk}]}
    if more:
        more(req)
    return req


def answer(request, index, witness):
    tx = json.loads(json.dumps(request["emulated_tx_to"]))
    tx["input"][index]["witness"] = witness
    return {"signed_tx": tx}


def two_inputs(req):
    emulated = req["emulated_tx_to"]["input"][0]
    req["emulated_tx_to"]["input"] = [dict(emulated, witness=[]), dict(emulated, previous_output="00" * 32 + ":1")]
    req["actual_spent_outputs"].insert(0, {"value": 200000, "script_pubkey": A_SPK})


def expect(what, got, want):
    if got != want:
        raise Wrong(f"{what}: {got!r}, not {want!r}")


def selftest():
    root = leaf_hash(b"\x51")
    expect("root", root.hex(), "a85b2107f791b26a84e7586c28cec7cb61202ed3d01944d832500f363782d675")
    expect("child", child_key(MASTER, root).hex(), "03e31117595ebda1c9a8eb049ac7978c68271bcdeba0b5eb7e826651c55e0485d1")
    expect("key", "5120" + emulated_key(MASTER, root).hex(), A_SPK)
    expect("address", p2tr_address(emulated_key(MASTER, root)),
           "bc1plgeaej7ssa7v0ceage2mtklz3n62mqw37ygwgjfvwc607scvug0ssqr088")
    expect("child of 2a", child_key(MASTER, b"\x2a" * 32).hex(),
           "02e162c891867c61228a492b882ee685fb8393e35d22a3f2e9b4b950ead6bad940")
    req = sample(["51", A_CONTROL])
    good = answer(req, 0, [A_SIG])
    tx, spent = tx_from_json(req["emulated_tx_to"]), outs_from_json(req["actual_spent_outputs"])
    expect("sighash", sighash(tx, spent, 0).hex(), "1a95636220543691de7acc7ab215268ba06d3f7a0de3a0bdc2e1bd06bf4019ae")
    expect("weights", (tx_weight(tx), tx_weight(tx_from_json(good["signed_tx"]))), (287, 316))
    expect("hex", tx_bytes(tx_from_json(good["signed_tx"])).hex(),
           "02000000000101" + "00" * 32 + "ffffffff00fdffffff01a086010000000000026a000140" + A_SIG + "00000000")
    expect("hex and back", tx_from_hex(tx_bytes(tx).hex()), tx)
    expect("A", verify_answer(req, good, MASTER), [0])
    expect("A in hex", verify_answer(req, {"signed_transaction": tx_bytes(tx_from_json(good["signed_tx"])).hex()}), [0])
    selftest_others()
    selftest_wrong(req, good)


def selftest_others():
    for name, req, index, witness in (
        ("B", sample(["51", A_CONTROL + B_SISTER], "51202601acfcf199e578b964f86e703d07f875f03db8bc0604b8052b175db7272794"), 0,
         ["b5468b78a6425162c9ad2bb3e833bcdf59939a693d1b561a6bd2e09e85e5cea0"
          "c7614f2ffb2e5805d3a287c51ea851901b87ea8de63f2c6f8eac9da0c508aefe"]),
        ("C", sample(["51", A_CONTROL], "5120fa7f66478e75f66dbd8d7a74aea635c6a3ebf3f312391cbc13fa274429c8b51b",
                     {"0": leaf_hash(b"\x51").hex()}), 0,
         ["f9182a686f7c330f2af67151d16547523d2782cae176f9ffdaa3095807df6706"
          "198738ccd77e41c4f45a8cdf42344e5ade13c6f3f1c4c9153ad37d30ea479952"]),
        ("D", sample(["51", A_CONTROL, "5000010203"]), 0,
         ["39eecb3557bda6f0127b45a18466a71b073eedc0ae45fc9a219ad4a41dd52bfc"
          "52aecf186971cb878a439b2227ccf6964d570e74198d85507b952fbe876d3ca8", "5000010203"]),
        ("E", sample(["51", A_CONTROL, "50010203"]), 0, [A_SIG]),
        ("F", sample(["51", A_CONTROL], more=two_inputs), 1,
         ["044b7672fa892157cfa95dfefe3a1dffa3fa7ab2cd2eb35cd06f02b4b0ab7ea5"
          "7d42527fc9806c41a5bdb03f4c27a31e0bd785da87def05a4b0fe4e4f827c158"]),
    ):
        expect(name, verify_answer(req, answer(req, index, witness), MASTER), [index])


def selftest_wrong(req, good):
    """What must be found wrong."""
    def spoiled(path, value):
        copy = json.loads(json.dumps(good))
        at = copy["signed_tx"]
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value
        return copy

    flipped = A_SIG[:-2] + "ab"
    cases = [
        spoiled(["input", 0, "witness"], [flipped]), spoiled(["input", 0, "witness"], [A_SIG + "00"]),
        spoiled(["input", 0, "witness"], []), spoiled(["input", 0, "witness"], [A_SIG, "50010203"]),
        spoiled(["input", 0, "witness"], [A_SIG, "5000"]), spoiled(["output", 0, "value"], 99999),
        spoiled(["lock_time"], 1), spoiled(["version"], 1), spoiled(["input", 0, "sequence"], 0),
        spoiled(["input", 0, "script_sig"], "51"), spoiled(["input"], []),
    ]
    for n, case in enumerate(cases):
        try:
            verify_answer(req, case, MASTER)
        except Wrong:
            continue
        raise Wrong(f"wrong answer {n} was taken")
    try:
        verify_answer(req, good, bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"))
    except Wrong:
        return
    raise Wrong("another master key was taken")


def vectors(folder):
    """BIP340's CSV and BIP341's key-path examples."""
    csv_path = os.path.join(folder, "bitcoin/bips/bip-0340/test-vectors.csv")
    json_path = os.path.join(folder, "bitcoin/bips/bip-0341/wallet-test-vectors.json")
    for path in (csv_path, json_path):
        if not os.path.exists(path):
            print(f"skipped: no {path}")
            sys.exit(77)
    count = 0
    with open(csv_path, newline="", encoding="ascii", errors="replace") as f:
        for row in csv.DictReader(f):
            got = schnorr_verify(bytes.fromhex(row["public key"]), bytes.fromhex(row["message"]),
                                 bytes.fromhex(row["signature"]))
            expect("BIP340 " + row["index"], got, row["verification result"] == "TRUE")
            count += 1
    with open(json_path, encoding="ascii") as f:
        data = json.load(f)
    for case in data["scriptPubKey"]:
        root = case["intermediary"]["merkleRoot"]
        key = output_key(bytes.fromhex(case["given"]["internalPubkey"]), bytes.fromhex(root or ""))
        expect("BIP341 output key", key.hex(), case["intermediary"]["tweakedPubkey"])
        expect("BIP350 address", p2tr_address(key), case["expected"]["bip350Address"])
        count += 2
    return count + vectors_key_path(data["keyPathSpending"])


def vectors_key_path(cases):
    count = 0
    for case in cases:
        tx = tx_from_hex(case["given"]["rawUnsignedTx"])
        spent = [{"value": o["amountSats"], "script": bytes.fromhex(o["scriptPubKey"])}
                 for o in case["given"]["utxosSpent"]]
        for i in case["inputSpending"]:
            index, kind = i["given"]["txinIndex"], i["given"]["hashType"]
            expect("BIP341 message", sigmsg(tx, spent, index, kind).hex(), i["intermediary"]["sigMsg"])
            expect("BIP341 sighash", sighash(tx, spent, index, kind).hex(), i["intermediary"]["sigHash"])
            sig = bytes.fromhex(i["expected"]["witness"][0])
            expect("BIP341 signature",
                   schnorr_verify(taproot_key(spent[index]["script"]), sighash(tx, spent, index, kind), sig[:64]), True)
            count += 3
    return count


def main(folder=None):
    """The vectors in a folder, or the cases here. Ends the process when something is wrong."""
    try:
        if folder is None:
            selftest()
            print("selftest passed")
        else:
            print(f"{vectors(folder)} vectors passed")
    except Wrong as why:
        sys.exit(f"wrong: {why}")
