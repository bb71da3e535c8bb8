#!/usr/bin/env python3
"""What the enclave signs is worth coins: a real node mines it, and refuses it with any one byte changed.

The outputs are funded and spent on a regtest chain by Debian's bitcoind (bitcoind.py); the signatures
come from the running daemon. The way out without the enclave, the backup path, is walked as well."""
import json
import os
import shutil
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import bip341_verify as model
import bitcoind
import rig as r
import tapscript

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
KEYS = [0x1001, 0x2002]                  # of the script's users: a test's own, worth nothing
INTERNAL = bytes.fromhex(r.INTERNAL)
OPEN = b"\x51"
FEE = 1000


# ---- what a user of these scripts does with his own key ----

def x_only(secret):
    return model.point_mul(secret, model.G)[0].to_bytes(32, "big")


def schnorr_sign(secret, msg):
    """BIP340, with a nonce of the key and the message only."""
    def even(k):
        point = model.point_mul(k, model.G)
        return (k if point[1] % 2 == 0 else model.N - k), point[0].to_bytes(32, "big")
    d, x = even(secret)
    k, rx = even(int.from_bytes(model.tagged("BIP0340/nonce", d.to_bytes(32, "big") + x + msg), "big") % model.N)
    e = int.from_bytes(model.tagged("BIP0340/challenge", rx + x + msg), "big") % model.N
    return rx + ((k + e * d) % model.N).to_bytes(32, "big")


def checksig(secret):
    return b"\x20" + x_only(secret) + b"\xac"


def preimage_leaf(secret_bytes):
    return b"\xa8\x20" + model.sha256(secret_bytes) + b"\x87"


def recovery_leaf(blocks, secret):
    """After so many blocks, this key: <blocks> CSV DROP <key> CHECKSIG."""
    return bytes([0x50 + blocks]) + b"\xb2\x75" + checksig(secret)


class Tree:
    """One or two leaves under an internal key, as BIP341 has it."""

    def __init__(self, internal, *scripts):
        self.internal, self.scripts = internal, scripts
        self.hashes = [model.leaf_hash(s) for s in scripts]
        self.root = model.tree_root(self.hashes)

    def script_pubkey(self):
        return b"\x51\x20" + model.output_key(self.internal, self.root)

    def control(self, which):
        tweak = int.from_bytes(model.tagged("TapTweak", self.internal + self.root), "big")
        q = model.point_add(model.lift_x(int.from_bytes(self.internal, "big")), model.point_mul(tweak, model.G))
        return bytes([0xC0 | q[1] & 1]) + self.internal + b"".join(h for i, h in enumerate(self.hashes) if i != which)

    def witness(self, which, *items):
        return [*items, self.scripts[which], self.control(which)]


class Spend:
    """A transaction in the making: coins, each with its witness, to one output."""

    def __init__(self, *coins):
        self.coins, self.backups = coins, {}
        self.tx = {"version": 2, "locktime": 0, "in": [
            {"txid": bytes.fromhex(c["txid"])[::-1], "vout": c["vout"], "script_sig": b"", "sequence": 0xFFFFFFFD, "witness": []} for c in coins],
            "out": [{"value": sum(c["value"] for c in coins) - FEE, "script": bytes.fromhex("0014") + b"\x33" * 20}]}

    def message(self, n, script, annex=None):
        """What a CHECKSIG in this leaf wants signed: over the coins as they are on chain."""
        return tapscript.Spend(self.tx, self.coins, n, script, None, annex).sighash(0, 0xFFFFFFFF, 0)

    def put(self, n, witness, annex=None):
        self.tx["in"][n]["witness"] = witness + ([annex] if annex is not None else [])

    def hex(self):
        return model.tx_bytes(self.tx).hex()

    def request(self):
        outs = lambda list_: [{"value": o["value"], "script_pubkey": o["script"].hex()} for o in list_]
        ins = [{"previous_output": f"{c['txid']}:{c['vout']}", "script_sig": "", "sequence": i["sequence"],
                "witness": [w.hex() for w in i["witness"]]} for c, i in zip(self.coins, self.tx["in"])]
        return {"emulated_tx_to": {"version": 2, "lock_time": 0, "input": ins, "output": outs(self.tx["out"])},
                "actual_spent_outputs": outs(self.coins),
                "backup_merkle_roots": {str(n): root.hex() for n, root in self.backups.items()}}


class OnChain(unittest.TestCase):
    def refused(self, raw, words=""):
        with self.assertRaisesRegex(bitcoind.Refused, words) as seen:
            CHAIN.mine(raw)
        return seen.exception.words

    def mined(self, spend, raw):
        """The chain takes it, and the coins are gone."""
        for coin in spend.coins:
            self.assertTrue(CHAIN.unspent(coin))
        txid, = CHAIN.mine(raw)
        without_witness = model.tx_bytes(model.tx_from_hex(raw), False)
        self.assertEqual(txid, model.sha256(model.sha256(without_witness))[::-1].hex())
        for coin in spend.coins:
            self.assertFalse(CHAIN.unspent(coin))
        self.assertTrue(CHAIN.unspent({"txid": txid, "vout": 0}))

    def every_byte_counts(self, raw, signatures):
        """No byte of it can be another. Each byte of each signature is refused for the signature itself."""
        whole, reasons = bytes.fromhex(raw), []
        for at in range(len(whole)):
            changed = bytearray(whole)
            changed[at] ^= 1 << at % 8
            reasons.append(self.refused(changed.hex()))
        for s in signatures:
            at = whole.index(s)
            for words in reasons[at:at + len(s)]:
                self.assertRegex(words, "Invalid Schnorr signature")
        return reasons


class Signed(OnChain):
    """Through the running enclave."""

    @classmethod
    def setUpClass(cls):
        cls.rig = r.Rig(BUILD, options={"judges": "1", "size": "16M"})
        try:
            cls.rig.simulator()
            cls.rig.start_parent()
            cls.rig.start_enclave()
            code, _, body = cls.rig.setup()
            assert code == 200, (code, body)
            cls.key = bytes.fromhex(json.loads(cls.rig.get("/public-key")[2])["public_key"])
            assert cls.key.hex() == r.PUBLISHED
        except BaseException:
            cls.rig.close()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.rig.close()

    def address(self, tree, backup=None):
        return b"\x51\x20" + model.emulated_key(self.key, tree.root, backup)

    def sign(self, spend, signed):
        """Returns the enclave's transaction, after the second model has agreed to it."""
        request = spend.request()
        code, _, body = self.rig.sign(request)
        self.assertEqual(code, 200, body)
        answer = json.loads(body)
        self.assertEqual(model.verify_answer(request, answer, self.key), signed)
        return answer["signed_tx"]

    def accepted(self, spend, signed):
        tx = model.tx_from_json(self.sign(spend, signed))
        raw = model.tx_bytes(tx).hex()
        self.refused(spend.hex())                            # as it was asked for, emulated witnesses and all
        self.every_byte_counts(raw, [tx["in"][n]["witness"][0] for n in signed])
        self.mined(spend, raw)
        return tx

    def test_a_plain_spend(self):
        tree = Tree(INTERNAL, checksig(KEYS[0]), OPEN)
        coin, = CHAIN.fund(model, self.address(tree))
        spend = Spend(coin)
        spend.put(0, tree.witness(0, schnorr_sign(KEYS[0], spend.message(0, tree.scripts[0]))))
        self.accepted(spend, [0])

    def test_an_address_made_offline(self):
        args = ["address", "--public-key", r.PUBLISHED, "--script", "51", "--network", "regtest", "--json"]
        address = json.loads(self.rig.holdfast(*args).stdout)["address"]
        known = NODE.call("validateaddress", address)
        self.assertTrue(known["isvalid"])
        tree = Tree(INTERNAL, OPEN)
        self.assertEqual(known["scriptPubKey"], self.address(tree).hex())
        coin = CHAIN.coinbase(NODE.call("generatetoaddress", 1, address)[0])
        spend = Spend(coin | {"script": bytes.fromhex(known["scriptPubKey"])})
        spend.put(0, tree.witness(0))
        tx = self.sign(spend, [0])
        raw = model.tx_bytes(model.tx_from_json(tx)).hex()
        self.refused(raw, "premature-spend-of-coinbase")
        CHAIN.grow(99)
        self.mined(spend, raw)

    def test_with_a_backup_root(self):
        tree, backup = Tree(INTERNAL, OPEN), Tree(INTERNAL, recovery_leaf(5, KEYS[1]), OPEN)
        coin, = CHAIN.fund(model, self.address(tree, backup.root))
        spend = Spend(coin)
        spend.put(0, tree.witness(0))
        spend.backups[0] = backup.root
        self.accepted(spend, [0])

    def test_with_an_annex(self):
        annex, tree = bytes.fromhex("5000") + b"data for the chain", Tree(INTERNAL, checksig(KEYS[0]))
        coin, = CHAIN.fund(model, self.address(tree))
        spend = Spend(coin)
        spend.put(0, tree.witness(0, schnorr_sign(KEYS[0], spend.message(0, tree.scripts[0], annex))), annex)
        tx = self.accepted(spend, [0])
        self.assertEqual(tx["in"][0]["witness"][1], annex)

    def test_several_inputs(self):
        lock, backup = preimage_leaf(b"open"), Tree(INTERNAL, OPEN)
        trees = [Tree(INTERNAL, checksig(KEYS[0])), Tree(x_only(KEYS[1]), OPEN, lock), Tree(INTERNAL, OPEN)]
        coins = CHAIN.fund(model, self.address(trees[0]), self.address(trees[1], backup.root), self.address(trees[2]))
        spend = Spend(*coins)
        spend.backups[1] = backup.root
        spend.put(1, trees[1].witness(1, b"open"))
        spend.put(2, trees[2].witness(0), b"\x50\x00")
        spend.put(0, trees[0].witness(0, schnorr_sign(KEYS[0], spend.message(0, trees[0].scripts[0]))))
        self.accepted(spend, [0, 1, 2])

    def test_real_and_emulated_inputs_together(self):
        emulated, real = Tree(INTERNAL, OPEN), Tree(x_only(KEYS[1]), checksig(KEYS[0]), OPEN)
        secret = Tree(INTERNAL, preimage_leaf(b"for the chain"))
        coins = CHAIN.fund(model, real.script_pubkey(), self.address(emulated), CHAIN.OPEN, secret.script_pubkey())
        spend = Spend(*coins)
        spend.put(1, emulated.witness(0))
        spend.put(0, real.witness(0, schnorr_sign(KEYS[0], spend.message(0, real.scripts[0]))))
        spend.put(3, secret.witness(0, b"for the chain"))
        tx = self.accepted(spend, [1])
        self.assertEqual([tx["in"][n]["witness"] for n in (0, 2, 3)], [spend.tx["in"][n]["witness"] for n in (0, 2, 3)])

    def test_a_wrong_signature_for_a_real_input_is_the_chains_to_refuse(self):
        """The enclave leaves a real input alone: its signature is good, and the transaction is not."""
        emulated, real = Tree(INTERNAL, OPEN), Tree(INTERNAL, checksig(KEYS[0]))
        spend = Spend(*CHAIN.fund(model, self.address(emulated), real.script_pubkey()))
        spend.put(0, emulated.witness(0))
        for key, good in ((KEYS[1], False), (KEYS[0], True)):
            spend.put(1, real.witness(0, schnorr_sign(key, spend.message(1, real.scripts[0]))))
            raw = model.tx_bytes(model.tx_from_json(self.sign(spend, [0]))).hex()
            if good:
                self.mined(spend, raw)
            else:
                self.refused(raw, "Invalid Schnorr signature")

    def test_a_signature_over_an_untrue_amount_is_worth_nothing(self):
        tree = Tree(INTERNAL, OPEN)
        coin, = CHAIN.fund(model, self.address(tree))
        for untrue in (1, 0):
            spend = Spend(coin | {"value": coin["value"] + untrue})
            spend.tx["out"][0]["value"] = coin["value"] - FEE
            spend.put(0, tree.witness(0))
            raw = model.tx_bytes(model.tx_from_json(self.sign(spend, [0]))).hex()
            if untrue:
                self.refused(raw, "Invalid Schnorr signature")
            else:
                self.mined(spend, raw)


class Backup(OnChain):
    """The enclave is gone for ever: its master public key, and the trees, are all there is."""

    def setUp(self):
        master = bytes.fromhex(r.PUBLISHED)
        self.emulated = Tree(INTERNAL, checksig(KEYS[0]))
        self.tree = Tree(model.child_key(master, self.emulated.root)[1:], recovery_leaf(5, KEYS[1]), OPEN)
        self.assertEqual(self.tree.script_pubkey()[2:], model.emulated_key(master, self.emulated.root, self.tree.root))
        self.coin, = CHAIN.fund(model, self.tree.script_pubkey())

    def recover(self, sequence, key):
        spend = Spend(self.coin)
        spend.tx["in"][0]["sequence"] = sequence
        spend.put(0, self.tree.witness(0, schnorr_sign(key, spend.message(0, self.tree.scripts[0]))))
        return spend

    def test_a_recovery_key_after_its_time(self):
        spend = self.recover(5, KEYS[1])
        self.refused(self.recover(4, KEYS[1]).hex(), "Locktime requirement|BIP68")
        CHAIN.grow(3)
        self.refused(spend.hex(), "BIP68")
        CHAIN.grow(1)
        self.refused(self.recover(4, KEYS[1]).hex(), "Locktime requirement")
        self.refused(self.recover(5, KEYS[0]).hex(), "Invalid Schnorr signature")
        self.every_byte_counts(spend.hex(), [spend.tx["in"][0]["witness"][0]])
        self.mined(spend, spend.hex())

    def test_an_open_leaf(self):
        spend = Spend(self.coin)
        control = self.tree.control(1)
        for at in range(len(control)):                       # nothing is signed here: only the way to the leaf is fixed
            spend.put(0, [OPEN, control[:at] + bytes([control[at] ^ 1 << at % 8]) + control[at + 1:]])
            self.refused(spend.hex(), "Witness program")
        spend.put(0, [b"\x52", control])
        self.refused(spend.hex(), "Witness program hash mismatch")
        spend.put(0, self.tree.witness(1))
        self.mined(spend, spend.hex())

    def test_the_emulated_script_is_no_way_on_chain(self):
        spend = Spend(self.coin)
        signature = schnorr_sign(KEYS[0], spend.message(0, self.emulated.scripts[0]))
        spend.put(0, self.emulated.witness(0, signature))
        self.refused(spend.hex(), "Witness program hash mismatch")
        spend.put(0, [self.emulated.witness(0, signature)[0]])
        self.refused(spend.hex(), "Invalid Schnorr signature")
        self.assertTrue(CHAIN.unspent(self.coin))


def setUpModule():
    global NODE, CHAIN
    folder = tempfile.mkdtemp(prefix="holdfast-chain-")
    unittest.addModuleCleanup(shutil.rmtree, folder, ignore_errors=True)
    NODE = bitcoind.Node(WORDS, os.path.join(folder, "node"))
    unittest.addModuleCleanup(NODE.close)
    CHAIN = bitcoind.Chain(NODE)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root (loop device, mounts)")
        sys.exit(77)
    try:
        WORDS = bitcoind.obtain(BUILD)
    except bitcoind.Unavailable as why:
        print(f"skipped: no bitcoind to be had: {why}")
        sys.exit(77)
    unittest.main(verbosity=2)
