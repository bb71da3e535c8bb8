#!/usr/bin/env python3
"""A running service, verified from outside: what a sceptic is told, before setup, after it and
after a restart; and every lie about it, with the check that finds it. Needs root (the disk)."""
import base64
import hashlib
import http.server
import json
import os
import socket
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import eif
import rig as r

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))


def service_pcr(service_id):
    return hashlib.sha384(bytes(48) + bytes.fromhex(service_id)).hexdigest()


class Liar:
    """A relay in front of the parent that alters one answer."""

    def __init__(self, rig, path, change):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                code, headers, body = rig.request("GET", self.path)
                if self.path.split("?")[0] == path:
                    code, body = change(code, body)
                self.send_response(code)
                self.send_header("Content-Type", headers.get("Content-Type", "application/json"))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self.url

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Attestation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = r.Rig(BUILD)
        cls.addClassCleanup(cls.rig.close)
        cls.rig.simulator()
        cls.rig.start_parent()
        cls.rig.start_enclave()
        cls.root = cls.rig.path("sim", "nsm-root.pem")
        cls.url = f"http://127.0.0.1:{cls.rig.port}"

    def ask(self, query="", want=200):
        code, headers, body = self.rig.request("GET", "/attestation" + query)
        self.assertEqual(code, want, body)
        return headers, body

    def verify(self, *args, root=True):
        out = self.rig.holdfast("verify", "--json", *(["--root", self.root] if root else []), *args, check=False)
        return out.returncode, json.loads(out.stdout)

    def accepted(self, *args):
        code, out = self.verify(*args)
        self.assertEqual((code, out["failed"]), (0, None), out)
        return out

    def refused(self, name, *args, **kw):
        code, out = self.verify(*args, **kw)
        self.assertEqual((code, out["failed"]), (1, name), out)
        return out

    def write(self, name, data):
        path = self.rig.path(name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def verdict(self, out, name):
        return next(c["verdict"] for c in out["checks"] if c["name"] == name)

    def test_1_before_setup(self):
        answer = json.loads(self.ask("?nonce=aabb")[1])
        said = json.loads(answer["statement"])
        self.assertEqual((said["type"], said["version"], said["simulated"], said["name"]), ("holdfast-statement", 2, True, "demo"))
        for name in ("service_id", "public_key", "epoch", "settings", "policy", "log"):
            self.assertIsNone(said[name])
        out = self.accepted("--url", self.url, "--pcr", "0=" + r.PCR0)
        self.assertTrue(out["simulated"])
        self.assertEqual((out["statement"], out["document"]["pcrs"].get("16")), (said, None))
        self.assertEqual([self.verdict(out, n) for n in ("statement", "service", "public-key")], ["ok", "skipped", "skipped"])

    def test_2_after_setup(self):
        self.assertEqual(self.rig.setup()[0], 200)
        status = self.rig.status()
        out = self.accepted("--url", self.url, "--pcr", "0=" + r.PCR0)
        said = out["statement"]
        self.assertEqual((said["service_id"], said["public_key"], said["epoch"]), (status["service_id"], r.PUBLISHED, 1))
        self.assertEqual(said["settings"], {"key_id": self.rig.arn, "blockhash": r.BLOCKHASH, "blockhash_check": "unverified", "max_weight": None, "accepted": 0})
        self.assertEqual(out["document"]["pcrs"]["16"], service_pcr(said["service_id"]))
        self.assertEqual([self.verdict(out, n) for n in ("pcr", "nonce", "age", "statement", "service", "public-key")], ["ok"] * 6)
        text = self.rig.holdfast("verify", "--url", self.url, "--root", self.root)
        self.assertIn("SIMULATED", text.stderr)
        self.assertIn("any code", text.stderr)
        self.assertTrue(text.stdout.endswith("ACCEPTED\n"))
        # not AWS's root
        self.refused("root", "--url", self.url, root=False)
        self.assertIn("PCR16 holds the service id", self.rig.enclave.text())

    def test_3_the_two_formats_and_the_nonce(self):
        headers, doc = self.ask("?nonce=C0ffee&format=cose")
        self.assertEqual(headers["Content-Type"], "application/cose")
        code, headers, statement = self.rig.request("GET", "/statement")
        self.assertEqual((code, headers["Content-Type"]), (200, "application/json"))
        files = ["--document", self.write("doc", doc), "--statement", self.write("statement", statement)]
        out = self.accepted(*files, "--nonce", "c0ffee", "--max-age", "60")
        self.assertEqual(out["document"]["nonce"], "c0ffee")
        answer = json.loads(self.ask("?nonce=c0ffee")[1])
        self.assertEqual(answer["statement"].encode(), statement)
        self.assertEqual(answer["statement_sha256"], hashlib.sha256(statement).hexdigest())
        self.assertEqual(out["document"]["user_data"], (b"HFS1" + len(statement).to_bytes(4, "little") + hashlib.sha256(statement).digest()).hex())
        kept = self.write("kept", json.dumps(answer).encode())
        self.accepted("--document", kept, "--nonce", "c0ffee")
        self.refused("nonce", "--document", kept, "--nonce", "c0ffed")
        self.assertIsNone(self.accepted("--document", self.write("no-nonce", self.ask()[1]))["document"]["nonce"])
        long = "ab" * 512
        self.assertEqual(self.accepted("--document", self.write("long", self.ask("?nonce=" + long)[1]), "--nonce", long)["document"]["nonce"], long)
        for bad in ("?nonce=", "?nonce=1", "?nonce=xy", "?nonce=" + "00" * 513, "?format=xml"):
            self.ask(bad, 400)
        # a document that lay around, offline
        then = int(time.time())
        self.refused("age", *files, "--at", str(then + 400), "--max-age", "300")
        self.refused("validity", *files, "--at", str(then + 4 * 3600))
        self.refused("validity", *files, "--at", str(then - 3600))
        # another statement, by one letter or as a whole
        for text in (statement.replace(b'"demo"', b'"dem0"'), statement + b" ", b"{}", b""):
            self.refused("statement", "--document", files[1], "--statement", self.write("altered", text))
        self.assertEqual(self.verdict(self.accepted("--document", files[1]), "statement"), "skipped")

    def test_4_measurements(self):
        self.refused("pcr", "--url", self.url, "--pcr", "0=" + "11" * 48)
        self.refused("pcr", "--url", self.url, "--pcr", "0=" + r.PCR0, "--pcr", "16=" + "00" * 48)
        image = self.write("image.eif", eif.image(eif.usual()))
        self.refused("pcr", "--url", self.url, "--image", image)

    def test_5_a_parent_that_lies(self):
        def edit(**members):
            def change(code, body):
                answer = json.loads(body)
                for name, f in members.items():
                    answer[name] = f(answer[name])
                return code, json.dumps(answer).encode()
            return change
        def flip(document):
            doc = bytearray(base64.b64decode(document))
            doc[-1] ^= 1
            return base64.b64encode(bytes(doc)).decode()
        other = "02" + "11" * 32
        old = json.loads(self.ask("?nonce=00")[1])
        lies = (("/public-key", edit(public_key=lambda k: other), "public-key"),
                ("/public-key", lambda code, body: (404, b"{}"), "public-key"),
                ("/attestation", edit(statement=lambda s: s.replace(r.PUBLISHED, other)), "statement"),
                ("/attestation", edit(statement=lambda s: None), "statement"),
                ("/attestation", lambda code, body: (code, json.dumps(old).encode()), "nonce"),
                ("/attestation", edit(document=flip), "signature"),
                ("/attestation", edit(document=lambda d: d[:100]), "format"),
                ("/attestation", lambda code, body: (code, b"{}"), "format"))
        for path, change, name in lies:
            with Liar(self.rig, path, change) as url:
                self.refused(name, "--url", url)
        with Liar(self.rig, "/attestation", lambda code, body: (code, b"not json")) as url:
            self.assertEqual(self.verify("--url", url)[0], 4)
        with Liar(self.rig, "/nothing", None) as url:
            self.accepted("--url", url)

    def module(self, *requests):
        """One life of an enclave on the same machine: its requests to the module, answered."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.connect(self.rig.path("nsm.sock"))
            for q in requests:
                s.send(eif.cbor(q))
                answer = s.recv(0x3000)
        return answer

    def test_6_another_boot_of_the_same_build(self):
        """Its documents are genuine and may carry any user_data; only PCR16 tells whose it is."""
        statement = self.rig.request("GET", "/statement")[2]
        own = json.loads(statement)["service_id"]
        data = b"HFS1" + len(statement).to_bytes(4, "little") + hashlib.sha256(statement).digest()
        attest = {"Attestation": {"user_data": data, "nonce": b"n", "public_key": b"k"}}
        lock = {"LockPCR": {"index": 16}}

        def extend(text):
            return {"ExtendPCR": {"index": 16, "data": bytes.fromhex(text)}}
        args = ["--statement", self.write("statement", statement), "--nonce", "6e", "--pcr", "0=" + r.PCR0]
        for name, requests in (("service", ()), ("service", (extend("11" * 32), lock)), ("service", (lock,)), ("service", (extend(own),)),
                               (None, (extend(own), lock))):
            answer = self.module(*requests, attest)
            doc = answer[answer.index(b"\x84\x44\xa1\x01\x38\x22"):]
            code, out = self.verify("--document", self.write("doc", doc), *args)
            self.assertEqual((code, out["failed"]), (1 if name else 0, name), requests)

    def test_7_only_the_keeper_has_the_module(self):
        """The enclave's only socket of packets is its way to the module: init, which opens it, has it, and keeper."""
        with open("/proc/net/unix") as f:
            rows = [row.split() for row in f.read().splitlines()[1:]]
        packets = {int(words[6]) for words in rows if words[4] == "0005"}
        holders = {}
        for (name, _), pid in {("init", 0): self.rig.enclave.proc.pid, **self.rig.role_pids()}.items():
            for fd in os.listdir(f"/proc/{pid}/fd"):
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
                if target.startswith("socket:[") and int(target[8:-1]) in packets:
                    holders.setdefault(target, set()).add(name)
        self.assertEqual(list(holders.values()), [{"init", "keeper"}])

    def test_8_after_a_restart(self):
        before = self.accepted("--url", self.url)
        self.assertEqual(self.rig.enclave.stop(wait=60), 0)
        self.assertEqual(self.verify("--url", self.url)[0], 3)
        self.rig.start_enclave()
        after = self.accepted("--url", self.url, "--pcr", "0=" + r.PCR0)
        old, new = before["statement"].pop("log"), after["statement"].pop("log")
        self.assertEqual(after["statement"], before["statement"])
        self.assertEqual(new["key"], old["key"])
        self.assertGreater(new["size"], old["size"], "the log does not tell of this start")
        self.assertEqual(after["document"]["pcrs"]["16"], before["document"]["pcrs"]["16"])
        self.assertNotEqual(after["document"]["module_id"], before["document"]["module_id"])

    def test_9_a_debug_enclave(self):
        """The same service on a module in debug mode: KMS refuses it, so that it never opens; and what it
        attests before that is refused by name."""
        self.assertEqual(self.rig.enclave.stop(wait=60), 0)
        self.rig.nsm.stop()
        sim, state = self.rig.program("holdfast-sim"), self.rig.path("sim")
        nsm = self.rig.start("sim-nsm", sim, "nsm", "--state", state, "--listen", "unix:" + self.rig.path("nsm.sock"), "--debug", log="nsm-debug.log")
        self.rig.until(lambda: "debug mode" in nsm.text() and os.path.exists(self.rig.path("nsm.sock")), "the module in debug mode", nsm)
        self.rig.parent.stop()
        self.rig.start_parent(store="empty")
        self.rig.start_enclave()
        self.refused("debug", "--url", self.url)
        out = self.accepted("--url", self.url, "--allow-debug")
        self.assertTrue(out["document"]["debug"])
        self.refused("pcr", "--url", self.url, "--allow-debug", "--pcr", "0=" + r.PCR0)
        self.assertIn(self.rig.setup()[0], (403, 500))         # the key's policy names a PCR0, and zeros are none
        self.assertIsNone(self.accepted("--url", self.url, "--allow-debug")["statement"]["service_id"])


if os.geteuid() != 0:
    print("needs root: the enclave mounts its disk")
    sys.exit(77)
if not os.path.exists(os.path.join(BUILD, "sim", "holdfast-sim")):
    print("needs holdfast-sim")
    sys.exit(77)
unittest.main(verbosity=1, failfast=True)
