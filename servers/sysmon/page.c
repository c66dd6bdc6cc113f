// SPDX-License-Identifier: MIT
/* What is where on the page (page.h). All text stands in the screen's cells. */
#include "page.h"
#include <stdio.h>
#include <string.h>

#define MIB (1024.0 * 1024.0)
#define GRAPH_MAX 2048 /* pixels of its height */
#define STEP 4 /* pixels of a second */
#define CPU_COLOURS 6
#define RATE_LABEL 18 /* columns */
#define RATE_NUMBER 11

static const uint32_t cpu_colours[CPU_COLOURS] = {0x5fb3bf, 0x7fa2e8, 0xb08fd8, 0xd98aa6, 0xd9ab66, 0x86bf86};

/* 1234567 as 1,234,567. */
static const char *grouped(uint64_t value, char out[32]) {
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value), at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

static const char *duration(uint64_t seconds, char out[32]) {
    unsigned days = (unsigned)(seconds / 86400), rest = (unsigned)(seconds % 86400);
    if (days) snprintf(out, 32, "%u d %02u:%02u:%02u", days, rest / 3600, rest / 60 % 60, rest % 60);
    else snprintf(out, 32, "%u:%02u:%02u", rest / 3600, rest / 60 % 60, rest % 60);
    return out;
}

/* A panel with its title. */
static void panel(struct canvas *c, struct area a, const char *title) {
    canvas_fill(c, a, COLOUR_PANEL);
    canvas_text(c, a.row, a.column + 1, a.column + a.columns, COLOUR_TITLE, "%s", title);
}

/* --- graphs --- */
struct graph {
    const struct figures *figures;
    uint32_t (*value)(const struct figures *f, uint32_t which, uint32_t slot);
    uint32_t which, most; /* the value at the upper edge */
    uint32_t colour;
    bool lines; /* at quarters of the height */
};

/* The height at x pixels from the right, between two seconds: pixels. */
static int32_t graph_height(const struct graph *g, uint32_t x, int32_t height) {
    const uint32_t age = x / STEP, count = g->figures->count;
    if (age >= count || age >= HISTORY - 1) return -1;
    uint64_t newer = g->value(g->figures, g->which, history_at(g->figures, age));
    uint64_t older = age + 1 < count ? g->value(g->figures, g->which, history_at(g->figures, age + 1)) : newer;
    uint64_t value = (newer * (STEP - x % STEP) + older * (x % STEP)) / STEP;
    if (value > g->most) value = g->most;
    return (int32_t)(value * (uint64_t)(height - 2) / g->most) + 1;
}

static void graph_draw(struct canvas *c, struct area a, const struct graph *g) {
    static uint32_t shades[GRAPH_MAX]; /* by height */
    const struct rect r = canvas_pixels(c, a);
    const int32_t height = r.y1 - r.y0;
    if (rect_empty(r)) return;
    const uint32_t paper = colour_mix(COLOUR_PANEL, 0, 64), line = colour_mix(paper, COLOUR_LINE, 160);
    canvas_rect(c, r, paper);
    for (int32_t i = 1; g->lines && i < 4; i++)
        canvas_rect(c, (struct rect){r.x0, r.y0 + height * i / 4, r.x1, r.y0 + height * i / 4 + 1}, line);
    for (int32_t y = 0; y < height && y < GRAPH_MAX; y++)
        shades[y] = colour_mix(paper, g->colour, 40 + (uint32_t)(y * 90 / height));
    for (int32_t x = r.x1 - 1; x >= r.x0; x--) {
        const int32_t high = graph_height(g, (uint32_t)(r.x1 - 1 - x), height);
        uint32_t *at = c->display->pixels + (size_t)(r.y1 - 1) * c->display->stride + (size_t)x;
        if (high < 0) break;
        for (int32_t y = 0; y < high && y < GRAPH_MAX; y++, at -= c->display->stride)
            *at = y + 2 >= high ? g->colour : shades[y];
    }
}

static uint32_t cpu_value(const struct figures *f, uint32_t which, uint32_t slot) {
    return f->cpu_history[which][slot];
}
static uint32_t rate_value(const struct figures *f, uint32_t which, uint32_t slot) {
    return f->rate_history[which][slot];
}

/* --- the panels --- */
static int cpu_columns(uint32_t count) {
    if (count <= 3) return (int)count;
    return count <= 8 ? (int)(count + 1) / 2 : count <= 16 ? 4 : 8;
}

static void cpu_draw(struct canvas *c, struct area a, const struct figures *f, uint32_t cpu) {
    const struct graph g = {
        .figures = f,
        .value = cpu_value,
        .which = cpu,
        .most = PERMILLE,
        .colour = cpu_colours[cpu % CPU_COLOURS],
        .lines = true,
    };
    if (a.rows >= 3) {
        uint32_t now = f->count ? f->cpu_history[cpu][history_at(f, 0)] : 0;
        canvas_text(c, a.row, a.column, a.column + a.columns, g.colour, "cpu%u", f->cpus[cpu].id);
        canvas_text_right(c, a.row, a.column + a.columns, COLOUR_BRIGHT, "%u.%u %%", now / 10, now % 10);
        a.row++;
        a.rows--;
    }
    graph_draw(c, a, &g);
}

static void cpus_draw(struct canvas *c, struct area a, const struct figures *f) {
    panel(c, a, "CPU");
    if (f->cpu_count == 0) return;
    canvas_text_right(c, a.row, a.column + a.columns - 1, COLOUR_DIM, "all %u.%u %%", f->busy / 10, f->busy % 10);
    const int across = cpu_columns(f->cpu_count), down = ((int)f->cpu_count + across - 1) / across;
    const int width = a.columns / across, room = a.rows - 1, height = room / down;
    for (uint32_t i = 0; i < f->cpu_count && height > 0; i++) {
        const int x = (int)i % across, y = (int)i / across;
        cpu_draw(c, (struct area){a.row + 1 + y * height, a.column + 1 + x * width, height, width - 2}, f, i);
    }
}

static void memory_bar(struct canvas *c, struct area a, const struct memory_totals *m, uint64_t used) {
    const struct rect r = canvas_pixels(c, a);
    if (rect_empty(r) || m->total == 0) return;
    const uint64_t width = (uint64_t)(r.x1 - r.x0);
    const int32_t first = r.x0 + (int32_t)(width * used / m->total);
    const int32_t second = first + (int32_t)(width * m->cache / m->total);
    const int32_t edge = (int32_t)c->font->height / 4;
    canvas_rect(c, r, COLOUR_PANEL);
    canvas_rect(c, (struct rect){r.x0, r.y0 + edge, first, r.y1 - edge}, COLOUR_BLUE);
    canvas_rect(c, (struct rect){first, r.y0 + edge, second, r.y1 - edge}, COLOUR_TEAL);
    canvas_rect(c, (struct rect){second, r.y0 + edge, r.x1, r.y1 - edge}, COLOUR_BRANCH);
}

static void memory_draw(struct canvas *c, struct area a, const struct figures *f) {
    const struct memory_totals *m = &f->memory;
    const struct {
        const char *name;
        uint64_t bytes;
        uint32_t colour;
    } parts[] = {
        {"used", figures_used(f), COLOUR_BLUE}, {"cached", m->cache, COLOUR_TEAL}, {"free", m->free, COLOUR_BRANCH}};
    panel(c, a, "Memory");
    canvas_text_right(c, a.row, a.column + a.columns - 1, COLOUR_DIM, "%.1f MiB", (double)m->total / MIB);
    const int inner = a.columns - 2, bar = a.rows - 3, width = inner / 3;
    memory_bar(c, (struct area){a.row + 1, a.column + 1, bar, inner}, m, parts[0].bytes);
    for (int i = 0; i < 3; i++) {
        const int at = a.column + 1 + i * width, end = at + width, row = a.row + 1 + bar;
        int text = canvas_text(c, row, at, end, parts[i].colour, "█ ");
        canvas_text(c, row, text, end, COLOUR_DIM, "%s", parts[i].name);
        canvas_text(c, row + 1, text, end, COLOUR_BRIGHT, "%.1f MiB", (double)parts[i].bytes / MIB);
    }
}

static void rates_draw(struct canvas *c, struct area a, const struct figures *f) {
    static const char *const names[RATE_COUNT] = {"scheme calls", "system calls", "context switches", "interrupts",
                                                  "page faults"};
    static const uint32_t colours[RATE_COUNT] = {COLOUR_GREEN, 0x7fa2e8, 0xb08fd8, COLOUR_AMBER, 0xd98aa6};
    char number[32];
    panel(c, a, "Per second");
    const int spare = a.rows - 1 - RATE_COUNT, right = a.column + a.columns - 1;
    const int label = a.column + 1, numbers = label + RATE_LABEL + RATE_NUMBER;
    for (int i = 0; i < RATE_COUNT; i++) {
        struct graph g = {.figures = f, .value = rate_value, .which = (uint32_t)i, .most = 1, .colour = colours[i]};
        for (uint32_t age = 0; age < f->count && age < HISTORY - 1; age++) {
            uint32_t value = f->rate_history[i][history_at(f, age)];
            if (value > g.most) g.most = value;
        }
        const int row = a.row + 1 + (i > 0 ? spare + i : 0); /* the first has what is left */
        canvas_text(c, row, label, numbers, COLOUR_TEXT, "%s", names[i]);
        canvas_text_right(c, row, numbers, COLOUR_BRIGHT, "%s", grouped(f->rates[i], number));
        graph_draw(c, (struct area){row, numbers + 1, i > 0 ? 1 : 1 + spare, right - numbers - 1}, &g);
    }
}

static void head_draw(struct canvas *c, const struct figures *f, const struct processes *p) {
    char up[32];
    uint64_t threads = 0;
    for (size_t i = 0; i < p->count; i++) threads += p->list[i].state.threads;
    canvas_fill(c, (struct area){0, 0, 1, c->columns}, COLOUR_HEAD);
    int at = canvas_text(c, 0, 2, c->columns, COLOUR_BRIGHT, "Cathode %s", f->version);
    canvas_text(c, 0, at, c->columns, COLOUR_DIM, "  %s", f->host);
    canvas_text_right(c, 0, c->columns - 2, COLOUR_TEXT, "up %s   %zu processes   %llu threads   load %.2f",
                      duration(f->time_ns / 1000000000, up), p->count, (unsigned long long)threads,
                      (double)f->load[0] / 65536);
}

/* --- the tree --- */
enum column {
    COLUMN_STATE,
    COLUMN_RESTARTS,
    COLUMN_PID,
    COLUMN_THREADS,
    COLUMN_MEMORY,
    COLUMN_CPU,
    COLUMN_CALLS,
    COLUMN_TIME,
    COLUMN_COUNT
};
static const struct {
    const char *title;
    int width;
} columns[COLUMN_COUNT] = {{"STATE", 12},  {"RESTARTS", 9}, {"PID", 6},     {"THREADS", 8},
                           {"MEMORY", 11}, {"CPU", 8},      {"CALLS/s", 9}, {"RUNNING", 13}};
#define NAME_WIDTH 20

struct table { /* where its columns end */
    int left, name_end, ends[COLUMN_COUNT];
};

static struct table table_of(const struct canvas *c) {
    struct table t = {.left = 2};
    int wanted = NAME_WIDTH, at;
    for (int i = 0; i < COLUMN_COUNT; i++) wanted += columns[i].width;
    const int spare = c->columns - 4 - wanted, more = spare > 0 ? spare / (COLUMN_COUNT + 2) : 0;
    t.name_end = at = t.left + NAME_WIDTH + (spare > 0 ? spare - COLUMN_COUNT * more : 0);
    for (int i = 0; i < COLUMN_COUNT; i++) t.ends[i] = at += columns[i].width + more;
    return t;
}

static void name_draw(struct canvas *c, const struct table *t, int row, const struct tree_row *r) {
    int at = t->left;
    for (uint32_t depth = 1; depth <= r->depth; depth++) {
        bool more = r->siblings & 1u << depth;
        const char *part = depth < r->depth ? (more ? "│  " : "   ") : more ? "├─ " : "└─ ";
        at = canvas_text(c, row, at, t->name_end, COLOUR_BRANCH, "%s", part);
    }
    const char *name = r->service ? r->service->name : r->process->name;
    canvas_text(c, row, at, t->name_end, r->service || r->depth == 0 ? COLOUR_BRIGHT : COLOUR_TEXT, "%s", name);
}

static void state_draw(struct canvas *c, const struct table *t, int row, const struct tree_row *r) {
    const int end = t->ends[COLUMN_STATE], at = end - columns[COLUMN_STATE].width + 1;
    if (!r->service) return;
    bool good = strcmp(r->service->state, "running") == 0, bad = strcmp(r->service->state, "quarantined") == 0;
    canvas_text(c, row, at, end, good ? COLOUR_GREEN : bad ? COLOUR_RED : COLOUR_AMBER, "%s", r->service->state);
    canvas_text_right(c, row, t->ends[COLUMN_RESTARTS], r->service->deaths ? COLOUR_AMBER : COLOUR_DIM, "%u",
                      r->service->deaths);
}

static void process_draw(struct canvas *c, const struct table *t, int row, const struct process *p, uint64_t now_ns) {
    const struct process_state *s = &p->state;
    char text[32];
    uint64_t age_ns = now_ns > s->start_ns ? now_ns - s->start_ns : 0;
    canvas_text_right(c, row, t->ends[COLUMN_PID], COLOUR_TEXT, "%u", s->pid);
    canvas_text_right(c, row, t->ends[COLUMN_THREADS], COLOUR_DIM, "%u", s->threads);
    canvas_text_right(c, row, t->ends[COLUMN_MEMORY], COLOUR_TEXT, "%.1f MiB", (double)s->resident / MIB);
    canvas_text_right(c, row, t->ends[COLUMN_CPU], p->permille ? COLOUR_BRIGHT : COLOUR_DIM, "%u.%u %%",
                      p->permille / 10, p->permille % 10);
    if (p->calls) canvas_text_right(c, row, t->ends[COLUMN_CALLS], COLOUR_TEXT, "%s", grouped(p->calls, text));
    canvas_text_right(c, row, t->ends[COLUMN_TIME], COLOUR_DIM, "%s", duration(age_ns / 1000000000, text));
}

static void table_head(struct canvas *c, const struct table *t, int row) {
    canvas_fill(c, (struct area){row, 1, 1, c->columns - 2}, COLOUR_HEAD);
    canvas_text(c, row, t->left, t->name_end, COLOUR_TITLE, "Services");
    for (int i = 0; i < COLUMN_COUNT; i++) {
        const int end = t->ends[i];
        if (i == COLUMN_STATE) canvas_text(c, row, end - columns[i].width + 1, end, COLOUR_DIM, "%s", columns[i].title);
        else canvas_text_right(c, row, end, COLOUR_DIM, "%s", columns[i].title);
    }
}

static void tree_draw(struct page *p, struct canvas *c, struct area a, const struct figures *f, struct processes *all) {
    static struct tree tree;
    const struct table t = table_of(c);
    tree_make(&tree, all);
    table_head(c, &t, a.row);
    canvas_fill(c, (struct area){a.row + 1, a.column, a.rows - 1, a.columns}, COLOUR_PANEL);
    p->lines = a.rows - 1;
    if (p->scrolled > (int)tree.count - p->lines) p->scrolled = (int)tree.count - p->lines;
    if (p->scrolled < 0) p->scrolled = 0;
    for (int i = 0; i < p->lines && p->scrolled + i < (int)tree.count; i++) {
        const struct tree_row *r = &tree.rows[p->scrolled + i];
        const int row = a.row + 1 + i;
        name_draw(c, &t, row, r);
        state_draw(c, &t, row, r);
        if (r->process) process_draw(c, &t, row, r->process, f->time_ns);
    }
    const int last = p->scrolled + p->lines < (int)tree.count ? p->scrolled + p->lines : (int)tree.count;
    canvas_text(c, c->rows - 1, 2, c->columns, COLOUR_DIM, "q ends   cursor keys, PageUp, PageDown scroll");
    canvas_text_right(c, c->rows - 1, c->columns - 2, COLOUR_DIM, "%d-%d of %zu", p->scrolled + 1, last, tree.count);
}

void page_draw(struct page *p, struct canvas *c, const struct figures *f, struct processes *all) {
    const int high = c->rows * 3 / 10 < RATE_COUNT + 6 ? RATE_COUNT + 6 : c->rows * 3 / 10;
    const int left = (c->columns - 3) * 11 / 20, right = c->columns - 3 - left;
    const int memory = high >= 13 ? 5 : 4, top = 2, tree = top + high + 1;
    canvas_clear(c);
    head_draw(c, f, all);
    cpus_draw(c, (struct area){top, 1, high, left}, f);
    memory_draw(c, (struct area){top, left + 2, memory, right}, f);
    rates_draw(c, (struct area){top + memory + 1, left + 2, high - memory - 1, right}, f);
    tree_draw(p, c, (struct area){tree, 1, c->rows - 1 - tree, c->columns - 2}, f, all);
}
