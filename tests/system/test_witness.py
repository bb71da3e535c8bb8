#!/usr/bin/env python3
"""holdfast witness against c2sp.org/tlog-witness: every status code, two at once, SIGKILL, and what survives.

The log's side is written here from the specifications (openssl signs); the cosignatures are checked by openssl."""
import base64
import concurrent.futures
import hashlib
import http.client
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import merkle

PROGRAM = sys.argv.pop(1) if len(sys.argv) > 1 else os.path.join(HERE, "..", "..", "build", "parent", "holdfast")
PREFIX = bytes.fromhex("302a300506032b6570032100")          # RFC 8410's SubjectPublicKeyInfo of Ed25519


def openssl(*args, data=b""):
    return subprocess.run(["openssl", *args], input=data, capture_output=True, check=True).stdout


class Log:
    """A log with its key, and checkpoints of it."""

    def __init__(self, folder, origin):
        self.folder, self.origin, self.key = folder, origin, os.path.join(folder, hashlib.sha256(origin.encode()).hexdigest() + ".pem")
        openssl("genpkey", "-algorithm", "ED25519", "-out", self.key)
        self.public = openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")[-32:]
        self.id = hashlib.sha256(origin.encode() + b"\n\x01" + self.public).digest()[:4]
        self.vkey = f"{origin}+{self.id.hex()}+{base64.b64encode(bytes([1]) + self.public).decode()}"

    def sign(self, text):
        path = os.path.join(self.folder, "text-" + os.urandom(8).hex())
        with open(path, "wb") as f:
            f.write(text)
        out = openssl("pkeyutl", "-sign", "-inkey", self.key, "-rawin", "-in", path)
        os.unlink(path)
        return out

    def line(self, text):
        return f"\u2014 {self.origin} {base64.b64encode(self.id + self.sign(text)).decode()}\n".encode()

    def text(self, size, root=None, more=""):
        root = root or merkle.root(merkle.entries(size))
        return f"{self.origin}\n{size}\n{base64.b64encode(root).decode()}\n{more}".encode()

    def note(self, size, root=None, more=""):
        text = self.text(size, root, more)
        return text + b"\n" + self.line(text)

    def request(self, old, size, proof=None, note=None):
        proof = merkle.proof(old, merkle.entries(size)) if proof is None and 0 < old < size else proof or []
        return f"old {old}\n".encode() + b"".join(base64.b64encode(h) + b"\n" for h in proof) + b"\n" + (note or self.note(size))


class Witness(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.dir = os.path.join(self.folder, "w")
        self.vkey = self.run_("init", "--name", "example.org/w")["vkey"]
        self.log = Log(self.folder, "example.com/log")
        self.run_("add", "--log", self.log.vkey)
        self.server = None
        self.start()
        self.addCleanup(self.kill)

    def run_(self, *words, code=0):
        out = subprocess.run([PROGRAM, "witness", *words, "--dir", self.dir, "--json"], capture_output=True, text=True)
        self.assertEqual(out.returncode, code, out.stdout + out.stderr)
        return json.loads(out.stdout)

    def start(self):
        self.server = subprocess.Popen([PROGRAM, "witness", "serve", "--dir", self.dir, "--listen", "127.0.0.1:0", "--json"],
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = json.loads(self.server.stdout.readline())["port"]

    def kill(self, how=signal.SIGKILL):
        if self.server:
            self.server.send_signal(how)
            self.server.wait()
            self.server.stdout.close()
            self.server = None

    def post(self, body, path="/add-checkpoint", method="POST"):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        c.request(method, path, body)
        r = c.getresponse()
        got = r.status, r.read(), r.getheader("Content-Type")
        c.close()
        return got

    def cosigned(self, answer, text):
        """Check the answer as a client does."""
        status, body, _ = answer
        self.assertEqual(status, 200, body)
        dash, name, data = body.decode().rstrip("\n").split(" ")
        self.assertEqual((dash, name), ("\u2014", "example.org/w"))
        raw = base64.b64decode(data, validate=True)
        public = base64.b64decode(self.vkey.split("+", 2)[2])
        self.assertEqual(public[0], 4)
        self.assertEqual(raw[:4], hashlib.sha256(b"example.org/w\n" + public).digest()[:4])
        when = struct.unpack(">Q", raw[4:12])[0]
        self.assertLess(abs(when - time.time()), 60)
        for name, content in (("m", b"cosignature/v1\ntime %d\n" % when + text), ("s", raw[12:]), ("k", PREFIX + public[1:])):
            with open(os.path.join(self.folder, name), "wb") as f:
                f.write(content)
        at = lambda n: os.path.join(self.folder, n)
        openssl("pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", at("k"), "-rawin", "-in", at("m"), "-sigfile", at("s"))

    def remembered(self):
        return {l["origin"]: l["size"] for l in self.run_("show")["logs"]}

    def test_growth(self):
        old = 0
        for size in (1, 2, 3, 3, 8, 9, 33):
            self.cosigned(self.post(self.log.request(old, size)), self.log.text(size))
            old = size
        text = self.log.text(40, more="an extension line\n")
        self.cosigned(self.post(self.log.request(33, 40, note=text + b"\n" + self.log.line(text))), text)
        self.assertEqual(self.remembered(), {"example.com/log": 40})

    def test_conflict(self):
        self.cosigned(self.post(self.log.request(0, 5)), self.log.text(5))
        for body in (self.log.request(0, 7), self.log.request(3, 7), self.log.request(0, 3), self.log.request(6, 9)):
            self.assertEqual(self.post(body), (409, b"5\n", "text/x.tlog.size"))
        # The same size under another root: the log has parted from itself.
        self.assertEqual(self.post(self.log.request(5, 5, note=self.log.note(5, root=b"\1" * 32)))[:2], (409, b"5\n"))
        self.cosigned(self.post(self.log.request(5, 7)), self.log.text(7))

    def test_refusals(self):
        good = self.log.note(5)
        other = Log(self.folder, "example.com/other")
        liar = Log(self.folder, "example.com/liar")
        liar.origin, liar.id = self.log.origin, self.log.id
        broken = self.log.text(5) + b"\n" + self.log.line(self.log.text(6))
        cases = [
            (404, other.request(0, 5)), (403, liar.request(0, 5)), (403, self.log.request(0, 5, note=broken)),
            (422, self.log.request(0, 5, proof=[b"\0" * 32])),
            (400, b""), (400, b"old 0\n"), (400, b"old -1\n\n" + good), (400, b"old 00\n\n" + good), (400, b"old 0\n" + good), (400, b"old 6\n\n" + good),
            (400, b"old 0\n" + base64.b64encode(b"\0" * 31) + b"\n\n" + good), (400, b"old 0\n" + (base64.b64encode(b"\0" * 32) + b"\n") * 64 + b"\n" + good),
            (400, b"old 0\n\n" + good + b"x"), (400, b"\xff" * 100), (400, b"old 99999999999999999999999\n\n" + good),
            (413, b"a" * 200000),
        ]
        for status, body in cases:
            self.assertEqual(self.post(body)[0], status, body[:60])
        self.assertEqual(self.remembered(), {"example.com/log": 0})
        self.cosigned(self.post(self.log.request(0, 5)), self.log.text(5))
        proof = merkle.proof(5, merkle.entries(9))
        for bad in ([], proof[:-1], proof + [b"\0" * 32], [b"\1" * 32] + proof[1:]):
            self.assertEqual(self.post(self.log.request(5, 9, proof=bad or [b"\2" * 32]))[0], 422)
        self.assertEqual(self.post(self.log.request(5, 9, note=self.log.note(9, root=b"\7" * 32)))[0], 422)
        self.assertEqual(self.remembered(), {"example.com/log": 5})
        self.assertEqual(self.post(b"", path="/")[0], 404)
        self.assertEqual(self.post(None, method="GET")[0], 405)

    def test_one_of_many_wins(self):
        self.cosigned(self.post(self.log.request(0, 5)), self.log.text(5))
        bodies = [self.log.request(5, size) for size in range(6, 22)]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            got = list(pool.map(self.post, bodies))
        won = [6 + i for i, g in enumerate(got) if g[0] == 200]
        self.assertEqual(len(won), 1)
        self.assertEqual({g[0] for g in got}, {200, 409})
        self.assertEqual(self.remembered(), {"example.com/log": won[0]})

    def test_two_processes_on_one_folder(self):
        first = self.port
        second = subprocess.Popen([PROGRAM, "witness", "serve", "--dir", self.dir, "--listen", "127.0.0.1:0", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            ports = [first, json.loads(second.stdout.readline())["port"]]

            def at(i):
                c = http.client.HTTPConnection("127.0.0.1", ports[i % 2], timeout=30)
                c.request("POST", "/add-checkpoint", self.log.request(0, 5 + i))
                status = c.getresponse().status
                c.close()
                return status
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                got = list(pool.map(at, range(8)))
            self.assertEqual(sorted(got), [200] + [409] * 7)
        finally:
            second.kill()
            second.wait()
            second.stdout.close()

    def test_what_was_answered_survives(self):
        size = 0
        for n in range(6):
            self.cosigned(self.post(self.log.request(size, size + 3)), self.log.text(size + 3))
            size += 3
            self.kill()
            self.start()
            self.assertEqual(self.post(self.log.request(0, 1))[:2], (409, b"%d\n" % size))

    def test_a_lost_file_is_no_new_beginning(self):
        self.kill(signal.SIGTERM)
        for name in ("witness.db", "witness.key"):
            path = os.path.join(self.dir, name)
            os.rename(path, path + ".away")
            self.assertIn("is no witness", self.run_("show", code=1)["error"])
            self.assertFalse(os.path.exists(path))
            os.rename(path + ".away", path)
        key = os.path.join(self.dir, "witness.key")
        self.assertEqual(os.stat(key).st_mode & 0o777, 0o600)
        os.chmod(key, 0o644)
        self.run_("show", code=1)
        os.chmod(key, 0o600)
        with open(os.path.join(self.dir, "witness.db"), "r+b") as f:
            f.write(b"rubbish" * 20)
        self.run_("show", code=1)
        self.run_("init", "--name", "x", code=1)

    def test_usage(self):
        self.run_("init", "--name", "with space", code=2)
        self.run_("add", "--log", self.log.vkey, code=1)
        self.run_("add", "--log", self.vkey, code=2)         # a witness's key is no log's
        self.run_("add", "--log", "rubbish", code=2)
        self.run_("nothing", code=2)
        self.run_("serve", "--listen", "nowhere", code=2)
        self.kill(signal.SIGTERM)


if __name__ == "__main__":
    if not shutil.which("openssl"):
        print("skipped: no openssl to sign with")
        sys.exit(77)
    unittest.main(verbosity=2)
