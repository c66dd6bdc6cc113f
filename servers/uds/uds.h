// SPDX-License-Identifier: MIT
/*
 * The broker of unix sockets.  One process serves both schemes, each with a thread and its loop; all
 * state is under `lock`, which handlers hold (they never block).
 *
 * Every socket is a channel: its near end is the plane of the socket's file, the far end is held here
 * until it is connected, and says what the socket is meanwhile (CHANNEL_HOLD):
 *
 *   stream     IDLE ──listen──→ LISTENING       far ends of those that connect wait in its backlog;
 *                └───connect──→ CONNECTED       accept() makes them the planes of new sockets
 *   datagram   the far end stays here: others send on it, by route (connect) or each time (TARGET)
 */
#pragma once
#include <errno.h> /* before abi/errno.h */

#include <cathode/uds.h>
#include <object_map.h>
#include <scheme.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address { /* length 0: none; else family and name */
    uint32_t length;
    char bytes[UDS_ADDRESS_MAX];
};
_Static_assert(sizeof(struct sockaddr_un) == UDS_ADDRESS_MAX, "struct sockaddr_un");

struct node_id { /* a path's file, as its file system knows it */
    uint64_t scheme, device, inode;
};

struct connection { /* made by connect(), not accepted yet */
    struct connection *next;
    handle_t end;
    struct address peer;
    struct ucred credentials;
};

struct socket {
    struct uds *uds; /* its scheme */
    uint64_t id;
    int type; /* SOCK_* */
    enum uds_state state;
    handle_t far; /* or HANDLE_NONE: both ends are the programs' */
    bool bound; /* `local` is its name; else its listener's */
    struct address local, peer;
    struct ucred credentials, peer_credentials; /* own: of the last listen(), connect() */
    struct socket *name_next; /* bound: in its bucket of names */
    struct node_id node; /* bound to a path, by `node_handle`, which keeps the node from being another one */
    handle_t node_handle;
    struct socket *target; /* datagram, connected: whom to; null: it has gone */
    struct connection *first, *last;
    uint32_t waiting, backlog;
    struct scheme_queue accepters, connecters;
};

struct uds {
    struct scheme scheme;
    struct object_map sockets;
    int type; /* of sockets opened without one */
};
extern struct uds uds_schemes[2]; /* stream, datagram */

extern const struct scheme_ops uds_ops;

/* --- name.c: who is bound where; lock held --- */
/* An address of a request: 0, or -EINVAL. */
[[nodiscard]] int address_parse(struct address *a, const void *bytes, size_t length);
static inline bool address_is_path(const struct address *a) { return a->length > 2 && a->bytes[2] != 0; }
static inline bool address_is_abstract(const struct address *a) { return a->length > 2 && a->bytes[2] == 0; }
/* The socket bound to a name, or null. Of abstract names each type has its own. */
struct socket *name_find(const struct address *a, const struct node_id *node, int type);
void name_add(struct socket *s);
void name_remove(struct socket *s);
/* A free abstract name of five digits. */
[[nodiscard]] int name_make(struct address *a, int type);
/* What the handle that came along refers to: 0, -ECONNREFUSED if it is no socket's node; *uid: its owner. */
[[nodiscard]] int node_identify(handle_t h, struct node_id *out, uint32_t *uid);

/* --- socket.c: the operations; lock held --- */
int64_t socket_open(struct uds *u, struct port_buffer *call);
int64_t socket_accept(struct socket *s, struct port_buffer *call);
int64_t socket_bind(struct socket *s, struct port_buffer *call);
int64_t socket_listen(struct socket *s, struct port_buffer *call);
int64_t socket_connect(struct socket *s, struct port_buffer *call);
int64_t socket_target(struct socket *s, struct port_buffer *call);
int64_t socket_info(struct socket *s, struct port_buffer *call);
void socket_close(struct socket *s);
