// SPDX-License-Identifier: MIT
#include "memory.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CLASSES 10
#define SLAB 36864u /* of pages; the largest class is for 32 KiB with headers */
#define REGION_MAX (32u << 20)
#define OWN (16u << 20) /* of addresses: memory comes when it is touched */

#define SPARE (16 * SLAB) /* what is left for small pieces when all would be large */

static const uint16_t sizes[CLASSES] = {64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, SLAB};
struct block {
    struct block *next;
};
/* A region is cut into slabs of one class each; from `cut` on it is unused. A free block of the last class is a slab
 * that any class may have. */
static struct region {
    uint8_t *base;
    size_t size, cut;
    struct block *free[CLASSES];
    uint8_t slab_class[REGION_MAX / SLAB];
} own, cards;

static void *region_take(struct region *r, size_t size) {
    size = (size + SLAB - 1) / SLAB * SLAB;
    if (size > r->size - r->cut) return nullptr;
    r->cut += size;
    return r->base + r->cut - size;
}

static uint8_t *slab_take(struct region *r) {
    struct block *b = r->free[CLASSES - 1];
    if (!b) return region_take(r, SLAB);
    r->free[CLASSES - 1] = b->next;
    return (uint8_t *)b;
}

static void *region_alloc(struct region *r, unsigned class) {
    if (!r->free[class]) {
        uint8_t *slab = slab_take(r);
        if (!slab) return nullptr;
        r->slab_class[(size_t)(slab - r->base) / SLAB] = (uint8_t)class;
        for (size_t at = 0; at + sizes[class] <= SLAB; at += sizes[class]) {
            struct block *b = (struct block *)(slab + at);
            b->next = r->free[class];
            r->free[class] = b;
        }
    }
    struct block *b = r->free[class];
    r->free[class] = b->next;
    return b;
}

static struct region *region_of(const uint8_t *p) {
    return p >= own.base && p < own.base + own.size         ? &own
           : p >= cards.base && p < cards.base + cards.size ? &cards
                                                            : nullptr;
}

void pool_give(uint8_t *pool, size_t size) { cards = (struct region){.base = pool, .size = size}; }

void *pool_take(size_t size) { return region_take(&cards, size); }

static unsigned class_of(size_t size) {
    unsigned class = 0;
    while (class < CLASSES && sizes[class] < size) class ++;
    return class;
}

bool pool_has(size_t size) {
    unsigned class = class_of(size);
    return !cards.size || (class < CLASSES && (cards.free[class] || cards.size - cards.cut >= SPARE));
}

void *net_own_malloc(size_t size) {
    unsigned class = class_of(size);
    if (class == CLASSES) return malloc(size);
    if (!own.size) {
        void *memory = mmap(nullptr, OWN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) return nullptr;
        own = (struct region){.base = memory, .size = OWN};
    }
    void *p = region_alloc(&own, class);
    return p ? p : malloc(size);
}

void *net_malloc(size_t size) {
    unsigned class = class_of(size);
    void *p = nullptr;
    for (; cards.size && class < CLASSES && !p; class ++) p = region_alloc(&cards, class);
    return p ? p : net_own_malloc(size);
}

void *net_calloc(size_t count, size_t size) {
    void *p = net_malloc(count * size);
    if (p) memset(p, 0, count * size);
    return p;
}

void net_free(void *p) {
    struct region *r = region_of(p);
    if (!r) return free(p);
    unsigned class = r->slab_class[(size_t)((uint8_t *)p - r->base) / SLAB];
    struct block *b = p;
    b->next = r->free[class];
    r->free[class] = b;
}
