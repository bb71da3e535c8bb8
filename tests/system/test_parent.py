#!/usr/bin/env python3
"""`holdfast run` as a real process: relay, link, store, way out.

Usage: test_parent.py PATH_OF_HOLDFAST [unittest arguments]. Standard library only."""
import http.client
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

from parent_rig import (Case, Link, READY, HEAD_GET, HEAD, HEAD_PUT, HELLO, PUT, DATA, PUT_END, GET, LIST, LISTED, DONE, ERROR,
                        E_FORMAT, E_DENIED, E_STATE, E_ABSENT, E_IO, PIECE, PROGRAM, Server, children, echo, main, var)


class Store(Case):
    def test_session(self):
        one = self.link()
        self.assertEqual(one.ask(LIST), (LISTED, struct.pack("<IB", 0, 0)))
        self.assertEqual(one.ask(HEAD_GET), (HEAD, b"\0" + var(b"")))
        data = os.urandom(3 * PIECE + 17)
        self.assertEqual(one.put(b"g1.pack", data), (DONE, b""))
        self.assertEqual(one.put(b"empty", b""), (DONE, b""))
        self.assertEqual(one.put(b"g1.pack", b"other"), (ERROR, bytes([E_STATE])))
        self.assertEqual(one.get(b"g1.pack"), data)
        self.assertEqual(one.get(b"empty"), b"")
        self.assertEqual(one.get(b"none"), (ERROR, bytes([E_ABSENT])))
        self.assertEqual(one.ask(HEAD_PUT, var(b"") + var(b"one")), (DONE, b""))
        self.assertEqual(one.ask(HEAD_PUT, var(b"") + var(b"two")), (ERROR, bytes([E_STATE])))
        self.assertEqual(one.ask(HEAD_PUT, var(b"one") + var(b"two")), (DONE, b""))
        # a second connection sees the same, and another parent after a restart too
        two = self.link()
        self.assertEqual(two.ask(HEAD_GET), (HEAD, b"\1" + var(b"two")))
        self.assertEqual(two.ask(LIST), (LISTED, struct.pack("<IB", 2, 1)))
        self.process.terminate()
        self.assertEqual(self.process.wait(10), 0, self.log_text())
        self.begin()
        self.assertTrue(self.ready["head"])
        self.assertEqual(self.ready["objects"], 2)
        self.assertEqual(self.link().get(b"g1.pack"), data)

    def test_given_up(self):
        one = self.link()
        self.assertEqual(one.put(b"a", b"xyz", total=2 ** 64 - 1), (ERROR, bytes([E_FORMAT])))
        self.assertEqual(one.put(b"a", b"xyz", total=4), (ERROR, bytes([E_FORMAT])))
        self.assertEqual(self.objects(), [])
        one.send(PUT, var(b"a"))
        one.send(DATA, b"half")
        one.close()
        end = time.monotonic() + 5
        while self.objects() and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual(self.objects(), [])

    def test_hostile_frames(self):
        def bad(*frames, hello=True):
            one = self.link(hello)
            for kind, body in frames:
                one.send(kind, body)
            kind, body = one.receive()
            self.assertEqual(kind, ERROR, frames)
            self.assertTrue(one.ended(), frames)
            return body[0]
        self.assertEqual(bad((LIST, b""), hello=False), E_STATE)
        self.assertEqual(bad((HELLO, b"\1"), hello=False), E_FORMAT)
        self.assertEqual(bad((HELLO, b"\2\0\1\0"), hello=False), E_DENIED)
        self.assertEqual(bad((HELLO, b"\1\0\1\0"), hello=True), E_FORMAT)
        self.assertEqual(bad((0, b"")), E_FORMAT)
        self.assertEqual(bad((0x4444, b"x" * 100)), E_FORMAT)
        self.assertEqual(bad((DATA, b"x")), E_STATE)
        self.assertEqual(bad((PUT_END, b"\0" * 8)), E_STATE)
        self.assertEqual(bad((PUT, var(b"../x"))), E_FORMAT)
        self.assertEqual(bad((PUT, var(b""))), E_FORMAT)
        self.assertEqual(bad((GET, b"\xff\xff\xff\xff")), E_FORMAT)
        self.assertEqual(bad((HEAD_PUT, var(b"") + var(b"x" * 1025))), E_FORMAT)
        self.assertEqual(bad((PUT, var(b"a")), (PUT, var(b"b"))), E_STATE)
        self.assertEqual(bad((PUT, var(b"a")), (DATA, b"")), E_FORMAT)
        # over-long: the announced length alone ends it, nothing is read or held
        for length in (PIECE + 1, 2 ** 31, 2 ** 32 - 1):
            one = self.link()
            one.send(PUT, var(b"a"))
            one.send(DATA, b"x" * 16, length=length)
            self.assertTrue(one.ended())
        for junk in (b"\0" * 8, os.urandom(4096), b"GET / HTTP/1.1\r\n\r\n"):
            one = self.link(hello=False)
            one.s.sendall(junk)
            one.s.shutdown(socket.SHUT_WR)
            try:
                while one.s.recv(4096):
                    pass
            except ConnectionResetError:
                pass
        self.assertEqual(self.objects(), [])
        self.assertEqual(self.link().put(b"a", b"still works"), (DONE, b""))
        self.assertIsNone(self.process.poll())

    def test_slow_sender_leaves_others_alone(self):
        slow = self.link()
        slow.s.sendall(b"\0")
        self.assertEqual(self.link().put(b"a", b"x"), (DONE, b""))
        slow.close()

    def test_stop_finishes_running_put(self):
        one = self.link()
        data = os.urandom(2 * PIECE)
        one.send(PUT, var(b"late"))
        one.send(DATA, data[:PIECE])
        self.process.terminate()
        time.sleep(0.6)
        self.assertIsNone(self.process.poll())
        one.send(DATA, data[PIECE:])
        self.assertEqual(one.ask(PUT_END, struct.pack("<Q", len(data))), (DONE, b""))
        self.assertEqual(self.process.wait(10), 0, self.log_text())
        with open(os.path.join(self.store, "objects", "late"), "rb") as f:
            self.assertEqual(f.read(), data)

    def test_killed(self):
        """SIGKILL of every process at random moments of puts: only whole objects, and a head that is one of ours."""
        for turn in range(6):
            one = Link(self.link_path)
            one.hello()
            _, head = one.ask(HEAD_GET)
            current = head[5:]
            names = []

            def work():
                nonlocal current
                try:
                    for i in range(1000):
                        name = b"t%d-%d" % (turn, i)
                        one.put(name, bytes([i & 255]) * (200000 + i))
                        names.append(name)
                        one.ask(HEAD_PUT, var(current) + var(name))
                        current = name
                except (OSError, EOFError):
                    pass
            t = threading.Thread(target=work)
            t.start()
            time.sleep(0.05 + 0.07 * turn)
            for pid in children(self.process.pid) + [self.process.pid]:
                os.kill(pid, signal.SIGKILL)
            self.process.wait()
            t.join()
            one.close()
            for name in os.listdir(os.path.join(self.store, "objects")):
                if name.startswith(".tmp-"):
                    continue
                with open(os.path.join(self.store, "objects", name), "rb") as f:
                    data = f.read()
                i = int(name.split("-")[1])
                self.assertEqual(data, bytes([i & 255]) * (200000 + i), name)
            self.begin()
            self.assertFalse([n for n in os.listdir(os.path.join(self.store, "objects")) if n.startswith(".tmp-")])
            again = self.link()
            _, head = again.ask(HEAD_GET)
            if head[0]:
                # what was answered is there; the head may be one further than the last answer
                self.assertIn(head[5:].decode(), self.objects())
                self.assertGreaterEqual(int(head[5:].split(b"-")[1]) if head[5:].startswith(b"t%d-" % turn) else 0,
                                        int(current.split(b"-")[1]) if current.startswith(b"t%d-" % turn) else 0)
            for name in names:
                self.assertIn(name.decode(), self.objects())
            again.close()

    def test_first_process_killed_alone(self):
        """Its children finish what runs, and let go; another can start at once."""
        one = self.link()
        one.send(PUT, var(b"late"))
        one.send(DATA, b"abc")
        self.process.kill()
        self.process.wait()
        self.begin()
        self.assertEqual(len(self.objects()), 1)      # the other's temporary file has a writer: it stays
        self.assertEqual(one.ask(PUT_END, struct.pack("<Q", 3)), (DONE, b""))
        self.assertTrue(one.ended())
        self.assertEqual(self.link().get(b"late"), b"abc")


class Limits(Case):
    settings = "client_idle = 1\nlink_idle = 1\nclients = 3\nlinks = 3\nstop = 1"

    def test_idle_link_is_closed(self):
        one = self.link()
        begin = time.monotonic()
        self.assertTrue(one.ended())
        self.assertLess(time.monotonic() - begin, 5)

    def test_idle_client_is_closed(self):
        self.serve(lambda con: time.sleep(5), self.web)
        c = self.client()
        c.sendall(b"GET / HTTP/1.1\r\n\r\n")
        begin = time.monotonic()
        answer = c.recv(4096)
        self.assertIn(b" 502 ", answer)
        self.assertLess(time.monotonic() - begin, 4)

    def test_reader_that_never_reads(self):
        self.serve(lambda con: con.sendall(b"x" * (64 << 20)), self.web)
        c = self.client()
        c.sendall(b"GET / HTTP/1.1\r\n\r\n")
        end = time.monotonic() + 8
        time.sleep(0.3)
        while children(self.process.pid) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(children(self.process.pid), [])

    def test_too_many(self):
        self.serve(echo, self.web)
        held = [self.client() for _ in range(3)]
        for c in held:
            c.sendall(b"x")
            self.assertEqual(c.recv(1), b"x")
        c = self.client()
        answer = c.recv(4096)
        self.assertIn(b" 503 ", answer)
        self.assertEqual(json.loads(answer.split(b"\r\n\r\n")[1]), {"error": "too many connections", "status": 503})
        # the enclave has places of its own
        self.link()
        for c in held:
            c.close()
        time.sleep(0.3)
        c = self.client()
        c.sendall(b"x")
        self.assertEqual(c.recv(1), b"x")

    def test_stop_does_not_wait_for_ever(self):
        one = self.link()
        one.send(PUT, var(b"never"))
        one.send(DATA, b"abc")
        self.process.terminate()
        begin = time.monotonic()
        self.assertEqual(self.process.wait(10), 1)
        self.assertLess(time.monotonic() - begin, 5)
        self.assertIn("cut off", self.log_text())
        self.begin()
        self.assertEqual(self.objects(), [])


class Relay(Case):
    def test_enclave_down(self):
        con = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        con.request("POST", "/verify-and-sign", b"x" * 3000000)
        answer = con.getresponse()
        self.assertEqual(answer.status, 503)
        self.assertEqual(answer.getheader("Content-Type"), "application/json")
        self.assertEqual(json.loads(answer.read()), {"error": "enclave not reachable", "status": 503})
        con.close()

    def test_enclave_dies_without_answer(self):
        self.serve(lambda con: con.recv(10), self.web)
        c = self.client()
        c.sendall(b"GET /status HTTP/1.1\r\n\r\n")
        self.assertIn(b"HTTP/1.1 502 ", c.recv(4096))

    def test_echo_and_half_close(self):
        self.serve(echo, self.web)
        data = os.urandom(20 << 20)
        c = self.client()
        got = bytearray()

        def read():
            while True:
                piece = c.recv(1 << 20)
                if not piece:
                    return
                got.extend(piece)
        t = threading.Thread(target=read)
        t.start()
        c.sendall(data)
        c.shutdown(socket.SHUT_WR)
        t.join(30)
        self.assertEqual(bytes(got), data)

    def test_answer_after_client_half_closed(self):
        def late(con):
            while con.recv(4096):
                pass
            time.sleep(0.3)
            con.sendall(b"late answer")
        self.serve(late, self.web)
        c = self.client()
        c.sendall(b"question")
        c.shutdown(socket.SHUT_WR)
        self.assertEqual(c.recv(100), b"late answer")
        self.assertEqual(c.recv(100), b"")

    def test_backpressure(self):
        """A reader that is slow gets all of it, and the relay holds little of it meanwhile."""
        sent = 0

        def flood(con):
            nonlocal sent
            for _ in range(64):
                con.sendall(b"y" * (1 << 20))
                sent += 1 << 20
        self.serve(flood, self.web)
        c = self.client()
        c.sendall(b"x")
        time.sleep(0.5)
        self.assertLess(sent, 16 << 20)
        got = 0
        while True:
            piece = c.recv(1 << 20)
            if not piece:
                break
            got += len(piece)
        self.assertEqual(got, 64 << 20)

    def test_slow_client_leaves_others_alone(self):
        self.serve(echo, self.web)
        slow = [self.client() for _ in range(20)]
        for c in slow:
            c.sendall(b"G")
        c = self.client()
        c.sendall(b"quick")
        self.assertEqual(c.recv(100), b"quick")

    def test_crash_of_one_connection(self):
        self.serve(echo, self.web)
        one, two = self.client(), self.client()
        for c in (one, two):
            c.sendall(b"a")
            c.recv(1)
        pids = children(self.process.pid)
        self.assertEqual(len(pids), 2)
        os.kill(pids[0], signal.SIGKILL)
        time.sleep(0.3)
        alive = 0
        for c in (one, two):
            try:
                c.sendall(b"b")
                alive += c.recv(1) == b"b"
            except OSError:
                pass
        self.assertEqual(alive, 1)
        three = self.client()
        three.sendall(b"c")
        self.assertEqual(three.recv(1), b"c")
        self.assertIn("died by signal 9", self.log_text())

    def test_second_parent_is_refused(self):
        out = subprocess.run([PROGRAM[0], "run", "--config", self.ini], capture_output=True, text=True, timeout=10)
        self.assertEqual(out.returncode, 1)
        self.assertIn("listens on", out.stderr)
        self.assertIsNone(self.process.poll())


class Egress(Case):
    def setUp(self):
        self.dir2 = tempfile.mkdtemp(prefix="hf-egress-")
        self.target = Server(echo)
        self.egress = f"kms.example:443=127.0.0.1:{self.target.port}, 127.0.0.1:{self.target.port}, dead.example:443=unix:{self.dir2}/no"
        super().setUp()
        self.servers.append(self.target)

    def tearDown(self):
        super().tearDown()
        shutil.rmtree(self.dir2)

    def way(self, host, port):
        one = self.link(hello=False)
        return one, one.hello(2, struct.pack("<H", port) + var(host))

    def test_allowed(self):
        for host, port in ((b"kms.example", 443), (b"KMS.EXAMPLE", 443), (b"127.0.0.1", self.target.port)):
            one, answer = self.way(host, port)
            self.assertEqual(answer, (READY, b""))
            data = os.urandom(300000)
            t = threading.Thread(target=lambda: (one.s.sendall(data), one.s.shutdown(socket.SHUT_WR)))
            t.start()
            self.assertEqual(one.exactly(len(data)), data)
            t.join()
            self.assertTrue(one.ended())

    def test_refused(self):
        for host, port in ((b"evil.example", 443), (b"kms.example", 80), (b"kms.example.", 443), (b"127.0.0.2", self.target.port)):
            one, answer = self.way(host, port)
            self.assertEqual(answer, (ERROR, bytes([E_DENIED])), host)
            self.assertTrue(one.ended())
        for host, port in ((b"", 443), (b"kms.example", 0), (b"kms.example\0", 443), (b"kms.example\n", 443)):
            one, answer = self.way(host, port)
            self.assertEqual(answer, (ERROR, bytes([E_FORMAT])), host)
        self.assertEqual(self.way(b"dead.example", 443)[1], (ERROR, bytes([E_IO])))


if __name__ == "__main__":
    main(__doc__)
