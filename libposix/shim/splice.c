// SPDX-License-Identifier: MIT
/*
 * splice, tee, vmsplice over read and write. No byte is lost: into a channel goes what it has room for, and a
 * write that finds less (another writer was faster) waits; into anything else goes what was only looked at, and what
 * it took is read afterwards. Who reads one pipe in several threads at once should splice it into pipes only.
 */
#include "shim.h"
#include <string.h>

#define BLOCK 16384
#define FLAGS_KNOWN (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)

struct end {
    int fd;
    off_t *at; /* null: the file's own offset */
    bool pipe, channel, seekable, nonblock, append;
    int access;
};

static long end_of(int fd, off_t *at, struct end *out) {
    struct handle_info info;
    long error = is_fd(fd) ? sys_handle_info(fd, &info) : -EBADF;
    if (error < 0) {
        return error;
    }
    unsigned kind = info.plane >> 8 & 0xff;
    bool file = info.type == OBJECT_FILE;
    *out = (struct end){.fd = fd,
                        .at = at,
                        .pipe = info.type == OBJECT_CHANNEL && info.plane & CHANNEL_ONE_WAY,
                        .seekable = info.type == OBJECT_MEMORY || (file && kind & FILE_KIND_SEEKABLE),
                        .nonblock = info.status & FILE_NONBLOCK,
                        .append = file && info.status & FILE_APPEND,
                        .access = (int)(info.status & FILE_ACCESS_MASK)};
    unsigned flags = file ? info.plane >> 16 : info.plane;
    bool channel = info.type == OBJECT_CHANNEL || (file && PLANE_OF(info) == PLANE_CHANNEL);
    out->channel = channel && !(flags & CHANNEL_MESSAGES);
    return file && info.status & FILE_PATH ? -EBADF : 0;
}

/* Two ends of one pipe? */
static bool same(const struct end *a, const struct end *b) {
    return a->pipe && b->pipe && sys_channel_control(a->fd, CHANNEL_IS, (uint64_t)b->fd) == 1;
}

static bool readable(const struct end *e) { return e->access != FILE_WRITE_ONLY; }
static bool writable(const struct end *e) { return e->access != FILE_READ_ONLY; }

static long end_read(const struct end *e, void *block, size_t size, unsigned flags) {
    return sys_read(e->fd, block, size, e->at ? *e->at : OFFSET_CURRENT, flags, DEADLINE_NEVER);
}

static long end_write(const struct end *e, const void *block, size_t size, unsigned flags) {
    return sys_write(e->fd, block, size, e->at ? *e->at : OFFSET_CURRENT, flags, DEADLINE_NEVER);
}

static long peek(const struct end *e, void *block, size_t size, unsigned flags) {
    struct io_vector v = {block, size};
    struct channel_message m = {.vectors = &v, .vector_count = 1, .flags = IO_PEEK | flags};
    return sys_channel_receive(e->fd, &m, DEADLINE_NEVER);
}

/* Waits for room: 0, or -errno. */
static long room_wait(int fd) {
    struct pollfd p = {fd, POLLOUT, 0};
    long ready = row_poll(&p, 1, -1);
    return ready < 0 ? ready : 0;
}

/* All of it: there is no way back for these bytes. What the peer won't take anymore is an error. */
static long write_held(const struct end *e, const char *block, size_t size) {
    size_t done = 0;
    while (done < size) {
        long n = end_write(e, block + done, size - done, 0);
        if (n == -EAGAIN) {
            room_wait(e->fd);
        } else if (n < 0 && n != -EINTR) {
            return done ? (long)done : n;
        } else if (n > 0) {
            done += (size_t)n;
        }
    }
    return (long)done;
}

/* Bytes that can be written now without waiting: at most `size`; 0: a write would fail. -EAGAIN, or -EINTR. */
static long room(const struct end *to, size_t size, bool wait) {
    for (;;) {
        long space = to->channel ? sys_channel_control(to->fd, CHANNEL_WRITABLE, 0) : (long)size;
        struct pollfd p = {to->fd, POLLOUT, 0};
        if (space < 0 || (to->channel && row_poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLHUP))) {
            return 0;
        }
        if (space > 0) {
            return space < (long)size ? space : (long)size;
        }
        long error = wait ? room_wait(to->fd) : -EAGAIN;
        if (error < 0) {
            return error;
        }
    }
}

/* One block. The first may wait, for bytes and for room. */
static long move(const struct end *from, const struct end *to, size_t size, bool wait, char *block) {
    long want = room(to, size < BLOCK ? size : BLOCK, wait);
    if (want < 0) {
        return want;
    }
    bool fails = want == 0, look = from->channel && (fails || (from->pipe && !to->channel));
    want += fails;
    unsigned flags = wait ? 0 : IO_NONBLOCK;
    long got = look ? peek(from, block, (size_t)want, flags) : end_read(from, block, (size_t)want, flags);
    if (got <= 0) {
        return got;
    }
    bool again = look || from->seekable; /* what isn't written can be read again */
    long put = again ? end_write(to, block, (size_t)got, to->pipe ? flags : 0) : write_held(to, block, (size_t)got);
    long taken = put < 0 ? 0 : put;
    if (look && taken) {
        end_read(from, block, (size_t)taken, IO_NONBLOCK);
    } else if (from->seekable && !from->at && taken < got) {
        sys_seek(from->fd, taken - got, SEEK_CUR);
    }
    return put;
}

static long offset_check(const struct end *e) {
    if (!e->at) {
        return 0;
    }
    return e->pipe ? -ESPIPE : !e->seekable || *e->at < 0 ? -EINVAL : 0;
}

long row_splice(int from_fd, off_t *from_at, int to_fd, off_t *to_at, size_t size, unsigned flags) {
    char block[BLOCK];
    struct end from, to;
    size_t done = 0;
    if (!size) {
        return 0;
    }
    if (flags & ~FLAGS_KNOWN) {
        return -EINVAL;
    }
    long error = end_of(from_fd, from_at, &from);
    if (!error) {
        error = end_of(to_fd, to_at, &to);
    }
    if (!error) {
        error = !readable(&from) || !writable(&to) ? -EBADF : !from.pipe && !to.pipe ? -EINVAL : offset_check(&from);
    }
    if (!error) {
        error = to.append || same(&from, &to) ? -EINVAL : offset_check(&to);
    }
    if (error) {
        return error;
    }
    bool nonblock = flags & SPLICE_F_NONBLOCK || (from.pipe && from.nonblock) || (to.pipe && to.nonblock);
    size_t limit = size;
    while (done < limit) {
        long n = move(&from, &to, limit - done, !done && !nonblock, block);
        if (n <= 0) {
            return done ? (long)done : n;
        }
        if (!done && from.pipe && to.pipe) { /* what is there now; also ends what goes round in a circle */
            long more = sys_channel_control(from.fd, CHANNEL_READABLE, 0);
            limit = more < 0 ? (size_t)n : size - (size_t)n < (size_t)more ? size : (size_t)(n + more);
        }
        done += (size_t)n;
        if (from_at) {
            *from_at += n;
        }
        if (to_at) {
            *to_at += n;
        }
    }
    return (long)done;
}

long row_tee(int from_fd, int to_fd, size_t size, unsigned flags) {
    char block[BLOCK];
    struct end from, to;
    if (flags & ~FLAGS_KNOWN) {
        return -EINVAL;
    }
    if (!size) {
        return 0;
    }
    long error = end_of(from_fd, nullptr, &from);
    if (!error) {
        error = end_of(to_fd, nullptr, &to);
    }
    if (error) {
        return error;
    }
    if (!readable(&from) || !writable(&to)) {
        return -EBADF;
    }
    if (!from.pipe || !to.pipe || same(&from, &to)) {
        return -EINVAL;
    }
    bool wait = !(flags & SPLICE_F_NONBLOCK || from.nonblock || to.nonblock);
    for (;;) {
        long got = peek(&from, block, size < BLOCK ? size : BLOCK, wait ? 0 : IO_NONBLOCK);
        long space = got > 0 ? room(&to, (size_t)got, wait) : got;
        bool fails = got > 0 && space == 0;
        long put = space > 0 || fails ? end_write(&to, block, (size_t)(space + fails), IO_NONBLOCK) : space;
        if (put != -EAGAIN || !wait) {
            return put;
        }
    }
}

/* Into a pipe: as much as there is room for, at least something. Out of one: a read. */
long row_vmsplice(int fd, const struct iovec *v, size_t count, unsigned flags) {
    struct end e;
    if (flags & ~FLAGS_KNOWN) {
        return -EINVAL;
    }
    long error = end_of(fd, nullptr, &e);
    if (error || !e.pipe) {
        return error ? error : -EBADF;
    }
    if (count > IOV_MAX) {
        return -EINVAL;
    }
    bool wait = !(flags & SPLICE_F_NONBLOCK || e.nonblock);
    const struct io_vector *native = (const struct io_vector *)v;
    if (!writable(&e)) {
        return sys_readv(fd, native, count, OFFSET_CURRENT, wait ? 0 : IO_NONBLOCK, DEADLINE_NEVER);
    }
    for (;;) {
        long put = sys_writev(fd, native, count, OFFSET_CURRENT, IO_NONBLOCK, DEADLINE_NEVER);
        if (put != -EAGAIN || !wait) {
            return put;
        }
        error = room_wait(fd);
        if (error < 0) {
            return error;
        }
    }
}

/* Whatever part is asked for: all that the file has. */
long row_sync_file_range(int fd, off_t offset, off_t size, unsigned flags) {
    const unsigned known = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    struct file_attributes attributes;
    struct end e;
    long error = end_of(fd, nullptr, &e);
    if (error) {
        return error;
    }
    if (flags & ~known || offset < 0 || size < 0 || offset > INT64_MAX - size) {
        return -EINVAL;
    }
    error = row_fstat(fd, &attributes);
    if (error) {
        return error;
    }
    if (!S_ISREG(attributes.mode) && !S_ISBLK(attributes.mode) && !S_ISDIR(attributes.mode)) {
        return -ESPIPE;
    }
    return flags ? row_fdatasync(fd) : 0;
}
