#!/usr/bin/env python3
"""`holdfast pcr` and `holdfast eif inspect` against a second model of the format.

Usage: test_eif.py PATH_OF_HOLDFAST [unittest arguments]. Standard library only."""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models"))
import eif                                                     # noqa: E402
from parent_rig import PROGRAM, main                           # noqa: E402


def run(*args):
    out = subprocess.run([PROGRAM[0], *args], capture_output=True, timeout=60)
    return out.returncode, out.stdout.decode(), out.stderr.decode()


class Eif(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)

    def write(self, name, data):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def measure(self, data):
        code, out, err = run("pcr", self.write("image", data), "--json")
        self.assertEqual(code, 0, err)
        return json.loads(out)

    def refused(self, data, code=1):
        path = self.write("bad", data)
        for command in (["pcr"], ["eif", "inspect"]):
            got, out, _ = run(*command, path, "--json")
            self.assertEqual(got, code)
            self.assertTrue(json.loads(out))

    def test_the_known_fact(self):
        self.assertEqual(eif.pcr().hex(), eif.ONE_RAMDISK_PCR2)
        self.assertEqual(self.measure(eif.image(eif.usual(ramdisks=[b"only"])))["PCR2"], eif.ONE_RAMDISK_PCR2)

    def test_random_images(self):
        rng = random.Random(1)
        for size in (0, 1, 11, 500, 262143, 262144, 262145, 600000):
            kernel, cmdline = rng.randbytes(size), bytes(rng.randrange(32, 127) for _ in range(rng.randrange(200)))
            ramdisks = [rng.randbytes(rng.randrange(size + 2)) for _ in range(rng.randrange(1, 6))]
            certificate = rng.randbytes(rng.randrange(1, 1500)) if rng.random() < 0.7 else None
            want = eif.pcrs(kernel, cmdline, ramdisks, certificate)
            for version, flags in ((4, 0), (3, 1)):
                data = eif.image(eif.usual(kernel, cmdline, ramdisks, certificate), version=version, flags=flags)
                self.assertEqual(self.measure(data), want)
            # and the same from the parts
            parts = ["--kernel", self.write("k", kernel), "--cmdline=" + cmdline.decode() if not cmdline.startswith(b"@") else "--cmdline=@" + self.write("c", cmdline)]
            for i, r in enumerate(ramdisks):
                parts += ["--ramdisk", self.write(f"r{i}", r)]
            if certificate is not None:
                parts += ["--certificate", self.write("pem", eif.pem(certificate).encode())]
            code, out, err = run("pcr", *parts, "--json")
            self.assertEqual((code, json.loads(out)), (0, want), err)

    def test_nothing_else_is_measured(self):
        first = self.measure(eif.image(eif.usual()))
        other = [(k, b"{}" if k == eif.METADATA else d) for k, d in eif.usual()]
        for data in (eif.image(other), eif.image([s for s in eif.usual() if s[0] != eif.METADATA], version=3),
                     eif.image(eif.usual(), mem=1, cpus=9, flags=1)):
            self.assertEqual(self.measure(data), first)

    def test_cmdline_from_a_file(self):
        k, r = self.write("k", b"kernel"), self.write("r", b"init")
        want = eif.pcrs(b"kernel", b"a b", [b"init"])
        for data in (b"a b", b"a b\n"):
            out = run("pcr", "--kernel", k, "--cmdline", "@" + self.write("c", data), "--ramdisk", r, "--json")[1]
            self.assertEqual(json.loads(out), want)
        out = run("pcr", "--kernel", k, "--cmdline", "a b", "--ramdisk", r)[1]
        self.assertEqual(out, "".join(f"{n} {v}\n" for n, v in want.items()))

    def test_signatures(self):
        kernel, cmdline, ramdisks, der = b"kernel", b"c", [b"a", b"b"], b"\x30\x82certificate"
        base = [(eif.KERNEL, kernel), (eif.CMDLINE, cmdline), *((eif.RAMDISK, r) for r in ramdisks)]
        pcr0 = eif.pcr(kernel, cmdline, *ramdisks)
        for own, tag in ((True, False), (False, True)):
            section = eif.signature_section(der, pcr0, numbers=own, tag=tag)
            data = eif.image(base + [(eif.SIGNATURE, section)])
            self.assertEqual(self.measure(data), eif.pcrs(kernel, cmdline, ramdisks, der))
            shown = json.loads(run("eif", "inspect", self.write("image", data), "--json")[1])
            self.assertEqual(shown["signature"]["names_this_pcr0"], True)
        for value, index in ((bytes(48), 0), (pcr0, 1), (pcr0[:47], 0)):
            data = eif.image(base + [(eif.SIGNATURE, eif.signature_section(der, value, index))])
            shown = json.loads(run("eif", "inspect", self.write("image", data), "--json")[1])
            self.assertEqual(shown["signature"]["names_this_pcr0"], False)
        good = eif.signature_section(der, pcr0)
        for section in (b"", b"\x80", b"\x81\xa0", good[:-1], good + b"\0", eif.cbor([{"signing_certificate": b"none", "signature": b""}], True),
                        eif.cbor([1]), b"\xff", eif.cbor([{"signing_certificate": eif.pem(der).encode(), "signature": b"\x84"}], True),
                        eif.cbor([{"signing_certificate": eif.pem(der).encode()}], True), bytes(40000)):
            self.refused(eif.image(base + [(eif.SIGNATURE, section)]))

    def test_inspect(self):
        data = eif.image(eif.usual(certificate=b"der"), flags=1)
        code, out, _ = run("eif", "inspect", self.write("image", data), "--json")
        shown = json.loads(out)
        self.assertEqual(code, 0)
        self.assertEqual([s["type"] for s in shown["sections"]], ["kernel", "cmdline", "metadata", "ramdisk", "ramdisk", "signature"])
        self.assertEqual((shown["version"], shown["architecture"], shown["default_memory"], shown["default_cpus"]), (4, "aarch64", 1 << 29, 2))
        self.assertTrue(shown["crc"]["good"])
        self.assertEqual(shown["metadata"]["ImageName"], "test")
        self.assertEqual(shown["measurements"], self.measure(data))
        for s in shown["sections"]:
            self.assertEqual(int.from_bytes(data[s["offset"] + 4:s["offset"] + 12], "big"), s["size"])
        code, text, _ = run("eif", "inspect", self.write("image", data))
        self.assertEqual(code, 0)
        for word in ("ramdisk", shown["measurements"]["PCR0"], "aarch64", "crc.good"):
            self.assertIn(word, text)
        odd = [(k, b"\x1b[2J" if k == eif.METADATA else d) for k, d in eif.usual()]
        code, text, _ = run("eif", "inspect", self.write("image", eif.image(odd)))
        self.assertEqual(code, 0)
        self.assertNotIn("\x1b", text)

    def test_a_damaged_image_is_told(self):
        data = bytearray(eif.image(eif.usual()))
        data[-1] ^= 1
        path = self.write("image", bytes(data))
        code, _, err = run("pcr", path)
        self.assertEqual(code, 1)
        self.assertIn("CRC", err)
        code, out, _ = run("eif", "inspect", path, "--json")
        self.assertEqual((code, json.loads(out)["crc"]["good"]), (1, False))

    def test_malformed_images(self):
        good = eif.image(eif.usual())
        self.measure(good)
        for n in (0, 1, 547, 548, 559, len(good) - 1):
            self.refused(good[:n])
        k, c, m, r, s = eif.usual()
        place = [548]
        for kind, d in eif.usual():
            place.append(place[-1] + 12 + len(d))
        size = [len(d) for _, d in eif.usual()]
        for data in (eif.image(eif.usual(), tail=b"x"), eif.image(eif.usual(), tail=bytes(12)), eif.image(eif.usual(), magic=b".elf"),
                     eif.image(eif.usual(), version=1), eif.image(eif.usual(), version=5), eif.image(eif.usual(), count=0),
                     eif.image(eif.usual(), count=4), eif.image(eif.usual(), count=6), eif.image(eif.usual(), count=33),
                     eif.image(eif.usual(), offsets=place[1:]), eif.image(eif.usual(), sizes=[size[0] + 1, *size[1:]]),
                     eif.image([k, c, m]), eif.image([k, r]), eif.image([c, r]), eif.image([r, k, c]), eif.image([c, r, k]),
                     eif.image([k, k, c, r]), eif.image([k, c, c, r]), eif.image([k, c, m, m, r]), eif.image([k, c, r, (6, b"x")]),
                     eif.image([k, c, r, (0, b"x")]), eif.image([k, (eif.CMDLINE, bytes(70000)), r])):
            self.refused(data)
        # a section whose size runs over the end of all numbers
        bad = bytearray(good)
        bad[place[4] + 4:place[4] + 12] = b"\xff" * 8
        bad[0x11c + 32:0x11c + 40] = b"\xff" * 8
        self.refused(bytes(bad))
        # the command line before the kernel is odd, and measured in the order of the file
        self.assertEqual(self.measure(eif.image([c, k, r]))["PCR0"], eif.pcr(c[1], k[1], r[1]).hex())

    def test_usage(self):
        k = self.write("k", b"x")
        for args in (["pcr"], ["pcr", "--kernel", k], ["pcr", "--kernel", k, "--cmdline", "x"], ["pcr", k, "--kernel", k], ["pcr", "/no/such"],
                     ["pcr", self.dir], ["pcr", "--kernel", "/no/such", "--cmdline", "x", "--ramdisk", k],
                     ["pcr", "--kernel", self.dir, "--cmdline", "x", "--ramdisk", k],
                     ["pcr", "--kernel", k, "--cmdline", "@/no/such", "--ramdisk", k],
                     ["pcr", "--kernel", k, "--kernel", k, "--cmdline", "x", "--ramdisk", k],
                     ["pcr", "--kernel", k, "--cmdline", "x", "--ramdisk", k, "--certificate", k], ["pcr", *["--ramdisk=" + k] * 50],
                     ["eif"], ["eif", "inspect"], ["eif", "explode", k], ["eif", "inspect", k, k]):
            code, out, err = run(*args)
            self.assertEqual((code, out), (2, ""), args)
            self.assertEqual(json.loads(run(*args, "--json")[1])["exit"], 2)

    def test_a_large_image_is_not_held(self):
        path = os.path.join(self.dir, "large")
        big = 300 << 20
        with open(path, "wb") as f:                            # a sparse kernel, with the CRC left wrong
            sections = eif.usual()
            head = eif.image([(eif.KERNEL, b""), *sections[1:]], crc=0)
            f.write(head[:0x11c] + (big).to_bytes(8, "big") + head[0x124:548])
            f.write(head[548:552] + big.to_bytes(8, "big"))
            f.seek(548 + 12 + big)
            f.write(head[560:])
            offsets = [548]
            for i, (_, d) in enumerate(sections):
                offsets.append(offsets[-1] + 12 + (big if i == 0 else len(d)))
            f.seek(0x1c)
            f.write(b"".join(o.to_bytes(8, "big") for o in offsets[:-1]))
        with open(os.path.join(self.dir, "out"), "w+b") as out:
            child = subprocess.Popen([PROGRAM[0], "eif", "inspect", path, "--json"], stdout=out)
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            shown = json.loads(out.read())
        self.assertEqual(child.returncode, 1)
        self.assertLess(used.ru_maxrss, 150 << 10)             # KiB; a sanitizer's shadow included
        self.assertEqual((shown["crc"]["good"], shown["sections"][0]["size"]), (False, big))


main(__doc__)
