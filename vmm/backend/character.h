/*
 * The two ends of a character stream, a serial chip in front and a console behind. Neither blocks: each side
 * takes what it has room for, and calls the other back when there is room again.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The console side, as the chip sees it. Any thread; the chip may hold its own lock. */
struct character_sink {
	/* Takes up to len bytes and returns how many; after a short count `drained` is called in time. */
	size_t (*write)(void *ctx, const uint8_t *bytes, size_t len);
	/* The chip has room for input again. */
	void (*want_input)(void *ctx);
	void *ctx;
};

/* The chip side, as the console sees it. Called on the event-loop thread, with none of its locks held. */
struct character_source {
	/* Takes up to len bytes and returns how many; after a short count want_input is called in time. */
	size_t (*input)(void *ctx, const uint8_t *bytes, size_t len);
	/* The console has room for output again. */
	void (*drained)(void *ctx);
	void *ctx;
};
