// SPDX-License-Identifier: MIT
/*
 * Clocks and timers. CLOCK_MONOTONIC and CLOCK_REALTIME are read from the time page without a system
 * call; deadlines of native calls are absolute CLOCK_MONOTONIC nanoseconds.
 */
#include "shim.h"
#include <stdatomic.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <unistd.h>

static const struct time_page *const time_page = (const struct time_page *)TIME_PAGE;

/*
 * CLOCK_MONOTONIC now, and what to add for CLOCK_REALTIME; false: the page is of no use, ask the
 * kernel. The kernel keeps shift below 64.
 */
[[gnu::always_inline]] static inline bool time_read(int64_t *monotonic, int64_t *offset) {
    uint32_t sequence;
    do {
        sequence = atomic_load_explicit(&time_page->sequence, memory_order_acquire);
        if (!time_page->usable) {
            return false;
        }
        unsigned __int128 product = __builtin_ia32_rdtsc() - time_page->tsc_base;
        product *= time_page->mult;
        uint64_t ns = (uint64_t)product;
        __asm__("shrd %%cl, %1, %0" : "+r"(ns) : "r"((uint64_t)(product >> 64)), "c"(time_page->shift) : "cc");
        *monotonic = (int64_t)(time_page->base_ns + ns);
        *offset = atomic_load_explicit(&time_page->realtime_offset_ns, memory_order_relaxed);
        atomic_thread_fence(memory_order_acquire);
    } while (sequence & 1 || sequence != atomic_load_explicit(&time_page->sequence, memory_order_relaxed));
    return true;
}

int64_t clock_monotonic(void) {
    int64_t now = 0, offset;
    if (!time_read(&now, &offset)) {
        sys_clock_get(CLOCK_MONO, &now);
    }
    return now;
}

static int64_t clock_wall(void) {
    int64_t now = 0, offset;
    if (time_read(&now, &offset)) {
        return now + offset;
    }
    sys_clock_get(CLOCK_WALL, &now);
    return now;
}

static inline struct timespec timespec_from_ns(int64_t ns) {
    return (struct timespec){(time_t)((uint64_t)ns / NS_PER_SECOND), (long)((uint64_t)ns % NS_PER_SECOND)};
}

/* Saturates: what is beyond the clock's range never comes. */
static int64_t ns_from_timespec(const struct timespec *t) {
    int64_t ns;
    if (__builtin_mul_overflow(t->tv_sec, NS_PER_SECOND, &ns) || __builtin_add_overflow(ns, t->tv_nsec, &ns)) {
        return DEADLINE_NEVER;
    }
    return ns;
}

int64_t deadline_after(const struct timespec *relative) {
    int64_t deadline;
    if (!relative) {
        return DEADLINE_NEVER;
    }
    if (!timespec_valid(relative)) {
        return -EINVAL;
    }
    if (__builtin_add_overflow(clock_monotonic(), ns_from_timespec(relative), &deadline)) {
        return DEADLINE_NEVER;
    }
    return deadline;
}

/* A CPU-time clock of a process or thread: (~id << 3) | kind, bit 4 = thread, below: which, 0 to 2 (Linux's coding). */
static long clock_of_other(clockid_t clock, struct timespec *out) {
    int32_t id = ~(clock >> 3);
    long ns;
    if ((clock & 3) == 3) {
        return -EINVAL;
    }
    if (clock & 4) {
        struct thread_info info;
        ns = sys_thread_info((uint32_t)id, &info);
        ns = ns < 0 ? ns : (long)info.run_ns;
    } else {
        ns = sys_process_info(id, PROCESS_CPU_CLOCK, nullptr, 0, 0);
    }
    if (ns < 0) {
        return -EINVAL;
    }
    *out = timespec_from_ns(ns);
    return 0;
}

#define MONOTONIC_CLOCKS                                                                                               \
    (1U << CLOCK_MONOTONIC | 1U << CLOCK_MONOTONIC_RAW | 1U << CLOCK_MONOTONIC_COARSE | 1U << CLOCK_BOOTTIME)
#define WALL_CLOCKS (1U << CLOCK_REALTIME | 1U << CLOCK_REALTIME_COARSE)

/* The clocks of the time page. */
[[gnu::always_inline]] static inline bool clock_read(clockid_t clock, struct timespec *out) {
    int64_t now, offset;
    if ((unsigned)clock > CLOCK_BOOTTIME || !((MONOTONIC_CLOCKS | WALL_CLOCKS) >> clock & 1) ||
        !time_read(&now, &offset)) {
        return false;
    }
    *out = timespec_from_ns(WALL_CLOCKS >> clock & 1 ? now + offset : now);
    return true;
}

static long clock_ask(clockid_t clock, struct timespec *out) {
    int64_t ns = 0;
    if (clock < 0) {
        return clock_of_other(clock, out);
    }
    unsigned bit = clock < 32 ? 1U << clock : 0;
    uint32_t native = bit & MONOTONIC_CLOCKS ? CLOCK_MONO : bit & WALL_CLOCKS ? CLOCK_WALL : (uint32_t)clock;
    if (native > CLOCK_THREAD_CPUTIME_ID) {
        return -EINVAL;
    }
    long error = sys_clock_get(native, &ns);
    if (error < 0) {
        return error;
    }
    *out = timespec_from_ns(ns);
    return 0;
}

long row_clock_gettime(clockid_t clock, struct timespec *out) {
    return clock_read(clock, out) ? 0 : clock_ask(clock, out);
}

[[gnu::noinline]] static int clock_ask_errno(clockid_t clock, struct timespec *out) {
    long error = clock_ask(clock, out);
    if (error < 0) {
        errno = (int)-error;
        return -1;
    }
    return 0;
}

/* In place of musl's own, which would go through the table: programs ask for the time often. */
int __clock_gettime(clockid_t clock, struct timespec *out);
int __clock_gettime(clockid_t clock, struct timespec *out) {
    return clock_read(clock, out) ? 0 : clock_ask_errno(clock, out);
}
[[gnu::weak, gnu::alias("__clock_gettime"), gnu::visibility("default")]] int clock_gettime(clockid_t clock,
                                                                                           struct timespec *out);

long row_clock_getres(clockid_t clock, struct timespec *out) {
    struct timespec unused;
    long error = row_clock_gettime(clock, &unused);
    if (error == 0 && out) {
        *out = (struct timespec){0, 1};
    }
    return error;
}

/* The wall clock belongs to the service that sets it: `rtc:wall` takes the time in ns. */
long row_clock_settime(clockid_t clock, const struct timespec *time) {
    if (clock != CLOCK_REALTIME || !timespec_valid(time)) {
        return -EINVAL;
    }
    int64_t ns = ns_from_timespec(time);
    if (ns == DEADLINE_NEVER) {
        return -EINVAL;
    }
    long h = path_open(AT_FDCWD, "/scheme/rtc/wall", O_WRONLY);
    if (h < 0) {
        return -EPERM;
    }
    long result = sys_write((handle_t)h, &ns, sizeof(ns), OFFSET_CURRENT, 0, DEADLINE_NEVER);
    sys_handle_close((handle_t)h);
    return result < 0 ? result : 0;
}

/* The clock's rate is fixed: its state can be read, and the clock be stepped, but not slewed. */
long row_clock_adjtime(clockid_t clock, struct timex *t) {
    const unsigned known = ADJ_SETOFFSET | ADJ_NANO | ADJ_MICRO;
    struct timespec now;
    if (clock != CLOCK_REALTIME) {
        return row_clock_gettime(clock, &now) < 0 ? -EINVAL : -EOPNOTSUPP;
    }
    if (t->modes != ADJ_OFFSET_SS_READ && t->modes & ~known) {
        return -EPERM;
    }
    bool nano = t->modes & ADJ_NANO;
    if (t->modes != ADJ_OFFSET_SS_READ && t->modes & ADJ_SETOFFSET) {
        int64_t fraction = nano ? t->time.tv_usec : t->time.tv_usec * 1000, step;
        if (fraction < 0 || fraction >= NS_PER_SECOND || __builtin_mul_overflow(t->time.tv_sec, NS_PER_SECOND, &step) ||
            __builtin_add_overflow(step, fraction + clock_wall(), &step) || step < 0) {
            return -EINVAL;
        }
        now = timespec_from_ns(step);
        long error = row_clock_settime(CLOCK_REALTIME, &now);
        if (error < 0) {
            return error;
        }
    } else if (t->modes & known && t->modes != ADJ_OFFSET_SS_READ) {
        return -EPERM; /* the unit is not kept */
    }
    now = timespec_from_ns(clock_wall());
    *t = (struct timex){
        .modes = t->modes,
        .maxerror = 16000000,
        .esterror = 16000000,
        .status = STA_UNSYNC | (nano ? STA_NANO : 0),
        .constant = 2,
        .precision = 1,
        .tolerance = 500 << 16, /* ppm */
        .time = {now.tv_sec, nano ? now.tv_nsec : now.tv_nsec / 1000},
        .tick = 10000,
    };
    return TIME_ERROR; /* nobody has said that the time is right */
}

long row_adjtimex(struct timex *t) { return row_clock_adjtime(CLOCK_REALTIME, t); }

long row_gettimeofday(struct timeval *out, void *zone) {
    if (out) {
        struct timespec now = timespec_from_ns(clock_wall());
        *out = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    }
    return 0;
}

/* The time zone belongs to the C library (TZ): one that is given here is not kept. */
long row_settimeofday(const struct timeval *time, const void *zone) {
    if (!time) {
        return 0;
    }
    if ((unsigned long)time->tv_usec >= 1000000) {
        return -EINVAL;
    }
    struct timespec exact = {time->tv_sec, time->tv_usec * 1000};
    return row_clock_settime(CLOCK_REALTIME, &exact);
}

/* --- sleep ------------------------------------------------------------------------------------ */

static long sleep_until(int64_t deadline, struct timespec *left) {
    long result = sys_thread_sleep(deadline);
    if (result == -EINTR && left) {
        int64_t rest = deadline - clock_monotonic();
        *left = timespec_from_ns(rest > 0 ? rest : 0);
    }
    return result == -ETIMEDOUT ? 0 : result;
}

/* A timer follows the wall clock when that is set. Poll, since reads are restarted after signals. */
static long sleep_until_wall(const struct timespec *time) {
    long h = sys_timer_create(CLOCK_WALL, HANDLE_CLOEXEC | HANDLE_IN_UPPER, 0);
    if (h < 0) {
        return h;
    }
    struct poll_entry timer = {(handle_t)h, EVENT_IN, 0};
    long error = sys_timer_set((handle_t)h, ns_from_timespec(time), 0, 0, nullptr);
    if (error >= 0) {
        error = sys_event_poll(&timer, 1, nullptr, DEADLINE_NEVER);
    }
    sys_handle_close((handle_t)h);
    return error < 0 ? error : 0;
}

long row_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left) {
    struct timespec now;
    if (!timespec_valid(time) || flags & ~TIMER_ABSTIME) {
        return -EINVAL;
    }
    if (clock == CLOCK_THREAD_CPUTIME_ID || row_clock_gettime(clock, &now) < 0) {
        return -EINVAL;
    }
    if (clock == CLOCK_PROCESS_CPUTIME_ID || clock < 0) {
        return -EOPNOTSUPP;
    }
    if (!(flags & TIMER_ABSTIME)) {
        return sleep_until(deadline_after(time), left);
    }
    int64_t wait = ns_from_timespec(time) - ns_from_timespec(&now);
    if (wait <= 0) {
        return 0;
    }
    return WALL_CLOCKS >> clock & 1 ? sleep_until_wall(time) : sleep_until(clock_monotonic() + wait, nullptr);
}

long row_nanosleep(const struct timespec *time, struct timespec *left) {
    return timespec_valid(time) ? sleep_until(deadline_after(time), left) : -EINVAL;
}

/* --- interval timers -------------------------------------------------------------------------- */

static struct timeval timeval_from_ns(int64_t ns) {
    return (struct timeval){ns / NS_PER_SECOND, ns % NS_PER_SECOND / 1000};
}

static bool timeval_valid(const struct timeval *t) { return t->tv_sec >= 0 && (unsigned long)t->tv_usec < 1000000; }

static int64_t ns_from_timeval(const struct timeval *t) {
    struct timespec exact = {t->tv_sec, t->tv_usec * 1000};
    return ns_from_timespec(&exact);
}

long row_getitimer(int which, struct itimerval *out) {
    struct process_itimer timer = {.index = (uint32_t)which};
    if (which < ITIMER_REAL || which > ITIMER_PROF) {
        return -EINVAL;
    }
    long error = sys_process_info(0, PROCESS_ITIMER, &timer, sizeof(timer), (uint64_t)which);
    if (error < 0) {
        return error;
    }
    out->it_value = timeval_from_ns(timer.value_ns);
    out->it_interval = timeval_from_ns(timer.interval_ns);
    if (timer.value_ns > 0 && !out->it_value.tv_sec && !out->it_value.tv_usec) {
        out->it_value.tv_usec = 1; /* 0 would say that it is off */
    }
    return 0;
}

long row_setitimer(int which, const struct itimerval *in, struct itimerval *old) {
    struct process_itimer timer = {.index = (uint32_t)which};
    if (which < ITIMER_REAL || which > ITIMER_PROF ||
        (in && (!timeval_valid(&in->it_value) || !timeval_valid(&in->it_interval)))) {
        return -EINVAL;
    }
    long error = old ? row_getitimer(which, old) : 0;
    if (error < 0) {
        return error;
    }
    if (in) {
        timer.value_ns = ns_from_timeval(&in->it_value);
        timer.interval_ns = ns_from_timeval(&in->it_interval);
    }
    error = sys_process_set(0, PROCESS_ITIMER, &timer, sizeof(timer), 0);
    return error < 0 ? error : 0;
}

/* --- timers that are descriptors -------------------------------------------------------------- */

long row_timerfd_create(int clock, int flags) {
    if (flags & ~(TFD_CLOEXEC | TFD_NONBLOCK) ||
        (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)) {
        return -EINVAL;
    }
    uint32_t native = clock == CLOCK_REALTIME ? CLOCK_WALL : CLOCK_MONO;
    long fd = sys_timer_create(native, flags & TFD_CLOEXEC ? HANDLE_CLOEXEC : 0, 0);
    if (fd >= 0 && flags & TFD_NONBLOCK) {
        sys_handle_set((handle_t)fd, 1, FILE_NONBLOCK, FILE_NONBLOCK);
    }
    return fd;
}

#define TIMER_KEEP (-1) /* timer_set: changes nothing, only tells */

static void itimerspec_from_ns(const int64_t *remaining_and_period, struct itimerspec *out) {
    out->it_value = timespec_from_ns(remaining_and_period[0]);
    out->it_interval = timespec_from_ns(remaining_and_period[1]);
}

static long timer_set_spec(handle_t h, bool absolute, const struct itimerspec *in, struct itimerspec *old) {
    int64_t before[2];
    if (!timespec_valid(&in->it_value) || !timespec_valid(&in->it_interval)) {
        return -EINVAL;
    }
    long error = sys_timer_set(h, ns_from_timespec(&in->it_value), ns_from_timespec(&in->it_interval),
                               absolute ? 0 : TIMER_RELATIVE, before);
    if (error >= 0 && old) {
        itimerspec_from_ns(before, old);
    }
    return error < 0 ? error : 0;
}

static long timer_get_spec(handle_t h, struct itimerspec *out) {
    int64_t now[2];
    long error = sys_timer_set(h, TIMER_KEEP, 0, 0, now);
    if (error < 0) {
        return error;
    }
    itimerspec_from_ns(now, out);
    return 0;
}

long row_timerfd_settime(int fd, int flags, const struct itimerspec *in, struct itimerspec *old) {
    if (!is_fd(fd)) {
        return -EBADF;
    }
    if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) {
        return -EINVAL;
    }
    return timer_set_spec(fd, flags & TFD_TIMER_ABSTIME, in, old);
}

long row_timerfd_gettime(int fd, struct itimerspec *out) { return is_fd(fd) ? timer_get_spec(fd, out) : -EBADF; }

/* --- timers that send signals: timer objects of the upper range -------------------------------- */

struct timer_event { /* struct sigevent as the kernel of Linux has it */
    uint64_t value;
    int32_t signal, notify, tid;
};

/* The native clock, and whose; -errno. */
static long timer_clock(clockid_t clock, uint32_t *id) {
    *id = 0;
    switch (clock) {
    case CLOCK_REALTIME: return CLOCK_WALL;
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME: return CLOCK_MONO;
    case CLOCK_PROCESS_CPUTIME_ID: return CLOCK_PROCESS_CPU;
    case CLOCK_THREAD_CPUTIME_ID: return CLOCK_THREAD_CPU;
    }
    if (clock >= 0) {
        return MONOTONIC_CLOCKS >> clock & 1 ? -EOPNOTSUPP : -EINVAL;
    }
    *id = (uint32_t)~(clock >> 3);
    return clock & 4 ? CLOCK_THREAD_CPU : CLOCK_PROCESS_CPU;
}

long row_timer_create(clockid_t clock, const struct timer_event *event, int *out) {
    uint32_t of;
    long native = timer_clock(clock, &of);
    if (native < 0) {
        return native;
    }
    long h = sys_timer_create((uint32_t)native, HANDLE_IN_UPPER, of);
    if (h < 0) {
        return h == -EMFILE || h == -ENOMEM ? -EAGAIN : h;
    }
    struct timer_event e = {(uint64_t)h, SIGALRM, SIGEV_SIGNAL, 0};
    if (event) {
        e = *event;
    }
    bool to_thread = e.notify == SIGEV_THREAD_ID, none = e.notify == SIGEV_NONE;
    long error = (!to_thread && !none && e.notify != SIGEV_SIGNAL && e.notify != SIGEV_THREAD) ||
                         (!none && (e.signal < 1 || e.signal > SIGNAL_COUNT)) || (to_thread && e.tid <= 0)
                     ? -EINVAL
                     : sys_timer_signal((handle_t)h, none ? 0 : e.signal, to_thread ? (uint32_t)e.tid : 0, e.value);
    if (error < 0) {
        sys_handle_close((handle_t)h);
        return error;
    }
    *out = (int)h;
    return 0;
}

static bool is_timer(int timer) { return timer >= HANDLE_FREE && handle_type(timer) == OBJECT_TIMER; }

long row_timer_settime(int timer, int flags, const struct itimerspec *in, struct itimerspec *old) {
    return is_timer(timer) ? timer_set_spec(timer, flags & TIMER_ABSTIME, in, old) : -EINVAL;
}

long row_timer_gettime(int timer, struct itimerspec *out) {
    return is_timer(timer) ? timer_get_spec(timer, out) : -EINVAL;
}

long row_timer_getoverrun(int timer) {
    struct handle_info info;
    if (timer < HANDLE_FREE || sys_handle_info(timer, &info) < 0 || info.type != OBJECT_TIMER) {
        return -EINVAL;
    }
    return (long)info.object;
}

long row_timer_delete(int timer) { return is_timer(timer) ? sys_handle_close(timer) : -EINVAL; }
