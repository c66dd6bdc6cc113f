// SPDX-License-Identifier: MIT
/* Hashes of names: half of MD4, TEA, and the oldest one; names are taken as signed or unsigned characters. */
#include "internal.h"

static uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

struct md4 {
    uint32_t a, b, c, d;
};

/* One step; the four words change places. */
static void md4_step(struct md4 *m, uint32_t mixed, int shift) {
    uint32_t a = rotate(m->a + mixed, shift);
    *m = (struct md4){m->d, a, m->b, m->c};
}

static void half_md4(uint32_t state[4], const uint32_t in[8]) {
    static const uint8_t order[3][8] = {{0, 1, 2, 3, 4, 5, 6, 7}, {1, 3, 5, 7, 0, 2, 4, 6}, {3, 7, 2, 6, 1, 5, 0, 4}};
    static const uint8_t shifts[3][4] = {{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}};
    static const uint32_t constants[3] = {0, 0x5a827999, 0x6ed9eba1};
    struct md4 m = {state[0], state[1], state[2], state[3]};
#pragma clang loop unroll(full)
    for (int round = 0; round < 3; round++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < 8; i++) {
            uint32_t f = round == 0   ? m.d ^ (m.b & (m.c ^ m.d))
                         : round == 1 ? (m.b & m.c) + ((m.b ^ m.c) & m.d)
                                      : m.b ^ m.c ^ m.d;
            md4_step(&m, f + in[order[round][i]] + constants[round], shifts[round][i % 4]);
        }
    }
    state[0] += m.a;
    state[1] += m.b;
    state[2] += m.c;
    state[3] += m.d;
}

static void tea(uint32_t state[4], const uint32_t in[4]) {
    uint32_t sum = 0, x = state[0], y = state[1];
    for (int i = 0; i < 16; i++) {
        sum += 0x9e3779b9;
        x += ((y << 4) + in[0]) ^ (y + sum) ^ ((y >> 5) + in[1]);
        y += ((x << 4) + in[2]) ^ (x + sum) ^ ((x >> 5) + in[3]);
    }
    state[0] += x;
    state[1] += y;
}

static uint32_t character(const char *p, bool is_unsigned) {
    return is_unsigned ? (uint8_t)*p : (uint32_t)(int32_t)(int8_t)*p;
}

static uint32_t legacy(const char *name, size_t length, bool is_unsigned) {
    uint32_t last = 0x12a3fe2d, before = 0x37abe8f9;
    while (length--) {
        uint32_t hash = before + (last ^ character(name++, is_unsigned) * 7152373u);
        if (hash & 0x80000000) hash -= 0x7fffffff;
        before = last;
        last = hash;
    }
    return last << 1;
}

/* The next words of the name, padded with its length. */
static void words_fill(uint32_t *out, int words, const char *name, size_t length, bool is_unsigned) {
    uint32_t pad = (uint32_t)length | (uint32_t)length << 8;
    pad |= pad << 16;
    size_t at = 0;
    for (int i = 0; i < words; i++) {
        uint32_t word = pad;
        for (int k = 0; k < 4 && at < length; k++) word = character(name + at++, is_unsigned) + (word << 8);
        out[i] = word;
    }
}

struct hash name_hash(const struct ext4 *fs, uint8_t version, const char *name, size_t length) {
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}, in[8];
    const uint32_t *seed = fs->super->hash_seed;
    if (seed[0] | seed[1] | seed[2] | seed[3]) memcpy(state, seed, sizeof(state));
    struct hash h;
    if (version == 0) {
        /* Without a second half; readers of directories want one all the same. */
        h = (struct hash){legacy(name, length, fs->hash_unsigned), crc32c(~0u, name, length)};
    } else {
        size_t step = version == 1 ? 32 : 16;
        for (size_t at = 0; at < length; at += step) {
            words_fill(in, (int)step / 4, name + at, length - at, fs->hash_unsigned);
            if (version == 1) half_md4(state, in);
            else tea(state, in);
        }
        h = version == 1 ? (struct hash){state[1], state[2]} : (struct hash){state[0], state[1]};
    }
    h.major &= ~1u;
    if (h.major == HASH_END) h.major = (0x7fffffffu - 1) << 1;
    return h;
}
