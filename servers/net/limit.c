// SPDX-License-Identifier: MIT
/*
 * Sockets that reach some addresses only: INET_LIMIT (cathode/inet.h). The rules come with the socket wherever it is
 * passed to, and are looked at where an address is used, so there is no way around them by a second connect(), an
 * address in sendmsg(), or another form of the same address (endpoint.ip is IPv4 however it was written).
 */
#include "net.h"
#include <stdlib.h>
#include <string.h>

struct limit {
    uint32_t users, count;
    struct inet_rule rules[];
};

static bool is_valid(const struct inet_rule *r) {
    unsigned bits = r->family == AF_INET ? 32 : r->family == AF_INET6 ? 128 : 0;
    bool known = r->family == AF_INET || r->family == AF_INET6 || r->family == 0;
    return known && r->prefix <= bits && r->first <= r->last && (r->what == INET_RULE_TO || r->what == INET_RULE_AT);
}

int limit_make(struct socket *s, const struct inet_rule *rules, size_t count) {
    if (count == 0) return 0;
    struct limit *l = malloc(sizeof(*l) + count * sizeof(*rules));
    if (!l) return -ENOMEM;
    *l = (struct limit){.users = 1, .count = (uint32_t)count};
    memcpy(l->rules, rules, count * sizeof(*rules));
    s->limit = l;
    return 0;
}

int64_t limit_set(struct socket *s, struct port_buffer *call) {
    const struct inet_rule *rules = (const struct inet_rule *)call->data;
    size_t size = call->request.length, count = size / sizeof(*rules);
    if (s->limit) return -EPERM;
    if (s->state != INET_IDLE || s->bound || size % sizeof(*rules) || !count || count > INET_RULES_MAX) return -EINVAL;
    for (size_t i = 0; i < count; i++)
        if (!is_valid(&rules[i])) return -EINVAL;
    return limit_make(s, rules, count);
}

const struct inet_rule *limit_rules(const struct socket *s, uint32_t *count) {
    *count = s->limit ? s->limit->count : 0;
    return s->limit ? s->limit->rules : nullptr;
}

void limit_share(struct socket *s, const struct socket *from) {
    s->limit = from->limit;
    if (s->limit) s->limit->users++;
}

void limit_put(struct socket *s) {
    if (s->limit && --s->limit->users == 0) free(s->limit);
    s->limit = nullptr;
}

static bool prefix_is(const uint8_t *a, const uint8_t *b, unsigned bits) {
    unsigned rest = bits % 8;
    if (memcmp(a, b, bits / 8) != 0) return false;
    return rest == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - rest)) == 0;
}

bool limit_allows(const struct socket *s, enum inet_rule_what what, const ip_addr_t *ip, uint16_t port) {
    if (!s->limit) return true;
    bool v6 = IP_IS_V6(ip);
    const void *address = v6 ? (const void *)ip_2_ip6(ip)->addr : &ip_2_ip4(ip)->addr;
    for (uint32_t i = 0; i < s->limit->count; i++) {
        const struct inet_rule *r = &s->limit->rules[i];
        if (r->what != what || port < r->first || port > r->last) continue;
        if (!r->family || (r->family == (v6 ? AF_INET6 : AF_INET) && prefix_is(address, r->address, r->prefix)))
            return true;
    }
    return false;
}

/* Any address of IPv6 is any of IPv4, too, unless the socket was told otherwise. */
bool limit_allows_at(const struct socket *s, const struct endpoint *local) {
    bool any = address_is_any(&local->ip), six = s->family == AF_INET6 && any;
    const ip_addr_t *ip = six ? IP6_ADDR_ANY : &local->ip;
    return limit_allows(s, INET_RULE_AT, ip, local->port) &&
           (!six || s->only_v6 || limit_allows(s, INET_RULE_AT, IP4_ADDR_ANY, local->port));
}
