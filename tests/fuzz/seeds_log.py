"""Seeds of the targets entry and tail, made by the model."""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "models"))
from log_reader import NO_BOOT, subtrees, var, write_segment


def one(kind, rest, version=1):
    return struct.pack("<BBQ", kind, version, 1790000000) + rest


def signed(count=2):
    return var(b'{"type":"policy"}') + struct.pack("<I", count) + (var(b"a signature") + var(b"")) * (count // 2)


def entry():
    yield one(1, var(b"{}"))
    yield one(2, b"\7" * 144 + b"\1" + b"\2" * 32 + struct.pack("<Q", 4) + b"\3" * 32 + bytes(32) + struct.pack("<Q", NO_BOOT))
    yield one(3, struct.pack("<Q", 5) + b"\3" * 32 + struct.pack("<I", 1))
    for kind in (4, 5, 6):
        yield one(kind, signed())
    yield one(4, signed(66))
    yield one(7, b"\4" * 32 + b"\5" * 32 + b"\6" * 32)
    yield one(8, struct.pack("<QQ", 9, 5) + b"\7" * 32 + signed())
    yield one(8, struct.pack("<QQ", 9, 5) + b"\7" * 32 + var(b"") + bytes(4))
    yield one(9, struct.pack("<II", 1, 2))
    yield one(10, struct.pack("<IQ", 1, 77) + b"\10" * 32)
    yield one(1, var(b"{}"), version=2)
    yield one(11, b"")


def tail():
    some = list(entry())[:3]
    first = {"service": b"\x11" * 32, "epoch": 1, "number": 0, "from": 0, "previous": "", "previous_sha256": bytes(32), "before": [], "entries": some, "state": b""}
    yield write_segment(first)
    yield write_segment(first | {"entries": [b"x"] * 256, "state": b"a state"})
    yield write_segment(first | {"entries": [b"x"] * 257})
    yield write_segment(first | {"entries": []})
    yield write_segment(first | {"entries": [b""]})
    for size in (1, 256, 256 + 255):
        yield write_segment(first | {"number": 1, "from": size, "previous": "log-%016x-0123456789abcdef" % (size // 2), "previous_sha256": b"\x22" * 32,
                                     "before": subtrees([b"x"] * size), "state": b"s" * 9}, b"\x33" * 64)
    yield write_segment(first | {"from": 2 ** 62, "previous": "log-0000000000000000-0123456789abcdef", "before": [b"\x44" * 32]})


SEEDS = {"entry": entry, "tail": tail}
