// SPDX-License-Identifier: MIT
/* Socketpairs. */
#include "test.h"
#include <sys/socket.h>

TEST(both_directions) {
    int s[2];
    char got[8];
    OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
    EQUAL(fcntl(s[0], F_GETFD), FD_CLOEXEC);
    EQUAL(write(s[0], "to", 2), 2);
    EQUAL(send(s[1], "fro", 3, 0), 3);
    EQUAL(recv(s[1], got, 8, 0), 2);
    EQUAL(recv(s[0], got, 8, MSG_PEEK), 3);
    EQUAL(read(s[0], got, 8), 3);
    CHECK(!memcmp(got, "fro", 3));
    FAILS(EAGAIN, recv(s[0], got, 8, MSG_DONTWAIT));
}

TEST(shutting_down) {
    int s[2];
    char c;
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    EQUAL(write(s[0], "x", 1), 1);
    OK(shutdown(s[0], SHUT_WR));
    EQUAL(read(s[1], &c, 1), 1);
    EQUAL(read(s[1], &c, 1), 0);
    EQUAL(write(s[1], "y", 1), 1);
    EQUAL(read(s[0], &c, 1), 1);
    FAILS(EPIPE, send(s[0], "z", 1, MSG_NOSIGNAL));
    OK(close(s[0]));
    signal(SIGPIPE, SIG_IGN);
    FAILS(EPIPE, write(s[1], "y", 1));
}

TEST(datagrams_keep_boundaries) {
    int s[2];
    char got[8];
    OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    EQUAL(send(s[0], "one", 3, 0), 3);
    EQUAL(send(s[0], "seven", 5, 0), 5);
    EQUAL(recv(s[1], got, 8, 0), 3);
    EQUAL(recv(s[1], got, 2, 0), 2);
    FAILS(EAGAIN, recv(s[1], got, 8, MSG_DONTWAIT));
}

TEST(passing_descriptors) {
    int s[2], p[2], got;
    char data = 'd', c;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec v = {&data, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    memset(&control, 0, sizeof(control));
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    OK(pipe(p));
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &p[0], sizeof(int));
    EQUAL(sendmsg(s[0], &m, 0), 1);
    OK(close(p[0]));
    memset(&control, 0, sizeof(control));
    m.msg_controllen = sizeof(control.bytes);
    EQUAL(recvmsg(s[1], &m, MSG_CMSG_CLOEXEC), 1);
    h = CMSG_FIRSTHDR(&m);
    CHECK(h && h->cmsg_type == SCM_RIGHTS);
    memcpy(&got, CMSG_DATA(h), sizeof(int));
    EQUAL(fcntl(got, F_GETFD), FD_CLOEXEC);
    EQUAL(write(p[1], "q", 1), 1);
    EQUAL(read(got, &c, 1), 1);
    EQUAL(c, 'q');
}

/* A message of one byte with control data; what there was of it at the other side. */
static long send_control(int fd, int type, const void *data, size_t size) {
    char byte = 'c';
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(64 * sizeof(int))] = {0};
    struct iovec v = {&byte, 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(size)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = type, .cmsg_len = (socklen_t)CMSG_LEN(size)};
    memcpy(CMSG_DATA(c), data, size);
    return sendmsg(fd, &m, MSG_DONTWAIT);
}

static long receive_control(int fd, int type, void *data, size_t size) {
    char bytes[16];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(64 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    struct iovec v = {bytes, sizeof(bytes)};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    long got = recvmsg(fd, &m, MSG_DONTWAIT);
    struct cmsghdr *c = got < 0 ? NULL : CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_type == type && c->cmsg_len == CMSG_LEN(size)) memcpy(data, CMSG_DATA(c), size);
    return got;
}

static int write_two(void *argument) { return write(*(int *)argument, "xy", 2) != 2; }

TEST(credentials) {
    int s[2], on = 1;
    struct ucred ids = {0};
    socklen_t length = sizeof(ids);
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    OK(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &ids, &length));
    EQUAL(length, sizeof(ids));
    EQUAL(ids.pid, getpid());
    EQUAL(ids.uid, getuid());
    OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
    on = 0;
    length = sizeof(on);
    OK(getsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, &length));
    EQUAL(on, 1);
    EQUAL(write(s[0], "a", 1), 1);
    EQUAL(write(s[0], "b", 1), 1);
    pid_t child = child_start(write_two, &s[0]);
    EQUAL(child_wait(child), 0);
    memset(&ids, 0, sizeof(ids));
    EQUAL(receive_control(s[1], SCM_CREDENTIALS, &ids, sizeof(ids)), 2); /* of one sender in one piece */
    EQUAL(ids.pid, getpid());
    EQUAL(ids.gid, getgid());
    EQUAL(receive_control(s[1], SCM_CREDENTIALS, &ids, sizeof(ids)), 2);
    EQUAL(ids.pid, child);
    ids = (struct ucred){getpid(), getuid(), getgid()};
    EQUAL(send_control(s[0], SCM_CREDENTIALS, &ids, sizeof(ids)), 1);
    ids.pid = 0;
    EQUAL(receive_control(s[1], SCM_CREDENTIALS, &ids, sizeof(ids)), 1);
    EQUAL(ids.pid, getpid());
}

TEST(sequenced_packets) {
    int s[2], type = 0;
    char got[8];
    socklen_t length = sizeof(type);
    OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
    OK(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &type, &length));
    EQUAL(type, SOCK_SEQPACKET);
    EQUAL(send(s[0], "seven", 5, MSG_EOR), 5);
    EQUAL(send(s[0], "", 0, 0), 0);
    EQUAL(send(s[0], "end", 3, 0), 3);
    EQUAL(recv(s[1], got, 2, MSG_PEEK | MSG_TRUNC), 5);
    struct iovec v = {got, 2};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    EQUAL(recvmsg(s[1], &m, 0), 2);
    EQUAL(m.msg_flags & MSG_TRUNC, MSG_TRUNC);
    EQUAL(recv(s[1], got, 8, 0), 0);
    EQUAL(recv(s[1], got, 8, 0), 3);
    OK(close(s[0]));
    EQUAL(recv(s[1], got, 8, 0), 0);
}

/* Handles in flight are limited, and sockets that nobody can reach are closed. */
TEST(thousands_of_descriptors_and_circles) {
    int s[2], many[64], p[2], a[2], b[2], last[2];
    char c;
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    OK(fcntl(s[0], F_SETFL, O_NONBLOCK)); /* Linux has no limit for root but the buffer */
    for (int i = 0; i < 64; i++) many[i] = s[0];
    long sent = 0;
    while (sent < 1000 && send_control(s[0], SCM_RIGHTS, many, sizeof(many)) == 1) sent++;
    CHECK(sent >= 8 && sent < 1000 && (errno == ETOOMANYREFS || errno == EAGAIN));
    for (long i = 0; i < sent; i++) {
        memset(many, 0xff, sizeof(many));
        EQUAL(receive_control(s[1], SCM_RIGHTS, many, sizeof(many)), 1);
        for (int n = 0; n < 64; n++) OK(close(many[n]));
    }
    for (int round = 0; round < 200; round++) {
        OK(pipe(p));
        OK(socketpair(AF_UNIX, SOCK_STREAM, 0, a));
        OK(socketpair(AF_UNIX, SOCK_STREAM, 0, b));
        EQUAL(send_control(a[0], SCM_RIGHTS, &a[1], sizeof(int)), 1); /* on its way to itself */
        EQUAL(send_control(b[0], SCM_RIGHTS, &a[0], sizeof(int)), 1);
        EQUAL(send_control(a[0], SCM_RIGHTS, &b[1], sizeof(int)), 1);
        EQUAL(send_control(b[0], SCM_RIGHTS, &p[1], sizeof(int)), 1);
        OK(close(p[1]));
        for (int i = 0; i < 2; i++) OK(close(a[i]) | close(b[i]));
        OK(socketpair(AF_UNIX, SOCK_STREAM, 0, last)); /* Linux looks for circles when a socket goes away */
        OK(close(last[0]) | close(last[1]));
        EQUAL(read(p[0], &c, 1), 0); /* the writing end was closed with them */
        OK(close(p[0]));
    }
}

TEST(not_a_socket) {
    int type = 0, p[2], s[2];
    socklen_t length = sizeof(type);
    OK(pipe(p));
    FAILS(ENOTSOCK, send(p[1], "x", 1, 0));
    FAILS(ENOTSOCK, getsockopt(p[1], SOL_SOCKET, SO_TYPE, &type, &length));
    FAILS(EBADF, recv(-1, &type, 1, 0));
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    OK(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &type, &length));
    EQUAL(type, SOCK_STREAM);
    OK(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &type, &length));
    EQUAL(type, 0);
}
