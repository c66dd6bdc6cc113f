// SPDX-License-Identifier: MIT
/*
 * The pixels of the text screen: a surface of the display, drawn cell by cell; what has changed is told to its driver
 * once per frame.  A driver that was started again is opened anew, and all is drawn once more.
 */
#include "console.h"
#include <display.h>
#include <service.h>
#include <string.h>

#define FRAME_NS 16000000LL
#define FLASH_NS 80000000LL
#define RETRY_NS 1000000000LL /* for a driver that stays away: until the next try, which blocks nobody for long */
#define RETRY_PATIENCE_NS 100000000LL
#define INVERSE 0xffffffu

static struct scheme *scheme;
static struct display display = {.file = HANDLE_NONE};
static const struct font *font;
static struct text_size size;
static struct damage damage;
static int64_t presented_ns, flash_end_ns, retry_ns;
static bool flash_wanted, flashing; /* flashing: the pixels are inverted */
static bool away; /* it was not there when last asked for */

struct text_size screen_size(void) { return size; }

static struct rect pixels_of(VTermRect r) {
    const int32_t w = (int32_t)font->width, h = (int32_t)font->height;
    return (struct rect){r.start_col * w, r.start_row * h, r.end_col * w, r.end_row * h};
}

static struct rect whole(void) { return (struct rect){0, 0, (int32_t)display.width, (int32_t)display.height}; }

static void screen_close(void) {
    if (display.file != HANDLE_NONE) (void)!scheme_event_delete(scheme, display.file);
    display_close(&display);
}

/* As large as the screen is now, and to be drawn. */
static int surface_make(void) {
    int e = display_surface(&display, display.info.width, display.info.height);
    if (!e) e = display_show(&display, true);
    if (e) {
        screen_close();
        return e;
    }
    font = font_for(display.width, display.height);
    size = (struct text_size){(int)(display.height / font->height), (int)(display.width / font->width)};
    damage.count = 0;
    flashing = false;
    return 0;
}

/* --- the bell: all pixels are inverted for a moment, but while somebody draws --- */
static void invert(void) {
    for (uint32_t y = 0; y < display.height; y++)
        for (uint32_t x = 0; x < display.width; x++) display.pixels[(size_t)y * display.stride + x] ^= INVERSE;
    flashing = !flashing;
    damage_add(&damage, whole());
}

void screen_flash(void) { flash_wanted = display.pixels; }

static void flash_pause(void) {
    if (flashing) invert();
}

/* It lasts from the first frame that has it. */
static void flash_step(int64_t now) {
    if (flash_wanted && !flash_end_ns) flash_end_ns = now + FLASH_NS;
    if (now >= flash_end_ns) flash_end_ns = 0;
    flash_wanted = false;
    if (flashing != (flash_end_ns != 0)) invert();
}

/* --- drawing --- */
uint32_t *screen_cell(int row, int column, const struct font **f, size_t *stride) {
    if (!display.pixels || row >= size.rows || column >= size.columns) return nullptr;
    flash_pause();
    *f = font;
    *stride = display.stride;
    return display.pixels + (size_t)row * font->height * display.stride + (size_t)column * font->width;
}

void screen_changed(VTermRect cells) {
    if (display.pixels) damage_add(&damage, rect_intersect(pixels_of(cells), whole()));
}

void screen_clear(void) {
    if (!display.pixels) return;
    flash_pause();
    memset(display.pixels, 0, (size_t)display.height * display.stride * 4);
    damage_add(&damage, whole());
}

void screen_move(VTermRect to, VTermRect from) {
    if (!display.pixels) return;
    flash_pause();
    const struct rect t = pixels_of(to), f = pixels_of(from);
    const int32_t lines = f.y1 - f.y0;
    const size_t bytes = (size_t)(f.x1 - f.x0) * 4;
    if (t.y1 > (int32_t)display.height || f.y1 > (int32_t)display.height) return;
    for (int32_t i = 0; i < lines; i++) {
        int32_t line = t.y0 <= f.y0 ? i : lines - 1 - i;
        memmove(display.pixels + (size_t)(t.y0 + line) * display.stride + t.x0,
                display.pixels + (size_t)(f.y0 + line) * display.stride + f.x0, bytes);
    }
    damage_add(&damage, t);
}

/* --- the driver --- */
static void all_draw(struct text_size before) {
    if (before.rows != size.rows || before.columns != size.columns) vts_resize(size.rows, size.columns);
    vt_draw();
    graphics_display_anew();
}

static int display_find(void) {
    int e = away ? display_open_until(&display, "display0", time_now_ns() + RETRY_PATIENCE_NS)
                 : display_open(&display, "display0");
    if (e) return e;
    if (scheme_event_add(scheme, display.file, EVENT_IN, KEY_SCREEN) != 0)
        service_log("console: cannot watch the display");
    return surface_make();
}

static void reopen(void) {
    struct text_size before = size;
    screen_close();
    const int e = display_find();
    if (e && !away) service_log("console: there is no display: %s", strerror(-e));
    away = e != 0;
    if (!e) all_draw(before);
    const int64_t now = time_now_ns(), next = now + (e ? RETRY_NS : FRAME_NS); /* then what was written meanwhile */
    retry_ns = now + RETRY_NS;
    if (next < scheme->deadline) scheme->deadline = next;
}

void screen_open(struct scheme *s) {
    scheme = s;
    reopen();
}

void screen_show(void) {
    if (display.pixels && display_show(&display, true) < 0) reopen();
}

void screen_event(struct scheme *s) {
    struct text_size before = size;
    if (display.file == HANDLE_NONE) return;
    if (display_info(&display) < 0) {
        reopen();
    } else if (display.info.width != display.width || display.info.height != display.height) {
        if (surface_make() == 0) all_draw(before);
    }
    vt_tick(s);
}

int64_t screen_frame_ns(void) { return presented_ns + FRAME_NS; }

int64_t screen_present(int64_t now) {
    if (!display.pixels && now >= retry_ns) reopen();
    if (!display.pixels) return retry_ns;
    const bool news = damage.count > 0 || flash_wanted || (flash_end_ns && now >= flash_end_ns);
    if (news && now < screen_frame_ns()) return screen_frame_ns();
    if (news) {
        presented_ns = now;
        flash_step(now);
        if (display_damage(&display, damage.rects, damage.count) < 0) reopen();
        else damage.count = 0;
    }
    return damage.count > 0 ? now + FRAME_NS : flash_end_ns ? flash_end_ns : DEADLINE_NEVER;
}
