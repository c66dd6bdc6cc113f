// SPDX-License-Identifier: MIT
/* Scalars shared by kernel and user code. Every abi header is self-contained and freestanding. */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef int32_t handle_t; /* ≥ 0: a handle; < 0: none or -errno */
#define HANDLE_NONE (-1)
#define DEADLINE_NEVER INT64_MAX /* absolute CLOCK_MONOTONIC nanoseconds; 0 = do not block */
#define ABI_VERSION 1
