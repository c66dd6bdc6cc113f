# SPDX-License-Identifier: MIT
"""Boot media for UEFI: a GPT disk with one partition, an EFI system partition (FAT32) with GRUB,
kernel and modules; and the same files as ISO 9660, with GRUB in an El Torito image."""

import os
import pathlib
import struct
import subprocess
import tempfile
import uuid
import zlib

import grub

SECTOR = 512
ALIGN = 2048                # first sector of the partition: 1 MiB
GPT_SECTORS = 33            # header and 128 entries of 128 bytes, at each end
ESP_TYPE = uuid.UUID("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
MTOOLS = dict(os.environ, MTOOLS_SKIP_CHECK="1")


def header(entries, sectors, here, other, disk):
    """A GPT header, UEFI 2.10 §5.3.2, for the copy at sector `here`."""
    table = 2 if here == 1 else sectors - GPT_SECTORS
    fields = [b"EFI PART", 0x10000, 92, 0, 0, here, other, ALIGN, sectors - GPT_SECTORS - 1,
              disk.bytes_le, table, 128, 128, zlib.crc32(entries)]
    layout = "<8sIIIIQQQQ16sQIII"
    fields[3] = zlib.crc32(struct.pack(layout, *fields))
    return struct.pack(layout, *fields).ljust(SECTOR, b"\0")


def write_gpt(path, partition_sectors):
    sectors = ALIGN + partition_sectors + ALIGN
    entry = struct.pack("<16s16sQQQ72s", ESP_TYPE.bytes_le, uuid.uuid4().bytes_le, ALIGN,
                        ALIGN + partition_sectors - 1, 0, "Cathode".encode("utf-16-le"))
    entries = entry.ljust(128 * 128, b"\0")
    disk = uuid.uuid4()
    protective = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, sectors - 1)
    with open(path, "wb") as out:
        out.truncate(sectors * SECTOR)
        out.write(bytes(446) + protective.ljust(64, b"\0") + b"\x55\xaa")
        out.write(header(entries, sectors, 1, sectors - 1, disk) + entries)
        out.seek((sectors - GPT_SECTORS) * SECTOR)
        out.write(entries + header(entries, sectors, sectors - 1, 1, disk))


def tree_sectors(root):
    """Room for a FAT32 file system with the tree: at least 64 MiB, since FAT32 has a lower limit."""
    size = sum(path.stat().st_size + 32768 for path in root.rglob("*"))
    return max(64 << 20, (size * 11 // 10 + (4 << 20)) & ~0xFFFFF) // SECTOR


def make_disk(tree, output):
    sectors = tree_sectors(tree)
    write_gpt(output, sectors)
    target = f"{output}@@{ALIGN * SECTOR}"
    subprocess.run(["mformat", "-i", target, "-F", "-T", str(sectors), "-h", "255", "-s", "63",
                    "-H", str(ALIGN), "-v", "CATHODE", "::"], check=True, env=MTOOLS)
    subprocess.run(["mcopy", "-i", target, "-s", "-Q", *tree.iterdir(), "::"], check=True, env=MTOOLS)


def make_iso(tree, output):
    loader = tree / "EFI/BOOT/BOOTX64.EFI"
    efi = tree / "boot/efi.img"
    with open(efi, "wb") as out:
        out.truncate((loader.stat().st_size + (1 << 20)) & ~0xFFFF)
    subprocess.run(["mformat", "-i", efi, "::"], check=True, env=MTOOLS)
    subprocess.run(["mmd", "-i", efi, "::/EFI", "::/EFI/BOOT"], check=True, env=MTOOLS)
    subprocess.run(["mcopy", "-i", efi, loader, "::/EFI/BOOT"], check=True, env=MTOOLS)
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-R", "-J", "-V", "CATHODE",
                    "-e", "boot/efi.img", "-no-emul-boot", "-isohybrid-gpt-basdat",
                    "-o", output, tree], check=True, stdout=2, stderr=subprocess.DEVNULL)


MAKERS = {"disk": make_disk, "iso": make_iso}


def make(kind, folder, modules, append, output, menu=0):
    with tempfile.TemporaryDirectory(prefix="cathode-") as temporary:
        tree = pathlib.Path(temporary) / "tree"
        grub.make_tree(tree, folder, modules, append, menu, copy=True)
        part = output.with_suffix(".part")
        part.unlink(missing_ok=True)
        MAKERS[kind](tree, part)
        part.replace(output)
