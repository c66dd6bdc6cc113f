// SPDX-License-Identifier: MIT
/* Shows one colour on the whole screen, and a cursor whose pixels are told by their place: for screen_test.py. Ends
 * when its input does. */
#include <display.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COLOUR 0x204060

int main(void) {
    static struct display_cursor cursor = {.hot_x = 3, .hot_y = 5};
    struct display d;
    char byte;
    int e = display_open(&d, "display0");
    if (!e) e = display_surface(&d, d.info.width, d.info.height);
    if (e) return 1;
    for (uint32_t i = 0; i < d.stride * d.height; i++) d.pixels[i] = COLOUR;
    for (uint32_t i = 0; i < DISPLAY_CURSOR_SIDE * DISPLAY_CURSOR_SIDE; i++)
        cursor.pixels[i] = 0xff000000 | i * 4099 % 0x1000000;
    e = display_show(&d, true);
    if (!e) e = display_damage(&d, &(struct rect){0, 0, (int32_t)d.width, (int32_t)d.height}, 1);
    if (!e) e = display_cursor(&d, &cursor);
    for (uint32_t i = 0; !e && i < 500; i++) e = display_cursor_move(&d, i % d.width, i % d.height);
    printf("shown: %s\n", e ? strerror(-e) : "all");
    fflush(stdout);
    while (read(0, &byte, 1) > 0 && byte != '\n') {
    }
    if (!e) e = display_cursor(&d, nullptr);
    return e != 0;
}
