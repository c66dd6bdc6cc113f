#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""busybox's own tests (testsuite/ and shell/ash_test/ of its pinned source), on Cathode and on Linux.

suite.py [--part P] [--write]   run them in Cathode and judge the result by linux.txt and known.txt;
                                --write: note it in results.txt. P: quick, applets, ash (all)
suite.py --linux                make linux.txt: the same configuration of busybox, as shell the same
                                dash, the same tests and driver in a chroot of this machine (root)
suite.py --only GROUP...        show what these groups print, with the differences (add --linux too)

The groups and their lines are explained in driver.sh. A test's name is GROUP/NAME; a name that comes
again in its group gets "#2" and so on. A group in which the guest hangs or dies counts as failed from
that test on, and a new guest goes on behind it.
"""

import argparse
import collections
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import build    # noqa: E402
import fetch    # noqa: E402

GOAL = 0.95
HELPERS = {"testsuite/echo-ne": "scripts/echo.c", **{
    f"shell/ash_test/{name}": f"shell/ash_test/{name}.c" for name in ("printenv", "recho", "zecho")}}
# Quick ones for CI: many small programs, pipes, files, the shell's core.
QUICK = ["awk", "cat", "cp", "cut", "find", "grep", "ls", "mv", "od", "printf", "rm", "sed", "sort",
         "tar", "tr", "xargs", "ash-alias", "ash-arith", "ash-heredoc", "ash-redir"]
# No tests of the program, or the same again: sha*sum.tests hand their names to md5sum.tests by
# arguments of ".", which dash doesn't have.
NOT_TESTS = {"all_sourcecode", "sha1sum", "sha256sum", "sha3sum", "sha512sum"}
# Half an hour of nothing but bc's arithmetic under emulation: left out on both systems.
TOO_LONG = ("bc parsing of numbers", "bc printing of numbers")



def run(*command, **options):
    subprocess.run([str(word) for word in command], check=True, **options)


# --- the folder /busybox ---------------------------------------------------------------------------

def unpack(name, folder):
    """The pinned source of a port, unpacked once."""
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
            shutil.unpack_archive(fetch.fetch(name), fresh)
            with contextlib.suppress(OSError):      # another part of the tests was first
                os.rename(fresh, folder)
                os.mkdir(fresh)
    return next(folder.iterdir())


def lay_out(target, source, config, compiler, applets):
    """What busybox's tests expect around them, with their helper programs compiled."""
    top = target / "busybox"
    shutil.rmtree(top, ignore_errors=True)
    shutil.copytree(source / "testsuite", top / "testsuite", symlinks=True)
    shutil.copytree(source / "shell" / "ash_test", top / "shell" / "ash_test", symlinks=True)
    file = top / "testsuite" / "bc.tests"
    text = file.read_text(encoding="utf-8")
    for name in TOO_LONG:
        text = text.replace(f'testing "{name}', f'SKIP=1 testing "{name}')
    file.write_text(text, encoding="utf-8")
    shutil.copy(config, top / ".config")
    shutil.copy(HERE / "driver.sh", top / "driver.sh")
    (top / "busybox").symlink_to("/bin/busybox")
    (top / "shell" / "ash_test" / "ash").symlink_to("/bin/busybox")
    links = top / "runtest-tempdir-links"
    links.mkdir()
    for applet in ["busybox", *applets]:
        (links / applet).symlink_to("/bin/busybox")
    for program, code in HELPERS.items():
        run(*compiler, "-Os", "-w", "-o", top / program, source / code)


def groups_of(source, applets):
    """All groups, and those of the applets first: like runtest, only what is built is tested."""
    suite = source / "testsuite"
    known = {path.name for path in suite.iterdir() if path.is_dir()}
    known |= {path.stem for path in suite.glob("*.tests")} - NOT_TESTS
    folders = (source / "shell" / "ash_test").iterdir()
    return sorted(known & {"busybox", *applets}), sorted(f.name for f in folders if f.is_dir())


def applets_of(folder):
    """Names of the applets, from the links that the recipe of busybox made."""
    lines = (folder / "busybox.links").read_text(encoding="utf-8").split()
    return sorted(line.rsplit("/", 1)[1] for line in lines)


# --- reading the driver's lines --------------------------------------------------------------------

class Report:
    """Collects results while lines come in: results[name] is PASS, FAIL or SKIP."""

    WORDS = {"PASS": "PASS", "FAIL": "FAIL", "SKIPPED": "SKIP", "UNTESTED": "SKIP"}

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
            self.results[name] = self.WORDS[word]

    def passed(self):
        return {name for name, result in self.results.items() if result == "PASS"}


def listen(stream, report, show):
    for line in stream:
        text = line.decode(errors="replace").rstrip("\n")
        report.add(text)
        if show or text.startswith("FAIL: "):
            print(text, flush=True)
        elif text.startswith("@ "):
            print(f"{text} ({len(report.results)} so far)", flush=True)


# --- Cathode ---------------------------------------------------------------------------------------

def run_guest(folder, groups, show, preset):
    """Run groups; after a hang or a crash go on with a new guest behind the group at fault."""
    report, left = Report(), list(groups)
    while left:
        report.ended = False
        command = (f"cd /busybox && SUITE_VERBOSE={'1' if show else ''} exec /bin/sh driver.sh "
                   + " ".join(left))
        guest = subprocess.Popen(
            [ROOT / "scripts" / "run", "--no-build", "--boot", "direct", "--smp", "2", "--memory", "1G",
             "--preset", preset, "--timeout", "1500", "--overlay", folder, "--exec", command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        listen(guest.stdout, report, show)
        status = guest.wait()
        if report.ended:
            return report
        print(f"the guest ended with status {status} in group {report.group}", flush=True)
        if report.group not in left:
            return report
        report.results[f"{report.group}/(whole group)"] = "FAIL"
        left = left[left.index(report.group) + 1:]
    return report


def prepare_guest(part):
    """The folder to lay over the guest's root; each part has its own, since they run side by side.

    All presets take their user programs from the debug build.
    """
    folder = build.build_folder("debug")
    port = folder / "ports" / "busybox"
    suites = folder / "suites"
    suites.mkdir(exist_ok=True)
    source = unpack("busybox", suites / "busybox-source")
    applets = applets_of(port / "build")
    lay_out(suites / f"busybox-{part}", source, port / "build" / ".config",
            [folder / "bin" / "x86_64-cathode-cc"], applets)
    return suites / f"busybox-{part}", groups_of(source, applets)


# --- Linux -----------------------------------------------------------------------------------------

def build_musl(work):
    """musl as it comes, for Linux; the compiler that uses it."""
    source, stage = unpack("musl", work / "musl-source"), work / "sysroot"
    if not (stage / "lib" / "libc.a").exists():
        target = "--target=x86_64-linux-musl"
        run("./configure", f"--prefix={stage}", "--disable-shared", "CC=clang-19", "AR=llvm-ar-19",
            "RANLIB=llvm-ranlib-19", f"CFLAGS={target}", cwd=source, stdout=subprocess.DEVNULL)
        run("make", "-s", f"-j{os.cpu_count()}", "install", cwd=source, stdout=subprocess.DEVNULL)
        for name, path in (("linux", "linux"), ("asm-generic", "asm-generic"),
                           ("asm", "x86_64-linux-gnu/asm")):
            shutil.copytree(f"/usr/include/{path}", stage / "include" / name, dirs_exist_ok=True)
    wrapper = work / "cc"
    wrapper.write_text('#!/bin/sh\nexec clang-19 --target=x86_64-linux-musl '
                       f'--sysroot={stage} -static -fuse-ld=lld --rtlib=compiler-rt '
                       '--unwindlib=none -Wno-unused-command-line-argument "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    return wrapper


def build_port(name, work, compiler):
    """By the very recipe of sysroot/ports."""
    root, folder = work / "root", work / f"{name}-build"
    folder.mkdir(exist_ok=True)
    run("sh", ROOT / "sysroot" / "ports" / name / "build.sh", cwd=folder, env={
        **os.environ, "SOURCE": str(unpack(name, work / f"{name}-source")), "OUT": str(root),
        "RECIPE": str(ROOT / "sysroot" / "ports" / name), "CC": str(compiler), "AR": "llvm-ar-19",
        "RANLIB": "llvm-ranlib-19", "STRIP": "llvm-strip-19", "HOST_CC": "clang-19",
        "JOBS": str(os.cpu_count())})
    return folder


def prepare_linux(work):
    """A root file system like Cathode's, with programs for Linux."""
    work.mkdir(parents=True, exist_ok=True)
    compiler, root = build_musl(work), work / "root"
    if not (work / "busybox-build" / "busybox.links").exists():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
    folder = build_port("busybox", work, compiler)
    build_port("dash", work, compiler)      # last: the recipe of busybox removes its own sh
    shutil.copytree(ROOT / "sysroot" / "rootfs", root, dirs_exist_ok=True)
    for name in ("dev", "proc", "sys", "tmp", "root", "run", "mnt", "home", "var/tmp", "var/log"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    source, applets = unpack("busybox", work / "busybox-source"), applets_of(folder)
    lay_out(root, source, folder / ".config", [compiler], applets)
    return root, groups_of(source, applets)


def run_linux(root, groups, show):
    """In a mount and process namespace of its own, with an empty environment, as in the guest."""
    script = f"""
        mount -t proc proc {root}/proc && mount -t tmpfs dev {root}/dev && cd {root}/dev || exit 1
        mknod -m 666 null c 1 3; mknod -m 666 zero c 1 5; mknod -m 666 full c 1 7
        mknod -m 666 random c 1 8; mknod -m 666 urandom c 1 9; mknod -m 666 tty c 5 0
        ln -s /proc/self/fd fd; ln -s fd/0 stdin; ln -s fd/1 stdout; ln -s fd/2 stderr
        hostname cathode
        exec chroot {root} /bin/busybox env -i PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root USER=root \
            SUITE_VERBOSE={'1' if show else ''} /bin/sh /busybox/driver.sh {' '.join(groups)}"""
    report = Report()
    with tempfile.TemporaryFile() as quiet:
        host = subprocess.Popen(["unshare", *"--mount --uts --pid --net --fork sh -c".split(), script],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=quiet)
        listen(host.stdout, report, show)
        if host.wait() or not report.ended:
            quiet.seek(0)
            sys.exit(f"the run on Linux broke off: {quiet.read().decode(errors='replace')}")
    return report


# --- judgement -------------------------------------------------------------------------------------

def read_list(name):
    path = HERE / name
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [line for line in lines if line and not line.startswith("#")]


def write_list(name, head, lines):
    text = "".join(f"# {line}\n" for line in head) + "".join(f"{line}\n" for line in lines)
    (HERE / name).write_text(text, encoding="utf-8")
    print(f"{HERE / name}: {len(lines)} names")


def judge(report, groups, write):
    """All that passes on Linux must pass here, but for what known.txt explains; and 95 %."""
    expected = {name for name in read_list("linux.txt") if name.split("/")[0] in groups}
    known = set(read_list("known.txt"))
    passed = report.passed()
    missing = sorted(expected - passed)
    share = len(expected & passed) / len(expected) if expected else 0
    for name in missing:
        print(f"{'known' if name in known else 'MISSING'}: {name}"
              f" ({report.results.get(name, 'no result')})")
    for name in sorted(known & passed):
        print(f"passes now, but is in known.txt: {name}")
    print(f"{len(expected & passed)} of {len(expected)} names that pass on Linux: {share:.1%};"
          f" {len(passed - expected)} more pass only here")
    if write:
        write_list("results.txt", [
            "Made by suite.py --write: the names of linux.txt, and whether they pass in Cathode.",
            f"{len(expected & passed)} of {len(expected)}: {share:.1%}"],
            [f"{'pass' if name in passed else 'FAIL'} {name}" for name in sorted(expected)])
    return 0 if share >= GOAL and set(missing) <= known else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--linux", action="store_true")
    parser.add_argument("--part", choices=("quick", "applets", "ash", "all"), default="all")
    parser.add_argument("--only", nargs="+", metavar="GROUP")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--preset", default="debug")
    options = parser.parse_args()
    if options.linux:
        root, (applets, ash) = prepare_linux(build.build_folder("linux-busybox"))
        report = run_linux(root, options.only or applets + ash, bool(options.only))
        if not options.only:
            write_list("linux.txt", ["Made by suite.py --linux: names of busybox's tests that pass."],
                       sorted(report.passed()))
        return 0
    folder, (applets, ash) = prepare_guest(options.part)
    groups = options.only or {"quick": [group for group in QUICK if group in applets + ash],
                              "applets": applets, "ash": ash, "all": applets + ash}[options.part]
    report = run_guest(folder, groups, bool(options.only), options.preset)
    return judge(report, set(groups), options.write)


if __name__ == "__main__":
    sys.exit(main())
