#!/usr/bin/env python3
"""A small Debian machine under software emulation: no root, no KVM, no network.

    vm.py --build BUILD [--with PROGRAM]... [--file HOST=GUEST]... SCRIPT [WORD]...

boots a Debian kernel in QEMU with an initramfs made here (busybox, the named programs with
their libraries, mkfs.ext4, the holdfast programs of BUILD), runs SCRIPT (busybox sh) as root
in it, prints what it prints, and ends with its exit status. 77: this machine cannot run it,
and the reason is said. Kernel and busybox are fetched once, as Debian packages, into BUILD/vm.

From Python: `Machine(build).run(script, words, ...)` gives a Result."""
import argparse
import glob
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SKIP = 77
BOOT_LIMITS = (20, 30, 60)      # seconds for each attempt; usual is 3, and 12 on a crowded host
MARK = "@@exit "

# In the order in which they can be loaded without modules.dep (which the package lacks).
MODULES = """virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_console loop dm-mod
dm-crypt cryptd crypto_simd aesni-intel ecb xts gcm vsock vmw_vsock_virtio_transport_common vsock_loopback""".split()
# Built in: in some versions of the kernel these are no modules.
OPTIONAL = {"virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "virtio_console"}


class Missing(Exception):
    """This machine lacks something that the emulated one needs."""


class Result:
    def __init__(self, status, text, boot, seconds, console):
        self.status, self.text, self.boot, self.seconds, self.console = status, text, boot, seconds, console


def qemu():
    found = shutil.which("qemu-system-x86_64")
    if not found:
        raise Missing("qemu-system-x86_64 is not installed (Debian: qemu-system-x86)")
    if os.uname().machine != "x86_64":
        raise Missing("the programs built here are not for x86_64")
    return found


def package(cache, name):
    """Fetch a Debian package and unpack it into cache/NAME. No root is needed."""
    folder = os.path.join(cache, name)
    if os.path.isdir(folder):
        return folder
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise Missing(f"{name} comes as a Debian package, and there is no apt-get here")
    with tempfile.TemporaryDirectory(dir=cache) as work:
        got = subprocess.run(["apt-get", "download", name], cwd=work, capture_output=True, text=True)
        debs = glob.glob(os.path.join(work, "*.deb"))
        if got.returncode or len(debs) != 1:
            raise Missing(f"apt-get download {name} failed: {got.stderr.strip().splitlines()[-1:] or 'no reason given'}")
        unpacked = os.path.join(work, "unpacked")
        subprocess.run(["dpkg-deb", "-x", debs[0], unpacked], check=True)
        os.rename(unpacked, folder)
    return folder


def kernel_package():
    """The versioned package that linux-image-cloud-amd64 stands for."""
    out = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True) if shutil.which("apt-cache") else None
    for line in out.stdout.splitlines() if out else ():
        if "Depends: linux-image-" in line:
            return line.split()[-1]
    raise Missing("apt knows no linux-image-cloud-amd64 (apt-get update?)")


def kernel(cache):
    """(path of the kernel, [paths of the modules in load order])."""
    there = [d for d in glob.glob(os.path.join(cache, "linux-image-*")) if os.path.isdir(d)]
    folder = there[0] if there else package(cache, kernel_package())
    image = glob.glob(os.path.join(folder, "boot", "vmlinuz-*"))
    if len(image) != 1:
        raise Missing(f"no kernel in {folder}")
    by_name = {}
    for d, _, files in os.walk(os.path.join(folder, "lib", "modules")):
        for f in files:
            if f.endswith(".ko"):
                by_name[f[:-3].replace("_", "-")] = os.path.join(d, f)
    modules = []
    for name in MODULES:
        path = by_name.get(name.replace("_", "-"))
        if path:
            modules.append(path)
        elif name not in OPTIONAL:
            raise Missing(f"the kernel has no module {name}")
    return image[0], modules


class Archive:
    """An uncompressed cpio (newc) archive: gunzip is slow under emulation."""

    def __init__(self):
        self.parts, self.names, self.ino = [], set(), 0

    def _entry(self, name, mode, data=b"", rdev=(0, 0)):
        raw = name.encode() + b"\0"
        self.ino += 1
        head = "070701" + "".join(f"{v:08x}" for v in (self.ino, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(raw), 0))
        part = head.encode() + raw
        part += b"\0" * (-len(part) % 4) + data
        self.parts.append(part + b"\0" * (-len(part) % 4))

    def folder(self, name):
        if name and name not in self.names:
            self.folder(os.path.dirname(name))
            self.names.add(name)
            self._entry(name, stat.S_IFDIR | 0o755)

    def data(self, name, data, mode=0o644):
        name = name.lstrip("/")
        if name not in self.names:
            self.folder(os.path.dirname(name))
            self.names.add(name)
            self._entry(name, stat.S_IFREG | mode, data)

    def link(self, name, target):
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name, major, minor):
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFCHR | 0o600, b"", (major, minor))

    def file(self, host, name):
        with open(host, "rb") as f:
            self.data(name, f.read(), 0o755 if os.access(host, os.X_OK) else 0o644)

    def program(self, host, name):
        """A program and all that the dynamic loader will want for it."""
        self.file(host, name)
        out = subprocess.run(["ldd", host], capture_output=True, text=True).stdout
        for word in out.split():
            if word.startswith("/"):
                self.file(word, word)

    def write(self, path):
        self._entry("TRAILER!!!", 0)
        with open(path, "wb") as f:
            f.write(b"".join(self.parts))


def ending(text):
    """The exit status behind the marker, or None while there is none."""
    at = text.rfind(MARK)
    line = text[at + len(MARK):] if at >= 0 else ""
    return int(line.split("\n")[0]) if "\n" in line else None


class Machine:
    def __init__(self, build, memory=512):
        self.build, self.memory = os.path.abspath(build), memory
        self.cache = os.path.join(self.build, "vm")
        os.makedirs(self.cache, exist_ok=True)
        self.qemu = qemu()
        self.kernel, self.modules = kernel(self.cache)
        self.busybox = os.path.join(package(self.cache, "busybox-static"), "bin", "busybox")

    def archive(self, path, script, programs, files):
        a = Archive()
        a.device("dev/console", 5, 1)
        for folder in ("proc", "sys", "run", "tmp", "etc", "root", "usr/sbin"):
            a.folder(folder)
        a.file(self.busybox, "bin/busybox")
        a.link("bin/sh", "busybox")
        a.file(os.path.join(HERE, "init.sh"), "init")
        for number, module in enumerate(self.modules):
            a.file(module, f"modules/{number:02}-{os.path.basename(module)}")
        for program in programs:
            a.program(program, "usr/sbin/mkfs.ext4" if program.endswith("mkfs.ext4") else "bin/" + os.path.basename(program))
        # What the libraries open by name.
        for extra in ("/lib/x86_64-linux-gnu/libgcc_s.so.1", "/usr/lib/x86_64-linux-gnu/libgcc_s.so.1"):
            if os.path.exists(extra):
                a.file(extra, extra)
        a.data("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
        a.data("etc/group", b"root:x:0:\n")
        a.file(script, "job")
        for host, guest in files.items():
            a.file(host, guest)
        a.write(path)

    def holdfast(self):
        """The programs under test, and what they start."""
        mkfs = next((p for p in ("/sbin/mkfs.ext4", "/usr/sbin/mkfs.ext4") if os.path.exists(p)), None)
        if not mkfs:
            raise Missing("mkfs.ext4 is not installed (Debian: e2fsprogs)")
        return [mkfs] + [os.path.join(self.build, d, p) for d, p in (("daemon", "holdfastd"), ("parent", "holdfast"), ("sim", "holdfast-sim"))]

    def command(self, initrd, output, words):
        line = "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable random.trust_cpu=on cryptomgr.notests"
        return [self.qemu, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(self.memory),
                "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-kernel", self.kernel, "-initrd", initrd,
                "-append", " ".join([line, "--", *words]), "-serial", "file:" + output + ".console", "-serial", "file:" + output]

    def run(self, script, words=(), programs=(), files=None, timeout=240, show=None):
        """Boot, run, and wait for the end. `show` gets the output's lines as they come."""
        with tempfile.TemporaryDirectory(prefix="holdfast-vm-") as work:
            initrd = os.path.join(work, "initrd")
            self.archive(initrd, script, programs, files or {})
            for limit in BOOT_LIMITS:
                result = self.once(work, initrd, list(words), limit, timeout, show)
                # On a crowded host the emulator now and then stands still before the first process runs.
                if result.boot is not None or result.seconds < limit:
                    break
                print(f"the machine did not start within {limit} s", file=sys.stderr)
            return result

    def once(self, work, initrd, words, limit, timeout, show):
        output = os.path.join(work, "output")
        open(output, "w").close()
        begin = time.monotonic()
        with open(os.path.join(work, "errors"), "w+") as errors:
            process = subprocess.Popen(self.command(initrd, output, words), stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
            try:
                text, boot = self.follow(process, output, begin, limit, timeout, show)
            finally:
                process.kill()
                process.wait()
            errors.seek(0)
            console = read(output + ".console") + errors.read()
        return Result(ending(text), text, boot, time.monotonic() - begin, console)

    @staticmethod
    def follow(process, output, begin, limit, timeout, show):
        shown, boot = 0, None
        while True:
            over = process.poll() is not None
            text = read(output)
            if text and boot is None:
                boot = time.monotonic() - begin
            end = text.rfind("\n") + 1
            if show:
                for line in text[shown:end].splitlines():
                    show(line)
            shown = end
            if over or ending(text) is not None or time.monotonic() - begin > (timeout if text else limit):
                return text, boot
            time.sleep(0.05)


def read(path):
    if not os.path.exists(path):
        return ""
    with open(path, "r", errors="replace", newline="") as f:
        return f.read().replace("\r\n", "\n")


def main():
    p = argparse.ArgumentParser(description="Run a shell script in an emulated Debian machine.")
    p.add_argument("--build", required=True)
    p.add_argument("--with", dest="programs", action="append", default=[], metavar="PROGRAM", help="put it and its libraries into /bin")
    p.add_argument("--file", dest="files", action="append", default=[], metavar="HOST=GUEST")
    p.add_argument("--timeout", type=int, default=240)
    p.add_argument("script")
    p.add_argument("words", nargs="*")
    a = p.parse_args()
    try:
        machine = Machine(a.build)
        result = machine.run(a.script, a.words, machine.holdfast() + a.programs,
                             {f.split("=", 1)[0]: f.split("=", 1)[1] for f in a.files}, a.timeout,
                             lambda line: print(line, flush=True) if not line.startswith("@@") else None)
    except Missing as e:
        print(f"skipped: {e}", file=sys.stderr)
        return SKIP
    if result.status is None:
        print("the machine did not end by itself; its console:\n" + result.console[-3000:], file=sys.stderr)
        return 1
    print(f"boot {result.boot:.1f} s, all {result.seconds:.1f} s", file=sys.stderr)
    return result.status


if __name__ == "__main__":
    sys.exit(main())
