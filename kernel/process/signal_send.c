// SPDX-License-Identifier: MIT
/*
 * What programs ask for: kill() and its kin, actions, masks, waiting for signals, the alternate stack.
 */
#include "process_impl.h"

static void info_from_self(struct signal_info *info, int signal, int code) {
    *info = (struct signal_info){.signal = signal, .code = code};
    info->user.pid = (int32_t)process_current()->pid;
    info->user.uid = atomic_load(&process_current()->cred)->c.uid;
}

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
static bool info_allowed(int32_t pid, const struct signal_info *info) {
    bool forged = info->code >= 0 || info->code == SI_TKILL;
    return !forged || pid == (int32_t)process_current()->pid;
}

long signal_kill(int32_t pid, int signal, const struct signal_info *given) {
    if (signal < 0 || signal > SIGNAL_COUNT) return -EINVAL;
    struct signal_info info;
    if (given && !info_allowed(pid, given)) return -EPERM;
    if (given) info = *given;
    else info_from_self(&info, signal, SI_USER);
    info.signal = signal;
    long result = -ESRCH;
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

long signal_kill_thread(int32_t tid, int signal, const struct signal_info *given) {
    if (signal < 0 || signal > SIGNAL_COUNT || tid <= 0) return -EINVAL;
    struct thread *t = tid == (int32_t)thread_current()->tid ? thread_current() : nullptr;
    if (t) thread_get(t);
    else t = thread_find((uint32_t)tid);
    if (!t || !t->process) {
        if (t) thread_put(t);
        return -ESRCH;
    }
    struct signal_info info;
    long result = -EPERM;
    if (!given) info_from_self(&info, signal, SI_TKILL);
    else info = *given;
    info.signal = signal;
    if (!given || info_allowed((int32_t)t->process->pid, given)) {
        spin_lock(&process_lock);
        result = send_checked(t->process, t, signal, &info);
        spin_unlock(&process_lock);
    }
    thread_put(t);
    return result;
}

/* --- actions ------------------------------------------------------------------------------------- */

int signal_change_action(int signal, const struct signal_action *action, struct signal_action *old) {
    struct process *p = process_current();
    if (signal < 1 || signal > SIGNAL_COUNT || (action && SIGNAL_BIT(signal) & SIGNALS_UNBLOCKABLE)) return -EINVAL;
    spin_lock(&p->signal_lock);
    struct signal_action *a = &p->actions[signal - 1];
    *old = *a;
    if (action) {
        *a = *action;
        a->mask &= ~SIGNALS_UNBLOCKABLE;
        if (signal_ignored(p, signal))
            signal_discard(p, SIGNAL_BIT(signal)); /* POSIX: pending or not, blocked or not */
    }
    spin_unlock(&p->signal_lock);
    return 0;
}

void signal_exec(struct process *p) {
    struct thread *t = thread_current();
    spin_lock(&p->signal_lock);
    for (unsigned i = 0; i < SIGNAL_COUNT; i++) {
        bool ignored = p->actions[i].handler == SIG_IGN;
        p->actions[i] = (struct signal_action){.handler = ignored ? SIG_IGN : SIG_DFL};
    }
    t->altstack = (struct stack_info){.flags = SS_DISABLE};
    spin_unlock(&p->signal_lock);
}

int signal_change_stack(const struct stack_info *stack, struct stack_info *old) {
    struct thread *t = thread_current();
    uint64_t sp = frame_sp(arch_frame(t));
    bool inside = sp - t->altstack.base < t->altstack.size;
    *old = t->altstack;
    old->flags = !t->altstack.size ? SS_DISABLE : inside ? SS_ONSTACK : 0;
    if (!stack) return 0;
    if (inside) return -EPERM;
    if (stack->flags & ~(SS_DISABLE | SS_ONSTACK)) return -EINVAL;
    if (stack->flags & SS_DISABLE) {
        t->altstack = (struct stack_info){.flags = SS_DISABLE};
        return 0;
    }
    if (stack->size < SIGNAL_STACK_MIN) return -ENOMEM;
    t->altstack = (struct stack_info){.base = stack->base, .size = stack->size};
    return 0;
}

/* --- waiting ------------------------------------------------------------------------------------- */

void signal_mask_temporary(uint64_t mask) {
    struct thread *t = thread_current();
    t->saved_mask = signal_mask_raw(t);
    atomic_fetch_or(&t->work, WORK_RESTORE_MASK);
    signal_mask_set(t, mask);
}

long signal_suspend(uint64_t mask) {
    struct thread *t = thread_current();
    signal_mask_temporary(mask);
    do thread_block_prepare(t, true);
    while (thread_block(DEADLINE_NEVER) != -EINTR);
    return -ERESTARTNOHAND;
}

long signal_wait_for(uint64_t set, struct signal_info *out, nsec_t deadline) {
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
