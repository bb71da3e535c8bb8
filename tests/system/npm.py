"""Packages from the npm registry for one suite, by their exact versions, into a folder of the build tree, without running
scripts of packages. Where node, npm or the registry is missing, the suite is skipped and says which."""
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
INSTALL_SECONDS = 150


def skip(why):
    print("SKIP: " + why)
    sys.exit(77)


def install(suite, build):
    """What suite/package.json wants, installed; the suite's files copied beside it. Returns that folder."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            skip(f"the {program} program is missing")
    source, cache = os.path.join(HERE, suite), os.path.join(build, suite)
    os.makedirs(cache, exist_ok=True)
    for file in os.listdir(source):
        shutil.copy(os.path.join(source, file), cache)
    with open(os.path.join(cache, "package.json")) as f:
        wanted = json.load(f)["dependencies"]

    def there(name):
        try:
            with open(os.path.join(cache, "node_modules", name, "package.json")) as f:
                return json.load(f)["version"] == wanted[name]
        except OSError:
            return False
    if all(map(there, wanted)):
        return cache
    try:
        out = subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"],
                             cwd=cache, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        why = (out.stderr.strip().splitlines() or ["no reason"])[0]
    except subprocess.TimeoutExpired:
        why = f"no answer in {INSTALL_SECONDS} s"
    if not all(map(there, wanted)):
        shutil.rmtree(os.path.join(cache, "node_modules"), ignore_errors=True)
        skip("the packages did not come from the npm registry: " + why)
    return cache
