#!/usr/bin/env python3
"""An upgrade end to end over the simulator, by its steps; beside it an ordinary start of the same service. Skipped without root."""
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))
import rig as r
from upgrade_rig import NEW_PCR0, NewBuild, measured


def say(name, value):
    print(json.dumps({"name": name, "value": value, "unit": "s", "goal": ""}), flush=True)


class Clock:
    def __init__(self):
        self.at = self.first = time.monotonic()

    def step(self, name):
        now = time.monotonic()
        say("upgrade: " + name, now - self.at)
        self.at = now


def sign(rig, kind, names):
    out = []
    for n in names:
        path = rig.path(f"{kind}.json.{n}.sig")
        rig.holdfast(kind, "sign", rig.path(f"{kind}.json"), "--key", rig.path(n), "--out", path)
        out += ["--sig", path]
    return out


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def read(path):
    with open(path) as f:
        return f.read()


def documents(rig, service):
    """A policy in force and a signed release. Returns the release's signatures as options."""
    for n in "ab":
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", n, "-f", rig.path(n)], check=True)
    write(rig.path("keys"), "".join(f"{n} {read(rig.path(n + '.pub'))}" for n in "ab"))
    write(rig.path("policy.json"), rig.holdfast("policy", "init", "--service", service, "--network", "regtest", "--keys", rig.path("keys"), "--threshold", "2", "--delay", "0").stdout)
    rig.holdfast("policy", "submit", rig.path("policy.json"), *sign(rig, "policy", "ab"), "--url", f"http://127.0.0.1:{rig.port}")
    pcrs = [w for i, v in measured(rig).items() for w in (f"--pcr{i}", v)]
    write(rig.path("release.json"), rig.holdfast("release", "init", "--policy", rig.path("policy.json"), "--pcr0", NEW_PCR0, *pcrs, "--sequence", "1", "--label", "x", "--commit", "0" * 40).stdout)
    return sign(rig, "release", "ab")


def run(build):
    with r.Rig(build, options={"judges": "1", "size": "64M", "interval": "0s", "policy": "open"}) as rig:
        rig.options["nsm_root"] = rig.path("sim", "nsm-root.pem")
        rig.simulator()
        rig.start_parent()
        rig.start_enclave()
        assert rig.setup()[0] == 200
        status = rig.status()
        sigs = documents(rig, status["service_id"])
        assert rig.enclave.stop() == 0
        begin = time.monotonic()
        rig.start_enclave()
        rig.wait_phase("serving")
        say("an ordinary start of this service", time.monotonic() - begin)
        new = NewBuild(build, rig)
        try:
            clock = Clock()
            new.begin(status["service_id"], status["public_key"])
            new.wait_phase("announcing")
            clock.step("the new build starts and announces itself")
            rig.holdfast("release", "submit", rig.path("release.json"), *sigs, "--url", f"http://127.0.0.1:{rig.port}")
            clock.step("the release is judged and logged")
            announced = json.loads(new.get("/announcement?nonce=00")[2])["document"]
            release = json.loads(rig.holdfast("release", "show", rig.path("release.json"), "--json").stdout)["sha256"]
            clock.step("the announcement is made")
            code, _, body = rig.request("POST", "/upgrade/grant", {"release": release, "announcement": announced}, timeout=60)
            assert code == 200, body
            clock.step("verified, sealed, granted")
            new.wait_phase("serving")
            clock.step("the grant is found, the service restored and served")
            say("upgrade: in all", time.monotonic() - clock.first)
        finally:
            new.close()


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("an enclave needs root")
        sys.exit(77)
    run(sys.argv[1])
