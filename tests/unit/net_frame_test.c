// SPDX-License-Identifier: MIT
/* drivers/lib/net/frame.c: what a client's ring entries may say, and what is refused. */
#include <net_frame.h>
#include <unit.h>

#define SIZE 65536u

static uint8_t memory[SIZE];
static const struct net_pool_range pool = {memory, 0x100000000, SIZE};
static struct net_info info = {.mtu = 1500, .buffer_size = 2048, .segment_max = 40000};
static struct net_frame_builder b;

static bool add(uint32_t op, uint64_t buffer, uint32_t length, struct net_send offload) {
    struct ring_entry e = {.tag = 7, .op = op, .buffer = buffer, .length = length, .position = net_send_pack(offload)};
    return net_frame_add(&b, &pool, &info, &e);
}
static int one(uint32_t op, uint64_t buffer, uint32_t length, struct net_send offload) {
    CHECK(add(op, buffer, length, offload));
    return b.error;
}
static const struct net_send none;

TEST(buffers) {
    struct net_buffer out;
    struct ring_entry e = {.tag = 3, .buffer = 4096, .length = 2048};
    CHECK(net_buffer_take(&out, &pool, &info, &e) == 0);
    CHECK(out.at == memory + 4096 && out.physical == 0x100001000 && out.length == 2048 && out.tag == 3);
    e.buffer = SIZE - 2048;
    CHECK(net_buffer_take(&out, &pool, &info, &e) == 0);
    e.buffer = SIZE - 2048 + 64;
    CHECK(net_buffer_take(&out, &pool, &info, &e) == -EFAULT);
    e.buffer = UINT64_MAX - 63;
    CHECK(net_buffer_take(&out, &pool, &info, &e) == -EFAULT);
    e = (struct ring_entry){.buffer = 0, .length = 2047};
    CHECK(net_buffer_take(&out, &pool, &info, &e) == -EINVAL);
    e = (struct ring_entry){.buffer = 1, .length = 2048};
    CHECK(net_buffer_take(&out, &pool, &info, &e) == -EINVAL);
    e = (struct ring_entry){.buffer = 64, .length = 0};
    CHECK(net_buffer_take(&out, &pool, &info, &e) == -EFAULT);
}

TEST(frames_of_pieces) {
    CHECK(!add(NET_MORE | 9u << NET_FLOW_SHIFT, 0, 14, none) && !add(NET_MORE, 100, 20, none));
    CHECK(add(0, 5000, 1000, none) && b.error == 0);
    CHECK(b.frame.count == 3 && b.frame.length == 1034 && b.frame.tag == 7 && b.frame.flow == 9 && b.frame.flags == 0);
    CHECK(b.frame.pieces[2].at == memory + 5000 && b.frame.pieces[2].physical == 0x100000000 + 5000);
    CHECK(one(0, 0, 60, none) == 0 && b.frame.count == 1 && b.frame.length == 60);
}

TEST(lengths) {
    CHECK(one(0, 0, 13, none) == -EINVAL && one(0, 0, 14, none) == 0);
    CHECK(one(0, 0, 1518, none) == 0 && one(0, 0, 1519, none) == -EMSGSIZE);
    CHECK(one(0, SIZE - 60, 60, none) == 0 && one(0, SIZE - 59, 60, none) == -EFAULT);
    CHECK(one(0, SIZE, 1, none) == -EFAULT && one(0, 0, 0, none) == -EFAULT);
    CHECK(one(0, 0, UINT32_MAX, none) == -EFAULT && one(0, UINT64_MAX, 2, none) == -EFAULT);
    for (unsigned i = 1; i < NET_PIECES_MAX; i++) CHECK(!add(NET_MORE, 0, 20, none));
    CHECK(add(0, 0, 20, none) && b.error == 0 && b.frame.count == NET_PIECES_MAX);
    for (unsigned i = 0; i < NET_PIECES_MAX; i++) CHECK(!add(NET_MORE, 0, 20, none));
    CHECK(!add(NET_MORE, 0, 20, none) && add(0, 0, 20, none) && b.error == -EMSGSIZE);
    CHECK(one(0, 0, 60, none) == 0); /* the next one is none the worse */
    CHECK(!add(NET_MORE, SIZE, 20, none) && add(0, 0, 20, none) && b.error == -EFAULT);
}

TEST(offloads) {
    struct net_send checksum = {.checksum_start = 34, .checksum_offset = 16};
    struct net_send segment = {34, 16, 1460, 54};
    info.features = 0;
    CHECK(one(NET_CHECKSUM, 0, 60, checksum) == -EOPNOTSUPP && one(64, 0, 60, none) == -EOPNOTSUPP);
    info.features = NET_CAN_CHECKSUM | NET_CAN_TSO4;
    CHECK(one(NET_CHECKSUM, 0, 60, checksum) == 0 && b.frame.offload.checksum_start == 34);
    CHECK(one(NET_CHECKSUM, 0, 51, checksum) == -EINVAL && one(NET_CHECKSUM, 0, 52, checksum) == 0);
    CHECK(one(NET_CHECKSUM, 0, 60, (struct net_send){.checksum_start = 13}) == -EINVAL);
    CHECK(one(NET_CHECKSUM, 0, 60, (struct net_send){65535, 65535, 0, 0}) == -EINVAL);
    const uint32_t tso = NET_CHECKSUM | NET_SEGMENT4;
    CHECK(one(tso, 0, 30000, segment) == 0 && one(tso, 0, 40015, segment) == -EMSGSIZE);
    CHECK(one(NET_SEGMENT4, 0, 3000, segment) == -EINVAL);
    CHECK(one(NET_CHECKSUM | NET_SEGMENT6, 0, 3000, segment) == -EOPNOTSUPP);
    info.features |= NET_CAN_TSO6;
    CHECK(one(tso | NET_SEGMENT6, 0, 3000, segment) == -EINVAL);
    CHECK(one(tso, 0, 3000, (struct net_send){34, 16, 63, 54}) == -EINVAL);
    CHECK(one(tso, 0, 3000, (struct net_send){34, 16, 1460, 53}) == -EINVAL);
    CHECK(one(tso, 0, 3000, (struct net_send){33, 16, 1460, 54}) == -EINVAL);
    CHECK(one(tso, 0, 3000, (struct net_send){34, 16, 1460, 257}) == -EINVAL);
    CHECK(one(tso, 0, 60, (struct net_send){34, 16, 1460, 60}) == -EINVAL);
    CHECK(!add(tso | NET_MORE, 0, 53, segment) && add(0, 100, 3000, none) && b.error == -EINVAL);
    CHECK(!add(tso | NET_MORE, 0, 54, segment) && add(0, 100, 3000, none) && b.error == 0);
}

UNIT_MAIN
