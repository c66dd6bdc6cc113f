// SPDX-License-Identifier: MIT
/*
 * Virtio devices on PCI (virtio 1.2 §4.1), the modern interface. A driver's start:
 *
 *     virtio_init()      maps the registers, resets the device, agrees on features
 *     virtio_queue()     for each queue: memory, its interrupt
 *     virtio_start()     DRIVER_OK
 */
#pragma once
#include <pci.h>
#include <virtqueue.h>

#define PCI_VENDOR_VIRTIO 0x1af4
#define VIRTIO_INDIRECT (1ul << 28)
#define VIRTIO_EVENT_INDEX (1ul << 29)
#define VIRTIO_VERSION_1 (1ul << 32)

struct virtio {
    handle_t function;
    struct pci_function_info info;
    uint64_t features; /* agreed on */
    volatile uint8_t *common, *notify, *isr, *config;
    uint32_t notify_multiplier, notify_length, config_length;
    handle_t config_interrupt; /* 0: not yet asked for */
};
struct virtio_queue {
    struct virtqueue ring;
    struct dma memory;
    volatile uint8_t *bell;
    uint16_t index;
    handle_t interrupt;
};

/* wanted: features beside VERSION_1, INDIRECT and EVENT_INDEX, which are wanted always. 0; -ENODEV: not a modern
 * virtio device. */
[[nodiscard]] int virtio_init(struct virtio *v, handle_t function, uint64_t wanted);
/* Resets the device, which leaves its queues alone from then on; and agrees on the same features again, for
 * virtio_queue() and virtio_start(). 0 or -errno. */
[[nodiscard]] int virtio_reset(struct virtio *v);
/* A panic of the kernel resets the device: an adapter shows again what the firmware had it show. */
[[nodiscard]] int virtio_reset_on_panic(struct virtio *v);
[[nodiscard]] int virtio_restart(struct virtio *v);
/* *q is zero, or was set up before the restart: then it begins anew in the same memory. At most size_max entries, if
 * the device has so many, of buffers_max buffers each (virtqueue.h). Interrupt: one of its own where there are enough
 * messages (queue `index` gets message 1 + index; message 0 tells of configuration), else a
 * shared one. -ENXIO: no such queue. */
[[nodiscard]] int virtio_queue(struct virtio *v, unsigned index, unsigned size_max, unsigned buffers_max,
                               struct virtio_queue *q);
void virtio_start(struct virtio *v);
/* The interrupt for changed configuration; HANDLE_NONE: the queues' one. */
[[nodiscard]] handle_t virtio_config_interrupt(struct virtio *v);
/* Acknowledges; of a line also clears the cause. True: the cause was (also) the configuration; only a line tells. */
bool virtio_acknowledge(struct virtio *v, handle_t interrupt);
/* A field of the device's configuration, 1, 2, 4 or 8 bytes; 0 if it lies outside. */
uint64_t virtio_config_read(struct virtio *v, unsigned offset, unsigned size);

/* Writes one of 1 or 4 bytes; nothing if it lies outside. */
void virtio_config_write(struct virtio *v, unsigned offset, unsigned size, uint32_t value);

/* Shows the device what virtqueue_add() queued, and wakes it if it wants that. */
void virtio_kick(struct virtio_queue *q);
/* Wakes it whether or not it wants that. */
void virtio_wake(struct virtio_queue *q);
