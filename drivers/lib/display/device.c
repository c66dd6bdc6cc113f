// SPDX-License-Identifier: MIT
/*
 * The driver's side (display_device.h): the surfaces of the programs, of which the one in front is copied to the screen
 * where it has changed.  All happens in the call that reports the change: there is no clock here, and a program draws
 * no faster than its own calls return.
 *
 * Surfaces are made here, and programs get them without the right to shrink them: reading one never faults.
 */
#include <display.h>
#include <display_device.h>
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
    uint32_t generation; /* that it knows of */
    struct scheme_watch watch;
    struct display_cursor *cursor; /* null: none */
    int32_t cursor_x, cursor_y;
};

static struct display_device *device; /* the one of this process */
static struct client *front;
static const struct client *cursor_of; /* whose cursor is shown */
static struct rect pointer; /* where, if it is drawn here */
static struct object_map files;

static struct client *client_of(const struct port_buffer *call) { return object_get(&files, call->request.object); }

/* --- what is seen --- */
static const struct client *visible(void) {
    const struct client *c = front;
    while (c && !c->surface.pixels) c = c->behind;
    return c;
}

static void place_of(const struct client *c, int32_t *x, int32_t *y) {
    *x = ((int32_t)device->screen.width - (int32_t)c->surface.width) / 2;
    *y = ((int32_t)device->screen.height - (int32_t)c->surface.height) / 2;
    if (*x < 0) *x = 0;
    if (*y < 0) *y = 0;
}

static uint32_t surface_pixel(const struct surface *s, int32_t x, int32_t y) {
    const bool within = x >= 0 && y >= 0 && (uint32_t)x < s->width && (uint32_t)y < s->height;
    return within ? s->pixels[(size_t)y * s->stride + (size_t)x] : 0;
}

/* The cursor's part of r, over the surface, which lies at (x, y). */
static void pointer_draw(const struct surface *from, int32_t x, int32_t y, struct rect r) {
    static uint32_t pixels[DISPLAY_CURSOR_SIDE * DISPLAY_CURSOR_SIDE];
    const int32_t side = DISPLAY_CURSOR_SIDE;
    r = rect_intersect(r, pointer);
    if (rect_empty(r)) return;
    for (int32_t row = r.y0; row < r.y1; row++)
        for (int32_t column = r.x0; column < r.x1; column++) {
            const int32_t at = (row - pointer.y0) * side + column - pointer.x0;
            pixels[at] = pixel_over(cursor_of->cursor->pixels[at], surface_pixel(from, column - x, row - y));
        }
    const struct surface over = {pixels, DISPLAY_CURSOR_SIDE, DISPLAY_CURSOR_SIDE, DISPLAY_CURSOR_SIDE};
    screen_draw(&device->screen, &over, pointer.x0, pointer.y0, r);
}

static void screen_show(const struct surface *from, int32_t x, int32_t y, struct rect r) {
    r = rect_intersect(r, (struct rect){0, 0, (int32_t)device->screen.width, (int32_t)device->screen.height});
    if (rect_empty(r)) return;
    screen_draw(&device->screen, from, x, y, r);
    pointer_draw(from, x, y, r);
    if (device->ops->changed) device->ops->changed(device, r);
}

/* r: of the surface. */
static void draw(const struct client *c, struct rect r) {
    int32_t x, y;
    place_of(c, &x, &y);
    r = rect_intersect(r, (struct rect){0, 0, (int32_t)c->surface.width, (int32_t)c->surface.height});
    if (!rect_empty(r)) screen_show(&c->surface, x, y, (struct rect){r.x0 + x, r.y0 + y, r.x1 + x, r.y1 + y});
}

/* This part of the screen, whatever is seen there. */
static void screen_show_part(struct rect r) {
    const struct client *c = visible();
    static const struct surface nothing;
    int32_t x = 0, y = 0;
    if (c) place_of(c, &x, &y);
    screen_show(c ? &c->surface : &nothing, x, y, r);
}

static void cursor_show_hardware(void) {
    const struct client *c = visible();
    int32_t x = 0, y = 0;
    if (c) place_of(c, &x, &y);
    if (c && c->cursor) device->ops->cursor(device, c->cursor, x + c->cursor_x, y + c->cursor_y);
    else if (cursor_of) device->ops->cursor(device, nullptr, 0, 0);
    cursor_of = c && c->cursor ? c : nullptr;
}

/* Whose cursor it is, and where, for what is drawn next. */
static void pointer_place(void) {
    const struct client *c = visible();
    cursor_of = c && c->cursor ? c : nullptr;
    pointer = (struct rect){};
    if (!cursor_of) return;
    place_of(c, &pointer.x0, &pointer.y0);
    pointer.x0 += c->cursor_x - (int32_t)c->cursor->hot_x;
    pointer.y0 += c->cursor_y - (int32_t)c->cursor->hot_y;
    pointer.x1 = pointer.x0 + DISPLAY_CURSOR_SIDE;
    pointer.y1 = pointer.y0 + DISPLAY_CURSOR_SIDE;
}

/* That of whom is seen. */
static void cursor_show(void) {
    if (device->ops->cursor) {
        cursor_show_hardware();
        return;
    }
    const struct rect before = pointer;
    pointer_place();
    if (rect_empty(rect_intersect(before, pointer))) {
        screen_show_part(before);
        screen_show_part(pointer);
    } else {
        screen_show_part(rect_unite(before, pointer)); /* at once: it would be seen to blink */
    }
}

static void draw_all(void) {
    if (!device->ops->cursor) pointer_place();
    screen_show_part((struct rect){0, 0, INT32_MAX, INT32_MAX});
    if (device->ops->cursor) cursor_show_hardware();
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
static int64_t request_info(struct client *c, struct port_buffer *call) {
    struct display_info info = {
        .width = device->screen.width,
        .height = device->screen.height,
        .pitch = device->screen.pitch,
        .generation = device->generation,
        .format = device->screen.format,
        .can_set_mode = device->ops->set_mode != nullptr,
        .has_cursor = device->ops->cursor != nullptr,
        .in_front = visible() == c,
    };
    memcpy(call->data, &info, sizeof(info));
    call->reply.length = sizeof(info);
    c->generation = device->generation;
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
    if (!device->ops->set_mode) return -EOPNOTSUPP;
    if (a[0] > MODE_SIDE_MAX || a[1] > MODE_SIDE_MAX || a[2] > 32) return -EINVAL;
    const struct mode m = {(uint32_t)a[0], (uint32_t)a[1], (uint32_t)a[2]};
    if (!mode_valid(&m)) return -EINVAL;
    int e = device->ops->set_mode(device, &m);
    if (!e) display_changed(device);
    else draw_all();
    return e;
}

/* --- the cursor --- */
static int64_t request_cursor(struct client *c, const struct port_buffer *call) {
    const struct display_cursor *wanted = (const void *)call->data;
    const uint32_t length = call->request.length;
    struct display_cursor *copy = nullptr;
    if (length > 0) {
        if (length != sizeof(*wanted) || wanted->hot_x >= DISPLAY_CURSOR_SIDE || wanted->hot_y >= DISPLAY_CURSOR_SIDE)
            return -EINVAL;
        copy = malloc(sizeof(*copy));
        if (!copy) return -ENOMEM;
        memcpy(copy, wanted, sizeof(*copy));
    }
    free(c->cursor);
    c->cursor = copy;
    if (visible() == c) cursor_show();
    return 0;
}

static int64_t request_cursor_move(struct client *c, const struct port_buffer *call) {
    const int64_t x = (int64_t)call->request.args[0], y = (int64_t)call->request.args[1];
    if (x < 0 || y < 0 || x >= DISPLAY_SIDE_MAX || y >= DISPLAY_SIDE_MAX) return -EINVAL;
    c->cursor_x = (int32_t)x;
    c->cursor_y = (int32_t)y;
    if (cursor_of != c) return 0;
    if (!device->ops->cursor) {
        cursor_show();
        return 0;
    }
    int32_t left, top;
    place_of(c, &left, &top);
    device->ops->cursor_move(device, left + c->cursor_x, top + c->cursor_y);
    return 0;
}

static bool is_privileged(struct scheme *s, const struct port_buffer *call) {
    const struct credentials *c = scheme_credentials(s, call->request.credentials);
    return c && c->privileges & PRIVILEGE_ROOT;
}

static int64_t display_user(struct scheme *s, struct port_buffer *call) {
    struct client *c = client_of(call);
    const uint16_t op = call->request.op;
    if (!c) return -EIO;
    if ((op == DISPLAY_SHOW || op == DISPLAY_MODE) && !is_privileged(s, call)) return -EACCES; /* its file was lent */
    switch ((enum display_op)op) {
    case DISPLAY_INFO: return request_info(c, call);
    case DISPLAY_SURFACE: return surface_make(c, call);
    case DISPLAY_DAMAGE: return request_damage(c, call);
    case DISPLAY_SHOW: return request_show(c, call->request.args[0] != 0);
    case DISPLAY_MODE: return request_mode(call);
    case DISPLAY_CURSOR: return request_cursor(c, call);
    case DISPLAY_CURSOR_MOVE: return request_cursor_move(c, call);
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
    if (device->screen.width == 0) return -ENODEV;
    struct client *c = calloc(1, sizeof(*c));
    if (!c || !(c->id = object_add(&files, c))) {
        free(c);
        return -ENOMEM;
    }
    place_client(c, false);
    c->generation = device->generation;
    return reply_file(call, c->id, FILE_KIND_WATCHABLE);
}

static int64_t display_close_file(struct scheme *s, struct port_buffer *call) {
    struct client *c = client_of(call);
    if (!c) return 0;
    bool seen = visible() == c;
    object_remove(&files, c->id);
    unlink_client(c);
    surface_drop(c);
    if (cursor_of == c) cursor_show();
    free(c->cursor);
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

static uint32_t ready(const struct client *c) { return c->generation != device->generation ? EVENT_IN : 0; }

static int64_t display_watch(struct scheme *s, struct port_buffer *call) {
    struct client *c = client_of(call);
    return c ? watch_arm(&c->watch, (uint32_t)call->request.args[0], ready(c)) : EVENT_ERROR;
}

static void display_event(struct scheme *s, uint64_t key, uint32_t mask) {
    if (device->ops->event) device->ops->event(device, key);
}

static void display_timeout(struct scheme *s) {
    s->deadline = DEADLINE_NEVER;
    if (device->ops->timeout) device->ops->timeout(device);
}

static const struct scheme_ops display_ops = {
    .handler =
        {
            [OP_OPEN] = display_open_file,
            [OP_CLOSE] = display_close_file,
            [OP_READ] = display_read,
            [OP_STAT] = display_stat,
            [OP_WATCH] = display_watch,
        },
    .user = display_user,
    .event = display_event,
    .timeout = display_timeout,
};

/* --- the driver's calls --- */
bool mode_asked(struct mode *out) {
    char line[2048];
    long length = sys_system_info(SYSTEM_COMMAND_LINE, line, sizeof(line) - 1);
    line[length < 0 ? 0 : length] = 0;
    return mode_parse(line, out);
}

void display_changed(struct display_device *d) {
    d->generation++;
    draw_all();
    for (struct client *c = front; c; c = c->behind) watch_post(&d->scheme, &c->watch, c->id, ready(c));
}

int display_init(struct display_device *d) {
    device = d;
    d->generation = 1;
    return scheme_init(&d->scheme, SERVICE_SCHEME, &display_ops, nullptr);
}

int display_serve(struct display_device *d) {
    service_tell(&(struct service_message){.kind = SERVICE_READY}, HANDLE_NONE);
    return scheme_serve(&d->scheme);
}
