#!/usr/bin/env python3
"""A service whose block hash is dated by headers, in profile holdfast-1: every bad run refused without a trace, one good
run recorded, shown, attested, and there again after a restart."""
import base64
import json
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import bip341_verify as secp
import headers as m
import keyring_model as keys
import rig as r

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
T0 = 1296688602


def shared_secret(blockhash):
    """What KMS answers for the block hash, by the textbook: its key times the point, on P-256."""
    x = int.from_bytes(keys.nums_x("holdfast-1", blockhash)[1], "big")
    y = pow(x ** 3 - 3 * x + keys.B, (keys.P + 1) // 4, keys.P)
    point, total = (x, y if y % 2 == 0 else keys.P - y), None
    for bit in bin(int(r.KMS_PRIVATE, 16))[2:]:
        total = add(total, total)
        total = add(total, point) if bit == "1" else total
    return total[0].to_bytes(32, "big")


def add(a, b):
    if a is None or b is None:
        return a or b
    p = keys.P
    slope = (3 * a[0] ** 2 - 3) * pow(2 * a[1], -1, p) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, p)
    x = (slope ** 2 - a[0] - b[0]) % p
    return x, (slope * (a[0] - x) - a[1]) % p


class BlockHash(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = r.Rig(BUILD, options={"judges": "1", "size": "16M", "profile": "holdfast-1"})
        try:
            cls.rig.simulator()
            cls.rig.start_parent()
            cls.rig.start_enclave()
        except BaseException:
            cls.rig.close()
            raise
        cls.chain = m.extend("regtest", [m.FIRST["regtest"]], [T0 + 600 * i for i in range(1, 31)])

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def refused(self, words, run, blockhash=None, network="regtest", anchor=None, status=422):
        body = {"key_id": self.rig.arn, "blockhash": blockhash or m.block_hash(self.chain[7]),
                "headers": {"network": network, "anchor": anchor, "base64": base64.b64encode(b"".join(run)).decode()}}
        code, _, answer = self.rig.request("POST", "/setup", body, timeout=60)
        self.assertEqual(code, status, answer)
        self.assertIn(words, json.loads(answer)["error"])
        self.assertEqual(self.rig.status()["phase"], "awaiting-setup")
        self.assertIsNone(self.rig.status()["blockhash_check"])
        self.assertFalse(os.listdir(self.rig.store("objects")) if os.path.isdir(self.rig.store("objects")) else [])

    def test_1_bad_runs_leave_no_trace(self):
        good, tip = self.chain, m.block_hash(self.chain[-1])
        self.refused("headers: header 9, height 9: it does not name", good[:9] + good[10:])
        self.refused("no work was done", good + [m.mine(tip, T0 + 10 ** 6, 0x207fffff, lazy=True)])
        self.refused("the block hash is not in it", good, "11" * 32)
        self.refused("bytes reversed: give it as block explorers show it", good, bytes.fromhex(m.block_hash(good[7]))[::-1].hex())
        self.refused("no anchor was given", good, network="mainnet")
        self.refused("no anchor was given", good[3:])
        self.refused("not the anchor's", good[3:], anchor={"height": 3, "hash": m.block_hash(good[4])})
        self.refused("not 80 bytes each", [good[0], b"x"])
        self.refused("more than 52428", [bytes(80)] * 52429, status=413)

    def test_2_the_longest_run(self):
        """The fault is in the last header of all, so every one is looked at."""
        many = m.extend("regtest", self.chain[:1], [T0 + i for i in range(1, 52428)])
        path = self.rig.path("long.bin")
        with open(path, "wb") as f:
            f.write(b"".join(many[:-1] + [self.chain[3]]))
        for plain in (["--plain"], []):        # it fits into the channel as well
            out = self.rig.holdfast("setup", "--key", self.rig.arn, "--blockhash", m.block_hash(self.chain[7]), "--headers", path, "--network", "regtest",
                                    "--url", f"http://127.0.0.1:{self.rig.port}", *plain, check=False)
            self.assertEqual(out.returncode, 1)
            self.assertIn("header 52427, height 52427", out.stderr)
        begin = time.monotonic()
        self.refused("header 52427, height 52427: it does not name", many[:-1] + [self.chain[3]])
        self.assertLess(time.monotonic() - begin, 10)

    def test_3_a_dated_service(self):
        rig, blockhash = self.rig, m.block_hash(self.chain[7])
        path = rig.path("headers.hex")
        with open(path, "w") as f:
            f.write("\n".join(h.hex() for h in self.chain) + "\n")
        rig.holdfast("setup", "--key", rig.arn, "--blockhash", blockhash, "--headers", path, "--network", "regtest",
                     "--url", f"http://127.0.0.1:{rig.port}")
        want = {"network": "regtest", "height": 7, "time": T0 + 4200, "depth": 23, "anchor": "genesis", "work": f"{31 * 2:064x}"}
        self.shown(blockhash, want)
        master = keys.master("holdfast-1", shared_secret(bytes.fromhex(blockhash)), rig.arn, bytes.fromhex(blockhash))
        point = secp.point_mul(int.from_bytes(master, "big"), secp.G)
        key = bytes([2 + point[1] % 2]) + point[0].to_bytes(32, "big")
        self.assertEqual(json.loads(rig.get("/public-key")[2])["public_key"], key.hex())
        service = rig.status()["service_id"]
        rig.kill_enclave()
        rig.start_enclave()
        rig.wait_phase("serving")
        self.shown(blockhash, want)
        self.assertEqual(rig.status()["service_id"], service)
        self.assertEqual(json.loads(rig.get("/public-key")[2])["public_key"], key.hex())

    def shown(self, blockhash, want):
        settings = json.loads(self.rig.get("/settings")[2])
        self.assertEqual((settings["blockhash"], settings["blockhash_check"]), (blockhash, want))
        status = self.rig.status()
        self.assertEqual((status["profile"], status["blockhash_check"]), ("holdfast-1", want))
        statement = json.loads(self.rig.get("/statement")[2])
        self.assertEqual((statement["profile"], statement["settings"]["blockhash_check"]), ("holdfast-1", want))


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root (loop device, mounts)")
        sys.exit(77)
    unittest.main(verbosity=2)
