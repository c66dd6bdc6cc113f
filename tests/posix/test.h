// SPDX-License-Identifier: MIT
/*
 * Tests of POSIX behaviour: one program per group, also to be compiled and run on Linux.
 *
 * TEST(name) { ... } is a case. Each runs in a child of its own, in an empty directory of its own,
 * for at most 30 seconds; the report is KTAP. A failed check ends the case. A case that cannot run
 * here calls SKIP("why").
 */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
};
void test_register(struct test *test);
_Noreturn void test_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
_Noreturn void test_skip(const char *why);

#define TEST(id)                                                                                                       \
    static void id(void);                                                                                              \
    __attribute__((constructor)) static void register_##id(void) {                                                     \
        static struct test test = {.name = #id, .run = id};                                                            \
        test_register(&test);                                                                                          \
    }                                                                                                                  \
    static void id(void)

#define SKIP(why) test_skip(why)

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            test_fail(__FILE__, __LINE__, "%s (errno %d)", #condition, errno);                                         \
        }                                                                                                              \
    } while (0)

/* Two integers are equal. */
#define EQUAL(a, b)                                                                                                    \
    do {                                                                                                               \
        long long left_ = (long long)(a), right_ = (long long)(b);                                                     \
        if (left_ != right_) {                                                                                         \
            test_fail(__FILE__, __LINE__, "%s is %lld, not %lld (errno %d)", #a, left_, right_, errno);                \
        }                                                                                                              \
    } while (0)

/* A call that must succeed; its result. */
#define OK(call)                                                                                                       \
    ({                                                                                                                 \
        errno = 0;                                                                                                     \
        long long result_ = (long long)(call);                                                                         \
        if (result_ == -1) {                                                                                           \
            test_fail(__FILE__, __LINE__, "%s: %s", #call, strerror(errno));                                           \
        }                                                                                                              \
        result_;                                                                                                       \
    })

/* A call that must return -1 with this errno. */
#define FAILS(error, call)                                                                                             \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        long long result_ = (long long)(call);                                                                         \
        if (result_ != -1 || errno != (error)) {                                                                       \
            test_fail(__FILE__, __LINE__, "%s: result %lld, errno %d, not %s", #call, result_, errno, #error);         \
        }                                                                                                              \
    } while (0)

/* --- helpers ---------------------------------------------------------------------------------- */

/* Makes a file with this text. */
void file_make(const char *path, const char *text);
/* The whole of a file; ends the case if it isn't exactly this text. */
void file_expect(const char *path, const char *text);
/* Starts a child that runs fn(argument) and exits with its result; its pid. */
pid_t child_start(int (*fn)(void *), void *argument);
/* Waits for it and returns the wait status. */
int child_wait(pid_t pid);
/* Both, for a child that must exit: its exit value. */
int child_run(int (*fn)(void *), void *argument);
void sleep_ms(int ms);
int64_t now_ms(void);
