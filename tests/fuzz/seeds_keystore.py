"""Seeds for the targets cose and cms: messages built here, byte by byte."""
import struct


# ---- CBOR -------------------------------------------------------------------
def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    for code, form, limit in ((24, ">B", 1 << 8), (25, ">H", 1 << 16), (26, ">I", 1 << 32)):
        if n < limit:
            return bytes([major << 5 | code]) + struct.pack(form, n)
    return bytes([major << 5 | 27]) + struct.pack(">Q", n)


def cbor(v):
    if v is None:
        return b"\xf6"
    if v is True or v is False:
        return b"\xf5" if v else b"\xf4"
    if isinstance(v, int):
        return head(0, v) if v >= 0 else head(1, -1 - v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v)) + v.encode()
    if isinstance(v, list):
        return head(4, len(v)) + b"".join(map(cbor, v))
    return head(5, len(v)) + b"".join(cbor(k) + cbor(x) for k, x in v.items())


def open_map(v):
    return b"\xbf" + b"".join(cbor(k) + cbor(x) for k, x in v.items()) + b"\xff"


def cose(payload, signature=b"\x01" * 96):
    return b"\x84" + cbor(cbor({1: -35})) + b"\xa0" + cbor(payload) + cbor(signature)


def documents():
    fields = {"module_id": "i-0-enc1", "digest": "SHA384", "timestamp": 1800000000000, "pcrs": {i: bytes([i + 1]) * 48 for i in range(17)},
              "certificate": b"\x30\x82" * 30, "cabundle": [b"\x30\x80" * 20, b"\x30\x00"], "public_key": b"k" * 294, "user_data": None, "nonce": b""}
    yield cose(cbor(fields))
    yield b"\xd2" + cose(open_map(fields))
    fields["new"] = {"a": [1, -1, None, True, {"b": b"c"}]}
    yield cose(cbor(fields))


def messages():
    yield cbor("GetRandom")
    yield cbor("DescribeNSM")
    yield cbor("LockPCR")
    yield cbor({"DescribePCR": {"index": 0}})
    yield cbor({"ExtendPCR": {"data": b"abc", "index": 16}})
    yield cbor({"LockPCRs": {"range": 17}})
    yield b"\xbf" + cbor("Attestation") + open_map({"nonce": b"n", "user_data": None, "public_key": b"k" * 294}) + b"\xff"
    yield cbor({"DescribePCR": {"lock": True, "data": b"\x01" * 48}})
    yield cbor({"Error": "ReadOnlyIndex"})
    yield cbor({"Attestation": {"document": b"doc"}})
    yield cbor({"DescribeNSM": {"version_major": 1, "version_minor": 0, "version_patch": 0, "module_id": "i-0-enc1", "max_pcrs": 32,
                                "locked_pcrs": list(range(17)), "digest": "SHA384"}})


# ---- BER --------------------------------------------------------------------
def ber(tag, *parts, opened=False):
    content = b"".join(parts)
    if opened:
        return bytes([tag, 0x80]) + content + b"\0\0"
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    return bytes([tag, 0x82]) + struct.pack(">H", len(content)) + content


def oid(text):
    return ber(6, bytes.fromhex(text))


def envelope(opened, pieces, null=True, label=False):
    sha256 = ber(0x30, oid("608648016503040201"), b"\x05\x00" if null else b"")
    params = ber(0xa0, sha256) + ber(0xa1, ber(0x30, oid("2a864886f70d010108"), sha256))
    if label:
        params += ber(0xa2, ber(0x30, oid("2a864886f70d010109"), ber(4)))
    recipient = ber(0x30, ber(2, b"\x02"), ber(0x80, b"i" * 32), ber(0x30, oid("2a864886f70d010107"), ber(0x30, params)), ber(4, b"k" * 256))
    content = bytes(range(48))
    if pieces:
        size = len(content) // pieces
        body = ber(0xa0, *(ber(4, content[i * size:(i + 1) * size]) for i in range(pieces)), opened=opened)
    else:
        body = ber(0x80, content)
    info = ber(0x30, oid("2a864886f70d010701"), ber(0x30, oid("60864801650304012a"), ber(4, b"v" * 16)), body, opened=opened)
    inner = ber(0x30, ber(2, b"\x02"), ber(0x31, recipient), info, opened=opened)
    return ber(0x30, oid("2a864886f70d010703"), ber(0xa0, inner, opened=opened), opened=opened)


def envelopes():
    for opened in (True, False):
        for pieces in (0, 1, 3):
            yield envelope(opened, pieces)
    yield envelope(True, 0, null=False)
    yield envelope(False, 2, label=True)


def cose_seeds():
    yield from documents()
    yield from messages()


SEEDS = {"cose": cose_seeds, "cms": envelopes}
