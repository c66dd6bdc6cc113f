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
#define WOKEN 1 /* result of thread_wake here: this waiter is off its list */

struct waiter {
    struct list link;
    struct thread *thread;
    uint64_t value; /* a counter handed over by event_post */
};

static struct event_object *event_of(struct object *o) { return object_as(event_object, o); }

/* --- making ready ------------------------------------------------------------------------------- */

/* Wakes the first of a list of waiters, with the event's lock held. */
static void wake_first(struct list *waiters) {
    struct list *l = list_pop_front(waiters);
    if (l) thread_wake(list_entry(l, struct waiter, link)->thread, WOKEN);
}

static void port_hint(struct event_object *ev) REQUIRES(ev -> lock) {
    if (ev->port_waiter) atomic_store(ev->port_hint, true);
}

static void wake_reader(struct event_object *ev) REQUIRES(ev -> lock) {
    wake_first(&ev->readers);
    port_hint(ev);
    if (ev->port_waiter) thread_wake(ev->port_waiter, 0);
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
 * Adds to the counter, with the lock held: true if watchers must hear.  A reader that waits takes the
 * value from the poster's hand: the counter stays 0, and it is nobody else's news.
 */
static inline bool counter_add(struct event_object *ev, uint64_t value) REQUIRES(ev -> lock) {
    struct list *first = ev->readers.next;
    if (likely(first != &ev->readers) && likely(!ev->counter) && likely(value)) {
        struct waiter *w = list_entry(first, struct waiter, link);
        list_remove(first);
        w->value = value;
        thread_wake(w->thread, WOKEN);
        return false;
    }
    ev->counter += min(value, COUNTER_MAX - ev->counter);
    wake_reader(ev);
    return true;
}

void event_post(struct object *o, uint64_t value) {
    struct event_object *ev = event_of(o);
    spin_lock(&ev->lock);
    bool news = counter_add(ev, value);
    spin_unlock(&ev->lock);
    if (news) object_notify(o, EVENT_IN);
}

/* --- watches ------------------------------------------------------------------------------------ */

struct object *watch_target(struct object *o) {
    if (o->ops != &file_ops) return o;
    struct file *f = object_as(file, o);
    return f->plane == PLANE_CHANNEL ? f->channel : o;
}

int source_ready(struct object *o, uint32_t mask) {
    if (unlikely(o->ops->arm != nullptr)) return o->ops->arm(o, mask);
    return o->ops->poll ? (int)o->ops->poll(o) : EVENT_IN | EVENT_OUT;
}

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

/* Ready for sure? Asks sources, but for those whose answer needs a call, and drops stale entries. */
static bool event_verify(struct event_object *ev) {
    bool ready = false;
    spin_lock(&ev->lock);
    while (!ready && !list_empty(&ev->ready)) {
        struct interest *i = list_entry(ev->ready.next, struct interest, ready_link);
        struct object *source = i->watch.source;
        if (source->ops->arm) {
            ready = true;
            break;
        }
        list_remove(&i->ready_link);
        atomic_fetch_add(&i->refs, 1);
        spin_unlock(&ev->lock);
        ready = (uint32_t)source_ready(source, i->watch.mask) & i->watch.mask;
        spin_lock(&ev->lock);
        if (ready && !i->dead && list_empty(&i->ready_link)) list_push_front(&ev->ready, &i->ready_link);
        port_hint(ev);
        spin_unlock(&ev->lock);
        interest_put(i);
        spin_lock(&ev->lock);
    }
    spin_unlock(&ev->lock);
    return ready;
}

static_assert(offsetof(struct event_object, counter) == offsetof(struct event_head, counter));
static_assert(offsetof(struct event_object, ready) == offsetof(struct event_head, ready));

bool event_ready(struct object *o) {
    struct event_object *ev = event_of(o);
    if (__atomic_load_n(&ev->counter, __ATOMIC_RELAXED)) return true;
    return __atomic_load_n(&ev->ready.next, __ATOMIC_RELAXED) != &ev->ready && event_verify(ev);
}

static uint32_t event_poll_ready(struct object *o) {
    struct event_object *ev = event_of(o);
    bool room = __atomic_load_n(&ev->counter, __ATOMIC_RELAXED) < COUNTER_MAX;
    return (event_ready(o) ? EVENT_IN : 0) | (room ? EVENT_OUT : 0);
}

const struct object_ops event_ops = {
    .type = OBJECT_EVENT,
    .name = "event",
    .on_last_handle = event_last_handle,
    .destroy = event_destroy,
    .poll = event_poll_ready,
};

struct object *event_create(uint64_t initial) {
    struct event_object *ev = kzalloc(sizeof(*ev));
    if (!ev) return nullptr;
    object_init(&ev->object, &event_ops);
    spin_init(&ev->lock, RANK_EVENT);
    list_init(&ev->ready);
    list_init(&ev->readers);
    list_init(&ev->writers);
    ev->counter = min(initial, COUNTER_MAX);
    return &ev->object;
}

_Atomic uint32_t *event_status(struct object *o) { return &event_of(o)->status; }

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
    list_init(&i->watch.link);
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

static struct mutex add_lock = MUTEX_INIT(add_lock, RANK_FILE); /* two adds could close a circle together */

UNCHECKED int event_control(struct object *o, uint32_t op, struct object *object, handle_t h, const struct event *e) {
    struct event_object *ev = event_of(o);
    struct object *source = watch_target(object);
    if (op < EVENT_ADD || op > EVENT_MODIFY || source == o) return -EINVAL;
    if (op == EVENT_ADD) {
        bool event = source->ops == &event_ops;
        if (event) mutex_lock(&add_lock);
        struct interest *old = interest_find(ev, h, source);
        int error = old ? -EEXIST : event && contains(event_of(source), ev, 1) ? -ELOOP : 0;
        if (!error) error = interest_add(ev, source, h, e);
        if (old) interest_put(old);
        if (event) mutex_unlock(&add_lock);
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

/*
 * Sleeps with the event's lock held, which is released: 0 look again, or why not to.  *value: the
 * counter a poster has handed over, else 0.
 */
static inline int event_sleep(struct event_object *ev, struct list *waiters, nsec_t deadline,
                              uint64_t *value) UNCHECKED {
    struct waiter w;
    w.thread = thread_current();
    w.value = *value = 0;
    if (unlikely(deadline == 0)) {
        spin_unlock(&ev->lock);
        return -EAGAIN;
    }
    thread_block_prepare(ev, true);
    list_push_back(waiters, &w.link);
    spin_unlock(&ev->lock);
    int woke = thread_block(deadline);
    if (unlikely(woke != WOKEN)) {
        spin_lock(&ev->lock);
        if (list_empty(&w.link)) woke = WOKEN; /* a wake-up meant for us must not get lost */
        list_remove(&w.link);
        spin_unlock(&ev->lock);
    }
    *value = w.value;
    return woke == WOKEN ? 0 : woke;
}

/* Reports one entry of the ready list, called with the lock held, which it releases and retakes. */
static int take_entry(struct event_object *ev, struct list *again, struct event *out) UNCHECKED {
    struct interest *i = list_entry(list_pop_front(&ev->ready), struct interest, ready_link);
    bool by_call = i->watch.source->ops->arm;
    atomic_fetch_add(&i->refs, 1);
    spin_unlock(&ev->lock);
    int ready = source_ready(i->watch.source, i->watch.mask);
    spin_lock(&ev->lock);
    uint32_t mask = ready < 0 ? 0 : (uint32_t)ready & i->watch.mask;
    int result = 0;
    if (i->dead || i->disabled) mask = 0;
    else if (mask) {
        *out = (struct event){.mask = mask, .key = i->key};
        result = 1;
        i->disabled = i->flags & EVENT_ONESHOT;
    }
    bool stays = ready < 0 || (mask && !i->disabled && (by_call || !(i->flags & EVENT_EDGE)));
    if (stays && !i->dead && list_empty(&i->ready_link)) list_push_back(again, &i->ready_link);
    spin_unlock(&ev->lock);
    interest_put(i);
    spin_lock(&ev->lock);
    return ready == -EINTR ? -EINTR : result;
}

static struct event counter_entry(uint64_t value) {
    return (struct event){.mask = EVENT_IN, .reserved = 1, .key = value};
}

/* Takes the counter, with the lock held. */
static uint64_t counter_take(struct event_object *ev) REQUIRES(ev -> lock) {
    uint64_t value = ev->counter;
    ev->counter = 0;
    while (unlikely(value && !list_empty(&ev->writers))) wake_first(&ev->writers);
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
        e = take_entry(ev, &again, &out[n]);
        n += e > 0;
    }
    for (struct list *l; (l = list_pop_front(&again));) list_push_back(&ev->ready, l);
    if (!list_empty(&ev->ready)) port_hint(ev);
    if (n && !list_empty(&ev->ready)) wake_first(&ev->readers); /* there may be something for another one, too */
    return n ? (long)n : min(e, 0);
}

[[gnu::noinline]] UNCHECKED static long wait_slow(struct event_object *ev, struct event *out, size_t count,
                                                  nsec_t deadline) {
    for (;;) {
        uint64_t value;
        spin_lock(&ev->lock);
        if (ev->counter || !list_empty(&ev->ready)) {
            long n = collect(ev, out, count);
            bool more = ev->counter || !list_empty(&ev->ready); /* since the look */
            if (n || more) spin_unlock(&ev->lock);
            if (n) return n;
            if (more) continue;
        }
        int e = event_sleep(ev, &ev->readers, deadline, &value);
        if (value) {
            *out = counter_entry(value);
            return 1;
        }
        if (e) return e;
    }
}

/* The short way: nothing is there yet, and a poster brings a value. */
UNCHECKED long event_wait(struct object *o, struct event *out, size_t count, nsec_t deadline) {
    struct event_object *ev = event_of(o);
    uint64_t value;
    spin_lock(&ev->lock);
    if (unlikely(event_maybe_ready(o) || deadline != DEADLINE_NEVER)) {
        spin_unlock(&ev->lock);
        return wait_slow(ev, out, count, deadline);
    }
    int e = event_sleep(ev, &ev->readers, DEADLINE_NEVER, &value);
    if (unlikely(!value)) return e ? e : wait_slow(ev, out, count, deadline);
    *out = counter_entry(value);
    return 1;
}

UNCHECKED long event_read(struct object *o, uint64_t *value, bool nonblock, nsec_t deadline) {
    struct event_object *ev = event_of(o);
    if (nonblock || ev->status & FILE_NONBLOCK) deadline = 0;
    for (;;) {
        spin_lock(&ev->lock);
        *value = counter_take(ev);
        if (*value) {
            spin_unlock(&ev->lock);
            if (unlikely(*value == COUNTER_MAX)) object_notify(o, EVENT_OUT);
            return sizeof(*value);
        }
        int e = event_sleep(ev, &ev->readers, deadline, value);
        if (*value) return sizeof(*value);
        if (e) return e;
    }
}

UNCHECKED long event_write(struct object *o, uint64_t value, bool nonblock, nsec_t deadline) {
    struct event_object *ev = event_of(o);
    if (value > COUNTER_MAX) return -EINVAL;
    if (nonblock || ev->status & FILE_NONBLOCK) deadline = 0;
    for (;;) {
        uint64_t none;
        spin_lock(&ev->lock);
        if (likely(value <= COUNTER_MAX - ev->counter)) {
            bool news = value && counter_add(ev, value);
            spin_unlock(&ev->lock);
            if (news) object_notify(o, EVENT_IN);
            return sizeof(value);
        }
        int e = event_sleep(ev, &ev->writers, deadline, &none);
        if (e) return e;
    }
}
