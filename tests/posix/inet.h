// SPDX-License-Identifier: MIT
/* What the tests of internet sockets share: addresses, and sockets of the loopback. */
#pragma once
#include "test.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Everything one can ask for. */
#define ALL (POLLIN | POLLOUT | POLLRDHUP)

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static inline socklen_t loopback(int family, int port, union address *a) {
    memset(a, 0, sizeof(*a));
    a->any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        a->v4.sin_port = htons((uint16_t)port);
        a->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof(a->v4);
    }
    a->v6.sin6_port = htons((uint16_t)port);
    a->v6.sin6_addr = in6addr_loopback;
    return sizeof(a->v6);
}

static inline int port_of(int s) {
    union address a;
    socklen_t length = sizeof(a);
    OK(getsockname(s, &a.any, &length));
    return ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
}

static inline int bound(int family, int type, int port) {
    union address a;
    int s = (int)OK(socket(family, type, 0));
    OK(bind(s, &a.any, loopback(family, port, &a)));
    return s;
}

static inline int listening(int family, int backlog) {
    int s = bound(family, SOCK_STREAM, 0);
    OK(listen(s, backlog));
    return s;
}

static inline int try_connect(int s, int family, int port) {
    union address a;
    socklen_t length = loopback(family, port, &a);
    return connect(s, &a.any, length);
}

static inline int connected(int family, int type, int port) {
    int s = (int)OK(socket(family, type, 0));
    OK(try_connect(s, family, port));
    return s;
}

/* A connection: the one that connected, and the one accepted. */
static inline void pair(int family, int ends[2]) {
    int l = listening(family, 5);
    ends[0] = connected(family, SOCK_STREAM, port_of(l));
    ends[1] = (int)OK(accept(l, NULL, NULL));
    close(l);
}

static inline int ready(int fd, int events, int timeout_ms) {
    struct pollfd p = {fd, (short)events, 0};
    OK(poll(&p, 1, timeout_ms));
    return p.revents;
}

static inline int option(int s, int level, int name) {
    int value = -1;
    socklen_t length = sizeof(value);
    OK(getsockopt(s, level, name, &value, &length));
    return value;
}

static inline void set(int s, int level, int name, int value) { OK(setsockopt(s, level, name, &value, sizeof(value))); }
