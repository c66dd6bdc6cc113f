// SPDX-License-Identifier: MIT
/*
 * Timer objects (timerfd, POSIX timers): a deadline and a period on a clock, readable while expirations
 * are unread; they may send a signal, too.  Expirations of a periodic timer are computed from the
 * clock when it is looked at, so that a busy system loses none.  When the wall clock is set, armed
 * wall timers are aimed anew, but for those that were set to a span of time.  CPU time has no tick: its
 * timers look at the earliest moment at which the rest can have been used up, and again if it has not.
 */
#include <abi/file.h>
#include <abi/system.h>
#include <kernel/clock.h>
#include <kernel/event.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include <kernel/sanitizer.h>

#define CPU_CHECK_MIN_NS 1000000LL /* CPU time is not looked at more often */
#define PERIOD_MIN_NS 50000LL /* between two interrupts: a period of 1 ns must not fill a CPU */

struct timer_object {
    struct object object;
    struct spinlock lock;
    uint32_t clock;
    _Atomic uint32_t status; /* FILE_NONBLOCK */
    nsec_t deadline GUARDED_BY(lock), period GUARDED_BY(lock); /* on its clock; deadline 0: disarmed */
    bool relative GUARDED_BY(lock); /* a wall timer that runs on CLOCK_MONOTONIC */
    uint64_t expirations GUARDED_BY(lock);
    struct process *process; /* whose CPU time it is: a reference */
    struct thread *thread; /* likewise */
    struct signal_source *_Atomic signal;
    bool own; /* not for a child */
    struct timer timer;
    struct wait_queue readers;
    struct list link; /* wall timers */
};

static struct spinlock wall_lock = SPINLOCK_INIT(RANK_HANDLES);
static struct list wall_timers = {&wall_timers, &wall_timers};

static nsec_t now_on(const struct timer_object *t) REQUIRES(t -> lock) {
    if (t->process) return (nsec_t)process_cpu_time(t->process);
    if (t->thread) return (nsec_t)thread_run_ns(t->thread);
    return t->clock == CLOCK_WALL && !t->relative ? clock_realtime() : clock_now();
}

static nsec_t add_saturated(nsec_t a, nsec_t b) {
    nsec_t sum;
    return __builtin_add_overflow(a, b, &sum) ? DEADLINE_NEVER : sum;
}

/* No more CPU time will be used. */
static bool clock_has_ended(const struct timer_object *t) {
    if (t->process) return !t->process->thread_count;
    return t->thread && list_empty(&t->thread->process_link);
}

/* When to look again: `left` from now on its clock. */
static nsec_t aim(const struct timer_object *t, nsec_t left) {
    uint32_t threads = t->process ? t->process->thread_count : 1;
    left /= max(threads, 1U);
    if (t->process || t->thread) left = max(left, CPU_CHECK_MIN_NS);
    return add_saturated(clock_now(), left);
}

/* Counts what has expired and aims the kernel timer at the next deadline. */
static void advance(struct timer_object *t) REQUIRES(t -> lock) {
    nsec_t now = now_on(t), soonest = 0;
    if (t->deadline && t->deadline <= now) {
        uint64_t n = t->period ? (uint64_t)((now - t->deadline) / t->period) + 1 : 1;
        t->expirations += n;
        if (t->signal) signal_source_post(t->signal, n);
        t->deadline = t->period ? add_saturated(t->deadline + (nsec_t)(n - 1) * t->period, t->period) : 0;
        soonest = PERIOD_MIN_NS;
    }
    if (t->deadline && !clock_has_ended(t)) timer_start(&t->timer, aim(t, max(t->deadline - now, soonest)));
    else timer_cancel(&t->timer);
}

static void expire(struct timer *timer) {
    struct timer_object *t = container_of(timer, struct timer_object, timer);
    spin_lock(&t->lock);
    advance(t);
    bool ready = t->expirations;
    spin_unlock(&t->lock);
    if (!ready) return;
    object_notify(&t->object, EVENT_IN);
    wait_queue_wake(&t->readers, 1);
}

static void timer_destroy(struct object *o) {
    struct timer_object *t = object_as(timer_object, o);
    spin_lock(&wall_lock);
    list_remove(&t->link);
    spin_unlock(&wall_lock);
    timer_stop(&t->timer);
    if (t->signal) signal_source_destroy(t->signal);
    if (t->process) object_put(&t->process->object);
    if (t->thread) thread_put(t->thread);
    kfree(t);
}

RACE_INTENDED static uint32_t timer_poll(struct object *o) UNCHECKED {
    return object_as(timer_object, o)->expirations ? EVENT_IN : 0;
}

const struct object_ops timer_ops = {
    .type = OBJECT_TIMER,
    .name = "timer",
    .status_at = offsetof(struct timer_object, status),
    .destroy = timer_destroy,
    .poll = timer_poll,
};

struct object *timer_object_create(uint32_t clock, struct process *p, struct thread *of) {
    struct timer_object *t = kzalloc(sizeof(*t));
    if (!t) return nullptr;
    object_init(&t->object, &timer_ops);
    spin_init(&t->lock, RANK_OBJECT);
    timer_init(&t->timer, expire);
    wait_queue_init(&t->readers);
    list_init(&t->link);
    t->clock = clock;
    t->process = p;
    t->thread = of;
    if (p) object_get(&p->object);
    if (of) thread_get(of);
    if (clock == CLOCK_WALL) {
        spin_lock(&wall_lock);
        list_push_back(&wall_timers, &t->link);
        spin_unlock(&wall_lock);
    }
    return &t->object;
}

uint32_t timer_object_clock(struct object *o) { return object_as(timer_object, o)->clock; }

bool timer_object_own(struct object *o) { return object_as(timer_object, o)->own; }

int32_t timer_object_overruns(struct object *o) UNCHECKED {
    struct signal_source *s = object_as(timer_object, o)->signal;
    return s ? s->overruns : 0;
}

int timer_object_signal(struct object *o, int signal, uint32_t tid, uint64_t value, int32_t id) {
    struct timer_object *t = object_as(timer_object, o);
    struct signal_source *none = nullptr, *s = signal ? signal_source_create(signal, tid, value, id) : nullptr;
    if (is_err(s)) return ptr_err(s);
    t->own = true;
    if (!s || atomic_compare_exchange_strong(&t->signal, &none, s)) return 0;
    signal_source_destroy(s);
    return -EBUSY;
}

void timer_object_set(struct object *o, nsec_t deadline, nsec_t period, bool relative, nsec_t old[2]) {
    struct timer_object *t = object_as(timer_object, o);
    spin_lock(&t->lock);
    advance(t);
    old[0] = t->deadline ? max(t->deadline - now_on(t), 1) : 0;
    old[1] = t->period;
    if (deadline >= 0) {
        t->relative = relative;
        t->deadline = deadline && relative ? add_saturated(now_on(t), deadline) : deadline;
        t->period = period;
        t->expirations = 0;
    }
    spin_unlock(&t->lock);
    expire(&t->timer);
}

void timer_objects_clock_set(void) {
    spin_lock(&wall_lock);
    list_for_each (l, &wall_timers) expire(&list_entry(l, struct timer_object, link)->timer);
    spin_unlock(&wall_lock);
}

static bool expired(void *arg) { return timer_poll(arg); }

long timer_object_read(struct object *o, uint64_t *expirations, bool nonblock, nsec_t deadline) {
    struct timer_object *t = object_as(timer_object, o);
    for (;;) {
        spin_lock(&t->lock);
        if (t->deadline && t->deadline <= now_on(t)) /* the interrupt is late */
            advance(t);
        uint64_t n = t->expirations;
        t->expirations = 0;
        spin_unlock(&t->lock);
        if (n) {
            *expirations = n;
            return sizeof(n);
        }
        bool now = nonblock || (t->status & FILE_NONBLOCK);
        int e = wait_queue_sleep(&t->readers, expired, o, true, now ? 0 : deadline);
        if (e) return e;
    }
}
