// SPDX-License-Identifier: MIT
/*
 * The inline half of arch/thread.h.
 *
 * A kernel stack, from its top (thread->stack, page-aligned) downward: the XSAVE area, the trapframe
 * of the entry from user mode, then C frames. So the first two need no allocation, and the hardware's
 * rsp0 points just above the trapframe.
 *
 * Foreign system calls: libposix's handler runs as if the program had jumped to it instead of
 * executing SYSCALL: rcx holds the address after the instruction, r11 the flags, every other
 * register and the stack are as the program left them (mind the red zone). The kernel's
 * syscall_foreign() calls arch_foreign_call(), and returns `number`, which stays in rax.
 */
#pragma once
#include <asm/mmu.h>
#include <asm/segment.h>
#include <kernel/types.h>

#if CATHODE_KASAN || CATHODE_RACE
#define KERNEL_STACK_SIZE (8 * PAGE_SIZE)
#else
#define KERNEL_STACK_SIZE (4 * PAGE_SIZE)
#endif

/* In the order in which exceptions save them. A system call fills in the rest of it only if it leaves by
 * the slow way out: from `vector` to rbx, cs and ss (entry.S). */
struct trapframe {
    uint64_t vector; /* or VECTOR_SYSCALL; 0 once the frame was replaced */
    uint64_t rcx, r11, rax;
    uint64_t r15, r14, r13, r12, rbp, rbx;
    uint64_t r10, r9, r8, rdx, rsi, rdi;
    uint64_t number; /* of the system call, or the exception's error code */
    uint64_t rip, cs, rflags, rsp, ss;
};

#define ARCH_ELF_MACHINE 62 /* EM_X86_64 */

struct pagetable;
struct arch_thread {
    uint64_t kernel_sp; /* while not running */
    /* The address space it runs in: null for kernel threads, which have no user state. Set by
     * arch_thread_set_pagetable(), before the thread first runs and at exec. */
    struct pagetable *pagetable;
    uint64_t fs_base, gs_base; /* while not running */
    vaddr_t registers; /* the XSAVE area in the stack; the frame ends there: rsp0 */
};

static inline uint64_t user_fs_base(void) {
    uint64_t base;
    asm volatile("rdfsbase %0" : "=r"(base));
    return base;
}
static inline void user_fs_base_set(uint64_t base) { asm volatile("wrfsbase %0" ::"r"(base)); }
static inline uint64_t user_gs_base(void) {
    uint64_t base;
    asm volatile("swapgs; rdgsbase %0; swapgs" : "=r"(base));
    return base;
}
static inline uint64_t user_gs_base_swap(uint64_t base) { /* the old one */
    uint64_t old;
    asm volatile("swapgs; rdgsbase %0; wrgsbase %1; swapgs" : "=&r"(old) : "r"(base));
    return old;
}

static inline uint64_t frame_pc(const struct trapframe *f) { return f->rip; }
static inline uint64_t frame_sp(const struct trapframe *f) { return f->rsp; }
static inline uint64_t frame_result(const struct trapframe *f) { return f->rax; }
static inline void frame_set_result(struct trapframe *f, uint64_t v) { f->rax = v; }
/* On the way back from a system call whose result is in the frame, as trap_return_work() sees it. */
static inline bool frame_is_syscall(const struct trapframe *f) { return f->vector == VECTOR_SYSCALL; }
static inline uint64_t frame_syscall_number(const struct trapframe *f) { return f->number; }
static inline bool frame_from_user(const struct trapframe *f) { return f->cs == USER_CS; }
