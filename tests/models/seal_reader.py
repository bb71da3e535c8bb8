#!/usr/bin/env python3
"""Read a sealed copy, from docs/wire/seal.md alone; shares no code with the daemon.

usage: seal_reader.py DIR                      the clear parts: head, manifest, completeness
       seal_reader.py DIR --key HEX -o IMAGE   open everything and write the image (slow: AES in Python)
       seal_reader.py --selftest               the ciphers against published vectors

DIR is a store's folder (DIR/head, DIR/objects/NAME). Exit status 1 when something does not fit.
"""
import argparse
import hashlib
import hmac
import os
import re
import struct
import sys

CHUNK = 16384
PACK_HEAD = 100


class Wrong(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Wrong(why)


# ---- AES-256-GCM, by the book (FIPS 197, SP 800-38D) ----

def _sbox():
    box, p, q = [0] * 256, 1, 1
    while True:
        p ^= (p << 1) ^ (0x11B if p & 0x80 else 0)
        p &= 0xFF
        for shift in (1, 2, 4):
            q ^= q << shift
        q &= 0xFF
        if q & 0x80:
            q ^= 0x09
        x = q
        for shift in (1, 2, 3, 4):
            x ^= ((q << shift) | (q >> (8 - shift))) & 0xFF
        box[p] = x ^ 0x63
        if p == 1:
            box[0] = 0x63
            return box


SBOX = _sbox()
DOUBLE = [(x << 1) ^ (0x11B if x & 0x80 else 0) for x in range(256)]
# One table per column position: SubBytes, ShiftRows' byte and MixColumns in one look-up.
T0 = [(DOUBLE[s] << 24) | (s << 16) | (s << 8) | (DOUBLE[s] ^ s) for s in SBOX]
T1 = [((t >> 8) | (t << 24)) & 0xFFFFFFFF for t in T0]
T2 = [((t >> 16) | (t << 16)) & 0xFFFFFFFF for t in T0]
T3 = [((t >> 24) | (t << 8)) & 0xFFFFFFFF for t in T0]


class Aes256:
    def __init__(self, key):
        w = list(struct.unpack(">8I", key))
        rcon = 1
        for i in range(8, 60):
            t = w[i - 1]
            if i % 8 == 0:
                t = ((t << 8) | (t >> 24)) & 0xFFFFFFFF
            if i % 4 == 0:
                t = (SBOX[t >> 24] << 24) | (SBOX[t >> 16 & 255] << 16) | (SBOX[t >> 8 & 255] << 8) | SBOX[t & 255]
            if i % 8 == 0:
                t ^= rcon << 24
                rcon = DOUBLE[rcon]
            w.append(w[i - 8] ^ t)
        self.w = w

    def block(self, a, b, c, d):
        w = self.w
        a, b, c, d = a ^ w[0], b ^ w[1], c ^ w[2], d ^ w[3]
        for i in range(4, 56, 4):
            a, b, c, d = (
                T0[a >> 24] ^ T1[b >> 16 & 255] ^ T2[c >> 8 & 255] ^ T3[d & 255] ^ w[i],
                T0[b >> 24] ^ T1[c >> 16 & 255] ^ T2[d >> 8 & 255] ^ T3[a & 255] ^ w[i + 1],
                T0[c >> 24] ^ T1[d >> 16 & 255] ^ T2[a >> 8 & 255] ^ T3[b & 255] ^ w[i + 2],
                T0[d >> 24] ^ T1[a >> 16 & 255] ^ T2[b >> 8 & 255] ^ T3[c & 255] ^ w[i + 3])
        out = []
        for i, (p, q, r, s) in enumerate(((a, b, c, d), (b, c, d, a), (c, d, a, b), (d, a, b, c))):
            out.append(((SBOX[p >> 24] << 24) | (SBOX[q >> 16 & 255] << 16) | (SBOX[r >> 8 & 255] << 8)
                        | SBOX[s & 255]) ^ w[56 + i])
        return out


class Gcm:
    def __init__(self, key):
        self.aes = Aes256(key)
        h = int.from_bytes(struct.pack(">4I", *self.aes.block(0, 0, 0, 0)), "big")
        # table[i][v]: byte i of the operand with value v, times h
        powers, x = [], h
        for _ in range(128):
            powers.append(x)
            x = (x >> 1) ^ (0xE1 << 120 if x & 1 else 0)
        self.table = []
        for i in range(16):
            row = [0] * 256
            for v in range(1, 256):
                low = v & -v
                row[v] = row[v ^ low] ^ powers[8 * i + 7 - (low.bit_length() - 1)]
            self.table.append(row)

    def ghash(self, aad, text):
        y = 0
        table = self.table
        for part in (aad, text):
            for at in range(0, len(part), 16):
                y ^= int.from_bytes(part[at:at + 16].ljust(16, b"\0"), "big")
                z = 0
                for i, v in enumerate(y.to_bytes(16, "big")):
                    z ^= table[i][v]
                y = z
        y ^= (len(aad) * 8 << 64) | len(text) * 8
        z = 0
        for i, v in enumerate(y.to_bytes(16, "big")):
            z ^= table[i][v]
        return z

    def stream(self, nonce, n, counter):
        a, b, c = struct.unpack(">3I", nonce)
        out = bytearray()
        while len(out) < n:
            out += struct.pack(">4I", *self.aes.block(a, b, c, counter))
            counter += 1
        return bytes(out[:n])

    def open(self, nonce, aad, sealed, tag, what):
        mask = int.from_bytes(self.stream(nonce, 16, 1), "big")
        want = (self.ghash(aad, sealed) ^ mask).to_bytes(16, "big")
        need(hmac.compare_digest(want, tag), "%s does not verify" % what)
        key = self.stream(nonce, len(sealed), 2)
        return (int.from_bytes(sealed, "big") ^ int.from_bytes(key, "big")).to_bytes(len(sealed), "big")


def hkdf(ikm, salt, info):
    """RFC 5869 with SHA-256, 32 bytes out: one block."""
    prk = hmac.new(salt, ikm, hashlib.sha256).digest()
    return hmac.new(prk, info + b"\1", hashlib.sha256).digest()


# ---- the formats ----

class Reader:
    def __init__(self, data, what):
        self.data, self.at, self.what = data, 0, what

    def take(self, n):
        need(self.at + n <= len(self.data), "%s is cut short" % self.what)
        self.at += n
        return self.data[self.at - n:self.at]

    def u32(self):
        return struct.unpack("<I", self.take(4))[0]

    def u64(self):
        return struct.unpack("<Q", self.take(8))[0]

    def var(self):
        return self.take(self.u32())

    def begin(self, magic, format=1):
        need(self.take(8) == magic, "not a %s" % self.what)
        version = self.u32()
        need(version == format, "%s of format %d" % (self.what, version))

    def end(self):
        need(self.at == len(self.data), "%s has bytes behind its end" % self.what)


def stem(generation, salt):
    return "g%016x-%s" % (generation, salt[:4].hex())


def read_head(data):
    r = Reader(data, "head")
    r.begin(b"hf-head\n", 2)
    h = dict(service=r.take(32), epoch=r.u32(), generation=r.u64(), manifest=r.var().decode("ascii"),
             manifest_sha256=r.take(32), record=r.var().decode("ascii"), record_sha256=r.take(32),
             log=r.var().decode("ascii"), log_sha256=r.take(32))
    r.end()
    if h["log"] == "":
        need(not any(h["log_sha256"]), "no log, and a hash of one")
    else:
        need(re.fullmatch("log-[0-9a-f]{16}-[0-9a-f]{16}", h["log"]), "the head's log segment")
    if h["generation"] == 0:
        need(h["manifest"] == "" and h["record"] == "" and h["log"] == "", "an unfinished first generation with objects")
        need(not any(h["manifest_sha256"] + h["record_sha256"]), "an unfinished first generation with hashes")
    else:
        need(re.fullmatch("g%016x-[0-9a-f]{8}\\.manifest" % h["generation"], h["manifest"]), "the head's manifest")
        need(re.fullmatch("record-[0-9a-f]{16}", h["record"]), "the head's record")
    return h


def chunks_of(size):
    need(size > 0 and size % CHUNK == 0 and size // CHUNK <= 1 << 22, "image size %d" % size)
    return size // CHUNK


def read_manifest(data):
    r = Reader(data, "manifest")
    r.begin(b"hf-list\n")
    m = dict(service=r.take(32), epoch=r.u32(), generation=r.u64(), salt=r.take(32), previous=r.take(32),
             record=r.take(32), time=r.u64(), log_position=r.u64(), image_size=r.u64())
    need(r.u32() == CHUNK, "chunk size")
    m["stored"], count = r.u32(), r.u32()
    need(m["generation"] > 0, "a manifest of generation 0")
    need((m["generation"] == 1) == (not any(m["previous"])), "predecessor")
    need(m["stored"] <= chunks_of(m["image_size"]) and count <= 1024, "counts")
    m["packs"], last = [], 0
    for _ in range(count):
        p = dict(generation=r.u64(), image_size=r.u64(), size=r.u64(), salt=r.take(32))
        k, rest = divmod(p["size"] - PACK_HEAD, CHUNK)
        need(last < p["generation"] <= m["generation"], "order of packs")
        need(rest == 0 and 1 <= k <= chunks_of(p["image_size"]), "size of a pack")
        need(p["generation"] != m["generation"] or p["salt"] == m["salt"], "salt of the own pack")
        last = p["generation"]
        p["name"] = stem(p["generation"], p["salt"]) + ".pack"
        m["packs"].append(p)
    m["clear"] = data[:r.at]
    m["sealed"], m["tag"] = r.take(32 * m["stored"]), r.take(16)
    r.end()
    return m


def read_pack_head(data):
    r = Reader(data, "pack")
    r.begin(b"hf-pack\n")
    h = dict(service=r.take(32), epoch=r.u32(), generation=r.u64(), salt=r.take(32))
    need(r.u32() == CHUNK, "chunk size of a pack")
    h["image_size"] = r.u64()
    return h


class Store:
    def __init__(self, folder):
        self.folder = folder

    def head(self):
        with open(os.path.join(self.folder, "head"), "rb") as f:
            return f.read()

    def get(self, name):
        path = os.path.join(self.folder, "objects", name)
        need(os.path.isfile(path), "%s is missing" % name)
        with open(path, "rb") as f:
            return f.read()

    def size(self, name):
        path = os.path.join(self.folder, "objects", name)
        need(os.path.isfile(path), "%s is missing" % name)
        return os.path.getsize(path)


def structure(store):
    """Everything that can be checked without a key. Returns head and manifest (None: not yet)."""
    head = read_head(store.head())
    if head["generation"] == 0:
        return head, None
    record, raw = store.get(head["record"]), store.get(head["manifest"])
    need(hashlib.sha256(record).digest() == head["record_sha256"], "the record's hash")
    need(hashlib.sha256(raw).digest() == head["manifest_sha256"], "the manifest's hash")
    m = read_manifest(raw)
    need(m["service"] == head["service"] and m["epoch"] == head["epoch"], "service and epoch of the manifest")
    need(m["generation"] == head["generation"], "generation of the manifest")
    need(m["record"] == head["record_sha256"], "record of the manifest")
    need(stem(m["generation"], m["salt"]) + ".manifest" == head["manifest"], "name of the manifest")
    for p in m["packs"]:
        need(store.size(p["name"]) == p["size"], "size of %s" % p["name"])
    return head, m


def bound(m, generation):
    return m["service"] + struct.pack("<IQ", m["epoch"], generation)


def open_image(store, m, key):
    """Yield (index, bytes) of every stored chunk."""
    gcm = Gcm(hkdf(key, m["salt"], b"holdfast/1 manifest" + bound(m, m["generation"])))
    table = gcm.open(bytes(12), m["clear"], m["sealed"], m["tag"], "the manifest")
    entries = [struct.unpack("<IIQ16s", table[i:i + 32]) for i in range(0, len(table), 32)]
    need(all(a[0] < b[0] for a, b in zip(entries, entries[1:])), "order of chunks")
    need(not entries or entries[-1][0] < chunks_of(m["image_size"]), "chunk outside the image")
    need(all(e[1] < len(m["packs"]) for e in entries), "pack of a chunk")
    for number, p in enumerate(m["packs"]):
        data = store.get(p["name"])
        h = read_pack_head(data)
        need((h["service"], h["epoch"], h["generation"], h["salt"], h["image_size"])
             == (m["service"], m["epoch"], p["generation"], p["salt"], p["image_size"]), "header of %s" % p["name"])
        gcm = Gcm(hkdf(key, p["salt"], b"holdfast/1 pack" + bound(m, p["generation"])))
        mine, end = [e for e in entries if e[1] == number], PACK_HEAD
        need(mine, "%s is needed for nothing" % p["name"])
        for index, _, offset, tag in mine:
            need(offset >= end and (offset - PACK_HEAD) % CHUNK == 0 and offset < p["size"], "place of chunk %d" % index)
            end = offset + CHUNK
            aad = bound(m, p["generation"]) + struct.pack("<IIQ", index, CHUNK, p["image_size"])
            nonce = struct.pack("<IQ", index, 0)
            yield index, gcm.open(nonce, aad, data[offset:end], tag, "chunk %d" % index)


def selftest():
    # FIPS 197 C.3; SP 800-38D's validation set (AES-256, 96-bit nonce); RFC 5869 A.1's PRK.
    aes = Aes256(bytes(range(32)))
    got = struct.pack(">4I", *aes.block(0x00112233, 0x44556677, 0x8899AABB, 0xCCDDEEFF)).hex()
    assert got == "8ea2b7ca516745bfeafc49904b496089", got
    key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
    nonce = bytes.fromhex("cafebabefacedbaddecaf888")
    aad = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    sealed = bytes.fromhex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                           "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662")
    plain = bytes.fromhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                          "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
    tag = bytes.fromhex("76fc6ece0f4e1768cddf8853bb2d551b")
    assert Gcm(key).open(nonce, aad, sealed, tag, "vector") == plain
    try:
        Gcm(key).open(nonce, aad[:-1], sealed, tag, "vector")
        raise AssertionError("accepted other associated data")
    except Wrong:
        pass
    prk = hmac.new(bytes(range(13)), b"\x0b" * 22, hashlib.sha256).hexdigest()
    assert prk == "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"
    okm = hkdf(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)))
    assert okm.hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
    print("selftest: ok")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("dir", nargs="?")
    a.add_argument("--key")
    a.add_argument("-o", dest="out")
    a.add_argument("--selftest", action="store_true")
    args = a.parse_args()
    if args.selftest:
        return selftest()
    if not args.dir:
        a.error("DIR is missing")
    try:
        store = Store(args.dir)
        head, m = structure(store)
        print("service %s epoch %d generation %d" % (head["service"].hex(), head["epoch"], head["generation"]))
        if not m:
            return print("the first generation is being made")
        print("time %d log %d image %d stored %d packs %d" % (m["time"], m["log_position"], m["image_size"],
                                                               m["stored"], len(m["packs"])))
        if args.key:
            count = 0
            with open(args.out or os.devnull, "wb") as f:
                f.truncate(m["image_size"])
                for index, data in open_image(store, m, bytes.fromhex(args.key)):
                    f.seek(index * CHUNK)
                    f.write(data)
                    count += 1
            print("opened %d chunks" % count)
    except Wrong as why:
        print("wrong: %s" % why, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
