// SPDX-License-Identifier: MIT
/* Terminals: reading, writing, readiness, job control, hang-up. */
#include <signal.h>
#include <stdlib.h>
#include <terminal.h>
#include <termios.h>

void terminal_init(struct terminal *t, struct scheme *s) {
    t->scheme = s;
    t->session_handle = HANDLE_NONE;
    t->mode = 0620;
    t->gid = 5; /* tty */
    ldisc_init(&t->ldisc);
}

/* --- readiness --- */
static uint32_t file_ready(const struct tty_file *f) {
    const struct terminal *t = f->terminal;
    if (f->generation != t->generation) return EVENT_IN | EVENT_OUT | EVENT_ERROR | EVENT_HANGUP;
    return (ldisc_poll_readable(&t->ldisc) ? EVENT_IN : 0u) | (ldisc_writable(&t->ldisc) ? EVENT_OUT : 0u);
}

int64_t terminal_watch(struct tty_file *f, uint32_t mask) { return watch_arm(&f->watch, mask, file_ready(f)); }

void terminal_changed(struct terminal *t) {
    t->ops->pump(t);
    uint64_t signals = ldisc_take_signals(&t->ldisc);
    for (int signal = 1; signals; signal++, signals >>= 1) {
        if (signals & 1) terminal_signal(t, signal);
    }
    if (ldisc_output_pending(&t->ldisc) == 0) scheme_wake(t->scheme, &t->drainers);
    if (ldisc_writable(&t->ldisc)) scheme_wake(t->scheme, &t->writers);
    if (ldisc_readable(&t->ldisc) > 0 || ldisc_poll_readable(&t->ldisc)) scheme_wake(t->scheme, &t->readers);
    for (struct tty_file *f = t->files; f; f = f->next) watch_post(t->scheme, &f->watch, f->id, file_ready(f));
}

/* --- job control --- */
void terminal_signal(struct terminal *t, int signal) {
    if (t->session && t->foreground)
        sys_terminal_control(t->session_handle, TERMINAL_SIGNAL, (uint64_t)signal, t->foreground);
}

int64_t terminal_check_background(struct terminal *t, struct port_buffer *call, int signal) {
    struct caller_info caller;
    if (!t->session || scheme_caller(t->scheme, call, &caller) < 0 || caller.session != t->session ||
        caller.group == t->foreground)
        return 0;
    uint32_t ignored = signal == SIGTTIN ? TERMINAL_TTIN : TERMINAL_TTOU;
    if (caller.terminal_state & ignored) return signal == SIGTTIN ? -EIO : 0;
    if (caller.terminal_state & TERMINAL_ORPHANED) return -EIO;
    sys_terminal_control(t->session_handle, TERMINAL_SIGNAL, (uint64_t)signal, caller.group);
    return scheme_park(t->scheme, call, &t->background);
}

static void session_drop(struct terminal *t) {
    sys_terminal_control(t->session_handle, TERMINAL_DEVICE, 0, 0);
    (void)!scheme_event_delete(t->scheme, t->session_handle);
    sys_handle_close(t->session_handle);
    t->session_handle = HANDLE_NONE;
    t->session = t->foreground = 0;
    scheme_wake(t->scheme, &t->background);
}

void terminal_session_end(struct terminal *t) {
    if (!t->session) return;
    terminal_signal(t, SIGHUP);
    terminal_signal(t, SIGCONT);
    session_drop(t);
}

void terminal_hangup(struct terminal *t) {
    if (t->session) {
        sys_terminal_control(t->session_handle, TERMINAL_HANG_UP, 0, 0);
        session_drop(t);
    }
    t->generation++;
    t->exclusive = false;
    t->writing = 0;
    ldisc_reset(&t->ldisc);
    scheme_wake(t->scheme, &t->readers);
    scheme_wake(t->scheme, &t->drainers);
    terminal_changed(t);
}

/* --- files --- */
struct tty_file *terminal_open(struct terminal *t) {
    struct tty_file *f = malloc(sizeof(*f));
    if (!f) return nullptr;
    *f = (struct tty_file){.next = t->files, .terminal = t, .generation = t->generation};
    t->files = f;
    return f;
}

void terminal_close(struct tty_file *f) {
    struct tty_file **at = &f->terminal->files;
    while (*at != f) at = &(*at)->next;
    *at = f->next;
    free(f);
}

/* --- data --- */
#define READ_STARTED 0 /* request.args (an offset, which terminals ignore): when a waiting read began, 0 = now */

static int64_t read_take(struct terminal *t, struct port_buffer *call, size_t size) {
    call->reply.length = (uint32_t)ldisc_read(&t->ldisc, call->data, size);
    int64_t result = call->reply.length;
    terminal_changed(t); /* room for what the line holds; the rest is for others */
    return result;
}

int64_t terminal_read(struct tty_file *f, struct port_buffer *call) {
    struct terminal *t = f->terminal;
    int64_t now = time_now_ns(), deadline;
    uint64_t *started = &call->request.args[READ_STARTED];
    if (!scheme_again(t->scheme)) *started = 0; /* what the client put there */
    size_t size = call->request.args[1] < CALL_DATA_MAX ? call->request.args[1] : CALL_DATA_MAX;
    if (f->generation != t->generation) return 0;
    int64_t e = terminal_check_background(t, call, SIGTTIN);
    if (e || size == 0) return e;
    if (*started == 0) *started = (uint64_t)now;
    if (ldisc_read_ready(&t->ldisc, size, (int64_t)*started, now, &deadline)) return read_take(t, call, size);
    if (call->request.args[2] & IO_NONBLOCK) {
        int64_t n = read_take(t, call, size); /* fewer than MIN */
        return n > 0 ? n : -EAGAIN;
    }
    if (deadline < t->scheme->deadline) t->scheme->deadline = deadline;
    return scheme_park(t->scheme, call, &t->readers);
}

void terminal_timeout(struct terminal *t) { scheme_wake(t->scheme, &t->readers); }

/* One write at a time: what a process writes at once isn't mixed with what others write. */
int64_t terminal_write(struct tty_file *f, struct port_buffer *call) {
    struct terminal *t = f->terminal;
    const struct request *r = &call->request;
    uint64_t done = scheme_again(t->scheme) ? r->args[WRITE_DONE] : 0;
    call->request.args[WRITE_DONE] = done; /* not what the client put there */
    if (f->generation != t->generation) return done > 0 ? (int64_t)done : -EIO;
    if (t->ldisc.termios.lflag & TOSTOP) {
        int64_t e = terminal_check_background(t, call, SIGTTOU);
        if (e) return e;
    }
    bool mine = t->writing == 0 || t->writing == r->tag;
    while (mine && done < r->length) {
        size_t n = ldisc_write(&t->ldisc, call->data + done, r->length - done);
        done += n;
        t->ops->pump(t);
        if (n == 0) break;
    }
    if (done == r->length || (r->args[2] & IO_NONBLOCK)) {
        if (t->writing == r->tag) t->writing = 0;
        terminal_changed(t);
        return done > 0 || r->length == 0 ? (int64_t)done : -EAGAIN;
    }
    if (mine) t->writing = r->tag;
    call->request.args[WRITE_DONE] = done;
    return scheme_park(t->scheme, call, &t->writers);
}

int64_t terminal_cancel(struct terminal *t, struct port_buffer *call) {
    const struct request *r = &call->request;
    if (r->op != OP_WRITE) return -EINTR;
    if (t->writing == r->tag) {
        t->writing = 0;
        scheme_wake(t->scheme, &t->writers);
    }
    return r->args[WRITE_DONE] > 0 ? (int64_t)r->args[WRITE_DONE] : -EINTR;
}
