// SPDX-License-Identifier: MIT
/* The driver of virtio block devices: one instance per device, its disk is unit 0 of its scheme. */
#include "virtio_blk.h"
#include <service.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTION SERVICE_SLOT(1)
#define KEY_CONFIG QUEUES_MAX

static struct blk blk;

static void interrupt(struct block_server *server, uint64_t key) {
    if (key < QUEUES_MAX) {
        blk_interrupt(&blk, (unsigned)key);
        return;
    }
    uint64_t before = blk.device.sectors;
    virtio_acknowledge(&blk.virtio, blk.config_interrupt);
    blk_read_config(&blk);
    if (blk.device.sectors == before) return;
    service_log("virtio-blk: the disk has %llu sectors now", (unsigned long long)blk.device.sectors);
    exit(1); /* open files find their partitions unchanged, or are refused */
}

static int interrupts_init(void) {
    for (unsigned i = 0; i < blk.queue_count; i++) {
        int e = scheme_event_add(&blk.server.scheme, blk.queues[i].queue.interrupt, EVENT_IN, i);
        if (e) return e;
    }
    blk.config_interrupt = virtio_config_interrupt(&blk.virtio);
    if (blk.config_interrupt < 0) return 0;
    return scheme_event_add(&blk.server.scheme, blk.config_interrupt, EVENT_IN, KEY_CONFIG);
}

int main(int argc, char **argv) {
    const uint64_t wanted = BLK_SIZE_MAX | BLK_READ_ONLY | BLK_SECTOR_SIZE | BLK_FLUSH | BLK_TOPOLOGY | BLK_QUEUES |
                            BLK_DISCARD | BLK_WRITE_ZEROES;
    blk.server.interrupt = interrupt;
    int e = block_server_init(&blk.server, FUNCTION, argc, argv);
    if (!e) e = virtio_init(&blk.virtio, FUNCTION, wanted);
    if (!e) e = blk_queues_init(&blk);
    if (!e) e = interrupts_init();
    if (e) {
        service_log("virtio-blk: cannot use the device: %s", strerror(-e));
        return 1;
    }
    blk.device.ops = &blk_ops;
    blk.device.driver = &blk;
    strcpy(blk.device.model, "virtio disk");
    blk_read_config(&blk);
    virtio_start(&blk.virtio);
    blk_identify(&blk);
    e = block_device_add(&blk.server, &blk.device, 0);
    if (e) {
        service_log("virtio-blk: %s", strerror(-e));
        return 1;
    }
    return -block_serve(&blk.server);
}
