"""Seeds of head, manifest and store_link, built from docs/wire/seal.md and link.md."""
import struct

CHUNK = 16384


def var(data):
    return struct.pack("<I", len(data)) + data


def heads():
    begin = b"hf-head\n" + struct.pack("<I32sI", 2, b"S" * 32, 1)
    yield begin + struct.pack("<Q", 0) + 3 * (var(b"") + bytes(32))
    full = (begin + struct.pack("<Q", 31) + var(b"g000000000000001f-0011aaff.manifest") + b"m" * 32
            + var(b"record-0123456789abcdef") + b"r" * 32)
    yield full + var(b"") + bytes(32)
    yield full + var(b"log-0000000000000100-0123456789abcdef") + b"l" * 32


def manifest(generation, image, entries, packs):
    salt = b"s" * 32
    data = b"hf-list\n" + struct.pack("<I32sIQ", 1, b"S" * 32, 1, generation) + salt
    data += (bytes(32) if generation == 1 else b"p" * 32) + b"r" * 32
    data += struct.pack("<QQQIII", 1700000000, 0, image * CHUNK, CHUNK, len(entries), len(packs))
    for pack_generation, chunks in packs:
        own = salt if pack_generation == generation else b"t" * 32
        data += struct.pack("<QQQ", pack_generation, image * CHUNK, 100 + chunks * CHUNK) + own
    for index, pack, slot in entries:
        data += struct.pack("<IIQ16s", index, pack, 100 + slot * CHUNK, b"t" * 16)
    return data + b"T" * 16


def manifests():
    yield manifest(1, 4, [], [])
    yield manifest(1, 4, [(0, 0, 0), (3, 0, 1)], [(1, 2)])
    yield manifest(7, 9, [(0, 0, 0), (2, 1, 0), (3, 0, 2), (5, 2, 0), (8, 1, 1)], [(2, 3), (5, 2), (7, 1)])
    yield b"hf-pack\n" + struct.pack("<I32sIQ", 1, b"S" * 32, 1, 7) + b"s" * 32 + struct.pack("<IQ", CHUNK, 9 * CHUNK)


def frame(kind, seq, body=b""):
    return struct.pack("<IHH", len(body), kind, seq) + body


def answers():
    head, get, listed = 3, 1, 2          # 3 asks 3 % 3, then 1; so its first answer is a head's
    yield bytes([head]) + frame(0x103, 1, b"\1" + var(b"head")) + frame(0x108 + 1, 2, struct.pack("<Q", 0))
    yield bytes([get]) + frame(0x106, 1, b"abc") + frame(0x106, 1, b"d") + frame(0x109, 1, struct.pack("<Q", 4))
    yield bytes([listed]) + frame(0x10B, 1, struct.pack("<IB", 3, 1))
    yield bytes([get]) + frame(0xFFFF, 1, b"\6")


SEEDS = {"head": heads, "manifest": manifests, "store_link": answers}
