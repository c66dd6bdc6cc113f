// SPDX-License-Identifier: MIT
/*
 * The inline half of arch/cpu.h, and this architecture's own per-CPU structure. GS holds its
 * address while in the kernel; user code owns the other GS base (FSGSBASE), so entries use SWAPGS.
 */
#pragma once
#include <asm/offsets.h>
#include <asm/segment.h>
#include <kernel/types.h>

#define PER_CPU __attribute__((address_space(256))) /* clang: relative to GS */

/* Not volatile: what may switch is a call or clobbers memory, so it is read again. */
static inline struct cpu *cpu_current(void) { return *(struct cpu * PER_CPU *)0; }
static inline uint64_t arch_cycles(void) {
    uint64_t low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return high << 32 | low;
}
static inline void cpu_pause(void) { asm volatile("pause"); }
static inline void asm_cpu_increment(size_t offset) { ++*(uint64_t PER_CPU *)offset; }

struct ipi_request {
    void (*fn)(void *);
    void *arg;
    _Atomic uint64_t pending; /* CPUs that have not done it */
};

struct arch_cpu {
    union {
        struct cpu cpu;
        char cpu_space[CPU_ARCH]; /* keeps the offsets below apart from what struct cpu contains */
    };
    uint64_t user_rsp; /* scratch of the system call entry */
    uint32_t kernel_since; /* low half of the TSC when interrupts were switched off */
    uint32_t apic_id;
    uint32_t tss_alignment; /* puts tss.rsp0 on an 8-byte boundary */
    struct tss tss; /* rsp0: top of the current thread's kernel stack, for SYSCALL too */
    struct gdt gdt;
    vaddr_t boot_stack; /* top of the stack this CPU started on: its idle thread's */
    _Atomic uint64_t ipi_from; /* mailbox: CPUs whose request waits here */
    struct ipi_request ipi_request; /* this CPU's own request to others */
    _Atomic bool online, stopped;
    _Atomic uint32_t dumps; /* on NMI */
};
