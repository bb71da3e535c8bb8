"""Seeds of parent's fuzz targets."""
import hashlib
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import seeds_documents

(HELLO, READY, HEAD_GET, HEAD, HEAD_PUT, PUT, DATA, PUT_END, GET, GET_END, LIST, LISTED, DONE, ANCHOR, ANCHORED,
 LOG_READ, LOG_ENTRIES, LOG_PROVE, LOG_PROOF) = range(0x100, 0x113)


def frame(kind, body=b"", seq=1, length=None):
    return struct.pack("<IHH", len(body) if length is None else length, kind, seq) + body


def var(b):
    return struct.pack("<I", len(b)) + b


def put(name, data, total=None):
    return frame(PUT, var(name)) + frame(DATA, data) + frame(PUT_END, struct.pack("<Q", len(data) if total is None else total))


def link():
    store = frame(HELLO, b"\1\0\1\0")
    yield store + put(b"a", b"hello") + frame(GET, var(b"a")) + frame(LIST)
    yield store + frame(HEAD_GET) + frame(HEAD_PUT, var(b"") + var(b"one")) + frame(HEAD_PUT, var(b"one") + var(b"two")) + frame(HEAD_GET)
    yield store + put(b"g0000000000000001-00000000.pack", b"x" * 200) + put(b"a", b"y") * 2 + put(b"b", b"z", 2 ** 64 - 1) + frame(GET, var(b"b"))
    yield store + frame(PUT, var(b"a")) + frame(PUT, var(b"b"))
    yield store + frame(DATA, b"x")
    yield store + frame(PUT, var(b"../x"))
    yield store + frame(DATA, b"", length=0xffffffff)
    yield frame(HELLO, b"\1\0\2\0\xbb\1" + var(b"kms.us-east-1.amazonaws.com"))
    yield frame(HELLO, b"\1\0\2\0\x50\0" + var(b"fd00::1"))
    yield frame(HELLO, b"\1\0\2\0\xbb\1" + var(b"evil.example"))
    yield frame(HELLO, b"\2\0\1\0")
    witness = frame(HELLO, b"\1\0\3\0")
    anchor = frame(ANCHOR, struct.pack("<I", 5000) + var(b"a note") + var(b"log-0000000000000000-0123456789abcdef"))
    yield witness + anchor * 2
    yield witness + anchor + frame(HEAD_GET)
    yield store + anchor
    name = var(b"log-0000000000000000-0123456789abcdef")
    yield witness + b"".join(frame(LOG_READ, struct.pack("<QI", n, limit) + name) for n, limit in ((0, 1), (2 ** 64 - 2, 1000), (1, 7), (0, 0)))
    yield witness + b"".join(frame(LOG_PROVE, struct.pack("<BQQ", what, old, size) + name) for what, old, size in ((0, 0, 9), (1, 8, 9), (1, 9, 8), (2, 0, 1)))
    yield witness + frame(LOG_READ, struct.pack("<QI", 0, 1001) + name)
    yield frame(LIST)


def egress():
    yield b"kms.us-east-1.amazonaws.com:443=127.0.0.1:9443, 169.254.169.254:80=unix:/run/x"
    yield b"[fd00:ec2::254]:80,h:1=vsock:3:9"
    yield b",, a:1 ,"
    yield b"a:0"
    yield b"a:1=" + b"b" * 200 + b":1"


COSIGNED = "\u2014 witness.example.com/w1 M+p+CQAAAABqsTuAQx9pSNEDbNH03NXGsTMhlFRUw2cB09bDM/IYylz0dunihFF/Ad8hJ0BHxSOPynvabqdGXoPticWihP0R8XkvAw==\n"


def anchor():
    answer = lambda status, old, sized, body: struct.pack("<HBB", status, old, sized) + body
    yield answer(200, 0, 0, COSIGNED.encode())
    yield answer(200, 0, 0, COSIGNED.encode() * 2)
    yield answer(409, 0, 1, b"20852164\n")
    yield answer(409, 0, 1, b"7\n")
    yield answer(409, 7, 1, b"7\n")
    yield answer(409, 0, 0, b"7\n")
    yield answer(503, 0, 0, b"busy")


def life():
    entries = lambda *all_: b"".join(struct.pack("<H", len(e)) + e for e in all_)
    head = lambda kind, time=1790000000: struct.pack("<BBQ", kind, 1, time)
    boot = lambda generation, manifest, before: head(2) + b"p" * 144 + b"\1" + b"r" * 32 + struct.pack("<Q", generation) + manifest + bytes(32) + struct.pack("<Q", before)
    seal = lambda generation: head(3) + struct.pack("<Q", generation) + b"m" * 32 + struct.pack("<I", 1)
    begin = head(1) + var(b"{}"), boot(0, bytes(32), 2 ** 64 - 1), seal(1)
    yield entries(*begin, boot(1, b"m" * 32, 1), seal(2))
    yield entries(*begin, seal(2), head(8) + struct.pack("<QQ", 2, 1) + b"m" * 32 + var(b"") + bytes(4), boot(1, b"m" * 32, 1))
    yield entries(*begin, head(9) + struct.pack("<II", 1, 2), head(7) + b"g" * 96, head(200))
    yield entries(head(10) + struct.pack("<IQ", 1, 77) + b"r" * 32, boot(7, b"m" * 32, 5), seal(8))
    service = hashlib.sha256(b"{}").hexdigest().encode()
    for document in seeds_documents.document():
        kind = next((k for k, word in ((4, b"-policy"), (5, b"-release"), (6, b"-veto")) if b"holdfast" + word in document), 4)
        yield entries(*begin, head(kind, 1500) + var(document.replace(seeds_documents.HASH.encode(), service, 1)) + bytes(4))


SEEDS = {"link": link, "egress": egress, "anchor": anchor, "life": life}
