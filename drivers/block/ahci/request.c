// SPDX-License-Identifier: MIT
/*
 * Requests: into slots, to the device, and back. Reads and writes are queued (NCQ) where both sides can; everything
 * else, and all that is tried again after an error, runs alone: submit refuses it until the port is idle, and then
 * refuses others. The class library keeps the order: a flush waits for what came before it and is not overtaken.
 */
#include "ahci.h"

/* What a request keeps in r->driver[0]: how often it has failed by itself. */

static struct command request_command(struct port *p, const struct block_request *r) {
    uint32_t sectors = r->length / r->device->sector_size;
    struct command c;
    switch (r->op & ~(uint32_t)DISK_FUA) {
    case DISK_FLUSH: return (struct command){.code = p->identity.flush_ext ? ATA_FLUSH_CACHE_EXT : ATA_FLUSH_CACHE};
    case DISK_DISCARD:
        c = command_trim();
        trim_pack((uint64_t *)p->memory->scratch, r->sector, sectors); /* transfer_max fits one block */
        c.physical = p->dma.physical + offsetof(struct port_memory, scratch);
        return c;
    default:
        if (p->atapi) c = command_packet_read((uint32_t)r->sector, (uint16_t)sectors);
        else c = command_transfer((r->op & ~(uint32_t)DISK_FUA) == DISK_WRITE, r->op & DISK_FUA, r->sector, sectors);
        c.physical = r->physical;
        c.length = r->length;
        return c;
    }
}

/* Into a free slot, for the next kick; -EAGAIN: what is under way doesn't go together with it. */
static int request_prepare(struct port *p, struct block_request *r, bool queued) {
    uint32_t busy = p->issued | p->prepared;
    if (busy && !(queued && p->queueing)) return -EAGAIN;
    unsigned slot = ~busy ? (unsigned)__builtin_ctz(~busy) : 32;
    if (slot >= p->device.depth) return -EAGAIN;
    struct command c = request_command(p, r);
    if (queued) command_queue(&c, slot);
    port_prepare(p, slot, &c);
    p->slots[slot].request = r;
    p->prepared |= 1u << slot;
    p->queueing = queued;
    return 0;
}

static int port_submit(struct block_device *d, struct block_request *r) {
    struct port *p = port_of(d);
    uint32_t kind = r->op & ~(uint32_t)DISK_FUA;
    bool below_4g = p->hba->server.dma_flags & PCI_DMA_BELOW_4G;
    if (!p->present) return -ENXIO;
    if (below_4g && r->physical + r->length > 1ull << 32) return -EIO; /* an adopted pool */
    if (p->suspects) return -EAGAIN;
    r->driver[0] = 0;
    return request_prepare(p, r, d->depth > 1 && (kind == DISK_READ || kind == DISK_WRITE));
}

static void port_kick(struct block_device *d) {
    struct port *p = port_of(d);
    uint32_t slots = p->prepared;
    if (!slots) return;
    int64_t deadline = time_ns() + COMMAND_TIMEOUT_NS;
    for (uint32_t left = slots; left; left &= left - 1) p->slots[__builtin_ctz(left)].deadline = deadline;
    p->prepared = 0;
    p->issued |= slots;
    if (p->queueing) port_write(p, PORT_SACT, slots); /* before CI: AHCI 1.3.1 §5.6.4 */
    port_write(p, PORT_CI, slots);
    hba_deadline(p->hba, deadline);
}

const struct block_ops port_ops = {.submit = port_submit, .kick = port_kick};

void port_retry(struct port *p) {
    struct block_request *r = p->suspects;
    if (!r || p->issued || p->prepared) return;
    p->suspects = r->next;
    if (request_prepare(p, r, false) == 0) port_kick(r->device);
}

/* Did the device say that all is well, but move too little? Queued commands aren't counted: AHCI 1.3.1 §5.4.1. */
static bool transfer_is_short(struct port *p, uint32_t done) {
    if (p->queueing || !done) return false;
    unsigned slot = (unsigned)__builtin_ctz(done);
    const struct block_request *r = p->slots[slot].request;
    bool data = (r->op & ~(uint32_t)DISK_FUA) == DISK_READ || (r->op & ~(uint32_t)DISK_FUA) == DISK_WRITE;
    return data && p->memory->list[slot].transferred != r->length;
}

void port_interrupt(struct port *p) {
    uint32_t status = port_read(p, PORT_IS);
    port_write(p, PORT_IS, status);
    uint32_t done = p->issued & ~(port_read(p, PORT_CI) | port_read(p, PORT_SACT));
    status |= port_read(p, PORT_IS); /* after CI: there are HBAs that clear the bit of a command that fails */
    bool failed = status & (IS_ERRORS | IS_LINK);
    if (!p->queueing && done && (port_read(p, PORT_TFD) & TFD_ERROR || transfer_is_short(p, done))) failed = true;
    if (failed && !p->queueing) done = 0;
    p->issued &= ~done;
    for (; done; done &= done - 1) {
        struct block_request *r = p->slots[__builtin_ctz(done)].request;
        block_complete(&p->hba->server, r, r->length);
    }
    if (failed) port_recover(p, status, false);
    port_retry(p);
}
