#!/usr/bin/env python3
"""Run everything `./dev test` promises, and close with one line of counts.

A suite is one CTest entry (or the lint, a compiler's build, a fuzz target). Skipped
means that the machine or the checkout lacks something, which the suite names."""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET


class Tally:
    def __init__(self):
        self.passed, self.failed, self.skipped, self.checks, self.lines = 0, 0, 0, 0, []

    def add(self, name, verdict, note=""):
        setattr(self, verdict, getattr(self, verdict) + 1)
        if verdict != "passed":
            self.lines.append(f"{verdict.upper():8} {name}  {note}")
        print(f"{verdict:8} {name}  {note}", flush=True)


def head(text):
    print(f"\n==> {text}", flush=True)


def call(args, **more):
    return subprocess.run(args, **more).returncode


def ctest(tally, build, label, extra, env):
    """Run the suites of one build folder and read CTest's own report."""
    head(f"{label}: suites")
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        call(["ctest", "--test-dir", build, "--output-junit", report.name, "--output-on-failure", "-j2", *extra], env=env)
        try:
            cases = ET.parse(report.name).getroot().iter("testcase")
        except ET.ParseError:
            tally.add(f"{label}: ctest", "failed", "no report")
            return
        count = 0
        for case in cases:
            count += 1
            one(tally, label, case)
        if not count:
            tally.add(f"{label}: ctest", "failed", "no suite was run")


def one(tally, label, case):
    name, status = f"{label}: {case.get('name')}", case.get("status")
    output = case.findtext("system-out") or ""
    tally.checks += sum(int(n) for n in re.findall(r"Checks: (\d+)", output))
    if status == "run":
        tally.add(name, "passed", f"{float(case.get('time') or 0):.1f} s")
    elif status in ("notrun", "disabled") or case.find("skipped") is not None:
        why = next((line.strip() for line in output.splitlines() if line.strip()), "it did not say why")
        for_vectors = "vectors" in output.lower() and os.environ.get("HOLDFAST_VECTORS_REQUIRED")
        tally.add(name, "failed" if for_vectors else "skipped", why)
    else:
        tally.add(name, "failed", status or "")


def build(tally, root, folder, label, *options, target="all"):
    head(f"{label}: build")
    began = time.monotonic()
    ok = call(["cmake", "-S", root, "-B", folder, "-G", "Ninja", *options], stdout=subprocess.DEVNULL) == 0 \
        and call(["cmake", "--build", folder, "--target", target]) == 0
    tally.add(f"{label}: build", "passed" if ok else "failed", f"{time.monotonic() - began:.0f} s")
    return ok


def fuzz(tally, root, folder, seconds):
    if not build(tally, root, folder, "fuzz", "-DCMAKE_C_COMPILER=clang", "-DHOLDFAST_FUZZ=ON", "-DHOLDFAST_SANITIZE=ON", target="fuzz_targets"):
        return
    head(f"fuzz: {seconds} s each")
    # A test that is done again must do the same again; `./dev fuzz` is where each run goes another way.
    env = {"HOLDFAST_FUZZ_SEED": "1", **os.environ}
    out = subprocess.run([os.path.join(root, "tests", "fuzz", "run"), folder, str(seconds)], capture_output=True, text=True, env=env)
    print(out.stdout, out.stderr[-4000:] if out.returncode else "")
    counts = re.findall(r"^(\d+) passed, (\d+) failed", out.stdout, re.M)
    if not counts:
        tally.add("fuzz", "failed", "no target ran")
        return
    tally.passed += int(counts[-1][0])
    tally.failed += int(counts[-1][1])


def main():
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--root", required=True)
    a.add_argument("--build", required=True)
    a.add_argument("--quick", action="store_true")
    a.add_argument("ctest", nargs="*")
    o = a.parse_args()
    tally, env = Tally(), dict(os.environ)
    head("lint")
    for name in ("lint.py", "fmt.py"):
        args = [sys.executable, os.path.join(o.root, "tests", "lint", name), o.root] + (["--check"] if name == "fmt.py" else [])
        tally.add(name[:-3], "passed" if call(args) == 0 else "failed")
    ctest(tally, o.build, "gcc", o.ctest, env)
    if not o.quick:
        build(tally, o.root, o.build + "-clang", "clang", "-DCMAKE_C_COMPILER=clang")
        if build(tally, o.root, o.build + "-asan", "asan", "-DHOLDFAST_SANITIZE=ON"):
            ctest(tally, o.build + "-asan", "asan", ["-LE", "native", *o.ctest], env)
        fuzz(tally, o.root, o.build + "-fuzz", int(env.get("HOLDFAST_FUZZ_SECONDS", "10")))
    head("summary")
    print("\n".join(tally.lines) or "nothing failed, nothing was skipped")
    print(f"{tally.checks} single checks inside the unit suites")
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    sys.exit(1 if tally.failed or not tally.passed else 0)


if __name__ == "__main__":
    main()
