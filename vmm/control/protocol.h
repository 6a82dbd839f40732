/*
 * The control protocol: one JSON object a line, each way (docs/control.md). From a request to its reply, without a
 * socket: what it does to the guest goes through lodge.h and cgroup.h, and what it wants of the server through two calls.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lodge.h"

struct cgroup;

struct protocol {
	const char *name;
	struct lodge_vm *vm;
	const struct lodge_config *config;
	struct cgroup *cgroup;
	unsigned columns, rows; /* of the console, as the last client said; 0: nobody did */
	bool paused;
	bool stopping; /* the power button was pressed, and the time of grace runs */
	/* Sends an event to all who asked for them; the reference is taken. */
	void (*announce)(void *ctx, json_t *event);
	/* Stops the guest in so many milliseconds. */
	void (*stop_in)(void *ctx, uint64_t ms);
	void *ctx;
};

/*
 * Answers one request of len bytes: a new reference, NULL when there is no memory. *ret_subscribed is set when the
 * client wants events from now on.
 */
json_t *protocol_answer(struct protocol *protocol, const char *line, size_t len, bool *ret_subscribed);

/* {"event": name, ...}: a new reference; NULL when there is no memory. */
json_t *protocol_event(const char *name);
json_t *protocol_exit_event(const struct lodge_result *result);
