#include "devices/uart16550.h"

#include <string.h>

#include "util/bytes.h"

/* Registers, named as in the data sheet (National PC16550D, June 1995). */
enum {
	UART_DATA = 0, /* RBR and THR, or divisor low when DLAB is set */
	UART_IER = 1,  /* or divisor high */
	UART_IIR = 2,  /* FCR when written */
	UART_LCR = 3,
	UART_MCR = 4,
	UART_LSR = 5,
	UART_MSR = 6,
	UART_SCR = 7,
};

#define IER_DATA  0x01
#define IER_THRE  0x02
#define IER_LINE  0x04
#define IER_MODEM 0x08
#define IER_ALL   0x0f

#define IIR_MODEM   0x00
#define IIR_NONE    0x01
#define IIR_THRE    0x02
#define IIR_DATA    0x04
#define IIR_LINE    0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFOS   0xc0

#define FCR_ENABLE   0x01
#define FCR_RX_RESET 0x02
#define FCR_TX_RESET 0x04
#define FCR_STAYS    0xc9 /* enable, DMA mode, trigger */

#define LCR_BREAK 0x40
#define LCR_DLAB  0x80

#define MCR_DTR  0x01
#define MCR_RTS  0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_ALL  0x1f

#define LSR_DATA       0x01
#define LSR_OVERRUN    0x02
#define LSR_PARITY     0x04
#define LSR_FRAMING    0x08
#define LSR_BREAK      0x10
#define LSR_THRE       0x20
#define LSR_TEMT       0x40
#define LSR_FIFO_ERROR 0x80

#define MSR_DELTA_CTS   0x01
#define MSR_DELTA_DSR   0x02
#define MSR_TRAILING_RI 0x04
#define MSR_DELTA_DCD   0x08
#define MSR_DELTAS      0x0f
#define MSR_CTS         0x10
#define MSR_DSR         0x20
#define MSR_RI          0x40
#define MSR_DCD         0x80

static bool fifos_on(const struct uart16550_state *state)
{
	return state->fcr & FCR_ENABLE;
}

/* Without FIFOs there is one holding register each way. */
static unsigned capacity(const struct uart16550_state *state)
{
	return fifos_on(state) ? UART16550_FIFO : 1;
}

static unsigned trigger_level(const struct uart16550_state *state)
{
	static const uint8_t levels[4] = {1, 4, 8, 14};

	return fifos_on(state) ? levels[state->fcr >> 6] : 1;
}

/*
 * The chip waits four character times of silence before it reports bytes below the trigger level.
 * The host delivers in bursts and the line is silent between them, so that time is over whenever
 * the guest looks.
 */
static bool timed_out(const struct uart16550_state *state)
{
	return state->rx_count > 0 && state->rx_count < trigger_level(state);
}

/* The cause with the highest priority (IIR, "Interrupt Control Functions"). */
static uint8_t pending_cause(const struct uart16550_state *state)
{
	if ((state->ier & IER_LINE) && state->lsr)
		return IIR_LINE;
	if ((state->ier & IER_DATA) && state->rx_count >= trigger_level(state))
		return IIR_DATA;
	if ((state->ier & IER_DATA) && timed_out(state))
		return IIR_TIMEOUT;
	if ((state->ier & IER_THRE) && state->thre_pending)
		return IIR_THRE;
	if ((state->ier & IER_MODEM) && (state->msr & MSR_DELTAS))
		return IIR_MODEM;
	return IIR_NONE;
}

static void drive_irq(struct uart16550 *uart, bool level)
{
	if (level == uart->irq_level)
		return;
	uart->irq_level = level;
	irq_set(&uart->irq, level);
}

/*
 * OUT2: a PC connects INTR to the bus through a gate that OUT2 opens, but that gate is the board's
 * and not the chip's. It is left out: what drivers rely on is that interrupts arrive with OUT2 set,
 * and a kernel that forgets OUT2 works on other VMMs.
 */
static void update_irq(struct uart16550 *uart)
{
	drive_irq(uart, pending_cause(&uart->state) != IIR_NONE);
}

/* The errors of a byte show in LSR once the byte is the next to be read (LSR, bits 2 to 4). */
static void rx_push(struct uart16550_state *state, uint8_t byte, uint8_t errors)
{
	if (state->rx_count == capacity(state)) {
		state->lsr |= LSR_OVERRUN;
		if (fifos_on(state))
			return; /* the FIFO keeps what it has; RBR alone is overwritten */
		state->rx_count = 0;
	}
	state->rx[state->rx_count] = byte;
	state->rx_errors[state->rx_count] = errors;
	state->rx_count++;
	if (state->rx_count == 1)
		state->lsr |= errors;
}

static uint8_t rx_pop(struct uart16550_state *state)
{
	uint8_t byte = state->rx[0];

	if (state->rx_count == 0)
		return 0;
	state->rx_count--;
	memmove(state->rx, state->rx + 1, state->rx_count);
	memmove(state->rx_errors, state->rx_errors + 1, state->rx_count);
	if (state->rx_count > 0)
		state->lsr |= state->rx_errors[0];
	return byte;
}

/* Hands the console what waits. What it does not take keeps THR full until drained() comes. */
static void tx_flush(struct uart16550 *uart)
{
	struct uart16550_state *state = &uart->state;
	size_t count = state->tx_count;
	size_t taken = count;

	if (count == 0)
		return;
	if (uart->sink.write)
		taken = uart->sink.write(uart->sink.ctx, state->tx, count);
	taken = MIN(taken, count);
	state->tx_count -= taken;
	memmove(state->tx, state->tx + taken, state->tx_count);
	if (state->tx_count == 0)
		state->thre_pending = true;
}

/* The line is held low, by ourselves, where the receiver hears it. */
static bool break_looped(const struct uart16550_state *state)
{
	return (state->lcr & LCR_BREAK) && (state->mcr & MCR_LOOP);
}

/* A break is one zero byte however long it lasts; it has no stop bit either (LSR, bits 3 and 4). */
static void break_began(struct uart16550_state *state, bool before)
{
	if (!before && break_looped(state))
		rx_push(state, 0, LSR_BREAK | LSR_FRAMING);
}

static void write_data(struct uart16550 *uart, uint8_t byte)
{
	struct uart16550_state *state = &uart->state;
	bool stalled = state->tx_count > 0;

	state->thre_pending = false;
	/* INTR falls before it rises again: an edge-triggered controller must see both. */
	update_irq(uart);
	if (state->mcr & MCR_LOOP) {
		if (!break_looped(state))
			rx_push(state, byte, 0);
		state->thre_pending = !stalled;
		return;
	}
	if (stalled && !fifos_on(state))
		state->tx_count = 0; /* the guest did not wait for THRE and overwrites THR */
	if (state->tx_count < capacity(state))
		state->tx[state->tx_count++] = byte;
	if (!stalled)
		tx_flush(uart);
}

static uint8_t read_data(struct uart16550 *uart)
{
	struct uart16550_state *state = &uart->state;
	uint8_t byte = rx_pop(state);

	/* Reading ends a time-out; with bytes left, the next is due at once: an edge. */
	if (pending_cause(state) == IIR_TIMEOUT)
		drive_irq(uart, false);
	return byte;
}

static void write_ier(struct uart16550_state *state, uint8_t value)
{
	/* Enabling it tells of an empty THR, told before or not: drivers start to send this way. */
	if ((value & ~state->ier & IER_THRE) && state->tx_count == 0)
		state->thre_pending = true;
	state->ier = value & IER_ALL;
}

static uint8_t read_iir(struct uart16550_state *state)
{
	uint8_t cause = pending_cause(state);

	if (cause == IIR_THRE)
		state->thre_pending = false;
	return cause | (fifos_on(state) ? IIR_FIFOS : 0);
}

static void write_fcr(struct uart16550_state *state, uint8_t value)
{
	/* Bit 0 gates the others, and FIFOs are emptied when it changes (FCR). */
	if ((value ^ state->fcr) & FCR_ENABLE)
		value |= FCR_RX_RESET | FCR_TX_RESET;
	else if (!(value & FCR_ENABLE))
		return;
	if (value & FCR_RX_RESET)
		state->rx_count = 0;
	/* The shift register stays: the byte on the line, held up by a stalled console. */
	if (value & FCR_TX_RESET)
		state->tx_count = MIN(state->tx_count, 1);
	state->fcr = value & FCR_ENABLE ? value & FCR_STAYS : 0;
}

/* MCR, bit 4: loopback wires the modem outputs to the inputs. Else a terminal is there. */
static uint8_t modem_inputs(const struct uart16550_state *state)
{
	uint8_t mcr = state->mcr;

	if (!(mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	return (mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) | (mcr & MCR_OUT1 ? MSR_RI : 0) |
	       (mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static void write_mcr(struct uart16550_state *state, uint8_t value)
{
	bool before = break_looped(state);
	uint8_t old = state->msr;
	uint8_t now;

	state->mcr = value & MCR_ALL;
	break_began(state, before);
	now = modem_inputs(state);
	state->msr = now | (old & MSR_DELTAS);
	if ((old ^ now) & MSR_CTS)
		state->msr |= MSR_DELTA_CTS;
	if ((old ^ now) & MSR_DSR)
		state->msr |= MSR_DELTA_DSR;
	if (old & ~now & MSR_RI)
		state->msr |= MSR_TRAILING_RI;
	if ((old ^ now) & MSR_DCD)
		state->msr |= MSR_DELTA_DCD;
}

static void write_lcr(struct uart16550_state *state, uint8_t value)
{
	bool before = break_looped(state);

	state->lcr = value;
	break_began(state, before);
}

static uint8_t read_lsr(struct uart16550_state *state)
{
	uint8_t value = state->lsr;
	unsigned i;

	if (state->rx_count > 0)
		value |= LSR_DATA;
	if (state->tx_count == 0)
		value |= LSR_THRE | LSR_TEMT;
	for (i = 0; fifos_on(state) && i < state->rx_count; i++) {
		if (state->rx_errors[i])
			value |= LSR_FIFO_ERROR;
	}
	/* Reading clears the errors, and with them those of the byte that they belong to. */
	state->lsr = 0;
	state->rx_errors[0] = 0;
	return value;
}

static uint8_t read_msr(struct uart16550_state *state)
{
	uint8_t value = state->msr;

	state->msr &= ~MSR_DELTAS;
	return value;
}

static uint8_t read_register(struct uart16550 *uart, uint64_t offset)
{
	struct uart16550_state *state = &uart->state;

	if ((state->lcr & LCR_DLAB) && offset <= UART_IER)
		return state->divisor[offset];
	switch (offset) {
	case UART_DATA:
		return read_data(uart);
	case UART_IER:
		return state->ier;
	case UART_IIR:
		return read_iir(state);
	case UART_LCR:
		return state->lcr;
	case UART_MCR:
		return state->mcr;
	case UART_LSR:
		return read_lsr(state);
	case UART_MSR:
		return read_msr(state);
	case UART_SCR:
		return state->scr;
	default:
		return 0xff;
	}
}

static void write_register(struct uart16550 *uart, uint64_t offset, uint8_t value)
{
	struct uart16550_state *state = &uart->state;

	if ((state->lcr & LCR_DLAB) && offset <= UART_IER) {
		state->divisor[offset] = value;
		return;
	}
	switch (offset) {
	case UART_DATA:
		write_data(uart, value);
		break;
	case UART_IER:
		write_ier(state, value);
		break;
	case UART_IIR:
		write_fcr(state, value);
		break;
	case UART_LCR:
		write_lcr(state, value);
		break;
	case UART_MCR:
		write_mcr(state, value);
		break;
	case UART_SCR:
		state->scr = value;
		break;
	default: /* LSR is for factory tests, and MSR's inputs are not ours to write */
		break;
	}
}

/*
 * Ends an access of the guest: the interrupt line follows, and a console that waits is called once
 * all it sent was read, rather than for each byte. It is called unlocked, so that it may send from
 * within the call.
 */
static void end_access(struct uart16550 *uart)
{
	struct uart16550_state *state = &uart->state;
	bool call = state->input_waits && state->rx_count == 0 && !(state->mcr & MCR_LOOP);

	update_irq(uart);
	if (call)
		state->input_waits = false;
	pthread_mutex_unlock(&uart->lock);
	if (call && uart->sink.want_input)
		uart->sink.want_input(uart->sink.ctx);
}

static uint64_t uart16550_read(void *dev, uint64_t offset, unsigned size)
{
	struct uart16550 *uart = dev;
	uint8_t value;

	(void)size;
	pthread_mutex_lock(&uart->lock);
	value = read_register(uart, offset);
	end_access(uart);
	return value;
}

static void uart16550_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct uart16550 *uart = dev;

	(void)size;
	pthread_mutex_lock(&uart->lock);
	write_register(uart, offset, (uint8_t)value);
	end_access(uart);
}

const struct bus_ops uart16550_ops = {
	.read = uart16550_read,
	.write = uart16550_write,
	.sizes = 1,
};

/* In loopback the receiver is cut off from the line: the console keeps its bytes until that ends.
 */
static size_t uart16550_input(void *ctx, const uint8_t *bytes, size_t len)
{
	struct uart16550 *uart = ctx;
	struct uart16550_state *state = &uart->state;
	size_t taken = 0;

	pthread_mutex_lock(&uart->lock);
	while (!(state->mcr & MCR_LOOP) && taken < len && state->rx_count < capacity(state))
		rx_push(state, bytes[taken++], 0);
	if (taken < len)
		state->input_waits = true;
	update_irq(uart);
	pthread_mutex_unlock(&uart->lock);
	return taken;
}

static void uart16550_drained(void *ctx)
{
	struct uart16550 *uart = ctx;

	pthread_mutex_lock(&uart->lock);
	tx_flush(uart);
	update_irq(uart);
	pthread_mutex_unlock(&uart->lock);
}

struct character_source uart16550_source(struct uart16550 *uart)
{
	return (struct character_source){
		.input = uart16550_input,
		.drained = uart16550_drained,
		.ctx = uart,
	};
}

void uart16550_init(struct uart16550 *uart, const struct uart16550_config *config)
{
	*uart = (struct uart16550){
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.irq = config->irq,
		.sink = config->sink,
		/* Linux's boot code divides by it before it writes it: 1, for 115200 baud. */
		.state.divisor = {1, 0},
	};
	uart->state.msr = modem_inputs(&uart->state);
}

void uart16550_fini(struct uart16550 *uart)
{
	pthread_mutex_destroy(&uart->lock);
}
