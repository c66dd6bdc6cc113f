// SPDX-License-Identifier: MIT
/* The memory map of struct bootinfo: sorted, without overlaps, whole pages. */
#pragma once
#include <kernel/bootinfo.h>

static inline int refuse(struct bootinfo *out, const char *why) {
    out->problem = why;
    return -EINVAL;
}

/*
 * Gives [start, start + length) the kind, cutting what was there before. Free memory shrinks to whole
 * pages, other kinds grow to them. -EINVAL if it wraps, -ENOSPC if the table is full (unchanged).
 */
MUST_CHECK int boot_range_set(struct bootinfo *b, paddr_t start, uint64_t length, enum boot_memory_kind kind);
/* The kind at this address; anything outside of all ranges is reserved. */
enum boot_memory_kind boot_range_kind(const struct bootinfo *b, paddr_t at);

struct boot_map_entry { /* a loader's entry, with the e820 type (ACPI 6.5 §15.2) */
    paddr_t start;
    uint64_t length;
    uint32_t type;
};
/* Enters a loader's map: free memory first, so that an overlapping reservation wins. */
MUST_CHECK int boot_ranges_load(struct bootinfo *b, size_t count,
                                struct boot_map_entry (*get)(const void *context, size_t i), const void *context);
