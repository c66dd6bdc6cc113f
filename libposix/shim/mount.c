// SPDX-License-Identifier: MIT
/*
 * mount, umount: a file system keeps, at one of its directories, the path where walks go on instead. That is
 * another directory (MS_BIND, with all that is mounted below it) or the root of a scheme, whose name is the type.
 * What is open stays open, so that no mount is ever busy.
 */
#include "shim.h"
#include <string.h>
#include <sys/mount.h>

#define SCHEME_FOLDER "/scheme/"
#define UNMOUNT_KNOWN (MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW)
/* What can't be kept is refused: restrictions of one mount, and changes to it. */
#define REFUSED                                                                                                        \
    (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_REMOUNT | MS_MOVE | MS_SHARED | MS_SLAVE | MS_PRIVATE |         \
     MS_UNBINDABLE)

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

static long mount_send(struct path_call *p) {
    long error = path_send(p, AT_FDCWD);
    return error == -ENOSYS ? -EINVAL : error < 0 ? error : 0;
}

long row_mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data) {
    char at[PATH_MAX], text[PATH_MAX + 1] = ""; /* a NUL, and where walks go on */
    char *to = text + 1;
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
        if (error < 0) {
            return error;
        }
    }
    path_prepare(&p, OP_MOUNT, at, 0, 0);
    p.tail = text;
    p.tail_size = 1 + strlen(to);
    return mount_send(&p);
}

long row_umount2(const char *target, int flags) {
    struct path_call p;
    if (flags & ~UNMOUNT_KNOWN) {
        return -EINVAL;
    }
    path_prepare(&p, OP_MOUNT, target, 0, 1);
    return mount_send(&p);
}
