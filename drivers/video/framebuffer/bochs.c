// SPDX-License-Identifier: MIT
/* Setting modes of Bochs' display interface. */
#include "adapter.h"
#include "bochs_hw.h"
#include <mmio.h>
#include <pci.h>

static uint16_t dispi_read(const struct adapter *a, enum bochs_index index) {
    return mmio_read16(a->registers + BOCHS_DISPI + 2 * index);
}
static void dispi_write(struct adapter *a, enum bochs_index index, uint32_t value) {
    mmio_write16(a->registers + BOCHS_DISPI + 2 * index, (uint16_t)value);
}

int bochs_init(struct adapter *a) {
    volatile void *registers;
    int e = pci_bar_map(a->function, BOCHS_BAR_REGISTERS, 0, BOCHS_REGISTERS_SIZE, &registers);
    if (e) return e;
    a->registers = registers;
    if ((dispi_read(a, DISPI_ID) & DISPI_ID_MASK) == DISPI_ID_VALUE) return 0;
    a->registers = nullptr;
    return -ENODEV;
}

bool bochs_preferred(const struct adapter *a, struct mode *out) {
    uint8_t edid[EDID_SIZE];
    for (unsigned i = 0; i < EDID_SIZE; i++) edid[i] = mmio_read8(a->registers + BOCHS_EDID + i);
    return mode_of_edid(edid, out);
}

static void unblank(struct adapter *a) {
    mmio_read8(a->registers + BOCHS_VGA + VGA_STATUS);
    mmio_write8(a->registers + BOCHS_VGA + VGA_ATTRIBUTE, VGA_ATTRIBUTE_SHOW);
}

int bochs_set(struct adapter *a, const struct mode *m) {
    dispi_write(a, DISPI_ENABLE, 0);
    dispi_write(a, DISPI_WIDTH, m->width);
    dispi_write(a, DISPI_HEIGHT, m->height);
    dispi_write(a, DISPI_BITS, m->bits);
    dispi_write(a, DISPI_BANK, 0);
    dispi_write(a, DISPI_VIRTUAL_WIDTH, mode_stride(m));
    dispi_write(a, DISPI_VIRTUAL_HEIGHT, m->height);
    dispi_write(a, DISPI_X, 0);
    dispi_write(a, DISPI_Y, 0);
    dispi_write(a, DISPI_ENABLE, DISPI_ENABLED | DISPI_LINEAR | DISPI_KEEP);
    unblank(a);
    /* What the device made of it: some round the width. */
    uint32_t stride = dispi_read(a, DISPI_VIRTUAL_WIDTH), width = dispi_read(a, DISPI_WIDTH);
    struct screen s = {
        .pixels = a->screen.pixels,
        .pitch = (stride < width ? width : stride) * (m->bits / 8),
        .width = width,
        .height = dispi_read(a, DISPI_HEIGHT),
        .format = mode_format(m),
    };
    if (dispi_read(a, DISPI_BITS) != m->bits || !screen_fits(&s, 0, a->memory_size)) return -EIO;
    a->screen = s;
    return 0;
}
