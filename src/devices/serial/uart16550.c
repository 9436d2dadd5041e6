/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uart16550.c - the 16550A serial port.
 *
 * Datasheet: National PC16550D (DS008652).  Characters are sent in no time (the transmitter is busy
 * only while the back end is full) and received as fast as the guest takes them; the baud rate sets
 * nothing but the receiver's time-out.  Not modelled: parity and framing errors, DMA modes, a break
 * sent to the host.  The modem inputs are always on: a cable with everything connected.
 *
 * Guests that matter: Linux tests the transmitter-empty interrupt (it must come when enabled with the
 * holding register empty, and once more after each write), and tells a 16550A by IIR bits 6-7.  On a PC
 * the interrupt passes a gate opened by OUT2, and OUT2's pin is off in loopback mode.
 */
#include <string.h>

#include "base/log.h"
#include "devices/serial/uart16550.h"

enum { UART_PORTS = 8, FIFO_BYTES = 16, UART_HZ = 1843200 };

enum { REG_DATA = 0, REG_IER = 1, REG_IIR = 2, REG_FCR = 2, REG_LCR = 3, REG_MCR = 4, REG_LSR = 5, REG_MSR = 6, REG_SCR = 7 };

enum {
        IER_RDA = 1 << 0, IER_THRE = 1 << 1, IER_LINE = 1 << 2, IER_MODEM = 1 << 3, IER_MASK = 0x0f,
        IIR_MODEM = 0x00, IIR_NONE = 0x01, IIR_THRE = 0x02, IIR_RDA = 0x04, IIR_LINE = 0x06, IIR_TIMEOUT = 0x0c,
        IIR_ID = 0x0f, IIR_FIFO = 0xc0,
        FCR_ENABLE = 1 << 0, FCR_CLEAR_RX = 1 << 1, FCR_TRIGGER_SHIFT = 6, FCR_KEPT = 0xc9,
        LCR_WORD = 3, LCR_STOP = 1 << 2, LCR_PARITY = 1 << 3, LCR_BREAK = 1 << 6, LCR_DLAB = 1 << 7,
        MCR_DTR = 1 << 0, MCR_RTS = 1 << 1, MCR_OUT1 = 1 << 2, MCR_OUT2 = 1 << 3, MCR_LOOP = 1 << 4, MCR_MASK = 0x1f,
        LSR_DR = 1 << 0, LSR_OE = 1 << 1, LSR_PE = 1 << 2, LSR_FE = 1 << 3, LSR_BI = 1 << 4, LSR_THRE = 1 << 5,
        LSR_TEMT = 1 << 6, LSR_FIFO_ERROR = 1 << 7, LSR_CHARACTER = LSR_PE | LSR_FE | LSR_BI,
        MSR_TERI = 1 << 2, MSR_DELTAS = 0x0f, MSR_CTS = 1 << 4, MSR_DSR = 1 << 5, MSR_RI = 1 << 6, MSR_DCD = 1 << 7,
};

struct uart {
        struct device device;
        /* Saved.  Machine lock. */
        uint8_t ier;            /* R/W bits 0-3; reset 0 */
        uint8_t fcr;            /* W: enable, DMA mode, trigger; reset 0 */
        uint8_t lcr;            /* R/W; reset 0 */
        uint8_t mcr;            /* R/W bits 0-4; reset 0 */
        uint8_t errors;         /* LSR bits 1-4; cleared by a read of LSR */
        uint8_t msr;            /* R; bits 0-3 cleared by a read */
        uint8_t scr;            /* R/W */
        uint16_t divisor;       /* R/W through DLAB */
        uint8_t rx[FIFO_BYTES]; /* ring; only its first place is used without FIFO */
        uint8_t rx_errors[FIFO_BYTES];  /* LSR bits 2-4 that come to light with the character */
        uint8_t rx_first, rx_count;
        bool rx_timeout;        /* characters have waited long enough */
        bool thre_pending;      /* transmitter-empty interrupt */
        bool tx_busy;           /* the back end was full */
        struct timer rx_timer;
        /* Derived by uart_update(). */
        bool level;
        /* Properties. */
        uint64_t port;
        /* Host. */
        struct irq irq;
        struct serial_backend *backend;
        struct port_range *range;
};

static const struct state_field uart_fields[] = {
        STATE_U8(struct uart, ier),
        STATE_U8(struct uart, fcr),
        STATE_U8(struct uart, lcr),
        STATE_U8(struct uart, mcr),
        STATE_U8(struct uart, errors),
        STATE_U8(struct uart, msr),
        STATE_U8(struct uart, scr),
        STATE_U16(struct uart, divisor),
        STATE_BYTES(struct uart, rx),
        STATE_BYTES(struct uart, rx_errors),
        STATE_U8(struct uart, rx_first),
        STATE_U8(struct uart, rx_count),
        STATE_BOOL(struct uart, rx_timeout),
        STATE_BOOL(struct uart, thre_pending),
        STATE_BOOL(struct uart, tx_busy),
        STATE_TIMER(struct uart, rx_timer),
        STATE_SKIP(struct uart, level, "derived by uart_update()"),
        STATE_SKIP(struct uart, port, "property"),
        STATE_SKIP(struct uart, irq, "wire, connected by the machine"),
        STATE_SKIP(struct uart, backend, "host side, connected by the machine"),
        STATE_SKIP(struct uart, range, "ports, registered by create()"),
        STATE_END
};

static const struct property uart_properties[] = {
        { "port", PROPERTY_UINT, offsetof(struct uart, port), 0, 0xfff8, "0x3f8", NULL, "first I/O port" },
        { 0 }
};

/* -- Pure helpers ------------------------------------------------------------------------------ */

static unsigned rx_capacity(const struct uart *uart)
{
        return uart->fcr & FCR_ENABLE ? FIFO_BYTES : 1;
}

static unsigned rx_trigger(const struct uart *uart)
{
        static const uint8_t levels[4] = { 1, 4, 8, 14 };

        return uart->fcr & FCR_ENABLE ? levels[uart->fcr >> FCR_TRIGGER_SHIFT] : 1;
}

/* Four characters as the line is set: the receiver's time-out (PC16550D 8.4). */
static int64_t rx_timeout_ns(const struct uart *uart)
{
        int64_t bits = 7 + (uart->lcr & LCR_WORD) + !!(uart->lcr & LCR_STOP) + !!(uart->lcr & LCR_PARITY);
        int64_t divisor = uart->divisor ? uart->divisor : 0x10000;

        return 4 * bits * divisor * 16 * NS_PER_SEC / UART_HZ;
}

/* What caused the interrupt, in the order of priorities (PC16550D table IV). */
static uint8_t uart_reason(const struct uart *uart)
{
        if ((uart->ier & IER_LINE) && uart->errors)
                return IIR_LINE;
        if ((uart->ier & IER_RDA) && uart->rx_count >= rx_trigger(uart))
                return IIR_RDA;
        if ((uart->ier & IER_RDA) && uart->rx_timeout)
                return IIR_TIMEOUT;
        if ((uart->ier & IER_THRE) && uart->thre_pending)
                return IIR_THRE;
        if ((uart->ier & IER_MODEM) && (uart->msr & MSR_DELTAS))
                return IIR_MODEM;
        return IIR_NONE;
}

static uint8_t uart_lsr(const struct uart *uart)
{
        uint8_t lsr = uart->errors | (uart->rx_count ? LSR_DR : 0) | (uart->tx_busy ? 0 : LSR_THRE | LSR_TEMT);

        if (uart->fcr & FCR_ENABLE) {
                uint8_t errors = uart->errors;
                for (unsigned i = 0; i < uart->rx_count; i++)
                        errors |= uart->rx_errors[(uart->rx_first + i) % FIFO_BYTES];
                if (errors & LSR_CHARACTER)
                        lsr |= LSR_FIFO_ERROR;
        }
        return lsr;
}

/* The only place that touches the interrupt line. */
static void uart_update(struct uart *uart)
{
        bool gate = (uart->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
        bool level = gate && uart_reason(uart) != IIR_NONE;

        if (level != uart->level) {
                uart->level = level;
                irq_set(&uart->irq, level);
        }
}

/* -- Receiver ---------------------------------------------------------------------------------- */

/* The time-out runs while fewer characters wait than would trigger, and starts anew with each one. */
static void rx_restart_timeout(struct uart *uart)
{
        uart->rx_timeout = false;
        if (uart->rx_count && (uart->fcr & FCR_ENABLE))
                timer_set(&uart->rx_timer, clock_now_ns(uart->device.env->clock) + rx_timeout_ns(uart));
        else
                timer_cancel(&uart->rx_timer);
}

/* A character has come to the top: its errors come to light. */
static void rx_expose(struct uart *uart)
{
        if (!uart->rx_count)
                return;
        uart->errors |= uart->rx_errors[uart->rx_first];
        uart->rx_errors[uart->rx_first] = 0;
}

static void rx_push(struct uart *uart, uint8_t byte, uint8_t errors)
{
        if (uart->rx_count == rx_capacity(uart)) {
                uart->errors |= LSR_OE;
                /* With FIFO the new character is lost, without it the old one (PC16550D 8.6.4). */
                if (uart->fcr & FCR_ENABLE)
                        return;
                uart->rx_count = 0;
        }
        unsigned at = (uart->rx_first + uart->rx_count) % FIFO_BYTES;
        uart->rx[at] = byte;
        uart->rx_errors[at] = errors;
        if (!uart->rx_count++)
                rx_expose(uart);
        rx_restart_timeout(uart);
}

static uint8_t rx_pop(struct uart *uart)
{
        uint8_t byte = uart->rx[uart->rx_first];

        if (!uart->rx_count)
                return byte;
        uart->rx_first = (uart->rx_first + 1) % FIFO_BYTES;
        uart->rx_count--;
        rx_expose(uart);
        rx_restart_timeout(uart);
        return byte;
}

/* There may be room where there was none. */
static void uart_accept_input(struct uart *uart)
{
        if (uart->backend)
                serial_backend_accept_input(uart->backend);
}

static void rx_clear(struct uart *uart)
{
        uart->rx_first = 0;
        uart->rx_count = 0;
        rx_restart_timeout(uart);
}

/* -- Transmitter and modem lines --------------------------------------------------------------- */

static void uart_send(struct uart *uart, uint8_t byte)
{
        /* The holding register fills and empties again: the interrupt goes and comes, so that an
         * edge-triggered controller sees a new request. */
        uart->thre_pending = false;
        uart_update(uart);
        if (uart->mcr & MCR_LOOP) {
                rx_push(uart, byte, 0);
        } else if (uart->backend) {
                serial_backend_write(uart->backend, &byte, 1);
                uart->tx_busy = !serial_backend_writable(uart->backend);
        }
        uart->thre_pending = !uart->tx_busy;
}

static void uart_set_modem(struct uart *uart)
{
        uint8_t old = uart->msr, now = MSR_CTS | MSR_DSR | MSR_DCD;

        if (uart->mcr & MCR_LOOP) {
                now = (uart->mcr & MCR_RTS ? MSR_CTS : 0) | (uart->mcr & MCR_DTR ? MSR_DSR : 0) |
                      (uart->mcr & MCR_OUT1 ? MSR_RI : 0) | (uart->mcr & MCR_OUT2 ? MSR_DCD : 0);
        }
        uint8_t deltas = (old ^ now) >> 4;
        if (now & MSR_RI)
                deltas &= ~MSR_TERI;            /* trailing edge only */
        uart->msr = now | (old & MSR_DELTAS) | deltas;
}

/* -- Registers --------------------------------------------------------------------------------- */

static void uart_write_ier(struct uart *uart, uint8_t value)
{
        uint8_t rose = value & ~uart->ier;

        uart->ier = value & IER_MASK;
        if ((rose & IER_THRE) && !uart->tx_busy)
                uart->thre_pending = true;
        if (!(value & IER_THRE))
                uart->thre_pending = false;
}

static void uart_write_fcr(struct uart *uart, uint8_t value)
{
        bool switched = (value ^ uart->fcr) & FCR_ENABLE;

        /* The other bits are taken only together with the enable bit. */
        uart->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
        if (switched || (value & (FCR_ENABLE | FCR_CLEAR_RX)) == (FCR_ENABLE | FCR_CLEAR_RX))
                rx_clear(uart);
}

static void uart_write_lcr(struct uart *uart, uint8_t value)
{
        uint8_t rose = value & ~uart->lcr;

        uart->lcr = value;
        if ((rose & LCR_BREAK) && (uart->mcr & MCR_LOOP))
                rx_push(uart, 0, LSR_BI);
}

static void uart_write(void *opaque, uint16_t port, uint32_t value, unsigned size)
{
        struct uart *uart = opaque;
        bool dlab = uart->lcr & LCR_DLAB;

        (void)size;
        switch (port - (uint16_t)uart->port) {
        case REG_DATA:
                if (dlab)
                        uart->divisor = (uart->divisor & 0xff00) | (value & 0xff);
                else
                        uart_send(uart, (uint8_t)value);
                break;
        case REG_IER:
                if (dlab)
                        uart->divisor = (uint16_t)((uart->divisor & 0xff) | (value & 0xff) << 8);
                else
                        uart_write_ier(uart, (uint8_t)value);
                break;
        case REG_FCR:
                uart_write_fcr(uart, (uint8_t)value);
                uart_accept_input(uart);
                break;
        case REG_LCR:
                uart_write_lcr(uart, (uint8_t)value);
                break;
        case REG_MCR:
                uart->mcr = value & MCR_MASK;
                uart_set_modem(uart);
                uart_accept_input(uart);
                break;
        case REG_LSR:
        case REG_MSR:
                guest_error(uart->device.id, "write of %#x to status register %u", value, port - (unsigned)uart->port);
                break;
        case REG_SCR:
                uart->scr = (uint8_t)value;
                break;
        }
        uart_update(uart);
}

static uint8_t uart_read_iir(struct uart *uart)
{
        uint8_t reason = uart_reason(uart);

        if (reason == IIR_THRE)
                uart->thre_pending = false;
        return reason | (uart->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint32_t uart_read(void *opaque, uint16_t port, unsigned size)
{
        struct uart *uart = opaque;
        bool dlab = uart->lcr & LCR_DLAB;
        uint32_t value = 0xff;

        (void)size;
        switch (port - (uint16_t)uart->port) {
        case REG_DATA:
                if (dlab) {
                        value = uart->divisor & 0xff;
                        break;
                }
                value = rx_pop(uart);
                uart_accept_input(uart);
                break;
        case REG_IER:
                value = dlab ? uart->divisor >> 8 : uart->ier;
                break;
        case REG_IIR:
                value = uart_read_iir(uart);
                break;
        case REG_LCR:
                value = uart->lcr;
                break;
        case REG_MCR:
                value = uart->mcr;
                break;
        case REG_LSR:
                value = uart_lsr(uart);
                uart->errors = 0;
                break;
        case REG_MSR:
                value = uart->msr;
                uart->msr &= ~MSR_DELTAS;
                break;
        case REG_SCR:
                value = uart->scr;
                break;
        }
        uart_update(uart);
        return value;
}

static const struct port_ops uart_ops = { uart_read, uart_write, 1 };

/* -- Host events ------------------------------------------------------------------------------- */

static void uart_rx_timer(void *opaque)
{
        struct uart *uart = opaque;

        uart->rx_timeout = uart->rx_count > 0;
        uart_update(uart);
}

/* In loopback mode the line's input is disconnected: what comes waits with the host. */
static size_t uart_room(void *opaque)
{
        struct uart *uart = opaque;

        return uart->mcr & MCR_LOOP ? 0 : rx_capacity(uart) - uart->rx_count;
}

static void uart_receive(void *opaque, const uint8_t *bytes, size_t size)
{
        struct uart *uart = opaque;

        for (size_t i = 0; i < size; i++)
                rx_push(uart, bytes[i], 0);
        uart_update(uart);
}

static void uart_receive_break(void *opaque)
{
        struct uart *uart = opaque;

        rx_push(uart, 0, LSR_BI);
        uart_update(uart);
}

static void uart_writable(void *opaque)
{
        struct uart *uart = opaque;

        if (!uart->tx_busy)
                return;
        uart->tx_busy = false;
        uart->thre_pending = true;
        uart_update(uart);
}

static const struct serial_device_ops uart_line_ops = {
        .room = uart_room,
        .receive = uart_receive,
        .receive_break = uart_receive_break,
        .writable = uart_writable,
};

/* -- Life -------------------------------------------------------------------------------------- */

void uart_set_irq(struct device *device, struct irq irq)
{
        ((struct uart *)device)->irq = irq;
}

void uart_set_backend(struct device *device, struct serial_backend *backend)
{
        ((struct uart *)device)->backend = backend;
}

static void uart_reset(struct device *device)
{
        struct uart *uart = (struct uart *)device;

        uart->ier = 0;
        uart->fcr = 0;
        uart->lcr = 0;
        uart->mcr = 0;
        uart->errors = 0;
        uart->scr = 0;
        uart->divisor = 12;             /* not defined by the chip: 9600 baud */
        memset(uart->rx, 0, sizeof(uart->rx));
        memset(uart->rx_errors, 0, sizeof(uart->rx_errors));
        rx_clear(uart);
        uart->thre_pending = false;
        uart->tx_busy = uart->backend && !serial_backend_writable(uart->backend);
        uart_set_modem(uart);
        uart->msr &= ~MSR_DELTAS;
        uart_update(uart);
        uart_accept_input(uart);
}

static bool uart_create(struct device *device, GError **error)
{
        struct uart *uart = (struct uart *)device;

        (void)error;
        timer_init(&uart->rx_timer, device->env->clock, uart_rx_timer, uart);
        uart->range = ports_map(device->env->ports, (uint16_t)uart->port, UART_PORTS, &uart_ops, uart, device->id);
        if (uart->backend)
                serial_backend_attach(uart->backend, &uart_line_ops, uart);
        return true;
}

static void uart_destroy(struct device *device)
{
        struct uart *uart = (struct uart *)device;

        if (uart->backend)
                serial_backend_attach(uart->backend, NULL, NULL);
        timer_cancel(&uart->rx_timer);
        ports_unmap(uart->range);
}

static bool uart_post_load(struct device *device, GError **error)
{
        struct uart *uart = (struct uart *)device;
        bool valid = uart->rx_first < FIFO_BYTES && uart->rx_count <= rx_capacity(uart) && !(uart->ier & ~IER_MASK) &&
                     !(uart->mcr & ~MCR_MASK) && !(uart->fcr & ~FCR_KEPT) && (uart->fcr & FCR_ENABLE || !uart->fcr) &&
                     !(uart->errors & ~(LSR_OE | LSR_CHARACTER));

        for (unsigned i = 0; i < FIFO_BYTES; i++)
                valid = valid && !(uart->rx_errors[i] & ~LSR_CHARACTER);
        if (!valid) {
                g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: impossible state", device->id);
                return false;
        }
        /* The back end is another one: it may have room where the old one had none. */
        if (!uart->backend || serial_backend_writable(uart->backend))
                uart_writable(uart);
        uart_update(uart);
        uart_accept_input(uart);
        return true;
}

static const struct device_class uart_class = {
        .name = "serial",
        .description = "16550A serial port",
        .size = sizeof(struct uart),
        .state = uart_fields,
        .properties = uart_properties,
        .create = uart_create,
        .reset = uart_reset,
        .post_load = uart_post_load,
        .destroy = uart_destroy,
};
DEVICE_CLASS(uart_class);
