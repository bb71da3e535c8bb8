#!/usr/bin/env python3
"""Grants made by the program and opened by the model, and the reverse. argv: grant_run."""
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "models"))
import grant
import hpke


def cases(rng):
    for arn in ("a", "arn:aws:kms:eu-central-1:111122223333:key/k", "x" * 255):
        for epoch in (1, 2 ** 32 - 1):
            root, service = rng.randbytes(32), rng.randbytes(32)
            terms = {f: rng.randbytes(n) for f, n in grant.SIZES.items()}
            terms |= {"epoch": epoch, "service": service, "arn": arn, "log_number": rng.choice([0, 2 ** 32 - 1]), "log_root": rng.randbytes(32),
                      "log_size": rng.choice([0, 2 ** 62]), "build_key": grant.build_key(grant.build_scalar(root, service))}
            yield root, terms, rng.randbytes(32), rng.randbytes(32)


def seal_line(root, t, master, service_root):
    middle = " ".join(t[f].hex() for f in grant.FIELDS)
    return f"seal {root.hex()} {t['service'].hex()} {t['epoch']} {middle} {t['log_number']} {t['log_size']} {t['log_root'].hex()} {t['arn']} " \
           f"{master.hex()} {service_root.hex()}\n"


def main():
    rng = random.Random(11)
    todo = list(cases(rng))
    lines, bad = [], []
    for case in todo:
        lines.append(seal_line(*case))
        root, terms, master, service_root = case
        made = grant.make(terms, master, service_root, rng.randbytes(32))
        forged = bytearray(made)
        forged[rng.randrange(76, 360)] ^= 1
        for bytes_ in (made, bytes(forged)):
            lines.append(f"open {root.hex()} {terms['service'].hex()} {bytes_.hex()}\n")
    out = subprocess.run([sys.argv[1]], input="".join(lines), capture_output=True, text=True)
    answers = out.stdout.splitlines()
    if out.returncode or len(answers) != len(lines):
        sys.exit(f"status {out.returncode}, {len(answers)} answers of {len(lines)}: {out.stderr[-400:]}")
    for i, (root, terms, master, service_root) in enumerate(todo):
        sealed, name = answers[3 * i].split()
        sealed = bytes.fromhex(sealed)
        if grant.unseal(sealed, grant.build_scalar(root, terms["service"])) != (terms, master, service_root):
            bad.append(f"case {i}: the model reads something else")
        if name != grant.name(terms["build_key"], sealed):
            bad.append(f"case {i}: the model names it {grant.name(terms['build_key'], sealed)}, the program {name}")
        if answers[3 * i + 1] != f"{master.hex()} {service_root.hex()}":
            bad.append(f"case {i}: the program opens the model's grant as {answers[3 * i + 1]}")
        if answers[3 * i + 2] != "not authentic":
            bad.append(f"case {i}: an altered grant is {answers[3 * i + 2]}")
        try:
            grant.unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), grant.build_scalar(root, terms["service"]))
            bad.append(f"case {i}: the model opens an altered grant")
        except hpke.Wrong:
            pass
    print("\n".join(bad + [f"{len(todo)} grants each way, {len(bad)} differences"]))
    sys.exit(1 if bad else 0)


main()
