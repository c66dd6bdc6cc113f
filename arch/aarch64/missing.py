#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Find what of the arch contract is missing, and make it up as calls of missing_called().

    missing.py --nm NM --contract FOLDER OUTPUT.S OBJECTS...

Missing is a function that some object refers to, none defines, and a header of the contract
declares. Other undefined symbols stay so: the link fails as ever.
"""

import argparse
import pathlib
import re
import subprocess


def symbols(nm, option, objects):
    out = subprocess.run([nm, option, "--format=just-symbols", *objects], check=True,
                         capture_output=True, text=True).stdout
    return {line for line in out.splitlines() if line and not line.endswith(":")}


def contract(folder):
    names = set()
    for header in pathlib.Path(folder).glob("*.h"):
        text = header.read_text(encoding="utf-8")
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
        names |= set(re.findall(r"\b(\w+)\s*\(", text))
    return names


def write_stubs(names, path):
    lines = ["/* made by arch/aarch64/missing.py */"]
    for name in names:
        lines += [f"    .text\n    .globl {name}\n    .type {name}, %function\n{name}:",
                  f"    adrp x0, name_{name}\n    add x0, x0, :lo12:name_{name}",
                  "    b missing_called",
                  f'    .section .rodata\nname_{name}:\n    .asciz "{name}"']
    lines += ["    .section .rodata\n    .balign 8\n    .globl missing_names, missing_count",
              "missing_names:", *(f"    .quad name_{name}" for name in names),
              f"missing_count:\n    .long {len(names)}",
              '    .section .note.GNU-stack, "", %progbits\n']
    path.write_text("\n".join(lines), encoding="ascii")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nm", required=True)
    parser.add_argument("--contract", required=True)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("objects", nargs="+")
    args = parser.parse_args()
    undefined = symbols(args.nm, "--undefined-only", args.objects)
    undefined -= symbols(args.nm, "--defined-only", args.objects)
    write_stubs(sorted(undefined & contract(args.contract)), args.output)


if __name__ == "__main__":
    main()
