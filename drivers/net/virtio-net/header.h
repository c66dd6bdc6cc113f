// SPDX-License-Identifier: MIT
/* The header before a frame, pure. What the device says is checked. */
#pragma once
#include "virtio_net_hw.h"
#include <net_frame.h>

#define FRAME_BUFFERS_MAX 32 /* of a received one */

/* Where it is written in a buffer: the IP header behind it and Ethernet's is then at a multiple of 4. */
#define HEADER_OFFSET 2
#define FRAME_OFFSET (HEADER_OFFSET + sizeof(struct nic_header))

/* What precedes a received frame of `written` bytes in all, as far as its first buffer goes. Number of its buffers, or
 * -EIO: it makes no sense. */
int header_read(const struct nic_header *h, uint32_t written, bool mergeable, struct net_receive *out);
void header_make(struct nic_header *h, const struct net_frame *f);
