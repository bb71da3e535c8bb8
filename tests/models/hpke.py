#!/usr/bin/env python3
"""A second implementation of the encrypted ways in, from the RFCs and the earlier systems' facts, in plain Python.

X25519 (RFC 7748), ChaCha20-Poly1305 (RFC 8439), HKDF (RFC 5869), HPKE base mode (RFC 9180), the channel of
docs/wire/channel.md and the endpoint /secure/verify-and-sign. Slow, and not constant in time: for tests.

usage: hpke.py --selftest | --vectors"""
import hashlib
import hmac
import json
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bip341_verify as secp


class Wrong(Exception):
    """Not authentic, or not of the form."""


# -- X25519 -------------------------------------------------------------------
P = 2**255 - 19


def x25519(scalar, point):
    k = bytearray(scalar)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k = int.from_bytes(k, "little")
    u = int.from_bytes(point, "little") & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a, b * b, d * a, c * b
        e = aa - bb
        x3, z3 = (da + cb)**2 % P, u * (da - cb)**2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


BASE = (9).to_bytes(32, "little")


def agree(scalar, point):
    shared = x25519(scalar, point)
    if shared == bytes(32):
        raise Wrong("a point of small order")
    return shared


# -- ChaCha20-Poly1305 --------------------------------------------------------
MASK = 0xffffffff


def quarter(s, a, b, c, d):
    for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & MASK
        v = s[z] ^ s[x]
        s[z] = (v << n | v >> (32 - n)) & MASK


def block(key, counter, nonce):
    start = list(struct.unpack("<4I8II3I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce))
    s = list(start)
    for _ in range(10):
        for q in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                  (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(s, *q)
    return struct.pack("<16I", *((a + b) & MASK for a, b in zip(s, start)))


def stream(key, nonce, data):
    pad = b"".join(block(key, 1 + i, nonce) for i in range((len(data) + 63) // 64))
    return bytes(a ^ b for a, b in zip(data, pad))


def poly1305(key, data):
    r = int.from_bytes(key[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    acc = 0
    for i in range(0, len(data), 16):
        acc = (acc + int.from_bytes(data[i:i + 16] + b"\1", "little")) * r % (2**130 - 5)
    return ((acc + int.from_bytes(key[16:], "little")) % 2**128).to_bytes(16, "little")


def tag(key, nonce, aad, sealed):
    def pad(b):
        return b + bytes(-len(b) % 16)
    return poly1305(block(key, 0, nonce)[:32], pad(aad) + pad(sealed) + struct.pack("<QQ", len(aad), len(sealed)))


def seal(key, nonce, aad, plain):
    sealed = stream(key, nonce, plain)
    return sealed + tag(key, nonce, aad, sealed)


def unseal(key, nonce, aad, sealed):
    if len(sealed) < 16 or not hmac.compare_digest(tag(key, nonce, aad, sealed[:-16]), sealed[-16:]):
        raise Wrong("not authentic")
    return stream(key, nonce, sealed[:-16])


# -- HKDF and HPKE ------------------------------------------------------------
def extract(salt, ikm):
    return hmac.new(salt or bytes(32), ikm, hashlib.sha256).digest()


def expand(prk, info, length):
    out, t, i = b"", b"", 1
    while len(out) < length:
        t = hmac.new(prk, t + info + bytes([i]), hashlib.sha256).digest()
        out, i = out + t, i + 1
    return out[:length]


KEM, SUITE = b"KEM" + struct.pack(">H", 0x20), b"HPKE" + struct.pack(">HHH", 0x20, 1, 3)


def labeled_extract(suite, salt, label, ikm):
    return extract(salt, b"HPKE-v1" + suite + label + ikm)


def labeled_expand(suite, prk, label, info, length):
    return expand(prk, struct.pack(">H", length) + b"HPKE-v1" + suite + label + info, length)


class Context:
    def __init__(self, dh, enc, to, info):
        shared = labeled_expand(KEM, labeled_extract(KEM, b"", b"eae_prk", dh), b"shared_secret", enc + to, 32)
        context = bytes(1) + labeled_extract(SUITE, b"", b"psk_id_hash", b"") + labeled_extract(SUITE, b"", b"info_hash", info)
        secret = labeled_extract(SUITE, shared, b"secret", b"")
        self.key = labeled_expand(SUITE, secret, b"key", context, 32)
        self.base = labeled_expand(SUITE, secret, b"base_nonce", context, 12)
        self.exporter = labeled_expand(SUITE, secret, b"exp", context, 32)
        self.sequence = 0

    def nonce(self):
        n = bytes(a ^ b for a, b in zip(self.base, self.sequence.to_bytes(12, "big")))
        self.sequence += 1
        return n

    def seal(self, aad, plain):
        return seal(self.key, self.nonce(), aad, plain)

    def unseal(self, aad, sealed):
        return unseal(self.key, self.nonce(), aad, sealed)

    def export(self, context, length=32):
        return labeled_expand(SUITE, self.exporter, b"sec", context, length)


def sender(to, info, ephemeral=None):
    ephemeral = ephemeral or os.urandom(32)
    enc = x25519(ephemeral, BASE)
    return enc, Context(agree(ephemeral, to), enc, to, info)


def receiver(enc, scalar, info):
    return Context(agree(scalar, enc), enc, x25519(scalar, BASE), info)


# -- the channel (docs/wire/channel.md) ---------------------------------------
METHODS, KINDS = {"GET": 1, "POST": 2}, {1: "application/json", 2: "text/plain"}


class Ask:
    """One request to the channel, and the reading of its answer."""

    def __init__(self, key, boot, time_ms, method, path, body=b"", ephemeral=None):
        enc, self.context = sender(key, b"holdfast/1 channel", ephemeral)
        head = b"HFC1" + enc + boot + struct.pack("<QBB", time_ms, METHODS[method], len(path)) + path.encode()
        self.bytes = head + self.context.seal(b"holdfast/1 channel request" + head, body)
        self.reply_key = self.context.export(b"holdfast/1 channel reply")

    def read(self, answer):
        """(status, content type, body) of the one answer."""
        if len(answer) < 36 or answer[:4] != b"HFR1" or answer[7] != 0 or answer[6] not in KINDS:
            raise Wrong("not an answer")
        aad = b"holdfast/1 channel reply" + hashlib.sha256(self.bytes).digest() + answer[:8]
        plain = unseal(self.reply_key, answer[8:20], aad, answer[20:])
        return struct.unpack("<H", answer[4:6])[0], KINDS[answer[6]], plain


# -- /secure/verify-and-sign (the earlier systems') ---------------------------
def secure_key(scalar, public):
    """The key that the owner of `scalar` shares with the owner of the compressed point `public`."""
    point = secp.lift_x(int.from_bytes(public[1:33], "big"))
    if point[1] & 1 != public[0] & 1:
        point = (point[0], secp.P - point[1])
    x, y = secp.point_mul(int.from_bytes(scalar, "big"), point)
    return expand(extract(b"confidential-script-salt", x.to_bytes(32, "big") + y.to_bytes(32, "big")), b"Middleware encryption key", 32)


def secure_seal(key, plain, nonce=None):
    nonce = nonce or os.urandom(12)
    return nonce + seal(key, nonce, b"", plain)


def secure_open(key, data):
    return unseal(key, data[:12], b"", data[12:])


# -- checks -------------------------------------------------------------------
def same(got, want, what):
    if got != (bytes.fromhex(want) if isinstance(want, str) else want):
        raise SystemExit(f"{what}: {got.hex()} instead of {want}")


def selftest():
    # RFC 9180, A.2.1.
    skr = bytes.fromhex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb")
    enc, ctx = sender(x25519(skr, BASE), b"Ode on a Grecian Urn", bytes.fromhex("f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600"))
    same(enc, "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a", "enc")
    same(ctx.seal(b"Count-0", b"Beauty is truth, truth beauty"),
         "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28", "message 0")
    same(ctx.seal(b"Count-1", b"Beauty is truth, truth beauty"),
         "6b53c051e4199c518de79594e1c4ab18b96f081549d45ce015be002090bb119e85285337cc95ba5f59992dc98c", "message 1")
    same(ctx.export(b"TestContext"), "5acb09211139c43b3090489a9da433e8a30ee7188ba8b0a9a1ccf0c229283e53", "export")
    same(receiver(enc, skr, b"Ode on a Grecian Urn").key, ctx.key, "the receiver's key")
    # The earlier systems' endpoint.
    master, client = b"\x01" * 32, b"\x03" * 32
    pub = bytes.fromhex("031b84c5567b126440995d3ed5aaba0565d71e1834604819ff9c17f5e9d5dd078f")
    key = secure_key(client, pub)
    same(key, "87fc0891fa088506eb1f0abf551832e2c6d61bacaab16bca8f792bcbd45240e2", "session key")
    same(secure_key(master, bytes.fromhex("02531fe6068134503d2723133227c867ac8fa6c83c537e9a44c3c5bdbdcb1fe337")), key, "from the other side")
    sealed = secure_seal(key, b'{"hello":"world"}', bytes(range(12)))
    same(sealed, "000102030405060708090a0b30062c06f9fb13c9cd349d78fcec94cbe42e126140aff111f34d02fd904fa0460c", "envelope")
    same(secure_open(key, sealed), b'{"hello":"world"}', "plaintext")
    print("hpke: the model agrees with RFC 9180 and with the published envelope")


def vectors():
    folder = os.environ.get("HOLDFAST_VECTORS") or os.environ.get("HOLDFAST_VECTORS_DIR", "")
    names = [os.path.join(folder, "wycheproof", n) for n in ("x25519_test.json", "chacha20_poly1305_test.json")]
    if not all(map(os.path.exists, names)):
        print(f"skipped: no {names[0]}")
        sys.exit(77)
    count = 0
    with open(names[0]) as f:
        for t in [t for g in json.load(f)["testGroups"] for t in g["tests"]]:
            same(x25519(bytes.fromhex(t["private"]), bytes.fromhex(t["public"])), t["shared"], f"x25519 {t['tcId']}")
            count += 1
    with open(names[1]) as f:
        for t in [t for g in json.load(f)["testGroups"] if g["ivSize"] == 96 for t in g["tests"]]:
            key, iv, aad, msg, ct = (bytes.fromhex(t[n]) for n in ("key", "iv", "aad", "msg", "ct"))
            try:
                good = unseal(key, iv, aad, ct + bytes.fromhex(t["tag"])) == msg
            except Wrong:
                good = False
            if good != (t["result"] == "valid"):
                raise SystemExit(f"chacha20-poly1305 {t['tcId']}: {good}")
            count += 1
    print(f"hpke: {count} vectors")


if __name__ == "__main__":
    {"--selftest": selftest, "--vectors": vectors}.get(sys.argv[1] if len(sys.argv) > 1 else "", lambda: sys.exit(__doc__))()
