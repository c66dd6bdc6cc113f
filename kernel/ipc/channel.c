// SPDX-License-Identifier: MIT
/*
 * Channels: pairs of ends with a queue in each direction.  Bytes live in a ring of pages and move
 * between it and user memory without a bounce, with the lock held and without taking faults; a page
 * that is missing, in the ring or in user memory, is provided without the lock, and all starts again.
 * The lock is let go every SEGMENT bytes.  Writes of up to CHANNEL_ATOMIC_MAX bytes are one piece.
 *
 * Waiting: readers and writers queue in order; whoever makes data or room wakes the first that can
 * go on, and each that goes on wakes the next.  A wake-up takes the waiter off its list under the
 * lock, so one that gave up at the same moment looks again and none is lost.
 */
#include "channel_impl.h"
#include <kernel/lib.h>
#include <kernel/process.h>

#define SEGMENT 16384u
#define WOKEN 1 /* result of thread_wake here: this waiter is off its list */

/* --- waiting ------------------------------------------------------------------------------------ */

static void wake_first(struct list *waiters) {
    struct list *l = list_pop_front(waiters);
    if (l) thread_wake(list_entry(l, struct channel_waiter, link)->thread, WOKEN);
}

void queue_wake(struct queue *q) {
    if (!list_empty(&q->readers) && (q->used >= q->low_water || q->write_closed || q->read_closed))
        wake_first(&q->readers);
    if (!list_empty(&q->writers)) {
        struct channel_waiter *w = list_entry(q->writers.next, struct channel_waiter, link);
        if (queue_room(q) >= w->need || q->read_closed || q->write_closed || !q->used) wake_first(&q->writers);
    }
}

static void queue_wake_all(struct queue *q) {
    while (!list_empty(&q->readers)) wake_first(&q->readers);
    while (!list_empty(&q->writers)) wake_first(&q->writers);
}

UNCHECKED int queue_wait(struct channel *c, struct queue *q, uint32_t need, nsec_t deadline) {
    struct channel_waiter w = {.thread = thread_current(), .need = need};
    if (deadline == 0) {
        spin_unlock(&c->lock);
        return -EAGAIN;
    }
    thread_block_prepare(q, true);
    list_push_back(need ? &q->writers : &q->readers, &w.link);
    spin_unlock(&c->lock);
    int woke = thread_block(deadline);
    if (likely(woke == WOKEN)) return 0;
    spin_lock(&c->lock);
    bool taken = list_empty(&w.link);
    list_remove(&w.link);
    spin_unlock(&c->lock);
    return taken ? 0 : woke;
}

nsec_t end_deadline(const struct channel_end *e, uint32_t io_flags, nsec_t deadline) {
    return io_flags & IO_NONBLOCK || e->status & FILE_NONBLOCK ? 0 : deadline;
}

static int take_error(struct channel_end *e) {
    int error = e->error;
    e->error = 0;
    return -error;
}

int read_error(struct channel_end *e) {
    if (unlikely((e->status & FILE_ACCESS_MASK) == FILE_WRITE_ONLY)) return -EBADF;
    return unlikely(e->error) ? take_error(e) : 0;
}

int write_error(struct channel_end *e) {
    const struct queue *q = queue_out(e);
    if (unlikely((e->status & FILE_ACCESS_MASK) == FILE_READ_ONLY)) return -EBADF;
    if (unlikely(e->error)) return take_error(e);
    return unlikely(q->read_closed || q->write_closed) ? -EPIPE : 0;
}

/* --- bytes -------------------------------------------------------------------------------------- */

struct cursor cursor_make(const struct io_vector *v, size_t count) {
    struct cursor c = {.v = v};
    for (size_t i = 0; i < count; i++) c.left += v[i].length;
    return c;
}

static size_t cursor_span(struct cursor *c) {
    while (unlikely(c->offset == c->v->length)) {
        c->v++;
        c->offset = 0;
    }
    return c->v->length - c->offset;
}

struct snag { /* why a copy stopped */
    void **page; /* ring page missing */
    uaddr_t address; /* user memory missing */
    size_t length;
};

/* Copies up to n bytes between the ring at `at` and the cursor, without faults. */
static size_t ring_copy(struct queue *q, struct cursor *c, uint32_t at, size_t n, bool out, struct snag *snag) {
    size_t done = 0;
    while (done < n) {
        uint32_t in_page = at % PAGE_SIZE;
        size_t span = min(cursor_span(c), min(n - done, PAGE_SIZE - in_page));
        uaddr_t user = (uaddr_t)c->v->base + c->offset;
        void **page = &q->pages[at / PAGE_SIZE];
        *snag = (struct snag){.page = *page ? nullptr : page, .address = user, .length = span};
        if (unlikely(!*page)) break;
        char *ring = (char *)*page + in_page;
        if (unlikely(out ? copy_to_user_nofault(user, ring, span) : copy_from_user_nofault(ring, user, span))) break;
        done += span;
        c->offset += span;
        c->left -= span;
        at += (uint32_t)span;
        if (at == q->capacity) at = 0;
    }
    return done;
}

/* Provides what a copy missed, without the lock. */
static int snag_resolve(struct channel *c, const struct snag *s, bool out) UNCHECKED {
    spin_unlock(&c->lock);
    int e = 0;
    struct frame *f = nullptr;
    if (s->page) {
        f = frame_alloc(FRAME_KERNEL);
        e = f ? 0 : -ENOMEM;
    } else {
        unsigned flags = FAULT_USER | (out ? FAULT_WRITE : 0);
        uaddr_t last = s->address + s->length - 1;
        e = last < s->address || last >= USER_END ? -EFAULT : space_fault(space_current(), s->address, flags);
        if (!e && (last ^ s->address) / PAGE_SIZE) e = space_fault(space_current(), last, flags);
        if (e && e != -EINTR && e != -ENOMEM) e = -EFAULT;
    }
    spin_lock(&c->lock);
    if (f && !*s->page) *s->page = frame_virt(f);
    else if (f) frame_put(f);
    return e;
}

/* Bytes put, 0 if there is no room, or an error. */
static long bytes_put(struct channel_end *e, struct cursor *from, bool atomic) UNCHECKED {
    struct queue *q = queue_out(e);
    for (;;) {
        struct cursor c = *from;
        struct snag snag;
        uint32_t room = queue_room(q);
        if (room == 0 || (atomic && room < c.left)) return 0;
        size_t want = min(c.left, min(room, SEGMENT));
        size_t n = ring_copy(q, &c, q->write_at, want, false, &snag);
        if (likely(n == want || (n && !atomic))) {
            q->write_at = (q->write_at + (uint32_t)n) % q->capacity;
            q->used += (uint32_t)n;
            *from = c;
            return (long)n;
        }
        int error = snag_resolve(e->channel, &snag, false);
        if (!error) error = write_error(e);
        if (error) return error;
    }
}

/* Bytes got, 0 if there are none, or an error. */
static long bytes_get(struct channel_end *e, struct cursor *to, bool peek) UNCHECKED {
    struct queue *q = queue_in(e);
    for (;;) {
        struct cursor c = *to;
        struct snag snag;
        size_t want = min(c.left, min(q->used, SEGMENT));
        if (unlikely(!list_empty(&q->messages))) want = min(want, message_distance(q));
        if (want == 0) return 0;
        size_t n = ring_copy(q, &c, q->read_at, want, true, &snag);
        if (likely(n)) {
            *to = c;
            if (unlikely(peek)) return (long)n;
            q->read_at = (q->read_at + (uint32_t)n) % q->capacity;
            q->position += n;
            q->used -= (uint32_t)n;
            if (q->used == 0) q->read_at = q->write_at = 0; /* keeps using the first, warm page */
            return (long)n;
        }
        int error = snag_resolve(e->channel, &snag, true);
        if (error) return error;
    }
}

UNCHECKED long bytes_read(struct channel_end *e, struct cursor *to, uint32_t io_flags, nsec_t deadline,
                          struct message **attached) {
    struct channel *c = e->channel;
    struct queue *q = queue_in(e);
    size_t total = to->left;
    bool peek = io_flags & IO_PEEK, more = total > 0;
    long error = 0;
    while (more && !error) {
        struct message *passed = nullptr;
        spin_lock(&c->lock);
        error = read_error(e);
        long n = error ? error : bytes_get(e, to, peek);
        if (n > 0 && !peek) {
            queue_wake(q);
            if (unlikely(!list_empty(&q->messages))) passed = message_take_attached(c, q);
        }
        bool some = to->left < total;
        if (n == 0 && !q->write_closed && !q->read_closed && (!some || io_flags & IO_WAIT_ALL)) {
            error = queue_wait(c, q, 0, end_deadline(e, io_flags, deadline));
            continue;
        }
        more = n > 0 && to->left && !peek && !(attached && (passed || message_at_reader(q)));
        error = min(n, 0);
        spin_unlock(&c->lock);
        if (n > 0 && !peek) object_notify(&end_peer(e)->object, EVENT_OUT);
        if (unlikely(passed)) {
            if (attached) *attached = passed;
            else message_free(passed); /* read(2) drops what came along */
        }
        if (more) preempt_point();
    }
    return to->left < total ? (long)(total - to->left) : error;
}

UNCHECKED long bytes_write(struct channel_end *e, struct cursor *from, uint32_t io_flags, nsec_t deadline,
                           struct message *attach) {
    struct channel *c = e->channel;
    struct queue *q = queue_out(e);
    size_t total = from->left;
    bool atomic = total <= CHANNEL_ATOMIC_MAX;
    long error = 0;
    while (from->left && !error) {
        spin_lock(&c->lock);
        error = write_error(e);
        long n = error ? error : bytes_put(e, from, atomic);
        if (n == 0) {
            /* A large write waits for half the ring: fewer switches. */
            size_t need = min(from->left, (size_t)(atomic ? CHANNEL_ATOMIC_MAX : q->capacity / 2));
            error = queue_wait(c, q, (uint32_t)need, end_deadline(e, io_flags, deadline));
            continue;
        }
        if (n > 0) {
            if (unlikely(attach != nullptr)) message_attach(e, attach, (size_t)n);
            attach = nullptr;
            queue_wake(q);
        }
        spin_unlock(&c->lock);
        error = min(n, 0);
        if (n > 0) object_notify(&end_peer(e)->object, EVENT_IN);
        if (n > 0 && from->left) preempt_point();
    }
    return from->left < total ? (long)(total - from->left) : error;
}

long channel_read(struct object *o, const struct io_vector *v, size_t count, uint32_t io_flags, nsec_t deadline) {
    struct channel_end *e = channel_end_of(o);
    if (unlikely(e->channel->flags & CHANNEL_MESSAGES)) {
        struct channel_message m = {.flags = io_flags, .vector_count = (uint32_t)count};
        return channel_receive(o, &m, v, nullptr, deadline);
    }
    struct cursor to = cursor_make(v, count);
    return bytes_read(e, &to, io_flags, deadline, nullptr);
}

long channel_write(struct object *o, const struct io_vector *v, size_t count, uint32_t io_flags, nsec_t deadline) {
    struct channel_end *e = channel_end_of(o);
    if (unlikely(e->channel->flags & CHANNEL_MESSAGES)) {
        struct channel_message m = {.flags = io_flags, .vector_count = (uint32_t)count};
        return channel_send(o, &m, v, nullptr, deadline);
    }
    struct cursor from = cursor_make(v, count);
    return bytes_write(e, &from, io_flags, deadline, nullptr);
}

/* --- the object --------------------------------------------------------------------------------- */

static void notify_both(struct channel *c) {
    for (unsigned i = 0; i < 2; i++)
        object_notify(&c->ends[i].object, EVENT_IN | EVENT_OUT | EVENT_HANGUP | EVENT_ERROR | EVENT_READ_HANGUP);
}

static void end_shutdown(struct channel_end *e, bool reading, bool writing) {
    struct channel *c = e->channel;
    spin_lock(&c->lock);
    if (reading) queue_in(e)->read_closed = true;
    if (writing) queue_out(e)->write_closed = true;
    queue_wake_all(&c->queues[0]);
    queue_wake_all(&c->queues[1]);
    spin_unlock(&c->lock);
    notify_both(c);
}

static void end_last_handle(struct object *o) {
    struct channel_end *e = channel_end_of(o);
    end_shutdown(e, true, true);
    queue_purge(e->channel, queue_in(e)); /* nobody will receive what is in it */
    if (channel_flights_pending()) channel_collect_cycles();
}

static void queue_free_pages(void **pages, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (pages[i]) frame_put(frame_of(virt_to_phys(pages[i])));
}

static void queue_fini(struct channel *c, struct queue *q) {
    queue_purge(c, q);
    if (!q->pages) return;
    queue_free_pages(q->pages, q->capacity / PAGE_SIZE);
    if (q->pages != q->inline_pages) kfree(q->pages);
}

static void end_destroy(struct object *o) {
    struct channel *c = channel_end_of(o)->channel;
    if (atomic_fetch_sub(&c->ends_left, 1) != 1) return;
    queue_fini(c, &c->queues[0]);
    queue_fini(c, &c->queues[1]);
    kfree(c);
}

static uint32_t end_poll(struct object *o) {
    struct channel_end *e = channel_end_of(o);
    const struct queue *in = queue_in(e), *out = queue_out(e);
    unsigned access = e->status & FILE_ACCESS_MASK;
    uint32_t mask = e->error ? EVENT_ERROR | EVENT_IN | EVENT_OUT : 0;
    if (access != FILE_WRITE_ONLY) {
        bool over = in->write_closed || in->read_closed;
        if (in->used >= in->low_water || (over && (in->used || access == FILE_READ_WRITE))) mask |= EVENT_IN;
        if (over) mask |= access == FILE_READ_ONLY ? EVENT_HANGUP : EVENT_READ_HANGUP;
    }
    if (access != FILE_READ_ONLY) {
        bool broken = out->read_closed || out->write_closed;
        if (broken || queue_room(out) >= min(out->capacity, CHANNEL_ATOMIC_MAX)) mask |= EVENT_OUT;
        if (broken && access == FILE_WRITE_ONLY) mask |= EVENT_ERROR;
        else if (broken && mask & EVENT_READ_HANGUP) mask |= EVENT_HANGUP;
    }
    return mask;
}

const struct object_ops channel_ops = {
    .type = OBJECT_CHANNEL,
    .name = "channel",
    .on_last_handle = end_last_handle,
    .destroy = end_destroy,
    .poll = end_poll,
};

_Atomic uint32_t *channel_status(struct object *o) { return &channel_end_of(o)->status; }

uint32_t channel_flags(struct object *o) { return channel_end_of(o)->channel->flags; }

static int pages_alloc(uint32_t capacity, void **inline_pages, void ***out) {
    size_t count = capacity / PAGE_SIZE;
    *out = count <= INLINE_PAGES && inline_pages ? inline_pages : kzalloc(count * sizeof(void *));
    return *out ? 0 : -ENOMEM;
}

static uint32_t capacity_round(size_t capacity) {
    return (uint32_t)align_up(max(min(capacity, (size_t)CAPACITY_MAX), (size_t)1), PAGE_SIZE);
}

int channel_create(uint32_t flags, size_t capacity, struct object *ends[2]) {
    if (flags & ~(uint32_t)(CHANNEL_MESSAGES | CHANNEL_ONE_WAY)) return -EINVAL;
    struct channel *c = kzalloc(sizeof(*c));
    if (!c) return -ENOMEM;
    spin_init(&c->lock, RANK_OBJECT);
    c->flags = flags;
    atomic_init(&c->ends_left, 2);
    for (unsigned i = 0; i < 2; i++) {
        struct queue *q = &c->queues[i];
        list_init(&q->messages);
        list_init(&q->readers);
        list_init(&q->writers);
        q->capacity = capacity ? capacity_round(capacity) : CHANNEL_CAPACITY_DEFAULT;
        q->low_water = 1;
        if (!(flags & CHANNEL_MESSAGES) && pages_alloc(q->capacity, q->inline_pages, &q->pages)) {
            if (c->queues[0].pages != c->queues[0].inline_pages) kfree(c->queues[0].pages);
            kfree(c);
            return -ENOMEM;
        }
    }
    static const uint32_t one_way[2] = {FILE_READ_ONLY, FILE_WRITE_ONLY};
    for (unsigned i = 0; i < 2; i++) {
        struct channel_end *e = &c->ends[i];
        object_init(&e->object, &channel_ops);
        e->channel = c;
        atomic_init(&e->status, flags & CHANNEL_ONE_WAY ? one_way[i] : FILE_READ_WRITE);
        ends[i] = &e->object;
    }
    return 0;
}

/* --- control ------------------------------------------------------------------------------------ */

/* Copies what is in the ring to the start of another one. */
static void ring_move(const struct queue *q, void **pages) {
    for (uint32_t at = 0, n; at < q->used; at += n) {
        uint32_t from = (q->read_at + at) % q->capacity;
        n = min(q->used - at, (uint32_t)PAGE_SIZE - max(at % (uint32_t)PAGE_SIZE, from % (uint32_t)PAGE_SIZE));
        memcpy((char *)pages[at / PAGE_SIZE] + at % PAGE_SIZE, (char *)q->pages[from / PAGE_SIZE] + from % PAGE_SIZE,
               n);
    }
}

/* Moves the ring of q to one of another size; what is in it must fit. */
static int ring_resize(struct channel *c, struct queue *q, uint32_t capacity) {
    void **pages, **old = nullptr;
    uint32_t filled = 0, old_capacity = 0;
    if (pages_alloc(capacity, nullptr, &pages)) return -ENOMEM;
    for (;;) { /* pages for what is in the ring now; it may have grown when we hold the lock */
        uint32_t need = (uint32_t)align_up(__atomic_load_n(&q->used, __ATOMIC_RELAXED), PAGE_SIZE);
        if (need > capacity) break;
        struct frame *f = nullptr;
        while (filled < need && (f = frame_alloc(FRAME_KERNEL))) {
            pages[filled / PAGE_SIZE] = frame_virt(f);
            filled += PAGE_SIZE;
        }
        if (filled < need) break;
        spin_lock(&c->lock);
        if (q->used <= filled) {
            ring_move(q, pages);
            old = q->pages;
            old_capacity = q->capacity;
            q->pages = pages;
            q->capacity = capacity;
            q->read_at = 0;
            q->write_at = q->used % capacity;
            queue_wake(q);
        }
        spin_unlock(&c->lock);
        if (old) break;
    }
    queue_free_pages(old ? old : pages, (old ? old_capacity : capacity) / PAGE_SIZE);
    if (!old || old != q->inline_pages) kfree(old ? old : pages);
    return old ? 0 : -EBUSY;
}

static long set_capacity(struct channel_end *e, size_t wanted) {
    struct channel *c = e->channel;
    uint32_t capacity = capacity_round(wanted);
    if (wanted > CAPACITY_MAX) return -EPERM; /* as F_SETPIPE_SZ beyond the system's limit */
    for (unsigned i = 0; i < 2; i++) {
        struct queue *q = &c->queues[i];
        if (q->capacity == capacity) continue;
        int error = q->pages ? ring_resize(c, q, capacity) : 0;
        if (error) return error;
        if (!q->pages) __atomic_store_n(&q->capacity, capacity, __ATOMIC_RELAXED);
    }
    notify_both(c);
    return capacity;
}

static void set_error(struct channel_end *peer, int error) {
    struct channel *c = peer->channel;
    spin_lock(&c->lock);
    peer->error = error;
    queue_wake_all(queue_in(peer));
    queue_wake_all(queue_out(peer));
    spin_unlock(&c->lock);
    object_notify(&peer->object, EVENT_ERROR | EVENT_IN | EVENT_OUT);
}

static long set_low_water(struct channel_end *e, uint64_t bytes) {
    struct queue *q = queue_in(e);
    spin_lock(&e->channel->lock);
    /* Writers wait for half the ring: a reader must not wait for more than that. */
    q->low_water = (uint32_t)max(min(bytes, (uint64_t)q->capacity / 2), 1UL);
    queue_wake(q);
    spin_unlock(&e->channel->lock);
    object_notify(&e->object, EVENT_IN);
    return 0;
}

long channel_control(struct object *o, uint32_t op, uint64_t argument) {
    struct channel_end *e = channel_end_of(o);
    bool messages = e->channel->flags & CHANNEL_MESSAGES;
    switch (op) {
    case CHANNEL_SHUTDOWN:
        if (argument < 1 || argument > 3) return -EINVAL;
        end_shutdown(e, argument & 1, argument & 2);
        return 0;
    case CHANNEL_SET_ERROR:
        if (argument >= ERESTART) return -EINVAL;
        set_error(end_peer(e), (int)argument);
        return 0;
    case CHANNEL_SET_CAPACITY: return set_capacity(e, argument);
    case CHANNEL_READABLE:
        if (!messages) return queue_in(e)->used;
        spin_lock(&e->channel->lock);
        long size = (long)message_first_size(queue_in(e));
        spin_unlock(&e->channel->lock);
        return size;
    case CHANNEL_WRITABLE: return queue_room(queue_out(e));
    case CHANNEL_SET_LOW_WATER: return set_low_water(e, argument);
    default: return -EINVAL;
    }
}
