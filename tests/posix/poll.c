// SPDX-License-Identifier: MIT
/* poll, select, epoll, eventfd, timerfd. */
#include "test.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
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

TEST(epoll_takes_no_files) {
    struct epoll_event e = {.events = EPOLLIN};
    file_make("a", "");
    int set = (int)OK(epoll_create1(0)), file = (int)OK(open("a", O_RDWR)), folder = (int)OK(open(".", O_RDONLY));
    FAILS(EPERM, epoll_ctl(set, EPOLL_CTL_ADD, file, &e));
    FAILS(EPERM, epoll_ctl(set, EPOLL_CTL_ADD, folder, &e));
}

TEST(event_counter) {
    uint64_t value = 3;
    int fd = (int)OK(eventfd(2, EFD_NONBLOCK));
    EQUAL(write(fd, &value, 8), 8);
    EQUAL(read(fd, &value, 8), 8);
    EQUAL(value, 5);
    FAILS(EAGAIN, read(fd, &value, 8));
}

TEST(event_semaphore) {
    uint64_t value = 3;
    int fd = (int)OK(eventfd(1, EFD_NONBLOCK | EFD_SEMAPHORE));
    EQUAL(write(fd, &value, 8), 8);
    for (int i = 0; i < 4; i++) {
        EQUAL(read(fd, &value, 8), 8);
        EQUAL(value, 1);
    }
    FAILS(EAGAIN, read(fd, &value, 8));
}

/* All at once, and each one once. */
TEST(epoll_many) {
    enum { MANY = 300, ROOM = 400 };
    static struct epoll_event got[ROOM];
    int set = (int)OK(epoll_create1(0));
    for (unsigned i = 0; i < MANY; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.u64 = i};
        int fd = (int)OK(eventfd(1, 0));
        OK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
    }
    for (int again = 0; again < 2; again++) {
        char seen[MANY] = {};
        EQUAL(epoll_wait(set, got, ROOM, 0), MANY);
        for (unsigned i = 0; i < MANY; i++) {
            EQUAL(got[i].events, EPOLLIN);
            CHECK(got[i].data.u64 < MANY && !seen[got[i].data.u64]++);
        }
    }
}

TEST(epoll_edges) {
    int p[2];
    char c;
    struct epoll_event e = {.events = EPOLLIN | EPOLLET}, got[4];
    int set = (int)OK(epoll_create1(0));
    OK(pipe(p));
    EQUAL(write(p[1], "x", 1), 1);
    OK(epoll_ctl(set, EPOLL_CTL_ADD, p[0], &e));
    EQUAL(epoll_wait(set, got, 4, 0), 1);
    EQUAL(epoll_wait(set, got, 4, 0), 0); /* still readable, but that is no news */
    EQUAL(write(p[1], "y", 1), 1);
    EQUAL(epoll_wait(set, got, 4, 0), 1);
    EQUAL(read(p[0], &c, 1), 1);
    EQUAL(epoll_wait(set, got, 4, 0), 0);
    OK(epoll_ctl(set, EPOLL_CTL_MOD, p[0], &e));
    EQUAL(epoll_wait(set, got, 4, 0), 1);
}

/* The same of what a server looks after. */
TEST(epoll_edges_fifo) {
    char c;
    struct epoll_event e = {.events = EPOLLIN | EPOLLET}, got[4];
    int set = (int)OK(epoll_create1(0));
    OK(mkfifo("fifo", 0600));
    int fifo = (int)OK(open("fifo", O_RDWR | O_NONBLOCK));
    OK(epoll_ctl(set, EPOLL_CTL_ADD, fifo, &e));
    EQUAL(epoll_wait(set, got, 4, 0), 0);
    EQUAL(write(fifo, "x", 1), 1);
    EQUAL(epoll_wait(set, got, 4, 0), 1);
    EQUAL(epoll_wait(set, got, 4, 0), 0);
    EQUAL(write(fifo, "y", 1), 1);
    EQUAL(epoll_wait(set, got, 4, 0), 1);
    EQUAL(read(fifo, &c, 1), 1);
    EQUAL(read(fifo, &c, 1), 1);
    EQUAL(epoll_wait(set, got, 4, 0), 0);
    EQUAL(write(fifo, "z", 1), 1);
    OK(epoll_ctl(set, EPOLL_CTL_MOD, fifo, &e));
    EQUAL(epoll_wait(set, got, 4, 0), 1);
    EQUAL(epoll_wait(set, got, 4, 0), 0);
}

TEST(epoll_in_epoll) {
    int p[2], sets[6];
    char c;
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = 5}, got[4];
    OK(pipe(p));
    for (int i = 0; i < 6; i++) sets[i] = (int)OK(epoll_create1(0));
    OK(epoll_ctl(sets[0], EPOLL_CTL_ADD, p[0], &e));
    OK(epoll_ctl(sets[1], EPOLL_CTL_ADD, sets[0], &e));
    OK(epoll_ctl(sets[2], EPOLL_CTL_ADD, sets[1], &e));
    FAILS(EINVAL, epoll_ctl(sets[0], EPOLL_CTL_ADD, sets[0], &e));
    FAILS(ELOOP, epoll_ctl(sets[0], EPOLL_CTL_ADD, sets[2], &e));
    struct pollfd f = {sets[2], POLLIN, 0};
    EQUAL(poll(&f, 1, 0), 0);
    EQUAL(write(p[1], "x", 1), 1);
    EQUAL(poll(&f, 1, 1000), 1);
    EQUAL(epoll_wait(sets[2], got, 4, 1000), 1);
    EQUAL(got[0].data.u64, 5);
    EQUAL(read(p[0], &c, 1), 1);
    EQUAL(epoll_wait(sets[2], got, 4, 0), 0);
    EQUAL(poll(&f, 1, 0), 0);
    EQUAL(close(sets[0]), 0); /* out of the set that it was in */
    EQUAL(write(p[1], "x", 1), 1);
    EQUAL(epoll_wait(sets[2], got, 4, 0), 0);
}

#define MANY 3000
static int post_later(void *argument) {
    uint64_t one = 1;
    sleep_ms(60);
    return write(*(int *)argument, &one, 8) != 8;
}

TEST(thousands_of_descriptors) {
    static struct pollfd all[MANY];
    struct epoll_event e = {.events = EPOLLIN}, got[16];
    struct rlimit limit = {MANY + 100, MANY + 100};
    uint64_t one = 1;
    OK(setrlimit(RLIMIT_NOFILE, &limit));
    int set = (int)OK(epoll_create1(0));
    for (int i = 0; i < MANY; i++) {
        all[i] = (struct pollfd){(int)OK(eventfd(0, EFD_NONBLOCK)), POLLIN, 0};
        e.data.u32 = (uint32_t)i;
        OK(epoll_ctl(set, EPOLL_CTL_ADD, all[i].fd, &e));
    }
    EQUAL(poll(all, MANY, 1), 0);
    EQUAL(epoll_wait(set, got, 16, 1), 0);
    for (int i = 7; i < MANY; i += 1000) EQUAL(write(all[i].fd, &one, 8), 8);
    EQUAL(poll(all, MANY, -1), 3);
    EQUAL(all[1007].revents, POLLIN);
    EQUAL(all[1008].revents, 0);
    EQUAL(epoll_wait(set, got, 16, -1), 3);
    EQUAL(got[1].data.u32, 1007);
    for (int i = 7; i < MANY; i += 1000) EQUAL(read(all[i].fd, &one, 8), 8);
    pid_t child = child_start(post_later, &all[MANY - 1].fd);
    EQUAL(poll(all, MANY, -1), 1);
    EQUAL(all[MANY - 1].revents, POLLIN);
    EQUAL(child_wait(child), 0);
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
