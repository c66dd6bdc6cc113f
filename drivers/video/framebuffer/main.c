// SPDX-License-Identifier: MIT
/* The driver of display adapters whose screen lies in their memory: one instance per adapter. */
#include "adapter.h"
#include <display_device.h>
#include <service.h>
#include <string.h>

static struct adapter adapter;

static int framebuffer_set_mode(struct display_device *d, const struct mode *m) {
    int e = adapter_set_mode(&adapter, m);
    d->screen = adapter.screen;
    return e;
}

static const struct display_ops fixed_ops, settable_ops = {.set_mode = framebuffer_set_mode};

int main(void) {
    static struct display_device device;
    if (display_init(&device) != 0) return 1;
    int e = adapter_init(&adapter, SERVICE_SLOT(1));
    if (e) service_log("framebuffer: no mode of this adapter is known: %s", strerror(-e));
    else
        service_log("framebuffer: %ux%u, %u bits, %s", adapter.screen.width, adapter.screen.height,
                    adapter.screen.format.bytes * 8u, adapter.left ? "as the firmware left it" : "set");
    device.ops = adapter.registers ? &settable_ops : &fixed_ops;
    device.screen = adapter.screen;
    return -display_serve(&device);
}
