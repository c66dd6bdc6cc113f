// SPDX-License-Identifier: MIT
/*
 * TCP between two programs of this machine.  As with unix sockets, the far end of the channel of the one
 * that connects becomes the plane of the socket that accept() opens: bytes, ends, resets and readiness are
 * the kernel's.  No segment exists, so none can be late: such a connection has no TIME_WAIT.
 */
#include "net.h"

static int link_up(struct socket *listener, struct socket *s) {
    struct socket *c = socket_make(listener->scheme, listener->family, SOCK_STREAM, listener->protocol);
    if (!c) return -ENOMEM;
    c->state = INET_CONNECTED;
    c->local = s->peer;
    c->peer = s->local;
    socket_inherit(c, listener);
    port_connection(c->local.port, 1);
    sys_channel_control(s->far, CHANNEL_WAIT, (uint64_t)listener->far);
    socket_hold(s, 0);
    if (c->linger_on && c->linger_s == 0) sys_channel_control(s->far, CHANNEL_RESETS, 0);
    c->plane = s->far;
    s->far = HANDLE_NONE;
    s->state = INET_CONNECTED;
    stream_queue(listener, c);
    return 0;
}

static bool has_room(const struct socket *listener) { return listener->queued <= listener->backlog; }

int local_connect(struct socket *s, const struct endpoint *to) {
    struct socket *listener = port_listener(to);
    struct endpoint from = {.ip = to->ip};
    if (!listener) return -ECONNREFUSED;
    if (IP_IS_V4(&to->ip) && ip_addr_isloopback(&to->ip)) ip_addr_set_ip4_u32(&from.ip, lwip_htonl(INADDR_LOOPBACK));
    int e = s->bound ? 0 : port_bind(s, &from);
    if (e) return e;
    if (address_is_any(&s->local.ip)) s->local.ip = from.ip;
    s->peer = *to;
    if (has_room(listener)) return link_up(listener, s);
    s->state = INET_CONNECTING;
    socket_hold(s, HELD_CONNECTING);
    s->listener = listener;
    s->queue_next = nullptr;
    if (listener->want_last) listener->want_last->queue_next = s;
    else listener->want_first = s;
    listener->want_last = s;
    return 0;
}

void local_admit(struct socket *listener) {
    struct socket *s;
    while (has_room(listener) && (s = listener->want_first)) {
        listener->want_first = s->queue_next;
        if (!listener->want_first) listener->want_last = nullptr;
        s->listener = nullptr;
        s->error = -link_up(listener, s);
        if (s->error) {
            s->state = INET_IDLE;
            socket_hold(s, HELD_IDLE);
            socket_fail(s, s->error);
        }
        stream_connected(s);
    }
}
