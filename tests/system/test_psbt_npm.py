#!/usr/bin/env python3
"""PSBTs of other libraries (psbt_npm/psbt.mjs) through a running enclave and back, and the cases that BIP174 and BIP371
publish, as the tests of the npm package `psbt` have them.

Skipped, and says why, where the packages cannot be had (npm.py)."""
import json
import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import bip341_verify as model
import npm
import rig as r
import test_psbt as forms


def ask_library(library, what, **more):
    out = subprocess.run(["node", "psbt.mjs"], cwd=CACHE, input=json.dumps({"library": library, "what": what, **more}), capture_output=True, text=True, timeout=60)
    if out.returncode:
        raise AssertionError(out.stderr[-3000:])
    return json.loads(out.stdout)["answer"]


class Libraries(forms.Enclave):
    """The same enclave and checks; only the PSBTs are others' work."""

    def library_tx(self, emulated):
        """The emulated inputs that are asked for, as the libraries want them."""
        self.case.tx["in"] = [self.case.tx["in"][n] for n in emulated]
        self.case.tx["out"][0]["value"] = 4000
        self.case.spent = [self.case.spent[n] for n in emulated]
        return {"version": 2, "locktime": 7, "outputs": [{"value": o["value"], "script": o["script"].hex()} for o in self.case.tx["out"]], "inputs": [
            {"txid": i["txid"][::-1].hex(), "vout": i["vout"], "sequence": i["sequence"], "witness": [w.hex() for w in i["witness"]], "value": o["value"],
             "script": o["script"].hex(), "root": forms.BACKUP.hex() if n == 1 else None} for n, i, o in zip(emulated, self.case.tx["in"], self.case.spent)]}

    def check_with(self, library, version, final):
        emulated = [0, 1, 2] if final else [0, 1]       # no field but the final witness can hold an annex
        self.case = forms.Case()
        psbt = ask_library(library, "make", tx=self.library_tx(emulated), version=version)
        answer = self.ask({"psbt": psbt, "finalize": final})
        self.verdicts(answer, range(len(emulated)))
        tx = model.tx_from_hex(ask_library(library, "extract", psbt=answer["psbt"], final=final))
        self.assertEqual(tx["locktime"], 7)
        self.check(tx, range(len(emulated)))

    def test_bitcoinjs(self):
        for final in (False, True):
            self.check_with("bitcoinjs", 0, final)

    def test_scure(self):
        for version in (0, 2):
            for final in (False, True):
                with self.subTest(version=version, final=final):
                    self.check_with("scure", version, final)




class Published(unittest.TestCase):
    """Cases of the BIPs. What this reader takes and refuses otherwise is told here, one by one."""
    NO_INPUTS = ("refused global map: a transaction without inputs", "refused global map: the unsigned transaction is not well formed")

    def cases(self, file):
        """[(psbt, is it refused there)]: an argument, and whether an error is expected for it."""
        with open(os.path.join(CACHE, "node_modules", "psbt", "test", "psbts", file)) as f:
            text = f.read()
        return [(m[1], bool(re.match(r"(?:(?!psbt:).)*?err:", text[m.end():m.end() + 600], re.S))) for m in re.finditer(r"psbt:\s*'([0-9a-f]+)'", text)]

    def run_all(self, psbts):
        out = subprocess.run([os.path.join(forms.BUILD, "tests", "psbt_run")], input="".join(p + "\n" for p in psbts), capture_output=True, text=True, timeout=60, check=True)
        return out.stdout.splitlines()

    def judged(self, file):
        cases = self.cases(file)
        return [(psbt, bad, words) for (psbt, bad), words in zip(cases, self.run_all([psbt for psbt, _ in cases]), strict=True)]

    def test_bip174(self):
        cases = self.judged("test_bip174_vectors.js")
        self.assertEqual(len(cases), 34)
        refused, taken, signer = cases[:20], cases[20:30], cases[30:]
        for _, bad, words in refused:
            self.assertTrue(bad and words.startswith("refused "), words)
        # Two have no inputs, which is nothing to sign; the zero that counts them also cannot be told from a marker.
        self.assertEqual([words for _, _, words in taken if words.startswith("refused")], list(self.NO_INPUTS))
        self.assertFalse(any(bad for _, bad, _ in taken))
        # A signer of scripts that this one does not sign must refuse these; they are well formed.
        for _, bad, words in signer:
            self.assertTrue(bad and words.startswith("0 "), words)

    def test_bip371(self):
        cases = self.judged("test_decode_taproot_psbt.js")
        self.assertEqual((len(cases), sum(bad for _, bad, _ in cases)), (19, 11))
        for psbt, bad, words in cases:
            self.assertEqual(words.startswith("refused "), bad, (psbt, words))
            if not bad:                                     # the transaction is the one in the PSBT, perhaps with a witness
                unsigned = model.tx_bytes({**(tx := model.tx_from_hex(words.split()[1])), "in": [{**i, "script_sig": b"", "witness": []} for i in tx["in"]]}, False)
                self.assertIn(unsigned.hex(), psbt)


if __name__ == "__main__":
    CACHE = npm.install("psbt_npm", forms.BUILD)
    unittest.main()
