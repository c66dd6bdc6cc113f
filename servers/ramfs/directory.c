// SPDX-License-Identifier: MIT
/*
 * Names: one hash table for all entries (directory, name) → node, and per directory the list that
 * reading it walks, whose cookies stay valid whatever else comes and goes.
 */
#include "ramfs.h"

#include <stdlib.h>
#include <string.h>

#define COOKIE_FIRST 3 /* after `.` and `..` */

static uint32_t hash_known(const struct ram_node *dir, uint32_t hash) {
    return hash ^ (uint32_t)((uintptr_t)dir >> 4) * 0x9e3779b1u;
}

static uint32_t hash_name(const struct ram_node *dir, struct fs_name name) {
    return hash_known(dir, fs_name_hash(name));
}

static struct ram_entry *hash_find(struct ramfs *r, struct ram_node *dir, struct fs_name name, uint32_t hash) {
    struct ram_entry *e = r->buckets[hash & (r->bucket_count - 1)];
    while (e && (e->hash != hash || e->dir != dir || !name_is(name, e->name, e->length))) e = e->hash_next;
    return e;
}

struct ram_entry *ram_entry_find(struct ramfs *r, struct ram_node *dir, struct fs_name name) {
    return hash_find(r, dir, name, hash_name(dir, name));
}

static int hash_grow(struct ramfs *r) {
    uint32_t count = r->bucket_count ? r->bucket_count * 2 : 512;
    struct ram_entry **buckets = calloc(count, sizeof(struct ram_entry *));
    if (!buckets) return -ENOMEM;
    for (uint32_t i = 0; i < r->bucket_count; i++) {
        for (struct ram_entry *e = r->buckets[i], *next; e; e = next) {
            next = e->hash_next;
            e->hash_next = buckets[e->hash & (count - 1)];
            buckets[e->hash & (count - 1)] = e;
        }
    }
    free(r->buckets);
    r->buckets = buckets;
    r->bucket_count = count;
    return 0;
}

static void hash_add(struct ramfs *r, struct ram_entry *e) {
    struct ram_entry **bucket = &r->buckets[e->hash & (r->bucket_count - 1)];
    e->hash_next = *bucket;
    *bucket = e;
    r->entry_count++;
}

static void hash_remove(struct ramfs *r, struct ram_entry *e) {
    struct ram_entry **p = &r->buckets[e->hash & (r->bucket_count - 1)];
    while (*p != e) p = &(*p)->hash_next;
    *p = e->hash_next;
    r->entry_count--;
}

/* Takes out the gaps; cookies stay. */
static void slots_compact(struct ram_directory *d) {
    uint32_t to = 0;
    for (uint32_t i = 0; i < d->used; i++) {
        if (!d->slots[i].entry) continue;
        d->slots[to] = d->slots[i];
        d->slots[to].entry->slot = to;
        to++;
    }
    d->used = to;
}

/* Room for one more entry. */
static int slots_reserve(struct ram_directory *d) {
    if (d->used < d->capacity) return 0;
    if (d->live <= d->capacity / 2 && d->capacity) {
        slots_compact(d);
        return 0;
    }
    uint32_t capacity = d->capacity ? d->capacity * 2 : 8;
    struct ram_slot *slots = realloc(d->slots, capacity * sizeof(*slots));
    if (!slots) return -ENOMEM;
    d->slots = slots;
    d->capacity = capacity;
    return 0;
}

static void slot_add(struct ram_directory *d, struct ram_entry *e) {
    e->slot = d->used++;
    d->slots[e->slot] = (struct ram_slot){COOKIE_FIRST + d->next_cookie++, e};
    d->live++;
}

static void slot_remove(struct ram_directory *d, struct ram_entry *e) {
    d->slots[e->slot].entry = nullptr;
    d->live--;
    while (d->used && !d->slots[d->used - 1].entry) d->used--;
}

/* --- fs_ops -------------------------------------------------------------------------------------- */
static int ram_lookup(struct fs_call *c, struct fs_node *dir, struct fs_name name, struct fs_node **out) {
    struct ram_node *node = ram_node_of(dir);
    struct ram_entry *e = hash_find(ramfs_of(c->fs), node, name, hash_known(node, name.hash));
    if (!e) return -ENOENT;
    *out = &e->node->node;
    return 0;
}

/* First slot with a greater cookie. */
static uint32_t slot_after(const struct ram_directory *d, int64_t cookie) {
    uint32_t low = d->read_at, high = d->used;
    if (low && low <= high && d->slots[low - 1].cookie == cookie) return low;
    for (low = 0; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (d->slots[middle].cookie <= cookie) low = middle + 1;
        else high = middle;
    }
    return low;
}

static int ram_next(struct fs_node *dir, int64_t cookie, struct fs_entry *out) {
    struct ram_directory *d = &ram_node_of(dir)->directory;
    uint32_t low = slot_after(d, cookie);
    while (low < d->used && !d->slots[low].entry) low++;
    if (low == d->used) return -ENOENT;
    d->read_at = low + 1;
    struct ram_entry *e = d->slots[low].entry;
    *out = (struct fs_entry){.cookie = d->slots[low].cookie,
                             .inode = e->node->node.inode,
                             .mode = e->node->node.mode,
                             .name = fs_name(e->name, e->length)};
    return 0;
}

static int ram_name(struct fs_node *dir, struct fs_name *out) {
    struct ram_entry *e = ram_node_of(dir)->directory.self;
    if (!e) return -ENOENT;
    *out = fs_name(e->name, e->length);
    return 0;
}

static int ram_readlink(struct fs_call *c, struct fs_node *n, char *out, size_t size) {
    size_t length = (size_t)n->size < size ? (size_t)n->size : size;
    memcpy(out, ram_node_of(n)->target, length);
    return (int)length;
}

/* Short names, which most are, come from a pool. */
#define ENTRY_SHORT (RAM_ENTRY_SIZE - sizeof(struct ram_entry))

static struct ram_entry *entry_alloc(struct ramfs *r, uint32_t length) {
    struct ram_entry *e = length <= ENTRY_SHORT ? pool_get(&r->entries) : malloc(sizeof(*e) + length);
    if (e) e->length = (uint16_t)length;
    return e;
}

static void entry_free(struct ramfs *r, struct ram_entry *e) {
    if (e->length <= ENTRY_SHORT) pool_put(&r->entries, e);
    else free(e);
}

static int ram_insert(struct fs_node *dir, struct fs_name name, struct fs_node *n) {
    struct ramfs *r = ramfs_of(dir->fs);
    struct ram_node *parent = ram_node_of(dir);
    if (r->entry_count >= r->bucket_count && hash_grow(r) != 0 && !r->bucket_count) return -ENOSPC;
    struct ram_entry *e = entry_alloc(r, name.length);
    if (!e) return -ENOSPC;
    if (slots_reserve(&parent->directory) != 0) {
        entry_free(r, e);
        return -ENOSPC;
    }
    e->dir = parent;
    e->node = ram_node_of(n);
    e->hash = hash_name(parent, name);
    memcpy(e->name, name.text, name.length);
    hash_add(r, e);
    slot_add(&parent->directory, e);
    if (node_is(n, MODE_DIRECTORY)) e->node->directory.self = e;
    return 0;
}

static int ram_remove(struct fs_node *dir, struct fs_name name, struct fs_node *n) {
    struct ramfs *r = ramfs_of(dir->fs);
    struct ram_entry *e = ram_entry_find(r, ram_node_of(dir), name);
    hash_remove(r, e);
    slot_remove(&ram_node_of(dir)->directory, e);
    if (node_is(n, MODE_DIRECTORY) && ram_node_of(n)->directory.self == e) ram_node_of(n)->directory.self = nullptr;
    entry_free(r, e);
    return 0;
}

static int ram_move(struct fs_node *from, struct fs_name from_name, struct fs_node *n, struct fs_node *to,
                    struct fs_name to_name, struct fs_node *victim, bool exchange) {
    if (victim) { /* the entry stays and gets the other node */
        struct ram_entry *e = ram_entry_find(ramfs_of(to->fs), ram_node_of(to), to_name);
        if (node_is(victim, MODE_DIRECTORY)) ram_node_of(victim)->directory.self = nullptr;
        e->node = ram_node_of(n);
        struct ram_entry *old = ram_entry_find(ramfs_of(to->fs), ram_node_of(from), from_name);
        if (exchange) {
            old->node = ram_node_of(victim);
            if (node_is(victim, MODE_DIRECTORY)) ram_node_of(victim)->directory.self = old;
        }
        if (node_is(n, MODE_DIRECTORY)) ram_node_of(n)->directory.self = e;
        return exchange ? 0 : ram_remove(from, from_name, n);
    }
    int result = ram_insert(to, to_name, n);
    return result ? result : ram_remove(from, from_name, n);
}

/* --- nodes --------------------------------------------------------------------------------------- */
static void ram_release(struct fs_node *n) {
    struct ramfs *r = ramfs_of(n->fs);
    struct ram_node *node = ram_node_of(n);
    if (n->links) return; /* it has a name still */
    if (node_is(n, MODE_DIRECTORY)) free(node->directory.slots);
    else if (node_is(n, MODE_SYMLINK)) free(node->target);
    else if (node_is(n, MODE_REGULAR)) ram_stream_release(node);
    fs_node_fini(n);
    pool_put(&r->nodes, node);
    r->nodes_used--;
}

static struct ram_node *node_alloc(struct ramfs *r, const struct fs_new *what) {
    struct ram_node *n = pool_get(&r->nodes);
    if (!n) return nullptr;
    fs_node_init(&r->fs, &n->node, what);
    memset(&n->directory, 0, sizeof(*n) - offsetof(struct ram_node, directory));
    return n;
}

static int ram_create(struct fs_node *dir, struct fs_name name, const struct fs_new *what, struct fs_node **out) {
    struct ramfs *r = ramfs_of(dir->fs);
    struct ram_node *n = r->nodes_used < r->nodes_max ? node_alloc(r, what) : nullptr;
    if (!n) return -ENOSPC;
    n->node.inode = r->next_inode++;
    r->nodes_used++;
    int result = 0;
    if (node_is(&n->node, MODE_SYMLINK)) {
        n->node.size = (int64_t)what->target.length;
        n->target = strndup(what->target.text, what->target.length);
        result = n->target ? 0 : -ENOSPC;
    } else if (node_is(&n->node, MODE_REGULAR)) {
        n->file.memory = HANDLE_NONE;
    }
    if (result == 0 && name.length) result = ram_insert(dir, name, &n->node);
    if (result == 0) {
        *out = &n->node;
        return 0;
    }
    n->node.links = 0;
    ram_release(&n->node);
    return result;
}

static void ram_statfs(struct fs *fs, struct filesystem_info *out) {
    struct ramfs *r = ramfs_of(fs);
    ram_refresh_active(r, UINT32_MAX);
    int64_t free_pages = r->pages_max - r->pages_used, free_nodes = r->nodes_max - r->nodes_used;
    out->type = 0x01021994; /* TMPFS_MAGIC: programs know it as "in memory" */
    out->blocks = (uint64_t)r->pages_max;
    out->blocks_free = out->blocks_available = free_pages > 0 ? (uint64_t)free_pages : 0;
    out->files = (uint64_t)r->nodes_max;
    out->files_free = free_nodes > 0 ? (uint64_t)free_nodes : 0;
}

static const struct fs_ops ram_ops = {
    .lookup = ram_lookup,
    .next = ram_next,
    .name = ram_name,
    .readlink = ram_readlink,
    .create = ram_create,
    .insert = ram_insert,
    .remove = ram_remove,
    .move = ram_move,
    .resize = ram_resize,
    .allocate = ram_allocate,
    .stream = ram_stream,
    .closed = ram_closed,
    .changed = ram_changed,
    .asked = ram_asked,
    .refresh = ram_refresh,
    .times_set = ram_times_set,
    .statfs = ram_statfs,
    .release = ram_release,
};

int ramfs_init(struct ramfs *r, int64_t pages_max, const char *mount_point) {
    static const struct fs_new root = {.mode = MODE_DIRECTORY | 0755};
    int result = fs_init(&r->fs, &ram_ops, mount_point);
    if (result) return result;
    r->nodes = POOL_OF(struct ram_node);
    r->entries = (struct pool){.size = RAM_ENTRY_SIZE};
    struct ram_node *n = node_alloc(r, &root);
    if (!n || hash_grow(r) != 0) return -ENOMEM;
    n->node.links = 2;
    n->node.inode = 1;
    n->node.parent = &n->node;
    r->fs.root = &n->node;
    r->fs.device = 1;
    r->next_inode = 2;
    r->pages_max = pages_max;
    r->nodes_max = pages_max * 2;
    r->nodes_used = 1;
    return 0;
}

static void node_free_tree(struct ram_node *n) {
    struct fs_node *dir = &n->node;
    struct fs_entry e;
    while (node_is(dir, MODE_DIRECTORY) && ram_next(dir, 0, &e) == 0) {
        struct ram_node *child = ram_entry_find(ramfs_of(dir->fs), n, e.name)->node;
        ram_remove(dir, e.name, &child->node);
        node_free_tree(child);
    }
    if (node_is(dir, MODE_DIRECTORY) || dir->links == 1) {
        dir->links = 0;
        ram_release(dir);
    } else {
        dir->links--;
    }
}

void ramfs_fini(struct ramfs *r) {
    node_free_tree(ram_node_of(r->fs.root));
    free(r->buckets);
    object_map_free(&r->fs.opens);
    pool_fini(&r->fs.open_pool);
    pool_fini(&r->nodes);
    pool_fini(&r->entries);
}
