// SPDX-License-Identifier: MIT
/* What socket.c (all sockets, and unix sockets) and inet.c (internet sockets) share. */
#pragma once
#include "shim.h"
#include <cathode/inet.h>

#define TYPE_FLAGS (SOCK_CLOEXEC | SOCK_NONBLOCK)

struct socket_info {
    bool has_server; /* else a socketpair's end */
    bool internet; /* else unix */
    int type; /* SOCK_*; of an internet socket that is no stream: SOCK_DGRAM */
    bool nonblocking, stamped;
    bool notifies; /* notify_socket() made it: nothing can be sent */
    struct ucred maker; /* of a pair */
};
/* 0 if fd is a socket; what it is at *out. */
long socket_check(int fd, struct socket_info *out);
/* socket(): a file of a scheme; `what` is its OPEN's args[1]. */
long socket_open(const char *scheme, int type, uint64_t what);

uint32_t io_flags_of(int flags);
/* An address for the program, cut to its room. */
void address_answer(void *address, socklen_t *length, const void *from, size_t size);
long option_answer(void *value, socklen_t *length, const void *from, size_t size);

struct control { /* a control buffer being filled */
    char *at;
    size_t left;
    bool truncated;
};
void control_add(struct control *c, int level, int type, const void *data, size_t size);
/* CMSG_NXTHDR without musl's mix of signs. */
struct cmsghdr *control_next(const struct msghdr *message, struct cmsghdr *c);

/* --- inet.c --- */
long inet_socket(int domain, int type, int protocol);
/* bind and connect. */
long inet_address(int fd, unsigned op, const void *address, socklen_t length, bool nonblocking);
/* Sends a message, to an address if there is one; `message`, or null, has control data. */
long inet_send(int fd, struct channel_message *m, const void *address, socklen_t length, const struct msghdr *message);
/* Where a message came from, and what else the program wants to know of it. */
void inet_answer(void *address, socklen_t *length, const struct channel_message *m);
void inet_deliver(struct control *c, const struct channel_message *m);
long inet_ioctl(int fd, unsigned request, unsigned long argument);
/* rtnetlink on one of notify_socket()'s: the answer to a request is sent on it to itself. */
long netlink_send(int fd, const void *data, size_t size);
long inet_shutdown(int fd, int how);
long inet_getsockopt(int fd, const struct socket_info *info, int level, int option, void *value, socklen_t *length);
long inet_setsockopt(int fd, int level, int option, const void *value, socklen_t length);
