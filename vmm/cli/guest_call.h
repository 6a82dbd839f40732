/* A running guest, asked over its control socket (docs/control.md). */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "lodge_control.h"

/*
 * What a guest's process has sent, as a new reference; NULL: no JSON. The process may be in its guest's hands, so characters that
 * steer a terminal become '?', and a member whose name has such is dropped; but for "text", the console's own bytes.
 */
json_t *guest_parse(const char *line);

/* A member that is a string; "-" where there is none. */
const char *guest_string(const json_t *object, const char *name);

/* A member of what a guest tells that is a number; 0 where there is none. */
uint64_t guest_number(const json_t *object, const char *name);

/* {"command": name}: a new reference. */
json_t *guest_request(const char *command);

/*
 * Sends a request, whose reference it takes, and waits for its reply; events that come first are dropped. 0 and, unless
 * ret_result is NULL, a new reference to the reply's "result"; or -errno and *error, which may be what the guest's process said.
 */
int guest_ask(struct lodge_client *client, json_t *request, json_t **ret_result, struct lodge_error *error);

/* Its two halves. After the first alone guest_next_event() passes over the reply, and no event is dropped. */
int guest_tell(struct lodge_client *client, json_t *request, struct lodge_error *error);
int guest_reply(struct lodge_client *client, int timeout_ms, json_t **ret_result, struct lodge_error *error);

/* guest_ask() of a guest by its name, for the one request. */
int guest_call(const char *name, json_t *request, json_t **ret_result, struct lodge_error *error);

/* The next event, as a new reference: 0 or -errno and *error. timeout_ms -1: for ever. */
int guest_next_event(
	struct lodge_client *client, int timeout_ms, json_t **ret_event, struct lodge_error *error);

/*
 * Waits for the guest's end, after {"command": "events"} was asked: 0 and its "exit" event, as a new reference, or
 * -errno and *error (-ECONNRESET: its process was killed). timeout_ms counts from one event to the next; -1: for ever.
 */
int guest_wait(struct lodge_client *client, int timeout_ms, json_t **ret_exit, struct lodge_error *error);
