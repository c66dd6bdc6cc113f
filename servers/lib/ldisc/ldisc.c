// SPDX-License-Identifier: MIT
/* Line discipline: settings, flushing, and the ioctl requests that concern the terminal alone. */
#include "internal.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

static const struct ldisc_termios sane = {
    .iflag = BRKINT | ICRNL | IXON | IMAXBEL | IUTF8,
    .oflag = OPOST | ONLCR,
    .cflag = B38400 | CS8 | CREAD | HUPCL,
    .lflag = ISIG | ICANON | IEXTEN | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE,
    .cc =
        {
            [VINTR] = 'C' & 0x1f,
            [VQUIT] = '\\' & 0x1f,
            [VERASE] = 0x7f,
            [VKILL] = 'U' & 0x1f,
            [VEOF] = 'D' & 0x1f,
            [VMIN] = 1,
            [VSTART] = 'Q' & 0x1f,
            [VSTOP] = 'S' & 0x1f,
            [VSUSP] = 'Z' & 0x1f,
            [VREPRINT] = 'R' & 0x1f,
            [VDISCARD] = 'O' & 0x1f,
            [VWERASE] = 'W' & 0x1f,
            [VLNEXT] = 'V' & 0x1f,
        },
};

void ldisc_init(struct ldisc *ld) { *ld = (struct ldisc){.termios = sane, .window = {.rows = 24, .columns = 80}}; }

void ldisc_reset(struct ldisc *ld) {
    ldisc_flush(ld, LDISC_FLUSH_INPUT);
    ld->termios = sane;
    ld->stopped = ld->throttled = false;
    ld->signals = 0;
}

void ldisc_set_termios(struct ldisc *ld, const struct ldisc_termios *termios) {
    uint32_t changed = ld->termios.lflag ^ termios->lflag;
    ld->termios = *termios;
    /* What was typed under the other mode becomes readable as it stands. */
    if (changed & ICANON) {
        ld->line_end = ld->write_at;
        ld->literal_next = false;
    }
    if (!flag_i(ld, IXON)) ld->stopped = false;
    input_unthrottle(ld);
}

void ldisc_flush(struct ldisc *ld, unsigned queues) {
    if (queues & LDISC_FLUSH_INPUT) {
        ld->read_at = ld->line_end = ld->write_at;
        ld->literal_next = false;
        ld->edit_column = ld->column;
        input_unthrottle(ld);
    }
    if (queues & LDISC_FLUSH_OUTPUT) ld->out_read = ld->out_write;
}

/* --- ioctl --- */
static int control_set(struct ldisc *ld, uint32_t request, const void *data, size_t length) {
    struct ldisc_termios termios;
    if (length < sizeof(termios)) return -EINVAL;
    memcpy(&termios, data, sizeof(termios));
    if (request == TCSETSF) ldisc_flush(ld, LDISC_FLUSH_INPUT);
    ldisc_set_termios(ld, &termios);
    return 0;
}

static int control_flush(struct ldisc *ld, uint64_t queue) {
    switch (queue) {
    case TCIFLUSH: ldisc_flush(ld, LDISC_FLUSH_INPUT); return 0;
    case TCOFLUSH: ldisc_flush(ld, LDISC_FLUSH_OUTPUT); return 0;
    case TCIOFLUSH: ldisc_flush(ld, LDISC_FLUSH_INPUT | LDISC_FLUSH_OUTPUT); return 0;
    default: return -EINVAL;
    }
}

static int control_flow(struct ldisc *ld, uint64_t action) {
    switch (action) {
    case TCOOFF: ld->stopped = true; return 0;
    case TCOON: ld->stopped = false; return 0;
    case TCIOFF: output_urgent(ld, ld->termios.cc[VSTOP]); return 0;
    case TCION: output_urgent(ld, ld->termios.cc[VSTART]); return 0;
    default: return -EINVAL;
    }
}

static int control_window(struct ldisc *ld, const void *data, size_t length) {
    struct ldisc_window window;
    if (length < sizeof(window)) return -EINVAL;
    memcpy(&window, data, sizeof(window));
    if (memcmp(&window, &ld->window, sizeof(window)) != 0) ld->signals |= 1ULL << (SIGWINCH - 1);
    ld->window = window;
    return 0;
}

static int control_answer(const void *value, size_t size, void *answer, size_t *answer_length) {
    memcpy(answer, value, size);
    *answer_length = size;
    return 0;
}

static int control_count(size_t count, void *answer, size_t *answer_length) {
    int value = (int)count;
    return control_answer(&value, sizeof(value), answer, answer_length);
}

int ldisc_control(struct ldisc *ld, uint32_t request, uint64_t argument, const void *data, size_t length, void *answer,
                  size_t *answer_length) {
    *answer_length = 0;
    switch (request) {
    case TCGETS: return control_answer(&ld->termios, sizeof(ld->termios), answer, answer_length);
    case TCSETS:
    case TCSETSW:
    case TCSETSF: return control_set(ld, request, data, length);
    case TCFLSH: return control_flush(ld, argument);
    case TCXONC: return control_flow(ld, argument);
    case FIONREAD: return control_count(ldisc_readable(ld), answer, answer_length);
    case TIOCOUTQ: return control_count(ldisc_output_pending(ld), answer, answer_length);
    case TIOCGWINSZ: return control_answer(&ld->window, sizeof(ld->window), answer, answer_length);
    case TIOCSWINSZ: return control_window(ld, data, length);
    case TIOCSTI: return -EPERM; /* typing for others is a way around their privileges */
    default: return -ENOTTY;
    }
}

bool ldisc_control_drains(uint32_t request, uint64_t argument) {
    return request == TCSETSW || request == TCSETSF || request == TCSBRK || request == TCSBRKP;
}
