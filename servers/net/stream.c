// SPDX-License-Identifier: MIT
/*
 * TCP sockets: listening, connecting, accepting; and the pump between a channel's far end and lwIP.
 *
 * Out: what the program wrote is taken when lwIP has room for it, so the channel and TCP_SND_BUF hold
 * back a program whose peer is slow.  In: the window opens (tcp_recved) when bytes are in the channel,
 * which holds back the peer.  The far end is watched edge-triggered: a pump runs until one side is empty
 * or full, and whoever changes that makes the socket dirty again.
 */
#include "net.h"
#include "segment.h"
#include <lwip/priv/tcp_priv.h>
#include <stdlib.h>
#include <string.h>

#define BACKLOG_MAX 4096 /* SOMAXCONN */
#define QUEUED_LEAST 128 /* connections of others that wait for accept(), though a program asked for less */
#define QUEUED_MORE 1024 /* of clients whose SYN was answered before it became full: stall.c has no more */
#define WATCHED (EVENT_IN | EVENT_READ_HANGUP | EVENT_HANGUP | EVENT_EDGE)
#define PORTS_TRIED 256 /* to connect */
#define VECTORS 32
#define DIRECT_LEAST 16384 /* bytes: a smaller piece would waste its buffer */
#define AHEAD 32768 /* bytes given to lwIP beyond what may be sent now: all else waits in the channel */

static struct socket *dirty;
static void on_error(void *arg, err_t error);

static void make_dirty(struct socket *s) {
    if (s->dirty) return;
    s->dirty = true;
    s->dirty_next = dirty;
    dirty = s;
}

static void dirty_forget(struct socket *s) {
    struct socket **at = &dirty;
    if (!s->dirty) return;
    while (*at != s) at = &(*at)->dirty_next;
    *at = s->dirty_next;
}

static void pieces_drop(struct socket *s) {
    for (struct piece *p; (p = s->first);) {
        s->first = p->next;
        pbuf_free(p->p);
        free(p);
    }
    s->last = nullptr;
}

/* Takes the connection from lwIP: nothing more is heard of it. */
static struct tcp_pcb *detach(struct socket *s) {
    struct tcp_pcb *pcb = s->tcp;
    s->tcp = nullptr;
    if (pcb) {
        tcp_arg(pcb, nullptr);
        if (s->state != INET_LISTENING) {
            tcp_recv(pcb, nullptr);
            tcp_sent(pcb, nullptr);
            tcp_err(pcb, nullptr);
        }
    }
    return pcb;
}

static void stream_free(struct socket *s) {
    dirty_forget(s);
    pieces_drop(s);
    if (s->bound) port_unbind(s);
    else if (s->state == INET_CONNECTED) port_connection(s->local.port, -1);
    socket_free(s);
}

/* --- the pump ----------------------------------------------------------------------------------- */

static unsigned pieces_gather(const struct socket *s, struct io_vector *v) {
    unsigned count = 0;
    for (const struct piece *p = s->first; p; p = p->next)
        for (const struct pbuf *b = p->p; b; b = b->next) {
            if (count == VECTORS) return count;
            if (b->len) v[count++] = (struct io_vector){b->payload, b->len};
        }
    return count;
}

static void pieces_consume(struct socket *s, size_t n) {
    for (struct piece *p; (p = s->first) && (n || !p->p);) {
        size_t part = n < p->p->tot_len ? n : p->p->tot_len;
        p->p = pbuf_free_header(p->p, (uint16_t)part);
        n -= part;
        if (p->p) return;
        s->first = p->next;
        free(p);
    }
    if (!s->first) s->last = nullptr;
}

static void wants_room(struct socket *s, bool wanted) {
    if (s->wants_room == wanted) return;
    s->wants_room = wanted;
    socket_watch(s, WATCHED | (wanted ? EVENT_OUT : 0));
}

/* lwIP → program. */
static void pump_in(struct socket *s) {
    struct io_vector v[VECTORS];
    while (s->first) {
        struct channel_message m = {.vectors = v, .flags = IO_NONBLOCK | IO_NO_SIGNAL};
        m.vector_count = pieces_gather(s, v);
        size_t size = 0;
        for (unsigned i = 0; i < m.vector_count; i++) size += v[i].length;
        long n = sys_channel_send(s->far, &m, 0);
        if (n == -EAGAIN || n == -ENOMEM) {
            /* An edge may have passed before OUT was watched. */
            if (!s->wants_room) {
                wants_room(s, true);
                continue;
            }
            return;
        }
        if (n < 0) n = (long)size; /* the program has shut its reading down */
        pieces_consume(s, (size_t)n);
        if (s->tcp) tcp_recved(s->tcp, (uint16_t)(n > 0xffff ? 0xffff : n));
        for (long more = n - 0xffff; s->tcp && more > 0; more -= 0xffff)
            tcp_recved(s->tcp, (uint16_t)(more > 0xffff ? 0xffff : more));
    }
    wants_room(s, false);
    if (s->peer_ended && !s->end_told) {
        s->end_told = true;
        sys_channel_control(s->far, CHANNEL_SHUTDOWN, 2);
    }
}

static void abort_connection(struct socket *s) {
    struct tcp_pcb *pcb = detach(s);
    if (pcb) tcp_abort(pcb);
}

/* False: no room now. */
static bool write_out(struct socket *s, const uint8_t *bytes, uint32_t size) {
    err_t e = tcp_write(s->tcp, bytes, (uint16_t)size, TCP_WRITE_FLAG_COPY);
    if (e == ERR_OK) return true;
    if (bytes == s->unsent) return false;
    s->unsent = malloc(size);
    if (!s->unsent) { /* rather no connection than one with a hole */
        abort_connection(s);
        on_error(s, ERR_MEM);
        return false;
    }
    memcpy(s->unsent, bytes, size);
    s->unsent_size = size;
    return false;
}

static bool unsent_flush(struct socket *s) {
    if (!s->unsent) return true;
    if (tcp_sndbuf(s->tcp) < s->unsent_size || !write_out(s, s->unsent, s->unsent_size)) return false;
    free(s->unsent);
    s->unsent = nullptr;
    s->unsent_size = 0;
    return true;
}

/* The program is done with it: all that it wrote has been taken. */
static void finish(struct socket *s) {
    struct tcp_pcb *pcb = detach(s);
    if (pcb && tcp_close(pcb) != ERR_OK) tcp_abort(pcb);
    stream_free(s);
}

/* As sys_read() from the channel; what came is lwIP's, or s->unsent. Much goes without a copy. */
static long take(struct socket *s, size_t want) {
    static uint8_t buffer[AHEAD];
    uint8_t *at = buffer;
    struct pbuf *p = segment_buffer(s->tcp, (uint32_t)want, &at);
    long n = sys_read(s->far, at, want, OFFSET_CURRENT, IO_NONBLOCK, 0);
    if (p && n >= DIRECT_LEAST && segment_append(s->tcp, p, (uint32_t)n)) return n;
    if (n > 0) write_out(s, at, (uint32_t)n);
    if (p) pbuf_free(p);
    return n;
}

/* Program → lwIP: as much as may be sent, and a little. False: s is gone. */
static bool pump_out(struct socket *s) {
    while (s->tcp && !s->own_ended && unsent_flush(s)) {
        uint32_t room = tcp_sndbuf(s->tcp), best = segment_best(s->tcp);
        if (room == 0 || s->tcp->snd_queuelen >= TCP_SND_QUEUELEN - 64) break;
        if (s->tcp->snd_lbb - s->tcp->snd_nxt >= best) tcp_output(s->tcp);
        if (s->tcp->snd_lbb - s->tcp->snd_nxt >= AHEAD) break;
        long n = take(s, room < best ? room : best);
        if (n == -EAGAIN) break;
        if (n > 0) continue;
        s->own_ended = true;
        if (s->closed) return finish(s), false;
        tcp_shutdown(s->tcp, 0, 1);
    }
    if (s->tcp) tcp_output(s->tcp);
    return true;
}

size_t stream_unsent(const struct socket *s) {
    if (!s->tcp || s->state != INET_CONNECTED) return 0;
    long waits = sys_channel_control(s->far, CHANNEL_READABLE, 0);
    return (waits > 0 ? (size_t)waits : 0) + s->unsent_size + (s->tcp->snd_lbb - s->tcp->lastack);
}

/* What came as one packet is as many as the peer sent: it waits for an acknowledgement. */
static void acknowledge(const struct socket *s) {
    if (!s->tcp || !(s->tcp->flags & TF_ACK_DELAY) || s->unacknowledged <= s->tcp->mss) return;
    tcp_ack_now(s->tcp);
    tcp_output(s->tcp);
}

void streams_pump(void) {
    struct socket *s;
    while ((s = dirty)) {
        dirty = s->dirty_next;
        s->dirty = false;
        if (s->far < 0) continue;
        if (!s->closed) pump_in(s);
        acknowledge(s);
        s->unacknowledged = 0;
        if (s->closed && !s->tcp) stream_free(s);
        else if (s->closed && s->own_ended) finish(s);
        else pump_out(s);
    }
}

/* Both sides have ended. lwIP frees what is left in TIME_WAIT without telling, but a program may keep its file. */
void stream_waits(struct socket *s) {
    detach(s);
    make_dirty(s);
}

void stream_event(struct socket *s) {
    if (s->state == INET_LISTENING) stream_close(s); /* its program has; see keep.c */
    else make_dirty(s);
}

/* --- what lwIP tells -------------------------------------------------------------------------------- */

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error) {
    struct socket *s = arg;
    if (!p) {
        s->peer_ended = true;
        make_dirty(s);
        return ERR_OK;
    }
    if (s->closed) { /* nobody will read it */
        pbuf_free(p);
        s->tcp = nullptr;
        tcp_arg(pcb, nullptr);
        tcp_err(pcb, nullptr);
        tcp_abort(pcb);
        make_dirty(s);
        return ERR_ABRT;
    }
    struct piece *piece = malloc(sizeof(*piece));
    if (!piece) return ERR_MEM;
    *piece = (struct piece){.p = p};
    if (s->last) s->last->next = piece;
    else s->first = piece;
    s->last = piece;
    s->unacknowledged += p->tot_len + (p->next ? pcb->mss : 0u); /* of several, though they may be short */
    make_dirty(s);
    return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, uint16_t length) {
    make_dirty(arg);
    return ERR_OK;
}

void stream_connected(struct socket *s) { scheme_wake(socket_scheme(s), &s->connecting); }

static void connect_failed(struct socket *s, int error) {
    s->state = INET_IDLE;
    s->error = error;
    socket_hold(s, HELD_IDLE);
    socket_fail(s, error);
    stream_connected(s);
}

/* The connection has gone, its memory too. */
static void on_error(void *arg, err_t error) {
    struct socket *s = arg;
    s->tcp = nullptr;
    if (s->closed) return make_dirty(s);
    if (s->state == INET_CONNECTING)
        return connect_failed(s, s->error ? s->error : error == ERR_RST ? ECONNREFUSED : error_of(error));
    if (error == ERR_CLSD) return make_dirty(s); /* both sides have ended; the program may have to read a lot still */
    pump_in(s);
    socket_fail(s, error_of(error));
    sys_channel_control(s->far, CHANNEL_SHUTDOWN, 7);
    pieces_drop(s);
    socket_watch(s, 0);
}

/* What an attacker could say without having seen the segment is not believed (RFC 5927). */
void stream_unreachable(const ip_addr_t *from, uint16_t from_port, const ip_addr_t *to, uint16_t to_port,
                        uint32_t sequence, int error) {
    for (struct tcp_pcb *p = tcp_active_pcbs; p; p = p->next)
        if (p->state == SYN_SENT && p->local_port == from_port && p->remote_port == to_port &&
            ip_addr_cmp(&p->local_ip, from) && ip_addr_cmp_zoneless(&p->remote_ip, to) && sequence - p->lastack <= 1)
            return stall_end(p, error);
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t error) {
    struct socket *s = arg;
    s->state = INET_CONNECTED;
    sys_channel_control(s->far, CHANNEL_RESETS, 0); /* should this server die */
    socket_hold(s, 0);
    socket_watch(s, WATCHED);
    make_dirty(s);
    stream_connected(s);
    return ERR_OK;
}

static void attach(struct socket *s, struct tcp_pcb *pcb) {
    s->tcp = pcb;
    tcp_arg(pcb, s);
    tcp_recv(pcb, on_received);
    tcp_sent(pcb, on_sent);
    tcp_err(pcb, on_error);
    stream_apply_options(s);
}

void stream_apply_options(const struct socket *s) {
    struct tcp_pcb *pcb = s->tcp;
    if (!pcb) return;
    pcb->ttl = s->ttl;
    pcb->tos = s->tos;
    ip_set_option(pcb, SOF_REUSEADDR); /* port.c says who may */
    if (s->keep_alive) ip_set_option(pcb, SOF_KEEPALIVE);
    else ip_reset_option(pcb, SOF_KEEPALIVE);
    if (s->state == INET_LISTENING) return;
    if (s->no_delay) tcp_nagle_disable(pcb);
    else tcp_nagle_enable(pcb);
    pcb->keep_idle = s->keep_idle_s * 1000;
    pcb->keep_intvl = s->keep_interval_s * 1000;
    pcb->keep_cnt = s->keep_count;
    stall_options(s);
}

/* --- listening ---------------------------------------------------------------------------------- */

void stream_queue(struct socket *listener, struct socket *s) {
    s->listener = listener;
    s->queue_next = nullptr;
    if (listener->queue_last) listener->queue_last->queue_next = s;
    else listener->queue_first = s;
    listener->queue_last = s;
    listener->queued++;
    socket_hold(listener, HELD_LISTENING(EVENT_IN));
    scheme_wake(socket_scheme(listener), &listener->accepting);
}

static uint32_t queue_limit(const struct socket *listener) {
    return listener->backlog < QUEUED_LEAST ? QUEUED_LEAST : listener->backlog;
}

/* A client that finds the queue full gets no answer to its SYN, and asks again; lwIP would reset it later. */
static err_t on_syn(uint8_t id, struct tcp_pcb_listen *listening, struct tcp_pcb *pcb) {
    const struct socket *listener = listening->callback_arg;
    return listener && listener->queued <= queue_limit(listener) ? ERR_OK : ERR_MEM;
}

static const struct tcp_ext_arg_callbacks on_listening = {.passive_open = on_syn};

static err_t on_accepted(void *arg, struct tcp_pcb *pcb, err_t error) {
    struct socket *listener = arg;
    if (error != ERR_OK || !listener) return ERR_VAL;
    if (listener->queued > queue_limit(listener) + QUEUED_MORE) return ERR_MEM;
    struct socket *s = socket_make(listener->scheme, listener->family, SOCK_STREAM, listener->protocol);
    if (!s) return ERR_MEM;
    if (socket_channel(s, &s->plane) != 0) {
        socket_free(s);
        return ERR_MEM;
    }
    s->state = INET_CONNECTED;
    s->local = (struct endpoint){pcb->local_ip, pcb->local_port};
    s->peer = (struct endpoint){pcb->remote_ip, pcb->remote_port};
    socket_inherit(s, listener);
    port_connection(s->local.port, 1);
    attach(s, pcb);
    sys_channel_control(s->far, CHANNEL_RESETS, 0);
    socket_watch(s, WATCHED);
    stream_queue(listener, s);
    return ERR_OK;
}

static int listen_to_network(struct socket *s) {
    bool any = address_is_any(&s->local.ip);
    uint8_t type = s->family == AF_INET ? IPADDR_TYPE_V4 : any && !s->only_v6 ? IPADDR_TYPE_ANY : IPADDR_TYPE_V6;
    struct tcp_pcb *pcb = tcp_new_ip_type(type), *listening = nullptr;
    ip_addr_t ip = s->local.ip;
    if (!pcb) return -ENOMEM;
    if (any) ip = type == IPADDR_TYPE_V4 ? *IP4_ADDR_ANY : type == IPADDR_TYPE_ANY ? *IP_ANY_TYPE : *IP6_ADDR_ANY;
    ip_set_option(pcb, SOF_REUSEADDR);
    err_t e = tcp_bind(pcb, &ip, s->local.port);
    if (e == ERR_OK) listening = tcp_listen_with_backlog_and_err(pcb, 0, &e);
    if (!listening) {
        tcp_close(pcb);
        return e == ERR_USE && s->reuse_port ? 0 : -error_of(e); /* the first one hears the network */
    }
    s->tcp = listening;
    tcp_arg(listening, s);
    tcp_accept(listening, on_accepted);
    tcp_ext_arg_set_callbacks(listening, 0, &on_listening);
    return 0;
}

int stream_listen_again(struct socket *s) {
    int e = listen_to_network(s);
    if (e) return e;
    s->state = INET_LISTENING;
    socket_hold(s, HELD_LISTENING(0));
    return 0;
}

int64_t stream_listen(struct socket *s, struct port_buffer *call) {
    int64_t backlog = (int32_t)call->request.args[0];
    struct endpoint any = {.ip = *IP4_ADDR_ANY};
    if (s->state == INET_CONNECTED || s->state == INET_CONNECTING) return -EINVAL;
    s->backlog = (uint32_t)(backlog < 0 || backlog > BACKLOG_MAX ? BACKLOG_MAX : backlog);
    if (s->state == INET_LISTENING) {
        keep_again(s);
        local_admit(s);
        return 0;
    }
    if (s->family == AF_INET6) any.ip = *IP6_ADDR_ANY;
    bool given = s->bound;
    int e = given ? 0 : port_bind(s, &any);
    if (!e && !limit_allows_at(s, &s->local)) {
        if (!given) port_unbind(s);
        return -EACCES;
    }
    if (!e) e = stream_listen_again(s);
    if (!e) keep(s);
    return e;
}

int64_t stream_accept(struct socket *s, struct port_buffer *call) {
    const struct request *r = &call->request;
    struct socket *c = s->queue_first;
    if (s->state != INET_LISTENING || r->length > 0) return -EINVAL;
    if ((r->args[0] & FILE_ACCESS_MASK) != FILE_READ_WRITE) return -EINVAL;
    if (!c) return r->args[1] ? -EAGAIN : scheme_park(socket_scheme(s), call, &s->accepting);
    s->queue_first = c->queue_next;
    s->queued--;
    if (!s->queue_first) {
        s->queue_last = nullptr;
        socket_hold(s, HELD_LISTENING(0));
    }
    c->listener = nullptr;
    sys_channel_control(c->plane, CHANNEL_WAIT, (uint64_t)(int64_t)HANDLE_NONE);
    reply_socket(call, c, c->plane);
    c->plane = HANDLE_NONE;
    call->reply.length = (uint32_t)address_format(c->family, &c->peer, call->data);
    local_admit(s);
    return 0;
}

/* --- connecting --------------------------------------------------------------------------------- */

static int connect_from(struct socket *s, const struct endpoint *to) {
    struct endpoint any = {.ip = IP_IS_V6(&to->ip) ? *IP6_ADDR_ANY : *IP4_ADDR_ANY};
    if (!route_leads_to(&to->ip)) return -ENETUNREACH;
    int e = s->bound ? 0 : port_bind(s, &any);
    if (e) return e;
    if (!address_is_any(&s->local.ip)) any.ip = s->local.ip;
    struct tcp_pcb *pcb = tcp_new_ip_type(IP_GET_TYPE(&to->ip));
    if (!pcb) return -ENOMEM;
    ip_set_option(pcb, SOF_REUSEADDR);
    err_t error = tcp_bind(pcb, &any.ip, s->local.port);
    attach(s, pcb);
    if (error == ERR_OK) error = tcp_connect(pcb, &to->ip, to->port, on_connected);
    if (error != ERR_OK) {
        tcp_abort(detach(s));
        return -error_of(error);
    }
    s->local.ip = pcb->local_ip;
    s->peer = *to;
    s->state = INET_CONNECTING;
    socket_hold(s, HELD_CONNECTING);
    return 0;
}

/* A port that is picked may be that of a connection to the same peer that is in TIME_WAIT: the next one, then. */
static int connect_network(struct socket *s, const struct endpoint *to) {
    bool given = s->bound;
    int e = connect_from(s, to);
    for (unsigned tries = 1; e == -EADDRINUSE && !given && tries < PORTS_TRIED; tries++) {
        port_unbind(s);
        e = connect_from(s, to);
    }
    return e == -EADDRINUSE ? -EADDRNOTAVAIL : e;
}

int stream_begin(struct socket *s, const struct endpoint *to) {
    s->error = 0;
    if (to->port == 0) return -ECONNREFUSED;
    if (ip_addr_ismulticast(&to->ip)) return -ENETUNREACH;
    return address_is_own(&to->ip) ? local_connect(s, to) : connect_network(s, to);
}

/* What those who waited are told. */
static int64_t connect_result(struct socket *s) {
    int error = s->error;
    s->error = 0;
    if (s->state == INET_CONNECTED) return 0;
    sys_channel_control(s->far, CHANNEL_SET_ERROR, 0); /* told here */
    return error ? -error : -ECONNABORTED;
}

int64_t stream_connect(struct socket *s, struct port_buffer *call, const struct endpoint *to) {
    bool waits = !call->request.args[0];
    if (scheme_again(socket_scheme(s)))
        return s->state == INET_CONNECTING ? scheme_park(socket_scheme(s), call, &s->connecting) : connect_result(s);
    if (s->state == INET_CONNECTED || s->state == INET_LISTENING) return -EISCONN;
    if (s->state == INET_CONNECTING && !waits) return -EALREADY;
    if (s->state == INET_IDLE && s->error) return connect_result(s); /* the last attempt failed, and nobody waited */
    if (s->state == INET_IDLE) {
        int e = stream_begin(s, to);
        if (e == -ECONNREFUSED && !waits) {
            connect_failed(s, ECONNREFUSED);
            return -EINPROGRESS;
        }
        if (e) return e;
    }
    if (s->state == INET_CONNECTED) return waits ? 0 : -EINPROGRESS; /* as if it had taken a moment */
    return waits ? scheme_park(socket_scheme(s), call, &s->connecting) : -EINPROGRESS;
}

/* --- the end ------------------------------------------------------------------------------------ */

/* A connection that nobody accepts any more. */
static void reset(struct socket *s) {
    if (s->plane >= 0) sys_channel_control(s->plane, CHANNEL_SET_ERROR, ECONNRESET);
    abort_connection(s);
    stream_free(s);
}

static void listen_end(struct socket *s) {
    socket_watch(s, 0); /* the end that is kept lives on for a while */
    keep_forget(s);
    for (struct socket *c; (c = s->queue_first);) {
        s->queue_first = c->queue_next;
        reset(c);
    }
    s->queue_last = nullptr;
    s->queued = 0;
    for (struct socket *c; (c = s->want_first);) {
        s->want_first = c->queue_next;
        c->listener = nullptr;
        connect_failed(c, ECONNREFUSED);
    }
    s->want_last = nullptr;
    struct tcp_pcb *pcb = detach(s);
    if (pcb) tcp_close(pcb);
    scheme_wake(socket_scheme(s), &s->accepting);
}

/* Linux's way to end an accept(): shutdown() of the listening socket. */
void stream_shutdown(struct socket *s) {
    if (s->state != INET_LISTENING) return;
    listen_end(s);
    s->state = INET_IDLE;
    socket_hold(s, HELD_IDLE);
}

static void want_forget(struct socket *s) {
    struct socket *l = s->listener, *before = nullptr;
    for (struct socket *i = l->want_first; i != s; i = i->queue_next) before = i;
    if (before) before->queue_next = s->queue_next;
    else l->want_first = s->queue_next;
    if (l->want_last == s) l->want_last = before;
}

void stream_close(struct socket *s) {
    bool unread = s->first || (s->tcp && s->state == INET_CONNECTED &&
                               sys_channel_control(s->far, CHANNEL_TAKE_ERROR, 0) == ECONNRESET);
    s->closed = true;
    if (s->state == INET_LISTENING) listen_end(s);
    if (s->state == INET_CONNECTING && s->listener) want_forget(s);
    if (s->state != INET_CONNECTED || unread || (s->linger_on && s->linger_s == 0)) abort_connection(s);
    scheme_wake(socket_scheme(s), &s->connecting);
    if (s->tcp) make_dirty(s); /* what was written is sent first */
    else stream_free(s);
}
