#!/usr/bin/env python3
"""A client's and an operator's view of one running enclave: API and command line against the real roles."""
import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import bip341_verify as model
import rig as r

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))


class MainJob(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = r.Rig(BUILD, options={"judges": "2", "size": "16M"})
        try:
            cls.rig.simulator()
            cls.rig.start_parent()
            cls.rig.start_enclave()
            bad = cls.rig.request("POST", "/setup", {"key_id": "arn:aws:kms:us-east-1:111122223333:alias/x", "blockhash": r.BLOCKHASH})
            assert 400 <= bad[0] < 500, bad
            missing = cls.rig.arn.rsplit("/", 1)[0] + "/00000000-0000-4000-8000-000000000000"
            code, _, body = cls.rig.request("POST", "/setup", {"key_id": missing, "blockhash": r.BLOCKHASH}, timeout=60)
            assert code >= 400, (code, body)
            assert cls.rig.status()["phase"] == "awaiting-setup", "a failed setup left a trace"
            code, _, body = cls.rig.setup(max_weight=40000)
            assert code == 200 and body == b"Secret generated successfully.", (code, body, cls.rig.enclave.text())
        except BaseException:
            cls.rig.close()
            raise
        cls.key = bytes.fromhex(json.loads(cls.rig.get("/public-key")[2])["public_key"])

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def spk(self, script=b"\x51", backup=None):
        return "5120" + model.emulated_key(self.key, model.leaf_hash(script), backup).hex()

    def signs(self, request):
        code, _, body = self.rig.sign(request)
        self.assertEqual(code, 200, body)
        answer = json.loads(body)
        model.verify_answer(request, answer, self.key)
        return answer

    def error(self, request, code, words):
        got, headers, body = self.rig.sign(request)
        self.assertEqual(got, code, body)
        answer = json.loads(body)
        self.assertIn(words, answer["error"])
        self.assertEqual(answer["status"], code)
        self.assertEqual(headers["X-Request-Id"], answer["request_id"])

    def test_published_key_and_settings(self):
        self.assertEqual(self.key.hex(), r.PUBLISHED)
        settings = json.loads(self.rig.get("/settings")[2])
        self.assertEqual(settings, {"max_weight": 40000, "key_id": self.rig.arn, "blockhash": r.BLOCKHASH, "blockhash_check": "unverified"})
        self.assertEqual(self.rig.get("/health")[2], b"OK")

    def test_setup_is_once_only(self):
        code, _, body = self.rig.setup()
        self.assertEqual(code, 409)
        self.assertEqual(json.loads(body)["error"], "Settings already set.")

    def test_a_plain_spend(self):
        self.signs(r.spend(self.spk()))

    def test_with_a_backup_root(self):
        root = model.leaf_hash(b"\x52")
        request = r.spend(self.spk(backup=root))
        self.error(request, 400, "Unexpected input scriptPubKey")
        request["backup_merkle_roots"] = {"0": root.hex()}
        self.signs(request)

    def test_with_an_annex(self):
        request = r.spend(self.spk())
        request["emulated_tx_to"]["input"][0]["witness"].append("5000010203")
        answer = self.signs(request)
        self.assertEqual(len(answer["signed_tx"]["input"][0]["witness"]), 2)

    def test_several_inputs_of_different_kinds(self):
        request, other = r.spend(self.spk(), vout=0), r.spend(self.spk(), vout=1)
        tx = request["emulated_tx_to"]
        tx["input"].append(other["emulated_tx_to"]["input"][0])
        tx["input"].append({"previous_output": "43" * 32 + ":7", "script_sig": "", "sequence": 4294967295, "witness": []})
        request["actual_spent_outputs"] += [other["actual_spent_outputs"][0], {"value": 5, "script_pubkey": "0014" + "11" * 20}]
        answer = self.signs(request)
        self.assertEqual([i["signed"] for i in answer["inputs"]], [True, True, False])

    def test_what_is_refused(self):
        self.error(r.spend(self.spk(b"\x00"), script="00"), 400, "Verification failed")
        self.error(r.spend(self.spk(b"\x7e"), script="7e"), 400, "Verification failed")           # OP_CAT is OP_SUCCESS on chain
        self.error(r.spend("5120" + "22" * 32), 400, "Unexpected input scriptPubKey")
        heavy = r.spend(self.spk())
        heavy["emulated_tx_to"]["output"] = [{"value": 1, "script_pubkey": ""}] * 2000
        self.error(heavy, 400, "Transaction exceeds max weight.")
        short = r.spend(self.spk())
        short["actual_spent_outputs"] = []
        self.error(short, 400, "Missing spent outputs")

    def test_addresses(self):
        def ask(body):
            code, _, answer = self.rig.request("POST", "/address", {"network": "regtest", **body})
            return code, json.loads(answer)
        code, one = ask({"tree": "51"})
        self.assertEqual((code, one["script_pubkey"]), (200, self.spk()))
        self.assertEqual(ask({"root": one["merkle_root"]})[1]["address"], one["address"])
        leaves = [model.leaf_hash(bytes.fromhex(h)) for h in ("51", "52ac", "53")]
        root = model.branch_hash(leaves[0], model.branch_hash(leaves[1], leaves[2]))
        code, tree = ask({"tree": "{51,{52ac,53}}"})
        self.assertEqual(tree["merkle_root"], root.hex())
        key = r.PUBLISHED[2:]
        for blocks, push in ((1, "51"), (16, "60"), (17, "0111"), (127, "017f"), (128, "028000"), (144, "029000"), (32767, "02ff7f"), (32768, "03008000"), (65535, "03ffff00")):
            code, back = ask({"tree": "51", "backup_csv": blocks, "backup_key": key})
            self.assertEqual((code, back["backup_script"]), (200, push + "b27520" + key + "ac"))
            self.assertEqual(back["backup_root"], model.leaf_hash(bytes.fromhex(back["backup_script"])).hex())
            self.assertEqual(ask({"tree": "51", "backup_root": back["backup_root"]})[1]["address"], back["address"])
        offline = json.loads(self.rig.holdfast("address", "--public-key", r.PUBLISHED, "--tree", "51", "--backup-csv", "144", "--backup-key", key, "--network", "regtest", "--json").stdout)
        self.assertEqual(offline, ask({"tree": "51", "backup_csv": 144, "backup_key": key})[1])
        for bad in ({}, {"tree": "5"}, {"tree": "{51,52"}, {"tree": "{51}"}, {"tree": "51,52"}, {"tree": "51", "root": "00" * 32}, {"tree": "51", "network": "x"}, {"root": "00"},
                    {"tree": "{" * 200 + "51"}, {"tree": "51", "backup_csv": 0, "backup_key": key}, {"tree": "51", "backup_csv": 65536, "backup_key": key}, {"tree": "51", "backup_csv": 5},
                    {"tree": "51", "backup_csv": 5, "backup_key": "ff" * 32}, {"tree": "51", "backup_root": "11" * 32, "backup_csv": 5, "backup_key": key}):
            self.assertEqual(ask(bad)[0], 422, bad)

    def test_a_dry_run(self):
        before = json.loads(self.rig.get("/requests?limit=1")[2])["total"]
        code, _, body = self.rig.request("POST", "/verify", r.spend(self.spk()))
        self.assertEqual((code, json.loads(body)), (200, {"valid": True, "inputs": [{"index": 0, "emulated": True}]}))
        code, _, body = self.rig.request("POST", "/verify", r.spend(self.spk(b"\x00"), script="00"))
        self.assertEqual(code, 400)
        self.assertIn("Unable to sign: Verification failed", json.loads(body)["error"])
        skipped = r.spend(self.spk())
        skipped["emulated_tx_to"]["input"][0]["witness"] = ["00"]
        for path in ("/verify", "/verify-and-sign"):
            code, _, body = self.rig.request("POST", path, skipped)
            self.assertEqual((code, json.loads(body)["inputs"][0]["skipped"]), (200, "key path"))
        traced = self.rig.request("POST", "/verify", dict(r.spend(self.spk()), trace=True))
        steps = [{"index": 0, "pc": 0, "op": "OP_1", "executed": True, "stack": ["01"], "alt": []}]
        self.assertEqual((traced[0], json.loads(traced[2])["trace"]), (200, {"truncated": False, "inputs": [{"index": 0, "steps": steps}]}))
        script = "6376a968" + "516b" + "007669"          # IF DUP HASH160 ENDIF 1 TOALTSTACK 0 DUP VERIFY
        parity = r.parity(model, model.leaf_hash(bytes.fromhex(script)))
        refused = dict(r.spend(self.spk(bytes.fromhex(script)), script=script, items=("",), parity=parity), trace=True)
        code, _, body = self.rig.request("POST", "/verify", refused)
        said = json.loads(body)
        self.assertEqual((code, said["error"]), (400, "Unable to sign: Verification failed: VERIFY"))
        steps = said["trace"]["inputs"][0]["steps"]
        self.assertEqual([(s["op"], s["executed"]) for s in steps], [("OP_IF", True), ("OP_DUP", False), ("OP_HASH160", False), ("OP_ENDIF", True), ("OP_1", True),
                                                                     ("OP_TOALTSTACK", True), ("OP_0", True), ("OP_DUP", True), ("OP_VERIFY", True)])
        self.assertEqual(steps[-1], {"index": 8, "pc": 8, "op": "OP_VERIFY", "executed": True, "stack": ["", ""], "alt": ["01"], "error": "VERIFY"})
        self.assertEqual(self.rig.request("POST", "/sign", dict(r.spend(self.spk()), trace=True))[0], 400)
        after = json.loads(self.rig.get("/requests?limit=1")[2])["total"]
        self.assertEqual(after, before + 1, "a dry run is not recorded")
        url = ["--url", f"http://127.0.0.1:{self.rig.port}"]
        with open(self.rig.path("dry.json"), "w") as f:
            json.dump(r.spend(self.spk()), f)
        out = self.rig.holdfast("sign", "--dry-run", *url, self.rig.path("dry.json"), "--json")
        self.assertEqual(json.loads(out.stdout)["valid"], True)
        out = self.rig.holdfast("sign", "--dry-run", "--trace", *url, self.rig.path("dry.json"))
        self.assertRegex(out.stdout, r"^input 0: valid\ninput 0:\n.*\n +0   OP_1 +01\n$")

    def test_a_cap_of_the_configuration(self):
        """What the measured configuration allows a script, the two opcodes of its output among it, and the refusal says how much."""
        rig = r.Rig(BUILD, options={"judges": "1", "size": "16M", "judge": "opcodes = 5"})
        self.addCleanup(rig.close)
        rig.simulator()
        rig.start_parent()
        rig.start_enclave()
        self.assertEqual(rig.setup()[0], 200, rig.enclave.text())
        key = bytes.fromhex(rig.status()["public_key"])
        for script, good in (("616151", True), ("61616151", False)):
            leaf = model.leaf_hash(bytes.fromhex(script))
            request = r.spend("5120" + model.emulated_key(key, leaf).hex(), script=script, parity=r.parity(model, leaf))
            for path in ("/verify", "/verify-and-sign"):
                code, _, body = rig.request("POST", path, request)
                self.assertEqual(code, 200 if good else 400, body)
                if not good:
                    self.assertIn("CAP_OPCODES: the scripts use more than 5 opcodes", json.loads(body)["error"])

    def test_the_book_has_what_was_signed_and_refused(self):
        before = json.loads(self.rig.get("/requests?limit=1")[2])["total"]
        self.signs(r.spend(self.spk()))
        self.error(r.spend(self.spk(b"\x00"), script="00"), 400, "Verification failed")
        after = json.loads(self.rig.get("/requests?limit=2")[2])
        self.assertEqual(after["total"], before + 2)
        self.assertEqual([e["status"] for e in after["requests"]], [400, 200])

    def test_a_seal_on_request_moves_the_generation(self):
        before = self.rig.status()["disk"]["generation"]
        self.assertEqual(self.rig.seal()[0], 200)
        disk = self.rig.status()["disk"]
        self.assertEqual(disk["generation"], before + 1)
        self.assertFalse(disk["dirty"])

    def test_the_command_line(self):
        url = ["--url", f"http://127.0.0.1:{self.rig.port}"]
        status = json.loads(self.rig.holdfast("status", *url, "--json").stdout)
        self.assertEqual(status["public_key"], r.PUBLISHED)
        self.assertIn("simulated", self.rig.holdfast("status", *url).stdout.lower())
        self.assertIn(r.PUBLISHED, self.rig.holdfast("public-key", *url).stdout)
        self.rig.holdfast("seal", *url)
        self.rig.holdfast("requests", *url, "--limit", "3", "--json")
        backups = json.loads(self.rig.holdfast("backups", "--config", self.rig.path("parent.ini"), "--json").stdout)
        self.assertTrue(backups)
        again = self.rig.holdfast("setup", *url, "--key", self.rig.arn, "--blockhash", r.BLOCKHASH, check=False)
        self.assertNotEqual(again.returncode, 0)
        offline = json.loads(self.rig.holdfast("address", "--public-key", r.PUBLISHED, "--script", "51", "--network", "signet", "--json").stdout)
        self.assertEqual(offline["address"], model.p2tr_address(bytes.fromhex(self.spk()[4:]), "signet"))

    def test_only_the_expected_key_is_made(self):
        rig = r.Rig(BUILD, options={"judges": "1", "size": "16M", "public_key": r.PUBLISHED})
        self.addCleanup(rig.close)
        rig.simulator()
        rig.start_parent()
        rig.start_enclave()
        code, _, _ = rig.request("POST", "/setup", {"key_id": rig.arn, "blockhash": "01" * 32}, timeout=60)
        self.assertNotEqual(code, 200)
        self.assertEqual(rig.wait_end(20), 68, rig.enclave.text())
        self.assertIn("[service] public_key allows", rig.enclave.text())
        self.assertFalse(os.path.exists(rig.store("head")), "something was made of it")
        rig.start_enclave()
        self.assertEqual(rig.setup()[0], 200, rig.enclave.text())

    def test_the_last_seal_survives_a_parent_started_anew(self):
        rig = r.Rig(BUILD, options={"judges": "1", "size": "16M", "interval": "0s"})
        self.addCleanup(rig.close)
        rig.simulator()
        rig.start_parent()
        rig.start_enclave()
        self.assertEqual(rig.setup()[0], 200)
        self.assertEqual(rig.sign(r.spend(self.spk()))[0], 200)
        os.killpg(rig.parent.proc.pid, 9)          # with the process that has our connection
        rig.parent.proc.wait()
        rig.start_parent()
        self.assertEqual(rig.enclave.stop(), 0, rig.enclave.text())
        rig.start_enclave()
        rig.wait_phase("serving")
        self.assertEqual(json.loads(rig.get("/requests?limit=1")[2])["total"], 1)

    def test_credentials_from_the_environment(self):
        rig = r.Rig(BUILD, options={"judges": "1", "size": "16M", "credentials": "env"})
        self.addCleanup(rig.close)
        rig.simulator()
        rig.start_parent()
        rig.start_enclave(wait=False)
        self.assertNotEqual(rig.wait_end(), 0, "it started without the credentials that it was told to use")
        with open(rig.path("sim", "credentials.json")) as f:
            given = json.load(f)
        names = {"AWS_ACCESS_KEY_ID": given["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"], "AWS_SESSION_TOKEN": given["Token"]}
        os.environ.update(names)
        try:
            rig.start_enclave()
        finally:
            for name in names:
                del os.environ[name]
        self.assertEqual(rig.setup()[0], 200, rig.enclave.text())
        for (name, _), pid in rig.role_pids().items():
            with open(f"/proc/{pid}/environ", "rb") as f:
                self.assertNotIn(given["SecretAccessKey"].encode(), f.read(), f"{name} shows the credentials")
        self.assertNotIn(given["SecretAccessKey"], rig.enclave.text())

    def test_a_seal_by_itself_when_something_changed(self):
        rig = r.Rig(BUILD, options={"judges": "1", "size": "16M", "interval": "1s"})
        self.addCleanup(rig.close)
        rig.simulator()
        rig.start_parent()
        rig.start_enclave()
        self.assertEqual(rig.setup()[0], 200)
        first = rig.status()["disk"]["generation"]
        self.assertEqual(rig.sign(r.spend(self.spk()))[0], 200)
        rig.until(lambda: rig.status()["disk"]["generation"] > first, "a seal by itself")
        rig.until(lambda: not rig.status()["disk"]["dirty"], "a clean disk")
        settled = rig.status()["disk"]["generation"]
        import time
        time.sleep(2.5)
        self.assertEqual(rig.status()["disk"]["generation"], settled, "it seals although nothing changed")
        # A store that is away: the seal fails, the service goes on, and the next seal catches up.
        rig.parent.kill()
        rig.start_parent("elsewhere")
        rig.parent.kill()
        rig.start_parent()
        self.assertEqual(rig.sign(r.spend(self.spk()))[0], 200)
        rig.until(lambda: rig.status()["disk"]["generation"] > settled, "a seal over a new connection")
        self.assertEqual(rig.enclave.stop(), 0)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root (loop device, mounts)")
        sys.exit(77)
    unittest.main(verbosity=2)
