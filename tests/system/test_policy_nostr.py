#!/usr/bin/env python3
"""Documents signed as Nostr events by npm's nostr-tools (nostr/sign.mjs), and counted beside SSH signatures.

Skipped, and says why, where the package cannot be had (npm.py)."""
import json
import os
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import npm
from policy_rig import BUILD, HOLDFAST, Maintainers, run

SECRET, OTHER = "42" * 32, "43" * 32


def node(*words, data=""):
    return subprocess.run(["node", "sign.mjs", *words], cwd=CACHE, input=data, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


class Nostr(Maintainers):
    def listed(self):
        return "a", "b", "n nostr " + node("public", SECRET)

    def event(self, name, template, secret=SECRET):
        return self.write(name, node(secret, data=json.dumps(template)) + "\n")

    def test_release(self):
        template = json.loads(run("release", "sign", self.path("release.json"), "--json"))["nostr"]
        policy = ["--policy", self.path("policy.json")]
        ssh = self.sign("release", "release.json", "a")
        good = self.event("good", template)
        said = self.check("release", "release.json", *policy, *ssh, "--sig", good)
        self.assertEqual([(s["verdict"], s["by"]) for s in said["signatures"]], [("counts", "a"), ("counts", "n")])
        self.check("release", "release.json", *policy, "--sig", good, "--sig", self.event("again", dict(template, created_at=1)), reason="quorum")
        said = self.check("release", "release.json", *policy, *ssh, "--sig", self.event("stranger", template, OTHER), reason="quorum")
        self.assertEqual(said["signatures"][1]["verdict"], "not-of-these-keys")
        for name, change, why in (("kind", {"kind": 8730}, "event kind"), ("note", {"kind": 1}, "event kind"), ("content", {"content": "holdfast-release"}, "does not name")):
            said = self.check("release", "release.json", *policy, *ssh, "--sig", self.event(name, dict(template, **change)), reason="quorum")
            self.assertIn(why, said["signatures"][1]["why"])
        self.check("release", "release.json", *policy, *ssh, "--sig", self.event("tags", dict(template, tags=[["client", "x", "y"], ["t", "holdfast"]])))
        edited = json.loads(self.read("good"))
        edited["created_at"] += 1
        said = self.check("release", "release.json", *policy, *ssh, "--sig", self.write("edited", json.dumps(edited)), reason="quorum")
        self.assertIn("id", said["signatures"][1]["why"])

    def test_every_kind(self):
        policy = ["--policy", self.path("policy.json")]
        self.write("permit.json", run("permit", "init", *policy, "--generation", "4", "--log-size", "9", "--head", "0d" * 32))
        for command, document, options in (("policy", "policy.json", []), ("permit", "permit.json", policy)):
            template = json.loads(run(command, "sign", self.path(document), "--json"))["nostr"]
            self.check(command, document, *options, *self.sign(command, document, "b"), "--sig", self.event(command + ".event", template))


if __name__ == "__main__":
    if not os.path.exists(HOLDFAST):
        npm.skip(f"{HOLDFAST} is not built")
    if not shutil.which("ssh-keygen"):
        npm.skip("the ssh-keygen program is missing")
    CACHE = npm.install("nostr", BUILD)
    unittest.main()
