// SPDX-License-Identifier: MIT
/* What the firmware's interpreter tells (pci_platform.h): routes of interrupt pins, slots of its own. */
#include "server.h"
#include <mmio.h>
#include <string.h>
#include <time.h>

#define PATIENCE_NS (4 * 1000000000LL) /* then lines are what the firmware left in their registers */

static bool known; /* there is nothing more to wait for */
static int64_t give_up_ns;
static struct scheme_queue waiting;
static handle_t news = HANDLE_NONE;

int64_t time_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int64_t platform_wait(struct scheme *s, struct port_buffer *call) { return known ? 0 : scheme_park(s, call, &waiting); }

void platform_start(void) { give_up_ns = time_ns() + PATIENCE_NS; }

int64_t platform_timeout(struct scheme *s, int64_t now) {
    if (!known && now >= give_up_ns) {
        known = true;
        scheme_wake(s, &waiting);
        service_log("pci: nobody tells where interrupt lines end: the firmware's registers are taken for it");
    }
    return known ? DEADLINE_NEVER : give_up_ns;
}

/* --- requests --- */
static int64_t request_attach(struct scheme *s, struct port_buffer *call) {
    size_t count = call->request.length / sizeof(routes[0]);
    if (!(call->request.flags & REQUEST_HANDLE) || count > PCI_ROUTES_MAX) return -EINVAL;
    if (news != HANDLE_NONE) sys_handle_close(news);
    news = request_take_handle(call);
    memcpy(routes, call->data, count * sizeof(routes[0]));
    route_count = count;
    known = true;
    scheme_wake(s, &waiting);
    if (call->request.args[0] & PCI_PLATFORM_SLOTS) slots_start(s);
    return 0;
}

static int64_t request_config(struct port_buffer *call) {
    bool write = call->request.op == PCI_PLATFORM_WRITE;
    uint64_t address = call->request.args[0], offset = call->request.args[1] & 0xffff;
    uint64_t size = write ? call->request.args[1] >> 16 : call->request.args[2];
    if ((size != 1 && size != 2 && size != 4) || offset % size || offset >= 4096 || address > UINT16_MAX)
        return -EINVAL;
    if (!write) return config_read((uint16_t)address, (unsigned)offset, (unsigned)size);
    config_write((uint16_t)address, (unsigned)offset, (unsigned)size, (uint32_t)call->request.args[2]);
    return 0;
}

int64_t platform_request(struct scheme *s, struct port_buffer *call) {
    const struct credentials *c = scheme_credentials(s, call->request.credentials);
    if (!c || !(c->privileges & PRIVILEGE_ROOT)) return -EPERM;
    switch ((enum pci_platform_op)call->request.op) {
    case PCI_PLATFORM_READ:
    case PCI_PLATFORM_WRITE: return request_config(call);
    case PCI_PLATFORM_ATTACH: return request_attach(s, call);
    case PCI_PLATFORM_SCAN: bus_changed(s, (uint8_t)call->request.args[0]); return 0;
    case PCI_PLATFORM_EJECT: device_eject((uint16_t)call->request.args[0]); return 0;
    }
    return -ENOSYS;
}

void platform_ejected(uint16_t address) {
    struct pci_platform_news n = {address};
    struct io_vector v = {&n, sizeof(n)};
    struct channel_message message = {.vectors = &v, .vector_count = 1, .to = HANDLE_NONE};
    if (news != HANDLE_NONE) sys_channel_send(news, &message, 0);
}
