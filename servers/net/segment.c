// SPDX-License-Identifier: MIT
/* segment.h. */
#include "segment.h"
#include "memory.h"
#include <lwip/ip.h>
#include <lwip/nd6.h>
#include <lwip/priv/tcp_priv.h>
#include <string.h>

#include <hooks.h> /* the last: it changes a name of others */

#define MOST 32768 /* payload of a segment: a power of two, as what programs write; memory.c has blocks for it */
#define HEADERS 256 /* before it, and struct pbuf */
#define PAYLOAD_MIN 256
#define PIECES_MAX (TCP_SND_QUEUELEN / 4) /* of one write */
#define BUFFERS_MAX 16 /* of a segment: what a card's ring takes */

uint16_t segment_out;

static uint32_t options(const struct tcp_pcb *pcb) {
    return pcb->flags & TF_TIMESTAMP ? LWIP_TCP_OPT_LENGTH(TF_SEG_OPTS_TS) : 0u;
}

static uint32_t segment_payload(const struct tcp_pcb *pcb) {
    uint32_t without = options(pcb);
    return pcb->mss > without ? pcb->mss - without : 1; /* a peer may say anything */
}

/* Behind the link the packets must be shorter: IPv6 has lwIP make fragments then. */
static bool is_narrow(const struct tcp_pcb *pcb, const struct netif *n) {
    return IP_IS_V6(&pcb->remote_ip) && nd6_get_destination_mtu(ip_2_ip6(&pcb->remote_ip), (struct netif *)n) <
                                            pcb->mss + (uint32_t)IP6_HLEN + TCP_HLEN;
}

/* Payload that n takes at once. */
static uint32_t most(const struct tcp_pcb *pcb, const struct netif *n) {
    uint32_t one = segment_payload(pcb);
    if (n && is_narrow(pcb, n)) return one;
    uint32_t limit = n && one >= PAYLOAD_MIN ? segment_limit(n, IP_IS_V6(&pcb->remote_ip)) : 0;
    return limit < 2 * one ? one : limit < MOST ? limit : MOST;
}

uint32_t segment_best(const struct tcp_pcb *pcb) {
    uint32_t one = segment_payload(pcb), half = pcb->snd_wnd_max / 2;
    uint32_t best = pool_has(MOST + HEADERS) ? MOST : one;
    if (half && half < one) one = half; /* lwIP makes them no longer */
    return best < one * PIECES_MAX ? best : one * PIECES_MAX;
}

uint16_t segment_max(const struct tcp_pcb *pcb, uint32_t length) {
    if (length <= segment_payload(pcb)) return pcb->mss;
    return (uint16_t)(most(pcb, ip_route(&pcb->local_ip, &pcb->remote_ip)) + options(pcb));
}

uint16_t segment_piece(const struct tcp_pcb *pcb, const struct tcp_seg *seg) {
    uint32_t one = segment_payload(pcb);
    return seg->len > one ? (uint16_t)one : 0;
}

/* --- writing without a copy ------------------------------------------------------------------------------- */

struct pbuf *segment_buffer(struct tcp_pcb *pcb, uint32_t size, uint8_t **data) {
    if (size <= segment_payload(pcb) || most(pcb, ip_route(&pcb->local_ip, &pcb->remote_ip)) < size) return nullptr;
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (uint16_t)(options(pcb) + size), PBUF_RAM);
    if (p) *data = (uint8_t *)p->payload + options(pcb);
    return p;
}

bool segment_append(struct tcp_pcb *pcb, struct pbuf *p, uint32_t size) {
    struct tcp_seg *seg = memp_malloc(MEMP_TCP_SEG), **at = &pcb->unsent;
    if (!seg) return false;
    p->len = p->tot_len = (uint16_t)(options(pcb) + size);
    pbuf_add_header(p, TCP_HLEN);
    *seg = (struct tcp_seg){
        .p = p, .len = (uint16_t)size, .flags = options(pcb) ? TF_SEG_OPTS_TS : 0, .tcphdr = p->payload};
    *seg->tcphdr = (struct tcp_hdr){
        .src = lwip_htons(pcb->local_port), .dest = lwip_htons(pcb->remote_port), .seqno = lwip_htonl(pcb->snd_lbb)};
    TCPH_HDRLEN_FLAGS_SET(seg->tcphdr, (TCP_HLEN + options(pcb)) / 4, TCP_PSH);
    while (*at) at = &(*at)->next;
    *at = seg;
    pcb->snd_lbb += size;
    pcb->snd_buf -= size;
    pcb->snd_queuelen++;
    pcb->unsent_oversize = 0;
    return true;
}

/* --- cutting -------------------------------------------------------------------------------------------- */

/* A part of another buffer's memory. */
struct slice {
    struct pbuf_custom pbuf; /* the first member */
    struct pbuf *of;
};

static void slice_freed(struct pbuf *p) {
    struct slice *s = (struct slice *)p;
    pbuf_free(s->of);
    mem_free(s);
}

static bool is_slice(const struct pbuf *p) {
    return p->flags & PBUF_FLAG_IS_CUSTOM && ((const struct pbuf_custom *)p)->custom_free_function == slice_freed;
}

/* Takes a reference of `of`, if it succeeds. */
static struct pbuf *slice_make(struct pbuf *of, void *at, uint16_t length) {
    struct slice *s = mem_malloc(sizeof(*s));
    if (!s) return nullptr;
    s->pbuf.custom_free_function = slice_freed;
    s->of = of;
    return pbuf_alloced_custom(PBUF_RAW, length, PBUF_REF, &s->pbuf, at, length);
}

/* A buffer for TCP's header, with it. */
static struct pbuf *header_make(const struct tcp_seg *seg) {
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, LWIP_TCP_OPT_LENGTH(seg->flags), PBUF_RAM);
    if (!p) return nullptr;
    pbuf_add_header(p, TCP_HLEN);
    memcpy(p->payload, seg->tcphdr, TCP_HLEN);
    return p;
}

static void chain(struct pbuf *first, struct pbuf *rest) {
    first->next = rest;
    first->tot_len = (uint16_t)(first->len + (rest ? rest->tot_len : 0));
}

/* Data leave the first buffer, so that others can have a part of them: who sends asks the first one whether the card is
 * at it still. */
static bool data_apart(struct tcp_seg *seg) {
    struct pbuf *old = seg->p;
    uint32_t before =
        (uint32_t)((uint8_t *)seg->tcphdr - (uint8_t *)old->payload) + TCP_HLEN + LWIP_TCP_OPT_LENGTH(seg->flags);
    if (old->len <= before) return true;
    struct pbuf *header = header_make(seg);
    struct pbuf *data =
        header ? slice_make(old, (uint8_t *)old->payload + before, (uint16_t)(old->len - before)) : nullptr;
    if (!data) {
        if (header) pbuf_free(header);
        return false;
    }
    chain(data, old->next);
    chain(header, data);
    chain(old, nullptr);
    seg->p = header;
    seg->tcphdr = header->payload;
    return true;
}

/* What is behind `keep` bytes of q, and all after it. q may end there. */
static struct pbuf *rest_of(struct pbuf *q, uint16_t keep) {
    if (q->len == keep) return q->next;
    struct pbuf *of = is_slice(q) ? ((struct slice *)q)->of : q;
    struct pbuf *rest = slice_make(of, (uint8_t *)q->payload + keep, (uint16_t)(q->len - keep));
    if (!rest) return nullptr;
    pbuf_ref(of);
    chain(rest, q->next);
    return rest;
}

/* seg keeps `keep` bytes of its payload; the others become a segment behind it. */
static bool cut(struct tcp_pcb *pcb, struct tcp_seg *seg, uint32_t keep) {
    uint16_t buffers = pbuf_clen(seg->p);
    if (!data_apart(seg)) return false;
    struct pbuf *q = seg->p, *header = header_make(seg);
    struct tcp_seg *second = header ? memp_malloc(MEMP_TCP_SEG) : nullptr;
    uint32_t at = seg->p->tot_len - seg->len + keep, removed = seg->len - keep;
    for (; at > q->len; q = q->next) at -= q->len;
    struct pbuf *rest = second ? rest_of(q, (uint16_t)at) : nullptr;
    if (!rest) {
        if (second) memp_free(MEMP_TCP_SEG, second);
        if (header) pbuf_free(header);
        pcb->snd_queuelen = (uint16_t)(pcb->snd_queuelen + pbuf_clen(seg->p) - buffers);
        return false;
    }
    for (struct pbuf *p = seg->p; p != q; p = p->next) p->tot_len -= (uint16_t)removed;
    q->len = q->tot_len = (uint16_t)at;
    q->next = nullptr;
    chain(header, rest);
    *second = (struct tcp_seg){
        .next = seg->next, .p = header, .len = (uint16_t)removed, .flags = seg->flags, .tcphdr = header->payload};
    second->tcphdr->seqno = lwip_htonl(lwip_ntohl(seg->tcphdr->seqno) + keep);
    TCPH_UNSET_FLAG(seg->tcphdr, TCP_PSH | TCP_FIN);
    seg->len = (uint16_t)keep;
    seg->next = second;
    if (!second->next) pcb->unsent_oversize = 0; /* the room behind the data is not known any more */
    pcb->snd_queuelen = (uint16_t)(pcb->snd_queuelen + pbuf_clen(seg->p) + pbuf_clen(second->p) - buffers);
    return true;
}

/* The first of a list, without what has been acknowledged of it. */
static struct tcp_seg *trimmed(struct tcp_pcb *pcb, struct tcp_seg *seg) {
    uint32_t acked = pcb->lastack - lwip_ntohl(seg->tcphdr->seqno);
    if ((int32_t)acked <= 0 || acked >= seg->len || !cut(pcb, seg, acked)) return seg;
    struct tcp_seg *rest = seg->next;
    pcb->snd_queuelen = (uint16_t)(pcb->snd_queuelen - pbuf_clen(seg->p));
    pcb->snd_buf += seg->len;
    tcp_seg_free(seg);
    return rest;
}

/* As many bytes as lie in so many buffers that a card takes them. */
static uint32_t in_buffers(const struct tcp_seg *seg) {
    const struct pbuf *p = seg->p;
    uint32_t bytes = 0;
    for (unsigned i = 0; p && i < BUFFERS_MAX; i++, p = p->next) bytes += p->len;
    return p ? bytes - (seg->p->tot_len - seg->len) : seg->len;
}

void segment_fit(struct tcp_pcb *pcb, const struct netif *n, uint32_t window) {
    uint32_t one = segment_payload(pcb);
    if (!pcb->unsent || pcb->unsent->len <= one) return;
    struct tcp_seg *seg = pcb->unsent = trimmed(pcb, pcb->unsent);
    uint32_t before = lwip_ntohl(seg->tcphdr->seqno) - pcb->lastack; /* bytes under way */
    uint32_t length = before < window ? window - before : 0, limit = most(pcb, n);
    if (length > limit) length = limit;
    if (length >= seg->len) length = seg->len;
    uint32_t together = in_buffers(seg);
    if (length > together) length = together > one ? together : one;
    length = length == seg->len ? length : length / one * one;
    if (length == 0 || length == seg->len) return;
    /* Half of what may be under way is: an acknowledgement will come, and then more can go at once. */
    if (length < limit && window >= 4 * one && before >= window / 2) return;
    (void)cut(pcb, seg, length);
}

void segment_again(struct tcp_pcb *pcb) {
    uint32_t one = segment_payload(pcb);
    if (pcb->unacked->len <= one) return;
    pcb->unacked = trimmed(pcb, pcb->unacked);
    if (pcb->unacked->len > one) (void)cut(pcb, pcb->unacked, one);
}
