// SPDX-License-Identifier: MIT
/*
 * A pseudo-terminal: a terminal (lib/terminal) whose line is another file, the master.  What the
 * terminal's programs write, the master reads; what is written to the master, they have typed.
 *
 * It is made by opening `ptmx`, named by a number, and goes with the last file: once the master is
 * closed the number names nothing, and the terminal is hung up.
 */
#pragma once
#include <terminal.h>

#define PTYS_MAX 4096

struct pty {
    struct terminal terminal; /* first */
    unsigned number;
    uint64_t master; /* object id; 0: closed */
    bool locked, slave_seen; /* TIOCSPTLCK; the slave was open once */
    bool packet; /* TIOCPKT */
    uint8_t packet_status; /* TIOCPKT_*, to be told by the next read */
    bool was_stopped;
    struct scheme_watch watch; /* the master's */
    struct scheme_queue readers, writers; /* of the master */
};
extern const struct terminal_ops pty_ops;

/* --- master.c --- */
int64_t master_read(struct pty *p, struct port_buffer *call);
int64_t master_write(struct pty *p, struct port_buffer *call);
int64_t master_watch(struct pty *p, uint32_t mask);
int64_t master_ioctl(struct pty *p, struct port_buffer *call);
/* The master is told of news: output, room, the slave's opens and closes. */
void master_changed(struct pty *p);
