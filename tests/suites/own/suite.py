#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests that ports bring along in their pinned sources, on Cathode and on Linux: zlib, sqlite3, mksh, bash.

suite.py PORT [--write]         run them in Cathode and judge the result by PORT/linux.txt and PORT/known.txt;
                                --write: note it in PORT/results.txt
suite.py PORT --linux           make linux.txt, on Debian's kernel in the same machine
suite.py PORT --only NAME...    some of the tests, with what failing ones print (add --linux too)

zlib and sqlite3: programs linked dynamically with the port's library, the same ones on both systems. The shells are
built for Linux by the port's recipe.
"""

import argparse
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / "scripts" / "lib"), str(ROOT / "tests" / "harness")]
import build    # noqa: E402
import suites   # noqa: E402

GOAL = 0.98
DEBUG = build.build_folder("debug")
# What is built for Linux, in this order, each with the ports that it is linked with.
SHELLS = {"mksh": {"dash": (), "mksh": ()}, "bash": {"dash": (), "ncurses": (), "bash": ("ncurses",), "sed": ()}}
PACKAGES = {"bash": "bash,sed"}     # busybox's sed has no "l"
# Of check.pl: a test of another category is not for this shell on this system.
CATEGORIES = {"os:linux", "shell:ebcdic-no", "shell:ascii-yes", "shell:legacy-no", "shell:textmode-no", "int:32",
              "fastbox"}
ENVIRONMENT = {"HOME": "/root", "LOGNAME": "root", "USER": "root", "SHELL": "/bin/sh", "ENV": "/nonexistant",
               "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "__progname": "/usr/local/bin/mksh"}


def compile_program(target, *words, port=None):
    """Linked dynamically with libc.so, statically with the library of the port."""
    if port:
        prefix = DEBUG / "packages" / port / "usr" / "local"
        words = [*words, f"-I{prefix}/include", *prefix.glob("lib/*.a")]
    subprocess.run([DEBUG / "bin" / "x86_64-cathode-cc", "-O2", "-w", "-no-pie", "-o", target, *words], check=True)


def lay_out_zlib(source, own):
    for name in ("minigzip", "example", "infcover"):
        compile_program(own / name, source / "test" / f"{name}.c", f"-I{source}", port="zlib")


def lay_out_sqlite3(source, own):
    for name in ("speedtest1", "threadtest3", "threadtest5"):
        more = [source / "src" / "test_multiplex.c", f"-I{source}/src"] if name == "threadtest3" else []
        compile_program(own / name, source / "test" / f"{name}.c", *more, port="sqlite3")
    (own / "sqlite.h").write_text("#include <sqlite3.h>\ntypedef sqlite3 sqlite;\n")   # as threadtest2 knows it
    compile_program(own / "threadtest2", source / "test" / "threadtest2.c", f"-I{own}", port="sqlite3")
    compile_program(own / "mptester", source / "mptest" / "mptest.c", port="sqlite3")
    shutil.copytree(source / "mptest", own / "mptest")
    shutil.copy(source / "test" / "threadtest3.c", own)


def lay_out_bash(source, own):
    shutil.copytree(source / "tests", own / "tests")
    for name, text in (("y.tab.c", "y.tab.c"), ("config.h", "config.h.in"), ("version.h", "version.c")):
        shutil.copy(source / text, own / name)      # run-heredoc copies such files of a build
    for name in ("recho", "zecho", "printenv", "xcase"):
        compile_program(own / "tests" / name, source / "support" / f"{name}.c", f"-I{source}", f"-I{source}/include",
                        "-DHAVE_STRING_H", "-DHAVE_STDLIB_H", "-DHAVE_UNISTD_H")


# --- mksh's check.t: as check.pl reads it ----------------------------------------------------------

def read_check(path):
    """Yields for each test its fields; those that may come several times are lists."""
    fields, last = {}, None
    for line in re.findall(".*\n", path.read_bytes().decode(errors="surrogateescape")):
        if last and line.startswith("\t"):
            fields[last][-1] += line[1:]
            continue
        if line.strip() == "---":
            yield fields
            fields, last = {}, None
        elif found := re.match(r"([-\w]+):\s*(.*?)\s*$", line):
            last, value = found.groups()
            fields.setdefault(last, []).append("" if value == "" else value + "\n")


def text_of(values):
    """"!" says that the last newline isn't meant."""
    value = values[-1]
    return value[2:].removesuffix("\n") if value.startswith("!\n") else value


def is_wanted(fields):
    names = [name.strip() for name in "".join(fields.get("category", [])).split(",") if name.strip()]
    refused = any(name.startswith("!") and name[1:] in CATEGORIES for name in names)
    return not refused and (not names or any(name.startswith("!") or name in CATEGORIES for name in names))


def split_words(fields, name):
    text = text_of(fields[name]).strip("\n") if name in fields else ""
    return text[1:-1].split(text[0]) if text else []


def write(path, text):
    path.write_bytes(text.encode(errors="surrogateescape"))


def lay_out_files(values, folder):
    """file-setup: a kind, a mode, a name in quotes, and the text."""
    folder.mkdir()
    for value in values:
        head, _, text = value.partition("\n")
        kind, mode, name = re.match(r"!?\s*(\w+)\s+(\d+)\s+(.*)", head).groups()
        path = folder / name[1:-1]
        if kind == "file":
            write(path, text)
            path.chmod(int(mode, 8))
        elif kind == "dir":
            path.mkdir(int(mode, 8))
        else:
            path.symlink_to(text.rstrip("\n"))


def lay_out_test(fields, folder):
    folder.mkdir(parents=True)
    lay_out_files(fields.get("file-setup", []), folder / "files")
    environment = dict(ENVIRONMENT)
    for word in split_words(fields, "env-setup"):
        name, equals, value = word.partition("=")
        environment.pop(name, None)
        if equals:
            environment[name] = value.replace("@utflocale@", "C.UTF-8")
    words = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()),
             "/usr/local/bin/mksh", *split_words(fields, "arguments")]
    guest = f"/own/tests/{folder.name}"
    texts = {"stdin": text_of(fields.get("stdin", [""]))}
    if "script" in fields:
        texts["script"] = text_of(fields["script"])
        words.append(f"{guest}/script")
    texts["run"] = f"exec {shlex.join(words)} <{guest}/stdin\n"
    wanted = text_of(fields.get("expected-exit", ["0"])).strip()
    texts["exit"] = f"e == {wanted}" if wanted.isdigit() else wanted
    for name, stream in (("out", "stdout"), ("err", "stderr")):
        if pattern := fields.get(f"expected-{stream}-pattern"):
            pattern = text_of(pattern).strip()
            texts[f"{name}.awk"] = f'BEGIN {{ RS = "\\001" }}\n{{ all = $0 }}\nEND {{ $0 = all; exit !({pattern}) }}\n'
        else:
            texts[name] = text_of(fields.get(f"expected-{stream}", [""]))
    for name, text in texts.items():
        write(folder / name, text)


def lay_out_mksh(source, own):
    for fields in read_check(source / "check.t"):
        if is_wanted(fields) and "perl-setup" not in fields:
            lay_out_test(fields, own / "tests" / text_of(fields["name"]).strip())


# --- all -------------------------------------------------------------------------------------------

def lay_out(port, on_linux):
    """The folder that is laid over the root."""
    work = build.build_folder("linux-own" if on_linux else "debug") / "suites"
    work.mkdir(parents=True, exist_ok=True)
    source = suites.unpack(port, work / f"{port}-source")
    root = work / f"own-{port}"
    shutil.rmtree(root, ignore_errors=True)
    if on_linux and port in SHELLS:
        for name, depends in SHELLS[port].items():
            suites.build_port(name, work, depends)
        shutil.copytree(work / "root", root, symlinks=True)
        applets = suites.build_port("busybox", work / "busybox")    # which Debian's has not
        shutil.copy(applets / "busybox_unstripped", root / "usr" / "local" / "bin" / "script")
    (root / "own").mkdir(parents=True)
    shutil.copy(HERE / "driver.sh", root / "own")
    {"zlib": lay_out_zlib, "sqlite3": lay_out_sqlite3, "mksh": lay_out_mksh, "bash": lay_out_bash}[port](
        source, root / "own")
    return root


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", choices=("zlib", "sqlite3", "mksh", "bash"))
    parser.add_argument("--linux", action="store_true")
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--with", dest="packages", help="what scripts/test builds for it (PORT; bash,sed)")
    options = parser.parse_args()
    machine = ["--smp", "2", "--memory", "1G", "--timeout", "6000", "--overlay", lay_out(options.port, options.linux)]
    packages = options.packages or PACKAGES.get(options.port, options.port)
    machine += ["--linux"] if options.linux else ["--no-build", "--with", packages]
    command = f"SUITE_VERBOSE={'1' if options.only else ''} sh /own/driver.sh"
    if options.only:
        return subprocess.run([suites.RUN, "--boot", "direct", *machine, "--exec",
                               shlex.join(["sh", "-c", f'{command} "$@"', "sh", options.port, *options.only])],
                              stdin=subprocess.DEVNULL, check=False).returncode
    report = suites.run_groups([options.port], command, machine)
    lists = suites.Lists(HERE / options.port, GOAL)
    if options.linux:
        lists.write_linux(report, [options.port])
        return 0
    return lists.judge(report, [options.port], options.write)


if __name__ == "__main__":
    sys.exit(main())
