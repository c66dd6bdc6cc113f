// SPDX-License-Identifier: MIT
/* The screen of a virtio GPU: a resource with memory of ours behind it, shown by the first scanout; and its cursor. */
#include "virtio_gpu.h"
#include <errno.h>
#include <service.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#define TRIES 1000 /* of a millisecond */

static const struct mode modest = {1024, 768, 32};

static struct gpu *gpu_of(struct display_device *d) {
    return (struct gpu *)((char *)d - offsetof(struct gpu, display));
}

/* --- resources --- */
static int ask(struct gpu *g, enum gpu_type type, size_t size) {
    return gpu_ask(g, type, size, GPU_OK, sizeof(struct gpu_header));
}

static void memory_destroy(struct gpu *g, struct gpu_screen *s) {
    while (s->count > 0) pci_dma_destroy(g->virtio.function, &s->pieces[--s->count]);
    if (s->at) sys_vm_unmap((uintptr_t)s->at, s->size);
    *s = (struct gpu_screen){};
}

/* The next piece, in its place. */
static int piece_create(struct gpu *g, struct gpu_screen *s, size_t size) {
    struct dma *d = &s->pieces[s->count];
    const uintptr_t place = (uintptr_t)s->at + s->count * GPU_PIECE;
    int e = pci_dma_create(g->virtio.function, size, 0, d);
    if (e) return e;
    long at = sys_vm_map(place, d->size, VM_READ | VM_WRITE | VM_SHARED | VM_FIXED, d->memory, 0);
    if (at >= 0) {
        sys_vm_unmap((uintptr_t)d->at, d->size);
        d->at = (void *)at;
    }
    s->count++;
    return at < 0 ? (int)at : 0;
}

static int memory_create(struct gpu *g, struct gpu_screen *s, size_t size) {
    *s = (struct gpu_screen){.size = (size + 4095) & ~4095ul};
    if (s->size > GPU_PIECES * GPU_PIECE) return -ENOMEM;
    long at = sys_vm_map(0, s->size, VM_READ | VM_WRITE, HANDLE_NONE, 0); /* for the pieces to lie in */
    if (at < 0) return (int)at;
    s->at = (uint8_t *)at;
    int e = 0;
    for (size_t done = 0; !e && done < s->size; done += GPU_PIECE)
        e = piece_create(g, s, s->size - done < GPU_PIECE ? s->size - done : GPU_PIECE);
    if (e) memory_destroy(g, s);
    return e;
}

static int memory_attach(struct gpu *g, const struct gpu_screen *s) {
    struct gpu_attach *a = &gpu_memory(g)->command.attach;
    *a = (struct gpu_attach){.resource = s->resource, .count = s->count};
    for (uint32_t i = 0; i < s->count; i++) {
        a->pieces[i].address = s->pieces[i].physical;
        a->pieces[i].length = (uint32_t)s->pieces[i].size;
    }
    return ask(g, GPU_RESOURCE_ATTACH_BACKING, sizeof(*a) - (GPU_PIECES - s->count) * sizeof(a->pieces[0]));
}

static void resource_destroy(struct gpu *g, struct gpu_screen *s) {
    union gpu_command *c = &gpu_memory(g)->command;
    if (!s->resource) return;
    c->unref = (struct gpu_unref){.resource = s->resource};
    if (ask(g, GPU_RESOURCE_UNREF, sizeof(c->unref)) == 0) memory_destroy(g, s);
    *s = (struct gpu_screen){}; /* if it failed, the device may look there: the memory stays as it is */
}

static int resource_create(struct gpu *g, struct gpu_screen *s, uint32_t format, uint32_t width, uint32_t height) {
    union gpu_command *c = &gpu_memory(g)->command;
    int e = memory_create(g, s, (size_t)width * height * 4);
    if (e) return e;
    const uint32_t resource = ++g->last_resource;
    c->create = (struct gpu_create){.resource = resource, .format = format, .width = width, .height = height};
    e = ask(g, GPU_RESOURCE_CREATE_2D, sizeof(c->create));
    if (e) {
        memory_destroy(g, s);
        return e;
    }
    s->resource = resource;
    e = memory_attach(g, s);
    if (e) resource_destroy(g, s);
    return e;
}

/* --- modes --- */
static int mode_set(struct gpu *g, const struct mode *m) {
    union gpu_command *c = &gpu_memory(g)->command;
    struct gpu_screen fresh;
    if (m->bits != 32) return -EINVAL;
    int e = resource_create(g, &fresh, GPU_FORMAT_XRGB, m->width, m->height);
    if (!e) {
        c->scanout = (struct gpu_scanout){.rect = {0, 0, m->width, m->height}, .resource = fresh.resource};
        e = ask(g, GPU_SET_SCANOUT, sizeof(c->scanout));
    }
    if (e) {
        resource_destroy(g, &fresh);
        return e;
    }
    resource_destroy(g, &g->screen);
    g->screen = fresh;
    g->pending.count = 0;
    g->display.screen = (struct screen){
        .pixels = fresh.at, .pitch = m->width * 4, .width = m->width, .height = m->height, .format = PIXELS_XRGB8888};
    return 0;
}

static bool mode_of_host(struct gpu *g, struct mode *out) {
    int e = gpu_ask(g, GPU_GET_DISPLAY_INFO, sizeof(struct gpu_header), GPU_OK_DISPLAY_INFO,
                    sizeof(struct gpu_display_info));
    return !e && answer_mode(&gpu_memory(g)->answer.display_info, out);
}

static bool mode_of_display(struct gpu *g, struct mode *out) {
    union gpu_command *c = &gpu_memory(g)->command;
    if (!(g->virtio.features & GPU_EDID)) return false;
    c->ask_edid = (struct gpu_ask_edid){};
    int e = gpu_ask(g, GPU_GET_EDID, sizeof(c->ask_edid), GPU_OK_EDID, sizeof(struct gpu_edid));
    return !e && answer_edid(&gpu_memory(g)->answer.edid, out);
}

int gpu_mode_first(struct gpu *g) {
    struct mode m;
    bool some = mode_asked(&m) || mode_of_host(g, &m) || mode_of_display(g, &m);
    int e = some ? mode_set(g, &m) : -ENODEV;
    return e ? mode_set(g, &modest) : 0;
}

static int gpu_set_mode(struct display_device *d, const struct mode *m) { return mode_set(gpu_of(d), m); }

/* The host's window has another size. */
static void host_changed(struct gpu *g) {
    struct mode m;
    const struct screen *s = &g->display.screen;
    uint32_t events = (uint32_t)virtio_config_read(&g->virtio, CONFIG_EVENTS, 4);
    if (!(events & EVENT_DISPLAY)) return;
    virtio_config_write(&g->virtio, CONFIG_EVENTS_CLEAR, 4, EVENT_DISPLAY);
    if (!mode_of_host(g, &m) || (m.width == s->width && m.height == s->height)) return;
    int e = mode_set(g, &m);
    if (e) service_log("virtio-gpu: no mode of %ux%u: %s", m.width, m.height, strerror(-e));
    else display_changed(&g->display);
}

/* --- the cursor --- */
static bool cursor_room(struct gpu *g) {
    void *token;
    uint32_t written;
    int got;
    while ((got = virtqueue_get(&g->cursor_queue.ring, &token, &written)) > 0) {
    }
    if (got < 0) gpu_nonsense("cursor queue");
    return g->cursor_queue.ring.free_count > 0;
}

static void cursor_give(struct gpu *g, enum gpu_type type, const struct display_cursor *image, int32_t x, int32_t y) {
    struct gpu_cursor *c = &gpu_memory(g)->cursors[g->cursor_at];
    *c = (struct gpu_cursor){
        .header.type = (uint32_t)type,
        .x = (uint32_t)x,
        .y = (uint32_t)y,
        .resource = type == GPU_UPDATE_CURSOR && !image ? 0 : g->cursor.resource,
        .hot_x = image ? image->hot_x : 0,
        .hot_y = image ? image->hot_y : 0,
    };
    uint64_t at = g->memory.physical + (uint64_t)((uint8_t *)c - (uint8_t *)g->memory.at);
    const struct virtio_buffer buffer = {at, sizeof(*c)};
    if (virtqueue_add(&g->cursor_queue.ring, &buffer, 1, 0, c) != 0) gpu_nonsense("cursor queue");
    g->cursor_at = (g->cursor_at + 1) % g->cursor_queue.ring.size;
    virtio_kick(&g->cursor_queue);
}

static int cursor_image(struct gpu *g, const struct display_cursor *image) {
    const uint32_t side = DISPLAY_CURSOR_SIDE;
    union gpu_command *c = &gpu_memory(g)->command;
    int e = g->cursor.resource ? 0 : resource_create(g, &g->cursor, GPU_FORMAT_ARGB, side, side);
    if (e) return e;
    memcpy(g->cursor.at, image->pixels, sizeof(image->pixels));
    c->transfer = (struct gpu_transfer){.rect = {0, 0, side, side}, .resource = g->cursor.resource};
    return ask(g, GPU_TRANSFER_TO_HOST_2D, sizeof(c->transfer));
}

static void gpu_cursor(struct display_device *d, const struct display_cursor *image, int32_t x, int32_t y) {
    struct gpu *g = gpu_of(d);
    if (image && cursor_image(g, image) != 0) image = nullptr;
    for (int i = 0; i < TRIES && !cursor_room(g); i++) nanosleep(&(struct timespec){.tv_nsec = 1000000}, nullptr);
    if (!cursor_room(g)) gpu_nonsense("silence");
    cursor_give(g, GPU_UPDATE_CURSOR, image, x, y);
}

/* A device that is slow misses some of the way. */
static void gpu_cursor_move(struct display_device *d, int32_t x, int32_t y) {
    struct gpu *g = gpu_of(d);
    if (cursor_room(g)) cursor_give(g, GPU_MOVE_CURSOR, nullptr, x, y);
}

/* --- events --- */
static void gpu_event(struct display_device *d, uint64_t key) {
    struct gpu *g = gpu_of(d);
    bool config = virtio_acknowledge(&g->virtio, key ? g->config_interrupt : g->control.interrupt);
    if (config || key) host_changed(g);
    gpu_take(g);
}

static void gpu_screen_changed(struct display_device *d, struct rect r) { gpu_changed(gpu_of(d), r); }

static void gpu_timeout(struct display_device *d) { gpu_silent(gpu_of(d)); }

const struct display_ops gpu_ops = {
    .changed = gpu_screen_changed,
    .set_mode = gpu_set_mode,
    .cursor = gpu_cursor,
    .cursor_move = gpu_cursor_move,
    .event = gpu_event,
    .timeout = gpu_timeout,
};
