// SPDX-License-Identifier: MIT
/*
 * Reader of cpio "newc" archives (magic 070701), as boot modules carry them: several archives may
 * follow each other, with zero bytes between and inside them.  Trusts no field; copies nothing.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct cpio_reader {
    const uint8_t *bytes;
    size_t size, at;
    uint32_t archive; /* number of the archive at hand: inode numbers count within one */
};

struct cpio_entry {
    const char *name; /* not terminated; without leading "/" and "./" */
    size_t name_length;
    uint32_t inode, mode, uid, gid, links, mtime;
    uint32_t device_major, device_minor; /* of a device node */
    size_t data, size;                   /* where in the archive; a link's target is data */
};

/* The next entry: 1, 0 at the end, -EINVAL if the archive is damaged there. */
int cpio_next(struct cpio_reader *r, struct cpio_entry *out);
/* Finds a file by its path, for those who need just one. 1 or 0. */
int cpio_find(const void *bytes, size_t size, const char *path, struct cpio_entry *out);
