// SPDX-License-Identifier: MIT
#include "ext4_host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int64_t host_clock = 1700000000LL * 1000000000;
static int64_t clock_now(void) { return host_clock += 1000001; }
const struct ext4_options host_options = {.now = clock_now};

bool disk_make(struct disk *d, uint64_t size, const char *options) {
    char command[512];
    const char *output;
    if (!disk_empty(d, size)) return false;
    snprintf(command, sizeof(command),
             "PATH=$PATH:/sbin:/usr/sbin mkfs.ext4 -q -F -U 6f1a7c1e-0d4e-4a37-9d4b-2f6c1d0e9a55 "
             "-E hash_seed=5b1f3a52-9a0c-4b8e-8d0a-7b6f5e4d3c2b %s %% 2>&1",
             options);
    if (disk_run(d, command, &output) == 0) return true;
    printf("# mkfs.ext4: %s\n", output);
    return false;
}

bool disk_clean(struct disk *d) {
    const char *output;
    int status = disk_run(d, "PATH=$PATH:/sbin:/usr/sbin e2fsck -fn % 2>&1", &output);
    if (status == 0) return true;
    printf("# e2fsck (%d):\n", status);
    for (const char *line = output, *end; *line && (end = strchr(line, '\n')); line = end + 1)
        printf("#   %.*s\n", (int)(end - line), line);
    return false;
}

struct ext4 *disk_mount(struct disk *d, const struct ext4_options *options) {
    struct ext4 *fs = nullptr;
    int result = ext4_mount(&d->device, options, &fs);
    if (result < 0) printf("# mount: %s\n", strerror(-result));
    return fs;
}

int path_get(struct ext4 *fs, const char *path, struct ext4_node **out) {
    struct ext4_node *n;
    int result = ext4_node_get(fs, EXT4_ROOT, &n);
    while (result >= 0) {
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        uint32_t inode;
        if (!length) {
            *out = n;
            return 0;
        }
        result = ext4_lookup(n, path, length, &inode);
        ext4_node_put(n);
        if (result >= 0) result = ext4_node_get(fs, inode, &n);
        path += length;
    }
    return result;
}

/* The directory of a path's last name. */
static int parent_get(struct ext4 *fs, const char *path, struct ext4_node **dir, const char **name) {
    char copy[512];
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    snprintf(copy, sizeof(copy), "%.*s", (int)(*name - path), path);
    return path_get(fs, copy, dir);
}

int path_create(struct ext4 *fs, const char *path, uint32_t mode, struct ext4_node **out) {
    struct ext4_node *dir, *n;
    struct ext4_new new = {.mode = mode};
    const char *name;
    int result = parent_get(fs, path, &dir, &name);
    if (result < 0) return result;
    result = ext4_create(dir, name, strlen(name), &new, &n);
    ext4_node_put(dir);
    if (result < 0) return result;
    if (out) *out = n;
    else ext4_node_put(n);
    return 0;
}

int path_unlink(struct ext4 *fs, const char *path) {
    struct ext4_node *dir, *n;
    const char *name;
    int result = path_get(fs, path, &n);
    if (result < 0) return result;
    result = parent_get(fs, path, &dir, &name);
    if (!result) result = ext4_unlink(dir, name, strlen(name), n);
    ext4_node_put(dir);
    ext4_node_put(n);
    return result;
}

int path_rename(struct ext4 *fs, const char *from, const char *to, bool exchange) {
    struct ext4_node *a, *b, *n, *victim = nullptr;
    const char *from_name, *to_name;
    int result = path_get(fs, from, &n);
    if (result < 0) return result;
    if (path_get(fs, to, &victim) < 0) victim = nullptr;
    result = parent_get(fs, from, &a, &from_name);
    if (!result) {
        result = parent_get(fs, to, &b, &to_name);
        if (!result) {
            result = ext4_rename(a, from_name, strlen(from_name), n, b, to_name, strlen(to_name), victim, exchange);
            ext4_node_put(b);
        }
        ext4_node_put(a);
    }
    if (victim) ext4_node_put(victim);
    ext4_node_put(n);
    return result;
}
