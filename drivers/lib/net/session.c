// SPDX-License-Identifier: MIT
/*
 * The session: a client's pool and rings. The client may write both at any time: entries are copied out once and
 * checked (frame.c); the pool's bytes mean nothing to us. Who breaks the rings' rules is not served any more.
 */
#include "private.h"
#include <stdlib.h>
#include <string.h>

/* --- set-up --- */
static int pool_get(struct net_device *d, struct port_buffer *call, size_t size, struct dma *out) {
    if (!(call->request.flags & REQUEST_HANDLE)) return pci_dma_create(d->function, size, 0, out);
    handle_t h = request_take_handle(call);
    struct memory_info info;
    long e = sys_memory_control(h, MEMORY_INFO, (uintptr_t)&info, 0, 0);
    if (e >= 0 && (!info.physical || info.size < size)) e = -EINVAL;
    if (e >= 0) e = pci_dma_adopt(d->function, h, out);
    if (e < 0) sys_handle_close(h);
    return (int)e;
}

int64_t session_pool(struct net_device *d, const struct net_file *f, struct port_buffer *call) {
    struct session *s = session_of(d);
    uint64_t size = call->request.args[0];
    if (s->file) return -EBUSY;
    if (size == 0 || size > NET_POOL_MAX) return -EINVAL;
    *s = (struct session){.rings_memory = HANDLE_NONE, .event = HANDLE_NONE};
    int e = pool_get(d, call, size, &s->pool);
    if (e) return e;
    s->range = (struct net_pool_range){s->pool.at, s->pool.physical, size};
    s->file = f;
    call->reply.flags = REPLY_HANDLE;
    call->reply.handle = s->pool.memory;
    return 0;
}

static bool entries_valid(uint64_t n) { return n > 0 && n <= NET_RING_ENTRIES_MAX && (n & (n - 1)) == 0; }

int64_t session_rings(struct net_device *d, const struct net_file *f, struct port_buffer *call) {
    struct session *s = session_of(d);
    uint64_t send = call->request.args[0], receive = call->request.args[1];
    if (s->file != f || s->rings) return s->file == f ? -EBUSY : -EINVAL;
    if (!entries_valid(send) || !entries_valid(receive)) return -EINVAL;
    size_t size = net_rings_size((uint32_t)send, (uint32_t)receive);
    long memory = sys_memory_create(size, 0, HANDLE_NONE, 0);
    if (memory < 0) return memory;
    long at = sys_vm_map(0, size, VM_READ | VM_WRITE | VM_SHARED, (handle_t)memory, 0);
    if (at < 0) {
        sys_handle_close((handle_t)memory);
        return at;
    }
    s->rings_memory = (handle_t)memory;
    s->rings = (struct net_memory *)at;
    s->rings_size = size;
    s->send_entries = (uint32_t)send;
    s->receive_entries = (uint32_t)receive;
    call->reply.flags = REPLY_HANDLE;
    call->reply.handle = s->rings_memory;
    return 0;
}

int64_t session_start(struct net_device *d, const struct net_file *f, struct port_buffer *call) {
    struct session *s = session_of(d);
    struct handle_info info;
    if (s->file != f || !s->rings || d->running) return d->running ? -EBUSY : -EINVAL;
    if (!(call->request.flags & REQUEST_HANDLE)) return -EINVAL;
    handle_t event = request_take_handle(call);
    if (sys_handle_info(event, &info) < 0 || info.type != OBJECT_EVENT || !(info.rights & RIGHT_WRITE)) {
        sys_handle_close(event);
        return -EINVAL;
    }
    ring_init(&s->send, RING_SERVER, net_send_ring(s->rings), s->send_entries);
    ring_init(&s->receive, RING_SERVER, net_receive_ring(s->rings, s->send_entries), s->receive_entries);
    d->filter = d->address_count = 0;
    int e = d->ops->start(d);
    if (e) {
        sys_handle_close(event);
        return e;
    }
    s->event = event;
    atomic_store_explicit(&s->rings->link, d->link, memory_order_release);
    d->running = true;
    call->reply.flags = REPLY_HANDLE;
    call->reply.handle = d->private->doorbell;
    return 0;
}

void session_end(struct net_device *d) {
    struct session *s = session_of(d);
    if (d->running) d->ops->stop(d);
    d->running = false;
    net_filtered(d); /* nobody is to wait for that any more */
    if (!s->file) return;
    pci_dma_destroy(d->function, &s->pool);
    if (s->rings) sys_vm_unmap((uintptr_t)s->rings, s->rings_size);
    if (s->rings_memory >= 0) sys_handle_close(s->rings_memory);
    if (s->event >= 0) sys_handle_close(s->event);
    s->file = nullptr;
}

/* --- to the client --- */
static void session_break(struct net_device *d) {
    if (!session_of(d)->broken) service_log("the client broke the rules of its rings");
    session_of(d)->broken = true;
}

static void answer(struct net_device *d, struct ring *ring, const struct ring_entry *e) {
    struct session *s = session_of(d);
    if (!d->running || s->broken) return;
    if (ring_put(ring, e) != 0) session_break(d); /* it has more under way than entries */
    s->news = true;
}

void net_received(struct net_device *d, const struct net_buffer *b, uint32_t length, const struct net_receive *r) {
    struct ring_entry e = {.tag = b->tag, .result = length};
    bool more = r->flags & NET_MORE;
    net_receive_pack(&e, *r);
    d->statistics.received_bytes += length;
    if (!more) d->statistics.received_frames++;
    if (d->private->captures) capture_received(d, b->at + r->offset, length, more);
    answer(d, &session_of(d)->receive, &e);
}

void net_returned(struct net_device *d, const struct net_buffer *b, int error) {
    answer(d, &session_of(d)->receive, &(struct ring_entry){.tag = b->tag, .result = error});
}

void net_sent(struct net_device *d, uint64_t tag, int result) {
    if (result < 0) d->statistics.send_errors++;
    answer(d, &session_of(d)->send, &(struct ring_entry){.tag = tag, .result = result});
}

/* --- from the client --- */
/* Given to the driver, or refused; false: it has no room. */
static bool frame_give(struct net_device *d) {
    struct session *s = session_of(d);
    const struct net_frame *f = &s->builder.frame;
    int e = s->builder.error ?: d->ops->send(d, f);
    if (e == -EAGAIN) return false;
    s->frame_ready = false;
    if (e < 0) {
        net_sent(d, f->tag, e);
        return true;
    }
    s->given = true;
    d->statistics.sent_frames++;
    d->statistics.sent_bytes += f->length;
    if (d->private->captures) capture_sent(d, f);
    return true;
}

/* All that is there, until the ring is empty and we are promised a post, or the driver is full: then an interrupt
 * brings us back. */
static void send_pump(struct net_device *d) {
    struct session *s = session_of(d);
    struct ring_entry e;
    while (!s->broken) {
        if (s->frame_ready && !frame_give(d)) return;
        int got = ring_get(&s->send, &e);
        if (got < 0) session_break(d);
        else if (got > 0) s->frame_ready = net_frame_add(&s->builder, &s->range, &d->info, &e);
        else if (ring_may_sleep(&s->send)) return;
    }
}

static bool buffer_give(struct net_device *d) {
    struct session *s = session_of(d);
    int e = d->ops->post(d, &s->buffer);
    if (e == -EAGAIN) return false;
    s->buffer_ready = false;
    s->given = true;
    if (e < 0) net_returned(d, &s->buffer, e);
    return true;
}

static void receive_pump(struct net_device *d) {
    struct session *s = session_of(d);
    struct ring_entry e;
    while (!s->broken) {
        if (s->buffer_ready && !buffer_give(d)) return;
        int got = ring_get(&s->receive, &e);
        if (got < 0) session_break(d);
        if (got == 0 && ring_may_sleep(&s->receive)) return;
        if (got <= 0) continue;
        int error = net_buffer_take(&s->buffer, &s->range, &d->info, &e);
        s->buffer_ready = !error;
        if (error) net_returned(d, &(struct net_buffer){.tag = e.tag}, error);
    }
}

void session_pump(struct net_device *d) {
    struct session *s = session_of(d);
    if (!d->running) return;
    receive_pump(d);
    send_pump(d);
    if (s->broken) session_end(d);
    if (!d->running || !s->given) return;
    s->given = false;
    d->ops->kick(d);
}

void session_publish(struct net_device *d) {
    struct session *s = session_of(d);
    if (!d->running || !s->news) return;
    s->news = false;
    bool wake = ring_publish(&s->send);
    wake |= ring_publish(&s->receive);
    if (!wake) return;
    d->statistics.posts++;
    sys_event_post(s->event, 1);
}
