// SPDX-License-Identifier: MIT
/* Operations on names: create, link, remove, rename, symbolic links, mounts. */
#include <fs.h>
#include <stdlib.h>
#include <string.h>

static bool ascends_to(const struct fs_node *n, const struct fs_node *ancestor) {
    for (; n != n->parent; n = n->parent)
        if (n == ancestor) return true;
    return n == ancestor;
}

/* May entries of dir change? A removed directory takes none. */
static int dir_permit(struct fs_call *c, struct fs_node *dir) {
    if (c->fs->flags & FS_READ_ONLY || !c->fs->ops->create) return -EROFS;
    if (!dir->links) return -ENOENT;
    return fs_permit(c, dir, MAY_WRITE | MAY_EXECUTE);
}

/* May the entry for n, a directory or not, go from dir? In a sticky one only for either's owner. */
static int entry_permit(struct fs_call *c, struct fs_node *dir, struct fs_node *n, bool directory) {
    int result = dir_permit(c, dir);
    if (result) return result;
    if (dir->mode & MODE_STICKY && !fs_privileged(c) && c->who->fsuid != n->uid && c->who->fsuid != dir->uid)
        return -EPERM;
    if (directory != node_is(n, MODE_DIRECTORY)) return directory ? -ENOTDIR : -EISDIR;
    return n->mount || n == c->fs->root || n == c->root ? -EBUSY : 0;
}

static bool dir_empty(struct fs_node *dir) {
    struct fs_entry entry;
    return dir->fs->ops->next(dir, 0, &entry) == -ENOENT;
}

int fs_create(struct fs_call *c, const struct fs_walk *w, uint32_t mode, uint64_t rdev, struct fs_name target,
              struct fs_node **out) {
    struct fs_node *dir = w->dir;
    bool directory = (mode & MODE_TYPE) == MODE_DIRECTORY;
    int result = dir_permit(c, dir);
    if (result) return result;
    if (directory && dir->links >= FS_LINK_MAX) return -EMLINK;
    struct fs_new what = {.mode = mode, .uid = c->who->fsuid, .gid = c->who->fsgid, .rdev = rdev, .target = target};
    if (dir->mode & MODE_SETGID) {
        what.gid = dir->gid;
        if (directory) what.mode |= MODE_SETGID;
        else if (!fs_privileged(c) && !fs_in_group(c->who, dir->gid)) what.mode &= ~(uint32_t)MODE_SETGID;
    }
    if ((result = c->fs->ops->create(dir, w->name, &what, out))) return result;
    if (directory) {
        (*out)->links = 2;
        dir->links++;
        fs_parent_set(*out, dir);
    }
    if (w->name.length) {
        fs_touch(dir, TOUCH_MTIME | TOUCH_CTIME);
        fs_notify_entry(dir, w->name, *out, NOTIFY_CREATE, 0);
    }
    return 0;
}

/* Walks to a name that must not exist yet. */
static int walk_to_new(struct fs_call *c, struct fs_node *start, struct fs_name path, bool directory,
                       struct fs_walk *w) {
    int result = fs_walk(c, start, path, WALK_PARENT | WALK_MISSING, w);
    if (result) return result;
    if (w->node) return -EEXIST;
    return w->slash && !directory ? -ENOENT : 0;
}

int fs_make_node(struct fs_call *c, struct fs_node *start, struct fs_name path, uint32_t mode, uint64_t rdev) {
    struct fs_walk w;
    struct fs_node *node;
    uint32_t type = mode & MODE_TYPE ? mode & MODE_TYPE : MODE_REGULAR;
    int result = walk_to_new(c, start, path, type == MODE_DIRECTORY, &w);
    if (result) return result;
    switch (type) {
    case MODE_DIRECTORY:
        mode &= ~(MODE_SETUID | MODE_SETGID); /* the latter comes from the parent */
        rdev = 0;
        break;
    case MODE_CHAR:
    case MODE_BLOCK:
        if (!fs_privileged(c)) return -EPERM;
        break;
    case MODE_REGULAR:
    case MODE_FIFO:
    case MODE_SOCKET: rdev = 0; break;
    default: return -EINVAL;
    }
    return fs_create(c, &w, type | (mode & MODE_BITS), rdev, (struct fs_name){}, &node);
}

int fs_symlink(struct fs_call *c, struct fs_node *start, struct fs_name path, struct fs_name target) {
    struct fs_walk w;
    struct fs_node *node;
    if (!target.length) return -ENOENT;
    if (target.length >= FS_PATH_MAX) return -ENAMETOOLONG;
    int result = walk_to_new(c, start, path, false, &w);
    return result ? result : fs_create(c, &w, MODE_SYMLINK | 0777, 0, target, &node);
}

int fs_readlink(struct fs_call *c, struct fs_node *start, struct fs_name path, char *out, size_t size) {
    struct fs_walk w;
    int result = fs_walk(c, start, path, 0, &w);
    if (result) return result;
    if (!node_is(w.node, MODE_SYMLINK)) return -EINVAL;
    return c->fs->ops->readlink(c, w.node, out, size);
}

/* The link count went down: the node goes when nobody has it open. */
static void node_unlinked(struct fs_node *n) {
    fs_node_get(n);
    if (node_is(n, MODE_DIRECTORY)) {
        n->links = 0;
        n->parent->links--;
    } else {
        n->links--;
    }
    fs_touch(n, TOUCH_CTIME);
    if (!node_is(n, MODE_DIRECTORY)) fs_notify_self(n, NOTIFY_ATTRIBUTES);
    fs_node_put(n);
}

int fs_remove(struct fs_call *c, struct fs_node *start, struct fs_name path, bool directory) {
    static const int no_name[] = {-EBUSY, -EINVAL, -ENOTEMPTY}; /* what rmdir says: enum walk_last */
    struct fs_walk w;
    int result = fs_walk(c, start, path, WALK_PARENT, &w);
    if (result) return result;
    if (w.last != LAST_NAME) return directory ? no_name[w.last] : -EISDIR;
    if (!directory && w.slash) return node_is(w.node, MODE_DIRECTORY) ? -EISDIR : -ENOTDIR;
    if ((result = entry_permit(c, w.dir, w.node, directory))) return result;
    if (directory && !dir_empty(w.node)) return -ENOTEMPTY;
    if ((result = c->fs->ops->remove(w.dir, w.name, w.node))) return result;
    fs_touch(w.dir, TOUCH_MTIME | TOUCH_CTIME);
    fs_notify_entry(w.dir, w.name, w.node, NOTIFY_DELETE, 0);
    node_unlinked(w.node);
    return 0;
}

int fs_link(struct fs_call *c, struct fs_node *start, struct fs_name path, uint32_t flags, struct fs_node *new_start,
            struct fs_name new_path) {
    struct fs_walk old, new;
    int result = fs_walk(c, start, path, flags & FILE_NOFOLLOW ? 0 : WALK_FOLLOW, &old);
    if (!result) result = walk_to_new(c, new_start, new_path, false, &new);
    if (!result) result = dir_permit(c, new.dir);
    if (result) return result;
    if (node_is(old.node, MODE_DIRECTORY)) return -EPERM;
    if (old.node == &c->fs->notify_node) return -EXDEV;
    if (!old.node->links) return -ENOENT;
    if (old.node->links >= FS_LINK_MAX) return -EMLINK;
    if ((result = c->fs->ops->insert(new.dir, new.name, old.node))) return result;
    old.node->links++;
    fs_touch(old.node, TOUCH_CTIME);
    fs_touch(new.dir, TOUCH_MTIME | TOUCH_CTIME);
    fs_notify_self(old.node, NOTIFY_ATTRIBUTES);
    fs_notify_entry(new.dir, new.name, old.node, NOTIFY_CREATE, 0);
    return 0;
}

/* --- rename -------------------------------------------------------------------------------------- */

/* Errors that come from the paths alone, whoever asks. */
static int rename_check_names(struct fs_walk *from, struct fs_walk *to, uint32_t flags) {
    if (from->last != LAST_NAME) return -EBUSY;
    if (to->last != LAST_NAME) return flags & RENAME_KEEP ? -EEXIST : -EBUSY;
    if (!from->node) return -ENOENT;
    if (to->node && flags & RENAME_KEEP) return -EEXIST;
    if (!to->node && flags & RENAME_SWAP) return -ENOENT;
    bool directory = node_is(from->node, MODE_DIRECTORY);
    bool needs_directory = from->slash || (to->slash && !(flags & RENAME_SWAP));
    if (!directory && needs_directory) return -ENOTDIR;
    if (flags & RENAME_SWAP && to->slash && !node_is(to->node, MODE_DIRECTORY)) return -ENOTDIR;
    if (directory && ascends_to(to->dir, from->node)) return -EINVAL;
    if (to->node && node_is(to->node, MODE_DIRECTORY) && ascends_to(from->dir, to->node))
        return flags & RENAME_SWAP ? -EINVAL : -ENOTEMPTY;
    return 0;
}

static int rename_permit(struct fs_call *c, struct fs_walk *from, struct fs_walk *to, uint32_t flags) {
    bool directory = node_is(from->node, MODE_DIRECTORY);
    bool swapped_directory = flags & RENAME_SWAP && node_is(to->node, MODE_DIRECTORY);
    int result = entry_permit(c, from->dir, from->node, directory);
    if (!result)
        result = to->node ? entry_permit(c, to->dir, to->node, flags & RENAME_SWAP ? swapped_directory : directory)
                          : dir_permit(c, to->dir);
    if (result || from->dir == to->dir) return result;
    /* A directory whose parent changes has its `..` written. */
    if (directory) result = fs_permit(c, from->node, MAY_WRITE);
    if (!result && swapped_directory) result = fs_permit(c, to->node, MAY_WRITE);
    if (!result && directory && !to->node && to->dir->links >= FS_LINK_MAX) result = -EMLINK;
    return result;
}

/* n is now in `to`: `..` and link counts follow. */
static void parent_change(struct fs_node *n, struct fs_node *from, struct fs_node *to) {
    if (from == to || !node_is(n, MODE_DIRECTORY)) return;
    to->links++;
    from->links--;
    fs_parent_set(n, to);
}

/* What was `old` is now `new`. */
static void rename_notify(struct fs_node *n, struct fs_walk *old, struct fs_walk *new) {
    struct fs *fs = n->fs;
    if (!fs->notify_count) return;
    fs->notify_cookie += fs->notify_cookie == UINT32_MAX ? 2 : 1; /* never 0 */
    fs_via_move(n, old->dir, old->name, new->dir, new->name);
    fs_notify_entry(old->dir, old->name, n, NOTIFY_MOVED_FROM, fs->notify_cookie);
    fs_notify_entry(new->dir, new->name, n, NOTIFY_MOVED_TO, fs->notify_cookie);
    fs_notify_self(n, NOTIFY_MOVE_SELF);
}

static void rename_finish(struct fs_walk *from, struct fs_walk *to, uint32_t flags) {
    parent_change(from->node, from->dir, to->dir);
    fs_touch(from->dir, TOUCH_MTIME | TOUCH_CTIME);
    if (to->dir != from->dir) fs_touch(to->dir, TOUCH_MTIME | TOUCH_CTIME);
    fs_touch(from->node, TOUCH_CTIME);
    rename_notify(from->node, from, to);
    if (flags & RENAME_SWAP) {
        parent_change(to->node, to->dir, from->dir);
        fs_touch(to->node, TOUCH_CTIME);
        rename_notify(to->node, to, from);
    } else if (to->node) {
        node_unlinked(to->node);
    }
}

/* The same entry, and its new name is another one all the same. */
static bool case_changes(const struct fs_walk *from, const struct fs_walk *to, uint32_t flags) {
    return from->node == to->node && from->dir == to->dir && from->dir->fs->flags & FS_CASELESS &&
           !(flags & RENAME_SWAP) && !name_is(from->name, to->name.text, to->name.length);
}

int fs_rename(struct fs_call *c, struct fs_node *start, struct fs_name path, struct fs_node *new_start,
              struct fs_name new_path, uint32_t flags) {
    struct fs_walk from, to;
    if (flags & ~(uint32_t)(RENAME_KEEP | RENAME_SWAP) || flags == (RENAME_KEEP | RENAME_SWAP)) return -EINVAL;
    int result = fs_walk(c, start, path, WALK_PARENT | WALK_MISSING, &from);
    char from_name[FS_NAME_MAX]; /* the next walk may expand links where the name lies */
    if (from.name.length) memcpy(from_name, from.name.text, from.name.length);
    from.name.text = from_name;
    if (!result) result = fs_walk(c, new_start, new_path, WALK_PARENT | WALK_MISSING, &to);
    if (!result) result = rename_check_names(&from, &to, flags);
    if (!result && case_changes(&from, &to, flags)) to.node = nullptr;
    if (result || to.node == from.node) return result;
    if ((result = rename_permit(c, &from, &to, flags))) return result;
    if (to.node && !(flags & RENAME_SWAP) && node_is(to.node, MODE_DIRECTORY) && !dir_empty(to.node)) return -ENOTEMPTY;
    result = c->fs->ops->move(from.dir, from.name, from.node, to.dir, to.name, to.node, flags & RENAME_SWAP);
    if (result == 0) rename_finish(&from, &to, flags);
    return result;
}

/* --- mounts: the entry of this directory is replaced by an absolute path -------------------------- */
int fs_mount(struct fs_call *c, struct fs_node *start, struct fs_name path, struct fs_name target) {
    struct fs_walk w;
    if (!fs_privileged(c)) return -EPERM;
    if (!target.length || target.text[0] != '/' || target.length >= FS_PATH_MAX) return -EINVAL;
    int result = fs_walk(c, start, path, WALK_PARENT, &w);
    if (result) return result;
    if (!w.dir || w.node->mount) return -EBUSY;
    if (!(w.node->mount = strndup(target.text, target.length))) return -ENOMEM;
    fs_node_get(w.node);
    return 0;
}

int fs_unmount(struct fs_call *c, struct fs_node *start, struct fs_name path) {
    struct fs_walk w;
    if (!fs_privileged(c)) return -EPERM;
    int result = fs_walk(c, start, path, WALK_PARENT, &w);
    if (result) return result;
    if (!w.dir || !w.node->mount) return -EINVAL;
    free(w.node->mount);
    w.node->mount = nullptr;
    fs_node_put(w.node);
    return 0;
}
