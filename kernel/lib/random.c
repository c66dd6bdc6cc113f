// SPDX-License-Identifier: MIT
/*
 * The kernel's random numbers: ChaCha20 (RFC 8439 §2.3) with fast key erasure.  Each CPU has its own
 * generator: a buffer of key stream whose first 32 bytes replace the key at each refill, and whose
 * used bytes are wiped, so that what was given out can't be computed back.  Interrupt timing and
 * the hardware's generator are mixed into the key at refills.
 */
#include <kernel/clock.h>
#include <kernel/lib.h>
#include <kernel/lock.h>
#include <kernel/thread.h>

#define BLOCKS 8
#define KEY_BYTES 32

struct generator {
    uint32_t key[8];
    uint64_t nonce; /* never repeated under one key: the key changes at each refill */
    uint64_t pool[4]; /* timing samples since the last refill */
    uint32_t samples, left; /* unread bytes at the end of buffer */
    uint8_t buffer[BLOCKS * 64];
};
static struct generator generators[CPU_MAX];

static uint32_t rotate(uint32_t v, unsigned n) { return v << n | v >> (32 - n); }

static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d) {
    *a += *b, *d = rotate(*d ^ *a, 16);
    *c += *d, *b = rotate(*b ^ *c, 12);
    *a += *b, *d = rotate(*d ^ *a, 8);
    *c += *d, *b = rotate(*b ^ *c, 7);
}

/* One block of key stream. nonce: the last two words. */
void chacha20_block(const uint32_t key[8], uint32_t counter, const uint32_t nonce[3], uint32_t out[16]) {
    uint32_t x[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    for (unsigned i = 0; i < 8; i++) x[4 + i] = key[i];
    x[12] = counter;
    for (unsigned i = 0; i < 3; i++) x[13 + i] = nonce[i];
    uint32_t s[16];
    memcpy(s, x, sizeof(s));
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 4; i++) quarter_round(&s[i], &s[4 + i], &s[8 + i], &s[12 + i]);
        for (unsigned i = 0; i < 4; i++)
            quarter_round(&s[i], &s[4 + (i + 1) % 4], &s[8 + (i + 2) % 4], &s[12 + (i + 3) % 4]);
    }
    for (unsigned i = 0; i < 16; i++) out[i] = s[i] + x[i];
}

static void refill(struct generator *g) {
    uint64_t hardware = 0;
    (void)arch_random(&hardware);
    g->pool[0] ^= hardware;
    for (unsigned i = 0; i < 4; i++) {
        g->key[2 * i] ^= (uint32_t)g->pool[i];
        g->key[2 * i + 1] ^= (uint32_t)(g->pool[i] >> 32);
    }
    const uint32_t nonce[3] = {cpu_current()->id, (uint32_t)g->nonce, (uint32_t)(g->nonce >> 32)};
    g->nonce++;
    for (uint32_t i = 0; i < BLOCKS; i++) {
        uint32_t block[16];
        chacha20_block(g->key, i, nonce, block);
        memcpy(g->buffer + i * 64, block, sizeof(block));
    }
    memcpy(g->key, g->buffer, KEY_BYTES);
    memset(g->buffer, 0, KEY_BYTES);
    memset(g->pool, 0, sizeof(g->pool));
    g->left = sizeof(g->buffer) - KEY_BYTES;
}

/* Goes into the keys at the first refill. */
void random_init(void) {
    for (uint32_t word = 0; word < CPU_MAX * 4; word++) {
        uint64_t v = 0;
        (void)arch_random(&v);
        generators[word / 4].pool[word % 4] = v ^ arch_cycles() * 0x9e3779b97f4a7c15 ^ (uint64_t)clock_now();
    }
}

void random_add(uint64_t sample) {
    struct generator *g = &generators[cpu_current()->id];
    uint64_t *word = &g->pool[g->samples++ % 4];
    *word = (*word << 7 | *word >> 57) ^ sample * 0x9e3779b97f4a7c15;
}

void random_fill(void *out, size_t size) {
    struct generator *g = &generators[cpu_current()->id];
    for (uint8_t *to = out; size;) {
        if (!g->left) refill(g);
        size_t n = min(size, g->left);
        uint8_t *from = g->buffer + sizeof(g->buffer) - g->left;
        memcpy(to, from, n);
        memset(from, 0, n);
        g->left -= (uint32_t)n;
        to += n;
        size -= n;
    }
}

uint64_t random_u64(void) {
    uint64_t v;
    random_fill(&v, sizeof(v));
    return v;
}
