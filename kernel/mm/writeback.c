// SPDX-License-Identifier: MIT
/*
 * Dirty pages of paged objects: counting, write-back, errors, and holding writers back.
 *
 * A shared mapping's entry is writable only while its page is dirty, so the first write after a
 * write-back faults and marks it.  Dirty pages hold a reference to their object: it outlives its
 * files and its pager until they are written or discarded.
 * A page with a write pin may be stored into at any time without a fault: it stays dirty throughout.
 */
#include <kernel/clock.h>
#include <kernel/process.h>

#include "memory_impl.h"

#define RUN_MAX 256 /* pages told to the pager as one run */
#define DIRTY_SHARE 8 /* of all memory */
#define LOOK_AGAIN_NS 50000000LL

static _Atomic int64_t dirty_pages;
static struct wait_queue dirty_wait = {.lock = SPINLOCK_INIT(RANK_WAIT),
                                       .waiters = {&dirty_wait.waiters, &dirty_wait.waiters}};

bool page_make_dirty(struct memory *m, struct frame *f) {
    if (!m->pager || f->state == PAGE_DIRTY) return true;
    if (!page_granted(m, f->index)) return false;
    if (f->state == PAGE_CLEAN) {
        clock_remove(f);
        m->dirty++;
        atomic_fetch_add_explicit(&dirty_pages, 1, memory_order_relaxed);
        if (!m->held) {
            m->held = true;
            object_get(&m->object);
        }
    }
    f->state = PAGE_DIRTY;
    return true;
}

void page_make_clean(struct memory *m, struct frame *f) {
    if (f->state != PAGE_DIRTY && f->state != PAGE_WRITING) return;
    f->state = PAGE_CLEAN;
    clock_add(f);
    atomic_fetch_sub_explicit(&dirty_pages, 1, memory_order_relaxed);
    if (--m->dirty == 0) {
        m->held = false;
        object_put(&m->object); /* the caller has another */
    }
}

uint64_t memory_dirty_pages(void) { return (uint64_t)atomic_load_explicit(&dirty_pages, memory_order_relaxed); }

long memory_dirty_next(struct memory *m, uint64_t offset, uint64_t *length) {
    uint64_t first = UINT64_MAX, end = UINT64_MAX, i = offset >> PAGE_SHIFT;
    for (bool more = true; more; preempt_point()) {
        spin_lock(&m->lock);
        more = m->dirty;
        for (unsigned n = 0; more && n < BATCH_PAGES; n++, i++) {
            const struct frame *f = page_next(m, &i, UINT64_MAX);
            bool dirty = f && f->state == PAGE_DIRTY;
            if (dirty && first == UINT64_MAX) first = end = i;
            more = f && (dirty || first == UINT64_MAX) && (!dirty || (i == end && end - first < RUN_MAX));
            end += more && dirty;
        }
        spin_unlock(&m->lock);
    }
    if (first == UINT64_MAX) return -ENODATA;
    *length = (end - first) << PAGE_SHIFT;
    return (long)(first << PAGE_SHIFT);
}

void memory_protect_pages(struct memory *m, uint64_t first, uint64_t last, bool write_back) {
    for (struct frame *f;; preempt_point()) {
        spin_lock(&m->lock);
        f = page_next(m, &first, last);
        uint64_t end = f ? min(first + BATCH_PAGES, last) : last;
        if (f) memory_unmap_pages(m, first, end, UNMAP_WRITE);
        for (; write_back && (f = page_next(m, &first, end)); first++)
            if (f->state == PAGE_DIRTY && !atomic_load_explicit(&f->write_pins, memory_order_acquire))
                f->state = PAGE_WRITING;
        spin_unlock(&m->lock);
        if ((first = end) == last) return;
    }
}

static void writeback_done(struct memory *m, struct frame *f, int error) REQUIRES(m -> lock) {
    if (f->state != PAGE_WRITING) return;
    if (error) f->state = PAGE_DIRTY; /* the next fsync tries again */
    else page_make_clean(m, f);
}

int memory_writeback_end(struct memory *m, uint64_t first, uint64_t last, int error) {
    if (error < 0 || error >= ERESTART) return -EINVAL;
    page_visit(m, first, last, writeback_done, error);
    spin_lock(&m->lock);
    if (error) {
        m->error = -error;
        m->error_count++;
    }
    spin_unlock(&m->lock);
    wait_queue_wake(&dirty_wait, INT32_MAX);
    return 0;
}

int memory_take_error(struct memory *m, uint64_t *seen) {
    spin_lock(&m->lock);
    int error = *seen == m->error_count ? 0 : m->error;
    *seen = m->error_count;
    spin_unlock(&m->lock);
    return error;
}

UNCHECKED void memory_ask_writeback(struct memory *m) {
    uint64_t dirty = __atomic_load_n(&m->dirty, __ATOMIC_RELAXED);
    if (!dirty) return;
    m->writeback_note.request.args[0] = dirty;
    scheme_note(m->pager, &m->writeback_note, 0);
}

static bool dirty_within_limit(void *) { return memory_dirty_pages() <= frame_total_count() / DIRTY_SHARE; }

int memory_throttle(struct memory *m) {
    const struct process *p = process_current();
    if (likely(dirty_within_limit(nullptr)) || !p || p->serve_rank)
        return 0; /* servers go on: somebody has to write back */
    int error;
    do {
        memory_ask_writeback(m);
        error = wait_queue_sleep(&dirty_wait, dirty_within_limit, nullptr, false, clock_now() + LOOK_AGAIN_NS);
        if (error && atomic_load_explicit(&thread_current()->work, memory_order_relaxed) & WORK_EXIT) return -EINTR;
    } while (error && !m->pager->failed);
    return 0;
}

static void page_discard(struct memory *m, struct frame *f, int) REQUIRES(m -> lock) {
    if (!m->mapping_count || m->pager->failed) page_make_clean(m, f);
}

UNCHECKED void memory_discard(struct memory *m) {
    if (m->dirty) page_visit(m, 0, UINT64_MAX, page_discard, 0);
}

UNCHECKED int memory_sync(struct memory *m) {
    if (!m->pager || !m->dirty) return 0;
    long result = scheme_call_simple(m->pager, OP_SYNC, m->id, 1, 0, 0, nullptr, DEADLINE_NEVER);
    return result < 0 ? (int)result : 0;
}
