/* A console between a mock chip and pipes, its loop on a thread of its own, for test_console*.c. */
#pragma once

#include "suites.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/console.h"

#define RIG_SECONDS 5 /* nothing good takes as long */

struct rig {
	struct event_loop loop;
	struct console console;
	struct character_sink sink;
	bool running;
	pthread_t thread;

	/* The chip, and what the console told its owner. */
	pthread_mutex_t lock; /* guards all below; released for calls of the sink */
	pthread_cond_t changed;
	uint8_t *got;
	size_t got_len, got_max;
	size_t room;     /* what the chip takes before it is full */
	bool waits;      /* the console had more than there was room for */
	unsigned inputs; /* calls */
	unsigned drains;
	unsigned stops;
	unsigned failures;
	int failed;
};

enum rig_kind { RIG_PIPE, RIG_SOCKET };

/* Two connected descriptors, [0] for the reader and [1] for the writer. */
void rig_pair(enum rig_kind kind, int fds[2]);

/* A console with one stream, -1: none that way; or with any ends. The chip has no room at first. */
void rig_init(struct rig *rig, int in, int out, bool escape);
void rig_init_ends(struct rig *rig, const struct console_end *ends, unsigned count);
void rig_fini(struct rig *rig);

/* The loop's thread. Stopping it fails the test when the loop is stuck. */
void rig_start(struct rig *rig);
void rig_stop(struct rig *rig);

/* The chip gets room for so many bytes more, and says so. */
void rig_make_room(struct rig *rig, size_t bytes);

/* Waits until the chip got len bytes in all; false: it did not. */
bool rig_wait_got(struct rig *rig, size_t len);

/* Waits until a counter of the rig's is not 0. */
bool rig_wait(struct rig *rig, const unsigned *counter);

/* Reads a counter of the rig's and sets it to 0. */
unsigned rig_take(struct rig *rig, unsigned *counter);

/* The chip prints all of it, and waits for `drained` where it must; false: that did not come. */
bool rig_print(struct rig *rig, const uint8_t *bytes, size_t len);

/* Prints until neither the console nor its reader has taken a byte for a while; returns how much was taken. */
size_t rig_print_until_refused(struct rig *rig, const uint8_t *bytes, size_t len);

/* Exactly these bytes, or then the end, come from a descriptor in RIG_SECONDS. */
void rig_expect_bytes(int fd, const uint8_t *bytes, size_t len);
void rig_expect_text(int fd, const char *text);
void rig_expect_end(int fd);

/* Bytes that show when one is lost, doubled or out of place. */
void rig_pattern(uint8_t *bytes, size_t len);
