// SPDX-License-Identifier: MIT
/* Lines of the kernel log ("<6>[   12.345678] text") as the log file has them. Pure. */
#pragma once
#include <stddef.h>
#include <time.h>

/* "Nov 23 07:46:01 HOST kernel: text\n" into out; now is CLOCK_REALTIME, uptime_ns CLOCK_MONOTONIC.
 * A line of another form is taken as text of this moment. Returns the length, < size. */
size_t record_format(char *out, size_t size, const char *line, size_t length, const char *host, time_t now,
                     double uptime);
