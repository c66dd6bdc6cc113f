// SPDX-License-Identifier: MIT
/* Disks for the tests of ext4: made by mkfs.ext4, checked by e2fsck. */
#pragma once
#include "disk_host.h"

#include <ext4.h>

/* options: of mkfs.ext4; false, with a message, if that fails. */
bool disk_make(struct disk *d, uint64_t size, const char *options);
/* `e2fsck -fn` finds nothing, or prints what it found. */
bool disk_clean(struct disk *d);
struct ext4 *disk_mount(struct disk *d, const struct ext4_options *options); /* or null, with a message */
extern int64_t host_clock;
extern const struct ext4_options host_options;

/* By a path from the root; the caller puts what it gets. */
int path_get(struct ext4 *fs, const char *path, struct ext4_node **out);
int path_create(struct ext4 *fs, const char *path, uint32_t mode, struct ext4_node **out);
int path_unlink(struct ext4 *fs, const char *path);
int path_rename(struct ext4 *fs, const char *from, const char *to, bool exchange);
