// SPDX-License-Identifier: MIT
/* The line discipline under arbitrary settings, typing, reading and writing: no wild access, and the
 * positions of its rings stay ordered. */
#include <ldisc.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void settings_change(struct ldisc *ld, const uint8_t *data, size_t size) {
    struct ldisc_termios termios = ld->termios;
    memcpy(&termios, data, size < sizeof(termios) ? size : sizeof(termios));
    ldisc_set_termios(ld, &termios);
}

static void check(const struct ldisc *ld) {
    if (ld->write_at - ld->read_at > LDISC_INPUT_SIZE || ld->line_end - ld->read_at > ld->write_at - ld->read_at ||
        ld->out_write - ld->out_read > LDISC_OUTPUT_SIZE)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct ldisc ld;
    uint8_t buffer[256];
    int64_t deadline;
    ldisc_init(&ld);
    while (size >= 2) {
        uint8_t op = data[0] % 6;
        size_t length = data[1] < size - 2 ? data[1] : size - 2;
        data += 2;
        size -= 2;
        switch (op) {
        case 0: settings_change(&ld, data, length); break;
        case 1: ldisc_receive(&ld, data, length, (int64_t)size); break;
        case 2:
            for (int i = 0; i < 30; i++) /* fill the rings */
                ldisc_receive(&ld, data, length, 0);
            break;
        case 3:
            if (ldisc_read_ready(&ld, length, 0, 0, &deadline) && ldisc_read(&ld, buffer, length) > length) abort();
            break;
        case 4: ldisc_write(&ld, data, length); break;
        case 5: {
            const uint8_t *bytes;
            ldisc_output_done(&ld, ldisc_output_peek(&ld, &bytes));
            ldisc_receive_break(&ld, 0);
            ldisc_flush(&ld, (unsigned)length & 3);
        }
        }
        check(&ld);
        data += length;
        size -= length;
    }
    return 0;
}
