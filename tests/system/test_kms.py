#!/usr/bin/env python3
"""The KMS client against the simulator, and against servers that lie.

Usage: test_kms.py KMS_DRIVE HOLDFAST_SIM [unittest arguments]. Standard library only, and the openssl command."""
import base64
import email.utils
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

DRIVE, SIM = sys.argv[1:3]
PCR0, OTHER_PCR0 = "5e" * 48, "5f" * 48
PRIVATE = "11" * 32
# Published for that private key (confidential-script, version 2): block hash as displayed -> Z.
Z_ZEROS = "93c6170b8a3fa78d0fa90972bae7feed706f13bd3733c7457a6843ae368bcf20"
Z_GENESIS = "a3b5f2f8dbc2752f7826a6ca0ff2b424ccfcf0e1a30a6c9daa6cc0d94392f518"
GENESIS = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
SPKI = ("3059301306072a8648ce3d020106082a8648ce3d03010703420004"
        "0217e617f0b6443928278f96999e69a23a4f2c152bdf6d6cdf66e5b80282d4ed194a7debcb97712d2dda3ca85aa8765a56f45fc758599652f2897c65306e5794")
HOST = "kms.us-east-1.amazonaws.com"


def read(path):
    with open(path) as f:
        return f.read()


def until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def attempts(text):
    """The driver's lines, one dict for each attempt and one for the end."""
    found = []
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name in ("result", "end"):
            found.append({})
        found[-1][name] = value
    return found


class Case(unittest.TestCase):
    """A folder with a simulator of everything in it."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="holdfast-kms-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.processes = []
        self.nsm = self.start("nsm", "--listen", "unix:" + self.path("nsm.sock"), "--pcr", "0=" + PCR0)
        until(lambda: os.path.exists(self.path("nsm-root.pem")) and os.path.exists(self.path("nsm.sock")), "the NSM")
        self.imds, self.imds_at = self.serve("imds")

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, service, *args):
        with open(self.path(service + ".log"), "ab") as log:
            p = subprocess.Popen([SIM, service, "--state", self.dir, *args], stdout=log, stderr=log)
        self.addCleanup(self.stop, p)
        return p

    def stop(self, p):
        if p.poll() is None:
            p.send_signal(signal.SIGTERM)
            self.assertEqual(p.wait(10), 0, "the simulator ends with 0 on SIGTERM")

    def serve(self, service, *args):
        ready = self.path(service + ".ready")
        if os.path.exists(ready):
            os.unlink(ready)
        p = self.start(service, "--listen", "127.0.0.1:0", "--ready-file", ready, *args)
        until(lambda: os.path.exists(ready) and read(ready).strip(), service)
        return p, read(ready).strip()

    def new_key(self, *args, pcr0=PCR0):
        done = subprocess.run([SIM, "kms", "--state", self.dir, "--new-key", "--pcr0", pcr0, "--private", PRIVATE, *args],
                              capture_output=True, text=True, check=True)
        return done.stdout.split()[-1]

    def command(self, what, arn, **options):
        given = {"arn": arn, "ca": self.path("ca.pem"), "imds": self.imds_at, "nsm": "unix:" + self.path("nsm.sock")}
        given.update(options)
        return [DRIVE, what] + [f"{k}={v}" for k, v in given.items() if v is not None]

    def drive(self, what, arn, **options):
        """Run once; the last attempt's lines."""
        # A leak check at the end makes a thread, which the sandbox does not have.
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0") if options.get("sandbox") else None
        done = subprocess.run(self.command(what, arn, **options), capture_output=True, text=True, timeout=60, env=env)
        self.log = done.stderr
        self.assertIn(done.returncode, (0, 1), done.stdout + done.stderr)
        found = attempts(done.stdout)
        self.assertEqual(done.returncode == 0, found[-1]["end"] == "ok")
        return found[-2] if len(found) > 1 else found[-1]


class Simulated(Case):
    def setUp(self):
        super().setUp()
        self.arn = self.new_key()
        self.kms, self.kms_at = self.serve("kms", "--nsm-root", self.path("nsm-root.pem"))

    def ask(self, what="derive", arn=None, **options):
        options.setdefault("kms", self.kms_at)
        return self.drive(what, arn or self.arn, **options)

    def calls(self):
        lines = read(self.path("kms.log")).splitlines()
        return [line.split("TrentService.")[1].strip() for line in lines if "TrentService." in line]

    def refused(self, answer, result, kind, retryable="0"):
        self.assertEqual((answer["result"], answer["type"], answer["retryable"]), (result, kind, retryable), answer)
        self.assertNotIn("z", answer)

    def test_published_secrets(self):
        answer = self.ask()
        self.assertEqual((answer["result"], answer["z"], answer["key"], answer["origin"]), ("ok", Z_ZEROS, self.arn, "AWS_KMS"))
        self.assertRegex(answer["request"], "^[0-9a-f-]{36}$")
        self.assertEqual(self.ask(blockhash=GENESIS)["z"], Z_GENESIS)

    def test_in_the_sandbox_of_fetch(self):
        self.assertEqual(self.ask(sandbox=1)["z"], Z_ZEROS)
        self.assertEqual(self.ask("describe", sandbox=1)["state"], "Enabled")
        # a failed handshake is as quiet as a good one
        self.assertEqual(self.ask(sandbox=1, ca=self.path("nsm-root.pem"))["result"], "not authentic")

    def test_primitive_envelope(self):
        self.stop(self.kms)
        _, at = self.serve("kms", "--nsm-root", self.path("nsm-root.pem"), "--envelope", "primitive")
        self.assertEqual(self.ask(kms=at)["z"], Z_ZEROS)

    def test_other_questions(self):
        key = self.ask("describe")
        self.assertEqual((key["arn"], key["manager"], key["spec"], key["usage"], key["state"], key["origin"], key["enabled"], key["multi_region"]),
                         (self.arn, "CUSTOMER", "ECC_NIST_P256", "KEY_AGREEMENT", "Enabled", "AWS_KMS", "1", "0"))
        self.assertEqual(self.ask("public-key")["spki"], SPKI)

    def test_policy_wants_another_image(self):
        arn = self.new_key(pcr0=OTHER_PCR0)
        answer = self.ask(arn=arn)
        self.refused(answer, "not permitted", "AccessDeniedException")
        self.assertIn("is not authorized to perform: kms:DeriveSharedSecret", answer["message"])

    def test_debug_enclave(self):
        self.stop(self.nsm)
        self.start("nsm", "--listen", "unix:" + self.path("debug.sock"), "--debug")
        until(lambda: os.path.exists(self.path("debug.sock")), "the NSM")
        self.refused(self.ask(nsm="unix:" + self.path("debug.sock")), "not permitted", "AccessDeniedException")

    def test_document_of_another_root(self):
        self.stop(self.kms)
        other = tempfile.mkdtemp(dir=self.dir)
        p = subprocess.Popen([SIM, "nsm", "--state", other, "--listen", "unix:" + other + "/s"], stderr=subprocess.DEVNULL)
        self.addCleanup(self.stop, p)
        until(lambda: os.path.exists(other + "/nsm-root.pem") and os.path.exists(other + "/s"), "another NSM")
        _, at = self.serve("kms", "--nsm-root", other + "/nsm-root.pem")
        self.refused(self.ask(kms=at), "bad format", "ValidationException")

    def test_keys(self):
        unknown = self.arn[:-12] + "0" * 12
        self.refused(self.ask(arn=unknown), "absent", "NotFoundException")
        self.assertEqual(self.ask(arn=self.new_key("--origin", "EXTERNAL"))["origin"], "EXTERNAL")
        path = self.path("keys/" + self.arn.split("/")[1] + ".json")
        key = json.loads(read(path))
        for state, kind in (("Disabled", "DisabledException"), ("PendingDeletion", "KMSInvalidStateException")):
            field = next(k for k, v in key.items() if v in ("Enabled", "Disabled"))
            key[field] = state
            with open(path, "w") as f:
                json.dump(key, f)
            self.refused(self.ask(), "not in this state", kind)
            key[field] = "Enabled"

    def test_arn_elsewhere(self):
        # The ARN's region decides whom we talk to, and for which region we sign.
        answer = self.ask(arn=self.arn.replace("us-east-1", "eu-west-1"), host=HOST)
        self.refused(answer, "not permitted", "InvalidSignatureException")
        self.assertIn("valid region", answer["message"])

    def test_whom_we_trust(self):
        before = len(self.calls())
        self.assertEqual(self.ask(ca=self.path("nsm-root.pem"))["result"], "not authentic")
        self.assertEqual(self.ask(host="kms.example.com")["result"], "not authentic")
        self.assertEqual(len(self.calls()), before, "nothing was asked of a server that did not authenticate")
        self.assertEqual(self.ask(host="kms-fips.us-east-1.amazonaws.com")["z"], Z_ZEROS)
        self.assertEqual(self.ask(fips=1)["z"], Z_ZEROS)

    def test_credentials_change(self):
        with subprocess.Popen(self.command("derive", self.arn, kms=self.kms_at, times=3), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True) as p:
            first = "".join(iter(lambda: p.stdout.readline(), "z=" + Z_ZEROS + "\n"))
            self.assertIn("result=ok", first)
            before = read(self.path("credentials.json"))
            self.assertEqual(os.stat(self.path("credentials.json")).st_mode & 0o777, 0o600)
            # New credentials at the same place; the old ones are no longer known.
            port = self.imds_at
            self.stop(self.imds)
            self.start("imds", "--listen", port)
            until(lambda: read(self.path("credentials.json")) != before, "new credentials")
            until(lambda: self.open_port(port), "the metadata service")
            rest = attempts(p.communicate("\n\n", timeout=60)[0])
        self.refused(rest[0], "not permitted", "UnrecognizedClientException", "1")
        self.assertEqual(rest[1]["z"], Z_ZEROS)

    @staticmethod
    def open_port(at):
        host, port = at.split(":")
        with socket.socket() as s:
            return s.connect_ex((host, int(port))) == 0

    def test_no_credentials(self):
        answer = self.ask(imds=self.kms_at)                 # TLS where plain text was meant
        self.assertNotEqual(answer["result"], "ok")
        self.assertEqual(answer["status"], "0")
        self.assertEqual(self.calls(), [])

    def test_secrets_are_not_logged(self):
        self.ask()
        given = json.loads(read(self.path("credentials.json")))
        for name in ("SecretAccessKey", "Token", "AccessKeyId"):
            self.assertNotIn(given[name], self.log)


class Liar(http.server.BaseHTTPRequestHandler):
    """Answers each request as the test's `script` says: (status, headers, body), or a callable."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((dict(self.headers), body))
        step = self.server.script[min(len(self.server.seen), len(self.server.script)) - 1]
        if callable(step):
            return step(self)
        status, headers, answer = step
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
        self.close_connection = True

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, address):        # a client that hangs up is what the tests are about
        pass

    def finish_request(self, request, address):
        request.settimeout(10)
        with self.context.wrap_socket(request, server_side=True) as tls:
            super().finish_request(tls, address)

    def shutdown_request(self, request):
        request.close()


class Lied(Case):
    ARN = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

    @classmethod
    def setUpClass(cls):
        cls.tls = tempfile.mkdtemp(prefix="holdfast-tls-")
        cls.cert("good", f"DNS:{HOST}")
        cls.cert("other", "DNS:kms.eu-west-1.amazonaws.com")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.tls)

    @classmethod
    def cert(cls, name, san, days="2"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{cls.tls}/{name}.key",
                        "-out", f"{cls.tls}/{name}.pem", "-days", days, "-subj", f"/CN={name}", "-addext", f"subjectAltName={san}"],
                       check=True, stderr=subprocess.DEVNULL)

    def liar(self, *script, cert="good", versions=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{self.tls}/{cert}.pem", f"{self.tls}/{cert}.key")
        if versions:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version, context.maximum_version = versions
        server = Server(("127.0.0.1", 0), Liar)
        server.context, server.script, server.seen = context, script, []
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def ask_liar(self, server, what="derive", ca="good", **options):
        return self.drive(what, self.ARN, ca=f"{self.tls}/{ca}.pem", kms=f"127.0.0.1:{server.server_port}", **options)

    @classmethod
    def answer(cls, **changes):
        body = {"KeyId": cls.ARN, "KeyAgreementAlgorithm": "ECDH", "KeyOrigin": "AWS_KMS", "CiphertextForRecipient": base64.b64encode(b"0\x80").decode()}
        body.update(changes)
        return 200, {}, json.dumps({k: v for k, v in body.items() if v is not ...}).encode()

    def error(self, kind, message="", status=400, **headers):
        return status, headers, json.dumps({"__type": kind, "message": message}).encode()

    def check(self, step, result, kind="", retryable="0", **options):
        answer = self.ask_liar(self.liar(step), **options)
        self.assertEqual((answer["result"], answer["type"], answer["retryable"]), (result, kind, retryable), (answer, self.log))
        self.assertNotIn("z", answer)
        return answer

    def test_what_is_asked(self):
        server = self.liar(self.error("AccessDeniedException"))
        self.ask_liar(server)
        headers, body = server.seen[0]
        self.assertEqual((headers["Host"], headers["content-type"], headers["x-amz-target"]),
                         (HOST, "application/x-amz-json-1.1", "TrentService.DeriveSharedSecret"))
        self.assertIn("/us-east-1/kms/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=",
                      headers["authorization"])
        asked = json.loads(body)
        self.assertEqual(sorted(asked), ["KeyAgreementAlgorithm", "KeyId", "PublicKey", "Recipient"])
        self.assertEqual((asked["KeyId"], asked["KeyAgreementAlgorithm"]), (self.ARN, "ECDH"))
        self.assertEqual(len(base64.b64decode(asked["PublicKey"], validate=True)), 91)
        self.assertEqual(asked["Recipient"]["KeyEncryptionAlgorithm"], "RSAES_OAEP_SHA_256")
        self.assertEqual(base64.b64decode(asked["Recipient"]["AttestationDocument"], validate=True)[:2], b"\x84\x44")

    def test_wrong_answers(self):
        for change in ({"KeyId": self.ARN[:-1] + "c"}, {"KeyId": ...}, {"SharedSecret": "AAAA"}, {"CiphertextForRecipient": ...},
                       {"CiphertextForRecipient": "AAA"}, {"KeyAgreementAlgorithm": "DH"}, {"KeyOrigin": ...},
                       {"CiphertextForRecipient": ..., "SharedSecret": base64.b64encode(b"\1" * 32).decode()}):
            with self.subTest(change):
                self.check(self.answer(**change), "bad format")
        self.check((200, {}, b"{}"), "bad format")
        self.check((200, {}, b"<html>"), "closed by the peer", "", "1")
        self.check((200, {}, b"html"), "bad format")
        self.check((200, {}, self.answer()[2].replace(b"{", b'{"KeyId":"x",')), "bad format")

    def test_envelope_for_somebody_else(self):
        # The client hands it on unread; the keeper's key refuses it.
        answer = self.ask_liar(self.liar(self.answer()))
        self.assertEqual(answer["result"], "ok")
        self.assertNotIn("z", answer)

    def test_too_much(self):
        self.check((200, {}, b" " * (1 << 20)), "over a limit")
        self.check((200, {}, b"[" * 60000), "over a limit")
        self.check((200, {"X-" + str(i): "y" * 1000 for i in range(60)}, b"{}"), "over a limit")

    def test_errors(self):
        self.check(self.error("ThrottlingException"), "timed out", "ThrottlingException", "1")
        self.check(self.error("KMSInternalException", status=500), "closed by the peer", "KMSInternalException", "1")
        self.check(self.error("com.amazonaws.kms#NotFoundException"), "absent", "NotFoundException")
        self.check((502, {}, b"<html>Bad Gateway</html>"), "closed by the peer", "", "1")
        self.check((403, {}, b"blocked"), "closed by the peer", "", "1")
        self.check((400, {"x-amzn-ErrorType": "DisabledException:http://x/"}, b"{}"), "not in this state", "DisabledException")
        # Credentials fetched for this very request and refused: fetching them again would not help.
        self.check(self.error("ExpiredTokenException"), "not permitted", "ExpiredTokenException", "0")

    def test_broken_streams(self):
        def hang_up(handler):
            handler.close_connection = True
            handler.connection.close()

        def cut(handler):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
            handler.wfile.flush()
            handler.close_connection = True

        def silent(handler):
            time.sleep(6)
            handler.close_connection = True

        self.check(hang_up, "closed by the peer", "", "1")
        self.check(cut, "closed by the peer", "", "1")
        began = time.monotonic()
        self.check(silent, "timed out", "", "1")
        self.assertLess(time.monotonic() - began, 5.5)

    def test_clock_is_learned_once(self):
        ahead = time.time() + 3600
        skewed = self.error("InvalidSignatureException", "Signature expired: 20261121T040000Z is now earlier than 20261121T045500Z (20261121T050000Z - 5 min.)",
                            Date=email.utils.formatdate(ahead, usegmt=True))
        server = self.liar(skewed)
        command = self.command("derive", self.ARN, ca=f"{self.tls}/good.pem", kms=f"127.0.0.1:{server.server_port}", times=3)
        done = subprocess.run(command, input="\n\n", capture_output=True, text=True, timeout=60)
        found = attempts(done.stdout)
        self.assertEqual([a["retryable"] for a in found[:3]], ["1", "0", "0"])
        dates = [time.mktime(time.strptime(h["x-amz-date"], "%Y%m%dT%H%M%SZ")) - time.timezone for h, _ in server.seen]
        self.assertLess(abs(dates[0] - time.time()), 30)
        self.assertLess(abs(dates[1] - ahead), 30)
        self.assertLess(abs(dates[2] - ahead), 30)

    def test_clock_of_a_wrong_signature_is_not_learned(self):
        wrong = self.error("InvalidSignatureException", "The request signature we calculated does not match the signature you provided.",
                           Date=email.utils.formatdate(time.time() + 3600, usegmt=True))
        self.check(wrong, "not permitted", "InvalidSignatureException")

    def test_certificates(self):
        for cert, ca in (("other", "other"), ("other", "good"), ("good", "other")):
            server = self.liar(self.answer(), cert=cert)
            self.assertEqual(self.ask_liar(server, ca=ca)["result"], "not authentic", (cert, ca))
            self.assertEqual(server.seen, [])

    def test_old_tls(self):
        try:
            server = self.liar(self.answer(), versions=(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1))
        except (ValueError, ssl.SSLError):
            self.skipTest("this Python speaks no TLS 1.1")
        self.assertEqual(self.ask_liar(server)["result"], "closed by the peer")
        self.assertEqual(server.seen, [])
        server = self.liar(self.error("NotFoundException"), versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2))
        self.assertEqual(self.ask_liar(server)["type"], "NotFoundException")

    def test_redirect(self):
        elsewhere = self.liar(self.answer())
        answer = self.ask_liar(self.liar((307, {"Location": f"https://{HOST}:{elsewhere.server_port}/"}, b"")))
        self.assertNotEqual(answer["result"], "ok")
        self.assertEqual(elsewhere.seen, [])


if __name__ == "__main__":
    if not shutil.which("openssl"):
        print("SKIP: the openssl command is missing")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0]] + sys.argv[3:])
