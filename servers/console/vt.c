// SPDX-License-Identifier: MIT
/*
 * Virtual terminals: a line discipline with an emulator on its other side.  One that nobody has seen yet costs no
 * more than its line discipline, whose output waits there until it is much, or somebody waits for it to be shown.
 */
#include "console.h"
#include <service.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/sysmacros.h>

#define MAJOR 4 /* numbers are Linux's: /dev/tty1 is 4, 1 */
#define OUTPUT_UNSEEN 4096 /* then it is shown to an emulator all the same */
#define PUMPS_MAX 16
#define BLINK_NS 500000000LL
#define LOG_COLOUR "\033[38;2;120;130;120m"

struct vt vts[VTS];
struct vt *vt_seen;
static bool blinked; /* the cursor is in the dark half of its blinking */
static int64_t blink_ns; /* when that ends, or 0 */
static bool pumping;
#define STALE_MAX 16
static VTermPos drawn, stale[STALE_MAX]; /* where the cursor is on the screen; cells to be drawn again */
static int stale_count;

static struct vt *vt_of(struct emulator *e) { return (struct vt *)((char *)e - offsetof(struct vt, emulator)); }

/* --- drawing --- */
static void stale_add(int row, int column) {
    if (stale_count < STALE_MAX) stale[stale_count] = (VTermPos){row, column};
    stale_count++;
}

static bool has_cursor(const struct emulator *e, int row, int column) {
    return e->back == 0 && e->cursor_visible && !(e->cursor_blinks && blinked) && e->cursor.row == row &&
           (e->cursor.col == column || (e->cursor.col >= e->columns && column == e->columns - 1));
}

static void cells_swap(struct cell *c) {
    uint32_t colour = c->foreground;
    c->foreground = c->background;
    c->background = colour;
}

static void cursor_draw(const struct emulator *e, const struct font *f, const struct cell *c, uint32_t *at,
                        size_t stride) {
    const uint32_t thick = f->height / 8, width = f->width * c->width;
    bool bar = e->cursor_shape == CURSOR_BAR;
    for (uint32_t y = bar ? 0 : f->height - thick; y < f->height; y++)
        for (uint32_t x = 0; x < (bar ? f->width / 8 : width); x++) at[y * stride + x] = c->foreground;
}

/* It may be drawn at its new place, with the text there, before the emulator has told that it moved. */
static void drawn_at(int row, int column) {
    if (drawn.row != row || drawn.col != column) stale_add(drawn.row, drawn.col);
    drawn = (VTermPos){row, column};
}

static void cell_show(const struct emulator *e, int row, int column) {
    const struct font *f;
    struct cell c;
    size_t stride;
    uint32_t *at = screen_cell(row, column, &f, &stride);
    if (!at || !emulator_cell(e, row, column, &c)) return;
    if (column + c.width > screen_size().columns) c.width = 1;
    const bool wide = c.width > 1;
    bool cursor = has_cursor(e, row, column) || (wide && has_cursor(e, row, column + 1));
    if (cursor) drawn_at(row, column);
    if (cursor && e->cursor_shape == CURSOR_BLOCK) cells_swap(&c);
    if (mouse_is_at(row, column) || (wide && mouse_is_at(row, column + 1))) cells_swap(&c);
    cell_draw(f, &c, at, stride);
    if (cursor && e->cursor_shape != CURSOR_BLOCK) cursor_draw(e, f, &c, at, stride);
}

static void changed(struct emulator *e, VTermRect r) {
    if (vt_of(e) != vt_seen) return;
    for (int row = r.start_row; row < r.end_row; row++)
        for (int column = r.start_col; column < r.end_col; column++) cell_show(e, row, column);
    screen_changed(r);
}

static void cell_draw_again(int row, int column) {
    struct emulator *e = &vt_seen->emulator;
    if (e->vterm && row < e->rows && column < e->columns)
        changed(e, (VTermRect){row, row + 1, column > 0 ? column - 1 : 0, column + 1});
}

/* --- what lies on the text, cursor and pointer, goes along when pixels are moved: drawn over afterwards, when the
 * emulator has told of all changes, as until then its cells are ahead of the pixels --- */
static void stale_draw(void) {
    struct emulator *e = &vt_seen->emulator;
    for (int i = 0; i < stale_count && stale_count <= STALE_MAX; i++) cell_draw_again(stale[i].row, stale[i].col);
    if (stale_count > STALE_MAX) changed(e, (VTermRect){0, e->rows, 0, e->columns});
    stale_count = 0;
}

static void moved(struct emulator *e, VTermRect to, VTermRect from) {
    VTermPos pointer;
    if (vt_of(e) != vt_seen) return;
    screen_move(to, from);
    stale_add(drawn.row, drawn.col);
    if (mouse_take(&pointer)) stale_add(pointer.row, pointer.col);
    const int known = stale_count < STALE_MAX ? stale_count : STALE_MAX;
    for (int i = 0; i < known; i++)
        if (vterm_rect_contains(from, stale[i]))
            stale_add(stale[i].row + to.start_row - from.start_row, stale[i].col + to.start_col - from.start_col);
}

static void cursor(struct emulator *e) {
    if (vt_of(e) != vt_seen) return;
    stale_add(drawn.row, drawn.col);
    stale_add(e->cursor.row, e->cursor.col < e->columns ? e->cursor.col : e->columns - 1);
}

static void answer(struct emulator *e, const char *bytes, size_t length) {
    struct vt *v = vt_of(e);
    /* What the program doesn't read in time is lost, as from a keyboard that is typed on for too long. */
    ldisc_receive(&v->terminal.ldisc, (const uint8_t *)bytes, length, time_now_ns());
}

static void bell(struct emulator *e) {
    if (vt_of(e) == vt_seen) screen_flash();
}

static const struct emulator_ops emulator_ops = {
    .changed = changed, .moved = moved, .cursor = cursor, .answer = answer, .bell = bell};

/* --- a terminal's beginning --- */
static void emulator_text(struct emulator *e, const char *text) {
    emulator_write(e, (const uint8_t *)text, strlen(text));
}

/* The first terminal begins with what has been logged so far, to look back to. */
static void log_show(struct emulator *e) {
    char bytes[512];
    struct handle_info info = {};
    if (sys_handle_info(SERVICE_LOG, &info) < 0) return;
    emulator_text(e, LOG_COLOUR);
    int64_t at = (int64_t)info.object; /* the oldest byte that is still there */
    bool level = true; /* in the "<6>" that a line begins with */
    for (long n; (n = sys_read(SERVICE_LOG, bytes, sizeof(bytes), at, IO_NONBLOCK, 0)) > 0; at += n)
        for (long i = 0; i < n; i++) {
            if (bytes[i] == '\n') emulator_text(e, "\r\n");
            else if (!level && (uint8_t)bytes[i] >= ' ') /* no escape sequences of whoever writes to the log */
                emulator_write(e, (const uint8_t *)&bytes[i], 1);
            level = bytes[i] == '\n' || (level && bytes[i] != '>');
        }
    for (int i = 0; i < e->rows; i++) emulator_text(e, "\n");
    emulator_text(e, "\033[0m\033[H");
}

/* needed: or else it is to be seen, or has much to show. */
static bool vt_begin(struct vt *v, bool needed) {
    struct text_size size = screen_size();
    if (v->emulator.vterm) return true;
    needed |= v == vt_seen || ldisc_output_pending(&v->terminal.ldisc) >= OUTPUT_UNSEEN;
    if (size.rows == 0 || !needed) return false;
    if (!emulator_init(&v->emulator, &emulator_ops, size.rows, size.columns)) {
        service_log("console: no memory for terminal %u", (unsigned)(v - vts) + 1);
        return false;
    }
    if (v == vts) log_show(&v->emulator);
    return true;
}

/* --- drawing again --- */
/* Before anything else is drawn, as cells are ahead of the pixels until then. */
static void vt_flush(void) {
    if (!vt_seen->emulator.vterm) return;
    emulator_flush(&vt_seen->emulator);
    stale_draw();
}

void vt_draw(void) {
    struct emulator *e = &vt_seen->emulator;
    vt_flush();
    screen_clear();
    if (e->vterm) changed(e, (VTermRect){0, e->rows, 0, e->columns});
    else (void)vt_begin(vt_seen, true);
}

void vt_draw_cell(int row, int column) {
    vt_flush();
    cell_draw_again(row, column);
}

/* Turns a blinking cursor over when it is time; when to do so next. */
static int64_t blink(int64_t now) {
    const struct emulator *e = &vt_seen->emulator;
    if (!e->vterm || !e->cursor_blinks || !e->cursor_visible || e->back) {
        blinked = false;
        blink_ns = 0;
        return DEADLINE_NEVER;
    }
    if (blink_ns && now >= blink_ns) {
        blinked = !blinked;
        vt_draw_cell(e->cursor.row, e->cursor.col < e->columns ? e->cursor.col : e->columns - 1);
        blink_ns = 0;
    }
    if (!blink_ns) blink_ns = now + BLINK_NS;
    return blink_ns;
}

void vt_tick(struct scheme *s) {
    const int64_t now = time_now_ns(), frame_at = screen_frame_ns();
    if (now >= frame_at) vt_flush();
    int64_t next = blink(now), frame = screen_present(now);
    if (vt_seen->emulator.untold && frame_at < frame) frame = frame_at;
    if (frame < next) next = frame;
    if (next < s->deadline) s->deadline = next;
}

/* --- the terminal's other side --- */
/* The line discipline's answers to answers may come back here. */
static void vt_pump(struct terminal *t) {
    struct vt *v = (struct vt *)t;
    const uint8_t *bytes;
    size_t count = 0;
    if (pumping || !vt_begin(v, false)) return;
    pumping = true;
    for (int i = 0; i < PUMPS_MAX && (count = ldisc_output_peek(&t->ldisc, &bytes)) > 0; i++) {
        emulator_write(&v->emulator, bytes, count);
        ldisc_output_done(&t->ldisc, count);
    }
    pumping = false;
    if (count > 0 && t->scheme->deadline > 0) t->scheme->deadline = 0; /* the rest when others had their turn */
    vt_tick(t->scheme);
}

static int64_t vt_control(struct terminal *t, uint32_t request, void *data, uint32_t length, uint32_t room) {
    return -ENOTTY;
}

static void vt_hurry(struct terminal *t) { (void)vt_begin((struct vt *)t, true); }

const struct terminal_ops vt_ops = {.pump = vt_pump, .control = vt_control, .drains = true, .hurry = vt_hurry};

void vt_typed(void) { terminal_changed(&vt_seen->terminal); }

void vt_switch(struct vt *v) {
    if (v == vt_seen) return;
    struct vt *from = vt_seen;
    if (from->emulator.vterm) emulator_unselect(&from->emulator);
    if (v->emulator.vterm) emulator_flush(&v->emulator); /* drawn as a whole in a moment */
    vt_seen = v;
    mouse_switched();
    blinked = false;
    vt_draw();
    graphics_switch(from);
    terminal_changed(&v->terminal);
}

static void window_set(struct terminal *t, struct text_size size) {
    t->ldisc.window.rows = (uint16_t)size.rows;
    t->ldisc.window.columns = (uint16_t)size.columns;
}

void vts_resize(int rows, int columns) {
    mouse_resized();
    for (unsigned i = 0; i < VTS; i++) {
        window_set(&vts[i].terminal, (struct text_size){rows, columns});
        if (vts[i].emulator.vterm) emulator_resize(&vts[i].emulator, rows, columns);
        terminal_signal(&vts[i].terminal, SIGWINCH);
    }
}

void vt_init(struct scheme *s) {
    for (unsigned i = 0; i < VTS; i++) {
        struct terminal *t = &vts[i].terminal;
        t->ops = &vt_ops;
        t->device = makedev(MAJOR, i + 1);
        t->inode = i + 1;
        t->session_key = KEY_SESSIONS + i;
        terminal_init(t, s);
        window_set(t, screen_size());
    }
    vt_seen = &vts[0];
}
