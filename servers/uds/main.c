// SPDX-License-Identifier: MIT
/* The schemes uds_stream: and uds_dgram:, a thread each; one lock. */
#include "uds.h"
#include <flat.h>
#include <pthread.h>
#include <stdlib.h>
#include <service.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
struct uds uds_schemes[2] = {{.type = SOCK_STREAM}, {.type = SOCK_DGRAM}};

static int64_t answer_stat(const struct socket *s, struct port_buffer *call) {
    struct file_attributes a = {.inode = s->id, .links = 1, .mode = S_IFSOCK | 0777, .block_size = 4096};
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

static int64_t answer_credentials(const struct socket *s, struct port_buffer *call) {
    static const struct ucred nobody = {.pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1};
    memcpy(call->data, s->state == UDS_CONNECTED ? &s->peer_credentials : &nobody, sizeof(nobody));
    call->reply.length = sizeof(nobody);
    return 0;
}

static int64_t serve(struct socket *s, struct port_buffer *call) {
    switch (call->request.op) {
    case OP_OPEN: return socket_accept(s, call);
    case OP_CLOSE: socket_close(s); return 0;
    case OP_STAT: return call->request.length > 0 ? -ENOTDIR : answer_stat(s, call);
    case OP_CHANNEL_INFO: return socket_info(s, call);
    case OP_CONTROL: return -ENOTTY;
    case OP_SET_ATTRIBUTES: return call->request.args[1] & SET_SIZE ? -EINVAL : 0; /* of no effect */
    case UDS_BIND: return socket_bind(s, call);
    case UDS_LISTEN: return socket_listen(s, call);
    case UDS_CONNECT: return socket_connect(s, call);
    case UDS_TARGET: return socket_target(s, call);
    case UDS_CREDENTIALS: return answer_credentials(s, call);
    case UDS_STATE: return s->state;
    default: return -ENOSYS;
    }
}

/* The root: opened for reading and writing it is a new socket, else an empty directory. */
static int64_t serve_root(struct uds *u, struct port_buffer *call) {
    if (call->request.object != 0) return -EBADF;
    switch (call->request.op) {
    case OP_OPEN: {
        uint64_t flags = call->request.args[0];
        bool socket = (flags & FILE_ACCESS_MASK) == FILE_READ_WRITE && !(flags & FILE_PATH);
        return socket ? socket_open(u, call) : flat_is_root(call) ? flat_open(call) : -ENOENT;
    }
    case OP_STAT: return flat_is_root(call) ? flat_stat(call) : -ENOENT;
    case OP_READ: return flat_read(call, nullptr, 0);
    default: return -EBADF;
    }
}

static int64_t request(struct scheme *scheme, struct port_buffer *call) {
    struct uds *u = scheme->server;
    pthread_mutex_lock(&lock);
    struct socket *s = object_get(&u->sockets, call->request.object);
    int64_t result = s ? serve(s, call) : serve_root(u, call);
    pthread_mutex_unlock(&lock);
    return result;
}

const struct scheme_ops uds_ops = {
    .handler = {[OP_OPEN] = request,
                [OP_CLOSE] = request,
                [OP_STAT] = request,
                [OP_READ] = request,
                [OP_CHANNEL_INFO] = request,
                [OP_CONTROL] = request,
                [OP_SET_ATTRIBUTES] = request},
    .user = request,
};

static void *run(void *scheme) {
    scheme_serve(scheme);
    _Exit(1);
}

int main(void) {
    pthread_t thread;
    for (int i = 0; i < 2; i++)
        if (scheme_init(&uds_schemes[i].scheme, SERVICE_SLOT(i), &uds_ops, &uds_schemes[i]) != 0) return 1;
    if (pthread_create(&thread, nullptr, run, &uds_schemes[1].scheme) != 0) return 1;
    run(&uds_schemes[0].scheme);
}
