// SPDX-License-Identifier: MIT
/* Paged objects, with a kernel thread in the pager's place that takes the messages off its scheme. */
#include "../mm/memory_impl.h"
#include <kernel/lib.h>
#include <kernel/space.h>
#include <kernel/test.h>

#define OBJECT_ID 77
static struct pager {
    struct scheme *scheme;
    struct memory *m;
    _Atomic bool stop, stopped;
    _Atomic uint32_t pages_in, writebacks;
    int fail; /* errno to answer with */
} pager;
static char page_text[16 * PAGE_SIZE];

static bool note_take(struct request *out) {
    spin_lock(&pager.scheme->lock);
    struct list *n = list_pop_front(&pager.scheme->notes);
    if (n) {
        struct note *note = list_entry(n, struct note, link);
        *out = note->request;
        if (note->sent) note->sent(note);
    }
    spin_unlock(&pager.scheme->lock);
    return n;
}

static void serve(const struct request *r) {
    if (r->op == OP_MEMORY_LOW) return;
    EXPECT(r->object == OBJECT_ID);
    if (r->op == OP_WRITEBACK) {
        atomic_fetch_add(&pager.writebacks, 1);
        return;
    }
    EXPECT(r->op == OP_PAGE_IN && r->args[1] <= sizeof(page_text));
    atomic_fetch_add(&pager.pages_in, 1);
    for (size_t i = 0; i < r->args[1]; i += PAGE_SIZE)
        memset(page_text + i, (int)((r->args[0] + i) >> PAGE_SHIFT) + 1, PAGE_SIZE);
    if (pager.fail)
        EXPECT(!memory_fail(pager.m, r->args[0] >> PAGE_SHIFT, (r->args[0] + r->args[1]) >> PAGE_SHIFT, pager.fail));
    else EXPECT(!memory_supply(pager.m, r->args[0], &(struct buffer){.kernel = page_text}, r->args[1]));
}

static void pager_thread(void *) {
    struct request r;
    while (!atomic_load(&pager.stop)) {
        if (note_take(&r)) serve(&r);
        thread_yield();
        preempt_point();
    }
    atomic_store(&pager.stopped, true);
    thread_exit();
}

static bool pager_begin(size_t size) {
    pager = (struct pager){.scheme = scheme_create("test-pager", 10, 0)};
    pager.m = pager.scheme ? memory_create_paged(pager.scheme, OBJECT_ID, size) : nullptr;
    struct thread *t = pager.m ? thread_create(nullptr, "pager", pager_thread, nullptr) : nullptr;
    EXPECT(t);
    if (t) thread_start(t);
    return t;
}

static void pager_end(void) {
    atomic_store(&pager.stop, true);
    while (!atomic_load(&pager.stopped)) {
        thread_yield();
        preempt_point();
    }
    object_put(memory_object(pager.m));
    object_put(&pager.scheme->object);
    object_reap();
}

static uint8_t byte_at(uint64_t offset) {
    uint8_t b = 0xff;
    return memory_read_kernel(pager.m, &b, 1, offset) == 1 ? b : 0xff;
}

KTEST(pager_supplies_and_fails) {
    if (!pager_begin(40 * PAGE_SIZE + 100)) return;
    EXPECT(byte_at(5 * PAGE_SIZE) == 6 && byte_at(20 * PAGE_SIZE) == 21);
    EXPECT(atomic_load(&pager.pages_in) == 1); /* one run of 16 from page 5 on */
    EXPECT(byte_at(21 * PAGE_SIZE) == 22 && atomic_load(&pager.pages_in) == 2);
    struct space *s = space_create();
    long at = space_map(s, 0, 64 * PAGE_SIZE, VM_READ | VM_SHARED, pager.m, 0);
    uint16_t v;
    EXPECT(!space_read(s, &v, (vaddr_t)at + 40 * PAGE_SIZE + 99, 2) && v == 41); /* the rest of the page is 0 */
    EXPECT(space_fault(s, (vaddr_t)at + 41 * PAGE_SIZE, FAULT_USER) == -EIO);
    space_put(s);
    pager.fail = EIO;
    uint8_t b;
    EXPECT(memory_read_kernel(pager.m, &b, 1, 0) == -EIO);
    pager.fail = 0;
    EXPECT(byte_at(0) == 1); /* a failure isn't remembered */
    EXPECT(!memory_resize(pager.m, 0) && memory_cache_pages() == 0);
    pager_end();
}

KTEST(pager_writes_back) {
    if (!pager_begin(8 * PAGE_SIZE)) return;
    struct memory *m = pager.m;
    uint64_t length = 0, seen = 0;
    EXPECT(!memory_control(m, MEMORY_GRANT, 0, 8 * PAGE_SIZE, 0));
    EXPECT(memory_dirty_next(m, 0, &length) == -ENODATA);
    EXPECT(memory_write_kernel(m, "abc", 3, 2 * PAGE_SIZE - 1) == 3 && byte_at(2 * PAGE_SIZE - 2) == 2);
    struct space *s = space_create();
    vaddr_t at = (vaddr_t)space_map(s, 0, 8 * PAGE_SIZE, VM_READ | VM_WRITE | VM_SHARED, m, 0);
    EXPECT(!space_write(s, at + 6 * PAGE_SIZE, "x", 1));
    EXPECT(memory_dirty_next(m, 0, &length) == PAGE_SIZE && length == 2 * PAGE_SIZE);
    EXPECT(memory_dirty_next(m, 3 * PAGE_SIZE, &length) == 6 * PAGE_SIZE && length == PAGE_SIZE);
    memory_protect_pages(m, 0, 8, true);
    EXPECT(memory_dirty_next(m, 0, &length) == -ENODATA);
    EXPECT(!space_write(s, at + 6 * PAGE_SIZE, "y", 1)); /* meanwhile */
    EXPECT(!memory_writeback_end(m, 0, 8, 0));
    EXPECT(memory_dirty_next(m, 0, &length) == 6 * PAGE_SIZE && length == PAGE_SIZE);
    memory_protect_pages(m, 0, 8, true);
    EXPECT(!memory_writeback_end(m, 0, 8, ENOSPC));
    EXPECT(memory_take_error(m, &seen) == -ENOSPC && memory_take_error(m, &seen) == 0);
    EXPECT(memory_dirty_next(m, 0, &length) == 6 * PAGE_SIZE); /* kept, to be tried again */
    EXPECT(memory_dirty_pages() == 1 && memory_reclaim(100, 0) < 8 && byte_at(6 * PAGE_SIZE) == 'y');
    memory_protect_pages(m, 0, 8, true);
    EXPECT(!memory_writeback_end(m, 0, 8, 0));
    EXPECT(memory_dirty_pages() == 0 && memory_reclaim(100, 0) > 0 && memory_cache_pages() == 0);
    EXPECT(!memory_control(m, MEMORY_REVOKE, PAGE_SIZE, 2 * PAGE_SIZE, 0));
    space_put(s);
    pager_end();
}

static void reader(void *arg) {
    uint8_t b = byte_at((uint64_t)arg);
    EXPECT(b == ((uint64_t)arg >> PAGE_SHIFT) + 1);
    atomic_fetch_add(&pager.writebacks, 1); /* here: readers done */
    thread_exit();
}

KTEST(pager_dies_while_pages_load) {
    if (!pager_begin(64 * PAGE_SIZE)) return;
    pager.stop = true; /* this instance takes nothing more */
    while (!atomic_load(&pager.stopped)) preempt_point(), thread_yield();
    for (uint64_t i = 0; i < 4; i++) {
        struct thread *t = thread_create(nullptr, "reader", reader, (void *)(i * 5 * PAGE_SIZE));
        EXPECT(t);
        if (t) thread_start(t);
    }
    struct request r;
    while (!note_take(&r)) /* received, and then nothing */
        preempt_point(), thread_yield();
    memory_pager_lost(pager.scheme);
    pager.stop = pager.stopped = false;
    struct thread *next = thread_create(nullptr, "pager", pager_thread, nullptr);
    EXPECT(next);
    if (next) thread_start(next);
    while (atomic_load(&pager.writebacks) < 4) preempt_point(), thread_yield();
    struct memory *m = memory_adopt(pager.scheme, OBJECT_ID);
    EXPECT(m == pager.m && !memory_adopt(pager.scheme, OBJECT_ID + 1));
    if (m) object_put(memory_object(m));
    pager_end();
}
