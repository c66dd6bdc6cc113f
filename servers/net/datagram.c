// SPDX-License-Identifier: MIT
/*
 * UDP, UDP-Lite, raw and ICMP echo sockets: messages between the channel and lwIP, with their addresses.
 * An ICMP echo socket's local port is the identifier of its requests (Linux's ping sockets).
 */
#include "net.h"
#include <lwip/icmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/prot/icmp6.h>
#include <lwip/raw.h>
#include <lwip/udp.h>
#include <string.h>

#define VECTORS 32
#define BATCH 32 /* messages taken from one socket before others have their turn */

static bool is_echo(const struct socket *s) { return s->scheme == NET_ICMP; }
static bool is_lite(const struct socket *s) { return s->protocol == IPPROTO_UDPLITE; }
static bool is_icmp6(const struct socket *s) { return s->raw && s->protocol == IPPROTO_ICMPV6; }

static struct ip_pcb *pcb_of(const struct socket *s) {
    return s->udp ? (struct ip_pcb *)s->udp : (struct ip_pcb *)s->raw;
}

/* --- lwIP → program --------------------------------------------------------------------------------- */

/* False: the program has closed the socket, of which we have not been told yet. */
static bool deliver(const struct socket *s, struct pbuf *p, const struct endpoint *from) {
    struct io_vector v[VECTORS];
    struct inet_datagram d = {.wants = s->wants};
    unsigned count = 0;
    const struct netif *in = ip_current_input_netif();
    d.length = (uint16_t)address_format(s->family, from, d.address);
    if (in) d.interface = netif_get_index(in);
    if (ip_current_is_v6()) {
        const struct ip6_hdr *h = ip6_current_header();
        d.ttl = IP6H_HOPLIM(h);
        d.tos = IP6H_TC(h);
    } else {
        const struct ip_hdr *h = ip4_current_header();
        d.ttl = IPH_TTL(h);
        d.tos = IPH_TOS(h);
    }
    address_to_6(ip_current_dest_addr(), (struct in6_addr *)d.local);
    struct pbuf *whole = pbuf_clen(p) > VECTORS ? pbuf_clone(PBUF_RAW, PBUF_RAM, p) : p; /* of many fragments */
    if (!whole) return true;
    for (struct pbuf *b = whole; b; b = b->next) v[count++] = (struct io_vector){b->payload, b->len};
    struct channel_message m = {.vectors = v, .vector_count = count, .flags = IO_NONBLOCK | IO_NO_SIGNAL};
    m.address = &d;
    m.address_length = sizeof(d);
    long sent = sys_channel_send(s->far, &m, 0);
    if (whole != p) pbuf_free(whole);
    return sent != -EPIPE; /* or it is lost: there is no room */
}

static bool may_hear(const struct socket *s, const struct endpoint *from, uint16_t port) {
    struct endpoint local = {s->local.ip, port};
    return limit_allows(s, INET_RULE_TO, &from->ip, from->port) || (port && limit_allows_at(s, &local));
}

static void on_datagram(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *ip, uint16_t port) {
    struct socket *s = arg;
    struct endpoint from = {*ip, port};
    bool wrong = s->device && ip_current_input_netif() && netif_get_index(ip_current_input_netif()) != s->device;
    /* lwIP has one set of ports for UDP and UDP-Lite. */
    if ((ip_current_header_proto() == IP_PROTO_UDPLITE) != is_lite(s)) wrong = true;
    if (s->limit && !may_hear(s, &from, pcb->local_port)) wrong = true;
    if (!wrong && !deliver(s, p, &from)) {
        pbuf_header_force(p, (int16_t)(ip_current_header_tot_len() + UDP_HLEN));
        icmp_port_unreach(ip_current_is_v6(), p);
    }
    pbuf_free(p);
}

static bool is_filtered(const struct socket *s, uint8_t type) { return s->icmp_filter[type / 8] >> type % 8 & 1; }

/* What a program of this machine was sent by lwIP itself has none. */
static bool checksum_holds(const struct socket *s, struct pbuf *p) {
    const struct netif *n = ip_current_input_netif();
    if (!s->raw->chksum_reqd || (is_icmp6(s) && !(n->chksum_flags & NETIF_CHECKSUM_CHECK_ICMP6))) return true;
    return ip6_chksum_pseudo(p, s->protocol, p->tot_len, ip6_current_src_addr(), ip6_current_dest_addr()) == 0;
}

/* An echo socket hears the answers to its own requests; what it reads has no IP header, as IPv6's raw sockets. */
static uint8_t on_packet(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *ip) {
    struct socket *s = arg;
    struct endpoint from = {.ip = *ip, .port = 0};
    bool v6 = ip_current_is_v6(), icmp = s->protocol == IPPROTO_ICMP || s->protocol == IPPROTO_ICMPV6;
    uint16_t header = v6 ? ip_current_header_tot_len() : (uint16_t)(IPH_HL_BYTES(ip4_current_header()));
    struct icmp_echo_hdr echo;
    if (v6 != (s->family == AF_INET6)) return 0;
    if (s->state == INET_CONNECTED && !ip_addr_cmp(ip, &s->peer.ip)) return 0;
    if (s->limit && !may_hear(s, &from, 0)) return 0;
    if (icmp && pbuf_copy_partial(p, &echo, sizeof(echo), header) >= 4) {
        if (is_filtered(s, echo.type)) return 0;
        if (is_echo(s) && (echo.type != (v6 ? ICMP6_TYPE_EREP : ICMP_ER) || lwip_ntohs(echo.id) != s->local.port))
            return 0;
    }
    bool strip = v6 || is_echo(s);
    if (strip && pbuf_remove_header(p, header)) return 0;
    if (checksum_holds(s, p)) deliver(s, p, &from);
    if (strip) pbuf_add_header_force(p, header);
    return 0; /* others hear it, too */
}

/* --- program → lwIP --------------------------------------------------------------------------------- */

/* From an address of this machine, whose interface need not be the one that it leaves by (lwIP asks for that). */
static err_t send_from(struct udp_pcb *u, struct pbuf *p, const struct endpoint *to, struct netif *via,
                       const ip_addr_t *from) {
    if (IP_IS_V6(from) != IP_IS_V6(&to->ip)) return ERR_RTE;
    if (!via && ip_addr_ismulticast(&to->ip)) via = netif_get_by_index(u->mcast_ifindex);
    if (!via) via = ip_route(from, &to->ip);
    if (!via) return ERR_RTE;
    if (ip_addr_isloopback(from) && via->hwaddr_len && !address_is_own(&to->ip)) return ERR_RTE;
    return udp_sendto_if_src(u, p, &to->ip, to->port, via, from);
}

static int udp_transmit(const struct socket *s, struct pbuf *p, const struct endpoint *to, struct netif *via,
                        const ip_addr_t *from) {
    struct udp_pcb *u = s->udp;
    bool v4 = IP_IS_V4(&to->ip);
    if (to->port == 0) return EINVAL;
    if (v4 && s->family == AF_INET6 && s->only_v6) return ENETUNREACH;
    if (!from && !ip_addr_isany(&u->local_ip) && address_is_own(&u->local_ip)) from = &u->local_ip;
    err_t e = from  ? send_from(u, p, to, via, from)
              : via ? udp_sendto_if(u, p, &to->ip, to->port, via)
                    : udp_sendto(u, p, &to->ip, to->port);
    return e == ERR_VAL && v4 && !s->broadcast ? EACCES : error_of(e);
}

/* The identifier of an echo request is the socket's. */
static int echo_prepare(const struct socket *s, struct pbuf *p) {
    struct icmp_echo_hdr *h = p->payload;
    uint8_t request = s->family == AF_INET ? ICMP_ECHO : ICMP6_TYPE_EREQ;
    if (p->len < sizeof(*h) || h->type != request || h->code != 0) return EINVAL;
    h->id = lwip_htons(s->local.port);
    h->chksum = 0;
    if (s->family == AF_INET) h->chksum = inet_chksum_pbuf(p);
    return 0;
}

static int raw_transmit(const struct socket *s, struct pbuf *p, const struct endpoint *to) {
    if (s->raw->chksum_reqd) {
        if (p->len < s->raw->chksum_offset + 2u) return EINVAL;
        memset((char *)p->payload + s->raw->chksum_offset, 0, 2); /* lwIP counts what it finds there */
    }
    int e = is_echo(s) ? echo_prepare(s, p) : 0;
    return e ? e : error_of(raw_sendto(s->raw, p, &to->ip));
}

static void transmit(struct socket *s, const uint8_t *bytes, size_t size, const struct channel_message *m,
                     const struct inet_datagram *d) {
    struct endpoint to = s->peer;
    int e = 0;
    if (m->address_length > 0) {
        size_t head = offsetof(struct inet_datagram, length) + sizeof(d->length);
        bool valid = m->address_length >= head && d->length <= sizeof(d->address);
        if (valid && d->length) e = -address_parse(s->family, d->address, d->length, &to);
        else if (!valid) e = EINVAL;
        else if (s->state != INET_CONNECTED) e = EDESTADDRREQ;
    } else if (s->state != INET_CONNECTED) {
        e = EDESTADDRREQ;
    }
    if (!e && address_is_any(&to.ip)) {
        if (IP_IS_V6(&to.ip)) to.ip = (ip_addr_t)IPADDR6_INIT_HOST(0, 0, 0, 1);
        else ip_addr_set_ip4_u32(&to.ip, lwip_htonl(INADDR_LOOPBACK));
    }
    if (!e && !limit_allows(s, INET_RULE_TO, &to.ip, is_echo(s) ? 0 : to.port)) e = EACCES;
    if (!e && size > INET_DATAGRAM_MAX) e = EMSGSIZE;
    bool special = m->address_length == sizeof(*d);
    ip_addr_t from = *IP_ADDR_ANY;
    if (special) address_from_6((const struct in6_addr *)d->local, d->interface, &from);
    if (!e && !address_is_any(&from) && !address_is_own(&from)) e = EINVAL;
    struct pbuf *p = e ? nullptr : pbuf_alloc(PBUF_TRANSPORT, (uint16_t)size, PBUF_RAM);
    if (!e && !p) e = ENOBUFS;
    if (!e) {
        pbuf_take(p, bytes, (uint16_t)size);
        uint32_t device = special && d->interface ? d->interface : s->device;
        struct netif *via = device ? netif_get_by_index((uint8_t)device) : nullptr;
        struct ip_pcb *pcb = pcb_of(s);
        pcb->ttl = special && d->ttl ? d->ttl : s->ttl;
        pcb->tos = special && d->tos ? d->tos : s->tos;
        e = s->udp ? udp_transmit(s, p, &to, via, address_is_any(&from) ? nullptr : &from) : raw_transmit(s, p, &to);
        pbuf_free(p);
    }
    if (e && e != ENOBUFS) socket_fail(s, e);
}

/* False: there is nothing more. */
static bool take_some(struct socket *s) {
    static uint8_t buffer[CALL_DATA_MAX];
    struct inet_datagram d;
    /* To look for a second one costs a call: where there was none, only now and then. */
    unsigned most = s->burst || s->events++ % 8 == 0 ? BATCH : 1;
    for (unsigned i = 0; i < most; i++) {
        struct io_vector v = {buffer, sizeof(buffer)};
        struct channel_message m = {.vectors = &v, .vector_count = 1, .flags = IO_NONBLOCK};
        m.address = &d;
        m.address_length = sizeof(d);
        long n = sys_channel_receive(s->far, &m, 0);
        if (n < 0) {
            s->burst = i > 1;
            return false;
        }
        transmit(s, buffer, (size_t)n, &m, &d);
    }
    return true;
}

void datagram_event(struct socket *s) { take_some(s); }

/* --- the socket --------------------------------------------------------------------------------- */

/* An identifier that no other echo socket has. */
static uint16_t echo_identifier(void) {
    static uint16_t next;
    if (!next) next = (uint16_t)LWIP_RAND();
    for (uint32_t tries = 0; tries < 65535; tries++) {
        uint16_t id = ++next ? next : ++next;
        bool used = false;
        for (uint32_t i = 0; i < sockets.capacity && !used; i++) {
            const struct socket *o = sockets.slots[i].object;
            used = o && is_echo(o) && o->local.port == id;
        }
        if (!used) return id;
    }
    return 0;
}

static uint8_t ip_type(const struct socket *s) {
    return s->family == AF_INET ? IPADDR_TYPE_V4 : s->only_v6 || !s->udp ? IPADDR_TYPE_V6 : IPADDR_TYPE_ANY;
}

int datagram_open(struct socket *s) {
    if (s->scheme == NET_UDP) {
        s->udp = udp_new_ip_type(s->family == AF_INET ? IPADDR_TYPE_V4 : IPADDR_TYPE_ANY);
        if (!s->udp) return -ENOMEM;
        udp_recv(s->udp, on_datagram, s);
        udp_set_flags(s->udp, UDP_FLAGS_MULTICAST_LOOP | (is_lite(s) ? UDP_FLAGS_UDPLITE : 0));
        udp_set_multicast_ttl(s->udp, 1);
    } else {
        s->raw = raw_new_ip_type(s->family == AF_INET ? IPADDR_TYPE_V4 : IPADDR_TYPE_V6, s->protocol);
        if (!s->raw) return -ENOMEM;
        raw_recv(s->raw, on_packet, s);
        raw_set_flags(s->raw, RAW_FLAGS_MULTICAST_LOOP);
        raw_set_multicast_ttl(s->raw, 1);
        if (is_icmp6(s)) s->raw->chksum_reqd = 1, s->raw->chksum_offset = 2;
        if (s->protocol == IPPROTO_RAW) raw_set_flags(s->raw, RAW_FLAGS_HDRINCL);
        if (is_echo(s) && !(s->local.port = echo_identifier())) {
            raw_remove(s->raw);
            return -EAGAIN;
        }
    }
    datagram_apply_options(s);
    socket_watch(s, EVENT_IN);
    return 0;
}

void datagram_apply_options(struct socket *s) {
    struct ip_pcb *p = pcb_of(s);
    p->ttl = s->ttl;
    p->tos = s->tos;
    p->so_options =
        (uint8_t)((s->reuse_address || s->reuse_port ? SOF_REUSEADDR : 0) | (s->broadcast ? SOF_BROADCAST : 0));
    if (s->only_v6 && s->udp && !s->udp->local_port) IP_SET_TYPE_VAL(p->local_ip, IPADDR_TYPE_V6);
}

/* lwIP says who it is: the port may have been picked when it first sent. */
void datagram_local(const struct socket *s, struct endpoint *out) {
    if (s->udp) out->port = s->udp->local_port;
    else if (!is_echo(s)) out->port = s->protocol;
}

int64_t datagram_bind(struct socket *s, const struct endpoint *local) {
    ip_addr_t ip = local->ip;
    if (address_is_any(&ip)) {
        uint8_t type = ip_type(s);
        ip = type == IPADDR_TYPE_V4 ? *IP4_ADDR_ANY : type == IPADDR_TYPE_ANY ? *IP_ANY_TYPE : *IP6_ADDR_ANY;
    }
    if (s->udp && s->udp->local_port) return -EINVAL;
    err_t e = s->udp ? udp_bind(s->udp, &ip, local->port) : raw_bind(s->raw, &ip);
    if (e != ERR_OK) return -error_of(e);
    s->bound = local->port;
    s->local.ip = local->ip;
    if (is_echo(s) && local->port) s->local.port = local->port;
    return 0;
}

/* The address that packets to `to` would come from. */
static const ip_addr_t *source_for(const struct endpoint *to) {
    struct netif *n = ip_route(IP_IS_V6(&to->ip) ? IP6_ADDR_ANY : IP4_ADDR_ANY, &to->ip);
    return n ? ip_netif_get_local_ip(n, &to->ip) : nullptr;
}

static void disconnect(struct socket *s, bool has_address) {
    if (s->udp) udp_disconnect(s->udp);
    else raw_disconnect(s->raw);
    if (s->udp && !s->bound) s->udp->local_port = 0;
    if (!has_address) s->local.ip = s->family == AF_INET ? *IP4_ADDR_ANY : *IP6_ADDR_ANY;
    s->state = INET_IDLE;
    s->peer = (struct endpoint){};
}

/* What bind() did not say of the socket's own name is the connection's. */
int64_t datagram_connect(struct socket *s, const struct endpoint *to) {
    bool has_address = !ip_addr_isany(&pcb_of(s)->local_ip);
    if (!to) return disconnect(s, has_address), 0;
    if (ip_addr_get_ip4_u32(&to->ip) == IPADDR_BROADCAST && !s->broadcast && IP_IS_V4(&to->ip)) return -EACCES;
    if (has_address && !IP_IS_ANY_TYPE_VAL(pcb_of(s)->local_ip) && IP_IS_V6(&pcb_of(s)->local_ip) != IP_IS_V6(&to->ip))
        return -ENETUNREACH;
    const ip_addr_t *source = source_for(to);
    if (!source || !route_leads_to(&to->ip)) return -ENETUNREACH;
    err_t e = s->udp ? udp_connect(s->udp, &to->ip, to->port) : ERR_OK;
    if (e != ERR_OK) return -error_of(e);
    if (!has_address) s->local.ip = *source;
    s->state = INET_CONNECTED;
    s->peer = *to;
    return 0;
}

void datagram_close(struct socket *s) {
    s->burst = true;
    while (take_some(s)) {
    } /* what was sent before the end */
    groups_leave(s);
    if (s->udp) udp_remove(s->udp);
    if (s->raw) raw_remove(s->raw);
    socket_free(s);
}

/* --- errors that ICMP brings ------------------------------------------------------------------------ */

static int error_of_unreachable(uint8_t code) {
    static const int errors[] = {
        [ICMP_DUR_NET] = ENETUNREACH,
        [ICMP_DUR_HOST] = EHOSTUNREACH,
        [ICMP_DUR_PROTO] = ENOPROTOOPT,
        [ICMP_DUR_PORT] = ECONNREFUSED,
        [ICMP_DUR_FRAG] = 0, /* a smaller one may come through */
    };
    return code < sizeof(errors) / sizeof(errors[0]) ? errors[code] : EHOSTUNREACH;
}

/* The first bytes of what a packet carried: of TCP ports and sequence number, of UDP all of its header. */
union start {
    struct udp_hdr udp;
    struct {
        uint16_t source, destination;
        uint32_t sequence;
    } tcp;
};

/* Only a connected socket is told, as everywhere. */
static void udp_refused(const struct udp_hdr *h, const ip_addr_t *from, const ip_addr_t *to, int error) {
    for (struct udp_pcb *u = udp_pcbs; u; u = u->next) {
        const struct socket *s = u->recv_arg;
        if (u->recv != on_datagram || s->state != INET_CONNECTED) continue;
        if (u->local_port == lwip_ntohs(h->src) && u->remote_port == lwip_ntohs(h->dest) &&
            ip_addr_cmp(&u->remote_ip, to))
            socket_fail(s, error);
    }
}

static void refused(uint8_t protocol, const union start *h, const ip_addr_t *from, const ip_addr_t *to, int error) {
    if (!error) return;
    if (protocol == IP_PROTO_UDP) udp_refused(&h->udp, from, to, error);
    if (protocol == IP_PROTO_TCP)
        stream_unreachable(from, lwip_ntohs(h->tcp.source), to, lwip_ntohs(h->tcp.destination),
                           lwip_ntohl(h->tcp.sequence), error);
}

static uint8_t on_icmp(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *ip) {
    struct {
        struct icmp_echo_hdr icmp;
        struct ip_hdr ip;
    } __attribute__((packed)) h;
    union start start;
    uint16_t at = IPH_HL_BYTES(ip4_current_header());
    if (pbuf_copy_partial(p, &h, sizeof(h), at) != sizeof(h) || h.icmp.type != ICMP_DUR) return 0;
    at = (uint16_t)(at + sizeof(h.icmp) + IPH_HL_BYTES(&h.ip));
    if (pbuf_copy_partial(p, &start, sizeof(start), at) != sizeof(start)) return 0;
    ip_addr_t from, to;
    ip_addr_set_ip4_u32(&from, h.ip.src.addr);
    ip_addr_set_ip4_u32(&to, h.ip.dest.addr);
    refused(IPH_PROTO(&h.ip), &start, &from, &to, error_of_unreachable(h.icmp.code));
    return 0;
}

static uint8_t on_icmp6(void *arg, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *ip) {
    struct {
        struct icmp6_hdr icmp;
        struct ip6_hdr ip;
        union start start;
    } __attribute__((packed)) h;
    uint16_t at = ip_current_header_tot_len();
    if (pbuf_copy_partial(p, &h, sizeof(h), at) != sizeof(h) || h.icmp.type != ICMP6_TYPE_DUR) return 0;
    ip_addr_t from, to;
    ip_addr_copy_from_ip6_packed(from, h.ip.src);
    ip_addr_copy_from_ip6_packed(to, h.ip.dest);
    union start start = h.start; /* where it is aligned */
    refused(IP6H_NEXTH(&h.ip), &start, &from, &to, h.icmp.code == ICMP6_DUR_PORT ? ECONNREFUSED : EHOSTUNREACH);
    return 0;
}

void datagrams_init(void) {
    struct raw_pcb *v4 = raw_new_ip_type(IPADDR_TYPE_V4, IP_PROTO_ICMP);
    struct raw_pcb *v6 = raw_new_ip_type(IPADDR_TYPE_V6, IP6_NEXTH_ICMP6);
    if (v4) raw_recv(v4, on_icmp, nullptr);
    if (v6) raw_recv(v6, on_icmp6, nullptr);
}
