// SPDX-License-Identifier: MIT
/* The file-system library where the host can't be asked: leaving the tree, pipes, locks, archives. */
#include <stdlib.h>
#include <unit.h>

#include "fs_host.h"

static struct fs_call root_call;

static void start(void) {
    host_fs_init(1000);
    root_call = host_call(0, 0);
}

static void finish(void) {
    CHECK(host_fs.fs.opens.count == 0);
    ramfs_fini(&host_fs);
    CHECK(host_fs.nodes_used == 0 && host_fs.entry_count == 0 && host_fs.pages_used == 0);
}

static struct fs_node *top(void) { return host_fs.fs.root; }

static int make(const char *path, uint32_t mode) { return fs_make_node(&root_call, top(), host_name(path), mode, 0); }

static struct fs_node *node(const char *path) {
    struct fs_walk w;
    return fs_walk(&root_call, top(), host_name(path), WALK_PARENT, &w) == 0 ? w.node : nullptr;
}

static int open_as(struct fs_call *c, const char *path, uint32_t flags, struct fs_open **o) {
    struct fs_plane plane;
    return fs_open(c, top(), host_name(path), flags, 0644, o, &plane);
}

static struct fs_open *must_open(const char *path, uint32_t flags) {
    struct fs_open *o = nullptr;
    int result = open_as(&root_call, path, flags, &o);
    CHECK(result == 0 && o);
    return o;
}

static void done(struct fs_open *o) { fs_close(&host_fs.fs, o); }

static bool left_for(const char *path) {
    return host_fs.fs.path_length == strlen(path) && memcmp(host_fs.fs.path, path, strlen(path)) == 0;
}

static int stat_result(struct fs_call *c, const char *path) {
    struct file_attributes a;
    return fs_stat(c, top(), host_name(path), 0, &a);
}

/* --- leaving ------------------------------------------------------------------------------------- */
TEST(absolute_link_redirects_if_the_root_is_elsewhere) {
    start();
    struct fs_call c = root_call;
    c.root = nullptr;
    CHECK(make("d", MODE_DIRECTORY | 0755) == 0);
    CHECK(fs_symlink(&c, top(), host_name("d/l"), host_name("/x/y")) == 0);
    CHECK(stat_result(&c, "d/l/z/../w/") == FS_REDIRECT && left_for("/x/y/z/../w/"));
    CHECK(stat_result(&c, "d/l") == FS_REDIRECT && left_for("/x/y"));
    finish();
}

TEST(dotdot_leaves_at_the_top) {
    start();
    struct fs_call c = root_call;
    c.root = nullptr;
    CHECK(stat_result(&c, "../a/b") == FS_UP && left_for("a/b"));
    CHECK(stat_result(&c, "..") == FS_UP && left_for(""));
    CHECK(stat_result(&root_call, "../../.") == 0);
    host_fs.fs.above = (char *)"/mnt";
    CHECK(stat_result(&c, "../a") == FS_REDIRECT && left_for("/mnt/a"));
    host_fs.fs.above = nullptr;
    finish();
}

TEST(mounts) {
    start();
    struct fs_call user = host_call(5, 5);
    CHECK(make("proc", MODE_DIRECTORY | 0755) == 0 && make("console", MODE_REGULAR | 0644) == 0);
    CHECK(fs_mount(&user, top(), host_name("proc"), host_name("/scheme/proc")) == -EPERM);
    CHECK(fs_mount(&root_call, top(), host_name("proc"), host_name("/scheme/proc")) == 0);
    CHECK(fs_mount(&root_call, top(), host_name("proc"), host_name("/x")) == -EBUSY);
    CHECK(fs_mount(&root_call, top(), host_name("console"), host_name("/scheme/tty/0")) == 0);
    CHECK(stat_result(&root_call, "proc") == FS_REDIRECT && left_for("/scheme/proc"));
    CHECK(stat_result(&root_call, "proc/1//stat") == FS_REDIRECT && left_for("/scheme/proc/1//stat"));
    CHECK(stat_result(&root_call, "console") == FS_REDIRECT && left_for("/scheme/tty/0"));
    CHECK(fs_remove(&root_call, top(), host_name("proc"), true) == -EBUSY);
    CHECK(make("proc", MODE_DIRECTORY | 0755) == -EEXIST);
    CHECK(fs_unmount(&root_call, top(), host_name("proc")) == 0);
    CHECK(fs_unmount(&root_call, top(), host_name("proc")) == -EINVAL);
    CHECK(fs_remove(&root_call, top(), host_name("proc"), true) == 0);
    finish();
}

TEST(long_names_and_paths) {
    start();
    char name[5000];
    memset(name, 'x', sizeof(name));
    name[256] = 0;
    CHECK(make(name, MODE_REGULAR) == -ENAMETOOLONG);
    name[255] = 0;
    CHECK(make(name, MODE_REGULAR) == 0);
    for (int i = 1; i < 4999; i += 2) name[i] = '/';
    name[256] = 'x';
    name[4096] = 0;
    CHECK(stat_result(&root_call, name) == -ENAMETOOLONG);
    finish();
}

/* --- directories --------------------------------------------------------------------------------- */
TEST(cookies_survive_changes) {
    start();
    char name[32], buffer[256];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "file%03d", i);
        CHECK(make(name, MODE_REGULAR | 0644) == 0);
    }
    struct fs_open *o = must_open(".", FILE_DIRECTORY);
    bool seen[200] = {};
    int64_t offset = 0, got;
    for (int round = 0; (got = fs_read(&root_call, o, buffer, sizeof(buffer), offset, IO_DIRECTORY, &offset)) > 0;
         round++) {
        for (int64_t at = 0; at < got; at += *(uint16_t *)(buffer + at + 16)) {
            const char *entry = buffer + at + 19;
            if (strncmp(entry, "file", 4) != 0) continue;
            CHECK(!seen[atoi(entry + 4)]);
            seen[atoi(entry + 4)] = true;
            CHECK(fs_remove(&root_call, top(), host_name(entry), false) == 0);
        }
        snprintf(name, sizeof(name), "new%d", round);
        if (round < 20) CHECK(make(name, MODE_REGULAR) == 0);
    }
    for (int i = 0; i < 200; i++) CHECK(seen[i]);
    CHECK(fs_read(&root_call, o, buffer, 10, 0, IO_DIRECTORY, &offset) == -EINVAL);
    CHECK(fs_read(&root_call, o, buffer, 10, 0, 0, &offset) == -EISDIR);
    done(o);
    finish();
}

TEST(unlinked_file_stays_while_open) {
    start();
    struct fs_open *o = must_open("f", FILE_CREATE | FILE_READ_WRITE);
    struct file_attributes a;
    CHECK(fs_remove(&root_call, top(), host_name("f"), false) == 0);
    CHECK(fs_stat(&root_call, o->node, host_name(""), 0, &a) == 0 && a.links == 0);
    CHECK(stat_result(&root_call, "f") == -ENOENT);
    done(o);
    o = must_open(".", FILE_TMPFILE | FILE_READ_WRITE);
    CHECK(fs_stat(&root_call, o->node, host_name(""), 0, &a) == 0 && a.links == 0);
    done(o);
    finish();
}

TEST(temporary_file_that_fails_goes_once) {
    start();
    struct fs_open *o;
    int64_t used = host_fs.nodes_used;
    host_stream_error = -ENOSPC;
    CHECK(open_as(&root_call, ".", FILE_TMPFILE | FILE_READ_WRITE, &o) == -ENOSPC);
    host_stream_error = 0;
    CHECK(host_fs.nodes_used == used);
    CHECK(make("a", MODE_REGULAR) == 0 && make("b", MODE_REGULAR) == 0 && node("a") != node("b"));
    finish();
}

TEST(sticky_directory) {
    start();
    struct fs_call a = host_call(1, 1), b = host_call(2, 2);
    struct fs_open *o;
    CHECK(make("tmp", MODE_DIRECTORY | 0777) == 0);
    node("tmp")->mode |= MODE_STICKY;
    CHECK(open_as(&a, "tmp/f", FILE_CREATE | FILE_WRITE_ONLY, &o) == 0);
    done(o);
    CHECK(fs_remove(&b, top(), host_name("tmp/f"), false) == -EPERM);
    CHECK(fs_rename(&b, top(), host_name("tmp/f"), top(), host_name("tmp/g"), 0) == -EPERM);
    CHECK(fs_remove(&a, top(), host_name("tmp/f"), false) == 0);
    finish();
}

TEST(node_quota) {
    start();
    host_fs.nodes_max = 3;
    CHECK(make("a", MODE_REGULAR) == 0 && make("b", MODE_FIFO) == 0);
    CHECK(make("c", MODE_REGULAR) == -ENOSPC);
    CHECK(fs_remove(&root_call, top(), host_name("a"), false) == 0);
    CHECK(make("c", MODE_DIRECTORY) == 0);
    finish();
}

TEST(devices) {
    start();
    struct fs_open *o;
    struct fs_plane plane;
    CHECK(fs_make_node(&root_call, top(), host_name("null"), MODE_CHAR | 0666, 0x103) == 0);
    CHECK(fs_make_node(&root_call, top(), host_name("odd"), MODE_CHAR | 0666, 0x1234) == 0);
    CHECK(fs_open(&root_call, top(), host_name("null"), FILE_READ_WRITE, 0, &o, &plane) == 0);
    CHECK(plane.plane == PLANE_NULL);
    done(o);
    CHECK(open_as(&root_call, "odd", 0, &o) == -ENXIO);
    struct fs_call user = host_call(1, 1);
    CHECK(fs_make_node(&user, top(), host_name("x"), MODE_CHAR, 0x103) == -EPERM);
    finish();
}

/* --- named pipes --------------------------------------------------------------------------------- */
TEST(fifo_open_waits_for_the_peer) {
    start();
    struct fs_open *reader, *writer;
    struct fs_plane plane;
    CHECK(make("p", MODE_FIFO | 0666) == 0);
    CHECK(open_as(&root_call, "p", FILE_WRITE_ONLY | FILE_NONBLOCK, &writer) == -ENXIO);
    CHECK(open_as(&root_call, "p", FILE_READ_ONLY, &reader) == FS_WAIT);
    CHECK(fs_open_continue(&root_call, reader, &plane) == FS_WAIT);
    CHECK(open_as(&root_call, "p", FILE_WRITE_ONLY, &writer) == 0);
    done(writer); /* it came and went: the reader is released all the same */
    CHECK(fs_open_continue(&root_call, reader, &plane) == 0);
    done(reader);
    CHECK(!node("p")->fifo);
    finish();
}

TEST(fifo_data) {
    start();
    char big[70000], back[70000];
    int64_t next = 0;
    uint64_t written = 0;
    for (size_t i = 0; i < sizeof(big); i++) big[i] = (char)(i * 7 + i / 251);
    CHECK(make("p", MODE_FIFO | 0666) == 0);
    struct fs_open *both = must_open("p", FILE_READ_WRITE);
    struct fs_open *writer = must_open("p", FILE_WRITE_ONLY);
    CHECK(fs_read(&root_call, both, back, 10, 0, IO_NONBLOCK, &next) == -EAGAIN);
    CHECK(fs_read(&root_call, both, back, 10, 0, 0, &next) == FS_WAIT);
    CHECK(fs_ready(both) == EVENT_OUT);
    CHECK(fs_write(&root_call, writer, big, sizeof(big), 0, 0, &written, &next) == FS_WAIT);
    CHECK(written == 65536 && fs_ready(both) == EVENT_IN);
    uint64_t none = 0;
    CHECK(fs_write(&root_call, writer, big, 10, 0, IO_NONBLOCK, &none, &next) == -EAGAIN);
    CHECK(fs_read(&root_call, both, back, 60000, 0, 0, &next) == 60000);
    CHECK(fs_write(&root_call, writer, big, sizeof(big), 0, 0, &written, &next) == sizeof(big));
    CHECK(fs_read(&root_call, both, back + 60000, 20000, 0, 0, &next) == 10000);
    CHECK(memcmp(big, back, sizeof(big)) == 0);
    done(both);
    none = 0;
    CHECK(fs_write(&root_call, writer, big, 10, 0, 0, &none, &next) == -EPIPE);
    CHECK(fs_ready(writer) & EVENT_ERROR);
    done(writer);
    finish();
}

TEST(fifo_reader_sees_the_next_writer) {
    start();
    char c;
    int64_t next;
    uint64_t n = 0;
    CHECK(make("p", MODE_FIFO | 0666) == 0);
    struct fs_open *reader = must_open("p", FILE_READ_ONLY | FILE_NONBLOCK);
    CHECK(fs_ready(reader) == 0);
    CHECK(fs_read(&root_call, reader, &c, 1, 0, 0, &next) == 0); /* no writer: the end */
    struct fs_open *writer = must_open("p", FILE_WRITE_ONLY);
    CHECK(fs_write(&root_call, writer, "x", 1, 0, 0, &n, &next) == 1);
    done(writer);
    CHECK(fs_read(&root_call, reader, &c, 1, 0, 0, &next) == 1 && c == 'x');
    CHECK(fs_ready(reader) == EVENT_HANGUP);
    writer = must_open("p", FILE_WRITE_ONLY);
    CHECK(fs_read(&root_call, reader, &c, 1, 0, 0, &next) == FS_WAIT);
    done(writer);
    done(reader);
    finish();
}

/* --- locks --------------------------------------------------------------------------------------- */
enum { GETLK = 5, SETLK = 6, SETLKW = 7, OFD_SETLK = 37, OFD_SETLKW = 38 };

static int lock_as(uint32_t pid, uint32_t tag, struct fs_open *o, uint32_t command, int16_t type, int64_t begin,
                   int64_t length) {
    struct fs_call c = host_call(0, 0);
    struct fs_flock range = {.type = type, .start = begin, .length = length};
    c.pid = pid;
    c.tag = tag;
    return fs_lock(&c, o, command, false, &range);
}

TEST(locks_of_processes) {
    start();
    struct fs_open *o = must_open("f", FILE_CREATE | FILE_READ_WRITE);
    struct fs_flock range = {.type = LOCK_EXCLUSIVE, .start = 5, .length = 1};
    CHECK(lock_as(1, 1, o, SETLK, LOCK_EXCLUSIVE, 0, 10) == 0);
    CHECK(lock_as(2, 2, o, SETLK, LOCK_SHARED, 9, 1) == -EAGAIN);
    CHECK(lock_as(2, 2, o, SETLK, LOCK_SHARED, 10, 0) == 0);
    CHECK(lock_as(1, 1, o, SETLK, LOCK_NONE, 4, 2) == 0);
    CHECK(lock_as(2, 2, o, SETLK, LOCK_EXCLUSIVE, 4, 2) == 0);
    struct fs_call c = host_call(0, 0);
    c.pid = 3;
    CHECK(fs_lock(&c, o, GETLK, false, &range) == 0);
    CHECK(range.type == LOCK_EXCLUSIVE && range.start == 4 && range.length == 2 && range.pid == 2);
    CHECK(lock_as(3, 3, o, SETLK, LOCK_EXCLUSIVE, -1, 1) == -EINVAL);
    CHECK(lock_as(3, 3, o, SETLK, 9, 0, 1) == -EINVAL);
    CHECK(lock_as(3, 3, o, 99, 0, 0, 1) == -EINVAL);
    fs_locks_drop(o->node, 1, false);
    CHECK(lock_as(3, 3, o, SETLK, LOCK_EXCLUSIVE, 0, 4) == 0);
    fs_locks_drop(o->node, 2, false);
    fs_locks_drop(o->node, 3, false);
    CHECK(!o->node->locks);
    struct fs_open *reader = must_open("f", FILE_READ_ONLY);
    CHECK(lock_as(1, 1, reader, SETLK, LOCK_EXCLUSIVE, 0, 0) == -EBADF);
    done(reader);
    done(o);
    finish();
}

TEST(lock_circle) {
    start();
    struct fs_open *o = must_open("f", FILE_CREATE | FILE_READ_WRITE);
    for (uint32_t pid = 1; pid <= 3; pid++) CHECK(lock_as(pid, pid, o, SETLK, LOCK_EXCLUSIVE, pid, 1) == 0);
    CHECK(lock_as(1, 11, o, SETLKW, LOCK_SHARED, 2, 1) == FS_WAIT);
    CHECK(lock_as(2, 12, o, SETLKW, LOCK_SHARED, 3, 1) == FS_WAIT);
    CHECK(lock_as(3, 13, o, SETLKW, LOCK_SHARED, 1, 1) == -EDEADLK);
    fs_lock_cancel(&host_fs.fs, 12);
    CHECK(lock_as(3, 13, o, SETLKW, LOCK_SHARED, 1, 1) == FS_WAIT);
    fs_locks_drop(o->node, 2, false);
    CHECK(lock_as(1, 11, o, SETLKW, LOCK_SHARED, 2, 1) == 0); /* runs again */
    fs_lock_cancel(&host_fs.fs, 13);
    CHECK(!host_fs.fs.lock_waits);
    for (uint32_t pid = 1; pid <= 3; pid++) fs_locks_drop(o->node, pid, false);
    done(o);
    finish();
}

TEST(locks_of_open_files) {
    start();
    struct fs_open *a = must_open("f", FILE_CREATE | FILE_READ_WRITE), *b = must_open("f", 2);
    struct fs_call c = host_call(0, 0);
    struct fs_flock whole = {.type = LOCK_EXCLUSIVE};
    CHECK(lock_as(1, 1, a, OFD_SETLK, LOCK_EXCLUSIVE, 0, 0) == 0);
    CHECK(lock_as(1, 2, b, OFD_SETLK, LOCK_SHARED, 0, 0) == -EAGAIN);
    CHECK(lock_as(1, 2, b, SETLK, LOCK_SHARED, 0, 0) == -EAGAIN);
    CHECK(fs_lock(&c, b, SETLK, true, &whole) == 0); /* flock: a world of its own */
    CHECK(fs_lock(&c, a, SETLK, true, &whole) == -EAGAIN);
    CHECK(fs_lock(&c, a, SETLKW, true, &whole) == FS_WAIT);
    done(b);
    CHECK(fs_lock(&c, a, SETLKW, true, &whole) == 0);
    done(a);
    CHECK(!node("f")->locks && !node("f")->flocks);
    finish();
}

/* Random ranges of 3 owners over 64 bytes, against an array. */
TEST(lock_ranges_at_random) {
    struct fs_lock *list = nullptr;
    int8_t model[3][64];
    uint32_t state = 1;
    memset(model, LOCK_NONE, sizeof(model));
    for (int step = 0; step < 20000; step++) {
        state = state * 1664525 + 1013904223;
        uint32_t r = state >> 8, owner = r % 3, type = r / 3 % 3;
        int64_t a = r / 9 % 64, b = r / 576 % 64;
        struct fs_lock want = {.start = a < b ? a : b, .end = a < b ? b : a, .owner = owner + 1, .type = (int16_t)type};
        bool conflict = false;
        for (uint32_t o = 0; o < 3; o++)
            for (int64_t i = want.start; i <= want.end; i++)
                conflict |= o != owner && model[o][i] != LOCK_NONE && type != LOCK_NONE &&
                            (model[o][i] == LOCK_EXCLUSIVE || type == LOCK_EXCLUSIVE);
        bool found = type != LOCK_NONE && lock_conflict(list, &want);
        CHECK(found == conflict);
        if (conflict) continue;
        CHECK(lock_set(&list, &want) == 0);
        memset(&model[owner][want.start], (int)type, (size_t)(want.end - want.start + 1));
        int64_t last_start = 0;
        for (struct fs_lock *l = list; l; l = l->next) {
            CHECK(l->start >= last_start);
            last_start = l->start;
            for (int64_t i = l->start; i <= l->end; i++) CHECK(model[l->owner - 1][i] == l->type);
        }
    }
    for (uint64_t owner = 1; owner <= 3; owner++) lock_drop(&list, owner);
    CHECK(!list);
}

/* --- extended attributes ------------------------------------------------------------------------- */
TEST(extended_attributes) {
    start();
    char out[100];
    struct fs_call user = host_call(7, 7);
    CHECK(make("f", MODE_REGULAR | 0644) == 0);
    struct fs_node *f = node("f");
    CHECK(fs_xattr(&root_call, f, XATTR_SET, 0, "user.a", "12", 2, nullptr, 0) == 0);
    CHECK(fs_xattr(&root_call, f, XATTR_SET, 1, "user.a", "12", 2, nullptr, 0) == -EEXIST);
    CHECK(fs_xattr(&root_call, f, XATTR_SET, 2, "user.b", "12", 2, nullptr, 0) == -ENODATA);
    CHECK(fs_xattr(&root_call, f, XATTR_SET, 0, "user.a", "345", 3, nullptr, 0) == 0);
    CHECK(fs_xattr(&root_call, f, XATTR_SET, 0, "trusted.x", "", 0, nullptr, 0) == 0);
    CHECK(fs_xattr(&user, f, XATTR_SET, 0, "user.c", "", 0, nullptr, 0) == -EACCES);
    CHECK(fs_xattr(&user, f, XATTR_GET, 0, "user.a", nullptr, 0, out, 0) == 3);
    CHECK(fs_xattr(&user, f, XATTR_GET, 0, "user.a", nullptr, 0, out, 2) == -ERANGE);
    CHECK(fs_xattr(&user, f, XATTR_GET, 0, "user.a", nullptr, 0, out, 3) == 3 && !memcmp(out, "345", 3));
    CHECK(fs_xattr(&user, f, XATTR_LIST, 0, "", nullptr, 0, out, 100) == 7);
    CHECK(fs_xattr(&root_call, f, XATTR_LIST, 0, "", nullptr, 0, out, 0) == 17);
    CHECK(fs_xattr(&root_call, f, XATTR_REMOVE, 0, "user.a", nullptr, 0, nullptr, 0) == 0);
    CHECK(fs_xattr(&root_call, f, XATTR_GET, 0, "user.a", nullptr, 0, out, 3) == -ENODATA);
    CHECK(fs_xattr(&root_call, f, XATTR_SET, 0, "system.x", "", 0, nullptr, 0) == -EOPNOTSUPP);
    CHECK(fs_xattr(&root_call, f, XATTR_SET, 0, "security.x", "1", 1, nullptr, 0) == 0);
    CHECK(fs_xattr(&user, f, XATTR_GET, 0, "security.x", nullptr, 0, out, 1) == 1);
    CHECK(fs_xattr(&user, f, XATTR_REMOVE, 0, "security.x", nullptr, 0, nullptr, 0) == -EPERM);
    CHECK(fs_xattr(&user, f, XATTR_SET, 0, "trusted.x", "1", 1, nullptr, 0) == -EPERM);
    host_fs.fs.flags |= FS_READ_ONLY;
    CHECK(fs_xattr(&root_call, f, XATTR_SET, 0, "user.a", "1", 1, nullptr, 0) == -EROFS);
    CHECK(fs_xattr(&root_call, f, XATTR_REMOVE, 0, "security.x", nullptr, 0, nullptr, 0) == -EROFS);
    host_fs.fs.flags &= ~(uint32_t)FS_READ_ONLY;
    finish();
}

/* Replacing a value needs room for the difference only. */
TEST(extended_attributes_have_limits) {
    static char big[65536];
    start();
    CHECK(make("f", MODE_REGULAR | 0644) == 0);
    struct fs_node *f = node("f");
    CHECK(fs_xattr(&root_call, f, XATTR_SET, 0, "user.a", big, 65000, nullptr, 0) == 0);
    CHECK(fs_xattr(&root_call, f, XATTR_SET, 0, "user.b", big, 65000, nullptr, 0) == 0);
    CHECK(fs_xattr(&root_call, f, XATTR_SET, 0, "user.c", big, 2000, nullptr, 0) == -ENOSPC);
    CHECK(fs_xattr(&root_call, f, XATTR_SET, 0, "user.a", big, 65000, nullptr, 0) == 0);
    CHECK(fs_xattr(&root_call, f, XATTR_SET, 0, "user.a", big, 65001, nullptr, 0) == -ENOSPC);
    CHECK(fs_xattr(&root_call, f, XATTR_REMOVE, 0, "user.b", nullptr, 0, nullptr, 0) == 0);
    CHECK(fs_xattr(&root_call, f, XATTR_SET, 0, "user.c", big, 2000, nullptr, 0) == 0);
    finish();
}

/* --- inotify ------------------------------------------------------------------------------------- */
static struct fs_open *notify_open(void) {
    struct fs_open *o = nullptr;
    CHECK(fs_open_notify(&root_call, FILE_NONBLOCK, &o) == 0 && o);
    return o;
}

static int watch(struct fs_open *o, const char *path, uint32_t mask) {
    return (int)fs_notify_add(&root_call, o, top(), host_name(path), mask);
}

/* The next event's mask, whose watch it is told by; 0: none. */
static uint32_t event(struct fs_open *o, int wanted) {
    uint32_t e[64];
    int64_t next, size = fs_read(&root_call, o, e, 16, 0, IO_NONBLOCK, &next);
    if (size == -EINVAL) size = fs_read(&root_call, o, e, 32, 0, IO_NONBLOCK, &next); /* with a name */
    if (size == -EAGAIN) return 0;
    CHECK(size >= 16 && (int)e[0] == wanted);
    return e[1];
}

TEST(inotify_lives_as_long_as_its_node) {
    enum { ONCE = (int)0x80000000, GONE = 0x8000 };
    start();
    CHECK(make("d", MODE_DIRECTORY | 0755) == 0 && make("d/f", MODE_REGULAR | 0644) == 0);
    CHECK(make("d/g", MODE_REGULAR | 0644) == 0);
    struct fs_open *i = notify_open(), *j = notify_open(), *f = must_open("d/f", FILE_READ_ONLY);
    CHECK(watch(i, "d/f", NOTIFY_DELETE_SELF) == 1 && watch(j, "d/f", NOTIFY_DELETE_SELF | (uint32_t)ONCE) == 1);
    CHECK(watch(i, "d/f", 0) == -EINVAL && watch(i, "none", 1) == -ENOENT);
    CHECK(fs_rename(&root_call, top(), host_name("d/g"), top(), host_name("d/f"), 0) == 0); /* f has no name now */
    CHECK(event(i, 1) == 0);
    done(f);
    CHECK(event(i, 1) == NOTIFY_DELETE_SELF);
    CHECK(event(j, 1) == NOTIFY_DELETE_SELF);
    CHECK(fs_notify_bytes(i) == 16 && fs_notify_remove(i, 1) == -EINVAL);
    CHECK(watch(i, "d/f", NOTIFY_ATTRIBUTES | (uint32_t)ONCE) == 2); /* ends while the node goes */
    CHECK(fs_remove(&root_call, top(), host_name("d/f"), false) == 0);
    done(i);
    CHECK(watch(j, "d", NOTIFY_ALL) == 2);
    f = must_open("d", FILE_READ_ONLY | FILE_DIRECTORY);
    CHECK(fs_remove(&root_call, top(), host_name("d"), true) == 0);
    done(f);
    done(j);
    finish();
}

TEST(opens_remember_names) {
    start();
    struct fs_open *i = notify_open();
    CHECK(make("d", MODE_DIRECTORY | 0755) == 0 && make("e", MODE_DIRECTORY | 0755) == 0);
    CHECK(make("d/f", MODE_REGULAR | 0644) == 0);
    CHECK(watch(i, "e", NOTIFY_CLOSE_NOWRITE) == 1);
    struct fs_open *f = must_open("d/f", FILE_READ_ONLY);
    CHECK(fs_rename(&root_call, top(), host_name("d/f"), top(), host_name("e/g"), 0) == 0);
    done(f);
    CHECK(event(i, 1) == NOTIFY_CLOSE_NOWRITE);
    f = must_open("e/g", FILE_READ_ONLY);
    CHECK(fs_remove(&root_call, top(), host_name("e/g"), false) == 0);
    CHECK(fs_remove(&root_call, top(), host_name("e"), true) == 0);
    done(i);
    done(f);
    finish();
}

/* --- archives ------------------------------------------------------------------------------------ */
static size_t put(char *at, const char *name, uint32_t inode, uint32_t mode, uint32_t links, const char *data,
                  size_t size) {
    size_t name_size = strlen(name) + 1;
    size_t n = (size_t)sprintf(at, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x%s", inode, mode, 3, 4,
                               links, 99, size, 0, 0, 1, 3, name_size, 0, name) +
               1;
    while (n % 4) at[n++] = 0;
    memcpy(at + n, data, size);
    n += size;
    while (n % 4) at[n++] = 0;
    return n;
}

TEST(populate_from_archives) {
    static char bytes[8192];
    struct file_attributes a;
    size_t n = 0;
    start();
    n += put(bytes + n, "etc", 1, 040700, 2, "", 0);
    n += put(bytes + n, "etc/passwd", 2, 0100640, 1, "root", 4);
    n += put(bytes + n, "bin/busybox", 3, 0100755, 2, "elf", 3);
    n += put(bytes + n, "bin/ls", 3, 0100755, 2, "", 0);
    n += put(bytes + n, "bin/sh", 4, 0120777, 1, "busybox", 7);
    n += put(bytes + n, "dev/null", 5, 0020666, 1, "", 0);
    n += put(bytes + n, "TRAILER!!!", 0, 0, 1, "", 0);
    n += 100;
    n += put(bytes + n, "./etc/passwd", 2, 0100600, 1, "me", 2);
    n += put(bytes + n, "bin/cp", 3, 0100755, 2, "other", 5);
    n += put(bytes + n, "etc/../x", 9, 0100755, 1, "", 0);
    n += put(bytes + n, "bin", 9, 0100755, 1, "", 0);
    struct ram_module module = {.bytes = (uint8_t *)bytes, .size = n};
    CHECK(ramfs_populate(&host_fs, &module) == 2); /* the last two */
    CHECK(fs_stat(&root_call, top(), host_name("etc"), 0, &a) == 0 && a.mode == 040700 && a.uid == 3);
    CHECK(fs_stat(&root_call, top(), host_name("etc/passwd"), 0, &a) == 0 && a.size == 2 && a.mode == 0100600 &&
          a.mtime_s == 99);
    CHECK(node("bin/ls") == node("bin/busybox") && node("bin/ls")->links == 2);
    CHECK(node("bin/cp") != node("bin/ls") && node("bin/cp")->size == 5);
    CHECK(fs_stat(&root_call, top(), host_name("bin/sh"), 0, &a) == 0 && a.size == 3);
    CHECK(node("dev/null")->rdev == 0x103);
    module.size -= 60; /* damaged */
    ramfs_fini(&host_fs);
    start();
    CHECK(ramfs_populate(&host_fs, &module) == -EINVAL);
    CHECK(node("etc/passwd"));
    finish();
}

UNIT_MAIN
