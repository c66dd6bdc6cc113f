// SPDX-License-Identifier: MIT
/*
 * Record locks of one file: byte ranges that owners hold shared or exclusive (POSIX fcntl, fcntl's
 * open-file locks, flock).  Pure lists: who waits and who is woken is lock.c's affair in the caller.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { LOCK_SHARED = 0, LOCK_EXCLUSIVE = 1, LOCK_NONE = 2 }; /* F_RDLCK F_WRLCK F_UNLCK */

struct fs_lock {
    struct fs_lock *next; /* by start */
    int64_t start, end;   /* inclusive; INT64_MAX: to infinity */
    uint64_t owner;       /* pid, or id of the open file (> 32 bits) */
    uint32_t pid;
    int16_t type;
};
struct fs_flock { /* struct flock on x86-64 */
    int16_t type, whence;
    int32_t pad;
    int64_t start, length;
    int32_t pid, pad2;
};
_Static_assert(sizeof(struct fs_flock) == 32, "struct flock");

struct fs_node;
struct fs_lock_wait { /* a request that waits for a lock: for finding circles */
    struct fs_lock_wait *next;
    struct fs_node *node;
    struct fs_lock want;
    uint32_t tag, mark;
};

/* The first lock of another owner in the way of `want`; null if there is none. */
struct fs_lock *lock_conflict(struct fs_lock *list, const struct fs_lock *want);
/* Sets or (LOCK_NONE) removes want's range for want's owner; no conflict check. 0 or -ENOLCK. */
[[nodiscard]] int lock_set(struct fs_lock **list, const struct fs_lock *want);
/* All of the owner's. True if there was one. */
bool lock_drop(struct fs_lock **list, uint64_t owner);
