// SPDX-License-Identifier: MIT
/* Internet checksums, for lwIP (lwip/arch/cc.h). */
#include <lwip/arch.h>
#include <string.h>

/* RFC 1071, of words as they lie in memory: 8 bytes at a time, the carries are added again. */
static uint64_t sum_add(uint64_t sum, const uint8_t *at, unsigned words) {
    unsigned long long word, carry = 0, total = sum;
    for (unsigned i = 0; i < words; i++) {
        memcpy(&word, at + 8 * i, 8);
        total = __builtin_addcll(total, word, carry, &carry);
    }
    total = __builtin_addcll(total, 0, carry, &carry);
    return total + carry;
}

uint16_t net_checksum(const void *data, int size) {
    const uint8_t *at = data;
    uint64_t sum = 0;
    uint32_t four = 0;
    uint16_t two = 0;
    for (; size >= 128; size -= 128, at += 128) sum = sum_add(sum, at, 16);
    for (; size >= 32; size -= 32, at += 32) sum = sum_add(sum, at, 4);
    for (; size >= 8; size -= 8, at += 8) sum = sum_add(sum, at, 1);
    sum = (sum & 0xffffffff) + (sum >> 32);
    if (size & 4) memcpy(&four, at, 4), at += 4;
    if (size & 2) memcpy(&two, at, 2), at += 2;
    sum += (uint64_t)four + two + (size & 1 ? *at : 0u);
    sum = (sum & 0xffffffff) + (sum >> 32);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}
