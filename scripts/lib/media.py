# SPDX-License-Identifier: MIT
"""Boot media for UEFI: a GPT disk with an EFI system partition (FAT32) with GRUB, kernel and modules and, if it is to
have the root, a second partition with that; and the same files as ISO 9660, with GRUB in an El Torito image."""

import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import uuid
import zlib

import grub
import root_image

SECTOR = 512
ALIGN = 2048                # first sector of the partition: 1 MiB
GPT_SECTORS = 33            # header and 128 entries of 128 bytes, at each end
ESP_TYPE = uuid.UUID("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
ROOT_TYPE = uuid.UUID("4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709")    # root of an x86-64, as systemd has it
ROOT_MIN = 256 << 20
MTOOLS = dict(os.environ, MTOOLS_SKIP_CHECK="1")


def header(entries, sectors, here, other, disk):
    """A GPT header, UEFI 2.10 §5.3.2, for the copy at sector `here`."""
    table = 2 if here == 1 else sectors - GPT_SECTORS
    fields = [b"EFI PART", 0x10000, 92, 0, 0, here, other, ALIGN, sectors - GPT_SECTORS - 1,
              disk.bytes_le, table, 128, 128, zlib.crc32(entries)]
    layout = "<8sIIIIQQQQ16sQIII"
    fields[3] = zlib.crc32(struct.pack(layout, *fields))
    return struct.pack(layout, *fields).ljust(SECTOR, b"\0")


def write_gpt(path, partitions):
    """partitions: (type, name, sectors), one behind the other; where each begins."""
    entries, starts, at = b"", [], ALIGN
    for kind, name, count in partitions:
        starts.append(at)
        entries += struct.pack("<16s16sQQQ72s", kind.bytes_le, uuid.uuid4().bytes_le, at, at + count - 1, 0,
                               name.encode("utf-16-le"))
        at += count
    sectors = at + ALIGN
    entries = entries.ljust(128 * 128, b"\0")
    disk = uuid.uuid4()
    protective = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, sectors - 1)
    with open(path, "wb") as out:
        out.truncate(sectors * SECTOR)
        out.write(bytes(446) + protective.ljust(64, b"\0") + b"\x55\xaa")
        out.write(header(entries, sectors, 1, sectors - 1, disk) + entries)
        out.seek((sectors - GPT_SECTORS) * SECTOR)
        out.write(entries + header(entries, sectors, sectors - 1, 1, disk))
    return starts


def tree_sectors(root):
    """Room for a FAT32 file system with the tree: at least 64 MiB, since FAT32 has a lower limit."""
    size = sum(path.stat().st_size + 32768 for path in root.rglob("*"))
    return max(64 << 20, (size * 11 // 10 + (4 << 20)) & ~0xFFFFF) // SECTOR


def make_disk(tree, output):
    sectors = tree_sectors(tree)
    write_gpt(output, [(ESP_TYPE, "Cathode", sectors)])
    fill_esp(tree, output, sectors)


def fill_esp(tree, output, sectors):
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


def make_system(folder, append, output, size=0, overlay=None, menu=0):
    """A disk with the root, of size bytes or as small as is sensible. What of folder it boots is the small boot module;
    the menu's second entry is the system in memory, for disks that there is no driver for."""
    part = output.with_name(f"{output.name}.{os.getpid()}")
    archive = root_image.archive_of(folder)
    if overlay:
        archive.add_tree("", overlay)
        archive.add_parents()
    content = sum(entry.size for entry in archive.entries.values())
    with tempfile.TemporaryDirectory(prefix="cathode-") as temporary:
        tree = pathlib.Path(temporary) / "tree"
        grub.make_tree(tree, folder, [folder / "boot.cpio"], "", copy=True)
        memory = [folder / "initfs.cpio"] if menu else []  # FAT: a copy for those who have a menu
        for module in memory:
            shutil.copy(module.resolve(), tree / "boot" / module.name)
        esp = tree_sectors(tree)
        root = max(ROOT_MIN, content * 2, size - (esp + 2 * ALIGN) * SECTOR) // (ALIGN * SECTOR) * ALIGN
        starts = write_gpt(part, [(ESP_TYPE, "EFI", esp), (ROOT_TYPE, "Cathode", root)])
        root_image.fill(archive, part, starts[1] * SECTOR, root * SECTOR)
        words = f"root=UUID={root_image.root_uuid(part)} {append}"
        (tree / "boot/grub/grub.cfg").write_text(grub.configuration(["boot.cpio"], words, menu, [
            ("Cathode, in memory", [module.name for module in memory], append)] if memory else ()), encoding="utf-8")
        fill_esp(tree, part, esp)
    part.replace(output)


MAKERS = {"disk": make_disk, "iso": make_iso}


def make(kind, folder, modules, append, output, menu=0):
    with tempfile.TemporaryDirectory(prefix="cathode-") as temporary:
        tree = pathlib.Path(temporary) / "tree"
        grub.make_tree(tree, folder, modules, append, menu, copy=True)
        part = output.with_suffix(".part")
        part.unlink(missing_ok=True)
        MAKERS[kind](tree, part)
        part.replace(output)
