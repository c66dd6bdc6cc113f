// SPDX-License-Identifier: MIT
/* CRC-32C (reflected 0x1edc6f41), eight bytes at a time, and CRC-16 (reflected 0x8005); neither is inverted at the
 * end. */
#include "internal.h"

static uint32_t table[8][256];
static uint8_t reverse[256]; /* by the high byte of table[0] */

__attribute__((constructor)) static void table_fill(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
        table[0][i] = crc;
        reverse[crc >> 24] = (uint8_t)i;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++) table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 0xff];
}

uint32_t crc32c(uint32_t crc, const void *data, size_t size) {
    const uint8_t *p = data;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof(word));
        word ^= crc;
        crc = table[7][word & 0xff] ^ table[6][word >> 8 & 0xff] ^ table[5][word >> 16 & 0xff] ^
              table[4][word >> 24 & 0xff] ^ table[3][word >> 32 & 0xff] ^ table[2][word >> 40 & 0xff] ^
              table[1][word >> 48 & 0xff] ^ table[0][word >> 56];
    }
    while (size--) crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
    return crc;
}

uint32_t crc32c_back(uint32_t crc, const void *data, size_t size) {
    const uint8_t *p = (const uint8_t *)data + size;
    while (size--) {
        uint32_t i = reverse[crc >> 24];
        crc = (crc ^ table[0][i]) << 8 | (i ^ *--p);
    }
    return crc;
}

uint16_t crc16(uint16_t crc, const void *data, size_t size) {
    for (const uint8_t *p = data; size--; p++) {
        crc ^= *p;
        for (int k = 0; k < 8; k++) crc = (uint16_t)(crc >> 1 ^ (crc & 1 ? 0xa001 : 0));
    }
    return crc;
}
