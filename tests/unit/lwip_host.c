// SPDX-License-Identifier: MIT
#include "lwip_host.h"
#include <lwip/dns.h>
#include <lwip/ip4.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>
#include <memory.h>
#include <stdio.h>
#include <stdlib.h>

#include <hooks.h> /* the last: it changes a name of others */

uint32_t lwip_host_ms;
size_t lwip_host_blocks;
static const ip_addr_t no_server;

void lwip_broken(const char *what, const char *file, int line) {
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

uint32_t lwip_random(void) {
    static uint32_t x = 1;
    return x = x * 1664525 + 1013904223;
}

u32_t sys_now(void) { return lwip_host_ms; }
void sys_timeouts_init(void) {}
void tcp_timer_needed(void) {}
void dns_init(void) {}
void dns_setserver(u8_t index, const ip_addr_t *server) {}
const ip_addr_t *dns_getserver(u8_t index) { return &no_server; }
uint32_t tcp_initial_sequence(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote,
                              uint16_t remote_port) {
    return 0xffff0000; /* it will wrap */
}

struct netif *route_interface(const ip4_addr_t *source, const ip4_addr_t *to) {
    struct netif *n;
    NETIF_FOREACH(n)
    if (source && netif_ip4_addr(n)->addr == source->addr) return n;
    return nullptr;
}
const ip4_addr_t *route_gateway(struct netif *n, const ip4_addr_t *to) { return to; }

void *net_malloc(size_t size) {
    void *p = malloc(size);
    if (p) lwip_host_blocks++;
    return p;
}
void *net_calloc(size_t count, size_t size) {
    void *p = calloc(count, size);
    if (p) lwip_host_blocks++;
    return p;
}
void net_free(void *p) {
    if (p) lwip_host_blocks--;
    free(p);
}
bool pool_has(size_t size) { return true; }
