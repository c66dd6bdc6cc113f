// SPDX-License-Identifier: MIT
/* cathode/chan.h on native calls. */
#ifndef CATHODE_USER_STUBS
#define CATHODE_USER_STUBS
#endif
#include <errno.h>

#include <abi/syscall.h>
#include <cathode/chan.h>
#include <string.h>

static int finish(long result) {
    if (result >= 0) return (int)result;
    errno = (int)-result;
    return -1;
}

/* An OPEN of `h`: the scheme by name, or a listening descriptor. */
static int chan_open(handle_t h, const char *path, size_t length, uint64_t status, uint64_t argument, int flags) {
    struct call_args call = {
        .request = {.op = OP_OPEN, .length = (uint32_t)length},
        .in = path,
        .carry = HANDLE_NONE,
        .handle_flags = flags & CHAN_CLOEXEC ? HANDLE_CLOEXEC : 0,
        .deadline = DEADLINE_NEVER,
    };
    call.request.args[0] = status | (flags & CHAN_NONBLOCK ? FILE_NONBLOCK : 0);
    call.request.args[1] = argument;
    call.request.args[3] = flags & CHAN_NO_WAIT ? 1 : 0;
    long result = sys_call(h, &call);
    return finish(result < 0 ? result : call.reply.handle);
}

static int open_name(const char *name, uint64_t status, uint64_t argument, int flags) {
    char path[sizeof("chan:") + CHAN_NAME_MAX + 1] = "chan:";
    size_t length = strlen(name);
    if (length > CHAN_NAME_MAX) return finish(-ENAMETOOLONG);
    memcpy(path + 5, name, length);
    return chan_open(HANDLE_NAMESPACE, path, 5 + length, status, argument, flags);
}

int chan_listen(const char *name, mode_t mode, int flags) {
    return open_name(name, FILE_READ_WRITE | FILE_CREATE | FILE_EXCLUSIVE, mode & 0777, flags);
}

int chan_connect(const char *name, int flags) { return open_name(name, FILE_READ_WRITE, 0, flags); }

int chan_accept(int listener, int flags) {
    if (listener < 0 || listener >= HANDLE_UPPER) return finish(-EBADF);
    return chan_open(listener, "", 0, FILE_READ_WRITE, 0, flags);
}

ssize_t chan_send(int channel, const void *data, size_t size, const int *fds, size_t fd_count, int flags) {
    struct io_vector v = {(void *)data, size};
    struct channel_message m = {
        .vectors = &v,
        .vector_count = 1,
        .flags = flags & CHAN_NONBLOCK ? IO_NONBLOCK : 0,
        .handles = (handle_t *)fds,
        .handle_count = (uint32_t)fd_count,
    };
    if (fd_count > CHAN_FDS_MAX || size > CHAN_MESSAGE_MAX)
        return finish(fd_count > CHAN_FDS_MAX ? -EINVAL : -EMSGSIZE);
    return finish(sys_channel_send(channel, &m, DEADLINE_NEVER));
}

ssize_t chan_receive(int channel, void *data, size_t size, int *fds, size_t *fd_count, struct chan_sender *sender,
                     int flags) {
    struct io_vector v = {data, size};
    size_t room = fds && fd_count ? *fd_count : 0;
    struct channel_message m = {
        .vectors = &v,
        .vector_count = 1,
        .flags = (flags & CHAN_NONBLOCK ? IO_NONBLOCK : 0u) | (flags & CHAN_PEEK ? IO_PEEK : 0u),
        .handles = fds,
        .handle_count = room < CHAN_FDS_MAX ? (uint32_t)room : CHAN_FDS_MAX,
        .handle_flags = flags & CHAN_CLOEXEC ? HANDLE_CLOEXEC : 0,
    };
    long got = sys_channel_receive(channel, &m, DEADLINE_NEVER);
    if (got < 0) return finish(got);
    if (fd_count) *fd_count = m.handle_count;
    if (sender) *sender = (struct chan_sender){(pid_t)m.pid, m.uid, m.gid};
    return m.flags & MESSAGE_TRUNCATED ? (ssize_t)m.size : got;
}
