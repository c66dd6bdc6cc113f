// SPDX-License-Identifier: MIT
/*
 * FAT12, FAT16 and FAT32 with long names, over struct blkdev. No IPC, one thread.
 * Microsoft Extensible Firmware Initiative FAT32 File System Specification 1.03, and for long names the same document.
 *
 * Results are ≥ 0 or -errno: EUCLEAN is a damaged file system, EROFS one that takes no changes, EFBIG a file that would
 * reach 4 GiB. Changes are on the device after fat_sync(). When the power fails before it, clusters may be lost, but
 * none belongs to two files.
 *
 * Names are UTF-8; they are found whatever their case, and keep it. Times are UTC.
 */
#pragma once
#include <blkdev.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FAT_NAME_MAX 255
#define FAT_FILE_MAX 0xffffffffull

struct fat;

struct fat_options {
    bool read_only;
    uint32_t cache_blocks; /* of 4 KiB; 0: 256 */
    int64_t (*now)(void); /* CLOCK_REALTIME in ns */
};

/* The caller may change mode (its write bits) and times, and calls fat_node_changed(). */
struct fat_node {
    struct fat *fs;
    uint64_t inode; /* no two nodes have the same */
    uint32_t mode; /* S_IFDIR or S_IFREG, and permissions */
    uint64_t size; /* of what is on the disk */
    int64_t atime, mtime, birth; /* ns */

    /* inside the library */
    uint32_t refs;
    uint64_t entry; /* where its entry lies on the device; 0: it has none */
    uint32_t first; /* cluster, or 0 */
    struct chain_run {
        uint32_t index, cluster, count;
    } *runs; /* the first `mapped` clusters of the chain */
    uint32_t run_count, run_capacity, mapped;
    bool complete; /* there are no more */
    bool pending; /* new clusters are referred to after the next barrier: then `link_from` leads to `link_to` */
    uint32_t link_from, link_to; /* from 0: it has a first one */
    uint32_t disk_first, disk_size; /* what its entry says until then */
    struct fat_node *pending_next;
    struct fat_node *hash_next, *next, *previous;
};

struct fat_entry {
    int64_t cookie; /* > 2, rising; the entry's own while it exists */
    uint64_t inode;
    uint32_t mode;
    uint32_t length;
    const char *name; /* valid until the next call */
};

struct fat_info {
    uint32_t bits; /* 12, 16, 32 */
    uint32_t sector_size, cluster_size;
    uint32_t clusters, clusters_free;
    uint32_t serial;
    bool read_only;
    bool was_dirty; /* it was not unmounted the last time */
};

[[nodiscard]] int fat_mount(struct blkdev *device, const struct fat_options *options, struct fat **out);
/* All is freed whatever the result; nodes must have been put. */
int fat_unmount(struct fat *fs);
void fat_damaged(struct fat *fs); /* it stays marked as not unmounted */
int fat_sync(struct fat *fs);
bool fat_dirty(const struct fat *fs); /* there is something to be written */
void fat_statfs(const struct fat *fs, struct fat_info *out);

struct fat_node *fat_root(struct fat *fs); /* a reference */
/* The last one of a node without a name frees its clusters. */
void fat_node_put(struct fat_node *n);
int fat_node_changed(struct fat_node *n);

/* Names have 1 … 255 bytes, without '/' and NUL, and are not `.` or `..`. -EINVAL: a name that FAT can't have. */
int fat_lookup(struct fat_node *dir, const char *name, size_t length, struct fat_node **out); /* -ENOENT */
int fat_next(struct fat_node *dir, int64_t cookie, struct fat_entry *out); /* cookie > the given one; -ENOENT */
/* The entry for n, which is in dir. */
int fat_entry_of(struct fat_node *dir, const struct fat_node *n, struct fat_entry *out);
/* mode: S_IFDIR or S_IFREG, and permissions. The name must be new. */
int fat_create(struct fat_node *dir, const char *name, size_t length, uint32_t mode, struct fat_node **out);
/* n is what the name means; a directory must be empty. */
int fat_unlink(struct fat_node *dir, struct fat_node *n);
/* The entry `victim` at `to` goes, its name stays. The caller has seen to loops. */
int fat_rename(struct fat_node *from, struct fat_node *n, struct fat_node *to, const char *name, size_t length,
               struct fat_node *victim);

ssize_t fat_read(struct fat_node *n, void *out, size_t size, uint64_t offset);
/* Grows the file as needed, zeros in between; `end`: how far it is going to be written, for clusters at once. */
ssize_t fat_write(struct fat_node *n, const void *in, size_t size, uint64_t offset, uint64_t end);
int fat_truncate(struct fat_node *n, uint64_t size);
/* Clusters that n lacks for `size` bytes. */
int fat_missing(struct fat_node *n, uint64_t size, uint32_t *clusters);
