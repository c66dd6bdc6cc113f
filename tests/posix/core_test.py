#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Core dumps: a program with two threads crashes in the guest; its core is looked at here.

core_test.py [PATTERN] runs the cases whose names match, in the preset debug.
"""

import gzip
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CATHODE_BUILD", ROOT / "build")) / "debug"
PROGRAM = BUILD / "programs" / "posix_crash"
PT_LOAD, PT_NOTE = 1, 4
NT_PRSTATUS, NT_FPREGSET, NT_PRPSINFO, NT_AUXV, NT_FILE, NT_SIGINFO = 1, 2, 3, 6, 0x46494C45, 0x53494749
SIGSEGV = 11
RIP, RSP = 16, 19  # in user_regs_struct


class Elf:
    def __init__(self, data):
        self.data = data
        header = struct.unpack_from("<16sHHIQQQIHHHHHH", data)
        if header[0][:6] != b"\x7fELF\x02\x01":
            raise ValueError(f"no ELF64 file: {data[:64]!r}")
        self.type, self.machine, self.entry = header[1], header[2], header[4]
        self.segments = [struct.unpack_from("<IIQQQQQQ", data, header[5] + i * header[9])
                         for i in range(header[10])]
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", data, header[6] + i * header[11])
                         for i in range(header[12])]

    def notes(self):
        """[(type, descriptor)] in the file's order."""
        found = []
        for kind, _, offset, _, _, size, _, _ in self.segments:
            end = offset + size
            while kind == PT_NOTE and offset < end:
                name, length, note = struct.unpack_from("<III", self.data, offset)
                offset += 12 + (name + 3 & ~3)
                found.append((note, self.data[offset:offset + length]))
                offset += length + 3 & ~3
        return found

    def memory(self, at, size):
        for kind, _, offset, start, _, length, _, _ in self.segments:
            if kind == PT_LOAD and start <= at and at + size <= start + length:
                return self.data[offset + at - start:offset + at - start + size]
        raise KeyError(hex(at))

    def symbols(self):
        """{name: (address, size)}"""
        found = {}
        for section in self.sections:
            if section[1] != 2:  # SHT_SYMTAB
                continue
            strings = self.sections[section[6]][4]
            for at in range(section[4], section[4] + section[5], 24):
                name, _, _, _, value, size = struct.unpack_from("<IBBHQQ", self.data, at)
                end = self.data.index(b"\0", strings + name)
                found[self.data[strings + name:end].decode()] = (value, size)
        return found


class CoreTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        command = "cd /tmp && ulimit -c unlimited && /tests/posix/crash 2>/dev/null; echo $? >&2; gzip -c core"
        result = subprocess.run([ROOT / "scripts" / "run", "--no-build", "--boot", "direct", "--smp", "2", "--timeout",
                                 "300", "--with", "tests", "--exec", command],
                                stdin=subprocess.DEVNULL, capture_output=True, check=False)
        cls.errors = result.stderr.decode(errors="replace")
        cls.data = gzip.decompress(result.stdout)
        cls.core = Elf(cls.data)
        cls.program = Elf(PROGRAM.read_bytes())

    def bias(self):
        """Where the program lies: the difference of its entry's two addresses."""
        auxiliary = next(data for kind, data in self.core.notes() if kind == NT_AUXV)
        pairs = dict(struct.iter_unpack("<QQ", auxiliary))
        return pairs[9] - self.program.entry

    def test_status_of_the_shell(self):
        self.assertEqual(self.errors.split()[-1], str(128 + SIGSEGV), self.errors)

    def test_headers(self):
        self.assertEqual((self.core.type, self.core.machine), (4, 62))
        end = max(s[2] + s[5] for s in self.core.segments)
        self.assertEqual(len(self.data), end)
        loads = [s for s in self.core.segments if s[0] == PT_LOAD]
        self.assertTrue(all(a[3] + a[6] <= b[3] for a, b in zip(loads, loads[1:])), loads)
        self.assertTrue(any(s[1] & 1 for s in loads), "no code")

    def test_notes(self):
        notes = self.core.notes()
        kinds = [kind for kind, _ in notes]
        self.assertEqual(kinds, [NT_PRSTATUS, NT_FPREGSET, NT_PRPSINFO, NT_SIGINFO, NT_PRSTATUS, NT_FPREGSET, NT_AUXV,
                                 NT_FILE])
        first, second = (data for kind, data in notes if kind == NT_PRSTATUS)
        self.assertEqual(len(first), 336)
        self.assertEqual(struct.unpack_from("<i", first)[0], SIGSEGV)
        pids = [struct.unpack_from("<i", data, 32)[0] for data in (first, second)]
        info = notes[kinds.index(NT_PRPSINFO)][1]
        self.assertEqual(struct.unpack_from("<i", info, 24)[0], pids[1])  # the process: its first thread
        self.assertNotEqual(pids[0], pids[1])
        self.assertEqual(info[40:56].rstrip(b"\0"), b"crash")
        self.assertEqual(info[56:].rstrip(b"\0"), b"/tests/posix/crash")
        signal, _, code, _, address = struct.unpack_from("<iiiiQ", notes[kinds.index(NT_SIGINFO)][1])
        self.assertEqual((signal, code, address), (SIGSEGV, 1, 16))
        files = notes[kinds.index(NT_FILE)][1]
        count, page = struct.unpack_from("<QQ", files)
        self.assertEqual(page, 4096)
        self.assertEqual(files[16 + 24 * count:].rstrip(b"\0").split(b"\0"), [b"/tests/posix/crash"] * count)
        self.assertGreater(count, 1)

    def test_registers(self):
        symbols, bias = self.program.symbols(), self.bias()
        threads = [data for kind, data in self.core.notes() if kind == NT_PRSTATUS]
        registers = [struct.unpack_from("<27Q", data, 112) for data in threads]
        start, size = symbols["crash_here"]
        self.assertTrue(start <= registers[0][RIP] - bias < start + size, registers)
        for one in registers:
            self.assertEqual(len(self.core.memory(one[RSP], 64)), 64)
        self.assertNotEqual(registers[0][21], registers[1][21])  # fs_base
        fpu = [data for kind, data in self.core.notes() if kind == NT_FPREGSET]
        self.assertEqual(struct.unpack_from("<d", fpu[0], 160 + 15 * 16)[0], 42.5)

    def test_memory(self):
        address = self.program.symbols()["crash_word"][0] + self.bias()
        self.assertEqual(struct.unpack("<Q", self.core.memory(address, 8))[0], 0x1122334455667789)

    def test_gdb(self):
        if not shutil.which("gdb"):
            self.skipTest("no gdb here")
        with tempfile.NamedTemporaryFile() as file:
            file.write(self.data)
            file.flush()
            result = subprocess.run(["gdb", "-nx", "-batch", "-ex", "thread apply all bt", "-ex", "p/x crash_word",
                                     "-ex", "p $_siginfo.si_signo", "-ex", "p $xmm15.v2_double[0]", PROGRAM, file.name],
                                    stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        text = result.stdout
        self.assertIn("terminated with signal SIGSEGV", text, result)
        threads = [re.findall(r"#\d+ +(?:0x\w+ in )?(\w+)", part) for part in text.split("\nThread ")[1:]]
        self.assertEqual([frames[:5] for frames in threads if "crash_here" in frames],
                         [["crash_here", "crash_outer", "crash_outer", "crash_outer", "crash_thread"]], text)
        self.assertEqual([frames[:2] for frames in threads if "crash_here" not in frames],
                         [["crash_wait", "main"]], text)
        self.assertIn("= 0x1122334455667789", text)
        self.assertIn("= 11\n", text)
        self.assertIn("= 42.5\n", text)


if __name__ == "__main__":
    unittest.main()
