"""The key tree of docs/wire.md, computed again: for tests that search memory for keys, and for those of derivation."""
import hashlib
import hmac
import struct

SALT = b"holdfast/1"
PROFILES = ["reproducible-key", "confidential-script-1", "confidential-script-2", "holdfast-1"]
N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141      # order of secp256k1
P = 2 ** 256 - 2 ** 224 + 2 ** 192 + 2 ** 96 - 1                               # field of P-256
B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b


def hkdf(ikm, salt, info, n=32):
    key = hmac.new(salt, ikm, hashlib.sha256).digest()
    out, block = b"", b""
    for i in range(1, (n + 31) // 32 + 1):
        block = hmac.new(key, block + info + bytes([i]), hashlib.sha256).digest()
        out += block
    return out[:n]


def var(b):
    return struct.pack("<I", len(b)) + b


def nums_x(profile, blockhash):
    """(counter, x) of the point that KMS is asked for; blockhash as displayed."""
    order = {"reproducible-key": b"", "confidential-script-1": blockhash}.get(profile, blockhash[::-1])
    counter = 0
    while True:
        x = hashlib.sha256(b"This is a P-256 NUMS key for KMS" + order + struct.pack(">I", counter)).digest()
        v = int.from_bytes(x, "big")
        if v < P and pow(v ** 3 - 3 * v + B, (P - 1) // 2, P) in (0, 1):
            return counter, x
        counter += 1


def master(profile, z, arn, blockhash, epoch=1, policy=bytes(32)):
    if profile == "confidential-script-2":
        z = hkdf(z, b"confidential-script-salt", b"confidential-script-setup")
    elif profile == "holdfast-1":
        z = hkdf(z, SALT, b"master" + var(arn.encode()) + blockhash[::-1] + struct.pack("<I", epoch) + policy)
    k = int.from_bytes(z, "big")
    return (k if 0 < k < N else 1).to_bytes(32, "big")      # counting up from 0, or from N through 2^256, ends at 1


def build_root(z, arn, blockhash):
    return hkdf(z, SALT, b"build-root" + var(arn.encode()) + blockhash)


def keys(z, service_id, arn, blockhash, epoch=1):
    """{what: 32 bytes} for everything derived from the shared secret z."""
    service_root = hkdf(z, SALT, b"service-root" + service_id)
    out = {"build root": build_root(z, arn, blockhash), "service root": service_root}
    for label in (b"seal", b"log", b"channel", b"audit"):
        out[label.decode() + " key"] = hkdf(service_root, SALT, b"child" + var(label) + service_id + struct.pack("<I", epoch))
    return out
