// SPDX-License-Identifier: MIT
/*
 * Handle tables: one per process, two ranges (abi/handle.h).
 *
 * A slot is free, reserved (EMFILE was decided, nothing published yet) or open.  Lookups take the
 * table's lock; the reference they return outlives a close by another thread.
 */
#pragma once
#include <kernel/object.h>

struct handle_slot {
    struct object *object; /* null: free; HANDLE_RESERVED: reserved */
    uint16_t rights;
    uint8_t flags; /* HANDLE_CLOEXEC, HANDLE_KEEP, HANDLE_PRIVILEGED */
};
struct handle_info;
/* Fills what handle_info reports of an object (also for PROCESS_HANDLES). */
void handle_info_fill(struct object *o, uint32_t rights, uint32_t flags, struct handle_info *i);
#define HANDLE_RESERVED ((struct object *)1)
#define HANDLE_CHUNK 64
struct handle_range {
    struct handle_slot **chunks; /* arrays of HANDLE_CHUNK slots; [-1]: the smaller array before it */
    uint64_t *full; /* bitmap: every slot of the chunk is taken */
    uint32_t chunk_count, first_free_hint;
    uint64_t reserved; /* a power of two in size, for handle_borrow() */
};
struct handle_table {
    struct spinlock lock;
    struct handle_range ranges[2] GUARDED_BY(lock); /* fds; the upper range */
    uint64_t generation; /* rises when a handle is closed or replaced, or a second thread may do so */
    uint32_t limit; /* RLIMIT_NOFILE, soft */
    uint32_t open_count GUARDED_BY(lock);
};

/* The slot of h if its chunk exists, else null. */
struct handle_slot *handle_slot_find(struct handle_table *t, handle_t h) REQUIRES(t -> lock);
void handle_table_init(struct handle_table *t);
static inline void handle_table_changed(struct handle_table *t) {
    __atomic_fetch_add(&t->generation, 1, __ATOMIC_RELAXED);
}
void handle_table_fini(struct handle_table *t); /* closes everything */
/* Copies open handles (fork: all; spawn with SPAWN_INHERIT: not CLOEXEC). -ENOMEM */
MUST_CHECK int handle_table_copy(struct handle_table *to, struct handle_table *from, bool skip_cloexec);
void handle_table_exec(struct handle_table *t); /* drops CLOEXEC fds and upper slots without KEEP */

/*
 * Looks h up in the current process.  type 0: any.  Gives a reference in *out and rights in *rights
 * (may be null).  -EBADF closed or reserved; -EINVAL wrong type; -EACCES a right of `need` missing.
 */
MUST_CHECK int handle_lookup(handle_t h, enum object_type type, uint32_t need, struct object **out, uint32_t *rights);
/* Like lookup, but takes a *handle* reference (for carrying in messages): needs RIGHT_TRANSFER. */
MUST_CHECK int handle_lookup_as_handle(handle_t h, uint32_t need, struct object **out, uint32_t *rights);
MUST_CHECK static inline int handle_lookup_transfer(handle_t h, struct object **out, uint32_t *rights) {
    return handle_lookup_as_handle(h, RIGHT_TRANSFER, out, rights);
}
struct borrowed {
    struct object *object; /* or err_ptr() */
    uint32_t rights;
    bool counted;
};
struct borrowed handle_borrow_counted(handle_t h, enum object_type type); /* for handle_borrow(): process.h */
/* Reserves the lowest free slot ≥ at (0: the start of the range): the number, -EMFILE, -ENOMEM. flags: IN_UPPER. */
MUST_CHECK handle_t handle_reserve(handle_t at, uint32_t flags);
/* Publishes a handle in a reserved slot; consumes a handle reference (object_handle_get). */
void handle_publish(handle_t h, struct object *o, uint32_t rights, uint32_t flags);
void handle_unreserve(handle_t h);
/* reserve + publish; consumes the handle reference also on failure. */
MUST_CHECK handle_t handle_install(struct object *o, uint32_t rights, uint32_t flags);
/* Installs into another process's table at exactly `at` (spawn, init). Consumes the handle reference. */
MUST_CHECK int handle_install_at(struct handle_table *t, handle_t at, struct object *o, uint32_t rights,
                                 uint32_t flags);
/* The same into the lowest free slot of another process's table (a handle carried by a call). */
MUST_CHECK handle_t handle_install_in(struct handle_table *t, struct object *o, uint32_t rights, uint32_t flags);
MUST_CHECK int handle_close(handle_t h);
int handle_close_range(handle_t first, handle_t last); /* within one range */
/* Slot flags of the open handles in first … last; -EBADF if there is none. */
MUST_CHECK int handle_set_flags(handle_t first, handle_t last, uint32_t mask, uint32_t flags);
/* What is in slot h of any table: gives a reference. -EBADF */
MUST_CHECK int handle_describe(struct handle_table *t, handle_t h, struct object **out, uint32_t *rights,
                               uint32_t *flags);
void file_dropped(struct object *o); /* kernel/ipc/file.c: a process dropped a handle to o */
