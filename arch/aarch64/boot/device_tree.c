// SPDX-License-Identifier: MIT
/*
 * The flattened device tree, as far as this port needs it: /memory@…/reg and /chosen/bootargs.
 * Devicetree Specification 0.4 §5: a header, a block of 4-byte aligned tokens, a block of names;
 * all numbers are big-endian. Every offset and length is checked.
 */
#include "device_tree.h"
#include "../../../kernel/boot/range.h"
#include <kernel/lib.h>

#define MAGIC 0xd00dfeed
#define VERSION 17
enum token { TOKEN_BEGIN = 1, TOKEN_END, TOKEN_PROPERTY, TOKEN_NOP, TOKEN_FINISH = 9 };
enum node { NODE_OTHER, NODE_MEMORY, NODE_CHOSEN };

struct header {
    uint32_t magic, total, tokens, names, reserved, version, compatible, cpu, names_size, tokens_size;
};
struct tree {
    const uint8_t *at, *end; /* the tokens not yet read */
    const char *names;
    size_t names_size;
    unsigned depth;
    enum node node; /* at depth 2: children of the root */
    struct bootinfo *out;
};

static uint32_t big32(const void *p) {
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return __builtin_bswap32(v);
}
static uint64_t big64(const void *p) { return (uint64_t)big32(p) << 32 | big32((const char *)p + 4); }

/* The next n bytes, padded to whole tokens, or null. */
static const void *take(struct tree *t, size_t n) {
    const uint8_t *p = t->at;
    size_t left = (size_t)(t->end - p);
    if (n > left || align_up(n, 4) > left) return nullptr;
    t->at += align_up(n, 4);
    return p;
}

static bool begin_node(struct tree *t) {
    size_t left = (size_t)(t->end - t->at), n = strnlen((const char *)t->at, left);
    const char *name = n < left ? take(t, n + 1) : nullptr;
    if (!name) return false;
    if (++t->depth == 2)
        t->node = !strncmp(name, "memory@", 7) ? NODE_MEMORY : !strcmp(name, "chosen") ? NODE_CHOSEN : NODE_OTHER;
    return true;
}

/* The root of machine virt has two cells for each address and size. */
static bool add_memory(struct bootinfo *out, const char *value, size_t n) {
    for (; n >= 16; n -= 16, value += 16)
        if (boot_range_set(out, big64(value), big64(value + 8), BOOT_MEMORY_FREE)) return false;
    return n == 0;
}

/* The name at this offset of the block of names, or null. */
static const char *name_at(const struct tree *t, size_t offset) {
    size_t left = offset < t->names_size ? t->names_size - offset : 0;
    return left && strnlen(t->names + offset, left) < left ? t->names + offset : nullptr;
}

static bool read_property(struct tree *t) {
    const char *head = take(t, 8); /* length, name */
    size_t n = head ? big32(head) : 0;
    const char *value = head ? take(t, n) : nullptr;
    const char *name = head ? name_at(t, big32(head + 4)) : nullptr;
    if (!value || !name) return false;
    if (t->depth == 2 && t->node == NODE_MEMORY && !strcmp(name, "reg")) return add_memory(t->out, value, n);
    if (t->depth == 2 && t->node == NODE_CHOSEN && !strcmp(name, "bootargs"))
        memcpy(t->out->command_line, value, min(n, BOOT_COMMAND_MAX - 1UL));
    return true;
}

static bool read_tokens(struct tree *t) {
    for (const void *token; (token = take(t, 4));) {
        switch (big32(token)) {
        case TOKEN_BEGIN:
            if (!begin_node(t)) return false;
            break;
        case TOKEN_END:
            if (!t->depth--) return false;
            break;
        case TOKEN_PROPERTY:
            if (!read_property(t)) return false;
            break;
        case TOKEN_NOP: break;
        case TOKEN_FINISH: return t->depth == 0;
        default: return false;
        }
    }
    return false;
}

static bool within(uint32_t start, uint32_t length, uint32_t total) {
    return start <= total && length <= total - start;
}

int device_tree_parse(const void *data, size_t size, struct bootinfo *out) {
    struct header h = {};
    for (size_t i = 0; size >= sizeof(h) && i < sizeof(h) / 4; i++)
        ((uint32_t *)&h)[i] = big32((const uint32_t *)data + i);
    out->problem = "no usable device tree at the start of RAM";
    if (h.magic != MAGIC || h.version < VERSION || h.total > size || !within(h.tokens, h.tokens_size, h.total) ||
        !within(h.names, h.names_size, h.total))
        return -EINVAL;
    struct tree t = {
        .at = (const uint8_t *)data + h.tokens,
        .end = (const uint8_t *)data + h.tokens + h.tokens_size,
        .names = (const char *)data + h.names,
        .names_size = h.names_size,
        .out = out,
    };
    if (!read_tokens(&t)) return -EINVAL;
    out->problem = nullptr;
    return 0;
}
