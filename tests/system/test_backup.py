#!/usr/bin/env python3
"""holdfast backup, on the store of a running service: verify, copy, import, prune, and a restore from the copy."""
import json
import os
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import bip341_verify as model
import rig as r

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))


class Backup(unittest.TestCase):
    def setUp(self):
        self.rig = r.Rig(BUILD, options={"judges": "1", "size": "16M", "size_max": "32M", "interval": "0s"})
        self.addCleanup(self.rig.close)
        self.rig.simulator()
        self.rig.start_parent()
        self.rig.start_enclave()
        self.assertEqual(self.rig.setup()[0], 200, self.rig.enclave.text())
        key = bytes.fromhex(self.rig.status()["public_key"])
        self.request = r.spend("5120" + model.emulated_key(key, model.leaf_hash(b"\x51")).hex())
        self.seals(3)
        self.copy = self.rig.path("copy")

    def seals(self, count):
        for _ in range(count):
            self.assertEqual(self.rig.sign(self.request)[0], 200)
            self.assertEqual(self.rig.seal()[0], 200)

    def backup(self, *words, store=None, code=0):
        out = self.rig.holdfast("backup", *words, "--store", store or self.rig.store(), "--json", check=False)
        self.assertEqual(out.returncode, code, out.stdout + out.stderr)
        return json.loads(out.stdout)

    def objects(self, store, ending):
        folder = os.path.join(store, "objects")
        return sorted(os.path.join(folder, o) for o in os.listdir(folder) if o.endswith(ending) or o.startswith(ending))

    def verdicts(self, store, code=0):
        return [g["verdict"] for g in self.backup("verify", store=store, code=code)["generations"]]

    def url(self):
        return f"http://127.0.0.1:{self.rig.port}"

    def grow(self, size, code=0):
        out = self.rig.holdfast("disk", "grow", "--size", size, "--json", "--url", self.url(), check=False)
        self.assertEqual(out.returncode, code, out.stdout + out.stderr)
        return json.loads(out.stdout)

    def test_growing_the_disk(self):
        """What is refused changes nothing. Growing itself needs CAP_SYS_RESOURCE: with it the disk grows here as in
        the emulated machine; without it, it says so and works on."""
        rig, before = self.rig, self.rig.status()["disk"]
        self.assertEqual(self.grow("33M", 1)["status"], 403)
        self.assertEqual(self.grow("8M", 1)["status"], 409)
        self.assertEqual(self.grow("16777217", 1)["status"], 422)
        for words in ([], ["--size", "many"], ["--size", "0"]):
            self.assertEqual(rig.holdfast("disk", "grow", *words, "--url", self.url(), check=False).returncode, 2)
        self.assertEqual(rig.status()["disk"]["generation"], before["generation"])
        with open("/proc/self/status") as f:
            able = int(next(line for line in f if line.startswith("CapEff")).split()[1], 16) >> 24 & 1
        if able:
            self.assertEqual(self.grow("32M")["size"], 32 << 20)
            self.assertEqual(self.grow("32M")["size"], 32 << 20)
        else:
            self.assertEqual(self.grow("32M", 4)["status"], 500)
            self.assertIn("CAP_SYS_RESOURCE", rig.enclave.text())
        self.seals(1)
        history = rig.holdfast("requests", "--url", self.url()).stdout
        rig.kill_enclave()
        rig.start_enclave()
        rig.wait_phase("serving")
        self.assertEqual(rig.status()["disk"]["size"], 32 << 20)
        self.assertEqual(rig.holdfast("requests", "--url", self.url()).stdout, history)

    def scratch(self, config="enclave.ini"):
        """Files for a second enclave and parent beside the first: (configuration, program)."""
        rig = self.rig
        with open(rig.path(config)) as f:
            text = f.read()
        for old, new in (("web.sock", "web2.sock"), ("link.sock", "link2.sock"), (rig.path("disk"), rig.path("disk2"))):
            text = text.replace(old, new)
        with open(rig.path("enclave2.ini"), "w") as f:
            f.write(text)
        with open(rig.path("parent.ini")) as f:
            text = f.read()
        port = r.free_port()
        for old, new in (("web.sock", "web2.sock"), ("link.sock", "link2.sock"), (f":{rig.port}", f":{port}")):
            text = text.replace(old, new)
        with open(rig.path("drill.ini"), "w") as f:
            f.write(text)
        program = rig.path("scratch.sh")
        with open(program, "w") as f:
            f.write(f"#!/bin/sh\nexec {rig.program('holdfastd')} --config {rig.path('enclave2.ini')}\n")
        os.chmod(program, 0o755)
        return rig.path("drill.ini"), program

    def drill(self, *words, code=0):
        config, program = self.scratch()
        os.makedirs(self.rig.path("scratch"), exist_ok=True)
        done = self.backup("drill", "--drill-config", config, "--start", program, "--scratch", self.rig.path("scratch"), *words, code=code)
        self.assertEqual(os.listdir(self.rig.path("scratch")), [], "the copy was left")
        return done

    def tree(self):
        """All of the store, with its bytes."""
        found = {}
        for folder, _, names in os.walk(self.rig.store()):
            for name in names:
                with open(os.path.join(folder, name), "rb") as f:
                    found[os.path.join(folder, name)] = f.read()
        return found

    def test_drill(self):
        """A scratch enclave restores the copy while the service runs; the store and the service are not touched."""
        rig = self.rig
        before, disk = self.tree(), rig.status()["disk"]
        done = self.drill()
        self.assertEqual((done["restored"], done["generation"], done["public_key"]),
                         (True, disk["generation"], rig.status()["public_key"]))
        self.assertEqual(done["requests"], 3)
        self.assertGreater(done["bytes"], 0)
        self.assertEqual(self.drill("--at", str(disk["generation"] - 1))["requests"], 2)
        self.assertEqual(self.tree(), before)
        self.assertEqual(rig.status()["disk"]["generation"], disk["generation"])
        self.seals(1)

    def test_a_drill_that_fails(self):
        rig = self.rig
        pack = self.objects(rig.store(), ".pack")[-1]
        with open(pack, "r+b") as f:
            f.seek(5000)
            byte = f.read(1)
            f.seek(5000)
            f.write(bytes([byte[0] ^ 1]))
        self.assertIn("ended before it served", self.drill(code=1)["error"])
        self.assertIn("generation 99 cannot be tried", self.drill("--at", "99", code=1)["error"])
        config, program = self.scratch()
        self.assertEqual(self.backup("drill", code=2)["exit"], 2)
        self.backup("drill", "--drill-config", rig.path("none.ini"), code=2)
        self.backup("drill", "--drill-config", config, "--start", rig.path("none"), "--scratch", rig.path("scratch"), code=1)
        self.backup("drill", "--drill-config", rig.path("parent.ini"), "--start", program, "--scratch", rig.path("scratch"), code=2)
        self.backup("drill", "--drill-config", config, "--start", "/bin/sleep", "--scratch", "/no/such/folder", code=1)
        self.assertEqual(os.listdir(rig.path("scratch")), [])
        self.assertEqual(rig.status()["phase"], "serving")

    def test_copy_goes_on_and_the_enclave_restores_from_it(self):
        rig = self.rig
        first = self.backup("copy", self.copy)
        self.assertGreaterEqual(first["generations"], 4)
        self.assertGreater(first["bytes"], 0)
        self.assertEqual(set(self.verdicts(self.copy)), {"whole"})
        self.assertEqual(self.backup("copy", self.copy)["objects"], 0)
        self.seals(1)
        again = self.backup("copy", self.copy, "--compare")
        self.assertEqual(again["generation"], first["generation"] + 1)
        self.assertLessEqual(again["objects"], 3, "only what is new is sent")
        # An older copy does not come over the newer store; a lost store comes back whole.
        self.seals(1)
        self.assertIn("not copied", self.backup("import", self.copy, code=1)["error"])
        history = json.loads(rig.get("/requests?limit=1")[2])["total"]
        self.assertEqual(rig.enclave.stop(), 0)
        self.backup("copy", self.copy)
        rig.parent.stop()
        shutil.rmtree(rig.store())
        rig.start_parent()
        self.backup("import", self.copy)
        rig.start_enclave()
        self.assertEqual(rig.status()["public_key"], r.PUBLISHED)
        self.assertEqual(json.loads(rig.get("/requests?limit=1")[2])["total"], history)
        self.assertEqual(rig.sign(self.request)[0], 200)

    def test_what_is_wrong_is_named(self):
        self.backup("copy", self.copy)
        store, pack = self.copy, self.objects(self.copy, ".pack")[-1]
        with open(pack, "r+b") as f:
            f.seek(20)
            byte = f.read(1)
            f.seek(20)
            f.write(bytes([byte[0] ^ 1]))
        self.assertEqual(self.verdicts(store, code=1)[0], "pack-altered")
        self.assertIn("not copied", self.backup("copy", self.copy, "--compare", code=1)["error"])
        os.truncate(pack, os.path.getsize(pack) - 1)
        self.assertEqual(self.verdicts(store, code=1)[0], "pack-missing")
        self.assertIn("not copied", self.backup("copy", self.copy, code=1)["error"])
        os.unlink(pack)
        self.assertEqual(self.verdicts(store, code=1)[0], "pack-missing")
        self.backup("copy", self.copy)
        self.assertEqual(set(self.verdicts(store)), {"whole"}, "what was missing is brought again")
        record = self.objects(store, "record-")[0]
        os.rename(record, store + ".record")
        self.assertIn("record-missing", self.verdicts(store, code=1))
        os.rename(store + ".record", record)
        manifest = self.objects(store, ".manifest")[1]
        with open(manifest, "r+b") as f:
            f.seek(-1, os.SEEK_END)
            byte = f.read(1)
            f.seek(-1, os.SEEK_END)
            f.write(bytes([byte[0] ^ 1]))
        self.assertIn("altered", self.verdicts(store, code=1))
        os.truncate(manifest, 40)
        self.assertEqual(self.backup("verify", store=store, code=1)["whole"], False)

    def test_deep(self):
        url = ["--deep", "--url", f"http://127.0.0.1:{self.rig.port}"]
        good = self.backup("verify", *url)
        self.assertEqual((good["whole"], good["enclave"]["authentic"]), (True, True))
        self.assertGreater(good["enclave"]["bytes"], 65536)
        pack = self.objects(self.rig.store(), ".pack")[-1]
        with open(pack, "r+b") as f:
            f.seek(-5, os.SEEK_END)
            byte = f.read(1)
            f.seek(-5, os.SEEK_END)
            f.write(bytes([byte[0] ^ 1]))
        # What only the key can tell: without it, all looks well.
        self.assertEqual(self.backup("verify")["whole"], True)
        self.assertIn("not what it sealed", self.backup("verify", *url, code=1)["error"])
        self.assertIn("does not verify", self.rig.enclave.text())
        with open(pack, "r+b") as f:
            f.seek(-5, os.SEEK_END)
            f.write(byte)
        self.assertEqual(self.backup("verify", *url)["enclave"]["authentic"], True)
        self.seals(1)                                  # it goes on, on a connection of its own
        self.assertEqual(self.rig.request("POST", "/backup/verify", b"")[0], 200)
        self.assertEqual(self.rig.get("/backup/verify")[0], 405)

    def test_restore_at(self):
        rig = self.rig
        history = json.loads(rig.get("/requests?limit=1")[2])["total"]
        generation = rig.status()["disk"]["generation"]
        store = ["--store", rig.store(), "--json"]
        self.assertEqual(rig.enclave.stop(), 0)
        self.backup("copy", self.copy)
        for at, code in (("x", 2), ("999", 1), ("@5", 1), ("2001-01-01T00:00:00Z", 1)):
            self.assertEqual(rig.holdfast("restore", "--at", at, *store, check=False).returncode, code, at)
        last = json.loads(rig.holdfast("restore", "--at", "@99999999999", *store).stdout)
        self.assertEqual(last["before"], last["generation"])
        done = json.loads(rig.holdfast("restore", "--at", str(generation - 1), *store).stdout)
        self.assertEqual(done["generation"], generation - 1)
        rig.start_enclave()
        self.assertEqual(json.loads(rig.get("/requests?limit=1")[2])["total"], history - 1)
        self.seals(1)
        self.assertEqual(rig.status()["disk"]["generation"], generation)
        # The two histories have parted: a copy of the one is not mixed into the other.
        self.backup("import", self.copy, code=1)
        self.backup("copy", self.copy, code=1)
        rig.kill_enclave()
        rig.start_enclave()
        self.assertEqual(json.loads(rig.get("/requests?limit=1")[2])["total"], history)

    def test_restore_at_is_taken_back(self):
        rig = self.rig
        self.assertEqual(rig.enclave.stop(), 0)
        self.backup("copy", self.copy)
        rig.holdfast("restore", "--at", "1", "--store", rig.store())
        back = self.backup("import", self.copy)
        self.assertEqual(set(self.verdicts(rig.store())), {"whole"})
        rig.start_enclave()
        self.assertEqual(rig.status()["disk"]["generation"], back["generation"])

    def test_another_service_and_two_copies_at_once(self):
        other = r.Rig(BUILD, options={"judges": "1", "size": "16M", "interval": "0s"})
        self.addCleanup(other.close)
        other.simulator()
        other.start_parent()
        other.start_enclave()
        self.assertEqual(other.setup()[0], 200, other.enclave.text())
        self.backup("copy", other.store(), code=1)
        command = [self.rig.program("holdfast"), "backup", "copy", self.copy, "--store", self.rig.store(), "--json"]
        both = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
        self.assertIn(0, [p.wait() for p in both])
        self.backup("copy", self.copy)
        self.assertEqual(set(self.verdicts(self.copy)), {"whole"})

    def test_prune(self):
        before = len(self.objects(self.rig.store(), ".manifest"))
        dry = self.backup("prune", "--keep-last", "2", "--protect", "1", "--dry-run")
        self.assertEqual(dry["kept"], 3)
        self.assertEqual(len(self.objects(self.rig.store(), ".manifest")), before)
        done = self.backup("prune", "--keep-last", "2", "--protect", "1")
        self.assertEqual((done["kept"], done["removed_objects"]), (3, dry["removed_objects"]))
        self.assertEqual(len(self.objects(self.rig.store(), ".manifest")), 3)
        self.assertEqual(set(self.verdicts(self.rig.store())), {"whole"})
        self.assertEqual(self.backup("prune", code=2)["exit"], 2)
        self.backup("prune", "--keep-last", "0", code=2)
        self.backup("prune", "--keep-last", "1", "--protect", "x", code=2)
        self.seals(1)
        self.rig.kill_enclave()
        self.rig.start_enclave()
        self.assertEqual(self.rig.status()["public_key"], r.PUBLISHED)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root (loop device, mounts)")
        sys.exit(77)
    unittest.main(verbosity=2)
