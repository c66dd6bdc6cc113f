// SPDX-License-Identifier: MIT
/*
 * What a service finds at its start.  The supervisor fills the slots from HANDLE_FREE on in the order
 * of the manifest: first one handle with RIGHT_SERVE for each scheme provided, then the hardware
 * handles, of a driver its function's file (pci.h).  HANDLE_NAMESPACE holds the names that the service
 * may open, HANDLE_ROOT is there only if `file` is among them, HANDLE_INIT_LOG takes log records.
 */
#pragma once
#include <abi/handle.h>
#include <abi/types.h>

#define SERVICE_SLOT(n) (HANDLE_FREE + (n)) /* n-th scheme or, after these, n-th hardware handle */
#define SERVICE_SCHEME SERVICE_SLOT(0) /* the one scheme of most services */
#define SERVICE_LOG HANDLE_INIT_LOG
#define SERVICE_SUPERVISOR                                                                                             \
    (HANDLE_UPPER + 11) /* drivers, disks' file systems, who `uses` units: a channel of struct
                                               * service_message */
#define SERVICE_KEPT (HANDLE_UPPER + 12) /* + n: what an earlier instance had kept */
#define SERVICE_KEPT_MAX 2

/* Adds one record to the system log (printf's formats; at most 255 bytes). */
[[gnu::format(printf, 1, 2)]] void service_log(const char *format, ...);

enum service_news {
    SERVICE_READY, /* all that was found at the start has been told; programs wait for it */
    SERVICE_KEEP, /* handle: given to the next instances, in place of the one with the same number `unit` */
    SERVICE_FUNCTION, /* handle: a device's function (name, ids), for its driver */
    SERVICE_FUNCTION_GONE, /* name */
    SERVICE_HOLDER_GONE, /* from the supervisor: the driver of function `name` has died */
    SERVICE_NODE, /* a driver: has this unit (class_code: enum service_unit), or partition of a unit */
    SERVICE_NODE_GONE, /* this unit with all its partitions */
    SERVICE_UNMOUNT, /* from the supervisor: write and end; unit 0: not if files are open */
    SERVICE_FAILED, /* a file system: can't do that; unit: the errno */
    SERVICE_POWER_BUTTON, /* it was pressed */
    SERVICE_POWER_OFF, /* from the supervisor: everything else has ended */
    /* From the supervisor to who `uses` units; all again to the next instance: */
    SERVICE_UNIT, /* handle: the open file of unit `name`, as in /dev. It lives on with its driver's next instance,
                   * or is followed by another one (SERVICE_UNIT_STREAM) */
    SERVICE_UNIT_GONE, /* name: taken away */
    SERVICE_UNITS_SETTLED, /* all that were there at the start have been told */
};
enum service_unit {
    SERVICE_UNIT_PLAIN,
    SERVICE_UNIT_CD, /* a CD drive */
    SERVICE_UNIT_STREAM, /* its open file ends with the driver's instance: users get another one from the next */
};
struct service_message {
    uint32_t kind; /* enum service_news */
    char name[16];
    uint16_t vendor, device;
    uint32_t class_code;
    uint32_t unit, partition; /* partition 0: the unit itself */
};
/* Tells the supervisor; h: HANDLE_NONE or what goes along, which stays the caller's. 0 or -errno. */
int service_tell(const struct service_message *m, handle_t h);
/* The supervisor's next message, if any. *h: what came along, the caller's, or HANDLE_NONE; null: nothing does. */
bool service_hear(struct service_message *m, handle_t *h);
