"""Seeds of the targets grant, announce and record, made by the models."""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "models"))
import grant as model
import rules
from keyring_model import var

ARN = "arn:aws:kms:eu-central-1:444455556666:key/fedcba98-7654-3210-fedc-ba9876543210"
OLD = "arn:aws:kms:us-east-1:111122223333:key/01234567-89ab-cdef-0123-456789abcdef"


def grant():
    service = bytes(range(32))
    terms = {f: b"\x22" * n for f, n in model.SIZES.items()}
    terms |= {"epoch": 7, "service": service, "log_number": 1, "log_size": 100, "log_root": b"\x55" * 32}
    for key, arn in ((model.build_key(model.build_scalar(b"\x09" * 32, service)), ARN), (model.build_key(b"\x01" * 32), "a")):
        yield model.make(terms | {"build_key": key, "arn": arn}, b"\1" * 32, b"\2" * 32, b"\3" * 32)


def announce():
    for findings in (0, 1 << 13):
        yield model.announcement(bytes(range(32)), b"\2" * 33, ARN, findings)
    yield b"HFA1\2\0\0\0"


def record():
    """Two that the genesis's own key opens, and one after an upgrade."""
    made = b"\1" + var(b"testnet4") + var(b"genesis") + struct.pack("<III", 1, 2, 3) + b"\xee" * 32
    for point, check, arn, release in ((bytes(33), bytes(53), OLD, bytes(32)), (b"\2" * 33, made, OLD, bytes(32)), (b"\3" * 33, made, ARN, b"\7" * 32)):
        sets = [rules.encode("tapscript"), rules.encode("lnhance", rules.NAMED["lnhance"])][:1 + (release != bytes(32))]
        genesis = var(b"vault") + var(OLD.encode()) + var(b"holdfast-1") + bytes([len(sets)]) + b"".join(map(var, sets)) + b"\xab" * 32 + struct.pack("<BQQ", 1, 400000, 1790000000) + bytes(16)
        genesis += struct.pack("<I", 0) + point + check
        yield b"HFSR" + struct.pack("<HHI", 4, 0, 1) + genesis + b"\2" * 33 + bytes(32) + var(arn.encode()) + point + release + var(b"\5" * 156)


SEEDS = {"grant": grant, "announce": announce, "record": record}
