// SPDX-License-Identifier: MIT
/*
 * What processes tell about themselves and each other, and what they may change: process_info and
 * process_set.  Structures go out and come in whole, by a table each; a topic with a number answers by its result.
 */
#include <kernel/syscall.h>

#include "process_impl.h"

#define NICE_RANGE 40 /* nice + 20 */
#define NICE_ZERO 20

/* --- helpers ------------------------------------------------------------------------------------- */

union topic {
    struct process_ids ids;
    struct credentials credentials;
    struct process_usage usage;
    struct process_state state;
    struct process_signals signals;
    struct process_limit limit;
    struct process_itimer itimer;
};

static bool may(bool (*rule)(const struct credentials *, const struct credentials *), struct process *p) {
    struct cred *self = cred_get(process_current()), *other = cred_get(p);
    bool allowed = p == process_current() || rule(&self->c, &other->c);
    cred_put(self);
    cred_put(other);
    return allowed;
}

bool process_may_manage(struct process *p) { return may(credentials_may_manage, p); }

static unsigned nice_priority(const struct process *p) {
    return (unsigned)(PRIORITY_DEFAULT + (NICE_ZERO - (int)p->nice) / 2);
}

static unsigned scheduling_priority(const struct thread *t, uint64_t value) {
    return value & THREAD_NICE ? nice_priority(t->process) : value & THREAD_PRIORITY_MASK;
}

int thread_check_scheduling(const struct thread *t, uint64_t value) {
    if (value > UINT32_MAX || (value & THREAD_NICE && value & THREAD_FIFO)) return -EINVAL;
    bool less =
        scheduling_priority(t, value) <= t->base_priority && (!(value & THREAD_FIFO) || t->scheduling & THREAD_FIFO);
    return less || cred_privileged(atomic_load(&process_current()->cred)) ? 0 : -EPERM;
}

void thread_set_scheduling(struct thread *t, uint64_t value) {
    t->scheduling = (uint32_t)value & ~(uint32_t)THREAD_PRIORITY_MASK;
    thread_set_priority(t, scheduling_priority(t, value));
}

/*
 * Memory and handles.  Who looks takes the space first and asks then: a set-id exec changes the ids before the space
 * can be seen.  A process that gave up or got ids tells nobody until it runs another image.
 */
static bool may_inspect(struct process *p) {
    bool privileged = cred_privileged(atomic_load(&process_current()->cred));
    return may(credentials_may_inspect, p) && (p->dumpable || privileged || p == process_current());
}

struct space *space_of_locked(struct process *p) {
    if (p->space) atomic_fetch_add(&p->space->refs, 1);
    return p->space;
}

static uint32_t terminal_state(struct process *p, struct thread *t) REQUIRES(process_lock) {
    uint64_t mask = signal_mask_raw(t);
    uint32_t state = group_orphaned(p->group_of) ? TERMINAL_ORPHANED : 0;
    if (mask & SIGNAL_BIT(SIGTTOU) || p->actions[SIGTTOU - 1].handler == SIG_IGN) state |= TERMINAL_TTOU;
    if (mask & SIGNAL_BIT(SIGTTIN) || p->actions[SIGTTIN - 1].handler == SIG_IGN) state |= TERMINAL_TTIN;
    return state;
}

void process_caller_info(struct thread *t, struct caller_info *out) {
    struct process *p = t->process;
    spin_lock(&process_lock);
    *out = (struct caller_info){
        .pid = p->pid,
        .tid = t->tid,
        .group = p->group,
        .session = p->session->id,
        .credentials = atomic_load(&p->cred)->c.id,
        .terminal_state = terminal_state(p, t),
    };
    spin_unlock(&process_lock);
}

/* --- structures ---------------------------------------------------------------------------------- */

static int tell_ids(struct process *p, union topic *out, uint64_t) {
    spin_lock(&process_lock);
    out->ids = (struct process_ids){
        .pid = p->pid,
        .parent = p->parent ? p->parent->pid : 0,
        .group = p->group,
        .session = p->state == PROCESS_REAPED ? 0 : p->session->id,
        .tid = p == process_current() ? thread_current()->tid : p->pid,
        .umask = p->umask,
        .credentials = atomic_load(&p->cred)->c.id,
    };
    spin_unlock(&process_lock);
    return 0;
}

static int tell_credentials(struct process *p, union topic *out, uint64_t) {
    struct cred *c = cred_get(p);
    out->credentials = c->c;
    cred_put(c);
    return 0;
}

static int tell_usage(struct process *p, union topic *out, uint64_t which) {
    if (which > 2 || (which == 2 && p != process_current())) return -EINVAL;
    spin_lock(&p->signal_lock);
    if (which == 0) usage_of_process(p, &out->usage);
    else if (which == 1) out->usage = p->children_usage;
    else usage_of_thread(thread_current(), &out->usage);
    spin_unlock(&p->signal_lock);
    return 0;
}

static char state_letter(struct process *p) REQUIRES(p -> signal_lock) {
    if (p->state != PROCESS_ALIVE) return 'Z';
    if (p->stopped) return 'T';
    for_each_thread (t, p) {
        if (t->registers) return 'T';
        if (t->state == THREAD_RUNNING || t->state == THREAD_RUNNABLE) return 'R';
    }
    return 'S';
}

static void state_of_threads(struct process *p, struct process_state *s) {
    struct process_usage usage;
    spin_lock(&p->signal_lock);
    usage_of_process(p, &usage);
    s->state = state_letter(p);
    s->threads = p->thread_count;
    const struct thread *t = first_thread(p);
    if (t) {
        s->priority = t->priority;
        s->cpu = (uint8_t)t->cpu;
    }
    spin_unlock(&p->signal_lock);
    s->user_ns = usage.user_ns;
    s->system_ns = usage.system_ns;
    s->faults = usage.faults_minor + usage.faults_major;
    s->switches = (uint32_t)(usage.switches_voluntary + usage.switches_forced);
}

UNCHECKED static int tell_state(struct process *p, union topic *out, uint64_t) {
    struct process_state *s = &out->state;
    *s = (struct process_state){.pid = p->pid, .nice = (uint8_t)p->nice, .start_ns = p->start_ns};
    spin_lock(&process_lock);
    const struct credentials *c = &atomic_load(&p->cred)->c;
    s->uid = c->euid;
    s->gid = c->egid;
    s->group = p->group;
    s->parent = p->parent ? p->parent->pid : 0;
    if (p->state != PROCESS_REAPED) {
        s->session = p->session->id;
        s->terminal = p->session->terminal;
    }
    s->handles = p->handles.open_count;
    memcpy(s->name, p->name, sizeof(s->name));
    if (p->space) {
        s->virtual_size = p->space->mapped_pages * PAGE_SIZE; /* a glance, without its mutex */
        s->resident = atomic_load(&p->space->resident) * PAGE_SIZE;
    }
    state_of_threads(p, s);
    spin_unlock(&process_lock);
    return 0;
}

static int tell_signals(struct process *p, union topic *out, uint64_t) {
    struct process_signals *s = &out->signals;
    *s = (struct process_signals){};
    spin_lock(&p->signal_lock);
    s->pending = p->pending.set;
    for (int i = 1; i <= SIGNAL_COUNT; i++) {
        uintptr_t handler = p->actions[i - 1].handler;
        s->ignored |= handler == SIG_IGN ? SIGNAL_BIT(i) : 0;
        s->caught |= handler > SIG_IGN ? SIGNAL_BIT(i) : 0;
    }
    struct thread *t = p == process_current() ? thread_current() : first_thread(p);
    if (t) {
        s->thread_pending = t->pending.set;
        s->mask = signal_mask_raw(t);
    }
    spin_unlock(&p->signal_lock);
    return 0;
}

static int tell_limit(struct process *p, union topic *out, uint64_t index) {
    if (index >= LIMIT_COUNT) return -EINVAL;
    if (!may(credentials_may_inspect, p)) return -EPERM;
    out->limit = p->limits[index];
    return 0;
}

static int tell_itimer(struct process *p, union topic *out, uint64_t index) {
    out->itimer = (struct process_itimer){.index = (uint32_t)min(index, 3UL)};
    return p == process_current() ? itimer_get(p, &out->itimer) : -EPERM;
}

static const struct {
    size_t size;
    int (*tell)(struct process *p, union topic *out, uint64_t aux);
} told[] = {
    [PROCESS_IDS] = {sizeof(struct process_ids), tell_ids},
    [PROCESS_CREDENTIALS] = {sizeof(struct credentials), tell_credentials},
    [PROCESS_LIMIT] = {sizeof(struct process_limit), tell_limit},
    [PROCESS_USAGE] = {sizeof(struct process_usage), tell_usage},
    [PROCESS_STATE] = {sizeof(struct process_state), tell_state},
    [PROCESS_ITIMER] = {sizeof(struct process_itimer), tell_itimer},
    [PROCESS_SIGNALS] = {sizeof(struct process_signals), tell_signals},
};

static long info_structure(struct process *p, uint32_t topic, uaddr_t out, size_t size, uint64_t aux) {
    union topic t;
    if (size < told[topic].size) return -EINVAL;
    int e = told[topic].tell(p, &t, aux);
    return e ? e : copy_to_user(out, &t, told[topic].size);
}

/* --- arrays and strings -------------------------------------------------------------------------- */

/* Bytes of its memory: what fits of its arguments or its environment. */
static long info_strings(struct process *p, uint32_t topic, uaddr_t out, size_t size) {
    char buffer[256];
    spin_lock(&process_lock);
    vaddr_t start = topic == PROCESS_ARGUMENTS ? p->arguments : p->arguments_end;
    vaddr_t end = topic == PROCESS_ARGUMENTS ? p->arguments_end : p->environment_end;
    struct space *s = space_of_locked(p);
    spin_unlock(&process_lock);
    if (!s) return 0;
    size_t total = min(size, end - start), done = 0;
    int e = topic == PROCESS_ENVIRONMENT && !may_inspect(p) ? -EPERM : 0;
    while (!e && done < total) {
        size_t n = min(total - done, sizeof(buffer));
        e = space_read(s, buffer, start + done, n);
        if (!e) e = copy_to_user(out + done, buffer, n);
        if (!e) done += n;
    }
    space_put(s);
    return done ? (long)done : e == -EFAULT ? 0 : e;
}

static long info_maps(struct process *p, uaddr_t out, size_t size, vaddr_t from) {
    struct map_info maps[8];
    long done = 0;
    size_t room = size / sizeof(maps[0]), n = 1;
    spin_lock(&process_lock);
    struct space *s = space_of_locked(p);
    spin_unlock(&process_lock);
    int e = may_inspect(p) ? 0 : -EPERM;
    while (s && !e && n && room) {
        n = space_describe(s, from, maps, min(room, array_size(maps)));
        e = copy_to_user(out + (uaddr_t)done, maps, n * sizeof(maps[0]));
        done += (long)(n * sizeof(maps[0]));
        room -= n;
        if (n) from = maps[n - 1].end;
    }
    if (s) space_put(s);
    return e ? e : done;
}

static long info_next_thread(struct process *p, uint64_t tid) {
    uint32_t next = UINT32_MAX;
    spin_lock(&p->signal_lock);
    for_each_thread (t, p)
        if (t->tid > tid) next = min(next, t->tid);
    spin_unlock(&p->signal_lock);
    return next == UINT32_MAX ? -ESRCH : (long)next;
}

UNCHECKED static handle_t handles_end(struct process *p, handle_t h) {
    const struct handle_range *r = &p->handles.ranges[h >= HANDLE_UPPER];
    return (h < HANDLE_UPPER ? 0 : HANDLE_UPPER) + (handle_t)(r->chunk_count * HANDLE_CHUNK);
}

static long info_handles(struct process *p, uaddr_t out, size_t size, uint64_t from) {
    size_t done = 0;
    for (handle_t h = (handle_t)min(from, (uint64_t)HANDLE_UPPER_END); size - done >= sizeof(struct process_handle);
         h++) {
        if (h < HANDLE_UPPER && h >= handles_end(p, h)) h = HANDLE_UPPER;
        if (h >= HANDLE_UPPER && h >= handles_end(p, h)) break;
        struct process_handle one = {.handle = h};
        struct object *o;
        uint32_t rights, flags;
        if (handle_describe(&p->handles, h, &o, &rights, &flags)) continue;
        handle_info_fill(o, rights, flags, &one.info);
        object_put(o);
        if (!may_inspect(p)) return -EPERM;
        if (copy_to_user(out + done, &one, sizeof(one))) return -EFAULT;
        done += sizeof(one);
    }
    return (long)done;
}

/* --- by topic ------------------------------------------------------------------------------------ */

static long info_next(uint64_t pid) {
    spin_lock(&process_lock);
    struct process *p = process_next((uint32_t)min(pid, (uint64_t)UINT32_MAX));
    long next = p ? (long)p->pid : -ESRCH;
    spin_unlock(&process_lock);
    return next;
}

static long info_of(struct process *p, uint32_t topic, uaddr_t out, size_t size, uint64_t aux) {
    if (topic < array_size(told) && told[topic].tell) return info_structure(p, topic, out, size, aux);
    switch (topic) {
    case PROCESS_UMASK: return p->umask;
    case PROCESS_ARGUMENTS:
    case PROCESS_ENVIRONMENT: return info_strings(p, topic, out, size);
    case PROCESS_MAPS: return info_maps(p, out, size, aux);
    case PROCESS_HANDLES: return info_handles(p, out, size, aux);
    case PROCESS_NEXT: return info_next(aux);
    case PROCESS_NEXT_THREAD: return info_next_thread(p, aux);
    case PROCESS_PRIORITY: return p->nice;
    case PROCESS_DUMPABLE: return p->dumpable;
    case PROCESS_CPU_CLOCK: return (long)process_cpu_time(p);
    case PROCESS_SUBREAPER: return p->subreaper;
    case PROCESS_PARENT_SIGNAL: return p->parent_signal;
    default: return -EINVAL;
    }
}

/* The process meant, with a reference. */
static struct process *process_of(int32_t pid) {
    struct process *p = process_current();
    if (pid && (uint32_t)pid != p->pid) return pid < 0 ? nullptr : process_find((uint32_t)pid);
    object_get(&p->object);
    return p;
}

long sys_process_info(int32_t pid, uint32_t topic, void *out, size_t size, uint64_t aux) {
    struct process *p = process_of(pid);
    if (!p) return -ESRCH;
    long result = info_of(p, topic, (uaddr_t)out, size, aux);
    object_put(&p->object);
    return result;
}

/* --- changes ------------------------------------------------------------------------------------- */

static long set_nice(struct process *p, uint64_t nice) {
    if (nice >= NICE_RANGE) return -EINVAL;
    if (!process_may_manage(p)) return -EPERM;
    if (nice < p->nice && !cred_privileged(atomic_load(&process_current()->cred))) return -EACCES;
    spin_lock(&p->signal_lock);
    p->nice = (uint32_t)nice;
    for_each_thread (t, p) {
        if (t->scheduling & THREAD_NICE) thread_set_priority(t, nice_priority(p));
    }
    spin_unlock(&p->signal_lock);
    return 0;
}

static long set_limit(struct process *p, const struct process_limit *l) {
    if (!may(credentials_may_inspect, p)) return -EPERM;
    return limit_set(p, l, cred_privileged(atomic_load(&process_current()->cred)));
}

static long set_own(struct process *p, uint32_t topic, const union topic *in, uint64_t value) {
    switch (topic) {
    case PROCESS_SESSION: return process_set_session(p);
    case PROCESS_CREDENTIALS: return process_set_credentials(p, &in->credentials);
    case PROCESS_UMASK: {
        uint32_t old = p->umask;
        p->umask = value & 0777;
        return old;
    }
    case PROCESS_ITIMER: return itimer_set(p, &in->itimer);
    case PROCESS_FOREIGN: p->foreign_handler = value; return 0;
    case PROCESS_DUMPABLE: p->dumpable = value; return 0;
    case PROCESS_SUBREAPER: p->subreaper = value; return 0;
    case PROCESS_PARENT_SIGNAL:
        if (value > SIGNAL_COUNT) return -EINVAL;
        p->parent_signal = (uint32_t)value;
        return 0;
    default: return -EINVAL;
    }
}

long sys_process_set(int32_t pid, uint32_t topic, const void *in, size_t size, uint64_t value) {
    union topic t;
    bool structure = topic == PROCESS_CREDENTIALS || topic == PROCESS_LIMIT || topic == PROCESS_ITIMER;
    if (topic == PROCESS_GROUP)
        return value > INT32_MAX ? -EINVAL : process_set_group(process_current(), pid, (int32_t)value);
    if (structure && size != told[topic].size) return -EINVAL;
    if (structure && copy_from_user(&t, (uaddr_t)in, size)) return -EFAULT;
    struct process *p = process_of(pid);
    if (!p) return -ESRCH;
    long result = -EPERM;
    if (topic == PROCESS_PRIORITY) result = set_nice(p, value);
    else if (topic == PROCESS_LIMIT) result = set_limit(p, &t.limit);
    else if (p == process_current()) result = set_own(p, topic, &t, value);
    object_put(&p->object);
    return result;
}
