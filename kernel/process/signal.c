// SPDX-License-Identifier: MIT
/*
 * Pending signals: queueing, routing to a thread, taking.  Everything under the process's signal_lock.
 *
 * The mask of a thread that registered a control area is a word in user memory, which the program
 * changes without a system call.  How a signal and an unblocking never miss each other:
 *
 *   sender (signal_post)                       thread, unblocking in user mode
 *   1 adds to the pending set                  a stores the mask
 *   2 stores the hint in every control area    b full barrier
 *   3 full barrier                             c reads the hint; if it holds an unblocked
 *   4 reads masks, kicks a thread that           signal: signal_check()
 *     does not block it
 *
 * Either 4 sees the mask of a, or c sees the hint of 2.  A thread that blocks the signal just after 4
 * looks at its mask again before it builds a frame (signal_deliver.c), finds it blocked and looks for
 * another thread (signal_reroute).  The area's contents are never trusted: a lying program only
 * confuses its own signals.
 *
 * WORK_SIGNAL is set on a thread whenever it may have something to take; the thread alone clears it.
 */
#include <kernel/pin.h>
#include <kernel/trace_ring.h>

#include "process_impl.h"

#define INFO_USED (offsetof(struct signal_info, child) + sizeof(((struct signal_info *)0)->child))

void pending_init(struct signal_pending *p) { list_init(&p->queue); }

/* --- masks and control areas --------------------------------------------------------------------- */

uint64_t signal_mask_raw(struct thread *t) {
    struct thread_control *c = t->control;
    uint64_t mask = c ? __atomic_load_n(&c->mask, __ATOMIC_RELAXED) : t->signal_mask;
    return mask & ~SIGNALS_UNBLOCKABLE;
}

uint64_t signal_mask_of(struct thread *t) { return signal_mask_raw(t) & ~t->signal_waiting; }

void signal_mask_set(struct thread *t, uint64_t mask) {
    t->signal_mask = mask & ~SIGNALS_UNBLOCKABLE;
    if (t->control) __atomic_store_n(&t->control->mask, t->signal_mask, __ATOMIC_RELAXED);
    atomic_thread_fence(memory_order_seq_cst);
    uint64_t set = __atomic_load_n(&t->pending.set, __ATOMIC_RELAXED) | /* without the lock: see the protocol above */
                   __atomic_load_n(&t->process->pending.set, __ATOMIC_RELAXED);
    if (set & ~mask) atomic_fetch_or(&t->work, WORK_SIGNAL);
}

/* Wires the page at `address` (0: none) of the current process as t's area; t is the current thread. */
int control_register(struct thread *t, uaddr_t address) {
    struct pin pin;
    if (address % sizeof(struct thread_control)) return -EINVAL;
    if (address) {
        int e = pin_user(&pin, address, sizeof(struct thread_control), true);
        if (e) return e;
    }
    control_release(t);
    if (!address) return 0;
    struct thread_control *c = (void *)((char *)frame_virt(pin.frames[0]) + (address & PAGE_MASK));
    c->mask = t->signal_mask;
    c->tid = t->tid;
    spin_lock(&t->process->signal_lock);
    t->control = c;
    t->control_frame = pin.frames[0]; /* the pin lives on in these fields */
    t->control_address = address;
    signal_hint(t->process);
    spin_unlock(&t->process->signal_lock);
    return 0;
}

void control_release(struct thread *t) {
    if (!t->control) return;
    struct pin pin = {.count = 1, .write = true, .frames = {t->control_frame}};
    spin_lock(&t->process->signal_lock);
    t->signal_mask = signal_mask_raw(t);
    t->control = nullptr;
    t->control_address = 0;
    spin_unlock(&t->process->signal_lock);
    pin_release(&pin);
}

void signal_hint(struct process *p) {
    for_each_thread (t, p) {
        if (t->control)
            atomic_store_explicit(&t->control->pending, t->pending.set | p->pending.set, memory_order_relaxed);
    }
}

bool signal_cancelled(struct thread *t) {
    struct thread_control *c = t->control;
    return c && c->flags & THREAD_CANCEL_POINT && atomic_load(&c->cancel);
}

bool signal_pending_slow(struct thread *t) {
    uint32_t work = atomic_load(&t->work);
    uint64_t pending = t->pending.set | t->process->pending.set;
    if (work & WORK_EXIT) return true;
    if (!(work & WORK_STOP) && !(pending & ~signal_mask_of(t)) && !signal_cancelled(t)) return false;
    /* So that the return path makes an EINTR of it, though SIGCONT may come before that, or the
     * mask be changed without a word. */
    atomic_fetch_or(&t->work, WORK_SIGNAL);
    return true;
}

/* --- the queue ----------------------------------------------------------------------------------- */

static struct signal_entry *entry_get(struct process *p, struct signal_pending *to) {
    if (!to->slot_used) {
        to->slot_used = true;
        return &to->slot;
    }
    struct account *a = atomic_load(&p->cred)->account;
    struct signal_entry *e = nullptr;
    if (atomic_fetch_add(&a->signals, 1) < p->limits[LIMIT_SIGNALS].soft) e = kmalloc(sizeof(*e));
    if (e) e->account = a;
    else atomic_fetch_sub(&a->signals, 1);
    return e;
}

static void entry_put(struct signal_pending *from, struct signal_entry *e) {
    if (e == &from->slot) {
        from->slot_used = false;
    } else if (e->account) {
        atomic_fetch_sub(&e->account->signals, 1);
        kfree(e);
    } else {
        container_of(e, struct signal_source, entry)->overruns = e->info.timer.overrun;
    }
}

/* Copies what any kind of siginfo uses; the rest of the 128 bytes is never filled in. */
static void info_copy(struct signal_info *to, const struct signal_info *from) {
    _Static_assert(INFO_USED == 48);
    __builtin_memcpy(to, from, INFO_USED); /* inline */
}

/* own: the entry of a source, which is not queued; else null. */
static int pending_add(struct process *p, struct signal_pending *to, int signal, const struct signal_info *info,
                       struct signal_entry *own) {
    uint64_t bit = SIGNAL_BIT(signal);
    if (to->set & bit && signal < SIGNAL_REALTIME && !own) return 0; /* merged */
    struct signal_entry *e = own ? own : entry_get(p, to);
    if (own) {
        list_push_back(&to->queue, &own->link);
    } else if (e) {
        info_copy(&e->info, info);
        list_push_back(&to->queue, &e->link);
    } else if (signal >= SIGNAL_REALTIME && info->code != SI_USER) {
        return -EAGAIN;
    }
    to->set |= bit;
    return 0;
}

/* Takes the first entry of `signal`; the bit stays if there is another one. */
static void pending_take(struct signal_pending *from, int signal, struct signal_info *out) {
    bool found = false, more = false;
    list_for_each_safe (n, &from->queue) {
        struct signal_entry *e = list_entry(n, struct signal_entry, link);
        if (e->info.signal != signal) continue;
        if (found) {
            more = true;
            break;
        }
        found = true;
        info_copy(out, &e->info);
        list_remove(n);
        entry_put(from, e);
    }
    if (!found) { /* there was no memory to say more */
        __builtin_memset(out, 0, INFO_USED);
        out->signal = signal;
        out->code = SI_KERNEL;
    }
    if (!more) from->set &= ~SIGNAL_BIT(signal);
}

int signal_take(struct process *p, struct thread *t, uint64_t set, struct signal_info *out) {
    uint64_t own = t->pending.set & set, all = own | (p->pending.set & set);
    if (!all) return 0;
    uint64_t first = all & SIGNALS_SYNCHRONOUS ? all & SIGNALS_SYNCHRONOUS : all;
    int signal = __builtin_ctzll(first) + 1;
    pending_take(own & SIGNAL_BIT(signal) ? &t->pending : &p->pending, signal, out);
    signal_hint(p);
    return signal;
}

static void pending_discard(struct signal_pending *from, uint64_t set) {
    struct signal_info ignored;
    while (from->set & set) pending_take(from, __builtin_ctzll(from->set & set) + 1, &ignored);
}

void signal_discard(struct process *p, uint64_t set) {
    pending_discard(&p->pending, set);
    for_each_thread (t, p) pending_discard(&t->pending, set);
    signal_hint(p);
}

/* --- routing ------------------------------------------------------------------------------------- */

bool signal_ignored(struct process *p, int signal) {
    uintptr_t handler = p->actions[signal - 1].handler;
    return handler == SIG_IGN || (handler == SIG_DFL && SIGNALS_IGNORED & SIGNAL_BIT(signal));
}

static void kick(struct thread *t) {
    atomic_fetch_or(&t->work, WORK_SIGNAL);
    if (t != thread_current()) thread_interrupt(t);
}

/* Steps 2 to 4 for the signals in `set`, for t or for whichever thread takes them. */
static void signal_route(struct process *p, struct thread *t, uint64_t set) REQUIRES(p -> signal_lock) {
    signal_hint(p);
    atomic_thread_fence(memory_order_seq_cst);
    if (t) {
        if (set & ~signal_mask_of(t)) kick(t);
        return;
    }
    for_each_thread (candidate, p) {
        uint64_t taken = set & ~signal_mask_of(candidate);
        if (taken) kick(candidate);
        if (!(set &= ~taken)) return;
    }
}

void signal_reroute(struct process *p) {
    if (p->pending.set) signal_route(p, nullptr, p->pending.set);
}

static void process_continue(struct process *p) REQUIRES(p -> signal_lock) {
    signal_discard(p, SIGNALS_STOP);
    p->continue_count++;
    if (!p->stopped) return;
    p->stopped = false;
    p->continued = p->continue_notify = true;
    wait_queue_wake(&p->self_wait, INT32_MAX);
}

/* Nobody would notice: ignored, and no thread holds it back for later. Init takes only what it asked for. */
static bool signal_dropped(struct process *p, struct thread *t, int signal) REQUIRES(p -> signal_lock) {
    if (p == process_init && p->actions[signal - 1].handler == SIG_DFL) return true;
    if (!signal_ignored(p, signal) || p->tracer) return false;
    if (!t) t = first_thread(p);
    return !t || !(signal_mask_raw(t) & SIGNAL_BIT(signal));
}

static int post(struct process *p, struct thread *t, int signal, const struct signal_info *info,
                struct signal_entry *own) REQUIRES(p -> signal_lock) {
    uint64_t bit = SIGNAL_BIT(signal);
    if (p->group_exit || (t && list_empty(&t->process_link))) return 0;
    trace_ring_add(TR_SIGNAL, (uint64_t)signal, p->pid);
    if (signal == SIGKILL) {
        if (p != process_init) process_end_threads(p, SIGKILL);
        return 0;
    }
    if (p->dumper) return 0;
    if (signal == SIGCONT) process_continue(p);
    else if (bit & SIGNALS_STOP) signal_discard(p, SIGNAL_BIT(SIGCONT));
    if (signal_dropped(p, t, signal)) return 0;
    int e = pending_add(p, t ? &t->pending : &p->pending, signal, info, own);
    if (!e) signal_route(p, t, bit);
    if (!e && unlikely(p->signals_watched)) signal_news();
    return e;
}

int signal_post(struct process *p, struct thread *t, int signal, const struct signal_info *info) {
    return post(p, t, signal, info, nullptr);
}

/* --- sources ------------------------------------------------------------------------------------- */

struct signal_source *signal_source_create(int signal, uint32_t tid, uint64_t value, int32_t id) {
    struct process *p = process_current();
    struct thread *t = tid ? user_thread_find(tid) : nullptr;
    if (signal < 1 || signal > SIGNAL_COUNT || is_err(t) || (t && t->process != p)) {
        if (t && !is_err(t)) thread_put(t);
        return err_ptr(-EINVAL);
    }
    struct signal_source *s = kzalloc(sizeof(*s));
    if (!s) {
        if (t) thread_put(t);
        return err_ptr(-ENOMEM);
    }
    list_init(&s->entry.link);
    s->entry.info = (struct signal_info){.signal = signal, .code = SI_TIMER, .timer = {.id = id, .value = value}};
    s->thread = t;
    s->process = p;
    object_get(&p->object);
    return s;
}

void signal_source_post(struct signal_source *s, uint64_t times) {
    struct process *p = s->process;
    int32_t *overrun = &s->entry.info.timer.overrun;
    spin_lock(&p->signal_lock);
    bool queued = !list_empty(&s->entry.link);
    *overrun = (int32_t)min((queued ? (uint64_t)*overrun : 0) + times - !queued, (uint64_t)INT32_MAX);
    if (!queued) (void)post(p, s->thread, s->entry.info.signal, &s->entry.info, &s->entry);
    spin_unlock(&p->signal_lock);
}

void signal_source_destroy(struct signal_source *s) {
    struct process *p = s->process;
    spin_lock(&p->signal_lock);
    if (!list_empty(&s->entry.link)) {
        struct signal_entry *e = entry_get(p, s->thread ? &s->thread->pending : &p->pending);
        if (e) { /* else the bit alone remains */
            info_copy(&e->info, &s->entry.info);
            list_push_back(&s->entry.link, &e->link); /* just before it */
        }
        list_remove(&s->entry.link);
    }
    spin_unlock(&p->signal_lock);
    if (s->thread) thread_put(s->thread);
    object_put(&p->object);
    kfree(s);
}

/* --- for the rest of the kernel ------------------------------------------------------------------ */

static void send(struct process *p, struct thread *t, int signal, const struct signal_info *info) {
    const struct signal_info kernel = {.signal = signal, .code = SI_KERNEL};
    spin_lock(&p->signal_lock);
    if (signal_post(p, t, signal, info ? info : &kernel)) klog(LOG_WARN, "process %u: signal %d lost", p->pid, signal);
    spin_unlock(&p->signal_lock);
}

void signal_send_process(struct process *p, int signal, const struct signal_info *info) {
    send(p, nullptr, signal, info);
}

void signal_send_thread(struct thread *t, int signal, const struct signal_info *info) {
    send(t->process, t, signal, info);
}

/* Blocked or ignored, the default action happens: the instruction could only fault again. */
void signal_send_fault(int signal, int code, uaddr_t address) {
    struct thread *t = thread_current();
    struct process *p = t->process;
    struct signal_info info;
    __builtin_memset(&info, 0, INFO_USED);
    info.signal = signal;
    info.code = code;
    info.fault.address = address;
    uint64_t bit = SIGNAL_BIT(signal), mask = signal_mask_raw(t);
    spin_lock(&p->signal_lock);
    struct signal_action *a = &p->actions[signal - 1];
    bool forced = mask & bit || a->handler == SIG_IGN;
    if (forced) {
        a->handler = SIG_DFL;
        signal_mask_set(t, mask & ~bit);
    }
    if (pending_add(p, &t->pending, signal, &info, nullptr) == 0) signal_route(p, t, bit);
    spin_unlock(&p->signal_lock);
}
