// SPDX-License-Identifier: MIT
/*
 * What processes can't do: reach a scheme that isn't in their namespace, take all processes or all
 * memory, or lose the way to their files by closing every descriptor.
 */
#include "native.h"
#include <sys/mman.h>
#include <sys/resource.h>

#define USER 1000
#define TASKS 100
#define TOOL "/bin/busybox"

/* --- names --------------------------------------------------------------------------------------- */

static handle_t namespace_without_file(void) {
    handle_t ns = (handle_t)GOOD(sys_namespace_control(HANDLE_NAMESPACE, NAMESPACE_CLONE, nullptr, 0, HANDLE_NONE));
    GOOD(sys_namespace_control(ns, NAMESPACE_UNBIND, (char *)"file", 4, HANDLE_NONE));
    return ns;
}

/* `cat /etc/passwd`, with these handles and no others: its exit status. */
static int cat_with(const struct handle_transfer *handles, uint32_t count) {
    static const char strings[] = "busybox\0cat\0/etc/passwd\0PATH=/bin";
    int image = (int)OK(open(TOOL, O_RDONLY | O_CLOEXEC));
    struct spawn_args args = {
        .image = {.image = image,
                  .interpreter = HANDLE_NONE,
                  .argument_count = 3,
                  .environment_count = 1,
                  .strings = strings,
                  .strings_size = sizeof(strings),
                  .path = TOOL},
        .handles = handles,
        .handle_count = count,
        .process = HANDLE_NONE,
    };
    int status = child_wait((pid_t)GOOD(sys_process_spawn(&args)));
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}
TEST(spawned_without_file) {
    int null = (int)OK(open("/dev/null", O_RDWR));
    struct handle_transfer handles[] = {
        {null, 0, RIGHTS_ALL, 0},
        {null, 1, RIGHTS_ALL, 0},
        {null, 2, RIGHTS_ALL, 0},
        {HANDLE_NAMESPACE, HANDLE_NAMESPACE, RIGHTS_ALL, HANDLE_KEEP},
        {HANDLE_ROOT, HANDLE_ROOT, RIGHTS_ALL, HANDLE_KEEP},
    };
    EQUAL(cat_with(handles, 5), 0);
    handles[3].from = namespace_without_file();
    CHECK(cat_with(handles, 4) != 0);
}

static long open_by_name(const char *name) {
    struct call_args args = {.request = {.op = OP_OPEN, .length = (uint32_t)strlen(name)},
                             .in = name,
                             .carry = HANDLE_NONE,
                             .deadline = DEADLINE_NEVER};
    return sys_call(HANDLE_NAMESPACE, &args);
}

/* Leaves no handle to a file of this scheme. */
static void files_close(uint64_t file_scheme) {
    struct handle_info info;
    for (handle_t h = 0; h < HANDLE_UPPER + 4096; h = h == 4096 ? HANDLE_UPPER : h + 1)
        if (sys_handle_info(h, &info) == 0 && info.type == OBJECT_FILE && info.scheme == file_scheme)
            GOOD(sys_handle_close(h));
}

TEST(no_way_to_file) {
    static const char *const guesses[] = {
        "/etc/passwd",
        "etc/passwd",
        "../../etc/passwd",
        "/scheme/file/etc/passwd",
        "/scheme/file/",
        "/scheme/proc/1/root/etc/passwd",
        "/proc/1/cwd/etc/passwd",
        "/scheme/tty/../file/etc/passwd",
        "/scheme/tty/../../etc/passwd",
        "/dev/../etc/passwd",
        "/scheme/proc/self/exe",
        "/scheme/proc/self/root",
    };
    struct handle_info root;
    GOOD(sys_handle_info(HANDLE_ROOT, &root));
    GOOD(sys_handle_duplicate(namespace_without_file(), HANDLE_NAMESPACE, HANDLE_AT | HANDLE_KEEP, RIGHTS_SAME));
    files_close(root.scheme);
    for (unsigned i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
        int fd = open(guesses[i], O_RDONLY);
        struct handle_info info = {};
        if (fd >= 0 && sys_handle_info(fd, &info) == 0 && info.scheme == root.scheme)
            test_fail(__FILE__, __LINE__, "%s is reached", guesses[i]);
    }
    GIVES(-ENOENT, open_by_name("file:/etc/passwd"));
    GIVES(-ENOENT, open_by_name("file:"));
    GIVES(-ENOENT, open_by_name("tty/../file:"));
}

/* --- quotas --------------------------------------------------------------------------------------- */

static void become_user(void) {
    OK(setgid(USER));
    OK(setuid(USER));
}
static void expect_usable(void) { EQUAL(WEXITSTATUS(system("test \"$(echo usable | tr a-z A-Z)\" = USABLE")), 0); }

TEST(fork_bomb) {
    int ends[2];
    char byte;
    OK(pipe(ends));
    pid_t bomb = (pid_t)OK(fork());
    if (bomb == 0) {
        struct rlimit tasks = {TASKS, TASKS};
        setpgid(0, 0);
        OK(setrlimit(RLIMIT_NPROC, &tasks));
        become_user();
        for (;;)
            if (fork() < 0 && errno == EAGAIN) write(ends[1], "x", 1);
    }
    for (int i = 0; i < 1000; i++) /* it has reached the limit, and goes on trying */
        EQUAL(read(ends[0], &byte, 1), 1);
    expect_usable();
    kill(-bomb, SIGKILL);
    child_wait(bomb);
    expect_usable();
}

TEST(memory_hog) {
    pid_t hog = (pid_t)OK(fork());
    if (hog == 0) {
        become_user();
        for (;;) {
            char *p = mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            for (size_t at = 0; p != MAP_FAILED && at < 1 << 20; at += PAGE) p[at] = 1;
        }
    }
    int status;
    do expect_usable();
    while (OK(waitpid(hog, &status, WNOHANG)) == 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    expect_usable();
}

/* --- descriptors ---------------------------------------------------------------------------------- */

static void expect_working(void) {
    int fd = (int)OK(open("file", O_CREAT | O_RDWR, 0644));
    OK(close(fd));
    OK(mkdir("folder", 0755));
    OK(chdir("folder"));
    OK(chdir(".."));
    OK(rmdir("folder"));
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) _exit(access("file", R_OK) == 0 ? 5 : 6);
    EQUAL(WEXITSTATUS(child_wait(pid)), 5);
}
TEST(close_everything) {
    for (int fd = 0; fd < 65536; fd++) close(fd);
    expect_working();
    EQUAL(open("/dev/null", O_RDWR), 0);
}
TEST(close_range_everything) {
    GOOD(sys_handle_close_range(0, HANDLE_UPPER - 1, 0));
    expect_working();
}
TEST(dup2_over_everything) {
    int null = (int)OK(open("/dev/null", O_RDWR));
    struct rlimit files;
    OK(getrlimit(RLIMIT_NOFILE, &files));
    for (int fd = 0; fd < (int)files.rlim_cur; fd++) EQUAL(dup2(null, fd), fd);
    FAILS(EBADF, dup2(null, (int)files.rlim_cur));
    FAILS(EMFILE, dup(null));
    FAILS(EMFILE, open("/dev/null", O_RDWR));
    OK(close(17));
    expect_working();
    EQUAL(open("/dev/null", O_RDWR), 17);
}
