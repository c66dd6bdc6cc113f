// SPDX-License-Identifier: MIT
/*
 * TCP segments of several MSS: what a program writes at once goes to the card as one frame with one header, and the
 * card cuts it (TCP segmentation offload). lwIP's patch asks here how long a segment may be, and has it cut where the
 * peer's window, the congestion window or a retransmission want less. Cutting copies nothing: the parts share the
 * memory.
 */
#pragma once
#include <lwip/netif.h>
#include <stdint.h>

struct tcp_pcb;
struct tcp_seg;

/* What is best written at once: bytes. */
uint32_t segment_best(const struct tcp_pcb *pcb);
/* A buffer for up to `size` bytes of payload, to be written at *data, that becomes a segment without a copy; null: it
 * would have to be cut for the card, or there is no memory. */
struct pbuf *segment_buffer(struct tcp_pcb *pcb, uint32_t size, uint8_t **data);
/* Its first `size` bytes are sent behind all else, at most tcp_sndbuf(); the buffer is lwIP's. False: no memory. */
[[nodiscard]] bool segment_append(struct tcp_pcb *pcb, struct pbuf *p, uint32_t size);
/* Of the frame that is given to an interface now: the payload of the pieces that it is to be cut into; 0: one piece. */
extern uint16_t segment_out;

/* The interface's: the longest IP packet that it cuts, or 0: it doesn't. */
uint32_t segment_limit(const struct netif *n, bool is_v6);

/* hooks.h: */
/* For a write of `length` bytes: the longest segment, with TCP's options. */
uint16_t segment_max(const struct tcp_pcb *pcb, uint32_t length);
/* The first unsent segment gets so short that it may be sent now by n, if any of it may. */
void segment_fit(struct tcp_pcb *pcb, const struct netif *n, uint32_t window);
/* The first unacknowledged one is to be sent again: only what the peer may lack, and no more than a whole segment. */
void segment_again(struct tcp_pcb *pcb);
uint16_t segment_piece(const struct tcp_pcb *pcb, const struct tcp_seg *seg);
