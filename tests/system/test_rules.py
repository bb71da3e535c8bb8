#!/usr/bin/env python3
"""Rule sets of a running service: which it has, which holds, what they change in address and verdict, and what is
remembered. Rule set ids and child keys are the second model's (tests/models/rules.py, bip341_verify.py)."""
import json
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import bip341_verify as model
import rig as r
import rules

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
SETS = "tapscript, covenants,mine=internalkey+apo"
CAT_LEAF, CAT_ITEMS = "7e066f705f63617487", ("6f705f", "636174")          # CAT "op_cat" EQUAL
KEY_LEAF = "cb20" + r.INTERNAL + "87"                                     # INTERNALKEY <it> EQUAL
APO_LEAF = "000101ac91"                                                   # 0 <01> CHECKSIG NOT


def set_id(text):
    return rules.rules_id(rules.of_text(text))


def made(case, **options):
    rig = r.Rig(BUILD, options={"judges": "1", "size": "16M", **options})
    case.addCleanup(rig.close)
    rig.simulator()
    rig.start_parent()
    rig.start_enclave()
    code, _, body = rig.setup()
    case.assertEqual(code, 200, (body, rig.enclave.text()))
    return rig, bytes.fromhex(rig.status()["public_key"])


class Rules(unittest.TestCase):
    def ask(self, rig, request, path="/sign", **more):
        code, _, body = rig.request("POST", path, {**request, **more})
        return code, json.loads(body)

    def signs(self, rig, key, request, rules_id, **more):
        code, answer = self.ask(rig, request, **more)
        self.assertEqual(code, 200, answer)
        self.assertEqual(model.verify_answer(request, answer, key, rules_id), [0])
        code, answer = self.ask(rig, request, "/verify", **more)
        self.assertEqual((code, answer["valid"]), (200, True), answer)

    def refused(self, rig, request, words, status=400, **more):
        for path in ("/verify", "/sign"):
            code, answer = self.ask(rig, request, path, **more)
            self.assertEqual(code, status, answer)
            self.assertIn(words, answer["error"])

    def stated(self, rig, texts):
        """The statement, the status and an attestation name these sets, with the model's ids."""
        code, _, body = rig.get("/statement")
        self.assertEqual(code, 200)
        said = json.loads(body)["rules"]
        self.assertEqual([s["id"] for s in said], [set_id(t).hex() for t in texts])
        for s in said:
            encoded = rules.encode(s["name"], s["opcodes"], s["version"], s["caps"])
            self.assertEqual(rules.rules_id(encoded).hex(), s["id"])
        self.assertEqual(rig.status()["rules"], said)
        attested = json.loads(rig.get("/attestation?nonce=00")[2])
        self.assertEqual(json.loads(attested["statement"])["rules"], said)

    def test_holdfast_1(self):
        texts = ["tapscript", "covenants", "mine=internalkey+apo"]
        rig, key = made(self, profile="holdfast-1", rules=SETS)
        self.stated(rig, texts)
        plain = r.bound_spend(model, key, set_id("tapscript"), "51")
        self.signs(rig, key, plain, set_id("tapscript"))
        self.signs(rig, key, plain, set_id("tapscript"), rules="tapscript")
        cat = r.bound_spend(model, key, set_id("covenants"), CAT_LEAF, CAT_ITEMS)
        self.signs(rig, key, cat, set_id("covenants"), rules="covenants")
        # safe here, as the address is of the internal key
        for leaf in (KEY_LEAF, APO_LEAF):
            self.signs(rig, key, r.bound_spend(model, key, set_id(texts[2]), leaf), set_id(texts[2]), rules="mine")
        # a spender who picks another set than the address has
        self.refused(rig, cat, "Unexpected input scriptPubKey")
        self.refused(rig, plain, "Unexpected input scriptPubKey", rules="covenants")
        # ... or another internal key
        swapped = json.loads(json.dumps(plain))
        control = swapped["emulated_tx_to"]["input"][0]["witness"][-1]
        swapped["emulated_tx_to"]["input"][0]["witness"][-1] = control[:2] + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
        self.refused(rig, swapped, "Unexpected input scriptPubKey")
        # ... or what the earlier rule would have derived
        self.refused(rig, r.spend("5120" + model.emulated_key(key, model.leaf_hash(b"\x51")).hex()), "Unexpected input scriptPubKey")
        self.refused(rig, plain, "The service does not sign under this rule set", rules="lnhance")
        self.refused(rig, plain, "rules: not a rule set's name", 422, rules="")
        self.refused(rig, r.bound_spend(model, key, set_id("tapscript"), CAT_LEAF, CAT_ITEMS), "DISCOURAGE_OP_SUCCESS")
        self.addresses(rig, key, texts)
        self.remembered(rig, texts)

    def addresses(self, rig, key, texts):
        """Served, offline, and by the model: one address for each set."""
        seen = set()
        for text in texts:
            body = {"network": "regtest", "tree": "{51,52}", "internal_key": r.INTERNAL, "rules": text.partition("=")[0], "backup_root": "11" * 32}
            code, _, answer = rig.request("POST", "/address", body)
            self.assertEqual(code, 200, answer)
            offline = rig.holdfast("address", "--public-key", key.hex(), "--tree", "{51,52}", "--internal-key", r.INTERNAL, "--rules", text,
                                   "--backup-root", "11" * 32, "--network", "regtest", "--json").stdout
            self.assertEqual(json.loads(answer), json.loads(offline))
            root = model.tree_root([model.leaf_hash(b"\x51"), model.leaf_hash(b"\x52")])
            emulated = model.output_key(bytes.fromhex(r.INTERNAL), root)
            out = model.output_key(model.child_key_bound(key, set_id(text), emulated)[1:], b"\x11" * 32)
            self.assertEqual(json.loads(answer)["address"], model.p2tr_address(out, "regtest"))
            seen.add(out)
        self.assertEqual(len(seen), len(texts))
        for bad in ({}, {"internal_key": "ff" * 32}, {"internal_key": r.INTERNAL, "rules": "nobody"}, {"internal_key": r.INTERNAL, "rules": ""}):
            self.assertEqual(rig.request("POST", "/address", {"network": "regtest", "tree": "51", **bad})[0], 422, bad)

    def remembered(self, rig, texts):
        """The history has set, inputs and verdict, and still has them after a start from the sealed copy, under the same sets."""
        url = ["--url", f"http://127.0.0.1:{rig.port}", "--json"]

        def log(*more):
            return json.loads(rig.holdfast("log", "requests", *url, *more).stdout)["requests"]
        rows = log()
        self.assertEqual({e["rules"] for e in rows}, {"tapscript", "covenants", "mine", ""})
        signed, refused = [e for e in rows if e["status"] == 200], [e for e in rows if e["status"] == 400]
        self.assertTrue(signed and all(e["signed"] == 1 and e["input"] == "0" for e in signed))
        unknown = [e for e in refused if not e["rules"]]
        self.assertTrue(unknown and all("does not sign under this rule set" in e["text"] and e["input"] == "" for e in unknown))
        self.assertTrue(all(e["input"] == "0" for e in refused if e["rules"]))
        self.assertEqual(log("--limit", "2"), rows[:2])
        self.assertEqual(log("--before", str(rows[1]["row"])), rows[2:])
        self.assertEqual(log("--since", f"@{rows[0]['time'] + 1000}"), [])
        self.assertEqual(log("--since", f"@{rows[-1]['time']}"), rows)
        self.assertEqual(len(log("--since", "1h")), len(rows))
        self.assertIn("covenants", rig.holdfast("log", "requests", *url[:2]).stdout)
        rig.seal()
        rig.kill_enclave()
        rig.options["rules"] = "tapscript"                  # a service keeps the sets of its genesis, whatever is configured later
        rig.start_enclave()
        rig.wait_phase("serving")
        self.assertEqual(log(), rows)
        self.stated(rig, texts)

    def test_the_earlier_profile_refuses_what_it_cannot_bind(self):
        rig, key = made(self, rules="lnhance,apo,cat")
        self.stated(rig, ["lnhance", "apo", "cat"])

        def spend(leaf, items=()):
            root = model.leaf_hash(bytes.fromhex(leaf))
            return r.spend("5120" + model.emulated_key(key, root).hex(), script=leaf, parity=r.parity(model, root), items=items)
        words = "The script rests on the internal key, which this service's profile does not bind: UNBOUND_"
        self.refused(rig, spend(KEY_LEAF), words + "INTERNALKEY")
        self.refused(rig, spend(APO_LEAF), words + "ANYPREVOUT", rules="apo")
        self.refused(rig, spend(APO_LEAF), "DISCOURAGE_UPGRADABLE_PUBKEYTYPE")
        self.signs(rig, key, spend("002101" + r.INTERNAL + "ac91"), None, rules="apo")
        self.signs(rig, key, spend(CAT_LEAF, CAT_ITEMS), None, rules="cat")
        self.signs(rig, key, spend("51"), None)
        for bad in ({"internal_key": r.INTERNAL}, {"rules": "tapscript"}):
            self.assertEqual(rig.request("POST", "/address", {"network": "regtest", "tree": "51", **bad})[0], 422, bad)
        one = json.loads(rig.request("POST", "/address", {"network": "regtest", "tree": "51", "rules": "cat"})[2])
        self.assertEqual(one["script_pubkey"], "5120" + model.emulated_key(key, model.leaf_hash(b"\x51")).hex())

    def test_what_is_no_rule_set_is_no_configuration(self):
        rig = r.Rig(BUILD, options={"rules": "tapscript,cat+ctv"})
        self.addCleanup(rig.close)
        rig.start_enclave(wait=False)
        self.assertNotEqual(rig.wait_end(20), 0)
        self.assertIn("[service] rules", rig.enclave.text())


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root (loop device, mounts)")
        sys.exit(77)
    unittest.main(verbosity=2)
