// SPDX-License-Identifier: MIT
/* Names of sockets: paths are known by their node, abstract names by their bytes and the socket's type. */
#include "uds.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BUCKETS 1024

static struct socket *buckets[BUCKETS];

static uint32_t hash_bytes(const void *bytes, size_t length) {
    uint64_t hash = 0xcbf29ce484222325ULL; /* FNV-1a */
    for (const uint8_t *b = bytes; length; b++, length--) hash = (hash ^ *b) * 0x100000001b3ULL;
    return (uint32_t)(hash ^ hash >> 32) % BUCKETS;
}

static struct socket **bucket_of(const struct address *a, const struct node_id *node) {
    return &buckets[address_is_path(a) ? hash_bytes(node, sizeof(*node)) : hash_bytes(a->bytes, a->length)];
}

int address_parse(struct address *a, const void *bytes, size_t length) {
    sa_family_t family;
    if (length < sizeof(family) || length > sizeof(a->bytes)) return -EINVAL;
    memcpy(&family, bytes, sizeof(family));
    if (family != AF_UNIX) return -EINVAL;
    *a = (struct address){.length = (uint32_t)length};
    memcpy(a->bytes, bytes, length);
    if (!address_is_path(a)) return 0;
    /* A path ends at its NUL, which counts if there is room for one. */
    size_t path = strnlen(a->bytes + 2, length - 2);
    memset(a->bytes + 2 + path, 0, sizeof(a->bytes) - 2 - path);
    a->length = (uint32_t)(2 + path + 1);
    return 0;
}

static bool same_node(const struct node_id *a, const struct node_id *b) { return memcmp(a, b, sizeof(*a)) == 0; }

static bool is_named(const struct socket *s, const struct address *a, const struct node_id *node, int type) {
    if (address_is_path(a) != address_is_path(&s->local)) return false;
    if (address_is_path(a)) return same_node(&s->node, node);
    return s->type == type && s->local.length == a->length && memcmp(s->local.bytes, a->bytes, a->length) == 0;
}

struct socket *name_find(const struct address *a, const struct node_id *node, int type) {
    struct socket *s = *bucket_of(a, node);
    while (s && !is_named(s, a, node, type)) s = s->name_next;
    return s;
}

void name_add(struct socket *s) {
    struct socket **bucket = bucket_of(&s->local, &s->node);
    s->name_next = *bucket;
    *bucket = s;
}

void name_remove(struct socket *s) {
    struct socket **at = bucket_of(&s->local, &s->node);
    while (*at != s) at = &(*at)->name_next;
    *at = s->name_next;
}

int name_make(struct address *a, int type) {
    static uint32_t next;
    for (uint32_t tries = 0; tries <= 0xfffff; tries++) {
        char name[8];
        *a = (struct address){.length = 2 + 1 + 5, .bytes = {AF_UNIX}};
        snprintf(name, sizeof(name), "%05x", next++ & 0xfffff);
        memcpy(a->bytes + 3, name, 5);
        if (!name_find(a, nullptr, type)) return 0;
    }
    return -ENOSPC;
}

int node_identify(handle_t h, struct node_id *out, uint32_t *uid) {
    struct file_attributes attributes = {};
    struct handle_info info;
    struct call_args call = {
        .request = {.op = OP_STAT},
        .out = &attributes,
        .out_size = sizeof(attributes),
        .carry = HANDLE_NONE,
        .deadline = DEADLINE_NEVER,
    };
    if (sys_handle_info(h, &info) < 0 || info.type != OBJECT_FILE || sys_call(h, &call) < 0) return -ECONNREFUSED;
    if (!S_ISSOCK(attributes.mode)) return -ECONNREFUSED;
    *out = (struct node_id){info.scheme, attributes.device, attributes.inode};
    *uid = attributes.uid;
    return 0;
}
