// SPDX-License-Identifier: MIT
/*
 * Streams: moving bytes between user memory and the pages of an object.
 *
 * Reading takes references to a run of pages under the lock and copies without it.  Writing copies
 * with the lock held, so that size, pages and append offset agree for everybody; the copy cannot
 * fault then, so on a missing source page the lock is dropped, the page faulted in, and the same
 * step done again.  A page that gets wholly overwritten isn't fetched, and enters the object filled.
 */
#include <arch/thread.h>
#include <kernel/clock.h>
#include <kernel/lib.h>
#include <kernel/process.h>

#include "memory_impl.h"

#define RUN_PAGES 16 /* pages handled per taking of the lock */
#define OFFSET_MAX (1UL << 50)

/* --- reading ------------------------------------------------------------------------------------ */

static int copy_out(const struct buffer *b, size_t at, const struct frame *f, size_t skew, size_t n) {
    const char *page = (const char *)frame_virt(f ?: frame_zero) + skew;
    if (!b->kernel) return copy_to_user(b->user + at, page, n);
    memcpy(b->kernel + at, page, n);
    return 0;
}

/*
 * References to the pages of [offset, offset + *n), null for a hole; *n is cut to the end of the
 * object, and to the pages that are there.  0: the first one has to be fetched, if *n > 0.
 */
static size_t take_run(struct memory *m, uint64_t offset, size_t *n, struct frame **frames) {
    spin_lock(&m->lock);
    size_t size = memory_size(m), count = 0;
    *n = offset < size ? min(*n, size - offset) : 0;
    uint64_t index = offset >> PAGE_SHIFT, last = page_count(offset + *n);
    for (; *n && index < last && count < RUN_PAGES; index++, count++) {
        struct frame *f = page_find(m, index);
        if (f ? f->state == PAGE_LOADING : m->pager != nullptr) break;
        if (f) {
            f->flags |= FRAME_REFERENCED;
            frame_get(f);
        }
        frames[count] = f;
    }
    spin_unlock(&m->lock);
    return count;
}

/* Copies up to RUN_PAGES pages: bytes, 0 at the end, or an error. */
static long read_run(struct memory *m, const struct buffer *b, size_t at, size_t n, uint64_t offset) {
    struct frame *frames[RUN_PAGES];
    size_t count = take_run(m, offset, &n, frames);
    if (!n) return 0;
    if (!count) {
        frames[0] = memory_page_get(m, offset >> PAGE_SHIFT, false);
        if (is_err(frames[0])) return ptr_err(frames[0]) == -ENXIO ? 0 : ptr_err(frames[0]);
        count = 1;
    }
    size_t done = 0;
    int error = 0;
    for (size_t i = 0; i < count; i++) {
        size_t skew = (offset + done) & PAGE_MASK, step = min(n - done, PAGE_SIZE - skew);
        if (likely(!error)) {
            error = copy_out(b, at + done, frames[i], skew, step);
            done += error ? 0 : step;
        }
        if (frames[i]) frame_put(frames[i]);
        if (unlikely(i % 8 == 7)) preempt_point(); /* the destination may fault each time */
    }
    return done ? (long)done : error;
}

void memory_accessed(struct memory *m) { atomic_store_explicit(&m->atime, clock_realtime(), memory_order_relaxed); }

static long stream_read(struct memory *m, const struct buffer *b, size_t n, uint64_t offset) {
    if (m->type == MEMORY_DEVICE) return -EINVAL;
    size_t done = 0;
    long step = 0;
    while (done < n && (step = read_run(m, b, done, n - done, offset + done)) > 0) {
        done += (size_t)step;
        if (unlikely(done < n)) preempt_point();
    }
    if (m->pager || !b->kernel) memory_accessed(m);
    return done ? (long)done : step;
}

long memory_read(struct memory *m, uaddr_t to, size_t n, uint64_t offset) {
    return stream_read(m, &(struct buffer){.user = to}, n, offset);
}

long memory_read_kernel(struct memory *m, void *to, size_t n, uint64_t offset) {
    return stream_read(m, &(struct buffer){.kernel = to}, n, offset);
}

/* --- writing ------------------------------------------------------------------------------------ */

enum need { NEED_NOTHING, NEED_SOURCE, NEED_FRAMES, NEED_PAGE, NEED_GRANT, NEED_CUT }; /* or -errno */
struct write {
    struct memory *m;
    const struct buffer *b;
    size_t at; /* in the buffer: next byte */
    size_t end; /* of this run */
    uint64_t offset; /* in the object, of byte `at` */
    struct frame *stash[RUN_PAGES]; /* for pages that aren't there */
    size_t stashed;
};

static int copy_in(const struct write *w, void *to, size_t n) {
    if (!w->b->kernel) return copy_from_user_nofault(to, w->b->user + w->at, n);
    memcpy(to, w->b->kernel + w->at, n);
    return 0;
}

/* Writes into a page that isn't in the object yet. */
static int write_absent(struct write *w, uint64_t index, size_t skew, size_t n) UNCHECKED {
    struct memory *m = w->m;
    size_t size = memory_size(m);
    bool covers = !skew && (n == PAGE_SIZE || w->offset + n >= size);
    if (m->pager) {
        if (!page_granted(m, index)) return NEED_GRANT;
        if (!covers && index << PAGE_SHIFT < size) return NEED_PAGE;
    } else if (m->pages >= m->page_limit) {
        return -ENOSPC;
    }
    if (!w->stashed) return NEED_FRAMES;
    struct frame *f = w->stash[w->stashed - 1];
    char *page = frame_virt(f);
    if (copy_in(w, page + skew, n)) return NEED_SOURCE;
    if (n < PAGE_SIZE) {
        memset(page, 0, skew);
        memset(page + skew + n, 0, PAGE_SIZE - skew - n);
    }
    if (page_insert(m, index, f, PAGE_CLEAN)) return -ENOMEM;
    w->stashed--;
    (void)page_make_dirty(m, f); /* it is in a grant */
    return NEED_NOTHING;
}

/* Writes up to the end of one page. */
static int write_page(struct write *w) UNCHECKED {
    struct memory *m = w->m;
    uint64_t index = w->offset >> PAGE_SHIFT;
    size_t skew = w->offset & PAGE_MASK, n = min(w->end - w->at, PAGE_SIZE - skew);
    struct frame *f = page_find(m, index);
    if (!f) {
        int need = write_absent(w, index, skew, n);
        if (need) return need;
    } else if (f->state == PAGE_LOADING) {
        return NEED_PAGE;
    } else if (!page_make_dirty(m, f)) {
        return NEED_GRANT;
    } else {
        if (copy_in(w, (char *)frame_virt(f) + skew, n)) return NEED_SOURCE;
        f->flags |= FRAME_REFERENCED;
    }
    w->at += n;
    w->offset += n;
    if (w->offset > memory_size(m)) atomic_store_explicit(&m->size, w->offset, memory_order_relaxed);
    return NEED_NOTHING;
}

static int stash_fill(struct write *w, size_t pages) {
    while (w->stashed < min(pages, (size_t)RUN_PAGES)) {
        struct frame *f = frame_alloc(FRAME_OBJECT);
        if (!f) return w->stashed ? 0 : -ENOMEM;
        w->stash[w->stashed++] = f;
    }
    return 0;
}

static int fault_source(const struct write *w) {
    struct pin p;
    size_t n = min(w->end - w->at, PAGE_SIZE - (w->offset & PAGE_MASK));
    int error = w->b->kernel ? -EFAULT : pin_user(&p, w->b->user + w->at, n, false);
    if (!error) pin_release(&p);
    return error;
}

/* The lock is not held. 0: try the step again. */
static int provide(struct write *w, int need) {
    size_t pages = page_count((w->offset & PAGE_MASK) + (w->end - w->at));
    switch (need) {
    case NEED_SOURCE: return fault_source(w);
    case NEED_FRAMES: return stash_fill(w, pages);
    case NEED_PAGE: {
        struct frame *f = memory_page_get(w->m, w->offset >> PAGE_SHIFT, true);
        if (is_err(f)) /* cut off meanwhile: then it needs no fetching */
            return ptr_err(f) == -ENXIO ? 0 : ptr_err(f);
        frame_put(f);
        return 0;
    }
    case NEED_GRANT: spin_lock(&w->m->lock); return page_grant(w->m, w->offset >> PAGE_SHIFT, pages);
    case NEED_CUT: return 0;
    default: return need; /* an error */
    }
}

/* One run of at most RUN_PAGES pages: 0, or why it is short. */
UNCHECKED static int write_run(struct write *w, bool append) {
    struct memory *m = w->m;
    int error = m->pager ? memory_throttle(m) : 0;
    spin_lock(&m->lock);
    while (!error && w->at < w->end) {
        if (append) w->offset = memory_size(m);
        bool grows = w->offset + (w->end - w->at) > memory_size(m);
        int need = grows && !memory_may_grow(m) ? NEED_CUT : NEED_NOTHING;
        while (w->at < w->end && !need) need = write_page(w);
        if (!need) break;
        spin_unlock(&m->lock);
        error = provide(w, need);
        preempt_point();
        spin_lock(&m->lock);
    }
    spin_unlock(&m->lock);
    return error;
}

static long stream_write(struct memory *m, const struct buffer *b, size_t n, uint64_t offset, bool append,
                         uint64_t *start) {
    if (m->type == MEMORY_DEVICE || m->type == MEMORY_RUN) return -EINVAL;
    if (offset > OFFSET_MAX || n > OFFSET_MAX - offset) return -EFBIG;
    struct write w = {.m = m, .b = b, .offset = offset};
    int error = 0;
    while (w.at < n && !error) {
        w.end = min(n, w.at + RUN_PAGES * PAGE_SIZE - (w.offset & PAGE_MASK));
        error = write_run(&w, append);
        if (unlikely(w.at < n)) preempt_point();
    }
    while (w.stashed) frame_put(w.stash[--w.stashed]);
    if (w.at) atomic_store_explicit(&m->mtime, clock_realtime(), memory_order_relaxed);
    if (start) *start = w.offset - w.at;
    return w.at ? (long)w.at : error;
}

long memory_write(struct memory *m, uaddr_t from, size_t n, uint64_t offset) {
    return stream_write(m, &(struct buffer){.user = from}, n, offset, false, nullptr);
}

long memory_append(struct memory *m, uaddr_t from, size_t n, uint64_t *at) {
    return stream_write(m, &(struct buffer){.user = from}, n, 0, true, at);
}

long memory_write_kernel(struct memory *m, const void *from, size_t n, uint64_t offset) {
    return stream_write(m, &(struct buffer){.kernel = (char *)from}, n, offset, false, nullptr);
}
