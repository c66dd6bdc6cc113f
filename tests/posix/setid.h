// SPDX-License-Identifier: MIT
/*
 * Set-id programs: the test program makes a copy of itself, and what it runs it tells by its exit status what it has
 * become.  For one .c file of a test program.
 */
#pragma once
#include "test.h"
#include <grp.h>
#include <sys/auxv.h>
#include <sys/sendfile.h>

#define SETID_USER 1000
#define SETID_GROUP 30
#define SETID_PROGRAM "program"

enum setid_report { /* exit status of the copy */
                    REPORT_ROOT = 1, /* it is effectively root, and that is saved */
                    REPORT_GROUP = 2, /* SETID_GROUP likewise */
                    REPORT_SECURE = 4, /* AT_SECURE */
                    REPORT_REAL_ROOT = 8,
                    REPORT_USER = 16, /* it is effectively SETID_USER, and that is saved */
                    REPORT_OWN_ROOT = 32, /* its root directory is where it lies */
                    REPORT_NOT_RUN = 64, /* + errno of exec, if that is small */
};

__attribute__((constructor)) static void setid_report(void) {
    uid_t r, e, s;
    gid_t rg, eg, sg;
    if (!getenv("SETID_REPORT")) return;
    if (getenv("SETID_PAUSE")) pause();
    getresuid(&r, &e, &s);
    getresgid(&rg, &eg, &sg);
    _exit((e == 0 && s == 0 ? REPORT_ROOT : 0) | (eg == SETID_GROUP && sg == SETID_GROUP ? REPORT_GROUP : 0) |
          (getauxval(AT_SECURE) ? REPORT_SECURE : 0) | (r == 0 ? REPORT_REAL_ROOT : 0) |
          (e == SETID_USER && s == SETID_USER ? REPORT_USER : 0) |
          (access("/" SETID_PROGRAM, F_OK) == 0 ? REPORT_OWN_ROOT : 0));
}

/* A copy of this program in the working directory. */
static inline void setid_make(uid_t uid, gid_t gid, mode_t mode) {
    struct stat st;
    int from = (int)OK(open("/proc/self/exe", O_RDONLY)), to = (int)OK(open(SETID_PROGRAM, O_WRONLY | O_CREAT, 0755));
    OK(fstat(from, &st));
    for (off_t done = 0; done < st.st_size;) CHECK(sendfile(to, from, &done, (size_t)st.st_size) > 0);
    close(from);
    close(to);
    OK(chmod(".", 0777));
    OK(chown(SETID_PROGRAM, uid, gid));
    OK(chmod(SETID_PROGRAM, mode));
}

/* Runs it; does not come back. */
static inline int setid_exec(void *path) {
    execle(path, path, (char *)NULL, (char *[]){(char *)"SETID_REPORT=1", NULL});
    _exit(REPORT_NOT_RUN + errno % 64);
}
static inline void setid_drop(void) {
    OK(setgroups(0, NULL));
    OK(setresgid(SETID_USER, SETID_USER, SETID_USER));
    OK(setresuid(SETID_USER, SETID_USER, SETID_USER));
}
/* As an ordinary user: what it has become. */
static inline int setid_user(void *path) {
    setid_drop();
    return setid_exec(path);
}
