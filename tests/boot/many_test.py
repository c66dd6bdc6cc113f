#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""many_test.py COUNT: boots that often with 4 CPUs while 4 processes keep the host busy.

Each boot runs processes on all CPUs and must answer exactly; the first failure is shown whole.
"""

import multiprocessing
import os
import pathlib
import subprocess
import sys

RUN = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "run"
COMMAND = "for i in 1 2 3 4 5 6 7 8; do (ls / | sort | wc -l) & done; wait; echo end"


def busy(parent):
    while os.getppid() == parent:   # killed or not
        for _ in range(1000000):
            pass


def boot():
    return subprocess.run(
        [RUN, "--no-build", "--boot", "direct", "--smp", "4", "--timeout", "300", "--exec", COMMAND],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def main():
    count = int(sys.argv[1])
    for process in [multiprocessing.Process(target=busy, args=(os.getpid(),), daemon=True) for _ in range(4)]:
        process.start()
    for number in range(1, count + 1):
        result = boot()
        good = result.stdout.split()
        if (result.returncode or len(good) != 9 or good[-1] != "end" or len(set(good[:-1])) != 1):
            print(f"not ok boot {number}: status {result.returncode}\n{result.stdout}{result.stderr}")
            return 1
        if number % 20 == 0:
            print(f"# {number} boots", flush=True)
    print(f"ok {count} boots")
    return 0


if __name__ == "__main__":
    sys.exit(main())
