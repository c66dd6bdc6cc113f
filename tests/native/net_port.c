// SPDX-License-Identifier: MIT
#include "net_port.h"

#define HELLO 0
#define HEADER (NET_HEADER + 12) /* Ethernet's, and number and length */

static uint8_t pattern(uint64_t number, uint32_t at) {
    return (uint8_t)(number * 31 + at * 7 + (at >> 8) + (number >> 8));
}

uint32_t frame_length(uint64_t number) { return FRAME_MIN + (uint32_t)(number % (FRAME_MAX - FRAME_MIN + 1)); }

const char *port_path(unsigned number) {
    static char path[16];
    snprintf(path, sizeof(path), "/dev/eth%u", number);
    return path;
}

/* --- receiving --- */
static bool is_ours(const uint8_t *f, uint32_t length) {
    return length >= FRAME_MIN && f[12] == ETHERTYPE >> 8 && f[13] == (ETHERTYPE & 0xff);
}

/* Its number; a frame that isn't as it was sent ends the test. */
static uint64_t frame_check(const uint8_t *f, uint32_t length) {
    uint64_t number;
    uint32_t said;
    memcpy(&number, f + NET_HEADER, 8);
    memcpy(&said, f + NET_HEADER + 8, 4);
    if (said != length) test_fail(__FILE__, __LINE__, "frame %lu has %u bytes, not %u", number, length, said);
    for (uint32_t i = HEADER; i < length; i++)
        if (f[i] != pattern(number, i))
            test_fail(__FILE__, __LINE__, "frame %lu of %u bytes: byte %u is %#x, not %#x", number, length, i, f[i],
                      pattern(number, i));
    return number;
}

static void port_received(struct netdev *d, const struct netdev_received *r) {
    struct port *p = d->context;
    static uint8_t joined[65536];
    const uint8_t *frame = d->pool + r->pieces[0].offset;
    if (r->count > 1) {
        uint32_t at = 0;
        for (unsigned i = 0; i < r->count; at += r->pieces[i++].length)
            memcpy(joined + at, d->pool + r->pieces[i].offset, r->pieces[i].length);
        frame = joined;
    }
    if (!is_ours(frame, r->length)) {
        p->others++;
        if (p->other) p->other(p, r, frame);
    } else {
        uint64_t number = frame_check(frame, r->length);
        CHECK(number < NUMBERS_MAX);
        if (number == HELLO) {
            p->hellos += r->length == p->hello_length;
            goto done;
        }
        if (p->seen[number / 8] >> number % 8 & 1) test_fail(__FILE__, __LINE__, "frame %lu comes twice", number);
        p->seen[number / 8] |= (uint8_t)(1u << number % 8);
        if (number > p->highest) p->highest = number;
        p->received++;
        p->received_bytes += r->length;
    }
done:
    for (unsigned i = 0; i < r->count; i++) p->empty[(uintptr_t)r->pieces[i].context] = true;
    p->posted -= r->count;
    port_post(p);
}

static void port_returned(struct netdev *d, void *context) {
    struct port *p = d->context;
    p->empty[(uintptr_t)context] = true;
    p->posted--;
    p->returned++;
}

void port_post(struct port *p) {
    for (uintptr_t i = 0; i < ENTRIES && p->posted < p->buffers; i++) {
        if (!p->empty[i]) continue;
        EQUAL(netdev_post(&p->dev, i * BUFFER + (p->dev.shared ? POOL / 4 : 0), BUFFER, (void *)i), 0);
        p->empty[i] = false;
        p->posted++;
    }
}

/* --- sending --- */
static void port_sent(struct netdev *d, void *context, int result) {
    struct port *p = d->context;
    p->slots[(uintptr_t)context] = false;
    p->sending--;
    if (result == -ENETRESET) p->sent_lost++;
    else if (result) p->error = result;
    else p->sent++;
}

int port_send(struct port *p, const struct port *to, uint64_t number, uint32_t length, unsigned pieces) {
    static uintptr_t next;
    struct netdev_piece parts[NET_PIECES_MAX];
    uintptr_t slot = next;
    for (unsigned i = 0; i < ENTRIES && p->slots[slot]; i++) slot = (slot + 1) % ENTRIES;
    if (p->slots[slot]) return -EAGAIN;
    uint64_t offset = (ENTRIES + slot) * BUFFER % p->dev.pool_size;
    uint8_t *f = p->dev.pool + offset;
    if (!length) length = frame_length(number);
    memcpy(f, to->dev.info.address, 6);
    memcpy(f + 6, p->dev.info.address, 6);
    f[12] = ETHERTYPE >> 8;
    f[13] = ETHERTYPE & 0xff;
    memcpy(f + NET_HEADER, &number, 8);
    memcpy(f + NET_HEADER + 8, &length, 4);
    for (uint32_t i = HEADER; i < length; i++) f[i] = pattern(number, i);
    for (unsigned i = 0; i < pieces; i++) {
        uint32_t start = i * length / pieces, end = (i + 1) * length / pieces;
        parts[i] = (struct netdev_piece){.offset = offset + start, .length = end - start};
    }
    int e = netdev_send(&p->dev, &(struct netdev_frame){.pieces = parts, .count = pieces, .context = (void *)slot});
    if (e) return e;
    p->slots[slot] = true;
    next = (slot + 1) % ENTRIES;
    p->sending++;
    return 0;
}

static void port_link(struct netdev *d) { ((struct port *)d->context)->links++; }

static const struct netdev_ops ops = {
    .received = port_received, .returned = port_returned, .sent = port_sent, .link = port_link};

/* --- cards --- */
void port_open_shared(struct port *p, unsigned number, unsigned buffers, const struct netdev *share) {
    int fd = (int)OK(open(port_path(number), O_RDWR | O_CLOEXEC));
    struct netdev_setup setup = {
        .send_entries = ENTRIES, .receive_entries = ENTRIES, .pool_size = POOL, .share = share};
    memset(p, 0, sizeof(*p));
    memset(p->empty, true, sizeof(p->empty));
    EQUAL(netdev_open(&p->dev, fd, &setup, &ops, p), 0);
    p->buffers = buffers;
    port_post(p);
    netdev_kick(&p->dev);
    int64_t end = now_ms() + 10000; /* a card may negotiate its link after a reset */
    while (!p->dev.link && now_ms() < end) (void)netdev_wait(&p->dev, deadline_in(50000000));
    CHECK(p->dev.link);
}
void port_open(struct port *p, unsigned number, unsigned buffers) { port_open_shared(p, number, buffers, nullptr); }

void ports_open(struct port *a, struct port *b) {
    port_open(a, 0, ENTRIES / 2);
    port_open(b, 1, ENTRIES / 2);
    ports_hello(a, b);
    for (struct port *p = a; p; p = p == a ? b : nullptr) { /* nor does what an earlier client sent concern us */
        p->received = p->received_bytes = p->highest = p->others = 0;
        memset(p->seen, 0, sizeof(p->seen));
    }
}

static void hello(struct port *from, const struct port *to) {
    if (to->hellos > 0) return;
    int e = port_send(from, to, HELLO, to->hello_length, 1);
    CHECK(e == 0 || e == -EAGAIN || e == -ENETDOWN);
    netdev_kick(&from->dev);
}

void ports_hello(struct port *a, struct port *b) {
    int64_t end = now_ms() + 10000, next = 0;
    static uint32_t round;
    a->hellos = b->hellos = 0;
    a->hello_length = b->hello_length = FRAME_MIN + ++round;
    while (!a->hellos || !b->hellos || a->sending || b->sending) {
        if (now_ms() > end) test_fail(__FILE__, __LINE__, "hellos: %u, %u", a->hellos, b->hellos);
        if (now_ms() >= next) {
            hello(a, b);
            hello(b, a);
            next = now_ms() + 100;
        }
        ports_turn(a, b);
    }
    a->sent = b->sent = 0;
}

void ports_turn(struct port *a, struct port *b) {
    struct poll_entry both[2] = {{a->dev.event, EVENT_IN, 0}, {b->dev.event, EVENT_IN, 0}};
    unsigned done = netdev_poll(&a->dev) + netdev_poll(&b->dev);
    if (!done) sys_event_poll(both, 2, nullptr, deadline_in(50000000));
}

void ports_settle(struct port *a, struct port *b, int64_t quiet_ms) {
    uint64_t seen = UINT64_MAX;
    for (int64_t since = now_ms(); now_ms() - since < quiet_ms;) {
        uint64_t now = a->received + b->received + a->others + b->others + a->sent + b->sent;
        if (now != seen) since = now_ms();
        seen = now;
        ports_turn(a, b);
    }
}

/* --- what is known of them --- */
struct net_statistics port_statistics(struct port *p) {
    struct net_statistics s;
    EQUAL(netdev_statistics(&p->dev, &s), 0);
    return s;
}

/* The card's scheme: where its link leads, without "/0". */
static void scheme_path(unsigned number, char out[64]) {
    ssize_t length = OK(readlink(port_path(number), out, 48));
    out[length] = 0;
    char *slash = strrchr(out, '/');
    CHECK(slash && strncmp(out, "/scheme/net.", 12) == 0);
    *slash = 0;
}

uint64_t port_counter(unsigned number, const char *name) {
    char path[64], text[2048], *at;
    scheme_path(number, path);
    strcat(path, "/stats");
    int fd = (int)OK(open(path, O_RDONLY));
    ssize_t length = OK(read(fd, text, sizeof(text) - 1));
    close(fd);
    text[length] = 0;
    at = strstr(text, name);
    CHECK(at);
    return strtoull(at + strlen(name), nullptr, 10);
}

void driver_kill(unsigned number) {
    char path[64], name[80], line[160];
    scheme_path(number, path); /* net.virtio0 is the instance virtio-net.0, net.e1000-0 e1000.0 */
    bool virtio = strstr(path, "net.virtio");
    const char *digits = path + strlen(path);
    while (digits[-1] >= '0' && digits[-1] <= '9' && (virtio || digits[-1] != '-')) digits--;
    snprintf(name, sizeof(name), "/scheme/service/%s.%s", virtio ? "virtio-net" : "e1000", digits);
    int fd = (int)OK(open(name, O_RDONLY));
    ssize_t length = OK(read(fd, line, sizeof(line) - 1));
    close(fd);
    line[length] = 0;
    int pid = 0;
    CHECK(sscanf(line, "%*s running %d", &pid) == 1 && pid > 1);
    OK(kill(pid, SIGKILL));
}
