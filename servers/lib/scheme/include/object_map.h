// SPDX-License-Identifier: MIT
/*
 * Object ids ↔ a server's structures.  An id names a slot and its use count, so that an old id never
 * finds a newer object; 0 is no object (it means the scheme itself).
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct object_slot {
    void *object; /* null: free */
    uint32_t use, next_free;
};
struct object_map { /* zero is empty */
    struct object_slot *slots;
    uint32_t capacity, first_free, count; /* first_free: index + 1 */
};

uint64_t object_add(struct object_map *m, void *object); /* 0: no memory */
/* With an id of another map. False: no memory, or the slot is taken. */
bool object_add_as(struct object_map *m, uint64_t id, void *object);
void object_remove(struct object_map *m, uint64_t id); /* id must be valid */
void object_map_free(struct object_map *m);

static inline void *object_get(const struct object_map *m, uint64_t id) {
    uint32_t index = (uint32_t)id - 1;
    if (index >= m->capacity || m->slots[index].use != id >> 32) return nullptr;
    return m->slots[index].object;
}
