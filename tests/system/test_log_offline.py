#!/usr/bin/env python3
"""holdfast log show, verify; and checkpoints taken to three real witnesses by the parent.

Usage: test_log_offline.py PATH_OF_HOLDFAST [unittest arguments]. The log is written by tests/models/life.py; ssh-keygen signs documents."""
import base64
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from log_rig import M, T, Bench, Witnesses, call, life, simple_life
import merkle
from parent_rig import ERROR, E_ABSENT, E_STATE, HEAD_GET, READY, Case, Link, main, var

ANCHOR, ANCHORED = 0x10d, 0x10e


class Anchoring(Case):
    """The enclave's side is spoken here, from docs/wire/link.md."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hf-log-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.log = life.Log(self.folder)
        self.witnesses = Witnesses(self.folder, self.log.vkey)
        self.addCleanup(self.witnesses.close)
        self.settings = f"[witness]\npolicy = {self.witnesses.policy}\ndeadline = 20\n"
        super().setUp()

    def witness_link(self):
        one = Link(self.link_path, timeout=60)
        self.addCleanup(one.close)
        self.assertEqual(one.hello(purpose=3), (READY, b""))
        return one

    def put_log(self, cut=4):
        name = life.store(self.store, self.log, cut)
        return name.encode()

    def anchor(self, one, tail, note=None, deadline=20000):
        kind, body = one.ask(ANCHOR, struct.pack("<I", deadline) + var(note or self.log.note()) + var(tail))
        if kind == ERROR:
            return body[0]
        self.assertEqual(kind, ANCHORED)
        largest, n = struct.unpack("<QI", body[:12])
        self.assertEqual(len(body), 12 + 76 * n)
        return largest, [(body[12 + 76 * i:16 + 76 * i], struct.unpack("<Q", body[16 + 76 * i:24 + 76 * i])[0], body[24 + 76 * i:88 + 76 * i]) for i in range(n)]

    def cosigned(self, note, got):
        """The note with cosignature lines, as the enclave makes it."""
        with open(self.witnesses.policy) as f:
            keys = [line.split()[2] for line in f if line.startswith("witness")]
        for key in keys:
            name, hex_id, _ = key.split("+", 2)
            for at, time, signature in got:
                if int.from_bytes(at, "little") == int(hex_id, 16):
                    note += f"\u2014 {name} {base64.b64encode(bytes.fromhex(hex_id) + struct.pack('>Q', time) + signature).decode()}\n".encode()
        path = os.path.join(self.folder, "cosigned")
        with open(path, "wb") as f:
            f.write(note)
        return path

    def verify(self, *more, code=0):
        return json.loads(call("log", "verify", "--store", self.store, "--vkey", self.log.vkey, "--json", *more, code=code))

    def verdicts(self, out):
        return {c["name"]: c["verdict"] for c in out["checks"]}

    def test_growth(self):
        simple_life(self.log)
        tail, one = self.put_log(), self.witness_link()
        largest, got = self.anchor(one, tail)
        self.assertEqual((largest, len(got)), (0, 3))
        self.assertEqual([self.witnesses.remembers(i) for i in range(3)], [7] * 3)
        note = self.cosigned(self.log.note(), got)
        ok = {"segments": "ok", "signatures": "ok", "name": "ok", "checkpoint": "ok", "cosignatures": "ok", "life": "ok"}
        self.assertEqual(self.verdicts(self.verify("--witnesses", self.witnesses.policy, "--cosigned", note)), ok)
        # One witness is away: two are enough. It comes back, and has to be told more.
        self.witnesses.stop(2)
        for g in range(6, 12):
            self.log.entries.append(life.seal(T + 30 + g, g, M[g]))
        tail = self.put_log()
        largest, got = self.anchor(one, tail)
        self.assertEqual((largest, len(got)), (0, 2))
        note = self.cosigned(self.log.note(), got)
        self.assertEqual(self.verdicts(self.verify("--witnesses", self.witnesses.policy, "--cosigned", note)), ok)
        # A connection of its own knows nothing yet: it is told by 409, and goes on.
        self.log.entries.append(life.seal(T + 60, 12, M[12]))
        tail = self.put_log()
        largest, got = self.anchor(self.witness_link(), tail)
        self.assertEqual((largest, len(got), [self.witnesses.remembers(i) for i in range(3)]), (0, 2, [14, 14, 7]))
        # More entries than the cosignatures are of is no fault; fewer are.
        self.log.entries.append(life.seal(T + 70, 13, M[13]))
        self.put_log()
        note = self.cosigned(self.log.note(14), got)
        self.assertEqual(self.verdicts(self.verify("--witnesses", self.witnesses.policy, "--cosigned", note)), ok)
        del self.log.entries[12:]
        self.put_log()
        self.assertEqual(self.verdicts(self.verify("--witnesses", self.witnesses.policy, "--cosigned", note, code=1))["checkpoint"], "failed")

    def test_rollback_and_twins(self):
        simple_life(self.log)
        before = self.put_log()
        old = list(self.log.entries)
        self.log.entries += [life.seal(T + 50, 6, M[6])]
        one = self.witness_link()
        self.assertEqual(len(self.anchor(one, self.put_log())[1]), 3)
        # The store of before, with the start that a restored enclave would add.
        self.log.entries = old
        self.assertEqual(self.anchor(one, before), (8, []))
        self.log.entries = old + [life.boot(T + 99, 5, M[5], 1)]
        self.assertEqual(self.anchor(self.witness_link(), self.put_log()), (8, []), "a twin of the same size")
        self.log.entries += [life.seal(T + 100, 6, M[7]), life.seal(T + 101, 7, M[8])]
        largest, got = self.anchor(self.witness_link(), self.put_log())
        self.assertEqual(got, [], "and one that has become longer")
        self.assertEqual([self.witnesses.remembers(i) for i in range(3)], [8] * 3)

    def test_what_cannot_be_proved(self):
        simple_life(self.log)
        tail, one = self.put_log(), self.witness_link()
        self.assertEqual(self.anchor(one, tail, self.log.note(5)), E_STATE)
        names = sorted(n for n in os.listdir(os.path.join(self.store, "objects")) if n.startswith("log-"))
        os.unlink(os.path.join(self.store, "objects", names[0]))
        self.assertEqual(self.anchor(self.witness_link(), tail), E_STATE)
        self.assertEqual(len(self.anchor(one, tail)[1]), 3, "what was read on this connection is not read again")
        one.send(HEAD_GET)
        self.assertEqual(one.receive(), (ERROR, bytes([E_STATE])))
        self.assertTrue(one.ended())


class NoWitnesses(Case):
    def test_absent(self):
        one = Link(self.link_path)
        self.addCleanup(one.close)
        self.assertEqual(one.hello(purpose=3), (READY, b""))
        self.assertEqual(one.ask(ANCHOR, struct.pack("<I", 1000) + var(b"a note") + var(b"log-0")), (ERROR, bytes([E_ABSENT])))

    def test_a_bad_policy_stops_the_start(self):
        with open(os.path.join(self.dir, "bad"), "w") as f:
            f.write("witness w\nquorum w\n")
        with open(self.ini, "a") as f:
            f.write(f"[witness]\npolicy = {self.dir}/bad\n")
        self.assertIn("witnesses' file", call("run", "--check", "--config", self.ini, code=2))


class Offline(Bench):
    def test_show(self):
        simple_life(self.log, 8)
        self.log.entries += [life.head(200, T) + b"?", life.rollback(T + 50, 8, 3, M[3]), life.boot(T + 51, 3, M[3], 1)]
        life.store(self.store, self.log)
        out = json.loads(call("log", "show", "--store", self.store, "--json"))
        self.assertEqual((out["size"], out["from"], [e["kind"] for e in out["entries"]]), (13, 0, ["genesis", "boot"] + ["seal"] * 8 + ["unknown", "rollback", "boot"]))
        self.assertEqual([base64.b64decode(e["raw"]) for e in out["entries"]], self.log.entries)
        self.assertEqual(out["entries"][4]["generation"], 3)
        self.assertEqual(out["entries"][4]["manifest"], M[3].hex())
        self.assertEqual((out["entries"][1]["simulated"], out["entries"][1]["previous"], out["entries"][12]["previous"]), (True, None, 1))
        self.assertEqual(out["entries"][0]["document"], self.log.service.hex())
        some = json.loads(call("log", "show", "--store", self.store, "--json", "--from", "3", "--limit", "4"))
        self.assertEqual((some["from"], [e["index"] for e in some["entries"]]), (3, [3, 4, 5, 6]))
        newest = call("log", "show", "--store", self.store, "--limit", "2").splitlines()
        self.assertEqual(len(newest), 3)
        self.assertRegex(newest[0], r"^11 +2026-\S+ +rollback  known=8 generation=3 manifest=4343434343434343 *$")
        self.assertEqual(newest[2], "2 shown, 13 in all")
        self.assertEqual(json.loads(call("log", "show", "--store", self.store, "--json", "--from", "99"))["entries"], [])

    def test_a_good_life(self):
        simple_life(self.log)
        out = self.verify("--vkey", self.log.vkey)
        self.assertEqual((out["size"], out["service_id"]), (7, self.log.service.hex()))
        self.assertEqual(base64.b64decode(out["root"]), merkle.root(self.log.entries))
        self.assertIn("SIMULATED", self.texts(out)[0])
        text = call("log", "verify", "--store", self.store)
        self.assertRegex(text, r"(?m)^ok +life +7 entries keep the rules")
        self.assertRegex(text, r"(?m)^skipped +signatures")

    def test_rollbacks_are_loud(self):
        simple_life(self.log)
        self.log.entries += [life.rollback(T + 50, 5, 2, M[2]), life.boot(T + 51, 2, M[2], 1), life.seal(T + 51, 2, M[2]), life.seal(T + 52, 3, M[9])]
        out = self.verify()
        self.assertIn("ROLLED BACK from generation 5 to 2: nobody had to allow it", self.texts(out))
        self.assertRegex(call("log", "verify", "--store", self.store), r"(?m)^! +7 .* rollback +ROLLED BACK")
        self.log.entries[7:8] = []
        out = self.verify(code=1)
        self.assertIn("no rollback entry follows", " ".join(self.texts(out)))

    def test_tampering(self):
        simple_life(self.log)
        name = life.store(self.store, self.log)
        verify = lambda *more: json.loads(call("log", "verify", "--store", self.store, "--vkey", self.log.vkey, "--json", *more, code=1))
        failed = lambda out: [c["name"] for c in out["checks"] if c["verdict"] == "failed"]
        first = sorted(n for n in os.listdir(os.path.join(self.store, "objects")))[0]
        path = os.path.join(self.store, "objects", first)
        with open(path, "r+b") as f:
            f.seek(-70, 2)
            f.write(b"x")
        self.assertEqual(failed(verify()), ["segments"])
        os.unlink(path)
        self.assertEqual(failed(verify()), ["segments"])
        self.assertNotEqual(first, name)
        # Another key has signed all of it: everything fits but the signatures.
        mine, self.log.key = self.log.key, life.Key(self.folder)
        shutil.rmtree(self.store)
        life.store(self.store, self.log)
        self.assertEqual(failed(verify()), ["signatures"])
        # A checkpoint that the log's key has signed, of other entries.
        self.log.key = mine
        shutil.rmtree(self.store)
        life.store(self.store, self.log)
        self.log.entries[5] = life.seal(T, 4, M[9])
        self.assertEqual(failed(verify("--cosigned", self.write("note", self.log.note()))), ["checkpoint"])
        other = life.Log(self.folder, b"{}")
        other.entries = self.log.entries
        self.assertIn("name", failed(verify("--cosigned", self.write("note", other.note()))))
        self.assertIn("names no log", self.headless())

    def headless(self):
        path = os.path.join(self.folder, "headless")
        os.makedirs(os.path.join(path, "objects"))
        self.write("headless/head", b"hf-head\n" + struct.pack("<I", 2) + self.log.service + struct.pack("<IQ", 1, 0) + (var(b"") + bytes(32)) * 3)
        return call("log", "verify", "--store", path, code=1)

    def test_a_file_of_entries(self):
        simple_life(self.log)
        life.store(self.store, self.log)
        for text in (json.dumps(self.log.answer()), call("log", "show", "--store", self.store, "--from", "0", "--json")):
            path = self.write("entries.json", text)
            out = json.loads(call("log", "verify", path, "--vkey", self.log.vkey, "--cosigned", self.write("note", self.log.note(6)), "--json"))
            self.assertEqual({c["name"]: c["verdict"] for c in out["checks"]}, {"name": "ok", "checkpoint": "ok", "cosignatures": "skipped", "life": "ok"})
        self.log.entries.pop(3)
        path = self.write("entries.json", json.dumps(self.log.answer()))
        call("log", "verify", path, "--cosigned", self.write("note", self.log.note()), "--vkey", self.log.vkey)
        for bad in ("", "{}", '{"from":1,"entries":[]}', '{"from":0,"entries":["?"]}', '{"from":0,"entries":[""]}'):
            call("log", "verify", self.write("entries.json", bad), code=1)
        call("log", "verify", os.path.join(self.folder, "none"), code=2)
        call("log", "verify", code=2)
        call("log", "verify", path, "--store", self.store, code=2)
        call("log", "verify", path, "--witnesses", path, code=2)
        call("log", "verify", path, "--vkey", "rubbish", code=2)


@unittest.skipUnless(shutil.which("ssh-keygen"), "no ssh-keygen")
class Upgrade(Bench):
    """A policy, a release and its grant, signed by real keys; the judgement is the enclave's own."""

    def setUp(self):
        super().setUp()
        for name in ("a", "b"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", os.path.join(self.folder, name)], check=True)
        keys = "".join(f"{n} {self.read(n + '.pub')}" for n in "ab")
        self.write("keys", keys)
        self.policy = self.write("policy.json", call("policy", "init", "--service", self.log.service.hex(), "--network", "signet", "--keys", os.path.join(self.folder, "keys"), "--threshold", "2", "--delay", "100"))
        self.pcrs = b"\x0a" * 48 + b"\x0b" * 48 + b"\x0c" * 48
        self.release = self.write("release.json", call("release", "init", "--policy", self.policy, "--pcr0", "0a" * 48, "--pcr1", "0b" * 48, "--pcr2", "0c" * 48,
                                                       "--sequence", "1", "--label", "Holdfast 0.2", "--commit", "0123456789abcdef0123456789abcdef01234567"))
        self.now = json.loads(self.read("release.json"))["not_before"]

    def signed(self, kind, path, names="ab"):
        out = []
        for n in names:
            to = os.path.join(self.folder, "sig")
            call("policy" if kind == life.POLICY else "release", "sign", path, "--key", os.path.join(self.folder, n), "--out", to)
            with open(to, "rb") as f:
                out.append(f.read())
            os.unlink(to)
        with open(path, "rb") as f:
            document = f.read()
        return document, out

    def upgrade(self, names="ab", wait=100, pcrs=None):
        n, e = self.now, self.log.entries
        simple_life(self.log, 3)
        e.append(life.paper(life.POLICY, n, *self.signed(life.POLICY, self.policy)))
        document, signatures = self.signed(life.RELEASE, self.release, names)
        e.append(life.paper(life.RELEASE, n + 5, document, signatures))
        released = life.hashlib.sha256(document).digest()
        e.append(life.grant(n + 5 + wait, released))
        e.append(life.boot(n + 200, 3, M[3], 1, pcrs=pcrs or self.pcrs, release=released))
        e.append(life.seal(n + 210, 4, M[4]))

    def test_upgrade(self):
        self.upgrade()
        text = " ".join(self.texts(self.verify("--vkey", self.log.vkey)))
        for words in ("version 1, agreed by", "Holdfast 0.2, sequence 1, agreed by 2 keys", "may take over", "another build takes over"):
            self.assertIn(words, text)

    def test_too_few_signatures(self):
        self.upgrade(names="a")
        self.assertIn("quorum", " ".join(self.texts(self.verify(code=1))))

    def test_before_the_delay(self):
        self.upgrade(wait=99)
        self.assertIn("pending until", " ".join(self.texts(self.verify(code=1))))

    def test_another_build(self):
        self.upgrade(pcrs=b"\x0d" * 144)
        self.assertIn("measurements", " ".join(self.texts(self.verify(code=1))))


if __name__ == "__main__":
    if not shutil.which("openssl"):
        print("skipped: no openssl to sign with")
        sys.exit(77)
    main(__doc__)
