#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Job control, seen from a terminal: the keys of a person, and all that the terminal shows, on Cathode and on Linux.

jobs.py SHELL           types jobs/steps at the console and compares what it shows with SHELL.linux (dash, bash)
jobs.py --linux SHELL   makes SHELL.linux anew: the same shell on Debian's kernel in the same machine

Process ids are masked. What a line of "steps" says:
  type TEXT     type it and Enter, then wait for a prompt (@SHELL@ is the command of the shell)
  start TEXT    the same, but wait for the line "started"
  key ^X        press the key, then wait for a prompt
  resume TEXT   type fg and Enter, then wait for the shell to name the job so
  give TEXT     type it and Enter; wait for it to be shown twice, by the terminal and by the program that reads it
"""

import argparse
import difflib
import pathlib
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[2] / "scripts" / "lib"), str(HERE.parents[1] / "harness")]
import boot     # noqa: E402
import build    # noqa: E402
import linux    # noqa: E402
import machine  # noqa: E402
import suites   # noqa: E402

# The command, without a line editor; and what is built for Linux, each with the ports that it is linked with.
SHELLS = {"dash": ("/bin/sh -i", {"dash": ()}),
          "bash": ("bash --norc --noediting -i", {"dash": (), "ncurses": (), "bash": ("ncurses",)})}
INITTAB = "::sysinit:/etc/rc\nttyS0::respawn:/sbin/getty -L 115200 ttyS0 dumb\n"
PROMPT = r"^(outer# |ready> )(?!.*\n)"
TIMEOUT = 3000


def linux_machine(shell):
    """Debian's kernel, with a login at the console as Cathode has it."""
    work = build.build_folder(f"linux-jobs-{shell}")
    for port, depends in SHELLS[shell][1].items():
        suites.build_port(port, work, depends)
    (work / "root" / "etc").mkdir(exist_ok=True)
    (work / "root" / "etc" / "inittab").write_text(INITTAB, encoding="utf-8")
    return machine.Machine(linux.folder(), boot="direct", append=linux.APPEND, overlay=work / "root")


def cathode_machine(preset, packages):
    return machine.Machine(build.build_folder(preset), boot="direct", overlay=machine.make_overlay(packages, None))


def masked(line):
    """Without a process id, and without the blanks whose number follows from its length."""
    line, found = re.subn(r"^(\[\d+\] ?[-+]?|  +) +\d+(?= |$)", r"\1 PID", line)
    return re.sub(" {3,}", "  ", line) if found else line


def converse(session, command):
    """The transcript."""
    session.expect(r"^\w+ login: ")     # not the word in a message
    session.send("root\n")
    session.expect("^# $")
    session.send("PS1='outer# '; ulimit -c 0\n")
    session.expect(PROMPT)
    start = session.position
    for line in (HERE / "steps").read_text(encoding="utf-8").splitlines():
        word, _, rest = line.partition(" ")
        rest = rest.replace("@SHELL@", command)
        if word == "key":
            time.sleep(1)   # all of a pipeline has begun, as when a person types
            session.send(chr(ord(rest[1]) & 0x1f))
        elif word in ("type", "start", "give"):
            session.send(rest + "\n")
        elif word == "resume":
            session.send("fg\n")
        if word in ("type", "key"):
            session.expect(PROMPT)
        elif word == "start":
            session.expect("^started$")
        elif word == "resume":
            session.expect(f"^{re.escape(rest)}$")
        elif word == "give":
            session.expect(f"^{rest}\n{rest}\n")
    return [masked(line.rstrip()) for line in session.text[start:].splitlines()]


def echoes_last(lines):
    """Linux sends ^Z's signal before it echoes the key: which comes first on the terminal, the echo or what a shell
    says, is a race there. So they are counted apart."""
    return [line.replace("^Z", "") for line in lines] + [f"^Z {sum(line.count('^Z') for line in lines)} times"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--linux", action="store_true")
    parser.add_argument("--preset", default="debug")
    parser.add_argument("--with", dest="packages", default="", help="packages, which are built already")
    parser.add_argument("shell", choices=SHELLS)
    options = parser.parse_args()
    path = HERE / f"{options.shell}.linux"
    guest = linux_machine(options.shell) if options.linux else cathode_machine(options.preset, options.packages)
    session = boot.Session(guest, TIMEOUT, boot.ALWAYS_FORBIDDEN)
    try:
        with session:
            shown = converse(session, SHELLS[options.shell][0])
    except (boot.Failure, machine.HostError) as failure:
        print(f"{session.text}\nnot ok: {failure}")
        return 1
    if options.linux:
        path.write_text("\n".join(shown) + "\n", encoding="utf-8")
        return 0
    expected = path.read_text(encoding="utf-8").splitlines()
    difference = list(difflib.unified_diff(*map(echoes_last, (expected, shown)), "Linux", "Cathode", lineterm=""))
    print("\n".join(difference or shown))
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
