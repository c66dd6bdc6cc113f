// SPDX-License-Identifier: MIT
/* What lwIP takes for its environment: time, random numbers, timers that run only while something waits for them. */
#include "interface.h"

#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/igmp.h>
#include <lwip/init.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>
#include <service.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <hooks.h> /* the last: it changes a name of others */

#define MS 1000000LL

void lwip_broken(const char *what, const char *file, int line) {
    service_log("net: %s (%s:%d)", what, file, line);
    abort();
}

uint32_t lwip_random(void) {
    static uint32_t pool[64];
    static unsigned left;
    if (!left) {
        getrandom(pool, sizeof(pool), 0);
        left = sizeof(pool) / sizeof(pool[0]);
    }
    return pool[--left];
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 * MS + t.tv_nsec;
}

u32_t sys_now(void) { return (u32_t)(now_ns() / MS); }

/* --- RFC 6528 -------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t a, uint64_t b) {
    a ^= b;
    a *= 0xff51afd7ed558ccdULL;
    a ^= a >> 33;
    a *= 0xc4ceb9fe1a85ec53ULL;
    return a ^ a >> 29;
}

static uint64_t mix_address(uint64_t h, const ip_addr_t *ip) {
    if (IP_IS_V4(ip)) return mix(h, ip_addr_get_ip4_u32(ip));
    for (int i = 0; i < 4; i++) h = mix(h, ip_2_ip6(ip)->addr[i]);
    return h;
}

uint32_t tcp_initial_sequence(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote,
                              uint16_t remote_port) {
    static uint64_t secret[2];
    if (!secret[0]) getrandom(secret, sizeof(secret), 0);
    uint64_t h = mix_address(mix_address(secret[0], local), remote);
    h = mix(mix(h, (uint64_t)local_port << 16 | remote_port), secret[1]);
    return (uint32_t)h + (uint32_t)(now_ns() / 4000); /* 4 µs each */
}

/* --- timers ------------------------------------------------------------------------------------------ */

/*
 * The shortest period is TCP's (250 ms) while there are connections, and that of group reports (100 ms)
 * while one is due; all else is done once a second while there is a network, or a packet to put together.
 */
static struct timer {
    int64_t period_ns, due; /* due 0: not running */
} timer_tcp = {.period_ns = TCP_TMR_INTERVAL * MS}, timer_group = {.period_ns = IGMP_TMR_INTERVAL * MS},
  timer_second = {.period_ns = 1000 * MS}, timer_dhcp = {.period_ns = DHCP_FINE_TIMER_MSECS * MS};

void sys_timeouts_init(void) {}

void tcp_timer_needed(void) {
    if (!timer_tcp.due) timer_tcp.due = now_ns() + timer_tcp.period_ns;
}

static bool network_is_up(void) {
    struct netif *n;
    NETIF_FOREACH(n)
    if (n->hwaddr_len && netif_is_up(n)) return true;
    return false;
}

static bool report_is_due(void) {
    struct netif *n;
    NETIF_FOREACH(n) {
        for (struct igmp_group *g = netif_igmp_data(n); g; g = g->next)
            if (g->timer) return true;
        for (struct mld_group *g = netif_mld6_data(n); g; g = g->next)
            if (g->timer) return true;
    }
    return false;
}

static bool dhcp_is_busy(void) {
    struct netif *n;
    NETIF_FOREACH(n) {
        const struct dhcp *d = netif_dhcp_data(n);
        if (d && d->request_timeout) return true;
    }
    return false;
}

static void each_second(void) {
    static uint32_t seconds;
    etharp_tmr();
    nd6_tmr();
    ip_reass_tmr();
    ip6_reass_tmr();
    if (++seconds % DHCP_COARSE_TIMER_SECS == 0) dhcp_coarse_tmr();
}

static void tcp_timer(void) {
    interfaces_reap();
    tcp_tmr();
    stalls_end();
}

static void group_reports(void) {
    igmp_tmr();
    mld6_tmr();
}

/* Runs what is due; starts the timer if it is needed, ends it if not. */
static void timer_run(struct timer *t, int64_t now, bool needed, void (*run)(void)) {
    if (t->due && now >= t->due) {
        run();
        t->due += t->period_ns;
        if (t->due <= now) t->due = now + t->period_ns;
    }
    if (!needed) t->due = 0;
    else if (!t->due) t->due = now + t->period_ns;
    if (t->due && t->due < net_schemes[NET_TCP].deadline) net_schemes[NET_TCP].deadline = t->due;
}

static void timers_run(void) {
    int64_t now = now_ns();
    net_schemes[NET_TCP].deadline = DEADLINE_NEVER;
    timer_run(&timer_tcp, now, tcp_active_pcbs || tcp_tw_pcbs, tcp_timer);
    timer_run(&timer_group, now, report_is_due(), group_reports);
    timer_run(&timer_dhcp, now, dhcp_is_busy(), dhcp_fine_tmr);
    timer_run(&timer_second, now, network_is_up(), each_second);
}

static void loopback_poll(void) {
    struct netif *n;
    bool more = true;
    while (more) {
        more = false;
        NETIF_FOREACH(n)
        if (n->loop_first) {
            netif_poll(n);
            more = true;
        }
        streams_pump();
    }
}

bool net_is_busy(void) {
    struct netif *n;
    NETIF_FOREACH(n)
    if (n->loop_first) return true;
    return interfaces_busy() || (report_is_due() && !timer_group.due) || (dhcp_is_busy() && !timer_dhcp.due);
}

void net_settle(void) {
    streams_pump();
    loopback_poll();
    timers_run();
    streams_pump(); /* what the timers ended */
    loopback_poll(); /* what the timers sent */
    interfaces_flush();
    keep_settle();
}

/* --- name servers ------------------------------------------------------------------------------------ */

static ip_addr_t servers[DNS_MAX_SERVERS];

void dns_init(void) {}

void dns_setserver(uint8_t index, const ip_addr_t *server) {
    if (index < DNS_MAX_SERVERS) servers[index] = server ? *server : *IP_ADDR_ANY;
}

const ip_addr_t *dns_getserver(uint8_t index) { return index < DNS_MAX_SERVERS ? &servers[index] : IP_ADDR_ANY; }
