#!/usr/bin/env python3
"""holdfast policy, release, veto, permit and genesis, with signatures that the real ssh-keygen makes and verifies."""
import base64
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from policy_rig import HOLDFAST, PCRS, SERVICE, Maintainers, run


class Policy(Maintainers):
    def test_release(self):
        sigs = self.sign("release", "release.json", "a", "b")
        policy = ["--policy", self.path("policy.json")]
        said = self.check("release", "release.json", *policy, *sigs)
        self.assertEqual((said["delay"], said["emergency"]), (86400, False))
        self.assertEqual([(s["verdict"], s["by"]) for s in said["signatures"]], [("counts", "a"), ("counts", "b")])
        self.assertEqual(said["document"]["sha256"], hashlib.sha256(self.read("release.json").encode()).hexdigest())
        self.assertTrue(all(c["verdict"] == "ok" for c in said["checks"]))
        self.check("release", "release.json", *policy, *sigs[:2], reason="quorum")
        self.check("release", "release.json", *policy, *sigs[:2], *sigs[:2], reason="quorum")
        self.check("release", "release.json", *policy, *sigs, "--last-sequence", "2", reason="lower-sequence")
        self.check("release", "release.json", *policy, *sigs, "--vetoed", said["document"]["sha256"], reason="vetoed")
        self.check("release", "release.json", *policy, *sigs, "--at", str(int(time.time()) + 31 * 86400), reason="expired")
        self.check("release", "release.json", *policy, *sigs, "--at", "1000", reason="not-yet-valid")
        self.check("release", "release.json", *sigs, reason="no-policy")
        text = run("release", "check", self.path("release.json"), *policy, *sigs)
        self.assertRegex(text, r"\nok +signatures +2 of the 2 distinct keys needed")
        self.assertTrue(text.endswith("accepted: It is accepted.\n"))

    def test_signed_by_hand(self):
        """As `sign` without a key says it: ssh-keygen alone, and ssh-keygen's own word on what holdfast had it make."""
        how = json.loads(run("release", "sign", self.path("release.json"), "--json"))["ssh"]
        for name in "ab":
            command = [self.path(name) if w == "KEY" else w for w in how]
            subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
            os.rename(self.path("release.json.sig"), self.path(name + ".sig"))
        self.check("release", "release.json", "--policy", self.path("policy.json"), "--sig", self.path("a.sig"), "--sig", self.path("b.sig"))
        (_, ours) = self.sign("release", "release.json", "c")
        self.keygen_verifies(ours, self.read("c.pub"), "release.json")

    def keygen_verifies(self, signature, key, document):
        allowed = self.write("allowed", "somebody " + key)
        with open(self.path(document), "rb") as f:
            out = subprocess.run(["ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "somebody", "-n", "holdfast-release@holdfast", "-s", signature],
                                 stdin=f, capture_output=True, text=True)
        self.assertEqual(out.returncode, 0, out.stdout + out.stderr)

    def test_security_key(self):
        """No such key is at hand; what one does is played, and OpenSSH agrees that it is what one does."""
        subprocess.run(["openssl", "genpkey", "-algorithm", "ED25519", "-out", self.path("sk.pem")], check=True)
        public = subprocess.run(["openssl", "pkey", "-in", self.path("sk.pem"), "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout[-32:]
        string = lambda b: struct.pack(">I", len(b)) + b
        kind, space = b"sk-ssh-ed25519@openssh.com", b"holdfast-release@holdfast"
        blob = string(kind) + string(public) + string(b"ssh:")
        line = kind.decode() + " " + base64.b64encode(blob).decode()
        self.keys("keys", "a", "sk " + line)
        self.write("policy.json", run("policy", "init", "--service", SERVICE, "--network", "signet", "--keys", self.path("keys"), "--delay", "1"))
        document = self.release()
        self.write("release.json", document)

        def signature(flags):
            frame = b"SSHSIG" + string(space) + string(b"") + string(b"sha512") + string(hashlib.sha512(document.encode()).digest())
            with open(self.path("message"), "wb") as f:
                f.write(hashlib.sha256(b"ssh:").digest() + bytes([flags]) + struct.pack(">I", 9) + hashlib.sha256(frame).digest())
            raw = subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", self.path("sk.pem"), "-rawin", "-in", self.path("message")], check=True, capture_output=True).stdout
            inner = string(kind) + string(raw) + bytes([flags]) + struct.pack(">I", 9)
            whole = b"SSHSIG" + struct.pack(">I", 1) + string(blob) + string(space) + string(b"") + string(b"sha512") + string(inner)
            text = base64.b64encode(whole).decode()
            return "-----BEGIN SSH SIGNATURE-----\n" + "".join(text[i:i + 70] + "\n" for i in range(0, len(text), 70)) + "-----END SSH SIGNATURE-----\n"

        self.keygen_verifies(self.write("sk.sig", signature(1)), line, "release.json")
        sigs = self.sign("release", "release.json", "a") + ["--policy", self.path("policy.json"), "--sig"]
        self.check("release", "release.json", *sigs, self.path("sk.sig"))
        said = self.check("release", "release.json", *sigs, self.write("untouched.sig", signature(0)), reason="quorum")
        self.assertIn("did not ask", said["signatures"][1]["why"])

    def test_other_bytes_other_purpose(self):
        sigs = self.sign("release", "release.json", "a", "b")
        policy = ["--policy", self.path("policy.json")]
        self.write("again.json", json.dumps(json.loads(self.read("release.json"))))
        said = self.check("release", "again.json", *policy, *sigs, reason="quorum")
        self.assertEqual({s["why"] for s in said["signatures"]}, {"it does not verify over these bytes"})
        subprocess.run(["ssh-keygen", "-Y", "sign", "-n", "file", "-f", self.path("b"), self.path("release.json")], check=True, capture_output=True)
        said = self.check("release", "release.json", *policy, *sigs[:2], "--sig", self.path("release.json.sig"), reason="quorum")
        self.assertIn("namespace", said["signatures"][1]["why"])
        junk = [w for name, text in (("j1", "junk"), ("j2", ""), ("j3", "{}"), ("j4", self.read("release.json"))) for w in ("--sig", self.write(name, text))]
        self.check("release", "release.json", *policy, *junk, *self.sign("release", "release.json", "x"), *sigs)

    def test_policies_follow_one_another(self):
        self.check("policy", "policy.json", *self.sign("policy", "policy.json", "a", "b"))
        self.check("policy", "policy.json", *self.sign("policy", "policy.json", "a"), reason="quorum-new")
        self.check("policy", "policy.json", *self.sign("policy", "policy.json", "a", "b"), "--service", "00" * 32, reason="other-service")
        self.keys("keys", "a", "b", "x")
        self.write("second.json", run("policy", "init", "--previous", self.path("policy.json"), "--keys", self.path("keys"), "--revoke", self.read("c.pub").rsplit(" of")[0].rsplit(" ", 1)[0]))
        second = json.loads(self.read("second.json"))
        self.assertEqual((second["version"], second["threshold"], second["delay"], len(second["revoked_keys"])), (2, 2, 86400, 1))
        previous = ["--previous", self.path("policy.json")]
        said = self.check("policy", "second.json", *previous, *self.sign("policy", "second.json", "a", "x"), reason="quorum")
        self.assertEqual([(s["verdict"], s["by"]) for s in said["signatures"]], [("counts", "a"), ("counts", "x")])
        self.check("policy", "second.json", *previous, *self.sign("policy", "second.json", "a", "c", "x"), reason="quorum")      # c is revoked by it
        self.check("policy", "second.json", *previous, *self.sign("policy", "second.json", "a", "b"))
        self.check("policy", "policy.json", "--previous", self.path("second.json"), *self.sign("policy", "policy.json", "a", "b"), reason="old-version")
        self.write("third.json", run("policy", "init", "--previous", self.path("second.json")))
        self.check("policy", "third.json", *previous, *self.sign("policy", "third.json", "a", "b"), reason="skipped-version")
        self.check("release", "release.json", "--policy", self.path("second.json"), *self.sign("release", "release.json", "a", "b"), reason="other-policy")

    def test_emergency(self):
        self.write("now.json", self.release("--emergency", sequence=2))
        policy = ["--policy", self.path("policy.json")]
        self.check("release", "now.json", *policy, *self.sign("release", "now.json", "a", "b"), reason="quorum")
        said = self.check("release", "now.json", *policy, *self.sign("release", "now.json", "a", "b", "c"))
        self.assertEqual((said["delay"], said["emergency"]), (3600, True))

    def test_veto_permit_genesis(self):
        policy = ["--policy", self.path("policy.json")]
        self.write("veto.json", run("veto", "init", *policy, "--release", self.path("release.json")))
        self.check("veto", "veto.json", *policy, *self.sign("veto", "veto.json", "a", "b", "c"), reason="quorum")
        self.check("veto", "veto.json", *policy, *self.sign("veto", "veto.json", "v"), "--release", self.path("release.json"))
        self.write("other.json", self.release(sequence=9))
        self.check("veto", "veto.json", *policy, *self.sign("veto", "veto.json", "v"), "--release", self.path("other.json"), reason="not-the-release")
        self.write("permit.json", run("permit", "init", *policy, "--generation", "4", "--log-size", "9", "--head", "0d" * 32))
        sigs = self.sign("permit", "permit.json", "b", "c")
        self.check("permit", "permit.json", *policy, *sigs)
        self.check("permit", "permit.json", *policy, *sigs, "--generation", "5", reason="other-state")
        self.assertNotEqual(run("permit", "init", *policy, "--generation", "4", "--log-size", "9", "--head", "0d" * 32), self.read("permit.json"))
        self.write("genesis.json", run("genesis", "init", "--network", "signet", "--name", "vault", "--key-arn", "arn:aws:kms:x", "--blockhash", "0e" * 32,
                                       "--profile", "holdfast-1", "--keys", self.path("keys"), "--threshold", "2"))
        sigs = self.sign("genesis", "genesis.json", "a", "b")
        self.check("genesis", "genesis.json", *sigs, reason="not-authorised")
        self.check("genesis", "genesis.json", *sigs, "--founders", self.path("veto-keys"), reason="quorum")
        self.check("genesis", "genesis.json", *sigs, *self.sign("genesis", "genesis.json", "v"), "--founders", self.path("veto-keys"))
        self.write("first.json", run("policy", "init", "--service", SERVICE, "--network", "signet", "--keys", self.path("keys"), "--delay", "0", "--genesis", self.path("genesis.json")))
        sigs = self.sign("policy", "first.json", "a", "b", "c")
        self.check("policy", "first.json", *sigs, "--genesis", self.path("genesis.json"))
        self.check("policy", "first.json", *sigs, reason="other-previous")
        self.check("policy", "policy.json", *self.sign("policy", "policy.json", "a", "b"), "--genesis", self.path("genesis.json"), reason="other-previous")

    def test_sign_overwrites_nothing(self):
        (_, path) = self.sign("release", "release.json", "a")
        with open(path) as f:
            before = f.read()
        run("release", "sign", self.path("release.json"), "--key", self.path("b"), "--out", path, code=1)
        with open(path) as f:
            self.assertEqual(f.read(), before)
        subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", self.path("ecdsa")], check=True)
        for key in ("ecdsa", "none"):             # a key that no policy can have, and none
            run("release", "sign", self.path("release.json"), "--key", self.path(key), "--out", self.path("new.sig"), code=1)
            self.assertFalse(os.path.exists(self.path("new.sig")))

    def test_usage(self):
        policy = ["--policy", self.path("policy.json")]
        release = ["release", "init", *policy, *PCRS, "--sequence", "1", "--label", "x", "--commit"]
        for words in (["policy"], ["policy", "make"], ["policy", "init"], ["policy", "show"], ["policy", "init", "x"], ["release", "init"], [*release, "abc"],
                      ["release", "init", *policy, "--sequence", "1", "--label", "x", "--commit", "00" * 20], ["veto", "init", *policy], ["permit", "init", *policy],
                      ["genesis", "init", "--network", "signet"], ["policy", "show", self.path("nothing")], ["release", "check", self.path("release.json"), "--sig", self.path("nothing")],
                      ["policy", "init", "--service", SERVICE, "--network", "moon", "--keys", self.path("keys"), "--delay", "1"],
                      ["policy", "init", "--service", SERVICE, "--network", "signet", "--keys", self.path("keys"), "--delay", "1", "--threshold", "4"],
                      ["policy", "init", "--service", SERVICE, "--network", "signet", "--keys", self.path("a.pub"), "--delay", "1"]):
            run(*words, code=2)
        for pcr in ("00" * 48, "0a" * 47, "0a" * 49):
            run("release", "init", *policy, "--pcr0", pcr, *PCRS[2:], "--sequence", "1", "--label", "x", "--commit", "00" * 20, code=2)
        run("release", "show", self.path("policy.json"), code=1)
        said = json.loads(run("policy", "show", self.write("future.json", self.read("policy.json").replace('"format": 1', '"format": 2')), "--json", code=1))
        self.assertEqual(said["reason"], "unknown-format")


if __name__ == "__main__":
    if not os.path.exists(HOLDFAST):
        print(f"SKIP: {HOLDFAST} is not built")
        sys.exit(77)
    for program in ("ssh-keygen", "openssl"):
        if not shutil.which(program):
            print(f"SKIP: the {program} program is missing")
            sys.exit(77)
    unittest.main()
