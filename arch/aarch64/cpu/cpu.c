// SPDX-License-Identifier: MIT
/* The boot CPU, which is the only one used: identity, interrupt windows, idling, random numbers. */
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/debug.h>
#include <kernel/log.h>

static struct cpu boot_cpu;

void cpu_init(void) {
    boot_cpu.self = &boot_cpu;
    write_sysreg(tpidr_el1, &boot_cpu);
}

struct cpu *cpu_get(uint32_t id) {
    ASSERT(id == 0);
    return &boot_cpu;
}

uint32_t cpu_online(void) { return 1; }
vaddr_t arch_boot_stack(void) { return (vaddr_t)boot_stack_end; }

void arch_init_early(const struct bootinfo *) { clock_init_boot(); }

void arch_init_interrupts(void) { gic_init(); }

/* Other CPUs stay off; this is the arch's last step of boot. */
void arch_start_cpus(void (*)(void)) { missing_list(); }

void arch_irq_window(void) { asm volatile("msr daifclr, #2\n\tisb\n\tmsr daifset, #2" ::: "memory"); }

/* WFI ends with a pending interrupt even while it is masked. */
void arch_cpu_idle(void) {
    asm volatile("dsb sy\n\twfi" ::: "memory");
    arch_irq_window();
}

/* FEAT_RNG: ID_AA64ISAR0_EL1[63:60]; RNDR is S3_3_C2_C4_0, and sets Z if it has nothing. */
bool arch_random(uint64_t *out) {
    if (!(read_sysreg(id_aa64isar0_el1) >> 60)) return false;
    uint64_t value, good;
    asm volatile("mrs %0, s3_3_c2_c4_0\n\tcset %1, ne" : "=r"(value), "=r"(good)::"cc");
    *out = value;
    return good;
}
