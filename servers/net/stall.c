// SPDX-License-Identifier: MIT
/*
 * Connections whose peer has gone without a word, or never meant to answer. lwIP gives up after a number of
 * retransmissions and probes; a program may ask for less (TCP_USER_TIMEOUT, RFC 5482; TCP_LINGER2), and what no
 * program has any more must not stay because the peer never acknowledges it, or keeps its window shut.
 *
 * What is known of a connection lies in its pcb, which outlives the program's socket.
 */
#include "net.h"
#include <hooks.h>
#include <lwip/etharp.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>

#define HALF_OPEN_MAX 1024 /* beyond that, the oldest are forgotten */
#define ORPHAN_MS 60000 /* without progress */

enum { STALL_SINCE, STALL_USER_TIMEOUT_MS, STALL_LINGER_MS, STALL_WORDS };
static_assert(STALL_WORDS == LWIP_TCP_PCB_NUM_EXT_ARGS);

void stall_options(const struct socket *s) {
    s->tcp->ext_args[STALL_USER_TIMEOUT_MS].data = (void *)(uintptr_t)s->user_timeout_ms;
    s->tcp->ext_args[STALL_LINGER_MS].data = (void *)(intptr_t)(s->linger2_s * 1000);
}

static bool is_orphan(const struct tcp_pcb *p) {
    const struct socket *s = p->callback_arg;
    return !s || s->closed;
}

static uint32_t silent_ms(const struct tcp_pcb *p) { return (tcp_ticks - p->tmr) * TCP_SLOW_INTERVAL; }

/* How long something has been under way of which the peer has acknowledged nothing. */
static uint32_t stalled_ms(struct tcp_pcb *p) {
    uint32_t now = sys_now() | 1;
    uintptr_t word = (uintptr_t)p->ext_args[STALL_SINCE].data;
    bool waits = p->unacked || p->unsent;
    if (!waits || !word || word >> 32 != p->lastack) word = waits ? (uintptr_t)p->lastack << 32 | now : 0;
    p->ext_args[STALL_SINCE].data = (void *)word;
    return waits ? now - (uint32_t)word : 0;
}

static bool gives_up(struct tcp_pcb *p) {
    uint32_t user = (uint32_t)(uintptr_t)p->ext_args[STALL_USER_TIMEOUT_MS].data, stalled = stalled_ms(p);
    int linger = (int)(intptr_t)p->ext_args[STALL_LINGER_MS].data;
    if (user && stalled >= user) return true;
    if (user && p->keep_cnt_sent && silent_ms(p) >= user) return true;
    if (!is_orphan(p)) return false;
    if (p->state == FIN_WAIT_2) return linger && (linger < 0 || silent_ms(p) >= (uint32_t)linger);
    return stalled >= ORPHAN_MS;
}

void stall_end(struct tcp_pcb *pcb, int error) {
    struct socket *s = pcb->callback_arg;
    if (s) s->error = error;
    tcp_abandon(pcb, 0);
}

/* It connects, and the host or its router has not answered ARP since (three seconds). */
static bool is_nowhere(const struct tcp_pcb *p) {
    struct eth_addr *hardware;
    const ip4_addr_t *found, *to = ip_2_ip4(&p->remote_ip);
    if (p->state != SYN_SENT || !p->nrtx || !IP_IS_V4_VAL(p->remote_ip)) return false;
    struct netif *n = ip4_route_src(ip_2_ip4(&p->local_ip), to);
    if (!n || !n->hwaddr_len) return false;
    if (!ip4_addr_netcmp(to, netif_ip4_addr(n), netif_ip4_netmask(n))) {
        const ip4_addr_t *router = route_gateway(n, to);
        to = router ? router : netif_ip4_gw(n);
    }
    return etharp_find_addr(n, to, &hardware, &found) < 0;
}

void stalls_end(void) {
    unsigned half_open = 0;
    for (struct tcp_pcb *p = tcp_active_pcbs, *next; p; p = next) {
        next = p->next; /* the newest come first */
        if (is_nowhere(p)) {
            stall_end(p, EHOSTUNREACH);
        } else if (p->state != SYN_RCVD) {
            if (gives_up(p)) tcp_abandon(p, is_orphan(p));
        } else if (++half_open > HALF_OPEN_MAX) {
            tcp_abandon(p, 0); /* a flood: who means it has answered long before so many others have come */
        }
    }
    for (struct tcp_pcb *p = tcp_tw_pcbs; p; p = p->next)
        if (p->callback_arg) stream_waits(p->callback_arg);
}
