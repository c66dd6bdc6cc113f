// SPDX-License-Identifier: MIT
/*
 * RAM file system: nodes and entries in this process's heap, the bytes of files in memory objects
 * (streams) that the kernel reads, writes and maps without us.
 *
 * A file from a boot module has no memory object until it is opened first: then whole pages move
 * out of the module (MEMORY_TAKE), files of less than a page are copied.
 */
#pragma once
#include <cpio.h>
#include <fs.h>

struct ram_entry;
struct ram_slot { /* directory entries in order of their making */
    int64_t cookie;
    struct ram_entry *entry; /* null: gone */
};
struct ram_directory {
    struct ram_slot *slots;
    uint32_t used, capacity, live;
    uint32_t read_at; /* slot behind the one that was read last: where the next look is likely to start */
    int64_t next_cookie;
    struct ram_entry *self; /* entry of this directory in its parent; null: root or removed */
};
struct ram_module {
    handle_t memory;
    const uint8_t *bytes; /* mapped */
    size_t size;
};
struct ram_file {
    handle_t memory; /* or HANDLE_NONE: none yet */
    /* In ramfs->active: opened or mapped since the last look, the stream may know better. */
    struct ram_node *active_next, **active_link; /* active_link: what points here; null: not in it */
    const struct ram_module *module; /* where the bytes are until then; null: no bytes */
    size_t offset;
    enum { ATTRIBUTES_OURS, ATTRIBUTES_ASKED, ATTRIBUTES_LEFT } attributes; /* LEFT: with the stream */
};

struct ram_node {
    struct fs_node node; /* first */
    union {
        struct ram_directory directory;
        struct ram_file file;
        char *target; /* symbolic link; node.size is its length */
    };
};
struct ram_entry {
    struct ram_entry *hash_next;
    struct ram_node *dir, *node;
    uint32_t hash, slot;
    uint16_t length;
    char name[];
};

#define RAM_ENTRY_SIZE 64 /* of an entry with a short name */

struct ramfs {
    struct fs fs; /* first */
    struct pool nodes, entries;
    struct ram_entry **buckets;
    uint32_t bucket_count, entry_count;
    uint64_t next_inode;
    struct ram_node *active;
    int64_t pages_max, pages_used; /* quota, and what the streams have as far as we know */
    int64_t nodes_max, nodes_used;
};

static inline struct ramfs *ramfs_of(struct fs *fs) { return (struct ramfs *)fs; }
static inline struct ram_node *ram_node_of(struct fs_node *n) { return (struct ram_node *)n; }

/* Sets up with an empty root directory. 0 or -ENOMEM. */
[[nodiscard]] int ramfs_init(struct ramfs *r, int64_t pages_max, const char *mount_point);
void ramfs_fini(struct ramfs *r); /* for tests: frees all */
/* Adds an archive's files, later ones replacing earlier ones. Number of entries that could not be
 * made, or -EINVAL (damaged; what came before is there). */
[[nodiscard]] int ramfs_populate(struct ramfs *r, const struct ram_module *m);
struct ram_entry *ram_entry_find(struct ramfs *r, struct ram_node *dir, struct fs_name name);

/* stream.c */
int ram_stream(struct fs_node *n, bool write, handle_t *out);
void ram_closed(struct fs_open *o);
void ram_stream_release(struct ram_node *n);
void ram_pages_count(struct fs_node *n, int64_t pages); /* it has so many now */
void ram_refresh(struct fs_node *n);
void ram_refresh_active(struct ramfs *r, uint32_t count); /* so many of them */
void ram_times_set(struct fs_node *n);
void ram_asked(struct fs_node *n, const struct file_attributes *a);
void ram_changed(struct fs_node *n);
int ram_resize(struct fs_node *n, int64_t size);
int ram_allocate(struct fs_node *n, int64_t offset, int64_t length);
