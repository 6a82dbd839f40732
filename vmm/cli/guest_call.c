#include "cli/guest_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_TIMEOUT_MS 10000

/* How many bytes of a control character begin here: ASCII's, DEL, and Latin-1's U+0080 to U+009F, in UTF-8. */
static unsigned control_character(const char *text)
{
	uint8_t byte = (uint8_t)text[0], next = byte ? (uint8_t)text[1] : 0;

	if (byte == 0xc2 && next >= 0x80 && next <= 0x9f)
		return 2;
	return (byte && byte < ' ') || byte == 0x7f;
}

static bool printable(const char *text)
{
	while (*text && !control_character(text))
		text++;
	return !*text;
}

static void make_string_printable(json_t *string)
{
	char *copy = strdup(json_string_value(string));

	for (char *at = copy; at && *at; at++)
		memset(at, '?', control_character(at));
	json_string_set(string, copy ? copy : "?");
	free(copy);
}

static void make_printable(json_t *value)
{
	const char *name;
	json_t *member;
	size_t i;
	void *next;

	json_object_foreach_safe (value, next, name, member) {
		if (!printable(name))
			json_object_del(value, name);
		else if (strcmp(name, "text") != 0)
			make_printable(member);
	}
	for (i = 0; i < json_array_size(value); i++)
		make_printable(json_array_get(value, i));
	if (json_is_string(value) && !printable(json_string_value(value)))
		make_string_printable(value);
}

json_t *guest_parse(const char *line)
{
	json_t *object = json_loads(line, 0, NULL);

	make_printable(object);
	return object;
}

const char *guest_string(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "-";
}

uint64_t guest_number(const json_t *object, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(object, name));
}

json_t *guest_request(const char *command)
{
	return json_pack("{s:s}", "command", command);
}

static int fail(struct lodge_error *error, int err, const char *text)
{
	error->status = LODGE_STATUS_VMM_ERROR;
	snprintf(error->text, sizeof(error->text), "%s", text);
	return err;
}

static int next_object(
	struct lodge_client *client, int timeout_ms, json_t **ret_object, struct lodge_error *error)
{
	const char *line;
	int err = lodge_client_receive(client, timeout_ms, &line, error);

	if (err)
		return err;
	*ret_object = guest_parse(line);
	return *ret_object ? 0 : fail(error, -EPROTO, "the guest's process sent what is not JSON");
}

/* What the reply says: 0, or -EREMOTEIO and its error. */
static int judge(const json_t *reply, struct lodge_error *error)
{
	const char *text = json_string_value(json_object_get(reply, "error"));

	if (json_is_true(json_object_get(reply, "ok")))
		return 0;
	fail(error, -EREMOTEIO, text ? text : "the guest's process refused without a word");
	if (json_is_integer(json_object_get(reply, "status")))
		error->status = (int)json_integer_value(json_object_get(reply, "status"));
	return -EREMOTEIO;
}

int guest_tell(struct lodge_client *client, json_t *request, struct lodge_error *error)
{
	char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
	int err = line ? lodge_client_send(client, line, error) : fail(error, -ENOMEM, "out of memory");

	json_decref(request);
	free(line);
	return err;
}

int guest_reply(struct lodge_client *client, int timeout_ms, json_t **ret_result, struct lodge_error *error)
{
	json_t *reply = NULL;
	int err = 0;

	while (!err && !json_object_get(reply, "ok")) {
		json_decref(reply);
		reply = NULL;
		err = next_object(client, timeout_ms, &reply, error);
	}
	if (!err)
		err = judge(reply, error);
	if (!err && ret_result)
		*ret_result = json_incref(json_object_get(reply, "result"));
	json_decref(reply);
	return err;
}

int guest_ask(struct lodge_client *client, json_t *request, json_t **ret_result, struct lodge_error *error)
{
	int err = guest_tell(client, request, error);

	/* Who was sent away before we could ask was told why. */
	return err && err != -ECONNRESET ? err : guest_reply(client, REPLY_TIMEOUT_MS, ret_result, error);
}

int guest_call(const char *name, json_t *request, json_t **ret_result, struct lodge_error *error)
{
	struct lodge_client *client;
	int err = lodge_client_new(name, &client, error);

	if (err) {
		json_decref(request);
		return err;
	}
	err = guest_ask(client, request, ret_result, error);
	lodge_client_free(client);
	return err;
}

int guest_next_event(
	struct lodge_client *client, int timeout_ms, json_t **ret_event, struct lodge_error *error)
{
	json_t *event = NULL;
	int err = 0;

	while (!err && !json_is_string(json_object_get(event, "event"))) {
		json_decref(event);
		event = NULL;
		err = next_object(client, timeout_ms, &event, error);
	}
	if (err)
		return err;
	*ret_event = event;
	return 0;
}

int guest_wait(struct lodge_client *client, int timeout_ms, json_t **ret_exit, struct lodge_error *error)
{
	json_t *event;
	int err;

	while (!(err = guest_next_event(client, timeout_ms, &event, error))) {
		if (!strcmp(json_string_value(json_object_get(event, "event")), "exit")) {
			*ret_exit = event;
			return 0;
		}
		json_decref(event);
	}
	return err;
}
