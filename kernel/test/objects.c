// SPDX-License-Identifier: MIT
/* Debug kernels know all their objects: who leaks one can see which, and what still counts on it. */
#include <kernel/log.h>
#include <kernel/object.h>

#if CATHODE_DEBUG
static struct spinlock live_lock = SPINLOCK_INIT(RANK_FRAME);
static struct list live GUARDED_BY(live_lock) = {&live, &live};

void object_live_add(struct object *o) {
    spin_lock(&live_lock);
    list_push_back(&live, &o->live_link);
    spin_unlock(&live_lock);
}

void object_live_remove(struct object *o) {
    spin_lock(&live_lock);
    list_remove(&o->live_link);
    spin_unlock(&live_lock);
}

void objects_dump(void) {
    spin_lock(&live_lock);
    list_for_each (l, &live) {
        const struct object *o = list_entry(l, struct object, live_link);
        klog(LOG_INFO, "object %p %s: %u references, %u handles (%u in flight), %u watches", o, o->ops->name,
             atomic_load(&o->refs), atomic_load(&o->handles), atomic_load(&o->in_flight), atomic_load(&o->watch_count));
    }
    spin_unlock(&live_lock);
}
#endif
