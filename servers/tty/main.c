// SPDX-License-Identifier: MIT
/*
 * The scheme `tty:`: terminals 0, 1, … on the serial lines named by the arguments.  Each read,
 * write and ioctl is one call; the work is in ../lib/terminal and line.c.
 */
#include "line.h"
#include <service.h>
#include <sys/sysmacros.h>
#include <terminal_set.h>

#define TERMINALS_MAX 8
/* Numbers and names of serial terminals are Linux's: major 4, minors from 64 on, /dev/ttyS0. */
#define MAJOR 4
#define MINOR_FIRST 64
enum { KEY_LINE, KEY_SESSION, KEYS }; /* event key: KEYS * number + which */

static struct serial_terminal terminals[TERMINALS_MAX];
static struct terminal *terminal_at(unsigned index) { return &terminals[index].terminal; }

struct terminal_set terminal_set = {
    .names = (const char *const[TERMINALS_MAX]){"0", "1", "2", "3", "4", "5", "6", "7"},
    .at = terminal_at,
    .device = "/dev/ttyS",
    .minor_first = MINOR_FIRST,
};

static void tty_event(struct scheme *s, uint64_t key, uint32_t mask) {
    struct terminal *t = &terminals[key / KEYS].terminal;
    if (key % KEYS == KEY_LINE) terminal_changed(t);
    else terminal_hangup(t); /* the session leader has exited */
}

static void tty_timeout(struct scheme *s) {
    s->deadline = DEADLINE_NEVER;
    for (unsigned i = 0; i < terminal_set.count; i++) terminal_timeout(&terminals[i].terminal);
}

static const struct scheme_ops tty_ops = {
    .handler =
        {
            [OP_OPEN] = terminals_open,
            [OP_CLOSE] = terminals_close,
            [OP_READ] = terminals_read,
            [OP_WRITE] = terminals_write,
            [OP_CONTROL] = terminals_control,
            [OP_WATCH] = terminals_watch,
            [OP_STAT] = terminals_stat,
            [OP_SET_ATTRIBUTES] = terminals_set_attributes,
            [OP_ACCESS] = terminals_access,
            [OP_PATH] = terminals_path,
        },
    .cancel = terminals_cancel,
    .event = tty_event,
    .timeout = tty_timeout,
};

int main(int argc, char **argv) {
    static struct scheme scheme;
    if (scheme_init(&scheme, SERVICE_SCHEME, &tty_ops, nullptr) != 0) return 1;
    for (int i = 1; i < argc && terminal_set.count < TERMINALS_MAX; i++) {
        unsigned number = terminal_set.count++;
        struct serial_terminal *st = &terminals[number];
        st->line = (struct line){.name = argv[i], .key = KEYS * number + KEY_LINE};
        st->terminal.ops = &line_ops;
        st->terminal.device = makedev(MAJOR, MINOR_FIRST + number);
        st->terminal.inode = number + 1;
        st->terminal.session_key = KEYS * number + KEY_SESSION;
        terminal_init(&st->terminal, &scheme);
        line_start(st);
    }
    return -scheme_serve(&scheme);
}
