// SPDX-License-Identifier: MIT
/*
 * Address spaces: a tree of regions over a page table.
 *
 * Private memory has no object: page tables own its frames, per-frame counts share them after fork.
 * Regions are changed and faults resolved under `lock` (mutex, RANK_SPACE); entries under
 * `table_lock` (spinlock, RANK_PAGETABLE), so that a memory object can unmap its pages with its own
 * lock held and without the region lock.
 */
#pragma once
#include <abi/memory.h>
#include <arch/mmu.h>
#include <kernel/lock.h>
#include <kernel/mm.h>
#include <kernel/tree.h>

struct memory;
/* Flags of the kernel's own, beside enum vm_flags: what mprotect may never add (rights of the handle). */
enum region_flags { VM_DENY_WRITE = 1 << 16, VM_DENY_EXEC = 1 << 17 };

/*
 * Private pages that the processes of a user made, their page tables, and pages of channels; limit 0 = none.
 * Pages shared after fork count once.  Outlives what it is charged for.  Tables may go beyond the limit by
 * those that one fault makes.
 */
struct quota {
    _Atomic int64_t pages, limit;
};
bool quota_charge(struct quota *q, int64_t pages); /* false: over the limit. A null quota has none */
static inline void quota_release(struct quota *q, int64_t pages) {
    if (q) atomic_fetch_sub_explicit(&q->pages, pages, memory_order_relaxed);
}

struct region {
    struct tree_node node; /* key = start */
    vaddr_t end; /* of a region with an object: changes under the object's lock */
    uint32_t flags; /* VM_* that last: protection, SHARED, STACK, DENY_* */
    struct memory *object; /* null: anonymous private; else holds a reference */
    uint64_t offset; /* of start in the object */
    struct space *space;
    struct list mapping_link; /* object's list of mappings */
};
struct space {
    struct pagetable table;
    struct mutex lock;
    struct spinlock table_lock;
    struct tree regions GUARDED_BY(lock);
    struct region *last GUARDED_BY(lock); /* found last */
    uint32_t region_count GUARDED_BY(lock);
    uint64_t mapped_pages GUARDED_BY(lock), limit_pages; /* RLIMIT_AS */
    uint64_t stack_pages; /* RLIMIT_STACK: how far VM_STACK regions grow */
    _Atomic uint64_t resident; /* pages present; changed under table_lock */
    struct quota *quota; /* null: none; changed under both locks */
    vaddr_t map_hint GUARDED_BY(lock); /* free addresses are looked for below */
    uint64_t id; /* for private futex keys */
    bool service; /* no writable and executable mappings */
    _Atomic uint32_t refs;
};

struct space *space_create(void); /* null: no memory */
struct space *space_fork(struct space *from); /* copy-on-write copy; null: no memory. Preemption points inside */
void space_set_quota(struct space *s, struct quota *q); /* moves the charge, over the limit too; null: none */
void space_put(struct space *s); /* last: unmaps everything, frees */
/* Result: address or -errno. Takes its own reference to object. */
MUST_CHECK long space_map(struct space *s, vaddr_t at, size_t length, uint32_t flags, struct memory *object,
                          uint64_t offset);
MUST_CHECK int space_unmap(struct space *s, vaddr_t at, size_t length);
MUST_CHECK int space_protect(struct space *s, vaddr_t at, size_t length, uint32_t prot);
MUST_CHECK long space_remap(struct space *s, vaddr_t at, size_t old, size_t length, uint32_t flags, vaddr_t to);
MUST_CHECK int space_advise(struct space *s, vaddr_t at, size_t length, uint32_t advice, uaddr_t out);
/* VM_REMAP flags of space_remap: as mremap(2). */
enum remap_flags { REMAP_MAY_MOVE = 1, REMAP_FIXED = 2 };
/* Resolves a fault at `at` (FAULT_* flags): 0, -EFAULT (no mapping or rights), -EIO (pager:
 * SIGBUS), -ENOMEM, -EINTR. */
MUST_CHECK int space_fault(struct space *s, vaddr_t at, unsigned flags);
/* Fills info with regions from address `from` on; number filled. For PROCESS_MAPS. */
struct map_info;
size_t space_describe(struct space *s, vaddr_t from, struct map_info *info, size_t count);
/* Copies to/from another process's memory (spawn arguments, ptrace, /proc): bytes done or -errno. */
MUST_CHECK int space_write(struct space *s, vaddr_t to, const void *from, size_t n);
MUST_CHECK int space_read(struct space *s, void *to, vaddr_t from, size_t n);
/* Key of a futex word: object + offset if shared, else space id + address. Nofault; -EFAULT if not present. */
struct futex_key {
    uint64_t a, b;
};
MUST_CHECK int space_futex_key(struct space *s, uaddr_t at, bool shared, struct futex_key *out);
struct space *space_current(void);
