// SPDX-License-Identifier: MIT
/* The program's side of a terminal that is drawn on (graphics.h). */
#include <fcntl.h>
#include <graphics.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MAJOR 4 /* of /dev/tty1 … */
#define MINOR_MAX 63

static long lent(handle_t terminal, enum graphics_op op, uint32_t flags) {
    struct call_args args = {
        .request = {.op = (uint16_t)op},
        .carry = HANDLE_NONE,
        .handle_flags = flags,
        .deadline = DEADLINE_NEVER,
    };
    int64_t e = sys_call(terminal, &args);
    return e < 0 ? e : args.reply.handle;
}

int graphics_display(struct graphics *g) {
    long file = lent(g->terminal, GRAPHICS_DISPLAY, HANDLE_IN_UPPER);
    if (file < 0) return (int)file;
    display_close(&g->display);
    g->display.file = (handle_t)file;
    return display_info(&g->display);
}

int graphics_begin(struct graphics *g, handle_t terminal) {
    struct stat s;
    *g = (struct graphics){.terminal = terminal, .events = HANDLE_NONE, .display.file = HANDLE_NONE};
    if (fstat(terminal, &s) != 0 || !S_ISCHR(s.st_mode) || major(s.st_rdev) != MAJOR || minor(s.st_rdev) == 0 ||
        minor(s.st_rdev) > MINOR_MAX)
        return -ENOTTY;
    long events = lent(terminal, GRAPHICS_BEGIN, HANDLE_CLOEXEC);
    if (events < 0) return (int)events;
    g->events = (handle_t)events;
    int e = graphics_display(g);
    if (e < 0) graphics_end(g);
    return e;
}

int graphics_open(struct graphics *g) {
    int e = graphics_begin(g, STDIN_FILENO);
    if (e != -ENOTTY) return e;
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (terminal < 0) return e;
    e = graphics_begin(g, terminal);
    if (e < 0) close(terminal);
    g->opened = e == 0;
    return e;
}

void graphics_end(struct graphics *g) {
    display_close(&g->display);
    if (g->events != HANDLE_NONE) sys_handle_close(g->events);
    g->events = HANDLE_NONE;
    if (g->opened) close(g->terminal);
    g->opened = false;
}

const char *graphics_error(int e) {
    switch (e) {
    case -ENOTTY: return "this is no virtual terminal: it takes a screen, and one of its terminals (Alt+F1 … F6)";
    case -EBUSY: return "another program draws on this terminal";
    case -EACCES: return "this terminal is somebody else's";
    default: return strerror(-e);
    }
}

int graphics_surface(struct graphics *g) {
    struct display *d = &g->display;
    int e = display_info(d);
    if (e < 0) e = graphics_display(g);
    if (e < 0) return e;
    if (d->pixels && d->width == d->info.width && d->height == d->info.height) return 0;
    e = display_surface(d, d->info.width, d->info.height);
    return e < 0 ? e : 1;
}

int graphics_keys(const struct graphics *g, uint16_t letters[GRAPHICS_KEY_COUNT]) {
    const uint32_t size = GRAPHICS_KEY_COUNT * sizeof(letters[0]);
    struct call_args args = {
        .request = {.op = GRAPHICS_KEYS},
        .out = letters,
        .out_size = size,
        .carry = HANDLE_NONE,
        .deadline = DEADLINE_NEVER,
    };
    int64_t e = sys_call(g->terminal, &args);
    return e < 0 ? (int)e : args.reply.length == size ? 0 : -EPROTO;
}

long graphics_read(const struct graphics *g, struct input_event *events, size_t count) {
    long n = sys_read(g->events, events, count * sizeof(*events), OFFSET_CURRENT, IO_NONBLOCK, 0);
    if (n == -EAGAIN || n == -EINTR) return 0;
    return n == 0 ? -EIO : n < 0 ? n : n / (long)sizeof(*events);
}
