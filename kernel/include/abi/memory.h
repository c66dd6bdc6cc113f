// SPDX-License-Identifier: MIT
/* Address spaces and memory objects. Offsets and lengths in bytes, page-aligned unless said. */
#pragma once
#include <abi/types.h>

enum vm_flags { /* prot bits as PROT_*, then flags */
                VM_READ = 1,
                VM_WRITE = 2,
                VM_EXEC = 4,
                VM_SHARED = 1 << 8, /* else private, copy-on-write */
                VM_FIXED = 1 << 9, /* exactly at addr, replacing what is there */
                VM_NOREPLACE = 1 << 10, /* with FIXED: -EEXIST if anything is there */
                VM_STACK = 1 << 11, /* grows down */
                VM_POPULATE = 1 << 12,
                VM_LOCKED = 1 << 13,
};
enum vm_advice { VM_DONTNEED = 1, VM_WILLNEED, VM_SYNC, VM_LOCK, VM_UNLOCK, VM_RESIDENT };

enum memory_flags {
    MEMORY_TAKE = 2, /* move whole pages out of `source` from `offset` on instead of fresh zeros */
};

struct memory_info {
    uint64_t size; /* bytes: the truth while the object exists */
    uint64_t pages; /* resident */
    uint64_t dirty; /* pages not yet written back */
    int64_t mtime_ns, atime_ns; /* CLOCK_REALTIME; 0 = unchanged since creation or the last SET */
    uint64_t physical; /* contiguous objects: address for the device; else 0 */
    uint64_t mappings; /* regions that map it */
    uint64_t id; /* pager's object id; of others, what map_info.object says of their mappings */
};

/* memory_control(h, op, a, b, c) */
enum memory_op {
    MEMORY_INFO, /* a: struct memory_info * */
    MEMORY_RESIZE, /* a: new size in bytes; shrinking cuts pages and mappings. RIGHT_CONTROL */
    MEMORY_CLEAR_TIMES,
    MEMORY_ATTRIBUTES, /* a: struct file_attributes * that file_stat() answers with, or null: none */
    MEMORY_LIMIT, /* a: most pages an anonymous object may come to have; beyond: -ENOSPC, SIGBUS. RIGHT_CONTROL */
    /* pagers: RIGHT_CONTROL */
    MEMORY_SUPPLY, /* a offset, b address of the bytes, c length: completes PAGE_IN */
    MEMORY_FAIL, /* a offset, b errno, c length: waiters get it */
    MEMORY_GRANT, /* a offset, b length: pages in it may become dirty */
    MEMORY_REVOKE, /* a offset, b length */
    MEMORY_DIRTY_NEXT, /* a: start; result offset of the next dirty run, b: uint64_t * its length; -ENODATA none */
    MEMORY_WRITEBACK_BEGIN, /* a offset, c length: write-protect, state writing */
    MEMORY_WRITEBACK_END, /* a offset, b error (0 or errno), c length */
    MEMORY_ADOPT, /* h: the port; a: object id; returns a handle to what the last instance left, upper range; ENOENT */
    /* Of a device: a panic writes a byte of 0 at offset a, which resets what is in the way of the kernel's last words.
     * Only where it was asked for last. RIGHT_CONTROL */
    MEMORY_ZERO_ON_PANIC,
};
