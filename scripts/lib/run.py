#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/run: build Cathode and boot it in QEMU, on the serial console or for one command."""

import argparse
import contextlib
import os
import select
import subprocess
import sys
import time

import build
import cpio
import machine
from exec_channel import ExecChannel, ProtocolError, Pump

EPILOG = """
exit status with --exec: the command's own; and with a message on stderr
  119 in-kernel tests failed    120 kernel panic       121 machine reset (triple fault)
  122 switched off before the command's end            123 no answer from the guest
  124 time-out (--timeout)      125 build or QEMU failed
Without --exec: 0 after poweroff, else the same numbers. Ctrl-A X leaves the console.
Environment: CATHODE_BUILD (folder for build folders), CATHODE_CACHE, CATHODE_VERBOSE=1.
"""
READY_SECONDS = 120
STDIN_PAUSE, STDIN_MAX = 0.2, 16 << 20
LOG_LINES = 25


def parse(arguments):
    extra = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, extra = arguments[:at], arguments[at + 1:]
    parser = argparse.ArgumentParser(
        prog="scripts/run", description=__doc__.split(": ", 1)[1], epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--smp", type=int, default=2, metavar="N", help="CPUs (2)")
    parser.add_argument("--memory", default="512M", metavar="M", help="such as 512M or 2G (512M)")
    parser.add_argument("--preset", default="debug", help="debug, release, kasan, race (debug)")
    parser.add_argument("--boot", choices=("uefi", "direct"), default="uefi")
    parser.add_argument("--overlay", metavar="DIR", help="add a folder's files to the root")
    parser.add_argument("--with", metavar="NAMES", default="", dest="packages",
                        help="build and add packages: python3,vim (sysroot/ports)")
    parser.add_argument("--exec", metavar="COMMAND", help="run COMMAND in the shell, then end")
    parser.add_argument("--timeout", type=float, metavar="S", help="end after S seconds")
    parser.add_argument("--append", default="", metavar="ARGS", help="kernel command line")
    parser.add_argument("--icount", action="store_true", help="count instructions: 1 ns each")
    parser.add_argument("--gdb", action="store_true", help="wait for gdb on port 1234")
    parser.add_argument("--log", metavar="FILE", help="with --exec: write the first serial port here")
    parser.add_argument("--no-build", action="store_true", help="boot what is built")
    options = parser.parse_args(arguments)
    options.extra = extra
    return options


def make_overlay(options):
    """The packages' files and, over them, the overlay's; None without any."""
    if not options.packages:
        return options.overlay
    archive = cpio.Archive()
    for name in filter(None, options.packages.split(",")):
        folder = build.build_folder("debug") / "packages" / name
        if not folder.is_dir():
            raise machine.HostError(f"--with {name}: not a package, or not built")
        archive.add_tree("", folder)
    if options.overlay:
        if not os.path.isdir(options.overlay):
            raise machine.HostError(f"--overlay {options.overlay}: no such folder")
        archive.add_tree("", options.overlay)
    return archive


def build_packages(names):
    """Packages are of the debug preset's build folder, as all user programs."""
    names = list(filter(None, names.split(",")))
    ports = build.ROOT / "sysroot" / "ports"
    for name in names:
        if not (ports / name / "build.sh").exists():
            raise machine.HostError(f"--with {name}: no such port in {ports}")
    if names:
        build.build("debug", [f"port_{name}" for name in names])


def make_machine(options, folder, **more):
    append = " ".join(filter(None, [more.pop("append", ""), options.append]))
    return machine.Machine(
        folder, boot=options.boot, smp=options.smp, memory=options.memory, append=append,
        overlay=make_overlay(options), icount=options.icount, gdb=options.gdb, extra=options.extra, **more)


def run_console(options, folder):
    with make_machine(options, folder, reboots=not options.timeout) as guest:
        process = guest.start(["-serial", "mon:stdio"])
        try:
            status = process.wait(options.timeout)
        except subprocess.TimeoutExpired:
            build.say(f"time-out after {options.timeout:g} s")
            return machine.STATUS_TIMEOUT
    if status in (0, machine.EXIT_SUCCESS):
        return 0
    status, sentence = machine.explain_end(status)
    build.say(sentence)
    return status


class Log:
    """The guest's first serial port: its last lines are shown when something goes wrong."""

    def __init__(self, path):
        self.file = open(path, "wb", buffering=0) if path else None
        self.tail = bytearray()

    def add(self, data):
        if self.file:
            self.file.write(data)
        self.tail += data
        if len(self.tail) > 1 << 16:
            del self.tail[:-(1 << 15)]

    def show(self):
        lines = self.tail.decode(errors="replace").replace("\r", "").split("\n")
        lines = [line for line in lines if line.strip()][-LOG_LINES:]
        if lines:
            print("--- the guest's last lines ---", *lines, "---", sep="\n", file=sys.stderr)


def stdin_descriptor():
    """A terminal isn't read: the command sees the end of its input at once."""
    with contextlib.suppress(OSError):
        if not os.isatty(0):
            return 0
    return None


def read_early(descriptor):
    """What stdin holds at once, and whether that is all: the serial port is slow, a boot module isn't."""
    data = bytearray()
    while len(data) < STDIN_MAX and select.select([descriptor], [], [], STDIN_PAUSE if data else 0)[0]:
        piece = os.read(descriptor, 1 << 16)
        if not piece:
            return data, True
        data += piece
    return data, False


def run_command(options, folder):
    start = time.monotonic()
    deadline = start + options.timeout if options.timeout else float("inf")
    log = Log(options.log)
    channel = ExecChannel(options.exec)
    wires = machine.Wires(2)
    stdin = stdin_descriptor()
    early, ended = read_early(stdin) if stdin is not None else (b"", True)
    with make_machine(options, folder, append="exec=com2", stdin=early) as guest:
        wires.start(guest)
        log_port, exec_port = wires.ports
        pump = Pump(channel, exec_port, log_port, None if ended else stdin, log.add)
        ready = float("inf") if options.gdb else start + READY_SECONDS
        end = pump.run(deadline, ready)
        if end == "ended":
            status, sentence = wires.explain_end(guest.process.wait())
    wires.close()
    if end == "exit":
        return channel.status
    if end == "timeout":
        status, sentence = machine.STATUS_TIMEOUT, f"time-out after {options.timeout:g} s"
        if not channel.ready:
            sentence += ", before the guest was ready to run the command"
    elif end == "silent":
        status = machine.STATUS_SILENT
        sentence = f"the guest was not ready to run the command within {READY_SECONDS} s"
    log.show()
    build.say(f"{sentence} (after {time.monotonic() - start:.1f} s)")
    return status


def main():
    options = parse(sys.argv[1:])
    try:
        if options.no_build:
            folder = build.build_folder(options.preset)
        else:
            folder = build.build(options.preset)
            build_packages(options.packages)
        if options.gdb:
            build.say(f"waiting for: gdb {folder}/kernel.elf -ex 'target remote :1234'")
        return run_console(options, folder) if options.exec is None else run_command(options, folder)
    except (machine.HostError, ProtocolError, ValueError) as error:
        build.say(error)
        return machine.STATUS_HOST
    except BrokenPipeError:
        return 141
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
