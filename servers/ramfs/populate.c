// SPDX-License-Identifier: MIT
/* The first files: from the archives of the boot modules. */
#include "ramfs.h"

#include <stdlib.h>
#include <string.h>

struct populate {
    struct ramfs *ramfs;
    const struct ram_module *module;
    struct fs_call call;
    struct credentials root;
    struct link { /* archive's inode number → node, for hard links */
        uint32_t archive, inode;
        struct ram_node *node;
    } *links;
    size_t link_count, link_capacity;
};

static uint64_t device_number(uint32_t major, uint32_t minor) { /* as musl's makedev */
    return (uint64_t)(major & 0xfffff000) << 32 | (uint64_t)(major & 0xfff) << 8 |
           (uint64_t)(minor & 0xffffff00) << 12 | (minor & 0xff);
}

/* The directory in which the last component of the name lies, made as needed; null: impossible. */
static struct ram_node *parent_make(struct populate *p, struct fs_name *name) {
    struct ram_node *dir = ram_node_of(p->ramfs->fs.root);
    char *slash;
    while ((slash = memchr(name->text, '/', name->length))) {
        struct fs_name part = fs_name(name->text, (size_t)(slash - name->text));
        name->length -= part.length + 1;
        name->text = slash + 1;
        if (part.length == 0 || name_is(part, ".", 1)) continue;
        if (part.length > FS_NAME_MAX || name_is(part, "..", 2)) return nullptr;
        struct ram_entry *e = ram_entry_find(p->ramfs, dir, part);
        if (!e) {
            if (fs_make_node(&p->call, &dir->node, part, MODE_DIRECTORY | 0755, 0) != 0) return nullptr;
            e = ram_entry_find(p->ramfs, dir, part);
        }
        if (!node_is(&e->node->node, MODE_DIRECTORY)) return nullptr;
        dir = e->node;
    }
    return dir;
}

static struct ram_node *link_find(struct populate *p, const struct cpio_reader *r, const struct cpio_entry *e) {
    for (size_t i = 0; i < p->link_count; i++)
        if (p->links[i].archive == r->archive && p->links[i].inode == e->inode) return p->links[i].node;
    return nullptr;
}

static void link_remember(struct populate *p, const struct cpio_reader *r, const struct cpio_entry *e,
                          struct ram_node *n) {
    if (p->link_count == p->link_capacity) {
        size_t capacity = p->link_capacity ? p->link_capacity * 2 : 16;
        struct link *links = realloc(p->links, capacity * sizeof(*links));
        if (!links) return; /* the others become files of their own */
        p->links = links;
        p->link_capacity = capacity;
    }
    p->links[p->link_count++] = (struct link){r->archive, e->inode, n};
    fs_node_get(&n->node); /* a later entry may replace it */
}

static void attributes_set(struct fs_node *n, const struct cpio_entry *e) {
    n->mode = (n->mode & MODE_TYPE) | (e->mode & MODE_BITS);
    n->uid = e->uid;
    n->gid = e->gid;
    n->mtime = n->atime = n->ctime = (int64_t)e->mtime * 1000000000;
}

/* Makes way for `name`: false if something is there that can't go (or is to stay: a directory). */
static bool replace(struct populate *p, struct ram_node *dir, struct fs_name name, const struct cpio_entry *e) {
    struct ram_entry *old = ram_entry_find(p->ramfs, dir, name);
    if (!old) return true;
    if (node_is(&old->node->node, MODE_DIRECTORY)) {
        if ((e->mode & MODE_TYPE) == MODE_DIRECTORY) attributes_set(&old->node->node, e);
        return false;
    }
    return fs_remove(&p->call, &dir->node, name, false) == 0;
}

static void content_set(struct populate *p, struct ram_node *n, const struct cpio_entry *e) {
    n->file.module = p->module;
    n->file.offset = e->data;
    n->node.size = (int64_t)e->size;
    ram_pages_count(&n->node, (n->node.size + 4095) / 4096);
}

static int entry_make(struct populate *p, const struct cpio_reader *r, const struct cpio_entry *e) {
    struct fs_name name = fs_name(e->name, e->name_length);
    struct ram_node *dir = parent_make(p, &name);
    uint32_t type = e->mode & MODE_TYPE;
    if (!dir || name.length > FS_NAME_MAX || name_is(name, "..", 2)) return -EINVAL;
    if (name.length == 0 || name_is(name, ".", 1)) {
        attributes_set(&dir->node, e);
        return 0;
    }
    bool linked = type == MODE_REGULAR && e->links > 1;
    struct ram_node *first = linked ? link_find(p, r, e) : nullptr;
    struct ram_entry *old = first ? ram_entry_find(p->ramfs, dir, name) : nullptr;
    if (old && old->node == first) return 0;
    int64_t changed = dir->node.mtime; /* as its own entry said: not by what comes into it now */
    if (!replace(p, dir, name, e)) return type == MODE_DIRECTORY ? 0 : -EEXIST;
    int result;
    if (first && first->node.links) {
        struct fs_walk to = {.dir = &dir->node, .name = name};
        result = p->ramfs->fs.ops->insert(to.dir, to.name, &first->node);
        first->node.links += result == 0;
    } else if (type == MODE_SYMLINK) {
        struct fs_name target = fs_name((const char *)p->module->bytes + e->data, e->size);
        result = fs_symlink(&p->call, &dir->node, name, target);
    } else {
        result = fs_make_node(&p->call, &dir->node, name, e->mode, device_number(e->device_major, e->device_minor));
    }
    if (result) return result;
    dir->node.mtime = dir->node.ctime = changed;
    struct ram_node *n = ram_entry_find(p->ramfs, dir, name)->node;
    attributes_set(&n->node, e);
    if (linked && !first) link_remember(p, r, e, n);
    if (type == MODE_REGULAR && e->size) content_set(p, n, e);
    return 0;
}

int ramfs_populate(struct ramfs *r, const struct ram_module *m) {
    struct populate p = {.ramfs = r, .module = m, .root = {.privileges = PRIVILEGE_ROOT}};
    struct cpio_reader reader = {.bytes = m->bytes, .size = m->size};
    struct cpio_entry entry;
    int result, failed = 0;
    p.call = (struct fs_call){.fs = &r->fs, .who = &p.root};
    while ((result = cpio_next(&reader, &entry)) == 1) failed += entry_make(&p, &reader, &entry) != 0;
    for (size_t i = 0; i < p.link_count; i++) fs_node_put(&p.links[i].node->node);
    free(p.links);
    return result ? result : failed;
}
