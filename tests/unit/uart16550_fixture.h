/* A serial chip between a guest's registers and a console, for test_uart16550*.c. */
#pragma once

#include "suites.h"

#include <stdbool.h>
#include <string.h>

#include "devices/uart16550.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR }; /* FCR is IIR when written */

struct fixture {
	struct uart16550 uart;
	struct character_source source;
	uint8_t out[256];
	size_t out_len;
	size_t room;      /* what the console takes before it stalls */
	unsigned wants;   /* calls of want_input */
	const char *more; /* what the console sends from within want_input */
	bool irq;
	unsigned edges; /* how often irq rose */
};

static inline size_t console_write(void *ctx, const uint8_t *bytes, size_t len)
{
	struct fixture *f = ctx;
	size_t count = len < f->room ? len : f->room;

	ck_assert_uint_le(f->out_len + count, sizeof(f->out));
	memcpy(f->out + f->out_len, bytes, count);
	f->out_len += count;
	f->room -= count;
	return count;
}

static inline void console_want_input(void *ctx)
{
	struct fixture *f = ctx;

	f->wants++;
	if (f->more) {
		const char *more = f->more;

		f->more = NULL;
		f->source.input(f->source.ctx, (const uint8_t *)more, strlen(more));
	}
}

static inline void note_irq(void *ctx, bool level)
{
	struct fixture *f = ctx;

	ck_assert(level != f->irq); /* an ioctl each: changes only */
	f->irq = level;
	f->edges += level;
}

static inline void setup(struct fixture *f)
{
	struct uart16550_config config = {
		.irq = {note_irq, f},
		.sink = {console_write, console_want_input, f},
	};

	*f = (struct fixture){.room = SIZE_MAX};
	uart16550_init(&f->uart, &config);
	f->source = uart16550_source(&f->uart);
}

static inline void out(struct fixture *f, unsigned offset, uint8_t value)
{
	uart16550_ops.write(&f->uart, offset, 1, value);
}

static inline uint8_t in(struct fixture *f, unsigned offset)
{
	return (uint8_t)uart16550_ops.read(&f->uart, offset, 1);
}

static inline size_t input(struct fixture *f, const char *text)
{
	return f->source.input(f->source.ctx, (const uint8_t *)text, strlen(text));
}

static inline void drain(struct fixture *f, size_t room)
{
	f->room = room;
	f->source.drained(f->source.ctx);
}

static inline void check_out(const struct fixture *f, const char *text)
{
	ck_assert_uint_eq(f->out_len, strlen(text));
	ck_assert_mem_eq(f->out, text, f->out_len);
}

#define SETUP(f)          \
	struct fixture f; \
	setup(&f)
