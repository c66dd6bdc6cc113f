// SPDX-License-Identifier: MIT
/*
 * Input devices: the supervisor gives one open file for each, and another one when its driver was started again.  All
 * keyboards are one keyboard, all mice and tablets one pointer: a key is let go when no device has it down any more.
 */
#include "console.h"
#include <service.h>
#include <string.h>

#define SOURCES 32

static struct source {
    char name[sizeof(((struct service_message *)nullptr)->name)]; /* of the unit */
    bool there;
    struct input_source input;
} sources[SOURCES];
static struct scheme *scheme;
static unsigned lights;

static bool is_down(uint16_t code) {
    for (unsigned i = 0; i < SOURCES; i++)
        if (sources[i].there && input_is_down(&sources[i].input, code)) return true;
    return false;
}

static void event_take(void *context, const struct input_event *e) {
    if (e->type == INPUT_KEY && e->value == 0 && is_down(e->code)) return; /* on another device */
    if (e->type == INPUT_KEY && e->code < BTN_FIRST) key_event(e);
    else if (graphics_take(e)) return;
    else if (e->type == INPUT_KEY || e->type == INPUT_REL || e->type == INPUT_ABS) mouse_event(e);
}

void input_set_lights(unsigned wanted) {
    if (wanted == lights) return;
    lights = wanted;
    for (unsigned i = 0; i < SOURCES; i++)
        if (sources[i].there) input_lights(&sources[i].input, lights);
}

static void source_remove(struct source *s) {
    (void)!scheme_event_delete(scheme, s->input.file);
    sys_handle_close(s->input.file);
    input_release(&s->input, event_take, nullptr);
    s->there = false;
}

static struct source *source_named(const char *name) {
    for (unsigned i = 0; i < SOURCES; i++)
        if (sources[i].there && strcmp(sources[i].name, name) == 0) return &sources[i];
    return nullptr;
}

static void source_add(const char *name, handle_t file) {
    struct source *s = source_named(name);
    if (s) source_remove(s); /* its driver was quicker than we were */
    for (unsigned i = 0; i < SOURCES && !s; i++)
        if (!sources[i].there) s = &sources[i];
    if (!s || scheme_event_add(scheme, file, EVENT_IN, KEY_SOURCES + (uint64_t)(s - sources)) != 0) {
        service_log("console: no place for %s", name);
        sys_handle_close(file);
        return;
    }
    *s = (struct source){.there = true, .input.file = file};
    strcpy(s->name, name);
    input_lights(&s->input, lights);
}

static void news(void) {
    struct service_message m;
    handle_t h;
    while (service_hear(&m, &h)) {
        struct source *s = source_named(m.name);
        if (m.kind == SERVICE_UNIT && h != HANDLE_NONE) source_add(m.name, h);
        else if (h != HANDLE_NONE) sys_handle_close(h);
        if (m.kind == SERVICE_UNIT_GONE && s) source_remove(s);
    }
}

void input_event(uint64_t key) {
    if (key == KEY_NEWS) {
        news();
        return;
    }
    struct source *s = &sources[key - KEY_SOURCES];
    if (s->there && input_take(&s->input, event_take, nullptr) != -EAGAIN) source_remove(s);
}

void input_start(struct scheme *s) {
    struct handle_info info;
    scheme = s;
    if (sys_handle_info(SERVICE_SUPERVISOR, &info) < 0) return;
    if (scheme_event_add(s, SERVICE_SUPERVISOR, EVENT_IN | EVENT_EDGE, KEY_NEWS) != 0) service_log("console: no input");
    news();
}
