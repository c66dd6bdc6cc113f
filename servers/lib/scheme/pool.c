// SPDX-License-Identifier: MIT
#include <pool.h>
#include <stdlib.h>

#define BLOCK_OBJECTS 32
#define BLOCK_HEADER 16 /* the next block */

void *pool_grow(struct pool *p) {
    char *block = malloc(BLOCK_HEADER + BLOCK_OBJECTS * p->size), *objects = block + BLOCK_HEADER;
    if (!block) return nullptr;
    *(void **)block = p->blocks;
    p->blocks = block;
    for (size_t i = BLOCK_OBJECTS - 1; i > 0; i--) pool_put(p, objects + i * p->size);
    return objects;
}

void pool_fini(struct pool *p) {
    for (void *block = p->blocks, *next; block; block = next) {
        next = *(void **)block;
        free(block);
    }
    p->free = p->blocks = nullptr;
}
