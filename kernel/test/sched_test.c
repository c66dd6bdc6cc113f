// SPDX-License-Identifier: MIT
/* Threads, blocking, direct switches, locks that sleep, timers, events. */
#include <arch/time.h>
#include <kernel/clock.h>
#include <kernel/event.h>
#include <kernel/lib.h>
#include <kernel/mm.h>
#include <kernel/test.h>
#include <kernel/thread.h>

#define MS 1000000LL

/* Starts `count` threads and waits until all have ended. */
struct crew {
    void (*run)(struct crew *, unsigned number);
    _Atomic unsigned next, done;
    void *shared;
    _Atomic uint64_t sum;
};
static void crew_member(void *arg) {
    struct crew *c = arg;
    c->run(c, atomic_fetch_add(&c->next, 1));
    atomic_fetch_add(&c->done, 1);
}
static void preempt_and_yield(void) {
    preempt_point(); /* other CPUs may wait for this one's answer */
    thread_yield();
}
static void sleep_until(nsec_t deadline) {
    while (clock_now() < deadline) {
        thread_block_prepare(nullptr, false);
        (void)thread_block(deadline);
    }
}
static void crew_run(struct crew *c, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        struct thread *t = thread_create(nullptr, "crew", crew_member, c);
        EXPECT(t);
        thread_start(t);
    }
    nsec_t limit = clock_now() + 20000 * MS;
    while (atomic_load(&c->done) < count && clock_now() < limit) sleep_until(clock_now() + MS);
    EXPECT(atomic_load(&c->done) == count);
    sleep_until(clock_now() + 5 * MS); /* their stacks go back */
}

static void count_and_yield(struct crew *c, unsigned) {
    for (unsigned i = 0; i < 1000; i++) {
        atomic_fetch_add(&c->sum, 1);
        thread_yield();
    }
}
KTEST(sched_threads_yield_and_end) {
    struct crew c = {.run = count_and_yield};
    crew_run(&c, 16);
    EXPECT(c.sum == 16000);
}

KTEST(sched_timeouts_and_wakes) {
    nsec_t start = clock_now();
    thread_block_prepare(nullptr, true);
    EXPECT(thread_block(start + 3 * MS) == -ETIMEDOUT);
    EXPECT(clock_now() >= start + 3 * MS);
    thread_block_prepare(nullptr, true);
    EXPECT(thread_block(1) == -ETIMEDOUT);
    thread_block_prepare(nullptr, true);
    EXPECT(thread_wake(thread_current(), 7) && !thread_wake(thread_current(), 8));
    EXPECT(thread_block(DEADLINE_NEVER) == 7);
    thread_block_prepare(nullptr, false);
    EXPECT(!thread_wake(thread_current(), -EINTR));
    thread_block_cancel();
    EXPECT(!thread_wake(thread_current(), 0));
}

/* Two threads hand a token to and fro, by wake-ups that race with their blocking. */
struct relay {
    struct thread *_Atomic player[2];
    _Atomic unsigned turn;
    bool direct;
};
static void relay_play(struct crew *c, unsigned number) {
    struct relay *r = c->shared;
    struct thread *self = thread_current();
    atomic_store(&r->player[number], self);
    while (!atomic_load(&r->player[!number])) preempt_and_yield();
    struct thread *other = atomic_load(&r->player[!number]);
    thread_get(other);
    for (unsigned i = number; i < 4000; i += 2) {
        while (atomic_load(&r->turn) != i) {
            thread_block_prepare(r, true);
            if (atomic_load(&r->turn) == i) thread_block_cancel();
            else (void)thread_block(DEADLINE_NEVER);
        }
        thread_block_prepare(r, true);
        atomic_store(&r->turn, i + 1);
        if (r->direct && i < 3990 && thread_claim(other)) {
            (void)thread_block_switch_to(other, DEADLINE_NEVER);
        } else {
            thread_block_cancel();
            thread_wake(other, 0);
        }
    }
    thread_put(other);
}
KTEST(sched_no_wake_is_lost) {
    struct relay r = {};
    struct crew c = {.run = relay_play, .shared = &r};
    crew_run(&c, 2);
    EXPECT(r.turn == 4000);
}
KTEST(sched_direct_switch) {
    struct relay r = {.direct = true};
    struct crew c = {.run = relay_play, .shared = &r};
    crew_run(&c, 2);
    EXPECT(r.turn == 4000);
}

static struct mutex test_mutex = MUTEX_INIT(test_mutex, RANK_SPACE);
static void count_under_mutex(struct crew *c, unsigned) UNCHECKED {
    uint64_t *plain = c->shared;
    for (unsigned i = 0; i < 300; i++) {
        mutex_lock(&test_mutex);
        uint64_t v = *(volatile uint64_t *)plain;
        if (i % 3 == 0) thread_yield();
        *plain = v + 1;
        mutex_unlock(&test_mutex);
    }
}
KTEST(sched_mutex_excludes) {
    uint64_t plain = 0;
    struct crew c = {.run = count_under_mutex, .shared = &plain};
    crew_run(&c, 8);
    EXPECT(plain == 2400);
    EXPECT(!test_mutex.owner && list_empty(&test_mutex.waiters));
}

static void hold_and_lend(struct crew *c, unsigned number) UNCHECKED {
    struct thread *self = thread_current();
    thread_set_priority(self, number ? 40 : 10);
    if (number) {
        while (!atomic_load(&test_mutex.owner)) preempt_and_yield();
        mutex_lock(&test_mutex);
        mutex_unlock(&test_mutex);
        return;
    }
    mutex_lock(&test_mutex);
    for (unsigned i = 0; i < 200 && self->priority != 40; i++) sleep_until(clock_now() + MS);
    atomic_fetch_add(&c->sum, self->priority);
    mutex_unlock(&test_mutex);
    atomic_fetch_add(&c->sum, self->priority);
}
KTEST(sched_mutex_lends_priority) {
    struct crew c = {.run = hold_and_lend};
    crew_run(&c, 2);
    EXPECT(c.sum == 50);
}

/* A busy thread of low priority does not keep one of high priority from running. */
static void spin_or_stop(struct crew *c, unsigned number) {
    thread_set_affinity(thread_current(), 1);
    thread_yield();
    if (number) {
        thread_set_priority(thread_current(), 50);
        sleep_until(clock_now() + 5 * MS);
        atomic_store(&c->sum, 1);
        return;
    }
    nsec_t limit = clock_now() + 20000 * MS;
    while (!atomic_load(&c->sum) && clock_now() < limit) preempt_point();
    EXPECT(atomic_load(&c->sum) == 1);
}
KTEST(sched_priorities_preempt) {
    struct crew c = {.run = spin_or_stop};
    crew_run(&c, 2);
}

/* Threads that never block share a CPU by slices. */
static void spin_slices(struct crew *c, unsigned number) {
    thread_set_affinity(thread_current(), 1);
    preempt_point();
    atomic_fetch_or(&c->sum, 1u << number);
    nsec_t limit = clock_now() + 20000 * MS;
    while (atomic_load(&c->sum) != 7 && clock_now() < limit) preempt_point();
    EXPECT(atomic_load(&c->sum) == 7);
}
KTEST(sched_slices_rotate) {
    struct crew c = {.run = spin_slices};
    crew_run(&c, 3);
    EXPECT(c.sum == 7);
}

static void note_cpu(struct crew *c, unsigned) {
    const uint64_t all = (1ULL << cpu_online()) - 1;
    for (nsec_t limit = clock_now() + 20000 * MS; atomic_load(&c->sum) != all && clock_now() < limit;) {
        atomic_fetch_or(&c->sum, 1ULL << cpu_current()->id);
        preempt_point();
    }
}
KTEST(sched_all_cpus_work) {
    struct crew c = {.run = note_cpu};
    crew_run(&c, 4 * cpu_online());
    EXPECT(c.sum == (1ULL << cpu_online()) - 1);
}

static _Atomic unsigned fired;
static void count_fire(struct timer *) { atomic_fetch_add(&fired, 1); }
KTEST(timers_fire_in_order_or_not_at_all) {
    struct timer t[3];
    for (unsigned i = 0; i < 3; i++) timer_init(&t[i], count_fire);
    atomic_store(&fired, 0);
    nsec_t now = clock_now();
    timer_start(&t[0], now + MS);
    timer_start(&t[1], now + 2 * MS);
    timer_start(&t[2], now + 60000 * MS);
    timer_start(&t[1], now + 3 * MS);
    /* This thread may wake up elsewhere while the host has stopped the CPU that the timers are on. */
    while (clock_now() < now + 20000 * MS && atomic_load(&fired) < 2) sleep_until(clock_now() + MS);
    EXPECT(fired == 2);
    EXPECT(timer_stop(&t[2]));
    for (unsigned i = 0; i < 3; i++) EXPECT(!timer_stop(&t[i]));
}

KTEST(timer_objects_expire) {
    struct object *o = timer_object_create(1 /* CLOCK_MONO */, nullptr, nullptr);
    nsec_t old[2];
    uint64_t n = 0;
    EXPECT(timer_object_read(o, &n, true, 0) == -EAGAIN);
    nsec_t first = clock_now() + 2 * MS;
    timer_object_set(o, first, MS, false, old);
    EXPECT(old[0] == 0 && (o->ops->poll(o) == 0 || clock_now() >= first));
    EXPECT(timer_object_read(o, &n, false, DEADLINE_NEVER) == 8 && n >= 1);
    sleep_until(clock_now() + 5 * MS);
    EXPECT(timer_object_read(o, &n, true, 0) == 8 && n >= 4);
    timer_object_set(o, 0, 0, false, old);
    EXPECT(old[1] == MS);
    EXPECT(timer_object_read(o, &n, true, 0) == -EAGAIN);
    object_put(o);
    object_reap();
}

KTEST(event_counter_and_sets) {
    struct object *set = event_create(0, false), *a = event_create(0, false), *b = event_create(3, false);
    struct event out[4];
    struct event in = {.mask = EVENT_IN, .key = 77}, edge = {.mask = EVENT_IN | EVENT_EDGE, .key = 78};
    uint64_t v = 0;
    EXPECT(event_control(set, EVENT_ADD, a, 5, &in) == 0 && event_control(set, EVENT_ADD, a, 5, &in) == -EEXIST);
    EXPECT(event_control(set, EVENT_ADD, set, 6, &in) == -EINVAL);
    EXPECT(event_control(a, EVENT_ADD, set, 6, &in) == -ELOOP);
    EXPECT(event_wait(set, out, 4, 0) == -EAGAIN && !event_ready(set));
    event_post(a, 2);
    EXPECT(event_ready(set) && event_wait(set, out, 4, 0) == 1 && out[0].key == 77 && out[0].mask == EVENT_IN);
    EXPECT(event_wait(set, out, 4, 0) == 1); /* level */
    EXPECT(event_control(set, EVENT_ADD, b, 7, &edge) == 0);
    EXPECT(event_wait(set, out, 4, 0) == 2);
    EXPECT(event_wait(set, out, 4, 0) == 1 && out[0].key == 77);
    EXPECT(event_read(a, &v, true, 0) == 8 && v == 2 && event_read(a, &v, true, 0) == -EAGAIN);
    EXPECT(event_wait(set, out, 4, clock_now() + MS) == -ETIMEDOUT);
    in.mask |= EVENT_ONESHOT;
    EXPECT(event_control(set, EVENT_MODIFY, a, 5, &in) == 0);
    event_post(a, 1);
    EXPECT(event_wait(set, out, 4, 0) == 1 && event_wait(set, out, 4, 0) == -EAGAIN);
    EXPECT(event_control(set, EVENT_DELETE, a, 5, nullptr) == 0 &&
           event_control(set, EVENT_DELETE, a, 5, nullptr) == -ENOENT);
    EXPECT(event_wait(b, out, 4, 0) == 1 && out[0].reserved == 1 && out[0].key == 3);
    EXPECT(event_write(b, UINT64_MAX, true, 0) == -EINVAL && event_write(b, UINT64_MAX - 1, true, 0) == 8);
    EXPECT(event_write(b, 1, true, 0) == -EAGAIN);
    watch_remove_all(b);
    struct object *all[] = {set, a, b};
    for (unsigned i = 0; i < 3; i++) object_put(all[i]);
    object_reap();
}

static void post_and_wait(struct crew *c, unsigned number) {
    struct object **ev = c->shared;
    struct event out;
    for (unsigned i = 0; i < 2000; i++) {
        if (number) event_post(ev[0], 1);
        EXPECT(event_wait(ev[number], &out, 1, DEADLINE_NEVER) == 1);
        if (!number) event_post(ev[1], 1);
    }
}
KTEST(event_ping_pong) {
    struct object *ev[2] = {event_create(0, false), event_create(0, false)};
    struct crew c = {.run = post_and_wait, .shared = ev};
    crew_run(&c, 2);
    object_put(ev[0]);
    object_put(ev[1]);
    object_reap();
}

/* RFC 8439 §2.3.2 */
KTEST(random_chacha20_vector) {
    uint32_t key[8], out[16];
    for (unsigned i = 0; i < 32; i++) ((uint8_t *)key)[i] = (uint8_t)i;
    const uint32_t nonce[3] = {0x09000000, 0x4a000000, 0};
    chacha20_block(key, 1, nonce, out);
    EXPECT(out[0] == 0xe4e7f110 && out[1] == 0x15593bd1 && out[15] == 0x4e3c50a2);
}
