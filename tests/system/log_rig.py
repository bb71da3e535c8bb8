"""What the tests of `holdfast log` share: a log of tests/models/life.py, its store, three real witnesses."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import life
from parent_rig import PROGRAM

T = 1_790_000_000
M = [bytes([0x40 + g]) * 32 for g in range(32)]


def call(*words, code=0):
    out = subprocess.run([PROGRAM[0], *words], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert out.returncode == code, (words, out.returncode, out.stdout, out.stderr)
    return out.stdout if code == 0 or "--json" in words else out.stderr + out.stdout


def simple_life(log, generations=5):
    log.entries += [life.genesis(T, log.document), life.boot(T + 1, 0)]
    log.entries += [life.seal(T + 10 + g, g, M[g]) for g in range(1, generations + 1)]


class Witnesses:
    """Three of `holdfast witness serve`, and a trust policy that wants two."""

    def __init__(self, folder, vkey):
        self.folder, self.running, lines = folder, [], []
        for i in range(3):
            at = os.path.join(folder, f"w{i}")
            key = json.loads(call("witness", "init", "--dir", at, "--name", f"w{i}.example", "--json"))["vkey"]
            call("witness", "add", "--dir", at, "--log", vkey)
            self.running.append(None)
            self.start(i)
            lines.append(f"witness w{i} {key} http://127.0.0.1:{self.port}\n")
        self.policy = os.path.join(folder, "witnesses")
        with open(self.policy, "w") as f:
            f.write("".join(lines) + "group all 2 w0 w1 w2\nquorum all\n")

    def start(self, i):
        p = subprocess.Popen([PROGRAM[0], "witness", "serve", "--dir", os.path.join(self.folder, f"w{i}"), "--listen", "127.0.0.1:0", "--json"],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.port = json.loads(p.stdout.readline())["port"]
        self.running[i] = p

    def stop(self, i):
        if self.running[i]:
            self.running[i].kill()
            self.running[i].wait()
            self.running[i].stdout.close()
            self.running[i] = None

    def close(self):
        for i in range(3):
            self.stop(i)

    def remembers(self, i):
        return json.loads(call("witness", "show", "--dir", os.path.join(self.folder, f"w{i}"), "--json"))["logs"][0]["size"]


class Bench(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hf-log-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.store = os.path.join(self.folder, "store")
        self.log = life.Log(self.folder)

    def read(self, name):
        with open(os.path.join(self.folder, name)) as f:
            return f.read()

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "wb" if isinstance(text, bytes) else "w") as f:
            f.write(text)
        return path

    def verify(self, *more, code=0):
        life.store(self.store, self.log)
        out = json.loads(call("log", "verify", "--store", self.store, "--json", *more, code=code))
        self.assertEqual(out["verified"], code == 0)
        return out

    def texts(self, out):
        return [n["text"] for n in out["notices"]]
