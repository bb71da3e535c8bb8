#!/usr/bin/env python3
"""The parent's store in a real S3 server (s3rver from npm, see s3_rig.py), by way of the enclave's link."""
import os
import shutil
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import parent_rig
import s3_rig
from parent_rig import DONE, ERROR, E_STATE, GET, HEAD, HEAD_GET, HEAD_PUT, LIST, LISTED, Case, var

MIB = 1 << 20


class S3(Case):
    conditional = False
    beside = ""                        # other stores, as text before the S3 one
    durable = 0

    def setUp(self):
        os.environ.update(AWS_ACCESS_KEY_ID=s3_rig.ACCESS, AWS_SECRET_ACCESS_KEY=s3_rig.SECRET)
        self.bucket = parent_rig.tempfile.mkdtemp(prefix="hf-s3-")
        self.addCleanup(shutil.rmtree, self.bucket)
        self.s3 = s3_rig.Server(self.bucket)
        self.addCleanup(self.s3.close)
        self.door = s3_rig.Door(self.s3, self.conditional)
        self.addCleanup(self.door.close)
        super().setUp()

    def begin(self):
        self.name = f"s3:http://127.0.0.1:{self.door.port}/vault/some/where"
        self.folder = os.path.join(self.dir, "folder")
        self.store = self.name if not self.beside else f"\ndurable = {self.durable}\nstore = {self.beside.format(self.folder)}, {self.name}"
        super().begin()

    def tearDown(self):
        super().tearDown()
        self.assertEqual(self.door.badly_signed, 0)

    def set_head(self, link, expected, new):
        return link.ask(HEAD_PUT, var(expected) + var(new))

    def head(self, link):
        kind, body = link.ask(HEAD_GET)
        self.assertEqual(kind, HEAD, body)
        return body[5:] if body[0] else b""

    def listed(self, link):
        kind, body = link.ask(LIST)
        self.assertEqual(kind, LISTED, body)
        return struct.unpack("<I", body[:4])[0]

    def failed(self, answer, *codes):
        self.assertEqual(answer[0], ERROR, answer)
        if codes:
            self.assertIn(answer[1][0], codes)


class Objects(S3):
    def test_small_large_and_taken(self):
        link = self.link()
        for size in (1, 70000, 16 * MIB, 16 * MIB + 1, 40 * MIB):
            data = os.urandom(size)
            self.assertEqual(link.put(b"o-%d" % size, data)[0], DONE)
            self.assertEqual(link.get(b"o-%d" % size), data)
        self.assertEqual(self.door.count(r"PUT .*partNumber=3.*"), 1, "40 MiB go in three parts")
        self.assertEqual(self.door.count(r"POST .*o-40960\b"), 0)
        self.assertEqual(self.listed(link), 5)
        self.failed(link.put(b"o-1", b"other"), E_STATE)
        self.assertEqual(len(link.get(b"o-1")), 1)
        self.failed(link.get(b"absent"))
        # Given up inside an upload: nothing stays.
        self.failed(link.put(b"left", b"x" * 40 * MIB, total=1))
        self.failed(link.get(b"left"))
        self.assertEqual(self.door.count(r"DELETE .*left\?uploadId="), 1)

    def test_more_than_a_page(self):
        link = self.link()
        for i in range(1105):
            self.assertEqual(link.put(b"n-%05d" % i, b"%d" % i)[0], DONE)
        before = self.door.count("continuation-token")
        self.assertEqual(self.listed(link), 1105)
        self.assertEqual(self.door.count("continuation-token") - before, 1)
        out = subprocess.run([parent_rig.PROGRAM[0], "backups", "--json", "--store", self.name], capture_output=True, text=True)
        self.assertIn('"objects":1105', out.stdout, out.stderr)

    def test_server_killed_inside_an_upload(self):
        link = self.link(hello=False)
        link.s.settimeout(120)
        self.assertEqual(link.hello()[0], parent_rig.READY)
        link.send(parent_rig.PUT, var(b"cut"))
        for _ in range(20):
            link.send(parent_rig.DATA, b"a" * MIB)
        deadline = time.monotonic() + 20
        while not self.door.count(r"PUT .*partNumber=1") and time.monotonic() < deadline:
            time.sleep(0.05)
        self.s3.kill()
        for _ in range(20):
            link.send(parent_rig.DATA, b"b" * MIB)
        self.failed(link.ask(parent_rig.PUT_END, struct.pack("<Q", 40 * MIB)))
        self.s3.start()
        self.failed(link.get(b"cut"))
        self.assertEqual(link.put(b"cut", b"whole")[0], DONE)
        self.assertEqual(link.get(b"cut"), b"whole")

    def test_throttled_dropped_and_unheard(self):
        link = self.link()
        link.s.settimeout(90)
        self.door.fault("slow", 2, "PUT .*slow")
        began = time.monotonic()
        self.assertEqual(link.put(b"slow", b"1")[0], DONE)
        self.assertGreaterEqual(time.monotonic() - began, 2, "the server's Retry-After of 1 s is kept, twice")
        self.door.fault("drop", 2, "PUT .*dropped")
        self.assertEqual(link.put(b"dropped", b"2")[0], DONE)
        self.assertEqual(self.door.count("PUT .*dropped"), 3)
        self.door.fault("unheard", 1, "PUT .*unheard")
        self.assertEqual(link.put(b"unheard", b"3")[0], DONE)
        self.door.fault("unheard", 1, r"POST .*big\?uploadId")
        big = os.urandom(17 * MIB)
        self.assertEqual(link.put(b"big", big)[0], DONE)
        self.door.fault("drop", 1, "GET .*big")
        self.assertEqual(link.get(b"big"), big)
        self.door.fault("slow", 1000, "PUT .*never")
        self.failed(link.put(b"never", b"4"))
        self.assertEqual(self.door.count("PUT .*never"), 7)
        self.failed(link.get(b"never"))

    def test_wrong_keys_are_told_and_not_logged(self):
        secret = "wrong-secret-of-this-test"
        env = dict(os.environ, AWS_SECRET_ACCESS_KEY=secret)
        out = subprocess.run([parent_rig.PROGRAM[0], "backups", "--store", self.name], capture_output=True, text=True, env=env)
        self.assertEqual(out.returncode, 1)
        self.assertIn("credentials", out.stderr)
        self.assertNotIn(secret, out.stderr + out.stdout)
        keys = os.path.join(self.dir, "keys")
        with open(keys, "w") as f:
            f.write(f"[default]\naws_access_key_id = {s3_rig.ACCESS}\naws_secret_access_key = {s3_rig.SECRET}\n")
        ini = os.path.join(self.dir, "keys.ini")
        with open(ini, "w") as f:
            f.write(f"[store]\nstore = s3:vault/some/where\n[s3]\nendpoint = http://127.0.0.1:{self.door.port}\ncredentials = {keys}\n")
        for mode, code in ((0o644, 1), (0o600, 0)):
            os.chmod(keys, mode)
            out = subprocess.run([parent_rig.PROGRAM[0], "backups", "--config", ini], capture_output=True, text=True, env=env)
            self.assertEqual(out.returncode, code, out.stderr)
        self.door.badly_signed = 0


class Head(S3):
    def test_moves_and_refuses(self):
        link = self.link()
        self.assertEqual(self.head(link), b"")
        self.assertEqual(self.set_head(link, b"", b"one")[0], DONE)
        self.failed(self.set_head(link, b"", b"two"), E_STATE)
        self.assertEqual(self.set_head(link, b"one", b"two")[0], DONE)
        self.assertEqual(self.head(link), b"two")
        self.assertIn("has conditional puts" if self.conditional else "has no conditional puts", self.log_text())
        self.assertEqual(self.listed(link), 0, "claims are no objects")

    def test_race(self):
        links = [self.link(), self.link()]
        for one in links:
            one.s.settimeout(60)
        present = b""
        for turn in range(6):
            new, answers = [b"%d-%d" % (turn, i) for i in range(2)], [None, None]

            def work(i, present=present, new=new, answers=answers):
                answers[i] = self.set_head(links[i], present, new[i])
            threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            won = [i for i in range(2) if answers[i][0] == DONE]
            self.assertEqual(len(won), 1, answers)
            self.failed(answers[1 - won[0]], E_STATE)
            present = new[won[0]]
            self.assertEqual(self.head(links[0]), present)

    def test_unheard_head(self):
        link = self.link()
        link.s.settimeout(60)
        self.assertEqual(self.set_head(link, b"", b"one")[0], DONE)
        for kind in ("unheard", "drop", "slow"):
            self.door.fault(kind, 1, "PUT .*/head$")
            self.assertEqual(self.set_head(link, self.head(link), kind.encode())[0], DONE)
            self.assertEqual(self.head(link), kind.encode())
        self.assertEqual(self.door.count("PUT .*/claims/") - 1, self.door.count("DELETE .*/claims/"),
                         "every claim is taken back; one was put twice, to see what the server knows")


class HeadConditional(Head):
    conditional = True


class Two(S3):
    """A folder beside the bucket; what is in them is no head of ours here, so nothing can be caught up from it."""
    beside = "dir:{}"
    durable = 1

    def test_one_fails(self):
        link = self.link()
        link.s.settimeout(120)
        data = os.urandom(100000)
        self.assertEqual(link.put(b"first", data)[0], DONE)
        self.assertEqual(self.set_head(link, b"", b"one")[0], DONE)
        self.assertEqual(self.door.count("PUT .*objects/first"), 1)
        self.s3.kill()
        self.assertEqual(link.put(b"second", data)[0], DONE)
        self.assertIn("stores: s3:", self.log_text())
        os.unlink(os.path.join(self.folder, "objects", "first"))
        self.s3.start()
        self.assertEqual(link.get(b"first"), data, "the second store has it")

    def test_a_head_in_both(self):
        link = self.link()
        self.assertEqual(self.set_head(link, b"", b"one")[0], DONE)
        self.failed(self.set_head(link, b"", b"two"), E_STATE)
        with open(os.path.join(self.folder, "head"), "rb") as f:
            self.assertEqual(f.read(), b"one")
        self.assertEqual(self.door.count("PUT .*/head$"), 1)


class TwoOfTwo(Two):
    durable = 0

    def test_one_fails(self):
        link = self.link()
        link.s.settimeout(120)
        self.s3.kill()
        self.failed(link.put(b"second", b"x"))
        self.s3.start()
        self.assertEqual(link.put(b"third", b"x")[0], DONE)



if __name__ == "__main__":
    print("S3 server: " + s3_rig.install() + "; conditional puts by the test's own door", flush=True)
    parent_rig.main(__doc__)
