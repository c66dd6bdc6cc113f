// SPDX-License-Identifier: MIT
/*
 * Descriptors and their data. A descriptor is a handle, so most of these are one native call each;
 * is_fd() keeps programs away from libposix's own handles.
 */
#include "shim.h"
#include <cathode/mount.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- data ------------------------------------------------------------------------------------- */

long row_read(int fd, void *buffer, size_t size) {
    return is_fd(fd) ? sys_read(fd, buffer, size, OFFSET_CURRENT, 0, DEADLINE_NEVER) : -EBADF;
}

long row_write(int fd, const void *buffer, size_t size) {
    return is_fd(fd) ? sys_write(fd, buffer, size, OFFSET_CURRENT, 0, DEADLINE_NEVER) : -EBADF;
}

long row_pread64(int fd, void *buffer, size_t size, off_t offset) {
    if (!is_fd(fd)) {
        return -EBADF;
    }
    return offset < 0 ? -EINVAL : sys_read(fd, buffer, size, offset, 0, DEADLINE_NEVER);
}

long row_pwrite64(int fd, const void *buffer, size_t size, off_t offset) {
    if (!is_fd(fd)) {
        return -EBADF;
    }
    return offset < 0 ? -EINVAL : sys_write(fd, buffer, size, offset, 0, DEADLINE_NEVER);
}

/* struct iovec is struct io_vector. Checks what POSIX wants checked before anything is moved. */
static long vectors_check(int fd, const struct iovec *v, int count) {
    size_t total = 0;
    if (!is_fd(fd)) {
        return -EBADF;
    }
    if (count < 0 || count > IOV_MAX) {
        return -EINVAL;
    }
    for (int i = 0; i < count; i++) {
        if (v[i].iov_len > SSIZE_MAX - total) {
            return -EINVAL;
        }
        total += v[i].iov_len;
    }
    return 0;
}

static long vectors_read(int fd, const struct iovec *v, int count, off_t offset) {
    long error = vectors_check(fd, v, count);
    return error < 0 ? error : sys_readv(fd, (const struct io_vector *)v, (size_t)count, offset, 0, DEADLINE_NEVER);
}

static long vectors_write(int fd, const struct iovec *v, int count, off_t offset) {
    long error = vectors_check(fd, v, count);
    return error < 0 ? error : sys_writev(fd, (const struct io_vector *)v, (size_t)count, offset, 0, DEADLINE_NEVER);
}

long row_readv(int fd, const struct iovec *v, int count) { return vectors_read(fd, v, count, OFFSET_CURRENT); }

long row_writev(int fd, const struct iovec *v, int count) { return vectors_write(fd, v, count, OFFSET_CURRENT); }

long row_preadv(int fd, const struct iovec *v, int count, off_t offset) {
    return offset < 0 ? -EINVAL : vectors_read(fd, v, count, offset);
}

long row_pwritev(int fd, const struct iovec *v, int count, off_t offset) {
    return offset < 0 ? -EINVAL : vectors_write(fd, v, count, offset);
}

long row_getdents64(int fd, void *buffer, size_t size) {
    if (!is_fd(fd)) {
        return -EBADF;
    }
    return sys_read(fd, buffer, size, OFFSET_CURRENT, IO_DIRECTORY, DEADLINE_NEVER);
}

/* Copies up to `size` bytes between files; a null offset pointer means the file's own offset. */
static long copy(int from, off_t *from_at, int to, off_t *to_at, size_t size) {
    char block[16384];
    size_t done = 0;
    if (!is_fd(from) || !is_fd(to)) {
        return -EBADF;
    }
    while (done < size) {
        size_t want = size - done < sizeof(block) ? size - done : sizeof(block);
        long got = sys_read(from, block, want, from_at ? *from_at : OFFSET_CURRENT, 0, DEADLINE_NEVER);
        if (got <= 0) {
            return done ? (long)done : got;
        }
        long put = 0;
        while (put < got) {
            long n =
                sys_write(to, block + put, (size_t)(got - put), to_at ? *to_at : OFFSET_CURRENT, 0, DEADLINE_NEVER);
            if (n < 0) {
                if (!from_at) {
                    sys_seek(from, put - got, SEEK_CUR); /* what was not written stays unread */
                }
                return done ? (long)done : n;
            }
            put += n;
            done += (size_t)n;
            if (from_at) {
                *from_at += n;
            }
            if (to_at) {
                *to_at += n;
            }
        }
    }
    return (long)done;
}

/* From files with pages only: else what was read could not be put back when a write fails, and a
 * short read (a line of a terminal) would be followed by another. Callers fall back to read(2). */
long row_sendfile(int to, int from, off_t *offset, size_t size) {
    struct handle_info info;
    long error = is_fd(from) ? sys_handle_info(from, &info) : -EBADF;
    if (error < 0) {
        return error;
    }
    bool stream = info.type == OBJECT_FILE && PLANE_OF(info) == PLANE_MEMORY;
    return stream ? copy(from, offset, to, nullptr, size) : -EINVAL;
}

long row_copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t size, unsigned flags) {
    return flags ? -EINVAL : copy(from, from_at, to, to_at, size);
}

/* --- offset ----------------------------------------------------------------------------------- */

long row_lseek(int fd, off_t offset, int whence) {
    struct file_attributes attributes;
    if (!is_fd(fd)) {
        return -EBADF;
    }
    long result = sys_seek(fd, offset, (uint32_t)whence);
    if (result != -EINVAL || whence != SEEK_END) {
        return result;
    }
    /* The kernel knows no size without a memory plane: the server does. */
    result = row_fstat(fd, &attributes);
    if (result < 0) {
        return result;
    }
    if (offset > 0 && attributes.size > INT64_MAX - offset) {
        return -EOVERFLOW;
    }
    return sys_seek(fd, attributes.size + offset, SEEK_SET);
}

/* --- descriptors ------------------------------------------------------------------------------ */

long row_close(int fd) { return is_fd(fd) ? sys_handle_close(fd) : -EBADF; }

long row_dup(int fd) { return is_fd(fd) ? sys_handle_duplicate(fd, 0, 0, RIGHTS_SAME) : -EBADF; }

static long duplicate_at(int fd, int to, unsigned flags) {
    if (!is_fd(fd) || !is_fd(to)) {
        return -EBADF;
    }
    return sys_handle_duplicate(fd, to, HANDLE_AT | flags, RIGHTS_SAME);
}

long row_dup2(int fd, int to) {
    if (fd == to) {
        long error = is_fd(fd) ? handle_type(fd) : -EBADF;
        return error < 0 ? error : to;
    }
    return duplicate_at(fd, to, 0);
}

long row_dup3(int fd, int to, int flags) {
    if (fd == to || flags & ~O_CLOEXEC) {
        return -EINVAL;
    }
    return duplicate_at(fd, to, flags & O_CLOEXEC ? HANDLE_CLOEXEC : 0);
}

static long lock_send(int fd, int command, struct flock *lock, bool whole_file) {
    struct call_args call;
    call_prepare(&call, OP_LOCK, (uint64_t)command, whole_file, 0);
    call.in = lock;
    call.request.length = sizeof(*lock);
    call.out = lock;
    call.out_size = sizeof(*lock);
    long error = call_send(fd, &call);
    return error < 0 ? error : 0;
}

/* The server has no offset: a range relative to it is made absolute here. */
static long lock_record(int fd, int command, struct flock *lock) {
    struct handle_info info;
    struct flock absolute = *lock;
    long error = sys_handle_info(fd, &info);
    if (error < 0) {
        return error;
    }
    if (info.type != OBJECT_FILE) {
        return -EINVAL;
    }
    unsigned access = info.status & FILE_ACCESS_MASK;
    if (command != F_GETLK && ((lock->l_type == F_RDLCK && access == FILE_WRITE_ONLY) ||
                               (lock->l_type == F_WRLCK && access == FILE_READ_ONLY))) {
        return -EBADF;
    }
    if (lock->l_whence == SEEK_CUR) {
        if (__builtin_add_overflow(lock->l_start, info.offset, &absolute.l_start)) {
            return -EOVERFLOW;
        }
        absolute.l_whence = SEEK_SET;
    }
    error = lock_send(fd, command, &absolute, false);
    if (error == 0 && command == F_GETLK) {
        if (absolute.l_type == F_UNLCK) {
            lock->l_type = F_UNLCK;
        } else {
            *lock = absolute;
        }
    }
    return error;
}

long row_flock(int fd, int operation) {
    static const short types[] = {[LOCK_SH] = F_RDLCK, [LOCK_EX] = F_WRLCK, [LOCK_UN] = F_UNLCK};
    int kind = operation & ~LOCK_NB;
    if (!is_fd(fd)) {
        return -EBADF;
    }
    if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN) {
        return -EINVAL;
    }
    struct flock lock = {.l_type = types[kind]};
    return lock_send(fd, operation & LOCK_NB ? F_SETLK : F_SETLKW, &lock, true);
}

static long descriptor_duplicate(int fd, long from, uint32_t flags) {
    struct rlimit limit;
    if (!is_fd((int)from) || from != (int)from) {
        return -EINVAL;
    }
    long result = sys_handle_duplicate(fd, (handle_t)from, flags, RIGHTS_SAME);
    bool beyond = result == -EMFILE && row_getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)from >= limit.rlim_cur;
    return beyond ? -EINVAL : result;
}

long row_fcntl(int fd, int command, long argument) {
    struct handle_info info;
    if (!is_fd(fd)) {
        return -EBADF;
    }
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: return descriptor_duplicate(fd, argument, command == F_DUPFD ? 0 : HANDLE_CLOEXEC);
    case F_GETFD: {
        long error = sys_handle_info(fd, &info);
        return error < 0 ? error : info.flags & HANDLE_CLOEXEC ? FD_CLOEXEC : 0;
    }
    case F_SETFD: return sys_handle_set(fd, 0, HANDLE_CLOEXEC, argument & FD_CLOEXEC ? HANDLE_CLOEXEC : 0);
    case F_GETFL: {
        long error = sys_handle_info(fd, &info);
        return error < 0 ? error : (long)info.status;
    }
    case F_SETFL: return sys_handle_set(fd, 1, FILE_SETTABLE, (uint32_t)argument & FILE_SETTABLE);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW: return lock_record(fd, command, (struct flock *)argument);
    case F_SETPIPE_SZ:
        return argument <= 0 ? -EINVAL : sys_channel_control(fd, CHANNEL_SET_CAPACITY, (uint64_t)argument);
    case F_GETPIPE_SZ: return handle_type(fd) == OBJECT_CHANNEL ? sys_channel_control(fd, CHANNEL_CAPACITY, 0) : -EBADF;
    default: return -EINVAL;
    }
}

long row_pipe2(int *fds, int flags) {
    handle_t ends[2];
    if (flags & ~(O_CLOEXEC | O_NONBLOCK)) {
        return -EINVAL;
    }
    long error = sys_channel_create(CHANNEL_ONE_WAY | (flags & O_CLOEXEC ? HANDLE_CLOEXEC << 16 : 0),
                                    CHANNEL_CAPACITY_DEFAULT, ends);
    if (error < 0) {
        return error;
    }
    if (flags & O_NONBLOCK) {
        sys_handle_set(ends[0], 1, FILE_NONBLOCK, FILE_NONBLOCK);
        sys_handle_set(ends[1], 1, FILE_NONBLOCK, FILE_NONBLOCK);
    }
    fds[0] = ends[0];
    fds[1] = ends[1];
    return 0;
}

long row_pipe(int *fds) { return row_pipe2(fds, 0); }

/* --- storage ---------------------------------------------------------------------------------- */

/* For pipes and whatever else cannot be synchronised or allocated, POSIX says EINVAL. */
static long storage_call(int fd, unsigned op, uint64_t a, uint64_t b, uint64_t c) {
    if (!is_fd(fd)) {
        return -EBADF;
    }
    long error = call_simple(fd, op, a, b, c);
    return error == -ENOSYS || error == NO_SERVER ? -EINVAL : error < 0 ? error : 0;
}

long row_fsync(int fd) { return storage_call(fd, OP_SYNC, 0, 0, 0); }

long row_fdatasync(int fd) { return storage_call(fd, OP_SYNC, 1, 0, 0); }

long row_syncfs(int fd) { return storage_call(fd, OP_SYNC, 0, 0, 0); }

/* The root's file system, and those on disks. */
long row_sync(void) {
    char names[4096], path[sizeof("/scheme/") + 32] = "/scheme/";
    call_simple(HANDLE_ROOT, OP_SYNC, 0, 0, 0);
    long size = sys_namespace_control(HANDLE_NAMESPACE, NAMESPACE_LIST, names, sizeof(names), HANDLE_NONE);
    for (char *name = names; name < names + size; name += strlen(name) + 1) {
        if (strncmp(name, MOUNT_SCHEME_PREFIX, strlen(MOUNT_SCHEME_PREFIX)) != 0) {
            continue;
        }
        strcpy(path + strlen("/scheme/"), name);
        long h = path_open(AT_FDCWD, path, O_PATH | O_DIRECTORY);
        if (h >= 0) {
            call_simple((handle_t)h, OP_SYNC, 0, 0, 0);
            sys_handle_close((handle_t)h);
        }
    }
    return 0;
}

long row_fallocate(int fd, int mode, off_t offset, off_t length) {
    struct handle_info info;
    if (offset < 0 || length <= 0) {
        return -EINVAL;
    }
    long error = is_fd(fd) ? sys_handle_info(fd, &info) : -EBADF;
    if (error < 0) {
        return error;
    }
    if (info.type != OBJECT_FILE) {
        return -ESPIPE;
    }
    if ((info.status & FILE_ACCESS_MASK) == FILE_READ_ONLY) {
        return -EBADF;
    }
    error = call_simple(fd, OP_ALLOCATE, (uint64_t)mode, (uint64_t)offset, (uint64_t)length);
    return error == -ENOSYS ? -ENODEV : error < 0 ? error : 0;
}

/* Advice only; but a pipe must be refused. */
static long advise_check(int fd) {
    long type = is_fd(fd) ? handle_type(fd) : -EBADF;
    return type < 0 ? type : type == OBJECT_CHANNEL ? -ESPIPE : 0;
}

long row_fadvise64(int fd, off_t offset, off_t length, int advice) {
    return length < 0 || advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE ? -EINVAL : advise_check(fd);
}

long row_readahead(int fd, off_t offset, size_t size) { return advise_check(fd); }

/* A file without a name where those of shm_open are. Without such a folder (after chroot), a memory
 * object, which has no offset. Sealing is refused, so that nobody relies on it. */
long row_memfd_create(const char *name, unsigned flags) {
    struct path_call p;
    if (flags & ~(unsigned)MFD_CLOEXEC || strnlen(name, 250) == 250) {
        return -EINVAL;
    }
    uint32_t handle_flags = flags & MFD_CLOEXEC ? HANDLE_CLOEXEC : 0;
    path_prepare(&p, OP_OPEN, "/dev/shm", O_RDWR | O_TMPFILE, 0777);
    p.call.handle_flags = handle_flags;
    long error = path_send(&p, AT_FDCWD);
    if (error < 0) {
        return error == -EMFILE ? error : sys_memory_create(0, handle_flags << 16, HANDLE_NONE, 0);
    }
    return p.call.reply.handle;
}
