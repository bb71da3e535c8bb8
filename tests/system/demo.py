#!/usr/bin/env python3
"""The main job, end to end, with real processes: derive, mount, sign, seal, die, restore, sign again."""
import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import bip341_verify as model
import rig as r
from upgrade_rig import NEW_PCR0, NewBuild, Witness, measured, trust_policy

BOLD, GREEN, RED, PLAIN = ("\033[1m", "\033[32m", "\033[31m", "\033[0m") if sys.stdout.isatty() else ("", "", "", "")


def say(text):
    print("     " + text, flush=True)


def must(condition, text):
    if not condition:
        raise r.Failure(text)


class Demo:
    def __init__(self, rig, build):
        self.rig, self.build, self.rows, self.new = rig, build, [], None
        rig.options.update({"policy": "open", "nsm_root": rig.path("sim", "nsm-root.pem")})

    def step(self, title, act):
        print(f"{BOLD}{len(self.rows) + 1}. {title}{PLAIN}", flush=True)
        begin = time.monotonic()
        try:
            result, good = act(), True
        except (r.Failure, model.Wrong, OSError, KeyError, ValueError) as e:
            result, good = f"{type(e).__name__}: {e}", False
        self.rows.append((title, good, result, time.monotonic() - begin))
        say((GREEN + "holds: " if good else RED + "FAILS: ") + PLAIN + str(result))
        return good

    # 1
    def derive(self):
        rig = self.rig
        say("simulator (security module, KMS over TLS, instance metadata), parent and enclave start")
        rig.simulator()
        rig.start_parent()
        rig.start_enclave()
        must(rig.status()["phase"] == "awaiting-setup", "there is a service before anybody asked for one")
        code, _, body = rig.setup()
        must(code == 200, f"setup answered {code} {body!r}; the enclave said:\n{rig.enclave.text()[-2000:]}")
        self.key = json.loads(rig.get("/public-key")[2])["public_key"]
        say(f"KMS key {rig.arn}")
        say(f"master public key {self.key}")
        must(self.key == r.PUBLISHED, f"the published vector says {r.PUBLISHED}")
        return "the master public key is the published vector's"

    # 2
    def disk(self):
        status = self.rig.status()
        disk = status["disk"]
        must(status["simulated"] is True, "the simulation is not marked as one")
        must(disk["mounted"] and disk["backend"] in ("loop", "luks") and disk["size"] == 64 << 20, f"disk: {disk}")
        pid = self.rig.role_pids()["book", 0]
        with open(f"/proc/{pid}/mounts") as f:
            mount = [line.split()[:3] for line in f if line.split()[2] == "ext4" and "/disk/" in line]
        must(len(mount) == 1, "the state disk is not mounted as ext4 where the book is")
        files = os.listdir(f"/proc/{pid}/root{mount[0][1]}")
        must("state.db" in files, f"no state database on it: {files}")
        with open("/proc/self/mounts") as f:
            must(mount[0][1] not in f.read(), "the host sees the mount")
        say(f"{mount[0][0]} is {mount[0][2]} on {mount[0][1]}, in the enclave's own mount namespace; on it {', '.join(sorted(files))}")
        return f"64 MiB ext4{' in LUKS2' if disk['backend'] == 'luks' else ''} on a loop device, with the state database"

    # 3
    def sign(self):
        rig = self.rig
        self.preimage = b"open sesame".hex()
        lock = "a820" + hashlib.sha256(bytes.fromhex(self.preimage)).hexdigest() + "87"       # OP_SHA256 <h> OP_EQUAL
        csv = "029000b275" + "51"                                                             # <144> OP_CSV OP_DROP OP_1
        root, self.control = r.two_leaf_tree(model, lock, csv)
        self.lock = lock
        out = rig.holdfast("address", "--public-key", self.key, "--root", root, "--network", "regtest", "--json")
        answer = json.loads(out.stdout)
        own = model.emulated_key(bytes.fromhex(self.key), bytes.fromhex(root))
        say(f"offline address {answer['address']}")
        must(answer["address"] == model.p2tr_address(own, "regtest"), "the second implementation has another address")
        self.spk = "5120" + own.hex()
        self.request = r.spend_tree(self.control, lock, self.spk, [self.preimage])
        self.verify_sign(self.request)
        wrong = r.spend_tree(self.control, lock, self.spk, ["00"])
        code, _, body = rig.sign(wrong)
        must(code == 400, f"a spend whose script fails was answered {code} {body!r}")
        say(f"a wrong preimage is refused: {json.loads(body)['error']}")
        return "the key-path signature is valid under BIP341, by a separate verifier"

    def verify_sign(self, request):
        code, _, body = self.rig.sign(request)
        must(code == 200, f"verify-and-sign answered {code} {body!r}")
        model.verify_answer(request, json.loads(body), bytes.fromhex(self.key))
        return body

    # 4
    def seal(self):
        rig = self.rig
        code, _, body = rig.seal()
        must(code == 200, f"seal answered {code} {body!r}")
        self.history = json.loads(rig.get("/requests?limit=100")[2])
        disk = rig.status()["disk"]
        objects = sorted(os.listdir(rig.store("objects")))
        stored = b"".join(open(rig.store("objects", o), "rb").read() for o in objects if not o.startswith("record"))
        for plain in (b"SQLite format 3", b"CREATE TABLE", b"state.db", b"lost+found", bytes.fromhex(self.key)):
            must(plain not in stored, f"{plain!r} is readable in the parent's store")
        say(f"generation {disk['generation']}: {disk['sealed_bytes']} bytes at the parent, as {', '.join(objects[-3:])}")
        return f"generation {disk['generation']} is ciphertext with authentication at the parent"

    # 5
    def die(self):
        rig = self.rig
        roles = sorted({name for name, _ in rig.role_pids()})
        n = rig.kill_enclave()
        say(f"SIGKILL to {n} processes: init, {', '.join(roles)}")
        rig.until(lambda: not attached(rig.dir), "the loop device to go")
        must(not os.listdir(rig.path("disk")), "something is left where the disk was")
        return "every process is dead; the image in memory, its loop device and mount went with them"

    # 6
    def restore(self):
        rig = self.rig
        rig.start_enclave()
        rig.wait_phase("serving")
        key = json.loads(rig.get("/public-key")[2])["public_key"]
        must(key == self.key, f"another public key: {key}")
        history = json.loads(rig.get("/requests?limit=100")[2])
        must(history == self.history, f"another history: {history} instead of {self.history}")
        say(f"no operator was needed; {history['total']} requests in the restored history")
        self.verify_sign(self.request)
        more = json.loads(rig.get("/requests?limit=1")[2])
        must(more["total"] == history["total"] + 1, "the new request is not in the history")
        code = rig.enclave.stop()
        must(code == 0, f"SIGTERM ended it with status {code}")
        say("SIGTERM: the last seal was made, exit status 0")
        return "same public key, same history, and it signs again"

    # 7
    def altered(self):
        rig = self.rig
        pack = newest_pack(rig)
        with open(pack, "r+b") as f:
            f.seek(os.path.getsize(pack) // 2)
            byte = f.read(1)[0]
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte ^ 1]))
        rig.start_enclave(wait=False)
        code = rig.wait_end()
        must(code != 0, "it started from the altered copy")
        why = [line for line in rig.enclave.text().splitlines() if " disk: " in line and ("WARN" in line or "ERROR" in line)]
        say(f"one byte of {os.path.basename(pack)} changed: exit status {code}; the log says:")
        for line in why[-2:]:
            say("  " + line.split(" disk: ", 1)[1])
        with open(pack, "r+b") as f:
            f.seek(os.path.getsize(pack) // 2)
            f.write(bytes([byte]))
        rig.start_enclave()
        rig.wait_phase("serving")
        must(json.loads(rig.get("/public-key")[2])["public_key"] == self.key, "another key")
        self.verify_sign(self.request)
        return f"refused with status {code}; the good copy still restores"

    # 8
    def missing(self):
        rig = self.rig
        service = rig.status()["service_id"]
        must(rig.enclave.stop() == 0, "SIGTERM did not end it with 0")
        os.rename(rig.store("head"), rig.path("head.aside"))
        rig.start_enclave(wait=False)
        code = rig.wait_end()
        must(code != 0, "it started although the parent's head is missing")
        os.rename(rig.store(), rig.path("store.aside"))
        os.mkdir(rig.store())
        rig.options["id"] = service
        rig.parent.stop()
        rig.start_parent()
        rig.start_enclave(wait=False)
        other = rig.wait_end()
        must(other != 0, "it started from an empty store although its service id is configured")
        rig.parent.stop()
        os.rmdir(rig.store()) if not os.listdir(rig.store()) else shutil.rmtree(rig.store())
        os.rename(rig.path("store.aside"), rig.store())
        os.rename(rig.path("head.aside"), rig.store("head"))
        rig.start_parent()
        rig.start_enclave()
        rig.wait_phase("serving")
        must(json.loads(rig.get("/public-key")[2])["public_key"] == self.key, "another key")
        return f"a store without its head (status {code}) and an empty store (status {other}) are errors, never a new key or disk"

    # 9
    def upgrade(self):
        rig = self.rig
        before = rig.status()
        paths = {n: rig.path(n) for n in ("alice", "bob", "keys", "policy.json", "release.json")}
        for n in ("alice", "bob"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", n, "-f", paths[n]], check=True)
        with open(paths["keys"], "w") as f:
            f.write("".join(f"{n} {text_of(paths[n] + '.pub')}" for n in ("alice", "bob")))
        make(rig, paths["policy.json"], "policy", "init", "--service", before["service_id"], "--network", "regtest", "--keys", paths["keys"], "--threshold", "2", "--delay", "2")
        base = f"http://127.0.0.1:{rig.port}"
        rig.holdfast("policy", "submit", paths["policy.json"], *[w for n in ("alice", "bob") for w in ("--sig", sign(rig, "policy", paths, n))], "--url", base)
        pcrs = [w for i, v in measured(rig).items() for w in (f"--pcr{i}", v)]
        make(rig, paths["release.json"], "release", "init", "--policy", paths["policy.json"], "--pcr0", NEW_PCR0, *pcrs, "--sequence", "1", "--label", "the next build", "--commit", "0" * 39 + "1")
        say("a policy of two maintainers is in force; both sign a release of other measurements (ssh-keygen)")
        self.new = new = NewBuild(self.build, rig)
        new.keep = rig.keep
        new.begin(before["service_id"], self.key)
        new.wait_phase("announcing")
        say("the new build starts without keys, and announces itself")
        out = rig.holdfast("upgrade", "--release", paths["release.json"], *[w for n in ("alice", "bob") for w in ("--sig", sign(rig, "release", paths, n))], "--url", base,
                           "--new-url", f"http://127.0.0.1:{new.port}", "--root", rig.path("sim", "nsm-root.pem"), "--wait")
        for line in out.stdout.splitlines():
            if line.strip():
                say("  " + line)
        must(rig.sign(self.request)[0] == 409, "the old build still signs")
        new.wait_phase("serving")
        after = new.status()
        must((after["public_key"], after["service_id"]) == (before["public_key"], before["service_id"]), "another key after the upgrade")
        self.rig, old = new, rig
        self.verify_sign(self.request)
        must(old.enclave.stop() == 0, "the old build did not end well")
        return "the same master public key before and after; the old build signs no more"

    # 10
    def rollback(self):
        with r.Rig(self.build, options={"judges": "1", "size": "16M", "interval": "0s"}) as rig:
            rig.simulator()
            witnesses = [Witness(rig, n) for n in range(3)]
            rig.options["witness"] = trust_policy(rig, witnesses)
            for w in witnesses:
                w.start()
            rig.start_parent()
            rig.start_enclave()
            must(rig.setup()[0] == 200, "setup")
            for w in witnesses:
                w.run("add", "--log", rig.status()["log"]["key"])
            rig.wait_phase("serving")
            must(rig.seal()[0] == 200, "a seal")
            shutil.copytree(rig.store(), rig.path("old"))
            say("a service with three witnesses, of which two must cosign; its store is copied, and it goes on")
            must(rig.seal()[0] == 200, "another seal")
            must(rig.enclave.stop() == 0, "the enclave did not end well")
            rig.parent.stop()
            shutil.rmtree(rig.store())
            shutil.copytree(rig.path("old"), rig.store())
            rig.start_parent()
            rig.start_enclave(wait=False)
            rig.wait_phase("witnessing")
            rig.until(lambda: rig.status()["freshness"] == "rollback-detected", "the witnesses to be asked", rig.enclave)
            code, _, body = rig.sign(r.spend("5120" + "11" * 32))
            must(code == 503 and b"rollback detected" in body, f"a request was answered {code} {body!r}")
            say(f"the genuine copy of before is put back: {json.loads(body)['error']}")
            return "rollback detected: nothing is signed"

    def run(self):
        steps = [("attest, and derive the master key from KMS and the block hash", self.derive),
                 ("make the state disk and mount it", self.disk),
                 ("compute an address offline; verify a script spend; sign by key path", self.sign),
                 ("seal to the parent", self.seal),
                 ("kill everything", self.die),
                 ("start again: restore, and sign", self.restore),
                 ("alter one byte of the parent's copy", self.altered),
                 ("take the parent's copy away", self.missing),
                 ("upgrade to another build by signed release", self.upgrade),
                 ("put an older genuine copy back", self.rollback)]
        return all(self.step(*s) for s in steps)

    def table(self):
        width = max(len(t) for t, *_ in self.rows)
        print(f"\n{BOLD}{'step':<{width + 3}} {'verdict':<8} {'seconds':>7}  result{PLAIN}")
        for n, (title, good, result, seconds) in enumerate(self.rows, 1):
            print(f"{n}. {title:<{width}} {'holds' if good else 'FAILS':<8} {seconds:7.2f}  {str(result).splitlines()[0]}")


def text_of(path):
    with open(path) as f:
        return f.read()


def make(rig, path, *words):
    with open(path, "w") as f:
        f.write(rig.holdfast(*words).stdout)


def sign(rig, kind, paths, name):
    out = paths[f"{kind}.json"] + f".{name}.sig"
    rig.holdfast(kind, "sign", paths[f"{kind}.json"], "--key", paths[name], "--out", out)
    return out


def newest_pack(rig):
    packs = [rig.store("objects", o) for o in os.listdir(rig.store("objects")) if o.endswith(".pack")]
    return max(packs, key=os.path.basename)


def attached(folder):
    for dev in os.listdir("/sys/block"):
        try:
            with open(f"/sys/block/{dev}/loop/backing_file") as f:
                if folder in f.read():
                    return True
        except OSError:
            pass
    return False


def leave_running(rigs, demo):
    rig = demo.rig
    body = rig.path("request.json")
    with open(body, "w") as f:
        json.dump(demo.request, f)
    base = f"http://127.0.0.1:{rig.port}"
    print(f"""
It goes on running in {rig.dir}. Try:
  curl {base}/status
  curl {base}/public-key
  curl -H 'Content-Type: application/json' -d @{body} {base}/verify-and-sign
  curl '{base}/requests?limit=5'
  curl -X POST {base}/seal
  {rig.program('holdfast')} --help
  kill -9 {rig.enclave.proc.pid}   # and: {rig.program('holdfastd')} --config {rig.path('enclave.ini')}
Stop it all with:
  kill {rig.enclave.proc.pid}; sleep 1; kill {' '.join(str(p.proc.pid) for one in rigs for p in one.procs if p.alive() and p is not rig.enclave)}""")


def main():
    a = argparse.ArgumentParser(description=__doc__)
    a.add_argument("--build", required=True)
    a.add_argument("--keep", action="store_true", help="leave it running")
    options = a.parse_args()
    if os.geteuid() != 0:
        sys.exit("the demo needs root: the enclave's disk is a loop device in a mount namespace of its own")
    rig = r.Rig(options.build, keep=options.keep)
    demo = Demo(rig, options.build)
    good = False
    try:
        good = demo.run()
        demo.table()
        if good:
            print("\nEverything above ran against SIMULATED trust anchors: the same code, development roots.")
        else:
            print("\nLogs of the last enclave:\n" + "\n".join(rig.enclave.text().splitlines()[-25:]) if rig.enclave else "")
        if good and options.keep:
            leave_running([rig, demo.new], demo)
    finally:
        if not (good and options.keep):
            rig.keep = not good
            if demo.new:
                demo.new.close()
            rig.close()
            if not good:
                print(f"\nThe logs are kept in {rig.dir}.")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
