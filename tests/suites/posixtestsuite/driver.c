// SPDX-License-Identifier: MIT
/*
 * Runs groups of posixtestsuite, on Cathode and on Linux alike, in the folder that suite.py lays out:
 *   driver [-v] SECONDS GROUP...     a group is a folder below conformance/, such as interfaces/fork
 * Reports one line per test, what it printed (if it did not pass, or with -v) before, as comments:
 *   @ GROUP      the group begins
 *   WORD: NAME   NAME is 1-1 of 1-1.test; WORD says how it ended (word_of)
 *   @ end        all groups were run
 * Each test has a session of its own, an end after SECONDS, or CPU_SECONDS of one of its processes (where instructions
 * are counted those take real time, and waiting doesn't), and no named objects of the test before.
 */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHOWN_MAX 4096 /* bytes of what a test printed */
#define CPU_SECONDS 8

static int output; /* what the test prints, a file without a name */
static int seconds;
static bool verbose;

static const char *word_of(int status, bool hung) {
    static const char *const words[] = {"PASS", "FAIL", "UNRESOLVED", "FAIL", "UNSUPPORTED", "UNTESTED"};
    if (hung) return "HUNG";
    if (WIFSIGNALED(status)) return "KILLED";
    unsigned value = (unsigned)WEXITSTATUS(status);
    return value < sizeof(words) / sizeof(words[0]) ? words[value] : "FAIL";
}

static _Noreturn void test_exec(const char *path) {
    sigset_t none;
    setsid();
    dup2(open("/dev/null", O_RDWR), 0);
    dup2(output, 1);
    dup2(output, 2);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setrlimit(RLIMIT_CPU, &(struct rlimit){CPU_SECONDS, CPU_SECONDS});
    execl(path, path, (char *)NULL);
    _exit(127);
}

/* Its wait status; SIGCHLD is blocked. */
static int test_wait(pid_t pid, bool *hung) {
    struct timespec now, end, left;
    sigset_t child;
    int status = 0;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += seconds;
    for (;;) {
        if (waitpid(pid, &status, WNOHANG) == pid) break;
        clock_gettime(CLOCK_MONOTONIC, &now);
        *hung = now.tv_sec >= end.tv_sec;
        if (*hung) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            break;
        }
        left = (struct timespec){end.tv_sec - now.tv_sec, 0};
        sigtimedwait(&child, NULL, &left);
    }
    kill(-pid, SIGKILL);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    return status;
}

static void output_show(void) {
    char text[SHOWN_MAX + 1];
    ssize_t n = pread(output, text, SHOWN_MAX, 0);
    text[n > 0 ? n : 0] = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) printf("# %s\n", line);
}

static void folder_empty(const char *path) {
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] != '.') unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d) closedir(d);
}

static void test_run(const char *group, const char *file) {
    char path[512];
    bool hung = false;
    int length = (int)strcspn(file, ".");
    snprintf(path, sizeof(path), "conformance/%s/%s", group, file);
    (void)!ftruncate(output, 0);
    lseek(output, 0, SEEK_SET);
    pid_t pid = fork();
    if (pid == 0) test_exec(path);
    int status = pid < 0 ? 0x100 : test_wait(pid, &hung);
    const char *word = word_of(status, hung);
    if (verbose || strcmp(word, "PASS")) {
        output_show();
        printf("# %s/%.*s: wait status %#x\n", group, length, file, (unsigned)status);
    }
    printf("%s: %.*s\n", word, length, file);
    fflush(stdout);
    folder_empty("/dev/shm");
    folder_empty("/dev/mqueue");
}

static int is_test(const struct dirent *e) {
    const char *dot = strrchr(e->d_name, '.');
    return dot && (!strcmp(dot, ".test") || !strcmp(dot, ".sh")) && !strstr(e->d_name, "buildonly");
}

static void group_run(const char *group) {
    char path[256];
    struct dirent **files;
    printf("@ %s\n", group);
    fflush(stdout);
    snprintf(path, sizeof(path), "conformance/%s", group);
    int count = scandir(path, &files, is_test, versionsort);
    for (int i = 0; i < count; i++) {
        test_run(group, files[i]->d_name);
        free(files[i]);
    }
}

int main(int argc, char **argv) {
    sigset_t child;
    verbose = argc > 1 && !strcmp(argv[1], "-v");
    argv += 1 + verbose;
    if (!argv[0] || (seconds = atoi(argv[0])) <= 0) return fprintf(stderr, "driver [-v] SECONDS GROUP...\n"), 2;
    output = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (output < 0) return perror("/tmp"), 1;
    setvbuf(stdout, NULL, _IOFBF, 8192);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    for (argv++; *argv; argv++) group_run(*argv);
    printf("@ end\n");
    return 0;
}
