// SPDX-License-Identifier: MIT
/* posix_spawn: what the child gets, and that the parent keeps what it has. */
#include "test.h"
#include <spawn.h>
#include <sys/file.h>

extern char **environ;

static posix_spawn_file_actions_t actions;
static posix_spawnattr_t attributes;

static void prepare(short flags) {
    EQUAL(posix_spawn_file_actions_init(&actions), 0);
    EQUAL(posix_spawnattr_init(&attributes), 0);
    EQUAL(posix_spawnattr_setflags(&attributes, flags), 0);
}

static int spawn_shell(const char *script) {
    pid_t pid;
    char *argv[] = {"sh", "-c", (char *)script, NULL};
    EQUAL(posix_spawnp(&pid, "sh", &actions, &attributes, argv, environ), 0);
    return child_wait(pid);
}

/* What a script with these actions and attributes writes to standard output. */
static void shell_expect(const char *script, const char *text) {
    EQUAL(posix_spawn_file_actions_addopen(&actions, 1, "out", O_WRONLY | O_CREAT | O_TRUNC, 0644), 0);
    EQUAL(spawn_shell(script), 0);
    file_expect("out", text);
}

/* posix_spawn fails so, and leaves neither a child nor a descriptor. */
static void expect_error(int error, const char *path, char *const *argv) {
    pid_t pid = -5;
    int lowest = dup(0);
    close(lowest);
    EQUAL(posix_spawn(&pid, path, &actions, &attributes, argv, environ), error);
    EQUAL(pid, -5);
    int now = dup(0);
    EQUAL(now, lowest);
    close(now);
    FAILS(ECHILD, waitpid(-1, NULL, WNOHANG));
}

static void script_make(const char *path, const char *text, mode_t mode) {
    file_make(path, text);
    OK(chmod(path, mode));
}

static char *const plain[] = {"program", "argument", NULL};

/* --- descriptors --- */

TEST(actions_in_order) {
    prepare(0);
    file_make("a", "text a\n");
    file_make("b", "text b\n");
    int a = (int)OK(open("a", O_RDONLY)), b = (int)OK(open("b", O_RDONLY | O_CLOEXEC));
    posix_spawn_file_actions_adddup2(&actions, a, 7);
    posix_spawn_file_actions_adddup2(&actions, b, 8);
    posix_spawn_file_actions_adddup2(&actions, 7, 9); /* a */
    posix_spawn_file_actions_adddup2(&actions, 8, 7); /* b */
    posix_spawn_file_actions_addclose(&actions, 8);
    posix_spawn_file_actions_addclose(&actions, a);
    posix_spawn_file_actions_addclose(&actions, 500); /* was not open */
    shell_expect("read x <&7; read y <&9; echo $x, $y; ( : <&8 ) 2>&- || echo 8 is closed",
                 "text b, text a\n8 is closed\n");
    char byte;
    EQUAL(read(a, &byte, 1), 0); /* one description with the child's, which read it all */
    EQUAL(fcntl(b, F_GETFD), FD_CLOEXEC);
    FAILS(EBADF, fcntl(7, F_GETFD));
}

TEST(close_on_exec) {
    prepare(0);
    file_make("a", "text\n");
    int kept = (int)OK(open("a", O_RDONLY | O_CLOEXEC)), gone = (int)OK(fcntl(kept, F_DUPFD_CLOEXEC, 6));
    OK(dup3(kept, 5, O_CLOEXEC));
    posix_spawn_file_actions_adddup2(&actions, 5, 5); /* to itself: stays open */
    shell_expect("read x <&5; echo $x; ( : <&6 ) 2>&- || echo 6 is closed", "text\n6 is closed\n");
    EQUAL(gone, 6);
    EQUAL(fcntl(5, F_GETFD), FD_CLOEXEC);
}

TEST(names_of_descriptors) {
    prepare(0);
    file_make("a", "text\n");
    posix_spawn_file_actions_addopen(&actions, 6, "a", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 7, "/dev/fd/6", O_RDONLY, 0);
    shell_expect("read x <&7; echo $x", "text\n");
}

TEST(many_actions) {
    prepare(0);
    file_make("a", "text\n");
    posix_spawn_file_actions_addopen(&actions, 10, "a", O_RDONLY, 0);
    for (int fd = 10; fd < 200; fd++) {
        EQUAL(posix_spawn_file_actions_adddup2(&actions, fd, fd + 1), 0);
        EQUAL(posix_spawn_file_actions_addclose(&actions, fd), 0);
    }
    EQUAL(posix_spawn_file_actions_adddup2(&actions, 200, 3), 0);
    shell_expect("read x <&3; echo $x", "text\n");
}

TEST(modes_of_new_files) {
    struct stat s;
    prepare(0);
    umask(027);
    posix_spawn_file_actions_addopen(&actions, 5, "new", O_WRONLY | O_CREAT | O_EXCL, 0666);
    EQUAL(spawn_shell(":"), 0);
    OK(stat("new", &s));
    EQUAL(s.st_mode & 07777, 0640);
    expect_error(EEXIST, "/bin/sh", plain);
}

TEST(working_directory) {
    char before[512], after[512], want[600];
    prepare(0);
    CHECK(getcwd(before, sizeof(before)) != NULL);
    OK(mkdir("d", 0755));
    OK(mkdir("d/e", 0755));
    script_make("d/e/program", "#!/bin/sh\npwd\n", 0755);
    int d = (int)OK(open("d", O_RDONLY | O_DIRECTORY));
    posix_spawn_file_actions_addfchdir_np(&actions, d);
    posix_spawn_file_actions_addchdir_np(&actions, "e");
    posix_spawn_file_actions_addopen(&actions, 1, "out", O_WRONLY | O_CREAT, 0644);
    pid_t pid;
    EQUAL(posix_spawn(&pid, "./program", &actions, NULL, plain, environ), 0);
    EQUAL(child_wait(pid), 0);
    snprintf(want, sizeof(want), "%s/d/e\n", before);
    file_expect("d/e/out", want);
    CHECK(getcwd(after, sizeof(after)) != NULL);
    EQUAL(strcmp(before, after), 0);
    posix_spawn_file_actions_addchdir_np(&actions, "none");
    expect_error(ENOENT, "./program", plain);
}

static int lock_fd;

static int lock_is_free(void *unused) {
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(lock_fd, F_GETLK, &l) == 0 && l.l_type == F_UNLCK;
}

/* An open for the child is no close of the parent's, which would drop its record locks. */
TEST(record_locks_stay) {
    prepare(0);
    lock_fd = (int)OK(open("a", O_RDWR | O_CREAT, 0644));
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    OK(fcntl(lock_fd, F_SETLK, &l));
    posix_spawn_file_actions_addopen(&actions, 9, "a", O_RDWR, 0);
    EQUAL(spawn_shell("echo text >&9"), 0);
    EQUAL(child_run(lock_is_free, NULL), 0);
    expect_error(ENOENT, "none", plain);
    EQUAL(child_run(lock_is_free, NULL), 0);
    OK(close(lock_fd));
    lock_fd = (int)OK(open("a", O_RDWR));
    EQUAL(child_run(lock_is_free, NULL), 1);
}

/* --- attributes --- */

TEST(signals_of_the_child) {
    sigset_t set, old;
    prepare(0);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, sleep_ms);
    EQUAL(WIFSIGNALED(spawn_shell("kill -USR1 $$; kill -USR2 $$; exit 3")), 1);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    prepare(POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigdefault(&attributes, &set);
    EQUAL(WTERMSIG(spawn_shell("kill -USR1 $$; exit 3")), SIGUSR1);
    OK(sigprocmask(SIG_BLOCK, &set, &old)); /* inherited */
    EQUAL(WEXITSTATUS(spawn_shell("kill -USR1 $$; exit 3")), 3);
    prepare(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigdefault(&attributes, &set);
    posix_spawnattr_setsigmask(&attributes, &old);
    EQUAL(WTERMSIG(spawn_shell("kill -USR1 $$; exit 3")), SIGUSR1);
    OK(sigprocmask(SIG_SETMASK, NULL, &old));
    EQUAL(sigismember(&old, SIGUSR1), 1);
}

static pid_t spawn_sleeper(int *pipe_end) {
    pid_t pid;
    int p[2];
    char *argv[] = {"sh", "-c", "read x", NULL};
    OK(pipe2(p, O_CLOEXEC));
    posix_spawn_file_actions_adddup2(&actions, p[0], 0);
    EQUAL(posix_spawn(&pid, "/bin/sh", &actions, &attributes, argv, environ), 0);
    close(p[0]);
    *pipe_end = p[1];
    return pid;
}

TEST(groups_and_sessions) {
    int end, second;
    prepare(POSIX_SPAWN_SETPGROUP);
    pid_t pid = spawn_sleeper(&end);
    EQUAL(getpgid(pid), pid);
    EQUAL(getsid(pid), getsid(0));
    prepare(POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, pid);
    pid_t other = spawn_sleeper(&second);
    EQUAL(getpgid(other), pid);
    close(end);
    close(second);
    child_wait(pid);
    child_wait(other);
    prepare(POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, pid);
    expect_error(EPERM, "/bin/sh", plain); /* the group is gone */
#ifdef POSIX_SPAWN_SETSID
    prepare(POSIX_SPAWN_SETSID);
    posix_spawn_file_actions_addopen(&actions, 5, "/dev/null", O_RDONLY, 0);
    pid = spawn_sleeper(&end);
    EQUAL(getsid(pid), pid);
    EQUAL(getpgid(pid), pid);
    close(end);
    child_wait(pid);
    prepare(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETPGROUP);
    expect_error(EPERM, "/bin/sh", plain);
#endif
}

static int spawn_with_real_ids(void *unused) {
    OK(setresgid(1234, 0, 0));
    OK(setresuid(1234, 0, 0));
    prepare(POSIX_SPAWN_RESETIDS);
    if (WEXITSTATUS(spawn_shell("test $(id -u) = 1234 && test $(id -g) = 1234")) != 0) {
        return 1;
    }
    posix_spawn_file_actions_addopen(&actions, 5, "secret", O_RDONLY, 0);
    expect_error(EACCES, "/bin/sh", plain);
    return geteuid() != 0;
}

TEST(real_ids) {
    if (getuid() != 0) {
        SKIP("needs root");
    }
    script_make("secret", "text\n", 0600);
    OK(chmod(".", 0755));
    EQUAL(child_run(spawn_with_real_ids, NULL), 0);
}

/* --- images --- */

TEST(errors_of_the_image) {
    prepare(0);
    script_make("text", "no program\n", 0755);
    script_make("forbidden", "#!/bin/sh\n", 0644);
    script_make("orphan", "#!/none/at/all\n", 0755);
    expect_error(ENOENT, "none", plain);
    expect_error(ENOENT, "", plain);
    expect_error(ENOENT, "orphan", plain);
    expect_error(EACCES, "forbidden", plain);
    expect_error(EACCES, "/", plain);
    expect_error(ENOTDIR, "text/x", plain);
    expect_error(ENOEXEC, "text", plain);
    posix_spawn_file_actions_adddup2(&actions, 400, 5);
    expect_error(EBADF, "/bin/sh", plain);
    prepare(0);
    posix_spawn_file_actions_addopen(&actions, 0, "none", O_RDONLY, 0);
    expect_error(ENOENT, "/bin/sh", plain);
}

TEST(scripts) {
    prepare(0);
    script_make("script", "#! /bin/sh -e\necho $0 $1\nfalse\necho no\n", 0755);
    posix_spawn_file_actions_addopen(&actions, 1, "out", O_WRONLY | O_CREAT, 0644);
    pid_t pid;
    EQUAL(posix_spawn(&pid, "./script", &actions, NULL, plain, environ), 0);
    EQUAL(WEXITSTATUS(child_wait(pid)), 1);
    file_expect("out", "./script argument\n");
}

TEST(search_in_path) {
    pid_t pid;
    prepare(0);
    OK(mkdir("a", 0755));
    OK(mkdir("b", 0755));
    script_make("a/tool", "#!/bin/sh\nexit 1\n", 0644);
    script_make("b/tool", "#!/bin/sh\nexit 2\n", 0755);
    script_make("tool", "#!/bin/sh\nexit 3\n", 0755);
    setenv("PATH", "none:a:b", 1);
    EQUAL(posix_spawnp(&pid, "tool", NULL, NULL, plain, environ), 0);
    EQUAL(WEXITSTATUS(child_wait(pid)), 2);
    setenv("PATH", "a::b", 1); /* the empty one is the working directory */
    EQUAL(posix_spawnp(&pid, "tool", NULL, NULL, plain, environ), 0);
    EQUAL(WEXITSTATUS(child_wait(pid)), 3);
    setenv("PATH", "a:none", 1);
    EQUAL(posix_spawnp(&pid, "tool", NULL, NULL, plain, environ), EACCES);
    EQUAL(posix_spawnp(&pid, "tools", NULL, NULL, plain, environ), ENOENT);
    EQUAL(posix_spawnp(&pid, "./tool", NULL, NULL, plain, environ), 0);
    EQUAL(WEXITSTATUS(child_wait(pid)), 3);
}

TEST(environment_and_long_arguments) {
    enum { SIZE = 20000 };
    static char big[SIZE + 1];
    char *argv[] = {"sh", "-c", "echo ${#1} ${#PATH} $VALUE", "sh", big, NULL}, *env[] = {"VALUE=7", NULL};
    pid_t pid;
    prepare(0);
    memset(big, 'x', SIZE);
    posix_spawn_file_actions_addopen(&actions, 1, "out", O_WRONLY | O_CREAT, 0644);
    EQUAL(posix_spawn(&pid, "/bin/sh", &actions, NULL, argv, env), 0);
    EQUAL(child_wait(pid), 0);
    FILE *out = fopen("out", "r");
    int size, value;
    CHECK(out != NULL && fscanf(out, "%d %*d %d", &size, &value) == 2);
    EQUAL(size, SIZE);
    EQUAL(value, 7);
}

TEST(shells_of_the_library) {
    char line[32];
    FILE *f = popen("echo from popen; exit 3", "r");
    CHECK(f && fgets(line, sizeof(line), f));
    EQUAL(strcmp(line, "from popen\n"), 0);
    EQUAL(WEXITSTATUS(pclose(f)), 3);
    EQUAL(WEXITSTATUS(system("exit 5")), 5);
}
