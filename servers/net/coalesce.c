// SPDX-License-Identifier: MIT
/* coalesce.h: RFC 791 §3.1, RFC 8200 §3, RFC 9293 §3.1. */
#include "coalesce.h"
#include <lwip/priv/tcp_priv.h>
#include <string.h>

#define ETHERNET 14
#define IP4 20
#define IP6 40
#define TCP 20
#define PROTOCOL_TCP 6
#define FLAG_PSH 8
#define FLAG_ACK 16
#define LENGTH_MAX 65000 /* of the IP packet: all lengths have 16 bits, with Ethernet's header */

static uint32_t get16(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }
static uint32_t get32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return lwip_htonl(value);
}
static void put16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* The end of the packet, in the frame. */
static uint32_t end_of(const uint8_t *h, bool v6) {
    return v6 ? ETHERNET + IP6 + get16(h + 18) : ETHERNET + get16(h + 16);
}

/* --- checksums: one's complement sums of words as they lie in memory -------------------------------------- */

static uint32_t folded(uint32_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static uint32_t word(const uint8_t *at) {
    uint16_t value;
    memcpy(&value, at, 2);
    return value;
}

static void sums_prepare(struct coalesce *c, const uint8_t *h) {
    uint32_t addresses = c->v6 ? 32 : 8;
    c->ip_sum = c->v6 ? 0 : (uint32_t)LWIP_CHKSUM(h + 14, 2) + LWIP_CHKSUM(h + 20, 4) + LWIP_CHKSUM(h + 26, 8);
    c->tcp_sum = (uint32_t)LWIP_CHKSUM(h + c->tcp - addresses, (int)addresses) + lwip_htons(PROTOCOL_TCP);
}

static bool sums_right(const struct coalesce *c, const uint8_t *h, uint32_t end, bool checked) {
    if (!c->v6 && folded(c->ip_sum + word(h + 16) + word(h + 18) + word(h + 24)) != 0xffff) return false;
    if (checked) return true;
    uint32_t length = end - c->tcp;
    return folded(c->tcp_sum + lwip_htons((uint16_t)length) + LWIP_CHKSUM(h + c->tcp, (int)length)) == 0xffff;
}

/* --- headers ---------------------------------------------------------------------------------------------- */

static void ignore(struct coalesce *c, uint32_t at, uint32_t length) { memset((uint8_t *)c->mask + at, 0, length); }

static bool begin(struct coalesce *c, struct pbuf *p, bool checked) {
    const uint8_t *h = p->payload;
    if (p->next || p->len < ETHERNET + IP4 + TCP) return false;
    bool v4 = h[12] == 0x08 && h[13] == 0 && h[14] == 0x45 && h[23] == PROTOCOL_TCP &&
              (get16(h + 20) & 0x3fff) == 0; /* no fragment */
    c->v6 = h[12] == 0x86 && h[13] == 0xdd && h[14] >> 4 == 6 && h[20] == PROTOCOL_TCP;
    c->tcp = ETHERNET + (c->v6 ? IP6 : IP4);
    if ((!v4 && !c->v6) || p->len < c->tcp + TCP) return false;
    uint32_t header = (uint32_t)(h[c->tcp + 12] >> 4) * 4, end = end_of(h, c->v6);
    c->data = c->tcp + header;
    if (header < TCP || end > p->len || c->data >= end || (h[c->tcp + 13] & ~FLAG_PSH) != FLAG_ACK) return false;
    sums_prepare(c, h);
    if (!sums_right(c, h, end, checked)) return false;
    memset(c->mask, 0, sizeof(c->mask));
    memset(c->mask, 0xff, c->data);
    if (!c->v6) ignore(c, 16, 4), ignore(c, 24, 2); /* length, identification, checksum */
    else ignore(c, 18, 2);
    ignore(c, c->tcp + 4, 4); /* sequence number */
    ((uint8_t *)c->mask)[c->tcp + 13] = (uint8_t)~FLAG_PSH;
    ignore(c, c->tcp + 16, 2);
    c->payload = end - c->data;
    c->next = get32(h + c->tcp + 4) + c->payload;
    c->length = end - ETHERNET;
    c->full = c->apart = false;
    c->push = h[c->tcp + 13] & FLAG_PSH;
    p->len = p->tot_len = (uint16_t)end; /* without Ethernet's padding */
    c->first = c->last = p;
    return true;
}

static bool alike(const struct coalesce *c, const uint8_t *a, const uint8_t *b) {
    uint64_t differs = 0;
    for (uint32_t at = 0; at < c->data; at += 8) {
        uint64_t x, y;
        memcpy(&x, a + at, 8);
        memcpy(&y, b + at, 8);
        differs |= (x ^ y) & c->mask[at / 8];
    }
    return differs == 0;
}

static bool append(struct coalesce *c, struct pbuf *p, bool checked) {
    const struct pbuf *first = c->first;
    uint8_t *h = p->payload;
    uint32_t words = (c->data + 7) & ~7u;
    if (c->full || p->next || p->len < words || first->len < words || !alike(c, first->payload, h)) return false;
    uint32_t end = end_of(h, c->v6), payload = end - c->data;
    if (end > p->len || end <= c->data || payload > c->payload || c->length + payload > LENGTH_MAX) return false;
    if (get32(h + c->tcp + 4) != c->next || !sums_right(c, h, end, checked)) return false;
    c->next += payload;
    c->length += payload;
    c->full = payload < c->payload;
    c->push |= h[c->tcp + 13] & FLAG_PSH;
    p->payload = h + c->data;
    p->len = (uint16_t)payload;
    c->last->next = p;
    c->last = p;
    return true;
}

bool coalesce_add(struct coalesce *c, struct pbuf *p, bool checked) {
    return c->first ? append(c, p, checked) : begin(c, p, checked);
}

/* The first one's headers get what is true of all. */
static void headers_set(const struct coalesce *c) {
    uint8_t *h = c->first->payload, *ip = h + ETHERNET;
    if (c->v6) {
        put16(ip + 4, c->length - IP6);
    } else {
        put16(ip + 2, c->length);
        memset(ip + 10, 0, 2);
        uint16_t sum = (uint16_t)~LWIP_CHKSUM(ip, IP4);
        memcpy(ip + 10, &sum, 2);
    }
    if (c->push) h[c->tcp + 13] |= FLAG_PSH;
}

/* --- the end ---------------------------------------------------------------------------------------------- */

static bool is_of(const struct tcp_pcb *pcb, const struct coalesce *c) {
    const uint8_t *h = c->first->payload, *from = h + c->tcp - (c->v6 ? 32 : 8), *to = h + c->tcp - (c->v6 ? 16 : 4);
    if (pcb->remote_port != get16(h + c->tcp) || pcb->local_port != get16(h + c->tcp + 2)) return false;
    if (IP_IS_V6(&pcb->remote_ip) != c->v6) return false;
    return c->v6 ? memcmp(ip_2_ip6(&pcb->remote_ip)->addr, from, 16) == 0 &&
                       memcmp(ip_2_ip6(&pcb->local_ip)->addr, to, 16) == 0
                 : memcmp(&ip_2_ip4(&pcb->remote_ip)->addr, from, 4) == 0 &&
                       memcmp(&ip_2_ip4(&pcb->local_ip)->addr, to, 4) == 0;
}

static bool is_waited_for(const struct coalesce *c) {
    const struct tcp_pcb *pcb = tcp_active_pcbs; /* the busiest ones come first */
    while (pcb && !is_of(pcb, c)) pcb = pcb->next;
    return pcb && !pcb->ooseq && pcb->rcv_nxt == get32((uint8_t *)c->first->payload + c->tcp + 4);
}

static struct pbuf *take_one(struct coalesce *c) {
    struct pbuf *p = c->first, *next = p->next;
    p->next = nullptr;
    p->tot_len = p->len;
    c->first = next;
    if (!next) return p;
    next->payload = (uint8_t *)next->payload - c->data; /* its headers lie there still */
    next->len = (uint16_t)(next->len + c->data);
    return p;
}

struct pbuf *coalesce_take(struct coalesce *c) {
    struct pbuf *first = c->first;
    uint32_t left = c->length + ETHERNET;
    if (!first) return nullptr;
    if (c->apart || first == c->last || !is_waited_for(c)) {
        c->apart = true;
        return take_one(c);
    }
    headers_set(c);
    for (struct pbuf *p = first; p; p = p->next) {
        p->tot_len = (uint16_t)left;
        left -= p->len;
    }
    c->first = nullptr;
    return first;
}
