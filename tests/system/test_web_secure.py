#!/usr/bin/env python3
"""The role `web` and requests that come encrypted, with a keeper that encrypts nothing (web_secure_peer.c): every way they can end."""
import json
import struct
import threading
import time

from web_client import AWAITING, DERIVING, SERVING, Base, a_request, main

POINT = "031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f"
METHODS = {"GET": 1, "POST": 2}


def inner(method, path, body=b"", mode=0):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return (b"HFC1" + bytes(32) + bytes([mode]) + bytes(15) + struct.pack("<QBB", 5, METHODS[method], len(path)) + path.encode() + body + bytes(16))


class Secure(Base):
    def setUp(self):
        super().setUp()
        self.peer.serving()
        self.phase(SERVING, "serving")

    def channel(self, *args, **more):
        return self.peer.ask("POST", "/v1/channel", inner(*args, **more))

    def unseal(self, answer):
        """(status, kind, body) of a sealed answer."""
        self.assertEqual(answer.status, 200, answer.body[:200])
        self.assertEqual(answer.headers["Content-Type"], "application/octet-stream")
        self.assertNotIn("Retry-After", answer.headers)
        self.assertEqual(answer.body[:6], b"SEALED")
        status, kind = struct.unpack("<HB", answer.body[6:9])
        return status, kind, answer.body[9:]

    def secure(self, body, mode=0, kind="application/json", point=POINT):
        return self.peer.ask("POST", "/secure/verify-and-sign", bytes([mode]) + bytes(11) + body + bytes(16),
                             {"Content-Type": kind, "X-Client-Public-Key": point})

    def test_routes(self):
        for path, member in (("/status", "phase"), ("/public-key", "public_key"), ("/settings", "key_id"), ("/requests?limit=2&before=5", "total")):
            status, kind, body = self.unseal(self.channel("GET", path))
            self.assertEqual((status, kind), (200, 1), path)
            self.assertIn(member, json.loads(body))
        rows = json.loads(self.unseal(self.channel("GET", "/requests?limit=2&before=5"))[2])["requests"]
        self.assertEqual([r["row"] for r in rows], [4, 3])
        for query, want in (("", 7), ("?", 7), ("?&limit=3", 3), ("?xlimit=3", 7), ("?limit=3&limit=1", 3), ("?limit=", 0), ("?limit=03", 0), ("?limit=1001", 0), ("?limit=3&before=x", 0)):
            status, _, body = self.unseal(self.channel("GET", "/requests" + query))
            self.assertEqual((status, len(json.loads(body).get("requests", []))), (200, want) if want else (400, 0), query)
        self.assertEqual(self.unseal(self.channel("POST", "/seal"))[0], 200)
        self.assertEqual(self.unseal(self.channel("POST", "/seal", b"a body that nobody reads"))[0], 200)
        status, kind, body = self.unseal(self.channel("POST", "/setup", {"key_id": "verdict:0", "blockhash": "00" * 32}))
        self.assertEqual((status, kind, body), (200, 2, b"Secret generated successfully."))
        status, _, body = self.unseal(self.channel("POST", "/verify-and-sign", a_request()))
        self.assertEqual((status, json.loads(body)["inputs"]), (200, [{"index": 0, "signed": True}]))
        for method, path, want in (("GET", "/health", 404), ("GET", "/attestation", 404), ("POST", "/v1/channel", 404), ("GET", "/v1/channel", 404),
                                   ("POST", "/secure/verify-and-sign", 404), ("GET", "/", 404), ("GET", "/setup", 405), ("POST", "/status?x", 405)):
            status, kind, body = self.unseal(self.channel(method, path))
            self.assertEqual((status, kind, json.loads(body)["status"]), (want, 1, want), path)

    def test_errors_inside(self):
        for body, want in ((b"{", 400), (b"{}", 422), (a_request(version=1001), 413), (a_request(version=1002), 400), (a_request(version=1000), 503)):
            status, _, said = self.unseal(self.channel("POST", "/verify-and-sign", body))
            self.assertEqual((status, json.loads(said)["status"]), (want, want))
            self.peer.tell("judges")
        self.assertEqual(self.unseal(self.channel("POST", "/setup", b" " * (6 << 20)))[0], 400)
        self.assertEqual(self.unseal(self.channel("POST", "/verify-and-sign", b" " * (4 << 20)))[0], 400)
        self.assertEqual(self.unseal(self.channel("POST", "/verify-and-sign", b" " * ((4 << 20) + 1)))[0], 413)
        self.assert_error(self.peer.ask("POST", "/v1/channel", b" " * ((6 << 20) + 207)), 413)
        self.peer.tell("fail 1")
        self.assertEqual(self.unseal(self.channel("POST", "/seal"))[0], 500)
        # The earlier systems' way: status and type in the clear, words not.
        for body, kind, want in ((b"{", "application/json", 400), (b"{}", "application/json", 422), (b"{}", "text/plain", 415), (b"{}", "", 415),
                                 (b" " * ((4 << 20) + 1), "application/json", 413), (json.dumps(a_request(version=1000)).encode(), "application/json", 503)):
            answer = self.secure(body, kind=kind)
            self.assertEqual((answer.status, answer.body[:6], answer.headers["Content-Type"]), (want, b"SEALED", "application/json"))
            self.assertEqual(json.loads(answer.body[9:])["status"], want)
            self.assertEqual(answer.headers.get("Retry-After"), "1" if want == 503 else None)
            self.peer.tell("judges")
        answer = self.secure(json.dumps(a_request()).encode())
        self.assertEqual((answer.status, answer.body[:6]), (200, b"SEALED"))

    def test_refusals_of_the_keeper(self):
        want = {1: 400, 2: 400, 3: 400, 4: 409, 5: 409, 6: 409, 7: 503, 8: 503}
        for verdict, status in want.items():
            self.assert_error(self.channel("GET", "/status", mode=verdict), status)
            self.assert_error(self.secure(b"{}", mode=verdict), status)
        self.assert_error(self.secure(b"{}", mode=3), 400, "Decryption failed: Decryption failed")
        self.assert_error(self.channel("GET", "/status", mode=0xf3), 500)
        self.assert_error(self.channel("GET", "/status", mode=0xf5), 500, "Encryption failed: the session is gone")
        self.assert_error(self.secure(b"{}", mode=0xf5), 500, "Encryption failed: the session is gone")
        self.assert_error(self.channel("GET", "/status", mode=0xf7), 413)
        self.assert_error(self.peer.ask("POST", "/v1/channel", b""), 400)
        self.assert_error(self.peer.ask("POST", "/v1/channel", b"x"), 400)
        self.assert_alive()

    def phase(self, number, word):
        """web reads one frame of a peer's in each of its turns."""
        self.peer.tell(f"state {number}")
        while self.peer.ask("GET", "/status").json()["phase"] != word:
            time.sleep(0.01)

    def test_phases(self):
        self.phase(DERIVING, "deriving")
        self.assert_error(self.channel("GET", "/status"), 503)
        self.assert_error(self.peer.ask("GET", "/v1/channel"), 503)
        self.assert_error(self.secure(b"{}"), 503)
        self.phase(AWAITING, "awaiting-setup")
        self.assertEqual(self.unseal(self.channel("GET", "/public-key"))[0], 404)
        self.assert_error(self.secure(b"{}"), 400, "Master key pair not initialized")
        said = self.peer.ask("GET", "/v1/channel").json()
        self.assertEqual((len(said["key"]), len(said["boot"]), said["window_ms"]), (64, 32, 60000))
        self.assertEqual(self.peer.ask("HEAD", "/v1/channel").status, 200)
        answer = self.peer.ask("PUT", "/v1/channel")
        self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD, POST"))

    def test_late_answers_are_sealed(self):
        """The book does not answer in time: /status is told without it, still under the request's key."""
        self.peer.tell("silent book")
        status, _, body = self.unseal(self.channel("GET", "/status"))
        self.assertEqual((status, json.loads(body)["requests"]), (200, None))

    def test_stopping(self):
        """What waits for a judge when the role is told to stop hears so, under its key; then the role ends well."""
        self.peer.tell("hold")
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.channel("POST", "/verify-and-sign", a_request()))) for _ in range(6)]
        for t in threads:
            t.start()
        time.sleep(0.5)
        self.peer.tell("stop")
        for t in threads:
            t.join(20)
        self.assertEqual(self.peer.ended(), 0)
        # Two were with the judges, which never answered: theirs is the end of the role, in the clear.
        kinds = sorted((a.status, a.body[:6] == b"SEALED") for a in answers)
        self.assertEqual(kinds, [(200, True)] * 4 + [(503, False)] * 2)

    def test_many_at_once(self):
        good = []

        def one(i):
            for _ in range(10):
                a = self.channel("POST", "/verify-and-sign", a_request()) if i % 2 else self.secure(json.dumps(a_request()).encode())
                good.append((a.status, a.body[:6]) == (200, b"SEALED"))
        threads = [threading.Thread(target=one, args=(i,)) for i in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        self.assertEqual(good, [True] * 160)

    def end_by(self, mode):
        try:
            self.channel("GET", "/status", mode=mode)
        except OSError:
            pass
        self.assertNotEqual(self.peer.ended(), 0)

    def test_nonsense_of_the_keeper_ends_the_role(self):
        for mode in (0xf1, 0xf2, 0xf4, 0xf6, 0xf8):
            with self.subTest(mode=mode):
                self.end_by(mode)
                self.peer.close()
                self.setUp()


if __name__ == "__main__":
    main()
