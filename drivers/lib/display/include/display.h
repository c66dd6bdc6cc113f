// SPDX-License-Identifier: MIT
/*
 * A screen, as programs use it: the file `display0:screen` (/scheme/display0/screen).  Each open of it may have one
 * surface: memory that the program maps and draws into, 32 bits per pixel, 0x00RRGGBB.  Nothing is copied on the way:
 * display_damage() says what has changed, and the driver puts it on the screen, if this surface is the one in front.
 * A surface smaller than the screen is shown in its middle.
 *
 *     struct display d;
 *     if (display_open(&d, "display0") == 0 && display_surface(&d, 640, 480) == 0) {
 *         d.pixels[y * d.stride + x] = 0xff0000;
 *         display_show(&d, true);
 *         display_damage(&d, &(struct rect){0, 0, 640, 480}, 1);
 *     }
 *
 * The surface in front is the one that was last shown; when its file is closed, by the death of the program too, the
 * one behind it comes back, as its program left it.  If the driver is started again, calls on the file answer -ESTALE:
 * open it anew.  A file that is watched for reading is ready when the mode has changed, until display_info(): the
 * surface stays, in the middle of the new screen, for the program to replace.
 */
#pragma once
#ifndef CATHODE_USER_STUBS
#define CATHODE_USER_STUBS
#endif
#include <abi/errno.h>
#include <abi/scheme.h>
#include <abi/syscall.h>
#include <pixels.h>

enum display_op {
    DISPLAY_INFO = OP_USER, /* answers struct display_info */
    DISPLAY_SURFACE, /* args: width, height; replaces this file's; reply.handle: memory, args[0]: bytes per line */
    DISPLAY_DAMAGE, /* data: struct rect[], at most DISPLAY_RECTS_MAX, of the surface */
    DISPLAY_CURSOR, /* data: struct display_cursor, or nothing: no cursor */
    DISPLAY_CURSOR_MOVE, /* args: x, y of its hot spot, in the surface */
    /* Only for root: */
    DISPLAY_SHOW, /* args[0] 1: in front of the others, 0: behind them */
    DISPLAY_MODE, /* args: width, height, bits per pixel; -EOPNOTSUPP: this screen has one mode */
};
#define DISPLAY_RECTS_MAX 64
#define DISPLAY_SIDE_MAX 16384 /* pixels */

struct display_info {
    uint32_t width, height, pitch; /* of the screen: pixels, pixels, bytes */
    uint32_t generation; /* changes with the mode */
    struct pixel_format format; /* of the screen, not of surfaces */
    uint32_t can_set_mode, in_front; /* 1 or 0; of this file */
    uint32_t has_cursor, reserved; /* has_cursor: in hardware, else it is drawn */
};

/* The cursor of whom is seen lies on the screen, not in a surface. */
#define DISPLAY_CURSOR_SIDE 64
struct display_cursor {
    uint32_t hot_x, hot_y; /* the pixel that points, below DISPLAY_CURSOR_SIDE */
    uint32_t pixels[DISPLAY_CURSOR_SIDE * DISPLAY_CURSOR_SIDE]; /* 0xAARRGGBB */
};

struct display {
    handle_t file;
    uint32_t *pixels; /* null: no surface */
    uint32_t stride, width, height; /* of the surface, in pixels */
    size_t size; /* bytes mapped */
    struct display_info info;
};

/* All return 0 or -errno.  display_open fills d->info; it waits up to 10 s for a driver that is being started,
 * display_open_until until the deadline (CLOCK_MONOTONIC, in ns). */
[[nodiscard]] int display_open(struct display *d, const char *scheme);
[[nodiscard]] int display_open_until(struct display *d, const char *scheme, int64_t deadline);
void display_close(struct display *d);
[[nodiscard]] int display_info(struct display *d);
[[nodiscard]] int display_surface(struct display *d, uint32_t width, uint32_t height);
[[nodiscard]] int display_damage(struct display *d, const struct rect *rects, size_t count);
[[nodiscard]] int display_show(struct display *d, bool in_front);
[[nodiscard]] int display_mode(struct display *d, uint32_t width, uint32_t height, uint32_t bits);
[[nodiscard]] int display_cursor(struct display *d, const struct display_cursor *image); /* null: none */
[[nodiscard]] int display_cursor_move(struct display *d, uint32_t x, uint32_t y);
