#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make the kernel's symbol table for backtraces, as an assembler file for the second link.

The kernel is linked twice: first with an empty table, then with the one made here from the first
link. The table lies in .rodata.ksyms, after .text, so it moves no function; --verify checks that
on the final file. Layout, all in .rodata:

    ksyms_base   u64: address that offsets count from (the image's base at -2 GiB)
    ksyms_start  u32 count; { u32 offset from ksyms_base; u32 name, from the first name }[count],
                 sorted by offset; then the names, NUL-terminated
    ksyms_end
"""

import argparse
import subprocess
import sys


def read_functions(nm, elf):
    out = subprocess.run([nm, "--defined-only", "--numeric-sort", elf], check=True,
                         capture_output=True, text=True).stdout
    functions = {}
    for line in out.splitlines():
        address, kind, name = line.split(" ", 2)
        if kind in "tT" and not name.startswith((".L", "$")):
            functions.setdefault(int(address, 16), name)
    return sorted(functions.items())


def image_base(functions):
    first, last = (functions[0][0], functions[-1][0]) if functions else (0, 0)
    return 0xFFFFFFFF80000000 if last >= 0xFFFFFFFF80000000 else first & ~0x1FFFFF


def write_table(functions, path):
    base = image_base(functions)
    # Boot code linked at its physical address can't be expressed, and never shows in a backtrace.
    functions = [(a, n) for a, n in functions if 0 <= a - base < 1 << 32]
    lines = ["/* made by cmake/ksyms.py */", '.section .rodata.ksyms, "a"', ".balign 8",
             ".globl ksyms_base, ksyms_start, ksyms_end", "ksyms_base:", f".quad {base:#x}",
             "ksyms_start:", f".long {len(functions)}"]
    offset = 0
    for address, name in functions:
        lines.append(f".long {address - base:#x}, {offset}")
        offset += len(name) + 1
    lines += [f'.asciz "{name}"' for _, name in functions]
    lines += ["ksyms_end:", '.section .note.GNU-stack, "", %progbits', ""]
    with open(path, "w", encoding="ascii") as out:
        out.write("\n".join(lines))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nm", required=True)
    parser.add_argument("--empty", metavar="S", help="write a table without entries")
    parser.add_argument("--verify", metavar="ELF2", help="check that both files' functions agree")
    parser.add_argument("elf", nargs="?")
    parser.add_argument("output", nargs="?")
    args = parser.parse_args()
    if args.empty:
        write_table([], args.empty)
        return 0
    functions = read_functions(args.nm, args.elf)
    if args.verify:
        if functions != read_functions(args.nm, args.verify):
            print("ksyms: the symbol table moved functions; is .rodata before .text in kernel.ld?",
                  file=sys.stderr)
            return 1
        return 0
    write_table(functions, args.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
