#!/usr/bin/env python3
"""Read a service's log out of a store's folder, from docs/wire/log.md alone; shares no code with the daemon.

usage: log_reader.py DIR [--key HEX]   list the entries; with the log's public key, check each segment's signature
       log_reader.py --selftest        Ed25519 against a published vector

DIR is a store's folder (DIR/head, DIR/objects/NAME). Exit status 1 when something does not fit.
"""
import argparse
import hashlib
import os
import re
import struct
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import merkle

MAGIC, LABEL = b"hf-tail\n", b"holdfast/1 log segment"
NAME = re.compile(r"log-([0-9a-f]{16})-[0-9a-f]{16}\Z")
NONE = bytes(32)
NO_BOOT = 2 ** 64 - 1


class Wrong(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Wrong(why)


# ---- Ed25519, verification by the equations (RFC 8032, 5.1) ----

P = 2 ** 255 - 19
Q = 2 ** 252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def _add(a, b):
    """Affine addition on the twisted Edwards curve; slow and plain."""
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P


def _times(n, point):
    sum_ = (0, 1)
    while n:
        if n & 1:
            sum_ = _add(sum_, point)
        point, n = _add(point, point), n >> 1
    return sum_


def _point(text):
    y = int.from_bytes(text, "little")
    sign, y = y >> 255, y & (2 ** 255 - 1)
    need(y < P, "a point that is none")
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    need((x * x - square) % P == 0 and not (x == 0 and sign), "a point that is none")
    return (x if x & 1 == sign else P - x), y


BASE = _point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def verifies(key, signature, message):
    try:
        a, r = _point(key), _point(signature[:32])
    except Wrong:
        return False
    s = int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % Q
    return len(signature) == 64 and s < Q and _times(s, BASE) == _add(r, _times(h, a))


# ---- bytes ----

class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        need(n <= len(self.data) - self.at, "it ends early")
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "little")

    def var(self, least=0, most=2 ** 32):
        n = self.number(4)
        need(least <= n <= most, "a length of %d" % n)
        return self.take(n)

    def end(self):
        need(self.at == len(self.data), "bytes behind the end")


def var(data):
    return struct.pack("<I", len(data)) + data


# ---- entries ----

def _boot(r):
    return {"pcr": [r.take(48).hex() for _ in range(3)], "simulated": r.number(1), "random": r.take(32).hex(), "generation": r.number(8),
            "manifest": r.take(32).hex(), "release": r.take(32).hex(), "previous": r.number(8)}


def _signed(r):
    return {"document": r.var(), "signatures": [r.var() for _ in range(r.number(4))]}


REST = {
    1: ("genesis", lambda r: {"document": r.var()}),
    2: ("boot", _boot),
    3: ("seal", lambda r: {"generation": r.number(8), "manifest": r.take(32).hex(), "epoch": r.number(4)}),
    4: ("policy", _signed), 5: ("release", _signed), 6: ("veto", _signed),
    7: ("grant", lambda r: {"release": r.take(32).hex(), "build": r.take(32).hex(), "grant": r.take(32).hex()}),
    8: ("rollback", lambda r: {"known": r.number(8), "generation": r.number(8), "manifest": r.take(32).hex()} | _signed(r)),
    9: ("rekey", lambda r: {"old": r.number(4), "new": r.number(4)}),
    10: ("reopen", lambda r: {"number": r.number(4), "size": r.number(8), "root": r.take(32).hex()}),
}


def entry(data):
    """{"kind", "time", ...}; a kind or version of another time is shown as such."""
    r = Reader(data)
    kind, version, time = r.number(1), r.number(1), r.number(8)
    if kind not in REST or version != 1:
        return {"kind": "%d, version %d" % (kind, version), "time": time}
    name, rest = REST[kind]
    shown = {"kind": name, "time": time} | rest(r)
    r.end()
    return shown


# ---- segments ----

def segment(data):
    r = Reader(data)
    need(r.take(8) == MAGIC and r.number(4) == 1, "no segment of this format")
    s = {"service": r.take(32), "epoch": r.number(4), "number": r.number(4), "from": r.number(8), "previous": r.var(0, 39).decode(), "previous_sha256": r.take(32)}
    s["before"] = [r.take(32) for _ in range(bin(s["from"]).count("1"))]
    count = r.number(4)
    need(1 <= count <= 256 and s["epoch"] > 0, "no epoch, or %d entries" % count)
    s["entries"] = [r.var(1, 131072) for _ in range(count)]
    s["state"] = r.var(0, 262144)
    s["message"] = LABEL + hashlib.sha256(data[:r.at]).digest()
    s["signature"] = r.take(64)
    r.end()
    if s["from"] == 0:
        need(s["previous"] == "" and s["previous_sha256"] == NONE, "the first segment names one before it")
    else:
        need(NAME.match(s["previous"]), "what comes before has no name of a segment")
    return s


def write_segment(s, signature=bytes(64)):
    """The inverse, for seeds and tests; the signature is the caller's."""
    return (MAGIC + struct.pack("<I", 1) + s["service"] + struct.pack("<IIQ", s["epoch"], s["number"], s["from"]) + var(s["previous"].encode()) + s["previous_sha256"]
            + b"".join(s["before"]) + struct.pack("<I", len(s["entries"])) + b"".join(map(var, s["entries"])) + var(s["state"]) + signature)


def subtrees(entries):
    """The roots of whole subtrees that a tree of these entries consists of, the largest first."""
    roots = []
    while entries:
        k = 1 << (len(entries).bit_length() - 1)
        roots.append(merkle.root(entries[:k]))
        entries = entries[k:]
    return roots


def tail_of(head):
    """Name and hash of the newest segment, as the head has them (docs/wire/seal.md, Head)."""
    r = Reader(head)
    need(r.take(8) == b"hf-head\n" and r.number(4) == 2, "no head of this format")
    r.take(32 + 4 + 8)
    r.var(), r.take(32), r.var(), r.take(32)
    found = r.var().decode(), r.take(32)
    r.end()
    return found


def read(folder, key=None):
    """All entries, the oldest first, and the newest segment. With a key, each segment must be signed by it."""
    def object_(name):
        need(NAME.match(name), "`%s` is no name of a segment" % name)
        with open(os.path.join(folder, "objects", name), "rb") as f:
            return f.read()

    with open(os.path.join(folder, "head"), "rb") as f:
        name, want = tail_of(f.read())
    chain = []
    while name:
        data = object_(name)
        need(hashlib.sha256(data).digest() == want, name + " is not what names it says")
        s = segment(data)
        need(int(NAME.match(name).group(1), 16) == s["from"], name + " begins elsewhere")
        need(key is None or verifies(key, s["signature"], s["message"]), name + " is not signed by the log")
        chain.insert(0, s)
        name, want = s["previous"], s["previous_sha256"]
    entries = []
    for s in chain:
        need(s["from"] == len(entries) and s["before"] == subtrees(entries), "a segment that another log is before")
        need((s["service"], s["number"]) == (chain[-1]["service"], chain[-1]["number"]), "a segment of another log")
        entries += s["entries"]
    return entries, chain[-1] if chain else None


def selftest():
    # RFC 8032, 7.1, TEST 2
    key = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
    need(verifies(key, signature, b"\x72"), "a good signature is refused")
    for bad in (b"\x73", b""):
        need(not verifies(key, signature, bad), "a signature over something else is taken")
    need(not verifies(key, signature[:32] + (int.from_bytes(signature[32:], "little") + Q).to_bytes(32, "little"), b"\x72"), "a second form of a signature is taken")
    need(not verifies(bytes.fromhex("00" * 32), signature, b"\x72"), "another key is taken")


    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, "objects"))
        written = [b"%d" % i for i in range(300)]
        name, sha = "", NONE
        for part in (written[:256], written[256:]):
            at = 256 if name else 0
            data = write_segment({"service": bytes(32), "epoch": 1, "number": 0, "from": at, "previous": name, "previous_sha256": sha, "before": subtrees(written[:at]), "entries": part, "state": b"s"})
            name, sha = "log-%016x-%016x" % (at, 1), hashlib.sha256(data).digest()
            with open(os.path.join(folder, "objects", name), "wb") as f:
                f.write(data)
        with open(os.path.join(folder, "head"), "wb") as f:
            f.write(b"hf-head\n" + struct.pack("<I", 2) + bytes(44) + (var(b"") + NONE) * 2 + var(name.encode()) + sha)
        entries, tail = read(folder)
        need(entries == written and tail["from"] == 256, "a chain of two segments reads otherwise")
        try:
            read(folder, key)
        except Wrong:
            return
        raise Wrong("unsigned segments are taken")


def main():
    a = argparse.ArgumentParser()
    a.add_argument("dir", nargs="?")
    a.add_argument("--key")
    a.add_argument("--selftest", action="store_true")
    o = a.parse_args()
    try:
        if o.selftest:
            return selftest()
        entries, tail = read(o.dir, bytes.fromhex(o.key) if o.key else None)
        for i, e in enumerate(entries):
            print(i, {k: v.hex() if isinstance(v, bytes) else v for k, v in entry(e).items()})
        print("size", len(entries), "root", merkle.root(entries).hex(), "log number", tail["number"] if tail else 0)
    except (Wrong, OSError) as why:
        print("log_reader:", why, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
