// SPDX-License-Identifier: MIT
/*
 * Signal objects (signalfd): readable while whoever looks has a signal of the mask pending; read takes
 * it.  As with signalfd the object knows no process: each caller sees its own signals.
 *
 * A signal is posted with signal_lock held, which ranks above the locks of watches.  So the news go
 * out by a timer of the posting CPU that is due at once, to all signal objects: those that look in
 * vain only cost a look.  A process causes this once it has looked at such an object, or its parent before fork:
 *
 *   poster, under signal_lock: adds, reads `watched`       looker, under signal_lock: sets `watched`, reads the set
 *
 * and a looker has its watch on the list before its last look.
 */
#include <abi/file.h>
#include <kernel/event.h>
#include <kernel/mm.h>
#include <kernel/syscall.h>

#include "process_impl.h"

struct signal_object {
    struct object object;
    _Atomic uint64_t mask;
    _Atomic uint32_t status; /* FILE_NONBLOCK */
    struct list link;
};

static struct spinlock objects_lock = SPINLOCK_INIT(RANK_OBJECT);
static struct list objects GUARDED_BY(objects_lock) = {&objects, &objects};

static void news_tell(struct timer *) {
    spin_lock(&objects_lock);
    list_for_each (l, &objects) object_notify(&list_entry(l, struct signal_object, link)->object, EVENT_IN);
    spin_unlock(&objects_lock);
}

static struct timer news[CPU_MAX] = {[0 ... CPU_MAX - 1] = {.fire = news_tell}};

void signal_news(void) { timer_start(&news[cpu_current()->id], 0); }

static uint32_t signal_object_poll(struct object *o) {
    struct thread *t = thread_current();
    struct process *p = t->process;
    spin_lock(&p->signal_lock);
    p->signals_watched = true;
    uint64_t ready = (t->pending.set | p->pending.set) & object_as(signal_object, o)->mask;
    spin_unlock(&p->signal_lock);
    return ready ? EVENT_IN : 0;
}

static void signal_object_destroy(struct object *o) {
    struct signal_object *s = object_as(signal_object, o);
    spin_lock(&objects_lock);
    list_remove(&s->link);
    spin_unlock(&objects_lock);
    kfree(s);
}

const struct object_ops signal_object_ops = {
    .type = OBJECT_SIGNALS,
    .name = "signals",
    .status_at = offsetof(struct signal_object, status),
    .destroy = signal_object_destroy,
    .poll = signal_object_poll,
};

static long signal_object_create(uint64_t mask, uint32_t flags) {
    struct signal_object *s = kzalloc(sizeof(*s));
    if (!s) return -ENOMEM;
    object_init(&s->object, &signal_object_ops);
    s->mask = mask;
    spin_lock(&objects_lock);
    list_push_back(&objects, &s->link);
    spin_unlock(&objects_lock);
    return object_install(&s->object, RIGHT_READ | RIGHT_WRITE | RIGHT_WAIT | RIGHT_DUPLICATE | RIGHT_TRANSFER, flags);
}

long sys_signal_open(handle_t h, uint64_t mask, uint32_t flags) {
    mask &= ~SIGNALS_UNBLOCKABLE;
    if (h == HANDLE_NONE) return signal_object_create(mask, flags);
    struct object *o;
    int e = handle_lookup(h, OBJECT_SIGNALS, RIGHT_WRITE, &o, nullptr);
    if (e) return e;
    object_as(signal_object, o)->mask = mask;
    object_notify(o, EVENT_IN);
    object_put(o);
    return h;
}

/* --- reading ------------------------------------------------------------------------------------- */

static struct signal_record record_of(const struct signal_info *i) {
    struct signal_record r = {.signal = (uint32_t)i->signal, .error = i->error, .code = i->code};
    const uint64_t faults =
        SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGTRAP);
    bool kernel = i->code > 0 && i->code < SI_KERNEL;
    if (kernel && SIGNAL_BIT(i->signal) & faults) {
        r.address = i->fault.address;
    } else if (i->code == SI_TIMER) {
        r.timer = (uint32_t)i->timer.id;
        r.overrun = (uint32_t)i->timer.overrun;
        r.value = i->timer.value;
    } else if (kernel && i->signal == SIGCHLD) {
        r.pid = (uint32_t)i->child.pid;
        r.uid = i->child.uid;
        r.status = i->child.status;
        r.utime = (uint64_t)i->child.utime;
        r.stime = (uint64_t)i->child.stime;
    } else if (i->code != SI_KERNEL) {
        r.pid = (uint32_t)i->user.pid;
        r.uid = i->user.uid;
        if (i->code < 0 && i->code != SI_TKILL) r.value = i->user.value;
    }
    r.value_int = (int32_t)r.value;
    return r;
}

long signal_object_read(struct object *o, uaddr_t to, size_t size, bool nonblock, nsec_t deadline) {
    struct signal_object *s = object_as(signal_object, o);
    if (size < sizeof(struct signal_record)) return -EINVAL;
    if (nonblock || s->status & FILE_NONBLOCK) deadline = 0;
    size_t done = 0;
    while (size - done >= sizeof(struct signal_record)) {
        struct signal_info info = {};
        long signal = signal_wait(s->mask, &info, done ? 0 : deadline);
        if (signal < 0) return done ? (long)done : signal == -ERESTARTNOHAND ? -EINTR : signal;
        struct signal_record record = record_of(&info);
        if (copy_to_user(to + done, &record, sizeof(record))) return done ? (long)done : -EFAULT;
        done += sizeof(record);
        preempt_point();
    }
    return (long)done;
}
