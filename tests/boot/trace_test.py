#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A read of 4 KiB that is not in memory, from the program to the device and back: QEMU's debugger stub sees each system
call, message, copy and interrupt, and README.md has what it saw (--write puts it there)."""

import itertools
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent / "harness"), str(ROOT / "scripts" / "lib")]
import boot  # noqa: E402  (found through the path above)
import build  # noqa: E402
import debugger  # noqa: E402
import machine  # noqa: E402

README = ROOT / "README.md"
SECONDS = 600
SIZE = 4096
PROGRAM, SERVER, DRIVER = "once", "ext4", "virtio-blk"
STATS = "/scheme/disk.virtio0/stats"
# What is looked for and what README.md says of it, in which a name stands for who does it. System calls that only wait
# come sooner or later, as the device is fast or slow: they are left out.
WAITS = {"sys_port_reply_wait"}
WORDS = {
    (PROGRAM, "sys_read"): "pread of 4,096 bytes",
    (PROGRAM, "page_in"): "no such page: a message to the file system, of one way; the program sleeps",
    (SERVER, "sys_memory_control"): "how long is the file? Its block is known: a request in the ring",
    (SERVER, "sys_event_post"): "rings the driver",
    (DRIVER, "sys_event_wait"): "what was it? A ring: the request goes to the device, to write into the pool",
    ("", "trap_irq"): "the device has done it",
    (DRIVER, "sys_event_wait 2"): "what was it? An interrupt",
    (DRIVER, "sys_irq_acknowledge"): "the completion goes into the ring",
    (DRIVER, "sys_event_post"): "rings the file system",
    (SERVER, "sys_event_wait"): "what was it? The disk",
    (SERVER, "sys_event_wait 2"): "its ring, or its driver's death?",
    (SERVER, "sys_memory_control 2"): "here is the page",
    (SERVER, "memory_supply"): "a copy, from the pool into the page cache; the program is woken",
    (PROGRAM, "copy_to_user"): "a copy, from the page cache to the program",
}
KERNEL = {"page_in", "memory_supply", "copy_to_user", "trap_irq"}
COPIES = {"memory_supply": "rcx", "copy_to_user": "rdx"}    # the register with its size


class Trace:
    """Who does what in the kernel, from the program's first look at the counters to its second."""

    def __init__(self, path, kernel):
        self.stub = debugger.Debugger(path, SECONDS)
        self.offsets = [debugger.offset(kernel, *field) for field in
                        (("cpu", "current"), ("thread", "process"), ("process", "name"))]
        self.names = {address: name for name, address in debugger.symbols(kernel).items()
                      if name.startswith("sys_") or name in KERNEL}

    def process(self, registers):
        current, process, name = self.offsets
        thread = self.stub.word(self.stub.word(registers["gs_base"]) + current)
        owner = self.stub.word(thread + process)
        return self.stub.memory(owner + name, 32).split(b"\0")[0].decode() if owner else ""

    def events(self, start):
        """(process, event, registers) for ever."""
        for address in self.names:
            self.stub.breakpoint(address)
        self.stub.send("c")
        start()
        self.stub.receive()
        while True:
            registers = self.stub.registers()
            yield self.process(registers), self.names[registers["rip"]], registers
            self.stub.step_over(registers["rip"])
            self.stub.ask("c")

    def run(self, start):
        """start: makes the program begin."""
        def is_mark(event):
            return event[:2] == (PROGRAM, "sys_system_info")
        events = itertools.dropwhile(lambda event: not is_mark(event), self.events(start))
        next(events)
        seen = list(itertools.takewhile(lambda event: not is_mark(event), events))
        for address in self.names:
            self.stub.breakpoint(address, False)
        self.stub.send("D")
        return seen


def hops(seen):
    """[(process, event)] of those who have to do with it; an event that comes again has a number."""
    found = []
    for who, what, registers in seen:
        if what == "trap_irq":
            who = ""    # whom it interrupts
        elif who not in (PROGRAM, SERVER, DRIVER) or what in WAITS:
            continue
        if what in COPIES and registers[COPIES[what]] != SIZE:
            continue
        same = sum(hop[0] == who and hop[1].split()[0] == what for hop in found)
        if what != "trap_irq" or not same and (DRIVER, "sys_event_wait") in found:     # timers have their own
            found.append((who, f"{what} {same + 1}" if same else what))
    return found


def text(found):
    """README.md's lines."""
    lines = []
    for who, what in found:
        place = f"{'program' if who == PROGRAM else who}{' (kernel)' if what in KERNEL and who else ''}"
        lines.append(f"    {place or 'interrupt':18}{what.split()[0]:20}{WORDS.get((who, what), '?')}")
    order = [who for who, _ in itertools.groupby(who for who, _ in found if who)]
    copies = sum(what in COPIES for _, what in found)
    calls = sum(what == "sys_call" for _, what in found)
    lines.append(f"    {len(order) - 1} switches from one process to another, {calls} calls of a scheme, "
                 f"1 request in a ring, {copies} copies of {SIZE:,} bytes by a CPU")
    return "".join(line + "\n" for line in lines)


def make_disk(path):
    (path / "files").mkdir()
    (path / "files" / "file").write_bytes(b"the data" + b"." * (SIZE - 8))
    with open(path / "disk", "wb") as out:
        out.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", path / "files", path / "disk"], check=True, stdin=subprocess.DEVNULL)


def trace():
    """What was seen, and what the guest said."""
    with tempfile.TemporaryDirectory(prefix="cathode-trace-") as folder:
        path, folder = pathlib.Path(folder), build.build_folder("debug")
        make_disk(path)
        overlay = machine.make_overlay("tests", None)
        guest = machine.Machine(folder, boot="direct", smp=1, memory="256M", overlay=overlay, extra=[
            "-gdb", f"unix:{path}/gdb,server=on,wait=off", "-drive", f"if=none,id=d,format=raw,file={path}/disk",
            "-device", "virtio-blk-pci,drive=d"])
        with boot.Session(guest, SECONDS, boot.ALWAYS_FORBIDDEN) as session:
            session.expect("login:")
            session.send("root\n")
            session.expect("[#] $")
            session.send(f"mkdir /m; mount -t ext4 /dev/vda /m; /tests/boot/once /m/file {STATS}; cd /m; "
                         "dd if=/dev/zero of=big bs=64k count=128 conv=fsync; cd /; umount /m; "
                         f"mount -t ext4 /dev/vda /m; dd if=/m/big of=/dev/null bs=64k; "
                         f"cat {STATS}; echo all-is-over\n")
            session.expect("(?m)^waiting")
            seen = Trace(path / "gdb", folder / "kernel.elf").run(lambda: session.send("\n"))
            session.expect("(?m)^all-is-over")
            return seen, session.text.replace("\r", "")


def problems(page, lines, said):
    counters = {name: int(value) for name, value in re.findall(r"(?m)^(\w+) (\d+)$", said)}
    if "read 4096 the data, of the device: 1 requests 1 batches 4096 bytes 0 copied" not in said:
        yield "the read was another one"
    if counters["bytes_read"] < 8 << 20 or counters["bytes_written"] < 8 << 20 or counters["bytes_copied"]:
        yield f"64 KiB reads and writes of files: {counters}"
    if counters["depth_max"] < 2:
        yield "the device had never two requests at a time"
    if "?" in lines.replace("was it?", "").replace("the file?", "").replace("death?", ""):
        yield "a hop without words"
    if lines not in page:
        yield "README.md has another trace: --write"


def main():
    seen, said = trace()
    lines, page = text(hops(seen)), README.read_text(encoding="utf-8")
    print(lines)
    if sys.argv[1:] == ["--write"]:
        page, count = re.subn(r"(?m)^    program +sys_read.*\n(?:    .*\n)*", lambda _: lines, page)
        README.write_text(page, encoding="utf-8")
        print(f"{count} replaced")
    found = list(problems(page, lines, said))
    for problem in found:
        print(problem)
    if found:
        print(said[-3000:])
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
