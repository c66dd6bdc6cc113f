// SPDX-License-Identifier: MIT
/* User and group ids, limits, names. */
#include <grp.h>
#include "setid.h"
#include <pwd.h>
#include <spawn.h>
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

/* --- set-id programs ----------------------------------------------------------------------------- */

/* What the program with this owner and mode becomes when an ordinary user runs it. */
static int run_as_user(uid_t uid, gid_t gid, mode_t mode) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    setid_make(uid, gid, mode);
    return child_run(setid_user, SETID_PROGRAM);
}

TEST(setuid_to_root) { EQUAL(run_as_user(0, 0, 04755), REPORT_ROOT | REPORT_SECURE); }
TEST(setgid_group) { EQUAL(run_as_user(0, SETID_GROUP, 02755), REPORT_GROUP | REPORT_SECURE | REPORT_USER); }
TEST(setuid_and_setgid) { EQUAL(run_as_user(0, SETID_GROUP, 06755), REPORT_ROOT | REPORT_GROUP | REPORT_SECURE); }
TEST(setgid_without_execution_by_the_group) { EQUAL(run_as_user(0, SETID_GROUP, 02745), REPORT_USER); }
TEST(setuid_to_oneself) { EQUAL(run_as_user(SETID_USER, SETID_USER, 06755), REPORT_USER); }
TEST(without_bits) { EQUAL(run_as_user(0, 0, 0755), REPORT_USER); }
TEST(setuid_not_executable) { EQUAL(run_as_user(0, 0, 04744), REPORT_NOT_RUN + EACCES); }
TEST(setuid_execution_by_others_denied) { EQUAL(run_as_user(SETID_USER, 0, 04655), REPORT_NOT_RUN + EACCES); }

TEST(setuid_of_root_to_user) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    setid_make(SETID_USER, 0, 04755);
    EQUAL(child_run(setid_exec, SETID_PROGRAM), REPORT_USER | REPORT_SECURE | REPORT_REAL_ROOT);
}

/* exec saves the effective ids. */
static int exec_with_saved_root(void *path) {
    OK(setresuid(-1, SETID_USER, 0));
    return setid_exec(path);
}
TEST(exec_saves_the_effective_id) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    setid_make(0, 0, 0755);
    EQUAL(child_run(exec_with_saved_root, SETID_PROGRAM), REPORT_USER | REPORT_SECURE | REPORT_REAL_ROOT);
}

TEST(setuid_script_gets_nothing) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    static const char text[] = "#!/bin/sh\nexec ./" SETID_PROGRAM "\n";
    setid_make(0, 0, 0755);
    int fd = (int)OK(open("script", O_WRONLY | O_CREAT, 0755));
    EQUAL(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    close(fd);
    OK(chmod("script", 04755));
    EQUAL(child_run(setid_user, (void *)"./script"), REPORT_USER);
}

static int write_one_byte(void *path) {
    setid_drop();
    int fd = (int)OK(open(path, O_WRONLY));
    EQUAL(write(fd, "\177", 1), 1);
    return 0;
}
TEST(writing_clears_setuid) {
    struct stat st;
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    setid_make(0, 0, 04777);
    EQUAL(child_run(write_one_byte, SETID_PROGRAM), 0);
    OK(stat(SETID_PROGRAM, &st));
    EQUAL(st.st_mode & 07777, 0777);
    EQUAL(child_run(setid_user, SETID_PROGRAM), REPORT_USER);
}

TEST(new_owner_clears_setuid) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    setid_make(SETID_USER, SETID_USER, 04755);
    OK(chown(SETID_PROGRAM, 0, 0));
    EQUAL(child_run(setid_user, SETID_PROGRAM), REPORT_USER);
}

/* Whoever has it open for writing from before the bits were set could still change it. */
TEST(setuid_program_open_for_writing) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    setid_make(0, 0, 0755);
    int fd = (int)OK(open(SETID_PROGRAM, O_WRONLY));
    OK(fchmod(fd, 04755));
    EQUAL(child_run(setid_user, SETID_PROGRAM), REPORT_NOT_RUN + ETXTBSY);
    close(fd);
    EQUAL(child_run(setid_user, SETID_PROGRAM), REPORT_ROOT | REPORT_SECURE);
}

/* A root that a privileged process has set is as good as another. */
static int run_in_root(void *unused) {
    OK(chroot("."));
    OK(chdir("/"));
    return setid_user((void *)"/" SETID_PROGRAM);
}
TEST(setuid_in_new_root) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    setid_make(0, 0, 04755);
    EQUAL(child_run(run_in_root, NULL), REPORT_ROOT | REPORT_SECURE | REPORT_OWN_ROOT);
}

/* Who started it sees that it runs, but not what it has in memory; and may end it. */
static int look_into(void *path) {
    char name[64], text[2048] = "";
    setid_drop();
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) {
        execle(path, path, NULL, (char *[]){(char *)"SETID_REPORT=1", (char *)"SETID_PAUSE=1", NULL});
        _exit(1);
    }
    snprintf(name, sizeof(name), "/proc/%d/status", pid);
    while (!strstr(text, "Uid:\t1000\t0\t0")) {
        sleep_ms(10);
        int fd = (int)OK(open(name, O_RDONLY));
        ssize_t size = OK(read(fd, text, sizeof(text) - 1));
        text[size] = 0;
        close(fd);
    }
    static const char *const files[] = {"environ", "maps"};
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof(name), "/proc/%d/%s", pid, files[i]);
        int fd = open(name, O_RDONLY);
        CHECK(fd < 0 || read(fd, text, sizeof(text)) <= 0);
    }
    OK(kill(pid, SIGKILL));
    EQUAL(child_wait(pid), SIGKILL);
    return 0;
}
TEST(setuid_program_is_private) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    setid_make(0, 0, 04755);
    EQUAL(child_run(look_into, SETID_PROGRAM), 0);
}

static int spawn_reset(void *path) {
    posix_spawnattr_t attributes;
    pid_t pid;
    OK(posix_spawnattr_init(&attributes));
    OK(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_RESETIDS));
    setid_drop();
    EQUAL(
        posix_spawn(&pid, path, NULL, &attributes, (char *[]){path, NULL}, (char *[]){(char *)"SETID_REPORT=1", NULL}),
        0);
    return WEXITSTATUS(child_wait(pid));
}
TEST(spawning_setuid_root) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    setid_make(0, 0, 04755);
    EQUAL(child_run(spawn_reset, SETID_PROGRAM), REPORT_ROOT | REPORT_SECURE);
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
