"""Witnesses, and a second build beside the first: for the tests of log and upgrade, and for the demo."""
import base64
import json
import os
import subprocess

import rig as r

NEW_PCR0 = "6f" * 48
OTHER_PRIVATE = "22" * 32


class Witness:
    """A maintainer's `holdfast witness`."""

    def __init__(self, rig, n):
        self.rig, self.name, self.dir = rig, f"w{n}", rig.path(f"witness-{n}")
        self.port = r.free_port()
        self.vkey = self.run("init", "--name", f"example.org/{self.name}")["vkey"]
        self.proc = None

    def run(self, *words):
        out = subprocess.run([self.rig.program("holdfast"), "witness", *words, "--dir", self.dir, "--json"], capture_output=True, text=True, check=True)
        return json.loads(out.stdout)

    def start(self):
        self.proc = self.rig.start(self.name, self.rig.program("holdfast"), "witness", "serve", "--dir", self.dir, "--listen", f"127.0.0.1:{self.port}")
        self.rig.until(lambda: r.listening(self.port), self.name, self.proc)

    def stop(self):
        self.proc.stop()


def trust_policy(rig, witnesses, threshold=2):
    """A file that names them all, and has so many of them cosign."""
    path = rig.path("witnesses")
    with open(path, "w") as f:
        f.write("".join(f"witness {w.name} {w.vkey} http://127.0.0.1:{w.port}/\n" for w in witnesses)
                + f"group all {threshold} " + " ".join(w.name for w in witnesses) + "\nquorum all\n")
    return path


def measured(rig):
    """{1: PCR1, 2: PCR2} in hex, which every build of the simulator has."""
    document = base64.b64decode(json.loads(rig.get("/attestation?nonce=00")[2])["document"])
    found = {}
    for i in (1, 2):
        at = document.index(bytes([i]) + b"\x58\x30", document.index(b"pcrs"))
        found[i] = document[at + 3:at + 51].hex()
    return found


class NewBuild(r.Rig):
    """The same parent and store; measurements, security module, KMS key, listener and disk of its own."""

    def __init__(self, build, old, pcr0=NEW_PCR0, name="new"):
        super().__init__(build, options={k: v for k, v in old.options.items() if k != "web"})
        self.old, self.pcr0, self.name = old, pcr0, name
        sim = old.path("sim")
        self.nsm = self.start(f"nsm-{name}", self.program("holdfast-sim"), "nsm", "--state", sim, "--listen", "unix:" + self.path("nsm.sock"), "--pcr", "0=" + pcr0)
        self.until(lambda: os.path.exists(self.path("nsm.sock")), "the new build's NSM", self.nsm)
        out = subprocess.run([self.program("holdfast-sim"), "kms", "--state", sim, "--new-key", "--private", OTHER_PRIVATE, "--region", r.REGION, "--account", r.ACCOUNT,
                              "--pcr0", pcr0], capture_output=True, text=True)
        assert out.returncode == 0, out.stderr
        self.arn = [w for w in out.stdout.split() if w.startswith("arn:")][-1]
        os.symlink(sim, self.path("sim"))

    def begin(self, service, public):
        """Start it beside the old one. Its own web socket is behind a parent of its own, which shares the store."""
        for name in ("kms_port", "imds_port"):
            setattr(self, name, getattr(self.old, name))
        self.options.update({"id": service, "public_key": public, "kms_key": self.arn})
        self.start_parent(stores="dir = " + self.old.store())
        self.start_enclave(wait=False)
