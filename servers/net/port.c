// SPDX-License-Identifier: MIT
/*
 * TCP ports in use.  A port has the sockets that are bound to it or listen (few), and counts the
 * connections accepted from it, which may be many.  lwIP never refuses one: it is asked after us.
 */
#include "net.h"
#include <lwip/priv/tcp_priv.h>
#include <stdlib.h>

#define BUCKETS 1024
#define EPHEMERAL_FIRST 32768
#define EPHEMERAL_COUNT 28232

struct port {
    struct port *next;
    struct socket *bound;
    uint32_t connections; /* accepted: they keep their listener's port */
    uint16_t number;
};
static struct port *buckets[BUCKETS];

static struct port **port_place(uint16_t number) {
    struct port **p = &buckets[number % BUCKETS];
    while (*p && (*p)->number != number) p = &(*p)->next;
    return p;
}

static struct port *port_get(uint16_t number) {
    struct port **place = port_place(number);
    if (!*place && (*place = calloc(1, sizeof(**place)))) (*place)->number = number;
    return *place;
}

static void port_free_unused(struct port **place) {
    struct port *p = *place;
    if (p->bound || p->connections) return;
    *place = p->next;
    free(p);
}

/* Do two sockets' own addresses overlap? Any of AF_INET6 has those of IPv4, too, unless told otherwise. */
static bool overlap(const struct socket *a, const ip_addr_t *b, bool b_is_6, bool b_only_6) {
    bool a_any = address_is_any(&a->local.ip), b_any = address_is_any(b);
    bool a_is_6 = a->family == AF_INET6 && (a_any || IP_IS_V6(&a->local.ip));
    if (a_any && b_any) return a_is_6 == b_is_6 || (a_is_6 ? !a->only_v6 : !b_only_6);
    if (a_any) return a_is_6 ? IP_IS_V6(b) || !a->only_v6 : IP_IS_V4(b);
    if (b_any) return b_is_6 ? IP_IS_V6(&a->local.ip) || !b_only_6 : IP_IS_V4(&a->local.ip);
    return ip_addr_cmp_zoneless(&a->local.ip, b);
}

/* TIME_WAIT */
static bool is_waiting(uint16_t number) {
    for (const struct tcp_pcb *p = tcp_tw_pcbs; p; p = p->next)
        if (p->local_port == number) return true;
    return false;
}

static bool conflict(const struct socket *s, const ip_addr_t *ip, const struct port *p) {
    bool is_6 = s->family == AF_INET6 && (address_is_any(ip) || IP_IS_V6(ip));
    if (!s->reuse_address && !s->reuse_port && (p->connections || is_waiting(p->number))) return true;
    for (const struct socket *o = p->bound; o; o = o->port_next) {
        if (!overlap(o, ip, is_6, s->only_v6)) continue;
        if (s->reuse_port && o->reuse_port) continue;
        if (s->reuse_address && o->reuse_address && o->state != INET_LISTENING) continue;
        return true;
    }
    return false;
}

static uint16_t port_free(void) {
    static uint32_t next;
    if (!next) next = LWIP_RAND();
    for (uint32_t i = 0; i < EPHEMERAL_COUNT; i++) {
        uint16_t number = (uint16_t)(EPHEMERAL_FIRST + next++ % EPHEMERAL_COUNT);
        if (!*port_place(number)) return number;
    }
    return 0;
}

int port_bind(struct socket *s, const struct endpoint *local) {
    uint16_t number = local->port ? local->port : port_free();
    struct port *p = number ? port_get(number) : nullptr;
    if (!p) return number ? -ENOMEM : local->port ? -EADDRINUSE : -EADDRNOTAVAIL;
    if (local->port && conflict(s, &local->ip, p)) {
        port_free_unused(port_place(number)); /* in TIME_WAIT only */
        return -EADDRINUSE;
    }
    s->local = (struct endpoint){.ip = local->ip, .port = number};
    s->port_next = p->bound;
    p->bound = s;
    s->bound = true;
    return 0;
}

void port_unbind(struct socket *s) {
    struct port **place = port_place(s->local.port);
    struct socket **at = &(*place)->bound;
    if (!s->bound) return;
    while (*at != s) at = &(*at)->port_next;
    *at = s->port_next;
    s->bound = false;
    port_free_unused(place);
}

void port_connection(uint16_t number, int more) {
    struct port **place = port_place(number);
    if (!*place) return;
    (*place)->connections += (uint32_t)more;
    port_free_unused(place);
}

/* The most particular one; of several that share the port, by turns. */
struct socket *port_listener(const struct endpoint *local) {
    static uint32_t turn;
    struct port *p = *port_place(local->port);
    struct socket *best = nullptr;
    uint32_t same = 0;
    for (struct socket *s = p ? p->bound : nullptr; s; s = s->port_next) {
        bool any = address_is_any(&s->local.ip);
        if (s->state != INET_LISTENING || !overlap(s, &local->ip, IP_IS_V6(&local->ip), false)) continue;
        bool best_any = best && address_is_any(&best->local.ip);
        if (!best || (best_any && !any)) best = s, same = 1;
        else if (best_any == any && turn++ % ++same == 0) best = s;
    }
    return best;
}
