// SPDX-License-Identifier: MIT
/* The interrupt controller (Arm GICv2, IHI 0048B, §4.3, §4.4) with one interrupt, the timer's. */
#include <arch/thread.h>
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/log.h>

enum { GICD_CTLR = 0x000, GICD_ISENABLER = 0x100 };
enum { GICC_CTLR = 0x00, GICC_PMR = 0x04, GICC_IAR = 0x0c, GICC_EOIR = 0x10 };
#define IAR_NUMBER 0x3ff
#define IAR_SPURIOUS 1020 /* from here on */

static volatile char *distributor(uint32_t offset) { return (char *)phys_to_virt(VIRT_GIC_DISTRIBUTOR) + offset; }
static volatile char *interface(uint32_t offset) { return (char *)phys_to_virt(VIRT_GIC_CPU) + offset; }

void gic_init(void) {
    mmio_write32(distributor(GICD_ISENABLER), 1u << VIRT_TIMER_IRQ);
    mmio_write32(distributor(GICD_CTLR), 1);
    mmio_write32(interface(GICC_PMR), 0xff); /* all priorities */
    mmio_write32(interface(GICC_CTLR), 1);
}

void irq_handle(void) {
    uint32_t taken = mmio_read32(interface(GICC_IAR)), number = taken & IAR_NUMBER;
    if (number >= IAR_SPURIOUS) return;
    cpu_count(COUNT_IRQ);
    if (number == VIRT_TIMER_IRQ) clock_timer_stop(); /* the line is a level */
    else klog(LOG_ERROR, "unexpected interrupt %u", number);
    mmio_write32(interface(GICC_EOIR), taken);
    if (number == VIRT_TIMER_IRQ) trap_timer();
}
