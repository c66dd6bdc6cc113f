// SPDX-License-Identifier: MIT
/* Sets of block numbers, as ranges: sorted, apart. */
#pragma once
#include <stdint.h>

struct range {
    uint64_t first, end;
};
struct range_set { /* zero is empty */
    struct range *ranges;
    uint32_t count, capacity;
};

/* How many of [first, end) are not in the set. */
uint64_t range_missing(const struct range_set *s, uint64_t first, uint64_t end);
/* 0 or -ENOMEM. */
[[nodiscard]] int range_add(struct range_set *s, uint64_t first, uint64_t end);
/* Takes out what is there: how many, or without memory for the second half of a range those of all of it. */
uint64_t range_remove(struct range_set *s, uint64_t first, uint64_t end);
void range_free(struct range_set *s);
