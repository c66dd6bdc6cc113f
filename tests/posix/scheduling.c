// SPDX-License-Identifier: MIT
/* Scheduling policies and priorities of processes and threads. */
#include "setid.h"
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>

static struct sched_param at(int priority) { return (struct sched_param){.sched_priority = priority}; }

/* All on one CPU. */
static void one_cpu(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    OK(sched_setaffinity(0, sizeof(set), &set));
}

static void root_only(void) {
    struct sched_param p = at(1);
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    if (sched_setscheduler(0, SCHED_FIFO, &p) < 0) {
        CHECK(errno == EPERM);
        SKIP("root may not do that here");
    }
    p = at(0);
    OK(sched_setscheduler(0, SCHED_OTHER, &p));
}

TEST(ranges) {
    static const int realtime[] = {SCHED_FIFO, SCHED_RR}, others[] = {SCHED_OTHER, SCHED_BATCH, SCHED_IDLE};
    for (int i = 0; i < 2; i++) {
        EQUAL(sched_get_priority_min(realtime[i]), 1);
        EQUAL(sched_get_priority_max(realtime[i]), 99);
    }
    for (int i = 0; i < 3; i++) {
        EQUAL(sched_get_priority_min(others[i]), 0);
        EQUAL(sched_get_priority_max(others[i]), 0);
    }
    FAILS(EINVAL, sched_get_priority_max(77));
    FAILS(EINVAL, sched_get_priority_min(-1));
}

TEST(default_policy) {
    struct sched_param p = at(5);
    struct timespec slice;
    EQUAL(sched_getscheduler(0), SCHED_OTHER);
    EQUAL(sched_getscheduler(getpid()), SCHED_OTHER);
    OK(sched_getparam(0, &p));
    EQUAL(p.sched_priority, 0);
    OK(sched_rr_get_interval(0, &slice));
    CHECK(slice.tv_sec == 0);
}

TEST(bad_arguments) {
    struct sched_param zero = at(0), one = at(1), hundred = at(100);
    FAILS(EINVAL, sched_setscheduler(0, SCHED_FIFO, &zero));
    FAILS(EINVAL, sched_setscheduler(0, SCHED_RR, &hundred));
    FAILS(EINVAL, sched_setscheduler(0, SCHED_OTHER, &one));
    FAILS(EINVAL, sched_setscheduler(0, SCHED_BATCH, &one));
    FAILS(EINVAL, sched_setscheduler(0, 77, &zero));
    FAILS(EFAULT, sched_rr_get_interval(0, NULL));
    FAILS(EINVAL, sched_setparam(0, &one));
    FAILS(EINVAL, sched_setscheduler(-1, SCHED_OTHER, &zero));
    FAILS(ESRCH, sched_setscheduler(4000000, SCHED_OTHER, &zero));
    FAILS(ESRCH, sched_getscheduler(4000000));
    FAILS(ESRCH, sched_getparam(4000000, &one));
    FAILS(EINVAL, sched_getscheduler(-1));
    EQUAL(sched_getscheduler(0), SCHED_OTHER);
}

TEST(what_is_set_can_be_asked_for) {
    static const int policies[] = {SCHED_FIFO, SCHED_RR};
    struct timespec slice;
    root_only();
    for (int i = 0; i < 2; i++) {
        for (int priority = 1; priority <= 99; priority++) {
            struct sched_param p = at(priority);
            OK(sched_setscheduler(0, policies[i], &p));
            p = at(0);
            OK(sched_getparam(0, &p));
            EQUAL(p.sched_priority, priority);
            EQUAL(sched_getscheduler(0), policies[i]);
        }
        OK(sched_rr_get_interval(0, &slice));
        CHECK((slice.tv_nsec == 0) == (policies[i] == SCHED_FIFO));
    }
    struct sched_param p = at(7);
    OK(sched_setparam(0, &p));
    EQUAL(sched_getscheduler(0), SCHED_RR);
    p = at(0);
    OK(sched_setscheduler(0, SCHED_IDLE, &p));
    EQUAL(sched_getscheduler(0), SCHED_IDLE);
    OK(sched_setscheduler(0, SCHED_BATCH, &p));
    EQUAL(sched_getscheduler(0), SCHED_BATCH);
}

static int report(void *unused) {
    struct sched_param p;
    OK(sched_getparam(0, &p));
    return sched_getscheduler(0) * 100 + p.sched_priority;
}

TEST(children_inherit) {
    root_only();
    struct sched_param p = at(30);
    OK(sched_setscheduler(0, SCHED_RR, &p));
    EQUAL(child_run(report, NULL), 230);
}

/* --- without privilege ---------------------------------------------------------------------------- */

static int unprivileged(void *other) {
    struct sched_param zero = at(0), one = at(1);
    setid_drop();
    FAILS(EPERM, sched_setscheduler(0, SCHED_FIFO, &one));
    FAILS(EPERM, sched_setscheduler(0, SCHED_RR, &one));
    FAILS(EPERM, sched_setscheduler(*(pid_t *)other, SCHED_OTHER, &zero));
    FAILS(EPERM, sched_setparam(*(pid_t *)other, &zero));
    EQUAL(sched_getscheduler(*(pid_t *)other), SCHED_OTHER);
    EQUAL(pthread_setschedparam(pthread_self(), SCHED_FIFO, &one), EPERM);
    OK(sched_setscheduler(0, SCHED_BATCH, &zero));
    OK(sched_setscheduler(0, SCHED_OTHER, &zero));
    OK(sched_setscheduler(0, SCHED_IDLE, &zero));
    return 0;
}
static int wait_for_ever(void *unused) {
    for (;;) {
        pause();
    }
}
TEST(without_privilege) {
    root_only();
    pid_t other = child_start(wait_for_ever, NULL);
    EQUAL(child_run(unprivileged, &other), 0);
}

static int lower_only(void *unused) {
    struct sched_param p = at(20);
    OK(sched_setscheduler(0, SCHED_RR, &p));
    setid_drop();
    p = at(10);
    OK(sched_setparam(0, &p));
    p = at(90);
    FAILS(EPERM, sched_setparam(0, &p));
    p = at(1);
    FAILS(EPERM, sched_setscheduler(0, SCHED_FIFO, &p)); /* it has no slices */
    p = at(0);
    OK(sched_setscheduler(0, SCHED_OTHER, &p));
    p = at(10);
    FAILS(EPERM, sched_setscheduler(0, SCHED_RR, &p));
    return 0;
}
TEST(without_privilege_down_only) {
    root_only();
    EQUAL(child_run(lower_only, NULL), 0);
}

/* --- what it does --------------------------------------------------------------------------------- */

static struct shared {
    _Atomic uint64_t counts[4];
    _Atomic int order[16], next, go;
} *shared;

static void shared_make(void) {
    void *p = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    shared = p;
    one_cpu();
}

static int count_for_ever(void *slot) {
    for (;;) {
        shared->counts[(intptr_t)slot]++;
    }
}
static pid_t counter_start(intptr_t slot, int policy, int priority) {
    struct sched_param p = at(priority);
    pid_t pid = child_start(count_for_ever, (void *)slot);
    OK(sched_setscheduler(pid, policy, &p));
    return pid;
}

TEST(higher_first) {
    root_only();
    shared_make();
    struct sched_param p = at(99);
    OK(sched_setscheduler(0, SCHED_FIFO, &p));
    counter_start(0, SCHED_OTHER, 0);
    sleep_ms(30);
    counter_start(1, SCHED_RR, 10);
    sleep_ms(30);
    uint64_t low = shared->counts[0], high = shared->counts[1];
    CHECK(low && high);
    sleep_ms(100);
    EQUAL(shared->counts[0], low); /* it does not run at all */
    CHECK(shared->counts[1] > high);
}

TEST(idle_runs_last) {
    root_only();
    shared_make();
    struct sched_param p = at(99);
    OK(sched_setscheduler(0, SCHED_FIFO, &p));
    counter_start(0, SCHED_IDLE, 0);
    sleep_ms(30);
    CHECK(shared->counts[0] > 0); /* when there is nothing else */
    pid_t busy = counter_start(1, SCHED_OTHER, 0);
    sleep_ms(200);
    uint64_t idle = shared->counts[0];
    sleep_ms(100);
    CHECK((shared->counts[0] - idle) < shared->counts[1] / 10 + 1);
    OK(kill(busy, SIGKILL));
    child_wait(busy);
    sleep_ms(50);
    CHECK(shared->counts[0] > idle);
}

/* Two of one priority: in turn by slices, or the first for ever. */
static void two_equal(int policy, bool both) {
    root_only();
    shared_make();
    struct sched_param p = at(99);
    OK(sched_setscheduler(0, SCHED_FIFO, &p));
    counter_start(0, policy, 20);
    counter_start(1, policy, 20);
    sleep_ms(300);
    EQUAL((shared->counts[0] > 0) + (shared->counts[1] > 0), both ? 2 : 1); /* which one: Linux takes the last */
}
TEST(round_robin_takes_turns) { two_equal(SCHED_RR, true); }
TEST(fifo_has_no_slices) { two_equal(SCHED_FIFO, false); }

static int yield_both(void *slot) {
    for (;;) {
        shared->counts[(intptr_t)slot]++;
        sched_yield();
    }
}
TEST(fifo_yields) {
    root_only();
    shared_make();
    struct sched_param p = at(99);
    OK(sched_setscheduler(0, SCHED_FIFO, &p));
    for (intptr_t i = 0; i < 2; i++) {
        p = at(20);
        pid_t pid = child_start(yield_both, (void *)i);
        OK(sched_setscheduler(pid, SCHED_FIFO, &p));
    }
    sleep_ms(100);
    int64_t a = (int64_t)shared->counts[0], b = (int64_t)shared->counts[1];
    CHECK(a > 0 && b > 0 && a - b <= 1 && b - a <= 1);
}

/* --- threads --------------------------------------------------------------------------------------- */

static void *tell(void *out) {
    struct sched_param p;
    int policy;
    CHECK(pthread_getschedparam(pthread_self(), &policy, &p) == 0);
    *(int *)out = policy * 100 + p.sched_priority;
    return NULL;
}
static int policy_of_new(const pthread_attr_t *attributes) {
    pthread_t t;
    int told = -1;
    CHECK(pthread_create(&t, attributes, tell, &told) == 0);
    CHECK(pthread_join(t, NULL) == 0);
    return told;
}

TEST(attributes_of_threads) {
    pthread_attr_t a;
    root_only();
    struct sched_param p = at(12);
    CHECK(pthread_attr_init(&a) == 0);
    CHECK(pthread_attr_setschedpolicy(&a, SCHED_RR) == 0);
    CHECK(pthread_attr_setschedparam(&a, &p) == 0);
    EQUAL(policy_of_new(&a), 0); /* inherited all the same */
    CHECK(pthread_attr_setinheritsched(&a, PTHREAD_EXPLICIT_SCHED) == 0);
    EQUAL(policy_of_new(&a), 212);
    EQUAL(policy_of_new(NULL), 0);
    p = at(33);
    CHECK(pthread_setschedparam(pthread_self(), SCHED_FIFO, &p) == 0);
    EQUAL(policy_of_new(NULL), 133);
    EQUAL(policy_of_new(&a), 212);
    CHECK(pthread_setschedprio(pthread_self(), 34) == 0);
    EQUAL(policy_of_new(NULL), 134);
    CHECK(pthread_setschedprio(pthread_self(), 100) == EINVAL);
    p = at(0);
    CHECK(pthread_setschedparam(pthread_self(), SCHED_OTHER, &p) == 0);
}

static int explicit_without_privilege(void *unused) {
    pthread_attr_t a;
    pthread_t t;
    int told;
    struct sched_param p = at(12);
    setid_drop();
    CHECK(pthread_attr_init(&a) == 0);
    CHECK(pthread_attr_setschedpolicy(&a, SCHED_RR) == 0);
    CHECK(pthread_attr_setschedparam(&a, &p) == 0);
    CHECK(pthread_attr_setinheritsched(&a, PTHREAD_EXPLICIT_SCHED) == 0);
    return pthread_create(&t, &a, tell, &told);
}
TEST(no_thread_without_privilege) {
    root_only();
    EQUAL(child_run(explicit_without_privilege, NULL), EPERM);
}

TEST(nice_leaves_realtime_alone) {
    root_only();
    shared_make();
    struct sched_param p = at(99);
    OK(sched_setscheduler(0, SCHED_FIFO, &p));
    pid_t pid = counter_start(1, SCHED_RR, 10);
    OK(setpriority(PRIO_PROCESS, (id_t)pid, 19));
    counter_start(0, SCHED_OTHER, 0);
    sleep_ms(30);
    uint64_t before = shared->counts[0];
    sleep_ms(100);
    EQUAL(shared->counts[0], before);
    EQUAL(getpriority(PRIO_PROCESS, (id_t)pid), 19);
}

/* A low thread holds a lock that a high one wants; one in between spins: inheritance lets the low one finish. */
static pthread_mutex_t mutex;
static void *low(void *unused) {
    CHECK(pthread_mutex_lock(&mutex) == 0);
    shared->go = 1;
    while (shared->go < 2) {
    }
    for (volatile int i = 0; i < 100000; i++) {
    }
    shared->order[shared->next++] = 1;
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    return NULL;
}
static void *middle(void *unused) {
    shared->go = 2;
    for (volatile int i = 0; i < 20000000; i++) {
    }
    shared->order[shared->next++] = 2;
    return NULL;
}
static void *high(void *unused) {
    CHECK(pthread_mutex_lock(&mutex) == 0);
    shared->order[shared->next++] = 3;
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    return NULL;
}
static pthread_t thread_at(void *(*fn)(void *), int priority) {
    pthread_t t;
    pthread_attr_t a;
    struct sched_param p = at(priority);
    CHECK(pthread_attr_init(&a) == 0);
    CHECK(pthread_attr_setinheritsched(&a, PTHREAD_EXPLICIT_SCHED) == 0);
    CHECK(pthread_attr_setschedpolicy(&a, SCHED_FIFO) == 0);
    CHECK(pthread_attr_setschedparam(&a, &p) == 0);
    CHECK(pthread_create(&t, &a, fn, NULL) == 0);
    return t;
}

TEST(priority_inheritance) {
    pthread_mutexattr_t a;
    pthread_t threads[3];
    root_only();
    shared_make();
    struct sched_param p = at(99);
    CHECK(pthread_mutexattr_init(&a) == 0);
    CHECK(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT) == 0);
    CHECK(pthread_mutex_init(&mutex, &a) == 0);
    CHECK(pthread_setschedparam(pthread_self(), SCHED_FIFO, &p) == 0);
    threads[0] = thread_at(low, 10);
    while (shared->go < 1) {
        sleep_ms(5);
    }
    threads[1] = thread_at(high, 80); /* blocks on the mutex */
    sleep_ms(20);
    threads[2] = thread_at(middle, 40);
    shared->go = 2;
    for (int i = 0; i < 3; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    EQUAL(shared->order[0], 1);
    EQUAL(shared->order[1], 3);
    EQUAL(shared->order[2], 2);
}

/* --- spawn ------------------------------------------------------------------------------------------ */

__attribute__((constructor)) static void spawned(void) {
    if (getenv("SCHEDULING_REPORT")) {
        _exit(report(NULL));
    }
}

TEST(spawn_attributes) {
    posix_spawnattr_t a;
    struct sched_param p = at(11), got = at(0);
    int policy = -1, status;
    pid_t pid;
    root_only();
    CHECK(posix_spawnattr_init(&a) == 0);
    CHECK(posix_spawnattr_setschedpolicy(&a, SCHED_RR) == 0);
    CHECK(posix_spawnattr_setschedparam(&a, &p) == 0);
    CHECK(posix_spawnattr_getschedpolicy(&a, &policy) == 0 && policy == SCHED_RR);
    CHECK(posix_spawnattr_getschedparam(&a, &got) == 0 && got.sched_priority == 11);
    for (int set = 0; set < 2; set++) {
        CHECK(posix_spawnattr_setflags(&a, set ? POSIX_SPAWN_SETSCHEDULER : 0) == 0);
        CHECK(posix_spawn(&pid, "/proc/self/exe", NULL, &a, (char *[]){(char *)"self", NULL},
                          (char *[]){(char *)"SCHEDULING_REPORT=1", NULL}) == 0);
        status = child_wait(pid);
        EQUAL(WEXITSTATUS(status), set ? 211 : 0);
    }
}
