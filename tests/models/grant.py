"""Grants and announcements as docs/wire/grant.md says, read and made by a second implementation.

usage: grant.py BUILD_SECRET FILE    opens a grant with the build's X25519 scalar (64 hex) and tells what it is for;
       grant.py ROOT SERVICE FILE    the same, from the build root and the service id"""
import hashlib
import json
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hpke
import keyring_model

INFO = b"holdfast/1 grant"
FIELDS = ["release", "pcr0", "pcr1", "pcr2", "blockhash", "record"]
SIZES = {"release": 32, "pcr0": 48, "pcr1": 48, "pcr2": 48, "blockhash": 32, "record": 32}


def build_scalar(build_root, service_id):
    return keyring_model.hkdf(build_root, keyring_model.SALT, b"build-key" + service_id)


def build_key(scalar):
    return hpke.x25519(scalar, hpke.BASE)


def clear(terms):
    """The clear part, from a dictionary of terms."""
    head = b"HFGR" + struct.pack("<HHI", 1, 0, terms["epoch"]) + terms["service"] + terms["build_key"]
    head += b"".join(terms[f] for f in FIELDS)
    head += struct.pack("<IQ", terms["log_number"], terms["log_size"]) + terms["log_root"]
    return head + keyring_model.var(terms["arn"].encode())


def read(grant):
    """(terms, how long the clear part is)."""
    if grant[:4] != b"HFGR" or struct.unpack("<HH", grant[4:8]) != (1, 0):
        raise hpke.Wrong("not a grant of version 1")
    terms = {"epoch": struct.unpack("<I", grant[8:12])[0], "service": grant[12:44], "build_key": grant[44:76]}
    at = 76
    for f in FIELDS:
        terms[f] = grant[at:at + SIZES[f]]
        at += SIZES[f]
    terms["log_number"], terms["log_size"] = struct.unpack("<IQ", grant[at:at + 12])
    terms["log_root"] = grant[at + 12:at + 44]
    length = struct.unpack("<I", grant[at + 44:at + 48])[0]
    terms["arn"] = grant[at + 48:at + 48 + length].decode()
    at += 48 + length
    if len(grant) != at + 32 + 64 + 16 or not 0 < length < 256 or not terms["epoch"]:
        raise hpke.Wrong("not a grant")
    return terms, at


def make(terms, master, service_root, ephemeral=None):
    head = clear(terms)
    enc, context = hpke.sender(terms["build_key"], INFO, ephemeral)
    return head + enc + context.seal(head, master + service_root)


def unseal(grant, scalar):
    """(terms, master, service root)."""
    terms, at = read(grant)
    if terms["build_key"] != build_key(scalar):
        raise hpke.Wrong("for another build key")
    plain = hpke.receiver(grant[at:at + 32], scalar, INFO).unseal(grant[:at], grant[at + 32:])
    return terms, plain[:32], plain[32:]


def name(key, grant):
    return f"grant-{hashlib.sha256(key).hexdigest()[:16]}-{hashlib.sha256(grant).hexdigest()[:16]}"


# -- the announcement: user_data of an attestation document, whose public_key is the build key ------------------
def announcement(service, public_key, arn, findings=0):
    return b"HFA1" + struct.pack("<HHI", 1, 0, findings) + service + public_key + keyring_model.var(arn.encode())


def main(argv):
    if len(argv) not in (2, 3):
        sys.exit(__doc__)
    scalar = bytes.fromhex(argv[0]) if len(argv) == 2 else build_scalar(bytes.fromhex(argv[0]), bytes.fromhex(argv[1]))
    with open(argv[-1], "rb") as f:
        grant = f.read()
    terms, master, root = unseal(grant, scalar)
    told = {k: v.hex() if isinstance(v, bytes) else v for k, v in terms.items()}
    print(json.dumps(told | {"name": name(terms["build_key"], grant), "master": master.hex(), "service_root": root.hex()}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
