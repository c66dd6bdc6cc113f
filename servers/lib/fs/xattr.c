// SPDX-License-Identifier: MIT
/* Extended attributes: the rules, and those kept in memory with the node (RAM file systems). Names as on Linux. */
#include <fs.h>
#include <stdlib.h>
#include <string.h>

#define XATTR_NAME_MAX 255
#define XATTR_VALUE_MAX 65000
#define XATTR_TOTAL_MAX 131072 /* per node */
enum { XATTR_MUST_CREATE = 1, XATTR_MUST_REPLACE = 2 };

struct fs_xattr {
    struct fs_xattr *next;
    size_t size;
    char *name; /* behind the value */
    char value[];
};

void fs_xattrs_free(struct fs_node *n) {
    while (n->xattrs) {
        struct fs_xattr *x = n->xattrs;
        n->xattrs = x->next;
        free(x);
    }
}

static bool has_prefix(const char *name, const char *prefix) {
    return strncmp(name, prefix, strlen(prefix)) == 0 && name[strlen(prefix)];
}

/* user.*: by the file's permissions, on files and directories; trusted.*: the privileged only; security.*: anybody
 * reads what the privileged set. */
static int xattr_permit(struct fs_call *c, struct fs_node *n, enum fs_xattr_op op, const char *name) {
    bool change = op == XATTR_SET || op == XATTR_REMOVE;
    if (change && c->fs->flags & FS_READ_ONLY) return -EROFS;
    if (has_prefix(name, "security.")) return !change || fs_privileged(c) ? 0 : -EPERM;
    if (has_prefix(name, "trusted.")) return fs_privileged(c) ? 0 : change ? -EPERM : -ENODATA;
    if (!has_prefix(name, "user.")) return -EOPNOTSUPP;
    if (!node_is(n, MODE_REGULAR) && !node_is(n, MODE_DIRECTORY)) return change ? -EPERM : -ENODATA;
    if (change && node_is(n, MODE_DIRECTORY) && n->mode & MODE_STICKY && !fs_owner(c, n)) return -EPERM;
    return fs_permit(c, n, change ? MAY_WRITE : MAY_READ);
}

static int64_t xattr_list(struct fs_call *c, struct fs_node *n, char *out, size_t room) {
    size_t used = 0;
    for (struct fs_xattr *x = n->xattrs; x; x = x->next) {
        size_t length = strlen(x->name) + 1;
        if (has_prefix(x->name, "trusted.") && !fs_privileged(c)) continue;
        if (room) {
            if (room - used < length) return -ERANGE;
            memcpy(out + used, x->name, length);
        }
        used += length;
    }
    return (int64_t)used;
}

static struct fs_xattr **xattr_find(struct fs_node *n, const char *name) {
    struct fs_xattr **p = &n->xattrs;
    while (*p && strcmp((*p)->name, name) != 0) p = &(*p)->next;
    return p;
}

static size_t xattr_total(const struct fs_node *n) {
    size_t total = 0;
    for (struct fs_xattr *x = n->xattrs; x; x = x->next) total += x->size + strlen(x->name) + 1;
    return total;
}

static int xattr_set(struct fs_node *n, uint32_t flags, const char *name, const void *value, size_t size) {
    struct fs_xattr **p = xattr_find(n, name), *old = *p;
    size_t name_size = strlen(name) + 1;
    if (flags & ~(uint32_t)(XATTR_MUST_CREATE | XATTR_MUST_REPLACE)) return -EINVAL;
    if (old ? flags & XATTR_MUST_CREATE : flags & XATTR_MUST_REPLACE) return old ? -EEXIST : -ENODATA;
    size_t total = xattr_total(n) - (old ? old->size + name_size : 0);
    if (size > XATTR_VALUE_MAX || total + size + name_size > XATTR_TOTAL_MAX) return -ENOSPC;
    struct fs_xattr *x = malloc(sizeof(*x) + size + name_size);
    if (!x) return -ENOSPC;
    x->size = size;
    x->name = x->value + size;
    memcpy(x->value, value, size);
    memcpy(x->name, name, name_size);
    x->next = old ? old->next : nullptr;
    *p = x;
    free(old);
    fs_touch(n, TOUCH_CTIME);
    return 0;
}

/* Names that aren't the caller's are left out. */
static int64_t stored_list(struct fs_call *c, struct fs_node *n, char *out, size_t room) {
    char *all = malloc(CALL_DATA_MAX);
    int64_t size = all ? n->fs->ops->xattr(n, XATTR_LIST, 0, nullptr, nullptr, 0, all, CALL_DATA_MAX) : -ENOMEM;
    int64_t used = 0;
    for (int64_t at = 0, length; used >= 0 && at < size; at += length) {
        length = (int64_t)strlen(all + at) + 1;
        bool shown = has_prefix(all + at, "user.") || has_prefix(all + at, "security.") ||
                     (has_prefix(all + at, "trusted.") && fs_privileged(c));
        if (!shown) continue;
        if (room && room - (size_t)used < (size_t)length) {
            used = -ERANGE;
            break;
        }
        if (room) memcpy(out + used, all + at, (size_t)length);
        used += length;
    }
    free(all);
    return size < 0 ? size : used;
}

int64_t fs_xattr(struct fs_call *c, struct fs_node *n, enum fs_xattr_op op, uint32_t flags, const char *name,
                 const void *value, size_t size, void *out, size_t room) {
    if (c->fs->flags & FS_NO_XATTR || fs_is_notify(n)) return -EOPNOTSUPP;
    if (op == XATTR_LIST) return n->fs->ops->xattr ? stored_list(c, n, out, room) : xattr_list(c, n, out, room);
    if (!name[0] || strlen(name) > XATTR_NAME_MAX) return -ERANGE;
    int result = xattr_permit(c, n, op, name);
    if (result) return result;
    if (n->fs->ops->xattr) {
        if (op == XATTR_SET && flags & ~(uint32_t)(XATTR_MUST_CREATE | XATTR_MUST_REPLACE)) return -EINVAL;
        int64_t done = n->fs->ops->xattr(n, op, flags, name, value, size, out, room);
        if (done >= 0 && op != XATTR_GET) fs_touch(n, TOUCH_CTIME);
        return done;
    }
    if (op == XATTR_SET) return xattr_set(n, flags, name, value, size);
    struct fs_xattr **p = xattr_find(n, name), *x = *p;
    if (!x) return -ENODATA;
    if (op == XATTR_GET) {
        if (room && x->size > room) return -ERANGE;
        if (room) memcpy(out, x->value, x->size);
        return (int64_t)x->size;
    }
    *p = x->next;
    free(x);
    fs_touch(n, TOUCH_CTIME);
    return 0;
}
