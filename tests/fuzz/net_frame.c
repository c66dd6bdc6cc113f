// SPDX-License-Identifier: MIT
/*
 * A client's ring entries, and then a device's descriptors: frames that are accepted lie in the pool and in the limits,
 * what the card's rings make of them stays inside them, and what they say came back is what was given.
 */
#include <rings.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t memory[65536], descriptors[2][RING_BYTES];
static const struct net_pool_range pool = {memory, 0x100000000, sizeof(memory)};
static struct receive_ring in;
static struct send_ring out;

static void expect(bool condition) {
    if (!condition) abort();
}

static void frame_check(const struct net_frame *f, const struct net_info *info) {
    uint64_t length = 0;
    expect(f->count > 0 && f->count <= NET_PIECES_MAX);
    for (unsigned i = 0; i < f->count; i++) {
        const struct net_piece *p = &f->pieces[i];
        expect(p->length > 0 && p->at >= memory && p->length <= sizeof(memory) - (size_t)(p->at - memory));
        expect(p->physical - pool.physical == (uint64_t)(p->at - memory));
        length += p->length;
    }
    expect(length == f->length && length >= NET_HEADER && length <= NET_HEADER + info->segment_max);
    if (f->flags & NET_CHECKSUM) expect(f->offload.checksum_start + f->offload.checksum_offset + 2u <= length);
}

static void buffer_take(const struct ring_entry *e, const struct net_info *info) {
    struct net_buffer b;
    if (net_buffer_take(&b, &pool, info, e) != 0) return;
    expect(b.at >= memory && b.length <= sizeof(memory) - (size_t)(b.at - memory) && b.length >= info->buffer_size);
    (void)receive_put(&in, &b);
}

/* Entries of 32 bytes; before each a byte that tells what is done with it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct net_info info = {.mtu = 1500,
                                  .buffer_size = 2048,
                                  .segment_max = 60000,
                                  .features = NET_CAN_CHECKSUM | NET_CAN_TSO4 | NET_CAN_TSO6};
    struct net_frame_builder builder = {};
    struct receive_result r;
    struct ring_entry e;
    uint64_t tag;
    receive_init(&in, descriptors[0]);
    send_init(&out, descriptors[1]);
    for (; size > sizeof(e); data += 1 + sizeof(e), size -= 1 + sizeof(e)) {
        memcpy(&e, data + 1, sizeof(e));
        switch (*data % 4) {
        case 0: buffer_take(&e, &info); break;
        case 1: /* the device writes where it likes */
        case 2: memcpy(descriptors[*data % 4 - 1] + e.tag % (RING_BYTES - 16), &e.op, 16); break;
        default:
            if (!net_frame_add(&builder, &pool, &info, &e) || builder.error) break;
            frame_check(&builder.frame, &info);
            (void)send_put(&out, &builder.frame);
        }
        while (receive_take(&in, &r)) expect(r.error || r.length <= r.buffer.length);
        while (send_take(&out, &tag));
        expect(send_outstanding(&out) < RING_SIZE && receive_outstanding(&in) < RING_SIZE);
    }
    return 0;
}
