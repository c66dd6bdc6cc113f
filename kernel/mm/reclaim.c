// SPDX-License-Identifier: MIT
/*
 * Reclaim: a clock over the clean pages of all paged objects.  The hand passes over a page that was
 * used since its last turn; a mapped one loses its entries first, and is freed the next time unless
 * somebody needed it.  Dirty pages aren't on the clock: their pagers are asked to write them.
 *
 * A frame on the clock is in its object, and the object's destruction takes its frames off the clock
 * under clock.lock: so what the hand points at is valid while the lock is held.
 */
#include <kernel/clock.h>
#include <kernel/thread.h>

#include "memory_impl.h"

#define LOW_AGAIN_NS 1000000000LL

static struct {
    struct spinlock lock; /* taken with the object's lock held; so it is dropped to take that one */
    struct list frames GUARDED_BY(lock);
    _Atomic uint64_t count;
} clock_hand = {.lock = SPINLOCK_INIT(RANK_SLAB), .frames = {&clock_hand.frames, &clock_hand.frames}};

void clock_add(struct frame *f) {
    spin_lock(&clock_hand.lock);
    ASSERT(!(f->flags & FRAME_CLOCK));
    f->flags |= FRAME_CLOCK;
    list_push_back(&clock_hand.frames, &f->link);
    clock_hand.count++;
    spin_unlock(&clock_hand.lock);
}

void clock_remove(struct frame *f) {
    if (!(f->flags & FRAME_CLOCK)) return;
    spin_lock(&clock_hand.lock);
    f->flags &= (uint8_t)~FRAME_CLOCK;
    list_remove(&f->link);
    clock_hand.count--;
    spin_unlock(&clock_hand.lock);
}

/* The frame under the hand, which moves on; its object with a reference. Null: none can be had. */
static struct frame *clock_advance(struct memory **m, uint64_t *index) {
    struct frame *f = nullptr;
    spin_lock(&clock_hand.lock);
    struct list *n = list_pop_front(&clock_hand.frames);
    if (n) {
        list_push_back(&clock_hand.frames, n);
        f = list_entry(n, struct frame, link);
        *m = f->object;
        *index = f->index;
        if (!memory_revive(*m)) f = nullptr;
    }
    spin_unlock(&clock_hand.lock);
    return f;
}

static bool page_reclaim(struct memory *m, struct frame *f, uint64_t index) {
    bool freed = false;
    spin_lock(&m->lock);
    if (page_find(m, index) == f && f->state == PAGE_CLEAN) {
        if (f->flags & FRAME_REFERENCED) {
            f->flags &= (uint8_t)~FRAME_REFERENCED;
        } else if (atomic_load_explicit(&f->refs, memory_order_acquire) > 1) {
            memory_unmap_pages(m, index, index + 1, false);
        } else {
            page_remove(m, f);
            frame_put(f);
            freed = true;
        }
    }
    spin_unlock(&m->lock);
    return freed;
}

/* There is not enough that could go without them. */
static void ask_servers(void) {
    static _Atomic nsec_t next;
    nsec_t now = clock_now(), due = next;
    if (memory_dirty_pages()) memory_ask_all();
    if (now >= due && atomic_compare_exchange_strong(&next, &due, now + LOW_AGAIN_NS)) scheme_note_memory_low();
}

size_t memory_reclaim(size_t pages, uint64_t floor) {
    size_t freed = 0;
    /* Two rounds take a page's marks, a third frees it. */
    for (uint64_t turns = 3 * clock_hand.count; freed < pages && clock_hand.count > floor && turns > 0; turns--) {
        struct memory *m;
        uint64_t index;
        struct frame *f = clock_advance(&m, &index);
        if (!f) continue;
        freed += page_reclaim(m, f, index);
        object_put(memory_object(m));
        preempt_point();
    }
    if (freed < pages) ask_servers();
    return freed;
}

uint64_t memory_cache_pages(void) { return clock_hand.count + memory_dirty_pages(); }
