// SPDX-License-Identifier: MIT
/*
 * What processes tell about themselves and each other, and what they may change: process_info and
 * process_set.  Structures go out and come in whole; a topic with a number answers by its result.
 */
#include "process_impl.h"

#define NICE_RANGE 40 /* nice + 20 */
#define NICE_ZERO 20

/* --- helpers ------------------------------------------------------------------------------------- */

static long copy_out(uaddr_t out, size_t size, const void *from, size_t length) {
    return size < length ? -EINVAL : copy_to_user(out, from, length);
}

static int copy_in(void *to, size_t length, uaddr_t in, size_t size) {
    return size != length ? -EINVAL : copy_from_user(to, in, length);
}

static bool may(bool (*rule)(const struct credentials *, const struct credentials *), struct process *p) {
    struct cred *self = cred_get(process_current()), *other = cred_get(p);
    bool allowed = p == process_current() || rule(&self->c, &other->c);
    cred_put(self);
    cred_put(other);
    return allowed;
}

bool process_may_manage(struct process *p) { return may(credentials_may_manage, p); }

/*
 * Memory and handles.  Who looks takes the space first and asks then: a set-id exec changes the ids before the space
 * can be seen.  A process that gave up or got ids tells nobody until it runs another image.
 */
static bool may_inspect(struct process *p) {
    bool privileged = cred_privileged(atomic_load(&process_current()->cred));
    return may(credentials_may_inspect, p) && (p->dumpable || privileged || p == process_current());
}

/* Its space with a reference, null if it has ended. */
static struct space *space_of_locked(struct process *p) REQUIRES(process_lock) {
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

static long info_ids(struct process *p, uaddr_t out, size_t size) {
    struct process_ids ids;
    spin_lock(&process_lock);
    ids = (struct process_ids){
        .pid = p->pid,
        .parent = p->parent ? p->parent->pid : 0,
        .group = p->group,
        .session = p->state == PROCESS_REAPED ? 0 : p->session->id,
        .tid = p == process_current() ? thread_current()->tid : p->pid,
        .umask = p->umask,
        .credentials = atomic_load(&p->cred)->c.id,
    };
    spin_unlock(&process_lock);
    return copy_out(out, size, &ids, sizeof(ids));
}

static long info_credentials(struct process *p, uaddr_t out, size_t size) {
    struct cred *c = cred_get(p);
    long result = copy_out(out, size, &c->c, sizeof(c->c));
    cred_put(c);
    return result;
}

static long info_usage(struct process *p, uaddr_t out, size_t size, uint64_t which) {
    struct process_usage usage;
    if (which > 2 || (which == 2 && p != process_current())) return -EINVAL;
    spin_lock(&p->signal_lock);
    if (which == 0) usage_of_process(p, &usage);
    else if (which == 1) usage = p->children_usage;
    else usage_of_thread(thread_current(), &usage);
    spin_unlock(&p->signal_lock);
    return copy_out(out, size, &usage, sizeof(usage));
}

static char state_letter(struct process *p) REQUIRES(p -> signal_lock) {
    if (p->state != PROCESS_ALIVE) return 'Z';
    if (p->stopped) return 'T';
    list_for_each (n, &p->threads) {
        uint8_t state = list_entry(n, struct thread, process_link)->state;
        if (state == THREAD_RUNNING || state == THREAD_RUNNABLE) return 'R';
    }
    return 'S';
}

static void state_of_threads(struct process *p, struct process_state *s) {
    struct process_usage usage;
    spin_lock(&p->signal_lock);
    usage_of_process(p, &usage);
    s->state = state_letter(p);
    s->threads = p->thread_count;
    if (!list_empty(&p->threads)) {
        const struct thread *t = list_entry(p->threads.next, struct thread, process_link);
        s->priority = t->priority;
        s->cpu = (uint8_t)t->cpu;
    }
    spin_unlock(&p->signal_lock);
    s->user_ns = usage.user_ns;
    s->system_ns = usage.system_ns;
    s->faults = usage.faults_minor + usage.faults_major;
    s->switches = (uint32_t)(usage.switches_voluntary + usage.switches_forced);
}

UNCHECKED static void state_of_space(struct process *p, struct process_state *s) {
    if (!p->space) return;
    s->virtual_size = p->space->mapped_pages * PAGE_SIZE; /* a glance, without its mutex */
    s->resident = atomic_load(&p->space->resident) * PAGE_SIZE;
}

UNCHECKED static long info_state(struct process *p, uaddr_t out, size_t size) {
    struct process_state s = {.pid = p->pid, .nice = (uint8_t)p->nice, .start_ns = p->start_ns};
    spin_lock(&process_lock);
    const struct credentials *c = &atomic_load(&p->cred)->c;
    s.uid = c->euid;
    s.gid = c->egid;
    s.group = p->group;
    s.parent = p->parent ? p->parent->pid : 0;
    if (p->state != PROCESS_REAPED) {
        s.session = p->session->id;
        s.terminal = p->session->terminal;
    }
    s.handles = p->handles.open_count;
    memcpy(s.name, p->name, sizeof(s.name));
    state_of_space(p, &s);
    state_of_threads(p, &s);
    spin_unlock(&process_lock);
    return copy_out(out, size, &s, sizeof(s));
}

static long info_signals(struct process *p, uaddr_t out, size_t size) {
    struct process_signals s = {};
    spin_lock(&p->signal_lock);
    s.pending = p->pending.set;
    for (int i = 1; i <= SIGNAL_COUNT; i++) {
        uintptr_t handler = p->actions[i - 1].handler;
        s.ignored |= handler == SIG_IGN ? SIGNAL_BIT(i) : 0;
        s.caught |= handler > SIG_IGN ? SIGNAL_BIT(i) : 0;
    }
    if (!list_empty(&p->threads)) {
        struct thread *t =
            p == process_current() ? thread_current() : list_entry(p->threads.next, struct thread, process_link);
        s.thread_pending = t->pending.set;
        s.mask = signal_mask_raw(t);
    }
    spin_unlock(&p->signal_lock);
    return copy_out(out, size, &s, sizeof(s));
}

static long info_limit(struct process *p, uaddr_t out, size_t size, uint64_t index) {
    if (index >= LIMIT_COUNT) return -EINVAL;
    if (!may(credentials_may_inspect, p)) return -EPERM;
    struct process_limit l = p->limits[index];
    return copy_out(out, size, &l, sizeof(l));
}

static long info_itimer(struct process *p, uaddr_t out, size_t size, uint64_t index) {
    struct process_itimer timer = {.index = (uint32_t)min(index, 3UL)};
    int e = itimer_get(p, &timer);
    return e ? e : copy_out(out, size, &timer, sizeof(timer));
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

static long info_threads(struct process *p, uaddr_t out, size_t size) {
    uint32_t *tids = kmalloc(PAGE_SIZE);
    size_t count = 0, room = min(size, PAGE_SIZE) / sizeof(*tids);
    if (!tids) return -ENOMEM;
    spin_lock(&p->signal_lock);
    list_for_each (n, &p->threads) {
        if (count == room) break;
        tids[count++] = list_entry(n, struct thread, process_link)->tid;
    }
    spin_unlock(&p->signal_lock);
    long e = copy_to_user(out, tids, count * sizeof(*tids));
    kfree(tids);
    return e ? e : (long)(count * sizeof(*tids));
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
    switch (topic) {
    case PROCESS_IDS: return info_ids(p, out, size);
    case PROCESS_CREDENTIALS: return info_credentials(p, out, size);
    case PROCESS_UMASK: return p->umask;
    case PROCESS_USAGE: return info_usage(p, out, size, aux);
    case PROCESS_STATE: return info_state(p, out, size);
    case PROCESS_ARGUMENTS:
    case PROCESS_ENVIRONMENT: return info_strings(p, topic, out, size);
    case PROCESS_MAPS: return info_maps(p, out, size, aux);
    case PROCESS_HANDLES: return info_handles(p, out, size, aux);
    case PROCESS_LIMIT: return info_limit(p, out, size, aux);
    case PROCESS_THREADS: return info_threads(p, out, size);
    case PROCESS_NEXT: return info_next(aux);
    case PROCESS_ITIMER: return p == process_current() ? info_itimer(p, out, size, aux) : -EPERM;
    case PROCESS_PRIORITY: return p->nice;
    case PROCESS_DUMPABLE: return p->dumpable;
    case PROCESS_SIGNALS: return info_signals(p, out, size);
    case PROCESS_CPU_CLOCK: return (long)process_cpu_time(p);
    case PROCESS_FOREGROUND: return foreground_get(p);
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

long process_info(int32_t pid, uint32_t topic, uaddr_t out, size_t size, uint64_t aux) {
    struct process *p = process_of(pid);
    if (!p) return -ESRCH;
    long result = info_of(p, topic, out, size, aux);
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
    list_for_each (n, &p->threads)
        thread_set_priority(list_entry(n, struct thread, process_link), PRIORITY_DEFAULT + (NICE_ZERO - (int)nice) / 2);
    spin_unlock(&p->signal_lock);
    return 0;
}

static long set_limit(struct process *p, uaddr_t in, size_t size) {
    struct process_limit l;
    int e = copy_in(&l, sizeof(l), in, size);
    if (e) return e;
    if (!may(credentials_may_inspect, p)) return -EPERM;
    return limit_set(p, &l, cred_privileged(atomic_load(&process_current()->cred)));
}

static long set_credentials(struct process *p, uaddr_t in, size_t size) {
    struct credentials c;
    int e = copy_in(&c, sizeof(c), in, size);
    return e ? e : process_set_credentials(p, &c);
}

static long set_itimer(struct process *p, uaddr_t in, size_t size) {
    struct process_itimer timer;
    int e = copy_in(&timer, sizeof(timer), in, size);
    return e ? e : itimer_set(p, &timer);
}

static long set_own(struct process *p, uint32_t topic, uaddr_t in, size_t size, uint64_t value) {
    switch (topic) {
    case PROCESS_SESSION: return process_set_session(p);
    case PROCESS_CREDENTIALS: return set_credentials(p, in, size);
    case PROCESS_UMASK: {
        uint32_t old = p->umask;
        p->umask = value & 0777;
        return old;
    }
    case PROCESS_ITIMER: return set_itimer(p, in, size);
    case PROCESS_FOREIGN: p->foreign_handler = value; return 0;
    case PROCESS_DUMPABLE: p->dumpable = value; return 0;
    case PROCESS_FOREGROUND: return foreground_set(p, (uint32_t)value);
    case PROCESS_SUBREAPER: p->subreaper = value; return 0;
    case PROCESS_PARENT_SIGNAL:
        if (value > SIGNAL_COUNT) return -EINVAL;
        p->parent_signal = (uint32_t)value;
        return 0;
    default: return -EINVAL;
    }
}

long process_set(int32_t pid, uint32_t topic, uaddr_t in, size_t size, uint64_t value) {
    if (topic == PROCESS_GROUP)
        return value > INT32_MAX ? -EINVAL : process_set_group(process_current(), pid, (int32_t)value);
    struct process *p = process_of(pid);
    if (!p) return -ESRCH;
    long result = -EPERM;
    if (topic == PROCESS_PRIORITY) result = set_nice(p, value);
    else if (topic == PROCESS_LIMIT) result = set_limit(p, in, size);
    else if (p == process_current()) result = set_own(p, topic, in, size, value);
    object_put(&p->object);
    return result;
}
