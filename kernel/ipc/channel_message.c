// SPDX-License-Identifier: MIT
/*
 * Messages: data, an optional address, who sent it, and handles.  In a channel of bytes, data sent
 * along with handles goes into the ring and the rest, an attachment, is kept at its position in the
 * stream: receiving stops before the next one.
 *
 * Handles in flight are real handles (object.h), so their objects stay open.  Channel ends among
 * them can hold each other up in circles that nobody can reach.  Each such handle has a flight
 * record; from these channel_collect_cycles marks what can still be received and purges the rest:
 *
 *   an end is a root if some handle to it is neither in flight nor held by a file that is nowhere else;
 *   what is queued towards a reachable end is reachable.
 *
 * An end whose handles are all in flight can gain others only by being received, which takes
 * flight_lock; so what is found unreachable under that lock stays so.
 */
#include "channel_impl.h"
#include <kernel/file.h>
#include <kernel/lib.h>
#include <kernel/process.h>

#define NESTING_MAX 4
#define USER_FLIGHTS_MAX 1024 /* handles in flight per user */
#define USERS 64 /* users are told apart by a hash: a rare collision shares the allowance */
#define MESSAGE_COST_MIN 64
#define INLINE_MAX 2048

struct flight { /* a channel end, or a file around one, in a message */
    struct list link;
    struct object *object;
    struct channel_end *target, *holder; /* the end carried; the end it is on its way to */
};
struct message {
    struct list link;
    uint32_t size, handle_count, flight_count, address_length, pid;
    uint32_t user; /* index of flight_users */
    uint64_t credentials;
    uint64_t position; /* byte mode: of the byte it came with */
    _Atomic uint32_t refs; /* the queue, and who peeks */
    char *data;
    struct carried *handles;
    struct flight *flights;
    char address[CHANNEL_ADDRESS_MAX];
    char inline_data[];
};

static struct spinlock flight_lock = SPINLOCK_INIT(RANK_WATCH);
static struct list flights GUARDED_BY(flight_lock) = {&flights, &flights};
static _Atomic uint32_t flight_users[USERS]; /* handles in flight */

enum mark { MARK_NONE, MARK_WHITE, MARK_REACHED, MARK_GARBAGE };

/* --- making and freeing ------------------------------------------------------------------------- */

void message_free(struct message *m) {
    if (atomic_fetch_sub(&m->refs, 1) != 1) return;
    for (uint32_t i = 0; i < m->handle_count; i++)
        if (m->handles[i].object) object_handle_put(m->handles[i].object);
    if (m->data != m->inline_data) kfree(m->data);
    kfree(m->handles);
    kfree(m->flights);
    kfree(m);
}

static struct channel_end *carried_end(struct object *o) {
    if (o->ops == &file_ops && object_as(file, o)->plane == PLANE_CHANNEL) o = object_as(file, o)->channel;
    return o->ops == &channel_ops ? channel_end_of(o) : nullptr;
}

static struct message *message_alloc(size_t size, uint32_t handle_count) {
    bool apart = size > INLINE_MAX;
    struct message *m = kzalloc(sizeof(*m) + (apart ? 0 : size));
    if (!m) return nullptr;
    atomic_init(&m->refs, 1);
    m->size = (uint32_t)size;
    m->data = apart ? kmalloc(size) : m->inline_data;
    if (handle_count) {
        m->handles = kzalloc(handle_count * sizeof(*m->handles));
        m->flights = kzalloc(handle_count * sizeof(*m->flights));
    }
    if (!m->data || (handle_count && (!m->handles || !m->flights))) {
        message_free(m);
        return nullptr;
    }
    return m;
}

/* Notes which handles carry channel ends; no deeper than NESTING_MAX. */
static int message_take_handles(struct message *m, struct channel_end *e, const struct carried *handles,
                                uint32_t count) {
    uint32_t nesting = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct channel_end *target = carried_end(handles[i].object);
        if (!target) continue;
        nesting = max(nesting, target->channel->nesting + 1);
        m->flights[m->flight_count++] =
            (struct flight){.object = handles[i].object, .target = target, .holder = end_peer(e)};
    }
    m->user = process_current()->cred->c.uid % USERS;
    if (nesting > NESTING_MAX) return -ETOOMANYREFS;
    if (atomic_fetch_add(&flight_users[m->user], count) + count > USER_FLIGHTS_MAX) {
        atomic_fetch_sub(&flight_users[m->user], count);
        channel_collect_cycles(); /* the next try may find room */
        return -ETOOMANYREFS;
    }
    e->channel->nesting = max(e->channel->nesting, nesting);
    memcpy(m->handles, handles, count * sizeof(*handles));
    m->handle_count = count;
    return 0;
}

/* The handles come back to the sender, who frees them: the message wasn't sent. */
static void message_untake(struct message *m) {
    atomic_fetch_sub(&flight_users[m->user], m->handle_count);
    m->handle_count = m->flight_count = 0;
}

static void flights_begin(struct queue *q, struct message *m) {
    if (likely(!m->flight_count)) return;
    spin_lock(&flight_lock);
    for (uint32_t i = 0; i < m->flight_count; i++) {
        atomic_fetch_add(&m->flights[i].object->in_flight, 1);
        list_push_back(&flights, &m->flights[i].link);
    }
    spin_unlock(&flight_lock);
    q->flights += m->flight_count;
}

/* The message was taken off its queue, with the channel's lock held. */
static void flights_end(struct channel *c, struct queue *q, struct message *m) {
    if (m->handle_count) atomic_fetch_sub(&flight_users[m->user], m->handle_count);
    if (likely(!m->flight_count)) return;
    spin_lock(&flight_lock);
    for (uint32_t i = 0; i < m->flight_count; i++) {
        atomic_fetch_sub(&m->flights[i].object->in_flight, 1);
        list_remove(&m->flights[i].link);
    }
    spin_unlock(&flight_lock);
    q->flights -= m->flight_count;
    if (!c->queues[0].flights && !c->queues[1].flights) c->nesting = 0;
}

/* --- queues ------------------------------------------------------------------------------------- */

static uint32_t message_cost(const struct message *m) { return max(m->size, (uint32_t)MESSAGE_COST_MIN); }

static struct message *message_first(const struct queue *q) {
    return list_empty(&q->messages) ? nullptr : list_entry(q->messages.next, struct message, link);
}

size_t message_first_size(const struct queue *q) {
    struct message *m = message_first(q);
    return m ? m->size : 0;
}

size_t message_distance(const struct queue *q) {
    list_for_each (l, &q->messages) {
        struct message *m = list_entry(l, struct message, link);
        if (m->position > q->position) return m->position - q->position;
    }
    return SIZE_MAX;
}

struct message *message_take_attached(struct channel *c, struct queue *q) {
    struct message *m = message_first(q);
    if (!m || m->position >= q->position) return nullptr;
    list_remove(&m->link);
    flights_end(c, q, m);
    return m;
}

bool message_at_reader(const struct queue *q) {
    struct message *m = message_first(q);
    return m && m->position <= q->position;
}

void message_attach(struct channel_end *e, struct message *m, size_t bytes) {
    struct queue *q = queue_out(e);
    m->position = q->position + q->used - bytes;
    list_push_back(&q->messages, &m->link);
    flights_begin(q, m);
}

void queue_purge(struct channel *c, struct queue *q) {
    for (;;) {
        spin_lock(&c->lock);
        struct message *m = message_first(q);
        if (m) {
            list_remove(&m->link);
            if (c->flags & CHANNEL_MESSAGES) q->used -= message_cost(m);
            flights_end(c, q, m);
        }
        spin_unlock(&c->lock);
        if (!m) return;
        message_free(m);
    }
}

/* --- sending ------------------------------------------------------------------------------------ */

static int copy_in(struct message *m, const struct io_vector *v) {
    size_t done = 0;
    for (; done < m->size; v++) {
        int e = copy_from_user(m->data + done, (uaddr_t)v->base, v->length);
        if (e) return e;
        done += v->length;
    }
    return 0;
}

/* A message of `size` bytes from v, with address, sender and handles; not queued. err_ptr. */
static struct message *message_make(struct channel_end *e, const struct channel_message *in, const struct io_vector *v,
                                    size_t size, const struct carried *handles) {
    struct message *m = message_alloc(size, in->handle_count);
    if (!m) return err_ptr(-ENOMEM);
    m->credentials = process_current()->cred->c.id;
    m->pid = process_current()->pid;
    m->address_length = min(in->address_length, (uint32_t)CHANNEL_ADDRESS_MAX);
    if (m->address_length) memcpy(m->address, in->address, m->address_length);
    int error = copy_in(m, v);
    if (!error && in->handle_count) error = message_take_handles(m, e, handles, in->handle_count);
    if (!error) return m;
    message_free(m);
    return err_ptr(error);
}

static long message_queue(struct channel_end *e, struct message *m, nsec_t deadline) UNCHECKED {
    struct channel *c = e->channel;
    struct queue *q = queue_out(e);
    uint32_t cost = message_cost(m), size = m->size;
    for (;;) {
        spin_lock(&c->lock);
        long error = write_error(e);
        if (error) {
            spin_unlock(&c->lock);
            return error;
        }
        if (q->used == 0 || queue_room(q) >= cost) break;
        error = queue_wait(c, q, min(cost, q->capacity), deadline);
        if (error) return error;
    }
    list_push_back(&q->messages, &m->link);
    q->used += cost;
    flights_begin(q, m);
    queue_wake(q);
    spin_unlock(&c->lock);
    object_notify(&end_peer(e)->object, EVENT_IN);
    return size;
}

long channel_send(struct object *o, const struct channel_message *in, const struct io_vector *v,
                  struct carried *handles, nsec_t deadline) {
    struct channel_end *e = channel_end_of(o);
    struct cursor from = cursor_make(v, in->vector_count);
    bool bytes = !(e->channel->flags & CHANNEL_MESSAGES);
    if (bytes && !in->handle_count) return bytes_write(e, &from, in->flags, deadline, nullptr);
    if (bytes && !from.left) return -EINVAL; /* nothing to attach the handles to */
    if (!bytes && from.left > min((size_t)CALL_DATA_MAX, (size_t)queue_out(e)->capacity)) return -EMSGSIZE;
    struct message *m = message_make(e, in, v, bytes ? 0 : from.left, handles);
    if (is_err(m)) return ptr_err(m);
    deadline = end_deadline(e, in->flags, deadline);
    long n = bytes ? bytes_write(e, &from, in->flags, deadline, m) : message_queue(e, m, deadline);
    if (n < 0) { /* not queued */
        message_untake(m);
        message_free(m);
    }
    return n;
}

/* --- receiving ---------------------------------------------------------------------------------- */

static long copy_out(const struct message *m, const struct io_vector *v, size_t count) {
    size_t done = 0;
    for (size_t i = 0; i < count && done < m->size; i++) {
        size_t n = min(v[i].length, m->size - done);
        int e = copy_to_user((uaddr_t)v[i].base, m->data + done, n);
        if (e) return e;
        done += n;
    }
    return (long)done;
}

/* What came along, for the receiver; handles are moved to it as far as it has room. */
static void describe(struct message *m, struct channel_message *out, struct carried *handles, bool peek) {
    uint32_t room = handles && !peek ? out->handle_count : 0;
    uint32_t n = min(room, m->handle_count);
    if (n < m->handle_count && !peek) out->flags |= MESSAGE_HANDLES_TRUNCATED;
    for (uint32_t i = 0; i < n; i++) {
        handles[i] = m->handles[i];
        m->handles[i].object = nullptr;
    }
    out->handle_count = n;
    out->credentials = m->credentials;
    out->pid = m->pid;
    if (out->address) memcpy(out->address, m->address, m->address_length);
    out->address_length = m->address_length;
}

/* The next message, off the queue, or with a reference to peek at; null at the end of data. err_ptr. */
static struct message *message_next(struct channel_end *e, bool peek, nsec_t deadline) UNCHECKED {
    struct channel *c = e->channel;
    struct queue *q = queue_in(e);
    for (;;) {
        spin_lock(&c->lock);
        long error = read_error(e);
        struct message *m = error ? nullptr : message_first(q);
        if (error || m || q->write_closed || q->read_closed) {
            if (m && peek) {
                atomic_fetch_add(&m->refs, 1);
            } else if (m) {
                list_remove(&m->link);
                q->used -= message_cost(m);
                flights_end(c, q, m);
                queue_wake(q);
            }
            spin_unlock(&c->lock);
            return error ? err_ptr(error) : m;
        }
        error = queue_wait(c, q, 0, deadline);
        if (error) return err_ptr(error);
    }
}

static long message_receive(struct channel_end *e, struct channel_message *out, const struct io_vector *v,
                            struct carried *handles, bool peek, nsec_t deadline) {
    struct message *m = message_next(e, peek, deadline);
    if (is_err(m)) return ptr_err(m);
    if (!m) {
        out->handle_count = out->address_length = 0;
        return 0;
    }
    if (!peek) object_notify(&end_peer(e)->object, EVENT_OUT);
    long n = copy_out(m, v, out->vector_count);
    if (n >= 0) {
        if ((size_t)n < m->size) out->flags |= MESSAGE_TRUNCATED;
        describe(m, out, handles, peek);
    }
    message_free(m);
    return n;
}

long channel_receive(struct object *o, struct channel_message *out, const struct io_vector *v, struct carried *handles,
                     nsec_t deadline) {
    struct channel_end *e = channel_end_of(o);
    uint32_t io_flags = out->flags;
    bool peek = io_flags & IO_PEEK;
    out->flags = 0;
    deadline = end_deadline(e, io_flags, deadline);
    if (e->channel->flags & CHANNEL_MESSAGES) return message_receive(e, out, v, handles, peek, deadline);
    struct cursor to = cursor_make(v, out->vector_count);
    struct message *m = nullptr;
    long n = bytes_read(e, &to, io_flags, deadline, &m);
    if (m) {
        describe(m, out, handles, false);
        message_free(m);
    } else {
        out->handle_count = out->address_length = out->pid = 0;
        out->credentials = 0;
    }
    return n;
}

/* --- cycles ------------------------------------------------------------------------------------- */

bool channel_flights_pending(void) UNCHECKED { return flights.next != &flights; }

/* Counts the handles to carried ends that only flights keep: a file holds one, however often it is carried itself. */
static void count_inside(void) REQUIRES(flight_lock) {
    list_for_each (l, &flights) {
        struct flight *f = list_entry(l, struct flight, link);
        f->target->inside = 0;
        if (f->object != &f->target->object) object_as(file, f->object)->counted = false;
    }
    list_for_each (l, &flights) {
        struct flight *f = list_entry(l, struct flight, link);
        struct file *file = f->object == &f->target->object ? nullptr : object_as(file, f->object);
        if (file && (file->counted || f->object->handles > f->object->in_flight)) continue;
        if (file) file->counted = true;
        f->target->inside++;
    }
}

/* Marks what can be received. True if something is left over. */
static bool mark_reachable(void) REQUIRES(flight_lock) {
    list_for_each (l, &flights)
        list_entry(l, struct flight, link)->holder->mark = MARK_REACHED; /* unless carried itself */
    count_inside();
    list_for_each (l, &flights) {
        struct channel_end *target = list_entry(l, struct flight, link)->target;
        target->mark = target->object.handles > target->inside ? MARK_REACHED : MARK_WHITE;
    }
    bool left = true;
    for (bool changed = true; changed;) {
        changed = left = false;
        list_for_each (l, &flights) {
            struct flight *f = list_entry(l, struct flight, link);
            if (f->target->mark == MARK_REACHED) continue;
            if (f->holder->mark == MARK_REACHED) {
                f->target->mark = MARK_REACHED;
                changed = true;
            } else {
                left = true;
            }
        }
    }
    return left;
}

void channel_collect_cycles(void) {
    struct channel_end *garbage = nullptr;
    spin_lock(&flight_lock);
    if (!list_empty(&flights) && mark_reachable()) {
        list_for_each (l, &flights) {
            struct channel_end *e = list_entry(l, struct flight, link)->holder;
            if (e->mark != MARK_WHITE) continue;
            e->mark = MARK_GARBAGE;
            e->garbage_next = garbage;
            object_get(&e->object);
            garbage = e;
        }
    }
    spin_unlock(&flight_lock);
    while (garbage) {
        struct channel_end *e = garbage;
        garbage = e->garbage_next;
        queue_purge(e->channel, queue_in(e));
        object_put(&e->object);
    }
}
