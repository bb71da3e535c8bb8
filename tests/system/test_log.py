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
import log_reader
import merkle
import rig as r
from upgrade_rig import Witness, trust_policy

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
WITNESSES = 3


class Log(unittest.TestCase):
    def setUp(self):
        self.rig = r.Rig(BUILD, options={"judges": "1", "size": "16M", "interval": "0s"})
        self.addCleanup(self.rig.close)
        self.rig.simulator()
        self.witnesses = [Witness(self.rig, n) for n in range(WITNESSES)]
        self.rig.options["witness"] = trust_policy(self.rig, self.witnesses)

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
        self.log("entries", 404)
        self.log("proof?old=0&size=0", 404)
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
        size = len(os.listdir(self.rig.store("objects")))
        self.again("witnessing")
        self.assertEqual(self.rig.status()["freshness"], "rollback-detected")
        self.assertIn("rollback detected", self.rig.enclave.text())
        self.refused("rollback detected")
        self.assertEqual(self.rig.seal()[0], 409)
        self.assertEqual(self.rig.enclave.stop(), 0)
        self.assertEqual(len(os.listdir(self.rig.store("objects"))), size)      # nothing was written

    def test_a_drill_is_not_cosigned(self):
        """A copy of the store is restored by a scratch enclave of the same configuration; the service goes on."""
        self.serve()
        self.signs()
        self.assertEqual(self.rig.seal()[0], 200)
        port = r.free_port()
        for name in ("enclave", "parent"):
            with open(self.rig.path(name + ".ini")) as f:
                text = f.read()
            for old, new in (("web.sock", "web2.sock"), ("link.sock", "link2.sock"), (self.rig.path("disk"), self.rig.path("disk2")), (f":{self.rig.port}", f":{port}")):
                text = text.replace(old, new)
            with open(self.rig.path(name + "2.ini"), "w") as f:
                f.write(text)
        with open(self.rig.path("scratch.sh"), "w") as f:
            f.write(f"#!/bin/sh\nexec {self.rig.program('holdfastd')} --config {self.rig.path('enclave2.ini')}\n")
        os.chmod(self.rig.path("scratch.sh"), 0o755)
        def drill(*words):
            return json.loads(self.rig.holdfast("backup", "drill", "--store", self.rig.store(), "--drill-config", self.rig.path("parent2.ini"), "--start", self.rig.path("scratch.sh"),
                                                "--scratch", self.rig.dir, "--json", *words).stdout)

        done = drill()
        self.assertEqual((done["restored"], done["requests"]), (True, 1))
        self.assertEqual(drill("--at", str(done["generation"] - 1))["requests"], 0)
        size = self.rig.status()["log"]["size"]
        self.assertEqual(self.rig.seal()[0], 200)
        self.rig.until(lambda: self.rig.status()["log"]["cosigned"] == size + 1, "the seal to be cosigned")
        self.signs()

    def log(self, path, status=200):
        code, _, body = self.rig.get("/log/" + path)
        self.assertEqual(code, status, (path, body))
        return json.loads(body)

    def checkpoint(self):
        _, size, root = self.rig.get("/log/checkpoint")[2].decode().split("\n")[:3]
        return int(size), base64.b64decode(root)

    def test_entries_and_proofs_are_for_everybody_to_check(self):
        self.serve()
        first, first_root = self.checkpoint()
        self.assertEqual(self.rig.seal()[0], 200)
        self.rig.until(lambda: self.checkpoint()[0] == first + 1, "the seal to be cosigned")
        size, root = self.checkpoint()
        got = self.log("entries")
        entries = [base64.b64decode(e) for e in got["entries"]]
        self.assertEqual((got["size"], got["from"], len(entries)), (size, 0, size))
        self.assertEqual(merkle.root(entries), root)
        self.assertEqual(merkle.root(entries[:first]), first_root)
        for n in range(size + 1):
            self.assertEqual(self.log(f"entries?from={n}&limit=2"), {"size": size, "from": n, "entries": got["entries"][n:n + 2]})
        proof = lambda q: [base64.b64decode(h) for h in self.log("proof?" + q)["hashes"]]
        for n in range(size + 1):
            for old in range(n + 1):
                self.assertEqual(proof(f"old={old}&size={n}"), merkle.proof(old, entries[:n]), (old, n))
            for index in range(n):
                self.assertEqual(proof(f"size={n}&index={index}"), merkle.path(index, entries[:n]), (index, n))
        # the store, read by a second implementation, holds the same, signed by the key that the witnesses know
        key = base64.b64decode(self.rig.status()["log"]["key"].split("+", 2)[2])[1:]
        stored, tail = log_reader.read(self.rig.store(), key)
        self.assertEqual((stored, tail["service"].hex(), tail["number"]), (entries, self.rig.status()["service_id"], 0))
        with self.assertRaises(log_reader.Wrong):
            log_reader.read(self.rig.store(), bytes(31) + b"\1")
        shown = [log_reader.entry(e) for e in entries]
        generation = self.rig.status()["disk"]["generation"]
        self.assertEqual([e["kind"] for e in shown], ["genesis", "boot", "seal", "seal"])
        self.assertEqual(([e["generation"] for e in shown[1:]], shown[1]["pcr"][0], shown[1]["previous"]), ([0, generation - 1, generation], r.PCR0, log_reader.NO_BOOT))
        for bad in ("entries?from=-1", "entries?from=x", "entries?limit=0", "entries?limit=1001", f"entries?from={size + 1}", "proof", "proof?size=2", "proof?old=1",
                    "proof?old=1&index=1&size=2", "proof?old=2&size=1", f"proof?old=1&size={size + 1}", "proof?index=2&size=2", "proof?old=1&size=99999999999999999999"):
            self.log(bad, 400)
        # the parent goes away, and comes again; the enclave's connection to it was of before
        self.rig.parent.stop()
        self.rig.start_parent()
        self.assertEqual(self.log("entries")["entries"], got["entries"])
        # a segment that is not the one that was signed is not given
        where = self.rig.store("objects") if os.path.isdir(self.rig.store("objects")) else self.rig.store()
        tail = max((os.path.join(where, f) for f in os.listdir(where) if f.startswith("log-")), key=os.path.getmtime)
        os.chmod(tail, 0o600)
        with open(tail, "r+b") as f:
            f.truncate(os.path.getsize(tail) - 1)
        self.assertIn("does not give", self.log("entries", 502)["error"])
        self.log("proof?old=1&size=2", 502)
        self.signs()                                   # and nothing else suffers

    def test_a_crash_between_witnesses(self):
        """One of them has cosigned a start that then died: the next start is proved to it from there, and to the others from nothing."""
        self.rig.start_parent()
        self.rig.start_enclave()
        self.assertEqual(self.rig.setup()[0], 200, self.rig.enclave.text())
        self.known()
        self.witnesses[0].start()
        self.rig.until(lambda: "witness w0: cosigned" in self.rig.parent.text(), "one witness to cosign", seconds=70)
        self.assertEqual(self.rig.status()["phase"], "witnessing")
        self.rig.kill_enclave()
        for w in self.witnesses[1:]:
            w.start()
        self.again()
        self.assertEqual(self.rig.status()["freshness"], "witnessed")

    # -- a rollback that the maintainers permit
    def govern(self):
        """A policy of two maintainers in force. Returns what signs and submits a document of theirs."""
        for n in "ab":
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", n, "-f", self.rig.path(n)], check=True)
        with open(self.rig.path("keys"), "w") as f:
            f.write("".join(f"{n} {self.bytes(n + '.pub').decode()}" for n in "ab"))
        self.make("policy.json", "policy", "init", "--service", self.rig.status()["service_id"], "--network", "regtest", "--keys", self.rig.path("keys"), "--threshold", "2", "--delay", "0")
        code, body = self.submit("policy", "policy.json", "ab")
        self.assertEqual(code, 200, body)

    def bytes(self, name):
        with open(self.rig.path(name), "rb") as f:
            return f.read()

    def make(self, name, *words):
        with open(self.rig.path(name), "w") as f:
            f.write(self.rig.holdfast(*words).stdout)

    def submit(self, kind, name, who):
        coded = []
        for n in who:
            out = self.rig.path(f"{name}.{n}.sig")
            if not os.path.exists(out):
                self.rig.holdfast(kind, "sign", self.rig.path(name), "--key", self.rig.path(n), "--out", out)
            coded.append(base64.b64encode(self.bytes(out)).decode())
        document = base64.b64encode(self.bytes(name)).decode()
        code, _, body = self.rig.request("POST", "/documents", {"document": document, "signatures": coded})
        return code, json.loads(body)

    def permit(self, name, **other):
        state = {**self.rig.status()["log"]["state"], **other}
        self.make(name, "permit", "init", "--policy", self.rig.path("policy.json"), "--generation", str(state["generation"]), "--log-size", str(state["log_size"]), "--head", state["head"])

    def rolled_back(self):
        self.again("witnessing")
        self.rig.until(lambda: self.rig.status()["freshness"] == "rollback-detected", "the witnesses to be asked")

    def test_a_permit_lets_an_old_store_go_on(self):
        self.rig.options["policy"] = "open"
        self.serve()
        self.govern()
        self.assertEqual(self.rig.seal()[0], 200)
        self.permit("early.json")
        self.assertEqual(self.submit("permit", "early.json", "ab")[1]["reason"], "other-kind")      # nothing was put back
        self.rig.until(lambda: self.rig.status()["log"]["cosigned"] == self.rig.status()["log"]["size"], "the seal to be cosigned")
        self.keep("an-hour-ago")
        self.signs()
        self.assertEqual(self.rig.enclave.stop(), 0)
        self.put("an-hour-ago")
        self.rolled_back()
        self.permit("permit.json")
        self.permit("other.json", generation=77)
        self.assertEqual(self.submit("policy", "policy.json", "ab")[0], 200)      # what is in force already is told, and nothing new is taken
        self.make("next.json", "policy", "init", "--previous", self.rig.path("policy.json"), "--delay", "60")
        self.assertEqual(self.submit("policy", "next.json", "ab")[0], 409)
        # nothing is written meanwhile, so a permit holds through a restart
        self.assertEqual(self.rig.seal()[0], 409)
        self.assertEqual(self.rig.enclave.stop(), 0)
        self.rolled_back()
        self.assertEqual(self.submit("permit", "permit.json", "a")[1]["reason"], "quorum")
        self.assertEqual(self.submit("permit", "other.json", "ab")[1]["reason"], "other-state")
        code, body = self.submit("permit", "permit.json", "ab")
        self.assertEqual(code, 200, body)
        self.refused("witnesses")                       # the log begins anew, and its witnesses have to be told of it
        key = self.rig.status()["log"]["key"]
        self.assertIn("/1+", key)
        for w in self.witnesses:
            w.run("add", "--log", key)
        self.rig.until(lambda: self.rig.status()["phase"] == "serving", "the witnesses to be asked again", self.rig.enclave, seconds=70)
        self.signs()
        kinds = [base64.b64decode(e)[0] for e in json.loads(self.rig.get("/log/entries?from=0")[2])["entries"]]
        self.assertEqual(kinds[:3], [10, 8, 2])         # reopen, rollback, boot
        self.assertEqual(self.rig.enclave.stop(), 0)
        self.again()
        self.signs()
        self.assertEqual(self.rig.enclave.stop(), 0)
        # one time only: the same store and the same permit again lead to a log that the witnesses know better
        self.put("an-hour-ago")
        self.rolled_back()
        self.assertEqual(self.submit("permit", "permit.json", "ab")[0], 200)
        self.rig.until(lambda: self.rig.status()["freshness"] == "rollback-detected", "the witnesses to be asked", seconds=70)
        self.assertEqual(self.submit("permit", "permit.json", "ab")[1]["reason"], "permit-used")
        self.refused("rollback detected")

    def test_a_permit_for_an_older_generation(self):
        self.rig.options["policy"] = "open"
        self.serve()
        self.govern()
        self.assertEqual(self.rig.seal()[0], 200)
        first = self.rig.status()["disk"]["generation"]
        self.signs()
        self.assertEqual(self.rig.enclave.stop(), 0)
        self.rig.holdfast("restore", "--store", self.rig.store(), "--at", str(first))
        self.rolled_back()
        self.permit("permit.json")
        self.assertEqual(self.rig.status()["log"]["state"]["generation"], first)
        code, body = self.submit("permit", "permit.json", "ab")
        self.assertEqual(code, 200, body)
        self.rig.wait_phase("serving")                  # the same log goes on, so the witnesses know it
        self.signs()
        self.assertEqual(self.rig.enclave.stop(), 0)
        self.again()
        self.signs()

    def test_an_older_log_is_nobodys_to_put_back(self):
        """Also where neither witnesses nor maintainers are named, and the operator may go back to an older generation."""
        self.rig.options["witness"] = ""
        self.rig.start_parent()
        self.rig.start_enclave()
        self.assertEqual(self.rig.setup()[0], 200, self.rig.enclave.text())
        self.assertEqual(self.rig.seal()[0], 200)
        self.keep("older")
        self.assertEqual(self.rig.seal()[0], 200)
        self.assertEqual(self.rig.enclave.stop(), 0)
        self.keep("newest")
        subprocess.run([sys.executable, os.path.join(HERE, "..", "broken", "make.py"), "log-older-under-newest-head", self.rig.store(), self.rig.path("older")], check=True)
        self.again("witnessing")
        self.assertEqual(self.rig.status()["freshness"], "rollback-detected")
        self.assertEqual(self.rig.seal()[0], 409)
        self.assertEqual(self.rig.enclave.stop(), 0)
        self.put("newest")
        self.again()

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
