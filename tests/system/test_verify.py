#!/usr/bin/env python3
"""`holdfast verify` on the published documents: offline, as a user would.

Usage: test_verify.py PATH_OF_HOLDFAST [unittest arguments]. Standard library only. Needs the folder
`attestation` of the published vectors; exit 77 without it."""
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from parent_rig import PROGRAM, main

VECTORS = os.path.join(os.environ.get("HOLDFAST_VECTORS") or os.environ.get("HOLDFAST_VECTORS_DIR") or "/nonexistent", "attestation")
G1 = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"
CHECKS = ["format", "algorithm", "root", "certificates", "chain", "validity", "signature", "debug", "pcr", "nonce", "age",
          "statement", "service", "public-key"]


def verify(*args):
    out = subprocess.run([PROGRAM[0], "verify", *args, "--json"], capture_output=True, timeout=60)
    return out.returncode, json.loads(out.stdout)


class Published(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(VECTORS, "vectors.json")) as f:
            cls.all = [v for v in json.load(f) if os.path.exists(os.path.join(VECTORS, v["file"]))]
        cls.good = [v for v in cls.all if v["expect"] == "ACCEPT"]
        cls.real = [v for v in cls.good if not v["debug_mode"]]
        cls.dir = tempfile.mkdtemp()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def write(self, name, data):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def path(self, v):
        return os.path.join(VECTORS, v["file"])

    def bytes(self, v):
        with open(self.path(v), "rb") as f:
            return f.read()

    def accepted(self, *args):
        code, out = verify(*args)
        self.assertEqual((code, out["accepted"], out["failed"]), (0, True, None), out)
        return out

    def refused(self, name, *args):
        code, out = verify(*args)
        self.assertEqual((code, out["accepted"], out["failed"], out["exit"]), (1, False, name, 1), out)
        self.assertTrue(out["error"].startswith("refused: " + name))
        verdicts = [c["verdict"] for c in out["checks"]]
        self.assertEqual(verdicts.count("failed"), 1)
        self.assertEqual(set(verdicts[verdicts.index("failed") + 1:]) - {"skipped"}, set())
        return out

    def arguments(self, v, at=None):
        return ["--document", self.path(v), "--at", str(v["verify_at"] if at is None else at), *(["--allow-debug"] if v["debug_mode"] else [])]

    def test_every_genuine_document(self):
        self.assertGreaterEqual(len(self.good), 14)
        for v in self.good:
            pcrs = [w for n, x in v["pcrs"].items() for w in ("--pcr", n + "=" + x)]
            more = ["--nonce", v["nonce"].upper()] if v["nonce"] else []
            out = self.accepted(*self.arguments(v), *pcrs, *more, "--max-age", "1")
            self.assertEqual([c["name"] for c in out["checks"]], CHECKS)
            self.assertEqual(out["document"]["module_id"], v["module_id"])
            self.assertEqual(out["document"]["timestamp_ms"], v["timestamp_ms"])
            self.assertEqual(out["document"]["pcrs"], v["pcrs"])
            for field in ("public_key", "user_data", "nonce"):
                self.assertEqual(out["document"][field], v[field])
            for at in v["window"]:
                self.accepted(*self.arguments(v, at))
            self.refused("validity", *self.arguments(v, v["window"][0] - 1))
            self.refused("validity", *self.arguments(v, v["window"][1] + 1))

    def test_every_negative(self):
        want = {"NEG-eternis-invalid.bin": "signature", "NEG-oyster-selfsigned-root.bin": "root", "NEG-oyster-selfsigned-root-pcr16.bin": "root"}
        bad = [v for v in self.all if v["expect"] != "ACCEPT"]
        self.assertTrue(bad)
        for v in bad:
            code, out = verify("--document", self.path(v), "--at", str(v.get("verify_at") or 1700000000), "--allow-debug")
            self.assertEqual((code, out["accepted"]), (1, False), v["file"])
            if v["file"] in want:
                self.assertEqual(out["failed"], want[v["file"]])

    def test_debug_is_refused_unless_named(self):
        debug = [v for v in self.good if v["debug_mode"]]
        self.assertTrue(debug and self.real)
        for v in debug:
            self.refused("debug", "--document", self.path(v), "--at", str(v["verify_at"]))
            self.assertTrue(self.accepted(*self.arguments(v))["document"]["debug"])
        for v in self.real:
            self.assertFalse(self.accepted(*self.arguments(v))["document"]["debug"])

    def test_wrong_expectations(self):
        v = next(x for x in self.real if x["nonce"])
        args, zeros = self.arguments(v), "00" * 48
        out = self.refused("pcr", *args, "--pcr", "0=" + v["pcrs"]["0"], "--pcr", "1=" + zeros)
        detail = next(c["detail"] for c in out["checks"] if c["name"] == "pcr")
        self.assertIn("PCR1 is " + v["pcrs"]["1"] + ", expected " + zeros, detail)
        self.assertIn("not in the document", str(self.refused("pcr", *args, "--pcr", "31=" + zeros)))
        for n in ("00", v["nonce"][:-2], v["nonce"] + "00", v["nonce"][:-1] + ("0" if v["nonce"][-1] != "0" else "1")):
            self.refused("nonce", *args, "--nonce", n)
        without = next(x for x in self.real if x["nonce"] is None)
        self.refused("nonce", *self.arguments(without), "--nonce", "00")
        made, (first, last) = v["timestamp_ms"] // 1000, v["window"]
        self.accepted(*self.arguments(v, last), "--max-age", str(last - made))
        self.refused("age", *self.arguments(v, last), "--max-age", str(last - made - 1))
        late = max(self.good, key=lambda x: x["verify_at"] - x["window"][0])
        ahead = late["timestamp_ms"] // 1000 - late["window"][0]
        self.refused("age", *self.arguments(late, late["window"][0]), "--max-age", str(ahead - 1))
        self.accepted(*self.arguments(late, late["window"][0]), "--max-age", str(ahead))

    def test_now_is_long_after(self):
        self.refused("validity", "--document", self.path(self.real[0]))

    def test_altered_documents(self):
        v = self.real[0]
        data = self.bytes(v)
        args = ["--at", str(v["verify_at"])]
        for cut in (0, 1, 100, len(data) - 1):
            self.refused("format", "--document", self.write("cut", data[:cut]), *args)
        self.refused("format", "--document", self.write("long", data + b"\0"), *args)
        self.refused("format", "--document", self.write("huge", bytes(60000)), *args)
        for at in range(6, len(data), 97):
            bad = bytearray(data)
            bad[at] ^= 1
            code, out = verify("--document", self.write("bad", bytes(bad)), *args)
            self.assertEqual((code, out["accepted"]), (1, False), at)
        bad = bytearray(data)
        bad[-1] ^= 1
        self.refused("signature", "--document", self.write("bad", bytes(bad)), *args)
        self.accepted("--document", self.write("tagged", b"\xd2" + data), *args)

    def test_the_root_is_pinned_by_its_bytes(self):
        v = self.real[0]
        pem = os.path.join(VECTORS, "AWS_NitroEnclaves_Root-G1.pem")
        out = self.accepted(*self.arguments(v), "--root", pem)
        self.assertTrue(out["root_given"])
        self.assertIn(G1, next(c["detail"] for c in self.accepted(*self.arguments(v))["checks"] if c["name"] == "root"))
        with open(pem) as f:
            der = bytearray(base64.b64decode("".join(line for line in f.read().splitlines() if not line.startswith("-"))))
        self.assertEqual(hashlib.sha256(der).hexdigest(), G1)
        der[-1] ^= 1                                           # one bit of its signature: the same key and names
        text = "-----BEGIN CERTIFICATE-----\n" + base64.b64encode(bytes(der)).decode() + "\n-----END CERTIFICATE-----\n"
        self.refused("root", *self.arguments(v), "--root", self.write("root.pem", text.encode()))

    def test_a_kept_answer(self):
        v = self.real[0]
        kept = {"document": base64.b64encode(self.bytes(v)).decode(), "statement": "{}"}
        path = self.write("kept.json", json.dumps(kept).encode())
        # these documents are no Holdfast service's
        self.refused("statement", "--document", path, "--at", str(v["verify_at"]))
        self.refused("statement", *self.arguments(v), "--statement", self.write("s", b"{}"))
        del kept["statement"]
        self.accepted("--document", self.write("kept.json", json.dumps(kept).encode()), "--at", str(v["verify_at"]))
        for text in (b"{", b"{}", b'{"document":1}', b'{"document":"!"}', b'{"document":""}', b'{"document":"","document":""}'):
            self.refused("format", "--document", self.write("bad.json", text))

    def test_an_image(self):
        sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models"))
        import eif
        v = self.real[0]
        image = self.write("image.eif", eif.image(eif.usual()))
        out = self.refused("pcr", *self.arguments(v), "--image", image)
        self.assertEqual(out["checks"][0]["name"], "image")
        self.assertIn(eif.pcrs(b"kernel", b"reboot=k panic=30", [b"init", b"root"])["PCR0"], str(out["checks"]))
        self.refused("image", *self.arguments(v), "--image", self.write("bad.eif", eif.image(eif.usual(), crc=1)))
        self.refused("image", *self.arguments(v), "--image", self.write("bad.eif", b"not an image"))

    def test_what_people_see(self):
        v = self.real[0]
        out = subprocess.run([PROGRAM[0], "verify", *self.arguments(v)], capture_output=True, text=True)
        self.assertEqual(out.returncode, 0)
        lines = out.stdout.splitlines()
        self.assertEqual([x.split()[0] for x in lines[1:1 + len(CHECKS)]], CHECKS)
        self.assertEqual(lines[-1], "ACCEPTED")
        self.assertIn("any code", out.stderr)
        out = subprocess.run([PROGRAM[0], "verify", *self.arguments(v), "--pcr", "0=" + "11" * 48], capture_output=True, text=True)
        self.assertEqual((out.returncode, out.stdout.splitlines()[-1]), (1, "REFUSED: pcr"))
        self.assertIn("refused: pcr", out.stderr)

    def test_usage(self):
        doc = self.path(self.real[0])
        for args in ([], ["--url", "http://127.0.0.1:1", "--document", doc], ["--document", "/no/such"], ["--document", self.dir],
                     ["--document", doc, "--pcr", "0"], ["--document", doc, "--pcr", "0=00"], ["--document", doc, "--pcr", "32=" + "00" * 48],
                     ["--document", doc, "--pcr", "x=" + "00" * 48], ["--document", doc, "--pcr", "0=" + "zz" * 48], ["--document", doc, "--pcr", "-1=" + "00" * 48],
                     ["--document", doc, "--nonce", ""], ["--document", doc, "--nonce", "0"], ["--document", doc, "--nonce", "00" * 513],
                     ["--document", doc, "--at", "-1"], ["--document", doc, "--at", "soon"], ["--document", doc, "--max-age", "1h"],
                     ["--document", doc, "--root", "/no/such"], ["--document", doc, "--root", doc], ["--document", doc, "--image", "/no/such"],
                     ["--document", doc, "--statement", "/no/such"], ["--document", doc, "more"], ["--document", doc, "--at", "1", "--at", "2"],
                     ["--url", "http://127.0.0.1:1", "--at", "1"], ["--url", "http://127.0.0.1:1", "--nonce", "00"],
                     ["--url", "http://127.0.0.1:1", "--statement", doc], ["--document", doc, *["--pcr=0=" + "00" * 48] * 41]):
            code, out = verify(*args)
            self.assertEqual((code, out["exit"]), (2, 2), args)
        self.assertEqual(verify("--url", "unix:/no/such")[0], 3)


if not os.path.exists(os.path.join(VECTORS, "vectors.json")):
    print("no published attestation documents at", VECTORS)
    sys.exit(77)
main(__doc__)
