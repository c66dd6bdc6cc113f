// SPDX-License-Identifier: MIT
/* Barriers over all threads, capabilities, names, the clock's state. */
#include "test.h"
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>

#define USER 12345

static long membarrier_call(int command) { return syscall(SYS_membarrier, command, 0, 0); }

/*
 * Dekker's two sides, of which only one has a real barrier: without the other's being made by
 * membarrier both would now and then read 0.
 */
static _Atomic int x, y, seen, round_now, done;
static void *light_side(void *arg) {
    for (int i = 1; i <= *(int *)arg; i++) {
        while (atomic_load(&round_now) != i) {
        }
        __atomic_store_n((int *)&x, 1, __ATOMIC_RELAXED);
        __asm__ volatile("" ::: "memory");
        seen = __atomic_load_n((int *)&y, __ATOMIC_RELAXED);
        atomic_store(&done, i);
    }
    return NULL;
}

TEST(barrier) {
    pthread_t thread;
    int rounds = 2000;
    long known = OK(membarrier_call(MEMBARRIER_CMD_QUERY));
    CHECK(known & MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    FAILS(EINVAL, membarrier_call(1 << 30));
    FAILS(EINVAL, syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 64, 0));
    OK(membarrier_call(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED));
    EQUAL(pthread_create(&thread, NULL, light_side, &rounds), 0);
    for (int i = 1; i <= rounds; i++) {
        x = y = 0;
        atomic_store(&round_now, i);
        __atomic_store_n((int *)&y, 1, __ATOMIC_RELAXED);
        OK(membarrier_call(MEMBARRIER_CMD_PRIVATE_EXPEDITED));
        int other = __atomic_load_n((int *)&x, __ATOMIC_RELAXED);
        while (atomic_load(&done) != i) {
            sched_yield();
        }
        CHECK(other || seen);
    }
    EQUAL(pthread_join(thread, NULL), 0);
    if (known & MEMBARRIER_CMD_GLOBAL) {
        OK(membarrier_call(MEMBARRIER_CMD_GLOBAL));
    }
}

static int barrier_unregistered(void *arg) {
    return membarrier_call(MEMBARRIER_CMD_PRIVATE_EXPEDITED) != -1 || errno != EPERM;
}

TEST(barrier_needs_registration) { EQUAL(child_run(barrier_unregistered, NULL), 0); }

static struct __user_cap_data_struct data[2];
static struct __user_cap_header_struct header;

static long capabilities(long call) {
    header = (struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(call, &header, data);
}

static int without_any(void *arg) {
    struct timex t = {.modes = ADJ_SETOFFSET};
    if (capabilities(SYS_capget) || !data[0].effective || !data[0].permitted) {
        return 1;
    }
    if (capabilities(SYS_capset)) { /* as it is */
        return 2;
    }
    memset(data, 0, sizeof(data));
    if (capabilities(SYS_capset) || capabilities(SYS_capget) || data[0].effective || data[0].permitted) {
        return 3;
    }
    data[0].effective = data[0].permitted = 1;
    if (capabilities(SYS_capset) != -1 || errno != EPERM) {
        return 4;
    }
    if (setgid(USER) != -1 || adjtimex(&t) != -1 || errno != EPERM) {
        return 5;
    }
    return 0;
}

static int as_user(void *arg) {
    if (setuid(USER) || capabilities(SYS_capget) || data[0].effective || data[0].permitted || data[1].effective) {
        return 1;
    }
    return sethostname("x", 1) != -1 || errno != EPERM || setdomainname("x", 1) != -1 || errno != EPERM;
}

TEST(capability_sets) {
    header = (struct __user_cap_header_struct){.version = 1};
    FAILS(EINVAL, syscall(SYS_capget, &header, data));
    EQUAL(header.version, _LINUX_CAPABILITY_VERSION_3);
    header.pid = -1;
    FAILS(EINVAL, syscall(SYS_capget, &header, data));
    if (geteuid()) {
        SKIP("needs root");
    }
    EQUAL(child_run(without_any, NULL), 0);
    EQUAL(child_run(as_user, NULL), 0);
}

TEST(domain_name) {
    struct utsname before, after;
    OK(uname(&before));
    CHECK(before.domainname[0]);
    char text[80];
    memset(text, 'a', sizeof(text));
    if (geteuid() || (setdomainname("example", 7) && errno == EPERM)) {
        SKIP("needs root");
    }
    FAILS(EINVAL, setdomainname(text, 65));
    OK(uname(&after));
    CHECK(!strcmp(after.domainname, "example"));
    CHECK(!strcmp(after.nodename, before.nodename));
    OK(setdomainname(before.domainname, strlen(before.domainname)));
}

TEST(clock_state) {
    struct timex t = {.modes = 0};
    int state = (int)OK(adjtimex(&t));
    CHECK(state >= TIME_OK && state <= TIME_ERROR);
    CHECK(llabs(t.time.tv_sec - time(NULL)) <= 1);
    CHECK(t.tick >= 9000 && t.tick <= 11000);
    FAILS(EINVAL, clock_adjtime(12345, &t));
    t.modes = 0;
    FAILS(EOPNOTSUPP, clock_adjtime(CLOCK_MONOTONIC, &t));
}

TEST(clock_step) {
    struct timex t = {.modes = ADJ_SETOFFSET, .time = {.tv_sec = 100}};
    struct timespec before, after;
    OK(clock_gettime(CLOCK_REALTIME, &before));
    if (adjtimex(&t) == -1 && errno == EPERM) {
        SKIP("may not set the clock");
    }
    OK(clock_gettime(CLOCK_REALTIME, &after));
    t = (struct timex){.modes = ADJ_SETOFFSET | ADJ_NANO, .time = {.tv_sec = -100}};
    OK(adjtimex(&t));
    CHECK(after.tv_sec - before.tv_sec >= 100 && after.tv_sec - before.tv_sec < 130);
    t = (struct timex){.modes = ADJ_SETOFFSET, .time = {.tv_usec = 1000000}};
    FAILS(EINVAL, adjtimex(&t));
}
