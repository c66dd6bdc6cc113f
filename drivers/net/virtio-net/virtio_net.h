// SPDX-License-Identifier: MIT
/* The virtio network driver's parts. */
#pragma once
#include "header.h"
#include <net.h>
#include <virtio.h>

#define PAIRS_MAX 4
#define QUEUE_SIZE 256
#define KEY_CONTROL (2 * PAIRS_MAX)
#define KEY_CONFIG (KEY_CONTROL + 1)

struct receive_queue {
    struct virtio_queue queue;
    struct net_buffer slots[QUEUE_SIZE];
    uint16_t free[QUEUE_SIZE], free_count;
    bool added; /* since the last kick */
};
struct send_queue {
    struct virtio_queue queue;
    struct dma headers; /* struct nic_header of each slot */
    uint64_t tags[QUEUE_SIZE];
    uint16_t free[QUEUE_SIZE], free_count;
    bool added;
};

enum control { /* what the device is to be told */
               TELL_PAIRS = 1,
               TELL_PROMISCUOUS = 2,
               TELL_ALL_MULTICAST = 4,
               TELL_ADDRESSES = 8,
               TELL_FILTER = TELL_PROMISCUOUS | TELL_ALL_MULTICAST | TELL_ADDRESSES,
};
struct control_queue { /* one command at a time */
    struct virtio_queue queue;
    struct dma memory;
    unsigned wanted; /* enum control, not yet told */
    bool busy;
};

struct nic {
    struct net_device net;
    struct virtio virtio;
    struct receive_queue receive[PAIRS_MAX];
    struct send_queue send[PAIRS_MAX];
    struct control_queue control;
    unsigned pairs, pairs_offered;
    bool watched; /* the interrupts are among the scheme's events */
};
static inline struct nic *nic_of(struct net_device *d) { return d->driver; }

/* --- virtio_net.c --- */
extern const struct net_ops nic_ops;
/* Reads the configuration: what the card is. */
void nic_read_config(struct nic *n);
[[noreturn]] void nic_nonsense(const char *what);

/* --- control.c --- */
[[nodiscard]] int control_start(struct nic *n);
/* Tells the device, now or when it has done what it is at. */
void control_tell(struct nic *n, unsigned what);
void control_interrupt(struct nic *n);
