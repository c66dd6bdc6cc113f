// SPDX-License-Identifier: MIT
/* Registers of the 16550 (National Semiconductor PC16550D, tables 1 and 2), as port offsets. */
#pragma once

enum uart_register {
    UART_DATA = 0, /* receiver buffer, transmitter holding; divisor low with LCR_DIVISOR */
    UART_IER = 1, /* interrupt enable; divisor high */
    UART_IIR = 2, /* read: interrupt identification */
    UART_FCR = 2, /* write: FIFO control */
    UART_LCR = 3, /* line control */
    UART_MCR = 4, /* modem control */
    UART_LSR = 5, /* line status */
    UART_MSR = 6, /* modem status */
    UART_SCRATCH = 7,
};
enum {
    IER_RECEIVE = 1,
    IER_TRANSMIT = 2,
    IER_LINE = 4,
    IER_MODEM = 8,

    IIR_NONE = 1,
    IIR_ID = 0x0f,
    IIR_MODEM = 0x00,
    IIR_TRANSMIT = 0x02,
    IIR_RECEIVE = 0x04, /* the FIFO has reached its trigger level */
    IIR_LINE = 0x06,
    IIR_TIMEOUT = 0x0c, /* some bytes, but not that many, for four character times */

    FCR_ENABLE = 1,
    FCR_CLEAR = 6,
    FCR_TRIGGER_14 = 0xc0,

    LCR_STOP_2 = 4,
    LCR_PARITY = 8,
    LCR_PARITY_EVEN = 0x10,
    LCR_BREAK = 0x40,
    LCR_DIVISOR = 0x80,

    MCR_DTR = 1,
    MCR_RTS = 2,
    MCR_INTERRUPT = 8, /* OUT2 gates the interrupt line on PCs */

    LSR_DATA = 1,
    LSR_ROOM = 0x20, /* transmitter FIFO empty */
    LSR_IDLE = 0x40, /* and the shift register, too */

    MSR_CTS = 0x10,
    MSR_DSR = 0x20,
    MSR_RI = 0x40,
    MSR_DCD = 0x80,
};
#define UART_FIFO_SIZE 16
#define UART_TRIGGER 14
#define UART_CLOCK 115200 /* baud at divisor 1 */
