// SPDX-License-Identifier: MIT
/*
 * Waiting for children, and telling parents (SIGCHLD).
 *
 * A waiter looks at all its children under process_lock; whoever changes a child raises the parent's
 * child_events and wakes it, so a change between look and sleep is seen.  POSIX.1-2017 waitid().
 */
#include <kernel/syscall.h>

#include "process_impl.h"

/* --- the child's side ---------------------------------------------------------------------------- */

static void parent_signal(struct process *p, struct process *parent, int code, int status) {
    struct signal_info info = {.signal = SIGCHLD, .code = code};
    info.child.pid = (int32_t)p->pid;
    info.child.uid = atomic_load(&p->cred)->c.uid;
    info.child.status = status;
    info.child.utime = (int64_t)(p->usage.user_ns / 10000000);
    info.child.stime = (int64_t)(p->usage.system_ns / 10000000);
    signal_send_process(parent, SIGCHLD, &info);
}

void parent_wake(struct process *parent) {
    atomic_fetch_add(&parent->child_events, 1);
    wait_queue_wake(&parent->child_wait, INT32_MAX);
}

void parent_notify(struct process *p, int code, int status) {
    struct process *parent = p->parent;
    if (!parent || p->tracer == parent) return; /* whom the threads tell */
    bool quiet = (code == CLD_STOPPED || code == CLD_CONTINUED) && parent->actions[SIGCHLD - 1].flags & SA_NOCLDSTOP;
    if (!quiet) parent_signal(p, parent, code, status);
    parent_wake(parent);
}

bool parent_notify_exit(struct process *p) {
    struct process *parent = p->parent;
    const struct signal_action *action = &parent->actions[SIGCHLD - 1];
    bool ignored = action->handler == SIG_IGN;
    if (!ignored) parent_signal(p, parent, exit_code(p->exit_status), exit_value(p->exit_status));
    parent_wake(parent);
    return ignored || action->flags & SA_NOCLDWAIT;
}

/* --- the parent's side --------------------------------------------------------------------------- */

static bool wait_matches(const struct process *c, uint32_t type, int32_t id) {
    return type == WAIT_ALL || (type == WAIT_PID && c->pid == (uint32_t)id) ||
           (type == WAIT_GROUP && c->group == (uint32_t)id);
}

static void status_fill(struct wait_status *out, struct process *c, int code, int status, int32_t encoded)
    REQUIRES(c -> signal_lock) {
    *out = (struct wait_status){
        .pid = (int32_t)c->pid,
        .uid = atomic_load(&c->cred)->c.uid,
        .code = code,
        .status = status,
        .wait_status = encoded,
    };
    usage_of_process(c, &out->usage);
}

/* What c has to tell: true if there is something that the flags ask for. `keep`: it stays to be told. */
static bool wait_tell(struct process *c, uint32_t flags, bool keep, struct wait_status *out) REQUIRES(process_lock)
REQUIRES(c -> signal_lock) {
    if (c->state == PROCESS_ZOMBIE) {
        if (!(flags & WAIT_EXITED)) return false;
        status_fill(out, c, exit_code(c->exit_status), exit_value(c->exit_status), c->exit_status);
        usage_add(&out->usage, &c->children_usage);
    } else if (flags & WAIT_STOPPED && c->stopped && !c->stop_reported) {
        c->stop_reported = !keep;
        status_fill(out, c, CLD_STOPPED, (int)c->stop_signal, (int32_t)(c->stop_signal << 8 | 0x7f));
    } else if (flags & WAIT_CONTINUED && c->continued) {
        c->continued = keep;
        status_fill(out, c, CLD_CONTINUED, SIGCONT, 0xffff);
    } else return false;
    return true;
}

static bool wait_take(struct process *parent, struct process *c, uint32_t flags, struct wait_status *out)
    REQUIRES(process_lock) {
    bool keep = flags & WAIT_NOWAIT;
    spin_lock(&c->signal_lock);
    if (c->tracer == parent) flags &= ~(uint32_t)(WAIT_STOPPED | WAIT_CONTINUED); /* told by the tracer's stops */
    bool told = wait_tell(c, flags, keep, out);
    spin_unlock(&c->signal_lock);
    if (told && !keep && c->state == PROCESS_ZOMBIE) {
        usage_add(&parent->children_usage, &out->usage);
        process_reap(c);
        object_put(&c->object);
    }
    return told;
}

/* One look at all children: pid of one that was taken, 0 if none has anything to tell yet. */
static long wait_look(struct process *p, uint32_t type, int32_t id, uint32_t flags, struct wait_status *out) {
    long result = -ECHILD;
    spin_lock(&process_lock);
    list_for_each (n, &p->children) {
        struct process *c = list_entry(n, struct process, sibling_link);
        if (!wait_matches(c, type, id)) continue;
        result = 0;
        if (wait_take(p, c, flags, out)) {
            result = out->pid;
            break;
        }
    }
    long traced = result > 0 ? -ECHILD : trace_wait(p, type, id, flags, out);
    spin_unlock(&process_lock);
    return traced == -ECHILD ? result : traced;
}

struct child_wait {
    struct process *process;
    uint32_t events;
};

static bool child_changed(void *arg) {
    struct child_wait *w = arg;
    return atomic_load(&w->process->child_events) != w->events;
}

long sys_process_wait(uint32_t type, int32_t id, uint32_t flags, struct wait_status *out, int64_t deadline) {
    struct process *p = process_current();
    struct wait_status status;
    const uint32_t kinds = WAIT_EXITED | WAIT_STOPPED | WAIT_CONTINUED;
    if (type > WAIT_GROUP || !(flags & kinds) || flags & ~(kinds | WAIT_NOHANG | WAIT_NOWAIT)) return -EINVAL;
    if (type == WAIT_GROUP && id == 0) id = (int32_t)p->group;
    for (;;) {
        struct child_wait w = {p, atomic_load(&p->child_events)};
        long result = wait_look(p, type, id, flags, &status);
        if (result > 0 && out && copy_to_user((uaddr_t)out, &status, sizeof(status))) return -EFAULT;
        if (result != 0 || flags & WAIT_NOHANG) return result;
        if (deadline == 0) return -EAGAIN;
        int woke = wait_queue_sleep(&p->child_wait, child_changed, &w, true, deadline);
        if (woke) return syscall_restartable(woke);
    }
}
