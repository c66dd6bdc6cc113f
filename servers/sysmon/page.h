// SPDX-License-Identifier: MIT
/* The page: panels of graphs and figures above, the tree of services below. */
#pragma once
#include "canvas.h"
#include "figures.h"

struct page {
    int scrolled; /* lines of the tree above the first that is seen; kept within what there is */
    int lines; /* of the tree that there is place for */
};
void page_draw(struct page *p, struct canvas *c, const struct figures *f, struct processes *all);

/* --- tree.c --- */
#define TREE_DEPTH_MAX 16
struct tree_row {
    const struct process *process; /* null: a service that doesn't run */
    const struct service *service; /* null: a process that is none */
    uint32_t depth;
    uint32_t siblings; /* by depth: is there another one below? */
};
struct tree {
    struct tree_row *rows;
    size_t count, room;
};
/* init, its services, and below each the processes that it has started. */
void tree_make(struct tree *t, struct processes *p);
