// SPDX-License-Identifier: MIT
/*
 * A port: its link (SATA 3 §8.4), its command engine (AHCI 1.3.1 §10.3), commands of the driver's own.
 *
 * These commands, and everything here that waits, are for the start and for errors, when nothing else is under way
 * at this port. Other ports wait meanwhile.
 */
#include "ahci.h"
#include <mmio.h>
#include <string.h>
#include <time.h>

#define ENGINE_MS 500 /* §10.1.2, §10.3.2 */
#define DETECT_MS 20
#define LINK_MS 1000
#define READY_MS 10000 /* a disk that spins up */
#define TRY_NS (10 * SECOND_NS)
#define SPINS 1000

uint32_t port_read(const struct port *p, unsigned offset) { return mmio_read32(p->registers + offset); }
void port_write(struct port *p, unsigned offset, uint32_t value) { mmio_write32(p->registers + offset, value); }

static void pause_ms(void) { nanosleep(&(struct timespec){.tv_nsec = 1000000}, nullptr); }

static bool port_wait(struct port *p, unsigned offset, uint32_t bits, uint32_t value, unsigned ms) {
    while ((port_read(p, offset) & bits) != value) {
        if (ms-- == 0) return false;
        pause_ms();
    }
    return true;
}

static void write64(struct port *p, unsigned offset, uint64_t value) {
    port_write(p, offset, (uint32_t)value);
    port_write(p, offset + 4, (uint32_t)(value >> 32));
}

/* --- engine and link --- */
int port_stop(struct port *p) {
    port_write(p, PORT_CMD, port_read(p, PORT_CMD) & ~(uint32_t)CMD_START);
    return port_wait(p, PORT_CMD, CMD_RUNNING, 0, ENGINE_MS) ? 0 : -ETIMEDOUT;
}

void port_link_reset(struct port *p) { port_write(p, PORT_SCTL, SCTL_NO_SLEEP | SCTL_COMRESET); }
void port_link_release(struct port *p) { port_write(p, PORT_SCTL, SCTL_NO_SLEEP); }

int port_init(struct port *p) {
    struct hba *h = p->hba;
    int e = pci_dma_create(h->server.function, sizeof(struct port_memory), h->server.dma_flags, &p->dma);
    if (e) return e;
    p->memory = p->dma.at;
    if (port_stop(p) != 0) return -EIO; /* just reset, it doesn't run */
    write64(p, PORT_CLB, p->dma.physical + offsetof(struct port_memory, list));
    write64(p, PORT_FB, p->dma.physical + offsetof(struct port_memory, received));
    port_write(p, PORT_CMD, port_read(p, PORT_CMD) | CMD_SPIN_UP | CMD_POWER | CMD_FIS_ENABLE);
    port_link_reset(p);
    return 0;
}

int port_start(struct port *p) {
    unsigned ms = 0;
    while ((port_read(p, PORT_SSTS) & SSTS_DETECTION) != SSTS_CONNECTED) {
        bool none = (port_read(p, PORT_SSTS) & SSTS_DETECTION) == 0;
        if (ms++ == (none ? DETECT_MS : LINK_MS)) return -ENODEV;
        pause_ms();
    }
    port_write(p, PORT_SERR, UINT32_MAX);
    if (!port_wait(p, PORT_TFD, TFD_BUSY | TFD_DRQ, 0, READY_MS)) return -EIO;
    port_write(p, PORT_IS, UINT32_MAX);
    port_write(p, PORT_CMD, port_read(p, PORT_CMD) | CMD_START);
    return 0;
}

int port_reset(struct port *p) {
    if (port_stop(p) != 0) return -EIO; /* only a reset of the controller would help: all ports */
    port_link_reset(p);
    pause_ms();
    pause_ms();
    port_link_release(p);
    return port_start(p);
}

/* --- commands --- */
void port_prepare(struct port *p, unsigned slot, const struct command *c) {
    struct command_table *t = &p->memory->tables[slot];
    struct command_header *header = &p->memory->list[slot];
    fis_build(t->fis, c);
    memcpy(t->packet, c->packet, PACKET_BYTES);
    t->range = (struct command_range){.physical = c->physical, .last = c->length - 1};
    *header = (struct command_header){
        .flags = (uint16_t)(FIS_BYTES / 4 | (c->code == ATA_PACKET ? HEADER_ATAPI : 0) | (c->write ? HEADER_WRITE : 0)),
        .ranges = c->length ? 1 : 0,
        .table = p->dma.physical + offsetof(struct port_memory, tables[slot]),
    };
}

int port_run(struct port *p, struct command c, int64_t limit_ns) {
    int64_t end = 0;
    if (c.length) c.physical = p->dma.physical + offsetof(struct port_memory, scratch);
    if (!c.write) memset(p->memory->scratch, 0, c.length); /* nothing old is taken for an answer */
    port_prepare(p, 0, &c);
    port_write(p, PORT_IS, UINT32_MAX);
    port_write(p, PORT_CI, 1);
    for (unsigned spins = 0;; spins++) {
        bool active = port_read(p, PORT_CI) & 1;
        if (port_read(p, PORT_IS) & IS_ERRORS) return -EIO;
        if (!active) break;
        if (spins < SPINS) continue;
        if (!end) end = time_ns() + limit_ns;
        else if (time_ns() > end) return -ETIMEDOUT;
        pause_ms();
    }
    port_write(p, PORT_IS, UINT32_MAX);
    return port_read(p, PORT_TFD) & TFD_ERROR ? -EIO : 0;
}

int port_try(struct port *p, struct command c) {
    int e = port_run(p, c, TRY_NS);
    if (!e) return 0;
    if (e == -ETIMEDOUT || port_stop(p) != 0 || port_start(p) != 0) (void)port_reset(p);
    return e;
}
