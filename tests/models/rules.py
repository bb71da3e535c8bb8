#!/usr/bin/env python3
"""Rule sets, written from docs/wire/rules.md and with none of the signer's code.

  rules.py SPEC         prints the set's encoding and id; SPEC is NAME=OPCODE+... or a name of NAMED
"""
import hashlib
import struct
import sys

BIPS = {"apo": 118, "ctv": 119, "cat": 347, "csfs": 348, "internalkey": 349, "paircommit": 442, "templatehash": 446}
CAPS = (4_000_000, 4_000_000, 80_000, 1 << 30, 520_000)
NAMED = {"tapscript": (), "covenants": ("cat", "ctv", "csfs"), "lnhance": ("ctv", "csfs", "internalkey", "paircommit"),
         "rebindable": ("templatehash", "csfs", "internalkey"), **{name: (name,) for name in BIPS}}


def encode(name, opcodes=(), version=1, caps=CAPS):
    text = name.encode("ascii")
    numbers = sorted(BIPS[o] for o in opcodes)
    return (b"HFRS" + struct.pack("<HI", 1, len(text)) + text + struct.pack("<HH", version, len(numbers))
            + b"".join(struct.pack("<H", n) for n in numbers) + struct.pack("<5Q", *caps))


def rules_id(encoded):
    tag = hashlib.sha256(b"holdfast/ruleset").digest()
    return hashlib.sha256(tag + tag + encoded).digest()


def of_text(spec):
    name, _, opcodes = spec.partition("=")
    return encode(name, opcodes.split("+") if opcodes else NAMED[name])


if __name__ == "__main__":
    print(of_text(sys.argv[1]).hex())
    print(rules_id(of_text(sys.argv[1])).hex())
