"""HTTP as strangers speak it, and the role's own life and death.

    test_web_http.py PATH/TO/web_peer [unittest arguments]"""
import http.client
import json
import os
import re
import socket
import threading
import time
import unittest

from web_client import *


class Http(Base):
    """Clients that are slow, broken or hostile."""
    timeout = 1

    def setUp(self):
        super().setUp()
        self.peer.serving()

    def head(self, n, extra=b""):
        return (b"POST /verify-and-sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " + str(n).encode()
                + b"\r\n" + extra + b"\r\n")

    def test_chunked(self):
        def chunks():
            text = json.dumps(a_request()).encode()
            for i in range(0, len(text), 7):
                yield text[i:i + 7]
        c = self.peer.connection()
        c.request("POST", "/verify-and-sign", chunks(), {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}, encode_chunked=True)
        self.assertEqual(c.getresponse().status, 200)
        c.close()

    def test_chunked_too_large(self):
        c = self.peer.connection()
        c.request("POST", "/setup", (b" " * 100000 for _ in range(70)), {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}, encode_chunked=True)
        self.assert_error(Answer(c.getresponse()), 413, "Failed to buffer the request body: length limit exceeded")
        # All of it was read, so the connection is still good.
        c.request("GET", "/health")
        self.assertEqual(c.getresponse().status, 200)
        c.close()

    def test_endless_chunks_are_cut_off(self):
        piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
        with self.peer.raw_connection() as s:
            sent = 0
            try:
                s.sendall(b"POST /setup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
                while sent < 64 << 20:
                    s.sendall(piece)
                    sent += len(piece)
            except OSError:
                pass
            self.assertLess(sent, 32 << 20)
        self.assert_alive()

    def test_bad_chunks(self):
        start = b"POST /setup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        for chunk in (b"zz\r\n", b"-1\r\n", b"ffffffffffffffffff\r\n", b"2\r\n{}}}\r\n", b"\r\n"):
            got = self.peer.raw(start + chunk)
            self.assertTrue(got == b"" or got.startswith(b"HTTP/1.1 4"), got[:80])
        self.assert_alive()

    def test_announced_too_large(self):
        got = self.peer.raw(self.head(1 << 40))
        self.assertTrue(got.startswith(b"HTTP/1.1 413"), got[:80])
        self.assertIn(b"length limit exceeded", got)
        got = self.peer.raw(self.head(10**30))
        self.assertTrue(got.startswith(b"HTTP/1.1 413") or got.startswith(b"HTTP/1.1 400") or got == b"", got[:80])
        self.assert_alive()

    def test_bad_lengths(self):
        for length in (b"-1", b"x", b"1x", b"0x10", b"1 1"):
            got = self.peer.raw(b"POST /setup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " + length + b"\r\n\r\n{}")
            self.assertTrue(got == b"" or got.startswith(b"HTTP/1.1 4"), (length, got[:80]))
        self.assert_alive()

    def test_ambiguous_framing(self):
        """Where a request ends must not be a matter of opinion."""
        start = b"POST /setup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        smuggled = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        for headers in (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                        b"Content-Length: 2\r\nContent-Length: 2\r\n", b"Content-Length: 2\r\nContent-Length: 4\r\n",
                        b"Transfer-Encoding: gzip\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"):
            got = self.peer.raw(start + headers + b"\r\n0\r\n\r\n" + smuggled)
            self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+)", got), [b"400"], headers)
            self.assertIn(b"Connection: close", got)
        for lines in (b"", b"Host: x\r\nHost: y\r\n"):
            got = self.peer.raw(b"GET /health HTTP/1.1\r\n" + lines + b"\r\n" + smuggled)
            self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+)", got), [b"400"], lines)
            self.assertIn(b'"status":400', got)
        self.assertTrue(self.peer.raw(b"GET /health HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200"))

    def test_expect(self):
        body = json.dumps(a_request()).encode()
        with self.peer.raw_connection() as s:
            s.sendall(self.head(len(body), b"Expect: 100-continue\r\n"))
            self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 100"))
            s.sendall(body)
            self.assertTrue(s.recv(100000).startswith(b"HTTP/1.1 200"))
        # What is refused anyway is refused before the body is sent.
        with self.peer.raw_connection() as s:
            s.sendall(self.head(5 << 20, b"Expect: 100-continue\r\n"))
            self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 413"))
        with self.peer.raw_connection() as s:
            s.sendall(b"POST /setup HTTP/1.1\r\nHost: x\r\nContent-Type: text/html\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            self.assertTrue(s.recv(1000).startswith(b"HTTP/1.1 415"))

    def test_pipelined(self):
        body = json.dumps(a_request()).encode()
        one = self.head(len(body)) + body
        last = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        got = self.peer.raw(one + b"GET /public-key HTTP/1.1\r\nHost: x\r\n\r\n" + one + b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n" + last)
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+)", got), [b"200", b"200", b"200", b"404", b"200"])
        ids = re.findall(rb"X-Request-Id: ([0-9a-f]{16})", got)
        self.assertEqual(len(set(ids)), 5)
        self.assertTrue(got.endswith(b"OK"))

    def test_keep_alive(self):
        c = self.peer.connection()
        for method, path, body in (("GET", "/health", None), ("POST", "/setup", b"{"), ("GET", "/nothing", None), ("POST", "/health", b"ignored"),
                                   ("POST", "/verify-and-sign", json.dumps(a_request()).encode()), ("GET", "/status", None)):
            c.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            sock = c.sock
            Answer(c.getresponse())
            self.assertIs(c.sock, sock, path)
        c.close()

    def test_garbage(self):
        for data in (b"\r\n" * 1000 + b"x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", os.urandom(5000), b"GET\r\n\r\n", b"GET /health\r\n\r\n",
                     b"GET /health HTTP/9.9\r\n\r\n", b"GET /health HTTP/1.1\r\n\r\n", b" GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET /health HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n", b"GET /health HTTP/1.1\r\nHost x\r\n\r\n", b"GET /hea\x00lth HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
            got = self.peer.raw(data, shut=True)
            self.assertTrue(got == b"" or re.match(rb"HTTP/1\.[01] [2-5]\d\d", got), got[:80])
        self.assert_alive()

    def test_huge_headers(self):
        for data in (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET /health HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100_000 + b"\r\n\r\n",
                     b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"".join(b"H%d: x\r\n" % i for i in range(10_000)) + b"\r\n",
                     b"GET /health?" + b"a=b&" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"):
            got = self.peer.raw(data, shut=True)
            self.assertTrue(got == b"" or re.match(rb"HTTP/1\.1 4\d\d", got), got[:80])
        self.assert_alive()

    def test_truncated_body(self):
        for cut in (0, 1, 100):
            got = self.peer.raw(self.head(1000) + b"{" * cut, shut=True)
            self.assertTrue(got == b"" or re.match(rb"HTTP/1\.1 4\d\d", got), got[:80])
        self.assertEqual(self.peer.tell("asked"), "0")
        self.assert_alive()

    def test_silent_clients_are_dropped(self):
        """After `timeout` seconds of silence, at any point of a request."""
        for data in (b"", b"GET /hea", b"GET /health HTTP/1.1\r\nHost: x\r\n", self.head(1000), self.head(1000) + b"{"):
            before = time.monotonic()
            got = self.peer.raw(data, timeout=10)
            self.assertLess(time.monotonic() - before, 5, data[:20])
            self.assertTrue(got == b"" or got.startswith(b"HTTP/1.1 408"), got[:80])

    def test_trickling_clients_are_dropped(self):
        """A byte now and then is no silence, but a whole request may take 4 timeouts only."""
        with self.peer.raw_connection() as s:
            before = time.monotonic()
            try:
                for byte in self.head(1000) + b"{" * 1000:
                    s.sendall(bytes([byte]))
                    time.sleep(0.1)
                    self.assertLess(time.monotonic() - before, 8)
            except OSError:
                pass
            self.assertGreater(time.monotonic() - before, 3)

    def test_slow_readers_are_dropped(self):
        """A client that does not read its answer loses it, and holds up nobody."""
        item = "ab" * 1_900_000
        body = json.dumps(a_request(inputs=[an_input(witness=[item])])).encode()
        with self.peer.raw_connection() as s:
            s.sendall(self.head(len(body)) + body)
            for _ in range(10):
                before = time.monotonic()
                self.assert_alive()
                self.assertLess(time.monotonic() - before, 1)
                time.sleep(0.3)
            time.sleep(2.5)
            got = 0
            try:
                while piece := s.recv(1 << 20):
                    got += len(piece)
            except OSError:
                pass
            self.assertLess(got, len(body) // 2)


class Crowd(Base):
    timeout = 4

    def test_slow_clients_do_not_block_others(self):
        self.peer.serving()
        slow = [self.peer.raw_connection() for _ in range(300)]
        for i, s in enumerate(slow):
            s.sendall((b"GET /hea", b"POST /setup HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", b"")[i % 3])
        before = time.monotonic()
        for _ in range(20):
            self.assertEqual(self.peer.sign(a_request()).status, 200)
        self.assertLess(time.monotonic() - before, 2)
        for s in slow:
            s.close()

    def test_300_at_once(self):
        self.peer.serving()
        statuses = []

        def client():
            statuses.append(self.peer.sign(a_request()).status)
            statuses.append(self.peer.ask("GET", "/public-key").status)

        threads = [threading.Thread(target=client) for _ in range(300)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        # More than 256 may wait at one moment; then some hear 503, and nothing else ever.
        self.assertEqual(len(statuses), 600)
        self.assertLessEqual(set(statuses), {200, 503})
        self.assertGreaterEqual(statuses.count(200), 556)
        self.assert_alive()

    def test_bodies_have_a_common_bound(self):
        """Clients that send most of a large body and stop hold 64 MiB together, not 4 MiB each."""
        self.peer.serving()
        piece = b" " * ((4 << 20) - 100)
        head = b"POST /verify-and-sign HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4194304\r\n\r\n"
        held = []
        for _ in range(16):
            s = self.peer.raw_connection()
            s.sendall(head + piece)
            held.append(s)
        time.sleep(0.5)
        self.assert_error(self.peer.sign(b" " * (2 << 20)), 503)
        self.assert_alive()
        for s in held:
            s.close()
        deadline = time.monotonic() + 5
        while self.peer.sign(a_request()).status != 200:
            self.assertLess(time.monotonic(), deadline)


class Full(Base):
    connections, timeout = 8, 30

    def test_silent_connections_give_way(self):
        """All places taken by clients that say nothing: after 2 seconds they make room, one by one."""
        silent = [self.peer.raw_connection() for _ in range(8)]
        before = time.monotonic()
        for _ in range(4):
            self.assert_alive()
        self.assertLess(time.monotonic() - before, 10)
        for s in silent:
            s.close()
        self.assert_alive()

    def test_more_than_the_cap_in_turn(self):
        self.peer.serving()
        statuses = []
        threads = [threading.Thread(target=lambda: statuses.append(self.peer.sign(a_request()).status)) for _ in range(60)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(statuses, [200] * 60)


class Life(Base):
    """How the role ends."""

    def test_stop(self):
        self.peer.serving()
        self.assert_alive()
        self.peer.tell("stop")
        self.assertEqual(self.peer.ended(), 0)

    def test_stop_finishes_what_is_begun(self):
        self.peer.serving()
        self.peer.tell("hold")
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.peer.sign(a_request()).status)) for _ in range(5)]
        for t in threads:
            t.start()
        time.sleep(0.4)
        self.peer.tell("stop")
        time.sleep(0.2)
        self.peer.tell("go")
        for t in threads:
            t.join()
        # Two were with judges; three had not begun.
        self.assertEqual(sorted(answers), [200, 200, 503, 503, 503])
        self.assertEqual(self.peer.ended(), 0)

    def test_stop_does_not_wait_for_ever(self):
        self.peer.serving()
        answers = []
        t = threading.Thread(target=lambda: answers.append(self.peer.sign(a_request(version=1003)).status))
        t.start()
        time.sleep(0.3)
        before = time.monotonic()
        self.peer.tell("stop")
        self.assertEqual(self.peer.ended(), 0)
        self.assertLess(time.monotonic() - before, 8)
        t.join()
        self.assertEqual(answers, [503])

    def test_a_peer_is_gone(self):
        for name in ("keeper", "disk", "book"):
            peer = Peer().serving()
            self.addCleanup(peer.close)
            self.assertEqual(peer.ask("GET", "/health").status, 200)
            peer.tell("drop " + name)
            self.assertEqual(peer.ended(), 64 + 7, name)        # E_CLOSED

    def test_a_peer_breaks_the_rules(self):
        for name in ("keeper", "disk", "book", "judge"):
            peer = Peer().serving()
            self.addCleanup(peer.close)
            peer.tell("bad " + name)
            self.assertIn(peer.ended(), (64 + 1, 64 + 5), name)  # E_FORMAT, E_STATE

    def test_a_judge_breaks_the_rules(self):
        for version in (1004, 1005, 1006, 1008):
            peer = Peer().serving()
            self.addCleanup(peer.close)
            try:
                status = peer.sign(a_request(version=version)).status
            except (http.client.HTTPException, OSError):
                status = None
            self.assertIn(status, (None, 503), version)
            self.assertIn(peer.ended(), (64 + 1, 64 + 5), version)


class Tcp(unittest.TestCase):
    def test_over_tcp(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        peer = Peer(address=f"tcp:127.0.0.1:{port}")
        self.addCleanup(peer.close)
        peer.serving()
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for _ in range(3):
            c.request("POST", "/verify-and-sign", json.dumps(a_request()), {"Content-Type": "application/json"})
            self.assertEqual(Answer(c.getresponse()).status, 200)
        c.request("GET", "/health")
        self.assertEqual(Answer(c.getresponse()).body, b"OK")
        c.close()


if __name__ == "__main__":
    main()
