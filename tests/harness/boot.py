#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run a boot scenario: boot a machine, talk to it over the serial console, judge what it says.

The file format is described in tests/README.md. As a program: boot.py [--preset P] FILE...
As a module: Session is the conversation with a guest, for tests that a scenario can't express.
"""

import argparse
import codecs
import pathlib
import re
import shlex
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "scripts" / "lib")]
import build  # noqa: E402  (found through the path above)
import ktap  # noqa: E402
import machine  # noqa: E402

ALWAYS_FORBIDDEN = [r"^.*(?i:\bpanic\b)[ :].*$", r"^.*\bBUG: .*$"]
ENDS = {"poweroff": machine.STATUS_POWEROFF, "panic": machine.STATUS_PANIC,
        "tests-failed": machine.STATUS_TESTS, "reset": machine.STATUS_RESET}


class Failure(Exception):
    """The guest did not do what was expected of it."""


class Session:
    """A booted machine with its console. Use as a context manager."""

    def __init__(self, guest, timeout, forbidden=()):
        self.guest, self.deadline = guest, time.monotonic() + timeout
        self.forbidden = [re.compile(pattern, re.MULTILINE) for pattern in forbidden]
        self.text = ""
        self.position = self.checked = 0
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def __enter__(self):
        self.guest.__enter__()
        self.wires = machine.Wires(1)
        self.console = self.wires.ports[0]
        self.wires.start(self.guest)
        return self

    def __exit__(self, *details):
        self.guest.__exit__(*details)
        self.wires.close()

    def send(self, text):
        """Typed in small pieces: the guest's port has no flow control beyond its FIFO."""
        data = text.encode()
        for at in range(0, len(data), 16):
            self.console.sendall(data[at:at + 16])

    def read_more(self):
        """False at the end of the console."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Failure("time-out")
        self.console.settimeout(left)
        try:
            data = self.console.recv(1 << 16)
        except TimeoutError:
            raise Failure("time-out") from None
        except ConnectionError:
            data = b""
        text = self.decoder.decode(data, not data)
        self.text += text.replace("\r", "")
        self.heard(text)
        self.check_forbidden(not data)
        return bool(data)

    def heard(self, text):
        """For who wants to see it as it comes, carriage returns and all."""

    def check_forbidden(self, at_end):
        """Whole lines only, so that no pattern matches half of one."""
        end = len(self.text) if at_end else self.text.rfind("\n") + 1
        for pattern in self.forbidden:
            found = pattern.search(self.text, self.checked, end)
            if found:
                raise Failure(f"forbidden: {found[0].strip()}")
        self.checked = max(self.checked, end)

    def expect(self, pattern):
        """Wait for a match after the previous one; the match."""
        compiled = re.compile(pattern, re.MULTILINE)
        while True:
            found = compiled.search(self.text, self.position)
            if found:
                self.position = found.end()
                return found
            try:
                if not self.read_more():
                    raise Failure("the machine ended")
            except Failure as failure:
                raise Failure(f"{failure}; still expected: {pattern}") from None

    def wait_end(self):
        """Read on until the machine ends: (status, sentence) as scripts/run would tell them."""
        while self.read_more():
            pass
        try:
            status = self.guest.process.wait(max(1.0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise Failure("QEMU did not end") from None
        return self.wires.explain_end(status)


class Scenario:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.settings = {"preset": "debug", "boot": "direct", "smp": "1", "memory": "256M",
                         "append": "", "timeout": "60"}
        self.steps, self.forbidden, self.flags, self.qemu = [], [], set(), []
        self.end = None
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1):
            line = line.strip()
            if line and not line.startswith("#"):
                word, _, rest = line.partition(" ")
                try:
                    self.add(word, rest.strip())
                except (ValueError, re.error) as error:
                    sys.exit(f"{path}:{number}: {error}")

    def add(self, word, rest):
        if word in self.settings or word in ("overlay", "with", "long", "label"):
            self.settings[word] = rest
        elif word in ("expect", "forbid"):
            re.compile(rest)
            if word == "forbid":
                self.forbidden.append(rest)
            else:
                self.steps.append((word, rest))
        elif word == "send":
            self.steps.append((word, codecs.decode(rest.strip('"'), "unicode_escape")))
        elif word in ("qmp", "wait"):
            self.steps.append((word, rest))
        elif word == "end" and rest in ENDS:
            self.end = rest
        elif word in ("ktap", "icount"):
            self.flags.add(word)
        elif word == "qemu":
            self.qemu += shlex.split(rest)
        else:
            raise ValueError(f"unknown line: {word} {rest}")

    def run(self, preset=None):
        """The console's text; raises Failure with .text set."""
        settings = self.settings
        overlay = settings.get("overlay")
        overlay = machine.make_overlay(settings.get("with"), overlay and self.path.parent / overlay)
        guest = machine.Machine(
            build.build_folder(preset or settings["preset"]), boot=settings["boot"],
            smp=int(settings["smp"]), memory=settings["memory"], append=settings["append"],
            overlay=overlay, icount="icount" in self.flags,
            extra=self.qemu)
        forbidden = self.forbidden + (ALWAYS_FORBIDDEN if self.end != "panic" else [])
        session = Session(guest, float(settings["timeout"]), forbidden)
        try:
            with session:
                self.converse(session)
        except Failure as failure:
            failure.text = session.text
            raise
        return session.text

    def converse(self, session):
        for word, rest in self.steps:
            if word == "expect":
                session.expect(rest)
            elif word == "send":
                session.send(rest)
            elif word == "qmp":
                session.wires.command(rest)
            elif word == "wait":
                time.sleep(float(rest))
        if self.end:
            status, sentence = session.wait_end()
            if status != ENDS[self.end]:
                raise Failure(f"end {self.end} expected, but: {sentence}")
        if "ktap" in self.flags:
            report = ktap.Report(session.text)
            print(report.summary())
            if not report.good():
                raise Failure("tests failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", help="instead of the scenario's own")
    parser.add_argument("--show", action="store_true", help="print the console even if all is well")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    failed = 0
    for path in options.files:
        start = time.monotonic()
        try:
            text = Scenario(path).run(options.preset)
            if options.show:
                print(text)
            print(f"ok {path} ({time.monotonic() - start:.1f} s)", flush=True)
        except (Failure, machine.HostError) as failure:
            print(getattr(failure, "text", ""))
            print(f"not ok {path}: {failure} ({time.monotonic() - start:.1f} s)", flush=True)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
