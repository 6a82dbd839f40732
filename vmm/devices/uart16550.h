/*
 * The National PC16550D serial chip (a 16550A): eight registers towards the guest, a character
 * stream towards the host. Bits take no time on its line, so there is no baud rate, parity or word
 * length to get wrong.
 *
 * vCPU threads enter it through the bus, the event-loop thread through its character source.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend/character.h"
#include "bus/bus.h"
#include "bus/irq.h"

#define UART16550_FIFO 16

struct uart16550_config {
	struct irq_line irq;        /* INTR: high while an interrupt is pending, whatever OUT2 says */
	struct character_sink sink; /* without `write`, output vanishes */
};

struct uart16550_state {
	uint8_t ier;
	uint8_t fcr; /* the bits that stay: FIFO enable, DMA mode, trigger level */
	uint8_t lcr;
	uint8_t mcr;
	uint8_t lsr; /* the error bits only; the others follow from the FIFOs */
	uint8_t msr;
	uint8_t scr;
	uint8_t divisor[2];
	bool thre_pending; /* THR became empty, and the guest has not been told */
	bool input_waits;  /* the console had more than there was room for */
	uint8_t rx[UART16550_FIFO];
	uint8_t rx_errors[UART16550_FIFO]; /* LSR bits that belong to the byte of the same index */
	uint8_t rx_count;
	uint8_t tx[UART16550_FIFO]; /* bytes that the console has not taken yet */
	uint8_t tx_count;
};

struct uart16550 {
	/* Guards all below; held for irq.set and sink.write, not for sink.want_input. */
	pthread_mutex_t lock;
	struct irq_line irq;
	struct character_sink sink;
	bool irq_level;
	struct uart16550_state state;
};

extern const struct bus_ops uart16550_ops; /* dev: a struct uart16550 */

void uart16550_init(struct uart16550 *uart, const struct uart16550_config *config);
void uart16550_fini(struct uart16550 *uart);

/* The host's end; valid until uart16550_fini(). */
struct character_source uart16550_source(struct uart16550 *uart);
