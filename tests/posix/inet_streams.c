// SPDX-License-Identifier: MIT
/* TCP sockets over the loopback: connections, ends, resets, readiness, options, many of them (INET_CONNECTIONS). */
#include "inet.h"
#include <sys/resource.h>
#include <sys/sendfile.h>

/* --- connections --- */
static void talk(int a, int b) {
    char got[8];
    EQUAL(write(a, "to", 2), 2);
    EQUAL(send(b, "fro", 3, 0), 3);
    EQUAL(recv(b, got, sizeof(got), 0), 2);
    CHECK(!memcmp(got, "to", 2));
    EQUAL(recv(a, got, sizeof(got), MSG_PEEK), 3);
    EQUAL(read(a, got, sizeof(got)), 3);
    CHECK(!memcmp(got, "fro", 3));
    FAILS(EAGAIN, recv(a, got, 8, MSG_DONTWAIT));
}

static void names(int family, int c, int a, int port) {
    union address own, peer;
    socklen_t length = sizeof(own);
    OK(getsockname(c, &own.any, &length));
    EQUAL(own.any.sa_family, family);
    length = sizeof(peer);
    OK(getpeername(a, &peer.any, &length));
    EQUAL(length, family == AF_INET ? sizeof(own.v4) : sizeof(own.v6));
    CHECK(!memcmp(&own, &peer, length));
    OK(getpeername(c, &peer.any, &length));
    EQUAL(ntohs(family == AF_INET ? peer.v4.sin_port : peer.v6.sin6_port), port);
    EQUAL(port_of(a), port);
}

static void connection(int family) {
    union address peer;
    socklen_t length = sizeof(peer);
    struct stat st;
    int l = listening(family, 5), port = port_of(l);
    int c = connected(family, SOCK_STREAM, port);
    int a = (int)OK(accept(l, &peer.any, &length));
    EQUAL(peer.any.sa_family, family);
    EQUAL(ntohs(family == AF_INET ? peer.v4.sin_port : peer.v6.sin6_port), port_of(c));
    talk(c, a);
    names(family, c, a, port);
    OK(fstat(c, &st));
    CHECK(S_ISSOCK(st.st_mode));
    FAILS(EISCONN, try_connect(c, family, port));
    FAILS(EINVAL, listen(c, 1));
}

TEST(connection_v4) { connection(AF_INET); }
TEST(connection_v6) { connection(AF_INET6); }

TEST(v4_to_a_socket_of_both) {
    union address a = {.v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT}}, peer;
    socklen_t length = sizeof(peer);
    int l = (int)OK(socket(AF_INET6, SOCK_STREAM, 0));
    set(l, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    OK(bind(l, &a.any, sizeof(a.v6)));
    OK(listen(l, 1));
    int c = connected(AF_INET, SOCK_STREAM, port_of(l));
    int s = (int)OK(accept(l, &peer.any, &length));
    EQUAL(peer.any.sa_family, AF_INET6);
    CHECK(IN6_IS_ADDR_V4MAPPED(&peer.v6.sin6_addr));
    talk(c, s);
}

TEST(source_of_a_connection) {
    union address a;
    int l = (int)OK(socket(AF_INET, SOCK_STREAM, 0)), s = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
    socklen_t length = loopback(AF_INET, 0, &a);
    a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 4);
    OK(bind(l, &a.any, length));
    OK(listen(l, 1));
    a.v4.sin_port = htons((uint16_t)port_of(l));
    OK(connect(s, &a.any, length));
    OK(accept(l, &a.any, &length));
    EQUAL(ntohl(a.v4.sin_addr.s_addr), INADDR_LOOPBACK);
}

TEST(v6_only) {
    union address a = {.v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT}};
    int l = (int)OK(socket(AF_INET6, SOCK_STREAM, 0));
    set(l, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    OK(bind(l, &a.any, sizeof(a.v6)));
    OK(listen(l, 1));
    int c = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
    FAILS(ECONNREFUSED, try_connect(c, AF_INET, port_of(l)));
    FAILS(EINVAL, setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int)));
}

TEST(refused) {
    int l = listening(AF_INET, 1), port = port_of(l), s = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
    close(l);
    FAILS(ECONNREFUSED, try_connect(s, AF_INET, port));
    FAILS(ECONNREFUSED, try_connect(s, AF_INET, port)); /* may be tried again */
}

static int finish(int s, int family, int port) {
    int e = try_connect(s, family, port);
    if (e < 0) {
        EQUAL(errno, EINPROGRESS);
        CHECK(ready(s, POLLOUT, 5000) & POLLOUT);
    }
    return option(s, SOL_SOCKET, SO_ERROR);
}

TEST(nonblocking_connect) {
    int l = listening(AF_INET, 1), port = port_of(l);
    int s = (int)OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    EQUAL(finish(s, AF_INET, port), 0);
    talk(s, (int)OK(accept(l, NULL, NULL)));
    close(l);
    s = (int)OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    EQUAL(finish(s, AF_INET, port), ECONNREFUSED);
    EQUAL(option(s, SOL_SOCKET, SO_ERROR), 0);
}

/* connect() says what became of an attempt of which nobody has asked, and the next one is a new one. */
TEST(connect_after_a_failure) {
    int l = bound(AF_INET, SOCK_STREAM, 0), port = port_of(l);
    int s = (int)OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    FAILS(EINPROGRESS, try_connect(s, AF_INET, port));
    ready(s, POLLOUT, 5000);
    OK(listen(l, 1));
    FAILS(ECONNREFUSED, try_connect(s, AF_INET, port));
    EQUAL(finish(s, AF_INET, port), 0);
    talk(s, (int)OK(accept(l, NULL, NULL)));
}

TEST(not_connected) {
    char byte = 0;
    union address a;
    socklen_t length = sizeof(a);
    int s = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
    signal(SIGPIPE, SIG_IGN);
    FAILS(ENOTCONN, read(s, &byte, 1));
    FAILS(EPIPE, write(s, &byte, 1));
    FAILS(ENOTCONN, getpeername(s, &a.any, &length));
    EQUAL(ready(s, ALL, 0), POLLOUT | POLLHUP);
    FAILS(ENOTCONN, shutdown(s, SHUT_RDWR));
    FAILS(EINVAL, accept(s, NULL, NULL));
    EQUAL(port_of(s), 0);
}

TEST(wrong_addresses) {
    union address a;
    int s = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
    socklen_t length = loopback(AF_INET6, 80, &a);
    FAILS(EAFNOSUPPORT, connect(s, &a.any, length));
    FAILS(EAFNOSUPPORT, bind(s, &a.any, length));
    length = loopback(AF_INET, 80, &a);
    FAILS(EINVAL, connect(s, &a.any, 4));
    a.v4.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1: nobody's */
    a.v4.sin_port = 0;
    FAILS(EADDRNOTAVAIL, bind(s, &a.any, length));
    FAILS(EAFNOSUPPORT, socket(AF_INET + 200, SOCK_STREAM, 0));
    FAILS(EPROTONOSUPPORT, socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
}

/* --- ports --- */
TEST(port_in_use) {
    int l = listening(AF_INET, 1), port = port_of(l), s = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
    union address a;
    socklen_t length = loopback(AF_INET, port, &a);
    FAILS(EADDRINUSE, bind(s, &a.any, length));
    set(s, SOL_SOCKET, SO_REUSEADDR, 1);
    FAILS(EADDRINUSE, bind(s, &a.any, length)); /* somebody listens */
    close(l);
    OK(bind(s, &a.any, length));
    FAILS(EINVAL, bind(s, &a.any, length));
}

TEST(port_of_a_connection) {
    int ends[2], l = listening(AF_INET, 1), port = port_of(l);
    union address a;
    socklen_t length = loopback(AF_INET, port, &a);
    ends[0] = connected(AF_INET, SOCK_STREAM, port);
    ends[1] = (int)OK(accept(l, NULL, NULL));
    close(l);
    int s = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
    FAILS(EADDRINUSE, bind(s, &a.any, length));
    int t = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
    set(t, SOL_SOCKET, SO_REUSEADDR, 1);
    /* Linux asks that of the accepted one, too: it has its listener's. */
    if (bind(t, &a.any, length) < 0) EQUAL(errno, EADDRINUSE);
    talk(ends[0], ends[1]);
}

TEST(shared_port) {
    int one = (int)OK(socket(AF_INET, SOCK_STREAM, 0)), two = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
    union address a;
    socklen_t length = loopback(AF_INET, 0, &a);
    set(one, SOL_SOCKET, SO_REUSEPORT, 1);
    set(two, SOL_SOCKET, SO_REUSEPORT, 1);
    OK(bind(one, &a.any, length));
    length = loopback(AF_INET, port_of(one), &a);
    OK(bind(two, &a.any, length));
    OK(listen(one, 8));
    OK(listen(two, 8));
    int c = connected(AF_INET, SOCK_STREAM, port_of(one));
    struct pollfd p[2] = {{one, POLLIN, 0}, {two, POLLIN, 0}};
    EQUAL(poll(p, 2, 5000), 1);
    talk(c, (int)OK(accept(p[0].revents ? one : two, NULL, NULL)));
}

TEST(privileged_port) {
    union address a;
    socklen_t length = loopback(AF_INET, 80, &a);
    int s = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
    if (geteuid() == 0) OK(seteuid(1000));
    FAILS(EACCES, bind(s, &a.any, length));
}

/* --- listening --- */
TEST(accept_waits) {
    int l = listening(AF_INET, 1);
    FAILS(EAGAIN, (fcntl(l, F_SETFL, O_NONBLOCK), accept(l, NULL, NULL)));
    EQUAL(ready(l, ALL, 0), 0);
    int c = connected(AF_INET, SOCK_STREAM, port_of(l));
    EQUAL(ready(l, ALL, 5000), POLLIN);
    int a = (int)OK(accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    CHECK(fcntl(a, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(a, F_GETFD) & FD_CLOEXEC);
    talk(c, a);
}

static int accept_later(void *l) {
    sleep_ms(100);
    return accept(*(int *)l, NULL, NULL) < 0 || accept(*(int *)l, NULL, NULL) < 0 || accept(*(int *)l, NULL, NULL) < 0;
}

/* Connections wait for a place in the queue. (Linux puts their SYN off by a second.) */
TEST(backlog) {
    int l = listening(AF_INET, 0);
    pid_t child = child_start(accept_later, &l);
    for (int i = 0; i < 3; i++) connected(AF_INET, SOCK_STREAM, port_of(l));
    EQUAL(child_wait(child), 0);
}

TEST(closed_while_queued) {
    char byte;
    int l = listening(AF_INET, 5), c = connected(AF_INET, SOCK_STREAM, port_of(l));
    close(l);
    FAILS(ECONNRESET, read(c, &byte, 1));
    EQUAL(read(c, &byte, 1), 0);
}

TEST(shutdown_ends_accept) {
    int l = listening(AF_INET, 5);
    OK(shutdown(l, SHUT_RD));
    FAILS(EINVAL, accept(l, NULL, NULL));
}

/* --- ends --- */
TEST(half_close) {
    int s[2];
    char got[8];
    pair(AF_INET, s);
    EQUAL(write(s[0], "last", 4), 4);
    OK(shutdown(s[0], SHUT_WR));
    EQUAL(read(s[1], got, 8), 4);
    EQUAL(read(s[1], got, 8), 0);
    CHECK(ready(s[1], ALL, 5000) & POLLRDHUP);
    EQUAL(write(s[1], "more", 4), 4);
    EQUAL(read(s[0], got, 8), 4);
    signal(SIGPIPE, SIG_IGN);
    FAILS(EPIPE, write(s[0], "x", 1));
    close(s[1]);
    EQUAL(read(s[0], got, 8), 0);
    CHECK(ready(s[0], ALL, 5000) & POLLHUP);
}

/* A peer's end alone is no hangup: there may be data to read. */
TEST(hangup) {
    int e[2];
    pair(AF_INET, e);
    EQUAL(write(e[0], "x", 1), 1);
    close(e[0]);
    EQUAL(ready(e[1], POLLRDHUP, 5000), POLLRDHUP);
    EQUAL(ready(e[1], ALL, 0), POLLIN | POLLOUT | POLLRDHUP);
    OK(shutdown(e[1], SHUT_WR));
    EQUAL(ready(e[1], ALL, 0), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
}

/* The peer never hears of it, and what comes is there all the same. */
TEST(reading_shut_down) {
    int e[2];
    char got[8];
    pair(AF_INET, e);
    OK(shutdown(e[1], SHUT_RD));
    EQUAL(recv(e[1], got, 8, 0), 0);
    EQUAL(ready(e[0], ALL, 0), POLLOUT);
    EQUAL(send(e[0], "hello", 5, MSG_NOSIGNAL), 5);
    EQUAL(ready(e[1], ALL, 0), POLLIN | POLLOUT | POLLRDHUP);
    EQUAL(recv(e[1], got, 8, MSG_WAITALL), 5);
    EQUAL(send(e[1], "there", 5, MSG_NOSIGNAL), 5);
    EQUAL(recv(e[0], got, 8, 0), 5);
    OK(shutdown(e[1], SHUT_RDWR));
    EQUAL(ready(e[0], ALL, 5000), POLLIN | POLLOUT | POLLRDHUP);
    EQUAL(send(e[0], "hello", 5, MSG_NOSIGNAL), 5);
}

TEST(reset_by_unread_data) {
    int s[2];
    char byte;
    pair(AF_INET, s);
    EQUAL(write(s[0], "unread", 6), 6);
    CHECK(ready(s[1], POLLIN, 5000));
    close(s[1]);
    CHECK(ready(s[0], POLLIN, 5000) & POLLIN);
    FAILS(ECONNRESET, read(s[0], &byte, 1));
    EQUAL(read(s[0], &byte, 1), 0);
}

static volatile sig_atomic_t pipes;
static void on_pipe(int signal) { pipes++; }

TEST(broken) {
    int s[2];
    pair(AF_INET, s);
    signal(SIGPIPE, on_pipe);
    close(s[1]);
    for (int i = 0; i < 100 && write(s[0], "x", 1) == 1; i++) sleep_ms(10); /* the first may get through */
    CHECK(errno == EPIPE || errno == ECONNRESET);
    FAILS(EPIPE, write(s[0], "x", 1));
    CHECK(pipes >= 1);
    int before = pipes;
    FAILS(EPIPE, send(s[0], "x", 1, MSG_NOSIGNAL));
    EQUAL(pipes, before);
}

static int hold_and_die(void *l) {
    for (int i = 0; i < 20; i++) connected(AF_INET, SOCK_STREAM, *(int *)l);
    pause();
    return 0;
}

TEST(killed_with_sockets_open) {
    int l = listening(AF_INET, 32), port = port_of(l), a[20];
    char byte;
    pid_t child = child_start(hold_and_die, &port);
    for (int i = 0; i < 20; i++) a[i] = (int)OK(accept(l, NULL, NULL));
    kill(child, SIGKILL);
    for (int i = 0; i < 20; i++) EQUAL(read(a[i], &byte, 1), 0);
    OK(waitpid(child, NULL, 0));
}

/* --- data --- */
#define BULK (4 << 20)
static int bulk_send(void *s) {
    static uint8_t block[65536];
    for (unsigned done = 0; done < BULK; done += sizeof(block)) {
        for (unsigned i = 0; i < sizeof(block); i++) block[i] = (uint8_t)((done + i) * 2654435761u >> 24);
        for (size_t at = 0; at < sizeof(block);) {
            ssize_t n = write(*(int *)s, block + at, sizeof(block) - at);
            if (n <= 0) return 1;
            at += (size_t)n;
        }
    }
    return 0;
}

static void bulk_receive(int s) {
    static uint8_t block[50000];
    unsigned done = 0;
    for (ssize_t n; (n = OK(read(s, block, sizeof(block)))) > 0; done += (unsigned)n)
        for (unsigned i = 0; i < (unsigned)n; i++) CHECK(block[i] == (uint8_t)((done + i) * 2654435761u >> 24));
    EQUAL(done, BULK);
}

TEST(bulk) {
    int s[2];
    pair(AF_INET, s);
    pid_t child = child_start(bulk_send, &s[0]);
    close(s[0]);
    bulk_receive(s[1]);
    EQUAL(child_wait(child), 0);
}

TEST(vectors_and_flags) {
    int s[2];
    char one[4], two[8];
    pair(AF_INET, s);
    struct iovec v[2] = {{"abc", 3}, {"defg", 4}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
    EQUAL(sendmsg(s[0], &m, 0), 7);
    v[0] = (struct iovec){one, 4};
    v[1] = (struct iovec){two, 8};
    EQUAL(recvmsg(s[1], &m, MSG_PEEK), 7);
    EQUAL(recvmsg(s[1], &m, 0), 7);
    CHECK(!memcmp(one, "abcd", 4) && !memcmp(two, "efg", 3));
    EQUAL(write(s[0], "1234", 4), 4);
    EQUAL(recv(s[1], two, 4, MSG_WAITALL), 4);
    int waiting = -1;
    EQUAL(write(s[0], "12345", 5), 5);
    CHECK(ready(s[1], POLLIN, 5000));
    OK(ioctl(s[1], FIONREAD, &waiting));
    EQUAL(waiting, 5);
}

TEST(queues) {
    int e[2], n = -1;
    char got[8];
    struct iovec v = {got, sizeof(got)};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    pair(AF_INET, e);
    EQUAL(write(e[0], "hello", 5), 5);
    EQUAL(ready(e[1], POLLIN, 5000), POLLIN);
    OK(ioctl(e[1], FIONREAD, &n));
    EQUAL(n, 5);
    OK(ioctl(e[0], TIOCOUTQ, &n)); /* SIOCOUTQ */
    EQUAL(n, 0);
    FAILS(EAGAIN, recvmsg(e[1], &m, MSG_ERRQUEUE));
    EQUAL(recvmsg(e[1], &m, 0), 5);
}

TEST(file_to_socket) {
    int s[2];
    char got[8];
    pair(AF_INET, s);
    file_make("f", "content");
    int f = (int)OK(open("f", O_RDONLY));
    EQUAL(sendfile(s[0], f, NULL, 7), 7);
    EQUAL(recv(s[1], got, 7, MSG_WAITALL), 7);
    CHECK(!memcmp(got, "content", 7));
}

TEST(full) {
    int s[2];
    static char block[65536];
    long sent = 0, got = 0;
    pair(AF_INET, s);
    fcntl(s[0], F_SETFL, O_NONBLOCK);
    for (ssize_t n; (n = write(s[0], block, sizeof(block))) > 0;) sent += n;
    EQUAL(errno, EAGAIN);
    EQUAL(ready(s[0], POLLOUT, 0), 0);
    while (got < sent) got += OK(read(s[1], block, sizeof(block)));
    EQUAL(got, sent);
    EQUAL(ready(s[0], POLLOUT, 5000), POLLOUT);
}

/* --- readiness --- */
TEST(epoll_edges) {
    int s[2];
    char byte;
    struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.fd = 7};
    pair(AF_INET, s);
    int ep = (int)OK(epoll_create1(0));
    OK(epoll_ctl(ep, EPOLL_CTL_ADD, s[1], &e));
    EQUAL(epoll_wait(ep, &e, 1, 0), 0);
    EQUAL(write(s[0], "ab", 2), 2);
    EQUAL(epoll_wait(ep, &e, 1, 5000), 1);
    EQUAL(epoll_wait(ep, &e, 1, 0), 0);
    EQUAL(read(s[1], &byte, 1), 1);
    EQUAL(epoll_wait(ep, &e, 1, 0), 0);
    EQUAL(write(s[0], "c", 1), 1);
    EQUAL(epoll_wait(ep, &e, 1, 5000), 1);
    CHECK(e.events & EPOLLIN && e.data.fd == 7);
}

TEST(select_of_a_listener) {
    int l = listening(AF_INET, 5);
    struct timeval none = {0};
    fd_set in;
    FD_ZERO(&in);
    FD_SET(l, &in);
    EQUAL(select(l + 1, &in, NULL, NULL, &none), 0);
    connected(AF_INET, SOCK_STREAM, port_of(l));
    FD_SET(l, &in);
    EQUAL(select(l + 1, &in, NULL, NULL, NULL), 1);
}

/* --- options --- */
TEST(options) {
    int s = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
    EQUAL(option(s, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    EQUAL(option(s, SOL_SOCKET, SO_DOMAIN), AF_INET);
    EQUAL(option(s, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    EQUAL(option(s, SOL_SOCKET, SO_ACCEPTCONN), 0);
    static const int flags[][2] = {{SOL_SOCKET, SO_REUSEADDR},
                                   {SOL_SOCKET, SO_REUSEPORT},
                                   {SOL_SOCKET, SO_KEEPALIVE},
                                   {SOL_SOCKET, SO_BROADCAST},
                                   {IPPROTO_TCP, TCP_NODELAY}};
    for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        EQUAL(option(s, flags[i][0], flags[i][1]), 0);
        set(s, flags[i][0], flags[i][1], 1);
        CHECK(option(s, flags[i][0], flags[i][1]));
    }
    set(s, IPPROTO_TCP, TCP_KEEPIDLE, 30);
    set(s, IPPROTO_TCP, TCP_KEEPINTVL, 5);
    set(s, IPPROTO_TCP, TCP_KEEPCNT, 3);
    EQUAL(option(s, IPPROTO_TCP, TCP_KEEPIDLE), 30);
    EQUAL(option(s, IPPROTO_TCP, TCP_KEEPINTVL), 5);
    EQUAL(option(s, IPPROTO_TCP, TCP_KEEPCNT), 3);
    set(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 1234);
    EQUAL(option(s, IPPROTO_TCP, TCP_USER_TIMEOUT), 1234);
    set(s, IPPROTO_TCP, TCP_LINGER2, 7);
    EQUAL(option(s, IPPROTO_TCP, TCP_LINGER2), 7);
    EQUAL(option(s, IPPROTO_IP, IP_TTL), 64);
    set(s, IPPROTO_IP, IP_TTL, 9);
    EQUAL(option(s, IPPROTO_IP, IP_TTL), 9);
    FAILS(EINVAL, setsockopt(s, IPPROTO_IP, IP_TTL, &(int){300}, sizeof(int)));
    FAILS(ENOPROTOOPT, setsockopt(s, IPPROTO_TCP, 200, &(int){1}, sizeof(int)));
    CHECK(option(s, SOL_SOCKET, SO_RCVBUF) >= 4096);
}

TEST(linger) {
    struct linger l = {1, 5}, got;
    socklen_t length = sizeof(got);
    int s = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
    OK(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
    OK(getsockopt(s, SOL_SOCKET, SO_LINGER, &got, &length));
    EQUAL(got.l_onoff, 1);
    EQUAL(got.l_linger, 5);
}

/* A connection that is accepted has the options of the socket that listened. */
TEST(inherited_options) {
    static const struct {
        int level, name, value;
    } options[] = {{SOL_SOCKET, SO_KEEPALIVE, 1}, {SOL_SOCKET, SO_REUSEADDR, 1},   {IPPROTO_TCP, TCP_NODELAY, 1},
                   {IPPROTO_IP, IP_TTL, 33},      {IPPROTO_TCP, TCP_KEEPIDLE, 55}, {IPPROTO_IP, IP_TOS, 16}};
    const size_t count = sizeof(options) / sizeof(options[0]);
    struct linger linger = {1, 3}, got = {0};
    socklen_t size = sizeof(got);
    int l = listening(AF_INET, 1);
    for (size_t i = 0; i < count; i++) set(l, options[i].level, options[i].name, options[i].value);
    OK(setsockopt(l, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
    connected(AF_INET, SOCK_STREAM, port_of(l));
    int a = (int)OK(accept(l, NULL, NULL));
    for (size_t i = 0; i < count; i++) EQUAL(option(a, options[i].level, options[i].name), options[i].value);
    OK(getsockopt(a, SOL_SOCKET, SO_LINGER, &got, &size));
    EQUAL(got.l_onoff, 1);
    EQUAL(got.l_linger, 3);
}

/* SO_LINGER of no time: close() resets. */
static void reset_by_linger(const struct linger *of_listener, int closer) {
    char byte;
    struct linger none = {1, 0};
    int l = listening(AF_INET, 1), e[2];
    if (of_listener) OK(setsockopt(l, SOL_SOCKET, SO_LINGER, of_listener, sizeof(*of_listener)));
    e[0] = connected(AF_INET, SOCK_STREAM, port_of(l));
    e[1] = (int)OK(accept(l, NULL, NULL));
    if (!of_listener) OK(setsockopt(e[closer], SOL_SOCKET, SO_LINGER, &none, sizeof(none)));
    close(e[closer]);
    CHECK(ready(e[!closer], POLLIN, 5000) & POLLERR);
    FAILS(ECONNRESET, read(e[!closer], &byte, 1));
    EQUAL(read(e[!closer], &byte, 1), 0);
}

TEST(reset_by_linger_of_either) {
    struct linger none = {1, 0};
    reset_by_linger(NULL, 0);
    reset_by_linger(NULL, 1);
    reset_by_linger(&none, 1);
}

/* The reset is told by the first write, without a signal. */
TEST(writing_after_a_reset) {
    struct linger none = {1, 0};
    int e[2];
    pair(AF_INET, e);
    OK(setsockopt(e[0], SOL_SOCKET, SO_LINGER, &none, sizeof(none)));
    close(e[0]);
    CHECK(ready(e[1], POLLIN, 5000) & POLLHUP);
    FAILS(ECONNRESET, write(e[1], "x", 1));
    FAILS(EPIPE, send(e[1], "x", 1, MSG_NOSIGNAL));
}

TEST(no_linger_any_more) {
    char byte;
    struct linger none = {1, 0}, off = {0, 0};
    int e[2];
    pair(AF_INET, e);
    OK(setsockopt(e[0], SOL_SOCKET, SO_LINGER, &none, sizeof(none)));
    OK(setsockopt(e[0], SOL_SOCKET, SO_LINGER, &off, sizeof(off)));
    close(e[0]);
    EQUAL(read(e[1], &byte, 1), 0);
}

TEST(receive_timeout) {
    int s[2];
    char byte;
    struct timeval t = {.tv_usec = 50000};
    pair(AF_INET, s);
    OK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
    int64_t start = now_ms();
    FAILS(EAGAIN, read(s[0], &byte, 1));
    CHECK(now_ms() - start >= 45);
}

/* --- many --- */
TEST(many_connections) {
    int count = getenv("INET_CONNECTIONS") ? atoi(getenv("INET_CONNECTIONS")) : 400;
    int l = listening(AF_INET, 128), port = port_of(l), *c = calloc((size_t)count, sizeof(int)),
        *a = calloc((size_t)count, sizeof(int));
    struct rlimit files = {(rlim_t)count * 2 + 100, (rlim_t)count * 2 + 100};
    OK(setrlimit(RLIMIT_NOFILE, &files));
    for (int i = 0; i < count; i++) {
        c[i] = connected(AF_INET, SOCK_STREAM, port);
        a[i] = (int)OK(accept(l, NULL, NULL));
    }
    /* All are idle now, and the next one is as quick as ever. */
    int c1 = connected(AF_INET, SOCK_STREAM, port);
    talk(c1, (int)OK(accept(l, NULL, NULL)));
    for (int i = 0; i < count; i++) EQUAL(write(c[i], &i, sizeof(i)), sizeof(i));
    for (int i = count - 1, got; i >= 0; i--) {
        EQUAL(read(a[i], &got, sizeof(got)), sizeof(got));
        EQUAL(got, i);
    }
}

TEST(connect_and_close) {
    int l = listening(AF_INET, 16), port = port_of(l);
    for (int i = 0; i < 2000; i++) {
        int c = connected(AF_INET, SOCK_STREAM, port), a = (int)OK(accept(l, NULL, NULL));
        close(c);
        close(a);
    }
}
