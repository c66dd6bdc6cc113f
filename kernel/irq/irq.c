// SPDX-License-Identifier: MIT
/*
 * Interrupt objects.  Several objects may share a level-triggered line: each gets EVENT_IN, and the
 * line is unmasked when all of them have acknowledged, so a dead driver (its object is gone with its
 * last handle) does not starve its neighbours.
 */
#include <arch/irq.h>
#include <kernel/clock.h>
#include <kernel/irq.h>
#include <kernel/mm.h>
#include <kernel/sanitizer.h>
#include <kernel/thread.h>

struct irq {
    struct object object;
    struct list link; /* line's objects */
    unsigned vector;
    bool pending; /* fired and not acknowledged */
};
struct irq_line {
    struct list irqs;
    uint32_t gsi;
    unsigned flags; /* enum irq_flags */
    bool shared; /* routed by gsi; else a message */
};

static struct spinlock irq_lock = SPINLOCK_INIT(RANK_OBJECT);
static struct irq_line lines[IRQ_VECTOR_COUNT];

static bool line_pending(const struct irq_line *line) {
    list_for_each (l, &line->irqs)
        if (list_entry(l, struct irq, link)->pending) return true;
    return false;
}

void trap_irq(unsigned vector) {
    struct irq_line *line = &lines[vector];
    random_add(arch_cycles());
    spin_lock(&irq_lock);
    arch_irq_mask(vector);
    if (line->irqs.next)
        list_for_each (l, &line->irqs) {
            struct irq *i = list_entry(l, struct irq, link);
            i->pending = true;
            object_notify(&i->object, EVENT_IN);
        }
    spin_unlock(&irq_lock);
}

void irq_acknowledge(struct object *o) {
    struct irq *i = object_as(irq, o);
    spin_lock(&irq_lock);
    bool was = i->pending;
    i->pending = false;
    if (was && !line_pending(&lines[i->vector])) arch_irq_unmask(i->vector);
    spin_unlock(&irq_lock);
}

static void irq_last_handle(struct object *o) {
    struct irq *i = object_as(irq, o);
    struct irq_line *line = &lines[i->vector];
    spin_lock(&irq_lock);
    list_remove(&i->link);
    bool unused = list_empty(&line->irqs);
    if (unused) arch_irq_free(i->vector);
    else if (i->pending && !line_pending(line)) arch_irq_unmask(i->vector);
    spin_unlock(&irq_lock);
}

static void irq_destroy(struct object *o) { kfree(object_as(irq, o)); }
RACE_INTENDED static uint32_t irq_poll(struct object *o) { return object_as(irq, o)->pending ? EVENT_IN : 0; }

static const struct object_ops irq_ops = {
    .type = OBJECT_IRQ, .name = "irq", .on_last_handle = irq_last_handle, .destroy = irq_destroy, .poll = irq_poll};

static struct irq *irq_new(void) {
    struct irq *i = kzalloc(sizeof(*i));
    if (!i) return nullptr;
    object_init(&i->object, &irq_ops);
    return i;
}

static void line_add(struct irq *i, unsigned vector, bool shared, uint32_t gsi, unsigned flags) REQUIRES(irq_lock) {
    struct irq_line *line = &lines[vector];
    if (!line->irqs.next) list_init(&line->irqs);
    line->shared = shared;
    line->gsi = gsi;
    line->flags = flags;
    i->vector = vector;
    list_push_back(&line->irqs, &i->link);
    arch_irq_unmask(vector);
}

static int line_find(uint32_t gsi) REQUIRES(irq_lock) {
    for (unsigned v = 0; v < IRQ_VECTOR_COUNT; v++)
        if (lines[v].irqs.next && !list_empty(&lines[v].irqs) && lines[v].shared && lines[v].gsi == gsi) return (int)v;
    return -1;
}

struct object *irq_create_line(uint32_t gsi, unsigned flags) {
    struct irq *i = irq_new();
    if (!i) return err_ptr(-ENOMEM);
    spin_lock(&irq_lock);
    int vector = line_find(gsi);
    if (vector >= 0 && !(flags & lines[vector].flags & IRQ_LEVEL)) vector = -EBUSY; /* an edge cannot be shared */
    else if (vector < 0) vector = arch_irq_route(gsi, flags);
    if (vector >= 0) line_add(i, (unsigned)vector, true, gsi, flags);
    spin_unlock(&irq_lock);
    if (vector >= 0) return &i->object;
    kfree(i);
    return err_ptr(vector);
}

struct object *irq_create_isa(unsigned line) {
    unsigned flags = 0;
    if (line > 15) return err_ptr(-EINVAL);
    uint32_t gsi = arch_isa_gsi(line, &flags);
    return irq_create_line(gsi, flags);
}

struct object *irq_create_message(struct msi_message *out) {
    struct irq *i = irq_new();
    if (!i) return err_ptr(-ENOMEM);
    spin_lock(&irq_lock);
    int vector = arch_msi_allocate(&out->address, &out->data);
    if (vector >= 0) line_add(i, (unsigned)vector, false, 0, 0);
    spin_unlock(&irq_lock);
    out->vector = (uint32_t)vector;
    if (vector >= 0) return &i->object;
    kfree(i);
    return err_ptr(vector);
}
