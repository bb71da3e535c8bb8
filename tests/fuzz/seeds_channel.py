"""Seeds for the encrypted channel: requests and answers that open, made by the model."""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models"))
import hpke


def seeds():
    key = hpke.x25519(b"\x11" * 32, hpke.BASE)
    for i, (method, path, body) in enumerate((("GET", "/status", b""), ("POST", "/setup", b'{"key_id":"arn"}'), ("GET", "/" + "a" * 127, b""),
                                              ("POST", "/verify-and-sign", b"{" * 300))):
        yield b"\0" + hpke.Ask(key, bytes([i] * 16), 1700000000000 + i, method, path, body, bytes([i + 1] * 32)).bytes
    yield b"\0HFC1" + bytes(58) + b"/" + bytes(16)
    for status, kind, body in ((200, 1, b"{}"), (404, 2, b"none"), (599, 1, b"")):
        head = b"HFR1" + struct.pack("<HBB", status, kind, 0)
        yield b"\1" + head + bytes(range(12)) + hpke.seal(b"\x22" * 32, bytes(range(12)), b"holdfast/1 channel reply" + b"\x33" * 32 + head, body)
    yield b"\2" + bytes([1, 0, 0, 1, 0, 0, 2, 5, 200, 1, 127, 0, 1, 127, 0, 2, 129, 3])


SEEDS = {"channel": seeds}
