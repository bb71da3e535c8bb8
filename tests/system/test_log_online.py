#!/usr/bin/env python3
"""holdfast log show and monitor against a service, whose answers are those of docs/api.md.

Usage: test_log_online.py PATH_OF_HOLDFAST [unittest arguments]. Standard library and openssl only."""
import base64
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import urllib.parse

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from log_rig import M, T, Bench, Witnesses, call, life, simple_life
from parent_rig import PROGRAM, main


class Service(http.server.BaseHTTPRequestHandler):
    """GET /log/... of a service, over a log that the test changes."""
    log, said = None, None

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        q = {k: int(v[0]) for k, v in urllib.parse.parse_qs(url.query).items()}
        log = Service.log
        status, kind, body = 404, "application/json", b'{"error":"nothing"}'
        if url.path == "/log/checkpoint" and log.entries:
            status, kind, body = 200, "text/plain; charset=utf-8", Service.said or log.note()
        elif url.path == "/log/entries":
            status, body = 200, json.dumps(log.answer(q["from"], min(q["limit"], 3))).encode()
        elif url.path == "/log/proof":
            status, body = 200, json.dumps(log.proof(q["old"], q["size"])).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Online(Bench):
    def setUp(self):
        super().setUp()
        Service.log, Service.said = self.log, None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.state = os.path.join(self.folder, "state")

    def monitor(self, *more, code=0):
        return json.loads(call("log", "monitor", "--url", self.url, "--state", self.state, "--json", *more, code=code))

    def test_show_of_a_service(self):
        simple_life(self.log, 9)
        out = json.loads(call("log", "show", "--url", self.url, "--json"))
        self.assertEqual([base64.b64decode(e["raw"]) for e in out["entries"]], self.log.entries)
        out = json.loads(call("log", "show", "--url", self.url, "--limit", "2", "--json"))
        self.assertEqual([e["index"] for e in out["entries"]], [9, 10])
        self.assertEqual(json.loads(call("log", "show", "--url", self.url, "--from", "4", "--limit", "5", "--json"))["entries"][4]["index"], 8)

    def test_monitor(self):
        call("log", "monitor", "--url", self.url, code=2)
        self.assertIn("no checkpoint", self.monitor(code=1)["error"])
        simple_life(self.log)
        self.assertEqual(self.monitor("--vkey", self.log.vkey)["first"], True)
        self.assertEqual(self.monitor()["size"], 7)
        self.log.entries += [life.seal(T + 40 + g, g, M[g]) for g in range(6, 12)]
        out = self.monitor("--vkey", self.log.vkey)
        self.assertEqual((out["alarm"], out["size_before"], out["size"]), (False, 7, 13))
        with open(self.state, "rb") as f:
            kept = f.read()
        self.assertEqual(kept, self.log.note())

        def alarms(words, *more):
            out = self.monitor(*more, code=1)
            self.assertEqual(out["alarm"], True)
            self.assertIn(words, out["error"])
            with open(self.state, "rb") as f:
                self.assertEqual(f.read(), kept, "what proves it stays")
        whole = list(self.log.entries)
        del self.log.entries[10:]
        alarms("shorter")
        self.log.entries[:] = whole
        self.log.entries[4] = life.seal(T, 3, M[9])
        alarms("other entries than before")
        self.log.entries += [life.seal(T + 60, 12, M[12])]
        alarms("cannot prove")
        self.log.entries[4] = whole[4]
        other = life.Log(self.folder)
        alarms("not signed by --vkey", "--vkey", other.vkey)
        anew = life.Log(self.folder, number=1)
        anew.entries = self.log.entries
        Service.said = anew.note()
        alarms("another log")
        Service.said = b"rubbish"
        self.assertIn("is none", self.monitor(code=4)["error"])
        Service.said = None
        self.assertEqual(self.monitor()["size"], 14)
        self.server.shutdown()
        self.server.server_close()
        self.monitor(code=3)
        with open(self.state, "wb") as f:
            f.write(b"rubbish")
        self.monitor(code=2)

    def test_watching(self):
        simple_life(self.log)
        p = subprocess.Popen([PROGRAM[0], "log", "monitor", "--url", self.url, "--state", self.state, "--interval", "1", "--json"], stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual(json.loads(p.stdout.readline())["first"], True)
            self.log.entries.append(life.seal(T + 40, 6, M[6]))
            while json.loads(p.stdout.readline())["size"] != 8:
                pass
            del self.log.entries[5:]
            while True:
                out = json.loads(p.stdout.readline())
                if out["alarm"]:
                    break
            self.assertIn("shorter", out["error"])
            self.assertEqual(p.wait(20), 1)
        finally:
            p.kill()
            p.wait()
            p.stdout.close()

    def test_cosigned_by_a_quorum(self):
        simple_life(self.log)
        witnesses = Witnesses(self.folder, self.log.vkey)
        witnesses.close()
        out = self.monitor("--witnesses", witnesses.policy, code=1)
        self.assertIn("quorum", out["error"])


if __name__ == "__main__":
    if not shutil.which("openssl"):
        print("skipped: no openssl to sign with")
        sys.exit(77)
    main(__doc__)
