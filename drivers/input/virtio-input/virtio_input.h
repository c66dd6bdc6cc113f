// SPDX-License-Identifier: MIT
/* The virtio input driver's parts. */
#pragma once
#include "event.h"
#include <input_device.h>
#include <virtio.h>

#define EVENTS_MAX 64 /* that the device may write before we look */
#define LIGHTS_MAX 32

struct virtio_input {
    struct virtio virtio;
    struct input_device device;
    struct virtio_queue events, status;
    struct dma memory; /* what the device writes (EVENTS_MAX), then what it reads (LIGHTS_MAX) */
    struct axis axes[INPUT_ABSES];
    unsigned lights_at; /* where the next one is written */
    bool complained;
};
extern const struct input_ops virtio_input_ops;

/* What it is, what it has: 0, or -EPROTO. */
[[nodiscard]] int virtio_input_configure(struct virtio_input *v);
[[nodiscard]] int virtio_input_queues(struct virtio_input *v);
/* Lets the device go. */
void virtio_input_start(struct virtio_input *v);
