#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make the reference page of the system calls from the one list that they all come from.

reference.py ABI-FOLDER OUTPUT.md: reads syscalls.def, whose comment before a call (or a group of
calls) is its description, and the other headers for where the structures are defined.
"""

import pathlib
import re
import sys

TOKEN = re.compile(r"/\*(.*?)\*/|^(CALL|OBJECT)\((.*?)\)\s*$", re.DOTALL | re.MULTILINE)
SECTION = re.compile(r"\s*-+ (.*?) -+\s*$")
TYPE = re.compile(r"\b(?:struct|enum) (\w+)")


def definitions(folder):
    """struct or enum -> header that defines it."""
    where = {}
    for header in sorted(folder.glob("*.h")):
        for name in re.findall(r"^(?:struct|enum) (\w+) \{", header.read_text("utf-8"), re.MULTILINE):
            where.setdefault(name, header.name)
    return where


def read_calls(text):
    """("section", title), ("text", comment) and ("call", number, name, [(type, argument)], object and rights or "")."""
    for found in TOKEN.finditer(text):
        comment, macro, arguments = found.groups()
        if macro is None:
            comment = " ".join(line.strip(" *") for line in comment.splitlines()).strip()
            section = SECTION.match(comment)
            yield ("section", section[1]) if section else ("text", comment)
            continue
        number, name, *rest = [word.strip() for word in arguments.split(",")]
        needs = ""
        if macro == "OBJECT":
            kind, rights, *rest = rest
            needs = f"`{rest[1]}`: {kind}{f', {rights}' if rights != '0' else ''}."
        pairs = list(zip(rest[::2], rest[1::2]))
        if len(rest) % 2 or len(pairs) > 6:
            sys.exit(f"syscalls.def: {name}: its arguments are no pairs of a type and a name")
        yield "call", int(number), name, pairs, needs


def prototype(name, pairs):
    words = [f"{kind}{argument}" if kind.endswith("*") else f"{kind} {argument}"
             for kind, argument in pairs]
    return f"long sys_{name}({', '.join(words) or 'void'});"


def write_page(calls, where, out):
    described, group = "", False
    for kind, *rest in calls:
        if kind == "section":
            out.append(f"\n## {rest[0]}\n")
            described, group = "", False
        elif kind == "text":
            described, group = rest[0], False
        else:
            number, name, pairs, needs = rest
            out.append(f"\n### {number}: {name}\n\n    {prototype(name, pairs)}\n")
            out.append(("As the call before it. " if group else described + " ") + needs)
            types = TYPE.findall(" ".join(word for pair in pairs for word in pair) + " " + described)
            places = sorted({f"`{t}`: `<abi/{where[t]}>`" for t in types if t in where})
            if places and not group:
                out.append("\n" + ", ".join(places))
            group = True


def main():
    folder, output = map(pathlib.Path, sys.argv[1:])
    calls = list(read_calls((folder / "syscalls.def").read_text("utf-8")))
    numbers = [call[1] for call in calls if call[0] == "call"]
    if len(set(numbers)) != len(numbers) or numbers != sorted(numbers):
        sys.exit("syscalls.def: the numbers don't rise")
    introduction = calls.pop(0)[1]
    out = ["# System calls\n", "Made from kernel/include/abi/syscalls.def. " + introduction]
    write_page(calls, definitions(folder), out)
    output.write_text("\n".join(out) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
