// SPDX-License-Identifier: MIT
/* The network server is killed: who listens goes on listening and notices nothing but a delay. */
#include "native.h"
#include "../posix/inet.h"
#include <pthread.h>

static pid_t server_of_network(void) {
    for (long pid = 0; (pid = sys_process_info(0, PROCESS_NEXT, nullptr, 0, (uint64_t)pid)) > 0;) {
        struct process_state state;
        if (sys_process_info((int32_t)pid, PROCESS_STATE, &state, sizeof(state), 0) < 0) continue;
        if (!strcmp(state.name, "net") && state.state != 'Z') return (pid_t)pid;
    }
    test_fail(__FILE__, __LINE__, "no network server");
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* By the supervisor, which starts one that others kill ever later. */
static pid_t network_end(void) {
    pid_t server = server_of_network();
    int fd = (int)OK(open("/scheme/service/net", O_WRONLY));
    EQUAL(write(fd, "restart\n", 8), 8);
    close(fd);
    return server;
}

static void network_kill(void) {
    pid_t server = network_end();
    while (kill(server, 0) == 0) sleep_ms(1);
}

/* A connection is made to this port, and accepted by somebody who says hello. */
static void expect_hello(int family, int port) {
    char text[8];
    int s = connected(family, SOCK_STREAM, port);
    EQUAL(read(s, text, sizeof(text)), 5);
    CHECK(!memcmp(text, "hello", 5));
    close(s);
}

static void say_hello(int l) {
    int s = (int)OK(accept(l, NULL, NULL));
    EQUAL(write(s, "hello", 5), 5);
    OK(close(s));
}

static int accept_blocking(void *l) {
    for (int i = 0; i < 3; i++) say_hello(*(int *)l);
    return 0;
}
static void blocking(int family) {
    int l = listening(family, 5), port = port_of(l);
    pid_t child = child_start(accept_blocking, &l);
    expect_hello(family, port);
    for (int i = 0; i < 2; i++) {
        sleep_ms(50); /* it waits in accept() */
        network_kill();
        expect_hello(family, port);
    }
    EQUAL(child_wait(child), 0);
    EQUAL(port_of(l), port);
}
TEST(accept_that_waits) { blocking(AF_INET); }
TEST(accept_that_waits_v6) { blocking(AF_INET6); }

TEST(epoll_that_waits) {
    int l = listening(AF_INET, 5), port = port_of(l), ep = (int)OK(epoll_create1(0));
    struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP};
    OK(fcntl(l, F_SETFL, O_NONBLOCK));
    OK(epoll_ctl(ep, EPOLL_CTL_ADD, l, &e));
    for (int i = 0; i < 2; i++) {
        network_kill();
        EQUAL(epoll_wait(ep, &e, 1, 200), 0);
        FAILS(EAGAIN, accept(l, NULL, NULL));
        pid_t child = (pid_t)OK(fork());
        if (child == 0) {
            expect_hello(AF_INET, port);
            _exit(0);
        }
        EQUAL(epoll_wait(ep, &e, 1, 5000), 1);
        EQUAL(e.events, EPOLLIN);
        say_hello(l);
        EQUAL(child_wait(child), 0);
    }
}

static void *poll_once(void *l) { return (void *)(intptr_t)ready(*(int *)l, ALL, 5000); }
TEST(poll_that_waits) {
    int l = listening(AF_INET, 5);
    pthread_t thread;
    void *events;
    pid_t server = server_of_network();
    EQUAL(pthread_create(&thread, NULL, poll_once, &l), 0);
    sleep_ms(50);
    OK(kill(server, SIGKILL));
    while (kill(server, 0) == 0) sleep_ms(1);
    int s = connected(AF_INET, SOCK_STREAM, port_of(l));
    EQUAL(pthread_join(thread, &events), 0);
    EQUAL((intptr_t)events, POLLIN);
    say_hello(l);
    close(s);
}

/* One that nobody had accepted is gone with the server. */
TEST(connection_in_the_queue) {
    char c;
    int l = listening(AF_INET, 5), port = port_of(l), s = connected(AF_INET, SOCK_STREAM, port);
    network_kill();
    CHECK(read(s, &c, 1) <= 0);
    OK(fcntl(l, F_SETFL, O_NONBLOCK));
    FAILS(EAGAIN, accept(l, NULL, NULL));
    EQUAL(ready(l, POLLIN, 0), 0);
    s = connected(AF_INET, SOCK_STREAM, port);
    say_hello(l);
    EQUAL(read(s, &c, 1), 1);
}

TEST(some_of_many) {
    enum { COUNT = 40 };
    int l[COUNT], ports[COUNT];
    for (int i = 0; i < COUNT; i++) ports[i] = port_of(l[i] = listening(AF_INET, 5));
    for (int i = 0; i < COUNT; i += 2) close(l[i]);
    network_kill();
    for (int i = 0; i < COUNT; i++) {
        int s = (int)OK(socket(AF_INET, SOCK_STREAM, 0)), on = 0;
        socklen_t size = sizeof(on);
        if (i % 2 == 0) {
            FAILS(ECONNREFUSED, try_connect(s, AF_INET, ports[i]));
        } else {
            OK(try_connect(s, AF_INET, ports[i]));
            say_hello(l[i]);
            EQUAL(port_of(l[i]), ports[i]);
            OK(getsockopt(l[i], SOL_SOCKET, SO_ACCEPTCONN, &on, &size));
            EQUAL(on, 1);
        }
        close(s);
    }
}

/* Enough for the server to clear up what it keeps, and it is killed at any point of that. */
TEST(others_come_and_go) {
    int l = listening(AF_INET, 5), port = port_of(l);
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 30 + i; j++) OK(close(listening(AF_INET, 5)));
        network_kill();
        pid_t child = (pid_t)OK(fork());
        if (child == 0) {
            expect_hello(AF_INET, port);
            _exit(0);
        }
        say_hello(l);
        EQUAL(child_wait(child), 0);
    }
}

/* Also while it takes over from the one before. */
TEST(killed_again_and_again) {
    enum { COUNT = 40, TIMES = 100 };
    int l[COUNT], service = (int)OK(open("/scheme/service/net", O_WRONLY));
    for (int i = 0; i < COUNT; i++) l[i] = listening(AF_INET, 5);
    for (int i = 0; i < TIMES; i++) {
        EQUAL(write(service, "restart\n", 8), 8);
        for (int64_t end = now_ns() + i * 50000; now_ns() < end;) {
        }
    }
    for (int i = 0; i < COUNT; i++) {
        int s = connected(AF_INET, SOCK_STREAM, port_of(l[i]));
        say_hello(l[i]);
        close(s);
    }
}

TEST(options_stay) {
    union address a = {.v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT}};
    int on = 1, l = (int)OK(socket(AF_INET6, SOCK_STREAM, 0));
    socklen_t size = sizeof(on);
    OK(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
    OK(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)));
    OK(bind(l, &a.any, sizeof(a.v6)));
    OK(listen(l, 5));
    OK(setsockopt(l, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
    set(l, IPPROTO_TCP, TCP_USER_TIMEOUT, 7000);
    network_kill();
    EQUAL(option(l, IPPROTO_TCP, TCP_USER_TIMEOUT), 7000);
    on = 0;
    OK(getsockopt(l, IPPROTO_TCP, TCP_NODELAY, &on, &size));
    CHECK(on);
    OK(getsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, &size));
    CHECK(on);
    int s = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
    FAILS(ECONNREFUSED, try_connect(s, AF_INET, port_of(l))); /* of IPv6 only */
    s = connected(AF_INET6, SOCK_STREAM, port_of(l));
    say_hello(l);
}

/* Closed while there is no server: the port is free. */
TEST(closed_meanwhile) {
    union address a;
    for (int i = 0; i < 5; i++) {
        int l = listening(AF_INET, 5), port = port_of(l);
        network_end();
        OK(close(l));
        l = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
        FAILS(ECONNREFUSED, try_connect(l, AF_INET, port));
        OK(bind(l, &a.any, loopback(AF_INET, port, &a)));
        close(l);
    }
}

/* The end of a socket of before is no new socket's, though the server numbers them from the start again. */
TEST(old_ones_end) {
    enum { COUNT = 8 };
    int old[COUNT], s[COUNT], ports[COUNT];
    for (int i = 0; i < COUNT; i++) old[i] = (int)OK(socket(AF_INET, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0));
    network_kill();
    for (int i = 0; i < COUNT; i++) ports[i] = port_of(s[i] = bound(AF_INET, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0));
    for (int i = 0; i < COUNT; i++) close(old[i]);
    for (int i = 0; i < COUNT; i++) EQUAL(port_of(s[i]), ports[i]);
}
