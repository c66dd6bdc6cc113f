// SPDX-License-Identifier: MIT
/*
 * Life of a process: prepared, published, ended.
 *
 *   process_prepare → (space, handles) → process_first_thread → process_publish → … threads …
 *   → the last process_thread_exit → ZOMBIE → waited for (or nobody cares) → REAPED → last reference
 *
 * Ending: whoever ends the process sets group_exit and WORK_EXIT on every thread; each ends itself
 * on its way out of the kernel, the last one takes the process apart.  exec from one of several
 * threads uses the same way to get rid of the others.
 */
#include <kernel/channel.h>
#include <kernel/event.h>
#include <kernel/sanitizer.h>
#include <kernel/trace_ring.h>

#include "process_impl.h"

#define END_STEP 32 /* threads told to end between two preemption points */

RACE_INTENDED static uint32_t process_poll(struct object *o) {
    struct process *p = object_as(process, o);
    return p->state == PROCESS_ALIVE ? 0 : EVENT_EXIT;
}

static void process_destroy(struct object *o) {
    struct process *p = object_as(process, o);
    ASSERT(list_empty(&p->threads) && !p->space);
    cred_put(p->cred);
    kfree(p);
}

const struct object_ops process_ops = {
    .type = OBJECT_PROCESS,
    .name = "process",
    .destroy = process_destroy,
    .poll = process_poll,
};

static struct process *process_alloc(void) {
    struct process *p = kzalloc(sizeof(*p));
    if (!p) return nullptr;
    object_init(&p->object, &process_ops);
    handle_table_init(&p->handles);
    spin_init(&p->signal_lock, RANK_SIGNAL);
    list_init(&p->children);
    list_init(&p->sibling_link);
    list_init(&p->group_link);
    list_init(&p->threads);
    list_init(&p->tracees);
    pending_init(&p->pending);
    wait_queue_init(&p->self_wait);
    wait_queue_init(&p->child_wait);
    process_timers_init(p);
    p->start_ns = (uint64_t)clock_now();
    return p;
}

struct process *process_prepare(struct process *parent) {
    if (!account_charge_task(parent)) return err_ptr(-EAGAIN);
    struct process *p = process_alloc();
    if (!p) {
        account_uncharge_task(parent);
        return err_ptr(-ENOMEM);
    }
    p->cred = cred_get(parent);
    p->handles.limit = parent->handles.limit;
    const size_t from = offsetof(struct process, actions), to = offsetof(struct process, start_ns);
    memcpy((char *)p + from, (const char *)parent + from, to - from);
    return p;
}

void process_discard(struct process *p) {
    handle_table_fini(&p->handles);
    if (p->space) space_put(p->space);
    p->space = nullptr;
    account_uncharge_task(p);
    object_put(&p->object);
}

/* --- threads ------------------------------------------------------------------------------------- */

void user_entry(void *) {
    struct thread *t = thread_current();
    struct trapframe *f = arch_frame(t);
    /* A forked thread's control area is a page of its own now: wire it. Without, its mask would lie. */
    if (t->control_address && control_register(t, t->control_address)) process_kill(t->process, SIGKILL);
    arch_enter_user(f); /* does what is in t->work first */
}

static void thread_inherit(struct thread *t, const struct thread *from) {
    pending_init(&t->pending);
    t->altstack.flags = SS_DISABLE;
    t->signal_mask = signal_mask_raw((struct thread *)from);
    t->affinity = from->affinity;
    t->scheduling = from->scheduling;
    thread_set_priority(t, from->base_priority);
}

struct thread *process_first_thread(struct process *p) {
    struct thread *t = thread_create(p, p->name, user_entry, nullptr);
    if (!t) return err_ptr(-ENOMEM);
    thread_inherit(t, thread_current());
    arch_thread_set_pagetable(t, &p->space->table);
    return t;
}

/* Adds a further thread, NEW, to the running process. */
int process_thread_add(struct process *p, struct thread *t) {
    thread_inherit(t, thread_current());
    arch_thread_set_pagetable(t, &p->space->table);
    if (!account_charge_task(p)) return -EAGAIN;
    spin_lock(&p->signal_lock);
    bool ending = p->group_exit || p->exec_thread || p->dumper;
    if (!ending) {
        list_push_back(&p->threads, &t->process_link);
        p->thread_count++;
        handle_table_changed(&p->handles);
    }
    spin_unlock(&p->signal_lock);
    if (ending) account_uncharge_task(p);
    return ending ? -EINTR : 0;
}

static void thread_adopt(struct process *p, struct thread *t) {
    p->pid = t->tid;
    list_push_back(&p->threads, &t->process_link);
    p->thread_count = 1;
}

long process_publish(struct process *p, struct thread *t) {
    struct process *parent = process_current();
    thread_adopt(p, t);
    spin_lock(&process_lock);
    /* A kill of the parent's group that missed the child must have reached this thread. */
    if (atomic_load(&thread_current()->work) & WORK_EXIT) {
        spin_unlock(&process_lock);
        list_remove(&t->process_link);
        return -EINTR;
    }
    process_link(p, parent);
    group_join(p, parent->group_of);
    spin_unlock(&process_lock);
    return p->pid;
}

void process_withdraw(struct process *p) {
    spin_lock(&process_lock);
    p->state = PROCESS_ZOMBIE;
    process_unlink(p);
    spin_unlock(&process_lock);
    list_remove(p->threads.next);
}

long process_fork(void) {
    struct process *parent = process_current();
    struct thread *self = thread_current();
    struct process *p = process_prepare(parent);
    if (is_err(p)) return ptr_err(p);
    long result = -ENOMEM;
    p->space = space_fork(parent->space);
    if (!p->space || handle_table_copy(&p->handles, &parent->handles, false)) goto undo;
    struct thread *t = process_first_thread(p);
    if (is_err(t)) goto undo;
    arch_thread_copy(t, self);
    frame_set_result(arch_frame(t), 0);
    t->altstack = self->altstack;
    t->control_address = self->control_address;
    memcpy(t->name, self->name, sizeof(t->name));
    result = process_publish(p, t);
    if (result > 0) {
        trace_child(t, TRACE_EVENT_FORK);
        thread_start(t);
        return result;
    }
    thread_put(t);
undo:
    process_discard(p);
    return result;
}

/* --- the end ------------------------------------------------------------------------------------- */

/* Up to `most` of those not told yet; true: there are more. */
static bool threads_end(struct process *p, unsigned most) REQUIRES(p -> signal_lock) {
    list_for_each (n, &p->threads) {
        struct thread *t = list_entry(n, struct thread, process_link);
        if ((t == p->exec_thread && !p->group_exit) || atomic_load(&t->work) & WORK_EXIT) continue;
        if (!most--) return true;
        atomic_fetch_or(&t->work, WORK_EXIT);
        if (t != thread_current()) thread_interrupt(t);
    }
    p->stopped = false;
    wait_queue_wake(&p->self_wait, INT32_MAX);
    return false;
}

static void exit_begin(struct process *p, int32_t status) REQUIRES(p -> signal_lock) {
    if (p->group_exit) return;
    p->group_exit = true;
    p->exit_status = status;
}

void process_end_threads(struct process *p, int32_t status) {
    exit_begin(p, status);
    (void)threads_end(p, UINT32_MAX);
}

void process_kill(struct process *p, int signal) {
    spin_lock(&p->signal_lock);
    process_end_threads(p, signal);
    spin_unlock(&p->signal_lock);
}

void process_exit(int32_t wait_status) {
    struct process *p = process_current();
    spin_lock(&p->signal_lock);
    exit_begin(p, wait_status);
    while (threads_end(p, END_STEP)) {
        spin_unlock(&p->signal_lock);
        preempt_point();
        spin_lock(&p->signal_lock);
    }
    spin_unlock(&p->signal_lock);
    process_thread_exit();
}

static bool alone(void *arg) { return ((struct process *)arg)->thread_count == 1; }

/* exec: ends all other threads. The caller becomes the one whose number is the pid. */
int process_become_single(struct process *p) {
    struct thread *self = thread_current();
    spin_lock(&p->signal_lock);
    if (p->group_exit || p->exec_thread || p->dumper) {
        spin_unlock(&p->signal_lock);
        return -EINTR;
    }
    p->exec_thread = self;
    if (p->thread_count > 1) (void)threads_end(p, UINT32_MAX);
    spin_unlock(&p->signal_lock);
    if (p->thread_count > 1) (void)wait_queue_sleep(&p->self_wait, alone, p, false, DEADLINE_NEVER);
    if (self->tid != p->pid) thread_set_tid(self, p->pid);
    spin_lock(&p->signal_lock);
    p->exec_thread = nullptr;
    spin_unlock(&p->signal_lock);
    return 0;
}

/* Everything that others can see of it: handles first (closing may still look at memory). */
static void process_release(struct process *p) {
    process_timers_stop(p);
    handle_table_fini(&p->handles);
    object_reap();
    object_reap();
    spin_lock(&process_lock);
    struct space *s = p->space;
    p->space = nullptr;
    spin_unlock(&process_lock);
    arch_thread_set_pagetable(thread_current(), nullptr);
    space_put(s);
}

static void process_finish(struct process *p) {
    if (p == process_init) panic("init has ended: status %#x", (unsigned)p->exit_status);
    trace_ring_add(TR_END, p->pid, (uint32_t)p->exit_status);
    trace_tracer_exit(p);
    process_release(p);
    spin_lock(&process_lock);
    p->state = PROCESS_ZOMBIE;
    process_orphan(p);
    if (p->session->leader == p) session_leader_exit(p);
    group_member_exit(p);
    bool forgotten = parent_notify_exit(p);
    if (forgotten) process_reap(p);
    spin_unlock(&process_lock);
    object_notify(&p->object, EVENT_EXIT);
    if (forgotten) object_put(&p->object);
    object_reap();
}

void process_thread_exit(void) {
    struct thread *t = thread_current();
    struct process *p = t->process;
    preempt_point(); /* many may end one after the other */
    futex_thread_exit(t);
    control_release(t);
    atomic_fetch_or(&t->work, WORK_EXIT); /* nobody begins to trace it now */
    trace_thread_exit(t);
    struct process_usage usage;
    usage_of_thread(t, &usage);
    spin_lock(&p->signal_lock);
    list_remove(&t->process_link);
    bool last = --p->thread_count == 0;
    usage_add(&p->usage, &usage);
    struct signal_info ignored;
    while (signal_take(p, t, t->pending.set, &ignored)) {
    }
    if (last) signal_discard(p, ~0ULL);
    else signal_reroute(p);
    spin_unlock(&p->signal_lock);
    if (last) {
        process_finish(p);
    } else {
        object_reap();
        account_uncharge_task(p);
        wait_queue_wake(&p->self_wait, INT32_MAX);
    }
    thread_exit();
}

/* --- the first process ---------------------------------------------------------------------------- */

struct process *process_create_first(struct memory *program, const char *path) {
    static const struct credentials root = {.privileges = PRIVILEGE_ROOT};
    struct process *p = process_alloc();
    struct cred *c = cred_create(&root);
    struct image image = {.program = program, .uid = SETID_NONE, .gid = SETID_NONE};
    if (!p || !c) panic("no memory for the first process");
    p->cred = c;
    atomic_fetch_add(&c->account->tasks, 1);
    limits_init(p);
    p->umask = 022;
    p->nice = 20;
    print_format(image.path, sizeof(image.path), "%s", path);
    print_format(image.name, sizeof(image.name), "init");
    struct space *s = image_load(&image, p);
    if (is_err(s)) panic("%s: no program (error %d)", path, ptr_err(s));
    (void)image_adopt(p, &image, s);
    struct thread *t = process_first_thread(p);
    if (is_err(t)) panic("no memory for the first thread");
    arch_frame_init(arch_frame(t), image.entry, image.stack, 0);
    t->scheduling = THREAD_NICE;
    thread_adopt(p, t);
    process_init = p;
    spin_lock(&process_lock);
    process_link(p, nullptr);
    spin_unlock(&process_lock);
    if (process_set_session(p) < 0) panic("no memory for the first session");
    return p;
}

void process_start(struct process *p) { thread_start(first_thread(p)); }
