// SPDX-License-Identifier: MIT
/* Internet sockets: what differs from unix sockets. cathode/inet.h says how the server is spoken to. */
#include "socket.h"
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <string.h>

static const char *scheme_of(int domain, int type, int protocol) {
    switch (type) {
    case SOCK_STREAM: return "tcp:";
    case SOCK_DGRAM: return protocol == (domain == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6) ? "icmp:" : "udp:";
    case SOCK_RAW: return "ip:";
    default: return nullptr;
    }
}

long inet_socket(int domain, int type, int protocol) {
    int kind = type & 0xf;
    const char *scheme = scheme_of(domain, kind, protocol);
    if (type & ~TYPE_FLAGS & ~0xf) {
        return -EINVAL;
    }
    if (!scheme) {
        return -ESOCKTNOSUPPORT;
    }
    if (protocol < 0 || protocol > 255) {
        return -EINVAL;
    }
    return socket_open(scheme, type, INET_SOCKET(domain, kind, protocol));
}

long inet_address(int fd, unsigned op, const void *address, socklen_t length, bool nonblocking) {
    struct call_args call;
    if (!address) {
        return -EFAULT;
    }
    if (length > sizeof(struct sockaddr_storage)) {
        return -EINVAL;
    }
    call_prepare(&call, op, nonblocking, 0, 0);
    call.in = address;
    call.request.length = length;
    long timeout = op == INET_CONNECT ? sys_channel_control(fd, CHANNEL_WRITE_TIMEOUT, UINT64_MAX) : 0;
    if (timeout > 0) {
        call.deadline = clock_monotonic() + timeout;
    }
    long error = call_send(fd, &call);
    return error == -ETIMEDOUT && timeout > 0 && clock_monotonic() >= call.deadline ? -EINPROGRESS
           : error < 0                                                              ? error
                                                                                    : 0;
}

/* --- messages ------------------------------------------------------------------------------------- */

/* IP_TTL and its like: -1 or 0 is the socket's; IP_TOS may be a byte. */
static long control_number(const struct cmsghdr *c, size_t size, uint8_t *out) {
    int number = 0;
    if (size != sizeof(number) && !(size == 1 && c->cmsg_type == IP_TOS && c->cmsg_level == IPPROTO_IP)) {
        return -EINVAL;
    }
    memcpy(&number, CMSG_DATA(c), size);
    if (number < -1 || number > 255) {
        return -EINVAL;
    }
    *out = number < 0 ? 0 : (uint8_t)number;
    return 0;
}

static void local_set(struct inet_datagram *d, struct in_addr from) {
    memset(d->local, 0, sizeof(d->local));
    if (from.s_addr != INADDR_ANY) {
        d->local[10] = d->local[11] = 0xff;
        memcpy(d->local + 12, &from, 4);
    }
}

/* What control data says about a message to send. */
static long control_read(const struct msghdr *message, struct inet_datagram *d) {
    const char *end = (const char *)message->msg_control + message->msg_controllen;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = control_next(message, c)) {
        size_t size = c->cmsg_len - CMSG_LEN(0);
        if (c->cmsg_len < CMSG_LEN(0) || c->cmsg_len > (size_t)(end - (const char *)c)) {
            return -EINVAL;
        }
        struct in_pktinfo v4;
        struct in6_pktinfo v6;
        long error = 0;
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO && size >= sizeof(v4)) {
            memcpy(&v4, CMSG_DATA(c), sizeof(v4));
            d->interface = (uint32_t)v4.ipi_ifindex;
            local_set(d, v4.ipi_spec_dst);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO && size >= sizeof(v6)) {
            memcpy(&v6, CMSG_DATA(c), sizeof(v6));
            d->interface = v6.ipi6_ifindex;
            memcpy(d->local, &v6.ipi6_addr, sizeof(d->local));
        } else if (c->cmsg_level == IPPROTO_IP ? c->cmsg_type == IP_TTL
                                               : c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT) {
            error = control_number(c, size, &d->ttl);
        } else if (c->cmsg_level == IPPROTO_IP ? c->cmsg_type == IP_TOS
                                               : c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            error = control_number(c, size, &d->tos);
        }
        if (error < 0) {
            return error;
        }
    }
    return 0;
}

long inet_send(int fd, struct channel_message *m, const void *address, socklen_t length, const struct msghdr *message) {
    struct inet_datagram d = {};
    size_t size = 0;
    if (length > sizeof(struct sockaddr_storage)) {
        return -EINVAL;
    }
    if (address && length > 0) {
        d.length = (uint16_t)(length < sizeof(d.address) ? length : sizeof(d.address));
        memcpy(d.address, address, d.length);
    }
    long error = message && message->msg_control ? control_read(message, &d) : 0;
    if (error < 0) {
        return error;
    }
    for (uint32_t i = 0; i < m->vector_count; i++) {
        size += m->vectors[i].length;
    }
    if (size > INET_DATAGRAM_MAX) {
        return -EMSGSIZE;
    }
    if (d.length || (message && message->msg_control)) {
        m->address = &d;
        m->address_length = sizeof(d);
    }
    return sys_channel_send(fd, m, DEADLINE_NEVER);
}

void inet_answer(void *address, socklen_t *length, const struct channel_message *m) {
    const struct inet_datagram *d = m->address;
    if (m->address_length == sizeof(*d)) {
        address_answer(address, length, d->address, d->length);
    } else {
        *length = 0; /* a stream's peer is not told */
    }
}

void inet_deliver(struct control *c, const struct channel_message *m) {
    const struct inet_datagram *d = m->address;
    sa_family_t family;
    if (m->address_length != sizeof(*d) || !d->wants) {
        return;
    }
    memcpy(&family, d->address, sizeof(family));
    bool v4 = family == AF_INET;
    int ttl = d->ttl, tos = d->tos;
    if (d->wants & INET_WANTS_PACKET && v4) {
        struct in_pktinfo info = {.ipi_ifindex = (int)d->interface};
        memcpy(&info.ipi_spec_dst, d->local + 12, 4);
        memcpy(&info.ipi_addr, d->local + 12, 4);
        control_add(c, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    } else if (d->wants & INET_WANTS_PACKET) {
        struct in6_pktinfo info = {.ipi6_ifindex = d->interface};
        memcpy(&info.ipi6_addr, d->local, 16);
        control_add(c, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    }
    if (d->wants & INET_WANTS_TTL) {
        control_add(c, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TTL : IPV6_HOPLIMIT, &ttl, sizeof(ttl));
    }
    if (d->wants & INET_WANTS_TOS) {
        control_add(c, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &tos, v4 ? 1 : sizeof(tos));
    }
}

/* --- interfaces ----------------------------------------------------------------------------------- */

static long list_interfaces(int fd, struct ifconf *list) {
    struct call_args call;
    struct ifreq all[64];
    size_t room = list->ifc_req ? (size_t)list->ifc_len : sizeof(all);
    if (list->ifc_len < 0 && list->ifc_req) {
        return -EINVAL;
    }
    room = room < sizeof(all) ? room : sizeof(all);
    call_prepare(&call, OP_CONTROL, SIOCGIFCONF, 0, room);
    call.out = all;
    call.out_size = room;
    long error = call_send(fd, &call);
    if (error < 0) {
        return error;
    }
    size_t length = call.reply.length < room ? call.reply.length : room;
    if (list->ifc_req) {
        memcpy(list->ifc_req, all, length);
    }
    list->ifc_len = (int)length;
    return 0;
}

/* The name of the device lies elsewhere: it goes along behind the rest. */
static long change_route(int fd, unsigned request, const struct rtentry *route) {
    struct call_args call;
    struct {
        struct rtentry route;
        char device[IFNAMSIZ];
    } data = {.route = *route};
    if (route->rt_dev) {
        strncpy(data.device, route->rt_dev, sizeof(data.device) - 1);
    }
    call_prepare(&call, OP_CONTROL, request, 0, 0);
    call.in = &data;
    call.request.length = sizeof(data);
    return call_send(fd, &call);
}

static long interface_request(int fd, unsigned request, unsigned long argument) {
    struct call_args call;
    if (request == SIOCGIFCONF) {
        return list_interfaces(fd, (struct ifconf *)argument);
    }
    if (request == SIOCADDRT || request == SIOCDELRT) {
        return change_route(fd, request, (const struct rtentry *)argument);
    }
    call_prepare(&call, OP_CONTROL, request, 0, sizeof(struct ifreq));
    call.in = call.out = (void *)argument;
    call.request.length = call.out_size = sizeof(struct ifreq);
    return call_send(fd, &call);
}

/* Any socket will do: musl takes a unix socket to ask for an index. */
long inet_ioctl(int fd, unsigned request, unsigned long argument) {
    struct socket_info info;
    long error = socket_check(fd, &info);
    if (error < 0) {
        return error == -ENOTSOCK ? -ENOTTY : error;
    }
    if (info.internet) {
        return interface_request(fd, request, argument);
    }
    long other = inet_socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (other < 0) {
        return -ENOTTY;
    }
    error = interface_request((int)other, request, argument);
    sys_handle_close((handle_t)other);
    return error;
}

/* Messages of the answer that fit into a reader's usual buffer go together. */
#define NETLINK_PART 4096

static long netlink_give(int fd, const char *at, size_t left) {
    while (left >= sizeof(struct nlmsghdr)) {
        size_t part = 0;
        while (part < left && left - part >= sizeof(struct nlmsghdr)) {
            uint32_t next;
            memcpy(&next, at + part, sizeof(next));
            if (next < sizeof(struct nlmsghdr) || next > left - part) {
                return -EIO;
            }
            if (part > 0 && part + next > NETLINK_PART) {
                break;
            }
            part += NLMSG_ALIGN(next);
        }
        part = part < left ? part : left; /* the last one may come without its padding */
        struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
        struct io_vector v = {(void *)at, part};
        struct channel_message m = {.vectors = &v,
                                    .vector_count = 1,
                                    .flags = IO_NONBLOCK,
                                    .address = &kernel,
                                    .address_length = sizeof(kernel)};
        long error = sys_channel_send(fd, &m, 0);
        if (error < 0) {
            return error == -EAGAIN ? -ENOBUFS : error;
        }
        at += part;
        left -= part;
    }
    return 0;
}

long netlink_send(int fd, const void *data, size_t size) {
    static const char name[] = "ip:";
    struct call_args call;
    char answer[16384];
    call_prepare(&call, OP_OPEN, FILE_READ_ONLY, 0, 0);
    call.handle_flags = HANDLE_IN_UPPER;
    call.in = name;
    call.request.length = sizeof(name) - 1;
    long error = call_send(HANDLE_NAMESPACE, &call);
    if (error < 0) {
        return error == -ENOENT ? -ECONNREFUSED : error;
    }
    handle_t root = call.reply.handle;
    call_prepare(&call, INET_NETLINK, 0, (uint64_t)process_pid(), 0);
    call.in = data;
    call.request.length = (uint32_t)size;
    call.out = answer;
    call.out_size = sizeof(answer);
    error = call_send(root, &call);
    sys_handle_close(root);
    if (error >= 0) {
        error = netlink_give(fd, answer, call.reply.length);
    }
    return error < 0 ? error : (long)size;
}

/* --- the socket itself -------------------------------------------------------------------------- */

long inet_shutdown(int fd, int how) {
    long state = call_simple(fd, INET_STATE, 0, 0, 0);
    if (state == INET_LISTENING) {
        return how == SHUT_WR ? 0 : call_simple(fd, INET_SHUTDOWN, (uint64_t)(how + 1), 0, 0);
    }
    if (state == -ESTALE || state == INET_CONNECTED) {
        return sys_channel_control(fd, CHANNEL_SHUTDOWN, (uint64_t)(how + 1));
    }
    return state < 0 ? state : -ENOTCONN;
}

long inet_getsockopt(int fd, const struct socket_info *info, int level, int option, void *value, socklen_t *length) {
    struct call_args call;
    char answer[256];
    if (level == SOL_SOCKET && option == SO_TYPE && info->type == SOCK_STREAM) {
        int type = SOCK_STREAM;
        return option_answer(value, length, &type, sizeof(type));
    }
    call_prepare(&call, INET_GET_OPTION, (uint64_t)(unsigned)level, (uint64_t)(unsigned)option, sizeof(answer));
    call.request.flags = REQUEST_IDEMPOTENT;
    call.out = answer;
    call.out_size = sizeof(answer);
    long error = call_send(fd, &call);
    return error < 0 ? error : option_answer(value, length, answer, call.reply.length);
}

long inet_setsockopt(int fd, int level, int option, const void *value, socklen_t length) {
    struct call_args call;
    if (!value && length > 0) {
        return -EFAULT;
    }
    if (length > 4096) {
        return -EINVAL;
    }
    call_prepare(&call, INET_SET_OPTION, (uint64_t)(unsigned)level, (uint64_t)(unsigned)option, 0);
    call.in = value;
    call.request.length = length;
    long error = call_send(fd, &call);
    if (error >= 0 && level == SOL_SOCKET && option == SO_LINGER) {
        struct linger l;
        memcpy(&l, value, sizeof(l));
        sys_channel_control(fd, CHANNEL_RESETS, !l.l_onoff || l.l_linger);
    }
    return error < 0 ? error : 0;
}
