// SPDX-License-Identifier: MIT
/* POSIX message queues, shared memory and named semaphores. */
#include "test.h"
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>

static char name[32];

static mqd_t queue_new(long messages, long size, int flags) {
    struct mq_attr a = {.mq_maxmsg = messages, .mq_msgsize = size};
    snprintf(name, sizeof(name), "/test-%d", getpid());
    mq_unlink(name);
    return (mqd_t)OK(mq_open(name, O_RDWR | O_CREAT | O_EXCL | flags, 0600, &a));
}

static struct mq_attr attributes_of(mqd_t q) {
    struct mq_attr a;
    OK(mq_getattr(q, &a));
    return a;
}

TEST(priorities) {
    mqd_t q = queue_new(8, 16, 0);
    char got[16];
    unsigned priority;
    OK(mq_send(q, "low", 3, 1));
    OK(mq_send(q, "high", 4, 9));
    OK(mq_send(q, "low2", 4, 1));
    OK(mq_send(q, "mid", 3, 5));
    OK(mq_send(q, "", 0, 0));
    EQUAL(attributes_of(q).mq_curmsgs, 5);
    EQUAL(mq_receive(q, got, sizeof(got), &priority), 4);
    EQUAL(priority, 9);
    CHECK(!memcmp(got, "high", 4));
    EQUAL(mq_receive(q, got, sizeof(got), &priority), 3);
    EQUAL(priority, 5);
    EQUAL(mq_receive(q, got, sizeof(got), NULL), 3);
    CHECK(!memcmp(got, "low", 3));
    EQUAL(mq_receive(q, got, sizeof(got), NULL), 4);
    EQUAL(mq_receive(q, got, sizeof(got), &priority), 0);
    EQUAL(priority, 0);
    OK(mq_close(q));
    OK(mq_unlink(name));
}

TEST(limits) {
    mqd_t q = queue_new(2, 8, O_NONBLOCK);
    char got[16];
    EQUAL(attributes_of(q).mq_flags, O_NONBLOCK);
    EQUAL(attributes_of(q).mq_maxmsg, 2);
    EQUAL(attributes_of(q).mq_msgsize, 8);
    FAILS(EAGAIN, mq_receive(q, got, sizeof(got), NULL));
    FAILS(EMSGSIZE, mq_send(q, "too large", 9, 0));
    FAILS(EINVAL, mq_send(q, "x", 1, 32768));
    OK(mq_send(q, "x", 1, 32767));
    FAILS(EMSGSIZE, mq_receive(q, got, 7, NULL));
    OK(mq_send(q, "y", 1, 0));
    FAILS(EAGAIN, mq_send(q, "z", 1, 0));
    struct mq_attr a = {.mq_flags = 0}, old;
    OK(mq_setattr(q, &a, &old));
    EQUAL(old.mq_flags, O_NONBLOCK);
    EQUAL(old.mq_curmsgs, 2);
    EQUAL(attributes_of(q).mq_flags, 0);
    struct timespec past = {1, 0}, bad = {1, -1};
    FAILS(ETIMEDOUT, mq_timedsend(q, "z", 1, 0, &past));
    FAILS(EINVAL, mq_timedsend(q, "z", 1, 0, &bad));
    EQUAL(mq_timedreceive(q, got, sizeof(got), NULL, &past), 1); /* need not wait */
    OK(mq_unlink(name));
}

TEST(opening) {
    struct mq_attr none = {.mq_maxmsg = 0, .mq_msgsize = 1};
    char longest[300] = "/", c[8192];
    mqd_t q = queue_new(2, 8, 0), r, w;
    FAILS(EEXIST, mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL));
    r = (mqd_t)OK(mq_open(name, O_RDONLY));
    w = (mqd_t)OK(mq_open(name, O_WRONLY | O_CREAT, 0600, NULL));
    FAILS(EBADF, mq_send(r, "x", 1, 0));
    FAILS(EBADF, mq_receive(w, c, sizeof(c), NULL));
    OK(mq_send(w, "x", 1, 0));
    EQUAL(mq_receive(r, c, sizeof(c), NULL), 1);
    FAILS(EBADF, mq_getattr(-1, &none));
    FAILS(EBADF, mq_send(0x7ffffff, "x", 1, 0));
    OK(mq_unlink(name));
    FAILS(ENOENT, mq_open(name, O_RDWR));
    FAILS(ENOENT, mq_unlink(name));
    OK(mq_send(q, "y", 1, 0)); /* it goes on for those who have it */
    EQUAL(mq_receive(r, c, sizeof(c), NULL), 1);
    FAILS(EINVAL, mq_open(name, O_RDWR | O_CREAT, 0600, &none));
    FAILS(EACCES, mq_open("/a/b", O_RDWR | O_CREAT, 0600, NULL));
    memset(longest + 1, 'x', 298);
    FAILS(ENAMETOOLONG, mq_open(longest, O_RDWR | O_CREAT, 0600, NULL));
    FAILS(ENOENT, mq_open("/", O_RDWR));
}

static int late_sender(void *q) {
    sleep_ms(100);
    OK(mq_send(*(mqd_t *)q, "late", 4, 3));
    return 0;
}

static int late_receiver(void *q) {
    char got[8];
    sleep_ms(100);
    OK(mq_receive(*(mqd_t *)q, got, sizeof(got), NULL));
    return 0;
}

TEST(waiting) {
    mqd_t q = queue_new(1, 8, 0);
    char got[8];
    pid_t child = child_start(late_sender, &q);
    EQUAL(mq_receive(q, got, sizeof(got), NULL), 4);
    EQUAL(child_wait(child), 0);
    OK(mq_send(q, "1", 1, 0));
    child = child_start(late_receiver, &q);
    OK(mq_send(q, "2", 1, 0));
    EQUAL(child_wait(child), 0);
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += 50000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    int64_t start = now_ms();
    FAILS(ETIMEDOUT, mq_timedsend(q, "3", 1, 0, &t));
    CHECK(now_ms() - start >= 30);
    OK(mq_unlink(name));
}

static volatile sig_atomic_t signals, value, code;
static void on_notify(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)context;
    signals++;
    value = info->si_value.sival_int;
    code = info->si_code;
}

static void wait_signals(int count) {
    for (int i = 0; i < 1000 && signals < count; i++) {
        sleep_ms(5);
    }
    EQUAL(signals, count);
}

static int busy(void *q) {
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    FAILS(EBUSY, mq_notify(*(mqd_t *)q, &e));
    return 0;
}

TEST(notification_by_signal) {
    mqd_t q = queue_new(4, 8, 0);
    char got[8];
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77};
    struct sigaction action = {.sa_sigaction = on_notify, .sa_flags = SA_SIGINFO};
    OK(sigaction(SIGUSR1, &action, NULL));
    OK(mq_notify(q, &e));
    FAILS(EBUSY, mq_notify(q, &e));
    EQUAL(child_run(busy, &q), 0);
    OK(mq_send(q, "x", 1, 0));
    wait_signals(1);
    EQUAL(value, 77);
    EQUAL(code, SI_MESGQ);
    OK(mq_send(q, "x", 1, 0)); /* once only */
    OK(mq_notify(q, &e));
    OK(mq_send(q, "x", 1, 0)); /* it wasn't empty */
    sleep_ms(50);
    EQUAL(signals, 1);
    for (int i = 0; i < 3; i++) {
        OK(mq_receive(q, got, sizeof(got), NULL));
    }
    OK(mq_send(q, "x", 1, 0));
    wait_signals(2);
    OK(mq_receive(q, got, sizeof(got), NULL));
    OK(mq_notify(q, &e));
    OK(mq_notify(q, NULL));
    OK(mq_send(q, "x", 1, 0));
    sleep_ms(50);
    EQUAL(signals, 2);
    OK(mq_unlink(name));
}

static int notify_succeeds(void *q) {
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL};
    OK(mq_notify(*(mqd_t *)q, &e));
    return 0;
}

/* Signal 0: none is sent. */
TEST(notification_ends_with_close) {
    mqd_t q = queue_new(2, 8, 0), again = (mqd_t)OK(mq_open(name, O_RDWR));
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL};
    OK(mq_notify(q, &e));
    EQUAL(child_run(busy, &again), 0);
    OK(mq_close(q));
    EQUAL(child_run(notify_succeeds, &again), 0);
    OK(mq_unlink(name));
}

TEST(a_waiting_receiver_comes_first) {
    mqd_t q = queue_new(4, 8, 0);
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct sigaction action = {.sa_sigaction = on_notify, .sa_flags = SA_SIGINFO};
    OK(sigaction(SIGUSR1, &action, NULL));
    OK(mq_notify(q, &e));
    pid_t child = child_start(late_receiver, &q);
    sleep_ms(300);
    OK(mq_send(q, "x", 1, 0));
    EQUAL(child_wait(child), 0);
    sleep_ms(50);
    EQUAL(signals, 0);
    OK(mq_unlink(name));
}

static void in_thread(union sigval v) {
    value = v.sival_int;
    signals++;
}

TEST(notification_by_thread) {
    mqd_t q = queue_new(4, 8, 0);
    struct sigevent e = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_thread, .sigev_value.sival_int = 5};
    OK(mq_notify(q, &e));
    OK(mq_send(q, "x", 1, 0));
    wait_signals(1);
    EQUAL(value, 5);
    OK(mq_unlink(name));
}

TEST(queues_can_be_polled) {
    mqd_t q = queue_new(1, 8, 0);
    struct pollfd p = {(int)q, POLLIN | POLLOUT, 0};
    EQUAL(poll(&p, 1, 0), 1);
    EQUAL(p.revents, POLLOUT);
    OK(mq_send(q, "x", 1, 0));
    EQUAL(poll(&p, 1, 0), 1);
    EQUAL(p.revents, POLLIN);
    OK(mq_unlink(name));
}

/* --- shared memory and semaphores --- */
TEST(shared_memory) {
    int fd;
    snprintf(name, sizeof(name), "/test-%d", getpid());
    fd = (int)OK(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
    EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
    FAILS(EEXIST, shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
    OK(ftruncate(fd, 10000));
    char *a = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int other = (int)OK(shm_open(name, O_RDONLY, 0));
    char *b = mmap(NULL, 10000, PROT_READ, MAP_SHARED, other, 0);
    CHECK(a != MAP_FAILED && b != MAP_FAILED);
    strcpy(a + 9000, "shared");
    CHECK(!strcmp(b + 9000, "shared"));
    OK(shm_unlink(name));
    FAILS(ENOENT, shm_open(name, O_RDONLY, 0));
    FAILS(ENOENT, shm_unlink(name));
    CHECK(!strcmp(b + 9000, "shared"));
    CHECK(shm_open("/a/b", O_RDWR | O_CREAT, 0600) == -1);
    struct stat st;
    OK(stat("/dev/shm", &st));
    EQUAL(st.st_mode & 07777, 01777);
}

static int poster(void *path) {
    sem_t *s = sem_open(path, 0);
    CHECK(s != SEM_FAILED);
    sleep_ms(50);
    OK(sem_post(s));
    return 0;
}

TEST(named_semaphores) {
    int v;
    snprintf(name, sizeof(name), "/test-%d", getpid());
    sem_t *s = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
    CHECK(s != SEM_FAILED);
    CHECK(sem_open(name, O_CREAT | O_EXCL, 0600, 1) == SEM_FAILED && errno == EEXIST);
    CHECK(sem_open(name, 0) == s); /* one mapping per process */
    OK(sem_getvalue(s, &v));
    EQUAL(v, 1);
    OK(sem_wait(s));
    FAILS(EAGAIN, sem_trywait(s));
    pid_t child = child_start(poster, name);
    OK(sem_wait(s));
    EQUAL(child_wait(child), 0);
    OK(sem_unlink(name));
    CHECK(sem_open(name, 0) == SEM_FAILED && errno == ENOENT);
    OK(sem_close(s));
}

TEST(memory_files) {
    char got[8] = {0};
    struct stat st;
    int fd = (int)OK(memfd_create("a name", MFD_CLOEXEC));
    EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EQUAL(write(fd, "abc", 3), 3);
    EQUAL(write(fd, "def", 3), 3);
    OK(fstat(fd, &st));
    EQUAL(st.st_size, 6);
    CHECK(S_ISREG(st.st_mode));
    EQUAL(lseek(fd, 1, SEEK_SET), 1);
    EQUAL(read(fd, got, 2), 2);
    CHECK(!strcmp(got, "bc"));
    OK(ftruncate(fd, 8192));
    char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(m != MAP_FAILED && !memcmp(m, "abcdef", 7));
    m[8191] = 'z';
    EQUAL(pread(fd, got, 1, 8191), 1);
    EQUAL(got[0], 'z');
    int second = dup(fd);
    EQUAL(lseek(second, 0, SEEK_CUR), 3);
    FAILS(EINVAL, memfd_create("x", 0x80000));
    char longest[300];
    memset(longest, 'x', sizeof(longest));
    longest[299] = 0;
    FAILS(EINVAL, memfd_create(longest, 0));
}
