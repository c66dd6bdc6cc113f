// SPDX-License-Identifier: MIT
/*
 * Two network cards of one machine, joined by a hub: what one sends the other receives, whatever happens to drivers,
 * clients and rings meanwhile. Both directions; every byte is checked.
 */
#include "net_port.h"

#define FRAMES 5000u
#define QUIET_MS 400
#define LOST_MS 1000

static struct port a, b;

/*
 * Numbers first … last from p to q, in pieces; returns when they have been given to the card. No more are on their way
 * than q has buffers for: cards without a buffer drop frames. What is lost all the same is not waited for.
 */
static void send_all(struct port *p, struct port *q, uint64_t first, uint64_t last, unsigned pieces,
                     void (*meanwhile)(uint64_t number)) {
    uint64_t expected = q->received, seen = q->received;
    int64_t since = now_ms();
    for (uint64_t n = first; n <= last;) {
        bool full = expected >= q->received + q->buffers / 2;
        int e = full ? -EAGAIN : port_send(p, q, n, 0, pieces);
        if (e == -EAGAIN || e == -ENETDOWN) {
            netdev_kick(&p->dev);
            ports_turn(p, q);
            if (q->received != seen) since = now_ms();
            seen = q->received;
            if (now_ms() - since > LOST_MS) expected = q->received;
            continue;
        }
        expected++;
        EQUAL(e, 0);
        if (meanwhile) meanwhile(n);
        if (n++ % 16 == 0) netdev_kick(&p->dev);
        if (n % 64 == 0) (void)(netdev_poll(&p->dev) + netdev_poll(&q->dev));
    }
    netdev_kick(&p->dev);
}

static void expect_all(const struct port *p, const struct port *q, uint64_t count) {
    EQUAL(q->highest, count);
    EQUAL(q->received, count);
    EQUAL(p->sent, count);
    EQUAL(p->sending, 0);
    EQUAL(p->error, 0);
}

TEST(information) {
    ports_open(&a, &b);
    const struct net_info *i = &a.dev.info;
    CHECK(memcmp(i->address, b.dev.info.address, 6) != 0 && !(i->address[0] & 1));
    EQUAL(i->mtu, 1500);
    CHECK(i->buffer_size <= BUFFER && i->queues >= 1 && i->driver[0]);
    CHECK(a.dev.link >= 10);
    struct stat st;
    OK(stat(port_path(0), &st));
    CHECK(S_ISCHR(st.st_mode));
    dprintf(1, "# %s, %u queues, features %#x\n", i->driver, i->queues, i->features);
}

TEST(all_sizes) {
    ports_open(&a, &b);
    for (unsigned pieces = 1; pieces <= 5; pieces += 2) {
        uint64_t sizes = FRAME_MAX - FRAME_MIN + 1, first = 1 + pieces / 2 * sizes;
        send_all(&a, &b, first, first + sizes - 1, pieces, nullptr);
        ports_settle(&a, &b, QUIET_MS);
    }
    expect_all(&a, &b, 3 * (FRAME_MAX - FRAME_MIN + 1));
}

/* Nobody but us touches a frame, and one way's frames come in batches: no wake-up for each. */
static void many_from(struct port *p, struct port *q) {
    ports_open(&a, &b);
    struct net_statistics before = port_statistics(p);
    send_all(p, q, 1, FRAMES, 2, nullptr);
    ports_settle(&a, &b, QUIET_MS);
    expect_all(p, q, FRAMES);
    struct net_statistics after = port_statistics(p);
    EQUAL(after.sent_frames - before.sent_frames, FRAMES);
    EQUAL(after.bytes_copied, before.bytes_copied);
    EQUAL(port_statistics(q).bytes_copied, port_counter(q == &b, "bytes_copied "));
    CHECK(after.doorbells - before.doorbells < FRAMES / 2);
    CHECK(after.posts - before.posts < FRAMES / 2);
    CHECK(p->dev.doorbells < FRAMES / 2);
    dprintf(1, "# doorbells %lu, posts %lu, interrupts %lu for %u frames\n", after.doorbells - before.doorbells,
            after.posts - before.posts, after.interrupts - before.interrupts, FRAMES);
}
TEST(many) { many_from(&a, &b); }
TEST(many_back) { many_from(&b, &a); }

TEST(many_each_way) {
    ports_open(&a, &b);
    for (uint64_t n = 1; n <= FRAMES / 2; n += 100) {
        send_all(&a, &b, n, n + 99, 1, nullptr);
        send_all(&b, &a, n, n + 99, 2, nullptr);
    }
    ports_settle(&a, &b, QUIET_MS);
    expect_all(&a, &b, FRAMES / 2);
    expect_all(&b, &a, FRAMES / 2);
    CHECK(port_statistics(&a).received_bytes >= a.received_bytes);
}

/* The receiver has few buffers, none for a while: what is lost is lost, what comes is right, and all comes again. */
TEST(out_of_buffers) {
    port_open(&a, 0, ENTRIES / 2);
    port_open(&b, 1, 4);
    ports_hello(&a, &b);
    send_all(&a, &b, 1, 64, 1, nullptr);
    b.buffers = 0;
    uint64_t n = 65;
    for (unsigned turn = 0; turn < 200; turn++) {
        if (n <= 300 && port_send(&a, &b, n, 0, 1) == 0) n++;
        netdev_kick(&a.dev);
        (void)(netdev_poll(&a.dev) + netdev_poll(&b.dev));
    }
    b.buffers = ENTRIES / 2;
    port_post(&b);
    netdev_kick(&b.dev);
    ports_hello(&a, &b);
    uint64_t lost = n - 1 - b.received;
    send_all(&a, &b, n, n + 999, 1, nullptr);
    ports_settle(&a, &b, QUIET_MS);
    EQUAL(b.received, n - 1 - lost + 1000);
    dprintf(1, "# %lu of %lu frames lost without buffers\n", lost, n);
}

/* --- clients --- */
TEST(sessions_begin_and_end) {
    for (unsigned i = 0; i < 10; i++) {
        ports_open(&a, &b);
        send_all(&a, &b, 1, 50, 1, nullptr);
        if (i % 2) ports_settle(&a, &b, QUIET_MS);
        netdev_close(&a.dev);
        netdev_close(&b.dev);
    }
}

TEST(one_session) {
    struct netdev second;
    struct netdev_setup setup = {.send_entries = 2, .receive_entries = 2, .pool_size = 8192};
    static const struct netdev_ops none = {};
    port_open(&a, 0, 8);
    int fd = (int)OK(open(port_path(0), O_RDWR));
    EQUAL(netdev_open(&second, fd, &setup, &none, nullptr), -EBUSY);
    netdev_close(&a.dev);
    EQUAL(netdev_open(&second, fd, &setup, &none, nullptr), 0);
    netdev_close(&second);
}

TEST(bad_setups) {
    struct netdev d;
    static const struct netdev_ops none = {};
    static const struct netdev_setup bad[] = {
        {.send_entries = 3, .receive_entries = 2, .pool_size = 8192},
        {.send_entries = 2, .receive_entries = 0, .pool_size = 8192},
        {.send_entries = 2, .receive_entries = 2 * NET_RING_ENTRIES_MAX, .pool_size = 8192},
        {.send_entries = 2, .receive_entries = 2, .pool_size = 0},
        {.send_entries = 2, .receive_entries = 2, .pool_size = NET_POOL_MAX + 1},
    };
    int fd = (int)OK(open(port_path(0), O_RDWR));
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        EQUAL(netdev_open(&d, fd, &bad[i], &none, nullptr), -EINVAL);
}

/* The driver checks, too: a client whose library doesn't. */
static int send_raw(struct port *p, uint32_t op, uint64_t buffer, uint32_t length, struct net_send offload) {
    p->error = 0;
    struct netdev_piece piece = {.offset = 0, .length = 60};
    struct netdev_frame f = {.pieces = &piece, .count = 1, .context = nullptr};
    EQUAL(netdev_send(&p->dev, &f), 0);
    p->slots[0] = true;
    p->sending++;
    struct ring_entry *e = &p->dev.send.ring.out.entries[(p->dev.send.ring.out.tail - 1) & p->dev.send.ring.out.mask];
    e->op = op;
    e->buffer = buffer;
    e->length = length;
    e->position = net_send_pack(offload);
    netdev_kick(&p->dev);
    while (p->sending) EQUAL(netdev_wait(&p->dev, deadline_in(CALL_TIMEOUT_NS)), 0);
    return p->error;
}

TEST(bad_frames_end_alone) {
    struct net_send none = {};
    ports_open(&a, &b);
    EQUAL(send_raw(&a, 0, POOL, 60, none), -EFAULT);
    EQUAL(send_raw(&a, 0, POOL - 59, 60, none), -EFAULT);
    EQUAL(send_raw(&a, 0, UINT64_MAX - 10, 60, none), -EFAULT);
    EQUAL(send_raw(&a, 0, 0, UINT32_MAX, none), -EFAULT);
    EQUAL(send_raw(&a, 0, 0, 0, none), -EFAULT);
    EQUAL(send_raw(&a, 0, 0, 13, none), -EINVAL);
    EQUAL(send_raw(&a, 0, 0, 1519, none), -EMSGSIZE);
    EQUAL(send_raw(&a, 0x80, 0, 60, none), -EOPNOTSUPP);
    if (a.dev.info.features & NET_CAN_CHECKSUM) {
        EQUAL(send_raw(&a, NET_CHECKSUM, 0, 60, (struct net_send){.checksum_start = 34, .checksum_offset = 25}),
              -EINVAL);
        EQUAL(send_raw(&a, NET_CHECKSUM, 0, 60, (struct net_send){.checksum_start = 10}), -EINVAL);
        EQUAL(send_raw(&a, NET_CHECKSUM, 0, 60, (struct net_send){65535, 65535, 0, 0}), -EINVAL);
    }
    if (a.dev.info.features & NET_CAN_TSO4) {
        uint32_t segment = NET_CHECKSUM | NET_SEGMENT4;
        EQUAL(send_raw(&a, NET_SEGMENT4, 0, 3000, (struct net_send){34, 16, 1000, 54}), -EINVAL);
        EQUAL(send_raw(&a, segment, 0, 3000, (struct net_send){34, 16, 0, 54}), -EINVAL);
        EQUAL(send_raw(&a, segment, 0, 3000, (struct net_send){34, 16, 1000, 3001}), -EINVAL);
        EQUAL(send_raw(&a, segment, 0, 3000, (struct net_send){34, 16, 1000, 53}), -EINVAL);
        EQUAL(send_raw(&a, segment | NET_SEGMENT6, 0, 3000, (struct net_send){34, 16, 1000, 54}),
              a.dev.info.features & NET_CAN_TSO6 ? -EINVAL : -EOPNOTSUPP);
    }
    uint64_t sent = a.sent;
    send_all(&a, &b, 1, 100, 1, nullptr);
    ports_settle(&a, &b, QUIET_MS);
    EQUAL(b.received, 100);
    EQUAL(a.sent - sent, 100);
}

TEST(broken_rings_end_the_session) {
    ports_open(&a, &b);
    atomic_store(&a.dev.send.ring.out.shared->tail, 1000000);
    sys_event_post(a.dev.doorbell, 1);
    netdev_close(&a.dev);
    port_open(&a, 0, 16);
    atomic_store(&a.dev.receive.ring.out.shared->tail, 0x80000000u);
    sys_event_post(a.dev.doorbell, 1);
    netdev_close(&a.dev);
    port_open(&a, 0, 16);
    ports_hello(&a, &b);
    send_all(&b, &a, 1, 10, 1, nullptr);
    ports_settle(&a, &b, QUIET_MS);
    EQUAL(a.received, 10);
}

/* It dies with buffers posted and frames under way, again and again: nobody writes into its memory any more. */
static int die_busy(void *unused) {
    ports_open(&a, &b);
    for (uint64_t n = 1; n <= 50; n++) (void)port_send(&a, &b, n, 0, 1);
    netdev_kick(&a.dev);
    _exit(0);
}
TEST(clients_that_die) {
    for (int i = 0; i < 10; i++) EQUAL(child_run(die_busy, nullptr), 0);
    ports_open(&a, &b);
    send_all(&a, &b, 1, 200, 1, nullptr);
    ports_settle(&a, &b, QUIET_MS);
    expect_all(&a, &b, 200);
}

TEST(not_for_everybody) {
    char path[64];
    ssize_t length = OK(readlink(port_path(0), path, 40));
    strcpy(path + length - 1, "capture");
    OK(setuid(1000));
    FAILS(EACCES, open(port_path(0), O_RDWR));
    FAILS(EACCES, open(port_path(0), O_RDONLY));
    FAILS(EACCES, open(path, O_RDONLY));
    struct netdev d;
    static const struct netdev_ops none = {};
    struct netdev_setup setup = {.send_entries = 2, .receive_entries = 2, .pool_size = 8192};
    int fd = (int)OK(open(port_path(0), O_PATH));
    CHECK(netdev_open(&d, fd, &setup, &none, nullptr) < 0);
}

TEST(one_pool_for_two_cards) {
    port_open(&a, 0, ENTRIES / 4);
    port_open_shared(&b, 1, ENTRIES / 4, &a.dev);
    CHECK(a.dev.pool == b.dev.pool);
    ports_hello(&a, &b);
    send_all(&a, &b, 1, 500, 1, nullptr);
    ports_settle(&a, &b, QUIET_MS);
    expect_all(&a, &b, 500);
    netdev_close(&b.dev);
    netdev_close(&a.dev);
}

/* --- drivers --- */
static unsigned kills;
static uint64_t next_kill;
static void kill_sometimes(uint64_t number) {
    if (kills == 0 || number < next_kill) return;
    next_kill = number + 200 + (unsigned)rand() % 300; /* the last of them long before the last frame */
    driver_kill(kills-- % 2);
}
TEST(drivers_killed_while_frames_fly) {
    srand(1);
    ports_open(&a, &b);
    kills = 4;
    next_kill = 300;
    send_all(&a, &b, 1, FRAMES / 2, 1, kill_sometimes);
    ports_settle(&a, &b, 2000);
    EQUAL(kills, 0);
    CHECK(a.dev.restarts >= 1 && b.dev.restarts >= 1 && !a.dev.gone && !b.dev.gone);
    EQUAL(a.sending, 0);
    EQUAL(a.sent + a.sent_lost, FRAMES / 2);
    ports_hello(&a, &b);
    uint64_t received = b.received, lost = FRAMES / 2 - received;
    send_all(&a, &b, FRAMES / 2 + 1, FRAMES / 2 + 1000, 1, nullptr);
    ports_settle(&a, &b, QUIET_MS);
    EQUAL(b.received - received, 1000);
    dprintf(1, "# 4 deaths: %lu of %u frames lost, %lu of them under way\n", lost, FRAMES / 2, a.sent_lost);
}

static struct port *hanging;
static void hang_sometimes(uint64_t number) {
    if (number % 1000 != 500) return;
    struct call_args args = {.request = {.op = NET_RESET_RING}, .carry = HANDLE_NONE, .deadline = DEADLINE_NEVER};
    netdev_kick(&hanging->dev);
    EQUAL(sys_call(hanging->dev.file, &args), 0);
}
TEST(stopped_rings_are_started_again) {
    ports_open(&a, &b);
    struct call_args args = {.request = {.op = NET_RESET_RING}, .carry = HANDLE_NONE, .deadline = DEADLINE_NEVER};
    if (sys_call(a.dev.file, &args) == -EOPNOTSUPP) SKIP("the driver has no such test");
    hanging = &a;
    send_all(&a, &b, 1, 3000, 1, hang_sometimes);
    ports_settle(&a, &b, 3000);
    EQUAL(a.sending, 0);
    EQUAL(a.dev.restarts, 0);
    CHECK(port_statistics(&a).resets >= 3);
    hanging = &b;
    hang_sometimes(500);
    for (int64_t end = now_ms() + 10000; now_ms() < end && port_statistics(&b).resets == 0;) ports_turn(&a, &b);
    CHECK(port_statistics(&b).resets >= 1);
    ports_hello(&a, &b);
    uint64_t received = b.received;
    send_all(&a, &b, 3001, 3500, 1, nullptr);
    ports_settle(&a, &b, QUIET_MS);
    EQUAL(b.received - received, 500);
    dprintf(1, "# resets: %lu\n", port_statistics(&a).resets);
}

/* Somebody pulls the plug of the first card each time it says that its link is up, and puts it back when it is down:
 * tests/boot/net_cards_test.py. */
TEST(link_changes) {
    uint64_t n = 1;
    if (!getenv("NET_LINK")) SKIP("nobody is there who does it");
    ports_open(&a, &b);
    for (unsigned round = 0; round < 3; round++) {
        dprintf(1, "# link up\n");
        for (int64_t end = now_ms() + 60000; a.dev.link && now_ms() < end; ports_turn(&a, &b))
            if (n < NUMBERS_MAX && port_send(&a, &b, n, 0, 1) == 0) n++;
        EQUAL(a.dev.link, 0);
        EQUAL(port_send(&a, &b, n, 0, 1), -ENETDOWN);
        dprintf(1, "# link down\n");
        for (int64_t end = now_ms() + 60000; !a.dev.link && now_ms() < end;) ports_turn(&a, &b);
        CHECK(a.dev.link);
        ports_hello(&a, &b);
        uint64_t before = b.received;
        send_all(&a, &b, n, n + 99, 1, nullptr);
        ports_settle(&a, &b, QUIET_MS);
        EQUAL(b.received, before + 100);
        n += 100;
    }
    EQUAL(a.links, 6);
    EQUAL(a.dev.restarts, 0);
}

/* --- filters --- */
static uint64_t arrive(const uint8_t address[6], uint64_t number) {
    uint8_t own[6];
    uint64_t before = b.received;
    memcpy(own, b.dev.info.address, 6);
    memcpy(b.dev.info.address, address, 6); /* whom port_send sends to */
    EQUAL(port_send(&a, &b, number, 0, 1), 0);
    memcpy(b.dev.info.address, own, 6);
    netdev_kick(&a.dev);
    ports_hello(&a, &b);
    return b.received - before;
}
TEST(filters) {
    static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255}, group[6] = {1, 0, 0x5e, 1, 2, 3},
                         group6[6] = {0x33, 0x33, 0, 0, 0, 1}, other[6] = {0x52, 0x54, 0, 0x77, 0x77, 0x77};
    uint8_t groups[2][6];
    memcpy(groups[0], group, 6);
    memcpy(groups[1], group6, 6);
    ports_open(&a, &b);
    EQUAL(arrive(everybody, 1), 1);
    EQUAL(arrive(other, 2), 0);
    EQUAL(arrive(group, 3), 0);
    EQUAL(netdev_filter(&b.dev, 0, groups, 2), 0);
    EQUAL(arrive(group, 4), 1);
    EQUAL(arrive(group6, 5), 1);
    EQUAL(arrive(other, 6), 0);
    driver_kill(1);
    ports_hello(&a, &b);
    EQUAL(arrive(group, 7), 1); /* the next instance knows */
    EQUAL(netdev_filter(&b.dev, 0, nullptr, 0), 0);
    EQUAL(arrive(group, 8), 0);
    EQUAL(netdev_filter(&b.dev, NET_ALL_MULTICAST, nullptr, 0), 0);
    EQUAL(arrive(group, 9), 1);
    EQUAL(arrive(other, 10), 0);
    EQUAL(netdev_filter(&b.dev, NET_PROMISCUOUS, nullptr, 0), 0);
    EQUAL(arrive(other, 11), 1);
}

/* --- captures --- */
static uint32_t word_at(const uint8_t *at) {
    uint32_t word;
    memcpy(&word, at, 4);
    return word;
}
TEST(capture) {
    static uint8_t text[1 << 20];
    char path[64];
    ssize_t length = OK(readlink(port_path(0), path, 40));
    strcpy(path + length - 1, "capture");
    ports_open(&a, &b);
    int fd = (int)OK(open(path, O_RDONLY | O_NONBLOCK));
    send_all(&a, &b, 1, 100, 3, nullptr);
    ports_settle(&a, &b, QUIET_MS);
    send_all(&b, &a, 1, 50, 1, nullptr);
    ports_settle(&a, &b, QUIET_MS);
    size_t size = 0, at = 24, count = 0;
    for (ssize_t n; (n = read(fd, text + size, sizeof(text) - size)) > 0;) size += (size_t)n;
    EQUAL(errno, EAGAIN);
    CHECK(size > 24 && word_at(text) == 0xa1b2c3d4 && word_at(text + 20) == 1);
    const uint64_t hello = 0; /* one that was late */
    for (; at + 16 <= size; count++) {
        uint32_t captured = word_at(text + at + 8);
        uint64_t number = count % 100 + 1;
        CHECK(captured == word_at(text + at + 12) && at + 16 + captured <= size);
        if (memcmp(text + at + 16 + NET_HEADER, &hello, 8) == 0) {
            at += 16 + captured;
            count--;
            continue;
        }
        EQUAL(captured, frame_length(number));
        CHECK(memcmp(text + at + 16 + NET_HEADER, &number, 8) == 0);
        CHECK(word_at(text + at) > 1600000000);
        at += 16 + captured;
    }
    EQUAL(at, size);
    EQUAL(count, 150);
}
