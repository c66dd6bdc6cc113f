// SPDX-License-Identifier: MIT
#include "answer.h"
#include <errno.h>

int answer_check(const struct gpu_header *h, uint32_t written, enum gpu_type wanted, size_t size) {
    if (written < sizeof(*h)) return -EPROTO;
    if (h->type == GPU_ERROR_MEMORY) return -ENOMEM;
    if (h->type >= GPU_ERROR && h->type < GPU_ERROR_END) return -EIO;
    return h->type == (uint32_t)wanted && written >= size ? 0 : -EPROTO;
}

bool answer_mode(const struct gpu_display_info *info, struct mode *out) {
    const struct mode m = {info->modes[0].rect.width, info->modes[0].rect.height, 32};
    if (!info->modes[0].enabled || !mode_valid(&m)) return false;
    *out = m;
    return true;
}

bool answer_edid(const struct gpu_edid *edid, struct mode *out) {
    return edid->size >= 128 && edid->size <= GPU_EDID_MAX && mode_of_edid(edid->edid, out);
}
