// SPDX-License-Identifier: MIT
/* example: keeps one note. Reading gives it, writing replaces it, and who waits for a new one gets it. */
#include <object_map.h>
#include <scheme.h>
#include <service.h>
#include <string.h>

static char note[256] = "empty\n";
static size_t note_length = 6;
static struct object_map opens; /* id → nothing but being open */
static struct scheme_queue readers; /* at the end of the note */

static int64_t example_open(struct scheme *s, struct port_buffer *call) {
    uint64_t id = call->request.length == 0 ? object_add(&opens, note) : 0;
    return id ? reply_file(call, id, FILE_KIND_SEEKABLE) : -ENOENT;
}

static int64_t example_read(struct scheme *s, struct port_buffer *call) {
    const struct request *r = &call->request;
    if (!object_get(&opens, r->object)) return -EBADF;
    uint64_t from = scheme_again(s) ? 0 : r->args[0]; /* woken: there is a new note */
    if (from >= note_length) return r->args[2] & IO_NONBLOCK ? -EAGAIN : scheme_park(s, call, &readers);
    size_t length = note_length - from < r->args[1] ? note_length - from : r->args[1];
    memcpy(call->data, note + from, length);
    call->reply.length = (uint32_t)length;
    call->reply.args[0] = from + length; /* the file's new offset */
    return (int64_t)length;
}

static int64_t example_write(struct scheme *s, struct port_buffer *call) {
    const struct request *r = &call->request;
    if (!object_get(&opens, r->object)) return -EBADF;
    note_length = r->length < sizeof(note) ? r->length : sizeof(note);
    memcpy(note, call->data, note_length);
    scheme_wake(s, &readers);
    return (int64_t)note_length;
}

static int64_t example_close(struct scheme *s, struct port_buffer *call) {
    if (object_get(&opens, call->request.object)) object_remove(&opens, call->request.object);
    return 0;
}

static const struct scheme_ops example_ops = {
    .handler =
        {[OP_OPEN] = example_open, [OP_READ] = example_read, [OP_WRITE] = example_write, [OP_CLOSE] = example_close},
};

int main(void) {
    static struct scheme scheme;
    int result = scheme_init(&scheme, SERVICE_SCHEME, &example_ops, nullptr);
    return result ? 1 : scheme_serve(&scheme) != 0;
}
