// SPDX-License-Identifier: MIT
/* Ranges: one owner's locks never overlap, and equal neighbours are one. */
#include <fs_lock.h>
#include <stdlib.h>

#include <abi/errno.h>

static bool overlaps(const struct fs_lock *a, const struct fs_lock *b) {
    return a->start <= b->end && b->start <= a->end;
}

static bool touches(const struct fs_lock *a, const struct fs_lock *b) {
    return (b->end == INT64_MAX || a->start <= b->end + 1) && (a->end == INT64_MAX || b->start <= a->end + 1);
}

struct fs_lock *lock_conflict(struct fs_lock *list, const struct fs_lock *want) {
    for (struct fs_lock *l = list; l; l = l->next)
        if (l->owner != want->owner && overlaps(l, want) && (l->type == LOCK_EXCLUSIVE || want->type == LOCK_EXCLUSIVE))
            return l;
    return nullptr;
}

static void lock_insert(struct fs_lock **list, struct fs_lock *l) {
    while (*list && (*list)->start < l->start) list = &(*list)->next;
    l->next = *list;
    *list = l;
}

/* Takes out of the list what `cut` covers of l at *p; the part behind a hole goes into *rest. */
static void lock_cut(struct fs_lock **p, const struct fs_lock *cut, struct fs_lock **rest) {
    struct fs_lock *l = *p;
    bool head = l->start<cut->start, tail = l->end> cut->end;
    if (head && tail) {
        struct fs_lock *r = *rest;
        *rest = nullptr;
        *r = *l;
        r->start = cut->end + 1;
        l->end = cut->start - 1;
        lock_insert(&l->next, r);
    } else if (head) {
        l->end = cut->start - 1;
    } else {
        *p = l->next;
        if (tail) {
            l->start = cut->end + 1;
            lock_insert(p, l);
        } else {
            free(l);
        }
    }
}

int lock_set(struct fs_lock **list, const struct fs_lock *want) {
    struct fs_lock *set = malloc(sizeof(*set)), *rest = malloc(sizeof(*rest));
    if (!set || !rest) {
        free(set);
        free(rest);
        return -ENOLCK;
    }
    *set = *want;
    /* committed: nothing below can fail */
    for (struct fs_lock **p = list; *p;) {
        struct fs_lock *l = *p;
        if (l->owner == want->owner && l->type == want->type && touches(l, set)) {
            set->start = l->start < set->start ? l->start : set->start;
            set->end = l->end > set->end ? l->end : set->end;
            *p = l->next;
            free(l);
        } else if (l->owner == want->owner && l->type != want->type && overlaps(l, want)) {
            lock_cut(p, want, &rest);
            if (*p == l) p = &l->next;
        } else {
            p = &l->next;
        }
    }
    if (want->type != LOCK_NONE) lock_insert(list, set);
    else free(set);
    free(rest);
    return 0;
}

bool lock_drop(struct fs_lock **list, uint64_t owner) {
    bool any = false;
    while (*list) {
        struct fs_lock *l = *list;
        if (l->owner == owner) {
            *list = l->next;
            free(l);
            any = true;
        } else {
            list = &l->next;
        }
    }
    return any;
}
