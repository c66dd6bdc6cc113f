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

int service_tell(const struct service_message *m, handle_t h) {
    struct io_vector v = {(void *)m, sizeof(*m)};
    struct channel_message message = {
        .vectors = &v, .vector_count = 1, .handles = &h, .handle_count = h == HANDLE_NONE ? 0 : 1, .to = HANDLE_NONE};
    long e = sys_channel_send(SERVICE_SUPERVISOR, &message, DEADLINE_NEVER);
    return e < 0 ? (int)e : 0;
}

bool service_hear(struct service_message *m, handle_t *h) {
    struct io_vector v = {m, sizeof(*m)};
    struct channel_message message = {.vectors = &v,
                                      .vector_count = 1,
                                      .handles = h,
                                      .handle_count = h != nullptr,
                                      .handle_flags = HANDLE_IN_UPPER,
                                      .to = HANDLE_NONE};
    if (sys_channel_receive(SERVICE_SUPERVISOR, &message, 0) != sizeof(*m)) return false;
    if (h && message.handle_count == 0) *h = HANDLE_NONE;
    m->name[sizeof(m->name) - 1] = 0;
    return true;
}
