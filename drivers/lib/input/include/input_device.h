// SPDX-License-Identifier: MIT
/*
 * Class library of input drivers: it owns the scheme (one unit, `0`; who has it open, lost events, grabs, lights),
 * knows which keys are down and repeats them where the device doesn't.  The driver tells what its device says.
 *
 * A driver's main: input_init(), start the device, fill in struct input_device, input_serve().  One thread.
 */
#pragma once
#include <input.h>
#include <input_state.h>
#include <scheme.h>

struct input_device;
struct input_ops {
    /* For what scheme_event_add(&d->scheme, …, key) waits for: keys below INPUT_DRIVER_KEYS. */
    void (*interrupt)(struct input_device *d, uint64_t key);
    /* Tells what the device has said by now (may be null): before a key that may have been let go is repeated. */
    void (*poll)(struct input_device *d);
    /* These lights (enum input_led) are to be on. */
    void (*lights)(struct input_device *d, unsigned lights);
    /* d->deadline has passed (may be null). */
    void (*timeout)(struct input_device *d);
};
#define INPUT_DRIVER_KEYS 64
#define INPUT_GROUP_MAX 1024 /* events before a SYN_REPORT: of all keys, and some */

struct input_reader;
struct input_device {
    struct scheme scheme;
    /* the driver's, set before input_serve(): */
    const struct input_ops *ops;
    struct input_info info;
    bool repeats; /* the library is to repeat keys */
    int64_t deadline; /* absolute, for ops->timeout */
    /* the library's: */
    struct input_state state;
    struct input_reader *readers, *grabber;
    unsigned lights;
    size_t count; /* of the group at hand */
    struct input_event group[INPUT_GROUP_MAX];
};

/* Attaches to SERVICE_SCHEME. 0 or -errno. */
[[nodiscard]] int input_init(struct input_device *d);
/* Publishes the device, if it is of any kind, says ready, serves until the port is gone. */
int input_serve(struct input_device *d);

/* What the device says: any type, code and value. INPUT_SYN ends the group, and sends it. */
void input_tell(struct input_device *d, uint16_t type, uint16_t code, int32_t value);
