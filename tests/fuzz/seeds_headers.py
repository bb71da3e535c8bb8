"""Seeds for runs of headers."""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models"))
import headers as m

NETWORKS = ["mainnet", "testnet4", "signet", "regtest"]
BUILT, ANCHORED = 4, 8


def _head(network, how, which=0, height=0, bits=0):
    return struct.pack("<BHII", NETWORKS.index(network) | how, which, height, bits)


def seeds():
    for network, bits in (("mainnet", 0x1b0404cb), ("testnet4", 0x1c05a3f4), ("signet", 0x1e0377ae), ("regtest", 0x207fffff)):
        for step in (1, 600, 1300, 9000):
            yield _head(network, BUILT | ANCHORED, 2016, 2016 * 50, bits) + struct.pack("<HHI", 4100, step, 1)
        yield _head(network, BUILT | ANCHORED, 7, 2016 * 50, bits) + struct.pack("<HHIHHI", 30, 600, 0, 1, 600, bits - 1)
        yield _head(network, BUILT | ANCHORED, 7, 2016 * 50 + 1, bits) + struct.pack("<HHI", 2016, 600, 0)
        yield _head(network, 0) + m.FIRST[network]
    regtest = m.extend("regtest", [m.mine("11" * 32, 1500000000, 0x207fffff, True)], [1500000000 + 600 * i for i in range(1, 30)], 7, True)
    yield _head("regtest", ANCHORED, 3, 7) + b"".join(regtest)
    yield _head("regtest", ANCHORED, 3, 7) + b"".join(regtest[:9] + regtest[10:])
    yield _head("regtest", 0) + b"".join(regtest)
    yield _head("regtest", ANCHORED, 0, 7) + regtest[0][:79]
    for height, (before, bits) in m.CHECKPOINTS.items():
        first = m.mine(before, 1700000000, bits, True)
        yield _head("mainnet", 0) + b"".join(m.extend("mainnet", [first], [1700000600, 1700001200], height, True))
        yield _head("mainnet", ANCHORED, 0, height + 1) + first


SEEDS = {"headers": seeds}
