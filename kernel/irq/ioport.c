// SPDX-License-Identifier: MIT
/* I/O-port objects: a range of ports that a driver may use, by system call. */
#include <arch/irq.h>
#include <kernel/irq.h>
#include <kernel/mm.h>
#include <kernel/thread.h>

struct ioport {
    struct object object;
    uint32_t first, count;
};

static void ioport_destroy(struct object *o) { kfree(object_as(ioport, o)); }
static const struct object_ops ioport_ops = {.type = OBJECT_IOPORT, .name = "ioport", .destroy = ioport_destroy};

struct object *ioport_create(uint32_t first, uint32_t count) {
    if (count == 0 || first > 0xffff || count > 0x10000 - first) return err_ptr(-EINVAL);
    struct ioport *p = kzalloc(sizeof(*p));
    if (!p) return err_ptr(-ENOMEM);
    object_init(&p->object, &ioport_ops);
    p->first = first;
    p->count = count;
    return &p->object;
}

static int port_run(uint16_t port, uint32_t unit, bool write, uaddr_t buffer, size_t units) {
    uint8_t run[256];
    size_t bytes = units * unit;
    int e = write ? copy_from_user(run, buffer, bytes) : 0;
    if (!e) e = write ? arch_port_write(port, unit, run, units) : arch_port_read(port, unit, run, units);
    if (!e && !write) e = copy_to_user(buffer, run, bytes);
    return e;
}

long ioport_io(struct object *o, uint32_t port, uint32_t unit, bool write, uaddr_t buffer, size_t count) {
    struct ioport *p = object_as(ioport, o);
    if (unit != 1 && unit != 2 && unit != 4) return -EINVAL;
    if (port < p->first || port + unit > p->first + p->count) return -EACCES;
    for (size_t done = 0; done < count;) {
        size_t units = min(count - done, 256 / unit);
        int e = port_run((uint16_t)port, unit, write, buffer + done * unit, units);
        if (e) return e;
        done += units;
        preempt_point();
    }
    return (long)count;
}
