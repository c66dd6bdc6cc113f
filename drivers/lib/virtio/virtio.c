// SPDX-License-Identifier: MIT
/* Virtio over PCI: virtio 1.2 §4.1.4 structures, §3.1.1 initialisation. */
#include <mmio.h>
#include <string.h>
#include <time.h>
#include <virtio.h>

#define QUEUES_MAX 64
#define NO_VECTOR 0xffff
#define RESET_TRIES 1000 /* of a millisecond */

enum { CAPABILITY_COMMON = 1, CAPABILITY_NOTIFY, CAPABILITY_ISR, CAPABILITY_CONFIG };
enum { /* struct virtio_pci_cap, §4.1.4 */
       CAPABILITY_LENGTH = 2,
       CAPABILITY_TYPE = 3,
       CAPABILITY_BAR = 4,
       CAPABILITY_OFFSET = 8,
       CAPABILITY_SIZE = 12,
       CAPABILITY_MULTIPLIER = 16,
};
enum { /* struct virtio_pci_common_cfg, §4.1.4.3 */
       COMMON_FEATURE_SELECT = 0x00,
       COMMON_FEATURES = 0x04,
       COMMON_DRIVER_SELECT = 0x08,
       COMMON_DRIVER_FEATURES = 0x0c,
       COMMON_CONFIG_VECTOR = 0x10,
       COMMON_QUEUES = 0x12,
       COMMON_STATUS = 0x14,
       COMMON_GENERATION = 0x15,
       COMMON_QUEUE = 0x16,
       COMMON_QUEUE_SIZE = 0x18,
       COMMON_QUEUE_VECTOR = 0x1a,
       COMMON_QUEUE_ENABLE = 0x1c,
       COMMON_QUEUE_NOTIFY = 0x1e,
       COMMON_QUEUE_DESCRIPTORS = 0x20,
       COMMON_QUEUE_AVAILABLE = 0x28,
       COMMON_QUEUE_USED = 0x30,
       COMMON_SIZE = 0x38,
};
enum { ISR_CONFIGURATION = 2 };
enum { STATUS_ACKNOWLEDGE = 1, STATUS_DRIVER = 2, STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8 };

/* --- finding the structures --- */
static uint32_t config32(struct virtio *v, unsigned at) { return (uint32_t)pci_config_read(v->function, at, 4); }

/* The first good one of each kind counts: *out and *length are its. */
static int structure_map(struct virtio *v, unsigned capability, uint32_t least, volatile uint8_t **out,
                         uint32_t *length) {
    unsigned bar = (unsigned)pci_config_read(v->function, capability + CAPABILITY_BAR, 1);
    uint32_t offset = config32(v, capability + CAPABILITY_OFFSET);
    uint32_t size = config32(v, capability + CAPABILITY_SIZE);
    if (*out || size < least || bar >= PCI_BARS) return 0;
    volatile void *at;
    int e = pci_bar_map(v->function, bar, offset, size, &at);
    if (e) return e;
    *out = at;
    *length = size;
    return 0;
}

static int structures_map(struct virtio *v) {
    uint32_t unused;
    int e = 0;
    for (unsigned n = 0, at; !e && (at = pci_capability_find(v->function, PCI_CAPABILITY_VENDOR, n)); n++) {
        switch (pci_config_read(v->function, at + CAPABILITY_TYPE, 1)) {
        case CAPABILITY_COMMON: e = structure_map(v, at, COMMON_SIZE, &v->common, &unused); break;
        case CAPABILITY_NOTIFY:
            if (v->notify) break;
            e = structure_map(v, at, 2, &v->notify, &v->notify_length);
            if (v->notify) v->notify_multiplier = config32(v, at + CAPABILITY_MULTIPLIER);
            break;
        case CAPABILITY_ISR: e = structure_map(v, at, 1, &v->isr, &unused); break;
        case CAPABILITY_CONFIG: e = structure_map(v, at, 1, &v->config, &v->config_length); break;
        default: break;
        }
    }
    return e ? e : v->common && v->notify && v->isr ? 0 : -ENODEV;
}

int virtio_reset_on_panic(struct virtio *v) {
    for (unsigned n = 0, at; (at = pci_capability_find(v->function, PCI_CAPABILITY_VENDOR, n)); n++)
        if (pci_config_read(v->function, at + CAPABILITY_TYPE, 1) == CAPABILITY_COMMON)
            return pci_bar_zero_on_panic(v->function, (unsigned)pci_config_read(v->function, at + CAPABILITY_BAR, 1),
                                         config32(v, at + CAPABILITY_OFFSET) + COMMON_STATUS);
    return -ENODEV;
}

/* --- initialisation --- */
static uint8_t status_read(struct virtio *v) { return mmio_read8(v->common + COMMON_STATUS); }
static void status_add(struct virtio *v, uint8_t bits) {
    mmio_write8(v->common + COMMON_STATUS, status_read(v) | bits);
}

int virtio_reset(struct virtio *v) {
    mmio_write8(v->common + COMMON_STATUS, 0);
    for (int i = 0; i < RESET_TRIES && status_read(v); i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, nullptr); /* it still ends what it was at */
    return status_read(v) ? -EIO : 0;
}

static uint64_t features_offered(struct virtio *v) {
    uint64_t all = 0;
    for (uint32_t half = 0; half < 2; half++) {
        mmio_write32(v->common + COMMON_FEATURE_SELECT, half);
        all |= (uint64_t)mmio_read32(v->common + COMMON_FEATURES) << 32 * half;
    }
    return all;
}

static int features_agree(struct virtio *v, uint64_t wanted) {
    v->features = features_offered(v) & (wanted | VIRTIO_VERSION_1 | VIRTIO_INDIRECT | VIRTIO_EVENT_INDEX);
    if (!(v->features & VIRTIO_VERSION_1)) return -ENODEV;
    for (uint32_t half = 0; half < 2; half++) {
        mmio_write32(v->common + COMMON_DRIVER_SELECT, half);
        mmio_write32(v->common + COMMON_DRIVER_FEATURES, (uint32_t)(v->features >> 32 * half));
    }
    status_add(v, STATUS_FEATURES_OK);
    return status_read(v) & STATUS_FEATURES_OK ? 0 : -ENODEV;
}

static int begin(struct virtio *v, uint64_t wanted) {
    status_add(v, STATUS_ACKNOWLEDGE);
    status_add(v, STATUS_DRIVER);
    return features_agree(v, wanted);
}

int virtio_init(struct virtio *v, handle_t function, uint64_t wanted) {
    *v = (struct virtio){.function = function};
    int e = pci_info(function, &v->info);
    if (!e) e = structures_map(v);
    if (!e) e = virtio_reset(v);
    if (!e) e = pci_enable(function);
    return e ? e : begin(v, wanted);
}

int virtio_restart(struct virtio *v) {
    uint64_t before = v->features;
    int e = virtio_reset(v);
    if (!e) e = begin(v, before);
    return e ? e : v->features == before ? 0 : -EPROTO;
}

/* --- queues --- */
/* Message 0 is the configuration's, the others the queues', who share them if there are too few. */
static unsigned queue_message(const struct virtio *v, unsigned index) {
    return v->info.messages > 1 ? 1 + index % (v->info.messages - 1) : 0;
}

static int vector_set(struct virtio *v, unsigned offset, unsigned message) {
    if (v->info.interrupt_kind != PCI_MSIX) return 0;
    mmio_write16(v->common + offset, (uint16_t)message);
    return mmio_read16(v->common + offset) == message ? 0 : -EBUSY;
}

static void write64(volatile uint8_t *at, uint64_t value) {
    mmio_write32(at, (uint32_t)value);
    mmio_write32(at + 4, (uint32_t)(value >> 32));
}

static int bell_find(struct virtio *v, struct virtio_queue *q) {
    uint64_t offset = (uint64_t)mmio_read16(v->common + COMMON_QUEUE_NOTIFY) * v->notify_multiplier;
    if (offset + 2 > v->notify_length) return -EPROTO;
    q->bell = v->notify + offset;
    return 0;
}

static int queue_memory(struct virtio *v, struct virtio_queue *q, unsigned size, unsigned buffers_max) {
    if (!(v->features & VIRTIO_INDIRECT)) buffers_max = 0;
    size_t bytes = virtqueue_bytes(size, buffers_max);
    if (q->memory.at) {
        if (q->ring.size != size) return -EPROTO; /* it was another one before the restart */
        virtqueue_fini(&q->ring);
        memset(q->memory.at, 0, bytes);
    } else {
        int e = pci_dma_create(v->function, bytes, 0, &q->memory);
        if (e) return e;
    }
    return virtqueue_init(&q->ring, size, q->memory.at, q->memory.physical, v->features & VIRTIO_EVENT_INDEX,
                          buffers_max);
}

int virtio_queue(struct virtio *v, unsigned index, unsigned size_max, unsigned buffers_max, struct virtio_queue *q) {
    bool again = q->memory.at;
    if (index >= QUEUES_MAX || index >= mmio_read16(v->common + COMMON_QUEUES)) return -ENXIO;
    mmio_write16(v->common + COMMON_QUEUE, (uint16_t)index);
    unsigned size = mmio_read16(v->common + COMMON_QUEUE_SIZE);
    if (size == 0) return -ENXIO;
    if (size & (size - 1)) return -EPROTO;
    if (size > size_max) size = size_max;
    q->index = (uint16_t)index;
    int e = queue_memory(v, q, size, buffers_max);
    if (!e) e = bell_find(v, q);
    if (!again) q->interrupt = e ? e : pci_interrupt(v->function, queue_message(v, index));
    if (e || q->interrupt < 0) return e ? e : q->interrupt;
    mmio_write16(v->common + COMMON_QUEUE_SIZE, (uint16_t)size);
    e = vector_set(v, COMMON_QUEUE_VECTOR, queue_message(v, index));
    if (e) return e;
    write64(v->common + COMMON_QUEUE_DESCRIPTORS, q->ring.physical);
    write64(v->common + COMMON_QUEUE_AVAILABLE, virtqueue_available_at(&q->ring));
    write64(v->common + COMMON_QUEUE_USED, virtqueue_used_at(&q->ring));
    mmio_write16(v->common + COMMON_QUEUE_ENABLE, 1);
    return 0;
}

void virtio_start(struct virtio *v) { status_add(v, STATUS_DRIVER_OK); }

void virtio_wake(struct virtio_queue *q) { mmio_write16(q->bell, q->index); }

void virtio_kick(struct virtio_queue *q) {
    if (virtqueue_publish(&q->ring)) virtio_wake(q);
}

/* --- interrupts and configuration --- */
handle_t virtio_config_interrupt(struct virtio *v) {
    if (v->info.interrupt_kind != PCI_MSIX || v->info.messages < 2) return HANDLE_NONE;
    if (!v->config_interrupt) v->config_interrupt = pci_interrupt(v->function, 0);
    int e = v->config_interrupt < 0 ? v->config_interrupt : vector_set(v, COMMON_CONFIG_VECTOR, 0);
    return e ? e : v->config_interrupt;
}

bool virtio_acknowledge(struct virtio *v, handle_t interrupt) {
    bool line = v->info.interrupt_kind != PCI_MSIX;
    uint8_t cause = line ? mmio_read8(v->isr) : 0; /* reading clears the line: §4.1.4.5 */
    sys_irq_acknowledge(interrupt);
    return cause & ISR_CONFIGURATION;
}

static uint64_t config_once(struct virtio *v, unsigned offset, unsigned size) {
    volatile uint8_t *at = v->config + offset;
    switch (size) {
    case 1: return mmio_read8(at);
    case 2: return mmio_read16(at);
    case 4: return mmio_read32(at);
    default: return mmio_read32(at) | (uint64_t)mmio_read32(at + 4) << 32;
    }
}

uint64_t virtio_config_read(struct virtio *v, unsigned offset, unsigned size) {
    if (!v->config || offset + size > v->config_length) return 0;
    for (;;) { /* §2.5.1: again if it changed meanwhile */
        uint8_t before = mmio_read8(v->common + COMMON_GENERATION);
        uint64_t value = config_once(v, offset, size);
        if (mmio_read8(v->common + COMMON_GENERATION) == before) return value;
    }
}

void virtio_config_write(struct virtio *v, unsigned offset, unsigned size, uint32_t value) {
    if (!v->config || offset + size > v->config_length) return;
    if (size == 1) mmio_write8(v->config + offset, (uint8_t)value);
    else mmio_write32(v->config + offset, value);
}
