// SPDX-License-Identifier: MIT
/*
 * The inline half of arch/thread.h. The trapframe of user registers lies at the top of the kernel
 * stack. A system call has its number in x8 and its arguments in x0 … x5.
 */
#pragma once
#include <asm/mmu.h>
#include <kernel/types.h>

#define KERNEL_STACK_SIZE (4 * PAGE_SIZE)
#define ARCH_ELF_MACHINE 183 /* EM_AARCH64 */

struct trapframe {
    uint64_t x[31], sp, pc, pstate;
    uint64_t kind; /* number of the vector; 0 once the frame was replaced */
    uint64_t fault; /* FAR_EL1 */
    uint64_t syndrome; /* ESR_EL1 */
    uint64_t reserved;
};

struct pagetable;
struct arch_thread {
    uint64_t kernel_sp; /* while not running */
    struct pagetable *pagetable; /* null for kernel threads */
    uint64_t tls_base; /* while not running */
};

#define VECTOR_USER_SYNC 8
#define SYNDROME_CLASS(s) ((s) >> 26 & 63) /* ESR_EL1.EC */
#define SYNDROME_SVC 0x15
#define PSTATE_LEVEL 0xf /* M[3:0]: 0 is user mode */

static inline uint64_t frame_pc(const struct trapframe *f) { return f->pc; }
static inline uint64_t frame_sp(const struct trapframe *f) { return f->sp; }
static inline uint64_t frame_result(const struct trapframe *f) { return f->x[0]; }
static inline void frame_set_result(struct trapframe *f, uint64_t v) { f->x[0] = v; }
static inline bool frame_is_syscall(const struct trapframe *f) {
    return f->kind == VECTOR_USER_SYNC && SYNDROME_CLASS(f->syndrome) == SYNDROME_SVC;
}
static inline uint64_t frame_syscall_number(const struct trapframe *f) { return f->x[8]; }
static inline bool frame_from_user(const struct trapframe *f) { return !(f->pstate & PSTATE_LEVEL); }
