"""What the tests of `holdfast` share: the link's client, servers, a running parent.

The client of the link is written from docs/wire/link.md alone. Standard library only."""
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

PROGRAM = []        # path of holdfast, set by main()
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
        # Wake accept() first: a number closed under it could be the next server's.
        self.s.shutdown(socket.SHUT_RDWR)
        self.join(10)
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
            self.process = subprocess.Popen([PROGRAM[0], "run", "--json", "--config", self.ini], stdout=subprocess.PIPE,
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


def main(doc):
    """argv: PATH_OF_HOLDFAST [unittest arguments]."""
    if len(sys.argv) < 2:
        sys.exit(doc)
    PROGRAM.append(os.path.abspath(sys.argv.pop(1)))
    unittest.main()
