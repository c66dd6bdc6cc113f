# SPDX-License-Identifier: MIT
"""Test suites of others (tests/suites): run in a guest, group by group, and judged by what passes on Linux.

A suite's driver runs in Cathode and on Linux (scripts/run --linux) alike and prints
    @ GROUP        the group begins
    WORD: NAME     a result; PASS, or one of Report.WORDS
    @ end          all groups were run
A test's name is GROUP/NAME; a name that comes again in its group gets "#2" and so on.
"""

import collections
import contextlib
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUN = ROOT / "scripts" / "run"
PORTS = ROOT / "sysroot" / "ports"
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import fetch    # noqa: E402
import linux    # noqa: E402


class Report:
    """Collects results while lines come in: results[name] is the driver's word."""

    WORDS = {"PASS", "FAIL", "SKIPPED", "UNRESOLVED", "UNSUPPORTED", "UNTESTED", "HUNG", "KILLED"}

    def __init__(self):
        self.results = {}
        self.group, self.ended = None, False
        self.seen = collections.Counter()

    def add(self, line):
        word, _, rest = line.partition(": ")
        if line == "@ end":
            self.group, self.ended = None, True
        elif line.startswith("@ "):
            self.group = line[2:]
        elif self.group and word in self.WORDS and rest:
            name = f"{self.group}/{' '.join(rest.split())}"
            self.seen[name] += 1
            if self.seen[name] > 1:
                name += f" #{self.seen[name]}"
            self.results[name] = word

    def passed(self):
        return {name for name, result in self.results.items() if result == "PASS"}


def listen(stream, report, show, ended):
    """Reads to the end; prints the lines that `show` wants, beside failures and groups."""
    for line in stream:
        text, group = line.decode(errors="replace").rstrip("\n"), report.group
        report.add(text)
        if group and group != report.group:
            ended(report, group)
        if show(text) or text.startswith("FAIL: "):
            print(text, flush=True)
        elif text.startswith("@ "):
            print(f"{text} ({len(report.results)} so far)", flush=True)


def run_groups(groups, command, options, show=lambda line: False, ended=lambda report, group: None):
    """Runs groups by command + their names; options: of scripts/run. SUITE_ROOT=disk: with all files on ext4.
    ended: called when a group has come to its end.

    A group in which the guest hangs or dies has failed from that test on; a new guest goes on behind it.
    """
    report, left = Report(), list(groups)
    while left:
        report.ended = False
        root = [] if "--linux" in options else ["--root", os.environ.get("SUITE_ROOT", "ram")]
        guest = subprocess.Popen([RUN, "--boot", "direct", *root, *options, "--exec", " ".join([command, *left])],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        listen(guest.stdout, report, show, ended)
        status = guest.wait()
        if report.ended:
            break
        print(f"the guest ended with status {status} in group {report.group}", flush=True)
        if report.group not in left:
            break
        report.results[f"{report.group}/(whole group)"] = "FAIL"
        left = left[left.index(report.group) + 1:]
    return report


class Lists:
    """linux.txt, known.txt and results.txt of a suite's folder; what is said of some groups leaves the others."""

    def __init__(self, folder, goal, group_of=lambda name: name.split("/")[0]):
        self.folder, self.goal, self.group_of = folder, goal, group_of

    def read(self, name):
        path = self.folder / name
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [line for line in lines if line and not line.startswith("#")]

    def write(self, name, head, lines):
        text = "".join(f"# {line}\n" for line in head) + "".join(f"{line}\n" for line in lines)
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")
        print(f"{self.folder / name}: {len(lines)} names")

    def write_linux(self, report, groups):
        others = {name for name in self.read("linux.txt") if self.group_of(name) not in groups}
        self.write("linux.txt", ["Made by suite.py --linux: names of the tests that pass."],
                   sorted(others | report.passed()))

    def write_results(self, passed, groups):
        before = dict(line.split(" ", 1)[::-1] for line in self.read("results.txt"))

        def now(name):
            if self.group_of(name) in groups:
                return "pass" if name in passed else "FAIL"
            return before.get(name, "FAIL")

        results = [f"{now(name)} {name}" for name in sorted(self.read("linux.txt"))]
        count = sum(result.startswith("pass ") for result in results)
        self.write("results.txt", [
            "Made by suite.py --write: the names of linux.txt, and whether they pass in Cathode.",
            f"{count} of {len(results)}: {count / len(results):.1%}"], results)

    def judge(self, report, groups, write):
        """All that passes on Linux must pass here, but for what known.txt explains; and a share of `goal`."""
        expected = {name for name in self.read("linux.txt") if self.group_of(name) in groups}
        known = set(self.read("known.txt"))
        passed = report.passed()
        missing = sorted(expected - passed)
        share = len(expected & passed) / len(expected) if expected else 0
        for name in missing:
            print(f"{'known' if name in known else 'MISSING'}: {name} ({report.results.get(name, 'no result')})")
        for name in sorted(known & passed):
            print(f"passes now, but is in known.txt: {name}")
        print(f"{len(expected & passed)} of {len(expected)} names that pass on Linux: {share:.1%};"
              f" {len(passed - expected)} more pass only here")
        if write:
            self.write_results(passed, groups)
        return 0 if share >= self.goal and set(missing) <= known else 1


def unpack(name, folder):
    """The pinned source of a port, unpacked once."""
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
            shutil.unpack_archive(fetch.fetch(name), fresh)
            with contextlib.suppress(OSError):      # another part of the tests was first
                os.rename(fresh, folder)
                os.mkdir(fresh)
    return next(folder.iterdir())


def build_port(name, work, depends=()):
    """For Linux, by the very recipe of sysroot/ports, into work/root, once; its build folder."""
    root, folder = work / "root", work / f"{name}-build"
    if (folder / "built").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    compiler = work / "cc"      # for recipes, which want one word
    compiler.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, linux.compiler()))} "$@"\n', encoding="utf-8")
    compiler.chmod(0o755)
    flags = {"CPPFLAGS": f"-I{root}/usr/local/include", "LDFLAGS": f"-L{root}/usr/local/lib"} if depends else {}
    subprocess.run(["sh", PORTS / "recipe.sh"], check=True, cwd=folder, env={
        **os.environ, "SOURCE": str(unpack(name, work / f"{name}-source")), "OUT": str(root),
        "RECIPE": str(PORTS / name), "CC": str(compiler), "AR": "llvm-ar-19", "RANLIB": "llvm-ranlib-19",
        "STRIP": "llvm-strip-19", "HOST_CC": "clang-19", "JOBS": str(os.cpu_count()),
        "SYSROOT": str(linux.sysroot()), **flags})
    (folder / "built").touch()
    return folder
