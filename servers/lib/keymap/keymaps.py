#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""keymaps.py OUTPUT: the tables of keymap.h as a C file, by the pinned libxkbcommon."""

import sys

import xkb

KEYS = 128
TEXT = 0xffff   # COMPOSE_TEXT


def compose_tables():
    """Nodes (symbol, first, count), those that follow a node together and in order; longer texts."""
    root, texts = {}, []
    for symbols, text in xkb.Compose().sequences().items():
        at = root
        for symbol in symbols[:-1]:
            at = at.setdefault(symbol, {})
        at[symbols[-1]] = text
    nodes, queue = [[0, 0, 0]], [(0, root)]
    for number, children in queue:      # which grows meanwhile
        nodes[number][1:] = len(nodes), len(children)
        for symbol, child in sorted(children.items()):
            if isinstance(child, dict):
                queue.append((len(nodes), child))
                nodes.append([symbol, 0, 0])
            elif len(child) == 1 and ord(child) < TEXT:
                nodes.append([symbol, ord(child), 0])
            else:
                nodes.append([symbol, len(texts), TEXT])
                texts += [*map(ord, child), 0]
    return nodes, texts


def lines(numbers, width=12):
    numbers = [f"{number:#x}," for number in numbers]
    return "\n".join("    " + " ".join(numbers[at:at + width]) for at in range(0, len(numbers), width))


def main():
    rows, maps = {}, []
    for name in xkb.LAYOUTS:
        layout = xkb.Layout(name)
        indices = []
        for key in range(KEYS):
            row = tuple(layout.symbol(key, state) for state in range(xkb.STATES))
            indices.append(rows.setdefault(row, len(rows)))
        maps.append((name, indices))
    nodes, texts = compose_tables()
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write("/* made by keymaps.py */\n#include <keymap.h>\n\n")
        out.write("const uint16_t keymap_rows[][KEYMAP_STATES] = {\n")
        for row in rows:
            out.write("{" + " ".join(f"{symbol:#x}," for symbol in row) + "},\n")
        out.write("};\n")
        for number, (_, indices) in enumerate(maps):
            out.write(f"static const uint16_t map{number}[KEYMAP_KEYS] = {{\n{lines(indices)}\n}};\n")
        out.write("const struct keymap keymaps[] = {\n")
        out.write("".join(f'    {{"{name}", map{number}}},\n' for number, (name, _) in enumerate(maps)))
        out.write(f"}};\nconst size_t keymap_count = {len(maps)};\nconst struct compose_node compose_nodes[] = {{\n")
        out.write("".join(f"    {{{symbol:#x}, {first:#x}, {count:#x}}},\n" for symbol, first, count in nodes))
        out.write(f"}};\nconst uint32_t compose_texts[] = {{\n{lines(texts)}\n}};\n")


if __name__ == "__main__":
    main()
