// SPDX-License-Identifier: MIT
/*
 * The scheme `console:`: the terminals 1 … 6 (/dev/tty1 …), one of which is seen on the screen, and `keymap`, the
 * keyboard's layout and Compose key: read them, or write others.
 */
#include "console.h"
#include <flat.h>
#include <service.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <terminal_set.h>
#include <unistd.h>

#define KEYMAP "keymap"
#define KEYMAP_OBJECT UINT64_MAX /* no id of the map */
#define OPTION "keymap="

static struct terminal *terminal_at(unsigned index) { return &vts[index].terminal; }

static const char *const names[] = {"1", "2", "3", "4", "5", "6", KEYMAP};
static_assert(sizeof(names) / sizeof(names[0]) == VTS + 1);
struct terminal_set terminal_set = {.names = names, .at = terminal_at, .count = VTS, .device = "/dev/tty"};

/* --- the layout --- */
static bool is_keymap(const struct port_buffer *call) {
    if (call->request.object) return call->request.object == KEYMAP_OBJECT;
    return call->request.length == strlen(KEYMAP) && memcmp(call->data, KEYMAP, strlen(KEYMAP)) == 0;
}

/* Only root may choose. */
static int64_t keymap_permission(struct scheme *s, const struct port_buffer *call, bool write, bool run) {
    const struct credentials *c = scheme_credentials(s, call->request.credentials);
    return run || (write && (!c || !(c->privileges & PRIVILEGE_ROOT))) ? -EACCES : 0;
}

static int64_t keymap_open(struct scheme *s, struct port_buffer *call) {
    bool writes = (call->request.args[0] & FILE_ACCESS_MASK) != FILE_READ_ONLY;
    int64_t e = keymap_permission(s, call, writes, false);
    return e ? e : reply_file(call, KEYMAP_OBJECT, FILE_KIND_SEEKABLE);
}

static int64_t keymap_read(struct port_buffer *call) {
    char text[32];
    int length = keyboard_layout(text, sizeof(text));
    return reply_text(call, text, (size_t)length);
}

static int64_t keymap_write(const struct port_buffer *call) {
    size_t length = call->request.length;
    while (length > 0 && (call->data[length - 1] == '\n' || call->data[length - 1] == ' ')) length--;
    int e = keyboard_set_layout((const char *)call->data, length);
    if (!e) graphics_layout();
    return e ? -EINVAL : call->request.length;
}

static int64_t keymap_stat(struct port_buffer *call) {
    struct file_attributes a = {.inode = VTS + 1, .links = 1, .mode = S_IFREG | 0644, .block_size = 4096};
    memcpy(call->data, &a, sizeof(a));
    call->reply.length = sizeof(a);
    return 0;
}

static void keymap_from_command_line(void) {
    char line[2048];
    long length = sys_system_info(SYSTEM_COMMAND_LINE, line, sizeof(line) - 1);
    line[length < 0 ? 0 : length] = 0;
    for (char *at = line; (at = strstr(at, OPTION)); at += strlen(OPTION)) {
        const char *name = at + strlen(OPTION);
        if (at != line && at[-1] != ' ') continue;
        if (keyboard_set_layout(name, strcspn(name, " ")) != 0) service_log("console: no such keymap: %s", name);
    }
}

/* --- operations: those of the layout, and the terminals' --- */
static int64_t console_open(struct scheme *s, struct port_buffer *call) {
    return !flat_is_root(call) && is_keymap(call) ? keymap_open(s, call) : terminals_open(s, call);
}

static int64_t console_read(struct scheme *s, struct port_buffer *call) {
    if (flat_is_root(call)) return flat_read(call, names, VTS + 1);
    return is_keymap(call) ? keymap_read(call) : terminals_read(s, call);
}

static int64_t console_write(struct scheme *s, struct port_buffer *call) {
    return is_keymap(call) ? keymap_write(call) : terminals_write(s, call);
}

static int64_t console_control(struct scheme *s, struct port_buffer *call) {
    return is_keymap(call) ? -ENOTTY : terminals_control(s, call);
}

static int64_t console_stat(struct scheme *s, struct port_buffer *call) {
    return !flat_is_root(call) && is_keymap(call) ? keymap_stat(call) : terminals_stat(s, call);
}

static int64_t console_set_attributes(struct scheme *s, struct port_buffer *call) {
    return call->request.object == KEYMAP_OBJECT ? -EPERM : terminals_set_attributes(s, call);
}

static int64_t console_access(struct scheme *s, struct port_buffer *call) {
    return !flat_is_root(call) && is_keymap(call)
               ? keymap_permission(s, call, call->request.args[1] & W_OK, call->request.args[1] & X_OK)
               : terminals_access(s, call);
}

static void console_event(struct scheme *s, uint64_t key, uint32_t mask) {
    if (key == KEY_SCREEN) {
        screen_event(s);
    } else if (key == KEY_NEWS || key >= KEY_SOURCES) {
        input_event(key);
    } else {
        struct vt *v = &vts[key >= KEY_GRAPHICS ? key - KEY_GRAPHICS : key - KEY_SESSIONS];
        graphics_stop(s, v);
        vt_tick(s);
        if (key < KEY_GRAPHICS) terminal_hangup(&v->terminal); /* the session leader has exited */
    }
}

static void console_timeout(struct scheme *s) {
    s->deadline = DEADLINE_NEVER;
    for (unsigned i = 0; i < VTS; i++) {
        terminal_timeout(&vts[i].terminal);
        if (ldisc_output_pending(&vts[i].terminal.ldisc) > 0) terminal_changed(&vts[i].terminal);
    }
    vt_tick(s);
}

static const struct scheme_ops console_ops = {
    .handler =
        {
            [OP_OPEN] = console_open,
            [OP_CLOSE] = terminals_close,
            [OP_READ] = console_read,
            [OP_WRITE] = console_write,
            [OP_CONTROL] = console_control,
            [OP_WATCH] = terminals_watch,
            [OP_STAT] = console_stat,
            [OP_SET_ATTRIBUTES] = console_set_attributes,
            [OP_ACCESS] = console_access,
            [OP_PATH] = terminals_path,
        },
    .user = graphics_user,
    .cancel = terminals_cancel,
    .event = console_event,
    .timeout = console_timeout,
};

int main(void) {
    static struct scheme scheme;
    if (scheme_init(&scheme, SERVICE_SCHEME, &console_ops, nullptr) != 0) return 1;
    letters_init();
    graphics_init();
    vt_init(&scheme);
    screen_open(&scheme);
    keyboard_start();
    keymap_from_command_line();
    input_start(&scheme);
    return -scheme_serve(&scheme);
}
