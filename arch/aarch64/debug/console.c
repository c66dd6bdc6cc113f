// SPDX-License-Identifier: MIT
/* The console of last resort: PL011 (Arm DDI 0183, §3.3), polled, as the firmware set it up. */
#include <asm/arch.h>
#include <asm/regs.h>

enum { UART_DATA = 0x00, UART_FLAGS = 0x18, UART_INTERRUPTS = 0x38 };
#define UART_FULL 0x20
#define UART_WAIT_TRIES 100000

static volatile char *uart(uint32_t offset) { return (char *)phys_to_virt(VIRT_UART) + offset; }

static void uart_put(char c) {
    for (int i = 0; i < UART_WAIT_TRIES && (mmio_read32(uart(UART_FLAGS)) & UART_FULL); i++) cpu_pause();
    mmio_write32(uart(UART_DATA), (uint8_t)c);
}

void arch_console_write(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n') uart_put('\r');
        uart_put(text[i]);
    }
}

void arch_console_mapped(paddr_t, size_t) {}

void arch_panic_begin(void) { mmio_write32(uart(UART_INTERRUPTS), 0); /* whatever a driver had set */ }
