#!/usr/bin/env python3
"""A parent that alters, hides or mixes up what it stores: the enclave does not start from it,
says what is wrong, makes nothing new, and starts again from the good copy. The kinds are tests/broken's."""
import base64
import json
import os
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models"), os.path.join(HERE, "..")]
import bip341_verify as model
import policy_rig
import rig as r
from broken.kinds import HELD, KINDS, WAITS
from broken.store import Store as Folder

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))


class Store(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = r.Rig(BUILD, options={"judges": "1", "size": "16M", "interval": "0s", "policy": "open"})
        try:
            cls.rig.simulator()
            cls.rig.start_parent()
            cls.id = {"good": cls.begin("good")}
            cls.rig.parent.stop()
            shutil.rmtree(cls.rig.store())
            cls.rig.start_parent()
            cls.id["service"] = cls.begin("service")
        except BaseException:
            cls.rig.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    @classmethod
    def begin(cls, keep_as):
        """Make a service with a policy and three generations, stop it, and keep its store aside; the first two of `good` as `older`."""
        rig = cls.rig
        rig.start_enclave()
        assert rig.setup()[0] == 200, rig.enclave.text()
        status = rig.status()
        cls.name_maintainers(status["service_id"])
        key = bytes.fromhex(status["public_key"])
        request = r.spend("5120" + model.emulated_key(key, model.leaf_hash(b"\x51")).hex())
        for i in range(2):
            assert rig.sign(request)[0] == 200
            assert rig.seal()[0] == 200
            if keep_as == "good" and i == 0:
                cls.request = request
                shutil.copytree(rig.store(), rig.path("older"))
        assert rig.enclave.stop() == 0
        shutil.copytree(rig.store(), rig.path(keep_as))
        return status["service_id"]

    @classmethod
    def name_maintainers(cls, service):
        """From here on the log's last generation is not the operator's to choose."""
        policy_rig.SERVICE = service
        who = policy_rig.Maintainers("setUp")
        who.setUp()
        try:
            sent = [who.path("policy.json"), *who.sign("policy", "policy.json", "a", "b")[1::2]]
            coded = []
            for path in sent:
                with open(path, "rb") as f:
                    coded.append(base64.b64encode(f.read()).decode())
            code, _, body = cls.rig.request("POST", "/documents", {"document": coded[0], "signatures": coded[1:]})
            assert (code, json.loads(body)["state"]) == (200, "in-force"), body
        finally:
            who.doCleanups()

    def use(self, name):
        """Put a store that was kept aside in the parent's place."""
        self.rig.parent.stop()
        shutil.rmtree(self.rig.store())
        shutil.copytree(self.rig.path(name), self.rig.store())
        self.rig.start_parent()

    def starts(self):
        self.rig.start_enclave()
        self.rig.wait_phase("serving")
        self.assertEqual(self.rig.sign(self.request)[0], 200)
        self.rig.kill_enclave()

    def held(self):
        self.rig.until(lambda: self.rig.get("/status")[0] == 200 and self.rig.status()["freshness"] == "rollback-detected", "the rollback to be told", self.rig.enclave)
        self.assertEqual(self.rig.sign(self.request)[0], 503)
        self.assertEqual(self.rig.enclave.stop(), 0)

    def broken(self, name):
        self.use("good")
        self.rig.options["id"] = self.id["good"] if name == "another-service-in-its-place" else ""
        k, store = KINDS[name], Folder(self.rig.store())
        before = store.everything()
        k.function(store, *([Folder(self.rig.path(k.other))] if k.other else []))
        left = store.everything()
        self.assertNotEqual(left, before, "nothing was broken")
        self.rig.start_enclave(wait=False)
        if k.end == HELD:
            self.held()
        else:
            self.assertEqual(self.rig.wait_end(20), k.end, self.rig.enclave.text())
        self.assertRegex(self.rig.enclave.text(), k.words)
        self.assertEqual(store.everything(), left, "a start that was refused wrote something")
        self.use("good")
        self.starts()

    def test_each_kind(self):
        """The one that needs a build which waits for a grant is test_handover's."""
        self.assertNotEqual(self.id["good"], self.id["service"], "two services have one id")
        for name in (n for n, k in KINDS.items() if k.end != WAITS):
            with self.subTest(kind=name):
                try:
                    self.broken(name)
                finally:
                    if self.rig.enclave.alive():
                        self.rig.kill_enclave()

    def test_by_hand(self):
        """The command makes what the generator makes, in place."""
        def make(*words):
            return subprocess.run([sys.executable, "-B", os.path.join(HERE, "..", "broken", "make.py"), *words], capture_output=True, text=True, timeout=60)

        copies = [Folder(shutil.copytree(self.rig.path("good"), self.rig.path("by-" + who))) for who in ("hand", "test")]
        done = make("log-of-another-service", copies[0].folder, self.rig.path("service"))
        self.assertEqual((done.returncode, KINDS["log-of-another-service"].words in done.stdout), (0, True), done.stderr)
        KINDS["log-of-another-service"].function(copies[1], Folder(self.rig.path("service")))
        self.assertEqual(copies[0].everything(), copies[1].everything())
        self.assertNotEqual(copies[0].everything(), Folder(self.rig.path("good")).everything())
        self.assertEqual(make("log-of-another-service", copies[0].folder).returncode, 64)
        self.assertEqual(make("pack-byte", self.rig.path("no-store")).returncode, 1)
        self.assertEqual(make("--list").stdout.count("\n"), len(KINDS))

    def test_an_older_genuine_head_is_not_noticed_and_that_is_said(self):
        """Without witnesses this is the promise that is not made."""
        rig = self.rig
        self.use("good")
        rig.start_enclave()
        with open(rig.store("head"), "rb") as f:
            old = f.read()
        self.assertEqual(rig.sign(self.request)[0], 200)
        self.assertEqual(rig.seal()[0], 200)
        rig.kill_enclave()
        with open(rig.store("head"), "wb") as f:
            f.write(old)
        rig.start_enclave()
        rig.wait_phase("serving")
        self.assertEqual(rig.status()["freshness"], "none")
        self.assertIn("freshness: none", rig.enclave.text())
        rig.kill_enclave()
        self.use("good")

    def test_two_enclaves_from_one_store(self):
        """The head moves under the first one's feet: it ends, and signs no more."""
        rig = self.rig
        self.use("good")
        rig.start_enclave()
        self.assertEqual(rig.sign(self.request)[0], 200)
        with open(rig.store("head"), "rb") as f:
            mine = f.read()
        self.assertEqual(rig.seal()[0], 200)
        with open(rig.store("head"), "wb") as f:       # what another one, or a rollback, would leave
            f.write(mine)
        self.assertEqual(rig.sign(self.request)[0], 200)
        try:
            rig.seal()
        except (OSError, r.http.client.HTTPException):
            pass
        self.assertGreaterEqual(rig.wait_end(30), 64)
        self.assertIn("not the one this enclave left", rig.enclave.text())
        self.use("good")
        self.starts()


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root (loop device, mounts)")
        sys.exit(77)
    unittest.main(verbosity=2)
