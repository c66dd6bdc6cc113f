// SPDX-License-Identifier: MIT
#include "command.h"
#include <string.h>

#define DEVICE_LBA 0x40
#define DEVICE_FUA 0x80 /* of queued writes */
#define FEATURE_TRIM 1
#define FEATURE_DMA 1 /* of PACKET */
#define FIS_HOST_TO_DEVICE 0x27
#define FIS_IS_COMMAND 0x80
#define TRIM_SECTORS_MAX 65535u
#define MMC_READ_10 0x28
#define LOG_NOT_QUEUED 0x80

struct command command_transfer(bool write, bool fua, uint64_t lba, uint32_t sectors) {
    return (struct command){
        .code = !write ? ATA_READ_DMA_EXT
                : fua  ? ATA_WRITE_DMA_FUA_EXT
                       : ATA_WRITE_DMA_EXT,
        .device = DEVICE_LBA,
        .count = (uint16_t)sectors,
        .lba = lba,
        .write = write,
    };
}

/* ACS-3 §7.23.3: the count moves to the features, the tag into its place. */
void command_queue(struct command *c, unsigned slot) {
    if (c->code == ATA_WRITE_DMA_FUA_EXT) c->device |= DEVICE_FUA;
    c->code = c->write ? ATA_WRITE_QUEUED : ATA_READ_QUEUED;
    c->features = c->count;
    c->count = (uint16_t)(slot << 3);
    c->queued = true;
}

struct command command_packet(uint8_t code, uint32_t length) {
    return (struct command){
        .code = ATA_PACKET,
        .features = length ? FEATURE_DMA : 0,
        .lba = (uint64_t)(length < 0xfffe ? length : 0xfffe) << 8, /* byte count limit, of PIO */
        .packet = {code},
        .length = length,
    };
}

struct command command_packet_read(uint32_t lba, uint16_t sectors) {
    struct command c = command_packet(MMC_READ_10, sectors * 2048u);
    for (unsigned i = 0; i < 4; i++) c.packet[2 + i] = (uint8_t)(lba >> (24 - 8 * i));
    c.packet[7] = (uint8_t)(sectors >> 8);
    c.packet[8] = (uint8_t)sectors;
    return c;
}

struct command command_trim(void) {
    return (struct command){.code = ATA_DATA_SET_MANAGEMENT,
                            .device = DEVICE_LBA,
                            .features = FEATURE_TRIM,
                            .count = 1,
                            .write = true,
                            .length = 512};
}

struct command command_error_log(void) {
    return (struct command){
        .code = ATA_READ_LOG_EXT, .device = DEVICE_LBA, .count = 1, .lba = NCQ_ERROR_LOG, .length = 512};
}

void fis_build(uint8_t fis[20], const struct command *c) {
    memset(fis, 0, 20);
    fis[0] = FIS_HOST_TO_DEVICE;
    fis[1] = FIS_IS_COMMAND;
    fis[2] = (uint8_t)c->code;
    fis[3] = (uint8_t)c->features;
    for (unsigned i = 0; i < 3; i++) {
        fis[4 + i] = (uint8_t)(c->lba >> 8 * i);
        fis[8 + i] = (uint8_t)(c->lba >> (24 + 8 * i));
    }
    fis[7] = c->device;
    fis[11] = (uint8_t)(c->features >> 8);
    fis[12] = (uint8_t)c->count;
    fis[13] = (uint8_t)(c->count >> 8);
}

int trim_pack(uint64_t block[TRIM_RANGES], uint64_t sector, uint64_t sectors) {
    if (sectors > (uint64_t)TRIM_RANGES * TRIM_SECTORS_MAX) return -1;
    memset(block, 0, TRIM_RANGES * sizeof(*block));
    for (unsigned i = 0; sectors; i++) { /* ACS-3 §7.6.3.2: count in the upper 16 bits */
        uint64_t n = sectors < TRIM_SECTORS_MAX ? sectors : TRIM_SECTORS_MAX;
        block[i] = n << 48 | sector;
        sector += n;
        sectors -= n;
    }
    return 0;
}

int error_log_slot(const uint8_t log[512]) {
    uint8_t sum = 0;
    for (unsigned i = 0; i < 512; i++) sum = (uint8_t)(sum + log[i]);
    if (sum != 0 || log[0] & LOG_NOT_QUEUED) return -1;
    return log[0] & 31;
}
