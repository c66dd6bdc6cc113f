// SPDX-License-Identifier: MIT
/*
 * Nodes in memory, by the place of their entry. Its number is that place too, unless the node moved away from there (or
 * was removed) while somebody had it: then another node that comes to that place gets a number of its own.
 */
#include "internal.h"

#include <stdlib.h>

#define MODE_WRITE 0222

static struct fat_node **bucket_of(struct fat *fs, uint64_t entry) {
    return &fs->nodes[entry / SLOT_BYTES % NODE_BUCKETS];
}

struct fat_node *node_at(struct fat *fs, uint64_t entry) {
    struct fat_node *n = *bucket_of(fs, entry);
    while (n && n->entry != entry) n = n->hash_next;
    return n;
}

static bool displaced(const struct fat_node *n) { return n->inode != n->entry / SLOT_BYTES; }

void node_move(struct fat_node *n, uint64_t entry) {
    struct fat *fs = n->fs;
    if (n->entry) {
        struct fat_node **p = bucket_of(fs, n->entry);
        while (*p != n) p = &(*p)->hash_next;
        *p = n->hash_next;
    }
    fs->displaced -= displaced(n);
    n->entry = entry;
    fs->displaced += displaced(n);
    if (!entry) return;
    n->hash_next = *bucket_of(fs, entry);
    *bucket_of(fs, entry) = n;
}

static bool inode_used(const struct fat *fs, uint64_t inode) {
    for (const struct fat_node *n = fs->displaced ? fs->first_node : nullptr; n; n = n->next)
        if (n->inode == inode) return true;
    return false;
}

static void node_add(struct fat *fs, struct fat_node *n, uint64_t entry) {
    n->fs = fs;
    n->refs = 1;
    n->inode = inode_used(fs, entry / SLOT_BYTES) ? fs->next_inode++ : entry / SLOT_BYTES;
    fs->displaced += displaced(n); /* its entry is 0 yet */
    node_move(n, entry);
    n->next = fs->first_node;
    if (fs->first_node) fs->first_node->previous = n;
    fs->first_node = n;
}

static void node_free(struct fat_node *n) {
    struct fat *fs = n->fs;
    node_move(n, 0);
    fs->displaced -= displaced(n);
    if (n->previous) n->previous->next = n->next;
    else fs->first_node = n->next;
    if (n->next) n->next->previous = n->previous;
    if (fs->window.dir == n) fs->window.dir = nullptr;
    chain_forget(n);
    free(n);
}

static uint32_t mode_of(const struct fat_slot *s) {
    uint32_t mode = s->attributes & ATTRIBUTE_DIRECTORY ? S_IFDIR | 0755 : S_IFREG | 0755;
    return s->attributes & ATTRIBUTE_READ_ONLY && S_ISREG(mode) ? mode & ~(uint32_t)MODE_WRITE : mode;
}

/* Its clusters, as far as the size says. */
static int node_check(struct fat_node *n) {
    uint32_t length;
    int e = 0;
    if (S_ISDIR(n->mode)) {
        if (!n->first) return -EUCLEAN;
        e = chain_length(n, &length);
        n->size = (uint64_t)length << n->fs->cluster_bits;
        if (!e && n->size > (uint64_t)SLOTS_MAX * SLOT_BYTES) e = -EUCLEAN;
    } else if (n->size && !n->first) {
        e = -EUCLEAN;
    }
    return e;
}

int node_get(struct fat *fs, const struct found *f, struct fat_node **out) {
    struct fat_node *n = node_at(fs, f->at);
    const struct fat_slot *s = &f->slot;
    if (n) {
        n->refs++;
        *out = n;
        return 0;
    }
    if (!(n = calloc(1, sizeof(*n)))) return -ENOMEM;
    n->mode = mode_of(s);
    n->first = slot_first(fs, s);
    n->size = S_ISDIR(n->mode) ? 0 : s->size;
    n->mtime = time_decode(s->modified_date, s->modified_time, 0);
    n->atime = time_decode(s->accessed_date, 0, 0);
    n->birth = time_decode(s->created_date, s->created_time, s->created_10ms);
    node_add(fs, n, f->at);
    int e = node_check(n);
    if (e) node_free(n);
    else *out = n;
    return e;
}

void fat_node_put(struct fat_node *n) {
    if (--n->refs || n == n->fs->root_node) return;
    if (!n->entry && !n->fs->read_only) (void)!chain_release(n); /* on failure they are lost: fsck finds them */
    node_free(n);
}

struct fat_node *fat_root(struct fat *fs) {
    fs->root_node->refs++;
    return fs->root_node;
}

void nodes_fini(struct fat *fs) {
    while (fs->first_node) node_free(fs->first_node);
    if (fs->root_node) chain_forget(fs->root_node);
    free(fs->root_node);
}

/* --- attributes --- */
void slot_fill(const struct fat_node *n, struct fat_slot *s) {
    uint16_t unused;
    uint8_t hundredths;
    s->attributes &= (uint8_t)~ATTRIBUTE_READ_ONLY;
    if (S_ISREG(n->mode) && !(n->mode & MODE_WRITE)) s->attributes |= ATTRIBUTE_READ_ONLY;
    uint32_t first = n->pending ? n->disk_first : n->first, size = n->pending ? n->disk_size : (uint32_t)n->size;
    s->first_low = (uint16_t)first;
    if (n->fs->bits == 32) s->first_high = (uint16_t)(first >> 16);
    s->size = S_ISDIR(n->mode) ? 0 : size;
    uint16_t modified_date = s->modified_date, modified_time = s->modified_time, accessed_date = s->accessed_date;
    time_encode(n->mtime, &modified_date, &modified_time, &hundredths);
    time_encode(n->atime, &accessed_date, &unused, &hundredths);
    s->modified_date = modified_date;
    s->modified_time = modified_time;
    s->accessed_date = accessed_date;
}

int node_write(struct fat_node *n) {
    struct fat_slot s, old;
    if (!n->entry) return 0;
    int e = cache_read(n->fs, n->entry, &s, sizeof(s));
    if (e) return e;
    old = s;
    slot_fill(n, &s);
    if (memcmp(&s, &old, sizeof(s)) == 0) return 0;
    if (S_ISREG(n->mode) && s.modified_time != old.modified_time) s.attributes |= ATTRIBUTE_ARCHIVE;
    return cache_write(n->fs, n->entry, &s, sizeof(s));
}

int fat_node_changed(struct fat_node *n) {
    if (n->fs->read_only) return -EROFS;
    return node_write(n);
}
