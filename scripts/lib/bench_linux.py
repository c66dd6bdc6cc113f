# SPDX-License-Identifier: MIT
"""scripts/bench --linux: the same benchmark program on Debian's kernel, in the same machine.

An initramfs of busybox, whose shell is init, and of tests/bench built statically with stock musl.
"""

import hashlib
import pathlib
import subprocess
import sys
import tempfile

import build
import cpio
import fetch
import machine

SOURCES = [build.ROOT / "tests" / "bench" / name for name in ("main.c", "posix.c")]
CC = ["clang-19", "--target=x86_64-linux-musl", "-static", "-fuse-ld=lld", "--rtlib=compiler-rt",
      "--unwindlib=none", "-O2", "-std=gnu2x"]
TIMEOUT = 1800
INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs tmp /tmp
/bin/bench $BENCH
/bin/busybox poweroff -f
"""


def run(*command, **options):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, **options)


def musl_sysroot():
    """The pinned musl, unchanged, built once."""
    tarball = fetch.fetch("musl")
    key = hashlib.sha256(tarball.read_bytes()).hexdigest()[:16]
    result = fetch.cache_folder() / "built" / f"linux-musl-{key}"
    if not (result / "lib" / "libc.a").exists():
        with tempfile.TemporaryDirectory(dir=fetch.cache_folder()) as work:
            run("tar", "-xf", tarball, "-C", work, "--strip-components=1")
            run("./configure", "CC=clang-19", f"--prefix={result}", "--disable-shared",
                "--disable-wrapper", cwd=work)
            run("make", "-j2", "install", cwd=work)
    return result


def extract(package, path, to):
    """One file of a .deb."""
    archive = subprocess.run(["dpkg-deb", "--fsys-tarfile", fetch.fetch(package)], check=True,
                             stdout=subprocess.PIPE).stdout
    names = subprocess.run(["tar", "-t"], input=archive, check=True, stdout=subprocess.PIPE).stdout
    member = next(name for name in names.decode().split() if name.startswith(path))
    with open(to, "wb") as out:
        subprocess.run(["tar", "-xO", member], input=archive, check=True, stdout=out)


def make_initramfs(work, names):
    compiler = [*CC, f"--sysroot={musl_sysroot()}"]
    run(*compiler, "-o", work / "bench", *SOURCES)
    run(*compiler, "-o", work / "nothing", build.ROOT / "tests" / "bench" / "nothing.c")
    extract("busybox-static", "./bin/busybox", work / "busybox")
    (work / "init").write_text(INIT.replace("$BENCH", " ".join(names)))
    archive = cpio.Archive()
    for folder in ("dev", "tmp"):
        archive.add_line("dir", folder, "755", "0", "0")
    for path, source in (("init", "init"), ("bin/busybox", "busybox"), ("bin/bench", "bench"),
                         ("bin/bench-nothing", "nothing")):
        archive.add_file(path, str(work / source), 0o755)
    archive.add_parents()
    with open(work / "initfs.cpio", "wb") as out:
        archive.write(out)


def measure(names):
    """The console's lines. Machine takes any kernel that QEMU can load."""
    with tempfile.TemporaryDirectory(prefix="cathode-") as folder:
        work = pathlib.Path(folder)
        extract("linux", "./boot/vmlinuz-", work / "kernel.elf")
        make_initramfs(work, names)
        with machine.Machine(work, boot="direct", memory="512M", icount=True,
                             append="console=ttyS0 quiet") as guest:
            process = guest.start(["-serial", "stdio", "-monitor", "none"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            out, _ = process.communicate(timeout=TIMEOUT)
    return out.decode(errors="replace").replace("\r", "").splitlines()
