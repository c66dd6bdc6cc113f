// SPDX-License-Identifier: MIT
/* What lwIP asks of its environment, for its own unit tests on the build machine. */
#pragma once
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#define LWIP_TIMEVAL_PRIVATE 0
#define LWIP_ERRNO_STDINCLUDE 1
#define LWIP_RAND() ((u32_t)rand())
#define LWIP_PLATFORM_DIAG(x) printf x
#define LWIP_PLATFORM_ASSERT(what) (printf("%s at %s:%d\n", what, __FILE__, __LINE__), abort())
