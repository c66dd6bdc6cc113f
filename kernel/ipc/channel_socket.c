// SPDX-License-Identifier: MIT
/*
 * What sockets and queues by name need of channels beyond bytes and messages; servers say it by the
 * end that they hold.
 *
 * Datagrams: an end may send elsewhere than to its peer: `via` an end whose peer reads it, set by a
 * route, or named with the one message.  Priorities: a channel whose messages are not in the ring but
 * in memory of their own, since the last may come first; it holds a number of them.
 */
#include "channel_impl.h"
#include "waiter.h"
#include <kernel/lib.h>
#include <kernel/process.h>

static struct spinlock route_lock = SPINLOCK_INIT(RANK_OBJECT); /* never with a channel's lock */

/* --- routes --- */

struct channel_end *route_get(struct channel_end *e) {
    spin_lock(&route_lock);
    struct channel_end *via = e->route ? e->route : e;
    object_get(&via->object);
    spin_unlock(&route_lock);
    return via;
}

/* A closed end (its last handle is gone) takes no new route: nobody would take it off again. */
int route_set(struct channel_end *e, struct channel_end *via) {
    if (!end_is(e, CHANNEL_DATAGRAM) || (via && !end_is(via, CHANNEL_DATAGRAM))) return -EINVAL;
    spin_lock(&route_lock);
    struct channel_end *old = e->route;
    bool refused = via && !e->object.handles;
    if (old) list_remove(&e->route_link);
    e->route = refused ? nullptr : via;
    if (e->route) {
        object_get(&via->object);
        list_push_back(&via->routed, &e->route_link);
    }
    spin_unlock(&route_lock);
    if (old) object_put(&old->object);
    object_notify(&e->object, EVENT_OUT);
    return refused ? -ENOTCONN : 0;
}

void room_notify_routed(struct channel_end *via) {
    spin_lock(&route_lock);
    list_for_each (l, &via->routed) object_notify(&list_entry(l, struct channel_end, route_link)->object, EVENT_OUT);
    spin_unlock(&route_lock);
}

/* --- sending elsewhere --- */

/* Errors of an end's own, if it sends elsewhere. */
static int datagram_error(struct channel_end *e, bool routed) {
    spin_lock(&e->channel->lock);
    int error = e->out->over & QUEUE_BROKEN && e->object.handles && end_peer(e)->object.handles ? -EPIPE : 0;
    if (!error && routed) error = -(int)hold_write(e);
    spin_unlock(&e->channel->lock);
    return error;
}

/* At the end, or behind the last one of its priority. */
static void message_insert(struct queue *q, struct message *m) {
    struct list *before = &q->messages;
    while (before->prev != &q->messages && list_entry(before->prev, struct message, link)->priority < m->priority)
        before = before->prev;
    list_push_back(before, &m->link);
    q->message_count++;
}

static int copy_in(struct message *m, const struct io_vector *v, size_t count) {
    size_t done = 0;
    m->data = kmalloc(max((size_t)m->size, 1UL));
    if (!m->data) return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        int e = copy_from_user(m->data + done, (uaddr_t)v[i].base, v[i].length);
        if (e) return e;
        done += v[i].length;
    }
    return 0;
}

/* m is consumed. */
UNCHECKED static long priority_send(struct channel_end *e, struct message *m, const struct io_vector *v, size_t count,
                                    uint32_t io_flags, nsec_t deadline) {
    struct channel *c = e->channel;
    struct queue *q = e->out;
    size_t size = 0;
    for (size_t i = 0; i < count; i++) size += v[i].length;
    int error = size > c->message_max ? -EMSGSIZE : m->handle_count ? -EINVAL : 0;
    m->size = (uint32_t)size;
    if (!error) error = copy_in(m, v, count);
    bool charged = !error && quota_charge(c->quota, message_pages(m));
    if (!error && !charged) error = -ENOMEM;
    while (!error) {
        spin_lock(&c->lock);
        if (q->message_count < q->message_limit) {
            bool news = !q->message_count && list_empty(&q->readers);
            message_insert(q, m);
            q->news |= news;
            if (!list_empty(&q->readers)) waiter_wake_first(&q->readers);
            spin_unlock(&c->lock);
            if (news) object_notify(&e->object, EVENT_PRIORITY);
            object_notify(&end_peer(e)->object, EVENT_IN);
            return (long)size;
        }
        error = waiter_sleep(&q->writers, &c->lock, 0, io_flags & IO_NONBLOCK ? 0 : deadline);
    }
    if (charged) quota_release(c->quota, message_pages(m));
    message_put(m);
    return error;
}

UNCHECKED long priority_receive(struct channel_end *e, struct message **came, const struct io_vector *v, size_t count,
                                uint32_t io_flags, nsec_t deadline) {
    struct channel *c = e->channel;
    struct queue *q = e->in;
    struct message *m = nullptr;
    size_t room = 0, done = 0;
    for (size_t i = 0; i < count; i++) room += v[i].length;
    if (room < c->message_max) return -EMSGSIZE;
    while (!m) {
        spin_lock(&c->lock);
        m = message_first(q);
        if (m) {
            message_unqueue(e, m);
            if (!list_empty(&q->writers)) waiter_wake_first(&q->writers);
            if (q->message_count && !list_empty(&q->readers)) waiter_wake_first(&q->readers);
            spin_unlock(&c->lock);
            break;
        }
        int error = waiter_sleep(&q->readers, &c->lock, 0, io_flags & IO_NONBLOCK ? 0 : deadline);
        if (error) return error;
    }
    object_notify(&end_peer(e)->object, EVENT_OUT);
    room_notify_routed(end_peer(e));
    int error = 0;
    for (size_t i = 0; !error && i < count && done < m->size; i++) {
        size_t n = min(v[i].length, m->size - done);
        error = copy_to_user((uaddr_t)v[i].base, m->data + done, n);
        done += n;
    }
    if (came) *came = m;
    else message_put(m);
    return error ? error : (long)done;
}

UNCHECKED long datagram_send(struct channel_end *e, struct channel_end *to, struct message *m,
                             const struct io_vector *v, size_t count, uint32_t io_flags, nsec_t deadline) {
    if (!m) m = message_create(0);
    if (is_err(m)) return ptr_err(m);
    const struct channel_name *name = e->name;
    if (end_is(e, CHANNEL_SOCKET)) { /* its address is what its server says */
        m->address_length = name ? name->length : 0;
        if (name) memcpy(m->address, name->bytes, name->length);
    }
    struct channel_end *via = to ? to : route_get(e);
    int error = to && (!end_is(e, CHANNEL_DATAGRAM) || !end_is(to, CHANNEL_DATAGRAM)) ? -EOPNOTSUPP : 0;
    if (!error && via != e) error = datagram_error(e, !to);
    io_flags |= e->status & FILE_NONBLOCK ? IO_NONBLOCK : 0;
    long n = error;
    if (error) message_put(m);
    else if (end_is(via, CHANNEL_PRIORITY)) n = priority_send(via, m, v, count, io_flags, deadline);
    else n = end_send(via, m, v, count, io_flags, deadline, false);
    if (!to) object_put(&via->object);
    return n;
}

/* --- control --- */

int channel_set_name(struct object *o, const char *bytes, size_t length) {
    struct channel_end *peer = end_peer(channel_end_of(o));
    struct channel_name *none = nullptr, *name = length <= CHANNEL_ADDRESS_MAX ? kzalloc(sizeof(*name)) : nullptr;
    if (!name) return length <= CHANNEL_ADDRESS_MAX ? -ENOMEM : -EINVAL;
    name->length = (uint32_t)length;
    memcpy(name->bytes, bytes, length);
    if (atomic_compare_exchange_strong(&peer->name, &none, name)) return 0;
    kfree(name);
    return -EINVAL;
}

int channel_route(struct object *o, struct object *via) {
    return route_set(end_peer(channel_end_of(o)), via ? channel_end_of(via) : nullptr);
}

static long set_limits(struct channel *c, uint64_t limits) {
    uint32_t messages = (uint32_t)limits, bytes = (uint32_t)(limits >> 32);
    if (!(c->flags & CHANNEL_PRIORITY) || c->message_max) return -EINVAL;
    if (!messages || messages > CHANNEL_CAPACITY_DEFAULT || !bytes || bytes > CALL_DATA_MAX) return -EINVAL;
    spin_lock(&c->lock);
    c->message_max = bytes;
    c->queues[0].message_limit = c->queues[1].message_limit = messages;
    spin_unlock(&c->lock);
    return 0;
}

static long take_news(struct channel_end *e) {
    spin_lock(&e->channel->lock);
    bool news = e->out->news;
    e->out->news = false;
    spin_unlock(&e->channel->lock);
    return news;
}

static long take_error(struct channel_end *e) {
    spin_lock(&e->channel->lock);
    int error = e->error;
    e->error = 0;
    spin_unlock(&e->channel->lock);
    return error;
}

static long set_timeout(_Atomic nsec_t *timeout, uint64_t ns) {
    return ns > INT64_MAX / 2 ? atomic_load(timeout) : atomic_exchange(timeout, (nsec_t)ns);
}

long socket_control(struct channel_end *e, uint32_t op, uint64_t argument) {
    switch (op) {
    case CHANNEL_CAPACITY: return e->in->capacity;
    case CHANNEL_READ_TIMEOUT: return set_timeout(&e->in->timeouts[0], argument);
    case CHANNEL_WRITE_TIMEOUT: return set_timeout(&e->out->timeouts[1], argument);
    case CHANNEL_TAKE_ERROR: return take_error(e);
    case CHANNEL_LIMITS: return set_limits(e->channel, argument);
    case CHANNEL_NEWS: return take_news(e);
    case CHANNEL_RESETS: e->resets = !argument; return 0;
    default: return -EINVAL;
    }
}
