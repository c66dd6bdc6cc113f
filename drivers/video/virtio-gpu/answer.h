// SPDX-License-Identifier: MIT
/* What a virtio GPU answers.  Pure; any bytes may come. */
#pragma once
#include "virtio_gpu_hw.h"
#include <mode.h>
#include <stddef.h>

/* Of an answer of `written` bytes: 0, if it is of that type and at least that long; -ENOMEM, -EIO: the device's own
 * errors; -EPROTO: no answer to that. */
[[nodiscard]] int answer_check(const struct gpu_header *h, uint32_t written, enum gpu_type wanted, size_t size);
/* The mode that the host has chosen for the first screen; false: none that we can have. */
bool answer_mode(const struct gpu_display_info *info, struct mode *out);
/* The mode that the display prefers. */
bool answer_edid(const struct gpu_edid *edid, struct mode *out);
