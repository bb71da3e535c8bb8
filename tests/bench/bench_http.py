#!/usr/bin/env python3
"""The signer over HTTP: a whole enclave (simulated KMS), asked with keep-alive on 64 connections by wrk, against the same
work in process on the same processors; one large transaction against many; what a judge's memory comes to.

    bench_http.py BUILD       HOLDFAST_BENCH_SECONDS: how long wrk asks (10). Skipped without root or wrk."""
import http.client
import json
import os
import shutil
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.join(HERE, "..", "system"), os.path.join(HERE, "..", "models")]
import bip341_verify as model
import rig as r

SECONDS = float(os.environ.get("HOLDFAST_BENCH_SECONDS", "10"))
ENCLAVE = "to the enclave"
CONNECTIONS, MANY, RUNS, BODY_MAX = 64, 1000, 3, 4 << 20


def say(name, value, unit, goal=""):
    print(json.dumps({"name": name, "value": value, "unit": unit, "goal": goal}), flush=True)


def skip(why):
    print(why)
    sys.exit(77)


def request_of(build, inputs, key):
    """A request of so many signed inputs, as clients write it."""
    raw = bytes.fromhex(subprocess.run([os.path.join(build, "tests", "bench_sign"), "request", str(inputs), key], capture_output=True, text=True, check=True).stdout)
    n, = struct.unpack_from("<I", raw)
    tx = model.tx_from_hex(raw[4:4 + n].hex())
    value, size = struct.unpack_from("<QI", raw, 4 + n + 4)
    script = raw[4 + n + 16:4 + n + 16 + size].hex()
    return {"emulated_tx_to": {
                "version": tx["version"], "lock_time": tx["locktime"],
                "input": [{"previous_output": f"{i['txid'][::-1].hex()}:{i['vout']}", "script_sig": "", "sequence": i["sequence"], "witness": [w.hex() for w in i["witness"]]} for i in tx["in"]],
                "output": [{"value": o["value"], "script_pubkey": o["script"].hex()} for o in tx["out"]]},
            "actual_spent_outputs": [{"value": value, "script_pubkey": script}] * inputs, "backup_merkle_roots": {}}


def in_process(build, seconds):
    """Inputs a second, on all processors at once; and seconds of processor time for one."""
    runs = [subprocess.Popen([os.path.join(build, "tests", "bench_sign"), "rate", str(seconds)], stdout=subprocess.PIPE, text=True) for _ in range(os.cpu_count())]
    rates, costs = zip(*(map(float, p.communicate()[0].split()) for p in runs))
    return sum(rates), sum(costs) / len(costs)


def wrk(url, body, seconds):
    out = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--timeout", "30s", "-s", os.path.join(HERE, "wrk.lua"), url],
                         env=dict(os.environ, HOLDFAST_BENCH_BODY=body), capture_output=True, text=True, check=True)
    return json.loads(out.stdout.splitlines()[-1])


def cpu(pids):
    """Seconds of processor time that these processes, and the children of this one that have ended, took so far."""
    own = os.times()
    total = own.children_user + own.children_system
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            total += sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")
    return total


def measure(build, rig, where, url, body):
    pids = [*rig.role_pids().values(), rig.parent.proc.pid]
    before, cost = in_process(build, SECONDS / 4)
    wrk(url, body, 1)
    begin = cpu(pids)
    got = wrk(url, body, SECONDS)
    each = (cpu(pids) - begin) / got["requests"]
    after, cost_after = in_process(build, SECONDS / 4)
    here, cost = (before + after) / 2, (cost + cost_after) / 2
    rate = got["requests"] / got["us"] * 1e6
    say(f"one emulated input over HTTP, {where}, against in process", rate / here, "x", ">= 0.6" if where == ENCLAVE else "")
    say(f"one emulated input over HTTP, {where}", rate, "1/s")
    say(f"the same in process, {os.cpu_count()} processors", here, "1/s")
    # This one is worth something on a machine that has other work as well.
    say(f"processor time of one input: in process against over HTTP (wrk's with it), {where}", cost / each, "x")
    say(f"p99 against the median, {where}", got["p99"] / got["p50"], "x", "<= 10")
    say(f"the median, {where}", got["p50"] / 1000, "ms")
    say(f"failed requests of {got['requests']}, {where}", got["failed"], "", "<= 0")


def ask(con, path, body):
    con.request("POST", path, body, {"Content-Type": "application/json"})
    answer = con.getresponse()
    return answer.status, answer.read()


def linear(build, rig, key):
    """On one connection: a transaction of 1,000 inputs, and 1,000 of one."""
    con = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=60)
    times = {}
    for inputs in (MANY, 1):
        body, runs = json.dumps(request_of(build, inputs, key)), []
        for _ in range(RUNS):
            begin = time.monotonic()
            for _ in range(MANY // inputs):
                status, answer = ask(con, "/verify-and-sign", body)
                assert status == 200, answer[:300]
            runs.append(time.monotonic() - begin)
        times[inputs] = sorted(runs)[RUNS // 2]
    con.close()
    say("1,000 inputs in one transaction over HTTP / 1,000 of one, one after the other", times[MANY] / times[1], "x", "<= 1.3")


def largest(build, key):
    """Bodies near the limit: as many inputs as the weight allows, the longest script, and the largest number of outputs."""
    one = request_of(build, 1, key)
    out = one["actual_spent_outputs"][0]
    tx = {"version": 2, "locktime": 0, "in": [{"txid": bytes(32), "vout": i, "script_sig": b"", "sequence": 0, "witness": []} for i in range(24000)],
          "out": [{"value": 1, "script": b""}]}
    spent = [out] + ["0000000000000000" + "00"] * (len(tx["in"]) - 1)
    tx["in"][0]["witness"] = [bytes.fromhex(w) for w in one["emulated_tx_to"]["input"][0]["witness"]]
    yield "24,000 inputs", json.dumps({"emulated_tx_to": model.tx_bytes(tx).hex(), "actual_spent_outputs": spent}, separators=(",", ":"))
    script = "61" * ((BODY_MAX - 4096) // 2) + "51"
    root = model.leaf_hash(bytes.fromhex(script))
    yield "a script of 2 MB", json.dumps(r.spend("5120" + model.emulated_key(bytes.fromhex(key), root).hex(), script=script, parity=r.parity(model, root)))
    many = dict(one, emulated_tx_to=dict(one["emulated_tx_to"], output=[{"value": 1, "script_pubkey": ""}] * 100000))
    yield "100,000 outputs", json.dumps(many, separators=(",", ":"))


def peak(pid):
    """(its own, with all of the files that it maps) in MiB; of those files, its own is the proportional share."""
    def kib(file, name):
        with open(f"/proc/{pid}/{file}") as f:
            return next(int(line.split()[1]) for line in f if line.startswith(name + ":"))
    whole = kib("status", "VmHWM")
    return (whole - kib("status", "RssFile") + kib("smaps_rollup", "Pss_File")) / 1024, whole / 1024


def memory(build, rig, key):
    for what, body in largest(build, key):
        assert len(body) <= BODY_MAX, (what, len(body))
        con = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=60)
        status, answer = ask(con, "/verify-and-sign", body)
        assert status in (200, 400), (what, answer[:300])
        con.close()
        print(f"bench_http: {what}: {status} {answer[:100]}", file=sys.stderr)
        own, whole = max(peak(pid) for (name, _), pid in rig.role_pids().items() if name == "judge")
        say(f"memory of a judge at its peak, after {what}", own, "MiB", "<= 16")
        say("that with all of the libraries, which the roles share", whole, "MiB")


def main():
    if os.geteuid() != 0:
        skip("needs root (loop device, mounts)")
    if not shutil.which("wrk"):
        skip("wrk is not installed")
    build = sys.argv[1]
    with r.Rig(build, options={"web": f"tcp:127.0.0.1:{r.free_port()}", "interval": "1h", "level": "warn"}) as rig:
        rig.simulator()
        rig.start_parent()
        rig.start_enclave()
        assert rig.setup()[0] == 200
        key = rig.status()["public_key"]
        memory(build, rig, key)
        body = rig.path("body.json")
        with open(body, "w") as f:
            json.dump(request_of(build, 1, key), f)
        measure(build, rig, ENCLAVE, "http://" + rig.options["web"][4:] + "/verify-and-sign", body)
        measure(build, rig, "through the parent", f"http://127.0.0.1:{rig.port}/verify-and-sign", body)     # which has its own processors in earnest
        linear(build, rig, key)


if __name__ == "__main__":
    main()
