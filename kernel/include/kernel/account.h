// SPDX-License-Identifier: MIT
/* What the processes of one user hold together. kernel/process/account.c */
#pragma once
#include <kernel/space.h>

struct account {
    struct list link;
    uint32_t uid;
    _Atomic uint32_t tasks; /* processes until they are waited for, and further threads */
    _Atomic uint32_t signals; /* queued */
    _Atomic uint32_t flights; /* handles in messages */
    struct quota quota;
};
