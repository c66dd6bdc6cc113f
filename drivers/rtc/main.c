// SPDX-License-Identifier: MIT
/*
 * The scheme `rtc:`.  File 0 is the clock chip (RTC_RD_TIME, RTC_SET_TIME, as /dev/rtc0); file
 * `wall` sets the system's wall clock: a privileged process writes CLOCK_REALTIME in ns, 8
 * bytes.  At the start the wall clock is set from the chip, which keeps UTC.
 */
#include "cmos.h"
#include <flat.h>
#include <scheme.h>
#include <service.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define PORTS SERVICE_SLOT(1)
#define RTC_RD_TIME 0x80247009u
#define RTC_SET_TIME 0x4024700au
#define SECOND_NS 1000000000LL
enum { FILE_CHIP = 1, FILE_WALL };

static bool is_privileged(struct scheme *s, const struct port_buffer *call) {
    const struct credentials *c = scheme_credentials(s, call->request.credentials);
    return c && (c->privileges & PRIVILEGE_ROOT);
}

static long wall_set(int64_t ns) { return sys_system_control(HANDLE_INIT_SYSTEM, SYSTEM_CLOCK_SET, (uint64_t)ns, 0); }

static uint64_t file_named(const struct port_buffer *call) {
    if (call->request.length == 1 && call->data[0] == '0') return FILE_CHIP;
    return call->request.length == 4 && memcmp(call->data, "wall", 4) == 0 ? FILE_WALL : 0;
}

static int64_t rtc_open(struct scheme *s, struct port_buffer *call) {
    uint64_t file = file_named(call);
    if (flat_is_root(call)) return flat_open(call);
    if (!file) return -ENOENT;
    if ((call->request.args[0] & FILE_ACCESS_MASK) != FILE_READ_ONLY && !is_privileged(s, call)) return -EACCES;
    return reply_file(call, file, 0);
}

static int64_t rtc_read(struct scheme *s, struct port_buffer *call) {
    static const char *const names[] = {"0", "wall"};
    return flat_is_root(call) ? flat_read(call, names, 2) : -EINVAL;
}

static int64_t rtc_write(struct scheme *s, struct port_buffer *call) {
    int64_t ns;
    if (call->request.object != FILE_WALL || call->request.length != sizeof(ns)) return -EINVAL;
    memcpy(&ns, call->data, sizeof(ns));
    if (ns < 0) return -EINVAL;
    long e = wall_set(ns);
    return e < 0 ? e : (int64_t)sizeof(ns);
}

static int64_t rtc_control(struct scheme *s, struct port_buffer *call) {
    struct calendar c;
    if (call->request.object != FILE_CHIP) return -ENOTTY;
    switch ((uint32_t)call->request.args[0]) {
    case RTC_RD_TIME:
        if (cmos_read(PORTS, &c) != 0) return -EIO;
        memcpy(call->data, &c, sizeof(c));
        call->reply.length = sizeof(c);
        return 0;
    case RTC_SET_TIME:
        if (!is_privileged(s, call)) return -EACCES;
        if (call->request.length < sizeof(c)) return -EINVAL;
        memcpy(&c, call->data, sizeof(c));
        if (!calendar_valid(&c)) return -EINVAL;
        cmos_write(PORTS, &c);
        return 0;
    default: return -ENOTTY;
    }
}

static int64_t rtc_stat(struct scheme *s, struct port_buffer *call) {
    uint64_t file = call->request.object ? call->request.object : file_named(call);
    if (flat_is_root(call)) return flat_stat(call);
    if (!file) return -ENOENT;
    struct file_attributes a = {
        .inode = file,
        .links = 1,
        .mode = S_IFCHR | 0644,
        .rdev = file == FILE_CHIP ? makedev(253, 0) : 0,
        .block_size = 4096,
    };
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

static void wall_set_from_chip(void) {
    struct calendar c;
    if (cmos_read(PORTS, &c) != 0) {
        service_log("rtc: the clock chip has no valid time");
        return;
    }
    if (wall_set(calendar_to_seconds(&c) * SECOND_NS) < 0) service_log("rtc: cannot set the wall clock");
}

static const struct scheme_ops rtc_ops = {
    .handler =
        {
            [OP_OPEN] = rtc_open,
            [OP_READ] = rtc_read,
            [OP_WRITE] = rtc_write,
            [OP_CONTROL] = rtc_control,
            [OP_STAT] = rtc_stat,
        },
};

int main(void) {
    static struct scheme scheme;
    wall_set_from_chip();
    if (scheme_init(&scheme, SERVICE_SCHEME, &rtc_ops, nullptr) != 0) return 1;
    return -scheme_serve(&scheme);
}
