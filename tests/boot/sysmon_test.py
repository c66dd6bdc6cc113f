#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sysmon_test.py HOST GROUP...: what the system monitor (servers/sysmon) shows is read back from the screen, cell by
cell by the packaged font, and compared with what `service list`, ps, free and /proc say on the serial line. With
CATHODE_PICTURES=DIR pictures are kept there: sysmon.png, README.md's, is the_picture.png of the group picture.
"""

import re
import sys
import time

import screen_test
from screen_test import LIMIT, Person, boot

import text_screen  # noqa: E402  (found through screen_test's path)

ROW = re.compile(r" *(?P<tree>[│├└─ ]*)(?P<name>\S+)(?: +(?P<state>[a-z]+) +(?P<restarts>\d+))?"
                 r"(?: +(?P<pid>\d+) +(?P<threads>\d+) +(?P<memory>[\d.]+) MiB +(?P<cpu>[\d.]+) %"
                 r"(?: +(?P<calls>[\d,]+))? +(?P<running>(?:\d+ d )?\d+:\d\d:\d\d))? *$")


class Page:
    """What is read from one picture."""

    def __init__(self, picture, lines):
        self.picture, self.lines, self.text = picture, lines, "\n".join(lines).replace("\0", "?")
        heads = [i for i, line in enumerate(lines) if " RESTARTS " in line]
        self.rows, self.strange = [], None
        for line in lines[heads[0] + 1:-1] if heads else ():
            if not line.strip(" "):
                continue
            found = ROW.match(line)
            if not found:
                self.strange = line     # the picture may be of a moment between two pages
                break
            self.rows.append(found.groupdict())

    def row(self, name):
        """Of this service, or the process that was last started."""
        found = [row for row in self.rows if row["name"] == name]
        return found[-1] if found else dict.fromkeys(ROW.groupindex)

    def number(self, regex):
        found = re.search(regex, self.text)
        return float(found[1].replace(",", "")) if found else None

    def below(self, word):
        """The number that stands below a word."""
        for line, under in zip(self.lines, self.lines[1:]):
            at = line.find(f" {word} ") + 1
            if at:
                return float(under[at:].split()[0])
        return None


CPU0 = bytes((0x5f, 0xb3, 0xbf))
GRAPH = 64, 272     # the lines of pixels that a CPU's graph takes on a screen of 1280x800


def graph_agrees(page):
    """The newest point of CPU 0's graph is as high as its number says."""
    number = round(10 * float(re.search(r"cpu0 +([\d.]+) %", page.text)[1]))
    picture, (first, end) = page.picture, GRAPH
    for x in reversed(range(picture.width)):
        column = [y for y in range(first, end)
                  if picture.pixels[3 * (y * picture.width + x):3 * (y * picture.width + x) + 3] == CPU0]
        if column:
            break
    return column and column[0] == end - (number * (end - first - 2) // 1000 + 1)


class Watcher(Person):
    """At the machine, with sysmon on the screen."""

    def __init__(self, host, size=(1280, 800), font="12x24", own="8x16", **options):
        super().__init__(host, size=size, font=font, **options)
        self.use(*size, own)

    def use(self, width, height, font):
        self.cells = text_screen.TextScreen(self.host, width, height, font)

    def page(self):
        picture = self.qmp.picture()
        if (picture.width, picture.height) != (self.cells.width, self.cells.height):
            return Page(picture, [])
        return Page(picture, self.cells.read(picture))

    def wait(self, what, true):
        """Until the page shows this; the page."""
        end = time.monotonic() + LIMIT
        while True:
            page = self.page()
            if page.rows and not page.strange and true(page):
                self.keep(page.picture, what.replace(" ", "_"))
                return page
            if time.monotonic() > end:
                self.keep(page.picture, "found")
                raise boot.Failure(f"{what}, line {page.strange!r}:\n{page.text}")
            time.sleep(0.3)

    def services(self):
        """{name: (state, pid, restarts)}"""
        lines = (line.split() for line in self.run("service list").splitlines())
        return {words[0]: (words[1], int(words[2]), int(words[3])) for words in lines
                if len(words) == 6 and words[2].isdigit()}


def same_services(page, services):
    return all((row["state"], int(row["pid"] or 0), int(row["restarts"] or 0)) == wanted
               for name, wanted in services.items() for row in (page.row(name),))


def test_figures(host):
    """Services, processes, memory, CPUs, rates, as others say; a service is stopped, another one starts again."""
    with Watcher(host) as p:
        shown = p.log_in()
        p.run("kill -9 $(pidof rtc)")       # a restart to be seen
        p.qmp.type("sysmon\n")
        services = p.services()
        if len(services) < 20 or services["rtc"][2] != 1:
            raise boot.Failure(f"the services of a PC: {services}")
        page = p.wait("all services", lambda page: same_services(page, services))
        told = {int(row["pid"]) for row in page.rows if row["pid"]}
        pids = {int(line) for line in p.run("ls /proc").split() if line.isdigit()}
        if len(told & pids) < len(pids) - 2 or 1 not in told:   # sh's ls, which is in one of them only
            raise boot.Failure(f"processes {sorted(told ^ pids)} are in one list only")
        if page.row("sysmon")["tree"].count("└") != 1 or not page.row("getty-tty1")["pid"]:
            raise boot.Failure(f"its place in the tree:\n{page.text}")
        total, used, free = (int(word) for word in p.run("free").split("Mem:")[1].split()[:3])
        page = p.wait("memory as free says", lambda page: page.below("used") is not None and all(
            abs(page.below(word) - value / 1024) < 1.5 for word, value in (("used", used), ("free", free))))
        if f"{total / 1024:.1f} MiB" not in page.lines[2]:
            raise boot.Failure(f"memory of {total} KiB:\n{page.text}")
        resident = int(re.search(r"VmRSS:\s+(\d+)", p.run("cat /proc/$(pidof pci)/status"))[1])
        if abs(float(page.row("pci")["memory"]) - resident / 1024) > 0.15:
            raise boot.Failure(f"memory of pci, {resident} KiB:\n{page.text}")
        p.wait("idle", lambda page: page.number(r"all ([\d.]+) %") < 40 and
               float(page.row("sysmon")["cpu"]) < 25 and graph_agrees(page))
        p.run("while :; do :; done & echo $! > /tmp/busy")
        page = p.wait("busy", lambda page: graph_agrees(page) and page.number(r"all ([\d.]+) %") > 40 and max(
            float(row["cpu"] or 0) for row in page.rows if row["name"] == "sh") > 80)
        if max(map(float, re.findall(r"([\d.]+) %", page.lines[3]))) < 80:
            raise boot.Failure(f"no CPU is busy:\n{page.text}")
        calls = [page.number(r"scheme calls +([\d,]+)")]
        p.run("kill $(cat /tmp/busy); (while :; do stat /etc/motd; done) > /dev/null & echo $! > /tmp/busy")
        p.wait("calls", lambda page: page.number(r"scheme calls +([\d,]+)") > 10 * calls[0] + 100 and
               page.number(r"page faults +([\d,]+)") > 300 and
               float((page.row("ramfs")["calls"] or "0").replace(",", "")) > 300)
        before = int(re.search(r"scheme-calls (\d+)", p.run("cat /proc/counters"))[1]), time.monotonic()
        time.sleep(5)
        after = int(re.search(r"scheme-calls (\d+)", p.run("cat /proc/counters"))[1]), time.monotonic()
        rate = (after[0] - before[0]) / (after[1] - before[1])
        p.wait("as many calls as the counter says", lambda page:
               0.6 < page.number(r"scheme calls +([\d,]+)") / rate < 1.6)
        p.run("kill $(cat /tmp/busy); service stop logger; kill -9 $(pidof ps2)")
        services = p.services()
        if services["logger"][0] != "stopped":
            raise boot.Failure(f"the logger is {services['logger']}")
        page = p.wait("a stopped service", lambda page: same_services(page, p.services()))
        p.qmp.press("alt", "f2")
        p.see("the second terminal", p.greeting(2))
        p.qmp.press("alt", "f1")
        p.wait("shown again", lambda page: same_services(page, services))
        p.qmp.type("q")
        p.see("the console again", shown + "sysmon\r\n# ")


LOAD = """i=0
while [ $i -lt 200 ]; do
    i=$((i + 1))
    [ $((i * $1 % 7)) -lt 3 ] && head -c $((i * $1 % 5 * 8000000 + 3000000)) /dev/urandom > /dev/null
    [ $((i * $1 % 11)) -lt 4 ] && find / -xdev > /dev/null
    sleep $((i * $1 % 3))
done
"""


def test_picture(host):
    """A machine with its root on a disk and something to do, for a minute and a half: the picture in README.md."""
    with Watcher(host, how="uefi", files={"load": LOAD.encode()}, extra=["-smp", "4"]) as p:
        p.log_in()
        p.run("kill -9 $(pidof virtio-blk); kill -9 $(pidof rtc)")
        p.qmp.type("sysmon\n")
        p.wait("the page", lambda page: page.row("sysmon")["pid"] and page.row("virtio-blk.0")["restarts"] == "1")
        p.run("head -c 60000000 /dev/urandom > /root/data; cat /root/data > /dev/null")
        for number in 3, 5, 8:
            p.run(f"sh /load {number} & true")
        time.sleep(85)
        p.wait("the picture", lambda page: page.below("cached") > 50 and page.number(r"all ([\d.]+) %") > 1)


def test_faults(host):
    """No screen; its own end, the display's driver's, its session's; two at one terminal."""
    with Watcher(host) as p:
        shown = p.log_in()
        for command, status in (("sysmon", 1), ("sysmon < /dev/null 2>&1 | cat", 0), ("sysmon x", 2)):
            text = "usage: sysmon" if status == 2 else "sysmon: this is no virtual terminal"
            found = p.run(f"{command}; echo status-$?")
            if text not in found or f"status-{status}" not in found:
                raise boot.Failure(f"{command}: {found}")
        p.qmp.type("sysmon\n")
        p.wait("the page", lambda page: page.row("sysmon")["pid"])
        if "another program draws on this terminal" not in p.run("sysmon < /dev/tty1"):
            raise boot.Failure("two programs at one terminal")
        first = p.services()["framebuffer.0"][1]
        p.run("kill -9 $(pidof framebuffer)")
        p.wait("the display's driver again", lambda page: page.row("framebuffer.0")["restarts"] == "1" and
               page.row("framebuffer.0")["pid"] != str(first))
        p.run("kill -9 $(pidof sysmon)")
        p.see("the console again", shown + "sysmon\r\nKilled\r\n# ")
        p.qmp.type("trap '' HUP; sysmon; echo $? > /tmp/status\n")
        p.wait("once more", lambda page: page.row("sysmon")["pid"])
        p.run("kill -9 $(ps -o pid,tty,comm | awk '$2 == \"4,1\" && $3 ~ /sh$/ { print $1 }')")
        p.see("hung up", p.greeting(1))
        if "sysmon" in p.run("sleep 1; ps -o comm | sort -u"):
            raise boot.Failure("it lives on without its terminal")
        p.qmp.type("root\n")
        p.see("a login", p.logged_in(1))
        p.run("sysmon < /dev/tty1 & true")
        p.wait("by others", lambda page: page.row("sysmon")["pid"])
        p.qmp.press("esc")
        p.see("the console after Esc", p.logged_in(1))


def test_sizes(host):
    """A small screen, whose tree scrolls; eight CPUs; the host's window gets larger."""
    extra = ["-vga", "none", "-device", "virtio-vga"]
    with Watcher(host, extra=extra, window=True, append="display=800x600", size=(800, 600), font="8x16") as p:
        p.log_in()
        p.qmp.type("sysmon\n")
        page = p.wait("a small page", lambda page: page.row("acpi")["pid"])
        if len(page.rows) == len(p.services()) or page.row("ramfs")["pid"]:
            raise boot.Failure(f"nothing to scroll:\n{page.text}")
        p.qmp.press("end")
        page = p.wait("the end of the tree", lambda page: page.row("ramfs")["pid"])
        count = int(re.search(r"-(\d+) of \1 *$", page.lines[-1])[1])
        if page.row("init")["pid"]:
            raise boot.Failure(f"all of it fits:\n{page.text}")
        p.qmp.press("home")
        p.wait("its beginning", lambda page: page.row("init")["pid"])
        p.qmp.press("down")
        p.wait("a line down", lambda page: not page.row("init")["pid"] and page.rows[0]["name"] == "acpi")
        p.qmp.press("up")
        p.viewer.resize(1500, 1180)
        p.use(1500, 1180, "12x24")
        page = p.wait("a larger page", lambda page: page.row("ramfs")["pid"] and page.row("init")["pid"])
        if len(page.rows) < count:
            raise boot.Failure(f"{len(page.rows)} lines of {count}:\n{page.text}")


if __name__ == "__main__":
    screen_test.main(globals(), sys.argv[1:])
