// SPDX-License-Identifier: MIT
/*
 * Frames of a virtio network device. Received ones are written into the client's buffers with their header before them;
 * those to be sent have theirs in memory of ours.
 *
 * What the device says that can't be ends this instance; the next one resets it.
 */
#include "virtio_net.h"
#include <service.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_SIZE 2048
#define MTU_DEFAULT 1500
#define MTU_MAX (BUFFER_SIZE - FRAME_OFFSET - NET_HEADER - 4)
#define SEGMENT_MAX 65535
#define LINK_DEFAULT 1000 /* Mbit/s, if the device doesn't tell */

void nic_nonsense(const char *what) {
    service_log("virtio-net: the device's %s makes no sense", what);
    exit(1);
}

/* --- receiving --- */
static int nic_post(struct net_device *d, const struct net_buffer *b) {
    struct nic *n = nic_of(d);
    struct receive_queue *q = &n->receive[0];
    for (unsigned i = 1; i < n->pairs; i++) /* where it is needed most: frames may all come to one */
        if (n->receive[i].free_count > q->free_count) q = &n->receive[i];
    if (q->free_count == 0) return -EAGAIN;
    struct net_buffer *slot = &q->slots[q->free[q->free_count - 1]];
    struct virtio_buffer room = {b->physical + HEADER_OFFSET, b->length - HEADER_OFFSET};
    int e = virtqueue_add(&q->queue.ring, &room, 0, 1, slot);
    if (e) return e;
    *slot = *b;
    q->free_count--;
    q->added = true;
    return 0;
}

struct arrived {
    struct net_buffer buffer;
    uint32_t written;
};
static bool take_one(struct receive_queue *q, struct arrived *out) {
    void *token;
    int got = virtqueue_get(&q->queue.ring, &token, &out->written);
    if (got < 0) nic_nonsense("receive queue");
    if (got == 0) return false;
    struct net_buffer *slot = token;
    out->buffer = *slot;
    q->free[q->free_count++] = (uint16_t)(slot - q->slots);
    return true;
}

/* §5.1.6.4: the device returns all buffers of a frame at once. One that doesn't has lost it. */
static void frame_take(struct nic *n, struct receive_queue *q, const struct arrived *first) {
    struct arrived parts[FRAME_BUFFERS_MAX] = {*first};
    struct nic_header header;
    struct net_receive r;
    memcpy(&header, first->buffer.at + HEADER_OFFSET, sizeof(header));
    int buffers = header_read(&header, first->written, n->virtio.features & NIC_MERGEABLE, &r);
    int there = 1;
    while (there < buffers && take_one(q, &parts[there])) there++;
    bool good = there == buffers;
    for (int i = 1; i < there; i++) good &= parts[i].written > 0;
    if (!good) {
        n->net.statistics.receive_errors++;
        for (int i = 0; i < there; i++) net_returned(&n->net, &parts[i].buffer, -EIO);
        return;
    }
    uint32_t flags = r.flags;
    for (int i = 0; i < there; i++) {
        r.flags = flags | (i + 1 < there ? NET_MORE : 0);
        net_received(&n->net, &parts[i].buffer, parts[i].written - (i ? 0 : (uint32_t)sizeof(header)), &r);
        r.offset = HEADER_OFFSET;
    }
}

static void receive_interrupt(struct nic *n, struct receive_queue *q) {
    struct arrived first;
    do {
        while (take_one(q, &first)) frame_take(n, q, &first);
    } while (!virtqueue_rearm(&q->queue.ring));
}

/* --- sending --- */
static void send_interrupt(struct nic *n, struct send_queue *q) {
    void *token;
    uint32_t length;
    do {
        int got;
        while ((got = virtqueue_get(&q->queue.ring, &token, &length)) > 0) {
            uint64_t *tag = token;
            q->free[q->free_count++] = (uint16_t)(tag - q->tags);
            net_sent(&n->net, *tag, 0);
        }
        if (got < 0) nic_nonsense("send queue");
    } while (!virtqueue_rearm(&q->queue.ring));
}

static int nic_send(struct net_device *d, const struct net_frame *f) {
    struct nic *n = nic_of(d);
    struct send_queue *q = &n->send[f->flow % n->pairs];
    struct virtio_buffer buffers[NET_PIECES_MAX + 1];
    if (q->free_count == 0) return -EAGAIN;
    unsigned slot = q->free[q->free_count - 1];
    size_t at = slot * sizeof(struct nic_header);
    header_make((struct nic_header *)((uint8_t *)q->headers.at + at), f);
    buffers[0] = (struct virtio_buffer){q->headers.physical + at, sizeof(struct nic_header)};
    for (unsigned i = 0; i < f->count; i++)
        buffers[i + 1] = (struct virtio_buffer){f->pieces[i].physical, f->pieces[i].length};
    int e = virtqueue_add(&q->queue.ring, buffers, f->count + 1, 0, &q->tags[slot]);
    if (e) return e;
    q->tags[slot] = f->tag;
    q->free_count--;
    q->added = true;
    return 0;
}

static void nic_kick(struct net_device *d) {
    struct nic *n = nic_of(d);
    for (unsigned i = 0; i < n->pairs; i++) {
        if (n->receive[i].added) virtio_kick(&n->receive[i].queue);
        if (n->send[i].added) virtio_kick(&n->send[i].queue);
        n->receive[i].added = n->send[i].added = false;
    }
}

/* --- configuration --- */
static uint32_t link_read(struct nic *n) {
    struct virtio *v = &n->virtio;
    if (v->features & NIC_STATUS && !(virtio_config_read(v, CONFIG_STATUS, 2) & LINK_UP)) return 0;
    uint64_t speed = v->features & NIC_SPEED ? virtio_config_read(v, CONFIG_SPEED, 4) : 0;
    return speed == 0 || speed >= SPEED_UNKNOWN ? LINK_DEFAULT : (uint32_t)speed;
}

void nic_read_config(struct nic *n) {
    struct virtio *v = &n->virtio;
    struct net_info *i = &n->net.info;
    uint64_t mtu = v->features & NIC_MTU ? virtio_config_read(v, CONFIG_MTU, 2) : MTU_DEFAULT;
    uint64_t pairs = v->features & NIC_QUEUES ? virtio_config_read(v, CONFIG_PAIRS, 2) : 1;
    if (v->features & NIC_MAC) {
        for (unsigned b = 0; b < 6; b++) i->address[b] = (uint8_t)virtio_config_read(v, CONFIG_MAC + b, 1);
    } else { /* §5.1.5: one of our own, marked as such */
        if (getentropy(i->address, 6) != 0) nic_nonsense("address");
        i->address[0] = (uint8_t)((i->address[0] & ~1u) | 2);
    }
    n->pairs_offered = pairs < 1 ? 1 : (unsigned)pairs;
    n->pairs = n->pairs_offered < PAIRS_MAX ? n->pairs_offered : PAIRS_MAX;
    i->mtu = (uint16_t)(mtu < 68 ? MTU_DEFAULT : mtu < MTU_MAX ? mtu : MTU_MAX);
    i->buffer_size = BUFFER_SIZE;
    i->segment_max = SEGMENT_MAX;
    i->queues = n->pairs;
    i->features = (v->features & NIC_CHECKSUM ? NET_CAN_CHECKSUM : 0) |
                  (v->features & NIC_HOST_TSO4 ? NET_CAN_TSO4 : 0) | (v->features & NIC_HOST_TSO6 ? NET_CAN_TSO6 : 0) |
                  (v->features & NIC_GUEST_CHECKSUM ? NET_CHECKS : 0) | (v->features & NIC_MERGEABLE ? NET_MERGES : 0);
    strcpy(i->driver, "virtio-net");
    n->net.link = link_read(n);
}

/* --- starting and stopping --- */
static void slots_free(uint16_t *free, uint16_t *count, unsigned size) {
    for (uint16_t i = 0; i < size; i++) free[i] = i;
    *count = (uint16_t)size;
}

static int pair_start(struct nic *n, unsigned pair) {
    struct receive_queue *r = &n->receive[pair];
    struct send_queue *s = &n->send[pair];
    int e = virtio_queue(&n->virtio, 2 * pair, QUEUE_SIZE, 0, &r->queue);
    if (!e) e = virtio_queue(&n->virtio, 2 * pair + 1, QUEUE_SIZE, NET_PIECES_MAX + 1, &s->queue);
    if (!e && !s->headers.at)
        e = pci_dma_create(n->virtio.function, QUEUE_SIZE * sizeof(struct nic_header), 0, &s->headers);
    if (e) return e;
    slots_free(r->free, &r->free_count, r->queue.ring.size);
    slots_free(s->free, &s->free_count, s->queue.ring.size);
    return virtqueue_rearm(&r->queue.ring) && virtqueue_rearm(&s->queue.ring) ? 0 : -EPROTO;
}

/* Of a line one event is enough. */
static int interrupts_watch(struct nic *n, handle_t config) {
    struct scheme *s = &n->net.scheme;
    int e = 0;
    if (n->watched) return 0;
    bool line = n->virtio.info.interrupt_kind != PCI_MSIX;
    for (unsigned i = 0; !e && i < (line ? 1 : n->pairs); i++) {
        e = scheme_event_add(s, n->receive[i].queue.interrupt, EVENT_IN, 2 * i);
        if (!e && !line) e = scheme_event_add(s, n->send[i].queue.interrupt, EVENT_IN, 2 * i + 1);
    }
    if (!e && !line && n->control.queue.memory.at)
        e = scheme_event_add(s, n->control.queue.interrupt, EVENT_IN, KEY_CONTROL);
    if (!e && config >= 0) e = scheme_event_add(s, config, EVENT_IN, KEY_CONFIG);
    n->watched = !e;
    return e;
}

static int nic_start(struct net_device *d) {
    struct nic *n = nic_of(d);
    int e = virtio_restart(&n->virtio);
    for (unsigned i = 0; !e && i < n->pairs; i++) e = pair_start(n, i);
    if (!e) e = control_start(n);
    if (e) return e;
    handle_t config = virtio_config_interrupt(&n->virtio);
    e = interrupts_watch(n, config);
    if (e) return e;
    virtio_start(&n->virtio);
    if (n->pairs > 1) control_tell(n, TELL_PAIRS);
    control_tell(n, TELL_FILTER);
    net_link(d, link_read(n));
    return 0;
}

static void nic_stop(struct net_device *d) {
    if (virtio_reset(&nic_of(d)->virtio) != 0) nic_nonsense("reset");
}

static void nic_filter(struct net_device *d) { control_tell(nic_of(d), TELL_FILTER); }

/* --- interrupts --- */
static handle_t interrupt_of(struct nic *n, uint64_t key) {
    if (key == KEY_CONFIG) return n->virtio.config_interrupt;
    if (key == KEY_CONTROL) return n->control.queue.interrupt;
    return key % 2 ? n->send[key / 2].queue.interrupt : n->receive[key / 2].queue.interrupt;
}

/* Queues that share an interrupt are all looked at. */
static void nic_interrupt(struct net_device *d, uint64_t key) {
    struct nic *n = nic_of(d);
    bool each = n->virtio.info.interrupt_kind == PCI_MSIX && n->virtio.info.messages > 2 * n->pairs_offered + 1;
    bool config = virtio_acknowledge(&n->virtio, interrupt_of(n, key)); /* first: what comes now interrupts again */
    if (!d->running) return;
    if (config || key == KEY_CONFIG) net_link(d, link_read(n));
    for (unsigned i = 0; i < n->pairs; i++) {
        if (!each || key == 2 * i) receive_interrupt(n, &n->receive[i]);
        if (!each || key == 2 * i + 1) send_interrupt(n, &n->send[i]);
    }
    if (!each || key == KEY_CONTROL) control_interrupt(n);
}

const struct net_ops nic_ops = {
    .start = nic_start,
    .stop = nic_stop,
    .post = nic_post,
    .send = nic_send,
    .kick = nic_kick,
    .filter = nic_filter,
    .interrupt = nic_interrupt,
};
