"""PSBTs (BIP174, 370, 371) as lists of pairs: made, and taken apart. Written from the BIPs; standard library only."""
import struct

MAGIC = b"psbt\xff"
OURS = b"\xfc\x08holdfast\x00"
WITNESS_UTXO, FINAL_WITNESS, TAP_KEY_SIG, TAP_MERKLE_ROOT = b"\x01", b"\x08", b"\x13", b"\x18"


def compact(n):
    return bytes([n]) if n < 253 else b"\xfd" + struct.pack("<H", n) if n < 1 << 16 else b"\xfe" + struct.pack("<I", n)


def sized(b):
    return compact(len(b)) + b


def stack(items):
    return compact(len(items)) + b"".join(map(sized, items))


def output(value, script):
    return struct.pack("<q", value) + sized(script)


def write_map(pairs):
    return b"".join(sized(k) + sized(v) for k, v in pairs) + b"\0"


def write(globals_, inputs, outputs):
    return MAGIC + b"".join(map(write_map, [globals_, *inputs, *outputs]))


def version_0(unsigned, inputs, outputs):
    """`unsigned`: the transaction's bytes; inputs, outputs: lists of pairs."""
    return write([(b"\0", unsigned)], inputs, outputs)


def version_2(tx, inputs, outputs, more=()):
    """`tx` as tests/models/bip341_verify.py has it. A lock time goes in as the fallback."""
    u32 = struct.Struct("<I").pack
    head = [(b"\x02", struct.pack("<i", tx["version"])), (b"\x03", u32(tx["locktime"])), (b"\x04", compact(len(tx["in"]))),
            (b"\x05", compact(len(tx["out"]))), *more, (b"\xfb", u32(2))]
    ins = [[*pairs, (b"\x0e", i["txid"]), (b"\x0f", u32(i["vout"])), (b"\x10", u32(i["sequence"]))] for i, pairs in zip(tx["in"], inputs)]
    outs = [[*pairs, (b"\x03", struct.pack("<q", o["value"])), (b"\x04", o["script"])] for o, pairs in zip(tx["out"], outputs)]
    return write(head, ins, outs)


class Reader:
    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, n):
        if self.at + n > len(self.raw):
            raise ValueError("cut short")
        self.at += n
        return self.raw[self.at - n:self.at]

    def compact(self):
        n = self.take(1)[0]
        return n if n < 253 else int.from_bytes(self.take({253: 2, 254: 4, 255: 8}[n]), "little")

    def sized(self):
        return self.take(self.compact())


def read(raw, inputs=None, outputs=None):
    """(global, inputs, outputs), each map a dict. The counts: from version 2's own fields, or as given."""
    r = Reader(raw)
    if r.take(5) != MAGIC:
        raise ValueError("no PSBT")

    def one():
        pairs = {}
        while key := r.sized():
            if key in pairs:
                raise ValueError("a key twice")
            pairs[key] = r.sized()
        return pairs
    head = one()
    inputs = inputs if inputs is not None else Reader(head[b"\x04"]).compact()
    outputs = outputs if outputs is not None else Reader(head[b"\x05"]).compact()
    maps = [one() for _ in range(inputs + outputs)]
    if r.at != len(raw):
        raise ValueError("more than its maps")
    return head, maps[:inputs], maps[inputs:]


def read_stack(raw):
    r = Reader(raw)
    return [r.sized() for _ in range(r.compact())]
