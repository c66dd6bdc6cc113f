// SPDX-License-Identifier: MIT
/*
 * ext4: a file system on a disk. Names and attributes by servers/lib/fs, the format by servers/lib/ext4, bytes as
 * streams: pages come and go between the kernel's page cache and the disk's pool, many requests at a time.
 *
 * One thread. The format library waits for its blocks (volume.c); meanwhile transfers of data complete, but what
 * follows from that is done outside of it: transfers_end().
 */
#pragma once
#include "range.h"

#include <diskfs.h>
#include <ext4.h>
#include <stddef.h>

#define PAGE DISKFS_PAGE
#define TRANSFER_BYTES (128u << 10) /* most of a file that is read or written at once */
#define TRANSFERS 24
#define TRANSFERS_READING 8 /* write-back leaves so many */

struct node {
    struct diskfs_node base;
    struct ext4_node *disk;

    /* regular files */
    bool writing; /* to be written back, from `cursor` on */
    uint64_t cursor; /* bytes */
    uint32_t transfers; /* under way */
    uint32_t writes; /* started so far */
    struct range_set reserved; /* blocks that are set aside for dirty pages of holes */
};

struct transfer {
    struct transfer *next;
    struct node *node;
    struct disk_request *requests; /* as many as there are blocks */
    uint64_t buffer; /* in the pool */
    uint64_t offset, length; /* bytes of the file */
    uint64_t asked; /* reading: bytes that somebody waits for */
    uint64_t size; /* writing: the file's, then */
    uint32_t parts; /* requests under way, and one while they are made */
    uint32_t writes; /* the node's count at the start */
    int error;
    bool write, unwritten;
};

struct page_in { /* waits for a transfer */
    struct page_in *next;
    uint64_t object, offset, length;
};

struct volume {
    struct diskfs base;
    struct ext4 *ext4;
    uint32_t block_size, block_bits;
    struct transfer transfers[TRANSFERS];
    struct transfer *free, *done;
    uint32_t free_count;
    struct page_in *waiting_first, *waiting_last;
    uint32_t ordered; /* requests that a commit waits for */
    int ordered_error;
};

static inline struct volume *volume_of(struct fs *fs) { return (struct volume *)fs; }
static inline struct node *node_of(struct fs_node *n) { return (struct node *)n; }
static inline struct node *node_base(struct diskfs_node *n) { return (struct node *)n; }
static inline struct node *granted_first(struct volume *v) { return node_base(v->base.granted); }
static inline struct node *granted_next(struct node *n) { return node_base(n->base.granted_next); }
static_assert(offsetof(struct volume, base) == 0 && offsetof(struct node, base) == 0);

/* --- volume.c: the disk and the format on it --- */
int volume_open(struct diskfs *d, bool read_only, struct diskfs_node **root);
/* Clean. Frees all. */
int volume_close(struct diskfs *d);
/* Errors that mean damage are logged once. */
int volume_error(struct volume *v, int error);

/* --- name.c --- */
extern const struct fs_ops ext4_names;
[[nodiscard]] int node_by_inode(struct volume *v, uint32_t inode, struct node **out);
static inline struct node *node_find(struct volume *v, uint64_t inode) {
    return node_base(diskfs_node_find(&v->base, inode));
}
void node_destroy(struct diskfs_node *n);

/* --- stream.c --- */
extern const struct diskfs_streams ext4_streams;
int stream_resize(struct fs_node *n, int64_t size);
int stream_allocate(struct fs_node *n, int64_t offset, int64_t length);
int stream_sync(struct fs_node *n, bool data_only);
void transfer_done(struct disk_request *r);
