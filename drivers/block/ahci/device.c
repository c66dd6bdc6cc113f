// SPDX-License-Identifier: MIT
/* What is at a port: IDENTIFY, and of packet devices their medium (MMC). */
#include "ahci.h"
#include <service.h>
#include <stdio.h>
#include <string.h>

#define TRANSFER_MAX (1u << 20)
#define ATTENTIONS_MAX 5 /* that a device may have to tell before it answers */
enum { MMC_TEST_UNIT_READY = 0x00, MMC_REQUEST_SENSE = 0x03, MMC_READ_CAPACITY = 0x25 };
#define SENSE_BYTES 18

static int identity_read(struct port *p, struct identity *id) {
    struct command c = {.code = p->atapi ? ATA_IDENTIFY_PACKET : ATA_IDENTIFY, .length = 512};
    int e = port_try(p, c);
    if (e) return e;
    const uint16_t *words = (const uint16_t *)p->memory->scratch;
    return p->atapi ? identify_packet(words, id) : identify_disk(words, id);
}

bool device_is_the_same(struct port *p) {
    struct identity now;
    return identity_read(p, &now) == 0 && strcmp(now.model, p->identity.model) == 0 &&
           strcmp(now.serial, p->identity.serial) == 0 && now.sectors == p->identity.sectors;
}

struct sense device_sense(struct port *p) {
    struct command c = command_packet(MMC_REQUEST_SENSE, SENSE_BYTES);
    c.packet[4] = SENSE_BYTES;
    if (port_try(p, c) != 0) return (struct sense){};
    return (struct sense){p->memory->scratch[2] & 15, p->memory->scratch[12]};
}

static uint32_t big_endian(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Sectors of the medium, 0: there is none that can be read. */
static uint64_t medium_size(struct port *p) {
    struct sense s = {.key = SENSE_ATTENTION};
    for (unsigned i = 0; i < ATTENTIONS_MAX && s.key == SENSE_ATTENTION; i++) {
        if (port_try(p, command_packet(MMC_TEST_UNIT_READY, 0)) == 0) break;
        s = device_sense(p);
        if (s.key == SENSE_NOT_READY && s.code == CODE_NO_MEDIUM) return 0;
    }
    if (port_try(p, command_packet(MMC_READ_CAPACITY, 8)) != 0) return 0;
    uint32_t last = big_endian(p->memory->scratch), size = big_endian(p->memory->scratch + 4);
    if (size == 2048 && last < UINT32_MAX) return last + 1ull;
    service_log("ahci: port %u: a medium of sectors of %u bytes is not for us", p->number, size);
    return 0;
}

static uint32_t disk_flags(const struct identity *id) {
    return (id->cache ? DISK_CACHE : 0) | (id->trim ? DISK_CAN_DISCARD : 0) | (id->rotates ? DISK_ROTATES : 0) |
           (id->fua ? DISK_NATIVE_FUA : 0);
}

static uint32_t queue_depth(const struct port *p) {
    uint32_t slots = CAP_SLOTS(p->hba->capabilities), depth = p->identity.queue_depth;
    if (!(p->hba->capabilities & CAP_NCQ) || depth == 0) return 1;
    return depth < slots ? depth : slots;
}

int device_identify(struct port *p) {
    uint32_t signature = port_read(p, PORT_SIG);
    p->atapi = signature == SIGNATURE_ATAPI;
    if (!p->atapi && signature != SIGNATURE_DISK) {
        service_log("ahci: port %u: no driver for a device of signature %08x", p->number, signature);
        return -ENODEV;
    }
    if (p->atapi) port_write(p, PORT_CMD, port_read(p, PORT_CMD) | CMD_ATAPI);
    int e = identity_read(p, &p->identity);
    if (e) return e;
    const struct identity *id = &p->identity;
    p->device = (struct block_device){
        .ops = &port_ops,
        .driver = p,
        .sectors = p->atapi ? medium_size(p) : id->sectors,
        .sector_size = id->sector_size,
        .physical_sector_size = id->physical_sector_size,
        .transfer_max = TRANSFER_MAX,
        .depth = queue_depth(p),
        .flags = p->atapi ? DISK_CD | DISK_REMOVABLE | DISK_READ_ONLY : disk_flags(id),
    };
    snprintf(p->device.model, sizeof(p->device.model), "%s", id->model);
    snprintf(p->device.serial, sizeof(p->device.serial), "%s", id->serial);
    return 0;
}
