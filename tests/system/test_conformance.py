#!/usr/bin/env python3
"""The simulated KMS under AWS's own client for JavaScript (conformance/test.mjs), in every shape of envelope.

The client comes from the npm registry by its exact version, into a folder of the build tree, without running
scripts of packages. Where node, npm or the registry is missing the test is skipped and says which."""
import base64
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from sim_rig import BUILD, PCR0, SIM, Sim

SUITE = os.path.join(HERE, "conformance")
CACHE = os.path.join(BUILD, "conformance")
MAJOR = 20                      # of node, which this client wants
INSTALL_SECONDS, RUN_SECONDS = 150, 100


def skip(why):
    print("SKIP: " + why)
    sys.exit(77)


def node_major():
    return int(subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.lstrip("v").split(".")[0])


def install():
    """The client in CACHE, unless that very version is there."""
    with open(os.path.join(SUITE, "package.json")) as f:
        (name, version), = json.load(f)["dependencies"].items()
    os.makedirs(CACHE, exist_ok=True)
    for file in ("package.json", "test.mjs"):
        shutil.copy(os.path.join(SUITE, file), CACHE)
    about = os.path.join(CACHE, "node_modules", name, "package.json")
    if os.path.exists(about):
        with open(about) as f:
            if json.load(f)["version"] == version:
                return
    try:
        out = subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"],
                             cwd=CACHE, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        shutil.rmtree(os.path.join(CACHE, "node_modules"), ignore_errors=True)
        skip(f"{name} {version} did not come from the npm registry in {INSTALL_SECONDS} s")
    if out.returncode:
        shutil.rmtree(os.path.join(CACHE, "node_modules"), ignore_errors=True)
        skip(f"{name} {version} could not be installed by npm: " + (out.stderr.strip().splitlines() or ["no reason"])[0])


class Conformance(Sim):
    def peer(self):
        """A P-256 pair to agree with: PEM of the private key, base64 of the public one."""
        key = self.path("peer.pem")
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key], check=True, capture_output=True)
        public = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        with open(key) as f:
            return f.read(), base64.b64encode(public).decode()

    def run_suite(self, port):
        key, public = self.rsa()
        with open(key) as f:
            recipient_key = f.read()
        peer_key, peer = self.peer()
        given = {"endpoint": f"https://localhost:{port}", "credentials": self.path("credentials.json"), "misbehave": self.path("misbehave"), "pcr0": PCR0,
                 "document": base64.b64encode(self.attest(public)).decode(), "recipient_key": recipient_key,
                 "recipient_spki": base64.b64encode(public).decode(), "peer_key": peer_key, "peer": peer}
        with open(self.path("given.json"), "w") as f:
            json.dump(given, f)
        # Neither a proxy nor the settings of a real account may come between.
        env = {k: v for k, v in os.environ.items() if not k.upper().startswith(("AWS_", "HTTP", "ALL_PROXY", "NODE_"))}
        env.update(NODE_EXTRA_CA_CERTS=self.path("ca.pem"), CONFORMANCE_GIVEN=self.path("given.json"), HOME=self.dir, AWS_EC2_METADATA_DISABLED="true")
        out = subprocess.run(["node", "--test", "--test-reporter=spec", "test.mjs"], cwd=CACHE, env=env, capture_output=True, text=True, timeout=RUN_SECONDS)
        self.assertEqual(out.returncode, 0, out.stdout[-8000:] + out.stderr[-2000:])
        self.assertRegex(out.stdout, r"pass 1[0-9]\b")
        self.assertRegex(out.stdout, r"skipped 0\b")

    def test_constructed(self):
        self.run_suite(self.kms_at)

    def test_other_shapes(self):
        for shape in ("primitive", "pieces", "definite", "definite-pieces", "der"):
            with self.subTest(shape):
                self.run_suite(self.serve("kms", "--nsm-root", self.path("nsm-root.pem"), "--envelope", shape))


if __name__ == "__main__":
    import unittest
    if not os.path.exists(SIM):
        skip(f"{SIM} is not built")
    for program in ("openssl", "node", "npm"):
        if not shutil.which(program):
            skip(f"the {program} program is missing")
    if node_major() < MAJOR:
        skip(f"node {node_major()} is older than {MAJOR}")
    install()
    unittest.main()
