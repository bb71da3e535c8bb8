#!/usr/bin/env python3
"""`holdfast` as a real process: relay, link, store, way out, command line.

Usage: test_parent.py PATH_OF_HOLDFAST [unittest arguments]. Standard library only.
The client of the link here is written from docs/wire/link.md alone."""
import http.client
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HOLDFAST = None
(HELLO, READY, HEAD_GET, HEAD, HEAD_PUT, PUT, DATA, PUT_END, GET, GET_END, LIST, LISTED, DONE) = range(0x100, 0x10d)
ERROR = 0xffff
E_FORMAT, E_LIMIT, E_DENIED, E_STATE, E_ABSENT, E_IO = 1, 2, 4, 5, 6, 9
PIECE = 1 << 20


def var(b):
    return struct.pack("<I", len(b)) + b


class Link:
    """One connection of an enclave."""

    def __init__(self, path, timeout=10):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(timeout)
        self.s.connect(path)
        self.seq = 0

    def send(self, kind, body=b"", length=None):
        self.seq = (self.seq + 1) & 0xffff
        self.s.sendall(struct.pack("<IHH", len(body) if length is None else length, kind, self.seq) + body)

    def exactly(self, n):
        got = bytearray()
        while len(got) < n:
            piece = self.s.recv(n - len(got))
            if not piece:
                raise EOFError
            got += piece
        return bytes(got)

    def receive(self):
        n, kind, seq = struct.unpack("<IHH", self.exactly(8))
        assert seq == self.seq, (seq, self.seq)
        return kind, self.exactly(n)

    def ask(self, kind, body=b""):
        self.send(kind, body)
        return self.receive()

    def hello(self, purpose=1, rest=b"", version=1):
        return self.ask(HELLO, struct.pack("<HH", version, purpose) + rest)

    def put(self, name, data, total=None):
        self.send(PUT, var(name))
        for at in range(0, len(data), PIECE):
            self.send(DATA, data[at:at + PIECE])
        return self.ask(PUT_END, struct.pack("<Q", len(data) if total is None else total))

    def get(self, name):
        self.send(GET, var(name))
        got = bytearray()
        while True:
            kind, body = self.receive()
            if kind == DATA:
                got += body
            elif kind == GET_END:
                assert struct.unpack("<Q", body)[0] == len(got)
                return bytes(got)
            else:
                return kind, body

    def ended(self):
        try:
            return self.s.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self.s.close()


class Server(threading.Thread):
    """Accepts on a unix or tcp socket and runs `work(connection)` for each."""

    def __init__(self, work, path=None):
        super().__init__(daemon=True)
        self.work = work
        self.s = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.s.bind(path or ("127.0.0.1", 0))
        self.s.listen(64)
        self.port = None if path else self.s.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                con, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(con,), daemon=True).start()

    def one(self, con):
        with con:
            try:
                self.work(con)
            except OSError:
                pass

    def close(self):
        self.s.close()


def echo(con):
    while True:
        data = con.recv(65536)
        if not data:
            break
        con.sendall(data)
    con.shutdown(socket.SHUT_WR)


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(w) for w in f.read().split()]
    except OSError:
        return []


class Case(unittest.TestCase):
    settings = ""
    egress = ""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="hf-parent-")
        self.web, self.link_path, self.store = (os.path.join(self.dir, n) for n in ("web.sock", "link.sock", "store"))
        self.processes = []
        self.servers = []
        self.begin()

    def begin(self):
        self.ini = os.path.join(self.dir, "parent.ini")
        with open(self.ini, "w") as f:
            f.write(f"[parent]\nlisten = tcp:127.0.0.1:0\nenclave = unix:{self.web}\nlink = unix:{self.link_path}\n"
                    f"egress = {self.egress}\n{self.settings}\n[store]\ndir = {self.store}\n")
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen([HOLDFAST, "run", "--json", "--config", self.ini], stdout=subprocess.PIPE,
                                            stderr=log, text=True)
        self.processes.append(self.process)
        line = self.process.stdout.readline()
        self.assertTrue(line, self.log_text())
        self.ready = json.loads(line)
        self.port = int(self.ready["listen"].rsplit(":", 1)[1])

    def log_text(self):
        with open(os.path.join(self.dir, "log")) as f:
            return f.read()

    def tearDown(self):
        for s in self.servers:
            s.close()
        for p in self.processes:
            if p.poll() is None:
                p.terminate()
                try:
                    p.wait(10)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait()
            p.stdout.close()
        log = self.log_text()
        for word in ("Sanitizer", "runtime error", "broken invariant"):
            self.assertNotIn(word, log)
        shutil.rmtree(self.dir)

    def serve(self, work, path=None):
        s = Server(work, path)
        self.servers.append(s)
        return s

    def link(self, hello=True):
        one = Link(self.link_path)
        self.addCleanup(one.close)
        if hello:
            self.assertEqual(one.hello(), (READY, b""))
        return one

    def client(self, timeout=10):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        self.addCleanup(s.close)
        return s

    def objects(self):
        return sorted(os.listdir(os.path.join(self.store, "objects")))


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
        out = subprocess.run([HOLDFAST, "run", "--config", self.ini], capture_output=True, text=True, timeout=10)
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


# ---- the command line ----

def run(*args, stdin=b"", tty=False):
    out = subprocess.run([HOLDFAST, *args], input=stdin, capture_output=True, timeout=30)
    return out.returncode, out.stdout.decode(), out.stderr.decode()


COMMANDS = ["run", "status", "setup", "public-key", "settings", "sign", "requests", "seal", "backups", "address"]
ASKING = [["status"], ["public-key"], ["settings"], ["requests"], ["seal"], ["sign", "-"],
          ["setup", "--key", "arn:aws:kms:x", "--blockhash", "00" * 32]]
KEY = "031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f"


class Answers:
    """An HTTP service with one fixed answer; keeps what it was asked."""

    def __init__(self, status, body, kind="application/json", path=None):
        self.asked = []
        self.text = (f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        self.server = Server(self.one, path)

    def one(self, con):
        head = b""
        while b"\r\n\r\n" not in head:
            piece = con.recv(65536)
            if not piece:
                return
            head += piece
        head, body = head.split(b"\r\n\r\n", 1)
        length = next((int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += con.recv(65536)
        self.asked.append((head.split(b"\r\n")[0].decode(), head.decode().lower(), body))
        con.sendall(self.text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.port}"


class Commands(unittest.TestCase):
    def test_help(self):
        code, out, _ = run("--help")
        self.assertEqual(code, 0)
        source = os.environ.get("HOLDFAST_SOURCE", os.path.join(os.path.dirname(__file__), "..", ".."))
        with open(os.path.join(source, "docs", "man", "holdfast.1")) as f:
            man = f.read()
        with open(os.path.join(source, "deploy", "completion", "holdfast.bash")) as f:
            completion = f.read()
        for name in COMMANDS:
            self.assertIn("\n  " + name + " ", out)
            code, text, _ = run(name, "--help")
            self.assertEqual(code, 0)
            self.assertTrue(text.startswith("usage: holdfast " + name))
            self.assertEqual(text, run("help", name)[1])
            self.assertIn(name.replace("-", "\\-"), man)
            self.assertIn(name, completion)
            # every option stands in the man page and in the completion
            for word in text.split():
                if word.startswith("--") and word not in ("--", "--help"):
                    word = word.rstrip(".,:;`)")
                    self.assertIn(word.replace("-", "\\-"), man, f"{name}: {word}")
                    self.assertIn(word, completion, f"{name}: {word}")
        listed = [line.split()[0] for line in out.splitlines() if line.startswith("  ") and not line.startswith("  holdfast")]
        self.assertEqual(sorted(listed), sorted(COMMANDS))

    def test_every_key_is_documented(self):
        source = os.environ.get("HOLDFAST_SOURCE", os.path.join(os.path.dirname(__file__), "..", ".."))
        with open(os.path.join(source, "parent", "config.c")) as f:
            keys = [line.split('"')[1:4:2] for line in f if "_KEY(\"" in line]
        self.assertGreater(len(keys), 10)
        with open(os.path.join(source, "docs", "config-parent.md")) as f:
            doc = f.read()
        text = run("run", "--help")[1]
        for section, key in keys:
            self.assertIn(f"`{key}`", doc)
            self.assertIn(f"`[{section}]`", doc)
            self.assertIn(f"  [{section}] {key} ", text)

    def test_version(self):
        code, out, _ = run("--version")
        self.assertEqual(code, 0)
        self.assertEqual(json.loads(run("--version", "--json")[1])["version"], out.split()[1])

    def test_usage(self):
        for args in ([], ["nothing"], ["status", "--nothing"], ["status", "word"], ["status", "--url"], ["sign"], ["sign", "a", "b"],
                     ["status", "--url=a", "--url=b"], ["setup"], ["setup", "--key", "x"], ["setup", "--key", "x", "--blockhash", "zz"],
                     ["setup", "--key", "x", "--blockhash", "00" * 32, "--max-weight", "-1"],
                     ["requests", "--limit", "0"], ["requests", "--limit", "1001"], ["requests", "--limit", "ten"],
                     ["run"], ["run", "--config", "/no/such/file"], ["backups"], ["backups", "--store", "a", "--config", "b"],
                     ["sign", "/no/such/file"], ["status", "--url", "ftp://x"],
                     ["address"], ["address", "--network", "moon", "--public-key", KEY, "--script", "51"],
                     ["address", "--network", "regtest", "--public-key", KEY],
                     ["address", "--network", "regtest", "--public-key", KEY, "--script", "51", "--root", "00" * 32],
                     ["address", "--network", "regtest", "--public-key", "02", "--script", "51"],
                     ["address", "--network", "regtest", "--public-key", KEY, "--script", "5"]):
            code, out, err = run(*args)
            self.assertEqual(code, 2, args)
            self.assertTrue(err or not args, args)
            if args:
                code, out, _ = run(*args, "--json")
                self.assertEqual(code, 2, args)
                answer = json.loads(out)
                self.assertEqual(answer["exit"], 2)
                self.assertTrue(answer["error"])

    def test_unreachable(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        for args in ASKING:
            code, out, err = run(*args, "--url", f"http://127.0.0.1:{port}", stdin=b"{}")
            self.assertEqual((code, out), (3, ""), args)
            self.assertIn("holdfast run", err)
            code, out, err = run(*args, f"--url=http://127.0.0.1:{port}", "--json", stdin=b"{}")
            self.assertEqual((code, json.loads(out)["exit"]), (3, 3))
        self.assertEqual(run("status", "--url", "unix:/no/such/socket")[0], 3)

    def test_what_is_asked(self):
        paths = {"status": "GET /status", "public-key": "GET /public-key", "settings": "GET /settings", "requests": "GET /requests?limit=100",
                 "seal": "POST /seal", "sign": "POST /verify-and-sign", "setup": "POST /setup"}
        with Answers(200, b'{"public_key":"02ab"}') as a:
            for args in ASKING:
                code, out, err = run(*args, "--url", a.url + "/", stdin=b'{"x":1}')
                self.assertEqual(code, 0, (args, err))
                self.assertEqual(a.asked[-1][0], paths[args[0]] + " HTTP/1.1")
                self.assertEqual(json.loads(run(*args, "--url", a.url, "--json", stdin=b'{"x":1}')[1]), {"public_key": "02ab"})
            self.assertEqual(run("public-key", "--url", a.url)[1], "02ab\n")
            self.assertEqual(run("requests", "--limit", "5", "--url", a.url)[0], 0)
            self.assertIn("limit=5", a.asked[-1][0])
            run("sign", "-", "--url", a.url, stdin=b'{"x":1}')
            self.assertEqual(a.asked[-1][2], b'{"x":1}')
            self.assertIn("content-type: application/json", a.asked[-1][1])
            run("setup", "--key", "arn:x", "--blockhash", "AB" * 32, "--max-weight", "7", "--url", a.url)
            self.assertEqual(json.loads(a.asked[-1][2]), {"key_id": "arn:x", "blockhash": "AB" * 32, "max_weight": 7})
            self.assertEqual(run("sign", "-", "--url", a.url, stdin=b"x" * ((4 << 20) + 1))[0], 2)

    def test_exit_codes_of_answers(self):
        own = b'{"error":"no","status":1,"request_id":"r1"}'
        for status, body, want in ((400, own, 1), (404, own, 1), (409, own, 1), (500, own, 4), (502, own, 4), (503, own, 4),
                                   (503, b'{"error":"enclave not reachable","status":503}', 3), (301, b"{}", 1), (404, b"", 1)):
            with Answers(status, body) as a:
                code, out, err = run("settings", "--url", a.url)
                self.assertEqual((code, out), (want, ""), (status, err))
                answer = json.loads(run("settings", "--url", a.url, "--json")[1])
                self.assertEqual((answer["exit"], answer["status"]), (want, status))
                if body is own:
                    self.assertEqual(answer["request_id"], "r1")
                    self.assertEqual(answer["error"], "no (HTTP %d)" % status)

    def test_odd_answers(self):
        for body, kind in ((b"not json", "application/json"), (b'{"a":1,"a":2}', "application/json"), (b"\xff\xfe", "text/plain"), (b"[" * 100000, "application/json")):
            with Answers(200, body, kind) as a:
                self.assertEqual(run("status", "--url", a.url)[0], 4, body[:10])
        with Answers(200, b'"' + b"x" * (33 << 20) + b'"') as a:
            code, _, err = run("status", "--url", a.url)
            self.assertEqual(code, 4)
            self.assertIn("longer", err)
        with Answers(200, b"Secret generated successfully.", "text/plain; charset=utf-8") as a:
            self.assertEqual(json.loads(run("seal", "--json", "--url", a.url)[1]), {"message": "Secret generated successfully."})
        # a peer's text cannot drive the terminal
        with Answers(200, b'{"evil":"a\\u001b[2Jb"}') as a:
            self.assertIn("a\\x1b[2Jb", run("status", "--url", a.url)[1])
        with Answers(400, b'{"error":"a\\u001b[2Jb"}') as a:
            self.assertIn("a\\x1b[2Jb", run("status", "--url", a.url)[2])

    def test_simulated_is_said_loudly(self):
        with Answers(200, b'{"simulated":true,"disk":{"generation":7}}') as a:
            code, out, err = run("status", "--url", a.url)
            self.assertEqual(code, 0)
            self.assertIn("SIMULATED", err)
            self.assertRegex(out, r"disk\.generation +7\n")

    def test_unix_url(self):
        folder = tempfile.mkdtemp()
        path = os.path.join(folder, "s")
        with Answers(200, b'{"a":1}', path=path):
            self.assertEqual(json.loads(run("status", "--json", "--url", "unix:" + path)[1]), {"a": 1})
        shutil.rmtree(folder)

    def test_address(self):
        code, out, _ = run("address", "--public-key", KEY, "--script", "51", "--network", "regtest", "--json")
        self.assertEqual(code, 0)
        self.assertEqual(json.loads(out)["script_pubkey"], "5120fa33dccbd0877cc7e33d4655b5dbe28cf4ad81d1f110e4492c7634ff430ce21f")
        root = json.loads(out)["merkle_root"]
        bare = run("address", "--public-key", KEY, "--root", root, "--network", "regtest")[1].strip()
        self.assertEqual(bare, json.loads(out)["address"])
        self.assertTrue(bare.startswith("bcrt1p"))
        self.assertTrue(run("address", "--public-key", KEY, "--root", root, "--network", "mainnet")[1].startswith("bc1p"))
        backed = run("address", "--public-key", KEY, "--root", root, "--backup-root", "11" * 32, "--network", "regtest")[1].strip()
        self.assertNotEqual(backed, bare)
        self.assertEqual(run("address", "--public-key", "02" + "ff" * 32, "--root", root, "--network", "regtest")[0], 1)

    def test_backups(self):
        folder = tempfile.mkdtemp()
        self.assertEqual(run("backups", "--store", os.path.join(folder, "no"))[0], 1)
        self.assertEqual(run("backups", "--store", folder)[0], 1)
        os.mkdir(os.path.join(folder, "objects"))
        code, out, _ = run("backups", "--store", folder, "--json")
        self.assertEqual((code, json.loads(out)["generations"]), (0, []))
        name = "g0000000000000001-00000000.manifest"
        with open(os.path.join(folder, "objects", name), "wb") as f:
            f.write(b"rubbish")
        code, out, _ = run("backups", "--store", folder, "--json")
        self.assertEqual((code, json.loads(out)["generations"][0]["readable"]), (1, False))
        code, out, _ = run("backups", "--store", folder)
        self.assertEqual(code, 1)
        self.assertIn("damaged", out)
        self.assertIn("no head", out)
        with open(os.path.join(folder, "head"), "wb") as f:
            f.write(b"rubbish")
        self.assertEqual(run("backups", "--store", folder)[0], 1)
        shutil.rmtree(folder)

    def test_full_output(self):
        with Answers(200, b'{"a":1}') as a, open("/dev/full", "wb") as full:
            out = subprocess.run([HOLDFAST, "status", "--json", "--url", a.url], stdout=full, stderr=subprocess.PIPE, timeout=30)
            self.assertEqual(out.returncode, 1)

    def test_no_secret_is_linked(self):
        names = subprocess.run(["nm", HOLDFAST], capture_output=True, text=True)
        if names.returncode or not names.stdout:
            self.skipTest("nm is missing, or the program is stripped")
        self.assertIn("session_on", names.stdout)
        self.assertNotIn("secret_new", names.stdout)
        self.assertNotIn("secret_reveal", names.stdout)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    HOLDFAST = os.path.abspath(sys.argv.pop(1))
    unittest.main()
