// SPDX-License-Identifier: MIT
/* The RAM file system on the host: stream.c's part is played by fs_host.c, without any bytes. */
#pragma once
#include "ramfs.h"

extern struct ramfs host_fs;
extern int64_t host_now; /* the clock */
extern int host_stream_error; /* what opening the bytes of a file says */
void host_fs_init(int64_t pages_max);
struct fs_call host_call(uint32_t uid, uint32_t gid); /* uid 0 is privileged; root is ours */
static inline struct fs_name host_name(const char *text) { return fs_name(text, __builtin_strlen(text)); }
