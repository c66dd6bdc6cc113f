// SPDX-License-Identifier: MIT
/* For LD_PRELOAD. */
const char *word(void) { return "preloaded"; }
