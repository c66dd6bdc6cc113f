// SPDX-License-Identifier: MIT
/* The 16550: receiving, sending, line settings. References: PC16550D data sheet, §8.0 and §10. */
#include "uart.h"
#include "uart_hw.h"
#include <port_io.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>

#define STREAM_PAUSE_NS 2000000 /* how long received bytes are kept for more to come */

static uint8_t uart_get(const struct uart *u, enum uart_register r) { return port_read8(u->ports, u->base + r); }
static void uart_set(const struct uart *u, enum uart_register r, uint8_t value) {
    port_write8(u->ports, u->base + r, value);
}

static void interrupts_set(struct uart *u, uint8_t ier) {
    if (u->ier == ier) return;
    u->ier = ier;
    uart_set(u, UART_IER, ier);
}

static void channel_watch(struct uart *u, uint32_t mask) {
    if (u->watched == mask || u->channel == HANDLE_NONE) return;
    if (u->watched) (void)!scheme_event_delete(u->scheme, u->channel);
    u->watched = 0;
    if (mask && scheme_event_add(u->scheme, u->channel, mask, u->channel_key) == 0) u->watched = mask;
}

/* What to wait for follows from which buffers hold something. */
static void uart_rearm(struct uart *u) {
    bool sending = u->out_at<u->out_count, full = u->in_count> sizeof(u->in) - UART_FIFO_SIZE;
    uint8_t ier = u->channel == HANDLE_NONE ? 0 : IER_LINE;
    if (ier && !full) ier |= IER_RECEIVE;
    if (sending) ier |= IER_TRANSMIT;
    channel_watch(u, (u->in_count > 0 && !u->in_held ? EVENT_OUT : 0u) | (sending ? 0u : EVENT_IN));
    interrupts_set(u, ier);
    if (!sending && uart_drained(u)) scheme_wake(u->scheme, &u->drainers);
}

/* --- receiving --- */
static void in_flush(struct uart *u) {
    if (u->in_count == 0) return;
    long n = u->channel == HANDLE_NONE
                 ? (long)u->in_count
                 : sys_write(u->channel, u->in, u->in_count, OFFSET_CURRENT, IO_NONBLOCK | IO_NO_SIGNAL, 0);
    if (n == -EPIPE) n = u->in_count; /* the client is gone: its OP_CLOSE is on the way */
    if (n <= 0) return;
    u->in_count -= (uint32_t)n;
    memmove(u->in, u->in + n, u->in_count);
}

/* With the trigger level reached that many bytes come by one system call; else one by one. */
static void in_take(struct uart *u, uint8_t cause) {
    if (cause == IIR_RECEIVE && u->in_count + u->trigger <= sizeof(u->in)) {
        port_read_many8(u->ports, u->base + UART_DATA, u->in + u->in_count, u->trigger);
        u->in_count += u->trigger;
        return;
    }
    while (u->in_count < sizeof(u->in) && (uart_get(u, UART_LSR) & LSR_DATA))
        u->in[u->in_count++] = uart_get(u, UART_DATA);
}

/* --- sending --- */
static void out_send(struct uart *u) {
    while (u->out_at < u->out_count && (uart_get(u, UART_LSR) & LSR_ROOM)) {
        uint32_t count = u->out_count - u->out_at;
        if (count > u->trigger + 2u) count = u->trigger + 2u; /* the whole FIFO */
        port_write_many8(u->ports, u->base + UART_DATA, u->out + u->out_at, count);
        u->out_at += count;
    }
}

static bool out_fill(struct uart *u) {
    if (u->out_at < u->out_count) return true;
    long n = sys_read(u->channel, u->out, sizeof(u->out), OFFSET_CURRENT, IO_NONBLOCK, 0);
    u->out_at = 0;
    u->out_count = n > 0 ? (uint32_t)n : 0;
    return n > 0;
}

bool uart_drained(const struct uart *u) {
    return u->out_at == u->out_count &&
           (u->channel == HANDLE_NONE || sys_channel_control(u->channel, CHANNEL_READABLE, 0) <= 0);
}

/* --- events --- */
/* True: the last bytes are part of a stream that goes on. */
static bool causes_serve(struct uart *u) {
    bool stream = false;
    uint8_t cause;
    while (!((cause = uart_get(u, UART_IIR) & IIR_ID) & IIR_NONE)) {
        if (cause == IIR_LINE || cause == IIR_MODEM) uart_get(u, cause == IIR_LINE ? UART_LSR : UART_MSR);
        else if (cause == IIR_RECEIVE || cause == IIR_TIMEOUT) in_take(u, cause);
        stream = cause == IIR_RECEIVE && u->trigger > 1;
        if (u->in_count > sizeof(u->in) / 2) in_flush(u);
        if (u->in_count > sizeof(u->in) - UART_FIFO_SIZE)
            return false; /* uart_rearm masks the receiver, which withdraws its cause */
    }
    return stream;
}

/* ISA lines are edge-triggered, and an edge while the line is masked is lost: so the chip is asked
 * again after the line was unmasked. */
int64_t uart_interrupt(struct uart *u) {
    do {
        u->in_held = causes_serve(u) && u->in_count > 0;
        if (!u->in_held) in_flush(u);
        out_send(u);
        uart_rearm(u);
        sys_irq_acknowledge(u->irq);
    } while (!(uart_get(u, UART_IIR) & IIR_NONE));
    struct timespec now;
    if (!u->in_held) return DEADLINE_NEVER;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec + STREAM_PAUSE_NS;
}

void uart_deadline(struct uart *u) {
    if (!u->in_held) return;
    u->in_held = false;
    in_flush(u);
    uart_rearm(u);
}

void uart_channel_ready(struct uart *u, uint32_t mask) {
    if ((mask & EVENT_OUT) && !u->in_held) in_flush(u);
    if ((mask & EVENT_IN) && out_fill(u)) out_send(u);
    uart_rearm(u);
}

/* --- set-up --- */
static void uart_set_format(struct uart *u, uint32_t baud, uint8_t lcr) {
    uint16_t divisor = (uint16_t)(UART_CLOCK / baud);
    u->lcr = lcr;
    uart_set(u, UART_LCR, lcr | LCR_DIVISOR);
    uart_set(u, UART_DATA, (uint8_t)divisor);
    uart_set(u, UART_IER, (uint8_t)(divisor >> 8));
    uart_set(u, UART_LCR, lcr);
    uart_set(u, UART_IER, u->ier);
}

bool uart_probe(struct uart *u) {
    u->channel = u->client_end = HANDLE_NONE;
    uart_set(u, UART_SCRATCH, 0x5a);
    if (uart_get(u, UART_SCRATCH) != 0x5a) return false;
    uart_set_format(u, UART_CLOCK, 3);
    uart_set(u, UART_FCR, FCR_ENABLE | FCR_CLEAR | FCR_TRIGGER_14);
    /* §8.4: both upper bits of IIR say that the FIFOs work. */
    u->trigger = (uart_get(u, UART_IIR) & 0xc0) == 0xc0 ? UART_TRIGGER : 1;
    u->mcr = MCR_DTR | MCR_RTS | MCR_INTERRUPT;
    uart_set(u, UART_MCR, u->mcr);
    u->present = true;
    return true;
}

int uart_connect(struct uart *u) {
    handle_t ends[2];
    long e = sys_channel_create(HANDLE_IN_UPPER << 16, CHANNEL_CAPACITY_DEFAULT, ends);
    if (e < 0) return (int)e;
    u->channel = ends[0];
    u->client_end = ends[1];
    u->in_count = u->out_at = u->out_count = 0;
    uart_rearm(u);
    sys_irq_acknowledge(u->irq); /* one from before would keep the line masked */
    return 0;
}

void uart_disconnect(struct uart *u) {
    if (u->channel == HANDLE_NONE) return;
    /* What was written before the close still goes out, as far as the chip takes it now. */
    while (out_fill(u)) {
        out_send(u);
        if (u->out_at < u->out_count) break;
    }
    channel_watch(u, 0);
    sys_handle_close(u->channel);
    sys_handle_close(u->client_end);
    u->channel = u->client_end = HANDLE_NONE;
    u->in_count = 0;
    u->in_held = false;
    interrupts_set(u, 0);
}

/* --- control --- */
static uint32_t baud_of(uint32_t cflag) {
    static const uint32_t low[] = {0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400};
    switch (cflag & CBAUD) {
    case B57600: return 57600;
    case B115200: return 115200;
    default: return (cflag & CBAUD) < 16 ? low[cflag & CBAUD] : UART_CLOCK;
    }
}

static int64_t control_format(struct uart *u, const struct port_buffer *call) {
    uint32_t cflag;
    if (call->request.length < 12) return -EINVAL;
    memcpy(&cflag, call->data + 8, sizeof(cflag)); /* struct termios: c_iflag, c_oflag, c_cflag */
    uint8_t lcr = (uint8_t)((cflag & CSIZE) / CS6); /* CS5 … CS8 are 0 … 3 there, too */
    if (cflag & CSTOPB) lcr |= LCR_STOP_2;
    if (cflag & PARENB) lcr |= LCR_PARITY | (cflag & PARODD ? 0 : LCR_PARITY_EVEN);
    uint32_t baud = baud_of(cflag);
    u->mcr = (uint8_t)(baud ? u->mcr | MCR_DTR : u->mcr & ~MCR_DTR); /* B0 hangs up */
    uart_set(u, UART_MCR, u->mcr);
    uart_set_format(u, baud ? baud : UART_CLOCK, lcr);
    return 0;
}

static int64_t control_modem_get(struct uart *u, struct port_buffer *call) {
    uint8_t msr = uart_get(u, UART_MSR);
    int bits = (u->mcr & MCR_DTR ? TIOCM_DTR : 0) | (u->mcr & MCR_RTS ? TIOCM_RTS : 0) |
               (msr & MSR_CTS ? TIOCM_CTS : 0) | (msr & MSR_DSR ? TIOCM_DSR : 0) | (msr & MSR_RI ? TIOCM_RI : 0) |
               (msr & MSR_DCD ? TIOCM_CD : 0);
    memcpy(call->data, &bits, sizeof(bits));
    call->reply.length = sizeof(bits);
    return 0;
}

static int64_t control_modem_set(struct uart *u, uint32_t request, const struct port_buffer *call) {
    int bits;
    if (call->request.length < sizeof(bits)) return -EINVAL;
    memcpy(&bits, call->data, sizeof(bits));
    uint8_t lines = (uint8_t)((bits & TIOCM_DTR ? MCR_DTR : 0) | (bits & TIOCM_RTS ? MCR_RTS : 0));
    if (request == TIOCMBIS) u->mcr |= lines;
    else if (request == TIOCMBIC) u->mcr &= (uint8_t)~lines;
    else u->mcr = (uint8_t)((u->mcr & ~(MCR_DTR | MCR_RTS)) | lines);
    uart_set(u, UART_MCR, u->mcr);
    return 0;
}

int64_t uart_control(struct uart *u, struct port_buffer *call) {
    uint32_t request = (uint32_t)call->request.args[0];
    switch (request) {
    case TCSETS: return control_format(u, call);
    case TIOCMGET: return control_modem_get(u, call);
    case TIOCMSET:
    case TIOCMBIS:
    case TIOCMBIC: return control_modem_set(u, request, call);
    case TIOCSBRK: uart_set(u, UART_LCR, u->lcr | LCR_BREAK); return 0;
    case TIOCCBRK: uart_set(u, UART_LCR, u->lcr); return 0;
    case TCSBRK: return uart_drained(u) ? 0 : scheme_park(u->scheme, call, &u->drainers);
    default: return -ENOTTY;
    }
}
