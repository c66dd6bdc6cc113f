// SPDX-License-Identifier: MIT
/* ISO 9660: images of xorriso, with Rock Ridge, Joliet and neither; then damaged ones. */
#include "disk_host.h"
#include "unit.h"

#include <internal.h>
#include <stdlib.h>

static const char tree[] =
    "cd $(mktemp -d) && mkdir t t/folder t/one && d=t/one && "
    "for i in 2 3 4 5 6 7 8 9 10; do d=$d/d$i; mkdir $d; done && echo deep > $d/file && seq 1 50000 > t/big && printf "
    "x > 't/A long Name, with Case.text' && : > t/empty && "
    "ln -s '../folder/./up//x' t/folder/link && ln -s /abs t/absolute && chmod 640 t/big && "
    "touch -d @1234567890 t/big && echo long > t/folder/$(seq -s - 1 86) && printf y > t/folder/\xc3\xa4.b && i=0 && "
    "while [ $i -lt 200 ]; do "
    ": > t/folder/file$i; i=$((i + 1)); done && LC_ALL=C.UTF-8 xorriso -as mkisofs -quiet -iso-level 3 -o image ";

static bool make(struct disk *d, const char *how) {
    char command[2000];
    const char *output;
    if (!disk_empty(d, 3 << 20)) return false;
    snprintf(command, sizeof(command), "(%s %s t && dd if=image of=%% conv=notrunc status=none && rm -r $PWD) 2>&1",
             tree, how);
    int status = disk_run(d, command, &output);
    if (status) printf("# xorriso: %s\n", output);
    return status == 0;
}

static const char *long_name(char out[300]) {
    int used = sprintf(out, "folder/1");
    for (int i = 2; i <= 86; i++) used += sprintf(out + used, "-%d", i);
    return out;
}

static int get(struct iso *iso, const char *path, struct iso_node **out) {
    struct iso_info info;
    iso_statfs(iso, &info);
    uint64_t inode = info.root;
    for (;;) {
        struct iso_node *n;
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        int e = iso_node_get(iso, inode, &n);
        if (!e && !length) *out = n;
        if (e || !length) return e;
        e = iso_lookup(n, path, length, &inode);
        iso_node_put(n);
        if (e) return e;
        path += length;
    }
}

static bool text_is(struct iso *iso, const char *path, const char *text) {
    struct iso_node *n;
    char bytes[300];
    if (get(iso, path, &n)) return false;
    ssize_t got = iso_read(n, bytes, sizeof(bytes), 0);
    iso_node_put(n);
    return got == (ssize_t)strlen(text) && memcmp(bytes, text, strlen(text)) == 0;
}

static uint32_t count(struct iso *iso, const char *path) {
    struct iso_node *dir;
    struct iso_entry e = {};
    uint32_t entries = 0;
    if (get(iso, path, &dir)) return 0;
    for (; iso_next(dir, e.cookie, &e) == 0; entries++) {
        uint64_t inode;
        char name[ISO_NAME_MAX];
        memcpy(name, e.name, e.length);
        CHECK(iso_lookup(dir, name, e.length, &inode) == 0 && inode == e.inode);
    }
    iso_node_put(dir);
    return entries;
}

static bool numbers_are(struct iso *iso, const char *path) {
    struct iso_node *n;
    char part[100], *all = malloc(300000);
    if (get(iso, path, &n)) return false;
    bool right = n->size == 288894 && iso_read(n, all, 300000, 0) == 288894;
    for (int i = 1, at = 0; i <= 50000 && right; i++) {
        int length = sprintf(part, "%d\n", i);
        right = memcmp(all + at, part, (size_t)length) == 0;
        at += length;
    }
    for (uint64_t at = 0; at < 288894 && right; at += 1777)
        right = iso_read(n, part, 100, at) == (at + 100 < 288894 ? 100 : (ssize_t)(288894 - at)) &&
                memcmp(part, all + at, 10) == 0;
    free(all);
    iso_node_put(n);
    return right;
}

TEST(rock_ridge) {
    for (int k = 0; k < 2; k++) {
        struct disk d;
        struct iso *iso;
        struct iso_node *n;
        struct iso_info info;
        char name[300];
        CHECK(make(&d, k ? "-R" : "-R -J"));
        CHECK(iso_mount(&d.device, &iso) == 0);
        iso_statfs(iso, &info);
        CHECK(info.names == ISO_ROCK_RIDGE && count(iso, "") == 6 && count(iso, "folder") == 203);
        CHECK(numbers_are(iso, "big") && text_is(iso, "A long Name, with Case.text", "x") && text_is(iso, "empty", ""));
        CHECK(get(iso, "a long name, with case.text", &n) == -ENOENT);
        CHECK(text_is(iso, long_name(name), "long\n") && text_is(iso, "folder/\xc3\xa4.b", "y"));
        CHECK(get(iso, "folder/link", &n) == 0 && S_ISLNK(n->mode) && strcmp(n->target, "../folder/./up//x") == 0);
        iso_node_put(n);
        CHECK(get(iso, "absolute", &n) == 0 && strcmp(n->target, "/abs") == 0 && n->size == 4);
        iso_node_put(n);
        CHECK(get(iso, "big", &n) == 0 && (n->mode & 07777) == 0640 && n->mtime == 1234567890000000000);
        iso_node_put(n);
        CHECK(text_is(iso, "one/d2/d3/d4/d5/d6/d7/d8/d9/d10/file", "deep\n"));
        CHECK(count(iso, "one/d2/d3/d4/d5/d6/d7/d8") == 1);
        iso_unmount(iso);
        disk_free(&d);
    }
}

TEST(joliet) {
    struct disk d;
    struct iso *iso;
    struct iso_node *n;
    struct iso_info info;
    CHECK(make(&d, "-J -joliet-long --norock"));
    CHECK(iso_mount(&d.device, &iso) == 0);
    iso_statfs(iso, &info);
    CHECK(info.names == ISO_JOLIET && numbers_are(iso, "big") && text_is(iso, "A long Name, with Case.text", "x"));
    CHECK(text_is(iso, "folder/\xc3\xa4.b", "y"));
    CHECK(get(iso, "big", &n) == 0 && n->mode == (S_IFREG | 0555) && n->mtime == 1234567890000000000);
    iso_node_put(n);
    iso_unmount(iso);
    disk_free(&d);
}

TEST(plain) {
    struct disk d;
    struct iso *iso;
    struct iso_info info;
    CHECK(make(&d, "--norock"));
    CHECK(iso_mount(&d.device, &iso) == 0);
    iso_statfs(iso, &info);
    CHECK(info.names == ISO_PLAIN && numbers_are(iso, "big") && text_is(iso, "empty", ""));
    CHECK(count(iso, "folder") > 200);
    iso_unmount(iso);
    disk_free(&d);
}

TEST(no_file_system) {
    struct disk d;
    struct iso *iso;
    CHECK(disk_empty(&d, 1 << 20));
    CHECK(iso_mount(&d.device, &iso) == -EINVAL);
    disk_free(&d);
    CHECK(disk_empty(&d, 4096));
    CHECK(iso_mount(&d.device, &iso) < 0);
    disk_free(&d);
}

/* --- damage --- */
static void visit(struct iso *iso, uint64_t inode, int depth, int *left) {
    struct iso_node *n;
    struct iso_entry e = {};
    char bytes[5000];
    if (iso_node_get(iso, inode, &n)) return;
    if (S_ISREG(n->mode)) (void)!iso_read(n, bytes, sizeof(bytes), n->size / 2);
    while (S_ISDIR(n->mode) && depth < 8 && (*left)-- > 0 && iso_next(n, e.cookie, &e) == 0)
        visit(iso, e.inode, depth + 1, left);
    iso_node_put(n);
}

TEST(damaged) {
    struct disk d;
    CHECK(make(&d, "-R -J"));
    uint8_t *good = malloc(d.size);
    memcpy(good, d.bytes, d.size);
    uint32_t used[2000], used_count = 0;
    for (uint32_t i = 16; i < d.size / 2048 && used_count < 2000; i++) /* no files, which begin with a digit */
        if (good[i * 2048ull] && good[i * 2048ull] != '1') used[used_count++] = i * 2048;
    for (int round = 0; round < 3000; round++) {
        struct iso *iso;
        uint32_t changed[8], changes = 1 + roll(8);
        for (uint32_t i = 0; i < changes; i++) {
            changed[i] = used[roll(used_count)] + roll(2048);
            if (good[changed[i]] || roll(4) == 0) d.bytes[changed[i]] = (uint8_t)roll(256);
        }
        int left = 400;
        if (iso_mount(&d.device, &iso) == 0) {
            struct iso_info info;
            iso_statfs(iso, &info);
            visit(iso, info.root, 0, &left);
            iso_unmount(iso);
        }
        for (uint32_t i = 0; i < changes; i++) d.bytes[changed[i]] = good[changed[i]];
    }
    free(good);
    disk_free(&d);
}

UNIT_MAIN
