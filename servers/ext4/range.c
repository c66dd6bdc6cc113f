// SPDX-License-Identifier: MIT
#include "range.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t overlap(const struct range *r, uint64_t first, uint64_t end) {
    uint64_t from = r->first > first ? r->first : first, to = r->end < end ? r->end : end;
    return from < to ? to - from : 0;
}

uint64_t range_missing(const struct range_set *s, uint64_t first, uint64_t end) {
    uint64_t missing = end - first;
    for (uint32_t i = 0; i < s->count; i++) missing -= overlap(&s->ranges[i], first, end);
    return missing;
}

static int room_make(struct range_set *s) {
    if (s->count < s->capacity) return 0;
    uint32_t capacity = s->capacity ? s->capacity * 2 : 4;
    struct range *ranges = realloc(s->ranges, capacity * sizeof(*ranges));
    if (!ranges) return -ENOMEM;
    s->ranges = ranges;
    s->capacity = capacity;
    return 0;
}

static void insert_at(struct range_set *s, uint32_t at, struct range r) {
    memmove(&s->ranges[at + 1], &s->ranges[at], (s->count - at) * sizeof(r));
    s->ranges[at] = r;
    s->count++;
}

static void delete_at(struct range_set *s, uint32_t at) {
    s->count--;
    memmove(&s->ranges[at], &s->ranges[at + 1], (s->count - at) * sizeof(s->ranges[0]));
}

int range_add(struct range_set *s, uint64_t first, uint64_t end) {
    if (room_make(s) < 0) return -ENOMEM;
    uint32_t at = 0;
    while (at < s->count && s->ranges[at].end < first) at++;
    while (at < s->count && s->ranges[at].first <= end) { /* takes in what it touches */
        if (s->ranges[at].first < first) first = s->ranges[at].first;
        if (s->ranges[at].end > end) end = s->ranges[at].end;
        delete_at(s, at);
    }
    insert_at(s, at, (struct range){first, end});
    return 0;
}

uint64_t range_remove(struct range_set *s, uint64_t first, uint64_t end) {
    uint64_t removed = 0;
    for (uint32_t at = 0; at < s->count;) {
        struct range *r = &s->ranges[at];
        uint64_t common = overlap(r, first, end);
        removed += common;
        if (!common) {
            at++;
        } else if (r->first >= first && r->end <= end) {
            delete_at(s, at);
        } else if (r->first < first && r->end > end) {
            struct range right = {end, r->end};
            if (room_make(s) == 0) insert_at(s, at + 1, right);
            else removed += right.end - right.first;
            s->ranges[at].end = first;
            at += 2;
        } else {
            if (r->first < first) r->end = first;
            else r->first = end;
            at++;
        }
    }
    return removed;
}

void range_free(struct range_set *s) {
    free(s->ranges);
    *s = (struct range_set){};
}
