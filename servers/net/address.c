// SPDX-License-Identifier: MIT
/* Addresses: programs' (struct sockaddr), lwIP's, and names. */
#include "net.h"
#include <arpa/inet.h>
#include <lwip/err.h>
#include <string.h>

void address_from_6(const struct in6_addr *from, uint32_t scope, ip_addr_t *out) {
    if (IN6_IS_ADDR_V4MAPPED(from)) {
        ip_addr_set_ip4_u32(out, *(const uint32_t *)&from->s6_addr[12]);
        return;
    }
    *out = (ip_addr_t)IPADDR6_INIT(0, 0, 0, 0);
    memcpy(ip_2_ip6(out)->addr, from->s6_addr, 16);
    if (ip6_addr_has_scope(ip_2_ip6(out), IP6_UNKNOWN)) ip6_addr_set_zone(ip_2_ip6(out), (uint8_t)scope);
}

void address_to_6(const ip_addr_t *from, struct in6_addr *out) {
    *out = (struct in6_addr){};
    if (IP_IS_V6(from)) {
        memcpy(out, ip_2_ip6(from)->addr, 16);
    } else {
        out->s6_addr[10] = out->s6_addr[11] = 0xff;
        memcpy(&out->s6_addr[12], &ip_2_ip4(from)->addr, 4);
    }
}

int address_parse(uint8_t family, const void *bytes, size_t length, struct endpoint *out) {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    sa_family_t given;
    if (length < sizeof(given)) return -EINVAL;
    memcpy(&given, bytes, sizeof(given));
    if (given == AF_UNSPEC && family == AF_INET && length >= sizeof(v4)) given = AF_INET; /* bind(INADDR_ANY) */
    if (given != family && given != AF_INET) return -EAFNOSUPPORT;
    if (given != family) return family == AF_INET6 ? -EINVAL : -EAFNOSUPPORT;
    if (family == AF_INET) {
        if (length < sizeof(v4)) return -EINVAL;
        memcpy(&v4, bytes, sizeof(v4));
        *out = (struct endpoint){.port = ntohs(v4.sin_port)};
        ip_addr_set_ip4_u32(&out->ip, v4.sin_addr.s_addr);
        return 0;
    }
    if (length < 24) return -EINVAL; /* without a scope, as of old */
    v6 = (struct sockaddr_in6){};
    memcpy(&v6, bytes, length < sizeof(v6) ? length : sizeof(v6));
    *out = (struct endpoint){.port = ntohs(v6.sin6_port)};
    address_from_6(&v6.sin6_addr, v6.sin6_scope_id, &out->ip);
    return 0;
}

size_t address_format(uint8_t family, const struct endpoint *e, void *bytes) {
    if (family == AF_INET) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(e->port)};
        if (IP_IS_V4(&e->ip)) v4.sin_addr.s_addr = ip_addr_get_ip4_u32(&e->ip);
        memcpy(bytes, &v4, sizeof(v4));
        return sizeof(v4);
    }
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(e->port)};
    if (IP_IS_V6_VAL(e->ip) || !ip4_addr_isany_val(*ip_2_ip4(&e->ip))) address_to_6(&e->ip, &v6.sin6_addr);
    if (IP_IS_V6_VAL(e->ip)) v6.sin6_scope_id = ip6_addr_zone(ip_2_ip6(&e->ip));
    memcpy(bytes, &v6, sizeof(v6));
    return sizeof(v6);
}

static bool port_parse(const char *text, uint16_t *out) {
    unsigned value = 0;
    if (!*text) return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return false;
        value = value * 10 + (unsigned)(*text - '0');
        if (value > 65535) return false;
    }
    *out = (uint16_t)value;
    return true;
}

int name_parse(const char *text, size_t length, bool wants_port, struct endpoint *out) {
    char copy[64], *host = copy, *port = nullptr;
    *out = (struct endpoint){};
    if (length == 0 || length >= sizeof(copy) || memchr(text, 0, length)) return -ENOENT;
    memcpy(copy, text, length);
    copy[length] = 0;
    if (wants_port) {
        port = strrchr(copy, ':');
        if (!port || !port_parse(port + 1, &out->port)) return -ENOENT;
        *port = 0;
    }
    size_t end = strlen(host);
    if (host[0] == '[' && end > 1 && host[end - 1] == ']') {
        host[end - 1] = 0;
        host++;
    } else if (wants_port && strchr(host, ':')) {
        return -ENOENT;
    }
    return ipaddr_aton(host, &out->ip) ? 0 : -ENOENT;
}

bool address_is_any(const ip_addr_t *ip) { return ip_addr_isany(ip); }

bool address_is_own(const ip_addr_t *ip) {
    struct netif *n;
    if (ip_addr_isloopback(ip)) return true;
    NETIF_FOREACH(n) {
        if (IP_IS_V4(ip) && !ip4_addr_isany(netif_ip4_addr(n)) && ip4_addr_cmp(netif_ip4_addr(n), ip_2_ip4(ip)))
            return true;
        for (int i = 0; IP_IS_V6(ip) && i < LWIP_IPV6_NUM_ADDRESSES; i++)
            if (ip6_addr_isvalid(netif_ip6_addr_state(n, i)) &&
                ip6_addr_cmp_zoneless(netif_ip6_addr(n, i), ip_2_ip6(ip)))
                return true;
    }
    return false;
}

int error_of(int8_t error) {
    switch (error) {
    case ERR_OK: return 0;
    case ERR_MEM:
    case ERR_BUF: return ENOBUFS;
    case ERR_TIMEOUT:
    case ERR_ABRT: return ETIMEDOUT;
    case ERR_RTE: return ENETUNREACH;
    case ERR_INPROGRESS: return EINPROGRESS;
    case ERR_USE: return EADDRINUSE;
    case ERR_ISCONN: return EISCONN;
    case ERR_CONN: return ENOTCONN;
    case ERR_RST:
    case ERR_CLSD: return ECONNRESET;
    case ERR_VAL: return EINVAL;
    default: return EIO;
    }
}
