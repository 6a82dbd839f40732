#include "cli/top_guests.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/guest_call.h"
#include "util/clock.h"

/* The reply has the request's id, which is its command here. */
static int send_request(struct top_guest *guest, const char *command, struct lodge_error *error)
{
	return guest_tell(guest->client, json_pack("{s:s, s:s}", "command", command, "id", command), error);
}

static void disconnect(struct top_guest *guest)
{
	lodge_client_free(guest->client);
	guest->client = NULL;
	guest->asked_ns = 0;
}

/* Who does not let us in is on its way in or out, and is listed all the same. */
static void ask(struct top_guest *guest)
{
	struct lodge_error error;

	if (!guest->client && lodge_client_new(guest->name, &guest->client, &error)) {
		top_guest_set_state(guest, "starting");
		return;
	}
	if (guest->asked_ns)
		return;
	guest->asked_ns = clock_ns();
	if (send_request(guest, "stats", &error))
		disconnect(guest);
}

static struct top_guest *find(struct top_guests *guests, const char *name)
{
	unsigned i;

	for (i = 0; i < guests->count; i++) {
		if (!strcmp(guests->list[i].name, name))
			return &guests->list[i];
	}
	return NULL;
}

static void remove_unlisted(struct top_guests *guests)
{
	unsigned kept = 0, i;

	for (i = 0; i < guests->count; i++) {
		if (guests->list[i].listed)
			guests->list[kept++] = guests->list[i];
		else
			disconnect(&guests->list[i]);
	}
	guests->count = kept;
}

int top_guests_ask(struct top_guests *guests, struct lodge_error *error)
{
	struct top_guest *list, *guest;
	unsigned count, i;
	char **names;
	int err = lodge_guests_list(&names, &count, error);

	if (err)
		return err;
	list = realloc(guests->list, (guests->count + count + 1) * sizeof(*list));
	if (!list) {
		free(names);
		error->status = LODGE_STATUS_VMM_ERROR;
		snprintf(error->text, sizeof(error->text), "out of memory");
		return -ENOMEM;
	}
	guests->list = list;
	for (i = 0; i < guests->count; i++)
		list[i].listed = false;
	for (i = 0; i < count; i++) {
		guest = find(guests, names[i]);
		if (!guest) {
			guest = &list[guests->count++];
			*guest = (struct top_guest){.state = "starting"};
			snprintf(guest->name, sizeof(guest->name), "%s", names[i]);
		}
		guest->listed = true;
	}
	free(names);
	remove_unlisted(guests);
	for (i = 0; i < guests->count; i++)
		ask(&guests->list[i]);
	return 0;
}

static void take_reply(struct top_guests *guests, struct top_guest *guest, const json_t *reply)
{
	const char *id = json_string_value(json_object_get(reply, "id"));
	const char *text = json_string_value(json_object_get(reply, "error"));
	bool ok = json_is_true(json_object_get(reply, "ok"));

	if (id && !strcmp(id, "stats")) {
		guest->asked_ns = 0;
		if (ok)
			top_guest_update(guest, json_object_get(reply, "result"));
		else
			top_guest_set_state(guest, "starting");
	} else if (!ok) {
		snprintf(guests->message, sizeof(guests->message), "%s: %s", guest->name, text ? text : "no");
	}
}

static void receive(struct top_guests *guests, struct top_guest *guest)
{
	struct lodge_error error;
	const char *line;
	json_t *reply;
	int err;

	while (!(err = lodge_client_receive(guest->client, 0, &line, &error))) {
		reply = guest_parse(line);
		take_reply(guests, guest, reply);
		json_decref(reply);
	}
	if (err != -ETIMEDOUT)
		disconnect(guest);
}

static bool is_silent(const struct top_guest *guest)
{
	return guest->asked_ns && clock_ns() - guest->asked_ns >= TOP_SILENT_NS;
}

int top_guests_wait(struct top_guests *guests, struct pollfd *others, unsigned other_count, int timeout_ms)
{
	struct pollfd *fds = calloc(guests->count + other_count + 1, sizeof(*fds));
	unsigned i;

	if (!fds)
		return -ENOMEM;
	for (i = 0; i < guests->count; i++) {
		struct lodge_client *client = guests->list[i].client;

		fds[i] = (struct pollfd){.fd = client ? lodge_client_fd(client) : -1, .events = POLLIN};
	}
	for (i = 0; i < other_count; i++)
		fds[guests->count + i] = others[i];
	if (poll(fds, guests->count + other_count, timeout_ms) < 0) {
		for (i = 0; i < guests->count + other_count; i++)
			fds[i].revents = 0;
	}
	for (i = 0; i < other_count; i++)
		others[i].revents = fds[guests->count + i].revents;
	for (i = 0; i < guests->count; i++) {
		if (fds[i].revents)
			receive(guests, &guests->list[i]);
		if (is_silent(&guests->list[i]))
			top_guest_set_state(&guests->list[i], "silent");
	}
	free(fds);
	return 0;
}

bool top_guests_awaited(const struct top_guests *guests)
{
	unsigned i;

	for (i = 0; i < guests->count; i++) {
		if (guests->list[i].asked_ns && !is_silent(&guests->list[i]))
			return true;
	}
	return false;
}

void top_guests_tell(struct top_guests *guests, struct top_guest *guest, const char *command)
{
	struct lodge_error error;

	if (guest->client && send_request(guest, command, &error))
		snprintf(guests->message, sizeof(guests->message), "%s", error.text);
}

void top_guests_fini(struct top_guests *guests)
{
	unsigned i;

	for (i = 0; i < guests->count; i++)
		disconnect(&guests->list[i]);
	free(guests->list);
	*guests = (struct top_guests){0};
}
