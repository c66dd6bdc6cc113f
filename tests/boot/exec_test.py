#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/run --exec and --overlay as other people's test suites use them: exact bytes and statuses.

exec_test.py [PATTERN] runs the cases whose names match, in the preset debug.
"""

import os
import pathlib
import subprocess
import tempfile
import time
import unittest

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"


def run(command, *options, stdin=b"", boot="direct"):
    """(status, stdout, stderr)"""
    result = subprocess.run(
        [RUN, "--no-build", "--boot", boot, "--timeout", "300", *options, "--exec", command],
        input=stdin, capture_output=True, check=False)
    return result.returncode, result.stdout, result.stderr


class ExecTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.overlay = pathlib.Path(temporary.name)

    def test_streams_and_status(self):
        status, out, err = run("echo out; echo err >&2; exit 7")
        self.assertEqual((status, out, err), (7, b"out\n", b"err\n"))

    def test_status_of_a_signal(self):
        self.assertEqual(run("kill -TERM $$")[0], 128 + 15)

    def test_words_reach_the_shell_unchanged(self):
        command = "printf '%s|' \"a  b\" '$x' \"ä\" ';' ; printf '\\377\\000\\n'"
        self.assertEqual(run(command)[1], "a  b|$x|ä|;|".encode() + b"\xff\0\n")

    def test_end_of_stdin(self):
        self.assertEqual(run("cat; echo end")[1], b"end\n")
        self.assertEqual(run("cat; echo end", stdin=b"no newline")[1], b"no newlineend\n")

    def test_a_command_that_does_not_read_its_stdin(self):
        self.assertEqual(run("echo done", stdin=bytes(300000))[:2], (0, b"done\n"))

    def test_a_mebibyte_through_stdin_and_stdout(self):
        data = os.urandom(1 << 20)
        status, out, _ = run("cat", stdin=data)
        self.assertEqual(status, 0)
        self.assertTrue(out == data)

    def test_stdin_that_comes_late(self):
        """By the serial port, after what was there at the start."""
        data = os.urandom(100000)
        with subprocess.Popen([RUN, "--no-build", "--boot", "direct", "--timeout", "300", "--exec",
                               "cat; echo end"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as guest:
            guest.stdin.write(data[:20000])
            guest.stdin.flush()
            time.sleep(2)
            guest.stdin.write(data[20000:])
            guest.stdin.close()
            out = guest.stdout.read()
        self.assertEqual(guest.returncode, 0)
        self.assertTrue(out == data + b"end\n")

    def test_a_mebibyte_through_overlay_and_stdout(self):
        data = os.urandom(1 << 20)
        (self.overlay / "data").write_bytes(data)
        (self.overlay / "t.sh").write_text("cat /data\nexit 3\n")
        status, out, err = run("sh /t.sh", "--overlay", str(self.overlay))
        self.assertEqual((status, err), (3, b""))
        self.assertTrue(out == data)

    def test_modes_and_links_of_the_overlay(self):
        (self.overlay / "d").mkdir(mode=0o750)
        (self.overlay / "d/file").write_bytes(b"x" * 5000)
        (self.overlay / "d/file").chmod(0o640)
        (self.overlay / "d/soft").symlink_to("file")
        os.link(self.overlay / "d/file", self.overlay / "d/hard")
        status, out, err = run("stat -c '%a %h %s %F' /d /d/file /d/hard; readlink /d/soft; "
                               "test /d/file -ef /d/hard && echo same",
                               "--overlay", str(self.overlay))
        self.assertEqual((status, err), (0, b""))
        lines = out.decode().splitlines()
        self.assertTrue(lines[0].startswith("750 "), lines)
        self.assertEqual(lines[1:], ["640 2 5000 regular file"] * 2 + ["file", "same"])

    def test_uefi(self):
        self.assertEqual(run("uname -s", boot="uefi")[:2], (0, b"Cathode\n"))

    def test_messages_of_failures(self):
        cases = [("poweroff; sleep 30", [], 122, b"switched off"),
                 ("reboot; sleep 30", [], 121, b"reset"),
                 ("true", ["--append", "test crash=null"], 120, b"kernel panic"),
                 ("sleep 100", ["--timeout", "6"], 124, b"time-out")]
        for command, options, expected, message in cases:
            status, _, err = run(command, *options)
            self.assertEqual(status, expected, err.decode(errors="replace"))
            self.assertIn(message, err)

    def test_an_overlay_that_is_not_there(self):
        status, _, err = run("true", "--overlay", "/no/such/folder")
        self.assertEqual(status, 125)
        self.assertIn(b"/no/such/folder", err)


if __name__ == "__main__":
    unittest.main()
