// SPDX-License-Identifier: MIT
/* Sockets: made, named, closed; requests and events find theirs. */
#include "interface.h"
#include <flat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

struct object_map sockets;

struct socket *socket_make(enum net_scheme scheme, uint8_t family, uint8_t type, uint8_t protocol) {
    struct socket *s = malloc(sizeof(*s));
    if (!s) return nullptr;
    *s = (struct socket){.scheme = scheme, .family = family, .type = type, .protocol = protocol};
    s->far = s->plane = HANDLE_NONE;
    s->keep_idle_s = 7200;
    s->keep_interval_s = 75;
    s->keep_count = 9;
    s->ttl = 64;
    s->generation = net_generation;
    s->id = object_add(&sockets, s);
    if (s->id) return s;
    free(s);
    return nullptr;
}

void socket_inherit(struct socket *s, const struct socket *listener) {
    s->reuse_address = listener->reuse_address;
    s->reuse_port = listener->reuse_port;
    s->keep_alive = listener->keep_alive;
    s->only_v6 = listener->only_v6;
    s->no_delay = listener->no_delay;
    s->linger_on = listener->linger_on;
    s->linger_s = listener->linger_s;
    s->ttl = listener->ttl;
    s->tos = listener->tos;
    s->keep_idle_s = listener->keep_idle_s;
    s->keep_interval_s = listener->keep_interval_s;
    s->keep_count = listener->keep_count;
    s->user_timeout_ms = listener->user_timeout_ms;
    s->linger2_s = listener->linger2_s;
    s->device = listener->device;
    limit_share(s, listener);
}

int socket_channel(struct socket *s, handle_t *near) {
    const uint32_t stream = CHANNEL_SOCKET, datagram = CHANNEL_MESSAGES | CHANNEL_DATAGRAM;
    handle_t ends[2];
    uint32_t flags = (s->type == SOCK_STREAM ? stream : datagram) | CHANNEL_HALVES | HANDLE_IN_UPPER << 16;
    long e = sys_channel_create(flags, CHANNEL_CAPACITY_DEFAULT, ends);
    if (e < 0) return (int)e;
    *near = ends[0];
    s->far = ends[1];
    return 0;
}

void socket_watch(struct socket *s, uint32_t mask) {
    struct event interest = {.mask = mask, .key = s->id};
    if (!mask && !s->watched) return;
    uint32_t op = !mask ? EVENT_DELETE : s->watched ? EVENT_MODIFY : EVENT_ADD;
    sys_event_control(net_schemes[NET_TCP].event, op, s->far, mask ? &interest : nullptr);
    s->watched = mask;
}

void socket_free(struct socket *s) {
    if (s->far >= 0) sys_handle_close(s->far);
    if (s->plane >= 0) sys_handle_close(s->plane);
    object_remove(&sockets, s->id);
    limit_put(s);
    free(s->unsent);
    free(s);
}

void reply_socket(struct port_buffer *call, const struct socket *s, handle_t near) {
    call->reply.flags = REPLY_FILE | REPLY_HANDLE | REPLY_MOVE;
    call->reply.handle = near;
    call->reply.args[0] = s->id;
    call->reply.args[1] = s->generation;
    call->reply.args[2] = PLANE_CHANNEL;
    call->reply.args[3] = FILE_KIND_INTERNET;
}

/* --- opening -------------------------------------------------------------------------------------- */

static bool is_privileged(enum net_scheme scheme, const struct request *r) {
    const struct credentials *c = scheme_credentials(&net_schemes[scheme], r->credentials);
    return c && c->privileges & PRIVILEGE_ROOT;
}

static int type_check(enum net_scheme scheme, const struct request *r, uint8_t *protocol) {
    uint8_t family = (uint8_t)r->args[1], type = (uint8_t)(r->args[1] >> 8);
    bool icmp = *protocol == (family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    bool udp = *protocol == IPPROTO_UDP || *protocol == IPPROTO_UDPLITE;
    if (family != AF_INET && family != AF_INET6) return -EAFNOSUPPORT;
    switch (scheme) {
    case NET_TCP: return type == SOCK_STREAM && (!*protocol || *protocol == IPPROTO_TCP) ? 0 : -EPROTONOSUPPORT;
    case NET_UDP: return type == SOCK_DGRAM && (!*protocol || udp) ? 0 : -EPROTONOSUPPORT;
    case NET_ICMP: return type == SOCK_DGRAM && icmp ? 0 : -EPROTONOSUPPORT;
    default:
        if (type != SOCK_RAW || !*protocol) return -EPROTONOSUPPORT;
        return is_privileged(scheme, r) ? 0 : -EPERM;
    }
}

static int64_t socket_open(enum net_scheme scheme, struct port_buffer *call) {
    uint64_t what = call->request.args[1];
    uint8_t protocol = (uint8_t)(what >> 16);
    handle_t near;
    if ((call->request.args[0] & FILE_ACCESS_MASK) != FILE_READ_WRITE) return -EACCES;
    int e = type_check(scheme, &call->request, &protocol);
    if (e) return e;
    struct socket *s = socket_make(scheme, (uint8_t)what, (uint8_t)(what >> 8), protocol);
    if (!s) return -ENOMEM;
    e = socket_channel(s, &near);
    if (!e && s->type != SOCK_STREAM) {
        e = datagram_open(s);
        if (e) sys_handle_close(near);
    } else if (!e) {
        socket_hold(s, HELD_IDLE);
    }
    if (e) {
        socket_free(s);
        return e;
    }
    reply_socket(call, s, near);
    return 0;
}

/* tcp:10.0.2.2:80 and its like. While it connects, the near end is s->plane and the socket's id is in args[1]. */
static int64_t named_open(enum net_scheme scheme, struct port_buffer *call) {
    struct request *r = &call->request;
    bool again = scheme_again(&net_schemes[scheme]);
    struct socket *s = again ? object_get(&sockets, r->args[1]) : nullptr;
    struct endpoint to;
    int e = 0;
    if (!again) {
        e = name_parse((const char *)call->data, r->length, scheme != NET_ICMP, &to);
        if (e) return e;
        uint8_t family = IP_IS_V6(&to.ip) ? AF_INET6 : AF_INET;
        uint8_t protocol = scheme != NET_ICMP ? 0 : family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
        s = socket_make(scheme, family, scheme == NET_TCP ? SOCK_STREAM : SOCK_DGRAM, protocol);
        if (!s) return -ENOMEM;
        r->args[1] = s->id;
        e = socket_channel(s, &s->plane);
        if (!e && scheme != NET_TCP) e = datagram_open(s);
        if (!e) e = scheme == NET_TCP ? stream_begin(s, &to) : (int)datagram_connect(s, &to);
    }
    if (!s) return -EIO;
    if (!e && s->state == INET_CONNECTING) {
        int64_t parked = scheme_park(&net_schemes[scheme], call, &s->connecting);
        if (parked == PARK) return PARK;
        e = -ENOMEM;
    }
    if (!e) e = -s->error;
    if (e) {
        if (scheme == NET_TCP) stream_close(s);
        else datagram_close(s);
        return e;
    }
    reply_socket(call, s, s->plane);
    s->plane = HANDLE_NONE;
    return 0;
}

int64_t net_cancel(struct scheme *scheme, struct port_buffer *call) {
    struct request *r = &call->request;
    if (r->op == OP_OPEN && r->object == 0 && r->length > 0) { /* nobody will get it */
        struct socket *s = object_get(&sockets, r->args[1]);
        if (s) stream_close(s);
    }
    return -EINTR;
}

/* --- names ------------------------------------------------------------------------------------------ */

static int64_t socket_bind(struct socket *s, struct port_buffer *call) {
    struct endpoint local;
    int e = address_parse(s->family, call->data, call->request.length, &local);
    if (e) return e;
    bool multicast = ip_addr_ismulticast(&local.ip) || ip_addr_get_ip4_u32(&local.ip) == IPADDR_BROADCAST;
    bool any = address_is_any(&local.ip);
    if (s->family == AF_INET6 && s->only_v6 && IP_IS_V4(&local.ip) && !any) return -EINVAL;
    if (!any && !address_is_own(&local.ip) && !(multicast && s->type != SOCK_STREAM)) return -EADDRNOTAVAIL;
    if (local.port && local.port < 1024 && s->type != SOCK_RAW && !is_privileged(s->scheme, &call->request))
        return -EACCES;
    if (local.port && !limit_allows_at(s, &local)) return -EACCES;
    if (s->type != SOCK_STREAM) return datagram_bind(s, &local);
    return s->bound || s->state != INET_IDLE ? -EINVAL : port_bind(s, &local);
}

static int64_t socket_info(struct socket *s, struct port_buffer *call) {
    bool peer = call->request.args[0] == 1;
    struct endpoint e = peer ? s->peer : s->local;
    if (peer && s->state != INET_CONNECTED) return -ENOTCONN;
    if (!peer && s->type != SOCK_STREAM) datagram_local(s, &e);
    call->reply.length = (uint32_t)address_format(s->family, &e, call->data);
    return 0;
}

static int64_t socket_connect(struct socket *s, struct port_buffer *call) {
    sa_family_t family = AF_UNSPEC;
    struct endpoint to;
    if (call->request.length >= sizeof(family)) memcpy(&family, call->data, sizeof(family));
    if (family == AF_UNSPEC && s->type != SOCK_STREAM) return datagram_connect(s, nullptr);
    int e = address_parse(s->family, call->data, call->request.length, &to);
    if (e) return e;
    if (address_is_any(&to.ip)) { /* this machine */
        if (IP_IS_V6(&to.ip)) to.ip = (ip_addr_t)IPADDR6_INIT_HOST(0, 0, 0, 1);
        else ip_addr_set_ip4_u32(&to.ip, lwip_htonl(INADDR_LOOPBACK));
    }
    if (s->only_v6 && IP_IS_V4(&to.ip)) return -ENETUNREACH;
    if (s->type != SOCK_STREAM) return datagram_connect(s, &to); /* the limit is looked at when it sends */
    return limit_allows(s, INET_RULE_TO, &to.ip, to.port) ? stream_connect(s, call, &to) : -EACCES;
}

/* --- dispatch --------------------------------------------------------------------------------------- */

static int64_t answer_stat(const struct socket *s, struct port_buffer *call) {
    struct file_attributes a = {.inode = s->id, .links = 1, .mode = S_IFSOCK | 0777, .block_size = 4096};
    if (call->request.length > 0) return -ENOTDIR;
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

/* SIOCOUTQ: what the peer has not acknowledged. Within the machine nothing is under way. */
static int64_t answer_unsent(const struct socket *s, struct port_buffer *call) {
    int unsent = s->type == SOCK_STREAM ? (int)stream_unsent(s) : 0;
    if (s->state == INET_LISTENING) return -EINVAL;
    memcpy(call->data, &unsent, sizeof(unsent));
    call->reply.length = sizeof(unsent);
    return 0;
}

static int64_t socket_serve(struct socket *s, struct port_buffer *call) {
    struct request *r = &call->request;
    bool stream = s->type == SOCK_STREAM;
    switch (r->op) {
    case OP_OPEN: return stream ? stream_accept(s, call) : -EOPNOTSUPP;
    case OP_CLOSE:
        if (stream) stream_close(s);
        else datagram_close(s);
        return 0;
    case OP_STAT: return answer_stat(s, call);
    case OP_CHANNEL_INFO: return socket_info(s, call);
    case OP_CONTROL:
        if (r->args[0] == TIOCOUTQ) return answer_unsent(s, call);
        return interface_control(call, !s->limit && is_privileged(s->scheme, r));
    case OP_REOPEN: return r->args[0] == s->generation ? 0 : -ESTALE;
    case OP_SET_ATTRIBUTES: return r->args[1] & SET_SIZE ? -EINVAL : 0; /* of no effect */
    case INET_BIND: return socket_bind(s, call);
    case INET_LISTEN: return stream ? stream_listen(s, call) : -EOPNOTSUPP;
    case INET_CONNECT: return socket_connect(s, call);
    case INET_SET_OPTION: {
        int64_t result = option_set(s, call);
        if (result == 0 && s->state == INET_LISTENING) keep_again(s);
        return result;
    }
    case INET_GET_OPTION: return option_get(s, call);
    case INET_LIMIT: return limit_set(s, call);
    case INET_STATE: return s->state;
    case INET_SHUTDOWN:
        if (stream) stream_shutdown(s);
        return 0;
    default: return -ENOSYS;
    }
}

/* The root of a scheme. That of ip: has files (report.c). */
static int64_t root_serve(enum net_scheme scheme, struct port_buffer *call) {
    struct request *r = &call->request;
    bool reports = scheme == NET_IP;
    switch (r->op) {
    case OP_OPEN:
        if (r->length == 0 && r->args[1]) return socket_open(scheme, call);
        return flat_is_root(call) ? flat_open(call) : reports ? report_open(call) : named_open(scheme, call);
    case OP_STAT: return flat_is_root(call) ? flat_stat(call) : reports ? report_stat(call) : -ENOENT;
    case OP_READ: return reports ? reports_list(call) : flat_read(call, nullptr, 0);
    case INET_NETLINK: return reports ? netlink_answer(call, is_privileged(scheme, r)) : -ENOSYS;
    case OP_CLOSE: return 0;
    default: return -ENOSYS;
    }
}

static int64_t report_serve(struct port_buffer *call) {
    switch (call->request.op) {
    case OP_READ: return report_read(call);
    case OP_STAT: return report_stat(call);
    case OP_CLOSE: return 0;
    default: return -ENOSYS;
    }
}

int64_t net_request(struct scheme *scheme, struct port_buffer *call) {
    enum net_scheme which = (enum net_scheme)(scheme - net_schemes);
    if (call->request.object == 0) return root_serve(which, call);
    if (report_is(call->request.object)) return report_serve(call);
    struct socket *s = object_get(&sockets, call->request.object);
    return !s || s->closed ? -EBADF : socket_serve(s, call);
}

void net_event(struct scheme *scheme, uint64_t key, uint32_t mask) {
    if (key & INTERFACE_KEY) return interface_event(key);
    struct socket *s = object_get(&sockets, key);
    if (!s) return;
    if (s->type == SOCK_STREAM) stream_event(s);
    else datagram_event(s);
}
