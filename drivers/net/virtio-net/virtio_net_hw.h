// SPDX-License-Identifier: MIT
/* The network device of virtio 1.2 §5.1. */
#pragma once
#include <stdint.h>

/* §5.1.3 feature bits */
#define NIC_CHECKSUM (1ull << 0)
#define NIC_GUEST_CHECKSUM (1ull << 1)
#define NIC_MTU (1ull << 3)
#define NIC_MAC (1ull << 5)
#define NIC_HOST_TSO4 (1ull << 11)
#define NIC_HOST_TSO6 (1ull << 12)
#define NIC_MERGEABLE (1ull << 15)
#define NIC_STATUS (1ull << 16)
#define NIC_CONTROL (1ull << 17)
#define NIC_CONTROL_RECEIVE (1ull << 18)
#define NIC_QUEUES (1ull << 22)
#define NIC_SPEED (1ull << 63)

enum { /* §5.1.4 configuration */
       CONFIG_MAC = 0,
       CONFIG_STATUS = 6,
       CONFIG_PAIRS = 8,
       CONFIG_MTU = 10,
       CONFIG_SPEED = 12,
};
enum { LINK_UP = 1 };
#define SPEED_UNKNOWN 0x7fffffffu /* and above */

enum { HEADER_NEEDS_CHECKSUM = 1, HEADER_DATA_VALID = 2 };
enum { SEGMENT_NONE = 0, SEGMENT_TCP4 = 1, SEGMENT_TCP6 = 4 };
struct nic_header { /* §5.1.6: before each frame */
    uint8_t flags, segment_type;
    uint16_t header_length, segment_size;
    uint16_t checksum_start, checksum_offset;
    uint16_t buffers; /* of a received frame, with NIC_MERGEABLE */
};
_Static_assert(sizeof(struct nic_header) == 12, "virtio 1.2 §5.1.6");

enum { /* §5.1.6.5: class, command */
       CONTROL_RECEIVE = 0,
       RECEIVE_PROMISCUOUS = 0,
       RECEIVE_ALL_MULTICAST = 1,
       CONTROL_MAC = 1,
       MAC_TABLE = 0,
       CONTROL_PAIRS = 4,
       PAIRS_SET = 0,
};
enum { CONTROL_OK = 0 };
