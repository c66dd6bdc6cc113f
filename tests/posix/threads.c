// SPDX-License-Identifier: MIT
/* Threads: create, join, locks, conditions, cancellation, signals to threads. */
#include "test.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int shared;
static __thread int own = 5;

static pthread_t start(void *(*fn)(void *), void *argument) {
    pthread_t t;
    EQUAL(pthread_create(&t, NULL, fn, argument), 0);
    return t;
}

static void *join(pthread_t t) {
    void *result;
    EQUAL(pthread_join(t, &result), 0);
    return result;
}

static void *add_many(void *unused) {
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&mutex);
        shared += 1;
        pthread_mutex_unlock(&mutex);
    }
    return (void *)7;
}

TEST(mutual_exclusion) {
    pthread_t t[8];
    for (int i = 0; i < 8; i++) {
        t[i] = start(add_many, NULL);
    }
    for (int i = 0; i < 8; i++) {
        CHECK(join(t[i]) == (void *)7);
    }
    EQUAL(shared, 16000);
}

static void *change_own(void *unused) {
    int before = own;
    own = 9;
    return (void *)(long)before;
}

TEST(thread_local_storage) {
    own = 6;
    EQUAL((long)join(start(change_own, NULL)), 5);
    EQUAL(own, 6);
}

static void *consumer(void *unused) {
    int got = 0;
    pthread_mutex_lock(&mutex);
    while (got < 100) {
        while (shared == 0) {
            pthread_cond_wait(&condition, &mutex);
        }
        shared = 0;
        got++;
        pthread_cond_broadcast(&condition);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

TEST(conditions) {
    pthread_t t = start(consumer, NULL);
    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&mutex);
        while (shared) {
            pthread_cond_wait(&condition, &mutex);
        }
        shared = 1;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    join(t);
}

TEST(timed_waits) {
    struct timespec soon;
    sem_t semaphore;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 50000000;
    if (soon.tv_nsec >= 1000000000) {
        soon.tv_nsec -= 1000000000;
        soon.tv_sec++;
    }
    int64_t before = now_ms();
    pthread_mutex_lock(&mutex);
    EQUAL(pthread_cond_timedwait(&condition, &mutex, &soon), ETIMEDOUT);
    CHECK(now_ms() - before >= 40);
    OK(sem_init(&semaphore, 0, 0));
    FAILS(ETIMEDOUT, sem_timedwait(&semaphore, &soon));
}

static void *wait_barrier(void *barrier) { return (void *)(long)pthread_barrier_wait(barrier); }

TEST(barrier_and_once) {
    pthread_barrier_t barrier;
    pthread_t t[3];
    EQUAL(pthread_barrier_init(&barrier, NULL, 4), 0);
    for (int i = 0; i < 3; i++) {
        t[i] = start(wait_barrier, &barrier);
    }
    int serial = pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
    for (int i = 0; i < 3; i++) {
        serial += (long)join(t[i]) == PTHREAD_BARRIER_SERIAL_THREAD;
    }
    EQUAL(serial, 1);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

static void *write_locked(void *unused) {
    for (int i = 0; i < 500; i++) {
        pthread_rwlock_wrlock(&rwlock);
        shared++;
        pthread_rwlock_unlock(&rwlock);
        pthread_rwlock_rdlock(&rwlock);
        CHECK(shared > 0);
        pthread_rwlock_unlock(&rwlock);
    }
    return NULL;
}

TEST(read_write_locks) {
    pthread_t t[4];
    for (int i = 0; i < 4; i++) {
        t[i] = start(write_locked, NULL);
    }
    for (int i = 0; i < 4; i++) {
        join(t[i]);
    }
    EQUAL(shared, 2000);
}

static void *detached(void *semaphore) {
    pthread_detach(pthread_self());
    sem_post(semaphore);
    return NULL;
}

TEST(detached_threads_release_their_stacks) {
    sem_t semaphore;
    OK(sem_init(&semaphore, 0, 0));
    for (int i = 0; i < 100; i++) {
        start(detached, &semaphore);
        OK(sem_wait(&semaphore));
    }
    sleep_ms(20);
}

TEST(many_threads_one_after_another) {
    for (int i = 0; i < 200; i++) {
        join(start(change_own, NULL));
    }
}

static void note_cleanup(void *unused) { shared = 77; }

static void *block(void *argument) {
    char c;
    pthread_cleanup_push(note_cleanup, NULL);
    if (argument) {
        read(*(int *)argument, &c, 1);
    } else {
        for (;;) {
            pause();
        }
    }
    pthread_cleanup_pop(0);
    return NULL;
}

TEST(cancellation_of_a_blocked_thread) {
    int p[2];
    OK(pipe(p));
    pthread_t t = start(block, p);
    sleep_ms(30);
    EQUAL(pthread_cancel(t), 0);
    CHECK(join(t) == PTHREAD_CANCELED);
    EQUAL(shared, 77);
    t = start(block, NULL);
    EQUAL(pthread_cancel(t), 0); /* perhaps before it blocks */
    CHECK(join(t) == PTHREAD_CANCELED);
}

TEST(cancellation_races) {
    int p[2];
    OK(pipe(p));
    for (int i = 0; i < 100; i++) {
        pthread_t t = start(block, p);
        for (int k = 0; k < i * 100; k++) {
            __asm__ volatile("pause");
        }
        EQUAL(pthread_cancel(t), 0);
        CHECK(join(t) == PTHREAD_CANCELED);
    }
}

static void *disabled(void *fd) {
    char c = 0;
    int old;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    ssize_t n = read(*(int *)fd, &c, 1);
    return (void *)(n == 1 ? 1L : 0L);
}

TEST(cancellation_disabled) {
    int p[2];
    OK(pipe(p));
    pthread_t t = start(disabled, p);
    sleep_ms(20);
    EQUAL(pthread_cancel(t), 0);
    sleep_ms(20);
    EQUAL(write(p[1], "x", 1), 1);
    CHECK(join(t) == (void *)1);
}

static void *spin_forever(void *unused) {
    int old;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old);
    for (;;) {
        __asm__ volatile("pause");
    }
}

TEST(asynchronous_cancellation) {
    pthread_t t = start(spin_forever, NULL);
    sleep_ms(30);
    EQUAL(pthread_cancel(t), 0);
    CHECK(join(t) == PTHREAD_CANCELED);
}

static volatile pthread_t handled_by;

static void note_thread(int signal) { handled_by = pthread_self(); }

static void *sleep_a_while(void *unused) {
    for (int i = 0; i < 200 && !handled_by; i++) {
        sleep_ms(10);
    }
    return NULL;
}

TEST(signal_to_one_thread) {
    signal(SIGUSR1, note_thread);
    pthread_t t = start(sleep_a_while, NULL);
    sleep_ms(20);
    EQUAL(pthread_kill(t, SIGUSR1), 0);
    join(t);
    CHECK(handled_by == t);
}

static void *block_signals(void *unused) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    sleep_ms(200);
    return NULL;
}

TEST(signal_goes_to_a_thread_that_takes_it) {
    signal(SIGUSR1, note_thread);
    pthread_t t = start(block_signals, NULL);
    sleep_ms(20);
    OK(kill(getpid(), SIGUSR1));
    CHECK(handled_by == pthread_self());
    join(t);
}

static pthread_key_t key;

static void destroy(void *value) { shared += (int)(long)value; }

static void *use_key(void *unused) {
    pthread_setspecific(key, (void *)3);
    return NULL;
}

TEST(keys_and_destructors) {
    EQUAL(pthread_key_create(&key, destroy), 0);
    join(start(use_key, NULL));
    EQUAL(shared, 3);
}

static void *fork_in_thread(void *unused) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(own == 5 ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    return (void *)(long)status;
}

TEST(fork_in_a_thread) {
    own = 1;
    EQUAL((long)join(start(fork_in_thread, NULL)), 0);
}

static void *exit_thread(void *unused) {
    sleep_ms(30);
    _exit(0);
}

static int main_exits_first(void *unused) {
    start(exit_thread, NULL);
    pthread_exit(NULL);
}

TEST(main_thread_may_end_first) { EQUAL(child_run(main_exits_first, NULL), 0); }

TEST(robust_mutex) {
    pthread_mutexattr_t attributes;
    pthread_mutex_t *m = malloc(sizeof(*m));
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    EQUAL(pthread_mutex_init(m, &attributes), 0);
    join(start((void *(*)(void *))(void (*)(void))pthread_mutex_lock, m));
    EQUAL(pthread_mutex_lock(m), EOWNERDEAD);
    EQUAL(pthread_mutex_consistent(m), 0);
    EQUAL(pthread_mutex_unlock(m), 0);
}

TEST(affinity_and_names) {
    cpu_set_t set;
    OK(sched_getaffinity(0, sizeof(set), &set));
    EQUAL(CPU_COUNT(&set), sysconf(_SC_NPROCESSORS_ONLN));
    OK(sched_setaffinity(0, sizeof(set), &set));
    for (int cpu = 0; cpu < CPU_COUNT(&set); cpu++) { /* all that it tells are there */
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        OK(sched_setaffinity(0, sizeof(one), &one));
        EQUAL(sched_getcpu(), cpu);
    }
    CPU_ZERO(&set);
    CPU_SET(CPU_SETSIZE - 1, &set);
    FAILS(EINVAL, sched_setaffinity(0, sizeof(set), &set));
    OK(sched_yield());
    EQUAL(pthread_setname_np(pthread_self(), "tester"), 0);
}
