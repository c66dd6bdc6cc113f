// SPDX-License-Identifier: MIT
/* The runner of tests/posix/test.h. Arguments: names of the cases to run, default all. */
#include "test.h"
#include <ftw.h>
#include <stdarg.h>

#define EXIT_SKIPPED 77
#define CASE_SECONDS 30

static struct test *first, **last = &first;

void test_register(struct test *test) {
    *last = test;
    last = &test->next;
}

void test_fail(const char *file, int line, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    const char *slash = strrchr(file, '/');
    dprintf(STDOUT_FILENO, "# %s:%d: %s\n", slash ? slash + 1 : file, line, text);
    _exit(1);
}

void test_skip(const char *why) {
    dprintf(STDOUT_FILENO, "# skipped: %s\n", why);
    _exit(EXIT_SKIPPED);
}

/* --- helpers ---------------------------------------------------------------------------------- */

void file_make(const char *path, const char *text) {
    int fd = (int)OK(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    EQUAL(write(fd, text, strlen(text)), strlen(text));
    OK(close(fd));
}

void file_expect(const char *path, const char *text) {
    char got[4096];
    int fd = (int)OK(open(path, O_RDONLY));
    ssize_t n = (ssize_t)OK(read(fd, got, sizeof(got) - 1));
    got[n] = 0;
    OK(close(fd));
    if (strcmp(got, text)) {
        test_fail(__FILE__, __LINE__, "%s contains \"%s\", not \"%s\"", path, got, text);
    }
}

pid_t child_start(int (*fn)(void *), void *argument) {
    pid_t pid = (pid_t)OK(fork());
    if (pid == 0) {
        _exit(fn(argument));
    }
    return pid;
}

int child_wait(pid_t pid) {
    int status;
    EQUAL(waitpid(pid, &status, 0), pid);
    return status;
}

int child_run(int (*fn)(void *), void *argument) {
    int status = child_wait(child_start(fn, argument));
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

void sleep_ms(int ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&t, &t) < 0 && errno == EINTR) {
    }
}

int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* --- runner ----------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st;
    (void)at;
    return type == FTW_DP ? rmdir(path) : unlink(path);
}

static _Noreturn void case_child(const struct test *test, const char *directory) {
    setpgid(0, 0); /* so that whatever it leaves behind can be ended */
    alarm(CASE_SECONDS);
    if (chdir(directory) < 0) {
        test_fail(__FILE__, __LINE__, "chdir: %s", strerror(errno));
    }
    umask(022);
    test->run();
    _exit(0);
}

/* Runs one case; whether it passed or was skipped. */
static bool case_run(const struct test *test, int number) {
    char directory[] = "/tmp/posix-XXXXXX";
    int status = -1;
    if (!mkdtemp(directory)) {
        printf("# mkdtemp: %s\nnot ok %d %s\n", strerror(errno), number, test->name);
        return false;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        case_child(test, directory);
    }
    if (pid > 0) {
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        kill(-pid, SIGKILL);
    }
    nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED) {
        printf("ok %d %s # SKIP\n", number, test->name);
        return true;
    }
    if (pid < 0) {
        printf("# fork: %s\n", strerror(errno));
    } else if (WIFSIGNALED(status)) {
        printf("# ended by signal %d\n", WTERMSIG(status));
    }
    printf("%sok %d %s\n", status ? "not " : "", number, test->name);
    fflush(stdout);
    return status == 0;
}

static bool is_wanted(const struct test *test, int count, char **names) {
    for (int i = 0; i < count; i++) {
        if (!strcmp(names[i], test->name)) {
            return true;
        }
    }
    return count == 0;
}

int main(int argc, char **argv) {
    int total = 0, number = 0, failed = 0;
    for (struct test *t = first; t; t = t->next) {
        total += is_wanted(t, argc - 1, argv + 1);
    }
    printf("KTAP version 1\n1..%d\n", total);
    for (struct test *t = first; t; t = t->next) {
        if (is_wanted(t, argc - 1, argv + 1)) {
            failed += !case_run(t, ++number);
        }
    }
    return failed != 0;
}
