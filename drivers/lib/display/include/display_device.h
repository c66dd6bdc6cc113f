// SPDX-License-Identifier: MIT
/*
 * Class library of display drivers: it owns the scheme, the surfaces of the programs and which of them is seen, and
 * copies what has changed into d->screen.
 *
 * A driver's main: display_init(), set a mode, fill in struct display_device, display_serve().  One thread.
 */
#pragma once
#include <display.h>
#include <mode.h>
#include <pixels.h>
#include <scheme.h>

struct display_device;
struct display_ops { /* any of them may be null */
    /* This part of d->screen, within it, has been written. */
    void (*changed)(struct display_device *d, struct rect r);
    /* Another mode, a valid one: d->screen is of it, or -errno and as it was. */
    int (*set_mode)(struct display_device *d, const struct mode *m);
    /* A cursor in hardware with its hot spot there; null: none. With it: moves the one that is shown. Without these
     * two the library draws cursors. */
    void (*cursor)(struct display_device *d, const struct display_cursor *image, int32_t x, int32_t y);
    void (*cursor_move)(struct display_device *d, int32_t x, int32_t y);
    /* For what scheme_event_add(&d->scheme, …, key) waits for. */
    void (*event)(struct display_device *d, uint64_t key);
    void (*timeout)(struct display_device *d); /* d->scheme.deadline has passed */
};

struct display_device {
    struct scheme scheme;
    const struct display_ops *ops;
    struct screen screen; /* width 0: none */
    uint32_t generation; /* the library's */
};

/* Attaches to SERVICE_SCHEME. One device per process. 0 or -errno. */
[[nodiscard]] int display_init(struct display_device *d);
/* Says ready, serves until the port is gone. */
int display_serve(struct display_device *d);
/* d->screen has another shape: all is drawn, programs that watch their file are told. */
void display_changed(struct display_device *d);
