// SPDX-License-Identifier: MIT
/* Where a picture lies on the screen, how large, and its pixels there.  Pure. */
#pragma once
#include "view_picture.h"

#define AROUND 0x14181fu /* the screen beside the picture; all colours are 0x00RRGGBB */
#define SQUARE 8u /* of the checkerboard behind what is transparent: pixels */
#define SQUARE_DARK 0x666666u
#define SQUARE_LIGHT 0x999999u

struct place {
    uint64_t width, height; /* of the picture as it is shown */
    int64_t x, y; /* its corner on the screen */
    int zoom; /* ZOOM_FIT, or a step */
};
#define ZOOM_FIT (-1)

/* As large as the screen allows; small ones by a whole factor. */
void place_fit(struct place *v, const struct picture *p, uint32_t width, uint32_t height);
/* The next step up (1) or down (-1); the middle of the screen shows the same point of the picture. */
void place_zoom(struct place *v, const struct picture *p, uint32_t width, uint32_t height, int direction);
/* Moves what is larger than the screen, never beyond its edge; what is smaller is in the middle. False: it stayed. */
bool place_move(struct place *v, uint32_t width, uint32_t height, int64_t x, int64_t y);
/* Each pixel is the mean of the part of the picture that it shows. */
void picture_draw(const struct picture *p, const struct place *v, uint32_t *out, size_t stride, uint32_t width,
                  uint32_t height);
