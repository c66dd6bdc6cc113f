// SPDX-License-Identifier: MIT
/*
 * Programs that draw (servers/lib/graphics): one for each terminal gets a file of the display and a channel of events,
 * and what it draws lies in front while its terminal is seen.  Its end is that of the channel; nothing else is needed,
 * since the display's driver drops the surface with its last file.
 */
#include "console.h"
#include <display.h>
#include <graphics.h>
#include <service.h>
#include <string.h>
#include <terminal_set.h>
#include <unistd.h>

#define CHANNEL_BYTES (256 * sizeof(struct input_event))
#define DELETE 0x7f
static_assert(GRAPHICS_KEY_COUNT == KEYMAP_KEYS);

static struct program {
    bool runs;
    bool dropped; /* it has to be told that events were lost */
    handle_t channel;
    struct display display; /* the same file as the program's */
} programs[VTS];

static struct program *program_seen(void) { return &programs[vt_seen - vts]; }

bool graphics_seen(void) { return program_seen()->runs; }

/* --- events --- */
static bool put(const struct program *p, const struct input_event *e) {
    return sys_write(p->channel, e, sizeof(*e), OFFSET_CURRENT, IO_NONBLOCK | IO_NO_SIGNAL, 0) == sizeof(*e);
}

static void give(struct program *p, const struct input_event *e) {
    if (!p->runs) return;
    if (p->dropped && !put(p, &(struct input_event){e->time_ns, INPUT_SYN, SYN_DROPPED, 0})) return;
    p->dropped = !put(p, e);
}

static void tell(struct program *p, enum graphics_event what, int32_t value) {
    give(p, &(struct input_event){time_now_ns(), GRAPHICS_EVENT, (uint16_t)what, value});
}

bool graphics_take(const struct input_event *event) {
    give(program_seen(), event);
    return graphics_seen();
}

void graphics_type(const uint32_t *symbols, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const uint32_t symbol = symbols[i];
        bool is_text = symbol >= ' ' && symbol != DELETE && (symbol < SYMBOL_FUNCTION || symbol > SYMBOL_DEAD_LAST);
        if (is_text && !(input_mods() & (MOD_CONTROL | MOD_ALT))) tell(program_seen(), GRAPHICS_TEXT, symbol);
    }
}

void graphics_layout(void) {
    for (unsigned i = 0; i < VTS; i++) tell(&programs[i], GRAPHICS_LAYOUT, 0);
}

static int64_t give_keys(struct port_buffer *call) {
    uint16_t symbols[KEYMAP_KEYS];
    keyboard_symbols(symbols);
    for (unsigned i = 0; i < KEYMAP_KEYS; i++)
        if (symbols[i] < ' ' || symbols[i] == DELETE || symbols[i] >= SYMBOL_FUNCTION) symbols[i] = 0;
    memcpy(call->data, symbols, sizeof(symbols));
    call->reply.length = sizeof(symbols);
    return 0;
}

/* --- what lies in front --- */
static void arrange(void) {
    struct program *p = program_seen();
    if (!p->runs || p->display.file == HANDLE_NONE || display_show(&p->display, true) < 0) screen_show();
}

void graphics_switch(struct vt *from) {
    tell(&programs[from - vts], GRAPHICS_HIDDEN, 0);
    arrange();
    tell(program_seen(), GRAPHICS_SHOWN, 0);
}

/* Whoever draws either has a file of the new driver already, or finds out now and asks for one. */
void graphics_display_anew(void) {
    struct program *p = program_seen();
    if (p->runs) (void)!display_show(&p->display, true);
    tell(p, GRAPHICS_SHOWN, 0);
}

/* --- a program begins and ends --- */
void graphics_init(void) {
    for (unsigned i = 0; i < VTS; i++) programs[i].display.file = HANDLE_NONE;
}

void graphics_stop(struct scheme *s, struct vt *v) {
    struct program *p = &programs[v - vts];
    if (!p->runs) return;
    (void)!scheme_event_delete(s, p->channel);
    sys_handle_close(p->channel);
    p->runs = false;
    if (v == vt_seen) screen_show(); /* before its surface goes: what is behind it may be another terminal's */
    display_close(&p->display);
}

static int64_t lend(struct port_buffer *call, handle_t h) {
    call->reply.flags = REPLY_HANDLE | REPLY_MOVE;
    call->reply.handle = h;
    return 0;
}

static int64_t begin(struct scheme *s, struct vt *v, struct port_buffer *call) {
    struct program *p = &programs[v - vts];
    handle_t ends[2];
    if (p->runs) return -EBUSY;
    long e = sys_channel_create(HANDLE_IN_UPPER << 16, CHANNEL_BYTES, ends);
    if (e < 0) return e;
    e = scheme_event_add(s, ends[0], EVENT_HANGUP, KEY_GRAPHICS + (uint64_t)(v - vts));
    if (e < 0) {
        sys_handle_close(ends[0]);
        sys_handle_close(ends[1]);
        return e;
    }
    *p = (struct program){.runs = true, .channel = ends[0], .display.file = HANDLE_NONE};
    return lend(call, ends[1]);
}

static int64_t give_display(struct vt *v, struct port_buffer *call) {
    struct program *p = &programs[v - vts];
    if (!p->runs) return -EIO;
    display_close(&p->display);
    long e = display_open(&p->display, "display0");
    if (e >= 0)
        e = sys_handle_duplicate(p->display.file, 0, HANDLE_IN_UPPER, RIGHT_READ | RIGHT_WRITE | RIGHT_TRANSFER);
    if (e < 0) {
        display_close(&p->display);
        return e;
    }
    arrange();
    if (v == vt_seen) tell(p, GRAPHICS_SHOWN, 0);
    return lend(call, (handle_t)e);
}

int64_t graphics_user(struct scheme *s, struct port_buffer *call) {
    const uint16_t op = call->request.op;
    if (op < GRAPHICS_BEGIN || op > GRAPHICS_KEYS) return -ENOSYS;
    struct vt *v = (struct vt *)terminals_file(call);
    if (!v) return -EIO;
    call->request.args[1] = R_OK | W_OK;
    int64_t e = terminal_access(&v->terminal, call);
    if (e) return e;
    return op == GRAPHICS_KEYS ? give_keys(call) : op == GRAPHICS_BEGIN ? begin(s, v, call) : give_display(v, call);
}
