#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Power cuts, end to end. The guest's disk traffic is recorded below the device (QEMU's blklogwrites) while writer.c
works on an ext4; then disks are made as a cut at some instant could leave them: all that was written before the last
finished FLUSH, and of what came later any part, torn at any sector. Each must be a file system that e2fsck finds clean
once its journal has been replayed, with all that writer.c had been told is safe.

power_cut_test.py [--states N] [--seed N]. Environment: DISK_KIND, virtio or ahci.
"""

import argparse
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"
KIND = os.environ.get("DISK_KIND", "virtio")
SECTOR = 512
ROOT, ROOT_END = 2048, 2048 + (48 << 11)            # first partition: 48 MiB for ext4
RECORDS, SECTORS = ROOT_END, ROOT_END + 2048        # second: 1 MiB for the records
FLUSH, FUA, DISCARD = 1, 2, 4                       # flags of Linux's dm-log-writes
OPERATIONS = 60
BOOTED = 2                                          # of the states


def tool(*words):
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"  # not every user's
    return subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, env={**os.environ, "PATH": path})


class Violation(Exception):
    pass


# --- recording -------------------------------------------------------------------------------------

def make_disk(path):
    """An MBR with two partitions, and the file system."""
    with open(path, "wb") as out:
        out.truncate(SECTORS * SECTOR)
    made = tool("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-E", f"offset={ROOT * SECTOR},lazy_itable_init=0",
                path, f"{(ROOT_END - ROOT) // 2}k")
    if made.returncode:
        sys.exit(made.stdout.decode())
    with open(path, "r+b") as out:
        out.seek(446)
        for start, end in ((ROOT, ROOT_END), (RECORDS, SECTORS)):
            out.write(struct.pack("<B3sB3sII", 0, b"", 0x83, b"", start, end - start))
        out.seek(510)
        out.write(b"\x55\xaa")


def record(work, seed, flush=True):
    """Runs writer.c on a new disk: (what was on it before, the log). flush: false takes flushes out of the driver."""
    disk, log, overlay = work / "disk", work / "log", work / "overlay"
    make_disk(disk)
    before = disk.read_bytes()
    log.write_bytes(b"")
    device = {"virtio": "virtio-blk-pci,drive=top", "ahci": "ide-hd,bus=ide.0,drive=top"}[KIND]
    driver, node = {"virtio": ("virtio-blk", "vda"), "ahci": ("ahci", "sda")}[KIND]
    command = [RUN, "--no-build", "--boot", "direct", "--timeout", "300", "--with", "tests", "--exec",
               f"mkdir /m && mount -t ext4 /dev/{node}1 /m && /tests/boot/writer /m /dev/{node}2 {OPERATIONS} {seed}"]
    if not flush:
        services = overlay / "lib" / "services"
        services.mkdir(parents=True)
        manifest = RUN.parents[1] / "drivers" / "block" / driver / "manifest"
        text = re.sub(r"^(program \S+)$", r"\1 noflush", manifest.read_text(encoding="utf-8"), flags=re.MULTILINE)
        (services / driver).write_text(text, encoding="utf-8")
        command += ["--overlay", overlay]
    command += ["--", "-blockdev", f"driver=file,filename={disk},node-name=disk",
                "-blockdev", f"driver=file,filename={log},node-name=log",
                "-blockdev", "driver=blklogwrites,node-name=top,file=disk,log=log,log-super-update-interval=1",
                "-device", device]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    if result.returncode or result.stdout != b"end\n":
        sys.exit(f"recording: status {result.returncode}: {result.stdout}")
    return before, parse_log(log.read_bytes())


def parse_log(log):
    """(sector, data, flags) in the order of the device. The format: Linux, Documentation/admin-guide/device-mapper/
    log-writes.rst. The superblock's count may be old."""
    magic, version, _, size = struct.unpack_from("<QQQI", log)
    if (magic, version) != (0x6A736677736872, 1) or size != SECTOR:
        sys.exit("not a log of writes")
    entries, at = [], SECTOR
    while at + SECTOR <= len(log):
        sector, count, flags, _ = struct.unpack_from("<QQQQ", log, at)
        at += SECTOR
        if not (count or flags):
            break
        data = bytes(count * SECTOR) if flags & DISCARD else log[at:at + count * SECTOR]
        if not flags & DISCARD:
            at += count * SECTOR
        if len(data) == count * SECTOR:
            entries.append((sector, data, flags))
    return entries


# --- states ----------------------------------------------------------------------------------------

def put(image, sector, data):
    image[sector * SECTOR:sector * SECTOR + len(data)] = data


def survive(image, entries, choice):
    """Of writes that no FLUSH has covered: some, some sectors of some, none of others."""
    keep = choice.random()
    for sector, data, flags in entries:
        if flags & FUA or choice.random() < keep:
            put(image, sector, data)
        elif choice.random() < 0.3:
            for at in range(0, len(data), SECTOR):
                if choice.random() < 0.5:
                    put(image, sector + at // SECTOR, data[at:at + SECTOR])


def states(before, entries, count, choice):
    """(cut, image) for random cuts: entries up to there had been given to the device."""
    image, applied = bytearray(before), 0
    for cut in sorted(choice.randrange(1, len(entries) + 1) for _ in range(count)):
        last = max((i for i in range(applied, cut) if entries[i][2] & FLUSH), default=applied)
        for sector, data, _ in entries[applied:last]:
            put(image, sector, data)
        applied = last
        state = bytearray(image)
        survive(state, entries[applied:cut], choice)
        yield cut, state


# --- what must be there -----------------------------------------------------------------------------

def records(entries):
    """[(entry, word, number, kind, slot, version, size)]"""
    found = []
    for i, (sector, data, _) in enumerate(entries):
        if RECORDS <= sector < SECTORS and data[:6] in (b"begin ", b"done 0", b"done 1") or data[:5] == b"done ":
            words = data.split(b"\n", 1)[0].decode().split()
            found.append((i, words[0], int(words[1]), words[2], *map(int, words[3:])))
    return found


def pattern(slot, version, size):
    unit = b"%d.%d." % (slot, version)
    return (unit * (size // len(unit) + 1))[:size]


def log_bytes(size):
    return b"".join(b"%08d\n" % i for i in range((size + 8) // 9))[:size]


def expected(found, cut):
    """slot -> [contents that are allowed; None: no file; ...: any], and (least, most) length of the log."""
    slots, log = {}, [0, 0]
    for entry, word, _, kind, slot, version, size in found:
        if entry >= cut:
            break
        done = word == "done"
        if kind == "log":
            log = [size if done else log[0], size]
        else:
            new = None if kind == "gone" else pattern(slot, version, size)
            old = slots.get(slot, [None])
            slots[slot] = [new] if done else [*old, ... if kind == "sync" else new]
    return slots, log


def judge(state, found, cut, work):
    """Raises Violation."""
    image, tree = work / "state", work / "tree"
    image.write_bytes(state[ROOT * SECTOR:ROOT_END * SECTOR])
    replayed = tool("e2fsck", "-fy", "-E", "journal_only", image)
    clean = tool("e2fsck", "-fn", image)
    if replayed.returncode > 1 or clean.returncode:
        raise Violation(f"e2fsck: {clean.stdout.decode(errors='replace')}")
    subprocess.run(["rm", "-rf", tree], check=True)
    tree.mkdir()
    tool("debugfs", "-R", f"rdump / {tree}", image)
    slots, (least, most) = expected(found, cut)
    for slot, allowed in slots.items():
        file = tree / f"slot{slot}"
        content = file.read_bytes() if file.exists() else None
        if ... not in allowed and content not in allowed:
            raise Violation(f"slot{slot}: {content and (len(content), content[:20])}")
    log = (tree / "log").read_bytes() if (tree / "log").exists() else b""
    good = log_bytes(most)
    if len(log) < least or len(log) > most:
        raise Violation(f"log: {len(log)} bytes, should be {least} to {most}")
    if any(a not in (b, 0) or i < least and a != b for i, (a, b) in enumerate(zip(log, good))):
        raise Violation("log: other bytes")


def boot(state, work):
    """Cathode itself mounts it, writes and leaves it clean."""
    disk = work / "boot"
    disk.write_bytes(state)
    node = {"virtio": "vda", "ahci": "sda"}[KIND]
    subprocess.run([RUN, "--no-build", "--boot", "direct", "--timeout", "120", "--disk", f"{KIND}:{disk}", "--exec",
                    f"mkdir /m && mount -t ext4 /dev/{node}1 /m && cat /m/* >/dev/null 2>&1; echo new > /m/new && "
                    "umount /m"], stdin=subprocess.DEVNULL, check=True)
    (work / "booted").write_bytes(disk.read_bytes()[ROOT * SECTOR:ROOT_END * SECTOR])
    clean = tool("e2fsck", "-fn", work / "booted")
    if clean.returncode:
        raise Violation(f"after a boot: {clean.stdout.decode(errors='replace')}")


def violations(work, seed, count, booted=0, flush=True):
    """How many of the states are wrong; the first ones are told."""
    choice = random.Random(seed)
    before, entries = record(work, seed, flush)
    found, bad = records(entries), 0
    flushes = sum(flags & FLUSH for _, _, flags in entries)
    print(f"{KIND}: {len(entries)} entries, {flushes} flushes, {len(found)} records, {count} states", flush=True)
    for i, (cut, state) in enumerate(states(before, entries, count, choice)):
        try:
            judge(state, found, cut, work)
            if count - i <= booted:
                boot(state, work)
        except Violation as problem:
            bad += 1
            if bad <= 3:
                print(f"cut at {cut}: {problem}", flush=True)
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--states", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory(prefix="cathode-cut-") as folder:
        for part in range(max(1, options.states // 250)):     # a recording is good for so many states
            work = pathlib.Path(folder) / str(part)
            work.mkdir()
            failed |= bool(violations(work, options.seed + part, min(options.states, 250), BOOTED))
            subprocess.run(["rm", "-rf", work], check=True)
        work = pathlib.Path(folder) / "control"
        work.mkdir()
        if not violations(work, options.seed, 20, flush=False):
            print("without flushes nothing was found: this test sees nothing")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
