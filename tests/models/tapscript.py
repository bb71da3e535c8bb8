"""A second tapscript interpreter, after the texts of BIP341, 342, 65, 112, 118, 119, 347, 348, 349, 442 and 446.

It shares no code with the engine in C, and is written for reading, not for speed: stacks are lists of bytes,
a failure is an exception. Every rule not active on the network is on. run() gives what the engine must give.
"""
import hashlib

from bip341_verify import (Wrong, leaf_hash, out_bytes, schnorr_verify, sha256, tagged, with_size)

NAMES = {
    "1NEGATE": 0x4F, "RESERVED": 0x50, "NOP": 0x61, "IF": 0x63, "NOTIF": 0x64, "VERIF": 0x65, "VERNOTIF": 0x66, "ELSE": 0x67,
    "ENDIF": 0x68, "VERIFY": 0x69, "RETURN": 0x6A, "TOALT": 0x6B, "FROMALT": 0x6C, "2DROP": 0x6D, "2DUP": 0x6E,
    "3DUP": 0x6F, "2OVER": 0x70, "2ROT": 0x71, "2SWAP": 0x72, "IFDUP": 0x73, "DEPTH": 0x74, "DROP": 0x75, "DUP": 0x76,
    "NIP": 0x77, "OVER": 0x78, "PICK": 0x79, "ROLL": 0x7A, "ROT": 0x7B, "SWAP": 0x7C, "TUCK": 0x7D, "CAT": 0x7E,
    "SIZE": 0x82, "EQUAL": 0x87, "EQUALVERIFY": 0x88, "1ADD": 0x8B, "1SUB": 0x8C, "NEGATE": 0x8F, "ABS": 0x90,
    "NOT": 0x91, "0NOTEQUAL": 0x92, "ADD": 0x93, "SUB": 0x94, "BOOLAND": 0x9A, "BOOLOR": 0x9B, "NUMEQUAL": 0x9C,
    "NUMEQUALVERIFY": 0x9D, "NUMNOTEQUAL": 0x9E, "LESSTHAN": 0x9F, "GREATERTHAN": 0xA0, "LESSTHANOREQUAL": 0xA1,
    "GREATERTHANOREQUAL": 0xA2, "MIN": 0xA3, "MAX": 0xA4, "WITHIN": 0xA5, "RIPEMD160": 0xA6, "SHA1": 0xA7,
    "SHA256": 0xA8, "HASH160": 0xA9, "HASH256": 0xAA, "CODESEPARATOR": 0xAB, "CHECKSIG": 0xAC, "CHECKSIGVERIFY": 0xAD,
    "CHECKMULTISIG": 0xAE, "CHECKMULTISIGVERIFY": 0xAF, "NOP1": 0xB0, "CLTV": 0xB1, "CSV": 0xB2, "CTV": 0xB3, "NOP5": 0xB4,
    "NOP10": 0xB9, "CHECKSIGADD": 0xBA, "INTERNALKEY": 0xCB, "CSFS": 0xCC, "PAIRCOMMIT": 0xCD, "TEMPLATEHASH": 0xCE,
}
DEFINED = {0x7E, 0xCB, 0xCC, 0xCD, 0xCE}
SUCCESS = ({80, 98, 137, 138, 141, 142} | set(range(126, 130)) | set(range(131, 135)) | set(range(149, 154))
           | set(range(187, 255))) - DEFINED


class Fails(Exception):
    """The script does not allow the spend."""


def need(yes, why):
    if not yes:
        raise Fails(why)


def decode(script):
    """The instructions as (opcode, data or None); the last is (None, None) when it is cut off."""
    at = 0
    while at < len(script):
        op = script[at]
        at += 1
        data = None
        if op <= 0x4E:
            width = {0x4C: 1, 0x4D: 2, 0x4E: 4}.get(op, 0)
            size = int.from_bytes(script[at:at + width], "little") if width else op
            cut = at + width > len(script) or at + width + size > len(script)
            data = script[at + width:at + width + size]
            at += width + size
            if cut:
                yield None, None
                return
        yield op, data


def number(b, most=4):
    need(len(b) <= most, "a number too long")
    n = int.from_bytes(b, "little")
    if b and b[-1] & 0x80:
        n = -(n - (0x80 << 8 * (len(b) - 1)))
    return n


def encode(n):
    b = b""
    left = abs(n)
    while left:
        b += bytes([left & 0xFF])
        left >>= 8
    if b and b[-1] & 0x80:
        b += b"\0"
    if n < 0:
        b = b[:-1] + bytes([b[-1] | 0x80])
    return b


def truth(b):
    return any(b[:-1]) or (len(b) > 0 and b[-1] not in (0, 0x80))


class Spend:
    """One input of a transaction, by script path."""

    def __init__(self, tx, spent, index, script, internal, annex):
        self.tx, self.spent, self.index, self.script = tx, spent, index, script
        self.internal, self.annex = internal, annex
        self.leaf = leaf_hash(script)
        self.this = tx["in"][index]

    def head(self):
        return self.tx["version"].to_bytes(4, "little", signed=True) + self.tx["locktime"].to_bytes(4, "little")

    def all_sequences(self):
        return sha256(b"".join(i["sequence"].to_bytes(4, "little") for i in self.tx["in"]))

    def all_outputs(self):
        return sha256(b"".join(out_bytes(o) for o in self.tx["out"]))

    def annex_hash(self):
        return sha256(with_size(self.annex)) if self.annex is not None else b""

    def sighash(self, hash_type, codesep, version):
        """BIP342's message for key version 0, BIP118's for 1."""
        high, kind = hash_type & 0xC0, hash_type & 3
        known = [0, 1, 2, 3, 0x81, 0x82, 0x83] + ([0x41, 0x42, 0x43, 0xC1, 0xC2, 0xC3] if version else [])
        need(hash_type in known, "an unknown hash type")
        need(kind != 3 or self.index < len(self.tx["out"]), "SINGLE without an output")
        outpoint = lambda i: i["txid"] + i["vout"].to_bytes(4, "little")
        b = bytes([0, hash_type]) + self.head()
        if high == 0:
            b += sha256(b"".join(outpoint(i) for i in self.tx["in"]))
            b += sha256(b"".join(o["value"].to_bytes(8, "little") for o in self.spent))
            b += sha256(b"".join(with_size(o["script"]) for o in self.spent)) + self.all_sequences()
        b += self.all_outputs() if kind not in (2, 3) else b""
        b += bytes([2 + (self.annex is not None)])
        if high == 0:
            b += self.index.to_bytes(4, "little")
        else:
            b += outpoint(self.this) if high == 0x80 else b""
            b += out_bytes(self.spent[self.index]) if high != 0xC0 else b""
            b += self.this["sequence"].to_bytes(4, "little")
        b += self.annex_hash()
        b += sha256(out_bytes(self.tx["out"][self.index])) if kind == 3 else b""
        b += self.leaf if high != 0xC0 else b""
        return tagged("TapSighash", b + bytes([version]) + codesep.to_bytes(4, "little"))

    def template_ctv(self):
        sigs = [i["script_sig"] for i in self.tx["in"]]
        b = self.head() + (sha256(b"".join(with_size(s) for s in sigs)) if any(sigs) else b"")
        b += len(sigs).to_bytes(4, "little") + self.all_sequences()
        b += len(self.tx["out"]).to_bytes(4, "little") + self.all_outputs() + self.index.to_bytes(4, "little")
        return sha256(b)

    def template_446(self):
        b = self.head() + self.all_sequences() + self.all_outputs() + bytes([self.annex is not None])
        return tagged("TemplateHash", b + self.index.to_bytes(4, "little") + self.annex_hash())


class Machine:
    def __init__(self, spend, stack, budget):
        self.spend, self.stack, self.budget = spend, list(stack), budget
        self.alt, self.ifs, self.codesep, self.at = [], [], 0xFFFFFFFF, 0

    def pop(self, count=1):
        need(len(self.stack) >= count, "the stack is too short")
        taken = self.stack[len(self.stack) - count:]
        del self.stack[len(self.stack) - count:]
        return taken if count > 1 else taken[0]

    def push(self, *items):
        self.stack.extend(items)

    def numbers(self, count):
        taken = self.pop(count)
        return [number(b) for b in (taken if count > 1 else [taken])]

    def one_schnorr(self, sig, key, version):
        need(len(sig) in (64, 65) and not (len(sig) == 65 and sig[64] == 0), "a signature's form")
        digest = self.spend.sighash(sig[64] if len(sig) == 65 else 0, self.codesep, version)
        need(schnorr_verify(key, digest, sig[:64]), "a wrong signature")

    def spend_weight(self, sig):
        if sig:
            self.budget -= 50
            need(self.budget >= 0, "too many signatures for the witness")

    def checksig(self, sig, key):
        self.spend_weight(sig)
        need(len(key) > 0, "an empty key")
        if sig and len(key) == 32:
            self.one_schnorr(sig, key, 0)
        elif sig and key == b"\x01":
            self.one_schnorr(sig, self.spend.internal, 1)
        elif sig and len(key) == 33 and key[0] == 1:
            self.one_schnorr(sig, key[1:], 1)
        return bool(sig)

    def csfs(self):
        sig, msg, key = self.pop(3)
        self.spend_weight(sig)
        need(len(key) > 0, "an empty key")
        if sig and len(key) == 32:
            need(schnorr_verify(key, msg, sig), "a wrong signature")
        self.push(b"\x01" if sig else b"")

    def condition(self, turn):
        taken = False
        if all(self.ifs):
            c = self.pop()
            need(c in (b"", b"\x01"), "a condition that is neither empty nor 1")
            taken = truth(c) != turn
        self.ifs.append(taken)

    def locktime(self):
        n, have = number(self.top(), 5), self.spend.tx["locktime"]
        need(n >= 0 and (n < 500000000) == (have < 500000000) and n <= have, "the lock time")
        need(self.spend.this["sequence"] != 0xFFFFFFFF, "a final sequence")

    def sequence(self):
        n, have = number(self.top(), 5), self.spend.this["sequence"]
        need(n >= 0, "a negative sequence")
        if n & 1 << 31:
            return
        need(self.spend.tx["version"] % 2**32 >= 2 and not have & 1 << 31, "a sequence that is off")
        need((n & 1 << 22) == (have & 1 << 22) and n & 0xFFFF <= have & 0xFFFF, "the sequence")

    def top(self):
        need(self.stack, "the stack is empty")
        return self.stack[-1]

    def template(self):
        if len(self.top()) == 32:
            need(self.top() == self.spend.template_ctv(), "another template")

    def pick(self, remove):
        need(len(self.stack) >= 2, "the stack is too short")
        n = self.numbers(1)[0]
        need(0 <= n < len(self.stack), "no such place")
        b = self.stack[-1 - n]
        if remove:
            del self.stack[-1 - n]
        self.push(b)

    def cat(self):
        a, b = self.pop(2)
        need(len(a + b) <= 520, "an element too long")
        self.push(a + b)

    def shuffle(self, count, order):
        taken = self.pop(count) if count > 1 else [self.pop()]
        self.push(*[taken[i] for i in order])

    def arithmetic(self, op):
        one = {0x8B: lambda a: a + 1, 0x8C: lambda a: a - 1, 0x8F: lambda a: -a, 0x90: abs, 0x91: lambda a: a == 0,
               0x92: lambda a: a != 0}
        two = {0x93: lambda a, b: a + b, 0x94: lambda a, b: a - b, 0x9A: lambda a, b: a != 0 and b != 0,
               0x9B: lambda a, b: a != 0 or b != 0, 0x9C: lambda a, b: a == b, 0x9D: lambda a, b: a == b,
               0x9E: lambda a, b: a != b, 0x9F: lambda a, b: a < b, 0xA0: lambda a, b: a > b, 0xA1: lambda a, b: a <= b,
               0xA2: lambda a, b: a >= b, 0xA3: min, 0xA4: max}
        if op in one:
            value = one[op](*self.numbers(1))
        elif op in two:
            value = two[op](*self.numbers(2))
        else:
            x, low, high = self.numbers(3)
            value = low <= x < high
        if op == 0x9D:
            need(value, "NUMEQUALVERIFY")
        else:
            self.push(encode(int(value)))

    def hash(self, op):
        b = self.pop()
        rip = lambda x: hashlib.new("ripemd160", x).digest()
        self.push({0xA6: rip, 0xA7: lambda x: hashlib.sha1(x).digest(), 0xA8: sha256, 0xA9: lambda x: rip(sha256(x)),
                   0xAA: lambda x: sha256(sha256(x))}[op](b))

    SHUFFLES = {0x6D: (2, ""), 0x6E: (2, "0101"), 0x6F: (3, "012012"), 0x70: (4, "012301"), 0x71: (6, "234501"),
                0x72: (4, "2301"), 0x75: (1, ""), 0x76: (1, "00"), 0x77: (2, "1"), 0x78: (2, "010"), 0x7B: (3, "120"),
                0x7C: (2, "10"), 0x7D: (2, "101")}

    def check(self, op):
        sig, key = self.pop(2)
        yes = self.checksig(sig, key)
        if op == 0xAD:
            need(yes, "CHECKSIGVERIFY")
        else:
            self.push(b"\x01" if yes else b"")

    def check_add(self):
        sig, n, key = self.pop(3)
        n = number(n)
        self.push(encode(n + self.checksig(sig, key)))

    def equal(self, op):
        a, b = self.pop(2)
        if op == 0x88:
            need(a == b, "EQUALVERIFY")
        else:
            self.push(b"\x01" if a == b else b"")

    def pair_commit(self):
        a, b = self.pop(2)
        self.push(tagged("PairCommit", with_size(a) + with_size(b)))

    def alt_pop(self):
        need(self.alt, "the alt stack is empty")
        self.push(self.alt.pop())

    def step(self, op, data):
        """One instruction that is executed."""
        if data is not None:
            self.push(data)
        elif op == 0x4F or 0x51 <= op <= 0x60:
            self.push(encode(op - 0x50))
        elif op in self.SHUFFLES:
            count, order = self.SHUFFLES[op]
            self.shuffle(count, [int(c) for c in order])
        elif 0x8B <= op <= 0xA5:
            self.arithmetic(op)
        elif 0xA6 <= op <= 0xAA:
            self.hash(op)
        elif op in (0x61, 0xB0) or 0xB4 <= op <= 0xB9:
            pass
        else:
            need(op in self.REST, "no such opcode")
            self.REST[op](self)

    def verify_top(self):
        need(truth(self.pop()), "VERIFY")

    def fail(self):
        raise Fails("RETURN, or CHECKMULTISIG")

    def if_dup(self):
        self.push(*([self.top()] if truth(self.top()) else []))

    def separate(self):
        self.codesep = self.at

    REST = {
        0x69: verify_top, 0x6A: fail, 0xAE: fail, 0xAF: fail, 0x6B: lambda m: m.alt.append(m.pop()), 0x6C: alt_pop,
        0x73: if_dup, 0x74: lambda m: m.push(encode(len(m.stack))), 0x79: lambda m: m.pick(False),
        0x7A: lambda m: m.pick(True), 0x7E: cat, 0x82: lambda m: m.push(encode(len(m.top()))),
        0x87: lambda m: m.equal(0x87), 0x88: lambda m: m.equal(0x88), 0xAB: separate, 0xAC: lambda m: m.check(0xAC),
        0xAD: lambda m: m.check(0xAD), 0xB1: locktime, 0xB2: sequence, 0xB3: template, 0xBA: check_add,
        0xCB: lambda m: m.push(m.spend.internal), 0xCC: csfs, 0xCD: pair_commit,
        0xCE: lambda m: m.push(m.spend.template_446()),
    }

    def instruction(self, op, data):
        need(op is not None, "a push that is cut off")
        need(data is None or len(data) <= 520, "an element too long")
        if op in (0x63, 0x64):
            self.condition(op == 0x64)
        elif op in (0x65, 0x66):
            raise Fails("VERIF")
        elif op == 0x67:
            need(self.ifs, "ELSE without IF")
            self.ifs[-1] = not self.ifs[-1]
        elif op == 0x68:
            need(self.ifs, "ENDIF without IF")
            self.ifs.pop()
        elif all(self.ifs):
            self.step(op, data)
        need(len(self.stack) + len(self.alt) <= 1000, "the stack is too long")
        self.at += 1


def run(spend, items, witness_size):
    """None when the spend is allowed, else why not."""
    try:
        for op, _ in decode(spend.script):
            need(op is not None, "a push that is cut off")
            if op in SUCCESS:
                return None
        need(len(items) <= 1000 and all(len(i) <= 520 for i in items), "the first stack")
        m = Machine(spend, items, 50 + witness_size)
        for op, data in decode(spend.script):
            m.instruction(op, data)
        need(not m.ifs, "an IF without ENDIF")
        need(len(m.stack) == 1, "not one element at the end")
        need(truth(m.stack[0]), "false at the end")
    except (Fails, Wrong) as why:
        return str(why)
    return None
