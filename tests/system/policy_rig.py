"""Maintainers with real keys, and the documents of one service, for tests of `holdfast policy` and its likes."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
HOLDFAST = os.path.join(BUILD, "parent", "holdfast")
SERVICE = "5e" * 32
PCRS = ["--pcr0", "0a" * 48, "--pcr1", "0b" * 48, "--pcr2", "0c" * 48]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def run(*words, code=0, cwd=None):
    out = subprocess.run([HOLDFAST, *words], capture_output=True, text=True, timeout=60, cwd=cwd, stdin=subprocess.DEVNULL)
    assert out.returncode == code, (words, out.returncode, out.stdout, out.stderr)
    return out.stdout


class Maintainers(unittest.TestCase):
    """a, b, c with keys of ssh-keygen; v with the veto; x is nobody."""

    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)
        for name in "abcvx":
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name + " of the rig", "-f", self.path(name)], check=True)
        self.keys("keys", *self.listed())
        self.keys("veto-keys", "v")
        self.write("policy.json", run("policy", "init", "--service", SERVICE, "--network", "signet", "--keys", self.path("keys"), "--threshold", "2",
                                      "--veto-keys", self.path("veto-keys"), "--delay", "86400", "--emergency-threshold", "3", "--emergency-delay", "3600"))
        self.write("release.json", self.release())

    def listed(self):
        return "a", "b", "c"

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def read(self, name):
        with open(self.path(name)) as f:
            return f.read()

    def keys(self, file, *names):
        """A file of keys; a name is that of an SSH key, or a whole line."""
        self.write(file, "# for a test\n" + "".join(f"{n} {self.read(n + '.pub')}" if " " not in n else n + "\n" for n in names))

    def release(self, *more, sequence=1):
        return run("release", "init", "--policy", self.path("policy.json"), *PCRS, "--sequence", str(sequence), "--label", "Holdfast 0.2", "--commit", COMMIT, *more)

    def sign(self, command, document, *names):
        """By `holdfast ... sign`. Returns the options for `check`."""
        out = []
        for n in names:
            signature = self.path(f"{document}.{n}.sig")
            if not os.path.exists(signature):
                run(command, "sign", self.path(document), "--key", self.path(n), "--out", signature)
            out += ["--sig", signature]
        return out

    def check(self, command, document, *options, reason="accepted"):
        """Judge, and expect this."""
        said = json.loads(run(command, "check", self.path(document), "--json", *options, code=0 if reason == "accepted" else 1))
        self.assertEqual((said["reason"], said["accepted"]), (reason, reason == "accepted"), said)
        return said
