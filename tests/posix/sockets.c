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
