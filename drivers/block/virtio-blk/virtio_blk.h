// SPDX-License-Identifier: MIT
/* The virtio block driver's parts. */
#pragma once
#include "virtio_blk_hw.h"
#include <block.h>
#include <virtio.h>

#define QUEUES_MAX 4
#define QUEUE_SIZE 256
#define BUFFERS_MAX 3 /* of a request: header, data, status */

struct blk_slot { /* memory that the device sees, of one request */
    struct blk_header header;
    struct blk_range range;
    uint8_t status, reserved[31];
};
_Static_assert(sizeof(struct blk_slot) == 64, "no two share a cache line");

struct blk_queue {
    struct virtio_queue queue;
    struct dma slots;
    uint16_t free[QUEUE_SIZE], free_count; /* slots */
    struct { /* what is in them, private */
        struct block_request *request;
        bool identify;
    } inside[QUEUE_SIZE];
    bool added; /* since the last kick */
};
struct blk {
    struct virtio virtio;
    struct block_server server;
    struct block_device device;
    struct blk_queue queues[QUEUES_MAX];
    unsigned queue_count, next; /* next: which one gets requests until the next kick */
    handle_t config_interrupt;
    bool identified;
    struct dma identity;
};
extern const struct block_ops blk_ops;

/* Interrupt of queue `number`: everything that came back. */
void blk_interrupt(struct blk *b, unsigned number);
/* What the configuration says now. */
void blk_read_config(struct blk *b);
int blk_queues_init(struct blk *b);
/* Asks for the serial number. */
void blk_identify(struct blk *b);
