// SPDX-License-Identifier: MIT
/*
 * The ext4 on-disk format with its JBD2 journal in ordered mode, over struct blkdev.  No IPC, one thread.
 *
 * Results are ≥ 0 or -errno: EUCLEAN is a damaged file system, EROFS one that takes no changes (any more), EOPNOTSUPP
 * one with features that are not known here.  Each change is atomic on disk; it is durable after ext4_sync().  An error
 * in the middle of a change makes the file system read-only, as it stands at its last commit.
 *
 * Metadata goes through the cache and the journal inside.  Data doesn't: ext4_map() and ext4_allocate() say where it
 * lies, and the caller moves it, any way it likes.  What ext4_allocate() gave out must be written before the next
 * commit: options.ordered is called then.  ext4_read() and ext4_write() are for those who don't mind to wait.
 */
#pragma once
#include <blkdev.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define EXT4_NAME_MAX 255
#define EXT4_LINK_MAX 65000

struct ext4;

struct ext4_options {
    bool read_only;
    uint32_t cache_blocks; /* bound on the metadata cache; 0: 4096 */
    uint32_t block_max; /* larger blocks are refused, EOPNOTSUPP; 0: any */
    int64_t (*now)(void);  /* CLOCK_REALTIME in ns */
    int (*ordered)(void *data); /* all that ext4_allocate() gave out is on its way to the device; or null */
    void *data;
};

/* The caller may change mode (its permission bits), owners and times, and calls ext4_node_changed(). */
struct ext4_node {
    struct ext4 *fs;
    uint32_t inode, generation, mode, uid, gid, links;
    uint64_t size, blocks; /* blocks of 512 bytes */
    int64_t atime, mtime, ctime, birth; /* ns */
    uint32_t rdev; /* as Linux's new_encode_dev */

    /* inside the library */
    uint32_t refs, flags, dtime, seed;
    uint64_t xattr_block;
    uint32_t root[15]; /* i_block */
    struct ext4_node *hash_next, *orphan_prev, *orphan_next;
    bool orphan;
    uint64_t goal; /* where the next block had best be */
    struct dir_scan *scan;
};

struct ext4_new {
    uint32_t mode, uid, gid, rdev;
    const char *target; /* of a symbolic link */
    size_t target_length;
};

struct ext4_entry {
    int64_t cookie; /* > 2, rising; the entry's own while it exists */
    uint32_t inode;
    uint32_t mode; /* S_IFMT bits, 0: not known */
    uint32_t length;
    const char *name; /* valid until the next call */
};

enum ext4_extent_state { EXT4_HOLE, EXT4_WRITTEN, EXT4_UNWRITTEN };
struct ext4_extent { /* in blocks */
    uint64_t logical, physical, count;
    enum ext4_extent_state state;
};

struct ext4_info {
    uint32_t block_size;
    uint64_t blocks, blocks_free, inodes, inodes_free;
    uint8_t uuid[16];
    bool read_only;
    uint64_t commits, checkpoints; /* since the mount */
    uint32_t cached; /* blocks in the cache */
};

/* Replays the journal and completes interrupted deletions, unless the device is read-only. */
[[nodiscard]] int ext4_mount(struct blkdev *device, const struct ext4_options *options, struct ext4 **out);
/* All is freed whatever the result; nodes must have been put. */
int ext4_unmount(struct ext4 *fs);
int ext4_sync(struct ext4 *fs); /* commits: what was done before is durable */
/* Whether there is something to commit: then ext4_sync() within some seconds. */
bool ext4_dirty(const struct ext4 *fs);
void ext4_statfs(struct ext4 *fs, struct ext4_info *out);

#define EXT4_ROOT 2
[[nodiscard]] int ext4_node_get(struct ext4 *fs, uint32_t inode, struct ext4_node **out);
/* The last one of a node without links frees its blocks. */
void ext4_node_put(struct ext4_node *n);
int ext4_node_changed(struct ext4_node *n);

/* Names have 1 … 255 bytes, without '/' and NUL, and are not `.` or `..`. */
int ext4_lookup(struct ext4_node *dir, const char *name, size_t length, uint32_t *inode); /* -ENOENT; `..` is allowed */
int ext4_next(struct ext4_node *dir, int64_t cookie, struct ext4_entry *out); /* cookie > the given one; -ENOENT */
int ext4_empty(struct ext4_node *dir); /* 0, -ENOTEMPTY */
/* Without a name: a file that is in no directory. -EEXIST, -ENOSPC, -EMLINK … */
int ext4_create(struct ext4_node *dir, const char *name, size_t length, const struct ext4_new *what,
                struct ext4_node **out);
int ext4_link(struct ext4_node *dir, const char *name, size_t length, struct ext4_node *n);
/* n is what the name means; a directory must be empty. */
int ext4_unlink(struct ext4_node *dir, const char *name, size_t length, struct ext4_node *n);
/* The entry `victim` at `to` is replaced, or with exchange comes to `from`.  The caller has seen to loops. */
int ext4_rename(struct ext4_node *from, const char *from_name, size_t from_length, struct ext4_node *n,
                struct ext4_node *to, const char *to_name, size_t to_length, struct ext4_node *victim, bool exchange);
int ext4_readlink(struct ext4_node *n, char *out, size_t size); /* length */

/* What lies at a block of the file: at most `count` blocks. */
int ext4_map(struct ext4_node *n, uint64_t logical, uint64_t count, struct ext4_extent *out);
/* No file of this kind can be larger. */
uint64_t ext4_size_max(const struct ext4_node *n);
/* Makes blocks for a hole; at the start of what is there already, says what it is.  May be less than count.  What is
 * written becomes part of the file, if `size` says so, with the same commit: the file's size will be `size` or, if
 * that is less, the end of these blocks. */
int ext4_allocate(struct ext4_node *n, uint64_t logical, uint64_t count, bool unwritten, uint64_t size,
                  struct ext4_extent *out);
/* Unwritten blocks have been written; size as above. */
int ext4_written(struct ext4_node *n, uint64_t logical, uint64_t count, uint64_t size);
int ext4_size_set(struct ext4_node *n, uint64_t size); /* grows only what is known of the size; no blocks */
/* Blocks that will be allocated later: -ENOSPC if there aren't as many. Given back just before they are allocated. */
int ext4_reserve(struct ext4 *fs, uint64_t blocks);
void ext4_unreserve(struct ext4 *fs, uint64_t blocks);
int ext4_truncate(struct ext4_node *n, uint64_t size);
enum ext4_fallocate { EXT4_KEEP_SIZE = 1, EXT4_PUNCH_HOLE = 2, EXT4_ZERO_RANGE = 4 };
int ext4_fallocate(struct ext4_node *n, uint64_t offset, uint64_t length, uint32_t flags);
ssize_t ext4_read(struct ext4_node *n, void *out, size_t size, uint64_t offset);
ssize_t ext4_write(struct ext4_node *n, const void *in, size_t size, uint64_t offset);

/* Full names, such as user.x. -ENODATA; -ERANGE: room too small; room 0: the size.  List: names with NULs. */
ssize_t ext4_xattr_get(struct ext4_node *n, const char *name, void *out, size_t room);
ssize_t ext4_xattr_list(struct ext4_node *n, char *out, size_t room);
enum ext4_xattr_flags { EXT4_XATTR_CREATE = 1, EXT4_XATTR_REPLACE = 2 };
int ext4_xattr_set(struct ext4_node *n, const char *name, const void *value, size_t size, uint32_t flags);
int ext4_xattr_remove(struct ext4_node *n, const char *name);
