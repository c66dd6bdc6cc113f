// SPDX-License-Identifier: MIT
/* Empty on purpose: __restore_rt, where signal handlers return to, is in libposix/shim/entry.S. */
