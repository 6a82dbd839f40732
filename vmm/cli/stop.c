/* lodge stop: asks guests to power off, and ends those that do not. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/guest_call.h"
#include "util/bytes.h"
#include "util/size.h"

#define GRACE_DEFAULT_MS 10000
/* What lodge itself may take to end a guest, its disks and a stalled reader of its console included. */
#define END_TIMEOUT_MS 20000

struct stop_options {
	uint64_t grace_ms;
	bool all;
};

static int set_grace(void *target, const char *value, struct error *error)
{
	struct stop_options *options = target;

	if (seconds_parse(value, &options->grace_ms) || options->grace_ms > 86400000)
		return error_set(error, ERROR_USAGE, -EINVAL,
			"--grace: '%s': not a time in seconds, such as 30 or 0.5, up to a day", value);
	return 0;
}

static int set_now(void *target, const char *value, struct error *error)
{
	(void)value;
	(void)error;
	((struct stop_options *)target)->grace_ms = 0;
	return 0;
}

static const struct option_row rows[] = {
	{"grace", 'g', "SECONDS", "how long the guest has after its power button was pressed;\ndefault 10",
		.set = set_grace},
	{"now", 0, NULL, "do not ask: end it at once", .set = set_now},
	{"all", 'a', NULL, "all guests of this user", .at = OPTION_FLAG(struct stop_options, all)},
	{0},
};

static int ask(const char *name, const struct stop_options *options, struct lodge_client **ret_client)
{
	json_t *request =
		json_pack("{s:s, s:I}", "command", "stop", "grace_ms", (json_int_t)options->grace_ms);
	struct lodge_client *client = NULL;
	struct lodge_error error;
	int err = lodge_client_new(name, &client, &error);

	if (!err)
		err = guest_ask(client, guest_request("events"), NULL, &error);
	if (!err)
		err = guest_ask(client, json_incref(request), NULL, &error);
	json_decref(request);
	if (!err) {
		*ret_client = client;
		return 0;
	}
	lodge_client_free(client);
	/* One that ends by itself meanwhile is as good as stopped. */
	if (err == -ECONNRESET || (options->all && err == -ESRCH))
		return 0;
	print_error("stop", error.text);
	return error.status;
}

/* Tells how it ended, and returns when its process is gone: nothing of it is left then. */
static int await(const char *name, struct lodge_client *client, const struct stop_options *options)
{
	int timeout_ms = (int)options->grace_ms + END_TIMEOUT_MS, err;
	struct lodge_error error;
	const char *line;
	json_t *end;

	err = guest_wait(client, timeout_ms, &end, &error);
	if (!err) {
		printf("%s: %s\n", name, guest_string(end, "outcome"));
		json_decref(end);
		while (!(err = lodge_client_receive(client, END_TIMEOUT_MS, &line, &error)))
			;
	}
	if (err == -ECONNRESET)
		return 0;
	print_error("stop", error.text);
	return error.status;
}

static int stop_each(char **names, unsigned count, const struct stop_options *options)
{
	struct lodge_client **clients = calloc(count + 1, sizeof(struct lodge_client *));
	int status = 0, one;
	unsigned i;

	if (!clients) {
		print_error("stop", strerror(ENOMEM));
		return LODGE_STATUS_VMM_ERROR;
	}
	/* All are asked before the first is waited for: they shut down side by side. */
	for (i = 0; i < count; i++) {
		one = ask(names[i], options, &clients[i]);
		status = one ? one : status;
	}
	for (i = 0; i < count; i++) {
		one = clients[i] ? await(names[i], clients[i], options) : 0;
		status = one ? one : status;
		lodge_client_free(clients[i]);
	}
	free(clients);
	return status;
}

static int run_stop(const struct command *command, int argc, char **argv)
{
	struct stop_options options = {.grace_ms = GRACE_DEFAULT_MS};
	struct lodge_error error;
	unsigned count;
	char **names;
	int operand, status;

	if (!command_parse(command, argc, argv, &options, &operand, &status))
		return status;
	if (options.all == (operand < argc)) {
		print_error("stop", options.all ? "--all goes without names" : "it needs NAME... or --all");
		return LODGE_STATUS_USAGE;
	}
	if (!options.all)
		return stop_each(argv + operand, (unsigned)(argc - operand), &options);
	if (lodge_guests_list(&names, &count, &error)) {
		print_error("stop", error.text);
		return error.status;
	}
	status = stop_each(names, count, &options);
	free(names);
	return status;
}

const struct command stop_command = {
	.name = "stop",
	.operands = "[NAME]...",
	.kind = OPERAND_GUEST,
	.rest = OPERAND_GUEST,
	.operands_max = -1,
	.help = "have a guest power off, or end it",
	.about =
		"Presses the power button of guests, ends those that are not off after a time of grace, and\n"
		"returns when all are gone.\n",
	.rows = rows,
	.run = run_stop,
};
