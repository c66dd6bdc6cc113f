// SPDX-License-Identifier: MIT
/*
 * SDL2's video driver "cathode": the program has a virtual terminal for itself (graphics.h), the one of its standard
 * input or the one that controls it.  The window's surface is the display's: SDL draws into the memory that the display's
 * driver shows.  A window smaller than the screen lies in its middle.
 *
 * The cursor is the display's, which lies over the surface.  Another size of the screen is news to full-screen windows;
 * others stay as large as they are.  Keys are named by the console's layout.  One window is seen, the one made last.
 */
#include "SDL_internal.h"

#include "SDL_hints.h"
#include "events/SDL_events_c.h"
#include "events/SDL_keyboard_c.h"
#include "events/SDL_mouse_c.h"
#include "events/default_cursor.h"
#include "events/scancodes_linux.h"
#include "video/SDL_sysvideo.h"
#include <errno.h>
#include <fcntl.h>
#include <graphics.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NAME "cathode"
#define EVENTS 64
#define PLACE_END 65536 /* of a tablet */
#define HORIZONTAL_WHEEL 6
enum { TYPE_PLACE = 3 }; /* evdev's EV_ABS */

static struct graphics graphics;
static int terminal = -1, wake = -1; /* opened here; wake: counts wake-ups of who waits for events */
static bool begun, lost; /* lost: the display's driver was started again */
static SDL_VideoDevice *video;
static SDL_Window *seen;
static const struct display_cursor *cursor; /* null: none is shown */
static int moved_x, moved_y; /* of the group of events at hand */
static int place[2]; /* of a tablet */
static bool placed;

/* --- events --- */
static void go_on_without(void) {
    graphics_end(&graphics);
    begun = false;
    SDL_SendQuit();
}

/* SDL's programs make their surface anew after a change of size. */
static void surface_lost(void) {
    if (lost) return;
    lost = true;
    if (!seen) return;
    seen->surface_valid = SDL_FALSE;
    SDL_SendWindowEvent(seen, SDL_WINDOWEVENT_SIZE_CHANGED, seen->w, seen->h);
    SDL_SendWindowEvent(seen, SDL_WINDOWEVENT_EXPOSED, 0, 0);
}

static void draw(const SDL_Rect *rects, int count) {
    struct rect changed[DISPLAY_RECTS_MAX];
    while (begun && !lost && graphics.display.pixels && count > 0) {
        int n = SDL_min(count, DISPLAY_RECTS_MAX);
        for (int i = 0; i < n; i++)
            changed[i] = (struct rect){rects[i].x, rects[i].y, rects[i].x + rects[i].w, rects[i].y + rects[i].h};
        if (display_damage(&graphics.display, changed, (size_t)n) < 0) surface_lost();
        rects += n;
        count -= n;
    }
}

static void draw_all(void) {
    SDL_Rect whole = {0, 0, (int)graphics.display.width, (int)graphics.display.height};
    draw(&whole, 1);
}

static void typed(int32_t code_point) {
    char text[8] = "";
    SDL_UCS4ToUTF8((Uint32)code_point, text)[0] = 0;
    SDL_SendKeyboardText(text);
}

static SDL_DisplayMode mode_now(void) {
    return (SDL_DisplayMode){
        .format = SDL_PIXELFORMAT_RGB888,
        .w = (int)graphics.display.info.width,
        .h = (int)graphics.display.info.height,
    };
}

/* Is the screen as it was? */
static void screen_look(void) {
    SDL_VideoDisplay *display = &video->displays[0];
    if (display_info(&graphics.display) < 0) {
        surface_lost();
        return;
    }
    const SDL_DisplayMode now = mode_now();
    if (now.w == display->desktop_mode.w && now.h == display->desktop_mode.h) return;
    SDL_SetDesktopDisplayMode(display, &now);
    SDL_SetCurrentDisplayMode(display, &now);
    SDL_ResetDisplayModes(0);
    SDL_AddDisplayMode(display, &now);
    if (!seen || !(seen->flags & SDL_WINDOW_FULLSCREEN)) return;
    SDL_SendWindowEvent(seen, SDL_WINDOWEVENT_RESIZED, now.w, now.h);
    SDL_SendWindowEvent(seen, SDL_WINDOWEVENT_EXPOSED, 0, 0);
}

/* What a key types alone is its name; those that type nothing keep theirs. */
static void keys_name(SDL_bool tell) {
    SDL_Keycode codes[SDL_NUM_SCANCODES];
    uint16_t letters[GRAPHICS_KEY_COUNT];
    SDL_GetDefaultKeymap(codes);
    if (graphics_keys(&graphics, letters) < 0) return;
    for (unsigned key = 0; key < GRAPHICS_KEY_COUNT; key++)
        if (letters[key]) codes[linux_scancode_table[key]] = letters[key];
    SDL_SetKeymap(0, codes, SDL_NUM_SCANCODES, tell);
}

static void terminal_event(const struct input_event *e) {
    switch (e->code) {
    case GRAPHICS_SHOWN:
        SDL_SetKeyboardFocus(seen);
        screen_look();
        draw_all();
        break;
    case GRAPHICS_LAYOUT: keys_name(SDL_TRUE); break;
    case GRAPHICS_HIDDEN:
        SDL_SetKeyboardFocus(NULL); /* releases all keys */
        break;
    case GRAPHICS_TEXT: typed(e->value); break;
    }
}

static void key(const struct input_event *e) {
    static const Uint8 buttons[] = {SDL_BUTTON_LEFT, SDL_BUTTON_RIGHT, SDL_BUTTON_MIDDLE, SDL_BUTTON_X1, SDL_BUTTON_X2};
    const Uint8 state = e->value ? SDL_PRESSED : SDL_RELEASED;
    if (e->code >= BTN_LEFT && e->code <= BTN_EXTRA) SDL_SendMouseButton(seen, 0, state, buttons[e->code - BTN_LEFT]);
    else if (e->code < SDL_arraysize(linux_scancode_table)) SDL_SendKeyboardKey(state, linux_scancode_table[e->code]);
}

static void moved(const struct input_event *e) {
    switch (e->code) {
    case REL_X: moved_x += e->value; break;
    case REL_Y: moved_y += e->value; break;
    case REL_WHEEL: SDL_SendMouseWheel(seen, 0, 0, (float)e->value, SDL_MOUSEWHEEL_NORMAL); break;
    case HORIZONTAL_WHEEL: SDL_SendMouseWheel(seen, 0, (float)e->value, 0, SDL_MOUSEWHEEL_NORMAL); break;
    }
}

static int from_place(int value, uint32_t screen, int window) {
    int at = (int)((int64_t)value * screen / PLACE_END), first = ((int)screen - window) / 2;
    return at - SDL_max(first, 0);
}

static void group_end(const struct input_event *e) {
    if (e->code == SYN_DROPPED) SDL_ResetKeyboard();
    if (moved_x || moved_y) SDL_SendMouseMotion(seen, 0, 1, moved_x, moved_y);
    if (placed && seen)
        SDL_SendMouseMotion(seen, 0, 0, from_place(place[0], graphics.display.info.width, seen->w),
                            from_place(place[1], graphics.display.info.height, seen->h));
    moved_x = moved_y = 0;
    placed = false;
}

static void event(const struct input_event *e) {
    switch (e->type) {
    case INPUT_SYN: group_end(e); break;
    case INPUT_KEY: key(e); break;
    case INPUT_REL: moved(e); break;
    case TYPE_PLACE:
        if (e->code > 1) break;
        place[e->code] = e->value;
        placed = true;
        break;
    case GRAPHICS_EVENT: terminal_event(e); break;
    }
}

static void pump_events(SDL_VideoDevice *device) {
    struct input_event events[EVENTS];
    long n = 0;
    while (begun && (n = graphics_read(&graphics, events, EVENTS)) > 0)
        for (long i = 0; i < n; i++) event(&events[i]);
    if (begun && n < 0) go_on_without(); /* the session has ended */
}

static int wait_event(SDL_VideoDevice *device, int timeout) {
    struct pollfd found[] = {{wake, POLLIN, 0}, {begun ? graphics.events : -1, POLLIN, 0}};
    eventfd_t count;
    int n = poll(found, SDL_arraysize(found), timeout);
    if (n > 0 && found[0].revents) eventfd_read(wake, &count);
    return n < 0 ? (errno == EINTR ? 1 : -1) : n; /* a signal may be SDL_QUIT */
}

static void wake_up(SDL_VideoDevice *device, SDL_Window *window) { eventfd_write(wake, 1); }

static int relative_set(SDL_bool on) { return 0; } /* movement is all that a mouse tells */

/* --- the cursor --- */
static void cursor_place(SDL_Cursor *unused) {
    const SDL_Mouse *mouse = SDL_GetMouse();
    if (begun && !lost)
        (void)!display_cursor_move(&graphics.display, (uint32_t)SDL_max(mouse->x, 0), (uint32_t)SDL_max(mouse->y, 0));
}

static void cursor_tell(void) {
    if (!begun || lost) return;
    (void)!display_cursor(&graphics.display, cursor);
    cursor_place(NULL);
}

static SDL_Cursor *cursor_create(SDL_Surface *surface, int hot_x, int hot_y) {
    if (surface->w > DISPLAY_CURSOR_SIDE || surface->h > DISPLAY_CURSOR_SIDE) {
        SDL_SetError("cathode: cursors have at most %d x %d pixels", DISPLAY_CURSOR_SIDE, DISPLAY_CURSOR_SIDE);
        return NULL;
    }
    SDL_Cursor *new = SDL_calloc(1, sizeof(*new));
    struct display_cursor *image = SDL_calloc(1, sizeof(*image));
    if (!new || !image) {
        SDL_free(new);
        SDL_free(image);
        SDL_OutOfMemory();
        return NULL;
    }
    image->hot_x = (uint32_t)hot_x;
    image->hot_y = (uint32_t)hot_y;
    for (int y = 0; y < surface->h; y++) /* it is ARGB8888 */
        SDL_memcpy(&image->pixels[y * DISPLAY_CURSOR_SIDE], (char *)surface->pixels + y * surface->pitch,
                   (size_t)surface->w * 4);
    new->driverdata = image;
    return new;
}

static int cursor_show(SDL_Cursor *wanted) {
    cursor = wanted ? wanted->driverdata : NULL;
    cursor_tell();
    return 0;
}

static void cursor_free(SDL_Cursor *old) {
    if (cursor && cursor == old->driverdata) cursor_show(NULL);
    SDL_free(old->driverdata);
    SDL_free(old);
}

static void mouse_warp(SDL_Window *window, int x, int y) {
    SDL_SendMouseMotion(window, SDL_GetMouse()->mouseID, 0, x, y);
}

static void mouse_begin(void) {
    SDL_Mouse *mouse = SDL_GetMouse();
    mouse->CreateCursor = cursor_create;
    mouse->ShowCursor = cursor_show;
    mouse->MoveCursor = cursor_place;
    mouse->FreeCursor = cursor_free;
    mouse->WarpMouse = mouse_warp;
    mouse->SetRelativeMouseMode = relative_set;
    SDL_SetDefaultCursor(
        SDL_CreateCursor(default_cdata, default_cmask, DEFAULT_CWIDTH, DEFAULT_CHEIGHT, DEFAULT_CHOTX, DEFAULT_CHOTY));
}

/* --- windows --- */
static int window_create(SDL_VideoDevice *device, SDL_Window *window) {
    seen = window;
    SDL_SetMouseFocus(window);
    SDL_SetKeyboardFocus(window);
    return 0;
}

static void window_destroy(SDL_VideoDevice *device, SDL_Window *window) {
    if (seen == window) seen = NULL;
}

static void window_size(SDL_VideoDevice *device, SDL_Window *window) {
    SDL_SendWindowEvent(window, SDL_WINDOWEVENT_RESIZED, window->windowed.w, window->windowed.h);
}

static int surface_create(SDL_VideoDevice *device, SDL_Window *window, Uint32 *format, void **pixels, int *pitch) {
    const bool again = lost;
    int e = !begun ? -EIO : lost ? graphics_display(&graphics) : 0;
    if (!e) e = display_surface(&graphics.display, (uint32_t)window->w, (uint32_t)window->h);
    if (e) return SDL_SetError("cathode: no surface (error %d)", -e);
    lost = false;
    if (again) cursor_tell();
    *format = SDL_PIXELFORMAT_RGB888;
    *pixels = graphics.display.pixels;
    *pitch = (int)graphics.display.stride * 4;
    return 0;
}

static int surface_update(SDL_VideoDevice *device, SDL_Window *window, const SDL_Rect *rects, int count) {
    if (window == seen) draw(rects, count);
    return 0;
}

/* It lives on until there is another one, or the end: its memory is SDL's surface until then. */
static void surface_destroy(SDL_VideoDevice *device, SDL_Window *window) {}

/* --- the driver --- */
static int video_begin(void) {
    int e = graphics_begin(&graphics, STDIN_FILENO);
    if (e == -ENOTTY && (terminal = open("/dev/tty", O_RDWR | O_CLOEXEC)) >= 0) e = graphics_begin(&graphics, terminal);
    begun = e == 0;
    if (begun && (wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) e = -errno;
    return e;
}

static void video_end(void) {
    if (begun) graphics_end(&graphics);
    if (terminal >= 0) close(terminal);
    if (wake >= 0) close(wake);
    begun = lost = false;
    terminal = wake = -1;
    seen = NULL;
    cursor = NULL;
}

static int video_init(SDL_VideoDevice *device) {
    const SDL_DisplayMode mode = mode_now();
    video = device;
    if (SDL_AddBasicVideoDisplay(&mode) < 0) return -1;
    SDL_AddDisplayMode(&device->displays[0], &mode);
    mouse_begin();
    keys_name(SDL_FALSE);
    return 0;
}

static int mode_set(SDL_VideoDevice *device, SDL_VideoDisplay *display, SDL_DisplayMode *mode) { return 0; }

static void video_quit(SDL_VideoDevice *device) {}

static void device_delete(SDL_VideoDevice *device) {
    video_end();
    SDL_DestroyMutex(device->wakeup_lock);
    SDL_free(device);
}

static SDL_VideoDevice *device_create(void) {
    int e = video_begin();
    SDL_VideoDevice *device = e ? NULL : SDL_calloc(1, sizeof(*device));
    if (!device) {
        video_end();
        /* what it returns no one tells */
        SDL_LogError(SDL_LOG_CATEGORY_APPLICATION, "no virtual terminal to draw on (error %d)", -e);
        return NULL;
    }
    device->VideoInit = video_init;
    device->VideoQuit = video_quit;
    device->SetDisplayMode = mode_set;
    device->CreateSDLWindow = window_create;
    device->DestroyWindow = window_destroy;
    device->SetWindowSize = window_size;
    device->CreateWindowFramebuffer = surface_create;
    device->UpdateWindowFramebuffer = surface_update;
    device->DestroyWindowFramebuffer = surface_destroy;
    device->PumpEvents = pump_events;
    device->WaitEventTimeout = wait_event;
    device->SendWakeupEvent = wake_up;
    device->wakeup_lock = SDL_CreateMutex();
    device->free = device_delete;
    return device;
}

VideoBootStrap CATHODE_bootstrap = {NAME, "Cathode's virtual terminals", device_create};
