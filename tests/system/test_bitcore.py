#!/usr/bin/env python3
"""The engine against the tapscript interpreter of npm's bitcore-lib (JavaScript), on random spends of what is active on
mainnet, and on the script assets that come with that package.

    test_bitcore.py [SEED]        (1; another seed makes other spends)

It is a second opinion and no oracle: its faults that these spends met are listed in KNOWN, each with what it does
wrong. A difference counts as known only when one of them explains it and the model in Python sides with the engine."""
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import npm
import tapscript as model
import tapscript_mainnet as spends

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
SEED = int(sys.argv.pop(1)) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 1
SIGNED, PLAIN, WILD = 500, 2500, 4000
SECONDS = 120


def undecodable(script):
    return any(op is None for op, _ in model.decode(script))


# name, what is wrong there, and whether it explains that the interpreter refuses this case with this reason.
KNOWN = (
    ("signed version", "CHECKSEQUENCEVERIFY (BIP112) compares the transaction's version as unsigned; the package takes it as signed, so that negative ones lock",
     lambda c, why: why == "SCRIPT_ERR_UNSATISFIED_LOCKTIME" and c.tx["version"] < 0 and b"\xb2" in c.script),
    ("length of one byte", "the hash of the spent scripts (BIP341) has each behind its CompactSize; the package writes one byte, wrong from 253 on",
     lambda c, why: (why == "SCRIPT_ERR_SCHNORR_SIG" or "out of range" in why) and any(len(o["script"]) >= 253 for o in c.spent)),
    ("lost scripts", "a script that does not decode is nothing to the package, and hashing it throws; to BIP341 it is bytes",
     lambda c, why: "Cannot read properties of null (reading 'toBuffer')" in why and any(undecodable(o["script"]) for o in c.spent + c.tx["out"])),
)


class Bitcore(unittest.TestCase):
    def test_random_spends(self):
        cases = spends.cases(SIGNED, PLAIN, WILD, SEED)
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            json.dump([spends.entry(*c) for c in cases], f)
            f.flush()
            ours = subprocess.run([os.path.join(BUILD, "tests", "asset_run"), f.name], capture_output=True, text=True, check=True).stdout
            with open(f.name) as text:
                begin = time.monotonic()
                theirs = subprocess.run(["node", "judge.cjs"], cwd=CACHE, stdin=text, capture_output=True, text=True, timeout=SECONDS, check=True).stdout
        ours, theirs = ([line.split(" ", 3) for line in text.splitlines()] for text in (ours, theirs))
        self.assertEqual((len(ours), len(theirs)), (len(cases), len(cases)))
        allowed, met = {}, {name: 0 for name, _, _ in KNOWN}
        for (case, name), mine, other in zip(cases, ours, theirs):
            self.assertEqual(mine[:2], other[:2])
            good = mine[2] == "OK"
            key = (name.split("/")[0], good)
            allowed[key] = allowed.get(key, 0) + 1
            if other[2] != str(good).lower():
                met[self.explain(case, name, mine[2], other)] += 1
        print(f"seed {SEED}: {len(cases)} spends, {time.monotonic() - begin:.0f} s; allowed or not: {allowed}; known faults met: {met}")
        # Or the test says little: each kind has spends of both sorts.
        for kind, least in (("signed", 50), ("plain", 500), ("wild", 100)):
            self.assertGreater(allowed.get((kind, True), 0), least)
            self.assertGreater(allowed.get((kind, False), 0), least // 2)
        if SEED == 1:
            self.assertTrue(all(met.values()), "a fault that is listed and not met is no fault that is known")

    def explain(self, case, name, mine, other):
        """The known fault behind a difference; a failure when there is none."""
        about = f"seed {SEED}, {name}: {mine} here, {' '.join(other[2:])} there; script {case.script.hex()}"
        self.assertEqual((mine, other[2]), ("OK", "false"), about)
        witness = case.items + [case.script, case.control] + ([case.annex] if case.annex is not None else [])
        size = len(spends.curve.compact(len(witness))) + sum(len(spends.curve.with_size(w)) for w in witness)
        self.assertIsNone(model.run(case.spend(), case.items, size), about)
        for fault, _, explains in KNOWN:
            if explains(case, other[3]):
                return fault
        self.fail(about)

    def test_their_assets(self):
        """Bitcoin Core's file, which the package carries: every spend, under every set of flags."""
        path = os.path.join(CACHE, "node_modules", "bitcore-lib", "test", "data", "bitcoind", "script_assets_test.json")
        if not os.path.exists(path):
            self.skipTest("this package has no script_assets_test.json")
        out = subprocess.run([os.path.join(BUILD, "tests", "vector_run"), "assets", path], capture_output=True, text=True, timeout=SECONDS)
        self.assertEqual((out.returncode, out.stdout.splitlines()[-1]), (0, "3735 passed, 0 failed"))


if __name__ == "__main__":
    CACHE = npm.install("bitcore", BUILD)
    unittest.main()
