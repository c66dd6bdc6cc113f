// SPDX-License-Identifier: MIT
/* The tree of services and processes as lines (page.h). */
#include "page.h"
#include <stdlib.h>

#define INIT_PID 1

static void row_add(struct tree *t, struct process *process, const struct service *service, uint32_t depth) {
    if (t->count == t->room) {
        size_t wanted = t->room ? t->room * 2 : 64;
        struct tree_row *grown = realloc(t->rows, wanted * sizeof(*grown));
        if (!grown) return;
        t->rows = grown;
        t->room = wanted;
    }
    if (process) process->listed = true;
    t->rows[t->count++] = (struct tree_row){.process = process, .service = service, .depth = depth};
}

static void children_add(struct tree *t, struct processes *p, uint32_t parent, uint32_t depth) {
    if (depth == TREE_DEPTH_MAX) return;
    for (size_t i = 0; i < p->count; i++) {
        struct process *child = &p->list[i];
        if (child->state.parent != parent || child->listed) continue;
        row_add(t, child, nullptr, depth);
        children_add(t, p, child->state.pid, depth + 1);
    }
}

static void siblings_find(struct tree *t) {
    uint32_t more = 0;
    for (size_t i = t->count; i-- > 0;) {
        struct tree_row *r = &t->rows[i];
        r->siblings = more;
        more = (more & ((1u << r->depth) - 1)) | 1u << r->depth;
    }
}

void tree_make(struct tree *t, struct processes *p) {
    t->count = 0;
    for (size_t i = 0; i < p->count; i++) p->list[i].listed = false;
    row_add(t, process_find(p, INIT_PID), nullptr, 0);
    for (size_t i = 0; i < p->service_count; i++) {
        const struct service *s = &p->services[i];
        struct process *process = s->pid ? process_find(p, s->pid) : nullptr;
        if (!process || process->listed) continue;
        row_add(t, process, s, 1);
        children_add(t, p, s->pid, 2);
    }
    children_add(t, p, INIT_PID, 1);
    for (size_t i = 0; i < p->service_count; i++)
        if (!p->services[i].pid) row_add(t, nullptr, &p->services[i], 1);
    siblings_find(t);
}
