// SPDX-License-Identifier: MIT
/*
 * Split virtqueues (virtio 1.2 §2.7): buffers go to the device and come back, with indirect
 * descriptors and event indices where negotiated. No device access in here: the caller supplies memory
 * and rings the bell.
 *
 * The device is not trusted: what it writes is read once and checked, what only we write is kept in
 * private memory too. Nonsense is -EPROTO; the queue must not be used any more.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIRTQUEUE_SIZE_MAX 1024
#define VIRTQUEUE_BUFFERS_MAX 32 /* of one request */

struct virtio_buffer {
    uint64_t physical;
    uint32_t length;
};
struct virtqueue_descriptor; /* as the device sees them */
struct virtqueue_available;
struct virtqueue_used;

struct virtqueue {
    uint16_t size, free_count, free_head;
    uint16_t available_next, published; /* written so far; shown to the device so far */
    uint16_t used_next;
    uint16_t buffers_max; /* of one request; > 0: it takes one descriptor and an indirect table. 0: one each */
    bool event_index;
    bool reads_only; /* all buffers are the device's to read: lengths mean nothing (QEMU's input devices count them) */
    volatile struct virtqueue_descriptor *descriptors, *tables;
    volatile struct virtqueue_available *available;
    volatile struct virtqueue_used *used;
    uint64_t physical, tables_physical;
    struct virtqueue_slot { /* of the descriptor with the same number */
        void *token; /* of a request's first descriptor, null: not with the device */
        uint32_t writable; /* bytes that the device may write */
        uint16_t next, count; /* of descriptors */
    } *slots;
};

/* Bytes of memory for the device, page-aligned; and where its parts lie. */
size_t virtqueue_bytes(unsigned size, unsigned buffers_max);
uint64_t virtqueue_available_at(const struct virtqueue *q), virtqueue_used_at(const struct virtqueue *q);
/* size: a power of two ≤ VIRTQUEUE_SIZE_MAX; memory: zero; buffers_max ≤ VIRTQUEUE_BUFFERS_MAX, 0: without indirect
 * tables. 0 or -ENOMEM. */
[[nodiscard]] int virtqueue_init(struct virtqueue *q, unsigned size, void *memory, uint64_t physical, bool event_index,
                                 unsigned buffers_max);
void virtqueue_fini(struct virtqueue *q);
/* First `out` buffers that the device reads, then `in` that it writes; at most buffers_max or VIRTQUEUE_BUFFERS_MAX.
 * token ≠ null. 0; -EAGAIN: full. */
[[nodiscard]] int virtqueue_add(struct virtqueue *q, const struct virtio_buffer *buffers, unsigned out, unsigned in,
                                void *token);
/* Shows it what was added. True: notify the device. */
[[nodiscard]] bool virtqueue_publish(struct virtqueue *q);
/* What came back: 1 and *token, *length (bytes written); 0: nothing; -EPROTO. */
[[nodiscard]] int virtqueue_get(struct virtqueue *q, void **token, uint32_t *length);
/* Wants an interrupt for the next one. False: it is there already. */
[[nodiscard]] bool virtqueue_rearm(struct virtqueue *q);
