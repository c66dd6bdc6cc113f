#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the firmware's AML is needed for: power, interrupt lines, slots; on both of QEMU's PCs."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "harness"), str(HERE.parents[1] / "scripts" / "lib")]
import boot  # noqa: E402  (found through the path above)
import build  # noqa: E402
import machine  # noqa: E402

MIB = 1 << 20
PROMPT = "[#] $"


class Guest(boot.Session):
    """Logged in, without the terminal's echo."""

    def __init__(self, *extra, smp=2, timeout=400):
        super().__init__(machine.Machine(build.build_folder("debug"), boot="direct", smp=smp, memory="256M",
                                         extra=extra), timeout, boot.ALWAYS_FORBIDDEN)

    def __enter__(self):
        super().__enter__()
        return self.log_in()

    def log_in(self):
        self.expect("login:")
        self.send("root\n")
        self.expect(PROMPT)
        self.send("stty -echo\n")
        self.expect(PROMPT)
        return self

    def run(self, command):
        """Its output."""
        self.send(command + "\n")
        start = self.position
        end = self.expect(PROMPT).start()
        return self.text[start:end]

    def sum(self, name):
        return self.run(f"dd if=/dev/{name} bs=64k 2>/dev/null | cksum").split()

    def until(self, command):
        """Until it succeeds, at most 20 s."""
        self.run(f"for i in $(seq 20); do {command} && break; sleep 1; done")

    def deleted(self, device):
        """Waits until QEMU says that this device is no more."""
        def is_it(message):
            return message.get("event") == "DEVICE_DELETED" and message["data"].get("device") == device
        self.wires.qmp.socket.settimeout(60)
        if not any(is_it(m) for m in self.wires.qmp.said) and not any(is_it(m) for m in self.wires.qmp.messages()):
            raise boot.Failure(f"QEMU never deleted {device}")

    def ended(self):
        """QEMU's exit status, 0 only by ACPI (33 by the test machine's own device), and why it ended."""
        status, _ = self.wait_end()
        return self.guest.process.returncode, status


class Held(Guest):
    """The first read of the disk d0 is held up."""

    def monitor(self, words):
        self.wires.command("human-monitor-command", **{"command-line": f'qemu-io d0 "{words}"'})

    def __enter__(self):
        boot.Session.__enter__(self)
        self.monitor("break read_aio A")
        self.wires.command("cont")
        return self.log_in()


def summed(path):
    with open(path, "rb") as file:
        return subprocess.run(["cksum"], stdin=file, stdout=subprocess.PIPE, check=True).stdout.decode().split()


OFF = (0, machine.STATUS_POWEROFF)


class Disks(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="cathode-acpi-")
        self.addCleanup(self.folder.cleanup)

    def drive(self, name, size=4 * MIB):
        """QEMU's arguments for a disk of random bytes, its file."""
        path = pathlib.Path(self.folder.name) / f"{name}.img"
        path.write_bytes(os.urandom(size))
        return ["-drive", f"if=none,id={name},format=raw,file={path}"], path

    def drives(self, *names):
        arguments, paths = [], []
        for name in names:
            more, path = self.drive(name)
            arguments += more
            paths.append(path)
        return arguments, paths


class Power(unittest.TestCase):
    def test_poweroff(self):
        for name in ("q35", "pc"):
            with self.subTest(name), Guest("-machine", name) as guest:
                guest.send("poweroff\n")
                self.assertEqual(guest.ended(), OFF)

    def test_poweroff_at_once(self):
        """The tables may not be loaded yet."""
        with boot.Session(machine.Machine(build.build_folder("debug"), boot="direct", smp=1, memory="256M"), 60,
                          boot.ALWAYS_FORBIDDEN) as guest:
            guest.expect("login:")
            guest.wires.command("system_powerdown")
            self.assertEqual(guest.wait_end()[0], machine.STATUS_POWEROFF)
            self.assertEqual(guest.guest.process.returncode, 0)

    def test_button(self):
        for name in ("q35", "pc"):
            with self.subTest(name), Guest("-machine", name) as guest:
                guest.until("grep -q ready /scheme/acpi/state")
                guest.wires.command("system_powerdown")
                self.assertEqual(guest.ended(), OFF)


    def test_after_its_death(self):
        with Guest() as guest:
            guest.until("grep -q ready /scheme/acpi/state")
            guest.run("kill -9 $(pidof acpi); sleep 1")
            guest.until("grep -q ready /scheme/acpi/state")
            guest.wires.command("system_powerdown")
            self.assertEqual(guest.ended(), OFF)


class Slots(Disks):
    def plug(self, guest, paths, number):
        name = f"hot{number}"
        guest.wires.command("device_add", driver="virtio-blk-pci", id=name, drive=f"d{number}", bus="port0",
                            addr="0")
        guest.until("[ -e /dev/vda ]")
        self.assertRegex(guest.run("lsblk"), r"(?m)^vda +4M")
        self.assertEqual(guest.sum("vda"), summed(paths[number]))
        return name

    def unplug(self, guest, name):
        guest.wires.command("device_del", id=name)
        guest.deleted(name)
        guest.until("[ ! -e /dev/vda ]")
        self.assertNotIn("vda", guest.run("lsblk; ls /dev; cat /proc/schemes"))
        self.assertNotIn("disk.virtio", guest.run("cat /proc/schemes"))

    def plug_and_unplug(self, mode, *extra):
        arguments, paths = self.drives("d0", "d1", "d2")
        with Guest("-device", "pcie-root-port,id=port0,chassis=1,slot=1", *arguments, *extra) as guest:
            guest.until("grep -q ready /scheme/acpi/state")
            self.assertIn(f"slots {mode}", guest.run("cat /scheme/acpi/state"))
            for number in range(2):
                self.unplug(guest, self.plug(guest, paths, number))
            # one that is in use: its readers get an error, nobody waits for ever
            name = self.plug(guest, paths, 2)
            guest.send("while dd if=/dev/vda of=/dev/null bs=4k 2>/dev/null; do :; done; echo it ended\n")
            time.sleep(1)
            guest.wires.command("device_del", id=name)
            guest.deleted(name)
            guest.expect("it ended")
            guest.expect(PROMPT)
            guest.until("! pidof virtio-blk > /dev/null")
            self.assertNotIn("virtio-blk", guest.run("ps"))
            guest.send("poweroff\n")
            self.assertEqual(guest.ended(), OFF)

    def test_firmware(self):
        self.plug_and_unplug("firmware")

    def test_native(self):
        self.plug_and_unplug("native", "-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off")

    def test_there_at_the_start(self):
        """A disk in a slot is removed though it wasn't plugged in; it works again after the PCI server's death."""
        arguments, paths = self.drives("d0", "d1")
        with Guest("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off", *arguments,
                   "-device", "pcie-root-port,id=port0,chassis=1,slot=1",
                   "-device", "virtio-blk-pci,drive=d0,id=hot0,bus=port0") as guest:
            guest.until("grep -q ready /scheme/acpi/state")
            self.unplug(guest, "hot0")
            guest.run("kill -9 $(pidof pci); sleep 1")
            self.unplug(guest, self.plug(guest, paths, 1))


class Lines(Disks):
    def test_pc(self):
        """Both controllers, one of the disks behind a bridge."""
        arguments, paths = self.drives("d0", "d1", "d2")
        with Guest("-machine", "pc", *arguments, "-device", "ahci,id=sata", "-device", "ide-hd,bus=sata.0,drive=d0",
                   "-device", "virtio-blk-pci,drive=d1,vectors=0,addr=5",
                   "-device", "pci-bridge,id=bridge,chassis_nr=1,addr=10",
                   "-device", "virtio-blk-pci,drive=d2,vectors=0,bus=bridge,addr=7") as guest:
            listed = guest.run("lspci")
            self.assertIn("00:00.0 Host bridge: Intel Corporation 440FX", listed)
            self.assertIn("SATA controller: Intel Corporation", listed)
            self.assertEqual(listed.count("SCSI storage controller: Red Hat, Inc. Virtio block device"), 2)
            self.assertRegex(listed, "(?m)^01:07.0 ")
            for name, path in zip(("sda", "vda", "vdb"), paths):
                self.assertEqual(guest.sum(name), summed(path))
            guest.send("poweroff\n")
            self.assertEqual(guest.ended(), OFF)

    def test_late(self):
        """A disk that takes longer than anybody waits: its neighbour doesn't get its name."""
        _, first = self.drive("d0")
        more, second = self.drive("d1")
        with Held("-S", "-drive", f"if=none,id=d0,format=raw,file=blkdebug::{first}", *more, "-device",
                  "virtio-blk-pci,drive=d0,addr=5", "-device", "virtio-blk-pci,drive=d1,addr=9") as guest:
            self.assertEqual(guest.run("echo /dev/vd*").strip(), "/dev/vdb")
            guest.monitor("resume A")
            self.assertEqual(guest.sum("vdb"), summed(second))
            guest.until("[ -e /dev/vda ]")
            self.assertEqual(guest.sum("vda"), summed(first))
            self.assertIn("going on without it", guest.run("dmesg | grep ready"))

    def test_pc_shared(self):
        arguments, _ = self.drives("d0", "d1")
        with Guest("-machine", "pc", *arguments, "-device", "virtio-blk-pci,drive=d0,vectors=0,addr=5",
                   "-device", "virtio-blk-pci,drive=d1,vectors=0,addr=9") as guest:
            self.share(guest)

    def share(self, guest):
        """While one disk's driver dies again and again, what is read of the other is right and keeps coming."""
        text = guest.run("sum() { dd if=/dev/vdb bs=64k count=16 2>/dev/null | cksum; }; sum > /tmp/good;"
                         " (for i in $(seq 15); do sum | cmp - /tmp/good && echo same; done) > /tmp/out &"
                         " for i in 1 2 3; do kill -9 $(cut -c33-40 /scheme/service/virtio-blk.0);"
                         " dd if=/dev/vda of=/dev/null bs=64k count=16 2>/dev/null || echo failed; done; wait;"
                         " wc -l < /tmp/out; sort -u /tmp/out; grep -c 'virtio-blk.0.*signal 9' /proc/kmsg")
        self.assertNotIn("failed", text)
        self.assertRegex(text, r"(?m)^15\nsame\n3$")

    def test_q35(self):
        arguments, paths = self.drives("d0", "d1", "d2")
        with Guest(*arguments, "-device", "virtio-blk-pci,drive=d0,vectors=0,addr=5",
                   "-device", "virtio-blk-pci,drive=d1,vectors=0,addr=9",
                   "-device", "pcie-root-port,id=port0,chassis=1,slot=1,addr=10",
                   "-device", "pcie-pci-bridge,id=bridge,bus=port0",
                   "-device", "virtio-blk-pci,drive=d2,vectors=0,bus=bridge,addr=7") as guest:
            for name, path in zip(("vda", "vdb", "vdc"), paths):
                self.assertEqual(guest.sum(name), summed(path))
            self.assertRegex(guest.run("lspci -n"), "(?m)^02:07.0 0100: 1af4:1001")
            self.share(guest)


class Damage(Disks):
    """Tables that are no good are the log's affair."""

    def boot_with(self, aml, *words):
        table = pathlib.Path(self.folder.name) / "table.aml"
        table.write_bytes(aml)
        arguments, (path,) = self.drives("d0")
        with Guest("-acpitable", f"sig=SSDT,data={table}", *arguments, "-device", "virtio-blk-pci,drive=d0") as guest:
            self.assertEqual(guest.sum("vda"), summed(path))
            for word in words:
                guest.until(f"dmesg | grep -q '{word}'")
                self.assertRegex(guest.run("dmesg | grep acpi:"), word)
            guest.send("poweroff\n")
            self.assertEqual(guest.ended()[1], machine.STATUS_POWEROFF)

    def test_garbage(self):
        self.boot_with(bytes(range(256)) * 8, "ACPI Error")

    def test_cut_off(self):
        """A scope that says that it is longer than the table."""
        self.boot_with(b"\x10\x4f\x20\\_SB_\x14\x08TEST\x00\xa4\x01")

    def test_loop(self):
        """While (One) {}"""
        self.boot_with(b"\xa2\x02\x01")


if __name__ == "__main__":
    unittest.main()
