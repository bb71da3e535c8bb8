#!/usr/bin/env python3
"""kill -9 at random moments under load. What comes back is a sealed generation, the last
or the one before; every signature that anybody was given verifies; nothing needs an operator."""
import json
import os
import random
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import bip341_verify as model
import rig as r

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
MOMENTS = 10


class Load:
    """Clients that sign and seal until told to stop; what was answered is kept."""

    def __init__(self, rig, request):
        self.rig, self.request, self.answers, self.sealed = rig, request, [], []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.sign) for _ in range(2)] + [threading.Thread(target=self.seal)]
        for t in self.threads:
            t.start()

    def sign(self):
        while not self.stop.is_set():
            try:
                code, _, body = self.rig.sign(self.request)
                if code == 200:
                    self.answers.append(body)
                time.sleep(0.01)      # each answer is verified by the slow model afterwards
            except (OSError, r.http.client.HTTPException):
                time.sleep(0.01)

    def seal(self):
        while not self.stop.is_set():
            try:
                code, _, body = self.rig.seal()
                if code == 200:
                    self.sealed.append(json.loads(body)["generation"])
            except (OSError, r.http.client.HTTPException):
                pass
            time.sleep(0.02)

    def join(self):
        self.stop.set()
        for t in self.threads:
            t.join()


class Crash(unittest.TestCase):
    def test_ten_random_moments(self):
        seed = int(os.environ.get("HOLDFAST_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"seed {seed} (HOLDFAST_SEED repeats it)", flush=True)
        rng = random.Random(seed)
        rig = r.Rig(BUILD, options={"judges": "2", "size": "16M", "interval": "1s"})
        self.addCleanup(rig.close)
        rig.simulator()
        rig.start_parent()
        rig.start_enclave()
        self.assertEqual(rig.setup()[0], 200, rig.enclave.text())
        key = bytes.fromhex(json.loads(rig.get("/public-key")[2])["public_key"])
        root = model.leaf_hash(bytes.fromhex(r.LEAF_TRUE))
        request = r.spend("5120" + model.emulated_key(key, root).hex())
        total = sealed = 0
        for moment in range(MOMENTS):
            before = rig.status()["disk"]["generation"]
            load = Load(rig, request)
            time.sleep(rng.uniform(0.02, 1.5))
            what = rng.choice(("everything", "the parent too", "one role"))
            if what == "the parent too":
                rig.parent.kill()
            if what == "one role":
                role = rng.choice(("keeper", "sign", "disk", "book", "web"))
                pid = rig.role_pids().get((role, 0))
                if pid:
                    os.kill(pid, 9)
                    rig.wait_end(20)
            rig.kill_enclave()
            load.join()
            if what == "the parent too":
                rig.start_parent()
            rig.start_enclave()
            rig.wait_phase("serving")
            after = rig.status()["disk"]["generation"]
            acknowledged = max(load.sealed, default=before)
            # Every seal that was answered is there; at most one more was under way.
            self.assertGreaterEqual(after, acknowledged, f"moment {moment} ({what}): a sealed generation is lost")
            self.assertEqual(json.loads(rig.get("/public-key")[2])["public_key"], key.hex())
            for body in load.answers:
                model.verify_answer(request, json.loads(body), key)
            total += len(load.answers)
            sealed += len(load.sealed)
            history = json.loads(rig.get("/requests?limit=1000")[2])
            self.assertEqual(len(history["requests"]), min(history["total"], 1000))
            print(f"moment {moment}: {what}; generation {before} -> {after}, {len(load.answers)} signatures answered, "
                  f"{history['total']} in the restored book", flush=True)
        self.assertGreater(sealed, 0, "no seal was answered")
        self.assertGreater(total, 0, "no signature was answered: the load was no load")
        self.assertEqual(rig.enclave.stop(), 0)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root (loop device, mounts)")
        sys.exit(77)
    unittest.main(verbosity=2)
