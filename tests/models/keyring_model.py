"""The key tree of docs/wire.md, computed again: for tests that search memory for keys."""
import hashlib
import hmac
import struct


def hkdf(ikm, salt, info, n=32):
    key = hmac.new(salt, ikm, hashlib.sha256).digest()
    out, block = b"", b""
    for i in range(1, (n + 31) // 32 + 1):
        block = hmac.new(key, block + info + bytes([i]), hashlib.sha256).digest()
        out += block
    return out[:n]


def var(b):
    return struct.pack("<I", len(b)) + b


def keys(z, service_id, arn, blockhash, epoch=1):
    """{what: 32 bytes} for everything derived from the shared secret z."""
    salt = b"holdfast/1"
    service_root = hkdf(z, salt, b"service-root" + service_id)
    out = {"build root": hkdf(z, salt, b"build-root" + var(arn.encode()) + blockhash), "service root": service_root}
    for label in (b"seal", b"log", b"channel", b"audit"):
        out[label.decode() + " key"] = hkdf(service_root, salt, b"child" + var(label) + service_id + struct.pack("<I", epoch))
    return out
