// SPDX-License-Identifier: MIT
/* Reading directories. */
#include "test.h"
#include <dirent.h>
#include <glob.h>

static int count_entries(DIR *d) {
    int n = 0;
    errno = 0;
    while (readdir(d)) {
        n++;
    }
    EQUAL(errno, 0);
    return n;
}

TEST(dot_entries_and_types) {
    bool dot = false, dotdot = false, file = false, directory = false, link = false;
    file_make("f", "");
    OK(mkdir("d", 0755));
    OK(symlink("f", "l"));
    DIR *d = opendir(".");
    CHECK(d != NULL);
    for (struct dirent *e; (e = readdir(d));) {
        dot |= !strcmp(e->d_name, ".");
        dotdot |= !strcmp(e->d_name, "..");
        file |= !strcmp(e->d_name, "f") && (e->d_type == DT_REG || e->d_type == DT_UNKNOWN);
        directory |= !strcmp(e->d_name, "d") && (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN);
        link |= !strcmp(e->d_name, "l") && (e->d_type == DT_LNK || e->d_type == DT_UNKNOWN);
    }
    CHECK(dot && dotdot && file && directory && link);
    OK(closedir(d));
}

TEST(inode_numbers_agree) {
    struct stat st;
    file_make("f", "");
    OK(stat("f", &st));
    DIR *d = opendir(".");
    for (struct dirent *e; (e = readdir(d));) {
        if (!strcmp(e->d_name, "f")) {
            EQUAL(e->d_ino, st.st_ino);
        }
    }
}

TEST(a_thousand_entries_once_each) {
    static bool seen[1000];
    char name[16];
    int n = 0;
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "%d", i);
        file_make(name, "");
    }
    DIR *d = opendir(".");
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] != '.') {
            int i = atoi(e->d_name);
            CHECK(i >= 0 && i < 1000 && !seen[i]);
            seen[i] = true;
            n++;
        }
    }
    EQUAL(n, 1000);
}

TEST(removing_while_reading) {
    char name[300];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "%d", i);
        file_make(name, "");
    }
    DIR *d = opendir(".");
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] != '.') {
            OK(unlink(e->d_name));
        }
    }
    rewinddir(d);
    EQUAL(count_entries(d), 2);
}

TEST(rewind_and_seek) {
    file_make("a", "");
    file_make("b", "");
    DIR *d = opendir(".");
    EQUAL(count_entries(d), 4);
    rewinddir(d);
    CHECK(readdir(d) != NULL);
    long at = telldir(d);
    struct dirent *e = readdir(d);
    CHECK(e != NULL);
    char name[256];
    strcpy(name, e->d_name);
    count_entries(d);
    seekdir(d, at);
    e = readdir(d);
    CHECK(e != NULL && !strcmp(e->d_name, name));
}

TEST(errors) {
    file_make("f", "");
    CHECK(opendir("none") == NULL && errno == ENOENT);
    CHECK(opendir("f") == NULL && errno == ENOTDIR);
    int fd = (int)OK(open("f", O_RDONLY));
    CHECK(fdopendir(fd) == NULL && errno == ENOTDIR);
}

TEST(globbing_and_scandir) {
    glob_t found;
    struct dirent **list;
    file_make("a.c", "");
    file_make("b.c", "");
    file_make("c.h", "");
    EQUAL(glob("*.c", 0, NULL, &found), 0);
    EQUAL(found.gl_pathc, 2);
    CHECK(!strcmp(found.gl_pathv[0], "a.c"));
    EQUAL(scandir(".", &list, NULL, alphasort), 5);
    CHECK(!strcmp(list[0]->d_name, ".") && !strcmp(list[4]->d_name, "c.h"));
}
