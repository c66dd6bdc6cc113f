// SPDX-License-Identifier: MIT
/* Threads' register state and switching: of kernel threads only, so no address space changes. */
#include <arch/switch.h>
#include <asm/arch.h>
#include <kernel/lib.h>
#include <kernel/thread.h>

static_assert(sizeof(struct trapframe) == FRAME_SIZE && FRAME_SIZE % 16 == 0);
static_assert(offsetof(struct trapframe, x[2]) == FRAME_X2);
static_assert(offsetof(struct trapframe, sp) == FRAME_SP);
static_assert(offsetof(struct trapframe, pc) == FRAME_PC);
static_assert(offsetof(struct trapframe, kind) == FRAME_KIND);
static_assert(offsetof(struct trapframe, fault) == FRAME_FAULT);
static_assert(BOOT_STACK_SIZE == KERNEL_STACK_SIZE);

extern const char thread_first_run[];
void switch_stacks(uint64_t *save, uint64_t load); /* vectors.S */

struct trapframe *arch_frame(struct thread *t) { return (struct trapframe *)t->stack - 1; }

void arch_thread_init(struct thread *t) { *arch_frame(t) = (struct trapframe){}; }

void arch_thread_set_entry(struct thread *t, void (*entry)(void *), void *arg) {
    struct {
        uint64_t x19_28[10], x29, x30;
    } *s = (void *)arch_frame(t);
    s--; /* what switch_stacks pops */
    *s = (typeof(*s)){
        .x19_28 = {(uint64_t)entry, (uint64_t)arg},
        .x30 = (uint64_t)thread_first_run,
    };
    t->arch.kernel_sp = (uint64_t)s;
}

struct thread *arch_switch(struct thread *prev, struct thread *next, bool users) {
    struct cpu *c = cpu_current();
    c->current = next;
    c->previous = prev;
    cpu_count(COUNT_SWITCH);
    switch_stacks(&prev->arch.kernel_sp, next->arch.kernel_sp);
    return cpu_current()->previous;
}
