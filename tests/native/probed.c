// SPDX-License-Identifier: MIT
/* What a driver can do beside its own device: nothing. probe/main.c tries, twice. */
#include "native.h"

static char driver[4096], granted[4096];

static void report_read(const char *path, char out[4096]) {
    int fd = (int)OK(open(path, O_RDONLY));
    ssize_t size = OK(read(fd, out, 4095));
    out[size] = 0;
    close(fd);
}

static long result(const char *report, const char *name) {
    char line[80];
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(report, line);
    if (!at) test_fail(__FILE__, __LINE__, "no attempt \"%s\" in: %s", name, report);
    return strtol(at + strlen(line), nullptr, 10);
}

static void reports_read(void) {
    report_read("/scheme/probe0/x", driver);
    report_read("/scheme/granted/x", granted);
}

TEST(what_was_not_given) {
    static const char *const attempts[] = {"ports",
                                           "memory",
                                           "dma",
                                           "message",
                                           "scheme",
                                           "kill",
                                           "root",
                                           "open file:/etc/passwd",
                                           "open pci:00:00.0",
                                           "open rtc:0",
                                           "open service:"};
    reports_read();
    for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        if (result(granted, attempts[i]) != 0) test_fail(__FILE__, __LINE__, "%s: no control", attempts[i]);
        if (result(driver, attempts[i]) >= 0) test_fail(__FILE__, __LINE__, "%s: allowed", attempts[i]);
    }
}

TEST(of_its_own_function) {
    reports_read();
    EQUAL(result(driver, "own info"), 0);
    EQUAL(result(driver, "own registers"), 0);
    EQUAL(result(driver, "own message"), 0);
    EQUAL(result(driver, "own dma"), 0);
    EQUAL(result(driver, "message table"), -EACCES);
    EQUAL(result(driver, "beyond its registers"), -EINVAL);
    CHECK(result(driver, "no bar") < 0);
    EQUAL(result(driver, "too many messages"), -EINVAL);
    EQUAL(result(driver, "too much dma"), -ENOMEM);
    CHECK(result(driver, "configuration") < 0);
}

/* Log, namespace, channel to the supervisor, scheme, function; and whose process it is. */
TEST(handles_and_user) {
    reports_read();
    EQUAL(strtol(driver + strlen("handles "), nullptr, 10), 5);
    EQUAL(result(driver, "user"), 0);
    EQUAL(result(granted, "user"), 1);
}
