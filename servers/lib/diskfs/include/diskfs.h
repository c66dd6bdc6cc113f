// SPDX-License-Identifier: MIT
/*
 * The server of a file system on a disk, but for its format: started by the supervisor for one mount, with the disk's
 * open file behind its scheme; the nodes in memory; and streams (bytes of files as memory objects) for formats that
 * read and write them in calls. Names and attributes are servers/lib/fs's: the format supplies a struct fs_ops.
 *
 * One thread. What waits for the disk, waits in its handler.
 */
#pragma once
#include <blkdev.h>
#include <disk.h>
#include <fs.h>
#include <stddef.h>

#define DISKFS_PAGE 4096u
#define DISKFS_PIECE (128u << 10) /* most that is read or written at once */
#define DISKFS_BUCKETS 1024
#define DISKFS_MEMORY (1ULL << 63) /* objects of calls: memory's, not open files' */

struct diskfs_node { /* the format's begin with it */
    struct fs_node node;
    struct diskfs_node *hash_next;
    struct diskfs_node *idle_next, *idle_previous; /* while nobody refers to it; else both null */
    bool idle;

    /* regular files */
    handle_t memory; /* or HANDLE_NONE */
    struct diskfs_node *granted_next; /* in diskfs->granted */
    bool granted; /* pages may be dirty */
    uint64_t read_next; /* bytes: where reading in sequence would go on */
};

struct diskfs {
    struct fs fs;
    struct disk disk;
    struct blkdev device; /* over it */
    const struct diskfs_ops *ops;
    struct diskfs_node *buckets[DISKFS_BUCKETS];
    struct diskfs_node *idle_first, *idle_last;
    uint32_t idle_count;
    struct diskfs_node *granted;
    handle_t timer;
    bool timer_set;
    bool polling; /* the disk, in the loop */
};

/* Bytes of files: stream.c's, or a format's own. */
struct diskfs_streams {
    uint32_t requests; /* of the disk at a time */
    size_t pool; /* the disk's, its first DISKFS_PIECE bytes for d->device */
    int64_t (*page_in)(struct scheme *s, struct port_buffer *call);
    int64_t (*reserve)(struct scheme *s, struct port_buffer *call);
    int64_t (*write_back)(struct scheme *s, struct port_buffer *call);
    int (*sync)(struct fs_node *n, bool data_only);
    int (*sync_all)(struct diskfs *d);
    void (*aged)(struct diskfs *d); /* the timer: what is dirty gets written */
    void (*after)(struct diskfs *d); /* after events; may be null */
    bool (*busy)(struct diskfs_node *n); /* somebody maps it, or it is dirty */
    void (*release)(struct diskfs_node *n); /* nobody wants it any more: closes its memory */
};
extern const struct diskfs_streams diskfs_streams;

/* Null is allowed where it says so; without `write` the rest may be null as well, with other streams from `read` on. */
struct diskfs_ops {
    const char *name;
    const struct fs_ops *fs;
    const struct diskfs_streams *streams;
    /* Mounts d->device; sets d->fs.device, and FS_READ_ONLY if that is so. */
    int (*open)(struct diskfs *d, bool read_only, struct diskfs_node **root);
    int (*close)(struct diskfs *d); /* everything written, clean */
    void (*node_free)(struct diskfs_node *n); /* the format's part of it, and its memory */
    /* Bytes, fewer only at the end of what is on the disk. */
    int64_t (*read)(struct diskfs_node *n, void *out, size_t size, uint64_t offset);

    /* `end`: how far the file is going to be written. */
    int64_t (*write)(struct diskfs_node *n, const void *in, size_t size, uint64_t offset, uint64_t end);
    int (*resize)(struct diskfs_node *n, uint64_t size);
    /* Sets room aside for a file that reaches `end`: -ENOSPC, -EFBIG. */
    int (*reserve)(struct diskfs_node *n, uint64_t end);
    void (*unreserve)(struct diskfs_node *n);
    int (*sync)(struct diskfs *d); /* what the format has not written */
    bool (*dirty)(struct diskfs *d); /* there is such */
};

static inline struct diskfs *diskfs_of(struct fs *fs) { return (struct diskfs *)fs; }
static inline struct diskfs_node *diskfs_node_of(struct fs_node *n) { return (struct diskfs_node *)n; }
static_assert(offsetof(struct diskfs, fs) == 0 && offsetof(struct diskfs_node, node) == 0);

/* Serves; the result is the program's. argv: the mount point, and `ro`. */
int diskfs_main(int argc, char **argv, struct diskfs *d, const struct diskfs_ops *ops);
static inline const char *diskfs_place(const struct diskfs *d) { return d->fs.mount_point ?: "/"; } /* for the log */
/* Passes an error on. One that means damage is logged, and the file system is read-only from then on. */
int diskfs_error(struct diskfs *d, int error);
void diskfs_timer_start(struct diskfs *d); /* there is something to be written, in a while */

/* --- node.c --- */
/* n->node is set but for what is the library's. */
void diskfs_node_add(struct diskfs *d, struct diskfs_node *n);
struct diskfs_node *diskfs_node_find(struct diskfs *d, uint64_t inode);
/* For ops->lookup: n was found in dir. -EUCLEAN: a directory with two names. */
int diskfs_node_found(struct diskfs_node *n, struct fs_node *dir, struct fs_node **out);
void diskfs_nodes_drop(struct diskfs *d, uint32_t keep); /* idle ones */
void diskfs_release(struct fs_node *n); /* struct fs_ops */
void diskfs_between(struct fs *fs);

/* --- stream.c: struct fs_ops --- */
int diskfs_stream(struct fs_node *n, bool write, handle_t *out);
int diskfs_resize(struct fs_node *n, int64_t size);
void diskfs_refresh(struct fs_node *n);
void diskfs_closed(struct fs_open *o);
void diskfs_times_set(struct fs_node *n);
int diskfs_sync(struct fs_node *n, bool data_only);

/* --- for other streams --- */
/* The memory's size, or while there is none the node's. */
uint64_t diskfs_memory_size(const struct diskfs_node *n);
void diskfs_granted_add(struct diskfs_node *n); /* and starts the timer */
void diskfs_granted_remove(struct diskfs_node *n);
