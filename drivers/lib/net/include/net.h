// SPDX-License-Identifier: MIT
/*
 * Class library of network drivers: it owns the scheme (names, statistics, captures, the session with its rings and
 * pool, checks of all that a client says); the driver moves frames between DMA memory and its device.
 *
 * A driver's main: net_init(), acquire and reset the device, fill in struct net_device, net_serve(). The device's
 * rings work only between `start` and `stop`.
 *
 * One thread. Nothing in net_ops waits for the device, but start and stop for a reset. Whatever comes from the device
 * is told by net_received(), net_returned(), net_sent() and net_link(), from the interrupt or timeout function.
 */
#pragma once
#include <net_frame.h>
#include <pci.h>
#include <scheme.h>
#include <stdbool.h>

struct net_device;
struct net_ops {
    /* The device is reset and works, with empty rings, and the filter as told below: 0 or -errno. */
    int (*start)(struct net_device *d);
    /* The device doesn't touch memory any more; what it had is forgotten. */
    void (*stop)(struct net_device *d);
    /* 0, or -EAGAIN: no room, tried again after the next event. What is given may be not yet kicked. */
    int (*post)(struct net_device *d, const struct net_buffer *b);
    int (*send)(struct net_device *d, const struct net_frame *f);
    void (*kick)(struct net_device *d);
    /* d->filter or d->addresses have changed: net_filtered() when the device knows, perhaps from in here. */
    void (*filter)(struct net_device *d);
    /* For tests: stops the rings behind our own back (may be null). */
    void (*hang)(struct net_device *d);
    /* For what scheme_event_add(&d->scheme, …, key) waits for: keys below NET_KEYS. */
    void (*interrupt)(struct net_device *d, uint64_t key);
    /* scheme.deadline has passed (may be null). */
    void (*timeout)(struct net_device *d);
};
#define NET_KEYS 64

struct net_device {
    struct scheme scheme;
    handle_t function; /* the PCI function, for DMA memory */
    /* the driver's, set before net_serve(): */
    const struct net_ops *ops;
    void *driver;
    struct net_info info;
    /* the driver's to count: receive_errors, receive_dropped, send_errors, interrupts, resets, bytes_copied */
    struct net_statistics statistics;
    /* the library's: */
    uint32_t link;
    uint32_t filter, address_count;
    uint8_t addresses[NET_ADDRESSES_MAX][6];
    bool filter_busy; /* until net_filtered() */
    bool running; /* between start and stop */
    struct net_private *private;
};

/* Attaches to SERVICE_SCHEME. 0 or -errno. */
[[nodiscard]] int net_init(struct net_device *d, handle_t function);
/* Publishes the card, says ready, serves until the port is gone. */
int net_serve(struct net_device *d);

/* The device has written `length` bytes at r->offset of b: they are inside of it. A frame's buffers come one after the
 * other, before anything else is told. */
void net_received(struct net_device *d, const struct net_buffer *b, uint32_t length, const struct net_receive *r);
void net_returned(struct net_device *d, const struct net_buffer *b, int error);
void net_sent(struct net_device *d, uint64_t tag, int result);
void net_filtered(struct net_device *d);
/* The link's speed in Mbit/s now, 0: down. */
void net_link(struct net_device *d, uint32_t link);
