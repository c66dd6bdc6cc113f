// SPDX-License-Identifier: MIT
/* A display adapter: where its screen is, and how its mode is set. */
#pragma once
#include <abi/types.h>
#include <mode.h>
#include <pixels.h>

struct adapter {
    handle_t function; /* pci.h */
    struct screen screen; /* width 0: none */
    uint64_t memory_size; /* bytes from screen.pixels on */
    volatile uint8_t *registers; /* Bochs'; null: this adapter has one mode */
    bool left; /* the mode is the one that the firmware left, and a panic shows itself in */
};

/* Finds the screen, and sets a mode if there is none. 0, or -errno: it has none that we know how to use. */
[[nodiscard]] int adapter_init(struct adapter *a, handle_t function);
/* Another mode: 0 or -errno, and then the present one stays. */
[[nodiscard]] int adapter_set_mode(struct adapter *a, const struct mode *m);

/* --- bochs.c --- */
[[nodiscard]] int bochs_init(struct adapter *a);
bool bochs_preferred(const struct adapter *a, struct mode *out);
/* Sets it, and a->screen but for the pixels. */
[[nodiscard]] int bochs_set(struct adapter *a, const struct mode *m);
