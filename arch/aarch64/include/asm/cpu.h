// SPDX-License-Identifier: MIT
/* The inline half of arch/cpu.h. TPIDR_EL1 holds the address of struct cpu. */
#pragma once
#include <kernel/types.h>

static inline struct cpu *cpu_current(void) {
    struct cpu *c;
    asm volatile("mrs %0, tpidr_el1" : "=r"(c));
    return c;
}
static inline uint64_t arch_cycles(void) {
    uint64_t count;
    /* ISB: the counter may be read early otherwise. */
    asm volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(count));
    return count;
}
static inline void cpu_pause(void) { asm volatile("yield"); }
static inline void asm_cpu_increment(size_t offset) { ++*(uint64_t *)((char *)cpu_current() + offset); }
