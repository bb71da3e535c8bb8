#!/usr/bin/env python3
"""holdfast upgrade: real signatures and a real attestation document; the two builds are played."""
import base64
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import grant as model
from policy_rig import HOLDFAST, PCRS, SERVICE, Maintainers
from sim_rig import SIM, cbor

ARN = "arn:aws:kms:eu-central-1:444455556666:key/fedcba98-7654-3210-fedc-ba9876543210"
MASTER = "02" + "11" * 32
KEY = bytes(range(32))


class Played:
    """An HTTP service: routes are functions of the query (GET) or the body (POST)."""

    def __init__(self, routes):
        played = self
        self.routes, self.asked = routes, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, what):
                path = urllib.parse.urlsplit(self.path)
                played.asked.append((self.command + " " + path.path, what or dict(urllib.parse.parse_qsl(path.query))))
                route = played.routes.get(path.path, (404, {"error": "nothing there", "request_id": "r"}))
                status, body = route(played.asked[-1][1]) if callable(route) else route
                body = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer(None)

            def do_POST(self):
                self.answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def names(self):
        return [name for name, _ in self.asked]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Upgrade(Maintainers):
    def setUp(self):
        super().setUp()
        self.hash = json.loads(subprocess.run([HOLDFAST, "release", "show", self.path("release.json"), "--json"], check=True, capture_output=True).stdout)["sha256"]
        self.nsm("nsm", *[w for i in range(3) for w in ("--pcr", f"{i}={PCRS[2 * i + 1]}")])
        self.state, self.ready_at = "ready", int(time.time())
        self.old = self.play({"/documents": self.documents, "/releases": self.releases, "/public-key": (200, {"public_key": MASTER}),
                              "/upgrade/grant": lambda body: (200, {"granted": body["release"], "object": "grant-x"})})
        self.new = self.play({"/announcement": lambda q: (200, {"document": self.attest(bytes.fromhex(q["nonce"])), "statement": ""})})

    def play(self, routes):
        played = Played(routes)
        self.addCleanup(played.close)
        return played

    def nsm(self, name, *options):
        os.mkdir(self.path(name))
        process = subprocess.Popen([SIM, "nsm", "--state", self.path(name), "--listen", "unix:" + self.path(name, "sock"), *options], stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (process.terminate(), process.wait()))
        end = time.monotonic() + 20
        while not (os.path.exists(self.path(name, "sock")) and os.path.exists(self.path(name, "nsm-root.pem"))):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def attest(self, nonce=None, service=bytes.fromhex(SERVICE), master=bytes.fromhex(MASTER), findings=0, nsm="nsm", user_data=None):
        """An announcement, in base64."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.connect(self.path(nsm, "sock"))
            s.send(cbor({"Attestation": {"user_data": user_data or model.announcement(service, master, ARN, findings), "nonce": nonce, "public_key": KEY}}))
            answer = s.recv(0x3000)
        start = answer.index(b"hdocument") + len(b"hdocument")
        self.assertEqual(answer[start], 0x59)
        return base64.b64encode(answer[start + 3:]).decode()

    def documents(self, body):
        account = [{"name": "service", "verdict": "ok", "detail": "it is this one"}, {"name": "signatures", "verdict": "ok", "detail": f"{len(body['signatures'])} came"}]
        return 200, {"kind": "holdfast-release", "hash": self.hash, "ready_at": self.ready_at, "state": self.state, "account": account}

    def releases(self, _):
        now = int(time.time())
        state = "ready" if self.state == "pending" and now >= self.ready_at else self.state
        return 200, {"policy": None, "releases": [{"hash": "00" * 32, "state": "vetoed"}, {"hash": self.hash, "label": "x", "sequence": 1, "ready_at": self.ready_at, "state": state}],
                     "now": now}

    def upgrade(self, *options, code=0, root="nsm"):
        root = ["--root", self.path(root, "nsm-root.pem")] if root else []
        out = subprocess.run([HOLDFAST, "upgrade", "--release", self.path("release.json"), "--url", self.old.url, *root, *options],
                             capture_output=True, text=True, timeout=120)
        self.assertEqual(out.returncode, code, out.stdout + out.stderr)
        return json.loads(out.stdout) if "--json" in options else out.stdout + out.stderr

    def test_whole(self):
        self.state, self.ready_at = "pending", int(time.time()) + 2
        sigs = self.sign("release", "release.json", "a", "b")
        text = self.upgrade(*sigs, "--wait", "--new-url", self.new.url)
        self.assertIn("pending until", text)
        for line in ("ok       service", "ok       signatures       2 came", "ok       submitted        " + self.hash, "ok       delay", "ok       attestation",
                     "ok       new build        it is the release's; build key " + KEY.hex() + ", KMS key " + ARN, "ok       key-finding", "ok       granted"):
            self.assertIn(line, text)
        self.assertIn("\ngranted: ", text)
        _, asked = self.old.asked[0]
        with open(self.path("release.json"), "rb") as f:
            self.assertEqual(base64.b64decode(asked["document"]), f.read())
        with open(sigs[1], "rb") as f:
            self.assertEqual(base64.b64decode(asked["signatures"][0]), f.read())
        self.assertEqual(self.old.names()[:1] + self.old.names()[-2:], ["POST /documents", "GET /public-key", "POST /upgrade/grant"])
        self.assertEqual(self.old.names().count("GET /releases"), len(self.old.asked) - 3)
        self.assertEqual(self.old.asked[-1][1]["release"], self.hash)
        self.assertIn(KEY, base64.b64decode(self.old.asked[-1][1]["announcement"]))

    def test_for_programs(self):
        said = self.upgrade("--new-url", self.new.url, "--json")
        self.assertEqual((said["release"], said["state"], said["grant"]["object"]), (self.hash, "granted", "grant-x"))
        self.assertEqual([(c["name"], c["verdict"]) for c in said["checks"]],
                         [("delay", "ok"), ("attestation", "ok"), ("new build", "ok"), ("key-finding", "ok"), ("granted", "ok")])
        self.assertNotIn("POST /documents", self.old.names())

    def test_it_waits_or_says_so(self):
        self.state, self.ready_at = "pending", int(time.time()) + 3600
        said = self.upgrade("--new-url", self.new.url, "--json")
        self.assertEqual((said["state"], said["ready_at"], said["grant"]), ("pending", self.ready_at, None))
        self.assertEqual((self.old.names(), self.new.asked), (["GET /releases"], []))
        self.assertIn("pending: until 20", self.upgrade())
        self.state = "ready"
        self.assertIn("--new-url", self.upgrade())

    def test_what_the_service_refuses(self):
        self.state = "vetoed"
        said = self.upgrade("--new-url", self.new.url, "--json", code=1)
        self.assertEqual((said["state"], self.new.asked), ("vetoed", []))
        self.state = "ready"
        refusal = {"error": "the document is refused", "reason": "quorum", "request_id": "r",
                   "account": [{"name": "signatures", "verdict": "failed", "detail": "1 of 2\x1b[31m"}]}
        self.old.routes["/documents"] = (403, refusal)
        sigs = self.sign("release", "release.json", "a")
        text = self.upgrade(*sigs, code=1)
        self.assertIn("FAILED   signatures       1 of 2\\x1b[31m\n", text)
        self.assertIn("the document is refused: quorum (HTTP 403)", text)
        said = self.upgrade(*sigs, "--json", code=1)
        self.assertEqual((said["reason"], said["account"], said["status"]), ("quorum", refusal["account"], 403))
        self.old.routes["/documents"] = (200, {"hash": "00" * 32})
        self.assertIn("another document", self.upgrade(*sigs, code=4))
        self.old.routes["/upgrade/grant"] = (403, {"error": "not granted", "reason": "key-findings", "request_id": "r"})
        self.assertIn("not granted: key-findings", self.upgrade("--new-url", self.new.url, code=1))
        self.old.routes["/upgrade/grant"] = (200, {"granted": "00" * 32})
        self.assertIn("another grant", self.upgrade("--new-url", self.new.url, code=4))
        self.old.routes["/releases"] = (200, {"policy": None, "releases": [], "now": 1})
        self.assertIn("does not know the release", self.upgrade(code=1))

    def refused(self, reason, document, root="nsm"):
        """By the command line: nothing is asked of the old build."""
        path = self.write("announcement.json", json.dumps({"document": document}))
        said = self.upgrade("--announcement", path, "--json", code=1, root=root)
        self.assertEqual((said["reason"], said["checks"][-1]["verdict"]), (reason, "failed"))
        self.assertNotIn("POST /upgrade/grant", self.old.names())

    def test_announcements_that_are_not(self):
        good = self.attest()
        raw = bytearray(base64.b64decode(good))
        raw[-1] ^= 1
        self.refused("signature", base64.b64encode(raw).decode())
        self.refused("root", good, root=None)
        self.refused("other-service", self.attest(service=bytes(32)))
        self.refused("other-public-key", self.attest(master=b"\3" * 33))
        self.refused("form", self.attest(user_data=b"HFS1" + bytes(36)))
        self.refused("unknown-version", self.attest(user_data=b"HFA1\2\0\0\0"))
        for i in range(3):
            name = f"other{i}"
            self.nsm(name, *[w for n in range(3) for w in ("--pcr", f"{n}={'ee' * 48 if n == i else PCRS[2 * n + 1]}")])
            self.refused(f"other-pcr{i}", self.attest(nsm=name), root=name)
        self.nsm("debug", "--debug")
        self.refused("debug", self.attest(nsm="debug"), root="debug")
        kept = self.attest(b"\7" * 32)
        self.new.routes["/announcement"] = (200, {"document": kept})      # an old one, played again
        said = self.upgrade("--new-url", self.new.url, "--json", code=1)
        self.assertEqual((said["reason"], said["checks"][-1]["name"]), ("nonce", "attestation"))

    def test_files_and_findings(self):
        document = self.attest(findings=1 << 13 | 1 << 22)
        with open(self.path("document.bin"), "wb") as f:
            f.write(base64.b64decode(document))
        for path in (self.path("document.bin"), self.write("answer.json", json.dumps({"document": document, "statement": "x"}))):
            said = self.upgrade("--announcement", path, "--json")
            self.assertEqual([c["detail"] for c in said["checks"] if c["name"] == "key-finding"], ["policy-changed", "action-manages"])
            self.assertEqual(self.old.asked[-1][1]["announcement"], document)
        self.upgrade("--announcement", self.write("no.json", "{}"), code=2)
        self.upgrade("--announcement", "/no/such/file", code=2)

    def test_usage_and_reach(self):
        self.upgrade("--new-url", self.new.url, "--announcement", "x", code=2)
        self.upgrade("--sig", "/no/such/file", code=2)
        self.upgrade("--root", "/dev/null", "--new-url", self.new.url, code=2, root=None)
        self.upgrade("--new-url", "ftp://x", code=2)
        out = subprocess.run([HOLDFAST, "upgrade", "--url", self.old.url], capture_output=True, text=True)
        self.assertEqual((out.returncode, "--release FILE" in out.stderr), (2, True))
        out = subprocess.run([HOLDFAST, "upgrade", "--release", self.path("policy.json")], capture_output=True, text=True)
        self.assertEqual(out.returncode, 1)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            closed = f"http://127.0.0.1:{s.getsockname()[1]}"
        self.assertIn("the new build at", self.upgrade("--new-url", closed, code=3))
        self.new.routes["/announcement"] = (409, {"error": "this build has its keys", "request_id": "r"})
        self.assertIn("this build has its keys (HTTP 409)", self.upgrade("--new-url", self.new.url, code=1))
        out = subprocess.run([HOLDFAST, "upgrade", "--release", self.path("release.json"), "--url", closed], capture_output=True, text=True)
        self.assertEqual(out.returncode, 3)


if __name__ == "__main__":
    if not (os.path.exists(HOLDFAST) and os.path.exists(SIM) and shutil.which("ssh-keygen")):
        print("SKIP: holdfast, holdfast-sim or ssh-keygen is missing")
        sys.exit(77)
    unittest.main()
