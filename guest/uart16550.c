/* Register names: PC16550D data sheet (National Semiconductor, 1995), section 8. */
#include "uart16550.h"

#include "clock.h"
#include "hw.h"
#include "ioapic.h"
#include "x86.h"

enum { RBR = 0, THR = 0, IER = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6 };

#define IER_RDA      0x01
#define FCR_ENABLE   0x01 /* interrupt from the first byte on */
#define LCR_8N1      0x03
#define MCR_RUN      0x0b /* DTR, RTS, OUT2: a PC's INTR line runs through OUT2 */
#define MCR_LOOP     0x18 /* loop and OUT2 */
#define LSR_DR       0x01
#define LSR_ABSENT   0xff /* nobody answers at this port */
#define LSR_THRE     0x20
#define FIFO_SIZE    16
#define RING_SIZE    4096 /* a power of two */
#define LOOP_BYTE    0xa5
#define LOOP_WAIT_US 1000000

static uint16_t port = 0x3f8;

static struct {
	uint8_t bytes[RING_SIZE];
	uint32_t head; /* written by uart_irq() */
	uint32_t tail; /* written by readers */
	bool stopped;  /* the interrupt is off until there is room */
	bool looping;  /* a self-test waits for LOOP_BYTE */
	bool looped;
} rx;

uint16_t uart_port(void)
{
	return port;
}

/* One LSR read serves a whole FIFO: an I/O exit costs some 8 us. */
void uart_write(const char *buf, size_t len)
{
	while (len > 0) {
		size_t burst = len < FIFO_SIZE ? len : FIFO_SIZE;

		while ((inb(port + LSR) & LSR_THRE) == 0)
			cpu_pause();
		outsb(port + THR, buf, burst);
		buf += burst;
		len -= burst;
	}
}

static void rx_store(uint8_t byte)
{
	if (rx.looping && byte == LOOP_BYTE) {
		rx.looping = false;
		rx.looped = true;
		return;
	}
	rx.bytes[rx.head++ % RING_SIZE] = byte;
}

static void rx_drain(void)
{
	while (rx.head - rx.tail < RING_SIZE) {
		uint8_t lsr = inb(port + LSR);

		if ((lsr & LSR_DR) == 0 || lsr == LSR_ABSENT)
			return;
		rx_store(inb(port + RBR));
	}
	rx.stopped = true;
	outb(port + IER, 0);
}

/*
 * Turning the FIFO on clears it (data sheet, 8.5): what was sent before we ran is taken first, and
 * loop-back cuts the line meanwhile, so that nothing can come in between.
 */
void uart_early_init(void)
{
	outb(port + MCR, MCR_LOOP);
	rx_drain();
	outb(port + FCR, FCR_ENABLE);
	outb(port + MCR, MCR_RUN);
	outb(port + LCR, LCR_8N1);
}

/* Reads until the FIFO is empty, so that an edge-triggered line falls and can rise again. */
static void uart_irq(void *arg)
{
	(void)arg;
	rx_drain();
}

void uart_init(void)
{
	const struct hw_device *serial = hw_find(HW_SERIAL, 0);

	if (serial == NULL)
		return;
	if (port != (uint16_t)serial->base) {
		port = (uint16_t)serial->base;
		uart_early_init();
	}
	ioapic_route(serial, uart_irq, NULL);
	outb(port + IER, IER_RDA);
}

int uart_read(void)
{
	if (rx.tail == *(volatile uint32_t *)&rx.head)
		return -1;
	barrier(); /* the index before the byte, */
	uint8_t byte = rx.bytes[rx.tail % RING_SIZE];

	barrier(); /* and the byte before its place is free for uart_irq() */
	rx.tail++;
	/* Well below full, so that IER is not toggled for each byte. */
	if (rx.stopped && rx.head - rx.tail <= RING_SIZE / 4) {
		rx.stopped = false;
		outb(port + IER, IER_RDA);
	}
	return byte;
}

uint8_t uart_read_wait(void)
{
	for (;;) {
		int byte = uart_read();

		if (byte >= 0)
			return (uint8_t)byte;
		cli();
		if (rx.tail == rx.head)
			sti_hlt_cli();
		sti();
	}
}

const char *uart_loopback_data(void)
{
	const char *why = "no byte came back";

	outb(port + IER, 0);
	rx_drain(); /* what was typed meanwhile belongs to the shell */
	outb(port + MCR, MCR_LOOP);
	outb(port + THR, LOOP_BYTE);
	for (int polls = 0; polls < 100; polls++) {
		if ((inb(port + LSR) & LSR_DR) == 0)
			continue;
		uint8_t byte = inb(port + RBR);

		if (byte == LOOP_BYTE) {
			why = NULL;
			break;
		}
		rx_store(byte);
	}
	outb(port + MCR, MCR_RUN);
	outb(port + IER, rx.stopped ? 0 : IER_RDA);
	return why;
}

/* In loop-back RTS, DTR, OUT1, OUT2 come back as CTS, DSR, RI, DCD. */
const char *uart_loopback_modem(void)
{
	static const uint8_t lines[][2] = {
		{0x02, 0x10}, {0x01, 0x20}, {0x04, 0x40}, {0x08, 0x80}, {0x0f, 0xf0}, {0x00, 0x00}};
	const char *why = NULL;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		outb(port + MCR, 0x10 | lines[i][0]);
		if ((inb(port + MSR) & 0xf0) != lines[i][1])
			why = "MSR does not follow MCR";
	}
	outb(port + MCR, MCR_RUN);
	return why;
}

static bool loop_seen(void *arg)
{
	(void)arg;
	return *(volatile bool *)&rx.looped;
}

const char *uart_loopback_irq(void)
{
	if (rx.stopped)
		return "too much input is waiting";
	rx.looped = false;
	rx.looping = true;
	outb(port + MCR, MCR_LOOP);
	outb(port + THR, LOOP_BYTE);
	bool seen = clock_wait(loop_seen, NULL, LOOP_WAIT_US);

	rx.looping = false;
	outb(port + MCR, MCR_RUN);
	return seen ? NULL : "no interrupt came";
}
