#!/usr/bin/env python3
"""The command line of `holdfast` as a real process.

Usage: test_holdfast.py PATH_OF_HOLDFAST [unittest arguments]. Standard library only."""
import base64
import json
import os
import pty
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models"))
import bip341_verify as model
import rules
from parent_rig import PROGRAM, Answers, Server, main


def run(*args, stdin=b"", tty=False):
    out = subprocess.run([PROGRAM[0], *args], input=stdin, capture_output=True, timeout=30)
    return out.returncode, out.stdout.decode(), out.stderr.decode()


COMMANDS = ["run", "status", "setup", "public-key", "settings", "sign", "requests", "log", "seal", "backups", "backup", "restore", "disk", "address",
            "verify", "pcr", "eif", "key", "witness", "policy", "release", "veto", "permit", "genesis", "upgrade"]
ASKING = [["status"], ["public-key"], ["settings"], ["requests"], ["log", "requests"], ["seal"], ["sign", "-"],
          ["setup", "--key", "arn:aws:kms:x", "--blockhash", "00" * 32]]
SETUP = ASKING[-1]
KEY = "031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f"


PCR0 = "5e" * 48


class Key(unittest.TestCase):
    """holdfast key: offline, so that it can be told to the end here."""

    ARN = "arn:aws:kms:us-east-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef"

    def policy(self, *args):
        code, out, err = run("key", "policy", *args)
        self.assertEqual(code, 0, err)
        return json.loads(out)

    def answers(self, policy, **changes):
        """What the AWS command line prints about a key."""
        metadata = {"AWSAccountId": "111122223333", "KeyId": self.ARN[-36:], "Arn": self.ARN, "CreationDate": "2026-01-01T00:00:00+00:00", "Enabled": True,
                    "KeyUsage": "KEY_AGREEMENT", "KeyState": "Enabled", "Origin": "AWS_KMS", "KeyManager": "CUSTOMER", "KeySpec": "ECC_NIST_P256", "MultiRegion": False}
        spki = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEAhfmF/C2RDkoJ4+Wme1p4jpPLBUr323bbN9m5bgChNTtGUp968uXdxLT3KNaqHZaVvRfx1hZllLyiXxl4wZXlA=="
        return {"key": self.ARN, "documents": {
            "describe_key": {"KeyMetadata": dict(metadata, **changes)}, "list_grants": {"Grants": []},
            "get_public_key": {"KeyId": self.ARN, "PublicKey": spki, "KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT", "KeyAgreementAlgorithms": ["ECDH"]},
            "get_key_policy": {"Policy": json.dumps(policy, indent=2), "PolicyName": "default"}}}

    def check(self, evidence, *args):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            f.write(evidence if isinstance(evidence, str) else json.dumps(evidence))
            f.flush()
            return run("key", "check", "--evidence", f.name, *args)

    def test_policy(self):
        policy = self.policy("--pcr0", PCR0)
        derive, read = policy["Statement"]
        self.assertEqual(derive["Condition"], {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": [PCR0]}})
        self.assertEqual((derive["Action"], derive["Principal"]), ("kms:DeriveSharedSecret", {"AWS": "*"}))
        self.assertEqual(read["Action"], ["kms:DescribeKey", "kms:GetPublicKey", "kms:GetKeyPolicy", "kms:ListGrants"])
        self.assertNotIn("Condition", read)
        self.assertEqual(len(policy["Statement"]), 2)
        two = self.policy("--pcr0", PCR0, "--pcr0=" + "7A" * 48, "--account", "111122223333,444455556666")
        self.assertEqual(two["Statement"][0]["Condition"]["StringEqualsIgnoreCase"]["kms:RecipientAttestation:PCR0"], [PCR0, "7a" * 48])
        self.assertEqual(two["Statement"][1]["Principal"], {"AWS": ["111122223333", "444455556666"]})
        self.assertEqual(json.loads(run("key", "policy", "--pcr0", PCR0, "--json")[1]), policy)

    def test_create_is_a_shell_script(self):
        code, script, _ = run("key", "create", "--pcr0", PCR0, "--account", "111122223333", "--region", "eu-central-1")
        self.assertEqual(code, 0)
        with tempfile.TemporaryDirectory() as d:
            # aws, jq and holdfast are played; what they are asked is what counts
            played = {"aws": 'echo "aws $*" >> log; case "$*" in *create-key*) echo arn:aws:kms:x ;; *) echo "{}" ;; esac',
                      "jq": 'echo "jq" >> log; echo evidence', "holdfast": 'echo "holdfast $*" >> log'}
            for name, body in played.items():
                with open(os.path.join(d, name), "w") as f:
                    f.write("#!/bin/sh\n" + body + "\n")
                os.chmod(f.name, 0o755)
            out = subprocess.run(["bash", "-eu", "-c", script], cwd=d, env={"PATH": d + ":/usr/bin:/bin"}, capture_output=True, text=True, timeout=30)
            self.assertEqual((out.returncode, out.stdout, out.stderr), (0, "arn:aws:kms:x\n", ""))
            with open(os.path.join(d, "key-policy.json")) as f:
                self.assertEqual(json.load(f), self.policy("--pcr0", PCR0, "--account", "111122223333"))
            with open(os.path.join(d, "log")) as f:
                log = f.read().splitlines()
        create = log[0].split()
        for word in ("--bypass-policy-lockout-safety-check", "--no-multi-region", "file://key-policy.json", "ECC_NIST_P256", "KEY_AGREEMENT", "AWS_KMS", "eu-central-1"):
            self.assertIn(word, create)
        asked = sorted(line.split()[2] for line in log[1:-2])
        self.assertEqual(asked, ["describe-key", "get-key-policy", "get-public-key", "list-grants"])
        self.assertEqual(log[-1], f"holdfast key check --evidence key-evidence.json --pcr0 {PCR0}")
        told = json.loads(run("key", "create", "--pcr0", PCR0, "--account", "111122223333", "--region", "eu-central-1", "--json")[1])
        self.assertEqual(told["script"], script)

    def test_check(self):
        good = self.answers(self.policy("--pcr0", PCR0))
        code, out, _ = self.check(good, "--pcr0", PCR0)
        self.assertEqual(code, 0, out)
        self.assertIn("not attested", out)
        self.assertIn("accepted: ", out)
        said = json.loads(self.check(good, "--pcr0", PCR0, "--json")[1])
        self.assertEqual((said["accepted"], said["findings"], said["attested"], said["key"]), (True, [], None, self.ARN))
        bad = self.answers(self.policy("--pcr0", PCR0), Origin="EXTERNAL", KeyState="PendingDeletion")
        code, out, _ = self.check(bad, "--pcr0", PCR0)
        self.assertEqual(code, 1)
        self.assertRegex(out, r"breaks-custody\s+key-origin\n  Origin is EXTERNAL\n  The key material was not made inside KMS")
        self.assertRegex(out, r"availability\s+key-state")
        self.assertIn("REFUSED", out)
        self.assertEqual(self.check(self.answers(self.policy("--pcr0", PCR0), KeyState="Disabled"), "--pcr0", PCR0)[0], 0)
        # by whoever else's build the policy admits
        self.assertEqual(self.check(good)[0], 1)
        self.assertIn("measurement-unknown", self.check(good, "--pcr0", "7a" * 48)[1])
        # a file cannot speak for itself
        self.assertEqual(self.check(dict(bad, findings=[], measurements=[PCR0]), "--pcr0", PCR0)[0], 1)
        forged = self.answers({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "kms:\u001b[31m", "Resource": "*"}]})
        self.assertNotIn("\u001b", self.check(forged, "--pcr0", PCR0)[1])

    def test_usage(self):
        good = json.dumps(self.answers({}))
        for args in (["policy"], ["policy", "--pcr0", "5e"], ["policy", "--pcr0", "zz" * 48], ["policy", "--pcr0", PCR0, "--account", "1"],
                     ["policy", "--pcr0", PCR0, "--account", "111122223333,"], ["policy", "--pcr0", PCR0, "--region", "x"], ["nothing"], [],
                     ["create", "--pcr0", PCR0, "--region", "a;b"], ["create"], ["check"], ["check", "--evidence", "/no/such/file"],
                     ["check", "--evidence", "/dev/null"], ["policy", *(["--pcr0", PCR0] * 9)], ["create", "--pcr0", PCR0, "--evidence", "x"]):
            self.assertEqual(run("key", *args)[0], 2, args)
        self.assertEqual(run("key", "policy", "--pcr0", "00" * 48)[0], 1)
        for text in ("", "{}", "[]", good[:-1], good.replace("list_grants", "x")):
            self.assertEqual(self.check(text, "--pcr0", PCR0)[0], 2, text)
        self.assertEqual(self.check(good, "--at", "x")[0], 2)
        self.assertEqual(self.check(good, "--root", "/dev/null")[0], 2)


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
                     [*SETUP, "--headers", "/no/such/file"], [*SETUP, "--network", "regtest"], [*SETUP, "--anchor", "1:" + "00" * 32],
                     [*SETUP, "--headers", "-", "--network", "moon"], [*SETUP, "--headers", "-"],
                     ["requests", "--limit", "0"], ["requests", "--limit", "1001"], ["requests", "--limit", "ten"],
                     ["log"], ["log", "nothing"], ["log", "show", "x"], ["log", "show", "--limit", "0"], ["log", "monitor"], ["log", "verify"],
                     ["run"], ["run", "--config", "/no/such/file"], ["backups"], ["backups", "--store", "a", "--config", "b"],
                     ["sign", "/no/such/file"], ["sign", "--psbt", "/no/such/file"], ["sign", "--psbt", "-", "-"], ["sign", "--finalize", "-"], ["sign", "--psbt", "-"],
                     ["sign", "--psbt", "-", "--finalize", "--dry-run"], ["sign", "-", "--trace"], ["sign", "-", "--dry-run", "--trace"], ["status", "--url", "ftp://x"],
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
        paths = {"status": "GET /status", "public-key": "GET /public-key", "settings": "GET /settings", "requests": "GET /requests?limit=100", "log": "GET /requests?limit=100&before=0&since=0",
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

    def test_trace(self):
        """The member goes into the request, in either way; the steps come as lines, and with a refusal as well."""
        steps = [{"index": 0, "pc": 0, "op": "OP_2DUP", "executed": True, "stack": ["", "ab...520"], "below": 3, "alt": []},
                 {"index": 1, "pc": 9, "op": "\x1b[2J", "executed": False, "stack": [], "alt": ["cd"], "alt_below": 2, "error": "VERIFY"}]
        trace = {"truncated": True, "inputs": [{"index": 4, "steps": steps}]}
        lines = [r"input 4:", r" +pc +instruction .*", r" +0   OP_2DUP +\(3 more\) '' ab\.\.\.520", r" +9 - \\x1b\[2J +\| alt \(2 more\) cd  <- VERIFY", r"The trace is not whole.*"]
        good = {"valid": True, "inputs": [{"index": 0, "emulated": True}, {"index": 1, "emulated": False, "skipped": "key path"}], "trace": trace}
        for status, body, first, code in ((200, good, [r"input 0: valid", r"input 1: not emulated: key path"], 0), (400, {"error": "no", "status": 400, "request_id": "r", "trace": trace}, [], 1)):
            with Answers(status, json.dumps(body).encode()) as a:
                args = ("sign", "--dry-run", "--trace", "--plain", "--url", a.url)
                got, out, err = run(*args, "-", stdin=b'{"x": 1}')
                self.assertEqual((got, json.loads(a.asked[-1][2])), (code, {"x": 1, "trace": True}))
                self.assertEqual(a.asked[-1][0], "POST /verify HTTP/1.1")
                self.assertRegex(out, "^" + "\n".join(first + lines) + "\n$")
                self.assertEqual("no (HTTP 400)" in err, code == 1)
                self.assertEqual(json.loads(run(*args, "--json", "-", stdin=b'{"x": 1}')[1])["trace"], trace)
                run(*args, "--psbt", "-", stdin=b"cHNidP8=")
                self.assertEqual(json.loads(a.asked[-1][2]), {"psbt": "cHNidP8=", "trace": True})
        for odd in ({}, {"trace": 1, "inputs": 2}, {"trace": {"inputs": [1, {"steps": [1, {"stack": [1, None], "alt": [[]]}]}]}}):
            with Answers(200, json.dumps(odd).encode()) as a:
                self.assertEqual(run("sign", "--dry-run", "--trace", "--plain", "--url", a.url, "-", stdin=b"{}")[0], 0, odd)

    def test_headers_of_setup(self):
        """Raw or as lines of hex: the same goes out. What is no header, or no anchor, is said before anything is asked."""
        headers = [bytes([i]) * 80 for i in range(3)]
        raw, lines = b"".join(headers), "".join(h.hex() + "\r\n" for h in headers).encode()
        want = {"network": "signet", "base64": base64.b64encode(raw).decode(), "anchor": {"height": 2147483647, "hash": "aB" * 32}}
        with Answers(200, b'{}') as a:
            for stdin in (raw, lines, raw.hex().upper().encode()):
                code, _, err = run(*SETUP, "--headers", "-", "--network", "signet", "--anchor", "2147483647:" + "aB" * 32, "--url", a.url, stdin=stdin)
                self.assertEqual(code, 0, err)
                self.assertEqual(json.loads(a.asked[-1][2])["headers"], want)
            self.assertEqual(run(*SETUP, "--headers", "-", "--url", a.url, stdin=raw)[0], 0)
            self.assertEqual(json.loads(a.asked[-1][2])["headers"], {"network": "mainnet", "base64": want["base64"]})
            count = len(a.asked)
            for stdin in (b"", b"\n", raw[:-1], raw + b"\0", lines[:-3], lines[:-4], bytes(80 * 52429), bytes(80 * 52429 * 3), b"00" * 80 * 52429):
                self.assertEqual(run(*SETUP, "--headers", "-", "--url", a.url, stdin=stdin)[0], 2, stdin[:20])
            for anchor in ("", "1", ":" + "00" * 32, "x:" + "00" * 32, "-1:" + "00" * 32, "2147483648:" + "00" * 32, "1:00", "1:" + "0g" * 32, "1 :" + "00" * 32):
                self.assertEqual(run(*SETUP, "--headers", "-", f"--anchor={anchor}", "--url", a.url, stdin=raw)[0], 2, anchor)
            # What the service is asked first, to find its channel, is no setup.
            self.assertFalse([q for q in a.asked[count:] if "POST /setup" in q[0]])

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

    def test_address_of_holdfast_1(self):
        """Against the second model: rule set id, emulated output key, child, output key."""
        root, x, sibling = "a85b2107f791b26a84e7586c28cec7cb61202ed3d01944d832500f363782d675", KEY[2:], "11" * 32
        usual = ["address", "--public-key", KEY, "--root", root, "--network", "regtest", "--json"]
        for text in ("tapscript", "cat", "lnhance", "rebindable", "mine=apo+cat", "z-9=internalkey"):
            for backup in (None, sibling):
                code, out, err = run(*usual, "--internal-key", x, "--rules", text, *(["--backup-root", backup] if backup else []))
                self.assertEqual((code, err), (0, ""))
                said = json.loads(out)
                rules_id = rules.rules_id(rules.of_text(text))
                emulated = model.output_key(bytes.fromhex(x), bytes.fromhex(root))
                child = model.child_key_bound(bytes.fromhex(KEY), rules_id, emulated)
                key = model.output_key(child[1:], bytes.fromhex(backup) if backup else None)
                self.assertEqual((said["rules_id"], said["emulated_key"], said["output_key"], said["address"]),
                                 (rules_id.hex(), emulated.hex(), key.hex(), model.p2tr_address(key, "regtest")))
        plain = json.loads(run(*usual)[1])
        for profile in ("reproducible-key", "confidential-script-1", "confidential-script-2"):
            self.assertEqual(json.loads(run(*usual, "--rules", "lnhance", "--profile", profile)[1])["address"], plain["address"])
        for bad in (["--rules", "lnhance"], ["--internal-key", x, "--rules", "nobody"], ["--internal-key", x, "--profile", "confidential-script-2"],
                    ["--profile", "holdfast-1"], ["--profile", "holdfast-9"], ["--internal-key", x[2:]], ["--internal-key", x, "--rules", "cat=ctv"]):
            self.assertEqual(run(*usual, *bad)[0], 2, bad)
        self.assertEqual(run(*usual, "--internal-key", "ff" * 32)[0], 1)

    def test_log_requests(self):
        row = {"row": 3, "time": 1700000000, "txid": "ab" * 32, "request_hash": "cd" * 32, "status": 200, "inputs": 2, "signed": 2,
               "input": "0-1", "rules": "lnhance", "text": ""}
        rows = [row, {**row, "status": 400, "signed": 0, "input": "1", "rules": "tapscript", "text": "Unable to sign: \x1b[2J"}]
        with Answers(200, json.dumps({"total": 9, "requests": rows}).encode()) as a:
            code, out, _ = run("log", "requests", "--url", a.url, "--plain")
            self.assertEqual(code, 0)
            first, second = out.splitlines()[1:3]
            self.assertRegex(first, "^2023-11-14T22:13:20Z +" + "ab" * 32 + " +0-1 +lnhance +cdcdcdcdcdcdcdcd +signed$")
            self.assertIn("Unable to sign", second)
            self.assertNotIn("\x1b", second)
            self.assertIn("2 shown, 9 in all", out)
            self.assertEqual(json.loads(run("log", "requests", "--url", a.url, "--plain", "--json")[1])["requests"], rows)
            for good in ("@1700000000", "2h", "90s", "7d", "15m", "2026-11-27T12:00:00Z"):
                self.assertEqual(run("log", "requests", "--url", a.url, "--plain", "--since", good)[0], 0, good)
            for bad in (["--since", "yesterday"], ["--since", "2x"], ["--since", "@"], ["--since", "@12h"], ["--since", "99999999999d"], ["--limit", "0"], ["--limit", "1001"]):
                self.assertEqual(run("log", "requests", "--url", a.url, "--plain", *bad)[0], 2, bad)
        self.assertEqual(run("log")[0], 2)
        self.assertEqual(run("log", "entries")[0], 2)

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

    def test_progress_only_on_a_terminal(self):
        def slow(con):
            con.recv(4096)
            time.sleep(1.5)
            con.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}')
        server = Server(slow)
        url = f"http://127.0.0.1:{server.port}"
        master, slave = pty.openpty()
        out = subprocess.run([PROGRAM[0], "seal", "--json", "--url", url], stdout=subprocess.PIPE, stderr=slave, timeout=30)
        os.close(slave)
        shown = os.read(master, 4096)
        os.close(master)
        self.assertEqual((out.returncode, out.stdout), (0, b"{}\n"))
        self.assertIn(b"sealing", shown)
        self.assertTrue(shown.endswith(b"\r\x1b[K"))
        self.assertEqual(run("seal", "--json", "--url", url), (0, "{}\n", ""))
        server.close()

    def test_full_output(self):
        with Answers(200, b'{"a":1}') as a, open("/dev/full", "wb") as full:
            out = subprocess.run([PROGRAM[0], "status", "--json", "--url", a.url], stdout=full, stderr=subprocess.PIPE, timeout=30)
            self.assertEqual(out.returncode, 1)

    def test_no_secret_is_linked(self):
        names = subprocess.run(["nm", PROGRAM[0]], capture_output=True, text=True)
        if names.returncode or not names.stdout:
            self.skipTest("nm is missing, or the program is stripped")
        self.assertIn("session_on", names.stdout)
        self.assertNotIn("secret_new", names.stdout)
        self.assertNotIn("secret_reveal", names.stdout)


if __name__ == "__main__":
    main(__doc__)
