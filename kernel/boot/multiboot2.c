// SPDX-License-Identifier: MIT
/*
 * Multiboot2 boot information (Multiboot2 Specification 2.0 §3.6) into struct bootinfo. Nothing in
 * the structure is trusted: each tag is checked against the end of the whole, each field against the
 * end of its tag; tags may stand anywhere, whatever the loader says of their alignment.
 */
#include "range.h"
#include <kernel/lib.h>

enum tag_type { TAG_END, TAG_COMMAND_LINE, TAG_MODULE = 3, TAG_MEMORY_MAP = 6, TAG_FRAMEBUFFER = 8 };
enum { TAG_ACPI_OLD = 14, TAG_ACPI_NEW };
struct [[gnu::packed]] memory_map_entry {
    uint64_t start, length;
    uint32_t type, reserved;
};
struct [[gnu::packed]] framebuffer {
    uint64_t address;
    uint32_t pitch, width, height;
    uint8_t bits, type;
    uint16_t reserved;
    uint8_t red_shift, red_bits, green_shift, green_bits, blue_shift, blue_bits;
};
struct [[gnu::packed]] tag {
    uint32_t type, size;
    union {
        char data[1];
        struct {
            uint32_t start, end;
        } module;
        struct {
            uint32_t entry_size, entry_version;
            struct memory_map_entry entries[];
        } map;
        struct framebuffer framebuffer;
    };
};
#define HEADER offsetof(struct tag, data)
#define FRAMEBUFFER_RGB 1

static void parse_command_line(const char *text, size_t size, struct bootinfo *out) {
    size_t n = 0;
    for (; n < size && n < BOOT_COMMAND_MAX - 1 && text[n]; n++) out->command_line[n] = text[n];
    out->command_line[n] = 0;
}

static int parse_module(const struct tag *t, struct bootinfo *out) {
    if (t->size < HEADER + sizeof(t->module)) return refuse(out, "multiboot2: short module tag");
    if (t->module.end < t->module.start) return refuse(out, "multiboot2: a module ends before it starts");
    if (out->module_count == BOOT_MODULES_MAX) return refuse(out, "multiboot2: too many modules");
    out->modules[out->module_count++] = (struct boot_module){t->module.start, t->module.end - t->module.start};
    return 0;
}

static struct boot_map_entry map_entry(const void *tag, size_t i) {
    const struct tag *t = tag;
    const struct memory_map_entry *e = (const void *)((const char *)t->map.entries + i * t->map.entry_size);
    return (struct boot_map_entry){e->start, e->length, e->type};
}

static int parse_memory_map(const struct tag *t, struct bootinfo *out) {
    if (t->size < HEADER + sizeof(t->map)) return refuse(out, "multiboot2: short memory map tag");
    if (t->map.entry_size < sizeof(struct memory_map_entry)) return refuse(out, "multiboot2: short memory map entries");
    return boot_ranges_load(out, (t->size - HEADER - sizeof(t->map)) / t->map.entry_size, map_entry, t);
}

/* Not RGB, or nonsense: no screen then. */
static void parse_framebuffer(const struct tag *tag, struct bootinfo *out) {
    const struct framebuffer *t = &tag->framebuffer;
    if (tag->size < HEADER + sizeof(*t)) return;
    bool fits = t->width && t->height && t->width <= 16384 && t->height <= 16384 && t->bits % 8 == 0 && t->bits >= 16 &&
                t->bits <= 32 && t->pitch >= t->width * (t->bits / 8) && t->pitch <= 1 << 17 &&
                t->address < 1ULL << 46 && t->red_bits <= 8 && t->green_bits <= 8 && t->blue_bits <= 8 &&
                t->red_shift <= 24 && t->green_shift <= 24 && t->blue_shift <= 24;
    if (t->type != FRAMEBUFFER_RGB || !fits) return;
    out->framebuffer =
        (struct framebuffer_info){t->address,  t->pitch,       t->width,      t->height,     t->bits,      t->red_shift,
                                  t->red_bits, t->green_shift, t->green_bits, t->blue_shift, t->blue_bits, 0};
}

int multiboot2_parse(paddr_t at, const void *data, size_t size, struct bootinfo *out) {
    uint32_t total;
    if (size < 16) return refuse(out, "multiboot2: no information");
    memcpy(&total, data, sizeof(total));
    if (total < 16 || total > size) return refuse(out, "multiboot2: absurd total size");
    int error = 0;
    for (size_t offset = 8, left; !error; offset += left) {
        const struct tag *t = (const void *)((const char *)data + offset);
        if (total - offset < HEADER) return refuse(out, "multiboot2: no end tag");
        if (t->size < HEADER || t->size > total - offset) return refuse(out, "multiboot2: a tag leaves the structure");
        switch (t->type) {
        case TAG_END: return out->range_count ? 0 : refuse(out, "multiboot2: no memory map");
        case TAG_COMMAND_LINE: parse_command_line(t->data, t->size - HEADER, out); break;
        case TAG_MODULE: error = parse_module(t, out); break;
        case TAG_MEMORY_MAP: error = parse_memory_map(t, out); break;
        case TAG_FRAMEBUFFER: parse_framebuffer(t, out); break;
        case TAG_ACPI_OLD:
            if (out->rsdp) break; /* the new one is better */
            [[fallthrough]];
        case TAG_ACPI_NEW: out->rsdp = at + offset + HEADER; break;
        default: break;
        }
        left = align_up(t->size, 8);
        if (!error && left > total - offset) return refuse(out, "multiboot2: no end tag");
    }
    return error;
}
