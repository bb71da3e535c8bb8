#!/usr/bin/env python3
"""The service's log and its witnesses, for real: nothing is signed before the quorum has cosigned a start; a store that was
put back, whole or in part, is noticed; of two enclaves on copies of one store at most one goes on."""
import base64
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
WITNESSES = 3


class Witness:
    """A maintainer's `holdfast witness`."""

    def __init__(self, rig, n):
        self.rig, self.name, self.dir = rig, f"w{n}", rig.path(f"witness-{n}")
        self.port = r.free_port()
        self.vkey = self.run("init", "--name", f"example.org/{self.name}")["vkey"]
        self.proc = None

    def run(self, *words):
        out = subprocess.run([self.rig.program("holdfast"), "witness", *words, "--dir", self.dir, "--json"], capture_output=True, text=True, check=True)
        return json.loads(out.stdout)

    def start(self):
        self.proc = self.rig.start(self.name, self.rig.program("holdfast"), "witness", "serve", "--dir", self.dir, "--listen", f"127.0.0.1:{self.port}")
        self.rig.until(lambda: r.listening(self.port), self.name, self.proc)

    def stop(self):
        self.proc.stop()


class Log(unittest.TestCase):
    def setUp(self):
        self.rig = r.Rig(BUILD, options={"judges": "1", "size": "16M", "interval": "0s"})
        self.addCleanup(self.rig.close)
        self.rig.simulator()
        self.witnesses = [Witness(self.rig, n) for n in range(WITNESSES)]
        policy = "".join(f"witness {w.name} {w.vkey} http://127.0.0.1:{w.port}/\n" for w in self.witnesses)
        self.rig.options["witness"] = self.rig.path("witnesses")
        with open(self.rig.path("witnesses"), "w") as f:
            f.write(policy + "group all 2 " + " ".join(w.name for w in self.witnesses) + "\nquorum all\n")

    def serve(self):
        """A service whose witnesses know its log."""
        for w in self.witnesses:
            w.start()
        self.rig.start_parent()
        self.rig.start_enclave()
        self.assertEqual(self.rig.setup()[0], 200, self.rig.enclave.text())
        self.known()
        self.rig.wait_phase("serving")
        key = bytes.fromhex(self.rig.status()["public_key"])
        self.request = r.spend("5120" + model.emulated_key(key, model.leaf_hash(b"\x51")).hex())

    def known(self):
        vkey = self.rig.status()["log"]["key"]
        for w in self.witnesses:
            w.run("add", "--log", vkey)

    def again(self, phase="serving"):
        self.rig.start_enclave(wait=False)
        self.rig.wait_phase(phase)

    def put(self, name):
        self.rig.parent.stop()
        shutil.rmtree(self.rig.store())
        shutil.copytree(self.rig.path(name), self.rig.store())
        self.rig.start_parent()

    def keep(self, name):
        shutil.copytree(self.rig.store(), self.rig.path(name))

    def signs(self):
        code, _, body = self.rig.sign(self.request)
        self.assertEqual(code, 200, body)

    def refused(self, words):
        code, _, body = self.rig.sign(self.request)
        self.assertEqual(code, 503, body)
        self.assertIn(words, body.decode())

    def test_nothing_is_signed_before_the_quorum(self):
        self.rig.start_parent()
        self.rig.start_enclave()
        self.assertEqual(self.rig.setup()[0], 200, self.rig.enclave.text())
        status = self.rig.status()
        self.assertEqual((status["phase"], status["log"]["cosigned"]), ("witnessing", 0))
        self.request = r.spend("5120" + "11" * 32)
        self.refused("witnesses")
        self.assertEqual(self.rig.get("/log/checkpoint")[0], 404)
        self.witnesses[0].start()
        self.witnesses[0].run("add", "--log", status["log"]["key"])
        self.rig.until(lambda: self.rig.status()["freshness"] == "unreachable", "the enclave to have asked")
        self.refused("witnesses")
        self.witnesses[1].start()
        self.witnesses[1].run("add", "--log", status["log"]["key"])
        self.rig.wait_phase("serving")
        status = self.rig.status()
        self.assertEqual((status["freshness"], status["log"]["cosigned"]), ("witnessed", status["log"]["size"]))
        note = self.rig.get("/log/checkpoint")[2].decode()
        origin, size, root = note.split("\n")[:3]
        self.assertEqual((origin, int(size)), ("holdfast/" + status["service_id"], status["log"]["size"]))
        self.assertEqual(sorted(line.split(" ")[1] for line in note.split("\n") if line.startswith("\u2014")), sorted([origin, "example.org/w0", "example.org/w1"]))
        statement = json.loads(self.rig.get("/statement")[2])
        self.assertEqual((statement["log"]["size"], base64.b64decode(root).hex()), (int(size), statement["log"]["root"]))

    def test_a_start_and_a_seal_are_witnessed(self):
        self.serve()
        self.signs()
        before = self.rig.status()["log"]["size"]
        self.assertEqual(self.rig.seal()[0], 200)
        self.rig.until(lambda: self.rig.status()["log"]["cosigned"] == before + 1, "the seal to be cosigned")
        self.witnesses[2].stop()                       # one of three may be away
        self.assertEqual(self.rig.enclave.stop(), 0)
        self.again()
        self.signs()
        self.witnesses[1].stop()                       # two may not; who signs already goes on, and says so
        self.assertEqual(self.rig.seal()[0], 200)
        self.rig.until(lambda: self.rig.status()["freshness"] == "unreachable", "the enclave to notice")
        self.assertEqual(self.rig.status()["log"]["unanchored_generations"], 1)
        self.signs()
        self.witnesses[1].start()
        self.rig.until(lambda: self.rig.status()["freshness"] == "witnessed", "the witness to be asked again", seconds=70)

    def test_what_a_limit_counts_leaves_when_it_is_witnessed(self):
        self.rig.options["limits"] = "window = 1h\ncount = 3"
        self.serve()
        requests = [dict(self.request, emulated_tx_to=dict(self.request["emulated_tx_to"], lock_time=n)) for n in range(4)]
        self.request = requests[0]
        self.signs()
        log = self.rig.status()["log"]
        self.assertEqual(log["cosigned"], log["size"])
        for w in self.witnesses[1:]:
            w.stop()
        self.request = requests[1]
        self.refused("could not be shown to enough witnesses, so nothing was signed")
        self.refused("could not be shown to enough witnesses, so nothing was signed")       # it is sealed by now, and that alone is not enough
        for w in self.witnesses[1:]:
            w.start()
        for self.request in requests[:3]:
            self.signs()
        self.assertEqual(self.rig.sign(requests[3])[0], 429)                                # what was refused was spent for once
        self.assertEqual(self.rig.enclave.stop(), 0)
        self.again()
        self.signs()
        self.assertEqual(self.rig.sign(requests[3])[0], 429)

    def test_a_store_that_was_put_back_is_noticed(self):
        self.serve()
        self.assertEqual(self.rig.seal()[0], 200)
        self.keep("an-hour-ago")
        self.signs()
        self.assertEqual(self.rig.enclave.stop(), 0)
        self.keep("newest")
        self.put("an-hour-ago")
        self.again("witnessing")
        self.rig.until(lambda: self.rig.status()["freshness"] == "rollback-detected", "the witnesses to be asked")
        self.refused("rollback detected")
        self.assertIn("rollback detected", self.rig.enclave.text())
        self.assertIn("put the newest copy of the store back", self.rig.enclave.text())
        self.rig.kill_enclave()
        # part of it: each object of the newest, the head of before; then the other way round
        self.put("newest")
        shutil.copy(os.path.join(self.rig.path("an-hour-ago"), "head"), self.rig.store("head"))
        self.again("witnessing")
        self.rig.until(lambda: self.rig.status()["freshness"] == "rollback-detected", "the witnesses to be asked")
        self.rig.kill_enclave()
        self.put("newest")
        self.again()
        self.signs()

    def test_an_older_generation_under_the_newest_log_is_refused(self):
        self.serve()
        self.assertEqual(self.rig.seal()[0], 200)
        first = self.rig.status()["disk"]["generation"]
        self.signs()
        self.assertEqual(self.rig.enclave.stop(), 0)
        self.rig.holdfast("restore", "--store", self.rig.store(), "--at", str(first))
        self.rig.start_enclave(wait=False)
        self.assertGreaterEqual(self.rig.wait_end(60), 64)
        self.assertIn("rollback detected", self.rig.enclave.text())

    def test_of_twins_one_goes_on(self):
        self.serve()
        self.assertEqual(self.rig.seal()[0], 200)
        self.rig.until(lambda: self.rig.status()["log"]["cosigned"] == self.rig.status()["log"]["size"], "the seal to be cosigned")
        self.keep("copy")
        twin = r.Rig(BUILD, options={k: v for k, v in self.rig.options.items() if k != "web"})
        self.addCleanup(twin.close)
        for name in ("arn", "kms_port", "imds_port"):
            setattr(twin, name, getattr(self.rig, name))
        os.rmdir(twin.store()) if os.path.isdir(twin.store()) else None
        shutil.copytree(self.rig.path("copy"), twin.store())
        for name in ("nsm.sock", "sim"):
            os.symlink(self.rig.path(name), twin.path(name))
        twin.start_parent()
        twin.start_enclave(wait=False)
        twin.wait_phase("serving")                     # it was first to log: it has taken over
        self.rig.seal()                                # the first one's next step shows it
        self.assertGreaterEqual(self.rig.wait_end(30), 64)
        self.assertIn("rollback detected", self.rig.enclave.text())
        self.assertEqual(twin.sign(self.request)[0], 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
