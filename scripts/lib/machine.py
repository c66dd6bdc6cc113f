# SPDX-License-Identifier: MIT
"""One virtual machine: what to boot and how, turned into a QEMU process.

boot is one of: "direct" (QEMU enters the kernel by its PVH note), "uefi" (OVMF, with a fresh copy of
its variables, and GRUB, from a folder that QEMU shows as a FAT file system), "disk" and "iso" (the same from a USB
stick or a CD); "system" is the image of scripts/image in a SATA disk. All load initfs.cpio, or with the root on a
disk boot.cpio, and with an overlay a second archive. "virt" is the kernel of the preset aarch64, alone, on QEMU's
machine of that name.
"""

import fcntl
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile

import build
import cpio
import grub
import media
import qmp
import root_image

# QEMU's exit status after the guest wrote VALUE to the debug exit port is 2 * VALUE + 1.
EXIT_SUCCESS, EXIT_PANIC, EXIT_TEST_FAILED = 33, 35, 37

# Exit statuses of scripts/run itself, beside those of the command in the guest.
STATUS_TESTS, STATUS_PANIC, STATUS_RESET, STATUS_POWEROFF = 119, 120, 121, 122
STATUS_SILENT, STATUS_TIMEOUT, STATUS_HOST = 123, 124, 125

DISK_SIZE = 1 << 30
OVMF = [("OVMF_CODE.fd", "OVMF_VARS.fd"), ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd")]


class HostError(Exception):
    """Something on this side, not in the guest, keeps the machine from running."""


class Disk:
    """--disk: KIND[:FILE]. The disk with the root, or another one: see locate()."""

    def __init__(self, words):
        self.kind, _, self.file = words.partition(":")
        if self.kind not in ("ahci", "virtio"):
            raise ValueError(words)

    def locate(self, folder, root, snapshot, fresh):
        """The file, made if it is to be, and whether changes to it are dropped (always kept: those to FILE).
        The root's is without FILE the build folder's disk.img, or what is just built; another one is empty."""
        file = pathlib.Path(self.file or folder / ("disk.img" if root else "scratch.img"))
        if root and snapshot and not self.file:
            return system_image(folder), True
        if not root and self.file and not file.exists():
            raise HostError(f"--disk: {file} does not exist")
        if root and (fresh or not file.exists()):
            subprocess.run(["cp", "--sparse=always", system_image(folder), file], check=True)
        elif not file.exists():
            with open(file, "wb") as out:
                out.truncate(DISK_SIZE)
        elif root and not self.file and file.stat().st_mtime < (folder / "initfs.cpio").stat().st_mtime:
            print(f"cathode: {file} has programs of an older build; --fresh makes it anew, without your files",
                  file=sys.stderr)
        return file, snapshot and not self.file

    def arguments(self, number, file, drop):
        with open(file, "rb") as start:
            form = "qcow2" if start.read(4) == b"QFI\xfb" else "raw"
        drive = f"if=none,id=disk{number},format={form},file={str(file).replace(',', ',,')},discard=unmap"
        device = "virtio-blk-pci" if self.kind == "virtio" else f"ide-hd,bus=ide.{number}"
        return ["-drive", drive + ",snapshot=on" if drop else drive,
                "-device", f"{device},drive=disk{number},serial=CATHODE{number}"]


class Card:
    """--nic: KIND[,PROPERTY=VALUE...], a network card; and --net: what it is connected to, a netdev of QEMU's."""
    MODELS = {"virtio": "virtio-net-pci", "e1000": "e1000", "e1000e": "e1000e"}

    def __init__(self, net, nic="virtio"):
        self.net = net
        kind, _, self.properties = nic.partition(",")
        if kind not in self.MODELS:
            raise HostError(f"--nic {nic}: {' or '.join(self.MODELS)}")
        self.model = self.MODELS[kind]

    @classmethod
    def all(cls, nets, nics, forwards):
        """Of the options: a card for each net, the n-th or the last of nics; forwards are the first user net's."""
        cards = [cls(net, (nics[n:] or nics[-1:] or ["virtio"])[0]) for n, net in enumerate(nets) if net != "none"]
        user = next((card for card in cards if card.net.split(",")[0] == "user"), None)
        for forward in forwards:
            words = forward.split(":")
            protocol = words.pop(0) if words[0] in ("tcp", "udp") else "tcp"
            if len(words) != 2 or not all(word.isdecimal() for word in words):
                raise HostError(f"--forward {forward}: [udp:]PORT-HERE:PORT-IN-THE-GUEST")
            if not user:
                raise HostError("--forward needs --net user")
            user.net += f",hostfwd={protocol}:127.0.0.1:{words[0]}-:{words[1]}"
        return cards

    def arguments(self, number):
        device = f"{self.model},netdev=net{number},mac=52:54:00:12:34:{0x56 + number:02x},romfile="
        kind, _, rest = self.net.partition(",")
        return ["-netdev", f"{kind},id=net{number}" + (f",{rest}" if rest else ""),
                "-device", device + (f",{self.properties}" if self.properties else "")]


def system_image(folder):
    """A disk with the root as it was built: what kept and throw-away ones begin with."""
    image, built = folder / "system.img", folder / "initfs.cpio"
    with open(folder / "system.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)    # a second one has another UUID: not what another machine's root= says
        if not image.exists() or image.stat().st_mtime < built.stat().st_mtime:
            media.make_system(folder, "", image, DISK_SIZE)
    return image


def display_option(qemu, display):
    if display == "vnc":
        return "vnc=127.0.0.1:0,to=99"
    if display != "window":
        return "none"
    known = subprocess.run([qemu, "-display", "help"], capture_output=True, text=True, check=False).stdout.split()
    for kind in ("gtk", "sdl", "cocoa"):
        if kind in known:
            return kind
    raise HostError("--display window: QEMU has none (package qemu-system-gui); --display vnc does without")


TESTS = "tests"     # a package of our own: what is installed below /tests


def make_overlay(packages, overlay):
    """The packages' files (names, separated by commas) and, over them, the folder overlay's; None without any."""
    if not packages:
        return overlay
    archive = cpio.Archive()
    debug = build.build_folder("debug")
    for name in filter(None, packages.split(",")):
        if name == TESTS:
            archive.add_list(debug / "tests.list")
        elif (debug / "packages" / name).is_dir():
            archive.add_tree("", debug / "packages" / name)
        else:
            raise HostError(f"--with {name}: not a package, or not built")
    if overlay:
        if not os.path.isdir(overlay):
            raise HostError(f"--overlay {overlay}: no such folder")
        archive.add_tree("", overlay)
    return archive


class Machine:
    """Used as a context manager: the files it needs for booting live that long, and so does QEMU."""

    def __init__(self, folder, boot="uefi", smp=2, memory="512M", append="", overlay=None,
                 icount=False, gdb=False, reboots=False, stdin=b"", extra=(), disks=(), snapshot=False,
                 root="ram", fresh=False, cards=(), display=None):
        self.folder = pathlib.Path(folder)
        self.root = root    # "ram", or "disk": the first of disks
        self.fresh = fresh  # a new one
        self.boot, self.memory, self.append, self.overlay = boot, memory, append, overlay
        self.disks, self.snapshot = list(disks), snapshot   # snapshot: what happens to the build folder's is dropped
        self.cards = list(cards)
        self.stdin = stdin              # for the agent of --exec (servers/exec)
        self.icount, self.gdb, self.reboots, self.extra = icount, gdb, reboots, list(extra)
        self.smp = 1 if icount else smp
        self.display = display          # None: no adapter if not for the firmware; "none", "window", "vnc": DISPLAYS
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
        on_disk = self.root == "disk"
        paths = [self.folder / ("boot.cpio" if on_disk else "initfs.cpio")]
        archive = self.overlay if isinstance(self.overlay, cpio.Archive) else cpio.Archive()
        if self.overlay and archive is not self.overlay:
            if not os.path.isdir(self.overlay):
                raise HostError(f"--overlay {self.overlay}: no such folder")
            archive.add_tree("", self.overlay)
        if self.stdin:
            (self.path / "stdin").write_bytes(self.stdin)
            archive.add_file("run/exec.stdin", str(self.path / "stdin"), 0o600)
        if archive.entries:
            archive = archive.below("overlay") if on_disk else archive      # servers/init/disk_root.c
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
                "-append", self.append, "-vga", "std" if self.display else "none"]

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
                    "-device", "nvme,drive=esp,serial=boot,bootindex=0"]    # which Cathode has no driver for
        file = self.path / "medium"
        if self.boot == "system":
            media.make_system(self.folder, self.append, file)
            return ["-drive", f"if=none,id=medium,format=raw,file={file}", "-device", "ide-hd,bus=ide.0,drive=medium"]
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
                   "-m", self.memory, "-display", display_option(qemu, self.display),
                   "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
        if self.icount:
            command += ["-cpu", "max,-erms,-fsrm,-pku,-la57", "-icount", "shift=0,sleep=off"]
        else:
            command += ["-cpu", "max"]
        if not self.reboots:
            command.append("-no-reboot")
        if self.gdb:
            command += ["-s", "-S"]
        disks = self.disk_arguments()
        command += self.direct_arguments() if self.boot == "direct" else self.uefi_arguments()
        for number, card in enumerate(self.cards):
            command += card.arguments(number)
        return command + disks + self.extra

    def disk_arguments(self):
        """Puts the root into the kernel's command line, too."""
        words = []
        disks = self.disks or ([Disk("virtio")] if self.root == "disk" else [])
        for number, disk in enumerate(disks):
            root = self.root == "disk" and number == 0
            if root and disk.file and self.overlay:
                raise HostError(f"an overlay would alter {disk.file}, which is to be kept")
            file, drop = disk.locate(self.folder, root, self.snapshot or bool(self.overlay), self.fresh)
            if root:
                uuid = root_image.root_uuid(file)
                if not uuid:
                    raise HostError(f"--disk: {file} has no root in its second partition; --fresh makes one")
                self.append = f"root=UUID={uuid} {self.append}"
            words += disk.arguments(number, file, drop)
        return words

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
        (*self.ports, control) = [ours for ours, _ in pairs]
        self.qmp = qmp.Monitor(control)
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
        self.qmp.send(name, **arguments)

    def explain_end(self, status):
        """(status of scripts/run, sentence) after QEMU ended by itself with this exit status."""
        said = self.qmp.read_rest(5)
        if status == 0 and any(m.get("data", {}).get("reason") == "guest-shutdown" for m in said if "event" in m):
            return STATUS_POWEROFF, "the system was switched off"
        return explain_end(status)

    def close(self):
        for end in (*self.ports, self.qmp.socket):
            end.close()


def explain_end(status):
    """The same from the exit status alone, where a poweroff without debug port isn't known."""
    return {
        EXIT_SUCCESS: (STATUS_POWEROFF, "the system was switched off"),
        EXIT_PANIC: (STATUS_PANIC, "kernel panic"),
        EXIT_TEST_FAILED: (STATUS_TESTS, "in-kernel tests failed"),
        0: (STATUS_RESET, "the machine was reset (triple fault, or a reboot)"),
    }.get(status, (STATUS_HOST, f"QEMU failed with status {status}"))
