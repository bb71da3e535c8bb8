"""A service's log as the parent keeps it, written from docs/wire/log.md alone: entries, segments, checkpoints. openssl signs."""
import base64
import hashlib
import os
import struct
import subprocess

import merkle

(GENESIS, BOOT, SEAL, POLICY, RELEASE, VETO, GRANT, ROLLBACK, REKEY, REOPEN) = range(1, 11)


def var(b):
    return struct.pack("<I", len(b)) + b


def head(kind, time):
    return struct.pack("<BBQ", kind, 1, time)


def signed(document, signatures):
    return var(document) + struct.pack("<I", len(signatures)) + b"".join(var(s) for s in signatures)


def genesis(time, document):
    return head(GENESIS, time) + var(document)


def boot(time, generation, manifest=bytes(32), previous=2 ** 64 - 1, pcrs=b"\5" * 144, simulated=1, release=bytes(32)):
    return head(BOOT, time) + pcrs + bytes([simulated]) + b"\7" * 32 + struct.pack("<Q", generation) + manifest + release + struct.pack("<Q", previous)


def seal(time, generation, manifest, epoch=1):
    return head(SEAL, time) + struct.pack("<Q", generation) + manifest + struct.pack("<I", epoch)


def paper(kind, time, document, signatures):
    return head(kind, time) + signed(document, signatures)


def grant(time, release):
    return head(GRANT, time) + release + bytes(64)


def rollback(time, known, generation, manifest, permit=b"", signatures=()):
    return head(ROLLBACK, time) + struct.pack("<QQ", known, generation) + manifest + signed(permit, signatures)


class Key:
    def __init__(self, folder):
        self.path = os.path.join(folder, "log-%s.pem" % os.urandom(4).hex())
        self.folder = folder
        subprocess.run(["openssl", "genpkey", "-algorithm", "ED25519", "-out", self.path], check=True, capture_output=True)
        self.public = subprocess.run(["openssl", "pkey", "-in", self.path, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout[-32:]

    def sign(self, data):
        path = os.path.join(self.folder, "text-" + os.urandom(8).hex())
        with open(path, "wb") as f:
            f.write(data)
        out = subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", self.path, "-rawin", "-in", path], check=True, capture_output=True).stdout
        os.unlink(path)
        return out


def before(entries):
    """The roots of whole subtrees of this size, the largest first."""
    out, at = b"", 0
    for level in reversed(range(len(entries).bit_length())):
        if len(entries) >> level & 1:
            out += merkle.root(entries[at:at + 2 ** level])
            at += 2 ** level
    return out


class Log:
    def __init__(self, folder, document=b'{"name":"vault"}', number=0, key=None):
        self.key, self.number, self.entries = key or Key(folder), number, []
        self.service = hashlib.sha256(document).digest()
        self.document = document
        self.origin = "holdfast/" + self.service.hex() + ("/%d" % number if number else "")
        self.id = hashlib.sha256(self.origin.encode() + b"\n\x01" + self.key.public).digest()[:4]
        self.vkey = f"{self.origin}+{self.id.hex()}+{base64.b64encode(bytes([1]) + self.key.public).decode()}"

    def segments(self, cut, salts=None):
        """As objects (name, bytes), each of at most `cut` entries; the last one is the tail."""
        out, name, digest = [], "", bytes(32)
        for at in range(0, len(self.entries), cut):
            part = self.entries[at:at + cut]
            data = b"hf-tail\n" + struct.pack("<I", 1) + self.service + struct.pack("<IIQ", 1, self.number, at) + var(name.encode()) + digest
            data += before(self.entries[:at]) + struct.pack("<I", len(part)) + b"".join(var(e) for e in part) + var(b"state")
            data += self.key.sign(b"holdfast/1 log segment" + hashlib.sha256(data).digest())
            name = "log-%016x-%s" % (at, hashlib.sha256(data).hexdigest()[:16])
            digest = hashlib.sha256(data).digest()
            out.append((name, data))
        return out

    def note(self, size=None):
        size = len(self.entries) if size is None else size
        text = f"{self.origin}\n{size}\n{base64.b64encode(merkle.root(self.entries[:size])).decode()}\n".encode()
        return text + b"\n" + f"\u2014 {self.origin} {base64.b64encode(self.id + self.key.sign(text)).decode()}\n".encode()

    def answer(self, start=0, limit=2 ** 40):
        return {"size": len(self.entries), "from": start, "entries": [base64.b64encode(e).decode() for e in self.entries[start:start + limit]]}

    def proof(self, old, size):
        return {"hashes": [base64.b64encode(h).decode() for h in (merkle.proof(old, self.entries[:size]) if 0 < old < size else [])]}


def store(folder, log, cut=4, generation=1):
    """A store whose head names the log; its manifest and record are there by name only."""
    os.makedirs(os.path.join(folder, "objects"), exist_ok=True)
    for name, data in log.segments(cut):
        with open(os.path.join(folder, "objects", name), "wb") as f:
            f.write(data)
    raw = b"hf-head\n" + struct.pack("<I", 2) + log.service + struct.pack("<IQ", 1, generation)
    raw += var(b"g%016x-00000000.manifest" % generation) + bytes(32) + var(b"record-0000000000000001") + bytes(32) + var(name.encode()) + hashlib.sha256(data).digest()
    with open(os.path.join(folder, "head"), "wb") as f:
        f.write(raw)
    return name
