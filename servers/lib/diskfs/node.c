// SPDX-License-Identifier: MIT
/* The nodes in memory: kept while the class library refers to them, and some time after that. */
#include <diskfs.h>
#include <stdlib.h>

#define IDLE_MAX 4096

static struct diskfs_node **bucket_of(struct diskfs *d, uint64_t inode) {
    return &d->buckets[(uint32_t)(inode * 0x9e3779b97f4a7c15ull >> 40) % DISKFS_BUCKETS];
}

struct diskfs_node *diskfs_node_find(struct diskfs *d, uint64_t inode) {
    struct diskfs_node *n = *bucket_of(d, inode);
    while (n && n->node.inode != inode) n = n->hash_next;
    return n;
}

static void idle_remove(struct diskfs_node *n) {
    struct diskfs *d = diskfs_of(n->node.fs);
    if (!n->idle) return;
    if (n->idle_previous) n->idle_previous->idle_next = n->idle_next;
    else d->idle_first = n->idle_next;
    if (n->idle_next) n->idle_next->idle_previous = n->idle_previous;
    else d->idle_last = n->idle_previous;
    n->idle = false;
    d->idle_count--;
}

static void idle_add(struct diskfs_node *n) {
    struct diskfs *d = diskfs_of(n->node.fs);
    idle_remove(n);
    n->idle_next = nullptr;
    n->idle_previous = d->idle_last;
    if (d->idle_last) d->idle_last->idle_next = n;
    else d->idle_first = n;
    d->idle_last = n;
    n->idle = true;
    d->idle_count++;
}

void diskfs_node_add(struct diskfs *d, struct diskfs_node *n) {
    struct diskfs_node **bucket = bucket_of(d, n->node.inode);
    n->node.fs = &d->fs;
    n->memory = HANDLE_NONE;
    n->hash_next = *bucket;
    *bucket = n;
    idle_add(n);
}

static void node_free(struct diskfs_node *n) {
    struct diskfs *d = diskfs_of(n->node.fs);
    struct diskfs_node **p = bucket_of(d, n->node.inode);
    idle_remove(n);
    while (*p != n) p = &(*p)->hash_next;
    *p = n->hash_next;
    d->ops->streams->release(n);
    fs_node_fini(&n->node);
    d->ops->node_free(n);
}

int diskfs_node_found(struct diskfs_node *n, struct fs_node *dir, struct fs_node **out) {
    if (n->idle) idle_add(n);
    if (node_is(&n->node, MODE_DIRECTORY) && n->node.parent != dir) {
        if (n->node.parent) return -EUCLEAN;
        fs_parent_set(&n->node, dir);
        idle_remove(diskfs_node_of(dir));
    }
    *out = &n->node;
    return 0;
}

void diskfs_nodes_drop(struct diskfs *d, uint32_t keep) {
    struct diskfs_node *n = d->idle_first;
    for (uint32_t tries = d->idle_count; tries && n && d->idle_count > keep; tries--) {
        struct diskfs_node *next = n->idle_next;
        if (n->node.refs == 0 && !(keep && d->ops->streams->busy(n))) {
            bool child = n->node.parent;
            node_free(n);
            if (child) next = d->idle_first; /* its parent may have become idle and moved, or have gone */
        }
        n = next;
    }
}

void diskfs_between(struct fs *fs) {
    struct diskfs *d = diskfs_of(fs);
    if (d->idle_count > IDLE_MAX) diskfs_nodes_drop(d, IDLE_MAX / 4 * 3);
}

void diskfs_release(struct fs_node *n) {
    if (n->links) idle_add(diskfs_node_of(n));
    else node_free(diskfs_node_of(n));
}
