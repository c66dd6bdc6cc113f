// SPDX-License-Identifier: MIT
/* stat, modes, owners, access, umask, times. */
#include "test.h"
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/time.h>

static struct stat stat_of(const char *path) {
    struct stat st;
    OK(stat(path, &st));
    return st;
}

TEST(stat_of_a_file) {
    file_make("a", "12345");
    struct stat st = stat_of("a"), other;
    CHECK(S_ISREG(st.st_mode));
    EQUAL(st.st_mode & 07777, 0644);
    EQUAL(st.st_size, 5);
    EQUAL(st.st_nlink, 1);
    EQUAL(st.st_uid, geteuid());
    CHECK(st.st_ino != 0 && st.st_blksize > 0);
    int fd = (int)OK(open("a", O_RDONLY));
    OK(fstat(fd, &other));
    EQUAL(other.st_ino, st.st_ino);
    EQUAL(other.st_dev, st.st_dev);
    FAILS(ENOENT, stat("none", &st));
    FAILS(EBADF, fstat(-1, &st));
    OK(fstatat(fd, "", &other, AT_EMPTY_PATH));
    EQUAL(other.st_ino, st.st_ino);
}

TEST(stat_of_other_kinds) {
    struct stat st;
    int p[2];
    CHECK(S_ISDIR(stat_of("/").st_mode));
    CHECK(S_ISDIR(stat_of(".").st_mode));
    CHECK(S_ISCHR(stat_of("/dev/null").st_mode));
    OK(pipe(p));
    OK(fstat(p[0], &st));
    CHECK(S_ISFIFO(st.st_mode));
}

TEST(umask_applies) {
    EQUAL(umask(077), 022);
    OK(mkdir("d", 0777));
    int fd = (int)OK(open("f", O_CREAT | O_WRONLY, 0666));
    OK(mkfifo("p", 0666));
    EQUAL(stat_of("d").st_mode & 0777, 0700);
    EQUAL(stat_of("f").st_mode & 0777, 0600);
    EQUAL(stat_of("p").st_mode & 0777, 0600);
    OK(fchmod(fd, 0666));
    EQUAL(stat_of("f").st_mode & 0777, 0666);
    EQUAL(umask(0), 077);
}

TEST(chmod_changes_ctime_and_mode) {
    file_make("a", "");
    struct stat before = stat_of("a");
    sleep_ms(20);
    OK(chmod("a", 04751));
    struct stat after = stat_of("a");
    EQUAL(after.st_mode & 07777, 04751);
    CHECK(after.st_ctim.tv_sec > before.st_ctim.tv_sec || after.st_ctim.tv_nsec != before.st_ctim.tv_nsec);
    FAILS(ENOENT, chmod("none", 0644));
    OK(symlink("a", "s"));
    OK(chmod("s", 0600));
    EQUAL(stat_of("a").st_mode & 07777, 0600);
}

TEST(chown_as_root) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    file_make("a", "");
    OK(symlink("a", "s"));
    OK(chown("a", 12, 34));
    EQUAL(stat_of("a").st_uid, 12);
    EQUAL(stat_of("a").st_gid, 34);
    OK(chown("a", -1, 56));
    EQUAL(stat_of("a").st_uid, 12);
    EQUAL(stat_of("a").st_gid, 56);
    OK(lchown("s", 1, 1));
    EQUAL(stat_of("a").st_uid, 12);
    struct stat st;
    OK(lstat("s", &st));
    EQUAL(st.st_uid, 1);
}

static int as_nobody(void *unused) {
    OK(setgid(65534));
    OK(setuid(65534));
    FAILS(EACCES, open("secret", O_RDONLY));
    FAILS(EACCES, access("secret", R_OK));
    OK(access("readable", R_OK));
    FAILS(EACCES, access("readable", W_OK));
    FAILS(EACCES, open("readable", O_WRONLY));
    FAILS(EACCES, open("closed/f", O_RDONLY));
    FAILS(EACCES, unlink("readable"));
    FAILS(EACCES, open("new", O_CREAT | O_WRONLY, 0644));
    FAILS(EACCES, mkdir("d", 0755));
    FAILS(EPERM, chmod("readable", 0777));
    FAILS(EPERM, chown("readable", 65534, 65534));
    FAILS(EACCES, chdir("closed"));
    FAILS(EACCES, utimes("readable", NULL));
    return 0;
}

TEST(permissions_of_others) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    OK(chmod(".", 0755));
    file_make("secret", "");
    OK(chmod("secret", 0600));
    file_make("readable", "");
    OK(mkdir("closed", 0700));
    file_make("closed/f", "");
    EQUAL(child_run(as_nobody, NULL), 0);
}

TEST(access_checks) {
    file_make("a", "");
    OK(access("a", F_OK));
    OK(access("a", R_OK | W_OK));
    FAILS(EACCES, access("a", X_OK));
    OK(access(".", X_OK));
    FAILS(ENOENT, access("none", F_OK));
    FAILS(EINVAL, access("a", 0x100));
}

TEST(modification_times) {
    file_make("a", "");
    struct stat before = stat_of("a"), d = stat_of(".");
    sleep_ms(20);
    int fd = (int)OK(open("a", O_WRONLY));
    EQUAL(write(fd, "x", 1), 1);
    OK(close(fd));
    struct stat after = stat_of("a");
    CHECK(after.st_mtim.tv_nsec != before.st_mtim.tv_nsec || after.st_mtim.tv_sec != before.st_mtim.tv_sec);
    file_make("b", "");
    struct stat d2 = stat_of(".");
    CHECK(d2.st_mtim.tv_nsec != d.st_mtim.tv_nsec || d2.st_mtim.tv_sec != d.st_mtim.tv_sec);
    CHECK(labs((long)(time(NULL) - after.st_mtim.tv_sec)) <= 2);
}

TEST(setting_times) {
    file_make("a", "");
    struct timespec t[2] = {{1000, 5}, {2000, 6}};
    OK(utimensat(AT_FDCWD, "a", t, 0));
    struct stat st = stat_of("a");
    EQUAL(st.st_atim.tv_sec, 1000);
    EQUAL(st.st_atim.tv_nsec, 5);
    EQUAL(st.st_mtim.tv_sec, 2000);
    t[0].tv_nsec = UTIME_OMIT;
    t[1].tv_nsec = UTIME_NOW;
    OK(utimensat(AT_FDCWD, "a", t, 0));
    st = stat_of("a");
    EQUAL(st.st_atim.tv_sec, 1000);
    CHECK(labs((long)(time(NULL) - st.st_mtim.tv_sec)) <= 2);
    int fd = (int)OK(open("a", O_RDONLY));
    struct timespec f[2] = {{1, 0}, {2, 0}};
    OK(futimens(fd, f));
    EQUAL(stat_of("a").st_mtim.tv_sec, 2);
    t[0].tv_nsec = 2000000000;
    FAILS(EINVAL, utimensat(AT_FDCWD, "a", t, 0));
    struct timeval v[2] = {{7, 0}, {8, 0}};
    OK(utimes("a", v));
    EQUAL(stat_of("a").st_mtim.tv_sec, 8);
}

TEST(mapping_is_access) {
    struct timespec times[2] = {{1000, 0}, {2000, 0}};
    file_make("a", "text");
    int fd = (int)OK(open("a", O_RDONLY));
    OK(utimensat(AT_FDCWD, "a", times, 0));
    CHECK(mmap(NULL, 4, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
    CHECK(labs((long)(time(NULL) - stat_of("a").st_atim.tv_sec)) <= 2);
    EQUAL(stat_of("a").st_mtim.tv_sec, 2000);
}

TEST(file_system_information) {
    struct statfs fs;
    struct statvfs vfs;
    OK(statfs(".", &fs));
    CHECK(fs.f_bsize > 0 && fs.f_namelen >= 255);
    OK(statvfs("/", &vfs));
    int fd = (int)OK(open(".", O_RDONLY));
    OK(fstatfs(fd, &fs));
    FAILS(ENOENT, statfs("none", &fs));
}

TEST(setgid_and_sticky_directories) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    OK(mkdir("d", 0755));
    OK(chown("d", -1, 77));
    OK(chmod("d", 02755));
    file_make("d/f", "");
    EQUAL(stat_of("d/f").st_gid, 77);
    OK(mkdir("d/e", 0755));
    EQUAL(stat_of("d/e").st_gid, 77);
    CHECK(stat_of("d/e").st_mode & S_ISGID);
}

/* Often asked, so that whoever keeps an answer has it: it must be the file's at every moment. */
static struct stat asked(int file) {
    struct stat first, s;
    OK(fstat(file, &first));
    for (int i = 0; i < 4; i++) {
        OK(fstat(file, &s));
        EQUAL(memcmp(&first, &s, sizeof(s)), 0);
    }
    return s;
}

static void agree(int file, const char *path) {
    struct stat by_path, s = asked(file);
    OK(stat(path, &by_path));
    EQUAL(memcmp(&by_path, &s, sizeof(s)), 0);
    s = asked(file);
    EQUAL(memcmp(&by_path, &s, sizeof(s)), 0);
}

TEST(fstat_follows_every_change) {
    char byte[3];
    struct timespec times[2] = {{1000, 7}, {2000, 8}};
    int file = (int)OK(open("a", O_RDWR | O_CREAT, 0600)), other = (int)OK(open("a", O_WRONLY | O_APPEND));
    agree(file, "a");
    EQUAL(write(file, "text", 4), 4);
    EQUAL(asked(file).st_size, 4);
    EQUAL(write(other, "text", 4), 4);
    EQUAL(asked(file).st_size, 8);
    CHECK(asked(file).st_blocks > 0);
    agree(file, "a");
    OK(ftruncate(other, 5));
    EQUAL(asked(file).st_size, 5);
    OK(truncate("a", 100000));
    EQUAL(asked(file).st_size, 100000);
    agree(file, "a");
    OK(chmod("a", 0640));
    EQUAL(asked(file).st_mode, S_IFREG | 0640);
    OK(link("a", "b"));
    EQUAL(asked(file).st_nlink, 2);
    OK(futimens(file, times));
    EQUAL(asked(file).st_atim.tv_sec, 1000);
    EQUAL(asked(file).st_mtim.tv_nsec, 8);
    agree(file, "b");
    EQUAL(pread(file, byte, 3, 0), 3); /* older than the last change */
    CHECK(asked(file).st_atim.tv_sec > 1000);
    agree(file, "a");
    sleep_ms(20);
    EQUAL(write(other, "x", 1), 1);
    CHECK(asked(file).st_mtim.tv_sec > 2000);
    agree(file, "a");
    if (getuid() == 0) {
        OK(fchown(other, 12, 34));
        EQUAL(asked(file).st_uid, 12);
        EQUAL(asked(file).st_gid, 34);
    }
    OK(unlink("b"));
    EQUAL(asked(file).st_nlink, 1);
    OK(rename("a", "c"));
    agree(file, "c");
    OK(unlink("c"));
    EQUAL(asked(file).st_nlink, 0);
    OK(close(open("c", O_CREAT | O_WRONLY, 0600)));
    CHECK(asked(file).st_ino != asked((int)OK(open("c", O_RDONLY))).st_ino);
}
