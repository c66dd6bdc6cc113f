// SPDX-License-Identifier: MIT
/*
 * Pins: user buffers held in memory while a call is under way, so that both copies run through the
 * physical map and cannot fault.  A written pin makes pages private and dirty beforehand; fork
 * copies write-pinned private pages at once; munmap leaves the frames until the pin ends.
 */
#pragma once
#include <kernel/types.h>

#define PIN_BYTES_MAX 65536
struct frame;
struct pin {
    uint32_t offset; /* of the first byte in the first frame */
    uint32_t length;
    uint16_t count;
    bool write;
    struct frame *frames[PIN_BYTES_MAX / PAGE_SIZE + 1];
};
/* In the current address space. length ≤ PIN_BYTES_MAX. 0, -EFAULT, -ENOMEM, -EINTR. May sleep. */
MUST_CHECK int pin_user(struct pin *p, uaddr_t address, size_t length, bool write);
void pin_release(struct pin *p); /* count becomes 0; harmless on an empty pin */
void pin_write(struct pin *p, size_t at, const void *from, size_t n); /* into the user buffer */
void pin_read(const struct pin *p, size_t at, void *to, size_t n);
