#!/usr/bin/env python3
"""Trim trailing white space and final blank lines of every tracked text file; --check only tells."""
import os
import subprocess
import sys

ENDINGS = (".c", ".h", ".py", ".md", ".txt", ".cmake", ".ini", ".sh", ".yml", ".allow", ".1", ".8")


def tidy(text):
    lines = [line.rstrip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines) + "\n"


def main():
    root, check = sys.argv[1], "--check" in sys.argv[2:]
    listed = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True)
    files = listed.stdout.splitlines()
    if listed.returncode:     # not a checkout: every file there is
        files = [os.path.relpath(os.path.join(d, f), root) for d, _, fs in os.walk(root) for f in fs]
    wrong = 0
    for name in files:
        path = os.path.join(root, name)
        if not (name.endswith(ENDINGS) or os.path.basename(name) in ("dev", "run")) or not os.path.isfile(path):
            continue
        with open(path, encoding="utf-8") as f:
            text = f.read()
        if text and tidy(text) != text:
            wrong += 1
            print(("needs tidying: " if check else "tidied: ") + name)
            if not check:
                with open(path, "w", encoding="utf-8") as f:
                    f.write(tidy(text))
    if check and wrong:
        print("run ./dev fmt")
    sys.exit(1 if check and wrong else 0)


main()
