// SPDX-License-Identifier: MIT
/*
 * Requests of a virtio block device. Each has a slot in memory that the device sees (header, range, status)
 * and one in ours (whose it is).
 *
 * Queues: one gets all requests of a batch, the next batch goes to the next one. What a device says that
 * can't be ends this instance; the next one resets it.
 */
#include "virtio_blk.h"
#include <service.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_NS 1000000000LL
#define TRANSFER_MAX (1u << 20)

static struct blk *blk_of(struct block_device *d) { return d->driver; }
static volatile struct blk_slot *slot_of(struct blk_queue *q, unsigned slot) {
    return (volatile struct blk_slot *)q->slots.at + slot;
}
static uint64_t slot_physical(const struct blk_queue *q, unsigned slot, size_t offset) {
    return q->slots.physical + slot * sizeof(struct blk_slot) + offset;
}

/* --- giving --- */
static int slot_give(struct blk_queue *q, unsigned slot, const struct virtio_buffer *data, bool device_writes) {
    struct virtio_buffer buffers[3] = {{slot_physical(q, slot, 0), sizeof(struct blk_header)}};
    unsigned count = 1;
    slot_of(q, slot)->status = UINT8_MAX;
    if (data) buffers[count++] = *data;
    buffers[count++] = (struct virtio_buffer){slot_physical(q, slot, offsetof(struct blk_slot, status)), 1};
    unsigned in = data && device_writes ? 2 : 1;
    return virtqueue_add(&q->queue.ring, buffers, count - in, in, &q->inside[slot]);
}

static void header_set(struct blk_queue *q, unsigned slot, uint32_t type, uint64_t sector) {
    volatile struct blk_header *h = &slot_of(q, slot)->header;
    h->type = type;
    h->reserved = 0;
    h->sector = sector;
}

static int request_give(struct blk_queue *q, unsigned slot, const struct block_request *r) {
    unsigned scale = r->device->sector_size / REQUEST_SECTOR;
    struct virtio_buffer data = {r->physical, r->length};
    switch (r->op) {
    case DISK_READ: header_set(q, slot, REQUEST_IN, r->sector * scale); return slot_give(q, slot, &data, true);
    case DISK_WRITE: header_set(q, slot, REQUEST_OUT, r->sector * scale); return slot_give(q, slot, &data, false);
    case DISK_FLUSH: header_set(q, slot, REQUEST_FLUSH, 0); return slot_give(q, slot, nullptr, false);
    default: break;
    }
    volatile struct blk_range *range = &slot_of(q, slot)->range;
    range->sector = r->sector * scale;
    range->sectors = r->length / REQUEST_SECTOR;
    range->flags = 0;
    header_set(q, slot, r->op == DISK_DISCARD ? REQUEST_DISCARD : REQUEST_ZEROES, 0);
    data = (struct virtio_buffer){slot_physical(q, slot, offsetof(struct blk_slot, range)), sizeof(struct blk_range)};
    return slot_give(q, slot, &data, false);
}

static int blk_submit(struct block_device *d, struct block_request *r) {
    struct blk *b = blk_of(d);
    struct blk_queue *q = &b->queues[b->next];
    if (q->free_count == 0) return -EAGAIN;
    unsigned slot = q->free[q->free_count - 1];
    int e = request_give(q, slot, r);
    if (e) return e;
    q->free_count--;
    q->inside[slot].request = r;
    q->added = true;
    return 0;
}

static void blk_kick(struct block_device *d) {
    struct blk *b = blk_of(d);
    struct blk_queue *q = &b->queues[b->next];
    if (!q->added) return;
    q->added = false;
    virtio_kick(&q->queue);
    b->next = (b->next + 1) % b->queue_count;
}

const struct block_ops blk_ops = {.submit = blk_submit, .kick = blk_kick};

/* --- taking --- */
[[noreturn]] static void nonsense(void) {
    service_log("virtio-blk: the device's queue makes no sense");
    exit(1);
}

static void slot_done(struct blk *b, struct blk_queue *q, unsigned slot) {
    uint8_t status = slot_of(q, slot)->status;
    struct block_request *r = q->inside[slot].request;
    q->inside[slot].request = nullptr;
    q->free[q->free_count++] = (uint16_t)slot;
    if (q->inside[slot].identify) {
        q->inside[slot].identify = false;
        if (status == STATUS_OK) memcpy(b->device.serial, b->identity.at, ID_BYTES);
        b->identified = true;
        return;
    }
    int error = status == STATUS_UNSUPPORTED ? -EOPNOTSUPP : -EIO;
    block_complete(&b->server, r, status == STATUS_OK ? (int64_t)r->length : error);
}

static void queue_take(struct blk *b, struct blk_queue *q) {
    void *token;
    uint32_t length;
    do {
        int got;
        while ((got = virtqueue_get(&q->queue.ring, &token, &length)) > 0)
            slot_done(b, q, (unsigned)((typeof(&q->inside[0]))token - q->inside));
        if (got < 0) nonsense();
    } while (!virtqueue_rearm(&q->queue.ring));
}

/*
 * All queues: they may share an interrupt, and to acknowledge it takes it from the others, whose events may not have
 * been there yet.
 */
void blk_interrupt(struct blk *b, unsigned number) {
    virtio_acknowledge(&b->virtio, b->queues[number].queue.interrupt); /* first: what comes now interrupts again */
    for (unsigned i = 0; i < b->queue_count; i++) queue_take(b, &b->queues[i]);
}

/* --- set-up --- */
static int queue_init(struct blk *b, unsigned number) {
    struct blk_queue *q = &b->queues[number];
    int e = virtio_queue(&b->virtio, number, QUEUE_SIZE, BUFFERS_MAX, &q->queue);
    if (!e) e = pci_dma_create(b->virtio.function, q->queue.ring.size * sizeof(struct blk_slot), 0, &q->slots);
    if (e) return e;
    q->free_count = q->queue.ring.size;
    for (uint16_t i = 0; i < q->free_count; i++) q->free[i] = i;
    return virtqueue_rearm(&q->queue.ring) ? 0 : -EPROTO;
}

int blk_queues_init(struct blk *b) {
    uint64_t offered = b->virtio.features & BLK_QUEUES ? virtio_config_read(&b->virtio, CONFIG_QUEUES, 2) : 1;
    int e = 0;
    b->queue_count = offered < 1 ? 1 : offered > QUEUES_MAX ? QUEUES_MAX : (unsigned)offered;
    for (unsigned i = 0; !e && i < b->queue_count; i++) e = queue_init(b, i);
    b->device.depth =
        b->queue_count * (b->virtio.features & VIRTIO_INDIRECT ? b->queues[0].queue.ring.size
                                                               : b->queues[0].queue.ring.size / BUFFERS_MAX);
    return e;
}

void blk_read_config(struct blk *b) {
    struct virtio *v = &b->virtio;
    struct block_device *d = &b->device;
    uint64_t sector_size = v->features & BLK_SECTOR_SIZE ? virtio_config_read(v, CONFIG_SECTOR_SIZE, 4) : 512;
    uint64_t exponent = v->features & BLK_TOPOLOGY ? virtio_config_read(v, CONFIG_PHYSICAL_EXPONENT, 1) : 0;
    uint64_t size_max = v->features & BLK_SIZE_MAX ? virtio_config_read(v, CONFIG_SIZE_MAX, 4) : TRANSFER_MAX;
    if (sector_size < 512 || sector_size > 4096 || (sector_size & (sector_size - 1))) sector_size = 512;
    d->sector_size = (uint32_t)sector_size;
    d->physical_sector_size = (uint32_t)(sector_size << (exponent < 8 ? exponent : 0));
    d->sectors = virtio_config_read(v, CONFIG_CAPACITY, 8) / (sector_size / REQUEST_SECTOR);
    d->transfer_max = (uint32_t)(size_max < TRANSFER_MAX ? size_max : TRANSFER_MAX) & ~4095u;
    d->flags = (v->features & BLK_READ_ONLY ? DISK_READ_ONLY : 0) | (v->features & BLK_FLUSH ? DISK_CACHE : 0) |
               (v->features & BLK_DISCARD ? DISK_CAN_DISCARD : 0) |
               (v->features & BLK_WRITE_ZEROES ? DISK_CAN_WRITE_ZEROES : 0);
}

void blk_identify(struct blk *b) {
    struct blk_queue *q = &b->queues[0];
    struct timespec now;
    if (pci_dma_create(b->virtio.function, 4096, 0, &b->identity) != 0) return;
    struct virtio_buffer data = {b->identity.physical, ID_BYTES};
    unsigned slot = q->free[--q->free_count];
    q->inside[slot].identify = true;
    header_set(q, slot, REQUEST_ID, 0);
    if (slot_give(q, slot, &data, true) == 0) virtio_kick(&q->queue);
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (block_wait(&b->server, &b->identified, now.tv_sec * SECOND_NS + 10 * SECOND_NS) == 0)
        pci_dma_destroy(b->virtio.function, &b->identity);
}
