// SPDX-License-Identifier: MIT
/*
 * Page faults.  A fault is tried with the space's mutex held and without sleeping for a page; where
 * an object must fetch, grant or allocate one, the mutex is dropped, the page waited for, and the
 * fault tried again, so that a slow pager holds up nobody but the thread that needs it.
 *
 * Private memory: first touch by a read maps the shared page of zeros, by a write a zeroed frame.  A
 * write to a private page that others refer to (fork, a file's page, the zeros) copies it; the last
 * owner takes it over.
 */
#include <arch/thread.h>
#include <kernel/lib.h>
#include <kernel/log.h>
#include <kernel/process.h>
#include <kernel/signal.h>
#include <kernel/trace_ring.h>

#include "space_impl.h"

#include "memory_impl.h"

struct fault {
    struct region *region;
    vaddr_t at;
    pte_t *leaf; /* the leaf table, and in it: */
    pte_t *slot;
    bool write;
};

/* A frame for a private page, charged to the owner's account. */
static struct frame *private_frame(struct space *s) {
    if (unlikely(!quota_charge(s->quota, 1))) return nullptr;
    struct frame *f = frame_alloc(FRAME_PRIVATE);
    if (unlikely(!f) && s->service) f = frame_take(FRAME_PRIVATE); /* services live on the reserve */
    if (likely(f != nullptr)) f->quota = s->quota;
    else quota_release(s->quota, 1);
    return f;
}

/*
 * Enters a private copy of `from` (a reference, which is consumed; null: of zeros) where `old` is entered now.
 * If the object took `old` away meanwhile, nothing changes: the access faults again.
 */
static int fault_enter_copy(struct space *s, struct fault *f, pte_t old, struct frame *from) {
    struct frame *copy = private_frame(s);
    if (unlikely(!copy)) {
        if (from) frame_put(from);
        return -ENOMEM;
    }
    if (!from || from == frame_zero) page_clear(frame_virt(copy));
    else page_copy(frame_virt(copy), frame_virt(from));
    spin_lock(&s->table_lock);
    pte_t now = pte_get(f->slot);
    bool unchanged = now ? pte_paddr(now) == pte_paddr(old) : !old;
    if (likely(unchanged)) {
        pte_set(f->slot, pte_make(frame_paddr(copy), region_bits(f->region)));
        space_account(s, !old);
    }
    spin_unlock(&s->table_lock);
    if (old && unchanged) {
        tlb_flush(&s->table, align_down(f->at, PAGE_SIZE), 1);
        frame_put(from); /* the entry's */
    } else if (unlikely(!unchanged)) {
        frame_put(copy);
    }
    if (from) frame_put(from);
    return 0;
}

static int fault_anonymous(struct space *s, struct fault *f) {
    if (f->write) return fault_enter_copy(s, f, 0, nullptr);
    frame_get(frame_zero);
    spin_lock(&s->table_lock);
    pte_set(f->slot, pte_make(frame_paddr(frame_zero), region_bits(f->region) & ~PTE_WRITE));
    space_account(s, 1);
    spin_unlock(&s->table_lock);
    return 0;
}

/* A write to a private page that is present and not writable. */
static int fault_copy(struct space *s, struct fault *f) {
    spin_lock(&s->table_lock);
    pte_t e = pte_get(f->slot);
    struct frame *page = e ? pte_frame(e) : nullptr;
    if (!page) { /* the object took it away just now */
        spin_unlock(&s->table_lock);
        return 0;
    }
    if (frame_is_private(page) && atomic_load_explicit(&page->refs, memory_order_acquire) == 1) {
        pte_set(f->slot, e | PTE_WRITE | PTE_DIRTY);
        spin_unlock(&s->table_lock);
        tlb_flush_local_page(f->at); /* elsewhere a stale entry only faults, and ends up here */
        return 0;
    }
    frame_get(page);
    spin_unlock(&s->table_lock);
    return fault_enter_copy(s, f, e, page);
}

static int fault_object(struct space *s, struct fault *f) {
    struct memory *m = f->region->object;
    bool private = !(f->region->flags & VM_SHARED);
    if (private && f->write && !memory_is_device(m)) {
        struct frame *page = memory_page_try(m, region_index(f->region, f->at));
        return page ? fault_enter_copy(s, f, 0, page) : -EAGAIN;
    }
    return memory_map_page(m, f->region, f->at, f->leaf, f->write);
}

static bool access_allowed(const struct region *r, unsigned flags) {
    uint32_t need = flags & FAULT_WRITE ? VM_WRITE : flags & FAULT_EXEC ? VM_EXEC : VM_ACCESS;
    return r->flags & need;
}

/* -EAGAIN: the object's page must be fetched, granted or allocated first. */
static int fault_try(struct space *s, struct fault *f, unsigned flags) REQUIRES(s -> lock) {
    f->region = region_find(s, f->at);
    if (unlikely(!f->region) && !(f->region = region_grow_stack(s, f->at))) return -EFAULT;
    if (unlikely(!access_allowed(f->region, flags))) return -EACCES;
    f->leaf = space_leaf(s, f->at);
    if (unlikely(!f->leaf)) return -ENOMEM;
    f->slot = &f->leaf[pt_index(f->at)];
    pte_t e = pte_get(f->slot);
    if (!e) return f->region->object ? fault_object(s, f) : fault_anonymous(s, f);
    if (f->write && !(pte_flags(e) & PTE_WRITE))
        return f->region->flags & VM_SHARED ? fault_object(s, f) : fault_copy(s, f);
    tlb_flush_local_page(f->at); /* somebody else was first, or gave more rights */
    return 0;
}

/* Drops the mutex until the object's page is there and may be used as needed, or cannot be. */
static int fault_fetch(struct space *s, const struct fault *f) RELEASES(s->lock) {
    struct memory *m = f->region->object;
    uint64_t index = region_index(f->region, f->at);
    bool write = f->write && f->region->flags & VM_SHARED;
    object_get(memory_object(m));
    mutex_unlock(&s->lock);
    struct frame *page = memory_page_get(m, index, write);
    object_put(memory_object(m));
    int error = is_err(page) ? ptr_err(page) : 0;
    if (!error) frame_put(page);
    return !error || error == -ENOMEM || error == -EINTR ? error : -EIO;
}

int space_fault(struct space *s, vaddr_t at, unsigned flags) {
    struct fault f = {.at = at, .write = flags & FAULT_WRITE};
    int error;
    do {
        mutex_lock(&s->lock);
        error = fault_try(s, &f, flags);
        if (likely(error != -EAGAIN)) {
            mutex_unlock(&s->lock);
            break;
        }
        error = fault_fetch(s, &f);
    } while (!error);
    return error == -EACCES && !(flags & FAULT_USER) ? -EFAULT : error;
}

int trap_page_fault(struct trapframe *frame, uaddr_t at, unsigned flags) {
    struct thread *t = thread_current();
    trace_ring_add(TR_FAULT, at, flags);
    int error = at < USER_END && t->process ? space_fault(t->process->space, at, flags) : -EFAULT;
    if (likely(!error)) {
        t->faults_minor++;
        return 0;
    }
    if (error == -ENOMEM) {
        klog(LOG_ERROR, "out of memory: process %u (%s) ends", t->process->pid, t->process->name);
        process_kill(t->process, SIGKILL);
    } else if (flags & FAULT_USER && error == -EIO) {
        trap_exception(frame, SIGBUS, BUS_ADRERR, at);
    } else if (flags & FAULT_USER && error != -EINTR) {
        trap_exception(frame, SIGSEGV, error == -EACCES ? SEGV_ACCERR : SEGV_MAPERR, at);
    }
    return flags & FAULT_USER ? 0 : error;
}
