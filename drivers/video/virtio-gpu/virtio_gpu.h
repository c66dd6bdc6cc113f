// SPDX-License-Identifier: MIT
/* The virtio GPU driver's parts. */
#pragma once
#include "answer.h"
#include <display_device.h>
#include <virtio.h>

#define COMMANDS (2 * DAMAGE_RECTS) /* under way without anybody waiting for them */
#define CURSORS 16
#define QUEUE_SIZE 64

union gpu_command {
    struct gpu_header header;
    struct gpu_create create;
    struct gpu_attach attach;
    struct gpu_unref unref;
    struct gpu_scanout scanout;
    struct gpu_transfer transfer;
    struct gpu_flush flush;
    struct gpu_ask_edid ask_edid;
};
union gpu_answer {
    struct gpu_header header;
    struct gpu_display_info display_info;
    struct gpu_edid edid;
};
struct gpu_memory { /* that the device sees */
    union gpu_command commands[COMMANDS], command; /* the last: what is waited for */
    struct gpu_header answers[COMMANDS];
    union gpu_answer answer;
    struct gpu_cursor cursors[CURSORS];
};

struct gpu_screen { /* a resource with its memory: pieces, as there is no telling whether so much is free in one */
    uint32_t resource; /* 0: none */
    uint32_t count;
    struct dma pieces[GPU_PIECES];
    uint8_t *at; /* all of them, one behind the other */
    size_t size;
};
#define GPU_PIECE (2ul << 20)
struct gpu {
    struct virtio virtio;
    struct display_device display;
    struct virtio_queue control, cursor_queue;
    struct dma memory;
    handle_t config_interrupt;
    struct gpu_screen screen, cursor;
    uint32_t last_resource;
    struct damage pending;
    unsigned under_way; /* of commands */
    uint32_t answered; /* bytes, of what was waited for; UINT32_MAX: not yet */
    unsigned cursor_at;
    bool complained;
};
static inline struct gpu_memory *gpu_memory(const struct gpu *g) { return g->memory.at; }
[[noreturn]] void gpu_nonsense(const char *what);

/* --- command.c --- */
[[nodiscard]] int gpu_queues(struct gpu *g);
/* Gives the command in gpu_memory(g)->command to the device, waits for its answer in ->answer: 0 or -errno. */
[[nodiscard]] int gpu_ask(struct gpu *g, enum gpu_type type, size_t size, enum gpu_type wanted, size_t answer_size);
/* What the device has answered; then what is pending. */
void gpu_take(struct gpu *g);
void gpu_changed(struct gpu *g, struct rect r);
/* The deadline has passed: of what is under way there is no answer. */
void gpu_silent(struct gpu *g);

/* --- virtio_gpu.c --- */
extern const struct display_ops gpu_ops;
/* The mode asked for on the command line, the host's, the display's, or a modest one. */
[[nodiscard]] int gpu_mode_first(struct gpu *g);
