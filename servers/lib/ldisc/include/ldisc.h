// SPDX-License-Identifier: MIT
/*
 * The line discipline of a terminal (POSIX.1-2017 chapter 11, with the extensions of Linux): what
 * happens between the bytes of a line (UART, pty master, keyboard) and the program that reads and
 * writes the terminal.  Pure state machine: no I/O, no clock, no allocation; the owner feeds bytes
 * from the line, drains the output queue to it, and delivers the signals found.
 *
 * Input is a ring of cells.  Positions only grow; a cell's place is its position % size:
 *   read_at … line_end   readable: complete lines (canonical mode) or everything (raw)
 *   line_end … write_at  the line being edited (canonical mode only)
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LDISC_INPUT_SIZE 4096 /* MAX_CANON + 1 */
#define LDISC_OUTPUT_SIZE 16384
#define LDISC_ECHO_RESERVE 1024 /* of the output queue: writers leave it to echoes */
#define LDISC_CONTROL_CHARS 19
#define LDISC_NEVER INT64_MAX

struct ldisc_termios { /* struct termios of Linux on x86-64, as TCGETS moves it */
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t line;
    uint8_t cc[LDISC_CONTROL_CHARS];
};
_Static_assert(sizeof(struct ldisc_termios) == 36, "struct termios");

struct ldisc_window { /* struct winsize */
    uint16_t rows, columns, x_pixels, y_pixels;
};

struct ldisc {
    struct ldisc_termios termios;
    struct ldisc_window window;
    uint32_t read_at, line_end, write_at;
    uint32_t out_read, out_write;
    uint32_t column; /* of the cursor, as far as output shows */
    uint32_t edit_column; /* where the line being edited began */
    bool stopped; /* output: by STOP or TCOOFF */
    bool literal_next; /* LNEXT was typed */
    bool throttled; /* STOP was sent to the line (IXOFF) */
    uint8_t urgent_count; /* START and STOP go before all other output */
    uint8_t urgent[2];
    int64_t last_input_ns;
    uint64_t signals; /* found in input, bit n-1 = signal n */
    uint16_t input[LDISC_INPUT_SIZE]; /* byte | enum cell flags */
    uint8_t output[LDISC_OUTPUT_SIZE];
};

/* Settings of a fresh terminal: those of `stty sane`, 38400 8N1, 24 × 80. */
void ldisc_init(struct ldisc *ld);
/* The users are gone: settings of a fresh terminal, in the same window; what was written still goes out. */
void ldisc_reset(struct ldisc *ld);
void ldisc_set_termios(struct ldisc *ld, const struct ldisc_termios *termios);

/* --- the side of the line --- */
/* Takes bytes in; fewer than `count` if the readers are behind (offer the rest later). */
size_t ldisc_receive(struct ldisc *ld, const uint8_t *bytes, size_t count, int64_t now_ns);
/* Would it take some? */
bool ldisc_input_room(const struct ldisc *ld);
/* The line was held at zero (break). */
void ldisc_receive_break(struct ldisc *ld, int64_t now_ns);
/* The signals for the foreground group since the last call. */
uint64_t ldisc_take_signals(struct ldisc *ld);
/* The next contiguous bytes for the line: their number (0: none, or stopped), *bytes. */
size_t ldisc_output_peek(const struct ldisc *ld, const uint8_t **bytes);
/* The first `count` of them were sent. */
void ldisc_output_done(struct ldisc *ld, size_t count);

/* --- the side of the program --- */
/* Would a read of `size` bytes that began at start_ns return now (maybe 0 bytes)? If not, *deadline
 * is when to ask again even without input, or LDISC_NEVER. */
bool ldisc_read_ready(const struct ldisc *ld, size_t size, int64_t start_ns, int64_t now_ns, int64_t *deadline);
/* Takes bytes out; 0 = end of file or nothing there. Call after ldisc_read_ready. */
size_t ldisc_read(struct ldisc *ld, uint8_t *bytes, size_t size);
bool ldisc_poll_readable(const struct ldisc *ld);
size_t ldisc_readable(const struct ldisc *ld); /* FIONREAD */
/* Queues bytes for the line, processed as OPOST says; fewer than `count` if the queue is full. */
size_t ldisc_write(struct ldisc *ld, const uint8_t *bytes, size_t count);
bool ldisc_writable(const struct ldisc *ld);
size_t ldisc_output_pending(const struct ldisc *ld); /* TIOCOUTQ */

enum ldisc_queue { LDISC_FLUSH_INPUT = 1, LDISC_FLUSH_OUTPUT = 2 };
void ldisc_flush(struct ldisc *ld, unsigned queues);

/*
 * ioctl requests that need the terminal alone: TCGETS TCSETS TCSETSW TCSETSF TCFLSH TCXONC FIONREAD
 * TIOCOUTQ TIOCGWINSZ TIOCSWINSZ TIOCSTI.  `data` has the bytes that came along; the answer goes
 * to `answer` (room for 64 bytes), its length to *answer_length.  0 or -errno; -ENOTTY: not one of
 * these.  ldisc_control_drains: the request waits for the output to be sent first.
 */
int ldisc_control(struct ldisc *ld, uint32_t request, uint64_t argument, const void *data, size_t length, void *answer,
                  size_t *answer_length);
bool ldisc_control_drains(uint32_t request, uint64_t argument);
