#!/usr/bin/env python3
"""From SIGKILL to a served key: a whole enclave restored over the simulator. Skipped without root."""
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))
import rig as r

RUNS = 5


def say(name, value, unit, goal=""):
    print(json.dumps({"name": name, "value": value, "unit": unit, "goal": goal}), flush=True)


def resident(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Pss:")) / 1024


def main():
    if os.geteuid() != 0:
        print("needs root (loop device, mounts)")
        sys.exit(77)
    with r.Rig(sys.argv[1], options={"judges": "2"}) as rig:
        rig.simulator()
        rig.start_parent()
        rig.start_enclave()
        assert rig.setup()[0] == 200
        assert rig.seal()[0] == 200
        for (name, instance), pid in sorted(rig.role_pids().items()):
            say(f"memory of {name} {instance} (proportional set)", resident(pid), "MiB")
        say("memory of init (proportional set)", resident(rig.enclave.proc.pid), "MiB")
        times = []
        for _ in range(RUNS):
            rig.kill_enclave()
            begin = time.monotonic()
            rig.start_enclave()
            rig.wait_phase("serving")
            times.append(time.monotonic() - begin)
        say("start to serving, 64 MiB disk restored, simulated KMS", sorted(times)[RUNS // 2], "s")
        times = []
        for _ in range(RUNS):
            begin = time.monotonic()
            assert rig.seal()[0] == 200
            times.append(time.monotonic() - begin)
        say("POST /seal, wall", sorted(times)[RUNS // 2], "s")


if __name__ == "__main__":
    main()
