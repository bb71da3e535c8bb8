"""A generator for each kind of broken store, and what the daemon has to say about it.

A generator takes a Store that is good and breaks it in one way; those with `other` need a second store beside it: `older` is an earlier copy
of the same service's, `service` another service's. `thorough` in a name: the parent makes the head's hash fit, so that what is found is not the
hash but what the object is bound to. KINDS names them all."""
import os
import shutil
from collections import namedtuple

from .store import CHUNK, EPOCH_AT, PACK_HEAD, RECORD_EPOCH_AT, SERVICE_AT, NONE, epoch_of, flipped, log_reader, with_u32

# Exit statuses of the daemon: 64 and the error's number (core/err.h). And what is none: it is up and signs nothing; it goes on waiting for a grant.
FORMAT, AUTH, DENIED, ABSENT, HELD, WAITS = 65, 67, 68, 70, "held", "waits"
# function(store[, other]); end: one of the above; words: what stands in the daemon's log, as a regular expression; other: "", "older" or "service".
Kind = namedtuple("Kind", "function end words other")
KINDS = {}


def kind(name, end, words, other=""):
    def take(function):
        KINDS[name] = Kind(function, end, words, other)
        return function
    return take


def fitted(data, size):
    """Cut, or filled up, to a length that is not what gives it away."""
    return data[:size] + bytes(max(0, size - len(data)))


# ---- packs: position and length ----

@kind("pack-byte", AUTH, r"chunk \d+ in g\S+ does not verify")
def pack_byte(store):
    store.put("pack", flipped(store.get("pack"), -1))


@kind("chunks-exchanged", AUTH, r"chunk \d+ in g\S+ does not verify")
def chunks_exchanged(store):
    """The last one of the newest pack with the last one of the oldest."""
    newest, oldest = store.name("pack"), store.older("pack")[0]
    a, b = store.object(newest), store.object(oldest)
    store.write(a[:-CHUNK] + b[-CHUNK:], "objects", newest)
    store.write(b[:-CHUNK] + a[-CHUNK:], "objects", oldest)


@kind("chunks-moved-on", AUTH, r"chunk \d+ in g\S+ does not verify")
def chunks_moved_on(store):
    """Each to the next one's place in the longest pack in use: which two of them are still needed is not known without a key."""
    longest = store.longest_pack()
    data = store.object(longest)
    if len(data) < PACK_HEAD + 2 * CHUNK:
        raise ValueError("each pack has one chunk only")
    store.write(data[:PACK_HEAD] + data[-CHUNK:] + data[PACK_HEAD:-CHUNK], "objects", longest)


@kind("packs-exchanged", AUTH, r"g\S+ holds a pack of generation \d+")
def packs_exchanged(store):
    newest, oldest = store.name("pack"), store.older("pack")[0]
    a, b = store.object(newest), store.object(oldest)
    store.write(fitted(b, len(a)), "objects", newest)
    store.write(fitted(a, len(b)), "objects", oldest)


@kind("pack-older-under-newer-header", AUTH, r"chunk \d+ in g\S+ does not verify")
def pack_older_under_newer_header(store):
    data, old = store.get("pack"), store.object(store.older("pack")[0])
    store.put("pack", data[:PACK_HEAD] + fitted(old[PACK_HEAD:], len(data) - PACK_HEAD))


@kind("pack-truncated", FORMAT, r"g\S+ has \d+ bytes instead of \d+")
def pack_truncated(store):
    store.put("pack", store.get("pack")[:-1])


@kind("pack-extended", FORMAT, r"g\S+ is longer than the \d+ bytes it was sealed with")
def pack_extended(store):
    store.put("pack", store.get("pack") + b"\0")


@kind("pack-missing", ABSENT, r"generation \d+ needs g\S+\.pack, and the store does not have it")
def pack_missing(store):
    store.remove("pack")


@kind("pack-of-another-service", AUTH, r"g\S+ holds a pack of another service", other="service")
def pack_of_another_service(store, other):
    store.put("pack", fitted(other.get("pack"), len(store.get("pack"))))


@kind("pack-of-another-epoch", AUTH, r"g\S+ holds a pack of epoch \d+")
def pack_of_another_epoch(store):
    data = store.get("pack")
    store.put("pack", with_u32(data, EPOCH_AT, epoch_of(data) + 1))


# ---- manifests ----

@kind("manifest-byte", AUTH, r"manifest g\S+ is not the one the head names")
def manifest_byte(store):
    store.put("manifest", flipped(store.get("manifest"), -1))


@kind("manifest-byte-thorough", AUTH, r"manifest g\S+ does not verify under this service's key")
def manifest_byte_thorough(store):
    store.put("manifest", flipped(store.get("manifest"), -1), rehash=True)


@kind("manifest-truncated", FORMAT, r"manifest g\S+ has \d+ bytes and should have \d+")
def manifest_truncated(store):
    store.put("manifest", store.get("manifest")[:-1], rehash=True)


@kind("manifest-extended", FORMAT, r"manifest g\S+ has \d+ bytes and should have \d+")
def manifest_extended(store):
    store.put("manifest", store.get("manifest") + b"\0", rehash=True)


@kind("manifest-missing", ABSENT, r"generation \d+ needs its manifest g\S+, and the store does not have it")
def manifest_missing(store):
    store.remove("manifest")


@kind("manifest-older", AUTH, r"manifest g\S+ is not the one the head names")
def manifest_older(store):
    store.put("manifest", store.object(store.older("manifest")[-1]))


@kind("manifest-older-thorough", AUTH, r"manifest g\S+ is of generation \d+: an older one under a newer name")
def manifest_older_thorough(store):
    store.put("manifest", store.object(store.older("manifest")[-1]), rehash=True)


@kind("manifest-of-another-service", AUTH, r"manifest g\S+ is of another service", other="service")
def manifest_of_another_service(store, other):
    store.put("manifest", other.get("manifest"), rehash=True)


@kind("manifest-of-another-epoch", AUTH, r"manifest g\S+ is of epoch \d+, the key of epoch \d+")
def manifest_of_another_epoch(store):
    data = store.get("manifest")
    store.put("manifest", with_u32(data, EPOCH_AT, epoch_of(data) + 1), rehash=True)


# ---- the service record ----

@kind("record-byte", FORMAT, r"the service record record-\S+ is not the one the head names")
def record_byte(store):
    store.put("record", flipped(store.get("record"), -1))


@kind("record-byte-thorough", AUTH, r"keeper: not authentic: a sealed message of \d+ bytes is not authentic")
def record_byte_thorough(store):
    store.put("record", flipped(store.get("record"), -1), rehash=True)


@kind("record-truncated", FORMAT, r"service record is too short or a length in it is out of bounds")
def record_truncated(store):
    store.put("record", store.get("record")[:-1], rehash=True)


@kind("record-extended", FORMAT, r"service record has 1 bytes too many")
def record_extended(store):
    store.put("record", store.get("record") + b"\0", rehash=True)


@kind("record-missing", ABSENT, r"needs the service record record-\S+, and the store does not have it")
def record_missing(store):
    store.remove("record")


@kind("record-of-another-service", FORMAT, r"the service record record-\S+ is not the one the head names", other="service")
def record_of_another_service(store, other):
    store.put("record", other.get("record"))


@kind("record-of-another-service-thorough", AUTH, r"the store's head is of another service", other="service")
def record_of_another_service_thorough(store, other):
    store.put("record", other.get("record"), rehash=True)


@kind("record-of-another-epoch", AUTH, r"keeper: not authentic: a sealed message of \d+ bytes is not authentic")
def record_of_another_epoch(store):
    data = store.get("record")
    store.put("record", with_u32(data, RECORD_EPOCH_AT, epoch_of(data, RECORD_EPOCH_AT) + 1), rehash=True)


# ---- the head ----

@kind("head-missing", ABSENT, r"the store holds \d+ objects and no head: the head is missing")
def head_missing(store):
    os.remove(os.path.join(store.folder, "head"))


@kind("head-byte", AUTH, r"the store's head is of another service")
def head_byte(store):
    store.write(flipped(store.read("head"), SERVICE_AT), "head")


@kind("head-of-another-epoch", AUTH, r"the store's head is of epoch \d+, the key of epoch \d+")
def head_of_another_epoch(store):
    store.set_head(epoch=store.head()["epoch"] + 1)


@kind("head-truncated", FORMAT, r"a head is too short or a length in it is out of bounds")
def head_truncated(store):
    store.write(store.read("head")[:-1], "head")


@kind("head-extended", FORMAT, r"a head has 1 bytes too many")
def head_extended(store):
    store.write(store.read("head") + b"\0", "head")


@kind("head-of-another-generation", FORMAT, r"a head of generation \d+ names a wrong manifest")
def head_of_another_generation(store):
    store.set_head(generation=store.head()["generation"] + 1)


@kind("head-without-its-log", ABSENT, r"the head of generation \d+ names no log")
def head_without_its_log(store):
    store.set_head(log="", log_sha256=NONE)


# ---- the log ----

@kind("log-byte", AUTH, r"the log's segment log-\S+ is not the one the head names")
def log_byte(store):
    store.put("log", flipped(store.get("log"), -1))


@kind("log-byte-thorough", AUTH, r"the log's segment from entry \d+ is not signed by this service")
def log_byte_thorough(store):
    store.put("log", flipped(store.get("log"), -1), rehash=True)


@kind("log-entry-thorough", AUTH, r"the log's segment from entry \d+ is not signed by this service")
def log_entry_thorough(store):
    """A history rewritten: the last byte of the first entry."""
    data = store.get("log")
    first = log_reader.segment(data)["entries"][0]
    store.put("log", flipped(data, data.index(first) + len(first) - 1), rehash=True)


@kind("log-truncated", FORMAT, r"a log segment is too short or a length in it is out of bounds")
def log_truncated(store):
    store.put("log", store.get("log")[:-1], rehash=True)


@kind("log-extended", FORMAT, r"a log segment has 1 bytes too many")
def log_extended(store):
    store.put("log", store.get("log") + b"\0", rehash=True)


@kind("log-missing", ABSENT, r"the head needs the log's segment log-\S+, and the store does not have it")
def log_missing(store):
    store.remove("log")


@kind("log-of-another-service", AUTH, r"the log's segment is of another service", other="service")
def log_of_another_service(store, other):
    store.put("log", other.get("log"), rehash=True)


@kind("log-of-another-epoch", AUTH, r"the log's segment is of epoch \d+, the key of epoch \d+")
def log_of_another_epoch(store):
    data = store.get("log")
    store.put("log", with_u32(data, EPOCH_AT, epoch_of(data) + 1), rehash=True)


@kind("log-older-under-its-name", AUTH, r"the log's segment log-\S+ is not the one the head names", other="older")
def log_older_under_its_name(store, older):
    store.put("log", older.get("log"))


# What follows is genuine in each of its parts. The second is the operator's to do where neither maintainers nor witnesses are named, and is logged.

@kind("log-older-under-newest-head", HELD, r"rollback detected: generation \d+ is offered, but the log's last is \d+", other="older")
def log_older_under_newest_head(store, older):
    store.write(older.get("log"), "objects", older.name("log"))
    store.set_head(log=older.name("log"), log_sha256=older.head()["log_sha256"])


@kind("log-newest-under-older-head", HELD, r"rollback detected: generation \d+ is offered, but the log's last is \d+", other="older")
def log_newest_under_older_head(store, older):
    newest = store.head()
    store.write(older.read("head"), "head")
    store.set_head(log=newest["log"], log_sha256=newest["log_sha256"])


# ---- a whole store ----

@kind("another-service-in-its-place", DENIED, r"the parent holds service [0-9a-f]+, but \[service\] id allows [0-9a-f]+ only", other="service")
def another_service_in_its_place(store, other):
    """Told only where the measured configuration names the service."""
    shutil.rmtree(os.path.join(store.folder, "objects"))
    shutil.copytree(os.path.join(other.folder, "objects"), os.path.join(store.folder, "objects"))
    store.write(other.read("head"), "head")


# ---- a grant: for a build that waits for one, which goes on waiting ----

@kind("grant-byte", WAITS, r"the grant was altered, or not made for this build key")
def grant_byte(store):
    for name in os.listdir(os.path.join(store.folder, "objects")):
        if name.startswith("grant-"):
            store.write(flipped(store.object(name), -1), "objects", name)
