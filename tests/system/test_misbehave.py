#!/usr/bin/env python3
"""A KMS that misbehaves, each way once: setup fails with a reason or recovers, nothing is kept, nothing
leaks into a log, and the same process then sets up with a KMS that behaves. Needs root (the disk)."""
import base64
import json
import os
import re
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import rig as r

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
SHARED = "93c6170b8a3fa78d0fa90972bae7feed706f13bd3733c7457a6843ae368bcf20"      # of KMS_PRIVATE and BLOCKHASH, as published
FAILED = "KMS operation failed."
ATTEMPTS = 5


class Misbehaving(unittest.TestCase):
    def setUp(self):
        self.rig = r.Rig(BUILD)
        self.addCleanup(self.rig.close)
        self.rig.simulator()
        self.rig.start_parent()
        self.rig.start_enclave()
        self.process = self.rig.enclave.proc.pid

    def order(self, what):
        """From the next call on, KMS does this."""
        fresh = self.rig.path("sim", "misbehave.new")
        with open(fresh, "w") as f:
            f.write(what)
        os.rename(fresh, self.rig.path("sim", "misbehave"))

    def behave(self):
        try:
            os.unlink(self.rig.path("sim", "misbehave"))
        except FileNotFoundError:
            pass

    def secrets(self):
        with open(self.rig.path("sim", "credentials.json")) as f:
            given = json.load(f)
        found = [given[name] for name in ("AccessKeyId", "SecretAccessKey", "Token")]
        for text in (SHARED, r.KMS_PRIVATE):
            raw = bytes.fromhex(text)
            found += [text, text.upper(), base64.b64encode(raw).decode(), raw[::-1].hex()]
        return found

    def nothing_leaked(self):
        words = self.secrets()
        for p in self.rig.procs:
            text = p.text()
            for word in words:
                self.assertNotIn(word, text, p.name)

    def nothing_kept(self):
        self.assertEqual(self.rig.status()["phase"], "awaiting-setup")
        self.assertNotEqual(self.rig.get("/public-key")[0], 200)
        kept = [f for _, _, files in os.walk(self.rig.path("store")) for f in files if f != "lock"]
        self.assertEqual(kept, [], "the parent was given nothing")

    def good_setup(self):
        self.behave()
        code, _, body = self.rig.setup()
        self.assertEqual(code, 200, body)
        self.rig.wait_phase("serving")
        self.assertEqual(json.loads(self.rig.get("/public-key")[2])["public_key"], r.PUBLISHED)
        self.assertEqual((self.rig.enclave.proc.pid, self.rig.starts), (self.process, 1), "the same process, never started again")
        self.nothing_leaked()

    def fails(self, says):
        """A setup that fails; what it logged must say why."""
        before = len(self.rig.enclave.text())
        code, _, body = self.rig.setup()
        self.assertEqual((code, json.loads(body)["error"]), (500, FAILED), self.rig.enclave.text()[before:])
        self.assertRegex(self.rig.enclave.text()[before:], says)
        self.nothing_kept()
        self.nothing_leaked()

    def refused(self, what, says):
        self.order(what)
        self.fails(says)
        self.good_setup()

    def recovers(self, what, says):
        self.order(what)
        code, _, body = self.rig.setup()
        self.assertEqual(code, 200, body)
        self.assertFalse(os.path.exists(self.rig.path("sim", "misbehave")), "it did misbehave")
        self.assertRegex(self.rig.enclave.text(), says)
        self.rig.wait_phase("serving")
        self.assertEqual(json.loads(self.rig.get("/public-key")[2])["public_key"], r.PUBLISHED)
        self.nothing_leaked()

    def asked(self):
        return len(re.findall(r"TrentService\.DeriveSharedSecret", self.rig.kms.text()))

    # -- it does not answer -----------------------------------------------------
    def test_throttled_once(self):
        self.recovers("throttle:1", "ThrottlingException")

    def test_throttled(self):
        self.refused("throttle", "ThrottlingException")

    def test_failed_once(self):
        self.recovers("error500:1", "KMSInternalException")

    def test_failed(self):
        self.refused("error500", "KMSInternalException")

    def test_slow_once(self):
        began = time.monotonic()
        self.recovers("slow:1", "timed out")
        self.assertGreater(time.monotonic() - began, 9)

    def test_truncated(self):
        self.refused("truncated", "transfer closed with [0-9]+ bytes remaining")

    def test_garbage(self):
        self.refused("garbage", "is not KMS")
        self.assertEqual(self.asked(), ATTEMPTS + 3, "a bounded number of attempts, then possession, secret and binding")

    def test_wrong_ca(self):
        port = self.rig.kms_port

        def kms(*more):
            self.rig.kms.stop()
            self.rig.kms = self.rig.start("sim-kms", self.rig.program("holdfast-sim"), "kms", "--state", self.rig.path("sim"),
                                          "--listen", f"127.0.0.1:{port}", "--nsm-root", self.rig.path("sim", "nsm-root.pem"), *more)
            self.rig.until(lambda: r.listening(port), "KMS", self.rig.kms)
        kms("--misbehave", "wrong-ca")
        self.fails("certificate|not authentic|TLS")
        self.assertEqual(self.asked(), 0, "nothing was asked of a server that did not authenticate")
        self.behave()
        kms()
        self.good_setup()

    # -- it answers something else ----------------------------------------------
    def test_wrong_key_id(self):
        self.refused("wrong-key-id", "KMS answers for another key")

    def test_external_origin(self):
        self.refused("external-origin", "the key.s material was imported")

    def test_other_recipient(self):
        self.refused("other-recipient", "the envelope cannot be opened")

    def test_plaintext_beside_the_envelope(self):
        self.refused("plaintext", "a plaintext secret in answer to a request with a recipient")

    def test_plaintext_instead_of_the_envelope(self):
        self.refused("plaintext-only", "a plaintext secret in answer to a request with a recipient")

    def test_short_secret(self):
        self.refused("short-secret", "the envelope cannot be opened")

    def test_long_secret(self):
        self.refused("long-secret", "the envelope cannot be opened")

    def test_replay(self):
        self.refused("replay", "holder of the KMS key|does not hold the KMS key")

    def test_replay_of_an_earlier_setup(self):
        # The last honest answer is remembered by KMS; its envelope is for this very boot's key.
        self.order("external-origin")
        self.fails("the key.s material was imported")
        self.refused("replay:1", "holder of the KMS key|does not hold the KMS key")

    # -- about the key, before anything is derived ------------------------------
    def test_what_it_says_of_the_key(self):
        """A lie that breaks custody is a refusal with its finding; no answer at all is a failure."""
        for what, finding in (("external-origin@DescribeKey", "key-origin"), ("wrong-key-id@DescribeKey", "key-mismatch"),
                              ("wrong-key-id@GetPublicKey", "key-mismatch")):
            with self.subTest(what):
                self.order(what)
                code, _, body = self.rig.setup()
                self.assertEqual(code, 403)
                self.assertIn(finding, json.loads(body)["error"])
                self.nothing_kept()
        for what, says in (("garbage@ListGrants", "is not KMS"), ("truncated@GetKeyPolicy", "transfer closed"), ("error500@DescribeKey", "KMSInternalException")):
            with self.subTest(what):
                self.order(what)
                self.fails(says)
        self.assertEqual(self.asked(), 0, "no secret is asked for while the key is in doubt")
        self.good_setup()

    # -- the same envelope in other words ---------------------------------------
    def test_shapes(self):
        """Every way to write an envelope in BER opens: two of them AWS sends."""
        port = self.rig.kms_port
        for shape in ("primitive", "pieces", "definite", "definite-pieces", "der"):
            with self.subTest(shape):
                self.rig.kms.stop()
                self.rig.kms = self.rig.start("sim-kms", self.rig.program("holdfast-sim"), "kms", "--state", self.rig.path("sim"), "--listen",
                                              f"127.0.0.1:{port}", "--nsm-root", self.rig.path("sim", "nsm-root.pem"), "--envelope", shape)
                self.rig.until(lambda: r.listening(port), "KMS", self.rig.kms)
                if self.rig.starts == 1 and shape == "primitive":
                    self.good_setup()
                    continue
                self.rig.seal()
                self.rig.kill_enclave()
                self.rig.start_enclave(wait=False)
                self.rig.wait_phase("serving")
                self.assertEqual(json.loads(self.rig.get("/public-key")[2])["public_key"], r.PUBLISHED)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIP: the disk needs root")
        sys.exit(77)
    for name in ("holdfastd", "holdfast", "holdfast-sim"):
        if not os.path.exists(r.Rig.program(type("B", (), {"build": BUILD})(), name)):
            print(f"SKIP: {name} is not built")
            sys.exit(77)
    unittest.main(verbosity=2)
