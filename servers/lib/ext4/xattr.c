// SPDX-License-Identifier: MIT
/*
 * Extended attributes: in what the inode leaves of its place in the table, then in one block.  A change reads them all
 * and packs them anew.
 */
#include "internal.h"

#include <stdlib.h>

#define HEADER sizeof(struct xattr_header)
#define ATTRIBUTES_MAX 512

struct attribute {
    uint8_t index, name_length;
    uint16_t value_size;
    const char *name; /* without the prefix of `index` */
    const uint8_t *value;
};

struct attributes { /* of a node; names and values are in `inode`, `block` or the caller's */
    struct ext4_node *n;
    uint8_t *inode, *block; /* copies */
    uint32_t inode_room;
    uint32_t count;
    struct attribute list[ATTRIBUTES_MAX];
};

static const struct prefix {
    uint8_t index;
    const char *text;
} prefixes[] = {{1, "user."}, {4, "trusted."}, {6, "security."}};

static const char *prefix_of(uint8_t index) {
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (prefixes[i].index == index) return prefixes[i].text;
    return nullptr; /* ACLs and the like: kept, not shown */
}

static bool name_split(const char *name, struct attribute *out) {
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        size_t length = strlen(prefixes[i].text), all = strlen(name);
        if (strncmp(name, prefixes[i].text, length) || all == length || all - length > UINT8_MAX) continue;
        *out = (struct attribute){
            .index = prefixes[i].index, .name_length = (uint8_t)(all - length), .name = name + length};
        return true;
    }
    return false;
}

static uint32_t round4(uint32_t n) { return (n + 3) & ~3u; }
static uint32_t entry_size(uint32_t name_length) { return round4((uint32_t)sizeof(struct xattr_entry) + name_length); }

static const struct xattr_entry *entry_at(const uint8_t *data, uint32_t at) {
    return (const struct xattr_entry *)(const void *)(data + at);
}

/* Entries from `at` on; values count from `base`. out may be null: a check only. */
static int entries_read(const uint8_t *data, uint32_t at, uint32_t base, uint32_t size, struct attributes *out) {
    while (at + 4 <= size && *(const uint32_t *)(const void *)(data + at)) {
        if (at + sizeof(struct xattr_entry) > size) return -EUCLEAN;
        const struct xattr_entry *e = entry_at(data, at);
        uint64_t value = (uint64_t)base + e->value_offset;
        if (at + entry_size(e->name_length) > size || e->value_inode) return -EUCLEAN;
        if (e->value_size && (e->value_size > UINT16_MAX || value + e->value_size > size)) return -EUCLEAN;
        if (out) {
            if (out->count == ATTRIBUTES_MAX) return -EUCLEAN;
            out->list[out->count++] = (struct attribute){e->name_index, e->name_length, (uint16_t)e->value_size,
                                                         e->name, e->value_size ? data + value : data};
        }
        at += entry_size(e->name_length);
    }
    return 0;
}

int xattr_block_verify(const struct ext4 *fs, const uint8_t *data) {
    const struct xattr_header *h = (const struct xattr_header *)(const void *)data;
    if (h->magic != XATTR_MAGIC || h->blocks != 1 || !h->refcount) return -EUCLEAN;
    return entries_read(data, HEADER, 0, fs->block_size, nullptr);
}

/* Where the inode has room: after its fields and the magic number. */
static uint8_t *inode_region(const struct ext4 *fs, struct inode *raw, uint32_t *room) {
    uint32_t start = INODE_OLD + (fs->inode_size > INODE_OLD ? raw->extra_isize : 0);
    *room = fs->inode_size >= start + 24 ? fs->inode_size - start - 4 : 0;
    return (uint8_t *)raw + start;
}

static int inode_read(struct attributes *a) {
    struct ext4 *fs = a->n->fs;
    struct buffer *b;
    struct inode *raw;
    int result = inode_buffer(fs, a->n->inode, &b, &raw);
    if (result < 0) return result;
    uint8_t *region = inode_region(fs, raw, &a->inode_room);
    if (!a->inode_room || *(uint32_t *)(void *)region != XATTR_MAGIC) return 0;
    a->inode = malloc(a->inode_room);
    if (!a->inode) return -ENOMEM;
    memcpy(a->inode, region + 4, a->inode_room);
    return entries_read(a->inode, 0, 0, a->inode_room, a);
}

static int block_read(struct attributes *a) {
    struct ext4 *fs = a->n->fs;
    struct buffer *b;
    if (!a->n->xattr_block) return 0;
    int result = buffer_read(fs, a->n->xattr_block, KIND_XATTR, 0, &b);
    if (result < 0) return result;
    a->block = malloc(fs->block_size);
    if (!a->block) return -ENOMEM;
    memcpy(a->block, b->data, fs->block_size);
    return entries_read(a->block, HEADER, 0, fs->block_size, a);
}

static void attributes_free(struct attributes *a) {
    if (!a) return;
    free(a->inode);
    free(a->block);
    free(a);
}

static int attributes_read(struct ext4_node *n, struct attributes **out) {
    struct attributes *a = malloc(sizeof(*a));
    if (!a) return -ENOMEM;
    a->n = n;
    a->inode = a->block = nullptr;
    a->count = 0;
    int result = inode_read(a);
    if (!result) result = block_read(a);
    if (result < 0) attributes_free(a);
    else *out = a;
    return result;
}

static struct attribute *attribute_find(struct attributes *a, const struct attribute *name) {
    for (uint32_t i = 0; i < a->count; i++) {
        struct attribute *x = &a->list[i];
        if (x->index == name->index && x->name_length == name->name_length &&
            !memcmp(x->name, name->name, x->name_length))
            return x;
    }
    return nullptr;
}

ssize_t ext4_xattr_get(struct ext4_node *n, const char *name, void *out, size_t room) {
    struct attribute wanted;
    struct attributes *a;
    op_begin(n->fs);
    if (!name_split(name, &wanted)) return -EOPNOTSUPP;
    int result = attributes_read(n, &a);
    if (result < 0) return result;
    const struct attribute *found = attribute_find(a, &wanted);
    ssize_t size = found ? found->value_size : -ENODATA;
    if (size > 0 && room && room < (size_t)size) size = -ERANGE;
    if (size > 0 && room) memcpy(out, found->value, (size_t)size);
    attributes_free(a);
    return size;
}

ssize_t ext4_xattr_list(struct ext4_node *n, char *out, size_t room) {
    struct attributes *a;
    size_t used = 0;
    op_begin(n->fs);
    int result = attributes_read(n, &a);
    if (result < 0) return result;
    for (uint32_t i = 0; i < a->count; i++) {
        const char *prefix = prefix_of(a->list[i].index);
        if (!prefix) continue;
        size_t length = strlen(prefix), all = length + a->list[i].name_length + 1;
        if (room && used + all <= room) {
            memcpy(out + used, prefix, length);
            memcpy(out + used + length, a->list[i].name, a->list[i].name_length);
            out[used + all - 1] = 0;
        }
        used += all;
    }
    attributes_free(a);
    return room && used > room ? -ERANGE : (ssize_t)used;
}

static uint32_t entry_hash(const struct attribute *x) {
    uint32_t hash = 0;
    for (uint32_t i = 0; i < x->name_length; i++) hash = hash << 5 ^ hash >> 27 ^ (uint8_t)x->name[i];
    for (uint32_t at = 0; at < x->value_size; at += 4) {
        uint32_t word = 0;
        memcpy(&word, x->value + at, x->value_size - at < 4 ? x->value_size - at : 4);
        hash = hash << 16 ^ hash >> 16 ^ word;
    }
    return hash;
}

/* Into data[at … size); the values from its end on. The entries that fit go; what is left stays listed. */
static uint32_t entries_pack(struct attributes *a, uint8_t *data, uint32_t at, uint32_t size, bool hashed) {
    uint32_t end = size, left = 0, packed = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct attribute x = a->list[i];
        uint32_t value = round4(x.value_size);
        if (at + entry_size(x.name_length) + 4 + value > end) {
            a->list[left++] = x;
            continue;
        }
        end -= value;
        struct xattr_entry *e = (struct xattr_entry *)(void *)(data + at);
        *e = (struct xattr_entry){
            x.name_length, x.index, x.value_size ? (uint16_t)end : 0, 0, x.value_size, hashed ? entry_hash(&x) : 0};
        memcpy(e->name, x.name, x.name_length);
        if (x.value_size) memcpy(data + end, x.value, x.value_size);
        at += entry_size(x.name_length);
        packed++;
    }
    a->count = left;
    return packed;
}

static int attribute_compare(const void *p, const void *q) {
    const struct attribute *a = p, *b = q;
    if (a->index != b->index) return a->index - b->index;
    if (a->name_length != b->name_length) return a->name_length - b->name_length;
    return memcmp(a->name, b->name, a->name_length);
}

int xattr_release(struct ext4_node *n) {
    struct ext4 *fs = n->fs;
    struct buffer *b;
    if (!n->xattr_block) return 0;
    int result = buffer_read(fs, n->xattr_block, KIND_XATTR, 0, &b);
    if (result < 0) return result;
    struct xattr_header *h = (struct xattr_header *)(void *)b->data;
    if (h->refcount == 1) {
        result = node_bfree(n, n->xattr_block);
    } else { /* others have it as well */
        tx_write(fs, b);
        h->refcount--;
        n->blocks -= fs->sectors_per_block;
    }
    n->xattr_block = 0;
    return result;
}

/* The block's new content, or none. */
static int block_store(struct ext4_node *n, const uint8_t *data) {
    struct ext4 *fs = n->fs;
    struct buffer *b = nullptr;
    int result = 0;
    if (n->xattr_block) {
        result = buffer_read(fs, n->xattr_block, KIND_XATTR, 0, &b);
        if (result < 0) return result;
        if (!data || ((struct xattr_header *)(void *)b->data)->refcount != 1) {
            result = xattr_release(n);
            b = nullptr;
        }
    }
    if (result < 0 || !data) return result;
    if (!b) {
        uint64_t block;
        result = node_balloc(n, &block);
        if (!result) result = buffer_new(fs, block, KIND_XATTR, 0, &b);
        if (result < 0) return result;
        n->xattr_block = block;
    }
    tx_write(fs, b);
    memcpy(b->data, data, fs->block_size);
    return 0;
}

static int inode_store(struct ext4_node *n, const uint8_t *data) {
    struct buffer *b;
    struct inode *raw;
    uint32_t room;
    int result = inode_buffer(n->fs, n->inode, &b, &raw);
    if (result < 0) return result;
    uint8_t *region = inode_region(n->fs, raw, &room);
    tx_write(n->fs, b);
    if (data) *(uint32_t *)(void *)region = XATTR_MAGIC;
    if (data) memcpy(region + 4, data, room);
    else memset(region, 0, room + 4);
    return 0;
}

/* In the transaction. Nothing is changed before it is known to fit. */
static int attributes_write(struct attributes *a) {
    struct ext4 *fs = a->n->fs;
    struct ext4_node *n = a->n;
    uint8_t *inode = calloc(1, a->inode_room + 1), *block = calloc(1, fs->block_size);
    int result = inode && block ? 0 : -ENOMEM;
    if (!result) {
        qsort(a->list, a->count, sizeof(a->list[0]), attribute_compare);
        uint32_t inside = a->inode_room ? entries_pack(a, inode, 0, a->inode_room, false) : 0;
        bool outside = a->count;
        *(struct xattr_header *)(void *)block = (struct xattr_header){.magic = XATTR_MAGIC, .refcount = 1, .blocks = 1};
        entries_pack(a, block, HEADER, fs->block_size, true);
        if (a->count) result = -ENOSPC;
        if (!result && a->inode_room) result = inode_store(n, inside ? inode : nullptr);
        if (!result) result = block_store(n, outside ? block : nullptr);
        n->ctime = result ? n->ctime : fs_now(fs);
        if (!result) result = node_store(n);
    }
    free(inode);
    free(block);
    return result;
}

static int xattr_change(struct ext4_node *n, const char *name, const void *value, size_t size, uint32_t flags,
                        bool remove) {
    struct ext4 *fs = n->fs;
    struct attribute new;
    struct attributes *a;
    if (!name_split(name, &new)) return -EOPNOTSUPP;
    if (size > fs->block_size) return -ENOSPC;
    new.value = value;
    new.value_size = (uint16_t)size;
    int result = tx_start(fs, remove ? 0 : 1);
    if (result < 0) return result;
    result = attributes_read(n, &a);
    if (result < 0) return tx_stop(fs, result);
    struct attribute *found = attribute_find(a, &new);
    if (found ? flags & EXT4_XATTR_CREATE : remove || flags & EXT4_XATTR_REPLACE) result = found ? -EEXIST : -ENODATA;
    else if (remove) *found = a->list[--a->count];
    else if (found) *found = new;
    else if (a->count == ATTRIBUTES_MAX) result = -ENOSPC;
    else a->list[a->count++] = new;
    if (!result && !(fs->compat & COMPAT_XATTR)) {
        fs->compat |= COMPAT_XATTR;
        fs->super->feature_compat |= COMPAT_XATTR;
        fs->super_changed = true;
    }
    if (!result) result = attributes_write(a);
    attributes_free(a);
    return tx_stop(fs, result);
}

int ext4_xattr_set(struct ext4_node *n, const char *name, const void *value, size_t size, uint32_t flags) {
    return xattr_change(n, name, value, size, flags, false);
}

int ext4_xattr_remove(struct ext4_node *n, const char *name) { return xattr_change(n, name, nullptr, 0, 0, true); }
