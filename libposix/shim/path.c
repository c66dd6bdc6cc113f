// SPDX-License-Identifier: MIT
/*
 * Calls that name files: opening, making, removing, renaming, and the working directory, which is
 * the handle HANDLE_CWD.
 */
#include "shim.h"
#include <string.h>
#include <unistd.h>

/* Known only here and changed only here, but kept by the kernel for exec: -1 = not asked yet. */
static int umask_known = -1;

mode_t umask_apply(mode_t mode) {
    if (umask_known < 0) {
        struct process_ids ids;
        umask_known = sys_process_info(0, PROCESS_IDS, &ids, sizeof(ids), 0) < 0 ? 022 : (int)ids.umask;
    }
    return mode & ~(mode_t)umask_known;
}

long row_umask(mode_t mask) {
    long old = sys_process_set(0, PROCESS_UMASK, nullptr, 0, mask & 0777);
    umask_known = mask & 0777;
    return old;
}

/* --- open ------------------------------------------------------------------------------------- */

long row_openat(int directory, const char *path, int flags, mode_t mode) {
    struct path_call p;
    bool creates = flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY));
    path_prepare(&p, OP_OPEN, path, (uint64_t)(flags & ~(O_CLOEXEC | O_LARGEFILE)),
                 creates ? umask_apply(mode & 07777) : 0);
    p.call.handle_flags = flags & O_CLOEXEC ? HANDLE_CLOEXEC : 0;
    if (!(flags & (O_CREAT | O_TRUNC))) {
        p.call.request.flags = REQUEST_IDEMPOTENT;
    }
    long error = path_send(&p, directory);
    if (error < 0) {
        return error;
    }
    if (p.call.reply.args[3] & FILE_KIND_TTY) {
        terminal_opened(p.call.reply.handle, flags);
    }
    return p.call.reply.handle;
}

long row_open(const char *path, int flags, mode_t mode) { return row_openat(AT_FDCWD, path, flags, mode); }

/* --- make and remove -------------------------------------------------------------------------- */

static long make_node(int directory, const char *path, mode_t mode, dev_t device) {
    struct path_call p;
    path_prepare(&p, OP_MAKE_NODE, path, 0, mode);
    p.call.request.args[3] = device;
    return path_send(&p, directory);
}

long row_mkdirat(int directory, const char *path, mode_t mode) {
    return make_node(directory, path, S_IFDIR | umask_apply(mode & 01777), 0);
}

long row_mkdir(const char *path, mode_t mode) { return row_mkdirat(AT_FDCWD, path, mode); }

long row_mknodat(int directory, const char *path, mode_t mode, dev_t device) {
    if (!(mode & S_IFMT)) {
        mode |= S_IFREG;
    }
    if (S_ISDIR(mode)) {
        return -EPERM;
    }
    return make_node(directory, path, (mode & S_IFMT) | umask_apply(mode & 07777), device);
}

long row_mknod(const char *path, mode_t mode, dev_t device) { return row_mknodat(AT_FDCWD, path, mode, device); }

long row_unlinkat(int directory, const char *path, int flags) {
    struct path_call p;
    if (flags & ~AT_REMOVEDIR) {
        return -EINVAL;
    }
    path_prepare(&p, OP_REMOVE, path, FILE_NOFOLLOW, flags & AT_REMOVEDIR ? 1 : 0);
    return path_send(&p, directory);
}

long row_unlink(const char *path) { return row_unlinkat(AT_FDCWD, path, 0); }

long row_rmdir(const char *path) { return row_unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

/* --- symbolic links --------------------------------------------------------------------------- */

long row_symlinkat(const char *target, int directory, const char *path) {
    char tail[PATH_MAX + 1];
    size_t length = strlen(target);
    if (length == 0) {
        return -ENOENT;
    }
    if (length >= PATH_MAX) {
        return -ENAMETOOLONG;
    }
    tail[0] = 0;
    memcpy(tail + 1, target, length);
    struct path_call p;
    path_prepare(&p, OP_SYMLINK, path, FILE_NOFOLLOW, 0);
    p.tail = tail;
    p.tail_size = 1 + length;
    return path_send(&p, directory);
}

long row_symlink(const char *target, const char *path) { return row_symlinkat(target, AT_FDCWD, path); }

/* What /proc/self/fd/N points to: the path that the file's server knows (ttyname asks so). */
static long descriptor_path(struct path_call *p, int fd) {
    call_prepare(&p->call, OP_PATH, 0, 0, 0);
    p->call.out = p->answer;
    p->call.out_size = sizeof(p->answer);
    return call_send(fd, &p->call);
}

long row_readlinkat(int directory, const char *path, char *buffer, size_t size) {
    if (size == 0 || size > SSIZE_MAX) {
        return -EINVAL;
    }
    struct path_call p;
    int fd = path_descriptor(path);
    long error = fd >= 0 ? descriptor_path(&p, fd) : -ENOENT;
    if (error < 0) { /* not a descriptor, or of something without a path: what /proc says of it */
        path_prepare(&p, OP_READLINK, path, FILE_NOFOLLOW, 0);
        p.call.request.flags = REQUEST_IDEMPOTENT;
        p.call.out_size = sizeof(p.answer) - 1;
        p.empty_allowed = directory != AT_FDCWD;
        error = path_send(&p, directory);
    }
    if (error < 0) {
        return error;
    }
    size_t length = p.call.reply.length < size ? p.call.reply.length : size;
    memcpy(buffer, p.answer, length);
    return (long)length;
}

long row_readlink(const char *path, char *buffer, size_t size) { return row_readlinkat(AT_FDCWD, path, buffer, size); }

/* --- two paths: link, rename ------------------------------------------------------------------ */

/* Where a walk of this path starts: the root or `directory`. */
static handle_t path_start(int directory, const char *path) {
    return path[0] == '/' ? HANDLE_ROOT : directory_handle(directory);
}

/*
 * Splits off the last component (with its trailing slashes) and opens what is before it. Result: a
 * handle, *name points to the component; *opened says whether the handle must be closed.
 */
static long open_parent(int directory, const char *path, const char **name, bool *opened) {
    char parent[PATH_MAX];
    size_t end = strlen(path);
    *opened = false;
    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    while (end > 0 && path[end - 1] != '/') {
        end--;
    }
    *name = path + end;
    if (end == 0) {
        return directory_handle(directory);
    }
    if (end >= sizeof(parent)) {
        return -ENAMETOOLONG;
    }
    memcpy(parent, path, end);
    parent[end] = 0;
    long h = path_open(directory, parent, O_PATH | O_DIRECTORY);
    *opened = h >= 0;
    return h;
}

static long two_paths_send(struct path_call *p, handle_t old_start, handle_t new_start, const char *new) {
    char tail[PATH_MAX + 1];
    size_t length = strlen(new);
    if (length >= PATH_MAX) {
        return -ENAMETOOLONG;
    }
    tail[0] = 0;
    memcpy(tail + 1, new, length);
    p->tail = tail;
    p->tail_size = 1 + length;
    p->call.carry = new_start;
    return path_step(p, old_start);
}

/* The walk of one of the two left the server: opens both parents, then works with plain names. */
static long two_paths_by_parents(struct path_call *p, int old_directory, const char *old, int new_directory,
                                 const char *new) {
    bool old_opened, new_opened;
    const char *old_name, *new_name;
    handle_t old_parent = (handle_t)open_parent(old_directory, old, &old_name, &old_opened);
    if (old_parent < 0) {
        return old_parent;
    }
    long result = -ENOENT;
    handle_t new_parent = (handle_t)open_parent(new_directory, new, &new_name, &new_opened);
    if (new_parent < 0) {
        result = new_parent;
    } else if (*old_name && *new_name) {
        p->path = old_name;
        p->length = strlen(old_name);
        result = two_paths_send(p, old_parent, new_parent, new_name);
        if (result >= 0 && p->call.reply.flags & (REPLY_REDIRECT | REPLY_UP)) {
            result = -EXDEV;
        }
    }
    if (new_opened) {
        sys_handle_close(new_parent);
    }
    if (old_opened) {
        sys_handle_close(old_parent);
    }
    return result;
}

static long two_paths(unsigned op, int old_directory, const char *old, int new_directory, const char *new,
                      uint64_t flags, bool old_may_be_empty) {
    struct path_call p;
    if ((!*old && !old_may_be_empty) || !*new) {
        return -ENOENT;
    }
    path_prepare(&p, op, old, flags, 0);
    if (!path_is_scheme(old, p.length) && !path_is_scheme(new, strlen(new))) {
        handle_t new_start = path_start(new_directory, new);
        if (new_start < 0) {
            return new_start;
        }
        const char *rest = new + strspn(new, "/");
        long result = two_paths_send(&p, directory_handle(old_directory), new_start, rest);
        if (result < 0 || !(p.call.reply.flags & (REPLY_REDIRECT | REPLY_UP))) {
            return result;
        }
    }
    return two_paths_by_parents(&p, old_directory, old, new_directory, new);
}

long row_linkat(int old_directory, const char *old, int new_directory, const char *new, int flags) {
    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) {
        return -EINVAL;
    }
    return two_paths(OP_LINK, old_directory, old, new_directory, new, flags & AT_SYMLINK_FOLLOW ? 0 : FILE_NOFOLLOW,
                     flags & AT_EMPTY_PATH);
}

long row_link(const char *old, const char *new) { return row_linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

long row_renameat2(int old_directory, const char *old, int new_directory, const char *new, unsigned flags) {
    return two_paths(OP_RENAME, old_directory, old, new_directory, new, flags, false);
}

long row_renameat(int old_directory, const char *old, int new_directory, const char *new) {
    return row_renameat2(old_directory, old, new_directory, new, 0);
}

long row_rename(const char *old, const char *new) { return row_renameat2(AT_FDCWD, old, AT_FDCWD, new, 0); }

/* --- access ----------------------------------------------------------------------------------- */

long row_faccessat2(int directory, const char *path, int mode, int flags) {
    if (mode & ~(R_OK | W_OK | X_OK) || flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) {
        return -EINVAL;
    }
    struct path_call p;
    path_prepare(&p, OP_ACCESS, path,
                 (flags & AT_EACCESS ? ACCESS_EFFECTIVE : 0u) | (flags & AT_SYMLINK_NOFOLLOW ? FILE_NOFOLLOW : 0u),
                 (uint64_t)mode);
    p.call.request.flags = REQUEST_IDEMPOTENT;
    p.empty_allowed = flags & AT_EMPTY_PATH;
    long error = path_send(&p, directory);
    if (error == -ENOENT && !(flags & AT_SYMLINK_NOFOLLOW) && handle_type(path_own(path)) >= 0) {
        return 0; /* a descriptor of something without a path, such as a pipe */
    }
    return error;
}

long row_faccessat(int directory, const char *path, int mode) { return row_faccessat2(directory, path, mode, 0); }

long row_access(const char *path, int mode) { return row_faccessat2(AT_FDCWD, path, mode, 0); }

/* --- working directory, root ------------------------------------------------------------------ */

/* Puts a directory that the caller may search into a well-known slot; consumes h. */
static long directory_install(handle_t h, handle_t slot) {
    long error = call_simple(h, OP_ACCESS, ACCESS_EFFECTIVE, X_OK, 0);
    if (error >= 0) {
        error = sys_handle_duplicate(h, slot, HANDLE_AT | HANDLE_KEEP, RIGHTS_SAME);
    }
    sys_handle_close(h);
    return error < 0 ? error : 0;
}

long row_chdir(const char *path) {
    long h = path_open(AT_FDCWD, path, O_PATH | O_DIRECTORY);
    return h < 0 ? h : directory_install((handle_t)h, HANDLE_CWD);
}

long row_fchdir(int fd) {
    struct path_call p;
    path_prepare(&p, OP_OPEN, ".", O_PATH | O_DIRECTORY, 0);
    p.call.handle_flags = HANDLE_IN_UPPER;
    long error = path_send(&p, is_fd(fd) ? fd : -1);
    return error < 0 ? error : directory_install(p.call.reply.handle, HANDLE_CWD);
}

long row_chroot(const char *path) {
    struct credentials credentials;
    long error = sys_process_info(0, PROCESS_CREDENTIALS, &credentials, sizeof(credentials), 0);
    if (error < 0) {
        return error;
    }
    if (!(credentials.privileges & PRIVILEGE_ROOT)) {
        return -EPERM;
    }
    long h = path_open(AT_FDCWD, path, O_PATH | O_DIRECTORY);
    return h < 0 ? h : directory_install((handle_t)h, HANDLE_ROOT);
}

long row_getcwd(char *buffer, size_t size) {
    char path[PATH_MAX];
    struct call_args call;
    call_prepare(&call, OP_PATH, 0, 0, 0);
    call.request.flags = REQUEST_IDEMPOTENT;
    call.out = path;
    call.out_size = sizeof(path);
    long error = call_send(HANDLE_CWD, &call);
    if (error < 0) {
        return error;
    }
    if (size <= call.reply.length) {
        return -ERANGE;
    }
    memcpy(buffer, path, call.reply.length);
    buffer[call.reply.length] = 0;
    return (long)call.reply.length + 1;
}
