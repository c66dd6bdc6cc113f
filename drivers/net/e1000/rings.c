// SPDX-License-Identifier: MIT
/* rings.h: SDM §3.2 receiving, §3.3 sending, §3.5 segmentation. */
#include "rings.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define NEXT(i, n) (((i) + (n)) % RING_SIZE)

/* --- receiving --- */
void receive_init(struct receive_ring *r, void *memory) {
    memset(memory, 0, RING_BYTES);
    r->descriptors = memory;
    r->tail = r->clean = 0;
    r->skip = false;
}

int receive_put(struct receive_ring *r, const struct net_buffer *b) {
    if (receive_outstanding(r) == RING_SIZE - 1) return -EAGAIN;
    volatile struct receive_descriptor *d = &r->descriptors[r->tail];
    d->status = 0;
    d->address = b->physical;
    r->slots[r->tail] = *b;
    r->tail = NEXT(r->tail, 1);
    return 0;
}

bool receive_take(struct receive_ring *r, struct receive_result *out) {
    if (r->clean == r->tail) return false;
    volatile struct receive_descriptor *d = &r->descriptors[r->clean];
    uint8_t status = d->status;
    if (!(status & RECEIVE_DONE)) return false;
    atomic_thread_fence(memory_order_acquire);
    uint8_t errors = d->errors;
    bool end = status & RECEIVE_END;
    *out = (struct receive_result){.buffer = r->slots[r->clean], .length = d->length};
    if (r->skip || !end || errors & ERRORS_FRAME || out->length < NET_HEADER || out->length > out->buffer.length)
        out->error = -EIO;
    bool checked = !(status & RECEIVE_NO_CHECKSUM) && status & RECEIVE_TCP_CHECKED && !(errors & ERROR_TCP);
    out->receive.flags = checked ? NET_CHECKED : 0;
    r->skip = !end;
    r->clean = NEXT(r->clean, 1);
    return true;
}

void receive_renew(struct receive_ring *r) {
    struct receive_ring old = *r;
    receive_init(r, (void *)(uintptr_t)r->descriptors);
    for (uint32_t i = old.clean; i != old.tail; i = NEXT(i, 1)) (void)receive_put(r, &old.slots[i]);
}

/* --- sending --- */
void send_init(struct send_ring *s, void *memory) {
    memset(memory, 0, RING_BYTES);
    *s = (struct send_ring){.data = memory};
}

/* One's complement: the length leaves the sum of the pseudo header, as the device adds each segment's. */
static void length_subtract(uint8_t *checksum, uint32_t length) {
    uint32_t sum =
        (uint32_t)(checksum[0] << 8 | checksum[1]) + (0xffff - (length & 0xffff)) + (0xffff - (length >> 16));
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    checksum[0] = (uint8_t)(sum >> 8);
    checksum[1] = (uint8_t)sum;
}

/* SDM §3.5.6: lengths are zero in the headers that the device makes all others from. */
static void headers_prepare(const struct net_frame *f) {
    uint8_t *ip = f->pieces[0].at + NET_HEADER, *tcp = f->pieces[0].at + f->offload.checksum_start;
    if (f->flags & NET_SEGMENT4) memset(ip + 2, 0, 2), memset(ip + 10, 0, 2);
    else memset(ip + 4, 0, 2);
    length_subtract(tcp + f->offload.checksum_offset, f->length - f->offload.checksum_start);
}

static int context_make(struct send_context *c, const struct net_frame *f) {
    const struct net_send *o = &f->offload;
    bool segment = f->flags & (NET_SEGMENT4 | NET_SEGMENT6);
    if (o->checksum_start + o->checksum_offset > UINT8_MAX || o->header_length > UINT8_MAX) return -EINVAL;
    *c = (struct send_context){.ip_start = NET_HEADER,
                               .ip_checksum = NET_HEADER + 10,
                               .ip_end = (uint16_t)(o->checksum_start - 1),
                               .tcp_start = (uint8_t)o->checksum_start,
                               .tcp_checksum = (uint8_t)(o->checksum_start + o->checksum_offset),
                               .command = SEND_EXTENDED};
    if (!segment) return 0;
    if (o->checksum_start + o->checksum_offset + 2 > f->pieces[0].length) return -EINVAL;
    c->header_length = (uint8_t)o->header_length;
    c->mss = o->mss;
    c->command |= SEND_SEGMENT | SEND_CONTEXT_TCP | (f->length - o->header_length);
    if (f->flags & NET_SEGMENT4) c->command |= SEND_CONTEXT_IP4;
    return 0;
}

static uint32_t descriptors_needed(const struct net_frame *f) {
    uint32_t count = 1; /* a context, perhaps */
    for (unsigned i = 0; i < f->count; i++) count += (f->pieces[i].length + SEND_PART - 1) / SEND_PART;
    return count;
}

static void context_put(struct send_ring *s, const struct send_context *c) {
    volatile struct send_context *d = &s->contexts[s->tail];
    d->ip_start = c->ip_start;
    d->ip_checksum = c->ip_checksum;
    d->ip_end = c->ip_end;
    d->tcp_start = c->tcp_start;
    d->tcp_checksum = c->tcp_checksum;
    d->tcp_end = c->tcp_end;
    d->command = c->command;
    d->status = 0;
    d->header_length = c->header_length;
    d->mss = c->mss;
    s->context = *c;
    s->tail = NEXT(s->tail, 1);
}

static void data_put(struct send_ring *s, uint64_t physical, uint32_t length, uint32_t command, uint8_t options) {
    volatile struct send_data *d = &s->data[s->tail];
    d->address = physical;
    d->command = command | length;
    d->status = 0;
    d->options = options;
    d->special = 0;
    s->tail = NEXT(s->tail, 1);
}

int send_put(struct send_ring *s, const struct net_frame *f) {
    uint32_t first = s->tail, command = SEND_TYPE_DATA | SEND_EXTENDED | SEND_FCS;
    bool segment = f->flags & (NET_SEGMENT4 | NET_SEGMENT6);
    struct send_context c;
    uint8_t options = 0;
    uint32_t needed = descriptors_needed(f);
    if (needed >= RING_SIZE) return -EMSGSIZE;
    if (needed > RING_SIZE - 1 - send_outstanding(s)) return -EAGAIN;
    if (f->flags & NET_CHECKSUM) {
        int e = context_make(&c, f);
        if (e) return e;
        if (segment || memcmp(&c, &s->context, sizeof(c)) != 0) context_put(s, &c);
        options = OPTION_TCP_CHECKSUM | (f->flags & NET_SEGMENT4 ? OPTION_IP_CHECKSUM : 0);
    }
    if (segment) {
        headers_prepare(f);
        command |= SEND_SEGMENT;
    }
    for (unsigned i = 0; i < f->count; i++) {
        for (uint32_t at = 0, part; at < f->pieces[i].length; at += part) {
            part = f->pieces[i].length - at < SEND_PART ? f->pieces[i].length - at : SEND_PART;
            bool last = i + 1 == f->count && at + part == f->pieces[i].length;
            data_put(s, f->pieces[i].physical + at, part, command | (last ? SEND_END | SEND_REPORT | SEND_DELAY : 0),
                     options);
        }
    }
    s->slots[first].tag = f->tag;
    s->slots[first].count = (uint16_t)((s->tail - first) % RING_SIZE);
    return 0;
}

bool send_drop(struct send_ring *s, uint64_t *tag) {
    if (s->clean == s->tail) return false;
    *tag = s->slots[s->clean].tag;
    s->clean = NEXT(s->clean, s->slots[s->clean].count);
    return true;
}

bool send_take(struct send_ring *s, uint64_t *tag) {
    if (s->clean == s->tail) return false;
    uint32_t last = NEXT(s->clean, s->slots[s->clean].count - 1u);
    return s->data[last].status & SEND_DONE && send_drop(s, tag);
}
