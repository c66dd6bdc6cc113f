#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a test program in the guest and judge the KTAP that it prints.

guest.py [--preset P] [--smp N] [--memory M] [--root disk] [--overlay DIR] [--append ARGS] [--disk KIND[:FILE]]
         [--device D] [--net NET] [--nic NIC] COMMAND
"""

import argparse
import pathlib
import subprocess
import sys

import ktap

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="debug")
    parser.add_argument("--smp", default="2")
    parser.add_argument("--memory", default="512M")
    parser.add_argument("--timeout", default="120")
    parser.add_argument("--root", default="ram")
    parser.add_argument("--overlay", default=None)
    parser.add_argument("--append", default="")
    parser.add_argument("--disk", action="append", default=[])
    parser.add_argument("--device", action="append", default=[])
    parser.add_argument("--net", action="append", default=[])
    parser.add_argument("--nic", action="append", default=[])
    parser.add_argument("command")
    options = parser.parse_args()
    arguments = [RUN, "--no-build", "--boot", "direct", "--preset", options.preset,
                 "--smp", options.smp, "--memory", options.memory, "--timeout", options.timeout,
                 "--root", options.root, "--with", "tests", "--append", options.append, "--exec", options.command]
    if options.overlay:
        arguments += ["--overlay", options.overlay]
    for disk in options.disk:
        arguments += ["--disk", disk]
    for name, words in ("--net", options.net), ("--nic", options.nic):
        arguments += [word for value in words for word in (name, value)]
    if options.device:
        arguments += ["--", *(word for device in options.device for word in ("-device", device))]
    result = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    text = result.stdout.decode(errors="replace")
    report = ktap.Report(text)
    print(text, report.summary(), f"exit status {result.returncode}", sep="\n")
    return 0 if report.good() and result.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
