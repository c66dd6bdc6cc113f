// SPDX-License-Identifier: MIT
/*
 * kmalloc: size classes over slabs of one page (Bonwick, USENIX 1994), with a list of free
 * objects per class and CPU in front, which needs no lock because the kernel isn't preempted. Above
 * the largest class whole runs of frames are given out, or mapped together if memory has no such run.
 *
 * Debug builds put a tail behind each object: its size, its allocator's address and a pattern that a
 * write beyond the end destroys; freed objects are filled with POISON, and checked when reused.
 */
#include <kernel/lib.h>
#include <kernel/mm.h>
#include <kernel/process.h>
#include <kernel/sanitizer.h>

#define CLASS_COUNT 16
#define SIZE_MAX_ORDER 4 /* 64 KiB */
#define BATCH 16 /* objects moved between a CPU's list and the slabs at once */
#define POISON 0x6b
#define TAIL_MAGIC 0x5afe7a11U

static const uint16_t class_size[CLASS_COUNT] = {16,  32,  48,  64,  96,   128,  192,  256,
                                                 320, 384, 512, 768, 1024, 1344, 2048, 4096};
static uint8_t class_of[4096 / 16 + 1]; /* by size in units of 16, rounded up */

static struct {
    struct spinlock lock;
    struct list partial[CLASS_COUNT] GUARDED_BY(lock); /* slabs with free objects: frame.link */
} slabs = {.lock = SPINLOCK_INIT(RANK_SLAB)};

static struct [[gnu::aligned(64)]] {
    struct {
        void *head; /* linked through the objects' first word */
        uint32_t count;
    } class[CLASS_COUNT];
    int64_t live; /* bytes; may be negative on one CPU */
} local[CPU_MAX];

static void **next_of(void *object) { return object; }

/* --- slabs -------------------------------------------------------------------------------------- */

static struct frame *slab_create(unsigned class) REQUIRES(slabs.lock) {
    struct frame *f = frame_take(FRAME_SLAB);
    if (!f) return nullptr;
    f->index = class;
    f->inuse = 0;
    f->free = nullptr;
    uint8_t *base = frame_virt(f);
    size_t size = class_size[class];
#if CATHODE_DEBUG
    memset(base, POISON, PAGE_SIZE);
#endif
    for (size_t at = PAGE_SIZE / size; at-- > 0;) {
        *next_of(base + at * size) = f->free;
        f->free = base + at * size;
    }
    kasan_poison(base, PAGE_SIZE, KASAN_FREED);
    list_push_front(&slabs.partial[class], &f->link);
    return f;
}

static void *local_refill(unsigned cpu, unsigned class) {
    spin_lock(&slabs.lock);
    struct list *partial = &slabs.partial[class];
    unsigned moved = 0;
    while (moved < BATCH) {
        struct frame *f =
            list_empty(partial) ? moved ? nullptr : slab_create(class) : list_entry(partial->next, struct frame, link);
        if (!f) break;
        for (; f->free && moved < BATCH; moved++, f->inuse++) {
            void *object = f->free;
            f->free = *next_of(object);
            *next_of(object) = local[cpu].class[class].head;
            local[cpu].class[class].head = object;
        }
        if (!f->free) list_remove(&f->link);
    }
    local[cpu].class[class].count += moved;
    spin_unlock(&slabs.lock);
    return local[cpu].class[class].head;
}

static void local_drain(unsigned cpu, unsigned class) {
    spin_lock(&slabs.lock);
    for (unsigned i = 0; i < BATCH; i++) {
        void *object = local[cpu].class[class].head;
        local[cpu].class[class].head = *next_of(object);
        struct frame *f = frame_of(virt_to_phys(object));
        if (!f->free) list_push_front(&slabs.partial[class], &f->link);
        *next_of(object) = f->free;
        f->free = object;
        if (--f->inuse == 0) {
            list_remove(&f->link);
            frame_free(f);
        }
    }
    local[cpu].class[class].count -= BATCH;
    spin_unlock(&slabs.lock);
}

/* --- checks of debug builds --------------------------------------------------------------------- */

#if CATHODE_DEBUG
struct tail {
    uint32_t size, magic;
    uintptr_t caller;
};
#define TAIL sizeof(struct tail)

static struct {
    _Atomic uint32_t pid;
    _Atomic int64_t countdown;
} fail;

void alloc_fail_nth(uint32_t pid, uint64_t nth) {
    atomic_store(&fail.pid, 0);
    atomic_store(&fail.countdown, (int64_t)nth);
    atomic_store(&fail.pid, nth ? pid : 0);
}

bool alloc_fails(void) {
    uint32_t pid = atomic_load_explicit(&fail.pid, memory_order_relaxed);
    struct thread *t = pid ? thread_current() : nullptr;
    return t && (t->process ? t->process->pid : ALLOC_FAIL_KERNEL) == pid && atomic_fetch_sub(&fail.countdown, 1) == 1;
}

static struct tail *tail_of(void *object, size_t room) { return (struct tail *)((char *)object + room - TAIL); }

static void tail_set(void *object, size_t room, size_t size, void *caller) {
    const uint8_t *p = object;
    for (size_t i = sizeof(void *); room <= 4096 && i < room; i++)
        if (p[i] != POISON) panic("freed memory %p (room %lu) was written at +%lu", object, room, i);
    memset(object, POISON ^ 0xff, room);
    *tail_of(object, room) = (struct tail){(uint32_t)size, TAIL_MAGIC, (uintptr_t)caller};
    kasan_poison(object, room, KASAN_REDZONE);
    kasan_unpoison(object, size);
}

static void tail_check(void *object, size_t room) {
    const struct tail *t = tail_of(object, room);
    const uint8_t *p = object;
    bool good = t->magic == TAIL_MAGIC && t->size + TAIL <= room;
    for (size_t i = t->size; good && i < room - TAIL; i++) good = p[i] == (POISON ^ 0xff);
    if (!good) panic("memory %p (room %lu) was written beyond its end, or freed twice", object, room);
    memset(object, POISON, room);
    kasan_poison(object, room, KASAN_FREED);
}
#else
#define TAIL 0UL
void alloc_fail_nth(uint32_t, uint64_t) {}
static void tail_set(void *, size_t, size_t, void *) {}
static void tail_check(void *, size_t) {}
#endif

/* --- kmalloc ------------------------------------------------------------------------------------ */

#define LARGE_MAX_ORDER (SIZE_MAX_ORDER + (TAIL ? 1 : 0))

static void *large_alloc(size_t size, void *caller) {
    unsigned order = 1;
    while (order <= LARGE_MAX_ORDER && PAGE_SIZE << order < size) order++;
    if (order > LARGE_MAX_ORDER) return nullptr;
    struct frame *f = frame_alloc_run(order, FRAME_KERNEL, 0);
    size_t room = f ? PAGE_SIZE << order : align_up(size, PAGE_SIZE);
    void *p = f ? frame_virt(f) : vmap_alloc(room / PAGE_SIZE);
    if (!p) return nullptr;
    local[cpu_current()->id].live += (int64_t)room;
    tail_set(p, room, size - TAIL, caller);
    return p;
}

static bool is_mapped(const void *p) { return (vaddr_t)p >= KERNEL_VMAP_START && (vaddr_t)p < KERNEL_VMAP_END; }

static void large_free(void *p) {
    struct frame *f = is_mapped(p) ? nullptr : frame_of(virt_to_phys(p));
    size_t room = f ? PAGE_SIZE << f->order : vmap_length(p);
    tail_check(p, room);
    local[cpu_current()->id].live -= (int64_t)room;
    if (f) frame_free_run(f, f->order);
    else vmap_free(p);
}

static void *allocate(size_t size, void *caller) {
    if (alloc_fails()) return nullptr;
    size_t room = size + TAIL;
    if (unlikely(room > 4096 || room < size)) return room < size ? nullptr : large_alloc(room, caller);
    unsigned cpu = cpu_current()->id, class = class_of[(room + 15) / 16];
    void *object = local[cpu].class[class].head;
    if (unlikely(!object) && !(object = local_refill(cpu, class))) return nullptr;
    local[cpu].class[class].head = *next_of(object);
    local[cpu].class[class].count--;
    local[cpu].live += class_size[class];
    tail_set(object, class_size[class], size, caller);
    return object;
}

void *kmalloc(size_t size) { return allocate(size, __builtin_return_address(0)); }

void *kzalloc(size_t size) {
    void *p = allocate(size, __builtin_return_address(0));
    return p ? memset(p, 0, size) : nullptr;
}

void kfree(void *p) {
    if (!p) return;
    struct frame *f = is_mapped(p) ? nullptr : frame_of(virt_to_phys(p));
    if (unlikely(!f || f->kind == FRAME_KERNEL)) {
        large_free(p);
        return;
    }
    ASSERT(f->kind == FRAME_SLAB);
    unsigned cpu = cpu_current()->id;
    unsigned class = (unsigned)f->index;
    tail_check(p, class_size[class]);
    *next_of(p) = local[cpu].class[class].head;
    local[cpu].class[class].head = p;
    local[cpu].live -= class_size[class];
    if (unlikely(++local[cpu].class[class].count > 2 * BATCH)) local_drain(cpu, class);
}

/* Of other CPUs' counts: about. */
RACE_INTENDED size_t kmalloc_total(void) {
    int64_t total = 0;
    for (unsigned i = 0; i < CPU_MAX; i++) total += local[i].live;
    return (size_t)total;
}

BOOT_CODE void kmalloc_init(void) {
    for (unsigned class = 0, unit = 0; class < CLASS_COUNT; class ++) {
        list_init(&slabs.partial[class]);
        for (; unit <= class_size[class] / 16U; unit++) class_of[unit] = (uint8_t)class;
    }
}
