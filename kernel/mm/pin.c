// SPDX-License-Identifier: MIT
/*
 * Pins.  A page that is present with the access needed is taken by one look at its entry under
 * table_lock; only others go through the fault path.  A write pin is counted in the frame besides
 * its reference, for fork (clone.c) and write-back (writeback.c).
 */
#include <kernel/lib.h>
#include <kernel/pin.h>

#include "space_impl.h"

/* The frame behind an entry, referenced; null if it must be faulted in first. */
static struct frame *entry_take(pte_t e, bool write) {
    uint64_t need = PTE_PRESENT | PTE_USER | (write ? PTE_WRITE : 0);
    if (unlikely((pte_flags(e) & (need | PTE_DEVICE)) != need)) return nullptr;
    struct frame *f = pte_frame(e);
    frame_get(f);
    if (write) atomic_fetch_add_explicit(&f->write_pins, 1, memory_order_relaxed);
    return f;
}

/* Takes pages from va on as long as they are there. */
static size_t take_present(struct space *s, vaddr_t va, bool write, struct frame **out, size_t count) {
    size_t n = 0;
    pte_t *leaf = nullptr;
    spin_lock(&s->table_lock);
    for (; n < count; n++, va += PAGE_SIZE) {
        if (!leaf || !pt_index(va)) leaf = pt_leaf(&s->table, va, false);
        if (!leaf || !(out[n] = entry_take(pte_get(&leaf[pt_index(va)]), write))) break;
    }
    spin_unlock(&s->table_lock);
    return n;
}

static int fault_in(struct space *s, vaddr_t va, bool write) {
    int error = space_fault(s, va, write ? FAULT_WRITE : 0);
    if (error) return error == -EIO ? -EFAULT : error;
    spin_lock(&s->table_lock);
    pte_t *leaf = pt_leaf(&s->table, va, false);
    bool device = leaf && pte_flags(pte_get(&leaf[pt_index(va)])) & PTE_DEVICE;
    spin_unlock(&s->table_lock);
    return device ? -EFAULT : 0;
}

int pin_space(struct pin *p, struct space *s, vaddr_t address, size_t length, bool write) {
    p->count = 0;
    p->write = write;
    p->length = (uint32_t)length;
    p->offset = address & PAGE_MASK;
    if (!length) return 0;
    if (address >= USER_END || length > USER_END - address || length > PIN_BYTES_MAX) return -EFAULT;
    vaddr_t va = address - p->offset;
    size_t pages = (p->offset + length + PAGE_MASK) >> PAGE_SHIFT;
    for (;;) {
        size_t n = p->count;
        p->count += take_present(s, va + n * PAGE_SIZE, write, p->frames + n, pages - n);
        if (likely(p->count == pages)) return 0;
        int error = fault_in(s, va + p->count * PAGE_SIZE, write);
        if (error) {
            pin_release(p);
            return error;
        }
    }
}

int pin_user(struct pin *p, uaddr_t address, size_t length, bool write) {
    return pin_space(p, space_current(), address, length, write);
}

void pin_release(struct pin *p) {
    while (p->count) {
        struct frame *f = p->frames[--p->count];
        if (p->write) atomic_fetch_sub_explicit(&f->write_pins, 1, memory_order_release);
        frame_put(f);
    }
}

static void pin_copy(const struct pin *p, size_t at, void *kernel, size_t n, bool write) {
    ASSERT(at + n <= p->length);
    at += p->offset;
    while (n) {
        size_t skew = at & PAGE_MASK, step = min(n, PAGE_SIZE - skew);
        char *page = (char *)frame_virt(p->frames[at >> PAGE_SHIFT]) + skew;
        memcpy(write ? page : kernel, write ? kernel : page, step);
        kernel = (char *)kernel + step;
        at += step;
        n -= step;
    }
}

void pin_write(struct pin *p, size_t at, const void *from, size_t n) { pin_copy(p, at, (void *)from, n, true); }

void pin_read(const struct pin *p, size_t at, void *to, size_t n) { pin_copy(p, at, to, n, false); }
