// SPDX-License-Identifier: MIT
/*
 * What the boot loader said, in one form for multiboot2 and PVH.  Everything was bounds-checked by
 * the parser; ranges are clipped to what exists and sorted.
 */
#pragma once
#include <abi/system.h>
#include <kernel/types.h>

enum boot_memory_kind { BOOT_MEMORY_FREE, BOOT_MEMORY_RESERVED, BOOT_MEMORY_ACPI };
struct boot_range {
    paddr_t start;
    uint64_t length;
    enum boot_memory_kind kind;
};
struct boot_module {
    paddr_t start;
    uint64_t length;
};
#define BOOT_RANGES_MAX 256
#define BOOT_MODULES_MAX 16
#define BOOT_COMMAND_MAX 2048
struct bootinfo {
    uint32_t range_count, module_count;
    struct boot_range ranges[BOOT_RANGES_MAX];
    struct boot_module modules[BOOT_MODULES_MAX];
    struct framebuffer_info framebuffer; /* width 0: none */
    paddr_t rsdp; /* 0: none */
    paddr_t image_start, image_end; /* the kernel itself */
    char command_line[BOOT_COMMAND_MAX];
    const char *problem; /* why the loader's data was refused, or null */
};

/*
 * Parsers (kernel/boot/): pure, host-testable.  `data` is the whole structure (at physical `at`), `size` its length as
 * known to the caller; access to physical memory outside of it goes through `map`, which returns
 * null for addresses that are not RAM.  0, or -EINVAL with out->problem set.
 * Multiboot2 Specification 2.0; Xen PVH start info (hvm_start_info) version 1.
 */
typedef const void *boot_map_fn(paddr_t start, size_t length);
MUST_CHECK int multiboot2_parse(paddr_t at, const void *data, size_t size, struct bootinfo *out);
MUST_CHECK int pvh_parse(const void *data, size_t size, boot_map_fn *map, struct bootinfo *out);
/* Value of `name=value` or "" for a bare `name`; null if absent. Copies at most size - 1 bytes. */
bool boot_option(const struct bootinfo *b, const char *name, char *value, size_t size);
