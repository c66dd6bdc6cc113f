// SPDX-License-Identifier: MIT
/*
 * The class library of file-system servers: everything POSIX says about names, permissions, opens,
 * links, locks and times, over a small interface (struct fs_ops) that stores nodes and entries.
 *
 * The library owns the attributes in struct fs_node (also links and times) and tells ops->changed;
 * the file system owns directory entries and data.  One thread.  A node from ops->lookup is borrowed
 * for the operation at hand; one with refs ≠ 0 stays.  Times are CLOCK_REALTIME nanoseconds.
 */
#pragma once
#include <fs_lock.h>
#include <object_map.h>
#include <pool.h>
#include <scheme.h>

#define FS_NAME_MAX 255
#define FS_PATH_MAX 4096 /* with NUL */
#define FS_LINK_MAX 65000
#define FS_SYMLINKS_MAX 40

/* Results beside ≥ 0 and -errno. */
#define FS_REDIRECT (-5000) /* the walk goes on at fs->path, absolute */
#define FS_UP (-5001)       /* `..` left this file system's root; what is left of the path: fs->path */
#define FS_WAIT (-5002)     /* nothing done: wait on call->wait, then the same again */

enum { /* st_mode */
       MODE_TYPE = 0170000,
       MODE_FIFO = 0010000,
       MODE_CHAR = 0020000,
       MODE_DIRECTORY = 0040000,
       MODE_BLOCK = 0060000,
       MODE_REGULAR = 0100000,
       MODE_SYMLINK = 0120000,
       MODE_SOCKET = 0140000,
       MODE_SETUID = 04000,
       MODE_SETGID = 02000,
       MODE_STICKY = 01000,
       MODE_BITS = 07777,
};
enum { MAY_EXECUTE = 1, MAY_WRITE = 2, MAY_READ = 4 }; /* X_OK W_OK R_OK */

struct fs_open;
struct fs_xattr;
struct fs_fifo;
struct fs_notify;
struct fs_notify_watch;

struct fs_node {
    struct fs *fs;
    uint64_t inode, rdev;
    uint32_t mode, uid, gid, links;
    int64_t size, blocks; /* blocks of 512 bytes */
    int64_t atime, mtime, ctime;
    uint32_t refs; /* opens and, of a directory, its subdirectories */
    struct fs_node *parent; /* directories: with a reference; the root: itself, without */
    char *mount; /* absolute path that takes this node's place, or null */
    struct fs_open *opens;
    struct fs_lock *locks, *flocks;
    struct scheme_queue lock_queue;
    struct fs_fifo *fifo; /* while open */
    struct fs_xattr *xattrs;
    struct fs_notify_watch *watches; /* each with a reference */
};

struct fs_open { /* one open file: what the object ids of calls name */
    struct fs_node *node;
    struct fs_open *next; /* node->opens */
    uint64_t id;
    uint32_t flags; /* FILE_* */
    uint32_t pid;   /* who opened it */
    struct scheme_watch watch;
    void *data; /* the file system's own */
    uint64_t peers_seen; /* FIFO: how many peers had opened it before */
    bool in_fifo; /* FIFO: counted as reader or writer */
    bool announced; /* watches were told that it was opened */
    struct fs_notify *notify; /* an inotify descriptor */
    struct fs_via *via; /* or null: opened while there was no inotify descriptor */
};

struct fs_call { /* who asks */
    struct fs *fs;
    const struct credentials *who;
    uint32_t pid, tag;
    struct fs_node *root; /* the process's root directory if it is ours, else null */
    struct scheme_queue *wait; /* out, with FS_WAIT */
};

struct fs_name { /* a name, or a path */
    const char *text;
    uint32_t length;
    uint32_t hash; /* of a name, from a walk; else 0: fs_name_hash() knows it anyhow */
};

struct fs_via { /* the name by which a file was opened */
    struct fs_node *dir; /* with a reference */
    struct fs_name name;
    char text[];
};

static inline struct fs_name fs_name(const char *text, size_t length) {
    return (struct fs_name){.text = text, .length = (uint32_t)length};
}

/* FNV-1a, never 0. */
#define FS_HASH_START 0xcbf29ce484222325ULL
static inline uint64_t fs_hash_byte(uint64_t hash, char byte) { return (hash ^ (uint8_t)byte) * 0x100000001b3ULL; }
static inline uint32_t fs_hash_end(uint64_t hash) { return (uint32_t)(hash ^ hash >> 32) | 1; }
uint32_t fs_name_hash_slow(struct fs_name n);
static inline uint32_t fs_name_hash(struct fs_name n) { return n.hash ? n.hash : fs_name_hash_slow(n); }

struct fs_new { /* what to create */
    uint32_t mode, uid, gid;
    uint64_t rdev;
    struct fs_name target; /* symbolic link */
};

struct fs_entry {
    int64_t cookie; /* > 2, rising; stays the entry's own while it exists */
    uint64_t inode;
    uint32_t mode; /* its type */
    struct fs_name name;
};

enum fs_xattr_op { XATTR_GET, XATTR_SET, XATTR_LIST, XATTR_REMOVE };

/* Null is allowed where it says so. dir is a directory, names have 1 … 255 bytes without '/'. */
struct fs_ops {
    /* -ENOENT. The walk has set name.hash. */
    int (*lookup)(struct fs_call *c, struct fs_node *dir, struct fs_name name, struct fs_node **out);
    /* First entry with a cookie > the given one; -ENOENT: none. Name valid until the next change. */
    int (*next)(struct fs_node *dir, int64_t cookie, struct fs_entry *out);
    /* The name of a directory in its parent. */
    int (*name)(struct fs_node *dir, struct fs_name *out);
    int (*readlink)(struct fs_call *c, struct fs_node *n, char *out, size_t size); /* length */

    /* Changes. All null: read-only (EROFS). A new node has the attributes of `what`; without a
     * name it is in no directory (O_TMPFILE). */
    int (*create)(struct fs_node *dir, struct fs_name name, const struct fs_new *what, struct fs_node **out);
    int (*insert)(struct fs_node *dir, struct fs_name name, struct fs_node *n);
    int (*remove)(struct fs_node *dir, struct fs_name name, struct fs_node *n);
    /* Entry from → to; the entry `victim` at `to` goes, or with exchange comes to `from`. */
    int (*move)(struct fs_node *from, struct fs_name from_name, struct fs_node *n, struct fs_node *to,
                struct fs_name to_name, struct fs_node *victim, bool exchange);
    int (*resize)(struct fs_node *n, int64_t size);
    /* Room for [offset, offset + length), the size stays; null: EOPNOTSUPP. */
    int (*allocate)(struct fs_node *n, int64_t offset, int64_t length);
    void (*changed)(struct fs_node *n); /* attributes; null: nothing to do */
    /* An open file was asked for its attributes, which are these: they may be left with its stream (MEMORY_ATTRIBUTES)
     * until they change. Null: nothing to do. */
    void (*asked)(struct fs_node *n, const struct file_attributes *a);

    /* Data of regular files: the stream (a handle that stays the file system's), or calls. */
    int (*stream)(struct fs_node *n, bool write, handle_t *out);
    void (*refresh)(struct fs_node *n); /* size, blocks and times from the stream; may be null */
    void (*times_set)(struct fs_node *n); /* times in n are newer than the stream's; may be null */
    int64_t (*read)(struct fs_call *c, struct fs_open *o, void *out, size_t size, int64_t offset);
    int64_t (*write)(struct fs_call *c, struct fs_open *o, const void *in, size_t size, int64_t offset);
    int (*opened)(struct fs_call *c, struct fs_open *o); /* may be null */
    void (*closed)(struct fs_open *o); /* may be null */
    int (*sync)(struct fs_node *n, bool data_only); /* may be null */
    /* Extended attributes, by their full names: as fs_xattr(), permissions and name checked. LIST gives all names, and
     * the library leaves out those that aren't the caller's. Null: kept in memory with the node. */
    int64_t (*xattr)(struct fs_node *n, enum fs_xattr_op op, uint32_t flags, const char *name, const void *value,
                     size_t size, void *out, size_t room);
    void (*statfs)(struct fs *fs, struct filesystem_info *out);
    void (*release)(struct fs_node *n); /* refs became 0 */
    void (*between)(struct fs *fs); /* before each operation: nothing is borrowed; may be null */
};

enum fs_flags {
    FS_READ_ONLY = 1,
    FS_NO_XATTR = 2,
    FS_FIXED_ATTRIBUTES = 4, /* owners, modes and times are not the users' */
    FS_NO_NOTIFY = 8, /* changes by itself: no watches */
    FS_FIXED_OWNERS = 16, /* there is no place for others */
    FS_CASELESS = 32, /* lookup finds names in other letters: a rename to these is one */
};

struct fs {
    const struct fs_ops *ops;
    struct fs_node *root; /* its parent is itself */
    int64_t (*now)(void);
    uint32_t flags; /* enum fs_flags */
    uint64_t device; /* st_dev */
    char *above; /* mounted: absolute path of the directory above the mount point; else null */
    char *mount_point; /* mounted: its absolute path, else null */
    struct object_map opens; /* struct fs_open */
    struct pool open_pool;
    struct fs_lock_wait *lock_waits;
    struct fs_node notify_node; /* what inotify descriptors are open files of; stays */
    uint32_t notify_count, notify_cookie; /* inotify descriptors; of the last rename */
    struct scheme scheme;
    char path[FS_PATH_MAX]; /* see FS_REDIRECT, FS_UP */
    size_t path_length;
    char expand[2][FS_PATH_MAX]; /* symbolic links during a walk */
};

/* Sets what is common; the caller sets root. mount_point: null, or absolute path. 0 or -ENOMEM. */
[[nodiscard]] int fs_init(struct fs *fs, const struct fs_ops *ops, const char *mount_point);
/* Attaches to the scheme and serves; returns -errno when the port is gone. */
int fs_serve(struct fs *fs, handle_t scheme);

/* --- for file systems --------------------------------------------------------------------------- */
void fs_node_init(struct fs *fs, struct fs_node *n, const struct fs_new *what);
static inline void fs_node_get(struct fs_node *n) { n->refs++; }
/* The library's own, which ops don't know. */
static inline bool fs_is_notify(const struct fs_node *n) { return n == &n->fs->notify_node; }
static inline void fs_refresh(struct fs_node *n) {
    if (n->fs->ops->refresh && !fs_is_notify(n)) n->fs->ops->refresh(n);
}
void fs_node_put(struct fs_node *n); /* ops->release at the last */
void fs_node_fini(struct fs_node *n); /* frees what the library hung on it */
void fs_parent_set(struct fs_node *dir, struct fs_node *parent); /* moves the reference */
void fs_notify_modified(struct fs_node *n); /* its bytes turn out to have changed */
static inline bool node_is(const struct fs_node *n, uint32_t type) { return (n->mode & MODE_TYPE) == type; }
static inline uint32_t fs_load4(const char *p) {
    uint32_t word;
    __builtin_memcpy(&word, p, sizeof(word));
    return word;
}
static inline uint64_t fs_load8(const char *p) {
    uint64_t word;
    __builtin_memcpy(&word, p, sizeof(word));
    return word;
}
/* Names are short: compared by words, the last of which may overlap the one before. */
static inline bool name_is(struct fs_name n, const char *text, size_t length) {
    if (n.length != length) return false;
    if (length < 4) {
        for (size_t i = 0; i < length; i++)
            if (n.text[i] != text[i]) return false;
        return true;
    }
    if (length < 8)
        return fs_load4(n.text) == fs_load4(text) && fs_load4(n.text + length - 4) == fs_load4(text + length - 4);
    for (size_t i = 0; i < length - 8; i += 8)
        if (fs_load8(n.text + i) != fs_load8(text + i)) return false;
    return fs_load8(n.text + length - 8) == fs_load8(text + length - 8);
}

/* --- operations (names as enum scheme_op) -------------------------------------------------------- */
struct fs_plane { /* answer of fs_open */
    uint32_t plane, kind;
    handle_t handle; /* or HANDLE_NONE; stays the server's */
};
/* FS_WAIT: the open exists (*out) and fs_open_continue() goes on or fs_close() gives up. */
int fs_open(struct fs_call *c, struct fs_node *start, struct fs_name path, uint32_t flags, uint32_t mode,
            struct fs_open **out, struct fs_plane *plane);
int fs_open_continue(struct fs_call *c, struct fs_open *o, struct fs_plane *plane);
/* The ids that executing it gives, or SETID_NONE. -EACCES; -ETXTBSY: set-id, and somebody may be writing to it. */
int fs_execute(struct fs_call *c, struct fs_open *o, uint32_t *uid, uint32_t *gid);
void fs_close(struct fs *fs, struct fs_open *o);
/* Bytes; *next is the new offset. FS_WAIT. `done`: bytes of this request already written. */
int64_t fs_read(struct fs_call *c, struct fs_open *o, void *out, size_t size, int64_t offset, uint32_t io_flags,
                int64_t *next);
int64_t fs_write(struct fs_call *c, struct fs_open *o, const void *in, size_t size, int64_t offset, uint32_t io_flags,
                 uint64_t *done, int64_t *next);
int fs_stat(struct fs_call *c, struct fs_node *start, struct fs_name path, uint32_t flags, struct file_attributes *out);
int fs_set_attributes(struct fs_call *c, struct fs_node *start, struct fs_open *o, struct fs_name path, uint32_t flags,
                      uint32_t set, const struct file_attributes *a);
int fs_access(struct fs_call *c, struct fs_node *start, struct fs_name path, uint32_t flags, uint32_t want);
int fs_make_node(struct fs_call *c, struct fs_node *start, struct fs_name path, uint32_t mode, uint64_t rdev);
int fs_symlink(struct fs_call *c, struct fs_node *start, struct fs_name path, struct fs_name target);
int fs_readlink(struct fs_call *c, struct fs_node *start, struct fs_name path, char *out, size_t size);
int fs_remove(struct fs_call *c, struct fs_node *start, struct fs_name path, bool directory);
int fs_link(struct fs_call *c, struct fs_node *start, struct fs_name path, uint32_t flags, struct fs_node *new_start,
            struct fs_name new_path);
enum fs_rename_flags { RENAME_KEEP = 1, RENAME_SWAP = 2 }; /* RENAME_NOREPLACE, RENAME_EXCHANGE */
int fs_rename(struct fs_call *c, struct fs_node *start, struct fs_name path, struct fs_node *new_start,
              struct fs_name new_path, uint32_t flags);
int fs_mount(struct fs_call *c, struct fs_node *start, struct fs_name path, struct fs_name target);
int fs_unmount(struct fs_call *c, struct fs_node *start, struct fs_name path);
/* The absolute path of a directory, from the process's root on if that is above it: length. */
int fs_path(struct fs_call *c, struct fs_node *dir, char *out, size_t size);
/* Bytes (the size if `room` is 0), or -errno. The value goes to out, which may overlap it. */
int64_t fs_xattr(struct fs_call *c, struct fs_node *n, enum fs_xattr_op op, uint32_t flags, const char *name,
                 const void *value, size_t size, void *out, size_t room);
uint32_t fs_ready(struct fs_open *o); /* EVENT_* */
/* inotify: a descriptor; a watch's number (mask: IN_*); the end of one. */
int fs_open_notify(struct fs_call *c, uint32_t flags, struct fs_open **out);
int64_t fs_notify_add(struct fs_call *c, struct fs_open *o, struct fs_node *start, struct fs_name path, uint32_t mask);
int fs_notify_remove(struct fs_open *o, int32_t id);

/* --- inside the library -------------------------------------------------------------------------- */
enum walk_flags {
    WALK_FOLLOW = 1, /* a final symbolic link is followed */
    WALK_PARENT = 2, /* for changing the entry: final links and mounts are meant themselves */
    WALK_MISSING = 4, /* the final name may be missing: node is null */
    WALK_CREATE = 8, /* O_CREAT: MISSING, and no slash may follow the final name */
};
enum walk_last { LAST_NOTHING, LAST_DOT, LAST_DOTDOT, LAST_NAME };
struct fs_walk {
    struct fs_node *dir,
        *node; /* dir with LAST_NAME; also, while fs->notify_count, of another walk that ended at a name */
    struct fs_name name; /* in the path or in fs->expand: until the next walk */
    enum walk_last last;
    bool slash; /* a slash follows the name */
};
int fs_walk(struct fs_call *c, struct fs_node *start, struct fs_name path, uint32_t flags, struct fs_walk *out);
bool fs_owner(const struct fs_call *c, const struct fs_node *n); /* or privileged */
bool fs_in_group(const struct credentials *who, uint32_t gid);
static inline bool fs_privileged(const struct fs_call *c) { return c->who->privileges & PRIVILEGE_ROOT; }
int fs_permit_slow(const struct fs_call *c, const struct fs_node *n, uint32_t want);
/* 0, -EACCES, -EROFS */
static inline int fs_permit(const struct fs_call *c, const struct fs_node *n, uint32_t want) {
    if (node_is(n, MODE_DIRECTORY) && want == MAY_EXECUTE && fs_privileged(c)) return 0;
    return fs_permit_slow(c, n, want);
}
enum { TOUCH_ATIME = 1, TOUCH_MTIME = 2, TOUCH_CTIME = 4 };
void fs_touch(struct fs_node *n, uint32_t which);
void fs_atime_update(struct fs_node *n); /* relatime */
/* Creates path's last name in w->dir; checks permission. */
int fs_create(struct fs_call *c, const struct fs_walk *w, uint32_t mode, uint64_t rdev, struct fs_name target,
              struct fs_node **out);
void fs_locks_drop(struct fs_node *n, uint64_t owner, bool flock); /* wakes waiters */
int fs_lock(struct fs_call *c, struct fs_open *o, uint32_t command, bool flock, struct fs_flock *range);
void fs_lock_cancel(struct fs *fs, uint32_t tag);
int fs_fifo_open(struct fs_call *c, struct fs_open *o, bool again);
void fs_fifo_close(struct fs_open *o);
int64_t fs_fifo_read(struct fs_call *c, struct fs_open *o, void *out, size_t size, bool nonblock);
int64_t fs_fifo_write(struct fs_call *c, struct fs_open *o, const void *in, size_t size, bool nonblock, uint64_t *done);
uint32_t fs_fifo_ready(struct fs_open *o);
int32_t fs_fifo_bytes(struct fs_open *o);
void fs_xattrs_free(struct fs_node *n);

enum notify_mask { /* IN_* */
                   NOTIFY_ACCESS = 1,
                   NOTIFY_MODIFY = 2,
                   NOTIFY_ATTRIBUTES = 4,
                   NOTIFY_CLOSE_WRITE = 8,
                   NOTIFY_CLOSE_NOWRITE = 0x10,
                   NOTIFY_OPEN = 0x20,
                   NOTIFY_MOVED_FROM = 0x40,
                   NOTIFY_MOVED_TO = 0x80,
                   NOTIFY_CREATE = 0x100,
                   NOTIFY_DELETE = 0x200,
                   NOTIFY_DELETE_SELF = 0x400,
                   NOTIFY_MOVE_SELF = 0x800,
                   NOTIFY_ALL = 0xfff,
};
/* Something happened to n, which is `name` in dir (null: not known, or a directory). */
void fs_notify_slow(struct fs_node *n, struct fs_node *dir, struct fs_name name, uint32_t mask);
static inline void fs_notify(struct fs_node *n, struct fs_node *dir, struct fs_name name, uint32_t mask) {
    if (n->fs->notify_count) fs_notify_slow(n, dir, name, mask);
}
void fs_notify_self(struct fs_node *n, uint32_t mask); /* its own watches only */
void fs_notify_open(struct fs_open *o, uint32_t mask); /* to the node of an open file */
/* The entry for n in dir came or went. */
void fs_notify_entry(struct fs_node *dir, struct fs_name name, const struct fs_node *n, uint32_t mask, uint32_t cookie);
void fs_notify_opened(struct fs_open *o);
void fs_notify_look(struct scheme *s); /* for changes that nobody told us about */
void fs_notify_gone(struct fs_node *n); /* a reference or a name went: perhaps the last */
int fs_notify_init(struct fs_open *o, uint32_t uid);
void fs_notify_fini(struct fs_open *o);
int64_t fs_notify_read(struct fs_call *c, struct fs_open *o, void *out, size_t size, bool nonblock);
uint32_t fs_notify_ready(const struct fs_open *o);
int32_t fs_notify_bytes(const struct fs_open *o);
void fs_via_set(struct fs_open *o, struct fs_node *dir, struct fs_name name);
void fs_via_drop(struct fs_via *v);
/* n was renamed: what its opens remember follows. */
void fs_via_move(struct fs_node *n, struct fs_node *from, struct fs_name old, struct fs_node *to, struct fs_name new);
extern const struct scheme_ops fs_scheme_ops;
