// SPDX-License-Identifier: MIT
/* Making, linking, removing and renaming, each in one transaction. */
#include "internal.h"

#define SPACE 8 /* new blocks that may be wanted beside the margin */

static int name_check(const struct ext4_node *dir, size_t length) {
    if (!is_type(dir->mode, S_IFDIR)) return -ENOTDIR;
    if (!length) return -EINVAL;
    return length > EXT4_NAME_MAX ? -ENAMETOOLONG : 0;
}

static bool is_directory(const struct ext4_node *n) { return is_type(n->mode, S_IFDIR); }

/* With more subdirectories than can be counted, the count is 1. */
static void links_add(struct ext4_node *dir) {
    dir->links++;
    if (dir->links > EXT4_LINK_MAX || dir->links == 2) dir->links = 1;
}

static void links_remove(struct ext4_node *dir) {
    if (dir->links > 2) dir->links--;
}

static int links_room(const struct ext4_node *dir) {
    bool uncounted = dir->fs->ro_compat & RO_COMPAT_DIR_NLINK;
    return dir->links >= EXT4_LINK_MAX && !uncounted ? -EMLINK : 0;
}

static int dir_touch(struct ext4_node *dir) {
    dir->mtime = dir->ctime = fs_now(dir->fs);
    return node_store(dir);
}

static int name_missing(struct ext4_node *dir, const char *name, size_t length) {
    struct dir_place p;
    int result = dir_find(dir, name, length, &p);
    return result == -ENOENT ? 0 : result < 0 ? result : -EEXIST;
}

static int link_make(struct ext4_node *n, const struct ext4_new *what) {
    struct ext4 *fs = n->fs;
    struct ext4_extent e = {.count = 1, .state = EXT4_WRITTEN};
    struct buffer *b;
    n->size = what->target_length;
    if (what->target_length < sizeof(n->root)) {
        n->flags &= ~(uint32_t)FLAG_EXTENTS;
        memset(n->root, 0, sizeof(n->root));
        memcpy(n->root, what->target, what->target_length);
        return 0;
    }
    int result = node_balloc(n, &e.physical);
    if (!result) result = map_insert(n, &e);
    if (!result) result = buffer_new(fs, e.physical, KIND_PLAIN, 0, &b);
    if (result < 0) return result;
    tx_write(fs, b);
    memcpy(b->data, what->target, what->target_length);
    return 0;
}

/* The directory takes no more: what was made for it goes again. */
static int create_undo(struct ext4_node *n) {
    bool more = false;
    int result = node_has_blocks(n) ? map_remove(n, 0, map_blocks_max(n), &more) : 0;
    if (!result) result = more ? -EUCLEAN : ifree(n->fs, n->inode, is_directory(n));
    n->links = 0;
    n->size = 0;
    n->dtime = 1;
    return result < 0 ? result : node_store(n);
}

static int node_fill(struct ext4_node *n, struct ext4_node *dir, const struct ext4_new *what, bool named) {
    n->links = !named ? 0 : is_directory(n) ? 2 : 1;
    int result = 0;
    if (is_directory(n)) result = dir_make(n, dir->inode);
    if (is_type(n->mode, S_IFLNK)) result = link_make(n, what);
    if (result < 0) return result;
    return named ? node_store(n) : orphan_add(n);
}

int ext4_create(struct ext4_node *dir, const char *name, size_t length, const struct ext4_new *what,
                struct ext4_node **out) {
    struct ext4 *fs = dir->fs;
    bool directory = is_type(what->mode, S_IFDIR);
    int result = name ? name_check(dir, length) : directory ? -EINVAL : 0;
    if (result < 0) return result;
    if (is_type(what->mode, S_IFLNK) && (!what->target_length || what->target_length >= fs->block_size))
        return what->target_length ? -ENAMETOOLONG : -ENOENT;
    result = tx_start(fs, SPACE);
    if (result < 0) return result;
    struct ext4_node *n = nullptr;
    uint32_t inode;
    if (name) result = dir->links ? name_missing(dir, name, length) : -ENOENT;
    if (!result && directory) result = links_room(dir);
    if (!result) result = ialloc(fs, dir, what->mode, &inode);
    if (!result) result = node_new(fs, inode, what, &n);
    if (!result) result = node_fill(n, dir, what, name);
    if (!result && name) {
        result = dir_insert(dir, name, length, inode, what->mode);
        if (result == -ENOSPC) {
            result = tx_stop(fs, create_undo(n));
            node_free(n);
            return result < 0 ? result : -ENOSPC;
        }
        if (!result && directory) links_add(dir);
        if (!result) result = dir_touch(dir);
    }
    result = tx_stop(fs, result);
    if (result < 0 && n) {
        n->links = 1; /* there is nothing to free */
        ext4_node_put(n);
    }
    if (result < 0) return result;
    *out = n;
    return 0;
}

int ext4_link(struct ext4_node *dir, const char *name, size_t length, struct ext4_node *n) {
    struct ext4 *fs = dir->fs;
    int result = name_check(dir, length);
    if (result < 0) return result;
    if (is_directory(n)) return -EPERM;
    if (n->links >= EXT4_LINK_MAX) return -EMLINK;
    result = tx_start(fs, SPACE);
    if (result < 0) return result;
    result = dir->links ? name_missing(dir, name, length) : -ENOENT;
    if (!result) result = dir_insert(dir, name, length, n->inode, n->mode);
    if (!result) {
        n->links++;
        n->ctime = fs_now(fs);
        result = n->orphan ? orphan_remove(n) : node_store(n);
    }
    if (!result) result = dir_touch(dir);
    return tx_stop(fs, result);
}

static int place_of(struct ext4_node *dir, const char *name, size_t length, const struct ext4_node *n,
                    struct dir_place *p) {
    int result = dir_find(dir, name, length, p);
    return result < 0 ? result : p->entry->inode == n->inode ? 0 : -ESTALE;
}

/* One name less; the directory's count is the caller's. */
static int name_drop(struct ext4_node *n) {
    n->links = is_directory(n) || !n->links ? 0 : n->links - 1;
    n->ctime = fs_now(n->fs);
    return n->links ? node_store(n) : orphan_add(n);
}

int ext4_unlink(struct ext4_node *dir, const char *name, size_t length, struct ext4_node *n) {
    struct ext4 *fs = dir->fs;
    struct dir_place p;
    int result = name_check(dir, length);
    if (!result && is_directory(n)) result = ext4_empty(n);
    if (!result) result = tx_start(fs, 0);
    if (result < 0) return result;
    result = place_of(dir, name, length, n, &p);
    if (!result) {
        dir_remove(dir, &p);
        if (is_directory(n)) links_remove(dir);
        result = name_drop(n);
    }
    if (!result) result = dir_touch(dir);
    return tx_stop(fs, result);
}

struct rename_side {
    struct ext4_node *dir;
    const char *name;
    size_t length;
};

static int entry_set(struct ext4_node *dir, struct dir_place *p, const struct ext4_node *n) {
    dir_changed(dir);
    tx_write(dir->fs, p->b);
    p->entry->inode = n->inode;
    p->entry->type = dir_type(dir->fs, n->mode);
    return 0;
}

/* A directory got another parent. */
static int parent_change(struct ext4_node *n, struct ext4_node *from, struct ext4_node *to) {
    if (!is_directory(n) || from == to) return 0;
    links_remove(from);
    links_add(to);
    return dir_parent_set(n, to->inode);
}

static int exchange_entries(struct rename_side from, struct ext4_node *n, struct rename_side to,
                            struct ext4_node *other) {
    struct dir_place p, q;
    int result = place_of(from.dir, from.name, from.length, n, &p);
    if (!result) result = place_of(to.dir, to.name, to.length, other, &q);
    if (!result) result = entry_set(from.dir, &p, other);
    if (!result) result = entry_set(to.dir, &q, n);
    if (!result) result = parent_change(n, from.dir, to.dir);
    if (!result) result = parent_change(other, to.dir, from.dir);
    other->ctime = fs_now(n->fs);
    return result < 0 ? result : node_store(other);
}

static int move_entry(struct rename_side from, struct ext4_node *n, struct rename_side to, struct ext4_node *victim) {
    struct dir_place p;
    int result = place_of(from.dir, from.name, from.length, n, &p);
    if (result < 0) return result;
    if (victim) {
        result = place_of(to.dir, to.name, to.length, victim, &p);
        if (!result) result = entry_set(to.dir, &p, n);
        if (!result && is_directory(victim)) links_remove(to.dir);
        if (!result) result = name_drop(victim);
    } else {
        result = name_missing(to.dir, to.name, to.length);
        if (!result) result = dir_insert(to.dir, to.name, to.length, n->inode, n->mode);
    }
    if (!result) result = place_of(from.dir, from.name, from.length, n, &p); /* a split may have moved it */
    if (result < 0) return result;
    dir_remove(from.dir, &p);
    return parent_change(n, from.dir, to.dir);
}

int ext4_rename(struct ext4_node *from, const char *from_name, size_t from_length, struct ext4_node *n,
                struct ext4_node *to, const char *to_name, size_t to_length, struct ext4_node *victim, bool exchange) {
    struct ext4 *fs = from->fs;
    struct rename_side a = {from, from_name, from_length}, b = {to, to_name, to_length};
    int result = name_check(from, from_length);
    if (!result) result = name_check(to, to_length);
    if (!result && exchange && !victim) result = -ENOENT;
    if (!result && victim == n) return 0;
    if (!result && victim && !exchange && is_directory(victim)) result = ext4_empty(victim);
    if (!result && is_directory(n) && from != to && !(victim && is_directory(victim))) result = links_room(to);
    if (!result && !to->links) result = -ENOENT;
    if (!result) result = tx_start(fs, victim ? 0 : SPACE); /* an entry that is there already takes no block */
    if (result < 0) return result;
    result = exchange ? exchange_entries(a, n, b, victim) : move_entry(a, n, b, victim);
    n->ctime = fs_now(fs);
    if (!result) result = node_store(n);
    if (!result) result = dir_touch(from);
    if (!result && to != from) result = dir_touch(to);
    return tx_stop(fs, result);
}

int ext4_readlink(struct ext4_node *n, char *out, size_t size) {
    op_begin(n->fs);
    if (!is_type(n->mode, S_IFLNK)) return -EINVAL;
    size_t length = n->size < size ? n->size : size;
    const void *from = n->root;
    if (!node_fast_link(n)) {
        struct ext4_extent e;
        struct buffer *b;
        int result = map_find(n, 0, 1, &e);
        if (!result && e.state != EXT4_WRITTEN) result = -EUCLEAN;
        if (!result) result = buffer_read(n->fs, e.physical, KIND_PLAIN, 0, &b);
        if (result < 0) return result;
        from = b->data;
    }
    memcpy(out, from, length);
    return (int)length;
}
