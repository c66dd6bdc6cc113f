// SPDX-License-Identifier: MIT
/* Where lwIP asks the server. */
#pragma once
#include <lwip/ip_addr.h>

/* RFC 6528: a clock and a secret of the connection's addresses. */
uint32_t tcp_initial_sequence(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote,
                              uint16_t remote_port);
#define LWIP_HOOK_TCP_ISN tcp_initial_sequence

/* IPv4 routes of ours (route.c): null: none. */
struct netif;
struct netif *route_interface(const ip4_addr_t *source, const ip4_addr_t *to);
const ip4_addr_t *route_gateway(struct netif *n, const ip4_addr_t *to);

#define htonl lwip_htonl /* nd6.c */
