// SPDX-License-Identifier: MIT
/*
 * The console of last resort: COM1 (16550, polled) and, if the loader set up a screen, text on the
 * framebuffer. The text rolls: after the last line it goes on at the top, over the oldest, behind a
 * blank line, so the screen is never read and never moved.
 */
#include <asm/arch.h>
#include <asm/regs.h>
#include <kernel/lib.h>

enum { COM1 = 0x3f8, UART_DATA = 0, UART_INTERRUPTS = 1, UART_FIFO = 2, UART_LINE = 3 };
enum { UART_MODEM = 4, UART_STATUS = 5, UART_DIVISOR_LOW = 0, UART_DIVISOR_HIGH = 1 };
#define UART_EMPTY 0x20
#define UART_WAIT_TRIES 100000
#define GLYPH_WIDTH 8
#define GLYPH_HEIGHT 16

extern const uint8_t console_font[256][GLYPH_HEIGHT];

static bool uart_present;
static struct {
    uint8_t *pixels; /* null: no screen */
    uint32_t pitch, pixel_bytes, columns, rows, column, row, colour;
    paddr_t start, end;
    bool taken; /* by a driver */
} screen;

static void uart_init(void) {
    out8(COM1 + UART_INTERRUPTS, 0);
    out8(COM1 + UART_LINE, 0x80); /* divisor latch: 115200 baud */
    out8(COM1 + UART_DIVISOR_LOW, 1);
    out8(COM1 + UART_DIVISOR_HIGH, 0);
    out8(COM1 + UART_LINE, 0x03); /* 8 bits, no parity, 1 stop bit */
    out8(COM1 + UART_FIFO, 0xc7);
    out8(COM1 + UART_MODEM, 0x1e); /* loop-back: is there a chip? */
    out8(COM1 + UART_DATA, 0xae);
    uart_present = in8(COM1 + UART_DATA) == 0xae;
    out8(COM1 + UART_MODEM, 0x0f);
}

static void uart_put(char c) {
    for (int i = 0; i < UART_WAIT_TRIES && !(in8(COM1 + UART_STATUS) & UART_EMPTY); i++) cpu_pause();
    out8(COM1 + UART_DATA, (uint8_t)c);
}

static void screen_init(const struct framebuffer_info *f) {
    if (!f->width) return;
    screen.pixels = (uint8_t *)(FRAMEBUFFER_WINDOW + f->address % PAGE_SIZE);
    screen.pitch = f->pitch;
    screen.pixel_bytes = f->bits / 8;
    screen.start = f->address;
    screen.end = f->address + (uint64_t)f->pitch * f->height;
    screen.columns = f->width / GLYPH_WIDTH;
    screen.rows = f->height / GLYPH_HEIGHT;
    screen.colour = 0xc0u >> (8 - f->red_bits) << f->red_shift | 0xc0u >> (8 - f->green_bits) << f->green_shift |
                    0xc0u >> (8 - f->blue_bits) << f->blue_shift;
    for (uint32_t y = 0; y < f->height; y++)
        memset(screen.pixels + (size_t)y * screen.pitch, 0, f->width * screen.pixel_bytes);
    if (screen.rows < 2 || !screen.columns) screen.pixels = nullptr;
}

static uint8_t *screen_line(uint32_t row) { return screen.pixels + (size_t)row * GLYPH_HEIGHT * screen.pitch; }

static void screen_draw(uint32_t column, uint32_t row, uint8_t c) {
    uint8_t *line = screen_line(row) + (size_t)column * GLYPH_WIDTH * screen.pixel_bytes;
    for (uint32_t y = 0; y < GLYPH_HEIGHT; y++, line += screen.pitch)
        for (uint32_t x = 0; x < GLYPH_WIDTH; x++) {
            uint32_t value = console_font[c][y] & (0x80 >> x) ? screen.colour : 0;
            for (uint32_t i = 0; i < screen.pixel_bytes; i++, value >>= 8)
                line[x * screen.pixel_bytes + i] = (uint8_t)value;
        }
}

static void screen_clear_row(uint32_t row) {
    uint8_t *line = screen_line(row);
    for (uint32_t y = 0; y < GLYPH_HEIGHT; y++, line += screen.pitch)
        memset(line, 0, (size_t)screen.columns * GLYPH_WIDTH * screen.pixel_bytes);
}

static void screen_put(uint8_t c) {
    if (c == '\n' || screen.column == screen.columns) {
        screen.column = 0;
        screen.row = (screen.row + 1) % screen.rows;
        screen_clear_row(screen.row);
        screen_clear_row((screen.row + 1) % screen.rows);
    }
    if (c != '\n') screen_draw(screen.column++, screen.row, c);
}

/* Twice: as the first thing of all, with null, for the serial line; then with the screen. */
void console_init(const struct bootinfo *boot) {
    if (boot) screen_init(&boot->framebuffer);
    else uart_init();
}

void arch_console_write(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (uart_present && text[i] == '\n') uart_put('\r');
        if (uart_present) uart_put(text[i]);
        if (screen.pixels && !screen.taken) screen_put((uint8_t)text[i]);
    }
}

void arch_console_mapped(paddr_t start, size_t length) {
    if (start < screen.end && screen.start < start + length) screen.taken = true;
}

void arch_panic_begin(void) {
    for (uint32_t row = 0; screen.taken && screen.pixels && row < screen.rows; row++) screen_clear_row(row);
    screen.row = screen.taken ? 0 : screen.row;
    screen.taken = false;
    if (uart_present) out8(COM1 + UART_INTERRUPTS, 0); /* whatever a driver had set */
}
