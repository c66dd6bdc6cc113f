// SPDX-License-Identifier: MIT
/* The master's side: reading, writing, packet mode, ioctl.  Semantics are Linux's (ioctl_tty(2)). */
#include "pty.h"
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

static struct pty *pty_of(struct terminal *t) { return (struct pty *)t; }

static bool output_waits(const struct pty *p) {
    const uint8_t *bytes;
    return ldisc_output_peek(&p->terminal.ldisc, &bytes) > 0;
}

/* All of the slave's files are closed, after there were some. */
static bool slave_gone(const struct pty *p) { return p->slave_seen && !p->terminal.files; }

static uint32_t master_ready(const struct pty *p) {
    uint32_t ready = output_waits(p) || p->packet_status ? EVENT_IN : 0;
    if (ldisc_input_room(&p->terminal.ldisc)) ready |= EVENT_OUT;
    if (p->packet_status) ready |= EVENT_PRIORITY;
    if (slave_gone(p)) ready |= EVENT_HANGUP;
    return ready;
}

void master_changed(struct pty *p) {
    struct terminal *t = &p->terminal;
    if (p->packet && p->was_stopped != t->ldisc.stopped) {
        p->packet_status &= (uint8_t)~(TIOCPKT_STOP | TIOCPKT_START);
        p->packet_status |= t->ldisc.stopped ? TIOCPKT_STOP : TIOCPKT_START;
    }
    p->was_stopped = t->ldisc.stopped;
    if (output_waits(p) || p->packet_status || slave_gone(p)) scheme_wake(t->scheme, &p->readers);
    if (ldisc_input_room(&t->ldisc)) scheme_wake(t->scheme, &p->writers);
    watch_post(t->scheme, &p->watch, p->master, master_ready(p));
}

/* The terminal has something for its line, or room for what comes from it: here, for the master. */
static void pty_pump(struct terminal *t) {
    if (pty_of(t)->master) master_changed(pty_of(t));
}

/* There are no modem lines and no speed. */
static int64_t pty_control(struct terminal *t, uint32_t request, void *data, uint32_t length, uint32_t room) {
    return request == TIOCSBRK || request == TIOCCBRK || request == TCSETS ? 0 : -ENOTTY;
}

const struct terminal_ops pty_ops = {.pump = pty_pump, .control = pty_control};

/* --- data --- */
static size_t take_output(struct pty *p, uint8_t *to, size_t size) {
    struct ldisc *ld = &p->terminal.ldisc;
    const uint8_t *bytes;
    size_t done = 0, count;
    while (done < size && (count = ldisc_output_peek(ld, &bytes)) > 0) {
        if (count > size - done) count = size - done;
        memcpy(to + done, bytes, count);
        ldisc_output_done(ld, count);
        done += count;
    }
    return done;
}

/* In packet mode a byte comes first: 0 and data, or what has happened. */
int64_t master_read(struct pty *p, struct port_buffer *call) {
    size_t size = call->request.args[1] < CALL_DATA_MAX ? call->request.args[1] : CALL_DATA_MAX;
    size_t head = p->packet ? 1 : 0, done = 0;
    if (size == 0) return 0;
    if (p->packet && p->packet_status) {
        call->data[0] = p->packet_status;
        p->packet_status = 0;
        call->reply.length = 1;
        return 1;
    }
    if (output_waits(p)) {
        call->data[0] = TIOCPKT_DATA;
        done = head + take_output(p, call->data + head, size - head);
        terminal_changed(&p->terminal);
    }
    if (done > 0) {
        call->reply.length = (uint32_t)done;
        return (int64_t)done;
    }
    if (slave_gone(p)) return -EIO;
    if (call->request.args[2] & IO_NONBLOCK) return -EAGAIN;
    return scheme_park(p->terminal.scheme, call, &p->readers);
}

int64_t master_write(struct pty *p, struct port_buffer *call) {
    struct terminal *t = &p->terminal;
    struct request *r = &call->request;
    uint64_t done = scheme_again(t->scheme) ? r->args[WRITE_DONE] : 0;
    done += ldisc_receive(&t->ldisc, call->data + done, r->length - done, time_now_ns());
    r->args[WRITE_DONE] = done;
    terminal_changed(t);
    if (done == r->length) return (int64_t)done;
    if (r->args[2] & IO_NONBLOCK) return done > 0 ? (int64_t)done : -EAGAIN;
    return scheme_park(t->scheme, call, &p->writers);
}

int64_t master_watch(struct pty *p, uint32_t mask) { return watch_arm(&p->watch, mask, master_ready(p)); }

/* --- ioctl --- */
static int64_t answer_int(struct port_buffer *call, int value) {
    memcpy(call->data, &value, sizeof(value));
    call->reply.length = sizeof(value);
    return 0;
}

static int64_t take_int(struct port_buffer *call, int *value) {
    if (call->request.length < sizeof(*value)) return -EINVAL;
    memcpy(value, call->data, sizeof(*value));
    return 0;
}

static int64_t set_lock(struct pty *p, struct port_buffer *call) {
    int value;
    int64_t e = take_int(call, &value);
    if (e == 0) p->locked = value;
    return e;
}

static int64_t set_packet(struct pty *p, struct port_buffer *call) {
    int value;
    int64_t e = take_int(call, &value);
    if (e) return e;
    p->packet = value;
    p->packet_status = 0;
    p->was_stopped = p->terminal.ldisc.stopped;
    return 0;
}

/* What can be asked of the terminal can be asked here, and changes it. */
static int64_t terminal_request(struct pty *p, struct port_buffer *call) {
    struct terminal *t = &p->terminal;
    uint32_t request = (uint32_t)call->request.args[0];
    uint8_t answer[64];
    size_t length;
    int e = ldisc_control(&t->ldisc, request, call->request.args[1], call->data, call->request.length, answer, &length);
    if (e) return e;
    memcpy(call->data, answer, length);
    call->reply.length = (uint32_t)length;
    terminal_changed(t);
    return 0;
}

static int64_t send_signal(struct pty *p, uint64_t signal) {
    if (signal != SIGINT && signal != SIGQUIT && signal != SIGTSTP) return -EINVAL;
    terminal_signal(&p->terminal, (int)signal);
    return 0;
}

int64_t master_ioctl(struct pty *p, struct port_buffer *call) {
    struct terminal *t = &p->terminal;
    switch ((uint32_t)call->request.args[0]) {
    case TIOCGPTN: return answer_int(call, (int)p->number);
    case TIOCSPTLCK: return set_lock(p, call);
    case TIOCGPTLCK: return answer_int(call, p->locked);
    case TIOCPKT: return set_packet(p, call);
    case TIOCGPKT: return answer_int(call, p->packet);
    case TIOCSIG: return send_signal(p, call->request.args[1]);
    case TIOCGPGRP: return answer_int(call, (int)t->foreground);
    case TIOCGSID: return t->session ? answer_int(call, (int)t->session) : -ENOTTY;
    case TIOCSCTTY:
    case TIOCNOTTY:
    case TIOCSPGRP: return -ENOTTY; /* nobody's controlling terminal */
    case FIONREAD: return answer_int(call, (int)ldisc_output_pending(&t->ldisc));
    case TIOCOUTQ: return answer_int(call, 0);
    case TIOCGETD: return answer_int(call, 0);
    case TCSBRK:
    case TCSBRKP: return 0; /* all has been sent */
    default: return terminal_request(p, call);
    }
}
