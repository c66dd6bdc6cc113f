// SPDX-License-Identifier: MIT
/* Frames, kmalloc, kernel mappings, address spaces, fork, memory objects, running out of memory. */
#include <abi/process.h>
#include <arch/thread.h>
#include <kernel/clock.h>
#include <kernel/lib.h>
#include <kernel/memory.h>
#include <kernel/mm.h>
#include <kernel/space.h>
#include <kernel/test.h>

#define ANYWHERE 0

KTEST(frame_runs_merge_again) {
    uint64_t before = frame_free_count();
    struct frame *runs[6];
    for (unsigned order = 0; order < 6; order++) {
        runs[order] = frame_alloc_run(order, FRAME_KERNEL, 0);
        EXPECT(runs[order] && frame_paddr(runs[order]) % (PAGE_SIZE << order) == 0);
    }
    EXPECT(frame_free_count() == before - 63);
    for (unsigned order = 0; order < 6; order++) frame_free_run(runs[order], order);
    EXPECT(frame_free_count() == before);
    struct frame *big = frame_alloc_run(10, FRAME_KERNEL, 1UL << 32);
    EXPECT(big && frame_paddr(big) + (PAGE_SIZE << 10) <= 1UL << 32);
    if (big) frame_free_run(big, 10);
    EXPECT(!frame_alloc_run(11, FRAME_KERNEL, 0));
    EXPECT(!frame_alloc_run(0, FRAME_KERNEL, 0x100000));
}

KTEST(frame_references) {
    uint64_t before = frame_free_count();
    struct frame *f = frame_alloc_zeroed(FRAME_PRIVATE);
    EXPECT(f && frame_of(frame_paddr(f)) == f);
    const uint64_t *words = frame_virt(f);
    for (size_t i = 0; i < PAGE_SIZE / 8; i++) EXPECT(words[i] == 0);
    frame_get(f);
    frame_put(f);
    EXPECT(frame_free_count() == before - 1);
    frame_put(f);
    EXPECT(frame_free_count() == before);
    EXPECT(!frame_of(1UL << 51));
}

KTEST(kmalloc_sizes_do_not_overlap) {
    static uint8_t *blocks[120];
    static const size_t sizes[] = {1,   8,   15,  16,   17,   33,   64,   100,  129,  200,   257,   333,
                                   500, 513, 800, 1025, 1400, 2049, 4000, 4096, 5000, 20000, 65536, 40};
    for (size_t i = 0; i < array_size(blocks); i++) {
        size_t n = sizes[i % array_size(sizes)];
        blocks[i] = kmalloc(n);
        EXPECT(blocks[i] && (uintptr_t)blocks[i] % 16 == 0);
        memset(blocks[i], (int)i, n);
    }
    for (size_t i = 0; i < array_size(blocks); i++) {
        size_t n = sizes[i % array_size(sizes)];
        EXPECT(blocks[i][0] == (uint8_t)i && blocks[i][n - 1] == (uint8_t)i);
        kfree(blocks[i]);
    }
    EXPECT(!kmalloc(SIZE_MAX) && !kmalloc(SIZE_MAX - 8) && !kmalloc(1 << 20));
    kfree(nullptr);
}

/* Memory without two free frames side by side: what is larger than a page is put together from frames. */
KTEST(kmalloc_large_in_fragmented_memory) {
    struct list runs = {&runs, &runs};
    struct frame *f;
    for (unsigned order = 11; order-- > 1;)
        while ((f = frame_alloc_run(order, FRAME_KERNEL, 0))) list_push_front(&runs, &f->link);
    EXPECT(!list_empty(&runs));
    struct frame *split = list_entry(runs.prev, struct frame, link); /* a large one: it was taken first */
    unsigned order = split->order;
    list_remove(&split->link);
    for (size_t i = 0; i < 1UL << order; i += 2) frame_free_run(&split[i], 0);
    EXPECT(!frame_alloc_run(1, FRAME_KERNEL, 0));
    char *a = kmalloc(65536), *b = kmalloc(5000);
    EXPECT(a && b && vmap_length(a) >= 65536 && vmap_length(b) >= 5000);
    if (a) memset(a, 1, 65536);
    if (b) memset(b, 2, 5000);
    EXPECT(a && a[0] == 1 && a[65535] == 1);
    kfree(a);
    kfree(b);
    for (size_t i = 1; i < 1UL << order; i += 2) frame_free_run(&split[i], 0);
    while (!list_empty(&runs)) {
        f = list_entry(list_pop_front(&runs), struct frame, link);
        frame_free_run(f, f->order);
    }
}

KTEST(vmap_reuses_ranges) {
    struct frame *frames[3];
    for (size_t i = 0; i < 3; i++) frames[i] = frame_alloc_zeroed(FRAME_KERNEL);
    char *a = vmap_frames(frames, 3), *b = vmap_frames(frames, 2);
    EXPECT(a && b && a != b);
    a[2 * PAGE_SIZE] = 7;
    a[PAGE_SIZE] = 8;
    EXPECT(*(char *)frame_virt(frames[2]) == 7 && b[PAGE_SIZE] == 8);
    EXPECT(vmap_length(a) == 3 * PAGE_SIZE && vmap_length(b) == 2 * PAGE_SIZE);
    vunmap(a);
    char *c = vmap_frames(frames, 3);
    EXPECT(c == a);
    vunmap(b);
    vunmap(c);
    for (size_t i = 0; i < 3; i++) frame_put(frames[i]);
}

KTEST(kernel_stacks) {
    vaddr_t tops[12];
    for (size_t i = 0; i < array_size(tops); i++) {
        tops[i] = kernel_stack_alloc();
        EXPECT(tops[i] && tops[i] % PAGE_SIZE == 0);
        memset((void *)(tops[i] - KERNEL_STACK_SIZE), 1, KERNEL_STACK_SIZE);
    }
    for (size_t i = 0; i < array_size(tops); i++) kernel_stack_free(tops[i]);
}

static void memory_release(struct memory *m) {
    object_put(memory_object(m));
    object_reap();
}

/* --- address spaces ------------------------------------------------------------------------------ */

static bool holds(struct space *s, vaddr_t at, uint64_t value) {
    uint64_t v;
    return !space_read(s, &v, at, sizeof(v)) && v == value;
}

static bool store(struct space *s, vaddr_t at, uint64_t value) { return !space_write(s, at, &value, sizeof(value)); }

static size_t region_count(struct space *s) {
    struct map_info info[16];
    return space_describe(s, 0, info, array_size(info));
}

KTEST(space_map_protect_unmap) {
    struct space *s = space_create();
    EXPECT(s);
    long at = space_map(s, ANYWHERE, 10 * PAGE_SIZE, VM_READ | VM_WRITE, nullptr, 0);
    EXPECT(at > 0);
    vaddr_t va = (vaddr_t)at;
    EXPECT(holds(s, va + PAGE_SIZE - 4, 0)); /* across two pages of zeros */
    EXPECT(store(s, va + PAGE_SIZE - 4, 0x1122334455667788) && holds(s, va + PAGE_SIZE - 4, 0x1122334455667788));
    EXPECT(!space_protect(s, va + 2 * PAGE_SIZE, 3 * PAGE_SIZE, VM_READ));
    EXPECT(region_count(s) == 3);
    EXPECT(!store(s, va + 2 * PAGE_SIZE, 1) && store(s, va + 5 * PAGE_SIZE, 1));
    EXPECT(!space_protect(s, va + 2 * PAGE_SIZE, 3 * PAGE_SIZE, VM_READ | VM_WRITE));
    EXPECT(region_count(s) == 1 && store(s, va + 2 * PAGE_SIZE, 1));
    EXPECT(!space_protect(s, va, PAGE_SIZE, 0) && !holds(s, va, 0));
    EXPECT(!space_protect(s, va, PAGE_SIZE, VM_READ) && holds(s, va, 0));
    EXPECT(!space_unmap(s, va + 4 * PAGE_SIZE, PAGE_SIZE) && !store(s, va + 4 * PAGE_SIZE, 1));
    EXPECT(space_protect(s, va + 3 * PAGE_SIZE, 3 * PAGE_SIZE, VM_READ) == -ENOMEM);
    EXPECT(space_map(s, va, PAGE_SIZE, VM_READ | VM_FIXED | VM_NOREPLACE, nullptr, 0) == -EEXIST);
    EXPECT(space_map(s, va, 2 * PAGE_SIZE, VM_READ | VM_FIXED, nullptr, 0) == at && holds(s, va + PAGE_SIZE - 4, 0));
    EXPECT(space_map(s, 0, PAGE_SIZE, VM_READ | VM_FIXED, nullptr, 0) == -EINVAL);
    EXPECT(space_map(s, USER_END - PAGE_SIZE, 2 * PAGE_SIZE, VM_READ | VM_FIXED, nullptr, 0) == -EINVAL);
    EXPECT(space_map(s, ANYWHERE, USER_END, VM_READ, nullptr, 0) == -ENOMEM);
    EXPECT(space_unmap(s, va + 1, PAGE_SIZE) == -EINVAL && space_unmap(s, USER_END, PAGE_SIZE) == -EINVAL);
    space_put(s);
}

KTEST(space_fork_copies_on_write) {
    uint64_t before = frame_free_count();
    struct space *s = space_create();
    vaddr_t va = (vaddr_t)space_map(s, ANYWHERE, 4 << 20, VM_READ | VM_WRITE, nullptr, 0);
    vaddr_t shared = (vaddr_t)space_map(s, ANYWHERE, 4 * PAGE_SIZE, VM_READ | VM_WRITE | VM_SHARED, nullptr, 0);
    for (size_t i = 0; i < 8; i++) EXPECT(store(s, va + i * (PAGE_SIZE << 7), i + 1));
    EXPECT(store(s, shared, 99));
    struct space *child = space_fork(s), *grandchild = space_fork(child);
    EXPECT(child && grandchild);
    EXPECT(store(s, va, 100) && store(child, va, 200) && store(s, shared, 300));
    EXPECT(holds(s, va, 100) && holds(child, va, 200) && holds(grandchild, va, 1));
    EXPECT(holds(child, shared, 300) && holds(grandchild, shared, 300));
    EXPECT(store(grandchild, shared + PAGE_SIZE, 5) && holds(s, shared + PAGE_SIZE, 5));
    space_put(s);
    for (size_t i = 1; i < 8; i++) EXPECT(holds(child, va + i * (PAGE_SIZE << 7), i + 1));
    space_put(child);
    EXPECT(store(grandchild, va + (PAGE_SIZE << 7), 7)); /* the last owner takes the page over */
    EXPECT(holds(grandchild, va, 1) && holds(grandchild, va + (PAGE_SIZE << 7), 7));
    space_put(grandchild);
    object_reap();
    EXPECT(frame_free_count() + 4 >= before); /* slabs may have grown */
}

KTEST(space_page_tables_are_charged) {
    struct quota q = {.limit = 20};
    struct space *s = space_create();
    space_set_quota(s, &q);
    EXPECT(q.pages == 1); /* the root */
    vaddr_t at = (vaddr_t)space_map(s, 1UL << 30, 1UL << 30, VM_READ | VM_FIXED, nullptr, 0);
    uint64_t leaves = 0;
    while (leaves < 100 && holds(s, at + leaves * PT_LEAF_SPAN, 0)) leaves++; /* pages of zeros: only tables cost */
    EXPECT(leaves >= 16 && leaves <= 20 && q.pages > 20 && q.pages <= 24);
    atomic_store(&q.limit, 60);
    int64_t before = q.pages;
    struct space *child = space_fork(s);
    EXPECT(child && q.pages == 2 * before);
    EXPECT(!space_fork(s) && q.pages == 2 * before);
    struct quota other = {};
    space_set_quota(child, &other);
    EXPECT(q.pages == before && other.pages == before);
    space_put(child);
    space_put(s);
    EXPECT(q.pages == 0 && other.pages == 0);
}

/* A page counts once however many share it, for whoever made it, until the last of them is gone. */
KTEST(space_shared_pages_are_charged_once) {
    struct quota q = {.limit = 200}, other = {};
    struct space *s = space_create(), *child = nullptr;
    space_set_quota(s, &q);
    vaddr_t at = (vaddr_t)space_map(s, ANYWHERE, 64 * PAGE_SIZE, VM_READ | VM_WRITE, nullptr, 0);
    for (size_t i = 0; i < 64; i++) EXPECT(store(s, at + i * PAGE_SIZE, i + 1));
    int64_t tables = q.pages - 64;
    EXPECT(tables > 0 && tables < 10);
    for (unsigned i = 0; i < 5; i++) { /* as many generations as would be over the limit */
        child = space_fork(s);
        EXPECT(child && q.pages == 64 + 2 * tables);
        EXPECT(store(child, at, 100) && q.pages == 65 + 2 * tables);
        space_put(s);
        EXPECT(q.pages == 64 + tables);
        s = child;
    }
    space_set_quota(s, &other); /* new pages and the tables; the old ones stay with who made them */
    EXPECT(q.pages == 64 && other.pages == tables);
    EXPECT(space_unmap(s, at, PAGE_SIZE) == 0 && q.pages == 63);
    space_put(s);
    EXPECT(q.pages == 0 && other.pages == 0);
}

KTEST(space_remap_moves_pages) {
    struct space *s = space_create();
    vaddr_t a = (vaddr_t)space_map(s, 0x10000000, 2 * PAGE_SIZE, VM_READ | VM_WRITE, nullptr, 0);
    EXPECT(a == 0x10000000 && store(s, a, 1) && store(s, a + PAGE_SIZE, 2));
    EXPECT(space_remap(s, a, 2 * PAGE_SIZE, 4 * PAGE_SIZE, 0, 0) == (long)a && store(s, a + 3 * PAGE_SIZE, 4));
    EXPECT(space_map(s, a + 4 * PAGE_SIZE, PAGE_SIZE, VM_READ | VM_FIXED, nullptr, 0) > 0);
    EXPECT(space_remap(s, a, 4 * PAGE_SIZE, 8 * PAGE_SIZE, 0, 0) == -ENOMEM);
    long b = space_remap(s, a, 4 * PAGE_SIZE, 8 * PAGE_SIZE, REMAP_MAY_MOVE, 0);
    EXPECT(b > 0 && holds(s, (vaddr_t)b, 1) && holds(s, (vaddr_t)b + 3 * PAGE_SIZE, 4) && !holds(s, a, 1));
    EXPECT(space_remap(s, (vaddr_t)b, 8 * PAGE_SIZE, PAGE_SIZE, 0, 0) == b && !holds(s, (vaddr_t)b + PAGE_SIZE, 2));
    EXPECT(space_remap(s, (vaddr_t)b, PAGE_SIZE, PAGE_SIZE, REMAP_MAY_MOVE | REMAP_FIXED, a) == (long)a &&
           holds(s, a, 1));
    space_put(s);
}

KTEST(space_stack_grows) {
    struct space *s = space_create();
    s->stack_pages = 16;
    long at = space_map(s, 0x20000000, PAGE_SIZE, VM_READ | VM_WRITE | VM_STACK, nullptr, 0);
    EXPECT(at == 0x20000000 && store(s, (vaddr_t)at - 5 * PAGE_SIZE, 1) && store(s, (vaddr_t)at - 15 * PAGE_SIZE, 1));
    EXPECT(!store(s, (vaddr_t)at - 16 * PAGE_SIZE, 1) && region_count(s) == 1);
    space_put(s);
}

/* --- memory objects ------------------------------------------------------------------------------ */

static uint64_t object_word(struct memory *m, uint64_t offset) {
    uint64_t v = ~0UL;
    return memory_read_kernel(m, &v, sizeof(v), offset) == sizeof(v) ? v : ~0UL;
}

KTEST(memory_streams) {
    struct memory *m = memory_create(0);
    uint64_t word = 0xabcdef;
    char text[64] = "written across the end of a page";
    EXPECT(memory_write_kernel(m, &word, 8, 0) == 8 && memory_size(m) == 8);
    EXPECT(memory_write_kernel(m, text, 64, 3 * PAGE_SIZE - 20) == 64 && memory_size(m) == 3 * PAGE_SIZE + 44);
    EXPECT(object_word(m, 0) == 0xabcdef && object_word(m, PAGE_SIZE) == 0);
    char back[64];
    EXPECT(memory_read_kernel(m, back, 64, 3 * PAGE_SIZE - 20) == 64 && !memcmp(text, back, 64));
    EXPECT(memory_read_kernel(m, back, 64, 3 * PAGE_SIZE + 40) == 4 && memory_read_kernel(m, back, 64, 1UL << 40) == 0);
    EXPECT(memory_write_kernel(m, &word, 8, (1UL << 49) - 8) == 8 && object_word(m, (1UL << 49) - 8) == 0xabcdef);
    EXPECT(memory_write_kernel(m, &word, 8, 1UL << 50) == -EFBIG);
    EXPECT(!memory_resize(m, 3 * PAGE_SIZE - 18) && !memory_resize(m, 4 * PAGE_SIZE));
    EXPECT(memory_read_kernel(m, back, 4, 3 * PAGE_SIZE - 20) == 4 && !memcmp(back, "wr\0\0", 4));
    EXPECT(object_word(m, 3 * PAGE_SIZE) == 0);
    memory_release(m);
}

KTEST(memory_mappings_follow_the_size) {
    struct memory *m = memory_create(4 * PAGE_SIZE);
    struct space *s = space_create();
    vaddr_t a = (vaddr_t)space_map(s, ANYWHERE, 8 * PAGE_SIZE, VM_READ | VM_WRITE | VM_SHARED, m, 0);
    vaddr_t b = (vaddr_t)space_map(s, ANYWHERE, 8 * PAGE_SIZE, VM_READ | VM_WRITE, m, 0);
    EXPECT(store(s, a + 3 * PAGE_SIZE, 1) && holds(s, b + 3 * PAGE_SIZE, 1) && object_word(m, 3 * PAGE_SIZE) == 1);
    EXPECT(store(s, b + 3 * PAGE_SIZE, 2) && holds(s, a + 3 * PAGE_SIZE, 1) && object_word(m, 3 * PAGE_SIZE) == 1);
    EXPECT(space_fault(s, a + 4 * PAGE_SIZE, FAULT_USER) == -EIO);
    EXPECT(!memory_resize(m, PAGE_SIZE + 8));
    EXPECT(space_fault(s, a + 3 * PAGE_SIZE, FAULT_USER) == -EIO &&
           space_fault(s, b + 3 * PAGE_SIZE, FAULT_USER) == -EIO);
    EXPECT(store(s, a + PAGE_SIZE + 100, 5)); /* beyond the end, within its page */
    EXPECT(!memory_resize(m, 6 * PAGE_SIZE) && object_word(m, PAGE_SIZE + 100) == 0 && holds(s, b + 3 * PAGE_SIZE, 0));
    EXPECT(!space_protect(s, a, 2 * PAGE_SIZE, VM_READ) && !store(s, a, 1) && store(s, a + 2 * PAGE_SIZE, 3));
    EXPECT(!space_unmap(s, a + PAGE_SIZE, PAGE_SIZE) && !memory_resize(m, 0) && !holds(s, a + 2 * PAGE_SIZE, 3));
    space_put(s);
    memory_release(m);
}

KTEST(memory_contiguous_and_taken) {
    struct memory *m = memory_create_contiguous(5 * PAGE_SIZE, true);
    paddr_t start = 0;
    EXPECT(m && memory_is_contiguous(m, &start) && start && start < 1UL << 32);
    memset(phys_to_virt(start), 0x55, 5 * PAGE_SIZE);
    struct memory *t = memory_create_take(m, PAGE_SIZE, 2 * PAGE_SIZE + 10);
    EXPECT(!is_err(t) && memory_size(t) == 2 * PAGE_SIZE + 10 && object_word(t, PAGE_SIZE) == 0x5555555555555555);
    EXPECT(!memory_resize(t, 3 * PAGE_SIZE) && object_word(t, 2 * PAGE_SIZE + 10) == 0);
    EXPECT(is_err(memory_create_take(m, PAGE_SIZE, PAGE_SIZE)) && is_err(memory_create_take(m, 1, 1)));
    memory_release(t);
    memory_release(m);
}

/* --- all at once --------------------------------------------------------------------------------- */

#define RACE_PAGES 64UL
static struct race {
    struct memory *m;
    struct space *s;
    vaddr_t shared, private;
    _Atomic uint32_t done;
    _Atomic bool doubled; /* a frame was somebody else's, too */
} race;

static uint64_t race_random(uint64_t *state) { /* xorshift64: Marsaglia, J. Stat. Software 8 (2003) */
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void race_resize(uint64_t r) {
    (void)!memory_resize(race.m, r % RACE_PAGES * PAGE_SIZE + (r >> 32) % PAGE_SIZE);
}

static void race_fork(uint64_t r) {
    struct space *child = space_fork(race.s);
    if (!child) return;
    store(child, race.shared + r % RACE_PAGES * PAGE_SIZE, r);
    store(child, race.private + r % RACE_PAGES * PAGE_SIZE, r);
    space_put(child);
}

static void race_touch(uint64_t r) {
    vaddr_t at = (r & 1 << 20 ? race.shared : race.private) + r % RACE_PAGES * PAGE_SIZE;
    if (r >> 40 & 7) store(race.s, at, r);
    else (void)!space_protect(race.s, at, PAGE_SIZE, r & 1 << 21 ? VM_READ : VM_READ | VM_WRITE);
}

static void race_stream(uint64_t r) {
    static char text[3 * PAGE_SIZE];
    uint64_t at = r % RACE_PAGES * PAGE_SIZE + (r >> 32) % PAGE_SIZE;
    if (r >> 50 & 1) (void)!memory_write_kernel(race.m, text, r >> 20 & 8191, at);
    else (void)!memory_read_kernel(race.m, text, r >> 20 & 8191, at);
}

/* Buddies of what others allocate and free. */
static void race_runs(uint64_t r) {
    for (unsigned i = 0; i < 300; i++) {
        unsigned order = r >> i % 64 & 1;
        struct frame *f = frame_alloc_run(order, FRAME_KERNEL, 0);
        if (!f) return;
        volatile uint64_t *words = frame_virt(f);
        for (unsigned j = 0; j < 1u << order; j++) words[j * PAGE_SIZE / 8] = r + i + j;
        for (unsigned j = 0; j < 1u << order; j++) race.doubled |= words[j * PAGE_SIZE / 8] != r + i + j;
        frame_free_run(f, order);
    }
}

static void race_worker(void *arg) {
    static void (*const steps[])(uint64_t) = {race_resize, race_fork, race_touch, race_stream, race_runs, race_runs};
    uint64_t state = (uint64_t)arg + 88172645463325252UL;
    for (unsigned i = 0; i < 60; i++) {
        steps[(uint64_t)arg % array_size(steps)](race_random(&state));
        preempt_point();
    }
    atomic_fetch_add(&race.done, 1);
    thread_exit();
}

KTEST(memory_used_from_everywhere_at_once) {
    uint64_t before = frame_free_count();
    race.m = memory_create(RACE_PAGES * PAGE_SIZE);
    race.s = space_create();
    atomic_store(&race.done, 0);
    uint32_t rw = VM_READ | VM_WRITE;
    race.shared = (vaddr_t)space_map(race.s, ANYWHERE, RACE_PAGES * PAGE_SIZE, rw | VM_SHARED, race.m, 0);
    race.private = (vaddr_t)space_map(race.s, ANYWHERE, RACE_PAGES * PAGE_SIZE, rw, race.m, 0);
    uint32_t count = 0;
    for (uint64_t i = 0; i < 12; i++) {
        struct thread *t = thread_create(nullptr, "race", race_worker, (void *)i);
        EXPECT(t);
        if (!t) continue;
        thread_start(t);
        count++;
    }
    while (atomic_load(&race.done) < count) {
        thread_yield();
        preempt_point();
    }
    for (nsec_t end = clock_now() + 20000000; clock_now() < end;)
        preempt_point(); /* the other CPUs still free the dead threads */
    space_put(race.s);
    memory_release(race.m);
    EXPECT(!race.doubled);
    EXPECT(frame_free_count() + 200 > before); /* caches of stacks and slabs may have grown */
}

/* --- running out --------------------------------------------------------------------------------- */

#if CATHODE_DEBUG
/* Something of everything; true if nothing failed. */
static bool scenario(void) {
    bool good = false;
    struct memory *m = memory_create(0);
    struct space *s = m ? space_create() : nullptr, *child = nullptr;
    if (s) {
        uint64_t word = 5;
        long a = space_map(s, ANYWHERE, 8 * PAGE_SIZE, VM_READ | VM_WRITE, nullptr, 0);
        good = memory_write_kernel(m, &word, 8, 100 * PAGE_SIZE) == 8;
        long b = space_map(s, ANYWHERE, 101 * PAGE_SIZE, VM_READ | VM_WRITE, m, 0);
        good = a > 0 && b > 0 && good && store(s, (vaddr_t)a, 1) && store(s, (vaddr_t)b + 100 * PAGE_SIZE, 2);
        good = good && !space_protect(s, (vaddr_t)a + 2 * PAGE_SIZE, PAGE_SIZE, VM_READ);
        child = good ? space_fork(s) : nullptr;
        good = child && store(child, (vaddr_t)a, 3) && holds(s, (vaddr_t)a, 1);
        good = good && space_remap(child, (vaddr_t)a, 2 * PAGE_SIZE, 16 * PAGE_SIZE, REMAP_MAY_MOVE, 0) > 0;
        good = good && !space_unmap(child, (vaddr_t)b + PAGE_SIZE, PAGE_SIZE);
    }
    if (child) space_put(child);
    if (s) space_put(s);
    if (m) object_put(memory_object(m));
    object_reap();
    return good;
}

KTEST(memory_allocation_failure_sweep) {
    bool good = scenario();
    EXPECT(good);
    size_t bytes = kmalloc_total();
    uint64_t n = 0;
    for (good = false; !good && n < 1000; n++) {
        alloc_fail_nth(ALLOC_FAIL_KERNEL, n + 1);
        good = scenario();
        alloc_fail_nth(ALLOC_FAIL_KERNEL, 0);
        EXPECT(kmalloc_total() == bytes);
    }
    EXPECT(good && n > 10);
    ktest_note("%lu allocations failed in turn", n - 1);
}
#endif
