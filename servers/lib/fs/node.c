// SPDX-License-Identifier: MIT
/* Life of nodes, and of the file system itself. */
#include <fs.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t wall_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int fs_init(struct fs *fs, const struct fs_ops *ops, const char *mount_point) {
    fs->ops = ops;
    fs->now = wall_clock;
    fs->open_pool = POOL_OF(struct fs_open);
    fs->notify_node = (struct fs_node){.fs = fs, .mode = 0600, .links = 1, .refs = 1};
    if (!mount_point) return 0;
    fs->mount_point = strdup(mount_point);
    fs->above = strdup(mount_point);
    if (!fs->above || !fs->mount_point) return -ENOMEM;
    char *slash = strrchr(fs->above, '/');
    slash[slash == fs->above] = '\0'; /* "/proc" → "/" */
    return 0;
}

void fs_node_init(struct fs *fs, struct fs_node *n, const struct fs_new *what) {
    int64_t now = fs->now();
    *n = (struct fs_node){.fs = fs,
                          .mode = what->mode,
                          .uid = what->uid,
                          .gid = what->gid,
                          .rdev = what->rdev,
                          .links = 1,
                          .atime = now,
                          .mtime = now,
                          .ctime = now};
}

void fs_node_put(struct fs_node *n) {
    if (--n->refs == 0) n->fs->ops->release(n);
    else if (n->watches) fs_notify_gone(n);
}

void fs_node_fini(struct fs_node *n) {
    if (n->parent && n->parent != n) fs_node_put(n->parent);
    if (n->xattrs) fs_xattrs_free(n);
    if (n->mount) free(n->mount);
    n->parent = nullptr;
    n->mount = nullptr;
}

uint32_t fs_name_hash_slow(struct fs_name n) {
    uint64_t hash = FS_HASH_START;
    for (uint32_t i = 0; i < n.length; i++) hash = fs_hash_byte(hash, n.text[i]);
    return fs_hash_end(hash);
}

void fs_parent_set(struct fs_node *dir, struct fs_node *parent) {
    struct fs_node *old = dir->parent;
    fs_node_get(parent);
    dir->parent = parent;
    if (old) fs_node_put(old);
}
