// SPDX-License-Identifier: MIT
/*
 * The logger: copies new lines of the kernel's log, where services write too, to /var/log/messages.
 * The file is renamed to messages.0 when it has grown to FILE_MAX.
 */
#include "record.h"
#include <fcntl.h>
#include <scheme.h>
#include <service.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "/var/log/messages"
#define FILE_OLD FILE_NAME ".0"
#define FILE_MAX (256 * 1024)
#define INTERVAL_S 1

struct logger {
    int file;
    int64_t position; /* in the log, of the next byte to read */
    size_t used; /* bytes of an incomplete line in `line` */
    char line[512];
    char host[65];
};

static void file_rotate(struct logger *l) {
    struct stat st;
    if (l->file >= 0 && fstat(l->file, &st) == 0 && st.st_size < FILE_MAX) return;
    if (l->file >= 0) {
        close(l->file);
        rename(FILE_NAME, FILE_OLD);
    }
    l->file = open(FILE_NAME, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

static void line_write(struct logger *l) {
    char record[768];
    struct timespec up;
    clock_gettime(CLOCK_MONOTONIC, &up);
    size_t length = record_format(record, sizeof(record), l->line, l->used, l->host, time(nullptr),
                                  (double)up.tv_sec + (double)up.tv_nsec / 1e9);
    file_rotate(l);
    (void)!write(l->file, record, length);
    l->used = 0;
}

static void bytes_take(struct logger *l, const char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == '\n' || l->used == sizeof(l->line)) line_write(l);
        if (bytes[i] != '\n') l->line[l->used++] = bytes[i];
    }
}

/* The log is a ring: what was overwritten before it was read is skipped. */
static long log_read(struct logger *l, char *bytes, size_t size) {
    struct handle_info info;
    if (sys_handle_info(SERVICE_LOG, &info) >= 0 && l->position < (int64_t)info.object)
        l->position = (int64_t)info.object;
    return sys_read(SERVICE_LOG, bytes, size, l->position, 0, 0);
}

int main(void) {
    static struct logger l = {.file = -1};
    char bytes[256];
    mkdir("/var", 0755);
    mkdir("/var/log", 0755);
    gethostname(l.host, sizeof(l.host) - 1);
    for (;;) {
        long n = log_read(&l, bytes, sizeof(bytes));
        if (n > 0) {
            bytes_take(&l, bytes, (size_t)n);
            l.position += n;
        } else {
            sleep(INTERVAL_S);
        }
    }
}
