"""A store's folder, as its parent can reach into it: shares no code with the daemon, only the readers written from docs/wire."""
import hashlib
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "models"))
import log_reader
import seal_reader

CHUNK, PACK_HEAD = seal_reader.CHUNK, seal_reader.PACK_HEAD
SERVICE_AT, EPOCH_AT, GENERATION_AT = 12, 44, 48      # the same in packs, manifests and heads; the first two in log segments, too
RECORD_EPOCH_AT = 8
NONE = bytes(32)


def sha(data):
    return hashlib.sha256(data).digest()


def flipped(data, at):
    """`data` with one bit changed in the byte at `at` (negative: from the end)."""
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]


def with_u32(data, at, value):
    return data[:at] + struct.pack("<I", value) + data[at + 4:]


def epoch_of(data, at=EPOCH_AT):
    return struct.unpack_from("<I", data, at)[0]


def write_head(h):
    """The inverse of seal_reader.read_head()."""
    var = log_reader.var
    return (b"hf-head\n" + struct.pack("<I", 2) + h["service"] + struct.pack("<IQ", h["epoch"], h["generation"]) + var(h["manifest"].encode()) + h["manifest_sha256"]
            + var(h["record"].encode()) + h["record_sha256"] + var(h["log"].encode()) + h["log_sha256"])


class Store:
    """DIR/head and DIR/objects/NAME. Objects of the newest generation go by what they are: `record`, `manifest`, `log`, `pack`."""

    def __init__(self, folder):
        self.folder = folder

    def read(self, *parts):
        with open(os.path.join(self.folder, *parts), "rb") as f:
            return f.read()

    def write(self, data, *parts):
        with open(os.path.join(self.folder, *parts), "wb") as f:
            f.write(data)

    def head(self):
        return seal_reader.read_head(self.read("head"))

    def set_head(self, **changes):
        self.write(write_head(self.head() | changes), "head")

    def name(self, what):
        if what != "pack":
            return self.head()[what]
        # The newest manifest's own pack: every chunk in it is needed, which without a key is known of no other.
        packs = seal_reader.read_manifest(self.get("manifest"))["packs"]
        own = [p["name"] for p in packs if p["generation"] == self.head()["generation"]]
        if not own:
            raise ValueError("the newest generation has no pack of its own: seal one in which something changed")
        return own[0]

    def longest_pack(self):
        """The name of the longest one that the newest generation needs something of."""
        return max(seal_reader.read_manifest(self.get("manifest"))["packs"], key=lambda p: p["size"])["name"]

    def older(self, what):
        """The names of this kind in all kept generations but the newest, the oldest first."""
        ending = "." + what
        return sorted(n for n in os.listdir(os.path.join(self.folder, "objects")) if n.endswith(ending) and n != self.name(what))

    def get(self, what):
        return self.object(self.name(what))

    def object(self, name):
        return self.read("objects", name)

    def put(self, what, data, rehash=False):
        """Put other bytes in an object's place. `rehash`: the parent lies thoroughly, and the head's hash fits."""
        self.write(data, "objects", self.name(what))
        if rehash:
            self.set_head(**{what + "_sha256": sha(data)})

    def remove(self, what):
        os.remove(os.path.join(self.folder, "objects", self.name(what)))

    def everything(self):
        """{path: SHA-256} of all that is kept, to tell whether anything was written."""
        found = {}
        for place, _, files in os.walk(self.folder):
            found |= {os.path.relpath(os.path.join(place, f), self.folder): sha(self.read(place, f)) for f in files}
        return found
