// SPDX-License-Identifier: MIT
/* The device tree's parser: pure, also built for the host's fuzzer. */
#pragma once
#include <kernel/bootinfo.h>

/* Flattened tree in [data, data + size), aligned to 4 bytes: RAM and command line into out. 0, or
 * -EINVAL with out->problem set. */
MUST_CHECK int device_tree_parse(const void *data, size_t size, struct bootinfo *out);
