// SPDX-License-Identifier: MIT
/* drivers/net/virtio-net/header.c: what the device may say before a frame, and what is asked of it. */
#include <errno.h>
#include <header.h>
#include <unit.h>

TEST(received) {
    struct net_receive r;
    struct nic_header h = {.buffers = 1};
    CHECK(header_read(&h, 12 + 60, true, &r) == 1 && r.flags == 0 && r.offset == FRAME_OFFSET);
    h = (struct nic_header){.flags = HEADER_DATA_VALID, .buffers = 3};
    CHECK(header_read(&h, 2046, true, &r) == 3 && r.flags == NET_CHECKED);
    h = (struct nic_header){.flags = 3, .checksum_start = 34, .checksum_offset = 16, .buffers = 1};
    CHECK(header_read(&h, 100, true, &r) == 1 && r.flags == NET_PARTIAL && r.checksum_start == 34);
    h.buffers = 77;
    CHECK(header_read(&h, 100, false, &r) == 1); /* means nothing there */
}

TEST(nonsense) {
    struct net_receive r;
    struct nic_header h = {.buffers = 1};
    CHECK(header_read(&h, 0, true, &r) == -EIO && header_read(&h, 12, true, &r) == -EIO);
    CHECK(header_read(&h, 25, true, &r) == -EIO && header_read(&h, 26, true, &r) == 1);
    h.buffers = 0;
    CHECK(header_read(&h, 100, true, &r) == -EIO);
    h.buffers = FRAME_BUFFERS_MAX + 1;
    CHECK(header_read(&h, 100, true, &r) == -EIO);
    h.buffers = UINT16_MAX;
    CHECK(header_read(&h, 100, true, &r) == -EIO);
}

TEST(sent) {
    struct nic_header h;
    struct net_frame f = {.offload = {34, 16, 1460, 54}};
    header_make(&h, &f);
    CHECK(h.flags == 0 && h.segment_type == SEGMENT_NONE && h.checksum_start == 0 && h.segment_size == 0);
    f.flags = NET_CHECKSUM;
    header_make(&h, &f);
    CHECK(h.flags == HEADER_NEEDS_CHECKSUM && h.checksum_start == 34 && h.checksum_offset == 16 && !h.segment_size);
    f.flags = NET_CHECKSUM | NET_SEGMENT6;
    header_make(&h, &f);
    CHECK(h.segment_type == SEGMENT_TCP6 && h.segment_size == 1460 && h.header_length == 54);
}

UNIT_MAIN
