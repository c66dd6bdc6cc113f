// SPDX-License-Identifier: MIT
/*
 * sdl2-draw surface|texture WIDTH HEIGHT: pixels that tests/boot/sdl_test.py knows, in the window's surface or by the
 * renderer (0 0: the whole screen), and a square for each letter typed; events are told on standard output.
 * 'm' has the mouse tell movement only; a cursor is shown after 'c' (one of its own) or 'd' (SDL's), not after 'h'.
 */
#include <SDL.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SIDE 32 /* of the texture */
#define SCALE 4
#define SQUARE 16 /* of a letter */
#define LETTERS_MAX 32
#define TIMER_MS 200
#define CURSOR_WIDTH 24
#define CURSOR_HEIGHT 20
#define HOT_X 3
#define HOT_Y 5

static SDL_Window *window;
static SDL_Renderer *renderer;
static SDL_Texture *texture;
static Uint32 letters[LETTERS_MAX];
static int letter_count;

static Uint32 pattern(int x, int y) {
    return (Uint32)(x * 5 & 0xff) << 16 | (Uint32)(y * 3 & 0xff) << 8 | ((x ^ y) & 0xff);
}
static Uint32 colour(Uint32 letter) { return letter * 2654435761u & 0xffffff; }

static bool fail(const char *what) {
    printf("%s: %s\n", what, SDL_GetError());
    return false;
}

static SDL_Rect square(int i) { return (SDL_Rect){i * SQUARE, 0, SQUARE, SQUARE}; }

static bool draw_surface(void) {
    SDL_Surface *s = SDL_GetWindowSurface(window);
    if (!s) return fail("surface");
    for (int y = 0; y < s->h; y++)
        for (int x = 0; x < s->w; x++) ((Uint32 *)((char *)s->pixels + y * s->pitch))[x] = pattern(x, y);
    for (int i = 0; i < letter_count; i++)
        SDL_FillRect(s, &(SDL_Rect){i * SQUARE, 0, SQUARE, SQUARE}, colour(letters[i]));
    return SDL_UpdateWindowSurface(window) == 0 || fail("update");
}

static bool draw_texture(void) {
    Uint32 pixels[SIDE * SIDE];
    for (int i = 0; i < SIDE * SIDE; i++) pixels[i] = pattern(i % SIDE, i / SIDE);
    SDL_UpdateTexture(texture, NULL, pixels, SIDE * 4);
    SDL_SetRenderDrawColor(renderer, 10, 20, 30, 255);
    SDL_RenderClear(renderer);
    for (int i = 0; i < letter_count; i++) {
        Uint32 c = colour(letters[i]);
        SDL_Rect at = square(i);
        SDL_SetRenderDrawColor(renderer, c >> 16, c >> 8, c, 255);
        SDL_RenderFillRect(renderer, &at);
    }
    SDL_RenderCopy(renderer, texture, NULL, &(SDL_Rect){64, 64, SIDE * SCALE, SIDE * SCALE});
    SDL_RenderPresent(renderer);
    return true;
}

static bool draw(void) { return renderer ? draw_texture() : draw_surface(); }

static void cursor_make(void) {
    SDL_Surface *s = SDL_CreateRGBSurfaceWithFormat(0, CURSOR_WIDTH, CURSOR_HEIGHT, 32, SDL_PIXELFORMAT_ARGB8888);
    for (int y = 0; y < CURSOR_HEIGHT; y++)
        for (int x = 0; x < CURSOR_WIDTH; x++)
            ((Uint32 *)((char *)s->pixels + y * s->pitch))[x] = (Uint32)(x * 11) << 24 | pattern(y * 9, x * 7);
    SDL_SetCursor(SDL_CreateColorCursor(s, HOT_X, HOT_Y));
    SDL_FreeSurface(s);
}

static void typed(char letter) {
    if (letter == 'm') SDL_SetRelativeMouseMode(SDL_TRUE);
    if (letter == 'c') cursor_make();
    if (letter == 'd') SDL_SetCursor(SDL_GetDefaultCursor());
    if (letter == 'c' || letter == 'd') SDL_ShowCursor(SDL_ENABLE);
    if (letter == 'h') SDL_ShowCursor(SDL_DISABLE);
}

/* In a thread of SDL's, while the first one waits for events. */
static Uint32 ring(Uint32 interval, void *data) {
    SDL_PushEvent(&(SDL_Event){.type = SDL_USEREVENT});
    return 0;
}

static bool begin(const char *kind, int width, int height) {
    Uint32 flags = width ? 0 : SDL_WINDOW_FULLSCREEN_DESKTOP;
    if (SDL_Init(SDL_INIT_VIDEO | SDL_INIT_AUDIO | SDL_INIT_TIMER) != 0) return fail("init");
    window = SDL_CreateWindow("draw", 0, 0, width ? width : 640, height ? height : 480, flags);
    if (!window) return fail("window");
    printf("drivers %s %s\n", SDL_GetCurrentVideoDriver(), SDL_GetCurrentAudioDriver());
    if (!SDL_AddTimer(TIMER_MS, ring, NULL)) return fail("timer");
    SDL_ShowCursor(SDL_DISABLE);
    if (strcmp(kind, "texture") != 0) return true;
    renderer = SDL_CreateRenderer(window, -1, SDL_RENDERER_SOFTWARE);
    if (!renderer) return fail("renderer");
    texture = SDL_CreateTexture(renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING, SIDE, SIDE);
    return texture || fail("texture");
}

/* False: the end. */
static bool take(const SDL_Event *e) {
    switch (e->type) {
    case SDL_QUIT: printf("quit\n"); return false;
    case SDL_USEREVENT: printf("timer\n"); break;
    case SDL_TEXTINPUT:
        printf("text %s\n", e->text.text);
        typed(e->text.text[0]);
        if (letter_count < LETTERS_MAX) letters[letter_count++] = (unsigned char)e->text.text[0];
        return draw();
    case SDL_KEYDOWN:
    case SDL_KEYUP:
        printf("key %s %s%s\n", SDL_GetScancodeName(e->key.keysym.scancode), e->type == SDL_KEYDOWN ? "down" : "up",
               e->key.repeat ? " again" : "");
        if (e->type == SDL_KEYDOWN) printf("symbol %s\n", SDL_GetKeyName(e->key.keysym.sym));
        return e->key.keysym.scancode != SDL_SCANCODE_ESCAPE;
    case SDL_MOUSEMOTION:
        printf("motion %d %d\nplace %d %d\n", e->motion.xrel, e->motion.yrel, e->motion.x, e->motion.y);
        break;
    case SDL_MOUSEBUTTONDOWN: printf("button %d down\n", e->button.button); break;
    case SDL_MOUSEBUTTONUP: printf("button %d up\n", e->button.button); break;
    case SDL_MOUSEWHEEL: printf("wheel %d\n", e->wheel.y); break;
    case SDL_KEYMAPCHANGED: printf("layout\n"); break;
    case SDL_WINDOWEVENT:
        if (e->window.event == SDL_WINDOWEVENT_RESIZED) {
            SDL_DisplayMode mode = {0};
            SDL_GetDesktopDisplayMode(0, &mode);
            printf("resized %d %d of %d %d\n", e->window.data1, e->window.data2, mode.w, mode.h);
        }
        if (e->window.event == SDL_WINDOWEVENT_FOCUS_LOST) printf("hidden\n");
        if (e->window.event == SDL_WINDOWEVENT_FOCUS_GAINED) printf("shown\n");
        if (e->window.event == SDL_WINDOWEVENT_EXPOSED) return draw();
        break;
    }
    return true;
}

int main(int count, char **words) {
    SDL_Event e;
    bool goes_on = true;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count != 4 || !begin(words[1], atoi(words[2]), atoi(words[3])) || !draw()) return 1;
    while (goes_on && SDL_WaitEvent(&e)) goes_on = take(&e);
    SDL_Quit();
    printf("end\n");
    return 0;
}
