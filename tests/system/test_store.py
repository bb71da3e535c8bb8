#!/usr/bin/env python3
"""A parent that alters, hides or mixes up what it stores: the enclave does not start from it,
says what is wrong, makes nothing new, and starts again from the good copy."""
import json
import os
import shutil
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import bip341_verify as model
import rig as r

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))


def flip(path, at=None):
    with open(path, "r+b") as f:
        f.seek(os.path.getsize(path) // 2 if at is None else at)
        byte = f.read(1)
        f.seek(-1, os.SEEK_CUR)
        f.write(bytes([byte[0] ^ 0x10]))


class Store(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = r.Rig(BUILD, options={"judges": "1", "size": "16M", "interval": "0s"})
        try:
            cls.rig.simulator()
            cls.rig.start_parent()
            cls.begin("good")
        except BaseException:
            cls.rig.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    @classmethod
    def begin(cls, keep_as):
        """Make a service with three generations, stop it, and keep its store aside."""
        rig = cls.rig
        rig.options["id"] = ""
        rig.start_enclave()
        assert rig.setup()[0] == 200, rig.enclave.text()
        status = rig.status()
        key = bytes.fromhex(status["public_key"])
        cls.request = r.spend("5120" + model.emulated_key(key, model.leaf_hash(b"\x51")).hex())
        for _ in range(2):
            assert rig.sign(cls.request)[0] == 200
            assert rig.seal()[0] == 200
        assert rig.enclave.stop() == 0
        shutil.copytree(rig.store(), rig.path(keep_as))
        return status["service_id"]

    def use(self, name):
        """Put a store that was kept aside in the parent's place."""
        self.rig.parent.stop()
        shutil.rmtree(self.rig.store())
        shutil.copytree(self.rig.path(name), self.rig.store())
        self.rig.start_parent()

    def objects(self, ending):
        folder = self.rig.store("objects")
        return sorted(os.path.join(folder, o) for o in os.listdir(folder) if o.endswith(ending) or o.startswith(ending))

    def refused(self, *words):
        self.rig.start_enclave(wait=False)
        code = self.rig.wait_end(60)
        text = self.rig.enclave.text()
        self.assertGreaterEqual(code, 64, text)
        self.assertRegex(text, "|".join(words))
        return code

    def starts(self):
        self.rig.start_enclave()
        self.rig.wait_phase("serving")
        self.assertEqual(self.rig.sign(self.request)[0], 200)
        self.rig.kill_enclave()

    def altered(self, alter, *words):
        self.use("good")
        alter()
        before = sorted(os.listdir(self.rig.store("objects")))
        self.refused(*words)
        self.assertEqual(sorted(os.listdir(self.rig.store("objects"))), before, "a refused start wrote something")
        self.use("good")
        self.starts()

    def test_one_byte_of_each_kind_of_object(self):
        for ending in (".pack", ".manifest", "record-"):
            with self.subTest(object=ending):
                self.altered(lambda: flip(self.objects(ending)[-1]), "not authentic", "is not the", "not well formed", "bad format", "refus")

    def test_one_byte_of_the_head(self):
        self.altered(lambda: flip(self.rig.store("head")), "head")

    def test_a_truncated_and_an_extended_pack(self):
        def cut():
            os.truncate(self.objects(".pack")[-1], os.path.getsize(self.objects(".pack")[-1]) - 1)

        def extend():
            with open(self.objects(".pack")[-1], "ab") as f:
                f.write(b"\0")
        self.altered(cut, "pack")
        self.altered(extend, "pack")

    def test_two_packs_exchanged(self):
        def swap():
            packs = self.objects(".pack")
            os.rename(packs[-1], packs[-1] + "x")
            os.rename(packs[-2], packs[-1])
            os.rename(packs[-1] + "x", packs[-2])
        self.altered(swap, "pack")

    def test_an_older_manifest_under_the_newest_name(self):
        def replay():
            manifests = self.objects(".manifest")
            shutil.copy(manifests[-2], manifests[-1])
        self.altered(replay, "manifest")

    def test_what_is_missing_is_named(self):
        for what in (".pack", ".manifest", "record-"):
            with self.subTest(missing=what):
                name = []

                def remove(what=what, name=name):
                    name.append(os.path.basename(self.objects(what)[-1]))
                    os.remove(self.objects(what)[-1])
                self.use("good")
                remove()
                self.refused(name[0])
        self.use("good")
        os.remove(self.rig.store("head"))
        self.refused("head")
        self.use("good")
        self.starts()

    def test_another_service_in_its_place(self):
        rig = self.rig
        self.use("good")
        rig.start_enclave()
        mine = rig.status()["service_id"]
        rig.kill_enclave()
        rig.parent.stop()
        shutil.rmtree(rig.store())
        rig.start_parent()
        other = self.begin("other")
        self.assertNotEqual(mine, other, "two services have one id")
        rig.options["id"] = mine
        self.refused("service")
        # The other's disk under this service's record.
        self.use("good")
        mine_record = os.path.basename(self.objects("record-")[-1])
        with open(rig.path("good", "objects", mine_record), "rb") as f:
            record = f.read()
        self.use("other")
        with open(self.objects("record-")[-1], "wb") as f:
            f.write(record)
        rig.options["id"] = ""
        self.refused("record", "not authentic")
        self.use("good")
        self.starts()

    def test_an_older_genuine_head_is_not_noticed_and_that_is_said(self):
        """No witnesses yet: this is the promise that is not made."""
        rig = self.rig
        self.use("good")
        rig.start_enclave()
        with open(rig.store("head"), "rb") as f:
            old = f.read()
        self.assertEqual(rig.sign(self.request)[0], 200)
        self.assertEqual(rig.seal()[0], 200)
        rig.kill_enclave()
        with open(rig.store("head"), "wb") as f:
            f.write(old)
        rig.start_enclave()
        rig.wait_phase("serving")
        self.assertEqual(rig.status()["freshness"], "none")
        self.assertIn("freshness: none", rig.enclave.text())
        rig.kill_enclave()
        self.use("good")

    def test_two_enclaves_from_one_store(self):
        """The head moves under the first one's feet: it ends, and signs no more."""
        rig = self.rig
        self.use("good")
        rig.start_enclave()
        self.assertEqual(rig.sign(self.request)[0], 200)
        with open(rig.store("head"), "rb") as f:
            mine = f.read()
        self.assertEqual(rig.seal()[0], 200)
        with open(rig.store("head"), "wb") as f:       # what another one, or a rollback, would leave
            f.write(mine)
        self.assertEqual(rig.sign(self.request)[0], 200)
        try:
            rig.seal()
        except (OSError, r.http.client.HTTPException):
            pass
        self.assertGreaterEqual(rig.wait_end(30), 64)
        self.assertIn("not the one this enclave left", rig.enclave.text())
        self.use("good")
        self.starts()


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root (loop device, mounts)")
        sys.exit(77)
    unittest.main(verbosity=2)
