// SPDX-License-Identifier: MIT
/*
 * Commands and their answers.  Modes, resources and cursors are waited for; what changes on the screen is not: it is
 * gathered while the device is busy with the last changes, so that a slow device draws less often, not later.
 *
 * A screen must not stay as it is for ever because one interrupt or one kick was lost: what hasn't been answered for a
 * second is looked for, and the device woken again.
 */
#include "virtio_gpu.h"
#include <errno.h>
#include <service.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRIES 50000 /* of 0.1 ms */
#define SILENCE_NS 1000000000LL

void gpu_nonsense(const char *what) {
    service_log("virtio-gpu: the device's %s makes no sense", what);
    exit(1);
}

static uint64_t physical(const struct gpu *g, const void *at) {
    return g->memory.physical + (uint64_t)((const uint8_t *)at - (const uint8_t *)g->memory.at);
}

int gpu_queues(struct gpu *g) {
    int e = virtio_queue(&g->virtio, QUEUE_CONTROL, QUEUE_SIZE, 2, &g->control);
    if (!e) e = virtio_queue(&g->virtio, QUEUE_CURSOR, CURSORS, 0, &g->cursor_queue);
    if (!e) e = pci_dma_create(g->virtio.function, sizeof(struct gpu_memory), 0, &g->memory);
    if (!e && g->control.ring.size < QUEUE_SIZE) e = -ENOSPC;
    g->cursor_queue.ring.reads_only = true;
    return e;
}

static void give(struct gpu *g, const union gpu_command *c, size_t size, void *answer, size_t answer_size) {
    const struct virtio_buffer buffers[2] = {{physical(g, c), (uint32_t)size},
                                             {physical(g, answer), (uint32_t)answer_size}};
    if (virtqueue_add(&g->control.ring, buffers, 1, 1, answer) != 0) gpu_nonsense("control queue"); /* it has room */
}

/* --- answers --- */
static void answer_take(struct gpu *g, const void *answer, uint32_t written) {
    if (answer == &gpu_memory(g)->answer) {
        g->answered = written;
        return;
    }
    struct gpu_header h;
    memcpy(&h, answer, sizeof(h));
    g->under_way--;
    int e = answer_check(&h, written, GPU_OK, sizeof(h));
    if (e && !g->complained) service_log("virtio-gpu: the device doesn't draw: answer %#x, %u bytes", h.type, written);
    g->complained |= e != 0;
}

static void answers_take(struct gpu *g) {
    void *answer;
    uint32_t written;
    int got;
    do {
        while ((got = virtqueue_get(&g->control.ring, &answer, &written)) > 0) answer_take(g, answer, written);
        if (got < 0) gpu_nonsense("control queue");
    } while (!virtqueue_rearm(&g->control.ring));
}

/* --- without waiting: what has changed on the screen --- */
static int64_t patience_end(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec + SILENCE_NS;
}

static void pending_give(struct gpu *g) {
    struct gpu_memory *m = gpu_memory(g);
    if (g->under_way > 0) return;
    g->display.scheme.deadline = g->pending.count > 0 ? patience_end() : DEADLINE_NEVER;
    if (g->pending.count == 0) return;
    for (uint32_t i = 0; i < g->pending.count; i++) {
        const struct rect *r = &g->pending.rects[i];
        const struct gpu_rect area = {(uint32_t)r->x0, (uint32_t)r->y0, (uint32_t)(r->x1 - r->x0),
                                      (uint32_t)(r->y1 - r->y0)};
        const uint64_t offset = (uint64_t)area.y * g->display.screen.pitch + area.x * 4ul;
        m->commands[2 * i].transfer = (struct gpu_transfer){
            .header.type = GPU_TRANSFER_TO_HOST_2D, .rect = area, .offset = offset, .resource = g->screen.resource};
        m->commands[2 * i + 1].flush =
            (struct gpu_flush){.header.type = GPU_RESOURCE_FLUSH, .rect = area, .resource = g->screen.resource};
        give(g, &m->commands[2 * i], sizeof(struct gpu_transfer), &m->answers[2 * i], sizeof(m->answers[0]));
        give(g, &m->commands[2 * i + 1], sizeof(struct gpu_flush), &m->answers[2 * i + 1], sizeof(m->answers[0]));
        g->under_way += 2;
    }
    g->pending.count = 0;
    virtio_kick(&g->control);
}

void gpu_changed(struct gpu *g, struct rect r) {
    damage_add(&g->pending, r);
    pending_give(g);
}

void gpu_take(struct gpu *g) {
    answers_take(g);
    pending_give(g);
}

void gpu_silent(struct gpu *g) {
    const unsigned before = g->under_way;
    answers_take(g);
    if (g->under_way < before) service_log("virtio-gpu: an interrupt was lost");
    else if (before > 0) virtio_wake(&g->control);
    if (g->under_way > 0) g->display.scheme.deadline = patience_end();
    pending_give(g);
}

int gpu_ask(struct gpu *g, enum gpu_type type, size_t size, enum gpu_type wanted, size_t answer_size) {
    struct gpu_memory *m = gpu_memory(g);
    m->command.header = (struct gpu_header){.type = (uint32_t)type};
    memset(&m->answer, 0, sizeof(m->answer));
    g->answered = UINT32_MAX;
    give(g, &m->command, size, &m->answer, answer_size);
    virtio_kick(&g->control);
    answers_take(g);
    for (int i = 0; i < TRIES && g->answered == UINT32_MAX; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 100000}, nullptr);
        answers_take(g);
    }
    if (g->answered == UINT32_MAX) gpu_nonsense("silence");
    struct gpu_header h = m->answer.header;
    int e = answer_check(&h, g->answered, wanted, answer_size);
    if (e) service_log("virtio-gpu: command %#x: answer %#x, %u bytes", (unsigned)type, h.type, g->answered);
    return e;
}
