"""Enclave image files, built and measured from the format's description alone (keystore/eif.h names it).

Shares no code with keystore/eif.c: a second model for test_eif.py and the fuzz seeds. Standard library only."""
import base64
import hashlib
import json
import struct
import zlib

KERNEL, CMDLINE, RAMDISK, SIGNATURE, METADATA = 1, 2, 3, 4, 5
HEADER = 548
ONE_RAMDISK_PCR2 = "21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a"


def h(*parts):
    d = hashlib.sha384()
    for p in parts:
        d.update(p)
    return d.digest()


def pcr(*parts):
    return h(bytes(48), h(*parts))


def pcrs(kernel, cmdline, ramdisks, certificate=None):
    """{"PCR0": hex, …} of the parts; certificate in DER."""
    out = {"PCR0": pcr(kernel, cmdline, *ramdisks), "PCR1": pcr(kernel, cmdline, *ramdisks[:1]), "PCR2": pcr(*ramdisks[1:])}
    if certificate is not None:
        out["PCR8"] = pcr(certificate)
    return {k: v.hex() for k, v in out.items()}


def cbor(v, numbers=False):
    """numbers: byte strings as arrays of integers, which is how the builder writes them."""
    def head(major, n):
        for bits, size, info in ((24, 0, None), (1 << 8, 1, 24), (1 << 16, 2, 25), (1 << 32, 4, 26)):
            if n < bits:
                return bytes([major << 5 | (n if size == 0 else info)]) + (n.to_bytes(size, "big") if size else b"")
        return bytes([major << 5 | 27]) + n.to_bytes(8, "big")
    if isinstance(v, int):
        return head(0, v) if v >= 0 else head(1, -1 - v)
    if isinstance(v, bytes):
        return head(4, len(v)) + b"".join(head(0, b) for b in v) if numbers else head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v)) + v.encode()
    if isinstance(v, list):
        return head(4, len(v)) + b"".join(cbor(x, numbers) for x in v)
    return head(5, len(v)) + b"".join(cbor(k) + cbor(x, numbers) for k, x in v.items())


def pem(der):
    text = base64.b64encode(der).decode()
    return "".join(["-----BEGIN CERTIFICATE-----\n", *(text[i:i + 64] + "\n" for i in range(0, len(text), 64)), "-----END CERTIFICATE-----\n"])


def signature_section(certificate, pcr0, index=0, numbers=True, tag=False):
    """As the builder lays it out; the signature's own bytes are of no key."""
    claim = cbor({"register_index": index, "register_value": pcr0}, True)
    cose = (b"\xd2" if tag else b"") + cbor([cbor({1: -35}), {}, claim, bytes(96)])
    return cbor([{"signing_certificate": pem(certificate).encode(), "signature": cose}], numbers)


META = json.dumps({"ImageName": "test", "ImageVersion": "1.0", "BuildMetadata": {"BuildTool": "model"}, "DockerInfo": {}, "CustomMetadata": {}}).encode()


def image(sections, version=4, flags=0, crc=None, count=None, offsets=None, sizes=None, tail=b"", mem=1 << 29, cpus=2, magic=b".eif"):
    """The file's bytes. The last seven arguments make images that are wrong."""
    body, at, places = b"", HEADER, []
    for kind, data in sections:
        places.append((at + len(body), len(data)))
        body += struct.pack(">HHQ", kind, 0, len(data)) + data
    offsets = offsets or [p[0] for p in places]
    sizes = sizes or [p[1] for p in places]
    full = lambda row: (list(row) + [0] * 32)[:32]
    head = magic + struct.pack(">HHQQHH", version, flags, mem, cpus, 0, len(sections) if count is None else count)
    head += struct.pack(">32Q", *full(offsets)) + struct.pack(">32Q", *full(sizes)) + bytes(4)
    assert len(head) == HEADER - 4
    body += tail
    return head + struct.pack(">I", zlib.crc32(head + body) if crc is None else crc) + body


def usual(kernel=b"kernel", cmdline=b"reboot=k panic=30", ramdisks=(b"init", b"root"), certificate=None):
    """In the builder's order: kernel, command line, metadata, ramdisks, signature."""
    sections = [(KERNEL, kernel), (CMDLINE, cmdline), (METADATA, META), *((RAMDISK, r) for r in ramdisks)]
    if certificate is not None:
        sections.append((SIGNATURE, signature_section(certificate, pcr(kernel, cmdline, *ramdisks))))
    return sections
