// SPDX-License-Identifier: MIT
#include "fs_host.h"

#include <string.h>

struct ramfs host_fs;
int64_t host_now = 1000000000;
int host_stream_error;

static int64_t clock_host(void) { return host_now; }

void host_fs_init(int64_t pages_max) {
    memset(&host_fs, 0, sizeof(host_fs));
    if (ramfs_init(&host_fs, pages_max, nullptr) != 0) __builtin_trap();
    host_fs.fs.now = clock_host;
}

struct fs_call host_call(uint32_t uid, uint32_t gid) {
    static struct credentials who[8];
    static unsigned next;
    struct credentials *c = &who[next++ % 8];
    *c = (struct credentials){.uid = uid,
                              .euid = uid,
                              .fsuid = uid,
                              .gid = gid,
                              .egid = gid,
                              .fsgid = gid,
                              .privileges = uid ? 0 : PRIVILEGE_ROOT};
    return (struct fs_call){.fs = &host_fs.fs, .who = c, .pid = 1, .root = host_fs.fs.root};
}

/* --- instead of stream.c -------------------------------------------------------------------------- */
int ram_stream(struct fs_node *n, bool write, handle_t *out) {
    *out = 5;
    return host_stream_error;
}
void ram_closed(struct fs_open *o) {}
void ram_stream_release(struct ram_node *n) { ram_pages_count(&n->node, 0); }
void ram_pages_count(struct fs_node *n, int64_t pages) {
    host_fs.pages_used += pages - n->blocks / 8;
    n->blocks = pages * 8;
}
void ram_refresh(struct fs_node *n) {}
void ram_refresh_active(struct ramfs *r, uint32_t count) {}
void ram_times_set(struct fs_node *n) {}
void ram_asked(struct fs_node *n, const struct file_attributes *a) {}
void ram_changed(struct fs_node *n) {}
int ram_resize(struct fs_node *n, int64_t size) {
    n->size = size;
    return 0;
}
int ram_allocate(struct fs_node *n, int64_t offset, int64_t length) { return 0; }
