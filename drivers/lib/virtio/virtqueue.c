// SPDX-License-Identifier: MIT
/* Split virtqueues: virtio 1.2 §2.7; §2.7.5.3 indirect descriptors, §2.7.7 and §2.7.10 suppression of notifications. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <virtqueue.h>

enum { DESCRIPTOR_NEXT = 1, DESCRIPTOR_WRITE = 2, DESCRIPTOR_INDIRECT = 4 };
enum { USED_NO_NOTIFY = 1 };
#define NO_SLOT UINT16_MAX

struct virtqueue_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};
struct virtqueue_available {
    uint16_t flags, index, ring[]; /* behind the ring: used_event */
};
struct virtqueue_used {
    uint16_t flags, index;
    struct {
        uint32_t id, length;
    } ring[]; /* behind it: avail_event */
};
_Static_assert(sizeof(struct virtqueue_descriptor) == 16, "virtio 1.2 §2.7.5");

static size_t align(size_t n, size_t to) { return (n + to - 1) & ~(to - 1); }
static size_t available_offset(unsigned size) { return sizeof(struct virtqueue_descriptor) * size; }
static size_t used_offset(unsigned size) { return align(available_offset(size) + 6 + 2ul * size, 64); }
static size_t tables_offset(unsigned size) { return align(used_offset(size) + 6 + 8ul * size, 64); }

size_t virtqueue_bytes(unsigned size, unsigned buffers_max) {
    size_t tables = size * buffers_max * sizeof(struct virtqueue_descriptor);
    return align(tables_offset(size) + tables, 4096);
}
uint64_t virtqueue_available_at(const struct virtqueue *q) { return q->physical + available_offset(q->size); }
uint64_t virtqueue_used_at(const struct virtqueue *q) { return q->physical + used_offset(q->size); }

int virtqueue_init(struct virtqueue *q, unsigned size, void *memory, uint64_t physical, bool event_index,
                   unsigned buffers_max) {
    uint8_t *at = memory;
    *q = (struct virtqueue){
        .size = (uint16_t)size,
        .free_count = (uint16_t)size,
        .buffers_max = (uint16_t)buffers_max,
        .event_index = event_index,
        .descriptors = memory,
        .available = (void *)(at + available_offset(size)),
        .used = (void *)(at + used_offset(size)),
        .tables = (void *)(at + tables_offset(size)),
        .physical = physical,
        .tables_physical = physical + tables_offset(size),
        .slots = calloc(size, sizeof(*q->slots)),
    };
    if (!q->slots) return -ENOMEM;
    for (unsigned i = 0; i < size; i++) q->slots[i].next = (uint16_t)(i + 1 < size ? i + 1 : NO_SLOT);
    return 0;
}

void virtqueue_fini(struct virtqueue *q) {
    free(q->slots);
    q->slots = NULL;
}

static volatile uint16_t *used_event(const struct virtqueue *q) { return &q->available->ring[q->size]; }
static uint16_t avail_event(const struct virtqueue *q) { return *(volatile uint16_t *)&q->used->ring[q->size]; }

/* --- giving --- */
static void descriptor_set(volatile struct virtqueue_descriptor *d, uint64_t address, uint32_t length, unsigned flags,
                           unsigned next) {
    d->address = address;
    d->length = length;
    d->flags = (uint16_t)flags;
    d->next = (uint16_t)next;
}

static unsigned buffer_flags(unsigned i, unsigned out, unsigned count) {
    return (i < out ? 0 : DESCRIPTOR_WRITE) | (i + 1 < count ? DESCRIPTOR_NEXT : 0);
}

int virtqueue_add(struct virtqueue *q, const struct virtio_buffer *buffers, unsigned out, unsigned in, void *token) {
    unsigned count = out + in, most = q->buffers_max ?: VIRTQUEUE_BUFFERS_MAX;
    bool indirect = q->buffers_max && count > 1;
    unsigned needed = indirect ? 1 : count;
    uint16_t head = q->free_head, last = head;
    if (count == 0 || count > most || count > q->size) return -EINVAL;
    if (q->free_count < needed) return -EAGAIN;
    if (indirect) {
        volatile struct virtqueue_descriptor *table = &q->tables[head * most];
        for (unsigned i = 0; i < count; i++)
            descriptor_set(&table[i], buffers[i].physical, buffers[i].length, buffer_flags(i, out, count), i + 1);
        descriptor_set(&q->descriptors[head], q->tables_physical + 16ul * most * head, 16 * count, DESCRIPTOR_INDIRECT,
                       0);
    } else {
        for (unsigned i = 0, at = head; i < count; i++, at = q->slots[at].next) {
            descriptor_set(&q->descriptors[at], buffers[i].physical, buffers[i].length, buffer_flags(i, out, count),
                           q->slots[at].next);
            last = (uint16_t)at;
        }
    }
    struct virtqueue_slot *slot = &q->slots[head];
    q->free_head = q->slots[last].next;
    q->free_count = (uint16_t)(q->free_count - needed);
    slot->token = token;
    slot->count = (uint16_t)needed;
    slot->writable = 0;
    for (unsigned i = out; i < count; i++) slot->writable += buffers[i].length;
    q->available->ring[q->available_next++ & (q->size - 1)] = head;
    return 0;
}

bool virtqueue_publish(struct virtqueue *q) {
    uint16_t old = q->published, new = q->available_next;
    if (old == new) return false;
    atomic_thread_fence(memory_order_release);
    q->available->index = q->published = new;
    atomic_thread_fence(memory_order_seq_cst); /* the index before the look */
    if (!q->event_index) return !(q->used->flags & USED_NO_NOTIFY);
    return (uint16_t)(new - avail_event(q) - 1) < (uint16_t)(new - old); /* §2.7.10: crossed it */
}

/* --- taking --- */
static void slot_free(struct virtqueue *q, uint16_t head) {
    uint16_t last = head;
    q->slots[head].token = NULL;
    for (unsigned i = 1; i < q->slots[head].count; i++) last = q->slots[last].next;
    q->slots[last].next = q->free_head;
    q->free_head = head;
    q->free_count = (uint16_t)(q->free_count + q->slots[head].count);
}

int virtqueue_get(struct virtqueue *q, void **token, uint32_t *length) {
    uint16_t ready = (uint16_t)(q->used->index - q->used_next);
    if (ready == 0) return 0;
    if (ready > q->size - q->free_count) return -EPROTO;
    atomic_thread_fence(memory_order_acquire);
    unsigned at = q->used_next & (q->size - 1);
    uint32_t id = q->used->ring[at].id, written = q->used->ring[at].length;
    if (id >= q->size || !q->slots[id].token || (written > q->slots[id].writable && !q->reads_only)) return -EPROTO;
    *token = q->slots[id].token;
    *length = q->reads_only ? 0 : written;
    slot_free(q, (uint16_t)id);
    q->used_next++;
    return 1;
}

bool virtqueue_rearm(struct virtqueue *q) {
    if (q->event_index) *used_event(q) = q->used_next;
    atomic_thread_fence(memory_order_seq_cst); /* the wish before the look */
    return q->used->index == q->used_next;
}
