// SPDX-License-Identifier: MIT
/* Line discipline: the output queue and output processing (OPOST), POSIX.1-2017 §11.2.3. */
#include "internal.h"
#include <string.h>

static uint32_t output_room(const struct ldisc *ld) { return LDISC_OUTPUT_SIZE - (ld->out_write - ld->out_read); }

static void output_put(struct ldisc *ld, uint8_t byte) { ld->output[ld->out_write++ % LDISC_OUTPUT_SIZE] = byte; }

void output_raw(struct ldisc *ld, const char *bytes, uint32_t count) {
    if (output_room(ld) < count) return;
    for (uint32_t i = 0; i < count; i++) output_put(ld, (uint8_t)bytes[i]);
}

static void output_newline(struct ldisc *ld) {
    if (flag_o(ld, ONLCR)) {
        output_put(ld, '\r');
        ld->column = 0;
    } else if (flag_o(ld, ONLRET)) {
        ld->column = 0;
    }
    output_put(ld, '\n');
}

static void output_return(struct ldisc *ld) {
    if (flag_o(ld, ONOCR) && ld->column == 0) return;
    if (flag_o(ld, OCRNL)) {
        if (flag_o(ld, ONLRET)) ld->column = 0;
        output_put(ld, '\n');
        return;
    }
    ld->column = 0;
    output_put(ld, '\r');
}

static void output_tab(struct ldisc *ld) {
    uint32_t width = 8 - ld->column % 8;
    ld->column += width;
    if ((ld->termios.oflag & TABDLY) != TAB3) {
        output_put(ld, '\t');
        return;
    }
    while (width-- > 0) output_put(ld, ' ');
}

bool output_byte(struct ldisc *ld, uint8_t byte, uint32_t reserve) {
    if (output_room(ld) < reserve + 8) /* a tab becomes at most 8 bytes */
        return false;
    if (!flag_o(ld, OPOST)) {
        output_put(ld, byte);
        return true;
    }
    switch (byte) {
    case '\n': output_newline(ld); break;
    case '\r': output_return(ld); break;
    case '\t': output_tab(ld); break;
    case '\b':
        if (ld->column > 0) ld->column--;
        output_put(ld, byte);
        break;
    default:
        if (flag_o(ld, OLCUC) && byte >= 'a' && byte <= 'z') byte -= 'a' - 'A';
        if (!is_control(byte) && !is_continuation(ld, byte)) ld->column++;
        output_put(ld, byte);
    }
    return true;
}

void output_urgent(struct ldisc *ld, uint8_t byte) {
    if (byte != 0 && ld->urgent_count < sizeof(ld->urgent)) ld->urgent[ld->urgent_count++] = byte;
}

size_t ldisc_write(struct ldisc *ld, const uint8_t *bytes, size_t count) {
    size_t done = 0;
    while (done < count && output_byte(ld, bytes[done], LDISC_ECHO_RESERVE)) done++;
    return done;
}

bool ldisc_writable(const struct ldisc *ld) { return output_room(ld) >= LDISC_OUTPUT_SIZE / 4; }

size_t ldisc_output_pending(const struct ldisc *ld) { return ld->out_write - ld->out_read + ld->urgent_count; }

size_t ldisc_output_peek(const struct ldisc *ld, const uint8_t **bytes) {
    if (ld->urgent_count > 0) {
        *bytes = ld->urgent;
        return ld->urgent_count;
    }
    if (ld->stopped) return 0;
    uint32_t start = ld->out_read % LDISC_OUTPUT_SIZE;
    uint32_t count = ld->out_write - ld->out_read;
    *bytes = ld->output + start;
    return count < LDISC_OUTPUT_SIZE - start ? count : LDISC_OUTPUT_SIZE - start;
}

void ldisc_output_done(struct ldisc *ld, size_t count) {
    if (ld->urgent_count > 0) {
        ld->urgent_count -= (uint8_t)count;
        memmove(ld->urgent, ld->urgent + count, ld->urgent_count);
        return;
    }
    ld->out_read += (uint32_t)count;
}
