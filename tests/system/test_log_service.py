#!/usr/bin/env python3
"""holdfast log against a real service: what the enclave wrote keeps the rules that `log verify` knows, a rollback of the operator's
stands in it for ever, and a store without its log is told apart."""
import json
import os
import shutil
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import rig as r

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))


class Log(unittest.TestCase):
    def setUp(self):
        self.rig = r.Rig(BUILD)
        self.addCleanup(self.rig.close)
        self.rig.simulator()
        self.rig.start_parent()
        self.rig.start_enclave()
        self.assertEqual(self.rig.setup()[0], 200)
        self.seals(3)
        self.vkey = self.rig.status()["log"]["key"]

    def seals(self, n):
        self.rig.wait_phase("serving")
        for _ in range(n):
            self.assertEqual(self.rig.seal()[0], 200)

    def again(self, at=None):
        self.assertEqual(self.rig.enclave.stop(), 0)
        if at:
            self.rig.holdfast("restore", "--store", self.rig.store(), "--at", str(at))
        self.rig.start_enclave(wait=False)
        self.seals(1)

    def call(self, *words, code=0):
        out = subprocess.run([self.rig.program("holdfast"), *words, "--json"], capture_output=True, text=True, timeout=60)
        self.assertEqual(out.returncode, code, out.stdout + out.stderr)
        return json.loads(out.stdout)

    def verify(self, code=0):
        with open(self.rig.path("note"), "wb") as f:
            f.write(self.rig.get("/log/checkpoint")[2])
        return self.call("log", "verify", "--store", self.rig.store(), "--vkey", self.vkey, "--cosigned", self.rig.path("note"), code=code)

    def monitor(self, code=0):
        return self.call("log", "monitor", "--url", self.url(), "--state", self.rig.path("seen"), "--vkey", self.vkey, code=code)

    def url(self):
        return f"http://127.0.0.1:{self.rig.port}"

    def test_a_life_with_a_rollback(self):
        self.assertTrue(self.verify()["verified"])
        self.assertTrue(self.monitor()["first"])
        self.again()
        self.again(at=2)
        out = self.verify()
        texts = " ".join(n["text"] for n in out["notices"])
        self.assertRegex(texts, "ROLLED BACK from generation [0-9]+ to 2: nobody had to allow it")
        self.assertEqual(out["size"], self.rig.status()["log"]["size"])
        shown = self.call("log", "show", "--url", self.url(), "--from", "0", "--limit", "100")
        kinds = [e["kind"] for e in shown["entries"]]
        self.assertEqual((kinds[:2], kinds.count("boot"), kinds.count("rollback")), (["genesis", "boot"], 3, 1))
        self.assertEqual(shown["entries"], self.call("log", "show", "--store", self.rig.store(), "--from", "0")["entries"])
        # An outsider has the same from the service alone.
        with open(self.rig.path("entries.json"), "w") as f:
            json.dump(shown, f)
        self.assertEqual(self.call("log", "verify", self.rig.path("entries.json"), "--cosigned", self.rig.path("note"), "--vkey", self.vkey)["root"], out["root"])
        self.assertFalse(self.monitor()["alarm"])
        self.assertEqual(self.call("backup", "verify", "--store", self.rig.store())["log"], {"verdict": "whole", "segments": 1, "entries": out["size"]})

    def test_an_older_store_is_noticed_from_outside(self):
        shutil.copytree(self.rig.store(), self.rig.path("older"))
        self.seals(2)
        self.monitor()
        self.assertEqual(self.rig.enclave.stop(), 0)
        self.rig.parent.stop()
        shutil.rmtree(self.rig.store())
        shutil.copytree(self.rig.path("older"), self.rig.store())
        self.rig.start_parent()
        self.rig.start_enclave(wait=False)
        self.rig.wait_phase("serving")               # no witnesses are configured: nobody inside can know
        self.assertIn("ALARM", self.monitor(code=1)["error"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
