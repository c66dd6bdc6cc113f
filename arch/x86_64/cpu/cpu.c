// SPDX-License-Identifier: MIT
/*
 * One CPU's descriptor tables and registers: what makes it a CPU of this kernel. The features that
 * the kernel relies on are checked first, by name.
 */
#include <arch/irq.h>
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/debug.h>
#include <kernel/lib.h>

struct cpu_features cpu_features;
bool irq_off_measured;
struct arch_cpu *cpu_table[CPU_MAX] = {&boot_cpu};
struct arch_cpu boot_cpu = {
    .cpu = {.self = &boot_cpu.cpu, .pagetable = &kernel_pagetable, .pagetable_left = &kernel_pagetable},
    .online = true,
};

struct cpu *cpu_get(uint32_t id) { return &cpu_table[id]->cpu; }
vaddr_t arch_boot_stack(void) { return arch_cpu()->boot_stack; }

/* Before the boot CPU has its tables: a CPU without these can't even load them. */
void cpu_features_init(void) {
    struct cpuid basic = read_cpuid(1, 0), extended = read_cpuid(0x80000001, 0);
    struct cpuid seven = read_cpuid(7, 0), power = read_cpuid(0x80000007, 0);
    struct cpuid xsave = read_cpuid(0xd, 1);
    cpu_features = (struct cpu_features){
        .hypervisor = basic.c >> 31 & 1,
        .rdrand = basic.c >> 30 & 1,
        .invariant_tsc = power.d >> 8 & 1,
        .pages_1g = extended.d >> 26 & 1,
    };
    const struct {
        uint32_t present;
        const char *name;
    } needed[] = {
        {basic.c >> 26 & 1, "XSAVE"},      {basic.d >> 24 & 1, "FXSR"},    {extended.d >> 20 & 1, "NX"},
        {extended.d >> 11 & 1, "SYSCALL"}, {seven.b >> 0 & 1, "FSGSBASE"}, {seven.b >> 7 & 1, "SMEP"},
        {seven.b >> 20 & 1, "SMAP"},       {basic.d >> 16 & 1, "PAT"},     {xsave.a & 1, "XSAVEOPT"},
    };
    for (size_t i = 0; i < array_size(needed); i++)
        if (!needed[i].present) panic("this CPU lacks %s", needed[i].name);
}

/* Segment descriptors for 64-bit mode (SDM vol. 3 §3.4.5), and the TSS (§8.2.3). */
void cpu_descriptors_init(struct arch_cpu *c, vaddr_t ist_top[IST_COUNT]) {
    uint64_t tss = (uint64_t)&c->tss;
    c->gdt = (struct gdt){
        .kernel_code = 0x00af9b000000ffff,
        .kernel_data = 0x00cf93000000ffff,
        .user_data = 0x00cff3000000ffff,
        .user_code = 0x00affb000000ffff,
        .tss_low = (tss & 0xff000000) << 32 | (tss & 0xffffff) << 16 | 0x890000000000 | (sizeof(c->tss) - 1),
        .tss_high = tss >> 32,
    };
    c->tss.iomap = sizeof(c->tss); /* no I/O permission bitmap */
    for (unsigned i = 1; i < IST_COUNT; i++) {
        /* The paranoid entries find their CPU there: user code may have any GS base. */
        struct arch_cpu **slot = (struct arch_cpu **)(ist_top[i] - 16);
        *slot = c;
        c->tss.ist[i - 1] = (uint64_t)slot;
    }
    struct table_pointer pointer = {sizeof(c->gdt) - 1, (uint64_t)&c->gdt};
    asm volatile("lgdt %0\n\t"
                 "push %1\n\t"
                 "lea 1f(%%rip), %%rax\n\t"
                 "push %%rax\n\t"
                 "lretq\n"
                 "1: mov %2, %%eax\n\t"
                 "mov %%eax, %%ss\n\t"
                 "xor %%eax, %%eax\n\t"
                 "mov %%eax, %%ds\n\t"
                 "mov %%eax, %%es\n\t"
                 "mov %%eax, %%fs\n\t"
                 "mov %%eax, %%gs\n\t"
                 "ltr %w3" ::"m"(pointer),
                 "i"(KERNEL_CS), "i"(KERNEL_SS), "r"(TSS_SELECTOR)
                 : "rax", "memory");
    write_msr(MSR_GS_BASE, (uint64_t)c);
    write_msr(MSR_KERNEL_GS_BASE, 0);
}

void cpu_registers_init(void) {
    write_msr(MSR_PAT, 0x0007010600070106); /* WB, WC, UC-, UC; twice */
    write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SCE | EFER_NXE);
    write_cr0((read_cr0() & ~(uint64_t)(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE | CR0_WP);
    uint64_t cr4 =
        read_cr4() | CR4_PGE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP;
    if (read_cpuid(7, 0).c & 4) cr4 |= CR4_UMIP;
    write_cr4(cr4);
    write_msr(MSR_STAR, (uint64_t)(KERNEL_SS | 3) << 48 | (uint64_t)KERNEL_CS << 32);
    write_msr(MSR_LSTAR, (uint64_t)(irq_off_measured ? syscall_entry_measured : syscall_entry));
    write_msr(MSR_CSTAR, 0);
    write_msr(MSR_FMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC);
    fpu_init_cpu();
}

void arch_cpu_idle(void) {
    if (atomic_load_explicit(&cpu_current()->need_resched, memory_order_acquire)) return;
    irq_off_end();
    asm volatile("sti; hlt; cli" ::: "memory"); /* STI holds interrupts back for one instruction */
    irq_off_begin();
}

void arch_irq_window(void) {
    irq_off_end();
    asm volatile("sti; nop; cli" ::: "memory");
}

void arch_halt(void) {
    for (;;) asm volatile("cli; hlt");
}

bool arch_random(uint64_t *out) {
    if (!cpu_features.rdrand) return false;
    for (int tries = 0; tries < 10; tries++) { /* SDM vol. 1 §7.3.17.1 */
        bool ok;
        asm volatile("rdrand %0" : "=r"(*out), "=@ccc"(ok));
        if (ok) return true;
    }
    return false;
}

int arch_port_read(uint16_t port, unsigned size, void *buf, size_t count) {
    if (size != 1 && size != 2 && size != 4) return -EINVAL;
    for (char *to = buf; count--; to += size) {
        uint32_t v = size == 1 ? in8(port) : size == 2 ? in16(port) : in32(port);
        memcpy(to, &v, size);
    }
    return 0;
}

int arch_port_write(uint16_t port, unsigned size, const void *buf, size_t count) {
    if (size != 1 && size != 2 && size != 4) return -EINVAL;
    for (const char *from = buf; count--; from += size) {
        uint32_t v = 0;
        memcpy(&v, from, size);
        if (size == 1) out8(port, (uint8_t)v);
        else if (size == 2) out16(port, (uint16_t)v);
        else out32(port, v);
    }
    return 0;
}
