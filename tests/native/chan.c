// SPDX-License-Identifier: MIT
/* Message channels by name (cathode/chan.h). */
#include "native.h"
#include <abi/counters.h>
#include <cathode/chan.h>
#include <poll.h>

static char name[CHAN_NAME_MAX + 1];

static int listening(mode_t mode, int flags) {
    snprintf(name, sizeof(name), "test.%d", getpid());
    return (int)OK(chan_listen(name, mode, flags));
}

static void pair(int end[2]) {
    int l = listening(0600, 0);
    end[1] = (int)OK(chan_connect(name, 0));
    end[0] = (int)OK(chan_accept(l, 0));
    OK(close(l));
}

TEST(messages_and_senders) {
    int c[2];
    char got[8];
    struct chan_sender who = {};
    pair(c);
    EQUAL(chan_send(c[1], "one", 3, nullptr, 0, 0), 3);
    EQUAL(chan_send(c[1], "", 0, nullptr, 0, 0), 0);
    EQUAL(chan_send(c[1], "a long one", 10, nullptr, 0, 0), 10);
    EQUAL(chan_receive(c[0], got, sizeof(got), nullptr, nullptr, nullptr, CHAN_PEEK), 3);
    EQUAL(chan_receive(c[0], got, sizeof(got), nullptr, nullptr, &who, 0), 3);
    EQUAL(who.pid, getpid());
    EQUAL(who.uid, getuid());
    EQUAL(chan_receive(c[0], got, sizeof(got), nullptr, nullptr, &who, 0), 0);
    EQUAL(who.pid, getpid());
    EQUAL(chan_receive(c[0], got, sizeof(got), nullptr, nullptr, nullptr, 0), 10); /* cut */
    FAILS(EAGAIN, chan_receive(c[0], got, sizeof(got), nullptr, nullptr, nullptr, CHAN_NONBLOCK));
    EQUAL(write(c[0], "back", 4), 4);
    EQUAL(read(c[1], got, sizeof(got)), 4);
    OK(close(c[1]));
    EQUAL(chan_receive(c[0], got, sizeof(got), nullptr, nullptr, &who, 0), 0);
    EQUAL(who.pid, 0);
    signal(SIGPIPE, SIG_IGN);
    FAILS(EPIPE, chan_send(c[0], "x", 1, nullptr, 0, 0));
}

TEST(descriptors_go_along) {
    int c[2], p[2], got[2];
    char byte;
    size_t count = 2;
    pair(c);
    OK(pipe(p));
    EQUAL(chan_send(c[1], "x", 1, &p[1], 1, 0), 1);
    OK(close(p[1]));
    EQUAL(chan_receive(c[0], &byte, 1, got, &count, nullptr, CHAN_CLOEXEC), 1);
    EQUAL(count, 1);
    EQUAL(fcntl(got[0], F_GETFD), FD_CLOEXEC);
    EQUAL(write(got[0], "y", 1), 1);
    EQUAL(read(p[0], &byte, 1), 1);
}

TEST(names) {
    char longest[100];
    int l = listening(0600, CHAN_CLOEXEC);
    EQUAL(fcntl(l, F_GETFD), FD_CLOEXEC);
    FAILS(EADDRINUSE, chan_listen(name, 0600, 0));
    FAILS(ENOENT, chan_connect("nobody", 0));
    FAILS(EINVAL, chan_listen("a/b", 0600, 0));
    FAILS(EINVAL, chan_connect("../x", 0));
    memset(longest, 'x', sizeof(longest));
    longest[99] = 0;
    FAILS(ENAMETOOLONG, chan_listen(longest, 0600, 0));
    OK(close(l));
    FAILS(ENOENT, chan_connect(name, 0));
    OK(close(listening(0600, 0)));
}

TEST(backlog_and_readiness) {
    int l = listening(0600, 0), c[64];
    struct pollfd p = {.fd = l, .events = POLLIN};
    EQUAL(poll(&p, 1, 0), 0);
    FAILS(EAGAIN, chan_accept(l, CHAN_NO_WAIT));
    for (int i = 0; i < 64; i++) c[i] = (int)OK(chan_connect(name, CHAN_NO_WAIT));
    FAILS(EAGAIN, chan_connect(name, CHAN_NO_WAIT));
    EQUAL(poll(&p, 1, 0), 1);
    OK(chan_send(c[0], "x", 1, nullptr, 0, 0));
    int first = (int)OK(chan_accept(l, 0));
    char byte;
    EQUAL(chan_receive(first, &byte, 1, nullptr, nullptr, nullptr, 0), 1);
    OK(chan_connect(name, CHAN_NO_WAIT));
    OK(close(l)); /* those that wait see the end */
    EQUAL(chan_receive(c[5], &byte, 1, nullptr, nullptr, nullptr, 0), 0);
}

static int stranger(void *) {
    OK(setgid(1000));
    OK(setuid(1000));
    FAILS(EACCES, chan_connect(name, 0));
    return 0;
}

TEST(permission) {
    listening(0660, 0);
    EQUAL(child_run(stranger, nullptr), 0);
}

TEST(by_path) {
    char path[100], byte;
    int l = listening(0600, 0);
    snprintf(path, sizeof(path), "/scheme/chan/%s", name);
    int c = (int)OK(open(path, O_RDWR));
    int a = (int)OK(chan_accept(l, 0));
    EQUAL(write(c, "x", 1), 1);
    EQUAL(read(a, &byte, 1), 1);
}

static uint64_t calls(void) {
    uint64_t all[COUNT_COUNT];
    GOOD(sys_system_info(SYSTEM_COUNTERS, all, sizeof(all)));
    return all[COUNT_CALL];
}

TEST(a_mebibyte_makes_no_call) {
    static char block[32768];
    uint64_t least = UINT64_MAX;
    int c[2];
    pair(c);
    for (int tries = 0; tries < 50 && least; tries++) {
        uint64_t before = calls();
        for (int i = 0; i < 32; i++) {
            EQUAL(chan_send(c[1], block, sizeof(block), nullptr, 0, 0), sizeof(block));
            EQUAL(chan_receive(c[0], block, sizeof(block), nullptr, nullptr, nullptr, 0), sizeof(block));
        }
        uint64_t made = calls() - before;
        least = made < least ? made : least;
    }
    EQUAL(least, 0);
}

/* The example of cathode/chan.h, both sides. */
TEST(example) {
    char answer[64] = {};
    pid_t server = (pid_t)OK(fork());
    if (server == 0) {
        execl("/lib/examples/chan", "chan", "serve", "test.example", nullptr);
        _exit(1);
    }
    int c = -1;
    for (int i = 0; i < 500 && (c = chan_connect("test.example", 0)) < 0; i++) sleep_ms(10);
    CHECK(c >= 0);
    EQUAL(chan_send(c, "hello", 5, nullptr, 0, 0), 5);
    CHECK(chan_receive(c, answer, sizeof(answer) - 1, nullptr, nullptr, nullptr, 0) > 0);
    CHECK(!strcmp(answer, "HELLO (uid 0)\n"));
    OK(kill(server, SIGTERM));
    child_wait(server);
}

/* --- peers that do their worst --- */

TEST(sizes_and_counts_at_the_edges) {
    static char big[CHAN_MESSAGE_MAX + 1];
    static int fds[4000];
    int c[2], got[CHAN_FDS_MAX];
    size_t count = CHAN_FDS_MAX;
    pair(c);
    EQUAL(chan_send(c[1], big, CHAN_MESSAGE_MAX, nullptr, 0, CHAN_NONBLOCK), CHAN_MESSAGE_MAX);
    EQUAL(chan_receive(c[0], big, sizeof(big), nullptr, nullptr, nullptr, 0), CHAN_MESSAGE_MAX);
    FAILS(EMSGSIZE, chan_send(c[1], big, sizeof(big), nullptr, 0, 0));
    EQUAL(chan_send(c[1], big, 1, fds, CHAN_FDS_MAX, 0), 1);
    CHECK(chan_send(c[1], big, 1, fds, CHAN_FDS_MAX + 1, 0) < 0);
    CHECK(chan_send(c[1], big, 1, fds, 4000, 0) < 0);
    CHECK(chan_send(c[1], big, 1, fds, SIZE_MAX, 0) < 0);
    CHECK(chan_send(c[1], big, SIZE_MAX, nullptr, 0, 0) < 0);
    fds[7] = 9999;
    FAILS(EBADF, chan_send(c[1], big, 1, fds, 8, 0));
    fds[7] = -1;
    FAILS(EBADF, chan_send(c[1], big, 1, fds, 8, 0));
    EQUAL(chan_receive(c[0], big, 1, got, &count, nullptr, CHAN_CLOEXEC), 1);
    EQUAL(count, CHAN_FDS_MAX);
    FAILS(EAGAIN, chan_receive(c[0], big, 1, nullptr, nullptr, nullptr, CHAN_NONBLOCK)); /* nothing of the failed */
}

/* Killed anywhere: whole messages, then the end. */
TEST(senders_that_are_killed) {
    static char data[20000], got[20000];
    for (int round = 0; round < 20; round++) {
        int c[2];
        struct chan_sender who;
        pair(c);
        pid_t pid = (pid_t)OK(fork());
        if (pid == 0)
            for (unsigned i = 0;; i++) {
                memset(data, (int)i, sizeof(data));
                chan_send(c[1], data, sizeof(data) - i % 7, c, 2, 0);
            }
        OK(close(c[1]));
        for (int i = 0; i < 10 + round; i++) {
            ssize_t n = chan_receive(c[0], got, sizeof(got), nullptr, nullptr, &who, 0);
            if (n == 0 && who.pid == 0) break;
            CHECK(n > (ssize_t)sizeof(data) - 7 && n <= (ssize_t)sizeof(data));
            for (ssize_t k = 1; k < n; k++) EQUAL(got[k], got[0]);
        }
        server_kill(pid);
        OK(close(c[0]));
    }
}

/* In circles and deep within each other, more than a user may have on their way. */
static int hoard(void *) {
    for (int i = 0; i < 1500; i++) {
        int c[2];
        pair(c);
        for (int tries = 0; chan_send(c[1], "x", 1, c, 2, 0) != 1; tries++) CHECK(errno == ETOOMANYREFS && tries < 100);
        OK(close(c[0]));
        OK(close(c[1]));
    }
    int inner[2], outer[2];
    pair(inner);
    for (int depth = 0; depth < 900; depth++) {
        pair(outer);
        int tries = 0;
        while (chan_send(outer[1], "x", 1, &inner[0], 1, 0) != 1) CHECK(errno == ETOOMANYREFS && tries++ < 100);
        OK(close(inner[0]));
        OK(close(inner[1]));
        inner[0] = outer[0];
        inner[1] = outer[1];
    }
    OK(close(inner[0]));
    OK(close(inner[1]));
    return 0;
}
TEST(circles_and_nests) {
    for (int round = 0; round < 2; round++) EQUAL(child_run(hoard, nullptr), 0);
}

/* A listener on its way to itself, over a connection that nobody can accept any more: its name is free again. */
TEST(a_listener_in_its_own_backlog) {
    for (int i = 0; i < 1500; i++) {
        int l = listening(0600, 0), c = (int)OK(chan_connect(name, 0));
        for (int tries = 0; chan_send(c, "x", 1, &l, 1, 0) != 1; tries++) CHECK(errno == ETOOMANYREFS && tries < 100);
        OK(close(l));
        OK(close(c));
        for (int tries = 0; (c = chan_connect(name, CHAN_NO_WAIT)) >= 0 || errno != ENOENT; tries++) {
            CHECK(tries < 100);
            if (c >= 0) OK(close(c));
            sleep_ms(1);
        }
    }
}
