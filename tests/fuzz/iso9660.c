// SPDX-License-Identifier: MIT
/* Damaged ISO 9660 images: one of xorriso, with a few fields altered as the input says, is walked and read. */
#include "disk_host.h"

#include <iso9660.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SIZE (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct disk disk;
static uint8_t *good;
static uint32_t used[SIZE / 2048], used_count; /* blocks with descriptors, directories and what belongs to them */

static void base_make(void) {
    static const char command[] =
        "(cd $(mktemp -d) && mkdir t t/folder t/folder/deep && echo hello > t/folder/deep/file && ln -s a/../b t/link "
        "&& "
        "echo x > 't/folder/A long name, which needs more than a record has room for: '$(seq -s - 1 40) && "
        "xorriso -as mkisofs -quiet -R -J -o image t && dd if=image of=% conv=notrunc status=none && rm -r $PWD) >&2";
    if (!disk_empty(&disk, SIZE) || disk_run(&disk, command, nullptr)) abort();
    good = malloc(SIZE);
    memcpy(good, disk.bytes, SIZE);
    for (uint32_t i = 16; i < SIZE / 2048; i++)
        if (good[i * 2048]) used[used_count++] = i;
}

static void walk(struct iso *iso, uint64_t inode, int depth, int *left) {
    static char bytes[5000];
    struct iso_node *n;
    struct iso_entry e = {};
    if (iso_node_get(iso, inode, &n)) return;
    if (S_ISREG(n->mode)) iso_read(n, bytes, sizeof(bytes), n->size > 3000 ? n->size - 3000 : 0);
    while (S_ISDIR(n->mode) && depth < 5 && (*left)-- > 0 && iso_next(n, e.cookie, &e) == 0) {
        char name[ISO_NAME_MAX];
        uint64_t found;
        memcpy(name, e.name, e.length);
        if (iso_lookup(n, name, e.length, &found) == 0) walk(iso, found, depth + 1, left);
    }
    iso_node_put(n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!good) base_make();
    memcpy(disk.bytes, good, SIZE);
    for (; size >= 8; data += 8, size -= 8) { /* block, place, width, value */
        uint32_t block = used[data[0] % used_count], width = 1u << data[7] % 3;
        uint32_t at = (data[1] | (data[2] & 7u) << 8) & ~(width - 1);
        memcpy(disk.bytes + block * 2048 + at, data + 3, width);
    }
    struct iso *iso;
    if (iso_mount(&disk.device, &iso)) return 0;
    struct iso_info info;
    int left = 100;
    iso_statfs(iso, &info);
    walk(iso, info.root, 0, &left);
    iso_unmount(iso);
    return 0;
}
