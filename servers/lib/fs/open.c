// SPDX-License-Identifier: MIT
/* Opening, closing, and reading what has no plane: directories, and files of the server's own. */
#include <fs.h>
#include <stdlib.h>
#include <string.h>

/* Flags that mean something with O_PATH. */
#define PATH_FLAGS (FILE_PATH | FILE_DIRECTORY | FILE_NOFOLLOW | FILE_CLOEXEC)
#define TMPFILE_BIT (FILE_TMPFILE & ~FILE_DIRECTORY)

static uint32_t access_wanted(uint32_t flags) {
    static const uint8_t want[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE};
    return want[flags & FILE_ACCESS_MASK] | (flags & FILE_TRUNCATE ? MAY_WRITE : 0);
}

/* May this caller open the existing node so? */
static int open_check(struct fs_call *c, struct fs_node *n, uint32_t flags) {
    if (flags & FILE_DIRECTORY && !node_is(n, MODE_DIRECTORY)) return -ENOTDIR;
    if (flags & FILE_PATH) return 0;
    if (node_is(n, MODE_SYMLINK)) return -ELOOP;
    uint32_t want = access_wanted(flags);
    if (flags & FILE_SOCKET && !node_is(n, MODE_SOCKET)) return fs_permit(c, n, want) ? -EACCES : -ECONNREFUSED;
    if (node_is(n, MODE_DIRECTORY) && (want & MAY_WRITE || flags & FILE_CREATE)) return -EISDIR;
    int result = fs_permit(c, n, want);
    if (result) return result;
    if (node_is(n, MODE_SOCKET)) return flags & FILE_SOCKET ? 0 : -ENXIO;
    return flags & FILE_NOATIME && !fs_owner(c, n) ? -EPERM : 0;
}

static struct fs_open *open_create(struct fs *fs, struct fs_node *n, uint32_t flags) {
    struct fs_open *o = pool_get(&fs->open_pool);
    if (!o) return nullptr;
    *o = (struct fs_open){.node = n, .flags = flags, .next = n->opens, .id = object_add(&fs->opens, o)};
    if (!o->id) {
        pool_put(&fs->open_pool, o);
        return nullptr;
    }
    n->opens = o;
    fs_node_get(n);
    return o;
}

static void open_destroy(struct fs *fs, struct fs_open *o) {
    struct fs_node *n = o->node;
    struct fs_open **p = &n->opens;
    while (*p != o) p = &(*p)->next;
    *p = o->next;
    object_remove(&fs->opens, o->id);
    if (o->via) fs_via_drop(o->via);
    pool_put(&fs->open_pool, o);
    while (!n->opens && n->locks) /* of processes whose DETACH is yet to come */
        lock_drop(&n->locks, n->locks->owner);
    fs_node_put(n);
}

static int plane_device(struct fs_node *n, struct fs_plane *plane) {
    static const uint8_t memory_devices[] = {
        [3] = PLANE_NULL, [5] = PLANE_ZERO, [7] = PLANE_FULL, [8] = PLANE_RANDOM, [9] = PLANE_RANDOM};
    uint64_t minor = n->rdev ^ 0x100; /* major 1: memory devices */
    if (!node_is(n, MODE_CHAR) || minor >= sizeof(memory_devices) || !memory_devices[minor]) return -ENXIO;
    plane->plane = memory_devices[minor];
    plane->kind = FILE_KIND_SEEKABLE;
    return 0;
}

static int plane_regular(struct fs_call *c, struct fs_open *o, struct fs_plane *plane) {
    struct fs_node *n = o->node;
    bool write = access_wanted(o->flags) & MAY_WRITE;
    plane->kind = FILE_KIND_SEEKABLE | (n->mode & (MODE_SETUID | MODE_SETGID) ? FILE_KIND_SETID : 0);
    if (!c->fs->ops->stream) return 0;
    int result = c->fs->ops->stream(n, write, &plane->handle);
    if (result == 0) plane->plane = PLANE_MEMORY;
    /* Its bytes may change without a word to us from here on: privileges go now. */
    if (result == 0 && write && !fs_privileged(c) && n->mode & (MODE_SETUID | MODE_SETGID)) {
        n->mode &= ~(MODE_SETUID | (n->mode & 0010 ? MODE_SETGID : 0u));
        if (c->fs->ops->changed) c->fs->ops->changed(n);
    }
    return result;
}

static int plane_get(struct fs_call *c, struct fs_open *o, bool again, struct fs_plane *plane) {
    *plane = (struct fs_plane){.plane = PLANE_NONE, .handle = HANDLE_NONE};
    if (o->flags & FILE_PATH) return 0;
    switch (o->node->mode & MODE_TYPE) {
    case MODE_REGULAR: return plane_regular(c, o, plane);
    case MODE_DIRECTORY: plane->kind = FILE_KIND_DIRECTORY | FILE_KIND_SEEKABLE; return 0;
    case MODE_FIFO: plane->kind = FILE_KIND_WATCHABLE; return fs_fifo_open(c, o, again);
    case MODE_SOCKET: return 0;
    default: return plane_device(o->node, plane);
    }
}

static void opened(struct fs_open *o) {
    o->announced = true;
    if (o->node->fs->notify_count) fs_notify_opened(o);
}

int fs_open_continue(struct fs_call *c, struct fs_open *o, struct fs_plane *plane) {
    int result = plane_get(c, o, true, plane);
    if (result == 0) opened(o);
    return result;
}

int fs_open_notify(struct fs_call *c, uint32_t flags, struct fs_open **out) {
    if (c->fs->flags & FS_NO_NOTIFY) return -EOPNOTSUPP;
    struct fs_open *o = open_create(c->fs, &c->fs->notify_node, flags & FILE_NONBLOCK);
    if (!o) return -ENOMEM;
    int result = fs_notify_init(o, c->who->uid);
    if (result) open_destroy(c->fs, o);
    else *out = o;
    return result;
}

/* Opens the node at w, which the caller may open. */
static int node_open(struct fs_call *c, struct fs_walk *w, uint32_t flags, struct fs_open **out,
                     struct fs_plane *plane) {
    struct fs *fs = c->fs;
    struct fs_node *n = w->node;
    struct fs_open *o = open_create(fs, n, flags);
    if (!o) return -ENOMEM;
    if (fs->notify_count && w->dir && !node_is(n, MODE_DIRECTORY)) fs_via_set(o, w->dir, w->name);
    int result = fs->ops->opened && !(flags & FILE_PATH) ? fs->ops->opened(c, o) : 0;
    if (result == 0) result = plane_get(c, o, false, plane);
    if (result == 0 && flags & FILE_TRUNCATE && node_is(n, MODE_REGULAR) && fs->ops->resize) {
        result = fs->ops->resize(n, 0);
        fs_touch(n, TOUCH_MTIME | TOUCH_CTIME);
        fs_notify_open(o, NOTIFY_MODIFY);
    }
    if (result && result != FS_WAIT) {
        fs_close(fs, o);
        return result;
    }
    o->pid = c->pid;
    *out = o;
    if (result == 0 && !(flags & FILE_PATH)) opened(o);
    return result;
}

/* O_TMPFILE: a file without a name in the directory at `path`. */
static int open_temporary(struct fs_call *c, struct fs_walk *w, uint32_t flags, uint32_t mode, struct fs_open **out,
                          struct fs_plane *plane) {
    struct fs_node *n;
    if (!node_is(w->node, MODE_DIRECTORY)) return -ENOTDIR;
    if (!(access_wanted(flags) & MAY_WRITE)) return -EINVAL;
    struct fs_walk nameless = {.dir = w->node};
    int result = fs_create(c, &nameless, MODE_REGULAR | (mode & MODE_BITS), 0, (struct fs_name){}, &n);
    if (result) return result;
    n->links = 0;
    fs_node_get(n); /* an open that fails half-way lets go of it, one that fails before does not */
    result = node_open(c, &(struct fs_walk){.node = n}, flags & ~(uint32_t)FILE_TMPFILE, out, plane);
    fs_node_put(n);
    return result;
}

int fs_open(struct fs_call *c, struct fs_node *start, struct fs_name path, uint32_t flags, uint32_t mode,
            struct fs_open **out, struct fs_plane *plane) {
    struct fs_walk w;
    if (flags & FILE_PATH) flags &= PATH_FLAGS;
    bool create = flags & FILE_CREATE, exclusive = create && flags & FILE_EXCLUSIVE;
    bool temporary = flags & TMPFILE_BIT;
    if (create && flags & FILE_DIRECTORY) return -EINVAL;
    bool follow = !(flags & FILE_NOFOLLOW) && !exclusive;
    int result = fs_walk(c, start, path, (follow ? WALK_FOLLOW : 0) | (create && !temporary ? WALK_CREATE : 0), &w);
    if (result) return result;
    if (temporary) return open_temporary(c, &w, flags, mode, out, plane);
    if (w.node) {
        result = exclusive ? -EEXIST : open_check(c, w.node, flags);
    } else {
        flags &= ~(uint32_t)FILE_TRUNCATE;
        result = fs_create(c, &w, MODE_REGULAR | (mode & MODE_BITS), 0, (struct fs_name){}, &w.node);
    }
    return result ? result : node_open(c, &w, flags, out, plane);
}

/* MODE_SETGID without execution by the group marks something else (mandatory locks). */
int fs_execute(struct fs_call *c, struct fs_open *o, uint32_t *uid, uint32_t *gid) {
    struct fs_node *n = o->node;
    if (!node_is(n, MODE_REGULAR)) return -EACCES;
    for (const struct fs_open *other = n->opens; other; other = other->next)
        if (access_wanted(other->flags) & MAY_WRITE && n->mode & (MODE_SETUID | MODE_SETGID)) return -ETXTBSY;
    *uid = n->mode & MODE_SETUID ? n->uid : SETID_NONE;
    *gid = (n->mode & (MODE_SETGID | 0010)) == (MODE_SETGID | 0010) ? n->gid : SETID_NONE;
    return fs_permit(c, n, MAY_EXECUTE);
}

void fs_close(struct fs *fs, struct fs_open *o) {
    struct fs_node *n = o->node;
    if (n->locks || n->flocks) {
        if (o->pid) /* POSIX: any close of the file by a process drops its locks, also those from others */
            fs_locks_drop(n, o->pid, false);
        fs_locks_drop(n, o->id, false);
        fs_locks_drop(n, o->id, true);
    }
    if (o->in_fifo) fs_fifo_close(o);
    if (o->notify) fs_notify_fini(o);
    else if (fs->ops->closed && !(o->flags & FILE_PATH)) fs->ops->closed(o);
    if (o->announced)
        fs_notify_open(o, access_wanted(o->flags) & MAY_WRITE ? NOTIFY_CLOSE_WRITE : NOTIFY_CLOSE_NOWRITE);
    open_destroy(fs, o);
}

/* --- reading directories: struct linux_dirent64 --------------------------------------------------- */
struct directory_record {
    uint64_t inode;
    int64_t next; /* cookie: where to go on after this entry */
    uint16_t length;
    uint8_t type;
    char name[];
};

/* Appends a record; false if there is no room. */
static bool record_add(char *out, size_t size, size_t *used, const struct fs_entry *e) {
    size_t start = offsetof(struct directory_record, name);
    size_t length = (start + e->name.length + 1 + 7) & ~(size_t)7;
    if (size - *used < length) return false;
    struct directory_record *r = (struct directory_record *)(out + *used);
    memset((char *)r + length - 8, 0, 8);
    r->inode = e->inode;
    r->next = e->cookie;
    r->length = (uint16_t)length;
    r->type = (uint8_t)(e->mode >> 12 & 15);
    memcpy(r->name, e->name.text, e->name.length);
    r->name[e->name.length] = '\0';
    *used += length;
    return true;
}

static int64_t directory_read(struct fs_open *o, void *out, size_t size, int64_t offset, int64_t *next) {
    struct fs_node *dir = o->node;
    size_t used = 0;
    int result = 0;
    if (offset < 0) return -EINVAL;
    if (!dir->links) return -ENOENT;
    struct fs_entry e = {.cookie = 1, .inode = dir->inode, .mode = MODE_DIRECTORY, .name = fs_name(".", 1)};
    bool room = true;
    if (offset < 1 && (room = record_add(out, size, &used, &e))) offset = 1;
    e = (struct fs_entry){.cookie = 2, .inode = dir->parent->inode, .mode = MODE_DIRECTORY, .name = fs_name("..", 2)};
    if (room && offset < 2 && (room = record_add(out, size, &used, &e))) offset = 2;
    while (room && (result = dir->fs->ops->next(dir, offset, &e)) == 0)
        if ((room = record_add(out, size, &used, &e))) offset = e.cookie;
    if (used == 0 && !room) return -EINVAL;
    if (result && result != -ENOENT && !used) return result;
    if (!(o->flags & FILE_NOATIME)) fs_atime_update(dir);
    fs_notify_open(o, NOTIFY_ACCESS);
    *next = offset;
    return (int64_t)used;
}

int64_t fs_read(struct fs_call *c, struct fs_open *o, void *out, size_t size, int64_t offset, uint32_t io_flags,
                int64_t *next) {
    if (o->flags & FILE_PATH || (o->flags & FILE_ACCESS_MASK) == FILE_WRITE_ONLY) return -EBADF;
    if (o->notify) return fs_notify_read(c, o, out, size, io_flags & IO_NONBLOCK);
    switch (o->node->mode & MODE_TYPE) {
    case MODE_DIRECTORY: return io_flags & IO_DIRECTORY ? directory_read(o, out, size, offset, next) : -EISDIR;
    case MODE_FIFO: return fs_fifo_read(c, o, out, size, io_flags & IO_NONBLOCK);
    default: break;
    }
    if (io_flags & IO_DIRECTORY) return -ENOTDIR;
    if (!c->fs->ops->read || offset < 0) return -EINVAL;
    int64_t done = c->fs->ops->read(c, o, out, size, offset);
    if (done >= 0) *next = offset + done;
    if (done > 0) fs_notify_open(o, NOTIFY_ACCESS);
    return done;
}

int64_t fs_write(struct fs_call *c, struct fs_open *o, const void *in, size_t size, int64_t offset, uint32_t io_flags,
                 uint64_t *done, int64_t *next) {
    if (o->flags & FILE_PATH || (o->flags & FILE_ACCESS_MASK) == FILE_READ_ONLY) return -EBADF;
    if (node_is(o->node, MODE_FIFO)) return fs_fifo_write(c, o, in, size, io_flags & IO_NONBLOCK, done);
    if (!c->fs->ops->write) return -EINVAL;
    int64_t written = c->fs->ops->write(c, o, in, size, offset);
    if (written >= 0) *next = offset + written;
    if (written > 0) fs_notify_open(o, NOTIFY_MODIFY);
    return written;
}

uint32_t fs_ready(struct fs_open *o) {
    if (o->notify) return fs_notify_ready(o);
    return node_is(o->node, MODE_FIFO) ? fs_fifo_ready(o) : EVENT_IN | EVENT_OUT;
}
