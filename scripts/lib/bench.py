#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/bench: count guest instructions per operation, beside budgets, Linux and seL4.

QEMU's clock advances by 1 ns per instruction (icount), so that times inside the guest are counts.
The guest's /bin/bench prints lines of
    bench NAME VALUE CR3LOADS IPIS FLUSHES LOCKS SWITCHES
where all but VALUE are counter differences per operation. tests/bench/budgets.tsv has the budgets,
tests/bench/recorded.tsv what was measured last (--record), tests/bench/linux.tsv the same program's
figures on Debian's kernel in the same machine (--linux measures and records them). --record also adds
a line to tests/bench/history.jsonl (one JSON object a line: date, counts) and makes the table in README.md anew.
"""

import argparse
import datetime
import itertools
import json
import pathlib
import subprocess
import sys
import tempfile

import bench_linux
import bench_login
import build

FOLDER = build.ROOT / "tests" / "bench"
README = build.ROOT / "README.md"
TABLE = "| operation | Cathode | budget | Linux | seL4 |\n|---|---|---|---|---|\n"
COUNTERS = ("crs", "ipis", "flush", "locks", "switch")
TOLERANCE = 1.02
IRQ_OFF = "irq_off_max"
LONG_WORK = "call_4k ring_request poll_32 fork_exec_wait fork_64mib mmap_64k write_mib read_mib pipe_mib unlink"
EXT4 = "ext4_"
FILES = "pread_4k read_mib write_mib create unlink rename readdir_entry fault_file"
STORAGE = [*(EXT4 + name for name in FILES.split()), "disk_mib", "disk_4k"]
CARDS = ["tcp_cards_mib"]
SCREEN = ["screen_line"]
LOGIN = "login_on_screen"
HUB = ["--net", "hubport,hubid=0", "--net", "hubport,hubid=0", "--nic", "e1000"]
NULL_DISK = ["-drive", "if=none,id=null,driver=null-co,size=1G,read-zeroes=on",
             "-device", "virtio-blk-pci,drive=null,ioeventfd=off"]
LOOSE = {"irq_off_max": 1.2, "memory_at_prompt_kib": 1.1, "boot_to_prompt": 1.1, "ext4_create": 1.25,
         "ext4_unlink": 1.1, "screen_line": 1.25, "tcp_cards_mib": 1.1, LOGIN: 1.05}
# (not repeatable: timers, and what waits for a disk)


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__.split(": ", 1)[1], allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true",
                        help="fail if a row got worse by over 2 %%, or a budget that was met is missed")
    parser.add_argument("--preset", default="release")
    parser.add_argument("--no-build", action="store_true", help="boot what is built")
    parser.add_argument("--record", action="store_true", help="keep the figures, also in history.jsonl and README.md")
    parser.add_argument("--linux", action="store_true",
                        help="measure Debian's kernel instead, for the column of Linux")
    parser.add_argument("--only", metavar="NAME", default="", help="one row")
    parser.add_argument("--smp", default="1", help="more than one CPU: counters only, no icount")
    return parser.parse_args(arguments)


def read_rows(path):
    rows = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                name, *values = line.split("\t")
                rows[name] = values
    return rows


def parse_rows(lines):
    """name -> [value, counters...] as numbers."""
    rows = {}
    for line in lines:
        words = line.split()
        if words[:1] == ["bench"] and len(words) == 3 + len(COUNTERS):
            rows[words[1]] = [float(word) for word in words[2:]]
        elif line:
            print(line)
    return rows


def boot(options, words, program, *more):
    """One boot: its rows. more: options of scripts/run, and behind -- of QEMU."""
    command = [pathlib.Path(__file__).parents[1] / "run", "--no-build", "--preset", options.preset,
               "--boot", "direct", "--timeout", "600", "--append", words,
               *(["--icount"] if options.smp == "1" else ["--smp", options.smp]),
               "--exec", program, *more]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                            check=False)
    rows = parse_rows(result.stdout.splitlines())
    if result.returncode:
        build.say(f"bench ended with status {result.returncode}")
        sys.exit(result.returncode)
    return rows


def measure(options):
    if not options.no_build:
        build.build(options.preset)
    rows = {}
    if options.only not in (IRQ_OFF, *STORAGE, *CARDS, *SCREEN, LOGIN):
        rows = boot(options, "bench", f"exec bench {options.only}".strip())
    rows |= measure_storage(options) | measure_cards(options)
    if options.only in ("", *SCREEN):
        rows |= boot(options, "bench", f"exec bench {SCREEN[0]}", "--display", "none")
    if options.only in ("", LOGIN) and options.smp == "1":
        rows[LOGIN] = [bench_login.measure_cathode(options.preset), *(0 for _ in COUNTERS)]
    if options.only in ("", IRQ_OFF):
        # Measuring costs each system call some instructions: a boot of its own, with work that takes long.
        rows |= boot(options, "bench irq-off", f"bench {LONG_WORK} >/dev/null; exec bench {IRQ_OFF}")
    rows.pop("before_kernel", None)
    return rows


def measure_storage(options):
    """The rows of files, on the ext4 of the root, and those of a disk that answers at once."""
    names = [name for name in STORAGE if options.only in ("", name)]
    if not names:
        return {}
    rows = boot(options, "bench", " ".join(["exec bench", *(name.removeprefix(EXT4) for name in names)]),
                "--root", "disk", "--", *NULL_DISK)
    return on_ext4(rows)


def measure_cards(options):
    """Two cards on one wire, each with a network server of its own."""
    if options.only not in ("", *CARDS):
        return {}
    with tempfile.TemporaryDirectory(prefix="cathode-") as folder:
        etc = pathlib.Path(folder) / "etc"
        etc.mkdir()
        (etc / "network.conf").write_text("eth0 static 10.9.0.1/24 ipv6 none\neth1 off\n", encoding="utf-8")
        (etc / "network.second").write_text("eth0 off\neth1 static 10.9.0.2/24 ipv6 none\n", encoding="utf-8")
        return boot(options, "bench network=two", f"bench tcp_cards_send & exec bench {CARDS[0]}",
                    "--overlay", folder, *HUB)


def on_ext4(rows):
    return {(name if name in STORAGE else EXT4 + name): values for name, values in rows.items()}


def measure_linux(options):
    """Its row boot_to_prompt counts from the machine's reset; our kernel knows what came before it."""
    names = [name for name in STORAGE if options.only in ("", name)]
    rows = {}
    if options.only not in (*STORAGE, *CARDS, *SCREEN, LOGIN):
        rows = parse_rows(bench_linux.measure(options.only.split()))
    if names:
        rows |= on_ext4(parse_rows(bench_linux.measure_disks([name.removeprefix(EXT4) for name in names], NULL_DISK)))
    if options.only in ("", *CARDS):
        rows |= parse_rows(bench_linux.measure_cards(CARDS))
    if options.only in ("", *SCREEN):
        rows |= parse_rows(bench_linux.measure_screen(SCREEN))
    if options.only in ("", LOGIN):
        rows[LOGIN] = [bench_login.measure_linux(), *(0 for _ in COUNTERS)]
    if "boot_to_prompt" in rows:
        if not options.no_build:
            build.build(options.preset)
        rows["boot_to_prompt"][0] -= boot(options, "bench", "exec bench before_kernel")["before_kernel"][0]
    return rows


def text(value):
    return f"{value:.1f}" if value < 100 and value != int(value) else f"{value:,.0f}"


def report(rows, budgets, recorded, linux_rows):
    """Print the table; the complaints."""
    print(f"{'operation':20} {'count':>10} {'budget':>10} {'aim':>10} {'Linux':>10} {'seL4':>6}",
          *(f"{name:>6}" for name in COUNTERS))
    problems = []
    for name in [*budgets, *(name for name in rows if name not in budgets)]:
        _, budget, aim, sel4, _ = budgets.get(name, ["?", "-", "-", "-", ""])
        linux = linux_rows.get(name, ["-"])[0]
        if name not in rows:
            problems.append(f"{name}: not measured")
            continue
        value, *counters = rows[name]
        mark = "" if budget == "-" else "+" if value <= float(budget) else "!"
        shown = [number if number == "-" else text(float(number))
                 for number in (budget, aim, linux, sel4)]
        print(f"{name:20} {text(value):>10}{mark or ' '}{shown[0]:>10} {shown[1]:>10} "
              f"{shown[2]:>10} {shown[3]:>6}", *(f"{text(c):>6}" for c in counters))
        if mark == "!" and float(recorded.get(name, [0])[0]) <= float(budget):
            problems.append(f"{name}: {text(value)}, budget {budget}")
        problems += worse(name, rows[name], recorded)
    return problems


def worse(name, values, recorded):
    """Instructions bought by more of what hardware pays for are no gain: counters are held too."""
    old = [float(word) for word in recorded.get(name, [])]
    tolerance = LOOSE.get(name, TOLERANCE)
    for what, now, before in zip(("count", *COUNTERS), values, old):
        if what != "count" and name.startswith("disk_"):
            continue    # a busy host answers later, which costs a switch
        # Counters of rare things vary a little with random addresses and with timers.
        slack, extra = (tolerance, 0.5) if what == "count" else (1.1, 4 if what == "flush" else 1)
        if now > before * slack + extra:
            yield f"{name}: {what} went from {text(before)} to {text(now)}"


def record(path, title, old, rows):
    merged = {**old, **{name: [f"{v:.8g}" for v in row] for name, row in rows.items()}}
    lines = ["\t".join([name, *map(str, values)]) for name, values in sorted(merged.items())]
    path.write_text("\n".join([title, *lines]) + "\n", encoding="utf-8")


def table(budgets, recorded, linux):
    """README.md's rows of what is measured, in the order of the budgets."""
    lines = []
    for name, (_, budget, _, sel4, what) in budgets.items():
        cells = [recorded.get(name, ["-"])[0], budget, linux.get(name, ["-"])[0], sel4]
        lines.append(" | ".join([f"| {what}", *("" if c == "-" else text(float(c)) for c in cells)]) + " |\n")
    return TABLE + "".join(lines)


def with_table(page, rows):
    """README.md's text with these rows in place of its table's."""
    before, found, rest = page.partition(TABLE)
    if not found:
        raise ValueError(f"README.md has no table with the head {TABLE.splitlines()[0]}")
    lines = rest.splitlines(keepends=True)
    return before + rows + "".join(itertools.dropwhile(lambda line: line.startswith("|"), lines))


def update_readme():
    rows = table(*(read_rows(FOLDER / name) for name in ("budgets.tsv", "recorded.tsv", "linux.tsv")))
    README.write_text(with_table(README.read_text(encoding="utf-8"), rows), encoding="utf-8")


def record_all(rows, recorded):
    record(FOLDER / "recorded.tsv", "# name, count, " + ", ".join(COUNTERS), recorded, rows)
    with (FOLDER / "history.jsonl").open("a", encoding="utf-8") as history:
        counts = {name: float(f"{row[0]:.8g}") for name, row in sorted(rows.items())}
        history.write(json.dumps({"date": str(datetime.date.today()), "counts": counts}) + "\n")
    update_readme()


def main():
    options = parse(sys.argv[1:])
    budgets = read_rows(FOLDER / "budgets.tsv")
    recorded = read_rows(FOLDER / "recorded.tsv") if options.smp == "1" else {}
    linux = read_rows(FOLDER / "linux.tsv")
    if options.only:
        budgets = {name: row for name, row in budgets.items() if name == options.only}
    if options.linux:
        record(FOLDER / "linux.tsv", "# name, count: Debian's Linux 6.1, by scripts/bench --linux",
               linux, {name: row[:1] for name, row in measure_linux(options).items()})
        update_readme()
        return 0
    rows = measure(options)
    for _ in range(2 if options.check else 0):
        if any(problem for name in rows for problem in worse(name, rows[name], recorded)):
            # Random addresses make a row dearer now and then; what got worse is so every time.
            for name, again in measure(options).items():
                rows[name] = [min(pair) for pair in zip(rows[name], again)]
    problems = report(rows, budgets, recorded, linux)
    print(*problems, sep="\n")
    if options.record:
        record_all(rows, recorded)
    return 1 if problems and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
