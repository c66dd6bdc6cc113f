// SPDX-License-Identifier: MIT
/* From uptimes to dates: the wall clock may have been set since, so that is what it says now. */
#include "record.h"
#include <stdio.h>
#include <string.h>

size_t record_format(char *out, size_t size, const char *line, size_t length, const char *host, time_t now,
                     double uptime) {
    char copy[512], date[32];
    double at = uptime;
    int severity, head = 0;
    if (length >= sizeof(copy)) length = sizeof(copy) - 1;
    memcpy(copy, line, length);
    copy[length] = 0;
    if (sscanf(copy, "<%1d>[%lf] %n", &severity, &at, &head) != 2 || head == 0) head = 0;
    time_t when = now - (time_t)(uptime > at ? uptime - at : 0);
    struct tm tm;
    strftime(date, sizeof(date), "%b %e %H:%M:%S", localtime_r(&when, &tm));
    int n = snprintf(out, size, "%s %s kernel: %s\n", date, host, copy + head);
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}
