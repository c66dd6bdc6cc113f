// SPDX-License-Identifier: MIT
/* signalfd: signals that are read. */
#include "test.h"
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

static sigset_t set_of(int a, int b) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, a);
    if (b) {
        sigaddset(&set, b);
    }
    return set;
}

/* A descriptor for two signals, which are blocked. */
static int open_blocked(int a, int b, int flags) {
    sigset_t set = set_of(a, b);
    OK(sigprocmask(SIG_BLOCK, &set, NULL));
    return (int)OK(signalfd(-1, &set, flags));
}

static bool readable(int fd, int timeout) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n = (int)OK(poll(&p, 1, timeout));
    CHECK(!n || p.revents == POLLIN);
    return n;
}

TEST(kill_is_read) {
    struct signalfd_siginfo info;
    int fd = open_blocked(SIGUSR1, SIGUSR2, SFD_NONBLOCK | SFD_CLOEXEC);
    EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK(!readable(fd, 0));
    FAILS(EAGAIN, read(fd, &info, sizeof(info)));
    FAILS(EINVAL, read(fd, &info, sizeof(info) - 1));
    OK(kill(getpid(), SIGUSR1));
    CHECK(readable(fd, 0));
    EQUAL(read(fd, &info, sizeof(info)), sizeof(info));
    EQUAL(info.ssi_signo, SIGUSR1);
    EQUAL(info.ssi_code, SI_USER);
    EQUAL(info.ssi_pid, getpid());
    EQUAL(info.ssi_uid, getuid());
    CHECK(!readable(fd, 0));
    FAILS(EAGAIN, read(fd, &info, sizeof(info)));
    OK(close(fd));
}

TEST(values_and_several_at_once) {
    struct signalfd_siginfo info[4];
    int fd = open_blocked(SIGRTMIN, SIGRTMIN + 1, 0);
    for (int i = 0; i < 3; i++) {
        OK(sigqueue(getpid(), i < 2 ? SIGRTMIN : SIGRTMIN + 1, (union sigval){.sival_int = 100 + i}));
    }
    EQUAL(read(fd, info, sizeof(info)), 3 * sizeof(info[0]));
    for (int i = 0; i < 3; i++) {
        EQUAL(info[i].ssi_int, 100 + i);
        EQUAL(info[i].ssi_code, SI_QUEUE);
    }
}

TEST(timer) {
    struct signalfd_siginfo info;
    int fd = open_blocked(SIGRTMIN, 0, 0);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 5};
    struct itimerspec t = {.it_value = {0, 5000000}};
    timer_t timer;
    OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    OK(timer_settime(timer, 0, &t, NULL));
    CHECK(readable(fd, 5000));
    EQUAL(read(fd, &info, sizeof(info)), sizeof(info));
    EQUAL(info.ssi_code, SI_TIMER);
    EQUAL(info.ssi_int, 5);
    EQUAL(info.ssi_overrun, 0);
}

static int exit_seven(void *arg) { return 7; }

TEST(child) {
    struct signalfd_siginfo info;
    int fd = open_blocked(SIGCHLD, 0, 0);
    pid_t pid = child_start(exit_seven, NULL);
    EQUAL(read(fd, &info, sizeof(info)), sizeof(info));
    EQUAL(info.ssi_signo, SIGCHLD);
    EQUAL(info.ssi_code, CLD_EXITED);
    EQUAL(info.ssi_pid, pid);
    EQUAL(info.ssi_status, 7);
    child_wait(pid);
}

static int kill_later(void *arg) {
    sleep_ms(30);
    return kill(getppid(), (int)(intptr_t)arg);
}

TEST(waiting) {
    struct signalfd_siginfo info;
    int fd = open_blocked(SIGUSR1, SIGUSR2, 0);
    pid_t pid = child_start(kill_later, (void *)(intptr_t)SIGUSR1);
    EQUAL(read(fd, &info, sizeof(info)), sizeof(info)); /* blocks */
    EQUAL(info.ssi_signo, SIGUSR1);
    EQUAL(info.ssi_pid, pid);
    child_wait(pid);
    pid = child_start(kill_later, (void *)(intptr_t)SIGUSR2);
    CHECK(readable(fd, 10000));
    EQUAL(read(fd, &info, sizeof(info)), sizeof(info));
    EQUAL(info.ssi_signo, SIGUSR2);
    child_wait(pid);
}

static void note(int signal) {}

TEST(interrupted_by_another) {
    struct signalfd_siginfo info;
    struct sigaction action = {.sa_handler = note};
    int fd = open_blocked(SIGUSR1, 0, 0);
    OK(sigaction(SIGUSR2, &action, NULL));
    pid_t pid = child_start(kill_later, (void *)(intptr_t)SIGUSR2);
    FAILS(EINTR, read(fd, &info, sizeof(info)));
    child_wait(pid);
}

TEST(epoll) {
    struct signalfd_siginfo info;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = 3};
    int fd = open_blocked(SIGUSR1, 0, SFD_NONBLOCK);
    int set = (int)OK(epoll_create1(0));
    OK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    EQUAL(epoll_wait(set, &event, 1, 0), 0);
    for (int i = 0; i < 3; i++) {
        pid_t pid = child_start(kill_later, (void *)(intptr_t)SIGUSR1);
        EQUAL(epoll_wait(set, &event, 1, 10000), 1);
        EQUAL(event.data.u32, 3);
        EQUAL(epoll_wait(set, &event, 1, 0), 1); /* level */
        EQUAL(read(fd, &info, sizeof(info)), sizeof(info));
        EQUAL(epoll_wait(set, &event, 1, 0), 0);
        child_wait(pid);
    }
}

static int shared;
static int child_reads_its_own(void *arg) {
    struct signalfd_siginfo info;
    if (readable(shared, 0)) { /* the parent's is not ours */
        return 1;
    }
    kill(getpid(), SIGUSR2);
    return !readable(shared, 0) || read(shared, &info, sizeof(info)) != sizeof(info) || info.ssi_signo != SIGUSR2;
}

TEST(each_process_its_own) {
    struct signalfd_siginfo info;
    shared = open_blocked(SIGUSR1, SIGUSR2, SFD_NONBLOCK);
    OK(kill(getpid(), SIGUSR1));
    EQUAL(child_run(child_reads_its_own, NULL), 0);
    EQUAL(read(shared, &info, sizeof(info)), sizeof(info));
    EQUAL(info.ssi_signo, SIGUSR1);
}

static void *thread_waits(void *arg) { return (void *)(intptr_t)readable(*(int *)arg, 10000); }

TEST(to_a_thread) {
    struct signalfd_siginfo info;
    pthread_t thread;
    void *found;
    int fd = open_blocked(SIGUSR1, 0, SFD_NONBLOCK);
    EQUAL(pthread_create(&thread, NULL, thread_waits, &fd), 0);
    sleep_ms(20);
    EQUAL(pthread_kill(thread, SIGUSR1), 0);
    EQUAL(pthread_join(thread, &found), 0);
    CHECK(found);
    FAILS(EAGAIN, read(fd, &info, sizeof(info))); /* it was not ours */
}

TEST(new_mask) {
    struct signalfd_siginfo info;
    int fd = open_blocked(SIGUSR1, SIGUSR2, SFD_NONBLOCK);
    sigset_t set = set_of(SIGUSR2, 0);
    EQUAL(signalfd(fd, &set, 0), fd);
    OK(kill(getpid(), SIGUSR1));
    CHECK(!readable(fd, 0));
    FAILS(EAGAIN, read(fd, &info, sizeof(info)));
    OK(kill(getpid(), SIGUSR2));
    EQUAL(read(fd, &info, sizeof(info)), sizeof(info));
    EQUAL(info.ssi_signo, SIGUSR2);
}

TEST(errors) {
    sigset_t set = set_of(SIGUSR1, 0);
    int fds[2];
    FAILS(EINVAL, signalfd(-1, &set, 1));
    FAILS(EBADF, signalfd(77, &set, 0));
    OK(pipe(fds));
    FAILS(EINVAL, signalfd(fds[0], &set, 0));
    int fd = (int)OK(signalfd(-1, &set, 0));
    FAILS(EINVAL, write(fd, &set, sizeof(set)));
}

TEST(many) {
    int fds[200];
    struct signalfd_siginfo info;
    for (int i = 0; i < 200; i++) {
        fds[i] = open_blocked(SIGUSR1, 0, SFD_NONBLOCK);
    }
    pid_t pid = child_start(kill_later, (void *)(intptr_t)SIGUSR1);
    struct pollfd p[200];
    for (int i = 0; i < 200; i++) {
        p[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    }
    EQUAL(poll(p, 200, 10000), 200);
    EQUAL(read(fds[99], &info, sizeof(info)), sizeof(info));
    EQUAL(poll(p, 200, 0), 0);
    child_wait(pid);
}
