// SPDX-License-Identifier: MIT
/*
 * The two rings of descriptors, pure: no register is touched. The device is not trusted: only descriptors that it was
 * given are looked at, once each, and what has to be remembered of them is in memory of ours.
 */
#pragma once
#include "e1000_hw.h"
#include <net_frame.h>

#define RING_SIZE 256u /* one stays free: head = tail is an empty ring */
#define RING_BYTES (RING_SIZE * 16u)
#define SEND_PART 8192u /* bytes of a descriptor: SDM §3.3.3 allows 16,288 */

struct receive_ring {
    volatile struct receive_descriptor *descriptors;
    uint32_t tail, clean; /* next to be given; next to come back */
    bool skip; /* the rest of a frame that is too long */
    struct net_buffer slots[RING_SIZE];
};
struct receive_result {
    struct net_buffer buffer;
    struct net_receive receive;
    uint32_t length;
    int error; /* no frame in it */
};
void receive_init(struct receive_ring *r, void *memory);
[[nodiscard]] int receive_put(struct receive_ring *r, const struct net_buffer *b); /* 0 or -EAGAIN */
/* The next buffer that came back. */
bool receive_take(struct receive_ring *r, struct receive_result *out);
/* All of them again in a new ring, after a reset. */
void receive_renew(struct receive_ring *r);
static inline uint32_t receive_outstanding(const struct receive_ring *r) { return (r->tail - r->clean) % RING_SIZE; }

struct send_ring {
    union {
        volatile struct send_data *data;
        volatile struct send_context *contexts;
    };
    uint32_t tail, clean;
    struct send_context context; /* what the device has */
    struct {
        uint64_t tag;
        uint16_t count; /* of descriptors; at a frame's first one */
    } slots[RING_SIZE];
};
void send_init(struct send_ring *s, void *memory);
/* 0, -EAGAIN, or -EINVAL: offsets that the hardware can't express. */
[[nodiscard]] int send_put(struct send_ring *s, const struct net_frame *f);
/* The next frame that the device is done with. */
bool send_take(struct send_ring *s, uint64_t *tag);
/* The oldest frame is given up; false: none. */
bool send_drop(struct send_ring *s, uint64_t *tag);
static inline uint32_t send_outstanding(const struct send_ring *s) { return (s->tail - s->clean) % RING_SIZE; }
