# SPDX-License-Identifier: MIT
"""One virtual machine: what to boot and how, turned into a QEMU process.

boot is one of: "direct" (QEMU enters the kernel by its PVH note), "uefi" (OVMF, with a fresh copy of
its variables, and GRUB, from a folder that QEMU shows as a FAT file system), "disk" (the same from
the image of scripts/image on a USB stick) and "iso". All load initfs.cpio and, with an overlay, a
second archive. "virt" is the kernel of the preset aarch64, alone, on QEMU's machine of that name.
"""

import json
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile

import cpio
import grub
import media

# QEMU's exit status after the guest wrote VALUE to the debug exit port is 2 * VALUE + 1.
EXIT_SUCCESS, EXIT_PANIC, EXIT_TEST_FAILED = 33, 35, 37

# Exit statuses of scripts/run itself, beside those of the command in the guest.
STATUS_TESTS, STATUS_PANIC, STATUS_RESET, STATUS_POWEROFF = 119, 120, 121, 122
STATUS_SILENT, STATUS_TIMEOUT, STATUS_HOST = 123, 124, 125

OVMF = [("OVMF_CODE.fd", "OVMF_VARS.fd"), ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd")]


class HostError(Exception):
    """Something on this side, not in the guest, keeps the machine from running."""


class Machine:
    """Used as a context manager: the files it needs for booting live that long, and so does QEMU."""

    def __init__(self, folder, boot="uefi", smp=2, memory="512M", append="", overlay=None,
                 icount=False, gdb=False, reboots=False, stdin=b"", extra=()):
        self.folder = pathlib.Path(folder)
        self.boot, self.memory, self.append, self.overlay = boot, memory, append, overlay
        self.stdin = stdin              # for the agent of --exec (servers/exec)
        self.icount, self.gdb, self.reboots, self.extra = icount, gdb, reboots, list(extra)
        self.smp = 1 if icount else smp
        self.process = None
        self.files = None

    def __enter__(self):
        self.files = tempfile.TemporaryDirectory(prefix="cathode-")
        self.path = pathlib.Path(self.files.name)
        return self

    def __exit__(self, *_):
        self.stop()
        self.files.cleanup()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def modules(self):
        paths = [self.folder / "initfs.cpio"]
        archive = self.overlay if isinstance(self.overlay, cpio.Archive) else cpio.Archive()
        if self.overlay and archive is not self.overlay:
            if not os.path.isdir(self.overlay):
                raise HostError(f"--overlay {self.overlay}: no such folder")
            archive.add_tree("", self.overlay)
        if self.stdin:
            (self.path / "stdin").write_bytes(self.stdin)
            archive.add_file("run/exec.stdin", str(self.path / "stdin"), 0o600)
        if archive.entries:
            paths.append(self.path / "overlay.cpio")
            with open(paths[-1], "wb") as out:
                archive.write(out)
        return paths

    def direct_arguments(self):
        """PVH hands over one module: the archives one after the other."""
        modules = self.modules()
        initrd = modules[0]
        if len(modules) > 1:
            initrd = self.path / "initrd"
            with open(initrd, "wb") as out:
                for module in modules:
                    with open(module, "rb") as source:
                        shutil.copyfileobj(source, out, 1 << 20)
        return ["-kernel", str(self.folder / "kernel.elf"), "-initrd", str(initrd),
                "-append", self.append, "-vga", "none"]

    def uefi_arguments(self):
        for code, variables in OVMF:
            code = pathlib.Path("/usr/share/OVMF") / code
            if code.exists():
                break
        else:
            raise HostError("no OVMF firmware in /usr/share/OVMF (package ovmf)")
        shutil.copy(code.with_name(variables), self.path / "vars.fd")
        return ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}",
                "-drive", f"if=pflash,format=raw,unit=1,file={self.path}/vars.fd",
                "-vga", "std", *self.medium_arguments()]

    def medium_arguments(self):
        """The medium that the firmware boots from: a folder as FAT, or what scripts/image makes."""
        if self.boot == "uefi":
            esp = self.path / "esp"
            grub.make_tree(esp, self.folder, self.modules(), self.append)
            return ["-drive", f"if=none,id=esp,format=raw,readonly=on,file=fat:{esp}",
                    "-device", "virtio-blk-pci,drive=esp"]
        file = self.path / "medium"
        media.make(self.boot, self.folder, self.modules(), self.append, file)
        if self.boot == "iso":
            return ["-cdrom", str(file)]
        return ["-drive", f"if=none,id=stick,format=raw,file={file}",
                "-device", "qemu-xhci", "-device", "usb-storage,drive=stick"]

    def virt_command(self):
        """An ELF file isn't taken for Linux: QEMU puts the device tree at the start of RAM."""
        qemu = shutil.which("qemu-system-aarch64")
        if not qemu:
            raise HostError("no qemu-system-aarch64 (package qemu-system-arm)")
        return [qemu, "-nodefaults", "-machine", "virt", "-cpu", "max", "-smp", str(self.smp),
                "-m", self.memory, "-display", "none", "-no-reboot",
                "-kernel", str(self.folder / "kernel.elf"), "-append", self.append, *self.extra]

    def command(self):
        if self.boot == "virt":
            return self.virt_command()
        for file in ("kernel.elf", "initfs.cpio"):
            if not (self.folder / file).exists():
                raise HostError(f"{self.folder / file} does not exist")
        qemu = shutil.which("qemu-system-x86_64")
        if not qemu:
            raise HostError("no qemu-system-x86_64 (package qemu-system-x86)")
        accel = "tcg" if self.icount or self.smp == 1 else "tcg,thread=multi"
        command = [qemu, "-nodefaults", "-machine", "q35", "-accel", accel, "-smp", str(self.smp),
                   "-m", self.memory, "-display", "none",
                   "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
        if self.icount:
            command += ["-cpu", "max,-erms,-fsrm,-pku,-la57", "-icount", "shift=0,sleep=off"]
        else:
            command += ["-cpu", "max"]
        if not self.reboots:
            command.append("-no-reboot")
        if self.gdb:
            command += ["-s", "-S"]
        command += self.direct_arguments() if self.boot == "direct" else self.uefi_arguments()
        return command + self.extra

    def start(self, serial=(), pass_fds=(), **options):
        """serial: QEMU's arguments for COM1 and COM2."""
        command = self.command() + list(serial)
        if os.environ.get("CATHODE_VERBOSE"):
            print("cathode:", shlex.join(command), file=sys.stderr)
        try:
            self.process = subprocess.Popen(command, pass_fds=pass_fds, **options)
        except OSError as error:
            raise HostError(f"QEMU: {error}") from error
        return self.process


class Wires:
    """Our ends of the machine's serial ports and of its control channel (QMP)."""

    def __init__(self, ports):
        pairs = [socket.socketpair() for _ in range(ports + 1)]
        (*self.ports, self.qmp) = [ours for ours, _ in pairs]
        self.theirs = [theirs for _, theirs in pairs]

    def arguments(self):
        """QEMU's, to be given with the descriptors of self.theirs passed on."""
        words = []
        for number, end in enumerate(self.theirs[:-1], 1):
            words += ["-chardev", f"socket,id=com{number},fd={end.fileno()}",
                      "-serial", f"chardev:com{number}"]
        return words + ["-chardev", f"socket,id=qmp,fd={self.theirs[-1].fileno()}",
                        "-mon", "chardev=qmp,mode=control"]

    def start(self, guest):
        guest.start(self.arguments(), pass_fds=[end.fileno() for end in self.theirs],
                    stdin=subprocess.DEVNULL, stdout=2)
        for end in self.theirs:
            end.close()
        self.command("qmp_capabilities")

    def command(self, name, **arguments):
        """A QMP command, such as inject-nmi; its answer isn't waited for."""
        message = {"execute": name, "arguments": arguments}
        self.qmp.sendall(json.dumps(message).encode() + b"\n")

    def explain_end(self, status):
        """(status of scripts/run, sentence) after QEMU ended by itself with this exit status."""
        said = bytearray()
        self.qmp.settimeout(5)
        try:
            while data := self.qmp.recv(65536):
                said += data
        except OSError:
            pass
        if status == 0 and b'"reason": "guest-shutdown"' in said:
            return STATUS_POWEROFF, "the system was switched off"
        return explain_end(status)

    def close(self):
        for end in (*self.ports, self.qmp):
            end.close()


def explain_end(status):
    """The same from the exit status alone, where a poweroff without debug port isn't known."""
    return {
        EXIT_SUCCESS: (STATUS_POWEROFF, "the system was switched off"),
        EXIT_PANIC: (STATUS_PANIC, "kernel panic"),
        EXIT_TEST_FAILED: (STATUS_TESTS, "in-kernel tests failed"),
        0: (STATUS_RESET, "the machine was reset (triple fault, or a reboot)"),
    }.get(status, (STATUS_HOST, f"QEMU failed with status {status}"))
