// SPDX-License-Identifier: MIT
/* Object ids: slot index + 1 in the low half, use count of the slot in the high half. */
#include <object_map.h>
#include <stdlib.h>

static int map_grow(struct object_map *m) {
    uint32_t capacity = m->capacity ? m->capacity * 2 : 64;
    struct object_slot *slots = realloc(m->slots, capacity * sizeof(*slots));
    if (!slots) return -1;
    for (uint32_t i = m->capacity; i < capacity; i++)
        slots[i] = (struct object_slot){.use = 1, .next_free = i + 2 <= capacity ? i + 2 : m->first_free};
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

bool object_add_as(struct object_map *m, uint64_t id, void *object) {
    uint32_t place = (uint32_t)id, *before = &m->first_free;
    while (place > m->capacity)
        if (m->capacity >= 1u << 24 || map_grow(m) != 0) return false;
    while (*before && *before != place) before = &m->slots[*before - 1].next_free;
    if (place == 0 || *before != place) return false;
    struct object_slot *slot = &m->slots[place - 1];
    *before = slot->next_free;
    slot->object = object;
    slot->use = (uint32_t)(id >> 32);
    m->count++;
    return true;
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
