// SPDX-License-Identifier: MIT
/* What other users may not do: the EPERM and EACCES of POSIX, call by call, each beside what is allowed. */
#include "setid.h"
#include <grp.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>

#define OTHER 2000
#define SHARED_GROUP 77

/* Runs fn as this user, whose groups are his own and SHARED_GROUP. */
static void as(uid_t user, int (*fn)(void *), void *argument) {
    gid_t groups[] = {SHARED_GROUP};
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    OK(chmod(".", 01777));
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) {
        OK(setgroups(1, groups));
        OK(setresgid(user, user, user));
        OK(setresuid(user, user, user));
        _exit(fn(argument));
    }
    EQUAL(child_wait(pid), 0);
}

static int wait_for_ever(void *unused) {
    for (;;) {
        pause();
    }
}

/* --- signals --------------------------------------------------------------------------------------- */

struct ids {
    uid_t real, effective, saved;
};
static int wait_as(void *argument) {
    const struct ids *i = argument;
    OK(setresuid(i->real, i->effective, i->saved));
    return wait_for_ever(NULL);
}
struct target {
    pid_t pid;
    bool allowed;
};
static int signal_it(void *argument) {
    const struct target *t = argument;
    const union sigval value = {.sival_int = 1};
    if (t->allowed) {
        OK(kill(t->pid, 0));
        OK(sigqueue(t->pid, 0, value));
        OK(kill(t->pid, SIGCONT));
    } else {
        FAILS(EPERM, kill(t->pid, 0));
        FAILS(EPERM, kill(t->pid, SIGTERM));
        FAILS(EPERM, kill(t->pid, SIGKILL));
        FAILS(EPERM, kill(t->pid, SIGURG)); /* though ignored */
        FAILS(EPERM, sigqueue(t->pid, SIGTERM, value));
        FAILS(EPERM, sigqueue(t->pid, 0, value));
    }
    return 0;
}

/* POSIX: the sender's real or effective id is the receiver's real or saved one. */
TEST(kill_and_sigqueue) {
    static const struct {
        struct ids ids;
        bool allowed;
    } rows[] = {
        {{0, 0, 0}, false},
        {{OTHER, OTHER, OTHER}, false},
        {{SETID_USER, SETID_USER, SETID_USER}, true},
        {{SETID_USER, 0, 0}, true},
        {{0, 0, SETID_USER}, true},
        {{0, SETID_USER, 0}, false}, /* the effective one does not count */
        {{OTHER, OTHER, SETID_USER}, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (geteuid() != 0) {
            SKIP("needs root");
        }
        struct target t = {child_start(wait_as, (void *)&rows[i].ids), rows[i].allowed};
        sleep_ms(20);
        as(SETID_USER, signal_it, &t);
        EQUAL(waitpid(t.pid, NULL, WNOHANG), 0);
        OK(kill(t.pid, SIGKILL));
        child_wait(t.pid);
    }
}

static int signal_many(void *group) {
    FAILS(EPERM, kill(-*(pid_t *)group, SIGTERM));
    FAILS(EPERM, killpg(*(pid_t *)group, 0));
    FAILS(EPERM, kill(1, SIGTERM));
    pid_t mine = child_start(wait_for_ever, NULL);
    sleep_ms(20);
    OK(kill(mine, SIGKILL));
    EQUAL(child_wait(mine), SIGKILL);
    return 0;
}
TEST(kill_groups) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    pid_t group = child_start(wait_for_ever, NULL);
    OK(setpgid(group, group));
    as(SETID_USER, signal_many, &group);
    EQUAL(waitpid(group, NULL, WNOHANG), 0);
}

/* Of a group it is enough if one may be signalled. */
static int signal_some(void *group) {
    OK(kill(-*(pid_t *)group, SIGTERM));
    return 0;
}
TEST(kill_a_group_with_one_of_ours) {
    static const struct ids ours = {SETID_USER, SETID_USER, SETID_USER};
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    pid_t roots = child_start(wait_for_ever, NULL);
    OK(setpgid(roots, roots));
    pid_t user = child_start(wait_as, (void *)&ours);
    OK(setpgid(user, roots));
    sleep_ms(20);
    as(SETID_USER, signal_some, &roots);
    EQUAL(child_wait(user), SIGTERM);
    EQUAL(waitpid(roots, NULL, WNOHANG), 0);
}

/* SIGCONT goes to all of one's session. */
static int continue_session(void *pid) {
    OK(kill(*(pid_t *)pid, SIGCONT));
    FAILS(EPERM, kill(*(pid_t *)pid, SIGHUP));
    OK(setsid());
    FAILS(EPERM, kill(*(pid_t *)pid, SIGCONT));
    return 0;
}
TEST(sigcont_within_the_session) {
    pid_t pid = child_start(wait_for_ever, NULL);
    as(SETID_USER, continue_session, &pid);
}

/* --- ids ------------------------------------------------------------------------------------------- */

static int no_ids(void *unused) {
    gid_t groups[] = {0};
    FAILS(EPERM, setuid(0));
    FAILS(EPERM, setuid(OTHER));
    FAILS(EPERM, seteuid(0));
    FAILS(EPERM, setreuid(0, -1));
    FAILS(EPERM, setreuid(-1, 0));
    FAILS(EPERM, setreuid(OTHER, OTHER));
    FAILS(EPERM, setresuid(-1, -1, OTHER));
    FAILS(EPERM, setresuid(-1, OTHER, -1));
    FAILS(EPERM, setresuid(OTHER, -1, -1));
    FAILS(EPERM, setgid(0));
    FAILS(EPERM, setgid(SHARED_GROUP)); /* a supplementary one is none of the three */
    FAILS(EPERM, setegid(0));
    FAILS(EPERM, setregid(0, -1));
    FAILS(EPERM, setregid(-1, 0));
    FAILS(EPERM, setresgid(-1, -1, 0));
    FAILS(EPERM, setgroups(1, groups));
    FAILS(EPERM, setgroups(0, NULL));
    FAILS(EPERM, initgroups("root", 0));
    OK(setuid(SETID_USER));
    OK(seteuid(SETID_USER));
    OK(setreuid(SETID_USER, SETID_USER));
    OK(setresgid(SETID_USER, SETID_USER, SETID_USER));
    EQUAL(getuid(), SETID_USER);
    EQUAL(geteuid(), SETID_USER);
    EQUAL(getgroups(0, NULL), 1);
    return 0;
}
TEST(set_ids) { as(SETID_USER, no_ids, NULL); }

/* Between the three ids one may go to and fro; a group id gives no privilege. */
static int saved_ids(void *unused) {
    uid_t r, e, s;
    OK(setgroups(0, NULL));
    OK(setresgid(1, 2, 3));
    OK(setresuid(SETID_USER, OTHER, 3000));
    OK(seteuid(3000));
    OK(seteuid(SETID_USER));
    FAILS(EPERM, seteuid(0));
    FAILS(EPERM, setuid(OTHER)); /* it was neither real nor saved */
    OK(setreuid(-1, 3000));
    OK(setreuid(3000, -1));
    OK(getresuid(&r, &e, &s));
    EQUAL(r, 3000);
    EQUAL(s, e);
    OK(setegid(3));
    OK(setegid(1));
    FAILS(EPERM, setegid(4));
    return 0;
}
TEST(saved_set_ids) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    EQUAL(child_run(saved_ids, NULL), 0);
}

/* --- priorities and limits -------------------------------------------------------------------------- */

static int no_priorities(void *roots) {
    id_t pid = *(id_t *)roots;
    struct rlimit limit;
    FAILS(EPERM, setpriority(PRIO_PROCESS, pid, 10));
    FAILS(ESRCH, setpriority(PRIO_USER, OTHER + 1, 10));
    FAILS(EACCES, setpriority(PRIO_PROCESS, 0, -1));
    FAILS(EPERM, nice(-1));
    OK(setpriority(PRIO_PROCESS, 0, 5));
    FAILS(EACCES, setpriority(PRIO_PROCESS, 0, 4));
    OK(setpriority(PRIO_PROCESS, 0, 5));
    EQUAL(nice(2), 7);
    OK(getpriority(PRIO_PROCESS, pid));
    OK(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = --limit.rlim_max;
    OK(setrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_max++;
    FAILS(EPERM, setrlimit(RLIMIT_NOFILE, &limit));
    limit = (struct rlimit){0, 0};
    OK(setrlimit(RLIMIT_CORE, &limit));
    limit = (struct rlimit){0, RLIM_INFINITY};
    FAILS(EPERM, setrlimit(RLIMIT_CORE, &limit));
    limit = (struct rlimit){2, 1};
    FAILS(EINVAL, setrlimit(RLIMIT_CORE, &limit));
    FAILS(EPERM, prlimit((pid_t)pid, RLIMIT_NOFILE, NULL, &limit));
    limit = (struct rlimit){0, 0};
    FAILS(EPERM, prlimit((pid_t)pid, RLIMIT_CORE, &limit, NULL));
    return 0;
}
TEST(priorities_and_limits) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    pid_t pid = child_start(wait_for_ever, NULL);
    as(SETID_USER, no_priorities, &pid);
    EQUAL(getpriority(PRIO_PROCESS, (id_t)pid), 0);
}

/* --- files ------------------------------------------------------------------------------------------ */

static void file_of(const char *path, uid_t uid, gid_t gid, mode_t mode) {
    file_make(path, "text");
    OK(chown(path, uid, gid));
    OK(chmod(path, mode));
}

static int opens(void *unused) {
    static const struct {
        const char *path;
        bool readable, writable;
    } rows[] = {{"user_r", true, false},  {"user_w", false, true},  {"user_none", false, false},
                {"group_r", true, false}, {"group_rw", true, true}, {"group_none", false, false},
                {"other_r", true, false}, {"other_rw", true, true}, {"other_none", false, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *path = rows[i].path;
        int fd = open(path, O_RDONLY);
        CHECK(fd >= 0 ? rows[i].readable : !rows[i].readable && errno == EACCES);
        close(fd);
        fd = open(path, O_WRONLY);
        CHECK(fd >= 0 ? rows[i].writable : !rows[i].writable && errno == EACCES);
        close(fd);
        if (!rows[i].writable) {
            FAILS(EACCES, open(path, O_RDWR));
            FAILS(EACCES, open(path, O_WRONLY | O_TRUNC));
            FAILS(EACCES, truncate(path, 0));
            FAILS(EACCES, access(path, W_OK));
        }
        EQUAL(access(path, R_OK) == 0, rows[i].readable);
        FAILS(EACCES, access(path, X_OK));
        FAILS(EACCES, execl(path, path, (char *)NULL));
    }
    return 0;
}

/* The first class that one belongs to decides, also against the others. */
TEST(open_by_class) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    file_of("user_r", SETID_USER, 0, 0466);
    file_of("user_w", SETID_USER, 0, 0266);
    file_of("user_none", SETID_USER, SHARED_GROUP, 0066);
    file_of("group_r", 0, SHARED_GROUP, 0646);
    file_of("group_rw", 0, SHARED_GROUP, 0660);
    file_of("group_none", 0, SETID_USER, 0606);
    file_of("other_r", 0, 0, 0664);
    file_of("other_rw", 0, 0, 0666);
    file_of("other_none", OTHER, 0, 0660);
    as(SETID_USER, opens, NULL);
}

static int in_folders(void *unused) {
    struct stat st;
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "closed/socket"};
    /* without search */
    FAILS(EACCES, open("closed/file", O_RDONLY));
    FAILS(EACCES, stat("closed/file", &st));
    FAILS(EACCES, stat("closed/none", &st));
    FAILS(EACCES, chdir("closed"));
    FAILS(EACCES, unlink("closed/file"));
    FAILS(EACCES, rename("closed/file", "mine"));
    FAILS(EACCES, chmod("closed/file", 0777));
    FAILS(EACCES, mkdir("closed/new", 0777));
    FAILS(EACCES, readlink("closed/file", (char[8]){0}, 8));
    int fd = (int)OK(socket(AF_UNIX, SOCK_STREAM, 0));
    FAILS(EACCES, bind(fd, (const struct sockaddr *)&address, sizeof(address)));
    FAILS(EACCES, connect(fd, (const struct sockaddr *)&address, sizeof(address)));
    close(fd);
    /* without writing */
    OK(stat("fixed/file", &st));
    FAILS(EACCES, open("fixed/new", O_WRONLY | O_CREAT, 0666));
    FAILS(EACCES, mkdir("fixed/new", 0777));
    FAILS(EACCES, mkfifo("fixed/new", 0666));
    FAILS(EACCES, symlink("x", "fixed/new"));
    FAILS(EACCES, link("mine", "fixed/new"));
    FAILS(EACCES, unlink("fixed/file"));
    FAILS(EACCES, rmdir("fixed/folder"));
    FAILS(EACCES, rename("fixed/file", "fixed/new"));
    FAILS(EACCES, rename("mine", "fixed/new"));
    FAILS(EACCES, rename("fixed/file", "new"));
    /* without reading */
    FAILS(EACCES, open("passed", O_RDONLY | O_DIRECTORY));
    OK(stat("passed/file", &st));
    return 0;
}
TEST(folders) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    static const char *const folders[] = {"closed", "fixed", "passed"};
    static const mode_t modes[] = {0666, 0755, 0711};
    for (int i = 0; i < 3; i++) {
        char path[64];
        OK(mkdir(folders[i], 0755));
        snprintf(path, sizeof(path), "%s/file", folders[i]);
        file_of(path, 0, 0, 0666);
        snprintf(path, sizeof(path), "%s/folder", folders[i]);
        OK(mkdir(path, 0777));
        OK(chmod(folders[i], modes[i]));
    }
    file_of("mine", SETID_USER, SETID_USER, 0644);
    as(SETID_USER, in_folders, NULL);
}

static int in_sticky(void *unused) {
    FAILS(EPERM, unlink("sticky/roots"));
    FAILS(EPERM, rename("sticky/roots", "sticky/new"));
    FAILS(EPERM, rename("sticky/mine", "sticky/roots")); /* that would remove it */
    FAILS(EPERM, rmdir("sticky/folder"));
    FAILS(EPERM, rename("sticky/folder", "sticky/new"));
    OK(rename("sticky/mine", "sticky/new"));
    OK(unlink("sticky/new"));
    OK(unlink("own/roots")); /* whose is the folder */
    OK(unlink("open/roots"));
    return 0;
}
TEST(sticky_folders) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    OK(mkdir("sticky", 0777));
    OK(chmod("sticky", 01777));
    OK(mkdir("sticky/folder", 0777));
    OK(mkdir("own", 0777));
    OK(chmod("own", 01777));
    OK(chown("own", SETID_USER, SETID_USER));
    OK(chmod("own", 01777));
    OK(mkdir("open", 0777));
    OK(chmod("open", 0777));
    file_of("sticky/roots", 0, 0, 0666);
    file_of("sticky/mine", SETID_USER, SETID_USER, 0666);
    file_of("own/roots", 0, 0, 0666);
    file_of("open/roots", 0, 0, 0666);
    as(SETID_USER, in_sticky, NULL);
}

static int attributes(void *unused) {
    struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}}, then[2] = {{1, 0}, {1, 0}};
    struct stat st;
    int fd = (int)OK(open("writable", O_RDWR));
    FAILS(EPERM, chmod("writable", 0777));
    FAILS(EPERM, fchmod(fd, 0777));
    FAILS(EPERM, fchmodat(AT_FDCWD, "writable", 0777, 0));
    FAILS(EPERM, chown("writable", SETID_USER, -1));
    FAILS(EPERM, chown("writable", -1, SETID_USER));
    FAILS(EPERM, fchown(fd, SETID_USER, SETID_USER));
    FAILS(EPERM, lchown("link", SETID_USER, -1));
    /* one's own: to groups that one is in, not to other users */
    FAILS(EPERM, chown("mine", OTHER, -1));
    FAILS(EPERM, chown("mine", 0, -1));
    FAILS(EPERM, chown("mine", -1, 0));
    OK(chown("mine", -1, SHARED_GROUP));
    OK(chown("mine", SETID_USER, SETID_USER));
    OK(chmod("mine", 0600));
    /* set-group-id goes if one is not in the group */
    OK(chmod("alien_group", 02755));
    OK(stat("alien_group", &st));
    EQUAL(st.st_mode & 07777, 0755);
    /* times */
    FAILS(EPERM, utimensat(AT_FDCWD, "writable", then, 0));
    FAILS(EPERM, futimens(fd, then));
    FAILS(EPERM, utimes("writable", (struct timeval[2]){{1, 0}, {1, 0}}));
    OK(utimensat(AT_FDCWD, "writable", now, 0));
    OK(utimensat(AT_FDCWD, "writable", NULL, 0));
    FAILS(EACCES, utimensat(AT_FDCWD, "readable", NULL, 0));
    FAILS(EACCES, utimensat(AT_FDCWD, "readable", now, 0));
    FAILS(EPERM, utimensat(AT_FDCWD, "readable", then, 0));
    OK(utimensat(AT_FDCWD, "mine", then, 0));
    FAILS(EACCES, setxattr("readable", "user.a", "b", 1, 0));
    return 0;
}
TEST(attributes_of_files) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    file_of("writable", 0, 0, 0666);
    file_of("readable", 0, 0, 0644);
    file_of("mine", SETID_USER, SETID_USER, 0644);
    file_of("alien_group", SETID_USER, 0, 0644);
    OK(symlink("writable", "link"));
    as(SETID_USER, attributes, NULL);
}

static int nodes_and_system(void *unused) {
    struct timespec t = {1000000000, 0};
    struct timeval tv = {1000000000, 0};
    FAILS(EPERM, mknod("device", S_IFCHR | 0666, 0x103));
    FAILS(EPERM, mknod("device", S_IFBLK | 0666, 0x103));
    OK(mknod("pipe", S_IFIFO | 0666, 0));
    OK(mknod("plain", S_IFREG | 0666, 0));
    FAILS(EPERM, chroot("."));
    FAILS(EPERM, mount("none", ".", "tmpfs", 0, NULL));
    FAILS(EPERM, umount("/proc"));
    FAILS(EPERM, clock_settime(CLOCK_REALTIME, &t));
    FAILS(EPERM, settimeofday(&tv, NULL));
    FAILS(EPERM, sethostname("x", 1));
    FAILS(EPERM, link("/etc", "etc"));
    FAILS(EACCES, open("/etc/shadow", O_RDONLY));
    FAILS(EACCES, open("/etc/passwd", O_WRONLY));
    return 0;
}
TEST(nodes_mounts_roots_clocks) { as(SETID_USER, nodes_and_system, NULL); }

/* Root passes where nobody else does, but executes only what somebody may. */
TEST(root_overrides) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    file_of("a", OTHER, OTHER, 0000);
    int fd = (int)OK(open("a", O_RDWR));
    OK(fchown(fd, 0, 0));
    OK(close(fd));
    OK(access("a", R_OK | W_OK));
    FAILS(EACCES, access("a", X_OK));
    FAILS(EACCES, execl("a", "a", (char *)NULL));
}

/* Rights are of the open file: what was opened before stays usable. */
static int after_open(void *fd) {
    char byte;
    EQUAL(pread(*(int *)fd, &byte, 1, 0), 1);
    FAILS(EBADF, pwrite(*(int *)fd, &byte, 1, 0));
    FAILS(EACCES, open("secret", O_RDONLY));
    return 0;
}
TEST(open_files_are_passed_on) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    file_of("secret", 0, 0, 0600);
    int fd = (int)OK(open("secret", O_RDONLY));
    as(SETID_USER, after_open, &fd);
}
