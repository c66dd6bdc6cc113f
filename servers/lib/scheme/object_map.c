// SPDX-License-Identifier: MIT
/* Object ids: slot index + 1 in the low half, use count of the slot in the high half. */
#include <object_map.h>
#include <stdlib.h>
#include <time.h>

/* The use counts begin anywhere: an id of an earlier instance of this server is none of ours, so that the CLOSE of a
 * file that it had opened closes nothing here. */
static uint32_t first_use(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint32_t)t.tv_sec * 1000000000u + (uint32_t)t.tv_nsec;
}

static int map_grow(struct object_map *m) {
    uint32_t capacity = m->capacity ? m->capacity * 2 : 64;
    struct object_slot *slots = realloc(m->slots, capacity * sizeof(*slots));
    if (!slots) return -1;
    uint32_t use = first_use();
    for (uint32_t i = m->capacity; i < capacity; i++)
        slots[i] = (struct object_slot){.use = use, .next_free = i + 2 <= capacity ? i + 2 : 0};
    m->first_free = m->capacity + 1;
    m->slots = slots;
    m->capacity = capacity;
    return 0;
}

uint64_t object_add(struct object_map *m, void *object) {
    if (!m->first_free && map_grow(m) != 0) return 0;
    uint32_t index = m->first_free - 1;
    struct object_slot *slot = &m->slots[index];
    m->first_free = slot->next_free;
    m->count++;
    slot->object = object;
    return (uint64_t)slot->use << 32 | (index + 1);
}

void object_remove(struct object_map *m, uint64_t id) {
    uint32_t index = (uint32_t)id - 1;
    struct object_slot *slot = &m->slots[index];
    slot->object = nullptr;
    slot->use++;
    slot->next_free = m->first_free;
    m->first_free = index + 1;
    m->count--;
}

void object_map_free(struct object_map *m) {
    free(m->slots);
    *m = (struct object_map){};
}
