"""Bitcoin header chains, made and judged without any of the C code: a list of headers and big integers.

`judge` gives the same verdicts as signer/headers.h; `mine` makes chains, also broken ones. With soft=True
twelve bytes of every hash count as zero, so that chains of any difficulty can be made without work; and a
header of version CHOSEN has its merkle root for a hash, so that it can be any block."""
import hashlib
import struct

PERIOD, TWO_WEEKS = 2016, 14 * 24 * 3600
LIMITS = {"mainnet": 0x1d00ffff, "testnet4": 0x1d00ffff, "signet": 0x1e0377ae, "regtest": 0x207fffff}
GENESIS = {
    "mainnet": "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
    "testnet4": "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
    "signet": "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
    "regtest": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
}
# Mainnet: height -> (hash of the block before, nBits of the period).
CHECKPOINTS = {
    778176: ("00000000000000000005c39a2670a916dc4075afaaf8fe30e495c13ba323e141", 0x170689a3),
    822528: ("0000000000000000000078f4e50a09391670d061deea0b3b87c3fa60cfaaf782", 0x1703e8b3),
    874944: ("0000000000000000000087427d61da6ce8b57e2726a9c62be8637cc906bad7e5", 0x170297fa),
    927360: ("0000000000000000000144a6109dda22b210490144247f34903e23ea98281065", 0x1701e63a),
    931392: ("0000000000000000000159186ff01cb830839027afce1c072816ad1caf6735c2", 0x1701ebf2),
}
CHOSEN = 0x7fffffff
MERKLE = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"


def header(before, merkle, time, bits, nonce, version=1):
    return (struct.pack("<I", version) + bytes.fromhex(before)[::-1] + bytes.fromhex(merkle)[::-1]
            + struct.pack("<III", time, bits, nonce))


def block_hash(h, soft=False):
    """As displayed."""
    digest = hashlib.sha256(hashlib.sha256(h).digest()).digest()
    if soft and struct.unpack("<I", h[:4])[0] == CHOSEN:
        return h[36:68][::-1].hex()
    return ((digest[:20] + bytes(12)) if soft else digest)[::-1].hex()


FIRST = {
    "mainnet": header("00" * 32, MERKLE, 1231006505, 0x1d00ffff, 2083236893),
    "signet": header("00" * 32, MERKLE, 1598918400, 0x1e0377ae, 52613770),
    "regtest": header("00" * 32, MERKLE, 1296688602, 0x207fffff, 2),
    "testnet4": header("00" * 32, "7aa0a7ae1e223414cb807e40cd57e667b718e42aaf9306db9102fe28912b7b4e",
                       1714777860, 0x1d00ffff, 393743547),
}


def target_of(bits):
    """None for what no block may carry."""
    size, mantissa = bits >> 24, bits & 0x7fffff
    value = mantissa * 256 ** (size - 3) if size >= 3 else mantissa // 256 ** (3 - size)
    return None if bits & 0x800000 or value == 0 or value >= 1 << 256 else value


def bits_of(value):
    size = (value.bit_length() + 7) // 8
    mantissa = value // 256 ** (size - 3) if size >= 3 else value * 256 ** (3 - size)
    if mantissa & 0x800000:
        mantissa, size = mantissa >> 8, size + 1
    return mantissa | size << 24


def retarget(network, bits, first, last):
    seconds = min(max(last - first, TWO_WEEKS // 4), TWO_WEEKS * 4)
    return bits_of(min(target_of(bits) * seconds // TWO_WEEKS, target_of(LIMITS[network])))


def fields(h):
    time, bits, nonce = struct.unpack("<III", h[68:80])
    return {"before": h[4:36][::-1].hex(), "time": time, "bits": bits, "nonce": nonce}


def wanted(network, start, chain, i):
    """nBits that the rule asks for at chain[i], or None for an unknown. chain: fields of all."""
    height, limit = start + i, LIMITS[network]
    if network == "regtest":
        return limit
    if height % PERIOD == 0:
        first = i - PERIOD
        if first < 0:
            return None
        base = chain[first if network == "testnet4" else i - 1]["bits"]
        return retarget(network, base, chain[first]["time"], chain[i - 1]["time"])
    if network != "testnet4":
        return chain[i - 1]["bits"]
    if chain[i]["time"] > chain[i - 1]["time"] + 1200:
        return limit
    back = i - 1
    while (start + back) % PERIOD and chain[back]["bits"] == limit:
        back -= 1
    return chain[back]["bits"]


def find_start(network, anchor, first, first_hash):
    """-> (height, kind) or a fault."""
    height, kind = None, "genesis"
    if first_hash == GENESIS[network]:
        height = 0
    elif network == "mainnet":
        for h, (before, _) in CHECKPOINTS.items():
            if first["before"] == before:
                height, kind = h, "checkpoint"
    if anchor is None:
        return (height, kind) if height is not None else "start"
    if anchor[1] != first_hash or (height is not None and height != anchor[0]):
        return "not-the-anchor"
    if height is not None:
        return height, kind
    if not 0 < anchor[0] < 1 << 31:
        return "not-the-anchor"
    if network == "testnet4" and anchor[0] % PERIOD:
        return "period"
    return anchor[0], "caller"


def judge_one(network, start, chain, hashes, i):
    """The fault of header i, or None."""
    h, height, mark = chain[i], start + i, CHECKPOINTS.get(start + i)
    if i and h["before"] != hashes[i - 1]:
        return "link"
    if network == "mainnet" and mark and mark != (h["before"], h["bits"]):
        return "contradiction"
    target = target_of(h["bits"])
    if target is None or target > target_of(LIMITS[network]):
        return "bits"
    if int(hashes[i], 16) > target:
        return "work"
    if i or network == "regtest":
        want = wanted(network, start, chain, i)
        if want is None:
            return "period"
        if want != h["bits"]:
            return "difficulty"
    if i and network == "testnet4" and height % PERIOD == 0 and h["time"] < chain[i - 1]["time"] - 600:
        return "time"
    before = sorted(c["time"] for c in chain[max(0, i - 11):i])
    if before and (len(before) == 11 or start == 0) and h["time"] <= before[len(before) // 2]:
        return "time"
    return None


def judge(network, anchor, wanted_hash, data, soft=False):
    """-> {"height", "time", "depth", "anchor", "work"} or {"fault", "index"}."""
    if not data or len(data) % 80:
        return {"fault": "length", "index": 0}
    raw = [data[i:i + 80] for i in range(0, len(data), 80)]
    if len(raw) > 52428:
        return {"fault": "too-many", "index": 0}
    chain, hashes = [fields(h) for h in raw], [block_hash(h, soft) for h in raw]
    found = find_start(network, anchor, chain[0], hashes[0])
    if isinstance(found, str):
        return {"fault": found, "index": 0}
    start, kind = found
    work = 0
    for i in range(len(raw)):
        fault = judge_one(network, start, chain, hashes, i)
        if fault:
            return {"fault": fault, "index": i}
        if kind == "caller" and network == "mainnet" and start + i in CHECKPOINTS:
            kind = "checkpoint"
        work += (1 << 256) // (target_of(chain[i]["bits"]) + 1)
    if wanted_hash not in hashes and bytes.fromhex(wanted_hash)[::-1].hex() in hashes:
        return {"fault": "reversed", "index": len(raw)}
    if wanted_hash not in hashes:
        return {"fault": "not-in-run", "index": len(raw)}
    at = hashes.index(wanted_hash)
    return {"height": start + at, "time": chain[at]["time"], "depth": len(raw) - 1 - at, "anchor": kind, "work": f"{work:064x}"}


def mine(before, time, bits, soft=False, nonce=0, merkle="00" * 32, lazy=False):
    """A header on top of `before`; lazy: without work, so that its hash is above the target."""
    target = target_of(bits)
    while True:
        h = header(before, merkle, time & 0xffffffff, bits, nonce & 0xffffffff)
        good = target is None or int(block_hash(h, soft), 16) <= target
        if good != lazy:
            return h
        nonce += 1


def extend(network, run, times, start=0, soft=False, bits=None):
    """Append a header for each time, with the right nBits (or `bits`)."""
    run = list(run)
    chain = [fields(h) for h in run]
    for t in times:
        chain.append({"time": t, "bits": 0})
        want = bits if bits is not None else wanted(network, start, chain, len(chain) - 1)
        h = mine(block_hash(run[-1], soft), t, want, soft)
        run.append(h)
        chain[-1] = fields(h)
    return run
