#!/usr/bin/env python3
"""The whole system in the emulated machine; what it signs is judged here, by the second implementation.

    test_vm.py main_job BACKEND    the main job; then the other back end must refuse the disk
    test_vm.py luks                mappings and header attacks, with the code of the role volume"""
import json
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models"), os.path.join(HERE, "..", "system")]
import bip341_verify as model
import rig as r
import vm

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))


def must(condition, text):
    if not condition:
        raise SystemExit("FAILS: " + text)


def fields(text):
    """What the guest reported as `@@name value` lines."""
    return {line[2:].split(" ", 1)[0]: line[2:].split(" ", 1)[1] for line in text.splitlines()
            if line.startswith("@@") and " " in line and not line.startswith("@@step")}


def show(line):
    if line.startswith("@@step "):
        seconds, words = line[7:].split(" ", 1)
        print(f"{seconds:>6} s  {words}", flush=True)
    elif not line.startswith("@@"):
        print("          " + line, flush=True)


def main_job(backend):
    script = bytes.fromhex(r.LEAF_TRUE)
    key = bytes.fromhex(r.PUBLISHED)
    request = r.spend("5120" + model.emulated_key(key, model.leaf_hash(script)).hex())
    machine = vm.Machine(BUILD)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(request, f)
        f.flush()
        result = machine.run(os.path.join(HERE, "main_job.sh"), [backend, r.KMS_PRIVATE, r.PCR0, r.BLOCKHASH],
                             machine.holdfast(), {f.name: "request.json"}, 180, show)
    must(result.status is not None, "the machine did not end by itself; its console:\n" + result.console[-3000:])
    print(f"boot {result.boot:.1f} s, all {result.seconds:.1f} s")
    must(result.status == 0, f"the job ended with status {result.status}")
    got = fields(result.text)
    must(got["key"] == r.PUBLISHED, f"the master public key {got['key']} is not the published vector's")
    for name in ("signed1", "signed2"):
        must(model.verify_answer(request, json.loads(got[name]), key) == [0], f"{name} carries no signature")
    for name in ("status", "status2"):
        disk = json.loads(got[name])["disk"]
        must(disk["mounted"] and disk["backend"] == ("luks" if backend == "auto" else backend), f"{name}: {disk}")
    print("holds: published key, valid signatures before and after the restore, on the back end", disk["backend"])


def luks():
    dmsetup = shutil.which("dmsetup") or shutil.which("dmsetup", path="/sbin:/usr/sbin")
    if not dmsetup:
        raise vm.Missing("dmsetup is not installed (Debian: dmsetup)")
    machine = vm.Machine(BUILD)
    mkfs = machine.holdfast()[0]
    drive = os.path.join(BUILD, "tests", "luks_drive")
    result = machine.run(os.path.join(HERE, "luks.sh"), [], [mkfs, drive, dmsetup], {}, 200, show)
    must(result.status is not None, "the machine did not end by itself; its console:\n" + result.console[-3000:])
    must(result.status == 0, f"{result.status} things do not hold")
    must(result.text.count("holds: ") == 24, "not everything was tried")
    print(f"boot {result.boot:.1f} s, all {result.seconds:.1f} s")


def main():
    try:
        if sys.argv[1:2] == ["main_job"] and len(sys.argv) == 3:
            main_job(sys.argv[2])
        elif sys.argv[1:] == ["luks"]:
            luks()
        else:
            raise SystemExit(__doc__)
    except vm.Missing as e:
        print(f"skipped: {e}")
        sys.exit(vm.SKIP)


if __name__ == "__main__":
    main()
