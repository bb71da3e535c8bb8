#!/usr/bin/env python3
"""The sealed copy against the programs people use for this: age, the earlier system's pipeline (age | socat | file),
borg with fixed 64 KiB chunks, restic. 1 GiB on a tmpfs, each a median of three, in one run with our own figures.

    bench_peers.py BUILD"""
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

GIB, MIB, RUNS = 1 << 30, 1 << 20, 3


def ours(command):
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    for line in out.stdout.splitlines():
        print(line, flush=True)
    return {row["name"]: row["value"] for row in map(json.loads, out.stdout.splitlines())}


def say(name, value, unit, goal):
    print(json.dumps({"name": name, "value": value, "unit": unit, "goal": goal}), flush=True)


def measure(command, before=None):
    """Medians of (CPU, wall) seconds, all of its processes together."""
    cpu, wall = [], []
    for _ in range(RUNS):
        if before:
            before()
        a, t = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        subprocess.run(["bash", "-c", command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        b = resource.getrusage(resource.RUSAGE_CHILDREN)
        wall.append(time.monotonic() - t)
        cpu.append(b.ru_utime - a.ru_utime + b.ru_stime - a.ru_stime)
    return statistics.median(cpu), statistics.median(wall)


class Place:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="holdfast-bench-", dir="/dev/shm")
        self.image = os.path.join(self.dir, "image")
        with open(self.image, "wb") as f:
            for _ in range(GIB // MIB):
                f.write(os.urandom(MIB))

    def change(self):
        """One block of 64 KiB in a hundred."""
        with open(self.image, "r+b") as f:
            for at in range(0, GIB, 100 << 16):
                f.seek(at)
                f.write(os.urandom(1 << 16))


def age(place, sealed, restored, wall):
    key, pub = os.path.join(place.dir, "key"), None
    subprocess.run(["age-keygen", "-o", key], check=True, stderr=subprocess.DEVNULL)
    with open(key) as f:
        pub = next(line.split()[-1] for line in f if "public key" in line)
    out = os.path.join(place.dir, "out.age")
    cpu, _ = measure(f"age -r {pub} -o {out} {place.image}")
    say("full seal, CPU against age", sealed / cpu, "x", "<= 0.5")
    cpu, _ = measure(f"age -d -i {key} -o {place.dir}/back {out}")
    say("restore, CPU against age -d", restored / cpu, "x", "<= 0.5")
    os.unlink(os.path.join(place.dir, "back"))
    os.unlink(out)
    sock = os.path.join(place.dir, "sock")
    pipe = (f"socat -u UNIX-LISTEN:{sock} CREATE:{out} & while [ ! -S {sock} ]; do sleep 0.01; done; "
            f"age -r {pub} {place.image} | socat -u - UNIX-CONNECT:{sock}; wait")
    _, slow = measure(pipe, lambda: os.path.exists(sock) and os.unlink(sock))
    say("full seal over a socket, wall against age | socat | file", wall / slow, "x", "<= 0.1667")
    os.unlink(out)


def borg(place, changed):
    repo = os.path.join(place.dir, "borg")
    os.environ.update(BORG_BASE_DIR=os.path.join(place.dir, "borg-base"), BORG_PASSPHRASE="bench", BORG_RELOCATED_REPO_ACCESS_IS_OK="yes")
    subprocess.run(["borg", "init", "-e", "repokey", repo], check=True, stderr=subprocess.DEVNULL)
    create = f"borg create --chunker-params fixed,65536 --compression none {repo}::$RANDOM$RANDOM {place.image}"
    subprocess.run(["bash", "-c", create], check=True, stderr=subprocess.DEVNULL)
    cpu, _ = measure(create, place.change)
    say("1 % of 64 KiB blocks changed, CPU against borg", changed / cpu, "x", "<= 0.125")


def restic(place, changed):
    os.environ.update(RESTIC_PASSWORD="bench", RESTIC_REPOSITORY=os.path.join(place.dir, "restic"),
                      RESTIC_CACHE_DIR=os.path.join(place.dir, "restic-cache"))
    subprocess.run(["restic", "init", "-q"], check=True)
    backup = f"restic backup -q --compression off {place.image}"
    subprocess.run(["bash", "-c", backup], check=True)
    cpu, _ = measure(backup, place.change)
    say("1 % of 64 KiB blocks changed, CPU against restic", changed / cpu, "x", "")


def main():
    build = sys.argv[1]
    figures = ours([f"{build}/tests/bench_seal"])
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-", dir="/dev/shm") as d:
        figures.update(ours([f"{build}/tests/bench_link", os.path.join(d, "store")]))
    missing = [p for p in ("age", "socat", "borg", "restic") if not shutil.which(p)]
    if missing:
        print(f"bench_peers: not installed, and left out: {', '.join(missing)}", file=sys.stderr)
    place = Place()
    try:
        changed = figures["1 % of 64 KiB blocks changed, CPU"]
        if not {"age", "socat"} & set(missing):
            age(place, figures["full seal, CPU"], figures["restore, CPU"], figures["full seal over a socket, wall"])
        if "borg" not in missing:
            borg(place, changed)
        if "restic" not in missing:
            restic(place, changed)
    finally:
        shutil.rmtree(place.dir)


if __name__ == "__main__":
    main()
