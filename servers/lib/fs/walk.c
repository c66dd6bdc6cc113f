// SPDX-License-Identifier: MIT
/*
 * Path walk: every component that this file system owns, in one go.  Leaves at mount points, at
 * absolute symbolic links (unless the process's root is here) and by `..` above the root.
 * POSIX.1-2017 4.13 "Pathname Resolution".
 */
#include <fs.h>
#include <string.h>

#define SCHEME_FOLDER "/scheme/" /* paths below are names of other schemes */

struct walk_rest { /* what is left of the path */
    const char *at, *end;
};

/* fs->path = first [/] rest; the walk ends with `result`. */
static int walk_leave(struct fs *fs, const char *first, struct walk_rest r, int result) {
    size_t length = strlen(first), rest = (size_t)(r.end - r.at);
    if (length + 1 + rest >= FS_PATH_MAX) return -ENAMETOOLONG;
    memcpy(fs->path, first, length);
    if (rest && length && first[length - 1] != '/') fs->path[length++] = '/';
    memcpy(fs->path + length, r.at, rest);
    fs->path_length = length + rest;
    return result;
}

/* `..` in directory *n: goes to its parent, or leaves. */
static int walk_above(struct fs_call *c, struct fs_node **n, struct walk_rest r) {
    if (*n == c->root) return 0;
    if (*n == c->fs->root)
        return c->fs->above ? walk_leave(c->fs, c->fs->above, r, FS_REDIRECT) : walk_leave(c->fs, "", r, FS_UP);
    *n = (*n)->parent;
    return 0;
}

/* Puts the target of `link`, the `count`-th one, in front of the rest; *node is where that starts. */
static int walk_expand(struct fs_call *c, struct fs_node *link, uint32_t count, struct walk_rest *r,
                       struct fs_node **node) {
    struct fs *fs = c->fs;
    if (count > FS_SYMLINKS_MAX) return -ELOOP;
    char *text = fs->expand[count & 1]; /* the rest may lie in the other one */
    int length = fs->ops->readlink(c, link, text, FS_PATH_MAX - 1);
    if (length <= 0) return length ? length : -ENOENT;
    size_t rest = (size_t)(r->end - r->at);
    if ((size_t)length + 1 + rest >= FS_PATH_MAX) return -ENAMETOOLONG;
    if (rest || r->at[-1] == '/') text[length++] = '/';
    memcpy(text + length, r->at, rest);
    *r = (struct walk_rest){text, text + length + rest};
    if (text[0] != '/') return 0;
    /* Within the root it goes on here; but /scheme/NAME is a way out that only the client knows. */
    size_t prefix = sizeof(SCHEME_FOLDER) - 1;
    bool out = (size_t)(r->end - text) > prefix && memcmp(text, SCHEME_FOLDER, prefix) == 0;
    *node = out ? nullptr : c->root;
    return *node ? 0 : walk_leave(fs, "", *r, FS_REDIRECT);
}

static inline const char *slashes_skip(const char *at, const char *end) {
    while (at < end && *at == '/') at++;
    return at;
}

/* The component at `at`: everything up to a slash, hashed on the way. */
static inline struct fs_name name_take(const char *at, const char *end) {
    const char *start = at;
    uint64_t hash = FS_HASH_START;
    while (at < end && *at != '/' && *at) hash = fs_hash_byte(hash, *at++);
    return (struct fs_name){start, (uint32_t)(at - start), fs_hash_end(hash)};
}

static inline enum walk_last dots(struct fs_name n) {
    if (n.text[0] != '.' || n.length > 2) return LAST_NOTHING;
    return n.length == 1 ? LAST_DOT : n.text[1] == '.' ? LAST_DOTDOT : LAST_NOTHING;
}

/* Goes down the components that need no second thought, `last_too` the final one as well. The rest of the path and
 * the node where it starts are left to fs_walk(). */
static inline const char *walk_plain(struct fs_call *c, const char *at, const char *end, bool last_too,
                                     struct fs_node **node) {
    struct fs_node *n = *node, *child;
    while (at < end && node_is(n, MODE_DIRECTORY) && ((n->mode & 0111) == 0111 || fs_privileged(c))) {
        struct fs_name name = name_take(at, end);
        const char *next = at + name.length;
        if (name.length - 1 >= FS_NAME_MAX || *at == '.') break;
        if (next == end ? !last_too : *next != '/' || next + 1 == end || next[1] == '/') break;
        if (c->fs->ops->lookup(c, n, name, &child)) break;
        if (child->mount || node_is(child, MODE_SYMLINK)) break;
        at = next + (next < end);
        *node = n = child;
    }
    return at;
}

int fs_walk(struct fs_call *c, struct fs_node *start, struct fs_name path, uint32_t flags, struct fs_walk *out) {
    const char *at = path.text, *end = at + path.length;
    struct fs_node *node = path.length && at[0] == '/' && c->root ? c->root : start, *child;
    enum walk_last last_kind = LAST_NOTHING;
    uint32_t symlinks = 0;
    int result;
    out->dir = nullptr;
    out->name = (struct fs_name){};
    if (path.length >= FS_PATH_MAX) return -ENAMETOOLONG;
    at = slashes_skip(at, end);
    at = walk_plain(c, at, end, !(flags & (WALK_PARENT | WALK_CREATE) || c->fs->notify_count), &node);
    while (at < end) {
        if (!node_is(node, MODE_DIRECTORY)) return -ENOTDIR;
        if ((result = fs_permit(c, node, MAY_EXECUTE))) return result;
        struct fs_name name = name_take(at, end);
        at += name.length;
        if (name.length > FS_NAME_MAX || (at < end && !*at)) return name.length > FS_NAME_MAX ? -ENAMETOOLONG : -EINVAL;
        bool slash = at < end;
        at = slashes_skip(at, end);
        bool last = at == end;
        last_kind = dots(name);
        if (last_kind == LAST_DOTDOT && (result = walk_above(c, &node, (struct walk_rest){at, end}))) return result;
        if (last_kind) continue;
        if (last && slash && flags & WALK_CREATE) return -EISDIR;

        result = c->fs->ops->lookup(c, node, name, &child);
        if (result == -ENOENT && last && flags & (WALK_MISSING | WALK_CREATE)) child = nullptr;
        else if (result) return result;
        if (last && (flags & WALK_PARENT || !child)) {
            *out = (struct fs_walk){node, child, name, LAST_NAME, slash};
            return 0;
        }
        if (child->mount) return walk_leave(c->fs, child->mount, (struct walk_rest){at, end}, FS_REDIRECT);
        if (node_is(child, MODE_SYMLINK) && (!last || slash || flags & WALK_FOLLOW)) {
            struct walk_rest rest = {at, end};
            if ((result = walk_expand(c, child, ++symlinks, &rest, &node))) return result;
            at = slashes_skip(rest.at, rest.end);
            end = rest.end;
            continue;
        }
        if (last && slash && !node_is(child, MODE_DIRECTORY)) return -ENOTDIR;
        if (last && c->fs->notify_count) {
            out->dir = node;
            out->name = name;
        }
        node = child;
    }
    out->node = node;
    out->last = last_kind;
    out->slash = false;
    return 0;
}

int fs_path(struct fs_call *c, struct fs_node *dir, char *out, size_t size) {
    char *end = out + size, *at = end;
    struct fs *fs = c->fs;
    for (struct fs_node *n = dir; n != fs->root && n != c->root; n = n->parent) {
        struct fs_name name;
        if (!node_is(n, MODE_DIRECTORY)) return -ENOTDIR;
        if (!n->links || fs->ops->name(n, &name) != 0) return -ENOENT;
        if ((size_t)(at - out) < name.length + 1) return -ERANGE;
        at -= name.length;
        memcpy(at, name.text, name.length);
        *--at = '/';
    }
    size_t length = (size_t)(end - at);
    size_t prefix = !c->root && fs->mount_point ? strlen(fs->mount_point) : 0;
    if (!length && !prefix) {
        out[0] = '/';
        return 1;
    }
    if (prefix + length > size) return -ERANGE;
    memmove(out + prefix, at, length);
    memcpy(out, fs->mount_point ? fs->mount_point : "", prefix);
    return (int)(prefix + length);
}
