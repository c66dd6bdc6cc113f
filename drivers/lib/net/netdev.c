// SPDX-License-Identifier: MIT
/*
 * The client's side of a card. `slots` name what is under way by its tag: frames by that of their first piece, buffers
 * by their own.
 *
 * The driver is no more trusted than it trusts us: a completion with a tag that nobody waits for, or with more bytes
 * than its buffer has, is dropped.
 */
#include <netdev.h>
#include <stdlib.h>
#include <string.h>

#define KEY_FILE 1
#define REOPEN_TRIES 3
#define SEND_WAKE_SHARE 4 /* of the entries: in use before completions alone wake us */

/* --- the session --- */
static int64_t netdev_call(struct netdev *d, struct call_args *args, enum net_call op, uint64_t a, uint64_t b) {
    args->request.op = (uint16_t)op;
    args->request.args[0] = a;
    args->request.args[1] = b;
    args->handle_flags = HANDLE_IN_UPPER;
    args->deadline = DEADLINE_NEVER;
    return sys_call(d->file, args);
}

static long map(handle_t memory, size_t size) {
    return sys_vm_map(0, (size + 4095) & ~4095ul, VM_READ | VM_WRITE | VM_SHARED, memory, 0);
}

static int pool_set_up(struct netdev *d) {
    struct call_args args = {.carry = d->pool_memory};
    int64_t e = netdev_call(d, &args, NET_POOL, d->pool_size, 0);
    if (e < 0) return (int)e;
    if (d->pool_memory != HANDLE_NONE) { /* the driver knows it now */
        sys_handle_close(args.reply.handle);
        return 0;
    }
    long at = map(args.reply.handle, d->pool_size);
    if (at < 0) {
        sys_handle_close(args.reply.handle);
        return (int)at;
    }
    d->pool_memory = args.reply.handle;
    d->pool = (uint8_t *)at;
    return 0;
}

static void rings_drop(struct netdev *d) {
    if (d->rings) sys_vm_unmap((uintptr_t)d->rings, d->rings_size);
    if (d->rings_memory >= 0) sys_handle_close(d->rings_memory);
    if (d->doorbell >= 0) sys_handle_close(d->doorbell);
    d->rings = nullptr;
    d->rings_memory = d->doorbell = HANDLE_NONE;
}

static int rings_set_up(struct netdev *d) {
    struct call_args args = {.carry = HANDLE_NONE};
    rings_drop(d);
    int64_t e = netdev_call(d, &args, NET_RINGS, d->send.entries, d->receive.entries);
    if (e < 0) return (int)e;
    d->rings_memory = args.reply.handle;
    d->rings_size = net_rings_size(d->send.entries, d->receive.entries);
    long at = map(d->rings_memory, d->rings_size);
    if (at < 0) return (int)at;
    d->rings = (struct net_memory *)at;
    args = (struct call_args){.carry = d->event};
    e = netdev_call(d, &args, NET_START, 0, 0);
    if (e < 0) return (int)e;
    d->doorbell = args.reply.handle;
    ring_init(&d->send.ring, RING_CLIENT, net_send_ring(d->rings), d->send.entries);
    ring_init(&d->receive.ring, RING_CLIENT, net_receive_ring(d->rings, d->send.entries), d->receive.entries);
    (void)ring_may_sleep(&d->receive.ring); /* it is empty: the first frame is posted */
    return 0;
}

static int filter_set(struct netdev *d) {
    struct call_args args = {.in = d->addresses, .carry = HANDLE_NONE};
    args.request.length = (uint32_t)sizeof(d->addresses[0]) * d->address_count;
    int64_t e = netdev_call(d, &args, NET_FILTER, d->filter, 0);
    return e < 0 ? (int)e : 0;
}

static int session_start(struct netdev *d) {
    int e = pool_set_up(d);
    if (!e) e = rings_set_up(d);
    if (!e && (d->filter || d->address_count)) e = filter_set(d);
    return e;
}

static int ask(struct netdev *d, enum net_call op, void *out, uint32_t size) {
    struct call_args args = {.out = out, .out_size = size, .carry = HANDLE_NONE};
    int64_t e = netdev_call(d, &args, op, 0, 0);
    return e < 0 ? (int)e : args.reply.length == size ? 0 : -EPROTO;
}

static bool entries_valid(uint32_t n) { return n > 0 && n <= NET_RING_ENTRIES_MAX && (n & (n - 1)) == 0; }

static void queue_clear(struct netdev_queue *q) {
    for (uint32_t i = 0; i < q->entries; i++) q->slots[i] = (struct netdev_slot){.next_free = i + 1};
    q->free_slot = q->used = 0;
    q->unpublished = false;
}

static int queue_init(struct netdev_queue *q, uint32_t entries) {
    if (!entries_valid(entries)) return -EINVAL;
    q->entries = entries;
    q->slots = calloc(entries, sizeof(*q->slots));
    if (!q->slots) return -ENOMEM;
    queue_clear(q);
    return 0;
}

/* All but the pool's handle and mapping, if it is another card's. */
static void release(struct netdev *d) {
    rings_drop(d);
    if (d->file != HANDLE_NONE) sys_handle_close(d->file);
    if (d->event >= 0) sys_handle_close(d->event);
    if (!d->shared && d->pool) sys_vm_unmap((uintptr_t)d->pool, (d->pool_size + 4095) & ~4095ul);
    if (!d->shared && d->pool_memory >= 0) sys_handle_close(d->pool_memory);
    free(d->send.slots);
    free(d->receive.slots);
    *d = (struct netdev){.file = HANDLE_NONE,
                         .event = HANDLE_NONE,
                         .doorbell = HANDLE_NONE,
                         .rings_memory = HANDLE_NONE,
                         .pool_memory = HANDLE_NONE,
                         .gone = true};
}

static void stop(struct netdev *d) {
    struct call_args args = {.carry = HANDLE_NONE};
    (void)netdev_call(d, &args, NET_STOP, 0, 0); /* whose driver has gone needs no telling */
}

int netdev_open(struct netdev *d, handle_t file, const struct netdev_setup *setup, const struct netdev_ops *ops,
                void *context) {
    const struct netdev *share = setup->share;
    *d = (struct netdev){.file = file,
                         .event = HANDLE_NONE,
                         .doorbell = HANDLE_NONE,
                         .rings_memory = HANDLE_NONE,
                         .pool_memory = share ? share->pool_memory : HANDLE_NONE,
                         .pool = share ? share->pool : nullptr,
                         .pool_size = share ? share->pool_size : setup->pool_size,
                         .shared = share,
                         .ops = ops,
                         .context = context};
    int e = queue_init(&d->send, setup->send_entries);
    if (!e) e = queue_init(&d->receive, setup->receive_entries);
    if (!e) e = ask(d, NET_INFO, &d->info, sizeof(d->info));
    if (!e) d->event = (handle_t)sys_event_create(0, HANDLE_IN_UPPER);
    if (!e && d->event < 0) e = d->event;
    struct event interest = {.mask = NET_RESTARTED, .key = KEY_FILE};
    if (!e) e = (int)sys_event_control(d->event, EVENT_ADD, file, &interest);
    if (!e) {
        e = session_start(d);
        if (e && e != -EBUSY) stop(d);
    }
    if (e) {
        d->file = HANDLE_NONE;
        release(d);
        return e;
    }
    d->link = atomic_load_explicit(&d->rings->link, memory_order_acquire);
    return 0;
}

void netdev_close(struct netdev *d) {
    if (d->file != HANDLE_NONE) stop(d);
    release(d);
}

int netdev_statistics(struct netdev *d, struct net_statistics *out) {
    return ask(d, NET_STATISTICS, out, sizeof(*out));
}

int netdev_filter(struct netdev *d, uint32_t filter, const uint8_t (*addresses)[6], unsigned count) {
    if (count > NET_ADDRESSES_MAX) return -E2BIG;
    if (count) memcpy(d->addresses, addresses, count * sizeof(*addresses));
    d->address_count = count;
    d->filter = filter;
    int e = d->lost ? 0 : filter_set(d);
    return e == -ENOLINK ? 0 : e; /* the driver's next instance is told */
}

/* --- giving --- */
static uint32_t slot_take(struct netdev_queue *q, void *context, uint32_t pieces) {
    uint32_t slot = q->free_slot;
    q->free_slot = q->slots[slot].next_free;
    q->slots[slot].context = context;
    q->slots[slot].pieces = pieces;
    q->used += pieces;
    return slot;
}

static void *slot_free(struct netdev_queue *q, uint32_t slot) {
    struct netdev_slot *s = &q->slots[slot];
    q->used -= s->pieces;
    s->pieces = 0;
    s->next_free = q->free_slot;
    q->free_slot = slot;
    return s->context;
}

static struct netdev_slot *slot_find(struct netdev_queue *q, uint64_t tag) {
    return tag < q->entries && q->slots[tag].pieces ? &q->slots[tag] : nullptr;
}

static void entry_put(struct netdev *d, struct netdev_queue *q, const struct ring_entry *e) {
    if (d->lost) return;
    if (ring_put(&q->ring, e) != 0) d->lost = true; /* the driver makes no sense: a new session */
    q->unpublished = true;
}

static int frame_check(const struct netdev *d, const struct netdev_frame *f) {
    uint64_t length = 0;
    if (f->count == 0 || f->count > NET_PIECES_MAX) return -EMSGSIZE;
    for (unsigned i = 0; i < f->count; i++) {
        const struct netdev_piece *p = &f->pieces[i];
        if (p->length == 0 || p->offset > d->pool_size || p->length > d->pool_size - p->offset) return -EINVAL;
        length += p->length;
    }
    return length < NET_HEADER ? -EINVAL : 0;
}

int netdev_send(struct netdev *d, const struct netdev_frame *f) {
    struct netdev_queue *q = &d->send;
    int e = frame_check(d, f);
    if (e) return e;
    if (d->lost || !d->link) return -ENETDOWN;
    if (f->count > q->entries - q->used) {
        d->blocked = true;
        return -EAGAIN;
    }
    uint32_t slot = slot_take(q, f->context, f->count);
    for (unsigned i = 0; i < f->count; i++) {
        struct ring_entry entry = {.tag = slot,
                                   .op = f->flags | (uint32_t)f->flow << NET_FLOW_SHIFT |
                                         (i + 1 < f->count ? NET_MORE : 0),
                                   .length = f->pieces[i].length,
                                   .position = net_send_pack(f->offload),
                                   .buffer = f->pieces[i].offset};
        entry_put(d, q, &entry);
    }
    return 0;
}

int netdev_post(struct netdev *d, uint64_t offset, uint32_t length, void *context) {
    struct netdev_queue *q = &d->receive;
    if (offset % NET_ALIGNMENT || length < d->info.buffer_size || offset > d->pool_size ||
        length > d->pool_size - offset)
        return -EINVAL;
    if (d->gone) return -ENETDOWN;
    if (q->used == q->entries) return -EAGAIN;
    uint32_t slot = slot_take(q, context, 1);
    q->slots[slot].entry = (struct ring_entry){.tag = slot, .length = length, .buffer = offset};
    entry_put(d, q, &q->slots[slot].entry);
    return 0;
}

/* Is it time to be woken for completions alone? */
static bool wants_sent(const struct netdev *d) {
    return d->blocked || d->send.used >= d->send.entries / SEND_WAKE_SHARE;
}

static bool send_arm(struct netdev *d) {
    d->send_armed = ring_may_sleep(&d->send.ring);
    return d->send_armed;
}

void netdev_kick(struct netdev *d) {
    if (d->gone) return;
    if (d->lost) sys_event_post(d->event, 1); /* netdev_poll() tries again */
    bool wake = false;
    if (d->send.unpublished) wake = ring_publish(&d->send.ring);
    if (d->receive.unpublished) wake |= ring_publish(&d->receive.ring);
    d->send.unpublished = d->receive.unpublished = false;
    if (d->lost) return;
    if (wants_sent(d) && !d->send_armed && !send_arm(d)) sys_event_post(d->event, 1); /* some are there already */
    if (!wake) return;
    d->doorbells++;
    sys_event_post(d->doorbell, 1);
}

/* --- taking --- */
static void parts_clear(struct netdev *d) {
    d->part_count = d->part_length = 0;
    d->part_lost = false;
}

static void parts_return(struct netdev *d) {
    unsigned count = d->part_count;
    parts_clear(d);
    for (unsigned i = 0; i < count; i++) d->ops->returned(d, d->parts[i].context);
}

static void buffer_arrived(struct netdev *d, const struct ring_entry *e, const struct netdev_slot *slot,
                           void *context) {
    struct net_receive r = net_receive_unpack(e);
    uint64_t size = slot->entry.length;
    bool valid = e->result > 0 && r.offset <= size && (uint64_t)e->result <= size - r.offset;
    if (!valid || d->part_count == NETDEV_PARTS_MAX) {
        d->part_lost = e->result >= 0; /* one that comes back empty says nothing of a frame */
        d->ops->returned(d, context);
    } else {
        d->parts[d->part_count++] = (struct netdev_piece){slot->entry.buffer + r.offset, (uint32_t)e->result, context};
        d->part_length += (uint32_t)e->result;
    }
    if (r.flags & NET_MORE || e->result < 0) return;
    if (d->part_lost) {
        parts_return(d);
        return;
    }
    struct netdev_received frame = {.pieces = d->parts,
                                    .count = d->part_count,
                                    .length = d->part_length,
                                    .flags = r.flags & (NET_CHECKED | NET_PARTIAL),
                                    .checksum_start = r.checksum_start,
                                    .checksum_offset = r.checksum_offset,
                                    .hash = r.hash};
    if (frame.flags & NET_PARTIAL && (uint32_t)r.checksum_start + r.checksum_offset + 2 > frame.length)
        frame.flags &= ~(uint32_t)NET_PARTIAL;
    parts_clear(d);
    if (frame.count) d->ops->received(d, &frame);
}

static unsigned receive_take(struct netdev *d) {
    struct netdev_queue *q = &d->receive;
    struct ring_entry e;
    unsigned count = 0;
    int got = 0;
    while (!d->lost && (got = ring_get(&q->ring, &e)) > 0) {
        struct netdev_slot *slot = slot_find(q, e.tag);
        if (!slot) continue;
        struct netdev_slot copy = *slot;
        buffer_arrived(d, &e, &copy, slot_free(q, (uint32_t)e.tag));
        q->unpublished = true;
        count++;
    }
    if (got < 0) d->lost = true;
    return count;
}

static unsigned send_take(struct netdev *d) {
    struct netdev_queue *q = &d->send;
    struct ring_entry e;
    unsigned count = 0;
    int got = 0;
    d->send_armed = false;
    while (!d->lost && (got = ring_get(&q->ring, &e)) > 0) {
        if (!slot_find(q, e.tag)) continue;
        d->ops->sent(d, slot_free(q, (uint32_t)e.tag), (int)e.result);
        count++;
    }
    if (got < 0) d->lost = true;
    if (count == 0 || !d->blocked || q->used > q->entries / 2) return count;
    d->blocked = false;
    if (d->ops->room) d->ops->room(d);
    return count;
}

static void link_take(struct netdev *d) {
    uint32_t link = d->lost || !d->rings ? 0 : atomic_load_explicit(&d->rings->link, memory_order_acquire);
    if (link == d->link) return;
    d->link = link;
    if (d->ops->link) d->ops->link(d);
}

/* --- the driver's death --- */
/* Frames that it had may have been sent or not. What `sent` sends meanwhile is refused: d->lost. */
static void frames_end(struct netdev *d) {
    struct netdev_queue *q = &d->send;
    for (uint32_t i = 0; i < q->entries; i++)
        if (q->slots[i].pieces) d->ops->sent(d, slot_free(q, i), -ENETRESET);
    queue_clear(q);
}

static void buffers_end(struct netdev *d) {
    struct netdev_queue *q = &d->receive;
    d->gone = true;
    for (uint32_t i = 0; i < q->entries; i++)
        if (q->slots[i].pieces) d->ops->returned(d, slot_free(q, i));
}

static void buffers_post_again(struct netdev *d) {
    struct netdev_queue *q = &d->receive;
    for (uint32_t i = 0; i < q->entries; i++)
        if (q->slots[i].pieces) entry_put(d, q, &q->slots[i].entry);
}

/* A new session. Waits for the next instance, which the kernel queues our call for. */
static void session_restart(struct netdev *d) {
    int e = -EIO;
    d->restarts++;
    d->lost = true;
    link_take(d);
    frames_end(d);
    parts_return(d);
    for (int i = 0; i < REOPEN_TRIES && e; i++) {
        if (i > 0) stop(d);
        e = session_start(d); /* it may die again meanwhile */
    }
    if (e) {
        buffers_end(d);
        return;
    }
    d->lost = false;
    buffers_post_again(d);
    link_take(d);
    if (!d->blocked) return;
    d->blocked = false;
    if (d->ops->room) d->ops->room(d);
}

/* Takes what the event has; true: the driver has died. */
static bool events_take(struct netdev *d, int64_t deadline, int *result) {
    struct event ready[4];
    bool lost = false;
    long n = sys_event_wait(d->event, ready, 4, deadline);
    for (long i = 0; i < n; i++) lost |= !ready[i].reserved;
    *result = n < 0 ? (int)n : 0;
    return lost;
}

static unsigned poll_once(struct netdev *d) {
    unsigned count = receive_take(d) + send_take(d);
    link_take(d);
    netdev_kick(d);
    return count;
}

static bool may_sleep(struct netdev *d, bool for_sent) {
    if (!ring_may_sleep(&d->receive.ring)) return false;
    return !(for_sent || wants_sent(d)) || send_arm(d);
}

/* Until the rings are empty and we are promised a post. After a death the completions that the last instance left are
 * true: they are taken first. */
static unsigned drain(struct netdev *d, bool died, bool for_sent) {
    unsigned count = 0;
    if (d->gone) return 0;
    if (died) {
        count = receive_take(d) + send_take(d);
        session_restart(d);
    }
    while (!d->gone) {
        count += poll_once(d);
        if (d->lost) session_restart(d);
        else if (may_sleep(d, for_sent)) break;
    }
    return count;
}

unsigned netdev_poll(struct netdev *d) {
    int unused;
    return drain(d, events_take(d, 0, &unused), false);
}

int netdev_wait(struct netdev *d, int64_t deadline) {
    if (drain(d, false, true) > 0) return 0;
    while (!d->gone) {
        int result;
        bool died = events_take(d, deadline, &result);
        if (result < 0 && result != -EINTR) return result == -EAGAIN ? -ETIMEDOUT : result;
        if (drain(d, died, true) > 0) return 0;
    }
    return -ENXIO;
}
