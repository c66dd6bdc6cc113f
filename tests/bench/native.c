// SPDX-License-Identifier: MIT
/* Rows of Cathode's own calls: system call, scheme call, events, yields, rings, interrupt latency. */
#include "bench.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#define CATHODE_USER_STUBS
#include <abi/counters.h>
#include <abi/errno.h>
#include <abi/syscall.h>
#include <ring.h>

#define BATCH 32
static pid_t partner;

static void need(bool good, const char *what) {
    if (!good) bench_fail(what);
}

static void partner_start(void (*step)(void)) {
    partner = fork();
    need(partner >= 0, "fork");
    if (partner == 0)
        for (;;) step();
}
static void partner_stop(void) {
    kill(partner, SIGKILL);
    waitpid(partner, nullptr, 0);
}

static void null_run(unsigned count) {
    while (count--) sys_null();
}

/* --- scheme calls, to bench_server -------------------------------------------------------------- */

static int file;
static char page[4096];

static void file_open(void) { need((file = open("/scheme/bench/", O_RDWR)) >= 0, "bench: (boot with `bench`)"); }
static void file_close(void) { close(file); }
static void file_call(unsigned count, uint32_t length) {
    struct call_args args = {
        .request = {.op = OP_USER, .length = length}, .in = page, .carry = HANDLE_NONE, .deadline = DEADLINE_NEVER};
    while (count--) need(sys_call(file, &args) == 0, "call");
}
static void call_64_run(unsigned count) { file_call(count, 0); }
static void call_4k_run(unsigned count) { file_call(count, sizeof(page)); }

/* --- events and yields -------------------------------------------------------------------------- */

static handle_t ping, pong;

static void events_make(void) {
    ping = (handle_t)sys_event_create(0, 0);
    pong = (handle_t)sys_event_create(0, 0);
    need(ping >= 0 && pong >= 0, "event_create");
}
static void events_close(void) {
    sys_handle_close(ping);
    sys_handle_close(pong);
}
static void event_take(handle_t event) {
    struct event posted;
    need(sys_event_wait(event, &posted, 1, DEADLINE_NEVER) == 1, "event");
}
static void event_answer(void) {
    event_take(ping);
    sys_event_post(pong, 1);
}
static void event_prepare(void) {
    events_make();
    partner_start(event_answer);
}
static void event_run(unsigned count) {
    while (count--) {
        sys_event_post(ping, 1);
        event_take(pong);
    }
}
static void event_finish(void) {
    partner_stop();
    events_close();
}

static void yield_once(void) { sched_yield(); }
static void yield_prepare(void) { partner_start(yield_once); }
static void yield_run(unsigned count) {
    while (count--) sched_yield();
}

/* --- rings: batches of 32, the partner serves --------------------------------------------------- */

static struct ring ring;
static void *ring_area;

static void ring_answer(void) {
    struct ring_entry e;
    while (ring_get(&ring, &e) == 1) {
        e.result = 0;
        need(ring_put(&ring, &e) == 0, "ring");
    }
    if (ring_publish(&ring)) sys_event_post(pong, 1);
    if (ring_may_sleep(&ring)) event_take(ping);
}
static void ring_prepare(void) {
    events_make();
    ring_area = mmap(nullptr, ring_size(BATCH), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(ring_area != MAP_FAILED, "mmap");
    ring_init(&ring, RING_SERVER, ring_area, BATCH);
    partner_start(ring_answer);
    ring_init(&ring, RING_CLIENT, ring_area, BATCH);
}
static void ring_batch(void) {
    struct ring_entry e = {.op = 1};
    for (e.tag = 0; e.tag < BATCH; e.tag++) need(ring_put(&ring, &e) == 0, "ring");
    if (ring_publish(&ring)) sys_event_post(ping, 1);
    for (unsigned done = 0; done < BATCH;) {
        if (ring_get(&ring, &e) == 1) done++;
        else if (ring_may_sleep(&ring)) event_take(pong);
    }
}
static void ring_run(unsigned count) {
    for (; count >= BATCH; count -= BATCH) ring_batch();
}
static void ring_finish(void) {
    partner_stop();
    munmap(ring_area, ring_size(BATCH));
    events_close();
}

/* --- interrupts --------------------------------------------------------------------------------- */

/* From a timer's expiry, with the CPU idle, to the thread that waits: the way of any interrupt. */
static int64_t irq_cost(unsigned count) {
    int64_t late = 0;
    while (count--) {
        int64_t deadline = bench_now() + 1000000;
        sys_thread_sleep(deadline);
        late += bench_now() - deadline;
    }
    return late;
}

/* What takes the kernel long: each in a process of its own, which gives back all of it at once. */
#define HEAVY_BYTES (64UL << 20)
#define HEAVY_THREADS 200
#define HEAVY_HANDLES 1000

static char *heavy_map(int flags) {
    char *p = mmap(nullptr, HEAVY_BYTES, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    need(p != MAP_FAILED, "mmap");
    for (size_t i = 0; i < HEAVY_BYTES; i += sizeof(page)) p[i] = 1;
    return p;
}
static void heavy_memory(void) {
    char *p = heavy_map(MAP_PRIVATE);
    pid_t child = fork();
    if (child == 0) _exit(0);
    waitpid(child, nullptr, 0);
    need(!mprotect(p, HEAVY_BYTES, PROT_READ) && !mprotect(p, HEAVY_BYTES, PROT_READ | PROT_WRITE), "mprotect");
    need(!madvise(p, HEAVY_BYTES / 2, MADV_DONTNEED), "madvise");
    p = mremap(p, HEAVY_BYTES, 2 * HEAVY_BYTES, MREMAP_MAYMOVE);
    need(p != MAP_FAILED && !munmap(p, 2 * HEAVY_BYTES), "mremap");
    heavy_map(MAP_PRIVATE);
    execl("/bin/busybox", "busybox", "true", nullptr);
}
static void heavy_shared(void) {
    char *p = heavy_map(MAP_SHARED);
    pid_t child = fork();
    if (child == 0) _exit(p[0]);
    waitpid(child, nullptr, 0);
    munmap(p, HEAVY_BYTES);
}
static void heavy_maps(void) {
    char *p = heavy_map(MAP_PRIVATE);
    for (size_t i = 0; i < HEAVY_BYTES; i += 16 * sizeof(page)) mprotect(p + i, sizeof(page), PROT_READ);
    pid_t child = fork();
    if (child == 0) _exit(0);
    waitpid(child, nullptr, 0);
}
static void heavy_file(void) {
    int f = open("/tmp/bench_heavy", O_RDWR | O_CREAT | O_TRUNC, 0600);
    need(f >= 0, "open");
    for (size_t i = 0; i < HEAVY_BYTES / 4; i += sizeof(page)) need(write(f, page, sizeof(page)) > 0, "write");
    char *p = mmap(nullptr, HEAVY_BYTES / 4, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
    need(p != MAP_FAILED, "mmap");
    for (size_t i = 0; i < HEAVY_BYTES / 4; i += sizeof(page)) p[i] = 1;
    need(!fsync(f) && !ftruncate(f, 1) && !unlink("/tmp/bench_heavy"), "file");
}
static void heavy_handles(void) {
    for (int i = 0; i < HEAVY_HANDLES / 2; i++) {
        int ends[2];
        if (pipe(ends)) break; /* RLIMIT_NOFILE may be a little less */
    }
    struct pollfd p[HEAVY_HANDLES];
    for (int i = 0; i < HEAVY_HANDLES; i++) p[i] = (struct pollfd){.fd = i, .events = POLLIN};
    poll(p, HEAVY_HANDLES, 0);
    pid_t child = fork();
    if (child == 0) _exit(0);
    waitpid(child, nullptr, 0);
}
static pthread_barrier_t heavy_barrier;
static pthread_mutex_t heavy_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t heavy_condition = PTHREAD_COND_INITIALIZER;
static void *heavy_thread(void *) {
    pthread_barrier_wait(&heavy_barrier);
    pthread_mutex_lock(&heavy_mutex);
    pthread_cond_wait(&heavy_condition, &heavy_mutex);
    pthread_mutex_unlock(&heavy_mutex);
    pthread_barrier_wait(&heavy_barrier);
    for (;;) pause();
}
static void heavy_threads(void) {
    pthread_t t;
    pthread_barrier_init(&heavy_barrier, nullptr, HEAVY_THREADS + 1);
    for (int i = 0; i < HEAVY_THREADS; i++) need(!pthread_create(&t, nullptr, heavy_thread, nullptr), "thread");
    pthread_barrier_wait(&heavy_barrier);
    pthread_mutex_lock(&heavy_mutex); /* the last one waits */
    pthread_cond_broadcast(&heavy_condition);
    pthread_mutex_unlock(&heavy_mutex);
    sys_thread_sleep(bench_now() + 10000000);
    pthread_cond_broadcast(&heavy_condition);
    pthread_barrier_wait(&heavy_barrier);
}
static void heavy_signals(void) {
    setsid();
    for (int i = 0; i < 50; i++)
        if (fork() == 0)
            for (;;) pause();
    kill(0, SIGKILL);
}

static void heavy(void (*run)(void)) {
    pid_t pid = fork();
    need(pid >= 0, "fork");
    if (pid == 0) {
        run();
        _exit(0);
    }
    waitpid(pid, nullptr, 0);
}

static void heavy_run(void) {
    static void (*const all[])(void) = {heavy_memory,  heavy_shared,  heavy_maps,   heavy_file,
                                        heavy_handles, heavy_threads, heavy_signals};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) heavy(all[i]);
}

/* The longest since boot, given as the cost of `count` operations. */
static int64_t irq_off_cost(unsigned count) {
    uint64_t counters[COUNT_COUNT];
    need(sys_system_info(SYSTEM_COUNTERS, counters, sizeof(counters)) > 0, "SYSTEM_COUNTERS");
    return (int64_t)(counters[COUNT_IRQ_OFF_MAX] * count);
}

static int64_t memory_cost(unsigned count) {
    struct memory_totals m = {};
    need(sys_system_info(SYSTEM_MEMORY, &m, sizeof(m)) > 0, "SYSTEM_MEMORY");
    return (int64_t)((m.total - m.free) / 1024 * count);
}

const struct bench bench_native[] = {
    {.name = "memory_at_prompt_kib", .measure = memory_cost, .count = 1},
    {.name = "null_syscall", .run = null_run, .count = 10000},
    {.name = "call_64", .prepare = file_open, .run = call_64_run, .finish = file_close, .count = 10000},
    {.name = "call_4k", .prepare = file_open, .run = call_4k_run, .finish = file_close, .count = 5000},
    {.name = "event_pingpong", .prepare = event_prepare, .run = event_run, .finish = event_finish, .count = 5000},
    {.name = "yield_pingpong", .prepare = yield_prepare, .run = yield_run, .finish = partner_stop, .count = 5000},
    {.name = "ring_request", .prepare = ring_prepare, .run = ring_run, .finish = ring_finish, .count = 320 * BATCH},
    {.name = "irq_to_driver", .measure = irq_cost, .count = 500},
    {.name = "irq_off_max", .prepare = heavy_run, .measure = irq_off_cost, .count = 1},
    {},
};
