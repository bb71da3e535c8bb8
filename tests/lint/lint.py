#!/usr/bin/env python3
"""The house rules that a compiler does not know. Prints each breach with its place; exit 1 if there is one."""
import os
import re
import subprocess
import sys

ROOT = sys.argv[1]

# Folder -> folders whose headers it may include (its own always).
MAY_INCLUDE = {
    "core": [],
    "keystore": ["core"], "diskcrypt": ["core"], "signer": ["core"], "policy": ["core"],
    "daemon": ["core", "keystore", "diskcrypt", "signer", "policy"],
    "parent": ["core", "signer/headers.h", "diskcrypt/manifest.h", "diskcrypt/chunk.h", "keystore/announce.h", "keystore/attest.h", "keystore/cose.h",
               "keystore/eif.h", "keystore/nitro_root.h", "keystore/pem.h", "policy/document.h", "policy/entry.h", "policy/judge.h", "policy/maintainer.h", "policy/nostr.h", "policy/sshsig.h", "policy/statement.h", "policy/checkpoint.h", "policy/cosign.h", "policy/log.h", "policy/note.h", "policy/tail.h", "policy/witness.h", "policy/witnesses.h", "keystore/channel.h",
               "keystore/key_evidence.h", "keystore/key_policy.h", "keystore/key_finding.h", "signer/address.h", "signer/child.h", "signer/rules.h", "signer/taproot.h", "signer/ec.h", "signer/tx.h"],
    "sim": ["core", "keystore/attest.h", "keystore/cose.h", "keystore/nsm_codec.h", "keystore/arn.h", "keystore/sigv4.h",
            "keystore/cbor.h"],
}
# What only holdfastd may link, and so neither parent nor sim may include.
SECRET_HEADERS = ["core/secret.h", "core/crypto.h", "core/sandbox.h"]

# Header prefix of a library -> the files that may name it.
LIBRARIES = {
    r"openssl/": ["core/hash.c", "core/crypto.c", "core/gcm.c", "core/aead.c", "keystore/hpke.c", "keystore/nums.c", "keystore/p256.c", "keystore/recipient.c", "keystore/envelope.c",
                  "keystore/attest_verify.c", "keystore/cose.c", "keystore/http.c", "policy/signature.c", "parent/witness_key.c", "sim/"],
    r"libcryptsetup": ["diskcrypt/luks.c"],
    r"cbor\.h": ["keystore/cbor.c", "keystore/cose.c"],
    r"secp256k1": ["signer/ec.c", "signer/keys.c", "signer/child.c", "policy/signature.c"],
    r"curl/": ["keystore/http.c", "keystore/kms.c", "parent/anchor_wire.c", "parent/http.c", "parent/s3_wire.c"],
    r"jansson\.h": ["daemon/web", "keystore/json", "keystore/kms.c", "keystore/key_policy.c", "keystore/key_evidence", "keystore/creds.c", "parent/", "sim/"],
    r"microhttpd\.h": ["daemon/web", "parent/witness_http.c", "sim/"],
    r"sqlite3\.h": ["daemon/book.c", "daemon/book_db.c", "daemon/book_own.h", "parent/witness_db.c"],
    r"seccomp\.h": ["core/sandbox.c"],
    r"intel-ipsec-mb\.h": ["core/gcm_ipsec.c"],
    r"ini\.h": ["core/conf.c"],
}
LINES_MAX, FUNCTION_MAX = 500, 60
CODE = ("core", "keystore", "diskcrypt", "signer", "policy", "daemon", "parent", "sim")
# Names that must not be in a program, with the reason.
FORBIDDEN_SYMBOLS = {
    ("parent", "holdfast"): (["secret_new", "secret_reveal", "gcm_open_key", "signer_sign"], "it must not be able to hold a secret"),
    ("daemon", "holdfastd"): (["signer_sign_with_aux", "store_memory_new", "blk_volatile", "blk_faulty", "io_faulty"], "a test's entry is in production"),
}
faults = []


def fault(place, text):
    faults.append(f"{place}: {text}")


def sources(folders, endings=(".c", ".h")):
    for folder in folders:
        for d, _, files in os.walk(os.path.join(ROOT, folder)):
            for f in sorted(files):
                if f.endswith(endings):
                    path = os.path.join(d, f)
                    with open(path, encoding="utf-8") as text:
                        yield os.path.relpath(path, ROOT), text.read()


def check_includes(name, text):
    folder = name.split("/")[0]
    for number, line in enumerate(text.splitlines(), 1):
        own = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if own:
            target = own.group(1)
            allowed = target.startswith(folder + "/") or any(
                target == a or target.startswith(a + "/") for a in MAY_INCLUDE[folder])
            if not allowed:
                fault(f"{name}:{number}", f"{folder} may not include {target}")
            if folder in ("parent", "sim") and target in SECRET_HEADERS:
                fault(f"{name}:{number}", f"{folder} may not include {target}: it must not hold secrets")
        system = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
        for prefix, users in LIBRARIES.items() if system else ():
            if re.match(prefix, system.group(1)) and not any(name.startswith(u) for u in users):
                fault(f"{name}:{number}", f"may not name {system.group(1)}; only {', '.join(users)}")


def check_words(name, text):
    code = re.sub(r"/\*.*?\*/|//[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)
    for number, (line, whole) in enumerate(zip(code.splitlines(), text.splitlines()), 1):
        if re.search(r"\bgoto\b", line):
            fault(f"{name}:{number}", "goto")
        if re.search(r"\b(TODO|FIXME|XXX)\b", whole):
            fault(f"{name}:{number}", "an unfinished thought")
        if name.split("/")[0] in CODE and re.search(r"\b(gets|strcat|sprintf|vsprintf|alloca|system|popen)\s*\(", line):
            fault(f"{name}:{number}", "a function that is not used here")
        if name.split("/")[0] in ("core", "keystore", "diskcrypt", "signer", "policy", "daemon") and re.search(r"\bpthread_", line):
            fault(f"{name}:{number}", "no threads where secrets live")


def check_size(name, text):
    lines = text.count("\n")
    if lines > LINES_MAX:
        fault(name, f"{lines} lines; {LINES_MAX} is the most")
    start = None
    for number, line in enumerate(text.splitlines(), 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            if number - start > FUNCTION_MAX:
                fault(f"{name}:{start}", f"a function of {number - start} lines")
            start = None


def check_reveal():
    """The doors to a secret's bytes: every caller is a reviewed line."""
    seen = {}
    for name, text in sources(CODE):
        count = len(re.findall(r"\bsecret_(?:reveal|peek)\s*\(", text))
        if count and not name.startswith("core/secret."):
            seen[name] = count
    allow = os.path.join(ROOT, "tests", "reveal.allow")
    allowed = {}
    with open(allow, encoding="utf-8") as f:
        for line in f:
            words = line.split("#")[0].split()
            if words:
                allowed[words[0]] = int(words[1])
    for name in sorted(set(seen) | set(allowed)):
        if seen.get(name, 0) != allowed.get(name, 0):
            fault(name, f"{seen.get(name, 0)} calls of secret_reveal/secret_peek, tests/reveal.allow says {allowed.get(name, 0)}")


def check_symbols():
    build = os.environ.get("HOLDFAST_BUILD", os.path.join(ROOT, "build"))
    for (folder, program), (names, why) in FORBIDDEN_SYMBOLS.items():
        path = os.path.join(build, folder, program)
        if not os.path.exists(path):
            continue
        out = subprocess.run(["nm", path], capture_output=True, text=True)
        symbols = {line.split()[-1] for line in out.stdout.splitlines() if line.strip()}
        if not symbols:
            fault(path, "nm reads no symbols")
        for name in names:
            if name in symbols:
                fault(f"{folder}/{program}", f"links {name}: {why}")


def main():
    for name, text in sources(CODE):
        check_includes(name, text)
        check_words(name, text)
        check_size(name, text)
    for name, text in sources(["tests"], (".c", ".h", ".py")):
        if name != "tests/lint/lint.py":
            check_words(name, text)
        if text.count("\n") > LINES_MAX:
            fault(name, f"{text.count(chr(10))} lines; {LINES_MAX} is the most")
    check_reveal()
    check_symbols()
    for f in faults:
        print(f)
    print(f"lint: {len(faults)} breaches" if faults else "lint: clean")
    sys.exit(1 if faults else 0)


main()
