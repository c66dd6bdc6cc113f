// SPDX-License-Identifier: MIT
/*
 * What cards do for a stack: checksums of what is sent, TCP segments out of large pieces. The other card's frames are
 * taken apart and every sum is made again.
 */
#include "net_port.h"

#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_IP6 0x86dd
#define IP_TCP 6
#define IP_UDP 17
#define MSS 1440u /* fits behind either IP header */
#define PAYLOAD 20001u
#define SEQUENCE 0xffffe000u
#define TCP_PUSH 8
#define TCP_ACK 16

static struct port a, b;
static unsigned header; /* bytes of IP's */
static uint32_t next_byte;
static unsigned frames, checked;

static uint8_t pattern(uint32_t at) { return (uint8_t)(at * 13 + (at >> 8)); }
static void put16(uint8_t *at, uint32_t v) { at[0] = (uint8_t)(v >> 8), at[1] = (uint8_t)v; }
static uint32_t get16(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }
static uint32_t get32(const uint8_t *at) { return get16(at) << 16 | get16(at + 2); }

static uint32_t sum(const uint8_t *at, size_t length, uint32_t start) {
    for (; length > 1; at += 2, length -= 2) start += get16(at);
    if (length) start += (uint32_t)at[0] << 8;
    while (start >> 16) start = (start & 0xffff) + (start >> 16);
    return start;
}

/* Of the pseudo header: addresses, protocol, length. */
static uint32_t pseudo(const uint8_t *ip, uint32_t protocol, uint32_t length) {
    bool six = *ip >> 4 == 6;
    return sum(ip + (six ? 8 : 12), six ? 32 : 8, protocol + length);
}

/* Ethernet and IP headers with `length` bytes behind them; the place of these. */
static uint8_t *frame_begin(uint8_t *f, bool six, uint8_t protocol, uint32_t length) {
    uint8_t *ip = f + NET_HEADER;
    header = six ? 40 : 20;
    memcpy(f, b.dev.info.address, 6);
    memcpy(f + 6, a.dev.info.address, 6);
    put16(f + 12, six ? ETHERTYPE_IP6 : ETHERTYPE_IP4);
    memset(ip, 0, header + 20);
    if (six) {
        ip[0] = 0x60;
        put16(ip + 4, length);
        ip[6] = protocol;
        ip[7] = 64;
        for (unsigned i = 0; i < 32; i++) ip[8 + i] = (uint8_t)(0xf0 + i * 9);
    } else {
        ip[0] = 0x45;
        put16(ip + 2, header + length);
        ip[8] = 64;
        ip[9] = protocol;
        for (unsigned i = 0; i < 8; i++) ip[12 + i] = (uint8_t)(0xf0 + i * 9);
        put16(ip + 10, ~sum(ip, 20, 0));
    }
    return ip + header;
}

static void send_frame(uint32_t length, uint32_t flags, struct net_send offload, uint32_t first, uint32_t piece) {
    struct netdev_piece pieces[NET_PIECES_MAX];
    unsigned count = 0;
    for (uint32_t at = 0, size = first; at < length; at += size, size = piece) {
        if (size > length - at) size = length - at;
        pieces[count++] = (struct netdev_piece){.offset = POOL / 2 + at, .length = size};
    }
    struct netdev_frame f = {.pieces = pieces, .count = count, .flags = flags, .offload = offload};
    EQUAL(netdev_send(&a.dev, &f), 0);
    a.slots[0] = true;
    a.sending++;
    netdev_kick(&a.dev);
    while (a.sending) EQUAL(netdev_wait(&a.dev, deadline_in(CALL_TIMEOUT_NS)), 0); /* others use its memory, too */
    ports_hello(&a, &b);
    EQUAL(a.error, 0);
}

/* IP's lengths and sums; what is behind the header, of *length bytes. */
static const uint8_t *packet_check(const struct netdev_received *r, const uint8_t *f, bool six, uint32_t protocol,
                                   uint32_t *length) {
    const uint8_t *ip = f + NET_HEADER;
    EQUAL(get16(f + 12), six ? ETHERTYPE_IP6 : ETHERTYPE_IP4);
    *length = six ? get16(ip + 4) : get16(ip + 2) - header;
    CHECK(NET_HEADER + header + *length <= r->length);
    CHECK(r->length <= FRAME_MAX);
    if (!six) EQUAL(sum(ip, 20, 0), 0xffff);
    if (!(r->flags & NET_PARTIAL)) EQUAL(sum(ip + header, *length, pseudo(ip, protocol, *length)), 0xffff);
    checked += r->flags & NET_CHECKED ? 1 : 0;
    frames++;
    return ip + header;
}

/* --- checksums --- */
static bool is_six;
static void udp_arrived(struct port *p, const struct netdev_received *r, const uint8_t *f) {
    uint32_t length;
    const uint8_t *udp = packet_check(r, f, is_six, IP_UDP, &length);
    EQUAL(length, next_byte);
    for (uint32_t i = 8; i < length; i++) EQUAL(udp[i], pattern(i));
}
static void checksums(bool six) {
    ports_open(&a, &b);
    if (!(a.dev.info.features & NET_CAN_CHECKSUM)) SKIP("the card makes no checksums");
    b.other = udp_arrived;
    is_six = six;
    for (uint32_t length = 8; length <= 1400; length += 1 + length / 3) {
        uint8_t *udp = frame_begin(a.dev.pool + POOL / 2, six, IP_UDP, length);
        struct net_send offload = {.checksum_start = (uint16_t)(NET_HEADER + header), .checksum_offset = 6};
        for (uint32_t i = 8; i < length; i++) udp[i] = pattern(i);
        put16(udp + 4, length);
        put16(udp + 6, pseudo(udp - header, IP_UDP, length));
        next_byte = length;
        unsigned before = frames;
        send_frame(NET_HEADER + header + length, NET_CHECKSUM, offload, 30, 500);
        EQUAL(frames, before + 1);
    }
    dprintf(1, "# %u of %u checked by the receiver\n", checked, frames);
}
TEST(checksums_ip4) { checksums(false); }
TEST(checksums_ip6) { checksums(true); }

/* --- segments --- */
static void segment_arrived(struct port *p, const struct netdev_received *r, const uint8_t *f) {
    uint32_t length;
    const uint8_t *tcp = packet_check(r, f, is_six, IP_TCP, &length);
    EQUAL(get32(tcp + 4), SEQUENCE + next_byte);
    EQUAL(length - 20, PAYLOAD - next_byte < MSS ? PAYLOAD - next_byte : MSS);
    for (uint32_t i = 0; i < length - 20; i++) EQUAL(tcp[20 + i], pattern(next_byte + i));
    next_byte += length - 20;
    EQUAL(tcp[13], next_byte == PAYLOAD ? TCP_PUSH | TCP_ACK : TCP_ACK);
}
static void segments(bool six) {
    ports_open(&a, &b);
    if (!(a.dev.info.features & (six ? NET_CAN_TSO6 : NET_CAN_TSO4))) SKIP("the card makes no segments");
    b.other = segment_arrived;
    is_six = six;
    for (unsigned round = 0; round < 3; round++) {
        uint8_t *tcp = frame_begin(a.dev.pool + POOL / 2, six, IP_TCP, 20 + PAYLOAD);
        uint16_t start = (uint16_t)(NET_HEADER + header);
        struct net_send offload = {start, 16, MSS, (uint16_t)(start + 20)};
        put16(tcp + 4, SEQUENCE >> 16);
        put16(tcp + 6, SEQUENCE & 0xffff);
        tcp[12] = 0x50;
        tcp[13] = TCP_PUSH | TCP_ACK;
        put16(tcp + 14, 0xffff);
        put16(tcp + 16, pseudo(tcp - header, IP_TCP, 20 + PAYLOAD));
        for (uint32_t i = 0; i < PAYLOAD; i++) tcp[20 + i] = pattern(i);
        next_byte = 0;
        send_frame(start + 20u + PAYLOAD, NET_CHECKSUM | (six ? NET_SEGMENT6 : NET_SEGMENT4), offload,
                   start + 20u + round * 700, round == 2 ? 60000 : 4001);
        EQUAL(next_byte, PAYLOAD);
    }
    EQUAL(frames, 3 * ((PAYLOAD + MSS - 1) / MSS));
}
TEST(segments_ip4) { segments(false); }
TEST(segments_ip6) { segments(true); }
