#!/usr/bin/env python3
"""Two implementations, one answer: random requests signed in C, judged by the model in Python.

usage: prop_signer_model.py PROGRAM [SEED [COUNT]]
Each answer must verify; the inputs signed must be those with an emulated witness; and the same
answer with one bit of a signature, an amount or a backup root changed must not.
"""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "models"))
import bip341_verify as model
import rules


def verdict(request, response, master, rules_id):
    try:
        return model.verify_answer(request, response, master, rules_id)
    except model.Wrong:
        return None


def spoiled(request, response, signed):
    """The case again, each time with one thing wrong."""
    tx = model.tx_from_hex(response["signed_transaction"])
    sig = bytearray(tx["in"][signed[-1]]["witness"][0])
    sig[len(signed) * 7 % 64] ^= 1
    tx["in"][signed[-1]]["witness"][0] = bytes(sig)
    yield request, {"signed_transaction": model.tx_bytes(tx).hex()}
    copy = json.loads(json.dumps(request))
    copy["actual_spent_outputs"][0]["value"] ^= 1
    yield copy, response
    copy = json.loads(json.dumps(request))
    copy["backup_merkle_roots"][str(signed[0])] = "5a" * 32
    yield copy, response


def main(program, seed=None, count="25"):
    seed = seed or str(int.from_bytes(os.urandom(4), "big"))
    done = subprocess.run([program, seed, count], stdout=subprocess.PIPE, check=True, text=True)
    total = bound = 0
    for n, line in enumerate(done.stdout.splitlines()):
        case = json.loads(line)
        request, response, master = case["request"], case["response"], bytes.fromhex(case["public_key"])
        asked = case.get("rules")
        rules_id = rules.rules_id(rules.encode(asked[0], asked[2:], asked[1])) if asked else None
        bound += asked is not None
        signed = model.verify_answer(request, response, master, rules_id)
        before = model.tx_from_hex(request["emulated_tx_to"])
        if len(signed) != case["emulated"] or signed != [i for i, t in enumerate(before["in"]) if t["witness"]]:
            sys.exit(f"seed {seed}, case {n}: signed {signed}")
        total += len(signed)
        for m, (req, res) in enumerate(spoiled(request, response, signed) if signed else ()):
            if verdict(req, res, master, rules_id) is not None:
                sys.exit(f"seed {seed}, case {n}: spoiled in way {m}, and still taken")
        if signed and asked and verdict(request, response, master, rules.rules_id(rules.encode(asked[0], asked[2:], asked[1] + 1))) is not None:
            sys.exit(f"seed {seed}, case {n}: another rule set leads to the same output")
        if signed and asked and verdict(request, response, master, None) is not None:
            sys.exit(f"seed {seed}, case {n}: the earlier rule leads to the same output")
    if bound == 0:
        sys.exit(f"seed {seed}: no child was named by its output")
    if total == 0:
        sys.exit(f"seed {seed}: nothing was signed")
    print(f"seed {seed}: {count} requests, {total} signatures")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except model.Wrong as why:
        sys.exit(f"the model refuses: {why}")
