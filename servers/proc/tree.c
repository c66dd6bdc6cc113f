// SPDX-License-Identifier: MIT
/*
 * The tree: the tables of system.c and process.c, and the numbered directories (processes, threads,
 * handles) that the kernel is asked for; and /proc/scheme, which /scheme is a link to: a link for each
 * scheme there is, numbered by when it was first seen here.  Nodes are made on lookup and kept while somebody has them
 * open; some others stay cached.
 *
 * Cookies: rows of a table count from 3, numbered entries from NUMBERS on.
 */
#include "proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 256
#define CACHED_MAX 2048
#define COOKIE_FIRST 3
#define NUMBERS 4096
#define NUMBER_NONE UINT32_MAX
#define SCHEMES_MAX 512

/* A numbered directory or link has index ≠ NUMBER_NONE: thread or handle; else it is its row's. */
struct proc_node {
    struct fs_node node; /* first */
    struct proc_node *next; /* bucket */
    const struct proc_file *file;
    uint32_t pid, index;
    char name[12]; /* numbered directories */
};

static struct proc_node *buckets[BUCKETS];
static uint32_t nodes;
static uint64_t next_inode = 2;

static const struct proc_file root_row = {"", 0555, PROC_DIRECTORY, .children = system_files};
static const struct proc_file process_row = {"", 0555, PROC_DIRECTORY, .children = process_files};
static const struct proc_file task_row = {"", 0555, PROC_DIRECTORY, .children = task_files};

static int show_handle(struct text *t, uint32_t pid, uint32_t index);
static const struct proc_file handle_row = {"", 0777, PROC_LINK, .show = show_handle};

static int show_scheme(struct text *t, uint32_t pid, uint32_t index);
static const struct proc_file scheme_row = {"", 0777, PROC_LINK, .show = show_scheme};

static struct proc_node *proc_of(struct fs_node *n) { return (struct proc_node *)n; }

int process_state_get(uint32_t pid, struct process_state *out) {
    long result = sys_process_info((int32_t)pid, PROCESS_STATE, out, sizeof(*out), 0);
    return result < 0 ? -ESRCH : 0;
}

/* --- nodes --------------------------------------------------------------------------------------- */
static uint32_t node_hash(const struct proc_file *file, uint32_t pid, uint32_t index) {
    return (uint32_t)((uintptr_t)file / sizeof(*file) + pid * 31 + index * 7) % BUCKETS;
}

static void node_free(struct proc_node *n) {
    struct proc_node **p = &buckets[node_hash(n->file, n->pid, n->index)];
    while (*p != n) p = &(*p)->next;
    *p = n->next;
    nodes--;
    fs_node_fini(&n->node); /* its directory may become a cached one */
    free(n);
}

static void proc_between(struct fs *fs) {
    static uint32_t limit = CACHED_MAX;
    if (nodes < limit) return;
    for (uint32_t i = 0; i < BUCKETS; i++)
        for (struct proc_node *n = buckets[i], *next; n; n = next) {
            next = n->next;
            if (n->node.refs == 0) node_free(n);
        }
    limit = nodes + CACHED_MAX;
}

static uint32_t node_type(enum proc_kind kind) {
    return kind == PROC_FILE ? MODE_REGULAR : kind == PROC_LINK ? MODE_SYMLINK : MODE_DIRECTORY;
}

static int node_get(struct fs_node *dir, const struct proc_file *file, uint32_t pid, uint32_t index,
                    struct fs_node **out) {
    struct process_state state = {};
    if (pid && process_state_get(pid, &state) != 0) return -ENOENT;
    struct proc_node **bucket = &buckets[node_hash(file, pid, index)], *n = *bucket;
    while (n && (n->file != file || n->pid != pid || n->index != index)) n = n->next;
    if (!n) {
        if (!(n = calloc(1, sizeof(*n)))) return -ENOMEM;
        struct fs_new what = {.mode = node_type(file->kind) | file->mode};
        fs_node_init(dir->fs, &n->node, &what);
        n->node.inode = next_inode++;
        n->file = file;
        n->pid = pid;
        n->index = index;
        snprintf(n->name, sizeof(n->name), "%u", index != NUMBER_NONE ? index : pid);
        if (node_is(&n->node, MODE_DIRECTORY)) {
            n->node.links = 2;
            fs_parent_set(&n->node, dir);
        }
        n->next = *bucket;
        *bucket = n;
        nodes++;
    }
    n->node.uid = state.uid;
    n->node.gid = state.gid;
    *out = &n->node;
    return 0;
}

static void proc_release(struct fs_node *n) {}

/* --- numbered entries ---------------------------------------------------------------------------- */

/* The smallest number > after in a numbered directory; NUMBER_NONE: no more. */
static uint32_t number_next(struct proc_node *dir, int64_t after) {
    bool root = dir->file == &root_row;
    if (root || dir->file->kind == PROC_TASKS) {
        uint32_t topic = root ? PROCESS_NEXT : PROCESS_NEXT_THREAD;
        long id = sys_process_info(root ? 0 : (int32_t)dir->pid, topic, nullptr, 0, after < 0 ? 0 : (uint64_t)after);
        return id <= 0 ? NUMBER_NONE : (uint32_t)id;
    }
    struct process_handle row;
    long size = sys_process_info((int32_t)dir->pid, PROCESS_HANDLES, &row, sizeof(row), (uint64_t)(after + 1));
    return size < (long)sizeof(row) || row.handle >= HANDLE_UPPER ? NUMBER_NONE : (uint32_t)row.handle;
}

static int number_get(struct fs_node *dir, uint32_t number, struct fs_node **out) {
    struct proc_node *d = proc_of(dir);
    if (number_next(d, (int64_t)number - 1) != number) return -ENOENT;
    if (d->file == &root_row) return node_get(dir, &process_row, number, NUMBER_NONE, out);
    return node_get(dir, d->file->kind == PROC_TASKS ? &task_row : &handle_row, d->pid, number, out);
}

static bool number_parse(struct fs_name name, uint32_t *out) {
    uint64_t value = 0;
    if (name.length == 0 || name.length > 9 || (name.text[0] == '0' && name.length > 1)) return false;
    for (size_t i = 0; i < name.length; i++) {
        if (name.text[i] < '0' || name.text[i] > '9') return false;
        value = value * 10 + (uint64_t)(name.text[i] - '0');
    }
    *out = (uint32_t)value;
    return true;
}

static const char *handle_kind(uint32_t type) {
    static const char *const names[] = {
        [OBJECT_FILE] = "file",       [OBJECT_MEMORY] = "memory",       [OBJECT_CHANNEL] = "channel",
        [OBJECT_EVENT] = "event",     [OBJECT_TIMER] = "timer",         [OBJECT_SCHEME] = "scheme",
        [OBJECT_PORT] = "port",       [OBJECT_NAMESPACE] = "namespace", [OBJECT_PROCESS] = "process",
        [OBJECT_SIGNALS] = "signals",
    };
    return type < sizeof(names) / sizeof(names[0]) && names[type] ? names[type] : "handle";
}

static int show_handle(struct text *t, uint32_t pid, uint32_t index) {
    struct process_handle row;
    long size = sys_process_info((int32_t)pid, PROCESS_HANDLES, &row, sizeof(row), index);
    if (size < (long)sizeof(row) || row.handle != (handle_t)index) return -ENOENT;
    text_add(t, "%s:[%llu]", handle_kind(row.info.type), (unsigned long long)row.info.object);
    return 0;
}

/* --- schemes ------------------------------------------------------------------------------------- */
static struct {
    char name[sizeof(((struct scheme_info *)nullptr)->name)];
    bool present; /* at the last look */
} schemes[SCHEMES_MAX];
static uint32_t scheme_count;

static void schemes_look(void) {
    static struct scheme_info all[SCHEMES_MAX];
    long size = sys_system_info(SYSTEM_SCHEMES, all, sizeof(all));
    for (uint32_t i = 0; i < scheme_count; i++) schemes[i].present = false;
    for (long k = 0; k < size / (long)sizeof(all[0]); k++) {
        uint32_t i = 0;
        while (i < scheme_count && strcmp(schemes[i].name, all[k].name) != 0) i++;
        if (i == SCHEMES_MAX) continue;
        if (i == scheme_count) memcpy(schemes[scheme_count++].name, all[k].name, sizeof(all[k].name));
        schemes[i].present = true;
    }
}

/* The first from this number on; NUMBER_NONE: no more. */
static uint32_t scheme_next(uint32_t i) {
    while (i < scheme_count && !schemes[i].present) i++;
    return i < scheme_count ? i : NUMBER_NONE;
}

static int scheme_get(struct fs_node *dir, struct fs_name name, struct fs_node **out) {
    schemes_look();
    for (uint32_t i = 0; (i = scheme_next(i)) != NUMBER_NONE; i++)
        if (name_is(name, schemes[i].name, strlen(schemes[i].name))) return node_get(dir, &scheme_row, 0, i, out);
    return -ENOENT;
}

static int show_scheme(struct text *t, uint32_t pid, uint32_t index) {
    text_add(t, "/scheme/%s", schemes[index].name);
    return 0;
}

/* --- fs_ops -------------------------------------------------------------------------------------- */
static const struct proc_file *row_find(const struct proc_file *row, struct fs_name name) {
    while (row && row->name && !name_is(name, row->name, strlen(row->name))) row++;
    return row && row->name ? row : nullptr;
}

static int proc_lookup(struct fs_call *c, struct fs_node *dir, struct fs_name name, struct fs_node **out) {
    struct proc_node *d = proc_of(dir);
    const struct proc_file *row = row_find(d->file->children, name);
    uint32_t number;
    if (row) return node_get(dir, row, d->pid, NUMBER_NONE, out);
    if (d->file->kind == PROC_SCHEMES) return scheme_get(dir, name, out);
    bool numbered = d->file == &root_row || d->file->kind != PROC_DIRECTORY;
    return numbered && number_parse(name, &number) ? number_get(dir, number, out) : -ENOENT;
}

static int proc_next(struct fs_node *dir, int64_t cookie, struct fs_entry *out) {
    static char number[12];
    struct proc_node *d = proc_of(dir);
    int64_t row = cookie < COOKIE_FIRST ? 0 : cookie - COOKIE_FIRST + 1;
    if (d->file->children && cookie < NUMBERS) {
        const struct proc_file *f = d->file->children;
        for (int64_t i = 0; f->name && i < row; i++) f++;
        if (f->name) {
            *out = (struct fs_entry){.cookie = COOKIE_FIRST + row,
                                     .inode = 1,
                                     .mode = node_type(f->kind),
                                     .name = fs_name(f->name, strlen(f->name))};
            return 0;
        }
    }
    if (d->file != &root_row && d->file->kind == PROC_DIRECTORY) return -ENOENT;
    bool scheme = d->file->kind == PROC_SCHEMES;
    if (scheme) schemes_look();
    uint32_t n = scheme ? scheme_next(cookie < NUMBERS ? 0 : (uint32_t)(cookie - NUMBERS + 1))
                        : number_next(d, cookie < NUMBERS ? -1 : cookie - NUMBERS);
    if (n == NUMBER_NONE) return -ENOENT;
    if (scheme) {
        *out = (struct fs_entry){.cookie = NUMBERS + (int64_t)n,
                                 .inode = 1,
                                 .mode = MODE_SYMLINK,
                                 .name = fs_name(schemes[n].name, strlen(schemes[n].name))};
        return 0;
    }
    int length = snprintf(number, sizeof(number), "%u", n);
    *out = (struct fs_entry){.cookie = NUMBERS + (int64_t)n,
                             .inode = 1,
                             .name = fs_name(number, (size_t)length),
                             .mode = d->file->kind == PROC_HANDLES ? MODE_SYMLINK : MODE_DIRECTORY};
    return 0;
}

static int proc_name(struct fs_node *dir, struct fs_name *out) {
    struct proc_node *d = proc_of(dir);
    const char *name = d->file->name[0] ? d->file->name : d->name;
    *out = fs_name(name, strlen(name));
    return 0;
}

static int proc_readlink(struct fs_call *c, struct fs_node *n, char *out, size_t size) {
    struct proc_node *p = proc_of(n);
    struct text t = {};
    int result = p->file->show(&t, p->pid ? p->pid : c->pid, p->index);
    size_t length = t.length < size ? t.length : size;
    if (result == 0) memcpy(out, t.bytes, length);
    text_free(&t);
    return result ? result : (int)length;
}

static int proc_opened(struct fs_call *c, struct fs_open *o) {
    struct proc_node *n = proc_of(o->node);
    if (n->file->kind != PROC_FILE) return 0;
    if ((o->flags & FILE_ACCESS_MASK) != FILE_READ_ONLY && !n->file->store) return -EACCES;
    o->data = calloc(1, sizeof(struct text));
    return o->data ? 0 : -ENOMEM;
}

static void proc_closed(struct fs_open *o) {
    if (o->data) text_free(o->data);
    free(o->data);
}

static int64_t proc_read(struct fs_call *c, struct fs_open *o, void *out, size_t size, int64_t offset) {
    struct proc_node *n = proc_of(o->node);
    struct text *t = o->data;
    if (offset == 0) {
        t->length = 0;
        int result = n->file->show(t, n->pid, n->index);
        if (result) return result;
    }
    if ((uint64_t)offset >= t->length) return 0;
    size_t left = t->length - (size_t)offset;
    size = size < left ? size : left;
    memcpy(out, t->bytes + offset, size);
    return (int64_t)size;
}

static int64_t proc_write(struct fs_call *c, struct fs_open *o, const void *in, size_t size, int64_t offset) {
    int result = proc_of(o->node)->file->store(in, size);
    return result ? result : (int64_t)size;
}

static int proc_resize(struct fs_node *n, int64_t size) { return 0; /* O_TRUNC by a shell's redirection */ }

static void proc_statfs(struct fs *fs, struct filesystem_info *out) { out->type = 0x9fa0; /* PROC_SUPER_MAGIC */ }

static const struct fs_ops proc_ops = {
    .lookup = proc_lookup,
    .next = proc_next,
    .name = proc_name,
    .readlink = proc_readlink,
    .resize = proc_resize,
    .read = proc_read,
    .write = proc_write,
    .opened = proc_opened,
    .closed = proc_closed,
    .statfs = proc_statfs,
    .release = proc_release,
    .between = proc_between,
};

int proc_fs_init(struct fs *fs, const char *mount_point) {
    static struct proc_node root;
    static const struct fs_new what = {.mode = MODE_DIRECTORY | 0555};
    int result = fs_init(fs, &proc_ops, mount_point);
    if (result) return result;
    fs_node_init(fs, &root.node, &what);
    root.node.inode = 1;
    root.node.links = 2;
    root.node.parent = &root.node;
    root.file = &root_row;
    root.index = NUMBER_NONE;
    fs->root = &root.node;
    fs->device = 2;
    fs->flags = FS_NO_XATTR | FS_FIXED_ATTRIBUTES | FS_NO_NOTIFY;
    return 0;
}
