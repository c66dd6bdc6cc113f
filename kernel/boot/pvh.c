// SPDX-License-Identifier: MIT
/*
 * PVH start information (Xen public/arch-x86/hvm/start_info.h, version 1) into struct bootinfo.
 * Everything it points to is reached through `map` and copied before use.
 */
#include "range.h"
#include <kernel/lib.h>

#define PVH_MAGIC 0x336ec578

struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp, memory_map;
    uint32_t memory_map_count, reserved;
};
struct start_module {
    uint64_t address, size, command_line, reserved;
};
struct start_memory {
    uint64_t start, length;
    uint32_t type, reserved;
};

static struct boot_map_entry map_entry(const void *context, size_t i) {
    struct start_memory e;
    memcpy(&e, (const char *)context + i * sizeof(e), sizeof(e));
    return (struct boot_map_entry){e.start, e.length, e.type};
}

static int parse_modules(const struct start_info *info, boot_map_fn *map, struct bootinfo *out) {
    if (info->module_count > BOOT_MODULES_MAX) return refuse(out, "PVH: too many modules");
    if (!info->module_count) return 0;
    const char *list = map(info->modules, info->module_count * sizeof(struct start_module));
    if (!list) return refuse(out, "PVH: the module list is not in memory");
    for (uint32_t i = 0; i < info->module_count; i++) {
        struct start_module m;
        memcpy(&m, list + i * sizeof(m), sizeof(m));
        if (m.address + m.size < m.address) return refuse(out, "PVH: a module wraps around");
        out->modules[out->module_count++] = (struct boot_module){m.address, m.size};
    }
    return 0;
}

static int parse_command_line(paddr_t at, boot_map_fn *map, struct bootinfo *out) {
    size_t n = 0;
    for (; n < BOOT_COMMAND_MAX - 1; n++) {
        const char *c = map(at + n, 1);
        if (!c) return refuse(out, "PVH: the command line is not in memory");
        if (!*c) break;
        out->command_line[n] = *c;
    }
    out->command_line[n] = 0;
    return 0;
}

int pvh_parse(const void *data, size_t size, boot_map_fn *map, struct bootinfo *out) {
    struct start_info info;
    if (size < sizeof(info)) return refuse(out, "PVH: no start information");
    memcpy(&info, data, sizeof(info));
    if (info.magic != PVH_MAGIC || info.version < 1) return refuse(out, "PVH: wrong magic number or version");
    if (!info.memory_map_count || info.memory_map_count > BOOT_RANGES_MAX)
        return refuse(out, "PVH: no memory map, or a huge one");
    const void *entries = map(info.memory_map, info.memory_map_count * sizeof(struct start_memory));
    if (!entries) return refuse(out, "PVH: the memory map is not in memory");
    int error = boot_ranges_load(out, info.memory_map_count, map_entry, entries);
    if (!error) error = parse_modules(&info, map, out);
    if (!error && info.command_line) error = parse_command_line(info.command_line, map, out);
    out->rsdp = info.rsdp;
    return error;
}
