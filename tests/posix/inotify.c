// SPDX-License-Identifier: MIT
/* inotify: what is told to whoever watches a file or a directory. */
#include "test.h"
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

static int fd;

static void start(void) { fd = (int)OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)); }

static int watch(const char *path, uint32_t mask) { return (int)OK(inotify_add_watch(fd, path, mask)); }

/* The next event; ends the case if there is none. */
static struct inotify_event *next(void) {
    static char buffer[4096] __attribute__((aligned(8)));
    static ssize_t size, at;
    if (at >= size) {
        size = OK(read(fd, buffer, sizeof(buffer)));
        at = 0;
    }
    struct inotify_event *e = (struct inotify_event *)(buffer + at);
    at += (ssize_t)(sizeof(*e) + e->len);
    return e;
}

/* The next event is this one; its cookie. */
static uint32_t expect(int line, int id, uint32_t mask, const char *name) {
    struct inotify_event *e = next();
    const char *got = e->len ? e->name : "";
    if (e->wd != id || e->mask != mask || strcmp(got, name)) {
        test_fail(__FILE__, line, "watch %d mask %x \"%s\", not %d %x \"%s\"", e->wd, e->mask, got, id, mask, name);
    }
    return e->cookie;
}
#define EXPECT(id, bits, name) expect(__LINE__, id, bits, name)

#define NOTHING() FAILS(EAGAIN, read(fd, (char[64]){0}, 64))

TEST(entries_of_a_directory) {
    start();
    OK(mkdir("d", 0755));
    int d = watch("d", IN_CREATE | IN_DELETE | IN_MOVE | IN_ONLYDIR);
    file_make("d/a", "x");
    OK(mkdir("d/sub", 0755));
    OK(symlink("a", "d/s"));
    OK(link("d/a", "d/b"));
    OK(mkfifo("d/p", 0600));
    EXPECT(d, IN_CREATE, "a");
    EXPECT(d, IN_CREATE | IN_ISDIR, "sub");
    EXPECT(d, IN_CREATE, "s");
    EXPECT(d, IN_CREATE, "b");
    EXPECT(d, IN_CREATE, "p");
    OK(unlink("d/a"));
    OK(rmdir("d/sub"));
    EXPECT(d, IN_DELETE, "a");
    EXPECT(d, IN_DELETE | IN_ISDIR, "sub");
    NOTHING();
}

TEST(moves_have_a_cookie) {
    start();
    OK(mkdir("d", 0755));
    OK(mkdir("e", 0755));
    OK(mkdir("d/sub", 0755));
    file_make("d/a", "");
    file_make("e/victim", "");
    int d = watch("d", IN_MOVE), e = watch("e", IN_MOVE), a = watch("d/a", IN_MOVE_SELF),
        s = watch("d/sub", IN_MOVE_SELF);
    OK(rename("d/a", "d/b"));
    uint32_t first = EXPECT(d, IN_MOVED_FROM, "a");
    EQUAL(EXPECT(d, IN_MOVED_TO, "b"), first);
    EXPECT(a, IN_MOVE_SELF, "");
    OK(rename("d/b", "e/victim"));
    uint32_t second = EXPECT(d, IN_MOVED_FROM, "b");
    EQUAL(EXPECT(e, IN_MOVED_TO, "victim"), second);
    CHECK(first && second && first != second);
    EXPECT(a, IN_MOVE_SELF, "");
    OK(rename("d/sub", "e/sub"));
    EXPECT(d, IN_MOVED_FROM | IN_ISDIR, "sub");
    EXPECT(e, IN_MOVED_TO | IN_ISDIR, "sub");
    EXPECT(s, IN_MOVE_SELF, "");
    NOTHING();
}

TEST(a_file_is_opened_written_and_closed) {
    start();
    file_make("a", "text");
    int a = watch("a", IN_OPEN | IN_CLOSE | IN_MODIFY), d = watch(".", IN_OPEN | IN_CLOSE | IN_MODIFY);
    int file = (int)OK(open("a", O_RDONLY));
    EXPECT(d, IN_OPEN, "a");
    EXPECT(a, IN_OPEN, "");
    OK(close(file));
    EXPECT(d, IN_CLOSE_NOWRITE, "a");
    EXPECT(a, IN_CLOSE_NOWRITE, "");
    sleep_ms(20);
    file = (int)OK(open("a", O_WRONLY));
    EQUAL(write(file, "12", 2), 2);
    OK(close(file));
    EXPECT(d, IN_OPEN, "a");
    EXPECT(a, IN_OPEN, "");
    uint32_t both[2] = {0, 0};
    for (int i = 0; i < 2; i++) { /* in any order: a write need not be known before the close */
        struct inotify_event *e = next();
        EQUAL(e->mask, IN_MODIFY);
        both[e->wd == a]++;
    }
    CHECK(both[0] == 1 && both[1] == 1);
    EXPECT(d, IN_CLOSE_WRITE, "a");
    EXPECT(a, IN_CLOSE_WRITE, "");
    OK(truncate("a", 1));
    EXPECT(d, IN_MODIFY, "a");
    EXPECT(a, IN_MODIFY, "");
    NOTHING();
}

TEST(writes_are_known_while_the_file_is_open) {
    start();
    file_make("a", "text");
    int a = watch("a", IN_MODIFY);
    sleep_ms(20);
    int file = (int)OK(open("a", O_WRONLY | O_APPEND));
    struct pollfd p = {fd, POLLIN, 0};
    for (int i = 0; i < 3; i++) {
        EQUAL(write(file, "12", 2), 2);
        EQUAL(poll(&p, 1, 10000), 1);
        EXPECT(a, IN_MODIFY, "");
        sleep_ms(20);
    }
    OK(inotify_rm_watch(fd, a));
    EXPECT(a, IN_IGNORED, "");
    int d = watch(".", IN_MODIFY);
    int other = (int)OK(open("a", O_WRONLY));
    EQUAL(write(other, "34", 2), 2);
    EQUAL(poll(&p, 1, 10000), 1);
    EXPECT(d, IN_MODIFY, "a");
}

TEST(attributes) {
    struct timespec times[2] = {{1, 0}, {2, 0}};
    start();
    file_make("a", "");
    int a = watch("a", IN_ATTRIB), d = watch(".", IN_ATTRIB);
    OK(chmod("a", 0600));
    EXPECT(d, IN_ATTRIB, "a");
    EXPECT(a, IN_ATTRIB, "");
    int file = (int)OK(open("a", O_RDWR));
    OK(futimens(file, times));
    EXPECT(d, IN_ATTRIB, "a");
    EXPECT(a, IN_ATTRIB, "");
    OK(setxattr("a", "user.x", "1", 1, 0));
    EXPECT(d, IN_ATTRIB, "a");
    EXPECT(a, IN_ATTRIB, "");
    OK(link("a", "b"));
    EXPECT(a, IN_ATTRIB, "");
    OK(unlink("b"));
    EXPECT(a, IN_ATTRIB, "");
    OK(chmod(".", 0700));
    EXPECT(d, IN_ATTRIB | IN_ISDIR, "");
    NOTHING();
}

TEST(a_renamed_file_has_its_new_name) {
    start();
    file_make("a", "");
    int d = watch(".", IN_ATTRIB | IN_CLOSE);
    int file = (int)OK(open("a", O_RDONLY));
    OK(rename("a", "b"));
    OK(fchmod(file, 0600));
    EXPECT(d, IN_ATTRIB, "b");
    OK(close(file));
    EXPECT(d, IN_CLOSE_NOWRITE, "b");
    NOTHING();
}

TEST(the_end_of_a_node) {
    start();
    file_make("a", "");
    OK(mkdir("d", 0755));
    int a = watch("a", IN_DELETE_SELF), d = watch("d", IN_DELETE_SELF | IN_CREATE);
    int file = (int)OK(open("a", O_RDONLY));
    OK(unlink("a"));
    NOTHING();
    OK(close(file));
    EXPECT(a, IN_DELETE_SELF, "");
    EXPECT(a, IN_IGNORED, "");
    OK(rmdir("d"));
    EXPECT(d, IN_DELETE_SELF, "");
    EXPECT(d, IN_IGNORED, "");
    FAILS(EINVAL, inotify_rm_watch(fd, d));
    file_make("v", "");
    file_make("w", "");
    int v = watch("v", IN_DELETE_SELF);
    OK(rename("w", "v"));
    EXPECT(v, IN_DELETE_SELF, "");
    EXPECT(v, IN_IGNORED, "");
    NOTHING();
}

TEST(watches) {
    start();
    file_make("a", "");
    OK(symlink("a", "s"));
    int a = watch("a", IN_OPEN);
    EQUAL(watch("s", IN_OPEN | IN_ATTRIB), a); /* the same file: a new mask */
    OK(chmod("a", 0600));
    EXPECT(a, IN_ATTRIB, "");
    EQUAL(watch("a", IN_DELETE_SELF | IN_MASK_ADD), a);
    OK(chmod("a", 0644));
    EXPECT(a, IN_ATTRIB, "");
    CHECK(watch("s", IN_ATTRIB | IN_DONT_FOLLOW) != a);
    FAILS(EEXIST, inotify_add_watch(fd, "a", IN_OPEN | IN_MASK_CREATE));
    FAILS(ENOTDIR, inotify_add_watch(fd, "a", IN_OPEN | IN_ONLYDIR));
    FAILS(EINVAL, inotify_add_watch(fd, "a", 0));
    FAILS(EINVAL, inotify_add_watch(fd, "a", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE));
    FAILS(ENOENT, inotify_add_watch(fd, "none", IN_OPEN));
    FAILS(EBADF, inotify_add_watch(-1, "a", IN_OPEN));
    int file = (int)OK(open("s", O_PATH | O_NOFOLLOW));
    FAILS(EBADF, inotify_add_watch(1000, "a", IN_OPEN));
    CHECK(inotify_add_watch(file, "a", IN_OPEN) == -1 && (errno == EINVAL || errno == EBADF));
    FAILS(EINVAL, inotify_rm_watch(fd, 12345));
    FAILS(EINVAL, inotify_init1(1));
    NOTHING();
    EQUAL(watch("a", IN_DELETE_SELF), a);
    OK(close(open("a", O_RDONLY)));
    NOTHING();
    FAILS(EINVAL, inotify_add_watch(open("a", O_RDONLY), "a", IN_OPEN));
}

TEST(oneshot_and_removal) {
    start();
    file_make("a", "");
    int a = watch("a", IN_ATTRIB | IN_ONESHOT);
    OK(chmod("a", 0600));
    OK(chmod("a", 0644));
    EXPECT(a, IN_ATTRIB, "");
    EXPECT(a, IN_IGNORED, "");
    int b = watch("a", IN_ATTRIB);
    CHECK(b != a);
    OK(inotify_rm_watch(fd, b));
    OK(chmod("a", 0600));
    EXPECT(b, IN_IGNORED, "");
    NOTHING();
}

TEST(unlinked_files_can_be_excluded) {
    start();
    file_make("a", "");
    file_make("b", "");
    int a = (int)OK(open("a", O_RDONLY));
    close(a);
    a = (int)OK(open("a", O_RDONLY));
    int d = watch(".", IN_CLOSE | IN_EXCL_UNLINK);
    OK(unlink("a"));
    OK(close(a));
    OK(close(open("b", O_RDONLY)));
    EXPECT(d, IN_CLOSE_NOWRITE, "b");
    NOTHING();
}

TEST(reading_and_polling) {
    char buffer[256];
    int bytes = -1;
    start();
    file_make("a", "");
    int a = watch("a", IN_ATTRIB), d = watch(".", IN_CREATE);
    struct pollfd p = {fd, POLLIN, 0};
    EQUAL(poll(&p, 1, 0), 0);
    OK(ioctl(fd, FIONREAD, &bytes));
    EQUAL(bytes, 0);
    OK(chmod("a", 0600));
    OK(chmod("a", 0640)); /* the same event again: joined */
    EQUAL(poll(&p, 1, 1000), 1);
    EQUAL(p.revents, POLLIN);
    OK(ioctl(fd, FIONREAD, &bytes));
    EQUAL(bytes, 16);
    file_make("longer-than-fifteen", "");
    OK(ioctl(fd, FIONREAD, &bytes));
    EQUAL(bytes, 16 + 48);
    FAILS(EINVAL, read(fd, buffer, 15));
    EQUAL(read(fd, buffer, 16 + 47), 16); /* whole events only */
    EQUAL(read(fd, buffer, sizeof(buffer)), 48);
    struct inotify_event *e = (struct inotify_event *)buffer;
    CHECK(e->wd == d && e->len == 32 && !strcmp(e->name, "longer-than-fifteen"));
    NOTHING();
    EQUAL(poll(&p, 1, 0), 0);
    (void)a;
}

static int chmod_later(void *unused) {
    (void)unused;
    sleep_ms(50);
    return chmod("a", 0600);
}

TEST(a_reader_waits) {
    char buffer[64];
    start();
    OK(fcntl(fd, F_SETFL, 0));
    file_make("a", "");
    int a = watch("a", IN_ATTRIB);
    pid_t child = child_start(chmod_later, NULL);
    EQUAL(read(fd, buffer, sizeof(buffer)), 16);
    EQUAL(((struct inotify_event *)buffer)->wd, a);
    EQUAL(child_wait(child), 0);
    child = child_start(chmod_later, NULL);
    struct pollfd p = {fd, POLLIN, 0};
    EQUAL(poll(&p, 1, 10000), 1);
    EQUAL(child_wait(child), 0);
}

TEST(a_queue_overflows) {
    bool overflow = false;
    int count = 0;
    char buffer[65536] __attribute__((aligned(8)));
    start();
    file_make("a", "");
    int a = watch("a", IN_ATTRIB | IN_OPEN);
    for (int i = 0; i < 10000; i++) {
        OK(chmod("a", 0600));
        OK(close(open("a", O_RDONLY)));
    }
    for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) {
        for (ssize_t at = 0; at < n; at += 16, count++) {
            struct inotify_event *e = (struct inotify_event *)(buffer + at);
            CHECK(!overflow);
            overflow = e->wd == -1 && e->mask == IN_Q_OVERFLOW;
            CHECK(overflow || e->wd == a);
        }
    }
    CHECK(overflow);
    CHECK(count <= 16385);
    OK(chmod("a", 0644));
    EXPECT(a, IN_ATTRIB, "");
}

static int as_nobody(void *unused) {
    (void)unused;
    OK(setgid(65534));
    OK(setuid(65534));
    OK(inotify_add_watch(fd, "readable", IN_OPEN));
    FAILS(EACCES, inotify_add_watch(fd, "secret", IN_OPEN));
    return 0;
}

TEST(watching_needs_permission_to_read) {
    if (geteuid() != 0) SKIP("needs root");
    start();
    OK(chmod(".", 0755));
    file_make("readable", "");
    file_make("secret", "");
    OK(chmod("secret", 0600));
    EQUAL(child_run(as_nobody, NULL), 0);
}

/* The descriptor is no file of the file system. */
TEST(its_own_attributes) {
    struct stat s;
    start();
    OK(fstat(fd, &s));
    int result = fchmod(fd, 0600);
    CHECK(result == 0 || errno == EOPNOTSUPP);
    result = fsetxattr(fd, "user.a", "b", 1, 0);
    CHECK(result < 0);
    FAILS(EINVAL, fsync(fd));
    FAILS(EINVAL, ftruncate(fd, 0));
    OK(fstat(fd, &s));
    CHECK(!S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode));
}

TEST(instances_have_a_limit) {
    int fds[2000], count = 0;
    while (count < 2000 && (fds[count] = inotify_init1(0)) >= 0) count++;
    EQUAL(errno, EMFILE);
    CHECK(count > 0 && count < 2000);
    OK(close(fds[--count]));
    fds[count++] = (int)OK(inotify_init1(0));
    while (count) OK(close(fds[--count]));
}

TEST(two_instances_and_many_watches) {
    char name[32];
    start();
    int one = fd;
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "f%d", i);
        file_make(name, "");
        watch(name, IN_ATTRIB);
    }
    start();
    int w = watch("f7", IN_ATTRIB | IN_DELETE_SELF);
    OK(chmod("f7", 0600));
    EXPECT(w, IN_ATTRIB, "");
    OK(close(one));
    OK(unlink("f7"));
    EXPECT(w, IN_ATTRIB, "");
    EXPECT(w, IN_DELETE_SELF, "");
    EXPECT(w, IN_IGNORED, "");
    NOTHING();
}
