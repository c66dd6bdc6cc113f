// SPDX-License-Identifier: MIT
/* I/O ports by an ioport handle.  The kernel checks `port` against the handle's range. */
#pragma once
#ifndef CATHODE_USER_STUBS
#define CATHODE_USER_STUBS
#endif
#include <abi/syscall.h>

static inline uint8_t port_read8(handle_t h, uint16_t port) {
    uint8_t value = 0xff;
    sys_port_io(h, port, 1, 0, &value, 1);
    return value;
}
static inline void port_write8(handle_t h, uint16_t port, uint8_t value) { sys_port_io(h, port, 1, 1, &value, 1); }
/* Many bytes from or to one port: one system call. */
static inline void port_read_many8(handle_t h, uint16_t port, uint8_t *bytes, size_t count) {
    sys_port_io(h, port, 1, 0, bytes, count);
}
static inline void port_write_many8(handle_t h, uint16_t port, const uint8_t *bytes, size_t count) {
    sys_port_io(h, port, 1, 1, (void *)bytes, count);
}
