// SPDX-License-Identifier: MIT
/*
 * Random system calls from fixed seeds, in processes of their own, several at a time; then nothing may
 * be missing: memory, threads, schemes.  Arguments are drawn from what calls take: handles of every
 * type, good and bad addresses, sizes at the edges, small numbers.  What would end the machine is left
 * out.  Environment: FUZZ_SECONDS, FUZZ_WORKERS, FUZZ_SEED (the first).
 */
#include "objects.h"
#include <sys/mman.h>
#include <sys/resource.h>

#define SECONDS 30
#define WORKERS 4
#define CALLS_PER_SEED 3000
#define SEED_SECONDS 20 /* one that waits for something that never comes is ended */
#define EXIT_NO_ERRNO 100 /* + index of a call with a result that is no errno value */
#define LEAK_MAX (2 << 20) /* caches of the kernel and of servers come and go */

#define CALL(n, name, ...) {SYSCALL_BASE + n, #name},
static const struct {
    long number;
    const char *name;
} calls[] = {
#include <abi/syscalls.def>
};
#define CALL_COUNT (sizeof(calls) / sizeof(calls[0]))

static uint64_t state;
static struct objects objects;

static uint64_t draw(void) { /* xorshift64* */
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717ULL;
}
static long draw_below(long n) { return (long)(draw() % (uint64_t)n); }

static long draw_address(void) {
    const long addresses[] = {(long)objects.page,
                              (long)objects.page + 2048,
                              (long)objects.page + 4089,
                              (long)objects.read_only,
                              (long)objects.no_access,
                              (long)objects.unmapped,
                              0,
                              -8,
                              (long)0xffff800000001000,
                              (long)0xffffffff80100000,
                              TIME_PAGE,
                              0x7fffffff0000};
    long at = draw_below(3) ? draw_below(2) : draw_below(sizeof(addresses) / sizeof(long));
    return addresses[at] + (draw_below(4) ? 8 * draw_below(64) : 0);
}

static long draw_size(void) {
    static const long sizes[] = {0,     1,       8,        64, 4095,  4096,      4097,     65536,
                                 65537, 1 << 20, 1L << 40, -1, -4096, INT64_MAX, INT64_MIN};
    return sizes[draw_below(draw_below(3) ? 9 : sizeof(sizes) / sizeof(long))];
}

static long draw_argument(void) {
    switch (draw_below(8)) {
    case 0:
    case 1: return objects.of_type[draw_below(OBJECT_SIGNALS + 1)];
    case 2:
    case 3: return draw_address();
    case 4: return draw_size();
    case 5: return draw_below(16);
    case 6: return 1L << draw_below(64);
    default: return draw_below(4) ? draw_below(256) : (long)draw();
    }
}

/* Structures that calls read hold plausible values now and then. */
static void page_fill(void) {
    long *words = (long *)objects.page;
    for (unsigned i = 0; i < PAGE / sizeof(long); i++)
        if (draw_below(2)) words[i] = draw_below(3) ? draw_argument() : draw_below(300);
}

/* The calls that end the machine, the case, or things outside of it. */
static bool is_left_out(long number, const long *a) {
    switch (number) {
    case SYSCALL_system_control:
    case SYSCALL_process_exit:
    case SYSCALL_thread_exit:
    case SYSCALL_signal_suspend:
    case SYSCALL_signal_return: return true;
    case SYSCALL_signal_send:
    case SYSCALL_signal_send_thread: return (int)a[0] != 0 && (int)a[0] != getpid();
    case SYSCALL_process_set: /* not of other processes */
    case SYSCALL_thread_set: return (int)a[0] != 0;
    case SYSCALL_trace: return ((int)a[0] != 0 && (int)a[0] != getpid()) || (uint32_t)a[1] == TRACE_ME;
    case SYSCALL_thread_sleep: return true;
    case SYSCALL_call: return (handle_t)a[0] == HANDLE_ROOT || (handle_t)a[0] == HANDLE_NAMESPACE;
    case SYSCALL_namespace_control: return (handle_t)a[0] == HANDLE_NAMESPACE;
    default: return false;
    }
}

/* No wait longer than a moment: where a call has its deadline. */
static void deadline_set(long number, long *a) {
    long soon = deadline_in(100000);
    switch (number) {
    case SYSCALL_read:
    case SYSCALL_write:
    case SYSCALL_readv:
    case SYSCALL_writev: a[5] = soon; break;
    case SYSCALL_port_reply_wait:
    case SYSCALL_channel_send:
    case SYSCALL_channel_receive:
    case SYSCALL_signal_wait: a[2] = soon; break;
    case SYSCALL_event_wait:
    case SYSCALL_event_poll:
    case SYSCALL_futex_wait:
    case SYSCALL_futex_pi: a[3] = soon; break;
    case SYSCALL_process_wait: a[4] = soon; break;
    case SYSCALL_call: ((struct call_args *)objects.page)->deadline = soon; break;
    }
}

static void step(void) {
    long a[6];
    unsigned which = (unsigned)draw_below(CALL_COUNT);
    for (int i = 0; i < 6; i++) a[i] = draw_argument();
    if (draw_below(16) == 0) page_fill();
    if (is_left_out(calls[which].number, a)) return;
    deadline_set(calls[which].number, a);
    long result = syscall_raw(calls[which].number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (calls[which].number == SYSCALL_process_fork && result == 0) _exit(0);
    if (result <= -512 && result > -4096) /* peers choose among the smaller ones */
        _exit(EXIT_NO_ERRNO + (int)which);
}

static _Noreturn void seed_run(uint64_t seed) {
    state = seed * 0x9e3779b97f4a7c15ULL + 1;
    alarm(SEED_SECONDS);
    setpgid(0, 0);
    int null = (int)OK(open("/dev/null", O_RDWR));
    for (int fd = 0; fd < 3; fd++) OK(dup2(null, fd));
    objects_make(&objects);
    struct rlimit files = {256, 256};
    setrlimit(RLIMIT_NOFILE, &files);
    for (int i = 0; i < CALLS_PER_SEED; i++) step();
    _exit(0);
}

/* One seed after the other until the time is over. */
static int worker(void *first) {
    int64_t end = now_ms() + 1000LL * *(int *)first;
    int seeds = 0;
    for (uint64_t seed = ((uint64_t *)first)[1]; now_ms() < end; seed += 64, seeds++) {
        pid_t pid = (pid_t)OK(fork());
        if (pid == 0) seed_run(seed);
        int64_t limit = now_ms() + 1000 * SEED_SECONDS;
        int status = 0;
        while (waitpid(pid, &status, WNOHANG) == 0) { /* stopped ones are ended, too */
            if (now_ms() > limit) kill(pid, SIGKILL);
            sleep_ms(1);
        }
        kill(-pid, SIGKILL);
        if (WIFEXITED(status) && WEXITSTATUS(status) >= EXIT_NO_ERRNO)
            test_fail(__FILE__, __LINE__, "seed %lu: %s gives what is no errno value", seed,
                      calls[WEXITSTATUS(status) - EXIT_NO_ERRNO].name);
    }
    printf("# %d seeds of %d calls\n", seeds, CALLS_PER_SEED);
    fflush(stdout);
    return 0;
}

struct usage {
    int64_t used;
    uint64_t tasks, schemes;
};
static struct usage usage_now(void) {
    struct memory_totals m;
    uint64_t load[5];
    GOOD(sys_system_info(SYSTEM_MEMORY, &m, sizeof(m)));
    GOOD(sys_system_info(SYSTEM_LOAD, load, sizeof(load)));
    return (struct usage){(int64_t)(m.total - m.free), load[4], (uint64_t)scheme_count(nullptr)};
}

/* What is going away is waited for. */
static bool leaks(struct usage before) {
    struct usage now;
    for (int i = 0; i < 50; i++, sleep_ms(100)) {
        now = usage_now();
        if (now.used - before.used < LEAK_MAX && now.tasks <= before.tasks && now.schemes <= before.schemes)
            return false;
    }
    printf("# %lld KiB, %lld tasks, %lld schemes more than before\n", (long long)(now.used - before.used) / 1024,
           (long long)(now.tasks - before.tasks), (long long)(now.schemes - before.schemes));
    fflush(stdout);
    if (sys_system_control(HANDLE_INIT_SYSTEM, SYSTEM_DUMP_OBJECTS, 0, 0) == 0) system("dmesg | sed 's/^/# /'");
    return true;
}

static void run(int seconds, unsigned workers, uint64_t first) {
    pid_t pids[64];
    for (unsigned i = 0; i < workers && i < 64; i++) {
        uint64_t job[2] = {(uint64_t)seconds, first + i};
        pids[i] = child_start(worker, job);
    }
    for (unsigned i = 0; i < workers && i < 64; i++) EQUAL(child_wait(pids[i]), 0);
}

static unsigned setting(const char *name, unsigned otherwise) {
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, nullptr, 0) : otherwise;
}

TEST(random_calls) {
    unsigned seconds = setting("FUZZ_SECONDS", SECONDS), workers = setting("FUZZ_WORKERS", WORKERS);
    unsigned first = setting("FUZZ_SEED", 1);
    alarm(seconds + 60);
    run(1, workers, first); /* fills the caches */
    struct usage before = usage_now();
    run((int)seconds, workers, first);
    CHECK(!leaks(before));
}
