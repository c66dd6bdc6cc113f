// SPDX-License-Identifier: MIT
#include "ext4_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const names[MODEL_NAMES] = {
    "a",
    "bb",
    "file c",
    "d-with-a-longer-name-than-others-have-here",
    "e-and-one-that-is-so-long-that-five-of-them-fill-a-block-of-one-kibibyte-to-the-brim-when-there-is-nothing-else-"
    "in-"
    "it-but-the-dots-and-so-on-until-the-end-of-the-name-which-comes-later-than-you-would-have-thought-at-first-sight",
    "f"};
const char *model_name(int name) { return names[name]; }

static uint8_t byte_at(int node, uint32_t offset) {
    return (uint8_t)((uint32_t)node * 31 + offset / 7 * 13 + offset) | 1;
}

#define DEFERRED_MAX 64
struct blkdev *model_deferred;
static struct deferred {
    uint64_t sector;
    uint8_t bytes[1024];
} deferred[DEFERRED_MAX];
static uint32_t deferred_count;

void model_init(struct model *m) {
    deferred_count = 0;
    memset(m, 0, sizeof(*m));
    memset(m->entries, -1, sizeof(m->entries));
    m->nodes[0] = (struct model_node){.mode = S_IFDIR | 0755, .links = 2, .inode = EXT4_ROOT};
}

static bool is_dir(const struct model *m, int node) { return node >= 0 && S_ISDIR(m->nodes[node].mode); }
static bool is_file(const struct model *m, int node) { return node >= 0 && S_ISREG(m->nodes[node].mode); }

static bool is_empty(const struct model *m, int dir) {
    for (int i = 0; i < MODEL_NAMES; i++)
        if (m->entries[dir][i] >= 0) return false;
    return true;
}

static bool is_below(const struct model *m, int node, int above) {
    for (; node; node = m->parent[node])
        if (node == above) return true;
    return node == above;
}

static int node_find_free(const struct model *m) {
    for (int i = 1; i < MODEL_NODES; i++)
        if (!m->nodes[i].mode) return i;
    return -1;
}

static bool can_move(const struct model *m, int node, int to_dir) {
    return !is_dir(m, node) || !is_below(m, to_dir, node);
}

bool model_can(const struct model *m, const struct model_step *s) {
    if (!is_dir(m, s->dir) || !is_dir(m, s->dir2)) return false;
    int a = m->entries[s->dir][s->name], b = m->entries[s->dir2][s->name2];
    switch (s->op) {
    case OP_CREATE:
    case OP_MKDIR:
    case OP_SYMLINK: return a < 0 && node_find_free(m) >= 0;
    case OP_WRITE:
    case OP_ALLOCATE:
    case OP_PUNCH: return is_file(m, a) && s->length && s->offset + s->length <= MODEL_SIZE;
    case OP_TRUNCATE: return is_file(m, a) && s->offset <= MODEL_SIZE;
    case OP_UNLINK: return a >= 0 && (!is_dir(m, a) || is_empty(m, a));
    case OP_LINK: return a >= 0 && !is_dir(m, a) && b < 0;
    case OP_EXCHANGE: return a >= 0 && b >= 0 && a != b && can_move(m, a, s->dir2) && can_move(m, b, s->dir);
    case OP_RENAME:
        if (a < 0 || a == b || !can_move(m, a, s->dir2)) return false;
        return b < 0 || (is_dir(m, a) == is_dir(m, b) && (!is_dir(m, b) || is_empty(m, b)));
    default: return false;
    }
}

bool model_pick(const struct model *m, enum model_op op, struct model_step *out) {
    for (int tries = 0; tries < 60; tries++) {
        *out = (struct model_step){op,
                                   (int)roll(MODEL_NODES),
                                   (int)roll(MODEL_NAMES),
                                   (int)roll(MODEL_NODES),
                                   (int)roll(MODEL_NAMES),
                                   roll(3) ? roll(MODEL_SIZE / 4) : roll(MODEL_SIZE),
                                   0};
        if (!roll(3)) out->dir2 = out->dir;
        out->length = roll(2) ? 1 + roll(3000) : 1 + roll(MODEL_SIZE - out->offset);
        if (!roll(4)) out->offset &= ~1023u;
        if (!roll(4) && out->length > 1024) out->length &= ~1023u;
        if (op == OP_MKDIR && m->parent[out->dir]) continue; /* three levels at most */
        if (model_can(m, out)) return true;
    }
    return false;
}

static void size_grow(struct model_node *n, uint32_t size) {
    if (size > n->size) n->size = size;
}

static void entry_drop(struct model *m, int dir, int name) {
    struct model_node *n = &m->nodes[m->entries[dir][name]];
    bool directory = S_ISDIR(n->mode);
    m->entries[dir][name] = -1;
    n->links -= directory ? 2 : 1;
    if (directory) m->nodes[dir].links--;
    if (!n->links) n->mode = 0;
}

static void entry_put(struct model *m, int dir, int name, int node) {
    m->entries[dir][name] = (int8_t)node;
    if (!S_ISDIR(m->nodes[node].mode)) return;
    m->parent[node] = (int8_t)dir;
    m->nodes[dir].links++;
}

static void entry_take(struct model *m, int dir, int name) {
    if (S_ISDIR(m->nodes[m->entries[dir][name]].mode)) m->nodes[dir].links--;
    m->entries[dir][name] = -1;
}

static void model_apply(struct model *m, const struct model_step *s, uint32_t inode) {
    int a = m->entries[s->dir][s->name], b = m->entries[s->dir2][s->name2], new = node_find_free(m);
    struct model_node *n = a >= 0 ? &m->nodes[a] : new >= 0 ? &m->nodes[new] : nullptr;
    switch (s->op) {
    case OP_CREATE:
    case OP_MKDIR:
    case OP_SYMLINK:
        *n = (struct model_node){.inode = inode, .links = s->op == OP_MKDIR ? 2 : 1};
        n->mode = (s->op == OP_MKDIR ? S_IFDIR : s->op == OP_CREATE ? S_IFREG : S_IFLNK) | 0700;
        if (s->op == OP_SYMLINK) n->size = 1 + s->offset % 900;
        memset(m->entries[new], -1, MODEL_NAMES);
        entry_put(m, s->dir, s->name, new);
        break;
    case OP_WRITE:
        for (uint32_t i = s->offset; i < s->offset + s->length; i++) n->data[i] = byte_at(a, i);
        size_grow(n, s->offset + s->length);
        break;
    case OP_ALLOCATE: size_grow(n, s->offset + s->length); break;
    case OP_PUNCH: memset(n->data + s->offset, 0, s->length); break;
    case OP_TRUNCATE:
        if (s->offset < n->size) memset(n->data + s->offset, 0, n->size - s->offset);
        n->size = s->offset;
        break;
    case OP_UNLINK: entry_drop(m, s->dir, s->name); break;
    case OP_LINK:
        n->links++;
        entry_put(m, s->dir2, s->name2, a);
        break;
    case OP_RENAME:
        if (b >= 0) entry_drop(m, s->dir2, s->name2);
        entry_take(m, s->dir, s->name);
        entry_put(m, s->dir2, s->name2, a);
        break;
    case OP_EXCHANGE:
        entry_take(m, s->dir, s->name);
        entry_take(m, s->dir2, s->name2);
        entry_put(m, s->dir, s->name, b);
        entry_put(m, s->dir2, s->name2, a);
        break;
    default: break;
    }
}

static int node_of(struct ext4 *fs, const struct model *m, int node, struct ext4_node **out) {
    *out = nullptr;
    return node >= 0 ? ext4_node_get(fs, m->nodes[node].inode, out) : 0;
}

static void target_make(char *out, uint32_t length) {
    for (uint32_t i = 0; i < length; i++) out[i] = (char)('a' + i % 26);
}

int model_ordered(void *data) {
    int result = 0;
    for (uint32_t i = 0; i < deferred_count; i++)
        if (model_deferred->write(model_deferred, deferred[i].sector, deferred[i].bytes, 2) < 0) result = -EIO;
    deferred_count = 0;
    return result;
}

/* On file systems with blocks of 1024 bytes. */
static int file_write_deferred(struct ext4_node *n, int node, uint32_t offset, uint32_t length) {
    for (uint32_t at = offset; at < offset + length;) {
        struct ext4_extent e;
        int result = ext4_allocate(n, at / 1024, (offset + length - at) / 1024, false, offset + length, &e);
        if (result < 0) return result;
        if (deferred_count + e.count > DEFERRED_MAX) return -ENOSPC;
        for (uint64_t i = 0; i < e.count; i++, at += 1024) {
            struct deferred *d = &deferred[deferred_count++];
            d->sector = (e.physical + i) * 2;
            for (uint32_t k = 0; k < 1024; k++) d->bytes[k] = byte_at(node, at + k);
        }
        if (e.state != EXT4_UNWRITTEN) continue;
        model_ordered(nullptr);
        result = ext4_written(n, e.logical, e.count, offset + length);
        if (result < 0) return result;
    }
    return n->size < offset + length ? ext4_size_set(n, offset + length) : 0;
}

static int file_write(struct ext4_node *n, int node, uint32_t offset, uint32_t length) {
    uint8_t bytes[MODEL_SIZE];
    if (model_deferred && offset % 1024 == 0 && length % 1024 == 0) return file_write_deferred(n, node, offset, length);
    for (uint32_t i = 0; i < length; i++) bytes[i] = byte_at(node, offset + i);
    ssize_t done = ext4_write(n, bytes, length, offset);
    return done < 0 ? (int)done : done == (ssize_t)length ? 0 : -ENOSPC;
}

static int step_do(const struct model *m, struct ext4 *fs, const struct model_step *s, uint32_t *inode) {
    struct ext4_node *dir, *dir2, *n, *other, *new;
    const char *name = names[s->name], *name2 = names[s->name2];
    int a = m->entries[s->dir][s->name], b = m->entries[s->dir2][s->name2];
    int result = node_of(fs, m, s->dir, &dir);
    if (!result) result = node_of(fs, m, s->dir2, &dir2);
    if (!result) result = node_of(fs, m, a, &n);
    if (!result) result = node_of(fs, m, b, &other);
    if (result < 0) return result;
    struct ext4_new what = {.mode = S_IFREG | 0700};
    char target[1000];
    switch (s->op) {
    case OP_CREATE:
    case OP_MKDIR:
    case OP_SYMLINK:
        if (s->op == OP_MKDIR) what.mode = S_IFDIR | 0700;
        if (s->op == OP_SYMLINK) {
            target_make(target, sizeof(target));
            what = (struct ext4_new){.mode = S_IFLNK | 0700, .target = target, .target_length = 1 + s->offset % 900};
        }
        result = ext4_create(dir, name, strlen(name), &what, &new);
        if (result < 0) break;
        *inode = new->inode;
        ext4_node_put(new);
        break;
    case OP_WRITE: result = file_write(n, a, s->offset, s->length); break;
    case OP_TRUNCATE: result = ext4_truncate(n, s->offset); break;
    case OP_PUNCH: result = ext4_fallocate(n, s->offset, s->length, EXT4_PUNCH_HOLE | EXT4_KEEP_SIZE); break;
    case OP_ALLOCATE: result = ext4_fallocate(n, s->offset, s->length, 0); break;
    case OP_UNLINK: result = ext4_unlink(dir, name, strlen(name), n); break;
    case OP_LINK: result = ext4_link(dir2, name2, strlen(name2), n); break;
    default:
        result = ext4_rename(dir, name, strlen(name), n, dir2, name2, strlen(name2), other, s->op == OP_EXCHANGE);
        break;
    }
    ext4_node_put(dir);
    ext4_node_put(dir2);
    if (n) ext4_node_put(n);
    if (other) ext4_node_put(other);
    return result;
}

bool model_do(struct model *m, struct ext4 *fs, const struct model_step *s) {
    uint32_t inode = 0;
    bool names_only = s->op == OP_RENAME || s->op == OP_LINK || s->op == OP_EXCHANGE || s->op == OP_CREATE;
    if (deferred_count && !names_only) model_ordered(nullptr);
    int result = step_do(m, fs, s, &inode);
    if (result < 0) printf("# operation %d: %s\n", s->op, strerror(-result));
    if (!result) model_apply(m, s, inode);
    return !result;
}

struct comparison {
    struct ext4 *fs;
    const struct model *const *snapshots;
    int k, count;
    bool partial, loud;
};

static bool differs(const struct comparison *c, const char *what, int node) {
    if (c->loud) printf("# node %d: %s differs\n", node, what);
    return false;
}

/* The same file in another snapshot, or null. */
static const struct model_node *node_later(const struct comparison *c, int node, int k) {
    const struct model_node *a = &c->snapshots[c->k]->nodes[node], *b = &c->snapshots[k]->nodes[node];
    return a->mode == b->mode && a->inode == b->inode ? b : nullptr;
}

static bool bytes_same(const struct comparison *c, struct ext4_node *n, int node) {
    static uint8_t found[MODEL_SIZE];
    if (n->size > MODEL_SIZE) return differs(c, "size", node);
    if (ext4_read(n, found, MODEL_SIZE, 0) != (ssize_t)n->size) return differs(c, "length of a read", node);
    const uint8_t *wanted = c->snapshots[c->k]->nodes[node].data;
    if (!memcmp(found, wanted, n->size)) return true;
    for (uint32_t i = 0; i < n->size; i++) {
        bool good = found[i] == wanted[i];
        for (int k = c->k + 1; !good && k < c->count; k++) {
            const struct model_node *later = node_later(c, node, k);
            if (!later) break;
            good = found[i] == later->data[i];
        }
        if (!good && c->loud) printf("# byte %u is %02x, not %02x\n", i, found[i], wanted[i]);
        if (!good) return differs(c, "content", node);
    }
    return true;
}

static bool file_same(const struct comparison *c, struct ext4_node *n, int node) {
    const struct model_node *wanted = &c->snapshots[c->k]->nodes[node];
    if (n->size != wanted->size) {
        const struct model_node *next = c->partial && c->k + 1 < c->count ? node_later(c, node, c->k + 1) : nullptr;
        if (!next || n->size < wanted->size || n->size > next->size) return differs(c, "size", node);
    }
    return bytes_same(c, n, node);
}

static bool link_same(const struct comparison *c, struct ext4_node *n, int node) {
    char wanted[1000], found[1000];
    uint32_t size = c->snapshots[c->k]->nodes[node].size;
    target_make(wanted, sizeof(wanted));
    bool good = ext4_readlink(n, found, sizeof(found)) == (int)size && !memcmp(found, wanted, size);
    return good || differs(c, "target", node);
}

static bool dir_same(const struct comparison *c, struct ext4_node *n, int node) {
    const struct model *m = c->snapshots[c->k];
    struct ext4_entry e = {};
    int count = 0, wanted = 0;
    for (int i = 0; i < MODEL_NAMES; i++) wanted += m->entries[node][i] >= 0;
    while (ext4_next(n, e.cookie, &e) == 0) {
        if (node == 0 && e.length == 10 && !memcmp(e.name, "lost+found", 10)) continue;
        int i = 0;
        while (i < MODEL_NAMES && (strlen(names[i]) != e.length || memcmp(names[i], e.name, e.length))) i++;
        if (i == MODEL_NAMES || m->entries[node][i] < 0 || m->nodes[m->entries[node][i]].inode != e.inode)
            return differs(c, "an entry", node);
        count++;
    }
    return count == wanted || differs(c, "number of entries", node);
}

bool model_same(struct ext4 *fs, const struct model *const *snapshots, int k, int count, bool partial, bool loud) {
    struct comparison c = {fs, snapshots, k, count, partial, loud};
    for (int i = 0; i < MODEL_NODES; i++) {
        const struct model_node *wanted = &snapshots[k]->nodes[i];
        struct ext4_node *n;
        if (!wanted->mode) continue;
        if (ext4_node_get(fs, wanted->inode, &n) < 0) return differs(&c, "existence", i);
        bool same = i == 0 || n->mode == wanted->mode || differs(&c, "mode", i);
        uint32_t links = wanted->links + (i == 0); /* lost+found */
        if (same && n->links != links) same = differs(&c, "number of links", i);
        if (same && S_ISREG(wanted->mode)) same = file_same(&c, n, i);
        if (same && S_ISDIR(wanted->mode)) same = dir_same(&c, n, i);
        if (same && S_ISLNK(wanted->mode)) same = link_same(&c, n, i);
        ext4_node_put(n);
        if (!same) return false;
    }
    return true;
}
