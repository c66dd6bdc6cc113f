// SPDX-License-Identifier: MIT
/*
 * What a client's ring entries mean: buffers and frames in its pool. Pure. Nothing of what the client says is trusted;
 * what is in struct net_buffer and net_frame has been checked.
 */
#pragma once
#include <net_protocol.h>
#include <stdbool.h>

struct net_buffer { /* for receiving: the driver's from post to net_received() or net_returned() */
    uint64_t physical, tag;
    uint8_t *at;
    uint32_t length; /* ≥ info.buffer_size */
};
struct net_piece {
    uint64_t physical;
    uint8_t *at;
    uint32_t length; /* > 0 */
};
struct net_frame { /* to be sent: the pieces' memory is the driver's from send to net_sent() */
    uint64_t tag;
    uint32_t length; /* of all pieces: ≥ NET_HEADER, ≤ mtu + NET_HEADER + 4 or, of NET_SEGMENT, segment_max */
    uint32_t flags; /* only what info.features has; offload lies inside the frame */
    uint16_t flow;
    unsigned count;
    struct net_send offload;
    struct net_piece pieces[NET_PIECES_MAX]; /* of NET_SEGMENT: all headers are in the first */
};

struct net_pool_range { /* the pool */
    uint8_t *at;
    uint64_t physical, size;
};
/* The entry of a receive ring: 0 or -errno. */
[[nodiscard]] int net_buffer_take(struct net_buffer *b, const struct net_pool_range *pool, const struct net_info *info,
                                  const struct ring_entry *e);

struct net_frame_builder {
    struct net_frame frame; /* complete, or begun */
    bool begun; /* some of its pieces have come */
    int error; /* of what has come so far */
};
/* Adds an entry of a send ring. True: it was the last one of the frame, `error` is 0 or what is wrong with it; the next
 * entry begins another one. */
bool net_frame_add(struct net_frame_builder *b, const struct net_pool_range *pool, const struct net_info *info,
                   const struct ring_entry *e);
