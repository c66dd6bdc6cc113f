// SPDX-License-Identifier: MIT
/*
 * The scheme `display0:` (drivers/lib/display/include/display.h): the surfaces of the programs, of which the one in
 * front is copied to the screen where it has changed.  All happens in the call that reports the change: there is no
 * clock here, and a program draws no faster than its own calls return.
 *
 * Surfaces are made here, and programs get them without the right to shrink them: reading one never faults.
 */
#include "adapter.h"
#include <display.h>
#include <flat.h>
#include <object_map.h>
#include <service.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAME "screen"
#define SURFACE_BYTES_MAX (256ul << 20)
#define STRIDE_ALIGN 16u

struct client { /* one open */
    struct client *behind; /* in the order in which they lie on the screen; those without surface, too */
    uint64_t id;
    struct surface surface; /* pixels null: none */
    handle_t memory;
    size_t size;
};

static struct adapter adapter;
static struct client *front;
static struct object_map files;

static struct client *client_of(const struct port_buffer *call) { return object_get(&files, call->request.object); }

/* --- what is seen --- */
static const struct client *visible(void) {
    const struct client *c = front;
    while (c && !c->surface.pixels) c = c->behind;
    return c;
}

static void place_of(const struct client *c, int32_t *x, int32_t *y) {
    *x = ((int32_t)adapter.screen.width - (int32_t)c->surface.width) / 2;
    *y = ((int32_t)adapter.screen.height - (int32_t)c->surface.height) / 2;
    if (*x < 0) *x = 0;
    if (*y < 0) *y = 0;
}

/* r: of the surface. */
static void draw(const struct client *c, struct rect r) {
    int32_t x, y;
    place_of(c, &x, &y);
    r = rect_intersect(r, (struct rect){0, 0, (int32_t)c->surface.width, (int32_t)c->surface.height});
    if (!rect_empty(r))
        screen_draw(&adapter.screen, &c->surface, x, y, (struct rect){r.x0 + x, r.y0 + y, r.x1 + x, r.y1 + y});
}

static void draw_all(void) {
    const struct client *c = visible();
    static const struct surface nothing;
    int32_t x = 0, y = 0;
    if (c) place_of(c, &x, &y);
    screen_draw(&adapter.screen, c ? &c->surface : &nothing, x, y,
                (struct rect){0, 0, (int32_t)adapter.screen.width, (int32_t)adapter.screen.height});
}

static void unlink_client(struct client *c) {
    struct client **at = &front;
    while (*at != c) at = &(*at)->behind;
    *at = c->behind;
}

static void place_client(struct client *c, bool in_front) {
    struct client **at = &front;
    while (!in_front && *at) at = &(*at)->behind;
    c->behind = *at;
    *at = c;
}

/* --- surfaces --- */
static void surface_drop(struct client *c) {
    if (!c->surface.pixels) return;
    sys_vm_unmap((uintptr_t)c->surface.pixels, c->size);
    sys_handle_close(c->memory);
    c->surface = (struct surface){};
}

static int64_t surface_make(struct client *c, struct port_buffer *call) {
    uint64_t width = call->request.args[0], height = call->request.args[1];
    if (width == 0 || height == 0 || width > DISPLAY_SIDE_MAX || height > DISPLAY_SIDE_MAX) return -EINVAL;
    uint32_t stride = ((uint32_t)width + STRIDE_ALIGN - 1) & ~(STRIDE_ALIGN - 1);
    size_t size = ((size_t)stride * height * 4 + 4095) & ~4095ul;
    if (size > SURFACE_BYTES_MAX) return -ENOMEM;
    long memory = sys_memory_create(size, 0, HANDLE_NONE, 0);
    if (memory < 0) return memory;
    long at = sys_vm_map(0, size, VM_READ | VM_SHARED, (handle_t)memory, 0);
    long theirs =
        at < 0 ? at
               : sys_handle_duplicate((handle_t)memory, 0, HANDLE_IN_UPPER, RIGHT_READ | RIGHT_WRITE | RIGHT_TRANSFER);
    if (theirs < 0) {
        if (at >= 0) sys_vm_unmap((uintptr_t)at, size);
        sys_handle_close((handle_t)memory);
        return theirs;
    }
    surface_drop(c);
    c->surface = (struct surface){(const uint32_t *)at, stride, (uint32_t)width, (uint32_t)height};
    c->memory = (handle_t)memory;
    c->size = size;
    call->reply.flags = REPLY_HANDLE | REPLY_MOVE;
    call->reply.handle = (handle_t)theirs;
    call->reply.args[0] = stride * 4ul;
    if (visible() == c) draw_all();
    return 0;
}

/* --- operations --- */
static bool is_privileged(struct scheme *s, const struct port_buffer *call) {
    const struct credentials *c = scheme_credentials(s, call->request.credentials);
    return c && c->privileges & PRIVILEGE_ROOT;
}

static int64_t request_info(const struct client *c, struct port_buffer *call) {
    struct display_info info = {
        .width = adapter.screen.width,
        .height = adapter.screen.height,
        .pitch = adapter.screen.pitch,
        .generation = adapter.generation,
        .format = adapter.screen.format,
        .can_set_mode = adapter.registers != nullptr,
        .in_front = visible() == c,
    };
    memcpy(call->data, &info, sizeof(info));
    call->reply.length = sizeof(info);
    return 0;
}

static int64_t request_damage(const struct client *c, const struct port_buffer *call) {
    uint32_t count = call->request.length / sizeof(struct rect);
    struct rect r;
    if (call->request.length % sizeof(r) || count > DISPLAY_RECTS_MAX) return -EINVAL;
    if (!c->surface.pixels) return -ENXIO;
    for (uint32_t i = 0; visible() == c && i < count; i++) {
        memcpy(&r, call->data + i * sizeof(r), sizeof(r));
        draw(c, r);
    }
    return 0;
}

static int64_t request_show(struct client *c, bool in_front) {
    const struct client *before = visible();
    unlink_client(c);
    place_client(c, in_front);
    if (visible() != before) draw_all();
    return 0;
}

static int64_t request_mode(const struct port_buffer *call) {
    const uint64_t *a = call->request.args;
    if (a[0] > MODE_SIDE_MAX || a[1] > MODE_SIDE_MAX || a[2] > 32) return -EINVAL;
    int e = adapter_set_mode(&adapter, &(struct mode){(uint32_t)a[0], (uint32_t)a[1], (uint32_t)a[2]});
    draw_all();
    return e;
}

static int64_t display_user(struct scheme *s, struct port_buffer *call) {
    struct client *c = client_of(call);
    const uint16_t op = call->request.op;
    if (!c) return -EIO;
    if ((op == DISPLAY_SHOW || op == DISPLAY_MODE) && !is_privileged(s, call)) return -EACCES; /* its file was lent */
    switch ((enum display_op)call->request.op) {
    case DISPLAY_INFO: return request_info(c, call);
    case DISPLAY_SURFACE: return surface_make(c, call);
    case DISPLAY_DAMAGE: return request_damage(c, call);
    case DISPLAY_SHOW: return request_show(c, call->request.args[0] != 0);
    case DISPLAY_MODE: return request_mode(call);
    }
    return -ENOSYS;
}

static bool names_screen(const struct port_buffer *call) {
    return call->request.length == strlen(NAME) && memcmp(call->data, NAME, strlen(NAME)) == 0;
}

static int64_t display_open_file(struct scheme *s, struct port_buffer *call) {
    if (flat_is_root(call)) return flat_open(call);
    if (!names_screen(call)) return -ENOENT;
    if (!is_privileged(s, call)) return -EACCES;
    if (adapter.screen.width == 0) return -ENODEV;
    struct client *c = calloc(1, sizeof(*c));
    if (!c || !(c->id = object_add(&files, c))) {
        free(c);
        return -ENOMEM;
    }
    place_client(c, false);
    return reply_file(call, c->id, 0);
}

static int64_t display_close_file(struct scheme *s, struct port_buffer *call) {
    struct client *c = client_of(call);
    if (!c) return 0;
    bool seen = visible() == c;
    object_remove(&files, c->id);
    unlink_client(c);
    surface_drop(c);
    free(c);
    if (seen) draw_all();
    return 0;
}

static int64_t display_read(struct scheme *s, struct port_buffer *call) {
    static const char *const names[] = {NAME};
    return flat_is_root(call) ? flat_read(call, names, 1) : -EINVAL;
}

static int64_t display_stat(struct scheme *s, struct port_buffer *call) {
    struct file_attributes a = {.inode = 2, .links = 1, .mode = S_IFCHR | 0600, .block_size = 4096};
    if (flat_is_root(call)) return flat_stat(call);
    if (call->request.object == 0 && !names_screen(call)) return -ENOENT;
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

static const struct scheme_ops display_ops = {
    .handler =
        {
            [OP_OPEN] = display_open_file,
            [OP_CLOSE] = display_close_file,
            [OP_READ] = display_read,
            [OP_STAT] = display_stat,
        },
    .user = display_user,
};

int main(void) {
    static struct scheme scheme;
    if (scheme_init(&scheme, SERVICE_SCHEME, &display_ops, nullptr) != 0) return 1;
    int e = adapter_init(&adapter, SERVICE_SLOT(1));
    if (e) service_log("framebuffer: no mode of this adapter is known: %s", strerror(-e));
    else
        service_log("framebuffer: %ux%u, %u bits, %s", adapter.screen.width, adapter.screen.height,
                    adapter.screen.format.bytes * 8u, adapter.left ? "as the firmware left it" : "set");
    service_tell(&(struct service_message){.kind = SERVICE_READY}, HANDLE_NONE);
    return -scheme_serve(&scheme);
}
