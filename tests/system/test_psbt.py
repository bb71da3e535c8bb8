#!/usr/bin/env python3
"""Every form in which a signature can be asked for, at a running enclave.

Each answer is compared with the usual form's: the same transaction, the same signed inputs, and signatures that the
second model (tests/models/bip341_verify.py) takes. PSBTs are made by tests/models/psbt.py here; by other
libraries in test_psbt_npm.py."""
import base64
import json
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import bip341_verify as model
import psbt as form
import rig as r

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
KEY = bytes.fromhex(r.PUBLISHED)
INTERNAL = model.G[0].to_bytes(32, "big")
BACKUP = model.sha256(b"a tree on chain")
ANNEX = b"\x50\x00annex"


def spend(script=b"\x51", backup=None, annex=None):
    """(the witness of an emulated spend, the output on chain)"""
    root = model.leaf_hash(script)
    tweak = int.from_bytes(model.tagged("TapTweak", INTERNAL + root), "big")
    q = model.point_add(model.lift_x(int.from_bytes(INTERNAL, "big")), model.point_mul(tweak, model.G))
    witness = [script, bytes([0xC0 | q[1] & 1]) + INTERNAL] + ([annex] if annex else [])
    return witness, b"\x51\x20" + model.emulated_key(KEY, root, backup)


class Case:
    """Inputs 0 (plain), 1 (with a backup tree), 2 (with an annex) are emulated; 3 is somebody else's."""

    def __init__(self):
        parts = [spend(), spend(b"\x52", BACKUP), spend(b"\x53", None, ANNEX), ([b"\x01" * 71, b"\x02" * 33], b"\0\x14" + b"\x07" * 20)]
        self.spent = [{"value": 5000 + n, "script": script} for n, (_, script) in enumerate(parts)]
        self.tx = {"version": 2, "locktime": 7, "out": [{"value": 15000, "script": b"\x51"}], "in": [
            {"txid": bytes([n + 1]) * 32, "vout": n, "script_sig": b"", "sequence": 0xFFFFFFFD - n, "witness": w} for n, (w, _) in enumerate(parts)]}

    def unsigned(self):
        return model.tx_bytes({**self.tx, "in": [{**i, "witness": []} for i in self.tx["in"]]}, False)

    def inputs(self, key=form.FINAL_WITNESS, more=()):
        """The maps of a PSBT's inputs."""
        maps = []
        for n, (i, o) in enumerate(zip(self.tx["in"], self.spent)):
            maps.append([(form.WITNESS_UTXO, form.output(o["value"], o["script"])), *more, (key if n < 3 else form.FINAL_WITNESS, form.stack(i["witness"]))]
                        + ([(form.TAP_MERKLE_ROOT, BACKUP)] if n == 1 else []) + [(b"\xf0", b"not known %d" % n)])
        return maps

    def psbt(self, version, **how):
        outputs = [[(b"\xf1", b"of an output")]]
        raw = form.version_0(self.unsigned(), self.inputs(**how), outputs) if version == 0 else form.version_2(self.tx, self.inputs(**how), outputs, [(b"\x06", b"\x03")])
        return base64.b64encode(raw).decode()

    def json(self):
        outs = lambda them: [{"value": o["value"], "script_pubkey": o["script"].hex()} for o in them]
        return {"emulated_tx_to": {"version": 2, "lock_time": 7, "output": outs(self.tx["out"]), "input": [
            {"previous_output": f"{i['txid'][::-1].hex()}:{i['vout']}", "script_sig": "", "sequence": i["sequence"], "witness": [w.hex() for w in i["witness"]]}
            for i in self.tx["in"]]}, "actual_spent_outputs": outs(self.spent), "backup_merkle_roots": {"1": BACKUP.hex()}}


class Enclave(unittest.TestCase):
    """A running enclave, and what every answer is checked for."""

    @classmethod
    def setUpClass(cls):
        cls.rig = r.Rig(BUILD, options={"judges": "1", "size": "16M"})
        try:
            cls.rig.simulator()
            cls.rig.start_parent()
            cls.rig.start_enclave()
            code, _, body = cls.rig.setup()
            assert code == 200, (code, body)
        except BaseException:
            cls.rig.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def setUp(self):
        self.case = Case()

    def ask(self, request, path="/sign", code=200):
        status, _, body = self.rig.request("POST", path, request)
        self.assertEqual(status, code, body)
        return json.loads(body)

    def refused(self, request, words, code=400):
        for path in ("/sign", "/verify-and-sign", "/verify"):
            self.assertIn(words, self.ask(request, path, code)["error"])

    def check(self, tx, signed=(0, 1, 2)):
        """A transaction as it would be broadcast: these inputs are signed, and nothing else is another."""
        answer = {"signed_tx": {**self.case.json()["emulated_tx_to"], "input": [
            {**old, "witness": [w.hex() for w in new["witness"]]} for old, new in zip(self.case.json()["emulated_tx_to"]["input"], tx["in"])]}}
        self.assertEqual(tx["out"], self.case.tx["out"])
        self.assertEqual(model.tx_bytes({**tx, "in": [{**i, "witness": []} for i in tx["in"]]}, False), self.case.unsigned())
        self.assertEqual(model.verify_answer(self.case.json(), answer, KEY), list(signed))

    def verdicts(self, answer, signed=(0, 1, 2)):
        self.assertEqual([i["index"] for i in answer["inputs"] if i["signed"]], list(signed))
        self.assertTrue(all(i["skipped"] for i in answer["inputs"] if not i["signed"]))


class Forms(Enclave):
    def test_json(self):
        for path in ("/sign", "/verify-and-sign"):
            answer = self.ask(self.case.json(), path)
            self.assertEqual(model.verify_answer(self.case.json(), answer, KEY), [0, 1, 2])

    def extract(self, version, text, final):
        """The transaction of a signed PSBT, with the witnesses that its fields say."""
        head, inputs, outputs = form.read(base64.b64decode(text, validate=True), 4, 1)
        tx = {**self.case.tx, "in": [dict(i) for i in self.case.tx["in"]]}
        for n, fields in enumerate(inputs):
            self.assertEqual(fields[form.WITNESS_UTXO], form.output(self.case.spent[n]["value"], self.case.spent[n]["script"]))
            self.assertEqual(fields[b"\xf0"], b"not known %d" % n)
            self.assertNotIn(form.OURS, fields)
            whole = final or n >= 2
            self.assertEqual(form.FINAL_WITNESS in fields, whole)
            self.assertEqual(form.TAP_KEY_SIG in fields, not whole)
            self.assertEqual(form.TAP_MERKLE_ROOT in fields, n == 1 and not final)
            tx["in"][n]["witness"] = form.read_stack(fields[form.FINAL_WITNESS]) if whole else [fields[form.TAP_KEY_SIG]]
            if version == 2:
                self.assertEqual((fields[b"\x0e"], fields[b"\x0f"][0]), (self.case.tx["in"][n]["txid"], n))
        self.assertEqual(outputs[0][b"\xf1"], b"of an output")
        if version == 2:
            self.assertEqual(head[b"\x06"], b"\0")       # signed: no longer modifiable
        else:
            self.assertEqual(head[b"\0"], self.case.unsigned())
        return tx

    def test_psbt(self):
        for version in (0, 2):
            for key in (form.FINAL_WITNESS, form.OURS):
                for final in (False, True, None):
                    with self.subTest(version=version, key=key, final=final):
                        request = {"psbt": self.case.psbt(version, key=key), **({} if final is None else {"finalize": final})}
                        answer = self.ask(request)
                        self.verdicts(answer)
                        self.assertEqual(answer["finalized"], bool(final))
                        self.check(self.extract(version, answer["psbt"], bool(final)))
        said = self.ask({"psbt": self.case.psbt(2)}, "/verify")
        self.assertEqual([i["emulated"] for i in said["inputs"]], [True, True, True, False])

    def test_a_root_in_the_map(self):
        maps = [[p for p in m if p[0] != form.TAP_MERKLE_ROOT] for m in self.case.inputs()]
        text = base64.b64encode(form.version_0(self.case.unsigned(), maps, [[]])).decode()
        self.refused({"psbt": text}, "Unable to sign: Unexpected input scriptPubKey")
        self.verdicts(self.ask({"psbt": text, "backup_merkle_roots": {"1": BACKUP.hex()}}))
        self.verdicts(self.ask({"psbt": self.case.psbt(0), "backup_merkle_roots": {"1": BACKUP.hex()}}))
        self.refused({"psbt": self.case.psbt(0), "backup_merkle_roots": {"1": "00" * 32}}, "input 1: its merkle root is another than in backup_merkle_roots")

    def test_rule_sets_in_every_form(self):
        forms = ({"psbt": self.case.psbt(0)}, {"psbt": self.case.psbt(2)}, self.case.json(), self.hex_form(backup_merkle_roots={"1": BACKUP.hex()}), self.one(1))
        for request in forms:
            self.ask({**request, "rules": "tapscript"})
            self.refused({**request, "rules": "lnhance"}, "Unable to sign: The service does not sign under this rule set")
            self.refused({**request, "rules": 7}, "rules: not a text", 422)

    def test_wrong_psbts(self):
        good = base64.b64decode(self.case.psbt(0))
        coded = lambda raw: base64.b64encode(raw).decode()
        no_utxo = [[p for p in m if p[0] != form.WITNESS_UTXO] for m in self.case.inputs()]
        for request, words in (
                ({"psbt": 5}, "psbt is a text"), ({"psbt": None}, "psbt is a text"), ({"psbt": "%%%%"}, "not base64"), ({"psbt": good.hex()}, "cannot be used|not base64"),
                ({"psbt": ""}, "does not begin with its magic"), ({"psbt": coded(good[:-1])}, "cut short"), ({"psbt": coded(good + b"\0")}, "behind the last map"),
                ({"psbt": coded(good), "finalize": 1}, "finalize is true or false"), ({**self.case.json(), "finalize": True}, "finalize goes with psbt only"),
                ({"psbt": coded(good), "emulated_tx_to": "00"}, "not both"), ({"psbt": coded(good), **self.case.json()}, "not both"),
                ({"psbt": coded(form.version_0(self.case.unsigned(), no_utxo, [[]]))}, "input 0: the output that it spends is needed"),
                ({"psbt": self.case.psbt(0, more=[(b"\x03", b"\x01\0\0\0")])}, "another sighash type"),
                ({"psbt": self.case.psbt(0, more=[(form.WITNESS_UTXO, b"\0" * 9)])}, "a key is there twice")):
            for path in ("/sign", "/verify"):
                self.assertRegex(self.ask(request, path, 400)["error"], words)
        wrong = Case()
        wrong.tx["in"][0]["witness"][0] = b"\x00"
        self.refused({"psbt": wrong.psbt(0)}, "Unable to sign: ")

    def hex_form(self, **more):
        return {"emulated_tx_to": model.tx_bytes(self.case.tx).hex(), "actual_spent_outputs": [form.output(o["value"], o["script"]).hex() for o in self.case.spent], **more}

    def test_hex(self):
        for name in ("backup_merkle_root", "backup_merkle_roots"):
            answer = self.ask(self.hex_form(**{name: {"1": BACKUP.hex()}}), "/verify-and-sign")
            self.verdicts(answer)
            self.check(model.tx_from_hex(answer["signed_tx"]))
        mixed = self.hex_form(backup_merkle_roots={"1": BACKUP.hex()})
        mixed["actual_spent_outputs"][0] = self.case.json()["actual_spent_outputs"][0]
        self.check(model.tx_from_hex(self.ask(mixed)["signed_tx"]))
        self.refused(self.hex_form(), "Unable to sign: Unexpected input scriptPubKey")
        for more, words, code in (({"emulated_tx_to": "0"}, "emulated_tx_to is not hex", 400), ({"emulated_tx_to": "00"}, "not a transaction with an input", 400),
                                  ({"emulated_tx_to": ""}, "not a transaction with an input", 400), ({"actual_spent_outputs": ["zz"]}, "actual_spent_outputs[0] is not an output in hex", 400),
                                  ({"actual_spent_outputs": ["00"]}, "actual_spent_outputs[0] is not an output in hex", 400), ({"actual_spent_outputs": []}, "Missing spent outputs", 400),
                                  ({"actual_spent_outputs": 1}, "actual_spent_outputs: not an array", 422), ({"backup_merkle_roots": {"x": "00"}}, "no input's number", 422)):
            self.refused(self.hex_form(**more), words, code)

    def one(self, n, **more):
        return {"input_index": n, "emulated_tx_to": model.tx_bytes(self.case.tx).hex(), "actual_spent_outputs": self.case.json()["actual_spent_outputs"],
                "backup_merkle_root": BACKUP.hex() if n == 1 else None, **more}

    def test_one_input_in_hex(self):
        for n in range(3):
            answer = self.ask(self.one(n), "/verify-and-sign")
            self.verdicts(answer, [n])
            self.check(model.tx_from_hex(answer["signed_transaction"]), [n])      # the other inputs as they came, witnesses and all
        without = self.one(0)
        del without["backup_merkle_root"]
        self.ask(without)
        for request, words, code in (
                (self.one(4), "Unable to sign: Input index out of bounds", 400), (self.one(0, emulated_tx_to="xyz"), "Invalid transaction encoding.", 400),
                (self.one(0, emulated_tx_to="00"), "Unable to sign: Failed to deserialize", 400), (self.one(0, backup_merkle_root="xyz"), "Invalid backup merkle root encoding.", 400),
                (self.one(0, backup_merkle_root="000000"), "Backup merkle root must be exactly 32 bytes.", 400),
                (self.one(0, actual_spent_outputs=[{"value": 1, "script_pubkey": "5"}]), "Invalid scriptPubKey encoding.", 400),
                (self.one(0, input_index="0"), "input_index: not an integer", 422), (self.one(1, backup_merkle_root=None), "Unexpected input scriptPubKey", 400)):
            self.refused(request, words, code)
        self.refused(self.one(3), "Unable to sign: Unexpected input scriptPubKey")
        self.case.tx["in"][0]["witness"] = []
        self.refused(self.one(0), "Input is not a script path spend (missing taproot control block)")
        row = json.loads(self.rig.get("/requests?limit=1")[2])["requests"][0]
        self.assertEqual((row["status"], row["signed"], row["text"]), (400, 0, "Unable to sign: Input is not a script path spend (missing taproot control block)"))

    def holdfast(self, *args, stdin=b""):
        out = subprocess.run([self.rig.program("holdfast"), "sign", "--url", f"http://127.0.0.1:{self.rig.port}", *args], input=stdin, capture_output=True, timeout=60)
        return out.returncode, out.stdout.decode(), out.stderr.decode()

    def test_the_command(self):
        text = self.case.psbt(0)
        path = self.rig.path("some.psbt")
        with open(path, "wb") as f:
            f.write(base64.b64decode(text))
        lines = "\n".join(text[i:i + 64] for i in range(0, len(text), 64)).encode() + b"\n"
        for final in ([], ["--finalize"]):
            for source, stdin in ((path, b""), ("-", lines)):
                code, out, err = self.holdfast("--psbt", source, *final, stdin=stdin)
                self.assertEqual(code, 0, err)
                self.assertIn("input 3 is not signed: not a taproot output", err)
                self.check(self.extract(0, out.strip(), bool(final)))
        self.verdicts(json.loads(self.holdfast("--psbt", path, "--json")[1]))
        self.assertTrue(json.loads(self.holdfast("--psbt", path, "--dry-run")[1])["valid"])
        self.verdicts(json.loads(self.holdfast("-", stdin=json.dumps(self.hex_form(backup_merkle_roots={"1": BACKUP.hex()})).encode())[1]))
        code, out, err = self.holdfast("--psbt", "-", stdin=b"hello")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("not base64", err)
        self.assertEqual(self.holdfast("--psbt", "-", stdin=b" \n")[0], 2)
        nothing = form.version_0(self.case.unsigned(), [[p for p in m if p[0] != form.FINAL_WITNESS] for m in self.case.inputs()], [[]])
        code, out, err = self.holdfast("--psbt", "-", stdin=nothing)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("no input of this PSBT", err)


if __name__ == "__main__":
    unittest.main()
