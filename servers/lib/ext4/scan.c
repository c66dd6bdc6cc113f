// SPDX-License-Identifier: MIT
/*
 * Reading a directory from any cookie.  With an index the order is that of the hashes, since a split moves entries to
 * other blocks; the same in a directory of one block, which may get an index.  Others are read in their order.  What
 * was read of one leaf, or of a small directory, is kept, sorted, until the directory changes.
 */
#include "internal.h"

#include <stdlib.h>

#define COOKIE_FIRST 3
#define COOKIE_END INT64_MAX
#define SMALL_BLOCKS 16 /* of a directory that is kept as a whole */

struct scan_entry {
    int64_t cookie;
    uint32_t inode, name;
    uint8_t length, type;
};

struct dir_scan {
    bool valid;
    int64_t low, high; /* all that has a cookie from low on, and below high, is here */
    uint32_t count, room, names_used, names_room, last;
    struct scan_entry *entries;
    char *names;
};

void dir_scan_free(struct ext4_node *dir) {
    if (!dir->scan) return;
    free(dir->scan->entries);
    free(dir->scan->names);
    free(dir->scan);
    dir->scan = nullptr;
}

void dir_changed(struct ext4_node *dir) {
    if (dir->scan) dir->scan->valid = false;
}

static int scan_add(struct dir_scan *s, const struct dirent *e, int64_t cookie) {
    if (s->count == s->room) {
        uint32_t room = s->room ? s->room * 2 : 64;
        struct scan_entry *entries = realloc(s->entries, room * sizeof(*entries));
        if (!entries) return -ENOMEM;
        s->entries = entries;
        s->room = room;
    }
    if (s->names_used + e->name_length > s->names_room) {
        uint32_t room = s->names_room * 2 + 1024;
        char *names = realloc(s->names, room);
        if (!names) return -ENOMEM;
        s->names = names;
        s->names_room = room;
    }
    memcpy(s->names + s->names_used, e->name, e->name_length);
    s->entries[s->count++] = (struct scan_entry){cookie, e->inode, s->names_used, e->name_length, e->type};
    s->names_used += e->name_length;
    return 0;
}

static int64_t hash_cookie(struct hash h) {
    int64_t cookie = (int64_t)(h.major >> 1) << 32 | h.minor;
    return cookie < COOKIE_FIRST ? COOKIE_FIRST : cookie;
}

static bool is_dots(const struct dirent *e) {
    return e->name[0] == '.' && (e->name_length == 1 || (e->name_length == 2 && e->name[1] == '.'));
}

/* version: of the hash, or -1: cookies are offsets, from `base` on. */
static int leaf_add(struct ext4_node *dir, struct dir_scan *s, const uint8_t *data, int version, int64_t base) {
    for (uint32_t at = 0; at < dir_room(dir->fs);) {
        const struct dirent *e = dirent_at(data, at);
        if (e->inode && !is_dots(e)) {
            int64_t cookie = version < 0 ? base + at + COOKIE_FIRST
                                         : hash_cookie(name_hash(dir->fs, (uint8_t)version, e->name, e->name_length));
            int result = scan_add(s, e, cookie);
            if (result < 0) return result;
        }
        at += e->length;
    }
    return 0;
}

static int entry_compare(const void *a, const void *b) {
    const struct scan_entry *x = a, *y = b;
    return x->cookie < y->cookie ? -1 : x->cookie > y->cookie;
}

/* The leaf that has `cookie`, and those that go on with its last hash; or all. */
static int indexed_load(struct ext4_node *dir, struct dir_scan *s, int64_t cookie) {
    struct dx_cursor c;
    struct buffer *b;
    uint8_t version;
    bool all = dir->size >> dir->fs->block_bits <= SMALL_BLOCKS;
    uint32_t major = all ? 0 : (uint32_t)(cookie >> 32) << 1, next = 1;
    int result = dx_version(dir, &version);
    if (!result) result = dx_seek(dir, major, &c);
    s->low = COOKIE_FIRST;
    if (!result && c.path[c.levels].index) {
        uint32_t hash = c.path[c.levels].entries[c.path[c.levels].index].hash;
        s->low = (int64_t)(hash >> 1) << 32;
    } else if (!result) {
        s->low = (int64_t)(major >> 1) << 32;
    }
    while (!result && (all || next & 1)) {
        result = dir_block(dir, dx_leaf(&c), KIND_DIRECTORY, &b);
        if (!result) result = leaf_add(dir, s, b->data, version, 0);
        if (!result) result = dx_advance(dir, &c, &next);
    }
    s->high = result > 0 ? COOKIE_END : (int64_t)(next >> 1) << 32;
    if (result >= 0 && s->high <= cookie) return -EUCLEAN;
    return result < 0 ? result : 0;
}

static int scan_load(struct ext4_node *dir, int64_t cookie) {
    struct ext4 *fs = dir->fs;
    struct buffer *b;
    if (!dir->scan) dir->scan = calloc(1, sizeof(*dir->scan));
    struct dir_scan *s = dir->scan;
    if (!s) return -ENOMEM;
    s->valid = false;
    s->count = s->names_used = s->last = 0;
    uint64_t blocks = dir->size >> fs->block_bits;
    bool hashed = fs->compat & COMPAT_DIR_INDEX && (blocks == 1 || dir->flags & FLAG_INDEX);
    int result;
    if (hashed && dir->flags & FLAG_INDEX) {
        result = indexed_load(dir, s, cookie);
    } else {
        uint64_t block = hashed || cookie < COOKIE_FIRST ? 0 : (uint64_t)(cookie - COOKIE_FIRST) >> fs->block_bits;
        if (block >= blocks) return -ENOENT;
        uint8_t version = fs->super->default_hash <= 2 ? fs->super->default_hash : 1;
        s->low = hashed ? 0 : (int64_t)(block << fs->block_bits) + COOKIE_FIRST;
        s->high = hashed ? COOKIE_END : s->low + fs->block_size;
        result = dir_block(dir, (uint32_t)block, KIND_DIRECTORY, &b);
        if (!result) result = leaf_add(dir, s, b->data, hashed ? version : -1, s->low - COOKIE_FIRST);
    }
    if (result < 0) return result;
    if (s->count) qsort(s->entries, s->count, sizeof(*s->entries), entry_compare);
    s->valid = true;
    return 0;
}

/* The first entry after the cookie. */
static uint32_t scan_find(const struct dir_scan *s, int64_t cookie) {
    if (s->last < s->count && s->entries[s->last].cookie == cookie) return s->last + 1;
    uint32_t low = 0, high = s->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (s->entries[middle].cookie <= cookie) low = middle + 1;
        else high = middle;
    }
    return low;
}

int ext4_next(struct ext4_node *dir, int64_t cookie, struct ext4_entry *out) {
    op_begin(dir->fs);
    if (!is_type(dir->mode, S_IFDIR)) return -ENOTDIR;
    if (cookie < 0) return -EINVAL;
    for (;;) {
        struct dir_scan *s = dir->scan;
        if (cookie == COOKIE_END) return -ENOENT;
        int64_t wanted = cookie + 1 < COOKIE_FIRST ? COOKIE_FIRST : cookie + 1;
        if (!s || !s->valid || wanted < s->low || wanted >= s->high) {
            int result = scan_load(dir, wanted);
            if (result < 0) return result;
            s = dir->scan;
        }
        uint32_t i = scan_find(s, cookie);
        if (i == s->count) {
            if (s->high == COOKIE_END) return -ENOENT;
            cookie = s->high - 1;
            continue;
        }
        const struct scan_entry *e = &s->entries[i];
        s->last = i;
        *out = (struct ext4_entry){e->cookie, e->inode, dir_mode(e->type), e->length, s->names + e->name};
        return 0;
    }
}
