// SPDX-License-Identifier: MIT
/*
 * arch_switch(), inline: the compiler saves what its caller still needs, the stack pointer and the
 * frame pointer are all that is saved here.
 */
#pragma once
#include <asm/arch.h>
#include <kernel/thread.h>

/*
 * Leaves this stack, whose pointer goes to *save, for the one at *load.  Where that goes on, the result is
 * the `save` with which it was switched to.
 */
static inline void *switch_stacks(void *save, const void *load) {
    asm volatile("push %%rbp\n\t"
                 "pushq $1f\n\t"
                 "mov %%rsp, (%%rax)\n\t"
                 "mov (%%rdi), %%rsp\n\t"
                 "ret\n"
                 "1: pop %%rbp"
                 : "+a"(save), "+D"(load)
                 :
                 : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
    return save;
}

struct first_stack { /* of a thread that did not run yet */
    uint64_t rip, argument, entry;
};

/* users: both are user threads. */
static inline struct thread *arch_switch(struct thread *prev, struct thread *next, bool users) {
    uint32_t states = (uint32_t)fpu_mask;
    bool save = users || prev->arch.pagetable, load = users || next->arch.pagetable;
    if (save) prev->arch.fs_base = user_fs_base();
    CPU_FIELD(cpu.current) = next;
    if (load) {
        pt_load(next->arch.pagetable);
        CPU_FIELD(tss.rsp0) = next->arch.registers;
        user_fs_base_set(next->arch.fs_base);
        prev->arch.gs_base = user_gs_base_swap(next->arch.gs_base);
    } else if (save) {
        prev->arch.gs_base = user_gs_base();
    }
    if (users)
        asm volatile("xsaveopt64 (%0)\n\txrstor64 (%1)" ::"r"(prev->arch.registers), "r"(next->arch.registers),
                     "a"(states), "d"(0)
                     : "memory");
    if (!users && save) asm volatile("xsaveopt64 (%0)" ::"r"(prev->arch.registers), "a"(states), "d"(0) : "memory");
    if (!users && load) asm volatile("xrstor64 (%0)" ::"r"(next->arch.registers), "a"(states), "d"(0) : "memory");
    cpu_count(COUNT_SWITCH);
    static_assert(offsetof(struct thread, arch.kernel_sp) == 0);
    return switch_stacks(prev, next); /* perhaps on another CPU than before */
}
