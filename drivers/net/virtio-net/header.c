// SPDX-License-Identifier: MIT
/* header.h: virtio 1.2 §5.1.6.2 and §5.1.6.4. */
#include "header.h"
#include <errno.h>

int header_read(const struct nic_header *h, uint32_t written, bool mergeable, struct net_receive *out) {
    unsigned buffers = mergeable ? h->buffers : 1;
    if (written < sizeof(*h) + NET_HEADER || buffers == 0 || buffers > FRAME_BUFFERS_MAX) return -EIO;
    *out = (struct net_receive){.offset = FRAME_OFFSET};
    if (h->flags & HEADER_NEEDS_CHECKSUM) {
        out->flags = NET_PARTIAL;
        out->checksum_start = h->checksum_start;
        out->checksum_offset = h->checksum_offset;
    } else if (h->flags & HEADER_DATA_VALID) {
        out->flags = NET_CHECKED;
    }
    return (int)buffers;
}

void header_make(struct nic_header *h, const struct net_frame *f) {
    *h = (struct nic_header){};
    if (f->flags & NET_CHECKSUM) {
        h->flags = HEADER_NEEDS_CHECKSUM;
        h->checksum_start = f->offload.checksum_start;
        h->checksum_offset = f->offload.checksum_offset;
    }
    if (!(f->flags & (NET_SEGMENT4 | NET_SEGMENT6))) return;
    h->segment_type = f->flags & NET_SEGMENT4 ? SEGMENT_TCP4 : SEGMENT_TCP6;
    h->segment_size = f->offload.mss;
    h->header_length = f->offload.header_length;
}
