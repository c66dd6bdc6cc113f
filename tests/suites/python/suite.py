#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Python's own tests (Lib/test of its pinned source), on Cathode and on Linux: the very same python3.

suite.py [--part P] [--write]   run them in Cathode and judge the result by linux.txt and known.txt;
                                --write: note it in results.txt. P: system, library, network (all)
suite.py --linux                make linux.txt, on Debian's kernel in the same machine; with --part or --only
                                what it says about these modules
suite.py --only MODULE...       some modules, such as test_os, with why tests failed

A test's name is MODULE/CLASS.METHOD. Instructions are counted and the clock follows them: waiting takes no time, and
the time limits of tests don't depend on how busy this machine is.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(ROOT / "scripts" / "lib"), str(ROOT / "tests" / "harness")]
import build    # noqa: E402
import fetch    # noqa: E402
import suites   # noqa: E402

GOAL = 0.98
LIBRARY = "usr/local/lib/python3.11"
# What touches the system, what is about the language and its library alone, and sockets with what is built on them.
PARTS = {"system": """os posix subprocess threading thread signal select selectors mmap pty fcntl time tempfile shutil
             pathlib io file fileio multiprocessing_fork""",
         "library": """json re struct array zlib bz2 lzma sqlite3 hashlib random datetime decimal statistics itertools
             functools generators dict list set string unicode codecs pickle gc weakref contextlib""",
         "network": """socket socketserver asyncio asyncore asynchat poll epoll http_cookies http_cookiejar httplib
             httpservers xmlrpc wsgiref robotparser urllib urllib2 urllib2_localnet urllib_response urlparse ftplib
             smtplib smtpd poplib imaplib nntplib telnetlib"""}
PARTS = {part: [f"test_{name}" for name in names.split()] for part, names in PARTS.items()}
PARTS["all"] = sum(PARTS.values(), [])


def unpack(folder):
    """Lib/test of the pinned source, once; what is needed is compiled to bytecode, by the build machine's Python."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as fresh:
        with tarfile.open(fetch.fetch("python3")) as tar:
            top = tar.getnames()[0].split("/")[0]
            prefix = f"{top}/Lib/test/"
            tar.extractall(fresh, [member for member in tar if member.name.startswith(prefix)])
        tests = pathlib.Path(fresh, top, "Lib", "test")
        wanted = [path for path in tests.glob("*.py") if not path.name.startswith(("test_", "bad"))]
        wanted += [path for name in ("support", "libregrtest", *PARTS["all"])
                   for path in (tests / f"{name}.py", tests / name) if path.exists()]
        subprocess.run(["python3.11", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash",
                        "-s", tests, "-p", f"/{LIBRARY}/test", *wanted], check=True)
        tests.rename(folder)


def lay_out(work, folder):
    """What is laid over the root."""
    unpack(work / "python-tests")
    shutil.copytree(work / "python-tests", folder / LIBRARY / "test", symlinks=True, copy_function=os.link)
    (folder / "suite").mkdir()
    for name in ("driver.py", "driver.sh"):
        shutil.copy(HERE / name, folder / "suite" / name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--linux", action="store_true")
    parser.add_argument("--part", choices=list(PARTS), default="all")
    parser.add_argument("--only", nargs="+", metavar="MODULE")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--with", default="python3", dest="packages", help="what scripts/test builds for it")
    options = parser.parse_args()
    modules = options.only or PARTS[options.part]
    machine = ["--icount", "--memory", "3G", "--timeout", "20000", "--with", options.packages]
    machine += ["--linux"] if options.linux else ["--no-build"]
    work = build.build_folder("debug") / "suites"
    work.mkdir(exist_ok=True)
    lists = suites.Lists(HERE, GOAL)

    def note(report, module):   # at once: all of them take an hour
        if options.linux:
            lists.write_linux(report, [module])
        elif options.write:
            lists.write_results(report.passed(), [module])

    with tempfile.TemporaryDirectory(dir=work, prefix="python-") as folder:     # several may run side by side
        root = pathlib.Path(folder, "root")
        lay_out(work, root)
        report = suites.run_groups(modules, "sh /suite/driver.sh", [*machine, "--overlay", root],
                                   show=lambda line: options.only and not line.startswith("@ "), ended=note)
    if options.linux:
        lists.write_linux(report, modules)
        return 0
    return lists.judge(report, modules, options.write)


if __name__ == "__main__":
    sys.exit(main())
