// SPDX-License-Identifier: MIT
/* Mounting (§3), unmounting, and what is known of the whole. */
#include "internal.h"

#include <stdlib.h>

#define DISPLACED_INODES (1ull << 40) /* above all places of entries */
#define ROOT_INODE 1

static bool power_of_two(uint32_t n) { return n && !(n & (n - 1)); }

/* The geometry, in sectors of its own size. */
static int geometry_take(struct fat *fs, const struct fat_boot *b) {
    if (b->sector_size < 512 || b->sector_size > 4096 || !power_of_two(b->sector_size) ||
        !power_of_two(b->cluster_sectors) || !b->reserved_sectors || !b->tables || b->tables > 3 ||
        (b->media != 0xf0 && b->media < 0xf8))
        return -EINVAL;
    bool is_32 = !b->table_sectors16;
    uint64_t table_sectors = is_32 ? b->fat32.table_sectors : b->table_sectors16, total = b->sectors16 ?: b->sectors32;
    uint64_t root = b->reserved_sectors + table_sectors * b->tables;
    uint64_t root_sectors = ((uint64_t)b->root_entries * SLOT_BYTES + b->sector_size - 1) / b->sector_size;
    uint64_t data = root + root_sectors, clusters = (total - data) / b->cluster_sectors;
    if (!table_sectors || data >= total || total * (b->sector_size / BLKDEV_SECTOR) > fs->device->sectors ||
        (is_32 ? b->root_entries || b->fat32.version : !b->root_entries))
        return -EINVAL;
    fs->sector_size = b->sector_size;
    fs->cluster_bits = (uint32_t)__builtin_ctz((uint32_t)b->sector_size * b->cluster_sectors);
    fs->bits = is_32 ? 32 : clusters < 4085 ? 12 : 16;
    fs->table = (uint64_t)b->reserved_sectors * b->sector_size;
    fs->table_bytes = table_sectors * b->sector_size;
    uint64_t entries = fs->table_bytes * 8 / fs->bits, most = fs->bits == 32 ? 0x0ffffff6 : (1u << fs->bits) - 10;
    if (entries > most) entries = most;
    if (clusters > entries - 2) clusters = entries - 2;
    if (!clusters) return -EINVAL;
    fs->clusters = (uint32_t)clusters;
    fs->data = data * b->sector_size;
    fs->root = is_32 ? 0 : root * b->sector_size;
    fs->root_slots = b->root_entries;
    fs->serial = is_32 ? b->fat32.serial : b->old.serial;
    return 0;
}

/* FAT32 may name the one table that counts. */
static int tables_take(struct fat *fs, const struct fat_boot *b) {
    uint64_t first = fs->table;
    if (fs->bits == 32 && b->fat32.flags & FLAGS_ONE_TABLE) {
        uint32_t active = b->fat32.flags & FLAGS_TABLE;
        if (active >= b->tables) return -EUCLEAN;
        fs->table += active * fs->table_bytes;
        return 0;
    }
    for (uint32_t i = 1; i < b->tables; i++) fs->tables[i - 1] = first + i * fs->table_bytes;
    return 0;
}

static int root_take(struct fat *fs, const struct fat_boot *b) {
    struct fat_node *n = fs->root_node = calloc(1, sizeof(*n));
    uint32_t length = 0;
    if (!n) return -ENOMEM;
    n->fs = fs;
    n->inode = ROOT_INODE;
    n->mode = S_IFDIR | 0755;
    n->refs = 1;
    n->size = (uint64_t)fs->root_slots * SLOT_BYTES;
    if (fs->bits != 32) return 0;
    n->first = b->fat32.root;
    int e = cluster_valid(fs, n->first) ? chain_length(n, &length) : -EUCLEAN;
    n->size = (uint64_t)length << fs->cluster_bits;
    return e;
}

/* --- whether it was unmounted: in the table's second entry (§4), and in the boot sector, where Linux looks --- */
static int state_mark(struct fat *fs, bool dirty, bool *was) {
    uint64_t at = fs->bits == 32 ? offsetof(struct fat_boot, fat32.state) : offsetof(struct fat_boot, old.state);
    uint32_t entry = 0, size = fs->bits / 8, clean = fs->bits == 32 ? 1u << 27 : 1u << 15;
    uint8_t state;
    int e = cache_read(fs, at, &state, 1);
    if (!e && fs->bits > 12) e = cache_read(fs, fs->table + size, &entry, size);
    if (e) return e;
    *was = state & BOOT_STATE_DIRTY || (fs->bits > 12 && !(entry & clean));
    if (fs->read_only) return 0;
    state = dirty ? state | BOOT_STATE_DIRTY : state & (uint8_t)~BOOT_STATE_DIRTY;
    entry = dirty ? entry & ~clean : entry | clean;
    e = cache_write(fs, at, &state, 1);
    if (!e && fs->bits > 12) e = cache_write(fs, fs->table + size, &entry, size);
    return e ?: cache_flush(fs);
}

/* --- how many clusters are free: FSInfo says it (§5), unless it is doubtful --- */
static int free_take(struct fat *fs, const struct fat_boot *b) {
    struct fat_fsinfo info;
    if (fs->bits == 32 && b->fat32.info && b->fat32.info < b->reserved_sectors) {
        uint64_t at = (uint64_t)b->fat32.info * fs->sector_size;
        int e = cache_read(fs, at, &info, sizeof(info));
        if (e) return e;
        if (info.lead == FSINFO_LEAD && info.signature == FSINFO_SIGNATURE) {
            fs->info = at;
            fs->hint = info.next;
            if (!fs->was_dirty && info.free <= fs->clusters) {
                fs->free = info.free;
                return 0;
            }
        }
    }
    return table_count(fs);
}

static int info_write(struct fat *fs) {
    uint32_t words[2] = {fs->free, fs->hint};
    fs->info_stale = false;
    return fs->info ? cache_write(fs, fs->info + offsetof(struct fat_fsinfo, free), words, sizeof(words)) : 0;
}

/* --- */
static void destroy(struct fat *fs) {
    nodes_fini(fs);
    cache_fini(fs);
    free(fs->released);
    free(fs);
}

int fat_mount(struct blkdev *device, const struct fat_options *options, struct fat **out) {
    struct fat *fs = calloc(1, sizeof(*fs));
    struct fat_boot boot;
    bool was_dirty = false;
    if (!fs) return -ENOMEM;
    fs->device = device;
    fs->options = *options;
    fs->read_only = options->read_only || device->read_only;
    fs->next_inode = DISPLACED_INODES;
    int e = cache_init(fs);
    if (e) {
        free(fs);
        return e;
    }
    e = cache_read(fs, 0, &boot, sizeof(boot));
    if (!e) e = geometry_take(fs, &boot);
    if (!e) e = tables_take(fs, &boot);
    if (!e) e = root_take(fs, &boot);
    if (!e) e = state_mark(fs, true, &was_dirty);
    fs->was_dirty = was_dirty;
    if (!e) e = free_take(fs, &boot);
    if (e) destroy(fs);
    else *out = fs;
    return e;
}

int barrier(struct fat *fs) {
    int e = cache_flush(fs);
    while (!e && fs->released_count) e = table_free(fs, fs->released[--fs->released_count]);
    if (!fs->released_count) fs->released_clusters = 0;
    for (struct fat_node *n; !e && (n = fs->pending);) {
        fs->pending = n->pending_next;
        e = chain_link(n);
        fat_node_put(n); /* may release its chain: after the next barrier */
    }
    return e;
}

int settle(struct fat *fs) {
    int e;
    do e = barrier(fs);
    while (!e && (fs->released_count || fs->pending));
    return e;
}

int fat_sync(struct fat *fs) {
    if (fs->read_only) return 0;
    int e = settle(fs);
    if (!e && fs->info_stale) e = info_write(fs);
    if (!e && fs->dirty_count) e = cache_flush(fs);
    return e;
}

bool fat_dirty(const struct fat *fs) { return fs->dirty_count || fs->released_count || fs->pending || fs->info_stale; }

int fat_unmount(struct fat *fs) {
    bool unused;
    int e = fat_sync(fs);
    if (!e && !fs->read_only && !fs->was_dirty) e = state_mark(fs, false, &unused);
    destroy(fs);
    return e;
}

void fat_damaged(struct fat *fs) { fs->was_dirty = true; }

void fat_statfs(const struct fat *fs, struct fat_info *out) {
    *out = (struct fat_info){.bits = fs->bits,
                             .sector_size = fs->sector_size,
                             .cluster_size = 1u << fs->cluster_bits,
                             .clusters = fs->clusters,
                             .clusters_free = fs->free + fs->released_clusters,
                             .serial = fs->serial,
                             .read_only = fs->read_only,
                             .was_dirty = fs->was_dirty};
}
