// SPDX-License-Identifier: MIT
/*
 * Path walk: every component that this file system owns, in one go.  Leaves at mount points, at
 * absolute symbolic links (unless the process's root is here) and by `..` above the root.
 * POSIX.1-2017 4.13 "Pathname Resolution".
 */
#include <fs.h>
#include <string.h>

#define SCHEME_FOLDER "/scheme/" /* paths below are names of other schemes */

struct walk_state {
    struct fs_call *c;
    const char *rest, *end;
    uint32_t symlinks;
};

/* fs->path = first [/] rest; the walk ends with `result`. */
static int walk_leave(struct walk_state *s, const char *first, int result) {
    struct fs *fs = s->c->fs;
    size_t length = strlen(first), rest = (size_t)(s->end - s->rest);
    if (length + 1 + rest >= FS_PATH_MAX)
        return -ENAMETOOLONG;
    memcpy(fs->path, first, length);
    if (rest && length && first[length - 1] != '/')
        fs->path[length++] = '/';
    memcpy(fs->path + length, s->rest, rest);
    fs->path_length = length + rest;
    return result;
}

/* `..` in directory n: its parent, or null and the walk leaves. */
static struct fs_node *walk_above(struct walk_state *s, struct fs_node *n, int *result) {
    if (n == s->c->root)
        return n;
    if (n != s->c->fs->root)
        return n->parent;
    *result = s->c->fs->above ? walk_leave(s, s->c->fs->above, FS_REDIRECT) : walk_leave(s, "", FS_UP);
    return nullptr;
}

/* Puts the target of `link` in front of the rest; *node is where that starts. 0 or how it leaves. */
static int walk_expand(struct walk_state *s, struct fs_node *link, struct fs_node **node) {
    struct fs *fs = s->c->fs;
    if (++s->symlinks > FS_SYMLINKS_MAX)
        return -ELOOP;
    char *text = fs->expand[s->symlinks & 1]; /* the rest may lie in the other one */
    int length = fs->ops->readlink(s->c, link, text, FS_PATH_MAX - 1);
    if (length <= 0)
        return length ? length : -ENOENT;
    size_t rest = (size_t)(s->end - s->rest);
    if ((size_t)length + 1 + rest >= FS_PATH_MAX)
        return -ENAMETOOLONG;
    if (s->end > s->rest || s->rest[-1] == '/')
        text[length++] = '/';
    memcpy(text + length, s->rest, rest);
    s->rest = text;
    s->end = text + length + rest;
    if (text[0] != '/')
        return 0;
    /* Within the root it goes on here; but /scheme/NAME is a way out that only the client knows. */
    if (s->c->root && strncmp(text, SCHEME_FOLDER, sizeof(SCHEME_FOLDER) - 1) != 0) {
        *node = s->c->root;
        return 0;
    }
    return walk_leave(s, "", FS_REDIRECT);
}

static void slashes_skip(struct walk_state *s) {
    while (s->rest < s->end && *s->rest == '/')
        s->rest++;
}

int fs_walk(struct fs_call *c, struct fs_node *start, struct fs_name path, uint32_t flags,
            struct fs_walk *out) {
    struct walk_state s = {.c = c, .rest = path.text, .end = path.text + path.length};
    struct fs_node *node = path.length && path.text[0] == '/' && c->root ? c->root : start;
    int result = 0;
    *out = (struct fs_walk){};
    if (path.length >= FS_PATH_MAX)
        return -ENAMETOOLONG;
    for (slashes_skip(&s); s.rest < s.end;) {
        if (!node_is(node, MODE_DIRECTORY))
            return -ENOTDIR;
        if ((result = fs_permit(c, node, MAY_EXECUTE)))
            return result;
        const char *slash = memchr(s.rest, '/', (size_t)(s.end - s.rest));
        struct fs_name name = {s.rest, (size_t)((slash ? slash : s.end) - s.rest)};
        if (name.length > FS_NAME_MAX)
            return -ENAMETOOLONG;
        s.rest += name.length;
        slashes_skip(&s);
        bool last = s.rest == s.end;
        out->last = name_is(name, "..", 2) ? LAST_DOTDOT : name_is(name, ".", 1) ? LAST_DOT : 0;
        if (out->last == LAST_DOTDOT && !(node = walk_above(&s, node, &result)))
            return result;
        if (out->last)
            continue;

        if (last && slash && flags & WALK_CREATE)
            return -EISDIR;
        struct fs_node *child;
        result = c->fs->ops->lookup(c, node, name, &child);
        if (result == -ENOENT && last && flags & (WALK_MISSING | WALK_CREATE))
            child = nullptr;
        else if (result)
            return result;
        if (last && (flags & WALK_PARENT || !child)) {
            *out = (struct fs_walk){node, child, name, LAST_NAME, slash};
            return 0;
        }
        if (child->mount)
            return walk_leave(&s, child->mount, FS_REDIRECT);
        if (node_is(child, MODE_SYMLINK) && (!last || slash || flags & WALK_FOLLOW)) {
            if ((result = walk_expand(&s, child, &node)))
                return result;
            slashes_skip(&s);
            continue;
        }
        if (last && slash && !node_is(child, MODE_DIRECTORY))
            return -ENOTDIR;
        node = child;
    }
    out->node = node;
    return 0;
}

int fs_path(struct fs_call *c, struct fs_node *dir, char *out, size_t size) {
    char *end = out + size, *at = end;
    struct fs *fs = c->fs;
    for (struct fs_node *n = dir; n != fs->root && n != c->root; n = n->parent) {
        struct fs_name name;
        if (!node_is(n, MODE_DIRECTORY))
            return -ENOTDIR;
        if (!n->links || fs->ops->name(n, &name) != 0)
            return -ENOENT;
        if ((size_t)(at - out) < name.length + 1)
            return -ERANGE;
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
    if (prefix + length > size)
        return -ERANGE;
    memmove(out + prefix, at, length);
    memcpy(out, fs->mount_point ? fs->mount_point : "", prefix);
    return (int)(prefix + length);
}
