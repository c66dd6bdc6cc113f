// SPDX-License-Identifier: MIT
/*
 * PNG files by libpng (view_picture.h), by the functions that read line after line: not its "simplified" ones, in which
 * this version has errors that were mended later.  All kinds become 8 bits of red, green, blue and alpha; what a file
 * tells about gamma and colour profiles is not applied.
 */
#include "view_picture.h"
#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNATURE 8
#define GIB (1024.0 * 1024 * 1024)

struct reader {
    FILE *file;
    char *error;
    uint64_t room;
};

static void failed(png_structp png, png_const_charp why) {
    struct reader *r = png_get_error_ptr(png);
    if (!r->error[0]) snprintf(r->error, ERROR_MAX, "broken PNG picture: %s", why);
    png_longjmp(png, 1);
}

static void warned(png_structp png, png_const_charp what) {}

static void bytes_read(png_structp png, png_bytep out, size_t count) {
    struct reader *r = png_get_io_ptr(png);
    if (fread(out, 1, count, r->file) == count) return;
    png_error(png, ferror(r->file) ? strerror(errno) : "the file ends too early");
}

/* What comes next are lines of 4 bytes per pixel. */
static void kinds_unite(png_structp png, png_infop info) {
    const int kind = png_get_color_type(png, info);
    png_set_expand(png); /* palettes, few bits, colours that are transparent */
    png_set_scale_16(png);
    if (kind == PNG_COLOR_TYPE_GRAY || kind == PNG_COLOR_TYPE_GRAY_ALPHA) png_set_gray_to_rgb(png);
    png_set_filler(png, 0xff, PNG_FILLER_AFTER);
}

static void pixels_read(png_structp png, png_infop info, struct picture *p) {
    const struct reader *r = png_get_error_ptr(png);
    png_read_info(png, info);
    p->width = png_get_image_width(png, info);
    p->height = png_get_image_height(png, info);
    const uint64_t line = (uint64_t)p->width * 4, size = line * p->height;
    if (size > r->room) {
        snprintf(r->error, ERROR_MAX, "%u x %u pixels take %.1f GiB of memory, and %.1f GiB may be used", p->width,
                 p->height, (double)size / GIB, (double)r->room / GIB);
        png_error(png, "too large");
    }
    kinds_unite(png, info);
    const int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (png_get_rowbytes(png, info) != line) png_error(png, "lines of another length");
    if (!(p->pixels = calloc(1, size))) {
        snprintf(r->error, ERROR_MAX, "%s", strerror(ENOMEM));
        png_error(png, "no memory");
    }
    for (int pass = 0; pass < passes; pass++)
        for (uint32_t y = 0; y < p->height; y++) png_read_row(png, p->pixels + y * line, nullptr);
    png_read_end(png, nullptr);
}

static int decode(struct reader *r, struct picture *p) {
    png_infop info = nullptr;
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, failed, warned);
    if (png) info = png_create_info_struct(png);
    if (!info || setjmp(png_jmpbuf(png))) {
        png_destroy_read_struct(&png, &info, nullptr);
        picture_free(p);
        if (!r->error[0]) snprintf(r->error, ERROR_MAX, "%s", strerror(ENOMEM));
        return -1;
    }
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* the limit is `room` */
    png_set_read_fn(png, r, bytes_read);
    png_set_sig_bytes(png, SIGNATURE);
    pixels_read(png, info, p);
    png_destroy_read_struct(&png, &info, nullptr);
    return 0;
}

int picture_read(struct picture *p, const char *path, uint64_t room, char error[ERROR_MAX]) {
    uint8_t signature[SIGNATURE];
    struct reader r = {.error = error, .room = room};
    int e = -1;
    *p = (struct picture){};
    error[0] = '\0';
    errno = 0;
    r.file = fopen(path, "rbe");
    size_t got = r.file ? fread(signature, 1, sizeof(signature), r.file) : 0;
    if (errno) snprintf(error, ERROR_MAX, "%s", strerror(errno));
    else if (got != sizeof(signature) || png_sig_cmp(signature, 0, sizeof(signature)) != 0)
        snprintf(error, ERROR_MAX, "no PNG picture");
    else e = decode(&r, p);
    if (r.file) fclose(r.file);
    return e;
}

void picture_free(struct picture *p) {
    free(p->pixels);
    p->pixels = nullptr;
}
