// SPDX-License-Identifier: MIT
/* The kernel's use of ACPI: reading the tables at boot, and the ways to end: reset, test exit. */
#include "acpi.h"
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/log.h>
#include <kernel/mm.h>

#define TEST_EXIT_PORT 0xf4 /* QEMU's isa-debug-exit; status 2 × value + 1 */
#define TEST_EXIT_OK 0x10

static struct acpi_info info;

const struct acpi_info *acpi_info(void) { return &info; }

/* Tables in RAM are in the physmap; some firmware puts the first ones below 1 MiB, or in a hole. */
static const void *map_table(paddr_t at, size_t length) {
    paddr_t first = align_down(at, PAGE_SIZE), end = align_up(at + length, PAGE_SIZE), page = first;
    if (end < first) return nullptr;
    while (page < end && physmap_has(page)) page += PAGE_SIZE;
    if (page >= end) return phys_to_virt(at);
    const char *window = vmap_device(first, end - first, 0);
    return window ? window + (at - first) : nullptr;
}

void acpi_init(paddr_t rsdp) {
    if (acpi_parse(rsdp, map_table, &info)) panic("no valid ACPI tables: the interrupt controllers are unknown");
    if (!info.lapic_address || !info.ioapic_count || !info.cpu_count)
        panic("the ACPI tables name no local APIC, no I/O APIC or no CPU");
    klog(LOG_DEBUG, "acpi: %u CPUs, %u I/O APICs, HPET at %#lx, ECAM at %#lx", info.cpu_count, info.ioapic_count,
         info.hpet_address, info.mcfg_address);
}

void arch_power_off(int code) {
    out8(TEST_EXIT_PORT, code ? (uint8_t)code : TEST_EXIT_OK);
    arch_halt();
}

void arch_reboot(void) {
    if (info.reset_port) out8(info.reset_port, info.reset_value);
    out8(0x64, 0xfe); /* the keyboard controller's reset line */
    struct table_pointer none = {};
    asm volatile("lidt %0; int3" ::"m"(none)); /* triple fault */
    arch_halt();
}
