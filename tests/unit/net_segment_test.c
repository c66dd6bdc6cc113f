// SPDX-License-Identifier: MIT
/*
 * servers/net/segment.c, coalesce.c and lwIP's patch: two ends of a connection in one lwIP, each with a card that cuts
 * long segments, and a wire that loses, repeats and reorders. What comes out is what went in, in the end all memory has
 * come back, and no frame is longer than the wire takes.
 */
#include "lwip_host.h"
#include <coalesce.h>
#include <lwip/init.h>
#include <lwip/ip.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <segment.h>
#include <stdlib.h>
#include <unit.h>

#define ETHERNET 14
#define STEP_MS 10
#define QUIET_MS 2000000 /* retransmissions come ever later */
#define PORT 80
#define BLOCK 40000 /* the most that is written at once */

struct frame {
    struct frame *next;
    struct pbuf *held; /* the card is not done with it: TCP must see that */
    uint32_t due, length;
    uint8_t bytes[];
};
struct card {
    struct netif netif;
    struct frame *first;
    struct coalesce held;
    uint32_t limit; /* what it cuts */
};
static struct card a, b;
static struct { /* of a run */
    uint64_t seed;
    unsigned loss, copies, late; /* of 1,000 frames */
    uint32_t size, mtu, read_each; /* bytes; what the reader takes in a step, 0: all */
    bool no_delay, small_writes;
} how;
static struct { /* the result */
    uint32_t sent, received, cut, merged, too_long, uncopied, ms;
    bool equal, ended;
} got;
static struct tcp_pcb *sender, *reader;
static struct unread { /* a chain of buffers has a length of 16 bits */
    struct unread *next;
    struct pbuf *p;
} *unread, **unread_end = &unread;
static uint64_t random_state;

static uint32_t random_below(uint32_t n) {
    random_state = random_state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(random_state >> 33) % n;
}
static uint8_t byte_at(uint32_t i) { return (uint8_t)(i * 2654435761u >> 13); }

uint32_t segment_limit(const struct netif *n, bool is_v6) { return ((const struct card *)n)->limit; }

/* --- the wire --- */
static void put16(uint8_t *at, uint32_t v) {
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static void sums_make(uint8_t *ip, uint32_t length) {
    uint8_t *tcp = ip + 20;
    uint16_t sum;
    put16(ip + 2, length);
    memset(ip + 10, 0, 2);
    sum = (uint16_t)~net_checksum(ip, 20);
    memcpy(ip + 10, &sum, 2);
    memset(tcp + 16, 0, 2);
    uint32_t total = net_checksum(tcp, (int)(length - 20)) + net_checksum(ip + 12, 8);
    total += lwip_htons((uint16_t)(length - 20)) + lwip_htons(6);
    while (total >> 16) total = (total & 0xffff) + (total >> 16);
    sum = (uint16_t)~total;
    memcpy(tcp + 16, &sum, 2);
}

static void wire_put(struct card *to, const uint8_t *ip, uint32_t header, const uint8_t *data, uint32_t size,
                     struct pbuf *held) {
    struct frame *f = malloc(sizeof(*f) + ETHERNET + header + size), **at = &to->first;
    *f = (struct frame){.held = held, .due = lwip_host_ms + STEP_MS, .length = ETHERNET + header + size};
    if (random_below(1000) < how.late) f->due += 1 + random_below(200);
    memset(f->bytes, 0, ETHERNET);
    f->bytes[12] = 8;
    memcpy(f->bytes + ETHERNET, ip, header);
    memcpy(f->bytes + ETHERNET + header, data, size);
    if (f->length - ETHERNET > how.mtu) got.too_long++;
    sums_make(f->bytes + ETHERNET, header + size);
    while (*at && (*at)->due <= f->due) at = &(*at)->next;
    f->next = *at;
    *at = f;
}

/* What a card does (virtio 1.2 §5.1.6.2), and what the wire does to it. */
static err_t card_output(struct netif *n, struct pbuf *p, const ip4_addr_t *to) {
    static uint8_t bytes[65536];
    struct card *peer = n == &a.netif ? &b : &a;
    uint32_t length = pbuf_copy_partial(p, bytes, p->tot_len, 0), header = 20 + (bytes[32] >> 4) * 4u;
    uint32_t piece = segment_out ? segment_out : length - header;
    if (length > how.mtu) {
        got.cut++;
        if (!segment_out || length > ((struct card *)n)->limit + 120) got.too_long++;
    }
    for (uint32_t at = header; at == header || at < length; at += piece) {
        uint32_t size = length - at < piece ? length - at : piece;
        uint8_t h[120];
        memcpy(h, bytes, header);
        uint32_t sequence;
        memcpy(&sequence, h + 24, 4);
        sequence = lwip_htonl(lwip_htonl(sequence) + (at - header));
        memcpy(h + 24, &sequence, 4);
        if (at + size < length) h[33] &= (uint8_t)~(TCP_PSH | TCP_FIN);
        for (unsigned copies = 1 + (random_below(1000) < how.copies); copies; copies--) {
            bool lost = random_below(1000) < how.loss;
            bool last = at + size >= length && copies == 1;
            if (last) pbuf_ref(p);
            if (!lost) wire_put(peer, h, header, bytes + at, size, last ? p : nullptr);
            else if (last) pbuf_free(p);
        }
        if (size == 0) break;
    }
    return ERR_OK;
}

static void deliver(struct card *c, struct pbuf *p) {
    if (p->tot_len > ETHERNET + how.mtu) got.merged++;
    NETIF_SET_CHECKSUM_CTRL(&c->netif, 0);
    pbuf_remove_header(p, ETHERNET);
    if (ip4_input(p, &c->netif) != ERR_OK) pbuf_free(p);
}

static void held_deliver(struct card *c) {
    for (struct pbuf *p; (p = coalesce_take(&c->held));) deliver(c, p);
}

static void card_poll(struct card *c) {
    struct frame *f;
    while ((f = c->first) && f->due <= lwip_host_ms) {
        c->first = f->next;
        struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)f->length, PBUF_RAM);
        memcpy(p->payload, f->bytes, f->length);
        if (f->held) pbuf_free(f->held);
        free(f);
        if (coalesce_add(&c->held, p, false)) continue;
        held_deliver(c);
        if (!coalesce_add(&c->held, p, false)) deliver(c, p);
    }
    held_deliver(c);
}

/* --- the two ends --- */
static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error) {
    if (p) {
        struct unread *u = malloc(sizeof(*u));
        *u = (struct unread){.p = p};
        *unread_end = u;
        unread_end = &u->next;
    } else {
        got.ended = true;
        reader = nullptr;
        tcp_recv(pcb, nullptr);
        tcp_close(pcb);
    }
    return ERR_OK;
}

static void read_some(void) {
    static uint8_t bytes[65536];
    uint32_t left = how.read_each ? how.read_each : UINT32_MAX;
    for (struct unread *u; left && (u = unread);) {
        uint32_t size = u->p->tot_len < left ? u->p->tot_len : left;
        pbuf_copy_partial(u->p, bytes, (u16_t)size, 0);
        for (uint32_t i = 0; i < size; i++) got.equal &= bytes[i] == byte_at(got.received + i);
        got.received += size;
        left -= size;
        u->p = pbuf_free_header(u->p, (u16_t)size);
        if (reader) tcp_recved(reader, (u16_t)size);
        if (u->p) continue;
        unread = u->next;
        if (!unread) unread_end = &unread;
        free(u);
    }
    if (!reader || !(reader->flags & TF_ACK_DELAY)) return;
    tcp_ack_now(reader);
    tcp_output(reader);
}

static err_t on_accepted(void *arg, struct tcp_pcb *pcb, err_t error) {
    reader = pcb;
    tcp_recv(pcb, on_received);
    return ERR_OK;
}

static void write_some(void) {
    static uint8_t bytes[BLOCK];
    while (sender && sender->state == ESTABLISHED && got.sent < how.size) {
        uint32_t most = how.small_writes ? 3000 : BLOCK, size = 1 + random_below(most), room = tcp_sndbuf(sender);
        if (size > how.size - got.sent) size = how.size - got.sent;
        if (size > room || sender->snd_queuelen > TCP_SND_QUEUELEN - 64) break;
        uint8_t *at = bytes;
        struct pbuf *p = random_below(2) ? segment_buffer(sender, size, &at) : nullptr;
        for (uint32_t i = 0; i < size; i++) at[i] = byte_at(got.sent + i);
        if (p) CHECK(segment_append(sender, p, size));
        else if (tcp_write(sender, bytes, (u16_t)size, TCP_WRITE_FLAG_COPY) != ERR_OK) break;
        got.sent += size;
        got.uncopied += p != nullptr;
        if (random_below(2)) tcp_output(sender);
    }
    if (!sender) return;
    tcp_output(sender);
    if (got.sent == how.size && tcp_close(sender) == ERR_OK) sender = nullptr;
}

static err_t card_init(struct netif *n) {
    n->mtu = (u16_t)how.mtu;
    n->output = card_output;
    n->flags = NETIF_FLAG_LINK_UP;
    NETIF_SET_CHECKSUM_CTRL(n, 0);
    return ERR_OK;
}

static void card_add(struct card *c, uint8_t number) {
    ip4_addr_t address, mask, none = {0};
    IP4_ADDR(&address, 10, 0, 0, number);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    *c = (struct card){.limit = 65000};
    netif_add(&c->netif, &address, &mask, &none, c, card_init, ip_input);
    netif_set_up(&c->netif);
}

static void card_remove(struct card *c) {
    for (struct frame *f; (f = c->first);) {
        c->first = f->next;
        if (f->held) pbuf_free(f->held);
        free(f);
    }
    netif_remove(&c->netif);
}

static struct tcp_pcb *listener;
static size_t blocks;

static void begin(void) {
    static bool first = true;
    if (first) lwip_init();
    first = false;
    memset(&got, 0, sizeof(got));
    got.equal = true;
    random_state = how.seed;
    card_add(&a, 1);
    card_add(&b, 2);
    blocks = lwip_host_blocks;
    listener = tcp_new();
    tcp_bind(listener, &b.netif.ip_addr, PORT);
    listener = tcp_listen(listener);
    tcp_accept(listener, on_accepted);
    sender = tcp_new();
    if (how.no_delay) tcp_nagle_disable(sender);
    tcp_bind(sender, &a.netif.ip_addr, 0);
    tcp_connect(sender, &b.netif.ip_addr, PORT, nullptr);
}

static void step(void) {
    lwip_host_ms += STEP_MS;
    card_poll(&a);
    card_poll(&b);
    read_some();
    if (lwip_host_ms % TCP_TMR_INTERVAL < STEP_MS) tcp_tmr();
}

static void end(void) {
    how.read_each = 0;
    read_some();
    CHECK(got.received == how.size && got.equal && got.ended && got.too_long == 0);
    if (got.received != how.size || !got.ended)
        printf("# seed %lu, loss %u: %u written, %u received\n", how.seed, how.loss, got.sent, got.received);
    tcp_close(listener);
    for (unsigned i = 0; i < 600000 / STEP_MS && (tcp_active_pcbs || tcp_tw_pcbs); i++) step();
    while (tcp_active_pcbs) tcp_abort(tcp_active_pcbs);
    sender = reader = nullptr;
    card_remove(&a);
    card_remove(&b);
    CHECK(lwip_host_blocks == blocks);
}

/* In the middle, the card may be another one that cuts nothing. */
static void transfer(bool limit_ends) {
    begin();
    uint32_t quiet = 0, seen = 0, began = lwip_host_ms;
    while (!got.ended && quiet < QUIET_MS / STEP_MS) {
        if (limit_ends && got.received > how.size / 2) a.limit = 0;
        step();
        write_some();
        quiet = got.received == seen ? quiet + 1 : 0;
        seen = got.received;
    }
    got.ms = lwip_host_ms - began;
    end();
}

/* --- a peer that says what it likes --- */
static void write_exactly(uint32_t size) {
    static uint8_t bytes[BLOCK];
    for (uint32_t i = 0; i < size; i++) bytes[i] = byte_at(got.sent + i);
    CHECK(tcp_write(sender, bytes, (u16_t)size, TCP_WRITE_FLAG_COPY) == ERR_OK);
    tcp_output(sender);
    got.sent += size;
}

/* From the reader: nothing new has come, so much more may. */
static void acknowledge(uint16_t window) {
    struct pbuf *p = pbuf_alloc(PBUF_RAW, 40, PBUF_RAM);
    uint8_t *ip = p->payload, *tcp = ip + 20;
    uint32_t sequence = lwip_htonl(sender->rcv_nxt), acked = lwip_htonl(sender->lastack);
    memset(ip, 0, 40);
    ip[0] = 0x45;
    ip[8] = 64;
    ip[9] = 6;
    memcpy(ip + 12, &ip_2_ip4(&sender->remote_ip)->addr, 4);
    memcpy(ip + 16, &ip_2_ip4(&sender->local_ip)->addr, 4);
    put16(tcp, PORT);
    put16(tcp + 2, sender->local_port);
    memcpy(tcp + 4, &sequence, 4);
    memcpy(tcp + 8, &acked, 4);
    tcp[12] = 5 << 4;
    tcp[13] = TCP_ACK;
    put16(tcp + 14, window);
    sums_make(ip, 40);
    ip4_input(p, &a.netif);
}

static void connect_now(void) {
    begin();
    for (unsigned i = 0; i < 100 && !(reader && sender->state == ESTABLISHED); i++) step();
}

static void finish(void) {
    for (unsigned i = 0; i < QUIET_MS / STEP_MS && !got.ended; i++) {
        step();
        if (sender && tcp_close(sender) == ERR_OK) sender = nullptr;
    }
    end();
}

#define SIZE (2u << 20)

TEST(long_segments) {
    how = (typeof(how)){.seed = 1, .size = 4 * SIZE, .mtu = 1500};
    transfer(false);
    CHECK(got.cut > 100 && got.cut < 1000 && got.merged > 100 && got.uncopied > 50); /* it is not about nothing */
}

TEST(losses) {
    static const unsigned losses[] = {1, 10, 50, 200};
    for (unsigned i = 0; i < 4; i++)
        for (uint64_t seed = 1; seed <= 60; seed++) {
            how = (typeof(how)){.seed = seed, .size = losses[i] > 20 ? SIZE / 8 : SIZE, .mtu = 1500, .loss = losses[i]};
            how.no_delay = seed % 2;
            how.small_writes = seed % 3 == 0;
            transfer(false);
            CHECK(got.cut > 0);
        }
}

/* One frame of 100 is lost, and the others tell of it: hardly ever does time run out. */
TEST(losses_are_noticed_at_once) {
    uint32_t ms = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        how = (typeof(how)){.seed = seed, .size = SIZE, .mtu = 1500, .loss = 10};
        transfer(false);
        ms += got.ms;
    }
    printf("# %u ms each\n", ms / 20);
    CHECK(ms / 20 < 10000);
}

TEST(disorder) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        how = (typeof(how)){.seed = seed, .size = SIZE, .mtu = 1500, .late = 30, .copies = 20, .loss = seed % 4 * 5};
        transfer(false);
    }
}

TEST(a_slow_reader) {
    static const uint32_t each[] = {1, 500, 1448, 3000, 20000};
    for (unsigned i = 0; i < 5; i++)
        for (uint64_t seed = 1; seed <= 20; seed++) {
            how = (typeof(how)){.seed = seed, .mtu = 1500, .read_each = each[i], .loss = seed > 2 ? 10 : 0};
            how.size = each[i] < 100 ? 300000 : SIZE / 2; /* more than the window */
            how.read_each = each[i] < 100 ? 40 : each[i];
            transfer(false);
        }
}

TEST(short_packets) {
    static const uint32_t mtus[] = {200, 576, 1006, 1499, 9000};
    for (unsigned i = 0; i < 5; i++)
        for (uint64_t seed = 1; seed <= 20; seed++) {
            how = (typeof(how)){.seed = seed, .size = SIZE / 4, .mtu = mtus[i], .loss = seed * 5};
            transfer(false);
        }
}

TEST(another_card) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        how = (typeof(how)){.seed = seed, .size = SIZE, .mtu = 1500, .loss = seed > 4 ? 10 : 0};
        transfer(true);
    }
}

/* What is to be sent again lies before what is under way: nothing may be put behind it. */
TEST(a_closed_window_and_a_retransmission) {
    for (unsigned fin = 0; fin < 2; fin++) {
        how = (typeof(how)){.seed = 1, .mtu = 1500, .size = fin ? 3000 : 11000};
        connect_now();
        how.loss = 1000;
        write_exactly(3000);
        CHECK(sender->unacked && !sender->unsent);
        for (unsigned i = 0; i < 5; i++) acknowledge(0);
        CHECK(sender->unsent && sender->unacked);
        how.loss = 0;
        if (fin) tcp_close(sender), sender = nullptr;
        else write_exactly(8000);
        finish();
    }
}

TEST(a_probe_takes_all_that_there_is) {
    how = (typeof(how)){.seed = 1, .mtu = 1500, .size = 1001};
    connect_now();
    acknowledge(0);
    write_exactly(1);
    CHECK(sender->unsent && !sender->unacked);
    for (unsigned i = 0; i < 2000; i++) step();
    CHECK(got.received == 1 && !sender->unsent);
    write_exactly(1000);
    finish();
}

UNIT_MAIN
