// SPDX-License-Identifier: MIT
#include "identify.h"
#include <errno.h>

enum { /* words */
       WORD_GENERAL = 0,
       WORD_SERIAL = 10,
       WORD_MODEL = 27,
       WORD_CAPABILITIES = 49,
       WORD_QUEUE_DEPTH = 75,
       WORD_SATA = 76,
       WORD_SUPPORTED = 82, /* 82–84, enabled: 85–87 */
       WORD_ENABLED = 85,
       WORD_SECTORS = 100,
       WORD_SECTOR_SIZES = 106,
       WORD_SECTOR_WORDS = 117,
       WORD_TRIM = 169,
       WORD_ROTATION = 217,
       WORD_CHECKSUM = 255,
};
#define SECTORS_MAX (1ull << 48)
#define CHECKSUM_MAGIC 0xa5

static bool valid(uint16_t word) { return word >> 14 == 1; } /* of words with this mark */
static bool bit(uint16_t word, unsigned n) { return word >> n & 1; }

/* Two characters per word, the first in the upper half, padded with blanks. */
static void string_get(const uint16_t *words, unsigned count, char *out) {
    unsigned length = 0;
    for (unsigned i = 0; i < 2 * count; i++) {
        unsigned char c = (unsigned char)(words[i / 2] >> (i % 2 ? 0 : 8));
        if (c == ' ' && length == 0) continue;
        out[length++] = c == 0 ? ' ' : c < ' ' || c > '~' ? '?' : (char)c;
    }
    while (length && out[length - 1] == ' ') length--;
    out[length] = 0;
}

static bool checksum_good(const uint16_t words[256]) {
    uint8_t sum = 0;
    if ((words[WORD_CHECKSUM] & 0xff) != CHECKSUM_MAGIC) return true; /* it has none */
    for (unsigned i = 0; i < 256; i++) sum = (uint8_t)(sum + words[i] + (words[i] >> 8));
    return sum == 0;
}

static void names_get(const uint16_t words[256], struct identity *id) {
    string_get(words + WORD_MODEL, 20, id->model);
    string_get(words + WORD_SERIAL, 10, id->serial);
}

static void sizes_get(const uint16_t words[256], struct identity *id) {
    uint16_t sizes = words[WORD_SECTOR_SIZES];
    id->sector_size = 512;
    if (valid(sizes) && bit(sizes, 12)) { /* in words: what doesn't fit 32 bits is refused as too large */
        uint32_t count = words[WORD_SECTOR_WORDS] | (uint32_t)words[WORD_SECTOR_WORDS + 1] << 16;
        id->sector_size = count > UINT32_MAX / 2 ? 0 : 2 * count;
    }
    unsigned exponent = valid(sizes) && bit(sizes, 13) ? sizes & 15 : 0;
    id->physical_sector_size = id->sector_size << (exponent < 8 ? exponent : 0);
    for (unsigned i = 0; i < 4; i++) id->sectors |= (uint64_t)words[WORD_SECTORS + i] << 16 * i;
}

static void features_get(const uint16_t words[256], struct identity *id) {
    const uint16_t *supported = words + WORD_SUPPORTED, *enabled = words + WORD_ENABLED;
    uint16_t sata = words[WORD_SATA], rotation = words[WORD_ROTATION];
    if (sata != UINT16_MAX && bit(sata, 8)) id->queue_depth = (words[WORD_QUEUE_DEPTH] & 31) + 1;
    id->flush_ext = bit(supported[1], 13);
    id->fua = valid(supported[2]) && bit(supported[2], 6);
    /* Whose word of what is enabled means nothing is taken to have a cache. */
    id->cache = bit(supported[0], 5) && (!valid(enabled[2]) || bit(enabled[0], 5));
    id->trim = words[WORD_TRIM] != UINT16_MAX && bit(words[WORD_TRIM], 0);
    id->rotates = rotation > 0x400 && rotation != UINT16_MAX;
}

int identify_disk(const uint16_t words[256], struct identity *out) {
    struct identity id = {};
    if (bit(words[WORD_GENERAL], 15) || !checksum_good(words)) return -EIO;
    if (!valid(words[WORD_SUPPORTED + 1]) || !bit(words[WORD_SUPPORTED + 1], 10) || !bit(words[WORD_CAPABILITIES], 8))
        return -EOPNOTSUPP;
    names_get(words, &id);
    sizes_get(words, &id);
    features_get(words, &id);
    if (id.sectors == 0 || id.sectors > SECTORS_MAX || id.sector_size < 512 || id.sector_size > 4096 ||
        (id.sector_size & (id.sector_size - 1)))
        return -EIO;
    *out = id;
    return 0;
}

int identify_packet(const uint16_t words[256], struct identity *out) {
    if (words[WORD_GENERAL] >> 14 != 2 || !checksum_good(words)) return -EIO;
    *out = (struct identity){.sector_size = 2048, .physical_sector_size = 2048};
    names_get(words, out);
    return 0;
}
