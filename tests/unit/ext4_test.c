// SPDX-License-Identifier: MIT
/* The ext4 library, one feature after the other, on file systems that mkfs.ext4 made; e2fsck judges. */
#include "ext4_host.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unit.h>

#define MIB (1024ull * 1024)

/* What mkfs.ext4 can be told: each test that isn't about one of them runs on all. */
static const char *const kinds[] = {
    "-b 4096",
    "-b 1024",
    "-b 4096 -O ^metadata_csum",
    "-b 1024 -O ^metadata_csum,^64bit",
    "-b 4096 -O ^has_journal",
    "-b 1024 -O ^extents,^64bit,^flex_bg",
    "-b 4096 -I 128 -O ^metadata_csum,^extents,^64bit,^dir_index",
    "-b 2048 -O ^metadata_csum,uninit_bg,^64bit",
    "-b 4096 -O sparse_super2,metadata_csum_seed",
    "-b 1024 -O meta_bg,^resize_inode -g 1024",
    "-b 4096 -O ^filetype,large_dir",
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct disk disk;

static struct ext4 *kind_mount(size_t kind, uint64_t size) {
    struct ext4_options options = host_options;
    options.cache_blocks = 64;
    return disk_make(&disk, size, kinds[kind]) ? disk_mount(&disk, &options) : nullptr;
}

/* Unmounts, and nothing may be wrong. */
static void kind_end(size_t kind, struct ext4 *fs) {
    CHECK(ext4_unmount(fs) == 0);
    bool clean = disk_clean(&disk);
    CHECK(clean);
    if (!clean) printf("# mkfs.ext4 %s\n", kinds[kind]);
    disk_free(&disk);
}

static void pattern(uint8_t *out, size_t size, uint64_t offset) {
    for (size_t i = 0; i < size; i++) out[i] = (uint8_t)((offset + i) * 2654435761u >> 13) | 1;
}

static bool pattern_is(struct ext4_node *n, uint64_t offset, size_t size) {
    uint8_t *found = malloc(size), *wanted = malloc(size);
    pattern(wanted, size, offset);
    bool same = ext4_read(n, found, size, offset) == (ssize_t)size && !memcmp(found, wanted, size);
    free(found);
    free(wanted);
    return same;
}

static bool pattern_write(struct ext4_node *n, uint64_t offset, size_t size) {
    uint8_t *bytes = malloc(size);
    pattern(bytes, size, offset);
    bool good = ext4_write(n, bytes, size, offset) == (ssize_t)size;
    free(bytes);
    return good;
}

static bool zeros_are(struct ext4_node *n, uint64_t offset, size_t size) {
    uint8_t *found = malloc(size);
    bool same = ext4_read(n, found, size, offset) == (ssize_t)size;
    for (size_t i = 0; i < size && same; i++) same = !found[i];
    free(found);
    return same;
}

TEST(empty) {
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct ext4 *fs = kind_mount(kind, 16 * MIB);
        CHECK(fs);
        if (fs) kind_end(kind, fs);
    }
}

TEST(files) {
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct ext4 *fs = kind_mount(kind, 16 * MIB);
        struct ext4_node *n;
        CHECK(fs);
        if (!fs) continue;
        CHECK(path_create(fs, "a", S_IFREG | 0644, &n) == 0);
        CHECK(path_create(fs, "a", S_IFREG | 0644, nullptr) == -EEXIST);
        CHECK(pattern_write(n, 100, 300000));
        CHECK(n->size == 300100 && pattern_is(n, 100, 300000) && zeros_are(n, 0, 100));
        CHECK(ext4_truncate(n, 5000) == 0);
        CHECK(ext4_truncate(n, 20000) == 0);
        CHECK(pattern_is(n, 100, 4900) && zeros_are(n, 5000, 15000));
        CHECK(pattern_write(n, 12 * MIB, 10)); /* sparse */
        CHECK(zeros_are(n, 20000, 100000) && pattern_is(n, 12 * MIB, 10));
        ext4_node_put(n);
        CHECK(path_create(fs, "d", S_IFDIR | 0755, nullptr) == 0);
        CHECK(path_create(fs, "d/e", S_IFDIR | 0755, nullptr) == 0);
        CHECK(path_rename(fs, "a", "d/e/b", false) == 0);
        CHECK(path_rename(fs, "d/e", "f", false) == 0);
        CHECK(path_get(fs, "f/b", &n) == 0);
        CHECK(n->size == 12 * MIB + 10);
        ext4_node_put(n);
        CHECK(path_unlink(fs, "f") == -ENOTEMPTY);
        CHECK(path_unlink(fs, "d") == 0);
        kind_end(kind, fs);
    }
}

static uint32_t dir_count(struct ext4 *fs, const char *path, uint64_t *sum) {
    struct ext4_node *dir;
    struct ext4_entry e = {};
    uint32_t count = 0;
    *sum = 0;
    if (path_get(fs, path, &dir) < 0) return 0;
    int64_t last = 0;
    while (ext4_next(dir, e.cookie, &e) == 0) {
        CHECK(e.cookie > last);
        last = e.cookie;
        count++;
        for (uint32_t i = 0; i < e.length; i++) *sum += (uint8_t)e.name[i];
    }
    ext4_node_put(dir);
    return count;
}

/* Names of all lengths, added and removed; the order of reading goes on whatever comes and goes. */
TEST(directories) {
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct ext4 *fs = kind_mount(kind, 16 * MIB);
        uint64_t sum, wanted = 0;
        CHECK(fs);
        if (!fs) continue;
        struct ext4_node *dir, *n;
        CHECK(path_create(fs, "target", S_IFREG | 0644, &n) == 0);
        CHECK(path_create(fs, "d", S_IFDIR | 0755, &dir) == 0);
        char name[256];
        const int count = 3000;
        bool good = true;
        for (int i = 0; i < count; i++) {
            int length = snprintf(name, sizeof(name), "%d-%.*s", i, i % 120,
                                  "abcdefghijklmnopqrstuvwxyz0123456789"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ_\xc3\xa4\xc3\xb6\xc3\xbc-abcdefghijklmnopqrstuvwxyz-"
                                  "0123456789-ABCDEFGHIJKLM");
            for (int k = 0; k < length; k++) wanted += (uint8_t)name[k];
            good = good && ext4_link(dir, name, (size_t)length, n) == 0;
        }
        CHECK(good);
        CHECK(dir_count(fs, "d", &sum) == (uint32_t)count && sum == wanted);
        /* Every third goes while the directory is read. */
        struct ext4_entry e = {};
        int seen = 0, removed = 0;
        while (ext4_next(dir, e.cookie, &e) == 0) {
            if (seen++ % 3) continue;
            memcpy(name, e.name, e.length);
            good = good && ext4_unlink(dir, name, e.length, n) == 0;
            removed++;
        }
        CHECK(good && seen == count);
        CHECK(dir_count(fs, "d", &sum) == (uint32_t)(count - removed));
        CHECK(n->links == (uint32_t)(1 + count - removed));
        ext4_node_put(n);
        ext4_node_put(dir);
        kind_end(kind, fs);
    }
}

TEST(links) {
    static const char targets[] = "0123456789/123456789/123456789/123456789/123456789/123456789/1234567890";
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct ext4 *fs = kind_mount(kind, 16 * MIB);
        struct ext4_node *root, *n;
        char text[100], name[20];
        CHECK(fs);
        if (!fs) continue;
        CHECK(ext4_node_get(fs, EXT4_ROOT, &root) == 0);
        for (size_t length = 1; length <= 70; length++) {
            struct ext4_new new = {.mode = S_IFLNK | 0777, .target = targets, .target_length = length};
            int name_length = snprintf(name, sizeof(name), "l%zu", length);
            CHECK(ext4_create(root, name, (size_t)name_length, &new, &n) == 0);
            ext4_node_put(n);
            CHECK(path_get(fs, name, &n) == 0);
            CHECK(ext4_readlink(n, text, sizeof(text)) == (int)length && !memcmp(text, targets, length));
            ext4_node_put(n);
            if (length % 2) CHECK(path_unlink(fs, name) == 0);
        }
        static const uint32_t modes[] = {S_IFCHR | 0600, S_IFBLK | 0600, S_IFIFO | 0600, S_IFSOCK | 0600};
        for (size_t i = 0; i < 4; i++) {
            struct ext4_new new = {.mode = modes[i], .rdev = i == 1 ? 0x12345678 : i == 0 ? 0x501 : 0, .uid = 70000};
            snprintf(name, sizeof(name), "n%zu", i);
            CHECK(ext4_create(root, name, 2, &new, &n) == 0);
            ext4_node_put(n);
            CHECK(path_get(fs, name, &n) == 0);
            CHECK(n->mode == modes[i] && n->rdev == new.rdev && n->uid == 70000);
            ext4_node_put(n);
        }
        CHECK(path_create(fs, "x", S_IFDIR | 0700, nullptr) == 0);
        CHECK(path_create(fs, "y", S_IFDIR | 0700, nullptr) == 0);
        CHECK(path_create(fs, "x/d", S_IFDIR | 0700, nullptr) == 0);
        CHECK(path_create(fs, "y/f", S_IFREG | 0600, nullptr) == 0);
        CHECK(path_rename(fs, "x/d", "y/f", true) == 0);
        CHECK(path_get(fs, "y/f", &n) == 0 && n->mode == (S_IFDIR | 0700));
        uint32_t up, y;
        CHECK(ext4_lookup(n, "..", 2, &up) == 0 && ext4_lookup(root, "y", 1, &y) == 0 && up == y);
        ext4_node_put(n);
        CHECK(path_rename(fs, "x/d", "y/g", false) == 0);
        CHECK(path_create(fs, "h", S_IFREG | 0600, nullptr) == 0);
        CHECK(path_rename(fs, "h", "y/g", false) == 0); /* over another */
        ext4_node_put(root);
        kind_end(kind, fs);
    }
}

TEST(attributes) {
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct ext4 *fs = kind_mount(kind, 16 * MIB);
        struct ext4_node *n;
        char value[900], found[900];
        CHECK(fs);
        if (!fs) continue;
        CHECK(path_create(fs, "f", S_IFREG | 0644, &n) == 0);
        memset(value, 'v', sizeof(value));
        CHECK(ext4_xattr_get(n, "user.a", found, 10) == -ENODATA);
        CHECK(ext4_xattr_set(n, "user.a", "1", 1, 0) == 0);
        CHECK(ext4_xattr_set(n, "user.a", "1", 1, EXT4_XATTR_CREATE) == -EEXIST);
        CHECK(ext4_xattr_set(n, "user.b", "1", 1, EXT4_XATTR_REPLACE) == -ENODATA);
        CHECK(ext4_xattr_set(n, "trusted.long", value, 700, 0) == 0);
        CHECK(ext4_xattr_set(n, "security.x", "", 0, 0) == 0);
        CHECK(ext4_xattr_set(n, "user.b", value, 90, 0) == 0);
        CHECK(ext4_xattr_set(n, "user.too", value, 5000, 0) == -ENOSPC);
        CHECK(ext4_xattr_set(n, "other.x", value, 1, 0) == -EOPNOTSUPP);
        ext4_node_put(n);
        CHECK(path_get(fs, "f", &n) == 0);
        CHECK(ext4_xattr_get(n, "user.a", found, sizeof(found)) == 1 && found[0] == '1');
        CHECK(ext4_xattr_get(n, "trusted.long", found, sizeof(found)) == 700 && !memcmp(found, value, 700));
        CHECK(ext4_xattr_get(n, "trusted.long", found, 10) == -ERANGE);
        CHECK(ext4_xattr_get(n, "security.x", found, sizeof(found)) == 0);
        CHECK(ext4_xattr_list(n, found, sizeof(found)) == 7 + 13 + 11 + 7);
        CHECK(ext4_xattr_remove(n, "user.b") == 0 && ext4_xattr_remove(n, "user.b") == -ENODATA);
        CHECK(ext4_xattr_list(n, nullptr, 0) == 7 + 13 + 11);
        /* Times with nanoseconds, before 1970 and after 2038. */
        n->atime = -1;
        n->mtime = 5000000000LL * 1000000000 + 123456789;
        CHECK(ext4_node_changed(n) == 0);
        ext4_node_put(n);
        CHECK(path_get(fs, "f", &n) == 0);
        bool small = strstr(kinds[kind], "-I 128");
        CHECK(n->atime == (small ? -1000000000 : -1));
        CHECK(n->mtime == (small ? 2147483647LL * 1000000000 : 5000000000LL * 1000000000 + 123456789));
        ext4_node_put(n);
        if (kind % 2) CHECK(path_unlink(fs, "f") == 0);
        kind_end(kind, fs);
    }
}

/* Files that are open when they lose their last name; those of a crash go at the next mount. */
TEST(orphans) {
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct ext4 *fs = kind_mount(kind, 16 * MIB);
        struct ext4_node *n[5], *t;
        struct ext4_info before, after;
        char name[8];
        CHECK(fs);
        if (!fs) continue;
        ext4_statfs(fs, &before);
        struct ext4_node *root;
        CHECK(ext4_node_get(fs, EXT4_ROOT, &root) == 0);
        for (int i = 0; i < 5; i++) {
            snprintf(name, sizeof(name), "f%d", i);
            CHECK(path_create(fs, name, S_IFREG | 0644, &n[i]) == 0);
            CHECK(pattern_write(n[i], 0, 200000));
            CHECK(path_unlink(fs, name) == 0);
            CHECK(pattern_is(n[i], 0, 200000));
        }
        CHECK(ext4_create(root, nullptr, 0, &(struct ext4_new){.mode = S_IFREG | 0600}, &t) == 0);
        CHECK(ext4_link(root, "t", 1, t) == 0);
        ext4_node_put(t);
        CHECK(path_unlink(fs, "t") == 0);
        ext4_node_put(n[1]);
        ext4_node_put(n[4]);
        ext4_node_put(root);
        if (strstr(kinds[kind], "^has_journal")) {
            ext4_node_put(n[0]), ext4_node_put(n[2]), ext4_node_put(n[3]);
        } else { /* as it is on disk at this moment */
            CHECK(ext4_sync(fs) == 0);
            struct disk copy;
            CHECK(disk_empty(&copy, disk.size));
            memcpy(copy.bytes, disk.bytes, disk.size);
            ext4_node_put(n[0]), ext4_node_put(n[2]), ext4_node_put(n[3]);
            struct ext4 *again = disk_mount(&copy, &host_options);
            CHECK(again);
            if (again) {
                ext4_statfs(again, &after);
                CHECK(after.blocks_free == before.blocks_free && after.inodes_free == before.inodes_free);
                CHECK(ext4_unmount(again) == 0);
                CHECK(disk_clean(&copy));
            }
            disk_free(&copy);
        }
        ext4_statfs(fs, &after);
        CHECK(after.blocks_free == before.blocks_free && after.inodes_free == before.inodes_free);
        kind_end(kind, fs);
    }
}

/* Until nothing goes any more, and all is given back. */
TEST(full) {
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct ext4 *fs = kind_mount(kind, 12 * MIB);
        struct ext4_info before, after;
        struct ext4_node *n;
        char name[32];
        CHECK(fs);
        if (!fs) continue;
        CHECK(path_create(fs, "d", S_IFDIR | 0755, nullptr) == 0);
        ext4_statfs(fs, &before);
        int files = 0, result;
        for (;; files++) {
            snprintf(name, sizeof(name), "d/%d", files);
            result = path_create(fs, name, S_IFREG | 0644, &n);
            if (result < 0) break;
            bool good = pattern_write(n, 0, files % 10 ? 9000 : 100000);
            ext4_node_put(n);
            if (!good) break;
        }
        ext4_statfs(fs, &after);
        CHECK(files > 100 && (after.blocks_free == 0 || result == -ENOSPC) && !after.read_only);
        CHECK(after.blocks_free < 64);
        if (files > 0) CHECK(path_get(fs, "d/0", &n) == 0 && pattern_is(n, 0, 100000));
        ext4_node_put(n);
        while (path_create(fs, (snprintf(name, sizeof(name), "d/e%d", files), name), S_IFREG | 0644, nullptr) == 0)
            files++;
        if (files > 1) CHECK(path_rename(fs, "d/0", "d/1", false) == 0); /* over another, for which there is room */
        struct ext4_node *dir;
        struct ext4_entry e;
        CHECK(path_get(fs, "d", &dir) == 0);
        while (ext4_next(dir, 0, &e) == 0) {
            snprintf(name, sizeof(name), "d/%.*s", (int)e.length, e.name);
            if (path_unlink(fs, name) < 0) break;
        }
        CHECK(ext4_empty(dir) == 0);
        uint64_t grown = dir->blocks / (before.block_size / 512) - 1;
        ext4_node_put(dir);
        ext4_statfs(fs, &after);
        CHECK(after.blocks_free + grown == before.blocks_free && after.inodes_free == before.inodes_free);
        kind_end(kind, fs);
    }
}

TEST(allocation) {
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct ext4 *fs = kind_mount(kind, 32 * MIB);
        struct ext4_node *n;
        struct ext4_extent e;
        struct ext4_info before, after;
        CHECK(fs);
        if (!fs) continue;
        bool extents = !strstr(kinds[kind], "^extents");
        CHECK(path_create(fs, "f", S_IFREG | 0644, &n) == 0);
        ext4_statfs(fs, &before);
        int result = ext4_fallocate(n, 0, 4 * MIB, EXT4_KEEP_SIZE);
        CHECK(result == (extents ? 0 : -EOPNOTSUPP));
        if (extents) {
            CHECK(n->size == 0 && n->blocks >= 8192);
            CHECK(ext4_fallocate(n, 0, 2 * MIB, 0) == 0 && n->size == 2 * MIB && zeros_are(n, 0, 2 * MIB));
            CHECK(pattern_write(n, 100000, 50000)); /* in the middle of unwritten blocks */
            CHECK(pattern_write(n, 1 * MIB, 8192) && pattern_write(n, 0, 1));
            CHECK(pattern_is(n, 100000, 50000) && zeros_are(n, 1, 99999) && zeros_are(n, 150000, 800000));
            CHECK(ext4_fallocate(n, 110000, 30000, EXT4_PUNCH_HOLE | EXT4_KEEP_SIZE) == 0);
            CHECK(pattern_is(n, 100000, 10000) && zeros_are(n, 110000, 30000) && pattern_is(n, 140000, 10000));
            CHECK(ext4_map(n,
                           112000 >> 12 << 12 >> (before.block_size == 4096   ? 12
                                                  : before.block_size == 2048 ? 11
                                                                              : 10),
                           1, &e) == 0);
            CHECK(ext4_fallocate(n, 1 * MIB + 10, 4000, EXT4_ZERO_RANGE) == 0);
            CHECK(pattern_is(n, 1 * MIB, 10) && zeros_are(n, 1 * MIB + 10, 4000) &&
                  pattern_is(n, 1 * MIB + 4010, 4182));
        }
        /* Every second block: many extents, or indirect blocks. */
        CHECK(ext4_truncate(n, 0) == 0);
        bool good = true;
        for (uint64_t i = 0; i < 2000; i++)
            good = good && pattern_write(n, i * 2 * before.block_size, before.block_size);
        CHECK(good);
        for (uint64_t i = 0; i < 2000; i++) good = good && pattern_is(n, i * 2 * before.block_size, before.block_size);
        CHECK(good);
        for (uint64_t i = 1999; i > 0; i--)
            good = good && pattern_write(n, (i * 2 - 1) * before.block_size, before.block_size);
        CHECK(good && pattern_is(n, 0, 3999 * before.block_size));
        CHECK(ext4_truncate(n, 0) == 0);
        CHECK(n->blocks == 0);
        /* Promised, then allocated. */
        ext4_statfs(fs, &after);
        CHECK(after.blocks_free == before.blocks_free);
        CHECK(ext4_reserve(fs, 100) == 0 && ext4_reserve(fs, 1000000) == -ENOSPC);
        ext4_unreserve(fs, 100);
        CHECK(ext4_allocate(n, 5, 100, false, 105 * before.block_size, &e) == 0 && e.logical == 5 && e.count > 0 &&
              e.state == EXT4_WRITTEN);
        CHECK(ext4_map(n, 0, 100, &e) == 0 && e.state == EXT4_HOLE && e.count == 5);
        ext4_node_put(n);
        kind_end(kind, fs);
    }
}

TEST(large) {
    struct ext4 *fs;
    struct ext4_node *n;
    CHECK(disk_make(&disk, 64 * MIB, "-b 4096 -O extents"));
    fs = disk_mount(&disk, &host_options);
    CHECK(path_create(fs, "f", S_IFREG | 0644, &n) == 0);
    for (uint64_t at = 1; at < 16ull << 40; at *= 7) CHECK(pattern_write(n, at, 3) && pattern_is(n, at, 3));
    CHECK(ext4_write(n, "x", 1, (1ull << 44) - 4096) == -EFBIG);
    CHECK(ext4_truncate(n, 5ull << 30) == 0);
    ext4_node_put(n);
    kind_end(0, fs);
}

/* What another implementation wrote. */
TEST(foreign) {
    for (size_t kind = 0; kind < KINDS; kind++) {
        const char *output;
        struct ext4_node *n;
        char text[100];
        CHECK(disk_make(&disk, 32 * MIB, kinds[kind]));
        CHECK(disk_run(
                  &disk,
                  "t=$(mktemp -d); head -c 1000000 /dev/zero | tr '\\0' x >$t/x;"
                  "(echo mkdir a; echo write $t/x a/x; echo symlink a/l /some/where; echo mknod p p;"
                  "for i in $(seq 300); do echo write /dev/null a/file$i; done; echo rm a/file7)"
                  "| PATH=$PATH:/sbin:/usr/sbin debugfs -w % 2>&1; PATH=$PATH:/sbin:/usr/sbin e2fsck -fyD % >/dev/null;"
                  "rm -r $t",
                  &output) <= 1);
        struct ext4 *fs = disk_mount(&disk, &host_options);
        CHECK(fs);
        if (!fs) continue;
        CHECK(path_get(fs, "a/x", &n) == 0);
        CHECK(n->size == 1000000 && ext4_read(n, text, 100, 999950) == 50 && text[49] == 'x');
        ext4_node_put(n);
        CHECK(path_get(fs, "a/l", &n) == 0);
        CHECK(ext4_readlink(n, text, 100) == 11 && !memcmp(text, "/some/where", 11));
        ext4_node_put(n);
        uint64_t sum;
        CHECK(dir_count(fs, "a", &sum) == 301);
        CHECK(path_get(fs, "a/file7", &n) == -ENOENT);
        for (int i = 8; i < 300; i++) {
            snprintf(text, sizeof(text), "a/file%d", i);
            CHECK(path_unlink(fs, text) == 0);
        }
        for (int i = 0; i < 500; i++) {
            snprintf(text, sizeof(text), "a/another name%d", i);
            CHECK(path_create(fs, text, S_IFREG | 0644, nullptr) == 0);
        }
        CHECK(path_unlink(fs, "a/x") == 0);
        CHECK(path_create(fs, "mine", S_IFREG | 0644, &n) == 0);
        CHECK(pattern_write(n, 0, 100000));
        ext4_node_put(n);
        CHECK(ext4_unmount(fs) == 0);
        CHECK(disk_clean(&disk));
        /* And read by it what we wrote. */
        CHECK(disk_run(&disk, "PATH=$PATH:/sbin:/usr/sbin debugfs -R 'cat mine' % 2>/dev/null", &output) == 0);
        uint8_t *wanted = malloc(60000);
        pattern(wanted, 60000, 0);
        CHECK(!memcmp(output, wanted, 60000));
        free(wanted);
        disk_free(&disk);
    }
}

TEST(features) {
    static const struct {
        const char *options;
        int result;
        bool read_only;
    } cases[] = {
        {"-O inline_data", -EOPNOTSUPP, false},
        {"-O encrypt", -EOPNOTSUPP, false},
        {"-O casefold", -EOPNOTSUPP, false},
        {"-O ea_inode", -EOPNOTSUPP, false},
        {"-O mmp", -EOPNOTSUPP, false},
        {"-O bigalloc", 0, true},
        {"-O quota", 0, true},
        {"-O verity", 0, true},
        {"-O project,quota -I 256", 0, true},
        {"-O journal_dev", -EOPNOTSUPP, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ext4 *fs = nullptr;
        struct ext4_info info;
        if (!disk_make(&disk, 32 * MIB, cases[i].options)) continue;
        int result = ext4_mount(&disk.device, &host_options, &fs);
        if (result != cases[i].result) printf("# %s: %d\n", cases[i].options, result);
        CHECK(result == cases[i].result);
        if (!result) {
            ext4_statfs(fs, &info);
            CHECK(info.read_only == cases[i].read_only);
            CHECK(path_create(fs, "x", S_IFREG | 0600, nullptr) == -EROFS);
            CHECK(ext4_unmount(fs) == 0 && disk_clean(&disk));
        }
        disk_free(&disk);
    }
}

TEST(larger_blocks) {
    struct ext4_options options = host_options;
    struct ext4 *fs = nullptr;
    options.block_max = 4096;
    CHECK(disk_make(&disk, 64 * MIB, "-b 8192") && ext4_mount(&disk.device, &options, &fs) == -EOPNOTSUPP);
    disk_free(&disk);
    CHECK(disk_make(&disk, 64 * MIB, "-b 4096") && ext4_mount(&disk.device, &options, &fs) == 0);
    CHECK(ext4_unmount(fs) == 0);
    disk_free(&disk);
}

TEST(hundred_thousand_names) {
    struct ext4_options options = host_options;
    options.cache_blocks = 512;
    CHECK(disk_make(&disk, 128 * MIB, "-b 1024 -N 102000 -O extents"));
    struct ext4 *fs = disk_mount(&disk, &options);
    CHECK(path_create(fs, "d", S_IFDIR | 0755, nullptr) == 0);
    struct ext4_node *dir, *n;
    struct ext4_info info;
    CHECK(path_get(fs, "d", &dir) == 0);
    char name[64];
    bool good = true;
    uint64_t sum;
    for (int i = 0; i < 100000 && good; i++) {
        int length = snprintf(name, sizeof(name), "file number %d", i);
        struct ext4_new new = {.mode = S_IFREG | 0644};
        good = ext4_create(dir, name, (size_t)length, &new, &n) == 0;
        if (good) ext4_node_put(n);
    }
    CHECK(good);
    CHECK(dir_count(fs, "d", &sum) == 100000);
    ext4_statfs(fs, &info);
    CHECK(info.cached <= 512 + 96);
    for (int i = 0; i < 100000 && good; i += 2) {
        snprintf(name, sizeof(name), "d/file number %d", i);
        good = path_unlink(fs, name) == 0;
    }
    CHECK(good && dir_count(fs, "d", &sum) == 50000);
    ext4_node_put(dir);
    kind_end(0, fs);
}

/* From some write (read, flush) on the device fails: errors are told, nothing crashes, and the disk is as at a
 * commit. */
TEST(device_errors) {
    for (int which = 0; which < 3; which++) {
        for (uint64_t after = 1; after < 120; after += 7) {
            CHECK(disk_make(&disk, 16 * MIB, after % 2 ? "-b 1024" : "-b 4096"));
            struct ext4_options options = host_options;
            options.cache_blocks = 16;
            struct ext4 *fs = disk_mount(&disk, &options);
            struct ext4_node *n;
            char name[32];
            int errors = 0;
            if (which == 0) disk.fail_write = disk.writes + after;
            if (which == 1) disk.fail_read = disk.reads + after;
            if (which == 2) disk.fail_flush = disk.flushes + after;
            for (int i = 0; i < 300; i++) {
                snprintf(name, sizeof(name), "a file with a name %d", i);
                int result = path_create(fs, name, S_IFREG | 0644, &n);
                if (!result && i % 5 == 0 && ext4_write(n, name, 20, 5000) < 0) errors++;
                if (!result) ext4_node_put(n);
                if (i % 4 == 0 && ext4_sync(fs) < 0) errors++;
                errors += result < 0;
            }
            CHECK(errors || which == 1); /* all may be in the cache */
            ext4_unmount(fs);
            disk.fail_write = disk.fail_read = disk.fail_flush = 0;
            /* Marked as having had errors, which e2fsck -p sees to; nothing else may be wrong. */
            CHECK(disk_run(&disk, "PATH=$PATH:/sbin:/usr/sbin e2fsck -p % >/dev/null 2>&1", nullptr) <= 1);
            CHECK(disk_clean(&disk));
            disk_free(&disk);
        }
    }
}
UNIT_MAIN
