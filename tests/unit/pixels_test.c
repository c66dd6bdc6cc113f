// SPDX-License-Identifier: MIT
/* What the framebuffer driver does without a device: rectangles, formats, copies, modes. */
#include <abi/system.h>
#include <mode.h>
#include <pixels.h>
#include <stdlib.h>
#include <unit.h>

static uint32_t random_next(void) {
    static uint32_t state = 12345;
    state = state * 1664525 + 1013904223;
    return state >> 8;
}

static struct rect random_rect(int32_t side) {
    int32_t x = (int32_t)(random_next() % (uint32_t)side), y = (int32_t)(random_next() % (uint32_t)side);
    return (struct rect){x, y, x + (int32_t)(random_next() % 20), y + (int32_t)(random_next() % 20)};
}

static void mark(bool map[100][100], struct rect r) {
    for (int32_t y = r.y0; y < r.y1; y++)
        for (int32_t x = r.x0; x < r.x1; x++) map[y][x] = true;
}

TEST(damage_covers_all_that_was_added) {
    for (int round = 0; round < 2000; round++) {
        bool wanted[100][100] = {}, drawn[100][100] = {};
        struct damage d = {};
        for (uint32_t i = random_next() % 40; i > 0; i--) {
            struct rect r = random_rect(80);
            mark(wanted, r);
            damage_add(&d, r);
        }
        CHECK(d.count <= DAMAGE_RECTS);
        for (uint32_t i = 0; i < d.count; i++) mark(drawn, d.rects[i]);
        for (int i = 0; i < 100 * 100; i++) CHECK(!wanted[i / 100][i % 100] || drawn[i / 100][i % 100]);
    }
}

TEST(damage_of_lines_is_one_rectangle) {
    struct damage d = {};
    for (int32_t i = 0; i < 50; i++) damage_add(&d, (struct rect){0, i * 16, 1280, i * 16 + 16});
    CHECK(d.count == 1 && d.rects[0].y0 == 0 && d.rects[0].y1 == 800 && d.rects[0].x1 == 1280);
    damage_add(&d, (struct rect){5, 5, 5, 9});
    damage_add(&d, (struct rect){900, 2, 3, 9});
    CHECK(d.count == 1);
}

TEST(what_is_seen_through) {
    CHECK(pixel_over(0xff123456, 0xabcdef) == 0x123456 && pixel_over(0x00123456, 0xabcdef) == 0xabcdef);
    CHECK(pixel_over(0x80ff0080, 0x00ff40) == 0x807f60);
    CHECK(pixel_over(0x01ffffff, 0xfefefe) == 0xfefefe && pixel_over(0x7f000000, 0x010101) == 0x010101);
}

TEST(formats) {
    CHECK(pixel_of(&PIXELS_XRGB8888, 0x123456) == 0x123456);
    CHECK(pixel_of(&PIXELS_RGB565, 0xffffff) == 0xffff && pixel_of(&PIXELS_RGB565, 0xff0000) == 0xf800);
    CHECK(pixel_of(&PIXELS_RGB565, 0x00ff00) == 0x07e0 && pixel_of(&PIXELS_RGB565, 0x08080f) == 0x0841);
    struct pixel_format bgr = {4, 0, 8, 8, 8, 16, 8, 0};
    CHECK(pixel_of(&bgr, 0x123456) == 0x563412 && pixel_format_valid(&bgr));
    CHECK(!pixel_format_valid(&(struct pixel_format){2, 16, 8, 8, 8, 0, 8, 0}));
    CHECK(!pixel_format_valid(&(struct pixel_format){1, 5, 3, 2, 3, 0, 2, 0}));
    CHECK(!pixel_format_valid(&(struct pixel_format){4, 16, 0, 8, 8, 0, 8, 0}));
    CHECK(!pixel_format_valid(&(struct pixel_format){5, 16, 8, 8, 8, 0, 8, 0}));
}

/* Each pixel of the screen, by its own small rule: the oracle of screen_draw. */
static uint32_t expected(const struct surface *s, int32_t x, int32_t y, int32_t px, int32_t py) {
    int64_t sx = (int64_t)px - x, sy = (int64_t)py - y;
    if (sx < 0 || sy < 0 || sx >= s->width || sy >= s->height) return 0;
    return s->pixels[sy * s->stride + sx];
}

static void draw_and_compare(uint32_t width, uint32_t height, uint32_t pitch, struct pixel_format format, int32_t x,
                             int32_t y, struct rect r, uint32_t surface_width, uint32_t surface_height) {
    size_t size = (size_t)pitch * (height - 1) + width * format.bytes; /* the last line ends with its pixels */
    uint8_t *pixels = malloc(size), *shadow = malloc((size_t)surface_width * surface_height * 4);
    memset(pixels, 0xa5, size);
    for (size_t i = 0; i < (size_t)surface_width * surface_height; i++)
        ((uint32_t *)shadow)[i] = random_next() & 0xffffff;
    struct surface from = {(uint32_t *)shadow, surface_width, surface_width, surface_height};
    struct screen to = {pixels, pitch, width, height, format};
    CHECK(screen_fits(&to, 0, size) && !screen_fits(&to, 0, size - 1) && !screen_fits(&to, 1, size));
    screen_draw(&to, &from, x, y, r);
    for (size_t i = 0; i < size; i++) {
        int32_t py = (int32_t)(i / pitch), px = (int32_t)(i % pitch / format.bytes);
        uint32_t byte = i % pitch % format.bytes;
        bool inside = px >= r.x0 && px < r.x1 && py >= r.y0 && py < r.y1 && px < (int32_t)width;
        uint8_t want = inside ? (uint8_t)(pixel_of(&format, expected(&from, x, y, px, py)) >> 8 * byte) : 0xa5;
        if (pixels[i] != want) {
            CHECK(pixels[i] == want);
            break;
        }
    }
    free(pixels);
    free(shadow);
}

TEST(draws_into_odd_modes) {
    draw_and_compare(800, 600, 1600, PIXELS_RGB565, 0, 0, (struct rect){0, 0, 800, 600}, 800, 600);
    draw_and_compare(1366, 768, 5504, PIXELS_XRGB8888, 0, 0, (struct rect){3, 7, 1366, 768}, 1366, 768);
    draw_and_compare(1366, 768, 4099, PIXELS_RGB888, 0, 0, (struct rect){0, 0, 1366, 768}, 1366, 768);
    draw_and_compare(641, 479, 2600, (struct pixel_format){4, 0, 8, 8, 8, 16, 8, 0}, 0, 0,
                     (struct rect){-5, -5, 999, 999}, 641, 479);
}

TEST(draws_what_lies_anywhere) {
    for (int i = 0; i < 3000; i++) {
        int32_t x = (int32_t)(random_next() % 120) - 60, y = (int32_t)(random_next() % 120) - 60;
        struct rect r = random_rect(60);
        r.x0 -= 10, r.y0 -= 10;
        draw_and_compare(50, 40, 230, i % 2 ? PIXELS_XRGB8888 : PIXELS_RGB888, x, y, r, 1 + random_next() % 60, 30);
    }
    struct rect all = {0, 0, 50, 40};
    draw_and_compare(50, 40, 200, PIXELS_XRGB8888, INT32_MAX, INT32_MIN, all, 20, 20);
    draw_and_compare(50, 40, 200, PIXELS_XRGB8888, INT32_MIN, INT32_MAX, all, 20, 20);
    draw_and_compare(50, 40, 200, PIXELS_XRGB8888, 0, 0, (struct rect){INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX}, 20,
                     20);
}

TEST(framebuffers_anywhere_in_memory) {
    struct framebuffer_info f = {.address = 0x3800400000ull,
                                 .pitch = 5504,
                                 .width = 1366,
                                 .height = 768,
                                 .bits = 32,
                                 .red_shift = 16,
                                 .red_bits = 8,
                                 .green_shift = 8,
                                 .green_bits = 8,
                                 .blue_bits = 8};
    struct screen s;
    uint64_t offset;
    CHECK(framebuffer_locate(&f, 0x3800000000ull, 16 << 20, &s, &offset));
    CHECK(offset == 0x400000 && s.pitch == 5504 && s.format.bytes == 4);
    CHECK(!framebuffer_locate(&f, 0x3800000000ull, 6 << 20, &s, &offset)); /* it ends behind the BAR */
    CHECK(!framebuffer_locate(&f, 0x3800400001ull, 16 << 20, &s, &offset));
    CHECK(!framebuffer_locate(&f, 0x800000, 16 << 20, &s, &offset)); /* the same in the lower 32 bits */
    f.address = UINT64_MAX - 100;
    CHECK(!framebuffer_locate(&f, 0, UINT64_MAX, &s, &offset));
    f = (struct framebuffer_info){.pitch = UINT32_MAX, .width = UINT32_MAX, .height = UINT32_MAX, .bits = 32};
    CHECK(!framebuffer_locate(&f, 0, UINT64_MAX, &s, &offset));
    f = (struct framebuffer_info){.pitch = 1600,
                                  .width = 800,
                                  .height = 600,
                                  .bits = 16,
                                  .red_shift = 11,
                                  .red_bits = 5,
                                  .green_shift = 5,
                                  .green_bits = 6,
                                  .blue_bits = 5};
    CHECK(framebuffer_locate(&f, 0, 1 << 20, &s, &offset) && s.format.bytes == 2);
}

TEST(modes_asked_for) {
    struct mode m = {};
    CHECK(mode_parse("quiet display=800x600x16 root=x", &m) && m.width == 800 && m.height == 600 && m.bits == 16);
    CHECK(mode_parse("display=1366x768", &m) && m.width == 1366 && m.bits == 32 && mode_stride(&m) == 1376);
    static const char *const bad[] = {"",
                                      "display=",
                                      "display=800",
                                      "display=800x",
                                      "display=800x600x15",
                                      "xdisplay=800x600",
                                      "display=800x600x16y",
                                      "display=99999999999x600",
                                      "display=100x100",
                                      "display=-1x5"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) CHECK(!mode_parse(bad[i], &m));
    CHECK(mode_parse("display=bad display=640x480", &m) && m.width == 640);
}

TEST(modes_of_displays) {
    uint8_t edid[128] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
    struct mode m = {};
    const uint8_t timing[] = {0x10, 0x27, 0x00, 0x30, 0x50, 0x20, 0x00, 0x30}; /* 1280 x 800 */
    memcpy(edid + 54, timing, sizeof(timing));
    uint8_t sum = 0;
    for (int i = 0; i < 127; i++) sum = (uint8_t)(sum + edid[i]);
    edid[127] = (uint8_t)-sum;
    CHECK(mode_of_edid(edid, &m) && m.width == 1280 && m.height == 800);
    edid[127]++;
    CHECK(!mode_of_edid(edid, &m));
    memset(edid, 0xff, sizeof(edid)); /* no such register */
    CHECK(!mode_of_edid(edid, &m));
    memset(edid, 0, sizeof(edid));
    CHECK(!mode_of_edid(edid, &m));
}

UNIT_MAIN
