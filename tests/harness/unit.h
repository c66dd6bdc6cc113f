// SPDX-License-Identifier: MIT
/*
 * Host unit tests: TEST(name) { CHECK(...); } in any number, then UNIT_MAIN once.  Prints KTAP; the
 * program's argument selects the tests whose names contain it.  A failed CHECK is reported and the
 * test goes on.
 */
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit_test {
    const char *name;
    void (*run)(void);
    struct unit_test *next;
};
static struct unit_test *unit_first, **unit_last = &unit_first;
static bool unit_failed;

#define TEST(id)                                                                                                       \
    static void test_##id(void);                                                                                       \
    static struct unit_test unit_##id = {#id, test_##id, NULL};                                                        \
    __attribute__((constructor)) static void unit_add_##id(void) {                                                     \
        *unit_last = &unit_##id;                                                                                       \
        unit_last = &unit_##id.next;                                                                                   \
    }                                                                                                                  \
    static void test_##id(void)

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            unit_failed = true;                                                                                        \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);                                                   \
        }                                                                                                              \
    } while (0)

static int unit_run(const char *only) {
    int count = 0, number = 0, failed = 0;
    for (struct unit_test *test = unit_first; test; test = test->next) count += !only || strstr(test->name, only);
    printf("KTAP version 1\n1..%d\n", count);
    for (struct unit_test *test = unit_first; test; test = test->next) {
        if (only && !strstr(test->name, only)) continue;
        unit_failed = false;
        test->run();
        failed += unit_failed;
        printf("%s %d %s\n", unit_failed ? "not ok" : "ok", ++number, test->name);
    }
    return failed != 0;
}

#define UNIT_MAIN                                                                                                      \
    int main(int argc, char **argv) { return unit_run(argc > 1 ? argv[1] : NULL); }
