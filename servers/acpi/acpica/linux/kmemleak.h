// SPDX-License-Identifier: MIT
/* The one thing of Linux's that the source asks for. */
#pragma once
#define kmemleak_not_leak(pointer) ((void)(pointer))
