// SPDX-License-Identifier: MIT
/* The parts of a ring that aren't hot: see ring.h. */
#include <ring.h>

void ring_init(struct ring *r, enum ring_side side, void *memory, uint32_t capacity) {
    struct ring_memory *m = memory;
    bool client = side == RING_CLIENT;
    struct ring_entry *requests = m->entries, *completions = m->entries + capacity;
    *r = (struct ring){
        .out = {.shared = client ? &m->requests : &m->completions,
                .entries = client ? requests : completions,
                .mask = capacity - 1},
        .in = {.shared = client ? &m->completions : &m->requests,
               .entries = client ? completions : requests,
               .mask = capacity - 1},
    };
}

bool ring_may_sleep(struct ring *r) {
    struct ring_shared *in = r->in.shared;
    atomic_store_explicit(&in->sleeping, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&in->tail, memory_order_relaxed) == r->in.head) return true;
    atomic_store_explicit(&in->sleeping, 0, memory_order_relaxed);
    return false;
}
