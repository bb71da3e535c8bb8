#!/usr/bin/env python3
"""Random derivations in every profile, by the program and by the model. argv: keyring_run."""
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "models"))
import keyring_model as m

ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141


def cases(rng):
    zs = [bytes(32), b"\xff" * 32, ORDER.to_bytes(32, "big"), (ORDER - 1).to_bytes(32, "big")] + [rng.randbytes(32) for _ in range(12)]
    arns = ["a", "arn:aws:kms:us-east-1:111122223333:key/k", "arn:aws-us-gov:kms:us-gov-west-1:1:key/" + "x" * 200, "b" * 2048]
    for i, z in enumerate(zs):
        for profile in m.PROFILES:
            yield profile, z, arns[i % 4], rng.randbytes(32), rng.choice([1, 2, 2 ** 32 - 1]), rng.choice([bytes(32), rng.randbytes(32)])


def main():
    todo = list(cases(random.Random(7)))
    # What holdfast-1 binds: change one thing at a time, and the master changes; the others do not see it.
    base = ("holdfast-1", b"\x07" * 32, "arn:one", bytes(range(32)), 1, bytes(32))
    todo += [base, base[:2] + ("arn:two",) + base[3:], base[:3] + (bytes(range(32))[::-1],) + base[4:], base[:4] + (2,) + base[5:], base[:5] + (b"\x01" * 32,)]
    text = "".join(f"{p} {z.hex()} {a} {h.hex()} {e} {q.hex()}\n" for p, z, a, h, e, q in todo)
    out = subprocess.run([sys.argv[1]], input=text, capture_output=True, text=True)
    lines = out.stdout.splitlines()
    if out.returncode or len(lines) != len(todo):
        sys.exit(f"status {out.returncode}, {len(lines)} answers: {out.stderr[-400:]}")
    bad = 0
    for case, line in zip(todo, lines):
        profile, z, arn, blockhash, epoch, policy = case
        counter, x = m.nums_x(profile, blockhash)
        want = f"{counter} {x.hex()} {m.master(profile, z, arn, blockhash, epoch, policy).hex()} {m.build_root(z, arn, blockhash).hex()}"
        if want != line:
            bad += 1
            print(f"{case}: the model says {want}, the program {line}")
    masters = {line.split()[2] for line in lines[-5:]}
    if len(masters) != 5:
        bad += 1
        print("holdfast-1 does not bind all that it should")
    print(f"{len(todo)} derivations, {bad} differences")
    sys.exit(1 if bad else 0)


main()
