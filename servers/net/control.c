// SPDX-License-Identifier: MIT
/* ioctl(2) on sockets: SIOCGIF*, SIOCSIF*, routes. Privileged to change anything. */
#include "interface.h"
#include <lwip/dhcp.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static int64_t answer(struct port_buffer *call, const void *value, size_t size) {
    memcpy(call->data, value, size);
    call->reply.length = (uint32_t)size;
    return 0;
}

static void put_address(struct sockaddr *to, uint32_t address) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = address};
    memcpy(to, &a, sizeof(a));
}

static uint32_t get_address(const struct sockaddr *from) {
    struct sockaddr_in a;
    memcpy(&a, from, sizeof(a));
    return a.sin_addr.s_addr;
}

static void put_hardware(const struct netif *n, struct ifreq *r) {
    r->ifr_hwaddr = (struct sockaddr){.sa_family = n->hwaddr_len ? ARPHRD_ETHER : ARPHRD_LOOPBACK};
    memcpy(r->ifr_hwaddr.sa_data, n->hwaddr, n->hwaddr_len);
}

static int get_request(const struct netif *n, uint32_t request, struct ifreq *r) {
    uint32_t address = ip4_addr_get_u32(netif_ip4_addr(n)), mask = ip4_addr_get_u32(netif_ip4_netmask(n));
    bool has_address = address != 0;
    switch (request) {
    case SIOCGIFFLAGS: r->ifr_flags = (short)interface_flags(n); return 0;
    case SIOCGIFINDEX: r->ifr_ifindex = netif_get_index(n); return 0;
    case SIOCGIFMTU: r->ifr_mtu = n->mtu; return 0;
    case SIOCGIFMETRIC: r->ifr_metric = 0; return 0;
    case SIOCGIFTXQLEN: r->ifr_qlen = 1000; return 0;
    case SIOCGIFHWADDR: put_hardware(n, r); return 0;
    case SIOCGIFMAP: memset(&r->ifr_map, 0, sizeof(r->ifr_map)); return 0;
    case SIOCGIFADDR: put_address(&r->ifr_addr, address); return has_address ? 0 : -EADDRNOTAVAIL;
    case SIOCGIFNETMASK: put_address(&r->ifr_netmask, mask); return has_address ? 0 : -EADDRNOTAVAIL;
    case SIOCGIFDSTADDR: put_address(&r->ifr_dstaddr, address); return has_address ? 0 : -EADDRNOTAVAIL;
    case SIOCGIFBRDADDR:
        put_address(&r->ifr_broadaddr, n->hwaddr_len ? address | ~mask : 0);
        return has_address ? 0 : -EADDRNOTAVAIL;
    default: return -ENOTTY;
    }
}

/* The mask that an address had before there were masks. */
static uint32_t class_mask(uint32_t address) {
    uint8_t first = (uint8_t)address;
    return htonl(first < 128 ? 0xff000000 : first < 192 ? 0xffff0000 : 0xffffff00);
}

static int set_request(struct netif *n, uint32_t request, const struct ifreq *r) {
    ip4_addr_t address = *netif_ip4_addr(n), mask = *netif_ip4_netmask(n);
    switch (request) {
    case SIOCSIFFLAGS: interface_set_up(n, r->ifr_flags & IFF_UP); return 0;
    case SIOCSIFADDR:
        address.addr = get_address(&r->ifr_addr);
        mask.addr = address.addr ? class_mask(address.addr) : 0;
        interface_set_address(n, &address, &mask);
        if (address.addr) interface_set_up(n, true);
        return 0;
    case SIOCSIFNETMASK:
        mask.addr = get_address(&r->ifr_netmask);
        if (~ntohl(mask.addr) & (~ntohl(mask.addr) + 1)) return -EINVAL; /* with holes */
        interface_set_address(n, &address, &mask);
        return 0;
    case SIOCSIFMTU:
        if (r->ifr_mtu < 576 || r->ifr_mtu > (n->hwaddr_len ? 1500 : 65535)) return -EINVAL;
        n->mtu = n->mtu6 = (uint16_t)r->ifr_mtu;
        return 0;
    case SIOCSIFBRDADDR:
    case SIOCSIFMETRIC:
    case SIOCSIFTXQLEN:
    case SIOCSIFDSTADDR: return 0; /* follows from the rest, or of no effect */
    default: return -ENOTTY;
    }
}

static int change_route(uint32_t request, const struct port_buffer *call) {
    struct rtentry e;
    const char *device = (const char *)call->data + sizeof(e); /* libposix copies the name behind it */
    if (call->request.length < sizeof(e) + INTERFACE_NAME_MAX) return -EINVAL;
    memcpy(&e, call->data, sizeof(e));
    if (!memchr(device, 0, INTERFACE_NAME_MAX) || e.rt_dst.sa_family != AF_INET) return -EINVAL;
    struct route r = {.network = get_address(&e.rt_dst), .mask = get_address(&e.rt_genmask)};
    struct netif *n = device[0] ? interface_named(device) : nullptr;
    if (device[0] && !n) return -ENODEV;
    if (e.rt_flags & RTF_HOST) r.mask = UINT32_MAX;
    if (e.rt_flags & RTF_GATEWAY) r.gateway = get_address(&e.rt_gateway);
    if (!n && r.gateway) {
        struct netif *i;
        NETIF_FOREACH(i)
        if (i->hwaddr_len && ip4_addr_netcmp(&(ip4_addr_t){r.gateway}, netif_ip4_addr(i), netif_ip4_netmask(i))) n = i;
    }
    if (request == SIOCDELRT) {
        int error = route_delete(r.network, r.mask, r.gateway, n ? netif_get_index(n) : 0);
        if (error && r.mask == 0 && netif_default &&
            !ip4_addr_isany(netif_ip4_gw(netif_default))) { /* what DHCP told */
            netif_set_gw(netif_default, IP4_ADDR_ANY4);
            error = 0;
        }
        return error;
    }
    if (!n) return r.gateway ? -ENETUNREACH : -ENODEV;
    r.interface = netif_get_index(n);
    return route_add(&r);
}

static bool changes(uint32_t request) {
    switch (request) {
    case SIOCADDRT:
    case SIOCDELRT:
    case SIOCSIFFLAGS:
    case SIOCSIFADDR:
    case SIOCSIFNETMASK:
    case SIOCSIFBRDADDR:
    case SIOCSIFDSTADDR:
    case SIOCSIFMETRIC:
    case SIOCSIFMTU:
    case SIOCSIFTXQLEN: return true;
    default: return false;
    }
}

/* SIOCGIFCONF: libposix has the room, and puts the pointer. */
static int64_t list(struct port_buffer *call) {
    size_t room = call->request.args[2] < CALL_DATA_MAX ? call->request.args[2] : CALL_DATA_MAX, at = 0;
    for (unsigned i = 1; i < 256; i++) {
        struct ifreq r = {};
        const struct netif *n = netif_get_by_index((uint8_t)i);
        if (!n || ip4_addr_isany(netif_ip4_addr(n)) || at + sizeof(r) > room) continue;
        snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", interface_name(n));
        put_address(&r.ifr_addr, ip4_addr_get_u32(netif_ip4_addr(n)));
        memcpy(call->data + at, &r, sizeof(r));
        at += sizeof(r);
    }
    call->reply.length = (uint32_t)at;
    return (int64_t)at;
}

int64_t interface_control(struct port_buffer *call, bool privileged) {
    uint32_t request = (uint32_t)call->request.args[0];
    struct ifreq r;
    if (changes(request) && !privileged) return -EPERM;
    if (request == SIOCADDRT || request == SIOCDELRT) return change_route(request, call);
    if (request == SIOCGIFCONF) return list(call);
    if (request >> 8 != 0x89 || call->request.length < sizeof(r)) return -ENOTTY;
    memcpy(&r, call->data, sizeof(r));
    r.ifr_name[sizeof(r.ifr_name) - 1] = 0;
    if (request == SIOCGIFNAME) {
        const struct netif *n = r.ifr_ifindex > 0 ? netif_get_by_index((uint8_t)r.ifr_ifindex) : nullptr;
        if (!n) return -ENODEV;
        snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", interface_name(n));
        return answer(call, &r, sizeof(r));
    }
    struct netif *n = interface_named(r.ifr_name);
    if (!n) return -ENODEV;
    int e = changes(request) ? set_request(n, request, &r) : get_request(n, request, &r);
    return e ? e : answer(call, &r, sizeof(r));
}
