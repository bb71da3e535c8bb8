#!/usr/bin/env python3
"""holdfast policy, release, veto, permit, genesis: signed by the real ssh-keygen and by npm's nostr-tools, judged offline."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 and os.path.exists(sys.argv[1]) else os.path.join(BUILD, "parent", "holdfast")
NOSTR_TOOLS = "nostr-tools@2.10.4"
SERVICE = "11" * 32
SIGNER = """
import { finalizeEvent, getPublicKey } from "nostr-tools/pure";
const secret = Uint8Array.from(Buffer.from(process.argv[2], "hex"));
if (process.argv[3]) console.log(JSON.stringify(finalizeEvent({ created_at: 1700000000, ...JSON.parse(process.argv[3]) }, secret)));
else console.log(getPublicKey(secret));
"""


def nostr_tools():
    """The folder of nostr-tools, fetched once into the build folder, or None and why not."""
    folder = os.path.join(BUILD, "tests", "nostr")
    if not shutil.which("npm") or not shutil.which("node"):
        return None, "npm or node is not installed"
    if not os.path.isdir(os.path.join(folder, "node_modules", "nostr-tools")):
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "package.json"), "w") as f:
            f.write('{"private": true, "type": "module"}')
        out = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", NOSTR_TOOLS], cwd=folder, capture_output=True, text=True, timeout=180)
        if out.returncode:
            shutil.rmtree(os.path.join(folder, "node_modules"), ignore_errors=True)
            return None, "npm cannot fetch nostr-tools: " + out.stderr.strip()[-200:]
    with open(os.path.join(folder, "sign.mjs"), "w") as f:
        f.write(SIGNER)
    return folder, ""


@unittest.skipUnless(shutil.which("ssh-keygen"), "ssh-keygen is not installed (Debian: openssh-client)")
class Policy(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="holdfast-policy-")
        self.addCleanup(shutil.rmtree, self.dir)
        for name in ("a", "b", "c", "stranger"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.path(name)], check=True)
        self.keys("keys", "a", "b", "c")
        self.keys("veto", "c")
        self.write("policy", self.make("policy", "--service", SERVICE, "--network", "regtest", "--keys", self.path("keys"), "--threshold", "2",
                                       "--veto-keys", self.path("veto"), "--delay", "86400", "--emergency-threshold", "3", "--emergency-delay", "60"))
        self.write("release", self.release("1"))

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)

    def public(self, name):
        with open(self.path(name + ".pub")) as f:
            return " ".join(f.read().split()[:2])

    def keys(self, file, *names):
        self.write(file, "".join(f"{n} {self.public(n)}\n" for n in names))

    def run_(self, *words, code=0):
        out = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60)
        self.assertEqual(out.returncode, code, f"{words}: {out.stdout} {out.stderr}")
        return out.stdout

    def make(self, *words):
        return self.run_(words[0], "init", *words[1:])

    def release(self, sequence, *more):
        return self.make("release", "--policy", self.path("policy"), "--pcr0", "21" * 48, "--pcr1", "22" * 48, "--pcr2", "23" * 48,
                         "--sequence", sequence, "--label", "v2", "--commit", "ab" * 20, *more)

    def sign(self, kind, file, *keys):
        """Signatures of these keys, as --sig words."""
        words = []
        for key in keys:
            out = self.path(f"{file}.{key}.sig")
            if os.path.exists(out):
                os.unlink(out)
            self.run_(kind, "sign", self.path(file), "--key", self.path(key), "--out", out)
            words += ["--sig", out]
        return words

    def check(self, kind, file, *words, code=0):
        return json.loads(self.run_(kind, "check", self.path(file), "--json", *words, code=code))

    def refused(self, reason, kind, file, *words):
        got = self.check(kind, file, *words, code=1)
        self.assertEqual((got["accepted"], got["reason"]), (False, reason))
        return got

    def test_policies(self):
        both = self.sign("policy", "policy", "a", "b")
        self.assertTrue(self.check("policy", "policy", *both)["accepted"])
        self.refused("quorum-new", "policy", "policy", *both[:2])
        self.refused("quorum-new", "policy", "policy", *both[:2], *both[:2])
        self.refused("quorum-new", "policy", "policy", *both[:2], *self.sign("policy", "policy", "stranger"))
        # The next one: the old keys and the new ones, one version further, after this one.
        self.keys("keys2", "b", "c", "stranger")
        self.write("policy2", self.make("policy", "--previous", self.path("policy"), "--keys", self.path("keys2"), "--threshold", "2"))
        old, new = self.sign("policy", "policy2", "a", "b"), self.sign("policy", "policy2", "c", "stranger")
        before = ["--previous", self.path("policy")]
        self.assertTrue(self.check("policy", "policy2", *before, *old, *new)["accepted"])
        self.refused("quorum", "policy", "policy2", *before, *new)
        self.refused("quorum-new", "policy", "policy2", *before, *self.sign("policy", "policy2", "a", "b"))
        self.refused("old-version", "policy", "policy", "--previous", self.path("policy2"), *both)
        self.assertEqual(self.check("policy", "policy", *both)["signatures"][0]["verdict"], "counts")

    def test_releases(self):
        base = ["--policy", self.path("policy")]
        two = self.sign("release", "release", "a", "b")
        got = self.check("release", "release", *base, *two)
        self.assertEqual((got["accepted"], got["delay"]), (True, 86400))
        digest = got["document"]["sha256"]
        self.refused("lower-sequence", "release", "release", *base, *two, "--last-sequence", "2")
        self.refused("vetoed", "release", "release", *base, *two, "--vetoed", digest)
        self.refused("policy-expired", "release", "release", *base, *two, "--at", "4102444800")
        self.refused("not-yet-valid", "release", "release", *base, *two, "--at", "1000")
        self.refused("no-policy", "release", "release", *two)
        # One byte more, and no signature counts; a document written again is another one.
        with open(self.path("release")) as f:
            text = f.read()
        self.write("again", json.dumps(json.loads(text)))
        self.refused("quorum", "release", "again", *base, *two)
        self.write("junk.sig", "-----BEGIN SSH SIGNATURE-----\nAAAA\n")
        self.assertTrue(self.check("release", "release", *base, "--sig", self.path("junk.sig"), *two)["accepted"])
        # A signature for another kind of document.
        out = subprocess.run(["ssh-keygen", "-Y", "sign", "-n", "holdfast-policy@holdfast", "-f", self.path("a")], input=text,
                             capture_output=True, text=True, check=True)
        self.write("other.sig", out.stdout)
        self.refused("quorum", "release", "release", *base, *two[2:], "--sig", self.path("other.sig"))
        self.write("urgent", self.release("2", "--emergency"))
        self.refused("quorum", "release", "urgent", *base, *self.sign("release", "urgent", "a", "b"))
        got = self.check("release", "urgent", *base, *self.sign("release", "urgent", "a", "b", "c"))
        self.assertEqual((got["emergency"], got["delay"]), (True, 60))

    def test_veto_and_permit(self):
        base = ["--policy", self.path("policy")]
        self.write("veto.json", self.make("veto", *base, "--release", self.path("release")))
        self.assertTrue(self.check("veto", "veto.json", *base, *self.sign("veto", "veto.json", "c"))["accepted"])
        self.refused("quorum", "veto", "veto.json", *base, *self.sign("veto", "veto.json", "a"))
        self.write("permit.json", self.make("permit", *base, "--generation", "7", "--log-size", "9", "--head", "44" * 32))
        sigs = self.sign("permit", "permit.json", "a", "c")
        self.assertTrue(self.check("permit", "permit.json", *base, *sigs)["accepted"])
        self.refused("other-state", "permit", "permit.json", *base, *sigs, "--generation", "8")

    def test_what_cannot_be_signed(self):
        self.run_("release", "show", self.path("policy"), code=1)
        self.run_("release", "sign", self.path("release"), "--key", self.path("none"), code=1)
        self.write("bad", '{"type":"holdfast-release","format":2}')
        self.assertEqual(json.loads(self.run_("release", "show", self.path("bad"), "--json", code=1))["reason"], "unknown-format")
        self.sign("release", "release", "a")
        self.run_("release", "sign", self.path("release"), "--key", self.path("a"), "--out", self.path("release.a.sig"), code=1)
        subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", self.path("ecdsa")], check=True)
        self.run_("release", "sign", self.path("release"), "--key", self.path("ecdsa"), code=1)
        self.assertFalse(os.path.exists(self.path("release.sig")))
        for words in (["policy"], ["policy", "burn"], ["policy", "show"], ["policy", "init", "x"], ["release", "init"]):
            self.run_(*words, code=2)

    def test_nostr(self):
        folder, why = nostr_tools()
        if not folder:
            self.skipTest(why)

        def node(*words):
            return subprocess.run(["node", os.path.join(folder, "sign.mjs"), *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
        secret = "5a" * 32
        self.write("mixed", f"a {self.public('a')}\nn nostr {node(secret)}\n")
        self.write("policy", self.make("policy", "--service", SERVICE, "--network", "regtest", "--keys", self.path("mixed"), "--delay", "0"))
        self.write("release", self.release("1"))
        base = ["--policy", self.path("policy")]
        event = json.loads(self.run_("release", "sign", self.path("release"), "--json"))["nostr"]
        self.write("event", node(secret, json.dumps(event)))
        ssh = self.sign("release", "release", "a")
        got = self.check("release", "release", *base, *ssh, "--sig", self.path("event"))
        self.assertEqual([(s["verdict"], s["by"]) for s in got["signatures"]], [("counts", "a"), ("counts", "n")])
        self.refused("quorum", "release", "release", *base, "--sig", self.path("event"), "--sig", self.path("event"))
        for change in ({"kind": 1}, {"content": event["content"].replace("release", "policy")}):
            self.write("event", node(secret, json.dumps({**event, **change})))
            self.refused("quorum", "release", "release", *base, *ssh, "--sig", self.path("event"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
