// SPDX-License-Identifier: MIT
/* Permissions, attributes and times. The rules are POSIX.1-2017's, the choices left to systems Linux's. */
#include <fs.h>
#include <string.h>

#define SECOND 1000000000LL
#define UTIME_NOW_NS 0x3fffffff /* tv_nsec of utimensat */

bool fs_in_group(const struct credentials *who, uint32_t gid) {
    if (who->fsgid == gid) return true;
    for (uint32_t i = 0; i < who->group_count; i++)
        if (who->groups[i] == gid) return true;
    return false;
}

bool fs_owner(const struct fs_call *c, const struct fs_node *n) { return fs_privileged(c) || c->who->fsuid == n->uid; }

int fs_permit_slow(const struct fs_call *c, const struct fs_node *n, uint32_t want) {
    if (want & MAY_WRITE && c->fs->flags & FS_READ_ONLY && (node_is(n, MODE_REGULAR) || node_is(n, MODE_DIRECTORY)))
        return -EROFS;
    if (fs_privileged(c)) /* all but execution of what nobody may execute */
        return !(want & MAY_EXECUTE) || n->mode & 0111 || node_is(n, MODE_DIRECTORY) ? 0 : -EACCES;
    uint32_t granted = n->mode;
    if (c->who->fsuid == n->uid) granted >>= 6;
    else if (fs_in_group(c->who, n->gid)) granted >>= 3;
    return (granted & want) == want ? 0 : -EACCES;
}

void fs_touch(struct fs_node *n, uint32_t which) {
    int64_t now = n->fs->now();
    if (which & TOUCH_ATIME) n->atime = now;
    if (which & TOUCH_MTIME) n->mtime = now;
    if (which & TOUCH_CTIME) n->ctime = now;
    if (n->fs->ops->changed && !fs_is_notify(n)) n->fs->ops->changed(n);
}

/* relatime: only if older than the last change, or than a day. */
void fs_atime_update(struct fs_node *n) {
    int64_t now = n->fs->now();
    if (n->fs->flags & FS_READ_ONLY) return;
    if (n->atime <= n->mtime || n->atime <= n->ctime || now - n->atime > 86400 * SECOND) fs_touch(n, TOUCH_ATIME);
}

static void stat_fill(struct fs_node *n, struct file_attributes *a) {
    fs_refresh(n);
    *a = (struct file_attributes){
                                   /* in the reply's data: whole, no old bytes */
        .device = n->fs->device,
        .inode = n->inode,
        .links = n->links,
        .mode = n->mode,
        .uid = n->uid,
        .gid = n->gid,
        .rdev = n->rdev,
        .size = n->size,
        .block_size = 4096,
        .blocks = n->blocks,
        .atime_s = n->atime / SECOND,
        .atime_ns = n->atime % SECOND,
        .mtime_s = n->mtime / SECOND,
        .mtime_ns = n->mtime % SECOND,
        .ctime_s = n->ctime / SECOND,
        .ctime_ns = n->ctime % SECOND,
    };
}

int fs_stat(struct fs_call *c, struct fs_node *start, struct fs_name path, uint32_t flags,
            struct file_attributes *out) {
    struct fs_walk w = {.node = start};
    if (path.length) {
        int result = fs_walk(c, start, path, flags & FILE_NOFOLLOW ? 0 : WALK_FOLLOW, &w);
        if (result) return result;
    }
    stat_fill(w.node, out);
    return 0;
}

/* access() asks for the real ids: a copy of the caller with these as the file ids. */
int fs_access(struct fs_call *c, struct fs_node *start, struct fs_name path, uint32_t flags, uint32_t want) {
    struct credentials real;
    struct fs_call call = *c;
    struct fs_walk w;
    if (want & ~7u) return -EINVAL;
    if (!(flags & ACCESS_EFFECTIVE) && (c->who->uid != c->who->fsuid || c->who->gid != c->who->fsgid)) {
        real = *c->who;
        real.fsuid = real.uid;
        real.fsgid = real.gid;
        if (real.uid != 0) real.privileges &= ~(uint32_t)PRIVILEGE_ROOT;
        call.who = &real;
    }
    int result = fs_walk(&call, start, path, flags & FILE_NOFOLLOW ? 0 : WALK_FOLLOW, &w);
    return result ? result : fs_permit(&call, w.node, want);
}

/* --- SET_ATTRIBUTES: first all checks, then all changes ------------------------------------------ */
static bool time_valid(int64_t ns) { return (ns >= 0 && ns < SECOND) || ns == UTIME_NOW_NS; }

static int times_check(struct fs_call *c, struct fs_node *n, uint32_t set, const struct file_attributes *a) {
    bool now = true;
    if (set & SET_ATIME) {
        if (!time_valid(a->atime_ns)) return -EINVAL;
        now &= a->atime_ns == UTIME_NOW_NS;
    }
    if (set & SET_MTIME) {
        if (!time_valid(a->mtime_ns)) return -EINVAL;
        now &= a->mtime_ns == UTIME_NOW_NS;
    }
    if (fs_owner(c, n)) return 0;
    bool both = (set & (SET_ATIME | SET_MTIME)) == (SET_ATIME | SET_MTIME);
    return now && both ? fs_permit(c, n, MAY_WRITE) : -EPERM;
}

static int owner_check(struct fs_call *c, struct fs_node *n, uint32_t set, const struct file_attributes *a) {
    bool other = (set & SET_UID && a->uid != n->uid) || (set & SET_GID && a->gid != n->gid);
    if (other && c->fs->flags & FS_FIXED_OWNERS) return -EPERM;
    if (fs_privileged(c)) return 0;
    if (c->who->fsuid != n->uid || (set & SET_UID && a->uid != n->uid)) return -EPERM;
    return set & SET_GID && a->gid != n->gid && !fs_in_group(c->who, a->gid) ? -EPERM : 0;
}

/* o: the open file if the call is on it (ftruncate needs a writable one), else null. */
static int size_check(struct fs_call *c, struct fs_node *n, struct fs_open *o, int64_t size) {
    if (size < 0) return -EINVAL;
    if (o) return node_is(n, MODE_REGULAR) && (o->flags & FILE_ACCESS_MASK) != FILE_READ_ONLY ? 0 : -EINVAL;
    if (node_is(n, MODE_DIRECTORY)) return -EISDIR;
    return node_is(n, MODE_REGULAR) ? fs_permit(c, n, MAY_WRITE) : -EINVAL;
}

static int set_check(struct fs_call *c, struct fs_node *n, struct fs_open *o, uint32_t set,
                     const struct file_attributes *a) {
    int result = c->fs->flags & FS_READ_ONLY ? -EROFS : 0;
    if (c->fs->flags & FS_FIXED_ATTRIBUTES && set & ~(uint32_t)SET_SIZE) return -EPERM;
    if (!result && set & SET_MODE) result = node_is(n, MODE_SYMLINK) ? -EOPNOTSUPP : fs_owner(c, n) ? 0 : -EPERM;
    if (!result && set & (SET_UID | SET_GID)) result = owner_check(c, n, set, a);
    if (!result && set & (SET_ATIME | SET_MTIME)) result = times_check(c, n, set, a);
    if (!result && set & SET_SIZE) result = size_check(c, n, o, a->size);
    return result;
}

static int64_t time_of(struct fs *fs, int64_t seconds, int64_t ns) {
    if (ns == UTIME_NOW_NS) return fs->now();
    if (seconds > INT64_MAX / SECOND - 1) seconds = INT64_MAX / SECOND - 1;
    if (seconds < 0) return 0;
    return seconds * SECOND + ns;
}

static void times_change(struct fs_node *n, uint32_t set, const struct file_attributes *a) {
    fs_refresh(n);
    if (set & SET_ATIME) n->atime = time_of(n->fs, a->atime_s, a->atime_ns);
    if (set & SET_MTIME) n->mtime = time_of(n->fs, a->mtime_s, a->mtime_ns);
    if (n->fs->ops->times_set) n->fs->ops->times_set(n);
}

static uint32_t notify_of(uint32_t set) {
    uint32_t times = set & (SET_ATIME | SET_MTIME);
    uint32_t mask = times == SET_ATIME   ? NOTIFY_ACCESS
                    : times == SET_MTIME ? NOTIFY_MODIFY
                    : times              ? NOTIFY_ATTRIBUTES
                                         : 0;
    return mask | (set & SET_SIZE ? NOTIFY_MODIFY : 0) | (set & (SET_UID | SET_GID | SET_MODE) ? NOTIFY_ATTRIBUTES : 0);
}

int fs_set_attributes(struct fs_call *c, struct fs_node *start, struct fs_open *o, struct fs_name path, uint32_t flags,
                      uint32_t set, const struct file_attributes *a) {
    struct fs_walk w;
    int result = fs_walk(c, start, path, flags & FILE_NOFOLLOW ? 0 : WALK_FOLLOW, &w);
    struct fs_node *n = w.node;
    if (result == 0 && fs_is_notify(n)) result = -EOPNOTSUPP;
    if (result == 0) result = set_check(c, n, path.length ? nullptr : o, set, a);
    if (result == 0 && set & SET_SIZE) result = c->fs->ops->resize ? c->fs->ops->resize(n, a->size) : -EINVAL;
    if (result) return result;
    if (set & (SET_UID | SET_GID)) {
        n->uid = set & SET_UID ? a->uid : n->uid;
        n->gid = set & SET_GID ? a->gid : n->gid;
        if (!node_is(n, MODE_DIRECTORY)) /* a new owner didn't vouch for it */
            n->mode &= ~(MODE_SETUID | (n->mode & 0010 ? MODE_SETGID : 0u));
    }
    if (set & SET_MODE) {
        n->mode = (n->mode & MODE_TYPE) | (a->mode & MODE_BITS);
        if (!fs_privileged(c) && !fs_in_group(c->who, n->gid)) n->mode &= ~(uint32_t)MODE_SETGID;
    }
    if (set & (SET_ATIME | SET_MTIME)) times_change(n, set, a);
    fs_touch(n, TOUCH_CTIME | (set & SET_SIZE ? TOUCH_MTIME : 0));
    if (set & SET_SIZE && c->fs->ops->times_set) c->fs->ops->times_set(n);
    if (path.length || !o) fs_notify(n, w.dir, w.name, notify_of(set));
    else fs_notify_open(o, notify_of(set));
    return 0;
}
