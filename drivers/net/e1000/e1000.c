// SPDX-License-Identifier: MIT
/*
 * The card: reset, rings, link, filters, interrupts (SDM §14.3 … §14.5; 82574 with messages: DS §7.4).
 *
 * Interrupts. A line, or one message: reading ICR clears all causes. Three messages: each clears and masks its cause by
 * itself (EIAC), and is unmasked again when its ring is empty; what came meanwhile interrupts at once then.
 *
 * Watchdog. Every two seconds: have frames been given, but none has come back? Have the rings been switched off? Then
 * all begins anew, with the same receive buffers; frames that the card had end with -ENETRESET.
 */
#include "e1000.h"
#include <errno.h>
#include <mmio.h>
#include <service.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_NS 1000000000LL
#define WATCHDOG_NS (2 * SECOND_NS)
#define STOP_MS 10 /* until nothing is under way any more: SDM §14.9 */
#define RESET_MS 100
#define BUFFER_SIZE 2048
#define MTU 1500
#define SEGMENT_MAX 65535
#define THROTTLE 195 /* × 256 ns: 20,000 interrupts a second */
#define SEND_DELAYED 32 /* × 1.024 µs */

static uint32_t read32(const struct e1000 *c, unsigned at) { return mmio_read32(c->registers + at); }
static void write32(struct e1000 *c, unsigned at, uint32_t value) { mmio_write32(c->registers + at, value); }
static bool has_messages(const struct e1000 *c) {
    return c->info.device_id == DEVICE_82574 && c->info.interrupt_kind == PCI_MSIX && c->info.messages >= MESSAGES;
}

static void sleep_ms(long ms) { nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, nullptr); }

static int64_t time_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

/* --- reset --- */
static int card_reset(struct e1000 *c) {
    write32(c, REG_IMC, UINT32_MAX);
    write32(c, REG_RCTL, 0);
    write32(c, REG_TCTL, 0);
    (void)read32(c, REG_STATUS);
    sleep_ms(STOP_MS);
    write32(c, REG_CTRL, read32(c, REG_CTRL) | CTRL_RESET);
    sleep_ms(1);
    for (int i = 0; i < RESET_MS && read32(c, REG_CTRL) & CTRL_RESET; i++) sleep_ms(1);
    if (read32(c, REG_CTRL) & CTRL_RESET) return -EIO;
    write32(c, REG_IMC, UINT32_MAX);
    (void)read32(c, REG_ICR);
    write32(c, REG_CTRL, (read32(c, REG_CTRL) & ~CTRL_CLEAR) | CTRL_AUTO_SPEED | CTRL_LINK_UP);
    return 0;
}

static uint32_t link_read(struct e1000 *c) {
    static const uint32_t speeds[] = {10, 100, 1000, 1000};
    uint32_t status = read32(c, REG_STATUS);
    return status & STATUS_LINK_UP ? speeds[status >> STATUS_SPEED_SHIFT & 3] : 0;
}

static int address_read(struct e1000 *c) {
    uint32_t low = read32(c, REG_RAL), high = read32(c, REG_RAH);
    memcpy(c->net.info.address, &low, 4);
    memcpy(c->net.info.address + 4, &high, 2);
    return high & RAH_VALID && !(low & 1) ? 0 : -EIO;
}

/* --- the rings' registers --- */
static void ring_set(struct e1000 *c, unsigned base, uint64_t physical) {
    write32(c, base, (uint32_t)physical);
    write32(c, base + 4, (uint32_t)(physical >> 32));
    write32(c, base + 8, RING_BYTES);
    write32(c, base + 16, 0);
    write32(c, base + 24, 0);
}

static uint32_t receive_control(const struct e1000 *c) {
    return RCTL_ENABLE | RCTL_BROADCAST | RCTL_STRIP_CRC |
           (c->net.filter & NET_PROMISCUOUS ? RCTL_PROMISCUOUS | RCTL_ALL_MULTICAST : 0) |
           (c->net.filter & NET_ALL_MULTICAST ? RCTL_ALL_MULTICAST : 0);
}

/* SDM §13.5.1: 12 bits of the address are the number of a bit. */
static void filter_write(struct e1000 *c) {
    uint32_t table[MTA_WORDS] = {};
    for (uint32_t i = 0; i < c->net.address_count; i++) {
        const uint8_t *a = c->net.addresses[i];
        unsigned bit = (a[4] >> 4 | a[5] << 4) & 0xfff;
        table[bit / 32] |= 1u << bit % 32;
    }
    for (unsigned i = 0; i < MTA_WORDS; i++) write32(c, REG_MTA + 4 * i, table[i]);
    write32(c, REG_RCTL, receive_control(c));
}

static void interrupts_enable(struct e1000 *c) {
    if (has_messages(c)) {
        write32(c, REG_CTRL_EXT, read32(c, REG_CTRL_EXT) | CTRL_EXT_PBA_CLEAR);
        write32(c, REG_IVAR, IVAR_VALUE);
        write32(c, REG_EIAC, CAUSE_QUEUE_RECEIVED | CAUSE_QUEUE_SENT | CAUSE_OTHER);
        for (unsigned i = 0; i < MESSAGES; i++) write32(c, REG_EITR + 4 * i, THROTTLE);
        write32(c, REG_IMS, CAUSE_QUEUE_RECEIVED | CAUSE_QUEUE_SENT | CAUSE_OTHER | CAUSE_LINK);
        return;
    }
    write32(c, REG_ITR, THROTTLE);
    write32(c, REG_IMS, CAUSE_RECEIVED | CAUSE_RECEIVE_LOW | CAUSE_OVERRUN | CAUSE_SENT | CAUSE_LINK);
}

/* After a reset; the rings' memory is ready. */
static void rings_start(struct e1000 *c) {
    bool express = c->info.device_id == DEVICE_82574;
    ring_set(c, REG_RDBAL, c->memory.physical);
    ring_set(c, REG_TDBAL, c->memory.physical + RING_BYTES);
    write32(c, REG_RDTR, 0);
    write32(c, REG_RADV, 0);
    write32(c, REG_TIDV, SEND_DELAYED);
    write32(c, REG_TADV, SEND_DELAYED);
    write32(c, REG_TIPG, TIPG_VALUE);
    write32(c, REG_RXCSUM, RXCSUM_IP | RXCSUM_TCP);
    write32(c, REG_TCTL, TCTL_ENABLE | TCTL_PAD | TCTL_COLLISIONS | (express ? (uint32_t)TCTL_MULTIPLE_REQUESTS : 0));
    filter_write(c);
    write32(c, REG_RDT, c->receive.tail);
    c->received_added = c->sent_added = false;
    interrupts_enable(c);
    net_link(&c->net, link_read(c));
}

static void watchdog_set(struct e1000 *c) {
    c->sends_seen = c->sends_done;
    c->net.scheme.deadline = time_ns() + WATCHDOG_NS;
}

static int e1000_start(struct net_device *d) {
    struct e1000 *c = e1000_of(d);
    int e = card_reset(c);
    if (e) return e;
    receive_init(&c->receive, c->memory.at);
    send_init(&c->send, (uint8_t *)c->memory.at + RING_BYTES);
    rings_start(c);
    watchdog_set(c);
    return 0;
}

static void e1000_stop(struct net_device *d) {
    if (card_reset(e1000_of(d)) == 0) return;
    service_log("e1000: the card can't be reset");
    exit(1);
}

/* --- frames --- */
static int e1000_post(struct net_device *d, const struct net_buffer *b) {
    struct e1000 *c = e1000_of(d);
    int e = receive_put(&c->receive, b);
    if (!e) c->received_added = true;
    return e;
}

static int e1000_send(struct net_device *d, const struct net_frame *f) {
    struct e1000 *c = e1000_of(d);
    int e = send_put(&c->send, f);
    if (!e) c->sent_added = true;
    return e;
}

static void e1000_kick(struct net_device *d) {
    struct e1000 *c = e1000_of(d);
    atomic_thread_fence(memory_order_release);
    if (c->received_added) write32(c, REG_RDT, c->receive.tail);
    if (c->sent_added) write32(c, REG_TDT, c->send.tail);
    c->received_added = c->sent_added = false;
}

static void received(struct e1000 *c) {
    struct receive_result r;
    while (receive_take(&c->receive, &r)) {
        if (!r.error) {
            net_received(&c->net, &r.buffer, r.length, &r.receive);
            continue;
        }
        c->net.statistics.receive_errors++;
        net_returned(&c->net, &r.buffer, r.error);
    }
}

static void sent(struct e1000 *c) {
    uint64_t tag;
    for (; send_take(&c->send, &tag); c->sends_done++) net_sent(&c->net, tag, 0);
}

/* --- interrupts --- */
static void message(struct e1000 *c, uint64_t key) {
    static const uint32_t causes[MESSAGES] = {CAUSE_QUEUE_RECEIVED, CAUSE_QUEUE_SENT, CAUSE_OTHER | CAUSE_LINK};
    sys_irq_acknowledge(c->interrupts[key]);
    if (!c->net.running) return;
    if (key == MESSAGE_RECEIVED) received(c);
    if (key == MESSAGE_SENT) sent(c);
    if (key == MESSAGE_OTHER) {
        write32(c, REG_ICR, CAUSE_OTHER | CAUSE_LINK);
        net_link(&c->net, link_read(c));
    }
    write32(c, REG_IMS, causes[key]);
}

static void line(struct e1000 *c) {
    uint32_t causes = read32(c, REG_ICR);
    if (c->net.running) {
        received(c);
        sent(c);
        if (causes & CAUSE_LINK) net_link(&c->net, link_read(c));
    }
    sys_irq_acknowledge(c->interrupts[0]);
}

static void e1000_interrupt(struct net_device *d, uint64_t key) {
    struct e1000 *c = e1000_of(d);
    if (has_messages(c)) message(c, key);
    else line(c);
}

/* --- recovery --- */
static void recover(struct e1000 *c, const char *why) {
    uint64_t tag;
    service_log("e1000: %s: the card is reset", why);
    c->net.statistics.resets++;
    e1000_stop(&c->net);
    received(c); /* what had come before */
    sent(c);
    while (send_drop(&c->send, &tag)) net_sent(&c->net, tag, -ENETRESET);
    receive_renew(&c->receive);
    send_init(&c->send, (uint8_t *)c->memory.at + RING_BYTES);
    rings_start(c);
}

static void e1000_timeout(struct net_device *d) {
    struct e1000 *c = e1000_of(d);
    if (!d->running) return;
    d->statistics.receive_errors += read32(c, REG_CRCERRS) + read32(c, REG_RXERRC);
    d->statistics.receive_dropped += read32(c, REG_MPC);
    received(c); /* had an interrupt been lost, this is not a hang */
    sent(c);
    net_link(d, link_read(c));
    if (!(read32(c, REG_RCTL) & RCTL_ENABLE) || !(read32(c, REG_TCTL) & TCTL_ENABLE)) recover(c, "its rings are off");
    else if (d->link && send_outstanding(&c->send) && c->sends_done == c->sends_seen) recover(c, "it doesn't send");
    watchdog_set(c);
}

static void e1000_filter(struct net_device *d) {
    filter_write(e1000_of(d));
    net_filtered(d);
}

static void e1000_hang(struct net_device *d) {
    write32(e1000_of(d), REG_RCTL, 0);
    write32(e1000_of(d), REG_TCTL, 0);
}

const struct net_ops e1000_ops = {
    .start = e1000_start,
    .stop = e1000_stop,
    .post = e1000_post,
    .send = e1000_send,
    .kick = e1000_kick,
    .filter = e1000_filter,
    .hang = e1000_hang,
    .interrupt = e1000_interrupt,
    .timeout = e1000_timeout,
};

/* --- set-up --- */
static int interrupts_get(struct e1000 *c) {
    int e = 0;
    for (unsigned i = 0; !e && i < (has_messages(c) ? MESSAGES : 1); i++) {
        c->interrupts[i] = pci_interrupt(c->net.function, i);
        e = c->interrupts[i] < 0 ? c->interrupts[i] : scheme_event_add(&c->net.scheme, c->interrupts[i], EVENT_IN, i);
    }
    return e;
}

int e1000_init(struct e1000 *c) {
    handle_t function = c->net.function;
    volatile void *registers;
    int e = pci_info(function, &c->info);
    if (!e) e = pci_bar_map(function, 0, 0, REGISTERS, &registers);
    if (e) return e;
    c->registers = registers;
    e = card_reset(c);
    if (!e) e = pci_enable(function);
    if (!e) e = address_read(c);
    if (!e) e = pci_dma_create(function, 2 * RING_BYTES, 0, &c->memory);
    if (!e) e = interrupts_get(c);
    if (e) return e;
    struct net_info *i = &c->net.info;
    i->mtu = MTU;
    i->buffer_size = BUFFER_SIZE;
    i->segment_max = SEGMENT_MAX;
    i->queues = 1;
    /* Segments where all models of these cards make them right: README. */
    i->features = NET_CAN_CHECKSUM | NET_CHECKS | (c->info.device_id == DEVICE_82574 ? 0 : NET_CAN_TSO4);
    strcpy(i->driver, c->info.device_id == DEVICE_82574 ? "e1000e" : "e1000");
    c->net.link = link_read(c);
    return 0;
}
