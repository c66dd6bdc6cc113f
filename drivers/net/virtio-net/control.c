// SPDX-License-Identifier: MIT
/*
 * The control queue: virtio 1.2 §5.1.6.5. One command at a time, made when it is its turn out of what is wanted then:
 * so the last wish counts, and nobody waits.
 */
#include "virtio_net.h"
#include <service.h>
#include <string.h>

#define COMMAND_MAX 4096
#define STATUS_AT COMMAND_MAX /* behind it */

static bool works(const struct nic *n) { return n->virtio.features & NIC_CONTROL; }

int control_start(struct nic *n) {
    struct control_queue *c = &n->control;
    c->wanted = 0;
    c->busy = false;
    if (!works(n)) return 0;
    if (!c->memory.at) {
        int e = pci_dma_create(n->virtio.function, STATUS_AT + 4096, 0, &c->memory);
        if (e) return e;
    }
    int e = virtio_queue(&n->virtio, 2 * n->pairs_offered, 4, 0, &c->queue);
    return e ? e : virtqueue_rearm(&c->queue.ring) ? 0 : -EPROTO;
}

/* §5.1.6.5.2: one table of single addresses, which is empty, and one of groups. */
static uint32_t addresses_make(const struct net_device *d, uint8_t *at) {
    uint32_t counts[2] = {0, d->address_count};
    memcpy(at, &counts[0], 4);
    memcpy(at + 4, &counts[1], 4);
    memcpy(at + 8, d->addresses, counts[1] * sizeof(d->addresses[0]));
    return 8 + counts[1] * (uint32_t)sizeof(d->addresses[0]);
}

static uint32_t command_make(struct nic *n, unsigned what, uint8_t *at) {
    const struct net_device *d = &n->net;
    switch (what) {
    case TELL_PAIRS:
        at[0] = CONTROL_PAIRS;
        at[1] = PAIRS_SET;
        at[2] = (uint8_t)n->pairs;
        at[3] = 0;
        return 4;
    case TELL_PROMISCUOUS:
    case TELL_ALL_MULTICAST:
        at[0] = CONTROL_RECEIVE;
        at[1] = what == TELL_PROMISCUOUS ? RECEIVE_PROMISCUOUS : RECEIVE_ALL_MULTICAST;
        at[2] = (d->filter & (what == TELL_PROMISCUOUS ? NET_PROMISCUOUS : NET_ALL_MULTICAST)) != 0;
        return 3;
    default:
        at[0] = CONTROL_MAC;
        at[1] = MAC_TABLE;
        return 2 + addresses_make(d, at + 2);
    }
}
_Static_assert(2 + 8 + sizeof(((struct net_device *)0)->addresses) <= COMMAND_MAX, "the longest command");

static void next(struct nic *n) {
    struct control_queue *c = &n->control;
    if (c->busy) return;
    if (!c->wanted) {
        net_filtered(&n->net);
        return;
    }
    unsigned what = c->wanted & -c->wanted;
    c->wanted &= ~what;
    uint32_t length = command_make(n, what, c->memory.at);
    ((volatile uint8_t *)c->memory.at)[STATUS_AT] = UINT8_MAX;
    const struct virtio_buffer buffers[2] = {{c->memory.physical, length}, {c->memory.physical + STATUS_AT, 1}};
    if (virtqueue_add(&c->queue.ring, buffers, 1, 1, c) != 0) nic_nonsense("control queue"); /* it is empty */
    c->busy = true;
    virtio_kick(&c->queue);
}

void control_tell(struct nic *n, unsigned what) {
    if (!works(n)) {
        net_filtered(&n->net);
        return;
    }
    if (!(n->virtio.features & NIC_CONTROL_RECEIVE)) what &= ~(unsigned)TELL_FILTER;
    if (!(n->virtio.features & NIC_QUEUES)) what &= ~(unsigned)TELL_PAIRS;
    n->control.wanted |= what;
    next(n);
}

void control_interrupt(struct nic *n) {
    struct control_queue *c = &n->control;
    void *token;
    uint32_t length;
    if (!works(n)) return;
    do {
        int got = virtqueue_get(&c->queue.ring, &token, &length);
        if (got < 0) nic_nonsense("control queue");
        if (got == 0) continue;
        c->busy = false;
        uint8_t status = ((volatile uint8_t *)c->memory.at)[STATUS_AT];
        if (status != CONTROL_OK) service_log("virtio-net: the device refused a command: %u", status);
    } while (!virtqueue_rearm(&c->queue.ring));
    next(n);
}
