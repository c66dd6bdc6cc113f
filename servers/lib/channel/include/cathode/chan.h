// SPDX-License-Identifier: MIT
/*
 * Message channels by name: processes that don't know each other meet at `chan:NAME`, and from then on
 * exchange messages, with descriptors and the sender's identity, without anybody between them.
 *
 *     server                                       client
 *     int l = chan_listen("clock", 0666, 0);
 *     int c = chan_accept(l, 0);                   int c = chan_connect("clock", 0);
 *     chan_receive(c, text, sizeof(text), …);      chan_send(c, "time?", 5, NULL, 0, 0);
 *
 * All are descriptors: close(), poll(), epoll and fork() do what they do with others; read() and write()
 * move a message without descriptors.  A listening one is readable when somebody has connected.  A
 * program can connect by open("/scheme/chan/clock", O_RDWR), too.
 *
 * Each function returns a descriptor or a length, or -1 with errno.  Threads may use a channel at once:
 * messages are never mixed.  Link with libchannel (add_server(… LIBS channel)).
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CHAN_NAME_MAX 63 /* bytes of a name, any but '/' and NUL */
#define CHAN_MESSAGE_MAX 65536 /* bytes of a message */
#define CHAN_FDS_MAX 253 /* descriptors that go with one */

enum chan_flags {
    CHAN_NONBLOCK = 1, /* listen, accept, connect: of the new descriptor; send, receive: this once */
    CHAN_CLOEXEC = 2, /* of new descriptors, also of those received */
    CHAN_NO_WAIT = 4, /* accept, connect: EAGAIN rather than wait */
    CHAN_PEEK = 8, /* receive: the message stays; descriptors don't come */
};

struct chan_sender { /* as the kernel saw it when the message was sent */
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

/*
 * Takes the name; `mode` says who may connect: write permission of owner, group, others, as of a file.
 * The name is free again when the last copy of the descriptor is closed.
 * EADDRINUSE: somebody has it. EINVAL, ENAMETOOLONG: not a name.
 */
int chan_listen(const char *name, mode_t mode, int flags);
/* The next who has connected; waits for one. EAGAIN. */
int chan_accept(int listener, int flags);
/* ENOENT: nobody listens there. EACCES. Waits, with 64 connected and not yet accepted, for room. */
int chan_connect(const char *name, int flags);

/* Sends one message, waiting for room. EPIPE (and SIGPIPE, if not ignored): the peer is gone. EAGAIN, EMSGSIZE. */
ssize_t chan_send(int channel, const void *data, size_t size, const int *fds, size_t fd_count, int flags);
/*
 * Receives one message: its length, which may be larger than `size`: then the rest is lost.  0 also when
 * the peer is gone (a message may be empty: then *sender has a pid).  fds and fd_count (in: room, out:
 * received; what has no room is closed) and sender may be null.
 */
ssize_t chan_receive(int channel, void *data, size_t size, int *fds, size_t *fd_count, struct chan_sender *sender,
                     int flags);

#ifdef __cplusplus
}
#endif
