// SPDX-License-Identifier: MIT
/* Core dumps: when there is one, and that nothing but SIGKILL disturbs it. core_test.py looks into one. */
#include "setid.h"
#include <elf.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define MEBIBYTE (1UL << 20)

/* On Linux `core` may go elsewhere. */
static void cores_begin(rlim_t size) {
    char pattern[256] = "core";
    struct rlimit limit = {size, RLIM_INFINITY};
    int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);
    if (fd >= 0) {
        memset(pattern, 0, sizeof(pattern));
        OK(read(fd, pattern, sizeof(pattern) - 1));
        close(fd);
    }
    if (strncmp(pattern, "core", 4)) {
        SKIP("cores are not written to files called core");
    }
    OK(setrlimit(RLIMIT_CORE, &limit));
}

static void core_expect(int status, int signal) {
    Elf64_Ehdr header;
    CHECK(WIFSIGNALED(status));
    EQUAL(WTERMSIG(status), signal);
    CHECK(WCOREDUMP(status));
    int fd = (int)OK(open("core", O_RDONLY));
    EQUAL(read(fd, &header, sizeof(header)), sizeof(header));
    CHECK(!memcmp(header.e_ident, ELFMAG, SELFMAG));
    EQUAL(header.e_type, ET_CORE);
    close(fd);
    OK(unlink("core"));
}

static void core_expect_none(int status, int signal) {
    CHECK(WIFSIGNALED(status));
    EQUAL(WTERMSIG(status), signal);
    CHECK(!WCOREDUMP(status));
    FAILS(ENOENT, access("core", F_OK));
}

static int raise_it(void *signal) {
    raise(*(int *)signal);
    return 0;
}

static int signal_abort = SIGABRT, signal_term = SIGTERM;

TEST(none_without_limit) {
    cores_begin(0);
    core_expect_none(child_wait(child_start(raise_it, &signal_abort)), SIGABRT);
}

TEST(signals_that_dump) {
    static const int signals[] = {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS};
    cores_begin(RLIM_INFINITY);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        core_expect(child_wait(child_start(raise_it, (void *)&signals[i])), signals[i]);
    }
    core_expect_none(child_wait(child_start(raise_it, &signal_term)), SIGTERM);
}

static int wait_for_ever(void *unused) {
    for (;;) {
        pause();
    }
}

TEST(killed_by_another) {
    static const int signals[] = {SIGSEGV, SIGABRT, SIGQUIT};
    siginfo_t info;
    cores_begin(RLIM_INFINITY);
    for (int i = 0; i < 3; i++) {
        pid_t pid = child_start(wait_for_ever, NULL);
        sleep_ms(20);
        OK(kill(pid, signals[i]));
        OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
        EQUAL(info.si_code, CLD_DUMPED);
        EQUAL(info.si_status, signals[i]);
        core_expect(child_wait(pid), signals[i]);
    }
}

static int overflow(void *unused) {
    volatile char block[4096];
    block[0] = 1;
    return unused ? overflow((void *)block) + block[0] : 0;
}

TEST(stack_overflow) {
    cores_begin(RLIM_INFINITY);
    core_expect(child_wait(child_start(overflow, (void *)overflow)), SIGSEGV);
}

static int overflow_with_handler(void *unused) {
    signal(SIGSEGV, (void (*)(int))(void *)wait_for_ever); /* for which there is no room */
    return overflow((void *)overflow);
}

TEST(handler_without_stack) {
    cores_begin(RLIM_INFINITY);
    core_expect(child_wait(child_start(overflow_with_handler, NULL)), SIGSEGV);
}

static int blocked_fault(void *unused) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    *(volatile int *)16 = 1;
    return 0;
}

TEST(blocked_fault_dumps) {
    cores_begin(RLIM_INFINITY);
    core_expect(child_wait(child_start(blocked_fault, NULL)), SIGSEGV);
}

static int undumpable(void *unused) {
    EQUAL(prctl(PR_GET_DUMPABLE), 1);
    OK(prctl(PR_SET_DUMPABLE, 0));
    EQUAL(prctl(PR_GET_DUMPABLE), 0);
    FAILS(EINVAL, prctl(PR_SET_DUMPABLE, 2));
    return raise_it(&signal_abort);
}

TEST(none_of_the_undumpable) {
    cores_begin(RLIM_INFINITY);
    core_expect_none(child_wait(child_start(undumpable, NULL)), SIGABRT);
}

static int dropped(void *unused) {
    setid_drop();
    return raise_it(&signal_abort);
}
static int dropped_and_willing(void *unused) {
    setid_drop();
    OK(prctl(PR_SET_DUMPABLE, 1));
    return raise_it(&signal_abort);
}

TEST(written_with_its_own_ids) {
    struct stat st;
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    cores_begin(RLIM_INFINITY);
    OK(chmod(".", 0777));
    core_expect_none(child_wait(child_start(dropped, NULL)), SIGABRT); /* it changed ids */
    pid_t pid = child_start(dropped_and_willing, NULL);
    int status = child_wait(pid);
    OK(stat("core", &st));
    EQUAL(st.st_uid, SETID_USER);
    EQUAL(st.st_mode & 07777, 0600);
    core_expect(status, SIGABRT);
    OK(chmod(".", 0755)); /* no core where it may not write */
    core_expect_none(child_wait(child_start(dropped_and_willing, NULL)), SIGABRT);
}

static int run_setid(void *unused) {
    setid_drop();
    execle(SETID_PROGRAM, SETID_PROGRAM, (char *)NULL,
           (char *[]){(char *)"SETID_REPORT=1", (char *)"SETID_PAUSE=1", NULL});
    _exit(1);
}

TEST(none_of_set_id_programs) {
    if (geteuid() != 0) {
        SKIP("needs root");
    }
    cores_begin(RLIM_INFINITY);
    setid_make(0, 0, 04755);
    pid_t pid = child_start(run_setid, NULL);
    sleep_ms(200);
    OK(kill(pid, SIGQUIT));
    core_expect_none(child_wait(pid), SIGQUIT);
}

TEST(size_limit) {
    struct stat st;
    cores_begin(10000);
    pid_t pid = child_start(raise_it, &signal_abort);
    CHECK(WTERMSIG(child_wait(pid)) == SIGABRT);
    OK(stat("core", &st));
    CHECK(st.st_size > 0 && st.st_size <= 10000);
}

/* What is called core and is no core is left as it is; or it makes room for one, as on Linux. */
static void core_in_the_way(void) {
    struct stat st;
    int status = child_wait(child_start(raise_it, &signal_abort));
    OK(lstat("core", &st));
    CHECK(!WCOREDUMP(status) || (S_ISREG(st.st_mode) && st.st_nlink == 1));
    OK(unlink("core"));
    file_expect("precious", "text");
}

TEST(only_plain_files) {
    cores_begin(RLIM_INFINITY);
    file_make("precious", "text");
    OK(symlink("precious", "core"));
    core_in_the_way();
    OK(link("precious", "core"));
    core_in_the_way();
    OK(mkfifo("core", 0644));
    core_in_the_way();
    OK(mkdir("core", 0755));
    CHECK(!WCOREDUMP(child_wait(child_start(raise_it, &signal_abort))));
    OK(rmdir("core"));
}

static void *thread_main(void *argument) {
    return argument ? (void *)(intptr_t)raise_it(argument) : (wait_for_ever(0), NULL);
}

static int threads_crash(void *unused) {
    pthread_t t;
    for (int i = 0; i < 8; i++) {
        OK(-pthread_create(&t, NULL, thread_main, i & 1 ? &signal_abort : NULL)); /* several at once */
    }
    return wait_for_ever(NULL);
}

TEST(many_threads_at_once) {
    cores_begin(RLIM_INFINITY);
    for (int i = 0; i < 5; i++) {
        core_expect(child_wait(child_start(threads_crash, NULL)), SIGABRT);
    }
}

static int big(void *size) {
    char *memory = mmap(NULL, *(size_t *)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    memset(memory, 1, *(size_t *)size);
    return raise_it(&signal_abort);
}

/* Stop signals and others wait; SIGKILL ends it. */
TEST(killed_while_it_dumps) {
    size_t size = 48 * MEBIBYTE;
    cores_begin(RLIM_INFINITY);
    for (int tries = 0;; tries++) {
        struct stat st = {0};
        pid_t pid = child_start(big, &size);
        while (stat("core", &st) < 0 || st.st_size < 8192) {
            CHECK(waitpid(pid, NULL, WNOHANG) == 0);
            sleep_ms(1);
        }
        OK(kill(pid, SIGSTOP));
        OK(kill(pid, SIGTERM));
        OK(kill(pid, SIGKILL));
        int status = child_wait(pid);
        CHECK(WIFSIGNALED(status));
        if (WTERMSIG(status) == SIGKILL) {
            CHECK(!WCOREDUMP(status));
            return;
        }
        CHECK(tries < 20); /* it was faster */
    }
}

static int touch_little(void *size) {
    char *memory = mmap(NULL, *(size_t *)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    memory[*(size_t *)size / 2] = 1;
    return raise_it(&signal_abort);
}

TEST(untouched_memory_is_a_hole) {
    struct stat st;
    size_t size = 128 * MEBIBYTE;
    cores_begin(RLIM_INFINITY);
    int status = child_wait(child_start(touch_little, &size));
    OK(stat("core", &st));
    CHECK(st.st_size > (off_t)size);
    CHECK(st.st_blocks * 512L < 16 * (long)MEBIBYTE);
    core_expect(status, SIGABRT);
}
