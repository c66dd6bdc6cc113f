// SPDX-License-Identifier: MIT
/*
 * The files of a scheme of numbered terminals (`tty:`, `console:`): operations for struct scheme_ops, each on an open
 * file, or on a path of one digit. A server has one set, and defines terminal_set.
 */
#pragma once
#include <terminal.h>

struct terminal_set {
    const char *const *names; /* "0", "1", … as a listing of the root tells them */
    struct terminal *(*at)(unsigned index); /* that of names[index] */
    unsigned count;
    const char *device; /* init has put them at DEVICE and their minor number less minor_first */
    unsigned minor_first;
};
extern struct terminal_set terminal_set;

/* That of the open file that is asked, if it isn't hung up; or null. */
struct terminal *terminals_file(const struct port_buffer *call);
int64_t terminals_open(struct scheme *s, struct port_buffer *call);
int64_t terminals_close(struct scheme *s, struct port_buffer *call);
int64_t terminals_read(struct scheme *s, struct port_buffer *call);
int64_t terminals_write(struct scheme *s, struct port_buffer *call);
int64_t terminals_control(struct scheme *s, struct port_buffer *call);
int64_t terminals_watch(struct scheme *s, struct port_buffer *call);
int64_t terminals_stat(struct scheme *s, struct port_buffer *call);
int64_t terminals_set_attributes(struct scheme *s, struct port_buffer *call);
int64_t terminals_access(struct scheme *s, struct port_buffer *call);
int64_t terminals_path(struct scheme *s, struct port_buffer *call); /* for ttyname() */
int64_t terminals_cancel(struct scheme *s, struct port_buffer *call);
