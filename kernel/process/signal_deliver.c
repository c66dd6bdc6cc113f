// SPDX-License-Identifier: MIT
/*
 * The way back to user mode: stopping, ending, and running signal handlers.
 *
 * trap_return_work() is called as long as the thread's work word is not 0.  A system call that was
 * interrupted returned -ERESTART or one of its kin: what becomes of it is decided when the first
 * handler is set up, or at the end if there was none.
 */
#include "process_impl.h"

static bool interrupted(const struct trapframe *f, long *result) {
    *result = (long)frame_result(f);
    return frame_is_syscall(f) && *result <= -ERESTART && *result >= -ERESTARTNOHAND;
}

/* action: of the handler about to run, or null. */
static void restart_decide(struct trapframe *f, const struct signal_action *action) {
    long result;
    if (!interrupted(f, &result)) return;
    bool again = result == -ERESTARTNOINTR || (!signal_cancelled(thread_current()) &&
                                               (!action || (result == -ERESTART && action->flags & SA_RESTART)));
    if (again) arch_syscall_restart(f, frame_syscall_number(f));
    else frame_set_result(f, (uint64_t)-EINTR);
}

/* --- stopping ------------------------------------------------------------------------------------ */

/* All but the current one. */
static void threads_halt(struct process *p) REQUIRES(p -> signal_lock) {
    for_each_thread (t, p) {
        if (t == thread_current()) continue;
        atomic_fetch_or(&t->work, WORK_STOP);
        thread_interrupt(t);
    }
}

/* Takes a stop signal's default action, unless SIGCONT came since it was taken off the queue. */
static void process_stop(struct process *p, int signal, uint32_t continue_count) {
    spin_lock(&process_lock);
    bool idle = signal != SIGSTOP && group_orphaned(p->group_of); /* POSIX: nobody could continue it */
    spin_lock(&p->signal_lock);
    if (idle || p->continue_count != continue_count || p->group_exit || p->dumper) {
        spin_unlock(&p->signal_lock);
        spin_unlock(&process_lock);
        return;
    }
    p->stopped = true;
    p->stop_reported = p->continued = p->continue_notify = false;
    p->stop_signal = (uint32_t)signal;
    atomic_fetch_or(&thread_current()->work, WORK_STOP);
    threads_halt(p);
    spin_unlock(&p->signal_lock);
    parent_notify(p, CLD_STOPPED, signal);
    spin_unlock(&process_lock);
}

RACE_INTENDED static bool may_run(void *arg) {
    struct thread *t = arg;
    struct process *p = t->process;
    bool stopped = p->stopped && !t->trace; /* a tracer has it go on when it likes */
    return !(stopped || (p->dumper && p->dumper != t)) || atomic_load(&t->work) & WORK_EXIT;
}

void thread_show(struct thread *t, struct thread_registers *registers) {
    spin_lock(&t->process->signal_lock);
    t->registers = registers;
    spin_unlock(&t->process->signal_lock);
}

/* Until SIGCONT, or for ever: another thread writes a core. */
static void thread_halt(struct thread *t) {
    struct thread_registers registers;
    arch_registers_get(&registers);
    thread_show(t, &registers);
    (void)wait_queue_sleep(&t->process->self_wait, may_run, t, false, DEADLINE_NEVER);
    thread_show(t, nullptr);
}

static void thread_stop(struct thread *t) {
    struct process *p = t->process;
    atomic_fetch_and(&t->work, ~(uint32_t)WORK_STOP);
    if (unlikely(t->trace)) trace_pause(t);
    if (!may_run(t)) thread_halt(t);
    spin_lock(&p->signal_lock);
    bool notify = p->continue_notify;
    p->continue_notify = false;
    spin_unlock(&p->signal_lock);
    if (!notify) return;
    spin_lock(&process_lock);
    parent_notify(p, CLD_CONTINUED, SIGCONT);
    spin_unlock(&process_lock);
}

/* --- core dumps ---------------------------------------------------------------------------------- */

#define DUMP_STACK_SIZE (64UL << 10)

/* The current thread is the one that writes the core; the others are halted. */
static bool dump_claim(struct process *p, int signal) {
    struct thread *self = thread_current();
    spin_lock(&p->signal_lock);
    bool mine = !p->dumper && !p->group_exit && (!p->exec_thread || p->exec_thread == self);
    if (mine) {
        p->dumper = self;
        p->dump_signal = signal;
        p->stopped = false;
        threads_halt(p);
    }
    spin_unlock(&p->signal_lock);
    return mine;
}

NORETURN static void end_by_signal(int signal) {
    trace_exit_by_signal(signal);
    process_exit(signal);
}

/* The default action of a signal that ends the process: after the program has written its core, if it is to. */
static void signal_end(struct trapframe *f, int signal, const struct signal_info *info) {
    struct thread *t = thread_current();
    struct process *p = t->process;
    if (p->dumper == t) process_exit(p->dump_signal); /* it has failed in it */
    if (!(SIGNAL_BIT(signal) & SIGNALS_DUMP) || !p->limits[LIMIT_CORE].soft || !p->dumpable || !p->foreign_handler)
        end_by_signal(signal);
    if (!dump_claim(p, signal)) return; /* it is halted by another, or ends */
    bool restore = atomic_fetch_and(&t->work, ~(uint32_t)WORK_RESTORE_MASK) & WORK_RESTORE_MASK;
    long stack = space_map(p->space, 0, DUMP_STACK_SIZE, VM_READ | VM_WRITE, nullptr, 0);
    struct signal_delivery d = {
        .info = info,
        .handler = p->foreign_handler,
        .stack_top = (uaddr_t)stack + DUMP_STACK_SIZE,
        .mask = restore ? t->saved_mask : signal_mask_raw(t),
    };
    restart_decide(f, &(const struct signal_action){});
    if (stack < 0 || arch_signal_push(f, &d)) process_exit(signal);
    frame_set_result(f, FOREIGN_DUMP);
    signal_mask_set(t, ~0ULL);
}

/* --- handlers ------------------------------------------------------------------------------------ */

static void handler_enter(struct trapframe *f, int signal, const struct signal_action *action,
                          const struct signal_info *info) {
    struct thread *t = thread_current();
    uint64_t mask = signal_mask_raw(t), saved = mask;
    if (atomic_load(&t->work) & WORK_RESTORE_MASK)
        saved = t->saved_mask; /* sigsuspend: the frame restores what was before it */
    int32_t stack_flags = signal_stack_flags(t, f);
    bool switch_stack = action->flags & SA_ONSTACK && !stack_flags;
    struct signal_delivery d = {
        .info = info,
        .handler = action->handler,
        .restorer = action->restorer,
        .stack_top = switch_stack ? t->altstack.base + t->altstack.size : 0,
        .mask = saved,
        .stack_base = t->altstack.base,
        .stack_size = t->altstack.size,
        .stack_flags = stack_flags,
    };
    restart_decide(f, action);
    if (arch_signal_push(f, &d)) {
        if (signal == SIGSEGV) return signal_end(f, SIGSEGV, info);
        signal_send_fault(SIGSEGV, SI_KERNEL, 0);
        return;
    }
    atomic_fetch_and(&t->work, ~(uint32_t)WORK_RESTORE_MASK);
    mask |= action->mask | (action->flags & SA_NODEFER ? 0 : SIGNAL_BIT(signal));
    signal_mask_set(t, mask);
}

static struct signal_action action_take(struct process *p, int signal) REQUIRES(p -> signal_lock) {
    struct signal_action *a = &p->actions[signal - 1], taken = *a;
    if (a->handler > SIG_IGN && a->flags & SA_RESETHAND) a->handler = SIG_DFL;
    return taken;
}

/* Takes one signal and acts on it: true if there may be more. */
static bool signal_deliver_one(struct trapframe *f) {
    struct thread *t = thread_current();
    struct process *p = t->process;
    struct signal_info info = {}; /* all of it goes to user memory */
    spin_lock(&p->signal_lock);
    int signal = signal_take(p, t, ~signal_mask_of(t), &info);
    if (!signal) {
        signal_reroute(p);
        spin_unlock(&p->signal_lock);
        return false;
    }
    if (unlikely(t->trace)) {
        spin_unlock(&p->signal_lock);
        signal = trace_signal(t, &info);
        if (!signal) return true;
        spin_lock(&p->signal_lock);
    }
    bool ignored = signal_ignored(p, signal);
    struct signal_action action = action_take(p, signal);
    bool more = t->pending.set | p->pending.set;
    uint32_t continue_count = p->continue_count;
    spin_unlock(&p->signal_lock);
    if (ignored) return more;
    if (action.handler != SIG_DFL) handler_enter(f, signal, &action, &info);
    else if (SIGNAL_BIT(signal) & SIGNALS_STOP) process_stop(p, signal, continue_count);
    else signal_end(f, signal, &info);
    return more;
}

void trap_return_work(struct trapframe *f) {
    struct thread *t = thread_current();
    uint32_t work;
    while ((work = atomic_load(&t->work) & (WORK_SIGNAL | WORK_RESCHED | WORK_EXIT | WORK_STOP | WORK_REAP))) {
        if (work & WORK_EXIT) process_thread_exit();
        if (work & WORK_REAP) object_reap();
        if (work & WORK_RESCHED) preempt_point();
        if (work & WORK_STOP) thread_stop(t);
        if (work & WORK_SIGNAL) {
            atomic_fetch_and(&t->work, ~(uint32_t)WORK_SIGNAL);
            if (signal_deliver_one(f)) atomic_fetch_or(&t->work, WORK_SIGNAL);
        }
    }
    restart_decide(f, nullptr);
    if (atomic_load(&t->work) & WORK_RESTORE_MASK) {
        atomic_fetch_and(&t->work, ~(uint32_t)WORK_RESTORE_MASK);
        signal_mask_set(t, t->saved_mask);
    }
    if (unlikely(t->step)) arch_frame_step(f);
}

/* A handler that may run does so at once, past the queue; all else goes the usual way. */
void trap_exception(struct trapframe *f, int signal, int code, uaddr_t address) {
    struct thread *t = thread_current();
    struct process *p = t->process;
    bool blocked = signal_mask_raw(t) & SIGNAL_BIT(signal) || t->trace; /* whose tracer is asked first */
    spin_lock(&p->signal_lock);
    struct signal_action action = {};
    if (!blocked && p->actions[signal - 1].handler > SIG_IGN) action = action_take(p, signal);
    spin_unlock(&p->signal_lock);
    struct signal_info info = {.signal = signal, .code = code, .fault.address = address};
    if (action.handler) handler_enter(f, signal, &action, &info);
    else signal_send_fault(signal, code, address);
}

long syscall_foreign(uint64_t number) {
    struct thread *t = thread_current();
    uaddr_t handler = t->process->foreign_handler;
    if (!handler) {
        signal_send_fault(SIGSYS, SYS_SECCOMP, 0);
        return -ENOSYS;
    }
    arch_foreign_call(arch_frame(t), handler);
    return (long)number;
}
