// SPDX-License-Identifier: MIT
/*
 * ioctl, and the controlling terminal: the file at HANDLE_TTY. A session leader that opens a terminal
 * gives the terminal's server a handle to its session, by which the server signals groups and learns
 * of the leader's exit.
 */
#include "socket.h"
#include <asm/ioctls.h>
#include <linux/fs.h>
#include <linux/ioctl.h>
#include <linux/sockios.h>

#define CONTROL_MAX 4096

/* What moves for requests whose number doesn't say it (those from before _IOC). */
struct control_form {
    uint16_t request;
    uint8_t in, out;
};
static const struct control_form control_forms[] = {
    {TCGETS, 0, 36},      {TCSETS, 36, 0},     {TCSETSW, 36, 0}, {TCSETSF, 36, 0},   {TCGETA, 0, 18},
    {TCSETA, 18, 0},      {TCSETAW, 18, 0},    {TCSETAF, 18, 0}, {TIOCGWINSZ, 0, 8}, {TIOCSWINSZ, 8, 0},
    {TIOCGPGRP, 0, 4},    {TIOCSPGRP, 4, 0},   {TIOCGSID, 0, 4}, {TIOCOUTQ, 0, 4},   {FIONREAD, 0, 4},
    {TIOCSTI, 1, 0},      {TIOCMGET, 0, 4},    {TIOCMBIS, 4, 0}, {TIOCMBIC, 4, 0},   {TIOCMSET, 4, 0},
    {TIOCGSOFTCAR, 0, 4}, {TIOCGETD, 0, 4},    {TIOCSETD, 4, 0}, {TIOCPKT, 4, 0},    {BLKGETSIZE, 0, 8},
    {BLKSSZGET, 0, 4},    {BLKPBSZGET, 0, 4},  {BLKIOMIN, 0, 4}, {BLKIOOPT, 0, 4},   {BLKROGET, 0, 4},
    {BLKDISCARD, 16, 0},  {BLKZEROOUT, 16, 0},
};

static struct control_form control_form(unsigned request) {
    for (size_t i = 0; i < sizeof(control_forms) / sizeof(control_forms[0]); i++) {
        if (control_forms[i].request == request) {
            return control_forms[i];
        }
    }
    return (struct control_form){0};
}

static long control_send(handle_t h, unsigned request, unsigned long argument, handle_t carry) {
    struct call_args call;
    struct control_form form = control_form(request);
    size_t in = form.in, out = form.out;
    if (_IOC_DIR(request) != _IOC_NONE) {
        in = _IOC_DIR(request) & _IOC_WRITE ? _IOC_SIZE(request) : 0;
        out = _IOC_DIR(request) & _IOC_READ ? _IOC_SIZE(request) : 0;
    }
    if (in > CONTROL_MAX || out > CONTROL_MAX) {
        return -EINVAL;
    }
    call_prepare(&call, OP_CONTROL, request, argument, out);
    call.in = in ? (const void *)argument : nullptr;
    call.request.length = (uint32_t)in;
    call.out = out ? (void *)argument : nullptr;
    call.out_size = (uint32_t)out;
    call.carry = carry;
    long result = call_send(h, &call);
    return result == -ENOSYS ? -ENOTTY : result;
}

/* --- the controlling terminal ----------------------------------------------------------------- */

/* `tty` becomes the controlling terminal of the session that the caller leads. */
static long terminal_acquire(handle_t tty, unsigned long steal) {
    long session = sys_process_open(0, 1);
    if (session < 0) {
        return -EPERM;
    }
    long error = control_send(tty, TIOCSCTTY, steal, (handle_t)session);
    sys_handle_close((handle_t)session);
    if (error >= 0) {
        error = sys_handle_duplicate(tty, HANDLE_TTY, HANDLE_AT | HANDLE_KEEP, RIGHTS_SAME);
    }
    return error < 0 ? error : 0;
}

void terminal_opened(handle_t tty, int flags) {
    struct process_ids ids;
    if (flags & (O_NOCTTY | O_PATH) || handle_type(HANDLE_TTY) >= 0) {
        return;
    }
    if (sys_process_info(0, PROCESS_IDS, &ids, sizeof(ids), 0) >= 0 && ids.session == ids.pid) {
        terminal_acquire(tty, 0); /* if it is another session's, the file is opened all the same */
    }
}

static long terminal_leave(handle_t tty) {
    long error = control_send(tty, TIOCNOTTY, 0, HANDLE_NONE);
    if (error >= 0) {
        sys_handle_close(HANDLE_TTY);
    }
    return error < 0 ? error : 0;
}

/* The other side of a pty's master: an open of the master with an empty path. */
static long terminal_peer(int fd, int flags) {
    struct call_args call;
    call_prepare(&call, OP_OPEN, (uint64_t)(flags & (O_ACCMODE | O_NONBLOCK)), 0, 0);
    call.handle_flags = flags & O_CLOEXEC ? HANDLE_CLOEXEC : 0;
    long error = call_send(fd, &call);
    if (error < 0) {
        return error == -ENOTDIR || error == -ENOENT || error == -ENOSYS || error == -EINVAL ? -ENOTTY : error;
    }
    return call.reply.handle;
}

/* --- ioctl ------------------------------------------------------------------------------------ */

/* Requests to channels, whose server knows nothing of the data, if there is one. */
static long control_local(int fd, unsigned request, unsigned long argument) {
    long waiting = request == FIONREAD ? sys_channel_control(fd, CHANNEL_READABLE, 0) : -ENOTTY;
    if (waiting < 0) {
        return -ENOTTY;
    }
    *(int *)argument = (int)waiting;
    return 0;
}

long row_ioctl(int fd, int request, unsigned long argument) {
    unsigned number = (unsigned)request;
    if (!is_fd(fd)) {
        return -EBADF;
    }
    switch (number) {
    case FIOCLEX: return sys_handle_set(fd, 0, HANDLE_CLOEXEC, HANDLE_CLOEXEC);
    case FIONCLEX: return sys_handle_set(fd, 0, HANDLE_CLOEXEC, 0);
    case FIONBIO: return sys_handle_set(fd, 1, FILE_NONBLOCK, *(const int *)argument ? FILE_NONBLOCK : 0);
    case TIOCSCTTY: return terminal_acquire(fd, argument);
    case TIOCNOTTY: return terminal_leave(fd);
    case TIOCSIG: return call_simple(fd, OP_CONTROL, number, argument, 0); /* a value, though its number says address */
    case FICLONE: return -EOPNOTSUPP;
    case TIOCGPTPEER: return terminal_peer(fd, (int)argument);
    default: {
        if (number >= SIOCADDRT && number <= SIOCSIFTXQLEN) {
            return inet_ioctl(fd, number, argument);
        }
        long result = control_send(fd, number, argument, HANDLE_NONE);
        return result == NO_SERVER ? control_local(fd, number, argument) : result;
    }
    }
}
