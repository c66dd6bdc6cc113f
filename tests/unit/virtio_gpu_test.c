// SPDX-License-Identifier: MIT
/* drivers/video/virtio-gpu: what the device may answer; what is drawn although interrupts and kicks are lost. */
#include <answer.h>
#include <errno.h>
#include <service.h>
#include <stdlib.h>
#include <string.h>
#include <unit.h>
#include <virtio_gpu.h>

TEST(types_and_lengths) {
    struct gpu_header h = {.type = GPU_OK};
    CHECK(answer_check(&h, 24, GPU_OK, 24) == 0 && answer_check(&h, 400, GPU_OK, 24) == 0);
    for (uint32_t length = 0; length < 24; length++) CHECK(answer_check(&h, length, GPU_OK, 24) == -EPROTO);
    CHECK(answer_check(&h, 408, GPU_OK_DISPLAY_INFO, 408) == -EPROTO); /* the answer to something else */
    h.type = GPU_OK_DISPLAY_INFO;
    CHECK(answer_check(&h, 408, GPU_OK_DISPLAY_INFO, 408) == 0);
    CHECK(answer_check(&h, 407, GPU_OK_DISPLAY_INFO, 408) == -EPROTO);
    for (uint32_t type = 0; type < 0x3000; type++) {
        h.type = type;
        int e = answer_check(&h, 24, GPU_OK, 24);
        bool error = type >= 0x1200 && type <= 0x1205;
        CHECK(e == (type == GPU_OK ? 0 : type == 0x1201 ? -ENOMEM : error ? -EIO : -EPROTO));
    }
    h.type = UINT32_MAX;
    CHECK(answer_check(&h, UINT32_MAX, GPU_OK, 24) == -EPROTO);
}

TEST(modes) {
    struct gpu_display_info info = {.modes[0] = {{5, 5, 1280, 800}, 1, 0}};
    struct mode m = {};
    CHECK(answer_mode(&info, &m) && m.width == 1280 && m.height == 800 && m.bits == 32);
    static const uint32_t bad[][2] = {{0, 0},     {1280, 0}, {0, 800}, {UINT32_MAX, UINT32_MAX}, {1 << 16, 1 << 16},
                                      {8193, 10}, {100, 100}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        info.modes[0].rect.width = bad[i][0];
        info.modes[0].rect.height = bad[i][1];
        CHECK(!answer_mode(&info, &m) && m.width == 1280);
    }
    info.modes[0] = (typeof(info.modes[0])){{0, 0, 640, 480}, 0, 0};
    CHECK(!answer_mode(&info, &m)); /* not connected */
    memset(&info, 0xff, sizeof(info));
    CHECK(!answer_mode(&info, &m));
}

TEST(displays) {
    static struct gpu_edid e;
    struct mode m = {};
    CHECK(!answer_edid(&e, &m));
    static const uint8_t start[] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
    memcpy(e.edid, start, sizeof(start));
    e.edid[54] = 1;
    e.edid[56] = 1366 & 0xff;
    e.edid[58] = 1366 >> 8 << 4;
    e.edid[59] = 768 & 0xff;
    e.edid[61] = 768 >> 8 << 4;
    uint8_t sum = 0;
    for (int i = 0; i < 127; i++) sum = (uint8_t)(sum + e.edid[i]);
    e.edid[127] = (uint8_t)-sum;
    static const uint32_t sizes[][2] = {{0, 0}, {127, 0}, {128, 1}, {1024, 1}, {1025, 0}, {UINT32_MAX, 0}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        e.size = sizes[i][0];
        CHECK(answer_edid(&e, &m) == (sizes[i][1] != 0));
    }
    CHECK(m.width == 1366 && m.height == 768);
    e.edid[127]++;
    e.size = 128;
    CHECK(!answer_edid(&e, &m));
}

/* --- changes of the screen, with a device made of the queue's memory --- */
#define PHYSICAL 0x100000000ul
static struct gpu gpu;
static uint8_t *ring;
static unsigned kicks, wakes, logged;
static uint16_t seen; /* by the device, and answered */

void service_log(const char *format, ...) { logged++; }
int virtio_queue(struct virtio *v, unsigned index, unsigned size_max, unsigned buffers_max, struct virtio_queue *q) {
    return -ENXIO;
}
int pci_dma_create(handle_t function, size_t size, uint32_t flags, struct dma *out) { return -ENOMEM; }
void virtio_kick(struct virtio_queue *q) { kicks += virtqueue_publish(&q->ring); }
void virtio_wake(struct virtio_queue *q) { wakes++; }

static void gpu_make(void) {
    free(ring);
    free(gpu.memory.at);
    virtqueue_fini(&gpu.control.ring);
    gpu = (struct gpu){.display.scheme.deadline = DEADLINE_NEVER, .display.screen = {.pitch = 4096}};
    gpu.memory = (struct dma){.at = calloc(1, sizeof(struct gpu_memory)), .physical = 2 * PHYSICAL};
    ring = calloc(1, virtqueue_bytes(QUEUE_SIZE, 2));
    CHECK(virtqueue_init(&gpu.control.ring, QUEUE_SIZE, ring, PHYSICAL, true, 2) == 0);
    kicks = wakes = logged = seen = 0;
}

/* All that was given is done: so many commands. */
static unsigned device_work(void) {
    const uint16_t *available = (uint16_t *)(ring + (virtqueue_available_at(&gpu.control.ring) - PHYSICAL));
    uint16_t *used = (uint16_t *)(ring + (virtqueue_used_at(&gpu.control.ring) - PHYSICAL));
    unsigned count = 0;
    for (; seen != available[1]; seen++, count++) {
        uint32_t *entry = (uint32_t *)(used + 2) + 2 * (seen % QUEUE_SIZE);
        entry[0] = available[2 + seen % QUEUE_SIZE];
        entry[1] = sizeof(struct gpu_header);
    }
    for (unsigned i = 0; i < COMMANDS; i++) gpu_memory(&gpu)->answers[i].type = GPU_OK;
    used[1] = used[2 + 4 * QUEUE_SIZE] = seen; /* and wants to be woken for the next one */
    return count;
}

static void line_change(int32_t y) { gpu_changed(&gpu, (struct rect){0, y, 100, y + 1}); }

static bool has_deadline(void) { return gpu.display.scheme.deadline != DEADLINE_NEVER; }

TEST(changes_are_gathered_while_the_device_is_busy) {
    gpu_make();
    line_change(0);
    CHECK(kicks == 1 && has_deadline());
    line_change(100);
    line_change(200);
    CHECK(device_work() == 2);
    gpu_take(&gpu);
    CHECK(device_work() == 4 && kicks == 2 && has_deadline());
    gpu_take(&gpu);
    CHECK(device_work() == 0 && !has_deadline() && wakes == 0 && logged == 0);
}

TEST(a_lost_interrupt_is_found_out) {
    gpu_make();
    line_change(0);
    line_change(100);
    CHECK(device_work() == 2 && device_work() == 0);
    gpu.display.scheme.deadline = DEADLINE_NEVER; /* passed */
    gpu_silent(&gpu);
    CHECK(device_work() == 2 && kicks == 2 && wakes == 0 && logged == 1 && has_deadline());
    gpu_take(&gpu);
    CHECK(!has_deadline());
}

TEST(a_device_that_sleeps_is_woken_until_it_answers) {
    gpu_make();
    line_change(0);
    for (unsigned i = 1; i < 4; i++) {
        gpu.display.scheme.deadline = DEADLINE_NEVER;
        gpu_silent(&gpu);
        CHECK(wakes == i && has_deadline() && logged == 0);
    }
    CHECK(device_work() == 2);
    gpu_take(&gpu);
    CHECK(!has_deadline() && gpu.under_way == 0);
    gpu_silent(&gpu);
    CHECK(!has_deadline() && wakes == 3);
}

UNIT_MAIN
