// SPDX-License-Identifier: MIT
/*
 * Errors: AHCI 1.3.1 §6.2.2.
 *
 *   error of a command alone ──────────────► stop, start ────────► it failed: counted
 *   error while queueing ──► stop, start ──► READ LOG EXT 10h ───► that one failed: counted
 *                                 │               └─ unreadable ─► nobody is counted
 *   hang, commands that stay active, ──► COMRESET ───────────────► of one alone: counted; else nobody
 *   link lost
 *
 * All that was under way is then tried again, one by one and not queued, so that what fails next is known. Whose count
 * reaches ATTEMPTS ends in an error; nobody else does.
 */
#include "ahci.h"
#include <service.h>
#include <stdlib.h>

#define LOG_NS (2 * SECOND_NS)
#define RESETS 3

void port_give_up(struct port *p) {
    service_log("ahci: port %u: its device does not work any more", p->number);
    p->present = false;
    port_write(p, PORT_IE, 0);
    while (p->suspects) {
        struct block_request *r = p->suspects;
        p->suspects = r->next;
        block_complete(&p->hba->server, r, -EIO);
    }
    if (p->added) block_device_remove(&p->hba->server, &p->device);
    p->added = false;
}

/* Everything that was given to the device, in front of other suspects. */
static void suspects_take(struct port *p) {
    uint32_t taken = p->issued | p->prepared;
    p->issued = p->prepared = 0;
    for (unsigned i = 32; i-- > 0;) {
        if (!(taken >> i & 1)) continue;
        p->slots[i].request->next = p->suspects;
        p->suspects = p->slots[i].request;
    }
}

/* The engine runs again. 0 or -errno; *slot: which queued command failed, -1: unknown. */
static int engine_recover(struct port *p, bool hung, bool queued, int *slot) {
    bool stopped = port_stop(p) == 0;
    bool clean = !((port_read(p, PORT_CI) | port_read(p, PORT_SACT)) || port_read(p, PORT_TFD) & (TFD_BUSY | TFD_DRQ));
    *slot = -1;
    if (stopped && clean && !hung && port_start(p) == 0) {
        if (!queued) return 0;
        if (port_run(p, command_error_log(), LOG_NS) == 0) {
            *slot = error_log_slot(p->memory->scratch);
            return 0;
        }
    }
    for (unsigned i = 0; i < RESETS; i++)
        if (port_reset(p) == 0 && device_is_the_same(p)) return 0;
    return -ENODEV;
}

/* Of a packet device: what its user hears, 0: try again. */
static int packet_error(struct port *p) {
    struct sense s = device_sense(p);
    if (s.key == SENSE_NOT_READY && s.code == CODE_NO_MEDIUM) return -ENOMEDIUM;
    if (s.key == SENSE_ATTENTION && s.code == CODE_CHANGED) {
        service_log("ahci: port %u: the medium was changed", p->number);
        exit(1); /* the next instance looks at it */
    }
    return 0;
}

/* r failed by itself. */
static void culprit_count(struct port *p, struct block_request *r) {
    int error = p->atapi ? packet_error(p) : 0;
    if (!error && ++r->driver[0] < ATTEMPTS) return;
    struct block_request **at = &p->suspects;
    while (*at != r) at = &(*at)->next;
    *at = r->next;
    service_log("ahci: port %u: operation %u of sector %llu failed", p->number, r->op, (unsigned long long)r->sector);
    block_complete(&p->hba->server, r, error ?: -EIO);
}

void port_recover(struct port *p, uint32_t status, bool hung) {
    uint32_t issued = p->issued;
    bool queued = p->queueing && issued;
    int slot;
    if (!p->present) { /* a device came to an empty port */
        port_write(p, PORT_SERR, UINT32_MAX);
        if ((port_read(p, PORT_SSTS) & SSTS_DETECTION) != SSTS_CONNECTED) return;
        service_log("ahci: port %u: there is a device now", p->number);
        exit(1); /* the next instance finds it */
    }
    service_log("ahci: port %u: %s: interrupt %08x, task file %08x, SATA error %08x, active %08x", p->number,
                hung ? "no answer" : "error", status, port_read(p, PORT_TFD), port_read(p, PORT_SERR), issued);
    suspects_take(p);
    if (engine_recover(p, hung || status & IS_LINK, queued, &slot) != 0) {
        port_give_up(p);
        return;
    }
    if (!queued && issued) slot = __builtin_ctz(issued);
    if (slot >= 0 && issued >> slot & 1) culprit_count(p, p->slots[slot].request);
    port_retry(p);
}
