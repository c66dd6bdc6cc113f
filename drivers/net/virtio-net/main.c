// SPDX-License-Identifier: MIT
/* The driver of virtio network devices: one instance per card. */
#include "virtio_net.h"
#include <service.h>
#include <string.h>

#define FUNCTION SERVICE_SLOT(1)

static struct nic nic;

int main(void) {
    const uint64_t wanted = NIC_CHECKSUM | NIC_GUEST_CHECKSUM | NIC_MTU | NIC_MAC | NIC_HOST_TSO4 | NIC_HOST_TSO6 |
                            NIC_MERGEABLE | NIC_STATUS | NIC_CONTROL | NIC_CONTROL_RECEIVE | NIC_QUEUES | NIC_SPEED;
    nic.net.ops = &nic_ops;
    nic.net.driver = &nic;
    int e = net_init(&nic.net, FUNCTION);
    if (!e) e = virtio_init(&nic.virtio, FUNCTION, wanted);
    if (e) {
        service_log("virtio-net: cannot use the device: %s", strerror(-e));
        return 1;
    }
    nic_read_config(&nic);
    return -net_serve(&nic.net);
}
