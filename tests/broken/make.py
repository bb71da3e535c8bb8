#!/usr/bin/env python3
"""Break a copy of a store in one way, to see what the daemon says.

usage: make.py KIND STORE [OTHER]   break the folder STORE (DIR/head, DIR/objects) in place; OTHER is the second store that some kinds need
       make.py --list               the kinds, what they need, and what the daemon has to say
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from broken.kinds import KINDS
from broken.store import Store, log_reader, seal_reader

USAGE = 64


def main(words):
    if words == ["--list"]:
        for name, k in KINDS.items():
            print(f"{name:36} {k.other or '-':8} {k.end!s:6} {k.words}")
        return 0
    if len(words) not in (2, 3) or words[0] not in KINDS:
        print(__doc__, file=sys.stderr)
        return USAGE
    k, stores = KINDS[words[0]], [Store(folder) for folder in words[1:]]
    if len(stores) != (2 if k.other else 1):
        print(f"make.py: {words[0]} " + (f"needs a second store: {k.other}" if k.other else "needs one store"), file=sys.stderr)
        return USAGE
    try:
        k.function(*stores)
    except (OSError, ValueError, IndexError, log_reader.Wrong, seal_reader.Wrong) as why:
        print(f"make.py: this store cannot be broken in that way: {why}", file=sys.stderr)
        return 1
    print(f"broken: {words[0]}. The daemon has to say: {k.words}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
