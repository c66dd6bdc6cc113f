// SPDX-License-Identifier: MIT
/* cpio(5) "New ASCII Format": 6 bytes magic, 13 fields of 8 hexadecimal digits, name, data. */
#include <cpio.h>
#include <string.h>

#include <abi/errno.h>

#define HEADER_SIZE 110
enum field {
    INODE,
    MODE,
    UID,
    GID,
    LINKS,
    MTIME,
    SIZE,
    MAJOR,
    MINOR,
    DEVICE_MAJOR,
    DEVICE_MINOR,
    NAME_SIZE,
    CHECK,
    FIELD_COUNT
};

static int field_read(const uint8_t *text, uint32_t *out) {
    uint32_t value = 0;
    for (int i = 0; i < 8; i++) {
        uint8_t c = text[i], lower = c | 0x20;
        uint32_t digit = c >= '0' && c <= '9'           ? c - '0'
                         : lower >= 'a' && lower <= 'f' ? (uint32_t)lower - 'a' + 10
                                                        : 16;
        if (digit == 16) return -EINVAL;
        value = value << 4 | digit;
    }
    *out = value;
    return 0;
}

static int header_read(const struct cpio_reader *r, uint32_t fields[FIELD_COUNT]) {
    const uint8_t *h = r->bytes + r->at;
    if (r->size - r->at < HEADER_SIZE || memcmp(h, "070701", 6) != 0) return -EINVAL;
    for (int i = 0; i < FIELD_COUNT; i++)
        if (field_read(h + 6 + i * 8, &fields[i]) != 0) return -EINVAL;
    return 0;
}

/* Names are relative to the root, whatever the archive's maker wrote. */
static void name_normalize(struct cpio_entry *e) {
    for (;;) {
        size_t skip = e->name_length && e->name[0] == '/' ? 1 : 0;
        if (e->name_length >= 2 && memcmp(e->name, "./", 2) == 0) skip = 2;
        if (!skip) break;
        e->name += skip;
        e->name_length -= skip;
    }
    while (e->name_length && e->name[e->name_length - 1] == '/') e->name_length--;
}

static bool is_trailer(const struct cpio_entry *e) {
    return e->name_length == 10 && memcmp(e->name, "TRAILER!!!", 10) == 0;
}

int cpio_next(struct cpio_reader *r, struct cpio_entry *out) {
    uint32_t f[FIELD_COUNT];
    for (;;) {
        while (r->at < r->size && r->bytes[r->at] == 0) r->at++;
        if (r->at == r->size) return 0;
        if (header_read(r, f) != 0) return -EINVAL;
        size_t name = r->at + HEADER_SIZE, left = r->size - name;
        if (f[NAME_SIZE] == 0 || f[NAME_SIZE] > left) return -EINVAL;
        size_t data = (name + f[NAME_SIZE] + 3) & ~(size_t)3;
        if (data > r->size || f[SIZE] > r->size - data) return -EINVAL;
        size_t end = (data + f[SIZE] + 3) & ~(size_t)3;
        r->at = end < r->size ? end : r->size;
        *out = (struct cpio_entry){
            .name = (const char *)r->bytes + name,
            .name_length = strnlen((const char *)r->bytes + name, f[NAME_SIZE]),
            .inode = f[INODE],
            .mode = f[MODE],
            .uid = f[UID],
            .gid = f[GID],
            .links = f[LINKS],
            .mtime = f[MTIME],
            .device_major = f[DEVICE_MAJOR],
            .device_minor = f[DEVICE_MINOR],
            .data = data,
            .size = f[SIZE],
        };
        if (is_trailer(out)) {
            r->archive++;
            continue;
        }
        name_normalize(out);
        return 1;
    }
}

int cpio_find(const void *bytes, size_t size, const char *path, struct cpio_entry *out) {
    struct cpio_reader r = {.bytes = bytes, .size = size};
    int found = 0;
    struct cpio_entry e;
    while (cpio_next(&r, &e) == 1) /* a later one overwrites */
        if (e.name_length == strlen(path) && memcmp(e.name, path, e.name_length) == 0) {
            *out = e;
            found = 1;
        }
    return found;
}
