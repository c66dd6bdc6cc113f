// SPDX-License-Identifier: MIT
/* drivers/lib/virtio/virtqueue.c against a device made of the same memory: order, fullness, notifications, lies. */
#include "unit.h"
#include <errno.h>
#include <stdlib.h>
#include <virtqueue.h>

#define PHYSICAL 0x100000000ul
#define SIZE 8
#define BUFFERS 4

static uint8_t *memory;
static struct virtqueue queue;

/* --- the device: reads the descriptors as virtio 1.2 §2.7 lays them out --- */
struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};
static uint16_t device_seen, device_used;
static uint16_t *available(void) { return (uint16_t *)(memory + (virtqueue_available_at(&queue) - PHYSICAL)); }
static uint16_t *used(void) { return (uint16_t *)(memory + (virtqueue_used_at(&queue) - PHYSICAL)); }

static void queue_make(bool event_index, bool indirect) {
    free(memory);
    virtqueue_fini(&queue);
    memory = calloc(1, virtqueue_bytes(SIZE, indirect ? BUFFERS : 0));
    CHECK(virtqueue_init(&queue, SIZE, memory, PHYSICAL, event_index, indirect ? BUFFERS : 0) == 0);
    device_seen = device_used = 0;
}

/* The next request's head and its buffers; -1: none. */
static int device_take(struct descriptor out[BUFFERS], unsigned *count) {
    if (available()[1] == device_seen) return -1;
    unsigned head = available()[2 + device_seen++ % SIZE];
    struct descriptor *table = (struct descriptor *)memory;
    unsigned at = head;
    CHECK(head < SIZE);
    if (table[head].flags & 4) {
        CHECK(table[head].address > PHYSICAL && table[head].length % 16 == 0);
        table = (struct descriptor *)(memory + (table[head].address - PHYSICAL));
        at = 0;
    }
    for (*count = 0; *count < BUFFERS; at = table[at].next) {
        out[(*count)++] = table[at];
        if (!(table[at].flags & 1)) break;
    }
    return (int)head;
}

static void device_return(uint32_t id, uint32_t length) {
    uint32_t *entry = (uint32_t *)(used() + 2) + 2 * (device_used % SIZE);
    entry[0] = id;
    entry[1] = length;
    used()[1] = ++device_used;
}

static const struct virtio_buffer three[] = {{0x1000, 16}, {0x2000, 4096}, {0x3000, 1}};

static void round_trips(bool event_index, bool indirect) {
    queue_make(event_index, indirect);
    for (uintptr_t n = 1; n <= 100; n++) {
        struct descriptor got[BUFFERS];
        unsigned count;
        void *token;
        uint32_t length;
        CHECK(virtqueue_add(&queue, three, 1, 2, (void *)n) == 0);
        CHECK(device_take(got, &count) == -1);
        CHECK(virtqueue_publish(&queue) || event_index);
        int head = device_take(got, &count);
        CHECK(head >= 0 && count == 3 && got[0].address == 0x1000 && got[1].length == 4096);
        CHECK(!(got[0].flags & 2) && got[1].flags & 2 && got[2].flags & 2);
        CHECK(virtqueue_get(&queue, &token, &length) == 0 && virtqueue_rearm(&queue));
        device_return((uint32_t)head, 4097);
        CHECK(!virtqueue_rearm(&queue));
        CHECK(virtqueue_get(&queue, &token, &length) == 1 && token == (void *)n && length == 4097);
        CHECK(virtqueue_get(&queue, &token, &length) == 0);
        CHECK(queue.free_count == SIZE);
    }
}
TEST(round_trips_direct) { round_trips(false, false); }
TEST(round_trips_indirect) { round_trips(false, true); }
TEST(round_trips_event_index) { round_trips(true, true); }

static void fill(bool indirect, unsigned expected) {
    struct descriptor got[BUFFERS];
    unsigned count, n = 0;
    int heads[SIZE];
    void *token;
    uint32_t length;
    queue_make(false, indirect);
    while (virtqueue_add(&queue, three, 1, 2, &heads[n]) == 0) n++;
    CHECK(n == expected && virtqueue_add(&queue, three, 1, 2, &n) == -EAGAIN);
    CHECK(virtqueue_publish(&queue) && !virtqueue_publish(&queue));
    for (unsigned i = 0; i < n; i++) heads[i] = device_take(got, &count);
    for (unsigned i = n; i-- > 0;) device_return((uint32_t)heads[i], 0); /* any order */
    for (unsigned i = n; i-- > 0;) CHECK(virtqueue_get(&queue, &token, &length) == 1 && token == &heads[i]);
    CHECK(virtqueue_get(&queue, &token, &length) == 0 && queue.free_count == SIZE);
    CHECK(virtqueue_add(&queue, three, 1, 2, &n) == 0);
}
TEST(full_direct) { fill(false, SIZE / 3); }
TEST(full_indirect) { fill(true, SIZE); }

TEST(notifies_only_when_asked) {
    queue_make(true, true);
    used()[2 + 4 * SIZE] = 2; /* avail_event: tell me of the third */
    for (int i = 0; i < 2; i++) CHECK(virtqueue_add(&queue, three, 1, 2, &queue) == 0 && !virtqueue_publish(&queue));
    CHECK(virtqueue_add(&queue, three, 1, 2, &queue) == 0 && virtqueue_publish(&queue));
    CHECK(virtqueue_add(&queue, three, 1, 2, &queue) == 0 && !virtqueue_publish(&queue));
    queue_make(false, true);
    used()[0] = 1;
    CHECK(virtqueue_add(&queue, three, 1, 2, &queue) == 0 && !virtqueue_publish(&queue));
    used()[0] = 0;
    CHECK(virtqueue_add(&queue, three, 1, 2, &queue) == 0 && virtqueue_publish(&queue));
}

TEST(a_batch_that_crosses_the_event_notifies) {
    queue_make(true, true);
    used()[2 + 4 * SIZE] = 1;
    for (int i = 0; i < 5; i++) CHECK(virtqueue_add(&queue, three, 1, 2, &queue) == 0);
    CHECK(virtqueue_publish(&queue));
}

TEST(a_lying_device_is_found_out) {
    void *token;
    uint32_t length;
    struct descriptor got[BUFFERS];
    unsigned count;
    for (int lie = 0; lie < 5; lie++) {
        queue_make(false, lie & 1);
        CHECK(virtqueue_add(&queue, three, 1, 2, &queue) == 0 && virtqueue_publish(&queue));
        uint32_t head = (uint32_t)device_take(got, &count);
        switch (lie) {
        case 0: device_return(SIZE, 0); break; /* no descriptor */
        case 1: device_return((head + 1) % SIZE, 0); break; /* not given to it */
        case 2: device_return(head, 4098); break; /* more than there was room for */
        case 3: used()[1] = 2; break; /* more than it got */
        case 4: used()[1] = 0x8000; break;
        }
        CHECK(virtqueue_get(&queue, &token, &length) == -EPROTO);
    }
    queue_make(false, true);
    CHECK(virtqueue_add(&queue, three, 1, 2, &queue) == 0 && virtqueue_publish(&queue));
    uint32_t head = (uint32_t)device_take(got, &count);
    device_return(head, 0);
    CHECK(virtqueue_get(&queue, &token, &length) == 1);
    device_return(head, 0); /* twice */
    CHECK(virtqueue_get(&queue, &token, &length) == -EPROTO);
}

/* QEMU's input devices say of what they have read how much it was, as if they had written it. */
TEST(lengths_of_what_is_only_read) {
    void *token;
    uint32_t length;
    struct descriptor got[BUFFERS];
    unsigned count;
    for (int believed = 0; believed < 2; believed++) {
        queue_make(false, false);
        queue.reads_only = !believed;
        CHECK(virtqueue_add(&queue, three, 1, 0, &queue) == 0 && virtqueue_publish(&queue));
        device_return((uint32_t)device_take(got, &count), 8);
        CHECK(virtqueue_get(&queue, &token, &length) == (believed ? -EPROTO : 1));
        CHECK(believed || (token == &queue && length == 0));
    }
}

TEST(bad_requests) {
    struct virtio_buffer many[5] = {};
    queue_make(false, true);
    CHECK(virtqueue_add(&queue, many, 3, 2, &queue) == -EINVAL);
    CHECK(virtqueue_add(&queue, many, 0, 0, &queue) == -EINVAL);
}

UNIT_MAIN
