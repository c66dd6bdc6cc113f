// SPDX-License-Identifier: MIT
/*
 * From requests to fs_* and back: the scheme protocol of every file-system server.  Object ids are
 * ids of open files; 0 is the root directory.  All input is the client's and checked here.
 */
#include <fs.h>
#include <string.h>

#define FIONREAD 0x541B

static struct fs *fs_of(struct scheme *s) { return s->server; }

/* Fills *c for the request at hand. 0 or -errno. */
static inline int call_begin(struct scheme *s, struct port_buffer *b, struct fs_call *c) {
    const struct request *r = &b->request;
    struct fs *fs = fs_of(s);
    if (fs->ops->between) fs->ops->between(fs);
    *c = (struct fs_call){.fs = fs, .who = scheme_credentials(s, r->credentials), .pid = r->pid, .tag = r->tag};
    return c->who ? 0 : -EACCES;
}

static struct fs_node *node_of(struct fs *fs, uint64_t object) {
    struct fs_open *o = object_get(&fs->opens, object);
    return o ? o->node : object ? nullptr : fs->root;
}

/* A path op: where its walk starts. */
static inline int path_begin(struct scheme *s, struct port_buffer *b, struct fs_call *c, struct fs_node **start) {
    const struct request *r = &b->request;
    int result = call_begin(s, b, c);
    if (r->flags & REQUEST_ROOT_IS_OURS) c->root = node_of(c->fs, r->args[2]);
    *start = r->object == r->args[2] && c->root ? c->root : node_of(c->fs, r->object);
    return result ? result : *start ? 0 : -EBADF;
}

/* The text from `from` to the end of the data, or to `end`. False if it holds a NUL. */
static bool data_text(struct port_buffer *b, size_t from, size_t end, struct fs_name *out) {
    *out = fs_name((char *)b->data + from, end - from);
    return from <= end && end <= b->request.length && !memchr(out->text, 0, out->length);
}

/* All of the data; the walk finds a NUL. */
static struct fs_name data_path(struct port_buffer *b) { return fs_name((char *)b->data, b->request.length); }

/* Two texts with a NUL between; the first has args[1] bytes. */
static bool data_pair(struct port_buffer *b, struct fs_name *first, struct fs_name *second) {
    uint64_t length = b->request.args[1];
    return length < b->request.length && b->data[length] == 0 && data_text(b, 0, length, first) &&
           data_text(b, length + 1, b->request.length, second);
}

/* What a handler returns for a result of fs_*. */
static int64_t answer(struct scheme *s, struct port_buffer *b, struct fs_call *c, int64_t result) {
    if (result > FS_REDIRECT) return result;
    if (result == FS_WAIT) return scheme_park(s, b, c->wait);
    b->reply.flags = result == FS_UP ? REPLY_UP : REPLY_REDIRECT;
    b->reply.length = (uint32_t)c->fs->path_length;
    memcpy(b->data, c->fs->path, c->fs->path_length);
    return 0;
}

/* --- paths --------------------------------------------------------------------------------------- */
static int64_t serve_open(struct scheme *s, struct port_buffer *b) {
    struct request *r = &b->request;
    struct fs_call c;
    struct fs_node *start;
    struct fs_open *o = nullptr;
    struct fs_plane plane;
    bool again = scheme_again(s); /* a named pipe that waited for its other side */
    int result = again ? call_begin(s, b, &c) : path_begin(s, b, &c, &start);
    if (again) {
        o = object_get(&c.fs->opens, r->args[0]);
        if (!result) result = fs_open_continue(&c, o, &plane);
    } else if (result) {
        return result;
    } else if (r->args[1] & OPEN_NOTIFY) {
        plane = (struct fs_plane){.plane = PLANE_NONE, .kind = FILE_KIND_WATCHABLE, .handle = HANDLE_NONE};
        result = fs_open_notify(&c, (uint32_t)r->args[0], &o);
    } else {
        result = fs_open(&c, start, data_path(b), (uint32_t)r->args[0], (uint32_t)r->args[1], &o, &plane);
    }
    if (result == FS_WAIT) {
        r->args[0] = o->id;
        int64_t parked = scheme_park(s, b, c.wait);
        if (parked != PARK) fs_close(c.fs, o);
        return parked;
    }
    if (again && result) fs_close(c.fs, o);
    if (result) return answer(s, b, &c, result);
    /* Closing any descriptor of a locked file ends the process's record locks (POSIX fcntl). */
    bool for_child = r->args[1] & OPEN_FOR_CHILD;
    if (for_child) o->pid = 0;
    b->reply.flags = o->node->locks && !for_child ? REPLY_FILE | REPLY_WATCH_DETACH : REPLY_FILE;
    /* Nobody waits for the close of a file without locks; it comes before any other request. */
    if (!o->node->locks && !o->node->flocks && !node_is(o->node, MODE_FIFO)) b->reply.flags |= REPLY_CLOSE_LATE;
    b->reply.args[0] = o->id;
    b->reply.args[2] = plane.plane;
    b->reply.args[3] = plane.kind;
    if (plane.handle >= 0) {
        b->reply.flags |= REPLY_HANDLE;
        b->reply.handle = plane.handle;
    }
    return 0;
}

static int64_t serve_stat(struct scheme *s, struct port_buffer *b) {
    struct fs_call c;
    struct fs_node *start;
    int result = path_begin(s, b, &c, &start);
    if (result) return result;
    /* The path may be overwritten once it has been walked. */
    result = fs_stat(&c, start, data_path(b), (uint32_t)b->request.args[0], (struct file_attributes *)b->data);
    if (result) return answer(s, b, &c, result);
    if (!b->request.length && c.fs->ops->asked) c.fs->ops->asked(start, (struct file_attributes *)b->data);
    b->reply.length = sizeof(struct file_attributes);
    return 0;
}

static int64_t serve_set_attributes(struct scheme *s, struct port_buffer *b) {
    const struct request *r = &b->request;
    struct fs_call c;
    struct fs_node *start;
    struct fs_name path;
    struct file_attributes attributes;
    int result = path_begin(s, b, &c, &start);
    if (result) return result;
    if (!data_text(b, sizeof(attributes), r->length, &path)) return -EINVAL;
    memcpy(&attributes, b->data, sizeof(attributes));
    return answer(s, b, &c,
                  fs_set_attributes(&c, start, object_get(&c.fs->opens, r->object), path, (uint32_t)r->args[0],
                                    (uint32_t)r->args[1], &attributes));
}

static int64_t serve_make_node(struct scheme *s, struct port_buffer *b) {
    struct fs_call c;
    struct fs_node *start;
    int result = path_begin(s, b, &c, &start);
    if (result == 0) result = fs_make_node(&c, start, data_path(b), (uint32_t)b->request.args[1], b->request.args[3]);
    return answer(s, b, &c, result);
}

static int64_t serve_remove(struct scheme *s, struct port_buffer *b) {
    struct fs_call c;
    struct fs_node *start;
    int result = path_begin(s, b, &c, &start);
    if (result == 0) result = fs_remove(&c, start, data_path(b), b->request.args[1]);
    return answer(s, b, &c, result);
}

/* LINK and RENAME: where the new path starts is the carried directory, which must be ours. */
static int64_t serve_two_paths(struct scheme *s, struct port_buffer *b) {
    const struct request *r = &b->request;
    struct fs_call c;
    struct fs_node *start, *new_start;
    struct fs_name path, new_path;
    int result = path_begin(s, b, &c, &start);
    if (result) return result;
    if (!data_pair(b, &path, &new_path)) return -EINVAL;
    if (!(r->flags & REQUEST_OWN_FILE) && r->flags & REQUEST_HANDLE) return -EXDEV;
    new_start = r->flags & REQUEST_OWN_FILE ? node_of(c.fs, r->args[3]) : start;
    if (!new_start) return -EBADF;
    uint32_t flags = (uint32_t)r->args[0];
    if (r->op == OP_LINK) result = fs_link(&c, start, path, flags, new_start, new_path);
    else result = fs_rename(&c, start, path, new_start, new_path, flags);
    /* One answer can't say how two walks go on: the client walks to the parents itself. */
    c.fs->path_length = 0;
    return answer(s, b, &c, result);
}

static int64_t serve_symlink(struct scheme *s, struct port_buffer *b) {
    struct fs_call c;
    struct fs_node *start;
    struct fs_name path, target;
    int result = path_begin(s, b, &c, &start);
    if (result == 0) result = data_pair(b, &path, &target) ? fs_symlink(&c, start, path, target) : -EINVAL;
    return answer(s, b, &c, result);
}

static int64_t serve_readlink(struct scheme *s, struct port_buffer *b) {
    struct fs_call c;
    struct fs_node *start;
    char target[FS_PATH_MAX];
    int result = path_begin(s, b, &c, &start);
    if (result == 0) result = fs_readlink(&c, start, data_path(b), target, sizeof(target));
    if (result < 0) return answer(s, b, &c, result);
    memcpy(b->data, target, (size_t)result);
    b->reply.length = (uint32_t)result;
    return result;
}

static int64_t serve_access(struct scheme *s, struct port_buffer *b) {
    const struct request *r = &b->request;
    struct fs_call c;
    struct fs_node *start;
    int result = path_begin(s, b, &c, &start);
    if (result == 0) result = fs_access(&c, start, data_path(b), (uint32_t)r->args[0], (uint32_t)r->args[1]);
    return answer(s, b, &c, result);
}

static int64_t serve_xattr(struct scheme *s, struct port_buffer *b) {
    const struct request *r = &b->request;
    struct fs_call c;
    struct fs_node *start;
    struct fs_walk w;
    int result = path_begin(s, b, &c, &start);
    if (result) return result;
    char *path = (char *)b->data, *end = path + r->length;
    char *name = memchr(path, 0, r->length);
    char *value = name ? memchr(name + 1, 0, (size_t)(end - name - 1)) : nullptr;
    if (!value) return -EINVAL;
    bool nofollow = r->args[0] & FILE_NOFOLLOW;
    result = fs_walk(&c, start, fs_name(path, (size_t)(name - path)), nofollow ? 0 : WALK_FOLLOW, &w);
    if (result) return answer(s, b, &c, result);
    size_t room = r->args[3] < CALL_DATA_MAX ? r->args[3] : CALL_DATA_MAX;
    char copy[FS_NAME_MAX + 2]; /* the name lies where the answer goes */
    size_t length = (size_t)(value - name - 1);
    if (length >= sizeof(copy)) return -ERANGE;
    memcpy(copy, name + 1, length + 1);
    int64_t size = fs_xattr(&c, w.node, (enum fs_xattr_op)r->args[1], (uint32_t)r->args[0] & ~(uint32_t)FILE_NOFOLLOW,
                            copy, value + 1, (size_t)(end - value - 1), b->data, room);
    if (size > 0 && room) b->reply.length = (uint32_t)size;
    if (size < 0 || r->args[1] == XATTR_GET || r->args[1] == XATTR_LIST) return size;
    struct fs_open *o = name == path ? object_get(&c.fs->opens, r->object) : nullptr;
    if (o) fs_notify_open(o, NOTIFY_ATTRIBUTES);
    else fs_notify(w.node, w.dir, w.name, NOTIFY_ATTRIBUTES);
    return size;
}

/* The carried file is the inotify descriptor. Without one: the end of a watch of the called file. */
static int64_t serve_notify(struct scheme *s, struct port_buffer *b) {
    const struct request *r = &b->request;
    struct fs_call c;
    struct fs_node *start;
    int result = path_begin(s, b, &c, &start);
    if (result) return result;
    if (r->flags & REQUEST_HANDLE && !(r->flags & REQUEST_OWN_FILE)) return -EXDEV;
    bool add = r->flags & REQUEST_OWN_FILE;
    struct fs_open *o = object_get(&c.fs->opens, add ? r->args[3] : r->object);
    if (!o || !o->notify) return -EINVAL;
    if (!add) return fs_notify_remove(o, (int32_t)r->args[1]);
    return answer(s, b, &c, fs_notify_add(&c, o, start, data_path(b), (uint32_t)r->args[1]));
}

static int64_t serve_mount(struct scheme *s, struct port_buffer *b) {
    struct fs_call c;
    struct fs_node *start;
    struct fs_name path, target;
    int result = path_begin(s, b, &c, &start);
    if (result) return result;
    char *text = (char *)b->data, *end = memchr(text, 0, b->request.length);
    size_t length = end ? (size_t)(end - text) : 0;
    /* With a target, args[1] is the path's length, which may be 1 as well. */
    if (b->request.args[1] == 1 && !end) result = fs_unmount(&c, start, data_path(b));
    else if (!end || !data_text(b, 0, length, &path) || !data_text(b, length + 1, b->request.length, &target))
        result = -EINVAL;
    else result = fs_mount(&c, start, path, target);
    return answer(s, b, &c, result);
}

static int64_t serve_path(struct scheme *s, struct port_buffer *b) {
    struct fs_call c;
    struct fs_node *start;
    int result = path_begin(s, b, &c, &start);
    if (result == 0) result = fs_path(&c, start, (char *)b->data, FS_PATH_MAX);
    if (result > 0) b->reply.length = (uint32_t)result;
    return result;
}

/* --- open files ---------------------------------------------------------------------------------- */
static int file_begin(struct scheme *s, struct port_buffer *b, struct fs_call *c, struct fs_open **out) {
    int result = call_begin(s, b, c);
    *out = object_get(&c->fs->opens, b->request.object);
    return result ? result : *out ? 0 : -EBADF;
}

static int64_t serve_read(struct scheme *s, struct port_buffer *b) {
    const struct request *r = &b->request;
    struct fs_call c;
    struct fs_open *o;
    int64_t next = (int64_t)r->args[0];
    int64_t result = file_begin(s, b, &c, &o);
    if (result) return result;
    size_t size = r->args[1] < CALL_DATA_MAX ? r->args[1] : CALL_DATA_MAX;
    result = fs_read(&c, o, b->data, size, next, (uint32_t)r->args[2], &next);
    if (result > 0) b->reply.length = (uint32_t)result;
    b->reply.args[0] = (uint64_t)next;
    return answer(s, b, &c, result);
}

static int64_t serve_write(struct scheme *s, struct port_buffer *b) {
    struct request *r = &b->request;
    struct fs_call c;
    struct fs_open *o;
    int64_t next = (int64_t)r->args[0];
    int64_t result = file_begin(s, b, &c, &o);
    if (result) return result;
    if (!scheme_again(s)) r->args[1] = 0; /* bytes already written */
    result = fs_write(&c, o, b->data, r->length, next, (uint32_t)r->args[2], &r->args[1], &next);
    b->reply.args[0] = (uint64_t)next;
    return answer(s, b, &c, result);
}

static int64_t serve_execute(struct scheme *s, struct port_buffer *b) {
    struct fs_call c;
    struct fs_open *o;
    uint32_t uid, gid;
    int result = file_begin(s, b, &c, &o);
    if (result == 0) result = fs_execute(&c, o, &uid, &gid);
    if (result) return result;
    b->reply.args[0] = uid;
    b->reply.args[1] = gid;
    return 0;
}

static int64_t serve_sync(struct scheme *s, struct port_buffer *b) {
    struct fs_call c;
    struct fs_open *o;
    int result = file_begin(s, b, &c, &o);
    if (result == 0 && o->notify) result = -EINVAL;
    if (result == 0 && c.fs->ops->sync) result = c.fs->ops->sync(o->node, b->request.args[0]);
    return result;
}

static int64_t serve_control(struct scheme *s, struct port_buffer *b) {
    struct fs_call c;
    struct fs_open *o;
    int result = file_begin(s, b, &c, &o);
    if (result) return result;
    if (b->request.args[0] != FIONREAD || !(node_is(o->node, MODE_FIFO) || o->notify)) return -ENOTTY;
    int32_t bytes = o->notify ? fs_notify_bytes(o) : fs_fifo_bytes(o);
    memcpy(b->data, &bytes, sizeof(bytes));
    b->reply.length = sizeof(bytes);
    return 0;
}

static int64_t serve_lock(struct scheme *s, struct port_buffer *b) {
    const struct request *r = &b->request;
    struct fs_call c;
    struct fs_open *o;
    struct fs_flock range;
    int result = file_begin(s, b, &c, &o);
    if (result) return result;
    if (r->length < sizeof(range)) return -EINVAL;
    memcpy(&range, b->data, sizeof(range));
    result = fs_lock(&c, o, (uint32_t)r->args[0], r->args[1], &range);
    if (result == 0) {
        b->reply.flags = REPLY_WATCH_DETACH;
        b->reply.length = sizeof(range);
        memcpy(b->data, &range, sizeof(range));
        return 0;
    }
    int64_t answered = answer(s, b, &c, result);
    if (result == FS_WAIT && answered != PARK) fs_lock_cancel(c.fs, c.tag);
    return answered;
}

static int64_t serve_watch(struct scheme *s, struct port_buffer *b) {
    struct fs_open *o = object_get(&fs_of(s)->opens, b->request.object);
    if (!o || o->flags & FILE_PATH) return -EBADF;
    return watch_arm(&o->watch, (uint32_t)b->request.args[0], fs_ready(o));
}

static int64_t serve_allocate(struct scheme *s, struct port_buffer *b) {
    enum { KEEP_SIZE = 1 };
    const struct request *r = &b->request;
    struct fs_call c;
    struct fs_open *o;
    int64_t end;
    int result = file_begin(s, b, &c, &o);
    if (result) return result;
    if ((o->flags & FILE_ACCESS_MASK) == FILE_READ_ONLY || o->flags & FILE_PATH) return -EBADF;
    if (!node_is(o->node, MODE_REGULAR)) return node_is(o->node, MODE_FIFO) ? -ESPIPE : -ENODEV;
    if ((int64_t)r->args[1] < 0 || (int64_t)r->args[2] <= 0) return -EINVAL;
    if (__builtin_add_overflow((int64_t)r->args[1], (int64_t)r->args[2], &end)) return -EFBIG;
    if (r->args[0] & ~(uint64_t)KEEP_SIZE || !c.fs->ops->allocate) return -EOPNOTSUPP;
    if ((result = c.fs->ops->allocate(o->node, (int64_t)r->args[1], (int64_t)r->args[2])) || r->args[0] & KEEP_SIZE)
        return result;
    fs_refresh(o->node);
    result = end > o->node->size ? c.fs->ops->resize(o->node, end) : 0;
    if (result == 0) fs_notify_open(o, NOTIFY_MODIFY);
    return result;
}

static int64_t serve_statfs(struct scheme *s, struct port_buffer *b) {
    struct filesystem_info info = {.block_size = 4096, .fragment_size = 4096, .name_max = FS_NAME_MAX};
    struct fs *fs = fs_of(s);
    if (!node_of(fs, b->request.object)) return -EBADF;
    fs->ops->statfs(fs, &info);
    memcpy(b->data, &info, sizeof(info));
    b->reply.length = sizeof(info);
    return 0;
}

static int64_t serve_map(struct scheme *s, struct port_buffer *b) { return -ENODEV; }

static int64_t serve_channel_info(struct scheme *s, struct port_buffer *b) { return -ENOTSOCK; }

/* --- one-way messages, restart ------------------------------------------------------------------- */
static int64_t serve_close(struct scheme *s, struct port_buffer *b) {
    struct fs_open *o = object_get(&fs_of(s)->opens, b->request.object);
    if (o) fs_close(fs_of(s), o);
    return 0;
}

static int64_t serve_detach(struct scheme *s, struct port_buffer *b) {
    struct fs_open *o = object_get(&fs_of(s)->opens, b->request.object);
    if (o) fs_locks_drop(o->node, b->request.pid, false);
    return 0;
}

static int64_t serve_reopen(struct scheme *s, struct port_buffer *b) { return -ESTALE; }

/* A parked request gives up. Bytes that a FIFO has taken stay taken. */
static int64_t serve_cancel(struct scheme *s, struct port_buffer *b) {
    const struct request *r = &b->request;
    struct fs *fs = fs_of(s);
    if (r->op == OP_OPEN) fs_close(fs, object_get(&fs->opens, r->args[0]));
    if (r->op == OP_LOCK) fs_lock_cancel(fs, r->tag);
    return r->op == OP_WRITE && r->args[1] ? (int64_t)r->args[1] : -EINTR;
}

const struct scheme_ops fs_scheme_ops = {
    .handler =
        {
            [OP_READ] = serve_read,
            [OP_WRITE] = serve_write,
            [OP_STAT] = serve_stat,
            [OP_SET_ATTRIBUTES] = serve_set_attributes,
            [OP_SYNC] = serve_sync,
            [OP_CONTROL] = serve_control,
            [OP_LOCK] = serve_lock,
            [OP_WATCH] = serve_watch,
            [OP_MAP] = serve_map,
            [OP_ALLOCATE] = serve_allocate,
            [OP_STATFS] = serve_statfs,
            [OP_CHANNEL_INFO] = serve_channel_info,
            [OP_EXECUTE] = serve_execute,
            [OP_OPEN] = serve_open,
            [OP_MAKE_NODE] = serve_make_node,
            [OP_REMOVE] = serve_remove,
            [OP_LINK] = serve_two_paths,
            [OP_RENAME] = serve_two_paths,
            [OP_SYMLINK] = serve_symlink,
            [OP_READLINK] = serve_readlink,
            [OP_ACCESS] = serve_access,
            [OP_XATTR] = serve_xattr,
            [OP_MOUNT] = serve_mount,
            [OP_PATH] = serve_path,
            [OP_NOTIFY] = serve_notify,
            [OP_CLOSE] = serve_close,
            [OP_DETACH] = serve_detach,
            [OP_REOPEN] = serve_reopen,
        },
    .cancel = serve_cancel,
    .timeout = fs_notify_look,
};

int fs_serve(struct fs *fs, handle_t scheme) {
    int result = scheme_init(&fs->scheme, scheme, &fs_scheme_ops, fs);
    return result ? result : scheme_serve(&fs->scheme);
}
