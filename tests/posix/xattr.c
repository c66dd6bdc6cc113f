// SPDX-License-Identifier: MIT
/* Extended attributes: set, get, list, remove by path, by link and by descriptor. */
#include "test.h"
#include <sys/xattr.h>

static void expect(const char *path, const char *name, const char *value) {
    char got[64];
    EQUAL(getxattr(path, name, got, sizeof(got)), strlen(value));
    CHECK(!memcmp(got, value, strlen(value)));
}

TEST(set_get_and_replace) {
    char got[8];
    file_make("a", "");
    OK(setxattr("a", "user.one", "12", 2, 0));
    expect("a", "user.one", "12");
    OK(setxattr("a", "user.one", "345", 3, 0));
    expect("a", "user.one", "345");
    FAILS(EEXIST, setxattr("a", "user.one", "x", 1, XATTR_CREATE));
    FAILS(ENODATA, setxattr("a", "user.two", "x", 1, XATTR_REPLACE));
    OK(setxattr("a", "user.two", "", 0, XATTR_CREATE));
    OK(setxattr("a", "user.one", "6", 1, XATTR_REPLACE));
    expect("a", "user.one", "6");
    EQUAL(getxattr("a", "user.two", got, sizeof(got)), 0);
    FAILS(ENODATA, getxattr("a", "user.none", got, sizeof(got)));
    FAILS(EINVAL, setxattr("a", "user.one", "x", 1, 4));
    FAILS(ENOENT, setxattr("none", "user.one", "x", 1, 0));
    FAILS(ENOENT, getxattr("", "user.one", got, sizeof(got)));
}

TEST(sizes_and_limits) {
    static char value[70000], got[70000], name[400];
    file_make("a", "");
    for (size_t i = 0; i < sizeof(value); i++) value[i] = (char)(i * 7);
    OK(setxattr("a", "user.v", value, 3000, 0));
    EQUAL(getxattr("a", "user.v", NULL, 0), 3000);
    FAILS(ERANGE, getxattr("a", "user.v", got, 2999));
    EQUAL(getxattr("a", "user.v", got, 3000), 3000);
    EQUAL(getxattr("a", "user.v", got, sizeof(got)), 3000);
    CHECK(!memcmp(value, got, 3000));
    FAILS(E2BIG, setxattr("a", "user.v", value, 65537, 0));
    EQUAL(getxattr("a", "user.v", got, sizeof(got)), 3000);
    memset(name, 'n', 300);
    memcpy(name, "user.", 5);
    FAILS(ERANGE, setxattr("a", name, "x", 1, 0));
    name[255] = 0;
    OK(setxattr("a", name, "x", 1, 0));
    expect("a", name, "x");
    FAILS(ERANGE, setxattr("a", "", "x", 1, 0));
    FAILS(ERANGE, getxattr("a", "", got, sizeof(got)));
}

/* A list in any order: it holds each of these names, and nothing else that begins with "user.". */
static void list_expect(const char *list, ssize_t size, const char *const *names, int count) {
    int found = 0;
    for (const char *at = list; at < list + size; at += strlen(at) + 1) {
        bool known = false;
        for (int i = 0; i < count; i++) known |= !strcmp(at, names[i]);
        CHECK(known || strncmp(at, "user.", 5));
        found += known;
    }
    EQUAL(found, count);
}

TEST(list_and_remove) {
    static const char *const names[] = {"user.a", "user.bc"};
    char list[256];
    file_make("f", "");
    ssize_t before = OK(listxattr("f", NULL, 0)); /* a security module may have left some */
    OK(setxattr("f", "user.a", "1", 1, 0));
    OK(setxattr("f", "user.bc", "1", 1, 0));
    EQUAL(listxattr("f", NULL, 0), before + 15);
    FAILS(ERANGE, listxattr("f", list, 14));
    list_expect(list, OK(listxattr("f", list, sizeof(list))), names, 2);
    OK(removexattr("f", "user.a"));
    FAILS(ENODATA, removexattr("f", "user.a"));
    list_expect(list, OK(listxattr("f", list, sizeof(list))), names + 1, 1);
    int fd = (int)OK(open("f", O_RDONLY));
    list_expect(list, OK(flistxattr(fd, list, sizeof(list))), names + 1, 1);
    OK(fremovexattr(fd, "user.bc"));
    EQUAL(flistxattr(fd, NULL, 0), before);
}

TEST(descriptors) {
    char got[8];
    int p[2];
    file_make("f", "");
    int fd = (int)OK(open("f", O_RDONLY));
    OK(fsetxattr(fd, "user.x", "123", 3, 0)); /* by the file's permissions, not the descriptor's */
    EQUAL(fgetxattr(fd, "user.x", got, sizeof(got)), 3);
    OK(rename("f", "g"));
    expect("g", "user.x", "123");
    OK(link("g", "h"));
    expect("h", "user.x", "123");
    OK(unlink("g"));
    OK(unlink("h"));
    EQUAL(fgetxattr(fd, "user.x", got, sizeof(got)), 3);
    int path = (int)OK(open(".", O_PATH));
    FAILS(EBADF, fgetxattr(path, "user.x", got, sizeof(got)));
    FAILS(EBADF, fsetxattr(-1, "user.x", "", 0, 0));
    FAILS(EBADF, flistxattr(1000, got, sizeof(got)));
    OK(pipe(p));
    CHECK(fgetxattr(p[0], "user.x", got, sizeof(got)) == -1 && (errno == ENODATA || errno == EOPNOTSUPP));
}

TEST(links_and_directories) {
    char got[8];
    OK(mkdir("d", 0755));
    OK(symlink("d", "s"));
    OK(setxattr("s", "user.x", "1", 1, 0));
    expect("d", "user.x", "1");
    FAILS(EPERM, lsetxattr("s", "user.x", "1", 1, 0));
    FAILS(ENODATA, lgetxattr("s", "user.x", got, sizeof(got)));
    EQUAL(lgetxattr("d", "user.x", got, sizeof(got)), 1);
    if (geteuid() == 0) {
        OK(lsetxattr("s", "trusted.x", "link", 4, 0));
        EQUAL(lgetxattr("s", "trusted.x", got, sizeof(got)), 4);
        EQUAL(llistxattr("s", got, 0), 10);
        FAILS(ENODATA, getxattr("s", "trusted.x", got, sizeof(got)));
        OK(lremovexattr("s", "trusted.x"));
    }
    OK(removexattr("s", "user.x"));
    FAILS(ENODATA, getxattr("d", "user.x", got, sizeof(got)));
    FAILS(EOPNOTSUPP, setxattr("d", "nonsense.x", "1", 1, 0));
    FAILS(EOPNOTSUPP, setxattr("d", "nonsense", "1", 1, 0));
    FAILS(EOPNOTSUPP, getxattr("d", "nonsense.x", got, sizeof(got)));
}

TEST(setting_changes_ctime_only) {
    struct stat before, after;
    file_make("a", "");
    OK(stat("a", &before));
    sleep_ms(20);
    OK(setxattr("a", "user.x", "1", 1, 0));
    OK(stat("a", &after));
    CHECK(memcmp(&before.st_ctim, &after.st_ctim, sizeof(before.st_ctim)) != 0);
    CHECK(memcmp(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim)) == 0);
}

static int as_nobody(void *unused) {
    char got[64];
    (void)unused;
    OK(setgid(65534));
    OK(setuid(65534));
    expect("readable", "user.x", "1");
    FAILS(EACCES, setxattr("readable", "user.x", "2", 1, 0));
    FAILS(EACCES, removexattr("readable", "user.x"));
    FAILS(EACCES, getxattr("secret", "user.x", got, sizeof(got)));
    OK(setxattr("writable", "user.x", "2", 1, 0));
    FAILS(EPERM, setxattr("writable", "trusted.x", "2", 1, 0));
    FAILS(ENODATA, getxattr("readable", "trusted.x", got, sizeof(got)));
    FAILS(EPERM, setxattr("sticky", "user.x", "2", 1, 0));
    static const char *const names[] = {"user.x"};
    ssize_t size = OK(listxattr("readable", got, sizeof(got)));
    list_expect(got, size, names, 1);
    for (const char *at = got; at < got + size; at += strlen(at) + 1) CHECK(strncmp(at, "trusted.", 8));
    return 0;
}

TEST(permissions) {
    if (geteuid() != 0) SKIP("needs root");
    OK(chmod(".", 0755));
    file_make("readable", "");
    file_make("secret", "");
    file_make("writable", "");
    OK(mkdir("sticky", 0755));
    OK(chmod("sticky", 01777));
    OK(chmod("secret", 0600));
    OK(chmod("writable", 0666));
    OK(setxattr("readable", "user.x", "1", 1, 0));
    OK(setxattr("readable", "trusted.x", "t", 1, 0));
    expect("readable", "trusted.x", "t");
    OK(setxattr("secret", "user.x", "1", 1, 0));
    EQUAL(child_run(as_nobody, NULL), 0);
    expect("writable", "user.x", "2");
}
