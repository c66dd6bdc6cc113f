// SPDX-License-Identifier: MIT
#include <mode.h>
#include <abi/system.h>
#include <string.h>

#define OPTION "display="
#define STRIDE_ALIGN 16 /* pixels: lines begin at cache lines */
#define EDID_TIMING 54

bool mode_valid(const struct mode *m) {
    return m->width >= MODE_SIDE_MIN && m->width <= MODE_SIDE_MAX && m->height >= MODE_SIDE_MIN / 2 &&
           m->height <= MODE_SIDE_MAX && (m->bits == 16 || m->bits == 24 || m->bits == 32);
}

static bool number_take(const char **at, uint32_t *out) {
    const char *start = *at;
    *out = 0;
    for (; **at >= '0' && **at <= '9' && *out < 100000; ++*at) *out = *out * 10 + (uint32_t)(**at - '0');
    return *at > start;
}

bool mode_parse(const char *line, struct mode *out) {
    for (const char *at = line; (at = strstr(at, OPTION)); at++) {
        struct mode m = {.bits = 32};
        const char *value = at + strlen(OPTION);
        if (at != line && at[-1] != ' ') continue;
        if (!number_take(&value, &m.width) || *value++ != 'x' || !number_take(&value, &m.height)) continue;
        if (*value == 'x' && (value++, !number_take(&value, &m.bits))) continue;
        if ((*value && *value != ' ') || !mode_valid(&m)) continue;
        *out = m;
        return true;
    }
    return false;
}

bool mode_of_edid(const uint8_t edid[128], struct mode *out) {
    static const uint8_t header[] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
    const uint8_t *t = edid + EDID_TIMING;
    uint8_t sum = 0;
    for (int i = 0; i < 128; i++) sum = (uint8_t)(sum + edid[i]);
    if (memcmp(edid, header, sizeof(header)) != 0 || sum != 0 || (t[0] | t[1]) == 0) return false;
    struct mode m = {t[2] | (t[4] & 0xf0u) << 4, t[5] | (t[7] & 0xf0u) << 4, 32};
    if (!mode_valid(&m)) return false;
    *out = m;
    return true;
}

uint32_t mode_stride(const struct mode *m) { return (m->width + STRIDE_ALIGN - 1) & ~(STRIDE_ALIGN - 1u); }

struct pixel_format mode_format(const struct mode *m) {
    return m->bits == 16 ? PIXELS_RGB565 : m->bits == 24 ? PIXELS_RGB888 : PIXELS_XRGB8888;
}

bool framebuffer_locate(const struct framebuffer_info *f, uint64_t start, uint64_t size, struct screen *out,
                        uint64_t *offset) {
    struct screen s = {
        .pitch = f->pitch,
        .width = f->width,
        .height = f->height,
        .format = {(uint8_t)(f->bits / 8), f->red_shift, f->red_bits, f->green_shift, f->green_bits, f->blue_shift,
                   f->blue_bits, 0},
    };
    if (f->address < start || !pixel_format_valid(&s.format) || !screen_fits(&s, f->address - start, size))
        return false;
    *out = s;
    *offset = f->address - start;
    return true;
}
