// SPDX-License-Identifier: MIT
/*
 * The system calls on signals: kill() and its kin, actions, masks, waiting for signals, the alternate stack.
 */
#include <kernel/syscall.h>

#include "process_impl.h"

static bool may_signal(struct process *p, int signal) REQUIRES(process_lock) {
    struct process *self = process_current();
    return p == self || (signal == SIGCONT && p->session == self->session) ||
           credentials_may_signal(&atomic_load(&self->cred)->c, &atomic_load(&p->cred)->c);
}

static int send_checked(struct process *p, struct thread *t, int signal, const struct signal_info *info)
    REQUIRES(process_lock) {
    if (!may_signal(p, signal)) return -EPERM;
    if (!signal) return 0;
    spin_lock(&p->signal_lock);
    int e = signal_post(p, t, signal, info);
    spin_unlock(&p->signal_lock);
    return e;
}

/* 0 if at least one could be signalled, else the last error. */
static int combine(int so_far, int e) { return so_far == 0 || e == 0 ? 0 : e; }

static int send_group(struct group *g, int signal, const struct signal_info *info) REQUIRES(process_lock) {
    int result = -ESRCH;
    list_for_each (n, &g->members)
        result = combine(result, send_checked(list_entry(n, struct process, group_link), nullptr, signal, info));
    return result;
}

static int send_all(int signal, const struct signal_info *info) REQUIRES(process_lock) {
    int result = -ESRCH;
    for (struct process *p = process_next(1); p; p = process_next(p->pid)) {
        if (p != process_current()) result = combine(result, send_checked(p, nullptr, signal, info));
    }
    return result;
}

/* siginfo given by a program: not one that looks as if the kernel or kill() had sent it to others. */
static int info_make(struct signal_info *info, int32_t pid, int signal, const struct signal_info *given, int code) {
    const struct process *self = process_current();
    if (given) {
        if (copy_from_user(info, (uaddr_t)given, sizeof(*info))) return -EFAULT;
        bool forged = info->code >= 0 || info->code == SI_TKILL;
        if (forged && pid != (int32_t)self->pid) return -EPERM;
    } else {
        *info = (struct signal_info){.code = code};
        info->user.pid = (int32_t)self->pid;
        info->user.uid = atomic_load(&self->cred)->c.uid;
    }
    info->signal = signal;
    return signal < 0 || signal > SIGNAL_COUNT ? -EINVAL : 0;
}

struct thread *user_thread_find(uint32_t tid) {
    struct thread *self = thread_current(), *t = tid == self->tid ? self : thread_find(tid);
    if (t == self) thread_get(t);
    if (t && t->process) return t;
    if (t) thread_put(t);
    return err_ptr(-ESRCH);
}

long sys_signal_send(int32_t pid, int32_t signal, const struct signal_info *given) {
    struct signal_info info;
    long result = info_make(&info, pid, signal, given, SI_USER);
    if (result) return result;
    result = -ESRCH;
    spin_lock(&process_lock);
    if (pid > 0) {
        struct process *p = process_at((uint32_t)pid);
        if (p) result = send_checked(p, nullptr, signal, &info);
    } else if (pid == -1) {
        result = send_all(signal, &info);
    } else {
        struct group *g = pid ? group_at(-(uint32_t)pid) : process_current()->group_of;
        if (g) result = send_group(g, signal, &info);
    }
    spin_unlock(&process_lock);
    return result;
}

long sys_signal_send_thread(int32_t tid, int32_t signal, const struct signal_info *given) {
    struct thread *t = tid > 0 ? user_thread_find((uint32_t)tid) : err_ptr(-EINVAL);
    if (is_err(t)) return ptr_err(t);
    struct signal_info info;
    long result = info_make(&info, (int32_t)t->process->pid, signal, given, SI_TKILL);
    if (!result) {
        spin_lock(&process_lock);
        result = send_checked(t->process, t, signal, &info);
        spin_unlock(&process_lock);
    }
    thread_put(t);
    return result;
}

/* --- actions ------------------------------------------------------------------------------------- */

long sys_signal_action(int32_t signal, const struct signal_action *action, struct signal_action *old) {
    struct process *p = process_current();
    struct signal_action new, before;
    if (signal < 1 || signal > SIGNAL_COUNT || (action && SIGNAL_BIT(signal) & SIGNALS_UNBLOCKABLE)) return -EINVAL;
    if (action && copy_from_user(&new, (uaddr_t)action, sizeof(new))) return -EFAULT;
    spin_lock(&p->signal_lock);
    struct signal_action *a = &p->actions[signal - 1];
    before = *a;
    if (action) {
        *a = new;
        a->mask &= ~SIGNALS_UNBLOCKABLE;
        if (signal_ignored(p, signal))
            signal_discard(p, SIGNAL_BIT(signal)); /* POSIX: pending or not, blocked or not */
    }
    spin_unlock(&p->signal_lock);
    return old ? copy_to_user((uaddr_t)old, &before, sizeof(before)) : 0;
}

void signal_exec(struct process *p, struct thread *t, uint64_t defaults) {
    spin_lock(&p->signal_lock);
    for (unsigned i = 0; i < SIGNAL_COUNT; i++) {
        bool ignored = p->actions[i].handler == SIG_IGN && !(defaults & SIGNAL_BIT(i + 1));
        p->actions[i] = (struct signal_action){.handler = ignored ? SIG_IGN : SIG_DFL};
    }
    t->altstack = (struct stack_info){.flags = SS_DISABLE};
    spin_unlock(&p->signal_lock);
}

int32_t signal_stack_flags(const struct thread *t, const struct trapframe *f) {
    bool inside = frame_sp(f) - t->altstack.base < t->altstack.size;
    return !t->altstack.size ? SS_DISABLE : inside ? SS_ONSTACK : 0;
}

long sys_signal_stack(const struct stack_info *stack, struct stack_info *old) {
    struct thread *t = thread_current();
    struct stack_info new, before = t->altstack;
    before.flags = signal_stack_flags(t, arch_frame(t));
    if (stack) {
        if (copy_from_user(&new, (uaddr_t)stack, sizeof(new))) return -EFAULT;
        if (before.flags == SS_ONSTACK) return -EPERM;
        if (new.flags & ~(SS_DISABLE | SS_ONSTACK)) return -EINVAL;
        if (!(new.flags &SS_DISABLE) && new.size < SIGNAL_STACK_MIN) return -ENOMEM;
        t->altstack = new.flags &SS_DISABLE ? (struct stack_info){.flags = SS_DISABLE}
                                            : (struct stack_info){.base = new.base, .size = new.size};
    }
    return old ? copy_to_user((uaddr_t)old, &before, sizeof(before)) : 0;
}

long sys_signal_check(void) {
    atomic_fetch_or(&thread_current()->work, WORK_SIGNAL);
    return 0;
}

long sys_signal_return(void) {
    struct thread *t = thread_current();
    struct trapframe *f = arch_frame(t);
    uint64_t mask;
    if (arch_signal_pop(f, &mask)) signal_send_fault(SIGSEGV, SI_KERNEL, 0);
    else signal_mask_set(t, mask);
    return (long)frame_result(f);
}

/* --- waiting ------------------------------------------------------------------------------------- */

void signal_mask_temporary(uint64_t mask) {
    struct thread *t = thread_current();
    t->saved_mask = signal_mask_raw(t);
    atomic_fetch_or(&t->work, WORK_RESTORE_MASK);
    signal_mask_set(t, mask);
}

long sys_signal_suspend(uint64_t mask) {
    struct thread *t = thread_current();
    signal_mask_temporary(mask);
    do thread_block_prepare(t, true);
    while (thread_block(DEADLINE_NEVER) != -EINTR);
    return -ERESTARTNOHAND;
}

long signal_wait(uint64_t set, struct signal_info *out, nsec_t deadline) {
    struct thread *t = thread_current();
    struct process *p = t->process;
    int woke = deadline == 0 ? -ETIMEDOUT : 0;
    set &= ~SIGNALS_UNBLOCKABLE;
    for (;;) {
        spin_lock(&p->signal_lock);
        int signal = signal_take(p, t, set, out);
        t->signal_waiting = signal || woke == -ETIMEDOUT ? 0 : set;
        bool other = woke == -EINTR && !signal && signal_pending(t);
        if (other) t->signal_waiting = 0;
        spin_unlock(&p->signal_lock);
        if (signal) return signal;
        if (woke == -ETIMEDOUT) return -EAGAIN;
        if (other) return -ERESTARTNOHAND;
        thread_block_prepare(t, true);
        woke = thread_block(deadline);
    }
}

long sys_signal_wait(uint64_t set, struct signal_info *out, int64_t deadline) {
    struct signal_info info = {}; /* all of it goes to user memory */
    long signal = signal_wait(set, &info, deadline);
    return signal > 0 && out && copy_to_user((uaddr_t)out, &info, sizeof(info)) ? -EFAULT : signal;
}
