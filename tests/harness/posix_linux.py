#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Our own tests of POSIX (tests/posix) on Linux: Debian's kernel in the same machine, musl as it comes.

What they assert must hold there as well, but for the tests in tests/posix/linux.tsv, each with its reason.
posix_linux.py [GROUP...]
"""

import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys

import ktap

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests" / "posix"
# No groups: what tests share, and core_test.py's program. And calls, whose table is that of libposix.
OTHERS = {"test", "hostile", "crash", "calls"}
# Calls that musl refuses without asking the kernel.
CALLS = ROOT / "libposix" / "musl" / "overlay" / "src" / "sched" / "sched_setscheduler.c"
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import build    # noqa: E402
import linux    # noqa: E402


def compile_group(group, programs, compiler):
    source, target = TESTS / f"{group}.c", programs / group
    shared = [TESTS / "test.c", CALLS]
    if '#include "hostile.h"' in source.read_text(encoding="utf-8"):
        shared.append(TESTS / "hostile.c")
    if not linux.is_current(target, [source, *shared, *TESTS.glob("*.h")]):
        linux.run(*compiler, "-O2", "-std=gnu2x", "-D_GNU_SOURCE=1", "-include", "unistd.h", "-o", target, source,
                  *shared)


def compile_groups(groups, folder):
    """folder/tests/posix/GROUP for each."""
    programs = folder / "tests" / "posix"
    programs.mkdir(parents=True, exist_ok=True)
    compiler = linux.compiler()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda group: compile_group(group, programs, compiler), groups))


def read_exceptions():
    """GROUP/TEST -> why it cannot pass on Linux."""
    lines = (TESTS / "linux.tsv").read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines if line and not line.startswith("#"))


def judge(group, lines, status, exceptions):
    """Whether the group is good: prints what is not."""
    report = ktap.Report("\n".join(lines))
    failed = {f"{group}/{name}" for name in report.failed}
    good = not report.problems and status in (0, 1)
    unexpected = failed - exceptions.keys()
    stale = {name for name in exceptions if name.startswith(f"{group}/")} - failed
    print(f"{group}: {len(report.passed)} passed, {len(failed)} failed, {len(report.skipped)} skipped")
    if unexpected or not good:
        print(*lines, *report.problems, f"exit status {status}", sep="\n")
    for name in sorted(stale):
        print(f"{name} does not fail, but is in linux.tsv")
    return good and not unexpected and not stale


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="GROUP")
    options = parser.parse_args()
    groups = options.groups or sorted(path.stem for path in TESTS.glob("*.c") if path.stem not in OTHERS)
    folder = build.build_folder("linux") / "posix"
    compile_groups(groups, folder)
    command = f"for g in {' '.join(groups)}; do /tests/posix/$g; echo \"@ $g $?\"; done"
    guest = subprocess.run(
        [ROOT / "scripts" / "run", "--linux", "--icount", "--timeout", "1200", "--overlay", folder, "--exec", command],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    exceptions, lines, done, good = read_exceptions(), [], set(), True
    for line in guest.stdout.decode(errors="replace").splitlines():
        if line.startswith("@ "):
            _, group, status = line.split()
            good &= judge(group, lines, int(status), exceptions)
            done.add(group)
            lines = []
        else:
            lines.append(line)
    if set(groups) - done:
        print(*lines, f"the guest ended with status {guest.returncode} in {sorted(set(groups) - done)}", sep="\n")
    return 0 if good and done == set(groups) else 1


if __name__ == "__main__":
    sys.exit(main())
