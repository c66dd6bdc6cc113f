// SPDX-License-Identifier: MIT
/*
 * Multiboot2 boot information (Multiboot2 Specification 2.0 §3.6) into struct bootinfo. Nothing in
 * the structure is trusted: each tag is checked against the end of the whole, each field against the
 * end of its tag, and fields are copied out, for tags are only 8-byte aligned if the loader says so.
 */
#include "range.h"
#include <kernel/lib.h>

enum tag_type {
    TAG_END = 0,
    TAG_COMMAND_LINE = 1,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_ACPI_OLD = 14,
    TAG_ACPI_NEW = 15,
};
struct tag {
    uint32_t type, size;
};
struct module_tag {
    struct tag tag;
    uint32_t start, end;
};
struct memory_map_tag {
    struct tag tag;
    uint32_t entry_size, entry_version;
};
struct memory_map_entry {
    uint64_t start, length;
    uint32_t type, reserved;
};
struct [[gnu::packed]] framebuffer_tag {
    struct tag tag;
    uint64_t address;
    uint32_t pitch, width, height;
    uint8_t bits, type;
    uint16_t reserved;
    uint8_t red_shift, red_bits, green_shift, green_bits, blue_shift, blue_bits;
};
#define FRAMEBUFFER_RGB 1

static int refuse(struct bootinfo *out, const char *why) {
    out->problem = why;
    return -EINVAL;
}

static void parse_command_line(const char *text, size_t size, struct bootinfo *out) {
    size_t n = 0;
    for (; n < size && n < BOOT_COMMAND_MAX - 1 && text[n]; n++) out->command_line[n] = text[n];
    out->command_line[n] = 0;
}

static int parse_module(const void *at, size_t size, struct bootinfo *out) {
    struct module_tag m;
    if (size < sizeof(m)) return refuse(out, "multiboot2: short module tag");
    memcpy(&m, at, sizeof(m));
    if (m.end < m.start) return refuse(out, "multiboot2: a module ends before it starts");
    if (out->module_count == BOOT_MODULES_MAX) return refuse(out, "multiboot2: too many modules");
    out->modules[out->module_count++] = (struct boot_module){m.start, m.end - m.start};
    return 0;
}

struct map_context {
    const char *entries;
    size_t entry_size;
};
static struct boot_map_entry map_entry(const void *context, size_t i) {
    const struct map_context *c = context;
    struct memory_map_entry e;
    memcpy(&e, c->entries + i * c->entry_size, sizeof(e));
    return (struct boot_map_entry){e.start, e.length, e.type};
}

static int parse_memory_map(const char *at, size_t size, struct bootinfo *out) {
    struct memory_map_tag t;
    if (size < sizeof(t)) return refuse(out, "multiboot2: short memory map tag");
    memcpy(&t, at, sizeof(t));
    if (t.entry_size < sizeof(struct memory_map_entry)) return refuse(out, "multiboot2: short memory map entries");
    struct map_context c = {at + sizeof(t), t.entry_size};
    return boot_ranges_load(out, (size - sizeof(t)) / t.entry_size, map_entry, &c);
}

static void parse_framebuffer(const void *at, size_t size, struct bootinfo *out) {
    struct framebuffer_tag t;
    if (size < sizeof(t)) return; /* not RGB, or nonsense: no screen then */
    memcpy(&t, at, sizeof(t));
    bool fits = t.width && t.height && t.width <= 16384 && t.height <= 16384 && t.pitch >= t.width * (t.bits / 8) &&
                t.pitch <= 1 << 17 && t.address < 1ULL << 46 && t.red_bits <= 8 && t.green_bits <= 8 &&
                t.blue_bits <= 8 && t.red_shift <= 24 && t.green_shift <= 24 && t.blue_shift <= 24;
    if (t.type != FRAMEBUFFER_RGB || t.bits != 32 || t.pitch % 4 || !fits) return;
    out->framebuffer =
        (struct framebuffer_info){t.address,  t.pitch,       t.width,      t.height,     t.bits,      t.red_shift,
                                  t.red_bits, t.green_shift, t.green_bits, t.blue_shift, t.blue_bits, 0};
}

int multiboot2_parse(paddr_t at, const void *data, size_t size, struct bootinfo *out) {
    uint32_t total;
    if (size < 16) return refuse(out, "multiboot2: no information");
    memcpy(&total, data, sizeof(total));
    if (total < 16 || total > size) return refuse(out, "multiboot2: absurd total size");
    for (size_t offset = 8;;) {
        struct tag t;
        if (total - offset < sizeof(t)) return refuse(out, "multiboot2: no end tag");
        const char *p = (const char *)data + offset;
        memcpy(&t, p, sizeof(t));
        if (t.size < sizeof(t) || t.size > total - offset) return refuse(out, "multiboot2: a tag leaves the structure");
        int error = 0;
        switch (t.type) {
        case TAG_END: return out->range_count ? 0 : refuse(out, "multiboot2: no memory map");
        case TAG_COMMAND_LINE: parse_command_line(p + sizeof(t), t.size - sizeof(t), out); break;
        case TAG_MODULE: error = parse_module(p, t.size, out); break;
        case TAG_MEMORY_MAP: error = parse_memory_map(p, t.size, out); break;
        case TAG_FRAMEBUFFER: parse_framebuffer(p, t.size, out); break;
        case TAG_ACPI_NEW: out->rsdp = at + offset + sizeof(t); break;
        case TAG_ACPI_OLD:
            if (!out->rsdp) out->rsdp = at + offset + sizeof(t);
            break;
        default: break;
        }
        if (error) return error;
        if (align_up(t.size, 8) > total - offset) return refuse(out, "multiboot2: no end tag");
        offset += align_up(t.size, 8);
    }
}
