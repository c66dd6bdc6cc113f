# SPDX-License-Identifier: MIT
"""Debian's kernel in the same machine (scripts/run --linux): what Cathode is compared with.

Its root is an initramfs of busybox, of musl as it comes, and of servers/exec built for Linux, so that commands are
run and their output and status carried as in Cathode. Programs that x86_64-cathode-cc links dynamically run there
as they are, on musl's own libc.so; compiler() links for Linux alone.
"""

import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import build
import cpio
import fetch

CLANG = ["clang-19", "--target=x86_64-linux-musl"]
HEADERS = {"linux": "linux", "asm-generic": "asm-generic", "asm": "x86_64-linux-gnu/asm"}
AGENT = ["main.c", "link.c", "session_linux.c"]
# Its check of the timer counts loops, which a busy host fails; a panic ends the machine.
APPEND = "console=ttyS0 quiet no_timer_check panic=-1"
INITTAB = """::sysinit:/etc/rc
::once:/sbin/exec /dev/ttyS1
"""
# What Cathode's init and its servers provide. The agent's line is a terminal here.
RC = """#!/bin/busybox sh
/bin/busybox --install -s
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/shm /dev/pts /dev/mqueue
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t devpts -o ptmxmode=666 pts /dev/pts
mount -t mqueue mqueue /dev/mqueue
for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2 ptmx:pts/ptmx; do
    ln -sf ${link#*:} /dev/${link%%:*}
done
hostname -F /etc/hostname
ip link set lo up
stty -F /dev/ttyS1 115200 raw -echo clocal
"""


def run(*command, **options):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, **options)


def sysroot():
    """The pinned musl, unchanged, built once; with Linux's headers."""
    tarball = fetch.fetch("musl")
    version = subprocess.run(["clang-19", "--version"], check=True, stdout=subprocess.PIPE).stdout
    key = hashlib.sha256(tarball.read_bytes() + version).hexdigest()[:16]
    result = fetch.cache_folder() / "built" / f"linux-musl-{key}"
    if not result.exists():
        result.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=result.parent) as work:
            source, stage = pathlib.Path(work, "source"), pathlib.Path(work, "stage")
            source.mkdir()
            run("tar", "-xf", tarball, "-C", source, "--strip-components=1")
            run("./configure", f"CC={' '.join(CLANG)}", "AR=llvm-ar-19", "RANLIB=llvm-ranlib-19", "--prefix=/",
                "--syslibdir=/lib", "--disable-wrapper", "LIBCC=" + compiler_rt(), "LDFLAGS=-fuse-ld=lld", cwd=source)
            run("make", "-s", "-j2", "install", f"DESTDIR={stage}", cwd=source)
            for name, path in HEADERS.items():
                shutil.copytree(f"/usr/include/{path}", stage / "include" / name)
            try:
                stage.rename(result)
            except OSError:     # another was first
                pass
    return result


def compiler_rt():
    words = [*CLANG, "--rtlib=compiler-rt", "-print-libgcc-file-name"]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def compiler():
    """The words of a command that compiles and links static programs for Linux."""
    return [*CLANG, f"--sysroot={sysroot()}", "-static", "-fuse-ld=lld", "--rtlib=compiler-rt", "--unwindlib=none",
            "-Wno-unused-command-line-argument"]


def is_current(target, sources):
    return target.exists() and all(target.stat().st_mtime > source.stat().st_mtime for source in sources)


def extract(package, path, to):
    """One file of a .deb, whose path begins as the pattern says, unless it is there."""
    source = fetch.fetch(package)
    if is_current(to, [source]):
        return
    archive = subprocess.run(["dpkg-deb", "--fsys-tarfile", source], check=True, stdout=subprocess.PIPE).stdout
    names = subprocess.run(["tar", "-t"], input=archive, check=True, stdout=subprocess.PIPE).stdout
    member = next(name for name in names.decode().split() if re.match(path, name))
    part = to.with_suffix(".part")
    with open(part, "wb") as out:
        subprocess.run(["tar", "-xO", member], input=archive, check=True, stdout=out)
    part.rename(to)


def folder():
    """The folder for machine.Machine: kernel.elf and initfs.cpio."""
    work = build.build_folder("linux")
    work.mkdir(parents=True, exist_ok=True)
    extract("linux", "./boot/vmlinuz-", work / "kernel.elf")
    extract("busybox-static", "./bin/busybox", work / "busybox")
    sources = [build.ROOT / "servers" / "exec" / name for name in AGENT]
    if not is_current(work / "exec", sources):
        run(*compiler(), "-O2", "-std=gnu2x", "-D_GNU_SOURCE", "-o", work / "exec.part", *sources)
        (work / "exec.part").rename(work / "exec")
    archive = cpio.Archive()
    archive.add_tree("", build.ROOT / "sysroot" / "rootfs")
    for name in ("dev", "proc", "sys", "mnt", "root", "home", "run", "usr/bin", "usr/sbin", "var/log"):
        archive.add_line("dir", name, "755", "0", "0")
    for name in ("tmp", "var/tmp"):
        archive.add_line("dir", name, "1777", "0", "0")
    archive.add_line("mode", "etc/shadow", "600", "0", "0")
    archive.add_line("link", "init", "/bin/busybox")
    archive.add_line("link", "bin/sh", "busybox")
    for path, text, mode in (("etc/inittab", INITTAB, 0o644), ("etc/rc", RC, 0o755)):
        source = work / pathlib.Path(path).name
        source.write_text(text, encoding="utf-8")
        archive.add_file(path, str(source), mode)
    archive.add_file("bin/busybox", str(work / "busybox"), 0o755)
    archive.add_file("sbin/exec", str(work / "exec"), 0o755)
    archive.add_file("lib/ld-musl-x86_64.so.1", str(sysroot() / "lib" / "libc.so"), 0o755)
    cpio.write_archive(archive, str(work / "initfs.cpio"))
    return work
