// SPDX-License-Identifier: MIT
/*
 * Sockets without names: socketpairs, which are channels of two directions. Sockets with names come
 * with the services that keep the names (tcp: udp: uds_stream: uds_dgram:).
 */
#include "shim.h"
#include <string.h>

#define SEND_FLAGS (MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR)
#define RECEIVE_FLAGS (MSG_DONTWAIT | MSG_PEEK | MSG_WAITALL | MSG_CMSG_CLOEXEC | MSG_TRUNC)

long row_socket(int domain, int type, int protocol) { return -EAFNOSUPPORT; }

long row_socketpair(int domain, int type, int protocol, int *fds) {
    handle_t ends[2];
    int kind = type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (domain != AF_UNIX) {
        return domain == AF_INET || domain == AF_INET6 ? -EOPNOTSUPP : -EAFNOSUPPORT;
    }
    if (protocol != 0 && protocol != PF_UNIX) {
        return -EPROTONOSUPPORT;
    }
    if (kind != SOCK_STREAM && kind != SOCK_DGRAM && kind != SOCK_SEQPACKET) {
        return -ESOCKTNOSUPPORT;
    }
    uint32_t flags = (kind == SOCK_STREAM ? 0u : CHANNEL_MESSAGES) | (kind == SOCK_SEQPACKET ? CHANNEL_SEQUENCED : 0u) |
                     (type & SOCK_CLOEXEC ? HANDLE_CLOEXEC << 16 : 0u);
    long error = sys_channel_create(flags, CHANNEL_CAPACITY_DEFAULT, ends);
    if (error < 0) {
        return error;
    }
    if (type & SOCK_NONBLOCK) {
        sys_handle_set(ends[0], 1, FILE_NONBLOCK, FILE_NONBLOCK);
        sys_handle_set(ends[1], 1, FILE_NONBLOCK, FILE_NONBLOCK);
    }
    fds[0] = ends[0];
    fds[1] = ends[1];
    return 0;
}

/* 0 if fd is a socket; the channel's flags at *plane. */
static long socket_check(int fd, uint32_t *plane) {
    struct handle_info info;
    long error = is_fd(fd) ? sys_handle_info(fd, &info) : -EBADF;
    if (error < 0) {
        return error;
    }
    *plane = info.plane;
    return info.type != OBJECT_CHANNEL || info.plane & CHANNEL_ONE_WAY ? -ENOTSOCK : 0;
}

static uint32_t io_flags_of(int flags) {
    return (flags & MSG_DONTWAIT ? IO_NONBLOCK : 0u) | (flags & MSG_PEEK ? IO_PEEK : 0u) |
           (flags & MSG_WAITALL ? IO_WAIT_ALL : 0u) | (flags & MSG_NOSIGNAL ? IO_NO_SIGNAL : 0u);
}

/* --- data without handles --------------------------------------------------------------------- */

long row_sendto(int fd, const void *data, size_t size, int flags, const void *address, socklen_t length) {
    uint32_t plane;
    long error = socket_check(fd, &plane);
    if (error < 0) {
        return error;
    }
    if (flags & ~SEND_FLAGS) {
        return -EOPNOTSUPP;
    }
    if (address && length) {
        return -EISCONN;
    }
    return sys_write(fd, data, size, OFFSET_CURRENT, io_flags_of(flags), DEADLINE_NEVER);
}

/* --- messages with handles -------------------------------------------------------------------- */

/* CMSG_NXTHDR without musl's mix of signs. */
static struct cmsghdr *rights_next(const struct msghdr *message, struct cmsghdr *c) {
    char *next = (char *)c + CMSG_ALIGN(c->cmsg_len);
    char *end = (char *)message->msg_control + message->msg_controllen;
    bool more = c->cmsg_len >= sizeof(*c) && next < end && end - next >= (ptrdiff_t)sizeof(*c);
    return more ? (struct cmsghdr *)next : nullptr;
}

/* The kernel says who sent a message; a program may only repeat that. */
static long credentials_check(const struct cmsghdr *c) {
    struct ucred ids;
    if (c->cmsg_len != CMSG_LEN(sizeof(ids))) {
        return -EINVAL;
    }
    memcpy(&ids, CMSG_DATA(c), sizeof(ids));
    bool mine = ids.pid == row_getpid() && (ids.uid == row_getuid() || ids.uid == row_geteuid()) &&
                (ids.gid == row_getgid() || ids.gid == row_getegid());
    return mine ? 0 : -EPERM;
}

/* SCM_RIGHTS of a message to send: the handles, and how many; of other control data only credentials. */
static long rights_collect(const struct msghdr *message, handle_t *handles) {
    size_t count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = rights_next(message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
            long error = credentials_check(c);
            if (error < 0) {
                return error;
            }
            continue;
        }
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0)) {
            return -EINVAL;
        }
        size_t bytes = c->cmsg_len - CMSG_LEN(0), n = bytes / sizeof(int);
        if (count + n > CHANNEL_HANDLES_MAX) {
            return -EINVAL;
        }
        memcpy(handles + count, CMSG_DATA(c), n * sizeof(int));
        count += n;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_fd(handles[i])) {
            return -EBADF;
        }
    }
    return (long)count;
}

long row_sendmsg(int fd, const struct msghdr *message, int flags) {
    handle_t handles[CHANNEL_HANDLES_MAX];
    uint32_t plane;
    long error = socket_check(fd, &plane);
    if (error < 0) {
        return error;
    }
    if (flags & ~SEND_FLAGS) {
        return -EOPNOTSUPP;
    }
    if (message->msg_name && message->msg_namelen) {
        return -EISCONN;
    }
    long count = message->msg_control ? rights_collect(message, handles) : 0;
    if (count < 0) {
        return count;
    }
    struct channel_message native = {
        .vectors = (const struct io_vector *)message->msg_iov,
        .vector_count = (uint32_t)message->msg_iovlen,
        .flags = io_flags_of(flags),
        .handles = handles,
        .handle_count = (uint32_t)count,
    };
    return sys_channel_send(fd, &native, DEADLINE_NEVER);
}

/* Room for descriptors in a control buffer of this size. */
static uint32_t rights_room(size_t size) {
    size_t room = size < CMSG_LEN(sizeof(int)) ? 0 : (size - CMSG_LEN(0)) / sizeof(int);
    return room < CHANNEL_HANDLES_MAX ? (uint32_t)room : CHANNEL_HANDLES_MAX;
}

/* Adds control data at *used; what does not fit is cut. */
static void control_add(struct msghdr *message, size_t *used, int type, const void *data, size_t size) {
    size_t room = message->msg_control ? message->msg_controllen - *used : 0;
    if (room < CMSG_LEN(size)) {
        message->msg_flags |= MSG_CTRUNC;
        return;
    }
    struct cmsghdr *c = (struct cmsghdr *)((char *)message->msg_control + *used);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = type;
    c->cmsg_len = (socklen_t)CMSG_LEN(size);
    memcpy(CMSG_DATA(c), data, size);
    *used += CMSG_SPACE(size) < room ? CMSG_SPACE(size) : room;
}

static void control_deliver(struct msghdr *message, const struct channel_message *native, bool stamped) {
    size_t used = 0;
    if (stamped && native->credentials) {
        struct ucred ids = {.pid = (pid_t)native->pid, .uid = native->uid, .gid = native->gid};
        control_add(message, &used, SCM_CREDENTIALS, &ids, sizeof(ids));
    }
    if (native->handle_count) {
        control_add(message, &used, SCM_RIGHTS, native->handles, native->handle_count * sizeof(int));
    }
    message->msg_controllen = (socklen_t)used;
}

long row_recvmsg(int fd, struct msghdr *message, int flags) {
    handle_t handles[CHANNEL_HANDLES_MAX];
    uint32_t plane;
    long error = socket_check(fd, &plane);
    if (error < 0) {
        return error;
    }
    if (flags & ~RECEIVE_FLAGS) {
        return -EOPNOTSUPP;
    }
    bool stamped = plane & CHANNEL_STAMPED;
    size_t room = message->msg_control ? message->msg_controllen : 0, ids = CMSG_SPACE(sizeof(struct ucred));
    struct channel_message native = {
        .vectors = (const struct io_vector *)message->msg_iov,
        .vector_count = (uint32_t)message->msg_iovlen,
        .flags = io_flags_of(flags),
        .handles = handles,
        .handle_count = rights_room(!stamped     ? room
                                    : room < ids ? 0
                                                 : room - ids),
        .handle_flags = flags & MSG_CMSG_CLOEXEC ? HANDLE_CLOEXEC : 0,
    };
    long got = sys_channel_receive(fd, &native, DEADLINE_NEVER);
    if (got < 0) {
        return got;
    }
    message->msg_namelen = 0;
    message->msg_flags = (native.flags & MESSAGE_TRUNCATED ? MSG_TRUNC : 0) |
                         (native.flags & MESSAGE_HANDLES_TRUNCATED ? MSG_CTRUNC : 0);
    control_deliver(message, &native, stamped);
    return flags & MSG_TRUNC ? (long)native.size : got;
}

long row_recvfrom(int fd, void *data, size_t size, int flags, void *address, socklen_t *length) {
    uint32_t plane;
    long error = socket_check(fd, &plane);
    if (error < 0) {
        return error;
    }
    if (flags & ~RECEIVE_FLAGS) {
        return -EOPNOTSUPP;
    }
    if (length) {
        *length = 0;
    }
    if (flags & MSG_TRUNC) { /* the size of the whole message is asked for */
        struct iovec whole = {data, size};
        struct msghdr message = {.msg_iov = &whole, .msg_iovlen = 1};
        return row_recvmsg(fd, &message, flags);
    }
    return sys_read(fd, data, size, OFFSET_CURRENT, io_flags_of(flags), DEADLINE_NEVER);
}

/* --- the socket itself ------------------------------------------------------------------------ */

long row_shutdown(int fd, int how) {
    uint32_t plane;
    long error = socket_check(fd, &plane);
    if (error < 0) {
        return error;
    }
    if (how < SHUT_RD || how > SHUT_RDWR) {
        return -EINVAL;
    }
    return sys_channel_control(fd, CHANNEL_SHUTDOWN, (uint64_t)(how + 1));
}

/* Both ends of a socketpair are nameless: the family is all there is. */
static long name_answer(int fd, void *address, socklen_t *length) {
    uint32_t plane;
    sa_family_t family = AF_UNIX;
    long error = socket_check(fd, &plane);
    if (error < 0) {
        return error;
    }
    memcpy(address, &family, *length < sizeof(family) ? *length : sizeof(family));
    *length = sizeof(family);
    return 0;
}

long row_getsockname(int fd, void *address, socklen_t *length) { return name_answer(fd, address, length); }

long row_getpeername(int fd, void *address, socklen_t *length) { return name_answer(fd, address, length); }

long row_getsockopt(int fd, int level, int option, void *value, socklen_t *length) {
    struct handle_info info;
    uint32_t plane;
    struct ucred answer = {0};
    size_t size = sizeof(int);
    long error = socket_check(fd, &plane);
    if (error < 0 || (error = sys_handle_info(fd, &info)) < 0) {
        return error;
    }
    if (level != SOL_SOCKET) {
        return -EOPNOTSUPP;
    }
    switch (option) {
    case SO_TYPE:
        answer.pid = plane & CHANNEL_SEQUENCED ? SOCK_SEQPACKET : plane & CHANNEL_MESSAGES ? SOCK_DGRAM : SOCK_STREAM;
        break;
    case SO_DOMAIN: answer.pid = AF_UNIX; break;
    case SO_ERROR:
    case SO_PROTOCOL:
    case SO_ACCEPTCONN: break;
    case SO_SNDBUF:
    case SO_RCVBUF: answer.pid = CHANNEL_CAPACITY_DEFAULT; break;
    case SO_PASSCRED: answer.pid = (plane & CHANNEL_STAMPED) != 0; break;
    case SO_PEERCRED:
        answer = (struct ucred){(pid_t)info.offset, (uid_t)info.scheme, (gid_t)(info.scheme >> 32)};
        size = sizeof(answer);
        break;
    default: return -ENOPROTOOPT;
    }
    *length = *length < size ? *length : (socklen_t)size;
    memcpy(value, &answer, *length);
    return 0;
}

long row_setsockopt(int fd, int level, int option, const void *value, socklen_t length) {
    uint32_t plane;
    int number;
    long error = socket_check(fd, &plane);
    if (error < 0) {
        return error;
    }
    if (level != SOL_SOCKET || (option != SO_SNDBUF && option != SO_RCVBUF && option != SO_PASSCRED)) {
        return -ENOPROTOOPT;
    }
    if (length < sizeof(number)) {
        return -EINVAL;
    }
    memcpy(&number, value, sizeof(number));
    if (option == SO_PASSCRED) {
        return sys_channel_control(fd, CHANNEL_SET_STAMPED, number != 0);
    }
    return number <= 0 ? -EINVAL : sys_channel_control(fd, CHANNEL_SET_CAPACITY, (uint64_t)number);
}
