// SPDX-License-Identifier: MIT
/* What goes along with data on unix sockets: descriptors and credentials; and peers that do it badly. */
#include "test.h"
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#define MANY 250 /* SCM_MAX_FD is 253, but musl's sendmsg takes 1024 bytes of control data */

union control {
    char bytes[CMSG_SPACE(MANY * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    struct cmsghdr align;
};

/* CMSG_NXTHDR without a mix of signs (of musl's). */
static struct cmsghdr *control_next(const struct msghdr *m, struct cmsghdr *c) {
    char *next = (char *)c + CMSG_ALIGN(c->cmsg_len), *end = (char *)m->msg_control + m->msg_controllen;
    return next + sizeof(*c) <= end ? (struct cmsghdr *)next : NULL;
}

/* Sends one byte, or `size` of them, and descriptors. */
static ssize_t send_fds(int s, const char *data, size_t size, const int *fds, size_t count, int flags) {
    union control control;
    struct iovec v = {(void *)data, size};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    memset(&control, 0, sizeof(control));
    if (count) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    }
    return sendmsg(s, &m, flags);
}

/* Receives with room for `room` bytes of control data; descriptors to fds, their number to *count. */
static ssize_t receive_fds(int s, char *data, size_t size, int *fds, size_t *count, size_t room, int *flags) {
    union control control;
    struct iovec v = {data, size};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = room};
    ssize_t n = recvmsg(s, &m, *flags);
    *count = 0;
    *flags = m.msg_flags;
    for (struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL; c; c = control_next(&m, c)) {
        EQUAL(c->cmsg_level, SOL_SOCKET);
        if (c->cmsg_type == SCM_RIGHTS) {
            *count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(fds, CMSG_DATA(c), *count * sizeof(int));
        }
    }
    return n;
}

static int open_count(void) {
    int n = 0;
    for (int fd = 0; fd < 1024; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

TEST(many_descriptors) {
    int s[2], fds[MANY], got[MANY], flags = MSG_CMSG_CLOEXEC, before;
    size_t count;
    char c;
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    for (int i = 0; i < MANY; i++) {
        fds[i] = i % 2;
    }
    before = open_count();
    EQUAL(send_fds(s[0], "x", 1, fds, MANY, 0), 1);
    EQUAL(receive_fds(s[1], &c, 1, got, &count, CMSG_SPACE(sizeof(got)), &flags), 1);
    EQUAL(count, MANY);
    EQUAL(open_count(), before + MANY);
    for (int i = 0; i < MANY; i++) {
        EQUAL(fcntl(got[i], F_GETFD), FD_CLOEXEC);
        OK(close(got[i]));
    }
}

TEST(too_many_descriptors) {
    static int fds[4000];
    static char control[CMSG_SPACE(sizeof(fds))];
    int s[2];
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    struct iovec v = {"x", 1};
    for (size_t n = MANY + 4; n < 4000; n += 1500) {
        struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(n * 4)};
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c =
            (struct cmsghdr){.cmsg_len = (socklen_t)CMSG_LEN(n * 4), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        CHECK(sendmsg(s[0], &m, 0) == -1 && (errno == EINVAL || errno == ENOMEM)); /* musl: ENOMEM */
    }
    char byte;
    FAILS(EAGAIN, recv(s[1], &byte, 1, MSG_DONTWAIT));
}

TEST(control_data_that_lies) {
    int s[2];
    union control control;
    struct iovec v = {"x", 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = CMSG_SPACE(4)};
    memset(&control, 0, sizeof(control));
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    *c = (struct cmsghdr){.cmsg_len = (socklen_t)CMSG_LEN(400), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    FAILS(EINVAL, sendmsg(s[0], &m, 0)); /* longer than its buffer */
    c->cmsg_len = 3;
    FAILS(EINVAL, sendmsg(s[0], &m, 0));
    c->cmsg_len = (socklen_t)CMSG_LEN(4);
    c->cmsg_type = 99;
    FAILS(EINVAL, sendmsg(s[0], &m, 0));
    c->cmsg_type = SCM_RIGHTS;
    int bad = 777;
    memcpy(CMSG_DATA(c), &bad, sizeof(bad));
    FAILS(EBADF, sendmsg(s[0], &m, 0));
    bad = -1;
    memcpy(CMSG_DATA(c), &bad, sizeof(bad));
    FAILS(EBADF, sendmsg(s[0], &m, 0));
    m.msg_controllen = 5; /* too short for anything */
    EQUAL(sendmsg(s[0], &m, 0), 1);
    m.msg_iovlen = 2000;
    FAILS(EMSGSIZE, sendmsg(s[0], &m, 0));
}

TEST(no_room_for_descriptors) {
    int s[2], fds[] = {0, 1, 2}, got[8], flags = 0, before;
    size_t count;
    char c;
    OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    before = open_count();
    for (size_t room = 0; room <= 2; room++) {
        EQUAL(send_fds(s[0], "x", 1, fds, 3, 0), 1);
        flags = 0;
        EQUAL(receive_fds(s[1], &c, 1, got, &count, room ? CMSG_LEN(room * sizeof(int)) : 0, &flags), 1);
        EQUAL(flags & MSG_CTRUNC, MSG_CTRUNC);
        CHECK(count == room);
        EQUAL(open_count(), before + (int)count);
        for (size_t i = 0; i < count; i++) {
            OK(close(got[i]));
        }
    }
    EQUAL(send_fds(s[0], "x", 1, fds, 3, 0), 1);
    EQUAL(read(s[1], &c, 1), 1); /* dropped */
    EQUAL(open_count(), before);
}

TEST(descriptors_stay_with_their_bytes) {
    int s[2], p[2], got[4], flags = 0;
    size_t count;
    char data[16];
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    OK(pipe(p));
    EQUAL(write(s[0], "ab", 2), 2);
    EQUAL(send_fds(s[0], "cd", 2, &p[0], 1, 0), 2);
    EQUAL(write(s[0], "ef", 2), 2);
    ssize_t n = receive_fds(s[1], data, sizeof(data), got, &count, CMSG_SPACE(sizeof(got)), &flags);
    if (count == 0) { /* those in front came alone */
        EQUAL(n, 2);
        flags = 0;
        n = receive_fds(s[1], data, sizeof(data), got, &count, CMSG_SPACE(sizeof(got)), &flags);
    }
    EQUAL(count, 1);
    CHECK(n >= 2);
    EQUAL(write(p[1], "q", 1), 1);
    EQUAL(read(got[0], data, 1), 1);
}

/* Each look gives descriptors of its own. */
static void look_at_descriptors(int type) {
    int s[2], p[2], got[3], flags, before = open_count();
    char c;
    size_t count;
    OK(socketpair(AF_UNIX, type, 0, s));
    OK(pipe(p));
    EQUAL(send_fds(s[0], "x", 1, &p[1], 1, 0), 1);
    close(p[1]);
    for (int i = 0; i < 3; i++) {
        flags = i < 2 ? MSG_PEEK : 0;
        EQUAL(receive_fds(s[1], &c, 1, &got[i], &count, sizeof(union control), &flags), 1);
        EQUAL(count, 1);
        EQUAL(write(got[i], "y", 1), 1);
    }
    EQUAL(open_count(), before + 6);
    for (int i = 0; i < 3; i++) {
        EQUAL(read(p[0], &c, 1), 1);
        close(got[i]);
    }
    EQUAL(read(p[0], &c, 1), 0);
    close(p[0]);
    close(s[0]);
    close(s[1]);
}

TEST(descriptors_looked_at) {
    look_at_descriptors(SOCK_STREAM);
    look_at_descriptors(SOCK_DGRAM);
    look_at_descriptors(SOCK_SEQPACKET);
}

TEST(descriptors_by_named_datagram) {
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "s"};
    int s = (int)OK(socket(AF_UNIX, SOCK_DGRAM, 0)), c = (int)OK(socket(AF_UNIX, SOCK_DGRAM, 0)), p[2], got[2],
        flags = 0;
    size_t count;
    char data;
    OK(bind(s, (struct sockaddr *)&a, sizeof(a)));
    OK(pipe(p));
    union control control;
    struct iovec v = {"x", 1};
    struct msghdr m = {.msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = CMSG_SPACE(sizeof(int)),
                       .msg_name = &a,
                       .msg_namelen = sizeof(a)};
    memset(&control, 0, sizeof(control));
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    *h = (struct cmsghdr){.cmsg_len = (socklen_t)CMSG_LEN(4), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(h), &p[1], sizeof(int));
    EQUAL(sendmsg(c, &m, 0), 1);
    OK(close(p[1]));
    EQUAL(receive_fds(s, &data, 1, got, &count, CMSG_SPACE(sizeof(got)), &flags), 1);
    EQUAL(count, 1);
    EQUAL(write(got[0], "z", 1), 1);
    EQUAL(read(p[0], &data, 1), 1);
}

/* --- credentials --- */
static bool credentials_of(struct msghdr *m, struct ucred *out) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = control_next(m, c)) {
        if (c->cmsg_type == SCM_CREDENTIALS) {
            EQUAL(c->cmsg_len, CMSG_LEN(sizeof(*out)));
            memcpy(out, CMSG_DATA(c), sizeof(*out));
            return true;
        }
    }
    return false;
}

static ssize_t receive_credentials(int s, struct ucred *out, bool *there) {
    union control control;
    char data[8];
    struct iovec v = {data, sizeof(data)};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(s, &m, 0);
    *there = n >= 0 && credentials_of(&m, out);
    return n;
}

static int send_one(void *socket) {
    EQUAL(write(*(int *)socket, "x", 1), 1);
    return 0;
}

static void credentials_come(int type) {
    int s[2], one = 1;
    struct ucred u;
    bool there;
    OK(socketpair(AF_UNIX, type, 0, s));
    EQUAL(write(s[0], "x", 1), 1);
    EQUAL(receive_credentials(s[1], &u, &there), 1);
    CHECK(!there);
    OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
    pid_t child = child_start(send_one, &s[0]);
    EQUAL(receive_credentials(s[1], &u, &there), 1);
    CHECK(there);
    EQUAL(u.pid, child);
    EQUAL(u.uid, getuid());
    EQUAL(u.gid, getgid());
    EQUAL(child_wait(child), 0);
}

TEST(credentials_of_streams) { credentials_come(SOCK_STREAM); }
TEST(credentials_of_datagrams) { credentials_come(SOCK_DGRAM); }
TEST(credentials_of_seqpackets) { credentials_come(SOCK_SEQPACKET); }

static int lie(void *socket) {
    union control control;
    struct iovec v = {"x", 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control.bytes};
    m.msg_controllen = CMSG_SPACE(sizeof(struct ucred));
    memset(&control, 0, sizeof(control));
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_CREDENTIALS;
    c->cmsg_len = (socklen_t)CMSG_LEN(sizeof(struct ucred));
    OK(setgid(1000));
    OK(setuid(1000));
    struct ucred u = {getpid(), 0, 1000};
    memcpy(CMSG_DATA(c), &u, sizeof(u));
    FAILS(EPERM, sendmsg(*(int *)socket, &m, 0));
    u = (struct ucred){1, 1000, 1000};
    memcpy(CMSG_DATA(c), &u, sizeof(u));
    FAILS(EPERM, sendmsg(*(int *)socket, &m, 0));
    u = (struct ucred){getpid(), 1000, 1000};
    memcpy(CMSG_DATA(c), &u, sizeof(u));
    EQUAL(sendmsg(*(int *)socket, &m, 0), 1);
    return 0;
}

TEST(credentials_cannot_be_forged) {
    int s[2], one = 1;
    struct ucred u;
    bool there;
    if (getuid() != 0) {
        SKIP("needs root");
    }
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
    EQUAL(child_run(lie, &s[0]), 0);
    EQUAL(receive_credentials(s[1], &u, &there), 1);
    CHECK(there);
    EQUAL(u.uid, 1000);
}

/* --- circles: sockets that are on their way to themselves --- */
static int own_circles(void *unused) {
    (void)unused;
    for (int i = 0; i < 3000; i++) {
        int s[2];
        OK(socketpair(AF_UNIX, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0, s));
        for (int tries = 0; send_fds(s[0], "x", 1, s, 2, 0) != 1; tries++) {
            CHECK(errno == ETOOMANYREFS && tries < 100); /* until the last ones are found */
        }
        OK(close(s[0]));
        OK(close(s[1]));
    }
    return 0;
}

TEST(circles_are_collected) { EQUAL(child_run(own_circles, NULL), 0); }

static int named_circles(void *unused) {
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "circle"};
    (void)unused;
    for (int i = 0; i < 1500; i++) {
        int l = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0)), s[2];
        OK(bind(l, (struct sockaddr *)&a, sizeof(a)));
        OK(listen(l, 1));
        s[0] = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
        OK(connect(s[0], (struct sockaddr *)&a, sizeof(a)));
        s[1] = (int)OK(accept(l, NULL, NULL));
        for (int tries = 0; send_fds(s[0], "x", 1, s, 2, 0) != 1; tries++) {
            CHECK(errno == ETOOMANYREFS && tries < 100);
        }
        OK(close(s[0]));
        OK(close(s[1]));
        OK(close(l));
        OK(unlink("circle"));
    }
    return 0;
}

TEST(circles_of_named_sockets_are_collected) { EQUAL(child_run(named_circles, NULL), 0); }

TEST(sender_is_gone) {
    int s[2], p[2], got[2], flags = 0;
    size_t count;
    char c;
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    OK(pipe(p));
    EQUAL(send_fds(s[0], "x", 1, &p[1], 1, 0), 1);
    OK(close(p[1]));
    OK(close(s[0]));
    EQUAL(receive_fds(s[1], &c, 1, got, &count, CMSG_SPACE(sizeof(got)), &flags), 1);
    EQUAL(count, 1);
    EQUAL(write(got[0], "y", 1), 1);
    EQUAL(read(p[0], &c, 1), 1);
    OK(close(got[0]));
    EQUAL(read(p[0], &c, 1), 0);
}

TEST(receiver_is_gone) {
    int s[2], p[2];
    char c;
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    OK(pipe(p));
    EQUAL(send_fds(s[0], "x", 1, &p[1], 1, 0), 1);
    OK(close(p[1]));
    OK(close(s[1]));
    EQUAL(read(p[0], &c, 1), 0); /* what was on its way is closed */
}

TEST(descriptor_table_is_full) {
    int s[2], fds[4] = {0, 1, 2, 0}, got[4], flags = 0;
    size_t count;
    char c;
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    EQUAL(send_fds(s[0], "x", 1, fds, 4, 0), 1);
    struct rlimit limit = {.rlim_cur = (rlim_t)s[1] + 3, .rlim_max = (rlim_t)s[1] + 3};
    OK(setrlimit(RLIMIT_NOFILE, &limit));
    EQUAL(receive_fds(s[1], &c, 1, got, &count, CMSG_SPACE(sizeof(got)), &flags), 1);
    EQUAL(flags & MSG_CTRUNC, MSG_CTRUNC);
    EQUAL(count, 2);
}

/* --- peers that do their worst --- */

/* A socket in a socket in a socket...: what the last one held goes, and the stack of whoever closes it suffices. */
static int nest_deeply(void *type) {
    int inner[2], outer[2], depth = 0;
    OK(socketpair(AF_UNIX, *(int *)type, 0, inner));
    for (; depth < 1000; depth++) {
        OK(socketpair(AF_UNIX, *(int *)type, 0, outer));
        if (send_fds(outer[0], "x", 1, &inner[1], 1, 0) != 1) {
            EQUAL(errno, ETOOMANYREFS); /* Linux: deeper than four */
            break;
        }
        OK(close(inner[0]));
        OK(close(inner[1]));
        inner[0] = outer[0];
        inner[1] = outer[1];
    }
    CHECK(depth >= 3);
    OK(close(inner[0]));
    OK(close(inner[1]));
    return 0;
}

TEST(sockets_nested_deeply) {
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    struct rlimit files = {4096, 4096};
    setrlimit(RLIMIT_NOFILE, &files);
    for (int round = 0; round < 6; round++) { /* more often than there is room for */
        EQUAL(child_run(nest_deeply, (void *)&types[round % 3]), 0);
    }
}

/* A listener on its way to itself, over a connection that nobody has accepted and now nobody can. */
static int listener_circles(void *unused) {
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "circle"};
    (void)unused;
    for (int i = 0; i < 1500; i++) {
        int l = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0)), s = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
        OK(bind(l, (struct sockaddr *)&a, sizeof(a)));
        OK(listen(l, 1));
        OK(connect(s, (struct sockaddr *)&a, sizeof(a)));
        for (int tries = 0; send_fds(s, "x", 1, &l, 1, 0) != 1; tries++) {
            CHECK(errno == ETOOMANYREFS && tries < 100);
        }
        if (i % 2) {
            OK(close(s));
            OK(close(l));
        } else {
            OK(close(l));
            OK(close(s));
        }
        OK(unlink("circle"));
    }
    return 0;
}

TEST(circles_through_a_backlog_are_collected) { EQUAL(child_run(listener_circles, NULL), 0); }

/* But one that somebody can still receive works. */
TEST(a_listener_in_flight_stays) {
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "circle"};
    int l = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0)), s = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0)), pair[2], got[2];
    int flags = 0;
    size_t count;
    char c;
    OK(bind(l, (struct sockaddr *)&a, sizeof(a)));
    OK(listen(l, 1));
    OK(connect(s, (struct sockaddr *)&a, sizeof(a)));
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    EQUAL(send_fds(s, "x", 1, &l, 1, 0), 1);
    EQUAL(send_fds(pair[0], "y", 1, &l, 1, 0), 1);
    OK(close(l));
    EQUAL(receive_fds(pair[1], &c, 1, got, &count, CMSG_SPACE(sizeof(got)), &flags), 1);
    EQUAL(count, 1);
    l = got[0];
    int accepted = (int)OK(accept(l, NULL, NULL));
    OK(close(l));
    flags = 0;
    EQUAL(receive_fds(accepted, &c, 1, got, &count, CMSG_SPACE(sizeof(got)), &flags), 1);
    EQUAL(count, 1);
    s = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(connect(s, (struct sockaddr *)&a, sizeof(a)));
    OK(accept(got[0], NULL, NULL));
}

/* A sender that is killed anywhere leaves whole bytes, or whole messages, and an end. */
static void torn(int type) {
    static char data[30000];
    for (int round = 0; round < 20; round++) {
        int s[2];
        ssize_t n;
        size_t total = 0;
        OK(socketpair(AF_UNIX, type, 0, s));
        pid_t pid = (pid_t)OK(fork());
        if (pid == 0) {
            for (size_t i = 0; i < sizeof(data); i++) {
                data[i] = (char)(i % 101);
            }
            for (;;) {
                send_fds(s[0], data, sizeof(data), s, 2, 0);
            }
        }
        OK(close(s[0]));
        while (total < 100000 || round % 4 == 0) {
            n = read(s[1], data, sizeof(data));
            CHECK(n > 0);
            if (type == SOCK_SEQPACKET) {
                EQUAL(n, sizeof(data));
            }
            for (ssize_t i = 0; i < n; i++) {
                EQUAL(data[i], (type == SOCK_STREAM ? total + (size_t)i : (size_t)i) % sizeof(data) % 101);
            }
            total += (size_t)n;
            if (round % 4 == 0 && total > 300000) {
                break;
            }
        }
        OK(kill(pid, SIGKILL));
        EQUAL(child_wait(pid), SIGKILL);
        OK(shutdown(s[1], SHUT_RD));
        OK(close(s[1]));
    }
}

TEST(torn_streams) { torn(SOCK_STREAM); }
TEST(torn_packets) { torn(SOCK_SEQPACKET); }

/* Everything at once from both sides: what they do to each other, nobody else sees. */
static void peer(int s, int seconds) {
    static char data[70000];
    int got[MANY], flags, end = (int)time(NULL) + seconds, fds[8];
    size_t count;
    for (int i = 0; i < 8; i++) {
        fds[i] = i < 3 ? s : i < 6 ? STDOUT_FILENO : (int)OK(dup(s));
    }
    signal(SIGPIPE, SIG_IGN);
    srand((unsigned)getpid());
    while ((int)time(NULL) < end) {
        size_t size = (size_t)(rand() % 3 ? rand() % 20 : rand() % (int)sizeof(data));
        switch (rand() % 4) {
        case 0:
        case 1: send_fds(s, data, size, fds, (size_t)(rand() % 9), MSG_DONTWAIT); break;
        case 2:
            flags = MSG_DONTWAIT | (rand() % 8 == 0 ? MSG_PEEK : 0) | (rand() % 2 ? MSG_CMSG_CLOEXEC : 0);
            if (receive_fds(s, data, size, got, &count, (size_t)(rand() % 200), &flags) >= 0) {
                for (size_t i = 0; i < count; i++) {
                    close(got[i]);
                }
            }
            break;
        default:
            if (rand() % 200 == 0) {
                shutdown(s, rand() % 3);
            }
            recv(s, data, size, MSG_DONTWAIT);
        }
    }
}

static void peers(int type) {
    struct rlimit files = {64, 64}; /* full now and then */
    OK(setrlimit(RLIMIT_NOFILE, &files));
    for (int round = 0; round < 4; round++) {
        int s[2];
        pid_t pids[4];
        OK(socketpair(AF_UNIX, type, 0, s));
        for (int i = 0; i < 4; i++) {
            pids[i] = (pid_t)OK(fork());
            if (pids[i] == 0) {
                peer(s[i % 2], 1);
                _exit(0);
            }
        }
        OK(close(s[0]));
        OK(close(s[1]));
        for (int i = 0; i < 4; i++) {
            EQUAL(child_wait(pids[i]), 0);
        }
    }
}

TEST(hostile_streams) { peers(SOCK_STREAM); }
TEST(hostile_datagrams) { peers(SOCK_DGRAM); }
TEST(hostile_packets) { peers(SOCK_SEQPACKET); }
