#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Secure shell from this machine into the guest, by a key and by a password: commands, their status and
streams, scp both ways.

ssh_test.py [--with dropbear,openssh] [--nic KIND] [--size MIB]
"""

import argparse
import os
import pathlib
import pty
import shutil
import socket
import subprocess
import sys
import tempfile
import time

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"
SECONDS = 300


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Guest:
    def __init__(self, options, folder):
        self.folder, self.port = folder, free_port()
        home = folder / "overlay" / "root" / ".ssh"
        home.mkdir(mode=0o700, parents=True)
        home.parent.chmod(0o700)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
        shutil.copy(folder / "key.pub", home / "authorized_keys")
        self.options = ["-i", folder / "key", *(word for setting in (
            "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes",
            "ConnectTimeout=20") for word in ("-o", setting))]
        self.process = subprocess.Popen(
            [RUN, "--no-build", "--boot", "direct", "--memory", "1G", "--with", options.packages, "--nic", options.nic,
             "--overlay", folder / "overlay", "--forward", f"{self.port}:22", "--timeout", str(SECONDS),
             "--exec", f"sleep {SECONDS}"], stdin=subprocess.DEVNULL, start_new_session=True)

    def ssh(self, command, **more):
        return subprocess.run(["ssh", *self.options, "-p", str(self.port), "root@localhost", command],
                              capture_output=True, check=False, **more)

    def by_password(self, word, command):
        """What ssh prints, and its status; it asks on a terminal."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvp("ssh", ["ssh", "-o", "BatchMode=no", "-o", "PubkeyAuthentication=no", "-o",
                              "NumberOfPasswordPrompts=1", *map(str, self.options), "-p", str(self.port),
                              "root@localhost", command])
        text, asked = b"", False
        while True:
            try:
                part = os.read(terminal, 4096)
            except OSError:     # its end
                part = b""
            if not part:
                return text, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            text += part
            if not asked and b"password:" in text:
                asked = True
                os.write(terminal, word.encode() + b"\n")

    def scp(self, *files):
        subprocess.run(["scp", "-q", *self.options, "-P", str(self.port), *files], check=True)

    def wait(self):
        limit = time.monotonic() + SECONDS / 2
        while self.ssh("true").returncode != 0:
            if time.monotonic() > limit or self.process.poll() is not None:
                sys.exit("no answer by ssh")
            time.sleep(0.5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--with", dest="packages", default="dropbear,openssh", help="what scripts/test builds for it")
    parser.add_argument("--nic", default="virtio")
    parser.add_argument("--size", type=int, default=100, metavar="MIB")
    options = parser.parse_args()
    if not shutil.which("ssh"):
        print("SKIP: there is no ssh here (package openssh-client)")
        return
    with tempfile.TemporaryDirectory(prefix="cathode-ssh-") as name:
        folder = pathlib.Path(name)
        guest = Guest(options, folder)
        try:
            guest.wait()
            told = guest.ssh("uname -s; cat; echo err >&2; exit 7", input=b"in")
            assert (told.returncode, told.stdout, told.stderr) == (7, b"Cathode\nin", b"err\n"), told
            assert guest.by_password("", "true")[1] != 0, "in without a password"
            told = guest.ssh("passwd root", input=b"Sesame-42\nSesame-42\n")
            assert told.returncode == 0, told
            told = guest.by_password("Sesame-42", "uname -s; exit 5")
            assert told[1] == 5 and b"Cathode" in told[0], told
            assert guest.by_password("sesame-42", "true")[1] == 255
            (folder / "sent").write_bytes(os.urandom(options.size << 20))
            guest.scp(folder / "sent", "root@localhost:/tmp/there")
            guest.scp("root@localhost:/tmp/there", folder / "back")
            assert (folder / "back").read_bytes() == (folder / "sent").read_bytes(), "other bytes came back"
        finally:
            os.killpg(guest.process.pid, 15)
            guest.process.wait()


if __name__ == "__main__":
    main()
