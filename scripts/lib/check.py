#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scripts/check: what can be told about the source without running it.

text      SPDX line, tabs, blanks at line ends, `__x86_64__` outside arch/
abi       each header of kernel/include/abi compiles alone, in C23 and C11, freestanding
lines     kernel + arch/x86_64 stay under 12,000 lines of code
columns   no line beyond column 120
format    clang-format (.clang-format)      --fix rewrites the files
tidy      clang-tidy (.clang-tidy), needs a configured debug build folder
Without names of checks: text, abi, lines. All errors are shown; none: exit status 0.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

import build

ROOT = build.ROOT
LIMIT = 12000
CODE = {".c", ".h", ".S", ".ld", ".def"}
TEXT = CODE | {".py", ".sh", ".cmake", ".md", ".scenario", ".txt", ".tsv", ".json", ".in", ""}
# Text that is not ours, or means its tabs.
FOREIGN = re.compile(r"^(LICENSE|.*\.tsv|.*\.patch|.*\.config|.*\.corpus/.*|sysroot/(ports|rootfs)/.*"
                     r"|libposix/musl/overlay/src/.*|tests/suites/[a-z0-9]+/(linux|results)\.txt)$")


def tracked_files():
    """Tracked and new files, without those that git ignores."""
    out = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"], check=True,
                         capture_output=True, text=True).stdout
    return [pathlib.Path(line) for line in out.splitlines() if (ROOT / line).is_file()]


def wants_spdx(path):
    return path.suffix in CODE | {".py", ".sh", ".cmake"} or path.name == "CMakeLists.txt"


def check_text(files):
    for path in files:
        if path.suffix == ".tsv" and re.search(r"//[^/\s]*\bdebian\.org/", (ROOT / path).read_text(encoding="utf-8")):
            yield f"{path}: names a package archive's host"
        if path.suffix not in TEXT or FOREIGN.match(str(path)):
            continue
        try:
            lines = (ROOT / path).read_text(encoding="utf-8").split("\n")
        except UnicodeDecodeError:
            yield f"{path}: not UTF-8"
            continue
        if wants_spdx(path) and not any("SPDX-License-Identifier: MIT" in l for l in lines[:2]):
            yield f"{path}:1: no SPDX line"
        if lines[-1] or len(lines) > 1 and not lines[-2]:
            yield f"{path}:{len(lines)}: does not end with exactly one newline"
        for number, line in enumerate(lines, 1):
            if "\t" in line:
                yield f"{path}:{number}: tab"
            if line != line.rstrip():
                yield f"{path}:{number}: blanks at the end"
            if path.suffix in CODE and path.parts[0] in ("kernel", "servers", "drivers"):
                if re.search(r"__(x86_64|aarch64)__", line):
                    yield f"{path}:{number}: architecture outside of arch/"


def check_columns(files):
    for path in files:
        if path.suffix in TEXT - {".md"} and not FOREIGN.match(str(path)):
            text = (ROOT / path).read_text(encoding="utf-8", errors="replace")
            for number, line in enumerate(text.split("\n"), 1):
                if len(line) > 120:
                    yield f"{path}:{number}: {len(line)} columns"


def check_abi(files):
    for path in files:
        if path.parts[:3] == ("kernel", "include", "abi") and path.suffix == ".h":
            for standard in ("gnu11", "gnu23"):
                result = subprocess.run(
                    ["clang-19", f"-std={standard}", "-ffreestanding", "-nostdlibinc", "-Wall",
                     "-Wextra", "-Werror", "-Wno-pragma-once-outside-header", "-fsyntax-only", "-x",
                     "c", f"-I{ROOT}/kernel/include", ROOT / path],
                    capture_output=True, text=True, check=False)
                if result.returncode:
                    yield f"{path} alone, {standard}: {result.stderr.strip().splitlines()[0]}"


def count_code(path):
    """Lines that hold something else than comment."""
    text = (ROOT / path).read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", lambda found: "\n" * found[0].count("\n"), text, flags=re.DOTALL)
    return sum(1 for line in text.split("\n") if line.split("//")[0].strip())


def check_lines(files):
    counts = {}
    for path in files:
        # Tests and sanitizers aren't in the kernel that runs.
        kernel = path.parts[0] == "kernel" and path.parts[1] not in ("test", "sanitizer")
        arch = path.parts[:2] in (("arch", "x86_64"), ("arch", "include")) and "test" not in path.parts
        if (kernel or arch) and path.suffix in CODE:
            folder = "/".join(path.parts[:2])
            counts[folder] = counts.get(folder, 0) + count_code(path)
    total = sum(counts.values())
    print(*(f"{count:6} {folder}" for folder, count in sorted(counts.items())),
          f"{total:6} lines of code in the kernel, of at most {LIMIT}", sep="\n")
    if total >= LIMIT:
        yield f"the kernel has {total} lines of code"


def check_format(files, fix=False):
    ours = [ROOT / path for path in files
            if path.suffix in (".c", ".h") and not FOREIGN.match(str(path))]
    if fix:
        subprocess.run(["clang-format-19", "-i", *ours], check=True)
    result = subprocess.run(["clang-format-19", "--dry-run", "-Werror", *ours],
                            capture_output=True, text=True, check=False)
    places = re.findall(r"^(.*?:\d+):\d+: error: code should be", result.stderr, re.MULTILINE)
    yield from (f"{pathlib.Path(place).relative_to(ROOT)}: format" for place in sorted(set(places)))


def check_tidy(files):
    folder = build.configure("debug")
    commands = json.loads((folder / "compile_commands.json").read_text(encoding="utf-8"))
    ours = {str(ROOT / path) for path in files if path.suffix == ".c"}
    sources = sorted({c["file"] for c in commands} & ours)
    result = subprocess.run(["clang-tidy-19", "--quiet", "-p", folder, *sources],
                            capture_output=True, text=True, check=False)
    yield from (line for line in result.stdout.splitlines() if re.search(r": (warning|error): ", line))


CHECKS = {"text": check_text, "abi": check_abi, "lines": check_lines, "columns": check_columns,
          "format": check_format, "tidy": check_tidy}


def main():
    parser = argparse.ArgumentParser(prog="scripts/check", description=__doc__.split(": ", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fix", action="store_true", help="let clang-format rewrite the files")
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=", ".join(CHECKS))
    options = parser.parse_args()
    files = tracked_files()
    bad = 0
    for name in options.checks or ("text", "abi", "lines"):
        if name not in CHECKS:
            parser.error(f"no check called {name}")
        arguments = {"fix": options.fix} if name == "format" else {}
        for problem in CHECKS[name](files, **arguments):
            print(problem)
            bad += 1
    print(f"{bad} problems" if bad else "no problems")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
