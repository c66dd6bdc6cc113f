// SPDX-License-Identifier: MIT
/*
 * The process tree: who exists, who is whose child.  Everything under process_lock.
 *
 * The tree holds one reference to each process, from process_link() until it is waited for
 * (process_unlink).  A child's parent pointer needs none: before a process ends for good its
 * children are given to somebody else.
 */
#include "process_impl.h"

struct spinlock process_lock = SPINLOCK_INIT(RANK_PROCESS);
struct process *process_init;
static struct tree processes GUARDED_BY(process_lock);

struct process *process_at(uint32_t pid) {
    struct tree_node *n = tree_find_le(&processes, pid);
    return n && n->key == pid ? container_of(n, struct process, node) : nullptr;
}

struct process *process_next(uint32_t pid) {
    struct tree_node *n = tree_find_ge(&processes, (uint64_t)pid + 1);
    return n ? container_of(n, struct process, node) : nullptr;
}

struct process *process_find(uint32_t pid) {
    spin_lock(&process_lock);
    struct process *p = process_at(pid);
    if (p) object_get(&p->object);
    spin_unlock(&process_lock);
    return p;
}

bool process_id_used(uint32_t id) {
    spin_lock(&process_lock);
    bool used = process_at(id) || group_at(id);
    spin_unlock(&process_lock);
    return used;
}

void process_link(struct process *p, struct process *parent) {
    p->parent = parent;
    if (parent) list_push_back(&parent->children, &p->sibling_link);
    p->node.key = p->pid;
    tree_insert(&processes, &p->node);
}

void process_unlink(struct process *p) {
    ASSERT(p->state == PROCESS_ZOMBIE && list_empty(&p->children));
    p->state = PROCESS_REAPED;
    list_remove(&p->sibling_link);
    tree_remove(&processes, &p->node);
    group_leave(p);
}

void process_reap(struct process *p) {
    process_unlink(p);
    account_uncharge_task(p);
}

/* Orphans go to the nearest ancestor that asked for them, else to init. */
static struct process *orphanage(struct process *p) REQUIRES(process_lock) {
    for (struct process *a = p->parent; a; a = a->parent)
        if (a->subreaper && a->state == PROCESS_ALIVE) return a;
    return process_init;
}

void process_orphan(struct process *p) {
    struct process *heir = orphanage(p);
    list_for_each_safe (n, &p->children) {
        struct process *c = list_entry(n, struct process, sibling_link);
        list_remove(n);
        list_push_back(&heir->children, n);
        c->parent = heir;
        if (c->parent_signal) signal_send_process(c, (int)c->parent_signal, nullptr);
        if (c->state == PROCESS_ZOMBIE) {
            if (parent_notify_exit(c)) {
                process_reap(c);
                object_put(&c->object);
            }
        } else if (c->group_of != p->group_of && c->session == p->session) {
            group_hang_up_if_orphaned(c->group_of);
        }
    }
}
