// SPDX-License-Identifier: MIT
/* The root directory of schemes without folders; entries as struct linux_dirent64. */
#include <flat.h>
#include <string.h>

#define MODE_DIRECTORY 0040000
#define TYPE_DEVICE 2 /* DT_CHR */

struct entry {
    uint64_t inode;
    int64_t next;
    uint16_t length;
    uint8_t type;
    char name[];
} __attribute__((packed));

int64_t flat_open(struct port_buffer *call) {
    uint64_t flags = call->request.args[0];
    if (!(flags & FILE_PATH) && (flags & FILE_ACCESS_MASK) != FILE_READ_ONLY) return -EISDIR;
    return reply_file(call, 0, FILE_KIND_DIRECTORY | FILE_KIND_SEEKABLE);
}

int64_t flat_stat(struct port_buffer *call) {
    struct file_attributes a = {.inode = 1, .links = 2, .mode = MODE_DIRECTORY | 0555, .block_size = 4096};
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

int64_t flat_access(struct port_buffer *call) { return call->request.args[1] & 2 /* W_OK */ ? -EACCES : 0; }

int64_t flat_read(struct port_buffer *call, const char *const *names, size_t count) {
    uint64_t at = call->request.args[0];
    size_t room = call->request.args[1] < CALL_DATA_MAX ? call->request.args[1] : CALL_DATA_MAX;
    size_t used = 0;
    if (!(call->request.args[2] & IO_DIRECTORY)) return -EISDIR;
    for (; at < count; at++) {
        size_t size = strlen(names[at]) + 1, length = (sizeof(struct entry) + size + 7) & ~7UL;
        struct entry *e = (struct entry *)(call->data + used);
        if (length > room - used) break;
        memset(e, 0, length);
        *e = (struct entry){at + 2, (int64_t)at + 1, (uint16_t)length, TYPE_DEVICE};
        memcpy(e->name, names[at], size);
        used += length;
    }
    if (used == 0 && at < count) return -EINVAL;
    call->reply.args[0] = at;
    call->reply.length = (uint32_t)used;
    return (int64_t)used;
}
