#!/usr/bin/env python3
"""Custody of the KMS key, as a whole enclave sees it: what KMS says is judged before anything is derived, who
answers must hold the key, refusals leave all as it was, and what was seen can be checked from outside."""
import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE]
import rig as r

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
ATTESTED = {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": r.PCR0}}
READS = ["kms:DescribeKey", "kms:GetPublicKey", "kms:GetKeyPolicy", "kms:ListGrants"]
SPKI = ("3059301306072a8648ce3d020106082a8648ce3d03010703420004"
        "0217e617f0b6443928278f96999e69a23a4f2c152bdf6d6cdf66e5b80282d4ed194a7debcb97712d2dda3ca85aa8765a56f45fc758599652f2897c65306e5794")


def statement(action, **more):
    return {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": action, "Resource": "*", **more}


def policy(*more, reads=READS, condition=ATTESTED):
    return {"Version": "2012-10-17", "Statement": [statement("kms:DeriveSharedSecret", Condition=condition), statement(list(reads)), *more]}


class Case(unittest.TestCase):
    def setUp(self):
        self.rig = r.Rig(BUILD)
        self.addCleanup(self.rig.close)
        self.rig.simulator()
        self.rig.start_parent()

    # -- the simulated key ----------------------------------------------------
    def key_file(self):
        return self.rig.path("sim", "keys", self.rig.arn.rsplit("/", 1)[1] + ".json")

    def key(self):
        with open(self.key_file()) as f:
            return json.load(f)

    def change_key(self, **members):
        key = dict(self.key(), **members)
        with open(self.key_file() + ".new", "w") as f:
            json.dump(key, f)
        os.rename(self.key_file() + ".new", self.key_file())

    def calls(self, name=""):
        return len(re.findall(r"TrentService\." + name, self.rig.kms.text()))

    # -- the enclave ----------------------------------------------------------
    def refused(self, *names, **more):
        """Setup is refused for exactly these findings, and leaves nothing behind."""
        status, _, body = self.rig.setup(**more)
        error = json.loads(body)["error"]
        self.assertEqual(status, 403, error)
        self.assertEqual(sorted(re.search(r"not accepted: (.*?)\.", error).group(1).split(", ")), sorted(names))
        self.assertEqual(self.rig.status()["phase"], "awaiting-setup")
        self.assertEqual([f for f in self.stored() if os.path.basename(f).startswith(("record", "g0", "head"))], [])

    def stored(self):
        return [os.path.join(folder, name) for folder, _, names in os.walk(self.rig.store()) for name in names]

    def done(self, **more):
        status, _, body = self.rig.setup(**more)
        self.assertEqual((status, body), (200, b"Secret generated successfully."))
        key = json.loads(self.rig.get("/public-key")[2])["public_key"]
        self.assertEqual(key, r.PUBLISHED)

    def failed(self, **more):
        """Whatever KMS did wrong, a client hears the same."""
        status, headers, body = self.rig.setup(**more)
        answer = json.loads(body)
        self.assertEqual((status, answer["error"], sorted(answer)), (500, "KMS operation failed.", ["error", "request_id", "status"]))
        self.assertEqual(self.rig.status()["phase"], "awaiting-setup")

    def evidence(self, query=""):
        status, _, body = self.rig.get("/key-evidence" + query)
        self.assertEqual(status, 200, body)
        return json.loads(body)

    def findings(self):
        return {f["id"] for f in json.loads(self.evidence()["evidence"])["findings"]}

    def check(self, evidence, *more, pcr0=r.PCR0):
        path = self.rig.path("evidence.json")
        with open(path, "w") as f:
            f.write(evidence if isinstance(evidence, str) else json.dumps(evidence))
        out = self.rig.holdfast("key", "check", "--evidence", path, *(["--pcr0", pcr0] if pcr0 else []), "--json", *more, check=False)
        return out.returncode, json.loads(out.stdout) if out.stdout else {}


class Evidence(Case):
    def test_a_locked_key_is_taken_and_anyone_can_check_it(self):
        self.rig.start_enclave()
        self.assertEqual(self.rig.get("/key-evidence")[0], 404)
        self.done()
        answer = self.evidence("?nonce=c0ffee")
        text = answer["evidence"]
        self.assertEqual(answer["evidence_sha256"], hashlib.sha256(text.encode()).hexdigest())
        evidence = json.loads(text)
        self.assertEqual((evidence["type"], evidence["key"], evidence["findings"], evidence["measurements"]),
                         ("holdfast-key-evidence", self.rig.arn, [], [r.PCR0]))
        self.assertLess(abs(evidence["checked_at"] - time.time()), 60)
        documents = evidence["documents"]
        self.assertEqual(base64.b64decode(json.loads(documents["get_public_key"]["body"])["PublicKey"]).hex(), SPKI)
        self.assertEqual(json.loads(json.loads(documents["get_key_policy"][0]["body"])["Policy"]), self.key()["Policy"])
        root = ("--root", self.rig.path("sim", "nsm-root.pem"))
        code, said = self.check(answer, *root)
        self.assertEqual((code, said["accepted"], said["attested"]["good"], said["findings"]), (0, True, True, []))
        document = base64.b64decode(answer["document"])
        self.assertIn(b"HFE1" + hashlib.sha256(text.encode()).digest(), document)
        self.assertIn(b"\xc0\xff\xee", document)
        # What is not attested, altered, of another root or build, or old, is not believed.
        self.assertEqual(self.check(text)[0], 0)
        self.assertIsNone(self.check(text)[1]["attested"])
        for other in (dict(answer, evidence=text.replace('"checked_at":1', '"checked_at":2')), dict(answer, document=base64.b64encode(document[:-1] + b"\0").decode())):
            code, said = self.check(other, *root)
            self.assertEqual((code, said["accepted"], said["attested"]["good"]), (1, False, False))
        self.assertIn("vouches for other", self.check(dict(answer, evidence=text + " "), *root)[1]["attested"]["detail"])
        self.assertEqual(self.check(answer)[0], 1)                                 # AWS's root did not sign it
        self.assertEqual(self.check(answer, *root, "--at", "1700000000")[0], 1)
        code, said = self.check(answer, *root, pcr0="5f" * 48)
        self.assertEqual((code, {f["id"] for f in said["findings"]}), (1, {"measurement-unknown", "derive-not-allowed"}))
        self.assertEqual(self.check(answer, *root, pcr0=None)[0], 1)               # nobody said which build to expect

    def test_kms_is_not_asked_for_every_client(self):
        self.rig.start_enclave()
        self.done()
        before = self.calls()
        first = self.evidence()
        for _ in range(5):
            self.assertEqual(self.evidence()["evidence"], first["evidence"])
        self.assertEqual(self.calls(), before)

    def test_each_finding_refuses_setup_until_it_is_named(self):
        self.rig.start_enclave()
        grant = {"GrantId": "g", "GranteePrincipal": "arn:aws:iam::111122223333:role/x", "Operations": ["DeriveSharedSecret"]}
        for change, names in (
            ({"Policy": policy(statement("kms:PutKeyPolicy"))}, ["action-manages"]),
            ({"Policy": policy(statement("kms:*", Principal={"AWS": "arn:aws:iam::111122223333:root"}))}, ["action-wildcard"]),
            ({"Policy": policy(statement("kms:DeriveSharedSecret"))}, ["action-unattested"]),
            ({"Policy": policy(statement("kms:CreateGrant"), statement("kms:Frobnicate"))}, ["action-manages", "action-unknown"]),
            ({"Policy": policy(condition={"StringEquals": {"kms:RecipientAttestation:PCR0": [r.PCR0, "00" * 48]}})}, ["measurement-debug"]),
            ({"Policy": policy(condition={"StringEquals": {"kms:RecipientAttestation:PCR0": [r.PCR0, "5f" * 48]}})}, ["measurement-unknown"]),
            ({"Policy": policy(reads=["kms:DescribeKey", "kms:GetPublicKey", "kms:ListGrants"])}, ["policy-unreadable"]),
            ({"Policy": policy(reads=["kms:DescribeKey", "kms:GetPublicKey", "kms:GetKeyPolicy"])}, ["grants-unreadable"]),
            ({"Policy": policy(reads=["kms:GetKeyPolicy", "kms:GetPublicKey", "kms:ListGrants"])}, ["metadata-unreadable"]),
            ({"Policy": policy(reads=["kms:GetKeyPolicy", "kms:DescribeKey", "kms:ListGrants"])}, ["public-key"]),
        ):
            with self.subTest(names=names):
                self.change_key(**change)
                self.refused(*names)
                self.assertLessEqual(set(names), self.findings())
                if len(names) > 1:
                    self.refused(names[1], accept=names[:1])
        # grants, over more than one page
        self.change_key(Policy=policy(), Grants=[dict(grant, GrantId=str(i)) for i in range(120)])
        self.refused("grants-exist")
        self.change_key(Grants=[])
        self.done()

    def test_an_accepted_finding_is_on_record_for_ever(self):
        self.rig.start_enclave()
        self.change_key(Policy=policy(statement("kms:DisableKey"), reads=["kms:DescribeKey", "kms:GetPublicKey", "kms:ListGrants"]))
        self.refused("policy-unreadable")
        out = self.rig.holdfast("setup", "--url", f"http://127.0.0.1:{self.rig.port}", "--plain", "--key", self.rig.arn, "--blockhash", r.BLOCKHASH,
                                "--accept", "policy-unreadable,grants-exist", check=False)
        self.assertEqual(out.returncode, 0, out.stderr)
        records = [name for name in self.stored() if "record" in name]
        with open(records[0], "rb") as f:
            body = f.read()
        # accepted findings and the key's point, side by side (docs/wire.md, "Service record")
        want = (1 << 12 | 1 << 11).to_bytes(4, "little") + bytes.fromhex("02" + SPKI[54:118])
        self.assertIn(want, body)
        self.assertEqual(self.findings(), {"policy-unreadable"})
        self.rig.kill_enclave()
        self.rig.start_enclave()
        self.assertEqual(json.loads(self.rig.get("/public-key")[2])["public_key"], r.PUBLISHED)

    def test_imported_material_is_refused_twice(self):
        self.rig.start_enclave()
        self.change_key(Origin="EXTERNAL")
        self.refused("key-origin")
        self.failed(accept=["key-origin"])                     # whoever accepts it: a key that others know is none
        self.assertIn("material was imported", self.rig.enclave.text())
        self.change_key(Origin="AWS_KMS")
        self.done()

    def test_a_stopped_key_is_only_an_availability_matter(self):
        self.rig.start_enclave()
        self.change_key(Policy=policy(statement(["kms:ScheduleKeyDeletion", "kms:DisableKey"])))
        self.done()
        self.assertEqual(self.findings(), {"action-availability"})


class Holder(Case):
    def test_another_holder_is_refused_at_setup(self):
        """The public key that KMS shows and the private one that answers are not a pair."""
        self.rig.start_enclave()
        self.lie_about_the_public_key()
        self.failed()
        self.assertIn("does not hold the KMS key", self.rig.enclave.text())
        self.assertEqual(self.calls("DeriveSharedSecret"), 1)      # nothing was derived

    def lie_about_the_public_key(self):
        """Swap the private key between GetPublicKey and DeriveSharedSecret."""
        import threading
        asked = self.calls("ListGrants")

        def swap():
            end = time.monotonic() + 20
            while self.calls("ListGrants") == asked and time.monotonic() < end:
                time.sleep(0.0005)
            self.change_key(PrivateKey="12" * 32)
        thread = threading.Thread(target=swap)
        thread.start()
        self.addCleanup(thread.join)

    def test_another_holder_is_refused_at_every_later_start(self):
        self.rig.start_enclave()
        self.done()
        self.rig.kill_enclave()
        self.change_key(PrivateKey="12" * 32)
        self.rig.start_enclave(wait=False)
        self.assertNotEqual(self.rig.wait_end(), 0)
        self.assertIn("does not hold the KMS key", self.rig.enclave.text())
        self.change_key(PrivateKey=r.KMS_PRIVATE)
        self.rig.start_enclave()
        self.assertEqual(json.loads(self.rig.get("/public-key")[2])["public_key"], r.PUBLISHED)


class Failures(Case):
    def test_denied_by_the_attestation_condition(self):
        self.rig.start_enclave()
        self.change_key(Policy=policy(condition={"StringEquals": {"kms:RecipientAttestation:PCR0": "5f" * 48}}))
        self.refused("measurement-unknown")
        self.failed(accept=["measurement-unknown"])
        self.assertIn("AccessDeniedException", self.rig.enclave.text())
        self.change_key(Policy=policy())
        self.done()                                            # a refusal left nothing that stands in the way

    def test_no_such_key_and_a_disabled_one(self):
        self.rig.start_enclave()
        self.change_key(KeyState="Disabled")
        status, _, body = self.rig.setup(accept=["public-key"])
        self.assertEqual((status, json.loads(body)["error"]), (500, "KMS operation failed."))
        self.change_key(KeyState="Enabled")
        arn, self.rig.arn = self.rig.arn, self.rig.arn[:-1] + ("0" if self.rig.arn[-1] != "0" else "1")
        everything = ["metadata-unreadable", "public-key", "grants-unreadable", "policy-unreadable"]
        self.refused(*everything)
        self.failed(accept=everything)
        self.rig.arn = arn
        self.done()

    def test_another_authority_than_the_pinned_one(self):
        write = self.rig.write_config

        def other_ca():
            write()
            with open(self.rig.path("enclave.ini")) as f:
                text = f.read()
            with open(self.rig.path("enclave.ini"), "w") as f:
                f.write(re.sub(r"(?m)^ca = .*$", "ca = " + self.rig.path("other.pem"), text))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=other",
                        "-keyout", self.rig.path("other.key"), "-out", self.rig.path("other.pem")], check=True, capture_output=True)
        os.chmod(self.rig.path("other.pem"), 0o644)
        self.rig.write_config = other_ca
        self.rig.start_enclave()
        self.failed(accept=["policy-unreadable"])
        self.assertEqual(self.calls(), 0)                      # not a byte of a request got to the stranger
        self.assertEqual(self.rig.get("/key-evidence")[0], 404)

    def test_fetch_dies_and_all_goes_on(self):
        self.rig.start_enclave()
        self.done()
        for name, pid in self.rig.role_pids().items():
            if name[0] == "fetch":
                os.kill(pid, 9)
        self.rig.until(lambda: ("fetch", 0) in self.rig.role_pids(), "a new fetch")
        self.assertEqual(self.findings(), set())
        self.assertEqual(self.rig.status()["phase"], "serving")

    def test_credentials_are_in_no_log_and_no_store(self):
        self.rig.options["level"] = "debug"
        self.rig.start_enclave()
        self.done()
        self.evidence()
        self.rig.seal()
        with open(self.rig.path("sim", "credentials.json")) as f:
            text = f.read()
        secrets = [w for w in re.findall(r'"([^"]{16,})"', text) if not re.match(r"^\d{4}-\d\d-\d\dT|^[A-Z][A-Za-z]+$", w)]
        self.assertGreaterEqual(len(secrets), 3, text)         # access key, secret key, session token
        for folder, _, files in os.walk(self.rig.dir):
            if os.path.basename(folder) == "sim" or os.sep + "sim" + os.sep in folder:
                continue
            for name in filter(lambda n: os.path.isfile(os.path.join(folder, n)), files):
                with open(os.path.join(folder, name), "rb") as f:
                    body = f.read()
                for secret in secrets:
                    self.assertNotIn(secret.encode(), body, name)


class Credentials(Case):
    def test_new_ones_are_fetched_when_kms_takes_the_old_ones_no_longer(self):
        self.rig.start_enclave()
        self.change_key(Policy=policy(statement("kms:Sign")))
        self.refused("action-manages")
        self.rig.imds.stop()
        self.rig.imds = self.rig.start("sim-imds", self.rig.program("holdfast-sim"), "imds", "--state", self.rig.path("sim"), "--listen", f"127.0.0.1:{self.rig.imds_port}")
        self.rig.until(lambda: r.listening(self.rig.imds_port), "the new credentials")
        self.change_key(Policy=policy())
        self.done()
        self.assertEqual(len(re.findall("session credentials until", self.rig.enclave.text())), 2)

    def test_from_a_containers_endpoint(self):
        import http.server
        import threading
        case = self

        class Endpoint(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                case.asked.append(self.path)
                with open(case.rig.path("sim", "credentials.json")) as f:
                    given = json.load(f)
                given = given.get("Credentials", given)
                body = json.dumps({"AccessKeyId": given["AccessKeyId"], "SecretAccessKey": given["SecretAccessKey"], "Token": given["Token"],
                                   "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        self.asked = []
        server = http.server.HTTPServer(("127.0.0.1", 0), Endpoint)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.rig.parent.stop()
        with open(self.rig.path("parent.ini")) as f:
            text = f.read()
        with open(self.rig.path("parent.ini"), "w") as f:
            f.write(re.sub(r"169\.254\.169\.254:80=\S+", f"169.254.170.2:80=127.0.0.1:{server.server_port}", text))
        self.rig.parent = self.rig.start("parent", self.rig.program("holdfast"), "run", "--config", self.rig.path("parent.ini"))
        self.rig.until(lambda: r.listening(self.rig.port), "the parent")
        self.rig.options["credentials"] = "http://169.254.170.2/v2/credentials/x?y=1"
        self.rig.start_enclave()
        self.done()
        self.assertEqual(self.asked, ["/v2/credentials/x?y=1"])


class Misbehaviour(Case):
    """What KMS, or whoever stands in its place, does wrong; and that all is well once it stops."""

    def spoil(self, what):
        path = self.rig.path("sim", "misbehave")
        if not what:
            os.unlink(path)
            return
        with open(path + ".new", "w") as f:
            f.write(what)
        os.rename(path + ".new", path)

    def start(self):
        self.rig.start_enclave()

    def test_what_passes_is_waited_for(self):
        self.start()
        self.spoil("throttle:4@DeriveSharedSecret")            # each of the three questions has five attempts
        self.done()
        self.assertEqual(self.calls("DeriveSharedSecret"), 4 + 3)
        self.assertEqual(len(re.findall(r"asking KMS again in \d+ ms", self.rig.enclave.text())), 4)

    def test_failures_while_the_key_is_judged(self):
        self.start()
        for what in ("throttle:2@GetKeyPolicy", "error500:2@ListGrants", "garbage:1@DescribeKey", "truncated:1@GetPublicKey"):
            self.spoil(what)
            self.change_key(Policy=policy(statement("kms:Sign")))
            self.refused("action-manages")                     # it was read in the end, and judged as always
        self.change_key(Policy=policy())
        self.done()

    def test_what_does_not_pass_is_given_up(self):
        self.start()
        for what in ("throttle", "error500", "garbage", "truncated"):
            with self.subTest(what=what):
                self.spoil(what + "@DeriveSharedSecret")
                before = self.calls("DeriveSharedSecret")
                self.failed()
                self.assertEqual(self.calls("DeriveSharedSecret") - before, 5)
        self.spoil("throttle@GetKeyPolicy")                    # and nobody is led to accept what only was not to be had
        self.failed()
        self.spoil(None)
        self.done()

    def test_a_lie_is_refused_at_once(self):
        self.start()
        for what in ("wrong-key-id", "external-origin", "other-recipient", "short-secret", "long-secret", "plaintext", "plaintext-only"):
            with self.subTest(what=what):
                self.spoil(what)
                before = self.calls("DeriveSharedSecret")
                self.failed()
                self.assertEqual(self.calls("DeriveSharedSecret") - before, 1)
        self.spoil(None)
        self.done()

    def test_an_answer_given_before_is_no_answer_now(self):
        """Possession alone would be satisfied: the first answer is genuine, and is given again for the second question."""
        self.start()
        self.spoil("replay")
        self.failed()
        self.assertIn("did not come from the holder of the KMS key", self.rig.enclave.text())
        self.assertEqual(self.calls("DeriveSharedSecret"), 3)
        self.spoil(None)
        self.done()

    def test_a_slow_answer_is_asked_for_again(self):
        self.start()
        self.spoil("slow:1")
        self.done()

    def test_a_restart_waits_for_kms_too(self):
        self.start()
        self.done()
        self.rig.kill_enclave()
        self.spoil("throttle:3")
        self.rig.start_enclave()
        self.assertEqual(json.loads(self.rig.get("/public-key")[2])["public_key"], r.PUBLISHED)
        self.rig.kill_enclave()
        self.spoil("wrong-key-id")
        self.rig.start_enclave(wait=False)
        self.assertNotEqual(self.rig.wait_end(), 0)
        self.spoil(None)
        self.rig.start_enclave()


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIP: needs root, for loop devices and mounts")
        sys.exit(77)
    unittest.main()
