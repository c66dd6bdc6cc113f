// SPDX-License-Identifier: MIT
/* FAT: on images of mkfs.fat, judged by fsck.fat and mtools; random operations against a model; power cuts. */
#include "disk_host.h"
#include "unit.h"

#include <internal.h>
#include <stdlib.h>

#define MIB (1u << 20)
#define NS 1000000000ll

static int64_t host_clock = 1700000000 * NS;
static int64_t clock_now(void) { return host_clock += NS; }
static const struct fat_options options = {.now = clock_now};

static const struct {
    const char *options;
    uint32_t size, bits;
} kinds[] = {{"-F 12 -s 1", 2 * MIB, 12},         {"-F 12 -s 8 -f 1 -r 64", 4 * MIB, 12}, {"-F 16 -s 1", 8 * MIB, 16},
             {"-F 16 -s 4", 16 * MIB, 16},        {"-F 32 -s 1", 40 * MIB, 32},           {"-F 32 -s 8", 40 * MIB, 32},
             {"-F 32 -S 4096 -s 1", 64 * MIB, 32}};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool make(struct disk *d, uint64_t size, const char *how) {
    char command[256];
    const char *output;
    if (!disk_empty(d, size)) return false;
    snprintf(command, sizeof(command), "PATH=$PATH:/sbin:/usr/sbin mkfs.fat -i 12345678 -n LABEL %s %% 2>&1", how);
    int status = disk_run(d, command, &output);
    if (status) printf("# mkfs.fat: %s\n", output);
    return status == 0;
}

static bool clean(struct disk *d) {
    const char *output;
    if (disk_run(d, "PATH=$PATH:/sbin:/usr/sbin fsck.fat -n % 2>&1", &output) == 0) return true;
    printf("# fsck.fat: %s\n", output);
    return false;
}

static struct fat *mount(struct disk *d) {
    struct fat *fs = nullptr;
    int e = fat_mount(&d->device, &options, &fs);
    if (e) printf("# mount: %s\n", strerror(-e));
    return fs;
}

/* --- by path --- */
static int get(struct fat *fs, const char *path, struct fat_node **out) {
    struct fat_node *n = fat_root(fs), *next;
    for (;;) {
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        if (!length) break;
        int e = fat_lookup(n, path, length, &next);
        fat_node_put(n);
        if (e) return e;
        n = next;
        path += length;
    }
    *out = n;
    return 0;
}

static int parent(struct fat *fs, const char *path, struct fat_node **dir, const char **name) {
    char copy[1024];
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    snprintf(copy, sizeof(copy), "%.*s", (int)(*name - path), path);
    return get(fs, copy, dir);
}

static int create(struct fat *fs, const char *path, uint32_t mode, struct fat_node **out) {
    struct fat_node *dir, *n;
    const char *name;
    int e = parent(fs, path, &dir, &name);
    if (e) return e;
    e = fat_create(dir, name, strlen(name), mode, &n);
    fat_node_put(dir);
    if (e) return e;
    if (out) *out = n;
    else fat_node_put(n);
    return 0;
}

static int file(struct fat *fs, const char *path, struct fat_node **out) {
    return create(fs, path, S_IFREG | 0755, out);
}
static int folder(struct fat *fs, const char *path) { return create(fs, path, S_IFDIR | 0755, nullptr); }

static int removed(struct fat *fs, const char *path) {
    struct fat_node *dir, *n;
    const char *name;
    int e = get(fs, path, &n);
    if (e) return e;
    e = parent(fs, path, &dir, &name);
    if (!e) e = fat_unlink(dir, n);
    fat_node_put(dir);
    fat_node_put(n);
    return e;
}

static int moved(struct fat *fs, const char *from, const char *to) {
    struct fat_node *a, *b, *n, *victim = nullptr;
    const char *from_name, *to_name;
    int e = get(fs, from, &n);
    if (e) return e;
    if (get(fs, to, &victim)) victim = nullptr;
    if (victim == n) { /* its case changes */
        fat_node_put(n);
        victim = nullptr;
    }
    e = parent(fs, from, &a, &from_name);
    if (!e && !(e = parent(fs, to, &b, &to_name))) {
        e = fat_rename(a, n, b, to_name, strlen(to_name), victim);
        fat_node_put(b);
    }
    fat_node_put(a);
    if (victim) fat_node_put(victim);
    fat_node_put(n);
    return e;
}

static void fill(uint8_t *bytes, size_t size, uint32_t seed) {
    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
}

static int content(struct fat *fs, const char *path, size_t size, uint32_t seed) {
    struct fat_node *n;
    int e = file(fs, path, &n);
    if (e) return e;
    uint8_t *bytes = malloc(size + 1);
    fill(bytes, size, seed);
    ssize_t wrote = fat_write(n, bytes, size, 0, size);
    free(bytes);
    fat_node_put(n);
    return wrote < 0 ? (int)wrote : 0;
}

static bool same(struct fat *fs, const char *path, size_t size, uint32_t seed) {
    struct fat_node *n;
    if (get(fs, path, &n)) return false;
    uint8_t *want = malloc(size + 1), *bytes = malloc(size + 1);
    fill(want, size, seed);
    bool result = n->size == size && fat_read(n, bytes, size + 1, 0) == (ssize_t)size && memcmp(want, bytes, size) == 0;
    free(want);
    free(bytes);
    fat_node_put(n);
    return result;
}

static uint32_t names(struct fat *fs, const char *path, char *out, size_t room) {
    struct fat_node *dir;
    struct fat_entry e = {};
    uint32_t count = 0;
    size_t used = 0;
    if (get(fs, path, &dir)) return 0;
    out[0] = 0;
    for (; fat_next(dir, e.cookie, &e) == 0; count++)
        if (used < room) used += (size_t)snprintf(out + used, room - used, "%.*s;", (int)e.length, e.name);
    fat_node_put(dir);
    return count;
}

static uint32_t free_clusters(struct fat *fs) {
    struct fat_info info;
    fat_statfs(fs, &info);
    return info.clusters_free;
}

/* No cluster has two owners, and none that is owned is free. */
static void owners_check(struct fat *fs, struct fat_node *n, uint8_t *owned, int depth) {
    uint32_t length, next;
    if (depth > 8 || n->size == 0) return;
    CHECK(chain_length(n, &length) == 0);
    for (uint32_t i = 0; i < n->run_count; i++)
        for (uint32_t c = n->runs[i].cluster; c < n->runs[i].cluster + n->runs[i].count; c++) {
            CHECK(!owned[c]);
            owned[c] = 1;
            CHECK(table_get(fs, c, &next) == 0 && next != 0);
        }
    struct fat_entry e = {};
    while (S_ISDIR(n->mode) && fat_next(n, e.cookie, &e) == 0) {
        struct fat_node *child;
        int found = fat_lookup(n, e.name, e.length, &child);
        CHECK(found == 0);
        if (found) continue;
        owners_check(fs, child, owned, depth + 1);
        fat_node_put(child);
    }
}

static void structure_check(struct fat *fs) {
    uint8_t *owned = calloc(fs->clusters + 2, 1);
    owners_check(fs, fs->root_node, owned, 0);
    free(owned);
}

/* --- tests --- */
TEST(files_of_all_kinds) {
    for (size_t k = 0; k < KINDS; k++) {
        struct disk d;
        struct fat_info info;
        CHECK(make(&d, kinds[k].size, kinds[k].options));
        struct fat *fs = mount(&d);
        CHECK(fs);
        if (!fs) return;
        fat_statfs(fs, &info);
        CHECK(info.bits == kinds[k].bits && info.serial == 0x12345678 && !info.was_dirty);
        CHECK(content(fs, "A.TXT", 0, 1) == 0 && content(fs, "b.txt", 100, 2) == 0);
        CHECK(content(fs, "A long name with spaces.text", 300001, 3) == 0);
        CHECK(folder(fs, "folder") == 0 && folder(fs, "folder/Deeper still") == 0);
        CHECK(content(fs, "folder/Deeper still/\xc3\x84rger \xe2\x82\xac \xf0\x9f\x98\x80.txt", 5000, 4) == 0);
        for (int i = 0; i < 60; i++) {
            char name[64];
            snprintf(name, sizeof(name), "folder/a file with number %d", i);
            CHECK(content(fs, name, (size_t)i * 37, (uint32_t)i) == 0);
        }
        for (int i = 0; i < 60; i += 2) {
            char name[64];
            snprintf(name, sizeof(name), "folder/a file with number %d", i);
            CHECK(removed(fs, name) == 0);
        }
        CHECK(moved(fs, "folder/Deeper still", "moved") == 0 && moved(fs, "b.txt", "folder/c") == 0);
        structure_check(fs);
        CHECK(fat_unmount(fs) == 0);
        CHECK(clean(&d));
        CHECK((fs = mount(&d)));
        CHECK(same(fs, "a long NAME with spaces.TEXT", 300001, 3) && same(fs, "FOLDER/C", 100, 2));
        CHECK(same(fs, "moved/\xc3\xa4RGER \xe2\x82\xac \xf0\x9f\x98\x80.txt", 5000, 4) && same(fs, "a.txt", 0, 1));
        CHECK(same(fs, "folder/A FILE WITH NUMBER 59", 59 * 37, 59));
        CHECK(!same(fs, "folder/a file with number 58", 58 * 37, 58));
        fat_statfs(fs, &info);
        uint32_t count = info.clusters_free;
        CHECK(table_count(fs) == 0 && fs->free == count);
        CHECK(fat_unmount(fs) == 0);
        const char *output;
        if (info.bits == 32 && info.clusters < 65525) { /* mtools doesn't take these for FAT32 */
            disk_free(&d);
            continue;
        }
        CHECK(disk_run(&d, "mdir -b -i % ::/moved 2>&1", &output) == 0 && strstr(output, "rger"));
        CHECK(disk_run(&d, "mdir -i % ::/ 2>&1", &output) == 0 && strstr(output, "A long name with spaces.text"));
        CHECK(strstr(output, "ALONGN~1"));
        CHECK(disk_run(&d, "mcopy -i % '::/A long name with spaces.text' - | wc -c", &output) == 0);
        CHECK(strtol(output, nullptr, 10) == 300001);
        disk_free(&d);
    }
}

TEST(what_mtools_wrote) {
    struct disk d;
    const char *output;
    CHECK(make(&d, 8 * MIB, "-F 16 -s 2"));
    CHECK(disk_run(&d,
                   "cd $(mktemp -d) && seq 1 20000 > 'A rather long Name.txt' && mkdir -p sub/under &&"
                   " cp A* sub/under && printf x > lower && printf y > EFI.X && mcopy -s -i % A* sub lower EFI.X :: "
                   "2>&1; rm -r $PWD",
                   &output) == 0);
    struct fat *fs = mount(&d);
    struct fat_node *n;
    char text[500], bytes[12];
    CHECK(names(fs, "", text, sizeof(text)) == 4);
    CHECK(strcmp(text, "A rather long Name.txt;sub;lower;EFI.X;") == 0);
    CHECK(get(fs, "sub/UNDER/a rather long name.txt", &n) == 0 && n->size == 108894);
    CHECK(fat_read(n, bytes, 12, 108894 - 6) == 6 && memcmp(bytes, "20000\n", 6) == 0);
    CHECK(n->mtime > 1700000000 * NS - 1000 * 86400 * NS);
    fat_node_put(n);
    CHECK(get(fs, "ARATHE~1.TXT", &n) == 0);
    fat_node_put(n);
    CHECK(fat_unmount(fs) == 0);
    CHECK(clean(&d));
    disk_free(&d);
}

TEST(short_names) {
    struct disk d;
    char name[300], text[9000];
    const char *output;
    CHECK(make(&d, 8 * MIB, "-F 16 -s 2"));
    struct fat *fs = mount(&d);
    CHECK(folder(fs, "d") == 0);
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof(name), "d/LongPrefix number %d.html", i);
        CHECK(content(fs, name, 1, 1) == 0);
    }
    CHECK(content(fs, "d/.profile", 1, 1) == 0 && content(fs, "d/a+b", 1, 1) == 0);
    CHECK(content(fs, "d/UPPER.EXT", 1, 1) == 0);
    CHECK(content(fs, "d/two.dots.x", 1, 1) == 0 && content(fs, "d/\xd0\xb8\xd0\xbc\xd1\x8f", 1, 1) == 0);
    CHECK(content(fs, "d/LONGPR~7", 1, 1) == 0);
    CHECK(content(fs, "d/bad:name", 1, 1) == -EINVAL && content(fs, "d/trailing.", 1, 1) == -EINVAL);
    CHECK(content(fs, "d/\xff", 1, 1) == -EINVAL && content(fs, "d/\x1f", 1, 1) == -EINVAL);
    memset(name, 'n', sizeof(name));
    memcpy(name, "d/", 2);
    name[257] = 0;
    CHECK(content(fs, name, 1, 1) == 0);
    CHECK(same(fs, name, 1, 1));
    CHECK(names(fs, "d", text, sizeof(text)) == 67);
    CHECK(strstr(text, ";UPPER.EXT;") && strstr(text, ";.profile;") && strstr(text, ";two.dots.x;"));
    CHECK(moved(fs, "d/UPPER.EXT", "d/Upper.ext") == 0);
    names(fs, "d", text, sizeof(text));
    CHECK(strstr(text, ";Upper.ext;") && !strstr(text, ";UPPER.EXT;"));
    CHECK(fat_unmount(fs) == 0);
    CHECK(clean(&d));
    CHECK(disk_run(&d, "mdir -i % ::/d | cut -c1-12 | sort | uniq -d | grep -v '^ ' | grep .", &output) == 1);
    disk_free(&d);
}

TEST(sizes) {
    static uint8_t bytes[200000];
    for (size_t k = 0; k < KINDS; k++) {
        struct disk d;
        struct fat_node *n;
        CHECK(make(&d, kinds[k].size, kinds[k].options));
        struct fat *fs = mount(&d);
        uint32_t before = free_clusters(fs), missing;
        CHECK(file(fs, "f", &n) == 0);
        CHECK(fat_write(n, "end", 3, 100000, 0) == 3 && n->size == 100003);
        CHECK(fat_read(n, bytes, sizeof(bytes), 0) == 100003);
        for (int i = 0; i < 100000; i++) CHECK(!bytes[i]);
        CHECK(memcmp(bytes + 100000, "end", 3) == 0);
        CHECK(fat_truncate(n, 100001) == 0 && fat_truncate(n, 150000) == 0);
        CHECK(fat_read(n, bytes, sizeof(bytes), 0) == 150000 && bytes[100000] == 'e');
        CHECK(!bytes[100001] && !bytes[149999]);
        CHECK(fat_missing(n, 150000, &missing) == 0 && missing == 0);
        CHECK(fat_missing(n, 150000 + fs->sector_size * 64ull, &missing) == 0 && missing > 0);
        CHECK(fat_truncate(n, 1ull << 32) == -EFBIG && fat_write(n, "x", 1, FAT_FILE_MAX, 0) == -EFBIG);
        CHECK(fat_truncate(n, 5000000000) == -EFBIG && fat_missing(n, 1ull << 32, &missing) == -EFBIG);
        CHECK(fat_truncate(n, kinds[k].size) == -ENOSPC && n->size == 150000);
        CHECK(fat_sync(fs) == 0);
        structure_check(fs);
        CHECK(fat_truncate(n, 0) == 0 && fat_sync(fs) == 0 && free_clusters(fs) == before);
        CHECK(fat_write(n, bytes, 7, 3, 90000) == 7 && fat_truncate(n, 10) == 0);
        fat_node_put(n);
        CHECK(fat_unmount(fs) == 0);
        CHECK(clean(&d));
        disk_free(&d);
    }
}

TEST(full) {
    struct disk d;
    char name[64];
    CHECK(make(&d, 2 * MIB, "-F 12 -s 4"));
    struct fat *fs = mount(&d);
    uint32_t before = free_clusters(fs), i = 0;
    while (snprintf(name, sizeof(name), "file %u", i), content(fs, name, 9000, i) == 0) i++;
    CHECK(i > 150);
    CHECK(folder(fs, "x") == -ENOSPC || free_clusters(fs));
    for (uint32_t k = 0; k <= i; k++) {
        snprintf(name, sizeof(name), "file %u", k);
        if (k < i) CHECK(same(fs, name, 9000, k));
        removed(fs, name);
    }
    removed(fs, "x");
    CHECK(free_clusters(fs) == before);
    CHECK(content(fs, "again", 1500000, 1) == 0 && same(fs, "again", 1500000, 1)); /* what was just freed */
    CHECK(fat_unmount(fs) == 0);
    CHECK(clean(&d));
    disk_free(&d);
    CHECK(make(&d, 2 * MIB, "-F 12 -s 1 -r 16"));
    fs = mount(&d);
    for (i = 0; snprintf(name, sizeof(name), "F%u", i), content(fs, name, 1, i) == 0;) i++;
    CHECK(i == 15); /* and the label */
    CHECK(fat_unmount(fs) == 0);
    CHECK(clean(&d));
    disk_free(&d);
}

TEST(removed_while_open) {
    struct disk d;
    struct fat_node *n = nullptr, *other;
    char bytes[6];
    CHECK(make(&d, 8 * MIB, "-F 16 -s 2"));
    struct fat *fs = mount(&d);
    uint32_t before = free_clusters(fs);
    CHECK(content(fs, "f", 50000, 1) == 0 && get(fs, "f", &n) == 0 && removed(fs, "f") == 0);
    CHECK(get(fs, "f", &other) == -ENOENT && file(fs, "f", &other) == 0 && other->inode != n->inode);
    CHECK(fat_sync(fs) == 0 && fat_write(other, "other", 5, 0, 5) == 5);
    CHECK(fat_read(n, bytes, 5, 49000) == 5 && fat_write(n, "more", 4, 60000, 0) == 4);
    CHECK(free_clusters(fs) < before - 50);
    fat_node_put(n);
    CHECK(fat_truncate(other, 0) == 0 && fat_sync(fs) == 0 && free_clusters(fs) == before);
    fat_node_put(other);
    CHECK(content(fs, "a", 10, 1) == 0 && content(fs, "b", 20, 2) == 0 && get(fs, "b", &n) == 0);
    uint64_t inode = n->inode;
    CHECK(moved(fs, "a", "B") == 0 && fat_read(n, bytes, 5, 15) == 5 && get(fs, "b", &other) == 0);
    CHECK(other != n && other->size == 10 && n->inode == inode);
    fat_node_put(other);
    fat_node_put(n);
    CHECK(fat_unmount(fs) == 0);
    CHECK(clean(&d));
    disk_free(&d);
}

TEST(attributes) {
    struct disk d;
    struct fat_node *n;
    CHECK(make(&d, 8 * MIB, "-F 16 -s 2"));
    struct fat *fs = mount(&d);
    CHECK(file(fs, "f", &n) == 0);
    n->mode &= ~0222u;
    n->mtime = 1234567890 * NS + 999999999;
    n->atime = 1234567890 * NS;
    CHECK(fat_node_changed(n) == 0);
    fat_node_put(n);
    CHECK(fat_unmount(fs) == 0);
    fs = mount(&d);
    CHECK(get(fs, "F", &n) == 0 && n->mode == (S_IFREG | 0555) && n->mtime == 1234567890 * NS);
    CHECK(n->atime == 1234567890 / 86400 * 86400 * NS && n->birth / NS > 1700000000);
    fat_node_put(n);
    CHECK(fat_unmount(fs) == 0);
    CHECK(clean(&d));
    for (int64_t day = 3652; day < 50403; day += 13) { /* 1980 … 2107 */
        uint16_t date, time;
        uint8_t hundredths;
        int64_t at = (day * 86400 + day % 43200 * 2 + 1) * NS + 500000000;
        time_encode(at, &date, &time, &hundredths);
        CHECK(time_decode(date, time, hundredths) == at);
    }
    disk_free(&d);
}

TEST(dirty_mark) {
    for (size_t k = 0; k < KINDS; k++) {
        struct disk d;
        struct fat_info info;
        const char *output;
        CHECK(make(&d, kinds[k].size, kinds[k].options));
        struct fat *fs = mount(&d), *second;
        CHECK(content(fs, "f", 3000, 1) == 0 && fat_sync(fs) == 0);
        uint8_t *copy = malloc(d.size);
        memcpy(copy, d.bytes, d.size);
        CHECK(disk_run(&d, "PATH=$PATH:/sbin:/usr/sbin fsck.fat -n % 2>&1", &output) && strstr(output, "Dirty bit"));
        CHECK(fat_unmount(fs) == 0 && clean(&d));
        memcpy(d.bytes, copy, d.size);
        free(copy);
        CHECK((second = mount(&d)));
        fat_statfs(second, &info);
        CHECK(info.was_dirty && fat_unmount(second) == 0); /* and stays so */
        CHECK(disk_run(&d, "PATH=$PATH:/sbin:/usr/sbin fsck.fat -n % 2>&1", &output) && strstr(output, "Dirty bit"));
        disk_free(&d);
    }
}

TEST(damage) {
    struct disk d;
    struct fat_node *n = nullptr;
    char bytes[100];
    CHECK(make(&d, 8 * MIB, "-F 16 -s 1"));
    struct fat *fs = mount(&d);
    CHECK(content(fs, "f", 20000, 1) == 0 && get(fs, "f", &n) == 0 && fat_sync(fs) == 0);
    uint32_t first = n->first;
    CHECK(folder(fs, "dir") == 0);
    CHECK(table_set(fs, first + 10, first + 3) == 0); /* a ring */
    fat_node_put(n);
    CHECK(get(fs, "dir", &n) == 0 && table_set(fs, n->first, n->first) == 0);
    fat_node_put(n);
    CHECK(fat_unmount(fs) == 0);
    fs = mount(&d);
    CHECK(get(fs, "dir", &n) == -EUCLEAN && get(fs, "dir/x", &n) == -EUCLEAN);
    CHECK(get(fs, "f", &n) == 0 && fat_read(n, bytes, 100, 100) == 100);
    CHECK(fat_missing(n, 10, &(uint32_t){}) == -EUCLEAN);
    CHECK(table_set(fs, first + 10, 0) == 0);
    chain_forget(n);
    CHECK(fat_read(n, bytes, 100, 19000) == -EUCLEAN && fat_truncate(n, 0) == 0);
    fat_node_put(n);
    CHECK(fat_unmount(fs) == 0);
    disk_free(&d);
}

/* --- random operations --- */
#define PATHS 24
struct model {
    bool exists[PATHS];
    uint32_t size[PATHS];
    uint8_t *bytes[PATHS];
};
#define FILE_MOST 60000u

static const char *path_of(uint32_t i, char out[64]) {
    static const char *const folders[] = {"", "one/", "One of long name/", "one/inner/"};
    snprintf(out, 64, i % 3 ? "%sa name of %u" : "%sN%u", folders[i % 4], i);
    return out;
}

static void step(struct fat *fs, struct model *m) {
    char name[64], to[64];
    struct fat_node *n;
    uint32_t i = roll(PATHS), k = roll(PATHS), size = roll(FILE_MOST / 4), at = roll(FILE_MOST / 2);
    path_of(i, name);
    path_of(k, to);
    if (!m->exists[i]) {
        CHECK(get(fs, name, &n) == -ENOENT && file(fs, name, nullptr) == 0);
        m->exists[i] = true;
        m->size[i] = 0;
        return;
    }
    CHECK(get(fs, name, &n) == 0 && n->size == m->size[i]);
    uint8_t *bytes = calloc(1, FILE_MOST);
    switch (roll(6)) {
    case 0:
        CHECK(removed(fs, name) == 0);
        m->exists[i] = false;
        break;
    case 1:
        if (i == k) break;
        CHECK(moved(fs, name, to) == 0);
        m->exists[i] = false;
        m->exists[k] = true;
        m->size[k] = m->size[i];
        memcpy(m->bytes[k], m->bytes[i], FILE_MOST);
        break;
    case 2:
        CHECK(fat_truncate(n, at) == 0);
        if (at > m->size[i]) memset(m->bytes[i] + m->size[i], 0, at - m->size[i]);
        m->size[i] = at;
        break;
    case 3:
        CHECK(fat_read(n, bytes, FILE_MOST, 0) == m->size[i] && memcmp(bytes, m->bytes[i], m->size[i]) == 0);
        if (roll(4) == 0) CHECK(fat_sync(fs) == 0);
        break;
    default:
        fill(bytes, size, roll(10000));
        CHECK(fat_write(n, bytes, size, at, at + size + roll(2) * 3000) == size);
        if (at > m->size[i]) memset(m->bytes[i] + m->size[i], 0, at - m->size[i]);
        memcpy(m->bytes[i] + at, bytes, size);
        if (at + size > m->size[i]) m->size[i] = at + size;
        if (roll(2)) CHECK(fat_truncate(n, m->size[i]) == 0);
    }
    free(bytes);
    fat_node_put(n);
}

static void model_compare(struct fat *fs, const struct model *m) {
    char name[64];
    uint8_t *bytes = malloc(FILE_MOST);
    struct fat_node *n;
    for (uint32_t i = 0; i < PATHS; i++) {
        int e = get(fs, path_of(i, name), &n);
        CHECK(m->exists[i] ? e == 0 : e == -ENOENT);
        if (e) continue;
        CHECK(n->size == m->size[i] && fat_read(n, bytes, FILE_MOST, 0) == m->size[i]);
        CHECK(memcmp(bytes, m->bytes[i], m->size[i]) == 0);
        CHECK(fat_truncate(n, n->size) == 0); /* cuts what was allocated ahead */
        fat_node_put(n);
    }
    free(bytes);
}

static struct fat *folders_make(struct disk *d) {
    struct fat *fs = mount(d);
    CHECK(folder(fs, "one") == 0 && folder(fs, "One of long name") == 0 && folder(fs, "one/inner") == 0);
    CHECK(fat_sync(fs) == 0);
    return fs;
}

TEST(random_operations) {
    for (size_t k = 0; k < KINDS; k++) {
        struct disk d;
        struct model m = {};
        for (int i = 0; i < PATHS; i++) m.bytes[i] = calloc(1, FILE_MOST);
        CHECK(make(&d, kinds[k].size, kinds[k].options));
        struct fat *fs = folders_make(&d);
        roll_state = k;
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 200; i++) step(fs, &m);
            model_compare(fs, &m);
            structure_check(fs);
            CHECK(fat_unmount(fs) == 0);
            CHECK(clean(&d));
            fs = mount(&d);
        }
        model_compare(fs, &m);
        CHECK(fat_unmount(fs) == 0);
        disk_free(&d);
        for (int i = 0; i < PATHS; i++) free(m.bytes[i]);
    }
}

/* Any of the writes since the last flush is on the disk, or not. */
static void cut_check(struct disk *d, const uint8_t *before, uint32_t cut, uint32_t flush) {
    memcpy(d->bytes, before, d->size);
    for (uint32_t i = 0; i < cut; i++) {
        const struct disk_write *w = &d->log[i];
        for (uint32_t s = 0; s < w->count; s++)
            if (i < flush || roll(2))
                memcpy(d->bytes + (w->sector + s) * BLKDEV_SECTOR, w->data + (size_t)s * BLKDEV_SECTOR, BLKDEV_SECTOR);
    }
    struct fat *fs = mount(d);
    CHECK(fs);
    if (!fs) return;
    structure_check(fs);
    CHECK(fat_unmount(fs) == 0);
}

TEST(power_cuts) {
    for (size_t k = 0; k < 3; k++) {
        struct disk d;
        struct model m = {};
        for (int i = 0; i < PATHS; i++) m.bytes[i] = calloc(1, FILE_MOST);
        CHECK(make(&d, k ? 4 * MIB : 2 * MIB, k ? "-F 16 -s 1" : "-F 12 -s 2"));
        struct fat *fs = folders_make(&d);
        uint8_t *before = malloc(d.size);
        memcpy(before, d.bytes, d.size);
        roll_state = 100 + k;
        d.record = true;
        for (int i = 0; i < 150; i++) step(fs, &m);
        CHECK(fat_sync(fs) == 0);
        d.record = false;
        CHECK(fat_unmount(fs) == 0);
        for (uint32_t cut = 0, flush = 0; cut < d.log_count && !unit_failed; cut++) {
            if (!d.log[cut].count) flush = cut;
            if (cut % 3 == k % 3) cut_check(&d, before, cut, flush);
        }
        free(before);
        disk_free(&d);
        for (int i = 0; i < PATHS; i++) free(m.bytes[i]);
    }
}

UNIT_MAIN
