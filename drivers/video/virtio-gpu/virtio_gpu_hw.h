// SPDX-License-Identifier: MIT
/* The GPU device of virtio 1.2 §5.7, of which the 2D part. */
#pragma once
#include <stdint.h>

#define GPU_EDID (1ull << 1) /* §5.7.3 feature bit */
enum { QUEUE_CONTROL, QUEUE_CURSOR }; /* §5.7.2 */
enum { CONFIG_EVENTS = 0, CONFIG_EVENTS_CLEAR = 4 }; /* §5.7.4 */
enum { EVENT_DISPLAY = 1 };

enum gpu_type { /* §5.7.6.7 */
                GPU_GET_DISPLAY_INFO = 0x0100,
                GPU_RESOURCE_CREATE_2D,
                GPU_RESOURCE_UNREF,
                GPU_SET_SCANOUT,
                GPU_RESOURCE_FLUSH,
                GPU_TRANSFER_TO_HOST_2D,
                GPU_RESOURCE_ATTACH_BACKING,
                GPU_GET_EDID = 0x010a,
                GPU_UPDATE_CURSOR = 0x0300,
                GPU_MOVE_CURSOR,
                GPU_OK = 0x1100,
                GPU_OK_DISPLAY_INFO,
                GPU_OK_EDID = 0x1104,
                GPU_ERROR = 0x1200,
                GPU_ERROR_MEMORY,
                GPU_ERROR_END = 0x1206,
};

struct gpu_header {
    uint32_t type, flags;
    uint64_t fence;
    uint32_t context;
    uint8_t ring, padding[3];
};
_Static_assert(sizeof(struct gpu_header) == 24, "virtio 1.2 §5.7.6.7");
struct gpu_rect {
    uint32_t x, y, width, height;
};

/* §5.7.6.8: commands … */
enum { GPU_FORMAT_ARGB = 1, GPU_FORMAT_XRGB = 2 }; /* of little-endian pixels: B8G8R8A8, B8G8R8X8 */
struct gpu_create {
    struct gpu_header header;
    uint32_t resource, format, width, height;
};
#define GPU_PIECES 32 /* of memory, at most: our own limit */
struct gpu_attach {
    struct gpu_header header;
    uint32_t resource, count;
    struct {
        uint64_t address;
        uint32_t length, padding;
    } pieces[GPU_PIECES];
};
struct gpu_unref {
    struct gpu_header header;
    uint32_t resource, padding;
};
struct gpu_scanout {
    struct gpu_header header;
    struct gpu_rect rect;
    uint32_t scanout, resource;
};
struct gpu_transfer {
    struct gpu_header header;
    struct gpu_rect rect;
    uint64_t offset;
    uint32_t resource, padding;
};
struct gpu_flush {
    struct gpu_header header;
    struct gpu_rect rect;
    uint32_t resource, padding;
};
struct gpu_ask_edid {
    struct gpu_header header;
    uint32_t scanout, padding;
};
struct gpu_cursor { /* §5.7.6.10 */
    struct gpu_header header;
    uint32_t scanout, x, y, padding0;
    uint32_t resource, hot_x, hot_y, padding1;
};
_Static_assert(sizeof(struct gpu_transfer) == 56 && sizeof(struct gpu_cursor) == 56 &&
                   sizeof(struct gpu_attach) == 32 + 16 * GPU_PIECES,
               "virtio 1.2 §5.7.6");

/* … and answers. */
#define GPU_SCANOUTS 16
struct gpu_display_info {
    struct gpu_header header;
    struct {
        struct gpu_rect rect;
        uint32_t enabled, flags;
    } modes[GPU_SCANOUTS];
};
#define GPU_EDID_MAX 1024
struct gpu_edid {
    struct gpu_header header;
    uint32_t size, padding;
    uint8_t edid[GPU_EDID_MAX];
};
_Static_assert(sizeof(struct gpu_display_info) == 408 && sizeof(struct gpu_edid) == 1056, "virtio 1.2 §5.7.6.8");
