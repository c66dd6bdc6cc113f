// SPDX-License-Identifier: MIT
/* ACPI tables as firmware makes them, and broken ones: truncated, looping, with wild pointers. */
#include "../../arch/x86_64/acpi/acpi.h"
#include <errno.h>
#include <unit.h>

static uint8_t memory[8192];
static const void *map(paddr_t at, size_t length) {
    return at < sizeof(memory) && length <= sizeof(memory) - at ? memory + at : NULL;
}
static struct acpi_info info;

static void put(unsigned at, uint64_t v, unsigned size) { memcpy(memory + at, &v, size); }
static void sum(unsigned at, unsigned length, unsigned field) {
    uint8_t total = 0;
    memory[at + field] = 0;
    for (unsigned i = 0; i < length; i++) total = (uint8_t)(total + memory[at + i]);
    memory[at + field] = (uint8_t)-total;
}
static void table(unsigned at, const char *signature, unsigned length) {
    memcpy(memory + at, signature, 4);
    put(at + 4, length, 4);
    sum(at, length, 9);
}

enum { RSDP = 0x10, ROOT = 0x100, MADT = 0x200, FADT = 0x400, HPET = 0x600, MCFG = 0x700 };

static void good(void) {
    static const uint8_t madt[] = {
        0, 8, 0,  0, 1, 0, 0, 0,    0,    8, 1, 4, 1, 0, 0,  0, 0, 8,  2, 9, 0, 0,    0,
        0, 1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0, 2, 10, 0, 9, 20, 0, 0, 0, 0x0d, 0,
    };
    memset(memory, 0, sizeof(memory));
    memcpy(memory + RSDP, "RSD PTR ", 8);
    memory[RSDP + 15] = 2;
    put(RSDP + 20, 36, 4);
    put(RSDP + 24, ROOT, 8);
    sum(RSDP, 20, 8);
    sum(RSDP, 36, 32);
    put(ROOT + 36, MADT, 8);
    put(ROOT + 44, FADT, 8);
    put(ROOT + 52, HPET, 8);
    put(ROOT + 60, MCFG, 8);
    table(ROOT, "XSDT", 68);
    put(MADT + 36, 0xfee00000, 4);
    memcpy(memory + MADT + 44, madt, sizeof(madt));
    table(MADT, "APIC", 44 + sizeof(madt));
    put(FADT + 112, 1 << 10, 4);
    put(FADT + 116, 1, 1);
    put(FADT + 120, 0xcf9, 8);
    put(FADT + 128, 0xf, 1);
    table(FADT, "FACP", 244);
    put(HPET + 44, 0xfed00000, 8);
    table(HPET, "HPET", 56);
    put(MCFG + 44, 0xb0000000, 8);
    put(MCFG + 55, 255, 1);
    table(MCFG, "MCFG", 60);
}

TEST(good_tables) {
    good();
    CHECK(acpi_parse(RSDP, map, &info) == 0);
    CHECK(info.lapic_address == 0xfee00000 && info.cpu_count == 2 && info.apic_ids[1] == 4);
    CHECK(info.ioapic_count == 1 && info.ioapics[0].address == 0xfec00000);
    CHECK(info.override_count == 1 && info.overrides[0].isa_irq == 9 && info.overrides[0].gsi == 20);
    CHECK(info.overrides[0].flags == 0xd);
    CHECK(info.hpet_address == 0xfed00000 && info.mcfg_address == 0xb0000000);
    CHECK(info.mcfg_last_bus == 255);
    CHECK(info.reset_port == 0xcf9 && info.reset_value == 0xf);
}

TEST(no_root) {
    good();
    CHECK(acpi_parse(0, map, &info) == -EINVAL);
    CHECK(acpi_parse(100000, map, &info) == -EINVAL);
    memory[RSDP + 8]++; /* checksum */
    CHECK(acpi_parse(RSDP, map, &info) == -EINVAL);
    good();
    memory[ROOT + 9]++;
    CHECK(acpi_parse(RSDP, map, &info) == -EINVAL);
    good();
    put(ROOT + 4, 10, 4);
    CHECK(acpi_parse(RSDP, map, &info) == -EINVAL);
    put(ROOT + 4, UINT32_MAX, 4);
    CHECK(acpi_parse(RSDP, map, &info) == -EINVAL);
}

TEST(bad_tables_are_skipped) {
    good();
    memory[HPET + 9]++;
    put(ROOT + 60, UINT64_MAX - 3, 8); /* MCFG */
    table(ROOT, "XSDT", 68);
    CHECK(acpi_parse(RSDP, map, &info) == 0 && !info.hpet_address && !info.mcfg_address);
    CHECK(info.cpu_count == 2);
}

TEST(madt_entries_of_bad_length_end_it) {
    for (unsigned length = 0; length < 2; length++) {
        good();
        memory[MADT + 44 + 8 + 1] = (uint8_t)length;
        table(MADT, "APIC", 44 + 46);
        CHECK(acpi_parse(RSDP, map, &info) == 0 && info.cpu_count == 1 && !info.ioapic_count);
    }
    good();
    memory[MADT + 44 + 24 + 1] = 200; /* the I/O APIC's entry leaves the table */
    table(MADT, "APIC", 44 + 46);
    CHECK(acpi_parse(RSDP, map, &info) == 0 && info.cpu_count == 2 && !info.ioapic_count);
}

TEST(short_fadt) {
    good();
    table(FADT, "FACP", 60);
    CHECK(acpi_parse(RSDP, map, &info) == 0 && !info.reset_port);
}

UNIT_MAIN
