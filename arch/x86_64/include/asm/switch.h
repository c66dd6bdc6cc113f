// SPDX-License-Identifier: MIT
/*
 * arch_switch(), inline: the compiler saves what its caller still needs, the stack pointer and the
 * frame pointer are all that is saved here.
 */
#pragma once
#include <asm/arch.h>
#include <kernel/thread.h>

/* Leaves this stack for another one; `prev` comes out where the other stack goes on. */
static inline struct thread *switch_stacks(uint64_t *save, uint64_t load, struct thread *prev) {
    asm volatile("push %%rbp\n\t"
                 "pushq $1f\n\t"
                 "mov %%rsp, (%1)\n\t"
                 "mov %2, %%rsp\n\t"
                 "ret\n"
                 "1: pop %%rbp"
                 : "+a"(prev), "+D"(save), "+S"(load)
                 :
                 : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
    return prev;
}

struct first_stack { /* of a thread that did not run yet */
    uint64_t rip, argument, entry;
};

/* users: both are user threads. */
static inline struct thread *arch_switch(struct thread *prev, struct thread *next, bool users) {
    struct arch_cpu *c = arch_cpu();
    if (users || prev->arch.pagetable) {
        asm volatile("xsaveopt64 (%0)" ::"r"(prev->arch.registers), "a"((uint32_t)fpu_mask), "d"(0) : "memory");
        prev->arch.fs_base = user_fs_base();
    }
    c->cpu.current = next;
    if (users || next->arch.pagetable) {
        pt_load(&c->cpu, next->arch.pagetable);
        c->tss.rsp0 = next->arch.registers;
        user_fs_base_set(next->arch.fs_base);
        prev->arch.gs_base = user_gs_base_swap(next->arch.gs_base);
        asm volatile("xrstor64 (%0)" ::"r"(next->arch.registers), "a"((uint32_t)fpu_mask), "d"(0) : "memory");
    } else if (prev->arch.pagetable) {
        prev->arch.gs_base = user_gs_base();
    }
    cpu_count(COUNT_SWITCH);
    return switch_stacks(&prev->arch.kernel_sp, next->arch.kernel_sp, prev); /* perhaps on another CPU than before */
}
