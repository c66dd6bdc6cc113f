// SPDX-License-Identifier: MIT
/*
 * Line discipline: what a byte from the line does (POSIX.1-2017 §11.1.6–11.1.9, §11.2.2, §11.2.5):
 * mapping, signals, flow control, editing, echo; and reading out of the ring.
 */
#include "internal.h"
#include <signal.h>

#define BELL "\a"

static uint16_t *cell_at(struct ldisc *ld, uint32_t position) { return &ld->input[position % LDISC_INPUT_SIZE]; }

static uint32_t input_room(const struct ldisc *ld) { return LDISC_INPUT_SIZE - (ld->write_at - ld->read_at); }

/* --- echo --- */
static bool shown_as_caret(const struct ldisc *ld, uint8_t byte) {
    return flag_l(ld, ECHOCTL) && is_control(byte) && byte != '\t';
}

static void echo_visible(struct ldisc *ld, uint8_t byte) {
    if (shown_as_caret(ld, byte)) {
        output_byte(ld, '^', 0);
        output_byte(ld, byte ^ 0x40, 0);
        return;
    }
    output_byte(ld, byte, 0);
}

static void echo(struct ldisc *ld, uint8_t byte) {
    if (flag_l(ld, ECHO)) echo_visible(ld, byte);
}

static uint32_t column_after(const struct ldisc *ld, uint32_t column, uint8_t byte) {
    if (byte == '\t') return (column | 7) + 1;
    if (is_control(byte)) return column + (shown_as_caret(ld, byte) ? 2 : 0);
    return column + !is_continuation(ld, byte);
}

/* The columns that the last character of the line takes, cells `from` on. */
static uint32_t character_width(struct ldisc *ld, uint32_t from) {
    uint32_t column = ld->edit_column;
    for (uint32_t at = ld->line_end; at != from; at++) column = column_after(ld, column, (uint8_t)*cell_at(ld, at));
    return column_after(ld, column, (uint8_t)*cell_at(ld, from)) - column;
}

static void echo_erase(struct ldisc *ld, uint32_t from) {
    bool tab = (uint8_t)*cell_at(ld, from) == '\t';
    for (uint32_t width = character_width(ld, from); width > 0; width--) {
        output_raw(ld, tab ? "\b" : "\b \b", tab ? 1 : 3);
        if (ld->column > 0) ld->column--;
    }
}

/* --- editing the current line --- */
/* Where the last character of the line begins. */
static uint32_t last_character(struct ldisc *ld) {
    uint32_t at = ld->write_at;
    do at--;
    while (at != ld->line_end && is_continuation(ld, (uint8_t)*cell_at(ld, at)));
    return at;
}

static void erase_character(struct ldisc *ld) {
    uint32_t from = last_character(ld);
    if (flag_l(ld, ECHO) && flag_l(ld, ECHOE)) echo_erase(ld, from);
    ld->write_at = from;
}

static bool is_word(uint8_t byte) {
    return byte >= 0x80 || byte == '_' || (byte >= '0' && byte <= '9') ||
           ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
}

static void erase_word(struct ldisc *ld) {
    bool seen = false;
    while (ld->write_at != ld->line_end) {
        bool word = is_word((uint8_t)*cell_at(ld, last_character(ld)));
        if (seen && !word) return;
        seen = word;
        erase_character(ld);
    }
}

static void kill_line(struct ldisc *ld, uint8_t byte) {
    if (flag_l(ld, ECHOKE) && flag_l(ld, ECHOE)) {
        while (ld->write_at != ld->line_end) erase_character(ld);
        return;
    }
    ld->write_at = ld->line_end;
    echo(ld, byte);
    if (flag_l(ld, ECHOK)) output_byte(ld, '\n', 0);
    ld->edit_column = ld->column;
}

static void reprint_line(struct ldisc *ld, uint8_t byte) {
    echo(ld, byte);
    output_byte(ld, '\n', 0);
    ld->edit_column = ld->column;
    for (uint32_t at = ld->line_end; at != ld->write_at; at++) echo(ld, (uint8_t)*cell_at(ld, at));
}

static void edit(struct ldisc *ld, uint8_t byte, void (*erase)(struct ldisc *)) {
    if (ld->write_at == ld->line_end) return;
    erase(ld);
    if (!flag_l(ld, ECHOE)) echo(ld, byte);
}

/* --- storing --- */
static void store_line_end(struct ldisc *ld, uint8_t byte, uint16_t flags) {
    *cell_at(ld, ld->write_at++) = byte | CELL_LINE_END | flags;
    ld->line_end = ld->write_at;
    ld->edit_column = ld->column;
}

/* A byte of content. In canonical mode the last cell is kept for the end of the line. */
static void store(struct ldisc *ld, uint8_t byte) {
    bool canonical = flag_l(ld, ICANON);
    if (input_room(ld) <= (canonical ? 1u : 0u)) {
        if (flag_i(ld, IMAXBEL)) output_raw(ld, BELL, 1);
        return;
    }
    if (ld->write_at == ld->line_end) ld->edit_column = ld->column;
    *cell_at(ld, ld->write_at++) = byte;
    if (!canonical) ld->line_end = ld->write_at;
    echo(ld, byte);
}

static void throttle(struct ldisc *ld) {
    if (!flag_i(ld, IXOFF) || ld->throttled || input_room(ld) > LDISC_INPUT_SIZE / 4) return;
    ld->throttled = true;
    output_urgent(ld, ld->termios.cc[VSTOP]);
}

void input_unthrottle(struct ldisc *ld) {
    if (!ld->throttled || (flag_i(ld, IXOFF) && input_room(ld) < LDISC_INPUT_SIZE * 3 / 4)) return;
    ld->throttled = false;
    output_urgent(ld, ld->termios.cc[VSTART]);
}

/* --- the special characters --- */
static void raise_signal(struct ldisc *ld, int signal, uint8_t byte) {
    if (!flag_l(ld, NOFLSH)) ldisc_flush(ld, LDISC_FLUSH_INPUT | LDISC_FLUSH_OUTPUT);
    ld->stopped = false;
    echo(ld, byte);
    ld->edit_column = ld->column;
    ld->signals |= 1ULL << (signal - 1);
}

static bool receive_signal(struct ldisc *ld, uint8_t byte) {
    if (!flag_l(ld, ISIG)) return false;
    if (is_control_char(ld, VINTR, byte)) raise_signal(ld, SIGINT, byte);
    else if (is_control_char(ld, VQUIT, byte)) raise_signal(ld, SIGQUIT, byte);
    else if (is_control_char(ld, VSUSP, byte)) raise_signal(ld, SIGTSTP, byte);
    else return false;
    return true;
}

static bool receive_flow(struct ldisc *ld, uint8_t byte) {
    if (!flag_i(ld, IXON)) return false;
    if (is_control_char(ld, VSTART, byte)) {
        ld->stopped = false;
        return true;
    }
    if (is_control_char(ld, VSTOP, byte)) {
        ld->stopped = true;
        return true;
    }
    return false;
}

static bool receive_extended(struct ldisc *ld, uint8_t byte) {
    if (!flag_l(ld, IEXTEN)) return false;
    if (is_control_char(ld, VWERASE, byte)) {
        edit(ld, byte, erase_word);
    } else if (is_control_char(ld, VREPRINT, byte) && flag_l(ld, ECHO)) {
        reprint_line(ld, byte);
    } else if (is_control_char(ld, VLNEXT, byte)) {
        ld->literal_next = true;
        if (flag_l(ld, ECHO) && flag_l(ld, ECHOCTL)) output_raw(ld, "^\b", 2);
    } else {
        return false;
    }
    return true;
}

static bool receive_canonical(struct ldisc *ld, uint8_t byte) {
    if (is_control_char(ld, VERASE, byte)) {
        edit(ld, byte, erase_character);
    } else if (is_control_char(ld, VKILL, byte)) {
        kill_line(ld, byte);
    } else if (is_control_char(ld, VEOF, byte)) {
        store_line_end(ld, 0, CELL_EOF);
    } else if (byte == '\n') {
        if (flag_l(ld, ECHO) || flag_l(ld, ECHONL)) output_byte(ld, '\n', 0);
        store_line_end(ld, byte, 0);
    } else if (is_control_char(ld, VEOL, byte) || (flag_l(ld, IEXTEN) && is_control_char(ld, VEOL2, byte))) {
        echo(ld, byte);
        store_line_end(ld, byte, 0);
    } else {
        return receive_extended(ld, byte);
    }
    return true;
}

static void receive_byte(struct ldisc *ld, uint8_t byte) {
    if (flag_i(ld, ISTRIP)) byte &= 0x7f;
    if (ld->literal_next) {
        ld->literal_next = false;
        store(ld, byte);
        return;
    }
    if (flag_i(ld, IUCLC) && flag_l(ld, IEXTEN) && byte >= 'A' && byte <= 'Z') byte += 'a' - 'A';
    if (receive_flow(ld, byte) || receive_signal(ld, byte)) return;
    if (ld->stopped && flag_i(ld, IXON) && flag_i(ld, IXANY)) ld->stopped = false;
    if (byte == '\r') {
        if (flag_i(ld, IGNCR)) return;
        if (flag_i(ld, ICRNL)) byte = '\n';
    } else if (byte == '\n' && flag_i(ld, INLCR)) {
        byte = '\r';
    }
    if (flag_l(ld, ICANON) && receive_canonical(ld, byte)) return;
    if (byte == 0xff && flag_i(ld, PARMRK) && !flag_i(ld, ISTRIP)) store(ld, 0xff);
    store(ld, byte);
}

/* Two cells: a byte may be doubled (PARMRK). A full ring without a readable line can only be helped by
 * taking more: what doesn't fit is lost, as a line has its maximum. */
bool ldisc_input_room(const struct ldisc *ld) { return input_room(ld) >= 2 || ld->read_at == ld->line_end; }

size_t ldisc_receive(struct ldisc *ld, const uint8_t *bytes, size_t count, int64_t now_ns) {
    size_t done = 0;
    for (; done < count && ldisc_input_room(ld); done++) receive_byte(ld, bytes[done]);
    if (done > 0) ld->last_input_ns = now_ns;
    throttle(ld);
    return done;
}

void ldisc_receive_break(struct ldisc *ld, int64_t now_ns) {
    if (flag_i(ld, IGNBRK)) return;
    if (flag_i(ld, BRKINT)) {
        ldisc_flush(ld, LDISC_FLUSH_INPUT | LDISC_FLUSH_OUTPUT);
        ld->signals |= 1ULL << (SIGINT - 1);
        return;
    }
    if (flag_i(ld, PARMRK)) {
        store(ld, 0xff);
        store(ld, 0);
    }
    store(ld, 0);
    ld->last_input_ns = now_ns;
}

uint64_t ldisc_take_signals(struct ldisc *ld) {
    uint64_t signals = ld->signals;
    ld->signals = 0;
    return signals;
}

/* --- reading --- */
#define DECISECOND_NS 100000000LL

bool ldisc_read_ready(const struct ldisc *ld, size_t size, int64_t start_ns, int64_t now_ns, int64_t *deadline) {
    uint32_t available = ld->line_end - ld->read_at;
    *deadline = LDISC_NEVER;
    if (flag_l(ld, ICANON)) return available > 0;
    uint32_t minimum = ld->termios.cc[VMIN];
    int64_t time_ns = ld->termios.cc[VTIME] * DECISECOND_NS;
    if (minimum > size) minimum = (uint32_t)size;
    if (available >= minimum && (available > 0 || time_ns == 0)) return true;
    if (time_ns == 0 || (ld->termios.cc[VMIN] > 0 && available == 0)) return false;
    /* MIN = 0: TIME counts from the read's start; else from the byte that came last. */
    int64_t since = start_ns;
    if (ld->termios.cc[VMIN] > 0 && ld->last_input_ns > since) since = ld->last_input_ns;
    *deadline = since + time_ns;
    return now_ns >= *deadline;
}

static size_t read_canonical(struct ldisc *ld, uint8_t *bytes, size_t size) {
    size_t done = 0;
    while (ld->read_at != ld->line_end) {
        uint16_t cell = *cell_at(ld, ld->read_at);
        /* An end of file behind the last byte goes with it, else the next read would return 0. */
        if (done == size && !(cell & CELL_EOF)) break;
        ld->read_at++;
        if (!(cell & CELL_EOF)) bytes[done++] = (uint8_t)cell;
        if (cell & CELL_LINE_END) break;
    }
    return done;
}

size_t ldisc_read(struct ldisc *ld, uint8_t *bytes, size_t size) {
    size_t done = 0;
    if (size == 0) return 0;
    if (flag_l(ld, ICANON)) {
        done = read_canonical(ld, bytes, size);
    } else {
        for (; done < size && ld->read_at != ld->line_end; ld->read_at++) {
            uint16_t cell = *cell_at(ld, ld->read_at);
            if (!(cell & CELL_EOF)) bytes[done++] = (uint8_t)cell;
        }
    }
    input_unthrottle(ld);
    return done;
}

bool ldisc_poll_readable(const struct ldisc *ld) {
    uint32_t minimum = 1;
    if (!flag_l(ld, ICANON) && ld->termios.cc[VTIME] == 0 && ld->termios.cc[VMIN] > 0) minimum = ld->termios.cc[VMIN];
    return ld->line_end - ld->read_at >= minimum;
}

size_t ldisc_readable(const struct ldisc *ld) {
    size_t count = 0;
    for (uint32_t at = ld->read_at; at != ld->line_end; at++) count += !(ld->input[at % LDISC_INPUT_SIZE] & CELL_EOF);
    return count;
}
