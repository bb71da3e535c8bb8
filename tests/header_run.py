#!/usr/bin/env python3
"""Chains made by the model, whole and broken, judged by signer/headers.c and by the model: the verdicts must be the
expected ones, and the same. argv: header_run, header_run_soft."""
import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "models"))
import headers as m

REAL_1 = m.header(m.GENESIS["mainnet"], "0e3e2357e806b6cdb1f70b54c3a3a17b6714ee1f0e68bebb44a74b1efd512098", 1231469665, 0x1d00ffff, 2573394689)
HASH_1 = "00000000839a8e6886ab5951d76f411475428afc90947ee320161bbf18eb6048"
REAL_2 = m.header(HASH_1, "9b0fc92260312ce44e74ef369f5c66bbb85848f2eddd5a7a1cde251e54ccfdd5", 1231469744, 0x1d00ffff, 1639830024)
HASH_2 = "000000006a625f06636b8bb6ac7b960a8d03705d1ace08b1a19da3fdcc99ddbd"
# The first blocks of two periods, behind their checkpoints.
REAL_778176 = bytes.fromhex("0040373141e123a33bc195e430fef8aaaf7540dc16a970269ac3050000000000000000004102d555"
                            "d77ebfb77572d002c9fee6c03a31016873e845c896a099978518d5e09465f963a3890617bf2831c6")
REAL_822528 = bytes.fromhex("00e0ff3f82f7aacf60fac3873b0beade61d0701639090ae5f47800000000000000000000acbc1b33"
                            "81c671b2b7753bb2252d3ebd6900486ec8153ceb10e954a86e3f9e1468788665b3e80317f5171649")
T0 = 1296688602
NOWHERE = "11" * 32


class Run:
    def __init__(self, plain, soft):
        self.programs, self.cases = {False: plain, True: soft}, {False: [], True: []}

    def add(self, name, network, chain, want, wanted=None, anchor=None, soft=False, data=None):
        """want: a fault's name, or a dict of what must be in the answer."""
        data = b"".join(chain) if data is None else data
        wanted = wanted or (m.block_hash(chain[-1], soft) if chain else NOWHERE)
        self.cases[soft].append((name, network, anchor, wanted, data, want))

    def play(self, soft):
        cases = self.cases[soft]
        lines = "".join(f"{net} {wanted} {f'{a[0]}:{a[1]}' if a else '-'} {data.hex()}\n" for _, net, a, wanted, data, _ in cases)
        out = subprocess.run([self.programs[soft]], input=lines, capture_output=True, text=True)
        answers = out.stdout.splitlines()
        if out.returncode or len(answers) != len(cases):
            sys.exit(f"{self.programs[soft]}: status {out.returncode}, {len(answers)} answers to {len(cases)} cases: {out.stderr[-400:]}")
        return sum(not self.check(case, json.loads(answer), soft) for case, answer in zip(cases, answers))

    @staticmethod
    def check(case, got, soft):
        name, network, anchor, wanted, data, want = case
        text = got.pop("text", None)
        model = m.judge(network, anchor, wanted, data, soft)
        good = model == got
        if isinstance(want, str):
            good = good and got.get("fault") == want and text and text.isprintable()
        elif want is not None:
            good = good and all(got.get(k) == v for k, v in want.items())
        if not good:
            print(f"{name}: wanted {want}, the model says {model}, the program {got} {text}")
        return good


def real(run):
    first = m.FIRST["mainnet"]
    run.add("genesis alone", "mainnet", [first], {"height": 0, "time": 1231006505, "depth": 0, "anchor": "genesis"}, m.GENESIS["mainnet"])
    run.add("block 1 of three", "mainnet", [first, REAL_1, REAL_2], {"height": 1, "time": 1231469665, "depth": 1, "anchor": "genesis",
            "work": f"{3 * 0x100010001:064x}"}, HASH_1)
    run.add("block 2 of three", "mainnet", [first, REAL_1, REAL_2], {"height": 2, "depth": 0}, HASH_2)
    run.add("from block 1, claimed", "mainnet", [REAL_1, REAL_2], {"height": 2, "anchor": "caller"}, HASH_2, (1, HASH_1))
    run.add("from block 1, unclaimed", "mainnet", [REAL_1, REAL_2], "start")
    run.add("the anchor is another block", "mainnet", [REAL_1, REAL_2], "not-the-anchor", HASH_2, (1, HASH_2))
    run.add("genesis claimed elsewhere", "mainnet", [first], "not-the-anchor", None, (7, m.GENESIS["mainnet"]))
    run.add("height 0 claimed for another", "mainnet", [REAL_1], "not-the-anchor", HASH_1, (0, HASH_1))
    run.add("a height out of range", "mainnet", [REAL_1], "not-the-anchor", HASH_1, (1 << 31, HASH_1))
    for height, h in ((778176, REAL_778176), (822528, REAL_822528)):
        run.add(f"checkpoint {height}", "mainnet", [h], {"height": height, "anchor": "checkpoint", "depth": 0})
        run.add(f"checkpoint {height}, claimed rightly", "mainnet", [h], {"anchor": "checkpoint"}, None, (height, m.block_hash(h)))
        run.add(f"checkpoint {height}, claimed wrongly", "mainnet", [h], "not-the-anchor", None, (height + 2016, m.block_hash(h)))
    run.add("a real block claimed at a checkpoint's height", "mainnet", [REAL_1], "contradiction", None, (822528, HASH_1))
    for network in ("signet", "testnet4", "regtest"):
        run.add(f"{network}'s first block", network, [m.FIRST[network]], {"height": 0, "anchor": "genesis"}, m.GENESIS[network])
        run.add(f"mainnet's first block on {network}", network, [first], "start")
    run.add("checkpoints are mainnet's", "signet", [REAL_822528], "start")
    run.add("the wrong order of bytes", "mainnet", [first], "reversed", bytes.fromhex(m.GENESIS["mainnet"])[::-1].hex())
    run.add("work that is another's", "mainnet", [first, m.mine(m.GENESIS["mainnet"], 1231469665, 0x1d00ffff, lazy=True)], "work")


def broken(run):
    good = m.extend("regtest", [m.FIRST["regtest"]], [T0 + 600 * i for i in range(1, 41)])
    run.add("regtest", "regtest", good, {"height": 40, "depth": 0, "anchor": "genesis", "work": f"{41 * 2:064x}"})
    run.add("regtest, a block in the middle", "regtest", good, {"height": 17, "depth": 23, "time": T0 + 600 * 17}, m.block_hash(good[17]))
    run.add("regtest, claimed", "regtest", good[20:], {"height": 1000, "anchor": "caller", "depth": 20}, m.block_hash(good[20]), (1000, m.block_hash(good[20])))
    run.add("across 2016 on regtest", "regtest", good[20:], {"height": 2030}, None, (2010, m.block_hash(good[20])))
    run.add("no headers", "regtest", [], "length")
    for cut in (1, 79, 81):
        run.add(f"{cut} bytes", "regtest", good, "length", data=b"".join(good)[:cut])
    run.add("the hash is not there", "regtest", good, "not-in-run", NOWHERE)
    run.add("a header left out", "regtest", good[:9] + good[10:], "link")
    run.add("two exchanged", "regtest", good[:9] + [good[10], good[9]] + good[11:], "link")
    run.add("one twice", "regtest", good[:9] + [good[8]] + good[9:], "link")
    run.add("begins at block 1", "regtest", good[1:], "start")
    tip = m.block_hash(good[-1])
    for name, bits in (("negative", 0x20ffffff), ("zero", 0x20000000), ("cut to zero", 0x01003456), ("overflow", 0x22010000),
                       ("far overflow", 0xff7fffff), ("minus zero", 0x20800000), ("easier than the limit", 0x21008000)):
        run.add(f"nBits {name}", "regtest", good + [m.mine(tip, T0 + 10 ** 6, bits)], "bits")
    run.add("nBits harder than asked", "regtest", good + [m.mine(tip, T0 + 10 ** 6, 0x207ffffe)], "difficulty")
    run.add("no work", "regtest", good + [m.mine(tip, T0 + 10 ** 6, 0x207fffff, lazy=True)], "work")
    median = sorted(m.fields(h)["time"] for h in good[-11:])[5]
    run.add("at the median", "regtest", good + [m.mine(tip, median, 0x207fffff)], "time")
    run.add("above the median, below the last", "regtest", good + [m.mine(tip, median + 1, 0x207fffff)], {"height": 41})
    early = m.extend("regtest", [m.FIRST["regtest"]], [T0])
    run.add("the median of one", "regtest", early, "time")
    few = good[35:]
    late = m.extend("regtest", few, [1], bits=0x207fffff)
    run.add("too few to know the median", "regtest", late, {"height": 506, "time": 1}, None, (500, m.block_hash(few[0])))
    run.add("enough to know it", "regtest", m.extend("regtest", good[20:], [1]), "time", None, (500, m.block_hash(good[20])))


def every_bit(run):
    """A good chain, one bit changed: the same verdict by two hands, and never the same block as before."""
    good = m.extend("regtest", [m.FIRST["regtest"]], [T0 + 600 * i for i in range(1, 5)])
    data = b"".join(good)
    for bit in range(0, 8 * len(data), 7):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        run.add(f"bit {bit}", "regtest", None, None, m.block_hash(good[2]), data=bytes(changed))


def retargets(run, rng):
    """Whole periods, in soft hashes."""
    def chain(network, times, start, bits):
        return m.extend(network, [m.mine(NOWHERE, times[0], bits, soft=True)], times[1:], start, True)

    def add(name, network, c, start, want=None):
        run.add(name, network, c, want if want is not None else {"height": start + len(c) - 1, "anchor": "caller"}, None,
                (start, m.block_hash(c[0], True)), True)

    for network, bits in (("mainnet", 0x1b0404cb), ("mainnet", 0x1d00ffff), ("signet", 0x1e0377ae), ("signet", 0x1c10f0e0),
                          ("testnet4", 0x1c05a3f4)):
        for pace in (1, 300, 600, 1199, 9000):
            times = [1500000000 + pace * i for i in range(2 * 2016 + 3)]
            c = chain(network, times, 2016 * 50, bits)
            add(f"{network} {bits:08x} at {pace} s", network, c, 2016 * 50)
            if m.fields(c[2016])["bits"] != m.fields(c[2015])["bits"]:
                flat = m.extend(network, c[:2016], times[2016:2018], 2016 * 50, True, bits=m.fields(c[2015])["bits"])
                add(f"{network} {bits:08x} at {pace} s, not retargeted", network, flat, 2016 * 50, "difficulty")
    back = [1500000000 + 600 * i for i in range(2012)] + [1500000000 + 600 * 2011 - 300 * i for i in range(4)] + [1500000000 + 600 * 2020 + 600 * i for i in range(5)]
    add("a clock that goes back at the end", "mainnet", chain("mainnet", back, 2016, 0x1b0404cb), 2016)
    first = [1500000000 + 5000000] + [1500000000 + 600 * i for i in range(1, 2018)]
    add("a period that ends before it begins", "mainnet", chain("mainnet", first, 2016, 0x1b0404cb), 2016)
    times = [1500000000 + 600 * i for i in range(2016)]
    c = chain("mainnet", times[:2015], 2016 * 3 + 1, 0x1b0404cb)
    add("begins within a period and ends in it", "mainnet", c, 2016 * 3 + 1)
    over = c + [m.mine(m.block_hash(c[-1], True), times[-1] + 600, 0x1b0404cb, True)]
    add("begins within a period and leaves it", "mainnet", over, 2016 * 3 + 1, "period")
    add("testnet4 begins within a period", "testnet4", c[:3], 2016 * 3 + 1, "period")
    late, t = [], 1500000000
    for _ in range(2016 * 2 + 40):
        late.append(t)
        t += rng.choice([1, 600, 1200, 1201, 4000])
    for start in (2016 * 7, 2016 * 8):
        add(f"testnet4, late blocks from {start}", "testnet4", chain("testnet4", late, start, 0x1c05a3f4), start)
    easy = chain("testnet4", late, 2016 * 7, 0x1c05a3f4)
    cheat = m.extend("testnet4", easy[:100], [m.fields(easy[99])["time"] + 1200], 2016 * 7, True, bits=0x1d00ffff)
    add("testnet4, easy and not late", "testnet4", cheat, 2016 * 7, "difficulty")
    for gap, want in ((600, None), (601, "time")):
        times = [1500000000 + 600 * i for i in range(2016)]
        warp = chain("testnet4", times + [times[-1] - gap], 2016 * 9, 0x1c05a3f4)
        add(f"testnet4, {gap} s back at a retarget", "testnet4", warp, 2016 * 9, want)


def checkpoints(run):
    def chosen(before, hash_, time, bits):
        return m.header(before, hash_, time, bits, 0, m.CHOSEN)

    before, bits = m.CHECKPOINTS[874944]
    c = [chosen(NOWHERE, "00" * 31 + "01", 1700000000, 0x1702980b), chosen("00" * 31 + "01", before, 1700000600, 0x1702980b)]
    start = 874942
    run.add("ends before a checkpoint", "mainnet", c, {"anchor": "caller"}, None, (start, "00" * 31 + "01"), True)
    run.add("into a checkpoint, within the period", "mainnet", c + [m.mine(before, 1700001200, bits, True)], "period", None, (start, "00" * 31 + "01"), True)
    full = [m.mine(NOWHERE, 1700000000, 0x1702980b, True)]
    full = m.extend("mainnet", full, [1700000000 + 600 * i for i in range(1, 2015)], 874944 - 2016, True)
    want = m.retarget("mainnet", 0x1702980b, 1700000000, 1700000000 + 600 * 2015)
    tail = chosen(m.block_hash(full[-1], True), before, 1700000000 + 600 * 2015, 0x1702980b)
    anchor = (874944 - 2016, m.block_hash(full[0], True))
    run.add("another block at a checkpoint", "mainnet", m.extend("mainnet", full, [1700000000 + 600 * 2015, 1700000000 + 600 * 2016], 874944 - 2016, True),
            "contradiction", None, anchor, True)
    run.add("the block, and other nBits", "mainnet", full + [tail, m.mine(before, 1700000000 + 600 * 2016, want, True)],
            "contradiction" if want != bits else None, None, anchor, True)
    # Times for which the rule gives the checkpoint's own nBits: the caller's claim is then borne out.
    span = next(s for s in range(1208000, 1211000) if m.retarget("mainnet", 0x1702980b, 0, s) == bits)
    ends = 1700000000 + span
    full = m.extend("mainnet", [m.mine(NOWHERE, 1700000000, 0x1702980b, True)], [1700000000 + i for i in range(1, 2015)], 874944 - 2016, True)
    last = [chosen(m.block_hash(full[-1], True), before, ends, 0x1702980b), m.mine(before, ends + 600, bits, True)]
    run.add("through a checkpoint", "mainnet", full + last, {"anchor": "checkpoint", "height": 874944 - 2016, "depth": 2016},
            m.block_hash(full[0], True), (874944 - 2016, m.block_hash(full[0], True)), True)
    for height, (before, bits) in m.CHECKPOINTS.items():
        run.add(f"after {height}", "mainnet", [m.mine(before, 1700000000, bits, True)], {"height": height, "anchor": "checkpoint"}, soft=True)
        run.add(f"after {height}, other nBits", "mainnet", [m.mine(before, 1700000000, bits + 1, True)], "contradiction", soft=True)


def limits(run):
    times = [T0 + i for i in range(1, 52428)]
    c = m.extend("regtest", [m.mine(NOWHERE, T0, 0x207fffff, True)], times, 5, True)
    anchor = (5, m.block_hash(c[0], True))
    run.add("as many as are taken", "regtest", c, {"height": 52432}, None, anchor, True)
    run.add("one more", "regtest", m.extend("regtest", c, [T0 + 52428], 5, True), "too-many", None, anchor, True)


def main():
    run = Run(sys.argv[1], sys.argv[2])
    real(run)
    broken(run)
    every_bit(run)
    retargets(run, random.Random(2016))
    checkpoints(run)
    limits(run)
    bad = run.play(False) + run.play(True)
    count = sum(len(c) for c in run.cases.values())
    print(f"{count - bad} of {count} runs judged alike and as expected")
    sys.exit(1 if bad else 0)


main()
