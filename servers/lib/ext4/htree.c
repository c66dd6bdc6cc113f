// SPDX-License-Identifier: MIT
/*
 * Indexed directories: a tree of hashes over leaves that are ordinary directory blocks.  A leaf's lowest hash is in its
 * index entry; its lowest bit says that names with the same hash lie in the leaf before as well.
 */
#include "internal.h"

#include <stdlib.h>

static struct dx_count *count_of(struct dx_entry *entries) { return (struct dx_count *)entries; }

static struct dx_entry *entries_of(const struct buffer *b) {
    return (struct dx_entry *)(void *)(b->data + (b->kind == KIND_DX_ROOT ? DX_ROOT_ENTRIES : DX_NODE_ENTRIES));
}

static struct dx_info *info_of(const struct buffer *b) { return (struct dx_info *)(void *)(b->data + DX_ROOT_INFO); }

int dx_version(struct ext4_node *dir, uint8_t *version) {
    struct buffer *b;
    int result = dir_block(dir, 0, KIND_DX_ROOT, &b);
    if (!result) *version = info_of(b)->hash_version;
    return result;
}

static uint32_t entry_find(struct dx_entry *entries, uint32_t hash) {
    uint32_t low = 1, high = count_of(entries)->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (entries[middle].hash <= hash) low = middle + 1;
        else high = middle;
    }
    return low - 1;
}

/* From the entry of path[level] down to the level of leaves. first: to the first of each, else by the hash. */
static int path_descend(struct ext4_node *dir, struct dx_cursor *c, uint32_t level, bool first, uint32_t hash) {
    for (; level < c->levels; level++) {
        struct dx_path *p = &c->path[level];
        struct buffer *b;
        int result = dir_block(dir, p->entries[p->index].block & 0x0fffffff, KIND_DX_NODE, &b);
        if (result < 0) return result;
        struct dx_entry *entries = entries_of(b);
        c->path[level + 1] = (struct dx_path){b, entries, first ? 0 : entry_find(entries, hash)};
    }
    return 0;
}

int dx_seek(struct ext4_node *dir, uint32_t hash, struct dx_cursor *c) {
    struct buffer *b;
    int result = dir_block(dir, 0, KIND_DX_ROOT, &b);
    if (result < 0) return result;
    c->levels = info_of(b)->levels;
    c->path[0] = (struct dx_path){b, entries_of(b), entry_find(entries_of(b), hash)};
    return path_descend(dir, c, 0, false, hash);
}

int dx_advance(struct ext4_node *dir, struct dx_cursor *c, uint32_t *hash) {
    uint32_t level = c->levels;
    while (c->path[level].index + 1 >= count_of(c->path[level].entries)->count)
        if (level-- == 0) return 1;
    struct dx_path *p = &c->path[level];
    *hash = p->entries[++p->index].hash;
    return path_descend(dir, c, level, true, 0);
}

static int hash_of(struct ext4_node *dir, const char *name, size_t length, uint32_t *hash) {
    uint8_t version;
    int result = dx_version(dir, &version);
    if (!result) *hash = name_hash(dir->fs, version, name, length).major;
    return result;
}

int dx_find(struct ext4_node *dir, const char *name, size_t length, struct dir_place *out) {
    struct dx_cursor c;
    uint32_t hash, next;
    int result = hash_of(dir, name, length, &hash);
    if (!result) result = dx_seek(dir, hash, &c);
    while (!result) {
        result = dir_block(dir, dx_leaf(&c), KIND_DIRECTORY, &out->b);
        if (result < 0) break;
        out->entry = dir_block_find(dir->fs, out->b->data, name, length);
        if (out->entry) return 0;
        result = dx_advance(dir, &c, &next);
        if (!result && next != (hash | 1)) result = 1;
    }
    return result > 0 ? -ENOENT : result;
}

static void index_insert(struct ext4 *fs, struct dx_path *p, uint32_t hash, uint32_t block) {
    struct dx_count *c = count_of(p->entries);
    struct dx_entry *e = p->entries + p->index + 1;
    tx_write(fs, p->b);
    memmove(e + 1, e, (c->count - p->index - 1) * sizeof(*e));
    *e = (struct dx_entry){hash, block};
    c->count++;
}

static int index_append(struct ext4_node *dir, uint32_t *index, struct dx_entry **entries) {
    struct buffer *b;
    uint32_t offset, limit;
    int result = dir_append(dir, KIND_DX_NODE, index, &b);
    if (result < 0) return result;
    dirent_at(b->data, 0)->length = (uint16_t)dir->fs->block_size;
    dx_limits(dir->fs, KIND_DX_NODE, b->data, &offset, &limit);
    *entries = entries_of(b);
    *count_of(*entries) = (struct dx_count){.limit = (uint16_t)limit};
    return 0;
}

/* The root's entries move into a block of their own. */
static int levels_grow(struct ext4_node *dir, struct dx_cursor *c) {
    struct dx_path *root = &c->path[0];
    struct dx_entry *entries;
    uint32_t index;
    if (c->levels >= (dir->fs->incompat & INCOMPAT_LARGEDIR ? 2 : 1)) return -ENOSPC;
    int result = index_append(dir, &index, &entries);
    if (result < 0) return result;
    uint16_t count = count_of(root->entries)->count, limit = count_of(entries)->limit;
    memcpy(entries, root->entries, count * sizeof(*entries));
    *count_of(entries) = (struct dx_count){limit, count};
    tx_write(dir->fs, root->b);
    count_of(root->entries)->count = 1;
    root->entries[0].block = index;
    info_of(root->b)->levels++;
    return 0;
}

/* The upper half of path[level] moves into a new block; the level above has room. */
static int index_split(struct ext4_node *dir, struct dx_cursor *c, uint32_t level) {
    struct dx_path *p = &c->path[level];
    struct dx_entry *entries;
    uint32_t index;
    int result = index_append(dir, &index, &entries);
    if (result < 0) return result;
    struct dx_count *old = count_of(p->entries), *new = count_of(entries);
    uint16_t keep = old->count / 2, moved = old->count - keep, limit = new->limit;
    uint32_t hash = p->entries[keep].hash;
    memcpy(entries, p->entries + keep, moved * sizeof(*entries));
    *new = (struct dx_count){limit, moved};
    tx_write(dir->fs, p->b);
    old->count = keep;
    index_insert(dir->fs, &c->path[level - 1], hash, index);
    return 0;
}

static bool index_full(const struct dx_path *p) { return count_of(p->entries)->count == count_of(p->entries)->limit; }

static int index_room_make(struct ext4_node *dir, struct dx_cursor *c) {
    for (uint32_t level = c->levels; level > 0; level--)
        if (!index_full(&c->path[level - 1])) return index_split(dir, c, level);
    return levels_grow(dir, c);
}

struct moving { /* an entry of a leaf that is split */
    uint32_t hash;
    const struct dirent *entry;
};

static int moving_compare(const void *a, const void *b) {
    const struct moving *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static uint32_t moving_collect(struct ext4 *fs, uint8_t version, const uint8_t *data, struct moving *out,
                               uint32_t *bytes) {
    uint32_t count = 0;
    *bytes = 0;
    for (uint32_t at = 0; at < dir_room(fs); at += dirent_at(data, at)->length) {
        const struct dirent *e = dirent_at(data, at);
        if (!e->inode) continue;
        *bytes += dirent_size(e->name_length);
        out[count++] = (struct moving){name_hash(fs, version, e->name, e->name_length).major, e};
    }
    qsort(out, count, sizeof(*out), moving_compare);
    return count;
}

static void leaf_fill(const struct ext4 *fs, uint8_t *data, const struct moving *m, uint32_t count) {
    dir_block_init(fs, data);
    struct dirent *e = dirent_at(data, 0);
    for (uint32_t at = 0; count; m++, count--) {
        uint32_t size = count == 1 ? dir_room(fs) - at : dirent_size(m->entry->name_length);
        e = dirent_at(data, at);
        *e = (struct dirent){m->entry->inode, (uint16_t)size, m->entry->name_length, m->entry->type};
        memcpy(e->name, m->entry->name, m->entry->name_length);
        at += size;
    }
}

/* A copy of the leaf, for its entries to be taken from, and room for their list. */
static int leaf_split(struct ext4_node *dir, struct dx_cursor *c, uint8_t version, struct buffer *leaf) {
    struct ext4 *fs = dir->fs;
    struct moving *m = malloc(fs->block_size + fs->block_size / 12 * sizeof(*m));
    if (!m) return -ENOMEM;
    uint8_t *copy = (uint8_t *)(m + fs->block_size / 12);
    memcpy(copy, leaf->data, fs->block_size);
    uint32_t bytes, lower = 0, keep = 0, index;
    uint32_t count = moving_collect(fs, version, copy, m, &bytes);
    while (keep < count && lower < bytes / 2) lower += dirent_size(m[keep++].entry->name_length);
    if (keep == count && keep) keep--;
    struct buffer *b;
    int result = keep ? dir_append(dir, KIND_DIRECTORY, &index, &b) : -EUCLEAN;
    if (!result) {
        tx_write(fs, leaf);
        leaf_fill(fs, leaf->data, m, keep);
        leaf_fill(fs, b->data, m + keep, count - keep);
        uint32_t continued = m[keep - 1].hash == m[keep].hash;
        index_insert(fs, &c->path[c->levels], m[keep].hash | continued, index);
    }
    free(m);
    return result;
}

int dx_insert(struct ext4_node *dir, const char *name, size_t length, uint32_t inode, uint8_t type) {
    uint32_t hash;
    uint8_t version;
    int result = dx_version(dir, &version);
    if (!result) result = hash_of(dir, name, length, &hash);
    for (int steps = 0; !result && steps < 4 * DX_LEVELS_MAX; steps++) {
        struct dx_cursor c;
        struct buffer *b;
        result = dx_seek(dir, hash, &c);
        if (!result) result = dir_block(dir, dx_leaf(&c), KIND_DIRECTORY, &b);
        if (result < 0) break;
        if (dir_block_insert(dir->fs, b->data, name, length, inode, type)) {
            tx_write(dir->fs, b);
            return 0;
        }
        result = index_full(&c.path[c.levels]) ? index_room_make(dir, &c) : leaf_split(dir, &c, version, b);
    }
    return result < 0 ? result : -EUCLEAN;
}

int dx_convert(struct ext4_node *dir) {
    struct ext4 *fs = dir->fs;
    struct buffer *root, *leaf;
    uint32_t index, offset, limit;
    int result = dir_block(dir, 0, KIND_DIRECTORY, &root);
    if (result < 0) return result;
    struct dirent *dot = dirent_at(root->data, 0), *dotdot = dirent_at(root->data, 12);
    if (dot->length != 12 || dot->name_length != 1 || dotdot->name_length != 2 || memcmp(dotdot->name, "..", 2))
        return -EUCLEAN;
    result = dir_append(dir, KIND_DIRECTORY, &index, &leaf);
    if (result < 0) return result;
    for (uint32_t at = 12 + dotdot->length; at < dir_room(fs); at += dirent_at(root->data, at)->length) {
        const struct dirent *e = dirent_at(root->data, at);
        if (e->inode) dir_block_insert(fs, leaf->data, e->name, e->name_length, e->inode, e->type);
    }
    tx_write(fs, root);
    memset(root->data + DX_ROOT_INFO, 0, fs->block_size - DX_ROOT_INFO);
    dotdot->length = (uint16_t)(fs->block_size - 12);
    root->kind = KIND_DX_ROOT;
    uint8_t version = fs->super->default_hash <= 2 ? fs->super->default_hash : 1;
    *info_of(root) = (struct dx_info){.hash_version = version, .info_length = 8};
    struct dx_entry *entries = entries_of(root);
    dx_limits(fs, KIND_DX_ROOT, root->data, &offset, &limit);
    *count_of(entries) = (struct dx_count){(uint16_t)limit, 1};
    entries[0].block = index;
    dir->flags |= FLAG_INDEX;
    return node_store(dir);
}
