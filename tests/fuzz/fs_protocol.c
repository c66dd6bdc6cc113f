// SPDX-License-Identifier: MIT
/*
 * Requests of all kinds to a file-system server, through the real loop: each is answered once, also
 * when it was parked and given up, and at the end nothing is left.  The kernel's part is played here.
 */
#include <fs.h>
#include <stdlib.h>
#include <string.h>

#include "fs_host.h"

static long kernel_reply_wait(handle_t port, uint32_t flags, int64_t deadline);
#define sys_port_reply_wait kernel_reply_wait
#include "../../servers/lib/scheme/server.c" /* not linked: the loop sees this kernel */

#define TAGS 4096
#define FILES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct port_buffer buffer;
static const uint8_t *input, *input_end;
static bool waiting[TAGS];
static uint16_t ops[TAGS];
static uint32_t tags, cancelled;
static uint64_t files[FILES];
static uint32_t file_count, closed;

static uint8_t next_byte(void) { return input < input_end ? *input++ : 0; }

/* Small and odd values are worth more than random ones. */
static uint64_t next_value(void) {
    static const uint64_t odd[] = {0,          1,     2,       0xffffffff, 1ULL << 63, INT64_MAX,
                                   UINT64_MAX, 65536, 0040777, 0010666,    0100666};
    uint8_t b = next_byte();
    if (b < 128) return b;
    if (b < 160) return odd[b % (sizeof(odd) / sizeof(odd[0]))];
    return (uint64_t)next_byte() << (b % 24) | next_byte();
}

static uint64_t next_object(void) {
    uint8_t b = next_byte();
    return b < 32 || !file_count ? b % 4 : files[b % file_count];
}

static uint32_t next_data(void) {
    static const char *const paths[] = {"a",  "b",   "a/b", "p",    "..",   ".",       "",     "l",
                                        "l/", "d/x", "d",   "a\0b", "p\0q", "l\0/d/x", "d\0e", "a\0user.x\0v"};
    static const uint32_t lengths[] = {1, 1, 3, 1, 2, 1, 0, 1, 2, 3, 1, 3, 3, 6, 3, 10};
    uint8_t b = next_byte();
    uint32_t at = 0, length = lengths[b % 16];
    if (b & 16) /* attributes or a lock range first */
        for (at = 0; at < (b & 32 ? 144u : 32u); at++) buffer.data[at] = b & 64 ? 0 : next_byte();
    memcpy(buffer.data + at, paths[b % 16], length);
    return at + length;
}

static void answer_take(void) {
    uint32_t tag = buffer.reply.tag;
    if (!tag) return;
    if (tag > tags || !waiting[tag % TAGS] || buffer.reply.length > CALL_DATA_MAX) __builtin_trap();
    waiting[tag % TAGS] = false;
    if (buffer.reply.result >= 0 && buffer.reply.flags & REPLY_FILE) {
        if (ops[tag % TAGS] != OP_OPEN || file_count == FILES) __builtin_trap();
        files[file_count++] = buffer.reply.args[0];
    }
    buffer.reply.tag = 0;
}

static void request_make(void) {
    struct request *r = &buffer.request;
    uint8_t b = next_byte();
    *r = (struct request){
        .op = b & 128 ? OP_OPEN : b % 100, .object = next_object(), .credentials = b & 1, .pid = 1 + (b >> 1 & 3)};
    if (r->op == OP_CLOSE || r->op == OP_CANCEL || (r->op == OP_OPEN && file_count + tags % 8 + 8 > FILES))
        r->op = OP_STAT;
    if (r->op < OP_CLOSE || r->op >= OP_REOPEN) r->tag = ++tags;
    r->flags = (b & 2 ? REQUEST_ROOT_IS_OURS : 0) | (b & 4 ? REQUEST_OWN_FILE : 0);
    for (int i = 0; i < 4; i++) r->args[i] = next_value();
    if (b & 4) r->args[3] = next_object();
    r->length = next_data();
    waiting[r->tag % TAGS] = true;
    ops[r->tag % TAGS] = r->op;
}

static long kernel_reply_wait(handle_t port, uint32_t flags, int64_t deadline) {
    answer_take();
    if (flags & PORT_REPLY_ONLY) return -EAGAIN;
    if (input < input_end && tags < TAGS - 1) {
        request_make();
        return PORT_REQUEST;
    }
    if (cancelled < tags) { /* whoever still waits gives up */
        buffer.request = (struct request){.op = OP_CANCEL, .args = {++cancelled}};
        return PORT_REQUEST;
    }
    if (closed < file_count) {
        buffer.request = (struct request){.op = OP_CLOSE, .object = files[closed], .pid = 1};
        closed++;
        return PORT_REQUEST;
    }
    return -EBADF;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct credentials who[2] = {{.id = 1, .uid = 9, .fsuid = 9, .gid = 9, .fsgid = 9},
                                        {.id = 0, .privileges = PRIVILEGE_ROOT}};
    struct scheme *s = &host_fs.fs.scheme;
    host_fs_init(1000);
    memset(waiting, 0, sizeof(waiting));
    input = data;
    input_end = data + size;
    tags = cancelled = file_count = closed = 0;
    buffer.reply.tag = 0;
    *s = (struct scheme){.ops = &fs_scheme_ops, .buffer = &buffer, .server = &host_fs.fs, .deadline = DEADLINE_NEVER};
    s->credentials[0] = &who[1];
    s->credentials[1] = &who[0];
    scheme_serve(s);
    for (uint32_t i = 1; i <= tags; i++)
        if (waiting[i]) __builtin_trap();
    if (host_fs.fs.opens.count || host_fs.fs.lock_waits) __builtin_trap();
    ramfs_fini(&host_fs);
    if (host_fs.nodes_used || host_fs.entry_count) __builtin_trap();
    return 0;
}
