#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""busybox's own tests (testsuite/ and shell/ash_test/ of its pinned source), on Cathode and on Linux.

suite.py [--part P] [--write]   run them in Cathode and judge the result by linux.txt and known.txt;
                                --write: note it in results.txt. P: quick, applets, ash (all)
suite.py --linux                make linux.txt: the same configuration of busybox, as shell the same
                                dash, the same tests and driver on Debian's kernel in the same machine
suite.py --only GROUP...        show what these groups print, with the differences (add --linux too)

The groups and their lines are explained in driver.sh.
"""

import argparse
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / "scripts" / "lib"), str(ROOT / "tests" / "harness")]
import build    # noqa: E402
import linux    # noqa: E402
import suites   # noqa: E402

GOAL = 0.98
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


# --- Cathode ---------------------------------------------------------------------------------------

def prepare_guest(part):
    """The folder to lay over the guest's root; each part has its own, since they run side by side.

    All presets take their user programs from the debug build.
    """
    folder = build.build_folder("debug")
    port = folder / "ports" / "busybox"
    work = folder / "suites"
    work.mkdir(exist_ok=True)
    source = suites.unpack("busybox", work / "busybox-source")
    applets = applets_of(port / "host")
    lay_out(work / f"busybox-{part}", source, port / "host" / ".config",
            [folder / "bin" / "x86_64-cathode-cc"], applets)
    return work / f"busybox-{part}", groups_of(source, applets)


# --- Linux -----------------------------------------------------------------------------------------

def prepare_linux(work):
    """What is laid over the root of scripts/run --linux."""
    root = work / "root"
    folder = suites.build_port("busybox", work)
    suites.build_port("dash", work)     # last: the recipe of busybox removes its own sh
    source, applets = suites.unpack("busybox", work / "busybox-source"), applets_of(folder)
    lay_out(root, source, folder / ".config", linux.compiler(), applets)
    return root, groups_of(source, applets)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--linux", action="store_true")
    parser.add_argument("--part", choices=("quick", "applets", "ash", "all"), default="all")
    parser.add_argument("--only", nargs="+", metavar="GROUP")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--preset", default="debug")
    options = parser.parse_args()
    folder, (applets, ash) = (prepare_linux(build.build_folder("linux-busybox")) if options.linux
                              else prepare_guest(options.part))
    groups = options.only or {"quick": [group for group in QUICK if group in applets + ash],
                              "applets": applets, "ash": ash, "all": applets + ash}[options.part]
    command = f"cd /busybox && SUITE_VERBOSE={'1' if options.only else ''} exec /bin/sh driver.sh"
    machine = ["--smp", "2", "--memory", "1G", "--timeout", "1500", "--overlay", folder]
    machine += ["--linux"] if options.linux else ["--no-build", "--preset", options.preset]
    report = suites.run_groups(groups, command, machine, show=lambda line: options.only)
    lists = suites.Lists(HERE, GOAL)
    if options.linux:
        lists.write_linux(report, groups)
        return 0
    return lists.judge(report, groups, options.write)


if __name__ == "__main__":
    sys.exit(main())
