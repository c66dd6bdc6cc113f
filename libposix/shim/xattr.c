// SPDX-License-Identifier: MIT
/* Extended attributes: the path is opened (O_PATH), the call goes to the file itself. */
#include "shim.h"
#include <string.h>
#include <sys/xattr.h>

#define NAME_BYTES 256 /* with NUL */
#define VALUE_BYTES 65536
#define SMALL_BYTES 1024 /* requests up to here lie on the stack */

enum { GET, SET, LIST, REMOVE }; /* args[1] of OP_XATTR */

struct xattr {
    int op, flags;
    const char *name;
    const void *value;
    size_t value_size;
    void *out;
    size_t room;
};

/* The request's data: no path, the name, the value. */
static long xattr_send(handle_t h, const struct xattr *x, size_t name_size, char *data) {
    struct call_args call;
    memcpy(mempcpy(mempcpy(data, "", 1), x->name, name_size), x->value, x->value_size);
    call_prepare(&call, OP_XATTR, (uint64_t)x->flags, (uint64_t)x->op, 0);
    call.request.args[3] = x->room < CALL_DATA_MAX ? x->room : CALL_DATA_MAX;
    call.in = data;
    call.request.length = (uint32_t)(1 + name_size + x->value_size);
    call.out = x->out;
    call.out_size = (uint32_t)call.request.args[3];
    return call_send(h, &call);
}

static long xattr_call(handle_t h, const struct xattr *x) {
    char small[SMALL_BYTES];
    size_t name_size = strnlen(x->name, NAME_BYTES) + 1, size = 1 + name_size + x->value_size;
    if (name_size > NAME_BYTES || (name_size == 1 && x->op != LIST)) {
        return -ERANGE;
    }
    if (x->value_size > VALUE_BYTES) {
        return -E2BIG;
    }
    if (size > CALL_DATA_MAX) {
        return -ENOSPC;
    }
    char *data = small;
    if (size > sizeof(small)) {
        long map = sys_vm_map(0, size, VM_READ | VM_WRITE, HANDLE_NONE, 0);
        if (map < 0) {
            return map;
        }
        data = (char *)map;
    }
    long result = xattr_send(h, x, name_size, data);
    if (data != small) {
        sys_vm_unmap((uint64_t)data, size);
    }
    if (result == -ERANGE && x->room >= CALL_DATA_MAX) {
        return -E2BIG;
    }
    return result == NO_SERVER || result == -ENOSYS ? -EOPNOTSUPP : result;
}

static long xattr_path(const char *path, int flags, const struct xattr *x) {
    long h = path_open(AT_FDCWD, path, O_PATH | flags);
    if (h < 0) {
        return h;
    }
    long result = xattr_call((handle_t)h, x);
    sys_handle_close((handle_t)h);
    return result;
}

static long xattr_fd(int fd, const struct xattr *x) {
    struct handle_info info;
    long error = is_fd(fd) ? sys_handle_info(fd, &info) : -EBADF;
    if (error < 0) {
        return error;
    }
    return info.type == OBJECT_FILE && info.status & FILE_PATH ? -EBADF : xattr_call(fd, x);
}

/* --- get -------------------------------------------------------------------------------------- */

static struct xattr get(const char *name, void *out, size_t room) {
    return (struct xattr){.op = GET, .name = name, .value = "", .out = out, .room = room};
}

long row_getxattr(const char *path, const char *name, void *out, size_t room) {
    struct xattr x = get(name, out, room);
    return xattr_path(path, 0, &x);
}

long row_lgetxattr(const char *path, const char *name, void *out, size_t room) {
    struct xattr x = get(name, out, room);
    return xattr_path(path, O_NOFOLLOW, &x);
}

long row_fgetxattr(int fd, const char *name, void *out, size_t room) {
    struct xattr x = get(name, out, room);
    return xattr_fd(fd, &x);
}

/* --- set -------------------------------------------------------------------------------------- */

static struct xattr set(const char *name, const void *value, size_t size, int flags) {
    return (struct xattr){.op = SET, .name = name, .value = size ? value : "", .value_size = size, .flags = flags};
}

#define FLAGS_KNOWN(flags) (!((flags) & ~(XATTR_CREATE | XATTR_REPLACE)))

long row_setxattr(const char *path, const char *name, const void *value, size_t size, int flags) {
    struct xattr x = set(name, value, size, flags);
    return FLAGS_KNOWN(flags) ? xattr_path(path, 0, &x) : -EINVAL;
}

long row_lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags) {
    struct xattr x = set(name, value, size, flags);
    return FLAGS_KNOWN(flags) ? xattr_path(path, O_NOFOLLOW, &x) : -EINVAL;
}

long row_fsetxattr(int fd, const char *name, const void *value, size_t size, int flags) {
    struct xattr x = set(name, value, size, flags);
    return FLAGS_KNOWN(flags) ? xattr_fd(fd, &x) : -EINVAL;
}

/* --- list ------------------------------------------------------------------------------------- */

static struct xattr list(char *out, size_t room) {
    return (struct xattr){.op = LIST, .name = "", .value = "", .out = out, .room = room};
}

long row_listxattr(const char *path, char *out, size_t room) {
    struct xattr x = list(out, room);
    return xattr_path(path, 0, &x);
}

long row_llistxattr(const char *path, char *out, size_t room) {
    struct xattr x = list(out, room);
    return xattr_path(path, O_NOFOLLOW, &x);
}

long row_flistxattr(int fd, char *out, size_t room) {
    struct xattr x = list(out, room);
    return xattr_fd(fd, &x);
}

/* --- remove ----------------------------------------------------------------------------------- */

static struct xattr removal(const char *name) { return (struct xattr){.op = REMOVE, .name = name, .value = ""}; }

long row_removexattr(const char *path, const char *name) {
    struct xattr x = removal(name);
    return xattr_path(path, 0, &x);
}

long row_lremovexattr(const char *path, const char *name) {
    struct xattr x = removal(name);
    return xattr_path(path, O_NOFOLLOW, &x);
}

long row_fremovexattr(int fd, const char *name) {
    struct xattr x = removal(name);
    return xattr_fd(fd, &x);
}
