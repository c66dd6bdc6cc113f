// SPDX-License-Identifier: MIT
/*
 * Received TCP segments of one connection that come one behind the other become one packet before TCP sees them: one
 * walk through the stack and one acknowledgement for many frames. Which ones is told from the frames alone: same
 * headers but for what must differ, the next sequence number, right checksums, no flags but ACK and PSH.
 */
#pragma once
#include <lwip/pbuf.h>

#define COALESCE_HEADERS 120 /* of Ethernet, IP, TCP: at most, in words */

struct coalesce {
    struct pbuf *first, *last; /* what is held: chained, but with lengths of their own */
    uint64_t mask[COALESCE_HEADERS / 8]; /* bits of the headers that are equal in all */
    uint32_t tcp, data; /* offsets: TCP header, payload */
    uint32_t ip_sum, tcp_sum; /* of what the checksums have in common */
    uint32_t length, payload; /* of all: the IP packet; of the first one */
    uint32_t next; /* sequence number */
    bool v6, full, push; /* the last one was shorter than the first; one had PSH */
    bool apart; /* they are being taken one by one */
};

/* An Ethernet frame; `checked`: its TCP checksum is known to be right. True: it is held. False: it is the caller's
 * still, to be given to the stack behind what is held, or to be tried again then. */
bool coalesce_add(struct coalesce *c, struct pbuf *p, bool checked);
/*
 * What is held, whose TCP checksum is not to be looked at; null: nothing is any more. It is one frame if the connection
 * waits for just that. If not, they are the frames that came: each is to be answered, as peers count such answers (fast
 * retransmit, RFC 5681 §3.2).
 */
struct pbuf *coalesce_take(struct coalesce *c);
