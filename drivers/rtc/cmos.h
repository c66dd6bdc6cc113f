// SPDX-License-Identifier: MIT
/* The MC146818-compatible clock behind ports 0x70 and 0x71. */
#pragma once
#include "calendar.h"
#include <abi/types.h>

/* The chip's time: 0, or -EIO if it shows none. May take up to two milliseconds (an update). */
[[nodiscard]] int cmos_read(handle_t ports, struct calendar *c);
void cmos_write(handle_t ports, const struct calendar *c);
