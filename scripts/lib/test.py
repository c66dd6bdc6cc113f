#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/test: build what the tests need and run them by CTest."""

import argparse
import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree

import build

TIERS = ("unit", "kernel", "boot", "posix", "bench", "fuzz")
EPILOG = """
Tiers: unit (on this machine), kernel (inside the kernel), boot (scenarios), posix, bench, fuzz.
--long adds the tests that take more than a minute or two; what passed is kept in the build folder
and not run again for the same commit, so that an interrupted run can go on: --fresh forgets it.
"""


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="scripts/test", description=__doc__.split(": ", 1)[1], epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--only", metavar="NAME", help="tests whose TIER/NAME matches this regex")
    parser.add_argument("--tier", choices=TIERS, help="one tier")
    parser.add_argument("--long", action="store_true", help="also the long tests")
    parser.add_argument("--fresh", action="store_true", help="run again what passed earlier")
    parser.add_argument("--list", action="store_true", help="only tell the tests' names")
    parser.add_argument("-j", type=int, default=os.cpu_count() or 1, metavar="N")
    return parser.parse_args(arguments)


def ctest(folder, *arguments, **options):
    return subprocess.run(["ctest", "--test-dir", folder, *arguments], stdin=subprocess.DEVNULL,
                          check=False, **options)


def list_tests(folder):
    """[(name, labels, command)]"""
    out = ctest(folder, "--show-only=json-v1", stdout=subprocess.PIPE).stdout
    tests = []
    for test in json.loads(out)["tests"]:
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        tests.append((test["name"], properties.get("LABELS", []), test.get("command", [])))
    return tests


def choose(tests, options, passed):
    def wanted(name, labels):
        return ((options.long or "long" not in labels)
                and (not options.tier or options.tier in labels)
                and (not options.only or re.search(options.only, name))
                and name not in passed)
    return [test for test in tests if wanted(*test[:2])]


def presets_of(tests):
    """The presets whose kernel the tests boot: named in a scenario or by --preset."""
    presets = set()
    for _, labels, command in tests:
        if set(labels) & {"kernel", "boot", "posix", "bench"}:
            presets.add("debug")
        for word, following in zip(command, command[1:] + [""]):
            if word == "--preset":
                presets.add(following)
            elif word.endswith(".scenario"):
                text = (build.ROOT / "tests" / word).read_text(encoding="utf-8")
                found = re.search(r"^preset (\S+)", text, re.MULTILINE)
                presets.add(found[1] if found else "debug")
    return presets


def packages_of(tests):
    """The targets of the packages that the tests add by --with."""
    return sorted({f"port_{name}" for _, _, command in tests for word, names in zip(command, command[1:])
                   if word == "--with" for name in names.split(",")})


class Passed:
    """Names of the tests that passed in earlier runs on this very commit, for --long."""

    def __init__(self, folder, use):
        self.path = folder / "passed-long"
        state = subprocess.run(["git", "-C", build.ROOT, "describe", "--always", "--dirty",
                                "--abbrev=40"], capture_output=True, text=True, check=False)
        self.commit = state.stdout.strip()
        self.names = set()
        if use and self.path.exists() and not self.commit.endswith("-dirty"):
            commit, *names = self.path.read_text(encoding="utf-8").split("\n")
            if commit == self.commit:
                self.names = set(names)

    def add(self, names):
        self.names |= set(names)
        self.path.write_text("\n".join([self.commit, *sorted(self.names)]), encoding="utf-8")


def run_tests(folder, names, jobs):
    """(passed, failed, skipped): names."""
    junit = folder / "tests.xml"
    junit.unlink(missing_ok=True)
    pattern = "^(" + "|".join(re.escape(name) for name in names) + ")$"
    ctest(folder, "-R", pattern, "-j", str(jobs), "--output-on-failure", "--output-junit", junit)
    results = {"run": [], "fail": [], "notrun": [], "disabled": []}
    if junit.exists():
        for case in xml.etree.ElementTree.parse(junit).getroot().iter("testcase"):
            results.setdefault(case.get("status"), []).append(case.get("name"))
    known = {name for group in results.values() for name in group}
    return (results["run"], results["fail"] + sorted(set(names) - known),
            results["notrun"] + results["disabled"])


def prepare(options):
    """Build by need: (folder, tests, record of earlier passes)."""
    folder = build.build("debug", ("build.ninja",), verbose=True)    # the list of tests is current
    passed = Passed(folder, options.long and not options.fresh)
    tests = choose(list_tests(folder), options, passed.names)
    if options.list:
        return folder, tests, passed
    if any("unit" in labels or "fuzz" in labels for _, labels, _ in tests):
        build.build("debug", ("host_programs",), verbose=True)
    # debug first: the others take its user programs.
    for preset in sorted(presets_of(tests), key=lambda name: (name != "debug", name)):
        targets = ("kernel",) if preset == "aarch64" else ("kernel", "initfs")
        build.build(preset, targets, verbose=True)
    packages = packages_of(tests)
    if packages:
        build.build("debug", packages, verbose=True)
    return folder, tests, passed


def main():
    options = parse(sys.argv[1:])
    start = time.monotonic()
    folder, tests, passed = prepare(options)
    names = [name for name, _, _ in tests]
    if options.list:
        print("\n".join(names))
        return 0
    if not names:
        build.say("no such test" if not passed.names else "all of them passed before (--fresh)")
        return 0 if passed.names else 1
    built = time.monotonic()
    good, bad, skipped = run_tests(folder, names, options.j)
    if options.long:
        passed.add(good)
    print(f"\nbuild {built - start:.0f} s, tests {time.monotonic() - built:.0f} s")
    for name in bad:
        print(f"failed: {name}")
    print(f"{len(good)} passed, {len(bad)} failed" + (f", {len(skipped)} skipped" if skipped else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
