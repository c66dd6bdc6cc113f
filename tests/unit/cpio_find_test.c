// SPDX-License-Identifier: MIT
/* The kernel's look for init in a cpio archive. */
#include <abi/errno.h>
#include <kernel/cpio.h>
#include <unit.h>

static char archive[4096];
static size_t length;

/* Adds an entry, with the name's field padded to `name_size`. */
static void add(const char *name, size_t name_size, unsigned mode, const char *data) {
    length += (size_t)sprintf(archive + length, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 1, mode,
                              0, 0, 1, 0, (unsigned)strlen(data), 0, 0, 0, 0, (unsigned)name_size, 0);
    memset(archive + length, 0, name_size);
    memcpy(archive + length, name, strlen(name));
    length = (length + name_size + 3) / 4 * 4;
    memcpy(archive + length, data, strlen(data));
    length = (length + strlen(data) + 3) / 4 * 4;
}

static void make(void) {
    memset(archive, 0, sizeof(archive));
    length = 0;
    add("sbin", 5, 0040755, "");
    add("sbin/init2", 11, 0100755, "wrong");
    length += 64; /* padding between entries */
    add("sbin/init", 90, 0100755, "right");
    add("TRAILER!!!", 11, 0, "");
}

TEST(finds) {
    size_t offset, size;
    make();
    CHECK(cpio_find(archive, length, "sbin/init", &offset, &size) == 0);
    CHECK(size == 5 && !memcmp(archive + offset, "right", 5));
    CHECK(cpio_find(archive, length, "sbin", &offset, &size) == -ENOENT); /* not a regular file */
    CHECK(cpio_find(archive, length, "sbin/ini", &offset, &size) == -ENOENT);
    CHECK(cpio_find(archive, length, "bin/sh", &offset, &size) == -ENOENT);
}

TEST(truncated) {
    size_t offset, size;
    make();
    for (size_t n = 0; n < length; n++) {
        int e = cpio_find(archive, n, "sbin/init", &offset, &size);
        CHECK(e == -ENOENT || e == -EINVAL || (e == 0 && offset + size <= n));
    }
}

TEST(bad_fields) {
    size_t offset, size;
    make();
    archive[54] = 'x'; /* a digit of the size */
    CHECK(cpio_find(archive, length, "sbin/init", &offset, &size) == -EINVAL);
    make();
    memset(archive + 54, 'f', 8); /* size */
    CHECK(cpio_find(archive, length, "sbin/init", &offset, &size) == -EINVAL);
    make();
    memset(archive + 94, 'f', 8); /* name's size */
    CHECK(cpio_find(archive, length, "sbin/init", &offset, &size) == -EINVAL);
    make();
    archive[5] = '2';
    CHECK(cpio_find(archive, length, "sbin/init", &offset, &size) == -EINVAL);
}

UNIT_MAIN
