// SPDX-License-Identifier: MIT
/*
 * Objects of one size that come and go all the time: what is put back is what is given out next.
 * Memory is kept for reuse, in blocks of many objects, until pool_fini().
 */
#pragma once
#include <stddef.h>

struct pool {
    size_t size; /* of an object, a multiple of 16; set before the first use */
    void *free, *blocks;
};
#define POOL_OF(type) ((struct pool){.size = (sizeof(type) + 15) & ~(size_t)15})

void *pool_grow(struct pool *p);
/* Uninitialised; null: no memory. */
static inline void *pool_get(struct pool *p) {
    void *object = p->free;
    if (!object) return pool_grow(p);
    p->free = *(void **)object;
    return object;
}
static inline void pool_put(struct pool *p, void *object) {
    *(void **)object = p->free;
    p->free = object;
}
void pool_fini(struct pool *p); /* frees all, also what is in use */
