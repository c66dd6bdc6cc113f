// SPDX-License-Identifier: MIT
/*
 * Physical frames: a binary buddy allocator (Knuth, TAOCP vol. 1 §2.5) under one lock, and before it
 * a cache of single frames per CPU that needs none, because the kernel isn't preempted.
 *
 * A free block's first frame is FRAME_FREE with its order; all other free frames, those in a CPU's
 * cache included, have ORDER_NONE, so that nothing merges with them.
 * Below `frames.low_mark` free frames reclaim starts; below `frames.reserve` user pages are refused.
 * Reclaim leaves the pages of files that programs need to go on (their text) `frames.cache_floor` frames:
 * who wants all memory is refused in the end, and is not kept loading the same pages for ever.
 */
#include <kernel/bootinfo.h>
#include <kernel/lib.h>
#include <kernel/log.h>
#include <kernel/memory.h>
#include <kernel/mm.h>
#include <kernel/sanitizer.h>
#include <kernel/space.h>

#define ORDER_MAX 10 /* 4 MiB */
#define ORDER_NONE 0xff
#define CACHE_FILL_ORDER 5
#define CACHE_MAX 512
#define CACHE_DRAIN 64 /* at once: this takes time */
#define RECLAIM_BATCH 64
#define TABLES_KEPT 16
#define LOW_MEMORY_END 0x100000 /* below: the arch's (trampolines) */

struct frame_table frame_table;
struct frame *frame_zero;

static struct {
    struct spinlock lock;
    struct list free[ORDER_MAX + 1] GUARDED_BY(lock);
    _Atomic uint64_t free_count; /* without the CPUs' caches */
    uint64_t total, low_mark, reserve, cache_floor;
} frames = {.lock = SPINLOCK_INIT(RANK_FRAME)};

static struct [[gnu::aligned(64)]] {
    struct frame *head; /* linked by link.next */
    uint32_t count, table_count;
    paddr_t tables[TABLES_KEPT]; /* page tables, which are given back clear */
} caches[CPU_MAX];

static void free_count_add(int64_t n) REQUIRES(frames.lock) {
    atomic_store_explicit(&frames.free_count, frames.free_count + (uint64_t)n, memory_order_relaxed);
}

/* --- the buddy system --------------------------------------------------------------------------- */

/* At once: who holds a frame changes it without the lock, while others look whether it is a free block's first one. */
static void frame_set(struct frame *f, enum frame_kind kind, unsigned order) {
    atomic_store_explicit(&f->kind_and_order, (uint16_t)((unsigned)kind | order << 8), memory_order_release);
}

static struct frame *block_buddy(const struct frame *f, unsigned order) {
    struct frame *b = frame_of(frame_paddr(f) ^ (PAGE_SIZE << order));
    if (!b) return nullptr;
    return atomic_load_explicit(&b->kind_and_order, memory_order_acquire) == (FRAME_FREE | order << 8) ? b : nullptr;
}

static void block_push(struct frame *f, unsigned order) REQUIRES(frames.lock) {
    frame_set(f, FRAME_FREE, order);
    list_push_front(&frames.free[order], &f->link);
}

static void block_give(struct frame *f, unsigned order) REQUIRES(frames.lock) {
    free_count_add(1L << order);
    struct frame *b;
    while (order < ORDER_MAX && (b = block_buddy(f, order))) {
        list_remove(&b->link);
        b->order = ORDER_NONE;
        f = f < b ? f : b;
        order++;
    }
    block_push(f, order);
}

static bool block_below(const struct frame *f, unsigned order, paddr_t below) {
    return !below || frame_paddr(f) + (PAGE_SIZE << order) <= below;
}

static struct frame *block_take(unsigned order, paddr_t below) REQUIRES(frames.lock) {
    for (unsigned from = order; from <= ORDER_MAX; from++) {
        list_for_each (n, &frames.free[from]) {
            struct frame *f = list_entry(n, struct frame, link);
            if (!block_below(f, order, below)) continue;
            list_remove(&f->link);
            f->order = ORDER_NONE;
            while (from > order) {
                from--;
                block_push(f + (1UL << from), from);
            }
            free_count_add(-(1L << order));
            return f;
        }
    }
    return nullptr;
}

/* --- single frames ------------------------------------------------------------------------------ */

static struct frame *cache_refill(unsigned cpu) {
    spin_lock(&frames.lock);
    struct frame *f = nullptr;
    unsigned order = CACHE_FILL_ORDER + 1;
    while (!f && order--) f = block_take(order, 0);
    spin_unlock(&frames.lock);
    if (!f) return nullptr;
    for (size_t i = (1UL << order) - 1; i > 0; i--) {
        frame_set(&f[i], FRAME_FREE, ORDER_NONE);
        f[i].link.next = (struct list *)caches[cpu].head;
        caches[cpu].head = &f[i];
    }
    caches[cpu].count += (1U << order) - 1;
    return f;
}

static void cache_drain(unsigned cpu) {
    spin_lock(&frames.lock);
    for (unsigned n = 0; n < CACHE_DRAIN && caches[cpu].count; n++) {
        struct frame *f = caches[cpu].head;
        caches[cpu].head = (struct frame *)f->link.next;
        caches[cpu].count--;
        block_give(f, 0);
    }
    spin_unlock(&frames.lock);
}

static void frame_begin(struct frame *f, enum frame_kind kind, unsigned order) {
    ASSERT(atomic_load_explicit(&f->refs, memory_order_relaxed) == 0);
    atomic_store_explicit(&f->refs, 1, memory_order_relaxed);
    frame_set(f, kind, order);
    f->state = f->flags = 0;
    list_init(&f->link);
    kasan_unpoison(frame_virt(f), PAGE_SIZE);
}

static void frame_end(struct frame *f) {
    ASSERT(f->kind > FRAME_FREE && atomic_load(&f->write_pins) == 0);
    atomic_store_explicit(&f->refs, 0, memory_order_relaxed);
    frame_set(f, FRAME_FREE, ORDER_NONE);
    kasan_poison(frame_virt(f), PAGE_SIZE, KASAN_FREE_FRAME);
}

struct frame *frame_take(enum frame_kind kind) {
    if (unlikely(alloc_fails())) return nullptr;
    unsigned cpu = cpu_current()->id;
    struct frame *f = caches[cpu].head;
    if (likely(f != nullptr)) {
        caches[cpu].head = (struct frame *)f->link.next;
        caches[cpu].count--;
    } else if (!(f = cache_refill(cpu))) {
        return nullptr;
    }
    frame_begin(f, kind, 0);
    return f;
}

struct frame *frame_alloc(enum frame_kind kind) {
    if (unlikely(frames.free_count < frames.low_mark)) {
        memory_reclaim(RECLAIM_BATCH, frames.cache_floor);
        if ((kind == FRAME_PRIVATE || kind == FRAME_OBJECT) && frames.free_count < frames.reserve) return nullptr;
    }
    return frame_take(kind);
}

struct frame *frame_alloc_zeroed(enum frame_kind kind) {
    struct frame *f = frame_alloc(kind);
    if (likely(f != nullptr)) page_clear(frame_virt(f));
    return f;
}

void frame_free(struct frame *f) {
    unsigned cpu = cpu_current()->id;
    if (f->kind == FRAME_PRIVATE) quota_release(f->quota, 1);
    frame_end(f);
    f->link.next = (struct list *)caches[cpu].head;
    caches[cpu].head = f;
    /* When memory is short, what reclaim frees must count, and be there for every CPU. */
    uint32_t most = frames.free_count < frames.low_mark ? 0 : CACHE_MAX;
    if (unlikely(++caches[cpu].count > most)) cache_drain(cpu);
}

struct frame *frame_alloc_run(unsigned order, enum frame_kind kind, paddr_t below) {
    if (order > ORDER_MAX || alloc_fails()) return nullptr;
    spin_lock(&frames.lock);
    struct frame *f = block_take(order, below);
    spin_unlock(&frames.lock);
    for (size_t i = 0; f && i < 1UL << order; i++) frame_begin(&f[i], kind, order);
    return f;
}

void frame_free_run(struct frame *f, unsigned order) {
    for (size_t i = 0; i < 1UL << order; i++) frame_end(&f[i]);
    spin_lock(&frames.lock);
    block_give(f, order);
    spin_unlock(&frames.lock);
}

paddr_t frame_alloc_table(void) {
    unsigned cpu = cpu_current()->id;
    if (likely(caches[cpu].table_count)) return alloc_fails() ? 0 : caches[cpu].tables[--caches[cpu].table_count];
    struct frame *f = frame_take(FRAME_TABLE);
    if (!f) return 0;
    page_clear(frame_virt(f));
    return frame_paddr(f);
}

void frame_free_table(paddr_t pa) {
    unsigned cpu = cpu_current()->id;
    const uint64_t *entries = phys_to_virt(pa);
    for (size_t i = 0; CATHODE_DEBUG && i < PAGE_SIZE / sizeof(*entries); i++) ASSERT(!entries[i]);
    if (likely(caches[cpu].table_count < TABLES_KEPT)) caches[cpu].tables[caches[cpu].table_count++] = pa;
    else frame_free(frame_of(pa));
}

/* Of other CPUs' caches: about. */
RACE_INTENDED uint64_t frame_free_count(void) {
    uint64_t n = atomic_load_explicit(&frames.free_count, memory_order_relaxed);
    for (unsigned i = 0; i < CPU_MAX; i++) n += caches[i].count + caches[i].table_count;
    return n;
}

uint64_t frame_total_count(void) { return frames.total; }

/* --- boot --------------------------------------------------------------------------------------- */

void frame_release_boot(paddr_t start, paddr_t end) {
    start = align_up(max(start, (paddr_t)LOW_MEMORY_END), PAGE_SIZE);
    spin_lock(&frames.lock);
    while (start + PAGE_SIZE <= end) {
        unsigned order = ORDER_MAX;
        while (start % (PAGE_SIZE << order) || start + (PAGE_SIZE << order) > end) order--;
        ASSERT(frame_of(start)->kind <= FRAME_KERNEL);
        block_give(frame_of(start), order);
        frames.total += 1UL << order;
        start += PAGE_SIZE << order;
    }
    spin_unlock(&frames.lock);
}

/* Takes room for a table from the end of a free range that is large enough. */
static BOOT_CODE struct frame *table_carve(struct boot_range *ranges, uint32_t count, uint64_t entries) {
    uint64_t size = align_up(entries * sizeof(struct frame), PAGE_SIZE);
    if (!size) return nullptr;
    for (uint32_t i = count; i-- > 0;) {
        struct boot_range *r = &ranges[i];
        if (r->kind != BOOT_MEMORY_FREE || r->length < size || r->start < LOW_MEMORY_END) continue;
        r->length -= size;
        struct frame *table = phys_to_virt(r->start + r->length);
        memset(table, 0, size);
        return table;
    }
    panic("no room for the table of %lu frames", entries);
}

BOOT_CODE void frame_init(const struct bootinfo *boot) {
    static BOOT_DATA struct boot_range ranges[BOOT_RANGES_MAX];
    paddr_t low_end = 0, high_end = FRAME_HIGH_START;
    memcpy(ranges, boot->ranges, sizeof(ranges));
    for (uint32_t i = 0; i < boot->range_count + boot->module_count; i++) {
        bool module = i >= boot->range_count;
        const struct boot_module *m = &boot->modules[module ? i - boot->range_count : 0];
        if (!module && ranges[i].kind != BOOT_MEMORY_FREE) continue;
        paddr_t start = module ? m->start : ranges[i].start;
        paddr_t end = align_up(start + (module ? m->length : ranges[i].length), PAGE_SIZE);
        low_end = max(low_end, min(end, (paddr_t)FRAME_HIGH_START));
        high_end = max(high_end, end);
        if (module) frames.total += align_up(m->length, PAGE_SIZE) >> PAGE_SHIFT;
    }
    low_end = max(low_end, align_up(boot->image_end, PAGE_SIZE));
    uint64_t high_count = (high_end - FRAME_HIGH_START) >> PAGE_SHIFT;
    frame_table.low = table_carve(ranges, boot->range_count, low_end >> PAGE_SHIFT);
    frame_table.high = table_carve(ranges, boot->range_count, high_count);
    frame_table.low_count = low_end >> PAGE_SHIFT;
    frame_table.high_count = high_count;

    for (paddr_t pa = boot->image_start; pa < boot->image_end; pa += PAGE_SIZE)
        frame_of(pa)->kind = FRAME_KERNEL; /* no driver may map it */
    for (unsigned i = 0; i <= ORDER_MAX; i++) list_init(&frames.free[i]);
    for (uint32_t i = 0; i < boot->range_count; i++)
        if (ranges[i].kind == BOOT_MEMORY_FREE) frame_release_boot(ranges[i].start, ranges[i].start + ranges[i].length);
    frames.low_mark = min(frames.total / 32, 4096UL);
    frames.reserve = frames.low_mark / 2;
    frames.cache_floor = frames.low_mark / 4;
    frame_zero = frame_take(FRAME_KERNEL);
    if (!frame_zero) panic("no usable memory");
    page_clear(frame_virt(frame_zero));
    kmalloc_init();
    klog(LOG_INFO, "memory: %lu MiB free", frames.total >> (20 - PAGE_SHIFT));
}
