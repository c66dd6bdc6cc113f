// SPDX-License-Identifier: MIT
/*
 * Starting the other CPUs (SDM vol. 3 §8.4.4): INIT to all of them, then one after the other a start-up
 * IPI to the trampoline page, until it reports.
 */
#include "../acpi/acpi.h"
#include "../irq/irq.h"
#include "../time/clock.h"
#include "smp.h"
#include <arch/time.h>
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/lib.h>
#include <kernel/log.h>
#include <kernel/mm.h>

#define START_TIMEOUT_NS 2000000000LL /* an emulator's CPU may wait long for a host CPU */
#define START_RETRY_NS 20000000LL

struct trampoline_data { /* read by header.S */
    uint64_t root, stack;
    struct arch_cpu *cpu;
};
extern char trampoline_start[], trampoline_data[], trampoline_end[];

static void (*cpu_entry)(void);
NORETURN void cpu_start(struct arch_cpu *c); /* called by the trampoline */

void cpu_start(struct arch_cpu *c) {
    vaddr_t ist_top[IST_COUNT];
    for (unsigned i = 1; i < IST_COUNT; i++) ist_top[i] = c->tss.ist[i - 1];
    cpu_descriptors_init(c, ist_top);
    idt_load();
    cpu_registers_init();
    lapic_init_cpu();
    clock_check_cpu();
    irq_off_begin();
    cpu_set_online(c->cpu.id);
    atomic_store(&c->online, true);
    cpu_entry();
    arch_halt();
}

/* Its structure, stacks for the exceptions that need their own, and the one that it starts on. */
static struct arch_cpu *cpu_create(uint32_t id, uint32_t apic_id) {
    struct arch_cpu *c = kzalloc(sizeof(*c));
    if (!c) return nullptr;
    c->cpu.self = &c->cpu;
    c->cpu.id = id;
    c->cpu.pagetable = c->cpu.pagetable_left = &kernel_pagetable;
    c->apic_id = apic_id;
    c->boot_stack = kernel_stack_alloc();
    bool complete = c->boot_stack;
    for (unsigned i = 1; i < IST_COUNT; i++) {
        c->tss.ist[i - 1] = kernel_stack_alloc();
        complete &= c->tss.ist[i - 1] != 0;
    }
    return complete ? c : nullptr; /* without memory for this the system won't get far: no undo */
}

static bool wait_online(const struct arch_cpu *c, nsec_t limit) {
    for (nsec_t end = arch_clock_now() + limit; !atomic_load(&c->online);) {
        if (arch_clock_now() > end) return false;
        arch_ipi_poll();
        cpu_pause();
    }
    return true;
}

static bool cpu_boot(struct arch_cpu *c) {
    struct trampoline_data *data = phys_to_virt(trampoline_page + (paddr_t)(trampoline_data - trampoline_start));
    *data = (struct trampoline_data){kernel_pagetable.root, c->boot_stack, c};
    cpu_table[c->cpu.id] = c;
    lapic_send(c->apic_id, ICR_STARTUP | (uint32_t)(trampoline_page >> PAGE_SHIFT));
    if (wait_online(c, START_RETRY_NS)) return true;
    lapic_send(c->apic_id, ICR_STARTUP | (uint32_t)(trampoline_page >> PAGE_SHIFT));
    return wait_online(c, START_TIMEOUT_NS);
}

void arch_start_cpus(void (*entry)(void)) {
    const struct acpi_info *info = acpi_info();
    if (!trampoline_page || info->cpu_count == 1) return;
    cpu_entry = entry;
    memcpy(phys_to_virt(trampoline_page), trampoline_start, (size_t)(trampoline_end - trampoline_start));
    for (uint32_t i = 0; i < info->cpu_count; i++)
        if (info->apic_ids[i] != boot_cpu.apic_id) lapic_send(info->apic_ids[i], ICR_INIT);
    delay_us(10000);
    uint32_t id = 1;
    for (uint32_t i = 0; i < info->cpu_count; i++) {
        if (info->apic_ids[i] == boot_cpu.apic_id) continue;
        struct arch_cpu *c = cpu_create(id, info->apic_ids[i]);
        if (c && cpu_boot(c)) {
            id++;
            continue;
        }
        /* It may still wake up later and must not find its place taken: no further ones. */
        klog(LOG_ERROR, "smp: the CPU with APIC id %u does not start", info->apic_ids[i]);
        break;
    }
    klog(LOG_INFO, "smp: %u CPUs", cpu_online());
}
