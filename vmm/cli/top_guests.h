/* The guests of lodge top: a connection to each, asked again and again, none of them waited for. */
#pragma once

#include <poll.h>

#include "cli/top_table.h"

#define TOP_SILENT_NS 1000000000u /* after so long without an answer a guest is "silent" */

struct top_guests {
	struct top_guest *list;
	unsigned count;
	char message[512]; /* the last that went wrong, for the user; or empty */
};

/* Finds the guests that run now, and asks each that owes no answer: 0 or -errno and *error. */
int top_guests_ask(struct top_guests *guests, struct lodge_error *error);

/*
 * Waits up to timeout_ms for an answer or one of the others, which have `revents` then, takes what has come, and tells
 * who is silent. A signal ends it, too. 0 or -ENOMEM.
 */
int top_guests_wait(struct top_guests *guests, struct pollfd *others, unsigned other_count, int timeout_ms);

/* Whether someone has not answered yet, and is not silent. */
bool top_guests_awaited(const struct top_guests *guests);

/* Asks a guest for something that has no result, such as "pause"; the message tells if it refuses. */
void top_guests_tell(struct top_guests *guests, struct top_guest *guest, const char *command);

void top_guests_fini(struct top_guests *guests);
