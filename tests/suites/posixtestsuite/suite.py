#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The conformance tests of posixtestsuite, on Cathode and on Linux: the same programs, linked dynamically, once.

suite.py [--part P] [--write]   run them in Cathode and judge the result by linux.txt and known.txt;
                                --write: note it in results.txt. P: quick (all)
suite.py --linux                make linux.txt, on Debian's kernel in the same machine; with --only what it says
                                about these groups
suite.py --only GROUP...        some groups, such as interfaces/fork, with what the tests print

Instructions are counted and the clock follows them, so that waiting takes no time; but for the groups that spin.
"""

import argparse
import concurrent.futures
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / "scripts" / "lib"), str(ROOT / "tests" / "harness")]
import build    # noqa: E402
import fetch    # noqa: E402
import suites   # noqa: E402

GOAL = 0.98
SECONDS = 400       # of the guest's clock, for one test
BOOTS = 8           # parts, each with a guest of its own
SPINNING = "interfaces/pthread_spin_"   # pause ends a block of QEMU: where it counts, seconds of it take minutes
# The host's gcc, which is quicker than clang with many small files, on the sysroot.
COMPILE = ["gcc", "-c", "-std=gnu99", "-O2", "-w", "-fno-pie", "-nostdinc", "-D_POSIX_C_SOURCE=200112L",
           "-D_GNU_SOURCE", "-include", HERE / "prelude.h"]
LINK = ["ld", "-dynamic-linker", "/lib/ld-musl-x86_64.so.1"]
QUICK = ["behavior/WIFEXITED", *(f"interfaces/{name}" for name in (
    "aio_read", "clock_nanosleep", "fork", "kill", "mlock", "mq_notify", "mq_timedsend", "mq_timedsend/speculative",
    "nanosleep",
    "pthread_cancel", "pthread_cond_timedwait", "pthread_create", "pthread_mutex_lock", "pthread_rwlock_rdlock",
    "sem_open", "sem_wait", "shm_unlink", "sigpending", "sigqueue", "sigtimedwait", "timer_settime"))]


def is_vacuous(script):
    """Many scripts only say that another test covers this."""
    return "conformance/" not in script.read_text(encoding="latin-1")


def compile_test(source, target, include, sysroot):
    """Without a main a test has said all it has to say by being compiled; what doesn't compile is told."""
    program, library = target.with_suffix(".o"), sysroot / "lib"
    headers = ["-I", include, "-isystem", sysroot / "include"]
    done = subprocess.run([*COMPILE, *headers, "-o", program, source], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        done = subprocess.run([*LINK, "-o", target, library / "crt1.o", program, library / "libc.so"],
                              capture_output=True, text=True, check=False)
        program.unlink()
    if done.returncode and "undefined reference to `main'" not in done.stderr:
        print(f"{source}: {done.stderr.strip()[:300]}", file=sys.stderr)


def compile_group(source, group, target, sysroot):
    """The tests of a group, unless they are there: libc.so may change under them."""
    if target.exists():
        return
    folder, part = source / "conformance" / group, pathlib.Path(tempfile.mkdtemp(dir=target.parent))
    part.chmod(0o755)
    for file in sorted(folder.glob("[0-9]*-*.c")):
        compile_test(file, part / (file.stem + ".test"), source / "include", sysroot)
    for file in folder.glob("[0-9]*-*.sh"):
        if not is_vacuous(file):
            shutil.copy(file, part)
            (part / file.name).chmod(0o755)
    try:
        part.rename(target)
    except OSError:     # another part of the tests was first
        shutil.rmtree(part)


def source_folder():
    """The pinned source, unpacked."""
    tarball = fetch.fetch("posixtestsuite")
    key = hashlib.sha256(tarball.read_bytes()).hexdigest()[:16]
    folder = fetch.cache_folder() / "built" / f"posixtestsuite-source-{key}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=fetch.cache_folder()) as work:
            shutil.unpack_archive(tarball, work)
            os.rename(next(pathlib.Path(work).iterdir()), folder)
    return folder


def groups_of(source):
    folders = {path.parent for path in (source / "conformance").rglob("[0-9]*-*.c")}
    return sorted(str(folder.relative_to(source / "conformance")) for folder in folders
                  if folder.relative_to(source / "conformance").parts[0] != "definitions")


def lay_out(part, groups, source):
    """The folder that is laid over the root: /pts with the programs of these groups."""
    folder = build.build_folder("debug")
    programs = folder / "suites" / "posixtestsuite"
    programs.mkdir(parents=True, exist_ok=True)
    target = folder / "suites" / f"posixtestsuite-{part}"
    compiled = {group: programs / group.replace("/", ",") for group in groups}     # one folder may lie in another
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda group: compile_group(source, group, compiled[group], folder / "sysroot"), groups))
    shutil.rmtree(target, ignore_errors=True)
    for group in groups:
        shutil.copytree(compiled[group], target / "pts" / "conformance" / group, copy_function=os.link,
                        dirs_exist_ok=True)
    subprocess.run([folder / "bin" / "x86_64-cathode-cc", "-O2", "-std=gnu2x", "-o", target / "pts" / "driver",
                    HERE / "driver.c"], check=True)
    return target


def boots_of(groups, count):
    """[groups, options of scripts/run] for each guest."""
    counted = [group for group in groups if not group.startswith(SPINNING)]
    spinning = [group for group in groups if group.startswith(SPINNING)]
    return [*((counted[at::count], ["--icount"]) for at in range(count)), (spinning, [])]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--linux", action="store_true")
    parser.add_argument("--part", choices=("quick", "all"), default="all")
    parser.add_argument("--only", nargs="+", metavar="GROUP")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="show what passing tests print, too")
    parser.add_argument("-j", type=int, default=1, metavar="N", help="guests at a time (1)")
    options = parser.parse_args()
    source = source_folder()
    groups = options.only or {"quick": QUICK, "all": groups_of(source)}[options.part]
    part = "linux" if options.linux else "some" if options.only else options.part
    overlay = lay_out(part, groups, source)
    machine = ["--memory", "1G", "--timeout", "3000", "--overlay", overlay]
    machine += ["--linux"] if options.linux else ["--no-build"]
    command = f"cd /pts && exec ./driver {'-v ' if options.verbose else ''}{SECONDS}"
    report = suites.Report()
    with concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        for part in pool.map(lambda boot: suites.run_groups(
                boot[0], command, machine + boot[1], show=lambda line: not line.startswith("PASS: ")),
                boots_of(groups, 1 if options.only or options.part == "quick" else BOOTS)):
            report.results |= part.results
    lists = suites.Lists(HERE, GOAL, group_of=os.path.dirname)
    if options.linux:
        lists.write_linux(report, groups)
        return 0
    return lists.judge(report, groups, options.write)


if __name__ == "__main__":
    sys.exit(main())
