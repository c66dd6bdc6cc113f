// SPDX-License-Identifier: MIT
/* POSIX timers: signals, threads, overruns, clocks. */
#include "test.h"
#include <limits.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define MS 1000000L

static struct itimerspec after_ms(long first, long period) {
    return (struct itimerspec){.it_value = {first / 1000, first % 1000 * MS},
                               .it_interval = {period / 1000, period % 1000 * MS}};
}

static volatile sig_atomic_t taken;
static siginfo_t last;

static void take(int signal, siginfo_t *info, void *context) {
    last = *info;
    taken++;
}

static void catch (int signal) {
    struct sigaction action = {.sa_sigaction = take, .sa_flags = SA_SIGINFO};
    OK(sigaction(signal, &action, NULL));
}

static void block(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
}

static void unblock(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
}

static bool is_pending(int signal) {
    sigset_t set;
    OK(sigpending(&set));
    return sigismember(&set, signal);
}

static timer_t timer_for(clockid_t clock, int signal, int value) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal, .sigev_value.sival_int = value};
    timer_t timer;
    OK(timer_create(clock, &event, &timer));
    return timer;
}

static void wait_taken(int count) {
    for (int i = 0; i < 10000 && taken < count; i++) {
        sleep_ms(1);
    }
    CHECK(taken >= count);
}

static void set(timer_t timer, long first, long period) {
    struct itimerspec t = after_ms(first, period);
    OK(timer_settime(timer, 0, &t, NULL));
}

TEST(one_shot) {
    struct itimerspec left;
    catch (SIGUSR1);
    timer_t timer = timer_for(CLOCK_MONOTONIC, SIGUSR1, 4711);
    OK(timer_gettime(timer, &left));
    CHECK(!left.it_value.tv_sec && !left.it_value.tv_nsec && !left.it_interval.tv_nsec);
    set(timer, 20000, 0);
    OK(timer_gettime(timer, &left));
    CHECK(left.it_value.tv_sec >= 15 && left.it_value.tv_sec <= 20);
    int64_t start = now_ms();
    struct itimerspec t = after_ms(30, 0), old;
    OK(timer_settime(timer, 0, &t, &old));
    CHECK(old.it_value.tv_sec >= 15);
    wait_taken(1);
    CHECK(now_ms() - start >= 30);
    EQUAL(last.si_code, SI_TIMER);
    EQUAL(last.si_signo, SIGUSR1);
    EQUAL(last.si_value.sival_int, 4711);
    EQUAL(last.si_overrun, 0);
    OK(timer_gettime(timer, &left));
    CHECK(!left.it_value.tv_sec && !left.it_value.tv_nsec);
    EQUAL(timer_getoverrun(timer), 0);
    sleep_ms(50);
    EQUAL(taken, 1);
    OK(timer_delete(timer));
}

TEST(default_event) {
    timer_t timer;
    catch (SIGALRM);
    OK(timer_create(CLOCK_REALTIME, NULL, &timer));
    set(timer, 5, 0);
    wait_taken(1);
    EQUAL(last.si_code, SI_TIMER);
    EQUAL(last.si_value.sival_int, (int)(intptr_t)timer);
}

TEST(absolute) {
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    catch (SIGUSR1);
    for (int i = 0; i < 2; i++) {
        timer_t timer = timer_for(clocks[i], SIGUSR1, i);
        struct timespec now;
        OK(clock_gettime(clocks[i], &now));
        struct itimerspec t = {.it_value = {now.tv_sec, now.tv_nsec + 30 * MS}};
        if (t.it_value.tv_nsec >= 1000 * MS) {
            t.it_value.tv_sec++;
            t.it_value.tv_nsec -= 1000 * MS;
        }
        taken = 0;
        OK(timer_settime(timer, TIMER_ABSTIME, &t, NULL));
        wait_taken(1);
        OK(clock_gettime(clocks[i], &now));
        CHECK(now.tv_sec > t.it_value.tv_sec || (now.tv_sec == t.it_value.tv_sec && now.tv_nsec >= t.it_value.tv_nsec));
        EQUAL(last.si_value.sival_int, i);
        t.it_value = (struct timespec){1, 0}; /* long ago */
        OK(timer_settime(timer, TIMER_ABSTIME, &t, NULL));
        wait_taken(2);
    }
}

TEST(periodic) {
    struct itimerspec left;
    catch (SIGRTMIN);
    timer_t timer = timer_for(CLOCK_MONOTONIC, SIGRTMIN, 1);
    set(timer, 5, 10);
    wait_taken(5);
    OK(timer_gettime(timer, &left));
    CHECK(left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 10 * MS);
    EQUAL(left.it_interval.tv_nsec, 10 * MS);
    set(timer, 0, 10);
    sleep_ms(5);
    int so_far = taken;
    sleep_ms(50);
    EQUAL(taken, so_far);
}

static siginfo_t wait_for(int signal) {
    siginfo_t info;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    EQUAL(sigwaitinfo(&set, &info), signal);
    return info;
}

TEST(overruns_are_counted) {
    block(SIGUSR1);
    timer_t timer = timer_for(CLOCK_MONOTONIC, SIGUSR1, 7);
    set(timer, 10, 10);
    sleep_ms(205);
    siginfo_t info = wait_for(SIGUSR1);
    CHECK(info.si_overrun >= 15);
    EQUAL(info.si_value.sival_int, 7);
    EQUAL(timer_getoverrun(timer), info.si_overrun);
    set(timer, 0, 0);
    while (is_pending(SIGUSR1)) {
        wait_for(SIGUSR1);
    }
    set(timer, 5, 0);
    info = wait_for(SIGUSR1);
    EQUAL(info.si_overrun, 0);
    EQUAL(timer_getoverrun(timer), 0);
}

/* A signal of a timer is queued beside one that somebody sent, and another timer's. */
TEST(signals_of_several) {
    catch (SIGRTMIN);
    block(SIGRTMIN);
    timer_t timers[3];
    for (int i = 0; i < 3; i++) {
        timers[i] = timer_for(CLOCK_MONOTONIC, SIGRTMIN, i);
        set(timers[i], 5, 0);
    }
    sleep_ms(30);
    OK(kill(getpid(), SIGRTMIN));
    unblock(SIGRTMIN);
    EQUAL(taken, 4);
}

TEST(no_signal) {
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    struct itimerspec left;
    timer_t timer;
    OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    set(timer, 20, 0);
    OK(timer_gettime(timer, &left));
    CHECK(left.it_value.tv_nsec > 0);
    sleep_ms(50);
    OK(timer_gettime(timer, &left));
    EQUAL(left.it_value.tv_nsec, 0);
    EQUAL(timer_getoverrun(timer), 0);
    OK(timer_delete(timer));
}

static pthread_t handled_by;
static void note_thread(int signal) {
    handled_by = pthread_self();
    taken++;
}

static pid_t waiter_tid;
static void *waiter(void *arg) {
    __atomic_store_n(&waiter_tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    while (!taken) {
        sleep_ms(1);
    }
    return NULL;
}

TEST(to_a_thread) {
    struct sigaction action = {.sa_handler = note_thread};
    pthread_t thread;
    timer_t timer;
    OK(sigaction(SIGUSR1, &action, NULL));
    EQUAL(pthread_create(&thread, NULL, waiter, NULL), 0);
    while (!__atomic_load_n(&waiter_tid, __ATOMIC_SEQ_CST)) {
        sleep_ms(1);
    }
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    event.sigev_notify_thread_id = waiter_tid;
    OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    set(timer, 10, 0);
    EQUAL(pthread_join(thread, NULL), 0);
    CHECK(pthread_equal(handled_by, thread));
    set(timer, 1, 1); /* it is gone */
    sleep_ms(20);
    EQUAL(taken, 1);
    OK(timer_delete(timer));
    event.sigev_notify_thread_id = getppid();
    FAILS(EINVAL, timer_create(CLOCK_MONOTONIC, &event, &timer));
}

static volatile int notified;
static void notify(union sigval value) { __atomic_fetch_add(&notified, value.sival_int, __ATOMIC_SEQ_CST); }

TEST(new_thread_for_each) {
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = notify, .sigev_value.sival_int = 3};
    timer_t timer;
    OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    set(timer, 5, 10);
    for (int i = 0; i < 5000 && notified < 9; i++) {
        sleep_ms(1);
    }
    CHECK(notified >= 9 && notified % 3 == 0);
    EQUAL(timer_delete(timer), 0);
    sleep_ms(20);
    int before = notified;
    sleep_ms(50);
    EQUAL(notified, before);
}

static long clock_ms(clockid_t clock) {
    struct timespec now;
    OK(clock_gettime(clock, &now));
    return now.tv_sec * 1000 + now.tv_nsec / MS;
}

static void burn(clockid_t clock, long ms) {
    long start = clock_ms(clock);
    while (clock_ms(clock) - start < ms) {
    }
}

TEST(cpu_time) {
    clockid_t own, thread;
    OK(clock_getcpuclockid(getpid(), &own));
    EQUAL(pthread_getcpuclockid(pthread_self(), &thread), 0);
    const clockid_t clocks[] = {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, own, thread};
    catch (SIGUSR1);
    for (int i = 0; i < 4; i++) {
        timer_t timer = timer_for(clocks[i], SIGUSR1, i);
        taken = 0;
        long start = clock_ms(clocks[i]);
        set(timer, 60, 0);
        struct timespec idle = {0, 100 * MS};
        OK(nanosleep(&idle, NULL)); /* no CPU time passes */
        EQUAL(taken, 0);
        burn(clocks[i], 30);
        bool early = taken;
        CHECK(!early || clock_ms(clocks[i]) - start >= 60); /* a busy host: it took longer */
        for (int more = 0; more < 200 && !taken; more++) {
            burn(clocks[i], 10);
        }
        EQUAL(taken, 1);
        EQUAL(last.si_value.sival_int, i);
        OK(timer_delete(timer));
    }
}

TEST(deleting) {
    catch (SIGUSR1);
    timer_t timer = timer_for(CLOCK_MONOTONIC, SIGUSR1, 1);
    set(timer, 20, 1);
    OK(timer_delete(timer));
    sleep_ms(60);
    EQUAL(taken, 0);
    struct itimerspec t = after_ms(1, 0);
    FAILS(EINVAL, timer_settime(timer, 0, &t, NULL));
    FAILS(EINVAL, timer_gettime(timer, &t));
    FAILS(EINVAL, timer_getoverrun(timer));
    block(SIGUSR2);
    timer = timer_for(CLOCK_MONOTONIC, SIGUSR2, 1);
    set(timer, 1, 0);
    while (!is_pending(SIGUSR2)) {
        sleep_ms(1);
    }
    OK(timer_delete(timer)); /* whether its signal stays is not said */
    for (int i = 0; i < 2000; i++) {
        OK(timer_delete(timer_for(CLOCK_REALTIME, SIGUSR1, i)));
    }
}

static timer_t parents;
static int in_child(void *arg) {
    struct itimerspec t;
    sleep_ms(60);
    return taken || timer_gettime(parents, &t) != -1 || errno != EINVAL;
}

TEST(not_inherited) {
    catch (SIGUSR1);
    parents = timer_for(CLOCK_MONOTONIC, SIGUSR1, 1);
    set(parents, 10, 0);
    block(SIGUSR1); /* so that the wait is not interrupted */
    EQUAL(child_run(in_child, NULL), 0);
    unblock(SIGUSR1);
    EQUAL(taken, 1);
}

static int sleep_in_another_program(void *arg) {
    timer_for(CLOCK_MONOTONIC, SIGUSR1, 1);
    set(timer_for(CLOCK_MONOTONIC, SIGUSR1, 2), 100, 0); /* would end it */
    execl("/bin/sleep", "sleep", "1", (char *)NULL);
    return 1;
}

TEST(deleted_by_exec) {
    int status = child_wait(child_start(sleep_in_another_program, NULL));
    CHECK(WIFEXITED(status));
    EQUAL(WEXITSTATUS(status), 0);
}

TEST(errors) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 0};
    FAILS(EINVAL, timer_create(CLOCK_MONOTONIC, &event, &timer));
    event.sigev_signo = 65;
    FAILS(EINVAL, timer_create(CLOCK_MONOTONIC, &event, &timer));
    event = (struct sigevent){.sigev_notify = 77, .sigev_signo = SIGUSR1};
    FAILS(EINVAL, timer_create(CLOCK_MONOTONIC, &event, &timer));
    FAILS(EINVAL, timer_create(12345, NULL, &timer));
    timer = timer_for(CLOCK_MONOTONIC, SIGUSR1, 0);
    struct itimerspec t = {.it_value = {0, 1000 * MS}};
    FAILS(EINVAL, timer_settime(timer, 0, &t, NULL));
    t = (struct itimerspec){.it_value = {0, -1}};
    FAILS(EINVAL, timer_settime(timer, 0, &t, NULL));
    t = (struct itimerspec){.it_value = {-1, 0}};
    FAILS(EINVAL, timer_settime(timer, 0, &t, NULL));
}

/* The shortest period must leave time for others. */
TEST(very_short_period) {
    block(SIGUSR1);
    timer_t timer = timer_for(CLOCK_MONOTONIC, SIGUSR1, 0);
    struct itimerspec t = {.it_value = {0, 1}, .it_interval = {0, 1}};
    OK(timer_settime(timer, 0, &t, NULL));
    burn(CLOCK_MONOTONIC, 100);
    siginfo_t info = wait_for(SIGUSR1);
    CHECK(info.si_overrun > 10000000);
    OK(timer_delete(timer));
}
