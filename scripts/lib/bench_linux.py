# SPDX-License-Identifier: MIT
"""scripts/bench --linux: the same benchmark program on Debian's kernel, in the same machine.

An initramfs of busybox, whose shell is init, and of tests/bench built statically with stock musl. For the rows of
disks /tmp is an ext4 on a virtio disk, and there is a second disk.
"""

import os
import pathlib
import subprocess
import tempfile

import build
import cpio
import linux
import machine

SOURCES = [build.ROOT / "tests" / "bench" / name for name in ("main.c", "posix.c")]
TIMEOUT = 1800
DISK_SIZE = 256 << 20
MODULES = ("virtio/virtio virtio/virtio_ring virtio/virtio_pci_legacy_dev virtio/virtio_pci_modern_dev "
           "virtio/virtio_pci block/virtio_blk crypto/crc32c_generic lib/crc16 fs/mbcache fs/jbd2/jbd2 "
           "fs/ext4/ext4").split()
SECOND = """
ip() { /bin/busybox ip "$@"; }
ip addr add 10.9.0.1/24 dev eth0
ip link set eth0 up
/bin/busybox unshare -n /bin/busybox sh -c '
    while ! /bin/busybox ip addr add 10.9.0.2/24 dev eth1; do /bin/busybox usleep 10000; done
    /bin/busybox ip link set eth1 up
    exec /bin/bench tcp_cards_send' 2>/dev/null &
while ip link set eth1 netns $! 2>/dev/null; do /bin/busybox usleep 10000; done     # until it has a space of its own
"""
INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
for module in $MODULES; do /bin/busybox insmod /$module.ko; done
/bin/busybox ip link set lo up
/bin/busybox mount $TMP /tmp
$BEFORE
/bin/bench $BENCH
/bin/busybox poweroff -f
"""


def make_initramfs(work, names, modules, tmp, before):
    compiler = [*linux.compiler(), "-O2", "-std=gnu2x", "-D_GNU_SOURCE"]
    linux.run(*compiler, "-o", work / "bench", *SOURCES)
    linux.run(*compiler, "-o", work / "nothing", build.ROOT / "tests" / "bench" / "nothing.c")
    linux.extract("busybox-static", "./bin/busybox", work / "busybox")
    words = {"$BENCH": " ".join(names), "$MODULES": " ".join(map(flat, modules)), "$TMP": tmp,
             "$BEFORE": before}
    text = INIT
    for word, value in words.items():
        text = text.replace(word, value)
    (work / "init").write_text(text)
    archive = cpio.Archive()
    for folder in ("dev", "proc", "tmp"):
        archive.add_line("dir", folder, "755", "0", "0")
    for path, source in (("init", "init"), ("bin/busybox", "busybox"), ("bin/bench", "bench"),
                         ("bin/bench-nothing", "nothing")):
        archive.add_file(path, str(work / source), 0o755)
    for name in modules:
        file = work / f"{flat(name)}.ko"
        linux.extract("linux", module_path(name), file)
        archive.add_file(file.name, str(file), 0o644)
    archive.add_parents()
    with open(work / "initfs.cpio", "wb") as out:
        archive.write(out)


def flat(name):
    return name.replace("/", "-")


def module_path(name):
    """A pattern for linux.extract()."""
    folder = name if name.split("/")[0] in ("crypto", "lib", "fs") else f"drivers/{name}"
    return f"./lib/modules/[^/]*/kernel/{folder}\\.ko$"


def measure_disks(names, extra):
    """The same on ext4. extra: QEMU's arguments for the second disk."""
    with tempfile.TemporaryDirectory(prefix="cathode-") as folder:
        disk = pathlib.Path(folder) / "ext4.img"
        with open(disk, "wb") as out:
            out.truncate(DISK_SIZE)
        path = os.environ["PATH"] + ":/usr/sbin:/sbin"
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=0", disk], check=True, stdout=2,
                       env={**os.environ, "PATH": path})
        return measure(names, MODULES, "-t ext4 /dev/vda", ["-drive", f"if=none,id=ext4,format=raw,file={disk}",
                                                            "-device", "virtio-blk-pci,drive=ext4", *extra])


def measure_cards(names):
    """Two cards on one wire, the second one in another network namespace, which sends."""
    cards = [word for n in range(2) for word in ("-netdev", f"hubport,id=net{n},hubid=0", "-device",
                                                 f"e1000,netdev=net{n},mac=52:54:00:12:34:5{n}")]
    return measure(names, ("net/ethernet/intel/e1000/e1000",), extra=cards, before=SECOND)


def measure_screen(names):
    """vesafb and its console, 1280x800 with 32 bits."""
    return measure(names, extra=["-vga", "std"], append="vga=0x37a")


def measure(names, modules=(), tmp="-t tmpfs tmp", extra=(), before="", append=""):
    """The console's lines. Machine takes any kernel that QEMU can load."""
    with tempfile.TemporaryDirectory(prefix="cathode-") as folder:
        work = pathlib.Path(folder)
        linux.extract("linux", "./boot/vmlinuz-", work / "kernel.elf")
        make_initramfs(work, names, modules, tmp, before)
        with machine.Machine(work, boot="direct", memory="512M", icount=True,
                             append=f"console=ttyS0 quiet {append}", extra=extra) as guest:
            process = guest.start(["-serial", "stdio", "-monitor", "none"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            out, _ = process.communicate(timeout=TIMEOUT)
    return out.decode(errors="replace").replace("\r", "").splitlines()
