// SPDX-License-Identifier: MIT
/* Log records of services. */
#include <scheme.h>
#include <service.h>
#include <stdarg.h>
#include <stdio.h>

void service_log(const char *format, ...) {
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (length < 0) return;
    if ((size_t)length >= sizeof(line)) length = sizeof(line) - 1;
    sys_write(SERVICE_LOG, line, (size_t)length, OFFSET_CURRENT, 0, 0);
}
