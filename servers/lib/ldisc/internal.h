// SPDX-License-Identifier: MIT
/* What the files of the line discipline share: cells, flags, the output queue. */
#pragma once
#include <ldisc.h>
#include <termios.h>

enum cell { /* flags beside the byte of an input cell */
            CELL_LINE_END = 0x100, /* the line ends with this byte */
            CELL_EOF = 0x200, /* ends the line, is no byte itself */
};

static inline bool flag_i(const struct ldisc *ld, uint32_t flag) { return ld->termios.iflag & flag; }
static inline bool flag_o(const struct ldisc *ld, uint32_t flag) { return ld->termios.oflag & flag; }
static inline bool flag_l(const struct ldisc *ld, uint32_t flag) { return ld->termios.lflag & flag; }
/* Is `byte` the control character `index`? 0 (_POSIX_VDISABLE) disables one. */
static inline bool is_control_char(const struct ldisc *ld, unsigned index, uint8_t byte) {
    return byte != 0 && ld->termios.cc[index] == byte;
}
static inline bool is_control(uint8_t byte) { return byte < 0x20 || byte == 0x7f; }
/* A byte that is no character of its own under IUTF8. */
static inline bool is_continuation(const struct ldisc *ld, uint8_t byte) {
    return flag_i(ld, IUTF8) && (byte & 0xc0) == 0x80;
}

/* Queues one byte, processed as OPOST says, if `reserve` bytes stay free: false if not. */
bool output_byte(struct ldisc *ld, uint8_t byte, uint32_t reserve);
/* Queues bytes for the line as they are; what has no room is lost. */
void output_raw(struct ldisc *ld, const char *bytes, uint32_t count);
/* START or STOP goes out before everything else. */
void output_urgent(struct ldisc *ld, uint8_t byte);
/* Tells the line to go on if the input has drained (IXOFF). */
void input_unthrottle(struct ldisc *ld);
