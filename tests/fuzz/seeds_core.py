"""Seeds of core's fuzz targets."""
import struct


def frame(kind, body=b"", seq=0, length=None):
    return struct.pack("<IHH", len(body) if length is None else length, kind, seq) + body


def frames():
    work = frame(2, struct.pack("<I", 5) + b"hello", 7)
    for serve in (b"\0", b"\1"):
        yield serve + frame(1) + work + work + frame(3, b"bye")
        yield serve + frame(3)
        yield serve + work                                  # early
        yield serve + frame(1) + frame(1)                   # repeated
        yield serve + frame(1) + frame(2, b"abc")           # short
        yield serve + frame(1) + frame(2, b"x" * 65)        # long
        yield serve + frame(1) + frame(2, b"x" * 81)        # longer than the room
        yield serve + frame(1, length=0xffffffff)
        yield serve + frame(9)                              # not permitted
        yield serve + work[:9]                              # cut
    yield b"\1"


def conf():
    yield b"[web]\nname = box\ncount=100\non = yes ; really\n[seal]\r\ninterval = 2h\r\nsize: 1G\n"
    yield b"# nothing\n"
    yield b"[web]\ncuont = 5\n"
    yield b"[web]\ncount = 5\ncount = 6\n"
    yield b"[web\n"
    yield b"\xef\xbb\xbf[seal]\nsize = 18446744073709551615\n"
    yield b"[web]\n  more\n"
    yield b"[web]\nname = " + b"x" * 300


SEEDS = {"frames": frames, "conf": conf}
