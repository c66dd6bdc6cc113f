# SPDX-License-Identifier: MIT
"""Runs tests of Python's own suite by its regrtest, and tells the result of each on a line, at once.

driver.py MODULE SEEN      on Cathode and on Linux alike; driver.sh calls it. Lines go to descriptor 3:
    RUN: NAME                              it begins; without a line after it, it hung or crashed
    PASS: NAME, FAIL: NAME, SKIPPED: NAME
    | TEXT                                 why it failed
NAME is CLASS.METHOD, with the submodule before it if MODULE is a package.
Names are also added to the file SEEN; tests whose names are in it already are left out. The line "done"
in it says that the module came to its end.
"""

import atexit
import faulthandler
import fnmatch
import os
import resource
import sys
import time

from test import support
from test.libregrtest import main
from test.support import testresult

TEST_SECONDS = 600
CPU_SECONDS = 40    # of one process: where instructions are counted these take real time, and waiting doesn't
# Millions of repetitions of one calculation, which take minutes under emulation.
LEFT_OUT = ["test.test_statistics.TestNormalDist*.test_inv_cdf",
            "test.test_statistics.TestSqrtHelpers.test_float_sqrt_of_frac"]

RESOURCES = {"test_socketserver": ["network"]}      # which asks for it, and uses the loopback only

# Of the process that runs the tests; one that multiprocessing starts anew imports this file as well.
report = module = seen_path = None
seen = set()
parent = os.getpid()


def tell(word, name):
    if os.getpid() == parent:
        name = " ".join(name.split()).removeprefix("test.").removeprefix(f"{module}.")
        report.write(f"{word}: {name}\n")


def note(line):
    with open(seen_path, "a", encoding="ascii", errors="backslashreplace") as file:
        file.write(f"{line}\n")


class Result(testresult.RegressionTestResult):
    outcome = "PASS"

    def startTest(self, test):
        super().startTest(test)
        self.outcome = "PASS"
        note(test.id())
        tell("RUN", test.id())
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + CPU_SECONDS, resource.RLIM_INFINITY))
        faulthandler.dump_traceback_later(TEST_SECONDS, exit=True)

    def stopTest(self, test):
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)
        tell(self.outcome, test.id())

    def fail(self, test, error):
        self.outcome = "FAIL"
        for line in self._exc_info_to_string(error, test).splitlines():
            report.write(f"| {line}\n")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if self.outcome == "PASS":
            self.outcome = "SKIPPED"

    def addError(self, test, err):
        super().addError(test, err)
        self.fail(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.fail(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.fail(test, err)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.outcome = "FAIL"


def is_wanted(test):
    return test.id() not in seen and not any(fnmatch.fnmatchcase(test.id(), pattern) for pattern in LEFT_OUT)


def at_end():
    if os.getpid() == parent:
        note("done")


def run():
    global report, module, seen_path    # pylint: disable=global-statement
    report = os.fdopen(os.dup(3), "w", 1, encoding="ascii", errors="backslashreplace")
    os.close(3)
    module, seen_path = sys.argv[1:]
    with open(seen_path, encoding="ascii") as file:
        seen.update(file.read().splitlines())
    testresult.RegressionTestResult = Result
    support.match_test = is_wanted
    atexit.register(at_end)
    main([module], use_resources=RESOURCES.get(module, []))


if __name__ == "__main__":
    run()
