// SPDX-License-Identifier: MIT
/* drivers/video/virtio-gpu/answer.c: what the device may answer. */
#include <answer.h>
#include <errno.h>
#include <string.h>
#include <unit.h>

TEST(types_and_lengths) {
    struct gpu_header h = {.type = GPU_OK};
    CHECK(answer_check(&h, 24, GPU_OK, 24) == 0 && answer_check(&h, 400, GPU_OK, 24) == 0);
    for (uint32_t length = 0; length < 24; length++) CHECK(answer_check(&h, length, GPU_OK, 24) == -EPROTO);
    CHECK(answer_check(&h, 408, GPU_OK_DISPLAY_INFO, 408) == -EPROTO); /* the answer to something else */
    h.type = GPU_OK_DISPLAY_INFO;
    CHECK(answer_check(&h, 408, GPU_OK_DISPLAY_INFO, 408) == 0);
    CHECK(answer_check(&h, 407, GPU_OK_DISPLAY_INFO, 408) == -EPROTO);
    for (uint32_t type = 0; type < 0x3000; type++) {
        h.type = type;
        int e = answer_check(&h, 24, GPU_OK, 24);
        bool error = type >= 0x1200 && type <= 0x1205;
        CHECK(e == (type == GPU_OK ? 0 : type == 0x1201 ? -ENOMEM : error ? -EIO : -EPROTO));
    }
    h.type = UINT32_MAX;
    CHECK(answer_check(&h, UINT32_MAX, GPU_OK, 24) == -EPROTO);
}

TEST(modes) {
    struct gpu_display_info info = {.modes[0] = {{5, 5, 1280, 800}, 1, 0}};
    struct mode m = {};
    CHECK(answer_mode(&info, &m) && m.width == 1280 && m.height == 800 && m.bits == 32);
    static const uint32_t bad[][2] = {{0, 0},     {1280, 0}, {0, 800}, {UINT32_MAX, UINT32_MAX}, {1 << 16, 1 << 16},
                                      {8193, 10}, {100, 100}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        info.modes[0].rect.width = bad[i][0];
        info.modes[0].rect.height = bad[i][1];
        CHECK(!answer_mode(&info, &m) && m.width == 1280);
    }
    info.modes[0] = (typeof(info.modes[0])){{0, 0, 640, 480}, 0, 0};
    CHECK(!answer_mode(&info, &m)); /* not connected */
    memset(&info, 0xff, sizeof(info));
    CHECK(!answer_mode(&info, &m));
}

TEST(displays) {
    static struct gpu_edid e;
    struct mode m = {};
    CHECK(!answer_edid(&e, &m));
    static const uint8_t start[] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
    memcpy(e.edid, start, sizeof(start));
    e.edid[54] = 1;
    e.edid[56] = 1366 & 0xff;
    e.edid[58] = 1366 >> 8 << 4;
    e.edid[59] = 768 & 0xff;
    e.edid[61] = 768 >> 8 << 4;
    uint8_t sum = 0;
    for (int i = 0; i < 127; i++) sum = (uint8_t)(sum + e.edid[i]);
    e.edid[127] = (uint8_t)-sum;
    static const uint32_t sizes[][2] = {{0, 0}, {127, 0}, {128, 1}, {1024, 1}, {1025, 0}, {UINT32_MAX, 0}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        e.size = sizes[i][0];
        CHECK(answer_edid(&e, &m) == (sizes[i][1] != 0));
    }
    CHECK(m.width == 1366 && m.height == 768);
    e.edid[127]++;
    e.size = 128;
    CHECK(!answer_edid(&e, &m));
}

UNIT_MAIN
