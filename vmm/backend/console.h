/*
 * The console: a hub between a serial chip and any number of clients. What the chip sends goes into one ring, and
 * each client has its own position there; what clients type goes to the chip in turn. The event-loop thread does
 * all reading and writing, and waits for nobody: a stream that stalls holds the guest's transmitter back once the
 * ring is full, a viewer that stalls misses bytes. No byte of input is lost.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backend/character.h"
#include "backend/console_fd.h"
#include "event/loop.h"
#include "util/counter.h"
#include "util/ring.h"

struct error;

#define CONSOLE_RING_SIZE       (1 << 20)
#define CONSOLE_IN_SIZE         1024
#define CONSOLE_CHUNK_SIZE      16384     /* what is written at once, and when a batch is full */
#define CONSOLE_LATENCY_NS      10000000u /* a byte is written within that */
#define CONSOLE_ENDS_MAX        9
#define CONSOLE_CONNECTIONS_MAX 32
#define CONSOLE_CLIENTS_MAX     (CONSOLE_ENDS_MAX + CONSOLE_CONNECTIONS_MAX)

enum console_kind {
	CONSOLE_STREAM, /* gets every byte; an error of its output is the console's failure */
	CONSOLE_VIEWER, /* misses the oldest bytes when it lags by a whole ring; an error just ends it */
	CONSOLE_LISTEN, /* in is a listening unix socket: who connects is a viewer */
};

/* What the console's owner gives it. Descriptors stay the owner's, and outlive the console. */
struct console_end {
	enum console_kind kind;
	int in;      /* -1: no input */
	int out;     /* -1: no output; not used by CONSOLE_LISTEN */
	bool escape; /* Ctrl-A x asks to stop, Ctrl-A a is a Ctrl-A */
};

struct console_config {
	struct event_loop *loop;
	struct console_end ends[CONSOLE_ENDS_MAX];
	unsigned end_count;
	void (*stop)(void *ctx);              /* the escape was typed; on the event-loop thread */
	void (*failed)(void *ctx, int error); /* a stream takes no more: -errno; on the event-loop thread */
	void *ctx;
};

/* What the chip sends is written in batches, a burst of bytes at once. */
enum console_batch {
	CONSOLE_BATCH_NONE,  /* nobody waits for more: all are behind, or there is no reader */
	CONSOLE_BATCH_EMPTY, /* a reader has all there is: the next byte begins a batch */
	CONSOLE_BATCH_GROWS, /* batch_timer will tell when it is over */
	CONSOLE_BATCH_FULL,  /* the loop has been woken to write it */
};

/* An end or a connection. The event-loop thread's alone. */
struct console_client {
	struct console *console;
	enum console_kind kind;
	struct console_fd in;
	struct console_fd out;
	uint64_t at; /* the byte of the ring that it gets next */
	bool escape;
	bool in_escape;    /* the last byte was a Ctrl-A */
	size_t in_len;     /* read but not yet taken by the chip */
	uint8_t *in_bytes; /* CONSOLE_IN_SIZE of them */
};

/* Mapped, so that a silent guest's cost no memory. */
struct console_buffers {
	uint8_t ring[CONSOLE_RING_SIZE];
	uint8_t chunk[CONSOLE_CHUNK_SIZE];
	uint8_t in[CONSOLE_CLIENTS_MAX][CONSOLE_IN_SIZE];
};

struct console {
	struct console_config config;
	struct character_source source;  /* the chip; set once by console_connect() */
	struct event_source wake;        /* an eventfd: other threads ask the loop to look at the console */
	struct event_timer batch_timer;  /* any thread arms it */
	struct event_timer listen_again; /* fitted if there is a CONSOLE_LISTEN */
	atomic_bool in_wanted;           /* the chip may have room for input */

	/* The event-loop thread's alone. The ends come first, then connections as they come and go. */
	struct console_client clients[CONSOLE_CLIENTS_MAX];
	unsigned turn;                   /* whose input is next */
	counter_t bytes_in;              /* any thread may read it, and bytes_out */
	struct console_buffers *buffers; /* but for .ring, which .lock guards */

	/* Guards what follows; taken below the chip's lock, and never held while the chip is called. */
	pthread_mutex_t lock;
	struct ring ring;
	counter_t bytes_out;
	uint64_t limit; /* the ring's position where the slowest stream would lose a byte */
	uint64_t due;   /* the ring's position up to which the readers get it now */
	enum console_batch batch;
	uint64_t batch_at;   /* when it began, ns */
	uint64_t batch_seen; /* the ring's position when it was last looked at */
	bool out_refused;    /* the chip was told to wait: call drained() when there is room */
};

/* 0, or -errno and *error; then, too, console_fini() has been called. */
int console_init(struct console *console, const struct console_config *config, struct error *error);
void console_fini(struct console *console); /* zeroed and half-built ones too */

/* What the chip writes to. */
struct character_sink console_sink(struct console *console);

/* Says which chip gets the input, and starts to serve the clients. */
void console_connect(struct console *console, const struct character_source *source);

/*
 * After the guest's end, on the thread that ran the loop: writes what is left to the streams, however long they
 * take, until one of the stop_fds (-1: none) is readable or timeout_ms (-1: none) passes without a stream taking
 * a byte. Viewers get what they take at once, or within a second in which they keep taking. 0 or -errno; what
 * could not be written is dropped.
 */
int console_drain(struct console *console, const int stop_fds[2], int timeout_ms);

/* Has the loop write what there is, without a wait for the end of a burst. Any thread. */
void console_flush(struct console *console);

/* Copies the newest bytes that the chip sent, up to size of those that are kept, and returns how many. Any thread. */
size_t console_copy(struct console *console, void *to, size_t size);

/* Sets the size of the ends that are masters of a pty. Any thread. */
void console_resize(const struct console *console, unsigned columns, unsigned rows);
