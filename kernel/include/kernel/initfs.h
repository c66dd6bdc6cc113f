// SPDX-License-Identifier: MIT
/* The one file that the kernel looks for in the boot module. kernel/boot/cpio.c, kernel/boot/initfs.c */
#pragma once
#include <kernel/memory.h>

/*
 * Finds a regular file in a cpio "newc" archive (zero bytes between entries are skipped).  Pure,
 * host-testable.  0 with its place, -ENOENT, -EINVAL damaged.  `name` without leading slash; entries
 * may begin with "./" or "/".
 */
MUST_CHECK int cpio_find(const void *archive, size_t size, const char *name, size_t *offset, size_t *length);
/* A memory object with a copy of that file of a boot module: err_ptr(-ENOENT, -EINVAL, -ENOMEM). */
struct memory *initfs_image(struct memory *module, const char *name);
