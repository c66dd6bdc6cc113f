// SPDX-License-Identifier: MIT
/* drivers/net/e1000/rings.c against a device made of the same memory: order, fullness, contexts, lies. */
#include <errno.h>
#include <rings.h>
#include <unit.h>

static uint8_t memory[2][RING_BYTES], pool[70000];
static struct receive_ring in;
static struct send_ring out;

static struct net_buffer buffer(uint64_t tag) {
    return (struct net_buffer){.physical = 0x1000 * tag, .tag = tag, .at = pool, .length = 2048};
}

static void device_receives(uint32_t at, uint16_t length, uint8_t status, uint8_t errors) {
    struct receive_descriptor *d = (struct receive_descriptor *)memory[0] + at;
    d->length = length;
    d->errors = errors;
    d->status = status;
}

TEST(received_in_order) {
    struct receive_result r;
    receive_init(&in, memory[0]);
    for (uint64_t n = 0; n < 1000; n++) {
        struct net_buffer b = buffer(n + 1);
        CHECK(receive_put(&in, &b) == 0 && !receive_take(&in, &r));
        CHECK(((struct receive_descriptor *)memory[0])[n % RING_SIZE].address == 0x1000 * (n + 1));
        device_receives(n % RING_SIZE, (uint16_t)(60 + n), RECEIVE_DONE | RECEIVE_END | RECEIVE_TCP_CHECKED, 0);
        CHECK(receive_take(&in, &r) && r.error == 0 && r.length == 60 + n && r.buffer.tag == n + 1);
        CHECK(r.receive.flags == NET_CHECKED && r.receive.offset == 0 && receive_outstanding(&in) == 0);
    }
}

TEST(receive_ring_full_and_renewed) {
    struct receive_result r;
    receive_init(&in, memory[0]);
    for (uint64_t n = 0; n < RING_SIZE - 1; n++) CHECK(receive_put(&in, &(struct net_buffer){.tag = n}) == 0);
    CHECK(receive_put(&in, &(struct net_buffer){}) == -EAGAIN);
    device_receives(0, 60, RECEIVE_DONE | RECEIVE_END, 0);
    CHECK(receive_take(&in, &r) && r.buffer.tag == 0);
    receive_renew(&in);
    CHECK(receive_outstanding(&in) == RING_SIZE - 2 && in.clean == 0 && !receive_take(&in, &r));
    CHECK(in.slots[0].tag == 1 && in.slots[RING_SIZE - 3].tag == RING_SIZE - 2);
}

static int receive_one(uint16_t length, uint8_t status, uint8_t errors, uint32_t *flags) {
    struct receive_result r;
    struct net_buffer b = buffer(1);
    uint32_t at = in.tail;
    CHECK(receive_put(&in, &b) == 0);
    device_receives(at, length, status, errors);
    CHECK(receive_take(&in, &r) && r.length == length);
    *flags = r.receive.flags;
    return r.error;
}

TEST(received_nonsense) {
    const uint8_t good = RECEIVE_DONE | RECEIVE_END;
    struct receive_result r;
    uint32_t flags;
    receive_init(&in, memory[0]);
    memset(memory[0], 0xff, RING_BYTES);
    CHECK(!receive_take(&in, &r)); /* nothing was given */
    receive_init(&in, memory[0]);
    CHECK(receive_one(0, good, 0, &flags) == -EIO && receive_one(13, good, 0, &flags) == -EIO);
    CHECK(receive_one(2049, good, 0, &flags) == -EIO && receive_one(65535, good, 0, &flags) == -EIO);
    CHECK(receive_one(2048, good, 0, &flags) == 0 && flags == 0);
    CHECK(receive_one(100, good, ERROR_CRC, &flags) == -EIO && receive_one(100, good, ERROR_DATA, &flags) == -EIO);
    CHECK(receive_one(100, good | RECEIVE_TCP_CHECKED, ERROR_TCP, &flags) == 0 && flags == 0);
    CHECK(receive_one(100, good | RECEIVE_TCP_CHECKED | RECEIVE_NO_CHECKSUM, 0, &flags) == 0 && flags == 0);
    CHECK(receive_one(2048, RECEIVE_DONE, 0, &flags) == -EIO); /* a frame in two parts, and the next one */
    CHECK(receive_one(100, good, 0, &flags) == -EIO && receive_one(100, good, 0, &flags) == 0);
}

/* --- sending --- */
static struct net_frame frame(uint64_t tag, unsigned count, uint32_t length) {
    struct net_frame f = {.tag = tag, .count = count, .length = count * length};
    for (unsigned i = 0; i < count; i++) f.pieces[i] = (struct net_piece){0x10000 * (i + 1), pool, length};
    return f;
}
static struct send_data *sent_at(uint32_t at) { return (struct send_data *)memory[1] + at % RING_SIZE; }

TEST(sent_in_order) {
    uint64_t tag;
    send_init(&out, memory[1]);
    for (uint64_t n = 1; n < 1000; n++) {
        struct net_frame f = frame(n, 3, 100);
        uint32_t first = out.tail;
        CHECK(send_put(&out, &f) == 0 && send_outstanding(&out) == 3 && !send_take(&out, &tag));
        for (unsigned i = 0; i < 3; i++) {
            struct send_data *d = sent_at(first + i);
            CHECK(d->address == 0x10000 * (i + 1) && (d->command & 0xfffff) == 100 && d->options == 0);
            CHECK(!(d->command & SEND_END) == (i < 2) && !(d->command & SEND_REPORT) == (i < 2));
            d->status = i < 2 ? SEND_DONE : 0;
        }
        CHECK(!send_take(&out, &tag));
        sent_at(first + 2)->status = SEND_DONE;
        CHECK(send_take(&out, &tag) && tag == n && send_outstanding(&out) == 0);
    }
    memset(memory[1], 0xff, RING_BYTES);
    CHECK(!send_take(&out, &tag));
}

TEST(send_ring_full) {
    uint64_t tag, n = 0;
    send_init(&out, memory[1]);
    struct net_frame f = frame(0, NET_PIECES_MAX, 50);
    for (; send_put(&out, &f) == 0; n++) f.tag++;
    CHECK(n == (RING_SIZE - 1) / NET_PIECES_MAX && send_put(&out, &f) == -EAGAIN);
    for (uint64_t i = 0; i < n; i++) CHECK(send_drop(&out, &tag) && tag == i);
    CHECK(!send_drop(&out, &tag) && send_put(&out, &f) == 0);
}

TEST(large_pieces_are_parted) {
    send_init(&out, memory[1]);
    struct net_frame f = frame(1, 1, 20000);
    CHECK(send_put(&out, &f) == 0 && send_outstanding(&out) == 3);
    CHECK((sent_at(0)->command & 0xfffff) == SEND_PART && (sent_at(2)->command & 0xfffff) == 20000 - 2 * SEND_PART);
    CHECK(sent_at(1)->address == 0x10000 + SEND_PART && sent_at(2)->command & SEND_END);
    f = frame(1, NET_PIECES_MAX, 200000);
    CHECK(send_put(&out, &f) == -EMSGSIZE);
}

TEST(contexts) {
    send_init(&out, memory[1]);
    struct net_frame f = frame(1, 1, 100);
    f.flags = NET_CHECKSUM;
    f.offload = (struct net_send){.checksum_start = 34, .checksum_offset = 6};
    CHECK(send_put(&out, &f) == 0 && send_outstanding(&out) == 2);
    struct send_context *c = (struct send_context *)memory[1];
    CHECK(c->tcp_start == 34 && c->tcp_checksum == 40 && c->tcp_end == 0 && c->command == SEND_EXTENDED);
    CHECK(sent_at(1)->options == OPTION_TCP_CHECKSUM);
    CHECK(send_put(&out, &f) == 0 && send_outstanding(&out) == 3); /* the same again */
    f.offload.checksum_offset = 16;
    CHECK(send_put(&out, &f) == 0 && send_outstanding(&out) == 5);
    f.offload.checksum_start = 250;
    CHECK(send_put(&out, &f) == -EINVAL && send_outstanding(&out) == 5);
}

static uint16_t word(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
TEST(segments) {
    static const uint8_t headers[54] = {
        [12] = 8, [14] = 0x45, [16] = 0x4e, [17] = 0x12, [24] = 1, [50] = 0x12, [51] = 0x34};
    send_init(&out, memory[1]);
    memcpy(pool, headers, sizeof(headers));
    struct net_frame f = frame(1, 1, 20000);
    f.flags = NET_CHECKSUM | NET_SEGMENT4;
    f.offload = (struct net_send){34, 16, 1460, 54};
    CHECK(send_put(&out, &f) == 0);
    struct send_context *c = (struct send_context *)memory[1];
    CHECK(c->header_length == 54 && c->mss == 1460 && (c->command & 0xfffff) == 20000 - 54);
    CHECK(c->command & SEND_CONTEXT_IP4 && c->command & SEND_SEGMENT && c->ip_end == 33 && c->ip_checksum == 24);
    CHECK(word(pool + 16) == 0 && word(pool + 24) == 0);
    uint32_t sum = word(pool + 50) + (20000u - 34);
    CHECK((sum & 0xffff) + (sum >> 16) == 0x1234);
    CHECK(sent_at(1)->options == (OPTION_IP_CHECKSUM | OPTION_TCP_CHECKSUM) && sent_at(1)->command & SEND_SEGMENT);
    f.offload.checksum_offset = 30000;
    CHECK(send_put(&out, &f) == -EINVAL);
}

UNIT_MAIN
