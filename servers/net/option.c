// SPDX-License-Identifier: MIT
/* Socket options; those of the channel (timeouts, buffers, SO_ERROR) are libposix's. */
#include "interface.h"
#include <lwip/priv/tcp_priv.h>
#include <lwip/raw.h>
#include <lwip/tcp.h>
#include <lwip/udp.h>
#include <netinet/tcp.h>
#include <string.h>

#define ICMP6_FILTER 1 /* <netinet/icmp6.h>, which lwIP's headers don't go along with */
#define ICMP_FILTER 1 /* <linux/icmp.h> */
#define LINGER2_MAX 120 /* seconds, as on Linux */

static void apply(struct socket *s) {
    if (s->type == SOCK_STREAM) stream_apply_options(s);
    else datagram_apply_options(s);
}

static void want(struct socket *s, uint32_t what, bool on) { s->wants = on ? s->wants | what : s->wants & ~what; }

/* --- setting ---------------------------------------------------------------------------------------- */

static int set_device(struct socket *s, const char *name, size_t length) {
    char copy[INTERFACE_NAME_MAX] = {};
    if (length == 0 || !name[0]) {
        s->device = 0;
        return 0;
    }
    memcpy(copy, name, length < sizeof(copy) - 1 ? length : sizeof(copy) - 1);
    const struct netif *n = interface_named(copy);
    if (!n) return -ENODEV;
    s->device = netif_get_index(n);
    return 0;
}

static int set_socket(struct socket *s, int option, const void *value, size_t length, int number) {
    switch (option) {
    case SO_REUSEADDR: s->reuse_address = number; break;
    case SO_REUSEPORT: s->reuse_port = number; break;
    case SO_KEEPALIVE: s->keep_alive = number; break;
    case SO_BROADCAST: s->broadcast = number; break;
    case SO_LINGER:
        if (length < sizeof(struct linger)) return -EINVAL;
        s->linger_on = ((const struct linger *)value)->l_onoff;
        s->linger_s = (uint16_t)((const struct linger *)value)->l_linger;
        break;
    case SO_BINDTODEVICE: return set_device(s, value, length);
    case SO_DEBUG:
    case SO_DONTROUTE:
    case SO_OOBINLINE:
    case SO_PRIORITY:
    case SO_RCVLOWAT:
    case SO_TIMESTAMP:
    case SO_MARK:
    case SO_NO_CHECK: break; /* of no effect here */
    default: return -ENOPROTOOPT;
    }
    return 0;
}

static int set_ip(struct socket *s, int option, const void *value, size_t length, int number) {
    switch (option) {
    case IP_TTL:
        if (number != -1 && (number < 1 || number > 255)) return -EINVAL;
        s->ttl = number < 0 ? 64 : (uint8_t)number;
        break;
    case IP_TOS: s->tos = (uint8_t)number; break;
    case IP_PKTINFO: want(s, INET_WANTS_PACKET, number); break;
    case IP_RECVTTL: want(s, INET_WANTS_TTL, number); break;
    case IP_RECVTOS: want(s, INET_WANTS_TOS, number); break;
    case IP_HDRINCL:
        if (!s->raw) return -ENOPROTOOPT;
        if (number) raw_set_flags(s->raw, RAW_FLAGS_HDRINCL);
        else raw_clear_flags(s->raw, RAW_FLAGS_HDRINCL);
        break;
    case IP_MULTICAST_IF: return multicast_interface(s, value, length);
    case IP_MULTICAST_TTL: return multicast_ttl(s, number);
    case IP_MULTICAST_LOOP: return multicast_loop(s, number);
    case IP_ADD_MEMBERSHIP:
    case IP_DROP_MEMBERSHIP: return group_by_address(s, value, length, option == IP_ADD_MEMBERSHIP);
    case MCAST_JOIN_GROUP:
    case MCAST_LEAVE_GROUP: return group_by_request(s, value, length, option == MCAST_JOIN_GROUP);
    case IP_RECVERR:
    case IP_MTU_DISCOVER:
    case IP_FREEBIND:
    case IP_BIND_ADDRESS_NO_PORT:
    case IP_RECVOPTS: break;
    default: return -ENOPROTOOPT;
    }
    return 0;
}

/* Where the checksum of what is sent and received lies; negative: there is none. */
static int set_checksum(struct socket *s, int offset) {
    if (!s->raw || s->family != AF_INET6) return -ENOPROTOOPT;
    if (offset > INET_DATAGRAM_MAX || (offset > 0 && offset % 2)) return -EINVAL;
    s->raw->chksum_reqd = offset >= 0;
    s->raw->chksum_offset = (uint16_t)(offset < 0 ? 0 : offset);
    return 0;
}

static int set_ip6(struct socket *s, int option, const void *value, size_t length, int number) {
    if (s->family != AF_INET6) return -ENOPROTOOPT;
    switch (option) {
    case IPV6_V6ONLY:
        if (s->bound || s->state != INET_IDLE || (s->udp && s->udp->local_port)) return -EINVAL;
        s->only_v6 = number;
        break;
    case IPV6_UNICAST_HOPS:
        if (number < -1 || number > 255) return -EINVAL;
        s->ttl = number < 0 ? 64 : (uint8_t)number;
        break;
    case IPV6_TCLASS: s->tos = (uint8_t)(number < 0 ? 0 : number); break;
    case IPV6_RECVPKTINFO: want(s, INET_WANTS_PACKET, number); break;
    case IPV6_RECVHOPLIMIT: want(s, INET_WANTS_TTL, number); break;
    case IPV6_RECVTCLASS: want(s, INET_WANTS_TOS, number); break;
    case IPV6_MULTICAST_IF: return multicast_interface6(s, number);
    case IPV6_MULTICAST_HOPS: return multicast_ttl(s, number);
    case IPV6_MULTICAST_LOOP: return multicast_loop(s, number);
    case IPV6_ADD_MEMBERSHIP:
    case IPV6_DROP_MEMBERSHIP: return group_by_address6(s, value, length, option == IPV6_ADD_MEMBERSHIP);
    case MCAST_JOIN_GROUP:
    case MCAST_LEAVE_GROUP: return group_by_request(s, value, length, option == MCAST_JOIN_GROUP);
    case IPV6_CHECKSUM: return s->protocol == IPPROTO_ICMPV6 ? -EINVAL : set_checksum(s, number); /* RFC 3542 §3.1 */
    case IPV6_RECVERR:
    case IPV6_MTU_DISCOVER: break;
    default: return -ENOPROTOOPT;
    }
    return 0;
}

static int set_tcp(struct socket *s, int option, int number) {
    if (s->type != SOCK_STREAM) return -ENOPROTOOPT;
    switch (option) {
    case TCP_NODELAY: s->no_delay = number; break;
    case TCP_KEEPIDLE:
        if (number < 1 || number > 32767) return -EINVAL;
        s->keep_idle_s = (uint32_t)number;
        break;
    case TCP_KEEPINTVL:
        if (number < 1 || number > 32767) return -EINVAL;
        s->keep_interval_s = (uint32_t)number;
        break;
    case TCP_KEEPCNT:
        if (number < 1 || number > 127) return -EINVAL;
        s->keep_count = (uint32_t)number;
        break;
    case TCP_USER_TIMEOUT:
        if (number < 0) return -EINVAL;
        s->user_timeout_ms = (uint32_t)number;
        break;
    case TCP_LINGER2: s->linger2_s = number < 0 ? -1 : number > LINGER2_MAX ? LINGER2_MAX : number; break;
    case TCP_CORK:
    case TCP_QUICKACK:
    case TCP_DEFER_ACCEPT:
    case TCP_MAXSEG:
    case TCP_SYNCNT: break;
    default: return -ENOPROTOOPT;
    }
    return 0;
}

/* ICMP6_FILTER says what passes, Linux's ICMP_FILTER what is kept away. */
static int set_filter(struct socket *s, bool v6, const void *value, size_t length) {
    if (!s->raw) return -ENOPROTOOPT;
    if (length < (v6 ? 32u : 4u)) return -EINVAL;
    memcpy(s->icmp_filter, value, v6 ? 32 : 4);
    return 0;
}

static int set_raw(struct socket *s, int option, const void *value, size_t length, int number) {
    if (option == IPV6_CHECKSUM) return set_checksum(s, number);
    return option == ICMP_FILTER ? set_filter(s, false, value, length) : -ENOPROTOOPT;
}

int64_t option_set(struct socket *s, struct port_buffer *call) {
    int level = (int)call->request.args[0], option = (int)call->request.args[1], number = 0, e;
    size_t length = call->request.length;
    const uint8_t *value = call->data;
    if (length >= sizeof(number)) memcpy(&number, value, sizeof(number));
    else if (length == 1) number = value[0]; /* IP_MULTICAST_TTL and its like */
    else if (!(level == SOL_SOCKET && option == SO_BINDTODEVICE)) return -EINVAL;
    switch (level) {
    case SOL_SOCKET: e = set_socket(s, option, value, length, number); break;
    case IPPROTO_IP: e = set_ip(s, option, value, length, number); break;
    case IPPROTO_IPV6: e = set_ip6(s, option, value, length, number); break;
    case IPPROTO_TCP: e = set_tcp(s, option, number); break;
    case IPPROTO_ICMPV6: e = option == ICMP6_FILTER ? set_filter(s, true, value, length) : -ENOPROTOOPT; break;
    case SOL_RAW: e = set_raw(s, option, value, length, number); break;
    default: e = -ENOPROTOOPT;
    }
    if (!e) apply(s);
    return e;
}

/* --- getting ---------------------------------------------------------------------------------------- */

static int64_t answer(struct port_buffer *call, const void *value, size_t size) {
    size_t room = call->request.args[2];
    if (size > room) size = room;
    memcpy(call->data, value, size);
    call->reply.length = (uint32_t)size;
    return 0;
}

static int get_socket(const struct socket *s, int option) {
    switch (option) {
    case SO_REUSEADDR: return s->reuse_address;
    case SO_REUSEPORT: return s->reuse_port;
    case SO_KEEPALIVE: return s->keep_alive;
    case SO_BROADCAST: return s->broadcast;
    case SO_ACCEPTCONN: return s->state == INET_LISTENING;
    case SO_DOMAIN: return s->family;
    case SO_TYPE: return s->type;
    case SO_PROTOCOL: return s->protocol ? s->protocol : s->type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
    case SO_DEBUG:
    case SO_DONTROUTE:
    case SO_OOBINLINE:
    case SO_PRIORITY:
    case SO_TIMESTAMP:
    case SO_MARK:
    case SO_NO_CHECK: return 0;
    case SO_RCVLOWAT: return 1;
    default: return -ENOPROTOOPT;
    }
}

static int get_ip(const struct socket *s, int level, int option) {
    bool v6 = level == IPPROTO_IPV6;
    if (v6 && s->family != AF_INET6) return -ENOPROTOOPT;
    const uint8_t ttl = s->udp ? s->udp->mcast_ttl : s->raw ? s->raw->mcast_ttl : 1;
    if (option == (v6 ? IPV6_UNICAST_HOPS : IP_TTL)) return s->ttl;
    if (option == (v6 ? IPV6_TCLASS : IP_TOS)) return s->tos;
    if (option == (v6 ? IPV6_RECVPKTINFO : IP_PKTINFO)) return (s->wants & INET_WANTS_PACKET) != 0;
    if (option == (v6 ? IPV6_RECVHOPLIMIT : IP_RECVTTL)) return (s->wants & INET_WANTS_TTL) != 0;
    if (option == (v6 ? IPV6_RECVTCLASS : IP_RECVTOS)) return (s->wants & INET_WANTS_TOS) != 0;
    if (v6 && option == IPV6_MULTICAST_IF) return multicast_index(s);
    if (option == (v6 ? IPV6_MULTICAST_LOOP : IP_MULTICAST_LOOP)) return multicast_loops(s);
    if (option == (v6 ? IPV6_MULTICAST_HOPS : IP_MULTICAST_TTL)) return ttl;
    if (v6 && option == IPV6_V6ONLY) return s->only_v6;
    if (!v6 && option == IP_HDRINCL) return s->raw && s->raw->flags & RAW_FLAGS_HDRINCL;
    if (option == (v6 ? IPV6_MTU : IP_MTU)) return s->state == INET_CONNECTED ? 1500 : -ENOTCONN;
    if (option == (v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER) || option == (v6 ? IPV6_RECVERR : IP_RECVERR)) return 0;
    return -ENOPROTOOPT;
}

static int get_tcp(const struct socket *s, int option) {
    if (s->type != SOCK_STREAM) return -ENOPROTOOPT;
    switch (option) {
    case TCP_NODELAY: return s->no_delay;
    case TCP_KEEPIDLE: return (int)s->keep_idle_s;
    case TCP_KEEPINTVL: return (int)s->keep_interval_s;
    case TCP_KEEPCNT: return (int)s->keep_count;
    case TCP_MAXSEG: return TCP_MSS;
    case TCP_USER_TIMEOUT: return (int)s->user_timeout_ms;
    case TCP_LINGER2: return s->linger2_s ? s->linger2_s : TCP_FIN_WAIT_TIMEOUT / 1000;
    case TCP_CORK:
    case TCP_QUICKACK:
    case TCP_DEFER_ACCEPT: return 0;
    default: return -ENOPROTOOPT;
    }
}

static int64_t get_info(const struct socket *s, struct port_buffer *call) {
    static const uint8_t states[] = {[INET_IDLE] = TCP_CLOSE,
                                     [INET_LISTENING] = TCP_LISTEN,
                                     [INET_CONNECTED] = TCP_ESTABLISHED,
                                     [INET_CONNECTING] = TCP_SYN_SENT};
    struct tcp_info info = {.tcpi_state = states[s->state], .tcpi_snd_mss = TCP_MSS, .tcpi_rcv_mss = TCP_MSS};
    return answer(call, &info, sizeof(info));
}

/* The names of interfaces, and what else isn't a number. */
static int64_t get_device(const struct socket *s, struct port_buffer *call) {
    const struct netif *n = s->device ? netif_get_by_index((uint8_t)s->device) : nullptr;
    char name[INTERFACE_NAME_MAX] = {};
    if (!n) return answer(call, name, 0);
    strncpy(name, interface_name(n), sizeof(name) - 1);
    return answer(call, name, strlen(name) + 1);
}

static int64_t get_multicast_address(const struct socket *s, struct port_buffer *call) {
    const struct netif *n = netif_get_by_index((uint8_t)multicast_index(s));
    struct in_addr a = {n ? ip4_addr_get_u32(netif_ip4_addr(n)) : INADDR_ANY};
    return answer(call, &a, sizeof(a));
}

int64_t option_get(struct socket *s, struct port_buffer *call) {
    int level = (int)call->request.args[0], option = (int)call->request.args[1], number;
    if (call->request.args[2] > CALL_DATA_MAX) return -EINVAL;
    if (level == SOL_SOCKET && option == SO_BINDTODEVICE) return get_device(s, call);
    if (level == IPPROTO_IP && option == IP_MULTICAST_IF) return get_multicast_address(s, call);
    if (level == SOL_SOCKET && option == SO_LINGER) {
        struct linger l = {s->linger_on, s->linger_s};
        return answer(call, &l, sizeof(l));
    }
    if (level == IPPROTO_TCP && option == TCP_INFO && s->type == SOCK_STREAM) return get_info(s, call);
    switch (level) {
    case SOL_SOCKET: number = get_socket(s, option); break;
    case IPPROTO_IP:
    case IPPROTO_IPV6: number = get_ip(s, level, option); break;
    case IPPROTO_TCP: number = get_tcp(s, option); break;
    default: number = -ENOPROTOOPT;
    }
    return number < 0 ? number : answer(call, &number, sizeof(number));
}
