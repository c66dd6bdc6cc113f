// SPDX-License-Identifier: MIT
/*
 * ioctl on terminals, with Linux's numbers and layouts: what concerns sessions and the line is
 * here, the rest is the line discipline's.
 */
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <terminal.h>
#include <termios.h>

static int64_t answer_int(struct port_buffer *call, int value) {
    memcpy(call->data, &value, sizeof(value));
    call->reply.length = sizeof(value);
    return 0;
}

static bool is_privileged(struct terminal *t, const struct port_buffer *call) {
    const struct credentials *c = scheme_credentials(t->scheme, call->request.credentials);
    return c && (c->privileges & PRIVILEGE_ROOT);
}

/* The caller, if this is its controlling terminal; else -ENOTTY. */
static int64_t caller_in_session(struct terminal *t, struct port_buffer *call, struct caller_info *caller) {
    long e = scheme_caller(t->scheme, call, caller);
    if (e < 0) return e;
    return t->session && caller->session == t->session ? 0 : -ENOTTY;
}

/* --- sessions --- */
static int64_t session_take(struct terminal *t, struct port_buffer *call, handle_t session) {
    struct caller_info caller;
    long e = scheme_caller(t->scheme, call, &caller);
    if (e < 0) return e;
    if (t->session == caller.session && t->session != 0) {
        sys_handle_close(session);
        return 0;
    }
    bool steal = call->request.args[1] == 1 && is_privileged(t, call);
    if (caller.pid != caller.session || (t->session && !steal)) return -EPERM;
    terminal_session_end(t);
    e = scheme_event_add(t->scheme, session, EVENT_IN, t->session_key);
    if (e < 0) return e;
    t->session_handle = session;
    t->session = caller.session;
    t->foreground = caller.group;
    sys_terminal_control(session, TERMINAL_DEVICE, t->device, 0);
    return 0;
}

/* TIOCSCTTY: the session comes along as a handle (libposix: process_open of its own). */
static int64_t control_take(struct terminal *t, struct port_buffer *call) {
    if (!(call->request.flags & REQUEST_HANDLE)) return -EINVAL;
    handle_t session = (handle_t)call->request.args[3];
    int64_t e = session_take(t, call, session);
    if (e == 0) (void)request_take_handle(call);
    return e;
}

static int64_t control_leave(struct terminal *t, struct port_buffer *call) {
    struct caller_info caller;
    int64_t e = caller_in_session(t, call, &caller);
    if (e == 0 && caller.pid == caller.session) terminal_session_end(t);
    return e;
}

static int64_t control_get_group(struct terminal *t, struct port_buffer *call, bool session) {
    struct caller_info caller;
    int64_t e = caller_in_session(t, call, &caller);
    return e ? e : answer_int(call, (int)(session ? t->session : t->foreground));
}

static int64_t control_set_group(struct terminal *t, struct port_buffer *call) {
    struct caller_info caller;
    int32_t group;
    int64_t e = caller_in_session(t, call, &caller);
    if (!e) e = terminal_check_background(t, call, SIGTTOU);
    if (e) return e;
    if (call->request.length < sizeof(group)) return -EINVAL;
    memcpy(&group, call->data, sizeof(group));
    if (group <= 0) return -EINVAL;
    /* Signal 0: is it a group of this session? */
    e = sys_terminal_control(t->session_handle, TERMINAL_SIGNAL, 0, (uint64_t)group);
    if (e < 0) return e;
    t->foreground = (uint32_t)group;
    sys_terminal_control(t->session_handle, TERMINAL_FOREGROUND, t->foreground, 0);
    scheme_wake(t->scheme, &t->background);
    return 0;
}

/* --- the line --- */
static int64_t control_break(struct terminal *t, uint32_t request, uint64_t argument) {
    if (request == TCSBRK && argument != 0) return 0; /* tcdrain: the waiting is done */
    int64_t e = t->ops->control(t, TIOCSBRK, nullptr, 0, 0);
    if (e == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 250000000}, nullptr);
        e = t->ops->control(t, TIOCCBRK, nullptr, 0, 0);
    }
    return e;
}

static int64_t control_modem(struct terminal *t, struct port_buffer *call) {
    uint32_t request = (uint32_t)call->request.args[0];
    uint32_t room = request == TIOCMGET ? sizeof(int) : 0;
    int64_t e = t->ops->control(t, request, call->data, call->request.length, room);
    if (e == 0) call->reply.length = room;
    return e;
}

static int64_t control_ldisc(struct terminal *t, struct port_buffer *call) {
    uint32_t request = (uint32_t)call->request.args[0], cflag = t->ldisc.termios.cflag;
    uint8_t answer[64];
    size_t length;
    int e = ldisc_control(&t->ldisc, request, call->request.args[1], call->data, call->request.length, answer, &length);
    if (e) return e;
    if (t->ldisc.termios.cflag != cflag)
        (void)!t->ops->control(t, TCSETS, &t->ldisc.termios, sizeof(t->ldisc.termios), 0);
    memcpy(call->data, answer, length);
    call->reply.length = (uint32_t)length;
    terminal_changed(t);
    return 0;
}

/* --- all of them --- */
/* Those that change the terminal are kept from background processes. */
static bool changes_terminal(uint32_t request) {
    switch (request) {
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
    case TCFLSH:
    case TCXONC:
    case TCSBRK:
    case TCSBRKP: return true;
    default: return false;
    }
}

static int64_t control_exclusive(struct terminal *t, bool exclusive) {
    t->exclusive = exclusive;
    return 0;
}

static int64_t control_hangup(struct terminal *t, struct port_buffer *call) {
    if (!is_privileged(t, call)) return -EPERM;
    terminal_hangup(t);
    return 0;
}

static bool output_drained(struct terminal *t) {
    if (t->ops->hurry && ldisc_output_pending(&t->ldisc) > 0) {
        t->ops->hurry(t);
        terminal_changed(t);
    }
    return ldisc_output_pending(&t->ldisc) == 0;
}

int64_t terminal_ioctl(struct tty_file *f, struct port_buffer *call) {
    struct terminal *t = f->terminal;
    uint32_t request = (uint32_t)call->request.args[0];
    uint64_t argument = call->request.args[1];
    if (f->generation != t->generation) return -EIO;
    if (changes_terminal(request)) {
        int64_t e = terminal_check_background(t, call, SIGTTOU);
        if (e) return e;
    }
    if (t->ops->drains && ldisc_control_drains(request, argument) && !output_drained(t))
        return scheme_park(t->scheme, call, &t->drainers);
    switch (request) {
    case TIOCSCTTY: return control_take(t, call);
    case TIOCNOTTY: return control_leave(t, call);
    case TIOCGPGRP: return control_get_group(t, call, false);
    case TIOCGSID: return control_get_group(t, call, true);
    case TIOCSPGRP: return control_set_group(t, call);
    case TCSBRK:
    case TCSBRKP: return control_break(t, request, argument);
    case TIOCMGET:
    case TIOCMSET:
    case TIOCMBIS:
    case TIOCMBIC:
    case TIOCSBRK:
    case TIOCCBRK: return control_modem(t, call);
    case TIOCEXCL: return control_exclusive(t, true);
    case TIOCNXCL: return control_exclusive(t, false);
    case TIOCGEXCL: return answer_int(call, t->exclusive);
    case TIOCVHANGUP: return control_hangup(t, call);
    case TIOCGETD: return answer_int(call, 0); /* N_TTY, the only one */
    default: return control_ldisc(t, call);
    }
}
