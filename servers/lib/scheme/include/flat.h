// SPDX-License-Identifier: MIT
/*
 * For schemes with a handful of files and no folders: their root directory, object 0, so that
 * `ls /scheme/NAME` works and walks can start there.
 */
#pragma once
#include <scheme.h>

/* Is the request about the root itself: no file's object, no path? (For OPEN and STAT.) */
static inline bool flat_is_root(const struct port_buffer *call) {
    return call->request.object == 0 &&
           (call->request.length == 0 || (call->request.length == 1 && call->data[0] == '.'));
}
/* Answers to OPEN, STAT and ACCESS of the root, and to READ, with a list of the files' names. */
int64_t flat_open(struct port_buffer *call);
int64_t flat_stat(struct port_buffer *call);
int64_t flat_access(struct port_buffer *call);
int64_t flat_read(struct port_buffer *call, const char *const *names, size_t count);
