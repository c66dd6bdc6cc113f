// SPDX-License-Identifier: MIT
/*
 * IPv4 routes beyond the interfaces' own networks.  lwIP asks here for the interface, and for the router
 * on it; the longest mask wins.  What DHCP tells is the interface's own router, used when nothing here fits.
 */
#include "interface.h"
#include <hooks.h>
#include <lwip/ip.h>
#include <stdlib.h>

struct route *routes; /* longest masks first */

static struct netif *usable(uint8_t interface) {
    struct netif *n = netif_get_by_index(interface);
    return n && netif_is_up(n) && netif_is_link_up(n) ? n : nullptr;
}

static const struct route *route_find(uint32_t to, const struct netif *only) {
    for (const struct route *r = routes; r; r = r->next) {
        if ((to & r->mask) != r->network) continue;
        if (only ? netif_get_index(only) == r->interface : usable(r->interface) != nullptr) return r;
    }
    return nullptr;
}

struct netif *route_interface(const ip4_addr_t *source, const ip4_addr_t *to) {
    struct netif *n;
    if (source && !ip4_addr_isany(source)) { /* the interface that has this address, if it leads there */
        NETIF_FOREACH(n)
        if (ip4_addr_cmp(netif_ip4_addr(n), source) && ip4_addr_ismulticast(to)) return n;
        return nullptr;
    }
    const struct route *r = route_find(ip4_addr_get_u32(to), nullptr);
    return r ? usable(r->interface) : nullptr;
}

const ip4_addr_t *route_gateway(struct netif *n, const ip4_addr_t *to) {
    static ip4_addr_t gateway;
    const struct route *r = route_find(ip4_addr_get_u32(to), n);
    if (!r) return nullptr; /* the interface's own */
    gateway.addr = r->gateway ? r->gateway : ip4_addr_get_u32(to);
    return &gateway;
}

bool route_leads_to(const ip_addr_t *ip) {
    const ip4_addr_t *to = ip_2_ip4(ip);
    if (IP_IS_V6(ip)) return true;
    const struct netif *n = ip4_route(to);
    if (!n || !n->hwaddr_len || ip4_addr_isany(netif_ip4_addr(n))) return n; /* it may get one of each yet */
    return ip4_addr_netcmp(to, netif_ip4_addr(n), netif_ip4_netmask(n)) || ip4_addr_ismulticast(to) ||
           ip4_addr_isbroadcast(to, n) || route_gateway((struct netif *)n, to) || !ip4_addr_isany(netif_ip4_gw(n));
}

int route_add(const struct route *new) {
    struct route **at = &routes;
    if (new->network & ~new->mask) return -EINVAL;
    for (const struct route *r = routes; r; r = r->next)
        if (r->network == new->network && r->mask == new->mask && r->gateway == new->gateway &&
            r->interface == new->interface)
            return -EEXIST;
    struct route *r = malloc(sizeof(*r));
    if (!r) return -ENOMEM;
    while (*at && lwip_htonl((*at)->mask) >= lwip_htonl(new->mask)) at = &(*at)->next;
    *r = *new;
    r->next = *at;
    *at = r;
    return 0;
}

int route_delete(uint32_t network, uint32_t mask, uint32_t gateway, uint8_t interface) {
    for (struct route **at = &routes; *at; at = &(*at)->next) {
        struct route *r = *at;
        if (r->network != network || r->mask != mask) continue;
        if ((gateway && r->gateway != gateway) || (interface && r->interface != interface)) continue;
        *at = r->next;
        free(r);
        return 0;
    }
    return -ESRCH;
}

void routes_of_interface_end(uint8_t interface) {
    for (struct route **at = &routes; *at;) {
        struct route *r = *at;
        if (r->interface != interface) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        free(r);
    }
}
