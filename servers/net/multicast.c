// SPDX-License-Identifier: MIT
/*
 * Groups, and where messages to groups go. lwIP counts an interface's members; which socket is one is known here, so
 * that none leaves what another has joined, and all is left when it is closed.
 */
#include "interface.h"
#include <lwip/igmp.h>
#include <lwip/mld6.h>
#include <lwip/raw.h>
#include <lwip/udp.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 64 /* of one socket */

struct group {
    struct group *next;
    ip_addr_t ip;
    uint8_t interface;
};

/* --- joining and leaving ---------------------------------------------------------------------------- */

static err_t lwip_join(struct netif *n, const ip_addr_t *ip) {
    return IP_IS_V4(ip) ? igmp_joingroup_netif(n, ip_2_ip4(ip)) : mld6_joingroup_netif(n, ip_2_ip6(ip));
}

static void group_end(struct group **at) {
    struct group *g = *at;
    struct netif *n = netif_get_by_index(g->interface);
    if (n && IP_IS_V4_VAL(g->ip)) igmp_leavegroup_netif(n, ip_2_ip4(&g->ip));
    else if (n) mld6_leavegroup_netif(n, ip_2_ip6(&g->ip));
    *at = g->next;
    free(g);
}

void groups_leave(struct socket *s) {
    while (s->groups) group_end(&s->groups);
}

static int group_change(struct socket *s, struct netif *n, ip_addr_t ip, bool join) {
    unsigned count = 0;
    if (s->type == SOCK_STREAM) return -EPROTO;
    if (!ip_addr_ismulticast(&ip)) return -EINVAL;
    if (!n || (IP_IS_V4_VAL(ip) && !(n->flags & NETIF_FLAG_IGMP))) return -ENODEV;
    if (IP_IS_V6_VAL(ip)) ip6_addr_assign_zone(ip_2_ip6(&ip), IP6_MULTICAST, n);
    struct group **at = &s->groups;
    while (*at && ((*at)->interface != netif_get_index(n) || !ip_addr_cmp(&(*at)->ip, &ip))) at = &(*at)->next, count++;
    if (!join && !*at) return -EADDRNOTAVAIL;
    if (!join) return group_end(at), 0;
    if (*at) return -EADDRINUSE;
    struct group *g = count < GROUPS_MAX ? malloc(sizeof(*g)) : nullptr;
    if (!g || lwip_join(n, &ip) != ERR_OK) {
        free(g);
        return -ENOBUFS;
    }
    *g = (struct group){s->groups, ip, netif_get_index(n)};
    s->groups = g;
    return 0;
}

/* --- interfaces ------------------------------------------------------------------------------------- */

static struct netif *by_index(uint32_t index) { return index <= 255 ? netif_get_by_index((uint8_t)index) : nullptr; }

static struct netif *by_address(struct in_addr address) {
    struct netif *n;
    NETIF_FOREACH(n)
    if (ip4_addr_get_u32(netif_ip4_addr(n)) == address.s_addr) return n;
    return nullptr;
}

/* The interface for groups when none was named: that of the default route, or the loopback. */
static struct netif *usual(void) {
    struct netif *n, *any = netif_default;
    NETIF_FOREACH(n)
    if (!any) any = n;
    return any;
}

/* --- options ---------------------------------------------------------------------------------------- */

int group_by_address(struct socket *s, const void *value, size_t length, bool join) {
    struct ip_mreqn m = {};
    ip_addr_t ip;
    if (length < sizeof(struct ip_mreq)) return -EINVAL;
    memcpy(&m, value, length < sizeof(m) ? length : sizeof(m));
    ip_addr_set_ip4_u32(&ip, m.imr_multiaddr.s_addr);
    struct netif *n = m.imr_ifindex                        ? by_index((uint32_t)m.imr_ifindex)
                      : m.imr_address.s_addr != INADDR_ANY ? by_address(m.imr_address)
                                                           : usual();
    return group_change(s, n, ip, join);
}

int group_by_address6(struct socket *s, const void *value, size_t length, bool join) {
    struct ipv6_mreq m;
    ip_addr_t ip = IPADDR6_INIT(0, 0, 0, 0);
    if (length < sizeof(m)) return -EINVAL;
    memcpy(&m, value, sizeof(m));
    memcpy(ip_2_ip6(&ip)->addr, &m.ipv6mr_multiaddr, 16);
    return group_change(s, m.ipv6mr_interface ? by_index(m.ipv6mr_interface) : usual(), ip, join);
}

/* RFC 3678: of either family. */
int group_by_request(struct socket *s, const void *value, size_t length, bool join) {
    struct group_req r;
    struct endpoint e;
    if (length < sizeof(r)) return -EINVAL;
    memcpy(&r, value, sizeof(r));
    int error = address_parse(s->family, &r.gr_group, sizeof(r.gr_group), &e);
    return error ? error : group_change(s, r.gr_interface ? by_index(r.gr_interface) : usual(), e.ip, join);
}

static void send_by(struct socket *s, struct netif *n) {
    uint8_t index = n ? netif_get_index(n) : 0;
    if (s->udp) {
        udp_set_multicast_netif_index(s->udp, index);
        udp_set_multicast_netif_addr(s->udp, n ? netif_ip4_addr(n) : IP4_ADDR_ANY4);
    } else if (s->raw) {
        raw_set_multicast_netif_index(s->raw, index);
    }
}

int multicast_interface(struct socket *s, const void *value, size_t length) {
    struct ip_mreqn m = {};
    if (length < 4) return -EINVAL;
    if (length >= sizeof(struct ip_mreq)) memcpy(&m, value, length < sizeof(m) ? length : sizeof(m));
    else memcpy(&m.imr_address, value, 4);
    bool named = m.imr_ifindex || m.imr_address.s_addr != INADDR_ANY;
    struct netif *n = m.imr_ifindex ? by_index((uint32_t)m.imr_ifindex) : named ? by_address(m.imr_address) : nullptr;
    if (named && !n) return -EADDRNOTAVAIL;
    send_by(s, n);
    return 0;
}

int multicast_interface6(struct socket *s, int index) {
    struct netif *n = index ? by_index((uint32_t)index) : nullptr;
    if (index && !n) return -ENODEV;
    send_by(s, n);
    return 0;
}

int multicast_index(const struct socket *s) {
    return s->udp ? s->udp->mcast_ifindex : s->raw ? s->raw->mcast_ifindex : 0;
}

int multicast_ttl(struct socket *s, int value) {
    if (value < -1 || value > 255) return -EINVAL;
    uint8_t ttl = value < 0 ? 1 : (uint8_t)value;
    if (s->udp) udp_set_multicast_ttl(s->udp, ttl);
    if (s->raw) raw_set_multicast_ttl(s->raw, ttl);
    return 0;
}

bool multicast_loops(const struct socket *s) {
    return s->udp ? udp_is_flag_set(s->udp, UDP_FLAGS_MULTICAST_LOOP)
                  : !s->raw || raw_is_flag_set(s->raw, RAW_FLAGS_MULTICAST_LOOP);
}

int multicast_loop(struct socket *s, int value) {
    if (s->udp && value) udp_set_flags(s->udp, UDP_FLAGS_MULTICAST_LOOP);
    else if (s->udp) udp_clear_flags(s->udp, UDP_FLAGS_MULTICAST_LOOP);
    else if (s->raw && value) raw_set_flags(s->raw, RAW_FLAGS_MULTICAST_LOOP);
    else if (s->raw) raw_clear_flags(s->raw, RAW_FLAGS_MULTICAST_LOOP);
    return 0;
}
