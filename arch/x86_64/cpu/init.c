// SPDX-License-Identifier: MIT
/* The boot CPU, first thing in kernel_main(): console, descriptor tables, traps, registers. */
#include "../irq/irq.h"
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/log.h>

static _Alignas(16) char ist_stacks[IST_COUNT][IST_STACK_SIZE];
paddr_t boot_rsdp;

void arch_init_early(const struct bootinfo *boot) {
    vaddr_t ist_top[IST_COUNT];
    for (unsigned i = 1; i < IST_COUNT; i++) ist_top[i] = (vaddr_t)ist_stacks[i] + IST_STACK_SIZE;
    boot_cpu.boot_stack = (vaddr_t)(&boot_stack + 1);
    boot_rsdp = boot->rsdp;
    cpu_descriptors_init(&boot_cpu, ist_top);
    idt_init();
    idt_load();
    irq_off_measured = boot_option(boot, "irq-off", nullptr, 0);
    cpu_registers_init();
    console_init(boot);
    irq_off_begin();
}
