// SPDX-License-Identifier: MIT
/* What concerns the whole system: its name, load, log, randomness. */
#include "shim.h"
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define LOAD_SCALE 65536 /* both here and in struct sysinfo */
#define LOG_BYTES 65536  /* what dmesg makes room for */

/* Text of a topic, cut to the field and NUL-terminated. */
static void text_of(unsigned topic, char *out, size_t size, const char *otherwise) {
    long length = sys_system_info(topic, out, size - 1);
    if (length <= 0) {
        strlcpy(out, otherwise, size);
        return;
    }
    out[(size_t)length < size ? (size_t)length : size - 1] = 0;
}

/* SYSTEM_VERSION is "RELEASE rest". */
long row_uname(struct utsname *out) {
    memset(out, 0, sizeof(*out));
    strlcpy(out->sysname, "Cathode", sizeof(out->sysname));
    strlcpy(out->machine, "x86_64", sizeof(out->machine));
    text_of(SYSTEM_DOMAINNAME, out->domainname, sizeof(out->domainname), "");
    text_of(SYSTEM_HOSTNAME, out->nodename, sizeof(out->nodename), "cathode");
    text_of(SYSTEM_VERSION, out->release, sizeof(out->release), "0");
    char *rest = strchrnul(out->release, ' ');
    if (*rest) {
        *rest++ = 0;
    }
    strlcpy(out->version, *rest ? rest : "Cathode", sizeof(out->version));
    return 0;
}

long row_sysinfo(struct sysinfo *out) {
    struct memory_totals memory;
    uint64_t load[5] = {0};
    long error = sys_system_info(SYSTEM_MEMORY, &memory, sizeof(memory));
    if (error < 0) {
        return error;
    }
    sys_system_info(SYSTEM_LOAD, load, sizeof(load));
    memset(out, 0, offsetof(struct sysinfo, __reserved));
    out->uptime = (unsigned long)(clock_monotonic() / NS_PER_SECOND);
    for (int i = 0; i < 3; i++) {
        out->loads[i] = load[i];
    }
    out->totalram = memory.total;
    out->freeram = memory.free;
    out->sharedram = memory.shared;
    out->bufferram = 0;
    out->procs = (unsigned short)load[4];
    out->mem_unit = 1;
    return 0;
}

#define NAME_MOST 64 /* of struct utsname, without the NUL */

static long name_set(const char *file, const char *name, size_t size) {
    if (size > NAME_MOST) {
        return -EINVAL;
    }
    long h = path_open(AT_FDCWD, file, O_WRONLY);
    if (h < 0) {
        return -EPERM;
    }
    long result = sys_write((handle_t)h, name, size, OFFSET_CURRENT, 0, DEADLINE_NEVER);
    sys_handle_close((handle_t)h);
    return result < 0 ? result : 0;
}

long row_sethostname(const char *name, size_t size) { return name_set("/proc/sys/kernel/hostname", name, size); }

long row_setdomainname(const char *name, size_t size) { return name_set("/proc/sys/kernel/domainname", name, size); }

/* --- log: syslog(2), by which dmesg reads ----------------------------------------------------- */

enum syslog_action { /* linux: include/linux/syslog.h names these */
                     LOG_CLOSE,
                     LOG_OPEN,
                     LOG_READ,
                     LOG_READ_ALL,
                     LOG_READ_CLEAR,
                     LOG_CLEAR,
                     LOG_CONSOLE_OFF,
                     LOG_CONSOLE_ON,
                     LOG_CONSOLE_LEVEL,
                     LOG_SIZE_UNREAD,
                     LOG_SIZE_BUFFER,
};

/* The end of the log that fits. */
static long log_read(char *buffer, int size) {
    long done = 0;
    long h = path_open(AT_FDCWD, "/proc/kmsg", O_RDONLY | O_NONBLOCK);
    if (h < 0) {
        return h;
    }
    for (;;) {
        if (done == size) { /* full: the older half makes room */
            done = size / 2;
            memmove(buffer, buffer + size - done, (size_t)done);
        }
        long got =
            sys_read((handle_t)h, buffer + done, (size_t)(size - done), OFFSET_CURRENT, IO_NONBLOCK, DEADLINE_NEVER);
        if (got <= 0) {
            break;
        }
        done += got;
    }
    sys_handle_close((handle_t)h);
    return done;
}

long row_syslog(int action, char *buffer, int size) {
    switch (action) {
    case LOG_CLOSE:
    case LOG_OPEN: return 0;
    case LOG_READ_ALL: return !buffer || size < 2 ? -EINVAL : log_read(buffer, size);
    case LOG_SIZE_BUFFER: return LOG_BYTES;
    default: return action >= LOG_READ && action <= LOG_SIZE_UNREAD ? -EPERM : -EINVAL;
    }
}

/* --- odds and ends ---------------------------------------------------------------------------- */

long row_getrandom(void *buffer, size_t size, unsigned flags) {
    if (flags & ~(unsigned)(GRND_NONBLOCK | GRND_RANDOM)) {
        return -EINVAL;
    }
    return sys_random(buffer, size, 0);
}

/* Power is init's: it is asked by signals (busybox's poweroff, reboot and halt do so). */
long row_reboot(int magic, int magic2, int command, void *argument) { return -EPERM; }
