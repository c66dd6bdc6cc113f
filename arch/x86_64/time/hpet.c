// SPDX-License-Identifier: MIT
/* The HPET's main counter, the reference for the TSC (IA-PC HPET Specification 1.0a §2.3). */
#include "clock.h"
#include <asm/mmu.h>
#include <asm/regs.h>
#include <kernel/log.h>
#include <kernel/mm.h>

enum hpet_register { HPET_CAPABILITIES = 0, HPET_CONFIGURATION = 0x10, HPET_COUNTER = 0xf0 };
#define HPET_64BIT (1u << 13)
#define HPET_ENABLE 1u
#define FEMTO 1000000000000000ULL

static volatile char *hpet;
static uint64_t frequency;

void hpet_init(paddr_t address) {
    if (!address) return;
    hpet = vmap_device(address, PAGE_SIZE, PTE_UNCACHED);
    if (!hpet) return;
    uint32_t period = mmio_read32(hpet + HPET_CAPABILITIES + 4); /* femtoseconds per tick */
    if (!(mmio_read32(hpet + HPET_CAPABILITIES) & HPET_64BIT) || !period || period > 100000000) {
        klog(LOG_WARN, "hpet: 32 bits, or an impossible period: not used");
        return;
    }
    frequency = FEMTO / period;
    mmio_write32(hpet + HPET_CONFIGURATION, HPET_ENABLE);
}

uint64_t hpet_read(void) { return *(volatile uint64_t *)(hpet + HPET_COUNTER); }
uint64_t hpet_hz(void) { return frequency; }
