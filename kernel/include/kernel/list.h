// SPDX-License-Identifier: MIT
/* Circular doubly linked intrusive list. A node not in a list points to itself. */
#pragma once
#include <kernel/types.h>

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }
static inline void list_insert_between(struct list *n, struct list *p, struct list *x) {
    n->prev = p;
    n->next = x;
    p->next = n;
    x->prev = n;
}
static inline void list_push_back(struct list *l, struct list *n) { list_insert_between(n, l->prev, l); }
static inline void list_push_front(struct list *l, struct list *n) { list_insert_between(n, l, l->next); }
static inline void list_remove(struct list *n) {
    n->prev->next = n->next;
    n->next->prev = n->prev;
    n->next = n->prev = n;
}
static inline struct list *list_pop_front(struct list *l) {
    struct list *n = l->next;
    if (n == l) return nullptr;
    list_remove(n);
    return n;
}

#define list_entry(n, type, member) container_of(n, type, member)
#define list_for_each(n, l) for (struct list *n = (l)->next; n != (l); n = n->next)
#define list_for_each_safe(n, l)                                                                                       \
    for (struct list *n = (l)->next, *n##_next = n->next; n != (l); n = n##_next, n##_next = n->next)
