"""Seeds of the targets document, sshsig and nostr: what ssh-keygen and nostr-tools made, and documents of each kind."""
import base64
import json
import struct

SSH = "U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgQWmVfqQh7oGA6Qb7ASHYxHsAT9FPN2rFSdOGU9HxatMAAAAZaG9sZGZhc3QtcmVsZWFzZUBob2xkZmFzdAAAAAAAAAAGc2hhNTEyAAAAUwAAAAtzc2gtZWQyNTUxOQAAAEBZU5Cgfzc/3c7rc07425kIOs3cyz/ByjQ6HrDncaaUqnCbJddTs9wsfIQZBZBUFSRQ+Gsgi+d8JdKdW7KcfhoD"
EVENT = '{"kind":8731,"created_at":1790000000,"tags":[["client","x"]],"content":"holdfast-release e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","pubkey":"24653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c","id":"a88e51f17c9e83484fff52490b21765f1a3213402e1a861e6c90cf15eb69d2bf","sig":"c9f41092edc3227811fc9046c2fdd01fb795f54464d7949e2c0cf29801b459f1562f0dfa606ef952f17675f26f83ed2fd40b72a8a9559c79524e9977c3ebc506"}'
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFN8ffyw/UUs3frDiQwuTOb/xYN3/n33lVusHa3YfPds"
NOSTR = "nostr 24653eac434488002cc06bbfb7f10fe18991e35f9fe4302dbea6d2353dc0ab1c"
HASH = "5e" * 32


def string(b):
    return struct.pack(">I", len(b)) + b


def armour(text):
    return "-----BEGIN SSH SIGNATURE-----\n" + "".join(text[i:i + 70] + "\n" for i in range(0, len(text), 70)) + "-----END SSH SIGNATURE-----\n"


def sk_key():
    return string(b"sk-ssh-ed25519@openssh.com") + string(bytes(range(32))) + string(b"ssh:")


def sshsig():
    yield armour(SSH).encode()
    inner = string(b"sk-ssh-ed25519@openssh.com") + string(bytes(64)) + b"\1" + struct.pack(">I", 7)
    blob = b"SSHSIG" + struct.pack(">I", 1) + string(sk_key()) + string(b"holdfast-release@holdfast") + string(b"") + string(b"sha256") + string(inner)
    yield armour(base64.b64encode(blob).decode()).encode()


def nostr():
    yield EVENT.encode()
    yield json.dumps(json.loads(EVENT), indent=1).encode()


def document():
    sk = "sk-ssh-ed25519@openssh.com " + base64.b64encode(sk_key()).decode()
    place = {"service": HASH, "network": "signet"}
    keys = [{"name": "a", "key": KEY}, {"name": "b", "key": sk}, {"name": "c", "key": NOSTR}]
    under = {"policy_version": 1, "policy": HASH}
    times = {"not_before": 1000, "expires": 2000}
    head = lambda kind, version=1: {"type": "holdfast-" + kind, "format": version}
    policy = {**head("policy"), **place, "version": 2, "previous": HASH, "threshold": 2, "keys": keys, "veto_threshold": 1, "veto_keys": keys[:1], "delay": 86400,
              "emergency_threshold": 3, "emergency_delay": 60, "revoked_keys": ["nostr " + "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"], "revoked_releases": [HASH], "expires": 2000}
    all_of = [
        policy, {**policy, "version": 1, "previous": None, "emergency_threshold": None, "emergency_delay": None, "veto_keys": [], "revoked_keys": [], "revoked_releases": []},
        {**head("release"), **place, "sequence": 7, **under, "pcr0": "01" * 48, "pcr1": "02" * 48, "pcr2": "03" * 48, "pcr8": None, "label": "x", "commit": "0a" * 20,
         "min_generation": 3, "emergency": False, **times},
        {**head("veto"), **place, "release": HASH, **under, "expires": 2000},
        {**head("rollback-permit"), **place, "generation": 5, "log_size": 40, "head": HASH, "nonce": "00" * 16, **times},
        {**head("genesis-authorisation"), "network": "regtest", "name": "n", "key": "arn", "blockhash": HASH, "profile": "holdfast-1", "threshold": 1, "keys": keys, **times},
        {**head("release", 2), "more": 1},
    ]
    for d in all_of:
        yield json.dumps(d, indent=1).encode()
        yield json.dumps(d, separators=(",", ":")).encode()


SEEDS = {"document": document, "sshsig": sshsig, "nostr": nostr}
