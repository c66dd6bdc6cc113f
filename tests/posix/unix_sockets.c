// SPDX-License-Identifier: MIT
/* Unix sockets: names, connections, datagrams, readiness, errors. */
#include "test.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static socklen_t path_address(struct sockaddr_un *a, const char *path) {
    memset(a, 0, sizeof(*a));
    a->sun_family = AF_UNIX;
    strcpy(a->sun_path, path);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

static socklen_t abstract_address(struct sockaddr_un *a, const char *name) {
    memset(a, 0, sizeof(*a));
    a->sun_family = AF_UNIX;
    int n = snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "%d.%s", getpid(), name);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static int bound(int type, const char *path) {
    struct sockaddr_un a;
    int s = (int)OK(socket(AF_UNIX, type, 0));
    OK(bind(s, (struct sockaddr *)&a, path_address(&a, path)));
    return s;
}

static int listening(int type, const char *path, int backlog) {
    int s = bound(type, path);
    OK(listen(s, backlog));
    return s;
}

static int try_connect(int s, const char *path) {
    struct sockaddr_un a;
    socklen_t length = path_address(&a, path);
    return connect(s, (struct sockaddr *)&a, length);
}

static int connected(int type, const char *path) {
    int s = (int)OK(socket(AF_UNIX, type, 0));
    OK(try_connect(s, path));
    return s;
}

static int ready(int fd, int events) {
    struct pollfd p = {fd, (short)events, 0};
    OK(poll(&p, 1, 0));
    return p.revents;
}

/* Everything one can ask for. */
#define ALL (POLLIN | POLLOUT | POLLRDHUP)

/* --- streams --- */
static void talk(int client, int server) {
    char got[8];
    EQUAL(write(client, "to", 2), 2);
    EQUAL(send(server, "fro", 3, 0), 3);
    EQUAL(recv(server, got, sizeof(got), 0), 2);
    CHECK(!memcmp(got, "to", 2));
    EQUAL(recv(client, got, sizeof(got), MSG_PEEK), 3);
    EQUAL(read(client, got, sizeof(got)), 3);
    CHECK(!memcmp(got, "fro", 3));
    FAILS(EAGAIN, recv(client, got, 8, MSG_DONTWAIT));
}

TEST(stream_by_path) {
    struct stat st;
    int l = listening(SOCK_STREAM, "s", 5);
    int c = connected(SOCK_STREAM, "s");
    int a = (int)OK(accept(l, NULL, NULL));
    talk(c, a);
    OK(stat("s", &st));
    CHECK(S_ISSOCK(st.st_mode));
    OK(fstat(a, &st));
    CHECK(S_ISSOCK(st.st_mode));
    FAILS(ENXIO, open("s", O_RDWR));
    FAILS(ESPIPE, lseek(c, 0, SEEK_SET));
    OK(close(c));
    char byte;
    EQUAL(read(a, &byte, 1), 0);
}

TEST(data_before_accept) {
    char got[8];
    int l = listening(SOCK_STREAM, "s", 5);
    int c = connected(SOCK_STREAM, "s");
    EQUAL(write(c, "early", 5), 5);
    OK(close(c));
    int a = (int)OK(accept(l, NULL, NULL));
    EQUAL(read(a, got, sizeof(got)), 5);
    EQUAL(read(a, got, sizeof(got)), 0);
}

TEST(stream_by_abstract_name) {
    struct sockaddr_un name, got;
    socklen_t length = abstract_address(&name, "stream"), size = sizeof(got);
    int l = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0)), c = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    FAILS(ECONNREFUSED, connect(c, (struct sockaddr *)&name, length));
    OK(bind(l, (struct sockaddr *)&name, length));
    FAILS(ECONNREFUSED, connect(c, (struct sockaddr *)&name, length));
    OK(listen(l, 1));
    OK(connect(c, (struct sockaddr *)&name, length));
    OK(getpeername(c, (struct sockaddr *)&got, &size));
    EQUAL(size, length);
    CHECK(!memcmp(&got, &name, length));
    int a = (int)OK(accept(l, NULL, NULL));
    talk(c, a);
    int again = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    FAILS(EADDRINUSE, bind(again, (struct sockaddr *)&name, length));
    OK(close(l));
    OK(bind(again, (struct sockaddr *)&name, length)); /* the name is free at once, though accepted sockets live */
    talk(c, a);
}

TEST(names_are_told) {
    struct sockaddr_un got;
    socklen_t size = sizeof(got);
    int l = listening(SOCK_STREAM, "listener", 5);
    OK(getsockname(l, (struct sockaddr *)&got, &size));
    EQUAL(size, offsetof(struct sockaddr_un, sun_path) + sizeof("listener"));
    CHECK(!strcmp(got.sun_path, "listener"));
    int c = bound(SOCK_STREAM, "client");
    OK(try_connect(c, "listener"));
    size = sizeof(got);
    memset(&got, 0, sizeof(got));
    int a = (int)OK(accept(l, (struct sockaddr *)&got, &size));
    EQUAL(size, offsetof(struct sockaddr_un, sun_path) + sizeof("client"));
    CHECK(!strcmp(got.sun_path, "client"));
    size = sizeof(got);
    OK(getsockname(a, (struct sockaddr *)&got, &size));
    CHECK(!strcmp(got.sun_path, "listener"));
    size = sizeof(got);
    OK(getpeername(c, (struct sockaddr *)&got, &size));
    CHECK(!strcmp(got.sun_path, "listener"));
    size = 4; /* cut, with the length that it would have */
    OK(getpeername(a, (struct sockaddr *)&got, &size));
    EQUAL(size, offsetof(struct sockaddr_un, sun_path) + sizeof("client"));
    int d = connected(SOCK_STREAM, "listener");
    size = sizeof(got);
    OK(accept(l, (struct sockaddr *)&got, &size));
    EQUAL(size, sizeof(sa_family_t));
    EQUAL(got.sun_family, AF_UNIX);
    size = sizeof(got);
    OK(getsockname(d, (struct sockaddr *)&got, &size));
    EQUAL(size, sizeof(sa_family_t));
}

TEST(names_that_cannot_be) {
    struct sockaddr_un a;
    int s = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    socklen_t length = path_address(&a, "name");
    file_make("file", "");
    OK(mkdir("directory", 0700));
    FAILS(EINVAL, bind(s, (struct sockaddr *)&a, sizeof(a) + 1));
    FAILS(EINVAL, bind(s, (struct sockaddr *)&a, 1));
    FAILS(EINVAL, connect(s, (struct sockaddr *)&a, 1));
    FAILS(ENOENT, connect(s, (struct sockaddr *)&a, length));
    FAILS(ECONNREFUSED, try_connect(s, "file"));
    FAILS(ECONNREFUSED, try_connect(s, "directory"));
    FAILS(ENOTDIR, try_connect(s, "file/x"));
    FAILS(EBADF, bind(-1, (struct sockaddr *)&a, length));
    int file = (int)OK(open("file", O_RDONLY));
    FAILS(ENOTSOCK, bind(file, (struct sockaddr *)&a, length));
    length = path_address(&a, "file");
    FAILS(EADDRINUSE, bind(s, (struct sockaddr *)&a, length));
    length = path_address(&a, "missing/x");
    FAILS(ENOENT, bind(s, (struct sockaddr *)&a, length));
    a.sun_family = AF_INET;
    FAILS(EINVAL, bind(s, (struct sockaddr *)&a, length));
    FAILS(EINVAL, connect(s, (struct sockaddr *)&a, length));
    memset(a.sun_path, 'x', sizeof(a.sun_path)); /* the longest, without a NUL */
    a.sun_family = AF_UNIX;
    OK(bind(s, (struct sockaddr *)&a, sizeof(a)));
    OK(listen(s, 1));
    int c = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(connect(c, (struct sockaddr *)&a, sizeof(a)));
    FAILS(EINVAL, bind(s, (struct sockaddr *)&a, length)); /* once */
}

TEST(a_node_without_socket_refuses) {
    int l = listening(SOCK_STREAM, "s", 5);
    OK(close(l));
    int c = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    FAILS(ECONNREFUSED, try_connect(c, "s"));
    struct sockaddr_un a;
    socklen_t length = path_address(&a, "s");
    FAILS(EADDRINUSE, bind(c, (struct sockaddr *)&a, length));
    OK(unlink("s"));
    OK(bind(c, (struct sockaddr *)&a, length));
}

TEST(the_node_is_what_counts) {
    int l = listening(SOCK_STREAM, "s", 5);
    OK(rename("s", "t"));
    int c = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    FAILS(ENOENT, try_connect(c, "s"));
    OK(try_connect(c, "t"));
    OK(symlink("t", "u"));
    connected(SOCK_STREAM, "u");
    OK(link("t", "v"));
    connected(SOCK_STREAM, "v");
    OK(unlink("t"));
    OK(unlink("v"));
    l = listening(SOCK_STREAM, "t", 5); /* another node of that name */
    c = connected(SOCK_STREAM, "t");
    talk(c, (int)OK(accept(l, NULL, NULL)));
}

static int other_user_connects(void *unused) {
    (void)unused;
    OK(setgid(1000));
    OK(setuid(1000));
    int c = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    FAILS(EACCES, try_connect(c, "closed"));
    OK(try_connect(c, "open"));
    return 0;
}

TEST(permission_to_connect) {
    if (getuid() != 0) {
        SKIP("needs root");
    }
    OK(chmod(".", 0755));
    listening(SOCK_STREAM, "closed", 5);
    OK(chmod("closed", 0755));
    listening(SOCK_STREAM, "open", 5);
    OK(chmod("open", 0722));
    EQUAL(child_run(other_user_connects, NULL), 0);
}

TEST(states_and_errors) {
    char c;
    struct sockaddr_un a;
    socklen_t size = sizeof(a);
    int s = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0)), d = (int)OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    FAILS(EINVAL, read(s, &c, 1));
    FAILS(ENOTCONN, write(s, "x", 1));
    FAILS(ENOTCONN, send(d, "x", 1, 0));
    FAILS(ENOTCONN, getpeername(s, (struct sockaddr *)&a, &size));
    FAILS(EINVAL, listen(s, 1));
    FAILS(EINVAL, accept(s, NULL, NULL));
    FAILS(EOPNOTSUPP, listen(d, 1));
    FAILS(EOPNOTSUPP, accept(d, NULL, NULL));
    socklen_t length = path_address(&a, "l");
    FAILS(EOPNOTSUPP, sendto(s, "x", 1, 0, (struct sockaddr *)&a, length));
    int l = listening(SOCK_STREAM, "l", 5);
    FAILS(ENOTCONN, write(l, "x", 1));
    FAILS(EINVAL, read(l, &c, 1));
    FAILS(EINVAL, try_connect(l, "l"));
    FAILS(EPROTOTYPE, try_connect(d, "l"));
    OK(try_connect(s, "l"));
    FAILS(EISCONN, try_connect(s, "l"));
    FAILS(EINVAL, listen(s, 1));
    FAILS(EISCONN, sendto(s, "x", 1, 0, (struct sockaddr *)&a, length));
    FAILS(EAFNOSUPPORT, socket(12345, SOCK_STREAM, 0));
    FAILS(ESOCKTNOSUPPORT, socket(AF_UNIX, SOCK_RDM, 0));
    FAILS(EPROTONOSUPPORT, socket(AF_UNIX, SOCK_STREAM, 17));
}

TEST(flags_of_new_sockets) {
    int l = listening(SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, "l", 5);
    EQUAL(fcntl(l, F_GETFD), FD_CLOEXEC);
    CHECK(fcntl(l, F_GETFL) & O_NONBLOCK);
    FAILS(EAGAIN, accept(l, NULL, NULL));
    connected(SOCK_STREAM, "l");
    connected(SOCK_STREAM, "l");
    int a = (int)OK(accept(l, NULL, NULL));
    EQUAL(fcntl(a, F_GETFD), 0);
    EQUAL(fcntl(a, F_GETFL) & O_NONBLOCK, 0);
    EQUAL(fcntl(a, F_GETFL) & O_ACCMODE, O_RDWR);
    int b = (int)OK(accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    EQUAL(fcntl(b, F_GETFD), FD_CLOEXEC);
    CHECK(fcntl(b, F_GETFL) & O_NONBLOCK);
    char c;
    FAILS(EAGAIN, read(b, &c, 1));
}

TEST(backlog_holds_back) {
    int l = listening(SOCK_STREAM, "l", 1);
    connected(SOCK_STREAM, "l");
    connected(SOCK_STREAM, "l");
    int c = (int)OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    FAILS(EAGAIN, try_connect(c, "l"));
    OK(accept(l, NULL, NULL));
    OK(try_connect(c, "l"));
}

static int late_accept(void *listener) {
    sleep_ms(100);
    for (int i = 0; i < 3; i++) {
        OK(accept(*(int *)listener, NULL, NULL));
    }
    return 0;
}

TEST(connect_waits_for_room) {
    int l = listening(SOCK_STREAM, "l", 0);
    connected(SOCK_STREAM, "l");
    pid_t child = child_start(late_accept, &l);
    connected(SOCK_STREAM, "l");
    connected(SOCK_STREAM, "l");
    EQUAL(child_wait(child), 0);
}

static int late_connect(void *path) {
    sleep_ms(100);
    int c = connected(SOCK_STREAM, path);
    EQUAL(write(c, "x", 1), 1);
    return 0;
}

TEST(accept_waits) {
    char c;
    int l = listening(SOCK_STREAM, "l", 5);
    pid_t child = child_start(late_connect, "l");
    int a = (int)OK(accept(l, NULL, NULL));
    EQUAL(read(a, &c, 1), 1);
    EQUAL(child_wait(child), 0);
}

static void on_alarm(int signal) { (void)signal; }

TEST(accept_gives_up) {
    struct timeval t = {.tv_usec = 50000};
    int l = listening(SOCK_STREAM, "s", 4);
    OK(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
    int64_t start = now_ms();
    FAILS(EAGAIN, accept(l, NULL, NULL));
    CHECK(now_ms() - start >= 49);
    int c = connected(SOCK_STREAM, "s"); /* nothing is left of the one that gave up */
    int s = (int)OK(accept(l, NULL, NULL));
    OK(write(c, "x", 1));
    char got;
    EQUAL(read(s, &got, 1), 1);
}

TEST(signals_interrupt_accept_and_connect) {
    struct sigaction action = {.sa_handler = on_alarm};
    OK(sigaction(SIGALRM, &action, NULL));
    int l = listening(SOCK_STREAM, "l", 0);
    ualarm(50000, 0);
    FAILS(EINTR, accept(l, NULL, NULL));
    connected(SOCK_STREAM, "l");
    int c = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    ualarm(50000, 0);
    FAILS(EINTR, try_connect(c, "l"));
    OK(accept(l, NULL, NULL));
    OK(try_connect(c, "l"));
}

TEST(closing_the_listener) {
    char c;
    int l = listening(SOCK_STREAM, "l", 5);
    int s = connected(SOCK_STREAM, "l");
    OK(close(l));
    FAILS(ECONNRESET, read(s, &c, 1));
    EQUAL(read(s, &c, 1), 0);
    signal(SIGPIPE, SIG_IGN);
    FAILS(EPIPE, write(s, "x", 1));
}

TEST(unread_data_resets) {
    char c[4];
    int s[2];
    signal(SIGPIPE, SIG_IGN);
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    EQUAL(write(s[0], "x", 1), 1);
    EQUAL(write(s[1], "ab", 2), 2);
    OK(close(s[1]));
    FAILS(EPIPE, write(s[0], "y", 1));
    EQUAL(read(s[0], c, sizeof(c)), 2); /* what came before */
    FAILS(ECONNRESET, read(s[0], c, 1));
    EQUAL(read(s[0], c, 1), 0);
    int error = -1;
    socklen_t length = sizeof(error);
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    EQUAL(write(s[0], "x", 1), 1);
    OK(close(s[1]));
    OK(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &error, &length));
    EQUAL(error, ECONNRESET);
    OK(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &error, &length));
    EQUAL(error, 0);
}

TEST(shutdown_both_ways) {
    char c;
    int l = listening(SOCK_STREAM, "l", 5), s = connected(SOCK_STREAM, "l"), a = (int)OK(accept(l, NULL, NULL));
    signal(SIGPIPE, SIG_IGN);
    OK(shutdown(s, SHUT_WR));
    EQUAL(read(a, &c, 1), 0);
    EQUAL(write(a, "x", 1), 1);
    EQUAL(read(s, &c, 1), 1);
    FAILS(EPIPE, write(s, "x", 1));
    OK(shutdown(s, SHUT_RD));
    EQUAL(read(s, &c, 1), 0);
    FAILS(EPIPE, write(a, "x", 1));
    FAILS(EINVAL, shutdown(s, 3));
}

/* --- readiness --- */
TEST(readiness_of_streams) {
    int s = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    EQUAL(ready(s, ALL), POLLOUT | POLLHUP);
    int l = listening(SOCK_STREAM, "l", 5);
    EQUAL(ready(l, ALL), 0);
    OK(try_connect(s, "l"));
    EQUAL(ready(l, ALL), POLLIN);
    EQUAL(ready(s, ALL), POLLOUT);
    int a = (int)OK(accept(l, NULL, NULL));
    EQUAL(ready(l, ALL), 0);
    EQUAL(ready(a, ALL), POLLOUT);
    EQUAL(write(s, "x", 1), 1);
    EQUAL(ready(a, ALL), POLLIN | POLLOUT);
    OK(shutdown(s, SHUT_WR));
    EQUAL(ready(a, ALL), POLLIN | POLLOUT | POLLRDHUP);
    OK(close(s));
    EQUAL(ready(a, ALL), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
}

TEST(epoll_follows_a_socket_from_its_start) {
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP, .data.u32 = 7}, got;
    int set = (int)OK(epoll_create1(0)), l = listening(SOCK_STREAM, "l", 5);
    int s = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(epoll_ctl(set, EPOLL_CTL_ADD, s, &e));
    EQUAL(epoll_wait(set, &got, 1, 0), 1);
    EQUAL(got.events, EPOLLOUT | EPOLLHUP);
    OK(try_connect(s, "l"));
    EQUAL(epoll_wait(set, &got, 1, 1000), 1);
    EQUAL(got.events, EPOLLOUT);
    int a = (int)OK(accept(l, NULL, NULL));
    EQUAL(write(a, "x", 1), 1);
    EQUAL(epoll_wait(set, &got, 1, 1000), 1);
    EQUAL(got.events, EPOLLIN | EPOLLOUT);
    OK(close(a));
    EQUAL(epoll_wait(set, &got, 1, 1000), 1);
    EQUAL(got.events, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
    OK(epoll_ctl(set, EPOLL_CTL_DEL, s, NULL));
}

TEST(epoll_sees_each_connection) {
    struct epoll_event e = {.events = EPOLLIN | EPOLLET}, got;
    int set = (int)OK(epoll_create1(0)), l = listening(SOCK_STREAM, "l", 5);
    OK(epoll_ctl(set, EPOLL_CTL_ADD, l, &e));
    EQUAL(epoll_wait(set, &got, 1, 0), 0);
    for (int i = 0; i < 3; i++) {
        connected(SOCK_STREAM, "l");
        EQUAL(epoll_wait(set, &got, 1, 1000), 1);
        EQUAL(epoll_wait(set, &got, 1, 0), 0);
    }
}

TEST(poll_waits_for_a_connection) {
    int l = listening(SOCK_STREAM, "l", 5);
    pid_t child = child_start(late_connect, "l");
    struct pollfd p = {l, POLLIN, 0};
    EQUAL(poll(&p, 1, 10000), 1);
    EQUAL(p.revents, POLLIN);
    EQUAL(child_wait(child), 0);
}

/* --- messages --- */
TEST(seqpacket) {
    char got[8];
    int l = listening(SOCK_SEQPACKET, "l", 5);
    int s = (int)OK(socket(AF_UNIX, SOCK_SEQPACKET, 0));
    FAILS(ENOTCONN, read(s, got, 1));
    FAILS(ENOTCONN, write(s, "x", 1));
    OK(try_connect(s, "l"));
    int a = (int)OK(accept(l, NULL, NULL));
    EQUAL(write(s, "one", 3), 3);
    EQUAL(write(s, "three", 5), 5);
    EQUAL(read(a, got, sizeof(got)), 3);
    EQUAL(recv(a, got, 2, MSG_TRUNC), 5);
    EQUAL(write(s, "end", 3), 3);
    OK(close(s));
    EQUAL(read(a, got, sizeof(got)), 3);
    EQUAL(read(a, got, sizeof(got)), 0);
    int type;
    socklen_t length = sizeof(type);
    OK(getsockopt(a, SOL_SOCKET, SO_TYPE, &type, &length));
    EQUAL(type, SOCK_SEQPACKET);
    int stream = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    FAILS(EPROTOTYPE, try_connect(stream, "l"));
}

TEST(datagrams_with_addresses) {
    struct sockaddr_un to, from;
    char got[8];
    socklen_t length = path_address(&to, "server"), size = sizeof(from);
    int s = bound(SOCK_DGRAM, "server"), c = bound(SOCK_DGRAM, "client"),
        nameless = (int)OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    EQUAL(sendto(c, "hello", 5, 0, (struct sockaddr *)&to, length), 5);
    EQUAL(sendto(nameless, "", 0, 0, (struct sockaddr *)&to, length), 0);
    memset(&from, 0, sizeof(from));
    EQUAL(recvfrom(s, got, sizeof(got), 0, (struct sockaddr *)&from, &size), 5);
    EQUAL(size, offsetof(struct sockaddr_un, sun_path) + sizeof("client"));
    CHECK(!strcmp(from.sun_path, "client"));
    EQUAL(sendto(s, "back", 4, 0, (struct sockaddr *)&from, size), 4);
    EQUAL(recv(c, got, sizeof(got), 0), 4);
    size = sizeof(from);
    EQUAL(recvfrom(s, got, sizeof(got), 0, (struct sockaddr *)&from, &size), 0);
    EQUAL(size, 0);
    FAILS(EAGAIN, recv(s, got, 1, MSG_DONTWAIT));
    length = path_address(&to, "nobody");
    FAILS(ENOENT, sendto(c, "x", 1, 0, (struct sockaddr *)&to, length));
}

TEST(connected_datagrams) {
    struct sockaddr_un a = {.sun_family = AF_UNSPEC};
    char got[8];
    int s = bound(SOCK_DGRAM, "server"), c = bound(SOCK_DGRAM, "client");
    OK(try_connect(c, "server"));
    EQUAL(write(c, "one", 3), 3);
    EQUAL(read(s, got, sizeof(got)), 3);
    FAILS(ENOTCONN, write(s, "x", 1));
    OK(try_connect(s, "client"));
    EQUAL(write(s, "two", 3), 3);
    EQUAL(read(c, got, sizeof(got)), 3);
    int other = (int)OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    FAILS(EPERM, try_connect(other, "server")); /* it hears its peer only */
    OK(connect(s, (struct sockaddr *)&a, sizeof(a.sun_family)));
    FAILS(ENOTCONN, write(s, "x", 1));
    OK(try_connect(other, "server"));
    OK(close(s));
    FAILS(ECONNREFUSED, write(c, "x", 1));
    FAILS(ECONNREFUSED, try_connect(other, "server"));
    EQUAL(ready(c, POLLIN | POLLOUT) & POLLIN, 0);
}

TEST(datagram_pairs) {
    char c;
    int s[2];
    OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    EQUAL(write(s[0], "", 0), 0);
    EQUAL(recv(s[1], &c, 1, MSG_DONTWAIT), 0);
    OK(close(s[1]));
    FAILS(ECONNREFUSED, write(s[0], "x", 1));
    FAILS(EAGAIN, recv(s[0], &c, 1, MSG_DONTWAIT));
}

TEST(datagrams_hold_back) {
    static char block[4096];
    int s = bound(SOCK_DGRAM, "server"), c = (int)OK(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)), sent = 0;
    OK(try_connect(c, "server"));
    while (write(c, block, sizeof(block)) == (ssize_t)sizeof(block)) {
        sent++;
    }
    EQUAL(errno, EAGAIN);
    CHECK(sent > 4);
    struct pollfd p = {c, POLLOUT, 0};
    EQUAL(poll(&p, 1, 0), 0);
    for (int i = 0; i < sent; i++) {
        EQUAL(read(s, block, sizeof(block)), sizeof(block));
    }
    EQUAL(poll(&p, 1, 1000), 1);
    EQUAL(p.revents, POLLOUT);
}

static int slow_reader(void *socket) {
    static char block[4096];
    sleep_ms(100);
    for (int i = 0; i < 100; i++) {
        OK(read(*(int *)socket, block, sizeof(block)));
    }
    return 0;
}

TEST(writers_and_pollers_of_datagrams_wait) {
    static char block[4096];
    int s = bound(SOCK_DGRAM, "server"), c = (int)OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    OK(try_connect(c, "server"));
    pid_t child = child_start(slow_reader, &s);
    for (int i = 0; i < 50; i++) {
        EQUAL(write(c, block, sizeof(block)), sizeof(block));
    }
    OK(fcntl(c, F_SETFL, O_NONBLOCK));
    for (int i = 0; i < 50;) {
        struct pollfd p = {c, POLLOUT, 0};
        EQUAL(poll(&p, 1, 10000), 1);
        i += write(c, block, sizeof(block)) == (ssize_t)sizeof(block);
    }
    EQUAL(child_wait(child), 0);
}

TEST(too_large) {
    static char block[4 << 20];
    int s[2];
    OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    FAILS(EMSGSIZE, write(s[0], block, sizeof(block)));
}

TEST(automatic_names) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(a);
    int s = (int)OK(socket(AF_UNIX, SOCK_DGRAM, 0)), c = (int)OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    OK(bind(s, (struct sockaddr *)&a, sizeof(a.sun_family)));
    OK(getsockname(s, (struct sockaddr *)&a, &size));
    EQUAL(size, sizeof(sa_family_t) + 6);
    EQUAL(a.sun_path[0], 0);
    EQUAL(sendto(c, "x", 1, 0, (struct sockaddr *)&a, size), 1);
}

/* --- options --- */
static int option(int s, int which) {
    int value = -1;
    socklen_t length = sizeof(value);
    OK(getsockopt(s, SOL_SOCKET, which, &value, &length));
    EQUAL(length, sizeof(value));
    return value;
}

TEST(options) {
    int l = listening(SOCK_STREAM, "l", 5), c = connected(SOCK_STREAM, "l"), one = 1;
    EQUAL(option(l, SO_ACCEPTCONN), 1);
    EQUAL(option(c, SO_ACCEPTCONN), 0);
    EQUAL(option(c, SO_TYPE), SOCK_STREAM);
    EQUAL(option(c, SO_DOMAIN), AF_UNIX);
    EQUAL(option(c, SO_PROTOCOL), 0);
    EQUAL(option(c, SO_ERROR), 0);
    CHECK(option(c, SO_SNDBUF) > 0);
    int size = 16384;
    OK(setsockopt(c, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
    CHECK(option(c, SO_SNDBUF) >= size);
    EQUAL(option(c, SO_PASSCRED), 0);
    OK(setsockopt(c, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
    EQUAL(option(c, SO_PASSCRED), 1);
    OK(setsockopt(c, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
    FAILS(ENOPROTOOPT, setsockopt(c, SOL_SOCKET, 9999, &one, sizeof(one)));
    FAILS(EINVAL, setsockopt(c, SOL_SOCKET, SO_SNDBUF, &one, 1));
    FAILS(EOPNOTSUPP, setsockopt(c, 6, 1, &one, sizeof(one)));
    struct ucred u;
    socklen_t length = sizeof(u);
    OK(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &u, &length));
    EQUAL(u.pid, getpid());
    EQUAL(u.uid, geteuid());
    int s[2];
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    OK(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &u, &length));
    EQUAL(u.pid, getpid());
}

TEST(timeouts) {
    char c;
    int s[2];
    struct timeval t = {0, 50000}, got;
    socklen_t length = sizeof(got);
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    OK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
    int64_t start = now_ms();
    FAILS(EAGAIN, read(s[0], &c, 1));
    CHECK(now_ms() - start >= 40);
    OK(getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &got, &length));
    CHECK(got.tv_sec == 0 && got.tv_usec >= 50000 && got.tv_usec < 70000);
    OK(getsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &got, &length));
    EQUAL(got.tv_sec + got.tv_usec, 0);
}

TEST(waiting_bytes) {
    int s[2], n = -1;
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    int l = listening(SOCK_STREAM, "l", 5), c = connected(SOCK_STREAM, "l"), a = (int)OK(accept(l, NULL, NULL));
    EQUAL(write(c, "abc", 3), 3);
    OK(ioctl(a, FIONREAD, &n));
    EQUAL(n, 3);
    OK(ioctl(s[0], FIONREAD, &n));
    EQUAL(n, 0);
}

/* --- bulk --- */
static int pump(void *socket) {
    static char block[30000];
    for (size_t sent = 0; sent < 3000000;) {
        for (size_t i = 0; i < sizeof(block); i++) {
            block[i] = (char)((sent + i) % 251);
        }
        size_t n = 0;
        while (n < sizeof(block)) {
            n += (size_t)OK(write(*(int *)socket, block + n, sizeof(block) - n));
        }
        sent += n;
    }
    return 0;
}

TEST(megabytes_arrive_in_order) {
    static char block[20000];
    int l = listening(SOCK_STREAM, "l", 5), c = connected(SOCK_STREAM, "l"), a = (int)OK(accept(l, NULL, NULL));
    pid_t child = child_start(pump, &c);
    OK(close(c));
    size_t at = 0;
    for (ssize_t n; (n = (ssize_t)OK(recv(a, block, sizeof(block), MSG_WAITALL))) > 0;) {
        for (ssize_t i = 0; i < n; i++, at++) {
            CHECK(block[i] == (char)(at % 251));
        }
    }
    EQUAL(at, 3000000);
    EQUAL(child_wait(child), 0);
}

TEST(many_sockets) {
    int l = listening(SOCK_STREAM, "l", 200), c[100], a[100];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            c[i] = connected(SOCK_STREAM, "l");
        }
        for (int i = 0; i < 100; i++) {
            a[i] = (int)OK(accept(l, NULL, NULL));
        }
        for (int i = 0; i < 100; i++) {
            EQUAL(write(c[i], &i, sizeof(i)), sizeof(i));
        }
        for (int i = 0; i < 100; i++) {
            int got;
            EQUAL(read(a[i], &got, sizeof(got)), sizeof(got));
            EQUAL(got, i);
            OK(close(c[i]));
            EQUAL(read(a[i], &got, sizeof(got)), 0);
            OK(close(a[i]));
        }
    }
}

/* --- bad input --- */
TEST(null_pointers) {
    char *volatile nowhere = NULL;
    struct sockaddr_un a;
    socklen_t length = path_address(&a, "l");
    int l = listening(SOCK_STREAM, "l", 5), d = (int)OK(socket(AF_UNIX, SOCK_DGRAM, 0));
    FAILS(EFAULT, bind(d, NULL, length));
    FAILS(EFAULT, connect(d, NULL, length));
    FAILS(EFAULT, getsockname(l, (struct sockaddr *)&a, NULL));
    FAILS(EFAULT, getsockname(l, NULL, &length));
    FAILS(EINVAL, getsockname(l, (struct sockaddr *)&a, &(socklen_t){(socklen_t)-1}));
    FAILS(EFAULT, setsockopt(l, SOL_SOCKET, SO_SNDBUF, NULL, 4));
    int s[2];
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    FAILS(EFAULT, write(s[0], nowhere, 1));
    EQUAL(write(s[1], "x", 1), 1);
    FAILS(EFAULT, read(s[0], nowhere, 1));
    char c;
    EQUAL(read(s[0], &c, 1), 1); /* nothing was lost */
}

TEST(names_of_every_length) {
    struct sockaddr_un a;
    for (socklen_t length = 0; length <= sizeof(a); length++) {
        memset(&a, 0, sizeof(a));
        a.sun_family = AF_UNIX;
        memset(a.sun_path + 1, 'a', sizeof(a.sun_path) - 1); /* abstract */
        int s = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
        int result = bind(s, (struct sockaddr *)&a, length);
        CHECK(length < 2 ? result == -1 && errno == EINVAL : result == 0);
        OK(close(s));
        s = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
        memset(a.sun_path, 'p', sizeof(a.sun_path));
        if (length > 2) {
            OK(bind(s, (struct sockaddr *)&a, length));
            char path[sizeof(a.sun_path) + 1] = {0};
            memcpy(path, a.sun_path, length - 2);
            OK(unlink(path));
        }
        OK(close(s));
    }
}
