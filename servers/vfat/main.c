// SPDX-License-Identifier: MIT
/*
 * vfat: names and attributes of servers/lib/fat for servers/lib/diskfs. Owners are root, modes 755 without what the
 * read-only attribute takes away; there are no links and no special files.
 */
#include <diskfs.h>
#include <fat.h>
#include <service.h>
#include <stdlib.h>
#include <string.h>

#define MSDOS_MAGIC 0x4d44
#define MODE_WRITE 0222

struct node {
    struct diskfs_node base;
    struct fat_node *fat;
    uint32_t reserved; /* clusters that it is going to need */
};

static struct diskfs diskfs;
static struct fat *fat;
static struct fat_info info;
static uint32_t reserved; /* by all nodes */

static struct node *node_of(struct fs_node *n) { return (struct node *)n; }
static struct fat_node *fat_of(struct fs_node *n) { return node_of(n)->fat; }
static struct fat_node *fat_base(struct diskfs_node *n) { return ((struct node *)n)->fat; }

/* --- nodes --- */
static void attributes_refresh(struct node *n) {
    uint64_t size = (uint64_t)n->base.node.size, mask = info.cluster_size - 1;
    n->base.node.blocks = (int64_t)((size + mask) / info.cluster_size * (info.cluster_size / 512));
}

/* A directory's links: itself, its own name, and `..` of those in it. */
static int links_count(struct fat_node *dir, uint32_t *links) {
    struct fat_entry e = {};
    int result;
    *links = 2;
    while ((result = fat_next(dir, e.cookie, &e)) == 0) *links += e.mode == MODE_DIRECTORY;
    return result == -ENOENT ? 0 : result;
}

/* Takes over the reference. */
static int node_make(struct fat_node *f, struct node **out) {
    struct node *n = (struct node *)diskfs_node_find(&diskfs, f->inode);
    uint32_t links = 1;
    if (n) {
        fat_node_put(f);
        *out = n;
        return 0;
    }
    int e = (f->mode & MODE_TYPE) == MODE_DIRECTORY ? links_count(f, &links) : 0;
    n = e ? nullptr : calloc(1, sizeof(*n));
    if (!n) {
        fat_node_put(f);
        return e ?: -ENOMEM;
    }
    n->fat = f;
    n->base.node = (struct fs_node){.inode = f->inode,
                                    .mode = f->mode,
                                    .links = links,
                                    .size = (int64_t)f->size,
                                    .atime = f->atime,
                                    .mtime = f->mtime,
                                    .ctime = f->mtime};
    attributes_refresh(n);
    diskfs_node_add(&diskfs, &n->base);
    *out = n;
    return 0;
}

static void node_free(struct diskfs_node *n) {
    fat_node_put(fat_base(n));
    free(n);
}

/* --- names --- */
static int lookup(struct fs_call *c, struct fs_node *dir, struct fs_name name, struct fs_node **out) {
    struct fat_node *f;
    struct node *n;
    int e = fat_lookup(fat_of(dir), name.text, name.length, &f);
    if (!e) e = node_make(f, &n);
    return diskfs_error(&diskfs, e ?: diskfs_node_found(&n->base, dir, out));
}

static int next(struct fs_node *dir, int64_t cookie, struct fs_entry *out) {
    struct fat_entry e;
    int result = fat_next(fat_of(dir), cookie, &e);
    if (result) return diskfs_error(&diskfs, result);
    *out = (struct fs_entry){.cookie = e.cookie, .inode = e.inode, .mode = e.mode, .name = fs_name(e.name, e.length)};
    return 0;
}

static int name(struct fs_node *dir, struct fs_name *out) {
    struct fat_entry e;
    int result = fat_entry_of(fat_of(dir->parent), fat_of(dir), &e);
    if (!result) *out = fs_name(e.name, e.length);
    return diskfs_error(&diskfs, result);
}

static int create(struct fs_node *dir, struct fs_name name, const struct fs_new *what, struct fs_node **out) {
    uint32_t type = what->mode & MODE_TYPE;
    struct fat_node *f;
    struct node *n;
    if (type != MODE_REGULAR && type != MODE_DIRECTORY) return -EPERM;
    if (!name.length) return -EOPNOTSUPP;
    int e = fat_create(fat_of(dir), name.text, name.length, what->mode, &f);
    if (!e) e = node_make(f, &n);
    diskfs_timer_start(&diskfs);
    if (!e) *out = &n->base.node;
    return diskfs_error(&diskfs, e);
}

static int insert(struct fs_node *dir, struct fs_name name, struct fs_node *n) { return -EPERM; }

static int remove_name(struct fs_node *dir, struct fs_name name, struct fs_node *n) {
    diskfs_timer_start(&diskfs);
    return diskfs_error(&diskfs, fat_unlink(fat_of(dir), fat_of(n)));
}

static int move(struct fs_node *from, struct fs_name from_name, struct fs_node *n, struct fs_node *to,
                struct fs_name to_name, struct fs_node *victim, bool exchange) {
    if (exchange) return -EINVAL;
    diskfs_timer_start(&diskfs);
    int e = fat_rename(fat_of(from), fat_of(n), fat_of(to), to_name.text, to_name.length,
                       victim ? fat_of(victim) : nullptr);
    return diskfs_error(&diskfs, e);
}

/* --- attributes --- */
static void changed(struct fs_node *n) {
    struct fat_node *f = fat_of(n);
    attributes_refresh(node_of(n));
    /* What FAT can't tell doesn't change. */
    bool write = node_is(n, MODE_DIRECTORY) || n->mode & MODE_WRITE;
    n->mode = (n->mode & MODE_TYPE) | 0555 | (write ? 0200 : 0);
    if (n->fs->flags & FS_READ_ONLY) return;
    f->mode = n->mode;
    f->atime = n->atime;
    f->mtime = n->mtime;
    diskfs_error(&diskfs, fat_node_changed(f));
    diskfs_timer_start(&diskfs);
}

static void refresh(struct fs_node *n) {
    if (node_is(n, MODE_REGULAR)) diskfs_refresh(n);
    else n->size = (int64_t)fat_of(n)->size;
    attributes_refresh(node_of(n));
}

static void statfs(struct fs *fs, struct filesystem_info *out) {
    fat_statfs(fat, &info);
    out->type = MSDOS_MAGIC;
    out->block_size = out->fragment_size = info.cluster_size;
    out->blocks = info.clusters;
    out->blocks_free = out->blocks_available = info.clusters_free > reserved ? info.clusters_free - reserved : 0;
    memcpy(out->id, &info.serial, sizeof(info.serial));
}

/* --- bytes --- */
static int64_t read(struct diskfs_node *n, void *out, size_t size, uint64_t offset) {
    return fat_read(fat_base(n), out, size, offset);
}

static int64_t write(struct diskfs_node *n, const void *in, size_t size, uint64_t offset, uint64_t end) {
    return fat_write(fat_base(n), in, size, offset, end);
}

static int resize(struct diskfs_node *n, uint64_t size) { return fat_truncate(fat_base(n), size); }

static int reserve(struct diskfs_node *base, uint64_t end) {
    struct node *n = (struct node *)base;
    uint32_t missing;
    int e = fat_missing(n->fat, end, &missing);
    if (e || missing <= n->reserved) return e;
    fat_statfs(fat, &info);
    uint32_t more = missing - n->reserved;
    if (info.clusters_free < reserved || info.clusters_free - reserved < more) return -ENOSPC;
    n->reserved += more;
    reserved += more;
    return 0;
}

static void unreserve(struct diskfs_node *n) {
    reserved -= ((struct node *)n)->reserved;
    ((struct node *)n)->reserved = 0;
}

/* --- the volume --- */
static int sync(struct diskfs *d) { return fat_sync(fat); }
static bool dirty(struct diskfs *d) { return fat_dirty(fat); }

static int open_volume(struct diskfs *d, bool read_only, struct diskfs_node **root) {
    struct fat_options options = {.read_only = read_only, .now = d->fs.now};
    struct node *n;
    int e = fat_mount(&d->device, &options, &fat);
    if (e) return e;
    fat_statfs(fat, &info);
    if (info.was_dirty) service_log("vfat: %s: was not unmounted; fsck.fat it", diskfs_place(d));
    d->fs.device = (info.serial & 0xffffff) | 0x8000000;
    d->fs.flags |= FS_NO_XATTR | FS_FIXED_OWNERS | FS_CASELESS | (info.read_only ? FS_READ_ONLY : 0);
    if ((e = node_make(fat_root(fat), &n))) return e;
    *root = &n->base;
    return 0;
}

static int close_volume(struct diskfs *d) {
    if (d->fs.flags & FS_READ_ONLY) fat_damaged(fat); /* or it was read-only, and isn't marked at all */
    return fat_unmount(fat);
}

static const struct fs_ops names = {
    .lookup = lookup,
    .next = next,
    .name = name,
    .create = create,
    .insert = insert,
    .remove = remove_name,
    .move = move,
    .resize = diskfs_resize,
    .changed = changed,
    .stream = diskfs_stream,
    .refresh = refresh,
    .closed = diskfs_closed,
    .times_set = diskfs_times_set,
    .sync = diskfs_sync,
    .statfs = statfs,
    .release = diskfs_release,
    .between = diskfs_between,
};

static const struct diskfs_ops ops = {
    .name = "vfat",
    .fs = &names,
    .streams = &diskfs_streams,
    .open = open_volume,
    .close = close_volume,
    .node_free = node_free,
    .read = read,
    .write = write,
    .resize = resize,
    .reserve = reserve,
    .unreserve = unreserve,
    .sync = sync,
    .dirty = dirty,
};

int main(int argc, char **argv) { return diskfs_main(argc, argv, &diskfs, &ops); }
