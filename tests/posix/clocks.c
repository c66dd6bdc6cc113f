// SPDX-License-Identifier: MIT
/* Clocks and sleeping. */
#include "test.h"
#include <sys/time.h>

static int64_t ns_of(clockid_t clock) {
    struct timespec t;
    OK(clock_gettime(clock, &t));
    CHECK(t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

TEST(monotonic_never_goes_back) {
    int64_t last = ns_of(CLOCK_MONOTONIC);
    for (int i = 0; i < 20000; i++) {
        int64_t now = ns_of(CLOCK_MONOTONIC);
        CHECK(now >= last);
        last = now;
    }
}

TEST(wall_clocks_agree) {
    struct timeval t;
    OK(gettimeofday(&t, NULL));
    int64_t wall = ns_of(CLOCK_REALTIME) / 1000000000;
    CHECK(llabs(wall - t.tv_sec) <= 1);
    CHECK(llabs(wall - time(NULL)) <= 1);
    CHECK(wall > 1600000000);
}

TEST(sleeping_takes_its_time) {
    int64_t before = ns_of(CLOCK_MONOTONIC);
    struct timespec t = {0, 50000000};
    OK(nanosleep(&t, NULL));
    int64_t took = ns_of(CLOCK_MONOTONIC) - before;
    CHECK(took >= 50000000 && took < 5000000000);
    before = ns_of(CLOCK_MONOTONIC);
    int64_t until = before + 30000000;
    struct timespec at = {until / 1000000000, until % 1000000000};
    EQUAL(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL), 0);
    CHECK(ns_of(CLOCK_MONOTONIC) >= until);
    EQUAL(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL), 0);
    until = ns_of(CLOCK_REALTIME) + 30000000;
    at = (struct timespec){until / 1000000000, until % 1000000000};
    EQUAL(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL), 0);
    CHECK(ns_of(CLOCK_REALTIME) >= until);
}

static void note(int signal) {}

TEST(interrupted_sleep_says_what_is_left) {
    struct timespec t = {20, 0}, left = {0, 0};
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    OK(sigaction(SIGALRM, &action, NULL));
    alarm(1);
    FAILS(EINTR, nanosleep(&t, &left));
    CHECK(left.tv_sec >= 15 && left.tv_sec <= 19);
}

static int clock_step(void *seconds) {
    struct timespec t;
    sleep_ms(100);
    OK(clock_gettime(CLOCK_REALTIME, &t));
    t.tv_sec += *(int *)seconds;
    OK(clock_settime(CLOCK_REALTIME, &t));
    return 0;
}

TEST(absolute_sleep_follows_a_clock_that_is_set) {
    int forth = 3600, back = -3600;
    int64_t before = now_ms();
    struct timespec at;
    OK(clock_gettime(CLOCK_REALTIME, &at));
    at.tv_sec += 3000;
    pid_t pid = child_start(clock_step, &forth);
    int error = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL);
    EQUAL(child_wait(pid), 0);
    EQUAL(child_run(clock_step, &back), 0);
    EQUAL(error, 0);
    CHECK(now_ms() - before < 20000);
}

TEST(absolute_sleep_is_interrupted) {
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    struct timespec at;
    OK(sigaction(SIGALRM, &action, NULL));
    OK(clock_gettime(CLOCK_REALTIME, &at));
    at.tv_sec += 20;
    alarm(1);
    EQUAL(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL), EINTR);
}

TEST(errors) {
    struct timespec t = {0, 1000000000};
    FAILS(EINVAL, nanosleep(&t, NULL));
    t = (struct timespec){-1, 0};
    FAILS(EINVAL, nanosleep(&t, NULL));
    FAILS(EINVAL, clock_gettime(12345, &t));
    EQUAL(clock_nanosleep(12345, 0, &t, NULL), EINVAL);
    FAILS(EINVAL, clock_getres(-1, &t));
}

TEST(cpu_time) {
    int64_t before = ns_of(CLOCK_PROCESS_CPUTIME_ID), thread = ns_of(CLOCK_THREAD_CPUTIME_ID);
    volatile long n = 0;
    int64_t until = now_ms() + 100;
    while (now_ms() < until) {
        n++;
    }
    CHECK(ns_of(CLOCK_PROCESS_CPUTIME_ID) - before > 5000000);
    CHECK(ns_of(CLOCK_THREAD_CPUTIME_ID) - thread > 5000000);
    CHECK(clock() > 0);
}

TEST(resolution) {
    struct timespec t;
    OK(clock_getres(CLOCK_MONOTONIC, &t));
    CHECK(t.tv_sec == 0 && t.tv_nsec > 0);
}
