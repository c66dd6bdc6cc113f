// SPDX-License-Identifier: MIT
/*
 * One UART and the byte channel to its client.  Bytes wait in three places: the UART's FIFOs, the
 * two buffers here (at most one read of either side), and the channel.  When a buffer can't be
 * emptied, its source isn't asked for more, so nothing is lost that the FIFO still holds.
 */
#pragma once
#include <abi/types.h>
#include <scheme.h>
#include <stdbool.h>

struct uart {
    handle_t ports, irq;
    uint16_t base;
    uint8_t ier, lcr, mcr;
    uint8_t trigger; /* bytes in the FIFO when it says IIR_RECEIVE */
    bool present;
    handle_t channel; /* our end, or HANDLE_NONE: no client */
    handle_t client_end; /* the other end: kept until the client's file is closed */
    uint32_t watched; /* EVENT_* that we wait for on the channel */
    uint64_t irq_key, channel_key;
    struct scheme *scheme;
    struct scheme_queue drainers; /* requests that wait until all is sent */
    uint32_t in_count; /* received, not yet in the channel */
    bool in_held; /* … because more is coming, see uart_interrupt */
    uint32_t out_at, out_count; /* from the channel, not yet sent */
    uint8_t in[2048];
    uint8_t out[4096];
};

/* Is there a UART? Sets it to 115200 8N1 with FIFOs on, interrupts off. */
bool uart_probe(struct uart *u);
/* Makes the channel for a client, starts receiving: 0 and u->client_end, or -errno. */
[[nodiscard]] int uart_connect(struct uart *u);
void uart_disconnect(struct uart *u);

/* Bytes that fill the FIFO to its trigger level are part of a stream: they are kept, to be handed
 * on in one piece, until the stream pauses (the chip says so), there are many, or the deadline that
 * is returned passes (DEADLINE_NEVER: nothing is kept). */
int64_t uart_interrupt(struct uart *u);
void uart_deadline(struct uart *u);
void uart_channel_ready(struct uart *u, uint32_t mask);
/* Everything that the client wrote has left the machine. */
bool uart_drained(const struct uart *u);

/* ioctl: TCSETS (speed and format), TIOCMGET, TIOCMBIS, TIOCMBIC, TIOCMSET, TIOCSBRK, TIOCCBRK. */
int64_t uart_control(struct uart *u, struct port_buffer *call);
