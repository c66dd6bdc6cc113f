// SPDX-License-Identifier: MIT
/*
 * Event objects: a counter (eventfd), and a set of interests in other objects (epoll).
 *
 * An interest hangs on its source's list of watches and in its event's tree.  It is on the event's
 * `ready` list when its source may be ready: event_wait takes it off, asks the source again with no
 * lock held, reports, and puts it back if it is level-triggered.  So a stale entry costs a look and
 * nothing is lost: whatever makes a source ready after the look notifies.
 *
 * Locks: the source's watch_lock, then the event's lock.  An interest is unlinked by whoever clears
 * `linked` under watch_lock, and freed with its last reference; it holds one on source and event.
 * When a source makes an event ready that is itself watched, that is passed on after watch_lock was
 * released (object_notify_slow).  Events don't contain each other in circles (ELOOP).
 */
#include "event_impl.h"
#include <kernel/mm.h>

#define NESTING_MAX 5
#define COUNTER_MAX (UINT64_MAX - 1) /* as eventfd(2) */

static struct event_object *event_of(struct object *o) { return object_as(event_object, o); }

/* --- making ready ------------------------------------------------------------------------------- */

static void wake_port(struct event_object *ev) REQUIRES(ev -> lock) {
    if (!ev->port_waiter) return;
    atomic_store(ev->port_hint, true);
    thread_wake(ev->port_waiter, 0);
}

static void wake_reader(struct event_object *ev) REQUIRES(ev -> lock) {
    waiter_wake_first(&ev->readers);
    wake_port(ev);
}

/* An interest's source may be ready. Chains events that are watched themselves to *onward. */
static void interest_ready(struct interest *i, struct event_object **onward) {
    struct event_object *ev = i->watch.event;
    spin_lock(&ev->lock);
    bool fresh = !i->disabled && !i->dead && list_empty(&i->ready_link);
    if (fresh) {
        list_push_back(&ev->ready, &i->ready_link);
        wake_reader(ev);
    }
    spin_unlock(&ev->lock);
    atomic_thread_fence(memory_order_seq_cst);
    if (unlikely(fresh && atomic_load(&ev->object.watch_count)) && !atomic_exchange(&ev->chained, true)) {
        object_get(&ev->object);
        ev->chain = *onward;
        *onward = ev;
    }
}

static void notify_onward(struct event_object *onward) {
    while (onward) {
        struct event_object *ev = onward;
        onward = ev->chain;
        atomic_store(&ev->chained, false); /* news from here on chains it again */
        object_notify(&ev->object, EVENT_IN);
        object_put(&ev->object);
    }
}

SLOW_PATH void object_notify_slow(struct object *o, uint32_t mask) {
    struct event_object *onward = nullptr;
    spin_lock(&o->watch_lock);
    list_for_each (l, &o->watches) {
        struct watch *w = list_entry(l, struct watch, link);
        if (!(mask & w->mask)) continue;
        if (w->event) {
            interest_ready(container_of(w, struct interest, watch), &onward);
        } else {
            atomic_store(&w->poll->fired, true);
            thread_wake(w->poll->thread, 0);
        }
    }
    spin_unlock(&o->watch_lock);
    notify_onward(onward);
}

/*
 * Adds to the counter, with the lock held, which is released.  A reader that waits takes the value
 * from the poster's hand: the counter stays 0, and it is nobody else's news.
 */
[[gnu::noinline]] static void counter_add(struct event_object *ev, uint64_t value) RELEASES(&ev->lock) {
    while (value && !ev->counter && !list_empty(&ev->readers)) {
        uint64_t part = ev->semaphore ? 1 : value;
        waiter_first(&ev->readers)->wait_value = part;
        waiter_wake_first(&ev->readers);
        value -= part;
    }
    ev->counter += min(value, COUNTER_MAX - ev->counter);
    if (value) wake_reader(ev);
    spin_unlock(&ev->lock);
    if (value) object_notify(&ev->object, EVENT_IN);
}

UNCHECKED void event_post(struct object *o, uint64_t value) {
    struct event_object *ev = event_of(o);
    spin_lock(&ev->lock);
    struct list *first = ev->readers.next;
    if (unlikely(first == &ev->readers || ev->counter || ev->semaphore || !value)) return counter_add(ev, value);
    struct thread *reader = list_entry(first, struct thread, wait_link);
    list_remove(first);
    reader->wait_value = value;
    thread_wake(reader, WOKEN);
    spin_unlock(&ev->lock);
}

/* --- watches ------------------------------------------------------------------------------------ */

void watch_link(struct watch *w) {
    spin_lock(&w->source->watch_lock);
    list_push_back(&w->source->watches, &w->link);
    w->linked = true;
    atomic_fetch_add(&w->source->watch_count, 1);
    spin_unlock(&w->source->watch_lock);
}

/* Takes w off its source's list, with watch_lock held: false if it was off already. */
static bool watch_take(struct watch *w) {
    if (!w->linked) return false;
    w->linked = false;
    list_remove(&w->link);
    atomic_fetch_sub(&w->source->watch_count, 1);
    return true;
}

bool watch_unlink(struct watch *w) {
    spin_lock(&w->source->watch_lock);
    bool mine = watch_take(w);
    spin_unlock(&w->source->watch_lock);
    return mine;
}

static void interest_put(struct interest *i) {
    if (atomic_fetch_sub(&i->refs, 1) != 1) return;
    object_put(i->watch.source);
    object_put(&i->watch.event->object);
    kfree(i);
}

/* The second half of removal, by whoever unlinked it. */
static void interest_remove(struct interest *i) {
    struct event_object *ev = i->watch.event;
    spin_lock(&ev->lock);
    tree_remove(&ev->interests, &i->node);
    list_remove(&i->ready_link);
    i->dead = true;
    spin_unlock(&ev->lock);
    interest_put(i);
}

void watch_remove_all(struct object *source) {
    for (;;) {
        spin_lock(&source->watch_lock);
        struct watch *w = list_empty(&source->watches) ? nullptr : list_entry(source->watches.next, struct watch, link);
        if (w) watch_take(w);
        bool interest = w && w->event; /* a poll call's watch is on its stack */
        spin_unlock(&source->watch_lock);
        if (!w) return;
        if (interest) interest_remove(container_of(w, struct interest, watch));
    }
}

/* --- the object --------------------------------------------------------------------------------- */

static struct interest *first_interest(struct event_object *ev, uint64_t from) {
    spin_lock(&ev->lock);
    struct tree_node *n = tree_find_ge(&ev->interests, from);
    struct interest *i = n ? container_of(n, struct interest, node) : nullptr;
    if (i) atomic_fetch_add(&i->refs, 1);
    spin_unlock(&ev->lock);
    return i;
}

static void event_last_handle(struct object *o) {
    struct event_object *ev = event_of(o);
    struct interest *i;
    while ((i = first_interest(ev, 0)) != nullptr) {
        if (watch_unlink(&i->watch)) interest_remove(i);
        interest_put(i);
        preempt_point();
    }
    event_set_port_waiter(o, nullptr, event_of(o)->port_hint);
}

static void event_destroy(struct object *o) { kfree(event_of(o)); }

/*
 * Takes the first entry of the ready list, with the lock held, which it releases and retakes: 1 if it
 * is reported, -EINTR from a server.  What stays ready goes to *again.  peek: only asks, and only
 * those that can tell without a call.
 */
static int take_entry(struct event_object *ev, struct list *again, bool peek, struct event *out) UNCHECKED {
    struct interest *i = list_entry(list_pop_front(&ev->ready), struct interest, ready_link);
    bool by_call = i->watch.source->ops->arm;
    if (peek && by_call) {
        list_push_back(again, &i->ready_link);
        return 1;
    }
    atomic_fetch_add(&i->refs, 1);
    spin_unlock(&ev->lock);
    int ready = source_ready(i->watch.source, i->watch.mask | (i->flags & EVENT_EDGE));
    spin_lock(&ev->lock);
    bool off = i->dead || i->disabled;
    uint32_t mask = ready < 0 || off ? 0 : (uint32_t)ready & i->watch.mask;
    bool stays = ready < 0 || (mask && (peek || !(i->flags & (EVENT_ONESHOT | EVENT_EDGE))));
    if (mask) {
        *out = (struct event){.mask = mask, .key = i->key};
        i->disabled = !peek && i->flags & EVENT_ONESHOT;
    }
    if (stays && !i->dead && list_empty(&i->ready_link)) list_push_back(again, &i->ready_link);
    spin_unlock(&ev->lock);
    interest_put(i);
    spin_lock(&ev->lock);
    return ready == -EINTR ? -EINTR : mask != 0;
}

/* Ready for sure? Drops stale entries on the way. */
static bool event_verify(struct event_object *ev) {
    struct event event;
    struct list again;
    int found = 0;
    list_init(&again);
    spin_lock(&ev->lock);
    while (!found && !list_empty(&ev->ready)) found = take_entry(ev, &again, true, &event);
    for (struct list *l; (l = list_pop_front(&again));) list_push_front(&ev->ready, l);
    if (!list_empty(&ev->ready)) wake_port(ev); /* it may have found the list empty meanwhile */
    spin_unlock(&ev->lock);
    return found;
}

static_assert(offsetof(struct event_object, counter) == offsetof(struct event_head, counter));
static_assert(offsetof(struct event_object, ready) == offsetof(struct event_head, ready));

bool event_ready(struct object *o) {
    struct event_object *ev = event_of(o);
    if (__atomic_load_n(&ev->counter, __ATOMIC_RELAXED)) return true;
    return __atomic_load_n(&ev->ready.next, __ATOMIC_RELAXED) != &ev->ready && event_verify(ev);
}

size_t event_count(struct object *o, size_t limit) {
    struct event_object *ev = event_of(o);
    spin_lock(&ev->lock);
    size_t n = ev->counter != 0;
    for (const struct list *l = ev->ready.next; l != &ev->ready && n < limit; l = l->next) n++;
    spin_unlock(&ev->lock);
    return n;
}

static uint32_t event_poll_ready(struct object *o) {
    struct event_object *ev = event_of(o);
    bool room = __atomic_load_n(&ev->counter, __ATOMIC_RELAXED) < COUNTER_MAX;
    return (event_ready(o) ? EVENT_IN : 0) | (room ? EVENT_OUT : 0);
}

const struct object_ops event_ops = {
    .type = OBJECT_EVENT,
    .name = "event",
    .status_at = offsetof(struct event_object, status),
    .on_last_handle = event_last_handle,
    .destroy = event_destroy,
    .poll = event_poll_ready,
};

struct object *event_create(uint64_t initial, bool semaphore) {
    struct event_object *ev = kzalloc(sizeof(*ev));
    if (!ev) return nullptr;
    object_init(&ev->object, &event_ops);
    spin_init(&ev->lock, RANK_EVENT);
    list_init(&ev->ready);
    list_init(&ev->readers);
    list_init(&ev->writers);
    ev->counter = min(initial, COUNTER_MAX);
    ev->semaphore = semaphore;
    return &ev->object;
}

void event_set_port_waiter(struct object *o, struct thread *t, _Atomic bool *hint) {
    struct event_object *ev = event_of(o);
    if (t) {
        thread_get(t);
        atomic_store(hint, true);
    }
    spin_lock(&ev->lock);
    struct thread *old = t;
    if (t || ev->port_hint == hint) {
        old = ev->port_waiter;
        ev->port_waiter = t;
        ev->port_hint = hint;
    }
    spin_unlock(&ev->lock);
    if (old) thread_put(old);
}

/* --- interests ---------------------------------------------------------------------------------- */

/* Whether `inner` contains `ev`, or would nest too deeply. */
static bool contains(struct event_object *inner, struct event_object *ev, unsigned depth) {
    if (inner == ev || depth == NESTING_MAX) return true;
    bool found = false;
    uint64_t from = 0;
    struct interest *i;
    while (!found && (i = first_interest(inner, from)) != nullptr) {
        from = i->node.key + 1;
        struct object *source = i->watch.source;
        if (source->ops == &event_ops) found = contains(event_of(source), ev, depth + 1);
        interest_put(i);
    }
    return found;
}

/* The interest of ev in source under this handle number, referenced, or null. */
static struct interest *interest_find(struct event_object *ev, handle_t h, struct object *source) {
    uint64_t from = (uint64_t)(uint32_t)h << 32;
    struct interest *i;
    while ((i = first_interest(ev, from)) && i->node.key >> 32 == (uint32_t)h) {
        if (i->watch.source == source) return i;
        from = i->node.key + 1;
        interest_put(i);
    }
    if (i) interest_put(i);
    return nullptr;
}

static void interest_set(struct interest *i, const struct event *e) {
    spin_lock(&i->watch.source->watch_lock);
    spin_lock(&i->watch.event->lock);
    i->key = e->key;
    i->flags = e->mask & (EVENT_EDGE | EVENT_ONESHOT);
    i->watch.mask = (e->mask & ~(EVENT_EDGE | EVENT_ONESHOT)) | EVENT_ERROR | EVENT_HANGUP;
    i->disabled = false;
    spin_unlock(&i->watch.event->lock);
    spin_unlock(&i->watch.source->watch_lock);
}

/* Looks at the source now; one that can't tell yet is looked at by the next wait. */
static void interest_look(struct interest *i) {
    struct event_object *onward = nullptr;
    int ready = source_ready(i->watch.source, i->watch.mask);
    if (ready < 0 || (uint32_t)ready & i->watch.mask) interest_ready(i, &onward);
    notify_onward(onward);
}

static int interest_add(struct event_object *ev, struct object *source, handle_t h, const struct event *e) {
    struct interest *i = kzalloc(sizeof(*i));
    if (!i) return -ENOMEM;
    object_get(source);
    object_get(&ev->object);
    atomic_init(&i->refs, 2); /* being linked, and ours */
    list_init(&i->ready_link);
    i->watch.source = source;
    i->watch.event = ev;
    interest_set(i, e);
    spin_lock(&ev->lock);
    i->node.key = (uint64_t)(uint32_t)h << 32 | ev->serial++;
    tree_insert(&ev->interests, &i->node);
    spin_unlock(&ev->lock);
    watch_link(&i->watch);
    interest_look(i);
    interest_put(i);
    return 0;
}

static struct mutex add_lock = MUTEX_INIT(add_lock, RANK_FILE); /* two at once could close a circle */

UNCHECKED int event_control(struct object *o, uint32_t op, struct object *object, handle_t h, const struct event *e) {
    struct event_object *ev = event_of(o);
    struct object *source = watch_target(object);
    if (op < EVENT_ADD || op > EVENT_MODIFY || source == o) return -EINVAL;
    if (op == EVENT_ADD) {
        mutex_lock(&add_lock);
        struct interest *old = interest_find(ev, h, source);
        bool circle = source->ops == &event_ops && contains(event_of(source), ev, 1);
        int error = old ? -EEXIST : circle ? -ELOOP : interest_add(ev, source, h, e);
        if (old) interest_put(old);
        mutex_unlock(&add_lock);
        return error;
    }
    struct interest *i = interest_find(ev, h, source);
    if (!i) return -ENOENT;
    if (op == EVENT_MODIFY) {
        interest_set(i, e);
        interest_look(i);
    } else if (watch_unlink(&i->watch)) {
        interest_remove(i);
    }
    interest_put(i);
    return 0;
}

/* --- waiting ------------------------------------------------------------------------------------ */

static struct event counter_entry(uint64_t value) {
    return (struct event){.mask = EVENT_IN, .reserved = 1, .key = value};
}

/* Takes the counter, with the lock held. */
static uint64_t counter_take(struct event_object *ev) REQUIRES(ev -> lock) {
    uint64_t value = unlikely(ev->semaphore) ? min(ev->counter, 1UL) : ev->counter;
    ev->counter -= value;
    while (unlikely(value && !list_empty(&ev->writers))) waiter_wake_first(&ev->writers);
    return value;
}

/* Reports what is there, with the lock held. */
[[gnu::noinline]] static long collect(struct event_object *ev, struct event *out, size_t count) REQUIRES(ev -> lock) {
    struct list again;
    size_t n = 0;
    int e = 0;
    uint64_t value = counter_take(ev);
    if (value) out[n++] = counter_entry(value);
    if (list_empty(&ev->ready)) return (long)n;
    list_init(&again);
    while (n < count && e >= 0 && !list_empty(&ev->ready)) {
        e = take_entry(ev, &again, false, &out[n]);
        n += e > 0;
    }
    for (struct list *l; (l = list_pop_front(&again));) list_push_back(&ev->ready, l);
    if (!list_empty(&ev->ready)) wake_port(ev);
    if (n && !list_empty(&ev->ready)) waiter_wake_first(&ev->readers); /* there may be something for another one, too */
    return n ? (long)n : min(e, 0);
}

[[gnu::noinline]] UNCHECKED static long wait_slow(struct event_object *ev, struct event *out, size_t count,
                                                  nsec_t deadline) {
    for (;;) {
        spin_lock(&ev->lock);
        if (ev->counter || !list_empty(&ev->ready)) {
            long n = collect(ev, out, count);
            bool more = ev->counter || !list_empty(&ev->ready); /* since the look */
            if (n || more) spin_unlock(&ev->lock);
            if (n) return n;
            if (more) continue;
        }
        int e = waiter_sleep(&ev->readers, &ev->lock, 0, deadline);
        if (thread_current()->wait_value) {
            *out = counter_entry(thread_current()->wait_value);
            return 1;
        }
        if (e) return e;
    }
}

/* The short way: nothing is there yet, and a poster brings a value. */
UNCHECKED long event_wait(struct object *o, struct event *out, size_t count, nsec_t deadline) {
    struct event_object *ev = event_of(o);
    spin_lock(&ev->lock);
    if (unlikely(event_maybe_ready(o) || deadline != DEADLINE_NEVER)) {
        spin_unlock(&ev->lock);
        return wait_slow(ev, out, count, deadline);
    }
    int e = waiter_sleep(&ev->readers, &ev->lock, 0, DEADLINE_NEVER);
    uint64_t value = thread_current()->wait_value;
    if (unlikely(!value)) return e ? e : wait_slow(ev, out, count, deadline);
    *out = counter_entry(value);
    return 1;
}

UNCHECKED long event_read(struct object *o, uint64_t *value, bool nonblock, nsec_t deadline) {
    struct event_object *ev = event_of(o);
    if (nonblock || ev->status & FILE_NONBLOCK) deadline = 0;
    for (;;) {
        spin_lock(&ev->lock);
        bool full = ev->counter == COUNTER_MAX;
        *value = counter_take(ev);
        if (*value) {
            spin_unlock(&ev->lock);
            if (unlikely(full)) object_notify(o, EVENT_OUT);
            return sizeof(*value);
        }
        int e = waiter_sleep(&ev->readers, &ev->lock, 0, deadline);
        *value = thread_current()->wait_value;
        if (*value) return sizeof(*value);
        if (e) return e;
    }
}

UNCHECKED long event_write(struct object *o, uint64_t value, bool nonblock, nsec_t deadline) {
    struct event_object *ev = event_of(o);
    if (value > COUNTER_MAX) return -EINVAL;
    if (nonblock || ev->status & FILE_NONBLOCK) deadline = 0;
    for (;;) {
        spin_lock(&ev->lock);
        if (likely(value <= COUNTER_MAX - ev->counter)) {
            counter_add(ev, value);
            return sizeof(value);
        }
        int e = waiter_sleep(&ev->writers, &ev->lock, 0, deadline);
        if (e) return e;
    }
}
