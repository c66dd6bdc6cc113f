// SPDX-License-Identifier: MIT
/*
 * Nodes, their names and attributes.
 * Links are counted by the class library and by the format library, each for itself.
 */
#include "server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define EXT4_MAGIC 0xef53

void node_destroy(struct diskfs_node *n) {
    ext4_node_put(node_base(n)->disk);
    free(n);
}

/* Attributes that the format library decides. */
static void node_refresh(struct node *n) {
    const struct volume *v = volume_of(n->base.node.fs);
    if (n->base.memory < 0) n->base.node.size = (int64_t)n->disk->size;
    uint64_t blocks = 0, end = ((uint64_t)n->base.node.size + v->block_size - 1) >> v->block_bits;
    for (uint32_t i = 0; i < n->reserved.count && n->reserved.ranges[i].first < end; i++)
        blocks += (n->reserved.ranges[i].end < end ? n->reserved.ranges[i].end : end) - n->reserved.ranges[i].first;
    n->base.node.blocks = (int64_t)(n->disk->blocks + blocks * (v->block_size / 512));
}

static struct node *node_make(struct volume *v, struct ext4_node *disk) {
    struct node *n = calloc(1, sizeof(*n));
    if (!n) return nullptr;
    n->disk = disk;
    n->base.node =
        (struct fs_node){.inode = disk->inode,
                         .rdev = makedev((disk->rdev >> 8) & 0xfff, (disk->rdev & 0xff) | (disk->rdev >> 12 & 0xfff00)),
                         .mode = disk->mode,
                         .uid = disk->uid,
                         .gid = disk->gid,
                         .links = disk->links,
                         .atime = disk->atime,
                         .mtime = disk->mtime,
                         .ctime = disk->ctime};
    if (node_is(&n->base.node, MODE_DIRECTORY) && n->base.node.links == 1)
        n->base.node.links = 2 * FS_LINK_MAX; /* too many to count */
    diskfs_node_add(&v->base, &n->base);
    node_refresh(n);
    return n;
}

int node_by_inode(struct volume *v, uint32_t inode, struct node **out) {
    struct ext4_node *disk;
    if ((*out = node_find(v, inode))) return 0;
    int e = ext4_node_get(v->ext4, inode, &disk);
    if (e < 0) return volume_error(v, e);
    if ((*out = node_make(v, disk))) return 0;
    ext4_node_put(disk);
    return -ENOMEM;
}

/* --- names --- */
static int lookup(struct fs_call *c, struct fs_node *dir, struct fs_name name, struct fs_node **out) {
    struct volume *v = volume_of(dir->fs);
    uint32_t inode;
    struct node *n;
    int e = ext4_lookup(node_of(dir)->disk, name.text, name.length, &inode);
    if (e < 0) return volume_error(v, e);
    if ((e = node_by_inode(v, inode, &n)) < 0) return e;
    return volume_error(v, diskfs_node_found(&n->base, dir, out));
}

static int next(struct fs_node *dir, int64_t cookie, struct fs_entry *out) {
    struct ext4_entry e;
    struct node *n;
    int result = ext4_next(node_of(dir)->disk, cookie, &e);
    if (result < 0) return volume_error(volume_of(dir->fs), result);
    *out = (struct fs_entry){.cookie = e.cookie, .inode = e.inode, .mode = e.mode, .name = fs_name(e.name, e.length)};
    if (!e.mode && (n = node_find(volume_of(dir->fs), e.inode))) out->mode = n->base.node.mode;
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
    return volume_error(volume_of(n->fs), ext4_readlink(node_of(n)->disk, out, size));
}

static uint32_t device_encode(uint64_t rdev) {
    uint32_t major = major(rdev), minor = minor(rdev);
    return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

static int create(struct fs_node *dir, struct fs_name name, const struct fs_new *what, struct fs_node **out) {
    struct volume *v = volume_of(dir->fs);
    struct ext4_node *disk;
    struct ext4_new new = {.mode = what->mode,
                           .uid = what->uid,
                           .gid = what->gid,
                           .rdev = device_encode(what->rdev),
                           .target = what->target.text,
                           .target_length = what->target.length};
    int e = ext4_create(node_of(dir)->disk, name.length ? name.text : nullptr, name.length, &new, &disk);
    if (e < 0) return volume_error(v, e);
    struct node *n = node_make(v, disk);
    if (!n) {
        if (name.length) ext4_unlink(node_of(dir)->disk, name.text, name.length, disk);
        ext4_node_put(disk);
        return -ENOMEM;
    }
    n->base.node.links = 1; /* the library counts on from there */
    *out = &n->base.node;
    return 0;
}

static int insert(struct fs_node *dir, struct fs_name name, struct fs_node *n) {
    int e = ext4_link(node_of(dir)->disk, name.text, name.length, node_of(n)->disk);
    return volume_error(volume_of(dir->fs), e);
}

static int remove_name(struct fs_node *dir, struct fs_name name, struct fs_node *n) {
    int e = ext4_unlink(node_of(dir)->disk, name.text, name.length, node_of(n)->disk);
    return volume_error(volume_of(dir->fs), e);
}

static int move(struct fs_node *from, struct fs_name from_name, struct fs_node *n, struct fs_node *to,
                struct fs_name to_name, struct fs_node *victim, bool exchange) {
    int e = ext4_rename(node_of(from)->disk, from_name.text, from_name.length, node_of(n)->disk, node_of(to)->disk,
                        to_name.text, to_name.length, victim ? node_of(victim)->disk : nullptr, exchange);
    return volume_error(volume_of(from->fs), e);
}

/* --- attributes --- */
static void changed(struct fs_node *n) {
    struct node *node = node_of(n);
    struct ext4_node *disk = node->disk;
    node_refresh(node);
    if (n->fs->flags & FS_READ_ONLY) return;
    disk->mode = n->mode;
    disk->uid = n->uid;
    disk->gid = n->gid;
    disk->atime = n->atime;
    disk->mtime = n->mtime;
    disk->ctime = n->ctime;
    volume_error(volume_of(n->fs), ext4_node_changed(disk));
    diskfs_timer_start(&volume_of(n->fs)->base);
}

static void refresh(struct fs_node *n) {
    if (node_is(n, MODE_REGULAR)) diskfs_refresh(n);
    node_refresh(node_of(n));
}

static int64_t xattr(struct fs_node *n, enum fs_xattr_op op, uint32_t flags, const char *name, const void *value,
                     size_t size, void *out, size_t room) {
    struct volume *v = volume_of(n->fs);
    struct ext4_node *disk = node_of(n)->disk;
    switch (op) {
    case XATTR_GET: return ext4_xattr_get(disk, name, out, room);
    case XATTR_LIST: return ext4_xattr_list(disk, out, room);
    case XATTR_SET: return volume_error(v, ext4_xattr_set(disk, name, value, size, flags));
    default: return volume_error(v, ext4_xattr_remove(disk, name));
    }
}

static void statfs(struct fs *fs, struct filesystem_info *out) {
    struct ext4_info info;
    ext4_statfs(volume_of(fs)->ext4, &info);
    out->type = EXT4_MAGIC;
    out->block_size = out->fragment_size = info.block_size;
    out->blocks = info.blocks;
    out->blocks_free = out->blocks_available = info.blocks_free;
    out->files = info.inodes;
    out->files_free = info.inodes_free;
    memcpy(out->id, info.uuid, sizeof(out->id));
}

const struct fs_ops ext4_names = {
    .lookup = lookup,
    .next = next,
    .name = name,
    .readlink = readlink,
    .create = create,
    .insert = insert,
    .remove = remove_name,
    .move = move,
    .resize = stream_resize,
    .allocate = stream_allocate,
    .changed = changed,
    .stream = diskfs_stream,
    .refresh = refresh,
    .closed = diskfs_closed,
    .times_set = diskfs_times_set,
    .sync = stream_sync,
    .xattr = xattr,
    .statfs = statfs,
    .release = diskfs_release,
    .between = diskfs_between,
};
