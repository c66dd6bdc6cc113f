// SPDX-License-Identifier: MIT
/*
 * Captures: each open `capture` file has a buffer of its own, into which frames are copied as pcap records. A reader
 * that is too slow loses frames, never delays them. pcap: draft-ietf-opsawg-pcap, microseconds, Ethernet.
 */
#include "private.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUFFER (1u << 20) /* a power of two */
#define SNAP 65535u
#define PCAP_MAGIC 0xa1b2c3d4
#define PCAP_ETHERNET 1

struct pcap_file {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, snap, link_type;
};
struct pcap_record {
    uint32_t seconds, microseconds, captured, length;
};
_Static_assert(sizeof(struct pcap_file) == 24 && sizeof(struct pcap_record) == 16, "as in the file");

struct capture {
    struct capture *next;
    uint64_t id; /* of its file, once watched */
    uint32_t head, tail; /* count up for ever; the frames up to `tail` are complete */
    uint32_t record, used; /* where the record begun lies; its bytes so far */
    bool begun, lost; /* a frame has begun; the rest of it is dropped */
    bool news;
    struct scheme_queue readers;
    struct scheme_watch watch;
    uint8_t data[BUFFER];
};

static void put(struct capture *c, uint32_t at, const void *bytes, size_t length) {
    size_t first = BUFFER - at % BUFFER;
    if (first > length) first = length;
    memcpy(c->data + at % BUFFER, bytes, first);
    memcpy(c->data, (const uint8_t *)bytes + first, length - first);
}

struct capture *capture_create(struct net_device *d) {
    struct capture *c = calloc(1, sizeof(*c));
    if (!c) return nullptr;
    const struct pcap_file header = {PCAP_MAGIC, 2, 4, 0, 0, SNAP, PCAP_ETHERNET};
    put(c, 0, &header, sizeof(header));
    c->tail = sizeof(header);
    c->next = d->private->captures;
    d->private->captures = c;
    return c;
}

void capture_destroy(struct net_device *d, struct capture *c) {
    for (struct capture **at = &d->private->captures; *at; at = &(*at)->next) {
        if (*at != c) continue;
        *at = c->next;
        break;
    }
    free(c);
}

static void part_add(struct capture *c, const uint8_t *at, uint32_t length) {
    if (!c->begun) {
        c->begun = true;
        c->record = c->tail;
        c->used = sizeof(struct pcap_record);
        c->lost = false;
    }
    uint32_t room = BUFFER - (c->record - c->head);
    if (c->lost || c->used + length > room || c->used + length > SNAP) {
        c->lost = true;
        return;
    }
    put(c, c->record + c->used, at, length);
    c->used += length;
}

static void record_end(struct capture *c) {
    struct timespec now;
    c->begun = false;
    if (c->lost) return;
    clock_gettime(CLOCK_REALTIME, &now);
    uint32_t length = c->used - (uint32_t)sizeof(struct pcap_record);
    struct pcap_record r = {(uint32_t)now.tv_sec, (uint32_t)(now.tv_nsec / 1000), length, length};
    put(c, c->record, &r, sizeof(r));
    c->tail = c->record + c->used;
    c->news = true;
}

void capture_sent(struct net_device *d, const struct net_frame *f) {
    for (struct capture *c = d->private->captures; c; c = c->next) {
        for (unsigned i = 0; i < f->count; i++) part_add(c, f->pieces[i].at, f->pieces[i].length);
        record_end(c);
        d->statistics.bytes_copied += f->length;
    }
}

void capture_received(struct net_device *d, const uint8_t *at, uint32_t length, bool more) {
    for (struct capture *c = d->private->captures; c; c = c->next) {
        part_add(c, at, length);
        if (!more) record_end(c);
        d->statistics.bytes_copied += length;
    }
}

void captures_publish(struct net_device *d) {
    for (struct capture *c = d->private->captures; c; c = c->next) {
        if (!c->news) continue;
        c->news = false;
        scheme_wake(&d->scheme, &c->readers);
        if (c->id) watch_post(&d->scheme, &c->watch, c->id, EVENT_IN);
    }
}

int64_t capture_read(struct scheme *s, struct capture *c, struct port_buffer *call) {
    size_t there = c->tail - c->head, size = call->request.args[1];
    if (there == 0) return call->request.args[2] & IO_NONBLOCK ? -EAGAIN : scheme_park(s, call, &c->readers);
    if (size > CALL_DATA_MAX) size = CALL_DATA_MAX;
    if (size > there) size = there;
    size_t first = BUFFER - c->head % BUFFER;
    if (first > size) first = size;
    memcpy(call->data, c->data + c->head % BUFFER, first);
    memcpy(call->data + first, c->data, size - first);
    c->head += (uint32_t)size;
    call->reply.length = (uint32_t)size;
    return (int64_t)size;
}

int64_t capture_watch(struct capture *c, uint64_t id, uint32_t wanted) {
    c->id = id;
    return watch_arm(&c->watch, wanted, c->tail != c->head ? EVENT_IN : 0);
}
