// SPDX-License-Identifier: MIT
/*
 * The one table that is needed before AML: MCFG (PCI Firmware 3.2 §4.1.2), by way of RSDP and XSDT or RSDT
 * (ACPI 6.4 §5.2).
 */
#include "server.h"
#include <string.h>

#define TABLE_MAX (1u << 20)
#define HEADER_SIZE 36
#define MCFG_ENTRIES 44
#define RSDP_SIZE 36

static uint64_t number(const uint8_t *at, unsigned size) {
    uint64_t value = 0;
    memcpy(&value, at, size);
    return value;
}

/* The whole table, mapped; null if it isn't one. */
static const uint8_t *table_map(uint64_t physical, uint32_t *length) {
    const uint8_t *header = (const uint8_t *)physical_map(physical, HEADER_SIZE, MMIO_CACHED);
    if (!header) return nullptr;
    *length = (uint32_t)number(header + 4, 4);
    if (*length < HEADER_SIZE || *length > TABLE_MAX) return nullptr;
    const uint8_t *table = (const uint8_t *)physical_map(physical, *length, MMIO_CACHED);
    uint8_t sum = 0;
    for (uint32_t i = 0; table && i < *length; i++) sum += table[i];
    return sum == 0 ? table : nullptr;
}

static int mcfg_take(const uint8_t *table, uint32_t length, struct ecam *out) {
    if (memcmp(table, "MCFG", 4) != 0 || length < MCFG_ENTRIES + 16) return -ENOENT;
    const uint8_t *entry = table + MCFG_ENTRIES;
    *out = (struct ecam){.base = number(entry, 8), .first = entry[10], .last = entry[11]};
    return number(entry + 8, 2) == 0 && out->base && out->first <= out->last ? 0 : -ENOENT;
}

int acpi_find_ecam(struct ecam *out) {
    uint64_t rsdp = 0;
    uint32_t length;
    sys_system_info(SYSTEM_ACPI_ROOT, &rsdp, sizeof(rsdp));
    const uint8_t *root = rsdp ? (const uint8_t *)physical_map(rsdp, RSDP_SIZE, MMIO_CACHED) : nullptr;
    if (!root || memcmp(root, "RSD PTR ", 8) != 0) return -ENOENT;
    uint64_t xsdt = root[15] >= 2 ? number(root + 24, 8) : 0;
    unsigned size = xsdt ? 8 : 4;
    const uint8_t *list = table_map(xsdt ?: number(root + 16, 4), &length);
    for (uint32_t at = HEADER_SIZE; list && at + size <= length; at += size) {
        uint32_t table_length;
        const uint8_t *table = table_map(number(list + at, size), &table_length);
        if (table && mcfg_take(table, table_length, out) == 0) return 0;
    }
    return -ENOENT;
}
