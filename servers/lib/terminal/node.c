// SPDX-License-Identifier: MIT
/* A terminal as a file of its scheme: permissions, attributes. */
#include <string.h>
#include <sys/stat.h>
#include <terminal.h>

#define PERMISSION_READ 4
#define PERMISSION_WRITE 2

static bool in_group(const struct credentials *c, uint32_t gid) {
    for (uint32_t i = 0; i < c->group_count; i++) {
        if (c->groups[i] == gid) return true;
    }
    return c->fsgid == gid;
}

static int64_t check_permission(const struct terminal *t, const struct credentials *c, uint32_t wanted) {
    if (!c) return -EACCES;
    if (c->privileges & PRIVILEGE_ROOT) return 0;
    unsigned shift = c->fsuid == t->uid ? 6 : in_group(c, t->gid) ? 3 : 0;
    return (t->mode >> shift & wanted) == wanted ? 0 : -EACCES;
}

static bool is_privileged(const struct credentials *c) { return c && (c->privileges & PRIVILEGE_ROOT); }

int64_t terminal_open_node(struct terminal *t, struct port_buffer *call, struct tty_file **out) {
    static const uint32_t wanted[] = {PERMISSION_READ, PERMISSION_WRITE, PERMISSION_READ | PERMISSION_WRITE, 0};
    uint64_t flags = call->request.args[0];
    const struct credentials *c = scheme_credentials(t->scheme, call->request.credentials);
    if (flags & FILE_DIRECTORY) return -ENOTDIR;
    int64_t e = flags & FILE_PATH ? 0 : check_permission(t, c, wanted[flags & FILE_ACCESS_MASK]);
    if (e) return e;
    if (t->exclusive && !is_privileged(c)) return -EBUSY;
    *out = terminal_open(t);
    return *out ? 0 : -ENOMEM;
}

int64_t terminal_stat(struct terminal *t, struct port_buffer *call) {
    struct file_attributes a = {
        .device = t->device,
        .inode = t->inode,
        .links = 1,
        .mode = S_IFCHR | t->mode,
        .uid = t->uid,
        .gid = t->gid,
        .rdev = t->device,
        .block_size = 1024,
    };
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

/* chmod and chown: by the owner or a privileged process; only the latter changes the owner. */
int64_t terminal_set_attributes(struct terminal *t, struct port_buffer *call) {
    struct file_attributes a;
    if (call->request.length < sizeof(a)) return -EINVAL;
    memcpy(&a, call->data, sizeof(a));
    const struct credentials *c = scheme_credentials(t->scheme, call->request.credentials);
    uint64_t set = call->request.args[1];
    if (!is_privileged(c) && (!c || c->fsuid != t->uid || (set & (SET_UID | SET_GID)))) return -EPERM;
    if (set & SET_MODE) t->mode = a.mode & 07777;
    if (set & SET_UID) t->uid = a.uid;
    if (set & SET_GID) t->gid = a.gid;
    return 0;
}

int64_t terminal_access(struct terminal *t, struct port_buffer *call) {
    const struct credentials *c = scheme_credentials(t->scheme, call->request.credentials);
    return check_permission(t, c, (uint32_t)call->request.args[1] & 7);
}
