// SPDX-License-Identifier: MIT
/*
 * Arch contract: register state, switching, user entry, user copies, faults, signal frames.
 * <asm/thread.h> supplies struct trapframe (all user registers, at the top of the kernel stack),
 * struct arch_thread (saved kernel stack pointer, FPU area, TLS base), KERNEL_STACK_SIZE and the
 * inline accessors frame_pc/frame_sp/frame_result/frame_set_result/frame_from_user.
 */
#pragma once
#include <asm/thread.h>
#include <kernel/types.h>

struct thread;
struct signal_info; /* abi/signal.h */
struct thread_registers; /* abi/thread.h */

void arch_thread_init(struct thread *t); /* fresh user state; t->stack is already set */
/* The address space t runs in, null for a kernel thread: set before t first runs. If t is the
 * current thread (exec), it is loaded at once. */
void arch_thread_set_pagetable(struct thread *t, struct pagetable *pt);
/* First switch to t calls entry(arg) on its kernel stack with interrupts off. */
void arch_thread_set_entry(struct thread *t, void (*entry)(void *), void *arg);
struct trapframe *arch_frame(struct thread *t); /* the user registers of t, valid while in the kernel */
void arch_frame_init(struct trapframe *f, uaddr_t pc, uaddr_t sp, uint64_t arg0);
/* Copies user state (frame, FPU, TLS base) of the running thread to a new one. For all its registers to be
 * in the frame, the arch supplies sys_process_fork(), which goes on to process_fork(). */
long sys_process_fork(void);
void arch_thread_copy(struct thread *to, struct thread *from);
void arch_thread_reset(struct thread *t); /* fresh FPU and TLS base (exec) */
void arch_thread_set_tls(struct thread *t, uaddr_t base);
NORETURN void arch_enter_user(struct trapframe *f); /* leaves the kernel with f */

/*
 * User copies: fault-tolerant, interrupts off, no spinlock held.  0 or -EFAULT.  They may take page
 * faults (and so sleep).  The _nofault forms never do: -EFAULT if a page is not there.
 */
MUST_CHECK int copy_from_user(void *to, uaddr_t from, size_t n);
MUST_CHECK int copy_to_user(uaddr_t to, const void *from, size_t n);
MUST_CHECK int copy_from_user_nofault(void *to, uaddr_t from, size_t n);
MUST_CHECK int copy_to_user_nofault(uaddr_t to, const void *from, size_t n);
MUST_CHECK int clear_user(uaddr_t to, size_t n);
MUST_CHECK int user_strncpy(char *to, uaddr_t from, size_t size); /* length, -EFAULT, -ENAMETOOLONG */
/* Atomic 32-bit access for futexes: nofault. */
MUST_CHECK int user_load32_nofault(uint32_t *out, uaddr_t from);
MUST_CHECK int user_cmpxchg32_nofault(uaddr_t at, uint32_t *expected, uint32_t desired);

/* Signals: build a Linux-layout frame on the user stack (or altstack) and redirect f to it. */
struct signal_delivery {
    const struct signal_info *info; /* 128-byte siginfo_t */
    uaddr_t handler, restorer, stack_top; /* stack_top: altstack end, or 0 for the current one */
    uint64_t mask; /* saved mask to restore */
    uint64_t stack_base, stack_size, stack_flags; /* uc_stack */
};
MUST_CHECK int arch_signal_push(struct trapframe *f, const struct signal_delivery *d); /* -EFAULT */
MUST_CHECK int arch_signal_pop(struct trapframe *f, uint64_t *mask); /* rt_sigreturn: -EFAULT */
/* All user registers of the current thread, in trap_return_work(). */
void arch_registers_get(struct thread_registers *out);
void arch_registers_set(const struct thread_registers *r); /* what it may not have is put right */
void arch_frame_step(struct trapframe *f); /* one instruction, then SIGTRAP */
/* Makes the thread execute its system call again on return (SA_RESTART): pc back, number restored. */
void arch_syscall_restart(struct trapframe *f, uint64_t number);
/* A foreign system call: enters handler with the registers of libposix's convention (asm/thread.h). */
void arch_foreign_call(struct trapframe *f, uaddr_t handler);

/*
 * Called by the arch.
 */
enum fault_flags { FAULT_WRITE = 1, FAULT_EXEC = 2, FAULT_USER = 4, FAULT_PRESENT = 8 };
/* Page fault on a user address, from user mode or a faulting copy. 0 handled, else -EFAULT etc. */
int trap_page_fault(struct trapframe *f, uaddr_t addr, unsigned flags);
/* Other exception from user mode: becomes signal sig with si_code and address. */
void trap_exception(struct trapframe *f, int sig, int code, uaddr_t addr);
void trap_irq(unsigned vector); /* device vector; end of interrupt is sent by the arch */
void trap_timer(void); /* this CPU's one-shot timer expired */
/* Before a return to user mode, as long as thread->work != 0: signals, reschedule, exit. */
void trap_return_work(struct trapframe *f);
/* The table the system call entry jumps through; index = number - SYSCALL_BASE. */
typedef long syscall_fn(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
extern syscall_fn *const syscall_table[];
extern const uint64_t syscall_count;
long syscall_foreign(uint64_t number); /* outside the table: arch_foreign_call() and number, or SIGSYS */
