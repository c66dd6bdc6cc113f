// SPDX-License-Identifier: MIT
/*
 * view FILE...: PNG pictures on the whole screen of a virtual terminal.  What cannot be read is told on standard error,
 * which is seen afterwards, and left out.
 */
#include "view_scale.h"
#include <abi/system.h>
#include <graphics.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define EVENTS 64
#define STEPS_ACROSS 8 /* of a cursor key, on a screen */

static struct graphics screen;
static char **files; /* those that could be read so far */
static int count, current;
static struct picture picture;
static struct place place;
static bool shown, failed;

/* Three quarters of what is free: the rest is for others. */
static uint64_t room(void) {
    struct memory_totals m = {};
    sys_system_info(SYSTEM_MEMORY, &m, sizeof(m));
    return (m.free + m.cache) / 4 * 3;
}

/* The current one, or the next one in this direction that can be read. False: there is none. */
static bool load(int direction) {
    char error[ERROR_MAX];
    picture_free(&picture);
    while (count > 0 && picture_read(&picture, files[current], room(), error) != 0) {
        fprintf(stderr, "view: %s: %s\n", files[current], error);
        failed = true;
        count--;
        memmove(&files[current], &files[current + 1], (size_t)(count - current) * sizeof(files[0]));
        if (direction < 0) current--;
        if (current < 0) current = count - 1;
        if (current >= count) current = 0;
    }
    return count > 0;
}

static void fit(void) {
    if (screen.display.pixels) place_fit(&place, &picture, screen.display.width, screen.display.height);
}

static void draw(void) {
    struct display *d = &screen.display;
    if (!shown || !d->pixels) return;
    picture_draw(&picture, &place, d->pixels, d->stride, d->width, d->height);
    (void)!display_damage(d, &(struct rect){0, 0, (int32_t)d->width, (int32_t)d->height}, 1);
}

/* False: there is nothing more to show. */
static bool go(int direction) {
    current = (current + direction + count) % count;
    if (!load(direction)) return false;
    fit();
    return true;
}

static void zoom(int direction) {
    place_zoom(&place, &picture, screen.display.width, screen.display.height, direction);
}

/* Cursor keys move a picture that is larger than the screen, and else choose another one. */
static bool move(int x, int y) {
    const struct display *d = &screen.display;
    const bool larger = x ? place.width > d->width : place.height > d->height;
    if (!larger) return x ? go(x) : true;
    place_move(&place, d->width, d->height, -x * (int64_t)d->width / STEPS_ACROSS,
               -y * (int64_t)d->height / STEPS_ACROSS);
    return true;
}

/* These return false at the end. */
static bool key(uint16_t code) {
    switch (code) {
    case KEY_ESC: return false;
    case KEY_LEFT: return move(-1, 0);
    case KEY_RIGHT: return move(1, 0);
    case KEY_UP: return move(0, -1);
    case KEY_DOWN: return move(0, 1);
    case KEY_PAGEDOWN: return go(1);
    case KEY_PAGEUP:
    case KEY_BACKSPACE: return go(-1);
    default: return true;
    }
}

static bool typed(int32_t letter) {
    switch (letter) {
    case 'q': return false;
    case ' ':
    case 'n': return go(1);
    case 'p': return go(-1);
    case '+':
    case '=': zoom(1); break;
    case '-': zoom(-1); break;
    case '0': fit(); break;
    }
    return true;
}

static void terminal_event(const struct input_event *e) {
    if (e->code == GRAPHICS_HIDDEN) shown = false;
    if (e->code != GRAPHICS_SHOWN) return;
    shown = true;
    if (graphics_surface(&screen) > 0) fit();
}

static bool take(const struct input_event *e, bool *changed) {
    if (e->type == GRAPHICS_EVENT && e->code != GRAPHICS_TEXT) terminal_event(e);
    else if (e->type != GRAPHICS_EVENT && (e->type != INPUT_KEY || e->value == 0)) return true;
    *changed = true;
    if (e->type == INPUT_KEY) return !screen.display.pixels || key(e->code);
    return e->code != GRAPHICS_TEXT || !screen.display.pixels || typed(e->value);
}

static void serve(void) {
    struct input_event events[EVENTS];
    long n;
    do {
        bool changed = false, on = true;
        poll(&(struct pollfd){screen.events, POLLIN, 0}, 1, -1);
        n = graphics_read(&screen, events, EVENTS);
        for (long i = 0; i < n && on; i++) on = take(&events[i], &changed);
        if (!on) return;
        if (changed) draw();
    } while (n >= 0); /* else the session has ended */
}

int main(int argc, char **argv) {
    files = argv + 1;
    count = argc - 1;
    if (count == 0 || files[0][0] == '-') {
        fputs(
            "usage: view FILE...\n"
            "Shows PNG pictures on a virtual terminal. Space, Backspace: the next one, the one before; + - 0: larger,\n"
            "smaller, as the screen is; cursor keys: around, or another one; q or Esc: the end.\n",
            stderr);
        return 2;
    }
    if (!load(1)) return 1;
    int e = graphics_open(&screen);
    if (e < 0) {
        fprintf(stderr, "view: %s\n", graphics_error(e));
        return 1;
    }
    serve();
    graphics_end(&screen);
    return failed;
}
