# SPDX-License-Identifier: MIT
"""GRUB 2 for UEFI: the loader's image and the files that it reads."""

import os
import pathlib
import shutil
import subprocess

MODULES = ("normal configfile multiboot2 search search_fs_file fat part_gpt part_msdos iso9660 echo "
           "boot serial terminal efi_gop efi_uga all_video video_bochs video_cirrus gfxterm test"
           ).split()
EARLY = "search --no-floppy --file --set=root /boot/grub/grub.cfg\nset prefix=($root)/boot/grub\n"


def make_loader(output):
    """BOOTX64.EFI: GRUB with its modules inside; it looks for the disk with /boot/grub/grub.cfg."""
    output = pathlib.Path(output)
    if output.exists():
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    early = output.with_suffix(".cfg")
    early.write_text(EARLY, encoding="ascii")
    part = output.with_suffix(".part")
    subprocess.run(["grub-mkimage", "-O", "x86_64-efi", "-p", "/boot/grub", "-c", early,
                    "-o", part, *MODULES], check=True, stdout=2)
    part.replace(output)


def quote(words):
    """Each word in GRUB's single quotes, which protect everything but themselves."""
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in words.split())


def configuration(module_names, append, timeout=0, others=()):
    """others: more entries of the menu, (title, module names, arguments)."""
    lines = [f"set timeout={timeout}", "set default=0", "insmod all_video"]
    for title, names, arguments in (("Cathode", module_names, append), *others):
        lines += [f"menuentry '{title}' {{", f"  multiboot2 /boot/kernel.elf {quote(arguments)}"]
        lines += [f"  module2 /boot/{name} {name}" for name in names] + ["}"]
    if timeout == 0:
        # No menu: nothing to draw, nothing to wait for.
        lines = lines[2:3] + [line.strip() for line in lines[4:lines.index("}")]] + ["boot"]
    return "\n".join(lines) + "\n"


def make_tree(root, folder, modules, append, timeout=0, copy=False):
    """The files of a boot medium: loader, configuration, kernel, modules (links unless copy)."""
    root, folder = pathlib.Path(root), pathlib.Path(folder)
    loader = folder / "grub" / "BOOTX64.EFI"
    make_loader(loader)
    place = shutil.copy if copy else os.symlink
    for directory in ("EFI/BOOT", "boot/grub"):
        (root / directory).mkdir(parents=True)
    place(loader.resolve(), root / "EFI/BOOT/BOOTX64.EFI")
    place((folder / "kernel.elf").resolve(), root / "boot/kernel.elf")
    for module in modules:
        place(pathlib.Path(module).resolve(), root / "boot" / module.name)
    (root / "boot/grub/grub.cfg").write_text(
        configuration([m.name for m in modules], append, timeout), encoding="utf-8")
