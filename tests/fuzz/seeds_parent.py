"""Seeds of parent's fuzz targets."""
import struct

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


SEEDS = {"link": link, "egress": egress}
