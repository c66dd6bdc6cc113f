// SPDX-License-Identifier: MIT
/*
 * What the kernel takes from the static ACPI tables (ACPI Specification 6.5 §5.2; IA-PC HPET
 * Specification 1.0a §3.2.4); AML is for a server (servers/acpi). The parser is pure: it is built for the
 * host's tests and fuzzer too.
 */
#pragma once
#include <kernel/types.h>

#define ACPI_IOAPICS_MAX 8
#define ACPI_OVERRIDES_MAX 24

struct acpi_info {
    uint64_t lapic_address;
    uint32_t cpu_count, ioapic_count, override_count;
    uint32_t apic_ids[CPU_MAX];
    struct {
        uint32_t address, gsi_base;
    } ioapics[ACPI_IOAPICS_MAX];
    struct {
        uint8_t isa_irq;
        uint16_t flags; /* MPS INTI flags, §5.2.12.5 */
        uint32_t gsi;
    } overrides[ACPI_OVERRIDES_MAX];
    uint64_t hpet_address; /* 0: none */
    uint64_t mcfg_address;
    uint8_t mcfg_first_bus, mcfg_last_bus;
    uint16_t reset_port; /* 0: none */
    uint8_t reset_value;
};

/* Returns the bytes at a physical address, or null if there is no memory. They stay valid. */
typedef const void *acpi_map_fn(paddr_t at, size_t length);
/* 0, or -EINVAL if there is no valid root table. Tables with a bad length or checksum are skipped. */
MUST_CHECK int acpi_parse(paddr_t rsdp, acpi_map_fn *map, struct acpi_info *out);

/* power.c: the kernel's own copy. */
void acpi_init(paddr_t rsdp);
const struct acpi_info *acpi_info(void);
