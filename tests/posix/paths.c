// SPDX-License-Identifier: MIT
/* Names: directories, links, renaming, walking, working directory. */
#include "test.h"
#include <limits.h>

static bool exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

static ino_t inode(const char *path) {
    struct stat st;
    OK(stat(path, &st));
    return st.st_ino;
}

TEST(mkdir_and_rmdir) {
    OK(mkdir("d", 0755));
    FAILS(EEXIST, mkdir("d", 0755));
    FAILS(ENOENT, mkdir("none/d", 0755));
    OK(mkdir("d/e/", 0755));
    FAILS(ENOTEMPTY, rmdir("d"));
    OK(rmdir("d/e"));
    OK(rmdir("d"));
    FAILS(ENOENT, rmdir("d"));
    file_make("f", "");
    FAILS(ENOTDIR, rmdir("f"));
    FAILS(ENOTDIR, mkdir("f/d", 0755));
    FAILS(EINVAL, rmdir("."));
}

TEST(unlink_rules) {
    OK(mkdir("d", 0755));
    CHECK(unlink("d") == -1 && (errno == EISDIR || errno == EPERM));
    FAILS(ENOENT, unlink("none"));
    FAILS(ENOENT, unlink(""));
    file_make("f", "");
    FAILS(ENOTDIR, unlink("f/"));
    OK(unlink("f"));
    CHECK(!exists("f"));
}

TEST(hard_links) {
    struct stat st;
    file_make("a", "text");
    OK(link("a", "b"));
    EQUAL(inode("a"), inode("b"));
    OK(stat("b", &st));
    EQUAL(st.st_nlink, 2);
    FAILS(EEXIST, link("a", "b"));
    FAILS(ENOENT, link("none", "c"));
    OK(mkdir("d", 0755));
    FAILS(EPERM, link("d", "e"));
    OK(unlink("a"));
    file_expect("b", "text");
}

TEST(symbolic_links) {
    char target[64];
    file_make("a", "text");
    OK(symlink("a", "s"));
    file_expect("s", "text");
    EQUAL(readlink("s", target, sizeof(target)), 1);
    EQUAL(target[0], 'a');
    EQUAL(readlink("s", target, 1), 1);
    FAILS(EINVAL, readlink("a", target, sizeof(target)));
    FAILS(EEXIST, symlink("b", "s"));
    FAILS(ENOENT, symlink("", "t"));
    OK(symlink("nowhere", "dangling"));
    FAILS(ENOENT, open("dangling", O_RDONLY));
    CHECK(exists("dangling"));
    FAILS(ELOOP, open("s", O_RDONLY | O_NOFOLLOW));
    struct stat st;
    OK(lstat("s", &st));
    CHECK(S_ISLNK(st.st_mode));
    EQUAL(st.st_size, 1);
}

TEST(creating_through_a_dangling_link) {
    OK(symlink("made", "s"));
    int fd = (int)OK(open("s", O_CREAT | O_WRONLY, 0644));
    EQUAL(write(fd, "x", 1), 1);
    file_expect("made", "x");
    OK(unlink("made"));
    FAILS(EEXIST, open("s", O_CREAT | O_EXCL | O_WRONLY, 0644));
}

TEST(link_chains_and_loops) {
    char name[8] = "f", next[8];
    file_make("f", "deep");
    for (int i = 0; i < 20; i++) {
        snprintf(next, sizeof(next), "l%d", i);
        OK(symlink(name, next));
        strcpy(name, next);
    }
    file_expect(name, "deep");
    OK(symlink("loop2", "loop1"));
    OK(symlink("loop1", "loop2"));
    FAILS(ELOOP, open("loop1", O_RDONLY));
}

TEST(links_in_the_middle_and_absolute) {
    char cwd[PATH_MAX], target[PATH_MAX + 8];
    OK(mkdir("d", 0755));
    file_make("d/f", "inside");
    OK(symlink("d", "relative"));
    file_expect("relative/f", "inside");
    CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
    snprintf(target, sizeof(target), "%s/d", cwd);
    OK(symlink(target, "absolute"));
    file_expect("absolute/f", "inside");
    file_expect("absolute/../relative/../d/./f", "inside");
    OK(symlink("../d/f", "d/up"));
    file_expect("d/up", "inside");
}

TEST(rename_files) {
    file_make("a", "A");
    file_make("b", "B");
    ino_t a = inode("a");
    OK(rename("a", "b"));
    CHECK(!exists("a"));
    EQUAL(inode("b"), a);
    file_expect("b", "A");
    OK(rename("b", "b"));
    FAILS(ENOENT, rename("none", "x"));
    FAILS(ENOENT, rename("b", ""));
    OK(link("b", "c"));
    OK(rename("b", "c"));
    CHECK(exists("b") && exists("c"));
}

TEST(rename_directories) {
    OK(mkdir("d", 0755));
    OK(mkdir("d/e", 0755));
    OK(mkdir("empty", 0755));
    file_make("f", "");
    FAILS(EINVAL, rename("d", "d/e/x"));
    FAILS(ENOTDIR, rename("d", "f"));
    FAILS(EISDIR, rename("f", "d"));
    CHECK(rename("empty", "d") == -1 && (errno == ENOTEMPTY || errno == EEXIST));
    OK(rename("d", "empty"));
    CHECK(exists("empty/e") && !exists("d"));
    OK(rename("empty/e", "moved/"));
    CHECK(exists("moved"));
    OK(chdir("moved"));
    file_make("../x", "");
    OK(rename("../x", "y"));
    CHECK(exists("y"));
}

TEST(parent_link_counts) {
    struct stat before, after;
    OK(stat(".", &before));
    OK(mkdir("d", 0755));
    OK(stat(".", &after));
    if (before.st_nlink != 1) {
        EQUAL(after.st_nlink, before.st_nlink + 1);
    }
    OK(rmdir("d"));
    OK(stat(".", &after));
    EQUAL(after.st_nlink, before.st_nlink);
}

TEST(working_directory) {
    char before[PATH_MAX], after[PATH_MAX];
    CHECK(getcwd(before, sizeof(before)) != NULL);
    CHECK(before[0] == '/');
    OK(mkdir("d", 0755));
    OK(chdir("d"));
    CHECK(getcwd(after, sizeof(after)) != NULL);
    EQUAL(strlen(after), strlen(before) + 2);
    CHECK(!strcmp(after + strlen(before), "/d"));
    CHECK(getcwd(after, strlen(before) + 2) == NULL);
    EQUAL(errno, ERANGE);
    FAILS(ENOENT, chdir("none"));
    file_make("f", "");
    FAILS(ENOTDIR, chdir("f"));
    int fd = (int)OK(open("..", O_RDONLY | O_DIRECTORY));
    OK(fchdir(fd));
    CHECK(getcwd(after, sizeof(after)) != NULL);
    CHECK(!strcmp(before, after));
    int file = (int)OK(open("d/f", O_RDONLY));
    FAILS(ENOTDIR, fchdir(file));
    FAILS(EBADF, fchdir(-1));
    OK(chdir("/"));
    CHECK(getcwd(after, sizeof(after)) != NULL);
    CHECK(!strcmp(after, "/"));
    OK(chdir("../../.."));
    CHECK(getcwd(after, sizeof(after)) != NULL);
    CHECK(!strcmp(after, "/"));
}

TEST(at_calls) {
    struct stat st;
    char target[8];
    OK(mkdir("d", 0755));
    int d = (int)OK(open("d", O_RDONLY | O_DIRECTORY));
    int fd = (int)OK(openat(d, "f", O_CREAT | O_WRONLY, 0600));
    EQUAL(write(fd, "12", 2), 2);
    OK(fstatat(d, "f", &st, 0));
    EQUAL(st.st_size, 2);
    OK(mkdirat(d, "e", 0700));
    OK(symlinkat("f", d, "s"));
    EQUAL(readlinkat(d, "s", target, sizeof(target)), 1);
    OK(fstatat(d, "s", &st, AT_SYMLINK_NOFOLLOW));
    CHECK(S_ISLNK(st.st_mode));
    OK(linkat(d, "f", AT_FDCWD, "g", 0));
    OK(renameat(AT_FDCWD, "g", d, "h"));
    OK(faccessat(d, "h", R_OK, 0));
    OK(unlinkat(d, "h", 0));
    FAILS(ENOTDIR, unlinkat(d, "f", AT_REMOVEDIR));
    OK(unlinkat(d, "e", AT_REMOVEDIR));
    FAILS(ENOTDIR, openat(fd, "x", O_RDONLY));
    FAILS(EBADF, openat(-5, "x", O_RDONLY));
    OK(openat(-5, "/", O_RDONLY));
    int p[2];
    OK(pipe(p));
    FAILS(ENOTDIR, openat(p[0], "x", O_RDONLY));
}

TEST(trailing_slashes_and_dots) {
    OK(mkdir("d", 0755));
    file_make("f", "");
    FAILS(ENOTDIR, open("f/", O_RDONLY));
    FAILS(ENOTDIR, open("f/.", O_RDONLY));
    OK(open("d/", O_RDONLY));
    OK(open(".//d///.", O_RDONLY));
    FAILS(EISDIR, open("new/", O_CREAT | O_WRONLY, 0644));
    OK(symlink("d", "s"));
    struct stat st;
    OK(lstat("s/", &st));
    CHECK(S_ISDIR(st.st_mode));
}

TEST(name_lengths) {
    char name[NAME_MAX + 2], path[PATH_MAX + 1];
    memset(name, 'n', sizeof(name));
    name[NAME_MAX] = 0;
    file_make(name, "");
    OK(unlink(name));
    name[NAME_MAX] = 'n';
    name[NAME_MAX + 1] = 0;
    FAILS(ENAMETOOLONG, open(name, O_CREAT | O_WRONLY, 0644));
    memset(path, '/', sizeof(path) - 1);
    path[PATH_MAX] = 0;
    FAILS(ENAMETOOLONG, open(path, O_RDONLY));
    for (size_t i = 0; i + 1 < PATH_MAX; i++) {
        path[i] = i % 2 ? '/' : '.';
    }
    path[PATH_MAX - 1] = 0;
    OK(open(path, O_RDONLY));
}

TEST(fifo_node) {
    struct stat st;
    OK(mkfifo("p", 0600));
    OK(stat("p", &st));
    CHECK(S_ISFIFO(st.st_mode));
    FAILS(EEXIST, mkfifo("p", 0600));
    FAILS(ENXIO, open("p", O_WRONLY | O_NONBLOCK));
}

TEST(removed_working_directory) {
    OK(mkdir("d", 0755));
    OK(chdir("d"));
    OK(rmdir("../d"));
    FAILS(ENOENT, open("f", O_CREAT | O_WRONLY, 0644));
    struct stat st;
    OK(stat(".", &st));
}
