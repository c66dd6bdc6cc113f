// SPDX-License-Identifier: MIT
/* Nodes, directories, bytes. */
#include "internal.h"

#include <stdlib.h>

#define EXTENTS_MAX 4096u

static uint64_t block_round(uint64_t bytes) { return (bytes + ISO_BLOCK - 1) / ISO_BLOCK * ISO_BLOCK; }

/* --- records in order --- */
/* The record at or behind `offset` of a directory. */
static int record_at(struct iso_node *dir, uint64_t offset, struct record *out, uint64_t *found) {
    int e = -ENOENT;
    while (offset < dir->size) {
        e = record_read(dir->iso, dir->inode + offset, out);
        if (e != -ENOENT) break;
        offset = block_round(offset + 1);
    }
    *found = offset;
    return offset < dir->size ? e : -ENOENT;
}

static bool dot_is(const struct record *r) { return r->fixed.name_length == 1 && r->bytes[sizeof(r->fixed)] < 2; }

struct scan {
    struct record record;
    struct rock rock;
    uint64_t offset; /* of the record */
    bool more; /* the record before it was a part of the same file */
};

/* The next entry that is one, from s->offset on, and its name's length. */
static int scan_next(struct iso_node *dir, struct scan *s) {
    for (;; s->offset += s->record.fixed.length) {
        int e = record_at(dir, s->offset, &s->record, &s->offset);
        if (e) return e;
        bool part = s->more;
        s->more = s->record.fixed.flags & RECORD_MORE;
        if (part || dot_is(&s->record) || s->record.fixed.flags & RECORD_ASSOCIATED) continue;
        if ((e = rock_read(dir->iso, &s->record, &s->rock))) return e;
        if (s->rock.relocated) continue;
        e = (int)record_name(dir->iso, &s->record, &s->rock);
        if (e) return e;
    }
}

/* A directory is named by its first block; one that was moved says where to. */
static uint64_t inode_of(const struct scan *s) {
    if (s->rock.child) return (uint64_t)s->rock.child * ISO_BLOCK;
    if (s->record.fixed.flags & RECORD_DIRECTORY) return (uint64_t)s->record.fixed.block.le * ISO_BLOCK;
    return s->record.at;
}

static uint32_t type_of(const struct scan *s) {
    if (s->rock.child || s->record.fixed.flags & RECORD_DIRECTORY) return S_IFDIR;
    return s->rock.attributes ? s->rock.mode & S_IFMT : S_IFREG;
}

int iso_lookup(struct iso_node *dir, const char *name, size_t length, uint64_t *inode) {
    struct scan s = {};
    int e;
    for (; (e = scan_next(dir, &s)) > 0; s.offset += s.record.fixed.length) {
        if ((size_t)e != length || memcmp(dir->iso->name, name, length) != 0) continue;
        *inode = inode_of(&s);
        return 0;
    }
    return e;
}

int iso_next(struct iso_node *dir, int64_t cookie, struct iso_entry *out) {
    struct scan s = {.offset = cookie > 2 ? (uint64_t)cookie - 3 : 0};
    int e;
    if (cookie > 2) { /* from behind that record on */
        e = record_at(dir, s.offset, &s.record, &s.offset);
        if (e) return e;
        s.more = s.record.fixed.flags & RECORD_MORE;
        s.offset += s.record.fixed.length;
    }
    if ((e = scan_next(dir, &s)) < 0) return e;
    *out = (struct iso_entry){.cookie = (int64_t)s.offset + 3,
                              .inode = inode_of(&s),
                              .mode = type_of(&s),
                              .length = (uint32_t)e,
                              .name = dir->iso->name};
    return 0;
}

/* --- nodes --- */
static int extent_add(struct iso_node *n, const struct record *r) {
    uint64_t first = (uint64_t)r->fixed.block.le + r->fixed.attribute_length;
    uint64_t blocks = block_round(r->fixed.bytes.le) / ISO_BLOCK;
    if (r->fixed.unit_size || r->fixed.gap_size) return -EOPNOTSUPP; /* interleaved */
    if (blocks && (first + blocks > n->iso->blocks || (n->size && n->size % ISO_BLOCK))) return -EUCLEAN;
    if (n->extent_count == EXTENTS_MAX) return -EUCLEAN;
    struct iso_extent *extents = realloc(n->extents, (n->extent_count + 1) * sizeof(*extents));
    if (!extents) return -ENOMEM;
    n->extents = extents;
    extents[n->extent_count++] = (struct iso_extent){(uint32_t)first, r->fixed.bytes.le};
    n->size += r->fixed.bytes.le;
    return 0;
}

/* All parts of a file: records one after the other. */
static int extents_take(struct iso_node *n, struct record *r) {
    for (;;) {
        int e = extent_add(n, r);
        if (e || !(r->fixed.flags & RECORD_MORE)) return e;
        uint64_t at = r->at + r->fixed.length;
        e = record_read(n->iso, at, r);
        if (e == -ENOENT) e = record_read(n->iso, block_round(at), r);
        if (e) return e == -ENOENT ? -EUCLEAN : e;
    }
}

static int attributes_take(struct iso_node *n, const struct record *r, const struct rock *rock) {
    bool directory = r->fixed.flags & RECORD_DIRECTORY;
    n->mode = directory ? S_IFDIR | 0555 : S_IFREG | 0555;
    n->links = 1;
    n->mtime = n->atime = n->ctime = date_decode(r->fixed.date);
    if (rock->attributes) {
        if (S_ISDIR(rock->mode) != directory) return -EUCLEAN;
        n->mode = rock->mode & (S_IFMT | 07777);
        n->links = rock->links ?: 1;
        n->uid = rock->uid;
        n->gid = rock->gid;
        n->rdev = rock->rdev;
    }
    if (rock->modified >= 0) n->mtime = n->atime = n->ctime = rock->modified;
    if (rock->accessed >= 0) n->atime = rock->accessed;
    if (rock->changed >= 0) n->ctime = rock->changed;
    if (!S_ISLNK(n->mode)) return 0;
    n->target = strndup(rock->text, rock->link_length);
    n->size = n->target ? strlen(n->target) : 0;
    return n->target ? 0 : -ENOMEM;
}

int iso_node_get(struct iso *iso, uint64_t inode, struct iso_node **out) {
    struct rock rock;
    struct record r;
    int e = record_read(iso, inode, &r);
    if (e) return e == -ENOENT ? -EUCLEAN : e;
    if ((e = rock_read(iso, &r, &rock))) return e;
    struct iso_node *n = calloc(1, sizeof(*n));
    if (!n) return -ENOMEM;
    n->iso = iso;
    n->inode = inode;
    e = attributes_take(n, &r, &rock);
    if (!e && (S_ISREG(n->mode) || S_ISDIR(n->mode))) e = extents_take(n, &r);
    /* A directory lies where its first record does. */
    if (!e && S_ISDIR(n->mode) && (n->extent_count != 1 || (uint64_t)n->extents[0].block * ISO_BLOCK != inode))
        e = -EUCLEAN;
    if (e) iso_node_put(n);
    else *out = n;
    return e;
}

void iso_node_put(struct iso_node *n) {
    free(n->target);
    free(n->extents);
    free(n);
}

/* --- bytes --- */
/* Of one extent, as many as can be moved at once. */
static ssize_t extent_read(struct iso *iso, const struct iso_extent *x, uint8_t *out, size_t size, uint32_t offset) {
    uint64_t block = x->block + offset / ISO_BLOCK;
    uint32_t start = offset % ISO_BLOCK, sectors = ISO_BLOCK / BLKDEV_SECTOR;
    const uint8_t *bytes;
    if (size > x->bytes - offset) size = x->bytes - offset;
    if (!start && size >= ISO_BLOCK) {
        size -= size % ISO_BLOCK;
        uint32_t count = (uint32_t)(size / ISO_BLOCK);
        int e = iso->device->read(iso->device, block * sectors, out, count * sectors);
        return e ?: (ssize_t)size;
    }
    if (size > ISO_BLOCK - start) size = ISO_BLOCK - start;
    int e = block_get(iso, block, &bytes);
    if (e) return e;
    memcpy(out, bytes + start, size);
    return (ssize_t)size;
}

ssize_t iso_read(struct iso_node *n, void *out, size_t size, uint64_t offset) {
    uint64_t before = 0;
    size_t done = 0;
    for (uint32_t i = 0; i < n->extent_count; before += n->extents[i++].bytes)
        while (done < size && offset + done - before < n->extents[i].bytes) {
            uint32_t at = (uint32_t)(offset + done - before);
            ssize_t got = extent_read(n->iso, &n->extents[i], (uint8_t *)out + done, size - done, at);
            if (got < 0) return got;
            done += (size_t)got;
        }
    return (ssize_t)done;
}
