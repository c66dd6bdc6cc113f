// SPDX-License-Identifier: MIT
/* Threads' register state: switching, first runs, copies for fork, user entry frames. */
#include <arch/switch.h>
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/lib.h>
#include <kernel/thread.h>

static_assert(sizeof(struct arch_thread) == THREAD_ARCH_SIZE);
static_assert(offsetof(struct thread, work) == THREAD_WORK);
static_assert(offsetof(struct cpu, current) == CPU_CURRENT && offsetof(struct cpu, previous) == CPU_PREVIOUS);
static_assert(offsetof(struct cpu, counters) == CPU_COUNTERS);
static_assert(CPU_COUNTERS + 8 * COUNT_SYSCALL == COUNTER_SYSCALL);
static_assert(CPU_COUNTERS + 8 * COUNT_IRQ_OFF_MAX == COUNTER_IRQ_OFF_MAX);
static_assert(offsetof(struct arch_cpu, user_rsp) == CPU_USER_RSP);
static_assert(offsetof(struct arch_cpu, kernel_since) == CPU_SINCE);
static_assert(offsetof(struct arch_cpu, tss.rsp0) == CPU_RSP0 && CPU_RSP0 % 8 == 0);
static_assert(sizeof(struct cpu) <= CPU_ARCH);
static_assert(sizeof(struct trapframe) == FRAME_SIZE && FRAME_SIZE % 16 == 0);
static_assert(offsetof(struct trapframe, vector) == FRAME_VECTOR);
static_assert(offsetof(struct trapframe, rcx) == FRAME_RCX);
static_assert(offsetof(struct trapframe, rax) == FRAME_RAX);
static_assert(offsetof(struct trapframe, r10) == FRAME_R10);
static_assert(offsetof(struct trapframe, rdi) == FRAME_RDI);
static_assert(offsetof(struct trapframe, number) == FRAME_NUMBER);
static_assert(offsetof(struct trapframe, rip) == FRAME_RIP);
static_assert(offsetof(struct trapframe, rsp) == FRAME_RSP);
static_assert(BOOT_STACK_SIZE >= KERNEL_STACK_SIZE + PAGE_SIZE);

struct trapframe *arch_frame(struct thread *t) { return (struct trapframe *)t->arch.registers - 1; }

void arch_thread_set_entry(struct thread *t, void (*entry)(void *), void *arg) {
    struct first_stack *s = (struct first_stack *)arch_frame(t) - 1;
    *s = (struct first_stack){(uint64_t)thread_first_run, (uint64_t)arg, (uint64_t)entry};
    t->arch.kernel_sp = (uint64_t)s;
}

void arch_thread_set_pagetable(struct thread *t, struct pagetable *pt) {
    t->arch.pagetable = pt;
    if (t != thread_current()) return;
    pt_activate(pt ? pt : &kernel_pagetable);
    arch_cpu()->tss.rsp0 = t->arch.registers;
}

void arch_thread_set_tls(struct thread *t, uaddr_t base) {
    base = min(base, USER_END); /* WRFSBASE takes canonical addresses only */
    if (t == thread_current()) user_fs_base_set(base);
    else t->arch.fs_base = base;
}

/* The frame of a system call in progress no longer is what the fast path out may assume. */
static void frame_changed(struct trapframe *f) {
    struct thread *t = thread_current();
    if (f == arch_frame(t)) atomic_fetch_or_explicit(&t->work, WORK_FRAME, memory_order_relaxed);
}

/* IRET with a non-canonical rip would fault in the kernel; the page at USER_END is never mapped. */
static uint64_t safe_pc(uint64_t pc) { return min(pc, USER_END); }

void arch_frame_init(struct trapframe *f, uaddr_t pc, uaddr_t sp, uint64_t arg0) {
    *f = (struct trapframe){
        .rip = safe_pc(pc),
        .rsp = sp,
        .rdi = arg0,
        .cs = USER_CS,
        .ss = USER_SS,
        .rflags = RFLAGS_IF | 2,
    };
    frame_changed(f);
}

/* What user code may not choose: mode, interrupts off, I/O privilege, a pc that faults IRET. */
void arch_frame_sanitize(struct trapframe *f) {
    f->rip = safe_pc(f->rip);
    f->rflags = (f->rflags & RFLAGS_USER) | RFLAGS_IF | 2;
    f->cs = USER_CS;
    f->ss = USER_SS;
    frame_changed(f);
}

void arch_thread_copy(struct thread *to, struct thread *from) {
    struct trapframe *f = arch_frame(to);
    *f = *arch_frame(from);
    if (from->step) f->rflags &= ~(uint64_t)RFLAGS_TF; /* which is the tracer's */
    f->rcx = f->rip; /* as SYSCALL leaves them; the fast path has not stored them */
    f->r11 = f->rflags;
    f->cs = USER_CS;
    f->ss = USER_SS;
    f->vector = 0;
    fpu_save((void *)to->arch.registers);
    to->arch.fs_base = user_fs_base();
    to->arch.gs_base = user_gs_base();
}

void arch_syscall_restart(struct trapframe *f, uint64_t number) {
    f->rip -= 2; /* SYSCALL is 0f 05 */
    f->rax = number;
    f->vector = 0;
    frame_changed(f);
}

void arch_foreign_call(struct trapframe *f, uaddr_t handler) {
    f->vector = 0;
    f->rip = safe_pc(handler); /* rcx and r11 are set: syscall_unknown in entry.S */
    frame_changed(f);
}
