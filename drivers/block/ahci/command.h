// SPDX-License-Identifier: MIT
/* ATA commands and what they look like to the device. Pure: tested on the host. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ata_command { /* ACS-3 §7 */
                   ATA_DATA_SET_MANAGEMENT = 0x06,
                   ATA_READ_DMA_EXT = 0x25,
                   ATA_READ_LOG_EXT = 0x2f,
                   ATA_WRITE_DMA_EXT = 0x35,
                   ATA_WRITE_DMA_FUA_EXT = 0x3d,
                   ATA_READ_QUEUED = 0x60, /* READ FPDMA QUEUED */
                   ATA_WRITE_QUEUED = 0x61,
                   ATA_PACKET = 0xa0,
                   ATA_IDENTIFY_PACKET = 0xa1,
                   ATA_FLUSH_CACHE = 0xe7,
                   ATA_FLUSH_CACHE_EXT = 0xea,
                   ATA_IDENTIFY = 0xec,
};
#define PACKET_BYTES 12
#define NCQ_ERROR_LOG 0x10

struct command {
    enum ata_command code;
    uint8_t device;
    uint16_t features, count;
    uint64_t lba;
    bool write; /* data goes to the device */
    bool queued;
    uint8_t packet[PACKET_BYTES]; /* of ATA_PACKET */
    uint64_t physical; /* of the data */
    uint32_t length; /* bytes, 0: no data */
};

/* A read or write of disk sectors; tag: its slot, if it is to be queued. */
struct command command_transfer(bool write, bool fua, uint64_t lba, uint32_t sectors);
/* The same command, as one that is queued in this slot. */
void command_queue(struct command *c, unsigned slot);
/* Reads of a CD (MMC READ(10)). */
struct command command_packet_read(uint32_t lba, uint16_t sectors);
/* Any packet command that transfers `length` bytes at most to us, from byte 0 on `code`. */
struct command command_packet(uint8_t code, uint32_t length);
/* TRIM of one block of ranges. */
struct command command_trim(void);
/* READ LOG EXT of the log of errors of queued commands. */
struct command command_error_log(void);

/* Register FIS, host to device (SATA 3 §10.5.5). */
void fis_build(uint8_t fis[20], const struct command *c);

#define TRIM_RANGES 64u /* in 512 bytes */
/* Ranges of at most 65535 sectors each, the rest of the block zero. 0, or -1: too many for one block. */
int trim_pack(uint64_t block[TRIM_RANGES], uint64_t sector, uint64_t sectors);

/* Slot of the queued command that failed, by log 10h; -1 if it names none or can't be right. */
int error_log_slot(const uint8_t log[512]);
