// SPDX-License-Identifier: MIT
/* The memory map of struct bootinfo; see range.h. Pure: also built for the host's tests. */
#include "range.h"

#define PHYSICAL_END (1ULL << 52) /* SDM vol. 3 §4.1.4: at most 52 address bits */

static void range_append(struct bootinfo *b, paddr_t start, paddr_t end, enum boot_memory_kind kind) {
    if (start < end) b->ranges[b->range_count++] = (struct boot_range){start, end - start, kind};
}

static void range_sort(struct bootinfo *b) { /* insertion sort: the table is nearly sorted */
    for (uint32_t i = 1; i < b->range_count; i++) {
        struct boot_range r = b->ranges[i];
        uint32_t j = i;
        for (; j > 0 && b->ranges[j - 1].start > r.start; j--) b->ranges[j] = b->ranges[j - 1];
        b->ranges[j] = r;
    }
}

int boot_range_set(struct bootinfo *b, paddr_t start, uint64_t length, enum boot_memory_kind kind) {
    paddr_t end = start + length;
    if (end < start || end > PHYSICAL_END) return -EINVAL;
    if (kind == BOOT_MEMORY_FREE) {
        start = align_up(start, PAGE_SIZE);
        end = align_down(end, PAGE_SIZE);
    } else {
        start = align_down(start, PAGE_SIZE);
        end = align_up(end, PAGE_SIZE);
    }
    if (start >= end) return 0;
    if (b->range_count + 2 > BOOT_RANGES_MAX) /* at worst one range becomes three */
        return -ENOSPC;
    uint32_t count = b->range_count, kept = 0;
    struct boot_range split = {};
    for (uint32_t i = 0; i < count; i++) {
        struct boot_range r = b->ranges[i];
        paddr_t r_end = r.start + r.length;
        if (r.start < start && r_end > end) split = (struct boot_range){end, r_end - end, r.kind};
        if (r.start < start) r.length = min(r_end, start) - r.start;
        else if (r_end > end) r = (struct boot_range){max(r.start, end), r_end - max(r.start, end), r.kind};
        else continue;
        b->ranges[kept++] = r;
    }
    b->range_count = kept;
    range_append(b, start, end, kind);
    range_append(b, split.start, split.start + split.length, split.kind);
    range_sort(b);
    return 0;
}

enum boot_memory_kind boot_range_kind(const struct bootinfo *b, paddr_t at) {
    for (uint32_t i = 0; i < b->range_count; i++)
        if (at >= b->ranges[i].start && at - b->ranges[i].start < b->ranges[i].length) return b->ranges[i].kind;
    return BOOT_MEMORY_RESERVED;
}

static enum boot_memory_kind kind_of_type(uint32_t type) {
    switch (type) {
    case 1: return BOOT_MEMORY_FREE;
    case 3:
    case 4: return BOOT_MEMORY_ACPI; /* tables, and NVS: both read through ACPI only */
    default: return BOOT_MEMORY_RESERVED;
    }
}

int boot_ranges_load(struct bootinfo *b, size_t count, struct boot_map_entry (*get)(const void *context, size_t i),
                     const void *context) {
    static const enum boot_memory_kind order[] = {BOOT_MEMORY_FREE, BOOT_MEMORY_ACPI, BOOT_MEMORY_RESERVED};
    for (size_t pass = 0; pass < array_size(order); pass++) {
        for (size_t i = 0; i < count; i++) {
            struct boot_map_entry e = get(context, i);
            if (kind_of_type(e.type) != order[pass]) continue;
            int error = boot_range_set(b, e.start, e.length, order[pass]);
            if (error == -ENOSPC) return refuse(b, "the memory map has too many entries");
            if (error) return refuse(b, "a memory map entry wraps around");
        }
    }
    return 0;
}
