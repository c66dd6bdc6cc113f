// SPDX-License-Identifier: MIT
/*
 * sysmon: what the machine does, on the whole screen of a virtual terminal, once a second; README.md.  While another
 * terminal is seen it only looks, so that the graphs have no gap.
 */
#include "page.h"
#include <graphics.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PERIOD_MS 1000
#define EVENTS 64

static struct graphics screen;
static struct canvas canvas;
static struct figures figures;
static struct processes processes;
static struct page page;
static bool shown, changed; /* changed: the page has to be drawn */

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Another surface, if there has to be one. */
static int surface_get(void) {
    int e = graphics_surface(&screen);
    return e > 0 || (e == 0 && !canvas.display) ? canvas_begin(&canvas, &screen.display) : e;
}

static void draw(void) {
    changed = false;
    if (!shown || (!canvas.display && surface_get() < 0)) return;
    page_draw(&page, &canvas, &figures, &processes);
    if (canvas_finish(&canvas) < 0) canvas.display = nullptr; /* its driver has died: anew when that's back */
}

static void look(void) {
    figures_look(&figures);
    processes_look(&processes, figures.elapsed_ns);
    changed = true;
}

/* False: the end. */
static bool key(uint16_t code) {
    switch (code) {
    case KEY_ESC: return false;
    case KEY_UP: page.scrolled--; break;
    case KEY_DOWN: page.scrolled++; break;
    case KEY_PAGEUP: page.scrolled -= page.lines; break;
    case KEY_PAGEDOWN: page.scrolled += page.lines; break;
    case KEY_HOME: page.scrolled = 0; break;
    case KEY_END: page.scrolled = INT16_MAX; break;
    default: return true;
    }
    changed = true;
    return true;
}

static bool terminal_event(const struct input_event *e) {
    if (e->code == GRAPHICS_TEXT) return e->value != 'q' && e->value != 'Q';
    if (e->code == GRAPHICS_HIDDEN) shown = false;
    if (e->code == GRAPHICS_SHOWN) {
        shown = changed = true;
        if (surface_get() < 0) canvas.display = nullptr;
        else
            damage_add(&canvas.damage,
                       (struct rect){0, 0, (int32_t)screen.display.width, (int32_t)screen.display.height});
    }
    return true;
}

/* What has come. False: the end. */
static bool take(void) {
    struct input_event events[EVENTS];
    long n;
    while ((n = graphics_read(&screen, events, EVENTS)) > 0)
        for (long i = 0; i < n; i++) {
            const struct input_event *e = &events[i];
            if (e->type == GRAPHICS_EVENT && !terminal_event(e)) return false;
            if (e->type == INPUT_KEY && e->value != 0 && !key(e->code)) return false;
        }
    return n == 0; /* else the session has ended */
}

static void serve(void) {
    int64_t next = now_ms();
    do {
        const int64_t now = now_ms();
        if (now >= next) {
            look();
            next = now - (now - next) % PERIOD_MS + PERIOD_MS;
        }
        if (changed) draw();
        poll(&(struct pollfd){screen.events, POLLIN, 0}, 1, (int)(next - now_ms() > 0 ? next - now_ms() : 0));
    } while (take());
}

int main(int argc, char **argv) {
    if (argc > 1) {
        fputs("usage: sysmon\nShows on a virtual terminal what the machine does. q or Esc ends it.\n", stderr);
        return 2;
    }
    int e = graphics_open(&screen);
    if (e < 0) {
        fprintf(stderr, "sysmon: %s\n", graphics_error(e));
        return 1;
    }
    serve();
    graphics_end(&screen);
    return 0;
}
