"""The whole system on this machine: simulator, parent and enclave as real processes.

Used by the demo and by the system tests. Standard library only. Everything lives in
one temporary folder; close() ends every process and removes it."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

KMS_PRIVATE = "11" * 32          # the published vector's KMS key (confidential-script, end to end)
BLOCKHASH = "00" * 32
PUBLISHED = "0212ca12f16fbcf5d52920b12f4899b7a177285581e9cb72cd99ac8ba65e9d5d1a"
REGION, ACCOUNT = "us-east-1", "111122223333"
PCR0 = "5e" * 48


class Failure(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Process:
    def __init__(self, name, args, log):
        self.name, self.log_path = name, log
        self.log = open(log, "ab")
        self.proc = subprocess.Popen(args, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
                                     start_new_session=True)

    def alive(self):
        return self.proc.poll() is None

    def stop(self, sig=signal.SIGTERM, wait=30):
        if self.alive():
            self.proc.send_signal(sig)
        try:
            code = self.proc.wait(wait)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"{self.name} did not stop within {wait} s")
        return code

    def kill(self):
        if self.alive():
            self.proc.kill()
        self.proc.wait()

    def text(self):
        with open(self.log_path, "r", errors="replace") as f:
            return f.read()


class Unix(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Rig:
    def __init__(self, build, keep=False, options=None):
        self.build, self.keep = build, keep
        self.dir = tempfile.mkdtemp(prefix="holdfast-")
        os.chmod(self.dir, 0o711)
        self.procs, self.enclave, self.parent = [], None, None
        self.port = free_port()
        self.options = {"interval": "60s", "judges": "0", "size": "64M", "size_max": "0", "genesis": "open", "setup": "open", "id": "", "profile": "confidential-script-2", "credentials": "imds", "level": "info", "judge": "", "witness": "", "policy": "", "rules": "tapscript", "limits": ""}
        self.options.update(options or {})
        self.options.setdefault("web", "unix:" + self.path("web.sock"))
        self.starts = 0

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def program(self, name):
        folder = {"holdfastd": "daemon", "holdfast": "parent", "holdfast-sim": "sim"}[name]
        return os.path.join(self.build, folder, name)

    def start(self, name, *args, log=None):
        p = Process(name, list(args), self.path(log or name + ".log"))
        self.procs.append(p)
        return p

    # -- the simulator --------------------------------------------------------
    def simulator(self):
        sim, state = self.program("holdfast-sim"), self.path("sim")
        os.makedirs(state, exist_ok=True)
        self.kms_port, self.imds_port = free_port(), free_port()
        self.nsm = self.start("sim-nsm", sim, "nsm", "--state", state, "--listen", "unix:" + self.path("nsm.sock"), "--pcr", "0=" + PCR0)
        self.until(lambda: os.path.exists(self.path("nsm.sock")) and os.path.exists(self.path("sim", "nsm-root.pem")), "the simulated NSM", self.nsm)
        out = subprocess.run([sim, "kms", "--state", state, "--new-key", "--private", KMS_PRIVATE, "--region", REGION,
                              "--account", ACCOUNT, "--pcr0", PCR0], capture_output=True, text=True)
        if out.returncode:
            raise Failure("no KMS key: " + out.stderr)
        self.arn = [w for w in out.stdout.split() if w.startswith("arn:")][-1]
        self.imds = self.start("sim-imds", sim, "imds", "--state", state, "--listen", f"127.0.0.1:{self.imds_port}")
        self.kms = self.start("sim-kms", sim, "kms", "--state", state, "--listen", f"127.0.0.1:{self.kms_port}",
                              "--nsm-root", self.path("sim", "nsm-root.pem"))
        for port, p in ((self.imds_port, self.imds), (self.kms_port, self.kms)):
            self.until(lambda port=port: listening(port), p.name, p)

    # -- the parent -----------------------------------------------------------
    def start_parent(self, store="store", stores=None):
        """`stores`: lines of [store] instead of the folder."""
        os.makedirs(self.path(store), exist_ok=True)
        text = f"""[parent]
listen = tcp:127.0.0.1:{self.port}
enclave = {self.options['web']}
link = unix:{self.path('link.sock')}
egress = kms.{REGION}.amazonaws.com:443=127.0.0.1:{self.kms_port}, 169.254.169.254:80=127.0.0.1:{self.imds_port}
[store]
{stores or "dir = " + self.path(store)}
{'[witness]' + chr(10) + 'policy = ' + self.options['witness'] if self.options['witness'] else ''}
"""
        with open(self.path("parent.ini"), "w") as f:
            f.write(text)
        self.parent = self.start("parent", self.program("holdfast"), "run", "--config", self.path("parent.ini"))
        self.until(lambda: listening(self.port), "the parent", self.parent)

    def store(self, *parts):
        return self.path("store", *parts)

    # -- the enclave ----------------------------------------------------------
    def write_config(self):
        o = self.options
        text = f"""[service]
name = demo
genesis = {o['genesis']}
profile = {o['profile']}
rules = {o['rules']}
setup = {o['setup']}
{'id = ' + o['id'] if o['id'] else ''}
{'public_key = ' + o['public_key'] if o.get('public_key') else ''}
[web]
listen = {o['web']}
[parent]
link = unix:{self.path('link.sock')}
wait = 10s
[kms]
{'key = ' + o['kms_key'] if o.get('kms_key') else ''}
ca = {self.path('sim', 'ca.pem')}
credentials = {o['credentials']}
[nsm]
device = unix:{self.path('nsm.sock')}
{'root = ' + o['nsm_root'] if o.get('nsm_root') else ''}
[disk]
dir = {self.path('disk')}
size = {o['size']}
size_max = {o['size_max']}
[seal]
interval = {o['interval']}
[judge]
count = {o['judges']}
{o['judge']}
{'[witness]' + chr(10) + 'policy = ' + o['witness'] if o['witness'] else ''}
{'[policy]' + chr(10) + 'first = ' + o['policy'] if o['policy'] else ''}
[limits]
{o['limits']}
[log]
level = {o['level']}
"""
        with open(self.path("enclave.ini"), "w") as f:
            f.write(text)

    def start_enclave(self, wait=True):
        self.write_config()
        self.starts += 1
        self.enclave = self.start("enclave", self.program("holdfastd"), "--config", self.path("enclave.ini"),
                                  log=f"enclave-{self.starts}.log")
        if wait:
            self.wait_phase("awaiting-setup", "serving")

    def role_pids(self):
        """{(name, instance): pid} of the running enclave's roles."""
        out = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    words = f.read().split(b"\0")
                with open(f"/proc/{pid}/stat") as f:
                    ppid = int(f.read().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError):
                continue
            if ppid == self.enclave.proc.pid and b"--role" in words:
                out[words[words.index(b"--role") + 1].decode(), int(words[words.index(b"--instance") + 1])] = int(pid)
        return out

    def kill_enclave(self):
        """SIGKILL to every process of the enclave at once; what was in its memory is gone."""
        pids = [self.enclave.proc.pid, *self.role_pids().values()]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.enclave.proc.wait()
        self.until(lambda: not any(os.path.exists(f"/proc/{p}") and state(p) not in "ZX" for p in pids), "the processes to be gone")
        return len(pids)

    def wait_phase(self, *phases, seconds=60):
        def there():
            code, _, body = self.get("/status")
            return code == 200 and json.loads(body)["phase"] in phases
        self.until(there, "phase " + " or ".join(phases), self.enclave, seconds)

    def wait_end(self, seconds=60):
        """Wait until the enclave ends by itself. Returns its exit status."""
        try:
            return self.enclave.proc.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failure("the enclave goes on where it should have ended")

    # -- talking to it --------------------------------------------------------
    def request(self, method, path, body=None, headers=None, timeout=30):
        con = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            send = dict(headers or {})
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
            if body is not None:
                send.setdefault("Content-Type", "application/json")
            con.request(method, path, body, send)
            answer = con.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            con.close()

    def get(self, path):
        try:
            return self.request("GET", path)
        except (OSError, http.client.HTTPException):
            return 0, {}, b""

    def status(self):
        return json.loads(self.request("GET", "/status")[2])

    def setup(self, **more):
        return self.request("POST", "/setup", {"key_id": self.arn, "blockhash": BLOCKHASH, **more}, timeout=90)

    def sign(self, body):
        return self.request("POST", "/verify-and-sign", body)

    def seal(self):
        return self.request("POST", "/seal", b"")

    def holdfast(self, *args, check=True):
        out = subprocess.run([self.program("holdfast"), *args], capture_output=True, text=True, timeout=60)
        if check and out.returncode:
            raise Failure(f"holdfast {' '.join(args)}: exit {out.returncode}: {out.stderr.strip()}")
        return out

    def until(self, condition, what, process=None, seconds=30):
        end = time.monotonic() + seconds
        while not condition():
            if process and not process.alive():
                raise Failure(f"{process.name} ended with status {process.proc.returncode} while waiting for {what}:\n"
                              + "\n".join(process.text().splitlines()[-12:]))
            if time.monotonic() > end:
                raise Failure(f"waited {seconds} s for {what}" + (":\n" + "\n".join(process.text().splitlines()[-12:]) if process else ""))
            time.sleep(0.03)

    def close(self):
        if self.enclave and self.enclave.alive():
            self.kill_enclave()
        for p in reversed(self.procs):
            p.kill()
            p.log.close()
        if not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def state(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "X"


def listening(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


# -- a spend, in the earlier system's JSON ------------------------------------
LEAF_TRUE = "51"
INTERNAL = "4d4b6cd1361032ca9bd2aeb9d900aa4d45d9ead80ac9423374c451a7254d0766"


def spend(script_pubkey, script=LEAF_TRUE, path="", value=100000, vout=0, parity="c0", items=()):
    """One emulated input that reveals `script` (with `items` as its arguments) and spends an output of script_pubkey."""
    return {
        "emulated_tx_to": {
            "version": 2, "lock_time": 0,
            "input": [{"previous_output": f"{'42' * 32}:{vout}", "script_sig": "", "sequence": 4294967293,
                       "witness": [*items, script, parity + INTERNAL + path]}],
            "output": [{"value": value - 1000, "script_pubkey": "6a00"}]},
        "actual_spent_outputs": [{"value": value, "script_pubkey": script_pubkey}],
        "backup_merkle_roots": {}}


def parity(model, root):
    """The first byte of a control block, in hex, of a tree with this root under INTERNAL."""
    x = bytes.fromhex(INTERNAL)
    tweak = int.from_bytes(model.tagged("TapTweak", x + root), "big")
    point = model.point_add(model.lift_x(int.from_bytes(x, "big")), model.point_mul(tweak, model.G))
    return bytes([0xc0 | point[1] & 1]).hex()


def bound_spend(model, key, rules_id, script, items=(), vout=0, value=100000, version=2):
    """A spend for a service of profile holdfast-1: of the output that this script under INTERNAL has with this rule set."""
    root, x = model.leaf_hash(bytes.fromhex(script)), bytes.fromhex(INTERNAL)
    out = model.output_key(model.child_key_bound(key, rules_id, model.output_key(x, root))[1:])
    body = spend("5120" + out.hex(), script=script, parity=parity(model, root), items=items, vout=vout, value=value)
    body["emulated_tx_to"]["version"] = version
    return body


def two_leaf_tree(model, first, second):
    """A tree over two scripts. Returns (root, control block for `first`), both hex."""
    a, b = model.leaf_hash(bytes.fromhex(first)), model.leaf_hash(bytes.fromhex(second))
    root = model.tree_root([a, b])
    return root.hex(), parity(model, root) + INTERNAL + b.hex()


def spend_tree(control, script, script_pubkey, items=(), vout=0, value=100000):
    body = spend(script_pubkey, value=value, vout=vout)
    body["emulated_tx_to"]["input"][0]["witness"] = [*items, script, control]
    return body
