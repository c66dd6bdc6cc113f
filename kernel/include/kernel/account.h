// SPDX-License-Identifier: MIT
/* What the processes of one user hold together: tasks, queued signals, private pages. kernel/process/account.c */
#pragma once
#include <kernel/list.h>

struct account {
    struct list link;
    uint32_t uid;
    _Atomic uint32_t tasks; /* processes until they are waited for, and further threads */
    _Atomic uint32_t signals; /* queued */
    _Atomic int64_t pages; /* private, resident */
};

/* Counts `pages` more: false (and nothing counted) beyond the limit. A null account has none. */
MUST_CHECK bool account_charge_pages(struct account *a, int64_t pages);
void account_uncharge_pages(struct account *a, int64_t pages);
