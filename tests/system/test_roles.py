#!/usr/bin/env python3
"""The running enclave's processes: what each is allowed, what its death means, what its memory holds."""
import ctypes
import hashlib
import hmac
import json
import os
import re
import signal
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "models")]
import bip341_verify as model
import hpke
import keyring_model
import rig as r

BUILD = os.environ.get("HOLDFAST_BUILD", os.path.join(HERE, "..", "..", "build"))
ROLES = ("web", "fetch", "keeper", "judge", "sign", "disk", "book", "trial")
FATAL = ("keeper", "sign", "disk", "book", "web")
SYS_PTRACE_CALL = 101            # ptrace(2): in no role's list

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


class Regs(ctypes.Structure):
    _fields_ = [(n, ctypes.c_ulonglong) for n in (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
        "fs_base gs_base ds es fs gs").split()]


def ptrace(request, pid, data=None):
    if libc.ptrace(request, pid, None, data) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request}")


def force_call(pid, number):
    """Make a process that waits in a system call make another one instead."""
    regs = Regs()
    ptrace(16, pid)                                    # ATTACH
    os.waitpid(pid, 0)
    ptrace(12, pid, ctypes.byref(regs))                # GETREGS
    regs.rip -= 2                                      # back onto the syscall instruction
    regs.rax, regs.orig_rax = number, ctypes.c_ulonglong(-1).value
    ptrace(13, pid, ctypes.byref(regs))                # SETREGS
    ptrace(17, pid)                                    # DETACH: it goes on, into the call


def memory_of(pid):
    """All readable bytes of a process."""
    out = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            where = re.match(r"([0-9a-f]+)-([0-9a-f]+) (r)", line)
            if not where or "[vvar]" in line or "[vsyscall]" in line:
                continue
            try:
                mem.seek(int(where.group(1), 16))
                out.append(mem.read(int(where.group(2), 16) - int(where.group(1), 16)))
            except (OSError, ValueError, OverflowError):
                pass
    return b"\0".join(out)


class Roles(unittest.TestCase):
    def rig(self, **options):
        rig = r.Rig(BUILD, options={"judges": "2", **options})
        self.addCleanup(rig.close)
        rig.simulator()
        rig.start_parent()
        rig.start_enclave()
        self.assertEqual(rig.setup()[0], 200, rig.enclave.text())
        return rig

    def signed(self, rig):
        body = r.spend("5120" + self.output_key(rig))
        return rig.sign(body)

    def output_key(self, rig):
        key = bytes.fromhex(json.loads(rig.get("/public-key")[2])["public_key"])
        root = model.leaf_hash(bytes.fromhex(r.LEAF_TRUE))
        return model.emulated_key(key, root).hex()

    def test_each_role_is_confined(self):
        rig = self.rig()
        pids, uids = rig.role_pids(), {}
        self.assertEqual({name for name, _ in pids}, set(ROLES))
        for (name, instance), pid in pids.items():
            with open(f"/proc/{pid}/status") as f:
                status = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
            self.assertEqual(status["NoNewPrivs"], "1", name)
            self.assertEqual(status["Seccomp"], "2", name)
            for caps in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"):
                self.assertEqual(int(status[caps], 16), 0, f"{name} {caps}")
            self.assertEqual(status["Threads"], "1", f"{name} has threads")
            self.assertEqual(status["Groups"].strip(), "", name)
            uid = set(status["Uid"].split())
            self.assertEqual(len(uid), 1)
            uids.setdefault(name, set()).update(uid)
            with open(f"/proc/{pid}/limits") as f:
                core = next(line.split() for line in f if line.startswith("Max core"))
            self.assertEqual(core[4:6], ["0", "0"], name)
            self.assertEqual(os.stat(f"/proc/{pid}/mem").st_uid, 0, f"{name} is dumpable")
            # Its descriptors only: standard streams, control, and channels.
            kinds = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            self.assertLessEqual(len(kinds), 40)
            # control, and a channel to each peer that the table grants: a dry run has no way to sign or book.
            if name in ("judge", "trial"):
                self.assertEqual(sum(k.startswith("socket:") for k in kinds), {"judge": 4, "trial": 2}[name], name)
            if name in ("judge", "sign", "keeper", "fetch", "trial"):
                files = [k for k in kinds if not k.startswith(("socket:", "anon_inode:", "pipe:", "/dev/null", rig.dir))]
                self.assertEqual(files, [], name)
        names = list(uids.values())
        self.assertEqual(len(set.union(*names)), len(ROLES), f"two roles share a uid: {uids}")
        self.assertNotIn("0", set.union(*names))

    def test_a_forbidden_call_kills_each_role(self):
        for name in ROLES:
            with self.subTest(role=name):
                rig = self.rig()
                force_call(rig.role_pids()[name, 0], SYS_PTRACE_CALL)
                if name in FATAL:
                    self.assertNotEqual(rig.wait_end(20), 0)
                rig.until(lambda: f"role {name}" in rig.enclave.text() and "forbidden system call" in rig.enclave.text(), f"the line about {name}")
                rig.close()

    def test_a_forbidden_call_kills_init(self):
        rig = self.rig()
        roles = list(rig.role_pids().values())
        force_call(rig.enclave.proc.pid, SYS_PTRACE_CALL)
        self.assertEqual(rig.wait_end(20), -signal.SIGSYS)
        rig.until(lambda: not any(os.path.exists(f"/proc/{p}") and r.state(p) not in "ZX" for p in roles), "the roles to go with init")

    def test_killing_a_role_ends_the_enclave_and_says_which(self):
        for name in FATAL:
            with self.subTest(role=name):
                rig = self.rig()
                os.kill(rig.role_pids()[name, 0], signal.SIGKILL)
                self.assertNotEqual(rig.wait_end(20), 0)
                self.assertRegex(rig.enclave.text(), rf"role {name} died \(signal 9\): the enclave ends")
                rig.close()

    def test_judge_and_fetch_are_started_again(self):
        rig = self.rig()
        for name in ("judge", "fetch", "trial"):
            for instance in (0, 1) if name == "judge" else (0,):
                before = rig.role_pids()[name, instance]
                os.kill(before, signal.SIGKILL)
                rig.until(lambda: rig.role_pids().get((name, instance), before) != before, f"a new {name} {instance}")
        self.assertTrue(rig.enclave.alive())
        request = r.spend("5120" + model.emulated_key(bytes.fromhex(r.PUBLISHED), model.leaf_hash(bytes.fromhex(r.LEAF_TRUE))).hex())
        rig.until(lambda: rig.request("POST", "/verify", request)[0] == 200, "a dry run after the restart")
        for _ in range(6):                         # both judges answer again
            rig.until(lambda: self.signed(rig)[0] == 200, "a signature after the restart")
        self.assertEqual(rig.enclave.stop(), 0)

    def test_a_judge_that_keeps_dying_ends_the_enclave(self):
        rig = self.rig()
        for _ in range(12):
            pid = rig.role_pids().get(("judge", 0))
            if pid:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not rig.enclave.alive():
                break
            if pid:
                try:
                    rig.until(lambda: not rig.enclave.alive() or rig.role_pids().get(("judge", 0), pid) != pid, "another judge")
                except r.Failure:
                    pass
        self.assertNotEqual(rig.wait_end(20), 0)

    def test_no_key_in_the_memory_of_web_and_judge(self):
        rig = self.rig()
        for _ in range(5):
            self.assertEqual(self.signed(rig)[0], 200)
        self.assertEqual(rig.seal()[0], 200)
        z = bytes.fromhex("93c6170b8a3fa78d0fa90972bae7feed706f13bd3733c7457a6843ae368bcf20")
        master = bytes.fromhex("adbacd70b89097e98f7867838092a87612d01c486598272bb7e404ba228c57f3")
        service = bytes.fromhex(rig.status()["service_id"])
        keys = {"shared secret": z, "master": master, **keyring_model.keys(z, service, rig.arn, bytes.fromhex(r.BLOCKHASH))}
        root = model.leaf_hash(bytes.fromhex(r.LEAF_TRUE))
        pub = bytes.fromhex(r.PUBLISHED)
        tweak = int.from_bytes(hmac.new(pub, root, hashlib.sha512).digest()[:32], "big") % model.N
        keys["child key"] = ((int.from_bytes(master, "big") + tweak) % model.N).to_bytes(32, "big")
        pids = rig.role_pids()
        # The search finds what is there: sign has the master, in either byte order.
        self.assertTrue(found(memory_of(pids["sign", 0]), master), "the search itself does not work")
        for (name, instance), pid in pids.items():
            if name in ("web", "judge", "fetch", "book", "trial"):
                memory = memory_of(pid)
                self.assertGreater(len(memory), 100000)
                for what, key in keys.items():
                    self.assertFalse(found(memory, key), f"{name} {instance} holds the {what}")
        self.assertFalse(found(memory_of(pids["disk", 0]), master), "disk holds the master key")
        self.assertFalse(found(memory_of(pids["sign", 0]), z), "sign holds the shared secret")
        self.assertFalse(found(memory_of(pids["keeper", 0]), z), "the keeper keeps the shared secret after use")


    def test_no_session_key_in_the_memory_of_web(self):
        rig = self.rig()
        self.assertEqual(self.signed(rig)[0], 200)
        request = json.dumps(r.spend("5120" + self.output_key(rig))).encode()
        master = bytes.fromhex(r.PUBLISHED)
        client, said = b"\x03" * 32, json.loads(rig.get("/v1/channel")[2])
        shared = hpke.secure_key(client, master)
        x, y = model.point_mul(int.from_bytes(client, "big"), model.lift_x(int.from_bytes(master[1:], "big")))
        keys = {"session key of the earlier protocol": shared, "shared point": x.to_bytes(32, "big")}
        public = model.compressed(model.point_mul(int.from_bytes(client, "big"), model.G)).hex()
        for i in range(5):
            code, _, answer = rig.request("POST", "/secure/verify-and-sign", hpke.secure_seal(shared, request),
                                          {"Content-Type": "application/json", "X-Client-Public-Key": public})
            self.assertEqual(code, 200)
            hpke.secure_open(shared, answer)
            ask = hpke.Ask(bytes.fromhex(said["key"]), bytes.fromhex(said["boot"]), int(time.time() * 1000), "POST", "/verify-and-sign", request)
            code, _, answer = rig.request("POST", "/v1/channel", ask.bytes, {})
            self.assertEqual((code, ask.read(answer)[0]), (200, 200))
            keys.update({f"request key {i}": ask.context.key, f"answer key {i}": ask.reply_key, f"exporter {i}": ask.context.exporter})
        pids = rig.role_pids()
        memory = memory_of(pids["web", 0])
        self.assertTrue(answer[40:80] in memory, "the search does not find what web had last")
        for what, key in keys.items():
            self.assertFalse(found(memory, key), f"web holds the {what}")
            for name in ("keeper", "sign", "judge"):   # nobody keeps it when the answer is out
                self.assertFalse(found(memory_of(pids[name, 0]), key), f"{name} keeps the {what}")
        z = bytes.fromhex("93c6170b8a3fa78d0fa90972bae7feed706f13bd3733c7457a6843ae368bcf20")
        channel = keyring_model.keys(z, bytes.fromhex(rig.status()["service_id"]), rig.arn, bytes.fromhex(r.BLOCKHASH))["channel key"]
        self.assertEqual(hpke.x25519(channel, hpke.BASE).hex(), said["key"])
        for name, instance in pids:
            self.assertEqual(found(memory_of(pids[name, instance]), channel), name == "keeper", f"{name} and the channel's key")


def found(memory, key):
    return key in memory or key[::-1] in memory or key.hex().encode() in memory.lower()


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: needs root (loop device, mounts, /proc/PID/mem)")
        sys.exit(77)
    unittest.main(verbosity=2)
