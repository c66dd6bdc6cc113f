// SPDX-License-Identifier: MIT
/*
 * mount, umount: a file system keeps, at one of its directories, the path where walks go on instead. That is
 * another directory (MS_BIND, with all that is mounted below it) or the root of a scheme, whose name is the type, or
 * which the supervisor starts for a disk. What is open stays open: only a disk can be busy.
 */
#include "shim.h"
#include <cathode/mount.h>
#include <string.h>
#include <sys/mount.h>

#define SCHEME_FOLDER "/scheme/"
#define LINKS_MAX 40
#define UNMOUNT_KNOWN (MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW)
/* What can't be kept is refused: restrictions of one mount, and changes to it. */
#define REFUSED                                                                                                        \
    (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_REMOUNT | MS_MOVE | MS_SHARED | MS_SLAVE | MS_PRIVATE | MS_UNBINDABLE)

/* The absolute path, without links, of a directory: its length, or -errno. Ends with a NUL. */
static long directory_path(const char *path, char *out) {
    struct call_args call;
    long h = path_open(AT_FDCWD, path, O_PATH | O_DIRECTORY);
    if (h < 0) {
        return h;
    }
    call_prepare(&call, OP_PATH, 0, 0, 0);
    call.out = out;
    call.out_size = PATH_MAX - 1;
    long error = call_send((handle_t)h, &call);
    sys_handle_close((handle_t)h);
    if (error < 0) {
        return error == -ENOSYS ? -EINVAL : error;
    }
    out[call.reply.length] = 0;
    return (long)call.reply.length;
}

/*
 * The path that a path which names a link leads to, or the path itself: what a server that has died is mounted at can't
 * be walked to, but the name of a link can. 0 or -errno.
 */
static long links_follow(const char *path, char *out) {
    if (strnlen(path, PATH_MAX) == PATH_MAX) {
        return -ENAMETOOLONG;
    }
    strcpy(out, path);
    for (int i = 0; i < LINKS_MAX; i++) {
        char target[PATH_MAX];
        for (size_t end = strlen(out); end > 1 && out[end - 1] == '/';) {
            out[--end] = 0;
        }
        long length = row_readlink(out, target, sizeof(target));
        if (length < 0) {
            return 0;
        }
        char *slash = target[0] == '/' ? NULL : strrchr(out, '/');
        size_t keep = slash ? (size_t)(slash + 1 - out) : 0;
        if (keep + (size_t)length >= PATH_MAX) {
            return -ENAMETOOLONG;
        }
        memcpy(out + keep, target, (size_t)length);
        out[keep + (size_t)length] = 0;
    }
    return -ELOOP;
}

/* The absolute path of a place in a directory, whatever is mounted there: its length, or -errno. Ends with a NUL. */
static long place_path(const char *path, char *out) {
    char parent[PATH_MAX] = ".";
    size_t end = strnlen(path, PATH_MAX), start;
    if (end == PATH_MAX) {
        return -ENAMETOOLONG;
    }
    while (end > 0 && path[end - 1] == '/') {
        end--;
    }
    for (start = end; start > 0 && path[start - 1] != '/';) {
        start--;
    }
    const char *name = path + start;
    size_t length = end - start;
    if (length == 0 || (length <= 2 && !strncmp(name, "..", length))) { /* no name in a directory */
        return directory_path(path, out);
    }
    if (start > 0) {
        *(char *)mempcpy(parent, path, start) = 0;
    }
    long at = directory_path(parent, out);
    if (at < 0) {
        return at;
    }
    if (out[at - 1] != '/') {
        out[at++] = '/';
    }
    if ((size_t)at + length >= PATH_MAX) {
        return -ENAMETOOLONG;
    }
    *(char *)mempcpy(out + at, name, length) = 0;
    return at + (long)length;
}

/* "/scheme/TYPE", if there is one with a root directory. */
static long scheme_path(const char *type, char *out) {
    size_t length = type ? strnlen(type, NAME_MAX + 1) : 0;
    if (!type) {
        return -EINVAL;
    }
    if (!length || length > NAME_MAX || strchr(type, '/') || type[0] == '.') {
        return -ENODEV;
    }
    memcpy(mempcpy(out, SCHEME_FOLDER, sizeof(SCHEME_FOLDER) - 1), type, length + 1);
    long h = path_open(AT_FDCWD, out, O_PATH | O_DIRECTORY);
    if (h < 0) {
        return h == -EACCES ? h : -ENODEV;
    }
    sys_handle_close((handle_t)h);
    return (long)(sizeof(SCHEME_FOLDER) - 1 + length);
}

static long supervisor_call(unsigned op, const char *data, size_t size, uint64_t flags, long carry, char *answer) {
    struct call_args call;
    long h = path_open(AT_FDCWD, SCHEME_FOLDER MOUNT_SCHEME, O_PATH | O_DIRECTORY);
    if (h < 0) {
        return h;
    }
    call_prepare(&call, op, flags, 0, 0);
    call.in = data;
    call.request.length = (uint32_t)size;
    call.carry = carry < 0 ? HANDLE_NONE : (handle_t)carry;
    call.out = answer;
    call.out_size = answer ? NAME_MAX : 0;
    long result = call_send((handle_t)h, &call);
    sys_handle_close((handle_t)h);
    if (result >= 0 && answer) {
        answer[call.reply.length] = 0;
    }
    return result;
}

/* A server for the disk at `source`, which is going to be mounted at `at`: its path. */
static long disk_path(const char *type, const char *source, const char *at, unsigned long flags, char *out) {
    char data[PATH_MAX + NAME_MAX + 2];
    size_t length = strlen(type) + 1;
    bool read_only = flags & MS_RDONLY;
    memcpy(data, type, length);
    strcpy(data + length, at);
    long disk = path_open(AT_FDCWD, source, read_only ? O_RDONLY : O_RDWR);
    if (disk < 0) { /* the type comes first */
        long error = supervisor_call(MOUNT_START, data, length + strlen(at), 0, HANDLE_NONE, nullptr);
        return error == -ENODEV ? error : disk;
    }
    memcpy(out, SCHEME_FOLDER, sizeof(SCHEME_FOLDER));
    long result = supervisor_call(MOUNT_START, data, length + strlen(at), read_only ? MOUNT_READ_ONLY : 0, disk,
                                  out + sizeof(SCHEME_FOLDER) - 1);
    sys_handle_close((handle_t)disk);
    return result;
}

/* For /proc/mounts. */
static void mount_note(const char *source, const char *at, const char *type, bool read_only) {
    char data[2 * PATH_MAX + NAME_MAX + 3];
    size_t lengths[2] = {strlen(source), strlen(at)}, length = strnlen(type, NAME_MAX);
    char *end = mempcpy(data, source, lengths[0] + 1);
    end = mempcpy(end, at, lengths[1] + 1);
    end = mempcpy(end, type, length);
    supervisor_call(MOUNT_NOTE, data, (size_t)(end - data), read_only ? MOUNT_READ_ONLY : 0, HANDLE_NONE, nullptr);
}

static long mount_send(struct path_call *p) {
    long error = path_send(p, AT_FDCWD);
    return error == -ENOSYS ? -EINVAL : error < 0 ? error : 0;
}

long row_mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data) {
    char at[PATH_MAX], text[PATH_MAX + 1] = ""; /* a NUL, and where walks go on */
    char *to = text + 1;
    bool started = false;
    struct path_call p;
    if ((flags & MS_MGC_MSK) == MS_MGC_VAL) {
        flags &= ~(unsigned long)MS_MGC_MSK;
    }
    long length = directory_path(target, at);
    if (length < 0) {
        return length;
    }
    if (row_geteuid() != 0) {
        return -EPERM;
    }
    if (flags & REFUSED) {
        return -EINVAL;
    }
    if (flags & MS_BIND) {
        if (flags & MS_RDONLY) {
            return -EINVAL;
        }
        bool named =
            source && path_is_scheme(source, strnlen(source, PATH_MAX)) && strnlen(source, PATH_MAX) < PATH_MAX;
        long error = source ? directory_path(source, to) : -EINVAL;
        if (error < 0) {
            return error;
        }
        if (named) {
            strcpy(to, source); /* it may be mounted nowhere, and then has no other path */
        }
        if (!strncmp(to, at, (size_t)length) && (!to[length] || to[length] == '/')) {
            return -ELOOP; /* walks to the source would come by the target */
        }
    } else {
        long error = scheme_path(type, to);
        if (error == -ENODEV && source) {
            error = disk_path(type, source, at, flags, to);
            started = error >= 0;
        } else if (error >= 0 && flags & MS_RDONLY) {
            error = -EINVAL;
        }
        if (error < 0) {
            return error;
        }
    }
    path_prepare(&p, OP_MOUNT, at, 0, 0);
    p.tail = text;
    p.tail_size = 1 + strlen(to);
    long error = mount_send(&p);
    if (error < 0 && started) {
        supervisor_call(MOUNT_END, at, (size_t)length, 1, HANDLE_NONE, nullptr);
    } else if (error == 0) {
        bool bind = flags & MS_BIND, named = source && strnlen(source, PATH_MAX) < PATH_MAX;
        mount_note(bind ? to : named ? source : type, at, bind ? "bind" : type, flags & MS_RDONLY);
    }
    return error;
}

long row_umount2(const char *target, int flags) {
    struct path_call p;
    char at[PATH_MAX], place[PATH_MAX];
    if (flags & ~UNMOUNT_KNOWN) {
        return -EINVAL;
    }
    if (row_geteuid() != 0) {
        return -EPERM;
    }
    long length = flags & UMOUNT_NOFOLLOW ? 0 : links_follow(target, place);
    if (length == 0) {
        length = place_path(flags & UMOUNT_NOFOLLOW ? target : place, at);
    }
    if (length < 0) {
        return length;
    }
    long ended =
        supervisor_call(MOUNT_END, at, (size_t)length, flags & (MNT_FORCE | MNT_DETACH) ? 1 : 0, HANDLE_NONE, nullptr);
    if (ended == -EBUSY || ended == -EINTR || ended == -EAGAIN) { /* it goes on */
        return ended;
    }
    path_prepare(&p, OP_MOUNT, at, 0, 1);
    long error = mount_send(&p);
    return error < 0 || ended == -ENOENT ? error : ended;
}
