// SPDX-License-Identifier: MIT
/* Channels and futexes, by kernel threads that borrow a bare process with user memory. */
#include <kernel/channel.h>
#include <kernel/clock.h>
#include <kernel/event.h>
#include <kernel/lib.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include <kernel/space.h>
#include <kernel/test.h>

#define MS 1000000LL
#define AREA (1UL << 20)
#define SIZE (1UL << 20)

static struct process host;
static struct account host_account;
static struct cred host_cred = {.account = &host_account};

static void borrow(void) {
    struct thread *t = thread_current();
    t->process = &host;
    arch_thread_set_pagetable(t, &host.space->table);
}
static void give_back(void) {
    struct thread *t = thread_current();
    t->process = nullptr;
    arch_thread_set_pagetable(t, nullptr);
}
static void host_begin(void) {
    host.space = space_create();
    host.cred = &host_cred;
    EXPECT(host.space);
    EXPECT(space_map(host.space, AREA, SIZE, VM_READ | VM_WRITE | VM_FIXED, nullptr, 0) == (long)AREA);
    borrow();
}
static void host_end(void) {
    give_back();
    space_put(host.space);
}

static long put(struct object *end, size_t at, size_t n, nsec_t deadline) {
    struct io_vector v = {(void *)(AREA + at), n};
    return channel_send(end, nullptr, &v, 1, 0, deadline);
}
static long get(struct object *end, size_t at, size_t n, nsec_t deadline) {
    struct io_vector v = {(void *)(AREA + at), n};
    return channel_receive(end, nullptr, &v, 1, 0, deadline);
}
static void poke(size_t at, const char *text) { EXPECT(copy_to_user(AREA + at, text, strlen(text)) == 0); }
static bool holds(size_t at, const char *text) {
    char buf[64];
    return copy_from_user(buf, AREA + at, strlen(text)) == 0 && !memcmp(buf, text, strlen(text));
}
static void open_ends(struct object *ends[2], uint32_t flags, size_t capacity) {
    EXPECT(channel_create(flags, capacity, ends) == 0);
    for (unsigned i = 0; i < 2; i++) object_handle_get(ends[i]);
}
static void close_end(struct object *end) {
    object_handle_put(end);
    object_reap();
}
static void close_ends(struct object *ends[2]) {
    for (unsigned i = 0; i < 2; i++) {
        close_end(ends[i]);
        object_put(ends[i]);
    }
    object_reap();
}

KTEST(channel_pipe_bytes) {
    struct object *p[2];
    host_begin();
    open_ends(p, CHANNEL_ONE_WAY, 0);
    EXPECT(get(p[0], 0, 10, 0) == -EAGAIN && get(p[1], 0, 1, 0) == -EBADF && put(p[0], 0, 1, 0) == -EBADF);
    poke(0, "hello, world");
    EXPECT(put(p[1], 0, 12, 0) == 12 && channel_control(p[0], CHANNEL_READABLE, 0) == 12);
    EXPECT(p[0]->ops->poll(p[0]) == EVENT_IN && p[1]->ops->poll(p[1]) == EVENT_OUT);
    EXPECT(get(p[0], 100, 5, 0) == 5 && holds(100, "hello"));
    EXPECT(get(p[0], 200, 50, 0) == 7 && holds(200, ", world"));
    EXPECT(put(p[1], 0, SIZE, 0) == 65536 && put(p[1], 0, 1, 0) == -EAGAIN);
    EXPECT(p[1]->ops->poll(p[1]) == 0);
    EXPECT(get(p[0], 0, 4000, 0) == 4000);
    EXPECT(put(p[1], 0, 4096, 0) == -EAGAIN && put(p[1], 0, 4097, 0) == 4000); /* atomic up to 4096 */
    EXPECT(get(p[0], 0, SIZE, 0) == 65536);
    struct io_vector bad[2] = {{(void *)AREA, 10}, {(void *)(AREA + SIZE), 10}};
    EXPECT(channel_send(p[1], nullptr, bad, 2, 0, 0) == -EFAULT && get(p[0], 0, 100, 0) == -EAGAIN);
    EXPECT(get(p[0], 0, 10, clock_now() + MS) == -ETIMEDOUT);
    put(p[1], 0, 3, 0) == 3 ? (void)0 : EXPECT(false);
    close_end(p[1]);
    EXPECT(p[0]->ops->poll(p[0]) == (EVENT_IN | EVENT_HANGUP));
    EXPECT(get(p[0], 0, 10, DEADLINE_NEVER) == 3 && get(p[0], 0, 10, DEADLINE_NEVER) == 0);
    close_end(p[0]);
    EXPECT(p[1]->ops->poll(p[1]) == (EVENT_OUT | EVENT_ERROR));
    EXPECT(put(p[1], 0, 1, 0) == -EPIPE);
    object_put(p[0]);
    object_put(p[1]);
    object_reap();
    host_end();
}

KTEST(channel_capacity_and_errors) {
    struct object *p[2];
    host_begin();
    open_ends(p, 0, 8192);
    poke(0, "abcdefgh");
    EXPECT(put(p[0], 0, 5000, 0) == 5000 && get(p[1], 0, 4999, 0) == 4999);
    poke(0, "0123456789");
    EXPECT(put(p[0], 0, 4096, 0) == 4096); /* wraps around the ring's end */
    EXPECT(channel_control(p[0], CHANNEL_SET_CAPACITY, 20000) == 20480);
    EXPECT(channel_control(p[0], CHANNEL_WRITABLE, 0) == 20480 - 4097);
    EXPECT(get(p[1], 8000, 1, 0) == 1 && get(p[1], 0, 30, 0) == 30 && holds(0, "0123456789"));
    EXPECT(channel_control(p[0], CHANNEL_SET_CAPACITY, 1) == -EBUSY ||
           channel_control(p[1], CHANNEL_READABLE, 0) <= 4096);
    EXPECT(channel_control(p[0], CHANNEL_SET_ERROR, 104) == 0);
    EXPECT(p[1]->ops->poll(p[1]) & EVENT_ERROR);
    EXPECT(get(p[1], 0, 1, 0) == -104 && get(p[1], 0, 1, 0) == 1);
    EXPECT(channel_control(p[1], CHANNEL_SHUTDOWN, 2) == 0);
    EXPECT(put(p[1], 0, 1, 0) == -EPIPE && get(p[0], 0, 1, DEADLINE_NEVER) == 0 && put(p[0], 0, 1, 0) == 1);
    close_ends(p);
    host_end();
}

static void wait_for(_Atomic unsigned *what, unsigned value) {
    nsec_t limit = clock_now() + 5000 * MS;
    while (atomic_load(what) != value && clock_now() < limit) {
        preempt_point(); /* other CPUs may wait for this one's answer */
        thread_yield();
    }
    EXPECT(atomic_load(what) == value);
}

static struct object *race[2];
static _Atomic unsigned racing;
static void race_write(void *arg) {
    size_t at = (size_t)arg;
    borrow();
    for (size_t done = 0; done < SIZE / 4;) {
        size_t n = min(SIZE / 4 - done, 1 + (done * 7919) % 9000);
        EXPECT(put(race[1], at + done, n, DEADLINE_NEVER) == (long)n);
        done += n;
    }
    give_back();
    atomic_fetch_sub(&racing, 1);
}
KTEST(channel_moves_streams_under_pressure) {
    host_begin();
    for (size_t i = 0; i < SIZE / 4; i += 8) {
        uint64_t v = i * 0x9e3779b97f4a7c15;
        EXPECT(copy_to_user(AREA + i, &v, 8) == 0);
    }
    open_ends(race, CHANNEL_ONE_WAY, 0);
    atomic_store(&racing, 1);
    struct thread *t = thread_create(nullptr, "writer", race_write, nullptr);
    thread_start(t);
    size_t got = 0;
    while (got < SIZE / 4) {
        long n = get(race[0], SIZE / 2 + got, 1 + (got * 31) % 20000, DEADLINE_NEVER);
        EXPECT(n > 0);
        got += n > 0 ? (size_t)n : SIZE;
    }
    wait_for(&racing, 0);
    for (size_t i = 0; i < SIZE / 4; i += 8) {
        uint64_t v = 0;
        EXPECT(copy_from_user(&v, AREA + SIZE / 2 + i, 8) == 0);
        if (v != i * 0x9e3779b97f4a7c15) {
            EXPECT(!"data as written");
            break;
        }
    }
    close_ends(race);
    host_end();
}

/* With handles to objects, each given away. */
static long send(struct object *end, size_t at, size_t n, struct object **carried, uint32_t count) {
    struct io_vector v = {(void *)(AREA + at), n};
    struct message *m = count ? message_create(count) : nullptr;
    if (is_err(m)) return ptr_err(m);
    for (uint32_t i = 0; i < count; i++) {
        object_handle_get(carried[i]);
        m->handles[i].object = carried[i];
    }
    long sent = channel_send(end, m, &v, 1, 0, 0);
    object_reap();
    return sent;
}
static long receive(struct object *end, size_t n, struct message **came, uint32_t flags) {
    struct io_vector v = {(void *)(AREA + SIZE / 2), n};
    *came = nullptr;
    return channel_receive(end, came, &v, 1, flags, 0);
}
static void put_down(struct message *m) {
    message_put(m);
    object_reap();
}

KTEST(channel_messages) {
    struct object *p[2], *q[2];
    struct message *m;
    host_begin();
    open_ends(p, CHANNEL_MESSAGES, 8192);
    open_ends(q, 0, 0);
    poke(0, "first second");
    EXPECT(send(p[0], 0, 5, q, 2) == 5 && send(p[0], 6, 6, nullptr, 0) == 6 && host_account.flights == 2);
    EXPECT(send(p[0], 0, 8193, nullptr, 0) == -EMSGSIZE && send(p[0], 0, 8192, nullptr, 0) == -EAGAIN);
    EXPECT(channel_control(p[1], CHANNEL_READABLE, 0) == 5);
    EXPECT(receive(p[1], 3, &m, IO_PEEK) == 3 && m->size == 5 && q[0]->in_flight == 1);
    put_down(m);
    EXPECT(receive(p[1], 64, &m, 0) == 5 && m->handle_count == 2 && m->handles[0].object == q[0]);
    EXPECT(q[0]->handles == 2 && q[0]->in_flight == 0);
    put_down(m);
    EXPECT(q[0]->handles == 1 && q[1]->handles == 1 && host_account.flights == 0);
    EXPECT(get(p[1], 0, 3, 0) == 3 && holds(0, "sec") && get(p[1], 0, 3, 0) == -EAGAIN);
    EXPECT(send(p[0], 0, 0, nullptr, 0) == 0 && send(p[0], 0, 2, nullptr, 0) == 2); /* an empty one is one */
    EXPECT(p[1]->ops->poll(p[1]) & EVENT_IN && receive(p[1], 4, &m, 0) == 0 && m);
    put_down(m);
    EXPECT(receive(p[1], 4, &m, 0) == 2);
    put_down(m);
    unsigned n = 0;
    while (send(p[0], 0, 0, nullptr, 0) == 0) n++;
    EXPECT(n == 8192 / 64 && p[0]->ops->poll(p[0]) == 0);
    while (n && get(p[1], 0, 1, 0) == 0) n--;
    EXPECT(n == 0 && get(p[1], 0, 1, 0) == -EAGAIN);
    /* bytes with handles: a read stops before the next ones */
    EXPECT(send(q[0], 0, 4, nullptr, 0) == 4 && send(q[0], 0, 3, p, 1) == 3);
    EXPECT(receive(q[1], 64, &m, 0) == 4 && !m);
    EXPECT(receive(q[1], 64, &m, 0) == 3 && m->handle_count == 1 && m->handles[0].object == p[0]);
    put_down(m);
    EXPECT(send(q[0], 0, 3, p, 1) == 3 && get(q[1], 0, 64, 0) == 3 && p[0]->handles == 1);
    /* who sent it: bytes of one sender are one piece */
    EXPECT(channel_control(q[1], CHANNEL_SET_STAMPED, 1) == 0);
    host.pid = 7;
    EXPECT(send(q[0], 0, 2, nullptr, 0) == 2 && send(q[0], 2, 1, nullptr, 0) == 1);
    host.pid = 8;
    EXPECT(send(q[0], 3, 2, nullptr, 0) == 2);
    EXPECT(receive(q[1], 64, &m, 0) == 3 && m->pid == 7);
    put_down(m);
    EXPECT(receive(q[1], 64, &m, 0) == 2 && m->pid == 8);
    put_down(m);
    close_ends(p);
    close_ends(q);
    host_end();
}

/* Both ends are in flight in each other's queues and nobody else holds them. */
KTEST(channel_cycles_are_collected) {
    struct object *p[2], *q[2];
    host_begin();
    open_ends(p, 0, 0);
    open_ends(q, CHANNEL_MESSAGES, 0);
    for (unsigned i = 0; i < 2; i++) EXPECT(send(q[i], 0, 1, &p[i], 1) == 1 && send(p[i], 0, 1, &q[i], 1) == 1);
    channel_collect_cycles();
    EXPECT(p[0]->handles == 2 && q[0]->handles == 2); /* still reachable */
    for (unsigned i = 0; i < 2; i++) {
        object_handle_put(p[i]);
        object_handle_put(q[i]);
    }
    object_reap();
    EXPECT(p[0]->handles == 0 && p[1]->handles == 0 && q[0]->handles == 0 && q[1]->handles == 0);
    EXPECT(host_account.flights == 0);
    for (unsigned i = 0; i < 2; i++) {
        object_put(p[i]);
        object_put(q[i]);
    }
    object_reap();
    /* An end on its way to itself, with others in its queue; its peer goes first. */
    open_ends(p, 0, 0);
    open_ends(q, 0, 0);
    EXPECT(send(p[0], 0, 1, &p[1], 1) == 1 && send(p[0], 0, 1, q, 2) == 1);
    close_end(p[0]);
    EXPECT(p[1]->handles == 2);
    for (unsigned i = 0; i < 2; i++) close_end(q[i]);
    EXPECT(q[0]->handles == 1); /* can be received */
    close_end(p[1]);
    EXPECT(p[1]->handles == 0 && q[0]->handles == 0 && host_account.flights == 0);
    for (unsigned i = 0; i < 2; i++) {
        object_put(p[i]);
        object_put(q[i]);
    }
    object_reap();
    host_end();
}

/* A long chain, each end in the queue of the next, and a ring of them. */
KTEST(channel_chains_are_collected) {
    enum { COUNT = 300 };
    static struct object *chain[COUNT][2];
    host_begin();
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < COUNT; i++) open_ends(chain[i], 0, 4096);
        for (unsigned i = 0; i + 1 < COUNT; i++) EXPECT(send(chain[i + 1][0], 0, 1, &chain[i][1], 1) == 1);
        if (round) EXPECT(send(chain[0][0], 0, 1, &chain[COUNT - 1][1], 1) == 1);
        for (unsigned i = 0; i < COUNT; i++) close_end(chain[i][0]);
        EXPECT(chain[0][1]->handles == 2);
        for (unsigned i = 0; i < COUNT; i++) close_end(chain[i][1]);
        EXPECT(chain[0][1]->handles == 0 && chain[COUNT - 1][1]->handles == 0 && host_account.flights == 0);
        for (unsigned i = 0; i < 2 * COUNT; i++) object_put(chain[i / 2][i % 2]);
        object_reap();
    }
    host_end();
}

/* A user has so many handles in flight; pages and messages are the opener's. */
KTEST(channel_charges) {
    struct object *p[2], *q[2];
    struct message *m;
    host_begin();
    host_account.quota.limit = 30;
    host.space->quota = nullptr;
    open_ends(p, 0, 0);
    channel_charge(p[0], &host_account.quota);
    EXPECT(put(p[0], 0, 8192, 0) == 8192 && host_account.quota.pages == 2);
    EXPECT(put(p[0], 0, 40960, 0) == 40960 && host_account.quota.pages == 12);
    EXPECT(put(p[1], 0, 65536, 0) == 65536 && host_account.quota.pages == 28);
    EXPECT(channel_control(p[0], CHANNEL_SET_CAPACITY, 131072) == 131072 && host_account.quota.pages == 28);
    EXPECT(put(p[1], 0, 4096, 0) == 4096 && put(p[1], 0, 4096, 0) == 4096 && put(p[1], 0, 4096, 0) == -ENOMEM);
    close_ends(p);
    EXPECT(host_account.quota.pages == 0);
    open_ends(p, 0, 0);
    open_ends(q, 0, 0);
    unsigned n = 0;
    while (n < 2000 && send(p[0], 0, 1, q, 1) == 1) n++;
    EXPECT(n == 1024 && host_account.flights == 1024 && send(p[0], 0, 1, q, 2) == -ETOOMANYREFS);
    EXPECT(receive(p[1], 1, &m, 0) == 1 && m && send(p[1], 0, 1, q, 1) == -ETOOMANYREFS);
    put_down(m);
    EXPECT(send(p[1], 0, 1, q, 1) == 1);
    close_ends(p);
    EXPECT(q[0]->handles == 1 && host_account.flights == 0);
    close_ends(q);
    host_end();
}

static _Atomic unsigned futex_woken;
static void futex_sleeper(void *arg) {
    borrow();
    EXPECT(futex_wait(AREA, (uint32_t)(uintptr_t)arg, 0, DEADLINE_NEVER) == 0);
    atomic_fetch_add(&futex_woken, 1);
    give_back();
}
static void doze(nsec_t ns) {
    thread_block_prepare(nullptr, false);
    (void)thread_block(clock_now() + ns);
}
KTEST(futex_wait_wake_requeue) {
    host_begin();
    uint32_t word = 5;
    EXPECT(copy_to_user(AREA, &word, 4) == 0);
    EXPECT(futex_wait(AREA, 4, 0, DEADLINE_NEVER) == -EAGAIN);
    EXPECT(futex_wait(AREA, 5, 0, clock_now() + MS) == -ETIMEDOUT);
    EXPECT(futex_wait(AREA + SIZE, 5, 0, DEADLINE_NEVER) == -EFAULT);
    EXPECT(futex_wake(AREA, 1, 0) == 0);
    atomic_store(&futex_woken, 0);
    for (unsigned i = 0; i < 4; i++) thread_start(thread_create(nullptr, "sleeper", futex_sleeper, (void *)5));
    doze(20 * MS);
    EXPECT(futex_woken == 0 && futex_wake(AREA, 1, FUTEX_SHARED) == 1);
    wait_for(&futex_woken, 1);
    EXPECT(futex_requeue(AREA, 4, 1, 9, AREA + 8192, 0) == -EAGAIN);
    EXPECT(futex_requeue(AREA, 5, 1, 9, AREA + 8192, 0) == 3);
    wait_for(&futex_woken, 2);
    EXPECT(futex_wake(AREA, 9, 0) == 0 && futex_wake(AREA + 8192, 9, 0) == 2);
    wait_for(&futex_woken, 4);
    doze(20 * MS);
    host_end();
}

static void pi_contender(void *arg) {
    borrow();
    thread_set_priority(thread_current(), (unsigned)(uintptr_t)arg);
    EXPECT(futex_pi(AREA + 64, 0, 0, DEADLINE_NEVER) == 0);
    atomic_store(&futex_woken, atomic_load(&futex_woken) * 100 + (unsigned)(uintptr_t)arg);
    EXPECT(futex_pi(AREA + 64, 1, 0, DEADLINE_NEVER) == 0);
    give_back();
}
KTEST(futex_priority_inheritance) {
    host_begin();
    struct thread *self = thread_current();
    unsigned base = self->base_priority;
    uint32_t word = 0;
    EXPECT(copy_to_user(AREA + 64, &word, 4) == 0);
    EXPECT(futex_pi(AREA + 64, 2, 0, 0) == 0 && futex_pi(AREA + 64, 0, 0, 0) == -EDEADLK);
    atomic_store(&futex_woken, 0);
    thread_start(thread_create(nullptr, "pi", pi_contender, (void *)30));
    doze(5 * MS);
    thread_start(thread_create(nullptr, "pi", pi_contender, (void *)40));
    doze(20 * MS);
    EXPECT(self->priority == 40 && futex_pi(AREA + 64, 1, 0, 0) == 0 && self->priority == base);
    wait_for(&futex_woken, 4030);
    doze(20 * MS);
    EXPECT(copy_from_user(&word, AREA + 64, 4) == 0 && word == 0);
    EXPECT(futex_pi(AREA + 64, 1, 0, 0) == -EPERM);
    host_end();
}
