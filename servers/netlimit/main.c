// SPDX-License-Identifier: MIT
/* netlimit: hands out limited schemes. They are served by gate.c. */
#include "netlimit.h"
#include <flat.h>
#include <service.h>
#include <string.h>

static int64_t make(struct scheme *scheme, struct port_buffer *call) {
    const struct request *r = &call->request;
    const struct credentials *c = scheme_credentials(scheme, r->credentials);
    size_t count = r->length / sizeof(struct inet_rule);
    if (r->op != NETLIMIT_MAKE) return -ENOSYS;
    if (r->args[0] >= NETLIMIT_SCHEMES || r->length % sizeof(struct inet_rule) || count > INET_RULES_MAX || !c)
        return -EINVAL;
    int made = gate_make((enum netlimit_scheme)r->args[0], (const struct inet_rule *)call->data, count, c->uid);
    if (made < 0) return made;
    /* To bind it to a name, not to serve it. */
    long given = sys_handle_duplicate(made, HANDLE_FREE, 0, RIGHT_TRANSFER | RIGHT_DUPLICATE);
    if (given < 0) return given;
    call->reply.flags = REPLY_HANDLE | REPLY_MOVE;
    call->reply.handle = (handle_t)given;
    return 0;
}

static int64_t root_open(struct scheme *, struct port_buffer *call) {
    return flat_is_root(call) ? flat_open(call) : -ENOENT;
}
static int64_t root_stat(struct scheme *, struct port_buffer *call) {
    return flat_is_root(call) ? flat_stat(call) : -ENOENT;
}
static int64_t root_read(struct scheme *, struct port_buffer *call) { return flat_read(call, nullptr, 0); }
static int64_t root_close(struct scheme *, struct port_buffer *) { return 0; }

static const struct scheme_ops ops = {
    .handler = {[OP_OPEN] = root_open, [OP_STAT] = root_stat, [OP_READ] = root_read, [OP_CLOSE] = root_close},
    .user = make,
};

int main(void) {
    static struct scheme scheme;
    if (scheme_init(&scheme, SERVICE_SCHEME, &ops, nullptr) != 0) return 1;
    scheme_serve(&scheme);
    return 1;
}
