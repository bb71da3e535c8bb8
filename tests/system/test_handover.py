#!/usr/bin/env python3
"""An upgrade with real builds' worth of everything: documents signed by ssh-keygen, two enclaves with measurements and KMS keys of their
own on one store, a grant; the same key before and after, and never two that sign."""
import base64
import json
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models"), os.path.join(HERE, "..")]
import bip341_verify as model
import policy_rig
import rig as r
from broken.kinds import KINDS
from broken.store import Store
from upgrade_rig import NEW_PCR0, NewBuild, measured

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))


class Handover(policy_rig.Maintainers):
    def setUp(self):
        self.rig = r.Rig(BUILD, options={"judges": "1", "size": "16M", "interval": "0s", "policy": "open"})
        self.addCleanup(self.rig.close)
        self.rig.simulator()
        self.rig.options["nsm_root"] = self.rig.path("sim", "nsm-root.pem")
        self.rig.start_parent()
        self.rig.start_enclave()
        self.assertEqual(self.rig.setup()[0], 200, self.rig.enclave.text())
        self.status = self.rig.status()
        policy_rig.SERVICE = self.status["service_id"]
        policy_rig.PCRS = ["--pcr0", NEW_PCR0, "--pcr1", "00" * 47 + "01", "--pcr2", "00" * 47 + "02"]
        super().setUp()
        key = bytes.fromhex(self.status["public_key"])
        self.spend = r.spend("5120" + model.emulated_key(key, model.leaf_hash(b"\x51")).hex())

    def policy(self, delay=0):
        self.write("policy.json", policy_rig.run("policy", "init", "--service", policy_rig.SERVICE, "--network", "signet", "--keys", self.path("keys"), "--threshold", "2",
                                                 "--veto-keys", self.path("veto-keys"), "--delay", str(delay)))
        code, body = self.submit("policy", "policy.json", "a", "b")
        self.assertEqual((code, body["state"]), (200, "in-force"), body)

    def make_release(self, *more, sequence=1, pcr0=NEW_PCR0):
        policy_rig.PCRS = ["--pcr0", pcr0, *self.rest]
        self.write("release.json", self.release(*more, sequence=sequence))
        return json.loads(policy_rig.run("release", "show", self.path("release.json"), "--json"))["sha256"]

    def submit(self, command, document, *names):
        sigs = self.sign(command, document, *names)
        coded = [base64.b64encode(self.bytes(s)).decode() for s in sigs[1::2]]
        code, _, body = self.rig.request("POST", "/documents", {"document": base64.b64encode(self.bytes(self.path(document))).decode(), "signatures": coded})
        return code, json.loads(body)

    def bytes(self, path):
        with open(path, "rb") as f:
            return f.read()

    @property
    def rest(self):
        return [w for i in (1, 2) for w in (f"--pcr{i}", measured(self.rig)[i])]

    def new_build(self, pcr0=NEW_PCR0, name="new"):
        new = NewBuild(BUILD, self.rig, pcr0, name)
        self.addCleanup(new.close)
        new.begin(self.status["service_id"], self.status["public_key"])
        new.wait_phase("announcing")
        return new

    def announcement(self, new):
        code, _, body = new.get("/announcement?nonce=" + "ab" * 16)
        self.assertEqual(code, 200, body)
        return json.loads(body)["document"]

    def grant(self, release, announcement):
        code, _, body = self.rig.request("POST", "/upgrade/grant", {"release": release, "announcement": announcement}, timeout=60)
        return code, json.loads(body)

    def tearDown(self):
        if os.environ.get("HOLDFAST_SHOW"):
            print(self.rig.enclave.text())

    def test_whole(self):
        self.policy()
        self.assertEqual(self.rig.sign(self.spend)[0], 200)
        release = self.make_release()
        self.assertEqual(self.submit("release", "release.json", "a", "b")[1]["state"], "ready")
        new = self.new_build()
        self.assertEqual(new.sign(self.spend)[0], 503)
        self.assertEqual(self.rig.get("/announcement")[0], 409)
        announcement = self.announcement(new)
        code, body = self.grant(release, announcement)
        self.assertEqual((code, body.get("granted")), (200, release), body)
        self.assertEqual(self.rig.sign(self.spend)[0], 409)                 # the old one signs no more
        self.assertEqual(self.rig.status()["phase"], "handed-over")
        new.wait_phase("serving")
        status = new.status()
        for name in ("service_id", "public_key", "epoch"):
            self.assertEqual(status[name], self.status[name], name)
        self.assertEqual(new.sign(self.spend)[0], 200)
        requests = json.loads(new.get("/requests")[2])
        self.assertEqual(requests["total"], 2)                              # the same history
        self.assertEqual(self.rig.enclave.stop(), 0)
        # a later start of the new build opens it by its own key; the old build cannot any more
        self.assertEqual(new.enclave.stop(), 0)
        new.start_enclave(wait=False)
        new.wait_phase("serving")
        self.assertEqual(new.sign(self.spend)[0], 200)
        vkey = new.status()["log"]["key"]
        code, _, body = new.request("POST", "/upgrade/grant", {"release": release, "announcement": announcement})
        self.assertEqual((code, json.loads(body)["reason"]), (403, "this-build"))
        self.assertEqual(new.status()["phase"], "serving")
        self.assertEqual(new.enclave.stop(), 0)
        self.rig.start_enclave(wait=False)
        self.assertGreaterEqual(self.rig.wait_end(60), 64)
        # and the log alone tells that each step was allowed
        life = self.rig.holdfast("log", "verify", "--store", self.rig.store(), "--vkey", vkey, check=False)
        self.assertEqual(life.returncode, 0, life.stdout + life.stderr)

    def test_what_is_not_granted(self):
        self.policy(delay=3600)
        release = self.make_release()
        new = self.new_build()
        announcement = self.announcement(new)
        self.assertEqual(self.grant(release, announcement)[1]["reason"], "unknown-release")
        self.assertEqual(self.submit("release", "release.json", "a")[1]["reason"], "quorum")
        self.assertEqual(self.submit("release", "release.json", "a", "b")[1]["state"], "pending")
        self.assertEqual(self.grant(release, announcement)[1]["reason"], "pending")
        self.write("veto.json", policy_rig.run("veto", "init", "--policy", self.path("policy.json"), "--release", self.path("release.json")))
        self.assertEqual(self.submit("veto", "veto.json", "v")[0], 200)
        self.assertEqual(self.grant(release, announcement)[1]["reason"], "vetoed")
        self.assertEqual(json.loads(self.rig.get("/releases")[2])["releases"][0]["state"], "vetoed")
        self.assertEqual(self.rig.sign(self.spend)[0], 200)

    def test_a_build_of_other_measurements(self):
        self.policy()
        release = self.make_release()
        self.submit("release", "release.json", "a", "b")
        other = self.new_build("7a" * 48, "other")
        code, body = self.grant(release, self.announcement(other))
        self.assertEqual((code, body["reason"]), (403, "other-pcr0"), body)
        damaged = bytearray(base64.b64decode(self.announcement(other)))
        damaged[len(damaged) // 2] ^= 1
        self.assertEqual(self.grant(release, base64.b64encode(damaged).decode())[0], 403)
        self.assertEqual(self.rig.sign(self.spend)[0], 200)

    def test_given_up(self):
        """The old build starts again before the new one has taken over: the grant is void, and the old one signs on."""
        self.policy()
        release = self.make_release()
        self.submit("release", "release.json", "a", "b")
        new = self.new_build()
        announcement = self.announcement(new)
        new.kill_enclave()
        self.assertEqual(self.grant(release, announcement)[0], 200)
        self.rig.kill_enclave()
        self.rig.start_enclave()
        self.assertEqual(self.rig.sign(self.spend)[0], 200)
        new.start_enclave(wait=False)
        new.wait_phase("announcing")
        time.sleep(3)
        self.assertEqual(new.status()["phase"], "announcing")
        # and may be made anew
        self.assertEqual(self.grant(release, self.announcement(new))[0], 200)
        new.wait_phase("serving")
        self.assertEqual(new.sign(self.spend)[0], 200)

    def test_an_altered_grant(self):
        """The build it is for says so and goes on waiting; with the good one back in its place it takes over."""
        self.policy()
        release = self.make_release()
        self.submit("release", "release.json", "a", "b")
        new = self.new_build()
        announcement = self.announcement(new)
        new.kill_enclave()
        self.assertEqual(self.grant(release, announcement)[0], 200)
        self.assertEqual(self.rig.enclave.stop(), 0)
        store, altered = Store(self.rig.store()), KINDS["grant-byte"]
        name, = (n for n in os.listdir(self.rig.store("objects")) if n.startswith("grant-"))
        good = store.object(name)
        altered.function(store)
        left = store.everything()
        new.start_enclave(wait=False)
        new.until(lambda: "does not hold" in new.enclave.text(), "the grant to be looked at", new.enclave)
        self.assertRegex(new.enclave.text(), altered.words)
        self.assertEqual(new.status()["phase"], "announcing")
        self.assertEqual(new.sign(self.spend)[0], 503)
        self.assertEqual(store.everything(), left, "a grant that was refused made something")
        store.write(good, "objects", name)
        new.wait_phase("serving")
        self.assertEqual(new.sign(self.spend)[0], 200)

    def test_the_new_build_dies_at_any_moment(self):
        """Killed while it takes over, again and again: each time either build could go on, and in the end one does, with the same key."""
        self.policy()
        release = self.make_release()
        self.submit("release", "release.json", "a", "b")
        new = self.new_build()
        announcement = self.announcement(new)
        new.kill_enclave()
        self.assertEqual(self.grant(release, announcement)[0], 200)
        self.assertEqual(self.rig.enclave.stop(), 0)
        for moment in (0.05, 0.12, 0.2, 0.3, 0.45, 0.6):
            new.start_enclave(wait=False)
            time.sleep(moment)
            new.kill_enclave()
        new.start_enclave(wait=False)
        new.wait_phase("serving")
        self.assertEqual(new.status()["public_key"], self.status["public_key"])
        self.assertEqual(new.sign(self.spend)[0], 200)

    def test_by_the_command_line(self):
        self.write("policy.json", policy_rig.run("policy", "init", "--service", policy_rig.SERVICE, "--network", "signet", "--keys", self.path("keys"), "--threshold", "2", "--delay", "60"))
        url = ["--url", f"http://127.0.0.1:{self.rig.port}"]
        few = self.rig.holdfast("policy", "submit", self.path("policy.json"), *self.sign("policy", "policy.json", "a"), *url, "--json", check=False)
        self.assertEqual((few.returncode, json.loads(few.stdout)["reason"]), (1, "quorum-new"), few.stdout)
        done = self.rig.holdfast("policy", "submit", self.path("policy.json"), *self.sign("policy", "policy.json", "a", "b"), *url)
        self.assertIn("logged: in-force", done.stdout)
        self.make_release()
        done = self.rig.holdfast("release", "submit", self.path("release.json"), *self.sign("release", "release.json", "b", "c"), *url)
        self.assertIn("logged; pending until 2", done.stdout)
        statement = json.loads(self.rig.get("/statement")[2])
        self.assertEqual(statement["policy"], json.loads(policy_rig.run("policy", "show", self.path("policy.json"), "--json"))["sha256"])

    def test_no_policy_no_upgrade(self):
        release = self.make_release()
        self.assertEqual(self.submit("release", "release.json", "a", "b")[1]["reason"], "no-policy")
        self.assertEqual(self.grant(release, "AAAA")[1]["reason"], "unknown-release")


if __name__ == "__main__":
    unittest.main(verbosity=2)
