// SPDX-License-Identifier: MIT
/*
 * A terminal: a line discipline, the session that it controls, the files open on it and the
 * requests that wait.  What it is connected to, a serial line or the master of a pty, is behind
 * struct terminal_ops.
 *
 * Job control (POSIX.1-2017 §11.1): a request of a process of the terminal's session outside of the
 * foreground group gets SIGTTIN or SIGTTOU sent to its group and waits on `background`; the signal
 * interrupts the call, the cancel is answered EINTR, and the kernel makes the call anew when the
 * process continues.
 */
#pragma once
#include <ldisc.h>
#include <scheme.h>
#include <time.h>

struct terminal;

struct terminal_ops { /* the other side */
    /* Moves what can be moved in both directions. */
    void (*pump)(struct terminal *t);
    /* An ioctl that is the line's own (modem lines, speed, break); data: in and answer. */
    int64_t (*control)(struct terminal *t, uint32_t request, void *data, uint32_t length, uint32_t room);
    bool drains; /* output takes time: TCSADRAIN waits for it */
    void (*hurry)(struct terminal *t); /* somebody does; may be null */
};

struct tty_file { /* one open */
    struct tty_file *next;
    struct terminal *terminal;
    uint64_t id;
    uint32_t generation; /* another than the terminal's: hung up */
    struct scheme_watch watch;
};

struct terminal {
    const struct terminal_ops *ops;
    struct scheme *scheme;
    uint64_t device, inode; /* of its node; device: major and minor */
    struct ldisc ldisc;
    struct tty_file *files;
    uint32_t generation; /* raised by a hang-up */
    uint32_t session, foreground; /* 0: none */
    handle_t session_handle; /* OBJECT_TERMINAL */
    uint64_t session_key; /* of its events */
    bool exclusive; /* TIOCEXCL */
    uint32_t mode, uid, gid; /* of the node */
    uint32_t writing; /* tag of the write that others wait for, 0 none */
    struct scheme_queue readers, writers, drainers, background;
};

static inline int64_t time_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Sets what the caller left zero; ops, device, inode and session_key are set before. */
void terminal_init(struct terminal *t, struct scheme *s);
/* A new open file (its id is for the caller to set); null: no memory. */
struct tty_file *terminal_open(struct terminal *t);
void terminal_close(struct tty_file *f);
int64_t terminal_read(struct tty_file *f, struct port_buffer *call);
#define WRITE_DONE 1 /* request.args: bytes that a waiting write has moved */
int64_t terminal_write(struct tty_file *f, struct port_buffer *call);
int64_t terminal_watch(struct tty_file *f, uint32_t mask);
int64_t terminal_ioctl(struct tty_file *f, struct port_buffer *call); /* control.c */
/* A parked request was given up: its answer. */
int64_t terminal_cancel(struct terminal *t, struct port_buffer *call);
/* The time that scheme->deadline named has come. */
void terminal_timeout(struct terminal *t);
/* The session leader is gone, or the line is: files die, leader and foreground group learn of it. */
void terminal_hangup(struct terminal *t);
/* The leader gives the terminal up: the foreground group learns of it. */
void terminal_session_end(struct terminal *t);

/* May the caller go on (0), does it wait (PARK), or -EIO? signal: SIGTTIN or SIGTTOU. */
int64_t terminal_check_background(struct terminal *t, struct port_buffer *call, int signal);
/* After anything that changed the line discipline: signals, output, waiters, readiness. */
void terminal_changed(struct terminal *t);
/* Signal to the foreground group, if there is one. */
void terminal_signal(struct terminal *t, int signal);

/* --- node.c: the terminal as a file of its scheme --- */
/* Opens it for the caller: *out, or -errno. */
[[nodiscard]] int64_t terminal_open_node(struct terminal *t, struct port_buffer *call, struct tty_file **out);
int64_t terminal_stat(struct terminal *t, struct port_buffer *call);
int64_t terminal_set_attributes(struct terminal *t, struct port_buffer *call);
int64_t terminal_access(struct terminal *t, struct port_buffer *call);
