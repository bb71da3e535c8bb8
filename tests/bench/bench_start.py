#!/usr/bin/env python3
"""From SIGKILL to a served key: a whole enclave restored over the simulator. Skipped without root."""
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))
import rig as r

RUNS = 5
DERIVES = 6


def say(name, value, unit, goal=""):
    print(json.dumps({"name": name, "value": value, "unit": unit, "goal": goal}), flush=True)


def resident(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Pss:")) / 1024


def median(act):
    times = []
    for _ in range(RUNS):
        begin = time.monotonic()
        act()
        times.append(time.monotonic() - begin)
    return sorted(times)[RUNS // 2]


def empty_start(rig):
    """An enclave with nothing to restore, until it answers."""
    with r.Rig(rig.build, options=rig.options) as other:
        other.nsm, other.kms_port, other.imds_port = rig.nsm, rig.kms_port, rig.imds_port
        os.symlink(rig.path("nsm.sock"), other.path("nsm.sock"))
        os.symlink(rig.path("sim"), other.path("sim"))
        other.start_parent()

        def once():
            other.start_enclave()
            other.wait_phase("awaiting-setup")
        times = []
        for _ in range(RUNS):
            begin = time.monotonic()
            once()
            times.append(time.monotonic() - begin)
            other.kill_enclave()
        return sorted(times)[RUNS // 2]


def derive(rig):
    """One attested answer of KMS over TLS, opened: the client alone, without its start."""
    def run(times):
        out = subprocess.run([os.path.join(rig.build, "tests", "kms_drive"), "derive", f"arn={rig.arn}", f"ca={rig.path('sim', 'ca.pem')}",
                              f"kms=127.0.0.1:{rig.kms_port}", f"imds=127.0.0.1:{rig.imds_port}", f"nsm=unix:{rig.path('nsm.sock')}",
                              f"blockhash={r.BLOCKHASH}", f"times={times}"], input="\n" * times, capture_output=True, text=True)
        assert out.returncode == 0, out.stderr
    return max(0.0, (median(lambda: run(DERIVES)) - median(lambda: run(1))) / (DERIVES - 1))


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
        start = sorted(times)[RUNS // 2]
        say("start to serving, 64 MiB disk restored, simulated KMS", start, "s")
        empty, asked = empty_start(rig), derive(rig)
        say("part: start of an enclave without a service", empty, "s")
        say("part: one derivation through KMS", asked, "s")
        say("start against the sum of these parts", start / (empty + asked), "x", "<= 1.5")
        times = []
        for _ in range(RUNS):
            begin = time.monotonic()
            assert rig.seal()[0] == 200
            times.append(time.monotonic() - begin)
        say("POST /seal, wall", sorted(times)[RUNS // 2], "s")


if __name__ == "__main__":
    main()
