// SPDX-License-Identifier: MIT
/*
 * Sockets. A socket is a file whose plane is a channel; a socketpair is a channel and nothing
 * else. So data, messages, descriptors and readiness are the kernel's; names and connections are
 * asked of servers: the schemes uds_stream: and uds_dgram: (cathode/uds.h says how), and of the
 * internet tcp:, udp:, icmp: and ip: (cathode/inet.h).
 */
#include "socket.h"
#include <cathode/uds.h>
#include <string.h>
#include <sys/un.h>

_Static_assert((int)UDS_LISTEN == INET_LISTEN && (int)UDS_STATE == INET_STATE, "one number for both");

long socket_check(int fd, struct socket_info *out) {
    struct handle_info info;
    long error = is_fd(fd) ? sys_handle_info(fd, &info) : -EBADF;
    if (error < 0) {
        return error;
    }
    bool file = info.type == OBJECT_FILE && PLANE_OF(info) == PLANE_CHANNEL;
    uint32_t flags = file ? info.plane >> 16 : info.plane;
    bool plain = (flags & (CHANNEL_DATAGRAM | CHANNEL_SOCKET | CHANNEL_PRIORITY)) == CHANNEL_DATAGRAM;
    out->internet = file && info.plane >> 8 & FILE_KIND_INTERNET;
    out->notifies = plain && !out->internet;
    if ((!file && info.type != OBJECT_CHANNEL) || !(flags & CHANNEL_SOCKET || plain)) {
        return -ENOTSOCK;
    }
    out->has_server = file;
    out->type = flags & CHANNEL_DATAGRAM ? SOCK_DGRAM : flags & CHANNEL_MESSAGES ? SOCK_SEQPACKET : SOCK_STREAM;
    out->nonblocking = info.status & FILE_NONBLOCK;
    out->stamped = flags & CHANNEL_STAMPED;
    out->maker = (struct ucred){(pid_t)info.offset, (uid_t)info.scheme, (gid_t)(info.scheme >> 32)};
    return 0;
}

/* --- making ------------------------------------------------------------------------------------- */

static long type_check(int domain, int type, int protocol) {
    if (domain != AF_UNIX) {
        return -EAFNOSUPPORT;
    }
    if (type & ~TYPE_FLAGS & ~0xf) {
        return -EINVAL;
    }
    if (protocol != 0 && protocol != PF_UNIX) {
        return -EPROTONOSUPPORT;
    }
    int kind = type & 0xf;
    return kind == SOCK_RAW                                                      ? SOCK_DGRAM
           : kind == SOCK_STREAM || kind == SOCK_DGRAM || kind == SOCK_SEQPACKET ? kind
                                                                                 : -ESOCKTNOSUPPORT;
}

/* What musl's mq_notify() takes for a thread that waits: a socket that sends to itself, so that who has a
 * handle to it can tell the thread. */
static long notify_socket(int type) {
    handle_t ends[2];
    uint32_t flags = CHANNEL_MESSAGES | CHANNEL_DATAGRAM | (type & SOCK_CLOEXEC ? HANDLE_CLOEXEC << 16 : 0u);
    long error = sys_channel_create(flags, CHANNEL_CAPACITY_DEFAULT, ends);
    if (error < 0) {
        return error;
    }
    error = sys_channel_control(ends[1], CHANNEL_ROUTE, (uint64_t)ends[1]);
    sys_handle_close(ends[1]);
    if (error < 0) {
        sys_handle_close(ends[0]);
    }
    return error < 0 ? error : ends[0];
}

long socket_open(const char *scheme, int type, uint64_t what) {
    struct call_args call;
    call_prepare(&call, OP_OPEN, FILE_READ_WRITE | (type & SOCK_NONBLOCK ? FILE_NONBLOCK : 0), what, 0);
    call.request.flags = REQUEST_IDEMPOTENT;
    call.handle_flags = type & SOCK_CLOEXEC ? HANDLE_CLOEXEC : 0;
    call.in = scheme;
    call.request.length = (uint32_t)strlen(scheme);
    long error = call_send(HANDLE_NAMESPACE, &call);
    return error == -ENOENT || error == -ECONNREFUSED ? -EAFNOSUPPORT : error < 0 ? error : call.reply.handle;
}

long row_socket(int domain, int type, int protocol) {
    if (domain == AF_NETLINK && (type & ~TYPE_FLAGS) == SOCK_RAW && protocol == 0) {
        return notify_socket(type);
    }
    if (domain == AF_INET || domain == AF_INET6) {
        return inet_socket(domain, type, protocol);
    }
    long kind = type_check(domain, type, protocol);
    return kind < 0 ? kind : socket_open(kind == SOCK_DGRAM ? "uds_dgram:" : "uds_stream:", type, (uint64_t)kind);
}

long row_socketpair(int domain, int type, int protocol, int *fds) {
    handle_t ends[2];
    long kind = type_check(domain, type, protocol);
    if (kind < 0) {
        return domain == AF_INET || domain == AF_INET6 ? -EOPNOTSUPP : kind;
    }
    uint32_t flags = CHANNEL_SOCKET | (kind == SOCK_STREAM ? 0u : CHANNEL_MESSAGES) |
                     (kind == SOCK_DGRAM ? CHANNEL_DATAGRAM : 0u) | (type & SOCK_CLOEXEC ? HANDLE_CLOEXEC << 16 : 0u);
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

/* --- names ---------------------------------------------------------------------------------------- */

struct target { /* an address, ready to be sent to the server */
    const void *address;
    socklen_t length;
    char path[sizeof(((struct sockaddr_un *)nullptr)->sun_path) + 1]; /* empty: none */
};

static long target_prepare(struct target *t, const void *address, socklen_t length) {
    sa_family_t family;
    if (!address) {
        return -EFAULT;
    }
    if (length < sizeof(family) || length > sizeof(struct sockaddr_un)) {
        return -EINVAL;
    }
    memcpy(&family, address, sizeof(family));
    if (family != AF_UNIX) {
        return family == AF_UNSPEC ? -EAFNOSUPPORT : -EINVAL;
    }
    t->address = address;
    t->length = length;
    size_t path = length - sizeof(family);
    memcpy(t->path, (const char *)address + sizeof(family), path);
    t->path[path] = 0;
    return 0;
}

/* One of the operations about an address; with a handle to a path's node. */
static long target_send(int fd, struct call_args *call, unsigned op, const struct target *t, handle_t node,
                        uint64_t argument) {
    call_prepare(call, op, argument, 0, 0);
    call->in = t->address;
    call->request.length = (uint32_t)t->length;
    call->carry = node;
    call->handle_flags = HANDLE_IN_UPPER;
    return call_send(fd, call);
}

/* connect() and its like: the path's node is opened for writing, which is the permission. */
static long target_reach(int fd, struct call_args *call, unsigned op, const struct target *t, uint64_t argument) {
    handle_t node = HANDLE_NONE;
    if (t->path[0]) {
        long opened = path_open(AT_FDCWD, t->path, FILE_WRITE_ONLY | FILE_SOCKET);
        if (opened < 0) {
            return opened == -EISDIR || opened == -ENXIO ? -ECONNREFUSED : opened;
        }
        node = (handle_t)opened;
    }
    long error = target_send(fd, call, op, t, node, argument);
    if (node != HANDLE_NONE) {
        sys_handle_close(node);
    }
    return error == -EXDEV || error == -EDEADLK ? -ECONNREFUSED : error;
}

long row_bind(int fd, const void *address, socklen_t length) {
    struct socket_info info;
    struct target t;
    struct call_args call;
    long error = socket_check(fd, &info);
    if (error == 0 && info.internet) {
        return inet_address(fd, INET_BIND, address, length, 0);
    }
    if (error == 0 && info.notifies) {
        return 0; /* rtnetlink: there are no groups */
    }
    if (error == 0) {
        error = target_prepare(&t, address, length);
    }
    if (error == 0 && !info.has_server) {
        error = -EINVAL;
    }
    if (error < 0) {
        return error == -EAFNOSUPPORT ? -EINVAL : error;
    }
    if (!t.path[0]) {
        error = target_send(fd, &call, UDS_BIND, &t, HANDLE_NONE, 0);
        return error < 0 ? error : 0;
    }
    error = row_mknodat(AT_FDCWD, t.path, S_IFSOCK | 0777, 0);
    if (error < 0) {
        return error == -EEXIST ? -EADDRINUSE : error;
    }
    long node = path_open(AT_FDCWD, t.path, FILE_PATH | FILE_NOFOLLOW);
    error = node < 0 ? node : target_send(fd, &call, UDS_BIND, &t, (handle_t)node, 0);
    if (node >= 0) {
        sys_handle_close((handle_t)node);
    }
    if (error < 0) {
        row_unlinkat(AT_FDCWD, t.path, 0);
    }
    return error < 0 ? error : 0;
}

long row_connect(int fd, const void *address, socklen_t length) {
    struct socket_info info;
    struct target t;
    struct call_args call;
    long error = socket_check(fd, &info);
    if (error == 0 && info.internet) {
        return inet_address(fd, INET_CONNECT, address, length, info.nonblocking);
    }
    if (error == 0) {
        error = target_prepare(&t, address, length);
    }
    if (error == -EAFNOSUPPORT && info.type == SOCK_DGRAM && info.has_server) {
        sa_family_t unspecified = AF_UNSPEC;
        t = (struct target){.address = &unspecified, .length = sizeof(unspecified)};
        error = target_send(fd, &call, UDS_CONNECT, &t, HANDLE_NONE, 0);
    } else if (error == 0) {
        error = info.has_server ? target_reach(fd, &call, UDS_CONNECT, &t, info.nonblocking) : -EISCONN;
    }
    return error == -EAFNOSUPPORT ? -EINVAL : error < 0 ? error : 0;
}

long row_listen(int fd, int backlog) {
    struct socket_info info;
    long error = socket_check(fd, &info);
    if (error == 0) {
        error = info.has_server           ? call_simple(fd, UDS_LISTEN, (uint64_t)(int64_t)backlog, 0, 0)
                : info.type == SOCK_DGRAM ? -EOPNOTSUPP
                                          : -EINVAL;
    }
    return error < 0 ? error : 0;
}

void address_answer(void *address, socklen_t *length, const void *from, size_t size) {
    if (!address || !length) {
        return;
    }
    memcpy(address, from, *length < size ? *length : size);
    *length = (socklen_t)size;
}

long row_accept4(int fd, void *address, socklen_t *length, int flags) {
    static const sa_family_t unnamed = AF_UNIX;
    struct socket_info info;
    struct call_args call;
    char peer[UDS_ADDRESS_MAX];
    if (flags & ~TYPE_FLAGS) {
        return -EINVAL;
    }
    long error = socket_check(fd, &info);
    if (error < 0) {
        return error;
    }
    if (info.type == SOCK_DGRAM || !info.has_server) {
        return info.type == SOCK_DGRAM ? -EOPNOTSUPP : -EINVAL;
    }
    if (address && (!length || (int)*length < 0)) {
        return length ? -EINVAL : -EFAULT;
    }
    call_prepare(&call, OP_OPEN, FILE_READ_WRITE | (flags & SOCK_NONBLOCK ? FILE_NONBLOCK : 0), info.nonblocking, 0);
    call.handle_flags = flags & SOCK_CLOEXEC ? HANDLE_CLOEXEC : 0;
    call.out = peer;
    call.out_size = sizeof(peer);
    long timeout = sys_channel_control(fd, CHANNEL_READ_TIMEOUT, UINT64_MAX);
    if (timeout > 0) {
        call.deadline = clock_monotonic() + timeout;
    }
    do { /* a server that comes back knows the socket: it had accepted nothing for us */
        error = sys_call(fd, &call);
    } while (error == -ENOLINK && info.internet);
    if (error < 0) {
        return error == -ETIMEDOUT ? -EAGAIN : error == -ENOLINK ? -EIO : error;
    }
    if (call.reply.length > 0) {
        address_answer(address, length, peer, call.reply.length);
    } else {
        address_answer(address, length, &unnamed, sizeof(unnamed));
    }
    return call.reply.handle;
}

long row_accept(int fd, void *address, socklen_t *length) { return row_accept4(fd, address, length, 0); }

static long name_answer(int fd, bool peer, void *address, socklen_t *length) {
    struct socket_info info;
    struct call_args call;
    char name[UDS_ADDRESS_MAX] = {AF_UNIX};
    size_t size = sizeof(sa_family_t);
    long error = socket_check(fd, &info);
    if (error < 0) {
        return error;
    }
    if (!address || !length) {
        return -EFAULT;
    }
    if ((int)*length < 0) {
        return -EINVAL;
    }
    if (info.notifies) {
        uint32_t own[3] = {AF_NETLINK, (uint32_t)process_pid(), 0};
        address_answer(address, length, own, sizeof(own));
        return 0;
    }
    if (info.has_server) {
        call_prepare(&call, OP_CHANNEL_INFO, peer, 0, 0);
        call.request.flags = REQUEST_IDEMPOTENT;
        call.out = name;
        call.out_size = sizeof(name);
        error = call_send(fd, &call);
        if (error >= 0) {
            size = call.reply.length;
        } else if (error != -ESTALE) { /* a connection of before the server's restart has lost its names */
            return error;
        }
    }
    address_answer(address, length, name, size);
    return 0;
}

long row_getsockname(int fd, void *address, socklen_t *length) { return name_answer(fd, false, address, length); }

long row_getpeername(int fd, void *address, socklen_t *length) { return name_answer(fd, true, address, length); }

/* --- sending -------------------------------------------------------------------------------------- */

uint32_t io_flags_of(int flags) {
    return (flags & MSG_DONTWAIT ? IO_NONBLOCK : 0u) | (flags & MSG_PEEK ? IO_PEEK : 0u) |
           (flags & MSG_WAITALL ? IO_WAIT_ALL : 0u) | (flags & MSG_NOSIGNAL ? IO_NO_SIGNAL : 0u);
}

/* Sends a datagram to an address: the server names the end that it goes to. */
static long send_to(int fd, struct channel_message *m, const void *address, socklen_t length) {
    struct target t;
    struct call_args call;
    long error = target_prepare(&t, address, length);
    if (error == 0) {
        error = target_reach(fd, &call, UDS_TARGET, &t, 0);
    }
    if (error < 0) {
        return error == -EAFNOSUPPORT ? -EINVAL : error;
    }
    m->flags |= MESSAGE_TO;
    m->to = call.reply.handle;
    error = sys_channel_send(fd, m, DEADLINE_NEVER);
    sys_handle_close(call.reply.handle);
    return error;
}

/* What an address given to send means for this kind of socket: true, it counts. */
static long address_counts(const struct socket_info *info, int fd, const void *address, socklen_t length) {
    if (!address || length == 0 || info->type == SOCK_SEQPACKET) {
        return 0;
    }
    if (info->internet && info->type == SOCK_STREAM) {
        return 0; /* whatever it says, as on Linux */
    }
    if (info->type == SOCK_DGRAM) {
        return info->has_server ? 1 : -EISCONN;
    }
    return info->has_server && call_simple(fd, UDS_STATE, 0, 0, 0) != UDS_CONNECTED ? -EOPNOTSUPP : -EISCONN;
}

long row_sendto(int fd, const void *data, size_t size, int flags, const void *address, socklen_t length) {
    struct socket_info info;
    long error = socket_check(fd, &info);
    if (error == 0 && info.notifies) {
        return netlink_send(fd, data, size);
    }
    if (error == 0) {
        error = flags & MSG_OOB ? -EOPNOTSUPP : address_counts(&info, fd, address, length);
    }
    if (error < 0) {
        return error;
    }
    if (error == 0) {
        return sys_write(fd, data, size, OFFSET_CURRENT, io_flags_of(flags), DEADLINE_NEVER);
    }
    struct io_vector v = {(void *)data, size};
    struct channel_message m = {.vectors = &v, .vector_count = 1, .flags = io_flags_of(flags)};
    return info.internet ? inet_send(fd, &m, address, length, nullptr) : send_to(fd, &m, address, length);
}

struct cmsghdr *control_next(const struct msghdr *message, struct cmsghdr *c) {
    char *next = (char *)c + CMSG_ALIGN(c->cmsg_len);
    char *end = (char *)message->msg_control + message->msg_controllen;
    bool more = c->cmsg_len >= sizeof(*c) && next < end && end - next >= (ptrdiff_t)sizeof(*c);
    return more ? (struct cmsghdr *)next : nullptr;
}

/* The kernel says who sends; what the program says must be that. */
static long credentials_check(const struct ucred *u) {
    struct credentials own;
    long error = sys_process_info(0, PROCESS_CREDENTIALS, &own, sizeof(own), 0);
    if (error < 0) {
        return error;
    }
    bool uid = u->uid == own.uid || u->uid == own.euid || u->uid == own.suid;
    bool gid = u->gid == own.gid || u->gid == own.egid || u->gid == own.sgid;
    return u->pid == process_pid() && uid && gid ? 0 : -EPERM;
}

static long rights_add(const struct cmsghdr *c, handle_t *handles, size_t *count) {
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    if (*count + n > CHANNEL_HANDLES_MAX) {
        return *count ? -ETOOMANYREFS : -EINVAL;
    }
    memcpy(handles + *count, (const char *)c + CMSG_LEN(0), n * sizeof(int));
    for (size_t end = *count + n; *count < end; ++*count) {
        if (!is_fd(handles[*count])) {
            return -EBADF;
        }
    }
    return 0;
}

/* Control data of a message to send: the handles in it, and how many. */
static long control_collect(const struct msghdr *message, handle_t *handles) {
    size_t count = 0;
    long error = 0;
    const char *end = (const char *)message->msg_control + message->msg_controllen;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c && error == 0; c = control_next(message, c)) {
        if (c->cmsg_len < CMSG_LEN(0) || c->cmsg_len > (size_t)(end - (const char *)c)) {
            return -EINVAL;
        }
        struct ucred u;
        if (c->cmsg_level != SOL_SOCKET) {
            continue;
        }
        switch (c->cmsg_type) {
        case SCM_RIGHTS: error = rights_add(c, handles, &count); break;
        case SCM_CREDENTIALS:
            if (c->cmsg_len != CMSG_LEN(sizeof(u))) {
                return -EINVAL;
            }
            memcpy(&u, CMSG_DATA(c), sizeof(u));
            error = credentials_check(&u);
            break;
        default: error = -EINVAL;
        }
    }
    return error < 0 ? error : (long)count;
}

/* A request in pieces. */
static long netlink_sendmsg(int fd, const struct msghdr *message) {
    char whole[8192];
    size_t size = 0;
    for (int i = 0; i < message->msg_iovlen; i++) {
        const struct iovec *v = &message->msg_iov[i];
        if (v->iov_len > sizeof(whole) - size) {
            return -EMSGSIZE;
        }
        memcpy(whole + size, v->iov_base, v->iov_len);
        size += v->iov_len;
    }
    return netlink_send(fd, whole, size);
}

long row_sendmsg(int fd, const struct msghdr *message, int flags) {
    handle_t handles[CHANNEL_HANDLES_MAX];
    struct socket_info info;
    long to = socket_check(fd, &info);
    if (to == 0 && info.notifies) {
        return netlink_sendmsg(fd, message);
    }
    if (to == 0) {
        to = flags & MSG_OOB ? -EOPNOTSUPP : address_counts(&info, fd, message->msg_name, message->msg_namelen);
    }
    bool rights = message->msg_control && !info.internet;
    long count = to < 0 ? to : rights ? control_collect(message, handles) : 0;
    if (count < 0) {
        return count;
    }
    if (message->msg_iovlen < 0 || message->msg_iovlen > IOV_MAX) {
        return -EMSGSIZE;
    }
    struct channel_message native = {
        .vectors = (const struct io_vector *)message->msg_iov,
        .vector_count = (uint32_t)message->msg_iovlen,
        .flags = io_flags_of(flags),
        .handles = handles,
        .handle_count = (uint32_t)count,
    };
    if (info.internet && info.type != SOCK_STREAM) {
        return inet_send(fd, &native, message->msg_name, message->msg_namelen, message);
    }
    return to ? send_to(fd, &native, message->msg_name, message->msg_namelen)
              : sys_channel_send(fd, &native, DEADLINE_NEVER);
}

/* --- receiving ------------------------------------------------------------------------------------ */

void control_add(struct control *c, int level, int type, const void *data, size_t size) {
    if (c->left < sizeof(struct cmsghdr)) {
        c->truncated = true;
        return;
    }
    size_t fits = c->left - CMSG_LEN(0) < size ? c->left - CMSG_LEN(0) : size;
    struct cmsghdr h = {.cmsg_len = (socklen_t)CMSG_LEN(fits), .cmsg_level = level, .cmsg_type = type};
    c->truncated |= fits < size;
    memcpy(c->at, &h, sizeof(h));
    memcpy(c->at + CMSG_LEN(0), data, fits);
    size_t space = CMSG_SPACE(fits) < c->left ? CMSG_SPACE(fits) : c->left;
    c->at += space;
    c->left -= space;
}

static void credentials_deliver(struct control *c, const struct channel_message *m) {
    struct ucred u = {.pid = 0, .uid = 65534, .gid = 65534}; /* unknown: sent before they were asked for */
    if (m->credentials) {
        u = (struct ucred){.pid = (pid_t)m->pid, .uid = m->uid, .gid = m->gid};
    }
    control_add(c, SOL_SOCKET, SCM_CREDENTIALS, &u, sizeof(u));
}

static size_t rights_room(size_t left) {
    size_t room = left < CMSG_LEN(sizeof(int)) ? 0 : (left - CMSG_LEN(0)) / sizeof(int);
    return room < CHANNEL_HANDLES_MAX ? room : CHANNEL_HANDLES_MAX;
}

/* Descriptors that don't fit behind the credentials are closed, and that is said. */
static void rights_deliver(struct control *c, const handle_t *handles, uint32_t count) {
    size_t room = rights_room(c->left);
    for (uint32_t i = (uint32_t)room; i < count; i++) {
        sys_handle_close(handles[i]);
        c->truncated = true;
    }
    if (count && room) {
        control_add(c, SOL_SOCKET, SCM_RIGHTS, handles, (count < room ? count : room) * sizeof(int));
    }
}

/* Bytes received; with MSG_TRUNC the length of the message. */
static long received(const struct socket_info *info, const struct channel_message *m, int flags, long got) {
    return flags & MSG_TRUNC && info->type != SOCK_STREAM ? (long)m->size : got;
}

/* A request to rtnetlink that came back, since it was sent by write(): answers it. True: receive again. */
static bool netlink_written(int fd, const struct socket_info *info, const struct channel_message *m, long got) {
    uint32_t said;
    if (!info->notifies || m->address_length > 0 || got < (long)sizeof(said) || (long)m->vectors[0].length < got) {
        return false;
    }
    memcpy(&said, m->vectors[0].base, sizeof(said));
    return said == got && netlink_send(fd, m->vectors[0].base, (size_t)got) >= 0;
}

/* There are neither urgent data nor a queue of errors. */
static long flags_check(const struct socket_info *info, int flags) {
    return flags & MSG_ERRQUEUE ? -EAGAIN : !(flags & MSG_OOB) ? 0 : info->type == SOCK_STREAM ? -EINVAL : -EOPNOTSUPP;
}

long row_recvmsg(int fd, struct msghdr *message, int flags) {
    handle_t handles[CHANNEL_HANDLES_MAX];
    char address[CHANNEL_ADDRESS_MAX];
    struct socket_info info;
    long error = socket_check(fd, &info);
    if (error < 0) {
        return error;
    }
    error = flags_check(&info, flags);
    if (error < 0) {
        return error;
    }
    if (message->msg_iovlen < 0 || message->msg_iovlen > IOV_MAX) {
        return -EMSGSIZE;
    }
    struct control control = {message->msg_control, message->msg_control ? message->msg_controllen : 0, false};
    struct channel_message native = {
        .vectors = (const struct io_vector *)message->msg_iov,
        .vector_count = (uint32_t)message->msg_iovlen,
        .flags = io_flags_of(flags),
        .address = address,
        .address_length = sizeof(address),
        .handles = handles,
        .handle_count = (uint32_t)rights_room(control.left),
        .handle_flags = flags & MSG_CMSG_CLOEXEC ? HANDLE_CLOEXEC : 0,
    };
    long got = sys_channel_receive(fd, &native, DEADLINE_NEVER);
    if (got < 0) {
        return got;
    }
    if (netlink_written(fd, &info, &native, got)) {
        return row_recvmsg(fd, message, flags);
    }
    if (info.stamped) {
        credentials_deliver(&control, &native);
    }
    if (info.internet) {
        inet_deliver(&control, &native);
    }
    rights_deliver(&control, handles, native.handle_count);
    bool truncated = control.truncated || native.flags & MESSAGE_HANDLES_TRUNCATED;
    message->msg_flags =
        (native.flags & MESSAGE_TRUNCATED ? MSG_TRUNC : 0) | (truncated ? MSG_CTRUNC : 0) | (flags & MSG_CMSG_CLOEXEC);
    message->msg_controllen = (socklen_t)(control.at - (char *)message->msg_control);
    if (message->msg_name && info.internet) {
        inet_answer(message->msg_name, &message->msg_namelen, &native);
    } else if (message->msg_name) {
        address_answer(message->msg_name, &message->msg_namelen, address, native.address_length);
    } else {
        message->msg_namelen = 0;
    }
    return received(&info, &native, flags, got);
}

long row_recvfrom(int fd, void *data, size_t size, int flags, void *address, socklen_t *length) {
    struct socket_info info;
    long error = socket_check(fd, &info);
    if (error < 0) {
        return error;
    }
    error = flags_check(&info, flags);
    if (error < 0) {
        return error;
    }
    if (!address && !(flags & MSG_TRUNC) && !info.notifies) {
        return sys_read(fd, data, size, OFFSET_CURRENT, io_flags_of(flags), DEADLINE_NEVER);
    }
    if (address && (!length || (int)*length < 0)) {
        return length ? -EINVAL : -EFAULT;
    }
    char from[CHANNEL_ADDRESS_MAX];
    struct io_vector v = {data, size};
    struct channel_message native = {
        .vectors = &v, .vector_count = 1, .flags = io_flags_of(flags), .address = from, .address_length = sizeof(from)};
    long got = sys_channel_receive(fd, &native, DEADLINE_NEVER);
    if (got < 0) {
        return got;
    }
    if (netlink_written(fd, &info, &native, got)) {
        return row_recvfrom(fd, data, size, flags, address, length);
    }
    if (!address) {
        return received(&info, &native, flags, got);
    }
    if (info.internet) {
        inet_answer(address, length, &native);
    } else {
        address_answer(address, length, from, native.address_length);
    }
    return received(&info, &native, flags, got);
}

/* Waits for the first only (as every kernel does, the timeout is looked at between messages). */
long row_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, unsigned flags, struct timespec *timeout) {
    int64_t deadline = timeout ? deadline_after(timeout) : DEADLINE_NEVER;
    unsigned done = 0;
    if (deadline < 0) {
        return deadline;
    }
    while (done < count) {
        unsigned waits = done > 0 && flags & MSG_WAITFORONE ? MSG_DONTWAIT : 0;
        long got = row_recvmsg(fd, &messages[done].msg_hdr, (int)((flags & ~(unsigned)MSG_WAITFORONE) | waits));
        if (got < 0) {
            return done ? (long)done : got;
        }
        messages[done++].msg_len = (unsigned)got;
        if (timeout && clock_monotonic() >= deadline) {
            break;
        }
    }
    return done;
}

/* --- the socket itself ------------------------------------------------------------------------ */

long row_shutdown(int fd, int how) {
    struct socket_info info;
    long error = socket_check(fd, &info);
    if (error < 0) {
        return error;
    }
    if (how < SHUT_RD || how > SHUT_RDWR) {
        return -EINVAL;
    }
    if (info.internet) {
        return inet_shutdown(fd, how);
    }
    return sys_channel_control(fd, CHANNEL_SHUTDOWN, (uint64_t)(how + 1));
}

long option_answer(void *value, socklen_t *length, const void *from, size_t size) {
    *length = *length < size ? *length : (socklen_t)size;
    memcpy(value, from, *length);
    return 0;
}

/* SO_PEERCRED: the server knows it of connections; a pair's other end is its maker's, too. */
static long peer_credentials(int fd, const struct socket_info *info, struct ucred *out) {
    struct call_args call;
    if (info->has_server) {
        call_prepare(&call, UDS_CREDENTIALS, 0, 0, 0);
        call.request.flags = REQUEST_IDEMPOTENT;
        call.out = out;
        call.out_size = sizeof(*out);
        return call_send(fd, &call);
    }
    *out = info->maker;
    return 0;
}

static unsigned timeout_op(int option) { return option == SO_RCVTIMEO ? CHANNEL_READ_TIMEOUT : CHANNEL_WRITE_TIMEOUT; }

/* Options that are the channel's, whatever the family. */
static bool option_is_common(int level, int option) {
    return level == SOL_SOCKET && (option == SO_ERROR || option == SO_SNDBUF || option == SO_RCVBUF ||
                                   option == SO_RCVTIMEO || option == SO_SNDTIMEO);
}

long row_getsockopt(int fd, int level, int option, void *value, socklen_t *length) {
    struct socket_info info;
    struct ucred peer;
    long answer = socket_check(fd, &info);
    if (answer < 0) {
        return answer;
    }
    if (!value || !length) {
        return -EFAULT;
    }
    if ((int)*length < 0) {
        return -EINVAL;
    }
    if (info.internet && !option_is_common(level, option)) {
        return inet_getsockopt(fd, &info, level, option, value, length);
    }
    if (level != SOL_SOCKET) {
        return -EOPNOTSUPP;
    }
    switch (option) {
    case SO_TYPE: answer = info.type; break;
    case SO_DOMAIN: answer = AF_UNIX; break;
    case SO_ERROR: answer = sys_channel_control(fd, CHANNEL_TAKE_ERROR, 0); break;
    case SO_ACCEPTCONN: answer = info.has_server ? call_simple(fd, UDS_STATE, 0, 0, 0) == UDS_LISTENING : 0; break;
    case SO_SNDBUF:
    case SO_RCVBUF: answer = sys_channel_control(fd, CHANNEL_CAPACITY, 0); break;
    case SO_PASSCRED: answer = info.stamped; break;
    case SO_RCVLOWAT: answer = 1; break;
    case SO_PROTOCOL:
    case SO_DEBUG:
    case SO_REUSEADDR:
    case SO_REUSEPORT:
    case SO_KEEPALIVE:
    case SO_DONTROUTE:
    case SO_BROADCAST:
    case SO_OOBINLINE:
    case SO_PRIORITY:
    case SO_TIMESTAMP: break;
    case SO_LINGER: return option_answer(value, length, &(struct linger){0}, sizeof(struct linger));
    case SO_RCVTIMEO:
    case SO_SNDTIMEO: {
        long ns = sys_channel_control(fd, timeout_op(option), UINT64_MAX);
        struct timeval t = {.tv_sec = ns / NS_PER_SECOND, .tv_usec = ns % NS_PER_SECOND / 1000};
        return option_answer(value, length, &t, sizeof(t));
    }
    case SO_PEERCRED:
        answer = peer_credentials(fd, &info, &peer);
        return answer < 0 ? answer : option_answer(value, length, &peer, sizeof(peer));
    default: return -ENOPROTOOPT;
    }
    int number = (int)answer;
    return answer < 0 ? answer : option_answer(value, length, &number, sizeof(number));
}

static long set_timeout(int fd, int option, const void *value, socklen_t length) {
    struct timeval t;
    if (length < sizeof(t)) {
        return -EINVAL;
    }
    memcpy(&t, value, sizeof(t));
    if (t.tv_usec < 0 || t.tv_usec >= 1000000) {
        return -EDOM;
    }
    bool never = t.tv_sec > INT32_MAX || (t.tv_sec == 0 && t.tv_usec == 0);
    int64_t ns = never ? 0 : t.tv_sec < 0 ? 1 : t.tv_sec * NS_PER_SECOND + t.tv_usec * 1000;
    long old = sys_channel_control(fd, timeout_op(option), (uint64_t)ns);
    return old < 0 ? old : 0;
}

long row_setsockopt(int fd, int level, int option, const void *value, socklen_t length) {
    struct socket_info info;
    int number;
    long error = socket_check(fd, &info);
    if (error < 0) {
        return error;
    }
    if (info.internet && !option_is_common(level, option)) {
        return inet_setsockopt(fd, level, option, value, length);
    }
    if (level != SOL_SOCKET) {
        return -EOPNOTSUPP;
    }
    if (!value) {
        return -EFAULT;
    }
    if (option == SO_RCVTIMEO || option == SO_SNDTIMEO) {
        return set_timeout(fd, option, value, length);
    }
    if (length < sizeof(number)) {
        return -EINVAL;
    }
    memcpy(&number, value, sizeof(number));
    switch (option) {
    case SO_SNDBUF:
    case SO_RCVBUF: {
        /* What is beyond the system's limits is cut, as everywhere. */
        uint64_t wanted = number < 4096 ? 4096 : number > 1 << 20 ? 1 << 20 : (uint64_t)number;
        error = sys_channel_control(fd, CHANNEL_SET_CAPACITY, wanted);
        return error == -EBUSY ? 0 : error < 0 ? error : 0;
    }
    case SO_PASSCRED: error = sys_channel_control(fd, CHANNEL_SET_STAMPED, number != 0); return error < 0 ? error : 0;
    case SO_LINGER:
    case SO_DEBUG:
    case SO_REUSEADDR:
    case SO_REUSEPORT:
    case SO_KEEPALIVE:
    case SO_DONTROUTE:
    case SO_BROADCAST:
    case SO_OOBINLINE:
    case SO_PRIORITY:
    case SO_RCVLOWAT:
    case SO_TIMESTAMP: return 0; /* of no effect here */
    default: return -ENOPROTOOPT;
    }
}
