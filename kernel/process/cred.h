// SPDX-License-Identifier: MIT
/* The rules about ids (cred.c): pure, host-testable. */
#pragma once
#include <abi/process.h>

bool credentials_privileged(const struct credentials *c);
/* May `from` signal, look into, manage (priority, affinity) a process of `to`? */
bool credentials_may_signal(const struct credentials *from, const struct credentials *to);
bool credentials_may_inspect(const struct credentials *from, const struct credentials *to);
bool credentials_may_manage(const struct credentials *from, const struct credentials *to);
/* But for the record's id. */
bool credentials_equal(const struct credentials *a, const struct credentials *b);
/* What exec makes of `old` for a file that gives these ids (or SETID_NONE); true: the program must be careful. */
bool credentials_exec(const struct credentials *old, uint32_t uid, uint32_t gid, struct credentials *out);
/* What set*id and setgroups make of `old`: 0, -EPERM, -EINVAL. */
[[nodiscard]] int credentials_change(const struct credentials *old, const struct credentials *wish,
                                     struct credentials *out);
