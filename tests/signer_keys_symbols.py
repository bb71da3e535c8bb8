#!/usr/bin/env python3
"""The entry that takes given randomness exists in the test library, and nowhere else.

usage: signer_keys_symbols.py NM TEST_ARCHIVE PRODUCTION_FILE...
A production file that is not built yet is left out; the first must be there.
"""
import os
import subprocess
import sys

ENTRY, SIGN = "signer_sign_with_aux", "signer_sign"


def symbols(nm, path):
    done = subprocess.run([nm, path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    return {line.split()[-1] for line in done.stdout.splitlines() if line and not line.endswith(":")}


def main(nm, test_archive, *production):
    if ENTRY not in symbols(nm, test_archive):
        return f"{test_archive} has no {ENTRY}: this test would see nothing"
    for n, path in enumerate(production):
        if n and not os.path.exists(path):
            continue
        found = symbols(nm, path)
        if SIGN not in found:
            return f"{path} has no {SIGN}: it is stripped, or not what signs"
        if ENTRY in found:
            return f"{path} has {ENTRY}"
        with open(path, "rb") as f:
            if ENTRY.encode() in f.read():
                return f"{path} names {ENTRY}"
    return None


if __name__ == "__main__":
    wrong = main(*sys.argv[1:])
    if wrong:
        sys.exit(wrong)
