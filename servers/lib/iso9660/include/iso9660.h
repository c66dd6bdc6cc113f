// SPDX-License-Identifier: MIT
/*
 * ISO 9660 (ECMA-119), read only, over struct blkdev: with Rock Ridge (IEEE P1282, SUSP P1281) if it is there, else
 * Joliet's names, else those of the standard, in small letters. No IPC, one thread.
 *
 * Results are ≥ 0 or -errno: EUCLEAN is a damaged file system.
 */
#pragma once
#include <blkdev.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ISO_NAME_MAX 255
#define ISO_LINK_TEXT_MAX 4095

struct iso;

struct iso_node {
    struct iso *iso;
    uint64_t inode; /* where its record lies; a directory's is its first */
    uint32_t mode, uid, gid, links;
    uint64_t size, rdev;
    int64_t atime, mtime, ctime; /* ns */
    char *target; /* of a symbolic link */

    struct iso_extent {
        uint32_t block, bytes;
    } *extents;
    uint32_t extent_count;
};

struct iso_entry {
    int64_t cookie; /* > 2, rising */
    uint64_t inode;
    uint32_t mode; /* its type */
    uint32_t length;
    const char *name; /* valid until the next call */
};

struct iso_info {
    uint64_t blocks; /* of 2048 bytes */
    enum iso_names { ISO_PLAIN, ISO_JOLIET, ISO_ROCK_RIDGE } names;
    uint64_t root; /* inode */
    uint32_t id;
};

[[nodiscard]] int iso_mount(struct blkdev *device, struct iso **out);
void iso_unmount(struct iso *iso); /* nodes must have been put */
void iso_statfs(const struct iso *iso, struct iso_info *out);

[[nodiscard]] int iso_node_get(struct iso *iso, uint64_t inode, struct iso_node **out);
void iso_node_put(struct iso_node *n);
int iso_lookup(struct iso_node *dir, const char *name, size_t length, uint64_t *inode); /* -ENOENT */
int iso_next(struct iso_node *dir, int64_t cookie, struct iso_entry *out); /* cookie > the given one; -ENOENT */
ssize_t iso_read(struct iso_node *n, void *out, size_t size, uint64_t offset);
