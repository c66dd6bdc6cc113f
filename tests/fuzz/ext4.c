// SPDX-License-Identifier: MIT
/*
 * Damaged ext4 file systems: good ones, with a few fields altered as the input says, are mounted, walked, read and
 * written.  No wild access, no endless loop, and nothing but errors.
 */
#include "ext4_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SIZE (3ull << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const kinds[] = {"-b 1024 -N 64 -J size=1 -O ^metadata_csum,^64bit",
                                    "-b 1024 -N 64 -J size=1 -O ^metadata_csum,^extents,^64bit",
                                    "-b 4096 -N 64 -O ^has_journal,^metadata_csum", "-b 1024 -N 64 -J size=1"};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct {
    uint8_t *bytes;
    uint32_t used[SIZE / 1024], used_count; /* of 1024 bytes: those that aren't empty */
} bases[KINDS];
static struct disk disk;

/* Files of all kinds, an indexed directory, and a log with something in it. */
static void base_fill(struct ext4 *fs) {
    struct ext4_node *n;
    char name[64], bytes[3000];
    memset(bytes, 'x', sizeof(bytes));
    path_create(fs, "d", S_IFDIR | 0755, nullptr);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof(name), "d/a name of some length, to fill the blocks %d", i);
        if (path_create(fs, name, S_IFREG | 0644, &n) < 0) continue;
        for (uint64_t at = 0; at < 20 && i % 3 == 0; at += 2) ext4_write(n, bytes, 1 + at * 100, at * 4096);
        if (i % 3 == 0) ext4_xattr_set(n, "user.x", bytes, i % 2 ? 30 : 600, 0);
        ext4_node_put(n);
    }
    path_create(fs, "dir", S_IFDIR | 0755, nullptr);
    path_create(fs, "dir/sub", S_IFDIR | 0755, nullptr);
    if (path_create(fs, "f", S_IFREG | 0644, &n) == 0) {
        ext4_fallocate(n, 0, 100000, 0);
        ext4_node_put(n);
    }
    if (ext4_node_get(fs, EXT4_ROOT, &n) < 0) abort();
    struct ext4_node *link;
    struct ext4_new new = {.mode = S_IFLNK | 0777, .target = bytes, .target_length = 100};
    if (ext4_create(n, "l", 1, &new, &link) == 0) ext4_node_put(link);
    ext4_node_put(n);
}

static void base_make(size_t kind) {
    if (!disk_make(&disk, SIZE, kinds[kind])) abort();
    struct ext4 *fs = disk_mount(&disk, &host_options);
    if (!fs) abort();
    base_fill(fs);
    ext4_sync(fs);
    if (kind % 2 == 0 && ext4_unmount(fs) < 0) abort();
    bases[kind].bytes = malloc(SIZE);
    memcpy(bases[kind].bytes, disk.bytes, SIZE);
    if (kind % 2) ext4_unmount(fs); /* taken with its journal full */
    disk_free(&disk);
    for (uint32_t i = 0; i < SIZE / 1024; i++)
        for (uint32_t k = 0; k < 1024; k++)
            if (bases[kind].bytes[i * 1024 + k]) {
                bases[kind].used[bases[kind].used_count++] = i;
                break;
            }
}

static void walk(struct ext4 *fs, struct ext4_node *n, int depth, int *left) {
    static char bytes[5000];
    struct ext4_entry e = {};
    ext4_xattr_list(n, bytes, sizeof(bytes));
    ext4_xattr_get(n, "user.x", bytes, sizeof(bytes));
    if (S_ISREG(n->mode)) {
        for (uint64_t at = 0; at < 40000; at += 4999) ext4_read(n, bytes, sizeof(bytes), at);
        if (n->size > 100000) ext4_read(n, bytes, sizeof(bytes), n->size - 3000);
    }
    if (S_ISLNK(n->mode)) ext4_readlink(n, bytes, sizeof(bytes));
    if (!S_ISDIR(n->mode) || depth > 4) return;
    while ((*left)-- > 0 && ext4_next(n, e.cookie, &e) == 0) {
        struct ext4_node *child;
        uint32_t inode;
        char name[EXT4_NAME_MAX];
        memcpy(name, e.name, e.length);
        if (ext4_lookup(n, name, e.length, &inode) < 0) continue;
        if (ext4_node_get(fs, e.inode, &child) < 0) continue;
        walk(fs, child, depth + 1, left);
        ext4_node_put(child);
    }
}

static void change(struct ext4 *fs, const uint8_t *data, size_t size) {
    static char bytes[9000];
    struct ext4_node *n;
    char name[64];
    for (size_t i = 0; i < size && i < 12; i++) {
        snprintf(name, sizeof(name), "d/a name of some length, to fill the blocks %d", data[i] % 40);
        switch (data[i] / 40) {
        case 0: path_create(fs, name, S_IFREG | 0644, nullptr); break;
        case 1: path_unlink(fs, name); break;
        case 2: path_rename(fs, name, data[i] % 2 ? "dir/sub/x" : "f", data[i] % 3 == 0); break;
        case 3: path_create(fs, "dir/y", S_IFDIR | 0755, nullptr); break;
        case 4: path_unlink(fs, "dir/sub"); break;
        default:
            if (path_get(fs, data[i] % 2 ? "f" : name, &n) < 0) break;
            ext4_write(n, bytes, sizeof(bytes), data[i] % 7 * 5000u);
            ext4_xattr_set(n, "user.y", bytes, data[i] * 3u, 0);
            ext4_fallocate(n, 3000, 20000, data[i] % 3 ? EXT4_PUNCH_HOLE | EXT4_KEEP_SIZE : 0);
            ext4_truncate(n, data[i] % 5 * 7000u);
            ext4_node_put(n);
            break;
        }
    }
    ext4_sync(fs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!bases[0].bytes) {
        for (size_t i = 0; i < KINDS; i++) base_make(i);
        if (!disk_empty(&disk, SIZE)) abort();
    }
    if (size < 2) return 0;
    size_t kind = data[0] % KINDS, patches = data[1] % 8;
    memcpy(disk.bytes, bases[kind].bytes, SIZE);
    data += 2, size -= 2;
    for (size_t i = 0; i < patches && size >= 8; i++, data += 8, size -= 8) { /* block, place, width, value */
        uint32_t block = bases[kind].used[(data[0] | data[1] << 8) % bases[kind].used_count];
        uint32_t width = 1u << data[7] % 3, at = (data[2] | (data[7] & 12u) << 6) & ~(width - 1);
        memcpy(disk.bytes + block * 1024 + at, data + 3, width);
    }
    struct ext4_options options = host_options;
    options.cache_blocks = 64;
    struct ext4 *fs;
    if (ext4_mount(&disk.device, &options, &fs) < 0) return 0;
    struct ext4_node *root;
    int left = 200;
    if (ext4_node_get(fs, EXT4_ROOT, &root) == 0) {
        walk(fs, root, 0, &left);
        ext4_node_put(root);
    }
    change(fs, data, size);
    ext4_unmount(fs);
    return 0;
}
