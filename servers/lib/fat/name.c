// SPDX-License-Identifier: MIT
/* Long names (UTF-16) and short ones (8.3, code page 437): §6, §7. */
#include "internal.h"

static const uint16_t high_437[128] = {
    0xc7,   0xfc,   0xe9,   0xe2,   0xe4,   0xe0,   0xe5,   0xe7,   0xea,   0xeb,   0xe8,   0xef,   0xee,
    0xec,   0xc4,   0xc5,   0xc9,   0xe6,   0xc6,   0xf4,   0xf6,   0xf2,   0xfb,   0xf9,   0xff,   0xd6,
    0xdc,   0xa2,   0xa3,   0xa5,   0x20a7, 0x192,  0xe1,   0xed,   0xf3,   0xfa,   0xf1,   0xd1,   0xaa,
    0xba,   0xbf,   0x2310, 0xac,   0xbd,   0xbc,   0xa1,   0xab,   0xbb,   0x2591, 0x2592, 0x2593, 0x2502,
    0x2524, 0x2561, 0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510, 0x2514,
    0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f, 0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550,
    0x256c, 0x2567, 0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518, 0x250c,
    0x2588, 0x2584, 0x258c, 0x2590, 0x2580, 0x3b1,  0xdf,   0x393,  0x3c0,  0x3a3,  0x3c3,  0xb5,   0x3c4,
    0x3a6,  0x398,  0x3a9,  0x3b4,  0x221e, 0x3c6,  0x3b5,  0x2229, 0x2261, 0xb1,   0x2265, 0x2264, 0x2320,
    0x2321, 0xf7,   0x2248, 0xb0,   0x2219, 0xb7,   0x221a, 0x207f, 0xb2,   0x25a0, 0xa0};

/* --- UTF --- */
/* One character of at most `left` bytes; its length, 0 if it isn't one. Surrogates pass: disks have lone ones. */
static uint32_t character_decode(const uint8_t *p, size_t left, uint32_t *out) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t length = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf8 ? 4 : 0;
    if (!length || length > left) return 0;
    uint32_t c = length == 1 ? p[0] : p[0] & 0x7fu >> length;
    for (uint32_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    *out = c;
    return c >= least[length] && c < 0x110000 ? length : 0;
}

int name_decode(const char *text, size_t length, uint16_t out[NAME_UNITS_MAX]) {
    uint32_t units = 0;
    while (length) {
        uint32_t c, used = character_decode((const uint8_t *)text, length, &c);
        if (!used) return -EINVAL;
        if (units + 1 + (c > 0xffff) > NAME_UNITS_MAX) return -ENAMETOOLONG;
        if (c > 0xffff) out[units++] = (uint16_t)(0xd7c0 + (c >> 10));
        out[units++] = (uint16_t)(c > 0xffff ? 0xdc00 | (c & 0x3ff) : c);
        text += used;
        length -= used;
    }
    return (int)units;
}

static bool pair_is(const uint16_t *units, uint32_t left) {
    return left > 1 && (units[0] & 0xfc00) == 0xd800 && (units[1] & 0xfc00) == 0xdc00;
}

uint32_t name_encode(const uint16_t *units, uint32_t count, char *out, uint32_t room) {
    uint32_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t c = units[i];
        if (!c || c == '/') return 0;
        if (pair_is(units + i, count - i)) c = 0x10000 + ((c & 0x3ff) << 10) + (units[++i] & 0x3ff);
        uint32_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        if (used + length > room) return 0;
        for (uint32_t k = length - 1; k; k--, c >>= 6) out[used + k] = (char)(0x80 | (c & 0x3f));
        out[used] = (char)(length == 1 ? c : (0xf00u >> length & 0xff) | c);
        used += length;
    }
    return (used == 1 && out[0] == '.') || (used == 2 && out[0] == '.' && out[1] == '.') ? 0 : used;
}

/* --- case: Latin, Greek, Cyrillic --- */
static uint16_t upper(uint16_t c) {
    if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
    if (c >= 0xe0 && c <= 0xfe && c != 0xf7) return c - 32;
    if (c == 0xff) return 0x178;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e)) return c % 2 ? c : c - 1;
    if (c >= 0x100 && c <= 0x177 && c != 0x131 && c != 0x138 && c != 0x149) return c & ~1;
    if (c >= 0x3b1 && c <= 0x3cb && c != 0x3c2) return c - 32;
    if (c >= 0x430 && c <= 0x44f) return c - 32;
    if (c >= 0x450 && c <= 0x45f) return c - 80;
    if ((c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf) || (c >= 0x4d0 && c <= 0x52f)) return c & ~1;
    return c;
}

bool name_equal(const uint16_t *a, uint32_t a_units, const uint16_t *b, uint32_t b_units) {
    if (a_units != b_units) return false;
    for (uint32_t i = 0; i < a_units; i++)
        if (a[i] != b[i] && upper(a[i]) != upper(b[i])) return false;
    return true;
}

uint32_t name_hash(const uint16_t *name, uint32_t units) {
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < units; i++) hash = (hash ^ name[i]) * 16777619u;
    return hash;
}

/* --- what FAT can have --- */
bool name_valid(const uint16_t *name, uint32_t units) {
    for (uint32_t i = 0; i < units; i++)
        if (name[i] < 32 || (name[i] < 128 && strchr("\"*/:<>?\\|", name[i]))) return false;
    uint16_t last = name[units - 1];
    return last != ' ' && last != '.'; /* Windows takes them off */
}

/* --- short names --- */
uint8_t short_checksum(const uint8_t name[11]) {
    uint8_t sum = 0;
    for (int i = 0; i < 11; i++) sum = (uint8_t)((sum & 1) << 7) + (sum >> 1) + name[i];
    return sum;
}

static uint32_t part_decode(const uint8_t *p, uint32_t length, bool lower, uint16_t *out) {
    while (length && p[length - 1] == ' ') length--;
    for (uint32_t i = 0; i < length; i++) {
        uint16_t c = p[i] < 128 ? p[i] : high_437[p[i] - 128];
        out[i] = lower && c >= 'A' && c <= 'Z' ? c + 32 : c;
    }
    return length;
}

uint32_t short_decode(const struct fat_slot *s, uint16_t out[12]) {
    uint8_t name[11];
    memcpy(name, s->name, sizeof(name));
    if (name[0] == SLOT_E5) name[0] = 0xe5;
    uint32_t units = part_decode(name, 8, s->case_flags & CASE_BASE_LOWER, out);
    uint16_t extension[3];
    uint32_t more = part_decode(name + 8, 3, s->case_flags & CASE_EXTENSION_LOWER, extension);
    if (!units || !more) return units;
    out[units++] = '.';
    for (uint32_t i = 0; i < more; i++) out[units++] = extension[i];
    return units;
}

/* A character of a short name, '_' for what can't be in one. */
static uint8_t short_character(uint16_t c) {
    bool fits = c > 32 && c < 127 && !strchr("\"*+,./:;<=>?[\\]|", c);
    return fits ? (uint8_t)upper(c) : '_';
}

/* name[from … to) into at most `room` bytes; false if something was left out or altered. */
static bool part_make(const uint16_t *name, uint32_t from, uint32_t to, uint8_t *out, uint32_t room) {
    bool exact = true;
    uint32_t used = 0;
    for (uint32_t i = from; i < to; i++) {
        if (name[i] == ' ' || name[i] == '.') {
            exact = false;
            continue;
        }
        uint8_t c = short_character(name[i]);
        if (used == room || (c == '_' && name[i] != '_')) exact = false;
        if (used < room) out[used++] = c;
    }
    return exact;
}

void short_make(const uint16_t *name, uint32_t units, uint8_t out[11], bool *needs_long, bool *exact) {
    uint32_t start = 0, dot = units;
    memset(out, ' ', 11);
    while (start < units && (name[start] == '.' || name[start] == ' ')) start++;
    for (uint32_t i = units; i > start + 1 && dot == units; i--)
        if (name[i - 1] == '.') dot = i - 1;
    *exact = part_make(name, start, dot, out, 8) && start == 0;
    if (dot < units) *exact = part_make(name, dot + 1, units, out + 8, 3) && *exact;
    if (out[0] == ' ') out[0] = '_';
    *needs_long = !*exact;
    for (uint32_t i = 0; i < units; i++)
        if (upper(name[i]) != name[i]) *needs_long = true;
}

void short_candidate(const uint8_t basis[11], uint32_t hash, uint32_t number, uint8_t out[11]) {
    static const char digits[] = "0123456789ABCDEF";
    uint32_t length = 0, most = number < 4 ? 6 : 2; /* BASENA~1 … ~4, then BA1234~1 … ~9 */
    memcpy(out, basis, 11);
    while (length < most && basis[length] != ' ') length++;
    memset(out + length, ' ', 8 - length);
    for (int shift = 12; number >= 4 && shift >= 0; shift -= 4) out[length++] = (uint8_t)digits[hash >> shift & 15];
    out[length++] = '~';
    out[length] = (uint8_t)('1' + (number < 4 ? number : number - 4));
}
