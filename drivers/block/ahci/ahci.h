// SPDX-License-Identifier: MIT
/*
 * The parts of the AHCI driver. A port has at most one kind of command under way: queued ones, or a single one that
 * isn't (`issued` and `queueing`). What `prepared` holds is in its slot, and given to the device by the next kick.
 */
#pragma once
#include "ahci_hw.h"
#include "command.h"
#include "identify.h"
#include <block.h>

#define SECOND_NS 1000000000LL
#define COMMAND_TIMEOUT_NS (30 * SECOND_NS)
#define ATTEMPTS 3 /* of a request that fails by itself */

struct hba;
struct port {
    struct hba *hba;
    unsigned number;
    volatile uint8_t *registers;
    struct dma dma;
    struct port_memory *memory;
    struct identity identity;
    bool atapi;
    bool present; /* a device that answers */
    bool added; /* the class library knows it */
    bool queueing; /* of what is issued or prepared */
    uint32_t issued, prepared; /* slots */
    struct {
        struct block_request *request;
        int64_t deadline;
    } slots[32];
    struct block_request *suspects; /* one of them may have failed: each is tried again alone, before anything else */
    struct block_device device;
};

struct hba {
    struct block_server server;
    handle_t interrupt;
    volatile uint8_t *registers;
    uint32_t capabilities;
    uint32_t implemented; /* ports */
    struct port ports[PORTS_MAX];
};

int64_t time_ns(void);

/* --- hba.c --- */
/* Maps, takes it from the firmware, resets, starts the ports that have a device, enables interrupts. 0 or -errno. */
[[nodiscard]] int hba_init(struct hba *h);
void hba_interrupt(struct hba *h);
/* Looks for commands that take too long. */
void hba_timeout(struct hba *h);
/* hba_timeout() at this time, or earlier. */
void hba_deadline(struct hba *h, int64_t at);

/* --- port.c --- */
static inline struct port *port_of(struct block_device *d) { return d->driver; }
uint32_t port_read(const struct port *p, unsigned offset);
void port_write(struct port *p, unsigned offset, uint32_t value);
/* Memory, and the beginning of a COMRESET of its device; 2 ms later port_link_release(), then port_start(). */
[[nodiscard]] int port_init(struct port *p);
void port_link_reset(struct port *p);
void port_link_release(struct port *p);
/* Waits for the device and starts its command engine: 0, -ENODEV: there is none, -EIO. */
[[nodiscard]] int port_start(struct port *p);
[[nodiscard]] int port_stop(struct port *p);
/* Puts the command into the slot. */
void port_prepare(struct port *p, unsigned slot, const struct command *c);
/* Runs a command of the driver's own, while nothing else is under way; data comes from or goes to memory->scratch.
 * 0, -EIO: it failed, -ETIMEDOUT. After either the engine has to be stopped. */
[[nodiscard]] int port_run(struct port *p, struct command c, int64_t limit_ns);
/* The same, that starts the engine again after an error. */
[[nodiscard]] int port_try(struct port *p, struct command c);
/* All of it after a hang: 0 or -errno. */
[[nodiscard]] int port_reset(struct port *p);

/* --- device.c --- */
/* Fills in p->device. 0 or -errno. */
[[nodiscard]] int device_identify(struct port *p);
/* The same device as before, after a reset? */
[[nodiscard]] bool device_is_the_same(struct port *p);
struct sense {
    uint8_t key, code;
};
enum { SENSE_NOT_READY = 2, SENSE_ATTENTION = 6, CODE_CHANGED = 0x28, CODE_NO_MEDIUM = 0x3a };
/* Why a packet command failed. */
struct sense device_sense(struct port *p);

/* --- request.c --- */
extern const struct block_ops port_ops;
void port_interrupt(struct port *p);
/* Gives the next suspect to the device, if it is idle. */
void port_retry(struct port *p);

/* --- recover.c --- */
/* After an error, or if `hung`: what was under way becomes suspect, the device works again, or is given up. */
void port_recover(struct port *p, uint32_t status, bool hung);
/* The device doesn't work any more. */
void port_give_up(struct port *p);
