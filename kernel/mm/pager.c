// SPDX-License-Identifier: MIT
/*
 * Paged objects: fetching pages from a scheme, and the grants inside which pages may become dirty.
 *
 * A PAGE_IN is a one-way message on the stack of the thread that asks first; others find the pages
 * LOADING and wait with it.  If that thread is killed before the pager took the message, it gives
 * the pages up and the others ask anew; so does everybody when the pager dies.
 * Whoever serves a scheme of rank r waits only for pagers of lower rank (EDEADLK).
 */
#include <kernel/clock.h>
#include <kernel/lib.h>
#include <kernel/process.h>

#include "memory_impl.h"

#define READ_AHEAD 16 /* pages asked for at once */
#define LOOK_AGAIN_NS 50000000LL /* a waiter looks whether it was killed or the pager given up */

static struct spinlock paged_lock = SPINLOCK_INIT(RANK_FILE);
static struct list paged GUARDED_BY(paged_lock) = {&paged, &paged};

void pager_object_init(struct memory *m) {
    m->writeback_note.request = (struct request){.op = OP_WRITEBACK, .object = m->id};
    spin_lock(&paged_lock);
    list_push_back(&paged, &m->paged_link);
    spin_unlock(&paged_lock);
}

UNCHECKED void pager_object_fini(struct memory *m) {
    spin_lock(&paged_lock);
    list_remove(&m->paged_link);
    spin_unlock(&paged_lock);
    scheme_note_remove(m->pager, &m->writeback_note);
    grants_drop(m, 0, UINT64_MAX);
}

static bool would_deadlock(const struct memory *m) {
    const struct process *p = process_current();
    return p && p->serve_rank && m->pager->rank >= p->serve_rank;
}

/* --- page-in ------------------------------------------------------------------------------------ */

struct page_in {
    struct note note;
    _Atomic bool sent;
};

static void page_in_sent(struct note *n) { atomic_store(&container_of(n, struct page_in, note)->sent, true); }

static bool page_loaded(void *frame) {
    return __atomic_load_n(&((struct frame *)frame)->state, __ATOMIC_ACQUIRE) != PAGE_LOADING;
}

/* Consumes a reference to f. */
static int wait_loaded(struct memory *m, struct frame *f) {
    struct thread *self = thread_current();
    int error;
    do {
        error = wait_queue_sleep(&m->wait, page_loaded, f, false, clock_now() + LOOK_AGAIN_NS);
        if (error && atomic_load_explicit(&self->work, memory_order_relaxed) & WORK_EXIT) error = -EINTR;
        else if (error && m->pager->failed) error = -EIO;
    } while (error == -ETIMEDOUT || error == -EAGAIN);
    if (!error && f->state == PAGE_ABSENT) error = -(int)f->index;
    self->faults_major++;
    frame_put(f);
    return error;
}

int page_wait(struct memory *m, struct frame *f) {
    frame_get(f);
    spin_unlock(&m->lock);
    return would_deadlock(m) ? (frame_put(f), -EDEADLK) : wait_loaded(m, f);
}

/* A page won't come: who waits gets the error, or with 0 asks again. */
static void loading_end(struct memory *m, struct frame *f, int error) REQUIRES(m -> lock) {
    if (f->state != PAGE_LOADING) return;
    page_remove(m, f);
    f->index = (uint64_t)error;
    frame_put(f);
}

static void loading_end_all(struct memory *m, uint64_t first, uint64_t last, int error) {
    page_visit(m, first, last, loading_end, error);
    wait_queue_wake(&m->wait, INT32_MAX);
}

/* Enters LOADING frames for absent pages from index on, `first` for the first: how many. */
static uint64_t loading_begin(struct memory *m, uint64_t index, struct frame *first) REQUIRES(m -> lock) {
    uint64_t limit = min(page_count(memory_size(m)), index + READ_AHEAD), at = index;
    struct frame *f = first;
    for (; at < limit && !page_find(m, at); at++) {
        if (at > index && !(f = frame_take(FRAME_OBJECT))) break;
        if (page_insert(m, at, f, PAGE_LOADING)) {
            if (f != first) frame_put(f);
            break;
        }
    }
    return at - index;
}

int page_in(struct memory *m, uint64_t index) {
    spin_unlock(&m->lock);
    if (would_deadlock(m)) return -EDEADLK;
    struct frame *first = frame_alloc(FRAME_OBJECT);
    if (!first && !(first = frame_take(FRAME_OBJECT))) /* from the reserve: it can be reclaimed */
        return -ENOMEM;
    spin_lock(&m->lock);
    bool absent = index < page_count(memory_size(m)) && !page_find(m, index);
    uint64_t count = absent ? loading_begin(m, index, first) : 0;
    if (count) frame_get(first);
    spin_unlock(&m->lock);
    if (!count) { /* somebody else was faster, or the tree has no memory */
        frame_put(first);
        return absent ? -ENOMEM : 0;
    }
    struct page_in p = {
        .note.request = {.op = OP_PAGE_IN, .object = m->id, .args = {index << PAGE_SHIFT, count << PAGE_SHIFT}},
        .note.sent = page_in_sent};
    list_init(&p.note.link);
    scheme_note(m->pager, &p.note, 0);
    int error = wait_loaded(m, first);
    scheme_note_remove(m->pager, &p.note);
    if (error && !atomic_load(&p.sent)) loading_end_all(m, index, index + count, 0);
    return error;
}

/* --- the pager's answers ------------------------------------------------------------------------ */

/* The page at index, LOADING, with a reference; null: it is there already, or beyond the end. */
static struct frame *supply_target(struct memory *m, uint64_t index) {
    struct frame *fresh = nullptr;
    spin_lock(&m->lock);
    struct frame *f = page_find(m, index);
    if (!f && index < page_count(memory_size(m)) && (fresh = frame_take(FRAME_OBJECT))) {
        if (!page_insert(m, index, fresh, PAGE_LOADING)) f = fresh;
        else frame_put(fresh);
    }
    if (f && f->state == PAGE_LOADING) frame_get(f);
    else f = nullptr;
    spin_unlock(&m->lock);
    return f;
}

static void supply_done(struct memory *m, struct frame *f, uint64_t index) {
    char *page = frame_virt(f);
    spin_lock(&m->lock);
    if (f->state == PAGE_LOADING && f->object == m) {
        size_t size = memory_size(m), start = index << PAGE_SHIFT;
        if (size - start < PAGE_SIZE) /* whatever it sent beyond the end */
            memset(page + (size - start), 0, PAGE_SIZE - (size - start));
        __atomic_store_n(&f->state, PAGE_CLEAN, __ATOMIC_RELEASE);
        f->flags |= FRAME_REFERENCED;
        clock_add(f);
    }
    spin_unlock(&m->lock);
}

long memory_supply(struct memory *m, uint64_t offset, const struct buffer *from, size_t length) {
    long error = 0;
    size_t size = memory_size(m);
    length = offset < size ? min(length, size - offset) : 0;
    for (size_t done = 0; done < length && !error; done += PAGE_SIZE) {
        if (atomic_load_explicit(&thread_current()->work, memory_order_relaxed) & WORK_EXIT) return -EINTR;
        uint64_t index = (offset + done) >> PAGE_SHIFT;
        size_t n = min(length - done, PAGE_SIZE);
        struct frame *f = supply_target(m, index);
        if (!f) continue;
        char *page = frame_virt(f);
        if (from->kernel) memcpy(page, from->kernel + done, n);
        else error = copy_from_user(page, from->user + done, n);
        memset(page + n, 0, PAGE_SIZE - n);
        if (!error) supply_done(m, f, index);
        frame_put(f);
        preempt_point();
    }
    wait_queue_wake(&m->wait, INT32_MAX);
    return error;
}

int memory_fail(struct memory *m, uint64_t first, uint64_t last, int error) {
    if (error <= 0 || error >= ERESTART) return -EINVAL;
    loading_end_all(m, first, last, error);
    return 0;
}

/* --- death and restart -------------------------------------------------------------------------- */

bool memory_revive(struct memory *m) {
    uint32_t refs = atomic_load_explicit(&m->object.refs, memory_order_relaxed);
    while (refs && !atomic_compare_exchange_weak(&m->object.refs, &refs, refs + 1));
    return refs;
}

/* The next object after m (consumed), referenced: the pager's (null: with dirty pages), of this id (null: any). */
static struct memory *paged_next(const struct scheme *pager, const uint64_t *id, struct memory *m) {
    struct memory *next = nullptr;
    spin_lock(&paged_lock);
    for (struct list *n = m ? m->paged_link.next : paged.next; !next && n != &paged; n = n->next) {
        struct memory *candidate = list_entry(n, struct memory, paged_link);
        if (pager ? candidate->pager != pager : !__atomic_load_n(&candidate->dirty, __ATOMIC_RELAXED)) continue;
        if (id && candidate->id != *id) continue;
        if (memory_revive(candidate)) next = candidate;
    }
    spin_unlock(&paged_lock);
    if (m) object_put(&m->object);
    preempt_point();
    return next;
}

static void page_lost(struct memory *m, struct frame *f, int) REQUIRES(m -> lock) {
    if (f->state == PAGE_WRITING) f->state = PAGE_DIRTY;
    else loading_end(m, f, 0);
}

void memory_pager_lost(struct scheme *pager) {
    for (struct memory *m = nullptr; (m = paged_next(pager, nullptr, m));) {
        page_visit(m, 0, UINT64_MAX, page_lost, 0);
        wait_queue_wake(&m->wait, INT32_MAX);
    }
}

/* Nobody can serve the scheme again, so nobody will ever write its dirty pages back. */
void memory_pager_failed(struct scheme *pager) {
    for (struct memory *m = nullptr; (m = paged_next(pager, nullptr, m));) memory_discard(m);
}

struct memory *memory_adopt(struct scheme *pager, uint64_t id) { return paged_next(pager, &id, nullptr); }

void memory_ask_all(void) {
    for (struct memory *m = nullptr; (m = paged_next(nullptr, nullptr, m));) memory_ask_writeback(m);
}

/* --- grants ------------------------------------------------------------------------------------- */

struct grant {
    struct list link;
    uint64_t first, last; /* pages [first, last) */
};

bool page_granted(struct memory *m, uint64_t index) {
    if (m->pager->failed) /* see memory_pager_failed */
        return false;
    list_for_each (n, &m->grants) {
        const struct grant *g = list_entry(n, struct grant, link);
        if (index < g->last) return index >= g->first;
    }
    return false;
}

void grants_drop(struct memory *m, uint64_t first, uint64_t last) {
    list_for_each_safe (n, &m->grants) {
        struct grant *g = list_entry(n, struct grant, link);
        if (g->last <= first || g->first >= last) continue;
        if (g->first < first && g->last > last) { /* without memory the rest goes too: it is asked for again */
            struct grant *right = kmalloc(sizeof(*right));
            if (right) {
                *right = (struct grant){.first = last, .last = g->last};
                list_insert_between(&right->link, &g->link, g->link.next);
            }
        }
        if (g->first < first) {
            g->last = first;
        } else if (g->last > last) {
            g->first = last;
        } else {
            list_remove(&g->link);
            kfree(g);
        }
    }
}

int memory_grant(struct memory *m, uint64_t first, uint64_t last) {
    struct grant *new = kmalloc(sizeof(*new));
    if (!new) return -ENOMEM;
    spin_lock(&m->lock);
    list_for_each_safe (n, &m->grants) { /* takes in what it touches */
        struct grant *g = list_entry(n, struct grant, link);
        if (g->last < first || g->first > last) continue;
        first = min(first, g->first);
        last = max(last, g->last);
        list_remove(&g->link);
        kfree(g);
    }
    *new = (struct grant){.first = first, .last = last};
    struct list *at = &m->grants;
    while (at->next != &m->grants && list_entry(at->next, struct grant, link)->first < first) at = at->next;
    list_insert_between(&new->link, at, at->next);
    spin_unlock(&m->lock);
    return 0;
}

int page_grant(struct memory *m, uint64_t index, uint64_t count) {
    spin_unlock(&m->lock);
    if (would_deadlock(m)) return -EDEADLK;
    /* A call may be in the making: its buffers are pinned, and this page is one of them. */
    struct call *call = &thread_current()->call;
    struct call saved = *call;
    struct reply reply = {};
    long result;
    do {
        result = scheme_call_simple(m->pager, OP_RESERVE, m->id, index << PAGE_SHIFT, count << PAGE_SHIFT, 0, &reply,
                                    DEADLINE_NEVER);
    } while (result == -ENOLINK); /* the next instance is asked */
    saved.cancel = call->cancel;
    *call = saved;
    if (result < 0) return (int)result;
    uint64_t first = reply.args[0] >> PAGE_SHIFT, length = page_count(reply.args[1]);
    if (index < first || index - first >= length) return -ENOSPC;
    return memory_grant(m, first, first + length);
}
