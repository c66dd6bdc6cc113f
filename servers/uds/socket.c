// SPDX-License-Identifier: MIT
/*
 * Sockets: made, bound, listening, connected, accepted, closed.  Errors are Linux's; what comes with
 * requests is the clients' and checked here.
 */
#include "uds.h"
#include <stdlib.h>
#include <string.h>

#define BACKLOG_MAX 4096 /* SOMAXCONN */

/* What a socket that isn't connected says to read, write and poll. */
#define HELD_STREAM CHANNEL_HELD(EINVAL, ENOTCONN, EVENT_OUT | EVENT_HANGUP)
#define HELD_SEQPACKET CHANNEL_HELD(ENOTCONN, ENOTCONN, EVENT_OUT | EVENT_HANGUP)
#define HELD_DATAGRAM CHANNEL_HELD(0, ENOTCONN, EVENT_OUT)
#define HELD_LISTENING(events) CHANNEL_HELD(EINVAL, ENOTCONN, events)

static uint64_t held_idle(const struct socket *s) {
    return s->type == SOCK_STREAM ? HELD_STREAM : s->type == SOCK_DGRAM ? HELD_DATAGRAM : HELD_SEQPACKET;
}

static void hold(const struct socket *s, uint64_t how) { sys_channel_control(s->far, CHANNEL_HOLD, how); }

static struct ucred caller_credentials(struct socket *s, const struct request *r) {
    const struct credentials *c = scheme_credentials(&s->uds->scheme, r->credentials);
    struct ucred none = {.pid = (pid_t)r->pid, .uid = (uid_t)-1, .gid = (gid_t)-1};
    return c ? (struct ucred){.pid = (pid_t)r->pid, .uid = c->euid, .gid = c->egid} : none;
}

/* --- making ------------------------------------------------------------------------------------- */

static struct socket *socket_make(struct uds *u, int type) {
    struct socket *s = calloc(1, sizeof(*s));
    if (!s) return nullptr;
    *s = (struct socket){.uds = u, .type = type, .far = HANDLE_NONE, .node_handle = HANDLE_NONE};
    s->id = object_add(&u->sockets, s);
    if (s->id) return s;
    free(s);
    return nullptr;
}

static void reply_socket(struct port_buffer *call, const struct socket *s, handle_t near) {
    call->reply.flags = REPLY_FILE | REPLY_HANDLE | REPLY_MOVE;
    call->reply.handle = near;
    call->reply.args[0] = s->id;
    call->reply.args[2] = PLANE_CHANNEL;
}

static bool type_served(const struct uds *u, int type) {
    return type == u->type || (u->type == SOCK_STREAM && type == SOCK_SEQPACKET);
}

int64_t socket_open(struct uds *u, struct port_buffer *call) {
    static const uint32_t flags[] = {
        [SOCK_STREAM] = CHANNEL_SOCKET,
        [SOCK_DGRAM] = CHANNEL_SOCKET | CHANNEL_MESSAGES | CHANNEL_DATAGRAM,
        [SOCK_SEQPACKET] = CHANNEL_SOCKET | CHANNEL_MESSAGES,
    };
    int type = call->request.args[1] ? (int)call->request.args[1] : u->type;
    handle_t ends[2];
    if (call->request.length > 0) return -ENOENT;
    if (!type_served(u, type)) return -ESOCKTNOSUPPORT;
    long e = sys_channel_create(flags[type] | HANDLE_IN_UPPER << 16, CHANNEL_CAPACITY_DEFAULT, ends);
    if (e < 0) return e;
    struct socket *s = socket_make(u, type);
    if (!s) {
        sys_handle_close(ends[0]);
        sys_handle_close(ends[1]);
        return -ENOMEM;
    }
    s->far = ends[1];
    hold(s, held_idle(s));
    reply_socket(call, s, ends[0]);
    return 0;
}

/* --- names -------------------------------------------------------------------------------------- */

/* Binds s to the node that came along, which the caller owns. */
static int bind_node(struct socket *s, struct port_buffer *call) {
    const struct request *r = &call->request;
    const struct credentials *who = scheme_credentials(&s->uds->scheme, r->credentials);
    uint32_t owner;
    if (!(r->flags & REQUEST_HANDLE)) return -EINVAL;
    int e = node_identify((handle_t)r->args[3], &s->node, &owner);
    if (e) return -EADDRINUSE;
    if (!who || (who->fsuid != owner && !(who->privileges & PRIVILEGE_ROOT))) return -EPERM;
    return 0;
}

int64_t socket_bind(struct socket *s, struct port_buffer *call) {
    struct address a;
    int e = address_parse(&a, call->data, call->request.length);
    if (!e && (s->local.length || s->state != UDS_IDLE)) e = -EINVAL;
    if (!e && a.length == sizeof(sa_family_t)) e = name_make(&a, s->type);
    if (!e && address_is_path(&a)) e = bind_node(s, call);
    if (!e && name_find(&a, &s->node, s->type)) e = -EADDRINUSE;
    if (e) return e;
    if (address_is_path(&a)) s->node_handle = request_take_handle(call);
    s->local = a;
    s->bound = true;
    name_add(s);
    struct io_vector name = {a.bytes, a.length};
    if (s->type == SOCK_DGRAM) sys_channel_control(s->far, CHANNEL_NAME, (uintptr_t)&name);
    return 0;
}

/* The socket that a request means by its address; *out, or -errno. */
static int target_find(const struct socket *s, struct port_buffer *call, struct socket **out) {
    const struct request *r = &call->request;
    struct node_id node = {};
    struct handle_info info;
    struct address a;
    uint32_t owner;
    int e = address_parse(&a, call->data, r->length);
    if (e) return e;
    if (a.length == sizeof(sa_family_t)) return -EINVAL;
    if (address_is_path(&a)) {
        /* Whoever could open the node for writing may connect. */
        if (!(r->flags & REQUEST_HANDLE)) return -EINVAL;
        if (sys_handle_info((handle_t)r->args[3], &info) < 0 || !(info.rights & RIGHT_WRITE)) return -EACCES;
        e = node_identify((handle_t)r->args[3], &node, &owner);
        if (e) return e;
    }
    *out = name_find(&a, &node, s->type);
    if (!*out) return -ECONNREFUSED;
    return (*out)->type == s->type ? 0 : -EPROTOTYPE;
}

int64_t socket_info(struct socket *s, struct port_buffer *call) {
    bool peer = call->request.args[0] == 1;
    static const struct address unnamed = {.length = sizeof(sa_family_t), .bytes = {AF_UNIX}};
    const struct address *a = peer ? &s->peer : &s->local;
    if (peer && s->state != UDS_CONNECTED) return -ENOTCONN;
    if (!a->length) a = &unnamed;
    memcpy(call->data, a->bytes, a->length);
    call->reply.length = a->length;
    return 0;
}

/* --- listening ---------------------------------------------------------------------------------- */

int64_t socket_listen(struct socket *s, struct port_buffer *call) {
    int64_t backlog = (int64_t)call->request.args[0];
    if (s->type == SOCK_DGRAM) return -EOPNOTSUPP;
    if (s->state == UDS_CONNECTED || !s->local.length) return -EINVAL;
    s->backlog = (uint32_t)(backlog < 0 || backlog > BACKLOG_MAX ? BACKLOG_MAX : backlog);
    s->credentials = caller_credentials(s, &call->request);
    if (s->state == UDS_IDLE) hold(s, HELD_LISTENING(0));
    s->state = UDS_LISTENING;
    scheme_wake(&s->uds->scheme, &s->connecters);
    return 0;
}

int64_t socket_accept(struct socket *s, struct port_buffer *call) {
    const struct request *r = &call->request;
    struct connection *c = s->first;
    if (s->type == SOCK_DGRAM) return -EOPNOTSUPP;
    if (s->state != UDS_LISTENING || r->length > 0) return -EINVAL;
    if ((r->args[0] & FILE_ACCESS_MASK) != FILE_READ_WRITE) return -EINVAL;
    if (!c) return r->args[1] ? -EAGAIN : scheme_park(&s->uds->scheme, call, &s->accepters);
    struct socket *new = socket_make(s->uds, s->type);
    if (!new) return -ENOMEM;
    s->first = c->next;
    s->waiting--;
    if (!s->first) {
        s->last = nullptr;
        hold(s, HELD_LISTENING(0));
    }
    new->state = UDS_CONNECTED;
    new->local = s->local;
    new->peer = c->peer;
    new->peer_credentials = c->credentials;
    sys_channel_control(c->end, CHANNEL_WAIT, (uint64_t)(int64_t)HANDLE_NONE);
    reply_socket(call, new, c->end);
    memcpy(call->data, c->peer.bytes, c->peer.length);
    call->reply.length = c->peer.length;
    free(c);
    scheme_wake(&s->uds->scheme, &s->connecters);
    return 0;
}

/* --- connecting --------------------------------------------------------------------------------- */

static int64_t connect_stream(struct socket *s, struct socket *to, struct port_buffer *call) {
    if (to->state != UDS_LISTENING) return -ECONNREFUSED;
    if (to->waiting > to->backlog) /* one more than asked for, as everywhere */
        return call->request.args[0] ? -EAGAIN : scheme_park(&s->uds->scheme, call, &to->connecters);
    struct connection *c = malloc(sizeof(*c));
    if (!c) return -ENOMEM;
    s->credentials = caller_credentials(s, &call->request);
    sys_channel_control(s->far, CHANNEL_WAIT, (uint64_t)to->far);
    *c = (struct connection){.end = s->far, .peer = s->local, .credentials = s->credentials};
    hold(s, 0);
    s->far = HANDLE_NONE;
    s->state = UDS_CONNECTED;
    s->peer = to->local;
    s->peer_credentials = to->credentials;
    if (to->last) to->last->next = c;
    else to->first = c;
    to->last = c;
    to->waiting++;
    hold(to, HELD_LISTENING(EVENT_IN));
    scheme_wake(&to->uds->scheme, &to->accepters);
    return 0;
}

/* A socket that is connected hears only whom it is connected to. */
static bool may_send(const struct socket *s, const struct socket *to) {
    return to->state != UDS_CONNECTED || !to->target || to->target == s;
}

static int64_t connect_datagram(struct socket *s, struct socket *to, struct port_buffer *call) {
    if (!may_send(s, to)) return -EPERM;
    long e = sys_channel_control(s->far, CHANNEL_ROUTE, (uint64_t)to->far);
    if (e < 0) return e;
    s->state = UDS_CONNECTED;
    s->target = to;
    s->peer = to->local;
    s->credentials = caller_credentials(s, &call->request);
    s->peer_credentials = to->credentials;
    hold(s, 0);
    return 0;
}

static int64_t disconnect_datagram(struct socket *s) {
    hold(s, held_idle(s));
    sys_channel_control(s->far, CHANNEL_ROUTE, (uint64_t)(int64_t)HANDLE_NONE);
    s->state = UDS_IDLE;
    s->target = nullptr;
    s->peer.length = 0;
    return 0;
}

static bool is_unspecified(const struct port_buffer *call) {
    sa_family_t family = AF_UNIX;
    if (call->request.length >= sizeof(family)) memcpy(&family, call->data, sizeof(family));
    return family == AF_UNSPEC;
}

int64_t socket_connect(struct socket *s, struct port_buffer *call) {
    struct socket *to;
    if (s->type == SOCK_DGRAM && is_unspecified(call)) return disconnect_datagram(s);
    int e = s->type == SOCK_DGRAM || s->state == UDS_IDLE ? 0 : s->state == UDS_CONNECTED ? -EISCONN : -EINVAL;
    if (!e) e = target_find(s, call, &to);
    if (e) return e;
    return s->type == SOCK_DGRAM ? connect_datagram(s, to, call) : connect_stream(s, to, call);
}

int64_t socket_target(struct socket *s, struct port_buffer *call) {
    struct socket *to;
    if (s->type != SOCK_DGRAM) return s->state == UDS_CONNECTED ? -EISCONN : -EOPNOTSUPP;
    int e = target_find(s, call, &to);
    if (!e && !may_send(s, to)) e = -EPERM;
    if (e) return e;
    long h = sys_handle_duplicate(to->far, 0, HANDLE_IN_UPPER, RIGHT_WRITE | RIGHT_TRANSFER);
    if (h < 0) return h;
    call->reply.flags = REPLY_HANDLE | REPLY_MOVE;
    call->reply.handle = (handle_t)h;
    return 0;
}

/* --- the end ------------------------------------------------------------------------------------ */

static void backlog_drop(struct socket *s) {
    for (struct connection *c; (c = s->first);) {
        s->first = c->next;
        sys_channel_control(c->end, CHANNEL_SET_ERROR, ECONNRESET);
        sys_handle_close(c->end);
        free(c);
    }
}

/* Datagram sockets connected to s go on without: what they send is refused by the kernel. */
static void targets_forget(const struct socket *s) {
    struct object_map *m = &s->uds->sockets;
    for (uint32_t i = 0; i < m->capacity; i++) {
        struct socket *other = m->slots[i].object;
        if (other && other->target == s) other->target = nullptr;
    }
}

void socket_close(struct socket *s) {
    if (s->bound) name_remove(s);
    if (s->node_handle >= 0) sys_handle_close(s->node_handle);
    if (s->type == SOCK_DGRAM) targets_forget(s);
    backlog_drop(s);
    scheme_wake(&s->uds->scheme, &s->connecters); /* refused */
    scheme_wake(&s->uds->scheme, &s->accepters);
    if (s->far >= 0) sys_handle_close(s->far);
    object_remove(&s->uds->sockets, s->id);
    free(s);
}
