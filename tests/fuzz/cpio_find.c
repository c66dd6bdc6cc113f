// SPDX-License-Identifier: MIT
/* The kernel's look into a cpio archive, on arbitrary bytes. */
#include <kernel/cpio.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t offset, length;
    if (!cpio_find(data, size, "sbin/init", &offset, &length) && (offset > size || length > size - offset)) abort();
    return 0;
}
