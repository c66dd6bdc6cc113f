// SPDX-License-Identifier: MIT
/* servers/net/coalesce.c, checksum.c: which frames become one, and what it is then. */
#include "lwip_host.h"
#include <coalesce.h>
#include <lwip/priv/tcp_priv.h>
#include <segment.h>
#include <unit.h>

#define ETHERNET 14

uint32_t segment_limit(const struct netif *n, bool is_v6) { return 0; }

static struct spec { /* of a frame */
    bool v6;
    uint32_t sequence, length, options;
    uint8_t flags, ttl, tos, source, letter;
    uint16_t window, identification, fragment;
    uint32_t acknowledged, time, padding;
} base = {.sequence = 1000, .length = 100, .options = 12, .flags = 0x10, .ttl = 64, .source = 1, .window = 500};

static void put16(uint8_t *at, uint32_t v) {
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}
static void put32(uint8_t *at, uint32_t v) {
    put16(at, v >> 16);
    put16(at + 2, v);
}

static uint16_t tcp_sum(const uint8_t *h, bool v6, uint32_t size) { /* of TCP with its header */
    const uint8_t *tcp = h + ETHERNET + (v6 ? 40 : 20), *addresses = h + ETHERNET + (v6 ? 8 : 12);
    uint32_t sum = net_checksum(tcp, (int)size) + net_checksum(addresses, v6 ? 32 : 8);
    sum += lwip_htons((uint16_t)size) + lwip_htons(6);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static struct pbuf *frame(struct spec s) {
    uint32_t ip = s.v6 ? 40 : 20, header = 20 + s.options, size = header + s.length;
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)(ETHERNET + ip + size + s.padding), PBUF_RAM);
    uint8_t *h = p->payload, *at = h + ETHERNET, *tcp = at + ip;
    uint16_t sum;
    memset(h, 0, p->len);
    put16(h + 12, s.v6 ? 0x86dd : 0x0800);
    if (s.v6) {
        at[0] = 0x60;
        put16(at + 4, size);
        at[6] = 6;
        at[7] = s.ttl;
        at[23] = s.source;
        at[39] = 9;
    } else {
        at[0] = 0x45;
        at[1] = s.tos;
        put16(at + 2, 20 + size);
        put16(at + 4, s.identification);
        put16(at + 6, s.fragment);
        at[8] = s.ttl;
        at[9] = 6;
        at[15] = s.source;
        at[19] = 9;
        sum = (uint16_t)~net_checksum(at, 20);
        memcpy(at + 10, &sum, 2);
    }
    put16(tcp, 4000);
    put16(tcp + 2, 80);
    put32(tcp + 4, s.sequence);
    put32(tcp + 8, s.acknowledged);
    tcp[12] = (uint8_t)(header / 4 << 4);
    tcp[13] = s.flags;
    put16(tcp + 14, s.window);
    if (s.options) put32(tcp + 24, s.time);
    memset(tcp + header, s.letter ? s.letter : 'a', s.length);
    sum = (uint16_t)~tcp_sum(h, s.v6, size);
    memcpy(tcp + 16, &sum, 2);
    return p;
}

static struct tcp_pcb waits; /* the connection of `base` */
static void connection_make(bool v6) {
    waits = (struct tcp_pcb){.remote_port = 4000, .local_port = 80, .rcv_nxt = 1000};
    if (v6) {
        waits.remote_ip = (ip_addr_t)IPADDR6_INIT(0, 0, 0, lwip_htonl(1));
        waits.local_ip = (ip_addr_t)IPADDR6_INIT(0, 0, 0, lwip_htonl(9));
    } else {
        waits.remote_ip = (ip_addr_t)IPADDR4_INIT_BYTES(0, 0, 0, 1);
        waits.local_ip = (ip_addr_t)IPADDR4_INIT_BYTES(0, 0, 0, 9);
    }
    tcp_active_pcbs = &waits;
}

static bool joins(struct spec first, struct spec second, bool checked) {
    struct coalesce c = {};
    struct pbuf *p = frame(second);
    bool held = coalesce_add(&c, frame(first), false);
    CHECK(held);
    bool joined = coalesce_add(&c, p, checked);
    connection_make(first.v6);
    pbuf_free(coalesce_take(&c));
    CHECK(!coalesce_take(&c));
    if (!joined) pbuf_free(p);
    CHECK(lwip_host_blocks == 0);
    return joined;
}

static struct spec next(void) {
    struct spec s = base;
    s.sequence += s.length;
    s.identification = 77;
    return s;
}

#define DIFFERS(change)                                                                                                \
    do {                                                                                                               \
        struct spec n = next();                                                                                        \
        n.change;                                                                                                      \
        CHECK(!joins(base, n, false));                                                                                 \
    } while (0)

TEST(what_joins) {
    struct spec n = next();
    for (unsigned v6 = 0; v6 < 2; v6++) {
        base.v6 = n.v6 = v6;
        CHECK(joins(base, n, false));
        n.length = 60;
        n.padding = 6;
        n.flags |= 8;
        CHECK(joins(base, n, false));
        n = next();
    }
    base.v6 = n.v6 = false;
    base.options = n.options = 0;
    CHECK(joins(base, n, false));
    base.options = 12;
}

TEST(what_does_not) {
    DIFFERS(sequence++);
    DIFFERS(sequence--);
    DIFFERS(length++);
    DIFFERS(length = 0);
    DIFFERS(flags |= 1);
    DIFFERS(flags |= 2);
    DIFFERS(flags |= 4);
    DIFFERS(flags |= 32);
    DIFFERS(flags = 0);
    DIFFERS(ttl--);
    DIFFERS(tos = 4);
    DIFFERS(source++);
    DIFFERS(window++);
    DIFFERS(acknowledged++);
    DIFFERS(time++);
    DIFFERS(options = 16);
    DIFFERS(options = 0);
    DIFFERS(fragment = 0x2000);
    DIFFERS(fragment = 1);
    DIFFERS(v6 = true);
}

TEST(what_is_never_held) {
    struct coalesce c = {};
    static const uint8_t flags[] = {0, 0x11, 0x12, 0x14, 0x30, 0x50};
    for (unsigned i = 0; i < sizeof(flags); i++) {
        struct spec s = base;
        s.flags = flags[i];
        struct pbuf *p = frame(s);
        CHECK(!coalesce_add(&c, p, true) && !c.first);
        pbuf_free(p);
    }
    struct pbuf *p = frame(base);
    for (u16_t length = 0; length < p->tot_len; length++) { /* cut short */
        struct pbuf *q = pbuf_alloc(PBUF_RAW, length, PBUF_RAM);
        memcpy(q->payload, p->payload, length);
        CHECK(!coalesce_add(&c, q, true) && !c.first);
        pbuf_free(q);
    }
    for (unsigned bit = ETHERNET * 8; bit < p->tot_len * 8u; bit++) { /* a wrong checksum: of IP, or of TCP */
        uint8_t *at = (uint8_t *)p->payload + bit / 8;
        *at ^= (uint8_t)(1 << bit % 8);
        CHECK(!coalesce_add(&c, p, false));
        *at ^= (uint8_t)(1 << bit % 8);
    }
    CHECK(coalesce_add(&c, p, false));
    pbuf_free(coalesce_take(&c));
}

TEST(wrong_checksums_do_not_join) {
    struct coalesce c = {};
    struct pbuf *p = frame(next());
    CHECK(coalesce_add(&c, frame(base), false));
    for (unsigned bit = ETHERNET * 8; bit < p->tot_len * 8u; bit++) {
        uint8_t *at = (uint8_t *)p->payload + bit / 8;
        *at ^= (uint8_t)(1 << bit % 8);
        CHECK(!coalesce_add(&c, p, false));
        *at ^= (uint8_t)(1 << bit % 8);
    }
    CHECK(coalesce_add(&c, p, false));
    pbuf_free(coalesce_take(&c));
}

TEST(one_packet) {
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct coalesce c = {};
        struct spec s = base;
        uint8_t bytes[1000];
        s.v6 = v6;
        for (unsigned i = 0; i < 5; i++) {
            s.letter = (uint8_t)('a' + i);
            s.flags = i == 3 ? 0x18 : 0x10;
            if (i == 4) s.length = 40;
            CHECK(coalesce_add(&c, frame(s), i % 2));
            s.sequence += s.length;
        }
        struct pbuf *late = frame(s);
        CHECK(!coalesce_add(&c, late, true)); /* behind a short one */
        pbuf_free(late);
        connection_make(v6);
        struct pbuf *p = coalesce_take(&c);
        uint32_t header = ETHERNET + (v6 ? 40 : 20) + 32, tcp = header - 32;
        CHECK(p->tot_len == header + 440 && pbuf_clen(p) == 5);
        CHECK(pbuf_copy_partial(p, bytes, sizeof(bytes), 0) == header + 440);
        for (unsigned i = 0; i < 440; i++) CHECK(bytes[header + i] == 'a' + i / 100);
        CHECK(v6 ? bytes[19] == 216 && bytes[18] == 1 : net_checksum(bytes + ETHERNET, 20) == 0xffff);
        CHECK(bytes[tcp + 13] == 0x18 && bytes[tcp + 6] == 1000 >> 8 && bytes[tcp + 7] == (1000 & 255));
        pbuf_free(p);
    }
    CHECK(lwip_host_blocks == 0);
}

TEST(what_is_not_waited_for_comes_as_it_came) {
    for (unsigned how = 0; how < 5; how++) {
        struct coalesce c = {};
        struct spec s = base;
        struct pbuf *p, *sent[4];
        struct tcp_seg late;
        connection_make(false);
        if (how == 0) waits.rcv_nxt--;
        if (how == 1) waits.ooseq = &late;
        if (how == 2) waits.local_port++;
        if (how == 3) waits.remote_ip = (ip_addr_t)IPADDR4_INIT_BYTES(0, 0, 0, 2);
        if (how == 4) tcp_active_pcbs = nullptr;
        for (unsigned i = 0; i < 4; i++) {
            s.letter = (uint8_t)('a' + i);
            CHECK(coalesce_add(&c, frame(s), false));
            sent[i] = frame(s);
            s.sequence += s.length;
        }
        for (unsigned i = 0; i < 4; i++) {
            p = coalesce_take(&c);
            CHECK(p && p->tot_len == sent[i]->tot_len && p->len == p->tot_len);
            CHECK(p && memcmp(p->payload, sent[i]->payload, p->len) == 0);
            if (p) pbuf_free(p);
            pbuf_free(sent[i]);
        }
        CHECK(!coalesce_take(&c));
    }
    CHECK(lwip_host_blocks == 0);
}

TEST(no_longer_than_lengths_are) {
    struct coalesce c = {};
    struct spec s = base;
    unsigned count = 0;
    s.length = 1448;
    for (struct pbuf *p; coalesce_add(&c, p = frame(s), true) || (pbuf_free(p), false); count++) s.sequence += s.length;
    connection_make(false);
    struct pbuf *p = coalesce_take(&c);
    CHECK(count == 44 && p->tot_len == 66 + 44 * 1448);
    pbuf_free(p);
}

TEST(checksums) {
    uint8_t bytes[700];
    for (unsigned i = 0; i < sizeof(bytes); i++) bytes[i] = i < 300 ? 0xff : (uint8_t)(i * 37);
    for (unsigned start = 0; start < 600; start += 7)
        for (unsigned size = 0; start + size <= sizeof(bytes); size++) {
            uint32_t sum = 0; /* RFC 1071 §4.1, of words in network order */
            for (unsigned i = 0; i < size; i++) sum += (uint32_t)bytes[start + i] << (i % 2 ? 0 : 8);
            while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
            CHECK(net_checksum(bytes + start, (int)size) == lwip_htons((uint16_t)sum));
        }
}

UNIT_MAIN
