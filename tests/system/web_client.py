"""Clients of the role `web`, and the program that plays its peers. For test_web_*.py."""
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import unittest

STARTING, AWAITING, DERIVING, RESTORING, SERVING = range(5)
NULL_OUTPOINT = "00" * 32 + ":4294967295"
P2TR = "5120" + "fa33dccbd0877cc7e33d4655b5dbe28cf4ad81d1f110e4492c7634ff430ce21f"
CONTROL = "c04d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766"


def an_input(witness=("51", CONTROL), outpoint=NULL_OUTPOINT, sequence=4294967293):
    return {"previous_output": outpoint, "script_sig": "", "sequence": sequence, "witness": list(witness)}


def a_request(version=2, inputs=None, outputs=None, spent=None, roots=None):
    inputs = [an_input()] if inputs is None else inputs
    return {
        "emulated_tx_to": {
            "version": version, "lock_time": 0, "input": inputs,
            "output": [{"value": 100000, "script_pubkey": "6a00"}] if outputs is None else outputs,
        },
        "actual_spent_outputs": [{"value": 100000, "script_pubkey": P2TR}] * len(inputs) if spent is None else spent,
        "backup_merkle_roots": {} if roots is None else roots,
    }


SETUP = {"key_id": "arn:aws:kms:eu-west-1:1:key/k", "blockhash": "00" * 32}


def connect(s, path):
    """A unix listener with a full backlog says EAGAIN where TCP would wait."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return s.connect(path)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


class Connection(http.client.HTTPConnection):
    """http.client over a unix socket."""

    def __init__(self, path, timeout=20):
        super().__init__("web", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        connect(self.sock, self.path)


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.body)


class Peer:
    def __init__(self, connections=400, timeout=5, address=None):
        self.dir = tempfile.TemporaryDirectory(prefix="holdfast-web-")
        self.path = os.path.join(self.dir.name, "web")
        self.process = subprocess.Popen([os.environ["WEB_PEER"], address or "unix:" + self.path, str(connections), str(timeout)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.tell("asked")                   # answered once it listens

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def ended(self):
        """The child's status: an exit status, or 256 + a signal."""
        line = self.process.stdout.readline()
        return int(re.fullmatch(r"ended (\d+)\n", line).group(1))

    def serving(self):
        self.tell(f"state {SERVING}")
        self.tell("disk 1")
        return self

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()
        self.dir.cleanup()

    def connection(self, timeout=20):
        return Connection(self.path, timeout)

    def ask(self, method, path, body=None, headers=None):
        c = self.connection()
        try:
            c.request(method, path, body=body, headers=headers or {})
            return Answer(c.getresponse())
        finally:
            c.close()

    def post(self, path, document, kind="application/json"):
        body = document if isinstance(document, (bytes, str)) else json.dumps(document)
        return self.ask("POST", path, body, {"Content-Type": kind} if kind else {})

    def sign(self, document):
        return self.post("/verify-and-sign", document)

    def raw(self, data, timeout=20, shut=False):
        """Send bytes, and give back all that comes until the end of the stream."""
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        connect(s, self.path)
        with s:
            try:
                s.sendall(data)
                if shut:
                    s.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            got = b""
            try:
                while piece := s.recv(65536):
                    got += piece
            except OSError:
                pass
            return got

    def raw_connection(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        connect(s, self.path)
        return s


class Base(unittest.TestCase):
    connections, timeout = 400, 5

    def setUp(self):
        self.peer = Peer(self.connections, self.timeout)
        self.addCleanup(self.peer.close)

    def assert_error(self, answer, status, text=None):
        self.assertEqual(answer.status, status, answer.body[:300])
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        said = answer.json()
        self.assertEqual(set(said), {"error", "status", "request_id"})
        self.assertEqual(said["status"], status)
        self.assertEqual(said["request_id"], answer.headers["X-Request-Id"])
        self.assertRegex(said["request_id"], r"^[0-9a-f]{16}$")
        if text is not None:
            self.assertEqual(said["error"], text)
        return said["error"]

    def assert_alive(self):
        answer = self.peer.ask("GET", "/health")
        self.assertEqual((answer.status, answer.body), (200, b"OK"))


def main():
    os.environ["WEB_PEER"] = sys.argv.pop(1)
    unittest.main(module="__main__", verbosity=2 if os.environ.get("HOLDFAST_TEST_LOG") else 1)
