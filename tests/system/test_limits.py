#!/usr/bin/env python3
"""Limits of a running service (docs/limits.md): what is refused and with which words, that the same request spends once,
that nothing leaves before the account is sealed, and that the account comes back from the sealed copy."""
import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import bip341_verify as model
import rig as r

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
KEY = bytes.fromhex(r.PUBLISHED)
LEAVES = {name: model.leaf_hash(bytes.fromhex(name)) for name in ("51", "52", "53")}
OUTPUT = {name: model.emulated_key(KEY, root).hex() for name, root in LEAVES.items()}


def spend(vout, value, leaf="51", pay="6a00"):
    body = r.spend("5120" + OUTPUT[leaf], script=leaf, vout=vout, value=value, parity=r.parity(model, LEAVES[leaf]))
    body["emulated_tx_to"]["output"][0]["script_pubkey"] = pay
    return body


class Limits(unittest.TestCase):
    def made(self, limits, **options):
        rig = r.Rig(BUILD, options={"judges": "2", "size": "16M", "interval": "0s", "limits": limits, **options})
        self.addCleanup(rig.close)
        rig.simulator()
        rig.start_parent()
        rig.start_enclave()
        self.assertEqual(rig.setup()[0], 200, rig.enclave.text())
        self.assertEqual(rig.status()["public_key"], r.PUBLISHED)
        return rig

    def signs(self, rig, request):
        code, _, body = rig.sign(request)
        self.assertEqual(code, 200, body)
        model.verify_answer(request, json.loads(body), KEY)

    def refused(self, rig, request, status, words, path="/sign"):
        code, _, body = rig.request("POST", path, request)
        self.assertEqual(code, status, body)
        self.assertIn(words, json.loads(body)["error"])

    def test_an_account_that_outlives_the_enclave(self):
        rig = self.made("window = 1h\nvalue = 10000\neach_count = 2")
        sealed = rig.status()["disk"]["generation"]
        self.signs(rig, spend(0, 6000))
        self.assertGreater(rig.status()["disk"]["generation"], sealed, "a signature left before its spend was sealed")
        self.refused(rig, spend(1, 4001), 429, "Unable to sign: Limit: 10000 satoshi in a window; 4000 are left")
        for _ in range(3):
            self.signs(rig, spend(0, 6000))                     # the same message: nothing is spent
        self.signs(rig, spend(1, 3000))
        self.refused(rig, spend(2, 1000), 429, "Limit: 2 signatures for this output script in a window; 0 are left")
        # another script has signatures left, but all of them together no more than 1000
        self.refused(rig, spend(2, 1001, "52"), 429, "10000 satoshi in a window; 1000 are left")
        # nothing was sealed since but by spends, and nothing was asked to be: what is lost now is what no signature left for
        rig.kill_enclave()
        rig.start_enclave()
        rig.wait_phase("serving")
        self.refused(rig, spend(2, 1001, "52"), 429, "10000 satoshi in a window; 1000 are left")
        self.signs(rig, spend(0, 6000))
        self.signs(rig, spend(2, 1000, "52"))
        self.refused(rig, spend(3, 1000, "52"), 429, "satoshi in a window; 0 are left")
        rows = json.loads(rig.holdfast("log", "requests", "--url", f"http://127.0.0.1:{rig.port}", "--json").stdout)["requests"]
        self.assertEqual([(e["status"], e["input"]) for e in rows[:2]], [(429, "0"), (200, "0")])

    def test_nothing_leaves_that_is_not_sealed(self):
        rig = self.made("window = 1h\ncount = 2")
        self.signs(rig, spend(0, 1500))
        rig.request("POST", "/verify", spend(1, 1500))           # a dry run spends nothing
        before = rig.status()["disk"]["generation"]
        os.killpg(rig.parent.proc.pid, 9)                       # there is no store to seal to; the enclave itself is still there
        rig.parent.proc.wait()
        con = r.Unix(rig.path("web.sock"), 40)
        con.request("POST", "/sign", json.dumps(spend(1, 1500)), {"Content-Type": "application/json"})
        answer = con.getresponse()
        words = answer.read().decode()
        con.close()
        self.assertEqual(answer.status, 503, words)
        self.assertIn("so nothing was signed", words)
        rig.start_parent()
        self.assertEqual(rig.status()["disk"]["generation"], before)
        self.signs(rig, spend(1, 1500))                          # the same request: it was spent for already
        self.refused(rig, spend(2, 1500), 429, "2 signatures in a window; 0 are left")

    def test_many_at_once_share_seals_and_keep_the_limit(self):
        import concurrent.futures
        rig = self.made("window = 1h\ncount = 20")
        first = rig.status()["disk"]["generation"]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            codes = list(pool.map(lambda n: rig.sign(spend(n, 1000))[0], range(30)))
        self.assertEqual((codes.count(200), codes.count(429)), (20, 10), codes)
        self.assertLessEqual(rig.status()["disk"]["generation"] - first, 20 + 1)

    def test_scripts_rules_and_destinations(self):
        pay = "0014" + "11" * 20
        rig = self.made(f"to1 = {pay}\nto2 = 6a00\nto = 1\nothers = no\nscript1 = {OUTPUT['51']}\nscript2 = {OUTPUT['52']} to=2 rules=cat",
                        rules="tapscript,cat")
        generation = rig.status()["disk"]["generation"]
        self.signs(rig, spend(0, 5000, "51", pay))
        self.signs(rig, spend(0, 5000, "51", "5120" + OUTPUT["51"]))
        for path in ("/sign", "/verify"):
            self.refused(rig, spend(0, 5000, "51", "6a00"), 403, "Limit: an output goes to a script that is not allowed", path)
            self.refused(rig, spend(0, 5000, "53", pay), 403, "Limit: this output is not one that the service signs for", path)
            self.refused(rig, spend(0, 5000, "52", "6a00"), 403, "Limit: this output is not signed for under this rule set", path)
            self.refused(rig, {**spend(0, 5000, "52", pay), "rules": "cat"}, 403, "Limit: an output goes to a script", path)
        self.signs(rig, {**spend(0, 5000, "52", "6a00"), "rules": "cat"})
        self.assertEqual(rig.status()["disk"]["generation"], generation, "nothing is counted, so nothing had to be sealed")

    def test_what_is_no_limit_is_no_configuration(self):
        for bad in ("value = 5", "window = 1h\nscript1 = 00", "to = 1", "others = perhaps", "window = 40000h"):
            rig = r.Rig(BUILD, options={"limits": bad})
            self.addCleanup(rig.close)
            rig.start_enclave(wait=False)
            self.assertNotEqual(rig.wait_end(20), 0)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root (loop device, mounts)")
        sys.exit(77)
    unittest.main(verbosity=2)
