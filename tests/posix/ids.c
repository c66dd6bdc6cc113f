// SPDX-License-Identifier: MIT
/* User and group ids, limits, names. */
#include "test.h"
#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static int drop(void *unused) {
    uid_t r, e, s;
    OK(setgroups(0, NULL));
    EQUAL(getgroups(0, NULL), 0);
    OK(setresgid(1, 2, 3));
    OK(setresuid(1, 2, 3));
    OK(getresuid(&r, &e, &s));
    CHECK(r == 1 && e == 2 && s == 3);
    EQUAL(getuid(), 1);
    EQUAL(geteuid(), 2);
    OK(setuid(3));
    EQUAL(geteuid(), 3);
    FAILS(EPERM, setuid(0));
    FAILS(EPERM, setresuid(0, -1, -1));
    FAILS(EPERM, setgid(0));
    FAILS(EPERM, setgroups(0, NULL));
    FAILS(EPERM, kill(1, SIGTERM));
    FAILS(EACCES, setpriority(PRIO_PROCESS, 0, -5));
    return 0;
}

TEST(dropping_privileges) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    EQUAL(child_run(drop, NULL), 0);
}

static int set_all(void *unused) {
    uid_t r, e, s;
    OK(setuid(65534));
    OK(getresuid(&r, &e, &s));
    return !(r == 65534 && e == 65534 && s == 65534);
}

TEST(setuid_of_root_is_final) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    EQUAL(child_run(set_all, NULL), 0);
}

TEST(groups_are_kept) {
    gid_t in[3] = {10, 20, 30}, out[8];
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    OK(setgroups(3, in));
    EQUAL(getgroups(8, out), 3);
    EQUAL(out[2], 30);
    FAILS(EINVAL, getgroups(1, out));
}

TEST(limits) {
    struct rlimit limit, before;
    OK(getrlimit(RLIMIT_NOFILE, &before));
    CHECK(before.rlim_cur >= 64 && before.rlim_cur <= before.rlim_max);
    limit = (struct rlimit){20, before.rlim_max};
    OK(setrlimit(RLIMIT_NOFILE, &limit));
    int fd;
    while ((fd = dup(0)) >= 0) {
        CHECK(fd < 20);
    }
    EQUAL(errno, EMFILE);
    FAILS(EBADF, dup2(0, 20));
    limit = (struct rlimit){2, 1};
    FAILS(EINVAL, setrlimit(RLIMIT_NOFILE, &limit));
    FAILS(EINVAL, getrlimit(99, &limit));
}

TEST(file_size_limit) {
    struct rlimit limit = {100, RLIM_INFINITY};
    char block[200] = {0};
    signal(SIGXFSZ, SIG_IGN);
    OK(setrlimit(RLIMIT_FSIZE, &limit));
    int fd = (int)OK(open("a", O_WRONLY | O_CREAT, 0644));
    EQUAL(write(fd, block, 200), 100);
    FAILS(EFBIG, write(fd, block, 1));
}

TEST(user_database) {
    struct passwd *root = getpwuid(0);
    CHECK(root && !strcmp(root->pw_name, "root"));
    CHECK(getpwnam("root") != NULL);
    CHECK(getgrgid(0) && !strcmp(getgrgid(0)->gr_name, "root"));
}

TEST(system_names) {
    struct utsname names;
    struct sysinfo info;
    char host[256];
    OK(uname(&names));
    CHECK(names.sysname[0] && names.release[0]);
    CHECK(!strcmp(names.machine, "x86_64"));
    OK(gethostname(host, sizeof(host)));
    CHECK(!strcmp(host, names.nodename));
    OK(sysinfo(&info));
    CHECK(info.totalram > 0 && info.procs > 0);
    EQUAL(sysconf(_SC_PAGESIZE), 4096);
}

TEST(random_bytes) {
    unsigned char a[64], b[64];
    OK(getentropy(a, sizeof(a)));
    OK(getentropy(b, sizeof(b)));
    CHECK(memcmp(a, b, sizeof(a)));
}
