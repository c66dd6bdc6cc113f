// SPDX-License-Identifier: MIT
/* Where the viewer puts pictures, and that it reads none but their pixels, whatever their shape. */
#include <stdlib.h>
#include <unit.h>
#include <view_scale.h>

#define SCREEN_MAX 200

static struct picture picture_make(uint32_t width, uint32_t height, uint32_t colour) {
    struct picture p = {width, height, malloc((size_t)width * height * 4)};
    for (size_t i = 0; i < (size_t)width * height * 4; i++) p.pixels[i] = (uint8_t)(colour >> (24 - i % 4 * 8));
    return p;
}

/* One colour stays it, at every size, with nothing of it beside. */
static bool drawn_right(const struct picture *p, const struct place *v, uint32_t width, uint32_t height,
                        uint32_t colour) {
    static uint32_t out[SCREEN_MAX * SCREEN_MAX];
    picture_draw(p, v, out, SCREEN_MAX, width, height);
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            bool within = x >= v->x && y >= v->y && x - v->x < (int64_t)v->width && y - v->y < (int64_t)v->height;
            if (out[y * SCREEN_MAX + x] != (within ? colour >> 8 : AROUND)) return false;
        }
    return true;
}

static bool placed_right(int64_t at, uint64_t size, uint32_t screen) {
    const int64_t last = (int64_t)screen - (int64_t)size;
    return last >= 0 ? at == last / 2 : at <= 0 && at >= last;
}

TEST(any_shape_on_any_screen) {
    srand(3);
    for (int i = 0; i < 300; i++) {
        const uint32_t width = 1 + (uint32_t)rand() % SCREEN_MAX, height = 1 + (uint32_t)rand() % SCREEN_MAX;
        const uint32_t colour = (uint32_t)rand() << 8 | 0xff;
        struct picture p = picture_make(1 + (uint32_t)rand() % (i % 3 ? 30 : 2000),
                                        1 + (uint32_t)rand() % (i % 5 ? 30 : 2000), colour);
        struct place v;
        place_fit(&v, &p, width, height);
        CHECK(v.width >= 1 && v.width <= width && v.height >= 1 && v.height <= height);
        CHECK(v.width == width || v.height == height || v.width % p.width == 0);
        CHECK(drawn_right(&p, &v, width, height, colour));
        for (int step = 0; step < 12; step++) {
            if (rand() % 2) place_zoom(&v, &p, width, height, rand() % 3 ? 1 : -1);
            else place_move(&v, width, height, rand() % 99 - 50, rand() % 99 - 50);
            CHECK(placed_right(v.x, v.width, width) && placed_right(v.y, v.height, height));
            if (step % 4 == 0) CHECK(drawn_right(&p, &v, width, height, colour));
        }
        free(p.pixels);
    }
}

TEST(steps_end) {
    struct picture p = picture_make(10, 10, 0x112233ff);
    struct place v;
    place_fit(&v, &p, 100, 100);
    CHECK(v.width == 100 && v.zoom == ZOOM_FIT);
    place_zoom(&v, &p, 100, 100, 1);
    CHECK(v.width == 120 && v.x == -10);
    for (int i = 0; i < 20; i++) place_zoom(&v, &p, 100, 100, 1);
    CHECK(v.width == 320);
    for (int i = 0; i < 20; i++) place_zoom(&v, &p, 100, 100, -1);
    CHECK(v.width == 1 && v.x == 49);
    CHECK(!place_move(&v, 100, 100, 5, 5));
    free(p.pixels);
}

TEST(means_and_what_is_seen_through) {
    uint8_t pixels[] = {0, 0, 0, 255, 255, 255, 255, 255, 200, 100, 50, 0, 10, 20, 30, 128};
    const struct picture p = {4, 1, pixels};
    uint32_t out[2];
    picture_draw(&p, &(struct place){.width = 2, .height = 1}, out, 2, 2, 1);
    CHECK(out[0] == 0x808080); /* 127.5 */
    const uint32_t under = SQUARE_LIGHT & 0xff;
    const uint32_t red = (10 * 128 + under * (510 - 128) + 255) / 510,
                   blue = (30 * 128 + under * (510 - 128) + 255) / 510;
    CHECK((out[1] >> 16) == red && (out[1] & 0xff) == blue);
}

UNIT_MAIN
