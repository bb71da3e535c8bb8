"""A real S3 server for tests (s3rver, from npm at its exact version), and a door in front of it that misbehaves on request.

The door is ours: it checks every signature with a second implementation of AWS Signature Version 4 (s3rver does not check
that version), counts what comes, answers 503 SlowDown, drops connections before or after the work was done, and adds the
conditional puts that s3rver lacks (`conditional`), by asking the server first, one request at a time."""
import hashlib
import hmac
import http.client
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
CACHE = os.path.join(BUILD, "s3-server")
ACCESS, SECRET, REGION = "S3RVER", "S3RVER", "us-east-1"
INSTALL_SECONDS = 150


def skip(why):
    print("SKIP: " + why)
    sys.exit(77)


def install():
    """s3rver in the build folder; else exit 77 with the reason. Returns its name and version."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            skip(f"the {program} program is missing")
    with open(os.path.join(HERE, "s3", "package.json")) as f:
        (name, version), = json.load(f)["dependencies"].items()
    os.makedirs(CACHE, exist_ok=True)
    for file in ("package.json", "server.js"):
        shutil.copy(os.path.join(HERE, "s3", file), CACHE)
    about = os.path.join(CACHE, "node_modules", name, "package.json")
    if os.path.exists(about):
        with open(about) as f:
            if json.load(f)["version"] == version:
                return f"{name} {version}"
    try:
        out = subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"],
                             cwd=CACHE, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        why = (out.stderr.strip().splitlines() or ["no reason"])[0] if out.returncode else ""
    except subprocess.TimeoutExpired:
        why = f"no answer in {INSTALL_SECONDS} s"
    if why:
        shutil.rmtree(os.path.join(CACHE, "node_modules"), ignore_errors=True)
        skip(f"{name} {version} did not come from the npm registry: {why}")
    return f"{name} {version}"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """The S3 server as a process; killed and started again at will, over the same folder."""

    def __init__(self, folder):
        self.folder, self.port, self.process = folder, free_port(), None
        os.makedirs(folder, exist_ok=True)
        self.start()

    def start(self):
        # Its continuation tokens are enciphered with something that OpenSSL 3 keeps among the old things.
        self.process = subprocess.Popen(["node", "--openssl-legacy-provider", "server.js", self.folder, str(self.port)], cwd=CACHE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        if self.process.stdout.readline().strip() != "up":
            raise RuntimeError("the S3 server did not start")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def close(self):
        if self.process.poll() is None:
            self.kill()


def signature(method, path, query, headers, signed, date, region, secret=SECRET):
    """The signature that these parts must have. `query` raw: parameters must be sorted as they stand."""
    canonical = "\n".join([method, path, "&".join(sorted(query.split("&"))) if query else "",
                           *(f"{n}:{' '.join(headers[n].split())}" for n in signed), "", ";".join(signed), headers["x-amz-content-sha256"]])
    day = date[:8]
    text = "\n".join(["AWS4-HMAC-SHA256", date, f"{day}/{region}/s3/aws4_request", hashlib.sha256(canonical.encode()).hexdigest()])
    key = b"AWS4" + secret.encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def signed_well(method, target, headers, body):
    path, _, query = target.partition("?")
    found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=(\S+?)/(\d{8})/([a-z0-9-]+)/s3/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})",
                         headers.get("authorization", ""))
    if not found or found[1] != ACCESS:
        return False
    signed = found[4].split(";")
    needed = {"host", "x-amz-date", "x-amz-content-sha256"}
    return (needed <= set(signed) and signed == sorted(signed) and headers["x-amz-content-sha256"] == hashlib.sha256(body).hexdigest() and
            found[5] == signature(method, path, query, headers, signed, headers["x-amz-date"], found[3]))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def error(self, status, code, more=()):
        body = b"" if self.command == "HEAD" else f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>m</Message></Error>".encode()
        self.send_response(status)
        for name, value in more:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def forward(self, method, headers, body):
        con = http.client.HTTPConnection("127.0.0.1", self.server.door.upstream.port, timeout=60)
        try:
            con.request(method, self.path, body, headers)
            answer = con.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            con.close()

    def etag_there(self):
        headers = {"host": self.headers["host"]}
        status, got, _ = self.forward("HEAD", headers, None)
        return {k.lower(): v for k, v in got}.get("etag") if status == 200 else None

    def condition_fails(self, headers):
        if self.command not in ("PUT", "POST"):
            return False
        match, none = headers.pop("if-match", None), headers.pop("if-none-match", None)
        if not self.server.door.conditional or (match is None and none is None):
            return False
        there = self.etag_there() if "?" not in self.path or "uploadId" not in self.path else None
        return there is not None if none else there != match

    def serve(self):
        door = self.server.door
        headers = {k.lower(): v for k, v in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        with door.lock:
            door.seen.append((self.command, urllib.parse.unquote(self.path)))
            fault = next((f for f in door.faults if f[1] > 0 and re.search(f[2], f"{self.command} {self.path}")), None)
            if fault:
                fault[1] -= 1
        kind = fault[0] if fault else ""
        if kind == "slow":
            return self.error(503, "SlowDown", [("Retry-After", "1")])
        if kind == "drop":
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        if not signed_well(self.command, self.path, headers, body):
            door.badly_signed += 1
            return self.error(403, "SignatureDoesNotMatch")
        for name in ("expect", "connection"):
            headers.pop(name, None)
        try:
            with door.order:
                if self.condition_fails(headers):
                    return self.error(412, "PreconditionFailed")
                status, got, data = self.forward(self.command, headers, body or (b"" if self.command in ("PUT", "POST") else None))
        except OSError:
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        if kind == "unheard":
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        self.send_response(status)
        for name, value in got:
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "keep-alive"):
                self.send_header(name, value)
        length = dict((k.lower(), v) for k, v in got).get("content-length") if self.command == "HEAD" else str(len(data))
        if status != 204:
            self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = serve


class Door:
    def __init__(self, upstream, conditional=False):
        self.upstream, self.conditional = upstream, conditional
        self.seen, self.faults, self.badly_signed = [], [], 0
        self.lock, self.order = threading.Lock(), threading.Lock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.door = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def fault(self, kind, times, pattern=""):
        """slow: 503 SlowDown; drop: no answer, nothing done; unheard: done, no answer. For requests that fit the pattern."""
        with self.lock:
            self.faults.append([kind, times, pattern])

    def count(self, pattern):
        with self.lock:
            return sum(1 for method, path in self.seen if re.search(pattern, f"{method} {path}"))

    def close(self):
        self.server.shutdown()
        self.server.server_close()
