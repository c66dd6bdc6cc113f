// SPDX-License-Identifier: MIT
/*
 * What a network card's file (`net.NAME:0`) takes. The network server uses netdev.h; drivers net.h; this is what the
 * two agree on.
 *
 * A session has a pool, two rings, and an event of each side. The pool is contiguous memory, known to the device, which
 * reads and writes frames in it: they are never copied. It is the client's, outlives the driver, and may serve several
 * cards: the first one's driver makes it, the others adopt it. The rings' memory (struct net_memory, ring.h) is the
 * driver's.
 *
 * Ring `send`: requests are pieces of frames, the first one with struct net_send, all but the last with NET_MORE; one
 * completion for each frame, with the first piece's tag: result 0 or -errno. Completions of frames may overtake each
 * other.
 *
 * Ring `receive`: requests are empty buffers, at least `buffer_size` bytes each. A completion tells that a buffer is
 * the client's again: result is what the card wrote, or -errno (nothing is in it). values are struct net_receive. All
 * buffers of a frame but the last have NET_MORE.
 */
#pragma once
#include <abi/scheme.h>
#include <ring.h>
#include <string.h>

enum net_call {
    NET_INFO = OP_USER, /* answers struct net_info */
    NET_STATISTICS, /* answers struct net_statistics */
    NET_POOL, /* args[0] bytes: reply.handle is the memory. Or, with the handle of one that a driver has made before. */
    NET_RINGS, /* args[0], args[1] entries of send and receive; reply.handle: struct net_memory */
    NET_START, /* handle: the client's event, posted when there is news. reply.handle: the driver's, to be posted when
                * requests came. The rings begin anew. */
    NET_STOP, /* ends the session: the device has its hands off the pool when this returns */
    NET_FILTER, /* args[0] enum net_filter; data: multicast addresses, 6 bytes each. Of the session's card. */
    NET_RESET_RING, /* for tests: the device's rings are stopped as if it had hung; the driver has to notice */
};

#define NET_RESTARTED EVENT_PRIORITY /* readiness of the file: it was reopened, and its session has to be made anew */

#define NET_HEADER 14 /* of Ethernet: the frames have it, but no FCS */
#define NET_PIECES_MAX 20 /* of a frame to be sent */
#define NET_RING_ENTRIES_MAX 4096
#define NET_POOL_MAX (32u << 20)
#define NET_ADDRESSES_MAX 256 /* of NET_FILTER */
#define NET_ALIGNMENT 64 /* of buffers for receiving */

enum net_features { /* what the card does, if asked to by each frame's flags */
                    NET_CAN_CHECKSUM = 1, /* of frames to be sent: NET_CHECKSUM */
                    NET_CAN_TSO4 = 2, /* NET_SEGMENT4 */
                    NET_CAN_TSO6 = 4,
                    NET_CHECKS = 8, /* received ones: NET_CHECKED, NET_PARTIAL may come */
                    NET_MERGES = 16, /* a received frame may lie in several buffers */
};
struct net_info {
    uint8_t address[6]; /* MAC */
    uint16_t mtu; /* of the packet in the frame */
    uint32_t features; /* enum net_features */
    uint32_t buffer_size; /* least of one for receiving; a whole frame of mtu fits */
    uint32_t segment_max; /* bytes of packet that NET_SEGMENT4 and 6 take, with headers */
    uint32_t queues; /* of the device, each way */
    char driver[16];
};
_Static_assert(sizeof(struct net_info) == 40, "as on the wire");

enum net_filter { NET_PROMISCUOUS = 1, NET_ALL_MULTICAST = 2 };

struct net_statistics { /* since the driver's start */
    uint64_t received_frames, received_bytes, sent_frames, sent_bytes;
    uint64_t receive_errors, receive_dropped; /* bad frames; no buffer was there */
    uint64_t send_errors;
    uint64_t bytes_copied; /* of frames, by the driver's CPU */
    uint64_t interrupts, doorbells, posts; /* from the device; by the client; to the client */
    uint64_t resets; /* of stopped rings */
    uint64_t link_changes;
};

/* --- the rings --- */
/*
 * Flags of ring_entry.op, and of struct net_receive.
 * CHECKSUM, of sending: the card stores a checksum of the bytes from checksum_start to the end at checksum_start +
 *     checksum_offset, where that of the pseudo header is (virtio 1.2 §5.1.6.2).
 * SEGMENT4, SEGMENT6: TCP over IPv4, IPv6, in segments of `mss`; with CHECKSUM. The pseudo header's length is that of
 *     the whole. All headers lie in the first piece; the driver may change their length and checksum fields.
 * CHECKED, of receiving: the TCP or UDP checksum is right.
 * PARTIAL: comes from this machine's neighbours and has not been given a checksum: it is as with CHECKSUM, and right by
 *     definition.
 */
enum net_flags {
    NET_MORE = 1, /* another piece follows */
    NET_CHECKSUM = 2,
    NET_SEGMENT4 = 4,
    NET_SEGMENT6 = 8,
    NET_CHECKED = 16,
    NET_PARTIAL = 32,
};
#define NET_FLOW_SHIFT 16 /* of op, send: upper half; frames of one flow stay in order, others needn't */
struct net_send { /* ring_entry.position */
    uint16_t checksum_start, checksum_offset; /* bytes of the frame; of NET_CHECKSUM */
    uint16_t mss, header_length; /* payload of a segment; all headers, from the frame's start; of NET_SEGMENT */
};
struct net_receive { /* ring_entry.values */
    uint32_t flags;
    uint16_t offset; /* in the buffer, where the bytes begin */
    uint16_t checksum_start, checksum_offset; /* of NET_PARTIAL */
    uint16_t reserved;
    uint32_t hash; /* of the flow, or 0 */
};
_Static_assert(sizeof(struct net_send) == 8 && sizeof(struct net_receive) == 16, "as in the ring");

static inline uint64_t net_send_pack(struct net_send s) {
    uint64_t packed;
    memcpy(&packed, &s, sizeof(packed));
    return packed;
}
static inline struct net_send net_send_unpack(uint64_t packed) {
    struct net_send s;
    memcpy(&s, &packed, sizeof(s));
    return s;
}
static inline void net_receive_pack(struct ring_entry *e, struct net_receive r) { memcpy(e->values, &r, sizeof(r)); }
static inline struct net_receive net_receive_unpack(const struct ring_entry *e) {
    struct net_receive r;
    memcpy(&r, e->values, sizeof(r));
    return r;
}

/* Before the rings. Written by the driver; a change is followed by a post of the client's event. */
struct net_memory {
    _Atomic uint32_t link; /* Mbit/s, 0: down */
    uint32_t reserved[15];
};
static inline size_t net_ring_size(uint32_t entries) { return (ring_size(entries) + 63) & ~(size_t)63; }
static inline size_t net_rings_size(uint32_t send, uint32_t receive) {
    return (sizeof(struct net_memory) + net_ring_size(send) + net_ring_size(receive) + 4095) & ~(size_t)4095;
}
static inline void *net_send_ring(void *memory) { return (uint8_t *)memory + sizeof(struct net_memory); }
static inline void *net_receive_ring(void *memory, uint32_t send) {
    return (uint8_t *)net_send_ring(memory) + net_ring_size(send);
}
