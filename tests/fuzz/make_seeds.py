#!/usr/bin/env python3
"""Write the generated seeds of a fuzz target into a folder.

usage: make_seeds.py FOLDER TARGET

Each module seeds_*.py beside this file has SEEDS = { "TARGET": function }, whose
function yields bytes. The same target may have functions in several modules.
"""
import glob
import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def functions(target):
    for path in sorted(glob.glob(os.path.join(HERE, "seeds_*.py"))):
        spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if target in module.SEEDS:
            yield module.SEEDS[target]


def main(argv):
    if len(argv) != 3:
        sys.stderr.write(__doc__)
        return 2
    folder, target = argv[1], argv[2]
    os.makedirs(folder, exist_ok=True)
    count = 0
    for function in functions(target):
        for seed in function():
            with open(os.path.join(folder, "made-%04d" % count), "wb") as f:
                f.write(seed)
            count += 1
    return 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main(sys.argv))
