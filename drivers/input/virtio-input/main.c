// SPDX-License-Identifier: MIT
/* The driver of virtio input devices (keyboard, mouse, tablet): one instance per device. */
#include "virtio_input.h"
#include <service.h>
#include <string.h>

#define FUNCTION SERVICE_SLOT(1)

static struct virtio_input input = {.device.ops = &virtio_input_ops};

int main(void) {
    int e = input_init(&input.device);
    if (!e) e = virtio_init(&input.virtio, FUNCTION, 0);
    if (!e) e = virtio_input_configure(&input);
    if (!e) e = virtio_input_queues(&input);
    if (e) {
        service_log("virtio-input: cannot use the device: %s", strerror(-e));
        return 1;
    }
    service_log("virtio-input: %s", input.device.info.name);
    virtio_input_start(&input);
    return -input_serve(&input.device);
}
