// SPDX-License-Identifier: MIT
/* Directories: their blocks, and entries in a block. */
#include "internal.h"

static bool dir_indexed(const struct ext4_node *dir) {
    return dir->flags & FLAG_INDEX && dir->fs->compat & COMPAT_DIR_INDEX;
}

uint32_t dir_room(const struct ext4 *fs) { return fs->block_size - (fs->checksums ? 12 : 0); }

static const uint16_t types[] = {0, S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK};

uint8_t dir_type(const struct ext4 *fs, uint32_t mode) {
    if (!(fs->incompat & INCOMPAT_FILETYPE)) return 0;
    for (uint8_t i = 1; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i] == (mode & S_IFMT)) return i;
    return 0;
}

uint32_t dir_mode(uint8_t type) { return type < sizeof(types) / sizeof(types[0]) ? types[type] : 0; }

void dir_block_init(const struct ext4 *fs, uint8_t *data) {
    memset(data, 0, fs->block_size);
    dirent_at(data, 0)->length = (uint16_t)dir_room(fs);
    if (fs->checksums) *dirent_at(data, dir_room(fs)) = (struct dirent){.length = 12, .type = DIRENT_TAIL_TYPE};
}

int dir_block(struct ext4_node *dir, uint32_t index, enum block_kind kind, struct buffer **out) {
    struct ext4_extent e;
    if (index >= dir->size >> dir->fs->block_bits) return -EUCLEAN;
    int result = map_find(dir, index, 1, &e);
    if (result < 0) return result;
    if (e.state != EXT4_WRITTEN) return -EUCLEAN;
    return buffer_read(dir->fs, e.physical, kind, dir->seed, out);
}

int dir_append(struct ext4_node *dir, enum block_kind kind, uint32_t *index, struct buffer **out) {
    struct ext4 *fs = dir->fs;
    struct ext4_extent e = {.logical = dir->size >> fs->block_bits, .count = 1, .state = EXT4_WRITTEN};
    if (e.logical >= 0x0fffffff) return -ENOSPC;
    dir->goal = map_goal(dir, e.logical);
    int result = node_balloc(dir, &e.physical);
    if (!result) result = map_insert(dir, &e);
    if (!result) result = buffer_new(fs, e.physical, kind, dir->seed, out);
    if (result < 0) return result;
    tx_write(fs, *out);
    if (kind == KIND_DIRECTORY) dir_block_init(fs, (*out)->data);
    dir->size += fs->block_size;
    *index = (uint32_t)e.logical;
    return node_store(dir);
}

struct dirent *dir_block_find(const struct ext4 *fs, const uint8_t *data, const char *name, size_t length) {
    for (uint32_t at = 0; at + 8 <= fs->block_size;) {
        struct dirent *e = dirent_at(data, at);
        if (e->name_length == length && e->inode && e->name[0] == name[0] && !memcmp(e->name, name, length)) return e;
        at += e->length;
    }
    return nullptr;
}

bool dir_block_insert(const struct ext4 *fs, uint8_t *data, const char *name, size_t length, uint32_t inode,
                      uint8_t type) {
    uint32_t need = dirent_size(length);
    for (uint32_t at = 0; at < dir_room(fs);) {
        struct dirent *e = dirent_at(data, at);
        uint32_t used = e->inode ? dirent_size(e->name_length) : 0, all = e->length;
        if (all >= used + need) {
            if (used) {
                e->length = (uint16_t)used;
                e = dirent_at(data, at + used);
            }
            *e = (struct dirent){inode, (uint16_t)(all - used), (uint8_t)length, type};
            memcpy(e->name, name, length);
            return true;
        }
        at += all;
    }
    return false;
}

static int linear_find(struct ext4_node *dir, const char *name, size_t length, struct dir_place *out) {
    uint32_t count = (uint32_t)(dir->size >> dir->fs->block_bits);
    for (uint32_t i = 0; i < count; i++) {
        int result = dir_block(dir, i, KIND_DIRECTORY, &out->b);
        if (result < 0) return result;
        out->entry = dir_block_find(dir->fs, out->b->data, name, length);
        if (out->entry) return 0;
    }
    return -ENOENT;
}

static int parent_find(struct ext4_node *dir, struct dir_place *out) {
    int result = dir_block(dir, 0, dir_indexed(dir) ? KIND_DX_ROOT : KIND_DIRECTORY, &out->b);
    if (result < 0) return result;
    const struct dirent *dot = dirent_at(out->b->data, 0);
    if (dot->length > dir_room(dir->fs) - 12) return -EUCLEAN;
    out->entry = dirent_at(out->b->data, dot->length);
    return out->entry->inode && out->entry->name_length == 2 && !memcmp(out->entry->name, "..", 2) ? 0 : -EUCLEAN;
}

int dir_find(struct ext4_node *dir, const char *name, size_t length, struct dir_place *out) {
    if (!length) return -ENOENT;
    if (length > EXT4_NAME_MAX) return -ENAMETOOLONG;
    if (length == 2 && !memcmp(name, "..", 2)) return parent_find(dir, out);
    return dir_indexed(dir) ? dx_find(dir, name, length, out) : linear_find(dir, name, length, out);
}

int dir_insert(struct ext4_node *dir, const char *name, size_t length, uint32_t inode, uint32_t mode) {
    struct ext4 *fs = dir->fs;
    uint8_t type = dir_type(fs, mode);
    dir_changed(dir);
    if (dir_indexed(dir)) return dx_insert(dir, name, length, inode, type);
    uint32_t count = (uint32_t)(dir->size >> fs->block_bits), index;
    struct buffer *b;
    dir->flags &= ~(uint32_t)FLAG_INDEX;
    for (uint32_t i = count; i-- > 0;) { /* the last has most room */
        int result = dir_block(dir, i, KIND_DIRECTORY, &b);
        if (result < 0) return result;
        if (!dir_block_insert(fs, b->data, name, length, inode, type)) continue;
        tx_write(fs, b);
        return 0;
    }
    if (count == 1 && fs->compat & COMPAT_DIR_INDEX) {
        int result = dx_convert(dir);
        return result < 0 ? result : dx_insert(dir, name, length, inode, type);
    }
    int result = dir_append(dir, KIND_DIRECTORY, &index, &b);
    if (!result) dir_block_insert(fs, b->data, name, length, inode, type);
    return result;
}

/* The entry's bytes go to the one before it. */
void dir_remove(struct ext4_node *dir, const struct dir_place *p) {
    dir_changed(dir);
    tx_write(dir->fs, p->b);
    p->entry->inode = 0;
    struct dirent *before = dirent_at(p->b->data, 0);
    if (before == p->entry) return;
    for (struct dirent *next; (next = dirent_at((uint8_t *)before, before->length)) != p->entry; before = next) {
    }
    before->length += p->entry->length;
}

int dir_make(struct ext4_node *dir, uint32_t parent) {
    struct buffer *b;
    uint32_t index;
    int result = dir_append(dir, KIND_DIRECTORY, &index, &b);
    if (result < 0) return result;
    uint8_t type = dir_type(dir->fs, S_IFDIR);
    dir_block_insert(dir->fs, b->data, ".", 1, dir->inode, type);
    dir_block_insert(dir->fs, b->data, "..", 2, parent, type);
    return 0;
}

int dir_parent_set(struct ext4_node *dir, uint32_t parent) {
    struct dir_place p;
    int result = parent_find(dir, &p);
    if (result < 0) return result;
    tx_write(dir->fs, p.b);
    p.entry->inode = parent;
    return 0;
}

int ext4_lookup(struct ext4_node *dir, const char *name, size_t length, uint32_t *inode) {
    struct dir_place p;
    op_begin(dir->fs);
    if (!is_type(dir->mode, S_IFDIR)) return -ENOTDIR;
    int result = dir_find(dir, name, length, &p);
    if (result < 0) return result;
    *inode = p.entry->inode;
    return 0;
}

int ext4_empty(struct ext4_node *dir) {
    struct ext4_entry e;
    int result = ext4_next(dir, 0, &e);
    return result == -ENOENT ? 0 : result < 0 ? result : -ENOTEMPTY;
}
