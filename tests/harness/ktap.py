#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reading KTAP, the format in which all test programs in the guest report.

    KTAP version 1
    1..3                            (may come last)
    ok 1 name
    not ok 2 name
    ok 3 name # SKIP why
    # comment; lines of nested suites are indented by 2 and counted one by one
"""

import re

RESULT = re.compile(r"^((?:  )*)(ok|not ok) (\d+)(?:[ -]+(.*?))?(?:\s+# (SKIP|TODO)\b(.*))?\s*$")
PLAN = re.compile(r"^((?:  )*)1\.\.(\d+)\s*$")


class Report:
    def __init__(self, text):
        self.passed, self.failed, self.skipped = [], [], []
        self.problems = []
        plans, counts, nested = {}, {}, 0
        for line in text.replace("\r", "").splitlines():
            plan, result = PLAN.match(line), RESULT.match(line)
            if plan:
                plans[plan[1]] = int(plan[2])
            elif result:
                indent, word, number, name, mark, _ = result.groups()
                counts[indent] = counts.get(indent, 0) + 1
                if int(number) != counts[indent]:
                    self.problems.append(f"test {number} where {counts[indent]} was due: {line}")
                    counts[indent] = int(number)
                if len(indent) < nested:
                    # The line that closes a nested suite sums it up; its tests are counted already.
                    self.close(indent, plans, counts)
                    nested = len(indent)
                    if word == "ok":
                        continue
                nested = len(indent)
                group = self.skipped if mark == "SKIP" else (
                    self.passed if word == "ok" else self.failed)
                group.append(name or number)
        for indent in list(plans):
            self.check(indent, plans, counts)
        if not plans:
            self.problems.append("no plan line (1..N)")
        if not self.passed and not self.failed and not self.skipped:
            self.problems.append("no test reported")

    def check(self, indent, plans, counts):
        if plans.get(indent, counts.get(indent, 0)) != counts.get(indent, 0):
            self.problems.append(f"{counts.get(indent, 0)} of {plans[indent]} tests reported")

    def close(self, indent, plans, counts):
        for inner in [key for key in set(plans) | set(counts) if len(key) > len(indent)]:
            self.check(inner, plans, counts)
            plans.pop(inner, None)
            counts.pop(inner, None)

    def good(self):
        return not self.failed and not self.problems

    def summary(self):
        lines = [f"failed: {name}" for name in self.failed] + self.problems
        lines.append(f"{len(self.passed)} passed, {len(self.failed)} failed, "
                     f"{len(self.skipped)} skipped")
        return "\n".join(lines)
