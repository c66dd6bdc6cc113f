// SPDX-License-Identifier: MIT
/* poll, select, epoll, eventfd, timerfd. */
#include "test.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/timerfd.h>

TEST(pipe_readiness) {
    int p[2];
    OK(pipe(p));
    struct pollfd f[2] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}};
    EQUAL(poll(f, 2, 0), 1);
    EQUAL(f[0].revents, 0);
    EQUAL(f[1].revents, POLLOUT);
    EQUAL(write(p[1], "x", 1), 1);
    EQUAL(poll(f, 2, 0), 2);
    EQUAL(f[0].revents, POLLIN);
    f[0].events = POLLIN | POLLRDNORM;
    EQUAL(poll(f, 1, 0), 1);
    EQUAL(f[0].revents, POLLIN | POLLRDNORM);
}

TEST(hangup_and_error) {
    int p[2];
    OK(pipe(p));
    OK(close(p[1]));
    struct pollfd f = {p[0], POLLIN, 0};
    EQUAL(poll(&f, 1, 0), 1);
    CHECK(f.revents & POLLHUP);
    OK(pipe(p));
    OK(close(p[0]));
    f = (struct pollfd){p[1], POLLOUT, 0};
    EQUAL(poll(&f, 1, 0), 1);
    CHECK(f.revents & POLLERR);
    f = (struct pollfd){900, POLLIN, 0};
    EQUAL(poll(&f, 1, 0), 1);
    EQUAL(f.revents, POLLNVAL);
    f.fd = -1;
    EQUAL(poll(&f, 1, 0), 0);
}

TEST(timeouts) {
    int p[2];
    OK(pipe(p));
    struct pollfd f = {p[0], POLLIN, 0};
    int64_t before = now_ms();
    EQUAL(poll(&f, 1, 60), 0);
    CHECK(now_ms() - before >= 55);
    EQUAL(poll(NULL, 0, 10), 0);
    struct timeval t = {0, 30000};
    before = now_ms();
    EQUAL(select(0, NULL, NULL, NULL, &t), 0);
    CHECK(now_ms() - before >= 25);
}

static int write_later(void *argument) {
    sleep_ms(60);
    return write(*(int *)argument, "x", 1) != 1;
}

TEST(waiting_for_a_writer) {
    int p[2];
    OK(pipe(p));
    pid_t pid = child_start(write_later, &p[1]);
    struct pollfd f = {p[0], POLLIN, 0};
    EQUAL(poll(&f, 1, -1), 1);
    EQUAL(f.revents, POLLIN);
    EQUAL(child_wait(pid), 0);
}

static void note(int signal) {}

TEST(interruption_and_masks) {
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    sigset_t set, old;
    OK(sigaction(SIGALRM, &action, NULL));
    alarm(1);
    FAILS(EINTR, poll(NULL, 0, -1));
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    OK(sigaction(SIGUSR1, &action, NULL));
    OK(sigprocmask(SIG_BLOCK, &set, &old));
    raise(SIGUSR1);
    struct timespec t = {5, 0};
    FAILS(EINTR, ppoll(NULL, 0, &t, &old));
    raise(SIGUSR1);
    FAILS(EINTR, pselect(0, NULL, NULL, NULL, &t, &old));
}

TEST(select_sets) {
    int p[2];
    fd_set in, out;
    OK(pipe(p));
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(p[0], &in);
    FD_SET(p[1], &out);
    EQUAL(select(p[1] + 1, &in, &out, NULL, NULL), 1);
    CHECK(!FD_ISSET(p[0], &in) && FD_ISSET(p[1], &out));
    EQUAL(write(p[1], "x", 1), 1);
    FD_SET(p[0], &in);
    EQUAL(select(p[1] + 1, &in, &out, NULL, NULL), 2);
    FD_ZERO(&in);
    OK(close(p[1]));
    FD_SET(p[1], &in);
    struct timeval t = {0, 0};
    FAILS(EBADF, select(p[1] + 1, &in, NULL, NULL, &t));
    FAILS(EINVAL, select(-1, NULL, NULL, NULL, &t));
}

TEST(files_are_always_ready) {
    file_make("a", "");
    struct pollfd f = {(int)OK(open("a", O_RDWR)), POLLIN | POLLOUT, 0};
    EQUAL(poll(&f, 1, 0), 1);
    EQUAL(f.revents, POLLIN | POLLOUT);
}

TEST(epoll_level_and_oneshot) {
    int p[2];
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = 77}, got[4];
    int set = (int)OK(epoll_create1(EPOLL_CLOEXEC));
    OK(pipe(p));
    OK(epoll_ctl(set, EPOLL_CTL_ADD, p[0], &e));
    FAILS(EEXIST, epoll_ctl(set, EPOLL_CTL_ADD, p[0], &e));
    EQUAL(epoll_wait(set, got, 4, 0), 0);
    EQUAL(write(p[1], "x", 1), 1);
    EQUAL(epoll_wait(set, got, 4, -1), 1);
    EQUAL(got[0].data.u64, 77);
    EQUAL(epoll_wait(set, got, 4, 0), 1);
    e.events = EPOLLIN | EPOLLONESHOT;
    OK(epoll_ctl(set, EPOLL_CTL_MOD, p[0], &e));
    EQUAL(epoll_wait(set, got, 4, 0), 1);
    EQUAL(epoll_wait(set, got, 4, 0), 0);
    OK(epoll_ctl(set, EPOLL_CTL_DEL, p[0], NULL));
    FAILS(ENOENT, epoll_ctl(set, EPOLL_CTL_DEL, p[0], NULL));
}

TEST(event_counter) {
    uint64_t value = 3;
    int fd = (int)OK(eventfd(2, EFD_NONBLOCK));
    EQUAL(write(fd, &value, 8), 8);
    EQUAL(read(fd, &value, 8), 8);
    EQUAL(value, 5);
    FAILS(EAGAIN, read(fd, &value, 8));
}

TEST(timer_descriptor) {
    struct itimerspec t = {{0, 10000000}, {0, 10000000}}, left;
    uint64_t value;
    int fd = (int)OK(timerfd_create(CLOCK_MONOTONIC, 0));
    OK(timerfd_settime(fd, 0, &t, NULL));
    EQUAL(read(fd, &value, 8), 8);
    CHECK(value >= 1);
    sleep_ms(55);
    OK(timerfd_gettime(fd, &left));
    EQUAL(left.it_interval.tv_nsec, 10000000);
    EQUAL(read(fd, &value, 8), 8);
    CHECK(value >= 3);
}
