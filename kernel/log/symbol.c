// SPDX-License-Identifier: MIT
/* Names of functions for backtraces, from the image's symbol table (made by cmake/ksyms.py). */
#include <kernel/lib.h>
#include <kernel/log.h>

struct symbol {
    uint32_t offset, name;
};
struct symbol_table {
    uint32_t count;
    struct symbol symbols[];
};
extern const uint64_t ksyms_base;
extern const struct symbol_table ksyms_start;

static const char *symbol_find(uintptr_t address, uint32_t *distance) {
    const struct symbol_table *t = &ksyms_start;
    uint64_t offset = address - ksyms_base;
    uint32_t low = 0, high = t->count;
    while (low < high) { /* the first symbol above the address */
        uint32_t middle = (low + high) / 2;
        if (t->symbols[middle].offset <= offset) low = middle + 1;
        else high = middle;
    }
    if (!low) return "?";
    *distance = (uint32_t)(offset - t->symbols[low - 1].offset);
    return (const char *)&t->symbols[t->count] + t->symbols[low - 1].name;
}

void symbol_print(uintptr_t address, void (*line)(const char *)) {
    char text[128];
    uint32_t distance = 0;
    /* The call before it may be the last instruction of its function. */
    const char *name = symbol_find(address - 1, &distance);
    print_format(text, sizeof(text), "  %016lx %s+%#x\n", address, name, distance + 1);
    line(text);
}
