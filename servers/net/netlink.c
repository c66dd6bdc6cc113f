// SPDX-License-Identifier: MIT
/*
 * rtnetlink: what if_nameindex(), getifaddrs() and ip(8) ask. One request is one call; its answer is the
 * messages, ended by NLMSG_DONE or NLMSG_ERROR.
 */
#include "interface.h"
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>

#define INTERFACE_LIMIT 256 /* u8_t indices */

struct answer {
    uint8_t *bytes;
    size_t used, room;
    uint32_t sequence, port;
    size_t head; /* of the message being made */
};

static void *reserve(struct answer *a, size_t size) {
    size_t aligned = NLMSG_ALIGN(size);
    if (aligned > a->room - a->used) return nullptr;
    void *at = a->bytes + a->used;
    memset(at, 0, aligned);
    a->used += aligned;
    return at;
}

static void *message_begin(struct answer *a, uint16_t type, uint16_t flags, size_t size) {
    a->head = a->used;
    struct nlmsghdr *h = reserve(a, NLMSG_HDRLEN + size);
    if (!h) return nullptr;
    *h = (struct nlmsghdr){.nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = a->sequence, .nlmsg_pid = a->port};
    return NLMSG_DATA(h);
}

static void message_end(struct answer *a) {
    struct nlmsghdr *h = (struct nlmsghdr *)(a->bytes + a->head);
    h->nlmsg_len = (uint32_t)(a->used - a->head);
}

static void attribute(struct answer *a, uint16_t type, const void *value, size_t size) {
    struct rtattr *r = reserve(a, RTA_LENGTH(size));
    if (!r) return;
    *r = (struct rtattr){.rta_len = (uint16_t)RTA_LENGTH(size), .rta_type = type};
    memcpy(RTA_DATA(r), value, size);
}

static void attribute_number(struct answer *a, uint16_t type, uint32_t value) {
    attribute(a, type, &value, sizeof(value));
}

/* The attribute of a request, or null; *size: of its value. */
static const void *find(const uint8_t *at, size_t left, uint16_t type, size_t least) {
    while (left >= sizeof(struct rtattr)) {
        struct rtattr r;
        memcpy(&r, at, sizeof(r));
        if (r.rta_len < sizeof(r) || r.rta_len > left) return nullptr;
        if ((r.rta_type & NLA_TYPE_MASK) == type)
            return r.rta_len - RTA_LENGTH(0) >= least ? at + RTA_LENGTH(0) : nullptr;
        size_t step = RTA_ALIGN(r.rta_len);
        if (step >= left) return nullptr;
        at += step;
        left -= step;
    }
    return nullptr;
}

static uint32_t find_number(const uint8_t *at, size_t left, uint16_t type) {
    uint32_t value = 0;
    const void *found = find(at, left, type, sizeof(value));
    if (found) memcpy(&value, found, sizeof(value));
    return value;
}

/* --- links ------------------------------------------------------------------------------------------ */

static void tell_link(struct answer *a, const struct netif *n, uint16_t flags) {
    struct ifinfomsg *m = message_begin(a, RTM_NEWLINK, flags, sizeof(*m));
    static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, none[6] = {};
    const char *name = interface_name(n);
    bool card = n->hwaddr_len;
    struct interface_counts c;
    if (!m) return;
    *m = (struct ifinfomsg){.ifi_type = card ? ARPHRD_ETHER : ARPHRD_LOOPBACK,
                            .ifi_index = netif_get_index(n),
                            .ifi_flags = interface_flags(n) | (netif_is_link_up(n) ? IFF_LOWER_UP : 0)};
    attribute(a, IFLA_IFNAME, name, strlen(name) + 1);
    attribute_number(a, IFLA_MTU, n->mtu);
    attribute_number(a, IFLA_TXQLEN, 1000);
    attribute(a, IFLA_OPERSTATE, &(uint8_t){netif_is_link_up(n) ? card ? 6 : 0 : 2}, 1);
    attribute(a, IFLA_ADDRESS, card ? n->hwaddr : none, 6);
    attribute(a, IFLA_BROADCAST, card ? broadcast : none, 6);
    interface_counts(n, &c);
    struct rtnl_link_stats64 s = {.rx_packets = c.received,
                                  .tx_packets = c.sent,
                                  .rx_bytes = c.received_bytes,
                                  .tx_bytes = c.sent_bytes,
                                  .rx_dropped = c.received_dropped,
                                  .tx_dropped = c.sent_dropped,
                                  .rx_errors = c.errors};
    attribute(a, IFLA_STATS64, &s, sizeof(s));
    message_end(a);
}

static int get_links(struct answer *a, const struct ifinfomsg *m, const uint8_t *rest, size_t left, bool dump) {
    const char *name = find(rest, left, IFLA_IFNAME, 1);
    bool found = false;
    for (unsigned i = 1; i < INTERFACE_LIMIT; i++) {
        const struct netif *n = netif_get_by_index((uint8_t)i);
        if (!n || (!dump && m->ifi_index > 0 && m->ifi_index != (int)i)) continue;
        if (!dump && m->ifi_index <= 0 && (!name || strncmp(name, interface_name(n), INTERFACE_NAME_MAX) != 0))
            continue;
        tell_link(a, n, dump ? NLM_F_MULTI : 0);
        found = true;
    }
    return found || dump ? 0 : -ENODEV;
}

static int set_link(const struct ifinfomsg *m, const uint8_t *rest, size_t left) {
    char name[INTERFACE_NAME_MAX] = {};
    const char *given = find(rest, left, IFLA_IFNAME, 1);
    uint32_t mtu = find_number(rest, left, IFLA_MTU);
    if (given) memcpy(name, given, strnlen(given, left < sizeof(name) ? left : sizeof(name) - 1) % sizeof(name));
    struct netif *n = m->ifi_index > 0 ? netif_get_by_index((uint8_t)m->ifi_index) : interface_named(name);
    if (!n) return -ENODEV;
    if (mtu && (mtu < 576 || mtu > (n->hwaddr_len ? 1500 : 65535))) return -EINVAL;
    if (mtu) n->mtu = n->mtu6 = (uint16_t)mtu;
    if (m->ifi_change & IFF_UP) interface_set_up(n, m->ifi_flags & IFF_UP);
    return 0;
}

/* --- addresses -------------------------------------------------------------------------------------- */

static uint8_t mask_length(uint32_t mask) { return (uint8_t)__builtin_popcount(mask); }

static void tell_address4(struct answer *a, const struct netif *n) {
    struct ifaddrmsg *m = message_begin(a, RTM_NEWADDR, NLM_F_MULTI, sizeof(*m));
    const char *name = interface_name(n);
    uint32_t address = ip4_addr_get_u32(netif_ip4_addr(n)), mask = ip4_addr_get_u32(netif_ip4_netmask(n));
    if (!m) return;
    *m = (struct ifaddrmsg){.ifa_family = AF_INET,
                            .ifa_prefixlen = mask_length(mask),
                            .ifa_flags = IFA_F_PERMANENT,
                            .ifa_scope = n->hwaddr_len ? RT_SCOPE_UNIVERSE : RT_SCOPE_HOST,
                            .ifa_index = netif_get_index(n)};
    attribute_number(a, IFA_ADDRESS, address);
    attribute_number(a, IFA_LOCAL, address);
    if (n->hwaddr_len) attribute_number(a, IFA_BROADCAST, address | ~mask);
    attribute(a, IFA_LABEL, name, strlen(name) + 1);
    message_end(a);
}

static void tell_address6(struct answer *a, const struct netif *n, int i) {
    const ip6_addr_t *ip = netif_ip6_addr(n, i);
    struct ifaddrmsg *m = message_begin(a, RTM_NEWADDR, NLM_F_MULTI, sizeof(*m));
    if (!m) return;
    bool own = ip6_addr_isloopback(ip), local = ip6_addr_islinklocal(ip);
    *m = (struct ifaddrmsg){.ifa_family = AF_INET6,
                            .ifa_prefixlen = own ? 128 : 64,
                            .ifa_flags = (ip6_addr_istentative(netif_ip6_addr_state(n, i)) ? IFA_F_TENTATIVE : 0u) |
                                         (netif_ip6_addr_isstatic(n, i) ? IFA_F_PERMANENT : 0u),
                            .ifa_scope = own     ? RT_SCOPE_HOST
                                         : local ? RT_SCOPE_LINK
                                                 : RT_SCOPE_UNIVERSE,
                            .ifa_index = netif_get_index(n)};
    attribute(a, IFA_ADDRESS, ip->addr, 16);
    message_end(a);
}

static void get_addresses(struct answer *a, uint8_t family) {
    for (unsigned i = 1; i < INTERFACE_LIMIT; i++) {
        const struct netif *n = netif_get_by_index((uint8_t)i);
        if (!n) continue;
        if (family != AF_INET6 && !ip4_addr_isany(netif_ip4_addr(n))) tell_address4(a, n);
        for (int k = 0; family != AF_INET && k < LWIP_IPV6_NUM_ADDRESSES; k++)
            if (!ip6_addr_isinvalid(netif_ip6_addr_state(n, k))) tell_address6(a, n, k);
    }
}

static int change_address6(struct netif *n, const uint8_t *address, bool add) {
    ip6_addr_t ip;
    int8_t at;
    memcpy(ip.addr, address, 16);
    ip6_addr_clear_zone(&ip);
    ip6_addr_assign_zone(&ip, IP6_UNICAST, n);
    at = netif_get_ip6_addr_match(n, &ip);
    if (!add && at < 0) return -EADDRNOTAVAIL;
    if (!add) netif_ip6_addr_set_state(n, at, IP6_ADDR_INVALID);
    else if (at >= 0) return -EEXIST;
    else if (netif_add_ip6_address(n, &ip, &at) != ERR_OK) return -ENOBUFS;
    else netif_ip6_addr_set_state(n, at, n->hwaddr_len ? IP6_ADDR_TENTATIVE : IP6_ADDR_VALID);
    return 0;
}

static int change_address(const struct ifaddrmsg *m, const uint8_t *rest, size_t left, bool add) {
    struct netif *n = netif_get_by_index((uint8_t)m->ifa_index);
    bool v6 = m->ifa_family == AF_INET6;
    const void *given = find(rest, left, IFA_LOCAL, v6 ? 16 : 4);
    if (!given) given = find(rest, left, IFA_ADDRESS, v6 ? 16 : 4);
    if (!n || m->ifa_index > 255) return -ENODEV;
    if (!given || m->ifa_prefixlen > (v6 ? 128 : 32)) return -EINVAL;
    if (v6) return change_address6(n, given, add);
    ip4_addr_t address, mask = {m->ifa_prefixlen ? htonl(UINT32_MAX << (32 - m->ifa_prefixlen)) : 0}, none = {0};
    memcpy(&address, given, sizeof(address));
    bool same = ip4_addr_cmp(&address, netif_ip4_addr(n));
    if (!add && !same) return -EADDRNOTAVAIL;
    if (add && same) return -EEXIST;
    if (add && !ip4_addr_isany(netif_ip4_addr(n))) return -EEXIST; /* there is room for one */
    interface_set_address(n, add ? &address : &none, add ? &mask : &none);
    return 0;
}

/* --- routes ----------------------------------------------------------------------------------------- */

static void tell_route(struct answer *a, const struct route *r, uint8_t protocol, uint32_t source) {
    struct rtmsg *m = message_begin(a, RTM_NEWROUTE, NLM_F_MULTI, sizeof(*m));
    if (!m) return;
    *m = (struct rtmsg){.rtm_family = AF_INET,
                        .rtm_dst_len = mask_length(r->mask),
                        .rtm_table = RT_TABLE_MAIN,
                        .rtm_protocol = protocol,
                        .rtm_scope = r->gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
                        .rtm_type = RTN_UNICAST};
    if (r->mask) attribute_number(a, RTA_DST, r->network);
    if (r->gateway) attribute_number(a, RTA_GATEWAY, r->gateway);
    if (source) attribute_number(a, RTA_PREFSRC, source);
    attribute_number(a, RTA_OIF, r->interface);
    attribute_number(a, RTA_TABLE, RT_TABLE_MAIN);
    message_end(a);
}

static void get_routes(struct answer *a, uint8_t family) {
    struct netif *n;
    if (family == AF_INET6) return;
    for (const struct route *r = routes; r; r = r->next) tell_route(a, r, RTPROT_BOOT, 0);
    NETIF_FOREACH(n) {
        uint32_t address = ip4_addr_get_u32(netif_ip4_addr(n)), mask = ip4_addr_get_u32(netif_ip4_netmask(n));
        if (!n->hwaddr_len || !address || !netif_is_up(n)) continue;
        struct route own = {.network = address & mask, .mask = mask, .interface = netif_get_index(n)};
        struct route router = {.gateway = ip4_addr_get_u32(netif_ip4_gw(n)), .interface = own.interface};
        if (router.gateway) tell_route(a, &router, RTPROT_DHCP, 0);
        tell_route(a, &own, RTPROT_KERNEL, address);
    }
}

static int change_route(const struct rtmsg *m, const uint8_t *rest, size_t left, bool add, bool replace) {
    struct route r = {.network = find_number(rest, left, RTA_DST), .gateway = find_number(rest, left, RTA_GATEWAY)};
    uint32_t interface = find_number(rest, left, RTA_OIF);
    struct netif *n, *on = nullptr;
    if (m->rtm_family != AF_INET) return -EAFNOSUPPORT;
    if (m->rtm_dst_len > 32 || interface > 255) return -EINVAL;
    r.mask = m->rtm_dst_len ? htonl(UINT32_MAX << (32 - m->rtm_dst_len)) : 0;
    if (interface) on = netif_get_by_index((uint8_t)interface);
    else NETIF_FOREACH(n)
    if (n->hwaddr_len && r.gateway &&
        ip4_addr_netcmp(&(ip4_addr_t){r.gateway}, netif_ip4_addr(n), netif_ip4_netmask(n)))
        on = n;
    if (!add) {
        int e = route_delete(r.network, r.mask, r.gateway, (uint8_t)interface);
        if (!e || r.mask || !netif_default || ip4_addr_isany(netif_ip4_gw(netif_default))) return e;
        netif_set_gw(netif_default, IP4_ADDR_ANY4); /* what DHCP told */
        return 0;
    }
    if (!on) return interface ? -ENODEV : -ENETUNREACH;
    r.interface = netif_get_index(on);
    if (replace) (void)!route_delete(r.network, r.mask, 0, 0);
    return route_add(&r);
}

/* --- requests --------------------------------------------------------------------------------------- */

static int serve(struct answer *a, const struct nlmsghdr *h, const uint8_t *body, size_t size, bool privileged) {
    bool dump = (h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    uint8_t family = size ? body[0] : AF_UNSPEC;
    union {
        struct ifinfomsg link;
        struct ifaddrmsg address;
        struct rtmsg route;
    } m = {};
    bool changes = (h->nlmsg_type & 3) != 2; /* NEW, DEL, SET; GET is the third of four */
    size_t head = h->nlmsg_type < RTM_NEWADDR    ? sizeof(m.link)
                  : h->nlmsg_type < RTM_NEWROUTE ? sizeof(m.address)
                                                 : sizeof(m.route);
    if (changes && !privileged) return -EPERM;
    if (size < head && !dump) return -EINVAL;
    memcpy(&m, body, size < head ? size : head);
    const uint8_t *rest = size > NLMSG_ALIGN(head) ? body + NLMSG_ALIGN(head) : body;
    size_t left = size > NLMSG_ALIGN(head) ? size - NLMSG_ALIGN(head) : 0;
    switch (h->nlmsg_type) {
    case RTM_GETLINK: return get_links(a, &m.link, rest, left, dump);
    case RTM_GETADDR: get_addresses(a, family); return 0;
    case RTM_GETROUTE: get_routes(a, family); return 0;
    case RTM_NEWLINK:
    case RTM_SETLINK: return set_link(&m.link, rest, left);
    case RTM_NEWADDR:
    case RTM_DELADDR: return change_address(&m.address, rest, left, h->nlmsg_type == RTM_NEWADDR);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        return change_route(&m.route, rest, left, h->nlmsg_type == RTM_NEWROUTE, h->nlmsg_flags & NLM_F_REPLACE);
    case RTM_GETRULE:
    case RTM_GETNEIGH: return 0;
    default: return -EOPNOTSUPP;
    }
}

int64_t netlink_answer(struct port_buffer *call, bool privileged) {
    static uint8_t request[8192], made[CALL_DATA_MAX];
    struct nlmsghdr h;
    if (call->request.length < sizeof(h) || call->request.length > sizeof(request)) return -EINVAL;
    memcpy(request, call->data, call->request.length);
    memcpy(&h, request, sizeof(h));
    if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > call->request.length) return -EINVAL;
    struct answer a = {.bytes = made, .room = sizeof(made), .sequence = h.nlmsg_seq};
    a.port = (uint32_t)call->request.args[1];
    bool dump = (h.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    int e = serve(&a, &h, request + NLMSG_HDRLEN, h.nlmsg_len - NLMSG_HDRLEN, privileged);
    if (e || (h.nlmsg_flags & NLM_F_ACK && !dump)) {
        struct nlmsgerr *error = message_begin(&a, NLMSG_ERROR, 0, sizeof(*error));
        if (error) *error = (struct nlmsgerr){.error = e, .msg = h};
        message_end(&a);
    } else if (dump && message_begin(&a, NLMSG_DONE, NLM_F_MULTI, sizeof(int))) {
        message_end(&a);
    }
    memcpy(call->data, made, a.used);
    call->reply.length = (uint32_t)a.used;
    return (int64_t)a.used;
}
