#!/usr/bin/env python3
"""What witnessing adds to a seal: a checkpoint over the link to a real `holdfast run`, which asks three real `holdfast witness serve`; against
the slowest answer of the same three when they are asked directly, all at once, for a log of its own: they share a disk here, as independent
ones do not. Both prove a growth by one entry."""
import base64
import http.client
import json
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
BUILD = sys.argv[1]
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "system"), os.path.join(HERE, "..", "models")]
import parent_rig
parent_rig.PROGRAM.append(os.path.join(BUILD, "parent", "holdfast"))
from log_rig import M, T, Witnesses, life, simple_life
import merkle

ROUNDS, WARM = 121, 5
ANCHOR, ANCHORED = 0x10d, 0x10e


def say(name, value, unit, goal=""):
    print(json.dumps({"name": name, "value": value, "unit": unit, "goal": goal}), flush=True)


def start_parent(folder, policy):
    ini, link = os.path.join(folder, "parent.ini"), os.path.join(folder, "link.sock")
    with open(ini, "w") as f:
        f.write(f"[parent]\nlisten = tcp:127.0.0.1:0\nenclave = unix:{folder}/web.sock\nlink = unix:{link}\n"
                f"[store]\ndir = {folder}/store\n[witness]\npolicy = {policy}\n[log]\nlevel = error\n")
    p = subprocess.Popen([parent_rig.PROGRAM[0], "run", "--json", "--config", ini], stdout=subprocess.PIPE, text=True)
    json.loads(p.stdout.readline())
    one = parent_rig.Link(link, timeout=60)
    assert one.hello(purpose=3) == (parent_rig.READY, b"")
    return p, one


def through_parent(one, tail, note):
    body = struct.pack("<I", 20000) + parent_rig.var(note) + parent_rig.var(tail.encode())
    begin = time.perf_counter()
    kind, got = one.ask(ANCHOR, body)
    took = time.perf_counter() - begin
    assert kind == ANCHORED and struct.unpack("<QI", got[:12]) == (0, 3), (kind, got)
    return took


def request_of(log, old):
    proof = merkle.proof(old, log.entries) if 0 < old < len(log.entries) else []
    body = f"old {old}\n".encode() + b"".join(base64.b64encode(h) + b"\n" for h in proof) + b"\n" + log.note()
    # In one piece, so that no half of it waits for an acknowledgement of the other.
    return b"POST /add-checkpoint HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def directly(connections, log, old):
    """Asked all at once; the time until the last has answered."""
    request = request_of(log, old)
    begin = time.perf_counter()
    for c in connections:
        c.sendall(request)
    for c in connections:
        answer = http.client.HTTPResponse(c, method="POST")
        answer.begin()
        answer.read()
        assert answer.status == 200, answer.status
    return time.perf_counter() - begin


def grow(log, round_):
    log.entries.append(life.seal(T + 100 + round_, 100 + round_, M[round_ % 32]))


def measure(folder):
    ours, theirs = life.Log(folder), life.Log(folder, b"another")
    witnesses = Witnesses(folder, ours.vkey)
    for i in range(3):
        subprocess.run([parent_rig.PROGRAM[0], "witness", "add", "--dir", os.path.join(folder, f"w{i}"), "--log", theirs.vkey], check=True, stdout=subprocess.DEVNULL)
    parent, one = start_parent(folder, witnesses.policy)
    straight, all_three, connections = [], [], []
    try:
        with open(witnesses.policy) as f:
            ports = [int(line.rsplit(":", 1)[1]) for line in f if line.startswith("witness")]
        connections = [socket.create_connection(("127.0.0.1", p), 20) for p in ports]
        for c in connections:
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for log in (ours, theirs):
            simple_life(log)
        size = 0
        # By turns, so that a slow stretch of the disk is in both.
        for n in range(ROUNDS):
            grow(ours, n)
            grow(theirs, n)
            tail = life.store(os.path.join(folder, "store"), ours, 256)
            all_three.append(through_parent(one, tail, ours.note()))
            straight.append(directly(connections, theirs, size))
            size = len(theirs.entries)
    finally:
        for c in connections:
            c.close()
        one.close()
        parent.terminate()
        parent.wait()
        parent.stdout.close()
        witnesses.close()
    return statistics.median(all_three[WARM:]), statistics.median(straight[WARM:])


def main():
    if not shutil.which("openssl"):
        print("no openssl to sign with")
        sys.exit(77)
    folder = tempfile.mkdtemp(prefix="hf-bench-")
    try:
        ours, slowest = measure(folder)
    finally:
        shutil.rmtree(folder)
    say("witnessing by three, against the slowest's answer", ours / slowest, "x", "<= 1.3")
    say("witnessing by three, over the link", ours * 1000, "ms")
    say("the slowest answer of three asked at once", slowest * 1000, "ms")


main()
