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

/* Segments of several MSS (segment.c). */
struct tcp_pcb;
struct tcp_seg;
uint16_t segment_max(const struct tcp_pcb *pcb, uint32_t length);
void segment_fit(struct tcp_pcb *pcb, const struct netif *n, uint32_t window);
void segment_again(struct tcp_pcb *pcb);
uint16_t segment_piece(const struct tcp_pcb *pcb, const struct tcp_seg *seg);
extern uint16_t segment_out;
#define LWIP_HOOK_TCP_SEGMENT_MAX segment_max
#define LWIP_HOOK_TCP_FIT segment_fit
#define LWIP_HOOK_TCP_REXMIT segment_again
#define LWIP_HOOK_TCP_PIECE(pcb, seg) (segment_out = (seg) ? segment_piece(pcb, seg) : 0)
#define LWIP_HOOK_IP_WHOLE() (segment_out != 0)
#define LWIP_HOOK_IP4_PIECES(p) (segment_out ? (p)->tot_len / segment_out + 1 : 1)

#define htonl lwip_htonl /* nd6.c */
