# SPDX-License-Identifier: MIT
"""scripts/bench, row login_on_screen: instructions from a kernel's first one to the last one that draws the login's
prompt on the screen, for both systems alike.

The machine has QEMU's standard adapter at 1280x800 with 32 bits, and 512 MiB; QEMU, the guest's clock being its count
of instructions, calls tests/bench/stores.c for each store. When the screen has come to rest with the prompt on it
(judged by its pixels alone), the machine is ended, and the last store into the adapter's memory is what counts. Idle
time, which passes at the host's pace, is no instruction.
"""

import pathlib
import struct
import subprocess
import tempfile
import time

import build
import cpio
import linux
import machine

PROMPT = "cathode login:"
MEMORY = 512
REST, LIMIT = 3.0, 1200
FONTS = ((8, 16), (12, 24))     # Linux's, ours at this size
LINUX_ENTRY = 0x10200           # where QEMU's loader enters Linux's boot sector + 512 (Documentation/x86/boot.rst)
PVH_NOTE = struct.pack("<3I4s", 4, 8, 18, b"Xen\0")
LINUX_INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
echo 0 > /sys/class/graphics/fbcon/cursor_blink
/bin/busybox hostname cathode
exec /bin/busybox getty 0 /dev/tty1 linux
"""


def pvh_entry(kernel):
    """The ELF note's address."""
    data = kernel.read_bytes()
    return struct.unpack_from("<Q", data, data.index(PVH_NOTE) + len(PVH_NOTE))[0]


def alike(cells, text):
    """Equal letters look alike, others differ, and a blank is of one colour."""
    pairs = set(zip(text, cells))
    return len(pairs) == len(set(text)) == len(set(cells)) and \
        all(cell.count(cell[:3]) * 3 >= len(cell) for letter, cell in pairs if letter == " ")


def shows(picture, text):
    """Whether this text is on a line of the screen, in some font."""
    for width, height in FONTS:
        for top in range(0, picture.height - height + 1, height):
            row = [picture.crop(left, top, width, height).pixels
                   for left in range(0, picture.width - width + 1, width)]
            if any(alike(row[at:at + len(text)], text) for at in range(len(row) - len(text) + 1)):
                return True
    return False


def wait_for_prompt(monitor):
    end, last, since = time.monotonic() + LIMIT, None, 0
    while time.monotonic() < end:
        time.sleep(0.5)
        picture = monitor.picture()
        if picture != last:
            last, since = picture, time.monotonic()
        elif time.monotonic() - since >= REST and shows(picture, PROMPT):
            return
    raise SystemExit("cathode: no prompt came to the screen")


def measure(folder, entry, append, extra=()):
    with tempfile.TemporaryDirectory(prefix="cathode-") as work:
        plugin, out = f"{work}/stores.so", pathlib.Path(work, "out")
        linux.run("clang-19", "-O2", "-std=gnu2x", "-Wall", "-Wno-unused-parameter", "-shared", "-fPIC", "-o", plugin,
                  build.ROOT / "tests" / "bench" / "stores.c")
        words = ["-plugin", f"{plugin},entry={entry:#x},ram={MEMORY << 20:#x},out={out}", *extra]
        wires = machine.Wires(1)
        with machine.Machine(folder, boot="direct", memory=f"{MEMORY}M", icount=True, append=append, extra=words,
                             display="none") as guest:
            wires.start(guest)
            wait_for_prompt(wires.qmp)
            wires.qmp.send("quit")
            guest.process.wait(60)
        wires.close()
        count = int(out.read_text())
    if not count:
        raise SystemExit("cathode: QEMU saw nobody draw")
    return count


def measure_cathode(preset):
    folder = build.build_folder(preset)
    return measure(folder, pvh_entry(folder / "kernel.elf"), "")


def measure_linux():
    """Its console on vesafb, and busybox's getty: nothing else runs. The cursor, as here, doesn't blink."""
    with tempfile.TemporaryDirectory(prefix="cathode-") as name:
        work = pathlib.Path(name)
        linux.extract("linux", "./boot/vmlinuz-", work / "kernel.elf")
        linux.extract("busybox-static", "./bin/busybox", work / "busybox")
        (work / "init").write_text(LINUX_INIT)
        archive = cpio.Archive()
        for path in ("dev", "proc", "sys"):
            archive.add_line("dir", path, "755", "0", "0")
        archive.add_file("init", str(work / "init"), 0o755)
        archive.add_file("bin/busybox", str(work / "busybox"), 0o755)
        cpio.write_archive(archive, str(work / "initfs.cpio"))
        return measure(work, LINUX_ENTRY, f"{linux.APPEND} vga=0x37a")
