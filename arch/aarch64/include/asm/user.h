// SPDX-License-Identifier: MIT
/* Access to user memory: functions here. */
#pragma once
#include <arch/thread.h>

MUST_CHECK static inline bool copy_words_from_user(void *to, uaddr_t from, size_t words) {
    return !copy_from_user(to, from, words * 8);
}
MUST_CHECK static inline bool copy_words_to_user(uaddr_t to, const void *from, size_t words) {
    return !copy_to_user(to, from, words * 8);
}
