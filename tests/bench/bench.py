#!/usr/bin/env python3
"""Run the benches and print one table. A bench is a program that prints one JSON object a line."""
import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
# name -> commands; {build} and {here} are filled in.
BENCHES = {
    "keystore": [["{build}/tests/bench_keystore"], [sys.executable, "{here}/bench_start.py", "{build}"]],
    "policy": [["{build}/tests/bench_policy"], ["{build}/tests/bench_log"], [sys.executable, "{here}/bench_witness.py", "{build}"]],
    "seal": [[sys.executable, "{here}/bench_peers.py", "{build}"]],
    "signer": [["{build}/tests/bench_script"], ["{build}/tests/bench_sign"], [sys.executable, "{here}/bench_http.py", "{build}"]],
}


def verdict(value, goal):
    if not goal:
        return None
    op, bound = goal.split()
    return value <= float(bound) if op == "<=" else value >= float(bound)


def run(rows, name, command):
    """Run one program and take in its lines. False: it failed."""
    out = subprocess.run(command, capture_output=True, text=True)
    if out.returncode == 77:
        print(f"{name}: skipped: {out.stdout.strip()}", file=sys.stderr)
        return True
    if out.returncode:
        print(f"{name}: failed: {out.stderr.strip()[-500:]}", file=sys.stderr)
    for line in out.stdout.splitlines():
        if line.startswith("{"):
            row = json.loads(line)
            rows.append({"bench": name, **row, "ok": verdict(row["value"], row["goal"])})
    return out.returncode == 0


def main():
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("names", nargs="*", help=f"which: {', '.join(BENCHES)} (default: all)")
    a.add_argument("--build", required=True)
    a.add_argument("--json", metavar="FILE")
    o = a.parse_args()
    os.environ.setdefault("HOLDFAST_VECTORS_DIR", os.path.join(HERE, "..", "..", "..", "shared", "vectors"))
    rows, failed = [], False
    for name in o.names or BENCHES:
        if name not in BENCHES:
            a.error(f"no bench is called {name}; there are {', '.join(BENCHES)}")
        for command in BENCHES[name]:
            failed |= not run(rows, name, [w.format(build=o.build, here=HERE) for w in command])
    print(f"{'bench':<10} {'what':<56} {'value':>12} {'unit':<6} {'goal':<9} verdict")
    for r in rows:
        print(f"{r['bench']:<10} {r['name']:<56} {r['value']:>12.4g} {r['unit']:<6} {r['goal']:<9} "
              + {None: "", True: "met", False: "MISSED"}[r["ok"]])
    if o.json:
        with open(o.json, "w") as f:
            json.dump(rows, f, indent=1)
            f.write("\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
