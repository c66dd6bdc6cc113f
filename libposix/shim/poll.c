// SPDX-License-Identifier: MIT
/*
 * Readiness: poll and select on event_poll, epoll on event objects. struct pollfd is struct
 * poll_entry; only the normal- and band-data names of poll(2) need translation.
 */
#include "shim.h"
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

_Static_assert(sizeof(struct pollfd) == sizeof(struct poll_entry), "one layout");

#define POLL_SYNONYMS (POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND)
#define POLL_FEW 64

static long poll_native(struct poll_entry *entries, size_t count, const uint64_t *mask, int64_t deadline) {
    long ready = sys_event_poll(entries, count, mask, deadline);
    return ready == -ETIMEDOUT || ready == -EAGAIN ? 0 : ready;
}

static int16_t mask_native(short events) {
    return (int16_t)((events & ~POLL_SYNONYMS) | (events & POLLRDNORM ? EVENT_IN : 0) |
                     (events & POLLWRNORM ? EVENT_OUT : 0));
}

static short mask_posix(short events, int16_t ready) {
    short more = (short)((ready & EVENT_IN ? events & POLLRDNORM : 0) | (ready & EVENT_OUT ? events & POLLWRNORM : 0));
    short always = ready & (EVENT_ERROR | EVENT_HANGUP | EVENT_INVALID);
    return (short)((ready & events) | always | more);
}

/* With synonyms: on a copy, on the stack or in a mapping. */
static long poll_translated(struct pollfd *fds, size_t count, const uint64_t *mask, int64_t deadline) {
    struct poll_entry few[POLL_FEW], *entries = few;
    size_t mapped = 0;
    if (count > POLL_FEW) {
        mapped = (count * sizeof(*entries) + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
        long address = sys_vm_map(0, mapped, VM_READ | VM_WRITE, HANDLE_NONE, 0);
        if (address < 0) {
            return address;
        }
        entries = (struct poll_entry *)address;
    }
    for (size_t i = 0; i < count; i++) {
        entries[i] = (struct poll_entry){fds[i].fd, mask_native(fds[i].events), 0};
    }
    long ready = poll_native(entries, count, mask, deadline);
    for (size_t i = 0; ready >= 0 && i < count; i++) {
        fds[i].revents = mask_posix(fds[i].events, entries[i].ready);
    }
    if (mapped) {
        sys_vm_unmap((uintptr_t)entries, mapped);
    }
    return ready;
}

static long poll_until(struct pollfd *fds, nfds_t count, const uint64_t *mask, int64_t deadline) {
    short events = 0;
    if (count > HANDLE_UPPER) {
        return -EINVAL;
    }
    for (nfds_t i = 0; i < count; i++) {
        events |= fds[i].events;
    }
    return events & POLL_SYNONYMS ? poll_translated(fds, count, mask, deadline)
                                  : poll_native((struct poll_entry *)fds, count, mask, deadline);
}

static int64_t deadline_ms(int timeout) {
    if (timeout <= 0) {
        return timeout ? DEADLINE_NEVER : 0;
    }
    return clock_monotonic() + timeout * 1000000LL;
}

long row_poll(struct pollfd *fds, nfds_t count, int timeout) {
    return poll_until(fds, count, nullptr, deadline_ms(timeout));
}

/* A time of zero means "do not wait". */
static int64_t deadline_poll(const struct timespec *timeout) {
    return timeout && !timeout->tv_sec && !timeout->tv_nsec ? 0 : deadline_after(timeout);
}

long row_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const uint64_t *mask, size_t size) {
    int64_t deadline = deadline_poll(timeout);
    return deadline < 0 ? deadline : poll_until(fds, count, mask, deadline);
}

/* --- select ----------------------------------------------------------------------------------- */

#define SELECT_IN (EVENT_IN | EVENT_READ_HANGUP)

static bool in_set(const fd_set *set, int fd) { return set && FD_ISSET(fd, set); }

/* Sets the bit if any of `bits` is there; result: 1 if so. */
static int set_result(fd_set *set, int fd, int bits) {
    if (!set || !bits) {
        return 0;
    }
    FD_SET(fd, set);
    return 1;
}

static void set_clear(fd_set *set, int count) {
    if (set) {
        memset(set, 0, (size_t)(count + 63) / 64 * 8);
    }
}

static long select_until(int count, fd_set *in, fd_set *out, fd_set *except, const uint64_t *mask, int64_t deadline) {
    struct poll_entry entries[FD_SETSIZE];
    size_t used = 0;
    if (count < 0) {
        return -EINVAL;
    }
    count = count > FD_SETSIZE ? FD_SETSIZE : count;
    for (int fd = 0; fd < count; fd++) {
        int events = (in_set(in, fd) ? EVENT_IN : 0) | (in_set(out, fd) ? EVENT_OUT : 0) |
                     (in_set(except, fd) ? EVENT_PRIORITY : 0);
        if (events) {
            entries[used++] = (struct poll_entry){fd, (int16_t)events, 0};
        }
    }
    long ready = poll_native(entries, used, mask, deadline);
    if (ready < 0) {
        return ready;
    }
    for (size_t i = 0; i < used; i++) {
        if (entries[i].ready & EVENT_INVALID) {
            return -EBADF;
        }
    }
    set_clear(in, count);
    set_clear(out, count);
    set_clear(except, count);
    long bits = 0;
    for (size_t i = 0; i < used; i++) {
        int fd = entries[i].handle, got = entries[i].ready, asked = entries[i].mask;
        int broken = got & (EVENT_ERROR | EVENT_HANGUP);
        bits += set_result(in, fd, asked & EVENT_IN ? got & SELECT_IN || broken : 0);
        bits += set_result(out, fd, asked & EVENT_OUT ? got & EVENT_OUT || got & EVENT_ERROR : 0);
        bits += set_result(except, fd, asked & EVENT_PRIORITY ? got & EVENT_PRIORITY : 0);
    }
    return bits;
}

long row_select(int count, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout) {
    struct timespec exact;
    if (timeout) {
        if (timeout->tv_sec < 0 || timeout->tv_usec < 0) {
            return -EINVAL;
        }
        exact.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000;
        exact.tv_nsec = timeout->tv_usec % 1000000 * 1000;
    }
    return select_until(count, in, out, except, nullptr, deadline_poll(timeout ? &exact : nullptr));
}

/* mask: null, or { pointer to the signal mask, its size }. */
long row_pselect6(int count, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
                  const uint64_t *const *mask) {
    int64_t deadline = deadline_poll(timeout);
    return deadline < 0 ? deadline : select_until(count, in, out, except, mask ? mask[0] : nullptr, deadline);
}

/* --- epoll, eventfd --------------------------------------------------------------------------- */

long row_epoll_create1(int flags) {
    if (flags & ~EPOLL_CLOEXEC) {
        return -EINVAL;
    }
    return sys_event_create(0, flags & EPOLL_CLOEXEC ? HANDLE_CLOEXEC : 0);
}

long row_epoll_create(int size) { return size <= 0 ? -EINVAL : row_epoll_create1(0); }

long row_epoll_ctl(int set, int operation, int fd, const struct epoll_event *event) {
    struct event interest = {0};
    if (!is_fd(set) || !is_fd(fd)) {
        return -EBADF;
    }
    if (set == fd) {
        return -EINVAL;
    }
    struct file_attributes file;
    if (operation == EPOLL_CTL_ADD && handle_type(fd) == OBJECT_FILE && row_fstat(fd, &file) == 0 &&
        (S_ISREG(file.mode) || S_ISDIR(file.mode))) {
        return -EPERM;
    }
    if (operation != EPOLL_CTL_DEL) {
        interest.mask = event->events;
        interest.key = event->data.u64;
    }
    long error = sys_event_control(set, (uint32_t)operation, fd, &interest);
    return error < 0 ? error : 0;
}

#define EPOLL_FEW 64

/* struct epoll_event is packed, struct event is not: many are taken into the room of the former, three for four. */

static long epoll_wait_until(int set, struct epoll_event *out, int count, int64_t deadline) {
    struct event few[EPOLL_FEW], *events = few;
    if (!is_fd(set)) {
        return -EBADF;
    }
    if (count <= 0) {
        return -EINVAL;
    }
    size_t room = count < EPOLL_FEW ? (size_t)count : EPOLL_FEW;
    size_t many = (size_t)count * sizeof(*out) / sizeof(*events);
    if (many > room) {
        events = (void *)out;
        room = many;
    }
    long ready = sys_event_wait(set, events, room, deadline);
    if (ready < 0) {
        return ready == -ETIMEDOUT || ready == -EAGAIN ? 0 : ready;
    }
    for (long i = 0; i < ready; i++) {
        struct event event;
        memcpy(&event, (const char *)events + (size_t)i * sizeof(event), sizeof(event));
        out[i].events = event.mask;
        out[i].data.u64 = event.key;
    }
    return ready;
}

long row_epoll_wait(int set, struct epoll_event *out, int count, int timeout) {
    return epoll_wait_until(set, out, count, deadline_ms(timeout));
}

/* With a mask: waits for the set itself under it, then takes what is there. */
long row_epoll_pwait(int set, struct epoll_event *out, int count, int timeout, const uint64_t *mask, size_t size) {
    if (mask) {
        struct poll_entry entry = {set, EVENT_IN, 0};
        long ready = poll_native(&entry, 1, mask, deadline_ms(timeout));
        if (ready <= 0) {
            return ready;
        }
        timeout = 0;
    }
    return row_epoll_wait(set, out, count, timeout);
}

long row_eventfd2(unsigned initial, int flags) {
    if (flags & ~(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE)) {
        return -EINVAL;
    }
    uint32_t native = (flags & EFD_CLOEXEC ? HANDLE_CLOEXEC : 0u) | (flags & EFD_SEMAPHORE ? EVENT_SEMAPHORE : 0u);
    long fd = sys_event_create(initial, native);
    if (fd >= 0 && flags & EFD_NONBLOCK) {
        sys_handle_set((handle_t)fd, 1, FILE_NONBLOCK, FILE_NONBLOCK);
    }
    return fd;
}

long row_eventfd(unsigned initial) { return row_eventfd2(initial, 0); }

/* --- inotify: the root's file system keeps the queue (servers/lib/fs/notify.c) and watches its own files only --- */

long row_inotify_init1(int flags) {
    struct call_args call;
    if (flags & ~(IN_CLOEXEC | IN_NONBLOCK)) {
        return -EINVAL;
    }
    call_prepare(&call, OP_OPEN, flags & IN_NONBLOCK, OPEN_NOTIFY, 0);
    call.request.flags = REQUEST_IDEMPOTENT;
    call.handle_flags = flags & IN_CLOEXEC ? HANDLE_CLOEXEC : 0;
    long error = call_send(HANDLE_ROOT, &call);
    return error < 0 ? error : call.reply.handle;
}

long row_inotify_init(void) { return row_inotify_init1(0); }

static long inotify_check(int fd) {
    long type = is_fd(fd) ? handle_type(fd) : -EBADF;
    return type < 0 ? type : type == OBJECT_FILE ? 0 : -EINVAL;
}

long row_inotify_add_watch(int fd, const char *path, uint32_t mask) {
    struct path_call p;
    long error = inotify_check(fd);
    if (error < 0) {
        return error;
    }
    path_prepare(&p, OP_NOTIFY, path, mask & IN_DONT_FOLLOW ? FILE_NOFOLLOW : 0, mask);
    p.call.carry = fd;
    long watch = path_send(&p, AT_FDCWD);
    return watch == -EXDEV || watch == -ENOSYS ? -EOPNOTSUPP : watch;
}

long row_inotify_rm_watch(int fd, int watch) {
    long error = inotify_check(fd);
    if (error < 0) {
        return error;
    }
    error = call_simple(fd, OP_NOTIFY, 0, (uint64_t)(int64_t)watch, 0);
    return error == -ENOSYS ? -EINVAL : error;
}
