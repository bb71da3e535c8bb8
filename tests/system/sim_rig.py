"""The simulated KMS and metadata service as running programs, with a client of each.

The client signs with tests/models/sigv4.py and asks the security module itself for
documents: nothing of the daemon is used. Standard library only."""
import base64
import http.client
import json
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "models"))
import sigv4

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
SIM = os.path.join(BUILD, "sim", "holdfast-sim")
PRIVATE = "11" * 32
# The public key of PRIVATE, and NUMS points with their products, as published for the key-derivation profiles.
PUBLIC = ("0217e617f0b6443928278f96999e69a23a4f2c152bdf6d6cdf66e5b80282d4ed"
          "194a7debcb97712d2dda3ca85aa8765a56f45fc758599652f2897c65306e5794")
PEER = ("89090b5f48cad70205fd01609e9d0a42bf5a1a2a2e158a39ab2b4be2a4ce32c7"
        "6cf6596499fddf3d25cdd9de21b25cee86679ee93930921cb65771ce5f26ac16")
SHARED = "93c6170b8a3fa78d0fa90972bae7feed706f13bd3733c7457a6843ae368bcf20"
SPKI = "3059301306072a8648ce3d020106082a8648ce3d030107034200"
PCR0 = "5e" * 48
TREE = "/latest/meta-data/iam/security-credentials/"


def spki(point):
    return base64.b64encode(bytes.fromhex(SPKI + "04" + point)).decode()


def cbor(value):
    """As much of CBOR as a request to the security module needs."""
    def head(major, n):
        return bytes([major << 5 | n]) if n < 24 else bytes([major << 5 | 24, n]) if n < 256 else struct.pack(">BH", major << 5 | 25, n)
    if value is None:
        return b"\xf6"
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value)) + value.encode()
    return head(5, len(value)) + b"".join(cbor(k) + cbor(v) for k, v in value.items())


def amz_date(seconds=None):
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))


def sign(method, path, headers, body, date, region, service, credentials):
    """The Authorization header for these headers, all of them signed."""
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return sigv4.authorization(method.encode(), pairs, body, date.encode(), region.encode(), service.encode(),
                               credentials["AccessKeyId"].encode(), credentials["SecretAccessKey"].encode(), path.encode()).decode()


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": [{"Principal": {"AWS": "*"}, "Resource": "*", **s} for s in statements]}


class Sim(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="holdfast-sim-")
        cls.procs = []
        try:
            cls.prepare()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def prepare(cls):
        cls.nsm = cls.start("nsm", "--state", cls.dir, "--listen", "unix:" + cls.path("nsm.sock"), "--pcr", "0=" + PCR0)
        cls.wait(lambda: os.path.exists(cls.path("nsm-root.pem")) and os.path.exists(cls.path("nsm.sock")))
        cls.open_key = cls.new_key(policy({"Effect": "Allow", "Action": "kms:*"}))
        cls.imds_at = cls.serve("imds")
        cls.kms_at = cls.serve("kms", "--nsm-root", cls.path("nsm-root.pem"))
        cls.credentials = cls.fetch_credentials()

    @classmethod
    def tearDownClass(cls):
        """Every service must end by itself, with 0, after whatever the tests sent it (a sanitizer speaks up here)."""
        for p in cls.procs:
            p.terminate()
        codes = []
        for p in cls.procs:
            try:
                codes.append(p.wait(20))
            except subprocess.TimeoutExpired:
                p.kill()
                codes.append(p.wait())
        logs = [cls.path(f) for f in os.listdir(cls.dir) if f.endswith(".log")]
        tail = "" if not any(codes) else "\n".join(open(f, errors="replace").read()[-3000:] for f in logs)
        shutil.rmtree(cls.dir)
        if any(codes):
            raise AssertionError(f"the services ended with {codes}\n{tail}")

    @classmethod
    def path(cls, *parts):
        return os.path.join(cls.dir, *parts)

    @classmethod
    def start(cls, *args):
        with open(cls.path(args[0] + ".log"), "ab") as log:
            p = subprocess.Popen([SIM, *args], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        cls.procs.append(p)
        return p

    @classmethod
    def serve(cls, service, *args):
        ready = cls.path(f"{service}-{len(cls.procs)}.ready")
        p = cls.start(service, "--state", cls.dir, "--listen", "127.0.0.1:0", "--ready-file", ready, *args)
        cls.wait(lambda: os.path.exists(ready), p)
        with open(ready) as f:
            return int(f.read().rsplit(":", 1)[1])

    @classmethod
    def wait(cls, condition, p=None, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            if (p and p.poll() is not None) or time.monotonic() > end:
                raise RuntimeError("the simulator did not start")
            time.sleep(0.02)

    @classmethod
    def new_key(cls, document=None, *args):
        if document is not None:
            with open(cls.path("policy.json"), "w") as f:
                json.dump(document, f)
            args += ("--policy", cls.path("policy.json"))
        out = subprocess.run([SIM, "kms", "--state", cls.dir, "--new-key", "--private", PRIVATE, *args],
                             capture_output=True, text=True, check=True)
        return out.stdout.strip()

    # -- clients ---------------------------------------------------------------
    @classmethod
    def imds(cls, method, path, headers=None):
        con = http.client.HTTPConnection("127.0.0.1", cls.imds_at, timeout=10)
        con.request(method, path, headers=headers or {})
        answer = con.getresponse()
        body = answer.read()
        con.close()
        return answer.status, body.decode()

    @classmethod
    def fetch_credentials(cls):
        _, token = cls.imds("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
        role = cls.imds("GET", TREE, {"X-aws-ec2-metadata-token": token})[1]
        return json.loads(cls.imds("GET", TREE + role, {"X-aws-ec2-metadata-token": token})[1])

    @classmethod
    def post(cls, headers, body, method="POST", path="/"):
        context = ssl.create_default_context(cafile=cls.path("ca.pem"))
        with socket.create_connection(("127.0.0.1", cls.kms_at), 10) as plain, \
                context.wrap_socket(plain, server_hostname=headers["Host"]) as tls:
            con = http.client.HTTPConnection(headers["Host"])
            con.sock = tls
            con.request(method, path, body, headers)
            answer = con.getresponse()
            text = answer.read()
            if not answer.getheader("x-amzn-RequestId"):
                raise AssertionError("no x-amzn-RequestId")
            return answer.status, json.loads(text)

    def call(self, operation, body, *, drop=(), alter=None, unsigned=None, at=None, region="us-east-1", service="kms", method="POST",
             credentials=None, signed_date=None, path="/"):
        """A signed call; the named arguments spoil it in one way each."""
        c = credentials or self.credentials
        date = amz_date(at)
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Host": "kms.us-east-1.amazonaws.com", "Content-Type": "application/x-amz-json-1.1", "X-Amz-Date": date,
                   "X-Amz-Target": "TrentService." + operation, "X-Amz-Security-Token": c["Token"]}
        signed = {k: v for k, v in headers.items() if k not in drop}
        headers["Authorization"] = sign(method, path, signed, body, signed_date or date, region, service, c)
        headers.update(unsigned or {})
        return self.post(*(alter(headers, body) if alter else (headers, body)), method, path)

    def refused(self, kind, *args, says="", **how):
        status, answer = self.call(*args, **how)
        self.assertEqual((status, answer.get("__type")), (400, kind), answer)
        text = answer["Message" if kind == "AccessDeniedException" else "message"]
        self.assertIn(says, text)

    def derive(self, key=None, **more):
        return {"KeyId": key or self.open_key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": spki(PEER), **more}

    def attest(self, public_key, nsm="nsm.sock"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.connect(self.path(nsm))
            s.send(cbor({"Attestation": {"user_data": None, "nonce": None, "public_key": public_key}}))
            answer = s.recv(0x3000)
        start = answer.index(b"hdocument") + len(b"hdocument")
        self.assertEqual(answer[start], 0x59)
        return answer[start + 3:]

    def rsa(self, bits=2048):
        key = self.path(f"rsa{bits}.pem")
        if not os.path.exists(key):
            subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}", "-out", key],
                           check=True, capture_output=True)
        return key, subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout

    def recipient(self, document):
        return {"Recipient": {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": base64.b64encode(document).decode()}}
