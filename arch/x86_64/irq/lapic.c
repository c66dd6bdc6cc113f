// SPDX-License-Identifier: MIT
/*
 * The local APIC in xAPIC mode (SDM vol. 3 ch. 10): end of interrupt, inter-processor interrupts,
 * and the one-shot timer, which counts down at a rate measured against the clock.
 */
#include "../acpi/acpi.h"
#include "../time/clock.h"
#include "irq.h"
#include <arch/time.h>
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/log.h>
#include <kernel/mm.h>

enum lapic_register {
    LAPIC_ID = 0x20,
    LAPIC_TASK_PRIORITY = 0x80,
    LAPIC_EOI = 0xb0,
    LAPIC_SPURIOUS = 0xf0,
    LAPIC_ESR = 0x280,
    LAPIC_ICR_LOW = 0x300,
    LAPIC_ICR_HIGH = 0x310,
    LAPIC_LVT_TIMER = 0x320,
    LAPIC_LVT_LINT0 = 0x350,
    LAPIC_LVT_LINT1 = 0x360,
    LAPIC_LVT_ERROR = 0x370,
    LAPIC_TIMER_INITIAL = 0x380,
    LAPIC_TIMER_CURRENT = 0x390,
    LAPIC_TIMER_DIVIDE = 0x3e0,
};
#define LVT_MASKED (1u << 16)
#define LVT_NMI (4u << 8)
#define SPURIOUS_ENABLE (1u << 8)
#define ICR_PENDING (1u << 12)
#define ICR_ASSERT (1u << 14)
#define DIVIDE_BY_1 0xb
#define APIC_BASE_ENABLE (1u << 11)
#define CALIBRATE_NS 2000000
#define TIMER_SHIFT 32

static volatile char *lapic;
static uint64_t timer_mult; /* ticks = ns * timer_mult >> TIMER_SHIFT */

static uint32_t lapic_read(enum lapic_register r) { return mmio_read32(lapic + r); }
static void lapic_write(enum lapic_register r, uint32_t v) { mmio_write32(lapic + r, v); }

void lapic_init(paddr_t address) {
    lapic = vmap_device(address, PAGE_SIZE, PTE_UNCACHED);
    if (!lapic) panic("no memory to map the local APIC");
    lapic_init_cpu();
    arch_cpu()->apic_id = lapic_read(LAPIC_ID) >> 24;
}

void lapic_init_cpu(void) {
    write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | APIC_BASE_ENABLE);
    lapic_write(LAPIC_TASK_PRIORITY, 0);
    lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
    lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
    lapic_write(LAPIC_LVT_ERROR, VECTOR_ERROR);
    lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
    lapic_write(LAPIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
}

void lapic_eoi(void) { lapic_write(LAPIC_EOI, 0); }

uint32_t lapic_take_error(void) {
    lapic_write(LAPIC_ESR, 0);
    return lapic_read(LAPIC_ESR);
}

void lapic_send(uint32_t apic_id, uint32_t command) {
    while (lapic_read(LAPIC_ICR_LOW) & ICR_PENDING) cpu_pause();
    lapic_write(LAPIC_ICR_HIGH, apic_id << 24);
    lapic_write(LAPIC_ICR_LOW, command | ICR_ASSERT);
}

void lapic_timer_calibrate(void) {
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
    nsec_t start = arch_clock_now(), end;
    uint32_t first = lapic_read(LAPIC_TIMER_CURRENT), last;
    do {
        end = arch_clock_now();
        last = lapic_read(LAPIC_TIMER_CURRENT);
    } while (end - start < CALIBRATE_NS);
    lapic_write(LAPIC_TIMER_INITIAL, 0);
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
    timer_mult = ((uint64_t)(first - last) << TIMER_SHIFT) / (uint64_t)(end - start);
    klog(LOG_DEBUG, "lapic: timer at %lu kHz", timer_mult * 1000000 >> TIMER_SHIFT);
}

void arch_timer_set(nsec_t deadline) {
    if (deadline == DEADLINE_NEVER) {
        lapic_write(LAPIC_TIMER_INITIAL, 0);
        return;
    }
    nsec_t left = deadline - arch_clock_now();
    /* Rounded up: an interrupt before its time would find nothing expired. 0 would stop it. */
    uint64_t ticks = left > 0 ? (uint64_t)(((unsigned __int128)(uint64_t)left * timer_mult) >> TIMER_SHIFT) + 1 : 1;
    lapic_write(LAPIC_TIMER_INITIAL, (uint32_t)min(ticks, UINT32_MAX));
}
