# SPDX-License-Identifier: MIT
"""QEMU's debugger stub (GDB's remote serial protocol): breakpoints in the kernel, registers, memory; and where the
kernel's structures have their fields, by its debug information."""

import re
import socket
import struct
import subprocess
import time

REGISTERS = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", *(f"r{n}" for n in range(8, 16)), "rip")
GS_BASE = 17 * 8 + 4 * 7 + 8    # in the answer to `g`: behind these, the flags, six segments, and fs_base


class Debugger:
    """Connects to QEMU (-gdb unix:PATH,server=on,wait=off), which stops."""

    def __init__(self, path, seconds):
        self.socket = socket.socket(socket.AF_UNIX)
        end = time.monotonic() + seconds
        while True:
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
        self.socket.settimeout(seconds)
        self.said = b""
        self.receive()      # that it has stopped

    def close(self):
        self.socket.close()

    def send(self, text):
        data = text.encode()
        self.socket.sendall(b"$%s#%02x" % (data, sum(data) % 256))

    def receive(self):
        """The next packet's text."""
        while not (found := re.search(rb"\$([^#]*)#..", self.said)):
            data = self.socket.recv(65536)
            if not data:
                raise EOFError("QEMU ended")
            self.said += data
        self.said = self.said[found.end():]
        self.socket.sendall(b"+")
        return found[1].decode()

    def ask(self, text):
        self.send(text)
        return self.receive()

    def breakpoint(self, address, there=True):
        self.ask(f"{'Z' if there else 'z'}0,{address:x},1")

    def step_over(self, address):
        """The instruction with the breakpoint at which it has stopped."""
        self.breakpoint(address, False)
        self.ask("s")
        self.breakpoint(address)

    def registers(self):
        data = bytes.fromhex(self.ask("g"))
        found = dict(zip(REGISTERS, struct.unpack_from("<17Q", data)))
        found["gs_base"] = struct.unpack_from("<Q", data, GS_BASE)[0]
        return found

    def memory(self, address, size):
        answer = self.ask(f"m{address:x},{size:x}")
        return bytes.fromhex(answer) if not answer.startswith("E") else bytes(size)

    def word(self, address):
        return struct.unpack("<Q", self.memory(address, 8))[0]


def symbols(kernel):
    """name -> address of its functions."""
    text = subprocess.run(["llvm-nm-19", kernel], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {name: int(address, 16) for address, kind, name in re.findall(r"^(\w+) (\w) (\S+)$", text, re.MULTILINE)
            if kind in "tT"}


def offset(kernel, structure, field):
    text = subprocess.run(["llvm-dwarfdump-19", f"--name={structure}", "-c", kernel], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    found = re.search(rf'DW_TAG_member\n\s*DW_AT_name\s*\("{field}"\)(?:\n\s*DW_AT_(?!data)\w+.*)*'
                      r"\n\s*DW_AT_data_member_location\s*\((0x\w+)\)", text)
    return int(found[1], 16)
