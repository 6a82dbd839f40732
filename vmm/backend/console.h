/*
 * The console: between a serial chip and the file descriptors of whoever looks at it. Output is buffered, and
 * written by the event-loop thread as the descriptor takes it; a reader that stalls holds the guest's
 * transmitter back, never a thread. Input is read only as fast as the chip takes it. No byte is lost either way.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend/character.h"
#include "event/loop.h"
#include "util/ring.h"

#define CONSOLE_OUT_SIZE  16384
#define CONSOLE_IN_SIZE   4096
#define CONSOLE_TAIL_SIZE 2048

struct console_config {
	struct event_loop *loop;
	int in_fd;                            /* -1: no input */
	int out_fd;                           /* -1: output is only kept for console_tail() */
	bool escape;                          /* Ctrl-A x asks to stop, Ctrl-A a is a Ctrl-A */
	void (*stop)(void *ctx);              /* the escape was typed; on the event-loop thread */
	void (*failed)(void *ctx, int error); /* out_fd takes no more: -errno; on the event-loop thread */
	void *ctx;
};

/* A descriptor that is read or written without ever blocking. */
struct console_fd {
	struct event_source source;
	bool owned;    /* a twin of the caller's, to be closed */
	bool blocking; /* there could be no non-blocking twin */
	bool socket;
	bool pollable; /* regular files are not: they are always ready */
};

struct console {
	struct console_config config;
	struct character_source source; /* the chip; set once by console_connect() */
	struct console_fd in;
	struct console_fd out;
	struct event_source wake; /* an eventfd: other threads ask the loop to look at the console */

	/* The event-loop thread's alone. */
	uint8_t in_bytes[CONSOLE_IN_SIZE];
	size_t in_start, in_end; /* read but not yet taken by the chip */
	bool in_escape;          /* the last byte was a Ctrl-A */
	uint64_t bytes_in;
	bool out_broken;

	/* Guards what follows; taken below the chip's lock, and never held while the chip is called. */
	pthread_mutex_t lock;
	struct ring out_ring;
	struct ring tail_ring;
	uint64_t bytes_out;
	bool out_refused; /* the chip was told to wait: call drained() when there is room */
	bool in_wanted;   /* the chip has room for input */
	uint8_t out_bytes[CONSOLE_OUT_SIZE];
	uint8_t tail_bytes[CONSOLE_TAIL_SIZE];
};

int console_init(struct console *console, const struct console_config *config);
void console_fini(struct console *console); /* zeroed and half-built ones too */

/* What the chip writes to. */
struct character_sink console_sink(struct console *console);

/* Says which chip gets the input, and starts to read. */
void console_connect(struct console *console, const struct character_source *source);

/*
 * After the guest's end: writes what is left, however long the reader takes, until one of the stop_fds (-1:
 * none) is readable or timeout_ms (-1: none) passes without the reader taking a byte. 0 or -errno; what
 * could not be written is dropped.
 */
int console_drain(struct console *console, const int stop_fds[2], int timeout_ms);

/* Copies the last of what the guest printed, NUL-terminated, into text of the given size. */
void console_tail(struct console *console, char *text, size_t size);
