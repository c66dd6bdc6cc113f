// SPDX-License-Identifier: MIT
/* Mounting and unmounting, and what the format library asks for. */
#include "server.h"

#include <service.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Before a commit: blocks that are the file's already must have been written. */
static int ordered(void *data) {
    struct volume *v = data;
    while (v->ordered) (void)disk_wait(&v->base.disk, DEADLINE_NEVER);
    int error = v->ordered_error;
    v->ordered_error = 0;
    return error;
}

int volume_error(struct volume *v, int error) {
    static bool told;
    struct ext4_info info;
    if (error != -EUCLEAN && error != -EIO) return error;
    ext4_statfs(v->ext4, &info);
    if (!told && (error == -EUCLEAN || info.read_only))
        service_log("ext4: %s: %s%s", diskfs_place(&v->base),
                    error == -EUCLEAN ? "damaged" : "metadata can't be written", info.read_only ? ", read-only" : "");
    told = told || error == -EUCLEAN || info.read_only;
    if (info.read_only) v->base.fs.flags |= FS_READ_ONLY;
    return error;
}

static int transfers_make(struct volume *v) {
    for (uint32_t i = 0; i < TRANSFERS; i++) {
        struct transfer *t = &v->transfers[i];
        t->requests = calloc(TRANSFER_BYTES / v->block_size, sizeof(*t->requests));
        if (!t->requests) return -ENOMEM;
        t->buffer = DISKFS_PIECE + (uint64_t)i * TRANSFER_BYTES;
        t->next = v->free;
        v->free = t;
        v->free_count++;
    }
    return 0;
}

int volume_open(struct diskfs *d, bool read_only, struct diskfs_node **root) {
    struct volume *v = volume_of(&d->fs);
    struct ext4_info info;
    struct node *n;
    if (d->disk.info.sector_size != BLKDEV_SECTOR) return -EOPNOTSUPP;
    struct ext4_options options = {
        .read_only = read_only, .block_max = PAGE, .now = now, .ordered = ordered, .data = v};
    int e = ext4_mount(&d->device, &options, &v->ext4);
    if (e < 0) return e;
    ext4_statfs(v->ext4, &info);
    v->block_size = info.block_size;
    v->block_bits = (uint32_t)__builtin_ctz(info.block_size);
    if (info.read_only) d->fs.flags |= FS_READ_ONLY;
    memcpy(&d->fs.device, info.uuid, sizeof(d->fs.device));
    d->fs.device = (d->fs.device & 0xffffff) | 0x8000000;
    e = transfers_make(v);
    if (!e) e = node_by_inode(v, EXT4_ROOT, &n);
    if (!e) *root = &n->base;
    return e;
}

int volume_close(struct diskfs *d) { return ext4_unmount(volume_of(&d->fs)->ext4); }
