# SPDX-License-Identifier: MIT
"""The root on a disk: ext4 in the second partition, filled with what initfs.cpio holds, by e2fsprogs."""

import os
import pathlib
import shutil
import stat
import struct
import subprocess
import tempfile

import cpio

SECTOR = 512
TABLE = 2 * SECTOR              # GPT: its entries of 128 bytes begin there
SUPER, MAGIC = 1024, 0xEF53     # ext4: offset of the superblock; its fields: Linux, ext4/super.rst
FEATURES = "metadata_csum,64bit,^resize_inode"


def archive_of(folder):
    """The entries of initfs.cpio; other presets have that of debug."""
    archive = cpio.Archive()
    archive.add_list((folder / "initfs.cpio").resolve().with_name("initfs.list"))
    archive.add_parents()
    return archive


def lay_out(archive, top):
    """The tree as files of the host. Owners come later: only root could give them here."""
    by_depth = sorted(archive.entries.items(), key=lambda item: item[0].count("/"))
    for path, entry in by_depth:
        target = top / path
        if stat.S_ISDIR(entry.mode):
            target.mkdir()
        elif stat.S_ISLNK(entry.mode):
            target.symlink_to(os.fsdecode(entry.target))
        elif stat.S_ISFIFO(entry.mode):
            os.mkfifo(target)
        else:
            shutil.copyfile(entry.source, target)
    for path, entry in reversed(by_depth):
        target = top / path
        if not stat.S_ISLNK(entry.mode):
            target.chmod(stat.S_IMODE(entry.mode))
        os.utime(target, (entry.mtime, entry.mtime), follow_symlinks=False)


def owners(archive):
    """debugfs commands for what belongs to somebody else than the files of the host."""
    for path, entry in archive.entries.items():
        for field, value, ours in (("uid", entry.uid, os.geteuid()), ("gid", entry.gid, os.getegid())):
            if value != ours:
                yield f'set_inode_field "/{path}" {field} {value}\n'


def fill(archive, image, offset, size):
    """Make the file system in image, a file, at offset, of size bytes."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    with tempfile.TemporaryDirectory(prefix="cathode-") as folder:
        top = pathlib.Path(folder) / "root"
        top.mkdir()
        lay_out(archive, top)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-L", "cathode", "-O", FEATURES,
                        "-E", f"offset={offset},root_owner=0:0,lazy_itable_init=0", "-d", top, image,
                        f"{size // 1024}k"], check=True, stdout=2, env={**os.environ, "PATH": path})
        script = pathlib.Path(folder) / "owners"
        script.write_text("".join(owners(archive)), encoding="utf-8")
        if script.stat().st_size:
            subprocess.run(["debugfs", "-w", "-f", script, f"{image}?offset={offset}"], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "PATH": path})


def root_uuid(image):
    """The UUID of the root, as text; None if image has none."""
    with open(image, "rb") as disk:
        disk.seek(SECTOR)
        gpt = disk.read(8) == b"EFI PART"
        disk.seek(TABLE + 128 + 32)
        first = struct.unpack("<Q", disk.read(8).ljust(8, b"\0"))[0]
        disk.seek(first * SECTOR + SUPER if gpt and first < 1 << 40 else 0)
        block = disk.read(1024).ljust(1024, b"\0")
    if not gpt or struct.unpack_from("<H", block, 56)[0] != MAGIC:
        return None
    digits = block[104:120].hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
