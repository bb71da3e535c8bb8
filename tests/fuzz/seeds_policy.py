"""Seeds of the targets note and witness (the examples of the C2SP specifications) and document."""
import json

BODY = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
LOG = "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
WITNESS = "\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
PROOF = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\njrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"


def note():
    yield (BODY + "\n" + LOG + WITNESS).encode()
    yield (BODY + "extension\n\n" + LOG).encode()
    yield ("a\n\nb\n\n" + WITNESS).encode()
    yield b"PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def witness():
    yield ("old 20852014\n" + PROOF + "\n" + BODY + "\n" + LOG).encode()
    yield ("old 0\n\n" + BODY + "\n" + LOG + WITNESS).encode()
    yield ("old 20852163\n\n" + BODY + "\n" + WITNESS).encode()


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILpOwfvdA6JmNYRYu4nqM2NYRJgHCXGa//A6uuKOL6Hf"
# Made by ssh-keygen -Y sign with that key, over "hello" and a line feed.
SSH = """-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAguk7B+90DomY1hFi7ieozY1hEmA
cJcZr/8Dq64o4vod8AAAAZaG9sZGZhc3QtcmVsZWFzZUBob2xkZmFzdAAAAAAAAAAGc2hh
NTEyAAAAUwAAAAtzc2gtZWQyNTUxOQAAAEARpNJZkRUHKojLqXSm1JFibTA0wp3DyqmEk7
4Nzjl5tPONKknToJva7uQpGrovt5tsP8VaYbCC1X0/50LnsbIJ
-----END SSH SIGNATURE-----
"""
NOSTR = "nostr f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"


def document():
    place = {"service": "11" * 32, "network": "regtest"}
    keys = [{"name": "a", "key": KEY}, {"name": "b", "key": NOSTR}]
    policy = {"type": "holdfast-policy", "format": 1, **place, "version": 1, "previous": None, "threshold": 2, "keys": keys, "veto_threshold": 1,
              "veto_keys": keys[:1], "delay": 60, "emergency_threshold": 2, "emergency_delay": 0, "revoked_keys": [], "revoked_releases": ["22" * 32],
              "expires": 2000000000}
    release = {"type": "holdfast-release", "format": 1, **place, "sequence": 1, "policy_version": 1, "policy": "33" * 32, "pcr0": "44" * 48,
               "pcr1": "45" * 48, "pcr2": "46" * 48, "pcr8": None, "label": "v2", "commit": "ab" * 20, "min_generation": 0, "emergency": False,
               "not_before": 1, "expires": 2000000000}
    veto = {"type": "holdfast-veto", "format": 1, **place, "policy_version": 1, "policy": "33" * 32, "release": "55" * 32, "expires": 2000000000}
    for d in (policy, release, veto, {**policy, "format": 2}):
        yield b"d" + json.dumps(d).encode()
    yield b"s" + SSH.encode()
    event = {"id": "66" * 32, "pubkey": NOSTR[6:], "created_at": 1700000000, "kind": 8731, "tags": [["t", "x"]],
             "content": "holdfast-release " + "77" * 32, "sig": "88" * 64}
    yield b"n" + json.dumps(event).encode()


SEEDS = {"note": note, "witness": witness, "document": document}
