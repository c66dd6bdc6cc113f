// SPDX-License-Identifier: MIT
/*
 * Class library of block drivers: it owns the scheme (names, partitions, reads and writes by call, ioctls,
 * rings with their pools, checks of every client's request); the driver moves sectors between DMA memory
 * and its device.
 *
 * A driver's main: acquire the device, block_server_init(), start the hardware, block_device_add()
 * for each disk found, block_serve().
 *
 * One thread. The driver's `submit` never waits; when the device has finished a request, its interrupt handler
 * calls block_complete().
 */
#pragma once
#include <disk_protocol.h>
#include <pci.h>
#include <scheme.h>
#include <stdbool.h>

struct block_device;
struct block_request { /* the library's, lent to the driver from submit to block_complete */
    uint32_t
        op; /* enum disk_op, checked: inside the disk, whole sectors, allowed by flags and rights; may have DISK_FUA */
    uint32_t length; /* bytes, ≤ transfer_max; 0 of DISK_FLUSH */
    uint64_t sector; /* of sector_size */
    uint64_t physical; /* of the data, contiguous; sector_size-aligned at least 512 */
    struct block_device *device;
    struct block_request *next; /* the driver's while it has it */
    uint64_t driver[2]; /* the driver's */
};

struct block_ops {
    /* Gives r to the device, perhaps not yet kicked: 0, or -EAGAIN: no room, submitted again after the next
     * block_complete(). Other errors: by block_complete(), not from inside submit. */
    int (*submit)(struct block_device *d, struct block_request *r);
    /* All of a batch is submitted (may be null). */
    void (*kick)(struct block_device *d);
};

struct block_device {
    /* the driver's, set before block_device_add(): */
    const struct block_ops *ops;
    void *driver;
    uint64_t sectors;
    uint32_t sector_size, physical_sector_size;
    uint32_t transfer_max; /* bytes of one request, a multiple of 4096 */
    uint32_t depth;
    uint32_t flags; /* enum disk_flags */
    char model[44], serial[24];
    /* the library's: */
    struct block_state *state;
};

struct block_server {
    struct scheme scheme;
    handle_t function; /* the PCI function, for DMA memory */
    bool no_flush; /* `noflush` among its arguments, for tests: no flush reaches the device */
    unsigned dma_flags; /* enum pci_dma_flags, set by the driver: which memory the device can reach */
    /* Called for what scheme_event_add(&server->scheme, …, key) waits for; keys below BLOCK_KEYS. */
    void (*interrupt)(struct block_server *b, uint64_t key);
    void (*timeout)(struct block_server *b); /* scheme.deadline has passed (may be null) */
    void *driver;
    struct block_private *private;
};
#define BLOCK_KEYS 64
#define BLOCK_DEVICES_MAX 32

/* Attaches to SERVICE_SCHEME; the arguments are main's. 0 or -errno. */
[[nodiscard]] int block_server_init(struct block_server *b, handle_t function, int argc, char **argv);
/* Publishes the disk as `unit` (0 …; the supervisor names it vda, sdb …) with its partitions. Reads their table,
 * waiting for the device: interrupts must work. 0 or -errno. */
[[nodiscard]] int block_device_add(struct block_server *b, struct block_device *d, unsigned unit);
/* The disk has gone: its requests (the driver completes those that it has) end with -ENXIO, its names are withdrawn. */
void block_device_remove(struct block_server *b, struct block_device *d);
/* Says ready, serves until the port is gone. */
int block_serve(struct block_server *b);

/* The device is done with r: bytes or -errno. May submit more. */
void block_complete(struct block_server *b, struct block_request *r, int64_t result);
/* For the driver's own use before block_serve() (IDENTIFY, reset): runs `interrupt` until *done or the deadline
 * (absolute ns). 0 or -ETIMEDOUT. */
[[nodiscard]] int block_wait(struct block_server *b, const bool *done, int64_t deadline);
