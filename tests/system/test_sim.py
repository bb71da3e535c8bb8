#!/usr/bin/env python3
"""holdfast-sim from outside: KMS and the metadata service as a client of AWS's would find them."""
import base64
import datetime
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from sim_rig import PCR0, PEER, PUBLIC, SHARED, SIM, SPKI, TREE, Sim, amz_date, policy, spki

VECTORS = os.environ.get("HOLDFAST_VECTORS") or os.environ.get("HOLDFAST_VECTORS_DIR", "")
OTHER = "6f" * 48


class Calls(Sim):
    def test_shared_secret_is_the_published_one(self):
        status, answer = self.call("DeriveSharedSecret", self.derive())
        self.assertEqual(status, 200, answer)
        self.assertEqual(answer, {"KeyId": self.open_key, "SharedSecret": base64.b64encode(bytes.fromhex(SHARED)).decode(),
                                  "KeyAgreementAlgorithm": "ECDH", "KeyOrigin": "AWS_KMS"})

    def test_public_key_and_description(self):
        status, answer = self.call("GetPublicKey", {"KeyId": self.open_key})
        self.assertEqual((status, answer["PublicKey"]), (200, spki(PUBLIC)))
        self.assertEqual((answer["KeyId"], answer["KeyUsage"], answer["KeySpec"], answer["KeyAgreementAlgorithms"]),
                         (self.open_key, "KEY_AGREEMENT", "ECC_NIST_P256", ["ECDH"]))
        status, answer = self.call("DescribeKey", {"KeyId": self.open_key.rsplit("/", 1)[1]})
        m = answer["KeyMetadata"]
        self.assertEqual((status, m["Arn"], m["KeyManager"], m["Origin"], m["KeyState"], m["Enabled"], m["MultiRegion"]),
                         (200, self.open_key, "CUSTOMER", "AWS_KMS", "Enabled", True, False))

    def test_origin_is_told(self):
        key = self.new_key(policy({"Effect": "Allow", "Action": "*"}), "--origin", "EXTERNAL")
        self.assertEqual(self.call("DeriveSharedSecret", self.derive(key))[1]["KeyOrigin"], "EXTERNAL")

    def test_peer_must_be_a_point_of_the_curve(self):
        good = bytes.fromhex(SPKI + "04" + PEER)
        bad = [b"", good[:-1], good + b"\0", good[:26] + b"\x02" + good[27:], good[:-1] + bytes([good[-1] ^ 1]), b"\x31" + good[1:],
               bytes.fromhex(SPKI + "04" + "00" * 64), good[:26] + b"\x06" + good[27:]]
        for peer in bad:
            self.refused("ValidationException", "DeriveSharedSecret", self.derive(PublicKey=base64.b64encode(peer).decode()))
        for peer in ("!", "AAA", 7, None):
            self.refused("ValidationException", "DeriveSharedSecret", self.derive(PublicKey=peer), says="publicKey")

    def test_parameters(self):
        for algorithm in ("ecdh", "", None, 1):
            self.refused("ValidationException", "DeriveSharedSecret", self.derive(KeyAgreementAlgorithm=algorithm))
        self.refused("DryRunOperationException", "DeriveSharedSecret", self.derive(DryRun=True))
        self.refused("ValidationException", "DescribeKey", {})
        self.refused("ValidationException", "DescribeKey", {"KeyId": 5})

    def test_unknown_keys(self):
        near = self.open_key[:-1] + ("0" if self.open_key[-1] != "0" else "1")
        elsewhere = self.open_key.replace("111122223333", "111122223334")
        for key in (near, elsewhere, "alias/x", "../credentials", self.open_key.upper(), near.rsplit("/", 1)[1]):
            self.refused("NotFoundException", "DescribeKey", {"KeyId": key})
        west = self.new_key(policy({"Effect": "Allow", "Action": "*"}), "--region", "eu-west-1")
        self.refused("NotFoundException", "DescribeKey", {"KeyId": west}, says="eu-west-1")

    def test_states(self):
        key = self.new_key(policy({"Effect": "Allow", "Action": "*"}))
        file = self.path("keys", key.rsplit("/", 1)[1] + ".json")
        with open(file) as f:
            whole = json.load(f)
        for state, kind in (("Disabled", "DisabledException"), ("PendingDeletion", "KMSInvalidStateException")):
            with open(file, "w") as f:
                json.dump({**whole, "KeyState": state}, f)
            self.refused(kind, "DeriveSharedSecret", self.derive(key))
            self.assertEqual(self.call("DescribeKey", {"KeyId": key})[1]["KeyMetadata"]["KeyState"], state)
        with open(file, "w") as f:
            json.dump({**whole, "KeyUsage": "SIGN_VERIFY"}, f)
        self.refused("InvalidKeyUsageException", "DeriveSharedSecret", self.derive(key))
        with open(file, "w") as f:
            f.write("{")
        self.assertEqual(self.call("DescribeKey", {"KeyId": key})[0], 500)

    def test_protocol(self):
        for operation in ("Sign", "derivesharedsecret", "", "DeriveSharedSecret2"):
            self.refused("UnknownOperationException", operation, {})
        self.refused("UnknownOperationException", "DescribeKey", {}, path="/x")
        self.refused("UnknownOperationException", "DescribeKey", {}, method="PUT")
        self.refused("UnknownOperationException", "DescribeKey", {}, unsigned={"Content-Type": "application/json"})
        for body in (b"", b"{", b"[]", b"7", b'{"KeyId":"a","KeyId":"b"}', b"{} {}", b"\xff", b"[" * 5000):
            self.refused("SerializationException", "DescribeKey", body)


class Signatures(Sim):
    def describe(self, kind, says="", **how):
        self.refused(kind, "DescribeKey", {"KeyId": self.open_key}, says=says, **how)

    def test_altered(self):
        def flip(headers, body):
            return {**headers, "Authorization": headers["Authorization"][:-1] + ("0" if headers["Authorization"][-1] != "0" else "1")}, body
        self.describe("InvalidSignatureException", "does not match", alter=flip)
        self.describe("InvalidSignatureException", "does not match", alter=lambda h, b: (h, b + b" "))
        self.describe("InvalidSignatureException", "does not match", alter=lambda h, b: ({**h, "X-Amz-Target": "TrentService.GetPublicKey"}, b))
        self.describe("InvalidSignatureException", "does not match", alter=lambda h, b: ({**h, "Host": "localhost"}, b))
        short = lambda h, b: ({**h, "Authorization": h["Authorization"][:-2]}, b)
        self.assertIn(self.call("DescribeKey", {}, alter=short)[1]["__type"], ("IncompleteSignature", "InvalidSignatureException"))
        wrong = {**self.credentials, "SecretAccessKey": self.credentials["SecretAccessKey"][::-1]}
        self.describe("InvalidSignatureException", "does not match", credentials=wrong)

    def test_every_header_that_counts_is_signed(self):
        for name in ("Host", "Content-Type", "X-Amz-Date", "X-Amz-Target"):
            self.describe("InvalidSignatureException", "SignedHeader", drop=(name,))
        self.describe("InvalidSignatureException", "not signed", drop=("X-Amz-Security-Token",))
        self.describe("InvalidSignatureException", "not signed", unsigned={"X-Amz-Extra": "1"})

    def test_form(self):
        self.describe("MissingAuthenticationToken", alter=lambda h, b: ({k: v for k, v in h.items() if k != "Authorization"}, b))
        for text in ("AWS4-HMAC-SHA256", "Bearer x", "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00"):
            self.describe("IncompleteSignature", alter=lambda h, b: ({**h, "Authorization": text}, b))

    def test_date(self):
        now = time.time()
        self.describe("InvalidSignatureException", "Signature expired: ", at=now - 330)
        self.describe("InvalidSignatureException", "Signature not yet current: ", at=now + 330)
        for near in (-270, 270):
            self.assertEqual(self.call("DescribeKey", {"KeyId": self.open_key}, at=now + near)[0], 200)
        self.describe("InvalidSignatureException", "Date in Credential scope", signed_date=amz_date(now - 86400))

    def test_scope(self):
        self.describe("InvalidSignatureException", "valid region", region="eu-west-1")
        self.describe("InvalidSignatureException", "'kms'", service="sts")

    def test_credentials(self):
        self.describe("UnrecognizedClientException", credentials={**self.credentials, "AccessKeyId": "ASIA" + "A" * 16})
        self.describe("UnrecognizedClientException", credentials={**self.credentials, "Token": "x"})
        old = dict(self.credentials)
        file = self.path("credentials.json")
        with open(file) as f:
            given = f.read()
        try:
            past = datetime.datetime.utcfromtimestamp(time.time() - 1).strftime("%Y-%m-%dT%H:%M:%SZ")
            with open(file, "w") as f:
                json.dump({**json.loads(given), "Expiration": past}, f)
            self.describe("ExpiredTokenException", "expired")
            os.unlink(file)
            self.describe("UnrecognizedClientException", credentials=old)
        finally:
            with open(file, "w") as f:
                f.write(given)
        self.assertEqual(self.call("DescribeKey", {"KeyId": self.open_key})[0], 200)


class Policies(Sim):
    def denied(self, key, operation, body, says="no resource-based policy"):
        self.refused("AccessDeniedException", operation, body, says=says)

    def test_pcr0_policy(self):
        key = self.new_key(None, "--pcr0", PCR0)
        self.assertEqual(self.call("DescribeKey", {"KeyId": key})[0], 200)
        self.assertEqual(self.call("GetPublicKey", {"KeyId": key})[0], 200)
        self.denied(key, "DeriveSharedSecret", self.derive(key))
        document = self.attest(self.rsa()[1])
        self.assertEqual(self.call("DeriveSharedSecret", self.derive(key, **self.recipient(document)))[0], 200)
        other = self.new_key(None, "--pcr0", OTHER)
        self.denied(other, "DeriveSharedSecret", self.derive(other, **self.recipient(document)))

    def test_conditions(self):
        document = self.recipient(self.attest(self.rsa()[1]))
        p, image = "kms:RecipientAttestation:PCR0", "kms:RecipientAttestation:ImageSha384"
        allow = {"Effect": "Allow", "Action": "kms:DeriveSharedSecret"}
        deny = {"Effect": "Deny", "Action": "kms:DeriveSharedSecret"}
        cases = [
            (True, [{**allow, "Condition": {"StringEquals": {image: PCR0}}}]),
            (True, [{**allow, "Condition": {"StringEquals": {image.upper(): [OTHER, PCR0]}}}]),
            (False, [{**allow, "Condition": {"StringEquals": {p: PCR0.upper()}}}]),
            (True, [{**allow, "Condition": {"StringEqualsIgnoreCase": {p: PCR0.upper()}}}]),
            (False, [{**allow, "Condition": {"StringEquals": {p: PCR0, "kms:RecipientAttestation:PCR1": OTHER}}}]),
            (False, [{**allow, "Condition": {"StringEquals": {p: PCR0}, "StringEqualsIgnoreCase": {image: OTHER}}}]),
            (False, [{**allow, "Condition": {"StringEquals": {"kms:RecipientAttestation:PCR16": "00" * 48}}}]),
            (False, [allow, {**deny, "Condition": {"StringEquals": {p: PCR0}}}]),
            (False, [{**deny, "Condition": {"StringNotEquals": {p: OTHER}}}, allow]),
            (True, [allow, {**deny, "Condition": {"StringNotEqualsIgnoreCase": {p: PCR0}}}]),
            (True, [{**allow, "Action": ["KMS:derive*"]}]),
            (False, [{**allow, "Action": ["kms:Decrypt", "kms:DeriveSharedSecre?s"]}]),
            (False, [{**allow, "Resource": "arn:aws:kms:us-east-1:111122223333:key/other"}]),
        ]
        for good, statements in cases:
            key = self.new_key(policy(*statements))
            status, answer = self.call("DeriveSharedSecret", self.derive(key, **document))
            self.assertEqual(status == 200, good, (statements, answer))
            self.assertIn(answer.get("__type"), (None, "AccessDeniedException"))

    def test_without_a_document_its_keys_are_absent(self):
        p = "kms:RecipientAttestation:PCR0"
        key = self.new_key(policy({"Effect": "Allow", "Action": "kms:*", "Condition": {"StringNotEquals": {p: OTHER}}}))
        self.assertEqual(self.call("DeriveSharedSecret", self.derive(key))[0], 200)
        key = self.new_key(policy({"Effect": "Allow", "Action": "kms:*"},
                                  {"Effect": "Deny", "Action": "kms:DeriveSharedSecret", "Condition": {"StringNotEquals": {p: PCR0}}}))
        self.denied(key, "DeriveSharedSecret", self.derive(key), says="explicit deny")

    def test_what_is_not_simulated_is_refused(self):
        allow = {"Effect": "Allow", "Action": "kms:*"}
        for bad in ({**policy(allow), "Version": "2008-10-17"}, policy(), policy({"Effect": "allow", "Action": "kms:*"}), policy({"Effect": "Allow"}),
                    policy({**allow, "Condition": {"StringLike": {"a": "b"}}}), policy({**allow, "NotPrincipal": "x"}),
                    policy({**allow, "Condition": {"StringEquals": {"a": 7}}}), {"Version": "2012-10-17"}, []):
            with self.assertRaises(subprocess.CalledProcessError):
                self.new_key(bad)


class Envelopes(Sim):
    def open(self, cms, key):
        with open(self.path("cms"), "wb") as f:
            f.write(cms)
        out = subprocess.run(["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in", self.path("cms"), "-inkey", key],
                             capture_output=True, check=True)
        return out.stdout.hex()

    def derive_for(self, key_file, public):
        status, answer = self.call("DeriveSharedSecret", self.derive(**self.recipient(self.attest(public))))
        self.assertEqual(status, 200, answer)
        self.assertNotIn("SharedSecret", answer)
        cms = base64.b64decode(answer["CiphertextForRecipient"])
        self.assertEqual(self.open(cms, key_file), SHARED)
        return cms

    def test_opens_and_has_the_shape_of_a_real_one(self):
        key, public = self.rsa()
        cms = self.derive_for(key, public)
        self.assertEqual(cms[33:65], hashlib.sha256(public).digest())
        if not os.path.exists(os.path.join(VECTORS, "cms", "edgebit.ber")):
            self.skipTest("no vectors/cms/edgebit.ber to compare the shape with")
        with open(os.path.join(VECTORS, "cms", "edgebit.ber"), "rb") as f:
            real = f.read()
        # All but the recipient's name, the wrapped key, the IV and the content.
        varies = [(33, 65), (131, 387), (415, 431), (435, 483)]
        blank = lambda b: bytes(0 if any(lo <= i < hi for lo, hi in varies) else x for i, x in enumerate(b))
        self.assertEqual(blank(cms).hex(), blank(real).hex())

    def test_other_sizes_of_key(self):
        for bits in (3072, 4096):
            self.derive_for(*self.rsa(bits))

    def test_primitive_shape(self):
        before = self.kms_at
        type(self).kms_at = self.serve("kms", "--nsm-root", self.path("nsm-root.pem"), "--envelope", "primitive")
        try:
            key, public = self.rsa()
            cms = self.derive_for(key, public)
            self.assertEqual(cms[431:433], b"\x80\x30")
        finally:
            type(self).kms_at = before

    def test_documents(self):
        key, public = self.rsa()
        good = self.attest(public)
        altered = good[:-1] + bytes([good[-1] ^ 1])
        for document in (altered, good[:-1], good + b"\0", b"\x84", b"x" * 20000):
            self.refused("ValidationException", "DeriveSharedSecret", self.derive(**self.recipient(document)), says="attestation document")
        small = subprocess.run("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 2>/dev/null | openssl pkey -pubout -outform DER",
                               shell=True, check=True, capture_output=True).stdout
        for other in (small, bytes.fromhex(SPKI + "04" + PEER), public + b"\0", b"\0", None):
            self.refused("ValidationException", "DeriveSharedSecret", self.derive(**self.recipient(self.attest(other))))
        how = self.recipient(good)["Recipient"]
        for bad in ({**how, "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_1"}, {"AttestationDocument": how["AttestationDocument"]},
                    {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256"}, {**how, "AttestationDocument": "*"}, 7, {}):
            self.refused("ValidationException", "DeriveSharedSecret", self.derive(Recipient=bad))

    def test_another_root(self):
        other = self.path("elsewhere")
        self.start("nsm", "--state", other, "--listen", "unix:" + self.path("other.sock"), "--pcr", "0=" + PCR0)
        self.wait(lambda: os.path.exists(self.path("other.sock")))
        document = self.attest(self.rsa()[1], "other.sock")
        self.refused("ValidationException", "DeriveSharedSecret", self.derive(**self.recipient(document)), says="root")


class Metadata(Sim):
    def test_tokens(self):
        for ttl in (None, "0", "21601", "-1", "x", "", "60s"):
            self.assertEqual(self.imds("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": ttl} if ttl is not None else {})[0], 400)
        self.assertEqual(self.imds("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60", "X-Forwarded-For": "192.0.2.7"})[0], 403)
        self.assertEqual(self.imds("GET", "/latest/api/token")[0], 405)
        for headers in ({}, {"X-aws-ec2-metadata-token": "x"}, {"X-aws-ec2-metadata-token": ""}):
            for path in (TREE, TREE + "holdfast-sim", "/nothing"):
                self.assertEqual(self.imds("GET", path, headers)[0], 401)
        token = self.imds("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "1"})[1]
        headers = {"X-aws-ec2-metadata-token": token}
        self.assertEqual(self.imds("GET", TREE, headers), (200, "holdfast-sim"))
        self.assertEqual(self.imds("GET", TREE[:-1], headers), (200, "holdfast-sim"))
        time.sleep(1.2)
        self.assertEqual(self.imds("GET", TREE, headers)[0], 401)

    def test_paths(self):
        headers = {"X-aws-ec2-metadata-token": self.imds("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})[1]}
        for path in (TREE + "other", TREE + "holdfast-sim/", "/latest/meta-data/", "/", TREE[:-1] + "x"):
            self.assertEqual(self.imds("GET", path, headers)[0], 404)
        self.assertEqual(self.imds("POST", TREE, headers)[0], 404)

    def test_credentials(self):
        c = self.fetch_credentials()
        self.assertEqual((c["Code"], c["Type"], c["AccessKeyId"][:4], len(c["AccessKeyId"]), len(c["SecretAccessKey"])),
                         ("Success", "AWS-HMAC", "ASIA", 20, 40))
        end = datetime.datetime.strptime(c["Expiration"], "%Y-%m-%dT%H:%M:%SZ")
        left = (end - datetime.datetime.utcnow()).total_seconds()
        self.assertTrue(21000 < left <= 21600, left)
        self.assertEqual(os.stat(self.path("credentials.json")).st_mode & 0o777, 0o600)
        with open(self.path("credentials.json")) as f:
            self.assertEqual(json.load(f), c)


class Program(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="holdfast-sim-")
        self.addCleanup(shutil.rmtree, self.dir)

    def run_sim(self, *args):
        return subprocess.run([SIM, *args], capture_output=True, text=True, timeout=20)

    def test_help_and_usage(self):
        for words in (["--help"], ["kms", "--help"], ["imds", "--help"], ["nsm", "--help"]):
            out = self.run_sim(*words)
            self.assertEqual((out.returncode, out.stdout[:19]), (0, "usage: holdfast-sim"))
        for words in ([], ["x"], ["kms"], ["kms", "--state", self.dir, "--new-key"], ["imds", "--state", self.dir], ["kms", "--bogus"],
                      ["kms", "--state", self.dir, "--listen", "127.0.0.1:0"], ["imds", "--state", self.dir, "--listen", "x", "--lifetime", "0"]):
            self.assertEqual(self.run_sim(*words).returncode, 2, words)

    def test_the_manual_names_every_option(self):
        source = os.environ.get("HOLDFAST_SOURCE", os.path.join(HERE, "..", ".."))
        with open(os.path.join(source, "docs", "man", "holdfast-sim.1")) as f:
            man = f.read().replace("\\-", "-")
        for service in ("nsm", "kms", "imds"):
            for word in re.findall(r"--[a-z0-9-]+", self.run_sim(service, "--help").stdout):
                self.assertIn(word, man, service)

    def test_what_is_no_misbehaviour_or_shape(self):
        nowhere = ["kms", "--state", self.dir, "--listen", "127.0.0.1:0", "--nsm-root", os.path.join(self.dir, "none.pem")]
        self.assertEqual(self.run_sim(*nowhere, "--envelope", "square").returncode, 2)
        for words in ("", "kind", "throttle:", "throttle:0", "throttle:-1", "throttle:1x", "throttle@", "throttle:1@", "throttle 1", "throttle:1:1", "slow\n\n"):
            self.assertEqual(self.run_sim(*nowhere, "--misbehave", words).returncode, 1, words)
            self.assertFalse(os.path.exists(os.path.join(self.dir, "misbehave")), words)

    def test_new_key_prints_only_its_name_and_keeps_the_ca(self):
        out = self.run_sim("kms", "--state", self.dir, "--new-key", "--pcr0", PCR0, "--region", "eu-central-1", "--account", "222233334444")
        self.assertRegex(out.stdout, r"\Aarn:aws:kms:eu-central-1:222233334444:key/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n\Z")
        with open(os.path.join(self.dir, "ca.pem")) as f:
            ca = f.read()
        self.run_sim("kms", "--state", self.dir, "--new-key", "--pcr0", PCR0)
        with open(os.path.join(self.dir, "ca.pem")) as f:
            self.assertEqual(f.read(), ca)
        os.unlink(os.path.join(self.dir, "ca.key"))
        self.assertEqual(self.run_sim("kms", "--state", self.dir, "--new-key", "--pcr0", PCR0).returncode, 1)
        self.assertFalse(os.path.exists(os.path.join(self.dir, "ca.key")))

    def test_bad_keys_are_refused_and_leave_nothing(self):
        for args in (["--private", "00" * 32, "--pcr0", PCR0], ["--private", "ff" * 32, "--pcr0", PCR0], ["--private", "11", "--pcr0", PCR0],
                     ["--pcr0", "5e"], ["--pcr0", PCR0, "--account", "1"], ["--pcr0", PCR0, "--region", "a/b"], ["--pcr0", PCR0, "--origin", "X"],
                     ["--policy", os.path.join(self.dir, "none")]):
            out = self.run_sim("kms", "--state", self.dir, "--new-key", *args)
            self.assertEqual((out.returncode, out.stdout), (1, ""), args)
        self.assertFalse(os.path.exists(os.path.join(self.dir, "keys")))

    def test_ends_with_0_on_sigterm(self):
        for args in (["imds"], ["kms", "--nsm-root", os.path.join(self.dir, "nsm-root.pem")]):
            nsm = subprocess.Popen([SIM, "nsm", "--state", self.dir, "--listen", "unix:" + os.path.join(self.dir, "s")], stderr=subprocess.DEVNULL)
            Sim.wait(lambda: os.path.exists(os.path.join(self.dir, "s")), nsm)
            ready = os.path.join(self.dir, args[0] + ".ready")
            p = subprocess.Popen([SIM, *args, "--state", self.dir, "--listen", "127.0.0.1:0", "--ready-file", ready], stderr=subprocess.PIPE, text=True)
            Sim.wait(lambda: os.path.exists(ready), p)
            p.send_signal(signal.SIGTERM)
            err = p.communicate(timeout=20)[1]
            self.assertEqual(p.returncode, 0)
            self.assertIn("SIMULATOR: development", err)
            nsm.send_signal(signal.SIGTERM)
            self.assertEqual(nsm.wait(20), 0)


if __name__ == "__main__":
    if not os.path.exists(SIM):
        print(f"skipped: {SIM} is not built")
        sys.exit(77)
    if not shutil.which("openssl"):
        print("skipped: the openssl program is missing")
        sys.exit(77)
    unittest.main(verbosity=1)
