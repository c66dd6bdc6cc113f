// SPDX-License-Identifier: MIT
/*
 * Letters that the console's own fonts lack, read from the root's file of them (glyphs.h) when they are drawn.  Those
 * seen last are kept; a file that isn't there, as before the root is mounted, is looked for again a second later.
 */
#include "console.h"
#include <fcntl.h>
#include <glyphs.h>
#include <stdlib.h>
#include <unistd.h>

#define KEPT 1024 /* a power of two */
#define RETRY_NS 1000000000LL

struct letters {
    struct glyph_page pages[GLYPH_PAGES];
    struct {
        uint32_t code; /* 0: nothing */
        struct glyph glyph;
    } kept[KEPT];
};
static struct letters *letters;
static int file = -1;
static int64_t retry_ns;

static bool file_read(void *out, size_t length, uint32_t offset) {
    if (file >= 0 && pread(file, out, length, offset) == (ssize_t)length) return true;
    if (file >= 0) close(file);
    file = -1;
    return false;
}

static bool file_open(void) {
    if (file >= 0) return true;
    if (time_now_ns() < retry_ns) return false;
    retry_ns = time_now_ns() + RETRY_NS;
    if (!letters) letters = calloc(1, sizeof(*letters));
    file = letters ? open(GLYPHS_FILE, O_RDONLY | O_CLOEXEC) : -1;
    return file >= 0 && file_read(letters->pages, sizeof(letters->pages), 0);
}

static const struct glyph *letter(uint32_t code) {
    struct glyph_place place;
    uint8_t bytes[2 * GLYPH_LINES];
    const size_t slot = code % KEPT;
    if (letters && letters->kept[slot].code == code) return &letters->kept[slot].glyph;
    if (!file_open() || !glyph_find(letters->pages, code, &place)) return nullptr;
    if (!file_read(bytes, place.width / 8 * GLYPH_LINES, place.offset)) return nullptr;
    glyph_decode(bytes, place.width, &letters->kept[slot].glyph);
    letters->kept[slot].code = code;
    return &letters->kept[slot].glyph;
}

void letters_init(void) { font_more = letter; }
