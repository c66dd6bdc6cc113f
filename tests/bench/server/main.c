// SPDX-License-Identifier: MIT
/*
 * The scheme `bench:`, with the loop that all servers have: one file, on which operation OP_USER takes
 * whatever data comes and answers 0.  Runs only if `bench` is on the kernel's command line.
 */
#include <scheme.h>
#include <service.h>

static int64_t bench_open(struct scheme *s, struct port_buffer *call) { return reply_file(call, 1, 0); }

static int64_t bench_user(struct scheme *s, struct port_buffer *call) { return 0; }

static const struct scheme_ops bench_ops = {
    .handler = {[OP_OPEN] = bench_open},
    .user = bench_user,
};

int main(void) {
    static struct scheme scheme;
    int error = scheme_init(&scheme, SERVICE_SCHEME, &bench_ops, nullptr);
    if (error == 0) error = scheme_serve(&scheme);
    return -error;
}
