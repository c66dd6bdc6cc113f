// SPDX-License-Identifier: MIT
/*
 * Parser of the static ACPI tables; see acpi.h. Every length is checked against what is mapped, and
 * structures are copied out, for nothing in a table is aligned.
 */
#include "acpi.h"
#include <kernel/lib.h>

#define TABLE_LENGTH_MAX (4u << 20)

struct [[gnu::packed]] root_pointer {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt, length;
    uint64_t xsdt;
    uint8_t extended_checksum, reserved[3];
};
struct table_header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision, creator, creator_revision;
};
static_assert(sizeof(struct root_pointer) == 36 && sizeof(struct table_header) == 36);
#define ROOT_POINTER_V1_SIZE 20

enum madt_type { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_ADDRESS = 5 };
enum fadt_offset {
    FADT_FLAGS = 112,
    FADT_RESET = 116,
    FADT_RESET_VALUE = 128,
};
#define FADT_RESET_SUPPORTED (1u << 10)
#define LAPIC_ENABLED 1u

struct table {
    const uint8_t *data;
    size_t length;
};

/* Little-endian field of `size` bytes at an offset; 0 if it is outside of the table. */
static uint64_t field(const struct table *t, size_t offset, size_t size) {
    uint64_t v = 0;
    if (offset <= t->length && size <= t->length - offset) memcpy(&v, t->data + offset, size);
    return v;
}

static bool checksum_ok(const uint8_t *data, size_t length) {
    uint8_t sum = 0;
    for (size_t i = 0; i < length; i++) sum = (uint8_t)(sum + data[i]);
    return sum == 0;
}

static struct table table_map(paddr_t at, acpi_map_fn *map) {
    struct table_header h;
    const void *p = at ? map(at, sizeof(h)) : nullptr;
    if (!p) return (struct table){};
    memcpy(&h, p, sizeof(h));
    if (h.length < sizeof(h) || h.length > TABLE_LENGTH_MAX) return (struct table){};
    p = map(at, h.length);
    if (!p || !checksum_ok(p, h.length)) return (struct table){};
    return (struct table){p, h.length};
}

static void parse_madt_entry(const struct table *e, struct acpi_info *out) {
    switch (field(e, 0, 1)) {
    case MADT_LAPIC:
        if (e->length >= 8 && field(e, 4, 4) & LAPIC_ENABLED && out->cpu_count < CPU_MAX)
            out->apic_ids[out->cpu_count++] = (uint32_t)field(e, 3, 1);
        break;
    case MADT_IOAPIC:
        if (e->length >= 12 && out->ioapic_count < ACPI_IOAPICS_MAX) {
            uint32_t i = out->ioapic_count++;
            out->ioapics[i].address = (uint32_t)field(e, 4, 4);
            out->ioapics[i].gsi_base = (uint32_t)field(e, 8, 4);
        }
        break;
    case MADT_OVERRIDE:
        if (e->length >= 10 && out->override_count < ACPI_OVERRIDES_MAX) {
            uint32_t i = out->override_count++;
            out->overrides[i].isa_irq = (uint8_t)field(e, 3, 1);
            out->overrides[i].gsi = (uint32_t)field(e, 4, 4);
            out->overrides[i].flags = (uint16_t)field(e, 8, 2);
        }
        break;
    case MADT_LAPIC_ADDRESS:
        if (e->length >= 12) out->lapic_address = field(e, 4, 8);
        break;
    default: break;
    }
}

static void parse_madt(const struct table *t, struct acpi_info *out) {
    out->lapic_address = field(t, 36, 4);
    for (size_t at = 44; at + 2 <= t->length;) {
        struct table entry = {t->data + at, field(t, at + 1, 1)};
        if (entry.length < 2 || entry.length > t->length - at) return;
        parse_madt_entry(&entry, out);
        at += entry.length;
    }
}

/* The port in a Generic Address Structure (§5.2.3.2); 0: none. */
static uint16_t gas_port(const struct table *t, size_t offset) {
    uint64_t address = field(t, offset + 4, 8);
    return field(t, offset, 1) == 1 && address <= UINT16_MAX ? (uint16_t)address : 0;
}

static void parse_fadt(const struct table *t, struct acpi_info *out) {
    if (t->length <= FADT_RESET_VALUE || !(field(t, FADT_FLAGS, 4) & FADT_RESET_SUPPORTED)) return;
    out->reset_port = gas_port(t, FADT_RESET);
    out->reset_value = (uint8_t)field(t, FADT_RESET_VALUE, 1);
}

static void parse_table(const struct table *t, struct acpi_info *out) {
    if (!memcmp(t->data, "APIC", 4) && !out->lapic_address) {
        parse_madt(t, out);
    } else if (!memcmp(t->data, "FACP", 4)) {
        parse_fadt(t, out);
    } else if (!memcmp(t->data, "HPET", 4) && field(t, 40, 1) == 0) {
        out->hpet_address = field(t, 44, 8);
    } else if (!memcmp(t->data, "MCFG", 4) && t->length >= 60) {
        out->mcfg_address = field(t, 44, 8);
        out->mcfg_first_bus = (uint8_t)field(t, 54, 1);
        out->mcfg_last_bus = (uint8_t)field(t, 55, 1);
    }
}

int acpi_parse(paddr_t rsdp, acpi_map_fn *map, struct acpi_info *out) {
    *out = (struct acpi_info){};
    struct root_pointer r = {};
    const void *p = rsdp ? map(rsdp, ROOT_POINTER_V1_SIZE) : nullptr;
    if (!p || memcmp(p, "RSD PTR ", 8) || !checksum_ok(p, ROOT_POINTER_V1_SIZE)) return -EINVAL;
    memcpy(&r, p, ROOT_POINTER_V1_SIZE);
    if (r.revision >= 2 && (p = map(rsdp, sizeof(r))) && checksum_ok(p, sizeof(r))) memcpy(&r, p, sizeof(r));
    size_t width = r.xsdt ? 8 : 4;
    struct table root = table_map(r.xsdt ? r.xsdt : r.rsdt, map);
    if (!root.data || memcmp(root.data, width == 8 ? "XSDT" : "RSDT", 4)) return -EINVAL;
    for (size_t at = sizeof(struct table_header); at + width <= root.length; at += width) {
        struct table t = table_map(field(&root, at, width), map);
        if (t.data) parse_table(&t, out);
    }
    return 0;
}
