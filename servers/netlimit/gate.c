// SPDX-License-Identifier: MIT
/*
 * A gate stands for tcp:, udp: or icmp: in the namespaces that its scheme is bound in.  What is opened there is a
 * socket of the network server, limited before anybody has it; after that the gate is out of the way.
 *
 * No message tells that the last such namespace is gone.  When a new gate is wanted those are ended whose schemes have
 * no more references than at the start.
 */
#include "netlimit.h"
#include <arpa/inet.h>
#include <flat.h>
#include <object_map.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define GATES_MAX 256
#define GATES_OF_USER 64

struct gate {
    struct scheme scheme;
    enum netlimit_scheme which;
    handle_t handle;
    uint32_t user;
    uint64_t references; /* to the scheme, when nobody else had it */
    bool ended;
    struct object_map pending;
    size_t count;
    struct inet_rule rules[];
};

struct pending { /* an open by name that waits for its connection */
    uint64_t id;
    handle_t socket;
    struct scheme_queue waiting;
};

static struct gate *gates[GATES_MAX];

static const char *const names[] = {[NETLIMIT_TCP] = "tcp:", [NETLIMIT_UDP] = "udp:", [NETLIMIT_ICMP] = "icmp:"};

static struct gate *gate_of(struct scheme *s) { return s->server; }

/* --- the network server's side ------------------------------------------------------------------- */

static long ask(handle_t h, uint32_t op, uint64_t argument, const void *in, size_t size) {
    struct call_args args = {.request = {.op = (uint16_t)op, .args = {argument}, .length = (uint32_t)size},
                             .in = in,
                             .carry = HANDLE_NONE,
                             .deadline = DEADLINE_NEVER};
    return sys_call(h, &args);
}

/* A limited socket, or -errno. */
static handle_t socket_open(const struct gate *g, uint64_t flags, uint64_t what) {
    const char *name = names[g->which];
    struct call_args args = {.request = {.op = OP_OPEN, .args = {flags, what}, .length = (uint32_t)strlen(name)},
                             .in = name,
                             .carry = HANDLE_NONE,
                             .handle_flags = HANDLE_IN_UPPER,
                             .deadline = DEADLINE_NEVER};
    long e = sys_call(HANDLE_NAMESPACE, &args);
    if (e < 0) return (handle_t)(e == -ENOENT ? -ECONNREFUSED : e);
    e = ask(args.reply.handle, INET_LIMIT, 0, g->rules, g->count * sizeof(struct inet_rule));
    if (e >= 0) return args.reply.handle;
    sys_handle_close(args.reply.handle);
    return (handle_t)e;
}

static int64_t give(struct port_buffer *call, handle_t socket) {
    call->reply.flags = REPLY_HANDLE | REPLY_MOVE;
    call->reply.handle = socket;
    return 0;
}

/* --- opens by name -------------------------------------------------------------------------------- */

union address {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* ADDRESS:PORT, [ADDRESS]:PORT, or ADDRESS alone (wants_port false): the size of *out, 0 if it is none. */
static size_t name_parse(const char *text, size_t length, bool wants_port, union address *out) {
    char copy[64], *host = copy, *end;
    unsigned long port = 0;
    if (length == 0 || length >= sizeof(copy) || memchr(text, 0, length)) return 0;
    memcpy(copy, text, length);
    copy[length] = 0;
    if (wants_port) {
        char *colon = strrchr(copy, ':');
        if (!colon || colon[1] < '0' || colon[1] > '9') return 0;
        port = strtoul(colon + 1, &end, 10);
        if (*end || port > 65535) return 0;
        *colon = 0;
    }
    size_t size = strlen(host);
    bool bracketed = size > 1 && host[0] == '[' && host[size - 1] == ']';
    if (bracketed) host[size - 1] = 0, host++;
    else if (wants_port && strchr(host, ':')) return 0;
    memset(out, 0, sizeof(*out));
    if (!bracketed && inet_pton(AF_INET, host, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons((uint16_t)port);
        return sizeof(out->v4);
    }
    if (inet_pton(AF_INET6, host, &out->v6.sin6_addr) != 1) return 0;
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons((uint16_t)port);
    return sizeof(out->v6);
}

static void pending_free(struct gate *g, struct pending *p) {
    object_remove(&g->pending, p->id);
    if (p->socket >= 0) sys_handle_close(p->socket);
    free(p);
}

/* Parks the open until the socket tells of its connection. */
static int64_t pending_make(struct gate *g, struct port_buffer *call, handle_t socket) {
    struct pending *p = calloc(1, sizeof(*p));
    if (p) p->socket = socket;
    if (p && !(p->id = object_add(&g->pending, p))) {
        free(p);
        p = nullptr;
    }
    if (!p) {
        sys_handle_close(socket);
        return -ENOMEM;
    }
    call->request.args[1] = p->id;
    int e = scheme_event_add(&g->scheme, socket, EVENT_OUT | EVENT_ERROR | EVENT_HANGUP, p->id);
    int64_t parked = e ? e : scheme_park(&g->scheme, call, &p->waiting);
    if (parked != PARK) pending_free(g, p);
    return parked;
}

static int64_t pending_again(struct gate *g, struct port_buffer *call) {
    struct pending *p = object_get(&g->pending, call->request.args[1]);
    if (!p) return -EIO;
    long state = ask(p->socket, INET_STATE, 0, nullptr, 0);
    if (state == INET_CONNECTING) return scheme_park(&g->scheme, call, &p->waiting);
    (void)!scheme_event_delete(&g->scheme, p->socket);
    int64_t result = 0;
    if (state == INET_CONNECTED) {
        give(call, p->socket);
        p->socket = HANDLE_NONE;
    } else {
        long error = state < 0 ? -state : sys_channel_control(p->socket, CHANNEL_TAKE_ERROR, 0);
        result = error > 0 ? -error : -ECONNREFUSED;
    }
    pending_free(g, p);
    return result;
}

static int64_t named_open(struct gate *g, struct port_buffer *call) {
    struct request *r = &call->request;
    union address to;
    size_t size = name_parse((const char *)call->data, r->length, g->which != NETLIMIT_ICMP, &to);
    if (!size) return -ENOENT;
    bool v4 = size == sizeof(to.v4);
    int family = v4 ? AF_INET : AF_INET6, type = g->which == NETLIMIT_TCP ? SOCK_STREAM : SOCK_DGRAM;
    int protocol = g->which != NETLIMIT_ICMP ? 0 : v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    handle_t socket =
        socket_open(g, FILE_READ_WRITE | (r->args[0] & FILE_NONBLOCK), INET_SOCKET(family, type, protocol));
    if (socket < 0) return socket;
    long e = ask(socket, INET_CONNECT, 1, &to, size);
    if (e == -EINPROGRESS) return pending_make(g, call, socket);
    if (e >= 0) return give(call, socket);
    sys_handle_close(socket);
    return e;
}

/* --- requests ------------------------------------------------------------------------------------- */

static int64_t gate_open(struct scheme *s, struct port_buffer *call) {
    struct gate *g = gate_of(s);
    const struct request *r = &call->request;
    if (scheme_again(s)) return pending_again(g, call);
    if (r->object != 0) return -ENOTDIR;
    if (r->length > 0 || !r->args[1]) return flat_is_root(call) ? flat_open(call) : named_open(g, call);
    handle_t socket = socket_open(g, r->args[0], r->args[1]);
    return socket < 0 ? socket : give(call, socket);
}

static int64_t gate_stat(struct scheme *, struct port_buffer *call) {
    return flat_is_root(call) ? flat_stat(call) : -ENOENT;
}
static int64_t gate_read(struct scheme *, struct port_buffer *call) { return flat_read(call, nullptr, 0); }
static int64_t gate_close(struct scheme *, struct port_buffer *) { return 0; }

static int64_t gate_cancel(struct scheme *s, struct port_buffer *call) {
    struct pending *p = object_get(&gate_of(s)->pending, call->request.args[1]);
    if (p) pending_free(gate_of(s), p);
    return -EINTR;
}

static void gate_event(struct scheme *s, uint64_t key, uint32_t) {
    struct pending *p = object_get(&gate_of(s)->pending, key);
    if (p) scheme_wake(s, &p->waiting);
}

/* Rung for its end: without a port the loop ends. */
static void gate_posted(struct scheme *s) {
    if (!gate_of(s)->ended) return;
    sys_handle_close(s->port);
    s->port = HANDLE_NONE; /* the number may be another's by now */
}

static const struct scheme_ops ops = {
    .handler = {[OP_OPEN] = gate_open, [OP_STAT] = gate_stat, [OP_READ] = gate_read, [OP_CLOSE] = gate_close},
    .cancel = gate_cancel,
    .event = gate_event,
    .posted = gate_posted,
};

static void *run(void *gate) {
    struct gate *g = gate;
    scheme_serve(&g->scheme);
    sys_vm_unmap((uintptr_t)g->scheme.buffer, PORT_BUFFER_SIZE);
    sys_handle_close(g->scheme.event);
    for (unsigned i = 0; i < SCHEME_CREDENTIALS_CACHED; i++) free(g->scheme.credentials[i]);
    object_map_free(&g->pending);
    free(g);
    return nullptr;
}

/* --- gates ---------------------------------------------------------------------------------------- */

static uint64_t references(handle_t scheme) {
    struct handle_info info;
    return sys_handle_info(scheme, &info) < 0 ? 0 : info.object;
}

static void gates_sweep(void) {
    for (unsigned i = 0; i < GATES_MAX; i++) {
        struct gate *g = gates[i];
        if (!g || references(g->handle) > g->references) continue;
        gates[i] = nullptr;
        sys_handle_close(g->handle);
        g->ended = true;
        sys_event_post(g->scheme.event, 1);
    }
}

static long scheme_make(enum netlimit_scheme which) {
    struct scheme_create_args args = {.name = "limited.", .rank = 37};
    strncat(args.name, names[which], strlen(names[which]) - 1);
    return sys_scheme_create(HANDLE_INIT_SYSTEM, &args);
}

static bool gate_start(struct gate *g) {
    pthread_t thread;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 32768);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    if (scheme_init(&g->scheme, g->handle, &ops, g) != 0) return false;
    g->references = references(g->handle);
    if (pthread_create(&thread, &small, run, g) == 0) return true;
    sys_handle_close(g->scheme.port);
    sys_handle_close(g->scheme.event);
    return false;
}

int gate_make(enum netlimit_scheme which, const struct inet_rule *rules, size_t count, uint32_t user) {
    unsigned place = GATES_MAX, of_user = 0;
    gates_sweep();
    for (unsigned i = 0; i < GATES_MAX; i++) {
        if (!gates[i]) place = i;
        else if (gates[i]->user == user) of_user++;
    }
    if (place == GATES_MAX || of_user >= GATES_OF_USER) return -EAGAIN;
    struct gate *g = calloc(1, sizeof(*g) + count * sizeof(*rules));
    if (!g) return -ENOMEM;
    g->which = which;
    g->user = user;
    g->count = count;
    memcpy(g->rules, rules, count * sizeof(*rules));
    long handle = scheme_make(which);
    g->handle = (handle_t)handle;
    if (handle >= 0 && gate_start(g)) {
        gates[place] = g;
        return g->handle;
    }
    if (handle >= 0) sys_handle_close(g->handle);
    free(g);
    return handle < 0 ? (int)handle : -ENOMEM;
}
