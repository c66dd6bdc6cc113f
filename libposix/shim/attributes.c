// SPDX-License-Identifier: MIT
/* Attributes of files: stat, mode, owner, size, times. struct file_attributes is struct stat. */
#include "shim.h"
#include <string.h>

_Static_assert(sizeof(struct file_attributes) == sizeof(struct stat), "one layout");

#define DEVICE_CHANNELS 13 /* of no file system */

/* What has no server: pipes, socketpairs, events and timers. */
static long stat_synthetic(handle_t h, struct file_attributes *out) {
    struct handle_info info;
    long error = sys_handle_info(h, &info);
    if (error < 0) {
        return error;
    }
    memset(out, 0, sizeof(*out));
    out->links = 1;
    out->block_size = (int64_t)PAGE_BYTES;
    out->mode = S_IRUSR | S_IWUSR;
    if (info.type == OBJECT_CHANNEL) {
        out->mode |= info.plane & CHANNEL_ONE_WAY ? S_IFIFO : S_IFSOCK;
        out->device = DEVICE_CHANNELS;
        out->inode = info.incarnation;
    } else if (info.type == OBJECT_MEMORY) {
        out->mode |= S_IFREG;
        out->size = (int64_t)info.object;
    }
    out->uid = (uint32_t)row_geteuid();
    out->gid = (uint32_t)row_getegid();
    return 0;
}

static long stat_handle(handle_t h, struct file_attributes *out) {
    struct call_args call;
    if (sys_file_stat(h, out) == 0) {
        return 0;
    }
    call_prepare(&call, OP_STAT, 0, 0, 0);
    call.request.flags = REQUEST_IDEMPOTENT;
    call.out = out;
    call.out_size = sizeof(*out);
    long error = call_send(h, &call);
    if (error == NO_SERVER) {
        return stat_synthetic(h, out);
    }
    return error < 0 ? error : 0;
}

long row_fstat(int fd, struct file_attributes *out) { return is_fd(fd) ? stat_handle(fd, out) : -EBADF; }

long row_newfstatat(int directory, const char *path, struct file_attributes *out, int flags) {
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)) {
        return -EINVAL;
    }
    if (!*path && flags & AT_EMPTY_PATH) {
        handle_t h = directory_handle(directory);
        return h < 0 ? h : stat_handle(h, out);
    }
    struct path_call p;
    path_prepare(&p, OP_STAT, path, flags & AT_SYMLINK_NOFOLLOW ? FILE_NOFOLLOW : 0, 0);
    p.call.request.flags = REQUEST_IDEMPOTENT;
    long error = path_send(&p, directory);
    if (error == -ENOENT && !(flags & AT_SYMLINK_NOFOLLOW) && path_own(path) >= 0) {
        return row_fstat(path_own(path), out) == 0 ? 0 : -ENOENT; /* a descriptor of something without a path */
    }
    if (error < 0) {
        return error;
    }
    memcpy(out, p.answer, sizeof(*out));
    return 0;
}

long row_stat(const char *path, struct file_attributes *out) { return row_newfstatat(AT_FDCWD, path, out, 0); }

long row_lstat(const char *path, struct file_attributes *out) {
    return row_newfstatat(AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW);
}

/* Changes the fields in `which` of what path names; an empty path is the descriptor itself. */
static long attributes_set(int directory, const char *path, int flags, const struct file_attributes *attributes,
                           unsigned which) {
    struct path_call p;
    path_prepare(&p, OP_SET_ATTRIBUTES, path, flags & AT_SYMLINK_NOFOLLOW ? FILE_NOFOLLOW : 0, which);
    p.head = attributes;
    p.head_size = sizeof(*attributes);
    p.empty_allowed = flags & AT_EMPTY_PATH;
    long error = path_send(&p, directory);
    return error < 0 ? error : 0;
}

/* Pipes and their like take new attributes, but keep none. */
static long attributes_set_fd(int fd, const struct file_attributes *attributes, unsigned which) {
    if (!is_fd(fd)) {
        return -EBADF;
    }
    long error = attributes_set(fd, "", AT_EMPTY_PATH, attributes, which);
    return error == -ENOTDIR && handle_type(fd) != OBJECT_FILE ? 0 : error;
}

/* --- size ------------------------------------------------------------------------------------- */

long row_truncate(const char *path, off_t size) {
    struct file_attributes attributes = {.size = size};
    return size < 0 ? -EINVAL : attributes_set(AT_FDCWD, path, 0, &attributes, SET_SIZE);
}

long row_ftruncate(int fd, off_t size) {
    struct handle_info info;
    struct file_attributes attributes = {.size = size};
    if (size < 0) {
        return -EINVAL;
    }
    long error = is_fd(fd) ? sys_handle_info(fd, &info) : -EBADF;
    if (error < 0) {
        return error;
    }
    if (info.type == OBJECT_MEMORY) {
        return sys_memory_control(fd, MEMORY_RESIZE, (uint64_t)size, 0, 0);
    }
    if (info.type != OBJECT_FILE || (info.status & FILE_ACCESS_MASK) == FILE_READ_ONLY) {
        return -EINVAL; /* POSIX: not a regular file, or not open for writing */
    }
    return attributes_set_fd(fd, &attributes, SET_SIZE);
}

/* --- mode and owner --------------------------------------------------------------------------- */

long row_fchmodat(int directory, const char *path, mode_t mode) {
    struct file_attributes attributes = {.mode = mode & 07777};
    return attributes_set(directory, path, 0, &attributes, SET_MODE);
}

long row_chmod(const char *path, mode_t mode) { return row_fchmodat(AT_FDCWD, path, mode); }

long row_fchmod(int fd, mode_t mode) {
    struct file_attributes attributes = {.mode = mode & 07777};
    return attributes_set_fd(fd, &attributes, SET_MODE);
}

/* -1 leaves an id as it is. */
static unsigned owner_fields(uid_t uid, gid_t gid) {
    return (uid == (uid_t)-1 ? 0u : SET_UID) | (gid == (gid_t)-1 ? 0u : SET_GID);
}

long row_fchownat(int directory, const char *path, uid_t uid, gid_t gid, int flags) {
    struct file_attributes attributes = {.uid = uid, .gid = gid};
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) {
        return -EINVAL;
    }
    return attributes_set(directory, path, flags, &attributes, owner_fields(uid, gid));
}

long row_chown(const char *path, uid_t uid, gid_t gid) { return row_fchownat(AT_FDCWD, path, uid, gid, 0); }

long row_lchown(const char *path, uid_t uid, gid_t gid) {
    return row_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long row_fchown(int fd, uid_t uid, gid_t gid) {
    struct file_attributes attributes = {.uid = uid, .gid = gid};
    return attributes_set_fd(fd, &attributes, owner_fields(uid, gid));
}

/* --- times ------------------------------------------------------------------------------------ */

/* UTIME_NOW goes to the server as it is: its permission rule differs from that of a given time. */
static long times_set(int directory, const char *path, const struct timespec *times, int flags) {
    struct file_attributes attributes = {.atime_ns = UTIME_NOW, .mtime_ns = UTIME_NOW};
    unsigned which = SET_ATIME | SET_MTIME;
    if (times) {
        for (int i = 0; i < 2; i++) {
            if (times[i].tv_nsec != UTIME_NOW && times[i].tv_nsec != UTIME_OMIT &&
                (unsigned long)times[i].tv_nsec >= NS_PER_SECOND) {
                return -EINVAL;
            }
        }
        which = (times[0].tv_nsec == UTIME_OMIT ? 0u : SET_ATIME) | (times[1].tv_nsec == UTIME_OMIT ? 0u : SET_MTIME);
        attributes.atime_s = times[0].tv_sec;
        attributes.atime_ns = times[0].tv_nsec;
        attributes.mtime_s = times[1].tv_sec;
        attributes.mtime_ns = times[1].tv_nsec;
    }
    return attributes_set(directory, path, flags, &attributes, which);
}

long row_utimensat(int directory, const char *path, const struct timespec *times, int flags) {
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) {
        return -EINVAL;
    }
    if (!path) {
        if (!is_fd(directory)) {
            return -EBADF;
        }
        path = "";
        flags |= AT_EMPTY_PATH;
    }
    return times_set(directory, path, times, flags);
}

long row_futimesat(int directory, const char *path, const struct timeval *times) {
    if (!times) {
        return row_utimensat(directory, path, nullptr, 0);
    }
    struct timespec exact[2];
    for (int i = 0; i < 2; i++) {
        if ((unsigned long)times[i].tv_usec >= 1000000) {
            return -EINVAL;
        }
        exact[i] = (struct timespec){times[i].tv_sec, times[i].tv_usec * 1000};
    }
    return row_utimensat(directory, path, exact, 0);
}

long row_utimes(const char *path, const struct timeval *times) { return row_futimesat(AT_FDCWD, path, times); }

/* --- file systems ----------------------------------------------------------------------------- */

static long statfs_handle(handle_t h, struct filesystem_info *out) {
    struct call_args call;
    call_prepare(&call, OP_STATFS, 0, 0, 0);
    call.request.flags = REQUEST_IDEMPOTENT;
    call.out = out;
    call.out_size = sizeof(*out);
    long error = call_send(h, &call);
    return error == NO_SERVER ? -ENOSYS : error < 0 ? error : 0;
}

long row_fstatfs(int fd, struct filesystem_info *out) { return is_fd(fd) ? statfs_handle(fd, out) : -EBADF; }

long row_statfs(const char *path, struct filesystem_info *out) {
    long h = path_open(AT_FDCWD, path, O_PATH);
    if (h < 0) {
        return h;
    }
    long error = statfs_handle((handle_t)h, out);
    sys_handle_close((handle_t)h);
    return error;
}
