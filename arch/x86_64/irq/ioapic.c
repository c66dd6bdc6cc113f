// SPDX-License-Identifier: MIT
/*
 * I/O APICs (82093AA datasheet §3) and the device vectors, which lines and messages share. Vectors
 * are taken and given back by slow paths only; all go to the boot CPU's local APIC.
 */
#include "../acpi/acpi.h"
#include "irq.h"
#include <arch/irq.h>
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/mm.h>

#define IOAPIC_SELECT 0x00
#define IOAPIC_WINDOW 0x10
#define IOAPIC_VERSION 0x01
#define REDIRECTION(pin) (0x10 + 2 * (pin))
#define REDIRECT_LOW (1u << 13)
#define REDIRECT_LEVEL (1u << 15)
#define REDIRECT_MASKED (1u << 16)
#define MSI_ADDRESS 0xfee00000 /* SDM vol. 3 §10.11.1 */
#define ISA_IRQS 16
#define MPS_POLARITY_LOW 3
#define MPS_LEVEL 3

struct ioapic {
    volatile char *registers;
    uint32_t gsi_base, pins;
};
static struct ioapic ioapics[ACPI_IOAPICS_MAX];
static uint32_t ioapic_count;
static struct {
    uint32_t gsi;
    uint8_t flags;
} isa[ISA_IRQS];

enum source_kind { SOURCE_NONE, SOURCE_LINE, SOURCE_MESSAGE };
static struct spinlock irq_lock = SPINLOCK_INIT(RANK_FRAME); /* innermost: trap_irq() masks */
static struct { /* protected by irq_lock */
    enum source_kind kind;
    struct ioapic *chip;
    uint32_t pin;
} sources[IRQ_VECTOR_COUNT];

static uint32_t ioapic_read(const struct ioapic *c, uint32_t r) {
    mmio_write32(c->registers + IOAPIC_SELECT, r);
    return mmio_read32(c->registers + IOAPIC_WINDOW);
}
static void ioapic_write(const struct ioapic *c, uint32_t r, uint32_t v) {
    mmio_write32(c->registers + IOAPIC_SELECT, r);
    mmio_write32(c->registers + IOAPIC_WINDOW, v);
}

/* Both 8259s remapped and masked: a spurious interrupt of theirs must not look like an exception. */
static void legacy_pic_disable(void) {
    static const uint8_t sequence[][2] = {{0x20, 0x11},
                                          {0xa0, 0x11},
                                          {0x21, VECTOR_SPURIOUS - 15},
                                          {0xa1, VECTOR_SPURIOUS - 7},
                                          {0x21, 0x04},
                                          {0xa1, 0x02},
                                          {0x21, 0x01},
                                          {0xa1, 0x01},
                                          {0x21, 0xff},
                                          {0xa1, 0xff}};
    for (size_t i = 0; i < array_size(sequence); i++) out8(sequence[i][0], sequence[i][1]);
}

void ioapic_init(const struct acpi_info *info) {
    legacy_pic_disable();
    for (uint32_t i = 0; i < info->ioapic_count; i++) {
        struct ioapic *c = &ioapics[ioapic_count];
        c->registers = vmap_device(info->ioapics[i].address, PAGE_SIZE, PTE_UNCACHED);
        if (!c->registers) panic("no memory to map an I/O APIC");
        c->gsi_base = info->ioapics[i].gsi_base;
        c->pins = (ioapic_read(c, IOAPIC_VERSION) >> 16 & 0xff) + 1;
        for (uint32_t pin = 0; pin < c->pins; pin++) ioapic_write(c, REDIRECTION(pin), REDIRECT_MASKED);
        ioapic_count++;
    }
    for (uint32_t i = 0; i < ISA_IRQS; i++) isa[i].gsi = i;
    for (uint32_t i = 0; i < info->override_count; i++) {
        unsigned irq = info->overrides[i].isa_irq, flags = info->overrides[i].flags;
        if (irq >= ISA_IRQS) continue;
        isa[irq].gsi = info->overrides[i].gsi;
        isa[irq].flags = (uint8_t)(((flags & 3) == MPS_POLARITY_LOW ? IRQ_LOW : 0) |
                                   ((flags >> 2 & 3) == MPS_LEVEL ? IRQ_LEVEL : 0));
    }
}

uint32_t arch_isa_gsi(unsigned isa_irq, unsigned *flags) {
    ASSERT(isa_irq < ISA_IRQS);
    *flags = isa[isa_irq].flags;
    return isa[isa_irq].gsi;
}

static int source_allocate(enum source_kind kind) REQUIRES(irq_lock) {
    for (int v = 0; v < IRQ_VECTOR_COUNT; v++) {
        if (sources[v].kind == SOURCE_NONE) {
            sources[v].kind = kind;
            return v;
        }
    }
    return -ENOSPC;
}

static struct ioapic *ioapic_of(uint32_t gsi) {
    for (uint32_t i = 0; i < ioapic_count; i++)
        if (gsi - ioapics[i].gsi_base < ioapics[i].pins) return &ioapics[i];
    return nullptr;
}

int arch_irq_route(uint32_t gsi, unsigned flags) {
    struct ioapic *c = ioapic_of(gsi);
    if (!c) return -EINVAL;
    spin_lock(&irq_lock);
    int v = source_allocate(SOURCE_LINE);
    if (v >= 0) {
        uint32_t pin = gsi - c->gsi_base;
        sources[v].chip = c;
        sources[v].pin = pin;
        ioapic_write(c, REDIRECTION(pin) + 1, boot_cpu.apic_id << 24);
        uint32_t kind = (flags & IRQ_LEVEL ? REDIRECT_LEVEL : 0) | (flags & IRQ_LOW ? REDIRECT_LOW : 0);
        ioapic_write(c, REDIRECTION(pin), (uint32_t)(VECTOR_DEVICE + v) | REDIRECT_MASKED | kind);
    }
    spin_unlock(&irq_lock);
    return v;
}

/* Messages are masked at the device, by its driver. */
static void line_mask(unsigned vector, bool masked, bool give_back) {
    spin_lock(&irq_lock);
    const struct ioapic *c = sources[vector].chip;
    if (sources[vector].kind == SOURCE_LINE) {
        uint32_t entry = ioapic_read(c, REDIRECTION(sources[vector].pin)) & ~REDIRECT_MASKED;
        ioapic_write(c, REDIRECTION(sources[vector].pin), entry | (masked ? REDIRECT_MASKED : 0));
    }
    if (give_back) sources[vector].kind = SOURCE_NONE;
    spin_unlock(&irq_lock);
}

void arch_irq_mask(unsigned vector) { line_mask(vector, true, false); }
void arch_irq_unmask(unsigned vector) { line_mask(vector, false, false); }
void arch_irq_free(unsigned vector) { line_mask(vector, true, true); }

int arch_msi_allocate(uint64_t *address, uint32_t *data) {
    spin_lock(&irq_lock);
    int v = source_allocate(SOURCE_MESSAGE);
    spin_unlock(&irq_lock);
    if (v < 0) return v;
    *address = MSI_ADDRESS | boot_cpu.apic_id << 12;
    *data = (uint32_t)(VECTOR_DEVICE + v);
    return v;
}
