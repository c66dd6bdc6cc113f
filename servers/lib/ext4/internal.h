// SPDX-License-Identifier: MIT
/*
 * Between the files of the library.
 *
 * Operations: each public function begins with op_begin() or tx_start(), and a buffer that was looked up stays where it
 * is until the next of these: nobody counts references.  A change calls tx_write() on a buffer before it alters it.
 */
#pragma once
#include "format.h"

#include <errno.h>
#include <ext4.h>
#include <string.h>
#include <sys/stat.h>

#define MUST_CHECK [[nodiscard]]
#define NSEC_PER_SEC 1000000000LL

struct list {
    struct list *next, *previous;
};
static inline void list_init(struct list *l) { l->next = l->previous = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }
static inline void list_remove(struct list *l) {
    l->previous->next = l->next;
    l->next->previous = l->previous;
}
static inline void list_append(struct list *l, struct list *item) {
    item->next = l;
    item->previous = l->previous;
    l->previous->next = item;
    l->previous = item;
}

/* What a block holds: how it is checked when it is read, and which checksum it gets at commit. */
enum block_kind {
    KIND_NONE,
    KIND_PLAIN, /* indirect blocks, symbolic links, group descriptors, the super block */
    KIND_INODES,
    KIND_BLOCK_BITMAP,
    KIND_INODE_BITMAP,
    KIND_EXTENTS,
    KIND_DIRECTORY,
    KIND_DX_ROOT,
    KIND_DX_NODE,
    KIND_XATTR,
};

struct buffer {
    struct list link; /* lru, running or checkpoint: by state */
    struct buffer *hash_next;
    uint64_t block;
    uint32_t seed;  /* of the checksum: the inode's; for bitmaps the group */
    uint32_t op;    /* the last operation that used it */
    uint8_t kind;
    enum : uint8_t { BUFFER_CLEAN, BUFFER_RUNNING, BUFFER_CHECKPOINT } state;
    uint8_t *data;
};

struct group {
    uint64_t block_bitmap, inode_bitmap, inode_table;
    uint32_t free_blocks, free_inodes, used_dirs, itable_unused;
    uint16_t flags;
    uint32_t run_max;    /* no free run is longer */
    uint32_t first_free; /* no free block lies before */
    uint8_t *busy;       /* freed in the running transaction, hence not to be used before it is committed */
};

struct zone { /* blocks of the file system itself */
    uint64_t start, end;
};

struct journal {
    struct journal_super *super;
    struct ext4_extent *map; /* of its inode */
    uint32_t map_count;
    uint32_t first, end;             /* its log: block numbers in it */
    uint32_t head, used;             /* where the next block goes; blocks from the tail to there */
    uint32_t sequence;               /* of the running transaction */
    uint32_t seed;
    uint32_t tag_size, tags_max; /* per descriptor */
    uint8_t *block;              /* to compose blocks in */
};

struct ext4 {
    struct blkdev *device;
    struct ext4_options options;
    bool read_only;
    int error; /* aborted: no more changes */

    /* super.c */
    struct super *super; /* a copy; its counts are brought up to date at commit */
    uint32_t block_size, block_bits, sectors_per_block;
    uint64_t blocks_count, free_blocks;
    uint32_t first_data_block, blocks_per_group, inodes_per_group, group_count, desc_size, inode_size, inodes_count;
    uint32_t free_inodes, first_inode;
    uint32_t incompat, ro_compat, compat;
    bool checksums, group_checksums; /* metadata_csum; or gdt_csum */
    bool hash_unsigned;
    uint32_t seed;
    bool super_changed;

    struct group *groups;
    struct zone *zones;
    uint32_t zone_count;
    uint64_t reserved, busy_blocks; /* delayed; freed in the running transaction */

    /* cache.c */
    struct buffer **buckets;
    uint32_t bucket_mask, buffer_count, buffer_max, op;
    struct list lru, running, checkpoint;
    uint32_t running_count, checkpoint_count;

    /* journal.c */
    struct journal *journal; /* or null */
    uint32_t tx_depth, tx_credits, tx_base, tx_max;
    bool tx_touched; /* the operation changed something */
    uint64_t *revokes;
    uint32_t revoke_count, revoke_room;
    uint64_t commits, checkpoints;

    uint8_t *scratch; /* one block */

    struct ext4_node *nodes[256];
    struct ext4_node *orphans; /* newest first, as on disk */
};

/* Worst cases of one operation's blocks: journal credits, and new blocks that it may want. */
#define CREDITS 96
#define SPACE_MARGIN 32

/* checksum.c */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);
/* The crc before `data`, of which `crc` is the one after it. */
uint32_t crc32c_back(uint32_t crc, const void *data, size_t size);
uint16_t crc16(uint16_t crc, const void *data, size_t size);

/* cache.c */
MUST_CHECK int cache_init(struct ext4 *fs);
void cache_fini(struct ext4 *fs);
void cache_drop(struct ext4 *fs); /* forgets all, which must be clean */
static inline void op_begin(struct ext4 *fs) { fs->op++; }
MUST_CHECK int device_read(struct ext4 *fs, uint64_t block, void *out, uint32_t count);
MUST_CHECK int device_write(struct ext4 *fs, uint64_t block, const void *in, uint32_t count);
/* -EIO, -EUCLEAN, -ENOMEM. seed: see struct buffer. */
MUST_CHECK int buffer_read(struct ext4 *fs, uint64_t block, enum block_kind kind, uint32_t seed, struct buffer **out);
/* Zeros, not read: for a block just allocated. It still needs tx_write(). */
MUST_CHECK int buffer_new(struct ext4 *fs, uint64_t block, enum block_kind kind, uint32_t seed, struct buffer **out);
struct buffer *buffer_find(struct ext4 *fs, uint64_t block); /* cached, or null */
void buffer_forget(struct ext4 *fs, uint64_t block);
void buffer_state_set(struct ext4 *fs, struct buffer *b, int state);
/* verify.c */
MUST_CHECK int buffer_verify(struct ext4 *fs, const struct buffer *b);
void buffer_checksum(struct ext4 *fs, struct buffer *b);
uint32_t inode_seed(const struct ext4 *fs, uint32_t inode, uint32_t generation);
bool dx_limits(const struct ext4 *fs, enum block_kind kind, const uint8_t *data, uint32_t *entries, uint32_t *limit);

/* journal.c */
MUST_CHECK int journal_open(struct ext4 *fs); /* finds and checks it; sets fs->journal */
MUST_CHECK int journal_start(struct ext4 *fs);
int journal_stop(struct ext4 *fs);
void journal_close(struct ext4 *fs);
MUST_CHECK int journal_block(struct ext4 *fs, uint32_t index, uint64_t *block);
MUST_CHECK int journal_super_write(struct ext4 *fs);
MUST_CHECK int journal_commit(struct ext4 *fs);
MUST_CHECK int journal_checkpoint(struct ext4 *fs);
uint32_t journal_tag_checksum(const struct journal *j, uint32_t sequence, const void *data, uint32_t size);
/* transaction.c */
/* Room in the transaction, and `space` blocks to allocate (0: none). -EROFS, -ENOSPC, or why a commit failed. */
MUST_CHECK int tx_start(struct ext4 *fs, uint64_t space);
/* Returns result, or why ending failed; a negative result after changes aborts. */
int tx_stop(struct ext4 *fs, int result);
void tx_write(struct ext4 *fs, struct buffer *b);
MUST_CHECK int tx_revoke(struct ext4 *fs, uint64_t block);
/* The file system takes no more changes. Returns error. */
int fs_abort(struct ext4 *fs, int error);
/* replay.c */
MUST_CHECK int journal_replay(struct ext4 *fs);

/* super.c */
MUST_CHECK int super_load(struct ext4 *fs);
MUST_CHECK int super_store(struct ext4 *fs); /* into its buffer, in the running transaction */
MUST_CHECK int super_write(struct ext4 *fs); /* at once, past the journal */
void super_balance(struct super *s);
/* group.c */
MUST_CHECK int groups_load(struct ext4 *fs);
void groups_free(struct ext4 *fs);
MUST_CHECK int group_store(struct ext4 *fs, uint32_t group);
void group_bitmap_checksum(struct ext4 *fs, const struct buffer *bitmap);
MUST_CHECK int group_bitmap(struct ext4 *fs, uint32_t group, enum block_kind kind, struct buffer **out);
bool blocks_valid(const struct ext4 *fs, uint64_t block, uint64_t count); /* inside, and not the file system's own */
static inline uint64_t group_start(const struct ext4 *fs, uint32_t group) {
    return fs->first_data_block + (uint64_t)group * fs->blocks_per_group;
}
uint32_t group_blocks(const struct ext4 *fs, uint32_t group);
bool group_has_super(const struct ext4 *fs, uint32_t group);

/* balloc.c: with tx_start's space */
MUST_CHECK int balloc(struct ext4 *fs, uint64_t goal, uint32_t want, uint64_t *block, uint32_t *got);
MUST_CHECK int bfree(struct ext4 *fs, uint64_t block, uint64_t count);
void balloc_commit(struct ext4 *fs); /* what was freed may be used */
/* ialloc.c */
MUST_CHECK int ialloc(struct ext4 *fs, const struct ext4_node *dir, uint32_t mode, uint32_t *inode);
MUST_CHECK int ifree(struct ext4 *fs, uint32_t inode, bool directory);

static inline bool bit_test(const uint8_t *map, uint32_t i) { return map[i / 8] >> i % 8 & 1; }
static inline void bit_set(uint8_t *map, uint32_t i) { map[i / 8] |= (uint8_t)(1 << i % 8); }
static inline void bit_clear(uint8_t *map, uint32_t i) { map[i / 8] &= (uint8_t)~(1 << i % 8); }

/* inode.c */
MUST_CHECK int inode_buffer(struct ext4 *fs, uint32_t inode, struct buffer **b, struct inode **out);
MUST_CHECK int node_get(struct ext4 *fs, uint32_t inode, bool orphan, struct ext4_node **out);
MUST_CHECK int node_new(struct ext4 *fs, uint32_t inode, const struct ext4_new *what, struct ext4_node **out);
MUST_CHECK int node_store(struct ext4_node *n); /* into the table, in the running transaction */
void node_free(struct ext4_node *n); /* forgets it, whatever its references */
void inode_checksum(const struct ext4 *fs, uint32_t inode, struct inode *raw);
/* A block for the node itself (directory, extents, xattrs), counted in its size. */
MUST_CHECK int node_balloc(struct ext4_node *n, uint64_t *block);
/* Frees it, with its buffer and whatever the journal has of it. */
MUST_CHECK int node_bfree(struct ext4_node *n, uint64_t block);
int64_t fs_now(const struct ext4 *fs);
static inline bool is_type(uint32_t mode, uint32_t type) { return (mode & S_IFMT) == type; }
bool node_fast_link(const struct ext4_node *n);
bool node_has_blocks(const struct ext4_node *n); /* i_block is a map */
/* orphan.c */
MUST_CHECK int orphan_add(struct ext4_node *n);
MUST_CHECK int orphan_remove(struct ext4_node *n);
MUST_CHECK int orphans_complete(struct ext4 *fs);
MUST_CHECK int node_release(struct ext4_node *n); /* links and references are 0: frees everything */

/* map.c: extents or indirect blocks */
MUST_CHECK int map_find(struct ext4_node *n, uint64_t logical, uint64_t count, struct ext4_extent *out);
MUST_CHECK int map_insert(struct ext4_node *n, const struct ext4_extent *e); /* into a hole */
/* Frees blocks from `from` to `to`, from the end; more is 1: not all yet, call again in another transaction. */
MUST_CHECK int map_remove(struct ext4_node *n, uint64_t from, uint64_t to, bool *more);
/* Goal for a new block. */
uint64_t map_goal(struct ext4_node *n, uint64_t logical);
/* extent.c, extent_change.c */
struct extent_path {
    struct buffer *b; /* null: the inode's own */
    struct extent_header *header;
    int index; /* of the last entry at or before; -1: none, in a leaf only */
};
static inline struct extent *extent_at(const struct extent_path *p) {
    return (struct extent *)(p->header + 1) + p->index;
}
static inline bool extent_unwritten(const struct extent *e) { return e->length > EXTENT_LENGTH_MAX; }
static inline uint32_t extent_length(const struct extent *e) {
    return extent_unwritten(e) ? e->length - EXTENT_LENGTH_MAX : e->length;
}
static inline uint64_t extent_start(const struct extent *e) { return e->start_lo | (uint64_t)e->start_hi << 32; }
static inline uint64_t extent_leaf(const struct extent *e) { return e->leaf_lo | (uint64_t)e->leaf_hi << 32; }
void extent_root_init(struct ext4_node *n);
MUST_CHECK int extent_header_verify(const struct ext4 *fs, const struct extent_header *h, uint32_t room, int depth);
/* Fills path[0 … depth]; the leaf's entry is the last that starts at or before `logical`. Returns the depth. */
MUST_CHECK int extent_path_find(struct ext4_node *n, uint32_t logical, struct extent_path *path);
MUST_CHECK int extent_find(struct ext4_node *n, uint64_t logical, uint64_t count, struct ext4_extent *out);
MUST_CHECK int extent_insert(struct ext4_node *n, const struct ext4_extent *e);
MUST_CHECK int extent_remove(struct ext4_node *n, uint64_t from, uint64_t to, bool *more);
MUST_CHECK int extent_mark_written(struct ext4_node *n, uint64_t logical, uint64_t count);
/* indirect.c */
MUST_CHECK int indirect_find(struct ext4_node *n, uint64_t logical, uint64_t count, struct ext4_extent *out);
MUST_CHECK int indirect_insert(struct ext4_node *n, const struct ext4_extent *e);
MUST_CHECK int indirect_remove(struct ext4_node *n, uint64_t from, bool *more);
uint64_t indirect_blocks_max(const struct ext4 *fs);
uint64_t map_blocks_max(const struct ext4_node *n);

/* dir.c */
static inline uint32_t dirent_size(size_t name_length) { return (uint32_t)(8 + name_length + 3) & ~3u; }
static inline struct dirent *dirent_at(const uint8_t *data, uint32_t offset) {
    return (struct dirent *)(uintptr_t)(data + offset);
}
uint32_t dir_room(const struct ext4 *fs); /* bytes of a leaf for entries */
uint8_t dir_type(const struct ext4 *fs, uint32_t mode);
uint32_t dir_mode(uint8_t type);
void dir_block_init(const struct ext4 *fs, uint8_t *data); /* empty leaf */
MUST_CHECK int dir_block(struct ext4_node *dir, uint32_t index, enum block_kind kind, struct buffer **out);
MUST_CHECK int dir_append(struct ext4_node *dir, enum block_kind kind, uint32_t *index, struct buffer **out);
struct dirent *dir_block_find(const struct ext4 *fs, const uint8_t *data, const char *name, size_t length);
bool dir_block_insert(const struct ext4 *fs, uint8_t *data, const char *name, size_t length, uint32_t inode,
                      uint8_t type);
struct dir_place { /* of an entry */
    struct buffer *b;
    struct dirent *entry;
};
MUST_CHECK int dir_find(struct ext4_node *dir, const char *name, size_t length, struct dir_place *out);
MUST_CHECK int dir_insert(struct ext4_node *dir, const char *name, size_t length, uint32_t inode, uint32_t mode);
void dir_remove(struct ext4_node *dir, const struct dir_place *p);
MUST_CHECK int dir_make(struct ext4_node *dir, uint32_t parent); /* its first block */
MUST_CHECK int dir_parent_set(struct ext4_node *dir, uint32_t parent);
void dir_scan_free(struct ext4_node *dir);
void dir_changed(struct ext4_node *dir); /* what was read of it for ext4_next() is old */
/* htree.c */
struct hash {
    uint32_t major, minor;
};
#define HASH_END (0x7fffffffu << 1)
struct hash name_hash(const struct ext4 *fs, uint8_t version, const char *name, size_t length);
MUST_CHECK int dx_version(struct ext4_node *dir, uint8_t *version);
MUST_CHECK int dx_find(struct ext4_node *dir, const char *name, size_t length, struct dir_place *out);
MUST_CHECK int dx_insert(struct ext4_node *dir, const char *name, size_t length, uint32_t inode, uint8_t type);
MUST_CHECK int dx_convert(struct ext4_node *dir); /* of one block */
/* Leaves in the order of hashes: the one where `hash` is, then (*next) those after it; 1: there is none. */
struct dx_path {
    struct buffer *b;
    struct dx_entry *entries;
    uint32_t index;
};
#define DX_LEVELS_MAX 4
struct dx_cursor {
    struct dx_path path[DX_LEVELS_MAX];
    uint32_t levels;
};
MUST_CHECK int dx_seek(struct ext4_node *dir, uint32_t hash, struct dx_cursor *c);
static inline uint32_t dx_leaf(const struct dx_cursor *c) {
    return c->path[c->levels].entries[c->path[c->levels].index].block & 0x0fffffff;
}
MUST_CHECK int dx_advance(struct ext4_node *dir, struct dx_cursor *c, uint32_t *hash);
/* xattr.c */
MUST_CHECK int xattr_release(struct ext4_node *n); /* the block */
MUST_CHECK int xattr_block_verify(const struct ext4 *fs, const uint8_t *data);
