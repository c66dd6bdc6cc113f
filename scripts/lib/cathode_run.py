#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cathode-run PROGRAM [ARGUMENTS...]: run a program in a Cathode system of its own.

The system has a copy of the current folder (and of each --root) at its own path; the program starts
there. Input, output and exit status are the program's; files that it writes are gone afterwards.
Variables named in CATHODE_RUN_ENV (separated by blanks) are passed on. Works as an emulator for
`make check` and CMake; 119 to 125 are exit statuses of its own, as told by scripts/run --help.
"""

import argparse
import os
import pathlib
import shlex
import shutil
import sys

import build
import cpio
import machine
import run

BASE_MEMORY = 512 << 20


def parse():
    parser = argparse.ArgumentParser(prog="cathode-run", description=__doc__.split(": ", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", action="append", default=[], metavar="DIR",
                        help="another folder that the program can read")
    parser.add_argument("--smp", default="2", metavar="N", help="CPUs (2)")
    parser.add_argument("--timeout", metavar="S", help="end after S seconds")
    parser.add_argument("--icount", action="store_true", help="count instructions: sleeping costs no time")
    parser.add_argument("program")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser.parse_args()


def main():
    options = parse()
    program = shutil.which(options.program)
    if not program:
        build.say(f"{options.program}: no such program")
        return 127
    program = os.path.abspath(program)
    here = os.getcwd()
    archive = cpio.Archive()
    for folder in [here, *map(os.path.abspath, options.root)]:
        archive.add_tree(folder, folder)
    archive.add_file(program, os.path.realpath(program), 0o755)
    variables = [f"{name}={os.environ[name]}" for name in os.environ.get("CATHODE_RUN_ENV", "").split()
                 if name in os.environ]
    command = shlex.join(["exec", "env", *variables, program, *options.arguments])
    size = sum(entry.size for entry in archive.entries.values())
    memory = (BASE_MEMORY + 2 * size >> 20)
    words = ["--boot", "direct", "--smp", options.smp, "--memory", f"{memory}M",
             "--exec", f"cd {shlex.quote(here)} && {command}"]
    if options.timeout:
        words += ["--timeout", options.timeout]
    if options.icount:
        words.append("--icount")
    settings = run.parse(words)
    settings.overlay = archive
    try:
        return run.run_command(settings, pathlib.Path(__file__).parent)
    except (machine.HostError, run.ProtocolError) as error:
        build.say(error)
        return machine.STATUS_HOST


if __name__ == "__main__":
    sys.exit(main())
