#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/run: build Cathode and boot it in QEMU, on the serial console or for one command."""

import argparse
import codecs
import contextlib
import os
import select
import subprocess
import sys
import time

import build
import machine
import qmp
from exec_channel import ExecChannel, ProtocolError, Pump

EPILOG = """
exit status with --exec: the command's own; and with a message on stderr
  119 in-kernel tests failed    120 kernel panic       121 machine reset (triple fault)
  122 switched off before the command's end            123 no answer from the guest
  124 time-out (--timeout)      125 build or QEMU failed
Without --exec: 0 after poweroff, else the same numbers. Ctrl-A X leaves the console.
Environment: CATHODE_BUILD (folder for build folders), CATHODE_CACHE, CATHODE_VERBOSE=1.
"""
POWEROFF_SECONDS = 15 # for a guest with a disk to keep, after its command
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
    parser.add_argument("--disk", metavar="ahci|virtio[:FILE]", action="append", default=[], type=machine.Disk,
                        help="a disk, once for each: FILE, which is kept; or without FILE the build folder's. The "
                        "first is the root's (--root disk)")
    parser.add_argument("--root", choices=("disk", "ram"), help="where the root file system is: on a disk, whose "
                        "changes are kept unless there is --exec or --overlay, or in memory (UEFI: disk, else ram)")
    parser.add_argument("--fresh", action="store_true", help="make the disk of the root anew")
    parser.add_argument("--net", metavar="user|none|NETDEV", action="append", default=[],
                        help="a network card, once for each: on QEMU's user network, or another netdev of QEMU's, such "
                        "as hubport,hubid=0 (user; with --exec: none)")
    parser.add_argument("--nic", metavar="virtio|e1000|e1000e[,PROPERTY=VALUE]", action="append", default=[],
                        help="what kind of card: the first for the first --net ... (virtio)")
    parser.add_argument("--forward", metavar="[udp:]PORT:PORT", action="append", default=[],
                        help="a port of this machine (localhost only), and the guest's that it leads to, such as "
                        "2222:22; with --net user, which it implies")
    parser.add_argument("--with", metavar="NAMES", default="", dest="packages",
                        help="build and add packages: python3,vim (sysroot/ports); tests: our test "
                        "programs, in /tests")
    parser.add_argument("--exec", metavar="COMMAND", help="run COMMAND in the shell, then end")
    parser.add_argument("--display", choices=("none", "window", "vnc"), help="a screen: without a window, in one, or "
                        "for a VNC viewer on port 5900 or the next free one; with keyboard and mouse")
    parser.add_argument("--type", metavar="TEXT", help="type TEXT on the screen's keyboard at the login (\\n: Return)")
    parser.add_argument("--screenshot", metavar="FILE", help="write a picture (PNG) of the screen when it has come to "
                        "rest after the login, and after what was typed; then end")
    parser.add_argument("--timeout", type=float, metavar="S", help="end after S seconds")
    parser.add_argument("--append", default="", metavar="ARGS", help="kernel command line")
    parser.add_argument("--icount", action="store_true", help="count instructions: 1 ns each")
    parser.add_argument("--linux", action="store_true", help="boot Debian's kernel, to compare (lib/linux.py)")
    parser.add_argument("--gdb", action="store_true", help="wait for gdb on port 1234")
    parser.add_argument("--log", metavar="FILE", help="with --exec: write the first serial port here")
    parser.add_argument("--no-build", action="store_true", help="boot what is built")
    options = parser.parse_args(arguments)
    options.extra = extra
    if not options.net and not options.linux and (options.forward or options.nic or options.exec is None):
        options.net = ["user"]
    if options.screenshot or options.type is not None:
        options.display = options.display or "none"
        if options.exec is not None:
            parser.error("--exec has no screen: --type its command")
    options.root = options.root or ("disk" if options.boot == "uefi" and not options.linux else "ram")
    return options


def build_packages(names):
    """Packages are of the debug preset's build folder, as all user programs."""
    names = [name for name in names.split(",") if name not in ("", machine.TESTS)]
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
        overlay=machine.make_overlay(options.packages, options.overlay), icount=options.icount, gdb=options.gdb,
        extra=options.extra, disks=options.disk, root=options.root, fresh=options.fresh,
        display=options.display,
        cards=machine.Card.all(options.net, options.nic, options.forward), **more)


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


def wait_login(port, deadline):
    """The console is shown here meanwhile. False: the machine ended, or it took too long."""
    said = b""
    while b" login: " not in said:
        port.settimeout(max(0.1, deadline - time.monotonic()))
        try:
            data = port.recv(4096)
        except OSError:
            return False
        if not data:
            return False
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        said = said[-100:] + data
    return True


def run_screen(options, folder):
    """What --type and --screenshot say; without the latter the machine goes on until it is ended."""
    wires = machine.Wires(1)
    deadline = time.monotonic() + (options.timeout or READY_SECONDS)
    with make_machine(options, folder, snapshot=True) as guest:
        wires.start(guest)
        if not wait_login(wires.ports[0], deadline):
            build.say("no login came")
            return machine.STATUS_SILENT
        picture = wires.qmp.still_picture()
        if options.type is not None:
            for line in codecs.decode(options.type, "unicode_escape").splitlines(keepends=True):
                wires.qmp.type(line)
                picture = wires.qmp.still_picture(2.0)
        if options.screenshot:
            with open(options.screenshot, "wb") as out:
                out.write(picture.png())
            return 0
        return 0 if guest.process.wait() in (0, machine.EXIT_SUCCESS) else machine.STATUS_HOST


class Log:
    """The guest's first serial port: its last lines, a panic whole, are shown when something goes wrong."""

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
        lines = [line for line in lines if line.strip()]
        panics = [i for i, line in enumerate(lines) if line.startswith("panic: ")]
        lines = lines[min(panics[-1:] + [max(0, len(lines) - LOG_LINES)]):]
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
    with make_machine(options, folder, append="exec=com2", stdin=early, snapshot=True) as guest:
        wires.start(guest)
        log_port, exec_port = wires.ports
        pump = Pump(channel, exec_port, log_port, None if ended else stdin, log.add)
        ready = float("inf") if options.gdb else start + READY_SECONDS * (5 if options.linux else 1)
        end = pump.run(deadline, ready)
        if end == "exit" and any(disk.file for disk in options.disk):   # the guest may have them to write yet
            with contextlib.suppress(subprocess.TimeoutExpired):
                guest.process.wait(POWEROFF_SECONDS)
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
        sentence = f"the guest was not ready to run the command in time"
    log.show()
    build.say(f"{sentence} (after {time.monotonic() - start:.1f} s)")
    return status


def main():
    options = parse(sys.argv[1:])
    try:
        if options.linux:
            import linux    # not part of the installed toolchain  # pylint: disable=import-outside-toplevel
            folder = build.build_folder("linux") if options.no_build else linux.folder()
            options.boot, options.append = "direct", f"{linux.APPEND} {options.append}"
        elif options.no_build:
            folder = build.build_folder(options.preset)
        else:
            folder = build.build(options.preset)
            build_packages(options.packages)
        if options.gdb:
            build.say(f"waiting for: gdb {folder}/kernel.elf -ex 'target remote :1234'")
        if options.type is not None or options.screenshot:
            return run_screen(options, folder)
        return run_console(options, folder) if options.exec is None else run_command(options, folder)
    except (machine.HostError, qmp.QmpError, ProtocolError, ValueError) as error:
        build.say(error)
        return machine.STATUS_HOST
    except BrokenPipeError:
        return 141
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
