// SPDX-License-Identifier: MIT
/*
 * A network card, from the side of those who use it: the network server. Frames lie in a pool that the card reads and
 * writes itself; they go and come in batches, without a system call while the driver is awake.
 *
 * When the driver dies, its successor gets all receive buffers again; frames that had been given to the dead one end
 * with -ENETRESET (they may have been sent, or not).
 *
 * One thread. In a server: scheme_event_add(s, d->event, EVENT_IN, key), and netdev_poll() when it comes; netdev_send()
 * and netdev_post() any number, then netdev_kick() once at the end of the handler. The callbacks are called by
 * netdev_poll() only; they may send and post.
 */
#pragma once
#ifndef CATHODE_USER_STUBS
#define CATHODE_USER_STUBS
#endif
#include <abi/syscall.h>
#include <net_protocol.h>
#include <stdbool.h>

#define NETDEV_PARTS_MAX 40 /* buffers of a received frame */

struct netdev;
struct netdev_piece {
    uint64_t offset; /* in the pool */
    uint32_t length;
    void *context; /* netdev_post()'s, of a received frame */
};
struct netdev_received {
    const struct netdev_piece *pieces; /* offset and length: where the bytes are */
    unsigned count;
    uint32_t length; /* of all pieces */
    uint32_t flags; /* NET_CHECKED, NET_PARTIAL */
    uint16_t checksum_start, checksum_offset; /* of NET_PARTIAL */
    uint32_t hash;
};
struct netdev_ops {
    /* A frame came: its buffers are the caller's again. */
    void (*received)(struct netdev *d, const struct netdev_received *r);
    /* A buffer comes back empty: the card was reset, or couldn't use it. May be posted again. */
    void (*returned)(struct netdev *d, void *context);
    /* A frame's memory is the caller's again: result 0, or why it wasn't sent. It may come late: the driver wakes the
     * caller for this alone only when a quarter of the entries is in use. */
    void (*sent)(struct netdev *d, void *context, int result);
    /* d->link has changed (may be null). */
    void (*link)(struct netdev *d);
    /* There is room again after netdev_send() said -EAGAIN (may be null). */
    void (*room)(struct netdev *d);
};

struct netdev_frame { /* to be sent */
    const struct netdev_piece *pieces; /* context is not used; length > 0 */
    unsigned count; /* 1 … NET_PIECES_MAX */
    void *context; /* for `sent` */
    uint32_t flags; /* NET_CHECKSUM, NET_SEGMENT4, NET_SEGMENT6: only what info.features has */
    uint16_t flow; /* a hash; frames of one flow keep their order */
    struct net_send offload;
};

struct netdev {
    struct net_info info;
    uint32_t link; /* Mbit/s, 0: down */
    uint8_t *pool; /* mapped */
    size_t pool_size;
    handle_t pool_memory; /* for other cards: netdev_open()'s `pool` */
    handle_t event; /* EVENT_IN: call netdev_poll() */
    void *context; /* the caller's */
    uint64_t restarts; /* of the driver, noticed so far */
    uint64_t doorbells; /* system calls to wake it */
    bool gone; /* the card was taken away, or its driver can't work: everything has come back. netdev_close() is left */
    /* private */
    const struct netdev_ops *ops;
    handle_t file, rings_memory, doorbell;
    struct net_memory *rings;
    size_t rings_size;
    struct netdev_queue {
        struct ring ring;
        uint32_t entries, used, free_slot; /* used: entries under way; free_slot = entries: none */
        struct netdev_slot {
            void *context;
            struct ring_entry entry; /* of a buffer: to be posted again */
            uint32_t next_free, pieces; /* pieces 0: free */
        } *slots; /* by tag */
        bool unpublished;
    } send, receive;
    struct netdev_piece parts[NETDEV_PARTS_MAX]; /* of the frame that is coming */
    unsigned part_count;
    uint32_t part_length;
    bool part_lost; /* it has too many: dropped */
    uint32_t filter, address_count;
    uint8_t addresses[NET_ADDRESSES_MAX][6];
    bool lost; /* the driver has died, or makes no sense */
    bool blocked; /* `room` has been promised */
    bool send_armed; /* completions wake us */
    bool shared; /* the pool is another card's */
};

struct netdev_setup {
    uint32_t send_entries, receive_entries; /* powers of two ≤ NET_RING_ENTRIES_MAX: pieces and buffers under way */
    size_t pool_size;
    const struct netdev *share; /* null, or a card whose pool this one is to use, too (which is closed after it) */
};

/* Takes over `file`, a card's open file. 0 or -errno (then the file is still the caller's): -EBUSY: another has it. */
[[nodiscard]] int netdev_open(struct netdev *d, handle_t file, const struct netdev_setup *setup,
                              const struct netdev_ops *ops, void *context);
/* The driver lets go of pool and buffers before this returns; no callback is called for them. The pool's mapping ends,
 * unless it is another card's. */
void netdev_close(struct netdev *d);

/* Queues a frame; its pieces are the card's until `sent`. 0; -EAGAIN: no room now, `room` will be called; -ENETDOWN: no
 * link, or no driver; -EINVAL, -EMSGSIZE. */
[[nodiscard]] int netdev_send(struct netdev *d, const struct netdev_frame *f);
/* Gives a buffer for receiving: NET_ALIGNMENT-aligned, length ≥ info.buffer_size. 0; -EAGAIN: receive_entries are under
 * way. */
[[nodiscard]] int netdev_post(struct netdev *d, uint64_t offset, uint32_t length, void *context);
/* Shows the driver what was sent and posted. */
void netdev_kick(struct netdev *d);
/* Takes what came (callbacks), reconnects if the driver was restarted, and kicks. Doesn't wait. How many
 * frames and buffers came back. */
unsigned netdev_poll(struct netdev *d);
/* The same, but waits until something came or the deadline (absolute ns) passed: -ETIMEDOUT. For programs without a
 * loop. */
int netdev_wait(struct netdev *d, int64_t deadline);

/* Which frames come beside broadcast and our own address: enum net_filter, and multicast addresses. Kept over restarts
 * of the driver. 0 or -errno. */
[[nodiscard]] int netdev_filter(struct netdev *d, uint32_t filter, const uint8_t (*addresses)[6], unsigned count);
[[nodiscard]] int netdev_statistics(struct netdev *d, struct net_statistics *out);
