// SPDX-License-Identifier: MIT
/* Names: Rock Ridge's as they are, Joliet's big-endian UCS-2, plain ones without their version. */
#include "internal.h"

static uint32_t joliet_name(const uint8_t *p, uint32_t units, char *out) {
    uint32_t used = 0;
    for (uint32_t i = 0; i < units; i++) {
        uint32_t c = (uint32_t)p[2 * i] << 8 | p[2 * i + 1],
                 low = i + 1 < units ? (uint32_t)p[2 * i + 2] << 8 | p[2 * i + 3] : 0;
        if (c == ';' && i + 2 == units) break;
        if ((c & 0xfc00) == 0xd800 && (low & 0xfc00) == 0xdc00) {
            c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
            i++;
        }
        uint32_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        if (used + length > ISO_NAME_MAX) return 0;
        for (uint32_t k = length - 1; k; k--, c >>= 6) out[used + k] = (char)(0x80 | (c & 0x3f));
        out[used] = (char)(length == 1 ? c : (0xf00u >> length & 0xff) | c);
        used += length;
    }
    return used;
}

static uint32_t plain_name(const uint8_t *p, uint32_t length, char *out) {
    const uint8_t *version = memchr(p, ';', length);
    if (version) length = (uint32_t)(version - p);
    if (length > 1 && p[length - 1] == '.') length--;
    for (uint32_t i = 0; i < length; i++) out[i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]);
    return length;
}

uint32_t record_name(struct iso *iso, const struct record *r, const struct rock *rock) {
    const uint8_t *p = r->bytes + sizeof(r->fixed);
    uint32_t length;
    if (rock->name) memcpy(iso->name, rock->name_text, length = rock->name_length);
    else if (iso->info.names == ISO_JOLIET) length = joliet_name(p, r->fixed.name_length / 2, iso->name);
    else length = plain_name(p, r->fixed.name_length, iso->name);
    bool dots = (length == 1 && iso->name[0] == '.') || (length == 2 && memcmp(iso->name, "..", 2) == 0);
    return dots || memchr(iso->name, 0, length) || memchr(iso->name, '/', length) ? 0 : length;
}
