// SPDX-License-Identifier: MIT
/*
 * Damaged FAT file systems: good ones, with a few fields altered as the input says, are mounted, walked, read and
 * written. No wild access, no endless loop, and nothing but errors.
 */
#include "disk_host.h"

#include <fat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SIZE (3u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const kinds[] = {"-F 12 -s 4", "-F 16 -s 1", "-F 32 -s 1", "-F 12 -s 2 -f 1 -r 32"};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct {
    uint8_t *bytes;
    uint32_t used[SIZE / 512], used_count; /* sectors that aren't empty */
} bases[KINDS];
static struct disk disk;

static int64_t now(void) { return 1700000000ll * 1000000000; }
static const struct fat_options options = {.now = now, .cache_blocks = 16};

static const char *name_of(uint32_t i, char out[64]) {
    snprintf(out, 64, i % 2 ? "a name of some length, number %u" : "N%u", i);
    return out;
}

static void base_fill(struct fat *fs) {
    char name[64], bytes[3000];
    struct fat_node *root = fat_root(fs), *dir, *n;
    memset(bytes, 'x', sizeof(bytes));
    if (fat_create(root, "a directory", 11, S_IFDIR | 0755, &dir)) abort();
    for (uint32_t i = 0; i < 20; i++) {
        name_of(i, name);
        if (fat_create(i % 3 ? dir : root, name, strlen(name), S_IFREG | 0644, &n)) abort();
        fat_write(n, bytes, i * 150, i * 70, 0);
        fat_node_put(n);
    }
    if (fat_create(dir, "sub", 3, S_IFDIR | 0755, &n)) abort();
    fat_node_put(n);
    fat_node_put(dir);
    fat_node_put(root);
}

static void base_make(size_t kind) {
    char command[200];
    struct fat *fs;
    if (!disk_empty(&disk, SIZE)) abort();
    snprintf(command, sizeof(command), "PATH=$PATH:/sbin:/usr/sbin mkfs.fat -i 1234 %s %% >&2", kinds[kind]);
    if (disk_run(&disk, command, nullptr) || fat_mount(&disk.device, &options, &fs)) abort();
    base_fill(fs);
    if (fat_unmount(fs)) abort();
    bases[kind].bytes = malloc(SIZE);
    memcpy(bases[kind].bytes, disk.bytes, SIZE);
    disk_free(&disk);
    for (uint32_t i = 0; i < SIZE / 512; i++)
        for (uint32_t k = 0; k < 512; k++)
            if (bases[kind].bytes[i * 512 + k] && bases[kind].bytes[i * 512 + k] != 'x') {
                bases[kind].used[bases[kind].used_count++] = i;
                break;
            }
}

static void walk(struct fat_node *n, int depth, int *left) {
    static char bytes[5000];
    struct fat_entry e = {};
    for (uint64_t at = 0; S_ISREG(n->mode) && at < 20000; at += 4999) fat_read(n, bytes, sizeof(bytes), at);
    if (!S_ISDIR(n->mode) || depth > 4) return;
    while ((*left)-- > 0 && fat_next(n, e.cookie, &e) == 0) {
        struct fat_node *child;
        if (fat_lookup(n, e.name, e.length, &child)) continue;
        walk(child, depth + 1, left);
        fat_node_put(child);
    }
}

static void change_one(struct fat_node *root, struct fat_node *dir, uint8_t what) {
    static char bytes[9000];
    char name[64];
    struct fat_node *n, *in = what % 3 ? dir : root;
    name_of(what % 20, name);
    if (fat_lookup(in, name, strlen(name), &n)) {
        if (fat_create(in, name, strlen(name), what % 2 ? S_IFREG | 0644 : S_IFDIR | 0755, &n)) return;
    } else if (what / 40 == 0) {
        fat_unlink(in, n);
    } else if (what / 40 == 1) {
        struct fat_node *victim = nullptr;
        (void)!fat_lookup(root, "n3", 2, &victim);
        if (victim != n) fat_rename(in, n, root, "n3", 2, victim);
        if (victim) fat_node_put(victim);
    }
    if (S_ISREG(n->mode)) {
        fat_write(n, bytes, sizeof(bytes), what % 7 * 500u, 0);
        fat_truncate(n, what % 5 * 3000u);
    }
    fat_node_put(n);
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
    for (size_t i = 0; i < patches && size >= 8; i++, data += 8, size -= 8) { /* sector, place, width, value */
        uint32_t sector = bases[kind].used[(data[0] | data[1] << 8) % bases[kind].used_count];
        uint32_t width = 1u << data[7] % 3, at = (data[2] | (data[7] & 8u) << 5) & ~(width - 1);
        memcpy(disk.bytes + sector * 512 + at, data + 3, width);
    }
    struct fat *fs;
    if (fat_mount(&disk.device, &options, &fs)) return 0;
    struct fat_node *root = fat_root(fs), *dir;
    int left = 200;
    walk(root, 0, &left);
    if (fat_lookup(root, "A directory", 11, &dir) == 0) {
        for (size_t i = 0; i < size && i < 12 && S_ISDIR(dir->mode); i++) change_one(root, dir, data[i]);
        fat_node_put(dir);
    }
    left = 200;
    walk(root, 0, &left);
    fat_node_put(root);
    fat_unmount(fs);
    return 0;
}
