/* The commands that ask running guests for something small: list, pause, resume, reset, nmi, wait, logs. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/guest_call.h"
#include "util/bytes.h"
#include "util/clock.h"
#include "util/size.h"

#define STATUS_TIMEOUT_NS 2000000000u /* for all answers to lodge list */

static int complain(const char *command, const struct lodge_error *error)
{
	print_error(command, error->text);
	return error->status;
}

/* pause, resume, reset, nmi: the request is named as the command is, and each of the guests gets it. */

static int run_on_each(const struct command *command, int argc, char **argv)
{
	struct lodge_error error;
	int operand, status, i;

	if (!command_parse(command, argc, argv, NULL, &operand, &status))
		return status;
	for (i = operand; i < argc; i++) {
		if (guest_call(argv[i], guest_request(command->name), NULL, &error))
			status = complain(command->name, &error);
	}
	return status;
}

#define ON_EACH(NAME, HELP, ABOUT)              \
	const struct command NAME##_command = { \
		.name = #NAME,                  \
		.operands = "NAME...",          \
		.kind = OPERAND_GUEST,          \
		.rest = OPERAND_GUEST,          \
		.operands_min = 1,              \
		.operands_max = -1,             \
		.help = (HELP),                 \
		.about = (ABOUT),               \
		.rows = no_options,             \
		.run = run_on_each,             \
	}

ON_EACH(pause, "stop a guest's CPUs and its time",
	"Stops the CPUs of guests, and their time. Disk requests in flight are finished first.\n");
ON_EACH(resume, "let a paused guest go on", "Lets paused guests go on.\n");
ON_EACH(reset, "start a guest anew", "Starts guests anew, as a PC's reset button would.\n");
ON_EACH(nmi, "send a guest a non-maskable interrupt",
	"Sends a non-maskable interrupt to every CPU of guests: many kernels then tell where they are.\n");

/* list */

struct list_options {
	bool json, names;
};

static const struct option_row list_rows[] = {
	{"json", 0, NULL, "as a JSON array", .at = OPTION_FLAG(struct list_options, json)},
	{"names", 0, NULL, "just the names; no guest is asked",
		.at = OPTION_FLAG(struct list_options, names)},
	{0},
};

static void print_uptime(uint64_t us, char *text, size_t size)
{
	uint64_t s = us / 1000000;

	if (s < 60)
		snprintf(text, size, "%" PRIu64 "s", s);
	else if (s < 3600)
		snprintf(text, size, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else
		snprintf(text, size, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
}

static void print_table(const json_t *guests)
{
	size_t i;

	printf("%-20s %-9s %8s %8s %5s %9s  %s\n", "NAME", "STATE", "PID", "UPTIME", "CPUS", "MEMORY",
		"KERNEL");
	for (i = 0; i < json_array_size(guests); i++) {
		const json_t *guest = json_array_get(guests, i);
		char memory[SIZE_TEXT_MAX] = "-", uptime[24] = "-";

		if (json_object_get(guest, "cpus")) {
			size_format(guest_number(guest, "memory"), memory);
			print_uptime(guest_number(guest, "uptime_us"), uptime, sizeof(uptime));
		}
		printf("%-20s %-9s %8" PRIu64 " %8s %5" PRIu64 " %9s  %s\n", guest_string(guest, "name"),
			guest_string(guest, "state"), guest_number(guest, "pid"), uptime,
			guest_number(guest, "cpus"), memory, guest_string(guest, "kernel"));
	}
}

/* What a guest answers until the deadline; one that does not is listed all the same. NULL: it has just ended. */
static json_t *describe(const char *name, struct lodge_client *client, uint64_t deadline)
{
	uint64_t now = clock_ns();
	struct lodge_error error;
	json_t *guest = NULL;
	int err = guest_reply(client, now < deadline ? (int)((deadline - now) / 1000000) : 0, &guest, &error);

	if (err == -ECONNRESET)
		return NULL;
	if (err)
		guest = json_pack("{s:s, s:s}", "name", name, "state",
			err == -EREMOTEIO && error.status == LODGE_STATUS_USAGE ? "starting" : "silent");
	json_object_set_new(guest, "pid", json_integer(lodge_client_pid(client)));
	return guest;
}

/* All are asked before the first answer is waited for, so that those who stand still cost their time but once. */
static json_t *describe_all(char **names, unsigned count)
{
	struct lodge_client **clients = calloc(count + 1, sizeof(struct lodge_client *));
	json_t *guests = json_array();
	struct lodge_error error;
	uint64_t deadline;
	unsigned i;

	for (i = 0; clients && i < count; i++) {
		if (!lodge_client_new(names[i], &clients[i], &error))
			guest_tell(clients[i], guest_request("status"), &error);
	}
	deadline = clock_ns() + STATUS_TIMEOUT_NS;
	for (i = 0; clients && i < count; i++) {
		if (clients[i])
			json_array_append_new(guests, describe(names[i], clients[i], deadline));
		lodge_client_free(clients[i]);
	}
	free(clients);
	return guests;
}

static int run_list(const struct command *command, int argc, char **argv)
{
	struct lodge_error error;
	unsigned count, i;
	json_t *guests;
	char **names;
	struct list_options options = {0};
	int operand, status;

	if (!command_parse(command, argc, argv, &options, &operand, &status))
		return status;
	if (lodge_guests_list(&names, &count, &error))
		return complain(command->name, &error);
	for (i = 0; i < count && options.names; i++)
		puts(names[i]);
	if (options.names) {
		free(names);
		return 0;
	}
	guests = describe_all(names, count);
	free(names);
	if (options.json) {
		json_dumpf(guests, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_table(guests);
	}
	json_decref(guests);
	return 0;
}

const struct command list_command = {
	.name = "list",
	.operands = "",
	.help = "the guests that run",
	.about = "Lists this user's running guests: those that were started with a name or with --detach.\n",
	.rows = list_rows,
	.run = run_list,
};

/* wait */

static int run_wait(const struct command *command, int argc, char **argv)
{
	struct lodge_client *client;
	struct lodge_error error;
	json_t *end;
	int operand, status, err;

	if (!command_parse(command, argc, argv, NULL, &operand, &status))
		return status;
	if (lodge_client_new(argv[operand], &client, &error))
		return complain(command->name, &error);
	err = guest_ask(client, guest_request("events"), NULL, &error);
	if (!err)
		err = guest_wait(client, -1, &end, &error);
	lodge_client_free(client);
	if (err)
		return complain(command->name, &error);
	status = (int)guest_number(end, "status");
	json_decref(end);
	return status;
}

const struct command wait_command = {
	.name = "wait",
	.operands = "NAME",
	.kind = OPERAND_GUEST,
	.operands_min = 1,
	.operands_max = 1,
	.help = "wait for a guest's end, and leave with its status",
	.about =
		"Waits until a guest ends, and leaves with its exit status; with 103 if its process was killed.\n",
	.rows = no_options,
	.run = run_wait,
};

/* logs */

static const struct option_row logs_rows[] = {
	{"follow", 'f', NULL, "go on until the guest ends", .at = 0},
	{0},
};

/* Each character is a byte of the guest's: docs/control.md. */
static void print_text_as_bytes(const json_t *text)
{
	const unsigned char *at = (const unsigned char *)json_string_value(text);
	const unsigned char *end = at + json_string_length(text);

	for (; at && at < end; at++) {
		if (*at < 0x80)
			putchar(*at);
		else if (at + 1 < end)
			putchar((at[0] & 3) << 6 | (at[1] & 0x3f)), at++;
	}
}

static int print_log(const char *name)
{
	struct lodge_error error;
	json_t *result;

	if (guest_call(name, guest_request("logs"), &result, &error))
		return complain("logs", &error);
	print_text_as_bytes(json_object_get(result, "text"));
	json_decref(result);
	return 0;
}

/* A reader of the console that never types: what the guest has printed comes first. */
static int follow_log(const char *name)
{
	struct lodge_error error;
	char bytes[65536];
	ssize_t count;
	int fd;

	if (lodge_guest_console(name, &fd, &error))
		return complain("logs", &error);
	while ((count = read(fd, bytes, sizeof(bytes))) > 0 || (count < 0 && errno == EINTR)) {
		if (count > 0 && (fwrite(bytes, 1, (size_t)count, stdout) < (size_t)count || fflush(stdout)))
			break;
	}
	close(fd);
	return 0;
}

static int run_logs(const struct command *command, int argc, char **argv)
{
	bool follow = false;
	int operand, status;

	if (!command_parse(command, argc, argv, &follow, &operand, &status))
		return status;
	return follow ? follow_log(argv[operand]) : print_log(argv[operand]);
}

const struct command logs_command = {
	.name = "logs",
	.operands = "NAME",
	.kind = OPERAND_GUEST,
	.operands_min = 1,
	.operands_max = 1,
	.help = "what a guest has printed",
	.about = "Prints the last 1 MiB of what a guest has printed on its console.\n",
	.rows = logs_rows,
	.run = run_logs,
};
