// SPDX-License-Identifier: MIT
/* iso9660: names and attributes of servers/lib/iso9660 for servers/lib/diskfs. Nothing changes. */
#include <diskfs.h>
#include <iso9660.h>
#include <stdlib.h>
#include <string.h>

#define ISOFS_MAGIC 0x9660
#define BLOCK 2048

struct node {
    struct diskfs_node base;
    struct iso_node *iso;
};

static struct diskfs diskfs;
static struct iso *iso;
static struct iso_info info;

static struct iso_node *iso_of(struct fs_node *n) { return ((struct node *)n)->iso; }

static int node_get(uint64_t inode, struct node **out) {
    struct iso_node *i;
    struct node *n = (struct node *)diskfs_node_find(&diskfs, inode);
    int e = n ? 0 : iso_node_get(iso, inode, &i);
    if (!n && !e) {
        if (!(n = calloc(1, sizeof(*n)))) {
            iso_node_put(i);
            return -ENOMEM;
        }
        n->iso = i;
        n->base.node = (struct fs_node){.inode = inode,
                                        .rdev = i->rdev,
                                        .mode = i->mode,
                                        .uid = i->uid,
                                        .gid = i->gid,
                                        .links = i->links,
                                        .size = (int64_t)i->size,
                                        .blocks = (int64_t)((i->size + BLOCK - 1) / BLOCK * (BLOCK / 512)),
                                        .atime = i->atime,
                                        .mtime = i->mtime,
                                        .ctime = i->ctime};
        diskfs_node_add(&diskfs, &n->base);
    }
    *out = n;
    return e;
}

static void node_free(struct diskfs_node *n) {
    iso_node_put(((struct node *)n)->iso);
    free(n);
}

static int lookup(struct fs_call *c, struct fs_node *dir, struct fs_name name, struct fs_node **out) {
    uint64_t inode;
    struct node *n;
    int e = iso_lookup(iso_of(dir), name.text, name.length, &inode);
    if (!e) e = node_get(inode, &n);
    return e ?: diskfs_node_found(&n->base, dir, out);
}

static int next(struct fs_node *dir, int64_t cookie, struct fs_entry *out) {
    struct iso_entry e;
    int result = iso_next(iso_of(dir), cookie, &e);
    if (result) return result;
    *out = (struct fs_entry){.cookie = e.cookie, .inode = e.inode, .mode = e.mode, .name = fs_name(e.name, e.length)};
    return 0;
}

static int name(struct fs_node *dir, struct fs_name *out) {
    struct fs_entry e = {};
    int result;
    while ((result = next(dir->parent, e.cookie, &e)) == 0)
        if (e.inode == dir->inode) {
            *out = e.name;
            return 0;
        }
    return result;
}

static int readlink(struct fs_call *c, struct fs_node *n, char *out, size_t size) {
    size_t length = (size_t)n->size < size ? (size_t)n->size : size;
    memcpy(out, iso_of(n)->target, length);
    return (int)length;
}

static void statfs(struct fs *fs, struct filesystem_info *out) {
    out->type = ISOFS_MAGIC;
    out->block_size = out->fragment_size = BLOCK;
    out->blocks = info.blocks;
    memcpy(out->id, &info.id, sizeof(info.id));
}

static int64_t read(struct diskfs_node *n, void *out, size_t size, uint64_t offset) {
    return iso_read(((struct node *)n)->iso, out, size, offset);
}

static int open_volume(struct diskfs *d, bool read_only, struct diskfs_node **root) {
    struct node *n;
    int e = iso_mount(&d->device, &iso);
    if (e) return e;
    iso_statfs(iso, &info);
    d->fs.device = (info.id & 0xffffff) | 0x8000000;
    d->fs.flags |= FS_READ_ONLY | FS_NO_XATTR;
    if ((e = node_get(info.root, &n))) return e;
    *root = &n->base;
    return 0;
}

static int close_volume(struct diskfs *d) {
    iso_unmount(iso);
    return 0;
}

static const struct fs_ops names = {
    .lookup = lookup,
    .next = next,
    .name = name,
    .readlink = readlink,
    .stream = diskfs_stream,
    .statfs = statfs,
    .sync = diskfs_sync,
    .release = diskfs_release,
    .between = diskfs_between,
};

static const struct diskfs_ops ops = {
    .name = "iso9660",
    .fs = &names,
    .streams = &diskfs_streams,
    .open = open_volume,
    .close = close_volume,
    .node_free = node_free,
    .read = read,
};

int main(int argc, char **argv) { return diskfs_main(argc, argv, &diskfs, &ops); }
