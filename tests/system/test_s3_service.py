#!/usr/bin/env python3
"""The running service with its sealed copies in a folder and in a real S3 server at once (s3_rig.py); restarted, one of the
two taken away and brought back, and restored from the bucket alone."""
import json
import os
import shutil
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import bip341_verify as model
import rig as r
import s3_rig


class Service(unittest.TestCase):
    def setUp(self):
        os.environ.update(AWS_ACCESS_KEY_ID=s3_rig.ACCESS, AWS_SECRET_ACCESS_KEY=s3_rig.SECRET)
        self.rig = r.Rig(s3_rig.BUILD, options={"judges": "1", "size": "16M", "interval": "0s"})
        self.addCleanup(self.rig.close)
        self.s3 = s3_rig.Server(self.rig.path("bucket"))
        self.addCleanup(self.s3.close)
        self.door = s3_rig.Door(self.s3, conditional=True)
        self.addCleanup(self.door.close)
        self.bucket = f"s3:http://127.0.0.1:{self.door.port}/vault/service"
        self.both = f"store = dir:{self.rig.store()}, {self.bucket}\ndurable = "
        self.rig.simulator()

    def begin(self, durable):
        self.rig.start_parent(stores=self.both + str(durable))
        self.rig.start_enclave()

    def end(self):
        self.assertEqual(self.rig.enclave.stop(), 0, self.rig.enclave.text())
        self.rig.parent.stop()

    def seal(self):
        self.assertEqual(self.rig.sign(self.request)[0], 200)
        self.assertEqual(self.rig.seal()[0], 200, self.rig.parent.text())

    def holdfast(self, *words, code=0):
        out = self.rig.holdfast(*words, "--json", check=False)
        self.assertEqual(out.returncode, code, out.stdout + out.stderr)
        return json.loads(out.stdout)

    def states(self, code=0):
        return [s["state"] for s in self.holdfast("backups", "--config", self.rig.path("parent.ini"), code=code)["stores"]]

    def set_up(self, durable):
        self.begin(durable)
        self.assertEqual(self.rig.setup()[0], 200, self.rig.enclave.text())
        key = bytes.fromhex(self.rig.status()["public_key"])
        self.request = r.spend("5120" + model.emulated_key(key, model.leaf_hash(b"\x51")).hex())
        self.seal()

    def history(self):
        return json.loads(self.rig.get("/requests?limit=1")[2])["total"]

    def test_both_then_the_bucket_alone(self):
        self.set_up(0)
        self.seal()
        self.assertEqual(self.states(), ["whole", "whole"])
        self.end()
        self.begin(0)
        self.assertEqual(self.rig.status()["public_key"], r.PUBLISHED)
        self.seal()
        history = self.history()
        self.assertEqual({g["verdict"] for g in self.holdfast("backup", "verify", "--store", self.bucket)["generations"]}, {"whole"})
        self.end()
        shutil.rmtree(self.rig.store())
        self.rig.start_parent(stores=f"store = {self.bucket}")
        self.rig.start_enclave()
        self.assertEqual((self.rig.status()["public_key"], self.history()), (r.PUBLISHED, history))
        self.seal()
        # And a folder from the bucket, and a second place in the bucket from the folder.
        back = self.rig.path("back")
        self.assertEqual(self.holdfast("backup", "copy", "dir:" + back, "--store", self.bucket)["skipped"], 0)
        self.assertEqual({g["verdict"] for g in self.holdfast("backup", "verify", "--store", back)["generations"]}, {"whole"})
        self.holdfast("backup", "copy", self.bucket + "/second", "--store", back)
        self.assertEqual(self.holdfast("backup", "import", self.bucket + "/second", "--store", back)["objects"], 0)
        self.assertEqual(self.door.badly_signed, 0)

    def test_one_away_and_caught_up(self):
        self.set_up(1)
        self.s3.kill()
        self.seal()
        self.seal()
        self.assertEqual(self.states(code=1), ["whole", "away"])
        self.s3.start()
        self.assertEqual(self.states(code=1), ["whole", "behind"])
        self.seal()
        # By the next seal, or by the parent's own look around each minute.
        config = ["backups", "--json", "--config", self.rig.path("parent.ini")]
        self.rig.until(lambda: self.rig.holdfast(*config, check=False).returncode == 0, "the bucket caught up", self.rig.parent, 90)
        self.assertEqual(self.states(), ["whole", "whole"])
        self.assertEqual(self.holdfast("backup", "verify", "--store", self.bucket)["faults"], 0)
        self.end()
        # A restart finds older generations that the bucket lacks, and brings them at once.
        self.rig.start_parent(stores=self.both + "1")
        count = len(self.holdfast("backups", "--store", self.rig.store())["generations"])
        self.rig.until(lambda: len(self.holdfast("backups", "--store", self.bucket)["generations"]) == count, "all generations in the bucket", self.rig.parent, 60)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root (loop device, mounts)")
        sys.exit(77)
    print("S3 server: " + s3_rig.install(), flush=True)
    unittest.main(verbosity=2)
