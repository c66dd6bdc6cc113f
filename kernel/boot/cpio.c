// SPDX-License-Identifier: MIT
/*
 * Finds one file in a cpio archive of the SVR4 "new ASCII" format (magic 070701), bounded.
 *
 * Only the kernel's start needs it, for sbin/init; servers have a real reader.  As our archives do,
 * it accepts a name field padded with NULs and zero bytes between entries.
 */
#include <abi/errno.h>
#include <kernel/cpio.h>
#include <kernel/types.h>

#define HEADER_SIZE 110
enum { FIELD_MODE = 1, FIELD_SIZE = 6, FIELD_NAME_SIZE = 11 }; /* after the magic, 8 digits each */
#define MODE_TYPE 0170000
#define MODE_REGULAR 0100000

static bool field_read(const char *header, unsigned field, uint32_t *out) {
    uint32_t value = 0;
    for (unsigned i = 0; i < 8; i++) {
        char c = header[6 + 8 * field + i];
        if (c >= '0' && c <= '9') value = value << 4 | (uint32_t)(c - '0');
        else if ((c | 32) >= 'a' && (c | 32) <= 'f') value = value << 4 | (uint32_t)((c | 32) - 'a' + 10);
        else return false;
    }
    *out = value;
    return true;
}

/* Compares a name field of `size` bytes, NULs at its end, with a C string. */
static bool name_is(const char *field, size_t size, const char *name) {
    size_t i = 0;
    while (i < size && field[i] && field[i] == name[i]) i++;
    return i < size && !field[i] && !name[i];
}

int cpio_find(const void *archive, size_t size, const char *path, size_t *offset, size_t *length) {
    const char *base = archive;
    size_t at = 0;
    while (at < size && size - at >= HEADER_SIZE) {
        if (!base[at]) { /* padding */
            at += 4;
            continue;
        }
        const char *header = base + at;
        uint32_t mode, data_size, name_size;
        if (__builtin_memcmp(header, "070701", 6) || !field_read(header, FIELD_MODE, &mode) ||
            !field_read(header, FIELD_SIZE, &data_size) || !field_read(header, FIELD_NAME_SIZE, &name_size))
            return -EINVAL;
        size_t data = align_up(at + HEADER_SIZE + name_size, 4);
        if (data > size || data_size > size - data) return -EINVAL;
        const char *name = header + HEADER_SIZE;
        if (name_is(name, name_size, "TRAILER!!!")) break;
        if ((mode & MODE_TYPE) == MODE_REGULAR && name_is(name, name_size, path)) {
            *offset = data;
            *length = data_size;
            return 0;
        }
        at = align_up(data + data_size, 4);
    }
    return -ENOENT;
}
