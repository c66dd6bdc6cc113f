// SPDX-License-Identifier: MIT
/* Bochs' display interface (VBE DISPI) as QEMU's VGA and bochs-display have it in BAR 2 (docs/specs/standard-vga). */
#pragma once

#define BOCHS_VENDOR 0x1234
#define BOCHS_DEVICE 0x1111
#define BOCHS_BAR_MEMORY 0
#define BOCHS_BAR_REGISTERS 2
#define BOCHS_REGISTERS_SIZE 0x1000

enum bochs_offset {
    BOCHS_EDID = 0x000, /* 128 bytes, if the device has them */
    BOCHS_VGA = 0x400, /* ports 0x3c0 … 0x3df, a byte each */
    BOCHS_DISPI = 0x500, /* 16 bits each, by enum bochs_index */
};
#define EDID_SIZE 128
#define VGA_ATTRIBUTE 0x00 /* port 0x3c0 */
#define VGA_STATUS 0x1a /* port 0x3da: reading it makes the next write to 0x3c0 an index */
#define VGA_ATTRIBUTE_SHOW 0x20
enum bochs_index {
    DISPI_ID,
    DISPI_WIDTH,
    DISPI_HEIGHT,
    DISPI_BITS,
    DISPI_ENABLE,
    DISPI_BANK,
    DISPI_VIRTUAL_WIDTH,
    DISPI_VIRTUAL_HEIGHT,
    DISPI_X,
    DISPI_Y,
};
#define DISPI_ID_MASK 0xfff0
#define DISPI_ID_VALUE 0xb0c0
#define DISPI_ENABLED 0x01
#define DISPI_LINEAR 0x40
#define DISPI_KEEP 0x80 /* don't clear the memory */
