// SPDX-License-Identifier: MIT
/*
 * Messages: who sent it, an optional address, and handles; the data is in the ring.
 *
 * Handles in flight are real handles (object.h), so their objects stay open.  Channel ends among
 * them can hold each other up in circles that nobody can reach.  An end knows the flights on their
 * way to it; from these channel_collect_cycles marks what can still be received and purges the rest:
 *
 *   an end is a root if some handle to it is neither in flight nor held by a file that is nowhere else;
 *   what is queued towards a reachable end is reachable.
 *
 * An end whose handles are all in flight can gain others only by being received or looked at, which takes
 * flight_lock; so what is found unreachable under that lock stays so.  Something becomes unreachable
 * when a handle to an end in flight is closed (object_handle_put): that is when to look.
 */
#include "channel_impl.h"
#include <kernel/file.h>
#include <kernel/lib.h>
#include <kernel/process.h>

#define USER_FLIGHTS_MAX 1024 /* handles in flight per user */

static struct spinlock flight_lock = SPINLOCK_INIT(RANK_WATCH);
static struct list holders GUARDED_BY(flight_lock) = {&holders, &holders}; /* struct channel_end */

/* --- messages ------------------------------------------------------------------------------------ */

struct message *message_create(uint32_t handle_count) {
    struct account *a = atomic_load(&process_current()->cred)->account; /* which stays for good */
    if (handle_count && atomic_fetch_add(&a->flights, handle_count) + handle_count > USER_FLIGHTS_MAX) {
        atomic_fetch_sub(&a->flights, handle_count);
        channel_collect_cycles(); /* the next try may find room */
        return err_ptr(-ETOOMANYREFS);
    }
    struct message *m = kzalloc(sizeof(*m) + handle_count * sizeof(m->handles[0]));
    if (!m) {
        if (handle_count) atomic_fetch_sub(&a->flights, handle_count);
        return err_ptr(-ENOMEM);
    }
    const struct cred *cred = process_current()->cred;
    atomic_init(&m->refs, 1);
    m->account = a;
    m->handle_count = handle_count;
    m->credentials = cred->c.id;
    m->pid = process_current()->pid;
    m->uid = cred->c.uid;
    m->gid = cred->c.gid;
    return m;
}

void message_put(struct message *m) {
    if (atomic_fetch_sub(&m->refs, 1) != 1) return;
    if (m->handle_count) atomic_fetch_sub(&m->account->flights, m->handle_count);
    for (uint32_t i = 0; i < m->handle_count; i++)
        if (m->handles[i].object) object_handle_put(m->handles[i].object);
    kfree(m->data);
    kfree(m);
}

static struct channel_end *carried_end(struct object *o) {
    if (o->ops == &file_ops && object_as(file, o)->plane == PLANE_CHANNEL) o = object_as(file, o)->channel;
    return o->ops == &channel_ops ? channel_end_of(o) : nullptr;
}

/* What f carries, if it leads to a channel end, is on its way to `holder`, or not any more. */
static void flight_set(struct channel_end *holder, struct flight *f, bool begin) REQUIRES(flight_lock) {
    if (begin) f->target = carried_end(f->object);
    if (!f->target) return;
    struct object *end = &f->target->object;
    if (begin) {
        atomic_fetch_add(&f->object->in_flight, 1);
        if (f->object != end) atomic_fetch_add(&end->in_flight, 1);
        if (list_empty(&holder->carrying)) list_push_back(&holders, &holder->holder_link);
        list_push_back(&holder->carrying, &f->link);
    } else {
        atomic_fetch_sub(&f->object->in_flight, 1);
        if (f->object != end) atomic_fetch_sub(&end->in_flight, 1);
        list_remove(&f->link);
        if (list_empty(&holder->carrying)) list_remove(&holder->holder_link);
    }
}

static void flights_set(struct channel_end *holder, struct message *m, bool begin) {
    spin_lock(&flight_lock);
    for (uint32_t i = 0; i < m->handle_count; i++) flight_set(holder, &m->handles[i], begin);
    spin_unlock(&flight_lock);
}

void channel_wait_for(struct object *o, struct object *peer) {
    struct channel_end *e = channel_end_of(o), *before;
    spin_lock(&flight_lock);
    if (!o->handles) peer = nullptr; /* closed meanwhile */
    before = e->waits_for;
    if (before) flight_set(before, &e->wait, false);
    e->waits_for = peer ? end_peer(channel_end_of(peer)) : nullptr;
    e->wait.object = o;
    if (peer) {
        object_get(peer); /* which keeps the channel: the end waited for may have been closed */
        flight_set(e->waits_for, &e->wait, true);
    }
    spin_unlock(&flight_lock);
    if (before) object_put(&end_peer(before)->object);
}

bool channel_share_flight(struct object *o, const struct flight *f) {
    spin_lock(&flight_lock);
    bool reachable = !channel_end_of(o)->garbage;
    if (reachable) object_handle_get(f->object);
    spin_unlock(&flight_lock);
    return reachable;
}

bool message_queue(struct channel_end *e, struct message *m) {
    struct queue *q = e->out;
    const struct message *last = q->message_count ? list_entry(q->messages.prev, struct message, link) : nullptr;
    bool bytes = !(e->channel->flags & CHANNEL_MESSAGES);
    if (bytes && !m->handle_count &&
        (!q->stamped || (last && last->credentials == m->credentials && last->pid == m->pid))) {
        message_put(m); /* nothing new about these bytes */
        return true;
    }
    if (q->message_count % MESSAGES_PER_PAGE == 0 && !quota_charge(e->channel->quota, 1)) return false;
    m->position = q->position + q->used;
    q->message_count++;
    list_push_back(&q->messages, &m->link);
    if (m->handle_count) flights_set(end_peer(e), m, true);
    return true;
}

void message_unqueue(struct channel_end *reader, struct message *m) {
    struct queue *q = reader->in;
    list_remove(&m->link);
    q->message_count--;
    if (unlikely(m->data != nullptr)) quota_release(reader->channel->quota, message_pages(m));
    else if (q->message_count % MESSAGES_PER_PAGE == 0) quota_release(reader->channel->quota, 1);
    if (m->handle_count) flights_set(reader, m, false);
}

void queue_purge(struct channel_end *e) {
    struct queue *q = e->in;
    struct message *m;
    do {
        spin_lock(&e->channel->lock);
        m = message_first(q);
        if (m) message_unqueue(e, m);
        else q->used = q->read_at = q->write_at = 0;
        spin_unlock(&e->channel->lock);
        if (m) message_put(m);
    } while (m);
}

/* --- cycles ------------------------------------------------------------------------------------- */

/* Calls visit for each flight there is. */
static void flights_visit(void (*visit)(struct flight *f)) REQUIRES(flight_lock) {
    list_for_each (h, &holders)
        list_for_each (l, &list_entry(h, struct channel_end, holder_link)->carrying)
            visit(list_entry(l, struct flight, link));
}

static struct file *carried_file(const struct flight *f) {
    return f->object == &f->target->object ? nullptr : object_as(file, f->object);
}

static void count_start(struct flight *f) {
    f->target->inside = 0;
    if (carried_file(f)) carried_file(f)->counted = false;
}
/* A file has one handle to its channel, however often it is carried itself. */
static void count_inside(struct flight *f) {
    struct file *file = carried_file(f);
    if (file && (file->counted || f->object->handles > f->object->in_flight)) return;
    if (file) file->counted = true;
    f->target->inside++;
}
static void mark_roots(struct flight *f) { f->target->reached = f->target->object.handles > f->target->inside; }

/* The ends whose queues nobody can reach, each with a reference. */
static struct channel_end *find_garbage(void) REQUIRES(flight_lock) {
    struct channel_end *todo = nullptr, *garbage = nullptr;
    list_for_each (h, &holders)
        list_entry(h, struct channel_end, holder_link)->reached = true; /* unless carried itself */
    flights_visit(count_start);
    flights_visit(count_inside);
    flights_visit(mark_roots);
    list_for_each (h, &holders) {
        struct channel_end *e = list_entry(h, struct channel_end, holder_link);
        if (!e->reached) continue;
        e->next = todo;
        todo = e;
    }
    while (todo) {
        struct channel_end *e = todo;
        todo = e->next;
        list_for_each (l, &e->carrying) {
            struct channel_end *target = list_entry(l, struct flight, link)->target;
            if (target->reached) continue;
            target->reached = true;
            target->next = todo;
            todo = target;
        }
    }
    list_for_each (h, &holders) {
        struct channel_end *e = list_entry(h, struct channel_end, holder_link);
        if (e->reached || e->garbage) continue; /* or somebody is at work on it */
        object_get(&e->object);
        e->garbage = true;
        e->next_garbage = garbage;
        garbage = e;
    }
    return garbage;
}

void channel_collect_cycles(void) {
    spin_lock(&flight_lock);
    struct channel_end *garbage = find_garbage();
    spin_unlock(&flight_lock);
    while (garbage) {
        struct channel_end *e = garbage;
        garbage = e->next_garbage;
        queue_purge(e);
        object_put(&e->object);
    }
}

void channel_stranded(struct object *o) {
    struct channel_end *e = carried_end(o);
    if (e && !list_empty(&e->carrying)) channel_collect_cycles();
}
