#!/usr/bin/env python3
"""Signature Version 4 a second time, from its description, to compare sigv4.c with.

usage: sigv4.py PROGRAM [SEED [COUNT]]     PROGRAM prints cases and answers: prop_keystore_sigv4
       sigv4.py --selftest                 AWS's published example
"""
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys


def mac(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


def authorization(method, headers, body, time, region, service, access, secret, path=b"/"):
    """The Authorization header; headers is a list of (name, value), all of them signed. Bytes in, bytes out."""
    headers = sorted((name, re.sub(rb"[ \t]+", b" ", value.strip(b" \t"))) for name, value in headers)
    names = b";".join(name for name, _ in headers)
    canonical = b"\n".join([method, path, b""] + [n + b":" + v for n, v in headers] + [b"", names, hashlib.sha256(body).hexdigest().encode()])
    scope = b"/".join([time[:8], region, service, b"aws4_request"])
    text = b"\n".join([b"AWS4-HMAC-SHA256", time, scope, hashlib.sha256(canonical).hexdigest().encode()])
    key = b"AWS4" + secret
    for part in (time[:8], region, service, b"aws4_request"):
        key = mac(key, part)
    return b"AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s" % (access, scope, names, mac(key, text).hex().encode())


def selftest():
    made = authorization(b"GET", [(b"host", b"example.amazonaws.com"), (b"x-amz-date", b"20150830T123600Z")], b"", b"20150830T123600Z",
                         b"us-east-1", b"service", b"AKIDEXAMPLE", b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    assert made.endswith(b"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"), made


def main(program, seed=None, count="300"):
    selftest()
    if program == "--selftest":
        return
    seed = seed or str(int.from_bytes(os.urandom(4), "big"))
    done = subprocess.run([program, seed, count], stdout=subprocess.PIPE, check=True, text=True)
    lines = done.stdout.splitlines()
    if len(lines) != int(count):
        sys.exit(f"{len(lines)} cases, {count} were asked for")
    for number, line in enumerate(lines):
        case = json.loads(line)
        get = {k: bytes.fromhex(v) for k, v in case.items() if k != "headers"}
        headers = [(bytes.fromhex(h["name"]), bytes.fromhex(h["value"])) for h in case["headers"]]
        made = authorization(get["method"], headers, get["body"], get["time"], get["region"], b"kms", get["access"], get["secret"])
        if made != get["authorization"]:
            sys.exit(f"seed {seed}, case {number}:\n C      {get['authorization']}\n model  {made}")
    print(f"{len(lines)} requests signed the same by both (seed {seed})")


if __name__ == "__main__":
    main(*sys.argv[1:])
