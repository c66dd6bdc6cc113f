// SPDX-License-Identifier: MIT
/*
 * Channels: pairs of ends with a queue in each direction.  Bytes live in a ring of pages and move
 * between it and user memory without a bounce, with the lock held and without taking faults; a page
 * that is missing, in the ring or in user memory, is provided without the lock, and all starts again.
 * The lock is let go every SEGMENT bytes.  Writes of up to CHANNEL_ATOMIC_MAX bytes are one piece.
 *
 * A channel of messages is the same ring with a record for each message, which says its size; in a
 * channel of bytes there are records of what came along (handles, who sent it) at their place.
 *
 * Waiting: readers and writers queue in order; whoever makes data or room wakes the first that can
 * go on, and each that goes on wakes the next.
 */
#include "channel_impl.h"
#include "waiter.h"
#include <kernel/clock.h>
#include <kernel/lib.h>
#include <kernel/process.h>
#include <kernel/sanitizer.h>

#define SEGMENT 32768u
#define CAPACITY_MAX (1u << 20)

RACE_INTENDED static uint32_t queue_room(const struct queue *q) {
    if (unlikely(q->message_limit)) return q->message_limit - q->message_count;
    return unlikely(q->message_count >= q->capacity / MESSAGE_SHARE) ? 0 : q->capacity - q->used;
}

/* Wakes who can go on: a reader if there is data, a writer if there is room for it. */
static void queue_wake(struct queue *q) {
    if (!list_empty(&q->readers) && (q->used || q->message_count || q->over)) waiter_wake_first(&q->readers);
    if (unlikely(!list_empty(&q->writers)) &&
        (queue_room(q) >= waiter_first(&q->writers)->wait_value || q->over & QUEUE_BROKEN || !q->used))
        waiter_wake_first(&q->writers);
}

static void queue_wake_all(struct queue *q) {
    while (!list_empty(&q->readers)) waiter_wake_first(&q->readers);
    while (!list_empty(&q->writers)) waiter_wake_first(&q->writers);
}

static nsec_t end_deadline(const struct channel_end *e, uint32_t io_flags, nsec_t deadline) {
    return io_flags & IO_NONBLOCK || e->status & FILE_NONBLOCK ? 0 : deadline;
}

/* Errors that come before all else: wrong direction, the pending one (once), broken. */
static int end_error(struct channel_end *e, unsigned wrong_access, bool moved) {
    if (unlikely((e->status & FILE_ACCESS_MASK) == wrong_access)) return -EBADF;
    int error = e->error;
    if (unlikely(error) && !moved) e->error = 0;
    return -error;
}
/* Of a socket, the data that came before the error is read first. */
static int read_error(struct channel_end *e, bool moved) {
    if (unlikely(e->hold)) return -(int)hold_read(e);
    if (unlikely(e->error) && end_is(e, CHANNEL_SOCKET) && (e->in->used || e->in->message_count)) return 0;
    return end_error(e, FILE_WRITE_ONLY, moved);
}
static int write_error(struct channel_end *e, bool moved) {
    if (unlikely(hold_write(e))) return -(int)hold_write(e);
    if (unlikely(e->out->over & QUEUE_BROKEN) && end_is(e, CHANNEL_SOCKET) && !(e->error && end_is(e, CHANNEL_HALVES)))
        return end_is(e, CHANNEL_DATAGRAM) && !end_peer(e)->object.handles ? -ECONNREFUSED : -EPIPE;
    int error = end_error(e, FILE_READ_ONLY, moved);
    return unlikely(e->out->over & QUEUE_BROKEN) && !error ? -EPIPE : error;
}

/* --- the ring ------------------------------------------------------------------------------------ */

struct cursor { /* a place in a vector of user buffers */
    const struct io_vector *v;
    size_t offset; /* in *v */
    size_t left; /* bytes from here to the end of all */
};

static struct cursor cursor_make(const struct io_vector *v, size_t count) {
    struct cursor c = {.v = v};
    for (size_t i = 0; i < count; i++) c.left += v[i].length;
    return c;
}

struct snag { /* why a copy stopped */
    void **page; /* ring page, maybe missing */
    uaddr_t address; /* user memory, else */
    size_t length;
};

/* Copies up to n bytes between the ring at `at` and the cursor, without faults. */
static size_t ring_copy(struct queue *q, struct cursor *c, uint32_t at, size_t n, bool out, struct snag *snag) {
    size_t done = 0;
    while (done < n) {
        for (; unlikely(c->offset == c->v->length); c->v++) c->offset = 0;
        uint32_t in_page = at % PAGE_SIZE;
        size_t want = min(c->v->length - c->offset, n - done), span = PAGE_SIZE - in_page;
        uaddr_t user = (uaddr_t)c->v->base + c->offset;
        void **page = &q->pages[at / PAGE_SIZE], **next = page + 1;
        char *ring = likely(*page) ? (char *)*page + in_page : nullptr;
        for (; ring && span < want && next < q->pages + q->capacity / PAGE_SIZE && *next == ring + span; next++)
            span += PAGE_SIZE;
        span = min(span, want);
        if (unlikely(!ring) ||
            unlikely(out ? copy_to_user_nofault(user, ring, span) : copy_from_user_nofault(ring, user, span))) {
            *snag = (struct snag){page, user, span};
            break;
        }
        done += span;
        c->offset += span;
        c->left -= span;
        at += (uint32_t)span;
        if (at == q->capacity) at = 0;
    }
    return done;
}

static uint32_t ring_advance(const struct queue *q, uint32_t at, size_t n) {
    at += (uint32_t)n;
    return at >= q->capacity ? at - q->capacity : at;
}

static void ring_consume(struct queue *q, size_t n) {
    q->position += n;
    q->used -= (uint32_t)n;
    q->read_at = ring_advance(q, q->read_at, n);
    if (q->used == 0) q->read_at = q->write_at = 0; /* keeps using the first, warm page */
}

/* Pages are charged when they come into a ring, with the lock held: the opener may come to be known. */
static void *page_alloc(void) {
    struct frame *f = frame_alloc(FRAME_KERNEL);
    return f ? frame_virt(f) : nullptr;
}
static void pages_free(struct channel *c, void **pages, size_t count) {
    for (size_t i = 0; pages && i < count; i++) {
        if (!pages[i]) continue;
        frame_put(frame_of(virt_to_phys(pages[i])));
        quota_release(c->quota, 1);
    }
    kfree(pages);
}

/* Provides what a copy missed, without the lock. */
static int snag_resolve(struct channel *c, const struct queue *q, const struct snag *s, bool out) UNCHECKED {
    bool missing = !*s->page;
    size_t index = (size_t)(s->page - q->pages);
    void *page = nullptr;
    spin_unlock(&c->lock);
    int e = 0;
    if (missing) {
        page = page_alloc();
        e = page ? 0 : -ENOMEM;
    } else {
        unsigned flags = FAULT_USER | (out ? FAULT_WRITE : 0);
        uaddr_t last = s->address + s->length - 1;
        if (last < s->address || last >= USER_END) e = -EFAULT;
        for (uaddr_t at = s->address; !e && at <= last; at = align_down(at, PAGE_SIZE) + PAGE_SIZE)
            e = space_fault(space_current(), at, flags);
        if (e && e != -EINTR && e != -ENOMEM) e = -EFAULT;
    }
    spin_lock(&c->lock);
    if (page && index < q->capacity / PAGE_SIZE && !q->pages[index]) {
        if (quota_charge(c->quota, 1)) q->pages[index] = page, page = nullptr;
        else e = -ENOMEM;
    }
    if (page) frame_put(frame_of(virt_to_phys(page)));
    return e;
}

/* Bytes put with *m, which is queued or not needed, or an error; -EAGAIN: there is no room. */
static long put(struct channel_end *e, struct cursor *from, bool whole, struct message **m) UNCHECKED {
    struct queue *q = e->out;
    for (;;) {
        struct cursor c = *from;
        struct snag snag;
        uint32_t room = queue_room(q);
        if (room == 0 || (whole && room < c.left)) return whole && c.left > q->capacity ? -EMSGSIZE : -EAGAIN;
        size_t want = whole ? c.left : min(c.left, min(room, SEGMENT));
        size_t n = ring_copy(q, &c, q->write_at, want, false, &snag);
        if (likely(n == want || (n && !whole))) {
            if (unlikely(*m != nullptr) && !message_queue(e, *m)) return -ENOMEM;
            *m = nullptr;
            q->write_at = ring_advance(q, q->write_at, n);
            q->used += (uint32_t)n;
            *from = c;
            return (long)n;
        }
        int error = snag_resolve(e->channel, q, &snag, false);
        if (!error) error = write_error(e, true);
        if (error) return error;
    }
}

/* Bytes got with *m, what came along, or an error; -EAGAIN: there is nothing. */
static long get(struct channel_end *e, struct cursor *to, bool peek, struct message **m) UNCHECKED {
    struct queue *q = e->in;
    bool messages = e->channel->flags & CHANNEL_MESSAGES;
    for (;;) {
        struct cursor c = *to;
        struct snag snag;
        struct message *first = message_first(q), *next = first;
        if (messages ? !first : !q->used) return -EAGAIN;
        size_t size = messages ? first->size : min(q->used, SEGMENT);
        if (unlikely(first && !messages)) { /* up to the next one */
            if (first->position == q->position)
                next = first->link.next == &q->messages ? nullptr : list_entry(first->link.next, struct message, link);
            if (next) size = min(size, next->position - q->position);
        }
        size_t want = min(c.left, size);
        size_t n = ring_copy(q, &c, q->read_at, want, true, &snag);
        if (likely(n == want || (n && !messages))) {
            *to = c;
            if (unlikely(first) && first->position == q->position) *m = first;
            if (unlikely(peek)) {
                if (*m) atomic_fetch_add(&(*m)->refs, 1);
                return (long)n;
            }
            if (unlikely(*m)) message_unqueue(e, *m);
            size = messages ? size : n;
            ring_consume(q, size);
            return (long)n;
        }
        int error = snag_resolve(e->channel, q, &snag, true);
        if (error) return error;
    }
}

/* --- moving -------------------------------------------------------------------------------------- */

/* waiter_sleep, at most as long as was set for waits without a deadline. */
static int queue_sleep(struct channel *c, struct queue *q, size_t need, nsec_t deadline) UNCHECKED {
    nsec_t timeout = deadline == DEADLINE_NEVER ? q->timeouts[need > 0] : 0;
    if (unlikely(timeout)) deadline = clock_now() + timeout;
    int error = waiter_sleep(need ? &q->writers : &q->readers, &c->lock, need, deadline);
    if (likely(!timeout)) return error;
    return error == -ETIMEDOUT ? -EAGAIN : error == -EINTR ? -ERESTARTNOHAND : error;
}

/* There is room in what e reads. */
static void room_notify(struct channel_end *e) {
    object_notify(&end_peer(e)->object, EVENT_OUT);
    if (unlikely(end_is(e, CHANNEL_DATAGRAM))) room_notify_routed(end_peer(e));
}

[[gnu::noinline]] UNCHECKED long end_send(struct channel_end *e, struct message *m, const struct io_vector *v,
                                          size_t count, uint32_t io_flags, nsec_t deadline, bool locked) {
    struct channel *c = e->channel;
    struct queue *q = e->out;
    struct cursor from = cursor_make(v, count);
    size_t total = from.left;
    bool messages = c->flags & CHANNEL_MESSAGES, whole = messages || total <= CHANNEL_ATOMIC_MAX;
    long error = 0;
    if (unlikely((messages || q->stamped) && !m)) {
        if (locked) spin_unlock(&c->lock);
        locked = false;
        m = message_create(0);
        if (is_err(m)) return ptr_err(m);
    }
    if (unlikely(m)) m->size = messages ? (uint32_t)total : 0;
    if (messages && total > CALL_DATA_MAX) error = -EMSGSIZE;
    bool more = total || messages;
    if (unlikely(!more && m && m->handle_count)) error = -EINVAL; /* nothing to go along with */
    while (more && !error) {
        if (!locked) spin_lock(&c->lock);
        locked = false;
        error = write_error(e, from.left < total);
        long n = error ? error : put(e, &from, whole, &m);
        if (n == -EAGAIN) {
            /* A large write waits for half the ring: fewer switches. */
            size_t need = messages ? max(total, 1UL) : whole ? CHANNEL_ATOMIC_MAX : q->capacity / 2;
            need = min(max(from.left, 1UL), need);
            error = queue_sleep(c, q, need, end_deadline(e, io_flags, deadline));
            continue;
        }
        if (n >= 0) queue_wake(q);
        spin_unlock(&c->lock);
        error = min(n, 0);
        if (n >= 0) object_notify(&end_peer(e)->object, EVENT_IN);
        more = from.left;
        if (more) preempt_point();
    }
    if (unlikely(m)) message_put(m);
    return from.left < total || !error ? (long)(total - from.left) : error;
}

[[gnu::noinline]] UNCHECKED static long receive(struct channel_end *e, struct message **came, const struct io_vector *v,
                                                size_t count, uint32_t io_flags, nsec_t deadline, bool locked) {
    struct channel *c = e->channel;
    struct queue *q = e->in;
    struct cursor to = cursor_make(v, count);
    size_t total = to.left;
    bool messages = c->flags & CHANNEL_MESSAGES, peek = io_flags & IO_PEEK, more = total || messages;
    long error = 0;
    while (more && !error) {
        struct message *m = nullptr;
        if (!locked) spin_lock(&c->lock);
        locked = false;
        bool some = to.left < total;
        error = read_error(e, some);
        long n = error ? error : get(e, &to, peek, &m);
        if (n == -EAGAIN && !q->over && (!some || io_flags & IO_WAIT_ALL)) {
            error = queue_sleep(c, q, 0, end_deadline(e, io_flags, deadline));
            continue;
        }
        bool got = n >= 0 && !peek;
        const struct message *next = message_first(q);
        if (got) queue_wake(q);
        more = got && n && to.left && !messages && !m && !(next && next->position == q->position);
        spin_unlock(&c->lock);
        error = n == -EAGAIN ? 0 : min(n, 0);
        if (got) room_notify(e);
        if (unlikely(m)) {
            if (came) *came = m;
            else message_put(m); /* read(2) drops what came along */
        }
        if (more) preempt_point();
    }
    return to.left < total || !error ? (long)(total - to.left) : error;
}

/*
 * The short ways, for some bytes within a page of the ring and nothing out of the ordinary; all else
 * goes the long ways above, which go on with the lock held.
 */
static inline bool ordinary(const struct channel_end *e, const struct queue *q, unsigned wrong_access) {
    bool odd = (e->status & FILE_ACCESS_MASK) == wrong_access || e->error || e->hold || q->over || q->message_count ||
               q->stamped;
    return likely(!odd);
}

UNCHECKED long channel_send(struct object *o, struct message *m, const struct io_vector *v, size_t count,
                            uint32_t io_flags, nsec_t deadline) {
    struct channel_end *e = channel_end_of(o);
    struct channel *c = e->channel;
    struct queue *q = e->out;
    if (unlikely(c->flags & CHANNEL_DATAGRAM)) return datagram_send(e, nullptr, m, v, count, io_flags, deadline);
    if (unlikely(m || count != 1 || !v->length || c->flags & CHANNEL_MESSAGES))
        return end_send(e, m, v, count, io_flags, deadline, false);
    spin_lock(&c->lock);
    uint32_t at = q->write_at;
    size_t n = v->length;
    if (likely(n <= min(q->capacity - q->used, PAGE_SIZE - at % PAGE_SIZE)) && ordinary(e, q, FILE_READ_ONLY)) {
        char *page = q->pages[at / PAGE_SIZE];
        if (likely(page) && likely(!copy_from_user_nofault(page + at % PAGE_SIZE, (uaddr_t)v->base, n))) {
            q->write_at = ring_advance(q, at, n);
            q->used += (uint32_t)n;
            queue_wake(q);
            spin_unlock(&c->lock);
            object_notify(&end_peer(e)->object, EVENT_IN);
            return (long)n;
        }
    }
    return end_send(e, m, v, count, io_flags, deadline, true);
}

long channel_send_to(struct object *o, struct object *to, struct message *m, const struct io_vector *v, size_t count,
                     uint32_t io_flags, nsec_t deadline) {
    return datagram_send(channel_end_of(o), channel_end_of(to), m, v, count, io_flags, deadline);
}

UNCHECKED long channel_receive(struct object *o, struct message **came, const struct io_vector *v, size_t count,
                               uint32_t io_flags, nsec_t deadline) {
    struct channel_end *e = channel_end_of(o);
    struct channel *c = e->channel;
    struct queue *q = e->in;
    if (unlikely(c->flags & CHANNEL_PRIORITY)) {
        io_flags |= e->status & FILE_NONBLOCK ? IO_NONBLOCK : 0;
        return priority_receive(e, came, v, count, io_flags, deadline);
    }
    if (unlikely(count != 1 || !v->length || io_flags & ~(uint32_t)IO_NONBLOCK || c->flags & CHANNEL_MESSAGES))
        return receive(e, came, v, count, io_flags, deadline, false);
    spin_lock(&c->lock);
    while (ordinary(e, q, FILE_WRITE_ONLY)) {
        if (!q->used) {
            int error = queue_sleep(c, q, 0, end_deadline(e, io_flags, deadline));
            if (unlikely(error)) return error;
            spin_lock(&c->lock);
            continue;
        }
        uint32_t at = q->read_at, n = (uint32_t)min(v->length, (size_t)q->used);
        if (unlikely(n > PAGE_SIZE - at % PAGE_SIZE)) break;
        if (unlikely(copy_to_user_nofault((uaddr_t)v->base, (char *)q->pages[at / PAGE_SIZE] + at % PAGE_SIZE, n)))
            break;
        ring_consume(q, n);
        queue_wake(q);
        spin_unlock(&c->lock);
        object_notify(&end_peer(e)->object, EVENT_OUT);
        return n;
    }
    return receive(e, came, v, count, io_flags, deadline, true);
}

/* --- the object --------------------------------------------------------------------------------- */

static void notify_both(struct channel *c) {
    for (unsigned i = 0; i < 2; i++)
        object_notify(&c->ends[i].object, EVENT_IN | EVENT_OUT | EVENT_HANGUP | EVENT_ERROR | EVENT_READ_HANGUP);
}

static void end_shutdown(struct channel_end *e, uint8_t in, uint8_t out) {
    struct channel *c = e->channel;
    spin_lock(&c->lock);
    e->in->over |= in;
    e->out->over |= out;
    queue_wake_all(&c->queues[0]);
    queue_wake_all(&c->queues[1]);
    spin_unlock(&c->lock);
    notify_both(c);
}

static void end_last_handle(struct object *o) {
    struct channel_end *e = channel_end_of(o);
    bool datagram = end_is(e, CHANNEL_DATAGRAM);
    uint8_t in = QUEUE_OVER;
    atomic_store(&end_peer(e)->hold, 0); /* nobody can connect it any more */
    if (datagram) {
        (void)!route_set(e, nullptr);
    } else if (end_is(e, CHANNEL_SOCKET)) {
        spin_lock(&e->channel->lock);
        bool lost = e->resets && !(e->out->over & QUEUE_BROKEN);
        if (e->in->used || e->in->message_count || lost) end_peer(e)->error = ECONNRESET;
        else if (end_is(e, CHANNEL_HALVES)) in &= (uint8_t)~QUEUE_HUNG_UP;
        spin_unlock(&e->channel->lock);
    }
    end_shutdown(e, in, datagram ? 0 : QUEUE_OVER);
    if (datagram) room_notify(e); /* who waits for room learns that there won't be any */
    channel_wait_for(o, nullptr);
    queue_purge(e);
}

static void end_destroy(struct object *o) {
    struct channel *c = channel_end_of(o)->channel;
    if (atomic_fetch_sub(&c->ends_left, 1) != 1) return;
    for (unsigned i = 0; i < 2; i++) {
        struct queue *q = &c->queues[i];
        queue_purge(&c->ends[i]);
        pages_free(c, q->pages, q->capacity / PAGE_SIZE);
        kfree(c->ends[i].name);
    }
    kfree(c);
}

RACE_INTENDED static uint32_t end_poll(struct object *o) {
    struct channel_end *e = channel_end_of(o);
    const struct queue *in = e->in, *out = e->out;
    unsigned access = e->status & FILE_ACCESS_MASK;
    uint32_t mask = unlikely(e->error) ? EVENT_ERROR | EVENT_IN | EVENT_OUT : 0, hold = e->hold;
    struct channel_end *via = nullptr;
    if (unlikely(hold & 0xff)) return mask | hold >> 16;
    if (access != FILE_WRITE_ONLY) {
        if (in->used || in->message_count) mask |= EVENT_IN;
        if (unlikely(in->over)) mask |= access == FILE_READ_ONLY ? EVENT_HANGUP : EVENT_IN | EVENT_READ_HANGUP;
    }
    if (unlikely(hold)) return mask | hold >> 16;
    if (unlikely(end_is(e, CHANNEL_DATAGRAM))) {
        via = route_get(e);
        out = via->out;
        if (via == e && out->news) mask |= EVENT_PRIORITY;
    }
    if (access != FILE_READ_ONLY) {
        bool broken = out->over & QUEUE_BROKEN;
        uint32_t enough = out->message_limit ? 1 : min(out->capacity, CHANNEL_ATOMIC_MAX);
        if (broken || queue_room(out) >= enough) mask |= EVENT_OUT;
        if (broken && access == FILE_WRITE_ONLY) mask |= EVENT_ERROR;
        else if (out->over & QUEUE_HUNG_UP && mask & EVENT_READ_HANGUP) mask |= EVENT_HANGUP;
    }
    if (unlikely(via != nullptr)) object_put(&via->object);
    return mask;
}

const struct object_ops channel_ops = {
    .type = OBJECT_CHANNEL,
    .name = "channel",
    .status_at = offsetof(struct channel_end, status),
    .on_last_handle = end_last_handle,
    .destroy = end_destroy,
    .poll = end_poll,
};

void channel_describe(struct object *o, struct handle_info *i) {
    struct channel_end *e = channel_end_of(o);
    i->object = (uint64_t)channel_control(o, CHANNEL_READABLE, 0);
    i->scheme = e->channel->maker_ids;
    i->offset = e->channel->maker;
    i->incarnation = e->channel->number * 2 + (e == &e->channel->ends[1] && !end_is(e, CHANNEL_ONE_WAY));
    i->plane = e->channel->flags | (e->in->stamped ? CHANNEL_STAMPED : 0);
}

bool channel_is(struct object *a, struct object *b) { return channel_end_of(a)->channel == channel_end_of(b)->channel; }

static uint32_t capacity_round(size_t capacity) {
    return (uint32_t)align_up(max(min(capacity, (size_t)CAPACITY_MAX), (size_t)1), PAGE_SIZE);
}

int channel_create(uint32_t flags, size_t capacity, struct object *ends[2]) {
    static const uint32_t one_way[2] = {FILE_READ_ONLY, FILE_WRITE_ONLY};
    const uint32_t datagram = CHANNEL_MESSAGES | CHANNEL_DATAGRAM, priority = datagram | CHANNEL_PRIORITY;
    if (flags & ~(priority | CHANNEL_ONE_WAY | CHANNEL_SOCKET | CHANNEL_HALVES)) return -EINVAL;
    if (flags & CHANNEL_DATAGRAM && (flags & datagram) != datagram) return -EINVAL;
    if (flags & CHANNEL_PRIORITY && flags != priority) return -EINVAL;
    struct channel *c = kzalloc(sizeof(*c));
    if (!c) return -ENOMEM;
    spin_init(&c->lock, RANK_OBJECT);
    c->flags = flags;
    static _Atomic uint32_t next_number = 1;
    c->number = atomic_fetch_add_explicit(&next_number, 1, memory_order_relaxed);
    const struct cred *cred = process_current()->cred;
    c->maker_ids = cred->c.euid | (uint64_t)cred->c.egid << 32;
    c->maker = process_current()->pid;
    c->quota = process_current()->space->quota;
    atomic_init(&c->ends_left, 2);
    bool fail = false;
    for (unsigned i = 0; i < 2; i++) {
        struct channel_end *e = &c->ends[i];
        struct queue *q = &c->queues[i];
        list_init(&q->messages);
        list_init(&q->readers);
        list_init(&q->writers);
        q->capacity = capacity ? capacity_round(capacity) : CHANNEL_CAPACITY_DEFAULT;
        if (i == 0 || !(flags & CHANNEL_ONE_WAY)) {
            q->pages = kzalloc(q->capacity / PAGE_SIZE * sizeof(void *));
            fail |= !q->pages;
        }
        object_init(&e->object, &channel_ops);
        list_init(&e->route_link);
        list_init(&e->routed);
        list_init(&e->carrying);
        list_init(&e->holder_link);
        e->channel = c;
        e->in = q;
        e->out = &c->queues[!i];
        atomic_init(&e->status, flags & CHANNEL_ONE_WAY ? one_way[i] : FILE_READ_WRITE);
        ends[i] = &e->object;
    }
    if (!fail) return 0;
    object_put(ends[0]);
    object_put(ends[1]);
    return -ENOMEM;
}

void channel_charge(struct object *o, struct quota *quota) {
    struct channel *c = channel_end_of(o)->channel;
    spin_lock(&c->lock);
    if (!c->quota && quota) {
        int64_t pages = 0;
        for (unsigned i = 0; i < 2; i++) {
            const struct queue *q = &c->queues[i];
            pages += (q->message_count + MESSAGES_PER_PAGE - 1) / MESSAGES_PER_PAGE;
            for (size_t p = 0; q->pages && p < q->capacity / PAGE_SIZE; p++) pages += q->pages[p] != nullptr;
        }
        quota_release(quota, -pages); /* over the limit, too: they are there */
        c->quota = quota;
    }
    spin_unlock(&c->lock);
}

/* --- control ------------------------------------------------------------------------------------ */

/*
 * Puts the pages of the ring in order into one of another size; what is in it must fit.  The first
 * page moves to the start; if the data ends before its beginning in that page, the end gets its own.
 */
static int ring_resize(struct channel *c, struct queue *q, uint32_t capacity) {
    size_t count = capacity / PAGE_SIZE, kept = 0;
    void **pages = kzalloc(count * sizeof(void *)), *extra = page_alloc(), **old = nullptr;
    spin_lock(&c->lock);
    size_t old_count = q->capacity / PAGE_SIZE, start = q->read_at % PAGE_SIZE;
    bool split = start + q->used > q->capacity, fits = start + q->used <= capacity;
    if (pages && extra && fits && (!split || quota_charge(c->quota, 1))) {
        old = q->pages;
        for (; kept < min(count, old_count); kept++) {
            void **from = &old[(q->read_at / PAGE_SIZE + kept) % old_count];
            pages[kept] = *from;
            *from = nullptr;
        }
        if (split) {
            memcpy(extra, pages[0], start + q->used - q->capacity);
            pages[old_count] = extra;
            extra = nullptr;
        }
        q->pages = pages;
        q->capacity = capacity;
        q->read_at = (uint32_t)start;
        q->write_at = ring_advance(q, q->read_at, q->used);
        queue_wake(q);
    }
    spin_unlock(&c->lock);
    if (extra) frame_put(frame_of(virt_to_phys(extra)));
    if (!old) kfree(pages);
    pages_free(c, old, old_count);
    return old ? 0 : fits ? -ENOMEM : -EBUSY;
}

static long set_capacity(struct channel_end *e, size_t wanted) {
    struct channel *c = e->channel;
    uint32_t capacity = capacity_round(wanted);
    if (wanted > CAPACITY_MAX) return -EPERM; /* as F_SETPIPE_SZ beyond the system's limit */
    for (unsigned i = 0; i < 2; i++) {
        int error = c->queues[i].pages ? ring_resize(c, &c->queues[i], capacity) : 0;
        if (error) return error;
        if (!c->queues[i].pages) /* one way: both ends tell the same */
            __atomic_store_n(&c->queues[i].capacity, capacity, __ATOMIC_RELAXED);
    }
    notify_both(c);
    return capacity;
}

static void set_error(struct channel_end *peer, int error) {
    struct channel *c = peer->channel;
    spin_lock(&c->lock);
    peer->error = error;
    queue_wake_all(peer->in);
    queue_wake_all(peer->out);
    spin_unlock(&c->lock);
    object_notify(&peer->object, EVENT_ERROR | EVENT_IN | EVENT_OUT);
}

static long hold(struct channel_end *peer, uint64_t how) {
    struct channel *c = peer->channel;
    if (how > UINT32_MAX || !end_is(peer, CHANNEL_SOCKET)) return -EINVAL;
    spin_lock(&c->lock);
    atomic_store(&peer->hold, (uint32_t)how);
    queue_wake_all(peer->in);
    queue_wake_all(peer->out);
    spin_unlock(&c->lock);
    notify_both(c);
    return 0;
}

long channel_control(struct object *o, uint32_t op, uint64_t argument) {
    struct channel_end *e = channel_end_of(o);
    struct queue *q = e->in;
    bool halves;
    if (end_is(e, CHANNEL_PRIORITY) && (op == CHANNEL_SHUTDOWN || op == CHANNEL_SET_CAPACITY))
        return -EINVAL; /* it is everybody's */
    switch (op) {
    case CHANNEL_SHUTDOWN:
        if (argument > 7 || !(argument & 3)) return -EINVAL;
        halves = end_is(e, CHANNEL_HALVES) && !(argument & 4);
        end_shutdown(e, !(argument & 1) ? 0 : halves ? QUEUE_ENDED : QUEUE_OVER, argument & 2 ? QUEUE_OVER : 0);
        return 0;
    case CHANNEL_SET_ERROR:
        if (argument >= ERESTART) return -EINVAL;
        set_error(end_peer(e), (int)argument);
        return 0;
    case CHANNEL_SET_CAPACITY: return set_capacity(e, argument);
    case CHANNEL_READABLE:
        spin_lock(&e->channel->lock);
        const struct message *m = e->channel->flags & CHANNEL_MESSAGES ? message_first(q) : nullptr;
        long size = m ? m->size : q->used;
        spin_unlock(&e->channel->lock);
        return size;
    case CHANNEL_WRITABLE: return queue_room(e->out);
    case CHANNEL_SET_STAMPED: q->stamped = argument; return 0;
    case CHANNEL_HOLD: return hold(end_peer(e), argument);
    default: return socket_control(e, op, argument);
    }
}
