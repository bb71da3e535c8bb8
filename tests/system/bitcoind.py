"""A bitcoind of this machine's own Debian mirror, on regtest: the judge of what a signed transaction is worth.

obtain() downloads and unpacks it once, with the libraries and the loader that it was built for, into one
folder; nothing is installed. It works with an apt that has a root of its own: the machine's apt is
only read, for the mirror, the proxy and the archive's keys. Unavailable says why it cannot be had.

Only `generateblock` says what is valid: what the node's mempool takes is its policy, and not asked.

Standard library only; needs apt-get and dpkg-deb."""
import base64
import decimal
import glob
import http.client
import json
import os
import re
import shutil
import subprocess
import time

import rig as r

# The first Debian with this package, and the suite that has it.
RELEASE, SUITE, PACKAGE = "trixie", "trixie-backports", "bitcoin-knots"
COIN = 100_000_000


class Unavailable(Exception):
    """There is no bitcoind to be had here, and this is why."""


class Refused(Exception):
    """The node's answer was an error: its code and its words."""

    def __init__(self, code, words):
        super().__init__(f"{words} ({code})")
        self.code, self.words = code, words


# ---- getting it ----

def run(*words, seconds=120, **more):
    try:
        out = subprocess.run(words, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, **more)
    except FileNotFoundError:
        raise Unavailable(f"there is no {words[0]} here")
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{' '.join(words[:2])} took longer than {seconds} s")
    if out.returncode:
        last = (out.stderr.strip() or out.stdout.strip() or "no words").splitlines()[-1]
        raise Unavailable(f"{' '.join(words[:2])}: {last}")
    return out.stdout


def mirror():
    """Where this machine's apt takes its Debian from."""
    system = {}
    if os.path.exists("/etc/os-release"):
        with open("/etc/os-release", encoding="utf-8") as f:
            system = dict(line.strip().replace('"', "").split("=", 1) for line in f if "=" in line)
    if system.get("ID") != "debian":
        raise Unavailable("this is no Debian: its apt knows no mirror that has the package")
    listed = run("apt-get", "--print-uris", "update")
    found = re.search(rf"^'(\S+)/dists/{re.escape(system.get('VERSION_CODENAME', ''))}/(?:In)?Release'", listed, re.M)
    if not found:
        raise Unavailable("apt's configuration names no mirror of this Debian")
    return found.group(1)


def apt_root(folder):
    """A root for an apt of our own. Returns the environment in which apt-get uses it, and nothing else.

    APT_CONFIG is read before everything else, so the system's folder of settings, with its hooks,
    is not: only how to fetch is taken over."""
    for d in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "etc/apt/trusted.gpg.d", "var/lib/dpkg",
              "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt"):
        os.makedirs(os.path.join(folder, d))
    trusted = run("apt-config", "shell", "D", "Dir::Etc::trustedparts/d").split("'")
    for key in glob.glob((trusted[1] if len(trusted) > 1 else "/etc/apt/trusted.gpg.d/") + "*") + glob.glob("/usr/share/keyrings/debian-archive*"):
        link = os.path.join(folder, "etc/apt/trusted.gpg.d", os.path.basename(key))
        if not os.path.lexists(link):
            os.symlink(key, link)
    fetching = [line for line in run("apt-config", "dump").splitlines()
                if line.startswith("Acquire::") and "IndexTargets" not in line]
    config = os.path.join(folder, "apt.conf")
    with open(config, "w", encoding="utf-8") as f:
        f.write("\n".join(fetching) + f"""
Dir "{folder}/";
Dir::State::status "{folder}/var/lib/dpkg/status";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
""")
    open(os.path.join(folder, "var/lib/dpkg/status"), "w").close()
    site = mirror()
    with open(os.path.join(folder, "etc/apt/sources.list"), "w", encoding="utf-8") as f:
        f.write(f"deb {site} {RELEASE} main\ndeb {site} {SUITE} main\n")
    return {**os.environ, "APT_CONFIG": config, "LC_ALL": "C"}


def fetch(folder):
    """Fill folder/root with the unpacked packages."""
    apt = os.path.join(folder, "apt")
    env = apt_root(apt)
    run("apt-get", "update", "-qq", "--error-on=any", env=env)
    run("apt-get", "install", "-qq", "-y", "--download-only", "-t", SUITE, PACKAGE, env=env)
    debs = glob.glob(os.path.join(apt, "var/cache/apt/archives/*.deb"))
    root = os.path.join(folder, "root")
    os.makedirs(root)
    for deb in debs:
        run("dpkg-deb", "--extract", deb, root)
    shutil.rmtree(apt)


def command(folder):
    """The words that start the unpacked program under its own loader."""
    root = os.path.join(folder, "root")
    loader = glob.glob(os.path.join(root, "usr/lib*/ld-linux*.so.*")) + glob.glob(os.path.join(root, "usr/lib/*/ld-linux*.so.*"))
    libraries = [os.path.join(d, "") for d in glob.glob(os.path.join(root, "usr/lib/*-linux-gnu*"))]
    program = os.path.join(root, "usr/bin/bitcoind")
    if not loader or not libraries or not os.path.exists(program):
        raise Unavailable("the packages came without bitcoind, its loader or its libraries")
    libraries += [os.path.join(libraries[0], "systemd")]
    return [loader[0], "--library-path", ":".join(libraries), program]


def obtain(cache):
    """The words that start bitcoind, from `cache` or, the first time, from the mirror. Raises Unavailable."""
    folder = os.path.join(os.path.abspath(cache), "bitcoind")
    if not os.path.exists(folder):
        fresh = f"{folder}.{os.getpid()}"
        try:
            os.makedirs(fresh)
            fetch(fresh)
            os.rename(fresh, folder)          # whole or not at all
        except OSError as why:
            if not os.path.exists(folder):
                raise Unavailable(f"it cannot be unpacked: {why}")
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    words = command(folder)
    run(*words, "--version", seconds=20)
    return words


# ---- running it ----

class Node:
    """A regtest chain of our own in `folder`, with nobody to talk to."""

    def __init__(self, words, folder):
        os.makedirs(folder)
        self.folder, self.port, self.link = folder, r.free_port(), None
        self.process = r.Process("bitcoind", [
            *words, "-regtest", "-datadir=" + folder, "-listen=0", "-connect=0", "-dnsseed=0", "-fixedseeds=0", "-server=1",
            "-disablewallet=1", "-rpcbind=127.0.0.1", "-rpcallowip=127.0.0.1", f"-rpcport={self.port}", "-par=1", "-dbcache=16",
            "-printtoconsole=1"], folder + ".log")
        try:
            self.wait()
        except BaseException:
            self.close()
            raise

    def wait(self, seconds=60):
        end = time.monotonic() + seconds
        while True:
            try:
                self.call("getblockcount")
                return
            except (OSError, http.client.HTTPException, Refused) as why:
                if not self.process.alive() or time.monotonic() > end:
                    raise r.Failure(f"bitcoind does not answer ({why}):\n" + "\n".join(self.process.text().splitlines()[-12:]))
                self.hang_up()
                time.sleep(0.05)

    def hang_up(self):
        if self.link:
            self.link.close()
        self.link = None

    def call(self, method, *args):
        if self.link is None:
            with open(os.path.join(self.folder, "regtest", ".cookie"), "rb") as f:
                self.key = base64.b64encode(f.read()).decode()
            self.link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        body = json.dumps({"jsonrpc": "1.0", "id": 1, "method": method, "params": args})
        self.link.request("POST", "/", body, {"Authorization": "Basic " + self.key, "Content-Type": "application/json"})
        answer = self.link.getresponse()
        text = answer.read()
        if answer.status == 401 or not text.startswith(b"{"):
            raise http.client.HTTPException(f"{answer.status} {text[:80]!r}")
        said = json.loads(text, parse_float=decimal.Decimal)
        if said["error"]:
            raise Refused(said["error"]["code"], said["error"]["message"])
        return said["result"]

    def check_rules(self):
        """That the rules of this chain are Bitcoin's as far as they matter here."""
        known = self.call("getdeploymentinfo")["deployments"]
        foreign = [name for name in known if "rdts" in name.lower() or "blake2b" in name.lower()]
        if foreign:
            raise r.Failure(f"the node has rules that are not Bitcoin's: {foreign}")
        if not known["taproot"]["active"]:
            raise r.Failure("taproot is not active")

    def close(self):
        self.hang_up()
        try:
            self.process.stop(wait=20)
        except r.Failure:
            pass
        self.process.kill()
        self.process.log.close()


class Chain:
    """Coins for a test. Everybody may spend what is mined here (a bare OP_TRUE), so that
    paying to a script needs no signature and no wallet."""
    OPEN = b"\x51"

    def __init__(self, node, coins=12):
        self.node = node
        node.check_rules()
        self.open = [self.coinbase(h) for h in node.call("generatetodescriptor", coins, self.descriptor())]
        node.call("generatetodescriptor", 100, self.descriptor())       # a coinbase is 100 blocks young before it can be spent

    def descriptor(self):
        return self.node.call("getdescriptorinfo", f"raw({self.OPEN.hex()})")["descriptor"]

    def coinbase(self, block):
        tx = self.node.call("getblock", block, 2)["tx"][0]
        return {"txid": tx["txid"], "vout": 0, "value": int(tx["vout"][0]["value"] * COIN), "script": self.OPEN}

    def mine(self, *txs):
        """A block with just these transactions (hex). Returns their ids. Raises Refused."""
        block = self.node.call("generateblock", self.descriptor(), list(txs))["hash"]
        return self.node.call("getblock", block, 1)["tx"][1:]

    def grow(self, blocks):
        self.node.call("generatetodescriptor", blocks, self.descriptor())

    def unspent(self, coin):
        return self.node.call("gettxout", coin["txid"], coin["vout"], False) is not None

    def fund(self, model, *scripts, value=100_000):
        """One coin on chain for each output script."""
        source = self.open.pop()
        outs = [{"value": value + i, "script": s} for i, s in enumerate(scripts)]
        tx = {"version": 2, "locktime": 0, "out": outs,
              "in": [{"txid": bytes.fromhex(source["txid"])[::-1], "vout": 0, "script_sig": b"", "sequence": 0xFFFFFFFF, "witness": []}]}
        txid, = self.mine(model.tx_bytes(tx).hex())
        return [{"txid": txid, "vout": i, **o} for i, o in enumerate(outs)]
