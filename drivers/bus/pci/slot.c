// SPDX-License-Identifier: MIT
/*
 * Slots of PCI Express (Base 5.0 §6.7, §7.5.3.9 on), where the firmware leaves them to us. A device that appears is
 * given power and, when its link is up, looked for; the attention button asks for one to be let go: its drivers end,
 * then it loses power.
 *
 *   EMPTY → (present) STARTING → (link, scanned) OCCUPIED → (button) LEAVING → (nobody has it) EMPTY
 */
#include "server.h"

#define SLOTS_MAX 32
#define START_NS 100000000LL /* after power, and between looks at the link */
#define START_TRIES 10
#define COMMAND_NS 1000000LL
#define COMMAND_TRIES 1000
#define EVENT_TRIES 16

enum slot_state { SLOT_EMPTY, SLOT_STARTING, SLOT_OCCUPIED, SLOT_LEAVING };
static struct slot {
    uint16_t bridge;
    unsigned capability;
    enum slot_state state;
    unsigned tries;
    int64_t due_ns;
    handle_t interrupt;
} slots[SLOTS_MAX];
static unsigned slot_count;

static unsigned slot_bus(const struct slot *t) { return config_read(t->bridge, PCI_SECONDARY_BUS, 1); }

static uint32_t slot_read(const struct slot *t, unsigned offset, unsigned size) {
    return config_read(t->bridge, t->capability + offset, size);
}

/* A command may take a second; some hardware says when it is done. */
static void slot_control(const struct slot *t, uint16_t clear, uint16_t set) {
    config_change(t->bridge, t->capability + EXPRESS_SLOT_CONTROL, clear, set);
    if (slot_read(t, EXPRESS_SLOT, 4) & SLOT_NO_COMPLETION) return;
    for (int i = 0; i < COMMAND_TRIES && !(slot_read(t, EXPRESS_SLOT_STATUS, 2) & SLOT_COMPLETED); i++)
        sys_thread_sleep(time_ns() + COMMAND_NS);
    config_write(t->bridge, t->capability + EXPRESS_SLOT_STATUS, 2, SLOT_COMPLETED);
}

static void slot_start(struct slot *t) {
    slot_control(t, SLOT_POWER_OFF | SLOT_INDICATOR, SLOT_INDICATOR_BLINK);
    t->state = SLOT_STARTING;
    t->tries = 0;
    t->due_ns = time_ns() + START_NS;
}

static void slot_stop(struct slot *t) {
    slot_control(t, SLOT_INDICATOR, SLOT_POWER_OFF | SLOT_INDICATOR_OFF);
    t->state = SLOT_EMPTY;
    t->due_ns = DEADLINE_NEVER;
}

/* Power was given some time ago. */
static void slot_look(struct scheme *s, struct slot *t) {
    bool tells = slot_read(t, EXPRESS_LINK, 4) & LINK_TELLS_ACTIVE;
    bool active = !tells || slot_read(t, EXPRESS_LINK_STATUS, 2) & LINK_ACTIVE;
    if (!active && ++t->tries < START_TRIES) {
        t->due_ns = time_ns() + START_NS;
        return;
    }
    t->due_ns = DEADLINE_NEVER;
    t->state = SLOT_OCCUPIED;
    slot_control(t, SLOT_INDICATOR, SLOT_INDICATOR_ON);
    if (!active) service_log("pci: a device in a slot doesn't answer");
    else bus_changed(s, slot_bus(t));
}

static void slot_release(struct slot *t) {
    t->state = SLOT_LEAVING;
    device_eject(PCI_ADDRESS(slot_bus(t), 0, 0));
}

static void slot_news(struct slot *t, uint32_t status) {
    bool present = status & SLOT_PRESENT;
    switch (t->state) {
    case SLOT_EMPTY:
        if (present) slot_start(t);
        break;
    case SLOT_STARTING:
        if (!present) slot_stop(t);
        break;
    case SLOT_OCCUPIED: /* the button, or torn out */
        if (!present || status & SLOT_BUTTON) slot_release(t);
        break;
    case SLOT_LEAVING: break;
    }
}

/* Again until nothing is new: a message comes only when there was nothing before. */
void slot_event(unsigned number) {
    struct slot *t = &slots[number];
    const uint32_t changes = SLOT_BUTTON | SLOT_PRESENCE_CHANGED;
    sys_irq_acknowledge(t->interrupt);
    for (int i = 0; i < EVENT_TRIES; i++) {
        uint32_t status = slot_read(t, EXPRESS_SLOT_STATUS, 2);
        if (!(status & changes) || status == UINT16_MAX) return;
        config_write(t->bridge, t->capability + EXPRESS_SLOT_STATUS, 2, status & changes);
        slot_news(t, status);
    }
}

bool slot_ejected(uint16_t address) {
    for (unsigned i = 0; i < slot_count; i++) {
        if (slot_bus(&slots[i]) != address >> 8) continue;
        slot_stop(&slots[i]);
        return true;
    }
    return false;
}

int64_t slots_timeout(struct scheme *s, int64_t now) {
    int64_t next = DEADLINE_NEVER;
    for (unsigned i = 0; i < slot_count; i++) {
        if (slots[i].due_ns <= now) slot_look(s, &slots[i]);
        if (slots[i].due_ns < next) next = slots[i].due_ns;
    }
    return next;
}

static void slot_add(struct scheme *s, struct function *bridge) {
    struct slot *t = &slots[slot_count];
    unsigned at = bridge->express, kind = config_read(bridge->address, at + EXPRESS_FLAGS, 2);
    unsigned type = kind >> 4 & 15;
    if ((type != EXPRESS_ROOT_PORT && type != EXPRESS_DOWNSTREAM) || !(kind & EXPRESS_HAS_SLOT)) return;
    if (!(config_read(bridge->address, at + EXPRESS_SLOT, 4) & SLOT_HOT_PLUG) || slot_count == SLOTS_MAX) return;
    *t = (struct slot){.bridge = bridge->address, .capability = at, .due_ns = DEADLINE_NEVER};
    t->interrupt = interrupt_get(bridge, 0);
    if (t->interrupt < 0 || scheme_event_add(s, t->interrupt, EVENT_IN, KEY_SLOT + slot_count) != 0) {
        service_log("pci: %s: no interrupt for its slot", bridge->name);
        return;
    }
    slot_count++;
    config_change(t->bridge, PCI_COMMAND, 0, PCI_COMMAND_MASTER); /* its messages */
    uint32_t status = slot_read(t, EXPRESS_SLOT_STATUS, 2);
    config_write(t->bridge, at + EXPRESS_SLOT_STATUS, 2, status);
    slot_control(t, 0, SLOT_INTERRUPTS | SLOT_BUTTON | SLOT_PRESENCE_CHANGED);
    bool powered = !(slot_read(t, EXPRESS_SLOT_CONTROL, 2) & SLOT_POWER_OFF);
    if (status & SLOT_PRESENT && !powered) slot_start(t);
    else if (status & SLOT_PRESENT) t->state = SLOT_OCCUPIED;
}

void slots_start(struct scheme *s) {
    for (unsigned i = 0; slot_count == 0 && i < function_count; i++)
        if (functions[i].express && functions[i].info.header_type == PCI_HEADER_BRIDGE) slot_add(s, &functions[i]);
}
