// SPDX-License-Identifier: MIT
/*
 * Between the files of the library. Places on the device are in bytes from its start.
 *
 * Order. Changes of metadata lie in the cache until barrier(), in which the device may take them in any order. So what
 * must not be seen without the other has a barrier between: clusters are marked as used before anything refers to them
 * (chain_link), and are marked as free after what referred to them is gone (chain_release). Both wait for the barrier.
 */
#pragma once
#include "format.h"

#include <errno.h>
#include <fat.h>
#include <string.h>
#include <sys/stat.h>

#define MUST_CHECK [[nodiscard]]
#define BLOCK_SECTORS 8u
#define BLOCK_BYTES (BLOCK_SECTORS * BLKDEV_SECTOR)
#define NODE_BUCKETS 256
#define WINDOW_SLOTS (BLKDEV_SECTOR / SLOT_BYTES)
#define CHAIN_END 0x0ffffff8u /* and above, for all widths */
#define CHAIN_BAD 0x0ffffff7u

struct block {
    struct block *hash_next, *newer, *older; /* by use */
    uint64_t number; /* on the device */
    uint8_t dirty; /* a bit per sector */
    uint8_t data[BLOCK_BYTES];
};

struct fat {
    struct blkdev *device;
    struct fat_options options;
    uint32_t bits, sector_size, cluster_bits; /* log2 of bytes */
    uint32_t clusters; /* their numbers: 2 … clusters + 1 */
    uint64_t table, table_bytes; /* the one that is read; bytes of each */
    uint64_t tables[2]; /* others that are written as well, or 0 */
    uint64_t data; /* cluster 2 */
    uint64_t root, info; /* fixed root directory; FSInfo; or 0 */
    uint32_t root_slots;
    uint32_t free, hint;
    uint32_t serial;
    bool read_only, was_dirty, info_stale;

    struct block **buckets, *newest, *oldest;
    uint32_t bucket_mask, block_count, block_max, dirty_count;

    uint32_t *released; /* first clusters of chains that nothing refers to after the next barrier */
    uint32_t released_count, released_capacity, released_clusters;

    struct fat_node *pending; /* each with a reference */

    struct { /* slots that were read last: scans of directories are what takes the time */
        const struct fat_node *dir; /* or null: none */
        uint32_t first;
        uint64_t at;
        struct fat_slot slots[WINDOW_SLOTS];
    } window;

    struct fat_node *nodes[NODE_BUCKETS], *first_node, *root_node;
    uint32_t displaced; /* nodes whose number isn't their place */
    uint64_t next_inode;
    char name[FAT_NAME_MAX + 1]; /* of the entry that was read last */
};

/* --- cache.c --- */
MUST_CHECK int cache_init(struct fat *fs);
void cache_fini(struct fat *fs);
MUST_CHECK int cache_read(struct fat *fs, uint64_t at, void *out, uint32_t size);
MUST_CHECK int cache_write(struct fat *fs, uint64_t at, const void *in, uint32_t size);
MUST_CHECK int cache_zero(struct fat *fs, uint64_t at, uint32_t size);
int cache_write_out(struct fat *fs, uint64_t at); /* the sector there */
int cache_flush(struct fat *fs); /* all of them, and the device's */

/* --- super.c --- */
/* What was changed so far is on the device; what was released is free then. */
MUST_CHECK int barrier(struct fat *fs);
MUST_CHECK int settle(struct fat *fs); /* until nothing waits for one */

/* --- table.c --- */
static inline bool cluster_valid(const struct fat *fs, uint32_t c) { return c >= 2 && c - 2 < fs->clusters; }
static inline uint64_t cluster_at(const struct fat *fs, uint32_t c) {
    return fs->data + ((uint64_t)(c - 2) << fs->cluster_bits);
}
static inline uint32_t clusters_of(const struct fat *fs, uint64_t bytes) {
    return (uint32_t)((bytes + (1u << fs->cluster_bits) - 1) >> fs->cluster_bits);
}
MUST_CHECK int table_get(struct fat *fs, uint32_t c, uint32_t *next); /* ≥ CHAIN_END: the last */
MUST_CHECK int table_set(struct fat *fs, uint32_t c, uint32_t next);
MUST_CHECK int table_count(struct fat *fs); /* sets fs->free */
/* `count` clusters as a chain that ends: the first. None is left behind on failure. */
MUST_CHECK int table_allocate(struct fat *fs, uint32_t count, uint32_t near, uint32_t *first);
int table_free(struct fat *fs, uint32_t first); /* as far as it goes */

/* --- chain.c: the clusters of a node --- */
/* Clusters from `index` on that lie together. -ENOENT: the chain has fewer. */
MUST_CHECK int chain_map(struct fat_node *n, uint32_t index, uint32_t *cluster, uint32_t *count);
MUST_CHECK int chain_length(struct fat_node *n, uint32_t *count);
/* At least `count`, whose content isn't defined. */
MUST_CHECK int chain_extend(struct fat_node *n, uint32_t count);
MUST_CHECK int chain_link(struct fat_node *n); /* after the barrier: what is pending */
MUST_CHECK int chain_cut(struct fat_node *n, uint32_t count);
MUST_CHECK int chain_release(struct fat_node *n);
void chain_forget(struct fat_node *n); /* what is known of it */

/* --- node.c --- */
struct found;
MUST_CHECK int node_get(struct fat *fs, const struct found *f, struct fat_node **out);
struct fat_node *node_at(struct fat *fs, uint64_t entry);
void node_move(struct fat_node *n, uint64_t entry);
void slot_fill(const struct fat_node *n, struct fat_slot *s);
MUST_CHECK int node_write(struct fat_node *n);
void nodes_fini(struct fat *fs);

/* --- dir.c --- */
struct found { /* an entry */
    uint32_t first, index; /* slots: of the name, of the entry itself */
    uint64_t at;
    struct fat_slot slot;
    uint16_t name[LONG_SLOTS_MAX * LONG_UNITS]; /* long one */
    uint32_t units; /* 0: it has none */
};
MUST_CHECK int slot_place(struct fat_node *dir, uint32_t index, uint64_t *at); /* -ENOENT: behind the end */
MUST_CHECK int entry_next(struct fat_node *dir, uint32_t index, struct found *out); /* the first from slot `index` on */
MUST_CHECK int entry_find(struct fat_node *dir, const uint16_t *name, uint32_t units, struct found *out);
MUST_CHECK int entry_find_node(struct fat_node *dir, const struct fat_node *n, struct found *out);
/* Room for `count` slots in a row: the first; the directory grows as needed. */
MUST_CHECK int slots_find(struct fat_node *dir, uint32_t count, uint32_t *first);
MUST_CHECK int entry_write(struct fat_node *dir, uint32_t first, const uint16_t *name, uint32_t units,
                           const struct fat_slot *s, uint64_t *at);
MUST_CHECK int entry_delete(struct fat_node *dir, const struct found *f);
uint32_t slot_first(const struct fat *fs, const struct fat_slot *s);

/* --- name.c --- */
#define NAME_UNITS_MAX 255
/* UTF-8 to UTF-16: units, -EINVAL, -ENAMETOOLONG. */
int name_decode(const char *text, size_t length, uint16_t out[NAME_UNITS_MAX]);
uint32_t name_encode(const uint16_t *units, uint32_t count, char *out, uint32_t room); /* 0: no room, or a bad one */
bool name_equal(const uint16_t *a, uint32_t a_units, const uint16_t *b, uint32_t b_units); /* whatever the case */
uint32_t short_decode(const struct fat_slot *s, uint16_t out[12]);
uint8_t short_checksum(const uint8_t name[11]);
/* Whether FAT can have it: no control characters and such. */
bool name_valid(const uint16_t *name, uint32_t units);
/* The short name for a long one: `needs_long` if that must be kept too, `exact` if nothing was left out. */
void short_make(const uint16_t *name, uint32_t units, uint8_t out[11], bool *needs_long, bool *exact);
/* The candidate with this number, for what isn't exact or is taken. */
#define SHORT_CANDIDATES 13u
void short_candidate(const uint8_t basis[11], uint32_t hash, uint32_t number, uint8_t out[11]);
uint32_t name_hash(const uint16_t *name, uint32_t units);

/* --- time.c --- */
int64_t time_decode(uint16_t date, uint16_t time, uint8_t hundredths);
void time_encode(int64_t ns, uint16_t *date, uint16_t *time, uint8_t *hundredths);
