// SPDX-License-Identifier: MIT
/* The first process's image. kernel/boot/initfs.c */
#pragma once
#include <kernel/memory.h>

/* A memory object with a copy of file `name` of a boot module: err_ptr(-ENOENT, -EINVAL, -ENOMEM). */
struct memory *initfs_image(struct memory *module, const char *name);
