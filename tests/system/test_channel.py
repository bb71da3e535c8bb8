#!/usr/bin/env python3
"""Requests that come encrypted: the channel to the attested key, and the earlier systems' endpoint. The client is
tests/models/hpke.py, which shares no code with the program."""
import concurrent.futures
import http.server
import json
import os
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import bip341_verify as model
import hpke
import rig as r

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
CLIENT = b"\x03" * 32
CLIENT_PUBLIC = "02531fe6068134503d2723133227c867ac8fa6c83c537e9a44c3c5bdbdcb1fe337"
OCTETS = {"Content-Type": "application/octet-stream"}
PLAIN_MAX = 4 << 20


def now_ms():
    return int(time.time() * 1000)


class Channel:
    """A client of one running enclave."""

    def __init__(self, rig):
        self.rig = rig
        self.refresh()

    def refresh(self):
        code, _, body = self.rig.get("/v1/channel")
        said = json.loads(body)
        self.key, self.boot, self.code = bytes.fromhex(said["key"]), bytes.fromhex(said["boot"]), code
        return self

    def make(self, method, path, body=b"", **other):
        what = {"key": self.key, "boot": self.boot, "time_ms": now_ms(), **other}
        return hpke.Ask(what["key"], what["boot"], what["time_ms"], method, path, body)

    def send(self, data, timeout=90):
        return self.rig.request("POST", "/v1/channel", data, OCTETS, timeout)

    def ask(self, method, path, body=b"", **other):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        question = self.make(method, path, body, **other)
        code, headers, answer = self.send(question.bytes)
        if code != 200:
            raise AssertionError(f"the channel said {code} {answer!r}")
        assert headers["Content-Type"] == "application/octet-stream", headers
        return question.read(answer)


class Base(unittest.TestCase):
    def start(self, setup=True, how="open"):
        rig = r.Rig(BUILD, options={"judges": "1", "setup": how})
        self.addCleanup(rig.close)
        rig.simulator()
        rig.start_parent()
        rig.start_enclave()
        if setup:
            self.assertEqual(rig.setup()[0], 200, rig.enclave.text())
        return rig

    def spend(self, rig):
        key = bytes.fromhex(json.loads(rig.get("/public-key")[2])["public_key"])
        self.master = key
        return r.spend("5120" + model.emulated_key(key, model.leaf_hash(bytes.fromhex(r.LEAF_TRUE))).hex())

    def plain_error(self, answer, status, text):
        code, headers, body = answer
        said = json.loads(body)
        self.assertEqual((code, said["error"], said["status"]), (status, text, status))
        self.assertEqual(headers["Content-Type"], "application/json")


class TheChannel(Base):
    def test_everything_over_it(self):
        rig = self.start(setup=False, how="channel")
        ch = Channel(rig)
        first = ch.key
        self.plain_error(rig.setup(), 403, "This service is set up over the channel only.")
        self.assertEqual(ch.ask("GET", "/public-key")[0], 404)
        self.assertEqual(ch.ask("POST", "/setup", {"key_id": 5})[0], 422)
        status, kind, body = ch.ask("POST", "/setup", {"key_id": rig.arn, "blockhash": r.BLOCKHASH})
        self.assertEqual((status, kind, body), (200, "text/plain", b"Secret generated successfully."))
        # Now the key is the service's, and the attestation document says it.
        with self.assertRaisesRegex(AssertionError, "400 .*This request is not authentic"):
            ch.ask("GET", "/public-key")
        ch.refresh()
        self.assertNotEqual(ch.key, first)
        self.assertIn(ch.key, rig.get("/attestation?format=cose&nonce=00ff")[2])
        status, kind, body = ch.ask("GET", "/public-key")
        self.assertEqual((status, kind, json.loads(body)["public_key"]), (200, "application/json", r.PUBLISHED))
        request = self.spend(rig)
        status, _, body = ch.ask("POST", "/verify-and-sign", request)
        self.assertEqual(status, 200, body)
        model.verify_answer(request, json.loads(body), self.master)
        self.assertEqual(json.loads(ch.ask("GET", "/settings")[2])["key_id"], rig.arn)
        self.assertEqual(json.loads(ch.ask("GET", "/requests?limit=1")[2])["total"], 1)
        self.assertEqual(ch.ask("GET", "/requests?limit=0")[0], 400)
        self.assertEqual(len(json.loads(ch.ask("GET", "/requests?before=1&limit=9")[2])["requests"]), 0)
        self.assertEqual(json.loads(ch.ask("GET", "/status")[2])["phase"], "serving")
        self.assertEqual(ch.ask("POST", "/seal")[0], 200)
        self.assertEqual(ch.ask("POST", "/setup", {"key_id": rig.arn, "blockhash": r.BLOCKHASH})[0], 409)
        # What it does not carry, and what is not there.
        self.assertEqual([ch.ask(*q)[0] for q in (("GET", "/health"), ("GET", "/v1/channel"), ("POST", "/v1/channel"),
                                                  ("GET", "/nothing"), ("POST", "/status"), ("GET", "/seal"))], [404, 404, 404, 404, 405, 405])
        request["actual_spent_outputs"][0]["script_pubkey"] = "5120" + "00" * 32
        status, kind, body = ch.ask("POST", "/verify-and-sign", request)
        self.assertEqual((status, kind), (400, "application/json"), body)
        self.assertEqual(ch.ask("POST", "/verify-and-sign", b"{")[0], 400)

    def test_altered_and_misdirected(self):
        rig = self.start()
        ch = Channel(rig)
        auth = "This request is not authentic, or not for this service's channel key."
        question = ch.make("GET", "/settings")
        for at in (0, 4, 20, 36, 52, 60, 61, 62, 65, len(question.bytes) - 17, len(question.bytes) - 1):
            data = bytearray(question.bytes)
            data[at] ^= 1
            code, _, body = ch.send(bytes(data))
            self.assertIn((code, json.loads(body)["error"]), {
                (400, auth), (400, "This is no request of the channel."),
                (409, "This request is for another start of the service. Ask GET /v1/channel again.")}, f"byte {at}")
        # The same head over other words, and the words under another head: method and path are bound.
        other = bytearray(question.bytes)
        other[60] = 2
        self.plain_error(ch.send(bytes(other)), 400, auth)
        self.plain_error(ch.send(question.bytes.replace(b"/settings", b"/statuses")), 400, auth)
        self.plain_error(ch.send(ch.make("GET", "/settings", key=hpke.x25519(b"\x05" * 32, hpke.BASE)).bytes), 400, auth)
        for n in (0, 1, 61, 62, len(question.bytes) - 1):
            self.assertEqual(ch.send(question.bytes[:n])[0], 400)
        # Its own answer is no request, and the answer to another request is not an answer.
        code, _, answer = ch.send(question.bytes)
        self.assertEqual(code, 200)
        self.plain_error(ch.send(answer), 400, "This is no request of the channel.")
        with self.assertRaises(hpke.Wrong):
            ch.make("GET", "/settings").read(answer)
        for at in range(len(answer)):
            bad = bytearray(answer)
            bad[at] ^= 1
            with self.assertRaises(hpke.Wrong):
                question.read(bytes(bad))
        self.assertEqual(question.read(answer)[0], 200)

    def test_replays_and_time(self):
        rig = self.start()
        ch = Channel(rig)
        question = ch.make("POST", "/verify-and-sign", json.dumps(self.spend(rig)).encode())
        code, _, answer = ch.send(question.bytes)
        self.assertEqual((code, question.read(answer)[0]), (200, 200))
        self.plain_error(ch.send(question.bytes), 409, "This request was answered before.")
        self.assertEqual(rig.status()["requests"], 1)
        late = "The time of this request is too far from the service's."
        for off in (-62000, 62000, -now_ms(), 2**63):
            self.plain_error(ch.send(ch.make("GET", "/settings", time_ms=now_ms() + off).bytes), 409, late)
        for off in (-55000, 55000):
            self.assertEqual(ch.ask("GET", "/settings", time_ms=now_ms() + off)[0], 200)
        # Another start has the same key, and forgot what was asked; the boot number tells the requests apart.
        before = ch.key, ch.boot
        self.assertEqual(rig.seal()[0], 200)
        rig.kill_enclave()
        rig.start_enclave()
        rig.wait_phase("serving")
        ch.refresh()
        self.assertEqual(ch.key, before[0])
        self.assertNotEqual(ch.boot, before[1])
        self.plain_error(ch.send(question.bytes), 409, "This request is for another start of the service. Ask GET /v1/channel again.")
        self.assertEqual(ch.send(question.bytes.replace(before[1], ch.boot))[0], 400)
        self.assertEqual(rig.status()["requests"], 1)
        self.assertEqual(ch.ask("GET", "/settings")[0], 200)

    def test_sizes_and_many_at_once(self):
        rig = self.start()
        ch = Channel(rig)
        request = json.dumps(self.spend(rig)).encode()
        whole = request + b" " * (PLAIN_MAX - len(request))
        self.assertEqual(ch.ask("POST", "/verify-and-sign", whole)[0], 200)
        # One byte more fits the envelope, and is refused inside; much more is refused outside.
        self.assertEqual(ch.ask("POST", "/verify-and-sign", whole + b" ")[0], 413)
        self.plain_error(ch.send(bytes((6 << 20) + 207)), 413, "Failed to buffer the request body: length limit exceeded")
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            asked = [pool.submit(ch.ask, "POST", "/verify-and-sign", request) for _ in range(120)]
            asked += [pool.submit(ch.ask, "GET", "/status") for _ in range(40)]
            for f in asked:
                self.assertEqual(f.result()[0], 200)
        self.assertEqual(rig.status()["requests"], 121)


class TheCommandLine(Base):
    def ask(self, rig, *args, code=0, url=None, key=None):
        environment = {k: v for k, v in os.environ.items() if k != "HOLDFAST_CHANNEL_KEY"}
        if key:
            environment["HOLDFAST_CHANNEL_KEY"] = key
        out = subprocess.run([rig.program("holdfast"), *args, "--url", url or f"http://127.0.0.1:{rig.port}", "--json"],
                             capture_output=True, text=True, timeout=120, env=environment)
        self.assertEqual(out.returncode, code, out.stdout + out.stderr)
        return json.loads(out.stdout), out.stderr

    def test_it_encrypts(self):
        rig = self.start(setup=False, how="channel")
        request = rig.path("request.json")
        trusted = ["--root", rig.path("sim", "nsm-root.pem"), "--pcr", "0=" + r.PCR0]
        setup = ["setup", "--key", rig.arn, "--blockhash", r.BLOCKHASH]
        said, _ = self.ask(rig, *setup, "--plain", code=1)
        self.assertEqual(said["status"], 403)
        # The simulator's root is not AWS's, and another PCR0 is not this code's: nothing is sent.
        self.assertIn("attestation is refused: root", self.ask(rig, *setup, "--channel-key", "auto", code=1)[0]["error"])
        self.assertIn("attestation is refused: pcr", self.ask(rig, *setup, *trusted[:2], "--pcr", "0=" + "00" * 48, code=1)[0]["error"])
        self.assertIn("another channel key", self.ask(rig, *setup, "--channel-key", "ab" * 32, code=1)[0]["error"])
        self.assertEqual(rig.status()["phase"], "awaiting-setup")
        self.assertEqual(self.ask(rig, *setup, *trusted)[0], {"message": "Secret generated successfully."})
        with open(request, "w") as f:
            json.dump(self.spend(rig), f)
        key = Channel(rig).key.hex()
        for way in (["--channel-key", "auto", *trusted], ["--channel-key", key.upper()], ["--plain"]):
            said, told = self.ask(rig, "sign", request, *way)
            model.verify_answer(self.spend(rig), said, self.master)
            self.assertNotIn("CHANNEL", told)
        said, told = self.ask(rig, "sign", request)
        self.assertIn("CHANNEL: encrypted to a key that nobody vouched for.", told)
        self.assertNotIn("CHANNEL", self.ask(rig, "sign", request, key=key)[1])
        self.assertEqual(self.ask(rig, "status", key="cd" * 32, code=1)[0]["exit"], 1)
        self.assertEqual(self.ask(rig, "requests", "--limit", "2", key=key)[0]["total"], 5)
        self.assertEqual(self.ask(rig, "settings", key=key)[0]["key_id"], rig.arn)
        self.assertEqual(self.ask(rig, "public-key", key=key)[0]["public_key"], r.PUBLISHED)
        self.assertEqual(self.ask(rig, "seal", key=key)[0]["mounted"], True)
        self.assertEqual(self.ask(rig, *setup, key=key, code=1)[0]["status"], 409)
        for wrong in (["--channel-key", "x"], ["--channel-key", key[2:]], ["--plain", "--channel-key", "auto"], ["--channel-key", key, "--pcr", "0=" + r.PCR0]):
            self.ask(rig, "status", *wrong, code=2)

    def test_it_believes_nobody_in_between(self):
        """A relay that reads and answers: in the clear it gets away with it, over the channel it does not."""
        rig = self.start()
        key = Channel(rig).key.hex()
        seen = []

        def relay(change):
            class Handler(http.server.BaseHTTPRequestHandler):
                def do(self):
                    body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                    seen.append(body)
                    code, headers, answer = change(self.command, self.path, body, rig.request(self.command, self.path, body or None, {"Content-Type": self.headers.get("Content-Type", "")}))
                    self.send_response(code)
                    self.send_header("Content-Type", headers["Content-Type"])
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                do_GET = do_POST = do

                def log_message(self, *_):
                    pass
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.addCleanup(server.server_close)
            self.addCleanup(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}"

        last = []

        def keep(method, path, body, answer):
            last.append(answer)
            return answer
        self.assertEqual(self.ask(rig, "settings", key=key, url=relay(keep))[0]["key_id"], rig.arn)
        self.assertFalse(any(rig.arn.encode() in a[2] for a in last), "the relay could read the answer")
        old = last[-1]
        lies = {
            "clear success": lambda m, p, b, a: (200, {"Content-Type": "application/json"}, b'{"key_id":"mine"}'),
            "another success": lambda m, p, b, a: (201, {"Content-Type": "application/json"}, b'{"key_id":"mine"}'),
            "an old answer": lambda m, p, b, a: old,
            "its own question": lambda m, p, b, a: (200, a[1], b),
            "one bit": lambda m, p, b, a: (200, a[1], a[2][:-1] + bytes([a[2][-1] ^ 1])),
            "another status": lambda m, p, b, a: (200, a[1], a[2][:4] + b"\xc9" + a[2][5:]),
            "cut": lambda m, p, b, a: (200, a[1], a[2][:-1]),
            "empty": lambda m, p, b, a: (200, a[1], b""),
        }
        for what, lie in lies.items():
            with self.subTest(what):
                url = relay(lambda m, p, b, a: lie(m, p, b, a) if m == "POST" else a)
                said, _ = self.ask(rig, "settings", key=key, url=url, code=4)
                self.assertIn("not one of the channel key's holder", said["error"])
        url = relay(lambda m, p, b, a: (403, {"Content-Type": "application/json"}, b'{"error":"no"}') if m == "POST" else a)
        self.ask(rig, "settings", key=key, url=url, code=1)


class TheEarlierEndpoint(Base):
    def send(self, rig, data, **headers):
        return rig.request("POST", "/secure/verify-and-sign", data,
                           {"Content-Type": "application/json", "X-Client-Public-Key": CLIENT_PUBLIC, **headers})

    def test_it_answers_the_earlier_clients(self):
        rig = self.start()
        request = self.spend(rig)
        key = hpke.secure_key(CLIENT, self.master)
        x, y = model.point_mul(int.from_bytes(CLIENT, "big"), model.G)
        for public in (CLIENT_PUBLIC, CLIENT_PUBLIC.upper(), "04" + x.to_bytes(32, "big").hex() + y.to_bytes(32, "big").hex()):
            code, headers, body = self.send(rig, hpke.secure_seal(key, json.dumps(request).encode()), **{"X-Client-Public-Key": public})
            self.assertEqual((code, headers["Content-Type"]), (200, "application/json"))
            model.verify_answer(request, json.loads(hpke.secure_open(key, body)), self.master)
        # Each answer has a nonce of its own, and one session serves any number of requests: that is the protocol.
        sealed = hpke.secure_seal(key, json.dumps(request).encode())
        one, two = self.send(rig, sealed), self.send(rig, sealed)
        self.assertEqual((one[0], two[0]), (200, 200))
        self.assertNotEqual(one[2][:12], two[2][:12])
        # The service's own refusals come encrypted, with status and type in the clear.
        wrong = r.spend("5120" + "00" * 32)
        for plain, kind, status in ((json.dumps({**request, "actual_spent_outputs": []}), "application/json", 400), (json.dumps(wrong), "application/json", 400),
                                    ("{", "application/json", 400), ("{}", "application/json; charset=utf-8", 422), ("{}", "text/plain", 415),
                                    (" " * (PLAIN_MAX + 1), "application/json", 413)):
            code, headers, body = self.send(rig, hpke.secure_seal(key, plain.encode()), **{"Content-Type": kind})
            self.assertEqual((code, headers["Content-Type"]), (status, "application/json"), plain[:40])
            self.assertEqual(json.loads(hpke.secure_open(key, body))["status"], status)

    def test_its_own_errors_are_plain(self):
        rig = self.start(setup=False)
        self.plain_error(self.send(rig, b""), 400, "Master key pair not initialized")
        self.plain_error(rig.request("POST", "/secure/verify-and-sign", b"", {}), 400, "Master key pair not initialized")
        self.assertEqual(rig.setup()[0], 200)
        self.spend(rig)
        sealed = hpke.secure_seal(hpke.secure_key(CLIENT, self.master), b"{}")
        code, headers, body = rig.request("POST", "/secure/verify-and-sign", sealed, OCTETS)
        self.plain_error((code, headers, body), 400, "Missing X-Client-Public-Key header")
        for value, text in (("0g" * 33, "Invalid hex encoding: Invalid character 'g' at position 1"),
                            ("02" * 33 + "0", "Invalid hex encoding: Odd number of digits"),
                            ("\xe9" * 66, "Invalid header encoding: failed to convert header to a str"),
                            ("02" * 32, "Invalid public key format: malformed public key"),
                            ("", "Invalid public key format: malformed public key"),
                            ("05" + CLIENT_PUBLIC[2:], "Invalid public key format: malformed public key"),
                            ("02" + "ff" * 32, "Invalid public key format: malformed public key")):
            self.plain_error(self.send(rig, sealed, **{"X-Client-Public-Key": value}), 400, text)
        for n in range(0, 12):
            self.plain_error(self.send(rig, sealed[:n]), 400, "Decryption failed: Encrypted data missing nonce")
        for bad in (sealed[:12], sealed[:27], sealed[:-1], sealed + b"\0", bytes(64), sealed[:20] + bytes([sealed[20] ^ 1]) + sealed[21:]):
            self.plain_error(self.send(rig, bad), 400, "Decryption failed: Decryption failed")
        self.plain_error(self.send(rig, sealed, **{"X-Client-Public-Key": self.master.hex()}), 400, "Decryption failed: Decryption failed")
        self.plain_error(self.send(rig, bytes(PLAIN_MAX + (64 << 10) + 29)), 413, "Failed to buffer the request body: length limit exceeded")
        code, headers, _ = rig.request("GET", "/secure/verify-and-sign")
        self.assertEqual((code, headers["Allow"]), (405, "POST"))

    def test_it_waits_for_the_service(self):
        rig = self.start()
        self.spend(rig)
        self.assertEqual(rig.seal()[0], 200)
        rig.kill_enclave()
        rig.kms.stop()
        rig.start_enclave(wait=False)
        rig.until(lambda: rig.get("/health")[0] == 200, "web", rig.enclave)
        for answer in (self.send(rig, bytes(64)), rig.request("POST", "/v1/channel", bytes(4 << 20), OCTETS)):
            self.plain_error(answer, 503, "The service is not open yet. Try again.")
        self.assertEqual(rig.get("/v1/channel")[0], 503)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root (loop device, mounts)")
        sys.exit(77)
    unittest.main(verbosity=2)
