// SPDX-License-Identifier: MIT
/* One object of every type that a program can have, and memory of every kind. */
#pragma once
#include "native.h"

struct objects {
    handle_t of_type[OBJECT_SIGNALS + 1]; /* by enum object_type; HANDLE_NONE: can't be had */
    char *page; /* one page that can be written, nothing after it */
    char *read_only, *no_access, *unmapped; /* pages */
    pid_t zombie; /* a child that has ended */
};
void objects_make(struct objects *o);
