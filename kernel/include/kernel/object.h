// SPDX-License-Identifier: MIT
/*
 * Kernel objects: what handles refer to.
 *
 * Two counts.  References keep the memory; handles (in tables or in flight) keep the meaning.  When
 * the last handle goes, on_last_handle runs once (never recursively: it is queued and run by
 * object_reap() at the end of the system call, no lock held).  When the last reference goes, destroy
 * frees the memory.  A handle implies a reference.
 *
 * Readiness: poll() tells the present mask; whoever makes an object ready calls object_notify()
 * after the change.  Watches (event.h) hang on the object.
 */
#pragma once
#include <abi/event.h>
#include <abi/handle.h>
#include <kernel/list.h>
#include <kernel/lock.h>

struct object;
struct watch;
struct object_ops {
    enum object_type type;
    const char *name;
    uint32_t status_at; /* where its FILE_* status flags are; 0: it has none */
    void (*on_last_handle)(struct object *o); /* may be null */
    void (*destroy)(struct object *o); /* frees it; may run in any process, no lock held */
    /* EVENT_* ready now, read without locks: who writes meanwhile notifies afterwards; null: always IN | OUT. */
    uint32_t (*poll)(struct object *o);
    /* Called when the first watch arms / interest widens (files ask their server); may be null.
     * Result: mask ready now or -errno. */
    int (*arm)(struct object *o, uint32_t mask);
};
struct object {
    const struct object_ops *ops;
    _Atomic uint32_t refs, handles;
    _Atomic uint32_t in_flight; /* handles carried by messages, of a channel end also those to its files */
    _Atomic uint32_t watch_count;
    struct spinlock watch_lock;
    struct list watches; /* struct watch */
    struct object *reap_next;
    _Atomic bool reap_queued;
#if CATHODE_DEBUG
    struct list live_link;
#endif
};

/* An object whose type is known, as its structure. */
#define object_as(type, o) container_of(o, struct type, object)

/* Debug: all objects with their counts, to the log. kernel/test/objects.c */
#if CATHODE_DEBUG
void object_live_add(struct object *o);
void object_live_remove(struct object *o);
void objects_dump(void);
#else
static inline void object_live_add(struct object *) {}
static inline void object_live_remove(struct object *) {}
#endif

static inline _Atomic uint32_t *object_status(struct object *o) { /* null: none */
    return o->ops->status_at ? (_Atomic uint32_t *)((char *)o + o->ops->status_at) : nullptr;
}

void object_init(struct object *o, const struct object_ops *ops); /* one reference, no handle */
static inline void object_get(struct object *o) { atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed); }
SLOW_PATH void object_put_slow(struct object *o); /* the last reference: queues destroy */
static inline void object_put(struct object *o) {
    if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) == 1) object_put_slow(o);
}
void object_handle_get(struct object *o); /* a handle (and its reference) */
void object_handle_put(struct object *o); /* drops both; may queue on_last_handle */
void object_reap(void); /* runs what this thread has queued; no lock held; sleeping allowed */
SLOW_PATH void object_notify_slow(struct object *o, uint32_t mask);
static inline void object_notify(struct object *o, uint32_t mask) {
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&o->watch_count, memory_order_relaxed)) object_notify_slow(o, mask);
}
