#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""shell_test.py BOOT: what a person does first, typed at the serial console and seen on a terminal.

A conversation with the shell, then vi: judged by what the screen shows and what the file holds.
"""

import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "harness"))
import boot  # noqa: E402  (found through the path above)
import build  # noqa: E402
import machine  # noqa: E402
from screen import Screen  # noqa: E402

ESCAPE, STOP, INTERRUPT, END = "\x1b", "\x1a", "\x03", "\x04"


class Person(boot.Session):
    """A session at a terminal that shows and answers what terminals do."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.screen = Screen()

    def heard(self, text):
        answer = self.screen.feed(text)
        if answer:
            self.send(answer)

    def prompt(self):
        self.expect("^# $")

    def run(self, line, *patterns):
        """Type a line; each pattern must come in order, then the prompt."""
        self.send(line + "\n")
        self.expect(re.escape(line) + "$")
        found = [self.expect(pattern) for pattern in patterns]
        self.prompt()
        return found

    def count(self, line, pattern):
        """How often the pattern is in what this line prints."""
        self.send(line + "\n")
        start = self.expect(re.escape(line) + "$").end()
        self.prompt()
        return len(re.findall(pattern, self.text[start:self.position], re.MULTILINE))

    def see(self, what, *patterns):
        """Wait until the screen's lines, from the first on, match."""
        def seen():
            lines = self.screen.lines()
            return all(re.fullmatch(p, line) for p, line in zip(patterns, lines))
        while not seen():
            try:
                self.read_more()
            except boot.Failure as failure:
                shown = "\n".join(self.screen.lines())
                raise boot.Failure(f"{failure}; {what}; the screen shows:\n{shown}") from None

    def type(self, *pieces):
        """Keys that no line end follows; one by one, as vi tells Escape by the pause after it."""
        for piece in pieces:
            self.send(piece)
            time.sleep(0.3)


def check(condition, what):
    if not condition:
        raise boot.Failure(what)


def look_around(p):
    p.run("uname -a", r"^Cathode cathode \S+ .*x86_64.*$")
    p.run("ls -l /", r"^total 0$", r"^drwxr-xr-x +\d+ root +root .*bin\S*$",
          r"^dr-xr-xr-x .*proc\S*$", r"^drwx------ .*root\S*$", r"^drwxrwxrwt .*tmp\S*$")
    p.run("ps", "^PID +USER +TIME +COMMAND$", r"^ +1 root +\d:\d\d \[?init", r"^ +\d+ root .*ramfs",
          r"^ +\d+ root .* ps$")
    total, used, free = map(int, p.run("free", r"^Mem: +(\d+) +(\d+) +(\d+) ")[0].groups())
    check(240_000 < total < 262_144 and 0 < used < 100_000 and used + free <= total,
          f"free shows {total} {used} {free}")
    for _ in range(3):      # whatever the logger does meanwhile
        p.run("dmesg | grep -c '] Cathode '", "^1$")


def pipes(p):
    p.run("seq 1 1000 | grep 7 | sort -rn | head -n 3 | tr '\\n' ' '; echo", "^997 987 979 $")
    p.run("ls /bin | sed s/^/x/ | sort | uniq | grep -c ^x..*", r"^\d\d+$")
    p.run("yes | head -c 1000000 | tr y n | cat | wc -c", "^1000000$")
    p.run("false | true | false | cat; echo $?", "^0$")


def here_documents(p):
    p.send("cat <<END | tr a-z A-Z; cat <<'EOF'; cat <<-THIRD\n")
    p.send("one $((6 * 7)) `echo two`\nEND\n")
    p.send("$HOME `pwd`\nEOF\n")
    p.send("\tindented\n\tTHIRD\n")
    for line in ("^(> )*ONE 42 TWO$", r"^\$HOME `pwd`$", "^indented$"):
        p.expect(line)
    p.prompt()


def background_jobs(p):
    p.run("sleep 100 & sleep 200 &")
    check(p.count("jobs", r"^\[\d\] +[-+]? +Running +sleep [12]00") == 2, "two jobs run")
    p.run("kill %1; wait %1; echo status $?", "^status 143$")
    p.run("kill $!; wait; echo done", "^done$")
    check(p.count("jobs", "sleep") == 0, "no job is left")
    p.run("(sleep 1; echo late) & wait; echo after", "^late$", "^after$")
    p.run("for i in 1 2 3 4; do (exit $i) & done; wait; echo $?", "^0$")


def job_control(p):
    p.send("sleep 100\n")
    p.expect("sleep 100$")
    time.sleep(1)
    p.send(STOP)
    p.prompt()
    p.run("echo stopped $?", "^stopped 14[68]$")
    check(p.count("jobs", r"Stopped.*sleep 100") == 1, "the job is stopped")
    p.run("bg", "sleep 100")
    check(p.count("jobs", r"Running.*sleep 100") == 1, "the job runs")
    p.send("fg\n")
    p.expect("^sleep 100$")
    time.sleep(1)
    p.send(INTERRUPT)
    p.prompt()
    p.run("echo interrupted $?", "^interrupted 130$")
    check(p.count("jobs", "sleep") == 0, "no job is left")
    # all of a pipeline is one job
    p.send("sleep 50 | sleep 60 | cat\n")
    p.expect("cat$")
    time.sleep(1)
    p.send(STOP)
    p.prompt()
    check(p.count("ps -o stat,args", r"^T +(sleep [56]0|cat)$") == 3, "three processes are stopped")
    p.send("fg\n")
    p.expect("^sleep 50 ")
    time.sleep(1)
    p.send(INTERRUPT)
    p.prompt()
    check(p.count("ps", r"sleep [56]0") == 0, "the pipeline is gone")


def edit(p):
    p.run("cd /tmp; seq 1 100 >numbers")
    p.send("vi numbers\n")
    p.see("vi shows the file", *map(str, range(1, 24)))
    p.see("its status line", *[".*"] * 23, r"- numbers 1/100 1%")
    p.type("G")
    p.see("the end, in the middle of the screen", *map(str, range(89, 101)), *["~"] * 11)
    p.type("1G", "dd", "o", "between")
    p.type(ESCAPE)
    p.see("an inserted line", "2", "between", "3", "4")
    p.type("A", " two", "\n", "lines")
    p.type(ESCAPE)
    p.see("an appended line", "2", "between two", "lines", "3")
    p.type("x", "u", "/50\n")
    p.see("the found line", *[".*"] * 23, r"- numbers \[Modified\] 51/101 50%")
    p.type("yy", "p", ":1\n", "cw", "zwei")
    p.type(ESCAPE)
    p.see("a changed word", "zwei", "between two", "lines", "3")
    p.type(":w\n")
    p.see("it is written", *[".*"] * 23, "'numbers' 102L, .*C")
    # stopped and continued, the screen is drawn again
    p.type(STOP)
    p.expect("Stopped")
    p.prompt()
    p.send("clear; fg\n")
    p.see("vi again", "zwei", "between two", "lines", "3")
    p.type(":q\n")
    p.expect("# $")
    p.run("head -n 4 numbers; sed -n 50,53p numbers; wc -l <numbers",
          r"^zwei\nbetween two\nlines\n3\n49\n50\n50\n51\n102$")
    p.run("stty -a | grep -o ' icanon'", "^ icanon$")


def leave(p):
    p.run("cd /; rm -r /tmp/numbers; ls /tmp | wc -l", "^0$")
    p.send(END)
    p.expect("login:")
    p.send("root\n")
    p.prompt()
    p.send("poweroff\n")
    status, sentence = p.wait_end()
    check(status == machine.STATUS_POWEROFF, f"power off: {sentence}")


def main():
    guest = machine.Machine(build.build_folder("debug"), boot=sys.argv[1], smp=2, memory="256M")
    person = Person(guest, 240, boot.ALWAYS_FORBIDDEN)
    steps = (look_around, pipes, here_documents, background_jobs, job_control, edit, leave)
    try:
        with person as p:
            p.expect("login:")
            p.send("root\n")
            p.prompt()
            for step in steps:
                start = time.monotonic()
                step(p)
                print(f"ok {step.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
    except (boot.Failure, machine.HostError) as failure:
        print(f"{person.text}\nnot ok: {failure}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
