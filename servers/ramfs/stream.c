// SPDX-License-Identifier: MIT
/*
 * The bytes of regular files.  While a memory object exists its size and times are the truth; what
 * it says is taken over (ram_refresh) when somebody asks and it may have changed.
 */
#include "ramfs.h"

#define PAGE 4096
#define BLOCKS_PER_PAGE (PAGE / 512)

void ram_pages_count(struct fs_node *n, int64_t pages) {
    ramfs_of(n->fs)->pages_used += pages - n->blocks / BLOCKS_PER_PAGE;
    n->blocks = pages * BLOCKS_PER_PAGE;
}

static void refresh_from(struct fs_node *n, const struct memory_info *info) {
    n->size = (int64_t)info->size;
    ram_pages_count(n, (int64_t)info->pages);
    if (info->mtime_ns) {
        bool changed = n->mtime != info->mtime_ns;
        n->mtime = info->mtime_ns;
        if (n->ctime < n->mtime) n->ctime = n->mtime;
        if (changed) fs_notify_modified(n);
    }
    if (info->atime_ns > n->atime && (n->atime <= n->mtime || n->atime <= n->ctime)) {
        n->atime = info->atime_ns; /* relatime: not again until the next change, also for fstat */
        ram_changed(n);
    }
}

static void active_remove(struct ram_node *n) {
    if (!n->file.active_link) return;
    *n->file.active_link = n->file.active_next;
    if (n->file.active_next) n->file.active_next->file.active_link = n->file.active_link;
    n->file.active_link = nullptr;
}

/* To the front: what is opened now is looked at first. */
static void active_add(struct ram_node *n) {
    struct ramfs *r = ramfs_of(n->node.fs);
    active_remove(n);
    n->file.active_next = r->active;
    n->file.active_link = &r->active;
    if (r->active) r->active->file.active_link = &n->file.active_next;
    r->active = n;
}

void ram_refresh(struct fs_node *n) {
    struct ram_file *f = &ram_node_of(n)->file;
    struct memory_info info;
    if (!node_is(n, MODE_REGULAR) || !f->active_link) return;
    if (sys_memory_control(f->memory, MEMORY_INFO, (uint64_t)(uintptr_t)&info, 0, 0) < 0) return;
    refresh_from(n, &info);
    if (!n->opens && !info.mappings) active_remove(ram_node_of(n));
}

void ram_refresh_active(struct ramfs *r, uint32_t count) {
    for (struct ram_node *n = r->active, *next; n && count; n = next, count--) {
        next = n->file.active_next;
        ram_refresh(&n->node);
    }
}

/* Who asks a second time is likely to go on. */
void ram_asked(struct fs_node *n, const struct file_attributes *a) {
    struct ram_file *f = &ram_node_of(n)->file;
    if (!node_is(n, MODE_REGULAR) || f->memory < 0 || f->attributes == ATTRIBUTES_LEFT) return;
    bool again = f->attributes == ATTRIBUTES_ASKED;
    f->attributes = ATTRIBUTES_ASKED;
    if (again && sys_memory_control(f->memory, MEMORY_ATTRIBUTES, (uintptr_t)a, 0, 0) == 0)
        f->attributes = ATTRIBUTES_LEFT;
}

void ram_changed(struct fs_node *n) {
    struct ram_file *f = &ram_node_of(n)->file;
    if (!node_is(n, MODE_REGULAR)) return;
    if (f->attributes == ATTRIBUTES_LEFT) sys_memory_control(f->memory, MEMORY_ATTRIBUTES, 0, 0, 0);
    f->attributes = ATTRIBUTES_OURS;
}

void ram_times_set(struct fs_node *n) {
    struct ram_file *f = &ram_node_of(n)->file;
    ram_changed(n); /* before the stream forgets times that are newer than what was left with it */
    if (node_is(n, MODE_REGULAR) && f->memory >= 0) sys_memory_control(f->memory, MEMORY_CLEAR_TIMES, 0, 0, 0);
}

/* Copies a small file out of the module. */
static int content_copy(struct fs_node *n, handle_t memory) {
    struct ram_file *f = &ram_node_of(n)->file;
    const uint8_t *bytes = f->module->bytes + f->offset;
    for (int64_t done = 0; done < n->size;) {
        long wrote = sys_write(memory, bytes + done, (size_t)(n->size - done), done, 0, 0);
        if (wrote <= 0) return wrote ? (int)wrote : -EIO;
        done += wrote;
    }
    return 0;
}

/* What this file may have: its own pages and those that are left for all. */
static int64_t pages_left(struct fs_node *n) {
    struct ramfs *r = ramfs_of(n->fs);
    int64_t left = r->pages_max - r->pages_used + n->blocks / BLOCKS_PER_PAGE;
    return left > 0 ? left : 0;
}

static int memory_make(struct fs_node *n) {
    struct ram_file *f = &ram_node_of(n)->file;
    bool take = f->module && f->offset % PAGE == 0 && n->size >= PAGE;
    int64_t left = pages_left(n); /* 0 would mean no limit: limit_set() sets that */
    long memory = sys_memory_create((size_t)n->size, (take ? MEMORY_TAKE : 0) | (uint32_t)HANDLE_IN_UPPER << 16,
                                    take ? f->module->memory : HANDLE_NONE, take ? f->offset : (uint64_t)left);
    if (memory < 0) return memory == -ENOMEM || memory == -EMFILE ? -ENOSPC : (int)memory;
    int result = f->module && !take ? content_copy(n, (handle_t)memory) : 0;
    if (result) {
        sys_handle_close((handle_t)memory);
        return result;
    }
    f->memory = (handle_t)memory;
    if (f->module) ram_times_set(n);
    f->module = nullptr;
    return 0;
}

/* Several writers at once can go beyond the quota by what the others have just taken: each sees the
 * pages of those that have closed, and now and then of all. */
static void limit_set(struct fs_node *n) {
    static uint32_t count;
    struct ramfs *r = ramfs_of(n->fs);
    ram_refresh_active(r, ++count % 64 ? 0 : UINT32_MAX);
    sys_memory_control(ram_node_of(n)->file.memory, MEMORY_LIMIT, (uint64_t)pages_left(n), 0, 0);
}

int ram_stream(struct fs_node *n, bool write, handle_t *out) {
    struct ram_file *f = &ram_node_of(n)->file;
    bool exists = f->memory >= 0, limited = !exists && !f->module && pages_left(n);
    int result = exists ? 0 : memory_make(n);
    if (result) return result;
    active_add(ram_node_of(n));
    if (write && !limited) limit_set(n);
    *out = f->memory;
    return 0;
}

/* What a writer leaves behind counts at once. */
void ram_closed(struct fs_open *o) {
    if ((o->flags & FILE_ACCESS_MASK) != FILE_READ_ONLY) ram_refresh(o->node);
}

void ram_stream_release(struct ram_node *n) {
    active_remove(n);
    if (n->file.memory >= 0) sys_handle_close(n->file.memory);
    ram_pages_count(&n->node, 0);
}

int ram_resize(struct fs_node *n, int64_t size) {
    struct ram_file *f = &ram_node_of(n)->file;
    if (f->memory < 0 && size == 0) {
        f->module = nullptr;
        n->size = 0;
        ram_pages_count(n, 0);
        return 0;
    }
    int result = f->memory >= 0 ? 0 : memory_make(n);
    if (result == 0) result = (int)sys_memory_control(f->memory, MEMORY_RESIZE, (uint64_t)size, 0, 0);
    if (result) return result == -ENOMEM ? -ENOSPC : result;
    active_add(ram_node_of(n));
    n->size = size;
    return 0;
}

static int64_t pages_of(int64_t bytes) { return bytes / PAGE + (bytes % PAGE != 0); }

/* Nothing is set aside: that it would fit now is all that is promised. Which pages of a file with holes are there isn't
 * known: all that can lie outside of the range are taken to do so. */
int ram_allocate(struct fs_node *n, int64_t offset, int64_t length) {
    struct ramfs *r = ramfs_of(n->fs);
    ram_refresh_active(r, UINT32_MAX);
    int64_t first = offset / PAGE, end = pages_of(offset + length), all = pages_of(n->size);
    int64_t outside = (first < all ? first : all) + (end < all ? all - end : 0);
    int64_t inside = n->blocks / BLOCKS_PER_PAGE - outside;
    int64_t missing = end - first - (inside > 0 ? inside : 0);
    return missing > r->pages_max - r->pages_used ? -ENOSPC : 0;
}
