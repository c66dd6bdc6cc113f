// SPDX-License-Identifier: MIT
/* The program's side of a screen (display.h). */
#include <display.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PATIENCE_NS 10000000000LL /* for a driver that starts */
#define NAME_MAX_BYTES 64

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t request(struct display *d, struct call_args *args, enum display_op op) {
    args->request.op = (uint16_t)op;
    args->carry = HANDLE_NONE;
    args->handle_flags = HANDLE_IN_UPPER;
    args->deadline = DEADLINE_NEVER;
    return sys_call(d->file, args);
}

int display_info(struct display *d) {
    struct call_args args = {.out = &d->info, .out_size = sizeof(d->info)};
    int64_t e = request(d, &args, DISPLAY_INFO);
    return e < 0 ? (int)e : args.reply.length == sizeof(d->info) ? 0 : -EPROTO;
}

int display_open_until(struct display *d, const char *scheme, int64_t deadline) {
    char name[NAME_MAX_BYTES];
    int length = snprintf(name, sizeof(name), "%s:screen", scheme);
    struct call_args args = {
        .request = {.op = OP_OPEN, .args = {FILE_READ_WRITE}, .length = (uint32_t)length},
        .in = name,
        .carry = HANDLE_NONE,
        .handle_flags = HANDLE_IN_UPPER,
        .deadline = deadline,
    };
    *d = (struct display){.file = HANDLE_NONE};
    if (length >= NAME_MAX_BYTES) return -ENAMETOOLONG;
    int64_t e = sys_call(HANDLE_NAMESPACE, &args);
    if (e < 0) return (int)e;
    d->file = args.reply.handle;
    e = display_info(d);
    if (e < 0) display_close(d);
    return (int)e;
}

int display_open(struct display *d, const char *scheme) {
    return display_open_until(d, scheme, now_ns() + PATIENCE_NS);
}

static void surface_unmap(struct display *d) {
    if (d->pixels) sys_vm_unmap((uintptr_t)d->pixels, d->size);
    d->pixels = nullptr;
}

void display_close(struct display *d) {
    surface_unmap(d);
    if (d->file != HANDLE_NONE) sys_handle_close(d->file);
    d->file = HANDLE_NONE;
}

int display_surface(struct display *d, uint32_t width, uint32_t height) {
    struct call_args args = {.request = {.args = {width, height}}};
    int64_t e = request(d, &args, DISPLAY_SURFACE);
    if (e < 0) return (int)e;
    size_t size = ((size_t)args.reply.args[0] * height + 4095) & ~4095ul;
    long at = sys_vm_map(0, size, VM_READ | VM_WRITE | VM_SHARED, args.reply.handle, 0);
    sys_handle_close(args.reply.handle);
    if (at < 0) return (int)at;
    surface_unmap(d);
    d->pixels = (uint32_t *)at;
    d->stride = (uint32_t)(args.reply.args[0] / 4);
    d->width = width;
    d->height = height;
    d->size = size;
    return 0;
}

int display_damage(struct display *d, const struct rect *rects, size_t count) {
    struct call_args args = {.request = {.length = (uint32_t)(count * sizeof(*rects))}, .in = rects};
    return count > DISPLAY_RECTS_MAX ? -EINVAL : (int)request(d, &args, DISPLAY_DAMAGE);
}

int display_show(struct display *d, bool in_front) {
    struct call_args args = {.request = {.args = {in_front}}};
    return (int)request(d, &args, DISPLAY_SHOW);
}

int display_mode(struct display *d, uint32_t width, uint32_t height, uint32_t bits) {
    struct call_args args = {.request = {.args = {width, height, bits}}};
    int64_t e = request(d, &args, DISPLAY_MODE);
    return e < 0 ? (int)e : display_info(d);
}

int display_cursor(struct display *d, const struct display_cursor *image) {
    struct call_args args = {.request = {.length = image ? sizeof(*image) : 0}, .in = image};
    return (int)request(d, &args, DISPLAY_CURSOR);
}

int display_cursor_move(struct display *d, uint32_t x, uint32_t y) {
    struct call_args args = {.request = {.args = {x, y}}};
    return (int)request(d, &args, DISPLAY_CURSOR_MOVE);
}
