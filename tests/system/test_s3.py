#!/usr/bin/env python3
"""Stores in an S3-compatible server (npm's s3rver, fetched into the build folder; it has no conditional puts, so the rule of
claims is what is tried there), through a proxy of ours that throttles, breaks off and counts; and in a double for what that server cannot do."""
import http.client
import http.server
import json
import os
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import bip341_verify as model
import rig as r
import s3_double

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
DRIVE = os.path.join(BUILD, "tests", "s3_drive")
SERVER = "s3rver@3.7.1"


def fetch():
    """The folder that has s3rver, or None and why not."""
    folder = os.path.join(BUILD, "tests", "s3rver")
    if not shutil.which("npm") or not shutil.which("node"):
        return None, "npm or node is not installed"
    if not os.path.isdir(os.path.join(folder, "node_modules", "s3rver")):
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "package.json"), "w") as f:
            f.write('{"private": true}')
        out = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", SERVER], cwd=folder, capture_output=True, text=True, timeout=240)
        if out.returncode:
            shutil.rmtree(os.path.join(folder, "node_modules"), ignore_errors=True)
            return None, "npm cannot fetch s3rver: " + out.stderr.strip()[-200:]
    return folder, ""


class Proxy(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Passes requests on; `trouble(method, path)` may say 503 (SlowDown), or "cut": the answer is lost after the request got through."""
    daemon_threads = True

    def __init__(self, port):
        self.target, self.trouble, self.seen = port, lambda method, path: None, []
        super().__init__(("127.0.0.1", 0), Relay)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass


class Relay(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def relay(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path))
        what = self.server.trouble(self.command, self.path)
        if what == 503:
            self.close_connection = True
            text = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>slow</Message></Error>"
            self.send_response(503)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
            return
        con = http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=60)
        con.request(self.command, self.path, body, dict(self.headers))
        answer = con.getresponse()
        data = answer.read()
        if what == "cut":
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", answer.getheader("Content-Length") if self.command == "HEAD" and answer.getheader("Content-Length") else str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        con.close()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = relay

    def log_message(self, *args):
        pass


class S3(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder, why = fetch()
        if not cls.folder:
            raise unittest.SkipTest(why)
        print("server: npm " + SERVER, file=sys.stderr)

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="holdfast-s3-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        self.port = r.free_port()
        self.start_server()
        self.addCleanup(self.stop_server)
        self.proxy = Proxy(self.port)
        self.addCleanup(self.proxy.server_close)
        self.addCleanup(self.proxy.shutdown)
        os.environ.update(AWS_ACCESS_KEY_ID="S3RVER", AWS_SECRET_ACCESS_KEY="S3RVER", AWS_REGION="us-east-1")
        self.name = f"s3:http://127.0.0.1:{self.proxy.server_address[1]}/bucket/some/place"

    def start_server(self):
        self.server = subprocess.Popen(["node", os.path.join(self.folder, "node_modules", "s3rver", "bin", "s3rver.js"), "-d", os.path.join(self.dir, "data"),
                                        "-a", "127.0.0.1", "-p", str(self.port), "--silent", "--configure-bucket", "bucket"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(300):
            if r.listening(self.port):
                return
            time.sleep(0.1)
        raise r.Failure("s3rver does not listen")

    def stop_server(self):
        self.server.kill()
        self.server.wait()

    def drive(self, *words, code=0):
        out = subprocess.run([DRIVE, self.name, *words], capture_output=True, text=True, timeout=240)
        self.assertEqual(out.returncode, code, out.stdout + out.stderr)
        return out

    def double(self, conditional):
        bucket = s3_double.Bucket(conditional)
        self.addCleanup(bucket.server_close)
        self.addCleanup(bucket.shutdown)
        self.name = f"s3:http://127.0.0.1:{bucket.server_address[1]}/bucket/p"
        return bucket

    def test_objects(self):
        self.drive("objects", "900")          # s3rver answers 500 to a listing of more than one page
        posts = [path for method, path in self.proxy.seen if method == "POST"]
        self.assertTrue(any(path.endswith("?uploads=") or path.endswith("?uploads") for path in posts), "no multipart upload was seen")
        self.assertTrue(all("/bucket/some/place/" in path or path.startswith("/bucket?") or path.startswith("/bucket/?") for _, path in self.proxy.seen))

    def test_head(self):
        self.assertIn("has no conditional puts", self.drive("head").stderr)

    def test_many_pages(self):
        self.double(True)
        self.drive("objects", "1100")

    def test_writers_that_race(self):
        """On a double: s3rver itself dies of concurrent deletes."""
        for conditional in (False, True):
            with self.subTest(conditional=conditional):
                self.double(conditional)
                self.assertIn("has conditional puts" if conditional else "has no conditional puts", self.drive("head").stderr)
                self.double(conditional)
                self.race()

    def race(self):
        writers = [subprocess.Popen([DRIVE, self.name, "race", "6"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
        taken = []
        for w in writers:
            out, said = w.communicate(timeout=200)
            self.assertEqual(w.returncode, 0, said)
            taken += [int(n) for n in out.split()]
        self.assertEqual(sorted(taken), list(range(1, 19)), "a number was taken twice, or not at all")

    def test_throttled_and_cut_off(self):
        """Every third request is told to slow down, and the answers of some are lost: nothing is done twice."""
        lock, calls = threading.Lock(), [0]

        def trouble(method, path):
            with lock:
                calls[0] += 1
                return 503 if calls[0] % 3 == 0 else "cut" if calls[0] % 10 == 1 else None
        self.proxy.trouble = trouble
        self.drive("head")

    def test_no_keys(self):
        """Without credentials nothing is asked of anybody but the instance, which there is not."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        env["AWS_EC2_METADATA_DISABLED"] = "true"
        out = subprocess.run([DRIVE, self.name, "head"], capture_output=True, text=True, timeout=60, env=env)
        self.assertEqual(out.returncode, 1)
        self.assertNotIn("S3RVER", out.stderr)

    def test_a_service_with_two_stores(self):
        """A folder and a bucket; the bucket's server dies and comes back; then the folder is lost."""
        rig = r.Rig(BUILD, options={"judges": "1", "size": "16M", "interval": "0s"})
        self.addCleanup(rig.close)
        rig.simulator()
        rig.start_parent()
        rig.parent.stop()
        self.parent(rig, f"store = dir:{rig.path('here')}, {self.name}\ndurable = 1")
        rig.start_enclave()
        self.assertEqual(rig.setup()[0], 200, rig.enclave.text())
        key = rig.status()["public_key"]
        request = r.spend("5120" + model.emulated_key(bytes.fromhex(key), model.leaf_hash(b"\x51")).hex())
        self.assertEqual(rig.sign(request)[0], 200)
        self.assertEqual(rig.seal()[0], 200)
        self.stop_server()
        self.assertEqual(rig.sign(request)[0], 200)
        self.assertEqual(rig.seal()[0], 200, "one store is enough here")
        generation = rig.status()["disk"]["generation"]
        self.start_server()
        rig.until(lambda: self.newest(rig) == generation, "the bucket to be brought up", seconds=100)
        verdicts = json.loads(rig.holdfast("backup", "verify", "--store", self.name, "--json").stdout)["generations"]
        self.assertEqual({g["verdict"] for g in verdicts}, {"whole"})
        history = json.loads(rig.get("/requests")[2])
        rig.kill_enclave()
        rig.parent.stop()
        shutil.rmtree(rig.path("here"))
        self.parent(rig, f"store = {self.name}")
        rig.start_enclave()
        rig.wait_phase("serving")
        self.assertEqual(rig.status()["public_key"], key)
        self.assertEqual(json.loads(rig.get("/requests")[2]), history)
        self.assertEqual(rig.seal()[0], 200)
        copy = rig.path("copy")
        rig.holdfast("backup", "copy", copy, "--store", self.name)
        rig.holdfast("backup", "verify", "--store", f"dir:{copy}")

    def newest(self, rig):
        out = rig.holdfast("backups", "--store", self.name, "--json", check=False)
        return max((g["generation"] for g in json.loads(out.stdout).get("generations", [])), default=0) if out.returncode == 0 else 0

    def parent(self, rig, store):
        with open(rig.path("parent.ini")) as f:
            text = f.read()
        text = text[:text.index("[store]")] + "[store]\n" + store + "\n"
        with open(rig.path("parent.ini"), "w") as f:
            f.write(text)
        rig.parent = rig.start("parent", rig.program("holdfast"), "run", "--config", rig.path("parent.ini"))
        rig.until(lambda: r.listening(rig.port), "the parent", rig.parent)


if __name__ == "__main__":
    unittest.main(verbosity=2)
