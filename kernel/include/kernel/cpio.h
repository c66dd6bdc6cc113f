// SPDX-License-Identifier: MIT
/* One look into a cpio archive ("newc"), to find the first program. kernel/boot/cpio.c */
#pragma once
#include <stddef.h>

/* Offset and length of the data of regular file `path` (no leading slash) in the first archive. -ENOENT, -EINVAL */
[[nodiscard]] int cpio_find(const void *archive, size_t size, const char *path, size_t *offset, size_t *length);
